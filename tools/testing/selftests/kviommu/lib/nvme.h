/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NVMe controller, driven from here: one queue for commands and an admin queue,
 * one command at a time, no interrupts. All addresses are the device's: who puts an
 * IOMMU in between decides what they lead to.
 */
#ifndef KVIOMMU_TEST_NVME_H
#define KVIOMMU_TEST_NVME_H

#include "vmm.h"

#define NVME_VENDOR	0x1b36	/* QEMU's */
#define NVME_DEVICE	0x0010

/* What the driver needs for itself, in pages */
#define NVME_PAGES	5
/* Most that a command moves: a page has a list of the others. */
#define NVME_MAX	(128 * KiB)

#define NVME_SERIAL	4	/* in what the controller says of itself, 20 bytes */

struct nvme_queue {
	volatile u32 *commands;
	volatile u32 *completions;
	u64 doorbell;
	unsigned int tail;	/* of commands, all that there ever were */
};

struct nvme {
	struct vfio_dev dev;
	u8 *mem;		/* NVME_PAGES of them */
	u64 iova;		/* where the device finds them */
	struct nvme_queue admin;
	struct nvme_queue io;
	u64 blocks;
	u32 block_size;
};

/*
 * Functions that send a command return its status, 0 if that is success, or a
 * negative errno. A page is one of the device's, aligned.
 */

/*
 * Assign QEMU's disk to the vIOMMU as an endpoint; not one of host->endpoints, which
 * are edu devices. -ENODEV if there is none
 */
int nvme_assign(const struct host *host, u32 id, char (*bdf)[BDF_LEN]);

/* Start a device that is bound and attached, with its registers queried */
int nvme_start(struct nvme *n, u8 *mem, u64 iova);
void nvme_stop(struct nvme *n);
/* What the controller says of itself, to a page */
int nvme_identify(struct nvme *n, u64 page);
/* Make the queue, and ask how large the disk is; a page for the answer is at va */
int nvme_open_disk(struct nvme *n, u64 page, const void *va);
/* Whole blocks, up to NVME_MAX bytes, from or to pages side by side */
int nvme_move(struct nvme *n, bool write, u64 offset, u64 page, u32 bytes);
int nvme_flush(struct nvme *n);

#endif
