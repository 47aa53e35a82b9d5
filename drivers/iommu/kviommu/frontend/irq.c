// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of the emulated device: eventfds given with VFIO_DEVICE_SET_IRQS.
 * MSI-X has one for each vector; INTx is a level that masks itself when it
 * fires, until the VMM has seen the guest acknowledge it and unmasks it: by
 * ioctl, or with an eventfd that KVM signals when the guest ends its interrupt.
 */
#include <linux/eventfd.h>
#include <linux/pci.h>
#include <linux/vfio.h>

#include "kviommu_private.h"

/**
 * kviommu_irq_info() - VFIO_DEVICE_GET_IRQ_INFO
 * @v: vIOMMU
 * @info: index in, flags and count out
 *
 * Return: 0, or -EINVAL for an index this device does not have.
 */
int kviommu_irq_info(const struct kviommu *v, struct vfio_irq_info *info)
{
	switch (info->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		info->flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
			      VFIO_IRQ_INFO_AUTOMASKED;
		info->count = !!v->config.space[PCI_INTERRUPT_PIN];
		return 0;
	case VFIO_PCI_MSI_IRQ_INDEX:
		info->flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
		info->count = 0;
		return 0;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		info->flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
		info->count = v->model->vectors;
		return 0;
	default:
		return -EINVAL;
	}
}

static void put_ctx(struct eventfd_ctx **slot)
{
	if (*slot)
		eventfd_ctx_put(*slot);
	*slot = NULL;
}

static void signal_ctx(struct kviommu *v, struct eventfd_ctx *ctx)
{
	if (!ctx)
		return;
	eventfd_signal(ctx);
	atomic64_inc(&v->irqs.count);
}

/* fd of -1 takes the eventfd away, as for vfio-pci */
static int set_ctx(struct eventfd_ctx **slot, s32 fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd < -1)
		return -EINVAL;
	if (fd >= 0) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	put_ctx(slot);
	*slot = ctx;
	return 0;
}

static void intx_fire(struct kviommu *v)
{
	lockdep_assert_held(&v->irqs.lock);
	if (!v->irqs.intx_level || v->irqs.intx_masked || !v->irqs.intx ||
	    v->irqs.intx_disabled)
		return;
	v->irqs.intx_masked = true;
	signal_ctx(v, v->irqs.intx);
}

static void intx_set_masked(struct kviommu *v, bool masked)
{
	spin_lock(&v->irqs.lock);
	v->irqs.intx_masked = masked;
	intx_fire(v);
	spin_unlock(&v->irqs.lock);
}

/* In a work item: the eventfd that woke it is locked by its own handler. */
static void intx_unmask_fn(void *opaque, void *unused)
{
	intx_set_masked(opaque, false);
}

static int intx_set_unmask_eventfd(struct kviommu *v, s32 fd)
{
	if (fd < -1)
		return -EINVAL;
	if (fd >= 0)
		return vfio_virqfd_enable(v, NULL, intx_unmask_fn, NULL,
					  &v->irqs.intx_unmask, fd);
	vfio_virqfd_disable(&v->irqs.intx_unmask);
	return 0;
}

static int intx_set_eventfd(struct kviommu *v, s32 fd)
{
	struct kviommu_irqs *irqs = &v->irqs;
	struct eventfd_ctx *ctx = NULL;
	int rc;

	rc = set_ctx(&ctx, fd);
	if (rc)
		return rc;
	if (!ctx)
		intx_set_unmask_eventfd(v, -1);
	spin_lock(&irqs->lock);
	swap(ctx, irqs->intx);
	irqs->intx_masked = false;
	intx_fire(v);
	spin_unlock(&irqs->lock);
	put_ctx(&ctx);
	return 0;
}

static int set_intx(struct kviommu *v, const struct vfio_irq_set *hdr,
		    const void *data)
{
	u32 type = hdr->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;

	if (type == VFIO_IRQ_SET_DATA_BOOL && !*(const u8 *)data)
		return 0;
	switch (hdr->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_MASK:
		/* VMMs fall back to the ioctl where an eventfd can't do it. */
		if (type == VFIO_IRQ_SET_DATA_EVENTFD)
			return -ENOTTY;
		intx_set_masked(v, true);
		return 0;
	case VFIO_IRQ_SET_ACTION_UNMASK:
		if (type == VFIO_IRQ_SET_DATA_EVENTFD)
			return intx_set_unmask_eventfd(v, *(const s32 *)data);
		intx_set_masked(v, false);
		return 0;
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		if (type == VFIO_IRQ_SET_DATA_EVENTFD)
			return intx_set_eventfd(v, *(const s32 *)data);
		if (type == VFIO_IRQ_SET_DATA_NONE && !hdr->count)
			return intx_set_eventfd(v, -1);
		spin_lock(&v->irqs.lock);
		signal_ctx(v, v->irqs.intx);
		spin_unlock(&v->irqs.lock);
		return 0;
	default:
		return -ENOTTY;
	}
}

static void msix_off(struct kviommu *v)
{
	unsigned int i;

	for (i = 0; i < KVIOMMU_MSIX_VECTORS; i++)
		put_ctx(&v->irqs.msix[i]);
	v->irqs.msix_on = false;
}

static int set_msix(struct kviommu *v, const struct vfio_irq_set *hdr,
		    const void *data)
{
	u32 type = hdr->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	u32 i;
	int rc;

	if ((hdr->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) !=
	    VFIO_IRQ_SET_ACTION_TRIGGER)
		return -ENOTTY;
	if (type == VFIO_IRQ_SET_DATA_NONE && !hdr->count) {
		msix_off(v);
		return 0;
	}
	for (i = 0; i < hdr->count; i++) {
		struct eventfd_ctx **slot = &v->irqs.msix[hdr->start + i];

		if (type == VFIO_IRQ_SET_DATA_EVENTFD) {
			rc = set_ctx(slot, ((const s32 *)data)[i]);
			if (rc)
				return rc;
			v->irqs.msix_on = true;
		} else if (type == VFIO_IRQ_SET_DATA_NONE ||
			   ((const u8 *)data)[i]) {
			signal_ctx(v, *slot);
		}
	}
	return 0;
}

/**
 * kviommu_irq_set() - VFIO_DEVICE_SET_IRQS
 * @v: vIOMMU, locked
 * @hdr: checked by vfio_set_irqs_validate_and_prepare()
 * @data: what follows it
 *
 * Return: 0; -ENOTTY for an action the index does not have; -EINVAL or what
 * taking an eventfd said.
 */
int kviommu_irq_set(struct kviommu *v, const struct vfio_irq_set *hdr,
		    const void *data)
{
	lockdep_assert_held(&v->lock);
	/* No data was copied then. */
	if (!hdr->count &&
	    (hdr->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) != VFIO_IRQ_SET_DATA_NONE)
		return -EINVAL;
	switch (hdr->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return set_intx(v, hdr, data);
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return set_msix(v, hdr, data);
	default:
		return -ENOTTY;
	}
}

/**
 * kviommu_irq_close() - take all eventfds away
 * @v: vIOMMU, locked
 */
void kviommu_irq_close(struct kviommu *v)
{
	lockdep_assert_held(&v->lock);
	msix_off(v);
	spin_lock(&v->irqs.lock);
	v->irqs.intx_level = false;
	spin_unlock(&v->irqs.lock);
	intx_set_eventfd(v, -1);
}

/**
 * kviommu_irq_msix() - send an MSI-X message
 * @v: vIOMMU, locked
 * @vector: any value; a vector that does not exist sends nothing
 *
 * Return: false if MSI-X is off, and INTx is to be used.
 */
bool kviommu_irq_msix(struct kviommu *v, unsigned int vector)
{
	lockdep_assert_held(&v->lock);
	if (!v->irqs.msix_on)
		return false;
	if (vector < KVIOMMU_MSIX_VECTORS)
		signal_ctx(v, v->irqs.msix[vector]);
	return true;
}

/**
 * kviommu_irq_intx() - set the level of INTx
 * @v: vIOMMU, locked
 * @level: asserted or not
 *
 * Also to be called when the command register has changed.
 */
void kviommu_irq_intx(struct kviommu *v, bool level)
{
	lockdep_assert_held(&v->lock);
	kviommu_config_intx_status(&v->config, level);
	spin_lock(&v->irqs.lock);
	v->irqs.intx_level = level;
	v->irqs.intx_disabled = kviommu_config_intx_disabled(&v->config);
	intx_fire(v);
	spin_unlock(&v->irqs.lock);
}
