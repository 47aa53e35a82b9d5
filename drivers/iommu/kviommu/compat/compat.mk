# SPDX-License-Identifier: GPL-2.0-only
# What differs between kernels, found by looking for the interface itself in
# the kernel's headers: version numbers don't say what a stable or vendor
# kernel has. The only other place that may know is compat.h.
#
# $(call kviommu-probe,FEATURE,pattern,header): -DKVIOMMU_HAVE_FEATURE if the
# pattern (a basic regular expression) stands in the header.
kviommu-probe = $(shell grep -qs -e '$(2)' $(srctree)/include/$(3) && \
		  echo -DKVIOMMU_HAVE_$(1))

# 6.13: symbol namespaces became string literals
kviommu-features := $(call kviommu-probe,NS_IDENTIFIER,define MODULE_IMPORT_NS.*__stringify,linux/module.h)
# 6.15: attach, replace and detach take a PASID
kviommu-features += $(call kviommu-probe,IOMMUFD_PASID,int iommufd_device_attach.*ioasid_t pasid,linux/iommufd.h)
# 7.0: the VFIO core copies the region info and asks the driver to fill it in
kviommu-features += $(call kviommu-probe,REGION_INFO_CAPS,get_region_info_caps,linux/vfio.h)
# 6.18: the VF token is matched at bind
kviommu-features += $(call kviommu-probe,MATCH_TOKEN_UUID,match_token_uuid,linux/vfio.h)
# 6.19: BARs can be exported as dma-bufs
kviommu-features += $(call kviommu-probe,PCI_DMABUF,get_dmabuf_phys,linux/vfio_pci_core.h)
# 6.19: attach_dev gets the domain that is left
kviommu-features += $(call kviommu-probe,ATTACH_DEV_OLD,int ..attach_dev.*dev[^;]$$,linux/iommu.h)
# until 6.13: the driver is asked for a domain of a device by this alone
kviommu-features += $(call kviommu-probe,DOMAIN_ALLOC_USER,[*]domain_alloc_user,linux/iommu.h)
# 6.15: iommufd knows which doorbells of MSIs a device of its has, in whatever domain
kviommu-features += $(call kviommu-probe,IOMMUFD_SW_MSI,IOMMU_COOKIE_IOMMUFD,linux/iommu.h)
