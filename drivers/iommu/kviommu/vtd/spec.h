/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the Intel VT-d specification: registers (chapter 11), invalidation
 * descriptors (6.5.2), translation structures (chapter 9), fault reasons
 * (7.1.3). Sections, here and elsewhere, are numbered as in revision 5.10.
 * Everything in memory is little-endian.
 */
#ifndef KVIOMMU_VTD_SPEC_H
#define KVIOMMU_VTD_SPEC_H

#include <linux/bits.h>

#define VTD_PAGE_SHIFT		12
#define VTD_PAGE_SIZE		BIT_ULL(VTD_PAGE_SHIFT)

/* Addresses of interrupts: never translated, and never the result of it (3.15) */
#define VTD_INTERRUPT_FIRST	0xfee00000ULL
#define VTD_INTERRUPT_LAST	0xfeefffffULL

/* ---- registers: offsets (11.4) ---- */

#define VTD_VER			0x00
#define VTD_CAP			0x08
#define VTD_ECAP		0x10
#define VTD_GCMD		0x18
#define VTD_GSTS		0x1c
#define VTD_RTADDR		0x20
#define VTD_CCMD		0x28
#define VTD_FSTS		0x34
#define VTD_FECTL		0x38
#define VTD_FEDATA		0x3c
#define VTD_FEADDR		0x40
#define VTD_FEUADDR		0x44
#define VTD_IQH			0x80
#define VTD_IQT			0x88
#define VTD_IQA			0x90
#define VTD_ICS			0x9c
#define VTD_IECTL		0xa0
#define VTD_IEDATA		0xa4
#define VTD_IEADDR		0xa8
#define VTD_IEUADDR		0xac
#define VTD_IQERCD		0xb0
#define VTD_IRTA		0xb8

/* At CAP.FRO and at ECAP.IRO; relative to these: */
#define VTD_FRCD_SIZE		0x10
#define VTD_IVA			0x00
#define VTD_IOTLB		0x08

/* ---- registers: fields ---- */

#define VTD_CAP_ND		GENMASK_ULL(2, 0)	/* 4 + 2 * ND bits */
#define VTD_CAP_RWBF		BIT_ULL(4)
#define VTD_CAP_CM		BIT_ULL(7)
#define VTD_CAP_SAGAW		GENMASK_ULL(12, 8)	/* by VTD_AW_* */
#define VTD_CAP_MGAW		GENMASK_ULL(21, 16)	/* width - 1 */
#define VTD_CAP_ZLR		BIT_ULL(22)
#define VTD_CAP_FRO		GENMASK_ULL(33, 24)	/* in 16 bytes */
#define VTD_CAP_SSLPS_2M	BIT_ULL(34)
#define VTD_CAP_SSLPS_1G	BIT_ULL(35)
#define VTD_CAP_PSI		BIT_ULL(39)
#define VTD_CAP_NFR		GENMASK_ULL(47, 40)	/* records - 1 */
#define VTD_CAP_MAMV		GENMASK_ULL(53, 48)
#define VTD_CAP_DWD		BIT_ULL(54)
#define VTD_CAP_DRD		BIT_ULL(55)
#define VTD_CAP_FS1GP		BIT_ULL(56)
#define VTD_CAP_FS5LP		BIT_ULL(60)
#define VTD_CAP_ESRTPS		BIT_ULL(63)

#define VTD_ECAP_C		BIT_ULL(0)
#define VTD_ECAP_QI		BIT_ULL(1)
#define VTD_ECAP_DT		BIT_ULL(2)
#define VTD_ECAP_IR		BIT_ULL(3)
#define VTD_ECAP_EIM		BIT_ULL(4)
#define VTD_ECAP_PT		BIT_ULL(6)
#define VTD_ECAP_SC		BIT_ULL(7)
#define VTD_ECAP_IRO		GENMASK_ULL(17, 8)	/* in 16 bytes */
#define VTD_ECAP_MTS		BIT_ULL(25)
#define VTD_ECAP_NEST		BIT_ULL(26)
#define VTD_ECAP_PRS		BIT_ULL(29)
#define VTD_ECAP_SRS		BIT_ULL(31)
#define VTD_ECAP_EAFS		BIT_ULL(34)
#define VTD_ECAP_PASID		BIT_ULL(40)
#define VTD_ECAP_SMTS		BIT_ULL(43)
#define VTD_ECAP_SSADS		BIT_ULL(45)
#define VTD_ECAP_SSTS		BIT_ULL(46)
#define VTD_ECAP_FSTS		BIT_ULL(47)
#define VTD_ECAP_SMPWCS		BIT_ULL(48)
#define VTD_ECAP_RPS		BIT_ULL(49)
#define VTD_ECAP_ADMS		BIT_ULL(52)
#define VTD_ECAP_RPRIVS		BIT_ULL(53)

/* GCMD and, for what is reported back, GSTS */
#define VTD_GCMD_TE		BIT(31)
#define VTD_GCMD_SRTP		BIT(30)
#define VTD_GCMD_SFL		BIT(29)
#define VTD_GCMD_EAFL		BIT(28)
#define VTD_GCMD_WBF		BIT(27)
#define VTD_GCMD_QIE		BIT(26)
#define VTD_GCMD_IRE		BIT(25)
#define VTD_GCMD_SIRTP		BIT(24)
#define VTD_GCMD_CFI		BIT(23)

#define VTD_RTADDR_TTM		GENMASK_ULL(11, 10)
#define VTD_RTADDR_RTA		GENMASK_ULL(63, 12)
#define VTD_TTM_LEGACY		0
#define VTD_TTM_SCALABLE	1
#define VTD_TTM_ABORT_DMA	3

/* What is asked for is granted in the field with an A. */
#define VTD_CCMD_ICC		BIT_ULL(63)
#define VTD_CCMD_CIRG		GENMASK_ULL(62, 61)
#define VTD_CCMD_CAIG		GENMASK_ULL(60, 59)
#define VTD_CCMD_FM		GENMASK_ULL(33, 32)
#define VTD_CCMD_SID		GENMASK_ULL(31, 16)
#define VTD_CCMD_DID		GENMASK_ULL(15, 0)

#define VTD_IOTLB_IVT		BIT_ULL(63)
#define VTD_IOTLB_IIRG		GENMASK_ULL(61, 60)
#define VTD_IOTLB_IAIG		GENMASK_ULL(58, 57)
#define VTD_IOTLB_DR		BIT_ULL(49)
#define VTD_IOTLB_DW		BIT_ULL(48)
#define VTD_IOTLB_DID		GENMASK_ULL(47, 32)

#define VTD_IVA_AM		GENMASK_ULL(5, 0)
#define VTD_IVA_IH		BIT_ULL(6)
#define VTD_IVA_ADDR		GENMASK_ULL(63, 12)

/* Granularities of CCMD and its descriptor, and of IOTLB and its descriptor */
#define VTD_GRAN_GLOBAL		1
#define VTD_GRAN_DOMAIN		2
#define VTD_GRAN_DEVICE		3	/* context cache */
#define VTD_GRAN_PAGE		3	/* IOTLB */

#define VTD_FSTS_PFO		BIT(0)
#define VTD_FSTS_PPF		BIT(1)
#define VTD_FSTS_IQE		BIT(4)
#define VTD_FSTS_ICE		BIT(5)
#define VTD_FSTS_ITE		BIT(6)
#define VTD_FSTS_FRI		GENMASK(15, 8)

/* FECTL and IECTL */
#define VTD_ECTL_IM		BIT(31)
#define VTD_ECTL_IP		BIT(30)

#define VTD_ICS_IWC		BIT(0)

#define VTD_IQT_QT		GENMASK_ULL(18, 4)
#define VTD_IQA_QS		GENMASK_ULL(2, 0)	/* 2^QS pages */
#define VTD_IQA_DW		BIT_ULL(11)		/* 256-bit descriptors */
#define VTD_IQA_IQA		GENMASK_ULL(63, 12)

#define VTD_IQERCD_IQEI		GENMASK_ULL(3, 0)

enum vtd_iqei {
	VTD_IQEI_NONE		= 0,
	VTD_IQEI_TAIL		= 1,	/* beyond the queue */
	VTD_IQEI_FETCH		= 2,
	VTD_IQEI_TYPE		= 3,
	VTD_IQEI_RESERVED	= 4,
	VTD_IQEI_WIDTH		= 5,
	VTD_IQEI_MISALIGNED	= 6,
	VTD_IQEI_TTM		= 7,
};

#define VTD_IRTA_S		GENMASK_ULL(3, 0)
#define VTD_IRTA_EIME		BIT_ULL(11)
#define VTD_IRTA_IRTA		GENMASK_ULL(63, 12)

/* A fault record's low and high half (11.4.7.6) */
#define VTD_FRCD_LO_FI		GENMASK_ULL(63, 12)
#define VTD_FRCD_HI_SID		GENMASK_ULL(15, 0)
#define VTD_FRCD_HI_FR		GENMASK_ULL(39, 32)
#define VTD_FRCD_HI_T1		BIT_ULL(62)		/* read, with T2 clear */
#define VTD_FRCD_HI_F		BIT_ULL(63)

/* ---- invalidation descriptors (6.5.2): 2 or 4 words ---- */

#define VTD_DESC_TYPE_LO	GENMASK_ULL(3, 0)
#define VTD_DESC_TYPE_HI	GENMASK_ULL(11, 9)

enum vtd_desc_type {
	VTD_DESC_CC		= 1,	/* context cache */
	VTD_DESC_IOTLB		= 2,
	VTD_DESC_DEVTLB		= 3,
	VTD_DESC_IEC		= 4,	/* interrupt entry cache */
	VTD_DESC_WAIT		= 5,
	VTD_DESC_PIOTLB		= 6,	/* PASID-based IOTLB */
	VTD_DESC_PC		= 7,	/* PASID cache */
	VTD_DESC_PDEVTLB	= 8,	/* PASID-based device TLB */
	VTD_DESC_PGRESP		= 9,	/* page group response */
};

#define VTD_CC0_G		GENMASK_ULL(5, 4)
#define VTD_CC0_DID		GENMASK_ULL(31, 16)
#define VTD_CC0_SID		GENMASK_ULL(47, 32)
#define VTD_CC0_FM		GENMASK_ULL(49, 48)

#define VTD_IOTLB0_G		GENMASK_ULL(5, 4)
#define VTD_IOTLB0_DW		BIT_ULL(6)
#define VTD_IOTLB0_DR		BIT_ULL(7)
#define VTD_IOTLB0_DID		GENMASK_ULL(31, 16)

/* The second word of both kinds of IOTLB invalidation, as in IVA */
#define VTD_IOTLB1_AM		VTD_IVA_AM
#define VTD_IOTLB1_IH		VTD_IVA_IH
#define VTD_IOTLB1_ADDR		VTD_IVA_ADDR

#define VTD_DEVTLB0_MIP		GENMASK_ULL(20, 16)
#define VTD_DEVTLB0_SID		GENMASK_ULL(47, 32)
#define VTD_DEVTLB1_S		BIT_ULL(0)
#define VTD_DEVTLB1_ADDR	GENMASK_ULL(63, 12)

#define VTD_IEC0_G		BIT_ULL(4)
#define VTD_IEC0_IM		GENMASK_ULL(31, 27)
#define VTD_IEC0_IIDX		GENMASK_ULL(47, 32)

#define VTD_WAIT0_IF		BIT_ULL(4)
#define VTD_WAIT0_SW		BIT_ULL(5)
#define VTD_WAIT0_FN		BIT_ULL(6)
#define VTD_WAIT0_DATA		GENMASK_ULL(63, 32)
#define VTD_WAIT1_ADDR		GENMASK_ULL(63, 2)

#define VTD_PIOTLB0_G		GENMASK_ULL(5, 4)
#define VTD_PIOTLB0_DID		GENMASK_ULL(31, 16)
#define VTD_PIOTLB0_PASID	GENMASK_ULL(51, 32)
#define VTD_PIOTLB_G_PASID	2

#define VTD_PC0_G		GENMASK_ULL(5, 4)
#define VTD_PC0_DID		GENMASK_ULL(31, 16)
#define VTD_PC0_PASID		GENMASK_ULL(51, 32)
#define VTD_PC_G_GLOBAL		3

#define VTD_PDEVTLB0_MIP	GENMASK_ULL(8, 4)
#define VTD_PDEVTLB0_SID	GENMASK_ULL(31, 16)
#define VTD_PDEVTLB0_PASID	GENMASK_ULL(51, 32)
#define VTD_PDEVTLB1_G		BIT_ULL(0)
#define VTD_PDEVTLB1_S		BIT_ULL(11)
#define VTD_PDEVTLB1_ADDR	GENMASK_ULL(63, 12)

#define VTD_PGRESP0_PP		BIT_ULL(4)
#define VTD_PGRESP0_PDP		BIT_ULL(5)
#define VTD_PGRESP0_RC		GENMASK_ULL(15, 12)
#define VTD_PGRESP0_RID		GENMASK_ULL(31, 16)
#define VTD_PGRESP0_PASID	GENMASK_ULL(51, 32)
#define VTD_PGRESP1_LPIG	BIT_ULL(2)
#define VTD_PGRESP1_PRGI	GENMASK_ULL(11, 3)

/* ---- translation structures (chapter 9): word of the entry in the name ---- */

/* All of them have these. */
#define VTD_ENTRY_P		BIT_ULL(0)
#define VTD_ENTRY_ADDR		GENMASK_ULL(63, 12)

/* Address widths of second-stage tables, as in CAP.SAGAW and entries */
#define VTD_AW_39		1	/* 3 levels */
#define VTD_AW_48		2
#define VTD_AW_57		3

/*
 * Root entry (9.1, 9.2): 2 words by bus. Legacy mode has the context table in
 * the first and the second reserved, scalable mode a table for devfn 0 to 127
 * in the first, and for the others in the second.
 */
#define VTD_ROOT_WORDS		2

/* Legacy context entry (9.3): 2 words by devfn */
#define VTD_CTX_WORDS		2
#define VTD_CTX0_FPD		BIT_ULL(1)
#define VTD_CTX0_TT		GENMASK_ULL(3, 2)
#define VTD_CTX1_AW		GENMASK_ULL(2, 0)
#define VTD_CTX1_AVAIL		GENMASK_ULL(6, 3)
#define VTD_CTX1_DID		GENMASK_ULL(23, 8)
#define VTD_TT_UNTRANSLATED	0
#define VTD_TT_ATS		1
#define VTD_TT_PASSTHROUGH	2

/* Scalable-mode context entry (9.4): 4 words by devfn modulo 128 */
#define VTD_SMCTX_WORDS		4
#define VTD_SMCTX0_FPD		BIT_ULL(1)
#define VTD_SMCTX0_DTE		BIT_ULL(2)
#define VTD_SMCTX0_PASIDE	BIT_ULL(3)
#define VTD_SMCTX0_PRE		BIT_ULL(4)
#define VTD_SMCTX0_PDTS		GENMASK_ULL(11, 9)	/* 2^(PDTS + 7) entries */
#define VTD_SMCTX1_RID_PASID	GENMASK_ULL(19, 0)
#define VTD_SMCTX1_RID_PRIV	BIT_ULL(20)

/* PASID directory entry (9.5): 1 word for 64 PASIDs */
#define VTD_PASID_TABLE_BITS	6
#define VTD_PDIR_FPD		BIT_ULL(1)

/* PASID table entry (9.6): 8 words */
#define VTD_PASID_WORDS		8
#define VTD_PASID0_FPD		BIT_ULL(1)
#define VTD_PASID0_AW		GENMASK_ULL(4, 2)
#define VTD_PASID0_PGTT		GENMASK_ULL(8, 6)
#define VTD_PASID0_SSADE	BIT_ULL(9)
#define VTD_PASID1_DID		GENMASK_ULL(15, 0)
#define VTD_PASID1_PWSNP	BIT_ULL(23)
#define VTD_PASID1_PGSNP	BIT_ULL(24)
#define VTD_PASID1_CD		BIT_ULL(25)
#define VTD_PASID1_EMTE		BIT_ULL(26)
#define VTD_PASID1_PAT		GENMASK_ULL(63, 32)
#define VTD_PASID2_SRE		BIT_ULL(0)
#define VTD_PASID2_FSPM		GENMASK_ULL(3, 2)
#define VTD_PASID2_WPE		BIT_ULL(4)
#define VTD_PASID2_EAFE		BIT_ULL(7)
#define VTD_PGTT_FS		1
#define VTD_PGTT_SS		2
#define VTD_PGTT_NESTED		3
#define VTD_PGTT_PT		4
#define VTD_FSPM_4_LEVELS	0
#define VTD_FSPM_5_LEVELS	1

/* Page tables: 9 bits of the address a level, level 1 has pages */
#define VTD_LEVEL_BITS		9
#define VTD_TABLE_ENTRIES	BIT(VTD_LEVEL_BITS)
#define VTD_PTE_PS		BIT_ULL(7)	/* a page of 2M or 1G */
#define VTD_PTE_ADDR		GENMASK_ULL(51, 12)

/* First-stage paging entries (9.7) */
#define VTD_FS_P		BIT_ULL(0)
#define VTD_FS_RW		BIT_ULL(1)
#define VTD_FS_US		BIT_ULL(2)
#define VTD_FS_A		BIT_ULL(5)
#define VTD_FS_D		BIT_ULL(6)
#define VTD_FS_EA		BIT_ULL(10)
#define VTD_FS_PAT_LARGE	BIT_ULL(12)	/* of pages of 2M and 1G */

/* Second-stage paging entries (9.8); present if R or W is set */
#define VTD_SS_R		BIT_ULL(0)
#define VTD_SS_W		BIT_ULL(1)
#define VTD_SS_A		BIT_ULL(8)
#define VTD_SS_D		BIT_ULL(9)
#define VTD_SS_SNP		BIT_ULL(11)
#define VTD_SS_IW		BIT_ULL(62)

/*
 * Why an untranslated request without PASID is refused (7.1.3). Legacy mode has
 * the reasons with an L, scalable mode the others.
 *
 * A second-stage entry that allows nothing is a lack of permission (SGN.6,
 * SGN.7), though SSS.2 (79h) is said of it, too: legacy mode knows nothing else.
 */
enum vtd_fault {
	VTD_FAULT_NONE			= 0,

	VTD_FAULT_L_ROOT_NP		= 0x01,
	VTD_FAULT_L_CTX_NP		= 0x02,
	VTD_FAULT_L_CTX_INVALID		= 0x03, /* or no access to its table */
	VTD_FAULT_L_ADDR_WIDTH		= 0x04,
	VTD_FAULT_L_WRITE		= 0x05,
	VTD_FAULT_L_READ		= 0x06,
	VTD_FAULT_L_SS_ACCESS		= 0x07,
	VTD_FAULT_L_ROOT_ACCESS		= 0x08,
	VTD_FAULT_L_CTX_ACCESS		= 0x09,
	VTD_FAULT_L_ROOT_RSVD		= 0x0a,
	VTD_FAULT_L_CTX_RSVD		= 0x0b,
	VTD_FAULT_L_SS_RSVD		= 0x0c,
	VTD_FAULT_L_INTERRUPT		= 0x0e,

	VTD_FAULT_RTADDR		= 0x30,
	VTD_FAULT_ABORT_DMA		= 0x33,

	VTD_FAULT_ROOT_ACCESS		= 0x38,
	VTD_FAULT_ROOT_NP		= 0x39,
	VTD_FAULT_ROOT_RSVD		= 0x3a,

	VTD_FAULT_CTX_ACCESS		= 0x40,
	VTD_FAULT_CTX_NP		= 0x41,
	VTD_FAULT_CTX_RSVD		= 0x42,
	VTD_FAULT_CTX_INVALID		= 0x43,

	VTD_FAULT_PDIR_ACCESS		= 0x50,
	VTD_FAULT_PDIR_NP		= 0x51,
	VTD_FAULT_PDIR_RSVD		= 0x52,

	VTD_FAULT_PASID_ACCESS		= 0x58,
	VTD_FAULT_PASID_NP		= 0x59,
	VTD_FAULT_PASID_RSVD		= 0x5a,
	VTD_FAULT_PASID_INVALID		= 0x5b,
	VTD_FAULT_PASID_SRE		= 0x5d,

	VTD_FAULT_FS_ACCESS		= 0x70,
	VTD_FAULT_FS_NP			= 0x71,
	VTD_FAULT_FS_RSVD		= 0x72,
	VTD_FAULT_FS_ROOT_ACCESS	= 0x73,
	VTD_FAULT_FS_ADDR_WIDTH		= 0x74, /* nested: of an entry's address */
	VTD_FAULT_FS_ROOT_READ		= 0x75, /* nested: by the second stage */
	VTD_FAULT_FS_TABLE_READ		= 0x76,
	VTD_FAULT_FS_TABLE_WRITE	= 0x77,
	VTD_FAULT_FS_AD_NOSNOOP		= 0x90, /* A or D has to be set, but */
	VTD_FAULT_FS_AD			= 0x91, /* can't be */

	VTD_FAULT_SS_ACCESS		= 0x78,
	VTD_FAULT_SS_RSVD		= 0x7a,
	VTD_FAULT_SS_ROOT_ACCESS	= 0x7b,
	VTD_FAULT_SS_AD_NOSNOOP		= 0x7c,
	VTD_FAULT_SS_AD			= 0x7d,

	VTD_FAULT_NONCANONICAL		= 0x80,
	VTD_FAULT_PRIVILEGE		= 0x81,
	VTD_FAULT_HAW			= 0x83,
	VTD_FAULT_ADDR_WIDTH		= 0x84,
	VTD_FAULT_WRITE			= 0x85,
	VTD_FAULT_READ			= 0x86,
	VTD_FAULT_INTERRUPT		= 0x87,
};

#endif /* KVIOMMU_VTD_SPEC_H */
