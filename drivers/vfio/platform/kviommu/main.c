// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO variant driver for platform devices behind a kviommu vIOMMU: registers, a reset
 * by ACPI's _RST if the firmware has one, and no interrupts.
 *
 * The kernel's vfio-platform is for Arm alone, and its header is its own, so this one
 * stands on the VFIO core.
 *
 * A platform device has no bus master bit: from the first access to its registers on it
 * may do DMA, until it is reset. So all accesses of processors are seen (not those of a
 * device whose VMM has the registers mapped for it). Registers are mapped page by
 * page when they are used, and unmapped by a reset. If there is no reset, nobody can make
 * the device stop, and its DMA is stopped through the IOMMU alone: by the vIOMMU while it
 * is open, by an empty page table of the host while it is not.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/acpi.h>
#include <linux/io.h>
#include <linux/iommu-dma.h>
#include <linux/iommufd.h>
#include <linux/kviommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "vfio_platform.h"

KVIOMMU_IMPORT_NS(IOMMUFD);

#define KVP_PGOFF_SHIFT		(KVP_OFFSET_SHIFT - PAGE_SHIFT)

static struct kviommu_vfio_dev *to_kvd(struct vfio_device *vdev)
{
	return container_of(vdev, struct kviommu_vfio_dev, vdev);
}

/* ---- reset ---- */

VISIBLE_IF_KUNIT bool kvp_has_reset(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(kvp_has_reset, dev);
#ifdef CONFIG_ACPI
	return ACPI_HANDLE(dev) && acpi_has_method(ACPI_HANDLE(dev), "_RST");
#else
	return false;
#endif
}
EXPORT_SYMBOL_IF_KUNIT(kvp_has_reset);

/* As a function level reset (ACPI 6.3 7.3.25): it does no DMA any more. */
VISIBLE_IF_KUNIT int kvp_call_reset(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(kvp_call_reset, dev);
#ifdef CONFIG_ACPI
	if (ACPI_SUCCESS(acpi_evaluate_object(ACPI_HANDLE(dev), "_RST", NULL,
					      NULL)))
		return 0;
#endif
	return -EIO;
}
EXPORT_SYMBOL_IF_KUNIT(kvp_call_reset);

/* On success nobody has told the device anything, unless it is done from now on. */
static int reset(struct kviommu_vfio_dev *kvd)
{
	struct vfio_device *vdev = &kvd->vdev;
	int rc;

	if (!kvp_has_reset(vdev->dev))
		return -EINVAL;
	scoped_guard(rwsem_write, &kvd->lock) {
		unmap_mapping_range(vdev->inode->i_mapping, 0, 0, true);
		rc = kvp_call_reset(vdev->dev);
		if (!rc)
			kvd->used = false;
	}
	if (!rc)
		kviommu_dev_reset(kvd->kdev);
	return rc;
}

/* ---- what the kviommu core calls ---- */

static int op_attach(void *priv, u32 *pt_id)
{
	struct kviommu_vfio_dev *kvd = priv;

	return kviommu_iommufd_attach(kvd->vdev.iommufd_device, pt_id);
}

static int op_replace(void *priv, u32 *pt_id)
{
	struct kviommu_vfio_dev *kvd = priv;

	return kviommu_iommufd_replace(kvd->vdev.iommufd_device, pt_id);
}

static void op_detach(void *priv)
{
	struct kviommu_vfio_dev *kvd = priv;

	kviommu_iommufd_detach(kvd->vdev.iommufd_device);
}

/* Waits for a reset that is under way. */
static bool op_may_dma(void *priv)
{
	struct kviommu_vfio_dev *kvd = priv;

	guard(rwsem_read)(&kvd->lock);
	return READ_ONCE(kvd->used);
}

static const struct kviommu_dev_ops ops_with_reset = {
	.attach = op_attach,
	.replace = op_replace,
	.detach = op_detach,
	.may_dma = op_may_dma,
};

static const struct kviommu_dev_ops ops_without_reset = {
	.attach = op_attach,
	.replace = op_replace,
	.detach = op_detach,
};

/* ---- registers ---- */

static const struct kvp_region *region_at(const struct kviommu_vfio_dev *kvd,
					  u64 index)
{
	if (index >= kvd->nr_regions)
		return NULL;
	return &kvd->regions[array_index_nospec(index, kvd->nr_regions)];
}

union value {
	u8 b;
	u16 w;
	u32 l;
	u64 q;
};

static void access_register(void __iomem *reg, union value *val, size_t len,
			    bool write)
{
	switch (len) {
	case 8:
		if (write)
			writeq(val->q, reg);
		else
			val->q = readq(reg);
		break;
	case 4:
		if (write)
			writel(val->l, reg);
		else
			val->l = readl(reg);
		break;
	case 2:
		if (write)
			writew(val->w, reg);
		else
			val->w = readw(reg);
		break;
	default:
		if (write)
			writeb(val->b, reg);
		else
			val->b = readb(reg);
	}
}

/*
 * One access of the guest is one call of the VMM; anything else is cut into naturally
 * aligned accesses of up to 8 bytes.
 */
static ssize_t region_rw(struct kviommu_vfio_dev *kvd, char __user *ubuf,
			 size_t count, loff_t *ppos, bool write)
{
	const struct kvp_region *r = region_at(kvd, (u64)*ppos >> KVP_OFFSET_SHIFT);
	u64 offset = (u64)*ppos & KVP_OFFSET_MASK;
	size_t done = 0;

	if (!r || offset >= r->size)
		return -EINVAL;
	if (write && !(r->flags & VFIO_REGION_INFO_FLAG_WRITE))
		return -EINVAL;
	count = min_t(u64, count, r->size - offset);

	while (done < count) {
		size_t len = min_t(size_t, count - done, sizeof(u64));
		union value val;

		len = rounddown_pow_of_two(len);
		while ((r->phys + offset) % len)
			len /= 2;
		if (write && copy_from_user(&val, ubuf + done, len))
			return -EFAULT;
		scoped_guard(rwsem_read, &kvd->lock) {
			WRITE_ONCE(kvd->used, true);
			access_register(r->base + offset, &val, len, write);
		}
		if (!write && copy_to_user(ubuf + done, &val, len))
			return -EFAULT;
		offset += len;
		done += len;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	*ppos += done;
	return done;
}

static ssize_t kvd_read(struct vfio_device *vdev, char __user *buf, size_t count,
			loff_t *ppos)
{
	return region_rw(to_kvd(vdev), buf, count, ppos, false);
}

static ssize_t kvd_write(struct vfio_device *vdev, const char __user *buf,
			 size_t count, loff_t *ppos)
{
	return region_rw(to_kvd(vdev), (char __user *)buf, count, ppos, true);
}

static u64 page_in_region(pgoff_t pgoff)
{
	return pgoff & (BIT_ULL(KVP_PGOFF_SHIFT) - 1);
}

/* From now on the device is told things that nobody sees. */
static vm_fault_t kvd_fault(struct vm_fault *vmf)
{
	struct kviommu_vfio_dev *kvd = vmf->vma->vm_private_data;
	const struct kvp_region *r = region_at(kvd, vmf->pgoff >> KVP_PGOFF_SHIFT);

	guard(rwsem_read)(&kvd->lock);
	WRITE_ONCE(kvd->used, true);
	return vmf_insert_pfn(vmf->vma, vmf->address,
			      PHYS_PFN(r->phys) + page_in_region(vmf->pgoff));
}

static const struct vm_operations_struct vm_ops = {
	.fault = kvd_fault,
};

static int kvd_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	const struct kvp_region *r;
	u64 page, pages;

	r = region_at(to_kvd(vdev), vma->vm_pgoff >> KVP_PGOFF_SHIFT);
	if (!r || !(r->flags & VFIO_REGION_INFO_FLAG_MMAP) ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	page = page_in_region(vma->vm_pgoff);
	pages = r->size >> PAGE_SHIFT;
	if (page >= pages || vma_pages(vma) > pages - page)
		return -EINVAL;
	if (!(r->flags & VFIO_REGION_INFO_FLAG_WRITE)) {
		if (vma->vm_flags & VM_WRITE)
			return -EINVAL;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vma->vm_page_prot = pgprot_decrypted(pgprot_noncached(vma->vm_page_prot));
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = to_kvd(vdev);
	vma->vm_ops = &vm_ops;
	return 0;
}

static int fill_region_info(struct vfio_device *vdev,
			    struct vfio_region_info *info,
			    struct vfio_info_cap *caps)
{
	const struct kvp_region *r = region_at(to_kvd(vdev), info->index);

	if (!r)
		return -EINVAL;
	info->offset = KVP_INDEX_TO_OFFSET(info->index);
	info->size = r->size;
	info->flags = r->flags;
	return 0;
}

static int get_device_info(struct kviommu_vfio_dev *kvd,
			   struct vfio_device_info __user *arg)
{
	size_t minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info = {};

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PLATFORM;
	if (kvp_has_reset(kvd->vdev.dev))
		info.flags |= VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = kvd->nr_regions;
	info.num_irqs = 0;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long kvd_ioctl(struct vfio_device *vdev, unsigned int cmd,
		      unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return get_device_info(to_kvd(vdev), uarg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return kviommu_get_region_info(vdev, uarg,
					       fill_region_info);
	case VFIO_DEVICE_RESET:
		return reset(to_kvd(vdev));
	default:
		return -ENOTTY;
	}
}

/* ---- VFIO ---- */

static int kvd_open_device(struct vfio_device *vdev)
{
	int rc;

	/* With a container the device would see all of the VMM's mappings. */
	if (!vdev->iommufd_device) {
		dev_warn_ratelimited(vdev->dev,
			 "KV20: open it through iommufd (QEMU: iommufd=...), not through a legacy container\n");
		return -EOPNOTSUPP;
	}
	/* It can't change while VFIO owns the group. */
	if (!use_dma_iommu(vdev->dev)) {
		dev_warn_ratelimited(vdev->dev,
			 "KV28: the host's IOMMU would not stop it once it is closed; write DMA to the file \"type\" of its IOMMU group, or boot with iommu.passthrough=0\n");
		return -EPERM;
	}
	rc = pm_runtime_resume_and_get(vdev->dev);
	if (rc)
		return rc;
	/* Without success it stays dirty, as the kviommu core knows. */
	reset(to_kvd(vdev));
	return 0;
}

static void kvd_close_device(struct vfio_device *vdev)
{
	reset(to_kvd(vdev));
	pm_runtime_put(vdev->dev);
}

static int kvd_bind_iommufd(struct vfio_device *vdev, struct iommufd_ctx *ictx,
			    u32 *out_device_id)
{
	int rc = vfio_iommufd_physical_bind(vdev, ictx, out_device_id);

	if (!rc)
		kviommu_dev_bind(to_kvd(vdev)->kdev, ictx, !to_kvd(vdev)->used);
	return rc;
}

static void kvd_unbind_iommufd(struct vfio_device *vdev)
{
	struct kviommu_vfio_dev *kvd = to_kvd(vdev);

	/* It is closed already, so nobody tells it anything any more. */
	if (kvd->used)
		dev_warn_ratelimited(vdev->dev,
				     "KV25: was not reset after its VMM closed it: the next one has it blocked instead of in bypass, unless it is reset, or assume_reset says so\n");
	kviommu_dev_unbind(kvd->kdev, kvd->used);
	vfio_iommufd_physical_unbind(vdev);
}

static int kvd_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	return kviommu_dev_attach(to_kvd(vdev)->kdev, pt_id);
}

static void kvd_detach_ioas(struct vfio_device *vdev)
{
	kviommu_dev_detach(to_kvd(vdev)->kdev);
}

static int kvd_init(struct vfio_device *vdev)
{
	struct kviommu_vfio_dev *kvd = to_kvd(vdev);

	init_rwsem(&kvd->lock);
	/* By its driver, or by the firmware */
	kvd->used = true;
	return 0;
}

static const struct vfio_device_ops kvd_ops = {
	.name		= "kviommu_vfio_platform",
	.init		= kvd_init,
	.open_device	= kvd_open_device,
	.close_device	= kvd_close_device,
	.ioctl		= kvd_ioctl,
	KVIOMMU_OP_REGION_INFO(fill_region_info)
	.read		= kvd_read,
	.write		= kvd_write,
	.mmap		= kvd_mmap,
	.bind_iommufd	= kvd_bind_iommufd,
	.unbind_iommufd	= kvd_unbind_iommufd,
	.attach_ioas	= kvd_attach_ioas,
	.detach_ioas	= kvd_detach_ioas,
};

static int map_regions(struct platform_device *pdev, struct kviommu_vfio_dev *kvd)
{
	struct resource *res;
	unsigned int n = 0;

	while (platform_get_resource(pdev, IORESOURCE_MEM, n))
		n++;
	kvd->regions = devm_kcalloc(&pdev->dev, n, sizeof(*kvd->regions),
				    GFP_KERNEL);
	if (!kvd->regions)
		return -ENOMEM;
	for (; kvd->nr_regions < n; kvd->nr_regions++) {
		struct kvp_region *r = &kvd->regions[kvd->nr_regions];

		r->base = devm_platform_get_and_ioremap_resource(pdev,
								 kvd->nr_regions,
								 &res);
		if (IS_ERR(r->base))
			return PTR_ERR(r->base);
		/* The offset of an access has no bits for more. */
		if (resource_size(res) > KVP_OFFSET_MASK)
			return -E2BIG;
		r->phys = res->start;
		r->size = resource_size(res);
		r->flags = VFIO_REGION_INFO_FLAG_READ;
		if (!(res->flags & IORESOURCE_READONLY))
			r->flags |= VFIO_REGION_INFO_FLAG_WRITE;
		/* A page must not have registers of others. */
		if (PAGE_ALIGNED(r->phys) && PAGE_ALIGNED(r->size))
			r->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	}
	return 0;
}

static int kvd_probe(struct platform_device *pdev)
{
	const struct kviommu_dev_ops *ops;
	struct device *dev = &pdev->dev;
	struct kviommu_vfio_dev *kvd;
	int rc;

	kvd = vfio_alloc_device(kviommu_vfio_dev, vdev, dev, &kvd_ops);
	if (IS_ERR(kvd))
		return PTR_ERR(kvd);
	dev_set_drvdata(dev, &kvd->vdev);
	rc = map_regions(pdev, kvd);
	if (rc)
		goto err_put;
	ops = kvp_has_reset(dev) ? &ops_with_reset : &ops_without_reset;
	kvd->kdev = kviommu_dev_register(dev, ops, kvd, kvd->used);
	if (IS_ERR(kvd->kdev)) {
		rc = PTR_ERR(kvd->kdev);
		if (rc == -ENODEV)
			dev_err(dev, "KV23: not behind an IOMMU: enable it in firmware and kernel\n");
		goto err_put;
	}
	pm_runtime_enable(dev);
	rc = vfio_register_group_dev(&kvd->vdev);
	if (rc)
		goto err_unregister;
	if (!iommu_group_has_isolated_msi(dev->iommu_group))
		dev_info(dev, "KV36: this host isolates the interrupts of PCI devices alone; to have it opened all the same, load iommufd with allow_unsafe_interrupts=1\n");
	if (ops == &ops_without_reset)
		dev_info(dev, "KV29: it can't be reset: the guest has it blocked instead of in bypass, unless assume_reset says that it does no DMA by itself\n");
	return 0;

err_unregister:
	pm_runtime_disable(dev);
	kviommu_dev_unregister(kvd->kdev);
err_put:
	vfio_put_device(&kvd->vdev);
	return rc;
}

static void kvd_remove(struct platform_device *pdev)
{
	struct kviommu_vfio_dev *kvd = to_kvd(platform_get_drvdata(pdev));

	/* Waits for the VMM to close it. */
	vfio_unregister_group_dev(&kvd->vdev);
	pm_runtime_disable(&pdev->dev);
	kviommu_dev_unregister(kvd->kdev);
	vfio_put_device(&kvd->vdev);
}

/* By its name, which is what a driver_override has, and nothing else */
VISIBLE_IF_KUNIT struct platform_driver kviommu_platform_driver = {
	.driver.name = "kviommu_vfio_platform",
	.probe = kvd_probe,
	.remove = kvd_remove,
	.driver_managed_dma = true,
};
EXPORT_SYMBOL_IF_KUNIT(kviommu_platform_driver);
module_platform_driver(kviommu_platform_driver);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The kviommu developers");
MODULE_DESCRIPTION("VFIO driver for platform devices behind a kviommu vIOMMU");
