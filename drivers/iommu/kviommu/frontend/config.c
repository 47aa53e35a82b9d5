// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI configuration space of the emulated device: 256 bytes with masks of what
 * may be written. A VMM may emulate BARs and MSI-X itself (QEMU does); one
 * that does not finds here what a device would do.
 */
#include <linux/pci_regs.h>
#include <linux/unaligned.h>

#include "kviommu_private.h"

#define FIRST_CAP	0x40

static void set16(u8 *p, u16 val)
{
	put_unaligned_le16(val, p);
}

static void set32(u8 *p, u32 val)
{
	put_unaligned_le32(val, p);
}

/**
 * kviommu_config_init() - a type 0 header with 32-bit memory BARs 0 and 1
 * @c: configuration space
 * @vendor: PCI vendor id; the subsystem gets the same
 * @device: PCI device id
 * @class: 24 bits of class code
 * @bar_size: two powers of two, bytes
 */
void kviommu_config_init(struct kviommu_config *c, u16 vendor, u16 device,
			 u32 class, const u32 *bar_size)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	set16(c->space + PCI_VENDOR_ID, vendor);
	set16(c->space + PCI_DEVICE_ID, device);
	set16(c->space + PCI_STATUS, PCI_STATUS_CAP_LIST);
	set32(c->space + PCI_CLASS_REVISION, class << 8 | 1);
	set16(c->space + PCI_SUBSYSTEM_VENDOR_ID, vendor);
	set16(c->space + PCI_SUBSYSTEM_ID, device);
	c->space[PCI_INTERRUPT_PIN] = 1;

	set16(c->writable + PCI_COMMAND, PCI_COMMAND_MEMORY |
	      PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	c->writable[PCI_INTERRUPT_LINE] = 0xff;
	for (i = 0; i < 2; i++) {
		c->bar_size[i] = bar_size[i];
		set32(c->writable + PCI_BASE_ADDRESS_0 + 4 * i,
		      ~(bar_size[i] - 1));
	}
}

/**
 * kviommu_config_add_cap() - add a capability, read-only
 * @c: configuration space
 * @cap: the capability; its first byte is the id, the link is filled in
 * @len: bytes
 *
 * Return: its offset.
 */
u8 kviommu_config_add_cap(struct kviommu_config *c, const void *cap, u8 len)
{
	u8 *link = &c->space[PCI_CAPABILITY_LIST], pos = FIRST_CAP;

	while (*link) {
		u8 at = *link;

		link = &c->space[at + PCI_CAP_LIST_NEXT];
		/* No capability here is longer than 24 bytes. */
		pos = at + 24;
	}
	memcpy(c->space + pos, cap, len);
	c->space[pos + PCI_CAP_LIST_NEXT] = 0;
	*link = pos;
	return pos;
}

/**
 * kviommu_config_add_msix() - add an MSI-X capability (PCI 3.0 6.8.2)
 * @c: configuration space
 * @bar: where table and pending bits are
 * @vectors: number of them
 * @table: offset in the BAR
 * @pba: offset in the BAR
 */
void kviommu_config_add_msix(struct kviommu_config *c, u8 bar,
			     unsigned int vectors, u32 table, u32 pba)
{
	u8 cap[12] = { PCI_CAP_ID_MSIX };
	u8 pos;

	set16(cap + PCI_MSIX_FLAGS, vectors - 1);
	set32(cap + PCI_MSIX_TABLE, table | bar);
	set32(cap + PCI_MSIX_PBA, pba | bar);
	pos = kviommu_config_add_cap(c, cap, sizeof(cap));
	set16(c->writable + pos + PCI_MSIX_FLAGS,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
}

/**
 * kviommu_config_intx_disabled() - may the device not send INTx
 * @c: configuration space
 */
bool kviommu_config_intx_disabled(const struct kviommu_config *c)
{
	return get_unaligned_le16(c->space + PCI_COMMAND) &
	       PCI_COMMAND_INTX_DISABLE;
}

/**
 * kviommu_config_intx_status() - show whether INTx is pending
 * @c: configuration space
 * @level: it is
 */
void kviommu_config_intx_status(struct kviommu_config *c, bool level)
{
	c->space[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	if (level)
		c->space[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
}

/* The access window that virtio puts in a capability (virtio 1.3 4.1.4.9). */
static void window_access(struct kviommu *v, bool write)
{
	u8 *cap = v->config.space + v->config.bar_window;
	u32 offset = get_unaligned_le32(cap + 8);
	u32 len = get_unaligned_le32(cap + 12);
	u8 bar = cap[4], *data = cap + 16;

	if (bar > 1 || (len != 1 && len != 2 && len != 4) ||
	    offset % len || offset > v->config.bar_size[bar] - len)
		return;
	if (write)
		kviommu_bar_write(v, bar, offset, data, len);
	else
		kviommu_bar_read(v, bar, offset, data, len);
}

/**
 * kviommu_config_access() - read or write configuration space
 * @v: vIOMMU, locked
 * @offset: first byte
 * @buf: data
 * @len: bytes; the range is inside the space
 * @write: which
 *
 * Return: @len.
 */
ssize_t kviommu_config_access(struct kviommu *v, u32 offset, u8 *buf,
			      size_t len, bool write)
{
	struct kviommu_config *c = &v->config;
	u32 data = c->bar_window ? c->bar_window + 16 : KVIOMMU_CFG_SIZE;
	bool window = offset < data + 4 && offset + len > data;
	size_t i;

	lockdep_assert_held(&v->lock);
	if (!write) {
		if (window)
			window_access(v, false);
		memcpy(buf, c->space + offset, len);
		return len;
	}
	for (i = 0; i < len; i++) {
		u8 mask = c->writable[offset + i];

		c->space[offset + i] &= ~mask;
		c->space[offset + i] |= buf[i] & mask;
	}
	/* INTx may just have been allowed. */
	if (offset <= PCI_COMMAND + 1 && offset + len > PCI_COMMAND)
		kviommu_irq_intx(v, v->irqs.intx_level);
	if (window)
		window_access(v, true);
	return len;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_config_access);
