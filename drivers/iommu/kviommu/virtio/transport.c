// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-pci transport, modern (virtio 1.3 4.1): registers in BAR 0, and
 * the rules of the device status (2.1, 3.1).
 */
#include <linux/pci_ids.h>
#include <linux/pci_regs.h>
#include <uapi/linux/virtio_pci.h>
#include <uapi/linux/virtio_config.h>
#include <uapi/linux/virtio_ids.h>

#include <trace/events/kviommu.h>

#include "virtio.h"

#define KVIOMMU_STATUS_MASK	(VIRTIO_CONFIG_S_ACKNOWLEDGE |	\
				 VIRTIO_CONFIG_S_DRIVER |	\
				 VIRTIO_CONFIG_S_DRIVER_OK |	\
				 VIRTIO_CONFIG_S_FEATURES_OK |	\
				 VIRTIO_CONFIG_S_FAILED)

#define COMMON(field)	offsetof(struct virtio_pci_common_cfg, field)

/**
 * kviommu_virtio_features() - feature bits that are offered
 */
u64 kviommu_virtio_features(void)
{
	return BIT_ULL(VIRTIO_F_VERSION_1) |
	       BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
	       BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
	       BIT_ULL(VIRTIO_IOMMU_F_INPUT_RANGE) |
	       BIT_ULL(VIRTIO_IOMMU_F_DOMAIN_RANGE) |
	       BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP) |
	       BIT_ULL(VIRTIO_IOMMU_F_PROBE) |
	       BIT_ULL(VIRTIO_IOMMU_F_MMIO) |
	       BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG);
}

static void config_irq(struct kviommu_virtio *vi)
{
	/* 4.1.4.5.1: set whatever kind of interrupt there is. */
	vi->isr |= BIT(1);
	if (!kviommu_irq_msix(vi->v, vi->config_vector))
		kviommu_irq_intx(vi->v, true);
}

/**
 * kviommu_virtio_needs_reset() - the driver broke a rule that leaves no way on
 * @vi: model
 * @why: for the log
 *
 * Mappings stay, so that devices that still work are not disturbed (2.1.2).
 */
void kviommu_virtio_needs_reset(struct kviommu_virtio *vi, const char *why)
{
	if (vi->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	kviommu_warn(vi->v, "KV33: the guest's virtio-iommu driver broke the protocol, it has to reset the device: %s\n",
		     why);
	trace_kviommu_virtio_status(kviommu_dev(vi->v), vi->status,
				    vi->status | VIRTIO_CONFIG_S_NEEDS_RESET);
	vi->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (vi->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_irq(vi);
}

/**
 * kviommu_virtio_reset_transport() - the state after a device reset (2.4)
 * @vi: model
 */
void kviommu_virtio_reset_transport(struct kviommu_virtio *vi)
{
	unsigned int i;

	vi->status = 0;
	vi->isr = 0;
	vi->features = 0;
	vi->device_feature_select = 0;
	vi->driver_feature_select = 0;
	vi->queue_select = 0;
	vi->config_vector = VIRTIO_MSI_NO_VECTOR;
	for (i = 0; i < KVIOMMU_NR_VQS; i++)
		kviommu_vq_disable(vi, &vi->vq[i]);
	kviommu_irq_intx(vi->v, false);
}

static void write_status(struct kviommu_virtio *vi, u8 val)
{
	u8 old = vi->status;

	if (!val) {
		kviommu_virtio_reset_transport(vi);
		/*
		 * Endpoints are in no domain now (5.13.5), but a guest that
		 * shuts down resets this device while its disk still works.
		 */
		trace_kviommu_virtio_status(kviommu_dev(vi->v), old, 0);
		kviommu_event(vi->v, KVIOMMU_GUEST_RESET);
		return;
	}
	/* The driver must not clear bits (2.1.1); only reset does. */
	val = (val & KVIOMMU_STATUS_MASK) | old;

	/* 3.1.1: features are final with FEATURES_OK, or it does not stick. */
	if (val & ~old & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (vi->features & ~kviommu_virtio_features() ||
	     !kviommu_virtio_has(vi, VIRTIO_F_VERSION_1)))
		val &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	/* No operation without agreed features (3.1.1, step 6). */
	if (val & VIRTIO_CONFIG_S_DRIVER_OK &&
	    !(val & VIRTIO_CONFIG_S_FEATURES_OK))
		val &= ~VIRTIO_CONFIG_S_DRIVER_OK;

	vi->status = val;
	trace_kviommu_virtio_status(kviommu_dev(vi->v), old, val);
	if (val & ~old & VIRTIO_CONFIG_S_DRIVER_OK)
		kviommu_event(vi->v, KVIOMMU_GUEST_DRIVER);
}

static struct kviommu_vq *selected(struct kviommu_virtio *vi)
{
	return vi->queue_select < KVIOMMU_NR_VQS ? &vi->vq[vi->queue_select] :
						   NULL;
}

static u16 vector_of(u16 val)
{
	/* What can't be had reads back as none (4.1.5.1.2.1). */
	return val < KVIOMMU_MSIX_VECTORS ? val : VIRTIO_MSI_NO_VECTOR;
}

static void enable_queue(struct kviommu_virtio *vi, struct kviommu_vq *vq)
{
	/* 2.7: alignment of the three areas */
	if (!IS_ALIGNED(vq->desc_gpa, VRING_DESC_ALIGN_SIZE) ||
	    !IS_ALIGNED(vq->driver_gpa, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(vq->device_gpa, VRING_USED_ALIGN_SIZE)) {
		kviommu_virtio_needs_reset(vi, "a queue area is not aligned");
		return;
	}
	kviommu_window_init(&vq->desc, vq->desc_gpa,
			    vq->size * sizeof(struct vring_desc));
	/* With used_event and avail_event, whether negotiated or not. */
	kviommu_window_init(&vq->driver, vq->driver_gpa,
			    sizeof(__le16) * (3 + vq->size));
	kviommu_window_init(&vq->device, vq->device_gpa, sizeof(__le16) * 3 +
			    sizeof(struct vring_used_elem) * vq->size);
	vq->enabled = true;
	kviommu_vq_ready(vi, vq);
}

static u32 common_read(struct kviommu_virtio *vi, u32 offset)
{
	struct kviommu_vq *vq = selected(vi);

	switch (offset) {
	case COMMON(device_feature_select):
		return vi->device_feature_select;
	case COMMON(device_feature):
		return vi->device_feature_select > 1 ? 0 :
			kviommu_virtio_features() >>
			(32 * vi->device_feature_select);
	case COMMON(guest_feature_select):
		return vi->driver_feature_select;
	case COMMON(guest_feature):
		return vi->driver_feature_select > 1 ? 0 :
			vi->features >> (32 * vi->driver_feature_select);
	case COMMON(msix_config):
		return vi->config_vector;
	case COMMON(num_queues):
		return KVIOMMU_NR_VQS;
	case COMMON(device_status):
		return vi->status;
	case COMMON(config_generation):
		return vi->config_generation;
	case COMMON(queue_select):
		return vi->queue_select;
	}
	/* 4.1.4.3.1: a queue that does not exist has size 0. */
	if (!vq)
		return 0;
	switch (offset) {
	case COMMON(queue_size):
		return vq->size;
	case COMMON(queue_msix_vector):
		return vq->vector;
	case COMMON(queue_enable):
		return vq->enabled;
	case COMMON(queue_notify_off):
		return vi->queue_select;
	case COMMON(queue_desc_lo):
		return lower_32_bits(vq->desc_gpa);
	case COMMON(queue_desc_hi):
		return upper_32_bits(vq->desc_gpa);
	case COMMON(queue_avail_lo):
		return lower_32_bits(vq->driver_gpa);
	case COMMON(queue_avail_hi):
		return upper_32_bits(vq->driver_gpa);
	case COMMON(queue_used_lo):
		return lower_32_bits(vq->device_gpa);
	case COMMON(queue_used_hi):
		return upper_32_bits(vq->device_gpa);
	default:
		return 0;
	}
}

static void set_lo(u64 *addr, u32 val)
{
	*addr = (*addr & ~(u64)U32_MAX) | val;
}

static void set_hi(u64 *addr, u32 val)
{
	*addr = (*addr & U32_MAX) | (u64)val << 32;
}

static void queue_write(struct kviommu_virtio *vi, struct kviommu_vq *vq,
			u32 offset, u32 val)
{
	if (offset == COMMON(queue_msix_vector)) {
		vq->vector = vector_of(val);
		return;
	}
	/* Nothing else of a queue changes once it is in use (4.1.4.3.2). */
	if (vq->enabled)
		return;
	switch (offset) {
	case COMMON(queue_size):
		if (is_power_of_2(val) && val <= vq->max)
			vq->size = val;
		else
			kviommu_virtio_needs_reset(vi, "a queue has a bad size");
		break;
	case COMMON(queue_enable):
		if (val == 1)
			enable_queue(vi, vq);
		break;
	case COMMON(queue_desc_lo):
		set_lo(&vq->desc_gpa, val);
		break;
	case COMMON(queue_desc_hi):
		set_hi(&vq->desc_gpa, val);
		break;
	case COMMON(queue_avail_lo):
		set_lo(&vq->driver_gpa, val);
		break;
	case COMMON(queue_avail_hi):
		set_hi(&vq->driver_gpa, val);
		break;
	case COMMON(queue_used_lo):
		set_lo(&vq->device_gpa, val);
		break;
	case COMMON(queue_used_hi):
		set_hi(&vq->device_gpa, val);
		break;
	}
}

static void write_features(struct kviommu_virtio *vi, u32 val)
{
	if (vi->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (vi->driver_feature_select == 0)
		set_lo(&vi->features, val);
	else if (vi->driver_feature_select == 1)
		set_hi(&vi->features, val);
}

static void common_write(struct kviommu_virtio *vi, u32 offset, u32 val)
{
	struct kviommu_vq *vq = selected(vi);

	switch (offset) {
	case COMMON(device_feature_select):
		vi->device_feature_select = val;
		break;
	case COMMON(guest_feature_select):
		vi->driver_feature_select = val;
		break;
	case COMMON(guest_feature):
		write_features(vi, val);
		break;
	case COMMON(msix_config):
		vi->config_vector = vector_of(val);
		break;
	case COMMON(device_status):
		write_status(vi, val);
		break;
	case COMMON(queue_select):
		vi->queue_select = val;
		break;
	default:
		if (vq)
			queue_write(vi, vq, offset, val);
	}
}

/* Width of a field of the common configuration, 0 where there is none. */
static size_t common_width(u32 offset)
{
	switch (offset) {
	case COMMON(device_status):
	case COMMON(config_generation):
		return 1;
	case COMMON(msix_config):
	case COMMON(num_queues):
	case COMMON(queue_select):
	case COMMON(queue_size):
	case COMMON(queue_msix_vector):
	case COMMON(queue_enable):
	case COMMON(queue_notify_off):
		return 2;
	case COMMON(device_feature_select):
	case COMMON(device_feature):
	case COMMON(guest_feature_select):
	case COMMON(guest_feature):
	case COMMON(queue_desc_lo):
	case COMMON(queue_desc_hi):
	case COMMON(queue_avail_lo):
	case COMMON(queue_avail_hi):
	case COMMON(queue_used_lo):
	case COMMON(queue_used_hi):
		return 4;
	default:
		return 0;
	}
}

static void device_config(struct kviommu_virtio *vi,
			  struct virtio_iommu_config *c)
{
	struct kviommu *v = vi->v;

	*c = (struct virtio_iommu_config){
		.page_size_mask = cpu_to_le64(v->frozen.page_sizes),
		.input_range.end = cpu_to_le64(v->frozen.last),
		.domain_range.end = cpu_to_le32(v->max_domains - 1),
		.probe_size = cpu_to_le32(KVIOMMU_PROBE_SIZE),
		.bypass = vi->bypass,
	};
}

static void device_write(struct kviommu_virtio *vi, u32 offset, const u8 *buf,
			 size_t len)
{
	/* The one field a driver may write, if negotiated (5.13.4.1). */
	if (offset != offsetof(struct virtio_iommu_config, bypass) ||
	    len != 1 || *buf > 1 || *buf == vi->bypass ||
	    !kviommu_virtio_has(vi, VIRTIO_IOMMU_F_BYPASS_CONFIG))
		return;
	vi->bypass = *buf;
	vi->config_generation++;
	kviommu_event(vi->v, KVIOMMU_GUEST_POLICY);
}

/**
 * kviommu_virtio_read() - read a register
 * @v: vIOMMU, locked
 * @offset: in BAR 0, naturally aligned
 * @buf: zeroed, result
 * @len: 1, 2, 4 or 8 bytes
 *
 * 4.1.3.1: a field is accessed with its own width, a 64-bit one in halves;
 * anything else reads as 0.
 */
void kviommu_virtio_read(struct kviommu *v, u32 offset, void *buf, size_t len)
{
	struct kviommu_virtio *vi = v->model_priv;
	struct virtio_iommu_config config;
	u32 at = offset % KVIOMMU_VIRTIO_REGION;
	__le32 val;

	switch (offset - at) {
	case KVIOMMU_VIRTIO_COMMON:
		if (common_width(at) != len)
			return;
		val = cpu_to_le32(common_read(vi, at));
		memcpy(buf, &val, len);
		return;
	case KVIOMMU_VIRTIO_ISR:
		if (at)
			return;
		/* Reading clears it and the interrupt (4.1.4.5.1). */
		*(u8 *)buf = vi->isr;
		vi->isr = 0;
		kviommu_irq_intx(v, false);
		return;
	case KVIOMMU_VIRTIO_DEVICE:
		if (at + len > sizeof(config))
			return;
		device_config(vi, &config);
		memcpy(buf, (u8 *)&config + at, len);
		return;
	}
}

static void notified(struct kviommu_virtio *vi, u32 queue)
{
	struct kviommu *v = vi->v;
	unsigned int done = 0;

	if (queue >= KVIOMMU_NR_VQS || !kviommu_virtio_running(vi) ||
	    !vi->vq[queue].enabled)
		return;
	if (queue == KVIOMMU_EVENTQ) {
		kviommu_virtio_events(vi);
		return;
	}
	v->count.kicks++;
	/* The worker looks by itself. */
	if (v->worker.polling)
		return;
	if (v->worker.dead) {
		kviommu_work_all(v);
		v->model->notify(v, true);
		return;
	}
	if (kviommu_work_locked(v, READ_ONCE(v->batch), &done))
		kviommu_worker_wake(v);
	kviommu_worker_kick(v);
}

/**
 * kviommu_virtio_write() - write a register
 * @v: vIOMMU, locked
 * @offset: in BAR 0, naturally aligned
 * @buf: value
 * @len: 1, 2, 4 or 8 bytes
 */
void kviommu_virtio_write(struct kviommu *v, u32 offset, const void *buf,
			  size_t len)
{
	struct kviommu_virtio *vi = v->model_priv;
	u32 at = offset % KVIOMMU_VIRTIO_REGION;
	__le32 val = 0;

	switch (offset - at) {
	case KVIOMMU_VIRTIO_COMMON:
		if (common_width(at) != len)
			return;
		memcpy(&val, buf, len);
		common_write(vi, at, le32_to_cpu(val));
		return;
	case KVIOMMU_VIRTIO_DEVICE:
		device_write(vi, at, buf, len);
		return;
	case KVIOMMU_VIRTIO_NOTIFY:
		/* 4.1.5.2: the queue's number is written; so is its place. */
		if (at % KVIOMMU_NOTIFY_MULT == 0)
			notified(vi, at / KVIOMMU_NOTIFY_MULT);
		return;
	}
}

static u8 add_cap(struct kviommu_config *c, u8 type, u32 offset, u32 length,
		  u32 extra, u8 len)
{
	struct {
		struct virtio_pci_cap cap;
		__le32 extra;
	} cap = {
		.cap = {
			.cap_vndr = PCI_CAP_ID_VNDR,
			.cap_len = len,
			.cfg_type = type,
			.offset = cpu_to_le32(offset),
			.length = cpu_to_le32(length),
		},
		.extra = cpu_to_le32(extra),
	};

	return kviommu_config_add_cap(c, &cap, len);
}

/**
 * kviommu_virtio_pci_config() - the PCI configuration space (4.1.2, 4.1.4)
 * @v: vIOMMU
 */
void kviommu_virtio_pci_config(struct kviommu *v)
{
	static const u32 bar_size[] = { 4 * KVIOMMU_VIRTIO_REGION, 0x1000 };
	struct kviommu_config *c = &v->config;
	u8 len = sizeof(struct virtio_pci_cap), pos;

	kviommu_config_init(c, PCI_VENDOR_ID_REDHAT_QUMRANET,
			    0x1040 + VIRTIO_ID_IOMMU, 0x080600, bar_size);
	kviommu_config_add_msix(c, 1, KVIOMMU_MSIX_VECTORS, 0, 0x800);
	add_cap(c, VIRTIO_PCI_CAP_COMMON_CFG, KVIOMMU_VIRTIO_COMMON,
		sizeof(struct virtio_pci_common_cfg), 0, len);
	add_cap(c, VIRTIO_PCI_CAP_NOTIFY_CFG, KVIOMMU_VIRTIO_NOTIFY,
		KVIOMMU_NR_VQS * KVIOMMU_NOTIFY_MULT, KVIOMMU_NOTIFY_MULT,
		len + sizeof(__le32));
	add_cap(c, VIRTIO_PCI_CAP_ISR_CFG, KVIOMMU_VIRTIO_ISR, 1, 0, len);
	add_cap(c, VIRTIO_PCI_CAP_DEVICE_CFG, KVIOMMU_VIRTIO_DEVICE,
		sizeof(struct virtio_iommu_config), 0, len);
	pos = add_cap(c, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0,
		      len + sizeof(__le32));
	/* Of the access window BAR, offset, length and data can be written. */
	c->bar_window = pos;
	c->writable[pos + offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(c->writable + pos + offsetof(struct virtio_pci_cap, offset),
	       0xff, 12);
}
