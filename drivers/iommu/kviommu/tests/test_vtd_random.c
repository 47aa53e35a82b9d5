// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d's page tables, at random: what walks and single translations say of them
 * and mark in them, against a reference that does nothing but follow one address
 * through the specification, bit by bit.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "mock.h"
#include "table_mem.h"
#include "vtd/tables.h"

#define R		KVIOMMU_READ
#define W		KVIOMMU_WRITE

#define PAGES		24
#define ENTRIES		512
#define RUNS		1024

/* So many addresses of a round are looked up, at most. */
#define LOOKUPS		1000

struct guest {
	struct table_mem mem;
	struct vtd_view view;
	struct vtd_key key;
	struct rnd_state rnd;
	__le64 (*pages)[ENTRIES];	/* those of the walker */
	__le64 (*copy)[ENTRIES];	/* those of the reference */
	struct kviommu_run runs[RUNS];
	struct kviommu_run expected[RUNS];
	DECLARE_BITMAP(seen, 256);	/* faults */
};

static u64 page_gpa(unsigned int page)
{
	return (page + 1) * VTD_PAGE_SIZE;
}

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct guest *g = container_of(m, struct guest, mem);
	u64 page = gpa / VTD_PAGE_SIZE - 1;

	return page < PAGES ? g->pages[page] : NULL;
}

/* ---- the reference ---- */

/*
 * What is said of an address, and of all others in the same 2^@shift bytes.
 * @size: of the page, likewise. Neither @fault, nor read nor written: @hole is
 * why.
 */
struct answer {
	u8 fault;
	u8 hole;
	bool read;
	bool write;
	u64 gpa;
	unsigned int shift;
	unsigned int size;
};

/* How a request is made. @marks: it leaves marks */
struct query {
	struct guest *g;
	bool marks;
	bool write;
};

static bool bit(u64 value, unsigned int n)
{
	return value >> n & 1;
}

static bool is_scalable(const struct guest *g)
{
	return FIELD_GET(VTD_RTADDR_TTM, g->view.rtaddr) == 1;
}

static __le64 *ref_word(struct guest *g, u64 gpa)
{
	u64 page = gpa / VTD_PAGE_SIZE - 1;

	return page < PAGES ? &g->copy[page][gpa % VTD_PAGE_SIZE / 8] : NULL;
}

static unsigned int ref_shift(unsigned int level)
{
	return 3 + 9 * level;
}

static u64 ref_keep(u64 addr, unsigned int shift)
{
	return addr >> shift << shift;
}

static unsigned int ref_ss_width(const struct guest *g)
{
	unsigned int mgaw = FIELD_GET(VTD_CAP_MGAW, g->view.cap) + 1;

	return min(mgaw, ref_shift(g->key.ss_levels + 1));
}

/* 3.7: the list of reserved bits */
static bool ref_ss_reserved(struct guest *g, unsigned int level, bool page,
			    unsigned int n)
{
	if (n >= g->view.haw && n <= 51)
		return true;
	switch (n) {
	case 62:
		return true;
	case 11:
		return !page || !(g->view.ecap & VTD_ECAP_SC);
	case 7:
		return level >= 4 ||
		       (level == 3 && !(g->view.cap & VTD_CAP_SSLPS_1G)) ||
		       (level == 2 && !(g->view.cap & VTD_CAP_SSLPS_2M));
	}
	return page && n >= 12 && n < ref_shift(level);
}

/* 3.6 */
static bool ref_fs_reserved(struct guest *g, unsigned int level, bool page,
			    unsigned int n)
{
	if (n >= g->view.haw && n <= 51)
		return true;
	if (n == 7)
		return level >= 4 ||
		       (level == 3 && !(g->view.cap & VTD_CAP_FS1GP));
	return page && n >= 13 && n < ref_shift(level);
}

/* 3.6.2, 3.7.2, 3.10: set a bit, if it is to be */
static u8 ref_mark(const struct query *q, __le64 *word, unsigned int n,
		   bool writable, u8 nosnoop)
{
	if (bit(le64_to_cpu(*word), n))
		return 0;
	if (!(q->g->key.flags & VTD_KEY_PWSNP))
		return nosnoop;
	if (!q->marks)
		return 0;
	if (!writable)
		return VTD_FAULT_FS_TABLE_WRITE;
	*word |= cpu_to_le64(BIT_ULL(n));
	return 0;
}

static struct answer ref_second(const struct query *q, u64 table,
				unsigned int level, u64 addr, bool read,
				bool write)
{
	struct answer a = { .shift = ref_shift(level + 1) };
	struct guest *g = q->g;
	bool root = level == g->key.ss_levels, sm = is_scalable(g);
	__le64 *word;
	unsigned int n;
	bool page;
	u64 e;

	word = ref_word(g, table + 8 * (addr >> ref_shift(level) & 511));
	if (!word) {
		if (sm)
			a.fault = root ? VTD_FAULT_SS_ROOT_ACCESS :
					 VTD_FAULT_SS_ACCESS;
		else
			a.fault = root ? VTD_FAULT_L_CTX_INVALID :
					 VTD_FAULT_L_SS_ACCESS;
		return a;
	}
	e = le64_to_cpu(*word);
	a.shift = ref_shift(level);
	read &= bit(e, 0);
	write &= bit(e, 1);
	if (!read && !write)
		return a;
	page = level == 1 || (level <= 3 && bit(e, 7));
	for (n = 0; n < 64; n++)
		if (bit(e, n) && ref_ss_reserved(g, level, page, n))
			a.fault = sm ? VTD_FAULT_SS_RSVD : VTD_FAULT_L_SS_RSVD;
	if (a.fault)
		return a;
	if (g->key.flags & VTD_KEY_SSADE) {
		a.fault = ref_mark(q, word, 8, true, VTD_FAULT_SS_AD_NOSNOOP);
		if (!a.fault && page && write && q->write)
			a.fault = ref_mark(q, word, 9, true,
					   VTD_FAULT_SS_AD_NOSNOOP);
		if (a.fault)
			return a;
	}
	if (!page)
		return ref_second(q, ref_keep(e & (BIT_ULL(52) - 1), 12),
				  level - 1, addr, read, write);
	a.read = read;
	a.write = write;
	a.size = a.shift;
	a.gpa = ref_keep(e & (BIT_ULL(52) - 1), a.shift) |
		(addr & (BIT_ULL(a.shift) - 1));
	return a;
}

static struct answer ref_second_root(const struct query *q, u64 addr)
{
	return ref_second(q, q->g->key.ssptptr, q->g->key.ss_levels, addr, true,
			  true);
}

/* The page of a first-stage entry: 3.8 */
static struct answer ref_nested(const struct query *q, struct answer first)
{
	struct query data = { q->g, q->marks, q->write && first.write };
	struct answer a = {};

	if (first.gpa >> ref_ss_width(q->g))
		a.fault = VTD_FAULT_FS_ADDR_WIDTH;
	else
		a = ref_second_root(&data, first.gpa);
	if (!a.shift || a.shift > first.shift)
		a.shift = first.shift;
	a.size = a.shift;
	a.read &= first.read;
	a.write &= first.write;
	return a;
}

static struct answer ref_first(const struct query *q, u64 table,
			       unsigned int level, u64 addr, bool rw, bool us)
{
	struct answer a = { .shift = ref_shift(level + 1) };
	struct guest *g = q->g;
	bool root = level == g->key.fs_levels;
	bool super = g->key.flags & VTD_KEY_SUPERVISOR;
	bool ssade = g->key.flags & VTD_KEY_SSADE;
	bool page, writable = true;
	unsigned int n;
	__le64 *word;
	u64 e;

	if (g->key.ss_levels) {
		struct query access = { g, q->marks, ssade };
		struct answer where;

		if (table >> ref_ss_width(g)) {
			a.fault = VTD_FAULT_FS_ADDR_WIDTH;
			return a;
		}
		where = ref_second_root(&access, table);
		if (where.fault) {
			a.fault = where.fault;
			return a;
		}
		if (!where.read || (ssade && !where.write)) {
			a.fault = root ? VTD_FAULT_FS_ROOT_READ :
					 VTD_FAULT_FS_TABLE_READ;
			return a;
		}
		table = where.gpa;
		writable = where.write;
	}
	word = ref_word(g, table + 8 * (addr >> ref_shift(level) & 511));
	if (!word) {
		a.fault = root ? VTD_FAULT_FS_ROOT_ACCESS : VTD_FAULT_FS_ACCESS;
		return a;
	}
	e = le64_to_cpu(*word);
	a.shift = ref_shift(level);
	if (!bit(e, 0)) {
		a.hole = VTD_FAULT_FS_NP;
		return a;
	}
	rw &= bit(e, 1);
	us &= bit(e, 2);
	if (!us && !super) {
		a.hole = VTD_FAULT_PRIVILEGE;
		return a;
	}
	page = level == 1 || (level <= 3 && bit(e, 7));
	for (n = 0; n < 64; n++)
		if (bit(e, n) && ref_fs_reserved(g, level, page, n))
			a.fault = VTD_FAULT_FS_RSVD;
	if (a.fault)
		return a;
	a.read = page;
	a.write = page && (rw || (super && !(g->key.flags & VTD_KEY_WPE)));
	a.fault = ref_mark(q, word, 5, writable, VTD_FAULT_FS_AD_NOSNOOP);
	if (!a.fault && g->key.flags & VTD_KEY_EAFE)
		a.fault = ref_mark(q, word, 10, writable,
				   VTD_FAULT_FS_AD_NOSNOOP);
	if (!a.fault && a.write && q->write)
		a.fault = ref_mark(q, word, 6, writable,
				   VTD_FAULT_FS_AD_NOSNOOP);
	if (a.fault) {
		a.read = false;
		a.write = false;
		return a;
	}
	if (!page)
		return ref_first(q, ref_keep(e & (BIT_ULL(52) - 1), 12),
				 level - 1, addr, rw, us);
	a.size = a.shift;
	a.gpa = ref_keep(e & (BIT_ULL(52) - 1), a.shift) |
		(addr & (BIT_ULL(a.shift) - 1));
	return g->key.ss_levels ? ref_nested(q, a) : a;
}

/* One address. Not one of interrupts, nor one that no table is for */
static struct answer ref_translate(const struct query *q, u64 addr)
{
	struct guest *g = q->g;
	struct answer a;
	u64 first;

	if (g->key.fs_levels)
		a = ref_first(q, g->key.fsptptr, g->key.fs_levels, addr, true,
			      true);
	else
		a = ref_second_root(q, addr);
	if (a.fault || (!a.read && !a.write))
		return a;
	/* 3.15; what is said of a large page is not said of these. */
	if (a.gpa >> 20 == 0xfee)
		a.fault = is_scalable(g) ? VTD_FAULT_INTERRUPT :
					   VTD_FAULT_L_INTERRUPT;
	first = ref_keep(a.gpa, a.shift);
	if (first <= 0xfeefffff && first + BIT_ULL(a.shift) > 0xfee00000)
		a.shift = min(a.shift, 20);
	return a;
}

/* ---- random tables ---- */

static u64 random_bits(struct guest *g, unsigned int n)
{
	u64 value = (u64)prandom_u32_state(&g->rnd) << 32 |
		    prandom_u32_state(&g->rnd);

	return value & GENMASK_ULL(n - 1, 0);
}

static bool chance(struct guest *g, unsigned int n)
{
	return !mock_below(&g->rnd, n);
}

/* Most tables are here, at each level. */
static unsigned int hot_index(struct guest *g)
{
	static const unsigned int hot[] = { 0, 1, 2, 3, 255, 256, 510, 511 };

	return hot[mock_below(&g->rnd, ARRAY_SIZE(hot))];
}

static u64 random_target(struct guest *g, unsigned int shift)
{
	u64 gpa;

	switch (mock_below(&g->rnd, 8)) {
	case 0:
		gpa = 0xfee00000 - SZ_1M + random_bits(g, 22);
		break;
	case 1:
		gpa = random_bits(g, g->view.haw);
		break;
	case 2:
		gpa = random_bits(g, 32);
		break;
	default:
		gpa = random_bits(g, 23);
	}
	return ref_keep(gpa, shift);
}

/* For both formats at once */
static u64 random_flags(struct guest *g)
{
	u64 flags = VTD_FS_P | VTD_FS_RW | VTD_FS_US | VTD_FS_A | VTD_FS_D |
		    VTD_FS_EA | VTD_SS_A | VTD_SS_D;

	if (chance(g, 6))
		flags &= VTD_FS_P | VTD_FS_RW | VTD_FS_US;
	while (chance(g, 3))
		flags &= ~BIT_ULL(mock_below(&g->rnd, 11));
	if (chance(g, 8))
		flags |= BIT_ULL(52 + mock_below(&g->rnd, 10));
	return flags;
}

static void random_page(struct guest *g, __le64 *page)
{
	unsigned int i, n, first;
	u64 value;

	memset(page, 0, VTD_PAGE_SIZE);
	for (n = 0; n < 3; n++) {
		value = random_target(g, 12) | random_flags(g);
		first = mock_below(&g->rnd, ENTRIES);
		for (i = first; i < min(first + mock_below(&g->rnd, 48), ENTRIES);
		     i++, value += VTD_PAGE_SIZE)
			page[i] = cpu_to_le64(value);
	}
	for (n = 0; n < 8; n++)
		page[hot_index(g)] =
			cpu_to_le64(page_gpa(mock_below(&g->rnd, PAGES)) |
				    random_flags(g));
	for (n = 0; n < 3; n++)
		page[hot_index(g)] =
			cpu_to_le64(random_target(g, 21 + 9 * mock_below(&g->rnd, 2)) |
				    random_flags(g) | VTD_PTE_PS);
	for (n = 0; n < 3; n++)
		page[mock_below(&g->rnd, ENTRIES)] ^=
			cpu_to_le64(BIT_ULL(mock_below(&g->rnd, 64)));
}

/*
 * Second-stage tables that lead to where the first stage's tables are, most
 * times, and to what is above them.
 */
static void nested_pages(struct guest *g)
{
	unsigned int level, i;
	u64 flags = random_flags(g) | VTD_SS_R | VTD_SS_W;

	for (level = g->key.ss_levels; level > 1; level--)
		g->pages[level - 1][0] = cpu_to_le64(page_gpa(level - 2) | flags);
	for (i = 1; i < 4; i++)
		g->pages[1][i] = cpu_to_le64(random_target(g, 21) | VTD_PTE_PS |
					     random_flags(g));
	g->key.ssptptr = page_gpa(g->key.ss_levels - 1);
	for (i = 0; i < ENTRIES; i++) {
		u64 gpa = i <= PAGES ? i * VTD_PAGE_SIZE : random_target(g, 12);

		if (i > PAGES && chance(g, 2))
			continue;
		flags = random_flags(g);
		if (i <= PAGES && !chance(g, 8)) {
			flags |= VTD_SS_R | VTD_SS_W;
			if (chance(g, 3))
				flags &= ~VTD_SS_W;
		}
		g->pages[0][i] = cpu_to_le64(gpa | flags);
	}
}

static void random_view(struct guest *g)
{
	u64 cap = random_bits(g, 64), ecap = random_bits(g, 64);

	g->view.te = true;
	g->view.haw = 39 + mock_below(&g->rnd, 14);
	g->view.cap = cap & (VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G |
			     VTD_CAP_FS1GP);
	if (chance(g, 2))
		g->view.cap |= VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G;
	g->view.cap |= FIELD_PREP(VTD_CAP_MGAW, chance(g, 4) ?
				  30 + mock_below(&g->rnd, 34) : 56);
	g->view.ecap = ecap & VTD_ECAP_SC;
}

static void random_tables(struct guest *g, bool first, bool second)
{
	struct vtd_key *key = &g->key;
	unsigned int i;

	random_view(g);
	memset(key, 0, sizeof(*key));
	for (i = 0; i < PAGES; i++)
		random_page(g, g->pages[i]);
	g->view.rtaddr = FIELD_PREP(VTD_RTADDR_TTM, first || chance(g, 2));
	if (first) {
		key->fs_levels = 4 + mock_below(&g->rnd, 2);
		key->fsptptr = page_gpa(mock_below(&g->rnd, PAGES));
		if (chance(g, 4))
			key->flags |= VTD_KEY_SUPERVISOR;
		if (key->flags && chance(g, 2))
			key->flags |= VTD_KEY_WPE;
		if (chance(g, 4))
			key->flags |= VTD_KEY_EAFE;
	}
	if (second) {
		key->ss_levels = 3 + mock_below(&g->rnd, 3);
		key->ssptptr = page_gpa(mock_below(&g->rnd, PAGES));
		if (is_scalable(g) && !chance(g, 4))
			key->flags |= VTD_KEY_SSADE;
	}
	if (first && second)
		nested_pages(g);
	if (vtd_key_marks(key) && !chance(g, 4))
		key->flags |= VTD_KEY_PWSNP;
	memcpy(g->copy, g->pages, PAGES * VTD_PAGE_SIZE);
}

/* An address that has a table, most times, and the last one of its half */
static u64 random_address(struct guest *g, u64 *limit)
{
	unsigned int levels = g->key.fs_levels ?: g->key.ss_levels, level;
	unsigned int width = ref_shift(levels + 1);
	u64 addr = 0;

	for (level = levels; level; level--)
		addr = addr << 9 | (level == 1 || chance(g, 8) ?
				    mock_below(&g->rnd, ENTRIES) : hot_index(g));
	addr <<= 12;
	if (!g->key.fs_levels) {
		*limit = BIT_ULL(ref_ss_width(g)) - 1;
	} else if (bit(addr, width - 1)) {
		addr |= ~(BIT_ULL(width) - 1);
		*limit = U64_MAX;
	} else {
		*limit = BIT_ULL(width - 1) - 1;
	}
	return min(addr, *limit) & PAGE_MASK;
}

/* ---- the comparison ---- */

/* Append, and join what is adjacent. */
static unsigned int append(struct kviommu_run *runs, unsigned int n,
			   const struct kviommu_run *run)
{
	struct kviommu_run *last = &runs[n - 1];

	if (n && last->last + 1 == run->iova && last->prot == run->prot &&
	    last->fault == run->fault && last->order == run->order &&
	    (run->fault || last->gpa + (run->iova - last->iova) == run->gpa)) {
		last->last = run->last;
		return n;
	}
	runs[n] = *run;
	return n + 1;
}

/* What the reference says of a range; @last is where it had enough. */
static unsigned int reference(struct guest *g, u64 first, u64 *last)
{
	struct query q = { g, true, true };
	unsigned int lookups, n = 0;
	struct kviommu_run run;
	struct answer a;
	u64 next;

	for (lookups = 0; ; lookups++) {
		if (first >> 20 == 0xfee) {
			next = 0xfeefffff;
		} else {
			a = ref_translate(&q, first);
			next = min(first | (BIT_ULL(a.shift) - 1), *last);
			if (first < 0xfee00000)
				next = min(next, 0xfee00000 - 1);
			run = (struct kviommu_run){
				.iova = first, .last = next, .fault = a.fault,
			};
			if (!a.fault && (a.read || a.write)) {
				run.gpa = a.gpa;
				run.prot = (a.read ? R : 0) | (a.write ? W : 0);
				run.order = a.size;
			}
			if (a.fault || run.prot)
				n = append(g->expected, n, &run);
		}
		if (next >= *last)
			return n;
		if (lookups == LOOKUPS || n == RUNS - 1) {
			*last = next;
			return n;
		}
		first = next + 1;
	}
}

/* Walk until the guest, which is the walk itself, changes nothing. */
static unsigned int walk(struct guest *g, struct vtd_walk *w, u64 first,
			 u64 last)
{
	struct kunit *test = g->mem.test;
	unsigned int i, n, nr, calls, passes = 0;
	struct kviommu_run some[8];

	do {
		KUNIT_ASSERT_LT(test, passes++, 20);
		vtd_walk_start(w, &g->view, &g->key, &g->mem.reader, first,
			       last);
		for (nr = 0, calls = 0; !w->done;) {
			KUNIT_ASSERT_LT(test, calls++, 100000);
			w->budget = 1 + mock_below(&g->rnd, 2000);
			n = vtd_walk_next(w, some,
					  1 + mock_below(&g->rnd, ARRAY_SIZE(some)));
			for (i = 0; i < n; i++) {
				KUNIT_ASSERT_LT(test, nr, RUNS - 1);
				nr = append(g->runs, nr, &some[i]);
			}
		}
	} while (w->changed);
	return nr;
}

static unsigned int compare_walk(struct guest *g, struct vtd_walk *w)
{
	struct kunit *test = g->mem.test;
	unsigned int i, nr, nr_expected;
	u64 first, last, limit;

	first = random_address(g, &limit);
	last = min(limit, first + random_bits(g, 12 + mock_below(&g->rnd, 36)));
	if (last < first || chance(g, 16))
		last = limit;
	last |= ~PAGE_MASK;
	nr_expected = reference(g, first, &last);
	nr = walk(g, w, first, last);
	for (i = 0; i < min(nr, nr_expected); i++) {
		KUNIT_ASSERT_MEMEQ(test, &g->runs[i], &g->expected[i],
				   sizeof(g->runs[i]));
		__set_bit(g->runs[i].fault, g->seen);
	}
	KUNIT_ASSERT_EQ(test, nr, nr_expected);
	KUNIT_ASSERT_EQ(test, 0,
			memcmp(g->pages, g->copy, PAGES * VTD_PAGE_SIZE));
	return nr;
}

static void compare_translation(struct guest *g, u8 access)
{
	struct query q = { g, false, access & W };
	struct kunit *test = g->mem.test;
	struct vtd_leaf leaf;
	struct answer a;
	u64 addr, limit;
	u8 fault;

	addr = random_address(g, &limit) + mock_below(&g->rnd, VTD_PAGE_SIZE);
	if (addr >> 20 == 0xfee)
		return;
	a = ref_translate(&q, addr);
	fault = a.fault;
	if (!fault && !a.read && !a.write)
		fault = a.hole;
	if (!fault && access & W && !a.write)
		fault = is_scalable(g) ? VTD_FAULT_WRITE : VTD_FAULT_L_WRITE;
	if (!fault && access & R && !a.read)
		fault = is_scalable(g) ? VTD_FAULT_READ : VTD_FAULT_L_READ;
	__set_bit(fault, g->seen);
	leaf.ctx = (struct vtd_context){ .kind = VTD_TRANSLATE, .key = g->key };
	vtd_translate_in(&g->view, &g->mem.reader, addr, access, &leaf);
	KUNIT_ASSERT_EQ_MSG(test, leaf.fault, fault, "0x%llx", addr);
	KUNIT_ASSERT_EQ_MSG(test, leaf.gpa, fault ? 0 : a.gpa, "0x%llx", addr);
}

static struct guest *guest_create(struct kunit *test, u64 seed)
{
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->pages = kunit_kzalloc(test, PAGES * VTD_PAGE_SIZE, GFP_KERNEL);
	g->copy = kunit_kzalloc(test, PAGES * VTD_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g->pages);
	KUNIT_ASSERT_NOT_NULL(test, g->copy);
	table_mem_init(&g->mem, test, find);
	mock_seed(test, &g->rnd, seed);
	return g;
}

static void random_rounds(struct kunit *test, u64 seed, bool first, bool second,
			  unsigned int rounds, const u8 *faults)
{
	struct guest *g = guest_create(test, seed);
	struct vtd_walk *w = kunit_kmalloc(test, sizeof(*w), GFP_KERNEL);
	unsigned int i, runs = 0, marks = 0;

	KUNIT_ASSERT_NOT_NULL(test, w);
	while (rounds--) {
		random_tables(g, first, second);
		for (i = 0; i < 20; i++)
			compare_translation(g, 1 + mock_below(&g->rnd, 3));
		KUNIT_ASSERT_EQ(test, g->mem.updates, marks);
		for (i = 0; i < 4; i++)
			runs += compare_walk(g, w);
		marks = g->mem.updates;
	}
	/* That there was something to see */
	kunit_info(test, "%u runs, %u marks, faults %*pbl\n", runs, marks, 256,
		   g->seen);
	KUNIT_EXPECT_GT(test, runs, 1000);
	KUNIT_EXPECT_GT(test, marks, 100);
	do {
		bool seen = test_bit(*faults, g->seen);

		KUNIT_EXPECT_TRUE_MSG(test, seen, "fault 0x%x", *faults);
	} while (*faults++);
}

static void random_second_stage(struct kunit *test)
{
	static const u8 faults[] = {
		VTD_FAULT_L_WRITE, VTD_FAULT_L_READ, VTD_FAULT_L_SS_ACCESS,
		VTD_FAULT_L_SS_RSVD, VTD_FAULT_L_INTERRUPT, VTD_FAULT_WRITE,
		VTD_FAULT_READ, VTD_FAULT_SS_ACCESS, VTD_FAULT_SS_RSVD,
		VTD_FAULT_SS_AD_NOSNOOP, VTD_FAULT_INTERRUPT, VTD_FAULT_NONE,
	};

	random_rounds(test, 0x55, false, true, 300, faults);
}

static void random_first_stage(struct kunit *test)
{
	static const u8 faults[] = {
		VTD_FAULT_FS_ACCESS, VTD_FAULT_FS_NP, VTD_FAULT_FS_RSVD,
		VTD_FAULT_FS_AD_NOSNOOP, VTD_FAULT_PRIVILEGE, VTD_FAULT_WRITE,
		VTD_FAULT_INTERRUPT, VTD_FAULT_NONE,
	};

	random_rounds(test, 0xf5, true, false, 300, faults);
}

static void random_nested(struct kunit *test)
{
	static const u8 faults[] = {
		VTD_FAULT_FS_ACCESS, VTD_FAULT_FS_NP, VTD_FAULT_FS_RSVD,
		VTD_FAULT_FS_ADDR_WIDTH, VTD_FAULT_FS_ROOT_READ,
		VTD_FAULT_FS_TABLE_READ, VTD_FAULT_FS_TABLE_WRITE,
		VTD_FAULT_FS_AD_NOSNOOP, VTD_FAULT_SS_RSVD,
		VTD_FAULT_SS_AD_NOSNOOP, VTD_FAULT_PRIVILEGE, VTD_FAULT_WRITE,
		VTD_FAULT_READ, VTD_FAULT_INTERRUPT, VTD_FAULT_NONE,
	};

	random_rounds(test, 0x4e57, true, true, 200, faults);
}

static struct kunit_case random_cases[] = {
	KUNIT_CASE(random_second_stage),
	KUNIT_CASE(random_first_stage),
	KUNIT_CASE(random_nested),
	{ }
};

static struct kunit_suite random_suite = {
	.name = "kviommu_vtd_random",
	.test_cases = random_cases,
};

kunit_test_suite(random_suite);
