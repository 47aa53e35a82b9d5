// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the VT-d model: the fault records (7.2.1), and when the messages of
 * the fault event and of the invalidation event are to be sent (7.3, 6.5.2.10).
 */
#include <linux/bitfield.h>
#include <kunit/visibility.h>

#include "regs.h"

/*
 * An event happened whose status was not pending: its message is sent now, or
 * is pending while masked (11.4.7.2, 11.4.9.5).
 */
static u32 event(struct vtd_regs *r, u32 ectl, u32 event)
{
	u32 val = vtd_get32(r, ectl);

	if (!(val & VTD_ECTL_IM))
		return event;
	vtd_set32(r, ectl, val | VTD_ECTL_IP);
	return 0;
}

/**
 * vtd_event_unmasked() - FECTL or IECTL was written
 * @r: registers
 * @ectl: which
 * @event: what it controls
 *
 * Return: @event if its message was held back and is to be sent now, else 0.
 */
u32 vtd_event_unmasked(struct vtd_regs *r, u32 ectl, u32 event)
{
	u32 val = vtd_get32(r, ectl);

	if (val & VTD_ECTL_IM || !(val & VTD_ECTL_IP))
		return 0;
	vtd_set32(r, ectl, val & ~VTD_ECTL_IP);
	return event;
}

static u64 record_hi(const struct vtd_regs *r, unsigned int n)
{
	return vtd_get64(r, VTD_REG_FRCD(n) + 8);
}

static bool any_pending(const struct vtd_regs *r)
{
	unsigned int i;

	for (i = 0; i < VTD_NR_FRCD; i++)
		if (record_hi(r, i) & VTD_FRCD_HI_F)
			return true;
	return false;
}

/**
 * vtd_status_cleared() - software has cleared bits of FSTS, ICS or a record
 * @r: registers
 *
 * PPF follows the records (11.4.7.1), and a message is no longer pending when
 * all that it would tell of is gone (11.4.7.2, 11.4.9.5).
 */
void vtd_status_cleared(struct vtd_regs *r)
{
	u32 fsts = vtd_get32(r, VTD_FSTS);

	if (!any_pending(r)) {
		fsts &= ~VTD_FSTS_PPF;
		vtd_set32(r, VTD_FSTS, fsts);
	}
	if (!(fsts & VTD_FSTS_CONDITIONS))
		vtd_set32(r, VTD_FECTL,
			  vtd_get32(r, VTD_FECTL) & ~VTD_ECTL_IP);
	if (!(vtd_get32(r, VTD_ICS) & VTD_ICS_IWC))
		vtd_set32(r, VTD_IECTL,
			  vtd_get32(r, VTD_IECTL) & ~VTD_ECTL_IP);
}

/* It is no new condition while another one is pending (11.4.7.2). */
static u32 set_status(struct vtd_regs *r, u32 bits)
{
	u32 old = vtd_get32(r, VTD_FSTS);

	vtd_set32(r, VTD_FSTS, old | bits);
	return old & VTD_FSTS_CONDITIONS ? 0 :
		event(r, VTD_FECTL, VTD_FAULT_EVENT);
}

/**
 * vtd_fault_record() - primary fault logging (7.2.1)
 * @r: registers
 * @f: the fault
 * @events: set to what is to be sent now, of VTD_*_EVENT
 *
 * A fault is not recorded while PFO is set, and not if one of the same
 * requester is pending: faults of a requester may be collapsed. If the next
 * record has not been read yet, PFO is set.
 *
 * Return: whether it was recorded.
 */
bool vtd_fault_record(struct vtd_regs *r, const struct vtd_fault_info *f,
		      u32 *events)
{
	u32 fsts = vtd_get32(r, VTD_FSTS), n = r->frcd;
	unsigned int i;
	u64 hi;

	*events = 0;
	if (fsts & VTD_FSTS_PFO)
		return false;
	for (i = 0; i < VTD_NR_FRCD; i++) {
		hi = record_hi(r, i);
		if (hi & VTD_FRCD_HI_F &&
		    FIELD_GET(VTD_FRCD_HI_SID, hi) == f->source_id)
			return false;
	}
	if (record_hi(r, n) & VTD_FRCD_HI_F) {
		*events = set_status(r, VTD_FSTS_PFO);
		return false;
	}

	hi = FIELD_PREP(VTD_FRCD_HI_SID, f->source_id) |
	     FIELD_PREP(VTD_FRCD_HI_FR, f->reason) | VTD_FRCD_HI_F |
	     (f->write ? 0 : VTD_FRCD_HI_T1);
	vtd_set64(r, VTD_REG_FRCD(n), f->addr & VTD_FRCD_LO_FI);
	vtd_set64(r, VTD_REG_FRCD(n) + 8, hi);
	r->frcd = (n + 1) % VTD_NR_FRCD;
	/* FRI names the record that made PPF set. */
	if (!(fsts & VTD_FSTS_PPF)) {
		fsts &= ~VTD_FSTS_FRI;
		fsts |= FIELD_PREP(VTD_FSTS_FRI, n);
		vtd_set32(r, VTD_FSTS, fsts);
	}
	*events = set_status(r, VTD_FSTS_PPF);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(vtd_fault_record);

/**
 * vtd_queue_error() - the invalidation queue stops (6.5.2.11)
 * @r: registers
 * @why: for IQERCD
 *
 * Return: what is to be sent now, of VTD_*_EVENT.
 */
u32 vtd_queue_error(struct vtd_regs *r, enum vtd_iqei why)
{
	vtd_set64(r, VTD_IQERCD, FIELD_PREP(VTD_IQERCD_IQEI, why));
	return set_status(r, VTD_FSTS_IQE);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_queue_error);

/**
 * vtd_wait_complete() - a wait descriptor with IF is complete (6.5.2.9)
 * @r: registers
 *
 * Return: what is to be sent now, of VTD_*_EVENT.
 */
u32 vtd_wait_complete(struct vtd_regs *r)
{
	u32 ics = vtd_get32(r, VTD_ICS);

	/* No new condition while software has not seen the last one. */
	if (ics & VTD_ICS_IWC)
		return 0;
	vtd_set32(r, VTD_ICS, ics | VTD_ICS_IWC);
	return event(r, VTD_IECTL, VTD_INV_EVENT);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_wait_complete);
