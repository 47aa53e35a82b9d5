// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's side of a VT-d vIOMMU.
 */
#include "vtd_guest.h"

/**
 * vg_create() - a machine with a VT-d vIOMMU that a VMM has open
 * @test: test; vg_exit() is its exit
 * @o: what it is like, NULL for nothing special
 */
struct vtd_guest *vg_create(struct kunit *test,
			    const struct vtd_guest_options *o)
{
	struct mock *m = mock_create(test, &kviommu_vtd_model);
	struct rnd_state rnd;
	struct vtd_guest *g;

	mock_seed(test, &rnd, 0x7d);
	g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g);
	mock_mem_create(m, VG_CHUNKS, o ? o->layout : MOCK_CONTIGUOUS, &rnd);
	g->m = m;
	g->v = &m->v;
	g->vt = to_vtd(m->v.model_priv);
	g->free = VG_TABLES;
	g->wide = o && o->scalable;
	m->v.pin_demand = o && o->demand;
	m->v.vtd.scalable = o && o->scalable;
	m->v.vtd.first_stage = o && o->first_stage;
	/* Nobody else works on the queue: a write of its tail does it all. */
	m->v.worker.dead = true;
	mock_open(m);
	kviommu_memory(g->v, true);
	g->root = vg_page(g);
	g->iq = vg_page(g);
	g->status = vg_page(g);
	return g;
}

void vg_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

u64 vg_read(struct vtd_guest *g, u32 reg, size_t len)
{
	return mock_read(g->v, reg, len);
}

void vg_write(struct vtd_guest *g, u32 reg, u64 val, size_t len)
{
	mock_write(g->v, reg, val, len);
}

/* What the worker does when something other than the guest wakes it. */
void vg_work(struct vtd_guest *g)
{
	unsigned int done = 0, before, n = 0;

	do {
		before = done;
		KUNIT_ASSERT_LT(g->m->test, n++, 100000);
	} while (kviommu_work(g->v, 64, &done) && done > before);
}

/* ---- tables ---- */

u64 vg_page(struct vtd_guest *g)
{
	u64 gpa = g->free;

	KUNIT_ASSERT_LT(g->m->test, gpa, VG_DATA);
	g->free += VTD_PAGE_SIZE;
	memset(mock_mem_ptr(g->m, gpa), 0, VTD_PAGE_SIZE);
	return gpa;
}

__le64 *vg_word(struct vtd_guest *g, u64 gpa)
{
	return mock_mem_ptr(g->m, gpa);
}

void vg_set(struct vtd_guest *g, u64 gpa, u64 val)
{
	*vg_word(g, gpa) = cpu_to_le64(val);
}

/* The address that an entry has; it gets one, if @bits for that are given. */
static u64 child(struct vtd_guest *g, u64 entry, u64 bits)
{
	u64 val = le64_to_cpu(*vg_word(g, entry));

	if (!(val & 3) && bits) {
		val = vg_page(g) | bits;
		vg_set(g, entry, val);
	}
	return val & VTD_PTE_ADDR;
}

/**
 * vg_entry() - where the entry for an address is
 * @g: guest
 * @root: table
 * @levels: of it
 * @iova: address
 * @shift: log2 of the size of what it is for
 * @bits: of tables that are made on the way to it; 0: none is made
 *
 * Return: its address, or 0 if there is no table for it.
 */
u64 vg_entry(struct vtd_guest *g, u64 root, unsigned int levels, u64 iova,
	     unsigned int shift, u64 bits)
{
	unsigned int level = levels, at;
	u64 table = root;

	for (;; level--) {
		at = 12 + 9 * (level - 1);
		if (at == shift || !table)
			return table ? table + 8 * (iova >> at & 511) : 0;
		table = child(g, table + 8 * (iova >> at & 511), bits & 7);
	}
}

/**
 * vg_map() - map a page of a size in a page table
 * @g: guest
 * @root: table
 * @levels: of it
 * @iova: address
 * @gpa: what it is mapped to
 * @shift: log2 of the size
 * @bits: of the entry; the lowest three also of tables
 */
void vg_map(struct vtd_guest *g, u64 root, unsigned int levels, u64 iova,
	    u64 gpa, unsigned int shift, u64 bits)
{
	vg_set(g, vg_entry(g, root, levels, iova, shift, bits),
	       gpa | bits | (shift > 12 ? VTD_PTE_PS : 0));
}

void vg_unmap(struct vtd_guest *g, u64 root, unsigned int levels, u64 iova,
	      unsigned int shift)
{
	u64 entry = vg_entry(g, root, levels, iova, shift, 0);

	if (entry)
		vg_set(g, entry, 0);
}

/* Where the context entry of a device is */
u64 vg_context(struct vtd_guest *g, u16 sid)
{
	u64 root = g->root + 16 * (sid >> 8);

	if (!g->wide)
		return child(g, root, 1) + 16 * (sid & 0xff);
	return child(g, root + 8 * (sid >> 7 & 1), 1) + 32 * (sid & 0x7f);
}

/* Of legacy mode. P is in the first word, which is written last. */
void vg_set_context(struct vtd_guest *g, u16 sid, u64 lo, u64 hi)
{
	u64 at = vg_context(g, sid);

	vg_set(g, at + 8, hi);
	vg_set(g, at, lo);
}

/* 4 levels of second stage at @root */
void vg_translate(struct vtd_guest *g, u16 sid, u16 did, u64 root)
{
	vg_set_context(g, sid, root | 1, (u64)did << 8 | VTD_AW_48);
}

/* Where the PASID table entry is that requests without PASID have */
u64 vg_pasid_entry(struct vtd_guest *g, u16 sid)
{
	u64 ctx = vg_context(g, sid);

	return child(g, child(g, ctx, 1), 1);
}

void vg_set_pasid(struct vtd_guest *g, u16 sid, unsigned int pgtt, u16 did,
		  u64 fs, u64 ss)
{
	u64 at = vg_pasid_entry(g, sid);

	vg_set(g, at + 16, fs);
	vg_set(g, at + 8, did | VTD_PASID1_PWSNP);
	vg_set(g, at, ss | pgtt << 6 | VTD_AW_48 << 2 | 1);
}

/* ---- registers and the queue ---- */

/* A command changes bits of what GSTS says. */
void vg_command(struct vtd_guest *g, u32 set, u32 clear)
{
	u32 sts = vg_read(g, VTD_GSTS, 4) & ~(VTD_GCMD_SRTP | VTD_GCMD_SIRTP);

	vg_write(g, VTD_GCMD, (sts | set) & ~clear, 4);
	sts = vg_read(g, VTD_GSTS, 4);
	KUNIT_EXPECT_EQ(g->m->test, sts & set, set);
	KUNIT_EXPECT_EQ(g->m->test, sts & clear, 0);
}

/* All that a driver does to get translation on */
void vg_start(struct vtd_guest *g)
{
	vg_write(g, VTD_RTADDR, g->root |
		 FIELD_PREP(VTD_RTADDR_TTM, g->wide ? VTD_TTM_SCALABLE :
						      VTD_TTM_LEGACY), 8);
	vg_command(g, VTD_GCMD_SRTP, 0);
	vg_write(g, VTD_IQT, 0, 8);
	vg_write(g, VTD_IQA, g->iq | (g->wide ? VTD_IQA_DW : 0), 8);
	vg_command(g, VTD_GCMD_QIE, 0);
	g->tail = 0;
	vg_command(g, VTD_GCMD_TE, 0);
}

void vg_put_desc(struct vtd_guest *g, u64 lo, u64 hi)
{
	unsigned int i, words = g->wide ? 4 : 2;

	for (i = 0; i < words; i++)
		vg_set(g, g->iq + g->tail + 8 * i,
		       i == 0 ? lo : i == 1 ? hi : 0);
	g->tail = (g->tail + 8 * words) % VTD_PAGE_SIZE;
}

void vg_ring(struct vtd_guest *g)
{
	vg_write(g, VTD_IQT, g->tail, 8);
}

/* A wait descriptor with status, and whether it was written */
bool vg_wait(struct vtd_guest *g)
{
	g->waits++;
	vg_put_desc(g, VTD_DESC_WAIT | VTD_WAIT0_SW | (u64)g->waits << 32,
		    g->status);
	vg_ring(g);
	return le32_to_cpu(*(__le32 *)vg_word(g, g->status)) == g->waits;
}

bool vg_desc(struct vtd_guest *g, u64 lo, u64 hi)
{
	vg_put_desc(g, lo, hi);
	return vg_wait(g);
}

/* As drivers do it with CAP.CM: domain id 0 for what was not present */
bool vg_flush_device(struct vtd_guest *g, u16 sid)
{
	if (g->wide)
		vg_put_desc(g, VTD_DESC_PC | VTD_PC_G_GLOBAL << 4, 0);
	return vg_desc(g, VTD_DESC_CC | VTD_GRAN_DEVICE << 4 | (u64)sid << 32,
		       0);
}

bool vg_flush_domain(struct vtd_guest *g, u16 did)
{
	return vg_desc(g, VTD_DESC_IOTLB | VTD_GRAN_DOMAIN << 4 |
		       (u64)did << 16, 0);
}

bool vg_flush_page(struct vtd_guest *g, u16 did, u64 iova, unsigned int am)
{
	return vg_desc(g, VTD_DESC_IOTLB | VTD_GRAN_PAGE << 4 |
		       (u64)did << 16, iova | am);
}

bool vg_flush_all(struct vtd_guest *g)
{
	vg_put_desc(g, VTD_DESC_CC | VTD_GRAN_GLOBAL << 4, 0);
	return vg_desc(g, VTD_DESC_IOTLB | VTD_GRAN_GLOBAL << 4, 0);
}

/* ---- devices ---- */

/* A device is assigned, bound, and attached by the VMM. */
void vg_plug(struct vtd_guest *g, struct mock_dev *d, u32 id)
{
	mock_assign(d, id);
	mock_bind(d);
	KUNIT_ASSERT_EQ(g->m->test, 0, mock_attach(d, VG_PT));
}

struct mock_dev *vg_add_dev(struct vtd_guest *g, u32 id)
{
	struct mock_dev *d = mock_add_dev(g->m, 0, NULL);

	vg_plug(g, d, id);
	return d;
}

static struct mock_pte *pte_of(struct mock_dev *d, u64 iova)
{
	return mock_is_paging(d->domain) ?
		mock_pte(mock_domain(d->domain), iova) : NULL;
}

/* Is a device's access to @iova one to guest memory at @gpa */
bool vg_reaches(struct vtd_guest *g, struct mock_dev *d, u64 iova, u64 gpa)
{
	struct mock_pte *pte = pte_of(d, iova);

	return pte && pte->pa + (iova - pte->iova) ==
		      page_to_phys(g->m->mem.pages[gpa >> PAGE_SHIFT].page) +
		      offset_in_page(gpa);
}

bool vg_nothing(struct vtd_guest *g, struct mock_dev *d, u64 iova)
{
	return mock_is_paging(d->domain) && !pte_of(d, iova);
}

/* Take the oldest fault record: its reason, or 0 if there is none. */
u8 vg_fault(struct vtd_guest *g, u16 *sid, u64 *addr)
{
	u32 fsts = vg_read(g, VTD_FSTS, 4), at;
	u64 hi;

	if (!(fsts & VTD_FSTS_PPF))
		return 0;
	at = VTD_REG_FRCD(FIELD_GET(VTD_FSTS_FRI, fsts));
	hi = vg_read(g, at + 8, 8);
	*addr = vg_read(g, at, 8);
	*sid = FIELD_GET(VTD_FRCD_HI_SID, hi);
	vg_write(g, at + 8, hi & VTD_FRCD_HI_F, 8);
	return FIELD_GET(VTD_FRCD_HI_FR, hi);
}
