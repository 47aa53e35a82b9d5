// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets: in which order a vIOMMU, its endpoints and what they reach go back to
 * their first state, whatever order the VMM or the guest has.
 *
 * A reset has three phases. Enter: the model takes no more work of the guest.
 * Hold: endpoints that may still do DMA keep what they reach, until they are
 * quiet or the deadline is over. Exit: what the guest had attached them to is
 * gone, and they are where the registers want them. A driver that comes before
 * the hold is over makes the exit first, so no work of a guest is done in it.
 *
 * What each event means for an endpoint depends only on the endpoint's state,
 * and is in one table. Documentation/reset.rst has the same table, made from this
 * one by tools/testing/vm/reset-table.
 *
 * Members of a group that the host can't tell apart are held, and let go,
 * together.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/seq_file.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>

#include <trace/events/kviommu.h>

#include "kviommu_private.h"

/* For the lock of a vIOMMU that is at work while the host wants to sleep */
#define SUSPEND_TRIES	100
#define SUSPEND_TRY_MS	10

enum action {
	NONE,		/* nothing: it is right as it is */
	APPLY,		/* it goes where the model wants it */
	HOLD,		/* quiescing while it masters the bus, else as RELEASE */
	RELEASE,	/* out of its guest domain; no bypass before it is reset */
	ADOPT,		/* no longer held, but it stays until it is looked up */
	MARK,		/* no bypass before it is reset, if its group is translated */
	QUIET,		/* if it was the last one held, as RELEASE */
	SAFE,		/* bypass is allowed; else as QUIET */
	BLOCK,		/* blocked; what the guest has attached it to stays */
	FORGET,		/* blocked, out of its guest domain; as SAFE */
};

static const u8 actions[KVIOMMU_NR_SOURCES][KVIOMMU_NR_STATES] = {
	/*			    unbound  blocked  bypass   translated quiescing */
	[KVIOMMU_SYSTEM_RESET]	= { RELEASE, RELEASE, HOLD,    HOLD,    NONE },
	[KVIOMMU_GUEST_RESET]	= { RELEASE, RELEASE, HOLD,    HOLD,    NONE },
	[KVIOMMU_GUEST_DRIVER]	= { NONE,    APPLY,   APPLY,   APPLY,   RELEASE },
	[KVIOMMU_GUEST_ENABLE]	= { NONE,    NONE,    NONE,    NONE,    ADOPT },
	[KVIOMMU_GUEST_POLICY]	= { NONE,    APPLY,   APPLY,   APPLY,   NONE },
	[KVIOMMU_GUEST_ABORT]	= { RELEASE, RELEASE, RELEASE, RELEASE, RELEASE },
	[KVIOMMU_DEADLINE]	= { NONE,    NONE,    NONE,    NONE,    RELEASE },
	[KVIOMMU_SUSPEND]	= { NONE,    NONE,    NONE,    NONE,    RELEASE },
	[KVIOMMU_MEMORY]	= { NONE,    APPLY,   APPLY,   APPLY,   RELEASE },
	[KVIOMMU_CLOSED]	= { RELEASE, RELEASE, RELEASE, RELEASE, RELEASE },
	[KVIOMMU_EP_RESET]	= { NONE,    SAFE,    SAFE,    SAFE,    SAFE },
	[KVIOMMU_EP_MASTER_ON]	= { NONE,    NONE,    NONE,    NONE,    MARK },
	[KVIOMMU_EP_MASTER_OFF]	= { NONE,    NONE,    NONE,    NONE,    QUIET },
	[KVIOMMU_EP_DETACHED]	= { NONE,    BLOCK,   BLOCK,   BLOCK,   BLOCK },
	[KVIOMMU_EP_CLOSED]	= { NONE,    FORGET,  FORGET,  FORGET,  FORGET },
	[KVIOMMU_EP_REMOVED]	= { FORGET,  FORGET,  FORGET,  FORGET,  FORGET },
};

static const char * const source_names[KVIOMMU_NR_SOURCES] = {
	[KVIOMMU_SYSTEM_RESET]	= "system_reset",
	[KVIOMMU_GUEST_RESET]	= "guest_reset",
	[KVIOMMU_GUEST_DRIVER]	= "guest_driver",
	[KVIOMMU_GUEST_ENABLE]	= "guest_enable",
	[KVIOMMU_GUEST_POLICY]	= "guest_policy",
	[KVIOMMU_GUEST_ABORT]	= "guest_abort",
	[KVIOMMU_DEADLINE]	= "deadline",
	[KVIOMMU_SUSPEND]	= "suspend",
	[KVIOMMU_MEMORY]	= "memory",
	[KVIOMMU_CLOSED]	= "closed",
	[KVIOMMU_EP_RESET]	= "endpoint_reset",
	[KVIOMMU_EP_MASTER_ON]	= "endpoint_master_on",
	[KVIOMMU_EP_MASTER_OFF]	= "endpoint_master_off",
	[KVIOMMU_EP_DETACHED]	= "endpoint_detached",
	[KVIOMMU_EP_CLOSED]	= "endpoint_closed",
	[KVIOMMU_EP_REMOVED]	= "endpoint_removed",
};

static bool is_reset(enum kviommu_source source)
{
	return source == KVIOMMU_SYSTEM_RESET || source == KVIOMMU_GUEST_RESET;
}

/* ---- what is done with a group ---- */

/* All bound members are in the same state; without any there is none. */
static enum kviommu_state state_of(struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	if (kviommu_group_held(g))
		return KVIOMMU_QUIESCING;
	list_for_each_entry(ep, &g->eps, group_node)
		if (READ_ONCE(ep->kdev->bound))
			return g->state;
	return KVIOMMU_UNBOUND;
}

/*
 * Members that master the bus now and were not reset since are unsafe: not only
 * those for whom the hold began, but also who has joined them later.
 */
static void end_hold(struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	kviommu_group_mark_unsafe(g);
	list_for_each_entry(ep, &g->eps, group_node) {
		ep->held = false;
		ep->fresh = false;
	}
}

/* The model forgets what the guest has said of the members. */
static void leave_domains(struct kviommu *v, struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	end_hold(g);
	list_for_each_entry(ep, &g->eps, group_node) {
		/* Only with the last one it is known where they go. */
		g->leaving = !list_is_last(&ep->group_node, &g->eps);
		v->model->release(v, ep);
	}
}

static void release(struct kviommu *v, struct kviommu_group *g)
{
	leave_domains(v, g);
	kviommu_group_apply(v, g);
}

static void hold(struct kviommu *v, struct kviommu_group *g)
{
	/* Bypass to bypass: nothing that would have to be waited for */
	bool same = g->state == KVIOMMU_BYPASS &&
		    v->model->detached(v) == KVIOMMU_BYPASS;

	if (same || !READ_ONCE(v->quiesce_ms) || !kviommu_group_hold(g))
		release(v, g);
}

/*
 * It is not waited for any more. With the last such member the wait is over, and
 * with the one whose guest domain the others did use.
 */
static void let_go(struct kviommu *v, struct kviommu_endpoint *ep)
{
	struct kviommu_group *g = ep->group;
	bool held = kviommu_group_held(g);

	ep->held = false;
	if (held && (!kviommu_group_held(g) || g->state == KVIOMMU_BLOCKED))
		leave_domains(v, g);
}

/* It knows of no addresses any more. */
static void safe(struct kviommu *v, struct kviommu_endpoint *ep)
{
	ep->unsafe = false;
	ep->fresh = kviommu_group_held(ep->group);
	let_go(v, ep);
}

/* Closed devices don't know of addresses of a VMM that is gone. */
static void forget(struct kviommu *v, struct kviommu_endpoint *ep)
{
	struct kviommu_endpoint *o;

	ep->kdev->attached = false;
	kviommu_group_block_member(v, ep);
	v->model->leave(v, ep);
	safe(v, ep);
	kviommu_group_apply(v, ep->group);
	list_for_each_entry(o, &ep->group->eps, group_node)
		if (o != ep && READ_ONCE(o->kdev->bound))
			return;
	ep->group->tainted = false;
}

static void act_on_group(struct kviommu *v, struct kviommu_group *g,
			 enum action action)
{
	switch (action) {
	case APPLY:
		kviommu_group_apply(v, g);
		break;
	case HOLD:
		hold(v, g);
		break;
	case RELEASE:
		release(v, g);
		break;
	case ADOPT:
		end_hold(g);
		break;
	default:
		break;
	}
}

static void act_on_endpoint(struct kviommu *v, struct kviommu_endpoint *ep,
			    enum action action)
{
	switch (action) {
	case MARK:
		kviommu_group_mark_unsafe(ep->group);
		break;
	case QUIET:
		/* What it was told to do it goes on with when that is on again. */
		let_go(v, ep);
		kviommu_group_apply(v, ep->group);
		break;
	case SAFE:
		safe(v, ep);
		kviommu_group_apply(v, ep->group);
		break;
	case BLOCK:
		ep->kdev->attached = false;
		kviommu_group_block_member(v, ep);
		let_go(v, ep);
		kviommu_group_apply(v, ep->group);
		break;
	case FORGET:
		forget(v, ep);
		break;
	default:
		break;
	}
}

/* ---- phases ---- */

static unsigned int groups_held(struct kviommu *v)
{
	struct kviommu_group *g;
	unsigned int n = 0;

	list_for_each_entry(g, &v->groups, node)
		n += kviommu_group_held(g);
	return n;
}

static void phase_done(struct kviommu *v, enum kviommu_source source,
		       enum kviommu_phase phase, u64 ns)
{
	static const char * const names[] = {
		[KVIOMMU_ENTER]	= "enter",
		[KVIOMMU_HOLD]	= "hold",
		[KVIOMMU_EXIT]	= "exit",
	};
	struct kviommu_reset *r = &v->reset;

	r->phases[phase].count++;
	r->phases[phase].ns += ns;
	r->phases[phase].max_ns = max(r->phases[phase].max_ns, ns);
	trace_kviommu_reset(kviommu_dev(v), source_names[source],
			    names[phase], groups_held(v), ns);
}

/* An event, which came at @begin, is done: which phase is it now? */
static void settle(struct kviommu *v, enum kviommu_source source, u64 begin)
{
	struct kviommu_reset *r = &v->reset;
	u64 now = ktime_get_ns();

	if (is_reset(source)) {
		/* The hold that goes on is that of the first. */
		if (!r->holding)
			r->source = source;
		phase_done(v, source, KVIOMMU_ENTER, now - begin);
		begin = now;
	}
	if (groups_held(v)) {
		if (r->holding)
			return;
		WRITE_ONCE(r->holding, true);
		r->since = now;
		/* Not put off by a reset in a reset: a guest could go on so. */
		queue_delayed_work(system_freezable_wq, &r->deadline,
				   msecs_to_jiffies(READ_ONCE(v->quiesce_ms)));
		return;
	}
	if (r->holding) {
		WRITE_ONCE(r->holding, false);
		cancel_delayed_work(&r->deadline);
		phase_done(v, r->source, KVIOMMU_HOLD, begin - r->since);
	} else if (!is_reset(source)) {
		return;
	}
	phase_done(v, r->source, KVIOMMU_EXIT, ktime_get_ns() - begin);
}

/**
 * kviommu_event() - something happened to the vIOMMU
 * @v: vIOMMU, locked. Its registers are as they are after the event
 * @source: what, up to KVIOMMU_CLOSED
 */
void kviommu_event(struct kviommu *v, enum kviommu_source source)
{
	u64 begin = ktime_get_ns();
	struct kviommu_group *g;

	lockdep_assert_held(&v->lock);
	v->reset.events[source]++;
	list_for_each_entry(g, &v->groups, node)
		act_on_group(v, g, actions[source][state_of(g)]);
	settle(v, source, begin);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_event);

/**
 * kviommu_endpoint_event() - something happened to an endpoint
 * @ep: endpoint of a locked vIOMMU
 * @source: what, from KVIOMMU_EP_RESET on
 */
void kviommu_endpoint_event(struct kviommu_endpoint *ep,
			    enum kviommu_source source)
{
	enum kviommu_state state = kviommu_endpoint_state(ep);
	struct kviommu *v = ep->viommu;
	u64 begin = ktime_get_ns();

	lockdep_assert_held(&v->lock);
	v->reset.events[source]++;
	act_on_endpoint(v, ep, actions[source][state]);
	settle(v, source, begin);
}

static void deadline_fn(struct work_struct *work)
{
	struct kviommu *v = container_of(to_delayed_work(work), struct kviommu,
					 reset.deadline);

	mutex_lock(&v->lock);
	/* The hold may just have ended, and another one begun. */
	if (v->reset.holding && !delayed_work_pending(&v->reset.deadline)) {
		kviommu_warn(v, "KV31: devices were not quiet %llu ms after a reset: they are blocked until they are reset\n",
			     div_u64(ktime_get_ns() - v->reset.since,
				     NSEC_PER_MSEC));
		kviommu_event(v, KVIOMMU_DEADLINE);
	}
	mutex_unlock(&v->lock);
}

/*
 * A guest may keep its vIOMMU at work all the time, but not always with the lock held.
 * This does not wait for longer: opening any other vIOMMU would wait with it, for the
 * list of notifiers.
 */
static bool lock_soon(struct kviommu *v)
{
	unsigned int tries;

	for (tries = 0; tries < SUSPEND_TRIES; tries++) {
		if (mutex_trylock(&v->lock))
			return true;
		msleep(SUSPEND_TRY_MS);
	}
	return false;
}

/* User space is frozen next, and a half-done reset would sleep with it. */
static int suspend_fn(struct notifier_block *nb, unsigned long what, void *data)
{
	struct kviommu *v = container_of(nb, struct kviommu, reset.suspend);

	if (what != PM_SUSPEND_PREPARE && what != PM_HIBERNATION_PREPARE)
		return NOTIFY_DONE;
	if (!READ_ONCE(v->reset.holding))
		return NOTIFY_DONE;
	if (!lock_soon(v))
		return notifier_from_errno(-EBUSY);
	kviommu_event(v, KVIOMMU_SUSPEND);
	mutex_unlock(&v->lock);
	return NOTIFY_OK;
}

/**
 * kviommu_reset_init() - prepare for resets
 * @v: vIOMMU, new
 */
void kviommu_reset_init(struct kviommu *v)
{
	INIT_DELAYED_WORK(&v->reset.deadline, deadline_fn);
	v->reset.suspend.notifier_call = suspend_fn;
	v->quiesce_ms = KVIOMMU_QUIESCE_MS;
}

/**
 * kviommu_reset_start() - a VMM has opened the vIOMMU
 * @v: vIOMMU, not locked
 */
void kviommu_reset_start(struct kviommu *v)
{
	register_pm_notifier(&v->reset.suspend);
}

/**
 * kviommu_reset_stop() - the VMM is gone; nothing is held any more
 * @v: vIOMMU, not locked
 */
void kviommu_reset_stop(struct kviommu *v)
{
	unregister_pm_notifier(&v->reset.suspend);
	cancel_delayed_work_sync(&v->reset.deadline);
}

/**
 * kviommu_reset_clear() - another VMM counts from 0
 * @v: vIOMMU, locked, with nothing held
 */
void kviommu_reset_clear(struct kviommu *v)
{
	memset(v->reset.events, 0, sizeof(v->reset.events));
	memset(v->reset.phases, 0, sizeof(v->reset.phases));
}

/* ---- debugfs ---- */

/**
 * kviommu_reset_show_state() - a line for debugfs "state"
 * @v: vIOMMU, locked
 * @s: file
 */
void kviommu_reset_show_state(struct kviommu *v, struct seq_file *s)
{
	struct kviommu_reset *r = &v->reset;

	if (r->holding)
		seq_printf(s, "reset %s, %llu ms\n", source_names[r->source],
			   div_u64(ktime_get_ns() - r->since, NSEC_PER_MSEC));
	else
		seq_puts(s, "reset none\n");
}

/**
 * kviommu_reset_show_counters() - lines for debugfs "counters"
 * @v: vIOMMU, locked
 * @s: file
 */
void kviommu_reset_show_counters(struct kviommu *v, struct seq_file *s)
{
	static const char * const names[] = {
		[KVIOMMU_ENTER]	= "reset_enter",
		[KVIOMMU_HOLD]	= "reset_hold",
		[KVIOMMU_EXIT]	= "reset_exit",
	};
	unsigned int i;

	for (i = 0; i < KVIOMMU_NR_SOURCES; i++)
		seq_printf(s, "event_%s %llu\n", source_names[i],
			   v->reset.events[i]);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		seq_printf(s, "%s %llu\n%s_ns %llu\n%s_max_ns %llu\n", names[i],
			   v->reset.phases[i].count, names[i],
			   v->reset.phases[i].ns, names[i],
			   v->reset.phases[i].max_ns);
}
