// SPDX-License-Identifier: GPL-2.0-only
/*
 * Front end: a vIOMMU is a mediated device, and as such an emulated VFIO PCI
 * device that any VMM can open. Guest memory is the IOAS that the VMM attaches
 * to it.
 */
#include <linux/device.h>
#include <linux/iommufd.h>
#include <linux/mdev.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "kviommu_private.h"

KVIOMMU_IMPORT_NS(IOMMUFD);

#define OFFSET_SHIFT		40
#define OFFSET_MASK		(BIT_ULL(OFFSET_SHIFT) - 1)
#define INDEX_TO_OFFSET(i)	((u64)(i) << OFFSET_SHIFT)

/**
 * kviommu_bar_read() - read a register of a BAR
 * @v: vIOMMU, locked
 * @bar: 0 or 1
 * @offset: naturally aligned
 * @buf: result
 * @len: 1, 2, 4 or 8
 */
void kviommu_bar_read(struct kviommu *v, unsigned int bar, u32 offset,
		      void *buf, size_t len)
{
	/* BAR 1 is the MSI-X table, which the VMM emulates. */
	memset(buf, 0, len);
	if (!bar)
		v->model->read(v, offset, buf, len);
}

/**
 * kviommu_bar_write() - write a register of a BAR
 * @v: vIOMMU, locked
 * @bar: 0 or 1
 * @offset: naturally aligned
 * @buf: value
 * @len: 1, 2, 4 or 8
 */
void kviommu_bar_write(struct kviommu *v, unsigned int bar, u32 offset,
		       const void *buf, size_t len)
{
	if (!bar)
		v->model->write(v, offset, buf, len);
}

static u32 region_size(struct kviommu *v, unsigned int index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
	case VFIO_PCI_BAR1_REGION_INDEX:
		return v->config.bar_size[index];
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return KVIOMMU_CFG_SIZE;
	default:
		return 0;
	}
}

static void access_locked(struct kviommu *v, unsigned int index, u32 offset,
			  u8 *buf, size_t len, bool write)
{
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		kviommu_config_access(v, offset, buf, len, write);
	else if (write)
		kviommu_bar_write(v, index, offset, buf, len);
	else
		kviommu_bar_read(v, index, offset, buf, len);
}

/*
 * One access of the guest is one call of the VMM; anything else is cut into
 * naturally aligned accesses of up to 8 bytes.
 */
static ssize_t region_rw(struct kviommu *v, char __user *ubuf, size_t count,
			 loff_t *ppos, bool write)
{
	unsigned int index = (u64)*ppos >> OFFSET_SHIFT;
	u64 offset = (u64)*ppos & OFFSET_MASK;
	u32 size = region_size(v, index);
	size_t done = 0;
	u8 buf[8];

	if (!size || offset >= size)
		return -EINVAL;
	count = min_t(size_t, count, size - offset);

	while (done < count) {
		size_t len = min_t(size_t, count - done, sizeof(buf));

		len = rounddown_pow_of_two(len);
		while (offset % len)
			len /= 2;
		if (write && copy_from_user(buf, ubuf + done, len))
			return -EFAULT;
		mutex_lock(&v->lock);
		access_locked(v, index, offset, buf, len, write);
		mutex_unlock(&v->lock);
		if (!write && copy_to_user(ubuf + done, buf, len))
			return -EFAULT;
		offset += len;
		done += len;
		/* A region can be large, and what a register does, too. */
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	*ppos += done;
	return done;
}

static ssize_t kviommu_vfio_read(struct vfio_device *vdev, char __user *buf,
				 size_t count, loff_t *ppos)
{
	return region_rw(vdev_to_kviommu(vdev), buf, count, ppos, false);
}

static ssize_t kviommu_vfio_write(struct vfio_device *vdev,
				  const char __user *buf, size_t count,
				  loff_t *ppos)
{
	return region_rw(vdev_to_kviommu(vdev), (char __user *)buf, count,
			 ppos, true);
}

static int get_device_info(struct vfio_device_info __user *arg)
{
	size_t minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info = {};

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static int fill_region_info(struct vfio_device *vdev,
			    struct vfio_region_info *info,
			    struct vfio_info_cap *caps)
{
	struct kviommu *v = vdev_to_kviommu(vdev);

	/* There is no VGA, and VFIO PCI devices without say so like this. */
	if (info->index >= VFIO_PCI_VGA_REGION_INDEX)
		return -EINVAL;
	info->offset = INDEX_TO_OFFSET(info->index);
	info->size = region_size(v, info->index);
	info->flags = info->size ? VFIO_REGION_INFO_FLAG_READ |
				   VFIO_REGION_INFO_FLAG_WRITE : 0;
	return 0;
}

static int get_irq_info(const struct kviommu *v,
			struct vfio_irq_info __user *arg)
{
	size_t minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info = {};
	int rc;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	rc = kviommu_irq_info(v, &info);
	if (rc)
		return rc;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static int set_irqs(struct kviommu *v, struct vfio_irq_set __user *arg)
{
	size_t minsz = offsetofend(struct vfio_irq_set, count), size = 0;
	struct vfio_irq_info info = {};
	struct vfio_irq_set hdr;
	void *data = NULL;
	int rc;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	info.index = hdr.index;
	rc = kviommu_irq_info(v, &info);
	if (rc)
		return rc;
	rc = vfio_set_irqs_validate_and_prepare(&hdr, info.count,
						VFIO_PCI_NUM_IRQS, &size);
	if (rc)
		return rc;
	if (size) {
		data = memdup_user((u8 __user *)arg + minsz, size);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	mutex_lock(&v->lock);
	rc = kviommu_irq_set(v, &hdr, data);
	mutex_unlock(&v->lock);
	kfree(data);
	return rc;
}

static long kviommu_vfio_ioctl(struct vfio_device *vdev, unsigned int cmd,
			       unsigned long arg)
{
	struct kviommu *v = vdev_to_kviommu(vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return get_device_info(uarg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return kviommu_get_region_info(vdev, uarg,
					       fill_region_info);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(v, uarg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(v, uarg);
	case VFIO_DEVICE_RESET:
		kviommu_reset(v);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int kviommu_vfio_open(struct vfio_device *vdev)
{
	/* A legacy container can't tell when guest memory is detached. */
	if (!vdev->iommufd_access) {
		dev_warn_ratelimited(vdev->dev, "KV20: open it through iommufd (QEMU: iommufd=...), not through a legacy container\n");
		return -EOPNOTSUPP;
	}
	return kviommu_open(vdev_to_kviommu(vdev));
}

static int kviommu_vfio_bind(struct vfio_device *vdev,
			     struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct kviommu *v = vdev_to_kviommu(vdev);

	mutex_lock(&v->lock);
	v->ictx = ictx;
	mutex_unlock(&v->lock);
	return vfio_iommufd_emulated_bind(vdev, ictx, out_device_id);
}

static void kviommu_vfio_close(struct vfio_device *vdev)
{
	kviommu_close(vdev_to_kviommu(vdev));
}

static int kviommu_vfio_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int rc;

	rc = vfio_iommufd_emulated_attach_ioas(vdev, pt_id);
	if (!rc)
		kviommu_memory(vdev_to_kviommu(vdev), true);
	return rc;
}

static void kviommu_vfio_detach_ioas(struct vfio_device *vdev)
{
	/* Devices are blocked while what they may reach is still there. */
	kviommu_memory(vdev_to_kviommu(vdev), false);
	vfio_iommufd_emulated_detach_ioas(vdev);
}

static void kviommu_vfio_dma_unmap(struct vfio_device *vdev, u64 iova,
				   u64 length)
{
	kviommu_dma_unmap(vdev_to_kviommu(vdev), iova, length);
}

static const struct kviommu_model *mdev_model(struct mdev_device *mdev);

static int kviommu_vfio_init(struct vfio_device *vdev)
{
	struct mdev_device *mdev = to_mdev_device(vdev->dev);

	return kviommu_init(vdev_to_kviommu(vdev), mdev_model(mdev));
}

static void kviommu_vfio_release(struct vfio_device *vdev)
{
	kviommu_exit(vdev_to_kviommu(vdev));
}

static const struct vfio_device_ops kviommu_vfio_ops = {
	.name		= "kviommu",
	.init		= kviommu_vfio_init,
	.release	= kviommu_vfio_release,
	.bind_iommufd	= kviommu_vfio_bind,
	.unbind_iommufd	= vfio_iommufd_emulated_unbind,
	.attach_ioas	= kviommu_vfio_attach_ioas,
	.detach_ioas	= kviommu_vfio_detach_ioas,
	.open_device	= kviommu_vfio_open,
	.close_device	= kviommu_vfio_close,
	.read		= kviommu_vfio_read,
	.write		= kviommu_vfio_write,
	.ioctl		= kviommu_vfio_ioctl,
	KVIOMMU_OP_REGION_INFO(fill_region_info)
	.dma_unmap	= kviommu_vfio_dma_unmap,
};

/* ---- the mediated device ---- */

static int kviommu_mdev_probe(struct mdev_device *mdev)
{
	struct kviommu *v;
	int rc;

	v = vfio_alloc_device(kviommu, vdev, &mdev->dev, &kviommu_vfio_ops);
	if (IS_ERR(v))
		return PTR_ERR(v);
	dev_set_drvdata(&mdev->dev, v);
	rc = vfio_register_emulated_iommu_dev(&v->vdev);
	if (rc) {
		vfio_put_device(&v->vdev);
		return rc;
	}
	kviommu_debugfs_add(v);
	return 0;
}

static void kviommu_mdev_remove(struct mdev_device *mdev)
{
	struct kviommu *v = dev_get_drvdata(&mdev->dev);

	/* Waits for the VMM to close it. */
	vfio_unregister_group_dev(&v->vdev);
	kviommu_debugfs_remove(v);
	kviommu_unassign_all(v);
	vfio_put_device(&v->vdev);
}

struct kviommu_type {
	struct mdev_type type;
	const struct kviommu_model *model;
};

static struct kviommu_type virtio_type = {
	.type = {
		.sysfs_name = "virtio",
		.pretty_name = "virtio-iommu",
	},
	.model = &kviommu_virtio_model,
};

static struct kviommu_type vtd_type = {
	.type = {
		.sysfs_name = "vtd",
		.pretty_name = "Intel VT-d",
	},
	.model = &kviommu_vtd_model,
};

static struct kviommu_type smmuv3_type = {
	.type = {
		.sysfs_name = "smmuv3",
		.pretty_name = "Arm SMMUv3",
	},
	.model = &kviommu_smmuv3_model,
};

static struct mdev_type *kviommu_types[] = {
	&virtio_type.type,
	&vtd_type.type,
	&smmuv3_type.type,
};

static const struct kviommu_model *mdev_model(struct mdev_device *mdev)
{
	return container_of(mdev->type, struct kviommu_type, type)->model;
}

static ssize_t show_description(struct mdev_type *type, char *buf)
{
	return sysfs_emit(buf, "%s in the kernel, for devices bound to kviommu_vfio_pci\n",
			  type->pretty_name);
}

static struct mdev_driver kviommu_mdev_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 1024,
	.probe = kviommu_mdev_probe,
	.remove = kviommu_mdev_remove,
	.show_description = show_description,
	.driver = {
		.name = "kviommu_mdev",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = kviommu_sysfs_groups,
	},
};

/* The mdev core names the type directories after the parent's class. */
static const struct class kviommu_class = {
	.name = "kviommu",
};

static struct device *parent_dev;
static struct mdev_parent parent;

/**
 * kviommu_frontend_init() - offer vIOMMUs to user space
 *
 * Return: 0 or an errno.
 */
int __init kviommu_frontend_init(void)
{
	int rc;

	rc = class_register(&kviommu_class);
	if (rc)
		return rc;
	parent_dev = device_create(&kviommu_class, NULL, MKDEV(0, 0), NULL,
				   "kviommu");
	if (IS_ERR(parent_dev)) {
		rc = PTR_ERR(parent_dev);
		goto err_class;
	}
	rc = mdev_register_driver(&kviommu_mdev_driver);
	if (rc)
		goto err_device;
	rc = mdev_register_parent(&parent, parent_dev, &kviommu_mdev_driver,
				  kviommu_types, ARRAY_SIZE(kviommu_types));
	if (rc)
		goto err_driver;
	return 0;

err_driver:
	mdev_unregister_driver(&kviommu_mdev_driver);
err_device:
	device_unregister(parent_dev);
err_class:
	class_unregister(&kviommu_class);
	return rc;
}

/**
 * kviommu_frontend_exit() - undo kviommu_frontend_init()
 */
void kviommu_frontend_exit(void)
{
	mdev_unregister_parent(&parent);
	mdev_unregister_driver(&kviommu_mdev_driver);
	device_unregister(parent_dev);
	class_unregister(&kviommu_class);
}
