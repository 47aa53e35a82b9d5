// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

const char *const model_type[NR_MODELS] = {
	KVIOMMU_VIRTIO, KVIOMMU_VTD, KVIOMMU_SMMUV3,
};

int machine_up(struct machine *m)
{
	struct vmm *vmm = &m->vmm;
	int rc;

	rc = vmm_up(vmm, m->model == VIRTIO ? VMM_DRIVER_OK : VMM_BUS_MASTER);
	if (!rc && m->model == VTD)
		vtd_init(&m->vtd, &vmm->viommu, vmm->ram, RAM_GPA, false);
	else if (!rc && m->model == SMMUV3)
		smmu_init(&m->smmu, &vmm->viommu, vmm->ram, RAM_GPA);
	return rc;
}

static int translate_smmu(struct smmu *s)
{
	u64 table = smmu_page(s), cd = smmu_page(s);

	smmu_map(s, table, DATA_IOVA, DATA_GPA, 12, SMMU_S1_RW);
	smmu_map(s, table, OUT_IOVA, OUT_GPA, 12, SMMU_S1_RW);
	smmu_cd(s, cd, MACHINE_DID, table);
	smmu_stream(s, ENDPOINT(0), SMMU_S1, cd, 0, 0);
	return smmu_start(s);
}

int machine_translate(struct machine *m)
{
	struct vtd *v = &m->vtd;
	u64 table;

	if (m->model == VIRTIO)
		return vmm_up(&m->vmm, VMM_MAPPED);
	if (m->model == SMMUV3)
		return translate_smmu(&m->smmu);
	table = vtd_page(v);
	vtd_map(v, table, DATA_IOVA, DATA_GPA, 12, VTD_R | VTD_W);
	vtd_map(v, table, OUT_IOVA, OUT_GPA, 12, VTD_R | VTD_W);
	vtd_context_translate(v, ENDPOINT(0), MACHINE_DID, table);
	return vtd_start(v);
}

int machine_guest_reset(struct machine *m)
{
	return m->model == VTD ? vtd_command(&m->vtd, 0, VTD_TE) :
	       m->model == SMMUV3 ? smmu_enable(&m->smmu, 0) :
				    virtio_reset(&m->vmm.v);
}

int machine_guest_driver(struct machine *m)
{
	return m->model == VTD ? vtd_command(&m->vtd, VTD_TE, 0) :
	       m->model == SMMUV3 ? smmu_start(&m->smmu) :
				    virtio_start(&m->vmm.v, VIOMMU_ALL_FEATURES,
						 1024);
}
