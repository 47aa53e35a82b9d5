/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's driver for a VT-d unit, by the specification (revision 5.10): registers
 * through BAR 0, tables and the invalidation queue in guest memory.
 */
#ifndef KVIOMMU_TEST_VTD_H
#define KVIOMMU_TEST_VTD_H

#include "vfio.h"

/* Registers (11.4) */
#define VTD_VER		0x00
#define VTD_CAP		0x08
#define VTD_ECAP	0x10
#define VTD_GCMD	0x18
#define VTD_GSTS	0x1c
#define VTD_RTADDR	0x20
#define VTD_CCMD	0x28
#define VTD_FSTS	0x34
#define VTD_FECTL	0x38
#define VTD_FEDATA	0x3c
#define VTD_FEADDR	0x40
#define VTD_IQH		0x80
#define VTD_IQT		0x88
#define VTD_IQA		0x90
#define VTD_ICS		0x9c
#define VTD_IECTL	0xa0
#define VTD_IQERCD	0xb0
#define VTD_IVA		0xf0	/* where ECAP.IRO says */
#define VTD_IOTLB	0xf8

#define VTD_TE		(1u << 31)
#define VTD_SRTP	(1u << 30)
#define VTD_WBF		(1u << 27)
#define VTD_QIE		(1u << 26)
#define VTD_IRE		(1u << 25)
#define VTD_SIRTP	(1u << 24)

#define VTD_FSTS_PPF	(1u << 1)
#define VTD_FSTS_IQE	(1u << 4)
#define VTD_FSTS_FRI	0xff00u		/* says something with PPF only */
#define VTD_EVENT_MASK	(1u << 31)

#define VTD_CAP_RWBF	(1ULL << 4)
#define VTD_CAP_CM	(1ULL << 7)
#define VTD_ECAP_QI	(1ULL << 1)
#define VTD_ECAP_SMTS	(1ULL << 43)
#define VTD_ECAP_SSTS	(1ULL << 46)
#define VTD_ECAP_FSTS	(1ULL << 47)
#define VTD_ECAP_NEST	(1ULL << 26)
#define VTD_ECAP_PT	(1ULL << 6)

/* Invalidation descriptors (6.5.2), first word */
#define VTD_D_CONTEXT(gran, did, sid)	\
	(1 | (u64)(gran) << 4 | (u64)(did) << 16 | (u64)(sid) << 32)
#define VTD_D_IOTLB(gran, did)		(2 | (u64)(gran) << 4 | (u64)(did) << 16)
#define VTD_D_DEVTLB(sid)		(3 | (u64)(sid) << 32)
#define VTD_D_IEC			4ULL
#define VTD_D_WAIT(data)		(5 | 1 << 5 | (u64)(data) << 32)
#define VTD_D_WAIT_IRQ			(5ULL | 1 << 4)
#define VTD_D_PIOTLB(gran, did)		(6 | (u64)(gran) << 4 | (u64)(did) << 16)
#define VTD_D_PASID(gran, did)		(7 | (u64)(gran) << 4 | (u64)(did) << 16)
#define VTD_D_PDEVTLB(sid)		(8 | (u64)(sid) << 16)
#define VTD_D_PGRESP(sid)		(9 | (u64)(sid) << 16)

#define VTD_GLOBAL	1
#define VTD_DOMAIN	2
#define VTD_DEVICE	3
#define VTD_PAGE	3
#define VTD_PASID_DOMAIN 0
#define VTD_PASID_ONE	1
#define VTD_PASID_ALL	3

/* Entries of page tables */
#define VTD_R		1ULL		/* second stage */
#define VTD_W		2ULL
#define VTD_FS_P	1ULL		/* first stage */
#define VTD_FS_W	2ULL
#define VTD_FS_U	4ULL

/* Tables and queue are in this much of guest memory, from its start on */
#define VTD_MEMORY	(2 * MiB)

struct vtd {
	struct vfio_dev *dev;
	u8 *mem;		/* VTD_MEMORY bytes */
	u64 gpa;		/* of mem */
	u64 used;		/* of it */
	bool scalable;
	u64 root;		/* root table */
	u64 iq;			/* invalidation queue, one page */
	u32 tail;
	u64 status;		/* word that wait descriptors write */
	u32 waits;
};

/* How long to wait for the unit to do something */
extern unsigned int vtd_timeout_ms;

u64 vtd_read(struct vtd *v, u64 off, size_t len);
int vtd_write(struct vtd *v, u64 off, u64 value, size_t len);

/* A driver without anything: empty root table, queue; nothing is enabled */
void vtd_init(struct vtd *v, struct vfio_dev *dev, u8 *mem, u64 gpa,
	      bool scalable);
/* A page of zeroes for tables */
u64 vtd_page(struct vtd *v);
static inline volatile u64 *vtd_ptr(struct vtd *v, u64 gpa)
{
	return (volatile u64 *)(v->mem + (gpa - v->gpa));
}

/*
 * The entry of a page table that has pages of 2^shift bytes; tables on the way
 * get bits. Tables have 4 levels.
 */
u64 vtd_entry(struct vtd *v, u64 table, u64 iova, unsigned int shift, u64 bits);
void vtd_map(struct vtd *v, u64 table, u64 iova, u64 gpa, unsigned int shift,
	     u64 bits);
void vtd_unmap(struct vtd *v, u64 table, u64 iova, unsigned int shift);
/* Legacy: translation with a second stage, or 1:1, or nothing */
void vtd_set_context(struct vtd *v, u16 sid, u64 lo, u64 hi);
void vtd_context_translate(struct vtd *v, u16 sid, u16 did, u64 table);
void vtd_context_pass(struct vtd *v, u16 sid, u16 did);
/* Scalable: PGTT 1 first stage, 2 second stage, 3 nested, 4 1:1 */
u64 vtd_pasid(struct vtd *v, u16 sid);
void vtd_set_pasid(struct vtd *v, u16 sid, unsigned int pgtt, u16 did, u64 fs,
		   u64 ss);

/* Set and clear bits of GCMD one by one, and wait for GSTS; 0 or -ETIMEDOUT */
int vtd_command(struct vtd *v, u32 set, u32 clear);
/* Root pointer, queue, translation */
int vtd_start(struct vtd *v);
int vtd_set_root(struct vtd *v);
int vtd_queue_start(struct vtd *v);

/* How a device is translated */
enum vtd_mode { VTD_LEGACY, VTD_SECOND, VTD_FIRST, VTD_NESTED, VTD_MODES };

static inline bool vtd_is_first(enum vtd_mode mode)
{
	return mode == VTD_FIRST || mode == VTD_NESTED;
}

/* What an entry of its table has that allows all */
static inline u64 vtd_rw(enum vtd_mode mode)
{
	return vtd_is_first(mode) ? VTD_FS_P | VTD_FS_W | VTD_FS_U :
				    VTD_R | VTD_W;
}

/* second: of a nested table */
void vtd_enter(struct vtd *v, enum vtd_mode mode, u16 sid, u16 did, u64 table,
	       u64 second);
void vtd_leave(struct vtd *v, enum vtd_mode mode, u16 sid);

/* One more descriptor; it is not fetched before vtd_ring() */
void vtd_put(struct vtd *v, u64 word0, u64 word1);
void vtd_ring(struct vtd *v);
/* All that is queued, and a wait; 0, -ETIMEDOUT, or -EIO if the queue stopped */
int vtd_sync(struct vtd *v);
int vtd_submit(struct vtd *v, u64 word0, u64 word1);
/* After a change of 2^order pages of a domain, of a device's entries, of all */
int vtd_flush_pages(struct vtd *v, enum vtd_mode mode, u16 did, u64 iova,
		    unsigned int order);
int vtd_flush_device(struct vtd *v, u16 sid);
int vtd_flush_all(struct vtd *v);

struct vtd_fault {
	u16 sid;
	u8 reason;
	u64 addr;
};

/* The next fault record: 1, or 0 if there is none */
int vtd_next_fault(struct vtd *v, struct vtd_fault *fault);

#endif
