// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidations of the VT-d model: the queue with its descriptors (6.5.2), and
 * what both the queue and the registers ask to be looked at again.
 *
 * With CAP.CM set the guest invalidates for each change, also for what was not
 * present before (6.1). A cache of hardware holds that with domain id 0; here an
 * endpoint whose entries were not found counts for domain id 0.
 */
#include <linux/bitfield.h>
#include <linux/nospec.h>

#include <trace/events/kviommu.h>

#include "vtd.h"

/* Four words are read; the last two are reserved, or software's own. */
#define MAX_WORDS	4

/*
 * How long memory of the queue, or of a status, is waited for, ms. VMMs take
 * some away and map it back while a guest's CPUs run.
 */
#define AWAY_MS		1000

/* ---- what an invalidation is for ---- */

/* 6.5.2.1. Of a device: requester ids that are equal but for masked bits. */
static void inval_context(struct kviommu_vtd *vt, const struct vtd_inv *inv)
{
	/* In scalable mode a context entry has no domain id: all of them then. */
	bool by_did = inv->gran == VTD_GRAN_DOMAIN && !vtd_scalable(&vt->view);
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	unsigned long id;

	xa_for_each(&vt->f.v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (!ge)
			continue;
		if (by_did && ge->did != inv->did)
			continue;
		if (inv->gran == VTD_GRAN_DEVICE &&
		    ((u16)id ^ inv->sid) & ~inv->fm)
			continue;
		kviommu_recheck(&vt->f, ge);
	}
}

/*
 * 6.5.2.2. What PASID a requester without one has stands in its context entry,
 * so any of the domain may be meant; and those whose entry was not there before
 * are in no domain yet.
 */
static void inval_pasid(struct kviommu_vtd *vt, const struct vtd_inv *inv)
{
	struct kviommu_endpoint *ep;
	struct kviommu_gendpoint *ge;
	unsigned long id;

	if (!vtd_scalable(&vt->view))
		return;
	xa_for_each(&vt->f.v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (ge && (inv->gran == VTD_PC_G_GLOBAL || !ge->did ||
			   ge->did == inv->did))
			kviommu_recheck(&vt->f, ge);
	}
}

/*
 * 6.5.2.3 and 6.5.2.4, tables 23 and 24. Pages are addresses of one stage: those
 * of the second say nothing of where they are in the first, so that all of a
 * domain with a first stage may be meant; those of the first are nothing to a
 * domain without one.
 */
static bool inval_iotlb(struct kviommu_vtd *vt, const struct vtd_inv *inv)
{
	bool fs = inv->type == VTD_DESC_PIOTLB, ok = true;
	struct kviommu_gdomain *d;

	if (inv->gran == VTD_GRAN_GLOBAL) {
		kviommu_mark_all(&vt->f);
		return true;
	}
	for (d = xa_load(&vt->f.by_did, inv->did); d; d = d->sibling) {
		if (inv->gran != VTD_GRAN_PAGE || (!fs && vtd_key(d)->fs_levels))
			ok &= kviommu_mark(&vt->f, d, 0, U64_MAX);
		else if (fs == !!vtd_key(d)->fs_levels)
			ok &= kviommu_mark(&vt->f, d, inv->first, inv->last);
	}
	return ok;
}

/**
 * vtd_invalidate() - mark what an invalidation is for
 * @vt: model
 * @inv: invalidation; kinds that have nothing to be looked at do nothing:
 *	 the host itself invalidates the TLBs of its devices, and there is no
 *	 page request here
 *
 * Return: false if what is marked has to be done first, and this again.
 */
bool vtd_invalidate(struct kviommu_vtd *vt, const struct vtd_inv *inv)
{
	/* Then nothing is cached, and memory of old tables may be anything. */
	if (!vt->f.on)
		return true;
	switch (inv->type) {
	case VTD_DESC_CC:
		inval_context(vt, inv);
		return true;
	case VTD_DESC_PC:
		inval_pasid(vt, inv);
		return true;
	case VTD_DESC_IOTLB:
	case VTD_DESC_PIOTLB:
		return inval_iotlb(vt, inv);
	default:
		return true;
	}
}

/* ---- descriptors ---- */

#define TYPE_BITS	(VTD_DESC_TYPE_LO | VTD_DESC_TYPE_HI)
#define PAGE_BITS	(VTD_IOTLB1_AM | VTD_IOTLB1_IH | VTD_IOTLB1_ADDR)

/**
 * struct desc_kind - what a descriptor may look like
 * @words: bits that may be set, for each word. PFSID is reserved without
 *	   ECAP.DIT, and PD of a wait descriptor without ECAP.PDS
 * @wide: only in a queue of 256-bit descriptors, and not in legacy mode
 * @needs: of ECAP
 */
struct desc_kind {
	u64 words[MAX_WORDS];
	bool wide;
	u64 needs;
};

static const struct desc_kind kinds[] = {
	[VTD_DESC_CC] = {
		.words = { TYPE_BITS | VTD_CC0_G | VTD_CC0_DID | VTD_CC0_SID |
			   VTD_CC0_FM },
	},
	[VTD_DESC_IOTLB] = {
		.words = { TYPE_BITS | VTD_IOTLB0_G | VTD_IOTLB0_DW |
			   VTD_IOTLB0_DR | VTD_IOTLB0_DID, PAGE_BITS },
	},
	[VTD_DESC_DEVTLB] = {
		.words = { TYPE_BITS | VTD_DEVTLB0_MIP | VTD_DEVTLB0_SID,
			   VTD_DEVTLB1_S | VTD_DEVTLB1_ADDR },
		.needs = VTD_ECAP_DT,
	},
	[VTD_DESC_IEC] = {
		.words = { TYPE_BITS | VTD_IEC0_G | VTD_IEC0_IM |
			   VTD_IEC0_IIDX },
	},
	[VTD_DESC_WAIT] = {
		.words = { TYPE_BITS | VTD_WAIT0_IF | VTD_WAIT0_SW |
			   VTD_WAIT0_FN | VTD_WAIT0_DATA,
			   VTD_WAIT1_ADDR },
	},
	[VTD_DESC_PIOTLB] = {
		.words = { TYPE_BITS | VTD_PIOTLB0_G | VTD_PIOTLB0_DID |
			   VTD_PIOTLB0_PASID, PAGE_BITS },
		.wide = true,
		.needs = VTD_ECAP_SMTS,
	},
	[VTD_DESC_PC] = {
		.words = { TYPE_BITS | VTD_PC0_G | VTD_PC0_DID |
			   VTD_PC0_PASID },
		.wide = true,
		.needs = VTD_ECAP_SMTS,
	},
	[VTD_DESC_PDEVTLB] = {
		.words = { TYPE_BITS | VTD_PDEVTLB0_MIP |
			   VTD_PDEVTLB0_SID | VTD_PDEVTLB0_PASID,
			   VTD_PDEVTLB1_G | VTD_PDEVTLB1_S |
			   VTD_PDEVTLB1_ADDR },
		.wide = true,
		.needs = VTD_ECAP_SMTS | VTD_ECAP_DT,
	},
	[VTD_DESC_PGRESP] = {
		/* The last two words are what the request had: anything. */
		.words = { TYPE_BITS | VTD_PGRESP0_PP | VTD_PGRESP0_PDP |
			   VTD_PGRESP0_RC | VTD_PGRESP0_RID |
			   VTD_PGRESP0_PASID,
			   VTD_PGRESP1_LPIG | VTD_PGRESP1_PRGI,
			   U64_MAX, U64_MAX },
		.wide = true,
		.needs = VTD_ECAP_SMTS,
	},
};

/* Table 22: 2^AM pages, aligned to that */
static void decode_pages(u64 word, struct vtd_inv *inv)
{
	unsigned int am = FIELD_GET(VTD_IOTLB1_AM, word);
	u64 mask = am < 64 - VTD_PAGE_SHIFT ? (VTD_PAGE_SIZE << am) - 1 : U64_MAX;

	inv->first = word & VTD_IOTLB1_ADDR & ~mask;
	inv->last = inv->first | mask;
}

/* 6.5.2.3: address bits from MGAW on are ignored; false if AM is too large. */
static bool decode_ss_pages(u64 word, const struct vtd_view *view,
			    struct vtd_inv *inv)
{
	unsigned int mgaw = FIELD_GET(VTD_CAP_MGAW, view->cap);

	decode_pages(word & GENMASK_ULL(mgaw, 0), inv);
	return FIELD_GET(VTD_IOTLB1_AM, word) <=
	       FIELD_GET(VTD_CAP_MAMV, view->cap);
}

/* FM says how many of the function's bits, from the highest, don't count. */
static u8 function_mask(unsigned int fm)
{
	static const u8 mask[] = { 0, 4, 6, 7 };

	return mask[fm];
}

static unsigned int type_of(u64 word)
{
	return FIELD_GET(VTD_DESC_TYPE_LO, word) |
	       FIELD_GET(VTD_DESC_TYPE_HI, word) << 4;
}

/**
 * vtd_desc_name() - what a kind of descriptor is called in traces and counters
 * @type: enum vtd_desc_type, or any other number
 */
const char *vtd_desc_name(unsigned int type)
{
	static const char * const names[] = {
		[VTD_DESC_CC]		= "context",
		[VTD_DESC_IOTLB]	= "iotlb",
		[VTD_DESC_DEVTLB]	= "devtlb",
		[VTD_DESC_IEC]		= "iec",
		[VTD_DESC_WAIT]		= "wait",
		[VTD_DESC_PIOTLB]	= "piotlb",
		[VTD_DESC_PC]		= "pasid",
		[VTD_DESC_PDEVTLB]	= "pdevtlb",
		[VTD_DESC_PGRESP]	= "pgresp",
	};

	if (!type || type >= ARRAY_SIZE(names))
		return "unknown";
	return names[array_index_nospec(type, ARRAY_SIZE(names))];
}

/**
 * vtd_decode() - check a descriptor and take it apart (6.5.2)
 * @words: the descriptor, two or four words
 * @wide: it has four
 * @view: registers
 * @inv: what it says
 *
 * Return: what is wrong with it, or VTD_IQEI_NONE.
 */
enum vtd_iqei vtd_decode(const u64 *words, bool wide,
			 const struct vtd_view *view, struct vtd_inv *inv)
{
	unsigned int type = type_of(words[0]);
	const struct desc_kind *k;
	unsigned int i;

	if (!type || type >= ARRAY_SIZE(kinds))
		return VTD_IQEI_TYPE;
	k = &kinds[array_index_nospec(type, ARRAY_SIZE(kinds))];
	/* Table 26 */
	if ((k->wide && (!wide || FIELD_GET(VTD_RTADDR_TTM, view->rtaddr) ==
				  VTD_TTM_LEGACY)) ||
	    k->needs & ~view->ecap)
		return VTD_IQEI_TYPE;
	for (i = 0; i < (wide ? 4 : 2); i++)
		if (words[i] & ~k->words[i])
			return VTD_IQEI_RESERVED;

	*inv = (struct vtd_inv){ .type = type };
	switch (type) {
	case VTD_DESC_CC:
		inv->gran = FIELD_GET(VTD_CC0_G, words[0]);
		inv->did = FIELD_GET(VTD_CC0_DID, words[0]);
		inv->sid = FIELD_GET(VTD_CC0_SID, words[0]);
		inv->fm = function_mask(FIELD_GET(VTD_CC0_FM, words[0]));
		return inv->gran ? VTD_IQEI_NONE : VTD_IQEI_RESERVED;
	case VTD_DESC_IOTLB:
		inv->gran = FIELD_GET(VTD_IOTLB0_G, words[0]);
		inv->did = FIELD_GET(VTD_IOTLB0_DID, words[0]);
		if (!inv->gran || (inv->gran == VTD_GRAN_PAGE &&
				   !decode_ss_pages(words[1], view, inv)))
			return VTD_IQEI_RESERVED;
		return VTD_IQEI_NONE;
	case VTD_DESC_WAIT:
		/* Bits from HAW on are ignored. */
		inv->addr = words[1] & GENMASK_ULL(view->haw - 1, 0);
		inv->flags = words[0];
		inv->data = FIELD_GET(VTD_WAIT0_DATA, words[0]);
		return VTD_IQEI_NONE;
	case VTD_DESC_PIOTLB:
		inv->gran = FIELD_GET(VTD_PIOTLB0_G, words[0]);
		inv->did = FIELD_GET(VTD_PIOTLB0_DID, words[0]);
		/* With any address mask: MAMV is not for it (11.4.2). */
		decode_pages(words[1], inv);
		return inv->gran < VTD_PIOTLB_G_PASID ? VTD_IQEI_RESERVED :
							VTD_IQEI_NONE;
	case VTD_DESC_PC:
		inv->gran = FIELD_GET(VTD_PC0_G, words[0]);
		inv->did = FIELD_GET(VTD_PC0_DID, words[0]);
		return inv->gran == 2 ? VTD_IQEI_RESERVED : VTD_IQEI_NONE;
	default:
		return VTD_IQEI_NONE;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vtd_decode);

/* ---- the queue ---- */

/**
 * vtd_queue_enable() - GCMD.QIE has changed
 * @vt: model
 * @on: which
 *
 * Where the queue is, is taken over; without it the head is 0 (11.4.9.1).
 */
void vtd_queue_enable(struct kviommu_vtd *vt, bool on)
{
	u64 iqa = vtd_get64(&vt->regs, VTD_IQA);

	vt->queue = (struct vtd_queue){
		.base = iqa & VTD_IQA_IQA,
		.size = VTD_PAGE_SIZE << FIELD_GET(VTD_IQA_QS, iqa),
		.width = iqa & VTD_IQA_DW ? 32 : 16,
	};
	vtd_set64(&vt->regs, VTD_IQH, 0);
}

/*
 * 11.4.9.9. Descriptors of 256 bits are there in legacy mode, too, since the unit
 * has the mode to abort DMA (ECAP.ADMS).
 */
static enum vtd_iqei check_queue(struct kviommu_vtd *vt, u32 tail)
{
	const struct vtd_queue *q = &vt->queue;
	bool wide = q->width == 32;

	switch (FIELD_GET(VTD_RTADDR_TTM, vt->view.rtaddr)) {
	case VTD_TTM_LEGACY:
		break;
	case VTD_TTM_SCALABLE:
		if (!(vt->view.ecap & VTD_ECAP_SMTS))
			return VTD_IQEI_TTM;
		if (!wide)
			return VTD_IQEI_WIDTH;
		break;
	case VTD_TTM_ABORT_DMA:
		if (!wide)
			return VTD_IQEI_WIDTH;
		break;
	default:
		return VTD_IQEI_TTM;
	}
	if (tail % q->width)
		return VTD_IQEI_MISALIGNED;
	return tail < q->size ? VTD_IQEI_NONE : VTD_IQEI_TAIL;
}

static enum vtd_iqei fetch(struct kviommu_vtd *vt)
{
	struct vtd_queue *q = &vt->queue;
	__le64 raw[MAX_WORDS];
	u64 words[MAX_WORDS];
	enum vtd_iqei rc;
	unsigned int i;

	if (kviommu_gmem_copy(&vt->f.v->gmem, q->base + q->head, raw, q->width,
			      false))
		return VTD_IQEI_FETCH;
	for (i = 0; i < q->width / sizeof(*raw); i++)
		words[i] = le64_to_cpu(raw[i]);
	rc = vtd_decode(words, q->width == 32, &vt->view, &q->inv);
	trace_kviommu_vtd_inv(kviommu_dev(vt->f.v),
			      vtd_desc_name(type_of(words[0])), words[0],
			      words[1], rc);
	if (rc)
		return rc;
	q->fetched = true;
	vt->count.desc[q->inv.type]++;
	return VTD_IQEI_NONE;
}

/* Some guest memory is not there: is it to be waited for? */
static bool wait_for_memory(struct vtd_queue *q)
{
	if (!q->away)
		q->give_up = jiffies + msecs_to_jiffies(AWAY_MS);
	q->away = time_before(jiffies, q->give_up);
	return q->away;
}

static int write_status(struct kviommu_vtd *vt, const struct vtd_inv *inv)
{
	__le32 data = cpu_to_le32(inv->data), *p;

	p = kviommu_gmem_ptr(&vt->f.v->gmem, inv->addr, sizeof(*p), true);
	if (!p)
		return kviommu_gmem_copy(&vt->f.v->gmem, inv->addr, &data,
					 sizeof(data), true);
	/* Behind what the guest may find changed by then */
	smp_store_release(p, data);
	return 0;
}

/*
 * 6.5.2.9. False if the status has no place just now. To an address that stays
 * without memory, what happens is not defined: nothing, as on a bus.
 */
static bool wait_done(struct kviommu_vtd *vt, struct vtd_queue *q)
{
	const struct vtd_inv *inv = &q->inv;
	int rc = 0;

	/* The guest may read and write what was unmapped from now on. */
	kviommu_flush_all(vt->f.v);
	if (inv->flags & VTD_WAIT0_SW)
		rc = write_status(vt, inv);
	/* Read-only memory is there. */
	if (rc && rc != -EPERM && wait_for_memory(q))
		return false;
	vt->count.lost_status += !!rc;
	if (inv->flags & VTD_WAIT0_IF)
		vtd_send(vt, vtd_wait_complete(&vt->regs));
	return true;
}

/**
 * vtd_queue_step() - see kviommu_follow_ops::step
 * @f: the model's
 *
 * Descriptors are done in order. One that has to wait for those before it, with
 * or without its fence flag, is done when nothing is marked any more.
 *
 * Return: what came of it.
 */
enum kviommu_step vtd_queue_step(struct kviommu_follow *f)
{
	struct kviommu_vtd *vt = to_vtd(f);
	struct vtd_queue *q = &vt->queue;
	u32 tail = vtd_get32(&vt->regs, VTD_IQT);
	enum vtd_iqei rc;

	if (!(vtd_get32(&vt->regs, VTD_GSTS) & VTD_GCMD_QIE) ||
	    vtd_get32(&vt->regs, VTD_FSTS) & VTD_FSTS_QUEUE_STOPS)
		return KVIOMMU_STEP_IDLE;
	if (!q->fetched) {
		if (q->head == tail)
			return KVIOMMU_STEP_IDLE;
		rc = check_queue(vt, tail) ?: fetch(vt);
		if (rc == VTD_IQEI_FETCH && wait_for_memory(q))
			return KVIOMMU_STEP_AWAY;
		q->away = false;
		if (rc) {
			vt->count.queue_errors++;
			vtd_send(vt, vtd_queue_error(&vt->regs, rc));
			return KVIOMMU_STEP_IDLE;
		}
	}
	if (q->inv.type == VTD_DESC_WAIT) {
		if (!kviommu_follow_idle(&vt->f))
			return KVIOMMU_STEP_DRAIN;
		if (!wait_done(vt, q))
			return KVIOMMU_STEP_AWAY;
		q->away = false;
	} else if (q->inv.type == VTD_DESC_IEC) {
		/* A VMM that remaps interrupts has entries to read again. */
		kviommu_irq_msix(vt->f.v, KVIOMMU_VTD_IEC_VECTOR);
	} else if (!vtd_invalidate(vt, &q->inv)) {
		return KVIOMMU_STEP_DRAIN;
	}
	vt->f.credits -= KVIOMMU_CREDITS_DESC;
	q->fetched = false;
	q->head = (q->head + q->width) & (q->size - 1);
	vtd_set64(&vt->regs, VTD_IQH, q->head);
	return KVIOMMU_STEP_DONE;
}
