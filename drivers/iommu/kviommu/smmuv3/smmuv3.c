// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SMMUv3 model: what its registers set going, what an endpoint is to reach,
 * and the life of it all.
 *
 * While the SMMU is disabled (CR0.SMMUEN), GBPA says what transactions do: they
 * are aborted, from the update on, or they pass. Endpoints that would pass, and
 * may still do DMA with addresses that were translated, keep their translations
 * until they are quiet or it is enabled again: see reset.c.
 */
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <trace/events/kviommu.h>

#include "smmuv3.h"

/* virtio's vendor id has some device ids that anybody may use. */
#define SMMU_PCI_DEVICE		0x10f2
#define SMMU_PCI_CLASS		0x080600	/* IOMMU */

static struct kviommu_smmu *priv(const struct kviommu *v)
{
	return to_smmu(v->model_priv);
}

/* ---- capabilities ---- */

/**
 * smmu_idr() - what the SMMU can do (6.3.1 to 6.3.6)
 * @v: vIOMMU, with its geometry
 * @idr: set to IDR0 to IDR5
 *
 * What this model implements and the hosts of all endpoints can shadow: addresses
 * as wide as theirs, and granules that are no smaller than their pages. Addresses
 * of 52 bits are left out.
 */
void smmu_idr(const struct kviommu *v, u32 *idr)
{
	static const u8 widths[] = { 32, 36, 40, 42, 44, 48 };
	unsigned int width = fls64(v->frozen.last + 1) - 1;
	unsigned int page = __ffs64(v->frozen.page_sizes | SZ_64K);
	unsigned int oas = 0;

	while (oas + 1 < ARRAY_SIZE(widths) && widths[oas + 1] <= width)
		oas++;
	idr[0] = SMMU_IDR0_S2P | SMMU_IDR0_S1P | SMMU_IDR0_COHACC |
		 SMMU_IDR0_ASID16 | SMMU_IDR0_MSI | SMMU_IDR0_VMID16 |
		 SMMU_IDR0_CD2L | SMMU_IDR0_TERM_MODEL |
		 FIELD_PREP(SMMU_IDR0_TTF, SMMU_TTF_AARCH64) |
		 FIELD_PREP(SMMU_IDR0_TTENDIAN, SMMU_TTENDIAN_LITTLE) |
		 FIELD_PREP(SMMU_IDR0_STALL_MODEL, SMMU_STALL_MODEL_NONE) |
		 FIELD_PREP(SMMU_IDR0_ST_LEVEL, SMMU_ST_LEVEL_2);
	idr[1] = FIELD_PREP(SMMU_IDR1_SIDSIZE, 16) |
		 FIELD_PREP(SMMU_IDR1_SSIDSIZE, 20) |
		 FIELD_PREP(SMMU_IDR1_EVENTQS, SMMU_MAX_EVENTQ) |
		 FIELD_PREP(SMMU_IDR1_CMDQS, SMMU_MAX_CMDQ);
	idr[2] = 0;
	/* XNX is for instructions, and accesses are to data. */
	idr[3] = SMMU_IDR3_HAD | SMMU_IDR3_XNX | SMMU_IDR3_RIL;
	idr[4] = 0;
	idr[5] = FIELD_PREP(SMMU_IDR5_OAS, oas) | SMMU_IDR5_GRAN64K;
	if (page <= 14)
		idr[5] |= SMMU_IDR5_GRAN16K;
	if (page <= 12)
		idr[5] |= SMMU_IDR5_GRAN4K;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_idr);

/* ---- events ---- */

/* CD.R and STE.S2R are for faults of addresses; other events are not held back. */
static void record(struct kviommu_smmu *sm, const struct kviommu_gendpoint *ge,
		   struct smmu_fault fault, u64 addr, bool write)
{
	u8 flag = fault.s2 ? SMMU_ENDPOINT_S2_RECORD : SMMU_ENDPOINT_RECORD;

	if (fault.event >= SMMU_EVENT_F_TRANSLATION && !(ge->flags & flag))
		fault.event = SMMU_EVENT_NONE;
	if (fault.event == SMMU_EVENT_C_BAD_STREAMID &&
	    !(smmu_get32(&sm->regs, SMMU_CR2) & SMMU_CR2_RECINVSID))
		fault.event = SMMU_EVENT_NONE;
	smmu_record(sm, ge->ep->id, &fault, addr, write);
}

static void smmu_fault(struct kviommu_follow *f,
		       const struct kviommu_gendpoint *ge, u8 reason, u64 addr,
		       bool write)
{
	bool s2 = ge->flags & SMMU_ENDPOINT_S2_ONLY;
	bool walk = reason == SMMU_EVENT_F_WALK_EABT;
	const struct smmu_fault fault = {
		.event = reason,
		.class = walk && !s2 ? SMMU_CLASS_TTD : SMMU_CLASS_IN,
		.s2 = s2,
		/* What could not be fetched is not known. */
		.addr = walk ? 0 : addr,
	};

	/*
	 * 7.2: an event is of a transaction. Its device may never use what was
	 * only found to be left out, and is heard of when it does, if that can
	 * be. No host reports what it blocks altogether, as it does for all
	 * other reasons, nor accesses to what it keeps for itself.
	 */
	if (reason == SMMU_EVENT_F_TRANSLATION &&
	    ge->flags & SMMU_ENDPOINT_REPORTED &&
	    !kviommu_geometry_reserved(&ge->ep->geo, addr, addr))
		return;
	record(to_smmu(f), ge, fault, addr, write);
}

static void smmu_host_fault(struct kviommu_follow *f,
			    struct kviommu_gendpoint *ge,
			    const struct kviommu_fault *fault)
{
	struct kviommu_smmu *sm = to_smmu(f);
	struct smmu_leaf leaf;

	ge->flags |= SMMU_ENDPOINT_REPORTED;
	smmu_translate(&sm->view, &f->reader.reader, ge->ep->id, fault->iova,
		       fault->write ? KVIOMMU_WRITE : KVIOMMU_READ, &leaf);
	/* Here it may also be that what is new was not looked at yet. */
	if (leaf.ok) {
		leaf.fault.event = SMMU_EVENT_F_TRANSLATION;
		leaf.fault.class = SMMU_CLASS_IN;
		leaf.fault.s2 = !(leaf.ctx.key.flags & SMMU_KEY_S1);
		leaf.fault.addr = fault->iova;
	}
	record(sm, ge, leaf.fault, fault->iova, fault->write);
}

/* ---- what endpoints reach ---- */

/* The host, or a limit, is in the way of what the guest's entries say. */
static void smmu_refused(struct kviommu_follow *f, struct kviommu_gendpoint *ge)
{
	smmu_fault(f, ge, SMMU_EVENT_C_BAD_STE, 0, false);
}

/* Look an endpoint up in stream table and context descriptors. */
static void smmu_lookup(struct kviommu_follow *f, struct kviommu_gendpoint *ge)
{
	struct kviommu_smmu *sm = to_smmu(f);
	struct smmu_context ctx;
	u8 stages;

	smmu_resolve(&sm->view, &f->reader.reader, ge->ep->id, &ctx);
	trace_kviommu_smmuv3_lookup(kviommu_dev(sm->f.v), ge->ep->id, ctx.kind,
				    ctx.vmid, ctx.asid, ctx.fault.event);
	stages = ctx.key.flags & (SMMU_KEY_S1 | SMMU_KEY_S2);
	ge->did = (u32)ctx.vmid << 16 | ctx.asid;
	/* Without a first stage no CD holds anything back. */
	ge->flags = (ge->flags & SMMU_ENDPOINT_REPORTED) |
		    (ctx.record || !(stages & SMMU_KEY_S1) ?
			SMMU_ENDPOINT_RECORD : 0) |
		    (ctx.s2_record ? SMMU_ENDPOINT_S2_RECORD : 0) |
		    (stages == SMMU_KEY_S2 ? SMMU_ENDPOINT_S2_ONLY : 0);
	if (ctx.fault.event && ctx.fault.event != ge->fault)
		record(sm, ge, ctx.fault, 0, false);
	ge->fault = ctx.fault.event;

	switch (ctx.kind) {
	case SMMU_TRANSLATE:
		/* 4 KiB of a table have 512 pages. */
		kviommu_gendpoint_join(f, ge, ge->did, &ctx.key,
				       smmu_leaf_shift(&ctx.key) + 9);
		break;
	case SMMU_BYPASS:
		kviommu_gendpoint_set(f, ge, KVIOMMU_BYPASS);
		break;
	default:
		kviommu_gendpoint_set(f, ge, KVIOMMU_BLOCKED);
	}
}

static u8 smmu_lost(const struct kviommu_follow *f,
		    const struct kviommu_gdomain *d)
{
	return SMMU_EVENT_F_WALK_EABT;
}

/* What is not mapped is as what the tables do not map. */
static u8 smmu_not_present(const struct kviommu_follow *f,
			   const struct kviommu_gdomain *d)
{
	return SMMU_EVENT_F_TRANSLATION;
}

static bool smmu_is_away(u8 event)
{
	return event == SMMU_EVENT_F_STE_FETCH ||
	       event == SMMU_EVENT_F_CD_FETCH ||
	       event == SMMU_EVENT_F_WALK_EABT;
}

static unsigned int smmu_levels(const struct kviommu_gdomain *d)
{
	u8 flags = smmu_key(d)->flags;

	return (flags & SMMU_KEY_S1 ? SMMU_LEVELS : 0) +
	       (flags & SMMU_KEY_S2 ? SMMU_LEVELS : 0);
}

static bool smmu_same(const void *a, const void *b)
{
	return !memcmp(a, b, sizeof(struct smmu_key));
}

/* See struct smmu_walk. */
static const __le64 *check_table(struct smmu_walk *w, unsigned int slot,
				 const __le64 *page, u64 bits)
{
	struct kviommu_smmu *sm = container_of(w, struct kviommu_smmu, walk);

	return kviommu_follow_check(&sm->f, slot, page, w->next, bits);
}

/*
 * IDR5.VAX can't say that addresses of a first stage end below 48 bits, and guests
 * that use such ones are not to be left in the dark. So some is looked at of what
 * no walk has; that finds the first page of most tables.
 */
#define ABOVE_BUDGET	1024

static void look_above(struct kviommu_smmu *sm, struct kviommu_gdomain *d)
{
	u64 last = sm->f.v->frozen.last;
	struct kviommu_gendpoint *ge;
	struct kviommu_endpoint *ep;
	struct kviommu_run run;
	unsigned long id;
	unsigned int n;

	if (last == U64_MAX)
		return;
	smmu_walk_start(&sm->walk, smmu_key(d), &sm->f.reader.reader, last + 1,
			U64_MAX);
	sm->walk.budget = ABOVE_BUDGET;
	n = smmu_walk_next(&sm->walk, &run, 1);
	sm->f.credits -= ABOVE_BUDGET - sm->walk.budget;
	if (!n || run.fault)
		return;
	sm->above = true;
	kviommu_warn(sm->f.v, "KV46: the guest's domain %u has addresses above 0x%llx, which the host does not translate: not mapped\n",
		     d->did, last);
	xa_for_each(&sm->f.v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (ge && (ge->domain == d || ge->next == d))
			smmu_fault(&sm->f, ge, SMMU_EVENT_F_TRANSLATION,
				   run.iova, false);
	}
}

static void walk_start(struct kviommu_follow *f, struct kviommu_gdomain *d,
		       u64 first, u64 last)
{
	const struct smmu_key *key = smmu_key(d);
	struct kviommu_smmu *sm = to_smmu(f);
	u8 a = key->half[0].granule, b = key->half[1].granule;

	if (!first && !sm->above)
		look_above(sm, d);
	smmu_walk_start(&sm->walk, key, &f->reader.reader, first, last);
	/* Tables of two sizes are not told apart by what is known of them. */
	if ((key->flags & (SMMU_KEY_S1 | SMMU_KEY_S2)) !=
	    (SMMU_KEY_S1 | SMMU_KEY_S2) && (!a || !b || a == b))
		sm->walk.check = check_table;
}

static unsigned int walk_next(struct kviommu_follow *f,
			      struct kviommu_follow_walk *p)
{
	struct smmu_walk *w = &to_smmu(f)->walk;
	unsigned int n;

	w->budget = p->budget;
	n = smmu_walk_next(w, f->runs, ARRAY_SIZE(f->runs));
	p->next = w->next;
	p->budget = w->budget;
	p->done = w->done;
	p->changed = false;
	to_smmu(f)->global |= w->global;
	return n;
}

/* 6.3.15: what there is without translation */
static enum kviommu_state smmu_detached(const struct kviommu *v)
{
	return smmu_get32(&priv(v)->regs, SMMU_GBPA) & SMMU_GBPA_ABORT ?
	       KVIOMMU_BLOCKED : KVIOMMU_BYPASS;
}

/* ---- CR0 and GBPA ---- */

static void enable(struct kviommu_smmu *sm)
{
	sm->view.strtab = smmu_get64(&sm->regs, SMMU_STRTAB_BASE);
	sm->view.strtab_cfg = smmu_get32(&sm->regs, SMMU_STRTAB_BASE_CFG);
	sm->quiet = true;
	kviommu_follow_on(&sm->f);
}

/*
 * 6.3.9.6, 6.3.14: with the update all new transactions are aborted. A guest may
 * count on that for memory that it uses for something else then.
 */
static bool aborts(const struct kviommu_smmu *sm)
{
	return smmu_detached(sm->f.v) == KVIOMMU_BLOCKED;
}

static void disable(struct kviommu_smmu *sm)
{
	if (!aborts(sm)) {
		kviommu_follow_off(&sm->f);
		return;
	}
	kviommu_follow_reset(&sm->f);
	kviommu_event(sm->f.v, KVIOMMU_GUEST_ABORT);
}

static void gbpa_written(struct kviommu_smmu *sm)
{
	if (aborts(sm))
		kviommu_event(sm->f.v, KVIOMMU_GUEST_ABORT);
	else
		kviommu_follow_policy(&sm->f);
}

/* What is enabled for queues is at once; the rest when it has reached the host. */
static void cr0_written(struct kviommu_smmu *sm)
{
	u32 cr0 = smmu_get32(&sm->regs, SMMU_CR0);
	u32 ack = smmu_get32(&sm->regs, SMMU_CR0ACK);

	if (cr0 & SMMU_CR0_SMMUEN && !sm->f.on)
		enable(sm);
	else if (!(cr0 & SMMU_CR0_SMMUEN) && sm->f.on)
		disable(sm);
	if (!(cr0 & SMMU_CR0_CMDQEN)) {
		sm->fetched = false;
		sm->away = false;
	}
	smmu_set32(&sm->regs, SMMU_CR0ACK, (ack & SMMU_CR0_SMMUEN) |
					   (cr0 & ~SMMU_CR0_SMMUEN));
}

/* ---- work ---- */

static bool smmu_pending(const struct kviommu_follow *f)
{
	const struct smmu_regs *r = &to_smmu(f)->regs;

	return smmu_get32(r, SMMU_CR0) != smmu_get32(r, SMMU_CR0ACK);
}

static void smmu_drained(struct kviommu_follow *f)
{
	struct smmu_regs *r = &to_smmu(f)->regs;

	smmu_set32(r, SMMU_CR0ACK, smmu_get32(r, SMMU_CR0));
}

static void smmu_show_domain(const struct kviommu_gdomain *d,
			     struct seq_file *s)
{
	const struct smmu_key *key = smmu_key(d);

	seq_printf(s, " vmid %u", d->did >> 16);
	if (key->flags & SMMU_KEY_S1)
		seq_printf(s, " asid %u first 0x%llx 0x%llx", d->did & U16_MAX,
			   key->half[0].ttb, key->half[1].ttb);
	if (key->flags & SMMU_KEY_S2)
		seq_printf(s, " second 0x%llx", key->s2ttb);
}

/*
 * Errors of tables are told of when a device meets them: an SMMU has no events
 * for what it only looks at ahead. An ASID may have several tables while a guest
 * changes one for another, without that being wrong.
 */
static const struct kviommu_follow_ops smmu_follow_ops = {
	.step = smmu_command_step,
	.pending = smmu_pending,
	.drained = smmu_drained,
	.key_size = sizeof(struct smmu_key),
	.same = smmu_same,
	.lookup = smmu_lookup,
	.walk_start = walk_start,
	.walk_next = walk_next,
	.fault = smmu_fault,
	.host_fault = smmu_host_fault,
	.refused = smmu_refused,
	.lost = smmu_lost,
	.not_present = smmu_not_present,
	.is_away = smmu_is_away,
	.levels = smmu_levels,
	.show_domain = smmu_show_domain,
};

/* ---- registers ---- */

static void smmu_read(struct kviommu *v, u32 offset, void *buf, size_t len)
{
	__le64 val;

	/* Software looks again and again whether it is done. */
	if (unlikely(v->worker.dead))
		kviommu_work_all(v);
	val = cpu_to_le64(smmu_regs_read(&priv(v)->regs, offset, len));
	memcpy(buf, &val, len);
}

static void smmu_write(struct kviommu *v, u32 offset, const void *buf,
		       size_t len)
{
	struct kviommu_smmu *sm = priv(v);
	__le64 val = 0;
	u32 todo;

	memcpy(&val, buf, len);
	todo = smmu_regs_write(&sm->regs, offset, le64_to_cpu(val), len);
	if (todo & SMMU_WROTE_CR0)
		cr0_written(sm);
	if (todo & SMMU_WROTE_GBPA && !sm->f.on)
		gbpa_written(sm);
	if (todo)
		kviommu_follow_kick(&sm->f);
}

/* ---- life ---- */

static void pci_config(struct kviommu *v)
{
	static const u32 bar_size[] = { KVIOMMU_SMMUV3_BAR_SIZE, 0x1000 };
	struct kviommu_config *c = &v->config;

	kviommu_config_init(c, PCI_VENDOR_ID_REDHAT_QUMRANET, SMMU_PCI_DEVICE,
			    SMMU_PCI_CLASS, bar_size);
	c->space[PCI_INTERRUPT_PIN] = 0;
	kviommu_config_add_msix(c, 1, KVIOMMU_SMMUV3_VECTORS, 0, 0x800);
}

static int smmu_init(struct kviommu *v)
{
	struct kviommu_smmu *sm;
	int rc;

	sm = kvzalloc_obj(*sm);
	if (!sm)
		return -ENOMEM;
	rc = kviommu_follow_init(&sm->f, v, &smmu_follow_ops, SMMU_SLOTS);
	if (rc) {
		kvfree(sm);
		return rc;
	}
	pci_config(v);
	return 0;
}

static void smmu_exit(struct kviommu *v)
{
	struct kviommu_follow *f = v->model_priv;

	if (!f)
		return;
	kviommu_follow_exit(f);
	kvfree(to_smmu(f));
}

static void smmu_reset(struct kviommu *v)
{
	struct kviommu_smmu *sm = priv(v);

	smmu_idr(v, sm->idr);
	sm->view = (struct smmu_view){
		.idr0 = sm->idr[0], .idr1 = sm->idr[1], .idr5 = sm->idr[5],
	};
	smmu_regs_reset(&sm->regs, sm->idr, !v->boot_bypass);
	sm->fetched = false;
	sm->away = false;
	sm->above = false;
	kviommu_follow_reset(&sm->f);
	pci_config(v);
}

static int smmu_open(struct kviommu *v)
{
	struct kviommu_smmu *sm = priv(v);

	memset(&sm->count, 0, sizeof(sm->count));
	sm->global = false;
	smmu_reset(v);
	return kviommu_follow_open(&sm->f);
}

/* ---- debugfs ---- */

static void smmu_show_state(struct kviommu *v, struct seq_file *s)
{
	struct kviommu_smmu *sm = priv(v);
	const struct smmu_regs *r = &sm->regs;

	seq_printf(s, "cr0 0x%x cr0ack 0x%x\n", smmu_get32(r, SMMU_CR0),
		   smmu_get32(r, SMMU_CR0ACK));
	seq_printf(s, "gbpa 0x%x\n", smmu_get32(r, SMMU_GBPA));
	seq_printf(s, "gerror 0x%x\n", smmu_gerror(r));
	seq_printf(s, "strtab 0x%llx cfg 0x%x\n", sm->view.strtab,
		   sm->view.strtab_cfg);
	seq_printf(s, "translation %s\n", sm->f.on ? "on" : "off");
	seq_printf(s, "commands prod 0x%x cons 0x%x\n",
		   smmu_get32(r, SMMU_CMDQ_PROD), smmu_get32(r, SMMU_CMDQ_CONS));
	seq_printf(s, "events prod 0x%x cons 0x%x\n",
		   smmu_get32(r, SMMU_EVENTQ_PROD),
		   smmu_get32(r, SMMU_EVENTQ_CONS));
	seq_printf(s, "event_message 0x%llx 0x%x\n",
		   smmu_get64(r, SMMU_EVENTQ_IRQ_CFG0),
		   smmu_get32(r, SMMU_EVENTQ_IRQ_CFG1));
	seq_printf(s, "gerror_message 0x%llx 0x%x\n",
		   smmu_get64(r, SMMU_GERROR_IRQ_CFG0),
		   smmu_get32(r, SMMU_GERROR_IRQ_CFG1));
	kviommu_follow_show_state(&sm->f, s);
}

static void smmu_show_counters(struct kviommu *v, struct seq_file *s)
{
	static const char * const names[] = {
		[SMMU_CMD_PREFETCH_CONFIG]	= "prefetch_config",
		[SMMU_CMD_PREFETCH_ADDR]	= "prefetch_addr",
		[SMMU_CMD_CFGI_STE]		= "cfgi_ste",
		[SMMU_CMD_CFGI_STE_RANGE]	= "cfgi_ste_range",
		[SMMU_CMD_CFGI_CD]		= "cfgi_cd",
		[SMMU_CMD_CFGI_CD_ALL]		= "cfgi_cd_all",
		[SMMU_CMD_TLBI_NH_ALL]		= "tlbi_nh_all",
		[SMMU_CMD_TLBI_NH_ASID]		= "tlbi_nh_asid",
		[SMMU_CMD_TLBI_NH_VA]		= "tlbi_nh_va",
		[SMMU_CMD_TLBI_NH_VAA]		= "tlbi_nh_vaa",
		[SMMU_CMD_TLBI_S12_VMALL]	= "tlbi_s12_vmall",
		[SMMU_CMD_TLBI_S2_IPA]		= "tlbi_s2_ipa",
		[SMMU_CMD_TLBI_NSNH_ALL]	= "tlbi_nsnh_all",
		[SMMU_CMD_SYNC]			= "sync",
	};
	const struct smmu_counters *c = &priv(v)->count;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i])
			seq_printf(s, "cmd_%s %llu\n", names[i], c->commands[i]);
	seq_printf(s, "command_errors %llu\n", c->command_errors);
	seq_printf(s, "events %llu\n", c->events);
	seq_printf(s, "events_lost %llu\n", c->events_lost);
	kviommu_follow_show_counters(&priv(v)->f, s);
}

const struct kviommu_model kviommu_smmuv3_model = {
	.name = "smmuv3",
	.vectors = KVIOMMU_SMMUV3_VECTORS,
	/* A StreamID, as many as IDR1.SIDSIZE has bits */
	.max_id = U16_MAX,
	.late = "new mappings become visible only at the next TLBI, CFGI or SYNC",
	.init = smmu_init,
	.exit = smmu_exit,
	.open = smmu_open,
	.assigned = kviommu_follow_assigned,
	.close = kviommu_follow_close,
	.reset = smmu_reset,
	.read = smmu_read,
	.write = smmu_write,
	.resolve = kviommu_follow_resolve,
	.work = kviommu_follow_work,
	.detached = smmu_detached,
	.release = kviommu_follow_release,
	.leave = kviommu_follow_leave,
	.retry = kviommu_follow_retry,
	.for_each_shadow = kviommu_follow_each_shadow,
	.show_state = smmu_show_state,
	.show_domains = kviommu_follow_show_domains,
	.show_counters = smmu_show_counters,
	.domain_id = kviommu_follow_domain_id,
};
EXPORT_SYMBOL_IF_KUNIT(kviommu_smmuv3_model);
