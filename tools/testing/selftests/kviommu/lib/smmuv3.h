/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's driver for an SMMUv3, by the specification (IHI 0070): registers
 * through BAR 0, tables and queues in guest memory.
 */
#ifndef KVIOMMU_TEST_SMMUV3_H
#define KVIOMMU_TEST_SMMUV3_H

#include "vfio.h"

/* Registers (6.3) */
#define SMMU_IDR0		0x00
#define SMMU_IDR1		0x04
#define SMMU_IDR3		0x0c
#define SMMU_IDR5		0x14
#define SMMU_CR0		0x20
#define SMMU_CR0ACK		0x24
#define SMMU_CR2		0x2c
#define SMMU_GBPA		0x44
#define SMMU_IRQ_CTRL		0x50
#define SMMU_GERROR		0x60
#define SMMU_GERRORN		0x64
#define SMMU_STRTAB_BASE	0x80
#define SMMU_STRTAB_BASE_CFG	0x88
#define SMMU_CMDQ_BASE		0x90
#define SMMU_CMDQ_PROD		0x98
#define SMMU_CMDQ_CONS		0x9c
#define SMMU_EVENTQ_BASE	0xa0
#define SMMU_EVENTQ_PROD	0x100a8
#define SMMU_EVENTQ_CONS	0x100ac

#define SMMU_SMMUEN		1u
#define SMMU_EVENTQEN		4u
#define SMMU_CMDQEN		8u
#define SMMU_GBPA_ABORT		(1u << 20)
#define SMMU_MSI_CMDQ_ABT	(1u << 4)	/* of GERROR */
#define SMMU_GBPA_UPDATE	(1u << 31)

/* Commands (4.1), first word */
#define SMMU_C_PREFETCH		0x01ULL
#define SMMU_C_CFGI_STE(sid)	(0x03 | (u64)(sid) << 32)
#define SMMU_C_CFGI_RANGE(sid)	(0x04 | (u64)(sid) << 32)
#define SMMU_C_CFGI_CD(sid)	(0x05 | (u64)(sid) << 32)
#define SMMU_C_CFGI_CD_ALL(sid)	(0x06 | (u64)(sid) << 32)
#define SMMU_C_NH_ALL(vmid)	(0x10 | (u64)(vmid) << 32)
#define SMMU_C_NH_ASID(vmid, asid) \
	(0x11 | (u64)(vmid) << 32 | (u64)(asid) << 48)
#define SMMU_C_NH_VA(vmid, asid) \
	(0x12 | (u64)(vmid) << 32 | (u64)(asid) << 48)
#define SMMU_C_NH_VAA(vmid)	(0x13 | (u64)(vmid) << 32)
#define SMMU_C_S12_VMALL(vmid)	(0x28 | (u64)(vmid) << 32)
#define SMMU_C_S2_IPA(vmid)	(0x2a | (u64)(vmid) << 32)
#define SMMU_C_NSNH_ALL		0x30ULL
#define SMMU_C_SYNC		0x46ULL
#define SMMU_C_SYNC_IRQ(data)	(0x46 | 1 << 12 | (u64)(data) << 32)

#define SMMU_CERROR_ILL		1
#define SMMU_CERROR_ABT		2

/* Entries of pages */
#define SMMU_S1_RW	0x441ULL	/* AF, unprivileged */
#define SMMU_S1_RO	0x4c1ULL
#define SMMU_S1_PRIV	0x401ULL
#define SMMU_S2_RW	0x4fdULL	/* AF, normal memory */
#define SMMU_S2_RO	0x47dULL
#define SMMU_S2_WO	0x4bdULL

/* Tables and queues are in this much of guest memory, from its start on */
#define SMMU_MEMORY	(2 * MiB)

/* STE.Config */
enum smmu_config {
	SMMU_ABORT = 0, SMMU_BYPASS = 4, SMMU_S1, SMMU_S2, SMMU_NESTED,
};

struct smmu {
	struct vfio_dev *dev;
	u8 *mem;		/* SMMU_MEMORY bytes */
	u64 gpa;		/* of mem */
	u64 used;		/* of it */
	u64 strtab;		/* a page: 64 entries */
	u64 cmdq;		/* a page: 256 commands */
	u64 eventq;		/* a page: 128 events */
	u64 status;		/* word that syncs write */
	u32 prod;
	u32 events;		/* EVENTQ_CONS */
	u32 syncs;
};

u64 smmu_read(struct smmu *s, u64 off, size_t len);
int smmu_write(struct smmu *s, u64 off, u64 value, size_t len);

/* A driver without anything: all streams abort; nothing is enabled */
void smmu_init(struct smmu *s, struct vfio_dev *dev, u8 *mem, u64 gpa);
/* A page of zeroes for tables */
u64 smmu_page(struct smmu *s);
static inline volatile u64 *smmu_ptr(struct smmu *s, u64 gpa)
{
	return (volatile u64 *)(s->mem + (gpa - s->gpa));
}

/* Tables of 4 KiB, from level 0 on; pages of 2^shift bytes. bits 0: away */
void smmu_map(struct smmu *s, u64 table, u64 iova, u64 gpa, unsigned int shift,
	      u64 bits);
/* What a stream does: a context descriptor with ASID, VMID, and both tables */
void smmu_stream(struct smmu *s, u32 sid, enum smmu_config config, u64 cd,
		 u16 vmid, u64 s2);
void smmu_cd(struct smmu *s, u64 cd, u16 asid, u64 table);

/* CR0, until CR0ACK has it; 0 or -ETIMEDOUT */
int smmu_enable(struct smmu *s, u32 bits);
/* All of it, with the queues */
int smmu_start(struct smmu *s);
int smmu_gbpa(struct smmu *s, bool abort);

/* One more command; it is not fetched before smmu_ring() */
void smmu_put(struct smmu *s, u64 word0, u64 word1);
void smmu_ring(struct smmu *s);
/* All that is queued, and a sync; 0, -ETIMEDOUT, or -EIO if the queue stopped */
int smmu_sync(struct smmu *s);
int smmu_submit(struct smmu *s, u64 word0, u64 word1);

/* The next event: 1, or 0 if there is none */
int smmu_next_event(struct smmu *s, u64 *words);

#endif
