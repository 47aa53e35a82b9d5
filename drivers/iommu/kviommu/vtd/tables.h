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
 * struct vtd_reader - where tables are read
 * @page: a copy of the page of guest memory at @gpa (page aligned); it is the
 *	  walker's until the next call for the same @slot. NULL if it is not
 *	  memory of the guest
 * @update: write @new to the word at @gpa if it still is @old, atomically: 0;
 *	    -EAGAIN if it is not; or an errno if it can't be written
 */
struct vtd_reader {
	__le64 *(*page)(struct vtd_reader *r, unsigned int slot, u64 gpa);
	int (*update)(struct vtd_reader *r, u64 gpa, u64 old, u64 new);
};

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

#define VTD_KEY_SCALABLE	BIT(0)
#define VTD_KEY_SUPERVISOR	BIT(1)	/* requests have supervisor privilege */
#define VTD_KEY_WPE		BIT(2)
#define VTD_KEY_EAFE		BIT(3)
#define VTD_KEY_SSADE		BIT(4)
#define VTD_KEY_PWSNP		BIT(5)

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
 * struct vtd_run - adjacent addresses that have the same said of them
 * @iova: first
 * @last: last
 * @gpa: where @iova is translated to
 * @prot: KVIOMMU_READ, KVIOMMU_WRITE or both; 0 for a fault
 * @fault: enum vtd_fault: a table here has an error. VTD_FAULT_NONE otherwise
 */
struct vtd_run {
	u64 iova;
	u64 last;
	u64 gpa;
	u8 prot;
	u8 fault;
};

/**
 * struct vtd_leaf - how one address is translated
 * @ctx: of the requester
 * @fault: VTD_FAULT_NONE if the access is allowed
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

/**
 * struct vtd_walk - a walk over a range of addresses
 * @next: where to go on
 * @last: last address of the range
 * @budget: how many entries of tables may still be looked at; the caller's
 * @done: @last was reached
 * @changed: an entry could not be marked as used because the guest changed it;
 *	     the range it is for was left out, and has to be walked again
 */
struct vtd_walk {
	u64 next;
	u64 last;
	u64 budget;
	bool done;
	bool changed;

	/* private: */
	const struct vtd_view *view;
	const struct vtd_key *key;
	struct vtd_reader *reader;
};

void vtd_resolve(const struct vtd_view *view, struct vtd_reader *r,
		 u16 source_id, struct vtd_context *ctx);
void vtd_walk_start(struct vtd_walk *w, const struct vtd_view *view,
		    const struct vtd_key *key, struct vtd_reader *r,
		    u64 first, u64 last);
unsigned int vtd_walk_next(struct vtd_walk *w, struct vtd_run *runs,
			   unsigned int max);
void vtd_translate(const struct vtd_view *view, struct vtd_reader *r,
		   u16 source_id, u64 addr, u8 access, struct vtd_leaf *leaf);

#endif /* KVIOMMU_VTD_TABLES_H */
