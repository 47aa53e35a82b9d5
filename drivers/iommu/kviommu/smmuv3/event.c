// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the SMMUv3 model tells software: events (7.2, 7.3), global errors (7.5),
 * and the interrupts of both (3.18).
 *
 * Events are not merged. One that has no place sets the overflow flag, and is
 * lost; one that can't be written is a global error.
 */
#include <trace/events/kviommu.h>

#include "smmuv3.h"

/**
 * smmu_error() - report a global error
 * @sm: model
 * @error: bit of GERROR
 */
void smmu_error(struct kviommu_smmu *sm, u32 error)
{
	if (smmu_regs_error(&sm->regs, error))
		kviommu_irq_msix(sm->f.v, KVIOMMU_SMMUV3_GERROR_VECTOR);
}

/* 7.3: what each event says */
static void make_record(u32 sid, const struct smmu_fault *fault, u64 addr,
			bool write, u64 *words)
{
	words[0] = FIELD_PREP(SMMU_EVENT0_ID, fault->event) |
		   FIELD_PREP(SMMU_EVENT0_SID, sid);
	words[1] = 0;
	words[2] = 0;
	words[3] = 0;
	switch (fault->event) {
	case SMMU_EVENT_F_STE_FETCH:
	case SMMU_EVENT_F_CD_FETCH:
		words[3] = fault->addr & SMMU_EVENT3_ADDR;
		return;
	case SMMU_EVENT_F_WALK_EABT:
		words[3] = fault->addr & SMMU_EVENT3_ADDR;
		break;
	case SMMU_EVENT_F_TRANSLATION:
	case SMMU_EVENT_F_ADDR_SIZE:
	case SMMU_EVENT_F_ACCESS:
	case SMMU_EVENT_F_PERMISSION:
		if (fault->s2)
			words[3] = fault->addr & SMMU_EVENT3_IPA;
		break;
	default:
		return;
	}
	words[1] = FIELD_PREP(SMMU_EVENT1_CLASS, fault->class) |
		   (write ? 0 : SMMU_EVENT1_RNW) |
		   (fault->s2 ? SMMU_EVENT1_S2 : 0);
	words[2] = addr;
	/* Tables are only read. */
	if (fault->event == SMMU_EVENT_F_PERMISSION &&
	    fault->class == SMMU_CLASS_TTD)
		words[1] |= SMMU_EVENT1_TTRNW;
}

static bool write_record(struct kviommu_smmu *sm, const u64 *words)
{
	__le64 raw[SMMU_EVENT_WORDS];
	struct smmu_queue q;
	u32 prod, cons;
	unsigned int i;

	/* 7.2.1: what comes before an abort is acknowledged is discarded. */
	if (!(smmu_get32(&sm->regs, SMMU_CR0ACK) & SMMU_CR0_EVENTQEN) ||
	    smmu_gerror(&sm->regs) & SMMU_GERROR_EVENTQ_ABT)
		return false;
	smmu_regs_queue(&sm->regs, SMMU_EVENTQ_BASE, SMMU_EVENTQ_PROD,
			SMMU_MAX_EVENTQ, SMMU_EVENT_SIZE, &q);
	prod = smmu_get32(&sm->regs, SMMU_EVENTQ_PROD);
	cons = smmu_get32(&sm->regs, SMMU_EVENTQ_CONS);
	/* 7.4: the flags differ while software has not seen an overflow. */
	if (smmu_queue_full(&q)) {
		prod &= ~SMMU_EVENTQ_OVFLG;
		prod |= ~cons & SMMU_EVENTQ_OVFLG;
		smmu_set32(&sm->regs, SMMU_EVENTQ_PROD, prod);
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(raw); i++)
		raw[i] = cpu_to_le64(words[i]);
	if (kviommu_gmem_copy(&sm->f.v->gmem,
			      smmu_queue_entry(&q, q.prod, SMMU_EVENT_SIZE),
			      raw, sizeof(raw), true)) {
		smmu_error(sm, SMMU_GERROR_EVENTQ_ABT);
		return false;
	}
	prod = (prod & SMMU_EVENTQ_OVFLG) |
	       ((q.prod + 1) & smmu_queue_mask(&q));
	smmu_set32(&sm->regs, SMMU_EVENTQ_PROD, prod);
	/* 3.18: there is something in it again. */
	if (q.prod == q.cons &&
	    smmu_get32(&sm->regs, SMMU_IRQ_CTRL) & SMMU_IRQ_CTRL_EVENTQ)
		kviommu_irq_msix(sm->f.v, KVIOMMU_SMMUV3_EVENT_VECTOR);
	return true;
}

/**
 * smmu_record() - write an event
 * @sm: model
 * @sid: StreamID
 * @fault: event; without one nothing is written
 * @addr: address that was asked for, if that is known
 * @write: it was a write
 *
 * Return: whether software will find it.
 */
bool smmu_record(struct kviommu_smmu *sm, u32 sid,
		 const struct smmu_fault *fault, u64 addr, bool write)
{
	u64 words[SMMU_EVENT_WORDS];
	bool told = false;

	if (fault->event) {
		make_record(sid, fault, addr, write, words);
		told = write_record(sm, words);
		sm->count.events += told;
		sm->count.events_lost += !told;
	}
	sm->f.v->count.faults++;
	sm->f.v->count.faults_dropped += !told;
	trace_kviommu_smmuv3_event(kviommu_dev(sm->f.v), sid, addr, write,
				   fault->event, told);
	return told;
}
