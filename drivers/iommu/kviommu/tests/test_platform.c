// SPDX-License-Identifier: GPL-2.0-only
/*
 * kviommu_vfio_platform: a platform device, which the kernel has, behind an IOMMU of
 * the test. Its registers are memory of the test, and so is what ACPI would do to reset
 * it. No VMM can open it here.
 */
#include <kunit/static_stub.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "mock.h"
#include "vfio_platform.h"

#define SIZE	(2 * PAGE_SIZE)
#define SMALL	24

/* What VFIO calls, and memory of a VMM */
struct platform {
	struct mock *m;
	struct device *dev;
	struct vfio_device *vdev;
	const struct vfio_device_ops *ops;
	struct kviommu_vfio_dev *kvd;
	const char *name;
	u8 pad[4];
	u8 regs[SMALL];
	unsigned long user;
} __aligned(8);

static void __user *user(struct platform *p)
{
	return (void __user *)p->user;
}

/* Addresses that nothing is at; they are never accessed. */
static void add_resources(struct kunit *test, struct resource *res)
{
	struct resource hole = DEFINE_RES_MEM(0, 0);

	KUNIT_ASSERT_EQ(test, 0, allocate_resource(&iomem_resource, &hole,
						   4 * SIZE, SZ_4G, SZ_64G - 1,
						   SIZE, NULL, NULL));
	release_resource(&hole);
	res[0] = DEFINE_RES_MEM(hole.start, SIZE);
	res[1] = DEFINE_RES_MEM(hole.start + SIZE, SMALL);
	res[2] = DEFINE_RES_MEM(hole.start + 2 * SIZE, SIZE);
	res[2].flags |= IORESOURCE_READONLY;
}

static struct platform *create(struct kunit *test)
{
	struct platform *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct resource res[3];

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->m = mock_create(test, &kviommu_virtio_model);
	add_resources(test, res);
	p->dev = mock_add_real_dev(p->m, kviommu_platform_driver.driver.name, res,
				   ARRAY_SIZE(res));
	KUNIT_ASSERT_PTR_EQ(test, p->dev->driver,
			    &kviommu_platform_driver.driver);
	p->name = ((struct mock_dev *)p->dev->platform_data)->name;
	p->vdev = dev_get_drvdata(p->dev);
	p->ops = p->vdev->ops;
	p->kvd = container_of(p->vdev, struct kviommu_vfio_dev, vdev);
	/* Not at a multiple of 8, and a processor may insist on that. */
	p->kvd->regions[1].base = (void __iomem *)p->regs;
	p->kvd->regions[1].phys = (unsigned long)p->regs;
	p->user = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, p->user, 0);
	return p;
}

static void platform_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

static void platform_info(struct kunit *test)
{
	struct platform *p = create(test);
	struct vfio_device_info info = { .argsz = sizeof(info) };
	unsigned long arg = p->user;

	KUNIT_ASSERT_EQ(test, 0, copy_to_user(user(p), &info, sizeof(info)));
	KUNIT_EXPECT_EQ(test, 0, p->ops->ioctl(p->vdev, VFIO_DEVICE_GET_INFO, arg));
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&info, user(p), sizeof(info)));
	KUNIT_EXPECT_EQ(test, info.flags, VFIO_DEVICE_FLAGS_PLATFORM);
	KUNIT_EXPECT_EQ(test, info.num_regions, 3);
	KUNIT_EXPECT_EQ(test, info.num_irqs, 0);

	info.argsz = offsetofend(struct vfio_device_info, num_irqs) - 1;
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(user(p), &info, sizeof(info)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			p->ops->ioctl(p->vdev, VFIO_DEVICE_GET_INFO, arg));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			p->ops->ioctl(p->vdev, VFIO_DEVICE_GET_INFO, 0));
	KUNIT_EXPECT_EQ(test, -ENOTTY,
			p->ops->ioctl(p->vdev, VFIO_DEVICE_SET_IRQS, arg));
	/* No reset, no container */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			p->ops->ioctl(p->vdev, VFIO_DEVICE_RESET, 0));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, p->ops->open_device(p->vdev));
}

static void platform_regions(struct kunit *test)
{
	static const struct {
		u64 size;
		u32 flags;
	} regions[] = {
		{ SIZE, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			VFIO_REGION_INFO_FLAG_MMAP },
		{ SMALL, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE },
		{ SIZE, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP },
	};
	const struct kviommu_vfio_dev *kvd = create(test)->kvd;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kvd->nr_regions, ARRAY_SIZE(regions));
	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		KUNIT_EXPECT_EQ(test, kvd->regions[i].size, regions[i].size);
		KUNIT_EXPECT_EQ(test, kvd->regions[i].flags, regions[i].flags);
	}
}

static ssize_t access(struct platform *p, u64 pos, size_t count, bool write)
{
	loff_t at = pos;
	ssize_t rc;

	rc = write ? p->ops->write(p->vdev, user(p), count, &at) :
		     p->ops->read(p->vdev, user(p), count, &at);
	if (rc > 0)
		KUNIT_EXPECT_EQ(p->m->test, (u64)at, pos + rc);
	return rc;
}

/* Every part of a region, and what is beyond it */
static void platform_access(struct kunit *test)
{
	struct platform *p = create(test);
	u64 base = KVP_INDEX_TO_OFFSET(1);
	u8 want[SMALL], got[SMALL];
	unsigned int first, n, i;

	for (first = 0; first < SMALL; first++)
		for (n = 1; first + n <= SMALL; n++) {
			memset(p->regs, 0, SMALL);
			memset(want, 0, SMALL);
			for (i = 0; i < n; i++)
				want[first + i] = 0x80 + first + i;
			KUNIT_ASSERT_EQ(test, 0, copy_to_user(user(p), want + first, n));
			KUNIT_EXPECT_EQ(test, access(p, base + first, n, true), n);
			KUNIT_EXPECT_MEMEQ(test, p->regs, want, SMALL);

			KUNIT_ASSERT_EQ(test, 0, clear_user(user(p), n));
			KUNIT_EXPECT_EQ(test, access(p, base + first, n, false), n);
			KUNIT_ASSERT_EQ(test, 0, copy_from_user(got, user(p), n));
			KUNIT_EXPECT_MEMEQ(test, got, want + first, n);
		}
	/* It ends where the region does. */
	KUNIT_EXPECT_EQ(test, access(p, base + SMALL - 3, 8, true), 3);
	KUNIT_EXPECT_EQ(test, access(p, base + SMALL - 3, 8, false), 3);
	KUNIT_EXPECT_EQ(test, access(p, base + SMALL, 1, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, access(p, base + KVP_OFFSET_MASK, 1, true), -EINVAL);
	KUNIT_EXPECT_EQ(test, access(p, KVP_INDEX_TO_OFFSET(3), 1, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, access(p, KVP_INDEX_TO_OFFSET(2), 1, true), -EINVAL);
	p->user = 0;
	KUNIT_EXPECT_EQ(test, access(p, base, 4, true), -EFAULT);
	KUNIT_EXPECT_EQ(test, access(p, base, 4, false), -EFAULT);
}

/* It can be assigned, and is dirty: nobody knows what its driver has told it. */
static void platform_endpoint(struct kunit *test)
{
	struct platform *p = create(test);
	struct kviommu *v = &p->m->v;
	const char *name = p->name;
	struct kviommu_endpoint *ep;

	/* That is what a PCI device could be called. */
	KUNIT_ASSERT_EQ(test, -ENODEV, kviommu_assign(v, dev_name(p->dev), 8));
	KUNIT_ASSERT_EQ(test, 0, kviommu_assign(v, name, 8));
	ep = xa_load(&v->endpoints, 8);
	KUNIT_ASSERT_NOT_NULL(test, ep);
	KUNIT_EXPECT_PTR_EQ(test, ep->kdev->dev, p->dev);
	KUNIT_EXPECT_EQ(test, kviommu_endpoint_state(ep), KVIOMMU_UNBOUND);
	KUNIT_EXPECT_TRUE(test, ep->kdev->dirty);
	KUNIT_EXPECT_NULL(test, ep->kdev->ops->may_dma);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assume_reset(v, name));
	KUNIT_EXPECT_FALSE(test, ep->kdev->dirty);
	/* The driver goes, and with it the endpoint. */
	device_release_driver(p->dev);
	KUNIT_EXPECT_TRUE(test, xa_empty(&v->endpoints));
}

/* ---- with a reset, and with registers that a VMM maps ---- */

static int reset_rc;

static bool fake_has_reset(struct device *dev)
{
	return true;
}

static int fake_reset(struct device *dev)
{
	return reset_rc;
}

static int file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vfio_device *vdev = file->private_data;

	return vdev->ops->mmap(vdev, vma);
}

static const struct file_operations file_ops = {
	.mmap = file_mmap,
};

static void platform_mmap_errors(struct kunit *test, struct file *file)
{
	static const struct {
		u64 at;
		unsigned long size, prot, flags;
	} errors[] = {
		{ 0, SIZE + PAGE_SIZE, PROT_READ, MAP_SHARED },
		{ PAGE_SIZE, SIZE, PROT_READ, MAP_SHARED },
		{ SIZE, PAGE_SIZE, PROT_READ, MAP_SHARED },
		{ 0, SIZE, PROT_READ, MAP_PRIVATE },
		{ KVP_INDEX_TO_OFFSET(1), PAGE_SIZE, PROT_READ, MAP_SHARED },
		{ KVP_INDEX_TO_OFFSET(2), SIZE, PROT_WRITE, MAP_SHARED },
		{ KVP_INDEX_TO_OFFSET(3), SIZE, PROT_READ, MAP_SHARED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				(long)vm_mmap(file, 0, errors[i].size,
					      errors[i].prot, errors[i].flags,
					      errors[i].at));
}

static void platform_reset(struct kunit *test)
{
	struct kviommu_endpoint *ep;
	struct kviommu_dev *kdev;
	struct platform *p;
	struct file *file;
	unsigned long at;
	u8 *regs;

	reset_rc = 0;
	kunit_activate_static_stub(test, kvp_has_reset, fake_has_reset);
	kunit_activate_static_stub(test, kvp_call_reset, fake_reset);
	p = create(test);
	regs = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, regs);
	p->kvd->regions[0].phys = virt_to_phys(regs);
	KUNIT_ASSERT_EQ(test, 0, kviommu_assign(&p->m->v, p->name, 8));
	ep = xa_load(&p->m->v.endpoints, 8);
	KUNIT_ASSERT_NOT_NULL(test, ep);
	kdev = ep->kdev;
	KUNIT_ASSERT_NOT_NULL(test, kdev->ops->may_dma);

	KUNIT_EXPECT_TRUE(test, kdev->dirty);
	KUNIT_EXPECT_TRUE(test, kdev->ops->may_dma(kdev->priv));
	reset_rc = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, p->ops->ioctl(p->vdev, VFIO_DEVICE_RESET, 0));
	KUNIT_EXPECT_TRUE(test, kdev->dirty);
	KUNIT_EXPECT_TRUE(test, kdev->ops->may_dma(kdev->priv));
	reset_rc = 0;
	KUNIT_EXPECT_EQ(test, 0, p->ops->ioctl(p->vdev, VFIO_DEVICE_RESET, 0));
	KUNIT_EXPECT_FALSE(test, kdev->dirty);
	KUNIT_EXPECT_FALSE(test, kdev->ops->may_dma(kdev->priv));

	file = anon_inode_getfile("kviommu-kunit", &file_ops, p->vdev, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	file->f_mapping = p->vdev->inode->i_mapping;
	platform_mmap_errors(test, file);
	at = vm_mmap(file, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (IS_ERR_VALUE(at)) {
		KUNIT_FAIL(test, "registers can't be mapped");
		fput(file);
		return;
	}
	/* Only what is accessed tells the device something. */
	KUNIT_EXPECT_FALSE(test, kdev->ops->may_dma(kdev->priv));
	KUNIT_EXPECT_EQ(test, 0, put_user(0x55, (u8 __user *)(at + PAGE_SIZE)));
	KUNIT_EXPECT_EQ(test, regs[PAGE_SIZE], 0x55);
	KUNIT_EXPECT_TRUE(test, kdev->ops->may_dma(kdev->priv));
	/* After a reset it is seen again. */
	KUNIT_EXPECT_EQ(test, 0, p->ops->ioctl(p->vdev, VFIO_DEVICE_RESET, 0));
	KUNIT_EXPECT_FALSE(test, kdev->ops->may_dma(kdev->priv));
	KUNIT_EXPECT_EQ(test, 0, put_user(0x66, (u8 __user *)(at + PAGE_SIZE)));
	KUNIT_EXPECT_EQ(test, regs[PAGE_SIZE], 0x66);
	KUNIT_EXPECT_TRUE(test, kdev->ops->may_dma(kdev->priv));
	vm_munmap(at, SIZE);
	fput(file);

	/* So it is with read() and write(). */
	KUNIT_EXPECT_EQ(test, 0, p->ops->ioctl(p->vdev, VFIO_DEVICE_RESET, 0));
	KUNIT_EXPECT_EQ(test, access(p, KVP_INDEX_TO_OFFSET(1), 4, false), 4);
	KUNIT_EXPECT_TRUE(test, kdev->ops->may_dma(kdev->priv));
}

static struct kunit_case platform_cases[] = {
	KUNIT_CASE(platform_info),
	KUNIT_CASE(platform_regions),
	KUNIT_CASE(platform_access),
	KUNIT_CASE(platform_endpoint),
	KUNIT_CASE(platform_reset),
	{ }
};

static struct kunit_suite platform_suite = {
	.name = "kviommu_platform",
	.exit = platform_exit,
	.test_cases = platform_cases,
};

kunit_test_suite(platform_suite);
