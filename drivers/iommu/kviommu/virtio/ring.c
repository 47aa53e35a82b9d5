// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueue, device side (virtio 1.3 2.7).
 *
 * The ring is guest memory that the guest may change at any moment: every
 * field is read once into a local variable and checked there. What a driver
 * must not do and no status can answer (an index that jumps, a loop, flags
 * that make no sense) ends in DEVICE_NEEDS_RESET.
 *
 * vringh would be the kernel's own, but its accessors translate each address
 * in a vhost IOTLB, and no kernel configuration offers it to other modules.
 */
#include <uapi/linux/virtio_config.h>
#include <uapi/linux/virtio_pci.h>

#include "virtio.h"

/* The rings are little endian, and indexes are read and written whole. */
static u16 ring_get16(const struct kviommu_window *w, size_t offset)
{
	return le16_to_cpu(READ_ONCE(*(__le16 *)(w->va + offset)));
}

static void ring_set16(const struct kviommu_window *w, size_t offset, u16 val)
{
	WRITE_ONCE(*(__le16 *)(w->va + offset), cpu_to_le16(val));
}

static void ring_set32(const struct kviommu_window *w, size_t offset, u32 val)
{
	WRITE_ONCE(*(__le32 *)(w->va + offset), cpu_to_le32(val));
}

#define AVAIL_FLAGS	offsetof(struct vring_avail, flags)
#define AVAIL_IDX	offsetof(struct vring_avail, idx)
#define AVAIL_RING	offsetof(struct vring_avail, ring)
#define USED_FLAGS	offsetof(struct vring_used, flags)
#define USED_IDX	offsetof(struct vring_used, idx)
#define USED_RING	offsetof(struct vring_used, ring)

/* Sizes are powers of two (2.7). */
static u16 slot(const struct kviommu_vq *vq, u16 index)
{
	return index & (vq->size - 1);
}

static size_t used_event(const struct kviommu_vq *vq)
{
	return AVAIL_RING + vq->size * sizeof(__le16);
}

static size_t avail_event(const struct kviommu_vq *vq)
{
	return USED_RING + vq->size * sizeof(struct vring_used_elem);
}

/**
 * kviommu_vq_ready() - have the areas of a queue at hand
 * @vi: model
 * @vq: queue, enabled
 *
 * Return: 0; -EFAULT if they are not in guest memory, the device then needs a
 * reset; -EAGAIN if they were, and the VMM has taken that memory away.
 */
int kviommu_vq_ready(struct kviommu_virtio *vi, struct kviommu_vq *vq)
{
	struct kviommu_gmem *g = &vi->v->gmem;

	if (likely(vq->desc.va && vq->driver.va && vq->device.va))
		return 0;
	if (kviommu_window_get(g, &vq->desc) ||
	    kviommu_window_get(g, &vq->driver) ||
	    kviommu_window_get(g, &vq->device)) {
		if (vq->seen)
			return -EAGAIN;
		kviommu_virtio_needs_reset(vi, "a queue is outside of guest memory");
		return -EFAULT;
	}
	vq->seen = true;
	return 0;
}

/**
 * kviommu_vq_disable() - forget a queue
 * @vi: model
 * @vq: queue
 */
void kviommu_vq_disable(struct kviommu_virtio *vi, struct kviommu_vq *vq)
{
	struct kviommu_gmem *g = &vi->v->gmem;
	struct kviommu_seg *segs = vq->segs;
	u16 max = vq->max;

	if (vq->enabled) {
		kviommu_window_put(g, &vq->desc);
		kviommu_window_put(g, &vq->driver);
		kviommu_window_put(g, &vq->device);
	}
	memset(vq, 0, sizeof(*vq));
	vq->segs = segs;
	vq->max = max;
	vq->size = max;
	vq->vector = VIRTIO_MSI_NO_VECTOR;
}

static const char *desc_error(u16 flags, bool in_table, bool writing)
{
	if (flags & ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE |
		      VRING_DESC_F_INDIRECT))
		return "a descriptor has unknown flags";
	/* 2.7.5.3.1; its write flag is to be ignored (2.7.5.3.2). */
	if (flags & VRING_DESC_F_INDIRECT)
		return in_table ? "an indirect table names another one" :
		       flags & VRING_DESC_F_NEXT ?
		       "an indirect descriptor is not the last one" : NULL;
	if (writing && !(flags & VRING_DESC_F_WRITE))
		return "a readable descriptor follows a writable one";
	return NULL;
}

/* The largest request but PROBE, in words; a copy of known size is cheap. */
#define COPY_WORDS	5

struct words {
	u64 word[COPY_WORDS];
} __packed __aligned(1);

static_assert(offsetof(struct virtio_iommu_req_map, tail) <=
	      sizeof(struct words));

/* Keep a readable part: copy what the largest request needs. */
static int add_readable(struct kviommu_virtio *vi, struct kviommu_chain *c,
			u64 gpa, u32 len)
{
	u32 n = 0;
	int rc = 0;

	/* One buffer with all of it is what drivers send: copy by words. */
	if (!c->nread && len <= COPY_WORDS * sizeof(u64)) {
		const struct words *va;

		va = kviommu_gmem_ptr(&vi->v->gmem, gpa, sizeof(*va), false);
		if (va) {
			*(struct words *)c->buf = *va;
			barrier();
			c->nread = len;
			return 0;
		}
	}

	if (c->nread < sizeof(c->buf))
		n = min_t(u64, len, sizeof(c->buf) - c->nread);
	if (n)
		rc = kviommu_gmem_copy(&vi->v->gmem, gpa, c->buf + c->nread, n,
				       false);
	c->nread += len;
	return rc;
}

static int fail(struct kviommu_virtio *vi, const char *why)
{
	kviommu_virtio_needs_reset(vi, why);
	return -EINVAL;
}

static int walk_chain(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		      struct kviommu_chain *c)
{
	unsigned int left = vq->size, entries = vq->size;
	const struct vring_desc *descs = vq->desc.va;
	bool in_table = false;
	u16 i = c->head;
	u64 table = 0;

	c->nsegs = 0;
	c->nread = 0;
	c->nwrite = 0;
	for (;;) {
		struct vring_desc desc;
		const char *why;
		u16 flags;
		u64 addr;
		u32 len;

		if (i >= entries)
			return fail(vi, "a descriptor index is out of range");
		if (likely(descs))
			desc = descs[i];
		else if (kviommu_gmem_copy(&vi->v->gmem,
					   table + i * sizeof(desc), &desc,
					   sizeof(desc), false))
			return fail(vi, "an indirect table is outside of guest memory");
		/* The copy is what counts, not what memory says next. */
		barrier();
		flags = le16_to_cpu((__force __le16)desc.flags);
		addr = le64_to_cpu((__force __le64)desc.addr);
		len = le32_to_cpu((__force __le32)desc.len);

		why = desc_error(flags, in_table, c->nsegs);
		if (why)
			return fail(vi, why);
		if (flags & VRING_DESC_F_INDIRECT) {
			if (!kviommu_virtio_has(vi, VIRTIO_RING_F_INDIRECT_DESC))
				return fail(vi, "an indirect descriptor, which was not negotiated");
			if (!len || len % sizeof(desc) ||
			    len / sizeof(desc) > vq->size)
				return fail(vi, "an indirect table has a bad size");
			if (addr + len < addr)
				return fail(vi, "an indirect table is outside of guest memory");
			in_table = true;
			table = addr;
			descs = kviommu_gmem_ptr(&vi->v->gmem, addr, len,
						 false);
			entries = len / sizeof(desc);
			i = 0;
			continue;
		}
		/* 2.7.5.3.1; @segs has room for this many. */
		if (!left--)
			return fail(vi, "a descriptor chain is longer than its queue");
		if (addr + len < addr)
			return fail(vi, "a buffer is outside of guest memory");
		if (flags & VRING_DESC_F_WRITE) {
			vq->segs[c->nsegs++] = (struct kviommu_seg){ addr, len };
			c->nwrite += len;
		} else if (add_readable(vi, c, addr, len)) {
			return fail(vi, "a buffer is outside of guest memory");
		}
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16_to_cpu((__force __le16)desc.next);
	}
}

/**
 * kviommu_vq_pending() - are there chains to take
 * @vq: queue, ready
 */
bool kviommu_vq_pending(const struct kviommu_vq *vq)
{
	return ring_get16(&vq->driver, AVAIL_IDX) != vq->avail;
}

/**
 * kviommu_vq_take() - take the next chain from a queue
 * @vi: model
 * @vq: queue, ready
 * @c: result; its writable parts are in @vq->segs until the next call
 *
 * Return: 1 with a chain; 0 if there is none; -EINVAL if the driver broke a
 * rule, the device needs a reset then.
 */
int kviommu_vq_take(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		    struct kviommu_chain *c)
{
	int rc;

	if (vq->avail == vq->avail_seen) {
		u16 idx = ring_get16(&vq->driver, AVAIL_IDX);

		if (idx == vq->avail)
			return 0;
		if ((u16)(idx - vq->avail) > vq->size)
			return fail(vi, "the available index jumped");
		vq->avail_seen = idx;
		/* Entries are written before the index (2.7.13.3.1). */
		smp_rmb();
	}
	c->head = ring_get16(&vq->driver, AVAIL_RING +
			     slot(vq, vq->avail) * sizeof(__le16));
	rc = walk_chain(vi, vq, c);
	if (rc)
		return rc;
	vq->avail++;
	return 1;
}

/**
 * kviommu_vq_put() - give a chain back
 * @vq: queue
 * @head: of the chain
 * @written: bytes written, from the first writable one on
 *
 * The driver sees it at kviommu_vq_publish().
 */
void kviommu_vq_put(struct kviommu_vq *vq, u16 head, u32 written)
{
	size_t at = USED_RING +
		    slot(vq, vq->used) * sizeof(struct vring_used_elem);

	ring_set32(&vq->device, at, head);
	ring_set32(&vq->device, at + sizeof(__le32), written);
	vq->used++;
}

static bool driver_wants_irq(struct kviommu_virtio *vi, struct kviommu_vq *vq,
			     u16 old)
{
	/* Index before flags or event (2.7.7.2). */
	smp_mb();
	if (!kviommu_virtio_has(vi, VIRTIO_RING_F_EVENT_IDX))
		return !(ring_get16(&vq->driver, AVAIL_FLAGS) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(ring_get16(&vq->driver, used_event(vq)),
				vq->used, old);
}

/**
 * kviommu_vq_publish() - show the driver all chains that were given back
 * @vi: model
 * @vq: queue, ready
 */
void kviommu_vq_publish(struct kviommu_virtio *vi, struct kviommu_vq *vq)
{
	u16 old = vq->published;

	if (old == vq->used)
		return;
	/* Entries before the index (2.7.8.1). */
	smp_wmb();
	ring_set16(&vq->device, USED_IDX, vq->used);
	vq->published = vq->used;
	if (!driver_wants_irq(vi, vq, old))
		return;
	if (!kviommu_irq_msix(vi->v, vq->vector)) {
		vi->isr |= BIT(0);
		kviommu_irq_intx(vi->v, true);
	}
}

/**
 * kviommu_vq_notify() - ask the driver for notifications, or not
 * @vi: model
 * @vq: queue, ready
 * @on: which
 *
 * Return: true if chains are waiting, and no notification will come for them.
 */
bool kviommu_vq_notify(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		       bool on)
{
	if (kviommu_virtio_has(vi, VIRTIO_RING_F_EVENT_IDX)) {
		/*
		 * An event index that has passed asks for nothing for nearly
		 * 2^16 entries; one notification then is harmless.
		 */
		ring_set16(&vq->device, avail_event(vq),
			   on ? vq->avail : vq->avail - 1);
	} else {
		ring_set16(&vq->device, USED_FLAGS,
			   on ? 0 : VRING_USED_F_NO_NOTIFY);
	}
	if (!on)
		return false;
	/* The driver writes its index, then looks whether to notify. */
	smp_mb();
	return kviommu_vq_pending(vq);
}

/**
 * kviommu_vq_ptr() - where a part of the writable part of a chain is
 * @vi: model
 * @vq: queue the chain was taken from last
 * @c: chain
 * @offset: bytes into its writable part
 * @len: bytes
 *
 * Return: NULL where only kviommu_vq_write() will do, if that.
 */
void *kviommu_vq_ptr(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		     const struct kviommu_chain *c, u64 offset, size_t len)
{
	if (c->nsegs != 1 || offset + len > vq->segs[0].len)
		return NULL;
	return kviommu_gmem_ptr(&vi->v->gmem, vq->segs[0].gpa + offset, len,
				true);
}

/**
 * kviommu_vq_write() - write to the writable part of a chain
 * @vi: model
 * @vq: queue the chain was taken from last
 * @c: chain
 * @offset: bytes into its writable part
 * @buf: data
 * @len: bytes
 *
 * Return: 0, or an errno if a buffer is not in guest memory.
 */
int kviommu_vq_write(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		     const struct kviommu_chain *c, u64 offset,
		     const void *buf, size_t len)
{
	const struct kviommu_seg *seg = vq->segs;
	unsigned int i;

	for (i = 0; i < c->nsegs && len; i++, seg++) {
		size_t n;
		int rc;

		if (offset >= seg->len) {
			offset -= seg->len;
			continue;
		}
		n = min_t(u64, len, seg->len - offset);
		rc = kviommu_gmem_copy(&vi->v->gmem, seg->gpa + offset,
				       (void *)buf, n, true);
		if (rc)
			return rc;
		buf += n;
		len -= n;
		offset = 0;
	}
	return 0;
}
