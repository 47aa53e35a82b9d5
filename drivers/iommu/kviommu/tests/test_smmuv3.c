// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SMMUv3 model as a whole: a guest that programs the SMMU, and what its
 * devices reach through the host's IOMMU then.
 */

#include "mock.h"
#include "smmuv3/smmuv3.h"

#define CHUNKS		4
#define PT		7		/* the VMM's page table */
#define SID		0x28
#define SID2		0x30
#define IOVA		0x40000000ULL

/* Guest physical addresses; tables are made from TABLES on. */
#define STRTAB		0x10000		/* 64 entries */
#define CMDQ		0x20000
#define CMDQ_LOG2	8
#define EVENTQ		0x21000
#define EVENTQ_LOG2	3
#define MSI		0x22000
#define TABLES		0x30000
#define DATA		0x200000
#define READ_ONLY_GPA	0x600000	/* where no test has pinned anything */

#define PAGE		0xc43ULL	/* valid, AF, nG, unprivileged; read, write */
#define READ_ONLY	0xcc3ULL
#define BLOCK		0xc41ULL
#define GLOBAL_PAGE	0x443ULL
#define S2_PAGE		0x4ffULL	/* valid, AF, normal memory, read, write */

struct guest {
	struct mock *m;
	struct kviommu *v;
	struct kviommu_smmu *sm;
	struct mock_dev *d;
	u64 free;
	u64 root;	/* of the first stage of SID */
	u64 cd;
	u32 prod;
	u32 events;	/* EVENTQ_CONS */
};

static u32 get(struct guest *g, u32 reg)
{
	return mock_read(g->v, reg, 4);
}

static void put(struct guest *g, u32 reg, u64 val, size_t len)
{
	mock_write(g->v, reg, val, len);
}

static void set(struct guest *g, u64 gpa, u64 val)
{
	*(__le64 *)mock_mem_ptr(g->m, gpa) = cpu_to_le64(val);
}

static u64 word(struct guest *g, u64 gpa)
{
	return le64_to_cpu(*(__le64 *)mock_mem_ptr(g->m, gpa));
}

static u64 new_page(struct guest *g)
{
	u64 gpa = g->free;

	KUNIT_ASSERT_LT(g->m->test, gpa, DATA);
	g->free += 4096;
	memset(mock_mem_ptr(g->m, gpa), 0, 4096);
	return gpa;
}

/* Tables of 4 KiB, from level 0 on; @shift is the size of what is mapped. */
static void map_in(struct guest *g, u64 root, u64 iova, u64 entry,
		   unsigned int shift)
{
	unsigned int at = 39;
	u64 table = root, next;

	for (; at > shift; at -= 9) {
		u64 where = table + 8 * (iova >> at & 511);

		next = word(g, where);
		if (!next) {
			next = new_page(g) | 3;
			set(g, where, next);
		}
		table = next & SMMU_PTE_ADDR;
	}
	set(g, table + 8 * (iova >> at & 511), entry);
}

static void map(struct guest *g, u64 iova, u64 gpa)
{
	map_in(g, g->root, iova, gpa | PAGE, 12);
}

static void unmap(struct guest *g, u64 iova)
{
	map_in(g, g->root, iova, 0, 12);
}

/* ---- commands ---- */

static void put_cmd(struct guest *g, u64 w0, u64 w1)
{
	u64 at = CMDQ + (g->prod & (BIT(CMDQ_LOG2) - 1)) * 16;

	set(g, at, w0);
	set(g, at + 8, w1);
	g->prod = (g->prod + 1) & (BIT(CMDQ_LOG2 + 1) - 1);
}

/* Everything was done, without an error. */
static bool ring(struct guest *g)
{
	put(g, SMMU_CMDQ_PROD, g->prod, 4);
	return get(g, SMMU_CMDQ_CONS) == g->prod;
}

static bool sync(struct guest *g)
{
	put_cmd(g, SMMU_CMD_SYNC, 0);
	return ring(g);
}

static bool cmd(struct guest *g, u64 w0, u64 w1)
{
	put_cmd(g, w0, w1);
	return sync(g);
}

static bool cfgi(struct guest *g, u32 sid)
{
	return cmd(g, SMMU_CMD_CFGI_STE | (u64)sid << 32, 1);
}

static bool tlbi_va(struct guest *g, u16 vmid, u16 asid, u64 va)
{
	return cmd(g, SMMU_CMD_TLBI_NH_VA | (u64)vmid << 32 | (u64)asid << 48,
		   va | 1);
}

static bool tlbi_asid(struct guest *g, u16 vmid, u16 asid)
{
	return cmd(g, SMMU_CMD_TLBI_NH_ASID | (u64)vmid << 32 |
		   (u64)asid << 48, 0);
}

/* ---- configuration ---- */

static u64 ste(u32 sid)
{
	return STRTAB + sid * SMMU_STE_SIZE;
}

static void set_config(struct guest *g, u32 sid, unsigned int config)
{
	set(g, ste(sid), g->cd | config << 1 | SMMU_STE0_V);
}

static void fill_cd(struct guest *g, u64 at, u16 asid, u64 root)
{
	set(g, at + 8, root);
	set(g, at, 16 | SMMU_CD0_EPD1 | SMMU_CD0_V | 5ULL << 32 |
	    SMMU_CD0_AA64 | SMMU_CD0_R | SMMU_CD0_A | (u64)asid << 48);
}

/* A second stage of 4 levels at @root, for 48 bits */
static void fill_s2(struct guest *g, u32 sid, u16 vmid, u64 root)
{
	set(g, ste(sid) + 24, root);
	set(g, ste(sid) + 16, vmid | 16ULL << 32 | 2ULL << 38 | 5ULL << 48 |
	    SMMU_STE2_S2AA64 | SMMU_STE2_S2R);
}

static void enable(struct guest *g)
{
	u32 all = SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN;

	put(g, SMMU_STRTAB_BASE, STRTAB, 8);
	put(g, SMMU_STRTAB_BASE_CFG, 6, 4);
	put(g, SMMU_CMDQ_BASE, CMDQ | CMDQ_LOG2, 8);
	put(g, SMMU_CMDQ_PROD, g->prod, 4);
	put(g, SMMU_CMDQ_CONS, g->prod, 4);
	put(g, SMMU_EVENTQ_BASE, EVENTQ | EVENTQ_LOG2, 8);
	put(g, SMMU_CR2, SMMU_CR2_RECINVSID, 4);
	put(g, SMMU_CR0, all, 4);
	KUNIT_EXPECT_EQ(g->m->test, get(g, SMMU_CR0ACK), all);
}

static void plug(struct guest *g, struct mock_dev *d, u32 sid)
{
	mock_assign(d, sid);
	mock_bind(d);
	KUNIT_ASSERT_EQ(g->m->test, 0, mock_attach(d, PT));
}

static struct guest *create(struct kunit *test)
{
	struct mock *m = mock_create(test, &kviommu_smmuv3_model);
	struct guest *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, g);
	mock_seed(test, &rnd, 0x53);
	mock_mem_create(m, CHUNKS, MOCK_CONTIGUOUS, &rnd);
	g->m = m;
	g->v = &m->v;
	g->sm = to_smmu(m->v.model_priv);
	g->free = TABLES;
	m->v.late_mappings = true;
	/* Nobody else works on the queue: a write of its index does it all. */
	m->v.worker.dead = true;
	mock_open(m);
	kviommu_memory(g->v, true);
	memset(mock_mem_ptr(m, STRTAB), 0, 64 * SMMU_STE_SIZE);
	g->d = mock_add_dev(m, 0, NULL);
	plug(g, g->d, SID);
	g->root = new_page(g);
	g->cd = new_page(g);
	fill_cd(g, g->cd, 1, g->root);
	return g;
}

/* SID2, for which the host reserves IOVA */
static struct mock_dev *plug_reserved(struct guest *g)
{
	struct mock_dev *d = mock_add_dev(g->m, 0, NULL);

	mock_add_resv(d, IOVA, 0x1000, IOMMU_RESV_RESERVED);
	plug(g, d, SID2);
	return d;
}

static void smmu_test_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

/* With a first stage for SID, in effect */
static struct guest *create_s1(struct kunit *test)
{
	struct guest *g = create(test);

	set_config(g, SID, 5);
	enable(g);
	KUNIT_EXPECT_TRUE(test, mock_is_paging(g->d->domain));
	return g;
}

static struct mock_pte *pte_of(struct mock_dev *d, u64 iova)
{
	return mock_is_paging(d->domain) ?
		mock_pte(mock_domain(d->domain), iova) : NULL;
}

static bool reaches(struct guest *g, struct mock_dev *d, u64 iova, u64 gpa)
{
	struct mock_pte *pte = pte_of(d, iova);

	return pte && pte->pa + (iova - pte->iova) ==
		      page_to_phys(g->m->mem.pages[gpa >> PAGE_SHIFT].page) +
		      offset_in_page(gpa);
}

static bool nothing(struct mock_dev *d, u64 iova)
{
	return mock_is_paging(d->domain) && !pte_of(d, iova);
}

/* Take an event: its number, or 0 if there is none. */
static u8 event(struct guest *g, u64 *words)
{
	u64 at = EVENTQ + (g->events & (BIT(EVENTQ_LOG2) - 1)) * 32;
	unsigned int i;

	if ((get(g, SMMU_EVENTQ_PROD) & SMMU_Q_INDEX) == g->events)
		return 0;
	for (i = 0; i < 4; i++)
		words[i] = word(g, at + 8 * i);
	g->events = (g->events + 1) & (BIT(EVENTQ_LOG2 + 1) - 1);
	put(g, SMMU_EVENTQ_CONS, g->events, 4);
	return words[0] & 0xff;
}

/* ---- the tests ---- */

static void refused_without_consent(struct kunit *test)
{
	struct mock *m = mock_create(test, &kviommu_smmuv3_model);
	struct mock_dev *d = mock_add_dev(m, 0, NULL);

	mock_dev_register(d);
	KUNIT_EXPECT_EQ(test, -EPERM, kviommu_assign(&m->v,
						     d->name,
						     SID));
	m->v.late_mappings = true;
	KUNIT_EXPECT_NOT_NULL(test, mock_assign(d, SID));
}

static void capabilities(struct kunit *test)
{
	static const struct {
		u8 width;
		u8 oas;
	} oas[] = { { 32, 0 }, { 39, 1 }, { 40, 2 }, { 43, 3 }, { 47, 4 },
		    { 48, 5 }, { 57, 5 }, { 63, 5 } };
	struct guest *g = create(test);
	struct kviommu *v = g->v;
	unsigned int i;
	u32 idr[6];

	KUNIT_EXPECT_EQ(test, get(g, SMMU_IDR0) &
			(SMMU_IDR0_HTTU | SMMU_IDR0_HYP | SMMU_IDR0_ATS |
			 SMMU_IDR0_PRI | SMMU_IDR0_SEV | SMMU_IDR0_BTM), 0);
	/* What AIDR says must be there: HAD and XNX */
	KUNIT_EXPECT_EQ(test, get(g, SMMU_AIDR), 1);
	KUNIT_EXPECT_EQ(test, get(g, SMMU_IDR3), BIT(2) | BIT(4) | BIT(10));
	KUNIT_EXPECT_EQ(test, get(g, SMMU_IDR5), 0x75);
	mutex_lock(&v->lock);
	for (i = 0; i < ARRAY_SIZE(oas); i++) {
		v->frozen.last = GENMASK_ULL(oas[i].width - 1, 0);
		smmu_idr(v, idr);
		KUNIT_EXPECT_EQ(test, FIELD_GET(SMMU_IDR5_OAS, idr[5]),
				oas[i].oas);
	}
	/* Hosts with larger pages */
	v->frozen.page_sizes = SZ_16K | SZ_32M;
	smmu_idr(v, idr);
	KUNIT_EXPECT_EQ(test, idr[5] & 0x70, 0x60);
	v->frozen.page_sizes = SZ_64K | SZ_512M;
	smmu_idr(v, idr);
	KUNIT_EXPECT_EQ(test, idr[5] & 0x70, 0x40);
	mutex_unlock(&v->lock);
}

static void gbpa(struct kunit *test)
{
	struct guest *g = create(test);

	/* Firmware boots from it. */
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
	put(g, SMMU_GBPA, SMMU_GBPA_ABORT, 4);
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
	put(g, SMMU_GBPA, SMMU_GBPA_ABORT | SMMU_GBPA_UPDATE, 4);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	put(g, SMMU_GBPA, SMMU_GBPA_UPDATE, 4);
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
	/* While the SMMU is enabled it does not apply. */
	set_config(g, SID, 5);
	enable(g);
	put(g, SMMU_GBPA, SMMU_GBPA_ABORT | SMMU_GBPA_UPDATE, 4);
	KUNIT_EXPECT_TRUE(test, mock_is_paging(g->d->domain));
	put(g, SMMU_CR0, 0, 4);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	KUNIT_EXPECT_EQ(test, 0, g->sm->f.nr_domains);
}

static void configs(struct kunit *test)
{
	struct guest *g = create(test);
	u64 words[4];
	unsigned int i;

	set_config(g, SID, 0);
	enable(g);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	set_config(g, SID, 4);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
	set_config(g, SID, 5);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID + 1));
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
	/* A range of StreamIDs that has it */
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_CFGI_STE_RANGE |
				    (u64)(SID ^ 5) << 32, 2));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(g->d->domain));
	KUNIT_EXPECT_EQ(test, event(g, words), 0);
	/* Not valid, and its event, once */
	set(g, ste(SID), 0);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_CFGI_STE_RANGE, 31));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	KUNIT_EXPECT_EQ(test, event(g, words), SMMU_EVENT_C_BAD_STE);
	KUNIT_EXPECT_EQ(test, words[0] >> 32, SID);
	KUNIT_EXPECT_EQ(test, event(g, words), 0);
	/* A context descriptor that is not */
	set_config(g, SID, 5);
	set(g, g->cd, 0);
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_CFGI_CD | (u64)SID << 32, 0));
	KUNIT_EXPECT_EQ(test, event(g, words), SMMU_EVENT_C_BAD_CD);
	fill_cd(g, g->cd, 1, g->root);
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_CFGI_CD_ALL | (u64)SID << 32,
				    0));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(g->d->domain));
}

static void pages(struct kunit *test)
{
	struct guest *g = create_s1(test);
	u64 serial;

	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA));
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	/* Others are left alone: of another ASID, VMID, and page */
	map(g, IOVA, DATA + 0x5000);
	map(g, IOVA + 0x1000, DATA + 0x1000);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 2, IOVA));
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 1, 1, IOVA));
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA + 0x1000));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + 0x1000, DATA + 0x1000));
	serial = pte_of(g->d, IOVA + 0x1000)->serial;
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA + 0x5000));
	KUNIT_EXPECT_EQ(test, pte_of(g->d, IOVA + 0x1000)->serial, serial);
	/* Read-only, and away: two pages at once, of any ASID */
	map_in(g, g->root, IOVA, DATA | READ_ONLY, 12);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA));
	KUNIT_EXPECT_FALSE(test, pte_of(g->d, IOVA)->prot & IOMMU_WRITE);
	unmap(g, IOVA);
	unmap(g, IOVA + 0x1000);
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_NH_VAA | 1 << 12,
				    IOVA | 1 << 10));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA + 0x1000));
	KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
}

/* What is the same in all address spaces is invalidated with any of them. */
static void global_pages(struct kunit *test)
{
	struct guest *g = create_s1(test);
	struct mock_dev *d = mock_add_dev(g->m, 0, NULL);
	u64 root = new_page(g), cd = new_page(g);

	plug(g, d, SID2);
	fill_cd(g, cd, 2, root);
	set(g, ste(SID2), cd | 5 << 1 | SMMU_STE0_V);
	map_in(g, root, IOVA, DATA | PAGE, 12);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID2));
	KUNIT_EXPECT_TRUE(test, reaches(g, d, IOVA, DATA));
	KUNIT_EXPECT_FALSE(test, g->sm->global);
	map_in(g, root, IOVA, DATA | GLOBAL_PAGE, 12);
	map_in(g, g->root, IOVA, DATA | GLOBAL_PAGE, 12);
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_NH_ALL, 0));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	map_in(g, root, IOVA, 0, 12);
	map_in(g, g->root, IOVA, 0, 12);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA));
	KUNIT_EXPECT_TRUE(test, nothing(d, IOVA));
}

/* A block is invalidated by any address in it. */
static void blocks(struct kunit *test)
{
	struct guest *g = create_s1(test);

	map_in(g, g->root, IOVA, SZ_2M | BLOCK, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + 0x1ff000,
					SZ_2M + 0x1ff000));
	map_in(g, g->root, IOVA, 0, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA + 0x12000));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA + 0x1ff000));
	KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
	/* And found again by its level */
	map_in(g, g->root, IOVA, SZ_4M | BLOCK, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, (IOVA + 0x12000) | 1 << 10 |
					2 << 8));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + 0x1ff000,
					SZ_4M + 0x1ff000));
}

/* As large as it is, and whatever the host makes of it */
static void large_blocks(struct kunit *test)
{
	struct guest *g = create_s1(test);

	map_in(g, g->root, IOVA, BLOCK, 30);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + DATA, DATA));
	map_in(g, g->root, IOVA, 0, 30);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA + SZ_1G - 0x1000));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA + DATA));
	KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
	/* What was pages is a block, which leads to the same. */
	map(g, IOVA + 0x1000, DATA + 0x1000);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA + 0x1000));
	map_in(g, g->root, IOVA, DATA | BLOCK, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	map_in(g, g->root, IOVA, 0, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA + 0x1000));
	KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
}

/* A block of the first stage is one, however the second one divides it. */
static void nested_blocks(struct kunit *test)
{
	struct guest *g = create(test);
	u64 s2 = new_page(g), ipa = 0x7000000, i;

	fill_s2(g, SID, 3, s2);
	for (i = 0; i < DATA; i += 0x1000)
		map_in(g, s2, i, i | S2_PAGE, 12);
	for (i = 0; i < 16; i++)
		map_in(g, s2, ipa + i * 0x1000,
		       (DATA + (i ^ 1) * 0x1000) | S2_PAGE, 12);
	set_config(g, SID, 7);
	enable(g);
	map_in(g, g->root, IOVA, ipa | BLOCK, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 3, 1));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA + 0x1000));
	KUNIT_EXPECT_EQ(test, 16, g->v->nr_mappings);
	map_in(g, g->root, IOVA, 0, 21);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 3, 1, IOVA + 0x5000));
	KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
}

/* The address of a block may be one that the host has kept out of it. */
static void reserved_blocks(struct kunit *test)
{
	static const struct {
		u32 first;
		u32 last;
		u32 mapped;
	} parts[] = {
		{ 0, 0xfffff, 0x100000 },
		{ 0x80000, 0xfffff, 0 },
		{ 0x80000, 0xfffff, 0x1ff000 },
		{ 0x100000, 0x1fffff, 0xff000 },
	};
	struct guest *g = create_s1(test);
	struct mock_dev *d = mock_add_dev(g->m, 0, NULL);
	unsigned int i;
	u64 iova;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		mock_add_resv(d, IOVA + i * SZ_2M + parts[i].first,
			      parts[i].last - parts[i].first + 1,
			      IOMMU_RESV_RESERVED);
	plug(g, d, SID2);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		iova = IOVA + i * SZ_2M;
		map_in(g, g->root, iova, DATA | BLOCK, 21);
		KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
		KUNIT_EXPECT_TRUE(test, nothing(g->d, iova + parts[i].first));
		KUNIT_EXPECT_TRUE(test, reaches(g, g->d, iova + parts[i].mapped,
						DATA + parts[i].mapped));
		map_in(g, g->root, iova, 0, 21);
		KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1,
						iova + parts[i].first));
		KUNIT_EXPECT_TRUE(test, nothing(g->d, iova + parts[i].mapped));
		KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
	}
}

/* What is not changed is not touched, whatever is invalidated. */
static void hitless(struct kunit *test)
{
	struct guest *g = create_s1(test);
	struct mock_domain *d = mock_domain(g->d->domain);
	unsigned int i;
	u64 serial;

	for (i = 0; i < 100; i++)
		map(g, IOVA + i * 0x3000, DATA + (i * 7 % 100) * 0x1000);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_EQ(test, 100, g->v->nr_mappings);
	serial = d->serial;
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_NSNH_ALL, 0));
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_NH_ALL, 0));
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_S12_VMALL, 0));
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, d->serial, serial);
	KUNIT_EXPECT_PTR_EQ(test, &d->domain, g->d->domain);
	KUNIT_EXPECT_EQ(test, g->d->attaches, 1);
	KUNIT_EXPECT_GT(test, g->sm->f.count.tables_same, 3);
}

/* What is only mapped is found by what is said in the documentation. */
static void late(struct kunit *test)
{
	struct guest *g = create_s1(test);

	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	map(g, IOVA + 0x1000, DATA);
	/* A CMD_SYNC that has others to wait for, and one that has none */
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA + 0x8000));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA + 0x1000));
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_PREFETCH_CONFIG, 0));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + 0x1000, DATA));
	map(g, IOVA + 0x2000, DATA);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + 0x2000, DATA));
}

/* Second stage alone, and nested */
static void second_stage(struct kunit *test)
{
	struct guest *g = create(test);
	u64 s2 = new_page(g), i;

	fill_s2(g, SID, 3, s2);
	map_in(g, s2, IOVA, DATA | S2_PAGE, 12);
	set_config(g, SID, 6);
	enable(g);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	map_in(g, s2, IOVA, (DATA + 0x1000) | S2_PAGE, 12);
	/* Of another VMID, and of first stages */
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_S2_IPA | 4ULL << 32,
				    IOVA));
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 3, 0, IOVA));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_S2_IPA | 3ULL << 32,
				    IOVA));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA + 0x1000));

	/* Nested: tables are where the second stage says. */
	for (i = 0; i < DATA; i += 0x1000)
		map_in(g, s2, i, i | S2_PAGE, 12);
	map_in(g, s2, 0x7000000, (DATA + 0x4000) | S2_PAGE, 12);
	map(g, IOVA, 0x7000000);
	set_config(g, SID, 7);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA + 0x4000));
	map_in(g, s2, 0x7000000, (DATA + 0x5000) | S2_PAGE, 12);
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_S2_IPA | 3ULL << 32,
				    0x7000000));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA + 0x5000));
	map_in(g, s2, 0x7000000, 0, 12);
	KUNIT_EXPECT_TRUE(test, cmd(g, SMMU_CMD_TLBI_S12_VMALL | 3ULL << 32,
				    0));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA));
}

/* Two streams with the same tables share a domain. */
static void shared(struct kunit *test)
{
	struct guest *g = create_s1(test);
	struct mock_dev *d = mock_add_dev(g->m, 0, NULL);
	u64 root = new_page(g), cd = new_page(g);

	plug(g, d, SID2);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d));
	map(g, IOVA, DATA);
	set_config(g, SID2, 5);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID2));
	KUNIT_EXPECT_EQ(test, 1, g->sm->f.nr_domains);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_TRUE(test, reaches(g, d, IOVA, DATA));
	/* The other one has tables of its own. */
	fill_cd(g, cd, 2, root);
	map_in(g, root, IOVA, (DATA + 0x1000) | PAGE, 12);
	set(g, ste(SID2), cd | 5 << 1 | SMMU_STE0_V);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID2));
	KUNIT_EXPECT_EQ(test, 2, g->sm->f.nr_domains);
	KUNIT_EXPECT_TRUE(test, reaches(g, d, IOVA, DATA + 0x1000));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
}

/* What is mapped in a domain that a stream is on its way to is found, too. */
static void shared_later(struct kunit *test)
{
	struct guest *g = create_s1(test);
	u64 root = new_page(g), cd = new_page(g);
	struct kviommu_gdomain *d;
	unsigned int i, done = 0;

	fill_cd(g, cd, 2, root);
	for (i = 0; i < 16; i++)
		map_in(g, root, IOVA + i * (u64)SZ_2M, DATA | PAGE, 12);
	g->v->batch = 1;
	g->v->worker.dead = false;
	set(g, ste(SID), cd | 5 << 1 | SMMU_STE0_V);
	put_cmd(g, SMMU_CMD_CFGI_STE | (u64)SID << 32, 1);
	put(g, SMMU_CMDQ_PROD, g->prod, 4);
	KUNIT_ASSERT_FALSE(test, list_empty(&g->sm->f.dirty));
	d = list_first_entry(&g->sm->f.dirty, struct kviommu_gdomain, dirty);
	KUNIT_ASSERT_EQ(test, d->did, 2);
	while (d->next <= IOVA + SZ_2M)
		KUNIT_ASSERT_TRUE(test, kviommu_work(g->v, 1, &done));
	KUNIT_EXPECT_LT(test, d->next, IOVA + 16 * (u64)SZ_2M);
	map_in(g, root, IOVA + 0x1000, (DATA + 0x1000) | PAGE, 12);
	put_cmd(g, SMMU_CMD_CFGI_STE | (u64)SID << 32, 1);
	g->v->worker.dead = true;
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA + 0x1000, DATA + 0x1000));
}

/* 7.1: CMDQ_CONS stays at the command, which can be another one then. */
static void command_errors(struct kunit *test)
{
	static const u64 bad[] = {
		0, 0x07, 0xff, SMMU_CMD_ATC_INV, SMMU_CMD_PRI_RESP,
		SMMU_CMD_RESUME, SMMU_CMD_STALL_TERM, SMMU_CMD_TLBI_EL2_ALL,
		SMMU_CMD_TLBI_EL2_ASID, SMMU_CMD_TLBI_EL2_VA,
		SMMU_CMD_TLBI_EL2_VAA, SMMU_CMD_TLBI_EL3_ALL,
		SMMU_CMD_TLBI_EL3_VA,
		SMMU_CMD_SYNC | 3 << 12, SMMU_CMD_CFGI_STE | SMMU_CMD0_SSEC,
	};
	struct guest *g = create_s1(test);
	unsigned int i;
	u32 at;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put_cmd(g, SMMU_CMD_TLBI_NH_ALL, 0);
		at = g->prod;
		put_cmd(g, bad[i], 0);
		KUNIT_EXPECT_FALSE(test, sync(g));
		KUNIT_EXPECT_EQ(test, get(g, SMMU_CMDQ_CONS),
				at | SMMU_CERROR_ILL << 24);
		KUNIT_EXPECT_EQ(test, smmu_gerror(&g->sm->regs),
				SMMU_GERROR_CMDQ);
		KUNIT_EXPECT_FALSE(test, ring(g));
		set(g, CMDQ + (at & 0xff) * 16, SMMU_CMD_SYNC);
		put(g, SMMU_GERRORN, get(g, SMMU_GERROR), 4);
		KUNIT_EXPECT_EQ(test, get(g, SMMU_CMDQ_CONS), g->prod);
	}
	/* The queue is nowhere. */
	put(g, SMMU_CR0, SMMU_CR0_SMMUEN, 4);
	put(g, SMMU_CMDQ_BASE, 1ULL << 40 | CMDQ_LOG2, 8);
	put(g, SMMU_CR0, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN, 4);
	KUNIT_EXPECT_FALSE(test, sync(g));
	KUNIT_EXPECT_EQ(test, get(g, SMMU_CMDQ_CONS) >> 24, SMMU_CERROR_ABT);
}

/* The queue goes around, and is full. */
static void full_queue(struct kunit *test)
{
	struct guest *g = create_s1(test);
	unsigned int i;

	for (i = 0; i < 3 * BIT(CMDQ_LOG2); i++)
		KUNIT_ASSERT_TRUE(test, sync(g));
	for (i = 0; i < BIT(CMDQ_LOG2); i++)
		put_cmd(g, SMMU_CMD_TLBI_NH_ALL, 0);
	KUNIT_EXPECT_TRUE(test, ring(g));
	KUNIT_EXPECT_EQ(test, g->sm->count.commands[SMMU_CMD_TLBI_NH_ALL],
			BIT(CMDQ_LOG2));
}

/* CMD_SYNC's message goes to memory, as software waits for it there. */
static void sync_message(struct kunit *test)
{
	struct guest *g = create_s1(test);

	put_cmd(g, SMMU_CMD_SYNC | SMMU_SYNC_IRQ << 12 | 0x12345678ULL << 32,
		MSI + 4);
	KUNIT_EXPECT_TRUE(test, ring(g));
	KUNIT_EXPECT_EQ(test, word(g, MSI) >> 32, 0x12345678);
	/* Nowhere: that is the VMM's */
	put_cmd(g, SMMU_CMD_SYNC | SMMU_SYNC_IRQ << 12, 0x8090000);
	KUNIT_EXPECT_TRUE(test, ring(g));
	put_cmd(g, SMMU_CMD_SYNC | SMMU_SYNC_SEV << 12, MSI);
	KUNIT_EXPECT_TRUE(test, ring(g));
	KUNIT_EXPECT_EQ(test, (u32)word(g, MSI), 0);
	KUNIT_EXPECT_EQ(test, smmu_gerror(&g->sm->regs), 0);
	/* Memory that can't be written: the command is done all the same. */
	mock_mem_readonly(g->m, READ_ONLY_GPA, 0x1000, true);
	put_cmd(g, SMMU_CMD_SYNC | SMMU_SYNC_IRQ << 12, READ_ONLY_GPA);
	KUNIT_EXPECT_TRUE(test, ring(g));
	KUNIT_EXPECT_EQ(test, smmu_gerror(&g->sm->regs),
			SMMU_GERROR_MSI_CMDQ_ABT);
	put(g, SMMU_GERRORN, get(g, SMMU_GERROR), 4);
	KUNIT_EXPECT_EQ(test, smmu_gerror(&g->sm->regs), 0);
}

/* One that drivers poll for, in the queue, waits for memory that is away. */
static void message_away(struct kunit *test)
{
	struct guest *g = create_s1(test);
	const u64 queue = 0x24000;	/* two pages */
	u32 on = SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN;
	unsigned int i;

	put(g, SMMU_CR0, on, 4);
	put(g, SMMU_CMDQ_BASE, queue | 9, 8);
	put(g, SMMU_CMDQ_PROD, 0, 4);
	put(g, SMMU_CMDQ_CONS, 0, 4);
	put(g, SMMU_CR0, on | SMMU_CR0_CMDQEN, 4);
	for (i = 0; i < 2; i++) {
		set(g, queue + 16 * i, SMMU_CMD_SYNC | SMMU_SYNC_IRQ << 12 |
				       (i + 1ULL) << 32);
		set(g, queue + 16 * i + 8, queue + 0x1008);
		set(g, queue + 0x1008, 0);
		mock_mem_gone(g->m, queue + 0x1000, 0x1000);
		put(g, SMMU_CMDQ_PROD, i + 1, 4);
		KUNIT_EXPECT_EQ(test, get(g, SMMU_CMDQ_CONS), i);
		KUNIT_EXPECT_TRUE(test, g->sm->away);
		/* The second one is waited for in vain. */
		if (i)
			g->sm->give_up = jiffies;
		else
			mock_mem_hole(g->m, queue + 0x1000, 0x1000, false);
		KUNIT_EXPECT_EQ(test, get(g, SMMU_CR0), on | SMMU_CR0_CMDQEN);
		KUNIT_EXPECT_EQ(test, get(g, SMMU_CMDQ_CONS), i + 1);
		KUNIT_EXPECT_FALSE(test, g->sm->away);
		mock_mem_hole(g->m, queue + 0x1000, 0x1000, false);
		KUNIT_EXPECT_EQ(test, word(g, queue + 0x1008), i ? 0 : 1);
		KUNIT_EXPECT_EQ(test, smmu_gerror(&g->sm->regs),
				i ? SMMU_GERROR_MSI_CMDQ_ABT : 0);
	}
}

/* Faults of the host, as the tables explain them */
static void events(struct kunit *test)
{
	struct guest *g = create_s1(test);
	struct device *dev = mock_dev_dev(g->d);
	unsigned int i;
	u64 w[4];

	map_in(g, g->root, IOVA, DATA | READ_ONLY, 12);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	kviommu_fault_report(g->v, dev, IOVA + 0x123, true);
	kviommu_fault_report(g->v, dev, IOVA + 0x1000, false);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_PERMISSION);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID);
	KUNIT_EXPECT_EQ(test, w[1], FIELD_PREP(SMMU_EVENT1_CLASS,
					       SMMU_CLASS_IN));
	KUNIT_EXPECT_EQ(test, w[2], IOVA + 0x123);
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	KUNIT_EXPECT_EQ(test, w[1], FIELD_PREP(SMMU_EVENT1_CLASS,
					       SMMU_CLASS_IN) | SMMU_EVENT1_RNW);
	/* More than there is place for: the flag, and it is seen. */
	for (i = 0; i < BIT(EVENTQ_LOG2) + 2; i++)
		kviommu_fault_report(g->v, dev, IOVA + 0x1000, false);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_TRUE(test, get(g, SMMU_EVENTQ_PROD) & SMMU_EVENTQ_OVFLG);
	KUNIT_EXPECT_EQ(test, g->sm->count.events_lost, 2);
	g->events = get(g, SMMU_EVENTQ_PROD);
	put(g, SMMU_EVENTQ_CONS, g->events, 4);
	kviommu_fault_report(g->v, dev, IOVA + 0x1000, false);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, get(g, SMMU_EVENTQ_PROD),
			SMMU_EVENTQ_OVFLG | ((g->events + 1) & 0xf));
	/* CD.R is 0: nothing is told. */
	set(g, g->cd, word(g, g->cd) & ~SMMU_CD0_R);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	i = get(g, SMMU_EVENTQ_PROD);
	kviommu_fault_report(g->v, dev, IOVA + 0x1000, false);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, get(g, SMMU_EVENTQ_PROD), i);
	/* The queue can't be written. */
	put(g, SMMU_CR0, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN, 4);
	put(g, SMMU_EVENTQ_BASE, 1ULL << 40 | EVENTQ_LOG2, 8);
	put(g, SMMU_EVENTQ_CONS, i, 4);
	put(g, SMMU_CR0, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN |
			 SMMU_CR0_EVENTQEN, 4);
	set(g, ste(SID), 0);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_EQ(test, smmu_gerror(&g->sm->regs),
			SMMU_GERROR_EVENTQ_ABT);
	/* Nothing is written before software has acknowledged that. */
	put(g, SMMU_CR0, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN, 4);
	put(g, SMMU_EVENTQ_BASE, EVENTQ | EVENTQ_LOG2, 8);
	put(g, SMMU_EVENTQ_PROD, 0, 4);
	put(g, SMMU_EVENTQ_CONS, 0, 4);
	g->events = 0;
	put(g, SMMU_CR0, SMMU_CR0_SMMUEN | SMMU_CR0_CMDQEN |
			 SMMU_CR0_EVENTQEN, 4);
	kviommu_fault_report(g->v, dev, IOVA, false);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, event(g, w), 0);
	put(g, SMMU_GERRORN, get(g, SMMU_GERROR), 4);
	kviommu_fault_report(g->v, dev, IOVA, false);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_C_BAD_STE);
}

/* What the second stage refuses is told of as its own. */
static void second_stage_events(struct kunit *test)
{
	struct guest *g = create(test);
	struct mock_dev *d = plug_reserved(g);
	u64 s2 = new_page(g), w[4];

	fill_s2(g, SID, 3, s2);
	map_in(g, s2, IOVA, DATA | S2_PAGE, 12);
	set_config(g, SID, 6);
	enable(g);
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_C_BAD_STE);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID2);
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID);
	KUNIT_EXPECT_EQ(test, w[1], FIELD_PREP(SMMU_EVENT1_CLASS,
					       SMMU_CLASS_IN) |
				    SMMU_EVENT1_RNW | SMMU_EVENT1_S2);
	KUNIT_EXPECT_EQ(test, w[2], IOVA);
	KUNIT_EXPECT_EQ(test, w[3], IOVA);
	/* The first one, passed by, has a size: alone, and with the second. */
	kviommu_fault_report(g->v, mock_dev_dev(g->d), 1ULL << 52, true);
	set_config(g, SID2, 4);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID2));
	kviommu_fault_report(g->v, mock_dev_dev(d), 1ULL << 52, true);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_ADDR_SIZE);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID);
	KUNIT_EXPECT_EQ(test, w[1], FIELD_PREP(SMMU_EVENT1_CLASS,
					       SMMU_CLASS_IN));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_ADDR_SIZE);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID2);
}

/* What a host reports is not told before a device meets it. */
static void reported(struct kunit *test)
{
	struct guest *g = create(test);
	u64 w[4];

	plug_reserved(g);
	set_config(g, SID, 5);
	set_config(g, SID2, 0);
	enable(g);
	kviommu_fault_report(g->v, mock_dev_dev(g->d), IOVA, true);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, IOVA));
	KUNIT_EXPECT_EQ(test, event(g, w), 0);
	kviommu_fault_report(g->v, mock_dev_dev(g->d), IOVA, true);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	KUNIT_EXPECT_EQ(test, w[1], FIELD_PREP(SMMU_EVENT1_CLASS,
					       SMMU_CLASS_IN));
	/* To be blocked is told of: then there is no more to report. */
	set(g, ste(SID), 0);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_C_BAD_STE);
}

/* But it does not report what goes to addresses that it keeps for itself. */
static void reported_reserved(struct kunit *test)
{
	struct guest *g = create(test);
	struct mock_dev *d = plug_reserved(g);
	u64 w[4];

	set_config(g, SID, 0);
	set_config(g, SID2, 5);
	enable(g);
	kviommu_fault_report(g->v, mock_dev_dev(d), IOVA + 0x1000, true);
	KUNIT_EXPECT_TRUE(test, cfgi(g, SID2));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID2);
	KUNIT_EXPECT_EQ(test, w[2], IOVA);
}

/* Addresses that the host does not have are not lost without a word. */
static void above(struct kunit *test)
{
	struct guest *g = create(test);
	u64 w[4];

	mutex_lock(&g->v->lock);
	g->v->frozen.last = GENMASK_ULL(38, 0);
	mutex_unlock(&g->v->lock);
	set_config(g, SID, 5);
	map(g, IOVA, DATA);
	enable(g);
	KUNIT_EXPECT_FALSE(test, g->sm->above);
	map(g, BIT_ULL(40) + 0x5000, DATA);
	KUNIT_EXPECT_TRUE(test, tlbi_va(g, 0, 1, IOVA));
	KUNIT_EXPECT_EQ(test, event(g, w), 0);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, g->sm->above);
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_TRANSLATION);
	KUNIT_EXPECT_EQ(test, w[0] >> 32, SID);
	KUNIT_EXPECT_EQ(test, w[2], BIT_ULL(40) + 0x5000);
	/* Once, and it is in nobody's way. */
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_EQ(test, event(g, w), 0);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	KUNIT_EXPECT_TRUE(test, nothing(g->d, BIT_ULL(40) + 0x5000));
}

/*
 * To look above costs, and what is left for the walk then may be nothing: it has a
 * bound all the same, and comes to its end.
 */
static void above_costs(struct kunit *test)
{
	struct guest *g = create(test);
	unsigned int n, calls, done = 0;
	struct kviommu_gdomain *d;
	u64 level1, level2, i;

	mutex_lock(&g->v->lock);
	g->v->frozen.last = GENMASK_ULL(38, 0);
	mutex_unlock(&g->v->lock);
	/* Both halves have tables, with nothing in them above the host's last. */
	set(g, g->cd, (word(g, g->cd) & ~SMMU_CD0_EPD1) | 16 << 16 | 2 << 22);
	set(g, g->cd + 16, new_page(g));
	set_config(g, SID, 5);
	enable(g);
	level1 = new_page(g);
	level2 = new_page(g);
	set(g, g->root, level1 | 3);
	for (i = 0; i < 4; i++)
		set(g, level1 + 8 * i, level2 | 3);
	set(g, level2, new_page(g) | 3);
	for (i = 1; i < 512; i++)
		set(g, level2 + 8 * i, word(g, level2));
	d = list_first_entry(&g->sm->f.domains, struct kviommu_gdomain, node);
	g->v->worker.dead = false;
	g->v->batch = 1;
	/* Five leave less than it costs, and eight just that for the next time. */
	for (n = 5; n <= 8; n += 3) {
		for (i = 0; i < n; i++)
			put_cmd(g, SMMU_CMD_TLBI_NSNH_ALL, 0);
		put_cmd(g, SMMU_CMD_SYNC, 0);
		KUNIT_EXPECT_FALSE(test, ring(g));
		for (calls = 0; calls < 100000 &&
				get(g, SMMU_CMDQ_CONS) != g->prod; calls++) {
			/* The last table may cost more than what was left. */
			KUNIT_ASSERT_LE(test, d->looked,
					(calls + 1) * (KVIOMMU_CREDITS_UNIT +
						       KVIOMMU_TABLE_COST));
			kviommu_work(g->v, 1, &done);
		}
		KUNIT_EXPECT_EQ(test, get(g, SMMU_CMDQ_CONS), g->prod);
	}
	g->v->worker.dead = true;
}

/* A table of the first stage that the second one has not to be read */
static void unreadable_table(struct kunit *test)
{
	struct guest *g = create(test);
	u64 s2 = new_page(g), i, w[4];

	fill_s2(g, SID, 3, s2);
	for (i = 0; i < DATA; i += 0x1000)
		map_in(g, s2, i, i | S2_PAGE, 12);
	map_in(g, s2, g->root, g->root | (S2_PAGE & ~0x40ULL), 12);
	set_config(g, SID, 7);
	enable(g);
	kviommu_fault_report(g->v, mock_dev_dev(g->d), IOVA, true);
	KUNIT_EXPECT_TRUE(test, sync(g));
	KUNIT_EXPECT_EQ(test, event(g, w), SMMU_EVENT_F_PERMISSION);
	KUNIT_EXPECT_EQ(test, w[1], FIELD_PREP(SMMU_EVENT1_CLASS,
					       SMMU_CLASS_TTD) |
				    SMMU_EVENT1_S2 | SMMU_EVENT1_TTRNW);
	KUNIT_EXPECT_EQ(test, w[3], g->root);
}

/* When to try again what failed: by the clock it may be time already. */
static void set_retry(struct guest *g, unsigned long in)
{
	struct kviommu_gdomain *d;

	list_for_each_entry(d, &g->sm->f.domains, node)
		d->retry_at = jiffies + in;
}

/* A guest's tables that have no end, or lead to what is no memory */
static void bad_tables(struct kunit *test)
{
	struct guest *g = create_s1(test);
	unsigned int i;

	g->v->max_mappings = 64;
	/* Each entry of the root leads to the root. */
	for (i = 0; i < 512; i++)
		set(g, g->root + 8 * i, g->root | 0x443);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	for (i = 0; i < 512; i++)
		set(g, g->root + 8 * i, 0);
	set(g, g->root, 1ULL << 40 | 3);
	map_in(g, g->root, 1ULL << 39, DATA | PAGE, 12);
	/* It is not tried again at once. */
	set_retry(g, MAX_JIFFY_OFFSET);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	set_retry(g, 0);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, 1ULL << 39, DATA));
}

/* Devices that are not quiet keep what they have while the SMMU is off. */
static void off_busy(struct kunit *test)
{
	struct guest *g = create_s1(test);

	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	g->d->bus_master = true;
	put(g, SMMU_CR0, 0, 4);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	/* The next driver comes before they are quiet. */
	enable(g);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	KUNIT_EXPECT_FALSE(test, g->v->reset.holding);
	put(g, SMMU_CR0, 0, 4);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	g->d->bus_master = false;
	kviommu_dev_command(g->d->kdev);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	KUNIT_EXPECT_EQ(test, 0, g->sm->f.nr_domains);
	mock_dev_reset(g->d);
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
}

/* What is to be aborted is so at once, quiet or not. */
static void off_abort(struct kunit *test)
{
	struct guest *g = create_s1(test);

	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	g->d->bus_master = true;
	put(g, SMMU_CR0, 0, 4);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	put(g, SMMU_GBPA, SMMU_GBPA_ABORT | SMMU_GBPA_UPDATE, 4);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	KUNIT_EXPECT_FALSE(test, g->v->reset.holding);
	KUNIT_EXPECT_EQ(test, 0, g->sm->f.nr_domains);
	enable(g);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	put(g, SMMU_CR0, 0, 4);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	KUNIT_EXPECT_EQ(test, 0, g->sm->f.nr_domains);
	/* What it does DMA to may still be what was translated. */
	put(g, SMMU_GBPA, SMMU_GBPA_UPDATE, 4);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
	mock_dev_reset(g->d);
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
}

static void reset(struct kunit *test)
{
	struct guest *g = create_s1(test);

	map(g, IOVA, DATA);
	KUNIT_EXPECT_TRUE(test, tlbi_asid(g, 0, 1));
	kviommu_reset(g->v);
	KUNIT_EXPECT_EQ(test, g->d->hwpt, PT);
	KUNIT_EXPECT_EQ(test, 0, g->sm->f.nr_domains);
	KUNIT_EXPECT_EQ(test, 0, g->v->nr_mappings);
	KUNIT_EXPECT_EQ(test, get(g, SMMU_CR0), 0);
	g->prod = 0;
	enable(g);
	KUNIT_EXPECT_TRUE(test, reaches(g, g->d, IOVA, DATA));
	kviommu_close(g->v);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->d));
}

static struct kunit_case smmu_cases[] = {
	KUNIT_CASE(refused_without_consent),
	KUNIT_CASE(capabilities),
	KUNIT_CASE(gbpa),
	KUNIT_CASE(configs),
	KUNIT_CASE(pages),
	KUNIT_CASE(global_pages),
	KUNIT_CASE(blocks),
	KUNIT_CASE(large_blocks),
	KUNIT_CASE(nested_blocks),
	KUNIT_CASE(reserved_blocks),
	KUNIT_CASE(hitless),
	KUNIT_CASE(late),
	KUNIT_CASE(second_stage),
	KUNIT_CASE(shared),
	KUNIT_CASE(shared_later),
	KUNIT_CASE(command_errors),
	KUNIT_CASE(full_queue),
	KUNIT_CASE(sync_message),
	KUNIT_CASE(message_away),
	KUNIT_CASE(events),
	KUNIT_CASE(second_stage_events),
	KUNIT_CASE(reported),
	KUNIT_CASE(reported_reserved),
	KUNIT_CASE(above),
	KUNIT_CASE(above_costs),
	KUNIT_CASE(unreadable_table),
	KUNIT_CASE(bad_tables),
	KUNIT_CASE(off_busy),
	KUNIT_CASE(off_abort),
	KUNIT_CASE(reset),
	{ }
};

static struct kunit_suite smmu_suite = {
	.name = "kviommu_smmuv3",
	.exit = smmu_test_exit,
	.test_cases = smmu_cases,
};

kunit_test_suite(smmu_suite);
