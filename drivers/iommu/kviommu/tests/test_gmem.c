// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: what is pinned when, and that every unpin names what was
 * pinned, which the mock checks.
 */
#include <linux/slab.h>

#include "mock.h"

#define CHUNKS	4
#define CHUNK	KVIOMMU_CHUNK_SIZE

static int model_init(struct kviommu *v)
{
	return 0;
}

static void model_nothing(struct kviommu *v)
{
}

static void model_for_each(struct kviommu *v, kviommu_shadow_fn fn, void *arg)
{
}

static const struct kviommu_model test_model = {
	.name = "test",
	.init = model_init,
	.exit = model_nothing,
	.close = model_nothing,
	.for_each_shadow = model_for_each,
};

static struct mock *create(struct kunit *test, enum mock_layout layout,
			   bool demand)
{
	struct mock *m = mock_create(test, &test_model);
	struct rnd_state rnd;

	mock_seed(test, &rnd, 0x6e6d);
	mock_mem_create(m, CHUNKS, layout, &rnd);
	m->v.gmem.demand = demand;
	return m;
}

static void gmem_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

/* kviommu_gmem_get() must succeed and pin so many bytes more. */
static struct kviommu_chunk *get(struct mock *m, u64 gpa, size_t len, bool write,
				 u64 more)
{
	u64 before = m->mem.pinned;
	struct kviommu_chunk *c;

	c = kviommu_gmem_get(&m->v.gmem, gpa, len, write);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, c);
	KUNIT_EXPECT_EQ(m->test, m->mem.pinned, before + more);
	KUNIT_EXPECT_EQ(m->test, m->v.gmem.pinned, m->mem.pinned);
	return c;
}

/* It must fail and change nothing. */
static void get_fails(struct mock *m, u64 gpa, size_t len, bool write, int want)
{
	u64 before = m->mem.pinned;
	struct kviommu_chunk *c;

	c = kviommu_gmem_get(&m->v.gmem, gpa, len, write);
	KUNIT_EXPECT_EQ(m->test, want, PTR_ERR_OR_ZERO(c));
	if (m->v.gmem.demand)
		KUNIT_EXPECT_EQ(m->test, m->mem.pinned, before);
	KUNIT_EXPECT_EQ(m->test, m->v.gmem.pinned, m->mem.pinned);
}

static void put(struct mock *m, u64 gpa, size_t len, u64 left)
{
	kviommu_gmem_put(&m->v.gmem, gpa, len);
	KUNIT_EXPECT_EQ(m->test, m->mem.pinned, left);
	KUNIT_EXPECT_EQ(m->test, m->v.gmem.pinned, left);
}

/* The runs of a range must be what the pages are. @single: one page each */
static void check_runs(struct mock *m, struct kviommu_chunk *c, u64 gpa,
		       size_t len, bool single)
{
	phys_addr_t pa, want, end = 0;
	bool first = true;
	u64 off = 0, at;
	size_t n;

	while (off < len) {
		n = kviommu_gmem_run(c, gpa + off, len - off, &pa);
		KUNIT_ASSERT_GT(m->test, n, 0);
		KUNIT_ASSERT_LE(m->test, n, len - off);
		if (single)
			KUNIT_EXPECT_EQ(m->test, n, PAGE_SIZE);
		for (at = 0; at < n; at += PAGE_SIZE) {
			want = page_to_phys(m->mem.pages[(gpa + off + at) >>
							 PAGE_SHIFT].page);
			KUNIT_ASSERT_EQ(m->test, pa + at, want);
		}
		/* A run ends only where the memory does. */
		if (!first && !single)
			KUNIT_EXPECT_NE(m->test, pa, end);
		end = pa + n;
		first = false;
		off += n;
	}
}

static bool no_chunks(struct mock *m)
{
	return xa_empty(&m->v.gmem.chunks);
}

static void gmem_whole_contiguous(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, false);
	struct kviommu_chunk *c, *again;
	phys_addr_t pa;

	c = get(m, CHUNK + 5 * PAGE_SIZE, PAGE_SIZE, false, CHUNK);
	KUNIT_EXPECT_EQ(test, m->mem.nr_pins, 1);
	again = get(m, CHUNK, CHUNK, true, 0);
	KUNIT_EXPECT_PTR_EQ(test, c, again);
	KUNIT_EXPECT_EQ(test, CHUNK, kviommu_gmem_run(c, CHUNK, CHUNK, &pa));
	check_runs(m, c, CHUNK, CHUNK, false);
	check_runs(m, c, CHUNK + 7 * PAGE_SIZE, 9 * PAGE_SIZE, false);
	/* Pins are cached until the memory goes. */
	put(m, CHUNK + 5 * PAGE_SIZE, PAGE_SIZE, CHUNK);
	put(m, CHUNK, CHUNK, CHUNK);
	get(m, CHUNK, PAGE_SIZE, true, 0);
	put(m, CHUNK, PAGE_SIZE, CHUNK);
	kviommu_gmem_release(&m->v.gmem, CHUNK + 17, CHUNK + 17);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static void gmem_whole_scattered(struct kunit *test)
{
	struct mock *m = create(test, MOCK_SCATTERED, false);
	struct kviommu_chunk *c = get(m, 0, PAGE_SIZE, true, CHUNK);

	check_runs(m, c, 0, CHUNK, false);
	put(m, 0, PAGE_SIZE, CHUNK);
}

static void gmem_whole_runs(struct kunit *test)
{
	struct mock *m = create(test, MOCK_RUNS, false);
	struct kviommu_chunk *c = get(m, 3 * CHUNK, PAGE_SIZE, true, CHUNK);
	phys_addr_t pa;

	check_runs(m, c, 3 * CHUNK, CHUNK, false);
	check_runs(m, c, 3 * CHUNK + 3 * PAGE_SIZE, 30 * PAGE_SIZE, false);
	/* There must be one, or nothing was tested. */
	KUNIT_EXPECT_GT(test, kviommu_gmem_run(c, 3 * CHUNK, CHUNK, &pa), PAGE_SIZE);
	KUNIT_EXPECT_LT(test, kviommu_gmem_run(c, 3 * CHUNK, CHUNK, &pa), CHUNK);
	put(m, 3 * CHUNK, PAGE_SIZE, CHUNK);
}

static void gmem_no_memory(struct kunit *test)
{
	struct mock *m = create(test, MOCK_RUNS, false);

	get_fails(m, CHUNKS * CHUNK, PAGE_SIZE, false, -ENOENT);
	get_fails(m, U64_MAX & PAGE_MASK, PAGE_SIZE, false, -ENOENT);
	mock_mem_hole(m, 0, CHUNK, true);
	get_fails(m, 0, CHUNK, false, -ENOENT);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
	m->mem.fail_pin = 2;
	get_fails(m, 0, PAGE_SIZE, false, -ENOMEM);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static void gmem_pages_of_chunk_with_hole(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, false);
	struct kviommu_chunk *c;

	mock_mem_hole(m, 10 * PAGE_SIZE, PAGE_SIZE, true);
	c = get(m, 0, 10 * PAGE_SIZE, true, 10 * PAGE_SIZE);
	/* One by one, since they may go one by one. */
	check_runs(m, c, 0, 10 * PAGE_SIZE, true);
	get(m, 5 * PAGE_SIZE, 5 * PAGE_SIZE, false, 0);
	get(m, 11 * PAGE_SIZE, 3 * PAGE_SIZE, false, 3 * PAGE_SIZE);
	get_fails(m, 8 * PAGE_SIZE, 3 * PAGE_SIZE, true, -ENOENT);
	get_fails(m, 10 * PAGE_SIZE, PAGE_SIZE, true, -ENOENT);
	put(m, 0, 10 * PAGE_SIZE, 13 * PAGE_SIZE);
	put(m, 5 * PAGE_SIZE, 5 * PAGE_SIZE, 13 * PAGE_SIZE);
	/* Part of it goes; the rest is in use and stays. */
	kviommu_gmem_release(&m->v.gmem, 2 * PAGE_SIZE, 4 * PAGE_SIZE - 1);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 11 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, m->mem.pages[1].pins, 1);
	KUNIT_EXPECT_EQ(test, m->mem.pages[2].pins, 0);
	KUNIT_EXPECT_EQ(test, m->mem.pages[3].pins, 0);
	KUNIT_EXPECT_EQ(test, m->mem.pages[4].pins, 1);
	get(m, PAGE_SIZE, 3 * PAGE_SIZE, true, 2 * PAGE_SIZE);
	put(m, PAGE_SIZE, 3 * PAGE_SIZE, 13 * PAGE_SIZE);
	put(m, 11 * PAGE_SIZE, 3 * PAGE_SIZE, 13 * PAGE_SIZE);
	kviommu_gmem_release(&m->v.gmem, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static void gmem_readonly(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, false);
	u64 ro = CHUNK + 20 * PAGE_SIZE;

	mock_mem_readonly(m, ro, 2 * PAGE_SIZE, true);
	get(m, ro, PAGE_SIZE, false, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, m->mem.pages[ro >> PAGE_SHIFT].ro_pins, 1);
	/* Known to be read-only, and not known. */
	get_fails(m, ro, PAGE_SIZE, true, -EPERM);
	get_fails(m, ro + PAGE_SIZE, PAGE_SIZE, true, -EPERM);
	get_fails(m, CHUNK, 21 * PAGE_SIZE, true, -EPERM);
	/* Its neighbours are pinned to be written, whoever comes first. */
	get(m, ro + 2 * PAGE_SIZE, PAGE_SIZE, false, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, m->mem.pages[(ro >> PAGE_SHIFT) + 2].ro_pins, 0);
	get(m, ro + 2 * PAGE_SIZE, PAGE_SIZE, true, 0);
	put(m, ro, PAGE_SIZE, m->mem.pinned);
	put(m, ro + 2 * PAGE_SIZE, PAGE_SIZE, m->mem.pinned);
	put(m, ro + 2 * PAGE_SIZE, PAGE_SIZE, m->mem.pinned);
	kviommu_gmem_release(&m->v.gmem, CHUNK, 2 * CHUNK - 1);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
	/* Other memory at the same place: what was known is forgotten. */
	mock_mem_readonly(m, ro, 2 * PAGE_SIZE, false);
	mock_mem_hole(m, CHUNK, PAGE_SIZE, true);
	get(m, ro, PAGE_SIZE, true, PAGE_SIZE);
	put(m, ro, PAGE_SIZE, PAGE_SIZE);
}

static void gmem_demand_pages(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, true);

	get(m, 0, 4 * PAGE_SIZE, true, 4 * PAGE_SIZE);
	get(m, 2 * PAGE_SIZE, 4 * PAGE_SIZE, false, 2 * PAGE_SIZE);
	put(m, 0, 4 * PAGE_SIZE, 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, m->mem.pages[1].pins, 0);
	KUNIT_EXPECT_EQ(test, m->mem.pages[2].pins, 1);
	get(m, 3 * PAGE_SIZE, PAGE_SIZE, false, 0);
	put(m, 2 * PAGE_SIZE, 4 * PAGE_SIZE, PAGE_SIZE);
	mock_mem_hole(m, 2 * PAGE_SIZE, PAGE_SIZE, true);
	get_fails(m, 0, 4 * PAGE_SIZE, false, -ENOENT);
	put(m, 3 * PAGE_SIZE, PAGE_SIZE, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static void gmem_demand_whole(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, true);
	struct kviommu_chunk *c;

	c = get(m, CHUNK, CHUNK, true, CHUNK);
	KUNIT_EXPECT_EQ(test, m->mem.nr_pins, 1);
	check_runs(m, c, CHUNK, CHUNK, false);
	/* A page of what is pinned whole. */
	get(m, CHUNK, PAGE_SIZE, true, 0);
	put(m, CHUNK, CHUNK, CHUNK);
	put(m, CHUNK, PAGE_SIZE, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
	/* All of what is pinned by pages. */
	get(m, CHUNK, PAGE_SIZE, true, PAGE_SIZE);
	get(m, CHUNK, CHUNK, true, CHUNK - PAGE_SIZE);
	put(m, CHUNK, PAGE_SIZE, CHUNK);
	put(m, CHUNK, CHUNK, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static void gmem_split(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, true);

	get(m, 0, CHUNK, true, CHUNK);
	kviommu_gmem_split(&m->v.gmem, 5 * PAGE_SIZE);
	put(m, 0, 5 * PAGE_SIZE, CHUNK);
	put(m, 5 * PAGE_SIZE, CHUNK - 5 * PAGE_SIZE, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static void busy(struct mock *m, u64 first, u64 last, bool want, u64 want_first,
		 u64 want_last)
{
	u64 f = first, l = last;

	KUNIT_EXPECT_EQ_MSG(m->test, want, kviommu_gmem_busy(&m->v.gmem, &f, &l),
			    "0x%llx-0x%llx", first, last);
	KUNIT_EXPECT_EQ_MSG(m->test, f, want_first, "0x%llx-0x%llx", first, last);
	KUNIT_EXPECT_EQ_MSG(m->test, l, want_last, "0x%llx-0x%llx", first, last);
}

static void gmem_busy(struct kunit *test)
{
	struct mock *m = create(test, MOCK_CONTIGUOUS, false);

	/* Chunk 1 is whole, chunk 2 by pages, chunks 0 and 3 nothing. */
	mock_mem_hole(m, 2 * CHUNK, PAGE_SIZE, true);
	busy(m, 0, U64_MAX, false, 0, U64_MAX);
	get(m, CHUNK, PAGE_SIZE, true, CHUNK);
	get(m, 3 * CHUNK - PAGE_SIZE, PAGE_SIZE, true, PAGE_SIZE);

	busy(m, 0, CHUNK - 1, false, 0, CHUNK - 1);
	busy(m, 0, CHUNK, true, 0, 2 * CHUNK - 1);
	busy(m, CHUNK + 5, CHUNK + 5, true, CHUNK, 2 * CHUNK - 1);
	busy(m, 2 * CHUNK - 1, 2 * CHUNK, true, CHUNK, 2 * CHUNK);
	busy(m, 2 * CHUNK, 2 * CHUNK + 9, true, 2 * CHUNK, 2 * CHUNK + 9);
	busy(m, 3 * CHUNK - 1, 3 * CHUNK, true, 3 * CHUNK - 1, 3 * CHUNK);
	busy(m, 3 * CHUNK, U64_MAX, false, 3 * CHUNK, U64_MAX);
	busy(m, 0, U64_MAX, true, 0, U64_MAX);

	put(m, CHUNK, PAGE_SIZE, CHUNK + PAGE_SIZE);
	busy(m, CHUNK + 5, CHUNK + 5, false, CHUNK, 2 * CHUNK - 1);
	put(m, 3 * CHUNK - PAGE_SIZE, PAGE_SIZE, CHUNK + PAGE_SIZE);
	busy(m, 0, U64_MAX, false, 0, U64_MAX);
}

static void gmem_window(struct kunit *test)
{
	struct mock *m = create(test, MOCK_SCATTERED, false);
	struct kviommu_gmem *g = &m->v.gmem;
	struct kviommu_window w, other;
	unsigned int i;

	/* Two bytes less than three pages, over the end of a chunk. */
	kviommu_window_init(&w, CHUNK - PAGE_SIZE + 1, 3 * PAGE_SIZE - 2);
	kviommu_window_put(g, &w);
	KUNIT_ASSERT_EQ(test, 0, kviommu_window_get(g, &w));
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, g->pinned, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, kviommu_window_get(g, &w));
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 3 * PAGE_SIZE);
	for (i = 0; i < 3 * PAGE_SIZE - 2; i += 97) {
		*(u8 *)mock_mem_ptr(m, w.gpa + i) = i + 1;
		KUNIT_EXPECT_EQ(test, *(u8 *)(w.va + i), (u8)(i + 1));
		*(u8 *)(w.va + i) = 0x7f;
		KUNIT_EXPECT_EQ(test, *(u8 *)mock_mem_ptr(m, w.gpa + i), 0x7f);
	}

	/* The pin of the window and that of a chunk are two. */
	get(m, CHUNK, PAGE_SIZE, true, CHUNK);
	put(m, CHUNK, PAGE_SIZE, CHUNK + 3 * PAGE_SIZE);
	kviommu_window_init(&other, 3 * CHUNK, 16);
	KUNIT_EXPECT_EQ(test, 0, kviommu_window_get(g, &other));

	/* Not touched by what goes away beside it. */
	kviommu_gmem_release(g, 0, CHUNK - PAGE_SIZE - 1);
	kviommu_gmem_release(g, CHUNK + 2 * PAGE_SIZE, CHUNK + 2 * PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, w.va);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 4 * PAGE_SIZE);
	/* But by a byte of its pages. */
	kviommu_gmem_release(g, CHUNK + 2 * PAGE_SIZE - 1,
			     CHUNK + 2 * PAGE_SIZE - 1);
	KUNIT_EXPECT_NULL(test, w.va);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, kviommu_window_get(g, &w));
	kviommu_window_put(g, &w);
	kviommu_window_put(g, &w);
	kviommu_gmem_release(g, 0, U64_MAX);
	KUNIT_EXPECT_NULL(test, other.va);
	KUNIT_EXPECT_EQ(test, g->pinned, 0);
}

static void gmem_window_bad(struct kunit *test)
{
	struct mock *m = create(test, MOCK_SCATTERED, false);
	struct kviommu_gmem *g = &m->v.gmem;
	struct kviommu_window w;

	mock_mem_hole(m, 2 * PAGE_SIZE, PAGE_SIZE, true);
	mock_mem_readonly(m, 5 * PAGE_SIZE, PAGE_SIZE, true);
	kviommu_window_init(&w, 0, 2 * PAGE_SIZE + 1);
	KUNIT_EXPECT_EQ(test, -ENOENT, kviommu_window_get(g, &w));
	KUNIT_EXPECT_NULL(test, w.va);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
	/* The device writes what it works on in place. */
	kviommu_window_init(&w, 5 * PAGE_SIZE, 16);
	KUNIT_EXPECT_EQ(test, -EPERM, kviommu_window_get(g, &w));
	kviommu_window_init(&w, U64_MAX - 15, 17);
	KUNIT_EXPECT_EQ(test, -EFAULT, kviommu_window_get(g, &w));
	kviommu_window_init(&w, CHUNKS * CHUNK - 16, 32);
	KUNIT_EXPECT_EQ(test, -ENOENT, kviommu_window_get(g, &w));
	KUNIT_EXPECT_EQ(test, g->pinned, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&g->windows));
}

static const bool both[] = { false, true };

static void describe_demand(const bool *demand, char *desc)
{
	strscpy(desc, *demand ? "demand" : "cache", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(demand, both, describe_demand);

static void gmem_copy(struct kunit *test)
{
	bool demand = *(const bool *)test->param_value;
	struct mock *m = create(test, MOCK_SCATTERED, demand);
	struct kviommu_gmem *g = &m->v.gmem;
	size_t max = 3 * PAGE_SIZE, len;
	struct rnd_state rnd;
	unsigned int round;
	u8 *buf, *want;
	u64 gpa;

	mock_seed(test, &rnd, 0xc0b1);
	/* So that a chunk is by pages. */
	mock_mem_hole(m, 2 * CHUNK - PAGE_SIZE, PAGE_SIZE, true);
	buf = kunit_kzalloc(test, max, GFP_KERNEL);
	want = kunit_kzalloc(test, max, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_NOT_NULL(test, want);
	for (round = 0; round < 100; round++) {
		len = mock_below(&rnd, max + 1);
		gpa = mock_below(&rnd, 2 * CHUNK - PAGE_SIZE - len);
		if (round & 1)
			gpa = 2 * CHUNK + mock_below(&rnd, 2 * CHUNK - len + 1);
		prandom_bytes_state(&rnd, buf, len);
		memcpy(want, buf, len);
		KUNIT_ASSERT_EQ(test, 0, kviommu_gmem_copy(g, gpa, buf, len, true));
		memset(buf, 0, len);
		mock_mem_rw(m, gpa, buf, len, false);
		KUNIT_EXPECT_EQ(test, 0, memcmp(buf, want, len));
		memset(buf, 0, len);
		KUNIT_ASSERT_EQ(test, 0, kviommu_gmem_copy(g, gpa, buf, len, false));
		KUNIT_EXPECT_EQ(test, 0, memcmp(buf, want, len));
	}
	KUNIT_EXPECT_EQ(test, g->pinned, m->mem.pinned);
	if (demand)
		KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
}

static void gmem_copy_bad(struct kunit *test)
{
	bool demand = *(const bool *)test->param_value;
	struct mock *m = create(test, MOCK_SCATTERED, demand);
	struct kviommu_gmem *g = &m->v.gmem;
	u64 ro = 9 * PAGE_SIZE;
	u8 buf[32] = { 1 };

	mock_mem_hole(m, PAGE_SIZE, PAGE_SIZE, true);
	mock_mem_readonly(m, ro, PAGE_SIZE, true);
	KUNIT_EXPECT_NE(test, 0, kviommu_gmem_copy(g, PAGE_SIZE, buf, 1, false));
	KUNIT_EXPECT_NE(test, 0, kviommu_gmem_copy(g, PAGE_SIZE - 16, buf, 17, false));
	KUNIT_EXPECT_NE(test, 0, kviommu_gmem_copy(g, 2 * PAGE_SIZE - 1, buf, 2, false));
	KUNIT_EXPECT_EQ(test, 0, kviommu_gmem_copy(g, PAGE_SIZE - 16, buf, 16, false));
	KUNIT_EXPECT_EQ(test, 0, kviommu_gmem_copy(g, PAGE_SIZE, buf, 0, false));

	KUNIT_EXPECT_EQ(test, 0, kviommu_gmem_copy(g, ro, buf, 8, false));
	KUNIT_EXPECT_EQ(test, -EPERM, kviommu_gmem_copy(g, ro, buf, 8, true));
	KUNIT_EXPECT_EQ(test, -EPERM, kviommu_gmem_copy(g, ro - 4, buf, 8, true));
	KUNIT_EXPECT_EQ(test, 0, *(u8 *)mock_mem_ptr(m, ro));

	KUNIT_EXPECT_EQ(test, -EFAULT,
			kviommu_gmem_copy(g, U64_MAX - 3, buf, 8, false));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			kviommu_gmem_copy(g, U64_MAX - 3, buf, 8, true));
	KUNIT_EXPECT_NE(test, 0, kviommu_gmem_copy(g, CHUNKS * CHUNK - 4, buf, 8,
						   true));
	/* Looking at what is no memory leaves nothing behind. */
	KUNIT_EXPECT_NE(test, 0, kviommu_gmem_copy(g, 77 * CHUNK, buf, 8, false));
	KUNIT_EXPECT_NULL(test, xa_load(&g->chunks, 77));
}

/*
 * Gets and puts of random ranges, and memory that goes away where no get holds
 * it; the reference is a counter for each page.
 */
static void gmem_random(struct kunit *test)
{
	bool demand = *(const bool *)test->param_value;
	struct mock *m = create(test, MOCK_RUNS, demand);
	struct {
		u64 gpa;
		size_t len;
	} held[64] = {};
	unsigned int i, k, round, pages = CHUNKS * KVIOMMU_CHUNK_PAGES;
	struct rnd_state rnd;
	u32 *refs;

	mock_seed(test, &rnd, 0x9e75);
	refs = kunit_kcalloc(test, pages, sizeof(*refs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, refs);
	for (i = 0; i < 40; i++) {
		mock_mem_hole(m, PAGE_SIZE * (u64)mock_below(&rnd, pages / 2),
			      PAGE_SIZE, true);
		mock_mem_readonly(m, PAGE_SIZE * (u64)mock_below(&rnd, pages / 2),
				  PAGE_SIZE, true);
	}
	for (round = 0; round < 2000; round++) {
		struct kviommu_chunk *c;
		bool write, fits = true;
		unsigned int n, page;

		k = mock_below(&rnd, ARRAY_SIZE(held));
		if (held[k].len) {
			kviommu_gmem_put(&m->v.gmem, held[k].gpa, held[k].len);
			for (i = 0; i < held[k].len >> PAGE_SHIFT; i++)
				refs[(held[k].gpa >> PAGE_SHIFT) + i]--;
			held[k].len = 0;
			continue;
		}
		n = mock_below(&rnd, 12) ? 1 + mock_below(&rnd, 8) :
					   1 + mock_below(&rnd, 64);
		if (!mock_below(&rnd, 50))
			n = 512;
		page = 512 * mock_below(&rnd, CHUNKS) + mock_below(&rnd, 513 - n);
		write = mock_below(&rnd, 2);
		for (i = page; i < page + n; i++)
			fits &= mock_mem_fits(m, (u64)i << PAGE_SHIFT, write);
		c = kviommu_gmem_get(&m->v.gmem, (u64)page << PAGE_SHIFT,
				     n * PAGE_SIZE, write);
		KUNIT_EXPECT_EQ(test, !IS_ERR(c), fits);
		if (!IS_ERR(c)) {
			held[k].gpa = (u64)page << PAGE_SHIFT;
			held[k].len = n * PAGE_SIZE;
			for (i = page; i < page + n; i++)
				refs[i]++;
		}
		KUNIT_EXPECT_EQ(test, m->v.gmem.pinned, m->mem.pinned);
		for (i = page; i < page + n; i++) {
			if (refs[i] && !m->mem.pages[i].pins)
				KUNIT_FAIL(test, "page %u is held, not pinned", i);
			if (m->mem.pages[i].pins > 1)
				KUNIT_FAIL(test, "page %u is pinned twice", i);
		}
		if (test->status != KUNIT_SUCCESS) {
			kunit_err(test, "round %u\n", round);
			break;
		}
	}
	for (k = 0; k < ARRAY_SIZE(held); k++)
		if (held[k].len)
			kviommu_gmem_put(&m->v.gmem, held[k].gpa, held[k].len);
	if (demand) {
		KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
		KUNIT_EXPECT_TRUE(test, no_chunks(m));
	}
	kviommu_gmem_release(&m->v.gmem, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
	KUNIT_EXPECT_TRUE(test, no_chunks(m));
}

static struct kunit_case gmem_cases[] = {
	KUNIT_CASE(gmem_whole_contiguous),
	KUNIT_CASE(gmem_whole_scattered),
	KUNIT_CASE(gmem_whole_runs),
	KUNIT_CASE(gmem_no_memory),
	KUNIT_CASE(gmem_pages_of_chunk_with_hole),
	KUNIT_CASE(gmem_readonly),
	KUNIT_CASE(gmem_demand_pages),
	KUNIT_CASE(gmem_demand_whole),
	KUNIT_CASE(gmem_split),
	KUNIT_CASE(gmem_busy),
	KUNIT_CASE(gmem_window),
	KUNIT_CASE(gmem_window_bad),
	KUNIT_CASE_PARAM(gmem_copy, demand_gen_params),
	KUNIT_CASE_PARAM(gmem_copy_bad, demand_gen_params),
	KUNIT_CASE_PARAM(gmem_random, demand_gen_params),
	{ }
};

static struct kunit_suite gmem_suite = {
	.name = "kviommu_gmem",
	.exit = gmem_exit,
	.test_cases = gmem_cases,
};

kunit_test_suite(gmem_suite);
