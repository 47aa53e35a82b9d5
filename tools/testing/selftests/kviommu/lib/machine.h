/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM with a vIOMMU of any model, and the guest's driver for it: for tests of what
 * all models have in common.
 */
#ifndef KVIOMMU_TEST_MACHINE_H
#define KVIOMMU_TEST_MACHINE_H

#include "smmuv3.h"
#include "vmm.h"
#include "vtd.h"

enum model { VIRTIO, VTD, SMMUV3, NR_MODELS };

extern const char *const model_type[NR_MODELS];	/* of mdev */

/* What VT-d and SMMUv3 call domain 1 of virtio */
#define MACHINE_DID	5

struct machine {
	struct host host;
	struct vmm vmm;
	struct vtd vtd;
	struct smmu smmu;
	u64 table;		/* VT-d's and SMMUv3's, of all that translate */
	u64 cd;
	enum model model;
};

/*
 * The VMM, with endpoints that master the bus, and a guest whose driver has not begun
 * with VT-d and SMMUv3
 */
int machine_up(struct machine *m);
/* Endpoint 0: DATA_IOVA and OUT_IOVA to DATA_GPA and OUT_GPA, one page each */
int machine_translate(struct machine *m);
/* Endpoint n by the same table */
int machine_join(struct machine *m, int n);
/* More of that table, in pages, or less, and the vIOMMU is told */
int machine_map(struct machine *m, u64 iova, u64 gpa, u64 bytes);
int machine_unmap(struct machine *m, u64 iova, u64 bytes);
/* As a guest does that shuts down */
int machine_guest_reset(struct machine *m);
/* As the next one that starts: with the tables that are there */
int machine_guest_driver(struct machine *m);

#endif
