/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-pci driver (virtio 1.3, 2.7 and 4.1) over the trapped BAR0 of a VFIO
 * device, with split rings in memory that the caller gives. It can do what a
 * driver must not do: every index and descriptor can be written by hand.
 */
#ifndef KVIOMMU_TEST_VIRTIO_PCI_H
#define KVIOMMU_TEST_VIRTIO_PCI_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "vfio.h"

/* Structures in BAR0 */
#define VIRTIO_COMMON		0x0000
#define VIRTIO_ISR		0x1000
#define VIRTIO_DEVICE_CFG	0x2000
#define VIRTIO_NOTIFY		0x3000
#define VIRTIO_NOTIFY_MULT	4

#define VIRTIO_F(bit)		(1ULL << (bit))

/* Layout of the driver's own guest memory, as offsets in it */
#define VQ_AREA(index)		((index) * 0x8000ULL)
#define VQ_DESC			0x0000
#define VQ_AVAIL		0x4000
#define VQ_USED			0x5000
#define VQ_BUFFERS		0x10000ULL	/* VQ_SLOTS of VQ_SLOT_SIZE */
#define VQ_TABLES		0x50000ULL	/* indirect, VQ_TABLE_SIZE each */
#define VQ_EVENTS		0x60000ULL
#define VQ_MEMORY		0x70000ULL	/* size of all of this */
#define VQ_SLOTS		256
#define VQ_SLOT_SIZE		1024
#define VQ_SLOT_DESCS		4
#define VQ_TABLE_SIZE		(VQ_SLOT_DESCS * sizeof(struct vring_desc))

struct vq {
	u16 index;
	u16 size;
	u16 avail_idx;		/* next to publish */
	u16 kicked_idx;		/* avail_idx at the last look at need_kick */
	u16 used_idx;		/* next to take */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

struct virtio_dev {
	struct vfio_dev *dev;
	u8 *mem;		/* VQ_MEMORY bytes */
	u64 gpa;		/* of mem */
	u64 features;		/* negotiated */
	struct vq vq[2];
	u64 kicks;		/* notifications really sent */
};

u64 virtio_read(struct virtio_dev *v, u64 off, size_t len);
int virtio_write(struct virtio_dev *v, u64 off, u64 value, size_t len);
static inline u8 virtio_status(struct virtio_dev *v)
{
	return virtio_read(v, VIRTIO_PCI_COMMON_STATUS, 1);
}

static inline int virtio_set_status(struct virtio_dev *v, u8 status)
{
	return virtio_write(v, VIRTIO_PCI_COMMON_STATUS, status, 1);
}

u64 virtio_device_features(struct virtio_dev *v);
void virtio_write_features(struct virtio_dev *v, u64 features);
/* Waits until the device says that it is reset */
int virtio_reset(struct virtio_dev *v);
/* Reset up to FEATURES_OK; -EOPNOTSUPP when the device refuses */
int virtio_negotiate(struct virtio_dev *v, u64 wanted);
/* Rings at their usual places, clean; not enabled */
void virtio_queue_layout(struct virtio_dev *v, u16 index, u16 size);
/* Size and addresses to the registers, then enable */
int virtio_queue_enable(struct virtio_dev *v, u16 index, u64 desc, u64 avail,
			u64 used, u16 msix_vector);
/* Everything up to DRIVER_OK */
int virtio_start(struct virtio_dev *v, u64 wanted, u16 queue_size);

static inline u64 vq_gpa(struct virtio_dev *v, u16 index, u64 part)
{
	return v->gpa + VQ_AREA(index) + part;
}

void vq_desc(struct vq *q, u16 i, u64 addr, u32 len, u16 flags, u16 next);
void vq_push(struct vq *q, u16 head);		/* one chain, published */
void vq_set_avail_idx(struct vq *q, u16 idx);
void vq_notify(struct virtio_dev *v, u16 index);/* always */
bool vq_kick(struct virtio_dev *v, u16 index);	/* when the device wants it */
/* The next used element; -ETIMEDOUT, or -EIO on DEVICE_NEEDS_RESET */
int vq_pop(struct virtio_dev *v, u16 index, struct vring_used_elem *elem,
	   unsigned int timeout_ms);
void vq_set_used_event(struct vq *q, u16 idx);
u16 vq_avail_event(struct vq *q);

#endif
