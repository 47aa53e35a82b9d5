/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The register file of the SMMUv3 model. Pure: what a write sets going is told to
 * the caller, who does it.
 */
#ifndef KVIOMMU_SMMUV3_REGS_H
#define KVIOMMU_SMMUV3_REGS_H

#include <linux/types.h>

#include "spec.h"

/* What is behind them in the first page reads as 0, as PRIQ's do. */
#define SMMU_REGS_SIZE		0xc0

/* Largest queues: log2 of their entries (IDR1.CMDQS, IDR1.EVENTQS) */
#define SMMU_MAX_CMDQ		19
#define SMMU_MAX_EVENTQ		19

/* What a write asks for */
#define SMMU_WROTE_CR0		BIT(0)
#define SMMU_WROTE_GBPA		BIT(1)	/* GBPA.ABORT is another one */
#define SMMU_WROTE_QUEUE	BIT(2)	/* there may be commands to do */

/**
 * struct smmu_regs - the register file (6.3)
 * @word: by offset / 4. EVENTQ_PROD and EVENTQ_CONS, which are in the second
 *	  page, are where they would be in the first
 */
struct smmu_regs {
	u32 word[SMMU_REGS_SIZE / sizeof(u32)];
};

static inline u32 *smmu_word(struct smmu_regs *r, u32 offset)
{
	return &r->word[(offset & 0xffff) / sizeof(u32)];
}

static inline u32 smmu_get32(const struct smmu_regs *r, u32 offset)
{
	return r->word[(offset & 0xffff) / sizeof(u32)];
}

static inline void smmu_set32(struct smmu_regs *r, u32 offset, u32 val)
{
	*smmu_word(r, offset) = val;
}

static inline u64 smmu_get64(const struct smmu_regs *r, u32 offset)
{
	return smmu_get32(r, offset) | (u64)smmu_get32(r, offset + 4) << 32;
}

/* Errors that software has not acknowledged (7.5) */
static inline u32 smmu_gerror(const struct smmu_regs *r)
{
	return smmu_get32(r, SMMU_GERROR) ^ smmu_get32(r, SMMU_GERRORN);
}

void smmu_regs_reset(struct smmu_regs *r, const u32 *idr, bool abort);
u64 smmu_regs_read(const struct smmu_regs *r, u32 offset, size_t len);
u32 smmu_regs_write(struct smmu_regs *r, u32 offset, u64 val, size_t len);
bool smmu_regs_error(struct smmu_regs *r, u32 error);

/**
 * struct smmu_queue - a queue, as its registers have it (3.5.1)
 * @gpa: guest physical address
 * @log2: of the number of entries
 * @prod: index that is written next, with the wrap bit above it
 * @cons: index that is read next, likewise
 */
struct smmu_queue {
	u64 gpa;
	unsigned int log2;
	u32 prod;
	u32 cons;
};

void smmu_regs_queue(const struct smmu_regs *r, u32 base, u32 prod,
		     unsigned int max, unsigned int entry_size,
		     struct smmu_queue *q);

/* Index and wrap bit of a queue */
static inline u32 smmu_queue_mask(const struct smmu_queue *q)
{
	return (2U << q->log2) - 1;
}

static inline bool smmu_queue_full(const struct smmu_queue *q)
{
	return (q->prod ^ q->cons) == 1U << q->log2;
}

/* Where the entry with an index is */
static inline u64 smmu_queue_entry(const struct smmu_queue *q, u32 i,
				   unsigned int entry_size)
{
	return q->gpa + (u64)(i & ((1U << q->log2) - 1)) * entry_size;
}

#endif /* KVIOMMU_SMMUV3_REGS_H */
