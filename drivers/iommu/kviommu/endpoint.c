// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host devices and endpoints: which device is which guest's, and what its
 * driver reports about it.
 */
#include <linux/pci.h>
#include <linux/slab.h>

#include "kviommu_private.h"

/* Protects kviommu_devs, kviommu_dev::bound and ::dirty; and ::ep, see there. */
DEFINE_MUTEX(kviommu_devs_lock);
static LIST_HEAD(kviommu_devs);

const char *kviommu_state_name(enum kviommu_state state)
{
	static const char * const names[] = {
		[KVIOMMU_UNBOUND]	= "unbound",
		[KVIOMMU_BLOCKED]	= "blocked",
		[KVIOMMU_BYPASS]	= "bypass",
		[KVIOMMU_TRANSLATED]	= "translated",
		[KVIOMMU_QUIESCING]	= "quiescing",
	};

	return names[state];
}

/**
 * kviommu_endpoint_find() - the endpoint with an id of the guest, or NULL
 * @v: vIOMMU, locked
 * @id: endpoint id
 */
struct kviommu_endpoint *kviommu_endpoint_find(struct kviommu *v, u32 id)
{
	lockdep_assert_held(&v->lock);
	return xa_load(&v->endpoints, id);
}

/**
 * kviommu_endpoint_state() - what an endpoint can reach now
 * @ep: endpoint of a locked vIOMMU
 */
enum kviommu_state kviommu_endpoint_state(const struct kviommu_endpoint *ep)
{
	if (!READ_ONCE(ep->kdev->bound))
		return KVIOMMU_UNBOUND;
	if (kviommu_group_held(ep->group))
		return KVIOMMU_QUIESCING;
	return ep->group->state;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_endpoint_state);

/* Is that what administrators call it? See kviommu_dev_prefix(). */
static bool is_named(const struct device *dev, const char *name)
{
	const char *prefix = kviommu_dev_prefix(dev);
	size_t len = strlen(prefix);

	return !strncmp(name, prefix, len) && !strcmp(name + len, dev_name(dev));
}

static struct kviommu_dev *dev_find(const char *name)
{
	struct kviommu_dev *kdev;

	lockdep_assert_held(&kviommu_devs_lock);
	list_for_each_entry(kdev, &kviommu_devs, node)
		if (is_named(kdev->dev, name))
			return kdev;
	return NULL;
}

static struct kviommu_dev *dev_of(const struct device *dev)
{
	struct kviommu_dev *kdev;

	lockdep_assert_held(&kviommu_devs_lock);
	list_for_each_entry(kdev, &kviommu_devs, node)
		if (kdev->dev == dev)
			return kdev;
	return NULL;
}

struct group_check {
	struct kviommu *v;
	struct kviommu_dev *kdev;
};

/* All devices of a group have to be in one vIOMMU, or unused. */
static int check_member(struct device *dev, void *data)
{
	struct group_check *chk = data;
	struct kviommu_dev *other;
	struct device_driver *drv;

	if (dev == chk->kdev->dev ||
	    (dev_is_pci(dev) && pci_is_bridge(to_pci_dev(dev))))
		return 0;
	other = dev_of(dev);
	if (other && !(other->ops->closed_stops && chk->kdev->ops->closed_stops)) {
		dev_warn(kviommu_dev(chk->v),
			 "KV35: cannot assign %s: %s is of the same IOMMU group, and one of them may do DMA when it is closed; bind only one of them\n",
			 dev_name(chk->kdev->dev), dev_name(dev));
		return -EBUSY;
	}
	if (other && (!other->ep || other->ep->viommu == chk->v))
		return 0;
	if (other) {
		dev_warn(kviommu_dev(chk->v),
			 "KV07: cannot assign %s: %s of the same IOMMU group belongs to vIOMMU %s; assign both to one\n",
			 dev_name(chk->kdev->dev), dev_name(dev),
			 dev_name(kviommu_dev(other->ep->viommu)));
		return -EBUSY;
	}
	drv = READ_ONCE(dev->driver);
	if (!drv)
		return 0;
	dev_warn(kviommu_dev(chk->v),
		 "KV08: cannot assign %s: %s of the same IOMMU group is used by driver %s; bind it to %s or to no driver\n",
		 dev_name(chk->kdev->dev), dev_name(dev), drv->name,
		 dev_is_platform(dev) ? "kviommu_vfio_platform" : "kviommu_vfio_pci");
	return -EBUSY;
}

/**
 * struct mapped_check - what the guest has mapped, for one more device
 * @geo: of the device
 * @found: a range that its host keeps for itself, and where something is mapped
 */
struct mapped_check {
	const struct kviommu_geometry *geo;
	const struct kviommu_resv *found;
};

static void check_mapped(struct kviommu_shadow *s, u32 id, void *arg)
{
	struct mapped_check *chk = arg;
	unsigned int i;

	for (i = 0; i < chk->geo->nr_resv && !chk->found; i++)
		if (kviommu_shadow_mapped(s, chk->geo->resv[i].first,
					  chk->geo->resv[i].last))
			chk->found = &chk->geo->resv[i];
}

/* Does the host's geometry hold what the guest was, or will be, promised? */
static int check_geometry(struct kviommu *v, const char *name,
			  const struct kviommu_geometry *geo)
{
	struct mapped_check chk = { .geo = geo };
	u64 last = 0;

	if (v->open)
		last = v->frozen.last;
	else if (v->address_width)
		last = GENMASK_ULL(v->address_width - 1, 0);
	if (geo->last < last) {
		dev_warn(kviommu_dev(v),
			 "KV09: cannot assign %s: its IOMMU translates %u bits, the vIOMMU has %u; set address_width to %u before the VMM starts\n",
			 name, fls64(geo->last), fls64(last), fls64(geo->last));
		return -ERANGE;
	}
	/* Other devices may do DMA there, and it would be taken from them. */
	if (v->open)
		v->model->for_each_shadow(v, check_mapped, &chk);
	if (chk.found) {
		dev_warn(kviommu_dev(v),
			 "KV10: cannot assign %s: its IOMMU reserves 0x%llx-0x%llx, and the guest has something mapped there; assign it before the guest starts\n",
			 name, chk.found->first, chk.found->last);
		return -EADDRINUSE;
	}
	return 0;
}

static void warn_not_bound(struct kviommu *v, const char *name)
{
	size_t prefix = str_has_prefix(name, KVIOMMU_PLATFORM);

	if (prefix)
		dev_warn(kviommu_dev(v),
			 "KV01: cannot assign %s: it is not bound to kviommu_vfio_platform; run: driverctl -b platform set-override %s kviommu_vfio_platform\n",
			 name, name + prefix);
	else
		dev_warn(kviommu_dev(v),
			 "KV01: cannot assign %s: it is not bound to kviommu_vfio_pci; run: driverctl set-override %s kviommu_vfio_pci\n",
			 name, name);
}

/* What an admin asked for, checked, with both locks held. */
static int assign_locked(struct kviommu *v, const char *name,
			 struct kviommu_endpoint *ep)
{
	struct group_check chk = { .v = v, .kdev = dev_find(name) };
	int rc;

	if (!chk.kdev) {
		warn_not_bound(v, name);
		return -ENODEV;
	}
	if (chk.kdev->ep) {
		dev_warn(kviommu_dev(v),
			 "KV02: cannot assign %s: it belongs to vIOMMU %s\n", name,
			 dev_name(kviommu_dev(chk.kdev->ep->viommu)));
		return -EBUSY;
	}
	if (chk.kdev->bound) {
		dev_warn(kviommu_dev(v),
			 "KV03: cannot assign %s: a VMM has it open; assign it before\n",
			 name);
		return -EBUSY;
	}
	if (v->model->max_id && ep->id > v->model->max_id) {
		dev_warn(kviommu_dev(v),
			 "KV05: cannot assign %s: endpoint 0x%x is beyond 0x%x\n",
			 name, ep->id, v->model->max_id);
		return -EINVAL;
	}
	/* Guest memory is pinned by the CPU's pages, and mapped by no smaller ones. */
	if (v->model->granule && v->model->granule < PAGE_SIZE) {
		dev_warn(kviommu_dev(v),
			 "KV34: cannot assign %s: the guest's IOMMU has pages of %u bytes, and this host's CPU of %lu; take a type that tells the guest so, kviommu-virtio\n",
			 name, v->model->granule, PAGE_SIZE);
		return -EOPNOTSUPP;
	}
	if (v->model->late && !v->late_mappings) {
		dev_warn(kviommu_dev(v),
			 "KV06: cannot assign %s: %s; set late_mappings to accept that\n",
			 name, v->model->late);
		return -EPERM;
	}
	if (xa_load(&v->endpoints, ep->id)) {
		dev_warn(kviommu_dev(v),
			 "KV04: cannot assign %s: endpoint 0x%x is taken\n", name,
			 ep->id);
		return -EBUSY;
	}
	rc = iommu_group_for_each_dev(chk.kdev->group, &chk, check_member);
	if (rc)
		return rc;
	rc = kviommu_geometry_read(chk.kdev->dev, &ep->geo);
	if (rc) {
		dev_warn(kviommu_dev(v),
			 "KV11: cannot assign %s: its IOMMU can't be used: %d\n",
			 name, rc);
		return rc;
	}
	ep->kdev = chk.kdev;
	rc = check_geometry(v, name, &ep->geo);
	if (!rc && v->open && v->model->assigned)
		rc = v->model->assigned(v, ep);
	if (rc)
		return rc;

	ep->group = kviommu_group_join(v, ep);
	if (IS_ERR(ep->group))
		return PTR_ERR(ep->group);
	rc = xa_insert(&v->endpoints, ep->id, ep, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kviommu_group_leave(ep);
		return rc;
	}
	chk.kdev->ep = ep;
	chk.kdev->sw_msi = ep->geo.sw_msi_size;
	kviommu_geometry_update(v);
	return 0;
}

/**
 * kviommu_assign() - make a host device an endpoint of a vIOMMU
 * @v: vIOMMU
 * @name: of the host device, as the kernel names it, with kviommu_dev_prefix():
 *	  "0000:01:00.0"
 * @id: endpoint id in the guest
 *
 * Return: 0; -ENODEV if there is no such device, or it is not bound to the
 * variant driver; -EBUSY if it, its group or @id is taken; -EINVAL if the model
 * has no such @id; -EPERM without kviommu::late_mappings, see
 * kviommu_model::late; -ERANGE if the host can't hold the vIOMMU's address width;
 * -EADDRINUSE if the guest uses addresses that the host reserves; -EOPNOTSUPP if
 * its IOMMU lacks what the guest was told that there is, or the CPU's pages are larger
 * than kviommu_model::granule; -ENOMEM.
 */
int kviommu_assign(struct kviommu *v, const char *name, u32 id)
{
	struct kviommu_endpoint *ep;
	int rc;

	ep = kzalloc_obj(*ep);
	if (!ep)
		return -ENOMEM;
	ep->viommu = v;
	ep->id = id;

	mutex_lock(&v->lock);
	mutex_lock(&kviommu_devs_lock);
	rc = assign_locked(v, name, ep);
	mutex_unlock(&kviommu_devs_lock);
	mutex_unlock(&v->lock);
	if (rc) {
		kviommu_geometry_free(&ep->geo);
		kfree(ep);
	}
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_assign);

/* The device is blocked, and no longer the vIOMMU's. */
static void endpoint_remove(struct kviommu_endpoint *ep)
{
	struct kviommu *v = ep->viommu;

	lockdep_assert_held(&v->lock);

	kviommu_endpoint_event(ep, KVIOMMU_EP_REMOVED);
	kviommu_group_leave(ep);
	xa_erase(&v->endpoints, ep->id);
	kviommu_geometry_update(v);
	kviommu_geometry_free(&ep->geo);
	kfree(ep);
}

/* Let go of the host device, so that nobody finds the endpoint any more. */
static bool release_dev(struct kviommu_dev *kdev, bool even_if_bound)
{
	guard(mutex)(&kviommu_devs_lock);
	if (kdev->bound && !even_if_bound)
		return false;
	kdev->ep = NULL;
	return true;
}

static struct kviommu_endpoint *endpoint_of_host(struct kviommu *v,
						 const char *name)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	xa_for_each(&v->endpoints, id, ep)
		if (is_named(ep->kdev->dev, name))
			return ep;
	return NULL;
}

/**
 * kviommu_unassign() - take a host device from a vIOMMU
 * @v: vIOMMU
 * @name: of the host device
 *
 * Return: 0; -ENODEV if it is not assigned to @v; -EBUSY if a VMM has it open.
 */
int kviommu_unassign(struct kviommu *v, const char *name)
{
	struct kviommu_endpoint *ep;
	int rc = 0;

	mutex_lock(&v->lock);
	ep = endpoint_of_host(v, name);
	if (!ep) {
		dev_warn(kviommu_dev(v),
			 "KV12: cannot unassign %s: it is not assigned to this vIOMMU\n",
			 name);
		rc = -ENODEV;
	} else if (!release_dev(ep->kdev, false)) {
		dev_warn(kviommu_dev(v),
			 "KV13: cannot unassign %s: a VMM has it open\n", name);
		rc = -EBUSY;
	} else {
		endpoint_remove(ep);
	}
	mutex_unlock(&v->lock);
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_unassign);

/* It was reset, or that is as good as done. */
static void set_clean(struct kviommu_dev *kdev)
{
	guard(mutex)(&kviommu_devs_lock);
	WRITE_ONCE(kdev->dirty, false);
}

/**
 * kviommu_assume_reset() - an admin says that a device need not be reset
 * @v: vIOMMU
 * @name: of the host device
 *
 * For devices that can't be: what they were told to do before is taken for over.
 *
 * Return: 0; -ENODEV if it is not assigned to @v.
 */
int kviommu_assume_reset(struct kviommu *v, const char *name)
{
	struct kviommu_endpoint *ep;

	guard(mutex)(&v->lock);
	ep = endpoint_of_host(v, name);
	if (!ep) {
		dev_warn(kviommu_dev(v),
			 "KV19: cannot assume that %s was reset: it is not assigned to this vIOMMU\n",
			 name);
		return -ENODEV;
	}
	set_clean(ep->kdev);
	kviommu_endpoint_event(ep, KVIOMMU_EP_RESET);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_assume_reset);

/**
 * kviommu_unassign_all() - the vIOMMU goes away
 * @v: vIOMMU, not open. Devices that a VMM still has open are blocked.
 */
void kviommu_unassign_all(struct kviommu *v)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	mutex_lock(&v->lock);
	xa_for_each(&v->endpoints, id, ep) {
		release_dev(ep->kdev, true);
		endpoint_remove(ep);
	}
	mutex_unlock(&v->lock);
}

/* ---- what the driver of a host device calls ---- */

/**
 * kviommu_dev_may_dma() - may a device start DMA, for all that is known
 * @kdev: device that is bound, with its vIOMMU locked, if it has one
 */
bool kviommu_dev_may_dma(const struct kviommu_dev *kdev)
{
	return !kdev->ops->may_dma || kdev->ops->may_dma(kdev->priv);
}

/*
 * Lock the vIOMMU that a device is assigned to, or return NULL. The list's
 * lock is never held while waiting for a vIOMMU, which may be at work for its
 * guest: one guest must not hold up the devices of another.
 */
static struct kviommu *lock_viommu_of(struct kviommu_dev *kdev)
{
	struct kviommu *v;
	bool same;

	for (;;) {
		scoped_guard(mutex, &kviommu_devs_lock) {
			v = kdev->ep ? kdev->ep->viommu : NULL;
			if (v)
				get_device(&v->vdev.device);
		}
		if (!v)
			return NULL;
		mutex_lock(&v->lock);
		scoped_guard(mutex, &kviommu_devs_lock)
			same = kdev->ep && kdev->ep->viommu == v;
		/* From now on it can't change. */
		if (same)
			return v;
		mutex_unlock(&v->lock);
		put_device(&v->vdev.device);
	}
}

static void unlock_viommu(struct kviommu *v)
{
	mutex_unlock(&v->lock);
	put_device(&v->vdev.device);
}

/**
 * kviommu_dev_register() - tell kviommu of a host device
 * @dev: device, behind an IOMMU
 * @ops: what the core calls
 * @priv: passed to @ops
 * @dirty: it may still do what somebody before has told it to
 *
 * Return: a handle, or an error pointer: -ENODEV without an IOMMU group,
 * -ENOMEM.
 */
struct kviommu_dev *kviommu_dev_register(struct device *dev,
					 const struct kviommu_dev_ops *ops,
					 void *priv, bool dirty)
{
	struct kviommu_dev *kdev;

	kdev = kzalloc_obj(*kdev);
	if (!kdev)
		return ERR_PTR(-ENOMEM);
	kdev->group = iommu_group_get(dev);
	if (!kdev->group) {
		kfree(kdev);
		return ERR_PTR(-ENODEV);
	}
	kdev->dev = dev;
	kdev->ops = ops;
	kdev->priv = priv;
	kdev->dirty = dirty;
	mutex_lock(&kviommu_devs_lock);
	list_add_tail(&kdev->node, &kviommu_devs);
	mutex_unlock(&kviommu_devs_lock);
	return kdev;
}
EXPORT_SYMBOL_GPL(kviommu_dev_register);

/**
 * kviommu_dev_unregister() - the host device is going away
 * @kdev: handle; no VMM has it open
 */
void kviommu_dev_unregister(struct kviommu_dev *kdev)
{
	struct kviommu_endpoint *ep;
	struct kviommu *v;

	mutex_lock(&kviommu_devs_lock);
	list_del(&kdev->node);
	mutex_unlock(&kviommu_devs_lock);

	v = lock_viommu_of(kdev);
	if (v) {
		dev_info(kviommu_dev(v), "KV24: %s leaves its driver: unassigned\n",
			 dev_name(kdev->dev));
		ep = kdev->ep;
		release_dev(kdev, true);
		endpoint_remove(ep);
		unlock_viommu(v);
	}
	iommu_group_put(kdev->group);
	kfree(kdev);
}
EXPORT_SYMBOL_GPL(kviommu_dev_unregister);

/**
 * kviommu_dev_bind() - a VMM has opened the device
 * @kdev: handle; its DMA ownership is claimed, and it is blocked
 * @ictx: the VMM's iommufd
 * @reset: it was reset since it was closed last
 */
void kviommu_dev_bind(struct kviommu_dev *kdev, struct iommufd_ctx *ictx,
		      bool reset)
{
	struct kviommu *v = NULL;

	scoped_guard(mutex, &kviommu_devs_lock) {
		kdev->ictx = ictx;
		WRITE_ONCE(kdev->dirty, kdev->dirty && !reset);
		WRITE_ONCE(kdev->bound, true);
	}
	/* What others of its group reach, it does. */
	if (READ_ONCE(kdev->dirty))
		v = lock_viommu_of(kdev);
	if (!v)
		return;
	kviommu_group_apply(v, kdev->ep->group);
	unlock_viommu(v);
}
EXPORT_SYMBOL_GPL(kviommu_dev_bind);

/**
 * kviommu_dev_unbind() - the VMM is gone
 * @kdev: handle; it is blocked when this returns
 * @dirty: it was not reset, and may go on with what it was told to do as soon as it
 *	   masters the bus again
 *
 * The next VMM starts from nothing: what the guest attached the endpoint to
 * is forgotten. Only what the device has not forgotten is kept in mind.
 */
void kviommu_dev_unbind(struct kviommu_dev *kdev, bool dirty)
{
	struct kviommu *v = lock_viommu_of(kdev);

	if (v)
		kviommu_endpoint_event(kdev->ep, KVIOMMU_EP_CLOSED);
	scoped_guard(mutex, &kviommu_devs_lock) {
		WRITE_ONCE(kdev->dirty, kdev->dirty || dirty);
		WRITE_ONCE(kdev->bound, false);
	}
	if (!v)
		return;
	/* It has no interrupts any more. */
	kviommu_msi_note(kdev->ep->group);
	/* It keeps the others of its group from bypass no longer. */
	kviommu_group_apply(v, kdev->ep->group);
	unlock_viommu(v);
}
EXPORT_SYMBOL_GPL(kviommu_dev_unbind);

/*
 * Is the VMM's page table fit for the device? To try it opens bypass to all of
 * the group for a moment, so only if the device is alone, and can do no DMA: a guest
 * that has another one may let it master the bus at any time.
 */
static int try_hwpt(struct kviommu_dev *kdev, u32 *pt_id)
{
	struct kviommu_group *g = kdev->ep->group;
	struct kviommu_endpoint *ep;
	int rc;

	if (g->state != KVIOMMU_BLOCKED || kviommu_endpoint_unsafe(kdev->ep) ||
	    kviommu_dev_may_dma(kdev))
		return 0;
	list_for_each_entry(ep, &g->eps, group_node)
		if (ep->kdev != kdev && READ_ONCE(ep->kdev->bound))
			return 0;
	rc = kdev->ops->attach(kdev->priv, pt_id);
	if (rc)
		return rc;
	rc = kviommu_msi_carry(g);
	kdev->ops->detach(kdev->priv);
	return rc;
}

static int replace_hwpt(struct kviommu_dev *kdev, u32 *pt_id)
{
	struct kviommu_group *g = kdev->ep->group;
	u32 id = *pt_id, old = kdev->pt_id;
	int rc;

	rc = kdev->ops->replace(kdev->priv, pt_id);
	if (rc)
		return rc;
	rc = kviommu_msi_carry(g);
	if (!rc) {
		kdev->pt_id = id;
		return 0;
	}
	/* Back to where its interrupts arrive, or nowhere. */
	if (kdev->ops->replace(kdev->priv, &old) || kviommu_msi_carry(g)) {
		kdev->attached = false;
		kviommu_group_block_member(kdev->ep->viommu, kdev->ep);
	}
	return rc;
}

static int attach_locked(struct kviommu_dev *kdev, u32 *pt_id)
{
	struct kviommu_endpoint *ep = kdev->ep;
	struct kviommu *v = ep->viommu;
	u32 id = *pt_id;
	int rc;

	lockdep_assert_held(&v->lock);

	if (kdev->on_hwpt)
		return replace_hwpt(kdev, pt_id);
	if (kdev->attached) {
		/* Translated or blocked: it counts when bypass comes. */
		kdev->pt_id = id;
		return 0;
	}

	if (v->open && kdev->ictx != v->ictx) {
		kviommu_warn(v, "KV22: %s can't be attached: the vIOMMU is open through another iommufd; give both to one VMM\n",
			     dev_name(kdev->dev));
		return -EBUSY;
	}
	kdev->pt_id = id;
	kdev->attached = true;
	rc = kviommu_group_apply(v, ep->group);
	/* That is the guest's to know, not the VMM's. */
	if (ep->group->refused)
		rc = 0;
	if (!rc && !kdev->on_hwpt)
		rc = try_hwpt(kdev, pt_id);
	if (rc) {
		kdev->attached = false;
		kviommu_group_block_member(v, ep);
	}
	return rc;
}

/**
 * kviommu_dev_attach() - the VMM attached the device to a page table or IOAS
 * @kdev: handle, bound
 * @pt_id: id of the page table or IOAS; the id in use is written back
 *
 * The device reaches it only if the vIOMMU says bypass.
 *
 * Return: 0; -ENODEV if the device is not assigned to a vIOMMU; -EBUSY if that
 * is open through another iommufd; what iommufd said of @pt_id.
 */
int kviommu_dev_attach(struct kviommu_dev *kdev, u32 *pt_id)
{
	struct kviommu *v = lock_viommu_of(kdev);
	int rc;

	if (!v) {
		dev_warn_ratelimited(kdev->dev, "KV21: not assigned to a vIOMMU; write \"%s%s ENDPOINT\" to the assign file of one\n",
				     kviommu_dev_prefix(kdev->dev),
				     dev_name(kdev->dev));
		return -ENODEV;
	}
	rc = attach_locked(kdev, pt_id);
	unlock_viommu(v);
	return rc;
}
EXPORT_SYMBOL_GPL(kviommu_dev_attach);

/**
 * kviommu_dev_detach() - the VMM detached the device
 * @kdev: handle; it is blocked when this returns
 */
void kviommu_dev_detach(struct kviommu_dev *kdev)
{
	struct kviommu *v = lock_viommu_of(kdev);

	if (!v)
		return;
	kviommu_endpoint_event(kdev->ep, KVIOMMU_EP_DETACHED);
	unlock_viommu(v);
}
EXPORT_SYMBOL_GPL(kviommu_dev_detach);

/**
 * kviommu_dev_command() - the device's command register was written
 * @kdev: handle of a PCI device
 *
 * What counts is whether it masters the bus now.
 */
void kviommu_dev_command(struct kviommu_dev *kdev)
{
	struct kviommu *v = lock_viommu_of(kdev);

	if (!v)
		return;
	kviommu_endpoint_event(kdev->ep, kviommu_dev_may_dma(kdev) ?
					 KVIOMMU_EP_MASTER_ON :
					 KVIOMMU_EP_MASTER_OFF);
	unlock_viommu(v);
}
EXPORT_SYMBOL_GPL(kviommu_dev_command);

/**
 * kviommu_dev_reset() - the device was reset, with success
 * @kdev: handle. It can do no DMA since; if it can, somebody has told it to meanwhile,
 *	  and nobody knows what else: then this does not count
 */
void kviommu_dev_reset(struct kviommu_dev *kdev)
{
	struct kviommu *v = lock_viommu_of(kdev);

	if (!kviommu_dev_may_dma(kdev)) {
		set_clean(kdev);
		if (v)
			kviommu_endpoint_event(kdev->ep, KVIOMMU_EP_RESET);
	}
	if (v)
		unlock_viommu(v);
}
EXPORT_SYMBOL_GPL(kviommu_dev_reset);

/**
 * kviommu_dev_lock_domain() - interrupts of the device are to be set up
 * @kdev: handle, bound
 *
 * Where the host translates MSIs, the device stays where it is until
 * kviommu_dev_unlock_domain(), so that no doorbell is missed.
 *
 * Return: for kviommu_dev_unlock_domain(); NULL if nothing was locked.
 */
struct kviommu *kviommu_dev_lock_domain(struct kviommu_dev *kdev)
{
	/* Elsewhere interrupts need not wait for a vIOMMU that is at work. */
	return kdev->sw_msi ? lock_viommu_of(kdev) : NULL;
}
EXPORT_SYMBOL_GPL(kviommu_dev_lock_domain);

/**
 * kviommu_dev_unlock_domain() - interrupts of the device were set up, or not
 * @kdev: handle
 * @v: what kviommu_dev_lock_domain() returned
 */
void kviommu_dev_unlock_domain(struct kviommu_dev *kdev, struct kviommu *v)
{
	if (!v)
		return;
	kviommu_msi_note(kdev->ep->group);
	unlock_viommu(v);
}
EXPORT_SYMBOL_GPL(kviommu_dev_unlock_domain);
