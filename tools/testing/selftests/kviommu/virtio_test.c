// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's side: the rules of the transport (virtio 1.3, 2, 3.1, 4.1), every
 * request with every status (5.13.6), and what a driver must not do.
 */
#include "kviommu_harness.h"

#include <pthread.h>
#include <sys/eventfd.h>

FIXTURE(virtio)
{
	struct host host;
	struct vmm vmm;
	struct virtio_dev *v;
};

FIXTURE_VARIANT(virtio)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(virtio, all)
{
	.features = VIOMMU_ALL_FEATURES,
};

FIXTURE_VARIANT_ADD(virtio, plain)
{
	.features = VIOMMU_PLAIN_FEATURES,
};

FIXTURE_SETUP(virtio)
{
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->vmm.config.features = variant->features;
	self->v = &self->vmm.v;
	ASSERT_UP(&self->vmm, VMM_DRIVER_OK);
}

FIXTURE_TEARDOWN(virtio)
{
	vmm_close(&self->vmm);
	TEARDOWN_HOST(&self->host);
}

/* The device must be as good as new after whatever was done to it */
#define EXPECT_WORKS(self) do {						\
	(self)->vmm.next = VMM_DRIVER_OK;				\
	ASSERT_UP(&(self)->vmm, VMM_MAPPED);				\
	EXPECT_WRITES(1, &(self)->vmm, 0, DATA_IOVA, DATA_GPA);	\
} while (0)

/* ---- transport ---- */

TEST_F(virtio, features)
{
	u64 offered = virtio_device_features(self->v);
	unsigned int sel;

	EXPECT_EQ(VIOMMU_ALL_FEATURES, offered);
	for (sel = 2; sel; sel <<= 1) {
		virtio_write(self->v, VIRTIO_PCI_COMMON_DFSELECT, sel, 4);
		EXPECT_EQ(0, virtio_read(self->v, VIRTIO_PCI_COMMON_DF, 4))
			TH_LOG("feature word %u", sel);
	}
	/* A driver that is not of this century */
	EXPECT_EQ(-EOPNOTSUPP,
		  virtio_negotiate(self->v, VIOMMU_ALL_FEATURES &
				   ~VIRTIO_F(VIRTIO_F_VERSION_1)));
	EXPECT_EQ(-EOPNOTSUPP, virtio_negotiate(self->v, 0));
	/* Bits that were not offered */
	EXPECT_EQ(-EOPNOTSUPP,
		  virtio_negotiate(self->v, VIOMMU_ALL_FEATURES |
				   VIRTIO_F(VIRTIO_IOMMU_F_BYPASS)));
	EXPECT_EQ(-EOPNOTSUPP,
		  virtio_negotiate(self->v, VIOMMU_ALL_FEATURES | 1ULL << 63));
	EXPECT_EQ(0, virtio_negotiate(self->v, VIRTIO_F(VIRTIO_F_VERSION_1)));
	EXPECT_WORKS(self);
}

/* Features are fixed once the device has accepted them (3.1.1) */
TEST_F(virtio, features_are_fixed)
{
	ASSERT_EQ(0, virtio_negotiate(self->v, VIOMMU_ALL_FEATURES &
				      ~VIRTIO_F(VIRTIO_IOMMU_F_PROBE)));
	virtio_write_features(self->v, VIOMMU_ALL_FEATURES);
	virtio_write(self->v, VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	EXPECT_EQ(0, virtio_read(self->v, VIRTIO_PCI_COMMON_GF, 4) &
		  VIRTIO_F(VIRTIO_IOMMU_F_PROBE));
}

TEST_F(virtio, status_machine)
{
	ASSERT_EQ(0, virtio_reset(self->v));
	virtio_set_status(self->v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	EXPECT_EQ(VIRTIO_CONFIG_S_ACKNOWLEDGE, virtio_status(self->v));
	/* FAILED is the driver's; the device just remembers it */
	virtio_set_status(self->v, VIRTIO_CONFIG_S_ACKNOWLEDGE |
			  VIRTIO_CONFIG_S_FAILED);
	EXPECT_EQ(VIRTIO_CONFIG_S_FAILED,
		  virtio_status(self->v) & VIRTIO_CONFIG_S_FAILED);
	ASSERT_EQ(0, virtio_reset(self->v));
	EXPECT_EQ(0, virtio_read(self->v, VIRTIO_PCI_COMMON_GF, 4));

	/* DRIVER_OK out of the blue: nothing is processed (3.1.1) */
	virtio_queue_layout(self->v, 0, 1024);
	virtio_queue_enable(self->v, 0, vq_gpa(self->v, 0, VQ_DESC),
			    vq_gpa(self->v, 0, VQ_AVAIL),
			    vq_gpa(self->v, 0, VQ_USED), 1);
	virtio_set_status(self->v, VIRTIO_CONFIG_S_DRIVER_OK);
	self->v->features = 0;
	viommu_queue(self->v, 0, &(struct virtio_iommu_req_head){ 0x77 }, 24, 4);
	vq_notify(self->v, 0);
	sleep_ms(50);
	EXPECT_EQ(0, self->v->vq[0].used->idx);
	EXPECT_WORKS(self);
}

/* Requests that are made available before DRIVER_OK wait for it */
TEST_F(virtio, nothing_before_driver_ok)
{
	struct virtio_iommu_req_attach req =
		viommu_make_attach(DOMAIN, ENDPOINT(0), 0);
	unsigned int slot;
	u16 i;

	ASSERT_EQ(0, virtio_negotiate(self->v, variant->features));
	for (i = 0; i < 2; i++) {
		virtio_queue_layout(self->v, i, 256);
		ASSERT_EQ(0, virtio_queue_enable(self->v, i,
						 vq_gpa(self->v, i, VQ_DESC),
						 vq_gpa(self->v, i, VQ_AVAIL),
						 vq_gpa(self->v, i, VQ_USED),
						 0xffff));
	}
	viommu_queue(self->v, 0, &req, sizeof(req) - 4, 4);
	vq_notify(self->v, 0);
	sleep_ms(50);
	EXPECT_EQ(0, self->v->vq[0].used->idx);
	virtio_set_status(self->v, virtio_status(self->v) |
			  VIRTIO_CONFIG_S_DRIVER_OK);
	vq_notify(self->v, 0);
	EXPECT_EQ(VIRTIO_IOMMU_S_OK, viommu_collect(self->v, &slot));
}

TEST_F(virtio, common_config)
{
	static const u16 size[] = { 1024, 256 };
	u16 i;

	EXPECT_EQ(2, virtio_read(self->v, VIRTIO_PCI_COMMON_NUMQ, 2));
	ASSERT_EQ(0, virtio_reset(self->v));
	for (i = 0; i < 2; i++) {
		virtio_write(self->v, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
		EXPECT_EQ(size[i], virtio_read(self->v,
					       VIRTIO_PCI_COMMON_Q_SIZE, 2));
		EXPECT_EQ(i, virtio_read(self->v, VIRTIO_PCI_COMMON_Q_NOFF, 2));
		EXPECT_EQ(0, virtio_read(self->v, VIRTIO_PCI_COMMON_Q_ENABLE,
					 2));
	}
	/* Queues that do not exist have size 0 (4.1.4.3.1) and stay so */
	for (i = 2; i; i <<= 1) {
		virtio_write(self->v, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
		EXPECT_EQ(0, virtio_read(self->v, VIRTIO_PCI_COMMON_Q_SIZE, 2))
			TH_LOG("size of queue %u", i);
		virtio_write(self->v, VIRTIO_PCI_COMMON_Q_SIZE, 64, 2);
		virtio_write(self->v, VIRTIO_PCI_COMMON_Q_DESCLO, 0x1000, 4);
		virtio_write(self->v, VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
		virtio_write(self->v, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
		EXPECT_EQ(0, virtio_read(self->v, VIRTIO_PCI_COMMON_Q_SIZE, 2));
		EXPECT_NE(1, virtio_read(self->v, VIRTIO_PCI_COMMON_Q_ENABLE,
					 2));
	}
	/* A vector that does not exist reads back as none (4.1.5.1.2) */
	virtio_write(self->v, VIRTIO_PCI_COMMON_MSIX, 3, 2);
	EXPECT_EQ(VIRTIO_MSI_NO_VECTOR,
		  virtio_read(self->v, VIRTIO_PCI_COMMON_MSIX, 2));
	virtio_write(self->v, VIRTIO_PCI_COMMON_MSIX, 2, 2);
	EXPECT_EQ(2, virtio_read(self->v, VIRTIO_PCI_COMMON_MSIX, 2));
	/* Read-only registers */
	virtio_write(self->v, VIRTIO_PCI_COMMON_NUMQ, 77, 2);
	EXPECT_EQ(2, virtio_read(self->v, VIRTIO_PCI_COMMON_NUMQ, 2));
	EXPECT_WORKS(self);
}

/* Give the device a queue as told, attach over it, and say what came of it */
static int try_queue(struct virtio_dev *v, u64 features, u16 size, u64 desc,
		     u64 avail, u64 used)
{
	struct virtio_iommu_req_attach req =
		viommu_make_attach(DOMAIN, ENDPOINT(0), 0);
	unsigned int slot;
	int rc;

	rc = virtio_negotiate(v, features);
	if (rc)
		return rc;
	virtio_queue_layout(v, 0, 1024);
	v->vq[0].size = size;
	rc = virtio_queue_enable(v, 0, desc, avail, used, 1);
	if (rc)
		return -ENXIO;		/* the device did not enable it */
	if (virtio_read(v, VIRTIO_PCI_COMMON_Q_SIZE, 2) != size)
		return -ENXIO;
	virtio_set_status(v, virtio_status(v) | VIRTIO_CONFIG_S_DRIVER_OK);
	v->vq[0].size = 1024;
	viommu_queue(v, 0, &req, sizeof(req) - 4, 4);
	vq_notify(v, 0);
	rc = vq_pop(v, 0, &(struct vring_used_elem){ 0 }, PATIENCE_MS);
	if (rc)
		return rc;
	v->vq[0].used_idx--;
	return viommu_collect(v, &slot);
}

#define QUEUE_AT(v, part)	vq_gpa(v, 0, part)
/* Whether it was enabled or not: nothing is answered, the device needs a reset */
#define EXPECT_REFUSED(v, rc, ...) do {					\
	EXPECT_GT(0, rc)						\
		TH_LOG("served: " __VA_ARGS__);				\
	EXPECT_NE(0, virtio_status(v) & VIRTIO_CONFIG_S_NEEDS_RESET)	\
		TH_LOG("no DEVICE_NEEDS_RESET: " __VA_ARGS__);		\
} while (0)

TEST_F(virtio, queue_size)
{
	static const u16 bad[] = {
		0, 3, 5, 100, 255, 513, 1000, 1023, 1025, 2048, 0x8000, 0xffff,
	};
	static const u16 good[] = { 4, 8, 64, 512, 1024 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_REFUSED(self->v,
			       try_queue(self->v, variant->features, bad[i],
					 QUEUE_AT(self->v, VQ_DESC),
					 QUEUE_AT(self->v, VQ_AVAIL),
					 QUEUE_AT(self->v, VQ_USED)),
			       "size %u", bad[i]);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		self->vmm.config.queue_size = good[i];
		EXPECT_WORKS(self);
	}
}

TEST_F(virtio, queue_addresses)
{
	struct virtio_dev *v = self->v;
	const u64 desc = QUEUE_AT(v, VQ_DESC), avail = QUEUE_AT(v, VQ_AVAIL),
		  used = QUEUE_AT(v, VQ_USED);
	static const u64 outside[] = {
		HOLE_GPA, HIGH_GPA, RAM_GPA + RAM_SIZE, RAM_GPA - PAGE,
		/* the ring's end is outside */
		RAM_GPA + RAM_SIZE - 16, 0xfee00000, ~0ULL - 0xfff,
		0xfffffffffffffff0ULL, 1ULL << 52,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		EXPECT_REFUSED(v, try_queue(v, variant->features, 1024,
					    outside[i], avail, used),
			       "descriptors at 0x%llx",
			       (unsigned long long)outside[i]);
		EXPECT_REFUSED(v, try_queue(v, variant->features, 1024, desc,
					    outside[i], used),
			       "avail ring at 0x%llx",
			       (unsigned long long)outside[i]);
		EXPECT_REFUSED(v, try_queue(v, variant->features, 1024, desc,
					    avail, outside[i]),
			       "used ring at 0x%llx",
			       (unsigned long long)outside[i]);
	}
	/* Alignment: 16, 2 and 4 (2.7) */
	EXPECT_REFUSED(v, try_queue(v, variant->features, 1024, desc + 8, avail,
				    used), "descriptors misaligned");
	EXPECT_REFUSED(v, try_queue(v, variant->features, 1024, desc, avail + 1,
				    used), "avail ring misaligned");
	EXPECT_REFUSED(v, try_queue(v, variant->features, 1024, desc, avail,
				    used + 2), "used ring misaligned");
	EXPECT_WORKS(self);
}

TEST_F(virtio, queue_reenable_and_size_when_enabled)
{
	struct virtio_dev *v = self->v;

	virtio_write(v, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	/* A driver must not write 0 (4.1.4.3.2); must not change the rest either */
	virtio_write(v, VIRTIO_PCI_COMMON_Q_ENABLE, 0, 2);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_SIZE, 8, 2);
	virtio_write(v, VIRTIO_PCI_COMMON_Q_DESCLO, 0xdead0000, 4);
	vq_notify(v, 0);
	/* None of it is done */
	EXPECT_EQ(1, virtio_read(v, VIRTIO_PCI_COMMON_Q_ENABLE, 2));
	EXPECT_EQ(1024, virtio_read(v, VIRTIO_PCI_COMMON_Q_SIZE, 2));
	EXPECT_EQ(0, virtio_status(v) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(VIRTIO_IOMMU_S_OK,
		  viommu_attach(v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_WORKS(self);
}

TEST_F(virtio, notify_anything)
{
	u32 off;

	for (off = 0; off < 0x1000; off += 2) {
		virtio_write(self->v, VIRTIO_NOTIFY + off, off, 2);
		virtio_write(self->v, VIRTIO_NOTIFY + off, 0xffff, 1);
		virtio_write(self->v, VIRTIO_NOTIFY + off, ~0u, 4);
	}
	EXPECT_EQ(0, virtio_status(self->v) & VIRTIO_CONFIG_S_NEEDS_RESET);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(virtio, device_config)
{
	struct virtio_iommu_config c;
	u8 before[sizeof(c)], after[sizeof(c)];
	unsigned int i;

	viommu_config(self->v, &c);
	EXPECT_NE(0, c.page_size_mask & PAGE);
	EXPECT_EQ(0, c.page_size_mask & (PAGE - 1));
	EXPECT_LE((1ULL << 32) - 1, c.input_range.end);
	EXPECT_EQ(0, c.domain_range.start);
	EXPECT_LT(0, c.domain_range.end);
	EXPECT_EQ(VIOMMU_PROBE_SIZE, c.probe_size);
	EXPECT_EQ(1, c.bypass);
	/* Only bypass can be written, and only 0 and 1 */
	memcpy(before, &c, sizeof(c));
	for (i = 0; i < sizeof(c); i++) {
		if (i == offsetof(struct virtio_iommu_config, bypass))
			continue;
		virtio_write(self->v, VIRTIO_DEVICE_CFG + i, 0x55, 1);
	}
	viommu_config(self->v, (void *)after);
	EXPECT_EQ(0, memcmp(before, after, sizeof(c)))
		TH_LOG("a read-only field was changed");
	virtio_write(self->v, VIRTIO_DEVICE_CFG +
		     offsetof(struct virtio_iommu_config, bypass), 0x7e, 1);
	viommu_config(self->v, &c);
	EXPECT_GE(1, c.bypass);
}

TEST_F(virtio, bypass_register)
{
	const u64 reg = VIRTIO_DEVICE_CFG +
			offsetof(struct virtio_iommu_config, bypass);
	struct virtio_iommu_config c;

	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	virtio_write(self->v, reg, 0, 1);
	viommu_config(self->v, &c);
	EXPECT_EQ(0, c.bypass);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	virtio_write(self->v, reg, 1, 1);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	virtio_write(self->v, reg, 0, 1);
	/* A device reset keeps it, a system reset does not (5.13.4) */
	ASSERT_EQ(0, virtio_reset(self->v));
	viommu_config(self->v, &c);
	EXPECT_EQ(0, c.bypass);
	ASSERT_EQ(0, vfio_reset(&self->vmm.viommu));
	viommu_config(self->v, &c);
	EXPECT_EQ(1, c.bypass);
}

TEST_F(virtio, bypass_register_not_negotiated)
{
	const u64 reg = VIRTIO_DEVICE_CFG +
			offsetof(struct virtio_iommu_config, bypass);
	struct virtio_iommu_config c;

	ASSERT_EQ(0, virtio_start(self->v, variant->features &
				  ~VIRTIO_F(VIRTIO_IOMMU_F_BYPASS_CONFIG), 64));
	virtio_write(self->v, reg, 0, 1);
	viommu_config(self->v, &c);
	EXPECT_EQ(1, c.bypass);
	/* The flag is unknown then */
	EXPECT_EQ(VIRTIO_IOMMU_S_INVAL,
		  viommu_attach(self->v, DOMAIN, ENDPOINT(0),
				VIRTIO_IOMMU_ATTACH_F_BYPASS));
}

/*
 * A guest that shuts down resets its vIOMMU while its disk still works: until the
 * device is quiet, it keeps its translations, and until it is reset it gets no more
 */
TEST_F(virtio, guest_reset_while_busy)
{
	char text[256];

	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, virtio_reset(self->v));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, false));
	ASSERT_EQ(0, vfio_bus_master(&self->vmm.edu[0].dev, true));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, mdev_get(&self->host.mdev, "endpoints", text, sizeof(text)));
	EXPECT_TRUE(strstr(text, " blocked unsafe"));
	ASSERT_EQ(0, mdev_assume_reset(&self->host.mdev, self->host.bdf[0]));
	ASSERT_EQ(0, mdev_get(&self->host.mdev, "endpoints", text, sizeof(text)));
	EXPECT_FALSE(strstr(text, "unsafe"));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_GPA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_WORKS(self);
}

/* Reset by status 0 forgets everything that was asked for */
TEST_F(virtio, device_reset)
{
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, virtio_reset(self->v));
	ASSERT_EQ(0, virtio_start(self->v, variant->features, 1024));
	EXPECT_EQ(VIRTIO_IOMMU_S_NOENT,
		  viommu_map(self->v, DOMAIN, DATA_IOVA + PAGE, PAGE, DATA_GPA,
			     VIOMMU_RW));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

/* ---- malformed rings and chains ---- */

/*
 * What may come of a chain: the device gives it back without writing, gives a
 * status, or stops. Each case says which of these is right, as virtio.rst does.
 */
enum outcome {
	RETURNED,		/* used length 0 */
	STATUS_IOERR,
	STATUS_OK,
	STOPPED,		/* DEVICE_NEEDS_RESET */
	NOTHING,
	STATUS_OTHER,
};

static const char *outcome_name(enum outcome outcome)
{
	switch (outcome) {
	case RETURNED:
		return "returned unwritten";
	case STATUS_IOERR:
		return "IOERR";
	case STATUS_OK:
		return "OK";
	case STOPPED:
		return "NEEDS_RESET";
	case STATUS_OTHER:
		return "another status";
	default:
		return "nothing";
	}
}

/* Everything a malformed case needs: where the request and its status are */
struct chain {
	struct virtio_dev *v;
	struct vq *q;
	struct vring_desc *table;	/* the indirect one */
	u64 table_gpa;
	u64 req;			/* GPA of a good ATTACH without tail */
	u64 tail;			/* GPA of 4 writable bytes */
	u8 *status;
};

#define REQ_LEN		(sizeof(struct virtio_iommu_req_attach) - 4)

static struct chain chain_make(struct virtio_dev *v)
{
	struct virtio_iommu_req_attach req =
		viommu_make_attach(DOMAIN, ENDPOINT(0), 0);
	struct chain c = {
		.v = v,
		.q = &v->vq[0],
		.table = (void *)(v->mem + VQ_TABLES),
		.table_gpa = v->gpa + VQ_TABLES,
		.req = v->gpa + VQ_BUFFERS,
		.tail = v->gpa + VQ_BUFFERS + 512,
		.status = v->mem + VQ_BUFFERS + 512,
	};

	memcpy(v->mem + VQ_BUFFERS, &req, REQ_LEN);
	memset(c.status, 0xa5, 256);
	return c;
}

static enum outcome chain_run(struct chain *c, u16 head)
{
	struct vring_used_elem elem;
	int rc;

	vq_push(c->q, head);
	vq_notify(c->v, 0);
	rc = vq_pop(c->v, 0, &elem, PATIENCE_MS);
	/* It may give back what made it stop */
	if (rc == -EIO ||
	    virtio_status(c->v) & VIRTIO_CONFIG_S_NEEDS_RESET)
		return STOPPED;
	if (rc)
		return NOTHING;
	if (!elem.len)
		return RETURNED;
	switch (c->status[0]) {
	case VIRTIO_IOMMU_S_OK:
		return STATUS_OK;
	case VIRTIO_IOMMU_S_IOERR:
		return STATUS_IOERR;
	default:
		return STATUS_OTHER;
	}
}

#define N	VRING_DESC_F_NEXT
#define W	VRING_DESC_F_WRITE
#define I	VRING_DESC_F_INDIRECT

struct chain_case {
	const char *what;
	enum outcome right;
	void (*build)(struct chain *c);
	u16 head;
	bool indirect;		/* needs the feature */
};

static void build_good(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_split(struct chain *c)
{
	/* One byte a descriptor is as good (2.7.4.2: no assumptions) */
	unsigned int i;

	for (i = 0; i < REQ_LEN; i++)
		vq_desc(c->q, i, c->req + i, 1, N, i + 1);
	for (i = 0; i < 4; i++)
		vq_desc(c->q, REQ_LEN + i, c->tail + i, 1,
			i < 3 ? W | N : W, REQ_LEN + i + 1);
}

static void build_no_tail(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, 0, 0);
}

static void build_readable_tail(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 1);
	vq_desc(c->q, 1, c->tail, 4, 0, 0);
}

static void build_short_head(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 3, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_short_request(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN - 1, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_short_tail(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 1);
	vq_desc(c->q, 1, c->tail, 3, W, 0);
}

static void build_only_tail(struct chain *c)
{
	vq_desc(c->q, 0, c->tail, 4, W, 0);
}

static void build_zero_lengths(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 0, N, 1);
	vq_desc(c->q, 1, c->tail, 0, W, 0);
}

static void build_long_request(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 256, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_huge_request(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 0xffffffff, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_write_first(struct chain *c)
{
	vq_desc(c->q, 0, c->tail, 4, N | W, 1);
	vq_desc(c->q, 1, c->req, REQ_LEN, 0, 0);
}

static void build_interleaved(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 4, N, 1);
	vq_desc(c->q, 1, c->tail, 4, N | W, 2);
	vq_desc(c->q, 2, c->req + 4, REQ_LEN - 4, 0, 0);
}

static void build_self_loop(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 0);
}

static void build_loop(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 4, N, 1);
	vq_desc(c->q, 1, c->req, 4, N, 2);
	vq_desc(c->q, 2, c->req, 4, N, 1);
}

static void build_empty_loop(struct chain *c)
{
	vq_desc(c->q, 0, c->req, 0, N, 1);
	vq_desc(c->q, 1, c->req, 0, N, 0);
}

static void build_next_outside(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, c->q->size);
}

static void build_next_far(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 0xffff);
}

static void build_req_in_hole(struct chain *c)
{
	vq_desc(c->q, 0, HOLE_GPA, REQ_LEN, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_tail_in_hole(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 1);
	vq_desc(c->q, 1, HOLE_GPA, 4, W, 0);
}

static void build_req_wraps(struct chain *c)
{
	vq_desc(c->q, 0, ~0ULL - 3, REQ_LEN, N, 1);
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_indirect(struct chain *c)
{
	c->table[0] = (struct vring_desc){ c->req, REQ_LEN, N, 1 };
	c->table[1] = (struct vring_desc){ c->tail, 4, W, 0 };
	vq_desc(c->q, 0, c->table_gpa, 32, I, 0);
}

static void build_indirect_nested(struct chain *c)
{
	build_indirect(c);
	c->table[1] = (struct vring_desc){ c->table_gpa, 32, I, 0 };
}

static void build_indirect_next(struct chain *c)
{
	build_indirect(c);
	c->q->desc[0].flags = I | N;
	c->q->desc[0].next = 1;
	vq_desc(c->q, 1, c->tail, 4, W, 0);
}

static void build_indirect_odd_len(struct chain *c)
{
	build_indirect(c);
	c->q->desc[0].len = 31;
}

static void build_indirect_empty(struct chain *c)
{
	build_indirect(c);
	c->q->desc[0].len = 0;
}

static void build_indirect_huge(struct chain *c)
{
	build_indirect(c);
	c->q->desc[0].len = 0xfffffff0;
	c->table[1].flags |= N;
	c->table[1].next = 0x1000;
}

static void build_indirect_in_hole(struct chain *c)
{
	build_indirect(c);
	c->q->desc[0].addr = HOLE_GPA;
}

static void build_indirect_loop(struct chain *c)
{
	build_indirect(c);
	c->table[1] = (struct vring_desc){ c->req, 4, N, 0 };
}

static void build_indirect_next_outside(struct chain *c)
{
	build_indirect(c);
	c->table[0].next = 2;
}

/* The write flag of the descriptor that refers to a table is ignored (2.7.5.3.2) */
static void build_indirect_write(struct chain *c)
{
	build_indirect(c);
	c->q->desc[0].flags = I | W;
}

/* Normal descriptors followed by one table: unusual, and valid (2.7.5.3.2) */
static void build_indirect_last(struct chain *c)
{
	build_indirect(c);
	c->table[0].addr += 8;
	c->table[0].len -= 8;
	c->q->desc[2] = c->q->desc[0];
	vq_desc(c->q, 0, c->req, 4, N, 1);
	vq_desc(c->q, 1, c->req + 4, 4, N, 2);
}

static void build_indirect_tail_last(struct chain *c)
{
	vq_desc(c->q, 0, c->req, REQ_LEN, N, 1);
	c->table[0] = (struct vring_desc){ c->tail, 4, W, 0 };
	vq_desc(c->q, 1, c->table_gpa, 16, I, 0);
}

/* Readable after writable, with the border between ring and table */
static void build_indirect_after_write(struct chain *c)
{
	build_indirect(c);
	c->q->desc[1] = c->q->desc[0];
	vq_desc(c->q, 0, c->tail, 4, W | N, 1);
}

static const struct chain_case chains[] = {
	{ "good", STATUS_OK, build_good },
	{ "one byte a descriptor", STATUS_OK, build_split },
	{ "no tail", RETURNED, build_no_tail },
	{ "device-readable tail", RETURNED, build_readable_tail },
	{ "shorter than a head", RETURNED, build_short_head },
	{ "short request", STATUS_IOERR, build_short_request },
	{ "short tail", RETURNED, build_short_tail },
	{ "only a tail", RETURNED, build_only_tail },
	{ "zero lengths", RETURNED, build_zero_lengths },
	{ "overlong request", STATUS_IOERR, build_long_request },
	{ "4 GiB request", STATUS_IOERR, build_huge_request },
	{ "writable before readable", STOPPED, build_write_first },
	{ "readable after writable", STOPPED, build_interleaved },
	{ "self loop", STOPPED, build_self_loop },
	{ "loop", STOPPED, build_loop },
	{ "loop of empty descriptors", STOPPED, build_empty_loop },
	{ "next outside the table", STOPPED, build_next_outside },
	{ "next 65535", STOPPED, build_next_far },
	{ "head outside the table", STOPPED, build_good, 1024 },
	{ "head 65535", STOPPED, build_good, 0xffff },
	{ "request in a hole", STOPPED, build_req_in_hole },
	{ "tail in a hole", RETURNED, build_tail_in_hole },
	{ "request wraps", STOPPED, build_req_wraps },
	{ "indirect", STATUS_OK, build_indirect, 0, true },
	{ "indirect with the write flag", STATUS_OK, build_indirect_write, 0,
	  true },
	{ "request, then a table", STATUS_OK, build_indirect_last, 0, true },
	{ "tail in a table", STATUS_OK, build_indirect_tail_last, 0, true },
	{ "table after a writable part", STOPPED, build_indirect_after_write, 0,
	  true },
	{ "indirect in indirect", STOPPED, build_indirect_nested, 0, true },
	{ "indirect and next", STOPPED, build_indirect_next, 0, true },
	{ "indirect of 31 bytes", STOPPED, build_indirect_odd_len, 0, true },
	{ "indirect of 0 bytes", STOPPED, build_indirect_empty, 0, true },
	{ "indirect of 4 GiB", STOPPED, build_indirect_huge, 0, true },
	{ "indirect in a hole", STOPPED, build_indirect_in_hole, 0, true },
	{ "indirect loop", STOPPED, build_indirect_loop, 0, true },
	{ "indirect next outside", STOPPED, build_indirect_next_outside, 0,
	  true },
};

TEST_F(virtio, chains)
{
	bool indirect = variant->features & VIRTIO_F(VIRTIO_RING_F_INDIRECT_DESC);
	enum outcome outcome, right;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(chains); i++) {
		const struct chain_case *t = &chains[i];
		struct chain c;

		/* Not negotiated: the flag itself is wrong */
		right = t->indirect && !indirect ? STOPPED : t->right;
		ASSERT_EQ(0, virtio_start(self->v, variant->features, 1024));
		c = chain_make(self->v);
		t->build(&c);
		outcome = chain_run(&c, t->head);
		EXPECT_EQ(right, outcome)
			TH_LOG("%s: expected %s, got %s", t->what,
			       outcome_name(right), outcome_name(outcome));
		if (outcome != STATUS_OK)
			EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
		if (outcome == RETURNED)
			EXPECT_EQ(0xa5, c.status[0])
				TH_LOG("%s: written, used length 0", t->what);
		if (outcome == RETURNED || outcome == STATUS_IOERR) {
			/* An error of one request; the next one is served */
			EXPECT_EQ(VIRTIO_IOMMU_S_OK,
				  viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0))
				TH_LOG("after \"%s\"", t->what);
		}
		if (outcome == STOPPED) {
			u16 used = c.q->used->idx;

			/* Stopped is stopped, until reset */
			build_good(&c);
			vq_push(c.q, 0);
			vq_notify(self->v, 0);
			sleep_ms(20);
			EXPECT_EQ(used, c.q->used->idx)
				TH_LOG("goes on after \"%s\"", t->what);
		}
	}
	EXPECT_WORKS(self);
}

TEST_F(virtio, avail_index_jumps)
{
	static const u16 jump[] = { 1025, 2000, 0x7fff, 0x8000, 0xffff };
	struct chain c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(jump); i++) {
		ASSERT_EQ(0, virtio_start(self->v, variant->features, 1024));
		c = chain_make(self->v);
		build_good(&c);
		vq_set_avail_idx(c.q, jump[i]);
		vq_notify(self->v, 0);
		EXPECT_EQ(-EIO, vq_pop(self->v, 0,
				       &(struct vring_used_elem){ 0 }, PATIENCE_MS))
			TH_LOG("avail index jumps by %u", jump[i]);
	}
	/* Back by one is a jump by 65535 */
	ASSERT_EQ(0, virtio_start(self->v, variant->features, 1024));
	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	vq_set_avail_idx(&self->v->vq[0], 0);
	vq_notify(self->v, 0);
	EXPECT_EQ(-EIO, vq_pop(self->v, 0, &(struct vring_used_elem){ 0 },
			       PATIENCE_MS));
	EXPECT_WORKS(self);
}

/* The used index is the device's own: what the driver writes there is not read */
TEST_F(virtio, used_index_written)
{
	struct vq *q = &self->v->vq[0];

	ASSERT_EQ(0, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	ASSERT_EQ(1, q->used->idx);
	q->used->idx = 0x4321;
	q->used_idx = 1;
	viommu_queue(self->v, 0, &(struct virtio_iommu_req_head){ 0x77 }, 24, 4);
	vq_notify(self->v, 0);
	sleep_ms(100);
	EXPECT_EQ(2, q->used->idx);
	EXPECT_WORKS(self);
}

/* Configuration interrupt with DEVICE_NEEDS_RESET (2.1.2) */
TEST_F(virtio, needs_reset_is_announced)
{
	int fds[3] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK),
		       eventfd(0, EFD_NONBLOCK) };
	struct chain c;
	u64 count = 0;

	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   3, fds));
	virtio_write(self->v, VIRTIO_PCI_COMMON_MSIX, 0, 2);
	c = chain_make(self->v);
	build_self_loop(&c);
	EXPECT_EQ(STOPPED, chain_run(&c, 0));
	EXPECT_EQ(8, read(fds[0], &count, 8));
	EXPECT_LE(1, count);
}

/* A thread rewrites descriptors and requests while the device reads them */
struct scribbler {
	struct virtio_dev *v;
	struct rng rng;
	bool stop;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		u64 *mem = (u64 *)(s->v->mem +
				   (rng_chance(&s->rng, 50) ? VQ_BUFFERS :
				    rng_chance(&s->rng, 50) ? VQ_TABLES :
							      VQ_DESC));

		mem[rng_below(&s->rng, 16)] ^= rng_next(&s->rng) &
					       rng_next(&s->rng);
	}
	return NULL;
}

TEST_F(virtio, ring_changes_while_read)
{
	struct scribbler s = { .v = self->v, .rng.state = 1 };
	u64 end = now_ns() + 5000000000ULL;
	unsigned int rounds = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &s));
	while (now_ns() < end) {
		struct chain c;

		if (!(rounds++ % 64) ||
		    virtio_status(self->v) & VIRTIO_CONFIG_S_NEEDS_RESET)
			ASSERT_EQ(0, virtio_start(self->v, variant->features,
						  64));
		c = chain_make(self->v);
		if (rounds & 1)
			build_indirect(&c);
		else
			build_good(&c);
		vq_push(c.q, 0);
		vq_notify(self->v, 0);
	}
	s.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LT(10, rounds);
	EXPECT_WORKS(self);
}

/* ---- requests ---- */

#define EXPECT_STATUS(expected, call) do {				\
	int status = (call);						\
									\
	EXPECT_EQ(VIRTIO_IOMMU_S_##expected, status)			\
		TH_LOG("%s: expected " #expected ", got %d", #call, status); \
} while (0)

#define SEND(v, req)	viommu_request(v, &(req), sizeof(req) - 4, 4)

TEST_F(virtio, unknown_requests)
{
	static const u8 types[] = { 0, 6, 7, 0x10, 0x7f, 0x80, 0xff };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct virtio_iommu_req_map req = {
			.head.type = types[i],
		};

		/* 5.13.6.2: not written, used length 0 */
		EXPECT_EQ(VIOMMU_UNWRITTEN, SEND(self->v, req))
			TH_LOG("type %u", types[i]);
	}
	EXPECT_EQ(ARRAY_SIZE(types),
		  (size_t)mdev_counter(&self->host.mdev, "req_unknown"));
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
}

TEST_F(virtio, attach)
{
	struct virtio_dev *v = self->v;
	struct virtio_iommu_req_attach req;
	struct virtio_iommu_config config;
	unsigned int i;

	viommu_config(v, &config);
	EXPECT_STATUS(NOENT, viommu_attach(v, DOMAIN, 0x999, 0));
	EXPECT_STATUS(NOENT, viommu_attach(v, DOMAIN, ~0u, 0));
	/* A refused attach makes no domain */
	EXPECT_STATUS(NOENT, viommu_map(v, DOMAIN, DATA_IOVA, PAGE, DATA_GPA,
					VIOMMU_RW));
	for (i = 1; i < 32; i++)
		EXPECT_STATUS(INVAL, viommu_attach(v, DOMAIN, ENDPOINT(0),
						   1u << i));
	for (i = 0; i < 4; i++) {
		req = viommu_make_attach(DOMAIN, ENDPOINT(0), 0);
		req.reserved[i] = 1;
		EXPECT_STATUS(INVAL, SEND(v, req));
	}
	/* reserved of the head must be ignored */
	req = viommu_make_attach(DOMAIN, ENDPOINT(0), 0);
	memset(req.head.reserved, 0xff, 3);
	EXPECT_STATUS(OK, SEND(v, req));
	EXPECT_STATUS(OK, viommu_attach(v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(INVAL, viommu_attach(v, DOMAIN, ENDPOINT(0),
					   VIRTIO_IOMMU_ATTACH_F_BYPASS));
	/* To another domain: as detach and attach; the old one ends */
	EXPECT_STATUS(OK, viommu_map(v, DOMAIN, DATA_IOVA, PAGE, DATA_GPA,
				     VIOMMU_RW));
	EXPECT_STATUS(OK, viommu_attach(v, DOMAIN + 1, ENDPOINT(0), 0));
	EXPECT_STATUS(NOENT, viommu_unmap(v, DOMAIN, DATA_IOVA, PAGE));
	EXPECT_WRITES(0, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	/* Any domain number in the range, and no other */
	EXPECT_STATUS(OK, viommu_attach(v, config.domain_range.start,
					ENDPOINT(0), 0));
	EXPECT_STATUS(OK, viommu_attach(v, config.domain_range.end, ENDPOINT(0),
					0));
	for (i = 0; i < 3 && config.domain_range.end != ~0u; i++) {
		u32 domain = i == 2 ? ~0u : config.domain_range.end + 1 + i;

		EXPECT_STATUS(RANGE, viommu_attach(v, domain, ENDPOINT(0), 0));
		EXPECT_STATUS(RANGE, viommu_map(v, domain, DATA_IOVA, PAGE,
						DATA_GPA, VIOMMU_RW));
		EXPECT_STATUS(RANGE, viommu_unmap(v, domain, DATA_IOVA, PAGE));
	}
}

TEST_F(virtio, attach_bypass)
{
	struct virtio_dev *v = self->v;

	EXPECT_STATUS(OK, viommu_attach(v, DOMAIN, ENDPOINT(0),
					VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_STATUS(INVAL, viommu_attach(v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(INVAL, viommu_map(v, DOMAIN, DATA_IOVA, PAGE, DATA_GPA,
					VIOMMU_RW));
	EXPECT_STATUS(INVAL, viommu_unmap(v, DOMAIN, DATA_IOVA, PAGE));
	EXPECT_STATUS(OK, viommu_detach(v, DOMAIN, ENDPOINT(0)));
	/* The id is free again */
	EXPECT_STATUS(OK, viommu_attach(v, DOMAIN, ENDPOINT(0), 0));
}

TEST_F(virtio, detach)
{
	struct virtio_dev *v = self->v;
	struct virtio_iommu_req_detach req;

	EXPECT_STATUS(NOENT, viommu_detach(v, DOMAIN, 0x999));
	/* Not attached to anything; and no such domain (5.13.6.4.2) */
	EXPECT_STATUS(INVAL, viommu_detach(v, DOMAIN, ENDPOINT(0)));
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_STATUS(INVAL, viommu_detach(v, DOMAIN + 1, ENDPOINT(0)));
	/* reserved must be ignored */
	req = viommu_make_detach(DOMAIN, ENDPOINT(0));
	memset(req.reserved, 0xff, sizeof(req.reserved));
	memset(req.head.reserved, 0xff, 3);
	EXPECT_STATUS(OK, SEND(v, req));
	/* The domain went with its last endpoint */
	EXPECT_STATUS(NOENT, viommu_unmap(v, DOMAIN, DATA_IOVA, PAGE));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
}

struct map_case {
	const char *what;
	int status;
	u32 domain;
	u64 first, last, gpa;
	u32 flags;
};

TEST_F(virtio, map_errors)
{
	const u64 a = 0x60000000, g = DATA_GPA;
	const u32 r = VIRTIO_IOMMU_MAP_F_READ;
	struct virtio_iommu_config config;
	long long before, after;
	size_t i;

	viommu_config(self->v, &config);

	const u64 top = config.input_range.end;
	const struct map_case table[] = {
		{ "unknown domain", VIRTIO_IOMMU_S_NOENT, 2, a, a + 0xfff, g, r },
		{ "unknown flag 3", VIRTIO_IOMMU_S_INVAL, 1, a, a + 0xfff, g,
		  r | 8 },
		{ "unknown flag 31", VIRTIO_IOMMU_S_INVAL, 1, a, a + 0xfff, g,
		  r | 1u << 31 },
		{ "start misaligned", VIRTIO_IOMMU_S_RANGE, 1, a + 1, a + 0xfff,
		  g, r },
		{ "end misaligned", VIRTIO_IOMMU_S_RANGE, 1, a, a + 0xffe, g, r },
		{ "end misaligned by one more", VIRTIO_IOMMU_S_RANGE, 1, a,
		  a + 0x1000, g, r },
		{ "GPA misaligned", VIRTIO_IOMMU_S_RANGE, 1, a, a + 0xfff, g + 1,
		  r },
		{ "GPA misaligned by half", VIRTIO_IOMMU_S_RANGE, 1, a,
		  a + 0xfff, g + 0x800, r },
		{ "empty", VIRTIO_IOMMU_S_RANGE, 1, a, a - 1, g, r },
		{ "inverted", VIRTIO_IOMMU_S_RANGE, 1, a, a - 0x1001, g, r },
		{ "one byte", VIRTIO_IOMMU_S_RANGE, 1, a, a, g, r },
		{ "past the input range", VIRTIO_IOMMU_S_RANGE, 1, top + 1,
		  top + 0x1000, g, r },
		{ "across the input range", VIRTIO_IOMMU_S_RANGE, 1, top - 0xfff,
		  top + 0x1000, g, r },
		{ "to the end of 64 bits", VIRTIO_IOMMU_S_RANGE, 1, ~0xfffULL,
		  ~0ULL, g, r },
		{ "all of 64 bits", VIRTIO_IOMMU_S_RANGE, 1, 0, ~0ULL, 0, r },
		{ "GPA wraps", VIRTIO_IOMMU_S_RANGE, 1, a, a + 0x1fff, ~0xfffULL,
		  r },
		{ "GPA in a hole", VIRTIO_IOMMU_S_FAULT, 1, a, a + 0xfff,
		  HOLE_GPA, r },
		{ "GPA runs into a hole", VIRTIO_IOMMU_S_FAULT, 1, a, a + 0x1fff,
		  RAM_GPA + RAM_SIZE - 0x1000, r },
		{ "GPA 0", VIRTIO_IOMMU_S_FAULT, 1, a, a + 0xfff, 0, r },
		{ "GPA of the interrupt window", VIRTIO_IOMMU_S_FAULT, 1, a,
		  a + 0xfff, 0xfee00000, r },
		{ "overlap: the same", VIRTIO_IOMMU_S_INVAL, 1, DATA_IOVA,
		  DATA_IOVA + 0xfff, g, r },
		{ "overlap: around", VIRTIO_IOMMU_S_INVAL, 1, DATA_IOVA - 0x1000,
		  DATA_IOVA + 0x1fff, g, r },
		{ "overlap: from below", VIRTIO_IOMMU_S_INVAL, 1,
		  DATA_IOVA - 0x1000, DATA_IOVA + 0xfff, g, r },
		{ "overlap: to above", VIRTIO_IOMMU_S_INVAL, 1, DATA_IOVA,
		  DATA_IOVA + 0x1fff, g, r },
	};

	ASSERT_UP(&self->vmm, VMM_MAPPED);
	before = mdev_counter(&self->host.mdev, "mappings");
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct map_case *t = &table[i];
		struct virtio_iommu_req_map req = viommu_make_map(
			t->domain, t->first, t->last, t->gpa, t->flags);
		int status = SEND(self->v, req);

		EXPECT_EQ(t->status, status) TH_LOG("%s", t->what);
		after = mdev_counter(&self->host.mdev, "mappings");
		EXPECT_EQ(before, after) TH_LOG("%s: changed something", t->what);
	}
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	EXPECT_LT(0, mdev_counter(&self->host.mdev, "err_range"));
	EXPECT_LT(0, mdev_counter(&self->host.mdev, "err_inval"));
	EXPECT_LT(0, mdev_counter(&self->host.mdev, "err_noent"));
	EXPECT_LT(0, mdev_counter(&self->host.mdev, "err_fault"));
}

TEST_F(virtio, map_mmio)
{
	/* Guest memory there is none of: a peer device's BAR, as the guest sees it */
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(FAULT, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE,
					 HOLE_GPA, VIOMMU_RW |
					 VIRTIO_IOMMU_MAP_F_MMIO));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	/* Not negotiated: the flag is unknown */
	ASSERT_EQ(0, virtio_start(self->v, variant->features &
				  ~VIRTIO_F(VIRTIO_IOMMU_F_MMIO), 64));
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(INVAL, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE,
					DATA_GPA, VIOMMU_RW |
					VIRTIO_IOMMU_MAP_F_MMIO));
	EXPECT_STATUS(OK, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE, DATA_GPA,
				     VIOMMU_RW));
}

/*
 * Registers that the VMM has mapped beside guest memory, as QEMU does with every BAR.
 * iommufd refuses that where a page table is filled with them at once, so that of
 * the device is of another IOAS here
 */
TEST_F(virtio, map_mmio_of_vmm)
{
	struct vmm *vmm = &self->vmm;
	u32 ioas;
	int rc;

	vmm_close(vmm);
	ASSERT_UP(vmm, VMM_ENDPOINT_BIND);
	ASSERT_EQ(0, iommufd_ioas_alloc(vmm->iommufd, &ioas));
	ASSERT_EQ(0, iommufd_hwpt_alloc(vmm->iommufd, vmm->edu[0].dev.dev_id,
					ioas, &vmm->hwpt));
	ASSERT_UP(vmm, VMM_BUS_MASTER);
	rc = iommufd_map(vmm->iommufd, vmm->ioas, (void *)vmm->edu[0].bar, MiB,
			 HOLE_GPA, true);
	if (rc)
		SKIP(return, "IOMMU_IOAS_MAP refuses a BAR: %s", strerror(-rc));
	ASSERT_UP(vmm, VMM_MAPPED);
	EXPECT_STATUS(FAULT, viommu_map(self->v, DOMAIN, DATA_IOVA + PAGE, PAGE,
					HOLE_GPA, VIOMMU_RW));
	EXPECT_STATUS(FAULT, viommu_map(self->v, DOMAIN, DATA_IOVA + PAGE, PAGE,
					HOLE_GPA, VIOMMU_RW |
					VIRTIO_IOMMU_MAP_F_MMIO));
	EXPECT_STATUS(FAULT, viommu_map(self->v, DOMAIN, DATA_IOVA + PAGE, MiB,
					HOLE_GPA, VIRTIO_IOMMU_MAP_F_READ));
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_WRITES(1, vmm, 0, DATA_IOVA, DATA_GPA);
	/* Nor can rings and requests be there */
	EXPECT_REFUSED(self->v, try_queue(self->v, variant->features, 1024,
					  HOLE_GPA, QUEUE_AT(self->v, VQ_AVAIL),
					  QUEUE_AT(self->v, VQ_USED)),
		       "descriptors in a BAR");
}

/* Edges that are right: first and last page of the input range */
TEST_F(virtio, map_edges)
{
	struct virtio_iommu_config config;
	u64 top;

	viommu_config(self->v, &config);
	top = config.input_range.end;
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(OK, viommu_map(self->v, DOMAIN, config.input_range.start,
				     PAGE, DATA_GPA, VIOMMU_RW));
	EXPECT_STATUS(OK, viommu_map(self->v, DOMAIN, top - PAGE + 1, PAGE,
				     DATA_GPA, VIOMMU_RW));
	EXPECT_WRITES(1, &self->vmm, 0, config.input_range.start, DATA_GPA);
	/* On a host of 39 bits there is nothing above, and this is there */
	EXPECT_WRITES(1, &self->vmm, 0, top - PAGE + 1, DATA_GPA);
	EXPECT_STATUS(OK, viommu_unmap(self->v, DOMAIN, config.input_range.start,
				       top - config.input_range.start + 1));
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_WRITES(0, &self->vmm, 0, config.input_range.start, DATA_GPA);
}

/* The seven examples of 5.13.6.6, with pages for bytes */
TEST_F(virtio, unmap_examples)
{
	struct virtio_dev *v = self->v;
	const u64 a = DATA_IOVA, p = PAGE;

#define MAP(first, pages)	viommu_map(v, DOMAIN, a + (first) * p,	\
					   (pages) * p, DATA_GPA, VIOMMU_RW)
#define UNMAP(first, pages)	viommu_unmap(v, DOMAIN, a + (first) * p, \
					     (pages) * p)
#define LEFT(n)			EXPECT_EQ(n, mdev_counter(&self->host.mdev, \
							  "mappings"))
	EXPECT_STATUS(OK, viommu_attach(v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(OK, UNMAP(0, 5));			/* 1 */
	EXPECT_STATUS(OK, MAP(0, 10));			/* 2 */
	EXPECT_STATUS(OK, UNMAP(0, 10));
	LEFT(0);
	EXPECT_STATUS(OK, MAP(0, 5));			/* 3 */
	EXPECT_STATUS(OK, MAP(5, 5));
	LEFT(2);
	EXPECT_STATUS(OK, UNMAP(0, 10));
	LEFT(0);
	EXPECT_STATUS(OK, MAP(0, 10));			/* 4 */
	EXPECT_STATUS(RANGE, UNMAP(0, 5));
	EXPECT_STATUS(RANGE, UNMAP(5, 5));
	EXPECT_STATUS(RANGE, UNMAP(2, 3));
	LEFT(1);
	EXPECT_WRITES(1, &self->vmm, 0, a + p, DATA_GPA + p);
	EXPECT_STATUS(OK, UNMAP(0, 10));
	EXPECT_STATUS(OK, MAP(0, 5));			/* 5 */
	EXPECT_STATUS(OK, MAP(5, 5));
	EXPECT_STATUS(OK, UNMAP(0, 5));
	LEFT(1);
	EXPECT_WRITES(0, &self->vmm, 0, a, DATA_GPA);
	EXPECT_WRITES(1, &self->vmm, 0, a + 5 * p, DATA_GPA);
	/* A range with one whole and one split mapping removes neither */
	EXPECT_STATUS(OK, MAP(0, 5));
	EXPECT_STATUS(RANGE, UNMAP(0, 7));
	LEFT(2);
	EXPECT_WRITES(1, &self->vmm, 0, a, DATA_GPA);
	EXPECT_STATUS(OK, UNMAP(0, 10));
	EXPECT_STATUS(OK, MAP(0, 5));			/* 6 */
	EXPECT_STATUS(OK, UNMAP(0, 10));
	LEFT(0);
	EXPECT_STATUS(OK, MAP(0, 5));			/* 7 */
	EXPECT_STATUS(OK, MAP(10, 5));
	EXPECT_STATUS(OK, UNMAP(0, 15));
	LEFT(0);
#undef MAP
#undef UNMAP
#undef LEFT
}

/*
 * Neighbours in both IOVA and GPA are one run for the host, and still two
 * mappings for the guest
 */
TEST_F(virtio, merged_mappings_stay_two)
{
	struct virtio_dev *v = self->v;
	const u64 a = DATA_IOVA;

	EXPECT_STATUS(OK, viommu_attach(v, DOMAIN, ENDPOINT(0), 0));
	EXPECT_STATUS(OK, viommu_map(v, DOMAIN, a, PAGE, DATA_GPA, VIOMMU_RW));
	EXPECT_STATUS(OK, viommu_map(v, DOMAIN, a + PAGE, PAGE, DATA_GPA + PAGE,
				     VIOMMU_RW));
	EXPECT_STATUS(OK, viommu_map(v, DOMAIN, a + 2 * PAGE, PAGE,
				     DATA_GPA + 2 * PAGE, VIOMMU_RW));
	EXPECT_STATUS(OK, viommu_unmap(v, DOMAIN, a + PAGE, PAGE));
	EXPECT_WRITES(1, &self->vmm, 0, a, DATA_GPA);
	EXPECT_WRITES(0, &self->vmm, 0, a + PAGE, DATA_GPA + PAGE);
	EXPECT_WRITES(1, &self->vmm, 0, a + 2 * PAGE, DATA_GPA + 2 * PAGE);
}

TEST_F(virtio, unmap_errors)
{
	struct virtio_dev *v = self->v;
	struct virtio_iommu_req_unmap req;
	struct virtio_iommu_config config;
	unsigned int i;

	viommu_config(v, &config);
	EXPECT_STATUS(NOENT, viommu_unmap(v, DOMAIN, DATA_IOVA, PAGE));
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_STATUS(NOENT, viommu_unmap(v, DOMAIN + 1, DATA_IOVA, PAGE));
	for (i = 0; i < 4; i++) {
		req = viommu_make_unmap(DOMAIN, DATA_IOVA, DATA_IOVA + PAGE - 1);
		req.reserved[i] = 0x80;
		EXPECT_STATUS(INVAL, SEND(v, req));
	}
	req = viommu_make_unmap(DOMAIN, DATA_IOVA, DATA_IOVA - 0x1001);
	EXPECT_STATUS(RANGE, SEND(v, req));
	req = viommu_make_unmap(DOMAIN, DATA_IOVA, DATA_IOVA + 0x7ff);
	EXPECT_STATUS(RANGE, SEND(v, req));
	req = viommu_make_unmap(DOMAIN, DATA_IOVA + 0x800, DATA_IOVA + 0xfff);
	EXPECT_STATUS(RANGE, SEND(v, req));
	req = viommu_make_unmap(DOMAIN, config.input_range.end + 1,
				config.input_range.end + 0x1000);
	EXPECT_STATUS(RANGE, SEND(v, req));
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	/* reserved of the head is ignored */
	req = viommu_make_unmap(DOMAIN, DATA_IOVA, DATA_IOVA + PAGE - 1);
	memset(req.head.reserved, 0xff, 3);
	EXPECT_STATUS(OK, SEND(v, req));
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(virtio, features_not_negotiated)
{
	u8 properties[VIOMMU_PROBE_SIZE];

	ASSERT_EQ(0, virtio_start(self->v, VIRTIO_F(VIRTIO_F_VERSION_1), 64));
	/* As unknown types (5.13.6.2) */
	EXPECT_EQ(VIOMMU_UNWRITTEN, viommu_probe(self->v, ENDPOINT(0),
						 properties));
	EXPECT_EQ(VIOMMU_UNWRITTEN, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE,
					       DATA_GPA, VIOMMU_RW));
	EXPECT_EQ(VIOMMU_UNWRITTEN, viommu_unmap(self->v, DOMAIN, DATA_IOVA,
						 PAGE));
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
}

TEST_F(virtio, probe)
{
	u8 p[VIOMMU_PROBE_SIZE];
	struct virtio_iommu_req_probe req = {
		.head.type = VIRTIO_IOMMU_T_PROBE,
		.endpoint = ENDPOINT(0),
	};
	unsigned int at, msi = 0, n = 0, i;
	char path[512], text[4096], *line, *save;
	struct {
		u64 start, end;
	} seen[32];
	int status;

	EXPECT_STATUS(NOENT, viommu_probe(self->v, 0x999, p));
	EXPECT_STATUS(OK, viommu_probe(self->v, ENDPOINT(0), p));
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	for (at = 0; at + 4 <= sizeof(p);) {
		struct virtio_iommu_probe_resv_mem *mem = (void *)(p + at);

		if (!mem->head.type)
			break;
		ASSERT_EQ(VIRTIO_IOMMU_PROBE_T_RESV_MEM, mem->head.type);
		ASSERT_EQ(sizeof(*mem) - 4, mem->head.length);
		EXPECT_EQ(0, mem->reserved[0] | mem->reserved[1] |
			  mem->reserved[2]);
		ASSERT_GT(mem->end, mem->start);
		for (i = 0; i < n; i++)
			EXPECT_EQ(true, mem->start > seen[i].end ||
				  mem->end < seen[i].start)
				TH_LOG("RESV_MEM properties overlap");
		ASSERT_GT(ARRAY_SIZE(seen), n);
		seen[n].start = mem->start;
		seen[n++].end = mem->end;
		msi += mem->subtype == VIRTIO_IOMMU_RESV_MEM_T_MSI;
		/* Nothing can be mapped there */
		EXPECT_STATUS(RANGE, viommu_map(self->v, DOMAIN,
						mem->start & ~(PAGE - 1), PAGE,
						DATA_GPA, VIOMMU_RW));
		EXPECT_STATUS(RANGE, viommu_map(self->v, DOMAIN,
						mem->end & ~(PAGE - 1), PAGE,
						DATA_GPA, VIOMMU_RW));
		if (mem->start >= PAGE)
			EXPECT_STATUS(RANGE, viommu_map(self->v, DOMAIN,
					(mem->start & ~(PAGE - 1)) - PAGE,
					2 * PAGE, DATA_GPA, VIOMMU_RW));
		at += 4 + mem->head.length;
	}
	for (; at < sizeof(p); at++)
		ASSERT_EQ(0, p[at]) TH_LOG("the rest must be zero");
	EXPECT_EQ(1, msi) TH_LOG("number of MSI windows");
	/* All that the host reserves is in one of them */
	pci_path(self->host.bdf[0], "iommu_group/reserved_regions", path,
		 sizeof(path));
	ASSERT_LT(0, file_read(path, text, sizeof(text)));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned long long first, last;
		char type[32];
		int fields = sscanf(line, "%llx %llx %31s", &first, &last, type);

		ASSERT_EQ(3, fields);
		if (!strcmp(type, "direct-relaxable"))
			continue;
		for (i = 0; i < n; i++)
			if (seen[i].start <= first && seen[i].end >= last)
				break;
		EXPECT_GT(n, i) TH_LOG("not told: %llx-%llx %s", first, last,
				       type);
	}
	EXPECT_EQ(0, mdev_counter(&self->host.mdev, "mappings"));

	/* reserved is ignored */
	memset(req.reserved, 0xff, sizeof(req.reserved));
	EXPECT_STATUS(OK, viommu_request(self->v, &req, sizeof(req),
					 VIOMMU_PROBE_SIZE + 4));
	/* Too little room for the properties */
	status = viommu_request(self->v, &req, sizeof(req),
				VIOMMU_PROBE_SIZE - 8 + 4);
	EXPECT_EQ(VIRTIO_IOMMU_S_INVAL, status);
	status = viommu_request(self->v, &req, sizeof(req), 4);
	EXPECT_EQ(VIRTIO_IOMMU_S_INVAL, status);
}

/* Requests of one kick are done in the order they were made available */
TEST_F(virtio, order)
{
	struct virtio_iommu_req_attach attach =
		viommu_make_attach(DOMAIN, ENDPOINT(0), 0);
	struct virtio_iommu_req_map map = viommu_make_map(
		DOMAIN, DATA_IOVA, DATA_IOVA + PAGE - 1, DATA_GPA, VIOMMU_RW);
	struct virtio_iommu_req_unmap unmap =
		viommu_make_unmap(DOMAIN, DATA_IOVA, DATA_IOVA + PAGE - 1);
	const unsigned int total = 200;
	unsigned int i, slot;

	viommu_queue(self->v, 0, &attach, sizeof(attach) - 4, 4);
	for (i = 1; i < total; i++) {
		if (i & 1)
			viommu_queue(self->v, i, &map, sizeof(map) - 4, 4);
		else
			viommu_queue(self->v, i, &unmap, sizeof(unmap) - 4, 4);
	}
	vq_kick(self->v, 0);
	for (i = 0; i < total; i++) {
		ASSERT_EQ(VIRTIO_IOMMU_S_OK, viommu_collect(self->v, &slot))
			TH_LOG("request %u", i);
		ASSERT_EQ(i, slot);
	}
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "mappings"));
}

TEST_F(virtio, index_wraps)
{
	unsigned int i;

	ASSERT_EQ(0, virtio_start(self->v, variant->features, 4));
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	for (i = 0; i < 33000; i++) {
		ASSERT_EQ(0, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE,
					DATA_GPA, VIOMMU_RW))
			TH_LOG("round %u", i);
		ASSERT_EQ(0, viommu_unmap(self->v, DOMAIN, DATA_IOVA, PAGE))
			TH_LOG("round %u", i);
	}
}

TEST_F(virtio, batch_and_worker)
{
	static const char *const batch[] = { "1", "2", "64", "1024" };
	struct virtio_iommu_req_map map;
	unsigned int i, n, slot;

	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	for (n = 0; n < ARRAY_SIZE(batch); n++) {
		ASSERT_EQ(0, mdev_set(&self->host.mdev, "batch", batch[n]));
		for (i = 0; i < VQ_SLOTS; i++) {
			map = viommu_make_map(DOMAIN, DATA_IOVA + i * PAGE,
					      DATA_IOVA + i * PAGE + PAGE - 1,
					      DATA_GPA + i * PAGE, VIOMMU_RW);
			viommu_queue(self->v, i, &map, sizeof(map) - 4, 4);
		}
		vq_kick(self->v, 0);
		for (i = 0; i < VQ_SLOTS; i++)
			ASSERT_EQ(0, viommu_collect(self->v, &slot))
				TH_LOG("batch %s, request %u", batch[n], i);
		EXPECT_STATUS(OK, viommu_unmap(self->v, DOMAIN, DATA_IOVA,
					       VQ_SLOTS * PAGE));
	}
}

/* Quotas of the administrator */
TEST_F(virtio, quotas)
{
	struct virtio_iommu_config config;

	vmm_close(&self->vmm);
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "max_mappings", "3"));
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "max_domains", "2"));
	ASSERT_UP(&self->vmm, VMM_MAPPED);	/* 2 mappings */
	EXPECT_STATUS(OK, viommu_map(self->v, DOMAIN, DATA_IOVA + PAGE, PAGE,
				     DATA2_GPA, VIOMMU_RW));
	EXPECT_STATUS(NOMEM, viommu_map(self->v, DOMAIN, DATA_IOVA + 2 * PAGE,
					PAGE, DATA2_GPA, VIOMMU_RW));
	EXPECT_EQ(3, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_STATUS(OK, viommu_unmap(self->v, DOMAIN, DATA_IOVA + PAGE, PAGE));
	EXPECT_STATUS(OK, viommu_map(self->v, DOMAIN, DATA_IOVA + 2 * PAGE, PAGE,
				     DATA2_GPA, VIOMMU_RW));
	EXPECT_LT(0, mdev_counter(&self->host.mdev, "err_nomem"));
	viommu_config(self->v, &config);
	EXPECT_EQ(1, config.domain_range.end);
	EXPECT_STATUS(OK, viommu_attach(self->v, 0, ENDPOINT(0), 0));
	EXPECT_STATUS(RANGE, viommu_attach(self->v, 2, ENDPOINT(0), 0));
}

/* ---- notifications ---- */

static unsigned int interrupts_of(int fd)
{
	u64 count = 0;

	return read(fd, &count, 8) == 8 ? count : 0;
}

TEST_F(virtio, interrupt_suppression)
{
	bool event_idx = variant->features & VIRTIO_F(VIRTIO_RING_F_EVENT_IDX);
	int fds[3] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK),
		       eventfd(0, EFD_NONBLOCK) };
	struct vq *q = &self->v->vq[0];
	unsigned int i, n = 0;

	ASSERT_EQ(0, vfio_set_irqs(&self->vmm.viommu, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				   3, fds));
	/* Not wanted */
	if (event_idx)
		vq_set_used_event(q, q->used_idx + 1000);
	else
		q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	for (i = 0; i < 10; i++)
		EXPECT_STATUS(OK, viommu_unmap(self->v, DOMAIN, DATA_IOVA,
					       PAGE));
	sleep_ms(50);
	EXPECT_EQ(0, interrupts_of(fds[1]));
	/* Wanted */
	q->avail->flags = 0;
	for (i = 0; i < 10; i++) {
		vq_set_used_event(q, q->used_idx);
		EXPECT_STATUS(OK, viommu_unmap(self->v, DOMAIN, DATA_IOVA,
					       PAGE));
		n += eventfd_take(fds[1]);
	}
	EXPECT_EQ(10, n);
	/* With the event index, only the one that was asked for */
	if (event_idx) {
		vq_set_used_event(q, q->used_idx + 4);
		for (i = 0; i < 10; i++)
			EXPECT_STATUS(OK, viommu_unmap(self->v, DOMAIN,
						       DATA_IOVA, PAGE));
		sleep_ms(50);
		EXPECT_EQ(1, interrupts_of(fds[1]));
	}
}

/*
 * While the device polls it wants no notification, and requests are still
 * served; when it is idle again it wants them, so none is lost
 */
TEST_F(virtio, polling)
{
	u64 end = now_ns() + 60000000000ULL;
	unsigned int i, round, unkicked = 0;

	ASSERT_EQ(0, mdev_set(&self->host.mdev, "poll_us", "10000"));
	EXPECT_STATUS(OK, viommu_attach(self->v, DOMAIN, ENDPOINT(0), 0));
	/*
	 * How many it takes is a matter of how the two processors get their time;
	 * that requests are served without a notification is not
	 */
	for (i = 0; unkicked < 500 && now_ns() < end; i++) {
		u64 before = self->v->kicks;

		ASSERT_EQ(0, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE,
					DATA_GPA, VIOMMU_RW))
			TH_LOG("request %u", i);
		ASSERT_EQ(0, viommu_unmap(self->v, DOMAIN, DATA_IOVA, PAGE))
			TH_LOG("request %u", i);
		unkicked += 2 - (self->v->kicks - before);
	}
	TH_LOG("%u of %u requests without a notification", unkicked, 2 * i);
	EXPECT_LT(0, unkicked);
	/* Counted when it has ended */
	for (i = 0; i < 1000 && !mdev_counter(&self->host.mdev, "polled"); i++)
		sleep_ms(10);
	EXPECT_GT(1000, i) TH_LOG("nothing was polled");
	/* Idle times of every length around the polling window */
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "poll_us", "2000"));
	for (round = 0; round < 200; round++) {
		struct timespec ts = { 0, round * 50000L };

		nanosleep(&ts, NULL);
		ASSERT_EQ(0, viommu_map(self->v, DOMAIN, DATA_IOVA, PAGE,
					DATA_GPA, VIOMMU_RW))
			TH_LOG("after %u us of silence", round * 50);
		ASSERT_EQ(0, viommu_unmap(self->v, DOMAIN, DATA_IOVA, PAGE));
	}
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "poll_us", "0"));
	sleep_ms(50);
	self->v->kicks = 0;
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, viommu_unmap(self->v, DOMAIN, DATA_IOVA, PAGE));
	EXPECT_EQ(100, self->v->kicks);
}

TEST_HARNESS_MAIN
