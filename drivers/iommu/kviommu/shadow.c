// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow: a guest address space, and its copies in the host's IOMMUs.
 *
 * What the guest mapped stands in a tree of disjoint extents. Each extent is
 * mapped in every host domain in pieces that don't leave a 2 MiB chunk of
 * guest memory, the unit in which that memory is pinned and can go away. The
 * host IOMMU can't split an entry, so nothing is ever unmapped but whole
 * pieces, in the unit they were mapped in.
 *
 * The tree is a plain rbtree: extents don't overlap, so the subtree maxima of
 * an interval tree would be memory (8 of 56 bytes a mapping) and work on the
 * MAP path that no look-up needs.
 *
 * IOTLB flushes are gathered: kviommu_shadow_flush() must come before anybody
 * is told that an unmap is complete, and before a page is unpinned.
 *
 * All functions run with the lock of the vIOMMU held.
 */
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "kviommu_private.h"

static struct kmem_cache *extent_cache;

int __init kviommu_shadow_module_init(void)
{
	extent_cache = KMEM_CACHE(kviommu_extent, SLAB_ACCOUNT);
	return extent_cache ? 0 : -ENOMEM;
}

void kviommu_shadow_module_exit(void)
{
	kmem_cache_destroy(extent_cache);
}

void kviommu_shadow_init(struct kviommu_shadow *s, struct kviommu_gmem *g)
{
	memset(s, 0, sizeof(*s));
	s->gmem = g;
	s->extents = RB_ROOT;
	xa_init_flags(&s->regions, XA_FLAGS_ACCOUNT);
	s->last_region = U64_MAX;
	s->max_regions = U64_MAX;
	INIT_LIST_HEAD(&s->hostdoms);
	INIT_LIST_HEAD(&s->stale);
	INIT_LIST_HEAD(&s->holes);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_init);

/*
 * Guests map and unmap in turns: some extents are kept for the next time. With
 * KASAN none, so that use after free shows.
 */
#define MAX_SPARE	(IS_ENABLED(CONFIG_KASAN) ? 0 : 64)

static struct kviommu_extent *extent_alloc(struct kviommu_gmem *g)
{
	struct kviommu_extent *e = g->spare;

	if (unlikely(!e))
		return kmem_cache_alloc(extent_cache, GFP_KERNEL);
	g->spare = rb_entry_safe(e->node.rb_right, struct kviommu_extent, node);
	g->nr_spare--;
	return e;
}

static void extent_free(struct kviommu_gmem *g, struct kviommu_extent *e)
{
	if (unlikely(g->nr_spare >= MAX_SPARE)) {
		kmem_cache_free(extent_cache, e);
		return;
	}
	e->node.rb_right = g->spare ? &g->spare->node : NULL;
	g->spare = e;
	g->nr_spare++;
}

/**
 * kviommu_shadow_trim() - free what is kept for later mappings
 * @g: guest memory of the shadows
 */
void kviommu_shadow_trim(struct kviommu_gmem *g)
{
	while (g->spare)
		kmem_cache_free(extent_cache, extent_alloc(g));
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_trim);

static u64 extent_size(const struct kviommu_extent *e)
{
	return e->last - e->iova + 1;
}

static u64 extent_gpa_last(const struct kviommu_extent *e)
{
	return e->gpa + (e->last - e->iova);
}

/* Bytes of a range at @gpa that stay within one chunk. */
static u64 piece_len(u64 gpa, u64 left)
{
	return min(left, KVIOMMU_CHUNK_SIZE - (gpa & (KVIOMMU_CHUNK_SIZE - 1)));
}

static u64 extent_pieces(const struct kviommu_extent *e)
{
	return kviommu_shadow_pieces(e->gpa, extent_size(e));
}

static void count_pieces(struct kviommu_shadow *s, s64 n)
{
	s->pieces += n;
	s->gmem->pieces += n;
}

/**
 * kviommu_shadow_first() - find an extent
 * @s: shadow
 * @iova: address
 *
 * Return: the first extent that ends at @iova or behind it, or NULL.
 */
struct kviommu_extent *kviommu_shadow_first(const struct kviommu_shadow *s,
					    u64 iova)
{
	struct rb_node *node = s->extents.rb_node;
	struct kviommu_extent *e, *best = NULL;

	while (node) {
		e = rb_entry(node, struct kviommu_extent, node);
		if (e->last >= iova) {
			best = e;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_first);

/**
 * kviommu_extent_next() - the extent behind another one, or NULL
 * @e: extent
 */
struct kviommu_extent *kviommu_extent_next(const struct kviommu_extent *e)
{
	return rb_entry_safe(rb_next(&e->node), struct kviommu_extent, node);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_extent_next);

/* A shadow waits in a list for memory while some of it is absent. */
static void absent_add(struct kviommu_shadow *s, int n)
{
	s->nr_absent += n;
	if (!s->nr_absent)
		list_del_init(&s->holes);
	else if (list_empty(&s->holes))
		list_add(&s->holes, &s->gmem->holes);
}

/* 0, or -EEXIST and nothing changed if the extent overlaps another one. */
static int extent_insert(struct kviommu_shadow *s, struct kviommu_extent *new)
{
	struct rb_node **link = &s->extents.rb_node, *parent = NULL;

	while (*link) {
		struct kviommu_extent *e;

		parent = *link;
		e = rb_entry(parent, struct kviommu_extent, node);
		if (new->last < e->iova)
			link = &parent->rb_left;
		else if (new->iova > e->last)
			link = &parent->rb_right;
		else
			return -EEXIST;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, &s->extents);
	s->nr_extents++;
	s->nr_mappings += !new->joined;
	count_pieces(s, extent_pieces(new));
	if (new->absent)
		absent_add(s, 1);
	return 0;
}

static void extent_remove(struct kviommu_shadow *s, struct kviommu_extent *e)
{
	rb_erase(&e->node, &s->extents);
	s->nr_extents--;
	count_pieces(s, -(s64)extent_pieces(e));
	s->nr_mappings -= !e->joined;
	if (e->absent)
		absent_add(s, -1);
	extent_free(s->gmem, e);
}

static void extent_set_absent(struct kviommu_shadow *s,
			      struct kviommu_extent *e, bool absent)
{
	e->absent = absent;
	absent_add(s, absent ? 1 : -1);
}

/* ---- what the host's tables may take ---- */

/* Regions that an entry of kviommu_shadow::regions has a bit for */
#define REGION_BITS	32

static bool room(u64 n, u64 used, u64 max)
{
	return used <= max && n <= max - used;
}

/*
 * Host IOMMUs keep the last table above a mapping when that is gone. So what
 * counts is not what is mapped, but the parts of 2 MiB that ever were.
 */
static int touch(struct kviommu_shadow *s, u64 iova, u64 last)
{
	u64 first = iova >> KVIOMMU_CHUNK_SHIFT, end = last >> KVIOMMU_CHUNK_SHIFT;
	struct kviommu_gmem *g = s->gmem;

	if (likely(first == s->last_region && first == end))
		return 0;
	while (first <= end) {
		unsigned long index = first / REGION_BITS;
		u64 stop = min(end, (u64)index * REGION_BITS + REGION_BITS - 1);
		unsigned long new = GENMASK(stop % REGION_BITS,
					    first % REGION_BITS);
		void *entry = xa_load(&s->regions, index);
		unsigned long old = entry ? xa_to_value(entry) : 0;
		unsigned int n = hweight_long(new & ~old);
		int rc;

		if (n) {
			if (!room(n, g->nr_regions, g->max_regions) ||
			    !room(n, s->nr_regions, s->max_regions))
				return -EDQUOT;
			rc = xa_err(xa_store(&s->regions, index,
					     xa_mk_value(old | new),
					     GFP_KERNEL_ACCOUNT));
			if (rc)
				return rc;
			s->nr_regions += n;
			g->nr_regions += n;
		}
		first = stop + 1;
	}
	s->last_region = end;
	return 0;
}

static void untouch(struct kviommu_shadow *s)
{
	xa_destroy(&s->regions);
	s->gmem->nr_regions -= s->nr_regions;
}

/* ---- host domains ---- */

/* Do what hostdom_unmap() has put off. */
static void hostdom_unmap_late(struct kviommu_hostdom *h)
{
	u64 iova = h->late_iova, size = h->late_size;
	size_t done;

	if (!size)
		return;
	h->late_size = 0;
	/* Queued: don't flush for each range, hostdom_flush() does for all. */
	h->gather.queued = true;
	done = iommu_unmap_fast(h->domain, iova, size, &h->gather);
	h->stale_first = min(h->stale_first, iova);
	h->stale_last = max(h->stale_last, iova + size - 1);
	if (likely(done == size))
		return;
	/*
	 * The host's tables are not what we made them: the device must not
	 * go on. kviommu_flush_all() blocks the groups, before any unpin.
	 */
	pr_err_ratelimited("kviommu: KV50: host IOMMU unmapped 0x%zx of 0x%llx bytes at 0x%llx, blocking the domain\n",
			   done, size, iova);
	h->shadow->broken = true;
	h->shadow->gmem->broken = true;
}

/*
 * Unmap whole pieces. Guests take away adjacent mappings one by one, so what is
 * adjacent is gathered and goes with one call: at the latest in hostdom_flush(),
 * and before anything is mapped.
 */
static void hostdom_unmap(struct kviommu_hostdom *h, u64 iova, u64 size)
{
	struct kviommu_shadow *s = h->shadow;

	if (!size || !h->filled)
		return;
	/* The host's driver does not reschedule, so not without a bound. */
	if (h->late_size && h->late_iova + h->late_size == iova &&
	    h->late_size < SZ_1G) {
		h->late_size += size;
		return;
	}
	hostdom_unmap_late(h);
	h->late_iova = iova;
	h->late_size = size;
	if (list_empty(&s->stale))
		list_add(&s->stale, &s->gmem->stale);
}

static void hostdom_flush(struct kviommu_hostdom *h)
{
	hostdom_unmap_late(h);
	if (h->stale_first > h->stale_last)
		return;
	h->gather.queued = false;
	h->gather.start = h->stale_first;
	h->gather.end = h->stale_last;
	/*
	 * What was unmapped as queued goes with all of the domain, as the host
	 * has it. Only x86's drivers take a range that they did not gather.
	 */
	if (!IS_ENABLED(CONFIG_X86))
		iommu_flush_iotlb_all(h->domain);
	iommu_iotlb_sync(h->domain, &h->gather);
	h->stale_first = U64_MAX;
	h->stale_last = 0;
}

/**
 * kviommu_shadow_flush() - make all unmaps so far reach the devices
 * @s: shadow
 */
void kviommu_shadow_flush(struct kviommu_shadow *s)
{
	struct kviommu_hostdom *h;

	if (list_empty(&s->stale))
		return;
	list_for_each_entry(h, &s->hostdoms, node)
		hostdom_flush(h);
	list_del_init(&s->stale);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_flush);

static int host_prot(const struct kviommu_hostdom *h, u8 prot)
{
	return h->prot | (prot & KVIOMMU_READ ? IOMMU_READ : 0) |
	       (prot & KVIOMMU_WRITE ? IOMMU_WRITE : 0);
}

/*
 * Bytes that one call may map at @iova so that the host has no use for an entry
 * of more than 2^order: less than the next size of a page, at its alignment.
 */
static u64 call_len(const struct kviommu_hostdom *h, u64 iova, u64 len,
		    u8 order)
{
	/* No piece is larger than a chunk. */
	u64 larger = h->domain->pgsize_bitmap & (2 * KVIOMMU_CHUNK_SIZE - 1) &
		     -(2ULL << order);
	u64 half;

	if (!larger)
		return len;
	half = BIT_ULL(__ffs64(larger) - 1);
	return min(len, half - (iova & (half - 1)));
}

/* Map a piece in one host domain: all of it or nothing. */
static int hostdom_map(struct kviommu_hostdom *h, u64 iova,
		       struct kviommu_chunk *c, u64 gpa, u64 len, u8 prot,
		       u8 order)
{
	u64 done = 0;

	if (!h->filled)
		return 0;
	hostdom_unmap_late(h);
	while (done < len) {
		phys_addr_t pa;
		size_t n = kviommu_gmem_run(c, gpa + done,
					    call_len(h, iova + done,
						     len - done, order), &pa);
		int rc = iommu_map(h->domain, iova + done, pa, n,
				   host_prot(h, prot), GFP_KERNEL_ACCOUNT);

		if (rc) {
			hostdom_unmap(h, iova, done);
			return rc;
		}
		done += n;
	}
	return 0;
}

static int piece_map(struct kviommu_shadow *s, u64 iova,
		     struct kviommu_chunk *c, u64 gpa, u64 len, u8 prot,
		     u8 order)
{
	struct kviommu_hostdom *h;
	int rc;

	list_for_each_entry(h, &s->hostdoms, node) {
		rc = hostdom_map(h, iova, c, gpa, len, prot, order);
		if (!rc)
			continue;
		list_for_each_entry_continue_reverse(h, &s->hostdoms, node)
			hostdom_unmap(h, iova, len);
		return rc;
	}
	return 0;
}

static void piece_unmap(struct kviommu_shadow *s, u64 iova, u64 len)
{
	struct kviommu_hostdom *h;

	list_for_each_entry(h, &s->hostdoms, node)
		hostdom_unmap(h, iova, len);
}

/* What a device may still reach stays pinned. */
static void piece_put(struct kviommu_shadow *s, u64 gpa, u64 len)
{
	if (!s->gmem->demand || !s->broken)
		kviommu_gmem_put(s->gmem, gpa, len);
}

/* Undo the first @bytes of an extent in the host, and its pins. */
static void extent_clear(struct kviommu_shadow *s, struct kviommu_extent *e,
			 u64 bytes)
{
	u64 off, len;

	for (off = 0; off < bytes; off += len) {
		if (off)
			cond_resched();
		len = piece_len(e->gpa + off, bytes - off);
		piece_unmap(s, e->iova + off, len);
		/* With demand pinning a put unpins, so flush all first. */
		if (!s->gmem->demand)
			kviommu_gmem_put(s->gmem, e->gpa + off, len);
	}
	if (!s->gmem->demand)
		return;
	kviommu_shadow_flush(s);
	for (off = 0; off < bytes; off += len) {
		if (off)
			cond_resched();
		len = piece_len(e->gpa + off, bytes - off);
		piece_put(s, e->gpa + off, len);
	}
}

static int extent_fill(struct kviommu_shadow *s, struct kviommu_extent *e)
{
	u64 size = extent_size(e), off, len;
	struct kviommu_chunk *c;
	int rc;

	for (off = 0; off < size; off += len) {
		u64 gpa = e->gpa + off;

		len = piece_len(gpa, size - off);
		c = kviommu_gmem_get(s->gmem, gpa, len,
				     e->prot & KVIOMMU_WRITE);
		if (IS_ERR(c)) {
			rc = PTR_ERR(c);
			/* The guest can't tell why it is not its memory. */
			if (rc != -ENOMEM)
				rc = -EFAULT;
			goto err_clear;
		}
		rc = touch(s, e->iova + off, e->iova + off + len - 1);
		if (!rc)
			rc = piece_map(s, e->iova + off, c, gpa, len, e->prot,
				       e->order);
		if (rc) {
			/* What was mapped for a moment may be cached. */
			if (s->gmem->demand)
				kviommu_shadow_flush(s);
			piece_put(s, gpa, len);
			goto err_clear;
		}
		if (!off)
			continue;
		cond_resched();
		/* All of a large guest's memory takes a while to pin. */
		if (fatal_signal_pending(current)) {
			off += len;
			rc = -EINTR;
			goto err_clear;
		}
	}
	return 0;

err_clear:
	extent_clear(s, e, off);
	return rc;
}

static struct kviommu_extent *extent_add(struct kviommu_shadow *s, u64 iova,
					 u64 last, u64 gpa, u8 prot, u8 order,
					 u8 leaf)
{
	struct kviommu_extent *e;
	int rc;

	e = extent_alloc(s->gmem);
	if (!e)
		return ERR_PTR(-ENOMEM);
	e->iova = iova;
	e->last = last;
	e->gpa = gpa;
	e->prot = prot;
	e->order = min_t(u8, order, KVIOMMU_CHUNK_SHIFT);
	e->absent = false;
	e->joined = false;
	e->leaf = leaf;

	rc = extent_insert(s, e);
	if (rc) {
		extent_free(s->gmem, e);
		return ERR_PTR(rc);
	}
	return e;
}

/**
 * kviommu_shadow_map() - add a mapping
 * @s: shadow
 * @iova: first address, page aligned
 * @last: last address, @last + 1 is page aligned
 * @gpa: guest physical address of @iova, page aligned
 * @prot: KVIOMMU_READ, KVIOMMU_WRITE
 *
 * Return: 0; -EEXIST if something is mapped in the range; -EFAULT if some of
 * the memory is no guest RAM, or not writable; -ENOMEM; -EDQUOT if the guest has
 * used too many parts of its address space; or what the host IOMMU said. On
 * error nothing is changed.
 */
int kviommu_shadow_map(struct kviommu_shadow *s, u64 iova, u64 last, u64 gpa,
		       u8 prot)
{
	struct kviommu_extent *e;
	int rc;

	e = extent_add(s, iova, last, gpa, prot, KVIOMMU_CHUNK_SHIFT, 0);
	if (IS_ERR(e))
		return PTR_ERR(e);
	rc = extent_fill(s, e);
	if (rc)
		extent_remove(s, e);
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_map);

/* Would removing [iova, last] split a guest mapping? @e: the first one in it */
static bool splits_mapping(struct kviommu_shadow *s, struct kviommu_extent *e,
			   u64 iova, u64 last)
{
	struct kviommu_extent *l;

	if (e->iova < iova || e->joined)
		return true;
	l = e->last >= last ? e : kviommu_shadow_first(s, last);
	if (l && l->iova <= last) {
		if (l->last > last)
			return true;
		l = kviommu_extent_next(l);
	}
	return l && l->joined;
}

/**
 * kviommu_shadow_unmap() - remove all mappings in a range
 * @s: shadow
 * @iova: first address
 * @last: last address
 *
 * The devices may use the old mappings until kviommu_shadow_flush().
 *
 * Return: 0; -ERANGE if a mapping is only partly in the range, then nothing is
 * changed.
 */
int kviommu_shadow_unmap(struct kviommu_shadow *s, u64 iova, u64 last)
{
	struct kviommu_extent *e = kviommu_shadow_first(s, iova), *next;

	if (!e || e->iova > last)
		return 0;
	if (splits_mapping(s, e, iova, last))
		return -ERANGE;
	for (; e && e->iova <= last; e = next) {
		next = e->last < last ? kviommu_extent_next(e) : NULL;
		if (!e->absent)
			extent_clear(s, e, extent_size(e));
		extent_remove(s, e);
		if (next)
			cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_unmap);

/**
 * kviommu_shadow_mapped() - is anything mapped in a range
 * @s: shadow
 * @iova: first address
 * @last: last address
 */
bool kviommu_shadow_mapped(const struct kviommu_shadow *s, u64 iova, u64 last)
{
	struct kviommu_extent *e = kviommu_shadow_first(s, iova);

	return e && e->iova <= last;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_mapped);

/*
 * Cut an extent in two at a guest physical address, if it is inside. Returns
 * the second part, @e itself if there was nothing to cut, or NULL.
 */
static struct kviommu_extent *extent_split(struct kviommu_shadow *s,
					   struct kviommu_extent *e, u64 gpa)
{
	struct kviommu_extent *new;

	if (gpa <= e->gpa || gpa > extent_gpa_last(e))
		return e;
	new = extent_alloc(s->gmem);
	if (!new)
		return NULL;
	*new = *e;
	new->iova = e->iova + (gpa - e->gpa);
	new->gpa = gpa;
	new->joined = true;
	count_pieces(s, -(s64)extent_pieces(e));
	e->last = new->iova - 1;
	count_pieces(s, extent_pieces(e));
	/* Cannot overlap: the place was just made. */
	extent_insert(s, new);
	if (!e->absent && gpa & (KVIOMMU_CHUNK_SIZE - 1))
		kviommu_gmem_split(s->gmem, gpa);
	return new;
}

/*
 * Undo extent_split() where both parts are mapped again. The host's pieces stay
 * what they are.
 */
static struct kviommu_extent *extent_join(struct kviommu_shadow *s,
					  struct kviommu_extent *e)
{
	struct kviommu_extent *prev;

	prev = rb_entry_safe(rb_prev(&e->node), struct kviommu_extent, node);
	if (!e->joined || !prev || prev->absent || e->absent ||
	    prev->order != e->order)
		return e;
	if (e->gpa & (KVIOMMU_CHUNK_SIZE - 1))
		kviommu_gmem_join(s->gmem, e->gpa);
	count_pieces(s, -(s64)extent_pieces(prev));
	prev->last = e->last;
	prev->leaf = max(prev->leaf, e->leaf);
	count_pieces(s, extent_pieces(prev));
	extent_remove(s, e);
	return prev;
}

/**
 * kviommu_shadow_hold() - kviommu_gmem_hold() for all that is mapped of a chunk
 * @s: shadow
 * @gpa: address in the chunk
 */
void kviommu_shadow_hold(struct kviommu_shadow *s, u64 gpa)
{
	u64 first = ALIGN_DOWN(gpa, KVIOMMU_CHUNK_SIZE);
	u64 last = first + KVIOMMU_CHUNK_SIZE - 1;
	struct kviommu_extent *e;

	for (e = kviommu_shadow_first(s, 0); e; e = kviommu_extent_next(e)) {
		cond_resched();
		if (e->absent || e->gpa > last || extent_gpa_last(e) < first)
			continue;
		gpa = max(e->gpa, first);
		kviommu_gmem_hold(s->gmem, gpa,
				  min(extent_gpa_last(e), last) - gpa + 1);
	}
}

/*
 * The largest entry that the host may have across @gpa, inside an extent: its
 * first byte, and the first behind it. Both are @gpa if there surely is none.
 */
static void entry_bounds(struct kviommu_shadow *s, struct kviommu_extent *e,
			 u64 gpa, u64 *first, u64 *end)
{
	u64 run_first = e->gpa, run_last = extent_gpa_last(e), sizes = 0, size;
	u64 iova = e->iova + (gpa - e->gpa), off;
	struct kviommu_hostdom *h;
	phys_addr_t pa;

	*first = gpa;
	*end = gpa;
	if (e->absent || gpa <= e->gpa || gpa > run_last ||
	    !(gpa & (KVIOMMU_CHUNK_SIZE - 1)))
		return;
	if (e->order < KVIOMMU_CHUNK_SHIFT) {
		off = iova & (BIT_ULL(e->order) - 1);
		if (!off)
			return;
		run_first = gpa - min(off, gpa - e->gpa);
		run_last = min(run_last, gpa - off + BIT_ULL(e->order) - 1);
	}
	if (!kviommu_gmem_whole_run(s->gmem, gpa, &run_first, &run_last, &pa))
		return;
	list_for_each_entry(h, &s->hostdoms, node)
		sizes |= h->domain->pgsize_bitmap;
	/*
	 * Entries of any size, as AMD-Vi has them, or one for each call, as
	 * virtio-iommu.
	 */
	if (sizes & (2 * PAGE_SIZE)) {
		if (run_first < gpa) {
			*first = run_first;
			*end = run_last + 1;
		}
		return;
	}
	for (size = KVIOMMU_CHUNK_SIZE; size > PAGE_SIZE; size >>= 1) {
		off = iova & (size - 1);

		if (!(sizes & size) || !off || gpa - run_first < off ||
		    run_last - (gpa - off) < size - 1 ||
		    !IS_ALIGNED(pa + (gpa - off - run_first), size))
			continue;
		*first = gpa - off;
		*end = gpa - off + size;
		return;
	}
}

/* Two absent extents, one behind the other, become one. */
static void absent_join(struct kviommu_shadow *s, struct kviommu_extent *e,
			struct kviommu_extent *next)
{
	count_pieces(s, -(s64)extent_pieces(e));
	e->last = next->last;
	e->leaf = max(e->leaf, next->leaf);
	count_pieces(s, extent_pieces(e));
	extent_remove(s, next);
}

/*
 * Map what can be of an absent extent that can't be as a whole, since some of
 * it is no guest memory: chunk by chunk, and with @pages page by page where that
 * fails, too. Each try counts against @budget; *@at becomes the first address
 * that none was left for, or the first behind the extent. *@some: was anything
 * mapped?
 */
static int extent_fill_parts(struct kviommu_shadow *s, struct kviommu_extent *e,
			     bool pages, unsigned int *budget, u64 *at,
			     bool *some)
{
	struct kviommu_extent *hole = NULL, *next;
	u64 last = e->last, pages_last = 0, len;
	int rc;

	if (*at > e->iova) {
		hole = e;
		e = extent_split(s, e, e->gpa + (*at - e->iova));
		if (!e)
			return -ENOMEM;
	}
	for (; e && e->iova <= last; e = next) {
		cond_resched();
		*at = e->iova;
		if (!*budget) {
			if (hole)
				absent_join(s, hole, e);
			return 0;
		}
		--*budget;
		/* A last address is never 0, and what is behind it may be. */
		len = pages_last && e->iova <= pages_last ?
			PAGE_SIZE : piece_len(e->gpa, extent_size(e));
		if (!extent_split(s, e, e->gpa + len))
			return -ENOMEM;
		next = kviommu_extent_next(e);
		rc = extent_fill(s, e);
		if (!rc) {
			extent_set_absent(s, e, false);
			extent_join(s, e);
			*some = true;
			hole = NULL;
		} else if (rc != -EFAULT) {
			return rc;
		} else if (pages && len > PAGE_SIZE &&
			   kviommu_gmem_any(s->gmem, e->gpa, len)) {
			pages_last = e->last;
			next = e;
		} else if (hole) {
			absent_join(s, hole, e);
		} else {
			hole = e;
		}
	}
	*at = last + 1;
	return 0;
}

/**
 * kviommu_shadow_set() - have a range mapped, as far as it is guest memory
 * @s: shadow; nothing is mapped in the range
 * @iova: first address, page aligned
 * @last: last address, @last + 1 is page aligned
 * @gpa: guest physical address of @iova, page aligned
 * @prot: KVIOMMU_READ, KVIOMMU_WRITE
 * @order: parts of 2^@order bytes, aligned in both address spaces, can later be
 *	   cleared without a moment in which their neighbours are not mapped
 * @leaf: see kviommu_shadow_leaves()
 *
 * For models whose guest says it with a table: what is no guest memory, or not
 * writable, is absent, and tried again when memory comes back.
 *
 * Return: 0; -EEXIST; -ENOMEM; -EDQUOT as kviommu_shadow_map(); -EINTR; or what
 * the host IOMMU said. On an error part of the range may be set.
 */
int kviommu_shadow_set(struct kviommu_shadow *s, u64 iova, u64 last, u64 gpa,
		       u8 prot, u8 order, u8 leaf)
{
	unsigned int budget = UINT_MAX;
	struct kviommu_extent *e;
	bool some;
	int rc;

	e = extent_add(s, iova, last, gpa, prot, order, leaf);
	if (IS_ERR(e))
		return PTR_ERR(e);
	rc = extent_fill(s, e);
	if (rc == -EFAULT) {
		extent_set_absent(s, e, true);
		return extent_fill_parts(s, e, true, &budget, &iova, &some);
	}
	if (rc)
		extent_remove(s, e);
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_set);

/* Widen a range to a guest's page that has @at and some of an extent. */
static void add_leaf(const struct kviommu_extent *e, u64 at, u64 *first,
		     u64 *last)
{
	u64 mask = BIT_ULL(e->leaf) - 1;

	if ((clamp(at, e->iova, e->last) ^ at) & ~mask)
		return;
	*first = min(*first, at & ~mask);
	*last = max(*last, at | mask);
}

/* @e: the first extent that ends at @at or behind it */
static void add_leaves(const struct kviommu_shadow *s,
		       const struct kviommu_extent *e, u64 at, u64 *first,
		       u64 *last)
{
	struct rb_node *before;

	if (e)
		add_leaf(e, at, first, last);
	if (e && e->iova <= at)
		return;
	before = e ? rb_prev(&e->node) : rb_last(&s->extents);
	if (before)
		add_leaf(rb_entry(before, struct kviommu_extent, node), at,
			 first, last);
}

/**
 * kviommu_shadow_leaves() - the guest's pages that a range has a part of
 * @s: shadow
 * @first: first address; becomes that of the page that it is in
 * @last: last address; becomes that of the page that it is in
 *
 * Pages are as large as they were when they were mapped. Not all of one need be
 * mapped: the host may reserve the part that the range has.
 */
void kviommu_shadow_leaves(const struct kviommu_shadow *s, u64 *first,
			   u64 *last)
{
	const struct kviommu_extent *e = kviommu_shadow_first(s, *first);
	u64 from = *first, to = *last;

	add_leaves(s, e, from, first, last);
	if (e && e->last < to)
		e = kviommu_shadow_first(s, to);
	add_leaves(s, e, to, first, last);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_leaves);

/*
 * Cut an extent in two at an address. The host can't split an entry: one that
 * may be across is replaced by smaller ones, and for that moment not mapped.
 * Returns the second part, or NULL without memory.
 */
static struct kviommu_extent *extent_cut(struct kviommu_shadow *s,
					 struct kviommu_extent *e, u64 iova)
{
	u64 gpa = e->gpa + (iova - e->iova), from, to;

	entry_bounds(s, e, gpa, &from, &to);
	if (from != to) {
		e = extent_split(s, e, from);
		if (!e || !extent_split(s, e, to))
			return NULL;
		extent_clear(s, e, extent_size(e));
		e->order = PAGE_SHIFT;
		if (extent_fill(s, e))
			extent_set_absent(s, e, true);
	}
	return extent_split(s, e, gpa);
}

/**
 * kviommu_shadow_clear() - remove a part of an extent
 * @s: shadow
 * @e: extent; the pointer is stale when this returns
 * @first: first address of the part
 * @last: last address of it
 *
 * The devices may use it until kviommu_shadow_flush(). What is beside it stays
 * mapped, see kviommu_shadow_set() for when without a break.
 *
 * Return: 0, or -ENOMEM and nothing is removed.
 */
int kviommu_shadow_clear(struct kviommu_shadow *s, struct kviommu_extent *e,
			 u64 first, u64 last)
{
	struct kviommu_extent *next;

	if (first > e->iova) {
		e = extent_cut(s, e, first);
		if (!e)
			return -ENOMEM;
	}
	if (last < e->last && !extent_cut(s, e, last + 1))
		return -ENOMEM;
	/* What is behind it continues nothing any more. */
	next = kviommu_extent_next(e);
	if (next && next->joined) {
		next->joined = false;
		s->nr_mappings++;
	}
	if (!e->absent)
		extent_clear(s, e, extent_size(e));
	extent_remove(s, e);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_clear);

/**
 * kviommu_shadow_drop() - guest memory goes away
 * @s: shadow
 * @first: first byte of guest memory
 * @last: last byte
 * @chunk_first: the same, from where it can be unpinned by itself
 * @chunk_last: and up to where
 *
 * Unmaps from the devices what is mapped from [@chunk_first, @chunk_last], and
 * flushes. More than that is unmapped only where the host may have one entry
 * for memory that goes and memory that stays. kviommu_shadow_refill() brings
 * back what is still guest memory. The guest's own view of its mappings does
 * not change.
 *
 * Cost: one look at every extent. It happens when a VMM takes memory away
 * under live mappings, and an index would cost every MAP 32 bytes and a
 * second tree.
 */
void kviommu_shadow_drop(struct kviommu_shadow *s, u64 first, u64 last,
			 u64 chunk_first, u64 chunk_last)
{
	struct kviommu_extent *e, *cut;
	u64 from, to, unused;

	for (e = kviommu_shadow_first(s, 0); e; e = kviommu_extent_next(e)) {
		cond_resched();
		if (e->absent || e->gpa > chunk_last ||
		    extent_gpa_last(e) < chunk_first)
			continue;
		/*
		 * Without memory for the parts, the whole extent goes: the
		 * device loses more than it must, never less.
		 */
		entry_bounds(s, e, chunk_first, &from, &unused);
		to = U64_MAX;
		if (chunk_last != U64_MAX)
			entry_bounds(s, e, chunk_last + 1, &unused, &to);
		cut = extent_split(s, e, from);
		if (cut)
			e = cut;
		extent_split(s, e, to);
		extent_clear(s, e, extent_size(e));
		extent_set_absent(s, e, true);
		/* So that what stays can come back by itself. */
		cut = extent_split(s, e, first);
		if (cut)
			e = cut;
		if (last != U64_MAX)
			extent_split(s, e, last + 1);
	}
	s->refill = 0;
	kviommu_shadow_flush(s);
}

/* Extents to pass by in one go, in looking for absent ones */
#define REFILL_LOOK	65536

/*
 * Pieces of a hole of which each page is tried, since it may share a chunk with
 * memory that did not come back; and what that counts as: it is many pins. The
 * extents that it makes may be more than the quota by those of one chunk.
 */
#define REFILL_PAGES	2
#define REFILL_COST	64

/*
 * Map an absent extent again, or what can be of it, from *@at on. *@at becomes
 * the first address that was not tried.
 */
static bool extent_refill(struct kviommu_shadow *s, struct kviommu_extent *e,
			  bool pages, unsigned int *budget, u64 *at)
{
	unsigned int tries = UINT_MAX;
	u64 end = e->last + 1;
	bool some = false;
	int rc = -EFAULT;

	if (*at <= e->iova) {
		--*budget;
		rc = extent_fill(s, e);
		if (!rc) {
			extent_set_absent(s, e, false);
			extent_join(s, e);
			*at = end;
			return true;
		}
	}
	if (rc != -EFAULT || extent_size(e) == PAGE_SIZE) {
		*at = end;
		return false;
	}
	if (extent_pieces(e) > REFILL_PAGES) {
		rc = extent_fill_parts(s, e, false, budget, at, &some);
	} else if (pages && s->gmem->pieces < s->gmem->max_regions) {
		*budget -= min(*budget, REFILL_COST);
		rc = extent_fill_parts(s, e, true, &tries, at, &some);
	}
	if (rc)
		*at = end;
	return some;
}

/**
 * kviommu_shadow_refill() - map again what went away and may be back
 * @s: shadow
 * @budget: what to try, at most; UINT_MAX for all there is but single pages
 *	    beside memory that stays away
 *
 * Nothing tells that a VMM has given memory back, so this has to be tried.
 * kviommu_shadow::refill is 0 when all was.
 *
 * Return: whether something came back.
 */
bool kviommu_shadow_refill(struct kviommu_shadow *s, unsigned int budget)
{
	bool all = budget == UINT_MAX, some = false;
	unsigned int look = all ? UINT_MAX : REFILL_LOOK;
	struct kviommu_extent *e;
	u64 at = all ? 0 : s->refill;

	for (e = kviommu_shadow_first(s, at); e && budget && look; look--) {
		if (e->absent) {
			some |= extent_refill(s, e, !all, &budget, &at);
		} else {
			at = e->last + 1;
			extent_join(s, e);
		}
		e = at ? kviommu_shadow_first(s, at) : NULL;
		cond_resched();
	}
	s->refill = e ? at : 0;
	kviommu_shadow_flush(s);
	return some;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_refill);

/* ---- life of a host domain ---- */

/*
 * Give a new host domain what is mapped already. On an error some of it may be
 * mapped, unless the domain is marked as not filled.
 */
static int hostdom_fill(struct kviommu_hostdom *h)
{
	struct kviommu_shadow *s = h->shadow;
	struct kviommu_extent *e;
	struct kviommu_chunk *c;
	u64 size, off, len;
	bool any = false;
	int rc;

	h->filled = true;
	for (e = kviommu_shadow_first(s, 0); e; e = kviommu_extent_next(e)) {
		cond_resched();
		if (e->absent)
			continue;
		size = extent_size(e);
		for (off = 0; off < size; off += len) {
			len = piece_len(e->gpa + off, size - off);
			c = kviommu_gmem_get(s->gmem, e->gpa + off, len,
					     e->prot & KVIOMMU_WRITE);
			if (IS_ERR(c))
				return PTR_ERR(c);
			rc = hostdom_map(h, e->iova + off, c, e->gpa + off,
					 len, e->prot, e->order);
			kviommu_gmem_put(s->gmem, e->gpa + off, len);
			if (rc) {
				h->filled = any;
				return rc;
			}
			any = true;
		}
	}
	return 0;
}

static void hostdom_free(struct kviommu_hostdom *h)
{
	/* The gather's list of freed table pages must not outlive the domain. */
	hostdom_flush(h);
	list_del(&h->node);
	iommu_domain_free(h->domain);
	kfree(h);
}

/* Only some host IOMMU drivers report faults this way: AMD-Vi, some of Arm. */
static int host_fault(struct iommu_domain *domain, struct device *dev,
		      unsigned long iova, int flags, void *token)
{
	kviommu_fault_report(token, dev, iova, flags & IOMMU_FAULT_WRITE);
	/* Let the host log it as well: it is the administrator's device. */
	return -EOPNOTSUPP;
}

static int device_prot(struct device *dev)
{
	return device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY) ?
		IOMMU_CACHE : 0;
}

/* KVM takes for granted that no-snoop DMA is blocked where it can be. */
static bool device_enforce(struct device *dev)
{
	return device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}

/**
 * kviommu_hostdom_find() - the host domain that a device would share, or NULL
 * @s: shadow
 * @dev: a device
 */
struct kviommu_hostdom *kviommu_hostdom_find(struct kviommu_shadow *s,
					     struct device *dev)
{
	struct kviommu_hostdom *h;

	list_for_each_entry(h, &s->hostdoms, node)
		if (h->iommu == dev->iommu->iommu_dev &&
		    h->prot == device_prot(dev) &&
		    h->enforce == device_enforce(dev))
			return h;
	return NULL;
}

/**
 * kviommu_hostdom_get() - find or make the host domain for a device
 * @s: shadow
 * @dev: a device that is to be attached
 * @msi: where a new domain is to have the doorbell of MSIs, or 0
 *
 * The domain has all mappings of @s when this returns, so that attaching it
 * shows the device no hole.
 *
 * Return: the host domain with a reference, -ENOMEM, or what the host said.
 */
struct kviommu_hostdom *kviommu_hostdom_get(struct kviommu_shadow *s,
					    struct device *dev, u64 msi)
{
	struct kviommu_hostdom *h = kviommu_hostdom_find(s, dev);
	int rc;

	if (h) {
		h->groups++;
		return h;
	}

	h = kzalloc_obj(*h, GFP_KERNEL_ACCOUNT);
	if (!h)
		return ERR_PTR(-ENOMEM);
	h->domain = kviommu_domain_alloc(dev);
	if (IS_ERR(h->domain)) {
		rc = PTR_ERR(h->domain);
		kfree(h);
		return ERR_PTR(rc);
	}
	h->shadow = s;
	h->iommu = dev->iommu->iommu_dev;
	h->groups = 1;
	h->stale_first = U64_MAX;
	iommu_iotlb_gather_init(&h->gather);
	h->prot = device_prot(dev);
	h->enforce = device_enforce(dev);
	h->msi = msi;
	list_add(&h->node, &s->hostdoms);
	/* A domain can have one of these. */
	if (!msi) {
		iommu_set_fault_handler(h->domain, host_fault, s->gmem->priv);
	} else {
		rc = iommu_get_msi_cookie(h->domain, msi);
		if (rc)
			goto err_free;
	}
	if (h->enforce && h->domain->ops->enforce_cache_coherency &&
	    !h->domain->ops->enforce_cache_coherency(h->domain)) {
		rc = -EINVAL;
		goto err_free;
	}

	/* Some drivers can't map before the domain is attached to something. */
	if (!h->domain->pgsize_bitmap)
		return h;
	rc = hostdom_fill(h);
	if (rc && (rc != -EINVAL || h->filled))
		goto err_free;
	return h;

err_free:
	hostdom_free(h);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_hostdom_get);

/**
 * kviommu_hostdom_attach() - let a group use a host domain
 * @h: host domain, with a reference for the group
 * @grp: group, blocked
 *
 * Return: 0, or what the host said; the group is blocked then.
 */
int kviommu_hostdom_attach(struct kviommu_hostdom *h, struct iommu_group *grp)
{
	int rc = iommu_attach_group(h->domain, grp);

	if (rc || h->filled)
		return rc;
	rc = hostdom_fill(h);
	if (rc)
		iommu_detach_group(h->domain, grp);
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_hostdom_attach);

/**
 * kviommu_hostdom_detach() - block a group that uses a host domain
 * @h: host domain
 * @grp: group
 */
void kviommu_hostdom_detach(struct kviommu_hostdom *h, struct iommu_group *grp)
{
	iommu_detach_group(h->domain, grp);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_hostdom_detach);

/**
 * kviommu_hostdom_put() - drop a reference
 * @h: host domain; freed with its last reference
 */
void kviommu_hostdom_put(struct kviommu_hostdom *h)
{
	if (!--h->groups)
		hostdom_free(h);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_hostdom_put);

/**
 * kviommu_shadow_destroy() - forget all mappings
 * @s: shadow, with no group attached
 */
void kviommu_shadow_destroy(struct kviommu_shadow *s)
{
	struct kviommu_extent *e, *tmp;

	WARN_ON_ONCE(!list_empty(&s->hostdoms));
	rbtree_postorder_for_each_entry_safe(e, tmp, &s->extents, node) {
		if (!e->absent)
			extent_clear(s, e, extent_size(e));
		count_pieces(s, -(s64)extent_pieces(e));
		kmem_cache_free(extent_cache, e);
		cond_resched();
	}
	untouch(s);
	list_del(&s->stale);
	list_del(&s->holes);
	kviommu_shadow_init(s, s->gmem);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_shadow_destroy);

/**
 * kviommu_shadow_bytes() - memory that the extents take
 * @s: shadow
 */
u64 kviommu_shadow_bytes(const struct kviommu_shadow *s)
{
	return s->nr_extents * kmem_cache_size(extent_cache);
}
