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
 * iommufd wants every unpin to name exactly a range that was pinned: a whole
 * chunk, a page, or a window's page.
 *
 * All functions run with the lock of the vIOMMU held; none is called from
 * atomic context.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "kviommu_private.h"

#define CHUNK_MASK	(KVIOMMU_CHUNK_SIZE - 1)
#define NOT_CONTIGUOUS	((phys_addr_t)-1)

/* The part of a chunk that exists only when it is pinned page by page. */
struct chunk_pages {
	DECLARE_BITMAP(pinned, KVIOMMU_CHUNK_PAGES);
	DECLARE_BITMAP(readonly, KVIOMMU_CHUNK_PAGES);
	u32 refs[KVIOMMU_CHUNK_PAGES];
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
	INIT_LIST_HEAD(&g->windows);
	INIT_LIST_HEAD(&g->stale);
	INIT_LIST_HEAD(&g->holes);
	g->ops = ops;
	g->priv = priv;
	g->pinned = 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_init);

static unsigned int page_index(u64 gpa)
{
	return (gpa & CHUNK_MASK) >> PAGE_SHIFT;
}

static void chunk_free(struct kviommu_gmem *g, struct kviommu_chunk *c)
{
	xa_erase(&g->chunks, c->gpa >> KVIOMMU_CHUNK_SHIFT);
	kvfree(c->pages);
	kvfree(c->by_page);
	kfree(c);
}

static bool chunk_unused(const struct kviommu_chunk *c)
{
	return !c->users && c->by_page &&
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

	c = xa_load(&g->chunks, gpa >> KVIOMMU_CHUNK_SHIFT);
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
	chunk_free(g, c);
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

	c = xa_load(&g->chunks, gpa >> KVIOMMU_CHUNK_SHIFT);
	if (WARN_ON_ONCE(!c || !c->users))
		return;
	c->users--;
	if (unlikely(c->by_page)) {
		pages_put(g, c, page_index(gpa), page_index(gpa + len - 1) + 1);
		if (chunk_unused(c))
			chunk_free(g, c);
	} else if (g->demand && !c->users) {
		chunk_unpin_whole(g, c);
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
	struct kviommu_chunk *c = xa_load(&g->chunks,
					  gpa >> KVIOMMU_CHUNK_SHIFT);

	if (!WARN_ON_ONCE(!c))
		c->users++;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_split);

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
		if (!c->by_page) {
			WARN_ON_ONCE(c->users);
			chunk_unpin_whole(g, c);
			continue;
		}
		for_each_set_bit(p, c->by_page->pinned, KVIOMMU_CHUNK_PAGES) {
			u64 gpa = c->gpa + ((u64)p << PAGE_SHIFT);

			if (gpa > last || gpa + PAGE_SIZE - 1 < first)
				continue;
			WARN_ON_ONCE(c->by_page->refs[p]);
			page_unpin(g, c, p);
		}
		if (chunk_unused(c))
			chunk_free(g, c);
		cond_resched();
	}
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_release);

/* Copy within a page, through the chunk's pin. */
static int copy_pinned(struct kviommu_gmem *g, u64 gpa, void *buf, size_t len,
		       bool write)
{
	struct kviommu_chunk *c;
	struct page *page;
	void *va;
	int rc;

	c = xa_load(&g->chunks, gpa >> KVIOMMU_CHUNK_SHIFT);
	if (unlikely(!c)) {
		c = chunk_create(g, gpa, true);
		if (IS_ERR(c))
			return PTR_ERR(c);
	}
	if (unlikely(c->by_page)) {
		rc = page_pin(g, c, page_index(gpa), write);
		if (rc) {
			if (chunk_unused(c))
				chunk_free(g, c);
			return rc;
		}
	}
	page = c->base != NOT_CONTIGUOUS ?
		pfn_to_page(PHYS_PFN(c->base) + page_index(gpa)) :
		c->pages[page_index(gpa)];
	va = page_address(page) + offset_in_page(gpa);
	if (write)
		memcpy(va, buf, len);
	else
		memcpy(buf, va, len);
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
		int rc;

		if (g->demand)
			rc = g->ops->rw(g->priv, gpa, buf, n, write);
		else
			rc = copy_pinned(g, gpa, buf, n, write);
		if (rc)
			return rc;
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_gmem_copy);

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
	w->pages = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_window_init);

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
	u64 first = w->gpa & PAGE_MASK, end;
	struct page **pages;
	unsigned int n, i;
	int rc = 0;

	if (likely(w->pages))
		return 0;
	if (check_add_overflow(w->gpa, (u64)w->len, &end))
		return -EFAULT;
	n = DIV_ROUND_UP(end - first, PAGE_SIZE);
	pages = kcalloc(n, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		rc = g->ops->pin(g->priv, first + ((u64)i << PAGE_SHIFT), 1,
				 true, &pages[i]);
		if (rc)
			break;
	}
	if (rc) {
		while (i--)
			g->ops->unpin(g->priv, first + ((u64)i << PAGE_SHIFT),
				      1);
		kfree(pages);
		return rc;
	}
	g->pinned += (u64)n << PAGE_SHIFT;
	w->pages = pages;
	w->npages = n;
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
	u64 first = w->gpa & PAGE_MASK;
	unsigned int i;

	if (!w->pages)
		return;
	for (i = 0; i < w->npages; i++)
		g->ops->unpin(g->priv, first + ((u64)i << PAGE_SHIFT), 1);
	g->pinned -= (u64)w->npages << PAGE_SHIFT;
	kfree(w->pages);
	w->pages = NULL;
	list_del_init(&w->node);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_window_put);

/**
 * kviommu_window_ptr() - where a part of a pinned window is
 * @w: the window, pinned
 * @offset: bytes from its start; what is read there must not cross a page
 */
void *kviommu_window_ptr(const struct kviommu_window *w, size_t offset)
{
	size_t pos = offset_in_page(w->gpa) + offset;

	return page_address(w->pages[pos >> PAGE_SHIFT]) + offset_in_page(pos);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_window_ptr);
