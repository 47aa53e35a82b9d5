# SPDX-License-Identifier: GPL-2.0-only
#
# KDIR selects the kernel to build for. `make help` lists what else there is.

KDIR ?= /lib/modules/$(shell uname -r)/build
vm := tools/testing/vm

# Every one of these can be off in a kernel that is otherwise fine.
required := IOMMUFD VFIO_DEVICE_CDEV VFIO_PCI_CORE VFIO_MDEV VHOST_TASK
config := $(firstword $(wildcard $(KDIR)/include/config/auto.conf $(KDIR)/.config))

all: modules

kernel-has-options:
	@test -n "$(config)" || { \
		echo "kviommu: there is no configured kernel in KDIR=$(KDIR)." >&2; exit 1; }
	@for option in $(required); do \
		grep -q "^CONFIG_$$option=[ym]" "$(config)" || { \
		echo "kviommu: the kernel in $(KDIR) was built without CONFIG_$$option, which kviommu needs." >&2; \
		exit 1; }; \
	done

modules modules_install: kernel-has-options
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" $@

# kviommu(8); PREFIX and DESTDIR say where install-tools puts it
tools install-tools: target = $(if $(filter install-%,$@),install,all)
tools install-tools:
	$(MAKE) -C tools/kviommu OUTPUT="$(CURDIR)/build/kviommu" $(target)

# For kunit: a folder of images of IOMMU tables, instead of the project's own
export IMAGES

# ARCH=x86|arm64: on those hosts only, and the demo and the shell on that one; modules
# take it, and CROSS_COMPILE, as the kernel does. The rest knows x86 alone.
arch = $(if $(ARCH),--arch $(ARCH))
x86 = $(if $(filter-out x86,$(ARCH)),$(error "make $@" takes no ARCH=$(ARCH)))

check kunit kselftest e2e:
	@$(vm)/check $(arch) $(if $(MINUTES),--minutes $(MINUTES)) $(filter-out check,$@)

MODEL ?= virtio

demo:
	@$(vm)/demo $(arch) $(MODEL)

bench style:
	$(x86)@$(vm)/$@

RESETS ?= 200

soak:
	$(x86)@$(vm)/soak --resets $(RESETS) $(MODELS)

vm:
	@$(vm)/run $(arch) --flavour fast --dev edu,nvme --timeout 86400 --shell

package:
	$(x86)@tools/testing/packages/build

package-check:
	$(x86)@tools/testing/packages/check

htmldocs:
	@tools/testing/vm/packages need python3-sphinx
	sphinx-build -q -W --keep-going -n -b html Documentation build/htmldocs

# Made by hand: the kernel's own "clean" wants a kernel that is still there.
clean:
	find drivers -name '*.o' -delete -o -name '*.ko' -delete -o -name '*.mod' -delete \
		-o -name '*.mod.c' -delete -o -name '.*.cmd' -delete \
		-o -name modules.order -delete
	rm -rf build Module.symvers modules.order .Module.symvers.cmd .modules.order.cmd

help:
	@echo 'modules          build kviommu.ko, kviommu_vfio_pci.ko and'
	@echo '                 kviommu_vfio_platform.ko for KDIR (default)'
	@echo 'modules_install  install them there'
	@echo 'tools            build kviommu(8); it needs libjson-c-dev'
	@echo 'install-tools    install it, below PREFIX=/usr/local'
	@echo 'demo             a guest uses its NVMe disk through kviommu, in a VM;'
	@echo '                 MODEL=vtd: the VT-d model; MODEL=smmuv3: the SMMUv3 model, with'
	@echo '                 a program as the drivers of the guest (MODEL=virtio);'
	@echo '                 ARCH=arm64: on that host, MODEL=virtio alone'
	@echo 'check            every test on Linux 7.2, all but the longest on 6.12, in VMs;'
	@echo '                 ARCH=x86|arm64: what there is for that alone; MINUTES=60: what'
	@echo '                 is begun until then, the rest is counted as skipped'
	@echo 'kunit            of these, the KUnit suites; IMAGES=folder: with the IOMMU'
	@echo '                 tables in it, in the format of tools/testing/testdata'
	@echo 'kselftest        of these, the programs of tools/testing/selftests/kviommu'
	@echo 'e2e              of these, the guests'
	@echo 'soak             guests that are reset, and that invalidate, while their disks work;'
	@echo '                 RESETS=200 times, MODELS="virtio vtd boot uefi replug hitless"'
	@echo 'bench            what requests cost, in instructions'
	@echo 'vm               a shell in the VM, with the modules ready; ARCH=arm64: in that one'
	@echo 'style            checkpatch, sparse, cppcheck and shellcheck'
	@echo 'htmldocs         the documentation, in build/htmldocs'
	@echo 'package          Debian packages, in build/package'
	@echo 'package-check    these in clean Debian systems: DKMS, kernels that come and go'
	@echo 'clean            remove all that was built; the cache of kernels stays'
	@echo
	@echo 'KDIR=$(KDIR)'
	@echo 'The VM needs no more than root on Debian 12 or 13, and its archive.'

.PHONY: all kernel-has-options modules modules_install tools install-tools check kunit \
	kselftest e2e demo soak bench style vm package package-check htmldocs clean help
