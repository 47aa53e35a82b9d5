// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow: against a reference that knows for each page of the IOVA space what
 * the guest mapped there, and nothing else.
 */
#include <linux/slab.h>

#include "mock.h"

/* The IOVA space that tests use: some pages from an address on. */
#define PAGES		2048
#define CHUNKS		4

/* What the guest mapped at a page. @id: of the mapping, 0: none */
struct ref_page {
	u64 gpa;
	u32 id;
	u8 prot;
};

struct fixture {
	struct mock *m;
	struct kviommu_shadow s;
	bool inited;
	struct mock_dev *dev[MOCK_IOMMUS];
	struct kviommu_hostdom *hostdom[MOCK_IOMMUS];
	u64 base;
	u32 next_id;
	struct ref_page ref[PAGES];
	bool was_present[PAGES];
	u64 serial[PAGES];
	struct rnd_state rnd;
};

static u64 iova_of(struct fixture *f, unsigned int page)
{
	return f->base + ((u64)page << PAGE_SHIFT);
}

static u64 gpa_of(unsigned int page)
{
	return (u64)page << PAGE_SHIFT;
}

/* ---- the reference ---- */

static bool ref_free(struct fixture *f, unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		if (f->ref[i].id)
			return false;
	return true;
}

static int ref_map(struct fixture *f, unsigned int first, unsigned int n,
		   u64 gpa, u8 prot, bool commit)
{
	unsigned int i;

	if (!ref_free(f, first, n))
		return -EEXIST;
	for (i = 0; i < n; i++)
		if (!mock_mem_fits(f->m, gpa + gpa_of(i), prot & KVIOMMU_WRITE))
			return -EFAULT;
	if (!commit)
		return 0;
	f->next_id++;
	for (i = 0; i < n; i++)
		f->ref[first + i] = (struct ref_page){
			gpa + gpa_of(i), f->next_id, prot,
		};
	return 0;
}

static int ref_unmap(struct fixture *f, unsigned int first, unsigned int n)
{
	unsigned int end = first + n, i;

	if (f->ref[first].id && first &&
	    f->ref[first - 1].id == f->ref[first].id)
		return -ERANGE;
	if (f->ref[end - 1].id && end < PAGES &&
	    f->ref[end].id == f->ref[end - 1].id)
		return -ERANGE;
	for (i = first; i < end; i++)
		f->ref[i].id = 0;
	return 0;
}

static u64 ref_nr_mappings(struct fixture *f)
{
	unsigned int i;
	u32 last = 0;
	u64 n = 0;

	for (i = 0; i < PAGES; i++) {
		n += f->ref[i].id && f->ref[i].id != last;
		last = f->ref[i].id;
	}
	return n;
}

static int host_prot_of(u8 prot)
{
	return (prot & KVIOMMU_READ ? IOMMU_READ : 0) |
	       (prot & KVIOMMU_WRITE ? IOMMU_WRITE : 0) | IOMMU_CACHE;
}

/* mock_pte(), if *@pte, from the last look-up, is not the one. */
static bool lookup(struct mock_domain *d, u64 iova, struct mock_pte **pte)
{
	if (!*pte || iova < (*pte)->iova || iova - (*pte)->iova >= (*pte)->size)
		*pte = mock_pte(d, iova);
	return *pte;
}

/* Does a host domain map what the guest mapped at a page? */
static bool translates(struct fixture *f, struct mock_domain *d, unsigned int i,
		       struct mock_pte **last)
{
	const struct ref_page *r = &f->ref[i];
	struct mock_pte *pte;
	phys_addr_t pa;

	if (!lookup(d, iova_of(f, i), last))
		return false;
	pte = *last;
	pa = page_to_phys(f->m->mem.pages[r->gpa >> PAGE_SHIFT].page);
	return pte->prot == host_prot_of(r->prot) &&
	       pte->pa + (iova_of(f, i) - pte->iova) == pa;
}

/* To compare every page takes minutes with KASAN: less often then. */
#define STEP	(IS_ENABLED(CONFIG_KASAN) ? 4 : 1)

/*
 * Compare the extents and the host domains with the reference. What is absent
 * is not known to it; with @filled it must have a reason to be. Returns false
 * at the first difference.
 */
static bool same(struct fixture *f, bool filled)
{
	u64 nr_extents = 0, nr_absent = 0, nr_mappings = 0, present = 0;
	u64 pieces = 0;
	struct mock_pte *pte[MOCK_IOMMUS] = {};
	struct kunit *test = f->m->test;
	struct kviommu_extent *e;
	unsigned int i = 0, end, k;

	/* Until then a host domain may have more. */
	kviommu_shadow_flush(&f->s);
	for (e = kviommu_shadow_first(&f->s, 0); e; e = kviommu_extent_next(e)) {
		bool fits = true;

		if (e->iova < f->base || e->last > iova_of(f, PAGES) - 1) {
			KUNIT_FAIL(test, "extent 0x%llx-0x%llx", e->iova, e->last);
			return false;
		}
		end = (e->iova - f->base) >> PAGE_SHIFT;
		for (; i < end; i++)
			if (f->ref[i].id)
				goto lost;
		end = (e->last + 1 - f->base) >> PAGE_SHIFT;
		nr_extents++;
		nr_absent += e->absent;
		nr_mappings += !e->joined;
		if (e->joined != (i && f->ref[i].id &&
				  f->ref[i - 1].id == f->ref[i].id)) {
			KUNIT_FAIL(test, "extent 0x%llx joined %u", e->iova,
				   e->joined);
			return false;
		}
		for (; i < end; i++) {
			const struct ref_page *r = &f->ref[i];

			if (!r->id || r->prot != e->prot ||
			    r->gpa != e->gpa + (iova_of(f, i) - e->iova) ||
			    (iova_of(f, i) > e->iova && r->id != r[-1].id))
				goto lost;
			/* What the quota counts: parts that leave no chunk. */
			pieces += iova_of(f, i) == e->iova ||
				  IS_ALIGNED(r->gpa, KVIOMMU_CHUNK_SIZE);
			fits &= mock_mem_fits(f->m, r->gpa,
					      r->prot & KVIOMMU_WRITE);
			for (k = 0; k < MOCK_IOMMUS; k++) {
				if (!f->hostdom[k] || e->absent)
					continue;
				if (!translates(f, mock_domain(f->hostdom[k]->domain),
						i, &pte[k])) {
					KUNIT_FAIL(test, "IOVA 0x%llx is wrong in host domain %u",
						   iova_of(f, i), k);
					return false;
				}
			}
		}
		if (!e->absent)
			present += e->last - e->iova + 1;
		if (!e->absent && !fits) {
			KUNIT_FAIL(test, "extent 0x%llx-0x%llx is mapped, its memory is gone",
				   e->iova, e->last);
			return false;
		}
		if (filled && e->absent && fits) {
			KUNIT_FAIL(test, "extent 0x%llx-0x%llx is absent, its memory is there",
				   e->iova, e->last);
			return false;
		}
	}
	for (; i < PAGES; i++)
		if (f->ref[i].id)
			goto lost;

	KUNIT_EXPECT_EQ(test, f->s.nr_extents, nr_extents);
	KUNIT_EXPECT_EQ(test, f->s.nr_absent, nr_absent);
	KUNIT_EXPECT_EQ(test, f->s.nr_mappings, nr_mappings);
	KUNIT_EXPECT_EQ(test, f->s.nr_mappings, ref_nr_mappings(f));
	KUNIT_EXPECT_EQ(test, f->m->v.gmem.pieces, pieces);
	KUNIT_EXPECT_EQ(test, f->m->v.gmem.pinned, f->m->mem.pinned);
	KUNIT_EXPECT_FALSE(test, f->s.broken);
	/* Something is to be looked for only if it is missing. */
	KUNIT_EXPECT_EQ(test, list_empty(&f->s.holes), !nr_absent);
	for (k = 0; k < MOCK_IOMMUS; k++)
		if (f->hostdom[k])
			KUNIT_EXPECT_EQ(test, present,
					mock_domain(f->hostdom[k]->domain)->mapped);
	return test->status == KUNIT_SUCCESS;

lost:
	KUNIT_FAIL(test, "IOVA 0x%llx is not as the guest mapped it",
		   iova_of(f, i));
	return false;
}

/* ---- operations on both ---- */

static void add_hostdom(struct fixture *f, unsigned int k)
{
	f->hostdom[k] = kviommu_hostdom_get(&f->s, mock_dev_dev(f->dev[k]), 0);
	if (IS_ERR(f->hostdom[k])) {
		KUNIT_FAIL(f->m->test, "no host domain: %pe", f->hostdom[k]);
		f->hostdom[k] = NULL;
	}
}

static void remove_hostdom(struct fixture *f, unsigned int k)
{
	if (f->hostdom[k])
		kviommu_hostdom_put(f->hostdom[k]);
	f->hostdom[k] = NULL;
}

static int do_map(struct fixture *f, unsigned int first, unsigned int n,
		  u64 gpa, u8 prot)
{
	return kviommu_shadow_map(&f->s, iova_of(f, first),
				  iova_of(f, first + n) - 1, gpa, prot);
}

static int do_unmap(struct fixture *f, unsigned int first, unsigned int n)
{
	return kviommu_shadow_unmap(&f->s, iova_of(f, first),
				    iova_of(f, first + n) - 1);
}

/* Map in both; they must agree. */
static void map(struct fixture *f, unsigned int first, unsigned int n, u64 gpa,
		u8 prot)
{
	KUNIT_EXPECT_EQ_MSG(f->m->test, do_map(f, first, n, gpa, prot),
			    ref_map(f, first, n, gpa, prot, true),
			    "%u pages at page %u, GPA 0x%llx, prot %u",
			    n, first, gpa, prot);
}

static void unmap(struct fixture *f, unsigned int first, unsigned int n)
{
	KUNIT_EXPECT_EQ_MSG(f->m->test, do_unmap(f, first, n),
			    ref_unmap(f, first, n),
			    "%u pages at page %u go", n, first);
}

/*
 * Memory goes away. What is behind other pages must stay, or come back at once,
 * though it shares chunks and extents with it.
 */
static void gone(struct fixture *f, unsigned int gpa_page, unsigned int n)
{
	struct mock_domain *d = f->hostdom[0] ?
				mock_domain(f->hostdom[0]->domain) : NULL;
	struct mock_pte *pte = NULL;
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		f->was_present[i] = d && f->ref[i].id &&
				    lookup(d, iova_of(f, i), &pte);
	mock_mem_gone(f->m, gpa_of(gpa_page), gpa_of(n));
	pte = NULL;
	for (i = 0; d && i < PAGES; i++) {
		u64 page = f->ref[i].gpa >> PAGE_SHIFT;

		if (!f->was_present[i] || (page >= gpa_page && page < gpa_page + n))
			continue;
		if (!lookup(d, iova_of(f, i), &pte)) {
			KUNIT_FAIL(f->m->test, "GPA 0x%llx went away with page %u-%u",
				   f->ref[i].gpa, gpa_page, gpa_page + n - 1);
			return;
		}
	}
}

static void back(struct fixture *f, unsigned int gpa_page, unsigned int n,
		 bool readonly)
{
	mock_mem_readonly(f->m, gpa_of(gpa_page), gpa_of(n), readonly);
	mock_mem_hole(f->m, gpa_of(gpa_page), gpa_of(n), false);
	mock_refill(f->m, UINT_MAX);
}

static void unmap_all(struct fixture *f)
{
	unmap(f, 0, PAGES);
	kviommu_shadow_flush(&f->s);
	KUNIT_EXPECT_TRUE(f->m->test, same(f, true));
}

static struct fixture *fixture_create(struct kunit *test,
				      enum mock_layout layout, bool demand,
				      u64 page_sizes, u64 seed)
{
	struct fixture *f;
	struct mock *m;
	unsigned int k;

	m = mock_create(test, &mock_shadow_model);
	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	mock_seed(test, &f->rnd, seed);
	f->m = m;
	m->v.model_priv = &f->s;
	mock_mem_create(m, CHUNKS, layout, &f->rnd);
	m->v.gmem.demand = demand;
	m->v.memory = true;
	kviommu_shadow_init(&f->s, &m->v.gmem);
	f->inited = true;
	f->base = 0x40000000;
	for (k = 0; k < MOCK_IOMMUS; k++) {
		if (page_sizes)
			m->iommus[k].page_sizes = page_sizes;
		f->dev[k] = mock_add_dev(m, k, NULL);
	}
	return f;
}

static void shadow_exit(struct kunit *test)
{
	struct mock *m = test->priv;
	struct fixture *f = m && m->v.model_priv ?
		container_of(m->v.model_priv, struct fixture, s) : NULL;
	unsigned int k;

	if (f && f->inited) {
		for (k = 0; k < MOCK_IOMMUS; k++)
			remove_hostdom(f, k);
		kviommu_shadow_destroy(&f->s);
		KUNIT_EXPECT_EQ(test, f->s.nr_extents, 0);
		KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&f->s.extents));
		if (m->v.gmem.demand)
			KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
	}
	mock_destroy(m);
}

/* ---- the rules one by one ---- */

static void shadow_map_overlap(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false, 0, 1);
	static const struct {
		unsigned int first, n;
	} over[] = {
		{ 9, 2 }, { 10, 1 }, { 10, 4 }, { 13, 1 }, { 13, 9 }, { 5, 20 },
		{ 11, 2 },
	};
	unsigned int i;

	add_hostdom(f, 0);
	map(f, 10, 4, 0, KVIOMMU_READ);
	for (i = 0; i < ARRAY_SIZE(over); i++) {
		KUNIT_EXPECT_EQ(test, -EEXIST,
				do_map(f, over[i].first, over[i].n, gpa_of(100),
				       KVIOMMU_WRITE));
		KUNIT_EXPECT_TRUE(test, same(f, true));
	}
	/* Neighbours are no overlap. */
	KUNIT_EXPECT_EQ(test, 0, do_map(f, 9, 1, 0, KVIOMMU_READ));
	KUNIT_EXPECT_EQ(test, 0, do_map(f, 14, 1, 0, KVIOMMU_READ));
}

/*
 * The sequences of virtio 1.3 5.13.6.6.2. {first, n} with n == 0 ends a list;
 * pages here are addresses there.
 */
struct unmap_case {
	const char *name;
	struct {
		unsigned int first, n;
	} maps[3], unmap;
	int rc;
};

static const struct unmap_case unmap_cases[] = {
	{ "1: nothing mapped", { }, { 0, 5 }, 0 },
	{ "2: all of one", { { 0, 10 } }, { 0, 10 }, 0 },
	{ "3: both of two", { { 0, 5 }, { 5, 5 } }, { 0, 10 }, 0 },
	{ "4: part of one", { { 0, 10 } }, { 0, 5 }, -ERANGE },
	{ "5: one of two", { { 0, 5 }, { 5, 5 } }, { 0, 5 }, 0 },
	{ "6: more than one", { { 0, 5 } }, { 0, 10 }, 0 },
	{ "7: with a gap", { { 0, 5 }, { 10, 5 } }, { 0, 15 }, 0 },
	{ "the end of one", { { 0, 10 } }, { 5, 5 }, -ERANGE },
	{ "the middle of one", { { 0, 10 } }, { 4, 2 }, -ERANGE },
	{ "one and a part", { { 0, 5 }, { 5, 5 } }, { 0, 7 }, -ERANGE },
	{ "a part and one", { { 0, 5 }, { 5, 5 } }, { 3, 7 }, -ERANGE },
	{ "a part, one, a part", { { 0, 5 }, { 5, 5 }, { 10, 5 } }, { 3, 9 },
	  -ERANGE },
	{ "between two", { { 0, 5 }, { 10, 5 } }, { 5, 5 }, 0 },
	{ "a gap and a part", { { 10, 5 } }, { 0, 12 }, -ERANGE },
};

KUNIT_ARRAY_PARAM_DESC(unmap, unmap_cases, name);

static void shadow_unmap_sequences(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_SCATTERED, false, 0, 2);
	const struct unmap_case *c = test->param_value;
	unsigned int i;

	add_hostdom(f, 0);
	for (i = 0; i < ARRAY_SIZE(c->maps) && c->maps[i].n; i++)
		map(f, c->maps[i].first, c->maps[i].n, gpa_of(700 + 20 * i),
		    KVIOMMU_READ | KVIOMMU_WRITE);
	KUNIT_EXPECT_EQ(test, c->rc,
			do_unmap(f, c->unmap.first, c->unmap.n));
	if (!c->rc)
		ref_unmap(f, c->unmap.first, c->unmap.n);
	KUNIT_EXPECT_TRUE(test, same(f, true));
}

/* A mapping that was cut for memory that went away is one for the guest. */
static void shadow_unmap_cut(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false, 0, 3);

	add_hostdom(f, 0);
	map(f, 0, 1024, 0, KVIOMMU_READ);
	gone(f, 100, 10);
	KUNIT_EXPECT_GT(test, f->s.nr_extents, 1);
	KUNIT_EXPECT_EQ(test, f->s.nr_mappings, 1);
	KUNIT_EXPECT_EQ(test, -ERANGE, do_unmap(f, 0, 100));
	KUNIT_EXPECT_EQ(test, -ERANGE, do_unmap(f, 100, 10));
	KUNIT_EXPECT_EQ(test, -ERANGE, do_unmap(f, 110, 1024 - 110));
	KUNIT_EXPECT_EQ(test, -ERANGE, do_unmap(f, 512, 512));
	KUNIT_EXPECT_EQ(test, -ERANGE, do_unmap(f, 0, 512));
	KUNIT_EXPECT_TRUE(test, same(f, true));
	unmap_all(f);
}

static void shadow_map_bad_memory(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false, 0, 4);
	u64 end = gpa_of(PAGES);

	add_hostdom(f, 0);
	mock_mem_hole(f->m, gpa_of(600), PAGE_SIZE, true);
	mock_mem_readonly(f->m, gpa_of(1100), gpa_of(2), true);

	map(f, 0, 1, gpa_of(600), KVIOMMU_READ);
	map(f, 0, 600, gpa_of(400), KVIOMMU_READ);
	map(f, 0, 1, end, KVIOMMU_READ);
	map(f, 0, 2, end - PAGE_SIZE, KVIOMMU_READ);
	map(f, 0, 1, U64_MAX & PAGE_MASK, KVIOMMU_READ);
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 0);
	map(f, 0, 1, gpa_of(1100), KVIOMMU_WRITE);
	map(f, 0, 512, gpa_of(1024), KVIOMMU_READ | KVIOMMU_WRITE);
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 0);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	map(f, 0, 512, gpa_of(1024), KVIOMMU_READ);
	map(f, 512, 76, gpa_of(1024), KVIOMMU_READ | KVIOMMU_WRITE);
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 2);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	unmap_all(f);
}

struct config {
	const char *name;
	enum mock_layout layout;
	bool demand;
	u64 page_sizes;
	bool entry_a_call;
};

static const struct config configs[] = {
	{ "cache contiguous", MOCK_CONTIGUOUS, false, SZ_4K | SZ_2M },
	{ "cache scattered", MOCK_SCATTERED, false, SZ_4K | SZ_2M },
	{ "cache runs, all sizes", MOCK_RUNS, false, PAGE_MASK },
	{ "cache contiguous, all sizes", MOCK_CONTIGUOUS, false, PAGE_MASK },
	{ "demand contiguous", MOCK_CONTIGUOUS, true, SZ_4K | SZ_2M },
	{ "demand runs, all sizes", MOCK_RUNS, true, PAGE_MASK },
	{ "demand scattered, 4K", MOCK_SCATTERED, true, SZ_4K },
	{ "cache contiguous, an entry a call", MOCK_CONTIGUOUS, false, PAGE_MASK, true },
};

KUNIT_ARRAY_PARAM_DESC(config, configs, name);

static struct fixture *fixture_config(struct kunit *test, u64 seed)
{
	const struct config *c = test->param_value;
	struct fixture *f;
	unsigned int k;

	f = fixture_create(test, c->layout, c->demand, c->page_sizes, seed);
	for (k = 0; k < MOCK_IOMMUS; k++)
		f->m->iommus[k].entry_a_call = c->entry_a_call;
	return f;
}

/* The host refuses any one of the entries of a mapping. */
static void shadow_map_host_fails(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 5);
	unsigned int i, n = 0;
	int rc;

	add_hostdom(f, 0);
	add_hostdom(f, 1);
	map(f, 0, 8, gpa_of(500), KVIOMMU_READ);
	for (i = 1; ; i += i < 8 ? 1 : 211) {
		f->m->fail_map = i;
		f->m->fail_map_rc = i & 1 ? -EIO : -ENOMEM;
		/* 20 pages, a whole chunk, and 13 pages */
		rc = do_map(f, 8, 20 + 512 + 13, gpa_of(512 - 20),
			    KVIOMMU_READ | KVIOMMU_WRITE);
		if (f->m->fail_map)
			break;
		n++;
		KUNIT_EXPECT_EQ(test, rc, f->m->fail_map_rc);
		if (!same(f, true))
			return;
		if (f->m->v.gmem.demand)
			KUNIT_EXPECT_EQ(test, f->m->mem.pinned, 8 * PAGE_SIZE);
	}
	f->m->fail_map = 0;
	KUNIT_EXPECT_GT(test, n, 5);
	KUNIT_EXPECT_EQ(test, rc, 0);
	ref_map(f, 8, 20 + 512 + 13, gpa_of(512 - 20),
		KVIOMMU_READ | KVIOMMU_WRITE, true);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	unmap_all(f);
}

/* Pinning fails at any place. */
static void shadow_map_pin_fails(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 6);
	unsigned int i, n = 0;
	int rc;

	add_hostdom(f, 0);
	/* So that there is a chunk that is pinned by pages, and one that is not */
	mock_mem_hole(f->m, gpa_of(512 + 40), PAGE_SIZE, true);
	for (i = 1; ; i++) {
		f->m->mem.fail_pin = i;
		/* A chunk that can't be pinned whole is pinned by pages. */
		f->m->mem.fail_rc = -ENOMEM;
		rc = do_map(f, 8, 20 + 12, gpa_of(512 - 20), KVIOMMU_READ);
		if (f->m->mem.fail_pin)
			break;
		if (!rc) {
			n++;
			KUNIT_EXPECT_EQ(test, 0, do_unmap(f, 8, 32));
		} else {
			KUNIT_EXPECT_EQ(test, rc, -ENOMEM);
		}
		kviommu_shadow_flush(&f->s);
		KUNIT_EXPECT_EQ(test, f->s.nr_extents, 0);
		if (!same(f, true))
			return;
		kviommu_gmem_release(&f->m->v.gmem, 0, U64_MAX);
		KUNIT_EXPECT_EQ(test, f->m->mem.pinned, 0);
	}
	f->m->mem.fail_pin = 0;
	KUNIT_EXPECT_GT(test, i, 3);
	KUNIT_EXPECT_EQ(test, rc, 0);
	KUNIT_EXPECT_EQ(test, 0, do_unmap(f, 8, 32));
	/* Only what was pinned whole has a second way. */
	KUNIT_EXPECT_LE(test, n, 2);
}

/* Unmaps are flushed once for a batch, and before a page is unpinned. */
static void shadow_flush_gathered(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_SCATTERED, false, 0, 7);
	struct mock_domain *d;
	unsigned int i;

	add_hostdom(f, 0);
	d = mock_domain(f->hostdom[0]->domain);
	for (i = 0; i < 100; i++)
		map(f, 3 * i, 2, gpa_of(i), KVIOMMU_READ);
	KUNIT_EXPECT_EQ(test, d->flushes, 0);
	for (i = 0; i < 50; i++)
		unmap(f, 3 * i, 2);
	KUNIT_EXPECT_EQ(test, d->flushes, 0);
	KUNIT_EXPECT_FALSE(test, list_empty(&d->stale));
	kviommu_flush_all(&f->m->v);
	KUNIT_EXPECT_EQ(test, d->flushes, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&d->stale));
	/* Nothing to do: nothing done. */
	kviommu_flush_all(&f->m->v);
	KUNIT_EXPECT_EQ(test, d->flushes, 1);
	/* Memory that goes away has its own flush. */
	unmap(f, 3 * 60, 2);
	gone(f, 70, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&d->stale));
	KUNIT_EXPECT_TRUE(test, same(f, true));
}

/* Two mappings of one chunk; parts of the chunk go and come. */
static void shadow_drop_parts(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 8);
	static const struct {
		unsigned int page, n;
	} parts[] = {
		{ 0, 512 }, { 512, 512 }, { 0, PAGES }, { 0, 1 }, { 511, 1 },
		{ 511, 2 }, { 512, 1 }, { 700, 17 }, { 300, 800 }, { 600, 1 },
		{ 1023, 1 }, { 1024, 1 }, { 1000, 512 },
	};
	unsigned int i;

	add_hostdom(f, 0);
	add_hostdom(f, 1);
	map(f, 0, 300, gpa_of(400), KVIOMMU_READ);
	map(f, 300, 700, gpa_of(500), KVIOMMU_READ | KVIOMMU_WRITE);
	map(f, 1024, 512, gpa_of(512), KVIOMMU_WRITE);
	for (i = 0; i < ARRAY_SIZE(parts); i += STEP) {
		gone(f, parts[i].page, parts[i].n);
		KUNIT_EXPECT_TRUE_MSG(test, same(f, true), "page %u gone",
				      parts[i].page);
		back(f, parts[i].page, parts[i].n, false);
		KUNIT_EXPECT_TRUE_MSG(test, same(f, true), "page %u back",
				      parts[i].page);
		KUNIT_EXPECT_EQ(test, f->s.nr_absent, 0);
		if (test->status != KUNIT_SUCCESS)
			return;
	}
	/* What comes back read-only can be mapped for reads only. */
	gone(f, 600, 2);
	back(f, 600, 2, true);
	KUNIT_EXPECT_GT(test, f->s.nr_absent, 0);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	gone(f, 600, 2);
	back(f, 600, 2, false);
	KUNIT_EXPECT_EQ(test, f->s.nr_absent, 0);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	unmap_all(f);
}

/*
 * What goes away takes nothing with it for a moment but what the host has in
 * one entry with it.
 */
static void shadow_drop_exact(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 20);
	const struct config *c = test->param_value;
	/* Where an entry may have any size, all of a run is taken for one. */
	bool exact = c->entry_a_call || !(c->page_sizes & SZ_8K);
	static const struct {
		unsigned int page, n;
	} parts[] = {
		{ 520, 1 }, { 700, 40 }, { 900, 200 }, { 1536, 1 },
	};
	struct mock_domain *d;
	unsigned int i, k;

	add_hostdom(f, 0);
	KUNIT_ASSERT_NOT_NULL(test, f->hostdom[0]);
	d = mock_domain(f->hostdom[0]->domain);
	for (k = 0; k < ARRAY_SIZE(parts); k += (STEP + 1) / 2) {
		u64 first = gpa_of(parts[k].page), last = first + gpa_of(parts[k].n) - 1;
		struct mock_pte *pte = NULL;

		map(f, 0, 300, gpa_of(500), KVIOMMU_READ);
		map(f, 300, 700, gpa_of(800), KVIOMMU_READ | KVIOMMU_WRITE);
		map(f, 1024, 512, gpa_of(512), KVIOMMU_WRITE);
		for (i = 0; i < PAGES; i++) {
			f->serial[i] = 0;
			if (f->ref[i].id && lookup(d, iova_of(f, i), &pte)) {
				u64 gpa = f->ref[i].gpa - (iova_of(f, i) - pte->iova);

				if (gpa > last || gpa + pte->size - 1 < first)
					f->serial[i] = pte->serial;
			}
		}
		gone(f, parts[k].page, parts[k].n);
		pte = NULL;
		for (i = 0; i < PAGES; i++) {
			if (!f->serial[i] || !exact)
				continue;
			if (!lookup(d, iova_of(f, i), &pte) ||
			    pte->serial != f->serial[i]) {
				KUNIT_FAIL(test, "IOVA page %u was unmapped with GPA page %u",
					   i, parts[k].page);
				break;
			}
		}
		back(f, parts[k].page, parts[k].n, false);
		KUNIT_EXPECT_TRUE(test, same(f, true));
		/* All is as if it had never been away. */
		KUNIT_EXPECT_EQ(test, f->s.nr_extents, 3);
		unmap_all(f);
		kviommu_dma_unmap(&f->m->v, 0, U64_MAX);
	}
}

/* What was unmapped again counts too: the host keeps its tables. */
static void shadow_regions(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false, 0, 22);
	struct kviommu_gmem *g = &f->m->v.gmem;
	unsigned int i;

	g->max_regions = 3;
	add_hostdom(f, 0);
	for (i = 0; i < 8; i++) {
		map(f, 512 * (i % 3), 1, gpa_of(i), KVIOMMU_READ);
		unmap(f, 512 * (i % 3), 1);
	}
	KUNIT_EXPECT_EQ(test, g->nr_regions, 3);
	KUNIT_EXPECT_EQ(test, do_map(f, 1536, 1, 0, KVIOMMU_READ), -EDQUOT);
	KUNIT_EXPECT_EQ(test, do_map(f, 1535, 2, 0, KVIOMMU_READ), -EDQUOT);
	g->max_regions = 4;
	map(f, 1535, 2, 0, KVIOMMU_READ);
	KUNIT_EXPECT_EQ(test, g->nr_regions, 4);
	/* What was not mapped in the end does not count. */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			kviommu_shadow_map(&f->s, 0, 70ULL * SZ_2M - 1,
					   gpa_of(PAGES), KVIOMMU_READ));
	KUNIT_EXPECT_EQ(test, g->nr_regions, 4);
	/* More than one word of bits */
	g->max_regions = 70;
	for (i = 0; i < 80; i++)
		KUNIT_EXPECT_EQ(test, i < 66 ? 0 : -EDQUOT,
				kviommu_shadow_map(&f->s, i * (u64)SZ_2M,
						   i * (u64)SZ_2M + SZ_4K - 1,
						   gpa_of(i), KVIOMMU_READ));
	KUNIT_EXPECT_EQ(test, g->nr_regions, 70);
	KUNIT_EXPECT_EQ(test, 0, kviommu_shadow_unmap(&f->s, 0, 80ULL * SZ_2M));
	kviommu_shadow_flush(&f->s);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	unmap_all(f);
	remove_hostdom(f, 0);
	kviommu_shadow_destroy(&f->s);
	KUNIT_EXPECT_EQ(test, g->nr_regions, 0);
}

/* iommufd says "all" with U64_MAX bytes. */
static void shadow_drop_all(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 23);

	add_hostdom(f, 0);
	map(f, 0, 1, gpa_of(PAGES - 1), KVIOMMU_READ);
	kviommu_dma_unmap(&f->m->v, 0, gpa_of(PAGES) - 1);
	/* It is still there, so it comes back at once: but it was away. */
	KUNIT_EXPECT_TRUE(test, same(f, true));
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 1);
	unmap_all(f);
}

/* A part goes of a chunk that a single mapping has, and nothing else. */
static void shadow_drop_sole(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 21);
	unsigned int i;

	add_hostdom(f, 0);
	for (i = 0; i < 3; i++) {
		map(f, 0, 512, gpa_of(512), KVIOMMU_READ | KVIOMMU_WRITE);
		gone(f, 600 + i, 1 + 200 * i);
		KUNIT_EXPECT_TRUE(test, same(f, true));
		if (i)
			back(f, 600 + i, 1 + 200 * i, false);
		KUNIT_EXPECT_TRUE(test, same(f, true));
		unmap_all(f);
		if (f->m->v.gmem.demand)
			KUNIT_EXPECT_EQ(test, f->m->mem.pinned, 0);
		if (!i)
			back(f, 600, 1, false);
	}
}

/* A refill looks at no more than it may, and gets round nevertheless. */
static void shadow_refill_budget(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_SCATTERED, false, 0, 9);
	unsigned int i, absent;

	add_hostdom(f, 0);
	for (i = 0; i < 64; i++)
		map(f, 2 * i, 1, gpa_of(i), KVIOMMU_READ);
	gone(f, 0, 64);
	KUNIT_EXPECT_EQ(test, f->s.nr_absent, 64);
	mock_mem_hole(f->m, 0, gpa_of(64), false);
	for (i = 0; i < 8; i++) {
		absent = f->s.nr_absent;
		mock_refill(f->m, 8);
		KUNIT_EXPECT_EQ(test, f->s.nr_absent, absent - 8);
	}
	KUNIT_EXPECT_TRUE(test, same(f, true));
	KUNIT_EXPECT_TRUE(test, list_empty(&f->s.holes));
}

/*
 * Memory comes back, but not all that one mapping had: the mapping has what is
 * there. A few tries at a time, so that the search ends within the mapping.
 */
static void refill_parts(struct kunit *test, struct fixture *f)
{
	static const struct {
		unsigned int page, n;
	} holes[] = {
		{ 600, 1 }, { 0, 512 }, { 1000, 30 }, { PAGES - 1, 1 },
	};
	struct mock_pte *pte;
	struct mock_domain *d;
	unsigned int i, k;

	add_hostdom(f, 0);
	add_hostdom(f, 1);
	KUNIT_ASSERT_NOT_NULL(test, f->hostdom[0]);
	d = mock_domain(f->hostdom[0]->domain);
	map(f, 0, PAGES, 0, KVIOMMU_READ | KVIOMMU_WRITE);
	for (k = 0; k < ARRAY_SIZE(holes); k += (STEP + 1) / 2) {
		mock_mem_gone(f->m, 0, gpa_of(PAGES));
		mock_mem_hole(f->m, 0, gpa_of(PAGES), false);
		mock_mem_hole(f->m, gpa_of(holes[k].page), gpa_of(holes[k].n), true);
		for (i = 0; i < 8 * CHUNKS; i++)
			mock_refill(f->m, 2);
		KUNIT_EXPECT_TRUE(test, same(f, false));
		for (i = 0; i < PAGES; i++) {
			bool hole = i >= holes[k].page &&
				    i - holes[k].page < holes[k].n;

			pte = NULL;
			if (lookup(d, iova_of(f, i), &pte) == hole) {
				KUNIT_FAIL(test, "hole of %u at page %u: page %u is %s",
					   holes[k].n, holes[k].page, i,
					   hole ? "mapped" : "not mapped");
				break;
			}
		}
		mock_mem_hole(f->m, 0, gpa_of(PAGES), false);
		mock_refill(f->m, UINT_MAX);
		KUNIT_EXPECT_EQ(test, f->s.nr_absent, 0);
		KUNIT_EXPECT_EQ(test, f->s.nr_extents, 1);
		KUNIT_EXPECT_TRUE(test, same(f, true));
	}
	unmap_all(f);
}

static void shadow_refill_parts(struct kunit *test)
{
	refill_parts(test, fixture_config(test, 30));
}

/* The same at the end of all addresses */
static void shadow_refill_top(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 31);
	unsigned int k;

	for (k = 0; k < MOCK_IOMMUS; k++)
		f->m->iommus[k].last = U64_MAX;
	f->base = -gpa_of(PAGES);
	refill_parts(test, f);
}

/* The host fails while memory comes back: tried again later. */
static void shadow_refill_fails(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 10);
	unsigned int i;

	add_hostdom(f, 0);
	add_hostdom(f, 1);
	map(f, 0, 600, gpa_of(200), KVIOMMU_READ | KVIOMMU_WRITE);
	for (i = 1; i < 40; i += 9 * (STEP + 1) / 2) {
		gone(f, 100, 400);
		mock_mem_hole(f->m, gpa_of(100), gpa_of(400), false);
		f->m->fail_map = i;
		mock_refill(f->m, UINT_MAX);
		f->m->fail_map = 0;
		if (!same(f, false))
			return;
		mock_refill(f->m, UINT_MAX);
		KUNIT_EXPECT_EQ(test, f->s.nr_absent, 0);
		if (!same(f, true))
			return;
	}
}

/* A host domain that comes later has everything when it is attached. */
static void shadow_hostdom_late(struct kunit *test)
{
	struct fixture *f = fixture_config(test, 11);
	struct kviommu_hostdom *again;
	struct mock *m = f->m;
	unsigned int i, n = 0;

	map(f, 0, 700, gpa_of(100), KVIOMMU_READ);
	map(f, 800, 3, gpa_of(1025), KVIOMMU_WRITE);
	map(f, 900, 3, gpa_of(1900), KVIOMMU_READ);
	gone(f, 1900, 2);
	add_hostdom(f, 0);
	KUNIT_EXPECT_TRUE(test, same(f, true));

	/* The same IOMMU has the same one. */
	again = kviommu_hostdom_get(&f->s, mock_dev_dev(f->dev[0]), 0);
	KUNIT_EXPECT_PTR_EQ(test, again, f->hostdom[0]);
	KUNIT_EXPECT_EQ(test, again->groups, 2);
	kviommu_hostdom_put(again);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(m), 1);

	/* Another one that can't hold it: nothing is left of it. */
	for (i = 1; ; i += i < 6 ? 1 : 211) {
		m->fail_map = i;
		again = kviommu_hostdom_get(&f->s, mock_dev_dev(f->dev[1]), 0);
		if (m->fail_map)
			break;
		n++;
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(again), m->fail_map_rc);
		KUNIT_EXPECT_EQ(test, mock_nr_domains(m), 1);
		if (!same(f, true) || !IS_ERR(again))
			return;
	}
	m->fail_map = 0;
	KUNIT_EXPECT_GT(test, n, 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, again);
	f->hostdom[1] = again;
	KUNIT_EXPECT_TRUE(test, same(f, true));
	m->iommus[1].fail_alloc = 1;
	remove_hostdom(f, 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			PTR_ERR_OR_ZERO(kviommu_hostdom_get(&f->s,
							    mock_dev_dev(f->dev[1]), 0)));
	KUNIT_EXPECT_TRUE(test, same(f, true));
	unmap_all(f);
}

/* Drivers that know their page sizes at attach: filled then. */
static void shadow_hostdom_late_sizes(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_RUNS, false, 0, 12);
	struct iommu_group *group;
	struct mock_domain *d;

	f->m->iommus[0].late = true;
	mock_dev_own(f->dev[0]);
	group = mock_dev_dev(f->dev[0])->iommu_group;
	map(f, 0, 600, gpa_of(100), KVIOMMU_READ);
	add_hostdom(f, 0);
	KUNIT_ASSERT_NOT_NULL(test, f->hostdom[0]);
	d = mock_domain(f->hostdom[0]->domain);
	KUNIT_EXPECT_EQ(test, d->mapped, 0);
	/* Meanwhile the guest goes on. */
	KUNIT_EXPECT_EQ(test, 0, do_map(f, 700, 3, 0, KVIOMMU_WRITE));
	KUNIT_EXPECT_EQ(test, 0, do_unmap(f, 700, 3));
	map(f, 900, 3, 0, KVIOMMU_WRITE);

	f->m->fail_map = 20;
	KUNIT_EXPECT_EQ(test, -EIO, kviommu_hostdom_attach(f->hostdom[0], group));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(f->dev[0]));
	remove_hostdom(f, 0);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(f->m), 0);

	add_hostdom(f, 0);
	KUNIT_ASSERT_EQ(test, 0, kviommu_hostdom_attach(f->hostdom[0], group));
	KUNIT_EXPECT_PTR_EQ(test, f->dev[0]->domain, f->hostdom[0]->domain);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	map(f, 1000, 3, 0, KVIOMMU_READ);
	KUNIT_EXPECT_TRUE(test, same(f, true));
	kviommu_hostdom_detach(f->hostdom[0], group);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(f->dev[0]));
}

/* A coherent host's domains are, and they enforce it. */
static void shadow_hostdom_coherency(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_RUNS, false, 0, 13);
	struct kviommu_hostdom *h;
	struct mock_pte *pte;
	struct mock_dev *d;

	f->m->iommus[1].coherent = false;
	map(f, 0, 1, 0, KVIOMMU_READ);
	add_hostdom(f, 0);
	add_hostdom(f, 1);
	KUNIT_EXPECT_TRUE(test, mock_domain(f->hostdom[0]->domain)->enforced);
	KUNIT_EXPECT_FALSE(test, mock_domain(f->hostdom[1]->domain)->enforced);
	pte = mock_pte(mock_domain(f->hostdom[0]->domain), iova_of(f, 0));
	KUNIT_ASSERT_NOT_NULL(test, pte);
	KUNIT_EXPECT_EQ(test, pte->prot, IOMMU_READ | IOMMU_CACHE);
	pte = mock_pte(mock_domain(f->hostdom[1]->domain), iova_of(f, 0));
	KUNIT_ASSERT_NOT_NULL(test, pte);
	KUNIT_EXPECT_EQ(test, pte->prot, IOMMU_READ);

	/* A device that is not coherent can't share with one that is. */
	d = mock_add_dev(f->m, 0, NULL);
	d->incoherent = true;
	h = kviommu_hostdom_get(&f->s, mock_dev_dev(d), 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, h);
	KUNIT_EXPECT_PTR_NE(test, h, f->hostdom[0]);
	KUNIT_EXPECT_FALSE(test, mock_domain(h->domain)->enforced);
	pte = mock_pte(mock_domain(h->domain), iova_of(f, 0));
	KUNIT_EXPECT_NOT_NULL(test, pte);
	if (pte)
		KUNIT_EXPECT_EQ(test, pte->prot, IOMMU_READ);
	kviommu_hostdom_put(h);
}

/* The host loses a mapping: the shadow says so, and no device may use it. */
static void shadow_broken(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_RUNS, false, 0, 14);

	add_hostdom(f, 0);
	map(f, 0, 1, 0, KVIOMMU_READ);
	f->m->short_unmap = true;
	KUNIT_EXPECT_EQ(test, 0, do_unmap(f, 0, 1));
	kviommu_shadow_flush(&f->s);
	KUNIT_EXPECT_TRUE(test, f->s.broken);
	ref_unmap(f, 0, 1);
}

static void shadow_mapped(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_RUNS, false, 0, 15);
	unsigned int i, n, k;

	for (i = 0; i < 60; i++)
		map(f, mock_below(&f->rnd, 200), 1 + mock_below(&f->rnd, 4),
		    gpa_of(i), KVIOMMU_READ);
	for (i = 0; i < 200; i++) {
		for (n = 1; n < 12; n++) {
			struct kviommu_extent *e;

			KUNIT_EXPECT_EQ(test, !ref_free(f, i, n),
					kviommu_shadow_mapped(&f->s, iova_of(f, i),
							      iova_of(f, i + n) - 1));
			for (k = i; k < PAGES && !f->ref[k].id; k++)
				;
			e = kviommu_shadow_first(&f->s, iova_of(f, i));
			KUNIT_EXPECT_EQ(test, !e, k == PAGES);
			if (e) {
				KUNIT_EXPECT_LE(test, e->iova, iova_of(f, k));
				KUNIT_EXPECT_GE(test, e->last, iova_of(f, k));
			}
		}
	}
}

/* The highest and the lowest address. */
static void shadow_ends(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false, 0, 16);
	u64 top = f->m->iommus[0].last;

	add_hostdom(f, 0);
	KUNIT_EXPECT_EQ(test, 0, kviommu_shadow_map(&f->s, 0, PAGE_SIZE - 1, 0,
						    KVIOMMU_READ));
	KUNIT_EXPECT_EQ(test, 0, kviommu_shadow_map(&f->s, top - PAGE_SIZE + 1,
						    top, 0, KVIOMMU_READ));
	KUNIT_EXPECT_EQ(test, 0, kviommu_shadow_map(&f->s, PAGE_SIZE, SZ_2M - 1,
						    PAGE_SIZE, KVIOMMU_READ));
	KUNIT_EXPECT_TRUE(test, kviommu_shadow_mapped(&f->s, 0, 0));
	KUNIT_EXPECT_TRUE(test, kviommu_shadow_mapped(&f->s, top, top));
	KUNIT_EXPECT_TRUE(test, kviommu_shadow_mapped(&f->s, top, U64_MAX));
	KUNIT_EXPECT_FALSE(test, kviommu_shadow_mapped(&f->s, top + 1, U64_MAX));
	/* What the host can't hold is refused by it. */
	KUNIT_EXPECT_EQ(test, -ERANGE,
			kviommu_shadow_map(&f->s, top + 1, top + PAGE_SIZE, 0,
					   KVIOMMU_READ));
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 3);
	KUNIT_EXPECT_EQ(test, 0, kviommu_shadow_unmap(&f->s, 0, U64_MAX));
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 0);
	kviommu_shadow_flush(&f->s);
	KUNIT_EXPECT_EQ(test, mock_domain(f->hostdom[0]->domain)->mapped, 0);
}

/* ---- anything, in any order ---- */

static void random_map(struct fixture *f)
{
	struct rnd_state *rnd = &f->rnd;
	unsigned int n, first, gpa;
	u8 prot = 1 + mock_below(rnd, 3);

	switch (mock_below(rnd, 8)) {
	case 0:
		n = 512 * (1 + mock_below(rnd, 2));
		break;
	case 1:
		n = 1 + mock_below(rnd, 600);
		break;
	case 2 ... 4:
		n = 1 + mock_below(rnd, 20);
		break;
	default:
		n = 1;
	}
	first = mock_below(rnd, PAGES - n + 1);
	/* Sometimes beyond the end of memory. */
	gpa = mock_below(rnd, PAGES - n + (mock_below(rnd, 10) ? 1 : 9));
	if (n >= 512 && mock_below(rnd, 2)) {
		first &= ~511;
		gpa &= ~511;
	}
	if (!mock_below(rnd, 10)) {
		unsigned int nth = 1 + mock_below(rnd, 2 * n);
		int rc, want = ref_map(f, first, n, gpa_of(gpa), prot, false);

		f->m->fail_map = nth;
		rc = do_map(f, first, n, gpa_of(gpa), prot);
		if (f->m->fail_map)
			KUNIT_EXPECT_EQ(f->m->test, rc, want);
		else
			KUNIT_EXPECT_TRUE(f->m->test,
					  rc == f->m->fail_map_rc || rc == want);
		f->m->fail_map = 0;
		if (!rc)
			ref_map(f, first, n, gpa_of(gpa), prot, true);
		return;
	}
	map(f, first, n, gpa_of(gpa), prot);
}

static void random_unmap(struct fixture *f)
{
	unsigned int first = mock_below(&f->rnd, PAGES), end;
	u32 id = f->ref[first].id;

	end = first + 1;
	if (id && mock_below(&f->rnd, 8)) {
		/* A mapping of which a page was hit, and maybe what follows. */
		while (first && f->ref[first - 1].id == id)
			first--;
		while (end < PAGES && f->ref[end].id == id)
			end++;
		if (!mock_below(&f->rnd, 3))
			end += mock_below(&f->rnd, PAGES - end + 1);
	} else {
		end = first + 1 + mock_below(&f->rnd, min(300U, PAGES - first));
	}
	unmap(f, first, end - first);
}

static void random_memory(struct fixture *f)
{
	unsigned int n = 1 + mock_below(&f->rnd, 30), page, i;

	if (!mock_below(&f->rnd, 4))
		n = 1 + mock_below(&f->rnd, 1200);
	page = mock_below(&f->rnd, PAGES - n + 1);
	if (!mock_below(&f->rnd, 4)) {
		page &= ~511;
		n = 512;
	}
	gone(f, page, n);
	if (mock_below(&f->rnd, 2))
		back(f, page, n, !mock_below(&f->rnd, 5));
	/* Not too many holes, or nothing can be mapped any more. */
	if (!mock_below(&f->rnd, 6)) {
		for (i = 0; i < PAGES; i++)
			if (f->m->mem.pages[i].hole)
				back(f, i, 1, false);
	}
}

static void random_hostdom(struct fixture *f)
{
	unsigned int k = mock_below(&f->rnd, MOCK_IOMMUS);

	if (f->hostdom[k])
		remove_hostdom(f, k);
	else
		add_hostdom(f, k);
}

static void random_ops(struct kunit *test, u64 seed, unsigned int steps)
{
	struct fixture *f = fixture_config(test, seed);
	unsigned int i;

	for (i = 0; i < steps; i++) {
		bool memory = false;

		switch (mock_below(&f->rnd, 32)) {
		case 0 ... 14:
			random_map(f);
			break;
		case 15 ... 26:
			random_unmap(f);
			break;
		case 27 ... 28:
			random_memory(f);
			memory = true;
			break;
		case 29:
			random_hostdom(f);
			break;
		default:
			kviommu_flush_all(&f->m->v);
		}
		if ((memory || i % 32 == 31) && !same(f, true)) {
			kunit_err(test, "step %u\n", i);
			return;
		}
		cond_resched();
	}
	for (i = 0; i < PAGES; i++)
		if (f->m->mem.pages[i].hole)
			back(f, i, 1, false);
	unmap_all(f);
	KUNIT_EXPECT_EQ(test, f->s.nr_mappings, 0);
}

static void shadow_random(struct kunit *test)
{
	random_ops(test, 0x5eed0001, 600 / ((STEP + 1) / 2));
}

static void shadow_random_again(struct kunit *test)
{
	random_ops(test, 0x5eed0002, 600 / ((STEP + 1) / 2));
}

static struct kunit_case shadow_cases[] = {
	KUNIT_CASE(shadow_map_overlap),
	KUNIT_CASE_PARAM(shadow_unmap_sequences, unmap_gen_params),
	KUNIT_CASE(shadow_unmap_cut),
	KUNIT_CASE(shadow_map_bad_memory),
	KUNIT_CASE_PARAM(shadow_map_host_fails, config_gen_params),
	KUNIT_CASE_PARAM(shadow_map_pin_fails, config_gen_params),
	KUNIT_CASE(shadow_flush_gathered),
	KUNIT_CASE_PARAM(shadow_drop_parts, config_gen_params),
	KUNIT_CASE_PARAM(shadow_drop_exact, config_gen_params),
	KUNIT_CASE_PARAM(shadow_drop_sole, config_gen_params),
	KUNIT_CASE(shadow_regions),
	KUNIT_CASE_PARAM(shadow_drop_all, config_gen_params),
	KUNIT_CASE(shadow_refill_budget),
	KUNIT_CASE_PARAM(shadow_refill_parts, config_gen_params),
	KUNIT_CASE_PARAM(shadow_refill_top, config_gen_params),
	KUNIT_CASE_PARAM(shadow_refill_fails, config_gen_params),
	KUNIT_CASE_PARAM(shadow_hostdom_late, config_gen_params),
	KUNIT_CASE(shadow_hostdom_late_sizes),
	KUNIT_CASE(shadow_hostdom_coherency),
	KUNIT_CASE(shadow_broken),
	KUNIT_CASE(shadow_mapped),
	KUNIT_CASE(shadow_ends),
	KUNIT_CASE_PARAM_ATTR(shadow_random, config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(shadow_random_again, config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{ }
};

static struct kunit_suite shadow_suite = {
	.name = "kviommu_shadow",
	.exit = shadow_exit,
	.test_cases = shadow_cases,
};

kunit_test_suite(shadow_suite);
