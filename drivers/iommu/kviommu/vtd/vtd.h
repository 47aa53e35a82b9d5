/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VT-d model: an emulated remapping unit (Intel VT-d specification, revision 5.10).
 *
 * Of all that its guest can ask for, most comes down to two marks: an endpoint
 * is to be looked up in the guest's tables again, and a range of a guest domain
 * is to be brought in line with its page tables. Commands and invalidations set
 * marks; vtd_drain() works them off; and a command, or a wait descriptor, is
 * complete when there are none left.
 */
#ifndef KVIOMMU_VTD_H
#define KVIOMMU_VTD_H

#include <linux/bitfield.h>

#include "kviommu_private.h"
#include "regs.h"
#include "tables.h"

/* The register page is the start of BAR 0. */
#define KVIOMMU_VTD_BAR_SIZE	SZ_64M

/* MSI-X vectors of the emulated device */
enum {
	KVIOMMU_VTD_FAULT_VECTOR,
	KVIOMMU_VTD_INV_VECTOR,
	KVIOMMU_VTD_IEC_VECTOR,		/* interrupt entries have changed */
	KVIOMMU_VTD_VECTORS,
};

/*
 * Host address width that a DMAR table has to say. It is as wide as entries
 * have room for: what is beyond guest memory is found when it is read.
 */
#define KVIOMMU_VTD_HAW		52

/*
 * Credits: work is counted in table entries looked at. What is done for a
 * descriptor, or for a part of 2 MiB that is mapped or unmapped, counts for
 * some of these.
 */
#define VTD_CREDITS_UNIT	1024	/* in a unit of the budget of work */
#define VTD_CREDITS_DESC	128
#define VTD_CREDITS_ENDPOINT	256
#define VTD_CREDITS_PIECE	64

/* Runs to ask a walk for at a time */
#define VTD_RUNS	32

/* Tables to remember while runs of them are on their way to the shadow */
#define VTD_NEW_TABLES	64

/**
 * struct vtd_range - addresses
 * @first: first; there are none if it is larger than @last
 * @last: last
 */
struct vtd_range {
	u64 first;
	u64 last;
};

#define VTD_RANGE_NONE	((struct vtd_range){ .first = U64_MAX })

static inline bool vtd_range_none(const struct vtd_range *r)
{
	return r->first > r->last;
}

/**
 * struct vtd_domain - a guest domain: what endpoints are translated with
 * @node: in kviommu_vtd::domains
 * @dirty: in kviommu_vtd::dirty while a range is to be synced
 * @sibling: next one with the same domain id, or NULL
 * @key: what it is, together with @did; but for what is marked in its tables,
 *	 which can change
 * @did: domain id
 * @epoch: kviommu_vtd::epoch when all of it was marked last for that
 * @users: endpoints that are in it, or wait for it
 * @waiting: those that wait for it
 * @begin: start of the range to be synced
 * @next: what is left of the range begins here
 * @last: end of the range
 * @looked: table entries looked at for this range
 * @tries: how often it was begun anew since the guest changed tables meanwhile
 * @changed: it did
 * @failed: its translations can't be known; its endpoints are blocked
 * @fault: fault that was told of its tables, VTD_FAULT_NONE if there was none
 * @fault_addr: address of that
 * @fault_seen: there was one in this range
 * @out: what its tables may map, and the shadow does not: to be tried again
 * @out_now: what the sync that goes on has found of that
 * @out_at: first address of what was refused first
 * @out_why: errno, why that is not mapped; or 0
 * @out_told: that there is something in @out
 * @asked: the guest invalidated some of it when that was not to be tried yet
 * @retry_at: when to try again, jiffies
 * @retry_wait: how long that is from the last time on, jiffies
 * @seen: parts that need not be looked at while their tables are the same
 * @shadow: what is mapped of it
 */
struct vtd_domain {
	struct list_head node;
	struct list_head dirty;
	struct vtd_domain *sibling;
	struct vtd_key key;
	u16 did;
	u32 epoch;
	unsigned int users;
	unsigned int waiting;
	u64 begin;
	u64 next;
	u64 last;
	u64 looked;
	unsigned int tries;
	bool changed;
	bool failed;
	bool fault_seen;
	u8 fault;
	u64 fault_addr;
	struct vtd_range out;
	struct vtd_range out_now;
	u64 out_at;
	int out_why;
	bool out_told;
	bool asked;
	unsigned long retry_at;
	unsigned long retry_wait;
	struct kviommu_seen seen;
	struct kviommu_shadow shadow;
};

/**
 * struct vtd_endpoint - what the model knows of an endpoint
 * @ep: endpoint
 * @domain: guest domain that it is in, or NULL
 * @next: guest domain that it moves to when that is in sync, or NULL
 * @state: without @domain: BLOCKED or BYPASS
 * @recheck: it is to be looked up in the tables again
 * @fpd: its faults are not recorded
 * @fault: fault that was told of its entries, VTD_FAULT_NONE if there was none
 * @did: domain id that its entries are cached with; 0 if it is blocked
 */
struct vtd_endpoint {
	struct kviommu_endpoint *ep;
	struct vtd_domain *domain;
	struct vtd_domain *next;
	enum kviommu_state state;
	bool recheck;
	bool fpd;
	u8 fault;
	u16 did;
};

/**
 * struct vtd_inv - an invalidation, from the queue or from registers
 * @type: enum vtd_desc_type
 * @gran: granularity, as the type has it
 * @fm: function mask, bits of @sid that don't count
 * @did: domain id
 * @sid: requester id
 * @first: range of addresses
 * @last: end of it
 * @addr: of a wait descriptor: where @data goes
 * @flags: of a wait descriptor: its first word
 * @data: of a wait descriptor: status
 */
struct vtd_inv {
	u8 type;
	u8 gran;
	u8 fm;
	u16 did;
	u16 sid;
	union {
		struct {
			u64 first;
			u64 last;
		};
		struct {
			u64 addr;
			u64 flags;
			u32 data;
		};
	};
};

/**
 * struct vtd_queue - the invalidation queue, as it was when it was enabled
 * @base: guest physical address
 * @size: bytes
 * @width: bytes of a descriptor
 * @head: offset of the next one
 * @fetched: @inv is the one at @head
 * @away: guest memory that is needed for it was not there when it was tried
 * @give_up: until when to wait for that, jiffies
 * @inv: descriptor
 */
struct vtd_queue {
	u64 base;
	u32 size;
	u32 width;
	u32 head;
	bool fetched;
	bool away;
	unsigned long give_up;
	struct vtd_inv inv;
};

struct vtd_counters {
	u64 desc[VTD_DESC_PGRESP + 1];	/* by enum vtd_desc_type */
	u64 register_inv;
	u64 commands;
	u64 queue_errors;
	u64 lost_status;	/* wait descriptors whose status went nowhere */
	u64 lookups;
	u64 syncs;
	u64 entries;
	u64 mapped;
	u64 unmapped;
	u64 kept;
	u64 tables_same;
	u64 sync_ns;
	u64 did_conflicts;
	u64 refused;		/* ranges that could not be mapped */
	u64 reserved;		/* ranges of the host that the guest maps */
	u64 failed;
};

/**
 * struct kviommu_vtd - state of the model; protected by kviommu::lock
 * @v: vIOMMU
 * @regs: registers
 * @view: registers that translation depends on, as they are in effect
 * @reader: of guest memory, for walks
 * @walk: a walk, which is large
 * @runs: what it gives
 * @walked: domain that this is for
 * @key: of what is known of tables
 * @new: the last tables that were walked all over
 * @nr_new: how many
 * @queue: invalidation queue
 * @domains: all guest domains
 * @nr_domains: how many
 * @dirty: those of them with a range to be synced
 * @by_did: domain id -> the first guest domain that has it
 * @nr_endpoints: endpoints that are there
 * @nr_recheck: those of them to be looked up again
 * @resv: addresses that must not be mapped for some endpoint
 * @epoch: how often all tables were to be looked at again
 * @credits: what may still be done now
 * @gsts: bits of GSTS to be set when all that was asked for is done
 * @ccmd: CCMD is complete then
 * @iotlb: IOTLB is
 * @wbf: GCMD.WBF is
 * @check_dids: domain ids may have got more than one table
 * @count: counters
 */
struct kviommu_vtd {
	struct kviommu *v;
	struct vtd_regs regs;
	struct vtd_view view;
	struct kviommu_guest_reader reader;
	struct vtd_walk walk;
	struct vtd_run runs[VTD_RUNS];
	struct vtd_domain *walked;
	struct kviommu_seen_key key;
	struct kviommu_seen_table new[VTD_NEW_TABLES];
	unsigned int nr_new;
	struct vtd_queue queue;
	struct list_head domains;
	struct list_head dirty;
	struct xarray by_did;
	unsigned int nr_domains;
	unsigned int nr_endpoints;
	unsigned int nr_recheck;
	struct kviommu_geometry resv;
	u32 epoch;
	s64 credits;
	u32 gsts;
	bool ccmd;
	bool iotlb;
	bool wbf;
	bool check_dids;
	struct vtd_counters count;
};

static inline struct vtd_endpoint *
vtd_endpoint(const struct kviommu_endpoint *ep)
{
	return ep->model_priv;
}

/* domain.c */
void vtd_recheck_all(struct kviommu_vtd *vt);
void vtd_recheck(struct kviommu_vtd *vt, struct vtd_endpoint *ve);
bool vtd_mark(struct kviommu_vtd *vt, struct vtd_domain *d, u64 first,
	      u64 last);
void vtd_mark_all(struct kviommu_vtd *vt);
void vtd_mark_first_stage(struct kviommu_vtd *vt);
void vtd_unmark_all(struct kviommu_vtd *vt);
bool vtd_drain(struct kviommu_vtd *vt);
bool vtd_retry(struct kviommu *v, bool now);
void vtd_endpoint_set(struct kviommu_vtd *vt, struct vtd_endpoint *ve,
		      enum kviommu_state state);
int vtd_resv_add(struct kviommu_vtd *vt, const struct kviommu_geometry *geo);

/* queue.c */
enum vtd_step {
	VTD_STEP_DONE,		/* a descriptor is done with */
	VTD_STEP_DRAIN,		/* the next one needs all before it to be done */
	VTD_STEP_IDLE,		/* there is none, or the queue has stopped */
	VTD_STEP_AWAY,		/* guest memory that it needs is away just now */
};

enum vtd_iqei vtd_decode(const u64 *words, bool wide,
			 const struct vtd_view *view, struct vtd_inv *inv);
void vtd_queue_enable(struct kviommu_vtd *vt, bool on);
enum vtd_step vtd_queue_step(struct kviommu_vtd *vt);
bool vtd_invalidate(struct kviommu_vtd *vt, const struct vtd_inv *inv);

/* vtd.c */
void vtd_caps(const struct kviommu *v, u64 *cap, u64 *ecap);
void vtd_send(struct kviommu_vtd *vt, u32 events);
void vtd_tell_fault(struct kviommu_vtd *vt, const struct vtd_endpoint *ve,
		    u8 reason, u64 addr, bool write);

#endif /* KVIOMMU_VTD_H */
