/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio-iommu model (virtio 1.3 5.13) on a modern virtio-pci device
 * (virtio 1.3 4.1).
 */
#ifndef KVIOMMU_VIRTIO_H
#define KVIOMMU_VIRTIO_H

#include <linux/virtio_iommu.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/virtio_config.h>

#include "kviommu_private.h"

/* BAR 0 */
#define KVIOMMU_VIRTIO_COMMON	0x0000
#define KVIOMMU_VIRTIO_ISR	0x1000
#define KVIOMMU_VIRTIO_DEVICE	0x2000
#define KVIOMMU_VIRTIO_NOTIFY	0x3000
#define KVIOMMU_VIRTIO_REGION	0x1000
#define KVIOMMU_NOTIFY_MULT	4

enum {
	KVIOMMU_REQUESTQ,
	KVIOMMU_EVENTQ,
	KVIOMMU_NR_VQS,
};

#define KVIOMMU_REQUESTQ_MAX	1024
#define KVIOMMU_EVENTQ_MAX	256

/**
 * struct kviommu_seg - a device-writable part of a descriptor chain
 */
struct kviommu_seg {
	u64 gpa;
	u32 len;
};

/**
 * struct kviommu_vq - a split virtqueue (virtio 1.3 2.7)
 * @max: largest size
 * @seen: its areas were in guest memory once
 * @size: entries
 * @desc: descriptor area
 * @driver: available ring
 * @device: used ring
 * @avail: next entry of the available ring to take
 * @used: next entry of the used ring to fill; published by
 *	  kviommu_vq_publish()
 * @published: what the driver knows of @used
 * @avail_seen: the driver's index as it was last read
 * @segs: writable parts of the chain that was taken last, @max entries
 */
struct kviommu_vq {
	u16 max;
	u16 size;
	u16 vector;
	bool enabled;
	bool seen;
	u64 desc_gpa;
	u64 driver_gpa;
	u64 device_gpa;
	struct kviommu_window desc;
	struct kviommu_window driver;
	struct kviommu_window device;
	u16 avail;
	u16 avail_seen;
	u16 used;
	u16 published;
	struct kviommu_seg *segs;
};

/**
 * struct kviommu_chain - a descriptor chain, read once
 * @head: descriptor that names it in the used ring
 * @nread: bytes the device may read, and @nwrite may write
 * @buf: the first bytes of what may be read
 */
struct kviommu_chain {
	u16 head;
	unsigned int nsegs;
	u64 nread;
	u64 nwrite;
	union {
		u8 buf[sizeof(struct virtio_iommu_req_probe)];
		struct virtio_iommu_req_head req;
		struct virtio_iommu_req_attach attach;
		struct virtio_iommu_req_detach detach;
		struct virtio_iommu_req_map map;
		struct virtio_iommu_req_unmap unmap;
		struct virtio_iommu_req_probe probe;
	};
};

/**
 * struct kviommu_vdomain - a guest domain (virtio 1.3 5.13.6)
 * @endpoints: references: endpoints in @eps, or on their way in or out
 */
struct kviommu_vdomain {
	u32 id;
	u32 endpoints;
	struct list_head eps;
	bool bypass;
	struct kviommu_shadow shadow;
};

#define KVIOMMU_PROBE_SIZE	512

/**
 * struct kviommu_virtio - state of the model; protected by kviommu::lock
 * @recent: the domain that was used last, or NULL
 * @properties: what a PROBE is answered with
 * @req: requests by type; 0: unknown
 * @err: answers by status
 */
struct kviommu_virtio {
	struct kviommu *v;
	u8 status;
	u8 isr;
	u8 bypass;
	u8 config_generation;
	u16 config_vector;
	u16 queue_select;
	u32 device_feature_select;
	u32 driver_feature_select;
	u64 features;
	struct kviommu_vq vq[KVIOMMU_NR_VQS];
	struct xarray domains;
	struct kviommu_vdomain *recent;
	u32 nr_domains;
	u8 properties[KVIOMMU_PROBE_SIZE];
	u64 req[8];
	u64 err[16];
};

static inline bool kviommu_virtio_has(const struct kviommu_virtio *vi,
				      unsigned int bit)
{
	return vi->features & BIT_ULL(bit);
}

/* May the queues be looked at? */
static inline bool kviommu_virtio_running(const struct kviommu_virtio *vi)
{
	return (vi->status & (VIRTIO_CONFIG_S_DRIVER_OK |
			      VIRTIO_CONFIG_S_NEEDS_RESET)) ==
	       VIRTIO_CONFIG_S_DRIVER_OK;
}

/**
 * kviommu_virtio_domain() - find a guest domain, or NULL
 * @vi: model
 * @id: domain id
 */
static inline struct kviommu_vdomain *
kviommu_virtio_domain(struct kviommu_virtio *vi, u32 id)
{
	struct kviommu_vdomain *d = vi->recent;

	if (likely(d && d->id == id))
		return d;
	d = xa_load(&vi->domains, id);
	if (d)
		vi->recent = d;
	return d;
}

/* transport.c */
u64 kviommu_virtio_features(void);
void kviommu_virtio_read(struct kviommu *v, u32 offset, void *buf, size_t len);
void kviommu_virtio_write(struct kviommu *v, u32 offset, const void *buf,
			  size_t len);
void kviommu_virtio_reset_transport(struct kviommu_virtio *vi);
void kviommu_virtio_needs_reset(struct kviommu_virtio *vi, const char *why);
void kviommu_virtio_pci_config(struct kviommu *v);

/* ring.c */
int kviommu_vq_ready(struct kviommu_virtio *vi, struct kviommu_vq *vq);
bool kviommu_vq_pending(const struct kviommu_vq *vq);
int kviommu_vq_take(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		    struct kviommu_chain *c);
void kviommu_vq_put(struct kviommu_vq *vq, u16 head, u32 written);
void kviommu_vq_publish(struct kviommu_virtio *vi, struct kviommu_vq *vq);
bool kviommu_vq_notify(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		       bool on);
void *kviommu_vq_ptr(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		     const struct kviommu_chain *c, u64 offset, size_t len);
int kviommu_vq_write(struct kviommu_virtio *vi, struct kviommu_vq *vq,
		     const struct kviommu_chain *c, u64 offset,
		     const void *buf, size_t len);
void kviommu_vq_disable(struct kviommu_virtio *vi, struct kviommu_vq *vq);

/* request.c */
u32 kviommu_virtio_request(struct kviommu_virtio *vi, struct kviommu_vq *vq,
			   struct kviommu_chain *c);

/* event.c */
void kviommu_virtio_events(struct kviommu_virtio *vi);

/* virtio.c */
void kviommu_virtio_set_domain(struct kviommu_endpoint *ep,
			       struct kviommu_vdomain *d);
struct kviommu_vdomain *kviommu_virtio_domain_create(struct kviommu_virtio *vi,
						     u32 id, bool bypass);
void kviommu_virtio_domain_put(struct kviommu_virtio *vi,
			       struct kviommu_vdomain *d);

#endif /* KVIOMMU_VIRTIO_H */
