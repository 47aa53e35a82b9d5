/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VT-d model: an emulated remapping unit (Intel VT-d specification, revision 5.10).
 *
 * Of all that its guest can ask for, most comes down to two marks: an endpoint
 * is to be looked up in the guest's tables again, and a range of a guest domain
 * is to be brought in line with its page tables. Commands and invalidations set
 * marks; kviommu_follow_work() works them off; and a command, or a wait
 * descriptor, is complete when there are none left.
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
};

/* kviommu_gendpoint::flags */
#define VTD_ENDPOINT_FPD	BIT(0)	/* its faults are not recorded */

/**
 * struct kviommu_vtd - state of the model; protected by kviommu::lock
 * @f: guest domains. The domain id of an endpoint is 0 if it is blocked
 * @regs: registers
 * @view: registers that translation depends on, as they are in effect
 * @walk: a walk, which is large
 * @queue: invalidation queue
 * @gsts: bits of GSTS to be set when all that was asked for is done
 * @ccmd: CCMD is complete then
 * @iotlb: IOTLB is
 * @wbf: GCMD.WBF is
 * @count: counters
 */
struct kviommu_vtd {
	struct kviommu_follow f;
	struct vtd_regs regs;
	struct vtd_view view;
	struct vtd_walk walk;
	struct vtd_queue queue;
	u32 gsts;
	bool ccmd;
	bool iotlb;
	bool wbf;
	struct vtd_counters count;
};

static inline struct kviommu_vtd *to_vtd(const struct kviommu_follow *f)
{
	return container_of(f, struct kviommu_vtd, f);
}

static inline const struct vtd_key *vtd_key(const struct kviommu_gdomain *d)
{
	static_assert(sizeof(struct vtd_key) <= sizeof(d->key));
	return (const struct vtd_key *)d->key;
}

/* queue.c */
const char *vtd_desc_name(unsigned int type);
enum vtd_iqei vtd_decode(const u64 *words, bool wide,
			 const struct vtd_view *view, struct vtd_inv *inv);
void vtd_queue_enable(struct kviommu_vtd *vt, bool on);
enum kviommu_step vtd_queue_step(struct kviommu_follow *f);
bool vtd_invalidate(struct kviommu_vtd *vt, const struct vtd_inv *inv);

/* vtd.c */
void vtd_caps(const struct kviommu *v, u64 *cap, u64 *ecap);
void vtd_send(struct kviommu_vtd *vt, u32 events);
#endif /* KVIOMMU_VTD_H */
