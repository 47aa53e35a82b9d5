// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register file of the VT-d model (11.4): what reads back, what can be written,
 * and what a write sets going.
 *
 * Registers are accessed as aligned 32-bit words, 64-bit ones also as a whole
 * (11.2). An access of any other size or alignment reads as 0 and writes
 * nothing. A 64-bit access to two 32-bit registers is one to each of them,
 * lower address first.
 *
 * The commands that 64-bit registers start are in their upper words, which
 * software writes last if it writes halves.
 */
#include <linux/array_size.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/wordpart.h>
#include <kunit/visibility.h>

#include "regs.h"

/**
 * struct vtd_word - what a write does to a word
 * @rw: bits that take the value written
 * @w1c: bits that are cleared by writing 1
 */
struct vtd_word {
	u32 rw;
	u32 w1c;
};

#define LO(reg)		((reg) / sizeof(u32))
#define HI(reg)		(LO(reg) + 1)
#define RW(bits)	{ .rw = lower_32_bits(bits) }
#define RW_HI(bits)	{ .rw = upper_32_bits(bits) }
#define W1C(bits)	{ .w1c = lower_32_bits(bits) }

#define CCMD_BITS	(VTD_CCMD_ICC | VTD_CCMD_CIRG | VTD_CCMD_FM | \
			 VTD_CCMD_SID | VTD_CCMD_DID)
#define IOTLB_BITS	(VTD_IOTLB_IVT | VTD_IOTLB_IIRG | VTD_IOTLB_DR | \
			 VTD_IOTLB_DW | VTD_IOTLB_DID)
#define IVA_BITS	(VTD_IVA_AM | VTD_IVA_IH | VTD_IVA_ADDR)
#define RTADDR_BITS	(VTD_RTADDR_TTM | VTD_RTADDR_RTA)
#define IQA_BITS	(VTD_IQA_QS | VTD_IQA_DW | VTD_IQA_IQA)
#define IRTA_BITS	(VTD_IRTA_S | VTD_IRTA_EIME | VTD_IRTA_IRTA)
/* 16 bits of data, and an address of a doubleword (5.1.6) */
#define DATA_BITS	GENMASK(15, 0)
#define ADDR_BITS	GENMASK(31, 2)

/* What has no entry is read-only or reserved. */
static const struct vtd_word words[] = {
	[LO(VTD_RTADDR)]	= RW(RTADDR_BITS),
	[HI(VTD_RTADDR)]	= RW_HI(RTADDR_BITS),
	[LO(VTD_CCMD)]		= RW(CCMD_BITS),
	[HI(VTD_CCMD)]		= RW_HI(CCMD_BITS),
	/* PPF follows the fault records; no advanced logging (CAP.AFL) */
	[LO(VTD_FSTS)]		= W1C(VTD_FSTS_PFO | VTD_FSTS_QUEUE_ERRORS),
	[LO(VTD_FECTL)]		= RW(VTD_ECTL_IM),
	[LO(VTD_FEDATA)]	= RW(DATA_BITS),
	[LO(VTD_FEADDR)]	= RW(ADDR_BITS),
	[LO(VTD_FEUADDR)]	= RW(U32_MAX),
	[LO(VTD_IQT)]		= RW(VTD_IQT_QT),
	[LO(VTD_IQA)]		= RW(IQA_BITS),
	[HI(VTD_IQA)]		= RW_HI(IQA_BITS),
	[LO(VTD_ICS)]		= W1C(VTD_ICS_IWC),
	[LO(VTD_IECTL)]		= RW(VTD_ECTL_IM),
	[LO(VTD_IEDATA)]	= RW(DATA_BITS),
	[LO(VTD_IEADDR)]	= RW(ADDR_BITS),
	[LO(VTD_IEUADDR)]	= RW(U32_MAX),
	[LO(VTD_IRTA)]		= RW(IRTA_BITS),
	[HI(VTD_IRTA)]		= RW_HI(IRTA_BITS),
	[LO(VTD_REG_IVA)]	= RW(IVA_BITS),
	[HI(VTD_REG_IVA)]	= RW_HI(IVA_BITS),
	[HI(VTD_REG_IOTLB)]	= RW_HI(IOTLB_BITS),
};

/* Of a fault record only F, the highest bit, can be cleared (11.4.7.6). */
#define FRCD_F_WORD	12

static struct vtd_word word_at(u32 offset)
{
	if (offset >= VTD_REG_FRO)
		return (struct vtd_word){
			.w1c = (offset - VTD_REG_FRO) % VTD_FRCD_SIZE ==
			       FRCD_F_WORD ? VTD_FRCD_HI_F >> 32 : 0,
		};
	return offset / sizeof(u32) < ARRAY_SIZE(words) ?
		words[offset / sizeof(u32)] : (struct vtd_word){};
}

/**
 * vtd_regs_reset() - the values after power on (11.4)
 * @r: registers
 * @cap: CAP
 * @ecap: ECAP
 */
void vtd_regs_reset(struct vtd_regs *r, u64 cap, u64 ecap)
{
	memset(r, 0, sizeof(*r));
	/* Major 1, minor 0 */
	vtd_set32(r, VTD_VER, 0x10);
	vtd_set64(r, VTD_CAP, cap);
	vtd_set64(r, VTD_ECAP, ecap);
	vtd_set32(r, VTD_FECTL, VTD_ECTL_IM);
	vtd_set32(r, VTD_IECTL, VTD_ECTL_IM);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_regs_reset);

static bool valid_access(u32 offset, size_t len)
{
	return (len == 4 || len == 8) && !(offset % len) &&
	       offset < VTD_REGS_SIZE;
}

/**
 * vtd_regs_read() - read a register
 * @r: registers
 * @offset: any
 * @len: bytes
 *
 * Return: its value; 0 where there is none, or for a bad access.
 */
u64 vtd_regs_read(const struct vtd_regs *r, u32 offset, size_t len)
{
	if (!valid_access(offset, len))
		return 0;
	return len == 4 ? vtd_get32(r, offset) : vtd_get64(r, offset);
}
EXPORT_SYMBOL_IF_KUNIT(vtd_regs_read);

static u32 wrote(struct vtd_regs *r, u32 offset, u32 old, u32 new)
{
	switch (offset) {
	case VTD_CCMD + 4:
		return new & (VTD_CCMD_ICC >> 32) ? VTD_WROTE_CCMD : 0;
	case VTD_REG_IOTLB + 4:
		return new & (VTD_IOTLB_IVT >> 32) ? VTD_WROTE_IOTLB : 0;
	case VTD_IQT:
		return VTD_WROTE_QUEUE;
	case VTD_FECTL:
		return vtd_event_unmasked(r, VTD_FECTL, VTD_FAULT_EVENT);
	case VTD_IECTL:
		return vtd_event_unmasked(r, VTD_IECTL, VTD_INV_EVENT);
	case VTD_FSTS:
		vtd_status_cleared(r);
		/* 6.5.2.11: then the queue goes on */
		return old & ~new & VTD_FSTS_QUEUE_ERRORS ? VTD_WROTE_QUEUE : 0;
	case VTD_ICS:
		vtd_status_cleared(r);
		return 0;
	default:
		if (offset >= VTD_REG_FRO)
			vtd_status_cleared(r);
		return 0;
	}
}

static u32 write_word(struct vtd_regs *r, u32 offset, u32 val)
{
	struct vtd_word w = word_at(offset);
	u32 old = vtd_get32(r, offset), new;

	if (offset == VTD_GCMD) {
		r->gcmd = val;
		return VTD_WROTE_GCMD;
	}
	if (!w.rw && !w.w1c)
		return 0;
	/* Software must wait for the end of a command (11.4.6.1, 11.4.6.3). */
	if ((offset - VTD_CCMD < 8 &&
	     vtd_get64(r, VTD_CCMD) & VTD_CCMD_ICC) ||
	    (offset - VTD_REG_IVA < 16 &&
	     vtd_get64(r, VTD_REG_IOTLB) & VTD_IOTLB_IVT))
		return 0;

	new = (old & ~w.rw) | (val & w.rw);
	new &= ~(val & w.w1c);
	vtd_set32(r, offset, new);
	return wrote(r, offset, old, new);
}

/**
 * vtd_regs_write() - write a register
 * @r: registers
 * @offset: any
 * @val: value
 * @len: bytes; what is not 4 or 8, or not aligned, changes nothing
 *
 * Return: what is to be done now, of VTD_WROTE_* and VTD_*_EVENT.
 */
u32 vtd_regs_write(struct vtd_regs *r, u32 offset, u64 val, size_t len)
{
	u32 todo;

	if (!valid_access(offset, len))
		return 0;
	todo = write_word(r, offset, lower_32_bits(val));
	if (len == 8)
		todo |= write_word(r, offset + 4, upper_32_bits(val));
	return todo;
}
EXPORT_SYMBOL_IF_KUNIT(vtd_regs_write);
