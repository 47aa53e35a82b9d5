/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of a virtio vIOMMU: its driver, as the specification has it
 * and as broken as a test wants it.
 */
#ifndef KVIOMMU_TESTS_GUEST_H
#define KVIOMMU_TESTS_GUEST_H

#include <linux/kmsg_dump.h>
#include <linux/virtio_iommu.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/virtio_config.h>
#include <uapi/linux/virtio_pci.h>

#include "mock.h"
#include "virtio.h"

#define GUEST_CHUNKS	4
#define GUEST_PT	7		/* the VMM's page table */

/* Guest physical addresses */
#define GUEST_RINGS	0x10000
#define GUEST_TABLE	0x80000		/* for indirect descriptors */
#define GUEST_BUF	0x90ff0		/* over the end of a page */
#define GUEST_FREE	0x200000	/* to be mapped */

/* BAR 0, from 4.1.4 */
#define REG_DEVICE_FEATURE_SELECT	0x00
#define REG_DEVICE_FEATURE		0x04
#define REG_DRIVER_FEATURE_SELECT	0x08
#define REG_DRIVER_FEATURE		0x0c
#define REG_CONFIG_MSIX_VECTOR		0x10
#define REG_NUM_QUEUES			0x12
#define REG_DEVICE_STATUS		0x14
#define REG_CONFIG_GENERATION		0x15
#define REG_QUEUE_SELECT		0x16
#define REG_QUEUE_SIZE			0x18
#define REG_QUEUE_MSIX_VECTOR		0x1a
#define REG_QUEUE_ENABLE		0x1c
#define REG_QUEUE_NOTIFY_OFF		0x1e
#define REG_QUEUE_DESC			0x20
#define REG_QUEUE_DRIVER		0x28
#define REG_QUEUE_DEVICE		0x30
#define REG_ISR				0x1000
#define REG_CONFIG			0x2000
#define REG_NOTIFY			0x3000

#define STATUS_READY	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_FEATURES_OK)

#define GUEST_ALL_FEATURES	(~0ULL)

struct guest_vq {
	u64 desc;
	u64 avail;
	u64 used;
	u16 size;
	u16 next;	/* available index */
	u16 seen;	/* used index */
};

/**
 * struct guest - a driver
 * @log: where in the kernel's log it has read to
 */
struct guest {
	struct mock *m;
	struct kviommu *v;
	struct kviommu_virtio *vi;
	u64 features;
	struct guest_vq vq[KVIOMMU_NR_VQS];
	struct kmsg_dump_iter log;
	char line[512];
};

struct guest *guest_create(struct kunit *test, enum mock_layout layout,
			   bool demand);
void guest_exit(struct kunit *test);
u64 guest_read(struct guest *g, u32 reg, size_t len);
void guest_write(struct guest *g, u32 reg, size_t len, u64 val);
void guest_write_addr(struct guest *g, u32 reg, u64 addr);
u8 guest_status(struct guest *g);
void guest_negotiate(struct guest *g, u64 features);
void guest_setup_queue(struct guest *g, unsigned int q, u16 size);
void guest_start(struct guest *g, u64 features);
void guest_put(struct guest *g, u64 gpa, const void *buf, size_t len);
void guest_get(struct guest *g, u64 gpa, void *buf, size_t len);
void guest_set16(struct guest *g, u64 gpa, u16 val);
u16 guest_get16(struct guest *g, u64 gpa);
void guest_desc(struct guest *g, u64 table, u16 i, u64 addr, u32 len, u16 flags,
		u16 next);
void guest_avail(struct guest *g, unsigned int q, u16 head);
void guest_kick(struct guest *g, unsigned int q);
bool guest_used(struct guest *g, unsigned int q, u32 *head, u32 *len);
int guest_request(struct guest *g, const void *req, size_t rlen, void *reply,
		  size_t wlen);
int guest_map(struct guest *g, u32 domain, u64 first, u64 last, u64 gpa,
	      u32 flags);
int guest_unmap(struct guest *g, u32 domain, u64 first, u64 last);
int guest_attach(struct guest *g, u32 domain, u32 endpoint, u32 flags);
int guest_detach(struct guest *g, u32 domain, u32 endpoint);
struct mock_dev *guest_add_dev(struct guest *g, unsigned int iommu, u32 id,
			       struct mock_dev *peer);
void guest_log_skip(struct guest *g);
bool guest_log_has(struct guest *g, const char *what, const char **line);

#endif /* KVIOMMU_TESTS_GUEST_H */
