/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest VMM: guest memory in an IOAS, a kviommu mdev, endpoints, and the
 * guest's driver. It comes up in steps, so that tests can stop, die or go back
 * between any two of them.
 */
#ifndef KVIOMMU_TEST_VMM_H
#define KVIOMMU_TEST_VMM_H

#include "edu.h"
#include "iommufd.h"
#include "mdev.h"
#include "viommu.h"

#define MAX_ENDPOINTS	65	/* a few, but for bench */
#define ENDPOINT(n)	(0x28u + 8 * (n))	/* 00:05.0, 00:06.0, ... */

/* Guest memory: not at 0, so that an address taken for an offset shows */
#define RAM_GPA		0x1000000ULL
#define RAM_SIZE	(16 * MiB)
#define DATA_GPA	(RAM_GPA + 2 * MiB)	/* free for tests, to the end */
#define DATA2_GPA	(RAM_GPA + 3 * MiB)
#define HIGH_GPA	0x100000000ULL		/* memory that comes and goes */
#define HIGH_SIZE	(4 * MiB)
#define HOLE_GPA	0x80000000ULL		/* never memory */

/* What the last step maps: guest domain 1 */
#define DOMAIN		1u
#define DATA_IOVA	0x40000000ULL		/* -> DATA_GPA, one page */
#define OUT_IOVA	0x50000000ULL		/* -> OUT_GPA, one page */
#define OUT_GPA		(RAM_GPA + 15 * MiB)

/* What the administrator has prepared; outlives VMMs */
struct host {
	const char *type;	/* of mdev */
	struct mdev mdev;
	char bdf[MAX_ENDPOINTS][BDF_LEN];
	int endpoints;		/* assigned */
	char why[256];		/* of a failed setup */
};

/* -ENODEV: this machine has not got what the test needs, see why */
int host_setup(struct host *host, const char *type, int endpoints);
/* With two of one group */
int host_setup_pair(struct host *host, const char *type);
/* With two functions of a NIC, no edu devices */
int host_setup_functions(struct host *host, const char *type);
/* One vIOMMU more, with the from's last endpoint as its first */
int host_split(struct host *from, struct host *to);
void host_teardown(struct host *host);

enum ram_kind { RAM_4K, RAM_2M, RAM_HUGETLB };

struct vmm_config {
	enum ram_kind ram;
	u64 features;		/* 0: VIOMMU_ALL_FEATURES */
	u16 queue_size;		/* 0: 1024 */
};

enum vmm_step {
	VMM_IOMMUFD,
	VMM_IOAS,
	VMM_MEMORY,
	VMM_VIOMMU_OPEN,
	VMM_VIOMMU_BIND,
	VMM_VIOMMU_ATTACH,
	VMM_ENDPOINT_OPEN,
	VMM_ENDPOINT_BIND,
	VMM_ENDPOINT_ATTACH,
	VMM_BUS_MASTER,
	VMM_DRIVER_OK,
	VMM_DOMAIN,
	VMM_MAPPED,
	VMM_STEPS,
};

extern const char *const vmm_step_name[VMM_STEPS];

struct vmm {
	const struct host *host;
	struct vmm_config config;
	int next;		/* first step that is not done */
	int iommufd;
	u32 ioas;
	u32 hwpt;
	u8 *ram;		/* may be set before VMM_MEMORY, then it is kept */
	bool ram_is_mine;
	u8 *high;		/* NULL: never was there */
	struct vfio_dev viommu;
	struct virtio_dev v;
	struct edu edu[MAX_ENDPOINTS];
};

void vmm_init(struct vmm *vmm, const struct host *host,
	      const struct vmm_config *config);
/* Do all steps up to and with last that are not done yet */
int vmm_up(struct vmm *vmm, enum vmm_step last);
/* One device more, which its owner closes: open, bound, attached, regions queried */
int vmm_add_device(struct vmm *vmm, struct vfio_dev *dev, const char *bdf);
void vmm_close(struct vmm *vmm);	/* any state */
void vmm_close_viommu(struct vmm *vmm);
void vmm_close_endpoints(struct vmm *vmm);
void vmm_close_iommufd(struct vmm *vmm);

void *vmm_alloc(enum ram_kind kind, u64 size);
/*
 * HIGH_SIZE more of guest memory at HIGH_GPA, in two areas of the IOAS that can
 * go one by one: offsets and lengths are multiples of HIGH_SIZE / 2
 */
int vmm_add_high(struct vmm *vmm, u64 offset, u64 length, bool writable);
int vmm_remove_high(struct vmm *vmm, u64 offset, u64 length);

static inline void *vmm_ptr(struct vmm *vmm, u64 gpa)
{
	return gpa >= HIGH_GPA ? vmm->high + (gpa - HIGH_GPA) :
				 vmm->ram + (gpa - RAM_GPA);
}

static inline int vmm_can_write(struct vmm *vmm, int n, u64 iova, u64 gpa)
{
	return edu_can_write(&vmm->edu[n], iova, vmm_ptr(vmm, gpa));
}

static inline int vmm_can_read(struct vmm *vmm, int n, u64 iova, u64 gpa)
{
	return edu_can_read(&vmm->edu[n], iova, vmm_ptr(vmm, gpa), OUT_IOVA,
			    vmm_ptr(vmm, OUT_GPA));
}

/*
 * After vmm_close(): nothing of the VMM may be left in the kernel. Returns what
 * is wrong, or NULL.
 */
const char *host_leftovers(const struct host *host);

#endif
