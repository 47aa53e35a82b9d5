/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver of an assigned device tells the kviommu core.
 *
 * The core decides what the device may reach. The driver reports what happens
 * to the device and lends its iommufd device for bypass. Every function may
 * sleep. None may be called with vfio's memory_lock held, since the core pins
 * guest memory under its own locks, and pinning takes mmap_lock.
 */
#ifndef _LINUX_KVIOMMU_H
#define _LINUX_KVIOMMU_H

#include <linux/types.h>

struct device;
struct iommufd_ctx;
struct kviommu;
struct kviommu_dev;

/**
 * struct kviommu_dev_ops - how the core moves a device on and off the VMM's
 *			    own hardware page table (bypass)
 * @attach: attach to the page table or IOAS @pt_id; writes back the id in use
 * @replace: the same while attached, without a moment of blocking
 * @detach: take the device off it; it is blocked when this returns
 * @may_dma: whether the device may start DMA: PCI devices say it in their command
 *	     register, others may if they were told anything since they were reset.
 *	     While a reset of it is under way, which may fail, it is true, or waits.
 *	     NULL: always, and nobody can make it stop. Then nothing waits for that, and
 *	     its DMA is stopped through the IOMMU
 * @closed_stops: it does no DMA while no VMM has it open. One that may shares no group
 *		  with another: what that one reaches, it does, too
 *
 * Called between kviommu_dev_bind() and kviommu_dev_unbind(), with the lock of the
 * vIOMMU held, if it is assigned to one.
 */
struct kviommu_dev_ops {
	int (*attach)(void *priv, u32 *pt_id);
	int (*replace)(void *priv, u32 *pt_id);
	void (*detach)(void *priv);
	bool (*may_dma)(void *priv);
	bool closed_stops;
};

struct kviommu_dev *kviommu_dev_register(struct device *dev,
					 const struct kviommu_dev_ops *ops,
					 void *priv, bool dirty);
void kviommu_dev_unregister(struct kviommu_dev *kdev);

void kviommu_dev_bind(struct kviommu_dev *kdev, struct iommufd_ctx *ictx,
		      bool reset);
void kviommu_dev_unbind(struct kviommu_dev *kdev, bool dirty);
int kviommu_dev_attach(struct kviommu_dev *kdev, u32 *pt_id);
void kviommu_dev_detach(struct kviommu_dev *kdev);
void kviommu_dev_command(struct kviommu_dev *kdev);
void kviommu_dev_reset(struct kviommu_dev *kdev);
struct kviommu *kviommu_dev_lock_domain(struct kviommu_dev *kdev);
void kviommu_dev_unlock_domain(struct kviommu_dev *kdev, struct kviommu *v);

#endif /* _LINUX_KVIOMMU_H */
