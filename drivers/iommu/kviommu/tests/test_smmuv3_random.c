// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMSAv8-64 tables, at random: what walks and single translations say of them,
 * against a reference that does nothing but follow one address through the
 * architecture, level by level.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "mock.h"
#include "smmuv3/tables.h"
#include "table_mem.h"

#define R		KVIOMMU_READ
#define W		KVIOMMU_WRITE

/* Memory: 64 pages of 4 KiB, from 64 KiB on, so that any granule fits in */
#define BASE		SZ_64K
#define PAGES		64
#define ENTRIES		512
#define RUNS		512

struct guest {
	struct table_mem mem;
	struct smmu_view view;
	struct smmu_key key;
	struct rnd_state rnd;
	__le64 (*pages)[ENTRIES];
	struct kviommu_run runs[RUNS];
	unsigned int nr_runs;
	DECLARE_BITMAP(seen, 64);	/* events, + 32 for the second stage */
	unsigned int translated;
};

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct guest *g = container_of(m, struct guest, mem);

	return gpa >= BASE && gpa < BASE + PAGES * 4096 ?
		g->pages[(gpa - BASE) / 4096] : NULL;
}

/* ---- the reference ---- */

struct answer {
	u8 event;
	u8 class;
	bool s2;
	u64 addr;	/* IPA, or what could not be fetched */
	bool read;
	bool write;
	bool device;
	u64 gpa;
	unsigned int size;
	unsigned int leaf;	/* of the first stage, or the only one */
};

static bool bit(u64 value, unsigned int n)
{
	return value >> n & 1;
}

/* Bits @high - 1 to @low of a value, where they are */
static u64 field(u64 value, unsigned int high, unsigned int low)
{
	return value % (1ULL << high) >> low << low;
}

static bool ref_word(struct guest *g, u64 gpa, u64 *word)
{
	if (gpa < BASE || gpa >= BASE + PAGES * 4096)
		return false;
	*word = le64_to_cpu(g->pages[(gpa - BASE) / 4096][gpa % 4096 / 8]);
	return true;
}

static struct answer fault(u8 event, u8 class, bool s2, u64 addr)
{
	return (struct answer){ .event = event, .class = class, .s2 = s2,
				.addr = addr };
}

static bool ref_block(unsigned int granule, unsigned int level)
{
	return level == 3 || level == 2 || (level == 1 && granule == 12);
}

/* A table has as many entries as there are addresses, and at least 8. */
static u64 ref_root(u64 ttb, unsigned int bits, unsigned int granule,
		    unsigned int level)
{
	unsigned int low = granule + (granule - 3) * (3 - level);

	return field(ttb, 52, max(6, (int)(bits - low) + 3));
}

static struct answer ref_second(struct guest *g, u64 ipa, u8 class)
{
	const struct smmu_key *k = &g->key;
	unsigned int n = k->s2_granule, level = k->s2_level;
	u64 table = ref_root(k->s2ttb, k->s2_bits, n, level);
	unsigned int high = k->s2_bits;

	if (ipa >= 1ULL << k->s2_bits)
		return fault(SMMU_EVENT_F_TRANSLATION, class, true, ipa);
	for (;; level++) {
		unsigned int low = n + (n - 3) * (3 - level);
		u64 at = table + field(ipa, high, low) / (1ULL << low) * 8, e;
		bool leaf;
		u64 out;

		if (!ref_word(g, at, &e))
			return fault(SMMU_EVENT_F_WALK_EABT, class, true, at);
		leaf = level == 3 || !bit(e, 1);
		if (!bit(e, 0) || (level == 3 && !bit(e, 1)) ||
		    (leaf && !ref_block(n, level)))
			return fault(SMMU_EVENT_F_TRANSLATION, class, true, ipa);
		out = field(e, 48, leaf ? low : n);
		if (out >= 1ULL << k->s2ps)
			return fault(SMMU_EVENT_F_ADDR_SIZE, class, true, ipa);
		if (leaf && !bit(e, 10) && !(k->flags & SMMU_KEY_S2AFFD))
			return fault(SMMU_EVENT_F_ACCESS, class, true, ipa);
		if (leaf)
			return (struct answer){
				.read = bit(e, 6), .write = bit(e, 7),
				.gpa = out + ipa % (1ULL << low), .size = low,
				.leaf = low, .addr = ipa,
				.device = !bit(e, 4) && !bit(e, 5),
			};
		table = out;
		high = low;
	}
}

/* Where an entry of the first stage is */
static bool ref_nested_table(struct guest *g, u64 *at, struct answer *a)
{
	if (!(g->key.flags & SMMU_KEY_S2))
		return true;
	*a = ref_second(g, *at, SMMU_CLASS_TTD);
	if (a->event)
		return false;
	if (!a->read || (g->key.flags & SMMU_KEY_S2PTW && a->device)) {
		*a = fault(SMMU_EVENT_F_PERMISSION, SMMU_CLASS_TTD, true, *at);
		return false;
	}
	*at = a->gpa;
	return true;
}

static struct answer ref_output(struct guest *g, u64 out, unsigned int size,
				bool read, bool write, bool want_write)
{
	struct answer a;

	if (want_write ? !write : !read)
		return fault(SMMU_EVENT_F_PERMISSION, SMMU_CLASS_IN, false, 0);
	if (!(g->key.flags & SMMU_KEY_S2))
		return (struct answer){ .read = read, .write = write,
					.gpa = out, .size = size,
					.leaf = size };
	a = ref_second(g, out, SMMU_CLASS_IN);
	if (a.event)
		return a;
	if (want_write ? !a.write : !a.read)
		return fault(SMMU_EVENT_F_PERMISSION, SMMU_CLASS_IN, true, out);
	a.read &= read;
	a.write &= write;
	a.size = min(a.size, size);
	a.leaf = size;
	return a;
}

static struct answer ref_first(struct guest *g, u64 va, bool want_write)
{
	const struct smmu_half *h = &g->key.half[bit(va, 55)];
	unsigned int n = h->granule, high = h->bits, level = 3, low;
	bool no_el0 = false, read_only = false;
	struct answer a;
	u64 table;

	/* All bits from there up to the highest that counts are the same. */
	for (low = h->bits; h->bits && low < (h->tbi ? 56 : 64); low++)
		if (bit(va, low) != bit(va, 55))
			return fault(SMMU_EVENT_F_TRANSLATION, SMMU_CLASS_IN,
				     false, 0);
	if (!h->bits)
		return fault(SMMU_EVENT_F_TRANSLATION, SMMU_CLASS_IN, false, 0);
	while (n + (n - 3) * (4 - level) < h->bits)
		level--;
	table = ref_root(h->ttb, h->bits, n, level);
	for (;; level++) {
		u64 at, e, out;
		bool leaf;

		low = n + (n - 3) * (3 - level);
		at = table + field(va, high, low) / (1ULL << low) * 8;
		if (!ref_nested_table(g, &at, &a))
			return a;
		if (!ref_word(g, at, &e))
			return fault(SMMU_EVENT_F_WALK_EABT, SMMU_CLASS_TTD,
				     false, at);
		leaf = level == 3 || !bit(e, 1);
		if (!bit(e, 0) || (level == 3 && !bit(e, 1)) ||
		    (leaf && !ref_block(n, level)))
			return fault(SMMU_EVENT_F_TRANSLATION, SMMU_CLASS_IN,
				     false, 0);
		out = field(e, 48, leaf ? low : n);
		if (out >= 1ULL << g->key.ips)
			return fault(SMMU_EVENT_F_ADDR_SIZE, SMMU_CLASS_IN,
				     false, 0);
		if (leaf && !bit(e, 10) && !(g->key.flags & SMMU_KEY_AFFD))
			return fault(SMMU_EVENT_F_ACCESS, SMMU_CLASS_IN, false,
				     0);
		if (leaf)
			return ref_output(g, out + va % (1ULL << low), low,
					  bit(e, 6) && !no_el0,
					  bit(e, 6) && !no_el0 && !bit(e, 7) &&
						!read_only,
					  want_write);
		if (!h->had) {
			no_el0 |= bit(e, 61);
			read_only |= bit(e, 62);
		}
		table = out;
		high = low;
	}
}

static struct answer ref_translate(struct guest *g, u64 addr, bool write)
{
	struct answer a;

	if (g->key.flags & SMMU_KEY_S1)
		return ref_first(g, addr, write);
	if (addr >> 48)
		return fault(SMMU_EVENT_F_ADDR_SIZE, SMMU_CLASS_IN, false, 0);
	a = ref_second(g, addr, SMMU_CLASS_IN);
	if (!a.event && (write ? !a.write : !a.read))
		return fault(SMMU_EVENT_F_PERMISSION, SMMU_CLASS_IN, true, addr);
	return a;
}

/* ---- tables ---- */

static u64 random_bits(struct guest *g, unsigned int bits)
{
	u64 value = (u64)mock_below(&g->rnd, U32_MAX) << 32 |
		    mock_below(&g->rnd, U32_MAX);

	return bits ? value >> (64 - bits) : 0;
}

static bool chance(struct guest *g, unsigned int n)
{
	return !mock_below(&g->rnd, n);
}

static u64 random_table(struct guest *g, unsigned int granule)
{
	unsigned int size = 1 << granule;
	u64 addr = BASE + (u64)mock_below(&g->rnd, PAGES * 4096 / size) * size;

	return chance(g, 40) ? random_bits(g, 48) : addr;
}

static u64 random_entry(struct guest *g, unsigned int granule)
{
	u64 e = random_bits(g, 10) << 2 | SMMU_PTE_VALID;

	if (!chance(g, 8))
		e |= SMMU_PTE_AF;
	if (!chance(g, 3))
		e |= SMMU_PTE_AP_EL0;
	if (chance(g, 12))
		e &= ~SMMU_PTE_VALID;
	if (chance(g, 12))
		e |= random_bits(g, 12) << 52;
	if (chance(g, 3))
		return e | SMMU_PTE_TABLE | random_table(g, granule);
	if (!chance(g, 4))
		e |= SMMU_PTE_TABLE;
	/* A few adjacent ones, so that runs have more than one page */
	if (chance(g, 2))
		return e | (u64)mock_below(&g->rnd, 4) << granule;
	return e | (random_bits(g, chance(g, 20) ? 48 : 38) & SMMU_PTE_ADDR);
}

static unsigned int random_index(struct guest *g)
{
	static const u16 some[] = { 0, 1, 2, 3, 4, 16, 255, 510, 511 };

	return some[mock_below(&g->rnd, ARRAY_SIZE(some))];
}

static void random_pages(struct guest *g, unsigned int granule)
{
	unsigned int p, n;

	memset(g->pages, 0, PAGES * 4096);
	for (p = 0; p < PAGES; p++) {
		for (n = 0; n < 12; n++)
			g->pages[p][random_index(g)] =
				cpu_to_le64(random_entry(g, granule));
		if (chance(g, 4)) {
			u64 e = random_entry(g, granule) | 3;

			for (n = 0; n < 64; n++, e += 1ULL << granule)
				g->pages[p][n] = cpu_to_le64(e);
		}
	}
}

static unsigned int random_granule(struct guest *g)
{
	return 12 + 2 * mock_below(&g->rnd, 3);
}

/* Pages up to the one of address 1 << 20 are themselves, mostly. */
static void identity(struct guest *g)
{
	struct smmu_key *k = &g->key;
	unsigned int n = k->s2_granule, level = k->s2_level, i;
	u64 at = ref_root(k->s2ttb, k->s2_bits, n, level), next;
	__le64 *page;

	for (; level < (chance(g, 2) ? 2 : 3); level++) {
		page = find(&g->mem, at & ~0xfffULL);
		if (!page)
			return;
		next = random_table(g, n);
		page[at % 4096 / 8] = cpu_to_le64(next | 3);
		at = field(next, 48, n);
	}
	page = find(&g->mem, at & ~0xfffULL);
	if (!page)
		return;
	if (level == 2) {
		page[at % 4096 / 8] = cpu_to_le64(chance(g, 30) ? 0x3f1 : 0x7f1);
		return;
	}
	for (i = 0; i < 1 << (20 - n); i++)
		if (!chance(g, 30))
			page[i] = cpu_to_le64((u64)i << n |
					      (chance(g, 30) ? 0x3f3 : 0x7f3));
}

static void random_key(struct guest *g, bool s1, bool s2)
{
	static const u8 sizes[] = { 32, 36, 40, 42, 44, 48 };
	struct smmu_key *k = &g->key;
	unsigned int n, i, low;

	memset(k, 0, sizeof(*k));
	if (s1) {
		k->flags |= SMMU_KEY_S1 | (chance(g, 4) ? SMMU_KEY_AFFD : 0);
		k->ips = sizes[mock_below(&g->rnd, ARRAY_SIZE(sizes))];
		n = random_granule(g);
		for (i = 0; i < 2; i++) {
			struct smmu_half *h = &k->half[i];

			if (chance(g, 5))
				continue;
			h->granule = chance(g, 4) ? random_granule(g) : n;
			h->bits = 25 + mock_below(&g->rnd, 24);
			h->had = chance(g, 4);
			h->tbi = chance(g, 4);
			h->ttb = random_table(g, 12);
			if (h->ttb >> k->ips)
				h->ttb = BASE;
		}
	} else {
		n = random_granule(g);
	}
	random_pages(g, n);
	if (!s2)
		return;
	k->flags |= SMMU_KEY_S2 | (chance(g, 4) ? SMMU_KEY_S2AFFD : 0) |
		    (chance(g, 4) ? SMMU_KEY_S2PTW : 0);
	k->s2ps = sizes[mock_below(&g->rnd, ARRAY_SIZE(sizes))];
	k->s2_granule = chance(g, 4) ? random_granule(g) : n;
	n = k->s2_granule;
	k->s2_level = n == 12 ? mock_below(&g->rnd, 3) :
				1 + mock_below(&g->rnd, 3);
	low = n + (n - 3) * (3 - k->s2_level);
	do {
		k->s2_bits = 25 + mock_below(&g->rnd, 24);
		if (low >= 48 || low + n + 1 < 25) {
			k->s2_level = 2;
			low = 2 * n - 3;
		}
	} while (k->s2_bits <= low || k->s2_bits > low + n - 3 + 4);
	k->s2ttb = random_table(g, 16);
	if (k->s2ttb >> k->s2ps)
		k->s2ttb = BASE;
	identity(g);
}

/* An address that has something at each level, if it can be */
static u64 random_address(struct guest *g)
{
	unsigned int i = mock_below(&g->rnd, 2), n, bits, shift;
	bool s1 = g->key.flags & SMMU_KEY_S1;
	u64 addr = 0;

	n = s1 ? g->key.half[i].granule : g->key.s2_granule;
	bits = s1 ? g->key.half[i].bits : g->key.s2_bits;
	if (!bits || chance(g, 50))
		return random_bits(g, 1 + mock_below(&g->rnd, 64));
	for (shift = n; shift < bits; shift += n - 3)
		addr |= (u64)random_index(g) << shift;
	addr |= random_bits(g, n);
	addr %= 1ULL << bits;
	if (s1 && i)
		addr |= -(1ULL << bits);
	if (s1 && g->key.half[i].tbi && chance(g, 4))
		addr ^= random_bits(g, 8) << 56;
	return addr;
}

/* ---- comparisons ---- */

static void compare_translation(struct guest *g, u64 addr, bool write)
{
	struct answer a = ref_translate(g, addr, write);
	struct kunit *test = g->mem.test;
	struct smmu_leaf leaf = {
		.ctx = { .kind = SMMU_TRANSLATE, .key = g->key },
	};
	bool page = a.event != SMMU_EVENT_F_WALK_EABT;

	smmu_translate_in(&g->view, &g->mem.reader, addr, write ? W : R, &leaf);
	__set_bit(a.event + 32 * a.s2, g->seen);
	KUNIT_ASSERT_EQ_MSG(test, leaf.ok, !a.event, "0x%llx", addr);
	if (leaf.ok) {
		g->translated++;
		KUNIT_ASSERT_EQ_MSG(test, leaf.gpa, a.gpa, "0x%llx", addr);
		KUNIT_ASSERT_EQ_MSG(test, leaf.size, 1ULL << a.size, "0x%llx",
				    addr);
		KUNIT_ASSERT_EQ_MSG(test, leaf.prot, a.read * R + a.write * W,
				    "0x%llx", addr);
		return;
	}
	KUNIT_ASSERT_EQ_MSG(test, leaf.fault.event, a.event, "0x%llx", addr);
	KUNIT_ASSERT_EQ_MSG(test, leaf.fault.s2, a.s2, "0x%llx event 0x%x",
			    addr, a.event);
	KUNIT_ASSERT_EQ_MSG(test, leaf.fault.class, a.class,
			    "0x%llx event 0x%x", addr, a.event);
	/* An IPA is recorded without its lowest bits (7.3). */
	KUNIT_ASSERT_EQ_MSG(test, leaf.fault.addr >> (page ? 12 : 0),
			    a.addr >> (page ? 12 : 0), "0x%llx event 0x%x s2 %d",
			    addr, a.event, a.s2);
}

static bool hole(u8 event)
{
	return event == SMMU_EVENT_F_TRANSLATION ||
	       event == SMMU_EVENT_F_PERMISSION;
}

/* What was walked says of an address what a translation of it says. */
static void compare_address(struct guest *g, u64 addr)
{
	struct answer r = ref_translate(g, addr, false);
	struct answer w = ref_translate(g, addr, true);
	struct answer *a = r.event ? &w : &r;
	struct kunit *test = g->mem.test;
	const struct kviommu_run *run = g->runs;
	u8 prot = (r.event ? 0 : R) | (w.event ? 0 : W);

	while (run < g->runs + g->nr_runs && run->last < addr)
		run++;
	if (run == g->runs + g->nr_runs || run->iova > addr) {
		KUNIT_ASSERT_EQ_MSG(test, prot, 0, "0x%llx", addr);
		KUNIT_ASSERT_TRUE_MSG(test, hole(r.event) ||
				      (!(g->key.flags & SMMU_KEY_S1) && addr >> 48),
				      "0x%llx", addr);
		return;
	}
	KUNIT_ASSERT_EQ_MSG(test, run->prot, prot, "0x%llx", addr);
	KUNIT_ASSERT_EQ_MSG(test, run->fault, prot ? 0 : r.event, "0x%llx",
			    addr);
	if (!prot)
		return;
	KUNIT_ASSERT_EQ_MSG(test, run->gpa + (addr - run->iova), a->gpa,
			    "0x%llx", addr);
	KUNIT_ASSERT_EQ_MSG(test, run->order, a->size, "0x%llx", addr);
	KUNIT_ASSERT_EQ_MSG(test, run->leaf, a->leaf, "0x%llx", addr);
}

/* Runs come in order, and are as long as they can be. */
static void add_run(struct guest *g, const struct kviommu_run *new)
{
	struct kviommu_run *old = g->nr_runs ? &g->runs[g->nr_runs - 1] : NULL;
	struct kunit *test = g->mem.test;

	KUNIT_ASSERT_LE(test, new->iova, new->last);
	KUNIT_ASSERT_TRUE(test, new->prot || new->fault);
	if (old) {
		KUNIT_ASSERT_LT(test, old->last, new->iova);
		if (old->last + 1 == new->iova && old->prot == new->prot &&
		    old->fault == new->fault && old->order == new->order &&
		    old->leaf == new->leaf &&
		    (old->fault ||
		     old->gpa + (new->iova - old->iova) == new->gpa)) {
			old->last = new->last;
			return;
		}
	}
	g->runs[g->nr_runs++] = *new;
}

static void compare_walk(struct guest *g, struct smmu_walk *w)
{
	unsigned int i, n, calls = 0, order = smmu_leaf_shift(&g->key);
	u64 first = random_address(g), last = first;
	struct kunit *test = g->mem.test;
	struct kviommu_run some[8];

	if (!chance(g, 4))
		last = first | (random_bits(g, 1 + mock_below(&g->rnd, 63)));
	if (chance(g, 4)) {
		first = 0;
		last = U64_MAX;
	}
	first = first >> order << order;
	last |= (1ULL << order) - 1;

	g->nr_runs = 0;
	smmu_walk_start(w, &g->key, &g->mem.reader, first, last);
	while (!w->done && calls++ < 3000) {
		w->budget = 1 + mock_below(&g->rnd, 3000);
		n = smmu_walk_next(w, some,
				   1 + mock_below(&g->rnd, ARRAY_SIZE(some)));
		for (i = 0; i < n && g->nr_runs < RUNS; i++)
			add_run(g, &some[i]);
		if (g->nr_runs == RUNS)
			break;
	}
	/* So far is what was found, if there is too much of it. */
	if (g->nr_runs == RUNS)
		last = g->runs[--g->nr_runs].iova - 1;
	else if (!w->done)
		last = w->next - 1;
	for (i = 0; i < g->nr_runs; i++) {
		const struct kviommu_run *run = &g->runs[i];

		KUNIT_ASSERT_GE(test, run->iova, first);
		compare_address(g, run->iova);
		compare_address(g, run->last);
		compare_address(g, run->iova + (run->last - run->iova) / 2);
		if (run->iova > first)
			compare_address(g, run->iova - 1);
		if (run->last < last)
			compare_address(g, run->last + 1);
	}
	for (i = 0; i < 40; i++) {
		u64 addr = random_address(g);

		/* A walk has TBI's other addresses not. */
		if (addr >= first && addr <= last &&
		    (s64)(addr << 8) >> 8 == (s64)addr)
			compare_address(g, addr);
	}
}

static struct guest *guest_create(struct kunit *test, u64 seed)
{
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->pages = kunit_kzalloc(test, PAGES * 4096, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g->pages);
	table_mem_init(&g->mem, test, find);
	mock_seed(test, &g->rnd, seed);
	g->view.idr5 = FIELD_PREP(SMMU_IDR5_OAS, 5);
	return g;
}

static void random_rounds(struct kunit *test, u64 seed, bool s1, bool s2,
			  unsigned int rounds, const u8 *events)
{
	struct guest *g = guest_create(test, seed);
	struct smmu_walk *w = kunit_kmalloc(test, sizeof(*w), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	while (rounds--) {
		random_key(g, s1, s2);
		for (i = 0; i < 40; i++)
			compare_translation(g, random_address(g), i & 1);
		for (i = 0; i < 4; i++)
			compare_walk(g, w);
	}
	/* That there was something to see */
	kunit_info(test, "%u translated, events %*pbl\n", g->translated, 64,
		   g->seen);
	KUNIT_EXPECT_GT(test, g->translated, 500);
	for (; *events; events++)
		KUNIT_EXPECT_TRUE_MSG(test, test_bit(*events, g->seen),
				      "event 0x%x", *events);
}

#define S2(event)	((event) + 32)

static void random_first_stage(struct kunit *test)
{
	static const u8 events[] = {
		SMMU_EVENT_F_WALK_EABT, SMMU_EVENT_F_TRANSLATION,
		SMMU_EVENT_F_ADDR_SIZE, SMMU_EVENT_F_ACCESS,
		SMMU_EVENT_F_PERMISSION, 0
	};

	random_rounds(test, 0x51, true, false, 400, events);
}

static void random_second_stage(struct kunit *test)
{
	static const u8 events[] = {
		S2(SMMU_EVENT_F_WALK_EABT), S2(SMMU_EVENT_F_TRANSLATION),
		S2(SMMU_EVENT_F_ADDR_SIZE), S2(SMMU_EVENT_F_ACCESS),
		S2(SMMU_EVENT_F_PERMISSION), 0
	};

	random_rounds(test, 0x52, false, true, 400, events);
}

static void random_nested(struct kunit *test)
{
	static const u8 events[] = {
		SMMU_EVENT_F_TRANSLATION, SMMU_EVENT_F_ADDR_SIZE,
		SMMU_EVENT_F_ACCESS, SMMU_EVENT_F_PERMISSION,
		S2(SMMU_EVENT_F_WALK_EABT), S2(SMMU_EVENT_F_TRANSLATION),
		S2(SMMU_EVENT_F_ADDR_SIZE), S2(SMMU_EVENT_F_ACCESS),
		S2(SMMU_EVENT_F_PERMISSION), 0
	};

	random_rounds(test, 0x53, true, true, 400, events);
}

static struct kunit_case random_cases[] = {
	KUNIT_CASE(random_first_stage),
	KUNIT_CASE(random_second_stage),
	KUNIT_CASE(random_nested),
	{ }
};

static struct kunit_suite random_suite = {
	.name = "kviommu_smmuv3_random",
	.test_cases = random_cases,
};

kunit_test_suite(random_suite);
