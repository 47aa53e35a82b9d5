// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest driver on a VT-d vIOMMU, with real DMA: what its tables say is reached,
 * what they don't is not, and what does not change is not disturbed.
 */
#include "kviommu_harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/vtd.h"

#define SID(n)		((u16)ENDPOINT(n))
#define DID		5
#define BIG_IOVA	0x200000000ULL
#define BIG_GPA		(RAM_GPA + 4 * MiB)

FIXTURE(vtd)
{
	struct host host;
	struct vmm vmm;
	struct vtd v;
	u64 table;		/* of what devices use */
	u64 second;		/* nested: what that is translated by, 1:1 */
};

FIXTURE_VARIANT(vtd)
{
	enum vtd_mode mode;
	const char *pin;
	enum ram_kind ram;
};

FIXTURE_VARIANT_ADD(vtd, legacy)
{
	VTD_LEGACY, "cache", RAM_4K,
};

FIXTURE_VARIANT_ADD(vtd, legacy_demand)
{
	VTD_LEGACY, "demand", RAM_2M,
};

FIXTURE_VARIANT_ADD(vtd, second)
{
	VTD_SECOND, "cache", RAM_2M,
};

FIXTURE_VARIANT_ADD(vtd, first)
{
	VTD_FIRST, "cache", RAM_4K,
};

FIXTURE_VARIANT_ADD(vtd, first_demand)
{
	VTD_FIRST, "demand", RAM_4K,
};

FIXTURE_VARIANT_ADD(vtd, nested)
{
	VTD_NESTED, "cache", RAM_2M,
};

/* ---- the guest ---- */

static void map(struct vtd *v, enum vtd_mode mode, u64 table, u64 iova, u64 gpa)
{
	vtd_map(v, table, iova, gpa, 12, vtd_rw(mode));
}

static int flush_domain(struct vtd *v, u16 did)
{
	return vtd_submit(v, VTD_D_IOTLB(VTD_DOMAIN, did), 0);
}

/* Two pages as other tests have them, and translation on */
static int bring_up(struct vmm *vmm, struct vtd *v, enum vtd_mode mode, u64 *table,
		    u64 *second)
{
	u64 at;

	vtd_init(v, &vmm->viommu, vmm->ram, RAM_GPA, mode != VTD_LEGACY);
	*table = vtd_page(v);
	*second = vtd_page(v);
	for (at = 0; at < RAM_SIZE; at += 2 * MiB)
		vtd_map(v, *second, RAM_GPA + at, RAM_GPA + at, 21,
			VTD_R | VTD_W);
	map(v, mode, *table, DATA_IOVA, DATA_GPA);
	map(v, mode, *table, OUT_IOVA, OUT_GPA);
	vtd_enter(v, mode, SID(0), DID, *table, *second);
	return vtd_start(v);
}

FIXTURE_SETUP(vtd)
{
	SETUP_HOST_TYPE(&self->host, KVIOMMU_VTD, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->vmm.config.ram = variant->ram;
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "pin", variant->pin));
	if (variant->mode != VTD_LEGACY)
		ASSERT_EQ(0, mdev_set(&self->host.mdev, "scalable", "1"));
	if (vtd_is_first(variant->mode))
		ASSERT_EQ(0, mdev_set(&self->host.mdev, "first_stage", "1"));
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, bring_up(&self->vmm, &self->v, variant->mode,
			      &self->table, &self->second));
}

FIXTURE_TEARDOWN(vtd)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

/* ---- translation ---- */

TEST_F(vtd, registers)
{
	u64 cap = vtd_read(&self->v, VTD_CAP, 8);
	u64 ecap = vtd_read(&self->v, VTD_ECAP, 8);

	EXPECT_EQ(0x10, vtd_read(&self->v, VTD_VER, 4));
	EXPECT_NE(0, cap & VTD_CAP_CM);
	EXPECT_NE(0, ecap & VTD_ECAP_QI);
	EXPECT_NE(0, ecap & VTD_ECAP_PT);
	EXPECT_EQ(variant->mode != VTD_LEGACY, !!(ecap & VTD_ECAP_SMTS));
	EXPECT_EQ(variant->mode != VTD_LEGACY, !!(ecap & VTD_ECAP_SSTS));
	EXPECT_EQ(vtd_is_first(variant->mode), !!(ecap & VTD_ECAP_FSTS));
	/* 39-bit tables are there, and pages of 2M (as kvm-unit-tests want) */
	EXPECT_NE(0, cap & 1ULL << 9);
	EXPECT_NE(0, cap & 1ULL << 34);
	EXPECT_EQ(VTD_TE | VTD_SRTP | VTD_QIE, vtd_read(&self->v, VTD_GSTS, 4));
	EXPECT_EQ(0, vtd_command(&self->v, VTD_SIRTP | VTD_IRE, 0));
	EXPECT_EQ(0, vtd_command(&self->v, 0, VTD_IRE));
	EXPECT_EQ(0, vtd_read(&self->v, VTD_FSTS, 4));
	/* Of other sizes, not aligned, and behind the registers: nothing */
	EXPECT_EQ(0, vtd_read(&self->v, VTD_CAP, 1));
	EXPECT_EQ(0, vtd_read(&self->v, VTD_CAP + 2, 2));
	EXPECT_EQ(0, vtd_read(&self->v, 0x1000, 8));
	EXPECT_EQ(0, vtd_read(&self->v, 64 * MiB - 8, 8));
	EXPECT_EQ(~0ULL, vtd_read(&self->v, 64 * MiB, 8));
	EXPECT_EQ(0, vtd_write(&self->v, VTD_GCMD, 0, 1));
	EXPECT_EQ(VTD_TE, vtd_read(&self->v, VTD_GSTS, 4) & VTD_TE);
}

TEST_F(vtd, translated)
{
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA + PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA - PAGE, DATA_GPA - PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_READS(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

TEST_F(vtd, changed)
{
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;

	/* Not there to there, there to elsewhere, and away */
	map(v, mode, self->table, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, DATA_IOVA + PAGE, 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	map(v, mode, self->table, DATA_IOVA, DATA2_GPA + PAGE);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, DATA_IOVA, 0));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA + PAGE);
	vtd_unmap(v, self->table, DATA_IOVA, 12);
	vtd_unmap(v, self->table, DATA_IOVA + PAGE, 12);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, DATA_IOVA, 1));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA2_GPA + PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_READS(0, &self->vmm, 0, DATA_IOVA, DATA2_GPA + PAGE);
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(vtd, permissions)
{
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;
	const u64 ro = DATA_IOVA + PAGE, wo = DATA_IOVA + 2 * PAGE;

	vtd_map(v, self->table, ro, DATA2_GPA, 12, vtd_rw(mode) & ~VTD_W);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, ro, 0));
	EXPECT_READS(1, &self->vmm, 0, ro, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, ro, DATA2_GPA);
	if (!vtd_is_first(mode)) {
		vtd_map(v, self->table, wo, DATA2_GPA + PAGE, 12, VTD_W);
		ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, wo, 0));
		EXPECT_WRITES(1, &self->vmm, 0, wo, DATA2_GPA + PAGE);
	} else {
		/* A supervisor's page is not the device's */
		vtd_map(v, self->table, wo, DATA2_GPA + PAGE, 12,
			VTD_FS_P | VTD_FS_W);
		ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, wo, 0));
		EXPECT_WRITES(0, &self->vmm, 0, wo, DATA2_GPA + PAGE);
	}
	/* From read-only to writable */
	map(v, mode, self->table, ro, DATA2_GPA);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, ro, 0));
	EXPECT_WRITES(1, &self->vmm, 0, ro, DATA2_GPA);
}

/* Used entries are marked in first-stage tables (3.6.2) */
TEST_F(vtd, accessed)
{
	const u64 bits = 3 << 5;
	u64 entry = *vtd_ptr(&self->v, vtd_entry(&self->v, self->table,
						 DATA_IOVA, 12, 7));

	EXPECT_EQ(vtd_is_first(variant->mode) ? bits : 0, entry & bits);
}

TEST_F(vtd, large_page)
{
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;
	u64 i;

	vtd_map(v, self->table, BIG_IOVA, BIG_GPA, 21, vtd_rw(mode));
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, BIG_IOVA, 9));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, BIG_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 511 * PAGE,
		      BIG_GPA + 511 * PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA + 512 * PAGE,
		      BIG_GPA + 512 * PAGE);
	/* Small ones that say the same, all but one */
	vtd_unmap(v, self->table, BIG_IOVA, 21);
	for (i = 0; i < 512; i++)
		if (i != 100)
			map(v, mode, self->table, BIG_IOVA + i * PAGE,
			    BIG_GPA + i * PAGE);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, BIG_IOVA, 9));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 99 * PAGE,
		      BIG_GPA + 99 * PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA + 100 * PAGE,
		      BIG_GPA + 100 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 101 * PAGE,
		      BIG_GPA + 101 * PAGE);
	vtd_unmap(v, self->table, BIG_IOVA + 511 * PAGE, 12);
	ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, BIG_IOVA + 511 * PAGE, 0));
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA + 511 * PAGE,
		      BIG_GPA + 511 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 510 * PAGE,
		      BIG_GPA + 510 * PAGE);
}

TEST_F(vtd, passed_through)
{
	struct vtd *v = &self->v;

	if (variant->mode == VTD_LEGACY)
		vtd_context_pass(v, SID(0), DID);
	else
		vtd_set_pasid(v, SID(0), 4, DID, 0, 0);
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vtd_enter(v, variant->mode, SID(0), DID, self->table, self->second);
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vtd_leave(v, variant->mode, SID(0));
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
}

/* A second stage of 3 levels, 39 bits: what is below the root's first entry */
TEST_F(vtd, three_levels)
{
	struct vtd *v = &self->v;
	u64 *root = variant->mode == VTD_NESTED ? &self->second : &self->table;
	u64 table = *vtd_ptr(v, *root) & ~0xfffULL;

	if (variant->mode == VTD_FIRST)
		SKIP(return, "a first stage has 4 levels or more");
	if (variant->mode == VTD_LEGACY)
		vtd_set_context(v, SID(0), table | 1, DID << 8 | 1);
	else
		vtd_ptr(v, vtd_pasid(v, SID(0)))[0] =
			(vtd_ptr(v, vtd_pasid(v, SID(0)))[0] & 7 << 6) |
			table | 1 << 2 | 1;
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA + PAGE);
	/* More than 39 bits are not for it */
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + (1ULL << 39), DATA_GPA);
	map(v, variant->mode, self->table, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_EQ(0, vtd_flush_pages(v, variant->mode, DID, DATA_IOVA + PAGE, 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
}

/* ---- without descriptors ---- */

/* Register-based invalidation (6.5.1): what was done of it, or 0 */
static unsigned int by_iotlb(struct vtd *v, unsigned int gran, u64 iva)
{
	vtd_write(v, VTD_IVA, iva, 8);
	vtd_write(v, VTD_IOTLB, 1ULL << 63 | (u64)gran << 60 | (u64)DID << 32, 8);
	while (vtd_read(v, VTD_IOTLB, 8) >> 63)
		sched_yield();
	return vtd_read(v, VTD_IOTLB, 8) >> 57 & 3;
}

static unsigned int by_ccmd(struct vtd *v, unsigned int gran)
{
	vtd_write(v, VTD_CCMD, 1ULL << 63 | (u64)gran << 61 | SID(0) << 16 | DID, 8);
	while (vtd_read(v, VTD_CCMD, 8) >> 63)
		sched_yield();
	return vtd_read(v, VTD_CCMD, 8) >> 59 & 3;
}

TEST_F(vtd, by_registers)
{
	bool legacy = variant->mode == VTD_LEGACY;
	struct vtd *v = &self->v;

	map(v, variant->mode, self->table, DATA_IOVA + PAGE, DATA2_GPA);
	/* Not beside the queue, and not in scalable mode */
	EXPECT_EQ(0, by_iotlb(v, VTD_GLOBAL, 0));
	EXPECT_EQ(0, by_ccmd(v, VTD_GLOBAL));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_EQ(0, vtd_command(v, 0, VTD_QIE));
	if (!legacy) {
		EXPECT_EQ(0, by_iotlb(v, VTD_GLOBAL, 0));
		EXPECT_EQ(0, by_ccmd(v, VTD_GLOBAL));
		EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
		return;
	}
	EXPECT_EQ(VTD_PAGE, by_iotlb(v, VTD_PAGE, DATA_IOVA + PAGE));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vtd_unmap(v, self->table, DATA_IOVA + PAGE, 12);
	EXPECT_EQ(VTD_DOMAIN, by_iotlb(v, VTD_DOMAIN, 0));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	vtd_leave(v, VTD_LEGACY, SID(0));
	EXPECT_EQ(VTD_DEVICE, by_ccmd(v, VTD_DEVICE));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vtd_enter(v, VTD_LEGACY, SID(0), DID, self->table, 0);
	EXPECT_EQ(VTD_GLOBAL, by_ccmd(v, VTD_GLOBAL));
	EXPECT_EQ(VTD_GLOBAL, by_iotlb(v, VTD_GLOBAL, 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* What a first stage newly maps is told by a flush of write buffers (11.4.4.1) */
TEST_F(vtd, write_buffer)
{
	bool first = vtd_is_first(variant->mode);
	struct vtd *v = &self->v;
	u32 gsts = vtd_read(v, VTD_GSTS, 4);

	EXPECT_EQ(first, !!(vtd_read(v, VTD_CAP, 8) & VTD_CAP_RWBF));
	map(v, variant->mode, self->table, DATA_IOVA + PAGE, DATA2_GPA);
	vtd_write(v, VTD_GCMD, (gsts & ~VTD_SRTP) | VTD_WBF, 4);
	while (vtd_read(v, VTD_GSTS, 4) & VTD_WBF)
		sched_yield();
	EXPECT_EQ(gsts, vtd_read(v, VTD_GSTS, 4));
	EXPECT_WRITES(first, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* ---- descriptors ---- */

TEST_F(vtd, descriptors)
{
	const u16 sid = SID(0);
	struct vtd *v = &self->v;
	u64 narrow[][2] = {
		{ VTD_D_CONTEXT(VTD_GLOBAL, 0, 0) },
		{ VTD_D_CONTEXT(VTD_DOMAIN, DID, 0) },
		{ VTD_D_CONTEXT(VTD_DEVICE, DID, sid) | 3ULL << 48 },
		{ VTD_D_IOTLB(VTD_GLOBAL, 0) | 3 << 6 },
		{ VTD_D_IOTLB(VTD_DOMAIN, DID) },
		{ VTD_D_IOTLB(VTD_PAGE, DID), DATA_IOVA | 1 << 6 | 4 },
		{ VTD_D_DEVTLB(sid), DATA_IOVA | 1 },
		{ VTD_D_IEC }, { VTD_D_IEC | 1 << 4 | 7ULL << 32 },
		{ 5 | 1 << 6 },
	};
	u64 wide[][2] = {
		{ VTD_D_PIOTLB(2, DID) }, { VTD_D_PIOTLB(3, DID), DATA_IOVA },
		{ VTD_D_PASID(VTD_PASID_DOMAIN, DID) },
		{ VTD_D_PASID(VTD_PASID_ONE, DID) },
		{ VTD_D_PASID(VTD_PASID_ALL, DID) },
		{ VTD_D_PDEVTLB(sid), 1 << 11 }, { VTD_D_PGRESP(sid), 1 << 3 },
	};
	size_t i;

	for (i = 0; i < sizeof(narrow) / sizeof(*narrow); i++)
		EXPECT_EQ(0, vtd_submit(v, narrow[i][0], narrow[i][1]))
			TH_LOG("descriptor %zu", i);
	for (i = 0; i < sizeof(wide) / sizeof(*wide); i++) {
		u32 at = v->tail;
		int want = variant->mode == VTD_LEGACY ? -EIO : 0;

		EXPECT_EQ(want, vtd_submit(v, wide[i][0], wide[i][1]))
			TH_LOG("descriptor %zu", i);
		if (!want)
			continue;
		/* The queue stands there, until it is mended */
		EXPECT_EQ(at, vtd_read(v, VTD_IQH, 8));
		EXPECT_EQ(3, vtd_read(v, VTD_IQERCD, 8));
		*vtd_ptr(v, v->iq + at) = VTD_D_IEC;
		*vtd_ptr(v, v->iq + at + 8) = 0;
		vtd_write(v, VTD_FSTS, VTD_FSTS_IQE, 4);
		EXPECT_EQ(0, vtd_sync(v));
	}
	/* Nothing of that has changed anything */
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
}

/* Several in one go, and more than the queue has room for, one after the other */
TEST_F(vtd, queue_wraps)
{
	struct vtd *v = &self->v;
	unsigned int i, n;

	for (i = 0; i < 200; i++) {
		for (n = i % 7; n; n--)
			vtd_put(v, VTD_D_IOTLB(VTD_PAGE, DID),
				DATA_IOVA + n * PAGE);
		ASSERT_EQ(0, vtd_sync(v));
	}
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(vtd, events)
{
	struct vtd *v = &self->v;
	int fds[3] = { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		       eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		       eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	struct vtd_fault fault;
	u64 count;

	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   3, fds));
	vtd_write(v, VTD_FEADDR, 0xfee01004, 4);
	vtd_write(v, VTD_FEDATA, 0x4123, 4);
	EXPECT_EQ(0xfee01004, vtd_read(v, VTD_FEADDR, 4));
	EXPECT_EQ(0x4123, vtd_read(v, VTD_FEDATA, 4));
	/* Completion */
	vtd_write(v, VTD_IECTL, 0, 4);
	ASSERT_EQ(0, vtd_submit(v, VTD_D_WAIT_IRQ, 0));
	EXPECT_EQ(8, read(fds[1], &count, 8));
	EXPECT_EQ(1, vtd_read(v, VTD_ICS, 4));
	ASSERT_EQ(0, vtd_submit(v, VTD_D_WAIT_IRQ, 0));
	EXPECT_EQ(-1, read(fds[1], &count, 8));
	vtd_write(v, VTD_ICS, 1, 4);
	/* Interrupt entries: for a VMM that has a copy of them */
	EXPECT_EQ(-1, read(fds[2], &count, 8));
	ASSERT_EQ(0, vtd_submit(v, VTD_D_IEC, 0));
	EXPECT_EQ(8, read(fds[2], &count, 8));
	EXPECT_EQ(1, count);
	/* Fault: held back while it is masked */
	if (variant->mode == VTD_LEGACY)
		vtd_set_context(v, SID(0), self->table | 1, DID << 8 | 7);
	else
		vtd_set_pasid(v, SID(0), 7, DID, 0, 0);
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_EQ(-1, read(fds[0], &count, 8));
	vtd_write(v, VTD_FECTL, 0, 4);
	EXPECT_EQ(8, read(fds[0], &count, 8));
	ASSERT_EQ(1, vtd_next_fault(v, &fault));
	EXPECT_EQ(SID(0), fault.sid);
	EXPECT_EQ(variant->mode == VTD_LEGACY ? 0x03 : 0x5b, fault.reason);
	EXPECT_EQ(0, vtd_next_fault(v, &fault));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
}

TEST_F(vtd, table_fault)
{
	struct vtd *v = &self->v;
	struct vtd_fault fault;
	u64 entry;

	/* A table that is no memory: what is below it, and nothing else */
	entry = vtd_entry(v, self->table, BIG_IOVA, 21, vtd_rw(variant->mode));
	*vtd_ptr(v, entry) = HOLE_GPA | vtd_rw(variant->mode);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA, BIG_GPA);
	ASSERT_EQ(1, vtd_next_fault(v, &fault));
	EXPECT_EQ(BIG_IOVA, fault.addr);
	EXPECT_EQ(variant->mode == VTD_LEGACY ? 0x07 :
		  variant->mode == VTD_SECOND ? 0x78 :
		  variant->mode == VTD_FIRST ? 0x70 : 0x76, fault.reason);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_EQ(0, vtd_next_fault(v, &fault));
	/* A page that is no memory is no fault, and no access */
	*vtd_ptr(v, entry) = 0;
	if (variant->mode == VTD_NESTED)
		return;
	map(v, variant->mode, self->table, BIG_IOVA, HOLE_GPA);
	map(v, variant->mode, self->table, BIG_IOVA + PAGE, BIG_GPA + PAGE);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_EQ(0, vtd_next_fault(v, &fault));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + PAGE, BIG_GPA + PAGE);
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "dropped"));
}

/* ---- tables where no tables can be ---- */

/*
 * An edu's registers, which the VMM has mapped beside guest memory, as QEMU does
 * with every BAR. iommufd refuses that where a page table is filled with them at
 * once, so that of the device is of another IOAS here
 */
static int bring_up_with_registers(struct vmm *vmm)
{
	u32 ioas;
	int rc;

	rc = vmm_up(vmm, VMM_ENDPOINT_BIND) ?:
	     iommufd_ioas_alloc(vmm->iommufd, &ioas) ?:
	     iommufd_hwpt_alloc(vmm->iommufd, vmm->edu[0].dev.dev_id, ioas,
				&vmm->hwpt) ?:
	     vmm_up(vmm, VMM_BUS_MASTER);
	return rc ? rc : iommufd_map(vmm->iommufd, vmm->ioas,
				     (void *)vmm->edu[0].bar, MiB, HOLE_GPA,
				     true);
}

/* Of each kind of table, by enum vtd_mode: the fault when it can't be read */
static const struct {
	u8 root, context, pdir, pasid, page_root, page;
} device_memory[] = {
	[VTD_LEGACY] = { 0x08, 0x09, 0, 0, 0x03, 0x07 },
	[VTD_SECOND] = { 0x38, 0x40, 0x50, 0x58, 0x7b, 0x78 },
	[VTD_FIRST] = { 0x38, 0x40, 0x50, 0x58, 0x73, 0x70 },
	[VTD_NESTED] = { 0x38, 0x40, 0x50, 0x58, 0x73, 0x70 },
};

/*
 * Such a fault of this address, and no other. With pins on demand the kernel may read
 * the registers, as the VMM could itself: then it is whatever they mean, one thing.
 */
static bool says(struct vtd *v, u8 reason, u64 addr, bool demand)
{
	struct vtd_fault fault, more;

	if (!vtd_next_fault(v, &fault))
		return demand;
	return fault.sid == SID(0) && !vtd_next_fault(v, &more) &&
	       (demand || (fault.addr == addr && fault.reason == reason));
}

#define EXPECT_BLOCKED(self, what) do {					\
	EXPECT_EQ(true, says(&(self)->v, device_memory[mode].what, 0,	\
			     demand))					\
		TH_LOG("in device memory: " #what);			\
	EXPECT_WRITES(0, &(self)->vmm, 0, DATA_IOVA, DATA_GPA);		\
} while (0)

TEST_F(vtd, device_memory)
{
	bool demand = !strcmp(variant->pin, "demand");
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;
	struct vtd_fault fault;
	volatile u64 *entry;
	u64 was, iq;
	int i, rc;

	vmm_close(&self->vmm);
	rc = bring_up_with_registers(&self->vmm);
	if (rc)
		SKIP(return, "IOMMU_IOAS_MAP refuses a BAR: %s", strerror(-rc));
	ASSERT_EQ(0, bring_up(&self->vmm, v, mode, &self->table,
			      &self->second));
	if (mode == VTD_NESTED)
		vtd_map(v, self->second, HOLE_GPA, HOLE_GPA, 21, VTD_R | VTD_W);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);

	/* A table of pages: what is below it, and nothing else */
	entry = vtd_ptr(v, vtd_entry(v, self->table, BIG_IOVA, 21, vtd_rw(mode)));
	*entry = HOLE_GPA | vtd_rw(mode);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_EQ(true, says(v, device_memory[mode].page, BIG_IOVA, demand));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	*entry = 0;
	ASSERT_EQ(0, vtd_flush_all(v));

	/* The root of page tables */
	vtd_enter(v, mode, SID(0), DID, HOLE_GPA, self->second);
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_BLOCKED(self, page_root);
	vtd_enter(v, mode, SID(0), DID, self->table, self->second);

	/* Tables on the way to them, from the end on */
	if (v->scalable) {
		u64 context = *vtd_ptr(v, v->root) & ~0xfffULL;
		u64 pdir = *vtd_ptr(v, context + 32 * SID(0)) & ~0xfffULL;

		entry = vtd_ptr(v, pdir);
		was = *entry;
		*entry = HOLE_GPA | 1;
		ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
		EXPECT_BLOCKED(self, pasid);
		*entry = was;
		entry = vtd_ptr(v, context + 32 * SID(0));
		was = *entry;
		*entry = HOLE_GPA | 1;
		ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
		EXPECT_BLOCKED(self, pdir);
		*entry = was;
	}
	entry = vtd_ptr(v, v->root);
	was = *entry;
	*entry = HOLE_GPA | 1;
	ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
	EXPECT_BLOCKED(self, context);
	*entry = was;
	was = v->root;
	v->root = HOLE_GPA;
	ASSERT_EQ(0, vtd_set_root(v));
	EXPECT_BLOCKED(self, root);
	v->root = was;
	ASSERT_EQ(0, vtd_set_root(v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);

	/* The queue, after a second in which memory may come back */
	ASSERT_EQ(0, vtd_command(v, 0, VTD_QIE));
	iq = v->iq;
	v->iq = HOLE_GPA;
	ASSERT_EQ(0, vtd_queue_start(v));
	v->tail = v->scalable ? 32 : 16;
	vtd_ring(v);
	for (i = 0; i < 600 && !(vtd_read(v, VTD_FSTS, 4) & VTD_FSTS_IQE); i++)
		sleep_ms(100);
	EXPECT_EQ(VTD_FSTS_IQE, vtd_read(v, VTD_FSTS, 4) & ~VTD_FSTS_FRI);
	/* It can't be fetched, or is of a type that there isn't. */
	EXPECT_LE(2, vtd_read(v, VTD_IQERCD, 8));
	EXPECT_GE(demand ? 3 : 2, vtd_read(v, VTD_IQERCD, 8));
	EXPECT_EQ(0, vtd_read(v, VTD_IQH, 8));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, vtd_command(v, 0, VTD_QIE));
	vtd_write(v, VTD_FSTS, VTD_FSTS_IQE, 4);
	v->iq = iq;
	ASSERT_EQ(0, vtd_queue_start(v));
	map(v, mode, self->table, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_EQ(0, vtd_next_fault(v, &fault));
	EXPECT_EQ(0, vtd_read(v, VTD_FSTS, 4) & ~VTD_FSTS_FRI);
}

/* Hardware writes to no table that has no marks (3.7.2): they need not be writable */
TEST_F(vtd, read_only_tables)
{
	struct vtd_fault fault;
	struct vtd v;
	u64 table;

	if (variant->mode != VTD_LEGACY)
		SKIP(return, "its tables are marked");
	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, false));
	vtd_init(&v, &self->vmm.viommu, self->vmm.high, HIGH_GPA, false);
	table = vtd_page(&v);
	map(&v, VTD_LEGACY, table, DATA_IOVA, DATA2_GPA);
	map(&v, VTD_LEGACY, table, OUT_IOVA, OUT_GPA);
	vtd_enter(&v, VTD_LEGACY, SID(0), DID, table, 0);
	ASSERT_EQ(0, vtd_set_root(&v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
	/* The queue is where it was. */
	map(&v, VTD_LEGACY, table, DATA_IOVA + PAGE, DATA_GPA);
	vtd_unmap(&v, table, DATA_IOVA, 12);
	ASSERT_EQ(0, vtd_flush_pages(&self->v, VTD_LEGACY, DID, DATA_IOVA, 1));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA);
	EXPECT_EQ(0, vtd_next_fault(&v, &fault));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "dropped"));
}

/* ---- on and off ---- */

TEST_F(vtd, off_while_busy)
{
	struct vtd *v = &self->v;

	/* A device that may do DMA keeps what it was told, until it is quiet */
	ASSERT_EQ(0, vtd_command(v, 0, VTD_TE));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, false));
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, true));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, vtd_command(v, VTD_TE, 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	/* The next driver comes first, and has other tables */
	ASSERT_EQ(0, vtd_command(v, 0, VTD_TE));
	map(v, variant->mode, self->table, DATA_IOVA, DATA2_GPA);
	ASSERT_EQ(0, vtd_command(v, VTD_TE, 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(vtd, reset)
{
	char state[32];

	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
	EXPECT_EQ(0, vtd_read(&self->v, VTD_GSTS, 4));
	ASSERT_EQ(0, mdev_endpoint_state(&self->host.mdev, ENDPOINT(0), state,
					 sizeof(state)));
	EXPECT_STREQ("quiescing", state);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, false));
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, true));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, mdev_assume_reset(&self->host.mdev, self->host.bdf[0]));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, vtd_start(&self->v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* ---- beside running DMA ---- */

struct mover {
	struct vmm *vmm;
	void (*move)(struct mover *m);
	bool stop;
	unsigned int moves, lost, wrong, translated, bypassed;
};

static void *move(void *arg)
{
	struct mover *m = arg;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&m->moves, 1, __ATOMIC_RELAXED);
		m->move(m);
	}
	return NULL;
}

/* The body, "times" times or more: a transfer takes edu a tenth of a second */
#define WHILE_MOVING(m, i, times, body) do {				\
	pthread_t moving;						\
									\
	ASSERT_EQ(0, pthread_create(&moving, NULL, move, m));		\
	for (i = 0; i < (times) ||					\
	     __atomic_load_n(&(m)->moves, __ATOMIC_RELAXED) < 10; i++)	\
		body							\
	__atomic_store_n(&(m)->stop, true, __ATOMIC_RELAXED);		\
	pthread_join(moving, NULL);					\
} while (0)

/* The device reads DATA_IOVA, and writes what it read to OUT_IOVA: each byte */
static void move_through(struct mover *m)
{
	if (edu_can_read(&m->vmm->edu[0], DATA_IOVA, vmm_ptr(m->vmm, DATA_GPA),
			 OUT_IOVA, vmm_ptr(m->vmm, OUT_GPA)) != 1)
		m->lost++;
}

/* A root table that leads to the same, by a copy of the context table */
static u64 copy_root(struct vtd *v)
{
	u64 root = vtd_page(v), context = vtd_page(v);
	volatile u64 *old = vtd_ptr(v, *vtd_ptr(v, v->root) & ~0xfffULL);
	unsigned int i;

	for (i = 0; i < 512; i++)
		vtd_ptr(v, context)[i] = old[i];
	*vtd_ptr(v, root) = context | 1;
	return root;
}

/*
 * 1,000 times what changes nothing: global and domain-selective invalidations,
 * root pointers that lead to the same; and neighbours that come and go, which are
 * all that is mapped and unmapped.
 */
TEST_F(vtd, hitless)
{
	struct mover m = { .vmm = &self->vmm, .move = move_through };
	struct mdev *mdev = &self->host.mdev;
	long long mapped, unmapped, lookups;
	enum vtd_mode mode = variant->mode;
	unsigned int i, k, neighbours = 0;
	struct vtd *v = &self->v;
	u64 root[2];

	for (i = 0; i < 100; i++)
		map(v, mode, self->table, BIG_IOVA + i * 2 * PAGE,
		    BIG_GPA + i * PAGE);
	ASSERT_EQ(0, vtd_flush_all(v));
	root[0] = v->root;
	root[1] = copy_root(v);
	mapped = mdev_counter(mdev, "sync_mapped");
	unmapped = mdev_counter(mdev, "sync_unmapped");
	lookups = mdev_counter(mdev, "lookups");
	WHILE_MOVING(&m, i, 1000, {
		ASSERT_EQ(0, vtd_flush_all(v));
		switch (i % 5) {
		case 0:
			ASSERT_EQ(0, flush_domain(v, DID));
			break;
		case 1:
			v->root = root[i / 5 % 2];
			ASSERT_EQ(0, vtd_set_root(v));
			break;
		case 2:
			ASSERT_EQ(0, vtd_flush_device(v, SID(0)));
			break;
		case 3:
			ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, DATA_IOVA, 9));
			break;
		default:
			neighbours++;
			k = 1 + i / 5 % 60;
			map(v, mode, self->table, DATA_IOVA + k * PAGE,
			    DATA_GPA + k * PAGE);
			ASSERT_EQ(0, vtd_flush_pages(v, mode, DID, DATA_IOVA, 6));
			vtd_unmap(v, self->table, DATA_IOVA + k * PAGE, 12);
			ASSERT_EQ(0, flush_domain(v, DID));
		}
	});
	EXPECT_EQ(0, m.lost)
		TH_LOG("%u of %u transfers were lost", m.lost, m.moves);
	EXPECT_EQ(0, vtd_read(v, VTD_FSTS, 4));
	EXPECT_EQ(0, mdev_counter(mdev, "faults"));
	EXPECT_EQ(102, mdev_counter(mdev, "mappings"));
	EXPECT_EQ(mapped + neighbours, mdev_counter(mdev, "sync_mapped"));
	EXPECT_EQ(unmapped + neighbours, mdev_counter(mdev, "sync_unmapped"));
	EXPECT_LE(lookups + 1000, mdev_counter(mdev, "lookups"));
}

#define TOGGLED	64

/* The device writes to an address that leads elsewhere without translation */
static void move_toggled(struct mover *m)
{
	u8 *to[2] = { vmm_ptr(m->vmm, DATA_GPA), vmm_ptr(m->vmm, DATA2_GPA) };
	unsigned int n[2] = {}, i, k;

	for (i = 0; i < 2; i++)
		memset(to[i], 0x11, 2 * TOGGLED);
	edu_start_store(&m->vmm->edu[0], DATA2_GPA, TOGGLED);
	if (edu_wait(&m->vmm->edu[0]))
		m->wrong++;
	for (i = 0; i < 2; i++) {
		for (k = 0; k < TOGGLED; k++)
			n[i] += to[i][k] == 0xee;
		for (k = 0; k < 2 * TOGGLED; k++)
			if (to[i][k] != (k < n[i] ? 0xee : 0x11))
				m->wrong++;
	}
	if (n[0] + n[1] != TOGGLED && n[0] + n[1] != 0)
		m->wrong++;
	m->translated += n[0] == TOGGLED;
	m->bypassed += n[1] == TOGGLED;
}

/* Until there is one more, or two seconds */
static void await_more(const unsigned int *transfers)
{
	unsigned int before = __atomic_load_n(transfers, __ATOMIC_RELAXED), i;

	for (i = 0; i < 200 &&
	     __atomic_load_n(transfers, __ATOMIC_RELAXED) == before; i++)
		sleep_ms(10);
}

/*
 * Off and on again; each write is where one of both says, or nowhere: not in two
 * places, not in parts.
 */
TEST_F(vtd, toggled_under_load)
{
	struct mover m = { .vmm = &self->vmm, .move = move_toggled };
	struct vtd *v = &self->v;
	unsigned int i;

	map(v, variant->mode, self->table, DATA2_GPA, DATA_GPA);
	ASSERT_EQ(0, vtd_flush_all(v));
	memset(vmm_ptr(&self->vmm, DATA_GPA), 0xee, TOGGLED);
	edu_start_load(&self->vmm.edu[0], DATA_IOVA, TOGGLED);
	ASSERT_EQ(0, edu_wait(&self->vmm.edu[0]));
	WHILE_MOVING(&m, i, 100, {
		ASSERT_EQ(0, vtd_command(v, 0, VTD_TE));
		/* It is bypassed when it was reset, an edu by word of mouth. */
		if (i % 10 == 0) {
			vfio_bus_master(&self->vmm.edu[0].dev, false);
			mdev_assume_reset(&self->host.mdev, self->host.bdf[0]);
		}
		vfio_bus_master(&self->vmm.edu[0].dev, true);
		if (i % 10 == 0)
			await_more(&m.bypassed);
		if (i % 10 == 5)
			sleep_ms(30);
		ASSERT_EQ(0, vtd_command(v, VTD_TE, 0));
		if (i % 10 == 6)
			await_more(&m.translated);
	});
	EXPECT_EQ(0, m.wrong);
	EXPECT_LT(0, m.translated);
	EXPECT_LT(0, m.bypassed);
	TH_LOG("%u transfers: %u translated, %u bypassed", m.moves, m.translated,
	       m.bypassed);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

#define SPLITS	50

/*
 * A leaf of 2 MiB that small ones have replaced is split by the first of them that
 * changes: what that costs a device which uses another one. How many transfers
 * end just then depends on the machine; that it goes on afterwards does not.
 */
TEST_F(vtd, split_leaf)
{
	volatile u8 *target = vmm_ptr(&self->vmm, BIG_GPA);
	unsigned int i, k, lost = 0;
	struct rng rng = { .state = 5 };
	struct vtd *v = &self->v;
	volatile u64 *leaf, *small;
	u64 table, start, took = 0;

	if (variant->mode != VTD_LEGACY)
		SKIP(return, "it is the same in all modes");
	leaf = vtd_ptr(v, vtd_entry(v, self->table, BIG_IOVA, 21,
				    VTD_R | VTD_W));
	table = vtd_page(v);
	small = vtd_ptr(v, table);
	memset(vmm_ptr(&self->vmm, DATA_GPA), 0xee, 64);
	edu_start_load(&self->vmm.edu[0], DATA_IOVA, 64);
	ASSERT_EQ(0, edu_wait(&self->vmm.edu[0]));
	for (i = 0; i < SPLITS; i++) {
		/* A new one, since what was split once stays so */
		*leaf = 0;
		ASSERT_EQ(0, flush_domain(v, DID));
		*leaf = BIG_GPA | 1 << 7 | VTD_R | VTD_W;
		ASSERT_EQ(0, flush_domain(v, DID));
		for (k = 0; k < 512; k++)
			small[k] = (BIG_GPA + k * PAGE) | VTD_R | VTD_W;
		*leaf = table | VTD_R | VTD_W;
		ASSERT_EQ(0, flush_domain(v, DID));
		/* Another one goes about when the transfer takes place. */
		*target = 0x11;
		edu_start_store(&self->vmm.edu[0], BIG_IOVA, 64);
		usleep(85000 + rng_below(&rng, 25000));
		small[100] = 0;
		start = now_ns();
		ASSERT_EQ(0, flush_domain(v, DID));
		took += now_ns() - start;
		ASSERT_EQ(0, edu_wait(&self->vmm.edu[0]));
		lost += *target == 0x11;
		if (i)
			continue;
		EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, BIG_GPA);
		EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA + 100 * PAGE,
			      BIG_GPA + 100 * PAGE);
		edu_start_load(&self->vmm.edu[0], DATA_IOVA, 64);
		ASSERT_EQ(0, edu_wait(&self->vmm.edu[0]));
	}
	TH_LOG("%u of %u transfers were lost, beside splits of %llu us", lost,
	       SPLITS, (unsigned long long)took / SPLITS / 1000);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, BIG_GPA);
}

/* ---- guest memory that goes away ---- */

TEST_F(vtd, memory_removed)
{
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;
	const u64 second = self->second;

	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	if (mode == VTD_NESTED)
		vtd_map(v, second, HIGH_GPA, HIGH_GPA, 21, VTD_R | VTD_W);
	map(v, mode, self->table, BIG_IOVA, HIGH_GPA);
	map(v, mode, self->table, BIG_IOVA + PAGE, BIG_GPA);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, HIGH_GPA);
	ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, HIGH_SIZE));
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA, HIGH_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + PAGE, BIG_GPA);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA, HIGH_GPA);
	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	EXPECT_EQ(true, mdev_counter_becomes(&self->host.mdev, "dropped", 0));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, HIGH_GPA);
}

/* All of it, with tables and queue */
TEST_F(vtd, all_memory_removed)
{
	struct vtd *v = &self->v;
	u64 start, status;

	ASSERT_EQ(0, iommufd_unmap(self->vmm.iommufd, self->vmm.ioas, RAM_GPA,
				   RAM_SIZE));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vtd_ring(v);
	v->tail += v->scalable ? 32 : 16;
	start = now_ns();
	vtd_ring(v);
	/* It is waited for, a second, but not forever. */
	do {
		status = vtd_read(v, VTD_FSTS, 4) & VTD_FSTS_IQE;
		if (now_ns() - start < 500000000)
			EXPECT_EQ(0, status);
		sleep_ms(100);
	} while (!status && now_ns() - start < PATIENCE_NS);
	EXPECT_EQ(VTD_FSTS_IQE, status);
	EXPECT_EQ(2, vtd_read(v, VTD_IQERCD, 8));
	ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas,
				 self->vmm.ram, RAM_SIZE, RAM_GPA, true));
	EXPECT_EQ(true, mdev_counter_becomes(&self->host.mdev, "dropped", 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, vtd_command(v, 0, VTD_QIE));
	vtd_write(v, VTD_FSTS, VTD_FSTS_IQE, 4);
	ASSERT_EQ(0, vtd_queue_start(v));
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* ---- many ---- */

/* Nothing is mapped or unmapped by an invalidation of what has not changed */
TEST_F(vtd, many)
{
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;
	const long long n = 100000;
	long long mapped, unmapped, i;
	u64 start;

	for (i = 0; i < n; i++)
		map(v, mode, self->table, BIG_IOVA + i * PAGE,
		    BIG_GPA + i * 7 % 2048 * PAGE);
	ASSERT_EQ(0, flush_domain(v, DID));
	EXPECT_EQ(n + 2, mdev_counter(&self->host.mdev, "mappings"));
	mapped = mdev_counter(&self->host.mdev, "sync_mapped");
	unmapped = mdev_counter(&self->host.mdev, "sync_unmapped");
	start = now_ns();
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, vtd_flush_all(v));
	TH_LOG("%llu ns a leaf of a global invalidation",
	       (unsigned long long)(now_ns() - start) / 10 / n);
	EXPECT_EQ(mapped, mdev_counter(&self->host.mdev, "sync_mapped"));
	EXPECT_EQ(unmapped, mdev_counter(&self->host.mdev, "sync_unmapped"));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 99999 * PAGE,
		      BIG_GPA + 99999 * 7 % 2048 * PAGE);
}

TEST_F(vtd, quota)
{
	enum vtd_mode mode = variant->mode;
	struct vtd *v = &self->v;
	struct vtd_fault fault;
	char text[1024];
	unsigned int i;

	vmm_close(&self->vmm);
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "max_mappings", "100"));
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, bring_up(&self->vmm, v, mode, &self->table,
			      &self->second));
	for (i = 0; i < 200; i++)
		map(v, mode, self->table, BIG_IOVA + i * 2 * PAGE,
		    BIG_GPA + i * PAGE);
	ASSERT_EQ(0, flush_domain(v, DID));
	/* What is too much is not reached, and all else is. */
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA, BIG_GPA);
	EXPECT_EQ(1, vtd_next_fault(v, &fault));
	EXPECT_EQ(100, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_LE(102, mdev_counter(&self->host.mdev, "refused"));
	ASSERT_LE(0, mdev_debugfs(&self->host.mdev, "domains", text,
				  sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "incomplete"));
	EXPECT_WRITES(0, &self->vmm, 0, BIG_IOVA + 398 * PAGE,
		      BIG_GPA + 199 * PAGE);
	/* It comes by itself when there is room. */
	for (i = 0; i < 102; i++)
		vtd_unmap(v, self->table, BIG_IOVA + i * 2 * PAGE, 12);
	ASSERT_EQ(0, flush_domain(v, DID));
	EXPECT_WRITES(1, &self->vmm, 0, BIG_IOVA + 398 * PAGE,
		      BIG_GPA + 199 * PAGE);
}

/* All of an address space that leads to itself */
TEST_F(vtd, self_reference)
{
	struct vtd *v = &self->v;
	unsigned int i;

	/* How much is looked at depends on it; a debug kernel is slow */
	vmm_close(&self->vmm);
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "max_mappings", "2000"));
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, bring_up(&self->vmm, v, variant->mode, &self->table,
			      &self->second));
	for (i = 0; i < 512; i++)
		vtd_ptr(v, self->table)[i] = self->table | vtd_rw(variant->mode);
	ASSERT_EQ(0, vtd_flush_all(v));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_LE(1, mdev_counter(&self->host.mdev, "failed"));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
}

/* ---- life ---- */

TEST_F(vtd, closed_in_any_order)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (i == 0)
			vmm_close_viommu(&self->vmm);
		else if (i == 1)
			vmm_close_endpoints(&self->vmm);
		else
			vmm_close_iommufd(&self->vmm);
		vmm_close(&self->vmm);
		EXPECT_EQ(NULL, host_leftovers(&self->host));
		ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
		ASSERT_EQ(0, bring_up(&self->vmm, &self->v, variant->mode,
				      &self->table, &self->second));
		EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	}
}

/* What a guest does all day, until it is killed */
static void churn(struct vmm *vmm, enum vtd_mode mode)
{
	u64 table, second, i, k;
	struct vtd v;

	if (bring_up(vmm, &v, mode, &table, &second))
		_exit(1);
	for (i = 0;; i++) {
		if (!(i % 50))
			edu_start_store(&vmm->edu[0], DATA_IOVA, 64);
		for (k = 0; k < 64; k++)
			map(&v, mode, table, BIG_IOVA + k * 3 * PAGE,
			    BIG_GPA + (i + k) * PAGE % (8 * MiB));
		flush_domain(&v, DID);
		vtd_unmap(&v, table, BIG_IOVA + i % 64 * 3 * PAGE, 12);
		vtd_flush_all(&v);
		vtd_set_root(&v);
	}
}

TEST_F(vtd, killed)
{
	u8 *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct vmm vmm;
	pid_t pid;
	int i;

	ASSERT_NE(MAP_FAILED, ram);
	vmm_close(&self->vmm);
	for (i = 0; i < 4; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			vmm_init(&vmm, &self->host, NULL);
			vmm.ram = ram;
			if (vmm_up(&vmm, VMM_BUS_MASTER))
				_exit(1);
			churn(&vmm, variant->mode);
		}
		sleep_ms(120 + 61 * i);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_EQ(NULL, host_leftovers(&self->host));
	}
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, bring_up(&self->vmm, &self->v, variant->mode, &self->table,
			      &self->second));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	munmap(ram, RAM_SIZE);
}

/* ---- two of them ---- */

FIXTURE(vtd_pair)
{
	struct host host;
	struct vmm vmm;
	struct vtd v;
	u64 table;
	u64 second;
};

FIXTURE_SETUP(vtd_pair)
{
	SETUP_HOST_TYPE(&self->host, KVIOMMU_VTD, 2);
	vmm_init(&self->vmm, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, bring_up(&self->vmm, &self->v, VTD_LEGACY, &self->table,
			      &self->second));
}

FIXTURE_TEARDOWN(vtd_pair)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

TEST_F(vtd_pair, domains)
{
	struct vtd *v = &self->v;
	u64 other = vtd_page(v);

	/* Nothing said of the second one */
	EXPECT_WRITES(0, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 1, DATA_GPA, DATA_GPA);
	vtd_context_translate(v, SID(1), DID, self->table);
	ASSERT_EQ(0, vtd_flush_device(v, SID(1)));
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
	/* A domain of its own, and one does not feel the other's invalidation */
	map(v, VTD_LEGACY, other, DATA_IOVA, DATA2_GPA);
	vtd_context_translate(v, SID(1), DID + 1, other);
	ASSERT_EQ(0, vtd_flush_device(v, SID(1)));
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vtd_unmap(v, other, DATA_IOVA, 12);
	ASSERT_EQ(0, flush_domain(v, DID));
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA2_GPA);
	ASSERT_EQ(0, flush_domain(v, DID + 1));
	EXPECT_WRITES(0, &self->vmm, 1, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* One id for two tables: kept apart, and said so */
	map(v, VTD_LEGACY, other, DATA_IOVA, DATA2_GPA);
	vtd_context_translate(v, SID(1), DID, other);
	ASSERT_EQ(0, vtd_flush_device(v, SID(1)));
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "did_conflicts"));
	/* One ends, the other goes on */
	edu_close(&self->vmm.edu[1]);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
}

/* ---- settings ---- */

FIXTURE(vtd_sysfs)
{
	struct host host;
	struct vmm vmm;
};

FIXTURE_SETUP(vtd_sysfs)
{
	SETUP_HOST_TYPE(&self->host, KVIOMMU_VTD, 1);
	vmm_init(&self->vmm, &self->host, NULL);
}

FIXTURE_TEARDOWN(vtd_sysfs)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

TEST_F(vtd_sysfs, settings)
{
	static const struct {
		const char *name, *value;
	} attr[] = {
		{ "scalable", "0" }, { "first_stage", "0" },
		{ "passthrough", "1" }, { "snoop", "1" },
	};
	char text[64], path[512];
	struct mdev virtio;
	size_t i;

	for (i = 0; i < sizeof(attr) / sizeof(*attr); i++) {
		ASSERT_EQ(0, mdev_get(&self->host.mdev, attr[i].name, text,
				      sizeof(text)));
		EXPECT_STREQ(attr[i].value, text);
		EXPECT_EQ(-EINVAL, mdev_set(&self->host.mdev, attr[i].name, "2"));
		EXPECT_EQ(0, mdev_set(&self->host.mdev, attr[i].name, "0"));
	}
	/* Its endpoints are requesters of one segment */
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, self->host.bdf[0]));
	EXPECT_EQ(-EINVAL, mdev_assign(&self->host.mdev, self->host.bdf[0],
				       "0x10000"));
	EXPECT_EQ(0, mdev_assign(&self->host.mdev, self->host.bdf[0], "0xffff"));
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, self->host.bdf[0]));
	ASSERT_EQ(0, mdev_assign(&self->host.mdev, self->host.bdf[0], "0x28"));
	/* Neither has what is the other's */
	EXPECT_NE(0, mdev_get(&self->host.mdev, "poll_us", text, sizeof(text)));
	ASSERT_EQ(0, mdev_create(&virtio, KVIOMMU_VIRTIO));
	mdev_dir(&virtio, path, sizeof(path));
	EXPECT_NE(0, mdev_get(&virtio, "scalable", text, sizeof(text)));
	EXPECT_NE(0, mdev_get(&virtio, "register_base", text, sizeof(text)));
	EXPECT_EQ(0, mdev_get(&virtio, "poll_us", text, sizeof(text)));
	ASSERT_EQ(0, mdev_remove(&virtio));

	ASSERT_UP(&self->vmm, VMM_VIOMMU_ATTACH);
	for (i = 0; i < sizeof(attr) / sizeof(*attr); i++)
		EXPECT_EQ(-EBUSY, mdev_set(&self->host.mdev, attr[i].name, "0"));
}

TEST_F(vtd_sysfs, device)
{
	struct vfio_region_info region = { .argsz = sizeof(region) };
	struct vfio_irq_info irq = { .argsz = sizeof(irq) };
	char text[64];
	u32 value;
	u16 id[2];

	ASSERT_UP(&self->vmm, VMM_VIOMMU_ATTACH);
	/* A host bridge, which Linux does not move */
	ASSERT_EQ(0, vfio_config_read(&self->vmm.viommu, 8, &value, 4));
	EXPECT_EQ(0x060000, value >> 8);
	ASSERT_EQ(0, vfio_config_read(&self->vmm.viommu, 0, id, 4));
	EXPECT_EQ(0x1af4, id[0]);
	ASSERT_EQ(0, vfio_region_info(&self->vmm.viommu, 0, &region));
	EXPECT_EQ(64 * MiB, region.size);
	ASSERT_EQ(0, vfio_irq_info(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX,
				   &irq));
	EXPECT_EQ(3, irq.count);
	irq = (struct vfio_irq_info){ .argsz = sizeof(irq) };
	ASSERT_EQ(0, vfio_irq_info(&self->vmm.viommu, VFIO_PCI_INTX_IRQ_INDEX,
				   &irq));
	EXPECT_EQ(0, irq.count);
	/* Where a DMAR table has to say it is */
	value = 0xf8000000;
	ASSERT_EQ(0, vfio_config_write(&self->vmm.viommu, 0x10, &value, 4));
	ASSERT_EQ(0, mdev_get(&self->host.mdev, "register_base", text,
			      sizeof(text)));
	EXPECT_STREQ("0xf8000000", text);
	value = 0xffffffff;
	ASSERT_EQ(0, vfio_config_write(&self->vmm.viommu, 0x10, &value, 4));
	ASSERT_EQ(0, vfio_config_read(&self->vmm.viommu, 0x10, &value, 4));
	EXPECT_EQ(0xfc000000, value);
}

TEST_F(vtd_sysfs, narrow)
{
	struct vtd v;
	u64 cap;

	ASSERT_EQ(0, mdev_set(&self->host.mdev, "address_width", "39"));
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "passthrough", "0"));
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	vtd_init(&v, &self->vmm.viommu, self->vmm.ram, RAM_GPA, false);
	cap = vtd_read(&v, VTD_CAP, 8);
	EXPECT_EQ(38, cap >> 16 & 0x3f);
	EXPECT_EQ(2, cap >> 8 & 0x1f);
	EXPECT_EQ(0, vtd_read(&v, VTD_ECAP, 8) & VTD_ECAP_PT);
	/* Off: 1:1, as firmware needs it */
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

/* The last page that the unit says it translates is one that the host does */
TEST_F(vtd_sysfs, top_page)
{
	u64 cap, table, top;
	bool narrow;
	struct vtd v;

	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	vtd_init(&v, &self->vmm.viommu, self->vmm.ram, RAM_GPA, false);
	cap = vtd_read(&v, VTD_CAP, 8);
	top = 1ULL << ((cap >> 16 & 0x3f) + 1);
	/* edu has 48 bits, and vtd_map() has four levels */
	if (top > 1ULL << 48)
		top = 1ULL << 48;
	table = vtd_page(&v);
	vtd_map(&v, table, top - PAGE, DATA_GPA, 12, VTD_R | VTD_W);
	narrow = !(cap >> 8 & 4);
	if (narrow)
		table = *vtd_ptr(&v, table) & ~(PAGE - 1);
	vtd_set_context(&v, ENDPOINT(0), table | 1, 5 << 8 | (narrow ? 1 : 2));
	ASSERT_EQ(0, vtd_start(&v));
	EXPECT_WRITES(1, &self->vmm, 0, top - PAGE, DATA_GPA);
	TH_LOG("%d bits", (int)(cap >> 16 & 0x3f) + 1);
}

TEST_HARNESS_MAIN
