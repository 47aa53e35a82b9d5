/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SMMUv3 model: an emulated Arm SMMUv3 (IHI 0070), non-secure, without PRI,
 * ATS, stalls and EL2 streams.
 *
 * Guest domains are those of follow.c: commands and registers mark what is to be
 * looked at again, kviommu_follow_work() works it off, and a CMD_SYNC or an update
 * of CR0 is complete when nothing is left.
 *
 * A guest need not tell an SMMU of what it maps, only of what it unmaps. What is
 * new is found when a command has it looked at.
 */
#ifndef KVIOMMU_SMMUV3_H
#define KVIOMMU_SMMUV3_H

#include <linux/bitfield.h>

#include "kviommu_private.h"
#include "regs.h"
#include "tables.h"

#define KVIOMMU_SMMUV3_BAR_SIZE	SZ_128K

/* MSI-X vectors of the emulated device */
enum {
	KVIOMMU_SMMUV3_EVENT_VECTOR,
	KVIOMMU_SMMUV3_GERROR_VECTOR,
	KVIOMMU_SMMUV3_SYNC_VECTOR,
	KVIOMMU_SMMUV3_VECTORS,
};

/* kviommu_gendpoint::flags: faults of a stage are recorded */
#define SMMU_ENDPOINT_RECORD	BIT(0)
#define SMMU_ENDPOINT_S2_RECORD	BIT(1)
/* and there is only a second one */
#define SMMU_ENDPOINT_S2_ONLY	BIT(2)
/* The host has reported a fault of it, so it reports what it meets. */
#define SMMU_ENDPOINT_REPORTED	BIT(3)

/**
 * struct smmu_cmd - a command, taken apart
 * @op: enum smmu_cmd_op
 * @range: of StreamIDs: 2^(@range + 1)
 * @first: range of addresses
 * @last: end of it
 * @cs: of CMD_SYNC: SMMU_SYNC_*, with a message: @data to @addr
 */
struct smmu_cmd {
	u8 op;
	u8 range;
	u8 cs;
	u16 vmid;
	u16 asid;
	u32 sid;
	u32 data;
	u64 addr;
	u64 first;
	u64 last;
};

struct smmu_counters {
	u64 commands[SMMU_CMD_SYNC + 1];	/* by enum smmu_cmd_op */
	u64 command_errors;
	u64 events;
	u64 events_lost;
};

/**
 * struct kviommu_smmu - state of the model; protected by kviommu::lock
 * @f: guest domains. The domain id of an endpoint is its VMID << 16 | ASID
 * @view: registers that translation depends on, as they are in effect
 * @walk: a walk, which is large
 * @cmd: the next command, if it is @fetched
 * @global: pages of all ASIDs were found since a VMM has opened it
 * @above: addresses were found that no host has, likewise
 * @away: the message of the CMD_SYNC has no place just now
 * @give_up: until when to wait for that, jiffies
 * @quiet: no command since the last CMD_SYNC has anything looked at again
 * @idr: IDR0 to IDR5
 */
struct kviommu_smmu {
	struct kviommu_follow f;
	struct smmu_regs regs;
	struct smmu_view view;
	struct smmu_walk walk;
	struct smmu_cmd cmd;
	bool fetched;
	bool global;
	bool above;
	bool away;
	bool quiet;
	unsigned long give_up;
	u32 idr[6];
	struct smmu_counters count;
};

static inline struct kviommu_smmu *to_smmu(const struct kviommu_follow *f)
{
	return container_of(f, struct kviommu_smmu, f);
}

static inline const struct smmu_key *smmu_key(const struct kviommu_gdomain *d)
{
	static_assert(sizeof(struct smmu_key) <= sizeof(d->key));
	return (const struct smmu_key *)d->key;
}

/* command.c */
enum smmu_cerror smmu_decode(const u64 *words, const u32 *idr,
			     struct smmu_cmd *cmd);
enum kviommu_step smmu_command_step(struct kviommu_follow *f);

/* event.c */
void smmu_error(struct kviommu_smmu *sm, u32 error);
bool smmu_record(struct kviommu_smmu *sm, u32 sid,
		 const struct smmu_fault *fault, u64 addr, bool write);

/* smmuv3.c */
void smmu_idr(const struct kviommu *v, u32 *idr);

#endif /* KVIOMMU_SMMUV3_H */
