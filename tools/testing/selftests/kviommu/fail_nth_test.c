// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Kernel integrity" tests: each sequence is repeated with the first, second, ...
 * fallible call inside the kernel made to fail, until it goes through without a
 * fault. What the calls return is not looked at; that the kernel says nothing,
 * that nothing is left, and that the sequence works afterwards, is.
 */
#include "kviommu_harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "lib/vtd.h"

#define MAX_NTH		2000

static bool fault_injection_setup(void)
{
	static const char *const allow[] = {
		"failslab/ignore-gfp-wait",
		"fail_page_alloc/ignore-gfp-wait",
		"fail_page_alloc/ignore-gfp-highmem",
	};
	DIR *debugfs = opendir("/sys/kernel/debug");
	struct dirent *entry;
	char path[512];
	size_t i;

	if (!debugfs)
		return false;
	for (i = 0; i < ARRAY_SIZE(allow); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", allow[i]);
		if (file_write(path, "N") && !i) {
			closedir(debugfs);
			return false;
		}
	}
	/* A stack trace for each fault would take longer than the test */
	while ((entry = readdir(debugfs))) {
		if (strncmp(entry->d_name, "fail", 4))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 entry->d_name);
		file_write(path, "0");
	}
	closedir(debugfs);
	return true;
}

struct nth {
	int fd;
};

static void nth_set(struct nth *nth, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* The write itself can be what fails: then the fault is used up */
	while (pwrite(nth->fd, text, len, 0) != len)
		;
}

/* True when the fault has struck, so that there may be a next one */
static bool nth_struck(struct nth *nth)
{
	char text[16] = "";
	ssize_t len = pread(nth->fd, text, sizeof(text) - 1, 0);

	nth_set(nth, 0);
	/* If the read fails, the fault had not struck until then */
	return len > 0 && !atoi(text);
}

static int nth_open(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 syscall(SYS_gettid));
	return open(path, O_RDWR | O_CLOEXEC);
}

FIXTURE(fail_nth)
{
	struct host host;
	struct vmm vmm;
	struct nth nth;
};

FIXTURE_SETUP(fail_nth)
{
	if (!fault_injection_setup())
		SKIP(return, "the kernel has no fault injection");
	/* A notification may fail, and then nobody answers */
	viommu_timeout_ms = 2000;
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->nth.fd = nth_open();
	ASSERT_LE(0, self->nth.fd);
}

FIXTURE_TEARDOWN(fail_nth)
{
	vmm_close(&self->vmm);
	close(self->nth.fd);
	TEARDOWN_HOST(&self->host);
}

/*
 * Run "calls" with a fault, "undo" without, until no fault strikes any more; there
 * must be "least" of them. In the end the whole thing must work, "again".
 */
#define SWEEP_AND(self, least, prepare, calls, undo, again) do {	\
	unsigned int sweep_n;						\
									\
	for (sweep_n = 1; sweep_n < MAX_NTH; sweep_n++) {		\
		bool struck;						\
									\
		prepare;						\
		nth_set(&(self)->nth, sweep_n);				\
		calls;							\
		struck = nth_struck(&(self)->nth);			\
		/* With EVENT_IDX one that was lost is not made up for */	\
		if ((self)->vmm.next > VMM_DRIVER_OK)			\
			vq_notify(&(self)->vmm.v, 0);			\
		undo;							\
		if (!struck)						\
			break;						\
	}								\
	EXPECT_GT(MAX_NTH, sweep_n);					\
	/* Without a single fault there may be nothing that was tested */	\
	EXPECT_LT(least, sweep_n);					\
	TH_LOG("%u faults", sweep_n - 1);				\
	vmm_close(&(self)->vmm);					\
	again;								\
	EXPECT_WRITES(1, &(self)->vmm, 0, DATA_IOVA, DATA_GPA);	\
} while (0)

#define SWEEP(self, prepare, calls, undo)				\
	SWEEP_AND(self, 1, prepare, calls, undo,			\
		  ASSERT_UP(&(self)->vmm, VMM_MAPPED))

#define NOTHING	do { } while (0)

/* From a step of the VMM to another; what came up is taken down again */
#define SWEEP_STEPS(self, before, last)					\
	SWEEP(self, ASSERT_UP(&(self)->vmm, before),			\
	      vmm_up(&(self)->vmm, last),				\
	      vmm_close(&(self)->vmm))

#define FAIL_NTH(name) TEST_F_TIMEOUT(fail_nth, name, 600)

FAIL_NTH(create)
{
	SKIP(return, "the kernel's own vfio_create_group() warns when it runs out of memory");
}

FAIL_NTH(remove)
{
	struct mdev mdev = { "" };

	SWEEP(self, mdev_create(&mdev, KVIOMMU_VIRTIO), mdev_remove(&mdev),
	      mdev_remove(&mdev));
}

FAIL_NTH(assign)
{
	const char *bdf = self->host.bdf[0];

	SWEEP(self, mdev_unassign(&self->host.mdev, bdf),
	      mdev_assign(&self->host.mdev, bdf, "0x28"), NOTHING);
}

FAIL_NTH(unassign)
{
	const char *bdf = self->host.bdf[0];

	SWEEP(self, NOTHING, mdev_unassign(&self->host.mdev, bdf),
	      mdev_assign(&self->host.mdev, bdf, "0x28"));
}

FAIL_NTH(settings)
{
	char text[256];

	SWEEP(self, NOTHING,
	      mdev_set(&self->host.mdev, "pin", "demand");
	      mdev_set(&self->host.mdev, "address_width", "36");
	      mdev_get(&self->host.mdev, "endpoints", text, sizeof(text)),
	      mdev_set(&self->host.mdev, "pin", "cache");
	      mdev_set(&self->host.mdev, "address_width", "0"));
}

FAIL_NTH(viommu_open)
{
	SWEEP_STEPS(self, VMM_MEMORY, VMM_VIOMMU_OPEN);
}

FAIL_NTH(viommu_bind)
{
	SWEEP_STEPS(self, VMM_VIOMMU_OPEN, VMM_VIOMMU_BIND);
}

FAIL_NTH(viommu_attach)
{
	SWEEP_STEPS(self, VMM_VIOMMU_BIND, VMM_VIOMMU_ATTACH);
}

/* To close a PCI device runs AML */
#define ACPI_UAF "the kernel's ACPI interpreter uses freed memory when it runs out of memory"

FAIL_NTH(endpoint_bind)
{
	SKIP(return, ACPI_UAF);
}

FAIL_NTH(endpoint_attach)
{
	SWEEP_STEPS(self, VMM_ENDPOINT_BIND, VMM_ENDPOINT_ATTACH);
}

/* The endpoint is first, so opening the vIOMMU has to take care of it */
FAIL_NTH(viommu_attach_after_endpoint)
{
	struct vmm *vmm = &self->vmm;

	SWEEP(self,
	      ASSERT_UP(vmm, VMM_MEMORY); vmm->next = VMM_ENDPOINT_OPEN;
	      ASSERT_UP(vmm, VMM_ENDPOINT_ATTACH); vmm->next = VMM_VIOMMU_OPEN,
	      vmm_up(vmm, VMM_VIOMMU_ATTACH),
	      vmm_close(vmm));
}

FAIL_NTH(driver_ok)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_BUS_MASTER),
	      vmm_up(&self->vmm, VMM_DRIVER_OK),
	      self->vmm.next = VMM_DRIVER_OK; virtio_reset(&self->vmm.v));
}

FAIL_NTH(irqs)
{
	int fds[3] = { open("/dev/null", O_RDWR), -1, -1 };

	SWEEP(self, ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND),
	      vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0, 3,
			    fds), NOTHING);
	close(fds[0]);
}

FAIL_NTH(attach)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_DRIVER_OK),
	      vmm_up(&self->vmm, VMM_DOMAIN),
	      self->vmm.next = VMM_DRIVER_OK);
}

FAIL_NTH(detach)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_MAPPED),
	      viommu_detach(&self->vmm.v, DOMAIN, ENDPOINT(0)),
	      self->vmm.next = VMM_DRIVER_OK);
}

/*
 * Few pages, of two chunks: if a chunk can't be pinned as a whole, each page of
 * the mapping is, with all the faults that may have
 */
#define FEW		(16 * PAGE)
#define BORDER(gpa)	((gpa) + 2 * MiB - FEW / 2)

/* So that no fault is one of a page that was never touched */
#define ASSERT_UP_TOUCHED(self) do {					\
	ASSERT_UP(&(self)->vmm, VMM_DOMAIN);				\
	memset(vmm_ptr(&(self)->vmm, DATA_GPA), 1, 4 * MiB);		\
} while (0)

FAIL_NTH(map)
{
	SWEEP(self, ASSERT_UP_TOUCHED(self),
	      viommu_map(&self->vmm.v, DOMAIN, DATA_IOVA, FEW,
			 BORDER(DATA_GPA), VIOMMU_RW),
	      viommu_unmap(&self->vmm.v, DOMAIN, DATA_IOVA, FEW));
}

/* With pin=demand, pages are pinned for each mapping */
FAIL_NTH(map_demand)
{
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "pin", "demand"));
	SWEEP(self, ASSERT_UP_TOUCHED(self),
	      viommu_map(&self->vmm.v, DOMAIN, DATA_IOVA, FEW, DATA_GPA,
			 VIOMMU_RW),
	      viommu_unmap(&self->vmm.v, DOMAIN, DATA_IOVA, FEW));
}

FAIL_NTH(unmap)
{
	SWEEP(self, ASSERT_UP_TOUCHED(self);
	      viommu_map(&self->vmm.v, DOMAIN, DATA_IOVA, FEW, DATA_GPA,
			 VIOMMU_RW),
	      viommu_unmap(&self->vmm.v, DOMAIN, DATA_IOVA, FEW),
	      viommu_unmap(&self->vmm.v, DOMAIN, DATA_IOVA, FEW));
}

FAIL_NTH(memory_removed)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_MAPPED);
	      vmm_add_high(&self->vmm, 0, HIGH_SIZE, true);
	      memset(self->vmm.high, 1, HIGH_SIZE);
	      viommu_map(&self->vmm.v, DOMAIN, 0x200000000ULL, FEW,
			 BORDER(HIGH_GPA), VIOMMU_RW),
	      vmm_remove_high(&self->vmm, HIGH_SIZE / 2, HIGH_SIZE / 2),
	      vmm_remove_high(&self->vmm, 0, HIGH_SIZE);
	      viommu_unmap(&self->vmm.v, DOMAIN, 0x200000000ULL, FEW));
}

/* Refill of what comes back */
FAIL_NTH(memory_returns)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_MAPPED);
	      vmm_add_high(&self->vmm, 0, HIGH_SIZE, true);
	      memset(self->vmm.high, 1, HIGH_SIZE);
	      viommu_map(&self->vmm.v, DOMAIN, 0x200000000ULL, FEW,
			 BORDER(HIGH_GPA), VIOMMU_RW);
	      vmm_remove_high(&self->vmm, 0, HIGH_SIZE);
	      vmm_add_high(&self->vmm, 0, HIGH_SIZE, true),
	      vfio_detach(&self->vmm.viommu);
	      vfio_attach(&self->vmm.viommu, self->vmm.ioas),
	      vfio_attach(&self->vmm.viommu, self->vmm.ioas);
	      vmm_remove_high(&self->vmm, 0, HIGH_SIZE);
	      viommu_unmap(&self->vmm.v, DOMAIN, 0x200000000ULL, FEW));
}

FAIL_NTH(detach_endpoint)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_MAPPED),
	      vfio_detach(&self->vmm.edu[0].dev),
	      vfio_detach(&self->vmm.edu[0].dev);
	      vfio_attach(&self->vmm.edu[0].dev, self->vmm.hwpt));
}

/* The VMM resets a vIOMMU with a busy device, and then quiets that: the wait ends */
FAIL_NTH(reset)
{
	SWEEP(self, ASSERT_UP(&self->vmm, VMM_MAPPED),
	      vfio_reset(&self->vmm.viommu);
	      vfio_bus_master(&self->vmm.edu[0].dev, false);
	      vfio_bus_master(&self->vmm.edu[0].dev, true);
	      self->vmm.next = VMM_DRIVER_OK,
	      vmm_close(&self->vmm));
}

/*
 * The vIOMMU is closed before its endpoint. There need not be a call that can fail;
 * that of the endpoint itself can't be swept, see endpoint_bind
 */
FAIL_NTH(close)
{
	SWEEP_AND(self, 0, ASSERT_UP(&self->vmm, VMM_MAPPED),
		  vmm_close_viommu(&self->vmm);
		  self->vmm.next = VMM_VIOMMU_OPEN,
		  vmm_close(&self->vmm),
		  ASSERT_UP(&self->vmm, VMM_MAPPED));
}

/* ---- VT-d ---- */

FIXTURE(fail_nth_vtd)
{
	struct host host;
	struct vmm vmm;
	struct nth nth;
	struct vtd v;
	u64 table;
};

FIXTURE_VARIANT(fail_nth_vtd)
{
	enum vtd_mode mode;
};

FIXTURE_VARIANT_ADD(fail_nth_vtd, legacy)
{
	VTD_LEGACY,
};

FIXTURE_VARIANT_ADD(fail_nth_vtd, first)
{
	VTD_FIRST,
};

FIXTURE_SETUP(fail_nth_vtd)
{
	if (!fault_injection_setup())
		SKIP(return, "the kernel has no fault injection");
	/* A register write may fail, and then nothing is done */
	vtd_timeout_ms = 2000;
	SETUP_HOST_TYPE(&self->host, KVIOMMU_VTD, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	if (variant->mode != VTD_LEGACY) {
		ASSERT_EQ(0, mdev_set(&self->host.mdev, "scalable", "1"));
		ASSERT_EQ(0, mdev_set(&self->host.mdev, "first_stage", "1"));
	}
	self->nth.fd = nth_open();
	ASSERT_LE(0, self->nth.fd);
}

FIXTURE_TEARDOWN(fail_nth_vtd)
{
	vmm_close(&self->vmm);
	close(self->nth.fd);
	TEARDOWN_HOST(&self->host);
}

/* A guest's tables, of which the unit does not know yet */
static void vtd_tables(struct vmm *vmm, struct vtd *v, enum vtd_mode mode,
		       u64 *table)
{
	vtd_init(v, &vmm->viommu, vmm->ram, RAM_GPA, mode != VTD_LEGACY);
	*table = vtd_page(v);
	vtd_map(v, *table, DATA_IOVA, DATA_GPA, 12, vtd_rw(mode));
	vtd_enter(v, mode, 0x28, 5, *table, 0);
}

#define SWEEP_VTD(self, mode, prepare, calls, undo)			\
	SWEEP_AND(self, 1, prepare, calls, undo,			\
		  ASSERT_UP(&(self)->vmm, VMM_BUS_MASTER);		\
		  vtd_tables(&(self)->vmm, &(self)->v, mode,		\
			     &(self)->table);				\
		  ASSERT_EQ(0, vtd_start(&(self)->v)))

#define FAIL_NTH_VTD(name) TEST_F_TIMEOUT(fail_nth_vtd, name, 600)

/* All that a driver does until its devices are translated */
FAIL_NTH_VTD(start)
{
	SWEEP_VTD(self, variant->mode,
		  ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
		  vtd_tables(&self->vmm, &self->v, variant->mode, &self->table),
		  vtd_start(&self->v),
		  vmm_close(&self->vmm));
}

#define MANY_IOVA	0x200000000ULL

/* Pages in a row, and others with gaps between them */
static void vtd_map_many(struct vtd *v, u64 table, u64 rw)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		vtd_map(v, table, MANY_IOVA + i * PAGE, DATA_GPA + i * PAGE, 12,
			rw);
	for (i = 0; i < 16; i++)
		vtd_map(v, table, MANY_IOVA + (64 + 2 * i) * PAGE,
			DATA_GPA + i * PAGE, 12, rw);
}

static void vtd_unmap_many(struct vtd *v, u64 table, unsigned int n,
			   unsigned int step)
{
	unsigned int i;

	for (i = 0; i < n; i += step)
		vtd_unmap(v, table, MANY_IOVA + i * PAGE, 12);
}

/* Pages come, and some of those in a row go */
FAIL_NTH_VTD(invalidate)
{
	struct vtd *v = &self->v;

	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	memset(vmm_ptr(&self->vmm, DATA_GPA), 1, 4 * MiB);
	vtd_tables(&self->vmm, v, variant->mode, &self->table);
	ASSERT_EQ(0, vtd_start(v));
	SWEEP_VTD(self, variant->mode,
		  vtd_map_many(v, self->table, vtd_rw(variant->mode)),
		  vtd_flush_all(v);
		  vtd_unmap_many(v, self->table, 16, 3);
		  vtd_flush_all(v),
		  vtd_unmap_many(v, self->table, 128, 1);
		  EXPECT_EQ(0, vtd_flush_all(v));
		  EXPECT_EQ(1, mdev_counter(&self->host.mdev, "mappings")));
}

/* Off, and its device is bypassed when it was reset */
FAIL_NTH_VTD(translation_off)
{
	struct vfio_dev *dev = &self->vmm.edu[0].dev;
	struct vtd *v = &self->v;

	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	vtd_tables(&self->vmm, v, variant->mode, &self->table);
	ASSERT_EQ(0, vtd_start(v));
	SWEEP_VTD(self, variant->mode, NOTHING,
		  vtd_command(v, 0, VTD_TE);
		  vfio_bus_master(dev, false);
		  mdev_assume_reset(&self->host.mdev, self->host.bdf[0]);
		  vfio_bus_master(dev, true),
		  vfio_bus_master(dev, true);
		  EXPECT_EQ(0, vtd_command(v, VTD_TE, 0));
		  EXPECT_EQ(1, mdev_counter(&self->host.mdev, "mappings")));
}

/* Some memory goes, then all of it; and all comes back */
FAIL_NTH_VTD(memory_returns)
{
	struct vmm *vmm = &self->vmm;
	struct vtd *v = &self->v;
	unsigned int i;

	ASSERT_UP(vmm, VMM_BUS_MASTER);
	ASSERT_EQ(0, vmm_add_high(vmm, 0, HIGH_SIZE, true));
	memset(vmm->high, 1, HIGH_SIZE);
	vtd_tables(vmm, v, variant->mode, &self->table);
	for (i = 0; i < FEW / PAGE; i++)
		vtd_map(v, self->table, MANY_IOVA + i * PAGE,
			BORDER(HIGH_GPA) + i * PAGE, 12, vtd_rw(variant->mode));
	ASSERT_EQ(0, vtd_start(v));
	SWEEP_VTD(self, variant->mode,
		  vmm_add_high(vmm, HIGH_SIZE / 2, HIGH_SIZE / 2, true);
		  EXPECT_EQ(0, vtd_flush_all(v)),
		  vmm_remove_high(vmm, HIGH_SIZE / 2, HIGH_SIZE / 2);
		  vfio_detach(&vmm->viommu);
		  vfio_attach(&vmm->viommu, vmm->ioas),
		  vfio_attach(&vmm->viommu, vmm->ioas);
		  vmm_remove_high(vmm, HIGH_SIZE / 2, HIGH_SIZE / 2);
		  EXPECT_EQ(0, vtd_flush_all(v)));
}

TEST_HARNESS_MAIN
