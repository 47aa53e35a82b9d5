// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's side: the emulated PCI device and the assigned ones as VFIO devices.
 * Lengths, indexes, flags, accesses of any size and offset, the wrong order of
 * everything, and that a device is blocked whatever is closed first.
 */
#include "kviommu_harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/pci_regs.h>

FIXTURE(api)
{
	struct host host;
	struct vmm vmm;
};

FIXTURE_SETUP(api)
{
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
}

FIXTURE_TEARDOWN(api)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

static int xioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

TEST_F(api, device_info)
{
	struct vfio_device_info info;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	ASSERT_EQ(0, vfio_device_info(&self->vmm.viommu, &info));
	EXPECT_EQ(VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		  info.flags & (VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET));
	EXPECT_EQ(9, info.num_regions);
	EXPECT_EQ(5, info.num_irqs);
}

/* argsz: shorter than the first version of a structure is refused, longer is not */
TEST_F(api, argsz)
{
	static const struct {
		const char *name;
		unsigned long cmd;
		u32 min;
		int index;	/* of a word that must be valid, -1: none */
		u32 value;
	} table[] = {
		{ "GET_INFO", VFIO_DEVICE_GET_INFO, 16, -1, 0 },
		{ "GET_REGION_INFO", VFIO_DEVICE_GET_REGION_INFO, 32, 2, 0 },
		{ "GET_IRQ_INFO", VFIO_DEVICE_GET_IRQ_INFO, 16, 2,
		  VFIO_PCI_MSIX_IRQ_INDEX },
	};
	union {
		u32 word[64];
		u64 align;
	} arg;
	size_t i;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		static const int delta[] = { -1000, -1, 0, 1, 100 };
		size_t d;

		for (d = 0; d < ARRAY_SIZE(delta); d++) {
			u32 argsz = delta[d] == -1000 ? 0 :
						table[i].min + delta[d];

			memset(&arg, 0, sizeof(arg));
			arg.word[0] = argsz;
			if (table[i].index >= 0)
				arg.word[table[i].index] = table[i].value;
			EXPECT_EQ(delta[d] < 0 ? -EINVAL : 0,
				  xioctl(self->vmm.viommu.fd, table[i].cmd,
					 &arg))
				TH_LOG("%s with argsz %u", table[i].name,
				       argsz);
		}
		EXPECT_EQ(-EFAULT, xioctl(self->vmm.viommu.fd, table[i].cmd,
					  NULL))
			TH_LOG("%s of a NULL pointer", table[i].name);
	}
	EXPECT_EQ(-ENOTTY, xioctl(self->vmm.viommu.fd,
				  _IO(VFIO_TYPE, VFIO_BASE + 99), NULL));
}

TEST_F(api, regions)
{
	static const u64 size[] = { 0x4000, 0x1000, 0, 0, 0, 0, 0, 256 };
	struct vfio_region_info info;
	u32 i;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		ASSERT_EQ(0, vfio_region_info(&self->vmm.viommu, i, &info))
			TH_LOG("region %u", i);
		EXPECT_EQ(size[i], info.size)
			TH_LOG("size of region %u", i);
		if (size[i])
			EXPECT_EQ(VFIO_REGION_INFO_FLAG_READ |
				  VFIO_REGION_INFO_FLAG_WRITE,
				  info.flags & 7)
				TH_LOG("flags of region %u", i);
	}
	EXPECT_EQ(-EINVAL, vfio_region_info(&self->vmm.viommu,
					    VFIO_PCI_VGA_REGION_INDEX, &info));
	EXPECT_EQ(-EINVAL, vfio_region_info(&self->vmm.viommu, 9, &info));
	EXPECT_EQ(-EINVAL, vfio_region_info(&self->vmm.viommu, ~0u, &info));
	/* Trapped only */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 0x1000, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->vmm.viommu.fd,
				   self->vmm.viommu.bar_offset[0]));
}

TEST_F(api, irq_info)
{
	struct vfio_irq_info info;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	ASSERT_EQ(0, vfio_irq_info(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX,
				   &info));
	EXPECT_EQ(3, info.count);
	EXPECT_EQ(VFIO_IRQ_INFO_EVENTFD, info.flags & VFIO_IRQ_INFO_EVENTFD);
	ASSERT_EQ(0, vfio_irq_info(&self->vmm.viommu, VFIO_PCI_INTX_IRQ_INDEX,
				   &info));
	EXPECT_EQ(1, info.count);
	EXPECT_EQ(VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
		  VFIO_IRQ_INFO_AUTOMASKED,
		  info.flags & (VFIO_IRQ_INFO_EVENTFD |
				VFIO_IRQ_INFO_MASKABLE |
				VFIO_IRQ_INFO_AUTOMASKED));
	if (!vfio_irq_info(&self->vmm.viommu, VFIO_PCI_MSI_IRQ_INDEX, &info))
		EXPECT_EQ(0, info.count);
	EXPECT_EQ(-EINVAL, vfio_irq_info(&self->vmm.viommu,
					 VFIO_PCI_ERR_IRQ_INDEX, &info));
	EXPECT_EQ(-EINVAL, vfio_irq_info(&self->vmm.viommu,
					 VFIO_PCI_REQ_IRQ_INDEX, &info));
	EXPECT_EQ(-EINVAL, vfio_irq_info(&self->vmm.viommu, 5, &info));
	EXPECT_EQ(-EINVAL, vfio_irq_info(&self->vmm.viommu, ~0u, &info));
}

struct irq_case {
	const char *what;
	u32 argsz, flags, index, start, count;
	int expected;
};

#define SET_HDR	((u32)sizeof(struct vfio_irq_set))

TEST_F(api, set_irqs_misuse)
{
	static const u32 trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	static const u32 eventfd_ = VFIO_IRQ_SET_DATA_EVENTFD;
	static const u32 none = VFIO_IRQ_SET_DATA_NONE;
	const struct irq_case table[] = {
		{ "argsz 0", 0, trigger | none, 2, 0, 0, -EINVAL },
		{ "short argsz", SET_HDR - 1, trigger | none, 2, 0, 0, -EINVAL },
		{ "no room for data", SET_HDR + 3, trigger | eventfd_, 2, 0, 1,
		  -EINVAL },
		{ "unknown flag", SET_HDR, trigger | none | (1u << 31), 2, 0, 0,
		  -EINVAL },
		{ "two data types", SET_HDR + 4, trigger | none | eventfd_, 2, 0,
		  1, -EINVAL },
		{ "two actions", SET_HDR,
		  trigger | none | VFIO_IRQ_SET_ACTION_MASK, 2, 0, 0, -ENOTTY },
		{ "index ERR", SET_HDR + 4, trigger | eventfd_, 3, 0, 1, -EINVAL },
		{ "index 5", SET_HDR, trigger | none, 5, 0, 0, -EINVAL },
		{ "index ~0", SET_HDR, trigger | none, ~0u, 0, 0, -EINVAL },
		{ "start past the end", SET_HDR + 4, trigger | eventfd_, 2, 3, 1,
		  -EINVAL },
		{ "count past the end", SET_HDR + 16, trigger | eventfd_, 2, 0, 4,
		  -EINVAL },
		{ "wrapping start", SET_HDR + 8, trigger | eventfd_, 2, ~0u, 2,
		  -EINVAL },
		{ "huge count", SET_HDR + 4, trigger | eventfd_, 2, 0, ~0u,
		  -EINVAL },
		{ "disable all", SET_HDR, trigger | none, 2, 0, 0, 0 },
	};
	int fds[3] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC),
		       eventfd(0, EFD_CLOEXEC) };
	int not_eventfd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct {
		struct vfio_irq_set set;
		int fd[8];
	} arg;
	size_t i;
	int rc;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		memset(&arg, 0, sizeof(arg));
		arg.set.argsz = table[i].argsz;
		arg.set.flags = table[i].flags;
		arg.set.index = table[i].index;
		arg.set.start = table[i].start;
		arg.set.count = table[i].count;
		memcpy(arg.fd, fds, sizeof(fds));
		EXPECT_EQ(table[i].expected, xioctl(self->vmm.viommu.fd,
						    VFIO_DEVICE_SET_IRQS, &arg))
			TH_LOG("%s", table[i].what);
	}
	rc = vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1,
			   &not_eventfd);
	EXPECT_EQ(true, rc == -EINVAL || rc == -EBADF)
		TH_LOG("not an eventfd: expected EINVAL or EBADF, got %d", rc);
	/* All, some again, one taken away, none */
	EXPECT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   3, fds));
	EXPECT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 1,
				   2, fds));
	EXPECT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 2,
				   1, (int[]){ -1 }));
	EXPECT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   0, NULL));
	for (i = 0; i < 3; i++)
		close(fds[i]);
	close(not_eventfd);
}

TEST_F(api, msix_interrupts)
{
	int fds[3] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK),
		       eventfd(0, EFD_NONBLOCK) };
	u64 count;

	self->vmm.config.features = VIOMMU_PLAIN_FEATURES;
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   3, fds));
	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	/* Queue 0 has vector 1 */
	EXPECT_LE(1, eventfd_take(fds[1]));
	EXPECT_EQ(-1, read(fds[0], &count, 8));
	EXPECT_EQ(-1, read(fds[2], &count, 8));
	/* The loopback that VFIO gives VMMs */
	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 2,
				   1, NULL));
	EXPECT_EQ(1, eventfd_take(fds[2]));
	/* After this nobody hears of it, and nothing breaks */
	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   0, NULL));
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_EQ(-1, read(fds[1], &count, 8));
}

TEST_F(api, intx_interrupt)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	u8 isr;

	self->vmm.config.features = VIOMMU_PLAIN_FEATURES;
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_INTX_IRQ_INDEX, 0,
				   1, &fd));
	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	EXPECT_LE(1, eventfd_take(fd));
	ASSERT_EQ(0, vfio_bar_read(&self->vmm.viommu, 0, VIRTIO_ISR, &isr, 1));
	EXPECT_EQ(1, isr & 1);
	ASSERT_EQ(0, vfio_bar_read(&self->vmm.viommu, 0, VIRTIO_ISR, &isr, 1));
	EXPECT_EQ(0, isr);
	close(fd);
}

static int intx_unmask_eventfd(struct vfio_dev *dev, int fd)
{
	struct {
		struct vfio_irq_set set;
		int fd;
	} arg = {
		.set = {
			.argsz = sizeof(arg),
			.flags = VFIO_IRQ_SET_ACTION_UNMASK |
				 VFIO_IRQ_SET_DATA_EVENTFD,
			.index = VFIO_PCI_INTX_IRQ_INDEX,
			.count = 1,
		},
		.fd = fd,
	};

	return ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &arg) ? -errno : 0;
}

static bool fires(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && eventfd_take(fd) == 1;
}

/* As KVM does it: the guest ends its interrupt, and no exit is needed */
TEST_F(api, intx_unmask_by_eventfd)
{
	int fd = eventfd(0, EFD_NONBLOCK), unmask = eventfd(0, EFD_NONBLOCK);
	struct vfio_dev *dev = &self->vmm.viommu;
	const u64 one = 1;
	u8 isr;

	self->vmm.config.features = VIOMMU_PLAIN_FEATURES;
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, vfio_set_irqs(dev, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, &fd));
	EXPECT_EQ(-EINVAL, intx_unmask_eventfd(dev, -2));
	EXPECT_EQ(-EBADF, intx_unmask_eventfd(dev, 1000));
	ASSERT_EQ(0, intx_unmask_eventfd(dev, unmask));
	EXPECT_EQ(-EBUSY, intx_unmask_eventfd(dev, unmask));
	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	EXPECT_EQ(true, fires(fd, 0));
	/* The level stays, since nobody read the ISR */
	EXPECT_EQ(false, fires(fd, 100));
	ASSERT_EQ(8, write(unmask, &one, 8));
	EXPECT_EQ(true, fires(fd, PATIENCE_MS));
	ASSERT_EQ(0, vfio_bar_read(dev, 0, VIRTIO_ISR, &isr, 1));
	ASSERT_EQ(8, write(unmask, &one, 8));
	EXPECT_EQ(false, fires(fd, 100));
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_EQ(true, fires(fd, 0));
	ASSERT_EQ(0, intx_unmask_eventfd(dev, -1));
	ASSERT_EQ(8, write(unmask, &one, 8));
	EXPECT_EQ(false, fires(fd, 100));
	/* Closed before the vIOMMU, and the other way round */
	ASSERT_EQ(0, intx_unmask_eventfd(dev, unmask));
	close(unmask);
	unmask = eventfd(0, EFD_NONBLOCK);
	EXPECT_EQ(0, intx_unmask_eventfd(dev, unmask));
	vmm_close(&self->vmm);
	ASSERT_EQ(8, write(unmask, &one, 8));
	close(unmask);
	close(fd);
}

TEST_F(api, config_identity)
{
	struct vfio_dev *dev = &self->vmm.viommu;
	bool seen[VIRTIO_PCI_CAP_PCI_CFG + 1] = { false };
	struct virtio_pci_cap cap;
	bool msix = false;
	u8 rev, class[3], next;
	u16 id[2], status;
	unsigned int i;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	ASSERT_EQ(0, vfio_config_read(dev, PCI_VENDOR_ID, id, 4));
	EXPECT_EQ(0x1af4, id[0]);
	EXPECT_EQ(0x1057, id[1]);
	ASSERT_EQ(0, vfio_config_read(dev, PCI_REVISION_ID, &rev, 1));
	EXPECT_EQ(1, rev);
	ASSERT_EQ(0, vfio_config_read(dev, PCI_CLASS_PROG, class, 3));
	EXPECT_EQ(0x080600, class[2] << 16 | class[1] << 8 | class[0]);
	ASSERT_EQ(0, vfio_config_read(dev, PCI_STATUS, &status, 2));
	ASSERT_EQ(PCI_STATUS_CAP_LIST, status & PCI_STATUS_CAP_LIST);
	ASSERT_EQ(0, vfio_config_read(dev, PCI_CAPABILITY_LIST, &next, 1));
	for (i = 0; next && i < 48; i++) {
		ASSERT_EQ(0, vfio_config_read(dev, next, &cap, 2));
		if (cap.cap_vndr == PCI_CAP_ID_MSIX)
			msix = true;
		if (cap.cap_vndr == PCI_CAP_ID_VNDR) {
			ASSERT_EQ(0, vfio_config_read(dev, next, &cap,
						      sizeof(cap)));
			ASSERT_GE(VIRTIO_PCI_CAP_PCI_CFG, cap.cfg_type);
			seen[cap.cfg_type] = true;
			if (cap.cfg_type == VIRTIO_PCI_CAP_COMMON_CFG)
				EXPECT_EQ(VIRTIO_COMMON, cap.offset);
			if (cap.cfg_type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
				u32 mult;

				EXPECT_EQ(VIRTIO_NOTIFY, cap.offset);
				vfio_config_read(dev, next + sizeof(cap), &mult,
						 4);
				EXPECT_EQ(VIRTIO_NOTIFY_MULT, mult);
			}
		}
		next = cap.cap_next;
	}
	EXPECT_GT(48, i) TH_LOG("the capability list has a loop");
	for (i = VIRTIO_PCI_CAP_COMMON_CFG; i <= VIRTIO_PCI_CAP_PCI_CFG; i++)
		EXPECT_EQ(true, seen[i])
			TH_LOG("virtio capability %u is missing", i);
	EXPECT_EQ(true, msix);
}

/* What a read returns may be anything but a kernel fault or neighbours' bytes */
TEST_F(api, config_any_access)
{
	struct vfio_dev *dev = &self->vmm.viommu;
	u8 whole[256], buf[512];
	unsigned int off, len;
	ssize_t n;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	ASSERT_EQ(0, vfio_config_read(dev, 0, whole, sizeof(whole)));
	for (off = 0; off <= 260; off++) {
		for (len = 1; len <= 9; len++) {
			memset(buf, 0x5a, sizeof(buf));
			n = pread(dev->fd, buf, len, dev->config_offset + off);
			EXPECT_GE((ssize_t)len, n);
			EXPECT_EQ(0x5a, buf[len]);
			if (n > 0 && off + n <= 256)
				EXPECT_EQ(0, memcmp(buf, whole + off, n))
					TH_LOG("config read of %u bytes at 0x%x",
					       len, off);
			EXPECT_GE(256 > off ? 256 - (ssize_t)off : 0, n)
				TH_LOG("%zd bytes at 0x%x", n, off);
		}
	}
	/* Writes of ones and zeros everywhere; identity and capabilities stay */
	for (off = 0; off < 256; off++) {
		for (len = 1; len <= 8; len++) {
			memset(buf, off & 1 ? 0xff : 0, sizeof(buf));
			n = pwrite(dev->fd, buf, len, dev->config_offset + off);
			EXPECT_GE((ssize_t)len, n);
		}
	}
	ASSERT_EQ(0, vfio_config_read(dev, 0, buf, 256));
	EXPECT_EQ(0, memcmp(buf, whole, 4)) TH_LOG("the id has changed");
	EXPECT_EQ(0, memcmp(buf + 8, whole + 8, 4))
		TH_LOG("the class has changed");
	EXPECT_EQ(whole[PCI_CAPABILITY_LIST], buf[PCI_CAPABILITY_LIST]);
	vmm_close(&self->vmm);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
}

/* The window of the PCI_CFG capability reaches BAR0 without the BAR */
TEST_F(api, pci_cfg_window)
{
	struct vfio_dev *dev = &self->vmm.viommu;
	struct virtio_pci_cap cap;
	u32 value = 0, off = VIRTIO_PCI_COMMON_NUMQ, len = 2;
	u8 next, bar = 0;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	ASSERT_EQ(0, vfio_config_read(dev, PCI_CAPABILITY_LIST, &next, 1));
	do {
		ASSERT_EQ(0, vfio_config_read(dev, next, &cap, sizeof(cap)));
		if (cap.cap_vndr == PCI_CAP_ID_VNDR &&
		    cap.cfg_type == VIRTIO_PCI_CAP_PCI_CFG)
			break;
		next = cap.cap_next;
	} while (next);
	ASSERT_NE(0, next);
	vfio_config_write(dev, next + VIRTIO_PCI_CAP_BAR, &bar, 1);
	vfio_config_write(dev, next + VIRTIO_PCI_CAP_OFFSET, &off, 4);
	vfio_config_write(dev, next + VIRTIO_PCI_CAP_LENGTH, &len, 4);
	ASSERT_EQ(0, vfio_config_read(dev, next + sizeof(cap), &value, len));
	EXPECT_EQ(2, value) TH_LOG("num_queues through the window");
	/* A window out of the BAR, or a BAR that is none: no harm */
	for (off = 0x3ffd; off != 5; off += 0x10000001) {
		vfio_config_write(dev, next + VIRTIO_PCI_CAP_OFFSET, &off, 4);
		vfio_config_read(dev, next + sizeof(cap), &value, 4);
		vfio_config_write(dev, next + sizeof(cap), &value, 4);
		if (off > 0xf0000000)
			break;
	}
	for (bar = 1; bar; bar = bar < 8 ? bar + 1 : bar << 1) {
		vfio_config_write(dev, next + VIRTIO_PCI_CAP_BAR, &bar, 1);
		vfio_config_read(dev, next + sizeof(cap), &value, 4);
		vfio_config_write(dev, next + sizeof(cap), &value, 4);
	}
}

TEST_F(api, bar_any_access)
{
	struct vfio_dev *dev = &self->vmm.viommu;
	static const u64 edges[] = {
		0x0, 0x38, 0x3f, 0x40, 0xffc, 0x1000, 0x1001, 0x1ffc, 0x2000,
		0x2008, 0x2024, 0x2028, 0x2ffc, 0x3000, 0x3004, 0x3008, 0x3ff8,
		0x3ffc, 0x3fff, 0x4000, 0x4004, 0x8000, 0xffffff,
		0xfffffffff0ULL,
	};
	u8 buf[32];
	unsigned int len, delta, pass;
	size_t i;
	ssize_t n;

	ASSERT_UP(&self->vmm, VMM_DRIVER_OK);
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < ARRAY_SIZE(edges); i++) {
			for (delta = 0; delta < 8; delta++) {
				for (len = 0; len <= 17; len++) {
					u64 off = edges[i] + delta;

					memset(buf, pass ? 0xff : 0x5a,
					       sizeof(buf));
					n = pass ? pwrite(dev->fd, buf, len,
							  off) :
						   pread(dev->fd, buf, len, off);
					EXPECT_GE((ssize_t)len, n);
					if (off >= 0x4000 && len)
						EXPECT_GE(0, n)
							TH_LOG("%u bytes at 0x%llx of BAR0",
							       len,
							       (unsigned long long)off);
				}
			}
		}
	}
	/* Whole walks, byte by byte and word by word */
	for (i = 0; i < 0x4000; i += 3) {
		n = pread(dev->fd, buf, 1 + i % 8, i);
		n = pwrite(dev->fd, buf, 1 + i % 8, i);
	}
	for (i = 0; i < 0x1000; i += 4) {
		ASSERT_EQ(0, vfio_bar_read(dev, 1, i, buf, 4));
		ASSERT_EQ(0, vfio_bar_write(dev, 1, i, buf, 4));
	}
	/* The device has been told nonsense; a reset makes it sane */
	self->vmm.next = VMM_DRIVER_OK;
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(api, reset)
{
	struct virtio_iommu_config config;

	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* The order that VMMs keep: the endpoint is made quiet, then its IOMMU */
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, false));
	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
	EXPECT_EQ(0, virtio_status(&self->vmm.v));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	viommu_config(&self->vmm.v, &config);
	EXPECT_EQ(1, config.bypass);
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, true));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* boot_bypass: as after power on */
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	self->vmm.next = VMM_DRIVER_OK;
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

/* The other order: what the device still does reaches nothing, until it is reset */
TEST_F(api, reset_while_busy)
{
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, false));
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, true));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, mdev_assume_reset(&self->host.mdev, self->host.bdf[0]));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(api, reset_again_and_again)
{
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_UP(&self->vmm, i & 1 ? VMM_MAPPED : VMM_DRIVER_OK);
		ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
		self->vmm.next = VMM_DRIVER_OK;
	}
	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
}

/* What a write has done before it fails counts: an edu can't be reset. */
TEST_F(api, write_in_part)
{
	struct vfio_dev *dev = &self->vmm.edu[0].dev;
	const u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	const long size = sysconf(_SC_PAGESIZE);
	int kmsg = kmsg_open();
	u8 *page;

	ASSERT_LE(0, kmsg);
	page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + size, size));
	memset(page, 0, size);
	memcpy(page + size - 4, &command, sizeof(command));
	ASSERT_UP(&self->vmm, VMM_ENDPOINT_ATTACH);
	ASSERT_EQ(0, vfio_query_regions(dev));
	EXPECT_EQ(-EFAULT, vfio_config_write(dev, PCI_COMMAND,
					     page + size - 4, 8));
	/* Tests before may have used up what is said of that in 5 s. */
	sleep_ms(6000);
	vmm_close(&self->vmm);
	EXPECT_EQ(true, kmsg_says(kmsg, "KV25"));
	munmap(page, size);
	close(kmsg);
}

/* Each ioctl before what it needs */
TEST_F(api, wrong_order)
{
	struct vfio_dev again = { .fd = -1 };
	struct vfio_device_info info;
	struct vmm *vmm = &self->vmm;
	char dir[512];
	u32 ioas2;

	ASSERT_UP(vmm, VMM_VIOMMU_OPEN);
	EXPECT_EQ(-EINVAL, vfio_device_info(&vmm->viommu, &info));
	EXPECT_EQ(-EINVAL, vfio_attach(&vmm->viommu, vmm->ioas));
	EXPECT_EQ(-EINVAL, vfio_detach(&vmm->viommu));
	EXPECT_EQ(-EINVAL, vfio_reset(&vmm->viommu));
	EXPECT_EQ(-EINVAL, vfio_bind(&vmm->viommu, -1));
	EXPECT_EQ(-EBADFD, vfio_bind(&vmm->viommu, vmm->viommu.fd));

	ASSERT_UP(vmm, VMM_VIOMMU_BIND);
	EXPECT_EQ(-EINVAL, vfio_bind(&vmm->viommu, vmm->iommufd))
		TH_LOG("bound twice");
	/* The second opener of one mdev gets the cdev, and no more */
	mdev_dir(&self->host.mdev, dir, sizeof(dir));
	if (!vfio_open(&again, dir))
		EXPECT_EQ(-EINVAL, vfio_bind(&again, vmm->iommufd));
	vfio_close(&again);

	/* No memory yet: the driver is refused, nothing breaks */
	vmm->v.dev = &vmm->viommu;
	vmm->v.mem = vmm->ram;
	vmm->v.gpa = RAM_GPA;
	if (!virtio_start(&vmm->v, VIOMMU_ALL_FEATURES, 1024)) {
		vq_push(&vmm->v.vq[0], 0);
		vq_notify(&vmm->v, 0);
	}
	EXPECT_EQ(0, virtio_reset(&vmm->v));
	EXPECT_EQ(-ENOENT, vfio_attach(&vmm->viommu, 12345));
	EXPECT_EQ(0, vfio_detach(&vmm->viommu));

	ASSERT_UP(vmm, VMM_VIOMMU_ATTACH);
	EXPECT_EQ(0, vfio_detach(&vmm->viommu));
	EXPECT_EQ(0, vfio_detach(&vmm->viommu));
	EXPECT_EQ(0, vfio_attach(&vmm->viommu, vmm->ioas));
	ASSERT_UP(vmm, VMM_ENDPOINT_OPEN);
	EXPECT_EQ(-EINVAL, vfio_attach(&vmm->edu[0].dev, vmm->ioas));
	ASSERT_UP(vmm, VMM_ENDPOINT_BIND);
	EXPECT_EQ(0, vfio_detach(&vmm->edu[0].dev));
	EXPECT_EQ(-ENOENT, vfio_attach(&vmm->edu[0].dev, 12345));
	ASSERT_UP(vmm, VMM_MAPPED);
	EXPECT_WRITES(1, vmm, 0, DATA_IOVA, DATA_GPA);
	/* What is used is not destroyed */
	EXPECT_EQ(-EBUSY, iommufd_destroy(vmm->iommufd, vmm->ioas));
	/* Attach to other memory while mapped: no way back into the old one */
	ASSERT_EQ(0, iommufd_ioas_alloc(vmm->iommufd, &ioas2));
	if (!vfio_attach(&vmm->viommu, ioas2))
		EXPECT_WRITES(0, vmm, 0, DATA_IOVA, DATA_GPA);
}

/* Guest memory taken away as a whole: detach of the vIOMMU's IOAS */
TEST_F(api, detach_viommu)
{
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, vfio_detach(&self->vmm.viommu));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "pinned_bytes"));
	ASSERT_EQ(0, vfio_attach(&self->vmm.viommu, self->vmm.ioas));
	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
	self->vmm.next = VMM_DRIVER_OK;
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(api, detach_endpoint)
{
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, vfio_detach(&self->vmm.edu[0].dev));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	/* The guest's requests go on while the VMM has it detached */
	EXPECT_EQ(0, viommu_unmap(&self->vmm.v, DOMAIN, DATA_IOVA, PAGE));
	EXPECT_EQ(0, viommu_map(&self->vmm.v, DOMAIN, DATA_IOVA, PAGE,
				DATA2_GPA, VIOMMU_RW));
	ASSERT_EQ(0, vfio_attach(&self->vmm.edu[0].dev, self->vmm.hwpt));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

/* A device that no vIOMMU has is of no use; one without an open vIOMMU is blocked */
TEST_F(api, endpoint_without_viommu)
{
	struct vmm *vmm = &self->vmm;

	ASSERT_UP(vmm, VMM_MEMORY);
	vmm->next = VMM_ENDPOINT_OPEN;
	ASSERT_UP(vmm, VMM_BUS_MASTER);
	EXPECT_WRITES(0, vmm, 0, DATA_GPA, DATA_GPA);
	/* The vIOMMU comes after the endpoint: as good as before */
	vmm->next = VMM_VIOMMU_OPEN;
	ASSERT_UP(vmm, VMM_VIOMMU_BIND);
	EXPECT_WRITES(0, vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_UP(vmm, VMM_VIOMMU_ATTACH);
	EXPECT_WRITES(1, vmm, 0, DATA_GPA, DATA_GPA);
	vmm->next = VMM_DRIVER_OK;
	ASSERT_UP(vmm, VMM_MAPPED);
	EXPECT_WRITES(1, vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(api, unassigned_endpoint)
{
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, self->host.bdf[0]));
	ASSERT_UP(&self->vmm, VMM_MEMORY);
	self->vmm.next = VMM_ENDPOINT_OPEN;
	ASSERT_UP(&self->vmm, VMM_ENDPOINT_BIND);
	EXPECT_EQ(-ENODEV, vmm_up(&self->vmm, VMM_ENDPOINT_ATTACH));
}

/*
 * The vIOMMU in one VMM, the device in another, who has its registers: it must
 * not get at the first one's memory, whatever the first one's guest asks for
 */
TEST_F(api, two_vmms)
{
	struct vmm *a = &self->vmm, b;

	vmm_init(&b, &self->host, NULL);
	ASSERT_UP(a, VMM_VIOMMU_ATTACH);
	ASSERT_EQ(0, vmm_up(&b, VMM_MEMORY));
	b.next = VMM_ENDPOINT_OPEN;
	ASSERT_EQ(0, vmm_up(&b, VMM_ENDPOINT_BIND));
	EXPECT_EQ(-EBUSY, vmm_up(&b, VMM_ENDPOINT_ATTACH));
	vmm_close(&b);
	vmm_close(a);
	/* The other way round: the device is attached when the vIOMMU comes */
	ASSERT_EQ(0, vmm_up(&b, VMM_MEMORY));
	b.next = VMM_ENDPOINT_OPEN;
	ASSERT_EQ(0, vmm_up(&b, VMM_BUS_MASTER));
	EXPECT_EQ(0, edu_can_write(&b.edu[0], DATA_GPA, vmm_ptr(&b, DATA_GPA)));
	ASSERT_UP(a, VMM_VIOMMU_ATTACH);
	a->next = VMM_DRIVER_OK;
	ASSERT_UP(a, VMM_MAPPED);
	EXPECT_EQ(0, edu_can_write(&b.edu[0], DATA_IOVA, vmm_ptr(a, DATA_GPA)));
	EXPECT_EQ(0, edu_can_write(&b.edu[0], DATA_GPA, vmm_ptr(a, DATA_GPA)));
	EXPECT_EQ(0, edu_can_write(&b.edu[0], DATA_GPA, vmm_ptr(&b, DATA_GPA)));
	vmm_close(&b);
	vmm_close(a);
	ASSERT_UP(a, VMM_MAPPED);
	EXPECT_WRITES(1, a, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(api, second_vmm_takes_over)
{
	struct vmm b;
	int i;

	vmm_init(&b, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, vmm_up(&b, VMM_VIOMMU_OPEN));
	EXPECT_EQ(-EINVAL, vmm_up(&b, VMM_VIOMMU_BIND));
	vmm_close(&b);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vmm_close(&self->vmm);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vmm_up(&b, VMM_MAPPED));
		EXPECT_WRITES(1, &b, 0, DATA_IOVA, DATA_GPA);
		vmm_close(&b);
	}
}

/* A child keeps copies of the fds: the VMM is alive until the last is closed */
TEST_F(api, fork_keeps_open)
{
	pid_t child;
	int status;

	ASSERT_UP(&self->vmm, VMM_MAPPED);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		pause();
		_exit(0);
	}
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* Requests go on after a fork; the memory is that of the parent */
	EXPECT_EQ(0, viommu_map(&self->vmm.v, DOMAIN, DATA_IOVA + PAGE, PAGE,
				DATA2_GPA, VIOMMU_RW));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	vmm_close_viommu(&self->vmm);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

FIXTURE(close_order)
{
	struct host host;
	struct vmm vmm;
};

FIXTURE_VARIANT(close_order)
{
	enum vmm_step state;	/* QUIESCING: mapped, then reset by the guest */
	const char *order;	/* v: viommu, e: endpoint, i: iommufd */
};

#define QUIESCING	VMM_STEPS

#define ORDERS(name, step)						\
	FIXTURE_VARIANT_ADD(close_order, name##_vei) { step, "vei" };	\
	FIXTURE_VARIANT_ADD(close_order, name##_vie) { step, "vie" };	\
	FIXTURE_VARIANT_ADD(close_order, name##_evi) { step, "evi" };	\
	FIXTURE_VARIANT_ADD(close_order, name##_eiv) { step, "eiv" };	\
	FIXTURE_VARIANT_ADD(close_order, name##_ive) { step, "ive" };	\
	FIXTURE_VARIANT_ADD(close_order, name##_iev) { step, "iev" }

ORDERS(bound, VMM_ENDPOINT_BIND);
ORDERS(bypass, VMM_BUS_MASTER);
ORDERS(mapped, VMM_MAPPED);
ORDERS(quiescing, QUIESCING);

FIXTURE_SETUP(close_order)
{
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
}

FIXTURE_TEARDOWN(close_order)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

static enum vmm_step min_step(enum vmm_step a, enum vmm_step b)
{
	return a < b ? a : b;
}

TEST_F(close_order, blocked)
{
	struct vmm *vmm = &self->vmm;
	struct edu late = { .bar = NULL };
	bool viommu_open = true, endpoint_open = true;
	const char *what;
	bool bus_master;

	ASSERT_UP(vmm, min_step(variant->state, VMM_MAPPED));
	if (variant->state == QUIESCING)
		ASSERT_EQ(0, virtio_reset(&vmm->v));
	bus_master = variant->state >= VMM_BUS_MASTER;
	for (what = variant->order; *what; what++) {
		switch (*what) {
		case 'v':
			vmm_close_viommu(vmm);
			viommu_open = false;
			break;
		case 'e':
			vmm_close_endpoints(vmm);
			endpoint_open = false;
			break;
		case 'i':
			/* The devices hold it; this only drops the VMM's fd */
			vmm_close_iommufd(vmm);
			break;
		}
		if (!endpoint_open || !bus_master)
			continue;
		EXPECT_EQ(viommu_open && variant->state >= VMM_MAPPED,
			  vmm_can_write(vmm, 0, DATA_IOVA, DATA_GPA))
			TH_LOG("IOVA after '%c' of %s", *what, variant->order);
		EXPECT_EQ(viommu_open && variant->state < VMM_DOMAIN,
			  vmm_can_write(vmm, 0, DATA_GPA, DATA_GPA))
			TH_LOG("GPA after '%c' of %s", *what, variant->order);
	}
	/* The device as nobody's: it may master the bus, and reaches nothing */
	if (pci_is_translated_by_default(self->host.bdf[0])) {
		ASSERT_EQ(0, edu_map_sysfs(&late, self->host.bdf[0]));
		EXPECT_EQ(0, edu_can_write(&late, DATA_IOVA,
					   vmm_ptr(vmm, DATA_GPA)));
		EXPECT_EQ(0, edu_can_write(&late, DATA_GPA,
					   vmm_ptr(vmm, DATA_GPA)));
		edu_unmap_bar(&late);
	}

	vmm_close(vmm);
	ASSERT_UP(vmm, VMM_MAPPED);
	EXPECT_WRITES(1, vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_HARNESS_MAIN
