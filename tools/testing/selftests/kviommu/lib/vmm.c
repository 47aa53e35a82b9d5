// SPDX-License-Identifier: GPL-2.0-only
#include "vmm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const vmm_step_name[VMM_STEPS] = {
	[VMM_IOMMUFD] = "iommufd open",
	[VMM_IOAS] = "ioas",
	[VMM_MEMORY] = "guest memory",
	[VMM_VIOMMU_OPEN] = "viommu open",
	[VMM_VIOMMU_BIND] = "viommu bind",
	[VMM_VIOMMU_ATTACH] = "viommu attach",
	[VMM_ENDPOINT_OPEN] = "endpoint open",
	[VMM_ENDPOINT_BIND] = "endpoint bind",
	[VMM_ENDPOINT_ATTACH] = "endpoint attach",
	[VMM_BUS_MASTER] = "bus master",
	[VMM_DRIVER_OK] = "DRIVER_OK",
	[VMM_DOMAIN] = "domain attach",
	[VMM_MAPPED] = "map",
};

static int fail(struct host *host, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(host->why, sizeof(host->why), fmt, args);
	va_end(args);
	return rc;
}

static bool splat_before;

static int prepare(struct host *host, const char *type)
{
	memset(host, 0, sizeof(*host));
	host->type = type;
	splat_before = kernel_tainted_by_splat();
	if (!kviommu_available())
		return fail(host, -ENODEV, "the kviommu modules are not loaded");
	if (!path_exists("/dev/iommu"))
		return fail(host, -ENODEV, "no /dev/iommu");
	return 0;
}

/* With the endpoints in bdf */
static int make_viommu(struct host *host, int endpoints)
{
	int i, rc;

	for (i = 0; i < endpoints; i++) {
		rc = pci_set_driver(host->bdf[i], KVIOMMU_DRIVER);
		if (rc)
			return fail(host, rc, "binding %s to " KVIOMMU_DRIVER
				    ": %s", host->bdf[i], strerror(-rc));
	}
	mdev_remove_stale();
	rc = mdev_create(&host->mdev, host->type);
	if (rc)
		return fail(host, rc, "mdev create: %s", strerror(-rc));
	if (!strcmp(host->type, KVIOMMU_SMMUV3))
		rc = mdev_set(&host->mdev, "late_mappings", "1");
	if (rc)
		return fail(host, rc, "late_mappings: %s", strerror(-rc));
	for (i = 0; i < endpoints; i++) {
		char id[16];

		snprintf(id, sizeof(id), "0x%x", ENDPOINT(i));
		rc = mdev_assign(&host->mdev, host->bdf[i], id);
		if (rc) {
			host_teardown(host);
			return fail(host, rc, "assign %s: %s", host->bdf[i],
				    strerror(-rc));
		}
		host->endpoints++;
	}
	return 0;
}

int host_setup(struct host *host, const char *type, int endpoints)
{
	int n, rc = prepare(host, type);

	if (rc)
		return rc;
	n = pci_find(EDU_VENDOR, EDU_DEVICE, host->bdf, endpoints);
	if (n < endpoints)
		return fail(host, -ENODEV, "needs %d edu devices, found %d",
			    endpoints, n);
	return make_viommu(host, endpoints);
}

int host_setup_pair(struct host *host, const char *type)
{
	int rc = prepare(host, type);

	if (rc)
		return rc;
	if (pci_find_pair(EDU_VENDOR, EDU_DEVICE, host->bdf))
		return fail(host, -ENODEV, "no two edu devices in one IOMMU group");
	return make_viommu(host, 2);
}

int host_setup_functions(struct host *host, const char *type)
{
	int rc = prepare(host, type);

	if (rc)
		return rc;
	if (pci_find_functions(IGB_VENDOR, IGB_DEVICE, host->bdf))
		return fail(host, -ENODEV,
			    "no igb with two functions");
	return make_viommu(host, 2);
}

int host_split(struct host *from, struct host *to)
{
	char id[16];
	int last = from->endpoints - 1;
	int rc;

	memset(to, 0, sizeof(*to));
	rc = mdev_unassign(&from->mdev, from->bdf[last]);
	if (rc)
		return rc;
	from->endpoints--;
	to->type = from->type;
	rc = mdev_create(&to->mdev, to->type);
	if (rc)
		return rc;
	strcpy(to->bdf[0], from->bdf[last]);
	snprintf(id, sizeof(id), "0x%x", ENDPOINT(0));
	rc = mdev_assign(&to->mdev, to->bdf[0], id);
	if (!rc)
		to->endpoints = 1;
	return rc;
}

void host_teardown(struct host *host)
{
	mdev_remove(&host->mdev);
	host->endpoints = 0;
}

const char *host_leftovers(const struct host *host)
{
	static char why[256];
	static const char *const zero[] = { "pinned_bytes", "mappings" };
	long pinned = process_pinned_kb();
	size_t i;
	int fd, rc;
	u32 ioas;

	if (pinned) {
		snprintf(why, sizeof(why), "VmPin: expected 0 kB, got %ld kB",
			 pinned);
		return why;
	}
	for (i = 0; host->mdev.uuid[0] && i < sizeof(zero) / sizeof(*zero); i++) {
		long long value = mdev_counter(&host->mdev, zero[i]);

		if (!value)
			continue;
		snprintf(why, sizeof(why), "counter %s: expected 0, got %lld",
			 zero[i], value);
		return why;
	}
	fd = iommufd_open();
	if (fd < 0)
		return "a fresh iommufd can not be opened";
	rc = iommufd_ioas_alloc(fd, &ioas) ?: iommufd_destroy(fd, ioas);
	close(fd);
	if (rc)
		return "a fresh IOAS can not be made and destroyed";
	if (!splat_before && kernel_tainted_by_splat())
		return "the kernel is tainted by a warning or an oops";
	return NULL;
}

void vmm_init(struct vmm *vmm, const struct host *host,
	      const struct vmm_config *config)
{
	int i;

	memset(vmm, 0, sizeof(*vmm));
	vmm->host = host;
	if (config)
		vmm->config = *config;
	if (!vmm->config.features)
		vmm->config.features = VIOMMU_ALL_FEATURES;
	if (!vmm->config.queue_size)
		vmm->config.queue_size = 1024;
	vmm->iommufd = -1;
	vmm->viommu.fd = -1;
	for (i = 0; i < MAX_ENDPOINTS; i++)
		vmm->edu[i].dev.fd = -1;
}

/* Huge pages come from a pool that somebody has to fill */
static void *alloc_hugetlb(u64 size)
{
	const char *pool =
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	void *va;
	int tries;

	for (tries = 0; tries < 2; tries++) {
		va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		if (va != MAP_FAILED)
			return va;
		file_write(pool, "16");
	}
	return NULL;
}

void *vmm_alloc(enum ram_kind kind, u64 size)
{
	u8 *va, *aligned;

	if (kind == RAM_HUGETLB) {
		va = alloc_hugetlb(size);
		if (va)
			memset(va, 0, size);
		return va;
	}
	va = mmap(NULL, size + 2 * MiB, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (va == MAP_FAILED)
		return NULL;
	aligned = (u8 *)(((uintptr_t)va + 2 * MiB - 1) & ~(2 * MiB - 1));
	if (aligned > va)
		munmap(va, aligned - va);
	if (va + 2 * MiB > aligned)
		munmap(aligned + size, va + 2 * MiB - aligned);
	madvise(aligned, size, kind == RAM_2M ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(aligned, 0, size);
	return aligned;
}

static int attach(struct vmm *vmm, struct vfio_dev *dev)
{
	int rc = -EINVAL;

	/* As QEMU does: one HWPT for all, a new one where that does not fit */
	if (vmm->hwpt)
		rc = vfio_attach(dev, vmm->hwpt);
	if (rc != -EINVAL)
		return rc;
	rc = iommufd_hwpt_alloc(vmm->iommufd, dev->dev_id, vmm->ioas, &vmm->hwpt);
	return rc ?: vfio_attach(dev, vmm->hwpt);
}

int vmm_add_device(struct vmm *vmm, struct vfio_dev *dev, const char *bdf)
{
	char dir[512];

	pci_path(bdf, ".", dir, sizeof(dir));
	return vfio_open(dev, dir) ?: vfio_bind(dev, vmm->iommufd) ?:
	       attach(vmm, dev) ?: vfio_query_regions(dev);
}

static int endpoint_step(struct vmm *vmm, enum vmm_step step, int n)
{
	struct edu *edu = &vmm->edu[n];
	char dir[512];

	switch (step) {
	case VMM_ENDPOINT_OPEN:
		pci_path(vmm->host->bdf[n], ".", dir, sizeof(dir));
		/* It can't be reset, and a test before left it as it was. */
		mdev_assume_reset(&vmm->host->mdev, vmm->host->bdf[n]);
		return vfio_open(&edu->dev, dir);
	case VMM_ENDPOINT_BIND:
		return vfio_bind(&edu->dev, vmm->iommufd);
	case VMM_ENDPOINT_ATTACH:
		return attach(vmm, &edu->dev);
	case VMM_BUS_MASTER:
		return edu_map_bar(edu) ?: vfio_bus_master(&edu->dev, true);
	case VMM_DOMAIN:
		return viommu_attach(&vmm->v, DOMAIN, ENDPOINT(n), 0) ?
			       -EPROTO : 0;
	default:
		return -EINVAL;
	}
}

static int vmm_do(struct vmm *vmm, enum vmm_step step)
{
	char dir[512];
	int i, rc;

	switch (step) {
	case VMM_IOMMUFD:
		vmm->iommufd = iommufd_open();
		return vmm->iommufd < 0 ? vmm->iommufd : 0;
	case VMM_IOAS:
		return iommufd_ioas_alloc(vmm->iommufd, &vmm->ioas);
	case VMM_MEMORY:
		if (!vmm->ram) {
			vmm->ram = vmm_alloc(vmm->config.ram, RAM_SIZE);
			if (!vmm->ram)
				return -ENOMEM;
			vmm->ram_is_mine = true;
		}
		return iommufd_map(vmm->iommufd, vmm->ioas, vmm->ram, RAM_SIZE,
				   RAM_GPA, true);
	case VMM_VIOMMU_OPEN:
		mdev_dir(&vmm->host->mdev, dir, sizeof(dir));
		return vfio_open(&vmm->viommu, dir);
	case VMM_VIOMMU_BIND:
		return vfio_bind(&vmm->viommu, vmm->iommufd) ?:
			       vfio_query_regions(&vmm->viommu);
	case VMM_VIOMMU_ATTACH:
		return vfio_attach(&vmm->viommu, vmm->ioas);
	case VMM_DRIVER_OK:
		vmm->v.dev = &vmm->viommu;
		vmm->v.mem = vmm->ram;
		vmm->v.gpa = RAM_GPA;
		return virtio_start(&vmm->v, vmm->config.features,
				    vmm->config.queue_size);
	case VMM_MAPPED:
		rc = viommu_map(&vmm->v, DOMAIN, DATA_IOVA, PAGE, DATA_GPA,
				VIOMMU_RW);
		if (!rc)
			rc = viommu_map(&vmm->v, DOMAIN, OUT_IOVA, PAGE, OUT_GPA,
					VIOMMU_RW);
		return rc > 0 ? -EPROTO : rc;
	default:
		for (i = 0; i < vmm->host->endpoints; i++) {
			rc = endpoint_step(vmm, step, i);
			if (rc)
				return rc;
		}
		return 0;
	}
}

int vmm_up(struct vmm *vmm, enum vmm_step last)
{
	int rc;

	while (vmm->next <= (int)last) {
		rc = vmm_do(vmm, vmm->next);
		if (rc)
			return rc;
		vmm->next++;
	}
	return 0;
}

void vmm_close_viommu(struct vmm *vmm)
{
	vfio_close(&vmm->viommu);
}

void vmm_close_endpoints(struct vmm *vmm)
{
	int i;

	for (i = 0; i < MAX_ENDPOINTS; i++)
		edu_close(&vmm->edu[i]);
}

void vmm_close_iommufd(struct vmm *vmm)
{
	if (vmm->iommufd >= 0)
		close(vmm->iommufd);
	vmm->iommufd = -1;
}

void vmm_close(struct vmm *vmm)
{
	vmm_close_endpoints(vmm);
	vmm_close_viommu(vmm);
	vmm_close_iommufd(vmm);
	if (vmm->ram_is_mine) {
		munmap(vmm->ram, RAM_SIZE);
		vmm->ram = NULL;
		vmm->ram_is_mine = false;
	}
	if (vmm->high)
		munmap(vmm->high, HIGH_SIZE);
	vmm->high = NULL;
	vmm->hwpt = 0;
	vmm->next = 0;
}

int vmm_add_high(struct vmm *vmm, u64 offset, u64 length, bool writable)
{
	int rc = 0;

	if (!vmm->high)
		vmm->high = vmm_alloc(vmm->config.ram, HIGH_SIZE);
	if (!vmm->high)
		return -ENOMEM;
	for (; !rc && length; offset += HIGH_SIZE / 2, length -= HIGH_SIZE / 2)
		rc = iommufd_map(vmm->iommufd, vmm->ioas, vmm->high + offset,
				 HIGH_SIZE / 2, HIGH_GPA + offset, writable);
	return rc;
}

int vmm_remove_high(struct vmm *vmm, u64 offset, u64 length)
{
	return iommufd_unmap(vmm->iommufd, vmm->ioas, HIGH_GPA + offset, length);
}
