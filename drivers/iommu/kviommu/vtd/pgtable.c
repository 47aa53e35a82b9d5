// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables: first stage (3.6, 9.7), second stage (3.7, 9.8), and the first
 * nested in the second (3.8).
 *
 * A walk goes over a range in ascending order and gives runs of adjacent
 * addresses. It goes from the root down to the table that has the next address,
 * through all of that table, and starts anew. Tables on the way are still there
 * from the time before, so that each one is read once as long as the walk is
 * below it. A table that is absent is passed by in one step; a table that names
 * itself ends at level 1.
 *
 * Hardware marks what it uses: first-stage entries as accessed and dirty
 * (3.6.2), those of the second stage if SSADE says so (3.7.2). A shadow is used
 * without being asked. So an entry is accessed when it is taken over into a
 * shadow, which hardware may do ahead of time, and a page that may be written
 * is dirty from then on: not to see a page that was written would lose data,
 * the contrary costs a copy.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "tables.h"

#define INTERRUPT_SIZE	(VTD_INTERRUPT_LAST - VTD_INTERRUPT_FIRST + 1)

/* Instead of a fault: the guest changed the entry meanwhile. */
#define CHANGED		0xff

static_assert(VTD_SS_R == KVIOMMU_READ && VTD_SS_W == KVIOMMU_WRITE);

struct vtd_stage_faults {
	u8 root_access;
	u8 access;
	u8 rsvd;
	u8 ad_nosnoop;
	u8 ad;
};

static const struct vtd_stage_faults first_stage_faults = {
	.root_access = VTD_FAULT_FS_ROOT_ACCESS,
	.access = VTD_FAULT_FS_ACCESS,
	.rsvd = VTD_FAULT_FS_RSVD,
	.ad_nosnoop = VTD_FAULT_FS_AD_NOSNOOP,
	.ad = VTD_FAULT_FS_AD,
};

static const struct vtd_stage_faults second_stage_faults = {
	.root_access = VTD_FAULT_SS_ROOT_ACCESS,
	.access = VTD_FAULT_SS_ACCESS,
	.rsvd = VTD_FAULT_SS_RSVD,
	.ad_nosnoop = VTD_FAULT_SS_AD_NOSNOOP,
	.ad = VTD_FAULT_SS_AD,
};

static const struct vtd_stage_faults legacy_stage_faults = {
	.root_access = VTD_FAULT_L_CTX_INVALID,
	.access = VTD_FAULT_L_SS_ACCESS,
	.rsvd = VTD_FAULT_L_SS_RSVD,
};

/* An entry that was looked at, and what it and those above it allow */
struct entry {
	u64 value;
	u64 bits;
	u8 prot;
	bool page;
};

struct sink {
	struct kviommu_run *runs;
	unsigned int n;
	unsigned int max;
};

static unsigned int level_shift(unsigned int level)
{
	return VTD_PAGE_SHIFT + VTD_LEVEL_BITS * (level - 1);
}

static u64 level_mask(unsigned int level)
{
	return BIT_ULL(level_shift(level)) - 1;
}

static unsigned int level_index(u64 addr, unsigned int level)
{
	return addr >> level_shift(level) & (VTD_TABLE_ENTRIES - 1);
}

static void spend(struct vtd_walk *w, u64 cost)
{
	w->budget -= min(w->budget, cost);
}

/* What is up to @last is done with. */
static void advance(struct vtd_walk *w, u64 last)
{
	if (last == w->last)
		w->done = true;
	else
		w->next = last + 1;
}

/* ---- entries ---- */

/* 3.6.1: the lowest bits of all entries together */
static u8 first_stage_prot(u16 flags, u64 bits)
{
	bool write = bits & VTD_FS_RW;

	if (!(bits & VTD_FS_P))
		return 0;
	if (flags & VTD_KEY_SUPERVISOR)
		write |= !(flags & VTD_KEY_WPE);
	else if (!(bits & VTD_FS_US))
		return 0;
	return KVIOMMU_READ | (write ? KVIOMMU_WRITE : 0);
}

/* Bits that have to be set in the entry of a page that allows @prot. */
static u64 page_marks(const struct vtd_stage *s, u8 prot, bool write)
{
	return s->accessed | (write && prot & KVIOMMU_WRITE ? s->dirty : 0);
}

static u8 mark(struct vtd_walk *w, struct vtd_stage *s, unsigned int level,
	       unsigned int i, u64 *value, u64 marks)
{
	struct vtd_table *t = &s->tables[level - 1];
	u64 new = *value | marks;
	int rc;

	/* 3.10 */
	if (!(w->flags & VTD_KEY_PWSNP))
		return s->faults->ad_nosnoop;
	if (!t->writable)
		return VTD_FAULT_FS_TABLE_WRITE;
	rc = w->reader->update(w->reader, s->slot + level - 1,
			       t->gpa + i * sizeof(u64), *value, new);
	if (rc == -EAGAIN) {
		w->changed = true;
		return CHANGED;
	}
	if (rc)
		return s->faults->ad;
	*value = new;
	return VTD_FAULT_NONE;
}

/* Why an entry allows nothing; a lack of permission is not said here. */
static u8 hole_fault(const struct vtd_walk *w, const struct vtd_stage *s,
		     u64 value)
{
	if (s == &w->ss)
		return VTD_FAULT_NONE;
	return value & VTD_FS_P ? VTD_FAULT_PRIVILEGE : VTD_FAULT_FS_NP;
}

/*
 * Look at entry @i of the table of that level. @bits: what the entries above
 * allow; @write: the page will be written if it may be.
 */
static u8 look(struct vtd_walk *w, struct vtd_stage *s, unsigned int level,
	       unsigned int i, u64 bits, bool write, struct entry *e)
{
	u64 marks;

	e->value = le64_to_cpu(READ_ONCE(s->tables[level - 1].page[i]));
	e->bits = e->value & bits;
	e->prot = s->rules[e->bits].prot;
	if (!e->prot) {
		w->hole = hole_fault(w, s, e->value);
		return VTD_FAULT_NONE;
	}

	/* Above level 3 VTD_PTE_PS is reserved. */
	e->page = level == 1 || (level <= 3 && e->value & VTD_PTE_PS);
	if (e->value & (e->page ? s->page_rsvd : s->table_rsvd)[level - 1])
		return s->faults->rsvd;
	marks = e->page ? page_marks(s, e->prot, write) : s->accessed;
	if (marks & ~e->value)
		return mark(w, s, level, i, &e->value, marks);
	return VTD_FAULT_NONE;
}

/* ---- tables ---- */

static u8 second_stage(struct vtd_walk *w, u64 addr, bool write);

/* 3.8.1: where a table of the first stage is */
static u8 nested_table(struct vtd_walk *w, unsigned int level, u64 *gpa,
		       bool *writable)
{
	u8 want = KVIOMMU_READ, fault;

	if (*gpa > w->ss_last)
		return VTD_FAULT_FS_ADDR_WIDTH;
	/* Then its entries are marked, or might be. */
	if (w->flags & VTD_KEY_SSADE)
		want |= KVIOMMU_WRITE;
	fault = second_stage(w, *gpa, want & KVIOMMU_WRITE);
	if (fault)
		return fault;
	if (want & ~w->map.prot)
		return level == w->fs.levels ? VTD_FAULT_FS_ROOT_READ :
					       VTD_FAULT_FS_TABLE_READ;
	*writable = w->map.prot & KVIOMMU_WRITE;
	*gpa = w->map.gpa + (*gpa - w->map.first);
	return VTD_FAULT_NONE;
}

/* Have the table at @addr in its place. */
static u8 table(struct vtd_walk *w, struct vtd_stage *s, unsigned int level,
		u64 addr)
{
	struct vtd_table *t = &s->tables[level - 1];
	u8 fault;

	if (likely(t->page && t->addr == addr))
		return VTD_FAULT_NONE;
	t->page = NULL;
	t->addr = addr;
	t->gpa = addr;
	t->writable = true;
	if (s == &w->fs && w->ss.levels) {
		fault = nested_table(w, level, &t->gpa, &t->writable);
		if (fault)
			return fault;
	}
	spend(w, KVIOMMU_TABLE_COST);
	t->page = w->reader->page(w->reader, s->slot + level - 1, t->gpa);
	if (t->page)
		return VTD_FAULT_NONE;
	return level == s->levels ? s->faults->root_access : s->faults->access;
}

/*
 * Ask the second stage for an address of the first. What it says goes to
 * w->map. Neighbours are asked for together, so the last answer often holds.
 */
static u8 second_stage(struct vtd_walk *w, u64 addr, bool write)
{
	struct vtd_stage *s = &w->ss;
	struct vtd_map *m = &w->map;
	unsigned int level = s->levels;
	struct entry e = { .value = s->root, .bits = s->bits };
	u64 mask;
	u8 fault;

	write = write && s->dirty;
	if (addr >= m->first && addr <= m->last && m->fault != CHANGED &&
	    (!write || m->written))
		return m->fault;
	for (;; level--) {
		e.prot = 0;
		mask = level_mask(level + 1);
		fault = table(w, s, level, e.value & VTD_PTE_ADDR);
		if (fault)
			break;
		mask = level_mask(level);
		spend(w, 1);
		fault = look(w, s, level, level_index(addr, level), e.bits,
			     write, &e);
		if (fault || !e.prot || e.page)
			break;
	}
	m->first = addr & ~mask;
	m->last = min(addr | mask, w->ss_last);
	m->gpa = e.value & VTD_PTE_ADDR & ~mask;
	m->shift = level_shift(level);
	m->prot = e.prot;
	m->fault = fault;
	m->written = write;
	return fault;
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
static bool emit(struct vtd_walk *w, struct sink *sink, u64 last, u64 gpa,
		 u8 prot, u8 fault)
{
	struct kviommu_run *run = last_run(sink);

	if (run && run->last + 1 == w->next && run->prot == prot &&
	    run->fault == fault &&
	    (fault || (run->order == w->shift &&
		       run->gpa + (w->next - run->iova) == gpa))) {
		run->last = last;
	} else {
		if (sink->n == sink->max)
			return false;
		sink->runs[sink->n++] = (struct kviommu_run){
			.iova = w->next, .last = last, .gpa = gpa,
			.prot = prot, .fault = fault,
			.order = fault ? 0 : w->shift,
		};
	}
	advance(w, last);
	return true;
}

/* What is not known yet stays as it is until it is walked again. */
static bool emit_fault(struct vtd_walk *w, struct sink *sink, u64 last, u8 fault)
{
	return emit(w, sink, last, 0, 0,
		    fault == CHANGED ? VTD_FAULT_NONE : fault);
}

/* 3.15: nothing is translated to the addresses of interrupts. */
static bool emit_pages(struct vtd_walk *w, struct sink *sink, u64 last, u64 gpa,
		       u8 prot)
{
	u64 first = w->next;
	u64 end = gpa + (last - first);

	if (gpa < VTD_INTERRUPT_FIRST && end >= VTD_INTERRUPT_FIRST) {
		if (!emit(w, sink, first + (VTD_INTERRUPT_FIRST - 1 - gpa), gpa,
			  prot, VTD_FAULT_NONE))
			return false;
		gpa = VTD_INTERRUPT_FIRST;
		first = w->next;
	}
	if (gpa >= VTD_INTERRUPT_FIRST && gpa <= VTD_INTERRUPT_LAST) {
		if (!emit(w, sink, min(last, first + (VTD_INTERRUPT_LAST - gpa)),
			  0, 0, vtd_scalable(w->view) ? VTD_FAULT_INTERRUPT :
						    VTD_FAULT_L_INTERRUPT))
			return false;
		if (end <= VTD_INTERRUPT_LAST)
			return true;
		gpa = VTD_INTERRUPT_LAST + 1;
	}
	return emit(w, sink, last, gpa, prot, VTD_FAULT_NONE);
}

/* A page of the first stage, or the rest of it; piece by piece */
static bool emit_nested(struct vtd_walk *w, struct sink *sink, u64 last, u64 gpa,
			u8 prot)
{
	const struct vtd_map *m = &w->map;
	u8 shift = w->shift;

	do {
		u64 piece;
		u8 fault;

		if (gpa > w->ss_last)
			return emit(w, sink, last, 0, 0,
				    VTD_FAULT_FS_ADDR_WIDTH);
		fault = second_stage(w, gpa, prot & w->access & KVIOMMU_WRITE);
		w->shift = min(shift, m->shift);
		piece = w->next + min(last - w->next, m->last - gpa);
		if (fault) {
			if (!emit_fault(w, sink, piece, fault))
				return false;
		} else if (!(prot & m->prot)) {
			advance(w, piece);
		} else if (!emit_pages(w, sink, piece,
				       m->gpa + (gpa - m->first),
				       prot & m->prot)) {
			return false;
		}
		if (piece == last)
			break;
		gpa = m->last + 1;
	} while (w->budget);
	return true;
}

static bool emit_page(struct vtd_walk *w, struct sink *sink, unsigned int level,
		      u64 last, const struct entry *e)
{
	u64 mask = level_mask(level);
	u64 gpa = (e->value & VTD_PTE_ADDR & ~mask) + (w->next & mask);

	w->shift = level_shift(level);
	if (w->fs.levels && w->ss.levels)
		return emit_nested(w, sink, last, gpa, e->prot);
	return emit_pages(w, sink, last, gpa, e->prot);
}

/* An entry that leads to no table */
static bool emit_entry(struct vtd_walk *w, struct sink *sink, unsigned int level,
		       u64 last, const struct entry *e, u8 fault)
{
	if (fault)
		return emit_fault(w, sink, last, fault);
	if (e->prot)
		return emit_page(w, sink, level, last, e);
	advance(w, last);
	return true;
}

/* ---- the walk ---- */

/* Address, with prot in its low bits, of a page that continues the last run. */
static u64 continuation(const struct sink *sink, u64 iova)
{
	const struct kviommu_run *run = last_run(sink);

	if (!run || run->fault || run->order != VTD_PAGE_SHIFT ||
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
static unsigned long followers(const __le64 *p, const __le64 *end, u64 value)
{
	const __le64 *first = p + 1;

	while (++p < end) {
		value += VTD_PAGE_SIZE;
		if (!(value & VTD_PTE_ADDR & level_mask(2)) ||
		    le64_to_cpu(READ_ONCE(*p)) != value)
			break;
	}
	return p - first;
}

/* A page of level 1, at w->next, of which more is to be said */
static noinline bool scan_page(struct vtd_walk *w, struct vtd_stage *s,
			       struct sink *sink, u64 bits)
{
	struct entry e;
	u8 fault;

	fault = look(w, s, 1, level_index(w->next, 1), bits,
		     w->access & KVIOMMU_WRITE, &e);
	return emit_entry(w, sink, 1, w->next + VTD_PAGE_SIZE - 1, &e, fault);
}

/*
 * Pages of a table of level 1, from w->next on. Long walks spend their time
 * here, so what only has to be appended to the runs is done in place; and in a
 * function of its own, that has enough registers for it.
 */
static noinline bool scan_pages(struct vtd_walk *w, struct vtd_stage *s,
				struct sink *sink, u64 bits)
{
	struct kviommu_run *run = sink->runs + sink->n;	/* the next one */
	struct kviommu_run *no_run = sink->runs + sink->max;
	const struct vtd_rule *rules = s->rules;
	u64 iova = w->next, next_page = continuation(sink, iova);
	unsigned int i = level_index(iova, 1);
	const __le64 *p = s->tables[0].page + i, *begin = p;
	const __le64 *end = p + min_t(u64, VTD_TABLE_ENTRIES - i,
				      ((w->segment_last - iova) >>
				       VTD_PAGE_SHIFT) + 1);
	bool room = true;
	unsigned long n;

	static_assert(IS_ALIGNED(VTD_INTERRUPT_FIRST, SZ_2M));
	for (; p < end; p++, iova += VTD_PAGE_SIZE) {
		u64 value = le64_to_cpu(READ_ONCE(*p));
		const struct vtd_rule *rule = &rules[value & bits];
		u64 gpa = value & VTD_PTE_ADDR;
		u64 prot = rule->prot;

		if (!prot) {
			w->hole = hole_fault(w, s, value);
			next_page = 0;
			n = skip_zeroes(p + 1, end) - p - 1;
			p += n;
			iova += n * VTD_PAGE_SIZE;
			continue;
		}
		if (unlikely((value & rule->mask) != rule->want ||
			     gpa - VTD_INTERRUPT_FIRST < INTERRUPT_SIZE)) {
			w->next = iova;
			sink->n = run - sink->runs;
			room = scan_page(w, s, sink, bits);
			run = sink->runs + sink->n;
			if (!room || w->done || !w->budget)
				goto out;
			next_page = continuation(sink, iova + VTD_PAGE_SIZE);
			continue;
		}
		if ((gpa | prot) == next_page) {
			n = followers(p, end, value);
			run[-1].last += (n + 1) * VTD_PAGE_SIZE;
			p += n;
			iova += n * VTD_PAGE_SIZE;
			gpa += n * VTD_PAGE_SIZE;
		} else if (run != no_run) {
			run->iova = iova;
			run->last = iova + VTD_PAGE_SIZE - 1;
			run->gpa = gpa;
			run->prot = prot;
			run->fault = VTD_FAULT_NONE;
			run->order = VTD_PAGE_SHIFT;
			run->leaf = 0;
			run++;
		} else {
			w->next = iova;
			room = false;
			goto out;
		}
		next_page = (gpa | prot) + VTD_PAGE_SIZE;
	}
	advance(w, iova - 1);
out:
	/* If there was no place, the next visit is to the same table. */
	w->bits = bits;
	w->in_table = !room;
	sink->n = run - sink->runs;
	spend(w, p - begin);
	return room;
}

/*
 * Pass by zero entries of a table from @i on, which is where w->next is. Returns
 * where that is then, or VTD_TABLE_ENTRIES if it is not in the table any more.
 */
static unsigned int pass_zeroes(struct vtd_walk *w, const struct vtd_stage *s,
				unsigned int level, unsigned int i)
{
	const __le64 *page = s->tables[level - 1].page;
	unsigned int n = skip_zeroes(page + i, page + VTD_TABLE_ENTRIES) -
			 (page + i);
	u64 last;

	if (!n)
		return i;
	spend(w, n);
	w->hole = hole_fault(w, s, 0);
	last = (w->next | level_mask(level)) +
	       ((u64)(n - 1) << level_shift(level));
	if (last < w->segment_last) {
		advance(w, last);
		return i + n;
	}
	advance(w, w->segment_last);
	return VTD_TABLE_ENTRIES;
}

/* A table of level 1; w->next is in it. */
static bool visit_pages(struct vtd_walk *w, struct vtd_stage *s,
			struct sink *sink, u64 bits)
{
	struct vtd_table *t = &s->tables[0];
	u64 last = w->next + level_mask(2);
	const __le64 *page;

	if (w->check && !(w->next & level_mask(2)) && last <= w->segment_last) {
		page = w->check(w, s->slot, t->page, bits);
		if (!page)
			return emit(w, sink, last, 0, 0, VTD_FAULT_NONE);
		t->page = page;
	}
	return scan_pages(w, s, sink, bits);
}

/*
 * From the root to the table that has w->next, and what follows in that.
 * Returns false if there is no place for more.
 */
static bool visit(struct vtd_walk *w, struct sink *sink)
{
	struct vtd_stage *s = w->fs.levels ? &w->fs : &w->ss;
	struct entry e = { .value = s->root, .bits = s->bits };
	unsigned int level, i;
	u64 bits, last;
	u8 fault;

	if (w->in_table) {
		w->in_table = false;
		return scan_pages(w, s, sink, w->bits);
	}
	for (level = s->levels; ; level--) {
		fault = table(w, s, level, e.value & VTD_PTE_ADDR);
		if (fault)
			return emit_fault(w, sink,
					  min(w->next | level_mask(level + 1),
					      w->segment_last), fault);
		if (level == 1)
			return visit_pages(w, s, sink, e.bits);

		bits = e.bits;
		for (i = level_index(w->next, level); ; i++) {
			i = pass_zeroes(w, s, level, i);
			if (i == VTD_TABLE_ENTRIES)
				return true;
			last = min(w->next | level_mask(level),
				   w->segment_last);
			spend(w, 1);
			fault = look(w, s, level, i, bits,
				     w->access & KVIOMMU_WRITE, &e);
			if (!fault && e.prot && !e.page)
				break;
			if (!emit_entry(w, sink, level, last, &e, fault))
				return false;
			if (i == VTD_TABLE_ENTRIES - 1 || !w->budget ||
			    last == w->segment_last || w->next != last + 1)
				return true;
		}
	}
}

/* Addresses that no table is asked for are passed by. */
static void skip(struct vtd_walk *w, u64 first, u64 last)
{
	if (!w->done && w->next >= first && w->next <= last)
		advance(w, min(last, w->last));
}

/* Set where the next addresses that have tables end; false if there are none. */
static bool segment(struct vtd_walk *w)
{
	skip(w, VTD_INTERRUPT_FIRST, VTD_INTERRUPT_LAST);
	skip(w, w->gap_first, w->gap_last);
	if (w->done)
		return false;
	w->segment_last = w->last;
	if (w->next < VTD_INTERRUPT_FIRST)
		w->segment_last = min(w->last, VTD_INTERRUPT_FIRST - 1);
	if (w->next < w->gap_first)
		w->segment_last = min(w->segment_last, w->gap_first - 1);
	return true;
}

/**
 * vtd_walk_next() - what is next in a walk
 * @w: the walk
 * @runs: where to write it
 * @max: how many runs there is place for, at least 1
 *
 * Gives runs in ascending order. Adjacent addresses that lead to adjacent ones
 * with the same permission by pages of the same size, or to the same fault, are
 * in one run; only the end of the budget divides it. What is not translated,
 * without anything being wrong, is in none.
 *
 * The end is reached when @w->done is set. Else there is more, to be asked for
 * with the next call; if @w->budget is 0 it has to be increased before. The
 * budget may be exceeded by what one table has.
 *
 * Context: no locks are taken; the reader may sleep.
 * Return: number of runs.
 */
unsigned int vtd_walk_next(struct vtd_walk *w, struct kviommu_run *runs,
			   unsigned int max)
{
	struct sink sink = { .runs = runs, .max = max };

	while (w->budget && segment(w) && visit(w, &sink))
		;
	return sink.n;
}
EXPORT_SYMBOL_IF_KUNIT(vtd_walk_next);

/* With the other stage there, each page is a walk of its own. */
static void stage_rule(struct vtd_walk *w, struct vtd_stage *s,
		       unsigned int bits, u8 prot)
{
	struct vtd_rule *rule = &s->rules[bits];

	rule->prot = prot;
	rule->want = page_marks(s, prot, w->access & KVIOMMU_WRITE);
	rule->mask = rule->want | s->page_rsvd[0];
	if (w->fs.levels && w->ss.levels)
		rule->want = U64_MAX;
}

/* 3.6, 9.7 */
static void first_stage_init(struct vtd_walk *w, const struct vtd_key *key,
			     u64 haw_rsvd, bool marks)
{
	struct vtd_stage *s = &w->fs;
	unsigned int level, bits;

	s->faults = &first_stage_faults;
	s->root = key->fsptptr;
	s->slot = VTD_SLOT_FS;
	s->bits = VTD_FS_P | VTD_FS_RW | VTD_FS_US;
	if (marks) {
		s->accessed = VTD_FS_A;
		if (key->flags & VTD_KEY_EAFE)
			s->accessed |= VTD_FS_EA;
		s->dirty = VTD_FS_D;
	}
	for (level = 1; level <= key->fs_levels; level++) {
		s->table_rsvd[level - 1] = haw_rsvd;
		s->page_rsvd[level - 1] = haw_rsvd;
		if (level > 3)
			s->table_rsvd[level - 1] |= VTD_PTE_PS;
		else if (level > 1)
			s->page_rsvd[level - 1] |= level_mask(level) &
				VTD_PTE_ADDR & ~VTD_FS_PAT_LARGE;
	}
	if (!(w->view->cap & VTD_CAP_FS1GP))
		s->page_rsvd[2] |= VTD_PTE_PS;
	for (bits = 0; bits <= s->bits; bits++)
		stage_rule(w, s, bits, first_stage_prot(w->flags, bits));
}

/* 3.7, 9.8 */
static void second_stage_init(struct vtd_walk *w, const struct vtd_key *key,
			      u64 haw_rsvd, bool marks)
{
	struct vtd_stage *s = &w->ss;
	u64 page_rsvd = haw_rsvd | VTD_SS_IW;
	unsigned int level, bits;

	s->faults = vtd_scalable(w->view) ? &second_stage_faults :
					&legacy_stage_faults;
	s->root = key->ssptptr;
	s->slot = VTD_SLOT_SS;
	s->bits = VTD_SS_R | VTD_SS_W;
	if (marks && key->flags & VTD_KEY_SSADE) {
		s->accessed = VTD_SS_A;
		s->dirty = VTD_SS_D;
	}
	if (!(w->view->ecap & VTD_ECAP_SC))
		page_rsvd |= VTD_SS_SNP;
	for (level = 1; level <= key->ss_levels; level++) {
		s->table_rsvd[level - 1] = haw_rsvd | VTD_SS_IW | VTD_SS_SNP;
		s->page_rsvd[level - 1] = page_rsvd;
		if (level > 3)
			s->table_rsvd[level - 1] |= VTD_PTE_PS;
		else if (level > 1)
			s->page_rsvd[level - 1] |= level_mask(level) &
						   VTD_PTE_ADDR;
	}
	if (!(w->view->cap & VTD_CAP_SSLPS_2M))
		s->page_rsvd[1] |= VTD_PTE_PS;
	if (!(w->view->cap & VTD_CAP_SSLPS_1G))
		s->page_rsvd[2] |= VTD_PTE_PS;
	for (bits = 0; bits <= s->bits; bits++)
		stage_rule(w, s, bits, bits);
}

/**
 * vtd_ss_last() - the highest address that a second stage translates
 * @view: registers
 * @key: with a second stage
 *
 * Return: the address (LGN.1.1, SGN.5 in 7.1.3).
 */
u64 vtd_ss_last(const struct vtd_view *view, const struct vtd_key *key)
{
	unsigned int mgaw = FIELD_GET(VTD_CAP_MGAW, view->cap) + 1;

	return BIT_ULL(min(mgaw, level_shift(key->ss_levels + 1))) - 1;
}

static void start(struct vtd_walk *w, const struct vtd_view *view,
		  const struct vtd_key *key, struct kviommu_reader *r, u64 first,
		  u64 last, u8 access, bool marks)
{
	u64 haw_rsvd = view->haw < 52 ? GENMASK_ULL(51, view->haw) : 0;

	memset(w, 0, sizeof(*w));
	w->view = view;
	w->reader = r;
	w->flags = key->flags;
	w->next = first & ~(VTD_PAGE_SIZE - 1);
	w->last = last | (VTD_PAGE_SIZE - 1);
	w->done = first > last;
	w->access = access;
	w->shift = VTD_PAGE_SHIFT;
	w->map.first = 1;	/* > last: says nothing */

	/* Who only looks can still say what hardware could not mark. */
	marks |= !(key->flags & VTD_KEY_PWSNP);
	w->fs.levels = key->fs_levels;
	w->ss.levels = key->ss_levels;
	if (key->ss_levels) {
		w->ss_last = vtd_ss_last(view, key);
		second_stage_init(w, key, haw_rsvd, marks);
	}
	if (key->fs_levels) {
		/* Canonical are the lowest and the highest addresses (3.6). */
		u64 half = BIT_ULL(level_shift(key->fs_levels + 1) - 1);

		w->gap_first = half;
		w->gap_last = -half - 1;
		first_stage_init(w, key, haw_rsvd, marks);
	} else {
		w->gap_first = w->ss_last + 1;
		w->gap_last = U64_MAX;
	}
}

/**
 * vtd_walk_start() - begin to walk over what a key translates
 * @w: the walk
 * @view: registers; they must not change during the walk
 * @key: of struct vtd_context; not used after this call
 * @r: where tables are read, and marked as used; if it has no update(),
 *     nothing is marked
 * @first: first address; the range is widened to whole pages
 * @last: last address
 *
 * The caller sets @w->budget before vtd_walk_next(). A walk can be given up at
 * any time, and one from @w->next to @w->last be started instead. Tables are
 * read anew by each walk.
 *
 * Addresses of interrupts, which are not translated (3.15), and those that no
 * table could have are passed by.
 */
void vtd_walk_start(struct vtd_walk *w, const struct vtd_view *view,
		    const struct vtd_key *key, struct kviommu_reader *r,
		    u64 first, u64 last)
{
	start(w, view, key, r, first, last, KVIOMMU_READ | KVIOMMU_WRITE,
	      r->update);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_walk_start);

/* ---- a single address ---- */

/* What is refused before any table is looked at */
static enum vtd_fault address_fault(const struct vtd_view *view,
				    const struct vtd_context *ctx, u64 addr)
{
	bool sm = vtd_scalable(view);

	/* No interrupt, then it is an illegal request (3.15). */
	if (addr >= VTD_INTERRUPT_FIRST && addr <= VTD_INTERRUPT_LAST)
		return sm ? VTD_FAULT_INTERRUPT : VTD_FAULT_L_INTERRUPT;
	if (ctx->kind == VTD_PASSTHROUGH) {
		if (addr >> view->haw)
			return sm ? VTD_FAULT_HAW : VTD_FAULT_L_ADDR_WIDTH;
	} else if (ctx->key.fs_levels) {
		unsigned int shift = level_shift(ctx->key.fs_levels + 1) - 1;

		if ((s64)addr >> shift != 0 && (s64)addr >> shift != -1)
			return VTD_FAULT_NONCANONICAL;
	} else if (addr > vtd_ss_last(view, &ctx->key)) {
		return sm ? VTD_FAULT_ADDR_WIDTH : VTD_FAULT_L_ADDR_WIDTH;
	}
	return VTD_FAULT_NONE;
}

static enum vtd_fault permission_fault(const struct vtd_view *view, u8 lacking)
{
	if (lacking & KVIOMMU_WRITE)
		return vtd_scalable(view) ? VTD_FAULT_WRITE : VTD_FAULT_L_WRITE;
	return vtd_scalable(view) ? VTD_FAULT_READ : VTD_FAULT_L_READ;
}

/**
 * vtd_translate_in() - what happens to a request of a context
 * @view: registers
 * @r: where tables are read; nothing is marked as used
 * @addr: the address; one of an interrupt is taken for something else
 * @access: KVIOMMU_READ, KVIOMMU_WRITE, or both for an atomic operation
 * @leaf: the answer; its @ctx is the context
 *
 * Says what a walk says, and the fault of a request that this leaves out or
 * allows less than (7.1.3).
 */
void vtd_translate_in(const struct vtd_view *view, struct kviommu_reader *r,
		      u64 addr, u8 access, struct vtd_leaf *leaf)
{
	const struct vtd_context *ctx = &leaf->ctx;
	struct kviommu_run run;
	struct vtd_walk w;

	leaf->prot = 0;
	leaf->gpa = 0;
	leaf->size = 0;
	leaf->fault = ctx->fault;
	if (ctx->kind == VTD_BLOCKED)
		return;
	if (view->te)
		leaf->fault = address_fault(view, ctx, addr);
	if (leaf->fault)
		return;
	if (ctx->kind == VTD_PASSTHROUGH) {
		leaf->gpa = addr;
		leaf->prot = KVIOMMU_READ | KVIOMMU_WRITE;
		return;
	}

	start(&w, view, &ctx->key, r, addr, addr, access, false);
	w.budget = U64_MAX;
	if (!vtd_walk_next(&w, &run, 1)) {
		leaf->fault = ctx->key.fs_levels && w.hole ? w.hole :
			      permission_fault(view, access);
		return;
	}
	leaf->fault = run.fault;
	if (run.fault)
		return;
	leaf->prot = run.prot;
	if (access & ~run.prot) {
		leaf->fault = permission_fault(view, access & ~run.prot);
		return;
	}
	leaf->gpa = run.gpa + (addr & (VTD_PAGE_SIZE - 1));
	leaf->size = BIT_ULL(run.order);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_translate_in);

/**
 * vtd_translate() - what happens to a request of a device
 * @view: registers
 * @r: where tables are read; nothing is marked as used
 * @source_id: requester id
 * @addr: the address
 * @access: see vtd_translate_in()
 * @leaf: the answer, all of it is written
 */
void vtd_translate(const struct vtd_view *view, struct kviommu_reader *r,
		   u16 source_id, u64 addr, u8 access, struct vtd_leaf *leaf)
{
	vtd_resolve(view, r, source_id, &leaf->ctx);
	vtd_translate_in(view, r, addr, access, leaf);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_translate);
