/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's tables: from a StreamID to what translates it (stream.c), and from
 * an address range to guest pages (pgtable.c).
 *
 * Pure functions of registers and of what a reader reads: no locks, no guest
 * memory of their own. Nothing is believed of what was read: no entry is used
 * that was not checked, and what is looked at is bounded by the number of
 * levels and by a budget.
 */
#ifndef KVIOMMU_SMMUV3_TABLES_H
#define KVIOMMU_SMMUV3_TABLES_H

#include <linux/types.h>

#include "kviommu_private.h"
#include "spec.h"

/* A reader's pages: one for what stream.c reads, and one for each level */
#define SMMU_SLOT_STREAM	0
#define SMMU_SLOT_S1		1	/* + level */
#define SMMU_SLOT_S2		(SMMU_SLOT_S1 + SMMU_LEVELS)
#define SMMU_SLOTS		(SMMU_SLOT_S2 + SMMU_LEVELS)

/**
 * struct smmu_view - the registers that translation depends on
 * @strtab: STRTAB_BASE
 * @strtab_cfg: STRTAB_BASE_CFG
 * @idr0: IDR0
 * @idr1: IDR1
 * @idr5: IDR5
 */
struct smmu_view {
	u64 strtab;
	u32 strtab_cfg;
	u32 idr0;
	u32 idr1;
	u32 idr5;
};

#define SMMU_KEY_S1		BIT(0)	/* there is a first stage */
#define SMMU_KEY_S2		BIT(1)	/* there is a second one */
#define SMMU_KEY_AFFD		BIT(2)	/* CD.AFFD */
#define SMMU_KEY_S2AFFD		BIT(3)
#define SMMU_KEY_S2PTW		BIT(4)

/**
 * struct smmu_half - TT0 or TT1 of a first stage
 * @ttb: the table
 * @bits: bits of its addresses, 0 if it is disabled
 * @granule: log2 of the size of its tables
 * @had: hierarchical permissions are disabled
 * @tbi: the highest byte of addresses does not count
 */
struct smmu_half {
	u64 ttb;
	u8 bits;
	u8 granule;
	bool had;
	bool tbi;
	u32 zero;
};

/**
 * struct smmu_key - what addresses are translated with
 * @half: TT0 and TT1, with a first stage
 * @s2ttb: table of the second stage, if there is one, and what follows
 * @ips: bits of what the first stage gives
 * @s2ps: bits of what the second one gives
 * @s2_bits: bits of addresses that it translates
 * @s2_granule: log2 of the size of its tables
 * @s2_level: at which level it begins
 * @flags: SMMU_KEY_*
 *
 * Two streams with the same bytes here have the same translations, and what has
 * no influence on these is zero.
 */
struct smmu_key {
	struct smmu_half half[2];
	u64 s2ttb;
	u8 ips;
	u8 s2ps;
	u8 s2_bits;
	u8 s2_granule;
	u8 s2_level;
	u8 flags;
	u16 zero;
};

enum smmu_kind {
	SMMU_BLOCKED,
	SMMU_BYPASS,
	SMMU_TRANSLATE,
};

/**
 * struct smmu_fault - why something is refused, as event records have it (7.3)
 * @event: enum smmu_event; SMMU_EVENT_NONE if nothing is to be recorded
 * @class: enum smmu_class
 * @s2: the second stage said so; @addr is what it was asked for
 * @addr: of F_*_FETCH and F_WALK_EABT, what could not be read
 */
struct smmu_fault {
	u8 event;
	u8 class;
	bool s2;
	u64 addr;
};

/**
 * struct smmu_context - how a stream's addresses are translated
 * @kind: SMMU_BLOCKED if nothing is
 * @record: faults of the first stage are recorded (CD.R)
 * @s2_record: those of the second stage are (STE.S2R)
 * @fault: for SMMU_BLOCKED
 * @vmid: for SMMU_TRANSLATE
 * @asid: likewise, with a first stage; else 0
 * @key: for SMMU_TRANSLATE, else all zero
 */
struct smmu_context {
	enum smmu_kind kind;
	bool record;
	bool s2_record;
	u16 vmid;
	u16 asid;
	struct smmu_fault fault;
	struct smmu_key key;
};

/**
 * struct smmu_leaf - how one address is translated
 * @ctx: of the stream
 * @fault: its event is SMMU_EVENT_NONE if the access is allowed, or if @ctx says
 *	   to abort it silently
 * @ok: the access is allowed
 * @gpa: where the address is translated to, if it is
 * @size: bytes that are translated by the same entry, the smaller one of the
 *	  two stages; 0 for a bypass
 * @prot: accesses that would be allowed
 */
struct smmu_leaf {
	struct smmu_context ctx;
	struct smmu_fault fault;
	bool ok;
	u8 prot;
	u64 gpa;
	u64 size;
};

/*
 * 4 KiB of a table that were read: @addr is where they are for the stage that
 * has them.
 */
struct smmu_table {
	const __le64 *page;
	u64 addr;
};

/*
 * A stage of a walk. @root: its first table, whose entries are of @level and
 * index what is above. @bits, @granule: as in struct smmu_key. @oas: bits of
 * addresses that it may give. @blocks: levels with blocks, a bit each.
 * @limits: entries of tables take permissions away. @want: what the lowest bits
 * of a page's entry must be, among @mask.
 */
struct smmu_stage {
	u64 root;
	u8 level;
	u8 bits;
	u8 granule;
	u8 oas;
	u8 slot;
	u8 blocks;
	bool limits;
	bool second;
	u64 mask;
	u64 want;
	u64 bad;	/* address bits that are too high */
	struct smmu_table tables[SMMU_LEVELS];
};

/*
 * What the second stage last said: @first and what follows it up to @last is at
 * @gpa.
 */
struct smmu_map {
	u64 first;
	u64 last;
	u64 gpa;
	u8 prot;
	u8 event;
	u8 shift;
	bool device;
	u64 fetch;
};

/**
 * struct smmu_walk - a walk over a range of addresses
 * @next: where to go on
 * @last: last address of the range
 * @budget: how many entries of tables may still be looked at; the caller's
 * @done: @last was reached
 * @global: the caller's; set when a page of a first stage is of all ASIDs
 * @check: asked for each 4 KiB of a table of level 3 that are walked all over,
 *	   if it is set after smmu_walk_start() and the walk is not nested.
 *	   Returns the table, or a copy that is walked in its place; or NULL if it
 *	   is known already what it says: then its addresses are in a run without
 *	   @prot and @fault
 * @why: why the last address that is in no run, or in one with a fault, is not
 *	 translated
 */
struct smmu_walk {
	u64 next;
	u64 last;
	u64 budget;
	bool done;
	bool global;
	const __le64 *(*check)(struct smmu_walk *w, unsigned int slot,
			       const __le64 *page, u64 bits);
	struct smmu_fault why;

	/* private: */
	struct kviommu_reader *reader;
	struct smmu_stage *s;	/* that addresses enter */
	struct smmu_stage half[2];
	struct smmu_stage s2;
	struct smmu_map map;
	u64 segment_last;
	u64 entry;
	u64 limit;
	u64 input;
	bool first_stage;
	bool nested;
	bool s2ptw;
	bool in_table;
	u8 access;
	u8 shift;	/* of the smaller page, with two stages */
	u8 leaf;	/* of the page in the stage that addresses enter */
};

void smmu_resolve(const struct smmu_view *view, struct kviommu_reader *r,
		  u32 sid, struct smmu_context *ctx);
void smmu_walk_start(struct smmu_walk *w, const struct smmu_key *key,
		     struct kviommu_reader *r, u64 first, u64 last);
unsigned int smmu_walk_next(struct smmu_walk *w, struct kviommu_run *runs,
			    unsigned int max);
unsigned int smmu_leaf_shift(const struct smmu_key *key);
void smmu_translate_in(const struct smmu_view *view, struct kviommu_reader *r,
		       u64 addr, u8 access, struct smmu_leaf *leaf);
void smmu_translate(const struct smmu_view *view, struct kviommu_reader *r,
		    u32 sid, u64 addr, u8 access, struct smmu_leaf *leaf);
unsigned int smmu_oas(u32 idr5);
bool smmu_stage2_translate(const struct smmu_key *key,
			   struct kviommu_reader *r, u64 *addr,
			   struct smmu_fault *fault);

#endif /* KVIOMMU_SMMUV3_TABLES_H */
