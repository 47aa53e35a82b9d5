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

static void set_page(struct machine *m, u64 iova, u64 gpa, bool there)
{
	if (m->model == SMMUV3)
		smmu_map(&m->smmu, m->table, iova, gpa, 12, there ? SMMU_S1_RW : 0);
	else if (there)
		vtd_map(&m->vtd, m->table, iova, gpa, 12, VTD_R | VTD_W);
	else
		vtd_unmap(&m->vtd, m->table, iova, 12);
}

static void enter_table(struct machine *m, int n)
{
	if (m->model == SMMUV3)
		smmu_stream(&m->smmu, ENDPOINT(n), SMMU_S1, m->cd, 0, 0);
	else
		vtd_context_translate(&m->vtd, ENDPOINT(n), MACHINE_DID, m->table);
}

int machine_translate(struct machine *m)
{
	if (m->model == VIRTIO)
		return vmm_up(&m->vmm, VMM_MAPPED);
	if (m->model == SMMUV3) {
		m->table = smmu_page(&m->smmu);
		m->cd = smmu_page(&m->smmu);
		smmu_cd(&m->smmu, m->cd, MACHINE_DID, m->table);
	} else {
		m->table = vtd_page(&m->vtd);
	}
	set_page(m, DATA_IOVA, DATA_GPA, true);
	set_page(m, OUT_IOVA, OUT_GPA, true);
	enter_table(m, 0);
	return m->model == SMMUV3 ? smmu_start(&m->smmu) : vtd_start(&m->vtd);
}

/* What a virtio request came to, as an errno */
static int answer(int rc)
{
	return rc > 0 ? -EPROTO : rc;
}

int machine_join(struct machine *m, int n)
{
	if (m->model == VIRTIO)
		return answer(viommu_attach(&m->vmm.v, DOMAIN, ENDPOINT(n), 0));
	enter_table(m, n);
	return m->model == SMMUV3 ?
		       smmu_submit(&m->smmu, SMMU_C_CFGI_STE(ENDPOINT(n)), 1) :
		       vtd_flush_device(&m->vtd, ENDPOINT(n));
}

static int set_pages(struct machine *m, u64 iova, u64 gpa, u64 bytes, bool there)
{
	u64 at;

	for (at = 0; at < bytes; at += PAGE)
		set_page(m, iova + at, gpa + at, there);
	return m->model == SMMUV3 ?
		       smmu_submit(&m->smmu, SMMU_C_NH_ASID(0, MACHINE_DID), 0) :
		       vtd_submit(&m->vtd, VTD_D_IOTLB(VTD_DOMAIN, MACHINE_DID), 0);
}

int machine_map(struct machine *m, u64 iova, u64 gpa, u64 bytes)
{
	if (m->model == VIRTIO)
		return answer(viommu_map(&m->vmm.v, DOMAIN, iova, bytes, gpa,
					 VIOMMU_RW));
	return set_pages(m, iova, gpa, bytes, true);
}

int machine_unmap(struct machine *m, u64 iova, u64 bytes)
{
	if (m->model == VIRTIO)
		return answer(viommu_unmap(&m->vmm.v, DOMAIN, iova, bytes));
	return set_pages(m, iova, 0, bytes, false);
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
