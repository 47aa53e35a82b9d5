// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register file of the VT-d model: every bit of every word, against a table
 * that is written from chapter 11 of the specification.
 */
#include <kunit/test.h>

#include "vtd/regs.h"

#define CAP	0x8d2078c106f0466ULL
#define ECAP	0x4000f0f02f7ULL

enum kind {
	RO,	/* reads as @reset whatever is written */
	RW,	/* bits of @mask keep what is written, the others @reset */
	W1C,	/* bits of @mask are cleared by a 1 */
	WO,	/* reads as 0 */
	COMMAND,/* as RW; and nothing of it can be written while bit 31 is set */
};

/* Words that are not here are reserved: RO, 0. */
static const struct word {
	u32 offset;
	enum kind kind;
	u32 mask;
	u32 reset;
} table[] = {
	{ 0x00, RO, 0, 0x10 },
	{ 0x08, RO, 0, lower_32_bits(CAP) },
	{ 0x0c, RO, 0, upper_32_bits(CAP) },
	{ 0x10, RO, 0, lower_32_bits(ECAP) },
	{ 0x14, RO, 0, upper_32_bits(ECAP) },
	{ 0x18, WO, 0, 0 },			/* GCMD */
	{ 0x1c, RO, 0, 0 },			/* GSTS */
	{ 0x20, RW, 0xfffffc00, 0 },		/* RTADDR */
	{ 0x24, RW, 0xffffffff, 0 },
	{ 0x28, RW, 0xffffffff, 0 },		/* CCMD */
	{ 0x2c, COMMAND, 0xe0000003, 0 },
	{ 0x34, W1C, 0x00000071, 0 },		/* FSTS */
	{ 0x38, RW, 0x80000000, 0x80000000 },	/* FECTL */
	{ 0x3c, RW, 0x0000ffff, 0 },
	{ 0x40, RW, 0xfffffffc, 0 },
	{ 0x44, RW, 0xffffffff, 0 },
	{ 0x80, RO, 0, 0 },			/* IQH */
	{ 0x88, RW, 0x0007fff0, 0 },		/* IQT */
	{ 0x90, RW, 0xfffff807, 0 },		/* IQA */
	{ 0x94, RW, 0xffffffff, 0 },
	{ 0x9c, W1C, 0x00000001, 0 },		/* ICS */
	{ 0xa0, RW, 0x80000000, 0x80000000 },	/* IECTL */
	{ 0xa4, RW, 0x0000ffff, 0 },
	{ 0xa8, RW, 0xfffffffc, 0 },
	{ 0xac, RW, 0xffffffff, 0 },
	{ 0xb0, RO, 0, 0 },			/* IQERCD */
	{ 0xb4, RO, 0, 0 },
	{ 0xb8, RW, 0xfffff80f, 0 },		/* IRTA */
	{ 0xbc, RW, 0xffffffff, 0 },
	{ 0xf0, RW, 0xfffff07f, 0 },		/* IVA */
	{ 0xf4, RW, 0xffffffff, 0 },
	{ 0xf8, RO, 0, 0 },			/* IOTLB */
	{ 0xfc, COMMAND, 0xb003ffff, 0 },
	{ 0x22c, W1C, 0x80000000, 0 },		/* FRCD */
	{ 0x23c, W1C, 0x80000000, 0 },
	{ 0x24c, W1C, 0x80000000, 0 },
	{ 0x25c, W1C, 0x80000000, 0 },
	{ 0x26c, W1C, 0x80000000, 0 },
	{ 0x27c, W1C, 0x80000000, 0 },
	{ 0x28c, W1C, 0x80000000, 0 },
	{ 0x29c, W1C, 0x80000000, 0 },
};

static struct word word_of(u32 offset)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].offset == offset)
			return table[i];
	return (struct word){ .offset = offset };
}

static struct vtd_regs *fresh(struct kunit *test)
{
	struct vtd_regs *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	vtd_regs_reset(r, CAP, ECAP);
	return r;
}

static void test_reset(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);
	u32 offset;

	for (offset = 0; offset < 0x1000; offset += 4)
		KUNIT_EXPECT_EQ_MSG(test, vtd_regs_read(r, offset, 4),
				    word_of(offset).reset, "offset 0x%x",
				    offset);
}

/* Each bit alone, all of them, and none of them. */
static u32 pattern(unsigned int i)
{
	return i < 32 ? BIT(i) : i == 32 ? U32_MAX : 0;
}

static u32 expected(const struct word *w, u32 old, u32 val)
{
	switch (w->kind) {
	case RW:
	case COMMAND:
		return (old & ~w->mask) | (val & w->mask);
	case W1C:
		return old & ~(val & w->mask);
	case WO:
		return 0;
	default:
		return old;
	}
}

static void test_write(struct kunit *test)
{
	struct vtd_regs *r = fresh(test), *clean = fresh(test);
	u32 offset, val;
	unsigned int i;

	for (offset = 0; offset < 0x1000; offset += 4) {
		struct word w = word_of(offset);

		for (i = 0; i < 34; i++) {
			val = pattern(i);
			vtd_regs_reset(r, CAP, ECAP);
			vtd_regs_write(r, offset, val, 4);
			KUNIT_EXPECT_EQ_MSG(test, vtd_regs_read(r, offset, 4),
					    expected(&w, w.reset, val),
					    "0x%x to offset 0x%x", val, offset);
			/* Nothing else has changed. */
			if (offset < VTD_REGS_SIZE)
				vtd_set32(r, offset, w.reset);
			r->gcmd = 0;
			KUNIT_EXPECT_EQ(test, 0, memcmp(clean, r, sizeof(*r)));
		}
	}
}

/* Registers in which hardware has set all that it can set. */
static void test_clear(struct kunit *test)
{
	static const struct {
		u32 offset;
		u32 set;
	} bits[] = {
		{ VTD_FSTS, 0xff73 }, { VTD_ICS, 1 },
		{ VTD_REG_FRCD(0) + 12, 0xffffffff },
		{ VTD_REG_FRCD(7) + 12, 0xffffffff },
	};
	struct vtd_regs *r = fresh(test);
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		struct word w = word_of(bits[i].offset);

		for (j = 0; j < 34; j++) {
			vtd_regs_reset(r, CAP, ECAP);
			/* So that PPF stays */
			vtd_set32(r, VTD_REG_FRCD(3) + 12, BIT(31));
			vtd_set32(r, w.offset, bits[i].set);
			vtd_regs_write(r, w.offset, pattern(j), 4);
			KUNIT_EXPECT_EQ_MSG(test, vtd_get32(r, w.offset),
					    expected(&w, bits[i].set,
						     pattern(j)),
					    "0x%x to offset 0x%x", pattern(j),
					    w.offset);
		}
	}
}

static void test_size(struct kunit *test)
{
	struct vtd_regs *r = fresh(test), *before = fresh(test);
	size_t len;
	u32 offset;

	for (offset = 0; offset < 0x300; offset++) {
		for (len = 1; len <= 9; len++) {
			if ((len == 4 || len == 8) && offset % len == 0)
				continue;
			KUNIT_EXPECT_EQ(test, 0,
					vtd_regs_read(r, offset, len));
			KUNIT_EXPECT_EQ(test, 0,
					vtd_regs_write(r, offset, U64_MAX, len));
		}
	}
	KUNIT_EXPECT_EQ(test, 0, memcmp(before, r, sizeof(*r)));
	/* Behind the registers, and far behind */
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_read(r, VTD_REGS_SIZE, 4));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_read(r, 0xfffffff8, 8));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, 0xfffffffc, 1, 4));
}

static void test_whole(struct kunit *test)
{
	struct vtd_regs *r = fresh(test), *h = fresh(test);
	const u64 val = 0x7edcba9876543210ULL;
	u32 offset, todo;

	/* A 64-bit access is the same as two of 32 bits. */
	for (offset = 0; offset < VTD_REGS_SIZE; offset += 8) {
		vtd_regs_reset(r, CAP, ECAP);
		vtd_regs_reset(h, CAP, ECAP);
		KUNIT_EXPECT_EQ(test, vtd_regs_read(r, offset, 8),
				vtd_get32(r, offset) |
				(u64)vtd_get32(r, offset + 4) << 32);
		todo = vtd_regs_write(h, offset, lower_32_bits(val), 4) |
		       vtd_regs_write(h, offset + 4, upper_32_bits(val), 4);
		KUNIT_EXPECT_EQ(test, todo,
				vtd_regs_write(r, offset, val, 8));
		KUNIT_EXPECT_EQ(test, 0, memcmp(h, r, sizeof(*r)));
	}
}

static void test_todo(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);

	KUNIT_EXPECT_EQ(test, VTD_WROTE_GCMD,
			vtd_regs_write(r, VTD_GCMD, 0x80000000, 4));
	KUNIT_EXPECT_EQ(test, r->gcmd, 0x80000000);
	/* GCMD and GSTS at once */
	KUNIT_EXPECT_EQ(test, VTD_WROTE_GCMD,
			vtd_regs_write(r, VTD_GCMD, U64_MAX, 8));
	KUNIT_EXPECT_EQ(test, 0, vtd_get32(r, VTD_GSTS));

	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_CCMD, 0x1234, 4));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_CCMD, 0x1234, 8));
	KUNIT_EXPECT_EQ(test, VTD_WROTE_CCMD,
			vtd_regs_write(r, VTD_CCMD + 4, 0xa0000000, 4));
	/* Nothing of it can be changed before hardware clears ICC. */
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_CCMD, 0, 8));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_CCMD, U64_MAX, 8));
	KUNIT_EXPECT_EQ(test, 0xa000000000001234ULL, vtd_get64(r, VTD_CCMD));

	vtd_regs_write(r, VTD_REG_IVA, 0x12345043, 8);
	KUNIT_EXPECT_EQ(test, VTD_WROTE_IOTLB,
			vtd_regs_write(r, VTD_REG_IOTLB,
				       0xb000000100000000ULL, 8));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_REG_IVA, 0, 8));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_REG_IOTLB, 0, 8));
	KUNIT_EXPECT_EQ(test, 0x12345043, vtd_get64(r, VTD_REG_IVA));
	KUNIT_EXPECT_EQ(test, 0xb000000100000000ULL,
			vtd_get64(r, VTD_REG_IOTLB));

	KUNIT_EXPECT_EQ(test, VTD_WROTE_QUEUE,
			vtd_regs_write(r, VTD_IQT, 0x20, 8));
	/* To clear what is not set sets nothing going. */
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_FSTS, U32_MAX, 4));
	vtd_set32(r, VTD_FSTS, VTD_FSTS_IQE);
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_FSTS, VTD_FSTS_ITE, 4));
	KUNIT_EXPECT_EQ(test, VTD_WROTE_QUEUE,
			vtd_regs_write(r, VTD_FSTS, VTD_FSTS_IQE, 4));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(test_reset),
	KUNIT_CASE(test_write),
	KUNIT_CASE(test_clear),
	KUNIT_CASE(test_size),
	KUNIT_CASE(test_whole),
	KUNIT_CASE(test_todo),
	{}
};

static struct kunit_suite suite = {
	.name = "kviommu_vtd_regs",
	.test_cases = cases,
};

kunit_test_suite(suite);
