/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place, with compat.mk, that knows that kernels differ. Included
 * before everything else in every file, so that the rest is written for the
 * newest kernel and nothing else.
 */
#ifndef KVIOMMU_COMPAT_H
#define KVIOMMU_COMPAT_H

#include <linux/module.h>

#ifdef KVIOMMU_HAVE_NS_IDENTIFIER
#define KVIOMMU_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#else
#define KVIOMMU_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#endif

/* For the designated initialisers of struct vfio_device_ops. */
#ifdef KVIOMMU_HAVE_REGION_INFO_CAPS
#define KVIOMMU_OP_REGION_INFO(fn)	.get_region_info_caps = (fn),
#else
#define KVIOMMU_OP_REGION_INFO(fn)
#endif

#ifdef KVIOMMU_HAVE_MATCH_TOKEN_UUID
#define KVIOMMU_OP_MATCH_TOKEN_UUID(fn)	.match_token_uuid = (fn),
#else
#define KVIOMMU_OP_MATCH_TOKEN_UUID(fn)
#endif

#ifdef KVIOMMU_HAVE_IOMMUFD_PASID
#define kviommu_iommufd_attach(idev, pt_id)	\
	iommufd_device_attach(idev, IOMMU_NO_PASID, pt_id)
#define kviommu_iommufd_replace(idev, pt_id)	\
	iommufd_device_replace(idev, IOMMU_NO_PASID, pt_id)
#define kviommu_iommufd_detach(idev)		\
	iommufd_device_detach(idev, IOMMU_NO_PASID)
#else
#define kviommu_iommufd_attach(idev, pt_id)	iommufd_device_attach(idev, pt_id)
#define kviommu_iommufd_replace(idev, pt_id)	iommufd_device_replace(idev, pt_id)
#define kviommu_iommufd_detach(idev)		iommufd_device_detach(idev)
#endif

/* vfio-pci's own, where a driver has to name it */
#ifdef KVIOMMU_HAVE_PCI_DMABUF
#define KVIOMMU_PCI_DEVICE_OPS(name)				\
static const struct vfio_pci_device_ops name = {		\
	.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,	\
}
#define KVIOMMU_SET_PCI_DEVICE_OPS(core, name)	((core)->pci_ops = &(name))
#else
#define KVIOMMU_PCI_DEVICE_OPS(name)		\
	static_assert(true)
#define KVIOMMU_SET_PCI_DEVICE_OPS(core, name)	do { } while (0)
#endif

#endif /* KVIOMMU_COMPAT_H */
