// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a StreamID is translated: stream table (5.1, 5.2) and context descriptors
 * (5.3, 5.4), for transactions without a SubstreamID.
 *
 * Fields that IDRs declare absent are not looked at. A value that the
 * specification calls ILLEGAL makes C_BAD_STE or C_BAD_CD; bits below the
 * alignment that a table has to have count as 0.
 */
#include <linux/bitfield.h>

#include "tables.h"

struct resolver {
	const struct smmu_view *view;
	struct kviommu_reader *reader;
	struct smmu_context *ctx;
};

static bool read_words(struct resolver *rs, u64 gpa, u64 *words,
		       unsigned int nr_words)
{
	const __le64 *page = rs->reader->page(rs->reader, SMMU_SLOT_STREAM,
					      gpa & ~(KVIOMMU_TABLE_SIZE - 1ULL));
	unsigned int i;

	if (!page)
		return false;
	page += gpa % KVIOMMU_TABLE_SIZE / sizeof(*page);
	for (i = 0; i < nr_words; i++)
		words[i] = le64_to_cpu(READ_ONCE(page[i]));
	return true;
}

static u8 fetch_fault(struct resolver *rs, u8 event, u64 gpa)
{
	rs->ctx->fault.addr = gpa;
	return event;
}

/* ---- sizes ---- */

/* The encoding of OAS, IPS and S2PS (6.3.6); reserved values count as 52. */
static unsigned int address_bits(unsigned int code)
{
	static const u8 bits[] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return bits[code];
}

/**
 * smmu_oas() - bits of the addresses that the SMMU gives
 * @idr5: IDR5
 *
 * Return: them; without 52-bit descriptors 48 at most (D8.1).
 */
unsigned int smmu_oas(u32 idr5)
{
	return min(address_bits(FIELD_GET(SMMU_IDR5_OAS, idr5)), 48);
}
EXPORT_SYMBOL_IF_KUNIT(smmu_oas);

/* CD.TG0, STE.S2TG; 0 if there is no such granule */
static u8 granule(const struct smmu_view *view, unsigned int tg)
{
	switch (tg) {
	case 0:
		return view->idr5 & SMMU_IDR5_GRAN4K ? 12 : 0;
	case 1:
		return view->idr5 & SMMU_IDR5_GRAN64K ? 16 : 0;
	case 2:
		return view->idr5 & SMMU_IDR5_GRAN16K ? 14 : 0;
	default:
		return 0;
	}
}

/* CD.TG1 has other numbers for the same. */
static u8 granule1(const struct smmu_view *view, unsigned int tg)
{
	static const u8 tg0[] = { 3, 2, 0, 1 };

	return granule(view, tg0[tg]);
}

/* ---- context descriptors ---- */

/* 5.4.1: TTx of a valid CD */
static bool decode_half(struct resolver *rs, struct smmu_half *h, u64 word,
			unsigned int tsz, u8 gran, bool tbi)
{
	/* Without small tables (IDR3.STT) and 52-bit addresses (IDR5.VAX) */
	if (tsz < 16 || tsz > 39 || !gran)
		return false;
	h->ttb = word & SMMU_CD1_TTB;
	h->bits = 64 - tsz;
	h->granule = gran;
	h->had = word & SMMU_CD1_HAD;
	h->tbi = tbi;
	return !(h->ttb >> rs->ctx->key.ips);
}

/* 5.4 */
static u8 decode_cd(struct resolver *rs, const u64 *cd)
{
	const struct smmu_view *view = rs->view;
	struct smmu_context *ctx = rs->ctx;
	struct smmu_key *key = &ctx->key;

	if (!(cd[0] & SMMU_CD0_V) || !(cd[0] & SMMU_CD0_AA64))
		return SMMU_EVENT_C_BAD_CD;
	/* Ignored without tables */
	if (cd[0] & SMMU_CD0_ENDI && ~cd[0] & (SMMU_CD0_EPD0 | SMMU_CD0_EPD1))
		return SMMU_EVENT_C_BAD_CD;
	/* Without IDR0.HTTU */
	if (cd[0] & SMMU_CD0_HTTU)
		return SMMU_EVENT_C_BAD_CD;
	/* IDR0.TERM_MODEL and IDR0.STALL_MODEL leave no choice (5.5). */
	if (!(cd[0] & SMMU_CD0_A) || cd[0] & SMMU_CD0_S)
		return SMMU_EVENT_C_BAD_CD;
	ctx->asid = FIELD_GET(SMMU_CD0_ASID, cd[0]);
	ctx->record = cd[0] & SMMU_CD0_R;
	key->ips = min(address_bits(FIELD_GET(SMMU_CD0_IPS, cd[0])),
		       smmu_oas(view->idr5));
	if (cd[0] & SMMU_CD0_AFFD)
		key->flags |= SMMU_KEY_AFFD;
	if (!(cd[0] & SMMU_CD0_EPD0) &&
	    !decode_half(rs, &key->half[0], cd[1],
			 FIELD_GET(SMMU_CD0_T0SZ, cd[0]),
			 granule(view, FIELD_GET(SMMU_CD0_TG0, cd[0])),
			 cd[0] & SMMU_CD0_TBI0))
		return SMMU_EVENT_C_BAD_CD;
	if (!(cd[0] & SMMU_CD0_EPD1) &&
	    !decode_half(rs, &key->half[1], cd[2],
			 FIELD_GET(SMMU_CD0_T1SZ, cd[0]),
			 granule1(view, FIELD_GET(SMMU_CD0_TG1, cd[0])),
			 cd[0] & SMMU_CD0_TBI1))
		return SMMU_EVENT_C_BAD_CD;
	return SMMU_EVENT_NONE;
}

/* The second stage translates what the stream table says of CDs, too (3.4). */
static u8 read_cd_words(struct resolver *rs, u64 addr, u64 *words,
			unsigned int nr_words)
{
	struct smmu_fault *fault = &rs->ctx->fault;

	if (rs->ctx->key.flags & SMMU_KEY_S2 &&
	    !smmu_stage2_translate(&rs->ctx->key, rs->reader, &addr, fault))
		return fault->event;
	if (!read_words(rs, addr, words, nr_words))
		return fetch_fault(rs, SMMU_EVENT_F_CD_FETCH, addr);
	return SMMU_EVENT_NONE;
}

/* A reserved value is as that of a linear table. */
static unsigned int s1_format(const u64 *ste)
{
	unsigned int fmt = FIELD_GET(SMMU_STE0_S1FMT, ste[0]);

	return fmt > SMMU_S1FMT_64K ? SMMU_S1FMT_LINEAR : fmt;
}

/* 3.4.3: an IPA that is too large is the second stage's to refuse. */
static bool too_large(const struct resolver *rs, u64 addr)
{
	return !(rs->ctx->key.flags & SMMU_KEY_S2) &&
	       addr >> smmu_oas(rs->view->idr5);
}

/* 5.3, 5.2.3: the CD that a transaction without SubstreamID uses */
static u8 find_cd(struct resolver *rs, const u64 *ste, u64 *cd)
{
	unsigned int max = FIELD_GET(SMMU_STE0_S1CDMAX, ste[0]);
	unsigned int fmt = s1_format(ste);
	u64 ptr = ste[0] & SMMU_STE0_S1CTXPTR;
	unsigned int leaf = 6;
	u8 event;
	u64 l1;

	if (too_large(rs, ptr))
		return SMMU_EVENT_C_BAD_STE;
	if (!FIELD_GET(SMMU_IDR1_SSIDSIZE, rs->view->idr1) || !max)
		return read_cd_words(rs, ptr, cd, SMMU_CD_WORDS);
	if (fmt == SMMU_S1FMT_LINEAR)
		return read_cd_words(rs, ptr & ~(((u64)SMMU_CD_SIZE << max) - 1),
				     cd, SMMU_CD_WORDS);

	if (fmt == SMMU_S1FMT_64K)
		leaf = 10;
	if (max > leaf)
		ptr &= ~((8ULL << (max - leaf)) - 1);
	event = read_cd_words(rs, ptr, &l1, 1);
	if (event)
		return event;
	if (!(l1 & SMMU_L1CD_V))
		return SMMU_EVENT_C_BAD_SUBSTREAMID;
	ptr = l1 & SMMU_L1CD_L2PTR & ~(((u64)SMMU_CD_SIZE << leaf) - 1);
	if (too_large(rs, ptr))
		return SMMU_EVENT_C_BAD_SUBSTREAMID;
	return read_cd_words(rs, ptr, cd, SMMU_CD_WORDS);
}

/* ---- stream table entries ---- */

/* 5.2: fields that select CDs. @bypass: the first stage is passed by. */
static u8 check_substreams(struct resolver *rs, const u64 *ste, bool *bypass)
{
	unsigned int max = FIELD_GET(SMMU_STE0_S1CDMAX, ste[0]);
	unsigned int size = FIELD_GET(SMMU_IDR1_SSIDSIZE, rs->view->idr1);

	*bypass = false;
	if (!size || !max)
		return SMMU_EVENT_NONE;
	if (max > size ||
	    (s1_format(ste) && !(rs->view->idr0 & SMMU_IDR0_CD2L)))
		return SMMU_EVENT_C_BAD_STE;
	switch (FIELD_GET(SMMU_STE1_S1DSS, ste[1])) {
	case SMMU_S1DSS_BYPASS:
		*bypass = true;
		return SMMU_EVENT_NONE;
	case SMMU_S1DSS_SSID0:
		return SMMU_EVENT_NONE;
	default:	/* SMMU_S1DSS_TERMINATE, and what is reserved */
		return SMMU_EVENT_F_STREAM_DISABLED;
	}
}

/*
 * S2SL0 and S2T0SZ: a walk may begin with up to 16 tables of the level, side by
 * side, and must have something of that level to look up; the highest level is
 * for those who have addresses for it (D8.2).
 */
static bool stage2_levels(struct smmu_key *key, unsigned int sl0,
			  unsigned int oas)
{
	unsigned int below;

	if (sl0 > 2 || (sl0 == 2 && oas < (key->s2_granule == 14 ? 42 : 44)))
		return false;
	key->s2_level = (key->s2_granule == 12 ? 2 : 3) - sl0;
	below = key->s2_granule + (key->s2_granule - 3) *
		(SMMU_LAST_LEVEL - key->s2_level);
	return key->s2_bits > below &&
	       key->s2_bits <= below + key->s2_granule - 3 + 4;
}

/* 5.2: fields of the second stage */
static bool decode_stage2(struct resolver *rs, const u64 *ste)
{
	const struct smmu_view *view = rs->view;
	struct smmu_key *key = &rs->ctx->key;
	unsigned int t0sz = FIELD_GET(SMMU_STE2_S2T0SZ, ste[2]);

	if (!(ste[2] & SMMU_STE2_S2AA64) ||
	    ste[2] & (SMMU_STE2_S2ENDI | SMMU_STE2_S2HTTU | SMMU_STE2_S2S))
		return false;
	key->flags |= SMMU_KEY_S2;
	if (ste[2] & SMMU_STE2_S2AFFD)
		key->flags |= SMMU_KEY_S2AFFD;
	if (ste[2] & SMMU_STE2_S2PTW)
		key->flags |= SMMU_KEY_S2PTW;
	rs->ctx->s2_record = ste[2] & SMMU_STE2_S2R;
	key->s2_granule = granule(view, FIELD_GET(SMMU_STE2_S2TG, ste[2]));
	key->s2ps = min(address_bits(FIELD_GET(SMMU_STE2_S2PS, ste[2])),
			smmu_oas(view->idr5));
	key->s2_bits = 64 - t0sz;
	key->s2ttb = ste[3] & SMMU_STE3_S2TTB;
	/* IAS is OAS without AArch32 tables (3.4). */
	return key->s2_granule && t0sz <= 39 &&
	       key->s2_bits <= smmu_oas(view->idr5) &&
	       !(key->s2ttb >> key->s2ps) &&
	       stage2_levels(key, FIELD_GET(SMMU_STE2_S2SL0, ste[2]),
			     smmu_oas(view->idr5));
}

/* 5.2 */
static u8 decode_ste(struct resolver *rs, const u64 *ste)
{
	unsigned int config = FIELD_GET(SMMU_STE0_CONFIG, ste[0]);
	struct smmu_context *ctx = rs->ctx;
	u32 idr0 = rs->view->idr0;
	u64 cd[SMMU_CD_WORDS];
	bool s1, s2, bypass;
	u8 event;

	if (!(ste[0] & SMMU_STE0_V))
		return SMMU_EVENT_C_BAD_STE;
	/* Aborted, without an event */
	if (config < SMMU_CONFIG_BYPASS)
		return SMMU_EVENT_NONE;
	s1 = config & SMMU_CONFIG_S1;
	s2 = config & SMMU_CONFIG_S2;
	if ((s1 && !(idr0 & SMMU_IDR0_S1P)) || (s2 && !(idr0 & SMMU_IDR0_S2P)))
		return SMMU_EVENT_C_BAD_STE;
	if (s2 && !decode_stage2(rs, ste))
		return SMMU_EVENT_C_BAD_STE;
	if (s1) {
		if (ste[1] & SMMU_STE1_S1STALLD)
			return SMMU_EVENT_C_BAD_STE;
		event = check_substreams(rs, ste, &bypass);
		if (event)
			return event;
		s1 = !bypass;
	}
	if (idr0 & SMMU_IDR0_S2P && (s1 || s2))
		ctx->vmid = FIELD_GET(SMMU_STE2_S2VMID, ste[2]);
	if (s1) {
		event = find_cd(rs, ste, cd);
		if (event)
			return event;
		ctx->key.flags |= SMMU_KEY_S1;
		event = decode_cd(rs, cd);
		if (event)
			return event;
	}
	ctx->kind = s1 || s2 ? SMMU_TRANSLATE : SMMU_BYPASS;
	return SMMU_EVENT_NONE;
}

/* ---- the stream table ---- */

/* 6.3.24 and 5.1: where the entry of a StreamID is */
static u8 find_ste(struct resolver *rs, u32 sid, u64 *gpa)
{
	const struct smmu_view *view = rs->view;
	unsigned int log2 = FIELD_GET(SMMU_STRTAB_LOG2SIZE, view->strtab_cfg);
	unsigned int split = FIELD_GET(SMMU_STRTAB_SPLIT, view->strtab_cfg);
	unsigned int sidsize = FIELD_GET(SMMU_IDR1_SIDSIZE, view->idr1);
	u64 base = view->strtab & SMMU_STRTAB_ADDR, l1;
	unsigned int span, shift;

	if ((u64)sid >> min(log2, sidsize))
		return SMMU_EVENT_C_BAD_STREAMID;
	if (FIELD_GET(SMMU_STRTAB_FMT, view->strtab_cfg) !=
	    SMMU_STRTAB_FMT_2LVL || !FIELD_GET(SMMU_IDR0_ST_LEVEL, view->idr0)) {
		shift = min(log2 + 6, 63);
		*gpa = (base >> shift << shift) + (u64)sid * SMMU_STE_SIZE;
		return SMMU_EVENT_NONE;
	}

	/* Other values are reserved, and work like 6. */
	if (split != 8 && split != 10)
		split = 6;
	shift = log2 > split + 3 ? log2 - split + 3 : 6;
	base = base >> shift << shift;
	base += (u64)(sid >> split) * sizeof(l1);
	if (!read_words(rs, base, &l1, 1))
		return fetch_fault(rs, SMMU_EVENT_F_STE_FETCH, base);
	span = FIELD_GET(SMMU_L1STD_SPAN, l1);
	if (!span || span > split + 1)
		return SMMU_EVENT_C_BAD_STREAMID;
	sid &= BIT(split) - 1;
	if (sid >> (span - 1))
		return SMMU_EVENT_C_BAD_STREAMID;
	shift = span - 1 + 6;
	*gpa = ((l1 & SMMU_L1STD_L2PTR) >> shift << shift) +
	       (u64)sid * SMMU_STE_SIZE;
	return SMMU_EVENT_NONE;
}

static u8 resolve(struct resolver *rs, u32 sid)
{
	u64 ste[SMMU_STE_WORDS], gpa;
	u8 event;

	event = find_ste(rs, sid, &gpa);
	if (event)
		return event;
	if (!read_words(rs, gpa, ste, SMMU_STE_WORDS))
		return fetch_fault(rs, SMMU_EVENT_F_STE_FETCH, gpa);
	return decode_ste(rs, ste);
}

/**
 * smmu_resolve() - how a stream's addresses are translated
 * @view: registers, of an SMMU that is enabled
 * @r: where tables are read
 * @sid: StreamID
 * @ctx: the answer, all of it is written
 *
 * Context: no locks are taken; the reader may sleep.
 */
void smmu_resolve(const struct smmu_view *view, struct kviommu_reader *r,
		  u32 sid, struct smmu_context *ctx)
{
	struct resolver rs = { .view = view, .reader = r, .ctx = ctx };

	memset(ctx, 0, sizeof(*ctx));
	ctx->fault.event = resolve(&rs, sid);
	if (ctx->kind != SMMU_TRANSLATE) {
		memset(&ctx->key, 0, sizeof(ctx->key));
		ctx->vmid = 0;
		ctx->asid = 0;
	}
}
EXPORT_SYMBOL_IF_KUNIT(smmu_resolve);
