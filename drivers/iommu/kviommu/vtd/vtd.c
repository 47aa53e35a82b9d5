// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VT-d model: what the registers' commands do, what an endpoint is to reach,
 * and the life of it all.
 *
 * With translation off (GCMD.TE), endpoints see guest memory 1:1, so that
 * firmware can start from an assigned disk. A guest that shuts down turns it off
 * while its disk may still work. What the disk was told are no guest physical
 * addresses, so endpoints that are not quiet keep their translations, until they
 * are quiet or the next driver turns it on again: see reset.c.
 *
 * Commands and invalidations that need more than a bounded time are finished by
 * the worker; their status bit says when.
 */
#include <linux/bitfield.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <trace/events/kviommu.h>

#include "vtd.h"

/*
 * virtio's vendor id has some device ids for experiments. Nothing in a guest binds
 * to it: guests know the unit by the DMAR table.
 */
#define VTD_PCI_DEVICE		0x10f1
#define VTD_PCI_CLASS		0x060000	/* host bridge */

static struct kviommu_vtd *priv(const struct kviommu *v)
{
	return to_vtd(v->model_priv);
}

/* ---- capabilities ---- */

/* Bits of the address space; a second stage has 57 at most. */
static unsigned int width_of(const struct kviommu *v)
{
	return min(fls64(v->frozen.last + 1) - 1, 57);
}

/**
 * vtd_caps() - what the unit can do (11.4.2, 11.4.3)
 * @v: vIOMMU, with its geometry
 * @cap: set to CAP
 * @ecap: set to ECAP
 *
 * What this model implements and the hosts of all endpoints can shadow:
 * addresses as wide as theirs, and pages of sizes that they have.
 */
void vtd_caps(const struct kviommu *v, u64 *cap, u64 *ecap)
{
	unsigned int width = width_of(v);
	u64 sizes = v->frozen.page_sizes;
	u8 sagaw = BIT(VTD_AW_39);

	if (width > 39)
		sagaw |= BIT(VTD_AW_48);
	if (width > 48)
		sagaw |= BIT(VTD_AW_57);
	/* 2^(4 + 2 * 6) domain ids; an address mask may cover all addresses. */
	*cap = FIELD_PREP(VTD_CAP_ND, 6) | VTD_CAP_CM |
	       FIELD_PREP(VTD_CAP_SAGAW, sagaw) |
	       FIELD_PREP(VTD_CAP_MGAW, width - 1) | VTD_CAP_ZLR |
	       FIELD_PREP(VTD_CAP_FRO, VTD_REG_FRO / 16) | VTD_CAP_PSI |
	       FIELD_PREP(VTD_CAP_NFR, VTD_NR_FRCD - 1) |
	       FIELD_PREP(VTD_CAP_MAMV, width - VTD_PAGE_SHIFT) |
	       VTD_CAP_DWD | VTD_CAP_DRD | VTD_CAP_ESRTPS;
	*ecap = VTD_ECAP_C | VTD_ECAP_QI | VTD_ECAP_DT | VTD_ECAP_ADMS |
		FIELD_PREP(VTD_ECAP_IRO, VTD_REG_IRO / 16);
	if (sizes & SZ_2M)
		*cap |= VTD_CAP_SSLPS_2M;
	if (sizes & SZ_1G)
		*cap |= VTD_CAP_SSLPS_1G;
	if (v->vtd.passthrough)
		*ecap |= VTD_ECAP_PT;
	if (v->vtd.snoop && v->frozen.snoop)
		*ecap |= VTD_ECAP_SC;
	if (!v->vtd.scalable)
		return;
	*ecap |= VTD_ECAP_SMTS | VTD_ECAP_SSTS | VTD_ECAP_SMPWCS |
		 VTD_ECAP_SSADS | VTD_ECAP_RPS;
	/* The lower half of its addresses, which any guest uses, must fit. */
	if (!v->vtd.first_stage || width < 47)
		return;
	*ecap |= VTD_ECAP_FSTS | VTD_ECAP_NEST | VTD_ECAP_EAFS | VTD_ECAP_SRS |
		 VTD_ECAP_RPRIVS;
	/*
	 * CAP.CM is not for the first stage: what it newly maps is not
	 * invalidated (6.1). But write buffers have to be flushed then, which
	 * tells of it.
	 */
	*cap |= VTD_CAP_RWBF;
	if (sizes & SZ_1G)
		*cap |= VTD_CAP_FS1GP;
	if (width >= 56)
		*cap |= VTD_CAP_FS5LP;
}
EXPORT_SYMBOL_IF_KUNIT(vtd_caps);

/* ---- events ---- */

/**
 * vtd_send() - send messages
 * @vt: model
 * @events: which, of VTD_*_EVENT
 *
 * VFIO can tell the VMM that there is a message, not what is in it: for that the
 * VMM has the registers.
 */
void vtd_send(struct kviommu_vtd *vt, u32 events)
{
	if (events & VTD_FAULT_EVENT)
		kviommu_irq_msix(vt->f.v, KVIOMMU_VTD_FAULT_VECTOR);
	if (events & VTD_INV_EVENT)
		kviommu_irq_msix(vt->f.v, KVIOMMU_VTD_INV_VECTOR);
}

/* Record a fault of an endpoint. */
static void vtd_tell_fault(struct kviommu_follow *follow,
			   const struct kviommu_gendpoint *ve, u8 reason,
			   u64 addr, bool write)
{
	struct kviommu_vtd *vt = to_vtd(follow);
	const struct vtd_fault_info f = {
		.addr = addr,
		.source_id = ve->ep->id,
		.reason = reason,
		.write = write,
	};
	bool told = false;
	u32 events = 0;

	if (!(ve->flags & VTD_ENDPOINT_FPD))
		told = vtd_fault_record(&vt->regs, &f, &events);
	vt->f.v->count.faults++;
	vt->f.v->count.faults_dropped += !told;
	trace_kviommu_vtd_fault(kviommu_dev(vt->f.v), ve->ep->id, addr, write,
				reason, told);
	vtd_send(vt, events);
}

static void vtd_host_fault(struct kviommu_follow *f,
			   struct kviommu_gendpoint *ve,
			   const struct kviommu_fault *fault)
{
	const struct vtd_view *view = &to_vtd(f)->view;
	struct vtd_leaf leaf;

	vtd_translate(view, &f->reader.reader, ve->ep->id, fault->iova,
		      fault->write ? KVIOMMU_WRITE : KVIOMMU_READ, &leaf);
	if (!leaf.fault && vtd_scalable(view))
		leaf.fault = fault->write ? VTD_FAULT_WRITE : VTD_FAULT_READ;
	else if (!leaf.fault)
		leaf.fault = fault->write ? VTD_FAULT_L_WRITE :
					    VTD_FAULT_L_READ;
	vtd_tell_fault(f, ve, leaf.fault, fault->iova, fault->write);
}

/* ---- what endpoints reach ---- */

static enum kviommu_state vtd_detached(const struct kviommu *v)
{
	return v->boot_bypass ? KVIOMMU_BYPASS : KVIOMMU_BLOCKED;
}

/* The host, or a limit, is in the way of what the guest's entries say. */
static void vtd_refused(struct kviommu_follow *f, struct kviommu_gendpoint *ve)
{
	vtd_tell_fault(f, ve, vtd_scalable(&to_vtd(f)->view) ?
			      VTD_FAULT_PASID_INVALID : VTD_FAULT_L_CTX_INVALID,
		       0, false);
}

/* What is not mapped is as what is not present. */
static u8 vtd_not_present(const struct kviommu_follow *f,
			  const struct kviommu_gdomain *d)
{
	if (vtd_key(d)->fs_levels)
		return VTD_FAULT_FS_NP;
	return vtd_scalable(&to_vtd(f)->view) ? VTD_FAULT_READ :
						VTD_FAULT_L_READ;
}

static bool vtd_is_away(u8 fault)
{
	switch (fault) {
	case VTD_FAULT_L_SS_ACCESS:
	case VTD_FAULT_L_ROOT_ACCESS:
	case VTD_FAULT_L_CTX_ACCESS:
	case VTD_FAULT_ROOT_ACCESS:
	case VTD_FAULT_CTX_ACCESS:
	case VTD_FAULT_PDIR_ACCESS:
	case VTD_FAULT_PASID_ACCESS:
	case VTD_FAULT_FS_ACCESS:
	case VTD_FAULT_FS_ROOT_ACCESS:
	case VTD_FAULT_FS_AD:
	case VTD_FAULT_SS_ACCESS:
	case VTD_FAULT_SS_ROOT_ACCESS:
	case VTD_FAULT_SS_AD:
		return true;
	default:
		return false;
	}
}

static unsigned int vtd_levels(const struct kviommu_gdomain *d)
{
	return vtd_key(d)->fs_levels + vtd_key(d)->ss_levels;
}

/*
 * What is marked in tables changes nothing in where they lead. A guest turns that
 * on and off while a device works (9.6, SSADE), which must not notice.
 */
#define KEY_MARKS	(VTD_KEY_EAFE | VTD_KEY_SSADE | VTD_KEY_PWSNP)

static bool vtd_same(const void *key, const void *other)
{
	const struct vtd_key *a = key, *b = other;

	return a->fsptptr == b->fsptptr && a->ssptptr == b->ssptptr &&
	       a->fs_levels == b->fs_levels && a->ss_levels == b->ss_levels &&
	       !((a->flags ^ b->flags) & ~KEY_MARKS);
}

/* What one endpoint reaches is marked, whoever else reaches it. */
static void vtd_merge(void *key, const void *other)
{
	struct vtd_key *a = key;
	const struct vtd_key *b = other;

	a->flags |= b->flags;
}

/* What any guest has while it sets its tables up is nothing to tell of. */
static bool is_error(u8 fault)
{
	switch (fault) {
	case VTD_FAULT_NONE:
	case VTD_FAULT_L_ROOT_NP:
	case VTD_FAULT_L_CTX_NP:
	case VTD_FAULT_ROOT_NP:
	case VTD_FAULT_CTX_NP:
	case VTD_FAULT_PDIR_NP:
	case VTD_FAULT_PASID_NP:
	case VTD_FAULT_ABORT_DMA:
		return false;
	default:
		return true;
	}
}

/* Look an endpoint up in root, context and PASID tables. */
static void vtd_lookup(struct kviommu_follow *f, struct kviommu_gendpoint *ve)
{
	struct kviommu_vtd *vt = to_vtd(f);
	struct vtd_context ctx;

	vtd_resolve(&vt->view, &f->reader.reader, ve->ep->id, &ctx);
	trace_kviommu_vtd_lookup(kviommu_dev(vt->f.v), ve->ep->id, ctx.kind,
				 ctx.did, ctx.fault);
	ve->flags = ctx.fpd ? VTD_ENDPOINT_FPD : 0;
	ve->did = ctx.did;
	if (is_error(ctx.fault) && ctx.fault != ve->fault)
		vtd_tell_fault(f, ve, ctx.fault, 0, false);
	ve->fault = ctx.fault;

	switch (ctx.kind) {
	case VTD_TRANSLATE:
		kviommu_gendpoint_join(f, ve, ctx.did, &ctx.key,
				       KVIOMMU_CHUNK_SHIFT);
		break;
	case VTD_PASSTHROUGH:
		kviommu_gendpoint_set(f, ve, KVIOMMU_BYPASS);
		break;
	default:
		kviommu_gendpoint_set(f, ve, KVIOMMU_BLOCKED);
	}
}

static u8 vtd_lost(const struct kviommu_follow *f,
		   const struct kviommu_gdomain *d)
{
	if (vtd_key(d)->fs_levels)
		return VTD_FAULT_FS_ACCESS;
	return vtd_scalable(&to_vtd(f)->view) ? VTD_FAULT_SS_ACCESS :
						VTD_FAULT_L_SS_ACCESS;
}

/* See struct vtd_walk. */
static const __le64 *check_table(struct vtd_walk *w, unsigned int slot,
				 const __le64 *page, u64 bits)
{
	struct kviommu_vtd *vt = container_of(w, struct kviommu_vtd, walk);

	return kviommu_follow_check(&vt->f, slot, page, w->next, bits);
}

static void walk_start(struct kviommu_follow *f, struct kviommu_gdomain *d,
		       u64 first, u64 last)
{
	const struct vtd_key *key = vtd_key(d);
	struct kviommu_vtd *vt = to_vtd(f);

	static_assert(VTD_TABLE_ENTRIES * VTD_PAGE_SIZE == KVIOMMU_CHUNK_SIZE);
	static_assert(VTD_TABLE_ENTRIES == KVIOMMU_TABLE_WORDS);
	vtd_walk_start(&vt->walk, &vt->view, key, &f->reader.reader, first,
		       last);
	if (!key->fs_levels || !key->ss_levels)
		vt->walk.check = check_table;
}

static unsigned int walk_next(struct kviommu_follow *f,
			      struct kviommu_follow_walk *p)
{
	struct vtd_walk *w = &to_vtd(f)->walk;
	unsigned int n;

	w->budget = p->budget;
	n = vtd_walk_next(w, f->runs, ARRAY_SIZE(f->runs));
	p->next = w->next;
	p->budget = w->budget;
	p->done = w->done;
	p->changed = w->changed;
	return n;
}

/* 3.2: a domain id has one table; two first stages may share a second one. */
static bool vtd_conflict(const struct kviommu_gdomain *a,
			 const struct kviommu_gdomain *b)
{
	return !vtd_key(a)->ss_levels ||
	       vtd_key(a)->ss_levels != vtd_key(b)->ss_levels ||
	       vtd_key(a)->ssptptr != vtd_key(b)->ssptptr;
}

/* ---- commands (11.4.4) ---- */

static void set_gsts(struct kviommu_vtd *vt, u32 bits, bool on)
{
	u32 gsts = vtd_get32(&vt->regs, VTD_GSTS);

	vtd_set32(&vt->regs, VTD_GSTS, on ? gsts | bits : gsts & ~bits);
}

/* With CAP.ESRTPS caches are invalidated by it, so no more has to follow. */
static void set_root(struct kviommu_vtd *vt)
{
	vt->view.rtaddr = vtd_get64(&vt->regs, VTD_RTADDR);
	if (!vt->f.on) {
		set_gsts(vt, VTD_GCMD_SRTP, true);
		return;
	}
	set_gsts(vt, VTD_GCMD_SRTP, false);
	vt->gsts |= VTD_GCMD_SRTP;
	kviommu_follow_again(&vt->f);
}

static void translation_on(struct kviommu_vtd *vt)
{
	vt->view.te = true;
	vt->gsts |= VTD_GCMD_TE;
	kviommu_follow_on(&vt->f);
}

static void translation_off(struct kviommu_vtd *vt)
{
	vt->view.te = false;
	vt->gsts &= ~VTD_GCMD_TE;
	set_gsts(vt, VTD_GCMD_TE, false);
	kviommu_follow_off(&vt->f);
}

/* What first stages map is to be brought in line. */
static void mark_first_stage(struct kviommu_vtd *vt)
{
	struct kviommu_gdomain *d;

	list_for_each_entry(d, &vt->f.domains, node)
		if (vtd_key(d)->fs_levels)
			kviommu_mark(&vt->f, d, 0, U64_MAX);
}

/*
 * Software is to change one bit at a time. Where it writes back what it has
 * read, with bits of commands that are done, they are done again.
 */
static void command(struct kviommu_vtd *vt)
{
	u32 cmd = vt->regs.gcmd;
	u32 changed = cmd ^ vtd_get32(&vt->regs, VTD_GSTS);

	vt->count.commands++;
	trace_kviommu_vtd_command(kviommu_dev(vt->f.v), cmd,
				  vtd_get32(&vt->regs, VTD_GSTS));
	/*
	 * Interrupts are remapped by the VMM, if at all: it finds in IRTA and
	 * GSTS what the guest has set.
	 */
	if (cmd & VTD_GCMD_SIRTP)
		set_gsts(vt, VTD_GCMD_SIRTP, true);
	if (changed & VTD_GCMD_IRE)
		set_gsts(vt, VTD_GCMD_IRE, cmd & VTD_GCMD_IRE);
	if (changed & VTD_GCMD_CFI)
		set_gsts(vt, VTD_GCMD_CFI, cmd & VTD_GCMD_CFI);
	/* Nothing to be done for SFL and EAFL: CAP.AFL. */
	if (cmd & VTD_GCMD_WBF && vt->view.cap & VTD_CAP_RWBF) {
		set_gsts(vt, VTD_GCMD_WBF, true);
		vt->wbf = true;
		if (vt->f.on)
			mark_first_stage(vt);
	}
	if (cmd & VTD_GCMD_SRTP)
		set_root(vt);
	if (changed & VTD_GCMD_QIE) {
		vtd_queue_enable(vt, cmd & VTD_GCMD_QIE);
		set_gsts(vt, VTD_GCMD_QIE, cmd & VTD_GCMD_QIE);
	}
	if (cmd & VTD_GCMD_TE && !vt->f.on)
		translation_on(vt);
	else if (!(cmd & VTD_GCMD_TE) && vt->f.on)
		translation_off(vt);
}

/* ---- invalidation by registers (6.5.1) ---- */

/* Only without the queue, and in legacy mode; else it is refused. */
static bool by_registers(const struct kviommu_vtd *vt)
{
	return !(vtd_get32(&vt->regs, VTD_GSTS) & VTD_GCMD_QIE) &&
	       FIELD_GET(VTD_RTADDR_TTM, vt->view.rtaddr) == VTD_TTM_LEGACY;
}

static bool ccmd_decode(struct kviommu_vtd *vt, struct vtd_inv *inv)
{
	u64 val = vtd_get64(&vt->regs, VTD_CCMD);
	u64 words[2] = {
		FIELD_PREP(VTD_DESC_TYPE_LO, VTD_DESC_CC) |
		FIELD_PREP(VTD_CC0_G, FIELD_GET(VTD_CCMD_CIRG, val)) |
		FIELD_PREP(VTD_CC0_DID, FIELD_GET(VTD_CCMD_DID, val)) |
		FIELD_PREP(VTD_CC0_SID, FIELD_GET(VTD_CCMD_SID, val)) |
		FIELD_PREP(VTD_CC0_FM, FIELD_GET(VTD_CCMD_FM, val)),
	};

	return by_registers(vt) && !vtd_decode(words, false, &vt->view, inv);
}

static bool iotlb_decode(struct kviommu_vtd *vt, struct vtd_inv *inv)
{
	u64 val = vtd_get64(&vt->regs, VTD_REG_IOTLB);
	u64 words[2] = {
		FIELD_PREP(VTD_DESC_TYPE_LO, VTD_DESC_IOTLB) |
		FIELD_PREP(VTD_IOTLB0_G, FIELD_GET(VTD_IOTLB_IIRG, val)) |
		FIELD_PREP(VTD_IOTLB0_DID, FIELD_GET(VTD_IOTLB_DID, val)),
		vtd_get64(&vt->regs, VTD_REG_IVA),
	};

	return by_registers(vt) && !vtd_decode(words, false, &vt->view, inv);
}

/* 11.4.6.1: the granularity that was done, 0 for what was refused */
static void ccmd_done(struct kviommu_vtd *vt, u8 gran)
{
	u64 val = vtd_get64(&vt->regs, VTD_CCMD);

	val &= ~(VTD_CCMD_ICC | VTD_CCMD_CAIG);
	vtd_set64(&vt->regs, VTD_CCMD, val | FIELD_PREP(VTD_CCMD_CAIG, gran));
	vt->ccmd = false;
}

/* 11.4.6.3 */
static void iotlb_done(struct kviommu_vtd *vt, u8 gran)
{
	u64 val = vtd_get64(&vt->regs, VTD_REG_IOTLB);

	val &= ~(VTD_IOTLB_IVT | VTD_IOTLB_IAIG);
	vtd_set64(&vt->regs, VTD_REG_IOTLB,
		  val | FIELD_PREP(VTD_IOTLB_IAIG, gran));
	vt->iotlb = false;
}

static void context_command(struct kviommu_vtd *vt)
{
	struct vtd_inv inv;

	vt->count.register_inv++;
	if (!ccmd_decode(vt, &inv)) {
		ccmd_done(vt, 0);
		return;
	}
	vtd_invalidate(vt, &inv);
	vt->ccmd = true;
}

static void iotlb_command(struct kviommu_vtd *vt)
{
	struct vtd_inv inv;

	vt->count.register_inv++;
	if (!iotlb_decode(vt, &inv)) {
		iotlb_done(vt, 0);
		return;
	}
	/* What can't be said together with other marks: all of the domain. */
	if (!vtd_invalidate(vt, &inv)) {
		inv.gran = VTD_GRAN_DOMAIN;
		vtd_invalidate(vt, &inv);
	}
	vt->iotlb = true;
}

/* ---- work ---- */

static bool vtd_pending(const struct kviommu_follow *f)
{
	const struct kviommu_vtd *vt = to_vtd(f);

	return vt->gsts || vt->ccmd || vt->iotlb || vt->wbf;
}

static void vtd_drained(struct kviommu_follow *f)
{
	struct kviommu_vtd *vt = to_vtd(f);

	set_gsts(vt, vt->gsts, true);
	vt->gsts = 0;
	/* Set while it is being done, unlike the others (11.4.4.2). */
	if (vt->wbf)
		set_gsts(vt, VTD_GCMD_WBF, false);
	vt->wbf = false;
	if (vt->ccmd)
		ccmd_done(vt, FIELD_GET(VTD_CCMD_CIRG,
					vtd_get64(&vt->regs, VTD_CCMD)));
	if (vt->iotlb)
		iotlb_done(vt, FIELD_GET(VTD_IOTLB_IIRG,
					 vtd_get64(&vt->regs, VTD_REG_IOTLB)));
}

static void vtd_show_domain(const struct kviommu_gdomain *d, struct seq_file *s)
{
	const struct vtd_key *key = vtd_key(d);

	if (key->fs_levels)
		seq_printf(s, " first 0x%llx levels %u", key->fsptptr,
			   key->fs_levels);
	if (key->ss_levels)
		seq_printf(s, " second 0x%llx levels %u", key->ssptptr,
			   key->ss_levels);
}

static const struct kviommu_follow_ops vtd_follow_ops = {
	.step = vtd_queue_step,
	.pending = vtd_pending,
	.drained = vtd_drained,
	.key_size = sizeof(struct vtd_key),
	.tell_tables = true,
	.same = vtd_same,
	.merge = vtd_merge,
	.lookup = vtd_lookup,
	.walk_start = walk_start,
	.walk_next = walk_next,
	.fault = vtd_tell_fault,
	.host_fault = vtd_host_fault,
	.refused = vtd_refused,
	.lost = vtd_lost,
	.not_present = vtd_not_present,
	.is_away = vtd_is_away,
	.levels = vtd_levels,
	.conflict = vtd_conflict,
	.show_domain = vtd_show_domain,
};

/* ---- registers ---- */

static void vtd_read(struct kviommu *v, u32 offset, void *buf, size_t len)
{
	__le64 val;

	/* Software looks again and again whether it is done. */
	if (unlikely(v->worker.dead) && offset < VTD_REGS_SIZE)
		kviommu_work_all(v);
	val = cpu_to_le64(vtd_regs_read(&priv(v)->regs, offset, len));
	memcpy(buf, &val, len);
}

static void vtd_write(struct kviommu *v, u32 offset, const void *buf,
		      size_t len)
{
	struct kviommu_vtd *vt = priv(v);
	__le64 val = 0;
	u32 todo;

	memcpy(&val, buf, len);
	todo = vtd_regs_write(&vt->regs, offset, le64_to_cpu(val), len);
	vtd_send(vt, todo);
	if (todo & VTD_WROTE_GCMD)
		command(vt);
	if (todo & VTD_WROTE_CCMD)
		context_command(vt);
	if (todo & VTD_WROTE_IOTLB)
		iotlb_command(vt);
	if (todo & (VTD_WROTE_GCMD | VTD_WROTE_CCMD | VTD_WROTE_IOTLB |
		    VTD_WROTE_QUEUE))
		kviommu_follow_kick(&vt->f);
}

/* ---- life ---- */

static void pci_config(struct kviommu *v)
{
	static const u32 bar_size[] = { KVIOMMU_VTD_BAR_SIZE, 0x1000 };
	struct kviommu_config *c = &v->config;

	kviommu_config_init(c, PCI_VENDOR_ID_REDHAT_QUMRANET, VTD_PCI_DEVICE,
			    VTD_PCI_CLASS, bar_size);
	c->space[PCI_INTERRUPT_PIN] = 0;
	kviommu_config_add_msix(c, 1, KVIOMMU_VTD_VECTORS, 0, 0x800);
}

static int vtd_init(struct kviommu *v)
{
	struct kviommu_vtd *vt;
	int rc;

	vt = kvzalloc_obj(*vt);
	if (!vt)
		return -ENOMEM;
	rc = kviommu_follow_init(&vt->f, v, &vtd_follow_ops, VTD_SLOTS);
	if (rc) {
		kvfree(vt);
		return rc;
	}
	vt->f.leaf_slots = BIT(VTD_SLOT_FS) | BIT(VTD_SLOT_SS);
	v->vtd.passthrough = true;
	v->vtd.snoop = true;
	pci_config(v);
	return 0;
}

static void vtd_exit(struct kviommu *v)
{
	struct kviommu_follow *f = v->model_priv;

	if (!f)
		return;
	kviommu_follow_exit(f);
	kvfree(to_vtd(f));
}

static void vtd_reset(struct kviommu *v)
{
	struct kviommu_vtd *vt = priv(v);

	vt->view = (struct vtd_view){ .haw = KVIOMMU_VTD_HAW };
	vtd_caps(v, &vt->view.cap, &vt->view.ecap);
	vtd_regs_reset(&vt->regs, vt->view.cap, vt->view.ecap);
	vtd_queue_enable(vt, false);
	vt->gsts = 0;
	vt->ccmd = false;
	vt->iotlb = false;
	vt->wbf = false;
	kviommu_follow_reset(&vt->f);
	pci_config(v);
}

static int vtd_assigned(struct kviommu *v, struct kviommu_endpoint *ep)
{
	/* The guest may take its word for it that nothing goes past caches. */
	if (!ep->geo.snoop && priv(v)->view.ecap & VTD_ECAP_SC) {
		dev_warn(kviommu_dev(v),
			 "KV27: cannot assign %s: its IOMMU can't make all accesses coherent, and the guest was told that all can; assign it, or set snoop to 0, before the VMM starts\n",
			 dev_name(ep->kdev->dev));
		return -EOPNOTSUPP;
	}
	return kviommu_follow_assigned(v, ep);
}

static int vtd_open(struct kviommu *v)
{
	struct kviommu_vtd *vt = priv(v);

	memset(&vt->count, 0, sizeof(vt->count));
	vtd_reset(v);
	return kviommu_follow_open(&vt->f);
}

/* ---- debugfs ---- */

static void vtd_show_state(struct kviommu *v, struct seq_file *s)
{
	struct kviommu_vtd *vt = priv(v);
	const struct vtd_regs *r = &vt->regs;

	seq_printf(s, "cap 0x%llx\n", vt->view.cap);
	seq_printf(s, "ecap 0x%llx\n", vt->view.ecap);
	seq_printf(s, "gsts 0x%x\n", vtd_get32(r, VTD_GSTS));
	seq_printf(s, "rtaddr 0x%llx\n", vt->view.rtaddr);
	seq_printf(s, "translation %s\n", vt->f.on ? "on" : "off");
	seq_printf(s, "queue base 0x%llx size 0x%x width %u head 0x%x tail 0x%x\n",
		   vt->queue.base, vt->queue.size, vt->queue.width,
		   vt->queue.head, vtd_get32(r, VTD_IQT));
	seq_printf(s, "fsts 0x%x\n", vtd_get32(r, VTD_FSTS));
	seq_printf(s, "fault_message 0x%llx 0x%x\n",
		   vtd_get64(r, VTD_FEADDR), vtd_get32(r, VTD_FEDATA));
	seq_printf(s, "completion_message 0x%llx 0x%x\n",
		   vtd_get64(r, VTD_IEADDR), vtd_get32(r, VTD_IEDATA));
	seq_printf(s, "irta 0x%llx\n", vtd_get64(r, VTD_IRTA));
	kviommu_follow_show_state(&vt->f, s);
}

static void vtd_show_counters(struct kviommu *v, struct seq_file *s)
{
	const struct vtd_counters *c = &priv(v)->count;
	unsigned int i;

	for (i = VTD_DESC_CC; i < ARRAY_SIZE(c->desc); i++)
		seq_printf(s, "desc_%s %llu\n", vtd_desc_name(i), c->desc[i]);
	seq_printf(s, "register_invalidations %llu\n", c->register_inv);
	seq_printf(s, "commands %llu\n", c->commands);
	seq_printf(s, "queue_errors %llu\n", c->queue_errors);
	seq_printf(s, "lost_status %llu\n", c->lost_status);
	kviommu_follow_show_counters(&priv(v)->f, s);
}

const struct kviommu_model kviommu_vtd_model = {
	.name = "vtd",
	.vectors = KVIOMMU_VTD_VECTORS,
	/* A requester id; a unit is for one PCI segment. */
	.max_id = U16_MAX,
	/* Any unit has these (3.6, 3.7): there is no capability to leave them out. */
	.granule = VTD_PAGE_SIZE,
	.init = vtd_init,
	.exit = vtd_exit,
	.open = vtd_open,
	.assigned = vtd_assigned,
	.close = kviommu_follow_close,
	.reset = vtd_reset,
	.read = vtd_read,
	.write = vtd_write,
	.resolve = kviommu_follow_resolve,
	.work = kviommu_follow_work,
	.detached = vtd_detached,
	.release = kviommu_follow_release,
	.leave = kviommu_follow_leave,
	.retry = kviommu_follow_retry,
	.for_each_shadow = kviommu_follow_each_shadow,
	.show_state = vtd_show_state,
	.show_domains = kviommu_follow_show_domains,
	.show_counters = vtd_show_counters,
	.domain_id = kviommu_follow_domain_id,
};
EXPORT_SYMBOL_IF_KUNIT(kviommu_vtd_model);
