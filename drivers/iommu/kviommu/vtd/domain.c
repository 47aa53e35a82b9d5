// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest domains of the VT-d model: which endpoint is translated with what, and
 * what of that may be out of date.
 *
 * Nothing is done when something becomes out of date: it is marked. An endpoint
 * is marked to be looked up in the root, context and PASID tables again, a
 * domain has one range that is to be walked again. vtd_drain() does all that is
 * marked, in bounded steps. An endpoint moves to another domain only when that
 * is in sync, so that its device never sees a domain that is half filled, and
 * until then it keeps what it has.
 *
 * Guest domains are found by their key, domain id and roots, so that endpoints
 * with the same tables share a shadow. A domain id of the guest can have several
 * keys: while the guest moves endpoints from one table to another, or because
 * it breaks the rule that a domain id has one table (3.2, 6.2.1).
 *
 * What makes it impossible to know the translations of a domain makes its
 * endpoints blocked. An error in one of its tables does not: as with hardware,
 * addresses below that table are refused, and nothing else. Nor does what can't
 * be mapped for lack of room or memory: that is left out, as if it were not
 * present, and tried again from time to time.
 */
#include <linux/ktime.h>
#include <linux/slab.h>

#include <trace/events/kviommu.h>

#include "vtd.h"

/*
 * How often a range is walked again since the guest changed what was just being
 * read. A guest's CPU that uses the same tables may do so at any time.
 */
#define MAX_TRIES	8

/* Entries to look at without a look at whether somebody else wants the CPU */
#define MAX_STEP	16384LL

/*
 * What it costs to walk through a table (see VTD_TABLE_COST). A domain may have
 * as many at each level as it may have mappings. More are not followed to their
 * end: the same few tables, linked to each other, would be walked for hours.
 */
#define FULL_TABLE	(VTD_TABLE_ENTRIES + VTD_TABLE_COST)

/* Where tables of level 1 are read */
#define LEAF_SLOTS	(BIT(VTD_SLOT_FS) | BIT(VTD_SLOT_SS))

static_assert(VTD_TABLE_ENTRIES * VTD_PAGE_SIZE == KVIOMMU_CHUNK_SIZE);
static_assert(VTD_TABLE_ENTRIES == KVIOMMU_TABLE_WORDS);

/* The longest time between two tries to map what could not be mapped, jiffies */
#define RETRY_WAIT_MAX	(4UL * HZ)

static u64 last_addr(const struct kviommu_vtd *vt)
{
	return vt->v->frozen.last;
}

static struct vtd_domain *first_of_did(struct kviommu_vtd *vt, u16 did)
{
	return xa_load(&vt->by_did, did);
}

static void range_add(struct vtd_range *r, u64 first, u64 last)
{
	r->first = min(r->first, first);
	r->last = max(r->last, last);
}

/* ---- marks ---- */

static bool is_dirty(const struct vtd_domain *d)
{
	return !list_empty(&d->dirty);
}

static bool is_whole(struct kviommu_vtd *vt, u64 first, u64 last)
{
	return !first && last >= last_addr(vt);
}

/**
 * vtd_mark() - a range of a domain is to be brought in line with its tables
 * @vt: model
 * @d: domain
 * @first: first address
 * @last: last address
 *
 * Return: false if it can't be said together with what is marked already, then
 * vtd_drain() has to come first.
 */
bool vtd_mark(struct kviommu_vtd *vt, struct vtd_domain *d, u64 first, u64 last)
{
	last = min(last, last_addr(vt));
	if (first > last)
		return true;
	/* Whether the guest's tables still lead to it is not known yet. */
	if (d->epoch != vt->epoch)
		return true;
	/*
	 * Only all of it can tell that it is in order again. A guest that does
	 * not know may never ask for that. It is blocked, and what goes wrong
	 * again and again must not hold up all others each time.
	 */
	if (d->failed) {
		if (time_before(jiffies, d->retry_at)) {
			d->asked = true;
			kviommu_retry_later(vt->v);
			return true;
		}
		first = 0;
		last = last_addr(vt);
	}
	if (!is_dirty(d)) {
		list_add_tail(&d->dirty, &vt->dirty);
		d->begin = first;
		d->next = first;
		d->last = last;
		d->looked = 0;
		d->tries = 0;
		d->changed = false;
		d->fault_seen = false;
		d->out_now = VTD_RANGE_NONE;
		d->out_why = 0;
		d->asked = false;
		return true;
	}
	if (first > d->last + 1 || last + 1 < d->begin)
		return false;
	d->begin = min(d->begin, first);
	d->last = max(d->last, last);
	if (first < d->next) {
		d->next = first;
		d->looked = 0;
	}
	return true;
}

/**
 * vtd_mark_all() - all domains are to be brought in line with their tables
 * @vt: model
 */
void vtd_mark_all(struct kviommu_vtd *vt)
{
	struct vtd_domain *d;

	list_for_each_entry(d, &vt->domains, node)
		vtd_mark(vt, d, 0, U64_MAX);
}

/**
 * vtd_mark_first_stage() - what first stages map is to be synced
 * @vt: model
 */
void vtd_mark_first_stage(struct kviommu_vtd *vt)
{
	struct vtd_domain *d;

	list_for_each_entry(d, &vt->domains, node)
		if (d->key.fs_levels)
			vtd_mark(vt, d, 0, U64_MAX);
}

/**
 * vtd_recheck() - an endpoint is to be looked up in the tables again
 * @vt: model
 * @ve: endpoint
 */
void vtd_recheck(struct kviommu_vtd *vt, struct vtd_endpoint *ve)
{
	if (!ve->recheck) {
		ve->recheck = true;
		vt->nr_recheck++;
	}
}

/**
 * vtd_recheck_all() - all endpoints are to be looked up again
 * @vt: model
 */
void vtd_recheck_all(struct kviommu_vtd *vt)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	xa_for_each(&vt->v->endpoints, id, ep)
		if (vtd_endpoint(ep))
			vtd_recheck(vt, vtd_endpoint(ep));
}

/* ---- domains ---- */

/*
 * What is marked in tables changes nothing in where they lead. A guest turns that
 * on and off while a device works (9.6, SSADE), which must not notice.
 */
#define KEY_MARKS	(VTD_KEY_EAFE | VTD_KEY_SSADE | VTD_KEY_PWSNP)

static bool key_same(const struct vtd_key *a, const struct vtd_key *b)
{
	return a->fsptptr == b->fsptptr && a->ssptptr == b->ssptptr &&
	       a->fs_levels == b->fs_levels && a->ss_levels == b->ss_levels &&
	       !((a->flags ^ b->flags) & ~KEY_MARKS);
}

static struct vtd_domain *domain_find(struct kviommu_vtd *vt, u16 did,
				      const struct vtd_key *key)
{
	struct vtd_domain *d;

	for (d = first_of_did(vt, did); d; d = d->sibling)
		if (key_same(&d->key, key))
			return d;
	return NULL;
}

/* Find or make a domain; a new one is to be synced. Takes a reference. */
static struct vtd_domain *domain_get(struct kviommu_vtd *vt, u16 did,
				     const struct vtd_key *key)
{
	struct vtd_domain *d = domain_find(vt, did, key);
	int rc;

	if (d) {
		d->users++;
		if (d->epoch != vt->epoch) {
			d->epoch = vt->epoch;
			vtd_mark(vt, d, 0, U64_MAX);
		}
		if (d->key.flags != key->flags) {
			d->key.flags = key->flags;
			/* Known tables were known to need no marks. */
			kviommu_seen_exit(&d->seen);
			vtd_mark(vt, d, 0, U64_MAX);
		}
		return d;
	}
	if (vt->nr_domains >= vt->v->max_domains)
		return ERR_PTR(-ENOSPC);
	d = kzalloc_obj(*d, GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->did = did;
	d->key = *key;
	d->epoch = vt->epoch;
	d->users = 1;
	d->out = VTD_RANGE_NONE;
	d->sibling = first_of_did(vt, did);
	INIT_LIST_HEAD(&d->dirty);
	kviommu_seen_init(&d->seen, KVIOMMU_CHUNK_SHIFT);
	kviommu_shadow_init(&d->shadow, &vt->v->gmem);
	rc = xa_err(xa_store(&vt->by_did, did, d, GFP_KERNEL_ACCOUNT));
	if (rc) {
		kfree(d);
		return ERR_PTR(rc);
	}
	list_add_tail(&d->node, &vt->domains);
	vt->nr_domains++;
	vt->check_dids |= !!d->sibling;
	vtd_mark(vt, d, 0, U64_MAX);
	return d;
}

static void domain_put(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	struct vtd_domain *p = first_of_did(vt, d->did);

	if (--d->users)
		return;
	if (p != d) {
		while (p->sibling != d)
			p = p->sibling;
		p->sibling = d->sibling;
	} else if (d->sibling) {
		/* There is an entry, so this needs no memory. */
		xa_store(&vt->by_did, d->did, d->sibling, GFP_KERNEL_ACCOUNT);
	} else {
		xa_erase(&vt->by_did, d->did);
	}
	list_del(&d->dirty);
	list_del(&d->node);
	vt->nr_domains--;
	vt->v->nr_mappings -= d->shadow.nr_mappings;
	kviommu_shadow_destroy(&d->shadow);
	kviommu_seen_exit(&d->seen);
	kfree(d);
}

static void tell_endpoints(struct kviommu_vtd *vt, struct vtd_domain *d,
			   u8 reason, u64 addr)
{
	struct kviommu_endpoint *ep;
	struct vtd_endpoint *ve;
	unsigned long id;

	xa_for_each(&vt->v->endpoints, id, ep) {
		ve = vtd_endpoint(ep);
		if (ve && (ve->domain == d || ve->next == d))
			vtd_tell_fault(vt, ve, reason, addr, false);
	}
}

/* An error of its tables, for all endpoints that use it; once for each cause. */
static void domain_fault(struct kviommu_vtd *vt, struct vtd_domain *d, u8 reason,
			 u64 addr)
{
	if (d->fault == reason && d->fault_addr == addr)
		return;
	d->fault = reason;
	d->fault_addr = addr;
	tell_endpoints(vt, d, reason, addr);
}

/* ---- what could not be done, and is to be tried again ---- */

/* From now on, and each time twice as long as the last time */
static void retry_later(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	d->retry_wait = clamp(2 * d->retry_wait, 1UL, RETRY_WAIT_MAX);
	d->retry_at = jiffies + d->retry_wait;
	kviommu_retry_later(vt->v);
}

/*
 * Tables in memory that is not there. VMMs take some away and map it back while
 * a guest's CPUs run, and nobody tells of that.
 */
static bool is_access(u8 fault)
{
	switch (fault) {
	case VTD_FAULT_L_SS_ACCESS:
	case VTD_FAULT_L_ROOT_ACCESS:
	case VTD_FAULT_L_CTX_ACCESS:
	case VTD_FAULT_ROOT_ACCESS:
	case VTD_FAULT_CTX_ACCESS:
	case VTD_FAULT_PDIR_ACCESS:
	case VTD_FAULT_PASID_ACCESS:
	case VTD_FAULT_FS_ACCESS:
	case VTD_FAULT_FS_ROOT_ACCESS:
	case VTD_FAULT_FS_AD:
	case VTD_FAULT_SS_ACCESS:
	case VTD_FAULT_SS_ROOT_ACCESS:
	case VTD_FAULT_SS_AD:
		return true;
	default:
		return false;
	}
}

/* See struct kviommu_sync. */
static void refused(struct kviommu_sync *y, u64 first, u64 last, int why)
{
	struct vtd_domain *d = container_of(y->shadow, struct vtd_domain, shadow);

	if (!d->out_why) {
		d->out_why = why;
		d->out_at = first;
	}
	range_add(&d->out_now, first, last);
	range_add(&d->out, first, last);
}

/* What is not mapped is as what is not present. */
static void tell_not_present(struct kviommu_vtd *vt, struct vtd_domain *d,
			     u64 addr)
{
	tell_endpoints(vt, d, d->key.fs_levels ? VTD_FAULT_FS_NP :
		       vtd_scalable(&vt->view) ? VTD_FAULT_READ :
						 VTD_FAULT_L_READ, addr);
}

/* Once for each of the host's ranges: the guest should know them. */
static void tell_reserved(struct kviommu_vtd *vt, struct vtd_domain *d,
			  const struct kviommu_resv *hit)
{
	struct kviommu_resv *r = &vt->resv.resv[hit - vt->resv.resv];

	r->told = true;
	vt->count.reserved++;
	kviommu_warn(vt->v, "the guest's domain %u has addresses in 0x%llx-0x%llx, which the host reserves: not mapped\n",
		     d->did, r->first, r->last);
	tell_not_present(vt, d, r->first);
}

static void tell_out(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	d->out_told = true;
	kviommu_warn(vt->v, "some of the guest's domain %u can't be mapped: %s\n",
		     d->did,
		     d->out_why == -EDQUOT ? "more than its part of max_mappings" :
		     d->out_why == -ENOMEM ? "no memory" :
					     "the host's IOMMU refuses");
	tell_not_present(vt, d, d->out_at);
}

/* A range was synced to its end: what of it is still out */
static void check_out(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	if (d->begin > d->out.first || d->last < d->out.last) {
		kviommu_retry_later(vt->v);
		return;
	}
	d->out = d->out_now;
	if (!vtd_range_none(&d->out)) {
		retry_later(vt, d);
		return;
	}
	d->out_told = false;
	d->retry_wait = 0;
}

/**
 * vtd_retry() - see struct kviommu_model
 * @v: vIOMMU
 * @now: whether it is time or not
 *
 * Return: whether anything is left to be tried.
 */
bool vtd_retry(struct kviommu *v, bool now)
{
	struct kviommu_vtd *vt = v->model_priv;
	struct kviommu_endpoint *ep;
	struct vtd_domain *d;
	bool waits = false;
	unsigned long id;

	if (!vt->view.te)
		return false;
	xa_for_each(&v->endpoints, id, ep) {
		if (!vtd_endpoint(ep) || !is_access(vtd_endpoint(ep)->fault))
			continue;
		waits = true;
		vtd_recheck(vt, vtd_endpoint(ep));
		kviommu_worker_wake(v);
	}
	list_for_each_entry(d, &vt->domains, node) {
		if (d->failed ? !d->asked && !now : vtd_range_none(&d->out))
			continue;
		waits = true;
		if (is_dirty(d) || (!now && time_before(jiffies, d->retry_at)))
			continue;
		d->retry_at = jiffies;
		if (d->failed)
			vtd_mark(vt, d, 0, U64_MAX);
		else
			vtd_mark(vt, d, d->out.first, d->out.last);
		kviommu_worker_wake(v);
	}
	return waits;
}

/* ---- endpoints ---- */

static void drop_next(struct kviommu_vtd *vt, struct vtd_endpoint *ve)
{
	struct vtd_domain *d = ve->next;

	ve->next = NULL;
	if (!d)
		return;
	d->waiting--;
	domain_put(vt, d);
}

/**
 * vtd_unmark_all() - what is marked is not to be done
 * @vt: model
 *
 * No endpoint moves to another domain then.
 */
void vtd_unmark_all(struct kviommu_vtd *vt)
{
	struct kviommu_endpoint *ep;
	struct vtd_domain *d, *tmp;
	unsigned long id;

	list_for_each_entry_safe(d, tmp, &vt->dirty, dirty)
		list_del_init(&d->dirty);
	xa_for_each(&vt->v->endpoints, id, ep) {
		if (!vtd_endpoint(ep))
			continue;
		vtd_endpoint(ep)->recheck = false;
		drop_next(vt, vtd_endpoint(ep));
	}
	vt->nr_recheck = 0;
}

/* The host, or a limit, is in the way of what the guest's entries say. */
static void tell_refused(struct kviommu_vtd *vt, struct vtd_endpoint *ve)
{
	vtd_tell_fault(vt, ve, vtd_scalable(&vt->view) ? VTD_FAULT_PASID_INVALID :
							 VTD_FAULT_L_CTX_INVALID,
		       0, false);
}

static void apply(struct kviommu_vtd *vt, struct vtd_endpoint *ve)
{
	/* It is blocked then, and that is in the log. */
	if (kviommu_group_apply(vt->v, ve->ep->group))
		tell_refused(vt, ve);
}

/* Put it where it belongs now, and leave the domain that it was in. */
static void endpoint_apply(struct kviommu_vtd *vt, struct vtd_endpoint *ve,
			   struct vtd_domain *old)
{
	apply(vt, ve);
	if (old)
		domain_put(vt, old);
}

/**
 * vtd_endpoint_set() - an endpoint is in no guest domain any more
 * @vt: model
 * @ve: endpoint
 * @state: BLOCKED or BYPASS
 */
void vtd_endpoint_set(struct kviommu_vtd *vt, struct vtd_endpoint *ve,
		      enum kviommu_state state)
{
	struct vtd_domain *old = ve->domain;

	drop_next(vt, ve);
	ve->domain = NULL;
	ve->state = state;
	endpoint_apply(vt, ve, old);
}

/* Its next domain is in sync, or has failed. */
static void endpoint_move(struct kviommu_vtd *vt, struct vtd_endpoint *ve)
{
	struct vtd_domain *old = ve->domain;

	ve->domain = ve->next;
	ve->domain->waiting--;
	ve->next = NULL;
	endpoint_apply(vt, ve, old);
}

static void endpoint_join(struct kviommu_vtd *vt, struct vtd_endpoint *ve,
			  const struct vtd_context *ctx)
{
	struct vtd_domain *d = ERR_PTR(-EOPNOTSUPP);

	/* Assigned after the guest was told that the unit has snoop control */
	if (ve->ep->geo.snoop || !(vt->view.ecap & VTD_ECAP_SC))
		d = domain_get(vt, ctx->did, &ctx->key);
	if (IS_ERR(d)) {
		kviommu_warn(vt->v, "endpoint 0x%x is blocked: no guest domain for it: %ld\n",
			     ve->ep->id, PTR_ERR(d));
		vtd_endpoint_set(vt, ve, KVIOMMU_BLOCKED);
		tell_refused(vt, ve);
		return;
	}
	drop_next(vt, ve);
	if (d == ve->domain) {
		domain_put(vt, d);
		/* To attach it may have failed before. */
		apply(vt, ve);
		return;
	}
	ve->next = d;
	d->waiting++;
	if (is_dirty(d))
		return;
	if (d->fault != VTD_FAULT_NONE)
		vtd_tell_fault(vt, ve, d->fault, d->fault_addr, false);
	endpoint_move(vt, ve);
}

/* What any guest has while it sets its tables up is nothing to tell of. */
static bool is_error(u8 fault)
{
	switch (fault) {
	case VTD_FAULT_NONE:
	case VTD_FAULT_L_ROOT_NP:
	case VTD_FAULT_L_CTX_NP:
	case VTD_FAULT_ROOT_NP:
	case VTD_FAULT_CTX_NP:
	case VTD_FAULT_PDIR_NP:
	case VTD_FAULT_PASID_NP:
	case VTD_FAULT_ABORT_DMA:
		return false;
	default:
		return true;
	}
}

/* Look an endpoint up in root, context and PASID tables. */
static void endpoint_lookup(struct kviommu_vtd *vt, struct vtd_endpoint *ve)
{
	struct vtd_context ctx;

	ve->recheck = false;
	vt->nr_recheck--;
	vt->count.lookups++;
	vt->credits -= VTD_CREDITS_ENDPOINT;

	vtd_resolve(&vt->view, &vt->reader.reader, ve->ep->id, &ctx);
	trace_kviommu_vtd_lookup(kviommu_dev(vt->v), ve->ep->id, ctx.kind,
				 ctx.did, ctx.fault);
	ve->fpd = ctx.fpd;
	ve->did = ctx.did;
	if (is_error(ctx.fault) && ctx.fault != ve->fault)
		vtd_tell_fault(vt, ve, ctx.fault, 0, false);
	ve->fault = ctx.fault;
	if (is_access(ctx.fault))
		kviommu_retry_later(vt->v);

	switch (ctx.kind) {
	case VTD_TRANSLATE:
		endpoint_join(vt, ve, &ctx);
		break;
	case VTD_PASSTHROUGH:
		vtd_endpoint_set(vt, ve, KVIOMMU_BYPASS);
		break;
	default:
		vtd_endpoint_set(vt, ve, KVIOMMU_BLOCKED);
	}
}

/* ---- syncs ---- */

typedef void (*endpoint_fn)(struct kviommu_vtd *vt, struct vtd_endpoint *ve);

/* Call it for those that wait for a domain, or for those that are in it. */
static void tell_users(struct kviommu_vtd *vt, struct vtd_domain *d,
		       bool waiting, endpoint_fn fn)
{
	struct kviommu_endpoint *ep;
	struct vtd_endpoint *ve;
	unsigned long id;

	/* It may lose its last user meanwhile. */
	d->users++;
	xa_for_each(&vt->v->endpoints, id, ep) {
		ve = vtd_endpoint(ep);
		if (ve && (waiting ? ve->next : ve->domain) == d)
			fn(vt, ve);
	}
	domain_put(vt, d);
}

static void domain_synced(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	bool recovered = false;

	list_del_init(&d->dirty);
	if (is_whole(vt, d->begin, d->last)) {
		recovered = d->failed;
		d->failed = false;
		if (!d->fault_seen)
			d->fault = VTD_FAULT_NONE;
	}
	check_out(vt, d);
	if (d->waiting)
		tell_users(vt, d, true, endpoint_move);
	if (recovered)
		tell_users(vt, d, false, apply);
}

/* Its translations can't be known: block what uses it, and forget them. */
static void domain_fail(struct kviommu_vtd *vt, struct vtd_domain *d,
			const char *why)
{
	u8 reason = d->key.fs_levels ? VTD_FAULT_FS_ACCESS :
		    vtd_scalable(&vt->view) ? VTD_FAULT_SS_ACCESS :
					      VTD_FAULT_L_SS_ACCESS;

	kviommu_warn(vt->v, "endpoints of the guest's domain %u are blocked: %s\n",
		     d->did, why);
	vt->count.failed++;
	list_del_init(&d->dirty);
	d->failed = true;
	domain_fault(vt, d, reason, d->next);
	d->users++;
	tell_users(vt, d, false, apply);
	tell_users(vt, d, true, endpoint_move);
	vt->v->nr_mappings -= d->shadow.nr_mappings;
	kviommu_shadow_destroy(&d->shadow);
	kviommu_seen_exit(&d->seen);
	retry_later(vt, d);
	domain_put(vt, d);
}

/* Ask a walk for more, as far as the credits reach. Returns the number of runs. */
static unsigned int walk_on(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	u64 budget = min(vt->credits, MAX_STEP);
	unsigned int n;

	vt->walk.budget = budget;
	n = vtd_walk_next(&vt->walk, vt->runs, ARRAY_SIZE(vt->runs));
	budget -= vt->walk.budget;
	d->looked += budget;
	vt->credits -= budget;
	return n;
}

static int sync_run(struct kviommu_vtd *vt, struct vtd_domain *d,
		    struct kviommu_sync *y, const struct vtd_run *r)
{
	const struct kviommu_run run = {
		.iova = r->iova,
		.last = r->last,
		.gpa = r->gpa,
		.prot = r->prot,
		.order = r->shift,
	};

	if (unlikely(r->fault)) {
		/* One of a range says that there is something. */
		if (!d->fault_seen)
			domain_fault(vt, d, r->fault, r->iova);
		d->fault_seen = true;
		if (is_access(r->fault)) {
			range_add(&d->out_now, r->iova, r->last);
			range_add(&d->out, r->iova, r->last);
		}
		/* It is to be told of again. */
		vt->nr_new = 0;
		return 0;
	}
	return r->prot ? kviommu_sync_run(y, &run) :
			 kviommu_sync_keep(y, r->iova, r->last);
}

/* What the walk has found, up to where it is now */
static int sync_runs(struct kviommu_vtd *vt, struct vtd_domain *d,
		     struct kviommu_sync *y, unsigned int n)
{
	const struct vtd_walk *w = &vt->walk;
	s64 budget = vt->credits / VTD_CREDITS_PIECE + 1;
	unsigned int i;
	int rc = 0;

	y->budget = budget;
	for (i = 0; i < n && !rc; i++)
		rc = sync_run(vt, d, y, &vt->runs[i]);
	if (!rc && w->done)
		rc = kviommu_sync_gap(y, d->last);
	else if (!rc && w->next > y->next)
		rc = kviommu_sync_gap(y, w->next - 1);
	vt->credits -= (budget - y->budget) * VTD_CREDITS_PIECE;
	return rc;
}

/* See struct vtd_walk. */
static const __le64 *check_table(struct vtd_walk *w, unsigned int slot,
				 const __le64 *page, u64 bits)
{
	struct kviommu_vtd *vt = container_of(w, struct kviommu_vtd, walk);
	struct kviommu_seen_table *n = &vt->new[vt->nr_new];

	page = kviommu_guest_copy(&vt->reader, slot, page);
	if (kviommu_seen_check(&vt->walked->seen, &vt->key, n, page, w->next,
			       bits)) {
		vt->count.tables_same++;
		return NULL;
	}
	if (vt->nr_new < ARRAY_SIZE(vt->new) - 1)
		vt->nr_new++;
	return page;
}

/* What was in a walk, and is in the shadow now */
static void add_tables(struct kviommu_vtd *vt, struct vtd_domain *d, u64 next)
{
	unsigned int i, n = 0;

	for (i = 0; i < vt->nr_new; i++) {
		if (vt->new[i].iova + KVIOMMU_CHUNK_SIZE <= next)
			kviommu_seen_add(&d->seen, &vt->new[i],
					 vt->v->max_mappings);
		else
			vt->new[n++] = vt->new[i];
	}
	vt->nr_new = n;
}

static void changing(struct kviommu_sync *y, u64 first, u64 last)
{
	struct vtd_domain *d = container_of(y->shadow, struct vtd_domain, shadow);

	kviommu_seen_forget(&d->seen, first, last);
}

/* Walk from d->next on, as far as the credits reach. */
static int sync_some(struct kviommu_vtd *vt, struct vtd_domain *d,
		     struct kviommu_sync *y)
{
	struct vtd_walk *w = &vt->walk;
	u64 before = y->nr_refused;
	unsigned int n;
	int rc;

	vtd_walk_start(w, &vt->view, &d->key, &vt->reader.reader, d->next,
		       d->last);
	if (!d->key.fs_levels || !d->key.ss_levels)
		w->check = check_table;
	vt->walked = d;
	vt->nr_new = 0;
	kviommu_sync_start(y, &d->shadow, &vt->resv, d->next);
	do {
		n = walk_on(vt, d);
		rc = sync_runs(vt, d, y, n);
		if (unlikely(y->hit))
			tell_reserved(vt, d, y->hit);
		y->hit = NULL;
		/*
		 * If the guest takes a mark away, it has to be set again, and
		 * what was not mapped is to be tried again.
		 */
		if (w->changed || vt->reader.updated & LEAF_SLOTS ||
		    y->nr_refused != before)
			vt->nr_new = 0;
		before = y->nr_refused;
		vt->reader.updated = 0;
		add_tables(vt, d, y->next);
		/* Then the rest of the table will be found by the way to it. */
		if (!w->budget)
			vt->nr_new = 0;
		cond_resched();
	} while (!rc && !w->done && vt->credits > 0);
	d->changed |= w->changed;
	d->next = y->next;
	return rc;
}

/*
 * What a domain may have of max_mappings: as much for each of its endpoints as
 * there is for each endpoint of the vIOMMU. So what one device's user makes the
 * guest map leaves their own to all others.
 */
static u64 share_of(const struct kviommu_vtd *vt, const struct vtd_domain *d)
{
	u64 max = vt->v->max_mappings;

	return max_t(u64, 1, div_u64(max * min(d->users, vt->nr_endpoints),
				     max(vt->nr_endpoints, 1U)));
}

static u64 most_entries(const struct kviommu_vtd *vt,
			const struct vtd_domain *d)
{
	return (u64)vt->v->max_mappings * FULL_TABLE *
	       (d->key.fs_levels + d->key.ss_levels);
}

/* Do some of what is marked of a domain. -EINTR: the VMM is being killed. */
static int domain_sync(struct kviommu_vtd *vt, struct vtd_domain *d)
{
	u64 share = share_of(vt, d), max = vt->v->max_mappings;
	u64 others = min(vt->v->gmem.pieces - d->shadow.pieces, max);
	struct kviommu_sync y = {
		.max_pieces = min(share, max - others),
		.max_cut = max - others,
		.changing = changing,
		.refused = refused,
	};
	u64 before = d->shadow.nr_mappings, start = ktime_get_ns();
	u64 looked = d->looked;
	int rc;

	d->shadow.max_regions = share;
	rc = sync_some(vt, d, &y);
	vt->v->nr_mappings += d->shadow.nr_mappings - before;
	vt->v->count.mappings_peak = max(vt->v->count.mappings_peak,
					 vt->v->nr_mappings);
	vt->count.entries += d->looked - looked;
	vt->count.mapped += y.mapped;
	vt->count.unmapped += y.unmapped;
	vt->count.kept += y.kept;
	vt->count.refused += y.nr_refused;
	vt->count.sync_ns += ktime_get_ns() - start;
	trace_kviommu_vtd_sync(kviommu_dev(vt->v), d->did, d->begin, d->next,
			       d->last, y.kept, y.mapped, y.unmapped, rc);

	if (d->out_why && !d->out_told)
		tell_out(vt, d);
	if (rc == -EINTR)
		return rc;
	if (d->looked > most_entries(vt, d)) {
		domain_fail(vt, d, "its tables have no end");
	} else if (!rc && d->next > d->last && !d->changed) {
		vt->count.syncs++;
		domain_synced(vt, d);
	} else if (d->next > d->last && d->tries++ == MAX_TRIES) {
		domain_fail(vt, d, "its tables change while they are read");
	} else if (d->next > d->last) {
		d->changed = false;
		d->next = d->begin;
	}
	return 0;
}

/* ---- all of it ---- */

static bool drain_endpoints(struct kviommu_vtd *vt)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	/* Others of its group may be marked when one is moved. */
	while (vt->nr_recheck) {
		xa_for_each(&vt->v->endpoints, id, ep) {
			if (!vtd_endpoint(ep) || !vtd_endpoint(ep)->recheck)
				continue;
			if (vt->credits <= 0)
				return false;
			endpoint_lookup(vt, vtd_endpoint(ep));
		}
	}
	return true;
}

/* Two first stages may be nested in the same second one. */
static bool tables_differ(const struct vtd_domain *a, const struct vtd_domain *b)
{
	return !a->key.ss_levels || a->key.ss_levels != b->key.ss_levels ||
	       a->key.ssptptr != b->key.ssptptr;
}

/* 3.2: a domain id has one table. Now that no endpoint is on its way: */
static void check_dids(struct kviommu_vtd *vt)
{
	struct vtd_domain *d, *o;

	vt->check_dids = false;
	list_for_each_entry(d, &vt->domains, node) {
		for (o = d->sibling; o; o = o->sibling) {
			if (!tables_differ(d, o))
				continue;
			vt->count.did_conflicts++;
			kviommu_warn(vt->v, "the guest uses domain id %u for different tables, which are kept apart\n",
				     d->did);
			return;
		}
	}
}

/**
 * vtd_drain() - do all that is marked, as far as the credits reach
 * @vt: model
 *
 * Return: whether nothing is marked any more. Then it has reached the host.
 */
bool vtd_drain(struct kviommu_vtd *vt)
{
	struct vtd_domain *d;

	lockdep_assert_held(&vt->v->lock);
	if (!drain_endpoints(vt))
		return false;
	while (!list_empty(&vt->dirty)) {
		d = list_first_entry(&vt->dirty, struct vtd_domain, dirty);
		if (vt->credits <= 0 || domain_sync(vt, d))
			return false;
	}
	if (unlikely(vt->check_dids))
		check_dids(vt);
	kviommu_flush_all(vt->v);
	return true;
}

/* ---- addresses that are the host's ---- */

static bool resv_covered(const struct kviommu_geometry *geo,
			 const struct kviommu_resv *r)
{
	unsigned int i;

	for (i = 0; i < geo->nr_resv; i++)
		if (r->first >= geo->resv[i].first &&
		    r->last <= geo->resv[i].last)
			return true;
	return false;
}

/* Put a range among sorted, disjoint ones; there is room for it. */
static void resv_insert(struct kviommu_geometry *geo, struct kviommu_resv new)
{
	struct kviommu_resv *r = geo->resv;
	unsigned int i, n = 0;

	/* What it overlaps becomes part of it. */
	for (i = 0; i < geo->nr_resv; i++) {
		if (r[i].last < new.first || r[i].first > new.last) {
			r[n++] = r[i];
			continue;
		}
		new.first = min(new.first, r[i].first);
		new.last = max(new.last, r[i].last);
	}
	for (i = n; i && r[i - 1].first > new.first; i--)
		r[i] = r[i - 1];
	r[i] = new;
	geo->nr_resv = n + 1;
}

/**
 * vtd_resv_add() - addresses are reserved for one more endpoint
 * @vt: model
 * @geo: what its host can translate
 *
 * They are not mapped in any guest domain from then on: it is not known which
 * one the endpoint will be in. Nothing is mapped there now, see
 * kviommu_model::assigned.
 *
 * Return: 0 or -ENOMEM.
 */
int vtd_resv_add(struct kviommu_vtd *vt, const struct kviommu_geometry *geo)
{
	struct kviommu_resv *resv;
	unsigned int i;

	for (i = 0; i < geo->nr_resv; i++) {
		if (resv_covered(&vt->resv, &geo->resv[i]))
			continue;
		resv = krealloc_array(vt->resv.resv, vt->resv.nr_resv + 1,
				      sizeof(*resv), GFP_KERNEL_ACCOUNT);
		if (!resv)
			return -ENOMEM;
		vt->resv.resv = resv;
		resv_insert(&vt->resv, geo->resv[i]);
	}
	return 0;
}
