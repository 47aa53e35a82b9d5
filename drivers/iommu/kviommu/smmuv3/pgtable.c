// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of VMSAv8-64 (D8): first stage, second stage, and the first nested in
 * the second, for unprivileged accesses to data.
 *
 * A walk goes over a range in ascending order and gives runs of adjacent
 * addresses. It goes from the root down to the table that has the next address,
 * through the 4 KiB of that table which have it, and starts anew. Tables on the
 * way are still there from the time before, so that each one is read once as
 * long as the walk is below it. A table that names itself ends at level 3.
 *
 * The contiguous hint says nothing of what addresses are translated to. Nothing
 * is marked as used: there is no HTTU (IDR0).
 *
 * A first stage with TBI has each address 256 times, which differ in their
 * highest byte. A walk says it of the lowest, or for TT1 of the highest of them.
 */
#include <linux/bitfield.h>

#include "tables.h"

/* Entries take permissions away from those below them (D8.4.2). */
#define LIMITS		(SMMU_PTE_TABLE_NO_EL0 | SMMU_PTE_TABLE_RO)

#define WORD(addr)	((addr) % KVIOMMU_TABLE_SIZE / sizeof(__le64))

/* As in S2AP */
static_assert(KVIOMMU_READ == 1 && KVIOMMU_WRITE == 2);

/* An entry that was looked at */
struct entry {
	u64 value;
	u64 addr;
	u8 prot;
	bool page;
};

struct sink {
	struct kviommu_run *runs;
	unsigned int n;
	unsigned int max;
};

static unsigned int level_shift(const struct smmu_stage *s, unsigned int level)
{
	return s->granule + (s->granule - 3) * (SMMU_LAST_LEVEL - level);
}

static u64 level_mask(const struct smmu_stage *s, unsigned int level)
{
	return BIT_ULL(level_shift(s, level)) - 1;
}

/* What the part of a table that is read at a time has addresses for */
static u64 part_mask(const struct smmu_stage *s, unsigned int level)
{
	return ((u64)KVIOMMU_TABLE_WORDS << level_shift(s, level)) - 1;
}

/* Where the entry for an address is in its table, which is at @base */
static u64 entry_addr(const struct smmu_stage *s, unsigned int level, u64 base,
		      u64 addr)
{
	unsigned int bits = s->granule - 3;
	u64 i = (addr & (BIT_ULL(s->bits) - 1)) >> level_shift(s, level);

	/* The first one is as large as it has to be (D8.2). */
	if (level != s->level)
		i &= BIT_ULL(bits) - 1;
	return base + i * sizeof(__le64);
}

static void spend(struct smmu_walk *w, u64 cost)
{
	w->budget -= min(w->budget, cost);
}

/* What is up to @last is done with. */
static void advance(struct smmu_walk *w, u64 last)
{
	if (last >= w->last)
		w->done = true;
	else
		w->next = last + 1;
}

/* ---- entries ---- */

/* D8.4: what the two bits of a page's entry allow, with the limits above it */
static u8 page_prot(const struct smmu_stage *s, unsigned int ap, u64 limits)
{
	if (s->second)
		return ap;
	if (!(ap & 1) || limits & SMMU_PTE_TABLE_NO_EL0)
		return 0;
	return ap & 2 || limits & SMMU_PTE_TABLE_RO ?
		KVIOMMU_READ : KVIOMMU_READ | KVIOMMU_WRITE;
}

/*
 * Look at an entry. Returns the event that it makes of an access, in the order of
 * D8.14: F_TRANSLATION and F_PERMISSION if nothing is there, others if what is
 * there is wrong.
 */
static u8 look(const struct smmu_stage *s, unsigned int level, u64 value,
	       u64 limits, struct entry *e)
{
	u64 low;

	e->value = value;
	e->prot = 0;
	if (!(value & SMMU_PTE_VALID))
		return SMMU_EVENT_F_TRANSLATION;
	if (level == SMMU_LAST_LEVEL)
		e->page = value & SMMU_PTE_TABLE;
	else
		e->page = !(value & SMMU_PTE_TABLE);
	if (e->page ? !(s->blocks & BIT(level)) : level == SMMU_LAST_LEVEL)
		return SMMU_EVENT_F_TRANSLATION;
	low = e->page ? level_mask(s, level) : BIT_ULL(s->granule) - 1;
	e->addr = value & SMMU_PTE_ADDR & ~low;
	if (e->addr & s->bad)
		return SMMU_EVENT_F_ADDR_SIZE;
	if (!e->page)
		return SMMU_EVENT_NONE;
	if (s->want & ~value & SMMU_PTE_AF)
		return SMMU_EVENT_F_ACCESS;
	e->prot = page_prot(s, FIELD_GET(SMMU_PTE_S2AP, value), limits);
	return e->prot ? SMMU_EVENT_NONE : SMMU_EVENT_F_PERMISSION;
}

static bool is_hole(u8 event)
{
	return event == SMMU_EVENT_F_TRANSLATION ||
	       event == SMMU_EVENT_F_PERMISSION;
}

/* ---- tables ---- */

static u8 second_stage(struct smmu_walk *w, u64 addr);

/* What the last answer of the second stage means for who asked it */
static u8 blame_second(struct smmu_walk *w, u8 event, u8 class, u64 addr)
{
	w->why = (struct smmu_fault){
		.event = event,
		.class = class,
		.s2 = true,
		.addr = event == SMMU_EVENT_F_WALK_EABT ? w->map.fetch : addr,
	};
	return event;
}

/* An entry of the stage that addresses enter */
static u8 blame(struct smmu_walk *w, u8 event)
{
	w->why = (struct smmu_fault){
		.event = event,
		.class = SMMU_CLASS_IN,
		.s2 = w->s->second,
		.addr = w->s->second ? w->next : 0,
	};
	return event;
}

/* Have the part of a table that has the entry at @addr in its place. */
static u8 table(struct smmu_walk *w, struct smmu_stage *s, unsigned int level,
		u64 addr)
{
	struct smmu_table *t = &s->tables[level];
	u64 part = addr & ~(KVIOMMU_TABLE_SIZE - 1ULL);
	u8 event;

	if (likely(t->page && t->addr == part))
		return SMMU_EVENT_NONE;
	t->page = NULL;
	t->addr = part;
	if (w->nested && !s->second) {
		event = second_stage(w, addr);
		if (!event && (!(w->map.prot & KVIOMMU_READ) ||
			       (w->s2ptw && w->map.device)))
			event = SMMU_EVENT_F_PERMISSION;
		if (event)
			return blame_second(w, event, SMMU_CLASS_TTD, addr);
		addr = w->map.gpa + (addr - w->map.first);
		part = addr & ~(KVIOMMU_TABLE_SIZE - 1ULL);
	}
	spend(w, KVIOMMU_TABLE_COST);
	t->page = w->reader->page(w->reader, s->slot + level, part);
	if (t->page)
		return SMMU_EVENT_NONE;
	w->map.fetch = addr;
	w->why = (struct smmu_fault){
		.event = SMMU_EVENT_F_WALK_EABT,
		.class = s->second ? SMMU_CLASS_IN : SMMU_CLASS_TTD,
		.s2 = s->second,
		.addr = addr,
	};
	return SMMU_EVENT_F_WALK_EABT;
}

/*
 * Ask the second stage for an address of the first. What it says goes to w->map.
 * Neighbours are asked for together, so the last answer often holds.
 */
static u8 second_stage(struct smmu_walk *w, u64 addr)
{
	struct smmu_stage *s = &w->s2;
	struct smmu_map *m = &w->map;
	struct entry e = { .addr = s->root };
	unsigned int level = s->level;
	u64 mask, where;
	u8 event;

	if (addr >= m->first && addr <= m->last)
		return m->event;
	if (addr >> s->bits) {
		*m = (struct smmu_map){
			.first = BIT_ULL(s->bits), .last = U64_MAX,
			.event = SMMU_EVENT_F_TRANSLATION,
		};
		return m->event;
	}
	for (;; level++) {
		e.prot = 0;
		mask = part_mask(s, level);
		where = entry_addr(s, level, e.addr, addr);
		event = table(w, s, level, where);
		if (event)
			break;
		mask = level_mask(s, level);
		spend(w, 1);
		event = look(s, level,
			     le64_to_cpu(READ_ONCE(s->tables[level].page[WORD(where)])),
			     0, &e);
		if (event || e.page)
			break;
	}
	m->first = addr & ~mask;
	m->last = min(addr | mask, BIT_ULL(s->bits) - 1);
	m->gpa = e.addr;
	m->shift = level_shift(s, level);
	m->prot = e.prot;
	m->event = event;
	m->device = !FIELD_GET(SMMU_PTE_MEMATTR, e.value);
	return event;
}

/* ---- runs ---- */

static struct kviommu_run *last_run(const struct sink *sink)
{
	return sink->n ? &sink->runs[sink->n - 1] : NULL;
}

/*
 * What is from w->next to @last goes to the run before, or to a new one. All
 * that emit something return false if there is no place for it.
 */
static bool emit(struct smmu_walk *w, struct sink *sink, u64 last, u64 gpa,
		 u8 prot, u8 event)
{
	struct kviommu_run *run = last_run(sink);

	if (run && run->last + 1 == w->next && run->prot == prot &&
	    run->fault == event &&
	    (event || (run->order == w->shift && run->leaf == w->leaf &&
		       run->gpa + (w->next - run->iova) == gpa))) {
		run->last = last;
	} else {
		if (sink->n == sink->max)
			return false;
		sink->runs[sink->n++] = (struct kviommu_run){
			.iova = w->next, .last = last, .gpa = gpa,
			.prot = prot, .fault = event,
			.order = event ? 0 : w->shift,
			.leaf = event ? 0 : w->leaf,
		};
	}
	advance(w, last);
	return true;
}

/* w->why says more of it. */
static bool emit_fault(struct smmu_walk *w, struct sink *sink, u64 last, u8 event)
{
	if (!is_hole(event))
		return emit(w, sink, last, 0, 0, event);
	advance(w, last);
	return true;
}

/* A page of the first stage, or the rest of it; piece by piece */
static bool emit_nested(struct smmu_walk *w, struct sink *sink, u64 last,
			u64 addr, u8 prot)
{
	const struct smmu_map *m = &w->map;

	do {
		u8 event = second_stage(w, addr);
		u64 piece = w->next + min(last - w->next, m->last - addr);

		w->shift = min(w->leaf, m->shift);
		w->input = addr;
		if (!event && !(prot & m->prot))
			event = SMMU_EVENT_F_PERMISSION;
		if (event)
			blame_second(w, event, SMMU_CLASS_IN, addr);
		if (event ? !emit_fault(w, sink, piece, event) :
			    !emit(w, sink, piece, m->gpa + (addr - m->first),
				  prot & m->prot, SMMU_EVENT_NONE))
			return false;
		if (piece == last)
			break;
		addr = m->last + 1;
	} while (w->budget && !w->done);
	return true;
}

/* An entry that leads to no table */
static bool emit_entry(struct smmu_walk *w, struct sink *sink,
		       unsigned int level, u64 last, const struct entry *e,
		       u8 event)
{
	u64 gpa;

	/* A single address: the first stage refuses before the second is asked. */
	if (!event && w->access & ~e->prot)
		event = SMMU_EVENT_F_PERMISSION;
	if (event) {
		blame(w, event);
		return emit_fault(w, sink, last, event);
	}
	w->global |= !w->s->second && !(e->value & SMMU_PTE_NG);
	gpa = e->addr + (w->next & level_mask(w->s, level));
	w->leaf = level_shift(w->s, level);
	w->shift = w->leaf;
	if (w->nested)
		return emit_nested(w, sink, last, gpa, e->prot);
	return emit(w, sink, last, gpa, e->prot, SMMU_EVENT_NONE);
}

/* ---- the walk ---- */

/* Address, with prot in its low bits, of a page that continues the last run. */
static u64 continuation(const struct smmu_walk *w, const struct sink *sink,
			u64 iova)
{
	const struct kviommu_run *run = last_run(sink);

	if (!run || run->fault || run->order != w->s->granule ||
	    run->last + 1 != iova)
		return 0;
	return (run->gpa + (iova - run->iova)) | run->prot;
}

/*
 * The first entry from @p on that is not zero: of most tables, most are. Nothing
 * else is known of that entry.
 */
static const __le64 *skip_zeroes(const __le64 *p, const __le64 *end)
{
	for (; end - p >= 8; p += 8)
		if (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7])
			break;
	while (p < end && !*p)
		p++;
	return p;
}

/*
 * How many pages follow @p, which is @value, in all that was said of it: they
 * differ in their addresses alone, and none comes to where that would matter.
 */
static unsigned long followers(const __le64 *p, const __le64 *end, u64 value,
			       u64 size)
{
	u64 low = SMMU_PTE_ADDR & (size * KVIOMMU_TABLE_WORDS - 1);
	const __le64 *first = p + 1;

	while (++p < end) {
		value += size;
		if (!(value & low) || le64_to_cpu(READ_ONCE(*p)) != value)
			break;
	}
	return p - first;
}

/* A page of level 3, at w->next, of which more is to be said */
static noinline bool scan_page(struct smmu_walk *w, struct sink *sink, u64 value)
{
	struct entry e;
	u8 event = look(w->s, SMMU_LAST_LEVEL, value, w->limit, &e);

	return emit_entry(w, sink, SMMU_LAST_LEVEL,
			  w->next | level_mask(w->s, SMMU_LAST_LEVEL), &e, event);
}

/*
 * Pages of a table of level 3, from w->next on. Long walks spend their time
 * here, so what only has to be appended to the runs is done in place; and in a
 * function of its own, that has enough registers for it.
 */
static noinline bool scan_pages(struct smmu_walk *w, struct sink *sink)
{
	struct smmu_stage *s = w->s;
	struct kviommu_run *run = sink->runs + sink->n;	/* the next one */
	struct kviommu_run *no_run = sink->runs + sink->max;
	u64 size = BIT_ULL(s->granule), addr_mask = SMMU_PTE_ADDR & ~(size - 1);
	/* Of a nested page there may be only the rest to do. */
	u64 iova = w->next & ~(size - 1);
	u64 next_page = continuation(w, sink, iova);
	u64 mask = s->mask, want = s->want;
	unsigned int i = WORD(w->entry);
	const __le64 *p = s->tables[SMMU_LAST_LEVEL].page + i, *begin = p;
	const __le64 *end = p + min_t(u64, KVIOMMU_TABLE_WORDS - i,
				      ((w->segment_last - iova) >> s->granule) + 1);
	u64 not_global = SMMU_PTE_NG;
	bool room = true;
	unsigned long n;
	u8 prots[4];

	for (i = 0; i < ARRAY_SIZE(prots); i++)
		prots[i] = page_prot(s, i, w->limit);
	for (; p < end; p++, iova += size) {
		u64 value = le64_to_cpu(READ_ONCE(*p));
		u64 gpa = value & addr_mask;
		u64 prot = prots[FIELD_GET(SMMU_PTE_S2AP, value)];

		if (!value) {
			blame(w, SMMU_EVENT_F_TRANSLATION);
			next_page = 0;
			n = skip_zeroes(p + 1, end) - p - 1;
			p += n;
			iova += n * size;
			continue;
		}
		if (unlikely((value & mask) != want || !prot)) {
			w->next = max(w->next, iova);
			sink->n = run - sink->runs;
			room = scan_page(w, sink, value);
			run = sink->runs + sink->n;
			if (!room || w->done || !w->budget) {
				if (room)
					p++;
				goto out;
			}
			next_page = continuation(w, sink, iova + size);
			continue;
		}
		not_global &= value;
		if ((gpa | prot) == next_page) {
			n = followers(p, end, value, size);
			run[-1].last += (n + 1) * size;
			p += n;
			iova += n * size;
			gpa += n * size;
		} else if (run != no_run) {
			run->iova = iova;
			run->last = iova + size - 1;
			run->gpa = gpa;
			run->prot = prot;
			run->fault = SMMU_EVENT_NONE;
			run->order = s->granule;
			run->leaf = s->granule;
			run++;
		} else {
			w->next = iova;
			room = false;
			goto out;
		}
		next_page = (gpa | prot) + size;
	}
	advance(w, iova - 1);
out:
	/* If there was no place, the next visit is to the same table. */
	w->entry += (p - begin) * sizeof(*p);
	w->in_table = !room;
	sink->n = run - sink->runs;
	w->global |= !s->second && !not_global;
	spend(w, p - begin);
	return room;
}

/*
 * Pass by zero entries of a part of a table from @i on, which is where w->next
 * is. Returns where that is then, or KVIOMMU_TABLE_WORDS if it is not in it any
 * more.
 */
static unsigned int pass_zeroes(struct smmu_walk *w, unsigned int level,
				unsigned int i)
{
	const __le64 *page = w->s->tables[level].page;
	unsigned int n = skip_zeroes(page + i, page + KVIOMMU_TABLE_WORDS) -
			 (page + i);
	u64 last;

	if (!n)
		return i;
	spend(w, n);
	blame(w, SMMU_EVENT_F_TRANSLATION);
	last = (w->next | level_mask(w->s, level)) +
	       ((u64)(n - 1) << level_shift(w->s, level));
	/* It may be more than there are addresses. */
	if (last >= w->next && last < w->segment_last) {
		advance(w, last);
		return i + n;
	}
	advance(w, w->segment_last);
	return KVIOMMU_TABLE_WORDS;
}

/* A part of a table of level 3; w->next is in it. */
static bool visit_pages(struct smmu_walk *w, struct sink *sink)
{
	struct smmu_stage *s = w->s;
	struct smmu_table *t = &s->tables[SMMU_LAST_LEVEL];
	u64 mask = part_mask(s, SMMU_LAST_LEVEL), last = w->next | mask;
	const __le64 *page;

	if (w->check && !(w->next & mask) && last <= w->segment_last) {
		page = w->check(w, s->slot + SMMU_LAST_LEVEL, t->page, w->limit);
		if (!page)
			return emit(w, sink, last, 0, 0, SMMU_EVENT_NONE);
		t->page = page;
	}
	return scan_pages(w, sink);
}

/*
 * From the root to the table that has w->next, and what follows in that.
 * Returns false if there is no place for more.
 */
static bool visit(struct smmu_walk *w, struct sink *sink)
{
	struct smmu_stage *s = w->s;
	struct entry e = { .addr = s->root };
	unsigned int level, i;
	u64 last;
	u8 event;

	if (w->in_table) {
		w->in_table = false;
		return scan_pages(w, sink);
	}
	w->limit = 0;
	for (level = s->level; ; level++) {
		w->entry = entry_addr(s, level, e.addr, w->next);
		event = table(w, s, level, w->entry);
		if (event)
			return emit_fault(w, sink,
					  min(w->next | part_mask(s, level),
					      w->segment_last), event);
		if (level == SMMU_LAST_LEVEL)
			return visit_pages(w, sink);

		for (i = WORD(w->entry); ; i++) {
			i = pass_zeroes(w, level, i);
			if (i == KVIOMMU_TABLE_WORDS)
				return true;
			last = min(w->next | level_mask(s, level),
				   w->segment_last);
			spend(w, 1);
			event = look(s, level,
				     le64_to_cpu(READ_ONCE(s->tables[level].page[i])),
				     w->limit, &e);
			if (!event && !e.page)
				break;
			if (!emit_entry(w, sink, level, last, &e, event))
				return false;
			if (i == KVIOMMU_TABLE_WORDS - 1 || !w->budget ||
			    last == w->segment_last || w->next != last + 1)
				return true;
		}
		if (s->limits)
			w->limit |= e.value & LIMITS;
	}
}

/* Where the next addresses that have tables are; false if there are none. */
static bool segment(struct smmu_walk *w)
{
	struct smmu_stage *low = w->first_stage ? &w->half[0] : &w->s2;
	struct smmu_stage *high = &w->half[1];
	u64 first;

	if (w->done)
		return false;
	if (low->bits && !(w->next >> low->bits)) {
		w->s = low;
		w->segment_last = min(w->last, BIT_ULL(low->bits) - 1);
		return true;
	}
	first = -BIT_ULL(high->bits);	/* none without bits */
	if (!high->bits || w->last < first) {
		w->done = true;
		return false;
	}
	w->s = high;
	w->next = max(w->next, first);
	w->segment_last = w->last;
	return true;
}

/**
 * smmu_walk_next() - what is next in a walk
 * @w: the walk
 * @runs: where to write it
 * @max: how many runs there is place for, at least 1
 *
 * Gives runs in ascending order. Adjacent addresses that lead to adjacent ones
 * with the same permission by pages of the same sizes, or to the same fault, are
 * in one run; only the end of the budget divides it. Where nothing is mapped, or
 * nothing allowed, there is none.
 *
 * The end is reached when @w->done is set. Else there is more, to be asked for
 * with the next call; if @w->budget is 0 it has to be increased before. The
 * budget may be exceeded by what one table has.
 *
 * Context: no locks are taken; the reader may sleep.
 * Return: number of runs.
 */
unsigned int smmu_walk_next(struct smmu_walk *w, struct kviommu_run *runs,
			    unsigned int max)
{
	struct sink sink = { .runs = runs, .max = max };

	while (w->budget && segment(w) && visit(w, &sink))
		;
	return sink.n;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_walk_next);

/* Blocks are of levels 1 and 2, with large granules of level 2 (D8.3). */
static void stage_init(struct smmu_stage *s, u64 ttb, u8 oas, bool affd)
{
	unsigned int size;

	s->blocks = BIT(2) | BIT(SMMU_LAST_LEVEL);
	if (s->granule == 12)
		s->blocks |= BIT(1);
	s->bad = GENMASK_ULL(63, oas);
	s->want = SMMU_PTE_VALID | SMMU_PTE_TABLE;
	if (!affd)
		s->want |= SMMU_PTE_AF;
	s->mask = s->want | (s->bad & SMMU_PTE_ADDR);
	/* It is aligned to its size, and to 64 bytes. */
	size = max(s->bits - level_shift(s, s->level) + 3, 6);
	s->root = ttb >> size << size;
}

static void half_init(struct smmu_walk *w, const struct smmu_key *key,
		      unsigned int n)
{
	const struct smmu_half *h = &key->half[n];
	struct smmu_stage *s = &w->half[n];
	unsigned int levels;

	if (!h->bits)
		return;
	s->slot = SMMU_SLOT_S1;
	s->bits = h->bits;
	s->granule = h->granule;
	levels = DIV_ROUND_UP(h->bits - h->granule, h->granule - 3);
	s->level = SMMU_LAST_LEVEL + 1 - levels;
	s->limits = !h->had;
	stage_init(s, h->ttb, key->ips, key->flags & SMMU_KEY_AFFD);
}

/* The last address before that of the next page */
static u64 page_mask(const struct smmu_key *key, u64 addr)
{
	unsigned int granule = key->flags & SMMU_KEY_S1 ?
			       key->half[addr >> 55 & 1].granule :
			       key->s2_granule;

	return BIT_ULL(max(granule, 12)) - 1;
}

static void start(struct smmu_walk *w, const struct smmu_key *key,
		  struct kviommu_reader *r, u64 first, u64 last, u8 access)
{
	struct smmu_stage *s = &w->s2;
	unsigned int i;
	u64 mask;

	memset(w, 0, sizeof(*w));
	w->reader = r;
	/* Of a single address, its own 4 KiB matter. */
	mask = KVIOMMU_TABLE_SIZE - 1;
	w->next = first & ~(access ? mask : page_mask(key, first));
	w->last = last | (access ? mask : page_mask(key, last));
	w->done = first > last;
	w->access = access;
	w->map.first = 1;	/* > last: says nothing */
	w->first_stage = key->flags & SMMU_KEY_S1;
	w->nested = w->first_stage && key->flags & SMMU_KEY_S2;
	w->s2ptw = key->flags & SMMU_KEY_S2PTW;
	if (key->flags & SMMU_KEY_S2) {
		s->slot = SMMU_SLOT_S2;
		s->second = true;
		s->bits = key->s2_bits;
		s->granule = key->s2_granule;
		s->level = key->s2_level;
		stage_init(s, key->s2ttb, key->s2ps,
			   key->flags & SMMU_KEY_S2AFFD);
	}
	if (w->first_stage)
		for (i = 0; i < ARRAY_SIZE(w->half); i++)
			half_init(w, key, i);
	/* Each page is a walk of its own then. */
	if (w->nested)
		for (i = 0; i < ARRAY_SIZE(w->half); i++)
			w->half[i].want |= BIT_ULL(63);
}

/**
 * smmu_walk_start() - begin to walk over what a key translates
 * @w: the walk
 * @key: of struct smmu_context; not used after this call
 * @r: where tables are read
 * @first: first address; the range is widened to whole pages, of the granule
 *	   that its ends have
 * @last: last address
 *
 * The caller sets @w->budget before smmu_walk_next(). A walk can be given up at
 * any time, and one from @w->next to @w->last be started instead. Tables are
 * read anew by each walk. Addresses that no table could have are passed by.
 */
void smmu_walk_start(struct smmu_walk *w, const struct smmu_key *key,
		     struct kviommu_reader *r, u64 first, u64 last)
{
	start(w, key, r, first, last, 0);
}
EXPORT_SYMBOL_IF_KUNIT(smmu_walk_start);

/**
 * smmu_leaf_shift() - the size of the smallest pages of a key
 * @key: of struct smmu_context, with a first or a second stage
 *
 * Return: log2 of it; of the larger granule if TT0 and TT1 have two.
 */
unsigned int smmu_leaf_shift(const struct smmu_key *key)
{
	return key->flags & SMMU_KEY_S1 ?
		max3(key->half[0].granule, key->half[1].granule, 12) :
		key->s2_granule;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_leaf_shift);

/* ---- a single address ---- */

/**
 * smmu_stage2_translate() - where a context descriptor is
 * @key: with a second stage
 * @r: where tables are read
 * @addr: what the stream table says; guest memory on return
 * @fault: why it can't be read, if it can't
 *
 * Return: whether it can.
 */
bool smmu_stage2_translate(const struct smmu_key *key,
			   struct kviommu_reader *r, u64 *addr,
			   struct smmu_fault *fault)
{
	struct smmu_key s2 = *key;
	struct smmu_walk w;
	u8 event;

	s2.flags &= ~SMMU_KEY_S1;
	start(&w, &s2, r, 0, 0, 0);
	w.budget = U64_MAX;
	event = second_stage(&w, *addr);
	if (!event && (!(w.map.prot & KVIOMMU_READ) ||
		       (w.s2ptw && w.map.device)))
		event = SMMU_EVENT_F_PERMISSION;
	if (event) {
		blame_second(&w, event, SMMU_CLASS_CD, *addr);
		*fault = w.why;
		return false;
	}
	*addr = w.map.gpa + (*addr - w.map.first);
	return true;
}

/* D8.2: TT0 or TT1, and what is looked up in it. False if there is none. */
static bool select_half(const struct smmu_key *key, u64 *addr)
{
	const struct smmu_half *h = &key->half[*addr >> 55 & 1];
	u64 top;

	if (h->tbi)
		*addr = (u64)((s64)(*addr << 8) >> 8);
	if (!h->bits)
		return false;
	top = *addr >> h->bits;
	return top == (h == key->half ? 0 : U64_MAX >> h->bits);
}

/**
 * smmu_translate_in() - what happens to a transaction of a context
 * @view: registers
 * @r: where tables are read
 * @addr: the address
 * @access: KVIOMMU_READ, KVIOMMU_WRITE, or both for an atomic operation
 * @leaf: the answer; its @ctx is the context
 *
 * Says what a walk says, and the event of what this leaves out (7.3).
 */
void smmu_translate_in(const struct smmu_view *view, struct kviommu_reader *r,
		       u64 addr, u8 access, struct smmu_leaf *leaf)
{
	const struct smmu_key *key = &leaf->ctx.key;
	bool s1 = key->flags & SMMU_KEY_S1;
	struct smmu_fault none = {
		.event = SMMU_EVENT_F_TRANSLATION,
		.class = SMMU_CLASS_IN,
		.s2 = !s1,
		.addr = s1 ? 0 : addr,
	};
	struct kviommu_run run;
	struct smmu_walk w;

	leaf->ok = false;
	leaf->prot = 0;
	leaf->gpa = 0;
	leaf->size = 0;
	leaf->fault = leaf->ctx.fault;
	if (leaf->ctx.kind == SMMU_BLOCKED)
		return;
	/* 3.4: a first stage that is passed by has a size, too. */
	if (!s1 && addr >> smmu_oas(view->idr5)) {
		leaf->fault = (struct smmu_fault){
			.event = SMMU_EVENT_F_ADDR_SIZE,
			.class = SMMU_CLASS_IN,
		};
		return;
	}
	if (leaf->ctx.kind == SMMU_BYPASS) {
		leaf->ok = true;
		leaf->prot = KVIOMMU_READ | KVIOMMU_WRITE;
		leaf->gpa = addr;
		return;
	}
	leaf->fault = none;
	if (s1 ? !select_half(key, &addr) : addr >> key->s2_bits)
		return;

	start(&w, key, r, addr, addr, access);
	w.budget = U64_MAX;
	if (!smmu_walk_next(&w, &run, 1) || run.fault) {
		leaf->fault = w.why;
		return;
	}
	leaf->prot = run.prot;
	leaf->gpa = run.gpa + (addr - run.iova);
	leaf->size = BIT_ULL(run.order);
	leaf->ok = !(access & ~run.prot);
	leaf->fault = (struct smmu_fault){};
	if (leaf->ok)
		return;
	leaf->fault.event = SMMU_EVENT_F_PERMISSION;
	leaf->fault.class = SMMU_CLASS_IN;
	leaf->fault.s2 = key->flags & SMMU_KEY_S2;
	leaf->fault.addr = w.nested ? w.input : none.addr;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_translate_in);

/**
 * smmu_translate() - what happens to a transaction of a device
 * @view: registers, of an SMMU that is enabled
 * @r: where tables are read
 * @sid: StreamID
 * @addr: the address
 * @access: see smmu_translate_in()
 * @leaf: the answer, all of it is written
 */
void smmu_translate(const struct smmu_view *view, struct kviommu_reader *r,
		    u32 sid, u64 addr, u8 access, struct smmu_leaf *leaf)
{
	smmu_resolve(view, r, sid, &leaf->ctx);
	smmu_translate_in(view, r, addr, access, leaf);
}
EXPORT_SYMBOL_IF_KUNIT(smmu_translate);
