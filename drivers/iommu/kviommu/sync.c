// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sync: a shadow follows tables that the guest keeps.
 *
 * A model walks the tables of a guest address space and says what it finds, in
 * the order of addresses. That is compared with the extents of the shadow, and
 * only what differs is unmapped or mapped. What is the same before and after is
 * not touched, so that a device that uses it never sees it missing.
 *
 * It can stop at any address and go on later, which is what the budget is for:
 * a guest decides how much there is to do. Everything below kviommu_sync::next
 * is done then.
 *
 * All functions run with the lock of the vIOMMU held, which must not be dropped
 * between kviommu_sync_start() and the last of the others.
 */
#include <linux/sizes.h>

#include "kviommu_private.h"

/*
 * No extent is longer, so that none takes long to map, and a walk over a table
 * that has not changed finds the same borders each time.
 */
#define MAX_EXTENT	SZ_64M

/*
 * What is no guest memory is tried page by page. So many times as long as to
 * map a part of 2 MiB does that take for one.
 */
#define ABSENT_COST	128

/**
 * kviommu_sync_start() - begin or go on
 * @y: filled with zeroes, but for its limits and counters
 * @s: what is to be brought in line
 * @geo: reserved addresses, which are never mapped
 * @first: address to begin at
 */
void kviommu_sync_start(struct kviommu_sync *y, struct kviommu_shadow *s,
			const struct kviommu_geometry *geo, u64 first)
{
	y->shadow = s;
	y->geo = geo;
	y->next = first;
	y->e = kviommu_shadow_first(s, first);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_sync_start);

static void changing(struct kviommu_sync *y, u64 first, u64 last)
{
	if (y->changing)
		y->changing(y, first, last);
}

/* What is mapped of it, if anything, is gone. */
static void refuse(struct kviommu_sync *y, u64 first, u64 last, int why)
{
	y->nr_refused++;
	if (y->refused)
		y->refused(y, first, last, why);
}

/*
 * Without room, or memory, for what an extent would be cut into, all of it goes.
 * A page that the guest took away must not stay.
 */
static void clear_whole(struct kviommu_sync *y, u64 last, int why)
{
	struct kviommu_extent *e = kviommu_shadow_first(y->shadow, y->next);
	u64 from = e->iova, to = e->last;

	changing(y, from, to);
	kviommu_shadow_clear(y->shadow, e, from, to);
	if (from < y->next)
		refuse(y, from, y->next - 1, why);
	if (to > last)
		refuse(y, last + 1, to, why);
}

/* Remove an extent, or the part of it that is in [next, last]. */
static int clear(struct kviommu_sync *y, u64 last)
{
	u64 first = max(y->e->iova, y->next), end = min(y->e->last, last);
	bool cut = first > y->e->iova || end < y->e->last;
	int rc = 0;

	if (y->budget <= 0)
		return -EAGAIN;
	y->budget -= kviommu_shadow_pieces(y->e->gpa + (first - y->e->iova),
					   end - first + 1);
	/* What is cut becomes more. */
	if (cut && y->shadow->pieces >= max(y->max_pieces, y->max_cut))
		rc = -EDQUOT;
	if (!rc) {
		changing(y, first, end);
		rc = kviommu_shadow_clear(y->shadow, y->e, first, end);
	}
	if (rc)
		clear_whole(y, last, rc);
	y->e = kviommu_shadow_first(y->shadow, y->next);
	y->unmapped++;
	return 0;
}

static int map(struct kviommu_sync *y, u64 last, u64 gpa,
	       const struct kviommu_run *run)
{
	u64 pieces = kviommu_shadow_pieces(gpa, last - y->next + 1);
	struct kviommu_shadow *s = y->shadow;
	u64 absent = s->nr_absent;
	int rc = -EDQUOT;

	if (y->budget <= 0)
		return -EAGAIN;
	changing(y, y->next, last);
	if (s->pieces + pieces <= y->max_pieces) {
		y->budget -= pieces;
		rc = kviommu_shadow_set(s, y->next, last, gpa, run->prot,
					run->order, run->leaf);
	} else {
		/* What is small has cost a walk already. */
		y->budget -= pieces / 8;
	}
	if (s->nr_absent != absent)
		y->budget -= pieces * ABSENT_COST;
	if (rc == -EINTR)
		return rc;
	/* In parts, where only some of it is guest memory. */
	if (!rc && s->pieces > y->max_pieces)
		rc = -EDQUOT;
	if (rc) {
		kviommu_shadow_unmap(s, y->next, last);
		refuse(y, y->next, last, rc);
	}
	y->mapped += !rc;
	y->next = last + 1;
	return 0;
}

/**
 * kviommu_sync_gap() - nothing is mapped up to an address
 * @y: sync
 * @last: the address
 *
 * Return: 0; -EAGAIN when the budget is used up, then go on later from
 * @y->next.
 */
int kviommu_sync_gap(struct kviommu_sync *y, u64 last)
{
	int rc;

	/* An extent may reach over the end of what was found so far. */
	if (y->next > last)
		return 0;
	while (y->e && y->e->iova <= last) {
		rc = clear(y, last);
		if (rc)
			return rc;
	}
	y->next = last + 1;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_sync_gap);

/**
 * kviommu_sync_keep() - a range is known to be as it should be
 * @y: sync
 * @first: first address, not before @y->next. Nothing is mapped between the two
 * @last: last address
 *
 * Return: as kviommu_sync_gap().
 */
int kviommu_sync_keep(struct kviommu_sync *y, u64 first, u64 last)
{
	int rc = 0;

	if (first > y->next)
		rc = kviommu_sync_gap(y, first - 1);
	if (rc)
		return rc;
	y->next = last + 1;
	y->e = kviommu_shadow_first(y->shadow, y->next);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_sync_keep);

/* @run up to @last is mapped, from @y->next on, and nothing of it reserved. */
static int part(struct kviommu_sync *y, const struct kviommu_run *run, u64 last)
{
	struct kviommu_extent *e;
	u64 gpa, end;
	int rc;

	while (y->next <= last) {
		gpa = run->gpa + (y->next - run->iova);
		e = y->e;
		if (!e || e->iova > y->next) {
			end = min(last, y->next | (MAX_EXTENT - 1));
			if (e)
				end = min(end, e->iova - 1);
			rc = map(y, end, gpa, run);
			if (rc)
				return rc;
		} else if (e->gpa + (y->next - e->iova) == gpa &&
			   e->prot == run->prot) {
			y->kept++;
			e->leaf = max(e->leaf, run->leaf);
			y->next = min(last, e->last) + 1;
			if (e->last < y->next)
				y->e = kviommu_extent_next(e);
		} else {
			rc = clear(y, last);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* What the host reserves is not mapped, whatever the tables say. */
static int reserved(struct kviommu_sync *y, const struct kviommu_resv *r,
		    u64 last)
{
	if (!y->hit && !r->told)
		y->hit = r;
	return kviommu_sync_gap(y, min(r->last, last));
}

static int slow(struct kviommu_sync *y, const struct kviommu_run *run)
{
	const struct kviommu_resv *r = y->geo->resv;
	const struct kviommu_resv *end = r + y->geo->nr_resv;
	int rc = 0;

	if (run->iova > y->next)
		rc = kviommu_sync_gap(y, run->iova - 1);
	while (!rc && y->next <= run->last) {
		while (r < end && r->last < y->next)
			r++;
		if (r == end || r->first > run->last)
			rc = part(y, run, run->last);
		else if (r->first > y->next)
			rc = part(y, run, r->first - 1);
		else
			rc = reserved(y, r, run->last);
	}
	return rc;
}

/**
 * kviommu_sync_run() - the guest's tables map a range
 * @y: sync
 * @run: what they say, page aligned; it ends behind @y->next. Nothing is mapped
 *	 between the two.
 *
 * What can't be mapped, by @y->max_pieces or by the host, is not mapped, and
 * that is told by @y->refused.
 *
 * Return: 0; -EAGAIN when the budget is used up, then go on later from
 * @y->next; -EINTR: the VMM is being killed.
 */
int kviommu_sync_run(struct kviommu_sync *y, const struct kviommu_run *run)
{
	struct kviommu_extent *e = y->e;

	/* As it was: no extent begins before it, so there is none in a gap. */
	if (likely(e && e->iova == run->iova && e->last == run->last &&
		   e->gpa == run->gpa && e->prot == run->prot &&
		   e->leaf >= run->leaf)) {
		y->kept++;
		y->next = run->last + 1;
		y->e = kviommu_extent_next(e);
		return 0;
	}
	return slow(y, run);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_sync_run);
