// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream tables and context descriptors of the SMMUv3 model: every value of each
 * field that decides something, in both formats of both tables.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "smmuv3/tables.h"
#include "table_mem.h"

#define PAGES		64
#define ENTRIES		512
#define CD_TABLE	SZ_64K
#define TTB0		0x28000
#define TTB1		0x29000
#define S2TTB		0x30000

#define IDR0	(SMMU_IDR0_S1P | SMMU_IDR0_S2P | SMMU_IDR0_CD2L |	\
		 FIELD_PREP_CONST(SMMU_IDR0_TTF, SMMU_TTF_AARCH64) |	\
		 FIELD_PREP_CONST(SMMU_IDR0_ST_LEVEL, SMMU_ST_LEVEL_2))
#define IDR1	(FIELD_PREP_CONST(SMMU_IDR1_SIDSIZE, 16) |		\
		 FIELD_PREP_CONST(SMMU_IDR1_SSIDSIZE, 20))
#define IDR5	(FIELD_PREP_CONST(SMMU_IDR5_OAS, 4) | SMMU_IDR5_GRAN4K | \
		 SMMU_IDR5_GRAN16K | SMMU_IDR5_GRAN64K)

struct guest {
	struct table_mem mem;
	struct smmu_view view;
	u64 ste[SMMU_STE_WORDS];
	u64 cd[SMMU_CD_WORDS];
	u64 l1cd;
	__le64 pages[PAGES][ENTRIES];
};

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct guest *g = container_of(m, struct guest, mem);

	return gpa / 4096 < PAGES ? g->pages[gpa / 4096] : NULL;
}

static void put(struct guest *g, u64 gpa, const u64 *words, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		g->pages[gpa / 4096][gpa % 4096 / 8 + i] = cpu_to_le64(words[i]);
}

static void put1(struct guest *g, u64 gpa, u64 word)
{
	put(g, gpa, &word, 1);
}

/* A linear table at 0 with one valid entry, nested; the second stage is 1:1. */
static void guest_init(struct guest *g)
{
	g->view = (struct smmu_view){
		.strtab = 0,
		.strtab_cfg = FIELD_PREP(SMMU_STRTAB_LOG2SIZE, 16),
		.idr0 = IDR0, .idr1 = IDR1, .idr5 = IDR5,
	};
	memset(g->ste, 0, sizeof(g->ste));
	memset(g->cd, 0, sizeof(g->cd));
	memset(g->pages, 0, sizeof(g->pages));
	g->ste[0] = SMMU_STE0_V | FIELD_PREP(SMMU_STE0_CONFIG, 7) | CD_TABLE;
	g->ste[2] = FIELD_PREP(SMMU_STE2_S2VMID, 7) |
		    FIELD_PREP(SMMU_STE2_S2T0SZ, 25) |
		    FIELD_PREP(SMMU_STE2_S2SL0, 1) |
		    FIELD_PREP(SMMU_STE2_S2PS, 4) | SMMU_STE2_S2AA64 |
		    SMMU_STE2_S2R;
	g->ste[3] = S2TTB;
	g->cd[0] = FIELD_PREP(SMMU_CD0_T0SZ, 16) | FIELD_PREP(SMMU_CD0_TG1, 2) |
		   FIELD_PREP(SMMU_CD0_T1SZ, 16) | SMMU_CD0_V |
		   FIELD_PREP(SMMU_CD0_IPS, 4) | SMMU_CD0_AA64 | SMMU_CD0_R |
		   SMMU_CD0_A | FIELD_PREP(SMMU_CD0_ASID, 9);
	g->cd[1] = TTB0;
	g->cd[2] = TTB1;
	/* A block of 1 GiB, of normal memory */
	put1(g, S2TTB, 0x7fd);
	g->l1cd = 0;
}

static struct guest *guest_create(struct kunit *test)
{
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	table_mem_init(&g->mem, test, find);
	guest_init(g);
	return g;
}

/* Where the linear stream table would have it; it is moved to be in memory. */
static struct smmu_context resolve(struct guest *g)
{
	struct smmu_context ctx;

	put(g, 0x1000, g->ste, SMMU_STE_WORDS);
	if (g->l1cd)
		put1(g, CD_TABLE, g->l1cd);
	else
		put(g, CD_TABLE, g->cd, SMMU_CD_WORDS);
	smmu_resolve(&g->view, &g->mem.reader, 0x1000 / SMMU_STE_SIZE, &ctx);
	return ctx;
}

/* ---- the stream table ---- */

static void linear(struct kunit *test)
{
	struct guest *g = guest_create(test);
	struct smmu_context ctx = resolve(g);

	KUNIT_EXPECT_EQ(test, ctx.kind, SMMU_TRANSLATE);
	KUNIT_EXPECT_EQ(test, ctx.fault.event, 0);
	KUNIT_EXPECT_EQ(test, ctx.vmid, 7);
	KUNIT_EXPECT_EQ(test, ctx.asid, 9);
	KUNIT_EXPECT_TRUE(test, ctx.record);
	KUNIT_EXPECT_TRUE(test, ctx.s2_record);
	KUNIT_EXPECT_EQ(test, ctx.key.half[0].ttb, TTB0);
	KUNIT_EXPECT_EQ(test, ctx.key.half[1].ttb, TTB1);
	KUNIT_EXPECT_EQ(test, ctx.key.s2ttb, S2TTB);
	KUNIT_EXPECT_EQ(test, ctx.key.s2_level, 1);

	/* Beyond the table, and beyond what there are StreamIDs for */
	g->view.strtab_cfg = 6;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_C_BAD_STREAMID);
	g->view.strtab_cfg = 7;
	KUNIT_EXPECT_EQ(test, resolve(g).kind, SMMU_TRANSLATE);
	g->view.strtab_cfg = 63;
	smmu_resolve(&g->view, &g->mem.reader, 0x10000, &ctx);
	KUNIT_EXPECT_EQ(test, ctx.fault.event, SMMU_EVENT_C_BAD_STREAMID);
	/* Reserved formats are linear; bits of the base below its size are 0. */
	g->view.strtab_cfg = FIELD_PREP(SMMU_STRTAB_FMT, 2) | 16;
	g->view.strtab = 0x7ffc0;
	KUNIT_EXPECT_EQ(test, resolve(g).kind, SMMU_TRANSLATE);
	/* Nothing is there. */
	g->view.strtab = 1ULL << 40;
	ctx = resolve(g);
	KUNIT_EXPECT_EQ(test, ctx.kind, SMMU_BLOCKED);
	KUNIT_EXPECT_EQ(test, ctx.fault.event, SMMU_EVENT_F_STE_FETCH);
	KUNIT_EXPECT_EQ(test, ctx.fault.addr, (1ULL << 40) + 0x1000);
}

static u8 two_level(struct guest *g, unsigned int split, unsigned int span,
		    u32 sid)
{
	unsigned int real = split == 8 || split == 10 ? split : 6;
	struct smmu_context ctx;

	guest_init(g);
	g->view.strtab = 0x2b000;
	g->view.strtab_cfg = FIELD_PREP(SMMU_STRTAB_FMT, SMMU_STRTAB_FMT_2LVL) |
			     FIELD_PREP(SMMU_STRTAB_SPLIT, split) | 13;
	g->ste[0] = SMMU_STE0_V |
		    FIELD_PREP(SMMU_STE0_CONFIG, SMMU_CONFIG_BYPASS);
	put1(g, 0x2b000 + (sid >> real) * 8, 0x30000 | span);
	put(g, 0x30000 + (sid & ((1 << real) - 1)) * SMMU_STE_SIZE, g->ste, 1);
	smmu_resolve(&g->view, &g->mem.reader, sid, &ctx);
	return ctx.kind == SMMU_BYPASS ? 0 : ctx.fault.event;
}

static void two_levels(struct kunit *test)
{
	struct guest *g = guest_create(test);
	unsigned int split, span, real;

	for (split = 0; split < 16; split++) {
		real = split == 8 || split == 10 ? split : 6;
		/* 10 + 6 bits of entries are the pages of this test. */
		for (span = 0; span < 32; span++) {
			u32 sid = 0x1000 + (span && span <= real ?
					    (1 << (span - 1)) - 1 : 0);
			bool valid = span && span <= real + 1;

			KUNIT_EXPECT_EQ(test, two_level(g, split, span, sid),
					valid ? 0 : SMMU_EVENT_C_BAD_STREAMID);
			/* One more is not in the second level. */
			if (valid && span <= real)
				KUNIT_EXPECT_EQ(test,
						two_level(g, split, span, sid + 1),
						SMMU_EVENT_C_BAD_STREAMID);
		}
	}
	KUNIT_EXPECT_EQ(test, two_level(g, 8, 9, 0x2000),
			SMMU_EVENT_C_BAD_STREAMID);
	/* Without two levels the format does not matter. */
	guest_init(g);
	g->view.idr0 &= ~SMMU_IDR0_ST_LEVEL;
	g->view.strtab_cfg |= FIELD_PREP(SMMU_STRTAB_FMT, SMMU_STRTAB_FMT_2LVL);
	KUNIT_EXPECT_EQ(test, resolve(g).kind, SMMU_TRANSLATE);
	/* The first level, and then the second, is nowhere. */
	guest_init(g);
	g->view.strtab_cfg = FIELD_PREP(SMMU_STRTAB_FMT, SMMU_STRTAB_FMT_2LVL) |
			     FIELD_PREP(SMMU_STRTAB_SPLIT, 8) | 13;
	g->view.strtab = 1ULL << 40;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_F_STE_FETCH);
	KUNIT_EXPECT_EQ(test, resolve(g).fault.addr, 1ULL << 40);
	g->view.strtab = 0x2b000;
	put1(g, 0x2b000, 1ULL << 40 | 9);
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_F_STE_FETCH);
	KUNIT_EXPECT_EQ(test, resolve(g).fault.addr, (1ULL << 40) + 0x1000);
}

/* ---- stream table entries ---- */

struct word_case {
	const char *name;
	unsigned int word;
	u64 mask;
	u64 value;	/* of the field */
	u8 event;
	u8 kind;
};

#define T	SMMU_TRANSLATE
#define BAD	SMMU_EVENT_C_BAD_STE

static const struct word_case ste_cases[] = {
	{ "V", 0, SMMU_STE0_V, 0, BAD },
	{ "Config 0", 0, SMMU_STE0_CONFIG, 0, 0 },
	{ "Config 1", 0, SMMU_STE0_CONFIG, 1, 0 },
	{ "Config 2", 0, SMMU_STE0_CONFIG, 2, 0 },
	{ "Config 3", 0, SMMU_STE0_CONFIG, 3, 0 },
	{ "Config 4", 0, SMMU_STE0_CONFIG, 4, 0, SMMU_BYPASS },
	{ "Config 5", 0, SMMU_STE0_CONFIG, 5, 0, T },
	{ "Config 6", 0, SMMU_STE0_CONFIG, 6, 0, T },
	{ "S1STALLD", 1, SMMU_STE1_S1STALLD, 1, BAD },
	{ "S2AA64", 2, SMMU_STE2_S2AA64, 0, BAD },
	{ "S2ENDI", 2, SMMU_STE2_S2ENDI, 1, BAD },
	{ "S2S", 2, SMMU_STE2_S2S, 1, BAD },
	{ "S2HA", 2, BIT_ULL(56), 1, BAD },
	{ "S2HD", 2, BIT_ULL(55), 1, BAD },
	{ "S2R", 2, SMMU_STE2_S2R, 0, 0, T },
	{ "S2AFFD", 2, SMMU_STE2_S2AFFD, 1, 0, T },
	{ "S2PTW", 2, SMMU_STE2_S2PTW, 1, 0, T },
	{ "S2TG 1", 2, SMMU_STE2_S2TG, 1, 0, T },
	{ "S2TG 2", 2, SMMU_STE2_S2TG, 2, SMMU_EVENT_F_TRANSLATION },
	{ "S2TG 3", 2, SMMU_STE2_S2TG, 3, BAD },
	{ "S2SL0 0", 2, SMMU_STE2_S2SL0, 0, BAD },
	{ "S2SL0 2", 2, SMMU_STE2_S2SL0, 2, BAD },	/* less than 39 + 1 */
	{ "S2SL0 3", 2, SMMU_STE2_S2SL0, 3, BAD },
	{ "S2T0SZ 0", 2, SMMU_STE2_S2T0SZ, 0, BAD },
	{ "S2T0SZ 19", 2, SMMU_STE2_S2T0SZ, 19, BAD },
	{ "S2T0SZ 20", 2, SMMU_STE2_S2T0SZ, 20, BAD },	/* 32 tables */
	{ "S2T0SZ 21", 2, SMMU_STE2_S2T0SZ, 21, 0, T },	/* 16 tables */
	{ "S2T0SZ 33", 2, SMMU_STE2_S2T0SZ, 33, 0, T },
	{ "S2T0SZ 34", 2, SMMU_STE2_S2T0SZ, 34, BAD },
	{ "S2T0SZ 63", 2, SMMU_STE2_S2T0SZ, 63, BAD },
	{ "S2PS 0", 2, SMMU_STE2_S2PS, 0, 0, T },
	{ "S2PS 5", 2, SMMU_STE2_S2PS, 5, 0, T },
	{ "S2PS 6", 2, SMMU_STE2_S2PS, 6, 0, T },
	{ "S2PS 7", 2, SMMU_STE2_S2PS, 7, 0, T },
	{ "S2TTB", 3, SMMU_STE3_S2TTB, 1ULL << 40, BAD },
	{ "S2TTB is nowhere", 3, SMMU_STE3_S2TTB, 1 << 20,
	  SMMU_EVENT_F_WALK_EABT },
	{ "S1ContextPtr 44 bits", 0, SMMU_STE0_S1CTXPTR, 1ULL << 38,
	  SMMU_EVENT_F_TRANSLATION },
	{ "S1ContextPtr is nowhere", 0, SMMU_STE0_S1CTXPTR, 1 << 20,
	  SMMU_EVENT_F_CD_FETCH },
	{ "S1CDMAX > SSIDSIZE", 0, SMMU_STE0_S1CDMAX, 21, BAD },
	{ "S1CDMAX, S1DSS 0", 0, SMMU_STE0_S1CDMAX, 20,
	  SMMU_EVENT_F_STREAM_DISABLED },
	{ "EATS, MEV and others", 1, GENMASK_ULL(26, 19) | GENMASK_ULL(63, 28),
	  0x3fffff, 0, T },
	{ "software's words", 7, U64_MAX, U64_MAX, 0, T },
};

static u64 with_field(u64 word, u64 mask, u64 value)
{
	return (word & ~mask) | (value << __ffs64(mask) & mask);
}

static void ste_fields(struct kunit *test)
{
	struct guest *g = guest_create(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ste_cases); i++) {
		const struct word_case *c = &ste_cases[i];
		struct smmu_context ctx;

		guest_init(g);
		g->ste[c->word] = with_field(g->ste[c->word], c->mask, c->value);
		ctx = resolve(g);
		KUNIT_EXPECT_EQ_MSG(test, ctx.fault.event, c->event, "%s",
				    c->name);
		KUNIT_EXPECT_EQ_MSG(test, ctx.kind, c->kind, "%s", c->name);
		KUNIT_EXPECT_TRUE_MSG(test, ctx.kind == T ||
				      !memchr_inv(&ctx.key, 0, sizeof(ctx.key)),
				      "%s", c->name);
	}
}

/* What the second stage says of the context descriptor, in its own event */
static void cd_by_second_stage(struct kunit *test)
{
	struct guest *g = guest_create(test);
	struct smmu_context ctx;

	g->ste[0] = with_field(g->ste[0], SMMU_STE0_S1CTXPTR, 0x12345678);
	ctx = resolve(g);
	KUNIT_EXPECT_EQ(test, ctx.fault.event, SMMU_EVENT_F_TRANSLATION);
	KUNIT_EXPECT_EQ(test, ctx.fault.class, SMMU_CLASS_CD);
	KUNIT_EXPECT_TRUE(test, ctx.fault.s2);
	KUNIT_EXPECT_EQ(test, ctx.fault.addr, 0x12345678ULL << 6);
	guest_init(g);
	put1(g, S2TTB, 0x7bd);	/* not to be read */
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_F_PERMISSION);
	put1(g, S2TTB, 0x3fd);	/* not accessed */
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_F_ACCESS);
	put1(g, S2TTB, 0x7c1);	/* device memory, with S2PTW */
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, 0);
	g->ste[2] |= SMMU_STE2_S2PTW;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_F_PERMISSION);
}

/* What has an address that the SMMU can't give */
static void too_large(struct kunit *test)
{
	struct guest *g = guest_create(test);

	g->ste[0] = with_field(g->ste[0], SMMU_STE0_CONFIG, 5);
	g->ste[0] = with_field(g->ste[0], SMMU_STE0_S1CTXPTR, 1ULL << 38);
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, BAD);
	guest_init(g);
	g->ste[0] = with_field(g->ste[0], SMMU_STE0_CONFIG, 5) |
		    FIELD_PREP(SMMU_STE0_S1CDMAX, 4) |
		    FIELD_PREP(SMMU_STE0_S1FMT, SMMU_S1FMT_4K);
	g->ste[1] = SMMU_S1DSS_SSID0;
	g->l1cd = 1ULL << 44 | SMMU_L1CD_V;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event,
			SMMU_EVENT_C_BAD_SUBSTREAMID);
}

/* The highest level that S2SL0 says is for wide addresses only. */
static void highest_level(struct kunit *test)
{
	static const struct {
		u8 tg;
		u8 min;	/* OAS */
	} granules[] = { { 0, 4 }, { 1, 4 }, { 2, 3 } };
	struct guest *g = guest_create(test);
	unsigned int i, oas;

	for (i = 0; i < ARRAY_SIZE(granules); i++) {
		for (oas = 2; oas < 6; oas++) {
			static const u8 bits[] = { 0, 0, 40, 42, 44, 48 };

			guest_init(g);
			g->view.idr5 = (IDR5 & ~SMMU_IDR5_OAS) | oas;
			g->ste[0] = with_field(g->ste[0], SMMU_STE0_CONFIG, 6);
			g->ste[2] = with_field(g->ste[2], SMMU_STE2_S2SL0, 2);
			g->ste[2] = with_field(g->ste[2], SMMU_STE2_S2T0SZ,
					       64 - bits[oas]);
			g->ste[2] = with_field(g->ste[2], SMMU_STE2_S2TG,
					       granules[i].tg);
			KUNIT_EXPECT_EQ_MSG(test, resolve(g).fault.event,
					    oas < granules[i].min ? BAD : 0,
					    "tg %u oas %u", granules[i].tg, oas);
		}
	}
}

/* Config needs IDR0.S1P and S2P. */
static void stages_absent(struct kunit *test)
{
	struct guest *g = guest_create(test);
	unsigned int config, idr;

	for (idr = 1; idr < 4; idr++) {
		for (config = 4; config < 8; config++) {
			bool valid = !((config & SMMU_CONFIG_S1 && !(idr & 1)) ||
				       (config & SMMU_CONFIG_S2 && !(idr & 2)));
			struct smmu_context ctx;

			guest_init(g);
			g->view.idr0 &= ~(SMMU_IDR0_S1P | SMMU_IDR0_S2P);
			if (idr & 1)
				g->view.idr0 |= SMMU_IDR0_S1P;
			if (idr & 2)
				g->view.idr0 |= SMMU_IDR0_S2P;
			g->ste[0] = with_field(g->ste[0], SMMU_STE0_CONFIG,
					       config);
			ctx = resolve(g);
			KUNIT_EXPECT_EQ(test, ctx.fault.event, valid ? 0 : BAD);
			/* Without a second stage there is no VMID. */
			KUNIT_EXPECT_EQ(test, ctx.vmid,
					config > 4 && idr & 2 && valid ? 7 : 0);
		}
	}
}

static void substreams(struct kunit *test)
{
	struct guest *g = guest_create(test);
	unsigned int dss, fmt;
	u64 ste0;

	ste0 = g->ste[0] | FIELD_PREP(SMMU_STE0_S1CDMAX, 4);
	for (fmt = 0; fmt < 4; fmt++) {
		static const u8 events[] = {
			SMMU_EVENT_F_STREAM_DISABLED, 0, 0,
			SMMU_EVENT_F_STREAM_DISABLED,
		};

		for (dss = 0; dss < 4; dss++) {
			guest_init(g);
			g->ste[0] = ste0 | FIELD_PREP(SMMU_STE0_S1FMT, fmt);
			g->ste[1] = dss;
			/* A reserved format is linear. */
			if (fmt % 3) {
				g->l1cd = 0x20000 | SMMU_L1CD_V;
				put(g, 0x20000, g->cd, SMMU_CD_WORDS);
			}
			KUNIT_EXPECT_EQ(test, resolve(g).fault.event,
					events[dss]);
			if (dss == 0 || dss == 3)
				continue;
			/* With the first stage passed by, there is the other. */
			KUNIT_EXPECT_EQ(test, resolve(g).key.flags,
					dss == 1 ? SMMU_KEY_S2 :
						   SMMU_KEY_S1 | SMMU_KEY_S2);
			g->ste[0] = with_field(g->ste[0], SMMU_STE0_CONFIG, 5);
			KUNIT_EXPECT_EQ(test, resolve(g).kind,
					dss == 1 ? SMMU_BYPASS : SMMU_TRANSLATE);
		}
	}

	/* A leaf that is absent, or nowhere; no two levels; no substreams */
	guest_init(g);
	g->ste[0] = ste0 | FIELD_PREP(SMMU_STE0_S1FMT, SMMU_S1FMT_4K);
	g->ste[1] = SMMU_S1DSS_SSID0;
	g->l1cd = 0x20000;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event,
			SMMU_EVENT_C_BAD_SUBSTREAMID);
	g->l1cd = SZ_16M | SMMU_L1CD_V;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, SMMU_EVENT_F_CD_FETCH);
	KUNIT_EXPECT_EQ(test, resolve(g).fault.addr, SZ_16M);
	g->view.idr0 &= ~SMMU_IDR0_CD2L;
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, BAD);
	g->view.idr1 &= ~SMMU_IDR1_SSIDSIZE;
	g->l1cd = 0;
	g->ste[0] |= FIELD_PREP(SMMU_STE0_S1CDMAX, 31);
	KUNIT_EXPECT_EQ(test, resolve(g).fault.event, 0);
}

/* ---- context descriptors ---- */

#undef BAD
#define BAD	SMMU_EVENT_C_BAD_CD

static const struct word_case cd_cases[] = {
	{ "V", 0, SMMU_CD0_V, 0, BAD },
	{ "AA64", 0, SMMU_CD0_AA64, 0, BAD },
	{ "ENDI", 0, SMMU_CD0_ENDI, 1, BAD },
	{ "A", 0, SMMU_CD0_A, 0, BAD },
	{ "S", 0, SMMU_CD0_S, 1, BAD },
	{ "R", 0, SMMU_CD0_R, 0, 0, T },
	{ "T0SZ 0", 0, SMMU_CD0_T0SZ, 0, BAD },
	{ "T0SZ 15", 0, SMMU_CD0_T0SZ, 15, BAD },
	{ "T0SZ 39", 0, SMMU_CD0_T0SZ, 39, 0, T },
	{ "T0SZ 40", 0, SMMU_CD0_T0SZ, 40, BAD },
	{ "T0SZ 63", 0, SMMU_CD0_T0SZ, 63, BAD },
	{ "T1SZ 15", 0, SMMU_CD0_T1SZ, 15, BAD },
	{ "T1SZ 40", 0, SMMU_CD0_T1SZ, 40, BAD },
	{ "TG0 1", 0, SMMU_CD0_TG0, 1, 0, T },
	{ "TG0 2", 0, SMMU_CD0_TG0, 2, 0, T },
	{ "TG0 3", 0, SMMU_CD0_TG0, 3, BAD },
	{ "TG1 0", 0, SMMU_CD0_TG1, 0, BAD },
	{ "TG1 1", 0, SMMU_CD0_TG1, 1, 0, T },
	{ "TG1 3", 0, SMMU_CD0_TG1, 3, 0, T },
	{ "IPS 0", 0, SMMU_CD0_IPS, 0, 0, T },
	{ "IPS 5", 0, SMMU_CD0_IPS, 5, 0, T },
	{ "IPS 6", 0, SMMU_CD0_IPS, 6, 0, T },
	{ "IPS 7", 0, SMMU_CD0_IPS, 7, 0, T },
	{ "TTB0 above OAS", 1, SMMU_CD1_TTB, 1ULL << 40, BAD },
	{ "TTB1 above OAS", 2, SMMU_CD1_TTB, 1ULL << 40, BAD },
	{ "HA", 0, BIT_ULL(43), 1, BAD },
	{ "HD", 0, BIT_ULL(42), 1, BAD },
	{ "NSCFG0", 1, BIT_ULL(0), 1, 0, T },
	{ "MAIR", 3, U64_MAX, U64_MAX, 0, T },
};

static void cd_fields(struct kunit *test)
{
	struct guest *g = guest_create(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cd_cases); i++) {
		const struct word_case *c = &cd_cases[i];
		struct smmu_context ctx;

		guest_init(g);
		g->cd[c->word] = with_field(g->cd[c->word], c->mask, c->value);
		ctx = resolve(g);
		KUNIT_EXPECT_EQ_MSG(test, ctx.fault.event, c->event, "%s",
				    c->name);
		KUNIT_EXPECT_EQ_MSG(test, ctx.kind, c->kind, "%s", c->name);
		KUNIT_EXPECT_LE_MSG(test, ctx.key.ips, 44, "%s", c->name);
	}
}

/* Fields of a half that is disabled do not matter. */
static void cd_halves(struct kunit *test)
{
	struct guest *g = guest_create(test);
	struct smmu_context ctx;

	g->cd[0] |= SMMU_CD0_EPD0 | SMMU_CD0_TG0 | SMMU_CD0_T0SZ |
		    SMMU_CD0_TBI1 | SMMU_CD0_AFFD;
	g->cd[1] = U64_MAX;
	g->cd[2] |= SMMU_CD1_HAD;
	ctx = resolve(g);
	KUNIT_EXPECT_EQ(test, ctx.kind, T);
	KUNIT_EXPECT_FALSE(test, memchr_inv(&ctx.key.half[0], 0,
					    sizeof(ctx.key.half[0])));
	KUNIT_EXPECT_EQ(test, ctx.key.half[1].bits, 48);
	KUNIT_EXPECT_EQ(test, ctx.key.half[1].granule, 12);
	KUNIT_EXPECT_TRUE(test, ctx.key.half[1].tbi);
	KUNIT_EXPECT_TRUE(test, ctx.key.half[1].had);
	KUNIT_EXPECT_TRUE(test, ctx.key.flags & SMMU_KEY_AFFD);
	g->cd[0] |= SMMU_CD0_EPD1 | SMMU_CD0_T1SZ | SMMU_CD0_ENDI;
	KUNIT_EXPECT_EQ(test, resolve(g).kind, T);
}

/* Each granule is there if IDR5 has it. */
static void granules(struct kunit *test)
{
	static const u32 idr[] = { SMMU_IDR5_GRAN4K, SMMU_IDR5_GRAN64K,
				   SMMU_IDR5_GRAN16K };
	static const u8 tg1[] = { 2, 3, 1 };
	struct guest *g = guest_create(test);
	unsigned int has, tg;

	for (has = 0; has < 3; has++) {
		for (tg = 0; tg < 3; tg++) {
			guest_init(g);
			g->view.idr5 = FIELD_PREP(SMMU_IDR5_OAS, 5) | idr[has];
			g->ste[0] = with_field(g->ste[0], SMMU_STE0_CONFIG, 5);
			g->cd[0] |= SMMU_CD0_EPD1 | FIELD_PREP(SMMU_CD0_TG0, tg);
			KUNIT_EXPECT_EQ(test, resolve(g).fault.event,
					has == tg ? 0 : BAD);
			g->cd[0] ^= SMMU_CD0_EPD1 | SMMU_CD0_EPD0;
			g->cd[0] = with_field(g->cd[0], SMMU_CD0_TG1, tg1[tg]);
			KUNIT_EXPECT_EQ(test, resolve(g).fault.event,
					has == tg ? 0 : BAD);
		}
	}
}

static struct kunit_case tables_cases[] = {
	KUNIT_CASE(linear),
	KUNIT_CASE(two_levels),
	KUNIT_CASE(ste_fields),
	KUNIT_CASE(cd_by_second_stage),
	KUNIT_CASE(too_large),
	KUNIT_CASE(highest_level),
	KUNIT_CASE(stages_absent),
	KUNIT_CASE(substreams),
	KUNIT_CASE(cd_fields),
	KUNIT_CASE(cd_halves),
	KUNIT_CASE(granules),
	{ }
};

static struct kunit_suite tables_suite = {
	.name = "kviommu_smmuv3_tables",
	.test_cases = tables_cases,
};

kunit_test_suite(tables_suite);
