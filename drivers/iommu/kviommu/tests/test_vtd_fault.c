// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the VT-d model: records, their overflow and order, and when the two
 * events send their message.
 */
#include <kunit/test.h>
#include <linux/bitfield.h>

#include "vtd/regs.h"

static struct vtd_regs *fresh(struct kunit *test)
{
	struct vtd_regs *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	vtd_regs_reset(r, 0, 0);
	vtd_regs_write(r, VTD_FECTL, 0, 4);
	vtd_regs_write(r, VTD_IECTL, 0, 4);
	return r;
}

static bool record(struct vtd_regs *r, u16 source_id, u32 *events)
{
	struct vtd_fault_info f = {
		.addr = 0x123456789abcULL,
		.source_id = source_id,
		.reason = VTD_FAULT_L_READ,
	};

	return vtd_fault_record(r, &f, events);
}

static u64 hi(const struct vtd_regs *r, unsigned int n)
{
	return vtd_regs_read(r, VTD_REG_FRCD(n) + 8, 8);
}

static u32 clear(struct vtd_regs *r, unsigned int n)
{
	return vtd_regs_write(r, VTD_REG_FRCD(n) + 8, hi(r, n), 8);
}

static u32 fri(const struct vtd_regs *r)
{
	return FIELD_GET(VTD_FSTS_FRI, vtd_get32(r, VTD_FSTS));
}

static bool pending(const struct vtd_regs *r)
{
	return vtd_get32(r, VTD_FSTS) & VTD_FSTS_PPF;
}

static bool ip(const struct vtd_regs *r, u32 ectl)
{
	return vtd_get32(r, ectl) & VTD_ECTL_IP;
}

static void test_layout(struct kunit *test)
{
	struct vtd_fault_info f = {
		.addr = 0xfedcba9876543210ULL,
		.source_id = 0xbeef,
		.reason = 0x86,
	};
	struct vtd_regs *r = fresh(test);
	u32 events;

	KUNIT_EXPECT_TRUE(test, vtd_fault_record(r, &f, &events));
	KUNIT_EXPECT_EQ(test, 0xfedcba9876543000ULL,
			vtd_regs_read(r, 0x220, 8));
	/* F, T1 for a read, reason, source id */
	KUNIT_EXPECT_EQ(test, 0xc00000860000beefULL,
			vtd_regs_read(r, 0x228, 8));
	f.write = true;
	f.source_id = 1;
	KUNIT_EXPECT_TRUE(test, vtd_fault_record(r, &f, &events));
	KUNIT_EXPECT_EQ(test, 0x8000008600000001ULL,
			vtd_regs_read(r, 0x238, 8));
}

static void test_order(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);
	unsigned int i, n;
	u32 events;

	/* As a driver reads them: from FRI on, until one is not pending. */
	for (i = 0; i < 3 * VTD_NR_FRCD; i += 5) {
		for (n = 0; n < 5; n++)
			KUNIT_EXPECT_TRUE(test, record(r, i + n, &events));
		KUNIT_EXPECT_EQ(test, fri(r), i % VTD_NR_FRCD);
		for (n = 0; n < 5; n++) {
			unsigned int at = (i + n) % VTD_NR_FRCD;

			KUNIT_EXPECT_TRUE(test, pending(r));
			KUNIT_EXPECT_EQ(test, i + n,
					FIELD_GET(VTD_FRCD_HI_SID, hi(r, at)));
			clear(r, at);
			KUNIT_EXPECT_FALSE(test, hi(r, at) & VTD_FRCD_HI_F);
		}
		KUNIT_EXPECT_FALSE(test, pending(r));
	}
}

static void test_overflow(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);
	unsigned int i;
	u32 events;

	for (i = 0; i < VTD_NR_FRCD; i++)
		KUNIT_EXPECT_TRUE(test, record(r, i, &events));
	KUNIT_EXPECT_EQ(test, vtd_get32(r, VTD_FSTS), VTD_FSTS_PPF);
	KUNIT_EXPECT_FALSE(test, record(r, 100, &events));
	KUNIT_EXPECT_EQ(test, events, 0);
	KUNIT_EXPECT_EQ(test, vtd_get32(r, VTD_FSTS),
			VTD_FSTS_PPF | VTD_FSTS_PFO);
	/* Nothing is recorded until PFO is cleared, even if there is room. */
	for (i = 0; i < VTD_NR_FRCD; i++)
		clear(r, i);
	KUNIT_EXPECT_EQ(test, vtd_get32(r, VTD_FSTS), VTD_FSTS_PFO);
	KUNIT_EXPECT_FALSE(test, record(r, 100, &events));
	KUNIT_EXPECT_FALSE(test, pending(r));
	vtd_regs_write(r, VTD_FSTS, VTD_FSTS_PFO, 4);
	KUNIT_EXPECT_EQ(test, vtd_get32(r, VTD_FSTS), 0);
	KUNIT_EXPECT_TRUE(test, record(r, 100, &events));
	KUNIT_EXPECT_EQ(test, events, VTD_FAULT_EVENT);
}

static void test_collapse(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);
	u32 events;

	KUNIT_EXPECT_TRUE(test, record(r, 1, &events));
	KUNIT_EXPECT_TRUE(test, record(r, 2, &events));
	KUNIT_EXPECT_FALSE(test, record(r, 1, &events));
	KUNIT_EXPECT_EQ(test, events, 0);
	KUNIT_EXPECT_FALSE(test, hi(r, 2) & VTD_FRCD_HI_F);
	KUNIT_EXPECT_EQ(test, vtd_get32(r, VTD_FSTS), VTD_FSTS_PPF);
	clear(r, 0);
	KUNIT_EXPECT_TRUE(test, record(r, 1, &events));
	/* The second one is still pending, so this is no new event. */
	KUNIT_EXPECT_EQ(test, events, 0);
	KUNIT_EXPECT_TRUE(test, hi(r, 2) & VTD_FRCD_HI_F);
}

static void test_fault_event(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);
	u32 events;

	record(r, 1, &events);
	KUNIT_EXPECT_EQ(test, events, VTD_FAULT_EVENT);
	KUNIT_EXPECT_FALSE(test, ip(r, VTD_FECTL));
	record(r, 2, &events);
	KUNIT_EXPECT_EQ(test, events, 0);
	KUNIT_EXPECT_EQ(test, 0, vtd_queue_error(r, VTD_IQEI_TYPE));
	clear(r, 0);
	clear(r, 1);
	/* IQE is still there. */
	record(r, 3, &events);
	KUNIT_EXPECT_EQ(test, events, 0);
	clear(r, 2);
	vtd_regs_write(r, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_EVENT,
			vtd_queue_error(r, VTD_IQEI_RESERVED));
	KUNIT_EXPECT_EQ(test, VTD_IQEI_RESERVED,
			vtd_regs_read(r, VTD_IQERCD, 8));
}

static void test_masked(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);
	u32 events;

	/* Held back while masked, sent when unmasked, once */
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_FECTL, ~0U, 4));
	KUNIT_EXPECT_FALSE(test, ip(r, VTD_FECTL));
	record(r, 1, &events);
	KUNIT_EXPECT_EQ(test, events, 0);
	KUNIT_EXPECT_TRUE(test, ip(r, VTD_FECTL));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_FECTL, ~0U, 4));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_EVENT,
			vtd_regs_write(r, VTD_FECTL, 0, 4));
	KUNIT_EXPECT_FALSE(test, ip(r, VTD_FECTL));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_FECTL, 0, 4));
	clear(r, 0);

	/* All that it would tell of is gone */
	vtd_regs_write(r, VTD_FECTL, VTD_ECTL_IM, 4);
	record(r, 1, &events);
	record(r, 2, &events);
	vtd_queue_error(r, VTD_IQEI_TAIL);
	clear(r, 1);
	KUNIT_EXPECT_TRUE(test, ip(r, VTD_FECTL));
	clear(r, 2);
	KUNIT_EXPECT_TRUE(test, ip(r, VTD_FECTL));
	vtd_regs_write(r, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_FALSE(test, ip(r, VTD_FECTL));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_FECTL, 0, 4));
}

static void test_wait_event(struct kunit *test)
{
	struct vtd_regs *r = fresh(test);

	KUNIT_EXPECT_EQ(test, VTD_INV_EVENT, vtd_wait_complete(r));
	KUNIT_EXPECT_EQ(test, 1, vtd_get32(r, VTD_ICS));
	KUNIT_EXPECT_EQ(test, 0, vtd_wait_complete(r));
	vtd_regs_write(r, VTD_ICS, 1, 4);
	KUNIT_EXPECT_EQ(test, VTD_INV_EVENT, vtd_wait_complete(r));
	vtd_regs_write(r, VTD_ICS, 1, 4);

	vtd_regs_write(r, VTD_IECTL, VTD_ECTL_IM, 4);
	KUNIT_EXPECT_EQ(test, 0, vtd_wait_complete(r));
	KUNIT_EXPECT_TRUE(test, ip(r, VTD_IECTL));
	KUNIT_EXPECT_EQ(test, VTD_INV_EVENT,
			vtd_regs_write(r, VTD_IECTL, 0, 4));
	vtd_regs_write(r, VTD_IECTL, VTD_ECTL_IM, 4);
	vtd_regs_write(r, VTD_ICS, 1, 4);
	KUNIT_EXPECT_EQ(test, 0, vtd_wait_complete(r));
	KUNIT_EXPECT_TRUE(test, ip(r, VTD_IECTL));
	vtd_regs_write(r, VTD_ICS, 1, 4);
	KUNIT_EXPECT_FALSE(test, ip(r, VTD_IECTL));
	KUNIT_EXPECT_EQ(test, 0, vtd_regs_write(r, VTD_IECTL, 0, 4));
	/* The fault event has nothing to do with it. */
	KUNIT_EXPECT_FALSE(test, ip(r, VTD_FECTL));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(test_layout),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_overflow),
	KUNIT_CASE(test_collapse),
	KUNIT_CASE(test_fault_event),
	KUNIT_CASE(test_masked),
	KUNIT_CASE(test_wait_event),
	{}
};

static struct kunit_suite suite = {
	.name = "kviommu_vtd_fault",
	.test_cases = cases,
};

kunit_test_suite(suite);
