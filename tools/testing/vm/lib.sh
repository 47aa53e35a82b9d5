# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# What the scripts in this folder share. Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$vm_dir/../../.." && pwd)
cache=$(realpath -m "${KVIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kviommu}")
build=$top/build
# Scripts of this folder, the parts of which a user must be able to tell apart.
prog=${0##*/}

# What make was told, `make check ARCH=arm64` for example, is not for the makes of the
# scripts: they say it themselves.
unset ARCH CROSS_COMPILE MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

# Progress and complaints go to stderr: the stdout of most scripts is an answer.
say() { printf '[%4ds] %s: %s\n' "$SECONDS" "$prog" "$*" >&2; }
die() { printf '%s: error: %s\n' "$prog" "$*" >&2; exit 1; }

# The options of an apt that sees only our sources and keeps its state in the
# cache, while it knows what the machine has installed.
apt_dir=$cache/apt
apt_options=(
	-o "Dir::Etc::sourcelist=$apt_dir/sources.list"
	-o "Dir::Etc::sourceparts=/dev/null"
	-o "Dir::Etc::preferences=/dev/null"
	-o "Dir::Etc::preferencesparts=/dev/null"
	-o "Dir::State::lists=$apt_dir/lists"
	-o "Dir::Cache=$apt_dir"
	-o "Dpkg::Use-Pty=0"
	-o "DPkg::Lock::Timeout=600"
	-o "APT::Sandbox::User=root"
)

# set_arch x86|arm64: what is different for a VM of that architecture
set_arch() {
	arch=$1
	case $arch in
	x86)
		qemu="qemu-system-x86_64"
		qemu_package="qemu-system-x86"
		image=arch/x86/boot/bzImage
		host_iommus=(vtd vtd-fs vtd39 amd virtio none)
		compiler=
		make_arch=()
		;;
	arm64)
		qemu="qemu-system-aarch64"
		qemu_package="qemu-system-arm"
		image=arch/arm64/boot/Image
		host_iommus=(smmuv3 virtio none)
		compiler=aarch64-linux-gnu-
		make_arch=(ARCH=arm64 "CROSS_COMPILE=$compiler")
		;;
	*) die "knows x86 and arm64, not '$arch'" ;;
	esac
}

# lock NAME: hold the lock NAME until this script ends, so that two runs that
# need the same piece of the cache build it once.
declare -A locked
lock() {
	[ -z "${locked[$1]:-}" ] || return 0
	locked[$1]=1
	mkdir -p "$cache/locks"
	exec {lock_fd}>"$cache/locks/$1"
	flock -n "$lock_fd" && return
	say "waiting for another run that has the lock $1"
	flock "$lock_fd"
}
