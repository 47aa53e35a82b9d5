// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-nvme BDF: what a driver in user space does. An NVMe controller that vfio-pci
 * has gets memory by VFIO, is started, and tells of itself by DMA, once at the
 * start of that memory and once at its end. Prints "serial" and what it says.
 *
 * vfio-nvme BDF N: in a guest behind VT-d in legacy mode, it goes on doing so while
 * all of the unit's caches are invalidated N times, and then while the unit is told N
 * times to use the root table that it uses. Nothing of the tables changes, so that
 * no DMA may be lost. The unit is driven by its registers, behind the back of the
 * guest's kernel, which has no reason to use it meanwhile. Prints for each
 * "hitless", what it was, and numbers: times, commands, of these still under way when
 * the unit was done, and lost, and pages with wrong bytes.
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
#include <time.h>
#include <unistd.h>

#define PAGE		4096ul
#define IOVA		0x10000000ul
#define SIZE		(64ul << 20)
#define QUEUE		256		/* entries; queue and answers begin on pages of their own */
#define COMMANDS	0ul		/* in the memory */
#define ANSWERS		(4 * PAGE)
#define PAGES		(5 * PAGE)	/* of data */

/* Registers, and what is written to them (NVMe base specification 2.0, 3.1.3) */
#define CC		0x14
#define CSTS		0x1c
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define SQ0TDBL		0x1000
#define CQ0HDBL		0x1004
#define CC_ENABLE	(4 << 20 | 6 << 16 | 1)
#define CSTS_CFS	2		/* fatal: it could not read a command */

#define IDENTIFY	0x06
#define SERIAL		4		/* in what it answers, 20 bytes */

/* Registers of VT-d (specification 4.1, 11.4) */
#define DMAR_TABLE	"/sys/firmware/acpi/tables/DMAR"
#define DRHD_BASE	56		/* in it, of the first unit (8.3) */
#define ECAP		0x10
#define ECAP_IRO(ecap)	(((ecap) >> 8 & 0x3ff) * 16)
#define GCMD		0x18
#define GSTS		0x1c
#define GSTS_STATES	0x96ffffff	/* not what a command does once (11.4.4.2) */
#define GCMD_SRTP	(1u << 30)
#define GCMD_QIE	(1u << 26)
#define CCMD		0x28
#define CCMD_GLOBAL	(1ull << 63 | 1ull << 61)
#define IOTLB_GLOBAL	(1ull << 63 | 1ull << 60 | 3ull << 48)
#define IQT		0x88

#define BURST		128		/* commands at a time */

static int container, device;
static uint64_t bar;
static volatile uint8_t *mem;
static uint64_t size = SIZE;
static unsigned int tail, head;		/* of the admin queue, counted on */
static volatile uint8_t *unit;

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
		.size = size,
	};

	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		err(1, "memory");
	map.vaddr = (uintptr_t)mem;
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		err(1, "VFIO_IOMMU_MAP_DMA");
}

/* The admin queue, emptied */
static void start(void)
{
	set32(CC, 0);
	wait_ready(0);
	tail = 0;
	head = 0;
	memset((void *)mem, 0, PAGES);
	set32(AQA, (QUEUE - 1) << 16 | (QUEUE - 1));
	set64(ASQ, IOVA + COMMANDS);
	set64(ACQ, IOVA + ANSWERS);
	set32(CC, CC_ENABLE);
	wait_ready(1);
}

/* The controller is to write what it is to the page at @offset. */
static void identify(uint64_t offset)
{
	volatile uint32_t *sqe = (volatile uint32_t *)(mem + COMMANDS + tail % QUEUE * 64);
	uint64_t prp = IOVA + offset;

	sqe[0] = tail << 16 | IDENTIFY;
	sqe[6] = prp;
	sqe[7] = prp >> 32;
	sqe[10] = 1;		/* the controller */
	tail++;
}

static void ring(void)
{
	__sync_synchronize();
	set32(SQ0TDBL, tail % QUEUE);
}

/* Has the controller answered command @n? */
static int answered(unsigned int n)
{
	volatile uint32_t *cqe = (volatile uint32_t *)(mem + ANSWERS + n % QUEUE * 16);

	return (cqe[3] >> 16 & 1) != n / QUEUE % 2;
}

/* What it answers to the next one: a status, or nothing at all */
static int reap(void)
{
	volatile uint32_t *cqe = (volatile uint32_t *)(mem + ANSWERS + head % QUEUE * 16);
	time_t end = time(NULL) + 10;
	uint32_t csts = 0;

	/* No sleep: an emulated processor may miss the interrupt that would wake it. */
	while (!answered(head)) {
		if (csts & CSTS_CFS || time(NULL) > end)
			return -1;
		access_bar(CSTS, &csts, sizeof(csts), 0);
	}
	return cqe[3] >> 17;
}

static void done(void)
{
	set32(CQ0HDBL, head % QUEUE);
}

static void tell(uint64_t offset)
{
	int status;

	identify(offset);
	ring();
	status = reap();
	if (status)
		errx(1, "command %u: status 0x%x", head, status);
	head++;
	done();
	printf("serial %.20s\n", (const char *)mem + offset + SERIAL);
}

static uint32_t unit_get32(unsigned int offset)
{
	return *(volatile uint32_t *)(unit + offset);
}

static uint64_t unit_get64(unsigned int offset)
{
	return *(volatile uint64_t *)(unit + offset);
}

static void unit_set64(unsigned int offset, uint64_t val)
{
	*(volatile uint64_t *)(unit + offset) = val;
}

static void open_unit(void)
{
	int table = open(DMAR_TABLE, O_RDONLY), all = open("/dev/mem", O_RDWR | O_SYNC);
	uint64_t base;

	if (table < 0 || pread(table, &base, sizeof(base), DRHD_BASE) != sizeof(base))
		err(1, DMAR_TABLE);
	unit = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, all, base);
	if (unit == MAP_FAILED)
		err(1, "the unit at 0x%llx", (unsigned long long)base);
}

/* One bit is set or cleared at a time; wait until GSTS says that it is so. */
static void command(uint32_t bit, uint32_t want)
{
	uint32_t states = unit_get32(GSTS) & GSTS_STATES & ~bit;

	*(volatile uint32_t *)(unit + GCMD) = states | want;
	for (int i = 0; i < 5000 && (unit_get32(GSTS) & bit) != want; i++)
		usleep(1000);
	if ((unit_get32(GSTS) & bit) != want)
		errx(1, "GSTS stays 0x%x", unit_get32(GSTS));
}

static void write_and_wait(unsigned int offset, uint64_t val)
{
	unit_set64(offset, val);
	for (int i = 0; i < 5000 && unit_get64(offset) & 1ull << 63; i++)
		usleep(1000);
	if (unit_get64(offset) & 1ull << 63)
		errx(1, "register 0x%x stays busy", offset);
}

static void invalidate(void)
{
	write_and_wait(CCMD, CCMD_GLOBAL);
	ring();
	write_and_wait(ECAP_IRO(unit_get64(ECAP)) + 8, IOTLB_GLOBAL);
}

/* As software does, which can't know whether the unit invalidates by itself. */
static void set_root(void)
{
	command(GCMD_SRTP, GCMD_SRTP);
	ring();
	invalidate();
}

static void dma_during(const char *what, void (*act)(void), unsigned int times)
{
	unsigned int commands = 0, flying = 0, lost = 0, wrong = 0;
	uint8_t *want = (uint8_t *)mem + PAGES, *pages = want + PAGE;

	for (unsigned int n = 0; n < times; n++) {
		unsigned int first = tail;

		memset(pages, 0, BURST * PAGE);
		/* The controller begins before the unit does, and gets the rest meanwhile. */
		for (int i = 0; i < BURST; i++) {
			if (i == BURST / 2)
				ring();
			identify(PAGES + PAGE + i * PAGE);
		}
		commands += BURST;
		act();
		for (unsigned int i = head; i != tail; i++)
			flying += !answered(i);
		for (; head != tail; head++) {
			if (reap()) {
				/* It may have stopped for good, and is started anew. */
				lost += tail - head;
				start();
				break;
			}
			wrong += !!memcmp(pages + (head - first) * PAGE, want, PAGE);
		}
		done();
	}
	printf("hitless %s: times %u commands %u under way %u lost %u wrong %u\n",
	       what, times, commands, flying, lost, wrong);
}

static void hitless(unsigned int times)
{
	open_unit();
	/* The kernel has a queue for this, and registers are for when that is off. */
	command(GCMD_QIE, 0);
	dma_during("invalidations", invalidate, times);
	dma_during("roots", set_root, times);
	/*
	 * The unit begins at the start of the queue again. So when the kernel goes on
	 * where it was, what it had put there is done once more, which hurts nobody.
	 */
	unit_set64(IQT, 0);
	command(GCMD_QIE, GCMD_QIE);
}

int main(int argc, char **argv)
{
	if (argc != 2 && argc != 3)
		errx(1, "usage: vfio-nvme BDF [N]");
	/* What is mapped without need is walked N times. */
	if (argc == 3)
		size = PAGES + (1 + BURST + 1) * PAGE;
	open_device(argv[1]);
	map_memory();
	start();
	tell(PAGES);
	tell(size - PAGE);
	if (argc == 3)
		hitless(strtoul(argv[2], NULL, 0));
	return 0;
}
