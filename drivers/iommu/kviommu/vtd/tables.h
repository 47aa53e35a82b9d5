/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's tables: from a requester id to what translates it (context.c),
 * and from an address range to guest pages (pgtable.c).
 *
 * Pure functions of registers and of what a reader reads: no locks, no guest
 * memory of their own. Nothing is believed of what was read: no entry is used
 * that was not checked, and what is looked at is bounded by the number of
 * levels and by a budget.
 */
#ifndef KVIOMMU_VTD_TABLES_H
#define KVIOMMU_VTD_TABLES_H

#include <linux/bitfield.h>
#include <linux/types.h>

#include "kviommu_private.h"
#include "spec.h"

#define VTD_MAX_LEVELS		5

/* A reader's pages: one for what context.c reads, and one for each level */
#define VTD_SLOT_CONTEXT	0
#define VTD_SLOT_FS		1	/* + level - 1 */
#define VTD_SLOT_SS		(VTD_SLOT_FS + VTD_MAX_LEVELS)
#define VTD_SLOTS		(VTD_SLOT_SS + VTD_MAX_LEVELS)

/**
 * struct vtd_view - the registers that translation depends on
 * @rtaddr: RTADDR as taken over by the last GCMD.SRTP
 * @cap: CAP
 * @ecap: ECAP
 * @haw: host address width that the DMAR table says, bits
 * @te: translation is enabled
 */
struct vtd_view {
	u64 rtaddr;
	u64 cap;
	u64 ecap;
	u8 haw;
	bool te;
};

#define VTD_KEY_SUPERVISOR	BIT(0)	/* requests have supervisor privilege */
#define VTD_KEY_WPE		BIT(1)
#define VTD_KEY_EAFE		BIT(2)
#define VTD_KEY_SSADE		BIT(3)
#define VTD_KEY_PWSNP		BIT(4)

/**
 * struct vtd_key - what addresses are translated with
 * @fsptptr: first-stage root, valid with @fs_levels
 * @ssptptr: second-stage root, valid with @ss_levels
 * @fs_levels: 4, 5, or 0: no first stage
 * @ss_levels: 3, 4, 5, or 0: no second stage
 * @flags: VTD_KEY_*
 *
 * Two requesters with the same bytes here have the same translations, and what
 * has no influence on these is zero.
 */
struct vtd_key {
	u64 fsptptr;
	u64 ssptptr;
	u8 fs_levels;
	u8 ss_levels;
	u16 flags;
	u32 zero;
};

enum vtd_kind {
	VTD_BLOCKED,
	VTD_PASSTHROUGH,
	VTD_TRANSLATE,
};

/**
 * struct vtd_context - how a requester's addresses are translated
 * @kind: VTD_BLOCKED if nothing is
 * @fault: for VTD_BLOCKED, enum vtd_fault; VTD_FAULT_NONE if no fault is to be
 *	   recorded
 * @fpd: faults of this requester are not recorded (FPD)
 * @did: domain id, but for VTD_BLOCKED
 * @key: for VTD_TRANSLATE, else all zero
 */
struct vtd_context {
	enum vtd_kind kind;
	u8 fault;
	bool fpd;
	u16 did;
	struct vtd_key key;
};

/**
 * struct vtd_leaf - how one address is translated
 * @ctx: of the requester
 * @fault: enum vtd_fault, VTD_FAULT_NONE if the access is allowed
 * @gpa: where the address is translated to, if the access is allowed
 * @size: bytes that are translated by the same entry, the smaller one of the
 *	  two stages; 0 if the address is passed through
 * @prot: accesses that would be allowed
 */
struct vtd_leaf {
	struct vtd_context ctx;
	u8 fault;
	u8 prot;
	u64 gpa;
	u64 size;
};

struct vtd_stage_faults;

/*
 * What the lowest three bits of a page's entry, and-ed with those of the
 * entries above it, mean: allow @prot if @mask of the entry is @want.
 */
struct vtd_rule {
	u64 mask;
	u64 want;
	u8 prot;
};

/*
 * A table that was read: @addr is what the entry above said, @gpa where that is
 * in guest memory. @writable: the second stage lets the first's be written.
 */
struct vtd_table {
	const __le64 *page;
	u64 addr;
	u64 gpa;
	bool writable;
};

/*
 * First or second stage of a walk. @bits: of the lowest three, those that mean
 * something. @accessed, @dirty: bits to be set in entries that are used, and in
 * those of pages that are written. Arrays begin with level 1.
 */
struct vtd_stage {
	const struct vtd_stage_faults *faults;
	u64 root;
	u64 bits;
	u64 accessed;
	u64 dirty;
	u8 levels;
	u8 slot;
	u64 table_rsvd[VTD_MAX_LEVELS];
	u64 page_rsvd[VTD_MAX_LEVELS];
	struct vtd_rule rules[8];
	struct vtd_table tables[VTD_MAX_LEVELS];
};

/*
 * What the second stage last said: @first and what follows it up to @last is at
 * @gpa. @written: it was asked for writing.
 */
struct vtd_map {
	u64 first;
	u64 last;
	u64 gpa;
	u8 prot;
	u8 fault;
	u8 shift;
	bool written;
};

/**
 * struct vtd_walk - a walk over a range of addresses
 * @next: where to go on
 * @last: last address of the range
 * @budget: how many entries of tables may still be looked at; the caller's
 * @done: @last was reached
 * @changed: the guest changed an entry while it was marked as used. What that is
 *	     for is in a run without @prot and @fault, and has to be walked again
 * @check: asked for each table of level 1 that is walked all over, if it is set
 *	   after vtd_walk_start() and the walk is not nested. Returns the table,
 *	   or a copy that is walked in its place; or NULL if it is known already
 *	   what it says: then its addresses are in a run without @prot and @fault
 */
struct vtd_walk {
	u64 next;
	u64 last;
	u64 budget;
	bool done;
	bool changed;
	const __le64 *(*check)(struct vtd_walk *w, unsigned int slot,
			       const __le64 *page, u64 bits);

	/* private: */
	const struct vtd_view *view;
	struct kviommu_reader *reader;
	struct vtd_stage fs;
	struct vtd_stage ss;
	struct vtd_map map;
	u64 ss_last;
	u64 gap_first;
	u64 gap_last;
	u64 segment_last;
	u64 bits;
	bool in_table;
	u16 flags;
	u8 access;
	u8 shift;
	u8 hole;
};

static inline bool vtd_scalable(const struct vtd_view *view)
{
	return FIELD_GET(VTD_RTADDR_TTM, view->rtaddr) == VTD_TTM_SCALABLE;
}

/* Does hardware mark entries as used for what has this key */
static inline bool vtd_key_marks(const struct vtd_key *key)
{
	return key->fs_levels || key->flags & VTD_KEY_SSADE;
}

void vtd_resolve(const struct vtd_view *view, struct kviommu_reader *r,
		 u16 source_id, struct vtd_context *ctx);
void vtd_walk_start(struct vtd_walk *w, const struct vtd_view *view,
		    const struct vtd_key *key, struct kviommu_reader *r,
		    u64 first, u64 last);
u64 vtd_ss_last(const struct vtd_view *view, const struct vtd_key *key);
unsigned int vtd_walk_next(struct vtd_walk *w, struct kviommu_run *runs,
			   unsigned int max);
void vtd_translate_in(const struct vtd_view *view, struct kviommu_reader *r,
		      u64 addr, u8 access, struct vtd_leaf *leaf);
void vtd_translate(const struct vtd_view *view, struct kviommu_reader *r,
		   u16 source_id, u64 addr, u8 access, struct vtd_leaf *leaf);

#endif /* KVIOMMU_VTD_TABLES_H */
