// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a requester id is translated: root, context, PASID directory and PASID
 * table entries (3.4, chapter 9), for untranslated requests without PASID.
 *
 * Conditions are checked in the order of the table in 7.1.3: access to an
 * entry, its present bit, its reserved fields, its values.
 */
#include <linux/bitfield.h>

#include "tables.h"

struct resolver {
	const struct vtd_view *view;
	struct kviommu_reader *reader;
	struct vtd_context *ctx;
};

static bool read_entry(struct resolver *rs, u64 gpa, u64 *words,
		       unsigned int nr_words)
{
	const __le64 *page = rs->reader->page(rs->reader, VTD_SLOT_CONTEXT,
					      gpa & ~(VTD_PAGE_SIZE - 1));
	unsigned int i;

	if (!page)
		return false;
	page += (gpa & (VTD_PAGE_SIZE - 1)) / sizeof(*page);
	for (i = 0; i < nr_words; i++)
		words[i] = le64_to_cpu(READ_ONCE(page[i]));
	return true;
}

/* Addresses of tables end at the host address width. */
static u64 above_haw(const struct vtd_view *view)
{
	return GENMASK_ULL(63, view->haw);
}

/* Domain ids may have fewer bits than their field. */
static u64 did_reserved(const struct vtd_view *view, u64 field)
{
	unsigned int bits = 4 + 2 * FIELD_GET(VTD_CAP_ND, view->cap);

	return bits < 16 ? field & (field << bits) : 0;
}

static bool aw_supported(const struct vtd_view *view, unsigned int aw)
{
	return aw >= VTD_AW_39 && aw <= VTD_AW_57 &&
	       FIELD_GET(VTD_CAP_SAGAW, view->cap) & BIT(aw);
}

static unsigned int aw_levels(unsigned int aw)
{
	return aw + 2;
}

/* 9.3 */
static enum vtd_fault legacy_context(struct resolver *rs, const u64 *ce)
{
	const struct vtd_view *view = rs->view;
	struct vtd_context *ctx = rs->ctx;
	unsigned int tt = FIELD_GET(VTD_CTX0_TT, ce[0]);
	unsigned int aw = FIELD_GET(VTD_CTX1_AW, ce[1]);
	u64 reserved[VTD_CTX_WORDS];

	ctx->fpd = ce[0] & VTD_CTX0_FPD;
	if (!(ce[0] & VTD_ENTRY_P))
		return VTD_FAULT_L_CTX_NP;

	reserved[0] = GENMASK_ULL(11, 4);
	if (tt != VTD_TT_PASSTHROUGH)
		reserved[0] |= above_haw(view);
	reserved[1] = ~(VTD_CTX1_AW | VTD_CTX1_AVAIL | VTD_CTX1_DID) |
		      did_reserved(view, VTD_CTX1_DID);
	if ((ce[0] & reserved[0]) | (ce[1] & reserved[1]))
		return VTD_FAULT_L_CTX_RSVD;

	if (!aw_supported(view, aw))
		return VTD_FAULT_L_CTX_INVALID;
	ctx->did = FIELD_GET(VTD_CTX1_DID, ce[1]);
	switch (tt) {
	case VTD_TT_ATS:
		if (!(view->ecap & VTD_ECAP_DT))
			return VTD_FAULT_L_CTX_INVALID;
		fallthrough;
	case VTD_TT_UNTRANSLATED:
		ctx->kind = VTD_TRANSLATE;
		ctx->key.ssptptr = ce[0] & VTD_ENTRY_ADDR;
		ctx->key.ss_levels = aw_levels(aw);
		break;
	case VTD_TT_PASSTHROUGH:
		if (!(view->ecap & VTD_ECAP_PT))
			return VTD_FAULT_L_CTX_INVALID;
		ctx->kind = VTD_PASSTHROUGH;
		break;
	default:
		return VTD_FAULT_L_CTX_INVALID;
	}
	return VTD_FAULT_NONE;
}

/* 3.4.2 */
static enum vtd_fault legacy_resolve(struct resolver *rs, u16 source_id)
{
	u64 table = rs->view->rtaddr & VTD_RTADDR_RTA;
	u64 re[VTD_ROOT_WORDS], ce[VTD_CTX_WORDS];

	if (!read_entry(rs, table + (source_id >> 8) * sizeof(re), re,
			ARRAY_SIZE(re)))
		return VTD_FAULT_L_ROOT_ACCESS;
	if (!(re[0] & VTD_ENTRY_P))
		return VTD_FAULT_L_ROOT_NP;
	if (re[0] & (GENMASK_ULL(11, 1) | above_haw(rs->view)) || re[1])
		return VTD_FAULT_L_ROOT_RSVD;

	table = re[0] & VTD_ENTRY_ADDR;
	if (!read_entry(rs, table + (source_id & 0xff) * sizeof(ce), ce,
			ARRAY_SIZE(ce)))
		return VTD_FAULT_L_CTX_ACCESS;
	return legacy_context(rs, ce);
}

/*
 * 9.6. What belongs to a stage that is not used is ignored: AW and the pointers,
 * which are said to be reserved without the stage, and what is beside the
 * first-stage pointer. Linux sets AW in any case.
 */
static bool pasid_reserved(const struct vtd_view *view, const u64 *pe)
{
	unsigned int pgtt = FIELD_GET(VTD_PASID0_PGTT, pe[0]);
	u64 reserved[VTD_PASID_WORDS] = {
		BIT_ULL(5) | GENMASK_ULL(11, 10) | above_haw(view),
		GENMASK_ULL(22, 16) | GENMASK_ULL(31, 27) |
			did_reserved(view, VTD_PASID1_DID),
		BIT_ULL(1) | above_haw(view),
		U64_MAX, U64_MAX, U64_MAX, U64_MAX, U64_MAX,
	};
	u64 bad = 0;
	unsigned int i;

	if (!(view->ecap & VTD_ECAP_SSTS) || !(view->ecap & VTD_ECAP_SSADS))
		reserved[0] |= VTD_PASID0_SSADE;
	if (!(view->ecap & VTD_ECAP_SMPWCS))
		reserved[1] |= VTD_PASID1_PWSNP;
	if (!(view->ecap & VTD_ECAP_SC))
		reserved[1] |= VTD_PASID1_PGSNP;
	if (!(view->ecap & VTD_ECAP_MTS))
		reserved[1] |= VTD_PASID1_CD | VTD_PASID1_EMTE |
			       VTD_PASID1_PAT;
	if (!(view->ecap & VTD_ECAP_SRS))
		reserved[2] |= VTD_PASID2_SRE;
	if (!(view->ecap & VTD_ECAP_EAFS))
		reserved[2] |= VTD_PASID2_EAFE;
	if (!(view->ecap & VTD_ECAP_FSTS))
		reserved[2] |= VTD_PASID2_FSPM | VTD_PASID2_WPE;
	if (pgtt == VTD_PGTT_FS || pgtt == VTD_PGTT_NESTED)
		reserved[2] |= GENMASK_ULL(11, 8);
	for (i = 0; i < VTD_PASID_WORDS; i++)
		bad |= pe[i] & reserved[i];
	return bad;
}

/* What second-stage tables there are, false if hardware could not walk them */
static bool pasid_second_stage(const struct vtd_view *view, const u64 *pe,
			       struct vtd_key *key)
{
	unsigned int aw = FIELD_GET(VTD_PASID0_AW, pe[0]);

	if (!aw_supported(view, aw))
		return false;
	key->ssptptr = pe[0] & VTD_ENTRY_ADDR;
	key->ss_levels = aw_levels(aw);
	if (pe[0] & VTD_PASID0_SSADE)
		key->flags |= VTD_KEY_SSADE;
	return true;
}

static bool pasid_first_stage(const struct vtd_view *view, const u64 *pe,
			      bool supervisor, struct vtd_key *key)
{
	switch (FIELD_GET(VTD_PASID2_FSPM, pe[2])) {
	case VTD_FSPM_4_LEVELS:
		key->fs_levels = 4;
		break;
	case VTD_FSPM_5_LEVELS:
		if (!(view->cap & VTD_CAP_FS5LP))
			return false;
		key->fs_levels = 5;
		break;
	default:
		return false;
	}
	key->fsptptr = pe[2] & VTD_ENTRY_ADDR;
	if (supervisor) {
		key->flags |= VTD_KEY_SUPERVISOR;
		if (pe[2] & VTD_PASID2_WPE)
			key->flags |= VTD_KEY_WPE;
	}
	if (pe[2] & VTD_PASID2_EAFE)
		key->flags |= VTD_KEY_EAFE;
	return true;
}

static enum vtd_fault pasid_entry(struct resolver *rs, const u64 *pe, bool supervisor)
{
	const struct vtd_view *view = rs->view;
	struct vtd_context *ctx = rs->ctx;
	struct vtd_key key = {};
	bool valid;

	ctx->fpd |= pe[0] & VTD_PASID0_FPD;
	if (!(pe[0] & VTD_ENTRY_P))
		return VTD_FAULT_PASID_NP;
	if (pasid_reserved(view, pe))
		return VTD_FAULT_PASID_RSVD;

	ctx->kind = VTD_TRANSLATE;
	switch (FIELD_GET(VTD_PASID0_PGTT, pe[0])) {
	case VTD_PGTT_FS:
		valid = view->ecap & VTD_ECAP_FSTS &&
			pasid_first_stage(view, pe, supervisor, &key);
		break;
	case VTD_PGTT_SS:
		valid = view->ecap & VTD_ECAP_SSTS &&
			pasid_second_stage(view, pe, &key);
		break;
	case VTD_PGTT_NESTED:
		valid = view->ecap & VTD_ECAP_NEST &&
			pasid_second_stage(view, pe, &key) &&
			pasid_first_stage(view, pe, supervisor, &key) &&
			key.fsptptr <= vtd_ss_last(view, &key);
		break;
	case VTD_PGTT_PT:
		valid = view->ecap & VTD_ECAP_PT;
		ctx->kind = VTD_PASSTHROUGH;
		break;
	default:
		valid = false;
	}
	if (!valid)
		return VTD_FAULT_PASID_INVALID;
	if (supervisor && !(pe[2] & VTD_PASID2_SRE))
		return VTD_FAULT_PASID_SRE;

	ctx->did = FIELD_GET(VTD_PASID1_DID, pe[1]);
	if (ctx->kind == VTD_TRANSLATE) {
		if (pe[1] & VTD_PASID1_PWSNP && vtd_key_marks(&key))
			key.flags |= VTD_KEY_PWSNP;
		ctx->key = key;
	}
	return VTD_FAULT_NONE;
}

/* 9.4 */
static bool scalable_context_reserved(const struct vtd_view *view,
				      const u64 *ce)
{
	u64 lo = GENMASK_ULL(8, 5) | above_haw(view);
	u64 hi = ~(VTD_SMCTX1_RID_PASID | VTD_SMCTX1_RID_PRIV);

	if (!(view->ecap & VTD_ECAP_DT))
		lo |= VTD_SMCTX0_DTE;
	if (!(view->ecap & VTD_ECAP_PASID))
		lo |= VTD_SMCTX0_PASIDE;
	if (!(view->ecap & VTD_ECAP_PRS))
		lo |= VTD_SMCTX0_PRE;
	if (!(view->ecap & VTD_ECAP_RPS))
		hi |= VTD_SMCTX1_RID_PASID;
	if (!(view->ecap & VTD_ECAP_RPRIVS))
		hi |= VTD_SMCTX1_RID_PRIV;
	return (ce[0] & lo) | (ce[1] & hi) | ce[2] | ce[3];
}

/* 3.4.3. Requests without PASID have that of the context entry (9.4). */
static enum vtd_fault scalable_context(struct resolver *rs, const u64 *ce)
{
	struct vtd_context *ctx = rs->ctx;
	u64 pe[VTD_PASID_WORDS], pde, table;
	u32 pasid, nr_pasids;

	ctx->fpd = ce[0] & VTD_SMCTX0_FPD;
	if (!(ce[0] & VTD_ENTRY_P))
		return VTD_FAULT_CTX_NP;
	if (scalable_context_reserved(rs->view, ce))
		return VTD_FAULT_CTX_RSVD;
	pasid = FIELD_GET(VTD_SMCTX1_RID_PASID, ce[1]);
	nr_pasids = 1 << (FIELD_GET(VTD_SMCTX0_PDTS, ce[0]) + 7 +
			  VTD_PASID_TABLE_BITS);
	if (pasid >= nr_pasids ||
	    (ce[0] & (VTD_SMCTX0_PRE | VTD_SMCTX0_DTE)) == VTD_SMCTX0_PRE)
		return VTD_FAULT_CTX_INVALID;

	/* 9.5 */
	table = ce[0] & VTD_ENTRY_ADDR;
	if (!read_entry(rs, table + (pasid >> VTD_PASID_TABLE_BITS) *
			sizeof(pde), &pde, 1))
		return VTD_FAULT_PDIR_ACCESS;
	ctx->fpd |= pde & VTD_PDIR_FPD;
	if (!(pde & VTD_ENTRY_P))
		return VTD_FAULT_PDIR_NP;
	if (pde & (GENMASK_ULL(11, 2) | above_haw(rs->view)))
		return VTD_FAULT_PDIR_RSVD;

	table = pde & VTD_ENTRY_ADDR;
	pasid &= BIT(VTD_PASID_TABLE_BITS) - 1;
	if (!read_entry(rs, table + pasid * sizeof(pe), pe, ARRAY_SIZE(pe)))
		return VTD_FAULT_PASID_ACCESS;
	return pasid_entry(rs, pe, ce[1] & VTD_SMCTX1_RID_PRIV);
}

static enum vtd_fault scalable_resolve(struct resolver *rs, u16 source_id)
{
	u64 table = rs->view->rtaddr & VTD_RTADDR_RTA;
	u64 re[VTD_ROOT_WORDS], ce[VTD_SMCTX_WORDS];
	u64 half;

	if (!read_entry(rs, table + (source_id >> 8) * sizeof(re), re,
			ARRAY_SIZE(re)))
		return VTD_FAULT_ROOT_ACCESS;
	half = re[source_id >> 7 & 1];
	if (!(half & VTD_ENTRY_P))
		return VTD_FAULT_ROOT_NP;
	if (half & (GENMASK_ULL(11, 1) | above_haw(rs->view)))
		return VTD_FAULT_ROOT_RSVD;

	table = half & VTD_ENTRY_ADDR;
	if (!read_entry(rs, table + (source_id & 0x7f) * sizeof(ce), ce,
			ARRAY_SIZE(ce)))
		return VTD_FAULT_CTX_ACCESS;
	return scalable_context(rs, ce);
}

static enum vtd_fault resolve(struct resolver *rs, u16 source_id)
{
	const struct vtd_view *view = rs->view;

	switch (FIELD_GET(VTD_RTADDR_TTM, view->rtaddr)) {
	case VTD_TTM_LEGACY:
		return legacy_resolve(rs, source_id);
	case VTD_TTM_SCALABLE:
		if (view->ecap & VTD_ECAP_SMTS)
			return scalable_resolve(rs, source_id);
		break;
	case VTD_TTM_ABORT_DMA:
		if (view->ecap & VTD_ECAP_ADMS)
			return VTD_FAULT_ABORT_DMA;
		break;
	}
	return VTD_FAULT_RTADDR;
}

/* May an entry's FPD keep the fault from being recorded (7.1.3) */
static bool qualified(enum vtd_fault fault)
{
	switch (fault) {
	case VTD_FAULT_L_ROOT_ACCESS:
	case VTD_FAULT_L_ROOT_NP:
	case VTD_FAULT_L_ROOT_RSVD:
	case VTD_FAULT_L_CTX_ACCESS:
	case VTD_FAULT_RTADDR:
	case VTD_FAULT_ABORT_DMA:
	case VTD_FAULT_ROOT_ACCESS:
	case VTD_FAULT_ROOT_NP:
	case VTD_FAULT_ROOT_RSVD:
	case VTD_FAULT_CTX_ACCESS:
	case VTD_FAULT_PDIR_ACCESS:
	case VTD_FAULT_PASID_ACCESS:
		return false;
	default:
		return true;
	}
}

/**
 * vtd_resolve() - what translates the requests of a device
 * @view: registers
 * @r: where tables are read
 * @source_id: requester id, bus << 8 | devfn
 * @ctx: the answer, all of it is written
 *
 * For untranslated requests without PASID (3.4). With translation off they are
 * passed through. At most five entries are read, each once.
 */
void vtd_resolve(const struct vtd_view *view, struct kviommu_reader *r,
		 u16 source_id, struct vtd_context *ctx)
{
	struct resolver rs = { .view = view, .reader = r, .ctx = ctx };

	memset(ctx, 0, sizeof(*ctx));
	if (!view->te) {
		ctx->kind = VTD_PASSTHROUGH;
		return;
	}
	ctx->fault = resolve(&rs, source_id);
	if (ctx->fault) {
		ctx->kind = VTD_BLOCKED;
		ctx->did = 0;
		ctx->fpd &= qualified(ctx->fault);
	}
}
EXPORT_SYMBOL_IF_KUNIT(vtd_resolve);
