/* SPDX-License-Identifier: GPL-2.0-only */
/* A VFIO device through its cdev, found by its sysfs directory. */
#ifndef KVIOMMU_TEST_VFIO_H
#define KVIOMMU_TEST_VFIO_H

#include <linux/vfio.h>

#include "util.h"

struct vfio_dev {
	int fd;			/* -1: not open */
	u32 dev_id;		/* in the iommufd, valid after bind */
	u64 bar_offset[6];	/* in fd, valid after vfio_query_regions() */
	u64 bar_size[6];
	u64 config_offset;
};

int vfio_open(struct vfio_dev *dev, const char *sysfs_dir);
void vfio_close(struct vfio_dev *dev);
int vfio_bind(struct vfio_dev *dev, int iommufd);
int vfio_attach(struct vfio_dev *dev, u32 pt_id);
int vfio_detach(struct vfio_dev *dev);
int vfio_reset(struct vfio_dev *dev);
/* Of its slot or bus, with all devices there */
int vfio_hot_reset(struct vfio_dev *dev);
int vfio_device_info(struct vfio_dev *dev, struct vfio_device_info *info);
int vfio_region_info(struct vfio_dev *dev, u32 index,
		     struct vfio_region_info *info);
int vfio_irq_info(struct vfio_dev *dev, u32 index,
		  struct vfio_irq_info *info);
int vfio_query_regions(struct vfio_dev *dev);
/* count eventfds from entry start on; fds == NULL with count 0 disables */
int vfio_set_irqs(struct vfio_dev *dev, u32 index, u32 start, u32 count,
		  const int *fds);

/* Exactly len bytes at an offset of a region, or a negative errno */
int vfio_bar_read(struct vfio_dev *dev, int bar, u64 off, void *buf, size_t len);
int vfio_bar_write(struct vfio_dev *dev, int bar, u64 off, const void *buf,
		   size_t len);
int vfio_config_read(struct vfio_dev *dev, u64 off, void *buf, size_t len);
int vfio_config_write(struct vfio_dev *dev, u64 off, const void *buf,
		      size_t len);
int vfio_bus_master(struct vfio_dev *dev, bool on);

#endif
