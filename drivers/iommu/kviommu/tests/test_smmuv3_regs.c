// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register file of the SMMUv3 model, every bit of it, and its commands, taken
 * apart.
 */
#include <linux/bitfield.h>
#include <kunit/test.h>

#include "smmuv3/smmuv3.h"

static const u32 idr[6] = { SMMU_IDR0_S1P | SMMU_IDR0_S2P, 0x11, 0x22, 0x33,
			    0x44, 0x55 };

/**
 * struct expected - what a register is like
 * @offset: where it is
 * @rw: bits that take what is written
 * @reset: its value after a reset
 * @cr0: not while this is enabled
 * @irq: not while this interrupt is
 */
struct expected {
	u32 offset;
	u32 rw;
	u32 reset;
	u32 cr0;
	u32 irq;
};

static const struct expected expected[] = {
	{ 0x00, .reset = SMMU_IDR0_S1P | SMMU_IDR0_S2P },
	{ 0x04, .reset = 0x11 },
	{ 0x08, .reset = 0x22 },
	{ 0x0c, .reset = 0x33 },
	{ 0x10, .reset = 0x44 },
	{ 0x14, .reset = 0x55 },
	{ 0x1c, .reset = 1 },
	{ 0x20, .rw = 0xd },
	{ 0x28, .rw = 0xfff },	/* see attributes() */
	{ 0x2c, .rw = 6, .cr0 = 1 },
	{ 0x44, .rw = 0x1f3f1f, .reset = 0x1000 },
	{ 0x50, .rw = 5 },
	{ 0x64, .rw = 0x15 },
	{ 0x68, .rw = 0xfffffffc, .irq = 1 },
	{ 0x6c, .rw = 0xfffff, .irq = 1 },
	{ 0x70, .rw = 0xffffffff, .irq = 1 },
	{ 0x74, .rw = 0x3f, .irq = 1 },
	{ 0x80, .rw = 0xffffffc0, .cr0 = 1 },
	{ 0x84, .rw = 0x400fffff, .cr0 = 1 },
	{ 0x88, .rw = 0x307ff, .cr0 = 1 },
	{ 0x90, .rw = 0xffffffff, .cr0 = 8 },
	{ 0x94, .rw = 0x400fffff, .cr0 = 8 },
	{ 0x98, .rw = 0xfffff },
	{ 0x9c, .rw = 0xfffff, .cr0 = 8 },
	{ 0xa0, .rw = 0xffffffff, .cr0 = 4 },
	{ 0xa4, .rw = 0x400fffff, .cr0 = 4 },
	{ 0xb0, .rw = 0xfffffffc, .irq = 4 },
	{ 0xb4, .rw = 0xfffff, .irq = 4 },
	{ 0xb8, .rw = 0xffffffff, .irq = 4 },
	{ 0xbc, .rw = 0x3f, .irq = 4 },
	{ 0x100a8, .rw = 0x800fffff, .cr0 = 4 },
	{ 0x100ac, .rw = 0x800fffff },
};

static const struct expected *expected_at(u32 offset)
{
	static const struct expected none;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(expected); i++)
		if (expected[i].offset == offset)
			return &expected[i];
	return &none;
}

static void reset(struct smmu_regs *r)
{
	smmu_regs_reset(r, idr, false);
}

/* GBPA takes what is written with UPDATE. */
static void write(struct smmu_regs *r, u32 offset, u32 val)
{
	smmu_regs_write(r, offset, val | (offset == SMMU_GBPA ?
					  SMMU_GBPA_UPDATE : 0), 4);
}

static void every_bit(struct kunit *test)
{
	struct smmu_regs r;
	u32 offset, bit;

	for (offset = 0; offset < 0x20000; offset += 4) {
		const struct expected *e = expected_at(offset);

		if (offset == 0x1000)
			offset = 0x10000;
		if (offset == 0x11000)
			break;
		reset(&r);
		KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, offset, 4),
				    e->reset, "0x%x", offset);
		write(&r, offset, U32_MAX);
		KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, offset, 4),
				    e->rw ?: e->reset, "0x%x", offset);
		write(&r, offset, 0);
		KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, offset, 4),
				    e->rw ? 0 : e->reset, "0x%x", offset);
		for (bit = 0; bit < 32; bit++) {
			write(&r, offset, BIT(bit));
			KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, offset, 4),
					    e->rw ? e->rw & BIT(bit) : e->reset,
					    "0x%x bit %u", offset, bit);
		}
	}
}

/* What is enabled can't be changed, and neither while it is being disabled. */
static void guarded(struct kunit *test)
{
	struct smmu_regs r;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct expected *e = &expected[i];

		if (e->offset == SMMU_CR1)
			continue;
		for (bit = 0; bit < 4; bit++) {
			u32 before;

			reset(&r);
			before = smmu_regs_read(&r, e->offset, 4);
			smmu_set32(&r, SMMU_CR0, BIT(bit));
			write(&r, e->offset, e->rw);
			if (e->offset != SMMU_CR0)
				KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, e->offset, 4),
						    e->cr0 & BIT(bit) ? before :
						    e->rw ?: e->reset,
						    "0x%x %u", e->offset, bit);
			reset(&r);
			smmu_set32(&r, SMMU_CR0ACK, BIT(bit));
			write(&r, e->offset, e->rw);
			KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, e->offset, 4),
					    e->cr0 & BIT(bit) ? before :
					    e->rw ?: e->reset, "0x%x %u",
					    e->offset, bit);
			reset(&r);
			smmu_regs_write(&r, SMMU_IRQ_CTRL, BIT(bit), 4);
			write(&r, e->offset, e->rw);
			KUNIT_EXPECT_EQ_MSG(test, smmu_regs_read(&r, e->offset, 4),
					    e->irq & BIT(bit) ? before :
					    e->rw ?: e->reset, "0x%x %u",
					    e->offset, bit);
		}
	}
}

/* 6.3.11: of the table while that is not in use, of queues likewise */
static void attributes(struct kunit *test)
{
	static const u32 rw[] = { 0xfff, 0x03f, [4] = 0xfc0, 0, [8] = 0xfc0, 0,
				  [12] = 0xfc0, 0 };
	struct smmu_regs r;
	unsigned int cr0;

	for (cr0 = 0; cr0 < ARRAY_SIZE(rw); cr0++) {
		if (cr0 & 2)
			continue;
		reset(&r);
		smmu_set32(&r, SMMU_CR0, cr0);
		smmu_regs_write(&r, SMMU_CR1, U32_MAX, 4);
		KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_CR1, 4), rw[cr0]);
		reset(&r);
		smmu_set32(&r, SMMU_CR0ACK, cr0);
		smmu_regs_write(&r, SMMU_CR1, U32_MAX, 4);
		KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_CR1, 4), rw[cr0]);
	}
}

static void accesses(struct kunit *test)
{
	static const size_t lengths[] = { 1, 2, 3, 4, 5, 8, 16 };
	struct smmu_regs r;
	unsigned int i;
	u32 offset;

	reset(&r);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_STRTAB_BASE,
					      0x123456789abcdeffULL, 8), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_STRTAB_BASE, 8),
			0x000456789abcdec0ULL);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_STRTAB_BASE + 4, 4),
			0x00045678);
	/* Two registers at once */
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_CMDQ_PROD,
					      0x500000003ULL, 8),
			SMMU_WROTE_QUEUE);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_CMDQ_CONS, 4), 5);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (offset = 0x80; offset < 0x90; offset++) {
			bool valid = (lengths[i] == 4 || lengths[i] == 8) &&
				     offset % lengths[i] == 0;

			if (valid)
				continue;
			KUNIT_EXPECT_EQ(test, 0, smmu_regs_read(&r, offset,
								lengths[i]));
			KUNIT_EXPECT_EQ(test, 0,
					smmu_regs_write(&r, offset, 0,
							lengths[i]));
		}
	}
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_STRTAB_BASE, 8),
			0x000456789abcdec0ULL);
	/* Beyond all there is */
	KUNIT_EXPECT_EQ(test, 0, smmu_regs_read(&r, U32_MAX - 7, 8));
	KUNIT_EXPECT_EQ(test, 0, smmu_regs_write(&r, U32_MAX - 3, 1, 4));
}

static void what_writes_ask_for(struct kunit *test)
{
	struct smmu_regs r;

	reset(&r);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_CR0, 1, 4),
			SMMU_WROTE_CR0);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_CR0ACK, 4), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_IRQ_CTRL, U32_MAX, 4), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_IRQ_CTRLACK, 4), 5);
	/* GBPA: without UPDATE nothing; what is the same is nothing new */
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_GBPA, SMMU_GBPA_ABORT,
					      4), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_GBPA, 4), 0x1000);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_GBPA, SMMU_GBPA_ABORT |
					      SMMU_GBPA_UPDATE, 4),
			SMMU_WROTE_GBPA);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_GBPA, 4), SMMU_GBPA_ABORT);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_GBPA, SMMU_GBPA_ABORT |
					      SMMU_GBPA_UPDATE | 1, 4), 0);
	/* Errors are active while GERROR and GERRORN differ. */
	KUNIT_EXPECT_TRUE(test, smmu_regs_error(&r, SMMU_GERROR_CMDQ));
	KUNIT_EXPECT_FALSE(test, smmu_regs_error(&r, SMMU_GERROR_CMDQ));
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_GERROR, 4), 1);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_GERRORN, 4, 4), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs_write(&r, SMMU_GERRORN, 1, 4),
			SMMU_WROTE_QUEUE);
	KUNIT_EXPECT_EQ(test, smmu_gerror(&r), 0);
	smmu_regs_write(&r, SMMU_IRQ_CTRL, 0, 4);
	KUNIT_EXPECT_FALSE(test, smmu_regs_error(&r, SMMU_GERROR_CMDQ));
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_GERROR, 4), 0);
	KUNIT_EXPECT_EQ(test, smmu_gerror(&r), 1);
	smmu_regs_reset(&r, idr, true);
	KUNIT_EXPECT_EQ(test, smmu_regs_read(&r, SMMU_GBPA, 4),
			0x1000 | SMMU_GBPA_ABORT);
}

static void queues(struct kunit *test)
{
	struct smmu_queue q;
	struct smmu_regs r;
	unsigned int log2;

	for (log2 = 0; log2 < 32; log2++) {
		unsigned int n = min(log2, 19);

		reset(&r);
		smmu_regs_write(&r, SMMU_CMDQ_BASE,
				SMMU_Q_ADDR | log2, 8);
		smmu_regs_write(&r, SMMU_CMDQ_PROD, U32_MAX, 4);
		smmu_regs_write(&r, SMMU_CMDQ_CONS, BIT(n) - 1, 4);
		smmu_regs_queue(&r, SMMU_CMDQ_BASE, SMMU_CMDQ_PROD,
				SMMU_MAX_CMDQ, 16, &q);
		KUNIT_EXPECT_EQ(test, q.log2, n);
		KUNIT_EXPECT_EQ(test, q.prod, (2U << n) - 1);
		KUNIT_EXPECT_TRUE(test, smmu_queue_full(&q));
		/* Aligned to the size, of which bits of LOG2SIZE are none */
		KUNIT_EXPECT_EQ(test, q.gpa, (SMMU_Q_ADDR | log2) &
				GENMASK_ULL(51, 5) &
				~((16ULL << n) - 1));
		KUNIT_EXPECT_EQ(test, smmu_queue_entry(&q, q.prod, 16),
				q.gpa + (BIT(n) - 1) * 16);
	}
}

/* ---- commands ---- */

static enum smmu_cerror decode(u64 w0, u64 w1, u32 idr0, struct smmu_cmd *c)
{
	u64 words[] = { w0, w1 };
	u32 regs[6] = { idr0 };

	return smmu_decode(words, regs, c);
}

static void opcodes(struct kunit *test)
{
	struct smmu_cmd c;
	unsigned int op;

	for (op = 0; op < 256; op++) {
		u32 needs = 0;
		bool known = true, sid = false;

		switch (op) {
		case 0x05: case 0x06:
			needs = SMMU_IDR0_S1P;
			fallthrough;
		case 0x01: case 0x02: case 0x03: case 0x04:
			sid = true;
			break;
		case 0x10: case 0x11: case 0x12: case 0x13:
			needs = SMMU_IDR0_S1P;
			break;
		case 0x28: case 0x2a:
			needs = SMMU_IDR0_S2P;
			break;
		case 0x30: case 0x46:
			break;
		default:
			known = false;
		}
		KUNIT_EXPECT_EQ_MSG(test, decode(op, 0, 3, &c),
				    known ? 0 : SMMU_CERROR_ILL, "0x%x", op);
		KUNIT_EXPECT_EQ_MSG(test, decode(op, 0, ~needs, &c),
				    known && !needs ? 0 : SMMU_CERROR_ILL,
				    "0x%x", op);
		KUNIT_EXPECT_EQ_MSG(test, decode(op | SMMU_CMD0_SSEC, 0, 3, &c),
				    known && !sid ? 0 : SMMU_CERROR_ILL,
				    "0x%x", op);
	}
}

struct range_case {
	u64 w0;
	u64 w1;
	u64 first;
	u64 last;
	bool ill;
};

#define RIL(num, scale)	((u64)(num) << 12 | (u64)(scale) << 20)
#define TG(tg, ttl)	((u64)(tg) << 10 | (u64)(ttl) << 8)

static const struct range_case ranges[] = {
	{ 0, 0x123453ff, 0x12345000, 0x12345fff },
	/* Without TG, what a range has is not looked at. */
	{ RIL(31, 63), 0x12345000, 0x12345000, 0x12345fff },
	/* A page needs a level, which 16 KiB don't have at 1. */
	{ RIL(0, 0), 0x12345000 | TG(1, 0), .ill = true },
	{ RIL(0, 0), 0x12345000 | TG(2, 0), .ill = true },
	{ RIL(0, 0), 0x12345000 | TG(3, 0), .ill = true },
	{ RIL(0, 0), 0x12345000 | TG(2, 1), .ill = true },
	{ RIL(1, 0), 0x12345000 | TG(2, 1), 0x12344000, 0x1234bfff },
	{ RIL(0, 1), 0x12345000 | TG(1, 0), 0x12345000, 0x12346fff },
	{ RIL(0, 0), 0x12345000 | TG(1, 3), 0x12345000, 0x12345fff },
	{ RIL(0, 0), 0x12345000 | TG(1, 2), 0x12200000, 0x123fffff },
	{ RIL(0, 0), 0x12345000 | TG(1, 1), 0, 0x3fffffff },
	{ RIL(0, 0), 0x12345000 | TG(2, 2), 0x12000000, 0x13ffffff },
	{ RIL(0, 0), 0x52345000 | TG(3, 2), 0x40000000, 0x5fffffff },
	{ RIL(31, 0), 0x10000 | TG(1, 0), 0x10000, 0x2ffff },
	{ RIL(1, 4), 0x10000 | TG(1, 2), 0x10000, 0x2ffff },
	{ RIL(31, 31), 0 | TG(1, 0), 0, (1ULL << 48) - 1 },
	{ RIL(31, 63), 0 | TG(3, 0), 0, (1ULL << 52) - 1 },
	{ RIL(31, 32), 0x10000 | TG(1, 0), 0x10000, 0x2ffff },
	{ RIL(1, 0), 0xfffffffffffff000 | TG(1, 0), 0xfffffffffffff000,
	  U64_MAX },
};

static void decoded(struct kunit *test)
{
	struct smmu_cmd c;
	unsigned int i, op;

	decode(0x04 | 0x12345678ULL << 32, 31, 3, &c);
	KUNIT_EXPECT_EQ(test, c.sid, 0x12345678);
	KUNIT_EXPECT_EQ(test, c.range, 31);
	decode(0x12 | 0x1234ULL << 32 | 0xabcdULL << 48, 0, 3, &c);
	KUNIT_EXPECT_EQ(test, c.vmid, 0x1234);
	KUNIT_EXPECT_EQ(test, c.asid, 0xabcd);
	/* Without a second stage there are no VMIDs. */
	decode(0x12 | 0x1234ULL << 32 | 0xabcdULL << 48, 0, 2, &c);
	KUNIT_EXPECT_EQ(test, c.vmid, 0);
	for (op = 0x12; op <= 0x2a; op += op == 0x12 ? 1 : 0x17) {
		for (i = 0; i < ARRAY_SIZE(ranges); i++) {
			const struct range_case *r = &ranges[i];

			/* IPAs have no such */
			if (op == 0x2a && r->w1 >> 52)
				continue;
			KUNIT_EXPECT_EQ_MSG(test,
					    decode(r->w0 | op, r->w1, 3, &c),
					    r->ill ? SMMU_CERROR_ILL : 0, "%u",
					    i);
			if (r->ill)
				continue;
			KUNIT_EXPECT_EQ_MSG(test, c.first, r->first, "%u", i);
			KUNIT_EXPECT_EQ_MSG(test, c.last, r->last, "%u", i);
		}
	}
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, decode(0x46 | i << 12 |
					     0x11223344ULL << 32,
					     U64_MAX, 3, &c),
				i == 3 ? SMMU_CERROR_ILL : 0);
		if (i == 3)
			break;
		KUNIT_EXPECT_EQ(test, c.cs, i);
		KUNIT_EXPECT_EQ(test, c.data, 0x11223344);
		KUNIT_EXPECT_EQ(test, c.addr, GENMASK_ULL(51, 2));
	}
}

static struct kunit_case regs_cases[] = {
	KUNIT_CASE(every_bit),
	KUNIT_CASE(guarded),
	KUNIT_CASE(attributes),
	KUNIT_CASE(accesses),
	KUNIT_CASE(what_writes_ask_for),
	KUNIT_CASE(queues),
	KUNIT_CASE(opcodes),
	KUNIT_CASE(decoded),
	{ }
};

static struct kunit_suite regs_suite = {
	.name = "kviommu_smmuv3_regs",
	.test_cases = regs_cases,
};

kunit_test_suite(regs_suite);
