// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command queue of the SMMUv3 model (chapter 4), and what its commands ask to
 * be looked at again.
 *
 * A guest need not invalidate what was not there before. So all of a domain is
 * looked at when its ASID or VMID is invalidated, or the configuration of a
 * stream that is in it; and all domains are with a CMD_SYNC that has had nothing
 * to wait for since the one before: a guest that has only mapped something can
 * make it visible by that.
 */
#include <linux/bitfield.h>
#include <linux/jiffies.h>
#include <linux/nospec.h>

#include <trace/events/kviommu.h>

#include "smmuv3.h"

/* ---- commands ---- */

/**
 * struct cmd_kind - when there is a command
 * @known: there is one
 * @sid: it has a StreamID, and so must not be for a secure one
 * @needs: all of these bits of IDR0
 */
struct cmd_kind {
	bool known;
	bool sid;
	u32 needs;
};

/*
 * ATC_INV, PRI_RESP, RESUME, STALL_TERM and those for EL2 and EL3 are illegal
 * here, since IDR0 has neither ATS, PRI, stalls nor Hyp (4.1.1).
 */
static const struct cmd_kind kinds[] = {
	[SMMU_CMD_PREFETCH_CONFIG]	= { .known = true, .sid = true },
	[SMMU_CMD_PREFETCH_ADDR]	= { .known = true, .sid = true },
	[SMMU_CMD_CFGI_STE]		= { .known = true, .sid = true },
	[SMMU_CMD_CFGI_STE_RANGE]	= { .known = true, .sid = true },
	[SMMU_CMD_CFGI_CD]		= { .known = true, .sid = true,
					    .needs = SMMU_IDR0_S1P },
	[SMMU_CMD_CFGI_CD_ALL]		= { .known = true, .sid = true,
					    .needs = SMMU_IDR0_S1P },
	[SMMU_CMD_TLBI_NH_ALL]	= { .known = true, .needs = SMMU_IDR0_S1P },
	[SMMU_CMD_TLBI_NH_ASID]	= { .known = true, .needs = SMMU_IDR0_S1P },
	[SMMU_CMD_TLBI_NH_VA]	= { .known = true, .needs = SMMU_IDR0_S1P },
	[SMMU_CMD_TLBI_NH_VAA]	= { .known = true, .needs = SMMU_IDR0_S1P },
	[SMMU_CMD_TLBI_S12_VMALL] = { .known = true, .needs = SMMU_IDR0_S2P },
	[SMMU_CMD_TLBI_S2_IPA]	= { .known = true, .needs = SMMU_IDR0_S2P },
	[SMMU_CMD_TLBI_NSNH_ALL] = { .known = true },
	[SMMU_CMD_SYNC]		= { .known = true },
};

/*
 * 4.4.1: a page, or with IDR3.RIL a range of them. One page of a granule needs a
 * level; 16 KiB have no blocks of level 1 without IDR5.DS, so that says nothing.
 */
static enum smmu_cerror decode_range(const u64 *words, u64 addr,
				     struct smmu_cmd *cmd)
{
	unsigned int tg = FIELD_GET(SMMU_TLBI1_TG, words[1]);
	unsigned int ttl = FIELD_GET(SMMU_TLBI1_TTL, words[1]);
	unsigned int scale = FIELD_GET(SMMU_TLBI0_SCALE, words[0]);
	u64 pages = FIELD_GET(SMMU_TLBI0_NUM, words[0]) + 1, size;
	unsigned int granule = 10 + 2 * tg;

	if (!tg) {
		cmd->first = addr;
		cmd->last = addr | (KVIOMMU_TABLE_SIZE - 1);
		return SMMU_CERROR_NONE;
	}
	if (ttl == 1 && granule == 14)
		ttl = 0;
	cmd->first = addr & ~(BIT_ULL(granule) - 1);
	size = pages << (scale + granule);
	if (pages == 1 && !scale) {
		if (!ttl)
			return SMMU_CERROR_ILL;
		/* It may be a block; the level says how large. */
		size = BIT_ULL(granule + (granule - 3) * (SMMU_LAST_LEVEL - ttl));
		cmd->first &= ~(size - 1);
	}
	if (check_add_overflow(cmd->first, size - 1, &cmd->last))
		cmd->last = U64_MAX;
	return SMMU_CERROR_NONE;
}

/**
 * smmu_decode() - check a command and take it apart (4.1)
 * @words: the command, two words
 * @idr: IDR0 to IDR5
 * @cmd: what it says
 *
 * Return: SMMU_CERROR_ILL, or SMMU_CERROR_NONE.
 */
enum smmu_cerror smmu_decode(const u64 *words, const u32 *idr,
			     struct smmu_cmd *cmd)
{
	unsigned int op = FIELD_GET(SMMU_CMD0_OP, words[0]);
	enum smmu_cerror rc = SMMU_CERROR_NONE;
	const struct cmd_kind *k;

	if (op >= ARRAY_SIZE(kinds))
		return SMMU_CERROR_ILL;
	op = array_index_nospec(op, ARRAY_SIZE(kinds));
	k = &kinds[op];
	if (!k->known || k->needs & ~idr[0] ||
	    (k->sid && words[0] & SMMU_CMD0_SSEC))
		return SMMU_CERROR_ILL;

	*cmd = (struct smmu_cmd){ .op = op };
	switch (op) {
	case SMMU_CMD_CFGI_STE_RANGE:
		cmd->range = FIELD_GET(SMMU_CFGI1_RANGE, words[1]);
		fallthrough;
	case SMMU_CMD_CFGI_STE:
	case SMMU_CMD_CFGI_CD:
	case SMMU_CMD_CFGI_CD_ALL:
		cmd->sid = FIELD_GET(SMMU_CMD0_SID, words[0]);
		return SMMU_CERROR_NONE;
	case SMMU_CMD_SYNC:
		cmd->cs = FIELD_GET(SMMU_SYNC0_CS, words[0]);
		cmd->data = FIELD_GET(SMMU_SYNC0_MSIDATA, words[0]);
		cmd->addr = words[1] & SMMU_SYNC1_MSIADDR;
		return cmd->cs > SMMU_SYNC_SEV ? SMMU_CERROR_ILL :
						 SMMU_CERROR_NONE;
	case SMMU_CMD_TLBI_NH_VA:
	case SMMU_CMD_TLBI_NH_VAA:
		rc = decode_range(words, words[1] & SMMU_TLBI1_VA, cmd);
		break;
	case SMMU_CMD_TLBI_S2_IPA:
		rc = decode_range(words, words[1] & SMMU_TLBI1_IPA, cmd);
		break;
	}
	/* Without a second stage all is of VMID 0. */
	if (idr[0] & SMMU_IDR0_S2P)
		cmd->vmid = FIELD_GET(SMMU_TLBI0_VMID, words[0]);
	cmd->asid = FIELD_GET(SMMU_TLBI0_ASID, words[0]);
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(smmu_decode);

/* ---- what a command is for ---- */

/* 4.3: streams whose configuration may be another one */
static void config_changed(struct kviommu_smmu *sm, const struct smmu_cmd *cmd)
{
	u64 mask = cmd->op == SMMU_CMD_CFGI_STE_RANGE ?
		   (2ULL << cmd->range) - 1 : 0;
	struct kviommu_gendpoint *ge;
	struct kviommu_endpoint *ep;
	unsigned long id;

	xa_for_each(&sm->f.v->endpoints, id, ep) {
		ge = kviommu_gendpoint(ep);
		if (!ge || ((u32)id ^ cmd->sid) & ~mask)
			continue;
		kviommu_recheck(&sm->f, ge);
		if (ge->domain)
			kviommu_mark(&sm->f, ge->domain, 0, U64_MAX);
		/* What of it was walked by now may be older than the command. */
		if (ge->next)
			kviommu_mark(&sm->f, ge->next, 0, U64_MAX);
	}
}

/*
 * The addresses of a command, with all of the page that was, or can be, there: a
 * block is invalidated by any address in it (4.4).
 */
static bool mark_range(struct kviommu_smmu *sm, struct kviommu_gdomain *d,
		       const struct smmu_cmd *cmd)
{
	const struct smmu_key *key = smmu_key(d);
	u64 mask = BIT_ULL(smmu_leaf_shift(key)) - 1;
	u64 first = cmd->first & ~mask, last = cmd->last | mask;
	const struct smmu_half *h = &key->half[first >> 55 & 1];

	if (key->flags & SMMU_KEY_S1 && h->tbi) {
		first = (u64)((s64)(first << 8) >> 8);
		last = (first + (cmd->last - cmd->first)) | mask;
		if (last < first)
			last = U64_MAX;
	}
	kviommu_shadow_leaves(&d->shadow, &first, &last);
	return kviommu_mark(&sm->f, d, first, last);
}

static bool mark_domain(struct kviommu_smmu *sm, struct kviommu_gdomain *d,
			const struct smmu_cmd *cmd)
{
	u8 flags = smmu_key(d)->flags;

	switch (cmd->op) {
	case SMMU_CMD_TLBI_NH_ALL:
	case SMMU_CMD_TLBI_NH_ASID:
		return !(flags & SMMU_KEY_S1) ||
		       kviommu_mark(&sm->f, d, 0, U64_MAX);
	case SMMU_CMD_TLBI_NH_VA:
	case SMMU_CMD_TLBI_NH_VAA:
		return !(flags & SMMU_KEY_S1) || mark_range(sm, d, cmd);
	case SMMU_CMD_TLBI_S2_IPA:
		if (!(flags & SMMU_KEY_S2))
			return true;
		/* Any address of the first stage may lead there. */
		if (!(flags & SMMU_KEY_S1))
			return mark_range(sm, d, cmd);
		fallthrough;
	default:
		return kviommu_mark(&sm->f, d, 0, U64_MAX);
	}
}

/*
 * Mark all domains with a VMID, or only those with an ASID, too. By address, that
 * is for pages of all ASIDs as well (4.4.2.4), which most guests don't have.
 */
static bool mark_domains(struct kviommu_smmu *sm, const struct smmu_cmd *cmd)
{
	bool asid = cmd->op == SMMU_CMD_TLBI_NH_ASID ||
		    (cmd->op == SMMU_CMD_TLBI_NH_VA && !sm->global);
	u32 did = (u32)cmd->vmid << 16 | cmd->asid;
	struct kviommu_gdomain *d;
	bool ok = true;

	if (asid) {
		for (d = xa_load(&sm->f.by_did, did); d; d = d->sibling)
			ok &= mark_domain(sm, d, cmd);
		return ok;
	}
	/* There are two for an endpoint at most. */
	list_for_each_entry(d, &sm->f.domains, node)
		if (cmd->op == SMMU_CMD_TLBI_NSNH_ALL ||
		    d->did >> 16 == cmd->vmid)
			ok &= mark_domain(sm, d, cmd);
	return ok;
}

/* Returns false if what is marked has to be done first, and this again. */
static bool do_command(struct kviommu_smmu *sm, const struct smmu_cmd *cmd)
{
	/* Else nothing is cached, and memory of old tables may be anything. */
	if (!sm->f.on)
		return true;
	switch (cmd->op) {
	case SMMU_CMD_PREFETCH_CONFIG:
	case SMMU_CMD_PREFETCH_ADDR:
		return true;
	case SMMU_CMD_CFGI_STE:
	case SMMU_CMD_CFGI_STE_RANGE:
	case SMMU_CMD_CFGI_CD:
	case SMMU_CMD_CFGI_CD_ALL:
		config_changed(sm, cmd);
		break;
	default:
		if (!mark_domains(sm, cmd))
			return false;
	}
	sm->quiet = false;
	return true;
}

/*
 * How long the memory of a message is waited for, ms. VMMs take some away and map
 * it back while a guest's CPUs run.
 */
#define AWAY_MS		1000

static bool wait_for_memory(struct kviommu_smmu *sm)
{
	if (!sm->away)
		sm->give_up = jiffies + msecs_to_jiffies(AWAY_MS);
	sm->away = time_before(jiffies, sm->give_up);
	return sm->away;
}

/*
 * What is known to be memory: what can't be written is, and the queue itself, where
 * drivers poll for messages.
 */
static bool is_memory(u64 addr, int rc, const struct smmu_queue *q)
{
	return rc == -EPERM || addr - q->gpa < (u64)SMMU_CMD_SIZE << q->log2;
}

/*
 * 4.7.3. A message to what is no memory is the VMM's, as it can find in CMD_SYNC.
 * One that memory does not take has aborted, and the command is complete (7.5).
 * Returns false if it is to be tried again.
 */
static bool sync_done(struct kviommu_smmu *sm, const struct smmu_cmd *cmd,
		      const struct smmu_queue *q)
{
	__le32 data = cpu_to_le32(cmd->data);
	int rc;

	/* The guest may read and write what was unmapped from now on. */
	kviommu_flush_all(sm->f.v);
	if (cmd->cs != SMMU_SYNC_IRQ)
		return true;
	if (cmd->addr) {
		rc = kviommu_gmem_copy(&sm->f.v->gmem, cmd->addr, &data,
				       sizeof(data), true);
		if (!rc)
			return true;
		if (is_memory(cmd->addr, rc, q)) {
			if (rc != -EPERM && wait_for_memory(sm))
				return false;
			smmu_error(sm, SMMU_GERROR_MSI_CMDQ_ABT);
			return true;
		}
	}
	kviommu_irq_msix(sm->f.v, KVIOMMU_SMMUV3_SYNC_VECTOR);
	return true;
}

/* ---- the queue ---- */

static enum smmu_cerror fetch(struct kviommu_smmu *sm,
			      const struct smmu_queue *q)
{
	u64 gpa = smmu_queue_entry(q, q->cons, SMMU_CMD_SIZE);
	__le64 raw[SMMU_CMD_WORDS];
	u64 words[SMMU_CMD_WORDS];
	enum smmu_cerror rc;
	unsigned int i;

	if (kviommu_gmem_copy(&sm->f.v->gmem, gpa, raw, sizeof(raw), false))
		return SMMU_CERROR_ABT;
	for (i = 0; i < ARRAY_SIZE(raw); i++)
		words[i] = le64_to_cpu(raw[i]);
	rc = smmu_decode(words, sm->idr, &sm->cmd);
	trace_kviommu_smmuv3_command(kviommu_dev(sm->f.v), words[0], words[1],
				     rc);
	if (rc)
		return rc;
	sm->count.commands[sm->cmd.op]++;
	sm->fetched = true;
	return SMMU_CERROR_NONE;
}

/**
 * smmu_command_step() - see kviommu_follow_ops::step
 * @f: the model's
 *
 * Commands are done in order. A CMD_SYNC is done when nothing is marked any more.
 * After an error, CMDQ_CONS stays at the command until it is acknowledged (7.1).
 *
 * Return: what came of it.
 */
enum kviommu_step smmu_command_step(struct kviommu_follow *f)
{
	struct kviommu_smmu *sm = to_smmu(f);
	struct smmu_regs *r = &sm->regs;
	struct smmu_queue q;
	enum smmu_cerror rc;

	if (!(smmu_get32(r, SMMU_CR0ACK) & SMMU_CR0_CMDQEN) ||
	    smmu_gerror(r) & SMMU_GERROR_CMDQ)
		return KVIOMMU_STEP_IDLE;
	smmu_regs_queue(r, SMMU_CMDQ_BASE, SMMU_CMDQ_PROD, SMMU_MAX_CMDQ,
			SMMU_CMD_SIZE, &q);
	if (!sm->fetched) {
		if (q.prod == q.cons)
			return KVIOMMU_STEP_IDLE;
		rc = fetch(sm, &q);
		if (rc) {
			sm->count.command_errors++;
			smmu_set32(r, SMMU_CMDQ_CONS,
				   q.cons | FIELD_PREP(SMMU_CMDQ_CONS_ERR, rc));
			smmu_error(sm, SMMU_GERROR_CMDQ);
			return KVIOMMU_STEP_IDLE;
		}
		if (sm->cmd.op == SMMU_CMD_SYNC && sm->quiet && sm->f.on)
			kviommu_mark_all(&sm->f);
	}
	if (sm->cmd.op == SMMU_CMD_SYNC) {
		if (!kviommu_follow_idle(&sm->f))
			return KVIOMMU_STEP_DRAIN;
		if (!sync_done(sm, &sm->cmd, &q))
			return KVIOMMU_STEP_AWAY;
		sm->away = false;
		sm->quiet = true;
	} else if (!do_command(sm, &sm->cmd)) {
		return KVIOMMU_STEP_DRAIN;
	}
	sm->f.credits -= KVIOMMU_CREDITS_DESC;
	sm->fetched = false;
	smmu_set32(r, SMMU_CMDQ_CONS, (q.cons + 1) & smmu_queue_mask(&q));
	return KVIOMMU_STEP_DONE;
}
