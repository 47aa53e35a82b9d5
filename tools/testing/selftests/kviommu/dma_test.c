// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real DMA through the shadow: what is mapped is reached, what is not is not, and
 * what changes beside a running transfer does not disturb it.
 */
#include "kviommu_harness.h"

#include <pthread.h>
#include <sys/eventfd.h>

FIXTURE(dma)
{
	struct host host;
	struct vmm vmm;
	struct virtio_dev *v;
};

FIXTURE_VARIANT(dma)
{
	const char *pin;
	const char *poll_us;
	enum ram_kind ram;
	u64 features;
};

FIXTURE_VARIANT_ADD(dma, cache_4k)
{
	"cache", "0", RAM_4K, VIOMMU_PLAIN_FEATURES,
};

FIXTURE_VARIANT_ADD(dma, cache_2m_poll)
{
	"cache", "200", RAM_2M, VIOMMU_ALL_FEATURES,
};

FIXTURE_VARIANT_ADD(dma, demand_hugetlb)
{
	"demand", "0", RAM_HUGETLB, VIOMMU_ALL_FEATURES,
};

FIXTURE_VARIANT_ADD(dma, demand_4k_poll)
{
	"demand", "200", RAM_4K, VIOMMU_ALL_FEATURES,
};

FIXTURE_SETUP(dma)
{
	int rc;

	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->v = &self->vmm.v;
	self->vmm.config.ram = variant->ram;
	self->vmm.config.features = variant->features;
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "pin", variant->pin));
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "poll_us", variant->poll_us));
	rc = vmm_up(&self->vmm, VMM_MEMORY);
	if (rc == -ENOMEM && variant->ram == RAM_HUGETLB) {
		host_teardown(&self->host);
		SKIP(return, "no huge pages to be had");
	}
	ASSERT_EQ(0, rc);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
}

FIXTURE_TEARDOWN(dma)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

static int map(struct virtio_dev *v, u64 iova, u64 pages, u64 gpa)
{
	return viommu_map(v, DOMAIN, iova, pages * PAGE, gpa, VIOMMU_RW);
}

static int unmap(struct virtio_dev *v, u64 iova, u64 pages)
{
	return viommu_unmap(v, DOMAIN, iova, pages * PAGE);
}

/* A transfer beyond the page must not arrive in parts, so pages are enough */
TEST_F(dma, translated)
{
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE - 64,
		      DATA_GPA + PAGE - 64);
	/* Neighbours, and the GPA as if there was no IOMMU */
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA + PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA - PAGE, DATA_GPA - PAGE);
	EXPECT_READS(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA + PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_READS(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

TEST_F(dma, unmapped)
{
	ASSERT_EQ(0, unmap(self->v, DATA_IOVA, 1));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_READS(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, map(self->v, DATA_IOVA, 1, DATA_GPA));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(dma, permissions)
{
	const u64 ro = DATA_IOVA + PAGE, wo = DATA_IOVA + 2 * PAGE;

	ASSERT_EQ(0, viommu_map(self->v, DOMAIN, ro, PAGE, DATA2_GPA,
				VIRTIO_IOMMU_MAP_F_READ));
	ASSERT_EQ(0, viommu_map(self->v, DOMAIN, wo, PAGE, DATA2_GPA + PAGE,
				VIRTIO_IOMMU_MAP_F_WRITE));
	EXPECT_READS(1, &self->vmm, 0, ro, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, ro, DATA2_GPA);
	/* Reads of it may work: not every host can forbid them (5.13.6.5) */
	EXPECT_WRITES(1, &self->vmm, 0, wo, DATA2_GPA + PAGE);
	/* The same page with both kinds: one does not widen the other */
	ASSERT_EQ(0, map(self->v, DATA_IOVA + 3 * PAGE, 1, DATA2_GPA));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + 3 * PAGE, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, ro, DATA2_GPA);
}

TEST_F(dma, remapped)
{
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, unmap(self->v, DATA_IOVA, 1));
	ASSERT_EQ(0, map(self->v, DATA_IOVA, 1, DATA2_GPA));
	/* The IOTLB has seen the old one */
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
	EXPECT_READS(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
}

/* Two IOVAs of one page; taking one away leaves the other */
TEST_F(dma, aliases)
{
	ASSERT_EQ(0, map(self->v, DATA_IOVA + PAGE, 1, DATA_GPA));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA);
	ASSERT_EQ(0, unmap(self->v, DATA_IOVA, 1));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA_GPA);
}

/* Runs of every size that could end up in a huge page of the host */
TEST_F(dma, large)
{
	static const u64 pages[] = { 2, 8, 511, 512, 513, 1024 };
	const u64 iova = 0x200000000ULL, gpa = RAM_GPA + 4 * MiB;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		u64 n = pages[i];

		ASSERT_EQ(0, map(self->v, iova, n, gpa));
		EXPECT_WRITES(1, &self->vmm, 0, iova, gpa);
		EXPECT_WRITES(1, &self->vmm, 0, iova + n / 2 * PAGE,
			      gpa + n / 2 * PAGE);
		EXPECT_WRITES(1, &self->vmm, 0, iova + (n - 1) * PAGE,
			      gpa + (n - 1) * PAGE);
		EXPECT_WRITES(0, &self->vmm, 0, iova + n * PAGE, gpa + n * PAGE);
		EXPECT_EQ(VIRTIO_IOMMU_S_RANGE, unmap(self->v, iova, n / 2));
		ASSERT_EQ(0, unmap(self->v, iova, n));
		EXPECT_WRITES(0, &self->vmm, 0, iova, gpa);
		EXPECT_WRITES(0, &self->vmm, 0, iova + (n - 1) * PAGE,
			      gpa + (n - 1) * PAGE);
	}
}

/* 512 neighbours mapped one by one, then one in the middle goes */
TEST_F(dma, hole_in_a_run)
{
	const u64 iova = 0x200000000ULL, gpa = RAM_GPA + 4 * MiB;
	u64 i;

	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, map(self->v, iova + i * PAGE, 1, gpa + i * PAGE));
	EXPECT_WRITES(1, &self->vmm, 0, iova + 100 * PAGE, gpa + 100 * PAGE);
	ASSERT_EQ(0, unmap(self->v, iova + 100 * PAGE, 1));
	EXPECT_WRITES(0, &self->vmm, 0, iova + 100 * PAGE, gpa + 100 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, iova + 99 * PAGE, gpa + 99 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, iova + 101 * PAGE, gpa + 101 * PAGE);
	/* The first and the last, where a host would take a whole huge page */
	ASSERT_EQ(0, unmap(self->v, iova, 1));
	ASSERT_EQ(0, unmap(self->v, iova + 511 * PAGE, 1));
	EXPECT_WRITES(0, &self->vmm, 0, iova, gpa);
	EXPECT_WRITES(1, &self->vmm, 0, iova + PAGE, gpa + PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, iova + 510 * PAGE, gpa + 510 * PAGE);
	/* And over the holes: nothing around is hurt */
	ASSERT_EQ(0, unmap(self->v, iova, 100));
	EXPECT_WRITES(1, &self->vmm, 0, iova + 101 * PAGE, gpa + 101 * PAGE);
	EXPECT_EQ(2 + 410, mdev_counter(&self->host.mdev, "mappings"));
}

/* Scattered pages in one range: page i goes to page 511 - i */
TEST_F(dma, scattered)
{
	const u64 iova = 0x200000000ULL, gpa = RAM_GPA + 4 * MiB;
	u64 i;

	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, map(self->v, iova + i * PAGE, 1,
				 gpa + (511 - i) * PAGE));
	for (i = 0; i < 512; i += 170)
		EXPECT_WRITES(1, &self->vmm, 0, iova + i * PAGE,
			      gpa + (511 - i) * PAGE);
	ASSERT_EQ(0, unmap(self->v, iova, 512));
	EXPECT_WRITES(0, &self->vmm, 0, iova, gpa + 511 * PAGE);
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
}

static void set_bypass(struct virtio_dev *v, u8 value)
{
	virtio_write(v, VIRTIO_DEVICE_CFG +
		     offsetof(struct virtio_iommu_config, bypass), value, 1);
}

TEST_F(dma, bypass)
{
	ASSERT_EQ(0, viommu_detach(self->v, DOMAIN, ENDPOINT(0)));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	set_bypass(self->v, 0);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	/* A domain with bypass does not care for the register */
	ASSERT_EQ(0, viommu_attach(self->v, 7, ENDPOINT(0),
				   VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, RAM_GPA + RAM_SIZE - PAGE,
		      RAM_GPA + RAM_SIZE - PAGE);
	/* From bypass to translated, in one request */
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, map(self->v, DATA_IOVA, 1, DATA_GPA));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* And the register does not reach who is in a domain */
	set_bypass(self->v, 1);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* Does an MSI of the device arrive? */
static bool interrupts(struct edu *edu, int fd)
{
	edu_interrupt(edu);
	return eventfd_take(fd) == 1;
}

/* They go where they went, whichever domain they were set up in, and are used in */
TEST_F(dma, interrupts)
{
	struct vfio_dev *dev = &self->vmm.edu[0].dev;
	int fd = eventfd(0, EFD_NONBLOCK), round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, vfio_set_irqs(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1,
					   &fd));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 1, ENDPOINT(0), 0));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 2, ENDPOINT(0),
					   VIRTIO_IOMMU_ATTACH_F_BYPASS));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		/* Set up again in bypass */
		ASSERT_EQ(0, vfio_set_irqs(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 0,
					   NULL));
		ASSERT_EQ(0, vfio_set_irqs(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1,
					   &fd));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		/* From none of the VMM's page tables to a domain, and another one */
		ASSERT_EQ(0, vfio_detach(dev));
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 1, ENDPOINT(0), 0));
		ASSERT_EQ(0, vfio_attach(dev, self->vmm.hwpt));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 2, ENDPOINT(0),
					   VIRTIO_IOMMU_ATTACH_F_BYPASS));
		ASSERT_EQ(0, vfio_attach(dev, self->vmm.ioas));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
		EXPECT_EQ(true, interrupts(&self->vmm.edu[0], fd));
		ASSERT_EQ(0, vfio_set_irqs(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 0,
					   NULL));
	}
	close(fd);
}

TEST_F(dma, detached)
{
	set_bypass(self->v, 0);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, viommu_detach(self->v, DOMAIN, ENDPOINT(0)));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(dma, pins)
{
	long long pinned = mdev_counter(&self->host.mdev, "pinned_bytes");

	EXPECT_LT(0, pinned);
	ASSERT_EQ(0, unmap(self->v, DATA_IOVA, 1));
	ASSERT_EQ(0, unmap(self->v, OUT_IOVA, 1));
	if (strcmp(variant->pin, "demand"))
		return;
	/* What is left is what the CPU uses: the rings */
	EXPECT_GE(1 * (long long)MiB,
		  mdev_counter(&self->host.mdev, "pinned_bytes"));
	EXPECT_GT(pinned, mdev_counter(&self->host.mdev, "pinned_bytes"));
}

/* A device that does DMA all the time */
struct mover {
	struct vmm *vmm;
	u64 iova;		/* 0: DATA_IOVA */
	void *target;		/* what it is mapped to; NULL: DATA_GPA */
	bool stop;
	unsigned int moves, lost;
};

/* It writes there again and again */
static void *move(void *arg)
{
	struct mover *m = arg;
	void *target = m->target ?: vmm_ptr(m->vmm, DATA_GPA);
	u64 iova = m->iova ?: DATA_IOVA;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&m->moves, 1, __ATOMIC_RELAXED);
		if (edu_can_write(&m->vmm->edu[0], iova, target) != 1)
			m->lost++;
	}
	return NULL;
}

#define MOVING(m, body) do {						\
	pthread_t moving;						\
									\
	(m)->stop = false;						\
	ASSERT_EQ(0, pthread_create(&moving, NULL, move, m));		\
	body								\
	__atomic_store_n(&(m)->stop, true, __ATOMIC_RELAXED);		\
	pthread_join(moving, NULL);					\
} while (0)

/* ---- guest memory that comes and goes ---- */

TEST_F(dma, memory_removed)
{
	const u64 a = 0x200000000ULL, half = HIGH_SIZE / 2;

	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	/* One page in each half, and one mapping over the border of both */
	ASSERT_EQ(0, map(self->v, a, 1, HIGH_GPA));
	ASSERT_EQ(0, map(self->v, a + PAGE, 1, HIGH_GPA + half + 8 * PAGE));
	ASSERT_EQ(0, map(self->v, a + 16 * PAGE, 8, HIGH_GPA + half - 4 * PAGE));
	EXPECT_WRITES(1, &self->vmm, 0, a, HIGH_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, a + PAGE, HIGH_GPA + half + 8 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, a + 19 * PAGE, HIGH_GPA + half - PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, a + 20 * PAGE, HIGH_GPA + half);

	ASSERT_EQ(0, vmm_remove_high(&self->vmm, half, half));
	/* Exactly those are lost ... */
	EXPECT_WRITES(0, &self->vmm, 0, a + PAGE, HIGH_GPA + half + 8 * PAGE);
	EXPECT_READS(0, &self->vmm, 0, a + PAGE, HIGH_GPA + half + 8 * PAGE);
	EXPECT_WRITES(0, &self->vmm, 0, a + 20 * PAGE, HIGH_GPA + half);
	EXPECT_WRITES(0, &self->vmm, 0, a + 23 * PAGE,
		      HIGH_GPA + half + 3 * PAGE);
	/* ... and the neighbours stay */
	EXPECT_WRITES(1, &self->vmm, 0, a, HIGH_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, a + 16 * PAGE,
		      HIGH_GPA + half - 4 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, a + 19 * PAGE, HIGH_GPA + half - PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_LT(0, mdev_counter(&self->host.mdev, "dropped"));
	/* For the guest they are still mappings */
	EXPECT_EQ(5, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_EQ(VIRTIO_IOMMU_S_INVAL, map(self->v, a + PAGE, 1, DATA_GPA));
	EXPECT_EQ(VIRTIO_IOMMU_S_FAULT, map(self->v, a + 4 * PAGE, 1,
					     HIGH_GPA + half));

	/* Memory returns, and the mappings without a request of the guest */
	ASSERT_EQ(0, vmm_add_high(&self->vmm, half, half, true));
	EXPECT_EQ(true, mdev_counter_becomes(&self->host.mdev, "dropped", 0));
	EXPECT_WRITES(1, &self->vmm, 0, a + PAGE, HIGH_GPA + half + 8 * PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, a + 20 * PAGE, HIGH_GPA + half);
	EXPECT_WRITES(1, &self->vmm, 0, a + 23 * PAGE,
		      HIGH_GPA + half + 3 * PAGE);
	ASSERT_EQ(0, unmap(self->v, a, 32));
	EXPECT_WRITES(0, &self->vmm, 0, a + 16 * PAGE,
		      HIGH_GPA + half - 4 * PAGE);
	ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, HIGH_SIZE));
}

/*
 * The border is inside 2 MiB that a mapping has as a whole. Where the host has one
 * entry for it, what stays is not there for a moment: how many transfers that costs
 * is counted, see architecture.rst
 */
TEST_F(dma, memory_removed_in_chunk)
{
	struct mover m = { .vmm = &self->vmm };
	const u64 a = 0x200000000ULL, gpa = HIGH_GPA + 2 * MiB;
	const u64 border = 3 * MiB, end = HIGH_SIZE;
	int i;

	self->vmm.high = vmm_alloc(variant->ram, HIGH_SIZE);
	ASSERT_NE(NULL, self->vmm.high);
	ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas,
				 self->vmm.high, border, HIGH_GPA, true));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas,
					 self->vmm.high + border, end - border,
					 HIGH_GPA + border, true));
		ASSERT_EQ(0, map(self->v, a, 512, gpa));
		EXPECT_WRITES(1, &self->vmm, 0, a, gpa);
		EXPECT_WRITES(1, &self->vmm, 0, a + 511 * PAGE,
			      gpa + 511 * PAGE);
		ASSERT_EQ(0, vmm_remove_high(&self->vmm, border, end - border));
		EXPECT_WRITES(1, &self->vmm, 0, a, gpa);
		EXPECT_WRITES(1, &self->vmm, 0, a + 255 * PAGE,
			      gpa + 255 * PAGE);
		EXPECT_WRITES(0, &self->vmm, 0, a + 256 * PAGE,
			      gpa + 256 * PAGE);
		EXPECT_WRITES(0, &self->vmm, 0, a + 511 * PAGE,
			      gpa + 511 * PAGE);
		/* Once it comes back, and once it is unmapped as it is */
		if (!i) {
			ASSERT_EQ(0, iommufd_map(self->vmm.iommufd,
						 self->vmm.ioas,
						 self->vmm.high + border,
						 end - border,
						 HIGH_GPA + border, true));
			EXPECT_EQ(true, mdev_counter_becomes(&self->host.mdev,
							     "dropped", 0));
			EXPECT_WRITES(1, &self->vmm, 0, a + 256 * PAGE,
				      gpa + 256 * PAGE);
			EXPECT_WRITES(1, &self->vmm, 0, a + 511 * PAGE,
				      gpa + 511 * PAGE);
			ASSERT_EQ(0, unmap(self->v, a, 512));
			ASSERT_EQ(0, vmm_remove_high(&self->vmm, border,
						     end - border));
			continue;
		}
		EXPECT_EQ(3, mdev_counter(&self->host.mdev, "mappings"));
		ASSERT_EQ(0, unmap(self->v, a, 512));
	}
	m.iova = a + 255 * PAGE;
	m.target = vmm_ptr(&self->vmm, gpa + 255 * PAGE);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas,
					 self->vmm.high + border, end - border,
					 HIGH_GPA + border, true));
		ASSERT_EQ(0, map(self->v, a, 512, gpa));
		MOVING(&m, {
			sleep_ms(180 + 20 * i);
			ASSERT_EQ(0, vmm_remove_high(&self->vmm, border,
						     end - border));
			sleep_ms(200);
		});
		/* No longer than that moment, which lasts as the machine is fast */
		EXPECT_WRITES(1, &self->vmm, 0, a + 255 * PAGE,
			      gpa + 255 * PAGE);
		ASSERT_EQ(0, unmap(self->v, a, 512));
	}
	TH_LOG("%u of %u transfers were lost beside memory that was removed",
	       m.lost, m.moves);
	EXPECT_LT(m.lost, m.moves);
	ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, border));
}

TEST_F(dma, dropped_then_unmapped)
{
	const u64 a = 0x200000000ULL;

	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	ASSERT_EQ(0, map(self->v, a, 1024, HIGH_GPA));
	ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, HIGH_SIZE));
	EXPECT_WRITES(0, &self->vmm, 0, a, HIGH_GPA);
	EXPECT_EQ(VIRTIO_IOMMU_S_RANGE, unmap(self->v, a, 512));
	ASSERT_EQ(0, unmap(self->v, a, 1024));
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "dropped"));
	/* Nothing comes back that was unmapped meanwhile */
	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	sleep_ms(500);
	EXPECT_WRITES(0, &self->vmm, 0, a, HIGH_GPA);
}

/* The memory under the rings: the device stops, and does not write there */
TEST_F(dma, memory_of_the_rings_removed)
{
	struct vq *q = &self->v->vq[0];
	u16 used;

	ASSERT_EQ(0, iommufd_unmap(self->vmm.iommufd, self->vmm.ioas, RAM_GPA,
				   RAM_SIZE));
	used = q->used->idx;
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	viommu_queue(self->v, 0, &(struct virtio_iommu_req_head){ 0x77 }, 24, 4);
	vq_notify(self->v, 0);
	sleep_ms(100);
	EXPECT_EQ(used, q->used->idx);
	/* It comes back; a reset is enough to go on */
	ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas,
				 self->vmm.ram, RAM_SIZE, RAM_GPA, true));
	self->vmm.next = VMM_DRIVER_OK;
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* Removal in bypass is the HWPT's business, and works as with stock VFIO */
TEST_F(dma, memory_removed_in_bypass)
{
	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	ASSERT_EQ(0, viommu_detach(self->v, DOMAIN, ENDPOINT(0)));
	EXPECT_WRITES(1, &self->vmm, 0, HIGH_GPA, HIGH_GPA);
	ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, HIGH_SIZE));
	EXPECT_WRITES(0, &self->vmm, 0, HIGH_GPA, HIGH_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	EXPECT_WRITES(1, &self->vmm, 0, HIGH_GPA, HIGH_GPA);
}

TEST_F(dma, read_only_memory)
{
	const u64 a = 0x200000000ULL;

	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, false));
	EXPECT_EQ(VIRTIO_IOMMU_S_FAULT, map(self->v, a, 1, HIGH_GPA));
	EXPECT_EQ(VIRTIO_IOMMU_S_FAULT,
		  viommu_map(self->v, DOMAIN, a, PAGE, HIGH_GPA,
			     VIRTIO_IOMMU_MAP_F_WRITE));
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
	ASSERT_EQ(0, viommu_map(self->v, DOMAIN, a, PAGE, HIGH_GPA,
				VIRTIO_IOMMU_MAP_F_READ));
	EXPECT_READS(1, &self->vmm, 0, a, HIGH_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, a, HIGH_GPA);
	/* Half read-only, half writable: neither all nor in part */
	ASSERT_EQ(0, vmm_remove_high(&self->vmm, HIGH_SIZE / 2, HIGH_SIZE / 2));
	ASSERT_EQ(0, vmm_add_high(&self->vmm, HIGH_SIZE / 2, HIGH_SIZE / 2,
				  true));
	EXPECT_EQ(VIRTIO_IOMMU_S_FAULT,
		  map(self->v, a + PAGE, 2, HIGH_GPA + HIGH_SIZE / 2 - PAGE));
	EXPECT_EQ(0, map(self->v, a + PAGE, 1, HIGH_GPA + HIGH_SIZE / 2));
	EXPECT_WRITES(1, &self->vmm, 0, a + PAGE, HIGH_GPA + HIGH_SIZE / 2);
}

/* ---- beside running DMA ---- */

/* Each write must arrive */
#define WHILE_MOVING(m, body) do {					\
	MOVING(m, body);						\
	EXPECT_LT(2, (m)->moves);					\
	EXPECT_EQ(0, (m)->lost)						\
		TH_LOG("%u of %u transfers were lost", (m)->lost,	\
		       (m)->moves);					\
} while (0)

TEST_F(dma, memory_removed_under_dma)
{
	struct mover m = { .vmm = &self->vmm };
	const u64 a = 0x200000000ULL;
	int i;

	WHILE_MOVING(&m, {
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE,
						  true));
			ASSERT_EQ(0, map(self->v, a, 1024, HIGH_GPA));
			ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, HIGH_SIZE));
			ASSERT_EQ(0, unmap(self->v, a, 1024));
			sleep_ms(20);
		}
	});
}

/*
 * Memory that shares 2 MiB of GPA with the device's target goes and comes: pages
 * may be pinned in such chunks, but the target must not be lost for a moment
 */
TEST_F(dma, memory_removed_beside_target)
{
	struct mover m = { .vmm = &self->vmm };
	const u64 gpa = HIGH_GPA + HIGH_SIZE;	/* of a third area, after the two */
	u8 *va = vmm_alloc(variant->ram, 2 * MiB);
	const u64 half = MiB;
	int i, n = 0;

	ASSERT_NE(NULL, va);
	/* The mover's target, DATA_IOVA, is in the upper half; the lower one moves */
	ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
	ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas, va, half, gpa,
				 true));
	ASSERT_EQ(0, iommufd_map(self->vmm.iommufd, self->vmm.ioas, va + half,
				 half, gpa + half, true));
	ASSERT_EQ(0, unmap(self->v, DATA_IOVA, 1));
	ASSERT_EQ(0, map(self->v, DATA_IOVA, 1, gpa + half));
	ASSERT_EQ(0, map(self->v, DATA_IOVA + PAGE, 1, gpa));
	m.target = va + half;

	WHILE_MOVING(&m, {
		u64 end = now_ns() + 5000000000ULL;

		for (; now_ns() < end; n++) {
			ASSERT_EQ(0, iommufd_unmap(self->vmm.iommufd,
						   self->vmm.ioas, gpa, half));
			ASSERT_EQ(0, iommufd_map(self->vmm.iommufd,
						 self->vmm.ioas, va, half, gpa,
						 true));
			EXPECT_EQ(true, mdev_counter_becomes(&self->host.mdev,
							     "dropped", 0));
		}
	});
	TH_LOG("%d removals", n);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(1, edu_can_write(&self->vmm.edu[0],
					   DATA_IOVA + i * PAGE,
					   i ? va : va + half));
	vmm_close(&self->vmm);
	munmap(va, 2 * MiB);
}

/* The very memory that the device writes to goes away: after that, no write */
TEST_F(dma, target_removed_under_dma)
{
	const u64 a = 0x200000000ULL;
	u8 before[64];
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, vmm_add_high(&self->vmm, 0, HIGH_SIZE, true));
		/* Mapped once; later it comes back with its memory */
		if (!i)
			ASSERT_EQ(0, map(self->v, a, 1, HIGH_GPA));
		ASSERT_EQ(true, mdev_counter_becomes(&self->host.mdev,
						     "dropped", 0));
		EXPECT_WRITES(1, &self->vmm, 0, a, HIGH_GPA);
		edu_start_store(&self->vmm.edu[0], a, 64);
		sleep_ms(i * 30);
		ASSERT_EQ(0, vmm_remove_high(&self->vmm, 0, HIGH_SIZE));
		memset(self->vmm.high, 0x11 * (i + 1), 64);
		memcpy(before, self->vmm.high, 64);
		ASSERT_EQ(0, edu_wait(&self->vmm.edu[0]));
		EXPECT_EQ(0, memcmp(before, self->vmm.high, 64))
			TH_LOG("memory was written after it was taken away");
	}
}

/* Maps and unmaps in the same 2 MiB, with merging and splitting */
TEST_F(dma, neighbours_under_dma)
{
	struct mover m = { .vmm = &self->vmm };
	struct rng rng = { .state = 42 };
	bool mapped[64] = { false };
	int i;

	WHILE_MOVING(&m, {
		u64 end = now_ns() + 3000000000ULL;

		while (now_ns() < end) {
			i = 1 + rng_below(&rng, 63);
			ASSERT_EQ(0, mapped[i] ?
				  unmap(self->v, DATA_IOVA + i * PAGE, 1) :
				  map(self->v, DATA_IOVA + i * PAGE, 1,
				      DATA_GPA + i * PAGE));
			mapped[i] = !mapped[i];
		}
	});
}

/* ATTACH to the domain it is in already changes nothing */
TEST_F(dma, reattach_under_dma)
{
	struct mover m = { .vmm = &self->vmm };
	int i;

	WHILE_MOVING(&m, {
		for (i = 0; i < 100; i++) {
			ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0),
						   0));
			sleep_ms(10);
		}
	});
}

/* ---- faults ---- */

TEST_F(dma, fault_event)
{
	struct virtio_iommu_fault fault;
	long long faults = mdev_counter(&self->host.mdev, "faults");
	long long dropped;

	/* Nobody has given buffers yet */
	EXPECT_WRITES(0, &self->vmm, 0, 0x77777000, DATA_GPA);
	sleep_ms(100);
	if (mdev_counter(&self->host.mdev, "faults") == faults)
		SKIP(return, "this host IOMMU tells no driver of faults");
	dropped = mdev_counter(&self->host.mdev, "faults_dropped");
	EXPECT_LE(1, dropped);
	viommu_event_buffers(self->v, 16);
	EXPECT_WRITES(0, &self->vmm, 0, 0x77778000, DATA_GPA);
	ASSERT_EQ(0, viommu_event(self->v, &fault, PATIENCE_MS));
	EXPECT_EQ(VIRTIO_IOMMU_FAULT_R_MAPPING, fault.reason);
	EXPECT_EQ(ENDPOINT(0), fault.endpoint);
	EXPECT_EQ(0, fault.reserved[0] | fault.reserved[1] | fault.reserved[2]);
	if (fault.flags & VIRTIO_IOMMU_FAULT_F_ADDRESS)
		EXPECT_EQ(0x77778000, fault.address & ~(PAGE - 1));
	if (fault.flags & (VIRTIO_IOMMU_FAULT_F_READ |
			   VIRTIO_IOMMU_FAULT_F_WRITE))
		EXPECT_EQ(VIRTIO_IOMMU_FAULT_F_WRITE, fault.flags &
			  (VIRTIO_IOMMU_FAULT_F_READ |
			   VIRTIO_IOMMU_FAULT_F_WRITE));
}

/* Mappings n..n+count-1 of single pages that can not be merged; returns a status */
static int map_many(struct virtio_dev *v, u64 n, unsigned int count,
		    unsigned int *done)
{
	struct virtio_iommu_req_map req;
	unsigned int i, slot;
	int status, first = 0;

	for (i = 0; i < count; i++) {
		u64 iova = 0x100000000ULL + (n + i) * PAGE;

		req = viommu_make_map(DOMAIN, iova, iova + PAGE - 1,
				      DATA_GPA + (n + i) % 2 * 5 * PAGE,
				      VIOMMU_RW);
		viommu_queue(v, i, &req, sizeof(req) - 4, 4);
	}
	vq_kick(v, 0);
	*done = 0;
	for (i = 0; i < count; i++) {
		status = viommu_collect(v, &slot);
		if (status < 0)
			return status;
		if (!status)
			(*done)++;
		else if (!first)
			first = status;
	}
	return first;
}

/* ---- two of them ---- */

FIXTURE(pair)
{
	struct host host, other;
	struct vmm vmm, vmm2;
	struct virtio_dev *v;
};

FIXTURE_SETUP(pair)
{
	SETUP_HOST(&self->host, 2);
	vmm_init(&self->vmm, &self->host, NULL);
	self->v = &self->vmm.v;
}

FIXTURE_TEARDOWN(pair)
{
	vmm_close(&self->vmm2);
	vmm_close(&self->vmm);
	if (self->other.mdev.uuid[0])
		TEARDOWN_HOST(&self->other);
	TEARDOWN_HOST(&self->host);
}

TEST_F(pair, one_domain)
{
	/* vmm2 is not used here */
	vmm_init(&self->vmm2, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, map(self->v, DATA_IOVA + PAGE, 1, DATA2_GPA));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_READS(1, &self->vmm, 1, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_EQ(0, unmap(self->v, DATA_IOVA + PAGE, 1));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA + PAGE, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 1, DATA_IOVA + PAGE, DATA2_GPA);
	/* One leaves, the domain stays */
	ASSERT_EQ(0, viommu_detach(self->v, DOMAIN, ENDPOINT(0)));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	/* And comes back to what is there */
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(pair, two_domains)
{
	vmm_init(&self->vmm2, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 1, ENDPOINT(1), 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	/* The same IOVA, another page */
	ASSERT_EQ(0, viommu_map(self->v, DOMAIN + 1, DATA_IOVA, PAGE, DATA2_GPA,
				VIOMMU_RW));
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA2_GPA);
	EXPECT_WRITES(0, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, viommu_unmap(self->v, DOMAIN, DATA_IOVA, PAGE));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 1, DATA_IOVA, DATA2_GPA);
	/* A domain that is filled already takes one more */
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 1, ENDPOINT(0), 0));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA2_GPA);
}

/* One in bypass, one translated */
TEST_F(pair, bypass_and_domain)
{
	vmm_init(&self->vmm2, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, viommu_detach(self->v, DOMAIN, ENDPOINT(1)));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 1, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 1, DATA_IOVA, DATA_GPA);
	/* The other's end is not felt */
	edu_close(&self->vmm.edu[1]);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/*
 * What going from one domain to another costs a device that does DMA: requests
 * follow each other until there were so many transfers. How many are lost depends
 * on the machine; that it goes on afterwards does not.
 */
#define MOVED_TRANSFERS	60

#define COUNT_LOST(m, what, requests, body) do {			\
	pthread_t moving;						\
									\
	ASSERT_EQ(0, pthread_create(&moving, NULL, move, m));		\
	while (__atomic_load_n(&(m)->moves, __ATOMIC_RELAXED) <		\
	       MOVED_TRANSFERS)						\
		body							\
	__atomic_store_n(&(m)->stop, true, __ATOMIC_RELAXED);		\
	pthread_join(moving, NULL);					\
	TH_LOG("%s: %u of %u transfers were lost beside %u of these",	\
	       what, (m)->lost, (m)->moves, requests);			\
} while (0)

TEST_F(pair, domain_to_domain)
{
	struct mover m = { .vmm = &self->vmm };
	unsigned int domain = DOMAIN, n = 0;

	vmm_init(&self->vmm2, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	COUNT_LOST(&m, "domain to domain", n, {
		/* The other one has made the next domain, and is in it. */
		domain = domain == DOMAIN ? DOMAIN + 1 : DOMAIN;
		ASSERT_EQ(0, viommu_attach(self->v, domain, ENDPOINT(1), 0));
		ASSERT_EQ(0, viommu_map(self->v, domain, DATA_IOVA, PAGE,
					DATA_GPA, VIOMMU_RW));
		ASSERT_EQ(0, viommu_attach(self->v, domain, ENDPOINT(0), 0));
		n++;
	});
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(pair, bypass_to_domain)
{
	struct mover m = { .vmm = &self->vmm, .iova = DATA_GPA };
	unsigned int n = 0;

	vmm_init(&self->vmm2, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	/* The same address on both sides */
	ASSERT_EQ(0, viommu_map(self->v, DOMAIN, DATA_GPA, PAGE, DATA_GPA,
				VIOMMU_RW));
	COUNT_LOST(&m, "bypass to domain and back", n, {
		ASSERT_EQ(0, viommu_detach(self->v, DOMAIN, ENDPOINT(0)));
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
		n += 2;
	});
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* Each is where the other's were set up, and iommufd has its own view of that */
TEST_F(pair, interrupts_of_both)
{
	struct edu *a = &self->vmm.edu[0], *b = &self->vmm.edu[1];
	int fd[] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) }, i;

	vmm_init(&self->vmm2, &self->host, NULL);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	/* With the IOAS page tables come and go with those who are attached. */
	ASSERT_EQ(0, vfio_attach(&a->dev, self->vmm.ioas));
	ASSERT_EQ(0, vfio_attach(&b->dev, self->vmm.ioas));
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 1, ENDPOINT(1),
				   VIRTIO_IOMMU_ATTACH_F_BYPASS));
	ASSERT_EQ(0, vfio_set_irqs(&b->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fd[1]));
	ASSERT_EQ(0, vfio_set_irqs(&a->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fd[0]));
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(1), 0));
	EXPECT_EQ(true, interrupts(a, fd[0]));
	EXPECT_EQ(true, interrupts(b, fd[1]));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, viommu_attach(self->v, DOMAIN + 1, ENDPOINT(i),
					   VIRTIO_IOMMU_ATTACH_F_BYPASS));
		EXPECT_EQ(true, interrupts(a, fd[0]));
		EXPECT_EQ(true, interrupts(b, fd[1]));
	}
	ASSERT_EQ(0, vfio_set_irqs(&a->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 0, NULL));
	ASSERT_EQ(0, vfio_set_irqs(&a->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fd[0]));
	EXPECT_EQ(true, interrupts(a, fd[0]));
	for (i = 0; i < 2; i++)
		close(fd[i]);
}

/* Without end, as much as there is place for */
static void *flood(void *arg)
{
	struct mover *m = arg;
	struct virtio_dev *v = &m->vmm->v;
	unsigned int done;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		if (map_many(v, 0, VQ_SLOTS, &done) ||
		    viommu_unmap(v, DOMAIN, 0x100000000ULL, VQ_SLOTS * PAGE))
			m->lost++;
		m->moves++;
	}
	return NULL;
}

/* Pairs of requests that are done in half a second; 0 if one fails */
static u64 pairs_in_time(struct vmm *vmm)
{
	u64 end = now_ns() + 500000000ULL, n;

	for (n = 0; now_ns() < end; n++)
		if (map(&vmm->v, DATA_IOVA + PAGE, 1, DATA2_GPA) ||
		    unmap(&vmm->v, DATA_IOVA + PAGE, 1))
			return 0;
	return n;
}

/*
 * One that is always busy does not keep the other from being served: of what the
 * other gets done when it is alone, there is its part of the processors left, and
 * that is more than a twentieth
 */
TEST_F(pair, one_floods)
{
	struct vmm *a = &self->vmm, *b = &self->vmm2;
	struct mover m = { .vmm = a };
	u64 alone = 0, beside = 0, n;
	pthread_t flooding;
	int i;

	vmm_init(b, &self->other, NULL);
	ASSERT_EQ(0, host_split(&self->host, &self->other));
	ASSERT_UP(a, VMM_DOMAIN);
	ASSERT_UP(b, VMM_MAPPED);
	/* In turns: the machine may not be as fast at all times */
	for (i = 0; i < 4; i++) {
		n = pairs_in_time(b);
		EXPECT_NE(0, n);
		alone += n;
		m.stop = false;
		ASSERT_EQ(0, pthread_create(&flooding, NULL, flood, &m));
		n = pairs_in_time(b);
		EXPECT_NE(0, n);
		beside += n;
		if (!i)
			EXPECT_WRITES(1, b, 0, DATA_IOVA, DATA_GPA);
		__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
		pthread_join(flooding, NULL);
	}
	TH_LOG("pairs of requests: %llu alone, %llu beside %u times %u of the other",
	       (unsigned long long)alone, (unsigned long long)beside, m.moves,
	       2 * VQ_SLOTS);
	EXPECT_LT(alone, 20 * beside);
	EXPECT_LT(0, m.moves);
	EXPECT_EQ(0, m.lost);
	vmm_close(b);
}

TEST_F(pair, two_viommus)
{
	struct vmm *a = &self->vmm, *b = &self->vmm2;

	vmm_init(b, &self->other, NULL);
	ASSERT_EQ(0, host_split(&self->host, &self->other));
	ASSERT_UP(a, VMM_MAPPED);
	ASSERT_UP(b, VMM_MAPPED);
	EXPECT_WRITES(1, a, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, b, 0, DATA_IOVA, DATA_GPA);
	/* Neither reaches the other's memory through the same IOVA */
	EXPECT_EQ(0, edu_can_write(&a->edu[0], DATA_IOVA, vmm_ptr(b, DATA_GPA)));
	EXPECT_EQ(0, edu_can_write(&b->edu[0], DATA_IOVA, vmm_ptr(a, DATA_GPA)));
	ASSERT_EQ(0, unmap(&a->v, DATA_IOVA, 1));
	EXPECT_WRITES(0, a, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(1, b, 0, DATA_IOVA, DATA_GPA);
	vmm_close(a);
	EXPECT_WRITES(1, b, 0, DATA_IOVA, DATA_GPA);
	ASSERT_EQ(0, map(&b->v, DATA_IOVA + PAGE, 1, DATA2_GPA));
	EXPECT_WRITES(1, b, 0, DATA_IOVA + PAGE, DATA2_GPA);
	ASSERT_UP(a, VMM_MAPPED);
	EXPECT_WRITES(1, a, 0, DATA_IOVA, DATA_GPA);
}

/* ---- many ---- */

FIXTURE(many)
{
	struct host host;
	struct vmm vmm;
};

FIXTURE_SETUP(many)
{
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
}

FIXTURE_TEARDOWN(many)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

/* As many as there may be, and one more. The default, 2^20, is for the benchmark */
TEST_F_TIMEOUT(many, max_mappings, 600)
{
	const u64 limit = 40 * VQ_SLOTS;
	unsigned int done;
	char text[32];
	u64 n;

	ASSERT_EQ(0, mdev_get(&self->host.mdev, "max_mappings", text,
			      sizeof(text)));
	EXPECT_EQ(1 << 20, strtoull(text, NULL, 0));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "max_mappings", text));
	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	for (n = 0; n < limit; n += done)
		ASSERT_EQ(0, map_many(&self->vmm.v, n, VQ_SLOTS, &done))
			TH_LOG("after %llu mappings", (unsigned long long)n);
	EXPECT_EQ(n, (u64)mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_EQ(VIRTIO_IOMMU_S_NOMEM, map_many(&self->vmm.v, n, 1, &done));
	ASSERT_EQ(0, unmap(&self->vmm.v, 0x100000000ULL, 1));
	EXPECT_EQ(0, map_many(&self->vmm.v, n, 1, &done));
	EXPECT_EQ(0, viommu_unmap(&self->vmm.v, DOMAIN, 0x100000000ULL,
				  (limit + 1) * PAGE));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
}

/* Mapped or not: the host keeps page tables of what was, so that counts */
TEST_F(many, used_addresses)
{
	const u64 a = 0x1000000000ULL;
	int status = 0, n;

	ASSERT_EQ(0, mdev_set(&self->host.mdev, "max_mappings", "64"));
	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	for (n = 0; n < 100; n++) {
		status = viommu_map(&self->vmm.v, DOMAIN, a + n * 2 * MiB, PAGE,
				    DATA_GPA, VIOMMU_RW);
		if (status)
			break;
		ASSERT_EQ(0, viommu_unmap(&self->vmm.v, DOMAIN,
					  a + n * 2 * MiB, PAGE));
	}
	EXPECT_EQ(VIRTIO_IOMMU_S_NOMEM, status);
	EXPECT_LE(60, n);
	EXPECT_GE(64, n);
	/* Where there was something there can be again */
	EXPECT_EQ(0, map(&self->vmm.v, a, 1, DATA_GPA));
	/* It goes with the domain */
	ASSERT_EQ(0, viommu_detach(&self->vmm.v, DOMAIN, ENDPOINT(0)));
	ASSERT_EQ(0, viommu_attach(&self->vmm.v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_EQ(0, map(&self->vmm.v, a + 200 * MiB, 1, DATA_GPA));
}

/* A VMM that ends with many mappings alive leaves nothing */
TEST_F(many, close_with_many)
{
	unsigned int i, done;

	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, map_many(&self->vmm.v, i * VQ_SLOTS, VQ_SLOTS,
				      &done));
	EXPECT_EQ(40 * VQ_SLOTS, mdev_counter(&self->host.mdev, "mappings"));
	vmm_close(&self->vmm);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "shadow_bytes"));
}

TEST_HARNESS_MAIN
