// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO PCI variant driver for devices behind a kviommu vIOMMU.
 *
 * It is vfio-pci in all but this: what the device may reach is decided by the
 * vIOMMU it is assigned to. The VMM's own page table, which it attaches as for
 * any other device, is used while the vIOMMU says bypass.
 */
#include <linux/iommufd.h>
#include <linux/kviommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

KVIOMMU_IMPORT_NS(IOMMUFD);

/**
 * struct kviommu_vfio_dev - an assigned device
 * @core: vfio-pci-core's part
 * @kdev: what the kviommu core knows of it
 * @used: it may have mastered the bus since it was opened
 * @resets: how often the PCI core has begun and ended to reset it; odd in between
 */
struct kviommu_vfio_dev {
	struct vfio_pci_core_device core;
	struct kviommu_dev *kdev;
	bool used;
	atomic_t resets;
};

static struct kviommu_vfio_dev *to_kvd(struct vfio_device *vdev)
{
	return container_of(vdev, struct kviommu_vfio_dev, core.vdev);
}

/* ---- what the kviommu core calls ---- */

static int op_attach(void *priv, u32 *pt_id)
{
	struct kviommu_vfio_dev *kvd = priv;

	return kviommu_iommufd_attach(kvd->core.vdev.iommufd_device, pt_id);
}

static int op_replace(void *priv, u32 *pt_id)
{
	struct kviommu_vfio_dev *kvd = priv;

	return kviommu_iommufd_replace(kvd->core.vdev.iommufd_device, pt_id);
}

static void op_detach(void *priv)
{
	struct kviommu_vfio_dev *kvd = priv;

	kviommu_iommufd_detach(kvd->core.vdev.iommufd_device);
}

/*
 * The guest's command register is vfio-pci-core's to read; in a D-state or
 * after a failed reset all ones mean the same: don't trust it to be quiet.
 * While the PCI core resets the device the bit is off, and it comes back even if
 * that fails.
 */
static bool op_may_dma(void *priv)
{
	struct kviommu_vfio_dev *kvd = priv;
	int resets = atomic_read_acquire(&kvd->resets);
	u16 cmd = PCI_COMMAND_MASTER;

	pci_read_config_word(kvd->core.pdev, PCI_COMMAND, &cmd);
	/* Pairs with atomic_inc_return(): a bit of a reset's comes with its number. */
	smp_rmb();
	return cmd & PCI_COMMAND_MASTER || resets & 1 ||
	       resets != atomic_read(&kvd->resets);
}

static const struct kviommu_dev_ops kviommu_ops = {
	.attach = op_attach,
	.replace = op_replace,
	.detach = op_detach,
	.may_dma = op_may_dma,
	.closed_stops = true,
};

/* ---- VFIO ---- */

static int kvd_open_device(struct vfio_device *vdev)
{
	struct vfio_pci_core_device *core = &to_kvd(vdev)->core;
	int rc;

	/* With a container the device would see all of the VMM's mappings. */
	if (!vdev->iommufd_device) {
		pci_warn(core->pdev,
			 "KV20: open it through iommufd (QEMU: iommufd=...), not through a legacy container\n");
		return -EOPNOTSUPP;
	}
	to_kvd(vdev)->used = false;
	rc = vfio_pci_core_enable(core);
	if (rc)
		return rc;
	vfio_pci_core_finish_enable(core);
	/* What was done with it before it was opened is over. */
	if (core->reset_works)
		kviommu_dev_reset(to_kvd(vdev)->kdev);
	return 0;
}

static int kvd_bind_iommufd(struct vfio_device *vdev, struct iommufd_ctx *ictx,
			    u32 *out_device_id)
{
	struct vfio_pci_core_device *core = &to_kvd(vdev)->core;
	int rc;

	rc = vfio_iommufd_physical_bind(vdev, ictx, out_device_id);
	/* When it was closed, or with others of its slot since */
	if (!rc)
		kviommu_dev_bind(to_kvd(vdev)->kdev, ictx, !core->needs_reset);
	return rc;
}

static void kvd_unbind_iommufd(struct vfio_device *vdev)
{
	struct kviommu_vfio_dev *kvd = to_kvd(vdev);
	bool dirty = kvd->used && kvd->core.needs_reset;

	/* The core has closed the device: bus mastering is off. */
	if (dirty)
		dev_warn_ratelimited(&kvd->core.pdev->dev,
				     "KV25: was not reset after its VMM closed it: the next one has it blocked instead of in bypass, unless it is reset with others of its slot, or assume_reset says so\n");
	kviommu_dev_unbind(kvd->kdev, dirty);
	vfio_iommufd_physical_unbind(vdev);
}

static int kvd_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	return kviommu_dev_attach(to_kvd(vdev)->kdev, pt_id);
}

static void kvd_detach_ioas(struct vfio_device *vdev)
{
	kviommu_dev_detach(to_kvd(vdev)->kdev);
}

static const struct vfio_device_ops kvd_ops;

/*
 * With the lock, since all of the register is written: vfio-pci-core lets nobody touch
 * registers of a device whose memory is switched off.
 */
static void master_off(struct kviommu_vfio_dev *kvd)
{
	down_write(&kvd->core.memory_lock);
	pci_clear_master(kvd->core.pdev);
	up_write(&kvd->core.memory_lock);
}

/*
 * It was reset, and is as when it was opened: it does not master the bus until it
 * is told to. The PCI core has restored that bit, and with it a vIOMMU that is
 * reset later would take the device for one that still does DMA.
 */
static void was_reset(struct kviommu_vfio_dev *kvd)
{
	master_off(kvd);
	kviommu_dev_reset(kvd->kdev);
}

/*
 * All of them were that the caller has open, as it had to show; others may have
 * been opened since.
 */
static void set_was_reset(struct vfio_device *vdev)
{
	struct iommufd_ctx *ictx = vfio_iommufd_device_ictx(vdev);
	struct vfio_device_set *set = vdev->dev_set;
	struct vfio_device *cur;

	guard(mutex)(&set->lock);
	list_for_each_entry(cur, &set->device_list, dev_set_list)
		if (cur->open_count && cur->ops == &kvd_ops &&
		    vfio_iommufd_device_ictx(cur) == ictx)
			was_reset(to_kvd(cur));
}

/*
 * The guest has made a function level reset. Whether it had success, nobody tells;
 * of this one the result is known. Bus Master Enable is 0 after it (PCIe 6.6.2).
 */
static void guest_flr(struct kviommu_vfio_dev *kvd)
{
	if (!vfio_pci_core_ioctl(&kvd->core.vdev, VFIO_DEVICE_RESET, 0)) {
		was_reset(kvd);
		return;
	}
	master_off(kvd);
	kviommu_dev_command(kvd->kdev);
}

static bool is_config(loff_t pos)
{
	return VFIO_PCI_OFFSET_TO_INDEX(pos) == VFIO_PCI_CONFIG_REGION_INDEX;
}

static ssize_t kvd_write(struct vfio_device *vdev, const char __user *buf,
			 size_t count, loff_t *ppos)
{
	struct kviommu_vfio_dev *kvd = to_kvd(vdev);
	u64 offset = *ppos & VFIO_PCI_OFFSET_MASK;
	int resets = atomic_read(&kvd->resets);
	bool config = is_config(*ppos);
	bool command = config && offset <= PCI_COMMAND &&
		       offset + count > PCI_COMMAND;
	ssize_t rc;

	/* Another thread may switch bus mastering off before anybody looks. */
	if (command)
		WRITE_ONCE(kvd->used, true);
	/* What fails may have been written in part. */
	rc = vfio_pci_core_write(vdev, buf, count, ppos);
	if (config && atomic_read(&kvd->resets) != resets)
		guest_flr(kvd);
	else if (command)
		kviommu_dev_command(kvd->kdev);
	return rc;
}

static long kvd_ioctl(struct vfio_device *vdev, unsigned int cmd,
		      unsigned long arg)
{
	struct kviommu *locked = NULL;
	long rc;

	if (cmd == VFIO_DEVICE_SET_IRQS)
		locked = kviommu_dev_lock_domain(to_kvd(vdev)->kdev);
	rc = vfio_pci_core_ioctl(vdev, cmd, arg);
	kviommu_dev_unlock_domain(to_kvd(vdev)->kdev, locked);

	/* A reset that failed is none, though the PCI core says "done". */
	if (!rc && cmd == VFIO_DEVICE_RESET)
		was_reset(to_kvd(vdev));
	else if (!rc && cmd == VFIO_DEVICE_PCI_HOT_RESET)
		set_was_reset(vdev);
	return rc;
}

static const struct vfio_device_ops kvd_ops = {
	.name		= "kviommu_vfio_pci",
	.init		= vfio_pci_core_init_dev,
	.release	= vfio_pci_core_release_dev,
	.open_device	= kvd_open_device,
	.close_device	= vfio_pci_core_close_device,
	.ioctl		= kvd_ioctl,
	KVIOMMU_OP_REGION_INFO(vfio_pci_ioctl_get_region_info)
	.device_feature	= vfio_pci_core_ioctl_feature,
	.read		= vfio_pci_core_read,
	.write		= kvd_write,
	.mmap		= vfio_pci_core_mmap,
	.request	= vfio_pci_core_request,
	.match		= vfio_pci_core_match,
	KVIOMMU_OP_MATCH_TOKEN_UUID(vfio_pci_core_match_token_uuid)
	.bind_iommufd	= kvd_bind_iommufd,
	.unbind_iommufd	= kvd_unbind_iommufd,
	.attach_ioas	= kvd_attach_ioas,
	.detach_ioas	= kvd_detach_ioas,
};

static int kvd_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct kviommu_vfio_dev *kvd;
	int rc;

	kvd = vfio_alloc_device(kviommu_vfio_dev, core.vdev, &pdev->dev,
				&kvd_ops);
	if (IS_ERR(kvd))
		return PTR_ERR(kvd);
	dev_set_drvdata(&pdev->dev, &kvd->core);
	kviommu_set_pci_ops(&kvd->core);
	kvd->kdev = kviommu_dev_register(&pdev->dev, &kviommu_ops, kvd, false);
	if (IS_ERR(kvd->kdev)) {
		rc = PTR_ERR(kvd->kdev);
		if (rc == -ENODEV)
			pci_err(pdev, "KV23: not behind an IOMMU: enable it in firmware and kernel (intel_iommu=on)\n");
		goto err_put;
	}
	rc = vfio_pci_core_register_device(&kvd->core);
	if (rc)
		goto err_unregister;
	return 0;

err_unregister:
	kviommu_dev_unregister(kvd->kdev);
err_put:
	vfio_put_device(&kvd->core.vdev);
	return rc;
}

static struct kviommu_vfio_dev *drvdata(struct pci_dev *pdev)
{
	return container_of(dev_get_drvdata(&pdev->dev),
			    struct kviommu_vfio_dev, core);
}

static void kvd_remove(struct pci_dev *pdev)
{
	struct kviommu_vfio_dev *kvd = drvdata(pdev);

	/* Waits for the VMM to close it. */
	vfio_pci_core_unregister_device(&kvd->core);
	kviommu_dev_unregister(kvd->kdev);
	vfio_put_device(&kvd->core.vdev);
}

static void kvd_reset_prepare(struct pci_dev *pdev)
{
	atomic_inc_return(&drvdata(pdev)->resets);
}

static void kvd_reset_done(struct pci_dev *pdev)
{
	atomic_inc_return(&drvdata(pdev)->resets);
}

static pci_ers_result_t kvd_error_detected(struct pci_dev *pdev,
					   pci_channel_state_t state)
{
	return vfio_pci_core_aer_err_detected(pdev, state);
}

static const struct pci_error_handlers kvd_err_handlers = {
	.error_detected = kvd_error_detected,
	.reset_prepare = kvd_reset_prepare,
	.reset_done = kvd_reset_done,
};

static int kvd_sriov_configure(struct pci_dev *pdev, int nr_virtfn)
{
	return vfio_pci_core_sriov_configure(&drvdata(pdev)->core, nr_virtfn);
}

static const struct pci_device_id kvd_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, kvd_table);

static struct pci_driver kvd_driver = {
	.name = "kviommu_vfio_pci",
	.id_table = kvd_table,
	.probe = kvd_probe,
	.remove = kvd_remove,
	.sriov_configure = kvd_sriov_configure,
	.err_handler = &kvd_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(kvd_driver);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The kviommu developers");
MODULE_DESCRIPTION("VFIO PCI driver for devices behind a kviommu vIOMMU");
