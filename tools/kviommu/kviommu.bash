# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2207
#
# bash completion for kviommu(8)

_kviommu()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=''
	local command=${COMP_WORDS[1]:-}
	local ids='' hosts=''

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W 'list create remove assign unassign assume-reset check
			acpi qemu show top trace help --help --version' -- "$cur"))
		return
	fi
	ids=$(command ls /sys/bus/mdev/devices /etc/mdevctl.d/kviommu 2>/dev/null | grep -v :)
	hosts=$(command ls /sys/bus/pci/devices 2>/dev/null)
	# bash takes addresses apart at their colons.
	case $prev in
	--type | -t)
		words=$(command ls /sys/class/mdev_bus/kviommu/mdev_supported_types 2>/dev/null |
			sed 's/^kviommu-//')
		;;
	--output | -o | --table)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--event | -e)
		words=$(command ls /sys/kernel/tracing/events/kviommu 2>/dev/null |
			sed -n 's/^kviommu_//p')
		;;
	--set | -s)
		words='address_width= boot_bypass= pin= poll_us= batch= max_domains=
			max_mappings= quiesce_ms= scalable= first_stage= passthrough=
			snoop= late_mappings='
		compopt -o nospace 2>/dev/null
		;;
	*)
		case $command in
		list) words=--json ;;
		create) words='--type --uuid --set --assign --bind --persist' ;;
		remove) words="--persist $ids" ;;
		assign) words="--bind --persist $ids" ;;
		unassign) words="--persist $ids" ;;
		assume-reset) words="$ids $hosts" ;;
		check) words="--json $hosts" ;;
		acpi)
			words="--output $ids"
			[ "$COMP_CWORD" -gt 2 ] || words='viot dmar iort'
			case ${COMP_WORDS[2]} in
			viot) words+=' --iommu' ;;
			dmar) words+=' --base --width --reserved' ;;
			iort) words+=' --base --width --dt' ;;
			esac
			;;
		qemu) words="--iommu --table $ids" ;;
		show) words="--json --mappings $ids" ;;
		top) words="--delay --count --latency $ids" ;;
		trace) words="--event --time $ids" ;;
		esac
		;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}
complete -F _kviommu kviommu
