/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place, with compat.mk, that knows that kernels differ. Included
 * before everything else in every file, so that the rest is written for the
 * newest kernel and nothing else.
 */
#ifndef KVIOMMU_COMPAT_H
#define KVIOMMU_COMPAT_H

#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#ifndef kzalloc_obj
#define KVIOMMU_GFP(unused, gfp, ...)	gfp
#define kzalloc_obj(obj, ...)		\
	kzalloc(sizeof(obj), KVIOMMU_GFP(, ##__VA_ARGS__, GFP_KERNEL))
#define kvzalloc_obj(obj, ...)		\
	kvzalloc(sizeof(obj), KVIOMMU_GFP(, ##__VA_ARGS__, GFP_KERNEL))
#endif

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

/* VFIO_DEVICE_GET_REGION_INFO, where the VFIO core does not do it itself */
static inline int
kviommu_get_region_info(struct vfio_device *vdev,
			struct vfio_region_info __user *arg,
			int (*fill)(struct vfio_device *vdev,
				    struct vfio_region_info *info,
				    struct vfio_info_cap *caps))
{
	size_t minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info = {};
	int rc;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	rc = fill(vdev, &info, NULL);
	if (rc)
		return rc;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

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

/*
 * An unmanaged domain that has the aperture and the levels of the device's own
 * IOMMU. Where that is asked by another operation of the driver, the public
 * function gives one for the widest that there may be.
 */
static inline struct iommu_domain *kviommu_domain_alloc(struct device *dev)
{
#ifdef KVIOMMU_HAVE_DOMAIN_ALLOC_USER
	const struct iommu_ops *ops;
	struct iommu_domain *domain;

	if (!dev->iommu || !dev->iommu->iommu_dev)
		return ERR_PTR(-ENODEV);
	ops = dev->iommu->iommu_dev->ops;
	if (ops->domain_alloc_user) {
		domain = ops->domain_alloc_user(dev, 0, NULL, NULL);
		if (!IS_ERR(domain))
			domain->owner = ops;
		return domain;
	}
#endif
	return iommu_paging_domain_alloc(dev);
}

/* vfio-pci's own, where a driver has to name it */
#ifdef KVIOMMU_HAVE_PCI_DMABUF
#define kviommu_set_pci_ops(core)					\
	do {								\
		static const struct vfio_pci_device_ops ops = {		\
			.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys, \
		};							\
		(core)->pci_ops = &ops;					\
	} while (0)
#else
#define kviommu_set_pci_ops(core)	((void)(core))
#endif

/*
 * Can doorbells of MSIs be mapped by others in a page table of iommufd's? Where each of
 * these counts its pages for itself, the same page is mapped again.
 */
#ifdef KVIOMMU_HAVE_IOMMUFD_SW_MSI
#define KVIOMMU_SW_MSI	IS_ENABLED(CONFIG_IRQ_MSI_IOMMU)
#else
#define KVIOMMU_SW_MSI	0
#endif

/* For the IOMMU drivers of the tests: a function of (domain, dev). */
#ifdef KVIOMMU_HAVE_ATTACH_DEV_OLD
#define KVIOMMU_DEFINE_ATTACH_DEV(name)					\
static int name(struct iommu_domain *domain, struct device *dev,	\
		struct iommu_domain *old)
#else
#define KVIOMMU_DEFINE_ATTACH_DEV(name)					\
static int name(struct iommu_domain *domain, struct device *dev)
#endif

#endif /* KVIOMMU_COMPAT_H */
