/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of a VT-d vIOMMU: a driver that has the unit's registers, and
 * tables and a queue in its memory.
 */
#ifndef KVIOMMU_TESTS_VTD_GUEST_H
#define KVIOMMU_TESTS_VTD_GUEST_H

#include "mock.h"
#include "vtd/vtd.h"

#define VG_CHUNKS	4
#define VG_PT		7		/* the VMM's page table */

/* Guest physical addresses: tables from the first on, data from the second */
#define VG_TABLES	0x10000
#define VG_DATA		0x200000
#define VG_END		(VG_CHUNKS * KVIOMMU_CHUNK_SIZE)

#define VG_R		KVIOMMU_READ
#define VG_RW		(KVIOMMU_READ | KVIOMMU_WRITE)

/**
 * struct vtd_guest - a driver
 * @free: first page that no table is in
 * @root: root table
 * @iq: invalidation queue, a page
 * @wide: its descriptors have 256 bits
 * @tail: where the next one goes, bytes
 * @status: word that wait descriptors write
 * @waits: what the last of these wrote
 */
struct vtd_guest {
	struct mock *m;
	struct kviommu *v;
	struct kviommu_vtd *vt;
	u64 free;
	u64 root;
	u64 iq;
	bool wide;
	u32 tail;
	u64 status;
	u32 waits;
};

/**
 * struct vtd_guest_options - what the machine is like
 * @layout: of guest memory
 * @demand: how it is pinned
 */
struct vtd_guest_options {
	enum mock_layout layout;
	bool demand;
	bool scalable;
	bool first_stage;
};

struct vtd_guest *vg_create(struct kunit *test,
			    const struct vtd_guest_options *o);
void vg_exit(struct kunit *test);
u64 vg_read(struct vtd_guest *g, u32 reg, size_t len);
void vg_write(struct vtd_guest *g, u32 reg, u64 val, size_t len);
void vg_work(struct vtd_guest *g);

u64 vg_page(struct vtd_guest *g);
__le64 *vg_word(struct vtd_guest *g, u64 gpa);
void vg_set(struct vtd_guest *g, u64 gpa, u64 val);
u64 vg_entry(struct vtd_guest *g, u64 root, unsigned int levels, u64 iova,
	     unsigned int shift, u64 bits);
void vg_map(struct vtd_guest *g, u64 root, unsigned int levels, u64 iova,
	    u64 gpa, unsigned int shift, u64 bits);
void vg_unmap(struct vtd_guest *g, u64 root, unsigned int levels, u64 iova,
	      unsigned int shift);
u64 vg_context(struct vtd_guest *g, u16 sid);
void vg_set_context(struct vtd_guest *g, u16 sid, u64 lo, u64 hi);
void vg_translate(struct vtd_guest *g, u16 sid, u16 did, u64 root);
u64 vg_pasid_entry(struct vtd_guest *g, u16 sid);
void vg_set_pasid(struct vtd_guest *g, u16 sid, unsigned int pgtt, u16 did,
		  u64 fs, u64 ss);

void vg_command(struct vtd_guest *g, u32 set, u32 clear);
void vg_start(struct vtd_guest *g);
void vg_put_desc(struct vtd_guest *g, u64 lo, u64 hi);
void vg_ring(struct vtd_guest *g);
bool vg_wait(struct vtd_guest *g);
bool vg_desc(struct vtd_guest *g, u64 lo, u64 hi);
bool vg_flush_device(struct vtd_guest *g, u16 sid);
bool vg_flush_domain(struct vtd_guest *g, u16 did);
bool vg_flush_page(struct vtd_guest *g, u16 did, u64 iova, unsigned int am);
bool vg_flush_all(struct vtd_guest *g);

void vg_plug(struct vtd_guest *g, struct mock_dev *d, u32 id);
struct mock_dev *vg_add_dev(struct vtd_guest *g, u32 id);
bool vg_reaches(struct vtd_guest *g, struct mock_dev *d, u64 iova, u64 gpa);
bool vg_nothing(struct vtd_guest *g, struct mock_dev *d, u64 iova);
u8 vg_fault(struct vtd_guest *g, u16 *sid, u64 *addr);

#endif /* KVIOMMU_TESTS_VTD_GUEST_H */
