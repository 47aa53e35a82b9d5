/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO variant driver for platform devices: what its test knows of it.
 */
#ifndef KVIOMMU_VFIO_PLATFORM_H
#define KVIOMMU_VFIO_PLATFORM_H

#include <linux/platform_device.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/vfio.h>

#define KVP_OFFSET_SHIFT	40
#define KVP_OFFSET_MASK		(BIT_ULL(KVP_OFFSET_SHIFT) - 1)
#define KVP_INDEX_TO_OFFSET(i)	((u64)(i) << KVP_OFFSET_SHIFT)

/**
 * struct kvp_region - registers
 * @phys: where they are
 * @size: bytes
 * @base: where the kernel has them
 * @flags: VFIO_REGION_INFO_FLAG_*
 */
struct kvp_region {
	phys_addr_t phys;
	u64 size;
	void __iomem *base;
	u32 flags;
};

/**
 * struct kviommu_vfio_dev - an assigned device
 * @vdev: VFIO's part
 * @kdev: what the kviommu core knows of it
 * @lock: held for reading while a register is accessed, or mapped, and for writing while
 *	  the device is reset. Inside of mmap_lock
 * @used: it was told something since it was reset, or nobody knows; protected by @lock
 * @regions: its registers, @nr_regions of them
 */
struct kviommu_vfio_dev {
	struct vfio_device vdev;
	struct kviommu_dev *kdev;
	struct rw_semaphore lock;
	bool used;
	unsigned int nr_regions;
	struct kvp_region *regions;
};

#if IS_ENABLED(CONFIG_KUNIT)
extern struct platform_driver kviommu_platform_driver;

bool kvp_has_reset(struct device *dev);
int kvp_call_reset(struct device *dev);
#endif

#endif /* KVIOMMU_VFIO_PLATFORM_H */
