// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transport: registers by the layout of virtio 1.3 4.1.4, written down here a
 * second time; the status register's rules (2.1, 3.1); and any access at all.
 */
#include <linux/pci_regs.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "guest.h"

#define EP	0x28

struct reg {
	u32 at;
	u8 len;
	const char *name;
	bool writable;
};

static const struct reg regs[] = {
	{ 0x00, 4, "device_feature_select", true },
	{ 0x04, 4, "device_feature", false },
	{ 0x08, 4, "driver_feature_select", true },
	{ 0x0c, 4, "driver_feature", true },
	{ 0x10, 2, "config_msix_vector", true },
	{ 0x12, 2, "num_queues", false },
	{ 0x14, 1, "device_status", true },
	{ 0x15, 1, "config_generation", false },
	{ 0x16, 2, "queue_select", true },
	{ 0x18, 2, "queue_size", true },
	{ 0x1a, 2, "queue_msix_vector", true },
	{ 0x1c, 2, "queue_enable", true },
	{ 0x1e, 2, "queue_notify_off", false },
	{ 0x20, 4, "queue_desc low", true },
	{ 0x24, 4, "queue_desc high", true },
	{ 0x28, 4, "queue_driver low", true },
	{ 0x2c, 4, "queue_driver high", true },
	{ 0x30, 4, "queue_device low", true },
	{ 0x34, 4, "queue_device high", true },
};

static const struct reg *reg_at(u32 at, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].at == at && regs[i].len == len)
			return &regs[i];
	return NULL;
}

/* All fields of the common configuration, for all queues. */
static void read_all(struct guest *g, u32 *vals)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++)
		vals[i] = guest_read(g, regs[i].at, regs[i].len);
}

static struct guest *create(struct kunit *test)
{
	return guest_create(test, MOCK_CONTIGUOUS, false);
}

/* A field has one width; everything else reads 0 and takes no write. */
static void transport_widths(struct kunit *test)
{
	struct guest *g = create(test);
	u32 before[ARRAY_SIZE(regs)], after[ARRAY_SIZE(regs)], at;
	size_t len;

	guest_negotiate(g, GUEST_ALL_FEATURES);
	guest_write(g, REG_QUEUE_SELECT, 2, 1);
	guest_write(g, REG_QUEUE_DESC, 4, 0x11223340);
	guest_write(g, REG_QUEUE_DESC + 4, 4, 0x55667788);
	guest_write(g, REG_QUEUE_DRIVER, 4, 0x99aabbcc);
	guest_write(g, REG_QUEUE_DEVICE + 4, 4, 0xddeeff00);
	read_all(g, before);
	for (len = 1; len <= 8; len *= 2) {
		for (at = 0; at < 0x1000; at += len) {
			if (reg_at(at, len))
				continue;
			KUNIT_EXPECT_EQ_MSG(test, 0, guest_read(g, at, len),
					    "%zu bytes at 0x%x", len, at);
			guest_write(g, at, len, U64_MAX);
			guest_write(g, at, len, 0);
		}
	}
	read_all(g, after);
	KUNIT_EXPECT_MEMEQ(test, before, after, sizeof(before));
}

/* What the device says of itself takes no write; the rest reads back. */
static void transport_read_write(struct kunit *test)
{
	struct guest *g = create(test);
	u32 before[ARRAY_SIZE(regs)], after[ARRAY_SIZE(regs)];
	unsigned int i;

	guest_write(g, REG_DEVICE_STATUS, 1, 3);
	read_all(g, before);
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		if (!regs[i].writable)
			guest_write(g, regs[i].at, regs[i].len, ~before[i]);
	read_all(g, after);
	KUNIT_EXPECT_MEMEQ(test, before, after, sizeof(before));

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		if (!regs[i].writable || regs[i].len != 4)
			continue;
		guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 1);
		guest_write(g, regs[i].at, 4, 1);
		KUNIT_EXPECT_EQ_MSG(test, 1, guest_read(g, regs[i].at, 4), "%s",
				    regs[i].name);
	}
	KUNIT_EXPECT_EQ(test, 2, guest_read(g, REG_NUM_QUEUES, 2));
}

static void transport_features(struct kunit *test)
{
	struct guest *g = create(test);
	/* By their numbers (2.2, 5.13.3) */
	u64 want = BIT_ULL(32) | BIT_ULL(28) | BIT_ULL(29) | BIT_ULL(0) |
		   BIT_ULL(1) | BIT_ULL(2) | BIT_ULL(4) | BIT_ULL(5) | BIT_ULL(6);
	unsigned int i;

	guest_write(g, REG_DEVICE_FEATURE_SELECT, 4, 0);
	KUNIT_EXPECT_EQ(test, lower_32_bits(want),
			guest_read(g, REG_DEVICE_FEATURE, 4));
	guest_write(g, REG_DEVICE_FEATURE_SELECT, 4, 1);
	KUNIT_EXPECT_EQ(test, upper_32_bits(want),
			guest_read(g, REG_DEVICE_FEATURE, 4));
	for (i = 2; i < 40; i++) {
		guest_write(g, REG_DEVICE_FEATURE_SELECT, 4, i);
		KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_DEVICE_FEATURE, 4));
		guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, i);
		guest_write(g, REG_DRIVER_FEATURE, 4, U32_MAX);
		KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_DRIVER_FEATURE, 4));
	}
	KUNIT_EXPECT_EQ(test, g->vi->features, 0);

	/* Each feature alone with VERSION_1, and each without it. */
	for (i = 0; i < 64; i++) {
		bool ok = want & BIT_ULL(i);
		unsigned int k;

		for (k = 0; k < 2; k++) {
			u64 f = BIT_ULL(i) | (k ? 0 : BIT_ULL(32));

			guest_write(g, REG_DEVICE_STATUS, 1, 0);
			guest_write(g, REG_DEVICE_STATUS, 1, 3);
			guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 0);
			guest_write(g, REG_DRIVER_FEATURE, 4, lower_32_bits(f));
			guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 1);
			guest_write(g, REG_DRIVER_FEATURE, 4, upper_32_bits(f));
			guest_write(g, REG_DEVICE_STATUS, 1, STATUS_READY);
			KUNIT_EXPECT_EQ_MSG(test, guest_status(g),
					    ok && f & BIT_ULL(32) ? STATUS_READY : 3,
					    "features 0x%llx", f);
		}
	}

	/* Final with FEATURES_OK. */
	guest_negotiate(g, GUEST_ALL_FEATURES);
	guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 0);
	guest_write(g, REG_DRIVER_FEATURE, 4, 0);
	KUNIT_EXPECT_EQ(test, g->vi->features, want);
	KUNIT_EXPECT_EQ(test, guest_read(g, REG_DRIVER_FEATURE, 4),
			lower_32_bits(want));
}

/* What is written, from which status, and what is read then. */
static void transport_status(struct kunit *test)
{
	struct guest *g = create(test);
	unsigned int from, val;

	for (from = 0; from < 16; from++) {
		for (val = 1; val < 256; val += val < 20 ? 1 : 21) {
			u8 want, old;

			guest_write(g, REG_DEVICE_STATUS, 1, 0);
			guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 1);
			guest_write(g, REG_DRIVER_FEATURE, 4, 1);
			if (from)
				guest_write(g, REG_DEVICE_STATUS, 1, from);
			old = guest_status(g);
			KUNIT_EXPECT_EQ(test, old, from & 4 && !(from & 8) ?
					from & ~4 : from);
			guest_write(g, REG_DEVICE_STATUS, 1, val);
			/* Bits stay; unknown ones don't come; 4 needs 8. */
			want = old | (val & 0x8f);
			if (!(want & 8))
				want &= ~4;
			KUNIT_EXPECT_EQ_MSG(test, guest_status(g), want,
					    "0x%x written to 0x%x", val, old);
		}
		if (test->status != KUNIT_SUCCESS)
			break;
	}
	guest_write(g, REG_DEVICE_STATUS, 1, 0);
	KUNIT_EXPECT_EQ(test, guest_status(g), 0);
}

/* A reset of the device puts every register back. */
static void transport_reset(struct kunit *test)
{
	struct guest *g = create(test);
	u32 before[ARRAY_SIZE(regs)], after[ARRAY_SIZE(regs)];
	unsigned int q;

	for (q = 0; q < 2; q++) {
		guest_write(g, REG_DEVICE_STATUS, 1, 0);
		guest_write(g, REG_QUEUE_SELECT, 2, q);
		read_all(g, before);
		guest_start(g, GUEST_ALL_FEATURES);
		guest_write(g, REG_QUEUE_SELECT, 2, q);
		guest_write(g, REG_QUEUE_MSIX_VECTOR, 2, 1);
		guest_write(g, REG_CONFIG_MSIX_VECTOR, 2, 2);
		guest_write(g, REG_DEVICE_STATUS, 1, 0);
		KUNIT_EXPECT_EQ(test, guest_read(g, REG_QUEUE_SELECT, 2), 0);
		guest_write(g, REG_QUEUE_SELECT, 2, q);
		read_all(g, after);
		KUNIT_EXPECT_MEMEQ(test, before, after, sizeof(before));
	}
	KUNIT_EXPECT_EQ(test, g->m->mem.pinned, 0);
}

static void transport_queues(struct kunit *test)
{
	struct guest *g = create(test);
	static const u16 max[] = { 1024, 256, 0, 0 };
	static const u16 bad[] = { 0, 3, 1023, 0x8000, 0xffff };
	unsigned int q, i;
	u32 size;

	for (q = 0; q < ARRAY_SIZE(max); q++) {
		guest_negotiate(g, GUEST_ALL_FEATURES);
		guest_write(g, REG_QUEUE_SELECT, 2, q);
		KUNIT_EXPECT_EQ(test, q, guest_read(g, REG_QUEUE_SELECT, 2));
		KUNIT_EXPECT_EQ(test, max[q], guest_read(g, REG_QUEUE_SIZE, 2));
		KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_QUEUE_ENABLE, 2));
		KUNIT_EXPECT_EQ(test, max[q] ? q : 0,
				guest_read(g, REG_QUEUE_NOTIFY_OFF, 2));
		if (!max[q]) {
			/* Nothing there: nothing happens. */
			guest_write(g, REG_QUEUE_SIZE, 2, 8);
			guest_write(g, REG_QUEUE_ENABLE, 2, 1);
			KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_QUEUE_SIZE, 2));
			KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_QUEUE_ENABLE, 2));
			KUNIT_EXPECT_EQ(test, STATUS_READY, guest_status(g));
			continue;
		}
		for (size = 1; size <= max[q]; size *= 2) {
			guest_write(g, REG_QUEUE_SIZE, 2, size);
			KUNIT_EXPECT_EQ(test, size, guest_read(g, REG_QUEUE_SIZE, 2));
		}
		KUNIT_EXPECT_EQ(test, STATUS_READY, guest_status(g));
		for (i = 0; i <= ARRAY_SIZE(bad); i++) {
			guest_negotiate(g, GUEST_ALL_FEATURES);
			guest_write(g, REG_QUEUE_SELECT, 2, q);
			guest_write(g, REG_QUEUE_SIZE, 2,
				    i < ARRAY_SIZE(bad) ? bad[i] : 2 * max[q]);
			KUNIT_EXPECT_EQ(test, max[q], guest_read(g, REG_QUEUE_SIZE, 2));
			KUNIT_EXPECT_EQ(test, STATUS_READY |
					VIRTIO_CONFIG_S_NEEDS_RESET, guest_status(g));
		}
	}
	/* 0xffff selects none, and the next is still there. */
	guest_negotiate(g, GUEST_ALL_FEATURES);
	guest_write(g, REG_QUEUE_SELECT, 2, 0xffff);
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_QUEUE_SIZE, 2));

	/* In use: nothing but the vector changes. */
	guest_setup_queue(g, 0, 16);
	KUNIT_EXPECT_EQ(test, 1, guest_read(g, REG_QUEUE_ENABLE, 2));
	guest_write(g, REG_QUEUE_SIZE, 2, 32);
	guest_write_addr(g, REG_QUEUE_DESC, 0x123000);
	guest_write(g, REG_QUEUE_ENABLE, 2, 0);
	guest_write(g, REG_QUEUE_MSIX_VECTOR, 2, 2);
	KUNIT_EXPECT_EQ(test, 16, guest_read(g, REG_QUEUE_SIZE, 2));
	KUNIT_EXPECT_EQ(test, lower_32_bits(g->vq[0].desc),
			guest_read(g, REG_QUEUE_DESC, 4));
	KUNIT_EXPECT_EQ(test, 1, guest_read(g, REG_QUEUE_ENABLE, 2));
	KUNIT_EXPECT_EQ(test, 2, guest_read(g, REG_QUEUE_MSIX_VECTOR, 2));
	KUNIT_EXPECT_EQ(test, STATUS_READY, guest_status(g));
}

/* Vectors that don't exist read back as none (4.1.5.1.2.1). */
static void transport_vectors(struct kunit *test)
{
	struct guest *g = create(test);
	static const u16 vals[] = { 0, 1, 2, 3, 4, 0x7fff, 0xfffe, 0xffff };
	unsigned int i, q;
	u16 want;

	for (i = 0; i < ARRAY_SIZE(vals); i++) {
		want = vals[i] < 3 ? vals[i] : 0xffff;
		guest_write(g, REG_CONFIG_MSIX_VECTOR, 2, vals[i]);
		KUNIT_EXPECT_EQ(test, want, guest_read(g, REG_CONFIG_MSIX_VECTOR, 2));
		for (q = 0; q < 2; q++) {
			guest_write(g, REG_QUEUE_SELECT, 2, q);
			guest_write(g, REG_QUEUE_MSIX_VECTOR, 2, vals[i]);
			KUNIT_EXPECT_EQ(test, want,
					guest_read(g, REG_QUEUE_MSIX_VECTOR, 2));
		}
	}
}

static void transport_isr(struct kunit *test)
{
	struct guest *g = create(test);

	guest_add_dev(g, 0, EP, NULL);
	guest_start(g, GUEST_ALL_FEATURES & ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX));
	KUNIT_EXPECT_EQ(test, 0, guest_attach(g, 1, EP, 0));
	/* Wrong widths and places don't clear it. */
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_ISR + 1, 1));
	guest_write(g, REG_ISR, 1, 0xff);
	KUNIT_EXPECT_EQ(test, 1, guest_read(g, REG_ISR, 1));
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_ISR, 1));
	KUNIT_EXPECT_FALSE(test, g->v->irqs.intx_level);
	guest_avail(g, 0, 0xffff);
	guest_kick(g, 0);
	KUNIT_EXPECT_TRUE(test, g->v->irqs.intx_level);
	KUNIT_EXPECT_EQ(test, 2, guest_read(g, REG_ISR, 1) & 2);
	KUNIT_EXPECT_FALSE(test, g->v->irqs.intx_level);
}

/* Notifications that mean nothing do nothing. */
static void transport_notify(struct kunit *test)
{
	struct guest *g = create(test);
	struct virtio_iommu_req_tail tail = {};
	u32 at, head, len;

	guest_add_dev(g, 0, EP, NULL);
	guest_negotiate(g, GUEST_ALL_FEATURES);
	guest_kick(g, 0);
	guest_setup_queue(g, 0, 64);
	guest_desc(g, g->vq[0].desc, 0, GUEST_BUF, sizeof(tail),
		   VRING_DESC_F_WRITE, 0);
	guest_avail(g, 0, 0);
	/* Not before DRIVER_OK. */
	guest_kick(g, 0);
	KUNIT_EXPECT_FALSE(test, guest_used(g, 0, &head, &len));
	guest_write(g, REG_DEVICE_STATUS, 1, STATUS_READY |
		    VIRTIO_CONFIG_S_DRIVER_OK);
	for (at = 1; at < 0x1000; at++) {
		guest_write(g, REG_NOTIFY + at, 1, 0);
		if (at % 4 == 0)
			guest_write(g, REG_NOTIFY + at, 4, 0);
	}
	KUNIT_EXPECT_FALSE(test, guest_used(g, 0, &head, &len));
	guest_kick(g, 0);
	KUNIT_EXPECT_TRUE(test, guest_used(g, 0, &head, &len));
	KUNIT_EXPECT_FALSE(test, guest_status(g) & VIRTIO_CONFIG_S_NEEDS_RESET);
	KUNIT_EXPECT_EQ(test, 0, guest_attach(g, 1, EP, 0));
	/* Reading is nothing either. */
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_NOTIFY, 4));
}

static void transport_device_config(struct kunit *test)
{
	struct guest *g = create(test);
	u8 want[40] = {}, got[40], gen;
	size_t len, at;
	u64 val;

	/* 5.13.4 */
	put_unaligned_le64(PAGE_MASK, want);
	put_unaligned_le64(0, want + 8);
	put_unaligned_le64(GENMASK_ULL(47, 0), want + 16);
	put_unaligned_le32(0, want + 24);
	put_unaligned_le32(15, want + 28);
	put_unaligned_le32(512, want + 32);
	want[36] = 1;
	for (len = 1; len <= 8; len *= 2) {
		for (at = 0; at < sizeof(got); at += len) {
			val = guest_read(g, REG_CONFIG + at, len);
			memcpy(got + at, &val, len);
		}
		KUNIT_EXPECT_MEMEQ(test, got, want, sizeof(want));
		for (; at < 0x1000; at += len)
			KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_CONFIG + at, len));
	}

	/* Nothing but bypass, a byte, and only if negotiated. */
	guest_negotiate(g, GUEST_ALL_FEATURES &
			~BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG));
	guest_write(g, REG_CONFIG + 36, 1, 0);
	KUNIT_EXPECT_EQ(test, 1, guest_read(g, REG_CONFIG + 36, 1));
	guest_negotiate(g, GUEST_ALL_FEATURES);
	gen = guest_read(g, REG_CONFIG_GENERATION, 1);
	for (len = 1; len <= 8; len *= 2)
		for (at = 0; at < 0x1000; at += len)
			if (at != 36 || len != 1)
				guest_write(g, REG_CONFIG + at, len, 0);
	guest_write(g, REG_CONFIG + 36, 1, 2);
	guest_write(g, REG_CONFIG + 36, 1, 0xff);
	for (at = 0; at < sizeof(got); at++)
		got[at] = guest_read(g, REG_CONFIG + at, 1);
	KUNIT_EXPECT_MEMEQ(test, got, want, sizeof(want));
	KUNIT_EXPECT_EQ(test, gen, guest_read(g, REG_CONFIG_GENERATION, 1));
	guest_write(g, REG_CONFIG + 36, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_CONFIG + 36, 1));
	KUNIT_EXPECT_NE(test, gen, guest_read(g, REG_CONFIG_GENERATION, 1));
	/* The driver's reset keeps it, the system's does not (5.13.4.2). */
	guest_write(g, REG_DEVICE_STATUS, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_CONFIG + 36, 1));
	kviommu_reset(g->v);
	KUNIT_EXPECT_EQ(test, 1, guest_read(g, REG_CONFIG + 36, 1));
	g->v->boot_bypass = false;
	kviommu_reset(g->v);
	KUNIT_EXPECT_EQ(test, 0, guest_read(g, REG_CONFIG + 36, 1));
}

/* ---- PCI configuration space ---- */

static u32 cfg_read(struct guest *g, u32 at, size_t len)
{
	u8 buf[4] = {};

	mutex_lock(&g->v->lock);
	kviommu_config_access(g->v, at, buf, len, false);
	mutex_unlock(&g->v->lock);
	return get_unaligned_le32(buf);
}

static void cfg_write(struct guest *g, u32 at, size_t len, u32 val)
{
	u8 buf[4];

	put_unaligned_le32(val, buf);
	mutex_lock(&g->v->lock);
	kviommu_config_access(g->v, at, buf, len, true);
	mutex_unlock(&g->v->lock);
}

static void transport_pci_config(struct kunit *test)
{
	struct guest *g = create(test);
	/* Type -> BAR 0 offset, length (4.1.4); seen types by bit */
	static const struct {
		u32 offset, len;
	} want[] = {
		[VIRTIO_PCI_CAP_COMMON_CFG]	= { 0x0000, 56 },
		[VIRTIO_PCI_CAP_NOTIFY_CFG]	= { 0x3000, 8 },
		[VIRTIO_PCI_CAP_ISR_CFG]	= { 0x1000, 1 },
		[VIRTIO_PCI_CAP_DEVICE_CFG]	= { 0x2000, 40 },
	};
	unsigned int seen = 0, msix = 0, n = 0;
	u8 at, window = 0, type;

	KUNIT_EXPECT_EQ(test, cfg_read(g, 0, 4), 0x10571af4);
	KUNIT_EXPECT_EQ(test, cfg_read(g, 8, 4), 0x08060001);
	KUNIT_EXPECT_EQ(test, cfg_read(g, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x10571af4);
	KUNIT_EXPECT_TRUE(test, cfg_read(g, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	for (at = cfg_read(g, PCI_CAPABILITY_LIST, 1); at && n < 20;
	     at = cfg_read(g, at + 1, 1), n++) {
		KUNIT_EXPECT_GE(test, at, 0x40);
		if (cfg_read(g, at, 1) == PCI_CAP_ID_MSIX) {
			msix++;
			KUNIT_EXPECT_EQ(test, cfg_read(g, at + 2, 2), 2);
			KUNIT_EXPECT_EQ(test, cfg_read(g, at + 4, 4), 1);
			KUNIT_EXPECT_EQ(test, cfg_read(g, at + 8, 4), 0x801);
			continue;
		}
		KUNIT_EXPECT_EQ(test, cfg_read(g, at, 1), PCI_CAP_ID_VNDR);
		type = cfg_read(g, at + 3, 1);
		KUNIT_ASSERT_LE(test, type, VIRTIO_PCI_CAP_PCI_CFG);
		KUNIT_EXPECT_FALSE(test, seen & BIT(type));
		seen |= BIT(type);
		if (type == VIRTIO_PCI_CAP_PCI_CFG) {
			window = at;
			KUNIT_EXPECT_EQ(test, cfg_read(g, at + 2, 1), 20);
			continue;
		}
		KUNIT_EXPECT_EQ(test, cfg_read(g, at + 4, 1), 0);
		KUNIT_EXPECT_EQ(test, cfg_read(g, at + 8, 4), want[type].offset);
		KUNIT_EXPECT_EQ(test, cfg_read(g, at + 12, 4), want[type].len);
		if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
			KUNIT_EXPECT_EQ(test, cfg_read(g, at + 16, 4), 4);
	}
	KUNIT_EXPECT_EQ(test, msix, 1);
	KUNIT_EXPECT_EQ(test, seen, 0x3e);
	KUNIT_ASSERT_NE(test, window, 0);

	/* The window reaches the same registers. */
	cfg_write(g, window + 4, 1, 0);
	cfg_write(g, window + 8, 4, REG_DEVICE_STATUS);
	cfg_write(g, window + 12, 4, 1);
	cfg_write(g, window + 16, 1, 1);
	KUNIT_EXPECT_EQ(test, guest_status(g), 1);
	KUNIT_EXPECT_EQ(test, cfg_read(g, window + 16, 1), 1);
	cfg_write(g, window + 8, 4, REG_NUM_QUEUES);
	cfg_write(g, window + 12, 4, 2);
	KUNIT_EXPECT_EQ(test, cfg_read(g, window + 16, 2), 2);
	/* Not aligned: what was there stays. */
	cfg_write(g, window + 8, 4, REG_CONFIG + 17);
	KUNIT_EXPECT_EQ(test, cfg_read(g, window + 16, 2), 2);
	cfg_write(g, window + 8, 4, REG_CONFIG + 18);
	KUNIT_EXPECT_EQ(test, cfg_read(g, window + 16, 2), 0xffff);
	/* BAR 1 is memory of no effect; there is no BAR 2. */
	cfg_write(g, window + 8, 4, REG_DEVICE_STATUS);
	cfg_write(g, window + 12, 4, 1);
	cfg_write(g, window + 4, 1, 1);
	cfg_write(g, window + 16, 1, 3);
	cfg_write(g, window + 4, 1, 2);
	cfg_write(g, window + 16, 1, 3);
	/* Outside, misaligned, and of no width */
	cfg_write(g, window + 4, 1, 0);
	cfg_write(g, window + 8, 4, 0x4000);
	cfg_write(g, window + 16, 1, 3);
	cfg_write(g, window + 8, 4, 0xffffffff);
	cfg_write(g, window + 16, 1, 3);
	cfg_write(g, window + 8, 4, REG_DEVICE_STATUS);
	cfg_write(g, window + 12, 4, 3);
	cfg_write(g, window + 16, 1, 3);
	cfg_write(g, window + 12, 4, 0);
	cfg_write(g, window + 16, 1, 3);
	KUNIT_EXPECT_EQ(test, guest_status(g), 1);
}

/* BARs tell their sizes; ids and capabilities take no write. */
static void transport_pci_writable(struct kunit *test)
{
	struct guest *g = create(test);
	u32 at, old;

	for (at = 0; at < 0x40; at += 4) {
		old = cfg_read(g, at, 4);
		cfg_write(g, at, 4, 0xffffffff);
		switch (at) {
		case PCI_COMMAND:
			KUNIT_EXPECT_EQ(test, cfg_read(g, at, 2),
					PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
					PCI_COMMAND_INTX_DISABLE);
			KUNIT_EXPECT_EQ(test, cfg_read(g, at + 2, 2), old >> 16);
			break;
		case PCI_BASE_ADDRESS_0:
			KUNIT_EXPECT_EQ(test, cfg_read(g, at, 4), ~0x3fffU);
			break;
		case PCI_BASE_ADDRESS_1:
			KUNIT_EXPECT_EQ(test, cfg_read(g, at, 4), ~0xfffU);
			break;
		case PCI_INTERRUPT_LINE:
			KUNIT_EXPECT_EQ(test, cfg_read(g, at, 4), old | 0xff);
			break;
		default:
			KUNIT_EXPECT_EQ_MSG(test, cfg_read(g, at, 4), old,
					    "at 0x%x", at);
		}
	}
}

/* Any access: no harm, and the next driver finds a device that works. */
static void transport_fuzz(struct kunit *test)
{
	struct guest *g = create(test);
	struct kviommu_virtio *vi = g->vi;
	unsigned int round, q, started = 0;
	struct rnd_state rnd;

	mock_seed(test, &rnd, 0xf055);
	guest_add_dev(g, 0, EP, NULL);
	g->v->worker.dead = true;
	for (round = 0; round < 6000; round++) {
		u32 at = mock_below(&rnd, 0x4000), r = prandom_u32_state(&rnd);
		size_t len = 1 << mock_below(&rnd, 4);
		u64 val = r;

		/* Mostly what has an effect. */
		if (mock_below(&rnd, 8)) {
			const struct reg *reg = &regs[mock_below(&rnd, ARRAY_SIZE(regs))];

			at = reg->at;
			len = reg->len;
			switch (at) {
			case REG_QUEUE_SELECT:
				val = mock_below(&rnd, 3);
				break;
			case REG_QUEUE_SIZE:
				val = 1 << mock_below(&rnd, 11);
				break;
			case REG_QUEUE_ENABLE:
				val = 1;
				break;
			case REG_DRIVER_FEATURE:
				val = g->vi->driver_feature_select ? 1 : r & 0x77;
				break;
			case REG_DEVICE_STATUS:
				val = r & 0xf;
				if (mock_below(&rnd, 3))
					val |= STATUS_READY;
				if (!mock_below(&rnd, 4))
					val = 0;
				break;
			default:
				val = mock_below(&rnd, 3) ? r & 0x7ffff0 : r;
				if (at >= REG_QUEUE_DESC && at & 4)
					val = mock_below(&rnd, 50) ? 0 : r;
				else if (at < REG_QUEUE_DESC)
					val = r & 1;
			}
		} else if (mock_below(&rnd, 2)) {
			at = REG_NOTIFY + 4 * mock_below(&rnd, 3);
		}
		at &= ~(len - 1);
		if (mock_below(&rnd, 4))
			guest_write(g, at, len, val);
		else
			guest_read(g, at, len);

		KUNIT_EXPECT_EQ(test, vi->status & ~0xcf, 0);
		if (vi->status & VIRTIO_CONFIG_S_DRIVER_OK) {
			KUNIT_EXPECT_TRUE(test, vi->status &
					  VIRTIO_CONFIG_S_FEATURES_OK);
			started++;
		}
		if (vi->status & VIRTIO_CONFIG_S_FEATURES_OK)
			KUNIT_EXPECT_TRUE(test, vi->features & BIT_ULL(32));
		for (q = 0; q < 2; q++) {
			struct kviommu_vq *vq = &vi->vq[q];

			KUNIT_EXPECT_TRUE(test, is_power_of_2(vq->size));
			KUNIT_EXPECT_LE(test, vq->size, q ? 256 : 1024);
			if (!vq->enabled)
				KUNIT_EXPECT_NULL(test, vq->desc.va);
		}
		KUNIT_EXPECT_EQ(test, g->v->gmem.pinned, g->m->mem.pinned);
		if (test->status != KUNIT_SUCCESS) {
			kunit_err(test, "round %u: 0x%llx to 0x%x\n", round, val, at);
			return;
		}
	}
	KUNIT_EXPECT_GT(test, started, 100);
	guest_start(g, GUEST_ALL_FEATURES);
	KUNIT_EXPECT_EQ(test, 0, guest_attach(g, 1, EP, 0));
}

static struct kunit_case transport_cases[] = {
	KUNIT_CASE(transport_widths),
	KUNIT_CASE(transport_read_write),
	KUNIT_CASE(transport_features),
	KUNIT_CASE(transport_status),
	KUNIT_CASE(transport_reset),
	KUNIT_CASE(transport_queues),
	KUNIT_CASE(transport_vectors),
	KUNIT_CASE(transport_isr),
	KUNIT_CASE(transport_notify),
	KUNIT_CASE(transport_device_config),
	KUNIT_CASE(transport_pci_config),
	KUNIT_CASE(transport_pci_writable),
	KUNIT_CASE(transport_fuzz),
	{ }
};

static struct kunit_suite transport_suite = {
	.name = "kviommu_transport",
	.exit = guest_exit,
	.test_cases = transport_cases,
};

kunit_test_suite(transport_suite);
