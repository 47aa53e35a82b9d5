// SPDX-License-Identifier: GPL-2.0-only
#include "edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "mdev.h"

#define EDU_BAR_SIZE	MiB
#define EDU_IRQ_RAISE	0x60
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_CMD_START	0x1
#define EDU_CMD_TO_RAM	0x2
#define EDU_BUFFER_ADDR	0x40000

#define PATTERN		64

static int map_registers(struct edu *edu, int fd, u64 offset)
{
	void *bar = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, offset);

	if (bar == MAP_FAILED)
		return -errno;
	edu->bar = bar;
	return 0;
}

int edu_map_bar(struct edu *edu)
{
	int rc = vfio_query_regions(&edu->dev);

	return rc ?: map_registers(edu, edu->dev.fd, edu->dev.bar_offset[0]);
}

int edu_map_sysfs(struct edu *edu, const char *bdf)
{
	u16 cmd = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	char path[512];
	int fd, rc = 0;

	edu->dev.fd = -1;
	edu->bar = NULL;
	pci_path(bdf, "config", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, &cmd, sizeof(cmd), PCI_COMMAND) != sizeof(cmd))
		rc = -EIO;
	close(fd);
	if (rc)
		return rc;
	pci_path(bdf, "resource0", path, sizeof(path));
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = map_registers(edu, fd, 0);
	close(fd);
	return rc;
}

void edu_unmap_bar(struct edu *edu)
{
	if (edu->bar)
		munmap((void *)edu->bar, EDU_BAR_SIZE);
	edu->bar = NULL;
}

void edu_close(struct edu *edu)
{
	edu_unmap_bar(edu);
	vfio_close(&edu->dev);
}

/* As the kernel's writeq(): what was written to memory before is seen first */
static void reg_write(struct edu *edu, u32 reg, u64 value)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*(volatile u64 *)(edu->bar + reg) = value;
}

void edu_interrupt(struct edu *edu)
{
	*(volatile u32 *)(edu->bar + EDU_IRQ_RAISE) = 1;
	*(volatile u32 *)(edu->bar + EDU_IRQ_ACK) = 1;
}

static u64 reg_read(struct edu *edu, u32 reg)
{
	return *(volatile u64 *)(edu->bar + reg);
}

void edu_start_load(struct edu *edu, u64 iova, u32 len)
{
	reg_write(edu, EDU_DMA_SRC, iova);
	reg_write(edu, EDU_DMA_DST, EDU_BUFFER_ADDR);
	reg_write(edu, EDU_DMA_COUNT, len);
	reg_write(edu, EDU_DMA_CMD, EDU_CMD_START);
}

void edu_start_store(struct edu *edu, u64 iova, u32 len)
{
	reg_write(edu, EDU_DMA_SRC, EDU_BUFFER_ADDR);
	reg_write(edu, EDU_DMA_DST, iova);
	reg_write(edu, EDU_DMA_COUNT, len);
	reg_write(edu, EDU_DMA_CMD, EDU_CMD_START | EDU_CMD_TO_RAM);
}

int edu_wait(struct edu *edu)
{
	u64 end = now_ns() + PATIENCE_NS;

	while (reg_read(edu, EDU_DMA_CMD) & EDU_CMD_START) {
		if (now_ns() > end)
			return -ETIMEDOUT;
		sleep_ms(5);
	}
	return 0;
}

/* While a DMA is under way, a tenth of a second, it takes no other. */
static int fresh_pattern(struct edu *edu, void *pattern)
{
	int rc = edu_wait(edu);

	if (rc)
		return rc;
	return getrandom(pattern, PATTERN, 0) == PATTERN ? 0 : -EIO;
}

int edu_can_write(struct edu *edu, u64 iova, void *va)
{
	u8 pattern[PATTERN];
	int rc = fresh_pattern(edu, pattern);

	if (rc)
		return rc;
	memcpy(va, pattern, PATTERN);
	edu_start_store(edu, iova, PATTERN);
	rc = edu_wait(edu);
	return rc ?: !!memcmp(va, pattern, PATTERN);
}

int edu_can_read(struct edu *edu, u64 iova, void *va, u64 out_iova,
		 void *out_va)
{
	u8 pattern[PATTERN], other[PATTERN];
	int rc = fresh_pattern(edu, pattern) ?: fresh_pattern(edu, other);

	if (rc)
		return rc;
	memcpy(va, pattern, PATTERN);
	edu_start_load(edu, iova, PATTERN);
	rc = edu_wait(edu);
	if (rc)
		return rc;
	memcpy(out_va, other, PATTERN);
	edu_start_store(edu, out_iova, PATTERN);
	rc = edu_wait(edu);
	if (rc)
		return rc;
	if (!memcmp(out_va, other, PATTERN))
		return -ENXIO;	/* the way out is closed: nothing was learnt */
	return !memcmp(out_va, pattern, PATTERN);
}
