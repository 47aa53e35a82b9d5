// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-nvme BDF: what a driver in user space does. An NVMe controller that vfio-pci
 * has gets memory by VFIO, is started, and tells of itself by DMA, once at the
 * start of that memory and once at its end. Prints "serial" and what it says.
 */
#include <err.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096ul
#define IOVA		0x10000000ul
#define SIZE		(64ul << 20)
#define QUEUE		16		/* entries */

/* Registers, and what is written to them (NVMe base specification 2.0, 3.1.3) */
#define CC		0x14
#define CSTS		0x1c
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define SQ0TDBL		0x1000
#define CC_ENABLE	(4 << 20 | 6 << 16 | 1)

#define IDENTIFY	0x06
#define SERIAL		4		/* in what it answers, 20 bytes */

static int container, device;
static uint64_t bar;
static volatile uint8_t *mem;

static void access_bar(uint64_t offset, void *val, size_t len, int write)
{
	ssize_t rc = write ? pwrite(device, val, len, bar + offset) :
			     pread(device, val, len, bar + offset);

	if (rc != (ssize_t)len)
		err(1, "register 0x%lx", (unsigned long)offset);
}

static void set32(uint64_t offset, uint32_t val)
{
	access_bar(offset, &val, sizeof(val), 1);
}

static void set64(uint64_t offset, uint64_t val)
{
	set32(offset, val);
	set32(offset + 4, val >> 32);
}

static void wait_ready(uint32_t want)
{
	uint32_t csts;

	for (int i = 0; i < 5000; i++) {
		access_bar(CSTS, &csts, sizeof(csts), 0);
		if ((csts & 1) == want)
			return;
		usleep(1000);
	}
	errx(1, "CSTS stays 0x%x", csts);
}

static void open_device(const char *bdf)
{
	struct vfio_region_info region = { .argsz = sizeof(region) };
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char link[PATH_MAX], path[PATH_MAX];
	uint16_t command;
	ssize_t len;
	int group;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		err(1, "%s", path);
	link[len] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", basename(link));
	container = open("/dev/vfio/vfio", O_RDWR);
	group = open(path, O_RDWR);
	if (container < 0 || group < 0)
		err(1, "%s", path);
	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) ||
	    !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		errx(1, "%s is not viable", path);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		err(1, "VFIO_GROUP_SET_CONTAINER");
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		err(1, "VFIO_SET_IOMMU");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device < 0)
		err(1, "VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(device, VFIO_DEVICE_RESET))
		err(1, "VFIO_DEVICE_RESET");

	region.index = VFIO_PCI_CONFIG_REGION_INDEX;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region))
		err(1, "configuration space");
	command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(device, &command, 2, region.offset + PCI_COMMAND) != 2)
		err(1, "PCI_COMMAND");
	region.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region))
		err(1, "BAR 0");
	bar = region.offset;
}

static void map_memory(void)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = IOVA,
		.size = SIZE,
	};

	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		err(1, "memory");
	map.vaddr = (uintptr_t)mem;
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		err(1, "VFIO_IOMMU_MAP_DMA");
}

/* Submission queue: first page; completion queue: second */
static void start(void)
{
	set32(CC, 0);
	wait_ready(0);
	set32(AQA, (QUEUE - 1) << 16 | (QUEUE - 1));
	set64(ASQ, IOVA);
	set64(ACQ, IOVA + PAGE);
	set32(CC, CC_ENABLE);
	wait_ready(1);
}

/* Command @n: the controller writes what it is to the page at @offset. */
static void identify(unsigned int n, uint64_t offset)
{
	volatile uint32_t *sqe = (volatile uint32_t *)(mem + n * 64);
	volatile uint32_t *cqe = (volatile uint32_t *)(mem + PAGE + n * 16);
	uint64_t prp = IOVA + offset;

	sqe[0] = n << 16 | IDENTIFY;
	sqe[6] = prp;
	sqe[7] = prp >> 32;
	sqe[10] = 1;		/* the controller */
	__sync_synchronize();
	set32(SQ0TDBL, n + 1);
	for (int i = 0; i < 5000 && !(cqe[3] & 1 << 16); i++)
		usleep(1000);
	if (cqe[3] >> 16 != 1)
		errx(1, "command %u: status 0x%x", n, cqe[3] >> 16);
	printf("serial %.20s\n", (const char *)mem + offset + SERIAL);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(1, "usage: vfio-nvme BDF");
	open_device(argv[1]);
	map_memory();
	start();
	identify(0, 2 * PAGE);
	identify(1, SIZE - PAGE);
	return 0;
}
