/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The register file of the VT-d model, and the events that registers ask for.
 * Pure: what a write sets going is told to the caller, who does it.
 */
#ifndef KVIOMMU_VTD_REGS_H
#define KVIOMMU_VTD_REGS_H

#include <linux/types.h>

#include "spec.h"

/* What CAP.FRO, CAP.NFR and ECAP.IRO say */
#define VTD_REG_IRO		0xf0
#define VTD_REG_FRO		0x220
#define VTD_NR_FRCD		8

#define VTD_REG_IVA		(VTD_REG_IRO + VTD_IVA)
#define VTD_REG_IOTLB		(VTD_REG_IRO + VTD_IOTLB)
#define VTD_REG_FRCD(n)		(VTD_REG_FRO + (n) * VTD_FRCD_SIZE)

/* What is behind them in the page reads as 0. */
#define VTD_REGS_SIZE		VTD_REG_FRCD(VTD_NR_FRCD)

/*
 * What a write asks for. An event is the message that the registers have, to be
 * sent now.
 */
#define VTD_WROTE_GCMD		BIT(0)	/* vtd_regs::gcmd is a command */
#define VTD_WROTE_CCMD		BIT(1)	/* ICC was set */
#define VTD_WROTE_IOTLB		BIT(2)	/* IVT was set */
#define VTD_WROTE_QUEUE		BIT(3)	/* the tail moved, or an error was cleared */
#define VTD_FAULT_EVENT		BIT(4)
#define VTD_INV_EVENT		BIT(5)

/**
 * struct vtd_regs - the register file (11.4)
 * @word: by offset / 4
 * @gcmd: what was written to GCMD, which itself can't be read
 * @frcd: fault record that the next fault goes to
 */
struct vtd_regs {
	u32 word[VTD_REGS_SIZE / sizeof(u32)];
	u32 gcmd;
	u32 frcd;
};

static inline u32 vtd_get32(const struct vtd_regs *r, u32 offset)
{
	return r->word[offset / sizeof(u32)];
}

static inline void vtd_set32(struct vtd_regs *r, u32 offset, u32 val)
{
	r->word[offset / sizeof(u32)] = val;
}

static inline u64 vtd_get64(const struct vtd_regs *r, u32 offset)
{
	return vtd_get32(r, offset) | (u64)vtd_get32(r, offset + 4) << 32;
}

static inline void vtd_set64(struct vtd_regs *r, u32 offset, u64 val)
{
	vtd_set32(r, offset, val);
	vtd_set32(r, offset + 4, val >> 32);
}

/* regs.c */
void vtd_regs_reset(struct vtd_regs *r, u64 cap, u64 ecap);
u64 vtd_regs_read(const struct vtd_regs *r, u32 offset, size_t len);
u32 vtd_regs_write(struct vtd_regs *r, u32 offset, u64 val, size_t len);

/**
 * struct vtd_fault_info - a fault to be recorded
 * @addr: address that was asked for, 0 if that is not known
 * @source_id: requester
 * @reason: enum vtd_fault
 * @write: it was a write
 */
struct vtd_fault_info {
	u64 addr;
	u16 source_id;
	u8 reason;
	bool write;
};

/* Status bits that make a fault event (11.4.7.1) */
#define VTD_FSTS_QUEUE_ERRORS	(VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)
/* Those that the queue stops for (6.5.2.11) */
#define VTD_FSTS_QUEUE_STOPS	(VTD_FSTS_IQE | VTD_FSTS_ITE)
#define VTD_FSTS_CONDITIONS	(VTD_FSTS_PFO | VTD_FSTS_PPF | \
				 VTD_FSTS_QUEUE_ERRORS)

/* fault.c */
bool vtd_fault_record(struct vtd_regs *r, const struct vtd_fault_info *f,
		      u32 *events);
u32 vtd_queue_error(struct vtd_regs *r, enum vtd_iqei why);
u32 vtd_wait_complete(struct vtd_regs *r);
void vtd_status_cleared(struct vtd_regs *r);
u32 vtd_event_unmasked(struct vtd_regs *r, u32 ectl, u32 event);

#endif /* KVIOMMU_VTD_REGS_H */
