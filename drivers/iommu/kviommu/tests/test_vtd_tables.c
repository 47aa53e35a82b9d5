// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d's translation tables, by hand: every bit of every entry on the way to a
 * page, what capabilities allow, what hardware marks, and what a walk costs.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "mock.h"
#include "table_mem.h"
#include "vtd/tables.h"

#define R	KVIOMMU_READ
#define W	KVIOMMU_WRITE
#define RW	(R | W)

#define SID		0x1234		/* bus 0x12, device 6, function 4 */
#define HAW		46
#define DID		5

/* Index 1, 2, 3, 4, 5 at level 5, 4, 3, 2, 1; as far as there are levels */
#define IOVA	(BIT_ULL(48) | 2ULL << 39 | 3ULL << 30 | 4 << 21 | 5 << 12)
#define OFFSET		0xabc

/*
 * Page numbers with an even number of bits set: no bit leads from one to
 * another, and an address with a wrong bit is not in memory.
 */
#define ROOT_GPA	0x3000ULL
#define CTX_GPA		0x5000ULL
#define PDIR_GPA	0x6000ULL
#define PASID_GPA	0x9000ULL
#define PAGE_GPA	0x30000ULL	/* what the page is translated to */
#define LARGE_GPA	0x280000000ULL	/* if it is larger than 4 KiB */
#define NESTED_GPA	0x21000ULL	/* by the first of two stages */

static const u64 fs_gpa[] = { 0x12000, 0x14000, 0x17000, 0x18000, 0x1b000 };
static const u64 ss_gpa[] = { 0xa000, 0xc000, 0xf000, 0x11000, 0x1d000 };

#define FS_ENTRY	(VTD_FS_P | VTD_FS_RW | VTD_FS_US | VTD_FS_A | VTD_FS_D)
#define SS_ENTRY	(VTD_SS_R | VTD_SS_W)

/* The words of all entries on the way; pages and tables by level */
enum word {
	ROOT0, ROOT1,
	CTX0, CTX1, CTX2, CTX3,
	PDIR,
	PASID0, PASID1, PASID2, PASID3, PASID4, PASID5, PASID6, PASID7,
	FS1, FS2, FS3, FS4, FS5,
	SS1, SS2, SS3, SS4, SS5,
	SS_OF_FS1, SS_OF_FS4,	/* nested: of tables of the first stage */
	WORDS,
};

/* What becomes of the page when a bit is another */
enum outcome {
	FAULT = 1,
	SAME,
	FPD,
	DOMAIN,
	MOVED,		/* the address has this bit, too */
	PASSED,		/* through */
	DIRECT,		/* nested: the second stage is left out */
};

/* Bits up to and with @last, from where those of the field before ended */
struct field {
	u8 last;
	enum outcome outcome;
	enum vtd_fault fault;
};

struct config {
	const char *name;
	bool legacy;
	u8 fs_levels;
	u8 ss_levels;
	u8 page_level;
	u64 cap;
	u64 ecap;
	const struct field *fields[WORDS];
};

struct scene {
	struct table_mem mem;
	struct vtd_view view;
	u64 iova;
	u64 gpa;
	__le64 *words[WORDS];
	unsigned int nr_pages;
	u64 gpas[20];
	__le64 *pages[20];
};

/* ---- entries, field by field: chapter 9, and the reasons of 7.1.3 ---- */

static const struct field ignored[] = {
	{ 63, SAME },
};

static const struct field l_root[] = {
	{ 0, FAULT, VTD_FAULT_L_ROOT_NP },
	{ 11, FAULT, VTD_FAULT_L_ROOT_RSVD },
	{ 45, FAULT, VTD_FAULT_L_CTX_ACCESS },
	{ 63, FAULT, VTD_FAULT_L_ROOT_RSVD },
};

static const struct field l_root1[] = {
	{ 63, FAULT, VTD_FAULT_L_ROOT_RSVD },
};

static const struct field l_ctx[] = {
	{ 0, FAULT, VTD_FAULT_L_CTX_NP },
	{ 1, FPD },
	{ 2, FAULT, VTD_FAULT_L_CTX_INVALID },	/* TT = 1, no device TLBs */
	{ 3, PASSED },
	{ 11, FAULT, VTD_FAULT_L_CTX_RSVD },
	{ 45, FAULT, VTD_FAULT_L_CTX_INVALID },
	{ 63, FAULT, VTD_FAULT_L_CTX_RSVD },
};

static const struct field l_ctx1[] = {
	{ 2, FAULT, VTD_FAULT_L_CTX_INVALID },	/* AW = 3, 0, 6 */
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_L_CTX_RSVD },
	{ 23, DOMAIN },
	{ 63, FAULT, VTD_FAULT_L_CTX_RSVD },
};

static const struct field l_ss_table[] = {
	{ 0, FAULT, VTD_FAULT_L_READ },
	{ 1, FAULT, VTD_FAULT_L_WRITE },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 45, FAULT, VTD_FAULT_L_SS_ACCESS },
	{ 51, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 63, SAME },
};

static const struct field l_ss_4k[] = {
	{ 0, FAULT, VTD_FAULT_L_READ },
	{ 1, FAULT, VTD_FAULT_L_WRITE },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 63, SAME },
};

static const struct field l_ss_2m[] = {
	{ 0, FAULT, VTD_FAULT_L_READ },
	{ 1, FAULT, VTD_FAULT_L_WRITE },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_L_SS_ACCESS },	/* a table then */
	{ 10, SAME },
	{ 20, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 63, SAME },
};

static const struct field l_ss_1g[] = {
	{ 0, FAULT, VTD_FAULT_L_READ },
	{ 1, FAULT, VTD_FAULT_L_WRITE },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_L_SS_ACCESS },
	{ 10, SAME },
	{ 29, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_L_SS_RSVD },
	{ 63, SAME },
};

static const struct field root[] = {
	{ 0, FAULT, VTD_FAULT_ROOT_NP },
	{ 11, FAULT, VTD_FAULT_ROOT_RSVD },
	{ 45, FAULT, VTD_FAULT_CTX_ACCESS },
	{ 63, FAULT, VTD_FAULT_ROOT_RSVD },
};

static const struct field ctx[] = {
	{ 0, FAULT, VTD_FAULT_CTX_NP },
	{ 1, FPD },
	{ 8, FAULT, VTD_FAULT_CTX_RSVD },
	{ 11, SAME },				/* PDTS */
	{ 45, FAULT, VTD_FAULT_PDIR_ACCESS },
	{ 63, FAULT, VTD_FAULT_CTX_RSVD },
};

static const struct field ctx_reserved[] = {
	{ 63, FAULT, VTD_FAULT_CTX_RSVD },
};

static const struct field pdir[] = {
	{ 0, FAULT, VTD_FAULT_PDIR_NP },
	{ 1, FPD },
	{ 11, FAULT, VTD_FAULT_PDIR_RSVD },
	{ 45, FAULT, VTD_FAULT_PASID_ACCESS },
	{ 63, FAULT, VTD_FAULT_PDIR_RSVD },
};

static const struct field pasid_ss[] = {
	{ 0, FAULT, VTD_FAULT_PASID_NP },
	{ 1, FPD },
	{ 4, FAULT, VTD_FAULT_PASID_INVALID },	/* AW */
	{ 5, FAULT, VTD_FAULT_PASID_RSVD },
	{ 8, FAULT, VTD_FAULT_PASID_INVALID },	/* PGTT */
	{ 11, FAULT, VTD_FAULT_PASID_RSVD },
	{ 45, FAULT, VTD_FAULT_SS_ROOT_ACCESS },
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid_fs[] = {
	{ 0, FAULT, VTD_FAULT_PASID_NP },
	{ 1, FPD },
	{ 4, SAME },
	{ 5, FAULT, VTD_FAULT_PASID_RSVD },
	{ 8, FAULT, VTD_FAULT_PASID_INVALID },
	{ 11, FAULT, VTD_FAULT_PASID_RSVD },
	{ 45, SAME },
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid_nested[] = {
	{ 0, FAULT, VTD_FAULT_PASID_NP },
	{ 1, FPD },
	{ 4, FAULT, VTD_FAULT_PASID_INVALID },
	{ 5, FAULT, VTD_FAULT_PASID_RSVD },
	{ 6, FAULT, VTD_FAULT_ADDR_WIDTH },	/* second stage only */
	{ 7, DIRECT },				/* first stage only */
	{ 8, FAULT, VTD_FAULT_PASID_INVALID },
	{ 11, FAULT, VTD_FAULT_PASID_RSVD },
	{ 45, FAULT, VTD_FAULT_SS_ROOT_ACCESS },
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid1[] = {
	{ 15, DOMAIN },
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid2_ss[] = {
	{ 4, FAULT, VTD_FAULT_PASID_RSVD },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_PASID_RSVD },
	{ 45, SAME },
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid2_fs[] = {
	{ 1, FAULT, VTD_FAULT_PASID_RSVD },
	{ 3, FAULT, VTD_FAULT_PASID_INVALID },	/* FSPM */
	{ 6, SAME },
	{ 11, FAULT, VTD_FAULT_PASID_RSVD },
	{ 45, FAULT, VTD_FAULT_FS_ROOT_ACCESS },
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid2_nested[] = {
	{ 1, FAULT, VTD_FAULT_PASID_RSVD },
	{ 3, FAULT, VTD_FAULT_PASID_INVALID },
	{ 6, SAME },
	{ 11, FAULT, VTD_FAULT_PASID_RSVD },
	{ 38, FAULT, VTD_FAULT_FS_ROOT_READ },
	{ 45, FAULT, VTD_FAULT_PASID_INVALID },	/* above AW */
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field pasid_reserved[] = {
	{ 63, FAULT, VTD_FAULT_PASID_RSVD },
};

static const struct field ss_table[] = {
	{ 0, FAULT, VTD_FAULT_READ },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_SS_RSVD },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_SS_RSVD },
	{ 45, FAULT, VTD_FAULT_SS_ACCESS },
	{ 51, FAULT, VTD_FAULT_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_SS_RSVD },
	{ 63, SAME },
};

static const struct field ss_4k[] = {
	{ 0, FAULT, VTD_FAULT_READ },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_SS_RSVD },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_SS_RSVD },
	{ 63, SAME },
};

static const struct field fs_table[] = {
	{ 0, FAULT, VTD_FAULT_FS_NP },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 2, FAULT, VTD_FAULT_PRIVILEGE },
	{ 4, SAME },
	{ 5, FAULT, VTD_FAULT_FS_AD_NOSNOOP },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_FS_RSVD },
	{ 11, SAME },
	{ 45, FAULT, VTD_FAULT_FS_ACCESS },
	{ 51, FAULT, VTD_FAULT_FS_RSVD },
	{ 63, SAME },
};

static const struct field fs_4k[] = {
	{ 0, FAULT, VTD_FAULT_FS_NP },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 2, FAULT, VTD_FAULT_PRIVILEGE },
	{ 4, SAME },
	{ 6, FAULT, VTD_FAULT_FS_AD_NOSNOOP },
	{ 11, SAME },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_FS_RSVD },
	{ 63, SAME },
};

static const struct field fs_2m[] = {
	{ 0, FAULT, VTD_FAULT_FS_NP },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 2, FAULT, VTD_FAULT_PRIVILEGE },
	{ 4, SAME },
	{ 6, FAULT, VTD_FAULT_FS_AD_NOSNOOP },
	{ 7, FAULT, VTD_FAULT_FS_ACCESS },	/* a table then */
	{ 12, SAME },
	{ 20, FAULT, VTD_FAULT_FS_RSVD },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_FS_RSVD },
	{ 63, SAME },
};

static const struct field fs_1g[] = {
	{ 0, FAULT, VTD_FAULT_FS_NP },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 2, FAULT, VTD_FAULT_PRIVILEGE },
	{ 4, SAME },
	{ 6, FAULT, VTD_FAULT_FS_AD_NOSNOOP },
	{ 7, FAULT, VTD_FAULT_FS_ACCESS },
	{ 12, SAME },
	{ 29, FAULT, VTD_FAULT_FS_RSVD },
	{ 45, MOVED },
	{ 51, FAULT, VTD_FAULT_FS_RSVD },
	{ 63, SAME },
};

/* 3.8.1: what is read is what the second stage translates. */
static const struct field nested_table[] = {
	{ 0, FAULT, VTD_FAULT_FS_NP },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 2, FAULT, VTD_FAULT_PRIVILEGE },
	{ 4, SAME },
	{ 5, FAULT, VTD_FAULT_FS_AD_NOSNOOP },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_FS_RSVD },
	{ 11, SAME },
	{ 38, FAULT, VTD_FAULT_FS_TABLE_READ },
	{ 45, FAULT, VTD_FAULT_FS_ADDR_WIDTH },
	{ 51, FAULT, VTD_FAULT_FS_RSVD },
	{ 63, SAME },
};

static const struct field nested_4k[] = {
	{ 0, FAULT, VTD_FAULT_FS_NP },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 2, FAULT, VTD_FAULT_PRIVILEGE },
	{ 4, SAME },
	{ 6, FAULT, VTD_FAULT_FS_AD_NOSNOOP },
	{ 11, SAME },
	{ 38, FAULT, VTD_FAULT_WRITE },
	{ 45, FAULT, VTD_FAULT_FS_ADDR_WIDTH },
	{ 51, FAULT, VTD_FAULT_FS_RSVD },
	{ 63, SAME },
};

/* The first thing that is missed is the first stage's root. */
static const struct field ss_table_nested[] = {
	{ 0, FAULT, VTD_FAULT_FS_ROOT_READ },
	{ 1, FAULT, VTD_FAULT_WRITE },
	{ 6, SAME },
	{ 7, FAULT, VTD_FAULT_SS_RSVD },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_SS_RSVD },
	{ 45, FAULT, VTD_FAULT_SS_ACCESS },
	{ 51, FAULT, VTD_FAULT_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_SS_RSVD },
	{ 63, SAME },
};

static const struct field ss_of_fs1[] = {
	{ 0, FAULT, VTD_FAULT_FS_TABLE_READ },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_SS_RSVD },
	{ 45, FAULT, VTD_FAULT_FS_ACCESS },
	{ 51, FAULT, VTD_FAULT_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_SS_RSVD },
	{ 63, SAME },
};

static const struct field ss_of_fs4[] = {
	{ 0, FAULT, VTD_FAULT_FS_ROOT_READ },
	{ 10, SAME },
	{ 11, FAULT, VTD_FAULT_SS_RSVD },
	{ 45, FAULT, VTD_FAULT_FS_ROOT_ACCESS },
	{ 51, FAULT, VTD_FAULT_SS_RSVD },
	{ 61, SAME },
	{ 62, FAULT, VTD_FAULT_SS_RSVD },
	{ 63, SAME },
};

#define SAGAW(aw)	FIELD_PREP_CONST(VTD_CAP_SAGAW, BIT(aw))
#define MGAW(bits)	FIELD_PREP_CONST(VTD_CAP_MGAW, (bits) - 1)
#define ND_16		FIELD_PREP_CONST(VTD_CAP_ND, 6)
#define LARGE		(VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G | VTD_CAP_FS1GP)

static const struct config configs[] = {
	{
		.name = "legacy, 4 levels, 4 KiB", .legacy = true,
		.ss_levels = 4, .page_level = 1,
		.cap = ND_16 | SAGAW(VTD_AW_48) | MGAW(48), .ecap = VTD_ECAP_PT,
		.fields = {
			[ROOT0] = l_root, [ROOT1] = l_root1,
			[CTX0] = l_ctx, [CTX1] = l_ctx1,
			[SS4] = l_ss_table, [SS3] = l_ss_table,
			[SS2] = l_ss_table, [SS1] = l_ss_4k,
		},
	}, {
		.name = "legacy, 4 levels, 2 MiB", .legacy = true,
		.ss_levels = 4, .page_level = 2,
		.cap = ND_16 | SAGAW(VTD_AW_48) | MGAW(48) | LARGE,
		.ecap = VTD_ECAP_PT,
		.fields = {
			[ROOT0] = l_root, [ROOT1] = l_root1,
			[CTX0] = l_ctx, [CTX1] = l_ctx1,
			[SS4] = l_ss_table, [SS3] = l_ss_table, [SS2] = l_ss_2m,
		},
	}, {
		.name = "legacy, 4 levels, 1 GiB", .legacy = true,
		.ss_levels = 4, .page_level = 3,
		.cap = ND_16 | SAGAW(VTD_AW_48) | MGAW(48) | LARGE,
		.ecap = VTD_ECAP_PT,
		.fields = {
			[ROOT0] = l_root, [ROOT1] = l_root1,
			[CTX0] = l_ctx, [CTX1] = l_ctx1,
			[SS4] = l_ss_table, [SS3] = l_ss_1g,
		},
	}, {
		.name = "second stage, 5 levels", .ss_levels = 5, .page_level = 1,
		.cap = ND_16 | SAGAW(VTD_AW_57) | MGAW(57),
		.ecap = VTD_ECAP_SMTS | VTD_ECAP_SSTS,
		.fields = {
			[ROOT0] = root, [ROOT1] = ignored,
			[CTX0] = ctx, [CTX1] = ctx_reserved,
			[CTX2] = ctx_reserved, [CTX3] = ctx_reserved,
			[PDIR] = pdir,
			[PASID0] = pasid_ss, [PASID1] = pasid1,
			[PASID2] = pasid2_ss, [PASID3] = pasid_reserved,
			[PASID4] = pasid_reserved, [PASID5] = pasid_reserved,
			[PASID6] = pasid_reserved, [PASID7] = pasid_reserved,
			[SS5] = ss_table, [SS4] = ss_table, [SS3] = ss_table,
			[SS2] = ss_table, [SS1] = ss_4k,
		},
	}, {
		.name = "first stage, 4 levels, 4 KiB",
		.fs_levels = 4, .page_level = 1,
		.cap = ND_16 | SAGAW(VTD_AW_48) | MGAW(48),
		.ecap = VTD_ECAP_SMTS | VTD_ECAP_FSTS,
		.fields = {
			[ROOT0] = root, [ROOT1] = ignored,
			[CTX0] = ctx, [CTX1] = ctx_reserved,
			[CTX2] = ctx_reserved, [CTX3] = ctx_reserved,
			[PDIR] = pdir,
			[PASID0] = pasid_fs, [PASID1] = pasid1,
			[PASID2] = pasid2_fs, [PASID3] = pasid_reserved,
			[PASID4] = pasid_reserved, [PASID5] = pasid_reserved,
			[PASID6] = pasid_reserved, [PASID7] = pasid_reserved,
			[FS4] = fs_table, [FS3] = fs_table, [FS2] = fs_table,
			[FS1] = fs_4k,
		},
	}, {
		.name = "first stage, 4 levels, 2 MiB",
		.fs_levels = 4, .page_level = 2,
		.cap = ND_16 | SAGAW(VTD_AW_48) | MGAW(48),
		.ecap = VTD_ECAP_SMTS | VTD_ECAP_FSTS,
		.fields = {
			[ROOT0] = root, [ROOT1] = ignored,
			[CTX0] = ctx, [CTX1] = ctx_reserved,
			[CTX2] = ctx_reserved, [CTX3] = ctx_reserved,
			[PDIR] = pdir,
			[PASID0] = pasid_fs, [PASID1] = pasid1,
			[PASID2] = pasid2_fs, [PASID3] = pasid_reserved,
			[PASID4] = pasid_reserved, [PASID5] = pasid_reserved,
			[PASID6] = pasid_reserved, [PASID7] = pasid_reserved,
			[FS4] = fs_table, [FS3] = fs_table, [FS2] = fs_2m,
		},
	}, {
		.name = "first stage, 4 levels, 1 GiB",
		.fs_levels = 4, .page_level = 3,
		.cap = ND_16 | SAGAW(VTD_AW_48) | MGAW(48) | LARGE,
		.ecap = VTD_ECAP_SMTS | VTD_ECAP_FSTS,
		.fields = {
			[ROOT0] = root, [ROOT1] = ignored,
			[CTX0] = ctx, [CTX1] = ctx_reserved,
			[CTX2] = ctx_reserved, [CTX3] = ctx_reserved,
			[PDIR] = pdir,
			[PASID0] = pasid_fs, [PASID1] = pasid1,
			[PASID2] = pasid2_fs, [PASID3] = pasid_reserved,
			[PASID4] = pasid_reserved, [PASID5] = pasid_reserved,
			[PASID6] = pasid_reserved, [PASID7] = pasid_reserved,
			[FS4] = fs_table, [FS3] = fs_1g,
		},
	}, {
		.name = "nested, 4 levels in 3",
		.fs_levels = 4, .ss_levels = 3, .page_level = 1,
		.cap = ND_16 | SAGAW(VTD_AW_39) | MGAW(48),
		.ecap = VTD_ECAP_SMTS | VTD_ECAP_FSTS | VTD_ECAP_SSTS |
			VTD_ECAP_NEST,
		.fields = {
			[ROOT0] = root, [ROOT1] = ignored,
			[CTX0] = ctx, [CTX1] = ctx_reserved,
			[CTX2] = ctx_reserved, [CTX3] = ctx_reserved,
			[PDIR] = pdir,
			[PASID0] = pasid_nested, [PASID1] = pasid1,
			[PASID2] = pasid2_nested, [PASID3] = pasid_reserved,
			[PASID4] = pasid_reserved, [PASID5] = pasid_reserved,
			[PASID6] = pasid_reserved, [PASID7] = pasid_reserved,
			[FS4] = nested_table, [FS3] = nested_table,
			[FS2] = nested_table, [FS1] = nested_4k,
			[SS3] = ss_table_nested, [SS2] = ss_table_nested,
			[SS1] = ss_4k,
			[SS_OF_FS1] = ss_of_fs1, [SS_OF_FS4] = ss_of_fs4,
		},
	},
};

KUNIT_ARRAY_PARAM_DESC(config, configs, name);

/* ---- tables that translate one page of one device ---- */

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct scene *s = container_of(m, struct scene, mem);
	unsigned int i;

	for (i = 0; i < s->nr_pages; i++)
		if (s->gpas[i] == gpa)
			return s->pages[i];
	return NULL;
}

static __le64 *set_word(struct scene *s, u64 gpa, u64 value)
{
	u64 offset = gpa % VTD_PAGE_SIZE;
	__le64 *page = find(&s->mem, gpa - offset);

	if (!page) {
		KUNIT_ASSERT_LT(s->mem.test, s->nr_pages, ARRAY_SIZE(s->pages));
		page = kunit_kzalloc(s->mem.test, VTD_PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(s->mem.test, page);
		s->gpas[s->nr_pages] = gpa - offset;
		s->pages[s->nr_pages++] = page;
	}
	page += offset / sizeof(*page);
	*page = cpu_to_le64(value);
	return page;
}

/* Entries for @addr, from the root down to the page; their words by level */
static void set_tables(struct scene *s, const u64 *tables, unsigned int levels,
		       unsigned int page_level, u64 addr, u64 gpa, u64 bits,
		       __le64 **words)
{
	unsigned int level;

	for (level = levels; level >= page_level; level--) {
		u64 index = addr >> (12 + 9 * (level - 1)) & 511;
		u64 value = level > page_level ? tables[level - 2] : gpa;

		if (level == page_level && level > 1)
			value |= VTD_PTE_PS;
		words[level - 1] = set_word(s, tables[level - 1] + 8 * index,
					    value | bits);
	}
}

static void set_context(struct scene *s, const struct config *c)
{
	u64 aw = c->ss_levels ? c->ss_levels - 2 : VTD_AW_48;
	u64 pgtt = c->ss_levels ? VTD_PGTT_SS : VTD_PGTT_FS;
	u64 pasid[VTD_PASID_WORDS] = {};
	u64 gpa = CTX_GPA, i;

	if (c->legacy) {
		s->words[ROOT0] = set_word(s, ROOT_GPA + (SID >> 8) * 16,
					   CTX_GPA | VTD_ENTRY_P);
		s->words[ROOT1] = s->words[ROOT0] + 1;
		gpa += (SID & 0xff) * 16;
		s->words[CTX0] = set_word(s, gpa, VTD_ENTRY_P |
					  ss_gpa[c->ss_levels - 1]);
		s->words[CTX1] = set_word(s, gpa + 8, aw |
					  FIELD_PREP(VTD_CTX1_DID, DID));
		return;
	}

	s->words[ROOT0] = set_word(s, ROOT_GPA + (SID >> 8) * 16,
				   CTX_GPA | VTD_ENTRY_P);
	s->words[ROOT1] = s->words[ROOT0] + 1;
	gpa += (SID & 0x7f) * 32;
	for (i = 0; i < VTD_SMCTX_WORDS; i++)
		s->words[CTX0 + i] = set_word(s, gpa + 8 * i, 0);
	*s->words[CTX0] = cpu_to_le64(PDIR_GPA | VTD_ENTRY_P);
	s->words[PDIR] = set_word(s, PDIR_GPA, PASID_GPA | VTD_ENTRY_P);

	if (c->fs_levels) {
		if (c->ss_levels)
			pgtt = VTD_PGTT_NESTED;
		pasid[2] = fs_gpa[c->fs_levels - 1];
		pasid[2] |= FIELD_PREP(VTD_PASID2_FSPM, c->fs_levels - 4);
	}
	if (c->ss_levels)
		pasid[0] = ss_gpa[c->ss_levels - 1];
	pasid[0] |= VTD_ENTRY_P | FIELD_PREP(VTD_PASID0_AW, aw) |
		    FIELD_PREP(VTD_PASID0_PGTT, pgtt);
	pasid[1] = FIELD_PREP(VTD_PASID1_DID, DID);
	for (i = 0; i < VTD_PASID_WORDS; i++)
		s->words[PASID0 + i] = set_word(s, PASID_GPA + 8 * i, pasid[i]);
}

static struct scene *scene_create(struct kunit *test, const struct config *c)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int levels = c->fs_levels ?: c->ss_levels, i;
	__le64 *words[VTD_MAX_LEVELS];

	KUNIT_ASSERT_NOT_NULL(test, s);
	table_mem_init(&s->mem, test, find);
	s->view.te = true;
	s->view.haw = HAW;
	s->view.cap = c->cap;
	s->view.ecap = c->ecap;
	s->view.rtaddr = ROOT_GPA |
		FIELD_PREP(VTD_RTADDR_TTM, c->legacy ? VTD_TTM_LEGACY :
						       VTD_TTM_SCALABLE);
	set_context(s, c);

	/* Canonical, too. */
	s->iova = IOVA & (BIT_ULL(12 + 9 * levels) - 1);
	s->gpa = c->page_level > 1 ? LARGE_GPA : PAGE_GPA;
	if (!c->fs_levels) {
		set_tables(s, ss_gpa, levels, c->page_level, s->iova, s->gpa,
			   SS_ENTRY, s->words + SS1);
	} else if (!c->ss_levels) {
		set_tables(s, fs_gpa, levels, c->page_level, s->iova, s->gpa,
			   FS_ENTRY, s->words + FS1);
	} else {
		set_tables(s, fs_gpa, levels, 1, s->iova, NESTED_GPA, FS_ENTRY,
			   s->words + FS1);
		set_tables(s, ss_gpa, c->ss_levels, 1, NESTED_GPA, s->gpa,
			   SS_ENTRY, s->words + SS1);
		for (i = 0; i < levels; i++) {
			set_tables(s, ss_gpa, c->ss_levels, 1, fs_gpa[i],
				   fs_gpa[i], SS_ENTRY, words);
			if (i == 0)
				s->words[SS_OF_FS1] = words[0];
			if (i == 3)
				s->words[SS_OF_FS4] = words[0];
		}
	}
	/* What is beside the page, in a larger one */
	s->gpa += s->iova & (BIT_ULL(12 + 9 * (c->page_level - 1)) - 1);
	return s;
}

static void ask(struct scene *s, u8 access, struct vtd_leaf *leaf)
{
	vtd_translate(&s->view, &s->mem.reader, SID, s->iova + OFFSET, access,
		      leaf);
}

/* ---- every bit ---- */

static void check_bit(struct scene *s, enum word w, unsigned int bit,
		      const struct field *f, const struct vtd_leaf *good)
{
	struct kunit *test = s->mem.test;
	struct vtd_leaf leaf, want = *good;

	switch (f->outcome) {
	case FAULT:
		want.gpa = 0;
		break;
	case FPD:
		want.ctx.fpd = true;
		break;
	case DOMAIN:
		want.ctx.did ^= 1 << (w == CTX1 ? bit - 8 : bit);
		break;
	case MOVED:
		want.gpa ^= BIT_ULL(bit);
		break;
	case PASSED:
		want.gpa = s->iova + OFFSET;
		break;
	case DIRECT:
		want.gpa = NESTED_GPA + OFFSET;
		break;
	case SAME:
		break;
	}

	*s->words[w] ^= cpu_to_le64(BIT_ULL(bit));
	ask(s, RW, &leaf);
	*s->words[w] ^= cpu_to_le64(BIT_ULL(bit));
	KUNIT_EXPECT_EQ_MSG(test, leaf.fault, f->fault, "word %u bit %u", w,
			    bit);
	KUNIT_EXPECT_EQ_MSG(test, leaf.gpa, want.gpa, "word %u bit %u", w, bit);
	if (f->outcome == FAULT)
		return;
	KUNIT_EXPECT_EQ_MSG(test, leaf.ctx.fpd, want.ctx.fpd, "word %u bit %u",
			    w, bit);
	KUNIT_EXPECT_EQ_MSG(test, leaf.ctx.did, want.ctx.did, "word %u bit %u",
			    w, bit);
	if (f->outcome == PASSED || f->outcome == DIRECT)
		return;
	KUNIT_EXPECT_EQ_MSG(test, leaf.size, want.size, "word %u bit %u", w,
			    bit);
	KUNIT_EXPECT_MEMEQ_MSG(test, &leaf.ctx.key, &want.ctx.key,
			       sizeof(want.ctx.key), "word %u bit %u", w, bit);
}

static void tables_bits(struct kunit *test)
{
	const struct config *c = test->param_value;
	struct scene *s = scene_create(test, c);
	struct vtd_leaf good;
	unsigned int w, bit;

	ask(s, RW, &good);
	KUNIT_ASSERT_EQ(test, good.fault, VTD_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, good.ctx.kind, VTD_TRANSLATE);
	KUNIT_EXPECT_EQ(test, good.ctx.did, DID);
	KUNIT_EXPECT_FALSE(test, good.ctx.fpd);
	KUNIT_EXPECT_EQ(test, good.gpa, s->gpa + OFFSET);
	KUNIT_EXPECT_EQ(test, good.prot, RW);
	KUNIT_EXPECT_EQ(test, good.size,
			BIT_ULL(12 + 9 * (c->page_level - 1)));

	for (w = 0; w < WORDS; w++) {
		const struct field *f = c->fields[w];

		KUNIT_ASSERT_EQ_MSG(test, !f, !s->words[w], "word %u", w);
		for (bit = 0; f && bit < 64; bit++) {
			check_bit(s, w, bit, f, &good);
			if (bit == f->last)
				f++;
		}
	}
}

/* ---- what capabilities allow ---- */

enum {
	LEGACY = 0,
	SECOND = 3,
	FIRST = 4,
	NESTED = 7,
};

/*
 * @no_ecap: capabilities that @config has and this has not; @flips: bits that
 * are other than there. @flags: those that the key has more.
 */
struct setting {
	const char *name;
	unsigned int config;
	u64 cap;
	u64 ecap;
	u64 no_cap;
	u64 no_ecap;
	u64 rtaddr;
	struct {
		enum word word;
		u64 bits;
	} flips[3];
	enum vtd_kind kind;
	enum vtd_fault fault;
	bool fpd;
	u16 flags;
};

#define TTM(ttm)		FIELD_PREP_CONST(VTD_RTADDR_TTM, ttm)
#define TT(tt)			FIELD_PREP_CONST(VTD_CTX0_TT, tt)
#define PDTS(pdts)		FIELD_PREP_CONST(VTD_SMCTX0_PDTS, pdts)
#define RID_PASID(pasid)	FIELD_PREP_CONST(VTD_SMCTX1_RID_PASID, pasid)
#define PGTT(pgtt)		FIELD_PREP_CONST(VTD_PASID0_PGTT, pgtt)

static const struct setting settings[] = {
	{
		.name = "reserved mode", .config = LEGACY, .rtaddr = TTM(2),
		.fault = VTD_FAULT_RTADDR,
	}, {
		.name = "no scalable mode", .config = SECOND,
		.no_ecap = VTD_ECAP_SMTS, .fault = VTD_FAULT_RTADDR,
	}, {
		.name = "no mode to abort", .config = LEGACY, .rtaddr = TTM(3),
		.fault = VTD_FAULT_RTADDR,
	}, {
		.name = "abort", .config = LEGACY, .rtaddr = TTM(3),
		.ecap = VTD_ECAP_ADMS, .fault = VTD_FAULT_ABORT_DMA,
	}, {
		.name = "legacy root elsewhere", .config = LEGACY,
		.rtaddr = BIT_ULL(40), .fault = VTD_FAULT_L_ROOT_ACCESS,
	}, {
		.name = "root elsewhere", .config = SECOND,
		.rtaddr = BIT_ULL(40), .fault = VTD_FAULT_ROOT_ACCESS,
	}, {
		.name = "device TLB", .config = LEGACY, .ecap = VTD_ECAP_DT,
		.flips = { { CTX0, TT(VTD_TT_ATS) } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "reserved type", .config = LEGACY, .ecap = VTD_ECAP_DT,
		.flips = { { CTX0, VTD_CTX0_TT } },
		.fault = VTD_FAULT_L_CTX_INVALID,
	}, {
		.name = "no pass-through", .config = LEGACY,
		.no_ecap = VTD_ECAP_PT,
		.flips = { { CTX0, TT(VTD_TT_PASSTHROUGH) } },
		.fault = VTD_FAULT_L_CTX_INVALID,
	}, {
		.name = "pass-through ignores the pointer", .config = LEGACY,
		.flips = { { CTX0, TT(VTD_TT_PASSTHROUGH) |
			     BIT_ULL(60) } },
		.kind = VTD_PASSTHROUGH,
	}, {
		.name = "pass-through of no such width", .config = LEGACY,
		.flips = { { CTX0, TT(VTD_TT_PASSTHROUGH) },
			   { CTX1, VTD_AW_48 ^ VTD_AW_57 } },
		.fault = VTD_FAULT_L_CTX_INVALID,
	}, {
		.name = "legacy domain of 4 bits", .config = LEGACY,
		.no_cap = VTD_CAP_ND, .kind = VTD_TRANSLATE,
	}, {
		.name = "legacy domain above 4 bits", .config = LEGACY,
		.no_cap = VTD_CAP_ND,
		.flips = { { CTX1, FIELD_PREP_CONST(VTD_CTX1_DID, 0x10) } },
		.fault = VTD_FAULT_L_CTX_RSVD,
	}, {
		.name = "domain above 4 bits", .config = SECOND,
		.no_cap = VTD_CAP_ND, .flips = { { PASID1, 0x8000 } },
		.fault = VTD_FAULT_PASID_RSVD,
	}, {
		.name = "FPD without P, legacy", .config = LEGACY,
		.flips = { { CTX0, VTD_ENTRY_P | VTD_CTX0_FPD } },
		.fault = VTD_FAULT_L_CTX_NP, .fpd = true,
	}, {
		.name = "FPD without P", .config = SECOND,
		.flips = { { CTX0, VTD_ENTRY_P | VTD_SMCTX0_FPD } },
		.fault = VTD_FAULT_CTX_NP, .fpd = true,
	}, {
		.name = "FPD of the directory without P", .config = SECOND,
		.flips = { { PDIR, VTD_ENTRY_P | VTD_PDIR_FPD } },
		.fault = VTD_FAULT_PDIR_NP, .fpd = true,
	}, {
		.name = "FPD of a PASID entry without P", .config = SECOND,
		.flips = { { PASID0, VTD_ENTRY_P | VTD_PASID0_FPD } },
		.fault = VTD_FAULT_PASID_NP, .fpd = true,
	}, {
		.name = "FPD of a context is for its PASID entry", .config = SECOND,
		.flips = { { CTX0, VTD_SMCTX0_FPD }, { PASID3, 1 } },
		.fault = VTD_FAULT_PASID_RSVD, .fpd = true,
	}, {
		.name = "FPD does not hide a directory elsewhere", .config = SECOND,
		.flips = { { CTX0, VTD_SMCTX0_FPD | BIT_ULL(40) } },
		.fault = VTD_FAULT_PDIR_ACCESS,
	}, {
		.name = "FPD does not hide a PASID table elsewhere", .config = SECOND,
		.flips = { { CTX0, VTD_SMCTX0_FPD }, { PDIR, BIT_ULL(40) } },
		.fault = VTD_FAULT_PASID_ACCESS,
	}, {
		.name = "page requests without device TLB", .config = SECOND,
		.ecap = VTD_ECAP_DT | VTD_ECAP_PRS,
		.flips = { { CTX0, VTD_SMCTX0_PRE } },
		.fault = VTD_FAULT_CTX_INVALID,
	}, {
		.name = "page requests, device TLB, PASIDs", .config = SECOND,
		.ecap = VTD_ECAP_DT | VTD_ECAP_PRS | VTD_ECAP_PASID,
		.flips = { { CTX0, VTD_SMCTX0_PRE | VTD_SMCTX0_DTE |
			     VTD_SMCTX0_PASIDE } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "RID_PASID 63 has an empty entry", .config = SECOND,
		.ecap = VTD_ECAP_RPS, .flips = { { CTX1, RID_PASID(63) } },
		.fault = VTD_FAULT_PASID_NP,
	}, {
		.name = "RID_PASID 64 has an empty directory entry",
		.config = SECOND,
		.ecap = VTD_ECAP_RPS, .flips = { { CTX1, RID_PASID(64) } },
		.fault = VTD_FAULT_PDIR_NP,
	}, {
		.name = "last RID_PASID", .config = SECOND,
		.ecap = VTD_ECAP_RPS, .flips = { { CTX1, RID_PASID(0x1fff) } },
		.fault = VTD_FAULT_PDIR_NP,
	}, {
		.name = "RID_PASID beyond the directory", .config = SECOND,
		.ecap = VTD_ECAP_RPS, .flips = { { CTX1, RID_PASID(0x2000) } },
		.fault = VTD_FAULT_CTX_INVALID,
	}, {
		.name = "RID_PASID in a larger directory", .config = SECOND,
		.ecap = VTD_ECAP_RPS, .flips = {
			{ CTX0, PDTS(1) },
			{ CTX1, RID_PASID(0x2000) },
		},
		.fault = VTD_FAULT_PDIR_NP,
	}, {
		.name = "RID_PASID in another page of the directory",
		.config = SECOND,
		.ecap = VTD_ECAP_RPS, .flips = {
			{ CTX0, VTD_SMCTX0_PDTS }, { CTX1, RID_PASID(0xfffff) },
		},
		.fault = VTD_FAULT_PDIR_ACCESS,
	}, {
		.name = "pass-through of a PASID", .config = SECOND,
		.ecap = VTD_ECAP_PT,
		.flips = { { PASID0, PGTT(VTD_PGTT_SS ^ VTD_PGTT_PT) } },
		.kind = VTD_PASSTHROUGH,
	}, {
		.name = "no pass-through of a PASID", .config = SECOND,
		.flips = { { PASID0, PGTT(VTD_PGTT_SS ^ VTD_PGTT_PT) } },
		.fault = VTD_FAULT_PASID_INVALID,
	}, {
		.name = "no second stage", .config = SECOND,
		.no_ecap = VTD_ECAP_SSTS, .fault = VTD_FAULT_PASID_INVALID,
	}, {
		.name = "no first stage", .config = FIRST,
		.no_ecap = VTD_ECAP_FSTS, .fault = VTD_FAULT_PASID_INVALID,
	}, {
		.name = "no nesting", .config = NESTED,
		.no_ecap = VTD_ECAP_NEST, .fault = VTD_FAULT_PASID_INVALID,
	}, {
		.name = "first stage of 5 levels", .config = FIRST,
		.cap = VTD_CAP_FS5LP,
		.flips = { { PASID2, FIELD_PREP_CONST(VTD_PASID2_FSPM,
						      VTD_FSPM_5_LEVELS) } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "memory types", .config = FIRST, .ecap = VTD_ECAP_MTS,
		.flips = { { PASID1, VTD_PASID1_CD | VTD_PASID1_EMTE |
			     VTD_PASID1_PAT } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "snooped pages", .config = FIRST, .ecap = VTD_ECAP_SC,
		.flips = { { PASID1, VTD_PASID1_PGSNP } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "snooped tables", .config = FIRST,
		.ecap = VTD_ECAP_SMPWCS,
		.flips = { { PASID1, VTD_PASID1_PWSNP } },
		.kind = VTD_TRANSLATE, .flags = VTD_KEY_PWSNP,
	}, {
		.name = "snooped tables without marks", .config = SECOND,
		.ecap = VTD_ECAP_SMPWCS,
		.flips = { { PASID1, VTD_PASID1_PWSNP } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "marks in the second stage", .config = SECOND,
		.ecap = VTD_ECAP_SMPWCS | VTD_ECAP_SSADS, .flips = {
			{ PASID0, VTD_PASID0_SSADE },
			{ PASID1, VTD_PASID1_PWSNP },
		},
		.kind = VTD_TRANSLATE,
		.flags = VTD_KEY_SSADE | VTD_KEY_PWSNP,
	}, {
		.name = "marks of the first stage are not the second's",
		.config = FIRST, .ecap = VTD_ECAP_SSADS | VTD_ECAP_SSTS,
		.flips = { { PASID0, VTD_PASID0_SSADE } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "more marks", .config = FIRST, .ecap = VTD_ECAP_EAFS,
		.flips = { { PASID2, VTD_PASID2_EAFE } },
		.kind = VTD_TRANSLATE, .flags = VTD_KEY_EAFE,
	}, {
		.name = "write protection is for the supervisor",
		.config = FIRST, .ecap = VTD_ECAP_SRS,
		.flips = { { PASID2, VTD_PASID2_WPE | VTD_PASID2_SRE } },
		.kind = VTD_TRANSLATE,
	}, {
		.name = "supervisor is refused", .config = FIRST,
		.ecap = VTD_ECAP_SRS | VTD_ECAP_RPRIVS,
		.flips = { { CTX1, VTD_SMCTX1_RID_PRIV } },
		.fault = VTD_FAULT_PASID_SRE,
	}, {
		.name = "supervisor", .config = FIRST,
		.ecap = VTD_ECAP_SRS | VTD_ECAP_RPRIVS, .flips = {
			{ CTX1, VTD_SMCTX1_RID_PRIV },
			{ PASID2, VTD_PASID2_SRE },
		},
		.kind = VTD_TRANSLATE, .flags = VTD_KEY_SUPERVISOR,
	}, {
		.name = "supervisor with write protection", .config = FIRST,
		.ecap = VTD_ECAP_SRS | VTD_ECAP_RPRIVS, .flips = {
			{ CTX1, VTD_SMCTX1_RID_PRIV },
			{ PASID2, VTD_PASID2_SRE | VTD_PASID2_WPE },
		},
		.kind = VTD_TRANSLATE,
		.flags = VTD_KEY_SUPERVISOR | VTD_KEY_WPE,
	},
};

KUNIT_ARRAY_PARAM_DESC(setting, settings, name);

static void tables_settings(struct kunit *test)
{
	const struct setting *t = test->param_value;
	const struct config *c = &configs[t->config];
	struct scene *s = scene_create(test, c);
	struct vtd_key key = {};
	struct vtd_context ctx;
	unsigned int i;

	s->view.cap = (s->view.cap & ~t->no_cap) | t->cap;
	s->view.ecap = (s->view.ecap & ~t->no_ecap) | t->ecap;
	s->view.rtaddr ^= t->rtaddr;
	for (i = 0; i < ARRAY_SIZE(t->flips); i++)
		*s->words[t->flips[i].word] ^= cpu_to_le64(t->flips[i].bits);
	memset(&ctx, 0xff, sizeof(ctx));
	vtd_resolve(&s->view, &s->mem.reader, SID, &ctx);

	KUNIT_EXPECT_EQ(test, ctx.kind, t->kind);
	KUNIT_EXPECT_EQ(test, ctx.fault, t->fault);
	KUNIT_EXPECT_EQ(test, ctx.fpd, t->fpd);
	KUNIT_EXPECT_EQ(test, ctx.did, t->kind == VTD_BLOCKED ? 0 : DID);
	if (t->kind == VTD_TRANSLATE) {
		key.flags = t->flags;
		key.fs_levels = c->fs_levels;
		if (t->cap & VTD_CAP_FS5LP)
			key.fs_levels = 5;
		key.ss_levels = c->ss_levels;
		if (key.fs_levels)
			key.fsptptr = fs_gpa[c->fs_levels - 1];
		if (key.ss_levels)
			key.ssptptr = ss_gpa[key.ss_levels - 1];
	}
	KUNIT_EXPECT_MEMEQ(test, &ctx.key, &key, sizeof(key));

	/* Whatever there is, it is not used with translation off. */
	s->view.te = false;
	s->mem.reads = 0;
	vtd_resolve(&s->view, &s->mem.reader, SID, &ctx);
	KUNIT_EXPECT_EQ(test, ctx.kind, VTD_PASSTHROUGH);
	KUNIT_EXPECT_EQ(test, ctx.fault, VTD_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->mem.reads, 0);
}

/* ---- addresses ---- */

struct address {
	const char *name;
	unsigned int config;
	u64 no_cap;
	u64 cap;
	u64 ctx0;	/* bits that are other */
	u64 pasid0;
	u64 addr;
	enum vtd_fault fault;
};

#define MGAW_IS(bits)	.no_cap = VTD_CAP_MGAW, .cap = MGAW(bits)
#define PT_LEGACY	.ctx0 = TT(VTD_TT_PASSTHROUGH)
#define PT_PASID	.pasid0 = PGTT(VTD_PGTT_SS ^ VTD_PGTT_PT)

static const struct address addresses[] = {
	{ "legacy, beyond AW", LEGACY, MGAW_IS(57), .addr = BIT_ULL(48),
	  .fault = VTD_FAULT_L_ADDR_WIDTH },
	{ "legacy, beyond MGAW", LEGACY, MGAW_IS(42), .addr = BIT_ULL(42),
	  .fault = VTD_FAULT_L_ADDR_WIDTH },
	{ "legacy, last of MGAW", LEGACY, MGAW_IS(42), .addr = BIT_ULL(42) - 1,
	  .fault = VTD_FAULT_L_WRITE },
	{ "legacy, last of all", LEGACY, .addr = U64_MAX,
	  .fault = VTD_FAULT_L_ADDR_WIDTH },
	{ "legacy, interrupt", LEGACY, .addr = 0xfee00000,
	  .fault = VTD_FAULT_L_INTERRUPT },
	{ "legacy, passed", LEGACY, PT_LEGACY, .addr = BIT_ULL(46) - 1 },
	{ "legacy, passed, beyond HAW", LEGACY, PT_LEGACY, .addr = BIT_ULL(46),
	  .fault = VTD_FAULT_L_ADDR_WIDTH },
	{ "legacy, passed, interrupt", LEGACY, PT_LEGACY, .addr = 0xfeefffff,
	  .fault = VTD_FAULT_L_INTERRUPT },
	{ "second stage, beyond AW", SECOND, .addr = BIT_ULL(57),
	  .fault = VTD_FAULT_ADDR_WIDTH },
	{ "second stage, beyond MGAW", SECOND, MGAW_IS(50), .addr = BIT_ULL(50),
	  .fault = VTD_FAULT_ADDR_WIDTH },
	{ "second stage, empty", SECOND, .addr = BIT_ULL(57) - 1,
	  .fault = VTD_FAULT_WRITE },
	{ "second stage, interrupt", SECOND, .addr = 0xfee00fff,
	  .fault = VTD_FAULT_INTERRUPT },
	{ "before interrupts", SECOND, .addr = 0xfedfffff,
	  .fault = VTD_FAULT_WRITE },
	{ "after interrupts", SECOND, .addr = 0xfef00000,
	  .fault = VTD_FAULT_WRITE },
	{ "passed", SECOND, PT_PASID, .addr = BIT_ULL(46) - 1 },
	{ "passed, beyond HAW", SECOND, PT_PASID, .addr = BIT_ULL(46),
	  .fault = VTD_FAULT_HAW },
	{ "first stage, low half", FIRST, .addr = BIT_ULL(47) - 1,
	  .fault = VTD_FAULT_FS_NP },
	{ "first stage, beyond low half", FIRST, .addr = BIT_ULL(47),
	  .fault = VTD_FAULT_NONCANONICAL },
	{ "first stage, below high half", FIRST, .addr = ~BIT_ULL(47),
	  .fault = VTD_FAULT_NONCANONICAL },
	{ "first stage, high half", FIRST, .addr = ~(BIT_ULL(47) - 1),
	  .fault = VTD_FAULT_FS_NP },
	{ "first stage, last of all", FIRST, .addr = U64_MAX,
	  .fault = VTD_FAULT_FS_NP },
	{ "first stage, not of MGAW", FIRST, MGAW_IS(30), .addr = BIT_ULL(46),
	  .fault = VTD_FAULT_FS_NP },
	{ "nested, empty", NESTED, .addr = BIT_ULL(46),
	  .fault = VTD_FAULT_FS_NP },
};

KUNIT_ARRAY_PARAM_DESC(address, addresses, name);

static void tables_addresses(struct kunit *test)
{
	const struct address *a = test->param_value;
	struct scene *s = scene_create(test, &configs[a->config]);
	struct vtd_leaf leaf;

	s->view.cap = (s->view.cap & ~a->no_cap) | a->cap;
	s->view.ecap |= VTD_ECAP_PT;
	*s->words[CTX0] ^= cpu_to_le64(a->ctx0);
	if (a->pasid0)
		*s->words[PASID0] ^= cpu_to_le64(a->pasid0);
	s->iova = a->addr - OFFSET;
	ask(s, RW, &leaf);
	KUNIT_EXPECT_EQ(test, leaf.fault, a->fault);
	KUNIT_EXPECT_EQ(test, leaf.gpa, a->fault ? 0 : a->addr);
	/* Reads and writes lack what they want. */
	if (a->fault == VTD_FAULT_L_WRITE || a->fault == VTD_FAULT_WRITE) {
		ask(s, R, &leaf);
		KUNIT_EXPECT_EQ(test, leaf.fault, a->fault + 1);
	}

	s->view.te = false;
	ask(s, RW, &leaf);
	KUNIT_EXPECT_EQ(test, leaf.fault, VTD_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, leaf.gpa, a->addr);
	KUNIT_EXPECT_EQ(test, leaf.prot, RW);
}

/* ---- permissions ---- */

/* @entry: the page's; @prot: what it allows */
struct permission {
	const char *name;
	unsigned int config;
	u64 pasid2;
	u64 entry;
	u8 prot;
};

static const struct permission permissions[] = {
	{ "second stage, read", SECOND, .entry = VTD_SS_R, .prot = R },
	{ "second stage, write", SECOND, .entry = VTD_SS_W, .prot = W },
	{ "second stage, both", SECOND, .entry = SS_ENTRY, .prot = RW },
	{ "user, supervisor's page", FIRST,
	  .entry = FS_ENTRY & ~VTD_FS_US, .prot = 0 },
	{ "user, read-only", FIRST, .entry = FS_ENTRY & ~VTD_FS_RW, .prot = R },
	{ "supervisor, its own page", FIRST, .pasid2 = VTD_PASID2_SRE,
	  .entry = FS_ENTRY & ~VTD_FS_US, .prot = RW },
	{ "supervisor, read-only", FIRST, .pasid2 = VTD_PASID2_SRE,
	  .entry = FS_ENTRY & ~VTD_FS_RW, .prot = RW },
	{ "supervisor, read-only, WPE", FIRST,
	  .pasid2 = VTD_PASID2_SRE | VTD_PASID2_WPE,
	  .entry = FS_ENTRY & ~VTD_FS_RW, .prot = R },
	{ "nested, read-only", NESTED, .entry = FS_ENTRY & ~VTD_FS_RW,
	  .prot = R },
};

KUNIT_ARRAY_PARAM_DESC(permission, permissions, name);

static void tables_permissions(struct kunit *test)
{
	const struct permission *p = test->param_value;
	const struct config *c = &configs[p->config];
	struct scene *s = scene_create(test, c);
	enum word first = c->fs_levels ? FS1 : SS1, page;
	unsigned int levels = c->fs_levels ?: c->ss_levels;
	struct vtd_leaf leaf;
	u64 old;
	u8 access;

	s->view.ecap |= VTD_ECAP_SRS | VTD_ECAP_RPRIVS;
	if (p->pasid2) {
		*s->words[PASID2] |= cpu_to_le64(p->pasid2);
		*s->words[CTX1] |= cpu_to_le64(VTD_SMCTX1_RID_PRIV);
	}
	/* The same, whether the page's entry says it or one above. */
	for (page = first; page < first + levels; page++) {
		old = le64_to_cpu(*s->words[page]);
		*s->words[page] = cpu_to_le64((old & VTD_PTE_ADDR) | p->entry);
		for (access = R; access <= RW; access++) {
			enum vtd_fault fault = VTD_FAULT_NONE;

			if (c->fs_levels && !p->prot)
				fault = VTD_FAULT_PRIVILEGE;
			else if (access & ~p->prot & W)
				fault = VTD_FAULT_WRITE;
			else if (access & ~p->prot)
				fault = VTD_FAULT_READ;
			ask(s, access, &leaf);
			KUNIT_EXPECT_EQ(test, leaf.fault, fault);
			KUNIT_EXPECT_EQ(test, leaf.gpa,
					fault ? 0 : s->gpa + OFFSET);
			KUNIT_EXPECT_EQ(test, leaf.prot, p->prot);
		}
		*s->words[page] = cpu_to_le64(old);
	}
}

/* ---- marks ---- */

static void set_view_marks(struct scene *s, u64 pasid0, u64 pasid1, u64 pasid2)
{
	s->view.ecap |= VTD_ECAP_SMPWCS | VTD_ECAP_SSADS | VTD_ECAP_EAFS;
	*s->words[PASID0] |= cpu_to_le64(pasid0);
	*s->words[PASID1] |= cpu_to_le64(pasid1);
	*s->words[PASID2] |= cpu_to_le64(pasid2);
}

static void clear_marks(struct scene *s, enum word first, enum word last,
			u64 marks)
{
	enum word w;

	for (w = first; w <= last; w++)
		if (s->words[w])
			*s->words[w] &= ~cpu_to_le64(marks);
}

static struct vtd_walk *start(struct scene *s, u64 first, u64 last)
{
	struct kunit *test = s->mem.test;
	struct vtd_context ctx;
	struct vtd_walk *w;

	vtd_resolve(&s->view, &s->mem.reader, SID, &ctx);
	KUNIT_ASSERT_EQ(test, ctx.kind, VTD_TRANSLATE);
	w = kunit_kmalloc(test, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	vtd_walk_start(w, &s->view, &ctx.key, &s->mem.reader, first, last);
	w->budget = U64_MAX;
	s->mem.reads = 0;
	return w;
}

/* The run that the whole walk gives, which must be one; false if it is none. */
static bool walk_page(struct scene *s, struct kviommu_run *run, bool *changed)
{
	struct vtd_walk *w = start(s, 0, U64_MAX);
	struct kunit *test = s->mem.test;
	struct kviommu_run runs[4];
	unsigned int n;

	n = vtd_walk_next(w, runs, ARRAY_SIZE(runs));
	KUNIT_EXPECT_TRUE(test, w->done);
	KUNIT_EXPECT_LE(test, n, 1);
	*run = runs[0];
	*changed = w->changed;
	kunit_kfree(test, w);
	return n;
}

static void expect_marks(struct scene *s, enum word first, enum word last,
			 u64 mask, u64 marks)
{
	enum word w;

	for (w = first; w <= last; w++)
		if (s->words[w])
			KUNIT_EXPECT_EQ_MSG(s->mem.test, marks,
					    le64_to_cpu(*s->words[w]) & mask,
					    "word %d", w);
}

static void tables_first_stage_marks(struct kunit *test)
{
	const u64 marks = VTD_FS_A | VTD_FS_D | VTD_FS_EA;
	struct scene *s = scene_create(test, &configs[FIRST]);
	struct vtd_leaf leaf;
	struct kviommu_run run;
	bool changed;

	set_view_marks(s, 0, VTD_PASID1_PWSNP, 0);
	clear_marks(s, FS1, FS4, marks);

	/* Who asks what would be does not make it so. */
	ask(s, RW, &leaf);
	KUNIT_EXPECT_EQ(test, leaf.fault, VTD_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->mem.updates, 0);

	/* Taken over: accessed, and dirty, since it may be from now on. */
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.prot, RW);
	KUNIT_EXPECT_EQ(test, s->mem.updates, 4);
	expect_marks(s, FS2, FS4, marks, VTD_FS_A);
	expect_marks(s, FS1, FS1, marks, VTD_FS_A | VTD_FS_D);

	/* Only what is missing is written. */
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, s->mem.updates, 4);
	clear_marks(s, FS1, FS1, VTD_FS_D);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, s->mem.updates, 5);

	/* What can't be written does not get dirty. */
	clear_marks(s, FS1, FS4, marks);
	*s->words[FS1] &= ~cpu_to_le64(VTD_FS_RW);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.prot, R);
	expect_marks(s, FS1, FS4, marks, VTD_FS_A);
	*s->words[FS1] |= cpu_to_le64(VTD_FS_RW);

	set_view_marks(s, 0, 0, VTD_PASID2_EAFE);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	expect_marks(s, FS2, FS4, marks, VTD_FS_A | VTD_FS_EA);
	expect_marks(s, FS1, FS1, marks, marks);
	KUNIT_EXPECT_FALSE(test, changed);
}

static void tables_second_stage_marks(struct kunit *test)
{
	const u64 marks = VTD_SS_A | VTD_SS_D;
	struct scene *s = scene_create(test, &configs[SECOND]);
	struct kviommu_run run;
	bool changed;

	set_view_marks(s, VTD_PASID0_SSADE, VTD_PASID1_PWSNP, 0);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, s->mem.updates, 5);
	expect_marks(s, SS2, SS5, marks, VTD_SS_A);
	expect_marks(s, SS1, SS1, marks, marks);

	clear_marks(s, SS1, SS5, marks);
	*s->words[PASID0] &= ~cpu_to_le64(VTD_PASID0_SSADE);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	expect_marks(s, SS1, SS5, marks, 0);

	/* 3.10: nobody would see what is written past the caches. */
	*s->words[PASID0] |= cpu_to_le64(VTD_PASID0_SSADE);
	*s->words[PASID1] &= ~cpu_to_le64(VTD_PASID1_PWSNP);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.fault, VTD_FAULT_SS_AD_NOSNOOP);
	expect_marks(s, SS1, SS5, marks, 0);
}

/* 3.8.1: what marks a table of the first stage writes to it. */
static void tables_nested_marks(struct kunit *test)
{
	const u64 fs = VTD_FS_A | VTD_FS_D, ss = VTD_SS_A | VTD_SS_D;
	struct scene *s = scene_create(test, &configs[NESTED]);
	struct kviommu_run run;
	bool changed;

	set_view_marks(s, VTD_PASID0_SSADE, VTD_PASID1_PWSNP, 0);
	clear_marks(s, FS1, FS4, fs);
	*s->words[FS1] &= ~cpu_to_le64(VTD_FS_RW);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.prot, R);
	KUNIT_EXPECT_FALSE(test, changed);
	expect_marks(s, FS1, FS4, fs, VTD_FS_A);
	expect_marks(s, SS2, SS3, ss, VTD_SS_A);
	expect_marks(s, SS1, SS1, ss, VTD_SS_A);
	expect_marks(s, SS_OF_FS1, SS_OF_FS4, ss, ss);

	*s->words[FS1] |= cpu_to_le64(VTD_FS_RW);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.prot, RW);
	expect_marks(s, SS1, SS1, ss, ss);

	/* With marks in the second stage, tables have to be writable, */
	*s->words[SS_OF_FS1] &= ~cpu_to_le64(VTD_SS_W);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.fault, VTD_FAULT_FS_TABLE_READ);
	/* without, if there is something to mark. */
	*s->words[PASID0] &= ~cpu_to_le64(VTD_PASID0_SSADE);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.prot, RW);
	clear_marks(s, FS1, FS1, VTD_FS_D);
	KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
	KUNIT_EXPECT_EQ(test, run.fault, VTD_FAULT_FS_TABLE_WRITE);
}

/* Two pages that the second stage has one page for, asked for one after another */
static void tables_nested_marks_again(struct kunit *test)
{
	struct scene *s = scene_create(test, &configs[NESTED]);
	struct kviommu_run runs[4];
	struct vtd_walk *w;

	set_view_marks(s, VTD_PASID0_SSADE, VTD_PASID1_PWSNP, 0);
	s->words[FS1][1] = *s->words[FS1];
	*s->words[FS1] &= ~cpu_to_le64(VTD_FS_RW);
	w = start(s, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, vtd_walk_next(w, runs, ARRAY_SIZE(runs)), 2);
	KUNIT_EXPECT_EQ(test, runs[0].prot, R);
	KUNIT_EXPECT_EQ(test, runs[1].prot, RW);
	KUNIT_EXPECT_FALSE(test, w->changed);
	expect_marks(s, SS1, SS1, VTD_SS_A | VTD_SS_D, VTD_SS_A | VTD_SS_D);
}

static void tables_marks_fail(struct kunit *test)
{
	static const unsigned int which[] = { FIRST, SECOND };
	struct kviommu_run run;
	struct scene *s;
	unsigned int i;
	bool changed;

	for (i = 0; i < ARRAY_SIZE(which); i++) {
		s = scene_create(test, &configs[which[i]]);
		set_view_marks(s, VTD_PASID0_SSADE, VTD_PASID1_PWSNP, 0);
		s->view.ecap |= VTD_ECAP_SSTS;
		clear_marks(s, FS1, FS4, VTD_FS_A);

		s->mem.update_rc = -EFAULT;
		KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
		KUNIT_EXPECT_EQ(test, run.fault,
				i ? VTD_FAULT_SS_AD : VTD_FAULT_FS_AD);
		KUNIT_EXPECT_FALSE(test, changed);

		/* Another one wrote it: nothing is known of it. */
		s->mem.update_rc = -EAGAIN;
		KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
		KUNIT_EXPECT_EQ(test, run.prot, 0);
		KUNIT_EXPECT_EQ(test, run.fault, VTD_FAULT_NONE);
		KUNIT_EXPECT_TRUE(test, changed);
		s->mem.update_rc = 0;
		KUNIT_EXPECT_TRUE(test, walk_page(s, &run, &changed));
		KUNIT_EXPECT_EQ(test, run.prot, RW);
		KUNIT_EXPECT_FALSE(test, changed);
	}
}

/* ---- walks ---- */

static void expect_run(struct kunit *test, const struct kviommu_run *run, u64 iova,
		       u64 last, u64 gpa, u8 prot, enum vtd_fault fault)
{
	KUNIT_EXPECT_EQ(test, run->iova, iova);
	KUNIT_EXPECT_EQ(test, run->last, last);
	KUNIT_EXPECT_EQ(test, run->gpa, gpa);
	KUNIT_EXPECT_EQ(test, run->prot, prot);
	KUNIT_EXPECT_EQ(test, run->fault, fault);
}

/* What is not there costs nothing, however much of it there is. */
static void tables_sparse(struct kunit *test)
{
	struct scene *s = scene_create(test, &configs[SECOND]);
	struct kviommu_run run;
	struct vtd_walk *w;

	w = start(s, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, vtd_walk_next(w, &run, 1), 1);
	expect_run(test, &run, s->iova, s->iova + SZ_4K - 1, s->gpa, RW, 0);
	KUNIT_EXPECT_TRUE(test, w->done);
	/* Every table on the way once, and its entries */
	KUNIT_EXPECT_EQ(test, s->mem.reads, 5);
	KUNIT_EXPECT_GE(test, U64_MAX - w->budget, 5 * 512);
	KUNIT_EXPECT_LE(test, U64_MAX - w->budget, 5 * 700);
}

/*
 * A table that has itself in all of its entries: 2^36 pages, none beside
 * another. It takes as long as it may, and gets on.
 */
static void tables_cyclic(struct kunit *test)
{
	struct scene *s = scene_create(test, &configs[LEGACY]);
	__le64 *table = find(&s->mem, ss_gpa[3]);
	struct kviommu_run runs[16];
	unsigned int i, j, n;
	struct vtd_walk *w;
	u64 next = 0, used;

	for (i = 0; i < VTD_TABLE_ENTRIES; i++)
		table[i] = cpu_to_le64(ss_gpa[3] | SS_ENTRY);
	for (i = 0; i < 8; i++) {
		w = start(s, next, U64_MAX);
		w->budget = 4096;
		used = 0;
		while (w->budget) {
			KUNIT_ASSERT_LE(test, used, 8192);
			n = vtd_walk_next(w, runs, ARRAY_SIZE(runs));
			KUNIT_ASSERT_FALSE(test, w->done);
			for (j = 0; j < n; j++) {
				expect_run(test, &runs[j], next,
					   next + SZ_4K - 1, ss_gpa[3], RW, 0);
				next += SZ_4K;
			}
			used += n;
		}
		KUNIT_EXPECT_EQ(test, w->next, next);
		KUNIT_EXPECT_GT(test, used, 2048);
		KUNIT_EXPECT_LE(test, used, 4096 + VTD_TABLE_ENTRIES);
		/* The table at each level, and that of level 1 for each 2 MiB */
		KUNIT_EXPECT_LE(test, s->mem.reads, 4 + used / 512 + 1);
		kunit_kfree(test, w);
	}

	/* A table of nothing but errors is one error. */
	for (i = 0; i < VTD_TABLE_ENTRIES; i++)
		table[i] = cpu_to_le64(SS_ENTRY | VTD_SS_IW);
	w = start(s, 0, U64_MAX);
	n = vtd_walk_next(w, runs, ARRAY_SIZE(runs));
	KUNIT_ASSERT_EQ(test, n, 2);
	expect_run(test, &runs[0], 0, VTD_INTERRUPT_FIRST - 1, 0, 0,
		   VTD_FAULT_L_SS_RSVD);
	expect_run(test, &runs[1], VTD_INTERRUPT_LAST + 1, BIT_ULL(48) - 1, 0, 0,
		   VTD_FAULT_L_SS_RSVD);
	KUNIT_EXPECT_TRUE(test, w->done);
}

/* Join what is adjacent; returns how many runs are left. */
static unsigned int join(struct kviommu_run *runs, unsigned int n)
{
	unsigned int i, last = 0;

	for (i = 1; i < n; i++) {
		struct kviommu_run *run = &runs[last];

		if (run->last + 1 == runs[i].iova &&
		    run->prot == runs[i].prot && run->fault == runs[i].fault &&
		    (run->fault || run->order == runs[i].order) &&
		    (run->fault ||
		     run->gpa + (runs[i].iova - run->iova) == runs[i].gpa))
			run->last = runs[i].last;
		else
			runs[++last] = runs[i];
	}
	return n ? last + 1 : 0;
}

/* How many runs fit, and where the budget ends, changes nothing else. */
static void tables_pieces(struct kunit *test)
{
	struct scene *s = scene_create(test, &configs[FIRST]);
	__le64 *pages = find(&s->mem, fs_gpa[0]);
	struct kviommu_run *all, *some;
	unsigned int i, max, n, nr_all;
	struct rnd_state rnd;
	struct vtd_walk *w;

	all = kunit_kcalloc(test, 600, sizeof(*all), GFP_KERNEL);
	some = kunit_kcalloc(test, 600, sizeof(*some), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	KUNIT_ASSERT_NOT_NULL(test, some);
	mock_seed(test, &rnd, 0x91ece);
	for (i = 0; i < VTD_TABLE_ENTRIES; i++) {
		u64 value = FS_ENTRY | (mock_below(&rnd, 8) ? 0x100000 : 0);

		if (!mock_below(&rnd, 8))
			value &= ~VTD_FS_RW;
		if (!mock_below(&rnd, 16))
			value |= BIT_ULL(HAW);
		if (!mock_below(&rnd, 16))
			value = 0;
		pages[i] = cpu_to_le64(value + i * SZ_4K);
	}

	w = start(s, 0, U64_MAX);
	nr_all = vtd_walk_next(w, all, 600);
	KUNIT_EXPECT_TRUE(test, w->done);
	KUNIT_EXPECT_GT(test, nr_all, 50);
	for (i = 1; i < nr_all; i++)
		KUNIT_EXPECT_GT(test, all[i].iova, all[i - 1].last);
	for (max = 1; max <= 64; max += max) {
		w = start(s, 0, U64_MAX);
		n = 0;
		while (!w->done) {
			KUNIT_ASSERT_LT(test, n, 600);
			n += vtd_walk_next(w, some + n, min(max, 600 - n));
		}
		KUNIT_EXPECT_EQ(test, n, nr_all);
		for (i = 0; i < nr_all; i++)
			KUNIT_ASSERT_MEMEQ(test, &some[i], &all[i],
					   sizeof(*all));
		/* Nothing was read again. */
		KUNIT_EXPECT_EQ(test, s->mem.reads, 4);
		kunit_kfree(test, w);
	}

	/* The end of a budget may divide a run, nothing else. */
	w = start(s, 0, U64_MAX);
	for (n = 0, i = 0; !w->done; n += vtd_walk_next(w, some + n, 600 - n)) {
		KUNIT_ASSERT_LT(test, i++, 10000);
		KUNIT_ASSERT_LT(test, n, 600);
		w->budget = 1;
	}
	KUNIT_EXPECT_EQ(test, join(some, n), nr_all);
	for (i = 0; i < nr_all; i++)
		KUNIT_ASSERT_MEMEQ(test, &some[i], &all[i], sizeof(*all));

	/* Any part of it is that part of the runs. */
	for (i = 0; i < 100; i++) {
		u64 first = s->iova - SZ_64K + mock_below(&rnd, SZ_1M);
		u64 last = first + mock_below(&rnd, SZ_1M);
		unsigned int j, k = 0;

		w = start(s, first, last);
		n = vtd_walk_next(w, some, 600);
		KUNIT_EXPECT_TRUE(test, w->done);
		first &= PAGE_MASK;
		last |= ~PAGE_MASK;
		for (j = 0; j < nr_all; j++) {
			struct kviommu_run part = all[j];

			if (part.last < first || part.iova > last)
				continue;
			if (part.iova < first) {
				part.gpa += part.fault ? 0 : first - part.iova;
				part.iova = first;
			}
			part.last = min(part.last, last);
			KUNIT_EXPECT_MEMEQ(test, &some[k], &part, sizeof(part));
			k++;
		}
		KUNIT_EXPECT_EQ(test, n, k);
		kunit_kfree(test, w);
	}
}

/* 3.15: neither from nor to the addresses of interrupts */
static void tables_interrupts(struct kunit *test)
{
	struct scene *s = scene_create(test, &configs[2]);
	__le64 *pages = find(&s->mem, ss_gpa[2]);
	struct kviommu_run runs[8];
	struct vtd_walk *w;
	unsigned int n;

	/* Pages of 1 GiB: 2 is to the last below 4 GiB, 3 to itself. */
	memset(pages, 0, VTD_PAGE_SIZE);
	*find(&s->mem, ss_gpa[3]) = cpu_to_le64(ss_gpa[2] | SS_ENTRY);
	pages[2] = cpu_to_le64(3ULL * SZ_1G | SS_ENTRY | VTD_PTE_PS);
	pages[3] = pages[2];
	w = start(s, 0, BIT_ULL(39) - 1);
	n = vtd_walk_next(w, runs, ARRAY_SIZE(runs));
	KUNIT_EXPECT_TRUE(test, w->done);
	KUNIT_ASSERT_EQ(test, n, 5);
	expect_run(test, &runs[0], 0x80000000, 0xbedfffff, 0xc0000000, RW, 0);
	expect_run(test, &runs[1], 0xbee00000, 0xbeefffff, 0, 0,
		   VTD_FAULT_L_INTERRUPT);
	expect_run(test, &runs[2], 0xbef00000, 0xbfffffff, 0xfef00000, RW, 0);
	expect_run(test, &runs[3], 0xc0000000, 0xfedfffff, 0xc0000000, RW, 0);
	expect_run(test, &runs[4], 0xfef00000, 0xffffffff, 0xfef00000, RW, 0);

	/* Of a walk that begins or ends there, the rest */
	w = start(s, 0xfee12345, 0xfef00000);
	KUNIT_EXPECT_EQ(test, vtd_walk_next(w, runs, 1), 1);
	expect_run(test, &runs[0], 0xfef00000, 0xfef00fff, 0xfef00000, RW, 0);
	KUNIT_EXPECT_TRUE(test, w->done);
	w = start(s, 0xfee12345, 0xfee12345);
	KUNIT_EXPECT_EQ(test, vtd_walk_next(w, runs, 1), 0);
	KUNIT_EXPECT_TRUE(test, w->done);

	s->iova = 0xbee00000;
	{
		struct vtd_leaf leaf;

		ask(s, R, &leaf);
		KUNIT_EXPECT_EQ(test, leaf.fault, VTD_FAULT_L_INTERRUPT);
	}
}

static struct kunit_case tables_cases[] = {
	KUNIT_CASE_PARAM(tables_bits, config_gen_params),
	KUNIT_CASE_PARAM(tables_settings, setting_gen_params),
	KUNIT_CASE_PARAM(tables_addresses, address_gen_params),
	KUNIT_CASE_PARAM(tables_permissions, permission_gen_params),
	KUNIT_CASE(tables_first_stage_marks),
	KUNIT_CASE(tables_second_stage_marks),
	KUNIT_CASE(tables_nested_marks),
	KUNIT_CASE(tables_nested_marks_again),
	KUNIT_CASE(tables_marks_fail),
	KUNIT_CASE(tables_sparse),
	KUNIT_CASE(tables_cyclic),
	KUNIT_CASE(tables_pieces),
	KUNIT_CASE(tables_interrupts),
	{ }
};

static struct kunit_suite tables_suite = {
	.name = "kviommu_vtd_tables",
	.test_cases = tables_cases,
};

kunit_test_suite(tables_suite);
