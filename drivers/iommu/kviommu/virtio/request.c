// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the guest's driver (virtio 1.3 5.13.6).
 *
 * A request is copied once, checked whole, and then done or not: on any status
 * but S_OK nothing is changed. Section numbers are of virtio 1.3.
 */
#include <linux/unaligned.h>

#include <trace/events/kviommu.h>

#include "virtio.h"

static u8 status_of(int rc)
{
	switch (rc) {
	case 0:
		return VIRTIO_IOMMU_S_OK;
	case -EEXIST:
		return VIRTIO_IOMMU_S_INVAL;
	case -ERANGE:
		return VIRTIO_IOMMU_S_RANGE;
	case -EFAULT:
		return VIRTIO_IOMMU_S_FAULT;
	case -ENOMEM:
	case -EDQUOT:
		return VIRTIO_IOMMU_S_NOMEM;
	default:
		return VIRTIO_IOMMU_S_DEVERR;
	}
}

static bool domain_in_range(struct kviommu_virtio *vi, u32 id)
{
	return id < vi->v->max_domains;
}

static bool range_ok(struct kviommu_virtio *vi, u64 first, u64 last)
{
	return first <= last && last <= vi->v->frozen.last;
}

/* Is anything mapped in @d where @ep has reserved addresses (5.13.6.8.1)? */
static bool fits(struct kviommu_vdomain *d, struct kviommu_endpoint *ep)
{
	unsigned int i;

	for (i = 0; i < ep->geo.nr_resv; i++)
		if (kviommu_shadow_mapped(&d->shadow, ep->geo.resv[i].first,
					  ep->geo.resv[i].last))
			return false;
	return true;
}

/*
 * The host can't tell members of a group apart: all of them that the guest
 * attaches have to be in one domain (5.13.6.3).
 */
static bool group_elsewhere(struct kviommu_endpoint *ep,
			    struct kviommu_vdomain *d)
{
	struct kviommu_endpoint *other;

	list_for_each_entry(other, &ep->group->eps, group_node)
		if (other != ep && other->domain && other->domain != d)
			return true;
	return false;
}

/* 5.13.6.3 */
static u8 do_attach(struct kviommu_virtio *vi,
		    const struct virtio_iommu_req_attach *req)
{
	u32 flags = le32_to_cpu(req->flags), id = le32_to_cpu(req->domain);
	bool bypass = flags & VIRTIO_IOMMU_ATTACH_F_BYPASS;
	struct kviommu_vdomain *d, *old;
	struct kviommu_endpoint *ep;
	int rc;

	if (memchr_inv(req->reserved, 0, sizeof(req->reserved)))
		return VIRTIO_IOMMU_S_INVAL;
	if (flags & ~VIRTIO_IOMMU_ATTACH_F_BYPASS ||
	    (bypass && !kviommu_virtio_has(vi, VIRTIO_IOMMU_F_BYPASS_CONFIG)))
		return VIRTIO_IOMMU_S_INVAL;
	if (!domain_in_range(vi, id))
		return VIRTIO_IOMMU_S_RANGE;
	ep = kviommu_endpoint_find(vi->v, le32_to_cpu(req->endpoint));
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;

	d = kviommu_virtio_domain(vi, id);
	if (d && d->bypass != bypass)
		return VIRTIO_IOMMU_S_INVAL;
	old = ep->domain;
	if (d && d == old)
		return VIRTIO_IOMMU_S_OK;
	if (group_elsewhere(ep, d) || (d && !fits(d, ep)))
		return VIRTIO_IOMMU_S_UNSUPP;
	if (!d) {
		d = kviommu_virtio_domain_create(vi, id, bypass);
		if (IS_ERR(d))
			return status_of(PTR_ERR(d));
	}

	d->endpoints++;
	kviommu_virtio_set_domain(ep, d);
	rc = kviommu_group_move(vi->v, ep->group);
	if (rc) {
		kviommu_virtio_set_domain(ep, old);
		kviommu_group_apply(vi->v, ep->group);
		kviommu_virtio_domain_put(vi, d);
		/* 5.13.6.3.2: it can't be with what is in the domain. */
		return rc == -EINVAL ? VIRTIO_IOMMU_S_UNSUPP : status_of(rc);
	}
	if (old)
		kviommu_virtio_domain_put(vi, old);
	return VIRTIO_IOMMU_S_OK;
}

/* 5.13.6.4 */
static u8 do_detach(struct kviommu_virtio *vi,
		    const struct virtio_iommu_req_detach *req)
{
	struct kviommu_endpoint *ep;
	struct kviommu_vdomain *d;

	ep = kviommu_endpoint_find(vi->v, le32_to_cpu(req->endpoint));
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	d = kviommu_virtio_domain(vi, le32_to_cpu(req->domain));
	if (!d || ep->domain != d)
		return VIRTIO_IOMMU_S_INVAL;
	kviommu_virtio_set_domain(ep, NULL);
	/* What can't be put in bypass is blocked, and out of the domain. */
	kviommu_group_apply(vi->v, ep->group);
	kviommu_virtio_domain_put(vi, d);
	return VIRTIO_IOMMU_S_OK;
}

/* Would a mapping cover addresses that an endpoint of the domain reserves? */
static bool reserved(struct kviommu_vdomain *d, u64 first, u64 last)
{
	struct kviommu_endpoint *ep;

	list_for_each_entry(ep, &d->eps, domain_node)
		if (kviommu_geometry_reserved(&ep->geo, first, last))
			return true;
	return false;
}

static u8 map_status(struct kviommu_virtio *vi,
		     const struct virtio_iommu_req_map *req)
{
	u64 first = le64_to_cpu(req->virt_start);
	u64 last = le64_to_cpu(req->virt_end);
	u64 gpa = le64_to_cpu(req->phys_start);
	u64 granule = vi->v->frozen.page_sizes & -vi->v->frozen.page_sizes;
	u32 flags = le32_to_cpu(req->flags);
	struct kviommu_vdomain *d;
	u64 end;
	u8 prot;
	int rc;

	/* A memory type is not a permission: one of those must be there. */
	if (flags & ~VIRTIO_IOMMU_MAP_F_MASK ||
	    !(flags & (VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)) ||
	    (flags & VIRTIO_IOMMU_MAP_F_MMIO &&
	     !kviommu_virtio_has(vi, VIRTIO_IOMMU_F_MMIO)))
		return VIRTIO_IOMMU_S_INVAL;
	if (!range_ok(vi, first, last) ||
	    (first | gpa | (last + 1)) & (granule - 1) ||
	    check_add_overflow(gpa, last - first, &end) ||
	    !domain_in_range(vi, le32_to_cpu(req->domain)))
		return VIRTIO_IOMMU_S_RANGE;
	d = kviommu_virtio_domain(vi, le32_to_cpu(req->domain));
	if (!d)
		return VIRTIO_IOMMU_S_NOENT;
	if (d->bypass)
		return VIRTIO_IOMMU_S_INVAL;
	if (reserved(d, first, last))
		return VIRTIO_IOMMU_S_RANGE;
	if (vi->v->gmem.pieces + kviommu_shadow_pieces(gpa, last - first + 1) >
	    vi->v->max_mappings)
		return VIRTIO_IOMMU_S_NOMEM;

	/* No range of guest memory has this end: iommufd's "all" is without. */
	if (end == U64_MAX)
		return VIRTIO_IOMMU_S_FAULT;
	prot = (flags & VIRTIO_IOMMU_MAP_F_READ ? KVIOMMU_READ : 0) |
	       (flags & VIRTIO_IOMMU_MAP_F_WRITE ? KVIOMMU_WRITE : 0);
	rc = kviommu_shadow_map(&d->shadow, first, last, gpa, prot);
	if (rc)
		return status_of(rc);
	vi->v->nr_mappings++;
	vi->v->count.mappings_peak = max(vi->v->count.mappings_peak,
					 vi->v->nr_mappings);
	return VIRTIO_IOMMU_S_OK;
}

/* 5.13.6.5 */
static u8 do_map(struct kviommu_virtio *vi,
		 const struct virtio_iommu_req_map *req)
{
	u8 status = map_status(vi, req);

	trace_kviommu_map(kviommu_dev(vi->v), le32_to_cpu(req->domain),
			  le64_to_cpu(req->virt_start),
			  le64_to_cpu(req->virt_end),
			  le64_to_cpu(req->phys_start),
			  le32_to_cpu(req->flags), status);
	return status;
}

static u8 unmap_status(struct kviommu_virtio *vi,
		       const struct virtio_iommu_req_unmap *req)
{
	u64 first = le64_to_cpu(req->virt_start);
	u64 last = le64_to_cpu(req->virt_end);
	struct kviommu_vdomain *d;
	u64 before;
	int rc;

	if (get_unaligned((const u32 *)req->reserved))
		return VIRTIO_IOMMU_S_INVAL;
	if (!range_ok(vi, first, last) ||
	    !domain_in_range(vi, le32_to_cpu(req->domain)))
		return VIRTIO_IOMMU_S_RANGE;
	d = kviommu_virtio_domain(vi, le32_to_cpu(req->domain));
	if (!d)
		return VIRTIO_IOMMU_S_NOENT;
	if (d->bypass)
		return VIRTIO_IOMMU_S_INVAL;
	before = d->shadow.nr_mappings;
	rc = kviommu_shadow_unmap(&d->shadow, first, last);
	vi->v->nr_mappings -= before - d->shadow.nr_mappings;
	return status_of(rc);
}

/* 5.13.6.6 */
static u8 do_unmap(struct kviommu_virtio *vi,
		   const struct virtio_iommu_req_unmap *req)
{
	u8 status = unmap_status(vi, req);

	trace_kviommu_unmap(kviommu_dev(vi->v), le32_to_cpu(req->domain),
			    le64_to_cpu(req->virt_start),
			    le64_to_cpu(req->virt_end), 0, 0, status);
	return status;
}

/* 5.13.6.7 and 5.13.6.8 */
static u8 do_probe(struct kviommu_virtio *vi,
		   const struct virtio_iommu_req_probe *req)
{
	struct virtio_iommu_probe_resv_mem *p = (void *)vi->properties;
	struct kviommu_endpoint *ep;
	bool msi = false;
	unsigned int i;

	ep = kviommu_endpoint_find(vi->v, le32_to_cpu(req->endpoint));
	if (!ep)
		return VIRTIO_IOMMU_S_NOENT;
	if (ep->geo.nr_resv * sizeof(*p) > KVIOMMU_PROBE_SIZE) {
		kviommu_warn(vi->v, "KV32: %s has %u reserved regions, more than can be told\n",
			     dev_name(ep->kdev->dev), ep->geo.nr_resv);
		return VIRTIO_IOMMU_S_DEVERR;
	}
	for (i = 0; i < ep->geo.nr_resv; i++, p++) {
		const struct kviommu_resv *r = &ep->geo.resv[i];

		p->head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_RESV_MEM);
		p->head.length = cpu_to_le16(sizeof(*p) - sizeof(p->head));
		/* Not more than one of them (5.13.6.8.1). */
		p->subtype = r->msi && !msi ? VIRTIO_IOMMU_RESV_MEM_T_MSI :
					      VIRTIO_IOMMU_RESV_MEM_T_RESERVED;
		msi |= r->msi;
		p->start = cpu_to_le64(r->first);
		p->end = cpu_to_le64(r->last);
	}
	return VIRTIO_IOMMU_S_OK;
}

/* Sizes of the readable parts; 0: no such request, or not negotiated. */
static size_t request_size(struct kviommu_virtio *vi, u8 type)
{
	bool map = kviommu_virtio_has(vi, VIRTIO_IOMMU_F_MAP_UNMAP);

	switch (type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return offsetof(struct virtio_iommu_req_attach, tail);
	case VIRTIO_IOMMU_T_DETACH:
		return offsetof(struct virtio_iommu_req_detach, tail);
	case VIRTIO_IOMMU_T_MAP:
		return map ? offsetof(struct virtio_iommu_req_map, tail) : 0;
	case VIRTIO_IOMMU_T_UNMAP:
		return map ? offsetof(struct virtio_iommu_req_unmap, tail) : 0;
	case VIRTIO_IOMMU_T_PROBE:
		return kviommu_virtio_has(vi, VIRTIO_IOMMU_F_PROBE) ?
			sizeof(struct virtio_iommu_req_probe) : 0;
	default:
		return 0;
	}
}

static u8 dispatch(struct kviommu_virtio *vi, const struct kviommu_chain *c)
{
	switch (c->req.type) {
	case VIRTIO_IOMMU_T_ATTACH:
		return do_attach(vi, &c->attach);
	case VIRTIO_IOMMU_T_DETACH:
		return do_detach(vi, &c->detach);
	case VIRTIO_IOMMU_T_MAP:
		return do_map(vi, &c->map);
	case VIRTIO_IOMMU_T_UNMAP:
		return do_unmap(vi, &c->unmap);
	default:
		return do_probe(vi, &c->probe);
	}
}

/* Where the tail is: behind the properties of a PROBE, else at the start. */
static size_t tail_offset(const struct kviommu_chain *c, u8 type)
{
	if (type != VIRTIO_IOMMU_T_PROBE)
		return 0;
	return min_t(u64, c->nwrite - sizeof(struct virtio_iommu_req_tail),
		     KVIOMMU_PROBE_SIZE);
}

static u8 status(struct kviommu_virtio *vi, const struct kviommu_chain *c,
		 size_t size, size_t room)
{
	if (c->nread != size)
		return VIRTIO_IOMMU_S_IOERR;
	/* 5.13.6.7.2 */
	if (c->req.type == VIRTIO_IOMMU_T_PROBE && room < KVIOMMU_PROBE_SIZE)
		return VIRTIO_IOMMU_S_INVAL;
	return dispatch(vi, c);
}

/**
 * kviommu_virtio_request() - do a request
 * @vi: model
 * @vq: request queue
 * @c: the chain just taken from it
 *
 * Nothing is done that its driver could not be told the end of.
 *
 * Return: bytes written; 0 if there is no place for a status, or the type is
 * not known (5.13.6.2).
 */
u32 kviommu_virtio_request(struct kviommu_virtio *vi, struct kviommu_vq *vq,
			   struct kviommu_chain *c)
{
	struct virtio_iommu_req_tail tail = { VIRTIO_IOMMU_S_DEVERR }, *at;
	u8 type = c->nread >= sizeof(c->req) ? c->req.type : 0;
	size_t size = request_size(vi, type), room;

	vi->req[size ? type : 0]++;
	if (!size) {
		vi->err[VIRTIO_IOMMU_S_UNSUPP]++;
		goto unanswered;
	}
	if (c->nwrite < sizeof(tail))
		goto no_room;
	room = tail_offset(c, type);
	if (room) {
		memset(vi->properties, 0, sizeof(vi->properties));
		if (kviommu_vq_write(vi, vq, c, 0, vi->properties, room))
			goto no_room;
	}
	at = kviommu_vq_ptr(vi, vq, c, room, sizeof(tail));
	if (unlikely(!at) &&
	    kviommu_vq_write(vi, vq, c, room, &tail, sizeof(tail)))
		goto no_room;

	tail.status = status(vi, c, size, room);
	if (room && !tail.status)
		kviommu_vq_write(vi, vq, c, 0, vi->properties, room);
	if (likely(at))
		*at = tail;
	else
		kviommu_vq_write(vi, vq, c, room, &tail, sizeof(tail));
	vi->err[tail.status]++;
	trace_kviommu_request(kviommu_dev(vi->v), type, tail.status,
			      room + sizeof(tail));
	return room + sizeof(tail);

no_room:
	vi->err[VIRTIO_IOMMU_S_IOERR]++;
unanswered:
	trace_kviommu_request(kviommu_dev(vi->v), type, -1, 0);
	return 0;
}
