// SPDX-License-Identifier: GPL-2.0-only
#include "nvme.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Registers, and what is written to them (NVMe base specification 2.0, 3.1.3) */
#define CC		0x14
#define CSTS		0x1c
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define DOORBELLS	0x1000	/* of queue n: + 8 * n, of its completions + 4 */
#define CC_ENABLE	(4 << 20 | 6 << 16 | 1)

#define ENTRIES		16	/* of each queue */

enum {
	ADMIN_CREATE_SQ = 0x01,
	ADMIN_CREATE_CQ = 0x05,
	ADMIN_IDENTIFY = 0x06,
	IO_FLUSH = 0x00,
	IO_WRITE = 0x01,
	IO_READ = 0x02,
};

/* The driver's pages */
enum { PAGE_ASQ, PAGE_ACQ, PAGE_SQ, PAGE_CQ, PAGE_LIST };

int nvme_assign(const struct host *host, u32 id, char (*bdf)[BDF_LEN])
{
	char text[16];
	int rc;

	if (pci_find(NVME_VENDOR, NVME_DEVICE, bdf, 1) < 1)
		return -ENODEV;
	snprintf(text, sizeof(text), "0x%x", id);
	rc = pci_set_driver(*bdf, KVIOMMU_DRIVER);
	return rc ?: mdev_assign(&host->mdev, *bdf, text);
}

static void set32(struct nvme *n, u64 reg, u32 val)
{
	vfio_bar_write(&n->dev, 0, reg, &val, sizeof(val));
}

static void set64(struct nvme *n, u64 reg, u64 val)
{
	set32(n, reg, val);
	set32(n, reg + 4, val >> 32);
}

static int wait_ready(struct nvme *n, u32 want)
{
	u64 end = now_ns() + PATIENCE_NS;
	u32 csts;
	int rc;

	do {
		rc = vfio_bar_read(&n->dev, 0, CSTS, &csts, sizeof(csts));
		if (rc || (csts & 1) == want)
			return rc;
		sleep_ms(1);
	} while (now_ns() < end);
	return -ETIMEDOUT;
}

static void queue_init(struct nvme *n, struct nvme_queue *q, unsigned int page,
		       unsigned int id)
{
	q->commands = (volatile u32 *)(n->mem + page * PAGE);
	q->completions = (volatile u32 *)(n->mem + (page + 1) * PAGE);
	q->doorbell = DOORBELLS + 8 * id;
	q->tail = 0;
}

/* The first word gets an id. */
static int command(struct nvme *n, struct nvme_queue *q, const u32 *words)
{
	unsigned int slot = q->tail % ENTRIES, i;
	/* The phase bit is 1 in the first round, then 0, and so on. */
	u32 phase = q->tail / ENTRIES % 2 ? 0 : 1 << 16;
	u64 end = now_ns() + PATIENCE_NS;
	u32 status;

	for (i = 1; i < 16; i++)
		q->commands[slot * 16 + i] = words[i];
	q->commands[slot * 16] = words[0] | slot << 16;
	q->tail++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	set32(n, q->doorbell, q->tail % ENTRIES);
	for (;;) {
		status = q->completions[slot * 4 + 3];
		if ((status & 1 << 16) == phase)
			break;
		if (now_ns() > end)
			return -ETIMEDOUT;
		usleep(20);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	set32(n, q->doorbell + 4, q->tail % ENTRIES);
	return status >> 17;
}

static void set_page(u32 *words, unsigned int prp, u64 page)
{
	words[6 + 2 * prp] = page;
	words[7 + 2 * prp] = page >> 32;
}

int nvme_start(struct nvme *n, u8 *mem, u64 iova)
{
	int rc;

	n->mem = mem;
	n->iova = iova;
	memset(mem, 0, NVME_PAGES * PAGE);
	queue_init(n, &n->admin, PAGE_ASQ, 0);
	queue_init(n, &n->io, PAGE_SQ, 1);
	set32(n, CC, 0);
	rc = wait_ready(n, 0);
	if (rc)
		return rc;
	set32(n, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	set64(n, ASQ, iova + PAGE_ASQ * PAGE);
	set64(n, ACQ, iova + PAGE_ACQ * PAGE);
	set32(n, CC, CC_ENABLE);
	return wait_ready(n, 1);
}

void nvme_stop(struct nvme *n)
{
	set32(n, CC, 0);
	wait_ready(n, 0);
}

static int identify(struct nvme *n, u32 nsid, u32 what, u64 page)
{
	u32 words[16] = { ADMIN_IDENTIFY, nsid, [10] = what };

	set_page(words, 0, page);
	return command(n, &n->admin, words);
}

int nvme_identify(struct nvme *n, u64 page)
{
	return identify(n, 0, 1, page);
}

/* Both are in one piece, and there is no interrupt. */
static int create_queues(struct nvme *n)
{
	u32 cq[16] = { ADMIN_CREATE_CQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 1 };
	u32 sq[16] = { ADMIN_CREATE_SQ, [10] = (ENTRIES - 1) << 16 | 1,
		       [11] = 1 << 16 | 1 };

	set_page(cq, 0, n->iova + PAGE_CQ * PAGE);
	set_page(sq, 0, n->iova + PAGE_SQ * PAGE);
	return command(n, &n->admin, cq) ?: command(n, &n->admin, sq);
}

int nvme_open_disk(struct nvme *n, u64 page, const void *va)
{
	const u8 *ns = va;
	int rc = create_queues(n) ?: identify(n, 1, 0, page);
	u32 format;

	if (rc)
		return rc;
	memcpy(&n->blocks, ns, sizeof(n->blocks));
	memcpy(&format, ns + 128 + 4 * (ns[26] & 15), sizeof(format));
	n->block_size = 1u << (format >> 16 & 31);
	return 0;
}

int nvme_move(struct nvme *n, bool write, u64 offset, u64 page, u32 bytes)
{
	volatile u64 *list = (volatile u64 *)(n->mem + PAGE_LIST * PAGE);
	u32 words[16] = { write ? IO_WRITE : IO_READ, 1 };
	u64 block = offset / n->block_size;
	unsigned int i, pages = (bytes + PAGE - 1) / PAGE;

	set_page(words, 0, page);
	for (i = 1; i < pages; i++)
		list[i - 1] = page + i * PAGE;
	if (pages == 2)
		set_page(words, 1, page + PAGE);
	else if (pages > 2)
		set_page(words, 1, n->iova + PAGE_LIST * PAGE);
	words[10] = block;
	words[11] = block >> 32;
	words[12] = bytes / n->block_size - 1;
	return command(n, &n->io, words);
}

int nvme_flush(struct nvme *n)
{
	const u32 words[16] = { IO_FLUSH, 1 };

	return command(n, &n->io, words);
}
