// SPDX-License-Identifier: GPL-2.0-only
#include "vfio.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

int vfio_open(struct vfio_dev *dev, const char *sysfs_dir)
{
	char path[512], name[64];
	int rc, tries;

	memset(dev, 0, sizeof(*dev));
	dev->fd = -1;
	snprintf(path, sizeof(path), "%s/vfio-dev", sysfs_dir);
	rc = dir_first(path, "vfio", name, sizeof(name));
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	/* devtmpfs makes the node from a thread of its own */
	for (tries = 0; tries < 100 && !path_exists(path); tries++)
		sleep_ms(10);
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	return dev->fd < 0 ? -errno : 0;
}

void vfio_close(struct vfio_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

int vfio_bind(struct vfio_dev *dev, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};

	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return -errno;
	dev->dev_id = bind.out_devid;
	return 0;
}

int vfio_attach(struct vfio_dev *dev, u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = pt_id,
	};

	return ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) ?
		       -errno : 0;
}

int vfio_detach(struct vfio_dev *dev)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	return ioctl(dev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) ?
		       -errno : 0;
}

int vfio_reset(struct vfio_dev *dev)
{
	return ioctl(dev->fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

int vfio_hot_reset(struct vfio_dev *dev)
{
	struct vfio_pci_hot_reset reset = {
		.argsz = sizeof(reset),
	};

	return ioctl(dev->fd, VFIO_DEVICE_PCI_HOT_RESET, &reset) ? -errno : 0;
}

int vfio_device_info(struct vfio_dev *dev, struct vfio_device_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	return ioctl(dev->fd, VFIO_DEVICE_GET_INFO, info) ? -errno : 0;
}

int vfio_region_info(struct vfio_dev *dev, u32 index,
		     struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

int vfio_irq_info(struct vfio_dev *dev, u32 index, struct vfio_irq_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, info) ? -errno : 0;
}

int vfio_query_regions(struct vfio_dev *dev)
{
	struct vfio_region_info info;
	int bar, rc;

	for (bar = 0; bar < 6; bar++) {
		rc = vfio_region_info(dev, VFIO_PCI_BAR0_REGION_INDEX + bar,
				      &info);
		if (rc)
			return rc;
		dev->bar_offset[bar] = info.offset;
		dev->bar_size[bar] = info.size;
	}
	rc = vfio_region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (rc)
		return rc;
	dev->config_offset = info.offset;
	return 0;
}

int vfio_set_irqs(struct vfio_dev *dev, u32 index, u32 start, u32 count,
		  const int *fds)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(*fds);
	struct vfio_irq_set *set = calloc(1, size);
	int rc = 0;

	if (!set)
		return -ENOMEM;
	set->argsz = size;
	set->index = index;
	set->start = start;
	set->count = count;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER;
	if (fds) {
		set->flags |= VFIO_IRQ_SET_DATA_EVENTFD;
		memcpy(set->data, fds, count * sizeof(*fds));
	} else {
		set->flags |= VFIO_IRQ_SET_DATA_NONE;
	}
	if (ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set))
		rc = -errno;
	free(set);
	return rc;
}

static int exactly(ssize_t n, size_t len)
{
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int vfio_bar_read(struct vfio_dev *dev, int bar, u64 off, void *buf, size_t len)
{
	return exactly(pread(dev->fd, buf, len, dev->bar_offset[bar] + off),
		       len);
}

int vfio_bar_write(struct vfio_dev *dev, int bar, u64 off, const void *buf,
		   size_t len)
{
	return exactly(pwrite(dev->fd, buf, len, dev->bar_offset[bar] + off),
		       len);
}

int vfio_config_read(struct vfio_dev *dev, u64 off, void *buf, size_t len)
{
	return exactly(pread(dev->fd, buf, len, dev->config_offset + off), len);
}

int vfio_config_write(struct vfio_dev *dev, u64 off, const void *buf,
		      size_t len)
{
	return exactly(pwrite(dev->fd, buf, len, dev->config_offset + off),
		       len);
}

int vfio_bus_master(struct vfio_dev *dev, bool on)
{
	u16 cmd;
	int rc = vfio_config_read(dev, PCI_COMMAND, &cmd, sizeof(cmd));

	if (rc)
		return rc;
	cmd |= PCI_COMMAND_MEMORY;
	if (on)
		cmd |= PCI_COMMAND_MASTER;
	else
		cmd &= ~PCI_COMMAND_MASTER;
	return vfio_config_write(dev, PCI_COMMAND, &cmd, sizeof(cmd));
}
