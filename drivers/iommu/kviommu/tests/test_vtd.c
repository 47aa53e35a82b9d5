// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VT-d model as a whole: a guest that programs the unit, and what its devices
 * reach through the host's IOMMU then.
 */
#include <linux/delay.h>

#include "vtd_guest.h"

#define SID	0x28
#define SID2	0x30
#define SID3	0x38
#define IOVA	0x40000000ULL

/* A device behind translation, with an empty 4-level table */
struct machine {
	struct vtd_guest *g;
	struct mock_dev *d;
	u64 root;
};

static struct machine create(struct kunit *test,
			     const struct vtd_guest_options *o)
{
	struct machine m = { .g = vg_create(test, o) };

	m.d = vg_add_dev(m.g, SID);
	m.root = vg_page(m.g);
	return m;
}

static struct machine create_legacy(struct kunit *test)
{
	struct machine m = create(test, NULL);

	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d->domain));
	return m;
}

static void map(struct machine *m, u64 iova, u64 gpa)
{
	vg_map(m->g, m->root, 4, iova, gpa, 12, VG_RW);
}

static u64 serial(struct mock_dev *d, u64 iova)
{
	struct mock_pte *pte = mock_is_paging(d->domain) ?
			       mock_pte(mock_domain(d->domain), iova) : NULL;

	return pte ? pte->serial : 0;
}

static enum kviommu_state state(struct mock_dev *d)
{
	return kviommu_endpoint_state(d->kdev->ep);
}

/* ---- capabilities ---- */

static void vtd_capabilities(struct kunit *test)
{
	struct vtd_guest *g = vg_create(test, NULL);
	struct kviommu *v = g->v;
	u64 cap, ecap;

	cap = vg_read(g, VTD_CAP, 8);
	ecap = vg_read(g, VTD_ECAP, 8);
	KUNIT_EXPECT_EQ(test, 0x10, vg_read(g, VTD_VER, 4));
	/* 48 bits, as without any endpoint; CM, PSI, no RWBF, AFL, PLMR, PHMR */
	KUNIT_EXPECT_EQ(test, cap & 0xffffff, 0x6f0686);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_MAMV, cap), 36);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_NFR, cap), 7);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_FRO, cap), 0x22);
	KUNIT_EXPECT_TRUE(test, cap & VTD_CAP_PSI);
	KUNIT_EXPECT_EQ(test, ecap & (VTD_ECAP_IR | VTD_ECAP_EIM |
				      VTD_ECAP_PRS | VTD_ECAP_PASID |
				      VTD_ECAP_SMTS | VTD_ECAP_SSADS), 0);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_ECAP_IRO, ecap), 0xf);

	mutex_lock(&v->lock);
	v->vtd.scalable = true;
	v->frozen.last = GENMASK_ULL(38, 0);
	v->frozen.page_sizes = PAGE_SIZE;
	vtd_caps(v, &cap, &ecap);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_SAGAW, cap), 2);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_MGAW, cap), 38);
	KUNIT_EXPECT_EQ(test, cap & (VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G |
				     VTD_CAP_FS1GP | VTD_CAP_FS5LP), 0);
	KUNIT_EXPECT_EQ(test, ecap & (VTD_ECAP_SMTS | VTD_ECAP_SSTS |
				      VTD_ECAP_SSADS | VTD_ECAP_FSTS |
				      VTD_ECAP_NEST | VTD_ECAP_EAFS |
				      VTD_ECAP_SRS | VTD_ECAP_RPRIVS),
			VTD_ECAP_SMTS | VTD_ECAP_SSTS | VTD_ECAP_SSADS);
	v->vtd.first_stage = true;
	vtd_caps(v, &cap, &ecap);
	KUNIT_EXPECT_FALSE(test, ecap & VTD_ECAP_FSTS);
	v->frozen.last = GENMASK_ULL(46, 0);
	v->frozen.page_sizes = SZ_4K | SZ_2M;
	vtd_caps(v, &cap, &ecap);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_SAGAW, cap), 6);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_MGAW, cap), 46);
	KUNIT_EXPECT_EQ(test, cap & (VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G |
				     VTD_CAP_FS1GP | VTD_CAP_FS5LP),
			VTD_CAP_SSLPS_2M);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_FSTS);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_NEST);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_EAFS);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_SRS);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_RPRIVS);
	v->frozen.last = U64_MAX >> 1;
	v->frozen.page_sizes = PAGE_MASK;
	vtd_caps(v, &cap, &ecap);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_SAGAW, cap), 14);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_MGAW, cap), 56);
	KUNIT_EXPECT_EQ(test, FIELD_GET(VTD_CAP_MAMV, cap), 45);
	KUNIT_EXPECT_EQ(test, cap & (VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G |
				     VTD_CAP_FS1GP | VTD_CAP_FS5LP),
			VTD_CAP_SSLPS_2M | VTD_CAP_SSLPS_1G | VTD_CAP_FS1GP |
			VTD_CAP_FS5LP);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_SC);
	KUNIT_EXPECT_TRUE(test, ecap & VTD_ECAP_PT);
	v->frozen.snoop = false;
	v->vtd.passthrough = false;
	vtd_caps(v, &cap, &ecap);
	KUNIT_EXPECT_FALSE(test, ecap & VTD_ECAP_SC);
	KUNIT_EXPECT_FALSE(test, ecap & VTD_ECAP_PT);
	mutex_unlock(&v->lock);
}

/* ---- translation ---- */

static void vtd_off(struct kunit *test)
{
	struct machine m = create(test, NULL);

	/* Firmware boots from it. */
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	KUNIT_EXPECT_EQ(test, m.d->hwpt, 0);
	kviommu_close(&m.g->m->v);
	m.g->v->boot_bypass = false;
	mock_open(m.g->m);
	kviommu_memory(m.g->v, true);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d->domain));
}

static void vtd_pages(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 before;

	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	/* A neighbour, and a change of the first that is not told of */
	map(&m, IOVA, VG_DATA + 0x5000);
	map(&m, IOVA + 0x1000, VG_DATA + 0x1000);
	before = serial(m.d, IOVA);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA + 0x1000, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x1000,
					   VG_DATA + 0x1000));
	KUNIT_EXPECT_EQ(test, serial(m.d, IOVA), before);
	/* Of another domain */
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 2, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 2));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	before = serial(m.d, IOVA + 0x1000);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA + 0x5000));
	KUNIT_EXPECT_EQ(test, serial(m.d, IOVA + 0x1000), before);
	/* And away, two pages at once */
	vg_unmap(m.g, m.root, 4, IOVA, 12);
	vg_unmap(m.g, m.root, 4, IOVA + 0x1000, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 1));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x1000));
	KUNIT_EXPECT_EQ(test, 0, m.g->v->nr_mappings);
}

/* What is not changed is not touched, whatever is invalidated. */
static void vtd_hitless(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct mock_domain *d = mock_domain(m.d->domain);
	unsigned int i;
	u64 last;

	for (i = 0; i < 100; i++)
		map(&m, IOVA + i * 0x3000, VG_DATA + (i * 7 % 100) * 0x1000);
	vg_map(m.g, m.root, 4, 0x80000000, 0x400000, 21, VG_RW);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_EQ(test, 101, m.g->v->nr_mappings);
	KUNIT_EXPECT_EQ(test, SZ_2M, mock_pte(d, 0x80000000)->size);
	last = d->serial;
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	vg_command(m.g, VTD_GCMD_SRTP, 0);
	KUNIT_EXPECT_EQ(test, d->serial, last);
	KUNIT_EXPECT_PTR_EQ(test, &d->domain, m.d->domain);
	KUNIT_EXPECT_EQ(test, m.d->attaches, 1);
	KUNIT_EXPECT_EQ(test, 101, m.g->v->nr_mappings);
	/* A copy of the root and context tables says the same. */
	for (i = 0; i < 2; i++) {
		u64 root = vg_page(m.g), ctx = vg_page(m.g);

		memcpy(vg_word(m.g, ctx),
		       vg_word(m.g, vg_context(m.g, 0)), 0x1000);
		m.g->root = root;
		vg_set(m.g, root, ctx | 1);
		vg_write(m.g, VTD_RTADDR, root, 8);
		vg_command(m.g, VTD_GCMD_SRTP, 0);
	}
	KUNIT_EXPECT_EQ(test, d->serial, last);
	KUNIT_EXPECT_EQ(test, m.d->attaches, 1);
}

/* What an invalidation costs does not depend on domains that it is not for. */
static void vtd_other_domains(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct kviommu_follow_counters *c = &m.g->vt->f.count;
	unsigned int i, k, others;
	u64 alone[3], before;

	map(&m, IOVA, VG_DATA);
	for (others = 0; others <= 64; others += 64) {
		for (i = 0; i < others; i++) {
			u64 root = vg_page(m.g);

			for (k = 0; k < 8; k++)
				vg_map(m.g, root, 4, IOVA + k * 0x1000,
				       VG_DATA + i * 0x1000, 12, VG_RW);
			vg_translate(m.g, 0x100 + 8 * i, 2 + i, root);
			vg_add_dev(m.g, 0x100 + 8 * i);
		}
		KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
		KUNIT_EXPECT_EQ(test, 1 + others, m.g->vt->f.nr_domains);
		for (i = 0; i < 3; i++) {
			before = c->entries;
			KUNIT_EXPECT_TRUE(test, i == 0 ? vg_flush_domain(m.g, 1) :
					  i == 1 ? vg_flush_page(m.g, 1, IOVA, 0) :
						   vg_flush_device(m.g, SID));
			if (others)
				KUNIT_EXPECT_EQ(test, alone[i],
						c->entries - before);
			else
				alone[i] = c->entries - before;
		}
	}
	before = c->lookups;
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x0000002800000031, 0));
	KUNIT_EXPECT_EQ(test, before + 1, c->lookups);
}

/* ---- tables that are known ---- */

/* Tables that did not have to be looked at */
#define KNOWN(m, what) ({						\
	const struct kviommu_follow_counters *count_ =				\
		&(m)->g->vt->f.count;						\
	u64 before_ = count_->tables_same;				\
									\
	KUNIT_EXPECT_TRUE(test, what);					\
	count_->tables_same - before_;					\
})

static void vtd_known_tables(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 *nr = &m.g->v->nr_mappings, link, entry;
	unsigned int i;

	for (i = 0; i < 4; i++)
		map(&m, IOVA + i * 0x3000, VG_DATA + i * 0x1000);
	/* By a page alone nothing is known of the others of a table. */
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_EQ(test, 4, *nr);
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_page(m.g, 1, IOVA, 9)));
	KUNIT_EXPECT_EQ(test, 4, *nr);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x3000,
					   VG_DATA + 0x1000));

	/* An entry goes with an invalidation of its own, and comes back. */
	vg_unmap(m.g, m.root, 4, IOVA, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_domain(m.g, 1)));
	/* One that came alone goes with all. */
	map(&m, IOVA + 0x100000, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA + 0x100000, 0));
	vg_unmap(m.g, m.root, 4, IOVA + 0x100000, 12);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x100000));
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_domain(m.g, 1)));

	/* The table goes, and is back. */
	link = vg_entry(m.g, m.root, 4, IOVA, 21, 0);
	entry = le64_to_cpu(*vg_word(m.g, link));
	vg_set(m.g, link, 0);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_EQ(test, 0, *nr);
	vg_set(m.g, link, entry);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	/* It is at another address too; and with less allowed. */
	vg_set(m.g, link + 8, entry);
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + SZ_2M, VG_DATA));
	KUNIT_EXPECT_EQ(test, 8, *nr);
	vg_set(m.g, link, entry & ~(u64)KVIOMMU_WRITE);
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_domain(m.g, 1)));
	KUNIT_EXPECT_EQ(test, IOMMU_READ | IOMMU_CACHE,
			mock_pte(mock_domain(m.d->domain), IOVA)->prot);
	KUNIT_EXPECT_EQ(test, 8, *nr);
}

/* An error in it is told again when it was cleared; marks are set again. */
static void vtd_unknown_tables(struct kunit *test)
{
	struct vtd_guest_options o = { .scalable = true, .first_stage = true };
	struct machine m = create(test, &o);
	__le64 *word;
	u64 addr;
	u16 sid;

	vg_set_pasid(m.g, SID, 1, 1, m.root, 0);
	vg_map(m.g, m.root, 4, IOVA, VG_DATA, 12, 7);
	vg_start(m.g);
	word = vg_word(m.g, vg_entry(m.g, m.root, 4, IOVA, 12, 0));
	/* Not known: it was not marked when it was walked. */
	KUNIT_EXPECT_EQ(test, VG_DATA | 0x67, le64_to_cpu(*word));
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_all(m.g)));
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_all(m.g)));
	*word = cpu_to_le64(VG_DATA | 7);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_all(m.g)));
	KUNIT_EXPECT_EQ(test, VG_DATA | 0x67, le64_to_cpu(*word));
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_all(m.g)));
	*word = cpu_to_le64(VG_DATA | 7);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_all(m.g)));
	KUNIT_EXPECT_EQ(test, VG_DATA | 0x67, le64_to_cpu(*word));

	/* Reserved: nothing is known as long as it is there. */
	vg_map(m.g, m.root, 4, IOVA + 0x1000, VTD_INTERRUPT_FIRST, 12, 0x67);
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_all(m.g)));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_INTERRUPT, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, 0, KNOWN(&m, vg_flush_all(m.g)));
	KUNIT_EXPECT_EQ(test, 0, vg_fault(m.g, &sid, &addr));
	vg_unmap(m.g, m.root, 4, IOVA + 0x1000, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_EQ(test, 1, KNOWN(&m, vg_flush_all(m.g)));
}

static void vtd_device_scope(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct mock_dev *d2 = vg_add_dev(m.g, SID2);
	u64 root2 = vg_page(m.g);

	/* Not in the tables: blocked, and that is no error. */
	vg_work(m.g);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d2));
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_FSTS, 4));
	vg_map(m.g, root2, 4, IOVA, VG_DATA + 0x3000, 12, VG_RW);
	map(&m, IOVA, VG_DATA);
	vg_translate(m.g, SID2, 2, root2);
	/* Another device, another function */
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2 + 1));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d2));
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA + 0x3000));
	/* It is not this domain's invalidation that brings the first's. */
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 2));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));

	/* By domain: the entry is found with the id that it had. */
	vg_set_context(m.g, SID2, 0, 0);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x00010021, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA + 0x3000));
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x00020021, 0));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d2));
	/* and one that had none with 0 */
	vg_translate(m.g, SID2, 1, m.root);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x00000021, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA));
	/* The same key: the same domain */
	KUNIT_EXPECT_PTR_EQ(test, d2->domain, m.d->domain);
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
	/* A function mask: 0x30 to 0x37 */
	vg_set_context(m.g, SID2, 0, 0);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x0003003700000031, 0));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d2));
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_FSTS, 4));
}

static void vtd_same_did(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct mock_dev *d2 = vg_add_dev(m.g, SID2);
	u64 root2 = vg_page(m.g);

	map(&m, IOVA, VG_DATA);
	vg_map(m.g, root2, 4, IOVA, VG_DATA + 0x3000, 12, VG_RW);
	vg_translate(m.g, SID2, 1, root2);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.count.did_conflicts);
	KUNIT_EXPECT_EQ(test, 2, m.g->vt->f.nr_domains);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA + 0x3000));
	/* Both go one after the other, and that is said only once. */
	vg_translate(m.g, SID2, 1, m.root);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.count.did_conflicts);
	/* All endpoints moved to another table at once are no conflict. */
	vg_translate(m.g, SID, 1, root2);
	vg_translate(m.g, SID2, 1, root2);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.count.did_conflicts);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA + 0x3000));
}

static void vtd_passthrough(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 addr;
	u16 sid;

	vg_set_context(m.g, SID, VTD_TT_PASSTHROUGH << 2 | 1,
		       1 << 8 | VTD_AW_48);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_domains);
	vg_translate(m.g, SID, 1, m.root);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d->domain));
	/* Not offered */
	kviommu_close(m.g->v);
	m.g->v->vtd.passthrough = false;
	mock_open(m.g->m);
	kviommu_memory(m.g->v, true);
	vg_set_context(m.g, SID, VTD_TT_PASSTHROUGH << 2 | 1,
		       1 << 8 | VTD_AW_48);
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_CTX_INVALID,
			vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, sid, SID);
}

static void vtd_modes(struct kunit *test)
{
	static const struct vtd_guest_options o = {
		.scalable = true, .first_stage = true,
	};
	struct machine m = create(test, &o);
	struct vtd_guest *g = m.g;
	u64 fs = vg_page(g), nested = vg_page(g);
	const u64 bits = VTD_FS_P | VTD_FS_RW | VTD_FS_US;
	unsigned int i;
	__le64 ctx;

	KUNIT_EXPECT_TRUE(test, vg_read(g, VTD_ECAP, 8) & VTD_ECAP_FSTS);
	map(&m, IOVA, VG_DATA);
	vg_map(g, fs, 4, IOVA, VG_DATA + 0x1000, 12, bits);
	/* Nested: tables are at the same address, data at another one */
	for (i = 0; i < VG_DATA / VTD_PAGE_SIZE; i++)
		vg_map(g, m.root, 4, i * VTD_PAGE_SIZE, i * VTD_PAGE_SIZE, 12,
		       VG_RW);
	vg_map(g, nested, 4, IOVA, IOVA, 12, bits);

	vg_set_pasid(g, SID, VTD_PGTT_SS, 1, 0, m.root);
	vg_start(g);
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA));
	vg_unmap(g, m.root, 4, IOVA, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(g, 1, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, vg_nothing(g, m.d, IOVA));
	/* Of PASIDs only: nothing of a second stage */
	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x10036, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_nothing(g, m.d, IOVA));
	/* Of a PASID: of whatever stage */
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x10026, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA));
	/* Context entries have no domain id in this mode: any is for all. */
	ctx = *vg_word(g, vg_context(g, SID));
	vg_set(g, vg_context(g, SID), 0);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x70021, 0));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	*vg_word(g, vg_context(g, SID)) = ctx;
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x70021, 0));

	vg_set_pasid(g, SID, VTD_PGTT_FS, 2, fs, 0);
	/* by domain id: the one that it had */
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x20007, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x10017, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA + 0x1000));
	vg_unmap(g, fs, 4, IOVA, 12);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x20036, IOVA + 0x1000));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA + 0x1000));
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x20036, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_nothing(g, m.d, IOVA));
	/* Of the second stage: all of the domain, whatever the page is */
	vg_map(g, fs, 4, IOVA, VG_DATA + 0x3000, 12, bits);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(g, 2, 0, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA + 0x3000));
	vg_map(g, fs, 4, IOVA, VG_DATA + 0x2000, 12, bits);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x20026, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA + 0x2000));

	vg_set_pasid(g, SID, VTD_PGTT_NESTED, 3, nested, m.root);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x37, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA));
	/* An address of the second stage may be behind any of the first. */
	vg_map(g, m.root, 4, IOVA, VG_DATA + 0x4000, 12, VG_RW);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(g, 3, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA + 0x4000));

	vg_set_pasid(g, SID, VTD_PGTT_PT, 4, 0, 0);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x37, 0));
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
	vg_set(g, vg_pasid_entry(g, SID), 0);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x40017, 0));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_FSTS, 4));
	/* Not present to present: whatever domain it is for */
	vg_set_pasid(g, SID, VTD_PGTT_SS, 9, 0, m.root);
	KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x90017, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA + 0x4000));
}

/* Marks are turned on and off while a device works, as dirty tracking does it. */
static void vtd_marks(struct kunit *test)
{
	static const struct vtd_guest_options o = { .scalable = true };
	struct machine m = create(test, &o);
	__le64 *word;
	u64 at, before;

	map(&m, IOVA, VG_DATA);
	vg_map(m.g, m.root, 4, IOVA + 0x1000, VG_DATA, 12, VG_R);
	vg_set_pasid(m.g, SID, VTD_PGTT_SS, 1, 0, m.root);
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	word = vg_word(m.g, vg_entry(m.g, m.root, 4, IOVA, 12, 0));
	KUNIT_EXPECT_EQ(test, VG_DATA | 3, le64_to_cpu(word[0]));
	before = serial(m.d, IOVA);
	at = vg_pasid_entry(m.g, SID);
	*vg_word(m.g, at) |= cpu_to_le64(VTD_PASID0_SSADE);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
	KUNIT_EXPECT_EQ(test, VG_DATA | VTD_SS_A | VTD_SS_D | 3,
			le64_to_cpu(word[0]));
	KUNIT_EXPECT_EQ(test, VG_DATA | VTD_SS_A | 1, le64_to_cpu(word[1]));
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_FSTS, 4));
	/* Cleared, and marked again when that is told */
	word[0] = cpu_to_le64(VG_DATA | 3);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_EQ(test, VG_DATA | VTD_SS_A | VTD_SS_D | 3,
			le64_to_cpu(word[0]));
	*vg_word(m.g, at) &= ~cpu_to_le64(VTD_PASID0_SSADE);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
	word[0] = cpu_to_le64(VG_DATA | 3);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_EQ(test, VG_DATA | 3, le64_to_cpu(word[0]));
	KUNIT_EXPECT_EQ(test, m.d->attaches, 1);
	KUNIT_EXPECT_EQ(test, serial(m.d, IOVA), before);
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
}

/* The guest changes what is just being marked, so many times. */
static unsigned int nr_changes;
static int (*update)(struct kviommu_reader *r, unsigned int slot, u64 gpa,
		     u64 old, u64 new);

static int update_changed(struct kviommu_reader *r, unsigned int slot, u64 gpa,
			  u64 old, u64 new)
{
	if (!nr_changes)
		return update(r, slot, gpa, old, new);
	nr_changes--;
	return -EAGAIN;
}

/* A device goes on meanwhile, be it a page's entry or one far above it. */
static void vtd_marks_changed(struct kunit *test)
{
	static const struct vtd_guest_options o = { .scalable = true };
	struct machine m = create(test, &o);
	unsigned int shift;
	u64 before, at;

	map(&m, IOVA, VG_DATA);
	vg_set_pasid(m.g, SID, VTD_PGTT_SS, 1, 0, m.root);
	*vg_word(m.g, vg_pasid_entry(m.g, SID)) |= cpu_to_le64(VTD_PASID0_SSADE);
	vg_start(m.g);
	before = serial(m.d, IOVA);
	KUNIT_EXPECT_NE(test, 0, before);
	update = m.g->vt->f.reader.reader.update;
	m.g->vt->f.reader.reader.update = update_changed;
	for (shift = 12; shift <= 39; shift += 9) {
		at = vg_entry(m.g, m.root, 4, IOVA, shift, 0);
		*vg_word(m.g, at) &= ~cpu_to_le64(VTD_SS_A);
		nr_changes = 3;
		KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
		KUNIT_EXPECT_EQ(test, 0, nr_changes);
		KUNIT_EXPECT_TRUE(test, le64_to_cpu(*vg_word(m.g, at)) & VTD_SS_A);
		KUNIT_EXPECT_EQ(test, serial(m.d, IOVA), before);
	}
	m.g->vt->f.reader.reader.update = update;
}

/* What can't be marked is not used, and nothing else is missed. */
static void vtd_marks_readonly(struct kunit *test)
{
	static const struct vtd_guest_options o = { .scalable = true };
	struct machine m = create(test, &o);
	u64 at, addr;
	u16 sid;

	map(&m, IOVA, VG_DATA);
	map(&m, IOVA + SZ_2M, VG_DATA + 0x1000);
	vg_set_pasid(m.g, SID, VTD_PGTT_SS, 1, 0, m.root);
	*vg_word(m.g, vg_pasid_entry(m.g, SID)) |= cpu_to_le64(VTD_PASID0_SSADE);
	at = vg_entry(m.g, m.root, 4, IOVA, 12, 0);
	mock_mem_readonly(m.g->m, at & PAGE_MASK, PAGE_SIZE, true);
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + SZ_2M,
					   VG_DATA + 0x1000));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_SS_AD, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, addr, IOVA);
	KUNIT_EXPECT_EQ(test, VG_DATA | 3, le64_to_cpu(*vg_word(m.g, at)));
}

/* Nothing is marked in legacy mode: its tables need not be writable. */
static void vtd_tables_readonly(struct kunit *test)
{
	struct machine m = create(test, NULL);
	unsigned int shift;
	u16 sid;
	u64 at;

	map(&m, IOVA, VG_DATA);
	vg_translate(m.g, SID, 1, m.root);
	mock_mem_readonly(m.g->m, m.g->root, PAGE_SIZE, true);
	mock_mem_readonly(m.g->m, vg_context(m.g, SID) & PAGE_MASK, PAGE_SIZE,
			  true);
	for (shift = 12; shift <= 39; shift += 9) {
		at = vg_entry(m.g, m.root, 4, IOVA, shift, 0);
		mock_mem_readonly(m.g->m, at & PAGE_MASK, PAGE_SIZE, true);
	}
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	map(&m, IOVA + 0x1000, VG_DATA + 0x2000);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA + 0x1000, 0));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x1000,
					   VG_DATA + 0x2000));
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_NONE, vg_fault(m.g, &sid, &at));
}

/* Two devices have one table, and only one of them has it marked. */
static void vtd_marks_shared(struct kunit *test)
{
	static const struct vtd_guest_options o = { .scalable = true };
	struct machine m = create(test, &o);
	u64 at[2], syncs;
	unsigned int i;
	__le64 *word;

	map(&m, IOVA, VG_DATA);
	vg_add_dev(m.g, SID2);
	vg_set_pasid(m.g, SID, VTD_PGTT_SS, 1, 0, m.root);
	vg_set_pasid(m.g, SID2, VTD_PGTT_SS, 1, 0, m.root);
	vg_start(m.g);
	word = vg_word(m.g, vg_entry(m.g, m.root, 4, IOVA, 12, 0));
	at[0] = vg_pasid_entry(m.g, SID);
	at[1] = vg_pasid_entry(m.g, SID2);
	/* Whichever is looked up last */
	for (i = 0; i < 2; i++) {
		*vg_word(m.g, at[i]) |= cpu_to_le64(VTD_PASID0_SSADE);
		KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
		KUNIT_EXPECT_EQ(test, VG_DATA | VTD_SS_A | VTD_SS_D | 3,
				le64_to_cpu(*word));
		/* Nothing has changed, so nothing is walked. */
		syncs = m.g->vt->f.count.syncs;
		KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
		KUNIT_EXPECT_EQ(test, syncs, m.g->vt->f.count.syncs);
		*vg_word(m.g, at[i]) &= ~cpu_to_le64(VTD_PASID0_SSADE);
		KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
		*word = cpu_to_le64(VG_DATA | 3);
		KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
		KUNIT_EXPECT_EQ(test, VG_DATA | 3, le64_to_cpu(*word));
	}
	/* The one that had it marked goes elsewhere. */
	*vg_word(m.g, at[0]) |= cpu_to_le64(VTD_PASID0_SSADE);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
	*vg_word(m.g, at[0]) = 0;
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 0x10017, 0));
	*word = cpu_to_le64(VG_DATA | 3);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_EQ(test, VG_DATA | 3, le64_to_cpu(*word));
}

/* What the first stage newly maps is told by write-buffer flushes alone. */
static void vtd_write_buffer(struct kunit *test)
{
	static const struct vtd_guest_options o = {
		.scalable = true, .first_stage = true,
	};
	struct machine m = create(test, &o);
	const u64 bits = VTD_FS_P | VTD_FS_RW | VTD_FS_US;
	struct mock_dev *d2 = vg_add_dev(m.g, SID2);
	u64 ss = vg_page(m.g);
	unsigned int i;
	u32 on;

	KUNIT_EXPECT_TRUE(test, vg_read(m.g, VTD_CAP, 8) & VTD_CAP_RWBF);
	vg_set_pasid(m.g, SID, VTD_PGTT_FS, 1, m.root, 0);
	vg_set_pasid(m.g, SID2, VTD_PGTT_SS, 2, 0, ss);
	/* With translation off it is done at once, and nothing happens. */
	vg_map(m.g, m.root, 4, IOVA, VG_DATA, 12, bits);
	vg_write(m.g, VTD_GCMD, VTD_GCMD_WBF, 4);
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_GSTS, 4));
	vg_start(m.g);
	on = VTD_GCMD_TE | VTD_GCMD_QIE;
	vg_map(m.g, m.root, 4, IOVA + 0x1000, VG_DATA + 0x1000, 12, bits);
	vg_map(m.g, ss, 4, IOVA, VG_DATA, 12, VG_RW);
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x1000));
	vg_write(m.g, VTD_GCMD, on | VTD_GCMD_WBF, 4);
	KUNIT_EXPECT_FALSE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_WBF);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x1000,
					   VG_DATA + 0x1000));
	/* For a second stage there are invalidations. */
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, d2, IOVA));
	/* WBFS is set as long as it is done. */
	for (i = 0; i < 200; i++)
		vg_map(m.g, m.root, 4, IOVA + i * (u64)SZ_2M,
		       VG_DATA + i * 0x1000, 12, bits);
	m.g->v->batch = 1;
	m.g->v->worker.dead = false;
	vg_write(m.g, VTD_GCMD, on | VTD_GCMD_WBF, 4);
	KUNIT_EXPECT_TRUE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_WBF);
	KUNIT_EXPECT_TRUE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_TE);
	vg_work(m.g);
	KUNIT_EXPECT_FALSE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_WBF);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 199 * (u64)SZ_2M,
					   VG_DATA + 199 * 0x1000));
}

/* ---- off again ---- */

static void vtd_off_quiet(struct kunit *test)
{
	struct machine m = create_legacy(test);

	map(&m, IOVA, VG_DATA);
	vg_flush_all(m.g);
	vg_command(m.g, 0, VTD_GCMD_TE);
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_domains);
	vg_command(m.g, VTD_GCMD_TE, 0);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

static void vtd_off_busy(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 before, addr;
	u16 sid;

	map(&m, IOVA, VG_DATA);
	vg_flush_all(m.g);
	before = serial(m.d, IOVA);
	m.d->bus_master = true;
	vg_command(m.g, 0, VTD_GCMD_TE);
	/* A disk that still works finds what it found before. */
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, serial(m.d, IOVA), before);
	/* Its tables may be anything now. */
	map(&m, IOVA, VG_DATA + 0x7000);
	vg_flush_all(m.g);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	m.d->bus_master = false;
	kviommu_dev_command(m.d->kdev);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_domains);
	KUNIT_EXPECT_FALSE(test, m.g->v->reset.holding);

	/* The next driver comes before it is quiet. */
	vg_command(m.g, VTD_GCMD_TE, 0);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA + 0x7000));
	m.d->bus_master = true;
	vg_command(m.g, 0, VTD_GCMD_TE);
	map(&m, IOVA, VG_DATA + 0x8000);
	before = serial(m.d, IOVA);
	vg_command(m.g, VTD_GCMD_TE, 0);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA + 0x8000));
	/* and wants it 1:1: not before it is quiet */
	vg_command(m.g, 0, VTD_GCMD_TE);
	vg_set_context(m.g, SID, VTD_TT_PASSTHROUGH << 2 | 1,
		       1 << 8 | VTD_AW_48);
	vg_command(m.g, VTD_GCMD_TE, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_CTX_INVALID,
			vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, sid, SID);
	mock_dev_reset(m.d);
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
}

static void vtd_reset(struct kunit *test)
{
	struct machine m = create_legacy(test);

	map(&m, IOVA, VG_DATA);
	vg_flush_all(m.g);
	m.d->bus_master = true;
	kviommu_reset(m.g->v);
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_GSTS, 4));
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_RTADDR, 8));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	mock_dev_reset(m.d);
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_domains);
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

/* ---- faults ---- */

static void vtd_context_faults(struct kunit *test)
{
	struct machine m = create_legacy(test);
	unsigned int i;
	u64 addr;
	u16 sid;

	/* Address width that there is not; told once, until it is mended */
	vg_set_context(m.g, SID, m.root | 1, 1 << 8 | 7);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_CTX_INVALID,
			vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, sid, SID);
	KUNIT_EXPECT_EQ(test, addr, 0);
	vg_translate(m.g, SID, 1, m.root);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d->domain));
	vg_set_context(m.g, SID, m.root | 1 | BIT(4), 1 << 8 | VTD_AW_48);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_CTX_RSVD,
			vg_fault(m.g, &sid, &addr));
	/* FPD */
	vg_set_context(m.g, SID, m.root | 3, 1 << 8 | 7);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_EQ(test, 0, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults_dropped);
	/* All tables out of memory */
	vg_write(m.g, VTD_RTADDR, 0xfffff000, 8);
	vg_command(m.g, VTD_GCMD_SRTP, 0);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_ROOT_ACCESS,
			vg_fault(m.g, &sid, &addr));
	/* A mode that there is not */
	vg_write(m.g, VTD_RTADDR, m.g->root | VTD_TTM_SCALABLE << 10, 8);
	vg_command(m.g, VTD_GCMD_SRTP, 0);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_RTADDR, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	/* DMA is to be aborted: no fault, and no DMA */
	vg_write(m.g, VTD_RTADDR, VTD_TTM_ABORT_DMA << 10, 8);
	vg_command(m.g, VTD_GCMD_SRTP, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, 0, vg_fault(m.g, &sid, &addr));
}

static void vtd_table_faults(struct kunit *test)
{
	struct machine m = create_legacy(test);
	unsigned int i;
	u64 addr;
	u16 sid;

	map(&m, IOVA, VG_DATA);
	/* 1 GiB further on, the table is no memory. */
	vg_map(m.g, m.root, 4, IOVA + SZ_1G, 0xfffff000, 30, VG_RW);
	vg_set(m.g, (le64_to_cpu(*vg_word(m.g, m.root)) & PAGE_MASK) +
	       8 * ((IOVA + SZ_1G) >> 30), 0x7ffff000 | 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_SS_ACCESS,
			vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, addr, IOVA + SZ_1G);
	/* Mended, and the same again */
	vg_set(m.g, (le64_to_cpu(*vg_word(m.g, m.root)) & PAGE_MASK) +
	       8 * ((IOVA + SZ_1G) >> 30), 0);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults);
	/* A table that names itself ends, and is what it says. */
	vg_set(m.g, m.root + 8 * 511, m.root | 3);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

static void vtd_host_faults(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 addr;
	u16 sid;

	vg_map(m.g, m.root, 4, IOVA, VG_DATA, 12, VG_R);
	vg_flush_all(m.g);
	kviommu_fault_report(m.g->v, mock_dev_dev(m.d), IOVA + 0x123, true);
	vg_work(m.g);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_WRITE, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, addr, IOVA);
	KUNIT_EXPECT_EQ(test, sid, SID);
	kviommu_fault_report(m.g->v, mock_dev_dev(m.d), 0x123456789abc000,
			     false);
	vg_work(m.g);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_ADDR_WIDTH,
			vg_fault(m.g, &sid, &addr));
	kviommu_fault_report(m.g->v, mock_dev_dev(m.d), IOVA + 0x1000, false);
	vg_work(m.g);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_READ, vg_fault(m.g, &sid, &addr));
	/* Not of this unit */
	kviommu_fault_report(m.g->v, m.g->m->dev, IOVA, false);
	vg_work(m.g);
	KUNIT_EXPECT_EQ(test, 0, vg_fault(m.g, &sid, &addr));
}

/* ---- limits ---- */

static void set_quota(struct machine *m, unsigned int n)
{
	kviommu_close(m->g->v);
	m->g->v->max_mappings = n;
	mock_open(m->g->m);
	kviommu_memory(m->g->v, true);
}

/* Until what waits to be tried again was tried */
static void wait_retry(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		msleep(20);
		vg_work(m->g);
	}
}

/* Time goes by until nothing is waited for. */
static void settle(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < 200 && m->g->v->refill_wait; i++)
		wait_retry(m);
	KUNIT_EXPECT_EQ(m->g->m->test, 0, m->g->v->refill_wait);
}

static void vtd_quota(struct kunit *test)
{
	struct machine m = create(test, NULL);
	unsigned int i;
	u64 addr;
	u16 sid;

	set_quota(&m, 20);
	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	for (i = 0; i < 20; i++)
		map(&m, IOVA + i * 0x2000, VG_DATA + i * 0x1000);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 19 * 0x2000,
					   VG_DATA + 19 * 0x1000));
	/* What is too much is as if it were not present, and that is told. */
	for (i = 0; i < 3; i++) {
		map(&m, IOVA + 0x100000 + i * 0x2000, VG_DATA);
		KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA + 0x100000 +
						      i * 0x2000, 0));
		KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x100000 +
						   i * 0x2000));
	}
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, 20, m.g->v->nr_mappings);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_READ, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, sid, SID);
	KUNIT_EXPECT_EQ(test, addr, IOVA + 0x100000);
	KUNIT_EXPECT_EQ(test, 0, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults);
	KUNIT_EXPECT_GE(test, m.g->vt->f.count.refused, 3);
	/* Room is made, and nobody says that it is for this. */
	vg_unmap(m.g, m.root, 4, IOVA, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	for (i = 0; i < 200 && vg_nothing(m.g, m.d, IOVA + 0x100000); i++)
		wait_retry(&m);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x100000, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x102000));
	KUNIT_EXPECT_EQ(test, 20, m.g->v->nr_mappings);
	/* It is all there: nothing is tried any more, and the next is new. */
	vg_unmap(m.g, m.root, 4, IOVA + 0x102000, 12);
	vg_unmap(m.g, m.root, 4, IOVA + 0x104000, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	settle(&m);
	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_READ, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, addr, IOVA);

	/* All addresses lead to one page. */
	for (i = 0; i < 512; i++)
		vg_set(m.g, m.root + 8 * i, m.root | 3);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, 0, m.g->v->nr_mappings);
}

/* One domain takes all that it can get, and the other one misses nothing. */
static void vtd_quota_share(struct kunit *test)
{
	struct machine m = create(test, NULL);
	struct mock_dev *d2 = vg_add_dev(m.g, SID2);
	u64 root2 = vg_page(m.g), at;
	unsigned int i;

	set_quota(&m, 40);
	vg_translate(m.g, SID, 1, m.root);
	vg_translate(m.g, SID2, 2, root2);
	vg_start(m.g);
	for (i = 0; i < 100; i++)
		map(&m, IOVA + i * 0x2000, VG_DATA + i * 0x1000);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_EQ(test, 20, m.g->v->nr_mappings);
	for (i = 0; i < 20; i++) {
		at = IOVA + i * 0x3000;
		vg_map(m.g, root2, 4, at, VG_DATA + i * 0x1000, 12, VG_RW);
		KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 2, at, 0));
		KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, at,
						   VG_DATA + i * 0x1000));
	}
	KUNIT_EXPECT_EQ(test, 40, m.g->v->nr_mappings);
	/* Nor by addresses that it goes through: each leaves a table. */
	for (i = 0; i < 100; i++)
		vg_unmap(m.g, m.root, 4, IOVA + i * 0x2000, 12);
	KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 1));
	for (i = 0; i < 60; i++) {
		at = IOVA + (u64)i * SZ_2M;
		map(&m, at, VG_DATA);
		KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, at, 0));
		vg_unmap(m.g, m.root, 4, at, 12);
		KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, at, 0));
	}
	KUNIT_EXPECT_GE(test, m.g->vt->f.count.refused, 80 + 40);
	for (i = 1; i < 15; i++) {
		at = IOVA + (u64)i * SZ_2M;
		vg_unmap(m.g, root2, 4, IOVA + i * 0x3000, 12);
		vg_map(m.g, root2, 4, at, VG_DATA, 12, VG_RW);
		KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 2));
		KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, at, VG_DATA));
	}
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA));
	/* A domain of both has all of it. */
	vg_translate(m.g, SID, 2, root2);
	for (i = 0; i < 40; i++)
		vg_map(m.g, root2, 4, IOVA + i * 0x3000, VG_DATA + i * 0x1000,
		       12, VG_RW);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA + 24 * 0x3000,
					   VG_DATA + 24 * 0x1000));
}

/* Does a page of a device come within some seconds? */
static bool comes(struct machine *m, struct mock_dev *d, u64 iova, u64 gpa)
{
	unsigned int i;

	for (i = 0; i < 200 && vg_nothing(m->g, d, iova); i++)
		wait_retry(m);
	return vg_reaches(m->g, d, iova, gpa);
}

/* A domain of both has all. The one that leaves takes its part with it. */
static void vtd_quota_left(struct kunit *test)
{
	struct machine m = create(test, NULL);
	struct mock_dev *d2 = vg_add_dev(m.g, SID2);
	u64 root2 = vg_page(m.g), pages = 0;
	unsigned int i, round;

	set_quota(&m, 40);
	vg_translate(m.g, SID, 1, m.root);
	vg_translate(m.g, SID2, 1, m.root);
	vg_start(m.g);
	for (i = 0; i < 40; i++)
		map(&m, IOVA + i * 0x2000, VG_DATA + i * 0x1000);
	/* First mappings, then parts of 2 MiB that had some */
	for (round = 0; round < 2; round++) {
		KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
		KUNIT_EXPECT_EQ(test, round ? 0 : 40, m.g->v->nr_mappings);
		vg_translate(m.g, SID2, 2, root2);
		KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2));
		for (i = 0; i < 20; i++)
			vg_map(m.g, root2, 4, IOVA + i * (u64)SZ_2M,
			       VG_DATA + i * 0x1000, 12, VG_RW);
		KUNIT_EXPECT_TRUE(test, vg_flush_domain(m.g, 2));
		for (i = 0; i < 20; i++)
			KUNIT_ASSERT_TRUE(test,
					  comes(&m, d2, IOVA + i * (u64)SZ_2M,
						VG_DATA + i * 0x1000));
		for (i = 0; i < 40; i++)
			pages += vg_reaches(m.g, m.d, IOVA + i * 0x2000,
					    VG_DATA + i * 0x1000);
		KUNIT_EXPECT_EQ(test, 20, pages);
		if (round)
			break;
		/* Together again */
		vg_translate(m.g, SID2, 1, m.root);
		for (i = 0; i < 40; i++)
			vg_unmap(m.g, m.root, 4, IOVA + i * 0x2000, 12);
		KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
		for (i = 0; i < 60; i++) {
			u64 at = IOVA + (u64)i * SZ_2M;

			map(&m, at, VG_DATA);
			KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, at, 0));
			vg_unmap(m.g, m.root, 4, at, 12);
			KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, at, 0));
		}
		KUNIT_EXPECT_EQ(test, 40, m.g->v->gmem.nr_regions);
	}
}

static struct kviommu_gdomain *to_rebuild(struct machine *m)
{
	struct kviommu_gdomain *d;

	list_for_each_entry(d, &m->g->vt->f.domains, node)
		if (d->rebuild)
			return d;
	return NULL;
}

/* Translation goes off before what it has beyond its part is taken from it. */
static void vtd_quota_off(struct kunit *test)
{
	struct machine m = create(test, NULL);
	struct mock_dev *d2 = vg_add_dev(m.g, SID2);
	unsigned int i, done = 0;
	u64 root2 = vg_page(m.g);

	set_quota(&m, 40);
	vg_translate(m.g, SID, 1, m.root);
	vg_translate(m.g, SID2, 1, m.root);
	for (i = 0; i < 40; i++)
		map(&m, IOVA + i * 0x2000, VG_DATA + i * 0x1000);
	vg_start(m.g);
	/* It takes some steps to find that there is no room for all of this. */
	for (i = 0; i < 16; i++)
		vg_map(m.g, root2, 4, IOVA + i * (u64)SZ_2M, VG_DATA, 12, VG_RW);
	vg_translate(m.g, SID2, 2, root2);
	m.g->v->batch = 1;
	m.g->v->worker.dead = false;
	KUNIT_EXPECT_FALSE(test, vg_flush_device(m.g, SID2));
	/* The first try was before anything could be taken back. */
	for (i = 0; i < 400 && !to_rebuild(&m); i++)
		if (!kviommu_work(m.g->v, 1, &done))
			msleep(20);
	KUNIT_ASSERT_NOT_NULL(test, to_rebuild(&m));
	m.d->bus_master = true;
	vg_command(m.g, 0, VTD_GCMD_TE);
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
	/* Now nobody lacks it. */
	m.g->v->worker.dead = true;
	vg_set_context(m.g, SID2, 0, 0);
	vg_command(m.g, VTD_GCMD_TE, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d2));
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.count.failed);
	for (i = 0; i < 40; i++)
		KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d,
						   IOVA + i * 0x2000,
						   VG_DATA + i * 0x1000));
}

/* What fails again and again is not tried each time. */
static void vtd_backoff(struct kunit *test)
{
	struct machine m = create(test, NULL);
	unsigned int i;
	u64 failed;

	set_quota(&m, 20);
	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	for (i = 0; i < 512; i++)
		vg_set(m.g, m.root + 8 * i, m.root | 3);
	for (i = 0; i < 4; i++) {
		vg_flush_all(m.g);
		msleep(20);
	}
	failed = m.g->vt->f.count.failed;
	KUNIT_EXPECT_GE(test, failed, 1);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_LE(test, m.g->vt->f.count.failed, failed + 8);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	/* It is not even tried if nothing has changed. */
	settle(&m);
	failed = m.g->vt->f.count.failed;
	/* Mended, and said so when it is too early: it is looked at later. */
	for (i = 0; i < 512; i++)
		vg_set(m.g, m.root + 8 * i, 0);
	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	for (i = 0; i < 200 && mock_dev_blocked(m.d); i++)
		wait_retry(&m);
	KUNIT_EXPECT_EQ(test, failed, m.g->vt->f.count.failed);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

/* Tables that lead through themselves, and nowhere */
static void vtd_endless(struct kunit *test)
{
	struct machine m = create(test, NULL);
	u64 t3, t2, t1;
	unsigned int i;

	set_quota(&m, 100);
	t3 = vg_page(m.g);
	t2 = vg_page(m.g);
	t1 = vg_page(m.g);
	for (i = 0; i < 512; i++) {
		vg_set(m.g, m.root + 8 * i, t3 | 3);
		vg_set(m.g, t3 + 8 * i, t2 | 3);
		vg_set(m.g, t2 + 8 * i, t1 | 3);
	}
	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.count.failed);
	/* More entries than a quota's worth of them, but not many more */
	KUNIT_EXPECT_LT(test, m.g->vt->f.count.entries, 130 * 4 * 576);
	/* Mended, and said so once, when it is too early to look again */
	for (i = 0; i < 512; i++)
		vg_set(m.g, m.root + 8 * i, 0);
	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	settle(&m);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

/* As far apart as can be: each mapping has tables of its own. */
static void vtd_sparse(struct kunit *test)
{
	struct machine m = create(test, NULL);
	unsigned int i;

	set_quota(&m, 20);
	for (i = 0; i < 20; i++)
		map(&m, IOVA + ((u64)i << 39), VG_DATA + i * 0x1000);
	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d,
						   IOVA + ((u64)i << 39),
						   VG_DATA + i * 0x1000));
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.count.failed);
}

static void vtd_budget(struct kunit *test)
{
	struct machine m = create_legacy(test);
	unsigned int i, done = 0, rounds = 0;

	/* Each page of the table counts. */
	for (i = 0; i < 200; i++)
		map(&m, IOVA + i * (u64)SZ_2M, VG_DATA + i * 0x1000);
	m.g->v->batch = 1;
	m.g->v->worker.dead = false;
	KUNIT_EXPECT_FALSE(test, vg_flush_domain(m.g, 1));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_FALSE(test, vg_reaches(m.g, m.d, IOVA + 199 * (u64)SZ_2M,
					    VG_DATA + 199 * 0x1000));
	while (kviommu_work(m.g->v, 1, &done))
		rounds++;
	KUNIT_EXPECT_GT(test, rounds, 20);
	KUNIT_EXPECT_GE(test, done, rounds);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(*(__le32 *)vg_word(m.g, m.g->status)),
			m.g->waits);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 199 * (u64)SZ_2M,
					   VG_DATA + 199 * 0x1000));
	/* A command is complete when its bit says so. */
	vg_write(m.g, VTD_GCMD, VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_SRTP, 4);
	KUNIT_EXPECT_FALSE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_SRTP);
	/* The queue waits for it. */
	KUNIT_EXPECT_FALSE(test, vg_wait(m.g));
	vg_work(m.g);
	KUNIT_EXPECT_TRUE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_SRTP);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(*(__le32 *)vg_word(m.g, m.g->status)),
			m.g->waits);
	/* A device moves when its new domain is complete. */
	vg_translate(m.g, SID, 2, m.root);
	i = m.d->attaches;
	KUNIT_EXPECT_FALSE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_EQ(test, m.d->attaches, i);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	vg_work(m.g);
	KUNIT_EXPECT_EQ(test, m.d->attaches, i + 1);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
	/* Translation goes off in the middle of it. */
	vg_translate(m.g, SID, 3, m.root);
	KUNIT_EXPECT_FALSE(test, vg_flush_device(m.g, SID));
	vg_command(m.g, 0, VTD_GCMD_TE);
	KUNIT_EXPECT_EQ(test, m.d->hwpt, VG_PT);
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_domains);
}

/* Roots become others while a device's tables are walked. */
static void vtd_roots_move(struct kunit *test)
{
	struct machine m = create_legacy(test);
	unsigned int i, attaches, done = 0;
	const u64 last = 199 * (u64)SZ_2M;
	u64 root2 = vg_page(m.g);

	for (i = 0; i < 200; i++) {
		map(&m, IOVA + i * (u64)SZ_2M, VG_DATA);
		vg_map(m.g, root2, 4, IOVA + i * (u64)SZ_2M, VG_DATA + 0x1000,
		       12, VG_RW);
	}
	m.g->v->batch = 1;
	m.g->v->worker.dead = false;
	KUNIT_EXPECT_FALSE(test, vg_flush_domain(m.g, 1));
	/* The unit is not told of it yet, */
	m.g->root = vg_page(m.g);
	vg_translate(m.g, SID, 1, root2);
	vg_write(m.g, VTD_RTADDR, m.g->root, 8);
	kviommu_work(m.g->v, 1, &done);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + last));
	/* and now it is: the device keeps what it has until all is new. */
	attaches = m.d->attaches;
	vg_write(m.g, VTD_GCMD, VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_SRTP, 4);
	for (i = 0; m.d->attaches == attaches && i < 1000; i++) {
		KUNIT_EXPECT_FALSE(test, vg_read(m.g, VTD_GSTS, 4) &
					 VTD_GCMD_SRTP);
		KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
		kviommu_work(m.g->v, 1, &done);
	}
	KUNIT_EXPECT_EQ(test, attaches + 1, m.d->attaches);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA + 0x1000));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + last,
					   VG_DATA + 0x1000));
	vg_work(m.g);
	KUNIT_EXPECT_TRUE(test, vg_read(m.g, VTD_GSTS, 4) & VTD_GCMD_SRTP);
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
}

/* ---- groups, hosts ---- */

/* Nobody but the guest's own accesses does the work then. */
static void vtd_no_worker(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct mock_dev *d2;
	unsigned int i;

	for (i = 0; i < 512 * 3; i++)
		map(&m, IOVA + i * 0x2000, VG_DATA + i % 64 * 0x1000);
	m.g->v->worker.dead = true;
	m.g->v->batch = 1;
	vg_put_desc(m.g, 0x00010022, 0);
	vg_ring(m.g);
	KUNIT_EXPECT_EQ(test, 512 * 3, m.g->v->nr_mappings);
	/* Nobody writes when a device is plugged in: a read does it. */
	vg_translate(m.g, SID2, 1, m.root);
	d2 = vg_add_dev(m.g, SID2);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d2));
	vg_read(m.g, VTD_FSTS, 4);
	KUNIT_EXPECT_PTR_EQ(test, d2->domain, m.d->domain);
}

static unsigned int nr_blocked;

static void count_blocked(struct kviommu *v, struct kviommu_endpoint *ep,
			  struct kviommu_target *t)
{
	kviommu_vtd_model.resolve(v, ep, t);
	nr_blocked += t->state == KVIOMMU_BLOCKED;
}

/* Members of a group go together: with one of them left behind all are blocked. */
static void vtd_group_moves(struct kunit *test)
{
	struct machine m = { .g = vg_create(test, NULL) };
	static struct kviommu_model model;
	struct mock_dev *d2, *d3;
	u64 root2, root3;

	model = kviommu_vtd_model;
	model.resolve = count_blocked;
	m.g->v->model = &model;
	d3 = vg_add_dev(m.g, SID3);
	m.d = mock_add_dev(m.g->m, 0, NULL);
	d2 = mock_add_dev(m.g->m, 0, m.d);
	vg_plug(m.g, m.d, SID);
	vg_plug(m.g, d2, SID2);
	m.root = vg_page(m.g);
	root2 = vg_page(m.g);
	root3 = vg_page(m.g);
	vg_translate(m.g, SID, 1, m.root);
	vg_translate(m.g, SID2, 1, m.root);
	vg_translate(m.g, SID3, 3, root3);
	vg_start(m.g);
	vg_map(m.g, root2, 4, IOVA, VG_DATA, 12, VG_RW);
	nr_blocked = 0;
	/* To a domain that has to be made, to one that is there, */
	vg_translate(m.g, SID, 2, root2);
	vg_translate(m.g, SID2, 2, root2);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_EQ(test, 2, m.d->attaches);
	KUNIT_EXPECT_EQ(test, 0, nr_blocked);
	vg_translate(m.g, SID, 3, root3);
	vg_translate(m.g, SID2, 3, root3);
	KUNIT_EXPECT_TRUE(test, vg_desc(m.g, 1 << 4 | VTD_DESC_CC, 0));
	KUNIT_EXPECT_PTR_EQ(test, d3->domain, m.d->domain);
	KUNIT_EXPECT_EQ(test, 3, m.d->attaches);
	KUNIT_EXPECT_EQ(test, 0, nr_blocked);
	/* and to none. */
	vg_set_context(m.g, SID, VTD_TT_PASSTHROUGH << 2 | 1,
		       1 << 8 | VTD_AW_48);
	vg_set_context(m.g, SID2, VTD_TT_PASSTHROUGH << 2 | 1,
		       1 << 8 | VTD_AW_48);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_EQ(test, KVIOMMU_BYPASS, state(m.d));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
	KUNIT_EXPECT_EQ(test, 0, nr_blocked);
	m.g->v->model = &kviommu_vtd_model;
}

static void vtd_group(struct kunit *test)
{
	struct machine m = { .g = vg_create(test, NULL) };
	struct mock_dev *d2;
	unsigned int attaches;
	u64 root2;

	m.d = mock_add_dev(m.g->m, 0, NULL);
	d2 = mock_add_dev(m.g->m, 0, m.d);
	vg_plug(m.g, m.d, SID);
	vg_plug(m.g, d2, SID2);
	m.root = vg_page(m.g);
	root2 = vg_page(m.g);
	vg_translate(m.g, SID, 1, m.root);
	vg_start(m.g);
	/* It goes with the one that the guest translates, */
	KUNIT_EXPECT_EQ(test, KVIOMMU_TRANSLATED, state(m.d));
	KUNIT_EXPECT_EQ(test, KVIOMMU_TRANSLATED, state(d2));
	/* and none of both if it wants them to be apart. */
	vg_translate(m.g, SID2, 2, root2);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2));
	KUNIT_EXPECT_EQ(test, KVIOMMU_BLOCKED, state(m.d));
	vg_translate(m.g, SID, 2, root2);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_EQ(test, KVIOMMU_TRANSLATED, state(m.d));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_domains);
	/* Passed through is apart, too. */
	vg_set_context(m.g, SID, VTD_TT_PASSTHROUGH << 2 | 1,
		       1 << 8 | VTD_AW_48);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_EQ(test, KVIOMMU_BLOCKED, state(m.d));
	vg_set_context(m.g, SID2, 0, 0);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID2));
	KUNIT_EXPECT_EQ(test, KVIOMMU_BYPASS, state(m.d));
	/* Bypass stays bypass when translation is off, without a hole. */
	attaches = m.d->hwpt_attaches;
	vg_command(m.g, 0, VTD_GCMD_TE);
	KUNIT_EXPECT_EQ(test, KVIOMMU_BYPASS, state(m.d));
	KUNIT_EXPECT_EQ(test, attaches, m.d->hwpt_attaches);
}

static void vtd_reserved(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct mock_dev *d2;
	unsigned int i;
	u64 addr;
	u16 sid;

	map(&m, IOVA, VG_DATA);
	map(&m, IOVA + 0x1000, VG_DATA + 0x1000);
	map(&m, IOVA + 0x2000, VG_DATA + 0x2000);
	vg_translate(m.g, SID2, 1, m.root);
	vg_flush_all(m.g);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x1000,
					   VG_DATA + 0x1000));
	/* Plugged in later, and its host keeps an address for itself */
	d2 = mock_add_dev(m.g->m, 0, NULL);
	mock_add_resv(d2, IOVA + 0x1000, 0x1000, IOMMU_RESV_RESERVED);
	mock_dev_register(d2);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			kviommu_assign(m.g->v, d2->name, SID2));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x1000,
					   VG_DATA + 0x1000));
	vg_unmap(m.g, m.root, 4, IOVA + 0x1000, 12);
	vg_flush_all(m.g);
	/* The guest was told that all accesses snoop if it says so. */
	d2->incoherent = true;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			kviommu_assign(m.g->v, d2->name, SID2));
	d2->incoherent = false;
	/* From assigning on nothing is mapped there; the guest is told, once. */
	mock_assign(d2, SID2);
	map(&m, IOVA + 0x1000, VG_DATA + 0x1000);
	vg_flush_all(m.g);
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x1000));
	mock_bind(d2);
	KUNIT_ASSERT_EQ(test, 0, mock_attach(d2, VG_PT));
	vg_work(m.g);
	KUNIT_EXPECT_PTR_EQ(test, d2->domain, m.d->domain);
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, d2, IOVA + 0x1000));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, d2, IOVA + 0x2000,
					   VG_DATA + 0x2000));
	for (i = 0; i < 3; i++) {
		vg_flush_all(m.g);
		KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, d2, IOVA + 0x1000));
		KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.count.reserved);
	}
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_READ, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, addr, IOVA + 0x1000);
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults);
}

static void vtd_host_fails(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 addr;
	u16 sid;

	map(&m, IOVA + 0x1000, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA + 0x1000, 0));
	map(&m, IOVA, VG_DATA);
	m.g->m->fail_map = 1;
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x1000, VG_DATA));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_READ, vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, addr, IOVA);
	wait_retry(&m);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	/* It has no domain to give. */
	vg_translate(m.g, SID, 2, m.root);
	m.d->fail_attach = 1;
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_CTX_INVALID,
			vg_fault(m.g, &sid, &addr));
	/* An unmap that does not happen */
	mock_dev_reset(m.d);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	vg_unmap(m.g, m.root, 4, IOVA, 12);
	m.g->m->short_unmap = true;
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 2, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
}

/* What is no guest memory is not reached, and all else is. */
static void vtd_memory(struct kunit *test)
{
	struct machine m = create_legacy(test);

	map(&m, IOVA, VG_DATA);
	map(&m, IOVA + 0x1000, VG_END);
	map(&m, IOVA + 0x2000, VG_DATA + 0x2000);
	vg_map(m.g, m.root, 4, 0x80000000, 0x600000, 21, VG_RW);
	mock_mem_hole(m.g->m, 0x600000 + 0x5000, 0x1000, true);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA + 0x1000));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA + 0x2000,
					   VG_DATA + 0x2000));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, 0x80004000, 0x604000));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, 0x80005000));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, 0x801ff000, 0x7ff000));
	KUNIT_EXPECT_EQ(test, 0, vg_read(m.g, VTD_FSTS, 4));
	/* It comes. */
	mock_mem_hole(m.g->m, 0x600000 + 0x5000, 0x1000, false);
	mock_refill(m.g->m, UINT_MAX);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, 0x80005000, 0x605000));
	mock_mem_gone(m.g->m, VG_DATA, 0x1000);
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
}

/* Tables in memory that the VMM takes away and gives back */
static void vtd_tables_away(struct kunit *test)
{
	struct machine m = create_legacy(test);
	u64 ctx, table, addr;
	u16 sid;

	map(&m, IOVA, VG_DATA);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(m.g));
	ctx = vg_context(m.g, SID) & PAGE_MASK;
	table = vg_entry(m.g, m.root, 4, IOVA, 12, 0) & PAGE_MASK;
	/* Nobody looks at it meanwhile. */
	mock_mem_gone(m.g->m, table, 0x1000);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	KUNIT_EXPECT_TRUE(test, vg_flush_page(m.g, 1, IOVA, 0));
	KUNIT_EXPECT_TRUE(test, vg_nothing(m.g, m.d, IOVA));
	wait_retry(&m);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_SS_ACCESS,
			vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, 1, m.g->v->count.faults);
	KUNIT_EXPECT_NE(test, 0, m.g->v->refill_wait);
	mock_mem_hole(m.g->m, table, 0x1000, false);
	settle(&m);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));

	mock_mem_gone(m.g->m, ctx, 0x1000);
	KUNIT_EXPECT_TRUE(test, vg_flush_device(m.g, SID));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	wait_retry(&m);
	KUNIT_EXPECT_EQ(test, VTD_FAULT_L_CTX_ACCESS,
			vg_fault(m.g, &sid, &addr));
	KUNIT_EXPECT_EQ(test, 2, m.g->v->count.faults);
	mock_mem_hole(m.g->m, ctx, 0x1000, false);
	settle(&m);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

/* ---- registers ---- */

static void vtd_register_invalidation(struct kunit *test)
{
	struct machine m = create(test, NULL);
	struct vtd_guest *g = m.g;

	vg_write(g, VTD_RTADDR, g->root, 8);
	vg_command(g, VTD_GCMD_SRTP, 0);
	vg_command(g, VTD_GCMD_TE, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	vg_translate(g, SID, 1, m.root);
	/* Device, by halves */
	vg_write(g, VTD_CCMD, (u64)SID << 16, 4);
	vg_write(g, VTD_CCMD + 4, 0xe0000000, 4);
	KUNIT_EXPECT_EQ(test, 0x7800000000280000, vg_read(g, VTD_CCMD, 8));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d->domain));
	map(&m, IOVA, VG_DATA);
	vg_write(g, VTD_REG_IVA, IOVA, 8);
	vg_write(g, VTD_REG_IOTLB, 0xb000000200000000, 8);
	KUNIT_EXPECT_EQ(test, 0x3600000200000000, vg_read(g, VTD_REG_IOTLB, 8));
	KUNIT_EXPECT_TRUE(test, vg_nothing(g, m.d, IOVA));
	vg_write(g, VTD_REG_IOTLB, 0xb000000100000000, 8);
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA));
	vg_unmap(g, m.root, 4, IOVA, 12);
	vg_write(g, VTD_REG_IOTLB, 0xa000000100000000, 8);
	KUNIT_EXPECT_EQ(test, 0x2400000100000000, vg_read(g, VTD_REG_IOTLB, 8));
	KUNIT_EXPECT_TRUE(test, vg_nothing(g, m.d, IOVA));
	map(&m, IOVA, VG_DATA);
	vg_write(g, VTD_REG_IOTLB, 0x9000000000000000, 8);
	KUNIT_EXPECT_TRUE(test, vg_reaches(g, m.d, IOVA, VG_DATA));
	/* Refused: no such granularity, too many pages */
	vg_write(g, VTD_REG_IOTLB, 0x8000000000000000, 8);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_REG_IOTLB, 8));
	vg_write(g, VTD_REG_IVA, 0x3f, 8);
	vg_write(g, VTD_REG_IOTLB, 0xb000000100000000, 8);
	KUNIT_EXPECT_EQ(test, 0x3000000100000000, vg_read(g, VTD_REG_IOTLB, 8));
	vg_write(g, VTD_CCMD, 0x8000000000000000, 8);
	KUNIT_EXPECT_EQ(test, 0, vg_read(g, VTD_CCMD, 8));
	/* With the queue on */
	vg_command(g, VTD_GCMD_QIE, 0);
	vg_write(g, VTD_CCMD, 0xa000000000000000, 8);
	KUNIT_EXPECT_EQ(test, 0x2000000000000000, vg_read(g, VTD_CCMD, 8));
}

static void vtd_commands(struct kunit *test)
{
	struct machine m = create_legacy(test);
	struct vtd_guest *g = m.g;
	u32 on = VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_SRTP;

	KUNIT_EXPECT_EQ(test, on, vg_read(g, VTD_GSTS, 4));
	vg_write(g, VTD_IRTA, 0x123456789000 | 0x80f, 8);
	vg_command(g, VTD_GCMD_SIRTP, 0);
	vg_command(g, VTD_GCMD_IRE, 0);
	vg_command(g, VTD_GCMD_CFI, 0);
	vg_command(g, 0, VTD_GCMD_IRE);
	vg_command(g, 0, VTD_GCMD_CFI);
	KUNIT_EXPECT_EQ(test, on | VTD_GCMD_SIRTP, vg_read(g, VTD_GSTS, 4));
	KUNIT_EXPECT_EQ(test, 0x12345678980f, vg_read(g, VTD_IRTA, 8));
	/* Without a meaning here */
	vg_write(g, VTD_GCMD, VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_WBF, 4);
	vg_write(g, VTD_GCMD, VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_SFL |
		 VTD_GCMD_EAFL, 4);
	KUNIT_EXPECT_EQ(test, on | VTD_GCMD_SIRTP, vg_read(g, VTD_GSTS, 4));
	/* One that writes back all that it has read */
	vg_write(g, VTD_GCMD, vg_read(g, VTD_GSTS, 4), 4);
	KUNIT_EXPECT_EQ(test, on | VTD_GCMD_SIRTP, vg_read(g, VTD_GSTS, 4));
	KUNIT_EXPECT_EQ(test, m.d->attaches, 1);
	/* The root pointer counts from SRTP on. */
	vg_write(g, VTD_RTADDR, 0, 8);
	KUNIT_EXPECT_TRUE(test, vg_flush_all(g));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d->domain));
	vg_command(g, VTD_GCMD_SRTP, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
}

static void vtd_life(struct kunit *test)
{
	struct machine m = create_legacy(test);
	char name[32];

	map(&m, IOVA, VG_DATA);
	vg_flush_all(m.g);
	/* Closed, and opened again: it is where the tables say. */
	kviommu_dev_detach(m.d->kdev);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	KUNIT_ASSERT_EQ(test, 0, mock_attach(m.d, VG_PT));
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	kviommu_dev_unbind(m.d->kdev, false);
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_domains);
	mock_bind(m.d);
	KUNIT_ASSERT_EQ(test, 0, mock_attach(m.d, VG_PT));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	vg_work(m.g);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
	/* Unplugged with something left to do */
	m.g->v->batch = 1;
	m.g->v->worker.dead = false;
	strscpy(name, m.d->name);
	kviommu_dev_unbind(m.d->kdev, false);
	mock_bind(m.d);
	KUNIT_ASSERT_EQ(test, 0, mock_attach(m.d, VG_PT));
	KUNIT_EXPECT_EQ(test, 1, m.g->vt->f.nr_recheck);
	kviommu_dev_unbind(m.d->kdev, false);
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(m.g->v, name));
	KUNIT_EXPECT_EQ(test, 0, m.g->vt->f.nr_recheck);
	vg_work(m.g);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(m.g->v, name, SID));
	/* Guest memory goes and comes, as a whole. */
	mock_bind(m.d);
	KUNIT_ASSERT_EQ(test, 0, mock_attach(m.d, VG_PT));
	vg_work(m.g);
	kviommu_memory(m.g->v, false);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d));
	kviommu_memory(m.g->v, true);
	KUNIT_EXPECT_TRUE(test, vg_reaches(m.g, m.d, IOVA, VG_DATA));
}

/* ---- random ---- */

#define PAGES	64

static const struct config {
	const char *name;
	struct vtd_guest_options o;
} configs[] = {
	{ "legacy", { MOCK_CONTIGUOUS } },
	{ "legacy, on demand", { MOCK_RUNS, .demand = true } },
	{ "second stage", { MOCK_SCATTERED, .scalable = true } },
	{ "first stage", { MOCK_SCATTERED, .scalable = true,
			   .first_stage = true } },
	{ "first stage, on demand", { MOCK_RUNS, .demand = true,
				      .scalable = true, .first_stage = true } },
};

KUNIT_ARRAY_PARAM_DESC(config, configs, name);

/* Two domains change at random; each invalidation is for what it says. */
static void vtd_random(struct kunit *test)
{
	const struct config *c = test->param_value;
	struct machine m = create(test, &c->o);
	struct vtd_guest *g = m.g;
	struct mock_dev *d[2] = { m.d, vg_add_dev(g, SID2) };
	u64 root[2] = { m.root, vg_page(g) };
	static u64 table[2][PAGES], seen[2][PAGES];
	bool fs = c->o.first_stage;
	u64 bits = fs ? VTD_FS_P | VTD_FS_RW | VTD_FS_US : VG_RW;
	unsigned int round, i, k, n, first;
	struct rnd_state rnd;

	memset(table, 0, sizeof(table));
	memset(seen, 0, sizeof(seen));
	mock_seed(test, &rnd, c - configs);
	for (k = 0; k < 2; k++) {
		u16 sid = k ? SID2 : SID;

		if (fs)
			vg_set_pasid(g, sid, VTD_PGTT_FS, k + 1, root[k], 0);
		else if (c->o.scalable)
			vg_set_pasid(g, sid, VTD_PGTT_SS, k + 1, 0, root[k]);
		else
			vg_translate(g, sid, k + 1, root[k]);
	}
	vg_start(g);
	for (round = 0; round < 300; round++) {
		for (n = mock_below(&rnd, 6); n; n--) {
			k = mock_below(&rnd, 2);
			i = mock_below(&rnd, PAGES);
			table[k][i] = mock_below(&rnd, 3) ?
				VG_DATA + mock_below(&rnd, 500) * 0x1000 : 0;
			if (table[k][i])
				vg_map(g, root[k], 4, IOVA + i * 0x1000,
				       table[k][i], 12, bits);
			else
				vg_unmap(g, root[k], 4, IOVA + i * 0x1000, 12);
		}
		k = mock_below(&rnd, 2);
		first = 0;
		n = PAGES;
		switch (mock_below(&rnd, 4)) {
		case 0:
			KUNIT_EXPECT_TRUE(test, vg_flush_all(g));
			memcpy(seen, table, sizeof(seen));
			break;
		case 1:
			KUNIT_EXPECT_TRUE(test, vg_flush_domain(g, k + 1));
			break;
		default:
			i = mock_below(&rnd, 5);
			n = 1 << i;
			first = mock_below(&rnd, PAGES) & ~(n - 1);
			if (fs)
				KUNIT_EXPECT_TRUE(test, vg_desc(g, 0x36 |
					(k + 1) << 16, (IOVA + first * 0x1000) | i));
			else
				KUNIT_EXPECT_TRUE(test,
						  vg_flush_page(g, k + 1,
								IOVA + first * 0x1000, i));
		}
		memcpy(&seen[k][first], &table[k][first], n * 8);
		for (k = 0; k < 2; k++) {
			for (i = 0; i < PAGES; i++) {
				u64 iova = IOVA + i * 0x1000;

				if (seen[k][i] ?
				    vg_reaches(g, d[k], iova, seen[k][i]) :
				    vg_nothing(g, d[k], iova))
					continue;
				KUNIT_FAIL(test, "round %u: IOVA 0x%llx of %u is not 0x%llx",
					   round, iova, k, seen[k][i]);
				return;
			}
		}
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(vtd_capabilities),
	KUNIT_CASE(vtd_off),
	KUNIT_CASE(vtd_pages),
	KUNIT_CASE(vtd_hitless),
	KUNIT_CASE(vtd_other_domains),
	KUNIT_CASE(vtd_known_tables),
	KUNIT_CASE(vtd_unknown_tables),
	KUNIT_CASE(vtd_device_scope),
	KUNIT_CASE(vtd_same_did),
	KUNIT_CASE(vtd_passthrough),
	KUNIT_CASE(vtd_modes),
	KUNIT_CASE(vtd_marks),
	KUNIT_CASE(vtd_marks_changed),
	KUNIT_CASE(vtd_marks_readonly),
	KUNIT_CASE(vtd_tables_readonly),
	KUNIT_CASE(vtd_marks_shared),
	KUNIT_CASE(vtd_write_buffer),
	KUNIT_CASE(vtd_off_quiet),
	KUNIT_CASE(vtd_off_busy),
	KUNIT_CASE(vtd_reset),
	KUNIT_CASE(vtd_context_faults),
	KUNIT_CASE(vtd_table_faults),
	KUNIT_CASE(vtd_host_faults),
	KUNIT_CASE(vtd_quota),
	KUNIT_CASE(vtd_quota_share),
	KUNIT_CASE(vtd_quota_left),
	KUNIT_CASE(vtd_quota_off),
	KUNIT_CASE(vtd_backoff),
	KUNIT_CASE(vtd_endless),
	KUNIT_CASE(vtd_sparse),
	KUNIT_CASE(vtd_budget),
	KUNIT_CASE(vtd_roots_move),
	KUNIT_CASE(vtd_no_worker),
	KUNIT_CASE(vtd_group),
	KUNIT_CASE(vtd_group_moves),
	KUNIT_CASE(vtd_reserved),
	KUNIT_CASE(vtd_host_fails),
	KUNIT_CASE(vtd_memory),
	KUNIT_CASE(vtd_tables_away),
	KUNIT_CASE(vtd_register_invalidation),
	KUNIT_CASE(vtd_commands),
	KUNIT_CASE(vtd_life),
	KUNIT_CASE_PARAM(vtd_random, config_gen_params),
	{}
};

static struct kunit_suite suite = {
	.name = "kviommu_vtd",
	.exit = vg_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
