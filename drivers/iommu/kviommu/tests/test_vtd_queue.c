// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation queue of the VT-d model: every bit of every descriptor against a
 * table written from 6.5.2 of the specification, and how the queue runs, stops
 * and goes on.
 */
#include "vtd_guest.h"

/* ---- descriptors ---- */

#define ALL	(~0ULL)

/* @bits: all that may be set, for each word; @min: what has to be */
static const struct {
	const char *name;
	u64 bits[4];
	u64 min;
	bool wide;
} layouts[] = {
	{ "context", { 0x0003ffffffff0e3f }, 0x11 },
	{ "iotlb", { 0x00000000ffff0eff, 0xfffffffffffff07f }, 0x12 },
	{ "devtlb", { 0x0000ffff001f0e0f, 0xfffffffffffff001 }, 0x3 },
	{ "iec", { 0x0000fffff8000e1f }, 0x4 },
	{ "wait", { 0xffffffff00000e7f, 0xfffffffffffffffc }, 0x5 },
	{ "piotlb", { 0x000fffffffff0e3f, 0xfffffffffffff07f }, 0x26, true },
	{ "pasid", { 0x000fffffffff0e3f }, 0x7, true },
	{ "pdevtlb", { 0x000fffffffff0fff, 0xfffffffffffff801 }, 0x8, true },
	{ "pgresp", { 0x000ffffffffffe3f, 0x0000000000000ffc, ALL, ALL }, 0x9,
	  true },
};

static const struct vtd_view view = {
	.cap = FIELD_PREP_CONST(VTD_CAP_MAMV, 36) |
	       FIELD_PREP_CONST(VTD_CAP_MGAW, 47),
	.ecap = VTD_ECAP_SMTS | VTD_ECAP_DT,
	.rtaddr = FIELD_PREP_CONST(VTD_RTADDR_TTM, VTD_TTM_SCALABLE),
	.haw = KVIOMMU_VTD_HAW,
};

static void queue_reserved(struct kunit *test)
{
	struct vtd_inv inv;
	unsigned int i, word, bit;
	int want, got;

	for (i = 0; i < ARRAY_SIZE(layouts); i++) {
		for (word = 0; word < 4; word++) {
			/* Type and granularity are other tests'. */
			for (bit = word ? 0 : 12; bit < 64; bit++) {
				u64 words[4] = { layouts[i].min };
				u64 bits = layouts[i].bits[word];

				words[word] |= BIT_ULL(bit);
				want = bits & BIT_ULL(bit) ? VTD_IQEI_NONE :
							     VTD_IQEI_RESERVED;
				got = vtd_decode(words, true, &view, &inv);
				KUNIT_EXPECT_EQ_MSG(test, got, want,
						    "%s, bit %u of word %u",
						    layouts[i].name, bit, word);
				if (word > 1 || layouts[i].wide)
					continue;
				got = vtd_decode(words, false, &view, &inv);
				KUNIT_EXPECT_EQ_MSG(test, got, want,
						    "%s, bit %u of word %u",
						    layouts[i].name, bit, word);
			}
		}
		/* Bits 8 to 6 of those that have nothing there */
		for (bit = 6; bit < 9; bit++) {
			u64 words[4] = { layouts[i].min | BIT_ULL(bit) };

			want = layouts[i].bits[0] & BIT_ULL(bit) ?
				VTD_IQEI_NONE : VTD_IQEI_RESERVED;
			got = vtd_decode(words, true, &view, &inv);
			KUNIT_EXPECT_EQ_MSG(test, got, want, "%s, bit %u",
					    layouts[i].name, bit);
		}
	}
}

static void queue_types(struct kunit *test)
{
	static const u64 devtlb[4] = { VTD_DESC_DEVTLB };
	struct vtd_view v = view;
	struct vtd_inv inv;
	unsigned int type, i;

	for (type = 0; type < 128; type++) {
		u64 words[4] = { (type & 15) | (u64)(type >> 4) << 9 };
		int got;

		for (i = 0; i < ARRAY_SIZE(layouts); i++)
			if ((layouts[i].min & 15) == type)
				break;
		if (i < ARRAY_SIZE(layouts))
			words[0] = layouts[i].min;
		got = vtd_decode(words, true, &view, &inv);
		KUNIT_EXPECT_EQ_MSG(test, got, i < ARRAY_SIZE(layouts) ?
				    VTD_IQEI_NONE : VTD_IQEI_TYPE,
				    "type 0x%x", type);
		if (i == ARRAY_SIZE(layouts))
			continue;
		/* Those that only 256-bit descriptors can be */
		got = vtd_decode(words, false, &view, &inv);
		KUNIT_EXPECT_EQ_MSG(test, got, layouts[i].wide ?
				    VTD_IQEI_TYPE : VTD_IQEI_NONE,
				    "type 0x%x", type);
		/* and that only units with scalable mode have */
		v.ecap = VTD_ECAP_DT;
		got = vtd_decode(words, true, &v, &inv);
		KUNIT_EXPECT_EQ_MSG(test, got, layouts[i].wide ?
				    VTD_IQEI_TYPE : VTD_IQEI_NONE,
				    "type 0x%x", type);
		/* and that are not for legacy mode */
		v.ecap = view.ecap;
		v.rtaddr = 0;
		got = vtd_decode(words, true, &v, &inv);
		KUNIT_EXPECT_EQ_MSG(test, got, layouts[i].wide ?
				    VTD_IQEI_TYPE : VTD_IQEI_NONE,
				    "type 0x%x", type);
		v.rtaddr = FIELD_PREP(VTD_RTADDR_TTM, VTD_TTM_ABORT_DMA);
		got = vtd_decode(words, true, &v, &inv);
		KUNIT_EXPECT_EQ_MSG(test, got, VTD_IQEI_NONE, "type 0x%x", type);
	}
	v.ecap = 0;
	KUNIT_EXPECT_EQ(test, VTD_IQEI_TYPE,
			vtd_decode(devtlb, true, &v, &inv));
}

static void queue_granularity(struct kunit *test)
{
	static const struct {
		u64 type;
		u8 ok;		/* bit for each granularity */
	} cases[] = {
		{ 1, 0xe }, { 2, 0xe }, { 6, 0xc }, { 7, 0xb },
	};
	struct vtd_inv inv;
	unsigned int i, gran;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (gran = 0; gran < 4; gran++) {
			u64 words[4] = { cases[i].type | gran << 4 };
			int want = VTD_IQEI_RESERVED;

			if (cases[i].ok & BIT(gran))
				want = VTD_IQEI_NONE;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    vtd_decode(words, true, &view, &inv),
					    "type %llu granularity %u",
					    cases[i].type, gran);
		}
	}
}

static void queue_fields(struct kunit *test)
{
	static const u64 context[] = { 0x0002beef12340031, 0 };
	static const u64 piotlb[4] = { 0x000abcde12340036, 0x5002 };
	static const u64 wait[] = { 0xcafe123400000035, 0xfff0000000007ffc };
	struct vtd_inv inv;
	unsigned int am;

	KUNIT_EXPECT_EQ(test, 0, vtd_decode(context, false, &view, &inv));
	KUNIT_EXPECT_EQ(test, inv.type, VTD_DESC_CC);
	KUNIT_EXPECT_EQ(test, inv.gran, VTD_GRAN_DEVICE);
	KUNIT_EXPECT_EQ(test, inv.did, 0x1234);
	KUNIT_EXPECT_EQ(test, inv.sid, 0xbeef);
	KUNIT_EXPECT_EQ(test, inv.fm, 6);

	for (am = 0; am < 64; am++) {
		u64 words[] = { 0x567800f2, 0x123456789abcd000 | 0x40 | am };
		int want = am <= 36 ? VTD_IQEI_NONE : VTD_IQEI_RESERVED;

		KUNIT_EXPECT_EQ(test, want,
				vtd_decode(words, false, &view, &inv));
		if (want)
			continue;
		KUNIT_EXPECT_EQ(test, inv.did, 0x5678);
		KUNIT_EXPECT_EQ(test, inv.last - inv.first + 1, 0x1000ULL << am);
		KUNIT_EXPECT_EQ(test, inv.first % (0x1000ULL << am), 0);
		/* Without what is beyond MGAW */
		KUNIT_EXPECT_LE(test, inv.first, 0x56789abcd000);
		KUNIT_EXPECT_GE(test, inv.last, 0x56789abcdfff);
		/* Not looked at where it means nothing */
		words[0] = 0x567800e2;
		KUNIT_EXPECT_EQ(test, 0, vtd_decode(words, false, &view, &inv));
	}

	/* Of the first stage: any address mask, and any address */
	for (am = 0; am < 64; am++) {
		u64 words[4] = { 0x12340036, 0xffff8000abcde000 | am };

		KUNIT_EXPECT_EQ(test, 0, vtd_decode(words, true, &view, &inv));
		KUNIT_EXPECT_EQ(test, inv.last - inv.first, am < 52 ?
				(0x1000ULL << am) - 1 : U64_MAX);
		KUNIT_EXPECT_LE(test, inv.first, 0xffff8000abcde000);
		KUNIT_EXPECT_GE(test, inv.last, 0xffff8000abcdefff);
	}
	KUNIT_EXPECT_EQ(test, 0, vtd_decode(piotlb, true, &view, &inv));
	KUNIT_EXPECT_EQ(test, inv.did, 0x1234);
	KUNIT_EXPECT_EQ(test, inv.first, 0x4000);
	KUNIT_EXPECT_EQ(test, inv.last, 0x7fff);

	KUNIT_EXPECT_EQ(test, 0, vtd_decode(wait, false, &view, &inv));
	KUNIT_EXPECT_EQ(test, inv.data, 0xcafe1234);
	KUNIT_EXPECT_EQ(test, inv.addr, 0x7ffc);
}

/* ---- the queue ---- */

static u32 iqei(struct vtd_guest *g)
{
	return vg_read(g, VTD_IQERCD, 8);
}

static bool stopped(struct vtd_guest *g)
{
	return vg_read(g, VTD_FSTS, 4) & VTD_FSTS_IQE;
}

static void queue_runs(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);
	unsigned int i;

	vg_start(g);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_IQH, 8));
	/* Three times round, in odd numbers */
	for (i = 0; i < 260; i++) {
		vg_put_desc(g, VTD_DESC_IEC, 0);
		vg_put_desc(g, VTD_DESC_DEVTLB, 0);
		KUNIT_EXPECT_TRUE(test, vg_wait(g));
		KUNIT_EXPECT_EQ(test, vg_read(g, VTD_IQH, 8), g->tail);
	}
	KUNIT_EXPECT_EQ(test, 260, g->vt->count.desc[VTD_DESC_IEC]);
	/* Nothing to do: nothing happens. */
	vg_ring(g);
	KUNIT_EXPECT_FALSE(test, stopped(g));
	/* Disabled: the head is 0, and the tail rings no bell. */
	vg_command(g, 0, VTD_GCMD_QIE);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_IQH, 8));
	KUNIT_EXPECT_FALSE(test, vg_wait(g));
	KUNIT_EXPECT_FALSE(test, stopped(g));
}

static void queue_stops(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);
	u32 at;

	vg_start(g);
	vg_put_desc(g, VTD_DESC_IEC, 0);
	at = g->tail;
	vg_put_desc(g, 0xe, 0);
	KUNIT_EXPECT_FALSE(test, vg_wait(g));
	KUNIT_EXPECT_TRUE(test, stopped(g));
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_TYPE);
	/* The head is at what is wrong, and a new tail changes nothing. */
	KUNIT_EXPECT_EQ(test, vg_read(g, VTD_IQH, 8), at);
	vg_ring(g);
	KUNIT_EXPECT_EQ(test, vg_read(g, VTD_IQH, 8), at);
	/* Not mended: it stops again. */
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_TRUE(test, stopped(g));
	/* As Linux does it */
	vg_set(g, g->iq + at, VTD_DESC_IEC);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_FALSE(test, stopped(g));
	KUNIT_EXPECT_EQ(test, vg_read(g, VTD_IQH, 8), g->tail);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(*(__le32 *)vg_word(g, g->status)),
			g->waits);
	KUNIT_EXPECT_TRUE(test, vg_wait(g));
	/* Errors of other kinds stop it as well, whoever set them. */
	mutex_lock(&g->v->lock);
	vtd_set32(&g->vt->regs, VTD_FSTS, VTD_FSTS_ITE);
	mutex_unlock(&g->v->lock);
	KUNIT_EXPECT_FALSE(test, vg_wait(g));
	vg_write(g, VTD_FSTS, VTD_FSTS_ITE, 4);
	KUNIT_EXPECT_EQ(test, vg_read(g, VTD_IQH, 8), g->tail);
	/* but not all (6.5.2.11) */
	mutex_lock(&g->v->lock);
	vtd_set32(&g->vt->regs, VTD_FSTS, VTD_FSTS_ICE);
	mutex_unlock(&g->v->lock);
	KUNIT_EXPECT_TRUE(test, vg_wait(g));
}

static void queue_tail(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);

	vg_start(g);
	vg_write(g, VTD_IQT, VTD_PAGE_SIZE, 8);
	KUNIT_EXPECT_TRUE(test, stopped(g));
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_TAIL);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_IQH, 8));
	vg_write(g, VTD_IQT, 0, 8);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_FALSE(test, stopped(g));
	KUNIT_EXPECT_TRUE(test, vg_wait(g));
}

static void queue_size(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);

	vg_start(g);
	vg_command(g, 0, VTD_GCMD_QIE);
	/* 8 pages; what is written while it is enabled has no effect */
	vg_write(g, VTD_IQA, VG_DATA | 3, 8);
	vg_write(g, VTD_IQT, 0, 8);
	vg_command(g, VTD_GCMD_QIE, 0);
	vg_write(g, VTD_IQA, 0, 8);
	vg_set(g, VG_DATA, VTD_DESC_IEC);
	vg_set(g, VG_DATA + 16, 0xf);
	vg_write(g, VTD_IQT, 16, 8);
	KUNIT_EXPECT_FALSE(test, stopped(g));
	KUNIT_EXPECT_EQ(test, 16, vg_read(g, VTD_IQH, 8));
	vg_write(g, VTD_IQT, 0x7ff0, 8);
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_TYPE);
	vg_write(g, VTD_IQT, 0x8000, 8);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_TAIL);
}

/* All the time that it waits for memory is over. */
static void give_up(struct vtd_guest *g)
{
	KUNIT_EXPECT_TRUE(g->m->test, g->vt->queue.away);
	mutex_lock(&g->v->lock);
	g->vt->queue.give_up = jiffies;
	mutex_unlock(&g->v->lock);
	vg_work(g);
}

static bool written(struct vtd_guest *g)
{
	return le32_to_cpu(*(__le32 *)vg_word(g, g->status)) == g->waits;
}

static void queue_memory(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);
	u64 status = g->status;
	u32 head;

	vg_start(g);
	vg_command(g, 0, VTD_GCMD_QIE);
	vg_write(g, VTD_IQA, 0xfffffffffffff000, 8);
	vg_write(g, VTD_IQT, 0, 8);
	vg_command(g, VTD_GCMD_QIE, 0);
	vg_write(g, VTD_IQT, 32, 8);
	KUNIT_EXPECT_FALSE(test, stopped(g));
	give_up(g);
	KUNIT_EXPECT_TRUE(test, stopped(g));
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_FETCH);
	vg_command(g, 0, VTD_GCMD_QIE);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	vg_start(g);
	KUNIT_EXPECT_TRUE(test, vg_wait(g));

	/* A status that goes nowhere is lost, and nothing else. */
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_SW, VG_END);
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_SW, 0x000ffffffffffffc);
	KUNIT_EXPECT_FALSE(test, vg_wait(g));
	give_up(g);
	KUNIT_EXPECT_EQ(test, 1, g->vt->count.lost_status);
	give_up(g);
	KUNIT_EXPECT_TRUE(test, written(g));
	KUNIT_EXPECT_EQ(test, 2, g->vt->count.lost_status);
	/* Read-only memory won't become another one. */
	mock_mem_readonly(g->m, 0x3ff000, 0x1000, true);
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_SW, 0x3ff000);
	KUNIT_EXPECT_TRUE(test, vg_wait(g));
	KUNIT_EXPECT_EQ(test, 3, g->vt->count.lost_status);

	/* Memory that is away for the moment: the queue's */
	mock_mem_gone(g->m, g->iq, VTD_PAGE_SIZE);
	head = vg_read(g, VTD_IQH, 8);
	KUNIT_EXPECT_FALSE(test, vg_wait(g));
	KUNIT_EXPECT_FALSE(test, stopped(g));
	KUNIT_EXPECT_EQ(test, head, vg_read(g, VTD_IQH, 8));
	mock_mem_hole(g->m, g->iq, VTD_PAGE_SIZE, false);
	vg_work(g);
	KUNIT_EXPECT_TRUE(test, written(g));
	/* a status', with an interrupt, which is told only once */
	mock_mem_gone(g->m, status, VTD_PAGE_SIZE);
	g->waits++;
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_SW | VTD_WAIT0_IF |
		    (u64)g->waits << 32, status);
	vg_ring(g);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_ICS, 4));
	mock_mem_hole(g->m, status, VTD_PAGE_SIZE, false);
	vg_work(g);
	KUNIT_EXPECT_TRUE(test, written(g));
	KUNIT_EXPECT_EQ(test, 1, vg_read(g, VTD_ICS, 4));
	KUNIT_EXPECT_EQ(test, 3, g->vt->count.lost_status);
	/* and longer than that: the queue says so. */
	mock_mem_gone(g->m, g->iq, VTD_PAGE_SIZE);
	vg_put_desc(g, VTD_DESC_IEC, 0);
	vg_ring(g);
	give_up(g);
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_FETCH);
	mock_mem_hole(g->m, g->iq, VTD_PAGE_SIZE, false);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_TRUE(test, vg_wait(g));
}

static void queue_wide(struct kunit *test)
{
	static const struct vtd_guest_options o = { .scalable = true };
	struct vtd_guest *g = vg_create(test, &o);

	vg_start(g);
	KUNIT_EXPECT_TRUE(test, vg_wait(g));
	KUNIT_EXPECT_EQ(test, 32, vg_read(g, VTD_IQH, 8));
	vg_write(g, VTD_IQT, 0x30, 8);
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_MISALIGNED);
	vg_write(g, VTD_IQT, 0x20, 8);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	/* Software's own words are reserved in all but one. */
	vg_set(g, g->iq + 0x38, 1);
	vg_set(g, g->iq + 0x20, VTD_DESC_IEC);
	vg_write(g, VTD_IQT, 0x40, 8);
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_RESERVED);
	vg_set(g, g->iq + 0x20, VTD_DESC_PGRESP);
	vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
	KUNIT_EXPECT_FALSE(test, stopped(g));

	/* 128 bits in scalable mode (11.4.9.3) */
	vg_command(g, 0, VTD_GCMD_QIE);
	vg_write(g, VTD_IQA, g->iq, 8);
	vg_write(g, VTD_IQT, 0, 8);
	vg_command(g, VTD_GCMD_QIE, 0);
	vg_write(g, VTD_IQT, 0x10, 8);
	KUNIT_EXPECT_EQ(test, iqei(g), VTD_IQEI_WIDTH);
}

/* Widths and modes of a unit without scalable mode (table 26) */
static void queue_widths(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);
	static const struct {
		unsigned int ttm;
		bool wide;
		enum vtd_iqei want;
	} cases[] = {
		{ VTD_TTM_LEGACY, false, VTD_IQEI_NONE },
		{ VTD_TTM_LEGACY, true, VTD_IQEI_NONE },
		{ VTD_TTM_SCALABLE, false, VTD_IQEI_TTM },
		{ VTD_TTM_SCALABLE, true, VTD_IQEI_TTM },
		{ 2, false, VTD_IQEI_TTM },
		{ 2, true, VTD_IQEI_TTM },
		{ VTD_TTM_ABORT_DMA, false, VTD_IQEI_WIDTH },
		{ VTD_TTM_ABORT_DMA, true, VTD_IQEI_NONE },
	};
	unsigned int i;
	u64 iqa;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		vg_command(g, 0, VTD_GCMD_QIE);
		vg_write(g, VTD_FSTS, VTD_FSTS_IQE, 4);
		vg_write(g, VTD_RTADDR, g->root | cases[i].ttm << 10, 8);
		vg_command(g, VTD_GCMD_SRTP, 0);
		iqa = g->iq;
		if (cases[i].wide)
			iqa |= VTD_IQA_DW;
		vg_write(g, VTD_IQA, iqa, 8);
		vg_write(g, VTD_IQT, 0, 8);
		vg_command(g, VTD_GCMD_QIE, 0);
		g->wide = cases[i].wide;
		g->tail = 0;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].want == VTD_IQEI_NONE,
				    vg_wait(g), "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].want != VTD_IQEI_NONE,
				    stopped(g), "case %u", i);
		if (cases[i].want)
			KUNIT_EXPECT_EQ_MSG(test, cases[i].want, iqei(g),
					    "case %u", i);
	}
}

static void queue_interrupt(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);

	vg_start(g);
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_IF | VTD_WAIT0_FN, 0);
	vg_ring(g);
	KUNIT_EXPECT_EQ(test, 1, vg_read(g, VTD_ICS, 4));
	/* IECTL masks it from reset on. */
	KUNIT_EXPECT_EQ(test, VTD_ECTL_IM | VTD_ECTL_IP,
			vg_read(g, VTD_IECTL, 4));
	vg_write(g, VTD_IECTL, 0, 4);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_IECTL, 4));
	vg_write(g, VTD_ICS, 1, 4);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_ICS, 4));
	/* Both, and none */
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_IF | VTD_WAIT0_SW |
		    0x1234ULL << 32, g->status);
	vg_put_desc(g, VTD_DESC_WAIT, 0);
	vg_ring(g);
	KUNIT_EXPECT_EQ(test, 1, vg_read(g, VTD_ICS, 4));
	KUNIT_EXPECT_EQ(test, 0x1234, le64_to_cpu(*vg_word(g, g->status)));
	KUNIT_EXPECT_EQ(test, vg_read(g, VTD_IQH, 8), g->tail);
}

static struct kunit_case decode_cases[] = {
	KUNIT_CASE(queue_reserved),
	KUNIT_CASE(queue_types),
	KUNIT_CASE(queue_granularity),
	KUNIT_CASE(queue_fields),
	{}
};

static struct kunit_suite decode_suite = {
	.name = "kviommu_vtd_descriptors",
	.test_cases = decode_cases,
};

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(queue_runs),
	KUNIT_CASE(queue_stops),
	KUNIT_CASE(queue_tail),
	KUNIT_CASE(queue_size),
	KUNIT_CASE(queue_memory),
	KUNIT_CASE(queue_wide),
	KUNIT_CASE(queue_widths),
	KUNIT_CASE(queue_interrupt),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "kviommu_vtd_queue",
	.exit = vg_exit,
	.test_cases = queue_cases,
};

kunit_test_suites(&decode_suite, &queue_suite);
