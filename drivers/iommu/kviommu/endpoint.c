// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host devices and endpoints: which device is which guest's, and what its
 * driver reports about it.
 */
#include <linux/pci.h>
#include <linux/slab.h>

#include "kviommu_private.h"

/* Protects kviommu_devs, kviommu_dev::ep and kviommu_dev::bound. */
DEFINE_MUTEX(kviommu_devs_lock);
static LIST_HEAD(kviommu_devs);

const char *kviommu_state_name(enum kviommu_state state)
{
	static const char * const names[] = {
		[KVIOMMU_UNBOUND]	= "unbound",
		[KVIOMMU_BLOCKED]	= "blocked",
		[KVIOMMU_BYPASS]	= "bypass",
		[KVIOMMU_TRANSLATED]	= "translated",
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
	if (!ep->kdev->bound)
		return KVIOMMU_UNBOUND;
	return ep->group->state;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_endpoint_state);

static struct kviommu_dev *dev_find(const char *name)
{
	struct kviommu_dev *kdev;

	lockdep_assert_held(&kviommu_devs_lock);
	list_for_each_entry(kdev, &kviommu_devs, node)
		if (!strcmp(dev_name(kdev->dev), name))
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
	other = dev_find(dev_name(dev));
	if (other && (!other->ep || other->ep->viommu == chk->v))
		return 0;
	if (other) {
		dev_warn(kviommu_dev(chk->v),
			 "cannot assign %s: %s of the same IOMMU group belongs to vIOMMU %s; assign both to one\n",
			 dev_name(chk->kdev->dev), dev_name(dev),
			 dev_name(kviommu_dev(other->ep->viommu)));
		return -EBUSY;
	}
	drv = READ_ONCE(dev->driver);
	if (!drv)
		return 0;
	dev_warn(kviommu_dev(chk->v),
		 "cannot assign %s: %s of the same IOMMU group is used by driver %s; bind it to kviommu_vfio_pci or to no driver\n",
		 dev_name(chk->kdev->dev), dev_name(dev), drv->name);
	return -EBUSY;
}

/* Does the host's geometry hold what the guest was, or will be, promised? */
static int check_geometry(struct kviommu *v, const char *name,
			  const struct kviommu_geometry *geo)
{
	u64 last = 0;

	if (v->open)
		last = v->frozen.last;
	else if (v->address_width)
		last = GENMASK_ULL(v->address_width - 1, 0);
	if (geo->last < last) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: its IOMMU translates %u bits, the vIOMMU has %u; set address_width to %u before the VMM starts\n",
			 name, fls64(geo->last), fls64(last), fls64(geo->last));
		return -ERANGE;
	}
	/* The granule of a running guest can't get coarser. */
	if (v->open && __ffs64(geo->page_sizes) >
		       __ffs64(v->frozen.page_sizes)) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: its IOMMU has no pages of %llu bytes, which the guest uses\n",
			 name, BIT_ULL(__ffs64(v->frozen.page_sizes)));
		return -ERANGE;
	}
	return 0;
}

static int assign_locked(struct kviommu *v, struct kviommu_dev *kdev,
			 struct kviommu_endpoint *ep)
{
	const char *name = dev_name(kdev->dev);
	int rc;

	lockdep_assert_held(&v->lock);

	if (xa_load(&v->endpoints, ep->id)) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: endpoint 0x%x is taken\n", name,
			 ep->id);
		return -EBUSY;
	}
	rc = check_geometry(v, name, &ep->geo);
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
	kdev->ep = ep;
	kviommu_geometry_update(v);
	return 0;
}

/**
 * kviommu_assign() - make a host device an endpoint of a vIOMMU
 * @v: vIOMMU
 * @bdf: name of the host device, "0000:01:00.0"
 * @id: endpoint id in the guest
 *
 * Return: 0; -ENODEV if there is no such device, or it is not bound to the
 * variant driver; -EBUSY if it, its group or @id is taken; -ERANGE if the
 * host can't hold the vIOMMU's address width; -ENOMEM.
 */
int kviommu_assign(struct kviommu *v, const char *bdf, u32 id)
{
	struct kviommu_endpoint *ep;
	struct group_check chk = { .v = v };
	int rc;

	ep = kzalloc_obj(*ep);
	if (!ep)
		return -ENOMEM;
	ep->viommu = v;
	ep->id = id;
	INIT_LIST_HEAD(&ep->group_node);

	mutex_lock(&kviommu_devs_lock);
	chk.kdev = dev_find(bdf);
	ep->kdev = chk.kdev;
	if (!chk.kdev) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: it is not bound to kviommu_vfio_pci; run: driverctl set-override %s kviommu_vfio_pci\n",
			 bdf, bdf);
		rc = -ENODEV;
		goto out_unlock;
	}
	if (chk.kdev->ep) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: it belongs to vIOMMU %s\n", bdf,
			 dev_name(kviommu_dev(chk.kdev->ep->viommu)));
		rc = -EBUSY;
		goto out_unlock;
	}
	if (chk.kdev->bound) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: a VMM has it open; assign it before\n",
			 bdf);
		rc = -EBUSY;
		goto out_unlock;
	}
	rc = iommu_group_for_each_dev(chk.kdev->group, &chk, check_member);
	if (rc)
		goto out_unlock;
	rc = kviommu_geometry_read(chk.kdev->dev, &ep->geo);
	if (rc) {
		dev_warn(kviommu_dev(v),
			 "cannot assign %s: its IOMMU can't be used: %d\n",
			 bdf, rc);
		goto out_unlock;
	}

	mutex_lock(&v->lock);
	rc = assign_locked(v, chk.kdev, ep);
	mutex_unlock(&v->lock);

out_unlock:
	mutex_unlock(&kviommu_devs_lock);
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

	lockdep_assert_held(&kviommu_devs_lock);
	lockdep_assert_held(&v->lock);

	ep->kdev->attached = false;
	kviommu_group_block_member(v, ep);
	v->model->leave(v, ep);
	kviommu_group_leave(ep);
	xa_erase(&v->endpoints, ep->id);
	ep->kdev->ep = NULL;
	kviommu_geometry_update(v);
	kviommu_geometry_free(&ep->geo);
	kfree(ep);
}

/**
 * kviommu_unassign() - take a host device from a vIOMMU
 * @v: vIOMMU
 * @bdf: name of the host device
 *
 * Return: 0; -ENODEV if it is not assigned to @v; -EBUSY if a VMM has it open.
 */
int kviommu_unassign(struct kviommu *v, const char *bdf)
{
	struct kviommu_dev *kdev;
	int rc = 0;

	mutex_lock(&kviommu_devs_lock);
	kdev = dev_find(bdf);
	if (!kdev || !kdev->ep || kdev->ep->viommu != v) {
		dev_warn(kviommu_dev(v),
			 "cannot unassign %s: it is not assigned to this vIOMMU\n",
			 bdf);
		rc = -ENODEV;
	} else if (kdev->bound) {
		dev_warn(kviommu_dev(v),
			 "cannot unassign %s: a VMM has it open\n", bdf);
		rc = -EBUSY;
	} else {
		mutex_lock(&v->lock);
		endpoint_remove(kdev->ep);
		mutex_unlock(&v->lock);
	}
	mutex_unlock(&kviommu_devs_lock);
	return rc;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_unassign);

/**
 * kviommu_unassign_all() - the vIOMMU goes away
 * @v: vIOMMU, not open. Devices that a VMM still has open are blocked.
 */
void kviommu_unassign_all(struct kviommu *v)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	mutex_lock(&kviommu_devs_lock);
	mutex_lock(&v->lock);
	xa_for_each(&v->endpoints, id, ep)
		endpoint_remove(ep);
	mutex_unlock(&v->lock);
	mutex_unlock(&kviommu_devs_lock);
}

/* ---- what the driver of a host device calls ---- */

/**
 * kviommu_dev_register() - tell kviommu of a host device
 * @dev: device, behind an IOMMU
 * @ops: what the core calls
 * @priv: passed to @ops
 *
 * Return: a handle, or an error pointer: -ENODEV without an IOMMU group,
 * -ENOMEM.
 */
struct kviommu_dev *kviommu_dev_register(struct device *dev,
					 const struct kviommu_dev_ops *ops,
					 void *priv)
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
	struct kviommu *v;

	mutex_lock(&kviommu_devs_lock);
	list_del(&kdev->node);
	if (kdev->ep) {
		v = kdev->ep->viommu;
		dev_info(kviommu_dev(v), "%s leaves its driver: unassigned\n",
			 dev_name(kdev->dev));
		mutex_lock(&v->lock);
		endpoint_remove(kdev->ep);
		mutex_unlock(&v->lock);
	}
	mutex_unlock(&kviommu_devs_lock);
	iommu_group_put(kdev->group);
	kfree(kdev);
}
EXPORT_SYMBOL_GPL(kviommu_dev_unregister);

/**
 * kviommu_dev_bind() - a VMM has opened the device
 * @kdev: handle; its DMA ownership is claimed, and it is blocked
 *
 * Return: 0.
 */
int kviommu_dev_bind(struct kviommu_dev *kdev)
{
	struct kviommu_endpoint *ep;

	mutex_lock(&kviommu_devs_lock);
	ep = kdev->ep;
	if (ep)
		mutex_lock(&ep->viommu->lock);
	kdev->bound = true;
	kdev->attached = false;
	kdev->on_hwpt = false;
	if (ep) {
		ep->unsafe = false;
		mutex_unlock(&ep->viommu->lock);
	}
	mutex_unlock(&kviommu_devs_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(kviommu_dev_bind);

/**
 * kviommu_dev_unbind() - the VMM is gone
 * @kdev: handle; it is blocked when this returns
 *
 * The next VMM starts from nothing: what the guest attached the endpoint to
 * is forgotten.
 */
void kviommu_dev_unbind(struct kviommu_dev *kdev)
{
	struct kviommu_endpoint *ep;
	struct kviommu *v;

	mutex_lock(&kviommu_devs_lock);
	ep = kdev->ep;
	if (ep) {
		v = ep->viommu;
		mutex_lock(&v->lock);
		kdev->attached = false;
		kviommu_group_block_member(v, ep);
		v->model->leave(v, ep);
		ep->unsafe = false;
		kdev->bound = false;
		mutex_unlock(&v->lock);
	} else {
		kdev->bound = false;
	}
	mutex_unlock(&kviommu_devs_lock);
}
EXPORT_SYMBOL_GPL(kviommu_dev_unbind);

/* Is the VMM's page table fit for the device? Only safe while it is quiet. */
static int try_hwpt(struct kviommu_dev *kdev, u32 *pt_id)
{
	int rc;

	if (kdev->ep->group->state != KVIOMMU_BLOCKED ||
	    kdev->ops->bus_master(kdev->priv))
		return 0;
	rc = kdev->ops->attach(kdev->priv, pt_id);
	if (!rc)
		kdev->ops->detach(kdev->priv);
	return rc;
}

static int attach_locked(struct kviommu_dev *kdev, u32 *pt_id)
{
	struct kviommu_endpoint *ep = kdev->ep;
	struct kviommu *v = ep->viommu;
	u32 id = *pt_id;
	int rc;

	lockdep_assert_held(&v->lock);

	if (kdev->on_hwpt) {
		rc = kdev->ops->replace(kdev->priv, pt_id);
		if (!rc)
			kdev->pt_id = id;
		return rc;
	}
	if (kdev->attached) {
		/* Translated or blocked: it counts when bypass comes. */
		rc = try_hwpt(kdev, pt_id);
		if (!rc)
			kdev->pt_id = id;
		return rc;
	}

	kdev->pt_id = id;
	kdev->attached = true;
	rc = kviommu_group_apply(v, ep->group);
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
 * Return: 0; -ENODEV if the device is not assigned to a vIOMMU; what iommufd
 * said of @pt_id.
 */
int kviommu_dev_attach(struct kviommu_dev *kdev, u32 *pt_id)
{
	int rc = -ENODEV;

	mutex_lock(&kviommu_devs_lock);
	if (kdev->ep) {
		mutex_lock(&kdev->ep->viommu->lock);
		rc = attach_locked(kdev, pt_id);
		mutex_unlock(&kdev->ep->viommu->lock);
	} else {
		dev_warn(kdev->dev,
			 "not assigned to a vIOMMU; write \"%s ENDPOINT\" to the assign file of one\n",
			 dev_name(kdev->dev));
	}
	mutex_unlock(&kviommu_devs_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(kviommu_dev_attach);

/**
 * kviommu_dev_detach() - the VMM detached the device
 * @kdev: handle; it is blocked when this returns
 */
void kviommu_dev_detach(struct kviommu_dev *kdev)
{
	mutex_lock(&kviommu_devs_lock);
	if (kdev->ep) {
		mutex_lock(&kdev->ep->viommu->lock);
		kdev->attached = false;
		kviommu_group_block_member(kdev->ep->viommu, kdev->ep);
		mutex_unlock(&kdev->ep->viommu->lock);
	}
	mutex_unlock(&kviommu_devs_lock);
}
EXPORT_SYMBOL_GPL(kviommu_dev_detach);

/**
 * kviommu_dev_quiet() - the device does no DMA any more
 * @kdev: handle; it was reset, or its bus mastering is off
 */
void kviommu_dev_quiet(struct kviommu_dev *kdev)
{
	struct kviommu_endpoint *ep;
	struct kviommu *v;

	mutex_lock(&kviommu_devs_lock);
	ep = kdev->ep;
	if (ep) {
		v = ep->viommu;
		mutex_lock(&v->lock);
		ep->unsafe = false;
		v->model->quiet(v, ep);
		kviommu_group_apply(v, ep->group);
		mutex_unlock(&v->lock);
	}
	mutex_unlock(&kviommu_devs_lock);
}
EXPORT_SYMBOL_GPL(kviommu_dev_quiet);
