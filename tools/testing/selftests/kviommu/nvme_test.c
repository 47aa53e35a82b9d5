// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real DMA by a disk: its queues, its lists of pages and its data are where the guest
 * has mapped them, in a domain that it has in common with another device.
 */
#include "kviommu_harness.h"

#include <string.h>

#include "lib/machine.h"
#include "lib/nvme.h"

#define DISK		1	/* endpoint, after an edu */
#define QUEUES_GPA	DATA2_GPA
#define QUEUES_IOVA	0x60000000ULL
#define BUFFER_GPA	(RAM_GPA + 4 * MiB)
#define BUFFER2_GPA	(RAM_GPA + 8 * MiB)
#define BUFFER_IOVA	0x70000000ULL
#define SIZE		(2 * MiB)

FIXTURE(nvme)
{
	struct machine m;
	struct nvme disk;
};

FIXTURE_VARIANT(nvme)
{
	enum model model;
};

FIXTURE_VARIANT_ADD(nvme, virtio)
{
	VIRTIO,
};

FIXTURE_VARIANT_ADD(nvme, vtd)
{
	VTD,
};

FIXTURE_VARIANT_ADD(nvme, smmuv3)
{
	SMMUV3,
};

FIXTURE_SETUP(nvme)
{
	struct nvme *disk = &self->disk;
	struct machine *m = &self->m;
	char bdf[1][BDF_LEN];
	int rc;

	m->model = variant->model;
	disk->dev.fd = -1;
	SETUP_HOST_TYPE(&m->host, model_type[m->model], 1);
	rc = nvme_assign(&m->host, ENDPOINT(DISK), bdf);
	if (rc == -ENODEV)
		SKIP(return, "needs QEMU's NVMe disk");
	ASSERT_EQ(0, rc);
	vmm_init(&m->vmm, &m->host, NULL);
	ASSERT_EQ(0, machine_up(m));
	ASSERT_EQ(0, vmm_add_device(&m->vmm, &disk->dev, bdf[0]));
	ASSERT_EQ(0, vfio_bus_master(&disk->dev, true));
	ASSERT_EQ(0, machine_translate(m));
	ASSERT_EQ(0, machine_join(m, DISK));
	ASSERT_EQ(0, machine_map(m, QUEUES_IOVA, QUEUES_GPA, NVME_PAGES * PAGE));
	ASSERT_EQ(0, nvme_start(disk, vmm_ptr(&m->vmm, QUEUES_GPA), QUEUES_IOVA));
}

FIXTURE_TEARDOWN(nvme)
{
	vfio_close(&self->disk.dev);
	vmm_close(&self->m.vmm);
	TEARDOWN_HOST(&self->m.host);
}

/* Does what the disk writes to an address arrive there? 1, 0 or a negative errno */
static int arrives(struct nvme *disk, struct vmm *vmm, u64 iova, u64 gpa)
{
	u8 *va = vmm_ptr(vmm, gpa);
	int rc;

	memset(va, 0, PAGE);
	/* One that it can't write to is an error in the disk's answer, or is not. */
	rc = nvme_identify(disk, iova);
	return rc < 0 ? rc : !!va[NVME_SERIAL];
}

TEST_F(nvme, mapped)
{
	struct nvme *disk = &self->disk;
	struct machine *m = &self->m;
	struct vmm *vmm = &m->vmm;

	EXPECT_EQ(0, arrives(disk, vmm, BUFFER_IOVA, BUFFER_GPA));
	EXPECT_EQ(0, arrives(disk, vmm, BUFFER_GPA, BUFFER_GPA));
	ASSERT_EQ(0, machine_map(m, BUFFER_IOVA, BUFFER_GPA, PAGE));
	EXPECT_EQ(1, arrives(disk, vmm, BUFFER_IOVA, BUFFER_GPA));
	ASSERT_EQ(0, machine_unmap(m, BUFFER_IOVA, PAGE));
	EXPECT_EQ(0, arrives(disk, vmm, BUFFER_IOVA, BUFFER_GPA));
	ASSERT_EQ(0, machine_map(m, BUFFER_IOVA, BUFFER2_GPA, PAGE));
	EXPECT_EQ(0, arrives(disk, vmm, BUFFER_IOVA, BUFFER_GPA));
	EXPECT_EQ(1, arrives(disk, vmm, BUFFER_IOVA, BUFFER2_GPA));
	/* The other one of the domain has them as well */
	EXPECT_WRITES(1, vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, vmm, 0, BUFFER_IOVA, BUFFER2_GPA);
}

/* Each transfer has addresses of its own, which are gone after it */
static int transfer(struct nvme *disk, struct machine *m, bool write, u64 at, u64 gpa)
{
	u64 iova = BUFFER_IOVA + 3 * at;

	return machine_map(m, iova, gpa + at, NVME_MAX) ?:
	       nvme_move(disk, write, at, iova, NVME_MAX) ?:
	       machine_unmap(m, iova, NVME_MAX);
}

TEST_F(nvme, written_and_read)
{
	struct nvme *disk = &self->disk;
	struct machine *m = &self->m;
	struct vmm *vmm = &m->vmm;
	u64 *out = vmm_ptr(vmm, BUFFER_GPA), *in = vmm_ptr(vmm, BUFFER2_GPA);
	struct rng rng = { 1 };
	long long mappings;
	u64 i, at;

	ASSERT_EQ(0, machine_map(m, BUFFER_IOVA, BUFFER_GPA, PAGE));
	ASSERT_EQ(0, nvme_open_disk(disk, BUFFER_IOVA, out));
	ASSERT_EQ(0, machine_unmap(m, BUFFER_IOVA, PAGE));
	mappings = mdev_counter(&m->host.mdev, "mappings");
	for (i = 0; i < SIZE / sizeof(*out); i++)
		out[i] = rng_next(&rng);
	for (at = 0; at < SIZE; at += NVME_MAX)
		ASSERT_EQ(0, transfer(disk, m, true, at, BUFFER_GPA));
	ASSERT_EQ(0, nvme_flush(disk));
	for (at = 0; at < SIZE; at += NVME_MAX)
		ASSERT_EQ(0, transfer(disk, m, false, at, BUFFER2_GPA));
	EXPECT_EQ(0, memcmp(out, in, SIZE));
	EXPECT_EQ(mappings, mdev_counter(&m->host.mdev, "mappings"));
}

TEST_HARNESS_MAIN
