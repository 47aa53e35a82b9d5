// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d's root, context and PASID tables, at random: what a look-up says of a
 * requester, against a reference that asks of each bit of each entry whether it
 * may be set.
 */
#include <linux/bitfield.h>

#include "mock.h"
#include "table_mem.h"
#include "vtd/tables.h"

#define WORDS		512

/* Two pages of each, but for the root: devices differ by more than one table. */
enum tables {
	ROOT,
	CONTEXT,
	PDIR = CONTEXT + 2,
	PASID = PDIR + 2,
	PAGES = PASID + 2,
};

#define SETS		60	/* of tables, in each mode */
#define LOOKUPS		250	/* in each of these */

struct guest {
	struct table_mem mem;
	struct vtd_view view;
	struct rnd_state rnd;
	bool scalable;
	__le64 (*pages)[WORDS];
	unsigned int kinds[VTD_TRANSLATE + 1];
	DECLARE_BITMAP(faults, 256);
	DECLARE_BITMAP(levels, 64);	/* of the first stage * 8 + second */
	DECLARE_BITMAP(flags, 32);	/* of keys */
};

static u64 page_gpa(unsigned int page)
{
	return (page + 1) * VTD_PAGE_SIZE;
}

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct guest *g = container_of(m, struct guest, mem);
	u64 page = gpa / VTD_PAGE_SIZE - 1;

	return page < PAGES ? g->pages[page] : NULL;
}

/* ---- the reference ---- */

/* @word of @value[], its bits @first to @last */
static u64 bits(const u64 *value, unsigned int word, unsigned int first,
		unsigned int last)
{
	return value[word] << (63 - last) >> (63 - last + first);
}

static bool in(unsigned int n, unsigned int first, unsigned int last)
{
	return n >= first && n <= last;
}

/* 4 + 2 * ND bits (11.4.2) */
static unsigned int did_bits(const struct vtd_view *view)
{
	return 4 + 2 * (view->cap & 7);
}

/* Is @n a bit of a pointer (to the host's address width) */
static bool in_pointer(const struct vtd_view *view, unsigned int n)
{
	return in(n, 12, view->haw - 1);
}

/* 9.1 */
static bool legacy_root_has(const struct vtd_view *view, const u64 *entry,
			    unsigned int word, unsigned int n)
{
	return word == 0 && (n == 0 || in_pointer(view, n));
}

/* 9.2, one half */
static bool root_has(const struct vtd_view *view, const u64 *entry,
		     unsigned int word, unsigned int n)
{
	return n == 0 || in_pointer(view, n);
}

/* 9.3 */
static bool legacy_context_has(const struct vtd_view *view, const u64 *entry,
			       unsigned int word, unsigned int n)
{
	bool pass = bits(entry, 0, 2, 3) == 2;

	if (word == 1)
		return in(n, 0, 6) || in(n, 8, 8 + did_bits(view) - 1);
	return in(n, 0, 3) || in_pointer(view, n) || (pass && n >= 12);
}

/* 9.4 */
static bool context_has(const struct vtd_view *view, const u64 *entry,
			unsigned int word, unsigned int n)
{
	u64 ecap = view->ecap;

	switch (word * 64 + n) {
	case 0 ... 1:
	case 9 ... 11:
		return true;
	case 2:
		return ecap & VTD_ECAP_DT;
	case 3:
		return ecap & VTD_ECAP_PASID;
	case 4:
		return ecap & VTD_ECAP_PRS;
	case 12 ... 63:
		return in_pointer(view, n);
	case 64 ... 83:
		return ecap & VTD_ECAP_RPS;
	case 84:
		return ecap & VTD_ECAP_RPRIVS;
	}
	return false;
}

/* 9.5 */
static bool pdir_has(const struct vtd_view *view, const u64 *entry,
		     unsigned int word, unsigned int n)
{
	return n <= 1 || in_pointer(view, n);
}

/*
 * 9.6, but for AW, the pointers and bits 139:136: a stage that is not used has
 * none of them checked, and one that there is not is refused for PGTT.
 */
static bool pasid_has(const struct vtd_view *view, const u64 *entry,
		      unsigned int word, unsigned int n)
{
	u64 pgtt = bits(entry, 0, 6, 8), ecap = view->ecap;
	bool first = pgtt == 1 || pgtt == 3;

	switch (word * 64 + n) {
	case 0 ... 1:
	case 2 ... 4:
	case 6 ... 8:
		return true;
	case 9:
		return (ecap & VTD_ECAP_SSTS) && (ecap & VTD_ECAP_SSADS);
	case 12 ... 63:
		return in_pointer(view, n);
	case 64 ... 79:
		return n < did_bits(view);
	case 87:
		return ecap & VTD_ECAP_SMPWCS;
	case 88:
		return ecap & VTD_ECAP_SC;
	case 89 ... 90:
	case 96 ... 127:
		return ecap & VTD_ECAP_MTS;
	case 128:
		return ecap & VTD_ECAP_SRS;
	case 130 ... 132:
		return ecap & VTD_ECAP_FSTS;
	case 133 ... 134:
		return true;
	case 135:
		return ecap & VTD_ECAP_EAFS;
	case 136 ... 139:
		return !first;
	case 140 ... 191:
		return in_pointer(view, n);
	}
	return false;
}

/* How an entry is read: faults of access, P and reserved bits, and what has FPD */
struct kind {
	unsigned int words;
	u8 access;
	u8 not_present;
	u8 reserved;
	bool fpd;
	bool (*has)(const struct vtd_view *view, const u64 *entry,
		    unsigned int word, unsigned int n);
};

/* 7.1.3 */
static const struct kind legacy_root = {
	2, 0x08, 0x01, 0x0a, false, legacy_root_has,
};

static const struct kind legacy_context = {
	2, 0x09, 0x02, 0x0b, true, legacy_context_has,
};

static const struct kind root = {
	1, 0x38, 0x39, 0x3a, false, root_has,
};

static const struct kind context = {
	4, 0x40, 0x41, 0x42, true, context_has,
};

static const struct kind pdir = {
	1, 0x50, 0x51, 0x52, true, pdir_has,
};

static const struct kind pasid = {
	8, 0x58, 0x59, 0x5a, true, pasid_has,
};

/*
 * @fault is why there is no translation. Only those that the specification calls
 * qualified are hidden by FPD.
 */
static bool ref_read(struct guest *g, const struct kind *kind, u64 gpa,
		     u64 *entry, struct vtd_context *ctx)
{
	u64 page = gpa / VTD_PAGE_SIZE - 1;
	unsigned int w, n;

	if (page >= PAGES) {
		ctx->fault = kind->access;
		ctx->fpd = false;
		return false;
	}
	for (w = 0; w < kind->words; w++)
		entry[w] = le64_to_cpu(g->pages[page][gpa % VTD_PAGE_SIZE / 8 + w]);
	if (kind->fpd && bits(entry, 0, 1, 1))
		ctx->fpd = true;
	if (!bits(entry, 0, 0, 0)) {
		ctx->fault = kind->not_present;
		return false;
	}
	for (w = 0; w < kind->words; w++)
		for (n = 0; n < 64; n++)
			if (bits(entry, w, n, n) &&
			    !kind->has(&g->view, entry, w, n))
				ctx->fault = kind->reserved;
	return !ctx->fault;
}

static u64 pointer(const u64 *entry, unsigned int word)
{
	return bits(entry, word, 12, 63) << 12;
}

/* CAP.SAGAW says 39 bits in its second bit. */
static bool has_width(const struct vtd_view *view, unsigned int aw)
{
	return in(aw, 1, 3) && (view->cap >> (8 + aw) & 1);
}

static void ref_legacy(struct guest *g, u16 sid, struct vtd_context *ctx)
{
	u64 entry[2], tt;

	if (!ref_read(g, &legacy_root, pointer(&g->view.rtaddr, 0) +
		      (sid >> 8) * 16, entry, ctx) ||
	    !ref_read(g, &legacy_context, pointer(entry, 0) + (sid & 0xff) * 16,
		      entry, ctx))
		return;
	tt = bits(entry, 0, 2, 3);
	if (!has_width(&g->view, bits(entry, 1, 0, 2)) || tt == 3 ||
	    (tt == 1 && !(g->view.ecap & VTD_ECAP_DT)) ||
	    (tt == 2 && !(g->view.ecap & VTD_ECAP_PT))) {
		ctx->fault = 0x03;
		return;
	}
	ctx->did = bits(entry, 1, 8, 23);
	ctx->kind = VTD_PASSTHROUGH;
	if (tt == 2)
		return;
	ctx->kind = VTD_TRANSLATE;
	ctx->key.ssptptr = pointer(entry, 0);
	ctx->key.ss_levels = bits(entry, 1, 0, 2) + 2;
}

/* 9.6 and SPT.4, SPT.6 */
static void ref_pasid(struct guest *g, const u64 *entry, bool privileged,
		      struct vtd_context *ctx)
{
	unsigned int pgtt = bits(entry, 0, 6, 8), aw = bits(entry, 0, 2, 4);
	static const u64 needs[] = {
		[1] = VTD_ECAP_FSTS, [2] = VTD_ECAP_SSTS, [3] = VTD_ECAP_NEST,
		[4] = VTD_ECAP_PT,
	};
	unsigned int mgaw = (g->view.cap >> 16 & 0x3f) + 1;
	bool first = pgtt == 1 || pgtt == 3, second = pgtt == 2 || pgtt == 3;
	unsigned int fspm = bits(entry, 2, 2, 3);

	if (!in(pgtt, 1, 4) || !(g->view.ecap & needs[pgtt]) ||
	    (second && !has_width(&g->view, aw)) ||
	    (first && fspm > 1) ||
	    (first && fspm == 1 && !(g->view.cap & VTD_CAP_FS5LP)) ||
	    (pgtt == 3 && pointer(entry, 2) >> min(mgaw, 30 + 9 * aw))) {
		ctx->fault = 0x5b;
		return;
	}
	if (privileged && !bits(entry, 2, 0, 0)) {
		ctx->fault = 0x5d;
		return;
	}
	ctx->did = bits(entry, 1, 0, 15);
	ctx->kind = pgtt == 4 ? VTD_PASSTHROUGH : VTD_TRANSLATE;
	if (first) {
		ctx->key.fsptptr = pointer(entry, 2);
		ctx->key.fs_levels = 4 + fspm;
		if (privileged)
			ctx->key.flags |= VTD_KEY_SUPERVISOR;
		if (privileged && bits(entry, 2, 4, 4))
			ctx->key.flags |= VTD_KEY_WPE;
		if (bits(entry, 2, 7, 7))
			ctx->key.flags |= VTD_KEY_EAFE;
	}
	if (second) {
		ctx->key.ssptptr = pointer(entry, 0);
		ctx->key.ss_levels = 2 + aw;
		if (bits(entry, 0, 9, 9))
			ctx->key.flags |= VTD_KEY_SSADE;
	}
	/* It is about marks: first stages have them always. */
	if ((first || ctx->key.flags & VTD_KEY_SSADE) && bits(entry, 1, 23, 23))
		ctx->key.flags |= VTD_KEY_PWSNP;
}

static void ref_scalable(struct guest *g, u16 sid, struct vtd_context *ctx)
{
	unsigned int rid_pasid;
	u64 entry[8];
	bool privileged;

	if (!ref_read(g, &root, pointer(&g->view.rtaddr, 0) + (sid >> 8) * 16 +
		      (sid & 0x80 ? 8 : 0), entry, ctx) ||
	    !ref_read(g, &context, pointer(entry, 0) + (sid & 0x7f) * 32, entry,
		      ctx))
		return;
	rid_pasid = bits(entry, 1, 0, 19);
	privileged = bits(entry, 1, 20, 20);
	/* SCT.4: a directory entry is for 64 PASIDs. */
	if ((bits(entry, 0, 4, 4) && !bits(entry, 0, 2, 2)) ||
	    rid_pasid / 64 >= 128 << bits(entry, 0, 9, 11)) {
		ctx->fault = 0x43;
		return;
	}
	if (!ref_read(g, &pdir, pointer(entry, 0) + rid_pasid / 64 * 8, entry,
		      ctx) ||
	    !ref_read(g, &pasid, pointer(entry, 0) + rid_pasid % 64 * 64, entry,
		      ctx))
		return;
	ref_pasid(g, entry, privileged, ctx);
}

/* 3.4, and RTA.1, RTA.4 */
static struct vtd_context ref_resolve(struct guest *g, u16 sid)
{
	struct vtd_context ctx = { .kind = VTD_BLOCKED };

	if (!g->view.te) {
		ctx.kind = VTD_PASSTHROUGH;
		return ctx;
	}
	switch (bits(&g->view.rtaddr, 0, 10, 11)) {
	case 0:
		ref_legacy(g, sid, &ctx);
		break;
	case 1:
		if (g->view.ecap & VTD_ECAP_SMTS)
			ref_scalable(g, sid, &ctx);
		else
			ctx.fault = 0x30;
		break;
	case 2:
		ctx.fault = 0x30;
		break;
	case 3:
		ctx.fault = g->view.ecap & VTD_ECAP_ADMS ? 0x33 : 0x30;
		break;
	}
	return ctx;
}

/* ---- random tables ---- */

static bool chance(struct guest *g, unsigned int n)
{
	return !mock_below(&g->rnd, n);
}

static u64 random_bits(struct guest *g, unsigned int n)
{
	u64 value = (u64)prandom_u32_state(&g->rnd) << 32 |
		    prandom_u32_state(&g->rnd);

	return value & GENMASK_ULL(n - 1, 0);
}

/* @bit, now and then */
static u64 some(struct guest *g, u64 bit)
{
	return chance(g, 12) ? bit : 0;
}

/* Mostly one of the two pages of a kind */
static u64 table(struct guest *g, enum tables page)
{
	if (chance(g, 24))
		return page_gpa(mock_below(&g->rnd, PAGES));
	if (chance(g, 24))
		return random_bits(g, 51) & VTD_ENTRY_ADDR;
	return page_gpa(page + mock_below(&g->rnd, 2));
}

/* What stages begin with is not looked at here. */
static u64 stage(struct guest *g)
{
	return random_bits(g, chance(g, 2) ? 32 : 39) & VTD_ENTRY_ADDR;
}

static void good_legacy_context(struct guest *g, u64 *entry)
{
	entry[0] = VTD_ENTRY_P | stage(g) | some(g, VTD_CTX0_FPD) |
		   FIELD_PREP(VTD_CTX0_TT, chance(g, 2) ?
			      mock_below(&g->rnd, 4) : 0);
	entry[1] = FIELD_PREP(VTD_CTX1_AW, 1 + mock_below(&g->rnd, 3)) |
		   FIELD_PREP(VTD_CTX1_AVAIL, mock_below(&g->rnd, 16)) |
		   FIELD_PREP(VTD_CTX1_DID, random_bits(g, chance(g, 2) ? 4 : 16));
}

static void good_context(struct guest *g, u64 *entry)
{
	u64 dte = some(g, VTD_SMCTX0_DTE), pdts = mock_below(&g->rnd, 8);

	entry[0] = VTD_ENTRY_P | table(g, PDIR) | some(g, VTD_SMCTX0_FPD) | dte |
		   some(g, VTD_SMCTX0_PASIDE) |
		   (dte || chance(g, 8) ? some(g, VTD_SMCTX0_PRE) : 0) |
		   FIELD_PREP(VTD_SMCTX0_PDTS, pdts);
	/* In two pages of the directory, anywhere, and about where it ends */
	if (chance(g, 2))
		entry[1] = random_bits(g, 13 + min(pdts, 3));
	else if (chance(g, 8))
		entry[1] = random_bits(g, 20);
	else if (chance(g, 4) && pdts < 7)
		entry[1] = (8192 << pdts) - chance(g, 2);
	entry[1] |= some(g, VTD_SMCTX1_RID_PRIV);
}

static void good_pasid(struct guest *g, u64 *entry)
{
	static const u8 pgtts[] = {
		VTD_PGTT_FS, VTD_PGTT_SS, VTD_PGTT_NESTED, VTD_PGTT_PT,
	};
	u8 pgtt = pgtts[mock_below(&g->rnd, ARRAY_SIZE(pgtts))];

	entry[0] = VTD_ENTRY_P | stage(g) | some(g, VTD_PASID0_FPD) |
		   FIELD_PREP(VTD_PASID0_AW, 1 + mock_below(&g->rnd, 3)) |
		   FIELD_PREP(VTD_PASID0_PGTT, pgtt) |
		   (chance(g, 3) ? VTD_PASID0_SSADE : 0);
	entry[1] = FIELD_PREP(VTD_PASID1_DID,
			      random_bits(g, chance(g, 2) ? 4 : 16)) |
		   (chance(g, 2) ? VTD_PASID1_PWSNP : 0) |
		   some(g, VTD_PASID1_PGSNP) | some(g, VTD_PASID1_CD) |
		   some(g, VTD_PASID1_EMTE) | some(g, VTD_PASID1_PAT);
	if (chance(g, 2))
		entry[1] &= ~VTD_PASID1_PWSNP;
	entry[2] = stage(g) | some(g, 3 << 5) | some(g, 15 << 8) |
		   (chance(g, 2) ? VTD_PASID2_SRE : 0);
	if (pgtt == VTD_PGTT_FS || pgtt == VTD_PGTT_NESTED || chance(g, 8))
		entry[2] |= (chance(g, 3) ? VTD_PASID2_WPE : 0) |
			    (chance(g, 3) ? VTD_PASID2_EAFE : 0) |
			    FIELD_PREP(VTD_PASID2_FSPM, chance(g, 3));
}

static void good_entry(struct guest *g, enum tables page, u64 *entry)
{
	if (page == ROOT) {
		entry[0] = VTD_ENTRY_P | table(g, CONTEXT);
		if (g->scalable)
			entry[1] = VTD_ENTRY_P | table(g, CONTEXT);
	} else if (page < PDIR && g->scalable) {
		good_context(g, entry);
	} else if (page < PDIR) {
		good_legacy_context(g, entry);
	} else if (page < PASID) {
		entry[0] = VTD_ENTRY_P | table(g, PASID) | some(g, VTD_PDIR_FPD);
	} else {
		good_pasid(g, entry);
	}
}

static unsigned int entry_words(struct guest *g, enum tables page)
{
	if (page < CONTEXT)
		return 2;
	if (page < PDIR)
		return g->scalable ? 4 : 2;
	return page < PASID ? 1 : 8;
}

/* PASID entries are the largest, and fewer look-ups get there. */
static void random_entry(struct guest *g, enum tables page, u64 *entry)
{
	unsigned int words = entry_words(g, page), n;

	if (chance(g, 32))
		return;
	good_entry(g, page, entry);
	if (chance(g, 64))
		entry[mock_below(&g->rnd, words)] = random_bits(g, 64);
	if (mock_below(&g->rnd, page < PASID ? 8 : 2))
		return;
	if (words == 8 && !chance(g, 3))
		words = 3;
	for (n = 1 + mock_below(&g->rnd, 2); n; n--)
		entry[mock_below(&g->rnd, words)] ^=
			BIT_ULL(mock_below(&g->rnd, 64));
}

static void random_tables(struct guest *g)
{
	unsigned int page, i, w, words;
	u64 entry[8];

	for (page = 0; page < PAGES; page++) {
		words = entry_words(g, page);
		for (i = 0; i < WORDS; i += words) {
			memset(entry, 0, sizeof(entry));
			random_entry(g, page, entry);
			for (w = 0; w < words; w++)
				g->pages[page][i + w] = cpu_to_le64(entry[w]);
		}
	}
}

/* Each capability is there, or not; most are, most times. */
static void random_view(struct guest *g)
{
	static const u64 ecaps[] = {
		VTD_ECAP_DT, VTD_ECAP_PT, VTD_ECAP_SC, VTD_ECAP_MTS,
		VTD_ECAP_NEST, VTD_ECAP_PRS, VTD_ECAP_SRS, VTD_ECAP_EAFS,
		VTD_ECAP_PASID, VTD_ECAP_SMTS, VTD_ECAP_SSADS, VTD_ECAP_SSTS,
		VTD_ECAP_FSTS, VTD_ECAP_SMPWCS, VTD_ECAP_RPS, VTD_ECAP_ADMS,
		VTD_ECAP_RPRIVS,
	};
	struct vtd_view *view = &g->view;
	unsigned int i;

	view->te = !chance(g, 64);
	view->haw = 39 + mock_below(&g->rnd, 14);
	view->ecap = 0;
	for (i = 0; i < ARRAY_SIZE(ecaps); i++)
		if (!chance(g, 20))
			view->ecap |= ecaps[i];
	view->cap = FIELD_PREP(VTD_CAP_ND, chance(g, 3) ?
			       mock_below(&g->rnd, 7) : 6) |
		    FIELD_PREP(VTD_CAP_SAGAW, chance(g, 3) ?
			       mock_below(&g->rnd, 8) << 1 : 14) |
		    FIELD_PREP(VTD_CAP_MGAW, 30 + mock_below(&g->rnd, 27)) |
		    (chance(g, 4) ? 0 : VTD_CAP_FS5LP);
	view->rtaddr = chance(g, 64) ? random_bits(g, 39) & VTD_RTADDR_RTA :
				       page_gpa(ROOT);
	view->rtaddr |= FIELD_PREP(VTD_RTADDR_TTM, chance(g, 24) ?
				   mock_below(&g->rnd, 4) : g->scalable);
}

/* ---- the comparison ---- */

static void same(struct guest *g, u16 sid, const char *what, u64 got, u64 want)
{
	KUNIT_ASSERT_EQ_MSG(g->mem.test, got, want,
			    "%s of sid 0x%x rtaddr 0x%llx cap 0x%llx ecap 0x%llx haw %u",
			    what, sid, g->view.rtaddr, g->view.cap, g->view.ecap,
			    g->view.haw);
}

static void compare(struct guest *g, u16 sid)
{
	struct vtd_context want = ref_resolve(g, sid), got;

	vtd_resolve(&g->view, &g->mem.reader, sid, &got);
	same(g, sid, "kind", got.kind, want.kind);
	same(g, sid, "fault", got.fault, want.fault);
	same(g, sid, "fpd", got.fpd, want.fpd);
	if (want.kind != VTD_BLOCKED)
		same(g, sid, "did", got.did, want.did);
	same(g, sid, "fsptptr", got.key.fsptptr, want.key.fsptptr);
	same(g, sid, "ssptptr", got.key.ssptptr, want.key.ssptptr);
	same(g, sid, "fs_levels", got.key.fs_levels, want.key.fs_levels);
	same(g, sid, "ss_levels", got.key.ss_levels, want.key.ss_levels);
	same(g, sid, "flags", got.key.flags, want.key.flags);
	same(g, sid, "zero", got.key.zero, want.key.zero);
	g->kinds[want.kind]++;
	__set_bit(want.fault, g->faults);
	__set_bit(want.key.fs_levels * 8 + want.key.ss_levels, g->levels);
	__set_bit(want.key.flags, g->flags);
}

static struct guest *rounds(struct kunit *test, u64 seed, bool scalable,
			    const u8 *faults)
{
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	unsigned int set, i;

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->pages = kunit_kzalloc(test, PAGES * VTD_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g->pages);
	table_mem_init(&g->mem, test, find);
	mock_seed(test, &g->rnd, seed);
	g->scalable = scalable;
	for (set = 0; set < SETS; set++) {
		random_tables(g);
		for (i = 0; i < LOOKUPS; i++) {
			random_view(g);
			compare(g, mock_below(&g->rnd, 0x10000));
		}
	}
	KUNIT_EXPECT_EQ(test, g->mem.updates, 0);
	/* That there was something to see */
	kunit_info(test, "%u blocked, %u passed, %u translated, faults %*pbl\n",
		   g->kinds[VTD_BLOCKED], g->kinds[VTD_PASSTHROUGH],
		   g->kinds[VTD_TRANSLATE], 256, g->faults);
	for (i = 0; i < ARRAY_SIZE(g->kinds); i++)
		KUNIT_EXPECT_GT(test, g->kinds[i], 100);
	for (; *faults; faults++) {
		bool seen = test_bit(*faults, g->faults);

		KUNIT_EXPECT_TRUE_MSG(test, seen, "fault 0x%x", *faults);
	}
	return g;
}

static void random_legacy(struct kunit *test)
{
	static const u8 faults[] = {
		0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x30, 0x33, 0,
	};
	struct guest *g = rounds(test, 0x1e9, false, faults);
	unsigned int levels;

	for (levels = 3; levels <= 5; levels++)
		KUNIT_EXPECT_TRUE(test, test_bit(levels, g->levels));
}

static void random_scalable(struct kunit *test)
{
	static const u8 faults[] = {
		0x30, 0x33, 0x38, 0x39, 0x3a, 0x40, 0x41, 0x42, 0x43, 0x50,
		0x51, 0x52, 0x58, 0x59, 0x5a, 0x5b, 0x5d, 0,
	};
	struct guest *g = rounds(test, 0x5ca1, true, faults);
	unsigned int first, second;

	for (first = 3; first <= 5; first++)
		for (second = 2; second <= 5; second++) {
			/* 3 and 2: none */
			unsigned int i = (first == 3 ? 0 : first) * 8 +
					 (second == 2 ? 0 : second);
			bool seen = test_bit(i, g->levels);

			KUNIT_EXPECT_TRUE_MSG(test, seen, "levels %u, %u", first,
					      second);
		}
	KUNIT_EXPECT_GT(test, bitmap_weight(g->flags, 32), 10);
}

static struct kunit_case context_cases[] = {
	KUNIT_CASE(random_legacy),
	KUNIT_CASE(random_scalable),
	{ }
};

static struct kunit_suite context_suite = {
	.name = "kviommu_vtd_random_context",
	.test_cases = context_cases,
};

kunit_test_suite(context_suite);
