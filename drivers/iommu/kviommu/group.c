// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups: moving devices between blocked, bypass and translated.
 *
 * This is the only place that attaches anything to a host device. VFIO has
 * claimed the DMA ownership of the group when a device of it is bound, so with
 * nothing attached the host blocks it. Bypass is the VMM's own page table,
 * attached through iommufd; translated is a host domain of the shadow. Between
 * the two lies a moment in which the group is blocked.
 *
 * The host can't tell the members of a group apart. The one that the guest
 * attached leads, the others go with it.
 */
#include <linux/slab.h>

#include <trace/events/kviommu.h>

#include "kviommu_private.h"

/**
 * kviommu_group_join() - find or make the group of an endpoint
 * @v: vIOMMU, locked
 * @ep: endpoint
 *
 * Return: the group with @ep in it, or ERR_PTR(-ENOMEM).
 */
struct kviommu_group *kviommu_group_join(struct kviommu *v,
					 struct kviommu_endpoint *ep)
{
	struct kviommu_group *g;

	lockdep_assert_held(&v->lock);
	list_for_each_entry(g, &v->groups, node)
		if (g->group == ep->kdev->group)
			goto found;

	g = kzalloc_obj(*g);
	if (!g)
		return ERR_PTR(-ENOMEM);
	if (kviommu_msi_init(g, &ep->geo)) {
		kfree(g);
		return ERR_PTR(-ENOMEM);
	}
	g->group = ep->kdev->group;
	g->state = KVIOMMU_BLOCKED;
	INIT_LIST_HEAD(&g->eps);
	list_add_tail(&g->node, &v->groups);
found:
	list_add_tail(&ep->group_node, &g->eps);
	return g;
}

/**
 * kviommu_group_leave() - an endpoint is no longer assigned
 * @ep: endpoint, blocked
 */
void kviommu_group_leave(struct kviommu_endpoint *ep)
{
	struct kviommu_group *g = ep->group;

	list_del(&ep->group_node);
	ep->group = NULL;
	if (!list_empty(&g->eps))
		return;
	list_del(&g->node);
	kviommu_msi_exit(g);
	kfree(g);
}

/*
 * A member whom the VMM attached takes part; the others have no say. A device
 * that another process has open must not reach this one's guest.
 */
static bool takes_part(const struct kviommu_endpoint *ep)
{
	return ep->kdev->attached && ep->kdev->ictx == ep->viommu->ictx;
}

/**
 * kviommu_endpoint_unsafe() - may it still do DMA to addresses of others
 * @ep: endpoint of a locked vIOMMU
 *
 * These are those of translations that are gone, or of a VMM that is.
 */
bool kviommu_endpoint_unsafe(const struct kviommu_endpoint *ep)
{
	return ep->unsafe ||
	       (READ_ONCE(ep->kdev->bound) && READ_ONCE(ep->kdev->dirty));
}

/**
 * kviommu_endpoint_mark() - why an administrator may find it blocked
 * @ep: endpoint of a locked vIOMMU
 *
 * A dirty one need not be open: it is unsafe for whoever opens it next.
 *
 * Return: what follows its state in a line of text.
 */
const char *kviommu_endpoint_mark(const struct kviommu_endpoint *ep)
{
	if (ep->unsafe)
		return " unsafe";
	return READ_ONCE(ep->kdev->dirty) ? " dirty" : "";
}

static void resolve(struct kviommu *v, struct kviommu_group *g,
		    struct kviommu_target *t)
{
	struct kviommu_endpoint *ep;
	struct kviommu_target te;
	bool first = true, unsafe = false, held = false;

	*t = (struct kviommu_target){ .state = KVIOMMU_BLOCKED };
	if (!v->open || !v->memory)
		return;
	list_for_each_entry(ep, &g->eps, group_node) {
		/* It reaches what the others do, attached or not. */
		unsafe |= kviommu_endpoint_unsafe(ep);
		if (!takes_part(ep))
			continue;
		te = (struct kviommu_target){ .state = KVIOMMU_BLOCKED };
		v->model->resolve(v, ep, &te);
		held |= ep->held;
		/* Without a leader: what all of them may reach. */
		if (first || (te.chosen && !t->chosen) ||
		    (!t->chosen && te.state < t->state))
			*t = te;
		first = false;
	}
	/*
	 * Registers may say otherwise since a reset; and where some members have
	 * left their domains and some have not, what is left of the old domains
	 * says nothing.
	 */
	if (g->state == KVIOMMU_BYPASS && (held || (g->leaving && !first)))
		t->state = KVIOMMU_BYPASS;
	else if (g->leaving)
		t->state = KVIOMMU_BLOCKED;
	/* What one of them may still read or write are no guest addresses. */
	if (t->state == KVIOMMU_BYPASS && unsafe) {
		t->state = KVIOMMU_BLOCKED;
		t->refused = true;
	}
	if (t->state == KVIOMMU_TRANSLATED && t->shadow->broken)
		t->state = KVIOMMU_BLOCKED;
}

/**
 * kviommu_group_mark_unsafe() - translations are about to be forgotten
 * @g: group
 *
 * Members that may still do DMA must not reach guest memory 1:1 with the
 * addresses they have. That includes those that are not attached now: they may
 * be again, and until then reach what the others of the group do.
 */
void kviommu_group_mark_unsafe(struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	if (!g->tainted)
		return;
	list_for_each_entry(ep, &g->eps, group_node)
		if (READ_ONCE(ep->kdev->bound) && !ep->fresh)
			ep->unsafe |= kviommu_dev_may_dma(ep->kdev);
}

/**
 * kviommu_group_hold() - members that may still do DMA keep what they have
 * @g: group
 *
 * But not those that nobody can make stop.
 *
 * Return: whether there is one.
 */
bool kviommu_group_hold(struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	kviommu_group_mark_unsafe(g);
	list_for_each_entry(ep, &g->eps, group_node)
		ep->held = takes_part(ep) && ep->kdev->ops->may_dma &&
			   kviommu_dev_may_dma(ep->kdev);
	return kviommu_group_held(g);
}

/**
 * kviommu_group_held() - does a member keep what it had before a reset
 * @g: group
 */
bool kviommu_group_held(const struct kviommu_group *g)
{
	const struct kviommu_endpoint *ep;

	list_for_each_entry(ep, &g->eps, group_node)
		if (ep->held)
			return true;
	return false;
}

static void hwpt_detach(struct kviommu_endpoint *ep)
{
	if (!ep->kdev->on_hwpt)
		return;
	ep->kdev->ops->detach(ep->kdev->priv);
	ep->kdev->on_hwpt = false;
}

static void set_state(struct kviommu *v, struct kviommu_group *g,
		      enum kviommu_state state)
{
	struct kviommu_endpoint *ep;

	if (g->state == state)
		return;
	list_for_each_entry(ep, &g->eps, group_node)
		trace_kviommu_state(kviommu_dev(v), ep->kdev->dev, ep->id,
				    g->state, state);
	g->state = state;
}

static void leave(struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;

	list_for_each_entry(ep, &g->eps, group_node)
		hwpt_detach(ep);
	if (g->hostdom) {
		kviommu_hostdom_detach(g->hostdom, g->group);
		kviommu_hostdom_put(g->hostdom);
		g->hostdom = NULL;
	}
}

static int enter_bypass(struct kviommu_group *g)
{
	struct kviommu_endpoint *ep;
	int rc;

	list_for_each_entry(ep, &g->eps, group_node) {
		u32 id = ep->kdev->pt_id;

		if (!takes_part(ep) || ep->kdev->on_hwpt)
			continue;
		rc = ep->kdev->ops->attach(ep->kdev->priv, &id);
		if (rc)
			return rc;
		ep->kdev->on_hwpt = true;
	}
	return 0;
}

static struct device *first_dev(struct kviommu_group *g)
{
	return list_first_entry(&g->eps, struct kviommu_endpoint,
				group_node)->kdev->dev;
}

/*
 * Bypass is refused: that is in the log once, but not if it may be only since a reset
 * is under way, or if the guest does not want it.
 */
static void tell_refused(struct kviommu *v, struct kviommu_group *g,
			 const struct kviommu_target *t)
{
	struct kviommu_endpoint *ep;

	g->refused = t->refused;
	if (!t->refused)
		g->told = false;
	if (!t->refused || g->told)
		return;
	list_for_each_entry(ep, &g->eps, group_node) {
		if (!kviommu_endpoint_unsafe(ep) ||
		    !(t->chosen || READ_ONCE(ep->kdev->dirty)))
			continue;
		kviommu_warn(v, "KV26: %s%s is blocked instead of in bypass: it was not reset since it was told to do DMA to other addresses; reset it, or write its address to assume_reset\n",
			     kviommu_dev_prefix(ep->kdev->dev),
			     dev_name(ep->kdev->dev));
		g->told = true;
	}
}

static struct kviommu_hostdom *get_hostdom(struct kviommu *v,
					   struct kviommu_group *g,
					   struct kviommu_shadow *s)
{
	u64 msi = 0;
	int rc = 0;

	if (!kviommu_hostdom_find(s, first_dev(g)))
		rc = kviommu_msi_page(v, g, &msi);
	if (rc)
		return ERR_PTR(rc);
	return kviommu_hostdom_get(s, first_dev(g), msi);
}

static int apply(struct kviommu *v, struct kviommu_group *g, bool stay)
{
	struct kviommu_hostdom *h = NULL;
	enum kviommu_state wanted;
	struct kviommu_target t;
	int rc = 0;

	lockdep_assert_held(&v->lock);

	resolve(v, g, &t);
	wanted = t.state;
	tell_refused(v, g, &t);
	if (t.refused && t.chosen && stay)
		return -EBUSY;
	if (t.state == KVIOMMU_TRANSLATED) {
		if (g->hostdom && g->hostdom->shadow == t.shadow)
			return 0;
		/* All of it is built before the old one is left. */
		h = get_hostdom(v, g, t.shadow);
		if (IS_ERR(h)) {
			rc = PTR_ERR(h);
			if (stay)
				return rc;
			h = NULL;
			t.state = KVIOMMU_BLOCKED;
		}
	}
	if (t.state != KVIOMMU_BYPASS || g->hostdom)
		leave(g);

	if (t.state == KVIOMMU_TRANSLATED) {
		rc = kviommu_hostdom_attach(h, g->group);
		if (rc)
			kviommu_hostdom_put(h);
		else
			g->hostdom = h;
	} else if (t.state == KVIOMMU_BYPASS) {
		rc = enter_bypass(g);
		/* Who joins the others can't; they keep what they have. */
		if (rc && g->state == KVIOMMU_BYPASS)
			return rc;
	}
	if (!rc && t.state != KVIOMMU_BLOCKED)
		rc = kviommu_msi_carry(g);
	if (rc)
		leave(g);
	set_state(v, g, rc ? KVIOMMU_BLOCKED : t.state);
	if (g->state != KVIOMMU_BLOCKED)
		g->tainted = g->state == KVIOMMU_TRANSLATED;
	if (rc)
		kviommu_warn(v, "KV30: %s is blocked: it can't be made %s: %d\n",
			     dev_name(first_dev(g)), kviommu_state_name(wanted),
			     rc);
	if (!rc && t.refused && t.chosen)
		rc = -EBUSY;
	return rc;
}

/**
 * kviommu_group_apply() - put a group where the model wants it
 * @v: vIOMMU, locked
 * @g: group
 *
 * A group that is there already is not touched.
 *
 * Return: 0, or what the host or iommufd said; the group is blocked then, but for one
 * in bypass that only a new member can't have. -EBUSY if the guest wants bypass for it,
 * and a member is unsafe.
 */
int kviommu_group_apply(struct kviommu *v, struct kviommu_group *g)
{
	return apply(v, g, false);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_group_apply);

/**
 * kviommu_group_move() - the same for who can go back
 * @v: vIOMMU, locked
 * @g: group
 *
 * Return: as kviommu_group_apply(); but if the new page table can't be made, the
 * group stays where it is. On any error the model has to want the old state
 * again, and kviommu_group_apply() follow.
 */
int kviommu_group_move(struct kviommu *v, struct kviommu_group *g)
{
	return apply(v, g, true);
}

/**
 * kviommu_group_block_member() - a member takes no part any more
 * @v: vIOMMU, locked
 * @ep: endpoint, with kviommu_dev::attached false
 *
 * What others of the group still use stays; VFIO keeps bus mastering of a
 * closed device off.
 */
void kviommu_group_block_member(struct kviommu *v, struct kviommu_endpoint *ep)
{
	struct kviommu_group *g = ep->group;
	struct kviommu_target t;

	lockdep_assert_held(&v->lock);
	hwpt_detach(ep);
	/*
	 * Was it the leader? Then the others lose what they do DMA to, now, or when
	 * there is guest memory again.
	 */
	resolve(v, g, &t);
	if (!g->hostdom || t.state != KVIOMMU_TRANSLATED ||
	    t.shadow != g->hostdom->shadow)
		kviommu_group_mark_unsafe(g);
	kviommu_group_apply(v, g);
}
