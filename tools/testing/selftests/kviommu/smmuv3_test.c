// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest driver on an SMMUv3 vIOMMU, with real DMA: what its tables say is
 * reached, what they don't is not, and what does not change is not disturbed.
 */
#include "kviommu_harness.h"

#include "lib/smmuv3.h"

#define SID(n)		ENDPOINT(n)
#define ASID		5
#define VMID		3
#define BIG_IOVA	0x200000000ULL
#define BIG_GPA		(RAM_GPA + 4 * MiB)

FIXTURE(smmuv3)
{
	struct host host;
	struct vmm vmm;
	struct smmu s;
	u64 table;		/* of what devices use */
	u64 second;		/* nested: what that is translated by, 1:1 */
	u64 cd;
};

FIXTURE_VARIANT(smmuv3)
{
	enum smmu_config config;
	const char *pin;
	enum ram_kind ram;
};

FIXTURE_VARIANT_ADD(smmuv3, stage1)
{
	SMMU_S1, "cache", RAM_4K,
};

FIXTURE_VARIANT_ADD(smmuv3, stage2)
{
	SMMU_S2, "demand", RAM_4K,
};

FIXTURE_VARIANT_ADD(smmuv3, nested)
{
	SMMU_NESTED, "cache", RAM_2M,
};

/* ---- the guest ---- */

static u64 rw(enum smmu_config config)
{
	return config == SMMU_S2 ? SMMU_S2_RW : SMMU_S1_RW;
}

/* A second stage begins at level 1: its table is one below the others'. */
static u64 level1(struct smmu *s, u64 table)
{
	return *smmu_ptr(s, table) & ~0xfffULL;
}

static void enter(struct smmu *s, enum smmu_config config, u32 sid, u64 cd,
		  u64 table, u64 second)
{
	u64 s2 = config == SMMU_S2 ? level1(s, table) :
		 config == SMMU_NESTED ? level1(s, second) : 0;

	smmu_stream(s, sid, config, config == SMMU_S2 ? 0 : cd, VMID, s2);
}

/* Of a page, of the domain, and of all */
static int flush_page(struct smmu *s, enum smmu_config config, u64 iova)
{
	return smmu_submit(s, config == SMMU_S2 ? SMMU_C_S2_IPA(VMID) :
						  SMMU_C_NH_VA(VMID, ASID),
			   iova);
}

static int flush_domain(struct smmu *s, enum smmu_config config)
{
	return smmu_submit(s, config == SMMU_S2 ? SMMU_C_S12_VMALL(VMID) :
						  SMMU_C_NH_ASID(VMID, ASID),
			   0);
}

FIXTURE_SETUP(smmuv3)
{
	struct smmu *s = &self->s;
	u64 at;

	SETUP_HOST_TYPE(&self->host, KVIOMMU_SMMUV3, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->vmm.config.ram = variant->ram;
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "pin", variant->pin));
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);

	smmu_init(s, &self->vmm.viommu, self->vmm.ram, RAM_GPA);
	self->table = smmu_page(s);
	self->second = smmu_page(s);
	self->cd = smmu_page(s);
	for (at = 0; at < RAM_SIZE; at += 2 * MiB)
		smmu_map(s, self->second, RAM_GPA + at, RAM_GPA + at, 21,
			 SMMU_S2_RW);
	smmu_map(s, self->table, DATA_IOVA, DATA_GPA, 12, rw(variant->config));
	smmu_map(s, self->table, OUT_IOVA, OUT_GPA, 12, rw(variant->config));
	smmu_cd(s, self->cd, ASID, self->table);
	enter(s, variant->config, SID(0), self->cd, self->table, self->second);
	ASSERT_EQ(0, smmu_start(s));
}

FIXTURE_TEARDOWN(smmuv3)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

/* ---- translation ---- */

TEST_F(smmuv3, translated)
{
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA + PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_READS(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

TEST_F(smmuv3, changed)
{
	enum smmu_config config = variant->config;
	struct smmu *s = &self->s;

	smmu_map(s, self->table, DATA_IOVA + PAGE, DATA2_GPA, 12, rw(config));
	ASSERT_EQ(0, flush_page(s, config, DATA_IOVA + PAGE));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	smmu_map(s, self->table, DATA_IOVA, DATA2_GPA + PAGE, 12, rw(config));
	ASSERT_EQ(0, flush_page(s, config, DATA_IOVA));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA + PAGE);
	smmu_map(s, self->table, DATA_IOVA, 0, 12, 0);
	smmu_map(s, self->table, DATA_IOVA + PAGE, 0, 12, 0);
	ASSERT_EQ(0, flush_domain(s, config));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA2_GPA + PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(smmuv3, permissions)
{
	enum smmu_config config = variant->config;
	struct smmu *s = &self->s;

	smmu_map(s, self->table, DATA_IOVA, DATA_GPA, 12,
		 config == SMMU_S2 ? SMMU_S2_RO : SMMU_S1_RO);
	ASSERT_EQ(0, flush_page(s, config, DATA_IOVA));
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	smmu_map(s, self->table, DATA_IOVA, DATA_GPA, 12,
		 config == SMMU_S2 ? SMMU_S2_WO : SMMU_S1_PRIV);
	ASSERT_EQ(0, flush_page(s, config, DATA_IOVA));
	EXPECT_WRITES(config == SMMU_S2, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(smmuv3, block)
{
	enum smmu_config config = variant->config;
	struct smmu *s = &self->s;

	smmu_map(s, self->table, BIG_IOVA, BIG_GPA, 21, rw(config));
	ASSERT_EQ(0, flush_domain(s, config));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, BIG_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 511 * PAGE,
		      BIG_GPA + 511 * PAGE);
	/* Any of its addresses takes it away. */
	smmu_map(s, self->table, BIG_IOVA, 0, 21, 0);
	ASSERT_EQ(0, flush_page(s, config, BIG_IOVA + 7 * PAGE));
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA, BIG_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA + 511 * PAGE,
		      BIG_GPA + 511 * PAGE);
}

/* What is only mapped is there with the next CMD_SYNC that does nothing else. */
TEST_F(smmuv3, late)
{
	struct smmu *s = &self->s;

	smmu_map(s, self->table, DATA_IOVA + PAGE, DATA2_GPA, 12,
		 rw(variant->config));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_EQ(0, smmu_sync(s));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
}

/* ---- streams ---- */

TEST_F(smmuv3, configs)
{
	struct smmu *s = &self->s;

	smmu_stream(s, SID(0), SMMU_BYPASS, 0, 0, 0);
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	smmu_stream(s, SID(0), SMMU_ABORT, 0, 0, 0);
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_RANGE(0), 31));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	enter(s, variant->config, SID(0), self->cd, self->table, self->second);
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

TEST_F(smmuv3, disabled)
{
	struct smmu *s = &self->s;

	/* Before a bypass, what the device is at is let through until it is quiet. */
	ASSERT_EQ(0, smmu_gbpa(s, false));
	ASSERT_EQ(0, smmu_enable(s, 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, false));
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, true));
	/* It was not reset, so there is no bypass for it. */
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, smmu_start(s));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* GBPA has nothing to say yet. */
	ASSERT_EQ(0, smmu_gbpa(s, true));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* To abort what it is at needs no wait. */
	ASSERT_EQ(0, smmu_enable(s, 0));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, smmu_start(s));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* ---- commands ---- */

TEST_F(smmuv3, commands)
{
	static const u64 good[] = {
		SMMU_C_PREFETCH, 0x02, SMMU_C_CFGI_STE(SID(0)),
		SMMU_C_CFGI_RANGE(SID(0)), SMMU_C_CFGI_CD(SID(0)),
		SMMU_C_CFGI_CD_ALL(SID(0)), SMMU_C_NH_ALL(VMID),
		SMMU_C_NH_ASID(VMID, ASID), SMMU_C_NH_VA(VMID, ASID),
		SMMU_C_NH_VAA(VMID), SMMU_C_S12_VMALL(VMID),
		SMMU_C_S2_IPA(VMID), SMMU_C_NSNH_ALL, SMMU_C_SYNC,
		SMMU_C_SYNC | 2 << 12,
	};
	static const u64 bad[] = {
		0, 0x07, 0x18, 0x20, 0x21, 0x22, 0x23, 0x40, 0x41, 0x44, 0x45,
		0xff, SMMU_C_SYNC | 3 << 12, SMMU_C_CFGI_STE(0) | 1 << 10,
	};
	struct smmu *s = &self->s;
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		EXPECT_EQ(0, smmu_submit(s, good[i], DATA_IOVA))
			TH_LOG("command 0x%llx", (unsigned long long)good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		u32 at = s->prod;

		EXPECT_EQ(-EIO, smmu_submit(s, bad[i], 0))
			TH_LOG("command 0x%llx", (unsigned long long)bad[i]);
		/* The queue stands there, until it is mended. */
		EXPECT_EQ(at | SMMU_CERROR_ILL << 24,
			  smmu_read(s, SMMU_CMDQ_CONS, 4));
		*smmu_ptr(s, s->cmdq + at % 256 * 16) = SMMU_C_PREFETCH;
		smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR, 4), 4);
		EXPECT_EQ(0, smmu_sync(s));
	}
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(smmuv3, queue_wraps)
{
	struct smmu *s = &self->s;
	unsigned int i, n;

	for (n = 0; n < 5; n++) {
		for (i = 0; i < 200; i++)
			smmu_put(s, SMMU_C_NH_VAA(VMID),
				 DATA_IOVA + i * PAGE);
		ASSERT_EQ(0, smmu_sync(s));
	}
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* A message to memory that can't be written aborts; its CMD_SYNC is done. */
TEST_F(smmuv3, message_aborts)
{
	struct smmu *s = &self->s;

	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, false));
	smmu_put(s, SMMU_C_SYNC_IRQ(0x1234), HIGH_GPA);
	EXPECT_EQ(0, smmu_sync(s));
	EXPECT_EQ(0, *(volatile u32 *)self->vmm.high);
	EXPECT_EQ(SMMU_MSI_CMDQ_ABT, smmu_read(s, SMMU_GERROR, 4) ^
				     smmu_read(s, SMMU_GERRORN, 4));
	smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR, 4), 4);
	EXPECT_EQ(smmu_read(s, SMMU_GERROR, 4), smmu_read(s, SMMU_GERRORN, 4));
	EXPECT_EQ(0, smmu_sync(s));
}

/* ---- events, and bad input ---- */

TEST_F(smmuv3, events)
{
	struct smmu *s = &self->s;
	volatile u64 *ste = smmu_ptr(s, s->strtab + 64 * SID(0));
	volatile u64 *cd = smmu_ptr(s, self->cd);
	u64 w[4];

	EXPECT_EQ(0, smmu_next_event(s, w));
	/* Not valid: told once */
	ste[0] &= ~1ULL;
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	ASSERT_EQ(1, smmu_next_event(s, w));
	EXPECT_EQ(0x04, w[0] & 0xff);
	EXPECT_EQ(SID(0), w[0] >> 32);
	EXPECT_EQ(0, smmu_next_event(s, w));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ste[0] |= 1;
	/* A context descriptor that does not abort */
	cd[0] &= ~(1ULL << 46);
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	if (variant->config != SMMU_S2) {
		ASSERT_EQ(1, smmu_next_event(s, w));
		EXPECT_EQ(0x0a, w[0] & 0xff);
	}
	EXPECT_EQ(0, smmu_next_event(s, w));
	cd[0] |= 1ULL << 46;
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_CD(SID(0)), 1));
	EXPECT_EQ(0, smmu_next_event(s, w));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* Values that other emulations did not survive */
TEST_F(smmuv3, bad_values)
{
	struct smmu *s = &self->s;
	volatile u64 *ste = smmu_ptr(s, s->strtab + 64 * SID(0));
	volatile u64 *cd = smmu_ptr(s, self->cd);
	u64 ste0 = ste[0], ste2 = ste[2], cd0 = cd[0], w[4];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		cd[0] = (cd0 & ~(7ULL << 32)) | (u64)i << 32;
		ste[2] = (ste2 & ~(7ULL << 48)) | (u64)i << 48;
		ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
		EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	}
	cd[0] = cd0;
	ste[2] = ste2 & ~(1ULL << 51);
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	EXPECT_WRITES(variant->config == SMMU_S1, &self->vmm, 0, DATA_IOVA,
		      DATA_GPA);
	if (variant->config != SMMU_S1) {
		ASSERT_EQ(1, smmu_next_event(s, w));
		EXPECT_EQ(4, w[0] & 0xff);
	}
	/* Each bit of the entry and of the descriptor, one by one */
	for (i = 0; i < 512; i++) {
		volatile u64 *word = i & 1 ? cd : ste;

		ste[0] = ste0;
		ste[2] = ste2;
		cd[0] = cd0;
		word[i / 128] ^= 1ULL << (i / 2 % 64);
		ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
		word[i / 128] ^= 1ULL << (i / 2 % 64);
	}
	ASSERT_EQ(0, smmu_submit(s, SMMU_C_CFGI_STE(SID(0)), 1));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* ---- the attribute ---- */

FIXTURE(smmuv3_late)
{
	struct host host;
};

FIXTURE_SETUP(smmuv3_late)
{
	SETUP_HOST_TYPE(&self->host, KVIOMMU_SMMUV3, 1);
}

FIXTURE_TEARDOWN(smmuv3_late)
{
	TEARDOWN_HOST(&self->host);
}

TEST_F(smmuv3_late, refused)
{
	struct mdev *m = &self->host.mdev;
	const char *bdf = self->host.bdf[0];

	ASSERT_EQ(0, mdev_unassign(m, bdf));
	self->host.endpoints = 0;
	ASSERT_EQ(0, mdev_set(m, "late_mappings", "0"));
	EXPECT_EQ(-EPERM, mdev_assign(m, bdf, "0x28"));
	ASSERT_EQ(0, mdev_set(m, "late_mappings", "1"));
	EXPECT_EQ(0, mdev_assign(m, bdf, "0x28"));
	self->host.endpoints = 1;
}

TEST_HARNESS_MAIN
