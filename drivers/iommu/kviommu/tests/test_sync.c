// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sync: against a reference that has the guest's tables as an array of pages,
 * and knows for each what the shadow was last told. Each entry of a host page
 * table has a number of its own, so that it shows when one was replaced that
 * should have stayed.
 */
#include <linux/slab.h>

#include "mock.h"

/* The IOVA space that tests use, and guest memory; the rest of GPA is none */
#define PAGES		2048
#define CHUNKS		4
#define LARGE		9	/* 2M in pages, as a power of 2 */

/* A page of the guest's tables. @prot: 0: not mapped */
struct entry {
	u64 gpa;
	u8 prot;
	u8 order;
};

struct fixture {
	struct mock *m;
	struct kviommu_shadow s;
	bool inited;
	struct kviommu_hostdom *hostdom;
	struct kviommu_geometry geo;
	struct kviommu_resv resv[4];
	u64 base;
	struct entry table[PAGES];
	struct entry synced[PAGES];
	u64 serial[PAGES];
	u8 order[PAGES];	/* of the extent when the page was mapped */
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

static bool reserved(struct fixture *f, unsigned int i)
{
	return kviommu_geometry_reserved(&f->geo, iova_of(f, i),
					 iova_of(f, i + 1) - 1);
}

/* ---- the guest ---- */

/* Its large page becomes small ones that say the same. */
static void split_large(struct fixture *f, unsigned int i)
{
	unsigned int first = i & ~(BIT(LARGE) - 1), k;

	if (f->table[i].prot && f->table[i].order != PAGE_SHIFT)
		for (k = first; k < first + BIT(LARGE); k++)
			f->table[k].order = PAGE_SHIFT;
}

static void set_page(struct fixture *f, unsigned int i, u64 gpa, u8 prot)
{
	split_large(f, i);
	f->table[i] = (struct entry){ gpa, prot, PAGE_SHIFT };
}

static void set_large(struct fixture *f, unsigned int i, u64 gpa, u8 prot)
{
	unsigned int first = i & ~(BIT(LARGE) - 1), k;

	gpa &= ~(u64)(SZ_2M - 1);
	for (k = 0; k < BIT(LARGE); k++)
		f->table[first + k] = (struct entry){
			gpa + gpa_of(k), prot, PAGE_SHIFT + LARGE,
		};
}

static u64 some_gpa(struct fixture *f)
{
	/* Some beyond memory */
	return gpa_of(mock_below(&f->rnd, PAGES + 64));
}

static u8 some_prot(struct fixture *f)
{
	return 1 + mock_below(&f->rnd, 3);
}

/* Random changes, few or many, near each other or not */
static void mutate(struct fixture *f)
{
	unsigned int i = mock_below(&f->rnd, PAGES);
	unsigned int n = 1 + mock_below(&f->rnd, mock_below(&f->rnd, 4) ? 8 : 300);
	u64 gpa = some_gpa(f);
	u8 prot = some_prot(f);
	unsigned int k;

	n = min(n, PAGES - i);
	switch (mock_below(&f->rnd, 8)) {
	case 0:
		set_large(f, i, gpa, prot);
		break;
	case 1:
		set_large(f, i, gpa, 0);
		break;
	case 2:
		split_large(f, i);
		break;
	case 3:
	case 4:
		for (k = 0; k < n; k++)
			set_page(f, i + k, 0, 0);
		break;
	case 5:
		for (k = 0; k < n; k++)
			set_page(f, i + k, some_gpa(f), some_prot(f));
		break;
	default:
		for (k = 0; k < n; k++)
			set_page(f, i + k, gpa + gpa_of(k), prot);
	}
}

/* ---- the sync ---- */

static bool continues(const struct entry *a, const struct entry *b)
{
	return a->prot == b->prot && a->order == b->order &&
	       b->gpa == a->gpa + PAGE_SIZE;
}

/* A walk over pages [first, last], given up when the budget is used up. */
static int walk(struct fixture *f, struct kviommu_sync *y, unsigned int first,
		unsigned int last, bool merge)
{
	unsigned int i, end;
	int rc;

	for (i = first; i <= last; i = end + 1) {
		const struct entry *t = &f->table[i];
		struct kviommu_run run = {
			.iova = iova_of(f, i),
			.gpa = t->gpa,
			.prot = t->prot,
			.order = t->order,
		};

		end = i;
		if (!t->prot)
			continue;
		while (end < last && continues(&f->table[end], &f->table[end + 1]) &&
		       (merge || t->order != PAGE_SHIFT))
			end++;
		run.last = iova_of(f, end + 1) - 1;
		rc = kviommu_sync_run(y, &run);
		if (rc)
			return rc;
		KUNIT_EXPECT_EQ(f->m->test, y->next, run.last + 1);
	}
	return kviommu_sync_gap(y, iova_of(f, last + 1) - 1);
}

struct options {
	s64 budget;
	bool part;	/* keep runs of small pages apart */
};

static int sync_range(struct fixture *f, unsigned int first, unsigned int last,
		      const struct options *o, struct kviommu_sync *y)
{
	unsigned int rounds = 0, at = first;
	int rc;

	*y = (struct kviommu_sync){ .max_pieces = 1 << 20 };
	do {
		y->budget = o->budget;
		kviommu_sync_start(y, &f->s, &f->geo, iova_of(f, at));
		rc = walk(f, y, at, last, !o->part);
		KUNIT_ASSERT_GE(f->m->test, y->next, iova_of(f, at));
		KUNIT_ASSERT_LE(f->m->test, y->next, iova_of(f, last + 1));
		at = (y->next - f->base) >> PAGE_SHIFT;
		/* Each time at least one thing is done. */
		KUNIT_ASSERT_LT(f->m->test, rounds++, 20 * PAGES);
	} while (rc == -EAGAIN);
	return rc;
}

/* ---- checks ---- */

static void note(struct fixture *f)
{
	struct mock_domain *d = mock_domain(f->hostdom->domain);
	struct mock_pte *pte;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		pte = mock_pte(d, iova_of(f, i));
		f->serial[i] = pte ? pte->serial : 0;
	}
}

static bool equal(const struct entry *a, const struct entry *b)
{
	return a->prot == b->prot && (!a->prot || a->gpa == b->gpa);
}

static bool fits(struct fixture *f, unsigned int i)
{
	const struct entry *e = &f->synced[i];

	return e->prot && !reserved(f, i) &&
	       mock_mem_fits(f->m, e->gpa, e->prot & KVIOMMU_WRITE);
}

/* Does the extent at a page say what the shadow was told, and the host too? */
static bool page_is_right(struct fixture *f, unsigned int i)
{
	struct mock_domain *d = mock_domain(f->hostdom->domain);
	struct mock_pte *pte = mock_pte(d, iova_of(f, i));
	const struct entry *t = &f->synced[i];
	struct kviommu_extent *e;
	int prot;

	e = kviommu_shadow_first(&f->s, iova_of(f, i));
	if (e && e->iova > iova_of(f, i))
		e = NULL;
	if (!t->prot || reserved(f, i))
		return !e && !pte;
	if (!e || e->prot != t->prot ||
	    e->gpa + (iova_of(f, i) - e->iova) != t->gpa)
		return false;
	if (!fits(f, i))
		return e->absent && !pte;
	if (e->absent || !pte)
		return false;
	prot = (t->prot & KVIOMMU_READ ? IOMMU_READ : 0) |
	       (t->prot & KVIOMMU_WRITE ? IOMMU_WRITE : 0) | IOMMU_CACHE;
	return pte->prot == prot &&
	       pte->pa + (iova_of(f, i) - pte->iova) ==
	       page_to_phys(f->m->mem.pages[t->gpa >> PAGE_SHIFT].page);
}

static bool check(struct fixture *f)
{
	struct kunit *test = f->m->test;
	u64 pieces = 0, nr = 0, mappings = 0, absent = 0;
	struct kviommu_extent *e, *prev = NULL;
	unsigned int i;

	kviommu_shadow_flush(&f->s);
	for (i = 0; i < PAGES; i++) {
		if (page_is_right(f, i))
			continue;
		e = kviommu_shadow_first(&f->s, iova_of(f, i));
		KUNIT_FAIL(test, "IOVA 0x%llx (GPA 0x%llx, prot %u) is wrong",
			   iova_of(f, i), f->synced[i].gpa, f->synced[i].prot);
		if (e)
			kunit_info(test, "0x%llx-0x%llx, GPA 0x%llx, prot %u, absent %u\n",
				   e->iova, e->last, e->gpa, e->prot, e->absent);
		return false;
	}
	for (e = kviommu_shadow_first(&f->s, 0); e; e = kviommu_extent_next(e)) {
		nr++;
		mappings += !e->joined;
		absent += e->absent;
		pieces += kviommu_shadow_pieces(e->gpa, e->last - e->iova + 1);
		if (e->joined)
			KUNIT_EXPECT_TRUE(test, prev &&
					  prev->last + 1 == e->iova &&
					  prev->gpa + (e->iova - prev->iova) ==
					  e->gpa && prev->prot == e->prot);
		prev = e;
	}
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, nr);
	KUNIT_EXPECT_EQ(test, f->s.nr_mappings, mappings);
	KUNIT_EXPECT_EQ(test, f->s.nr_absent, absent);
	KUNIT_EXPECT_EQ(test, f->m->v.gmem.pieces, pieces);
	KUNIT_EXPECT_EQ(test, f->m->v.gmem.pinned, f->m->mem.pinned);
	KUNIT_EXPECT_EQ(test, list_empty(&f->s.holes), !absent);
	KUNIT_EXPECT_FALSE(test, f->s.broken);
	return test->status == KUNIT_SUCCESS;
}

static bool in_changed_large(struct fixture *f, const bool *changed,
			     unsigned int i)
{
	unsigned int first = i & ~(BIT(LARGE) - 1), k;

	for (k = first; k < first + BIT(LARGE); k++)
		if (changed[k])
			return true;
	return false;
}

/*
 * Sync a range, and see that the shadow is as the tables are, and that nothing
 * was touched that had not changed. @hitless: of what is known to be mapped by
 * small entries, and of large pages of which nothing changed.
 */
static bool sync(struct fixture *f, unsigned int first, unsigned int last,
		 const struct options *o)
{
	struct mock_domain *d = mock_domain(f->hostdom->domain);
	static bool changed[PAGES];
	struct kviommu_sync y;
	struct mock_pte *pte;
	unsigned int i;
	int rc;

	note(f);
	for (i = 0; i < PAGES; i++)
		changed[i] = i >= first && i <= last &&
			     !equal(&f->synced[i], &f->table[i]);
	rc = sync_range(f, first, last, o, &y);
	if (rc) {
		KUNIT_FAIL(f->m->test, "it ended with %d", rc);
		return false;
	}
	for (i = first; i <= last; i++)
		f->synced[i] = f->table[i];
	if (!check(f))
		return false;
	for (i = 0; i < PAGES; i++) {
		pte = mock_pte(d, iova_of(f, i));
		if (!changed[i] && f->serial[i] && pte &&
		    pte->serial != f->serial[i] &&
		    (f->order[i] == PAGE_SHIFT ||
		     !in_changed_large(f, changed, i))) {
			KUNIT_FAIL(f->m->test, "IOVA 0x%llx was replaced",
				   iova_of(f, i));
			return false;
		}
		if (pte && pte->serial != f->serial[i])
			f->order[i] = changed[i] ? f->table[i].order :
						   PAGE_SHIFT;
	}
	/* Again, and it is all as it should be. */
	rc = sync_range(f, first, last, o, &y);
	KUNIT_EXPECT_EQ(f->m->test, 0, rc);
	KUNIT_EXPECT_EQ(f->m->test, 0, y.mapped);
	KUNIT_EXPECT_EQ(f->m->test, 0, y.unmapped);
	return f->m->test->status == KUNIT_SUCCESS;
}

/* ---- life ---- */

static struct fixture *fixture_create(struct kunit *test,
				      enum mock_layout layout, bool demand,
				      u64 page_sizes, u64 seed)
{
	struct fixture *f;
	struct mock *m;

	m = mock_create(test, &mock_shadow_model);
	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	mock_seed(test, &f->rnd, seed);
	f->m = m;
	m->v.model_priv = &f->s;
	mock_mem_create(m, CHUNKS, layout, &f->rnd);
	m->v.gmem.demand = demand;
	kviommu_shadow_init(&f->s, &m->v.gmem);
	f->inited = true;
	f->base = 0x40000000;
	m->v.memory = true;
	m->iommus[0].page_sizes = page_sizes;
	f->geo.resv = f->resv;
	f->hostdom = kviommu_hostdom_get(&f->s,
					 mock_dev_dev(mock_add_dev(m, 0, NULL)), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->hostdom));
	return f;
}

static void sync_exit(struct kunit *test)
{
	struct mock *m = test->priv;
	struct fixture *f = m && m->v.model_priv ?
		container_of(m->v.model_priv, struct fixture, s) : NULL;

	if (f && f->inited) {
		if (!IS_ERR_OR_NULL(f->hostdom))
			kviommu_hostdom_put(f->hostdom);
		kviommu_shadow_destroy(&f->s);
		KUNIT_EXPECT_EQ(test, f->s.nr_extents, 0);
	}
	mock_destroy(m);
}

static const struct options plain = { .budget = S64_MAX };

/* ---- the rules one by one ---- */

static void sync_large_page(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false,
					   SZ_4K | SZ_2M, 1);
	struct mock_domain *d = mock_domain(f->hostdom->domain);
	struct mock_pte *pte;
	unsigned int i;

	/* A large page of the guest is one of the host, */
	set_large(f, 0, SZ_2M, 3);
	/* and small ones are not, though they could be. */
	for (i = 512; i < 1024; i++)
		set_page(f, i, SZ_4M + gpa_of(i - 512), 3);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	pte = mock_pte(d, iova_of(f, 7));
	KUNIT_EXPECT_EQ(test, pte->size, SZ_2M);
	for (i = 512; i < 1024; i++)
		KUNIT_EXPECT_EQ(test, mock_pte(d, iova_of(f, i))->size, SZ_4K);

	/* So that one of them can go alone. */
	set_page(f, 700, 0, 0);
	KUNIT_ASSERT_TRUE(test, sync(f, 700, 700, &plain));
	set_page(f, 512, 0, 0);
	set_page(f, 1023, gpa_of(3), 1);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));

	/* Split by the guest without a change, and then with one. */
	split_large(f, 0);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	KUNIT_EXPECT_EQ(test, mock_pte(d, iova_of(f, 7))->size, SZ_2M);
	set_page(f, 100, 0, 0);
	KUNIT_ASSERT_TRUE(test, sync(f, 100, 100, &plain));
	KUNIT_EXPECT_NULL(test, mock_pte(d, iova_of(f, 100)));
	KUNIT_EXPECT_EQ(test, mock_pte(d, iova_of(f, 101))->size, SZ_4K);
	/* From now on they are small. */
	set_page(f, 101, 0, 0);
	KUNIT_ASSERT_TRUE(test, sync(f, 101, 101, &plain));
}

/* Only what is in the range is looked at. */
static void sync_scope(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_SCATTERED, false,
					   SZ_4K | SZ_2M, 2);
	unsigned int i;

	for (i = 0; i < 100; i++)
		set_page(f, i, gpa_of(i), 3);
	KUNIT_ASSERT_TRUE(test, sync(f, 10, 19, &plain));
	KUNIT_EXPECT_EQ(test, 10 << PAGE_SHIFT,
			mock_domain(f->hostdom->domain)->mapped);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	for (i = 0; i < 100; i++)
		set_page(f, i, gpa_of(200 + i), 1);
	KUNIT_ASSERT_TRUE(test, sync(f, 50, 50, &plain));
	KUNIT_ASSERT_TRUE(test, sync(f, 0, 0, &plain));
	KUNIT_ASSERT_TRUE(test, sync(f, 98, 200, &plain));
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
}

/* What devices must not have mapped is left out of any run. */
static void sync_reserved(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false,
					   SZ_4K | SZ_2M, 3);
	static const unsigned int pages[][2] = {
		{ 0, 0 }, { 10, 19 }, { 511, 513 }, { 1100, 1600 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		f->resv[i] = (struct kviommu_resv){
			.first = iova_of(f, pages[i][0]),
			.last = iova_of(f, pages[i][1] + 1) - 1,
		};
	f->geo.nr_resv = ARRAY_SIZE(pages);
	for (i = 0; i < PAGES; i++)
		set_page(f, i, gpa_of(i), 3);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	set_large(f, 512, 0, 3);
	set_large(f, 1024, SZ_4M, 3);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	KUNIT_ASSERT_TRUE(test, sync(f, 12, 15, &plain));
}

/* What was refused last */
static struct {
	u64 first;
	u64 last;
	int why;
} told;

static void tell(struct kviommu_sync *y, u64 first, u64 last, int why)
{
	told.first = first;
	told.last = last;
	told.why = why;
}

/* What is beyond the quota is left out, and nothing else. */
static void sync_quota(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_SCATTERED, false,
					   SZ_4K | SZ_2M, 4);
	struct kviommu_sync y = {
		.max_pieces = 10, .budget = S64_MAX, .refused = tell,
	};
	struct mock_domain *d = mock_domain(f->hostdom->domain);
	unsigned int i;

	for (i = 0; i < 20; i++)
		set_page(f, 2 * i, gpa_of(i), 3);
	kviommu_sync_start(&y, &f->s, &f->geo, f->base);
	KUNIT_EXPECT_EQ(test, 0, walk(f, &y, 0, PAGES - 1, true));
	KUNIT_EXPECT_EQ(test, f->s.nr_extents, 10);
	KUNIT_EXPECT_EQ(test, f->s.pieces, 10);
	KUNIT_EXPECT_EQ(test, y.nr_refused, 10);
	KUNIT_EXPECT_EQ(test, told.first, iova_of(f, 38));
	KUNIT_EXPECT_EQ(test, told.last, iova_of(f, 39) - 1);
	KUNIT_EXPECT_EQ(test, told.why, -EDQUOT);
	KUNIT_EXPECT_NOT_NULL(test, mock_pte(d, iova_of(f, 18)));
	KUNIT_EXPECT_NULL(test, mock_pte(d, iova_of(f, 20)));
	/* One goes, and what comes first of the others takes its place. */
	set_page(f, 4, 0, 0);
	kviommu_sync_start(&y, &f->s, &f->geo, f->base);
	KUNIT_EXPECT_EQ(test, 0, walk(f, &y, 0, PAGES - 1, true));
	KUNIT_EXPECT_NULL(test, mock_pte(d, iova_of(f, 4)));
	KUNIT_EXPECT_NOT_NULL(test, mock_pte(d, iova_of(f, 20)));
	KUNIT_EXPECT_NULL(test, mock_pte(d, iova_of(f, 22)));
	/* All in one, which is more than all of the quota */
	for (i = 0; i < PAGES; i++)
		set_page(f, i, gpa_of(i), 3);
	y.max_pieces = 3;
	kviommu_sync_start(&y, &f->s, &f->geo, f->base);
	KUNIT_EXPECT_EQ(test, 0, walk(f, &y, 0, PAGES - 1, true));
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	KUNIT_EXPECT_EQ(test, f->s.pieces, f->m->v.gmem.pieces);
}

/* A hole makes one extent two: where that is too many, all of it goes. */
static void sync_quota_holes(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_CONTIGUOUS, false,
					   SZ_4K | SZ_2M, 4);
	struct kviommu_sync y = {
		.max_pieces = 64, .budget = S64_MAX, .refused = tell,
	};
	struct mock_domain *d = mock_domain(f->hostdom->domain);
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		set_page(f, i, gpa_of(i), 3);
	kviommu_sync_start(&y, &f->s, &f->geo, f->base);
	KUNIT_EXPECT_EQ(test, 0, walk(f, &y, 0, PAGES - 1, true));
	for (i = 1; i < PAGES; i += 2)
		set_page(f, i, 0, 0);
	for (i = 1; i < PAGES; i += 2) {
		kviommu_sync_start(&y, &f->s, &f->geo, iova_of(f, i));
		KUNIT_EXPECT_EQ(test, 0, walk(f, &y, i, i, true));
		kviommu_shadow_flush(&f->s);
		KUNIT_ASSERT_LE(test, f->s.pieces, 64);
		KUNIT_ASSERT_NULL(test, mock_pte(d, iova_of(f, i)));
	}
	KUNIT_EXPECT_GT(test, y.nr_refused, 0);
	/* Without a quota it is all there again, in parts. */
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	/* A domain that may have less now than it has loses what it unmaps. */
	y.max_pieces = 1;
	y.max_cut = U64_MAX;
	for (i = 0; i < PAGES; i++)
		set_page(f, i, gpa_of(i), 3);
	KUNIT_ASSERT_TRUE(test, sync(f, 0, PAGES - 1, &plain));
	set_page(f, 100, 0, 0);
	kviommu_sync_start(&y, &f->s, &f->geo, iova_of(f, 100));
	KUNIT_EXPECT_EQ(test, 0, walk(f, &y, 100, 100, true));
	kviommu_shadow_flush(&f->s);
	KUNIT_EXPECT_NULL(test, mock_pte(d, iova_of(f, 100)));
	KUNIT_EXPECT_NOT_NULL(test, mock_pte(d, iova_of(f, 99)));
	KUNIT_EXPECT_NOT_NULL(test, mock_pte(d, iova_of(f, 101)));
}

/* A host that fails leaves a shadow that the next sync can bring in line. */
static void sync_host_fails(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_RUNS, false,
					   SZ_4K | SZ_2M, 5);
	struct kviommu_sync y;
	unsigned int i, n;
	int rc;

	for (n = 1; n < 200; n += 7) {
		for (i = 0; i < 20; i++)
			mutate(f);
		f->m->fail_map = n;
		rc = sync_range(f, 0, PAGES - 1, &plain, &y);
		if (f->m->fail_map)
			KUNIT_EXPECT_EQ(test, 0, rc);
		f->m->fail_map = 0;
		rc = sync_range(f, 0, PAGES - 1, &plain, &y);
		KUNIT_EXPECT_EQ(test, 0, rc);
		memcpy(f->synced, f->table, sizeof(f->synced));
		/* A part of a large page may wait for the next refill. */
		mock_refill(f->m, UINT_MAX);
		KUNIT_ASSERT_TRUE(test, check(f));
	}
}

/* ---- random ---- */

static const struct config {
	const char *name;
	enum mock_layout layout;
	bool demand;
	u64 page_sizes;
	struct options o;
} configs[] = {
	{ "cache contiguous", MOCK_CONTIGUOUS, false, SZ_4K | SZ_2M,
	  { S64_MAX } },
	{ "cache scattered, small budget", MOCK_SCATTERED, false, SZ_4K | SZ_2M,
	  { 1 } },
	{ "cache runs, all sizes", MOCK_RUNS, false, PAGE_MASK,
	  { 5, true } },
	{ "cache contiguous, all sizes", MOCK_CONTIGUOUS, false, PAGE_MASK,
	  { S64_MAX, true } },
	{ "demand contiguous", MOCK_CONTIGUOUS, true, SZ_4K | SZ_2M,
	  { 20, true } },
	{ "demand runs, all sizes", MOCK_RUNS, true, PAGE_MASK,
	  { S64_MAX } },
	{ "demand scattered, 4K", MOCK_SCATTERED, true, SZ_4K,
	  { 3 } },
};

KUNIT_ARRAY_PARAM_DESC(config, configs, name);

static void sync_random(struct kunit *test)
{
	const struct config *c = test->param_value;
	unsigned int rounds = IS_ENABLED(CONFIG_KASAN) ? 15 : 300, i, n;
	struct fixture *f;

	f = fixture_create(test, c->layout, c->demand, c->page_sizes,
			   c - configs);
	/* Some holes, and read-only memory, in what is guest memory */
	mock_mem_hole(f->m, gpa_of(600), gpa_of(3), true);
	mock_mem_readonly(f->m, gpa_of(1500), gpa_of(50), true);
	f->resv[0] = (struct kviommu_resv){
		iova_of(f, 333), iova_of(f, 344) - 1, true,
	};
	f->geo.nr_resv = 1;
	for (i = 0; i < rounds; i++) {
		unsigned int a = mock_below(&f->rnd, PAGES);
		unsigned int b = mock_below(&f->rnd, PAGES);

		for (n = mock_below(&f->rnd, 12); n; n--)
			mutate(f);
		if (!mock_below(&f->rnd, 3)) {
			a = 0;
			b = PAGES - 1;
		}
		if (!sync(f, min(a, b), max(a, b), &c->o)) {
			kunit_info(test, "round %u\n", i);
			return;
		}
	}
}

/* Memory goes and comes between the syncs. */
static void sync_memory(struct kunit *test)
{
	struct fixture *f = fixture_create(test, MOCK_RUNS, false,
					   SZ_4K | SZ_2M, 77);
	unsigned int rounds = IS_ENABLED(CONFIG_KASAN) ? 8 : 100, i, n, gpa;
	struct kviommu_sync y;

	for (i = 0; i < rounds; i++) {
		for (n = 0; n < 5; n++)
			mutate(f);
		KUNIT_EXPECT_EQ(test, 0, sync_range(f, 0, PAGES - 1, &plain, &y));
		memcpy(f->synced, f->table, sizeof(f->synced));
		mock_refill(f->m, UINT_MAX);
		KUNIT_ASSERT_TRUE(test, check(f));

		gpa = mock_below(&f->rnd, PAGES - 100);
		n = 1 + mock_below(&f->rnd, 100);
		mock_mem_gone(f->m, gpa_of(gpa), gpa_of(n));
		KUNIT_ASSERT_TRUE(test, check(f));
		mutate(f);
		KUNIT_EXPECT_EQ(test, 0, sync_range(f, 0, PAGES - 1, &plain, &y));
		memcpy(f->synced, f->table, sizeof(f->synced));
		KUNIT_ASSERT_TRUE(test, check(f));
		mock_mem_hole(f->m, gpa_of(gpa), gpa_of(n), false);
		mock_refill(f->m, UINT_MAX);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(sync_large_page),
	KUNIT_CASE(sync_scope),
	KUNIT_CASE(sync_reserved),
	KUNIT_CASE(sync_quota),
	KUNIT_CASE(sync_quota_holes),
	KUNIT_CASE(sync_host_fails),
	KUNIT_CASE_PARAM(sync_random, config_gen_params),
	KUNIT_CASE(sync_memory),
	{}
};

static struct kunit_suite suite = {
	.name = "kviommu_sync",
	.exit = sync_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
