// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest domains that follow tables of the guest: which endpoint is translated with
 * what, and what of that may be out of date.
 *
 * Nothing is done when something becomes out of date: it is marked. An endpoint
 * is marked to be looked up in the guest's tables again, a domain has one range
 * that is to be walked again. kviommu_follow_work() does all that is marked, in
 * bounded steps. An endpoint moves to another domain only when that
 * is in sync, so that its device never sees a domain that is half filled, and
 * until then it keeps what it has.
 *
 * Guest domains are found by their key, domain id and roots, so that endpoints
 * with the same tables share a shadow. A domain id of the guest can have several
 * keys: while the guest moves endpoints from one table to another, or because
 * it breaks the rule that a domain id has one table.
 *
 * What makes it impossible to know the translations of a domain makes its
 * endpoints blocked. An error in one of its tables does not: as with hardware,
 * addresses below that table are refused, and nothing else. Nor does what can't
 * be mapped for lack of room or memory: that is left out, as if it were not
 * present, and tried again from time to time.
 */
#include <linux/ktime.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <trace/events/kviommu.h>

#include "kviommu_private.h"

/*
 * How often a range is walked again since the guest changed what was just being
 * read. A guest's CPU that uses the same tables may do so at any time.
 */
#define MAX_TRIES	8

/* Entries to look at without a look at whether somebody else wants the CPU */
#define MAX_STEP	16384LL

/*
 * What it costs to walk through 4 KiB of a table. A domain may have as many at
 * each level as it may have mappings. More are not followed to their end: the same
 * few tables, linked to each other, would be walked for hours.
 */
#define FULL_TABLE	(KVIOMMU_TABLE_WORDS + KVIOMMU_TABLE_COST)

/*
 * Credits: work is counted in table entries looked at. What is done for an
 * endpoint (KVIOMMU_CREDITS_LOOKUP), or for a part of 2 MiB that is mapped or
 * unmapped, counts for some.
 */
#define CREDITS_PIECE		64

/* The longest time between two tries to map what could not be mapped, jiffies */
#define RETRY_WAIT_MAX	(4UL * HZ)

static u64 last_addr(const struct kviommu_follow *f)
{
	return f->v->frozen.last;
}

static struct kviommu_gdomain *first_of_did(struct kviommu_follow *f, u32 did)
{
	return xa_load(&f->by_did, did);
}

static void range_add(struct kviommu_range *r, u64 first, u64 last)
{
	r->first = min(r->first, first);
	r->last = max(r->last, last);
}

/* ---- marks ---- */

static bool is_dirty(const struct kviommu_gdomain *d)
{
	return !list_empty(&d->dirty);
}

static bool is_whole(struct kviommu_follow *f, u64 first, u64 last)
{
	return !first && last >= last_addr(f);
}

/**
 * kviommu_mark() - a range of a domain is to be brought in line with its tables
 * @f: the model's
 * @d: domain
 * @first: first address
 * @last: last address
 *
 * Return: false if it can't be said together with what is marked already, then
 * that has to be done first: KVIOMMU_STEP_DRAIN.
 */
bool kviommu_mark(struct kviommu_follow *f, struct kviommu_gdomain *d, u64 first, u64 last)
{
	last = min(last, last_addr(f));
	if (first > last)
		return true;
	/* Whether the guest's tables still lead to it is not known yet. */
	if (d->epoch != f->epoch)
		return true;
	/*
	 * Only all of it can tell that it is in order again. A guest that does
	 * not know may never ask for that. It is blocked, and what goes wrong
	 * again and again must not hold up all others each time.
	 */
	if (d->failed) {
		if (time_before(jiffies, d->retry_at)) {
			d->asked = true;
			kviommu_retry_later(f->v);
			return true;
		}
		first = 0;
		last = last_addr(f);
	}
	if (!is_dirty(d)) {
		list_add_tail(&d->dirty, &f->dirty);
		d->begin = first;
		d->next = first;
		d->last = last;
		d->looked = 0;
		d->tries = 0;
		d->changed = false;
		d->fault_seen = false;
		d->out_now = KVIOMMU_RANGE_NONE;
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
 * kviommu_mark_all() - all domains are to be brought in line with their tables
 * @f: the model's
 */
void kviommu_mark_all(struct kviommu_follow *f)
{
	struct kviommu_gdomain *d;

	list_for_each_entry(d, &f->domains, node)
		kviommu_mark(f, d, 0, U64_MAX);
}

/**
 * kviommu_recheck() - an endpoint is to be looked up in the tables again
 * @f: the model's
 * @ge: endpoint
 */
void kviommu_recheck(struct kviommu_follow *f, struct kviommu_gendpoint *ge)
{
	if (!ge->recheck) {
		ge->recheck = true;
		f->nr_recheck++;
	}
}

/**
 * kviommu_recheck_all() - all endpoints are to be looked up again
 * @f: the model's
 */
void kviommu_recheck_all(struct kviommu_follow *f)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	xa_for_each(&f->v->endpoints, id, ep)
		if (kviommu_gendpoint(ep))
			kviommu_recheck(f, kviommu_gendpoint(ep));
}

/* ---- domains ---- */

static struct kviommu_gdomain *domain_find(struct kviommu_follow *f, u32 did,
					   const void *key)
{
	struct kviommu_gdomain *d;

	for (d = first_of_did(f, did); d; d = d->sibling)
		if (f->ops->same(d->key, key))
			return d;
	return NULL;
}

/* Find or make a domain; a new one is to be synced. Takes a reference. */
static struct kviommu_gdomain *domain_get(struct kviommu_follow *f, u32 did,
					  const void *key,
					  unsigned int shift)
{
	struct kviommu_gdomain *d = domain_find(f, did, key);
	int rc;

	if (d) {
		d->users++;
		if (d->epoch != f->epoch) {
			d->epoch = f->epoch;
			kviommu_mark(f, d, 0, U64_MAX);
		}
		if (memcmp(d->key, key, f->ops->key_size))
			d->mixed = true;
		f->check_keys |= d->mixed;
		return d;
	}
	if (f->nr_domains >= f->v->max_domains)
		return ERR_PTR(-ENOSPC);
	d = kzalloc_obj(*d, GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->did = did;
	memcpy(d->key, key, f->ops->key_size);
	d->epoch = f->epoch;
	d->users = 1;
	d->out = KVIOMMU_RANGE_NONE;
	d->sibling = first_of_did(f, did);
	INIT_LIST_HEAD(&d->dirty);
	kviommu_seen_init(&d->seen, shift);
	kviommu_shadow_init(&d->shadow, &f->v->gmem);
	rc = xa_err(xa_store(&f->by_did, did, d, GFP_KERNEL_ACCOUNT));
	if (rc) {
		kfree(d);
		return ERR_PTR(rc);
	}
	list_add_tail(&d->node, &f->domains);
	f->nr_domains++;
	f->check_dids |= d->sibling && f->ops->conflict;
	kviommu_mark(f, d, 0, U64_MAX);
	return d;
}

static void domain_put(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	struct kviommu_gdomain *p = first_of_did(f, d->did);

	if (--d->users) {
		f->check_keys |= d->mixed;
		return;
	}
	if (p != d) {
		while (p->sibling != d)
			p = p->sibling;
		p->sibling = d->sibling;
	} else if (d->sibling) {
		/* There is an entry, so this needs no memory. */
		xa_store(&f->by_did, d->did, d->sibling, GFP_KERNEL_ACCOUNT);
	} else {
		xa_erase(&f->by_did, d->did);
	}
	list_del(&d->dirty);
	list_del(&d->node);
	f->nr_domains--;
	f->v->nr_mappings -= d->shadow.nr_mappings;
	kviommu_shadow_destroy(&d->shadow);
	kviommu_seen_exit(&d->seen);
	kfree(d);
}

static void tell_endpoints(struct kviommu_follow *f, struct kviommu_gdomain *d,
			   u8 reason, u64 addr)
{
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	unsigned long id;

	xa_for_each(&f->v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (ge && (ge->domain == d || ge->next == d))
			f->ops->fault(f, ge, reason, addr, false);
	}
}

/* An error of its tables, for all endpoints that use it; once for each cause. */
static void domain_fault(struct kviommu_follow *f, struct kviommu_gdomain *d, u8 reason,
			 u64 addr)
{
	if (d->fault == reason && d->fault_addr == addr)
		return;
	d->fault = reason;
	d->fault_addr = addr;
	tell_endpoints(f, d, reason, addr);
}

/* ---- what could not be done, and is to be tried again ---- */

/* From now on, and each time twice as long as the last time */
static void retry_later(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	d->retry_wait = clamp(2 * d->retry_wait, 1UL, RETRY_WAIT_MAX);
	d->retry_at = jiffies + d->retry_wait;
	kviommu_retry_later(f->v);
}

/* See struct kviommu_sync. */
static void refused(struct kviommu_sync *y, u64 first, u64 last, int why)
{
	struct kviommu_gdomain *d = container_of(y->shadow, struct kviommu_gdomain, shadow);

	if (!d->out_why) {
		d->out_why = why;
		d->out_at = first;
	}
	range_add(&d->out_now, first, last);
	range_add(&d->out, first, last);
}

/* What is not mapped is as what is not present. */
static void tell_not_present(struct kviommu_follow *f, struct kviommu_gdomain *d,
			     u64 addr)
{
	tell_endpoints(f, d, f->ops->not_present(f, d), addr);
}

/* Once for each of the host's ranges: the guest should know them. */
static void tell_reserved(struct kviommu_follow *f, struct kviommu_gdomain *d,
			  const struct kviommu_resv *hit)
{
	struct kviommu_resv *r = &f->resv.resv[hit - f->resv.resv];

	r->told = true;
	f->count.reserved++;
	kviommu_warn(f->v, "KV44: the guest's domain %u has addresses in 0x%llx-0x%llx, which the host reserves: not mapped\n",
		     d->did, r->first, r->last);
	tell_not_present(f, d, r->first);
}

static void tell_out(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	d->out_told = true;
	kviommu_warn(f->v, "KV43: some of the guest's domain %u can't be mapped: %s\n",
		     d->did,
		     d->out_why == -EDQUOT ? "more than its part of max_mappings" :
		     d->out_why == -ENOMEM ? "no memory" :
					     "the host's IOMMU refuses");
	tell_not_present(f, d, d->out_at);
}

/* A range was synced to its end: what of it is still out */
static void check_out(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	if (d->begin > d->out.first || d->last < d->out.last) {
		kviommu_retry_later(f->v);
		return;
	}
	d->out = d->out_now;
	if (!kviommu_range_none(&d->out)) {
		retry_later(f, d);
		return;
	}
	d->out_told = false;
	d->retry_wait = 0;
}

/**
 * kviommu_follow_retry() - see kviommu_model::retry
 * @v: vIOMMU
 * @now: whether it is time or not
 *
 * Return: whether anything is left to be tried.
 */
bool kviommu_follow_retry(struct kviommu *v, bool now)
{
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_endpoint *ep;
	struct kviommu_gdomain *d;
	bool waits = false;
	unsigned long id;

	if (!f->on)
		return false;
	xa_for_each(&v->endpoints, id, ep) {
		if (!kviommu_gendpoint(ep) || !f->ops->is_away(kviommu_gendpoint(ep)->fault))
			continue;
		waits = true;
		kviommu_recheck(f, kviommu_gendpoint(ep));
		kviommu_worker_wake(v);
	}
	list_for_each_entry(d, &f->domains, node) {
		if (d->failed ? !d->asked && !now : kviommu_range_none(&d->out))
			continue;
		waits = true;
		if (is_dirty(d) || (!now && time_before(jiffies, d->retry_at)))
			continue;
		d->retry_at = jiffies;
		if (d->failed)
			kviommu_mark(f, d, 0, U64_MAX);
		else
			kviommu_mark(f, d, d->out.first, d->out.last);
		kviommu_worker_wake(v);
	}
	return waits;
}

/* ---- endpoints ---- */

static void drop_next(struct kviommu_follow *f, struct kviommu_gendpoint *ge)
{
	struct kviommu_gdomain *d = ge->next;

	ge->next = NULL;
	if (!d)
		return;
	d->waiting--;
	domain_put(f, d);
}

/* What is marked is not to be done; no endpoint moves to another domain then. */
static void unmark_all(struct kviommu_follow *f)
{
	struct kviommu_endpoint *ep;
	struct kviommu_gdomain *d;
	unsigned long id;

	list_for_each_entry(d, &f->domains, node) {
		list_del_init(&d->dirty);
		/* Who lacks what it has beyond its part will say so again. */
		d->shrunk |= d->rebuild;
		f->shrunk |= d->rebuild;
		d->rebuild = false;
	}
	xa_for_each(&f->v->endpoints, id, ep) {
		if (!kviommu_gendpoint(ep))
			continue;
		kviommu_gendpoint(ep)->recheck = false;
		drop_next(f, kviommu_gendpoint(ep));
	}
	f->nr_recheck = 0;
}

/* It belongs elsewhere from now on; its group has to be put there. */
static void endpoint_goes(struct kviommu_gendpoint *ge, struct kviommu_gdomain *d,
			  enum kviommu_state state)
{
	ge->left = ge->domain;
	ge->domain = d;
	ge->state = state;
	ge->goes = true;
}

/*
 * Put the members of a group where they belong now, and leave the domains that they
 * were in. All that changes for them is put together first: with one member still
 * in the old domain the group would be blocked.
 */
static void group_settle(struct kviommu_follow *f, struct kviommu_group *g)
{
	/* If that fails, the group is blocked, and that is in the log. */
	int rc = kviommu_group_apply(f->v, g);
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	struct kviommu_gdomain *old;

	list_for_each_entry(ep, &g->eps, group_node) {
		ge = kviommu_gendpoint(ep);
		if (!ge || !ge->goes)
			continue;
		ge->goes = false;
		if (rc)
			f->ops->refused(f, ge);
		old = ge->left;
		ge->left = NULL;
		if (!old)
			continue;
		old->shrunk = true;
		f->shrunk = true;
		domain_put(f, old);
	}
}

/* It may be possible now to have it where it belongs, or not any more. */
static void endpoint_settle(struct kviommu_follow *f, struct kviommu_gendpoint *ge)
{
	ge->goes = true;
	group_settle(f, ge->ep->group);
}

/**
 * kviommu_gendpoint_set() - an endpoint is in no guest domain any more
 * @f: the model's, in kviommu_follow_ops::lookup
 * @ge: endpoint
 * @state: BLOCKED or BYPASS
 */
void kviommu_gendpoint_set(struct kviommu_follow *f,
			   struct kviommu_gendpoint *ge,
			   enum kviommu_state state)
{
	drop_next(f, ge);
	endpoint_goes(ge, NULL, state);
	ge->found = f->on;
}

/* The same for one that is not looked up. */
static void endpoint_detach(struct kviommu_follow *f, struct kviommu_gendpoint *ge,
			    enum kviommu_state state)
{
	kviommu_gendpoint_set(f, ge, state);
	group_settle(f, ge->ep->group);
}

/* Its next domain is in sync, or has failed. */
static void endpoint_go_on(struct kviommu_gendpoint *ge)
{
	struct kviommu_gdomain *d = ge->next;

	d->waiting--;
	ge->next = NULL;
	endpoint_goes(ge, d, ge->state);
}

/* The same for all of its group that wait for that domain. */
static void endpoint_move(struct kviommu_follow *f, struct kviommu_gendpoint *ge)
{
	struct kviommu_group *g = ge->ep->group;
	struct kviommu_gdomain *d = ge->next;
	struct kviommu_endpoint *ep;

	list_for_each_entry(ep, &g->eps, group_node)
		if (kviommu_gendpoint(ep) && kviommu_gendpoint(ep)->next == d)
			endpoint_go_on(kviommu_gendpoint(ep));
	group_settle(f, g);
}

/**
 * kviommu_gendpoint_refuse() - an endpoint can't be in the guest domain it is for
 * @f: the model's, in kviommu_follow_ops::lookup
 * @ge: endpoint, which is blocked
 * @rc: why, for the log
 */
void kviommu_gendpoint_refuse(struct kviommu_follow *f,
			      struct kviommu_gendpoint *ge, int rc)
{
	kviommu_warn(f->v, "KV40: endpoint 0x%x is blocked: no guest domain for it: %d\n",
		     ge->ep->id, rc);
	kviommu_gendpoint_set(f, ge, KVIOMMU_BLOCKED);
	f->ops->refused(f, ge);
}

/**
 * kviommu_gendpoint_join() - an endpoint belongs in a guest domain
 * @f: the model's, in kviommu_follow_ops::lookup
 * @ge: endpoint; it moves when the domain is in sync
 * @did: id that the guest knows the domain by
 * @key: what it is translated with, kviommu_follow_ops::key_size bytes
 * @shift: log2 of the bytes of addresses that 4 KiB of a last-level table have
 */
void kviommu_gendpoint_join(struct kviommu_follow *f,
			    struct kviommu_gendpoint *ge, u32 did,
			    const void *key, unsigned int shift)
{
	struct kviommu_gdomain *d = domain_get(f, did, key, shift);

	if (IS_ERR(d)) {
		kviommu_gendpoint_refuse(f, ge, PTR_ERR(d));
		return;
	}
	memcpy(ge->key, key, f->ops->key_size);
	drop_next(f, ge);
	if (d == ge->domain) {
		domain_put(f, d);
		/* To attach it may have failed before. */
		ge->goes = true;
		return;
	}
	ge->next = d;
	d->waiting++;
	if (is_dirty(d))
		return;
	if (d->fault)
		f->ops->fault(f, ge, d->fault, d->fault_addr, false);
	endpoint_go_on(ge);
}

/* Look an endpoint up in the guest's tables. */
static void endpoint_lookup(struct kviommu_follow *f,
			    struct kviommu_gendpoint *ge)
{
	ge->recheck = false;
	f->nr_recheck--;
	f->count.lookups++;
	f->credits -= KVIOMMU_CREDITS_LOOKUP;
	f->ops->lookup(f, ge);
	if (f->ops->is_away(ge->fault))
		kviommu_retry_later(f->v);
}

/* The same for all of a group that are to be looked up. */
static void group_lookup(struct kviommu_follow *f, struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	list_for_each_entry(ep, &g->eps, group_node)
		if (kviommu_gendpoint(ep) && kviommu_gendpoint(ep)->recheck)
			endpoint_lookup(f, kviommu_gendpoint(ep));
	group_settle(f, g);
}

/* ---- syncs ---- */

typedef void (*endpoint_fn)(struct kviommu_follow *f, struct kviommu_gendpoint *ge);

/* Call it for those that wait for a domain, or for those that are in it. */
static void tell_users(struct kviommu_follow *f, struct kviommu_gdomain *d,
		       bool waiting, endpoint_fn fn)
{
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	unsigned long id;

	/* It may lose its last user meanwhile. */
	d->users++;
	xa_for_each(&f->v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (ge && (waiting ? ge->next : ge->domain) == d)
			fn(f, ge);
	}
	domain_put(f, d);
}

static void domain_synced(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	bool recovered = false;

	list_del_init(&d->dirty);
	if (is_whole(f, d->begin, d->last)) {
		recovered = d->failed;
		d->failed = false;
		if (!d->fault_seen)
			d->fault = 0;
	}
	check_out(f, d);
	if (d->waiting)
		tell_users(f, d, true, endpoint_move);
	if (recovered)
		tell_users(f, d, false, endpoint_settle);
}

/* Its translations can't be known: block what uses it, and forget them. */
static void domain_fail(struct kviommu_follow *f, struct kviommu_gdomain *d,
			const char *why)
{
	kviommu_warn(f->v, "KV42: endpoints of the guest's domain %u are blocked: %s\n",
		     d->did, why);
	f->count.failed++;
	list_del_init(&d->dirty);
	d->failed = true;
	domain_fault(f, d, f->ops->lost(f, d), d->next);
	d->users++;
	tell_users(f, d, false, endpoint_settle);
	tell_users(f, d, true, endpoint_move);
	f->v->nr_mappings -= d->shadow.nr_mappings;
	kviommu_shadow_destroy(&d->shadow);
	kviommu_seen_exit(&d->seen);
	retry_later(f, d);
	domain_put(f, d);
}

/* Ask a walk for more, as far as the credits reach. Returns the number of runs. */
static unsigned int walk_on(struct kviommu_follow *f, struct kviommu_gdomain *d,
			    struct kviommu_follow_walk *w)
{
	/* To begin the walk may have cost more than there was: it comes on all the same. */
	u64 budget = clamp(f->credits, 1LL, MAX_STEP);
	unsigned int n;

	w->budget = budget;
	n = f->ops->walk_next(f, w);
	budget -= w->budget;
	d->looked += budget;
	f->credits -= budget;
	return n;
}

static int sync_run(struct kviommu_follow *f, struct kviommu_gdomain *d,
		    struct kviommu_sync *y, const struct kviommu_run *r)
{
	if (unlikely(r->fault)) {
		/* One of a range says that there is something. */
		if (!d->fault_seen && f->ops->tell_tables)
			domain_fault(f, d, r->fault, r->iova);
		d->fault_seen = true;
		if (f->ops->is_away(r->fault)) {
			range_add(&d->out_now, r->iova, r->last);
			range_add(&d->out, r->iova, r->last);
		}
		/* It is to be told of again. */
		f->nr_new = 0;
		return 0;
	}
	return r->prot ? kviommu_sync_run(y, r) :
			 kviommu_sync_keep(y, r->iova, r->last);
}

/* What the walk has found, up to where it is now */
static int sync_runs(struct kviommu_follow *f, struct kviommu_gdomain *d,
		     struct kviommu_sync *y,
		     const struct kviommu_follow_walk *w, unsigned int n)
{
	s64 budget = max(f->credits, 0LL) / CREDITS_PIECE + 1;
	unsigned int i;
	int rc = 0;

	y->budget = budget;
	for (i = 0; i < n && !rc; i++)
		rc = sync_run(f, d, y, &f->runs[i]);
	if (!rc && w->done)
		rc = kviommu_sync_gap(y, d->last);
	else if (!rc && w->next > y->next)
		rc = kviommu_sync_gap(y, w->next - 1);
	f->credits -= (budget - y->budget) * CREDITS_PIECE;
	return rc;
}

/**
 * kviommu_follow_check() - a walk is at 4 KiB of a last-level table
 * @f: the model's, in kviommu_follow_ops::walk_next
 * @slot: where it was read
 * @page: what was read
 * @iova: its first address
 * @bits: what else decides what its entries mean
 *
 * Return: what is to be walked in its place; NULL if it is known already.
 */
const __le64 *kviommu_follow_check(struct kviommu_follow *f, unsigned int slot,
				   const __le64 *page, u64 iova, u64 bits)
{
	struct kviommu_seen_table *n = &f->new[f->nr_new];

	page = kviommu_guest_copy(&f->reader, slot, page);
	if (kviommu_seen_check(&f->walked->seen, &f->key, n, page, iova, bits)) {
		f->count.tables_same++;
		return NULL;
	}
	if (f->nr_new < ARRAY_SIZE(f->new) - 1)
		f->nr_new++;
	return page;
}

/* What was in a walk, and is in the shadow now */
static void add_tables(struct kviommu_follow *f, struct kviommu_gdomain *d, u64 next)
{
	unsigned int i, n = 0;

	for (i = 0; i < f->nr_new; i++) {
		if (f->new[i].iova + BIT_ULL(d->seen.shift) <= next)
			kviommu_seen_add(&d->seen, &f->new[i],
					 f->v->max_mappings);
		else
			f->new[n++] = f->new[i];
	}
	f->nr_new = n;
}

static void changing(struct kviommu_sync *y, u64 first, u64 last)
{
	struct kviommu_gdomain *d = container_of(y->shadow, struct kviommu_gdomain, shadow);

	kviommu_seen_forget(&d->seen, first, last);
}

/* Walk from d->next on, as far as the credits reach. */
static int sync_some(struct kviommu_follow *f, struct kviommu_gdomain *d,
		     struct kviommu_sync *y)
{
	u64 before = y->nr_refused;
	struct kviommu_follow_walk w;
	unsigned int n;
	int rc;

	f->ops->walk_start(f, d, d->next, d->last);
	f->walked = d;
	f->nr_new = 0;
	kviommu_sync_start(y, &d->shadow, &f->resv, d->next);
	do {
		n = walk_on(f, d, &w);
		rc = sync_runs(f, d, y, &w, n);
		if (unlikely(y->hit))
			tell_reserved(f, d, y->hit);
		y->hit = NULL;
		/*
		 * If the guest takes a mark away, it has to be set again, and
		 * what was not mapped is to be tried again.
		 */
		if (w.changed || f->reader.updated & f->leaf_slots ||
		    y->nr_refused != before)
			f->nr_new = 0;
		before = y->nr_refused;
		f->reader.updated = 0;
		add_tables(f, d, y->next);
		/* Then the rest of the table will be found by the way to it. */
		if (!w.budget)
			f->nr_new = 0;
		cond_resched();
	} while (!rc && !w.done && f->credits > 0);
	d->changed |= w.changed;
	d->next = y->next;
	return rc;
}

/*
 * What a domain may have of max_mappings: as much for each of its endpoints as
 * there is for each endpoint of the vIOMMU. So what one device's user makes the
 * guest map leaves their own to all others.
 */
static u64 share_of(const struct kviommu_follow *f, const struct kviommu_gdomain *d)
{
	u64 max = f->v->max_mappings;

	return max_t(u64, 1, div_u64(max * min(d->users, f->nr_endpoints),
				     max(f->nr_endpoints, 1U)));
}

static u64 most_entries(const struct kviommu_follow *f,
			const struct kviommu_gdomain *d)
{
	return (u64)f->v->max_mappings * FULL_TABLE * f->ops->levels(d);
}

/* Has it more than its part? */
static bool is_over(const struct kviommu_follow *f, const struct kviommu_gdomain *d)
{
	u64 share = share_of(f, d);

	return d->shadow.pieces > share || d->shadow.nr_regions > share;
}

/*
 * All others together have so much that a domain can't have its part. It is with
 * those that endpoints have left. Such a domain is to be built anew, within its
 * part: nothing less would free the tables of the host that it went through.
 */
static void take_back(struct kviommu_follow *f, const struct kviommu_gdomain *d,
		      u64 share)
{
	const struct kviommu_gmem *g = &f->v->gmem;
	u64 rest = f->v->max_mappings - share;
	struct kviommu_gdomain *o;

	if (!f->shrunk || (g->pieces - d->shadow.pieces <= rest &&
			   g->nr_regions - d->shadow.nr_regions <= rest))
		return;
	f->shrunk = d->shrunk;
	list_for_each_entry(o, &f->domains, node) {
		if (o == d || !o->shrunk)
			continue;
		o->shrunk = false;
		if (!is_over(f, o))
			continue;
		o->rebuild = true;
		kviommu_mark(f, o, 0, U64_MAX);
	}
}

static void rebuild(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	d->rebuild = false;
	if (d->failed || !is_over(f, d))
		return;
	d->users++;
	domain_fail(f, d, "others need what it has of max_mappings beyond its part");
	d->asked = true;
	domain_put(f, d);
}

/* Do some of what is marked of a domain. -EINTR: the VMM is being killed. */
static int domain_sync(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	u64 share = share_of(f, d), max = f->v->max_mappings;
	u64 others = min(f->v->gmem.pieces - d->shadow.pieces, max);
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
	rc = sync_some(f, d, &y);
	f->v->nr_mappings += d->shadow.nr_mappings - before;
	f->v->count.mappings_peak = max(f->v->count.mappings_peak,
					f->v->nr_mappings);
	f->count.entries += d->looked - looked;
	f->count.mapped += y.mapped;
	f->count.unmapped += y.unmapped;
	f->count.kept += y.kept;
	f->count.refused += y.nr_refused;
	f->count.sync_ns += ktime_get_ns() - start;
	trace_kviommu_sync(kviommu_dev(f->v), d->did, d->begin, d->next,
			   d->last, y.kept, y.mapped, y.unmapped, rc);

	if (d->out_why && !d->out_told)
		tell_out(f, d);
	if (y.nr_refused)
		take_back(f, d, share);
	if (rc == -EINTR)
		return rc;
	if (d->looked > most_entries(f, d)) {
		domain_fail(f, d, "its tables have no end");
	} else if (!rc && d->next > d->last && !d->changed) {
		f->count.syncs++;
		domain_synced(f, d);
	} else if (d->next > d->last && d->tries++ == MAX_TRIES) {
		domain_fail(f, d, "its tables change while they are read");
	} else if (d->next > d->last) {
		d->changed = false;
		d->next = d->begin;
	}
	return 0;
}

/* ---- all of it ---- */

/* What does not tell domains apart holds for all that belong in one, or for none. */
static void check_key(struct kviommu_follow *f, struct kviommu_gdomain *d)
{
	u64 key[KVIOMMU_KEY_WORDS];
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	bool first = true;
	unsigned long id;

	d->mixed = false;
	xa_for_each(&f->v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (!ge || (ge->next ?: ge->domain) != d)
			continue;
		if (first) {
			memcpy(key, ge->key, f->ops->key_size);
		} else if (memcmp(key, ge->key, f->ops->key_size)) {
			d->mixed = true;
			f->ops->merge(key, ge->key);
		}
		first = false;
	}
	if (first || !memcmp(d->key, key, f->ops->key_size))
		return;
	memcpy(d->key, key, f->ops->key_size);
	/* Known tables were known to need no marks. */
	kviommu_seen_exit(&d->seen);
	kviommu_mark(f, d, 0, U64_MAX);
}

/* Translation is on, and no endpoint is to be looked up any more. */
static void check_keys(struct kviommu_follow *f)
{
	struct kviommu_gdomain *d;

	f->check_keys = false;
	list_for_each_entry(d, &f->domains, node)
		if (d->mixed)
			check_key(f, d);
}

static bool drain_endpoints(struct kviommu_follow *f)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	/* Others of its group may be marked when one is moved. */
	while (f->nr_recheck) {
		xa_for_each(&f->v->endpoints, id, ep) {
			if (!kviommu_gendpoint(ep) || !kviommu_gendpoint(ep)->recheck)
				continue;
			if (f->credits <= 0)
				return false;
			group_lookup(f, ep->group);
		}
	}
	return true;
}

/* A domain id has one table. Now that no endpoint is on its way: */
static void check_dids(struct kviommu_follow *f)
{
	struct kviommu_gdomain *d, *o;

	f->check_dids = false;
	list_for_each_entry(d, &f->domains, node) {
		for (o = d->sibling; o; o = o->sibling) {
			if (!f->ops->conflict(d, o))
				continue;
			f->count.did_conflicts++;
			kviommu_warn(f->v, "KV45: the guest uses domain id %u for different tables, which are kept apart\n",
				     d->did);
			return;
		}
	}
}

/*
 * Do all that is marked, as far as the credits reach. Returns whether nothing is
 * marked any more. Then it has reached the host.
 */
static bool drain(struct kviommu_follow *f)
{
	struct kviommu_gdomain *d;

	if (!drain_endpoints(f))
		return false;
	if (unlikely(f->check_keys) && f->on)
		check_keys(f);
	while (!list_empty(&f->dirty)) {
		d = list_first_entry(&f->dirty, struct kviommu_gdomain, dirty);
		if (unlikely(d->rebuild))
			rebuild(f, d);
		else if (f->credits <= 0 || domain_sync(f, d))
			return false;
	}
	if (unlikely(f->check_dids))
		check_dids(f);
	kviommu_flush_all(f->v);
	return true;
}

/* ---- work ---- */

static struct kviommu_gendpoint *gendpoint_of(struct kviommu_follow *f,
					      const struct device *dev)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	xa_for_each(&f->v->endpoints, id, ep)
		if (ep->kdev->dev == dev)
			return kviommu_gendpoint(ep);
	return NULL;
}

/*
 * Faults that the host's IOMMU reported. Each has an address looked up, and all
 * together leave half of the credits to the guest's queue. Returns whether there
 * may be more.
 */
static bool host_faults(struct kviommu_follow *f)
{
	s64 n = f->credits / (2 * KVIOMMU_CREDITS_LOOKUP);
	struct kviommu_gendpoint *ge;
	struct kviommu_fault fault;

	for (; n > 0 && kviommu_fault_next(f->v, &fault); n--) {
		ge = gendpoint_of(f, fault.dev);
		if (!ge || !f->on)
			continue;
		f->credits -= KVIOMMU_CREDITS_LOOKUP;
		f->ops->host_fault(f, ge, &fault);
	}
	return n <= 0;
}

/*
 * True if there is more to do than the credits reach for, or if memory is away
 * for that.
 */
static bool run(struct kviommu_follow *f)
{
	enum kviommu_step step;

	do {
		step = f->ops->pending(f) ? KVIOMMU_STEP_DRAIN : f->ops->step(f);
		if (step == KVIOMMU_STEP_DONE)
			continue;
		if (!drain(f))
			return true;
		f->ops->drained(f);
		if (step != KVIOMMU_STEP_DRAIN)
			return step == KVIOMMU_STEP_AWAY;
		cond_resched();
	} while (f->credits > 0);
	return true;
}

/**
 * kviommu_follow_work() - see kviommu_model::work
 * @v: vIOMMU, locked
 * @budget: units at most, each of KVIOMMU_CREDITS_UNIT
 * @done: units done are added to this
 *
 * Return: true if more is waiting, or memory is away for that.
 */
bool kviommu_follow_work(struct kviommu *v, unsigned int budget,
			 unsigned int *done)
{
	s64 credits = (s64)budget * KVIOMMU_CREDITS_UNIT;
	struct kviommu_follow *f = v->model_priv;
	bool more;

	lockdep_assert_held(&v->lock);
	f->credits = credits;
	more = host_faults(f);
	more |= run(f);
	/* What was unmapped so far is not to wait for the rest. */
	kviommu_flush_all(v);
	/* Nothing, if all that is left waits for memory */
	credits -= max_t(s64, f->credits, 0);
	if (credits || !more)
		*done += max_t(s64, 1, credits / KVIOMMU_CREDITS_UNIT);
	return more;
}

/**
 * kviommu_follow_kick() - a register write has asked for something
 * @f: the model's
 *
 * Guests wait for it, most of them spinning, so a bounded part is done at once.
 */
void kviommu_follow_kick(struct kviommu_follow *f)
{
	struct kviommu *v = f->v;
	unsigned int done = 0;

	v->count.kicks++;
	if (v->worker.dead)
		kviommu_work_all(v);
	else if (kviommu_work_locked(v, READ_ONCE(v->batch), &done))
		kviommu_worker_wake(v);
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
 * kviommu_follow_assigned() - see kviommu_model::assigned
 * @v: vIOMMU
 * @ep: endpoint
 *
 * Addresses that are reserved for it are not mapped in any guest domain from then
 * on: it is not known which one it will be in. Nothing is mapped there now.
 *
 * Return: 0 or -ENOMEM.
 */
int kviommu_follow_assigned(struct kviommu *v, struct kviommu_endpoint *ep)
{
	const struct kviommu_geometry *geo = &ep->geo;
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_resv *resv;
	unsigned int i;

	for (i = 0; i < geo->nr_resv; i++) {
		if (resv_covered(&f->resv, &geo->resv[i]))
			continue;
		resv = krealloc_array(f->resv.resv, f->resv.nr_resv + 1,
				      sizeof(*resv), GFP_KERNEL_ACCOUNT);
		if (!resv)
			return -ENOMEM;
		f->resv.resv = resv;
		resv_insert(&f->resv, geo->resv[i]);
	}
	return 0;
}

/* ---- what endpoints reach ---- */

static struct kviommu_gendpoint *
endpoint_create(struct kviommu_follow *f, struct kviommu_endpoint *ep)
{
	struct kviommu_gendpoint *ge;

	ge = kzalloc_obj(*ge, GFP_KERNEL_ACCOUNT);
	if (!ge)
		return NULL;
	ge->ep = ep;
	ep->model_priv = ge;
	f->nr_endpoints++;
	ge->state = f->v->model->detached(f->v);
	if (f->on) {
		ge->state = KVIOMMU_BLOCKED;
		kviommu_recheck(f, ge);
		kviommu_worker_wake(f->v);
	}
	return ge;
}

/* Has the guest said something of it: it is not just left out of its tables. */
static bool is_chosen(const struct kviommu_follow *f,
		      const struct kviommu_gendpoint *ge)
{
	return ge->domain || (f->on && ge->state == KVIOMMU_BYPASS);
}

/* One that was not looked at yet goes with another one of its group that was. */
static bool goes_with_another(const struct kviommu_gendpoint *ge)
{
	struct kviommu_endpoint *ep;

	if (ge->domain || ge->found)
		return false;
	list_for_each_entry(ep, &ge->ep->group->eps, group_node)
		if (kviommu_gendpoint(ep) && kviommu_gendpoint(ep)->domain)
			return true;
	return false;
}

/*
 * The host can't tell members of a group apart. What the guest has said of two
 * of them must be the same.
 */
static bool group_agrees(const struct kviommu_follow *f,
			 const struct kviommu_gendpoint *ge)
{
	struct kviommu_endpoint *ep;
	const struct kviommu_gendpoint *o;

	list_for_each_entry(ep, &ge->ep->group->eps, group_node) {
		o = kviommu_gendpoint(ep);
		if (o && ep->kdev->attached && is_chosen(f, o) &&
		    o->domain != ge->domain && !goes_with_another(o))
			return false;
	}
	return true;
}

/**
 * kviommu_follow_resolve() - see kviommu_model::resolve
 * @v: vIOMMU
 * @ep: endpoint
 * @t: the answer; blocked is left as it is
 */
void kviommu_follow_resolve(struct kviommu *v, struct kviommu_endpoint *ep,
			    struct kviommu_target *t)
{
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_gendpoint *ge = kviommu_gendpoint(ep) ?:
				       endpoint_create(f, ep);

	if (!ge)
		return;
	t->state = ge->state;
	t->chosen = is_chosen(f, ge) && !goes_with_another(ge);
	if (!t->chosen)
		return;
	if (!group_agrees(f, ge)) {
		kviommu_warn(v, "KV41: endpoint 0x%x is blocked: the host can't tell it from another one that the guest translates differently\n",
			     ep->id);
		t->state = KVIOMMU_BLOCKED;
	} else if (ge->domain && ge->domain->failed) {
		t->state = KVIOMMU_BLOCKED;
	} else if (ge->domain) {
		t->state = KVIOMMU_TRANSLATED;
		t->shadow = &ge->domain->shadow;
	}
}

/* ---- translation on and off ---- */

/**
 * kviommu_follow_again() - all tables may be others
 * @f: the model's, with translation on
 *
 * Domains are looked at only as endpoints are found to be in them: tables that
 * none leads to any more may be anything by now.
 */
void kviommu_follow_again(struct kviommu_follow *f)
{
	f->epoch++;
	kviommu_recheck_all(f);
}

/**
 * kviommu_follow_on() - the guest has turned translation on
 * @f: the model's
 */
void kviommu_follow_on(struct kviommu_follow *f)
{
	f->on = true;
	kviommu_event(f->v, KVIOMMU_GUEST_ENABLE);
	kviommu_follow_again(f);
}

/**
 * kviommu_follow_reset() - translation is off, by a reset
 * @f: the model's
 *
 * What was found in tables is forgotten, but for the domains that endpoints are
 * in: what becomes of these, the reset decides.
 */
void kviommu_follow_reset(struct kviommu_follow *f)
{
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	unsigned long id;

	f->on = false;
	unmark_all(f);
	xa_for_each(&f->v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (!ge)
			continue;
		ge->did = 0;
		ge->fault = 0;
	}
}

/**
 * kviommu_follow_off() - the guest has turned translation off
 * @f: the model's
 */
void kviommu_follow_off(struct kviommu_follow *f)
{
	kviommu_follow_reset(f);
	kviommu_event(f->v, KVIOMMU_GUEST_RESET);
}

/**
 * kviommu_follow_policy() - the guest has changed what there is without translation
 * @f: the model's, with translation off; kviommu_model::detached tells it
 *
 * Endpoints that are held get to know it when that is over.
 */
void kviommu_follow_policy(struct kviommu_follow *f)
{
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	unsigned long id;

	xa_for_each(&f->v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (ge && !kviommu_group_held(ep->group))
			ge->state = f->v->model->detached(f->v);
	}
	kviommu_event(f->v, KVIOMMU_GUEST_POLICY);
}

/**
 * kviommu_follow_release() - see kviommu_model::release
 * @v: vIOMMU
 * @ep: endpoint
 */
void kviommu_follow_release(struct kviommu *v, struct kviommu_endpoint *ep)
{
	if (kviommu_gendpoint(ep))
		endpoint_detach(v->model_priv, kviommu_gendpoint(ep),
				v->model->detached(v));
}

/**
 * kviommu_follow_leave() - see kviommu_model::leave
 * @v: vIOMMU
 * @ep: endpoint
 */
void kviommu_follow_leave(struct kviommu *v, struct kviommu_endpoint *ep)
{
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_gendpoint *ge = kviommu_gendpoint(ep);

	if (!ge)
		return;
	endpoint_detach(f, ge, KVIOMMU_BLOCKED);
	f->nr_recheck -= ge->recheck;
	f->nr_endpoints--;
	ep->model_priv = NULL;
	kfree(ge);
}

/**
 * kviommu_follow_open() - a VMM has opened the vIOMMU
 * @f: the model's, after a reset
 *
 * Return: 0 or -ENOMEM.
 */
int kviommu_follow_open(struct kviommu_follow *f)
{
	struct kviommu_endpoint *ep;
	unsigned long id;
	int rc = 0;

	memset(&f->count, 0, sizeof(f->count));
	xa_for_each(&f->v->endpoints, id, ep) {
		rc = kviommu_follow_assigned(f->v, ep);
		if (rc) {
			kviommu_geometry_free(&f->resv);
			break;
		}
	}
	return rc;
}

/**
 * kviommu_follow_close() - see kviommu_model::close
 * @v: vIOMMU
 */
void kviommu_follow_close(struct kviommu *v)
{
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_endpoint *ep;
	unsigned long id;

	f->on = false;
	xa_for_each(&v->endpoints, id, ep)
		kviommu_follow_leave(v, ep);
	kviommu_geometry_free(&f->resv);
}

/**
 * kviommu_follow_each_shadow() - see kviommu_model::for_each_shadow
 * @v: vIOMMU
 * @fn: called for each
 * @arg: its last argument
 */
void kviommu_follow_each_shadow(struct kviommu *v, kviommu_shadow_fn fn,
				void *arg)
{
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_gdomain *d;

	list_for_each_entry(d, &f->domains, node)
		fn(&d->shadow, d->did, arg);
}

/* ---- life ---- */

/**
 * kviommu_follow_init() - no guest domain is there
 * @f: zeroes
 * @v: vIOMMU; @f becomes its model_priv
 * @ops: what the model does
 * @slots: of the guest's pages that its walks read
 *
 * Return: 0 or -ENOMEM.
 */
int kviommu_follow_init(struct kviommu_follow *f, struct kviommu *v,
			const struct kviommu_follow_ops *ops,
			unsigned int slots)
{
	int rc = kviommu_guest_reader_init(&f->reader, &v->gmem, slots);

	if (rc)
		return rc;
	v->model_priv = f;
	f->v = v;
	f->ops = ops;
	INIT_LIST_HEAD(&f->domains);
	INIT_LIST_HEAD(&f->dirty);
	xa_init(&f->by_did);
	kviommu_seen_key_init(&f->key);
	return 0;
}

/**
 * kviommu_follow_exit() - undo kviommu_follow_init()
 * @f: the model's, without guest domains
 */
void kviommu_follow_exit(struct kviommu_follow *f)
{
	kviommu_guest_reader_exit(&f->reader);
	xa_destroy(&f->by_did);
	kviommu_geometry_free(&f->resv);
}

/* ---- debugfs ---- */

/**
 * kviommu_follow_domain_id() - see kviommu_model::domain_id
 * @ep: endpoint
 *
 * Return: the id of the domain that it is in, or -1.
 */
s64 kviommu_follow_domain_id(const struct kviommu_endpoint *ep)
{
	const struct kviommu_gendpoint *ge = kviommu_gendpoint(ep);

	return ge && ge->domain ? (s64)ge->domain->did : -1;
}

/**
 * kviommu_follow_show_state() - lines for debugfs "state"
 * @f: the model's
 * @s: file
 */
void kviommu_follow_show_state(struct kviommu_follow *f, struct seq_file *s)
{
	seq_printf(s, "domains %u\n", f->nr_domains);
	seq_printf(s, "busy %u\n",
		   f->ops->pending(f) || !kviommu_follow_idle(f));
}

/**
 * kviommu_follow_show_domains() - see kviommu_model::show_domains
 * @v: vIOMMU
 * @s: file
 */
void kviommu_follow_show_domains(struct kviommu *v, struct seq_file *s)
{
	struct kviommu_follow *f = v->model_priv;
	struct kviommu_gdomain *d;

	list_for_each_entry(d, &f->domains, node) {
		seq_printf(s, "%u endpoints %u mappings %llu bypass 0", d->did,
			   d->users, d->shadow.nr_mappings);
		f->ops->show_domain(d, s);
		seq_printf(s, "%s\n", d->failed ? " failed" :
				      kviommu_range_none(&d->out) ? "" :
								    " incomplete");
	}
}

/**
 * kviommu_follow_show_counters() - lines for debugfs "counters"
 * @f: the model's
 * @s: file
 */
void kviommu_follow_show_counters(struct kviommu_follow *f, struct seq_file *s)
{
	const struct kviommu_follow_counters *c = &f->count;

	seq_printf(s, "lookups %llu\n", c->lookups);
	seq_printf(s, "syncs %llu\n", c->syncs);
	seq_printf(s, "sync_entries %llu\n", c->entries);
	seq_printf(s, "sync_mapped %llu\n", c->mapped);
	seq_printf(s, "sync_unmapped %llu\n", c->unmapped);
	seq_printf(s, "sync_kept %llu\n", c->kept);
	seq_printf(s, "sync_tables_same %llu\n", c->tables_same);
	seq_printf(s, "sync_ns %llu\n", c->sync_ns);
	seq_printf(s, "did_conflicts %llu\n", c->did_conflicts);
	seq_printf(s, "refused %llu\n", c->refused);
	seq_printf(s, "reserved %llu\n", c->reserved);
	seq_printf(s, "failed %llu\n", c->failed);
}
