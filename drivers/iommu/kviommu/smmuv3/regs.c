// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register file of the SMMUv3 model (6.3): what reads back, what can be written
 * when, and what a write sets going.
 *
 * Registers are accessed as aligned 32-bit words, 64-bit ones also as a whole
 * (6.2). An access of any other size or alignment reads as 0 and writes nothing.
 * A 64-bit access to two 32-bit registers is one to each of them, lower address
 * first.
 *
 * Registers of a queue or of the stream table can't be written while what they
 * are for is enabled. An update of CR0 is in effect when CR0ACK has it.
 */
#include <linux/array_size.h>
#include <linux/bitfield.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/wordpart.h>
#include <kunit/visibility.h>

#include "regs.h"

/**
 * struct smmu_reg - what a write does to a word
 * @rw: bits that take the value written
 * @cr0: not while any of these is set, in CR0 or in CR0ACK
 * @irq: not while any of these is set in IRQ_CTRL
 */
struct smmu_reg {
	u32 rw;
	u32 cr0;
	u32 irq;
};

#define LO(reg)		((reg) / sizeof(u32))
#define HI(reg)		(LO(reg) + 1)

#define CR0_BITS	(SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN)
/* Attributes of the stream table, and of the queues (6.3.11) */
#define CR1_TABLE	GENMASK(11, 6)
#define CR1_QUEUE	GENMASK(5, 0)
#define IRQ_BITS	(SMMU_IRQ_CTRL_GERROR | SMMU_IRQ_CTRL_EVENTQ)
/* Messages of queues and of errors are the VMM's: none of them aborts here. */
#define GERROR_BITS	(SMMU_GERROR_CMDQ | SMMU_GERROR_EVENTQ_ABT | \
			 SMMU_GERROR_MSI_CMDQ_ABT)
#define STRTAB_BITS	(SMMU_STRTAB_ADDR | BIT_ULL(62))
#define STRTAB_CFG_BITS	(SMMU_STRTAB_LOG2SIZE | SMMU_STRTAB_SPLIT | \
			 SMMU_STRTAB_FMT)
#define Q_BITS		(SMMU_Q_LOG2SIZE | SMMU_Q_ADDR | BIT_ULL(62))
#define MSI_ADDR	GENMASK_ULL(51, 2)
/* Shareability and memory type of a message */
#define MSI_CFG2	GENMASK(5, 0)

#define RW(bits)		{ .rw = (bits) }
/* Halves of a register, not while something is enabled */
#define LO_WITHOUT(bits, bit)	{ .rw = lower_32_bits(bits), .cr0 = (bit) }
#define HI_WITHOUT(bits, bit)	{ .rw = upper_32_bits(bits), .cr0 = (bit) }
/* Address, data and attributes of an interrupt's message */
#define IRQ_LO(bit)	{ .rw = lower_32_bits(MSI_ADDR), .irq = (bit) }
#define IRQ_HI(bit)	{ .rw = upper_32_bits(MSI_ADDR), .irq = (bit) }
#define IRQ_DATA(bit)	{ .rw = U32_MAX, .irq = (bit) }
#define IRQ_ATTR(bit)	{ .rw = MSI_CFG2, .irq = (bit) }

/* What has no entry is read-only or reserved. */
static const struct smmu_reg regs[] = {
	[LO(SMMU_CR0)]		= RW(CR0_BITS),
	[LO(SMMU_CR1)]		= RW(CR1_TABLE | CR1_QUEUE),
	[LO(SMMU_CR2)]		= LO_WITHOUT(SMMU_CR2_RECINVSID | SMMU_CR2_PTM,
					     SMMU_CR0_SMMUEN),
	[LO(SMMU_GBPA)]		= RW(GENMASK(20, 16) | GENMASK(13, 8) |
				     GENMASK(4, 0)),
	[LO(SMMU_IRQ_CTRL)]	= RW(IRQ_BITS),
	[LO(SMMU_GERRORN)]	= RW(GERROR_BITS),
	[LO(SMMU_GERROR_IRQ_CFG0)] = IRQ_LO(SMMU_IRQ_CTRL_GERROR),
	[HI(SMMU_GERROR_IRQ_CFG0)] = IRQ_HI(SMMU_IRQ_CTRL_GERROR),
	[LO(SMMU_GERROR_IRQ_CFG1)] = IRQ_DATA(SMMU_IRQ_CTRL_GERROR),
	[LO(SMMU_GERROR_IRQ_CFG2)] = IRQ_ATTR(SMMU_IRQ_CTRL_GERROR),
	[LO(SMMU_STRTAB_BASE)]	= LO_WITHOUT(STRTAB_BITS, SMMU_CR0_SMMUEN),
	[HI(SMMU_STRTAB_BASE)]	= HI_WITHOUT(STRTAB_BITS, SMMU_CR0_SMMUEN),
	[LO(SMMU_STRTAB_BASE_CFG)] = LO_WITHOUT(STRTAB_CFG_BITS,
						SMMU_CR0_SMMUEN),
	[LO(SMMU_CMDQ_BASE)]	= LO_WITHOUT(Q_BITS, SMMU_CR0_CMDQEN),
	[HI(SMMU_CMDQ_BASE)]	= HI_WITHOUT(Q_BITS, SMMU_CR0_CMDQEN),
	[LO(SMMU_CMDQ_PROD)]	= RW(SMMU_Q_INDEX),
	[LO(SMMU_CMDQ_CONS)]	= LO_WITHOUT(SMMU_Q_INDEX, SMMU_CR0_CMDQEN),
	[LO(SMMU_EVENTQ_BASE)]	= LO_WITHOUT(Q_BITS, SMMU_CR0_EVENTQEN),
	[HI(SMMU_EVENTQ_BASE)]	= HI_WITHOUT(Q_BITS, SMMU_CR0_EVENTQEN),
	/* EVENTQ_PROD and EVENTQ_CONS */
	[LO(0xa8)]		= LO_WITHOUT(SMMU_Q_INDEX | SMMU_EVENTQ_OVFLG,
					     SMMU_CR0_EVENTQEN),
	[LO(0xac)]		= RW(SMMU_Q_INDEX | SMMU_EVENTQ_OVFLG),
	[LO(SMMU_EVENTQ_IRQ_CFG0)] = IRQ_LO(SMMU_IRQ_CTRL_EVENTQ),
	[HI(SMMU_EVENTQ_IRQ_CFG0)] = IRQ_HI(SMMU_IRQ_CTRL_EVENTQ),
	[LO(SMMU_EVENTQ_IRQ_CFG1)] = IRQ_DATA(SMMU_IRQ_CTRL_EVENTQ),
	[LO(SMMU_EVENTQ_IRQ_CFG2)] = IRQ_ATTR(SMMU_IRQ_CTRL_EVENTQ),
};

static_assert(sizeof(regs) / sizeof(*regs) == SMMU_REGS_SIZE / sizeof(u32));

/* In the second page there are two words, which the first one has not. */
static bool is_there(u32 offset)
{
	if (offset == SMMU_EVENTQ_PROD || offset == SMMU_EVENTQ_CONS)
		return true;
	return offset < SMMU_REGS_SIZE && offset != 0xa8 && offset != 0xac;
}

/**
 * smmu_regs_reset() - the values after power on (6.3)
 * @r: registers
 * @idr: IDR0 to IDR5
 * @abort: GBPA.ABORT
 */
void smmu_regs_reset(struct smmu_regs *r, const u32 *idr, bool abort)
{
	unsigned int i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < 6; i++)
		r->word[i] = idr[i];
	/*
	 * SMMUv3.1: of what 3.2 must have, Hyp and FWB are absent. Software finds
	 * range invalidation by IDR3.
	 */
	smmu_set32(r, SMMU_AIDR, 1);
	/* Shareability as it comes in */
	smmu_set32(r, SMMU_GBPA, BIT(12) | (abort ? SMMU_GBPA_ABORT : 0));
}
EXPORT_SYMBOL_IF_KUNIT(smmu_regs_reset);

static bool valid_access(u32 offset, size_t len)
{
	return (len == 4 || len == 8) && !(offset % len);
}

static u32 read_word(const struct smmu_regs *r, u32 offset)
{
	return is_there(offset) ? smmu_get32(r, offset) : 0;
}

/**
 * smmu_regs_read() - read a register
 * @r: registers
 * @offset: any
 * @len: bytes
 *
 * Return: its value; 0 where there is none, or for a bad access.
 */
u64 smmu_regs_read(const struct smmu_regs *r, u32 offset, size_t len)
{
	u64 val;

	if (!valid_access(offset, len))
		return 0;
	val = read_word(r, offset);
	if (len == 8)
		val |= (u64)read_word(r, offset + 4) << 32;
	return val;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_regs_read);

static u32 wrote(struct smmu_regs *r, u32 offset, u32 old, u32 new)
{
	switch (offset) {
	case SMMU_CR0:
		return SMMU_WROTE_CR0;
	case SMMU_GBPA:
		return (old ^ new) & SMMU_GBPA_ABORT ? SMMU_WROTE_GBPA : 0;
	case SMMU_IRQ_CTRL:
		smmu_set32(r, SMMU_IRQ_CTRLACK, new);
		return 0;
	case SMMU_CMDQ_PROD:
		return SMMU_WROTE_QUEUE;
	case SMMU_GERRORN:
		/* 7.1: then the queue goes on. */
		return (old ^ new) & SMMU_GERROR_CMDQ ? SMMU_WROTE_QUEUE : 0;
	default:
		return 0;
	}
}

/* Bits that can be written now */
static u32 writable(const struct smmu_regs *r, u32 offset)
{
	const struct smmu_reg *reg = &regs[(offset & 0xffff) / sizeof(u32)];
	u32 cr0 = smmu_get32(r, SMMU_CR0) | smmu_get32(r, SMMU_CR0ACK);

	if (cr0 & reg->cr0 || smmu_get32(r, SMMU_IRQ_CTRL) & reg->irq)
		return 0;
	/* Its halves are for different things. */
	if (offset == SMMU_CR1)
		return (cr0 & SMMU_CR0_SMMUEN ? 0 : CR1_TABLE) |
		       (cr0 & ~SMMU_CR0_SMMUEN ? 0 : CR1_QUEUE);
	return reg->rw;
}

static u32 write_word(struct smmu_regs *r, u32 offset, u32 val)
{
	u32 rw, old, new;

	if (!is_there(offset))
		return 0;
	rw = writable(r, offset);
	if (!rw)
		return 0;
	/* It says that all of it is to be taken over, and is 0 when it is. */
	if (offset == SMMU_GBPA && !(val & SMMU_GBPA_UPDATE))
		return 0;
	old = smmu_get32(r, offset);
	new = (old & ~rw) | (val & rw);
	smmu_set32(r, offset, new);
	return wrote(r, offset, old, new);
}

/**
 * smmu_regs_write() - write a register
 * @r: registers
 * @offset: any
 * @val: value
 * @len: bytes; what is not 4 or 8, or not aligned, changes nothing
 *
 * Return: what is to be done now, of SMMU_WROTE_*.
 */
u32 smmu_regs_write(struct smmu_regs *r, u32 offset, u64 val, size_t len)
{
	u32 todo;

	if (!valid_access(offset, len))
		return 0;
	todo = write_word(r, offset, lower_32_bits(val));
	if (len == 8)
		todo |= write_word(r, offset + 4, upper_32_bits(val));
	return todo;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_regs_write);

/**
 * smmu_regs_error() - there is a global error (7.5)
 * @r: registers
 * @error: bit of GERROR
 *
 * Return: whether an interrupt is to be sent: not if it is active already.
 */
bool smmu_regs_error(struct smmu_regs *r, u32 error)
{
	if (smmu_gerror(r) & error)
		return false;
	smmu_set32(r, SMMU_GERROR, smmu_get32(r, SMMU_GERROR) ^ error);
	return smmu_get32(r, SMMU_IRQ_CTRL) & SMMU_IRQ_CTRL_GERROR;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_regs_error);

/**
 * smmu_regs_queue() - a queue, as its registers have it now
 * @r: registers
 * @base: offset of its base register
 * @prod: offset of its producer register; that of the consumer follows
 * @max: log2 of the most entries that it may have
 * @entry_size: bytes of an entry
 * @q: the answer
 *
 * The base is aligned to the queue's size, or to 32 bytes (6.3.26, 6.3.29).
 */
void smmu_regs_queue(const struct smmu_regs *r, u32 base, u32 prod,
		     unsigned int max, unsigned int entry_size,
		     struct smmu_queue *q)
{
	u64 val = smmu_get64(r, base), mask;

	q->log2 = min_t(unsigned int, FIELD_GET(SMMU_Q_LOG2SIZE, val), max);
	mask = max_t(u64, (u64)entry_size << q->log2, 32) - 1;
	q->gpa = val & SMMU_Q_ADDR & ~mask;
	q->prod = smmu_get32(r, prod) & smmu_queue_mask(q);
	q->cons = smmu_get32(r, prod + 4) & smmu_queue_mask(q);
}
EXPORT_SYMBOL_IF_KUNIT(smmu_regs_queue);
