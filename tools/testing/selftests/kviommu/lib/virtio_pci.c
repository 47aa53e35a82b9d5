// SPDX-License-Identifier: GPL-2.0-only
#include "virtio_pci.h"

#include <sched.h>
#include <string.h>

u64 virtio_read(struct virtio_dev *v, u64 off, size_t len)
{
	u64 value = 0;

	if (vfio_bar_read(v->dev, 0, off, &value, len))
		return ~0ULL;
	return value;
}

int virtio_write(struct virtio_dev *v, u64 off, u64 value, size_t len)
{
	return vfio_bar_write(v->dev, 0, off, &value, len);
}

u64 virtio_device_features(struct virtio_dev *v)
{
	u64 features;

	virtio_write(v, VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	features = virtio_read(v, VIRTIO_PCI_COMMON_DF, 4) << 32;
	virtio_write(v, VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	return features | (u32)virtio_read(v, VIRTIO_PCI_COMMON_DF, 4);
}

void virtio_write_features(struct virtio_dev *v, u64 features)
{
	virtio_write(v, VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_GF, (u32)features, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_GF, features >> 32, 4);
}

int virtio_reset(struct virtio_dev *v)
{
	u64 end = now_ns() + PATIENCE_NS;
	int rc = virtio_set_status(v, 0);

	v->features = 0;
	if (rc)
		return rc;
	while (virtio_status(v)) {
		if (now_ns() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

int virtio_negotiate(struct virtio_dev *v, u64 wanted)
{
	u8 status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	int rc = virtio_reset(v);

	if (rc)
		return rc;
	virtio_set_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_set_status(v, status);
	virtio_write_features(v, wanted);
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	virtio_set_status(v, status);
	if (virtio_status(v) != status)
		return -EOPNOTSUPP;
	v->features = wanted;
	return 0;
}

void virtio_queue_layout(struct virtio_dev *v, u16 index, u16 size)
{
	struct vq *q = &v->vq[index];
	u8 *area = v->mem + VQ_AREA(index);

	memset(area, 0, VQ_AREA(1));
	q->index = index;
	q->size = size;
	q->avail_idx = 0;
	q->kicked_idx = 0;
	q->used_idx = 0;
	q->desc = (void *)(area + VQ_DESC);
	q->avail = (void *)(area + VQ_AVAIL);
	q->used = (void *)(area + VQ_USED);
}

int virtio_queue_enable(struct virtio_dev *v, u16 index, u64 desc, u64 avail,
			u64 used, u16 msix_vector)
{
	virtio_write(v, VIRTIO_PCI_COMMON_Q_SELECT, index, 2);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_SIZE, v->vq[index].size, 2);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_MSIX, msix_vector, 2);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_DESCLO, (u32)desc, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_DESCHI, desc >> 32, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_AVAILLO, (u32)avail, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_AVAILHI, avail >> 32, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_USEDLO, (u32)used, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_USEDHI, used >> 32, 4);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	return virtio_read(v, VIRTIO_PCI_COMMON_Q_ENABLE, 2) == 1 ? 0 : -EINVAL;
}

int virtio_start(struct virtio_dev *v, u64 wanted, u16 queue_size)
{
	u16 size[2] = { queue_size, queue_size < 256 ? queue_size : 256 };
	int rc = virtio_negotiate(v, wanted);
	u16 i;

	if (rc)
		return rc;
	for (i = 0; i < 2; i++) {
		virtio_queue_layout(v, i, size[i]);
		rc = virtio_queue_enable(v, i, vq_gpa(v, i, VQ_DESC),
					 vq_gpa(v, i, VQ_AVAIL),
					 vq_gpa(v, i, VQ_USED), i + 1);
		if (rc)
			return rc;
	}
	return virtio_set_status(v, virtio_status(v) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void vq_desc(struct vq *q, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	q->desc[i] = (struct vring_desc){
		.addr = addr, .len = len, .flags = flags, .next = next,
	};
}

void vq_set_avail_idx(struct vq *q, u16 idx)
{
	q->avail_idx = idx;
	__atomic_store_n(&q->avail->idx, idx, __ATOMIC_RELEASE);
}

void vq_push(struct vq *q, u16 head)
{
	q->avail->ring[q->avail_idx % q->size] = head;
	vq_set_avail_idx(q, q->avail_idx + 1);
}

void vq_notify(struct virtio_dev *v, u16 index)
{
	v->kicks++;
	virtio_write(v, VIRTIO_NOTIFY + index * VIRTIO_NOTIFY_MULT, index, 2);
}

u16 vq_avail_event(struct vq *q)
{
	return __atomic_load_n((u16 *)&q->used->ring[q->size], __ATOMIC_ACQUIRE);
}

void vq_set_used_event(struct vq *q, u16 idx)
{
	__atomic_store_n(&q->avail->ring[q->size], idx, __ATOMIC_SEQ_CST);
}

bool vq_kick(struct virtio_dev *v, u16 index)
{
	struct vq *q = &v->vq[index];
	u16 old = q->kicked_idx;
	bool wanted;

	q->kicked_idx = q->avail_idx;
	/* The index must be visible before the device's wish is read */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (v->features & VIRTIO_F(VIRTIO_RING_F_EVENT_IDX))
		wanted = vring_need_event(vq_avail_event(q), q->avail_idx, old);
	else
		wanted = !(__atomic_load_n(&q->used->flags, __ATOMIC_ACQUIRE) &
			   VRING_USED_F_NO_NOTIFY);
	if (wanted)
		vq_notify(v, index);
	return wanted;
}

int vq_pop(struct virtio_dev *v, u16 index, struct vring_used_elem *elem,
	   unsigned int timeout_ms)
{
	struct vq *q = &v->vq[index];
	unsigned int spins = 0;
	u64 end = 0;

	while (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->used_idx) {
		if (++spins < 1000)
			continue;
		if (!end)
			end = now_ns() + timeout_ms * 1000000ULL;
		if (virtio_status(v) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return -EIO;
		if (now_ns() > end)
			return -ETIMEDOUT;
		sched_yield();
		if (spins > 2000)
			sleep_ms(1);
	}
	*elem = q->used->ring[q->used_idx % q->size];
	q->used_idx++;
	return 0;
}
