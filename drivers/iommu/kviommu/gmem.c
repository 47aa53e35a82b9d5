// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: which guest-physical pages are pinned, and where they are.
 *
 * A pin through iommufd costs more than a mapping in the host IOMMU, so guest
 * memory is pinned in chunks of 2 MiB that stay pinned until the VMM removes
 * the memory behind them ("pin=cache"). A chunk that can't be pinned whole
 * (a hole, a read-only part) is pinned page by page. With "pin=demand" a page
 * is pinned only while a mapping uses it; a chunk is then pinned whole only by
 * a mapping of all of it.
 *
 * When the VMM takes away a part of a chunk that is pinned whole, the rest is
 * pinned page by page before the whole is unpinned, so that what devices have
 * mapped of it stays mapped.
 *
 * iommufd wants every unpin to name exactly a range that was pinned: a whole
 * chunk, a page, or a window's page.
 *
 * All functions run with the lock of the vIOMMU held; none is called from
 * atomic context.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kviommu_private.h"

#define CHUNK_MASK	(KVIOMMU_CHUNK_SIZE - 1)
#define NOT_CONTIGUOUS	((phys_addr_t)-1)

/*
 * The part of a chunk that exists only when it is pinned page by page.
 *
 * @was_whole: some mappings may be from when it was pinned whole, in runs of
 *	       pages for which the host may have used one entry
 * @still_whole: and it still is, besides
 */
struct chunk_pages {
	DECLARE_BITMAP(pinned, KVIOMMU_CHUNK_PAGES);
	DECLARE_BITMAP(readonly, KVIOMMU_CHUNK_PAGES);
	u32 refs[KVIOMMU_CHUNK_PAGES];
	bool was_whole;
	bool still_whole;
};

/*
 * @users: extents (or parts of them) that are mapped from here
 * @base: physical address if whole and contiguous
 * @pages: otherwise
 * @by_page: NULL if pinned whole, and then it is writable
 */
struct kviommu_chunk {
	u64 gpa;
	u32 users;
	phys_addr_t base;
	struct page **pages;
	struct chunk_pages *by_page;
};

void kviommu_gmem_init(struct kviommu_gmem *g,
		       const struct kviommu_gmem_ops *ops, void *priv)
{
	xa_init(&g->chunks);
	memset(g->recent, 0, sizeof(g->recent));
	INIT_LIST_HEAD(&g->windows);
	INIT_LIST_HEAD(&g->stale);
	INIT_LIST_HEAD(&g->holes);
	g->ops = ops;
	g->priv = priv;
	g->pinned = 0;
	g->spare = NULL;
	g->nr_spare = 0;
	g->nr_regions = 0;
	g->max_regions = U64_MAX;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_init);

static unsigned int page_index(u64 gpa)
{
	return (gpa & CHUNK_MASK) >> PAGE_SHIFT;
}

static struct kviommu_chunk *chunk_find(struct kviommu_gmem *g, u64 gpa)
{
	unsigned long index = gpa >> KVIOMMU_CHUNK_SHIFT;
	struct kviommu_chunk **recent = &g->recent[index % KVIOMMU_RECENT];
	struct kviommu_chunk *c = *recent;

	if (likely(c && c->gpa >> KVIOMMU_CHUNK_SHIFT == index))
		return c;
	c = xa_load(&g->chunks, index);
	if (c)
		*recent = c;
	return c;
}

static void chunk_free(struct kviommu_gmem *g, struct kviommu_chunk *c)
{
	unsigned long index = c->gpa >> KVIOMMU_CHUNK_SHIFT;

	if (g->recent[index % KVIOMMU_RECENT] == c)
		g->recent[index % KVIOMMU_RECENT] = NULL;
	xa_erase(&g->chunks, c->gpa >> KVIOMMU_CHUNK_SHIFT);
	kvfree(c->pages);
	kvfree(c->by_page);
	kfree(c);
}

static bool chunk_unused(const struct kviommu_chunk *c)
{
	return !c->users && c->by_page && !c->by_page->still_whole &&
	       bitmap_empty(c->by_page->pinned, KVIOMMU_CHUNK_PAGES);
}

static bool chunk_pin_whole(struct kviommu_gmem *g, struct kviommu_chunk *c)
{
	unsigned long pfn, i;

	if (g->ops->pin(g->priv, c->gpa, KVIOMMU_CHUNK_PAGES, true, c->pages))
		return false;
	g->pinned += KVIOMMU_CHUNK_SIZE;

	pfn = page_to_pfn(c->pages[0]);
	for (i = 1; i < KVIOMMU_CHUNK_PAGES; i++)
		if (page_to_pfn(c->pages[i]) != pfn + i)
			return true;
	c->base = PFN_PHYS(pfn);
	kvfree(c->pages);
	c->pages = NULL;
	return true;
}

static struct kviommu_chunk *chunk_create(struct kviommu_gmem *g, u64 gpa,
					  bool whole)
{
	struct kviommu_chunk *c;
	int rc;

	c = kzalloc_obj(*c, GFP_KERNEL_ACCOUNT);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->gpa = gpa & ~CHUNK_MASK;
	c->base = NOT_CONTIGUOUS;
	c->pages = kvcalloc(KVIOMMU_CHUNK_PAGES, sizeof(*c->pages),
			    GFP_KERNEL_ACCOUNT);
	if (!c->pages) {
		rc = -ENOMEM;
		goto err_free;
	}
	/* Reserve the entry first: what follows must not be undone. */
	rc = xa_insert(&g->chunks, c->gpa >> KVIOMMU_CHUNK_SHIFT, c,
		       GFP_KERNEL_ACCOUNT);
	if (rc)
		goto err_free;
	if (whole && chunk_pin_whole(g, c))
		return c;

	c->by_page = kvzalloc_obj(*c->by_page, GFP_KERNEL_ACCOUNT);
	if (!c->by_page) {
		chunk_free(g, c);
		return ERR_PTR(-ENOMEM);
	}
	return c;

err_free:
	kvfree(c->pages);
	kfree(c);
	return ERR_PTR(rc);
}

static int page_pin(struct kviommu_gmem *g, struct kviommu_chunk *c,
		    unsigned int i, bool write)
{
	u64 gpa = c->gpa + ((u64)i << PAGE_SHIFT);
	struct chunk_pages *p = c->by_page;
	int rc;

	if (test_bit(i, p->pinned))
		return write && test_bit(i, p->readonly) ? -EPERM : 0;

	/* Writable if it can be, so that a later mapping needs no new pin. */
	rc = g->ops->pin(g->priv, gpa, 1, true, &c->pages[i]);
	if (rc == -EPERM && !write) {
		rc = g->ops->pin(g->priv, gpa, 1, false, &c->pages[i]);
		if (!rc)
			__set_bit(i, p->readonly);
	}
	if (rc)
		return rc;
	__set_bit(i, p->pinned);
	g->pinned += PAGE_SIZE;
	return 0;
}

static void page_unpin(struct kviommu_gmem *g, struct kviommu_chunk *c,
		       unsigned int i)
{
	if (!test_bit(i, c->by_page->pinned))
		return;
	g->ops->unpin(g->priv, c->gpa + ((u64)i << PAGE_SHIFT), 1);
	__clear_bit(i, c->by_page->pinned);
	__clear_bit(i, c->by_page->readonly);
	c->pages[i] = NULL;
	g->pinned -= PAGE_SIZE;
}

static void pages_put(struct kviommu_gmem *g, struct kviommu_chunk *c,
		      unsigned int first, unsigned int end)
{
	struct chunk_pages *p = c->by_page;
	unsigned int i;

	for (i = first; i < end; i++)
		if (!--p->refs[i] && g->demand)
			page_unpin(g, c, i);
}

static int pages_get(struct kviommu_gmem *g, struct kviommu_chunk *c, u64 gpa,
		     size_t len, bool write)
{
	unsigned int first = page_index(gpa), i;
	unsigned int end = page_index(gpa + len - 1) + 1;
	int rc;

	for (i = first; i < end; i++) {
		rc = page_pin(g, c, i, write);
		if (rc) {
			pages_put(g, c, first, i);
			return rc;
		}
		c->by_page->refs[i]++;
	}
	return 0;
}

/**
 * kviommu_gmem_get() - keep guest pages pinned for a mapping
 * @g: guest memory
 * @gpa: first byte
 * @len: bytes; the range must not leave its 2 MiB chunk
 * @write: the mapping allows writes
 *
 * Return: the chunk for kviommu_gmem_run(), or -EPERM for a write to read-only
 * memory, -ENOMEM, or what pinning returned: the range is not guest RAM.
 */
struct kviommu_chunk *kviommu_gmem_get(struct kviommu_gmem *g, u64 gpa,
				       size_t len, bool write)
{
	struct kviommu_chunk *c;
	int rc;

	c = chunk_find(g, gpa);
	if (unlikely(!c)) {
		c = chunk_create(g, gpa,
				 !g->demand || len == KVIOMMU_CHUNK_SIZE);
		if (IS_ERR(c))
			return c;
	}
	if (unlikely(c->by_page)) {
		rc = pages_get(g, c, gpa, len, write);
		if (rc) {
			if (chunk_unused(c))
				chunk_free(g, c);
			return ERR_PTR(rc);
		}
	}
	c->users++;
	return c;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_get);

static void chunk_unpin_whole(struct kviommu_gmem *g, struct kviommu_chunk *c)
{
	g->ops->unpin(g->priv, c->gpa, KVIOMMU_CHUNK_PAGES);
	g->pinned -= KVIOMMU_CHUNK_SIZE;
}

/**
 * kviommu_gmem_put() - undo one kviommu_gmem_get() of the same range
 * @g: guest memory
 * @gpa: first byte
 * @len: bytes
 *
 * The host IOMMU must have forgotten the mapping: unmapped and IOTLB flushed,
 * unless pins are cached.
 */
void kviommu_gmem_put(struct kviommu_gmem *g, u64 gpa, size_t len)
{
	struct kviommu_chunk *c;

	c = chunk_find(g, gpa);
	if (WARN_ON_ONCE(!c || !c->users))
		return;
	c->users--;
	if (unlikely(c->by_page)) {
		pages_put(g, c, page_index(gpa), page_index(gpa + len - 1) + 1);
		if (chunk_unused(c))
			chunk_free(g, c);
	} else if (g->demand && !c->users) {
		chunk_unpin_whole(g, c);
		chunk_free(g, c);
	}
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_put);

/**
 * kviommu_gmem_split() - a mapping becomes two, each with a put of its own
 * @g: guest memory
 * @gpa: where the second begins; within a chunk both are in
 */
void kviommu_gmem_split(struct kviommu_gmem *g, u64 gpa)
{
	struct kviommu_chunk *c = chunk_find(g, gpa);

	if (!WARN_ON_ONCE(!c))
		c->users++;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_split);

/**
 * kviommu_gmem_join() - two mappings become one: undoes kviommu_gmem_split()
 * @g: guest memory
 * @gpa: where the second begins; within a chunk both are in
 */
void kviommu_gmem_join(struct kviommu_gmem *g, u64 gpa)
{
	struct kviommu_chunk *c = chunk_find(g, gpa);

	if (!WARN_ON_ONCE(!c || c->users < 2))
		c->users--;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_join);

/* The pages of a chunk that is pinned whole, for when it is not any more. */
static int chunk_list_pages(struct kviommu_chunk *c)
{
	unsigned int i;

	if (c->pages)
		return 0;
	c->pages = kvcalloc(KVIOMMU_CHUNK_PAGES, sizeof(*c->pages),
			    GFP_KERNEL_ACCOUNT);
	if (!c->pages)
		return -ENOMEM;
	for (i = 0; i < KVIOMMU_CHUNK_PAGES; i++)
		c->pages[i] = pfn_to_page(PHYS_PFN(c->base) + i);
	return 0;
}

static void chunk_part(struct kviommu_gmem *g, u64 gpa, u64 first, u64 last)
{
	struct kviommu_chunk *c = chunk_find(g, gpa);
	struct chunk_pages *p;
	struct page *page;
	unsigned int i;

	if (!c || !c->users || c->by_page ||
	    (first <= c->gpa && last >= c->gpa + CHUNK_MASK))
		return;
	p = kvzalloc_obj(*p, GFP_KERNEL_ACCOUNT);
	if (!p)
		return;
	if (chunk_list_pages(c)) {
		kvfree(p);
		return;
	}
	c->by_page = p;
	for (i = 0; i < KVIOMMU_CHUNK_PAGES; i++) {
		u64 at = c->gpa + ((u64)i << PAGE_SHIFT);

		if (at <= last && at + PAGE_SIZE - 1 >= first)
			continue;
		if (g->ops->pin(g->priv, at, 1, true, &page))
			goto err_unpin;
		__set_bit(i, p->pinned);
		g->pinned += PAGE_SIZE;
		/* The same pin holds both. */
		if (WARN_ON_ONCE(page != c->pages[i]))
			goto err_unpin;
	}
	p->was_whole = true;
	p->still_whole = true;
	c->base = NOT_CONTIGUOUS;
	return;

err_unpin:
	/* Then all of the chunk goes. */
	for_each_set_bit(i, p->pinned, KVIOMMU_CHUNK_PAGES) {
		g->ops->unpin(g->priv, c->gpa + ((u64)i << PAGE_SHIFT), 1);
		g->pinned -= PAGE_SIZE;
	}
	c->by_page = NULL;
	kvfree(p);
}

/**
 * kviommu_gmem_part() - get ready for a part of some chunks to go away
 * @g: guest memory
 * @first: first byte of what goes
 * @last: last byte
 *
 * Pins the rest of such chunks page by page. kviommu_gmem_hold() must be
 * called for all that is mapped of them, and kviommu_gmem_release() follow.
 * Where that fails, kviommu_gmem_busy() says that all of the chunk goes.
 *
 * Return: whether there is such a chunk.
 */
bool kviommu_gmem_part(struct kviommu_gmem *g, u64 first, u64 last)
{
	chunk_part(g, first, first, last);
	if (first >> KVIOMMU_CHUNK_SHIFT != last >> KVIOMMU_CHUNK_SHIFT)
		chunk_part(g, last, first, last);
	return kviommu_gmem_parted(g, first) || kviommu_gmem_parted(g, last);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_part);

/**
 * kviommu_gmem_parted() - is a part of a chunk about to go away
 * @g: guest memory
 * @gpa: address in the chunk
 */
bool kviommu_gmem_parted(struct kviommu_gmem *g, u64 gpa)
{
	struct kviommu_chunk *c = chunk_find(g, gpa);

	return c && c->by_page && c->by_page->still_whole;
}

/**
 * kviommu_gmem_hold() - count a mapping that was made when the chunk was whole
 * @g: guest memory
 * @gpa: first byte
 * @len: bytes; the range must not leave its chunk, which kviommu_gmem_parted()
 *	 names
 */
void kviommu_gmem_hold(struct kviommu_gmem *g, u64 gpa, size_t len)
{
	struct kviommu_chunk *c = chunk_find(g, gpa);
	unsigned int i;

	for (i = page_index(gpa); i <= page_index(gpa + len - 1); i++)
		c->by_page->refs[i]++;
}

/**
 * kviommu_gmem_whole_run() - what may have been mapped by one call
 * @g: guest memory
 * @gpa: address in a mapping
 * @first: first byte of the mapping; moved up to that of the run with @gpa
 * @last: last byte of the mapping; moved down likewise
 * @pa: host physical address of @first
 *
 * Return: false if each page was mapped by itself.
 */
bool kviommu_gmem_whole_run(struct kviommu_gmem *g, u64 gpa, u64 *first,
			    u64 *last, phys_addr_t *pa)
{
	struct kviommu_chunk *c = chunk_find(g, gpa);
	unsigned int i, lo, hi;
	unsigned long pfn;

	if (!c || (c->by_page && !c->by_page->was_whole))
		return false;
	*first = max(*first, c->gpa);
	*last = min(*last, c->gpa + CHUNK_MASK);
	if (c->base != NOT_CONTIGUOUS) {
		*pa = c->base + (*first - c->gpa);
		return true;
	}
	i = page_index(gpa);
	if (!c->pages[i])
		return false;
	pfn = page_to_pfn(c->pages[i]);
	for (lo = i; lo > page_index(*first); lo--)
		if (!c->pages[lo - 1] ||
		    page_to_pfn(c->pages[lo - 1]) != pfn - (i - lo) - 1)
			break;
	for (hi = i; hi < page_index(*last); hi++)
		if (!c->pages[hi + 1] ||
		    page_to_pfn(c->pages[hi + 1]) != pfn + (hi - i) + 1)
			break;
	*first = max(*first, c->gpa + ((u64)lo << PAGE_SHIFT));
	*last = min(*last, c->gpa + ((u64)hi << PAGE_SHIFT) + PAGE_SIZE - 1);
	*pa = PFN_PHYS(pfn - (i - lo));
	return true;
}

/**
 * kviommu_gmem_any() - is some of a range guest memory
 * @g: guest memory
 * @gpa: first byte, page aligned
 * @len: bytes, whole pages
 *
 * For who would have to try each page of what can't be had as a whole.
 */
bool kviommu_gmem_any(struct kviommu_gmem *g, u64 gpa, size_t len)
{
	struct page *page;
	int rc;

	for (; len; len -= PAGE_SIZE, gpa += PAGE_SIZE) {
		rc = g->ops->pin(g->priv, gpa, 1, true, &page);
		if (!rc)
			g->ops->unpin(g->priv, gpa, 1);
		if (!rc || rc == -EPERM)
			return true;
	}
	return false;
}

/**
 * kviommu_gmem_run() - physically contiguous part of a range that is held
 * @chunk: from kviommu_gmem_get()
 * @gpa: first byte, page aligned
 * @max: bytes to look at, within what kviommu_gmem_get() was asked for
 * @pa: host physical address of @gpa
 *
 * Return: bytes of the run, at most @max.
 */
size_t kviommu_gmem_run(const struct kviommu_chunk *chunk, u64 gpa, size_t max,
			phys_addr_t *pa)
{
	unsigned int i = page_index(gpa);
	unsigned long pfn;
	size_t len;

	if (chunk->base != NOT_CONTIGUOUS) {
		*pa = chunk->base + (gpa & CHUNK_MASK);
		return max;
	}
	pfn = page_to_pfn(chunk->pages[i]);
	*pa = PFN_PHYS(pfn);
	/*
	 * A page that is pinned by itself may go away by itself, and the host
	 * IOMMU can't split what was mapped as one.
	 */
	if (chunk->by_page)
		return PAGE_SIZE;
	for (len = PAGE_SIZE; len < max; len += PAGE_SIZE)
		if (page_to_pfn(chunk->pages[++i]) != ++pfn)
			break;
	return len;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_run);

/**
 * kviommu_gmem_busy() - does a mapping use guest memory that goes away
 * @g: guest memory
 * @first: first byte; moved down to include all of a chunk pinned whole
 * @last: last byte; moved up likewise
 */
bool kviommu_gmem_busy(struct kviommu_gmem *g, u64 *first, u64 *last)
{
	struct kviommu_chunk *c;
	bool busy = false;
	unsigned long i;

	xa_for_each_range(&g->chunks, i, c, *first >> KVIOMMU_CHUNK_SHIFT,
			  *last >> KVIOMMU_CHUNK_SHIFT) {
		busy |= c->users;
		if (c->by_page)
			continue;
		*first = min(*first, c->gpa);
		*last = max(*last, c->gpa + CHUNK_MASK);
	}
	return busy;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_busy);

/**
 * kviommu_gmem_release() - unpin all of a range that goes away
 * @g: guest memory
 * @first: first byte
 * @last: last byte
 *
 * No mapping may use any chunk of the range any more that is pinned whole, nor
 * a page of the range.
 */
void kviommu_gmem_release(struct kviommu_gmem *g, u64 first, u64 last)
{
	struct kviommu_window *w, *tmp;
	struct kviommu_chunk *c;
	unsigned long i;
	unsigned int p;

	list_for_each_entry_safe(w, tmp, &g->windows, node)
		if ((w->gpa & PAGE_MASK) <= last &&
		    ((w->gpa + w->len - 1) | ~PAGE_MASK) >= first)
			kviommu_window_put(g, w);

	xa_for_each_range(&g->chunks, i, c, first >> KVIOMMU_CHUNK_SHIFT,
			  last >> KVIOMMU_CHUNK_SHIFT) {
		cond_resched();
		if (!c->by_page) {
			WARN_ON_ONCE(c->users && !g->broken);
			chunk_unpin_whole(g, c);
			chunk_free(g, c);
			continue;
		}
		for (p = 0; p < KVIOMMU_CHUNK_PAGES; p++) {
			u64 gpa = c->gpa + ((u64)p << PAGE_SHIFT);

			if (gpa > last || gpa + PAGE_SIZE - 1 < first) {
				if (g->demand && !c->by_page->refs[p])
					page_unpin(g, c, p);
				continue;
			}
			WARN_ON_ONCE(c->by_page->refs[p] && !g->broken);
			page_unpin(g, c, p);
			c->pages[p] = NULL;
		}
		if (c->by_page->still_whole) {
			c->by_page->still_whole = false;
			chunk_unpin_whole(g, c);
		}
		if (chunk_unused(c))
			chunk_free(g, c);
	}
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_release);

/**
 * kviommu_gmem_exit() - unpin and forget all guest memory
 * @g: guest memory; no device reaches it any more
 */
void kviommu_gmem_exit(struct kviommu_gmem *g)
{
	struct kviommu_chunk *c;
	unsigned long i;

	kviommu_gmem_release(g, 0, U64_MAX);
	/* What a host IOMMU did not unmap still has users. */
	xa_for_each(&g->chunks, i, c)
		chunk_free(g, c);
}

/**
 * kviommu_gmem_ptr() - where guest memory is, for the CPU
 * @g: guest memory
 * @gpa: first byte
 * @len: bytes
 * @write: to be written
 *
 * For what must not take the detour of a copy; the guest may change it at any
 * moment. Valid until the lock of the vIOMMU is dropped.
 *
 * Return: NULL if it is no (writable) guest memory, is not in one page, or if
 * pins are on demand.
 */
void *kviommu_gmem_ptr(struct kviommu_gmem *g, u64 gpa, size_t len, bool write)
{
	struct kviommu_chunk *c;
	struct page *page;

	if (offset_in_page(gpa) + len > PAGE_SIZE || g->demand)
		return NULL;
	c = chunk_find(g, gpa);
	if (unlikely(!c)) {
		c = chunk_create(g, gpa, true);
		if (IS_ERR(c))
			return NULL;
	}
	if (c->base != NOT_CONTIGUOUS)
		return phys_to_virt(c->base) + (gpa & CHUNK_MASK);
	if (unlikely(c->by_page) && page_pin(g, c, page_index(gpa), write)) {
		if (chunk_unused(c))
			chunk_free(g, c);
		return NULL;
	}
	page = c->pages[page_index(gpa)];
	return page_address(page) + offset_in_page(gpa);
}

/* What can't be kept can be pinned for a moment, but for a device's memory. */
static int copy_pinned(struct kviommu_gmem *g, u64 gpa, void *buf, size_t len,
		       bool write)
{
	u64 at = gpa & PAGE_MASK;
	struct page *page;
	void *va;
	int rc;

	rc = g->ops->pin(g->priv, at, 1, write, &page);
	if (rc)
		return rc;
	va = page_address(page) + offset_in_page(gpa);
	memcpy(write ? va : buf, write ? buf : va, len);
	g->ops->unpin(g->priv, at, 1);
	return 0;
}

/**
 * kviommu_gmem_copy() - read or write guest memory once
 * @g: guest memory
 * @gpa: first byte; any alignment
 * @buf: host memory
 * @len: bytes
 * @write: to the guest, else from it
 *
 * Registers of a device that the VMM has mapped are no guest memory; but with pins on
 * demand iommufd copies them where the VMM itself could.
 *
 * Return: 0, or an errno if some of the range is no (writable) guest memory;
 * part of it may then be written.
 */
int kviommu_gmem_copy(struct kviommu_gmem *g, u64 gpa, void *buf, size_t len,
		      bool write)
{
	u64 end;

	if (check_add_overflow(gpa, (u64)len, &end))
		return -EFAULT;
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
		void *va = kviommu_gmem_ptr(g, gpa, n, write);
		int rc;

		if (va) {
			memcpy(write ? va : buf, write ? buf : va, n);
		} else {
			/* A pin for each copy would cost more than the copy. */
			rc = g->demand ?
			     g->ops->rw(g->priv, gpa, buf, n, write) :
			     copy_pinned(g, gpa, buf, n, write);
			if (rc)
				return rc;
		}
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_copy);

/**
 * kviommu_gmem_cmpxchg() - change a word of guest memory if it is as expected
 * @g: guest memory
 * @gpa: where, naturally aligned
 * @old: what is expected
 * @new: what it is to be
 *
 * Atomic against the guest's CPUs.
 *
 * Return: 0; -EAGAIN if it was something else; or what pinning returned: it is
 * no writable guest memory.
 */
int kviommu_gmem_cmpxchg(struct kviommu_gmem *g, u64 gpa, __le64 old,
			 __le64 new)
{
	__le64 *word = kviommu_gmem_ptr(g, gpa, sizeof(*word), true);
	struct page *page = NULL;
	bool same;
	int rc;

	if (!word) {
		rc = g->ops->pin(g->priv, gpa & PAGE_MASK, 1, true, &page);
		if (rc)
			return rc;
		word = page_address(page) + offset_in_page(gpa);
	}
	same = cmpxchg(word, old, new) == old;
	if (page)
		g->ops->unpin(g->priv, gpa & PAGE_MASK, 1);
	return same ? 0 : -EAGAIN;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_cmpxchg);

/**
 * kviommu_window_init() - describe a range the CPU works on in place
 * @w: the window
 * @gpa: first byte
 * @len: bytes, at least 1
 */
void kviommu_window_init(struct kviommu_window *w, u64 gpa, size_t len)
{
	INIT_LIST_HEAD(&w->node);
	w->gpa = gpa;
	w->len = len;
	w->va = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_window_init);

static unsigned int window_pages(const struct kviommu_window *w)
{
	return DIV_ROUND_UP(offset_in_page(w->gpa) + w->len, PAGE_SIZE);
}

static void window_unpin(struct kviommu_gmem *g, struct kviommu_window *w,
			 unsigned int n)
{
	u64 gpa = w->gpa & PAGE_MASK;

	g->pinned -= (u64)n << PAGE_SHIFT;
	for (; n--; gpa += PAGE_SIZE)
		g->ops->unpin(g->priv, gpa, 1);
}

static int window_pin(struct kviommu_gmem *g, struct kviommu_window *w,
		      struct page **pages)
{
	unsigned int n = window_pages(w), i;
	u64 gpa = w->gpa & PAGE_MASK;
	int rc = 0;

	for (i = 0; i < n && !rc; i++, gpa += PAGE_SIZE) {
		rc = g->ops->pin(g->priv, gpa, 1, true, &pages[i]);
		if (!rc)
			g->pinned += PAGE_SIZE;
	}
	if (!rc) {
		w->va = vmap(pages, n, VM_MAP, PAGE_KERNEL);
		if (w->va)
			return 0;
		rc = -ENOMEM;
		i++;
	}
	window_unpin(g, w, i - 1);
	return rc;
}

/**
 * kviommu_window_get() - pin a window, if it is not
 * @g: guest memory
 * @w: the window
 *
 * The pin is the window's own, since mappings of the same page come and go.
 * It ends with kviommu_window_put(), or when the memory goes away.
 *
 * Return: 0, -ENOMEM, or what pinning returned.
 */
int kviommu_window_get(struct kviommu_gmem *g, struct kviommu_window *w)
{
	struct page **pages;
	u64 end;
	int rc;

	if (likely(w->va))
		return 0;
	if (check_add_overflow(w->gpa, (u64)w->len, &end))
		return -EFAULT;
	pages = kcalloc(window_pages(w), sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	rc = window_pin(g, w, pages);
	kfree(pages);
	if (rc)
		return rc;
	w->va += offset_in_page(w->gpa);
	list_add(&w->node, &g->windows);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_window_get);

/**
 * kviommu_window_put() - unpin a window, if it is pinned
 * @g: guest memory
 * @w: the window; it stays known until kviommu_window_init()
 */
void kviommu_window_put(struct kviommu_gmem *g, struct kviommu_window *w)
{
	if (!w->va)
		return;
	vunmap((void *)((unsigned long)w->va & PAGE_MASK));
	w->va = NULL;
	window_unpin(g, w, window_pages(w));
	list_del_init(&w->node);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_window_put);
