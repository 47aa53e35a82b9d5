// SPDX-License-Identifier: GPL-2.0-only
#include "viommu.h"

#include <string.h>

unsigned int viommu_timeout_ms = PATIENCE_MS;

/* What the writable part holds before the device sees it */
#define UNTOUCHED	0xa5

struct virtio_iommu_req_attach viommu_make_attach(u32 domain, u32 endpoint,
						  u32 flags)
{
	return (struct virtio_iommu_req_attach){
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = domain,
		.endpoint = endpoint,
		.flags = flags,
	};
}

struct virtio_iommu_req_detach viommu_make_detach(u32 domain, u32 endpoint)
{
	return (struct virtio_iommu_req_detach){
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = domain,
		.endpoint = endpoint,
	};
}

struct virtio_iommu_req_map viommu_make_map(u32 domain, u64 iova, u64 last,
					    u64 gpa, u32 flags)
{
	return (struct virtio_iommu_req_map){
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = domain,
		.virt_start = iova,
		.virt_end = last,
		.phys_start = gpa,
		.flags = flags,
	};
}

struct virtio_iommu_req_unmap viommu_make_unmap(u32 domain, u64 iova, u64 last)
{
	return (struct virtio_iommu_req_unmap){
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = domain,
		.virt_start = iova,
		.virt_end = last,
	};
}

static u8 *slot_mem(struct virtio_dev *v, unsigned int slot)
{
	return v->mem + VQ_BUFFERS + slot * VQ_SLOT_SIZE;
}

static u64 slot_gpa(struct virtio_dev *v, unsigned int slot)
{
	return v->gpa + VQ_BUFFERS + slot * VQ_SLOT_SIZE;
}

void viommu_queue(struct virtio_dev *v, unsigned int slot, const void *req,
		  size_t readable, size_t writable)
{
	struct vq *q = &v->vq[0];
	u16 head = slot * VQ_SLOT_DESCS;
	u64 gpa = slot_gpa(v, slot);

	memcpy(slot_mem(v, slot), req, readable);
	memset(slot_mem(v, slot) + readable, UNTOUCHED, writable);
	if (v->features & VIRTIO_F(VIRTIO_RING_F_INDIRECT_DESC)) {
		struct vring_desc *table = (void *)(v->mem + VQ_TABLES +
						    slot * VQ_TABLE_SIZE);

		table[0] = (struct vring_desc){ gpa, readable,
						VRING_DESC_F_NEXT, 1 };
		table[1] = (struct vring_desc){ gpa + readable, writable,
						VRING_DESC_F_WRITE, 0 };
		vq_desc(q, head, v->gpa + VQ_TABLES + slot * VQ_TABLE_SIZE,
			2 * sizeof(*table), VRING_DESC_F_INDIRECT, 0);
	} else {
		vq_desc(q, head, gpa, readable, VRING_DESC_F_NEXT, head + 1);
		vq_desc(q, head + 1, gpa + readable, writable,
			VRING_DESC_F_WRITE, 0);
	}
	vq_push(q, head);
}

int viommu_collect(struct virtio_dev *v, unsigned int *slot)
{
	struct vring_used_elem elem;
	struct vring_desc *desc;
	u8 *mem;
	size_t readable, writable;
	int rc = vq_pop(v, 0, &elem, viommu_timeout_ms);

	if (rc)
		return rc;
	*slot = elem.id / VQ_SLOT_DESCS;
	if (elem.id % VQ_SLOT_DESCS || *slot >= VQ_SLOTS)
		return -EPROTO;
	mem = slot_mem(v, *slot);
	desc = &v->vq[0].desc[elem.id];
	if (desc->flags & VRING_DESC_F_INDIRECT)
		desc = (void *)(v->mem + VQ_TABLES + *slot * VQ_TABLE_SIZE);
	readable = desc[0].len;
	writable = desc[1].len;
	if (elem.len > writable)
		return -EPROTO;
	if (!elem.len) {
		size_t i;

		for (i = 0; i < writable; i++)
			if (mem[readable + i] != UNTOUCHED)
				return -EPROTO;
		return VIOMMU_UNWRITTEN;
	}
	/* The status is in the tail, which ends the buffer */
	return mem[readable + writable - sizeof(struct virtio_iommu_req_tail)];
}

int viommu_request(struct virtio_dev *v, const void *req, size_t readable,
		   size_t writable)
{
	unsigned int slot;

	viommu_queue(v, 0, req, readable, writable);
	vq_kick(v, 0);
	return viommu_collect(v, &slot);
}

#define TAIL_SIZE	sizeof(struct virtio_iommu_req_tail)
#define REQUEST(v, req)	viommu_request(v, &(req), sizeof(req) - TAIL_SIZE, \
				       TAIL_SIZE)

int viommu_attach(struct virtio_dev *v, u32 domain, u32 endpoint, u32 flags)
{
	struct virtio_iommu_req_attach req =
		viommu_make_attach(domain, endpoint, flags);

	return REQUEST(v, req);
}

int viommu_detach(struct virtio_dev *v, u32 domain, u32 endpoint)
{
	struct virtio_iommu_req_detach req = viommu_make_detach(domain, endpoint);

	return REQUEST(v, req);
}

int viommu_map(struct virtio_dev *v, u32 domain, u64 iova, u64 length, u64 gpa,
	       u32 flags)
{
	struct virtio_iommu_req_map req =
		viommu_make_map(domain, iova, iova + length - 1, gpa, flags);

	return REQUEST(v, req);
}

int viommu_unmap(struct virtio_dev *v, u32 domain, u64 iova, u64 length)
{
	struct virtio_iommu_req_unmap req =
		viommu_make_unmap(domain, iova, iova + length - 1);

	return REQUEST(v, req);
}

int viommu_probe(struct virtio_dev *v, u32 endpoint, void *properties)
{
	struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE,
		.endpoint = endpoint,
	};
	int rc = viommu_request(v, &req, sizeof(req),
				VIOMMU_PROBE_SIZE + TAIL_SIZE);

	memcpy(properties, slot_mem(v, 0) + sizeof(req), VIOMMU_PROBE_SIZE);
	return rc;
}

void viommu_config(struct virtio_dev *v, struct virtio_iommu_config *config)
{
	vfio_bar_read(v->dev, 0, VIRTIO_DEVICE_CFG, config, sizeof(*config));
}

void viommu_event_buffers(struct virtio_dev *v, unsigned int n)
{
	struct vq *q = &v->vq[1];
	unsigned int i;

	memset(v->mem + VQ_EVENTS, 0, n * sizeof(struct virtio_iommu_fault));
	for (i = 0; i < n; i++) {
		vq_desc(q, i, v->gpa + VQ_EVENTS +
			i * sizeof(struct virtio_iommu_fault),
			sizeof(struct virtio_iommu_fault), VRING_DESC_F_WRITE, 0);
		vq_push(q, i);
	}
	vq_kick(v, 1);
}

int viommu_event(struct virtio_dev *v, struct virtio_iommu_fault *fault,
		 unsigned int timeout_ms)
{
	struct vring_used_elem elem;
	int rc = vq_pop(v, 1, &elem, timeout_ms);

	if (rc)
		return rc;
	if (elem.len != sizeof(*fault) || elem.id >= v->vq[1].size)
		return -EPROTO;
	memcpy(fault, v->mem + VQ_EVENTS + elem.id * sizeof(*fault),
	       sizeof(*fault));
	return 0;
}
