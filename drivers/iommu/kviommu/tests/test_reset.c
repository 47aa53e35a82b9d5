// SPDX-License-Identifier: GPL-2.0-only
/*
 * All orders of events: what a VMM, its death, a guest and its devices may do, one
 * after the other, with the real models and transitions. What a device really
 * reaches, the mocks know; what it must and must not reach follows here from the
 * history alone.
 *
 * States that look the same from the inside, with the same history as far as that
 * matters, are one. In each of them each event is tried: that is all orders, of
 * any length.
 */
#include "guest.h"
#include "smmuv3/smmuv3.h"
#include "vtd_guest.h"

#define MAX_STATES	32768
/* Two devices have many more states. With KASAN events take their time. */
#define SOME_EVENTS	(IS_ENABLED(CONFIG_KASAN) ? 1500 : 1000000)
/* What has still more states is only begun with. */
#define FIRST_EVENTS	(IS_ENABLED(CONFIG_KASAN) ? 1500 : 200000)
#define NR_DEVS		2

static unsigned int events;
module_param(events, uint, 0444);
MODULE_PARM_DESC(events, "end each variant of reset_all_orders after so many (0: as they say)");

#define PT		7	/* the VMM's page table */
#define IOVA		0x40000000ULL
#define DATA		GUEST_FREE

/* Of a guest with an SMMUv3: where its tables and queues are */
#define STRTAB		0x10000
#define CMDQ		0x20000
#define CMDQ_LOG2	8
#define EVENTQ		0x21000
#define EVENTQ_LOG2	3
#define CD		0x22000
#define TABLES		0x23000		/* one for each level */

enum event {
	OPEN,
	CLOSE,
	MEMORY,
	NO_MEMORY,
	SYSTEM_RESET,
	DEADLINE,
	SUSPEND,
	/* of the guest */
	START,
	STOP,
	TRANSLATE,
	PASS,
	NOTHING,
	BYPASS,
	/* of a device: these, times the number of devices */
	BIND,
	UNBIND,
	ATTACH,
	DETACH,
	MASTER,
	NO_MASTER,
	RESET,
	NR_EVENTS,
};

#define PER_DEV		(NR_EVENTS - BIND)
#define MAX_EVENTS	(BIND + NR_DEVS * PER_DEV)

static const char * const event_names[] = {
	"open", "close", "memory", "no memory", "system reset", "deadline",
	"suspend", "guest start", "guest stop", "translate", "pass", "nothing",
	"bypass", "bind", "unbind", "attach", "detach", "master", "no master", "reset",
};

struct variant {
	const char *name;
	bool vtd;
	bool smmu;
	bool no_boot_bypass;
	bool no_wait;
	bool no_reset;
	bool no_stop;
	unsigned int devs;
	unsigned int limit;
};

static const struct variant variants[] = {
	{ "virtio", .devs = 1 },
	{ "virtio, boot_bypass 0", .no_boot_bypass = true, .devs = 1,
	  .limit = SOME_EVENTS },
	{ "virtio, quiesce_ms 0", .no_wait = true, .devs = 1,
	  .limit = SOME_EVENTS },
	{ "virtio, two in a group", .devs = 2, .limit = SOME_EVENTS },
	{ "virtio, boot_bypass 0, two in a group", .no_boot_bypass = true,
	  .devs = 2, .limit = SOME_EVENTS },
	{ "virtio, no reset", .no_reset = true, .devs = 1,
	  .limit = SOME_EVENTS },
	{ "virtio, no reset, no bus master bit", .no_reset = true,
	  .no_stop = true, .devs = 1, .limit = SOME_EVENTS },
	{ "virtio, no reset, two in a group", .no_reset = true, .devs = 2,
	  .limit = FIRST_EVENTS },
	{ "vtd", .vtd = true, .devs = 1 },
	{ "vtd, boot_bypass 0", .vtd = true, .no_boot_bypass = true, .devs = 1,
	  .limit = SOME_EVENTS },
	{ "vtd, two in a group", .vtd = true, .devs = 2,
	  .limit = SOME_EVENTS },
	{ "vtd, boot_bypass 0, two in a group", .vtd = true,
	  .no_boot_bypass = true, .devs = 2, .limit = SOME_EVENTS },
	{ "smmuv3", .smmu = true, .devs = 1, .limit = SOME_EVENTS },
	{ "smmuv3, boot_bypass 0", .smmu = true, .no_boot_bypass = true,
	  .devs = 1, .limit = SOME_EVENTS },
	{ "smmuv3, two in a group", .smmu = true, .devs = 2,
	  .limit = FIRST_EVENTS },
};

KUNIT_ARRAY_PARAM_DESC(variant, variants, name);

/**
 * struct history - of a device, what counts of it
 * @old: it has mastered the bus while its group was translated, was not reset since,
 *	 and its group was not in bypass
 * @dirty: what it does DMA to are addresses of translations that were reset, or
 *	   dropped, while it was mastering the bus, or of a VMM that is gone, and it
 *	   was not reset since
 * @busy: it is to be waited for
 * @clean: it was reset since the hold began
 */
struct history {
	bool old;
	bool dirty;
	bool busy;
	bool clean;
};

#define UNTRIED		0xffff
#define IMPOSSIBLE	0xfffe

/* A state, and which one each event leads to */
struct node {
	unsigned long key;
	u16 next[MAX_EVENTS];
};

/*
 * For the next state with something untried
 * @from: state that each was found from, and @by which event; UNTRIED: not found
 * @queue: the ones that were found
 */
struct search {
	u16 from[MAX_STATES];
	u16 queue[MAX_STATES];
	unsigned int tail;
	u8 by[MAX_STATES];
};

/*
 * A machine, and what was found out about it
 * @waiting: a reset waits for devices; who joins them later is not waited for
 * @kept: what devices reach must be exactly @domain, and @serial there
 * @kept_pass: devices must be in bypass, unless one of them is dirty, or @joined
 */
struct explorer {
	struct kunit *test;
	const struct variant *var;
	struct mock *m;
	struct kviommu *v;
	struct guest *g;
	struct vtd_guest *vg;
	struct kviommu_follow *f;	/* of a model with tables */
	u32 prod;
	u64 table;
	struct mock_dev *d[NR_DEVS];
	struct history h[NR_DEVS];
	bool waiting;
	bool kept;
	bool kept_pass;
	bool joined;
	struct iommu_domain *domain;
	u64 serial;
	struct node *nodes;
	unsigned int nr_nodes;
	unsigned int nr_events;
	struct search *search;
	struct xarray seen;
	unsigned long steps;
};

/* ---- a guest with an SMMUv3 ---- */

static u32 sm_read(struct explorer *x, u32 reg)
{
	return mock_read(x->v, reg, 4);
}

static void sm_write(struct explorer *x, u32 reg, u64 val, size_t len)
{
	mock_write(x->v, reg, val, len);
}

static __le64 *sm_word(struct explorer *x, u64 gpa)
{
	return mock_mem_ptr(x->m, gpa);
}

static void sm_cmd(struct explorer *x, u64 w0, u64 w1)
{
	u64 at = CMDQ + (x->prod & (BIT(CMDQ_LOG2) - 1)) * 16;

	*sm_word(x, at) = cpu_to_le64(w0);
	*sm_word(x, at + 8) = cpu_to_le64(w1);
	x->prod = (x->prod + 1) & (BIT(CMDQ_LOG2 + 1) - 1);
	sm_write(x, SMMU_CMDQ_PROD, x->prod, 4);
	KUNIT_EXPECT_EQ(x->test, sm_read(x, SMMU_CMDQ_CONS), x->prod);
}

/* For stream 0, which may have a first stage of one page */
static void sm_create(struct explorer *x)
{
	struct rnd_state rnd;
	unsigned int level;

	x->m = mock_create(x->test, &kviommu_smmuv3_model);
	mock_seed(x->test, &rnd, 0x53);
	mock_mem_create(x->m, 4, MOCK_CONTIGUOUS, &rnd);
	x->m->v.late_mappings = true;
	/* Nobody else works on the queue: a write of its index does it all. */
	x->m->v.worker.dead = true;
	x->f = x->m->v.model_priv;
	for (level = 0; level < 4; level++)
		*sm_word(x, TABLES + level * 4096 +
			    8 * (IOVA >> (39 - 9 * level) & 511)) =
			cpu_to_le64(level < 3 ? (TABLES + (level + 1) * 4096) | 3 :
						DATA | 0x443);
	*sm_word(x, CD + 8) = cpu_to_le64(TABLES);
	*sm_word(x, CD) = cpu_to_le64(16 | SMMU_CD0_EPD1 | SMMU_CD0_V |
				      5ULL << 32 | SMMU_CD0_AA64 | SMMU_CD0_R |
				      SMMU_CD0_A | 1ULL << 48);
}

static void sm_start(struct explorer *x)
{
	u32 all = SMMU_CR0_SMMUEN | SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN;

	if (!(sm_read(x, SMMU_CR0) & SMMU_CR0_CMDQEN)) {
		sm_write(x, SMMU_STRTAB_BASE, STRTAB, 8);
		sm_write(x, SMMU_STRTAB_BASE_CFG, 6, 4);
		sm_write(x, SMMU_CMDQ_BASE, CMDQ | CMDQ_LOG2, 8);
		sm_write(x, SMMU_CMDQ_PROD, x->prod, 4);
		sm_write(x, SMMU_CMDQ_CONS, x->prod, 4);
		sm_write(x, SMMU_EVENTQ_BASE, EVENTQ | EVENTQ_LOG2, 8);
	}
	sm_write(x, SMMU_CR0, all, 4);
	KUNIT_EXPECT_EQ(x->test, sm_read(x, SMMU_CR0ACK), all);
}

static void sm_set(struct explorer *x, enum event e)
{
	*sm_word(x, STRTAB) = e == TRANSLATE ?
			      cpu_to_le64(CD | 5 << 1 | SMMU_STE0_V) :
			      e == PASS ? cpu_to_le64(4 << 1 | SMMU_STE0_V) :
					  cpu_to_le64(SMMU_STE0_V);
	sm_cmd(x, SMMU_CMD_CFGI_STE, 1);
	sm_cmd(x, SMMU_CMD_SYNC, 0);
}

static bool sm_abort(struct explorer *x)
{
	return sm_read(x, SMMU_GBPA) & SMMU_GBPA_ABORT;
}

/* ---- the guest ---- */

static bool guest_runs(struct explorer *x)
{
	return x->v->open && x->v->memory;
}

static bool queue_runs(struct explorer *x)
{
	if (x->var->smmu)
		return sm_read(x, SMMU_CR0) & SMMU_CR0_CMDQEN;
	return x->var->vtd ?
	       vg_read(x->vg, VTD_GSTS, 4) & VTD_GCMD_QIE :
	       kviommu_virtio_running(x->g->vi);
}

static bool started(struct explorer *x)
{
	return x->f ? x->f->on : kviommu_virtio_running(x->g->vi);
}

static void guest_starts(struct explorer *x)
{
	if (x->var->smmu)
		sm_start(x);
	else if (!x->var->vtd)
		guest_start(x->g, GUEST_ALL_FEATURES);
	else if (queue_runs(x))
		vg_command(x->vg, VTD_GCMD_TE, 0);
	else
		vg_start(x->vg);
}

static void guest_stops(struct explorer *x)
{
	if (x->var->smmu)
		sm_write(x, SMMU_CR0, SMMU_CR0_EVENTQEN | SMMU_CR0_CMDQEN, 4);
	else if (x->var->vtd)
		vg_command(x->vg, 0, VTD_GCMD_TE);
	else
		guest_write(x->g, REG_DEVICE_STATUS, 1, 0);
}

static void guest_sets(struct explorer *x, enum event e)
{
	if (x->var->smmu) {
		sm_set(x, e);
		return;
	}
	if (x->var->vtd) {
		if (e == TRANSLATE)
			vg_translate(x->vg, 0, 1, x->table);
		else if (e == PASS)
			vg_set_context(x->vg, 0, VTD_TT_PASSTHROUGH << 2 | 1,
				       1 << 8 | VTD_AW_48);
		else
			vg_set_context(x->vg, 0, 0, 0);
		KUNIT_EXPECT_TRUE(x->test, vg_flush_device(x->vg, 0));
		return;
	}
	if (e == TRANSLATE) {
		guest_attach(x->g, 1, 0, 0);
		guest_map(x->g, 1, IOVA, IOVA + PAGE_SIZE - 1, DATA,
			  VIRTIO_IOMMU_MAP_F_READ);
	} else if (e == PASS) {
		guest_attach(x->g, 2, 0, VIRTIO_IOMMU_ATTACH_F_BYPASS);
	} else {
		guest_detach(x->g, 1, 0);
		guest_detach(x->g, 2, 0);
	}
}

/* ---- events ---- */

static struct kviommu_endpoint *ep_of(struct mock_dev *d)
{
	return d->kdev->ep;
}

/* Can it happen now? */
static bool possible(struct explorer *x, enum event e, struct mock_dev *d)
{
	switch (e) {
	case OPEN:
		return !x->v->open;
	case CLOSE:
		return x->v->open;
	case MEMORY:
		return x->v->open && !x->v->memory;
	case NO_MEMORY:
	case SYSTEM_RESET:
		return guest_runs(x);
	case DEADLINE:
	case SUSPEND:
		return x->v->reset.holding;
	case START:
		return guest_runs(x) && !started(x);
	case STOP:
		return guest_runs(x) && started(x);
	case TRANSLATE:
	case PASS:
	case NOTHING:
		return guest_runs(x) && queue_runs(x);
	case BYPASS:
		return guest_runs(x) && !x->var->vtd &&
		       (x->var->smmu || started(x));
	case BIND:
		return !d->kdev->bound;
	case UNBIND:
		return d->kdev->bound;
	case ATTACH:
		return d->kdev->bound && !d->kdev->attached;
	case DETACH:
		return d->kdev->attached;
	case MASTER:
		return d->kdev->bound && !d->bus_master;
	case NO_MASTER:
		return d->bus_master && !d->no_stop;
	case RESET:
		return d->kdev->bound;
	default:
		return false;
	}
}

/* By an admin, whose word is as good as a reset */
static void assume_reset(struct explorer *x, struct mock_dev *d)
{
	d->bus_master = d->no_stop && d->kdev->bound;
	KUNIT_EXPECT_EQ(x->test, 0,
			kviommu_assume_reset(x->v, d->name));
}

static void happen(struct explorer *x, enum event e, struct mock_dev *d)
{
	switch (e) {
	case OPEN:
		mock_open(x->m);
		break;
	case CLOSE:
		kviommu_close(x->v);
		break;
	case MEMORY:
	case NO_MEMORY:
		kviommu_memory(x->v, e == MEMORY);
		break;
	case SYSTEM_RESET:
		kviommu_reset(x->v);
		break;
	case DEADLINE:
	case SUSPEND:
		mutex_lock(&x->v->lock);
		kviommu_event(x->v, e == SUSPEND ? KVIOMMU_SUSPEND :
						   KVIOMMU_DEADLINE);
		mutex_unlock(&x->v->lock);
		break;
	case START:
		guest_starts(x);
		break;
	case STOP:
		guest_stops(x);
		break;
	case TRANSLATE:
	case PASS:
	case NOTHING:
		guest_sets(x, e);
		break;
	case BYPASS:
		if (x->var->smmu)
			sm_write(x, SMMU_GBPA, SMMU_GBPA_UPDATE |
				 (sm_abort(x) ? 0 : SMMU_GBPA_ABORT), 4);
		else
			guest_write(x->g, REG_CONFIG + 36, 1,
				    !x->g->vi->bypass);
		break;
	case BIND:
		mock_bind(d);
		break;
	case UNBIND:
		mock_unbind(d);
		break;
	case ATTACH:
		KUNIT_EXPECT_EQ(x->test, 0, mock_attach(d, PT));
		break;
	case DETACH:
		kviommu_dev_detach(d->kdev);
		break;
	case MASTER:
	case NO_MASTER:
		d->bus_master = e == MASTER;
		d->used |= d->bus_master;
		kviommu_dev_command(d->kdev);
		break;
	case RESET:
		if (x->var->no_reset)
			assume_reset(x, d);
		else
			mock_dev_reset(d);
		break;
	default:
		break;
	}
}

/* ---- what must be, from the history alone ---- */

static struct mock_pte *pte_of(struct mock_dev *d)
{
	return mock_is_paging(d->domain) ?
	       mock_pte(mock_domain(d->domain), IOVA) : NULL;
}

static bool attached(struct mock_dev *d)
{
	return d->kdev->bound && d->kdev->attached;
}

/* Their translations go. */
static void drop(struct explorer *x)
{
	unsigned int i;

	for (i = 0; i < x->var->devs; i++)
		x->h[i].dirty |= x->h[i].old && x->d[i]->bus_master;
}

/* Are devices of no domain in bypass after it? The bypass register survives STOP. */
static bool bypass_after(struct explorer *x, enum event e)
{
	if (e == STOP && x->var->smmu)
		return !sm_abort(x);
	return e == STOP && !x->f ? x->g->vi->bypass : x->v->boot_bypass;
}

/* Before a reset of the vIOMMU: who is to be waited for, and with what? */
static void before_reset(struct explorer *x, enum event e)
{
	bool busy = false, pass = false;
	unsigned int i;

	/* One in another changes nothing. */
	if (x->waiting)
		return;
	drop(x);
	for (i = 0; i < x->var->devs; i++) {
		struct mock_dev *d = x->d[i];

		x->h[i].busy = attached(d) && d->bus_master && !d->no_stop;
		busy |= x->h[i].busy && mock_is_paging(d->domain);
		pass |= x->h[i].busy && d->hwpt;
	}
	if (x->var->no_wait)
		return;
	/* Bypass that stays bypass is nothing to be waited for. */
	x->waiting = busy || (pass && !bypass_after(x, e));
	x->kept = busy;
	x->kept_pass = pass;
	x->joined = false;
	if (!busy)
		return;
	x->domain = x->d[0]->domain;
	x->serial = pte_of(x->d[0]) ? pte_of(x->d[0])->serial : 0;
}

static void clean(struct explorer *x, unsigned int i)
{
	x->h[i].old = false;
	x->h[i].dirty = false;
	x->h[i].busy = false;
	x->h[i].clean = x->waiting;
}

static void let_go(struct explorer *x)
{
	unsigned int i;

	x->waiting = false;
	x->kept = false;
	x->kept_pass = false;
	x->joined = false;
	for (i = 0; i < NR_DEVS; i++)
		x->h[i].clean = false;
}

/*
 * Up to now: who masters the bus reaches what its group does, attached or not; so a
 * device that has come after a hold began has what was kept, too.
 */
static void so_far(struct explorer *x)
{
	bool pass = x->d[0]->hwpt || (x->var->devs > 1 && x->d[1]->hwpt);
	unsigned int i;

	for (i = 0; i < x->var->devs; i++) {
		x->h[i].old &= !pass;
		/* What it was told after a reset in a hold is for after the hold. */
		if (!x->d[i]->bus_master || x->h[i].clean ||
		    !mock_is_paging(x->d[i]->domain))
			continue;
		x->h[i].old = true;
		x->h[i].dirty |= x->kept;
	}
}

/* A guest with an SMMUv3 says that all is to abort: nobody is waited for. */
static void abort_now(struct explorer *x)
{
	drop(x);
	let_go(x);
}

static void history(struct explorer *x, enum event e, unsigned int i)
{
	bool busy = false, dirty;

	so_far(x);
	dirty = x->h[i].dirty;
	switch (e) {
	case STOP:
		if (x->var->smmu && sm_abort(x)) {
			abort_now(x);
			break;
		}
		fallthrough;
	case SYSTEM_RESET:
		before_reset(x, e);
		break;
	case START:
		/* A driver of virtio-iommu begins with a reset. */
		if (!x->f)
			before_reset(x, e);
		let_go(x);
		break;
	case BYPASS:
		/* From now on they need not have it. */
		if (x->var->smmu && !started(x) && !sm_abort(x))
			abort_now(x);
		else if (!x->waiting)
			let_go(x);
		break;
	case CLOSE:
		before_reset(x, e);
		let_go(x);
		break;
	case NO_MEMORY:
	case DEADLINE:
	case SUSPEND:
		let_go(x);
		break;
	case UNBIND:
		clean(x, i);
		x->h[i].dirty = x->d[i]->no_reset &&
				(dirty || x->d[i]->used);
		/* The other one has used the domain of the first. */
		if (!i)
			drop(x);
		if (!i && x->kept)
			let_go(x);
		break;
	case RESET:
		clean(x, i);
		break;
	case NO_MASTER:
		/* It goes on with what it was told when that is on again. */
		x->h[i].busy = false;
		break;
	case BIND:
		/* They lose bypass to one that goes on with what it was told. */
		x->kept_pass &= !x->h[i].dirty;
		break;
	case ATTACH:
		/* Who joins a group may have been translated before. */
		x->joined = x->kept_pass;
		break;
	case DETACH:
		x->h[i].busy = false;
		if (!i)
			drop(x);
		if (!i && x->kept)
			let_go(x);
		break;
	default:
		break;
	}
	for (i = 0; i < x->var->devs; i++)
		busy |= x->h[i].busy;
	if (!busy)
		let_go(x);
}

/* Does it end every wait? */
static bool is_end(enum event e)
{
	return e == START || e == CLOSE || e == NO_MEMORY || e == DEADLINE ||
	       e == SUSPEND;
}

static void check(struct explorer *x, enum event e)
{
	struct kunit *test = x->test;
	struct mock_pte *pte;
	bool dirty = false, busy = false;
	struct mock_dev *d;
	unsigned int i;

	for (i = 0; i < x->var->devs; i++) {
		dirty |= x->h[i].dirty && x->d[i]->kdev->bound;
		busy |= x->h[i].busy;
	}
	for (i = 0; i < x->var->devs; i++) {
		d = x->d[i];
		/* Fail closed. */
		if (!guest_runs(x) && !mock_dev_blocked(d))
			KUNIT_FAIL(test, "device %u: not blocked, with no vIOMMU or memory", i);
		if (!attached(d) && d->hwpt)
			KUNIT_FAIL(test, "device %u: in bypass, but not attached", i);
		/* Never 1:1 with addresses of translations; what one reaches, all do. */
		if (dirty && d->hwpt)
			KUNIT_FAIL(test, "device %u: in bypass, but one was not reset since", i);
		/* Order: what it does DMA to stays until it is quiet. */
		pte = pte_of(d);
		if (x->kept && attached(d) &&
		    (d->domain != x->domain ||
		     (pte ? pte->serial : 0) != x->serial))
			KUNIT_FAIL(test, "device %u: lost what it had before it was quiet", i);
		if (x->kept_pass && !x->joined && !dirty && attached(d) &&
		    !d->hwpt)
			KUNIT_FAIL(test, "device %u: lost its bypass before it was quiet", i);
		/* It is in the state that is shown. */
		switch (kviommu_endpoint_state(ep_of(d))) {
		case KVIOMMU_UNBOUND:
		case KVIOMMU_BLOCKED:
			if (!d->kdev->bound && x->var->devs > 1)
				break;
			if (!mock_dev_blocked(d))
				KUNIT_FAIL(test, "device %u: is not blocked", i);
			break;
		case KVIOMMU_BYPASS:
			if (attached(d) && !d->hwpt)
				KUNIT_FAIL(test, "device %u: is not in bypass", i);
			break;
		case KVIOMMU_TRANSLATED:
			if (!mock_is_paging(d->domain))
				KUNIT_FAIL(test, "device %u: is not translated", i);
			break;
		default:
			if (!x->v->reset.holding)
				KUNIT_FAIL(test, "device %u: nobody waits for it", i);
		}
	}
	/* The exit comes with the last one that is quiet; bypass is held, too. */
	if (x->kept && !x->v->reset.holding)
		KUNIT_FAIL(test, "nobody waits");
	if (x->v->reset.holding && (!busy || is_end(e)))
		KUNIT_FAIL(test, "the wait has no end");
	if (guest_runs(x) && !started(x) && !x->v->reset.holding &&
	    (x->f ? x->f->nr_domains : x->g->vi->nr_domains))
		KUNIT_FAIL(test, "a guest domain is left after a reset");
	/* 5.13.5: a driver starts with no endpoint attached. */
	if (e == START && !x->f && x->g->vi->nr_domains)
		KUNIT_FAIL(test, "the next driver has a domain of the last one");
	/* Nothing is left of a VMM. */
	if (!x->v->open && (mock_nr_domains(x->m) || x->m->mem.pinned))
		KUNIT_FAIL(test, "something is left after close");
}

/* ---- the search ---- */

static u64 mix(u64 key, u64 what, unsigned int bits)
{
	return key << bits | (what & (BIT_ULL(bits) - 1));
}

/* All that future behaviour can depend on, in a number */
static unsigned long key_of(struct explorer *x)
{
	struct kviommu *v = x->v;
	unsigned int i;
	u64 key = 1;

	key = mix(key, v->open, 1);
	key = mix(key, v->memory, 1);
	key = mix(key, v->reset.holding, 1);
	key = mix(key, x->waiting, 1);
	key = mix(key, x->kept, 1);
	key = mix(key, x->kept_pass, 1);
	key = mix(key, x->joined, 1);
	if (x->f) {
		struct kviommu_gendpoint *ge = kviommu_gendpoint(ep_of(x->d[0]));

		key = mix(key, x->f->on, 1);
		key = mix(key, queue_runs(x), 1);
		key = mix(key, le64_to_cpu(x->var->smmu ? *sm_word(x, STRTAB) :
					   *vg_word(x->vg, vg_context(x->vg, 0))),
			  4);
		key = mix(key, x->var->smmu && sm_abort(x), 1);
		key = mix(key, ge ? ge->state : 0, 2);
		key = mix(key, ge && ge->found, 1);
		key = mix(key, ge && ge->domain, 1);
		key = mix(key, ge && ge->next, 1);
	} else {
		key = mix(key, started(x), 1);
		key = mix(key, x->g->vi->bypass, 1);
		key = mix(key, v->model->domain_id(ep_of(x->d[0])) + 1, 2);
	}
	key = mix(key, ep_of(x->d[0])->group->state, 3);
	key = mix(key, ep_of(x->d[0])->group->tainted, 1);
	for (i = 0; i < x->var->devs; i++) {
		struct mock_dev *d = x->d[i];

		key = mix(key, d->kdev->bound, 1);
		key = mix(key, d->kdev->attached, 1);
		key = mix(key, d->bus_master, 1);
		key = mix(key, d->no_reset && d->used, 1);
		key = mix(key, d->kdev->dirty, 1);
		key = mix(key, ep_of(d)->held, 1);
		key = mix(key, ep_of(d)->unsafe, 1);
		key = mix(key, ep_of(d)->fresh, 1);
		key = mix(key, !!d->hwpt, 1);
		key = mix(key, mock_is_paging(d->domain), 1);
		key = mix(key, !!pte_of(d), 1);
		key = mix(key, x->h[i].old, 1);
		key = mix(key, x->h[i].dirty, 1);
		key = mix(key, x->h[i].busy, 1);
		key = mix(key, x->h[i].clean, 1);
	}
	return key;
}

/* A VMM has everything open and attached, and its guest has done nothing. */
static void begin(struct explorer *x)
{
	unsigned int i;

	for (i = 0; i < x->var->devs; i++) {
		if (x->d[i]->kdev->bound)
			mock_unbind(x->d[i]);
		assume_reset(x, x->d[i]);
	}
	kviommu_close(x->v);
	memset(x->h, 0, sizeof(x->h));
	let_go(x);
	if (x->var->smmu)
		*sm_word(x, STRTAB) = cpu_to_le64(SMMU_STE0_V);
	else if (x->var->vtd)
		vg_set_context(x->vg, 0, 0, 0);
	mock_open(x->m);
	kviommu_memory(x->v, true);
	for (i = 0; i < x->var->devs; i++) {
		mock_bind(x->d[i]);
		KUNIT_EXPECT_EQ(x->test, 0, mock_attach(x->d[i], PT));
	}
}

static enum event event_of(unsigned int n, unsigned int *dev)
{
	*dev = n < BIND ? 0 : (n - BIND) / PER_DEV;
	return n < BIND ? n : BIND + (n - BIND) % PER_DEV;
}

static void step(struct explorer *x, unsigned int n)
{
	unsigned int i;
	enum event e = event_of(n, &i);

	x->steps++;
	history(x, e, i);
	happen(x, e, x->d[i]);
}

/* The number of the state that the machine is in; a new one is added. */
static unsigned int state_now(struct explorer *x)
{
	unsigned long key = key_of(x);
	void *entry = xa_load(&x->seen, key);
	unsigned int n, dev;
	struct node *node;
	enum event e;

	if (entry)
		return xa_to_value(entry);
	KUNIT_ASSERT_LT_MSG(x->test, x->nr_nodes, MAX_STATES,
			    "more states than expected");
	entry = xa_store(&x->seen, key, xa_mk_value(x->nr_nodes), GFP_KERNEL);
	KUNIT_ASSERT_EQ(x->test, 0, xa_err(entry));
	node = &x->nodes[x->nr_nodes];
	node->key = key;
	for (n = 0; n < x->nr_events; n++) {
		e = event_of(n, &dev);
		node->next[n] = possible(x, e, x->d[dev]) ? UNTRIED :
							    IMPOSSIBLE;
	}
	return x->nr_nodes++;
}

/* An event that was not tried in a state, or the number of events */
static unsigned int untried(struct explorer *x, unsigned int at)
{
	unsigned int n = 0;

	while (n < x->nr_events && x->nodes[at].next[n] != UNTRIED)
		n++;
	return n;
}

/*
 * The nearest state that is @to, or, if that is UNTRIED, in which something was
 * not tried; UNTRIED if there is none.
 */
static unsigned int find(struct explorer *x, unsigned int from, unsigned int to)
{
	struct search *s = x->search;
	unsigned int head = 0, n, at, next;

	while (s->tail)
		s->from[s->queue[--s->tail]] = UNTRIED;
	s->from[from] = from;
	s->queue[s->tail++] = from;
	while (head < s->tail) {
		at = s->queue[head++];
		if (to == UNTRIED ? untried(x, at) < x->nr_events : at == to)
			return at;
		for (n = 0; n < x->nr_events; n++) {
			next = x->nodes[at].next[n];
			if (next >= x->nr_nodes || s->from[next] != UNTRIED)
				continue;
			s->from[next] = at;
			s->by[next] = n;
			s->queue[s->tail++] = next;
		}
	}
	return UNTRIED;
}

/* The event after @at, on the way to @to that was found; @at is on it. */
static unsigned int way(struct explorer *x, unsigned int at, unsigned int to)
{
	while (x->search->from[to] != at)
		to = x->search->from[to];
	return x->search->by[to];
}

/* How it came to that, in short */
static void show(struct explorer *x, unsigned int to, unsigned int n)
{
	unsigned int at, next, dev, i = 1;
	enum event e;

	find(x, 0, to);
	for (at = 0; at != to; at = x->nodes[at].next[next]) {
		next = way(x, at, to);
		e = event_of(next, &dev);
		kunit_err(x->test, "%u. %s, device %u\n", i, event_names[e],
			  dev);
		i++;
	}
	e = event_of(n, &dev);
	kunit_err(x->test, "%u. %s, device %u\n", i, event_names[e], dev);
}

/* Let an event happen in a state. Returns the state it leads to. */
static unsigned int try(struct explorer *x, unsigned int at, unsigned int n)
{
	unsigned int dev, next;
	enum event e = event_of(n, &dev);

	step(x, n);
	check(x, e);
	if (x->test->status != KUNIT_SUCCESS) {
		show(x, at, n);
		kunit_try_catch_throw(&x->test->try_catch);
	}
	next = state_now(x);
	if (x->nodes[at].next[n] == UNTRIED)
		x->nodes[at].next[n] = next;
	/* Else something that counts is not in the key. */
	KUNIT_ASSERT_EQ(x->test, x->nodes[at].next[n], next);
	return next;
}

/* Was all tried? */
static bool explore(struct explorer *x)
{
	unsigned int limit = min_not_zero(x->var->limit, events);
	unsigned int at, to;

	begin(x);
	at = state_now(x);
	while (!limit || x->steps < limit) {
		to = find(x, at, UNTRIED);
		if (to == UNTRIED && at) {
			/* If there is no way back, begin anew. */
			begin(x);
			at = state_now(x);
			to = find(x, at, UNTRIED);
		}
		if (to == UNTRIED)
			return true;
		while (at != to)
			at = try(x, at, way(x, at, to));
		at = try(x, at, untried(x, at));
		cond_resched();
	}
	return false;
}

static void forget(void *data)
{
	struct explorer *x = data;

	kvfree(x->search);
	kvfree(x->nodes);
	xa_destroy(&x->seen);
}

static void reset_all_orders(struct kunit *test)
{
	const struct variant *var = test->param_value;
	struct explorer *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	unsigned int i;
	bool all;

	KUNIT_ASSERT_NOT_NULL(test, x);
	x->test = test;
	x->var = var;
	xa_init(&x->seen);
	if (var->smmu) {
		sm_create(x);
	} else if (var->vtd) {
		x->vg = vg_create(test, NULL);
		x->m = x->vg->m;
		x->f = &x->vg->vt->f;
		x->table = vg_page(x->vg);
		vg_map(x->vg, x->table, 4, IOVA, DATA, 12, VG_RW);
	} else {
		x->g = guest_create(test, MOCK_CONTIGUOUS, false);
		x->m = x->g->m;
	}
	x->v = &x->m->v;
	x->v->boot_bypass = !var->no_boot_bypass;
	x->v->quiesce_ms = var->no_wait ? 0 : 3600000;
	for (i = 0; i < var->devs; i++) {
		x->d[i] = mock_add_dev(x->m, 0, i ? x->d[0] : NULL);
		x->d[i]->no_reset = var->no_reset;
		x->d[i]->no_stop = var->no_stop;
		mock_assign(x->d[i], i);
	}
	x->nr_events = BIND + var->devs * PER_DEV;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, forget, x));
	x->nodes = kvcalloc(MAX_STATES, sizeof(*x->nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, x->nodes);
	x->search = kvzalloc_obj(*x->search);
	KUNIT_ASSERT_NOT_NULL(test, x->search);
	memset(x->search->from, 0xff, sizeof(x->search->from));
	all = explore(x);
	kunit_info(test, "%s: %u states, %lu events%s\n", var->name, x->nr_nodes,
		   x->steps, all ? "" : ", ended before all was tried");
	KUNIT_EXPECT_GT(test, x->nr_nodes, 100);
}

static void reset_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

static struct kunit_case reset_cases[] = {
	KUNIT_CASE_PARAM_ATTR(reset_all_orders, variant_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{ }
};

static struct kunit_suite reset_suite = {
	.name = "kviommu_reset",
	.exit = reset_exit,
	.test_cases = reset_cases,
};

kunit_test_suite(reset_suite);
