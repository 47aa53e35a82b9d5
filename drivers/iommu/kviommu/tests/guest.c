// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's side of a virtio vIOMMU.
 */
#include <linux/unaligned.h>

#include "guest.h"

/**
 * guest_create() - a machine with a virtio vIOMMU that a VMM has open
 * @test: test; guest_exit() is its exit
 * @layout: of guest memory
 * @demand: how it is pinned
 */
struct guest *guest_create(struct kunit *test, enum mock_layout layout,
			   bool demand)
{
	struct mock *m = mock_create(test, &kviommu_virtio_model);
	struct rnd_state rnd;
	struct guest *g;
	unsigned int q;

	mock_seed(test, &rnd, 0x90e57);
	g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g);
	mock_mem_create(m, GUEST_CHUNKS, layout, &rnd);
	g->m = m;
	g->v = &m->v;
	g->vi = m->v.model_priv;
	m->v.pin_demand = demand;
	m->v.poll_us = 0;
	m->v.max_domains = 16;
	/* Nobody else works on the queue: a notification does it all. */
	m->v.worker.dead = true;
	for (q = 0; q < KVIOMMU_NR_VQS; q++) {
		g->vq[q].desc = GUEST_RINGS + q * 0x20000;
		g->vq[q].avail = g->vq[q].desc + 0x8ffe;
		g->vq[q].used = g->vq[q].desc + 0x10004;
	}
	mock_open(m);
	kviommu_memory(g->v, true);
	return g;
}

void guest_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

/* ---- registers ---- */

u64 guest_read(struct guest *g, u32 reg, size_t len)
{
	return mock_read(g->v, reg, len);
}

void guest_write(struct guest *g, u32 reg, size_t len, u64 val)
{
	mock_write(g->v, reg, val, len);
}

void guest_write_addr(struct guest *g, u32 reg, u64 addr)
{
	guest_write(g, reg, 4, lower_32_bits(addr));
	guest_write(g, reg + 4, 4, upper_32_bits(addr));
}

u8 guest_status(struct guest *g)
{
	return guest_read(g, REG_DEVICE_STATUS, 1);
}

/**
 * guest_negotiate() - reset the device, up to FEATURES_OK (3.1.1)
 * @g: guest
 * @features: those wanted, of what is offered
 */
void guest_negotiate(struct guest *g, u64 features)
{
	u64 offered;

	guest_write(g, REG_DEVICE_STATUS, 1, 0);
	guest_write(g, REG_DEVICE_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	guest_write(g, REG_DEVICE_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE |
		    VIRTIO_CONFIG_S_DRIVER);
	guest_write(g, REG_DEVICE_FEATURE_SELECT, 4, 0);
	offered = guest_read(g, REG_DEVICE_FEATURE, 4);
	guest_write(g, REG_DEVICE_FEATURE_SELECT, 4, 1);
	offered |= guest_read(g, REG_DEVICE_FEATURE, 4) << 32;
	g->features = offered & features;
	guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 0);
	guest_write(g, REG_DRIVER_FEATURE, 4, lower_32_bits(g->features));
	guest_write(g, REG_DRIVER_FEATURE_SELECT, 4, 1);
	guest_write(g, REG_DRIVER_FEATURE, 4, upper_32_bits(g->features));
	guest_write(g, REG_DEVICE_STATUS, 1, STATUS_READY);
	KUNIT_EXPECT_EQ(g->m->test, guest_status(g), STATUS_READY);
}

void guest_setup_queue(struct guest *g, unsigned int q, u16 size)
{
	struct guest_vq *vq = &g->vq[q];
	static const u8 zeroes[6 + 8 * KVIOMMU_REQUESTQ_MAX];

	vq->size = size;
	vq->next = 0;
	vq->seen = 0;
	guest_put(g, vq->avail, zeroes, 6 + 2 * size);
	guest_put(g, vq->used, zeroes, 6 + 8 * size);
	guest_write(g, REG_QUEUE_SELECT, 2, q);
	guest_write(g, REG_QUEUE_SIZE, 2, size);
	guest_write_addr(g, REG_QUEUE_DESC, vq->desc);
	guest_write_addr(g, REG_QUEUE_DRIVER, vq->avail);
	guest_write_addr(g, REG_QUEUE_DEVICE, vq->used);
	guest_write(g, REG_QUEUE_ENABLE, 2, 1);
}

/**
 * guest_start() - all that a driver does before it works
 * @g: guest
 * @features: those wanted
 */
void guest_start(struct guest *g, u64 features)
{
	guest_negotiate(g, features);
	guest_setup_queue(g, KVIOMMU_REQUESTQ, 64);
	guest_setup_queue(g, KVIOMMU_EVENTQ, 8);
	guest_write(g, REG_DEVICE_STATUS, 1, STATUS_READY |
		    VIRTIO_CONFIG_S_DRIVER_OK);
	KUNIT_EXPECT_EQ(g->m->test, guest_status(g),
			STATUS_READY | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* ---- memory and rings ---- */

void guest_put(struct guest *g, u64 gpa, const void *buf, size_t len)
{
	mock_mem_rw(g->m, gpa, (void *)buf, len, true);
}

void guest_get(struct guest *g, u64 gpa, void *buf, size_t len)
{
	mock_mem_rw(g->m, gpa, buf, len, false);
}

void guest_set16(struct guest *g, u64 gpa, u16 val)
{
	*(__le16 *)mock_mem_ptr(g->m, gpa) = cpu_to_le16(val);
}

u16 guest_get16(struct guest *g, u64 gpa)
{
	return le16_to_cpu(*(__le16 *)mock_mem_ptr(g->m, gpa));
}

void guest_desc(struct guest *g, u64 table, u16 i, u64 addr, u32 len, u16 flags,
		u16 next)
{
	u8 d[16];

	put_unaligned_le64(addr, d);
	put_unaligned_le32(len, d + 8);
	put_unaligned_le16(flags, d + 12);
	put_unaligned_le16(next, d + 14);
	guest_put(g, table + i * sizeof(d), d, sizeof(d));
}

void guest_avail(struct guest *g, unsigned int q, u16 head)
{
	struct guest_vq *vq = &g->vq[q];

	guest_set16(g, vq->avail + 4 + 2 * (vq->next % vq->size), head);
	guest_set16(g, vq->avail + 2, ++vq->next);
}

void guest_kick(struct guest *g, unsigned int q)
{
	guest_write(g, REG_NOTIFY + 4 * q, 2, q);
}

/* The next chain that the device gave back, if any. */
bool guest_used(struct guest *g, unsigned int q, u32 *head, u32 *len)
{
	struct guest_vq *vq = &g->vq[q];
	u64 at = vq->used + 4 + 8 * (vq->seen % vq->size);

	if (vq->seen == guest_get16(g, vq->used + 2))
		return false;
	*head = guest_get16(g, at) | (u32)guest_get16(g, at + 2) << 16;
	*len = guest_get16(g, at + 4) | (u32)guest_get16(g, at + 6) << 16;
	vq->seen++;
	return true;
}

/* ---- requests ---- */

/**
 * guest_request() - send one, and take what comes back
 * @g: guest
 * @req: readable part
 * @rlen: bytes of it
 * @reply: writable part; filled with 0xa5 before
 * @wlen: bytes of it
 *
 * Return: used length, or -1 if it did not come back.
 */
int guest_request(struct guest *g, const void *req, size_t rlen, void *reply,
		  size_t wlen)
{
	struct guest_vq *vq = &g->vq[KVIOMMU_REQUESTQ];
	u64 at = GUEST_BUF + 0x4000;
	u32 head, len;

	memset(reply, 0xa5, wlen);
	guest_put(g, GUEST_BUF, req, rlen);
	guest_put(g, at, reply, wlen);
	guest_desc(g, vq->desc, 3, GUEST_BUF, rlen,
		   wlen ? VRING_DESC_F_NEXT : 0, 9);
	guest_desc(g, vq->desc, 9, at, wlen, VRING_DESC_F_WRITE, 0);
	guest_avail(g, KVIOMMU_REQUESTQ, 3);
	guest_kick(g, KVIOMMU_REQUESTQ);
	if (!guest_used(g, KVIOMMU_REQUESTQ, &head, &len))
		return -1;
	KUNIT_EXPECT_EQ(g->m->test, head, 3);
	KUNIT_EXPECT_LE(g->m->test, len, wlen);
	guest_get(g, at, reply, wlen);
	return len;
}

/* A request with nothing but a status: that, or -1. */
static int status_request(struct guest *g, const void *req, size_t len)
{
	struct virtio_iommu_req_tail tail;

	if (guest_request(g, req, len, &tail, sizeof(tail)) != sizeof(tail))
		return -1;
	return tail.status;
}

int guest_map(struct guest *g, u32 domain, u64 first, u64 last, u64 gpa,
	      u32 flags)
{
	struct virtio_iommu_req_map req = {
		.head.type = VIRTIO_IOMMU_T_MAP,
		.domain = cpu_to_le32(domain),
		.virt_start = cpu_to_le64(first),
		.virt_end = cpu_to_le64(last),
		.phys_start = cpu_to_le64(gpa),
		.flags = cpu_to_le32(flags),
	};

	return status_request(g, &req, offsetof(typeof(req), tail));
}

int guest_unmap(struct guest *g, u32 domain, u64 first, u64 last)
{
	struct virtio_iommu_req_unmap req = {
		.head.type = VIRTIO_IOMMU_T_UNMAP,
		.domain = cpu_to_le32(domain),
		.virt_start = cpu_to_le64(first),
		.virt_end = cpu_to_le64(last),
	};

	return status_request(g, &req, offsetof(typeof(req), tail));
}

int guest_attach(struct guest *g, u32 domain, u32 endpoint, u32 flags)
{
	struct virtio_iommu_req_attach req = {
		.head.type = VIRTIO_IOMMU_T_ATTACH,
		.domain = cpu_to_le32(domain),
		.endpoint = cpu_to_le32(endpoint),
		.flags = cpu_to_le32(flags),
	};

	return status_request(g, &req, offsetof(typeof(req), tail));
}

int guest_detach(struct guest *g, u32 domain, u32 endpoint)
{
	struct virtio_iommu_req_detach req = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = cpu_to_le32(domain),
		.endpoint = cpu_to_le32(endpoint),
	};

	return status_request(g, &req, offsetof(typeof(req), tail));
}

/**
 * guest_add_dev() - a device that is assigned, bound, and attached by the VMM
 * @g: guest
 * @iommu: number of the host IOMMU
 * @id: endpoint
 * @peer: in the same group, or NULL
 */
struct mock_dev *guest_add_dev(struct guest *g, unsigned int iommu, u32 id,
			       struct mock_dev *peer)
{
	struct mock_dev *d = mock_add_dev(g->m, iommu, peer);

	mock_assign(d, id);
	mock_bind(d);
	KUNIT_ASSERT_EQ(g->m->test, 0, mock_attach(d, GUEST_PT));
	return d;
}

/* ---- the kernel's log, the only place that says why ---- */

void guest_log_skip(struct guest *g)
{
	size_t len;

	if (!g->log.next_seq)
		kmsg_dump_rewind(&g->log);
	while (kmsg_dump_get_line(&g->log, false, g->line, sizeof(g->line), &len))
		;
}

/**
 * guest_log_has() - was it logged since guest_log_skip() that a rule was broken
 * @g: guest
 * @what: and how
 * @line: what was logged of that kind, or NULL
 */
bool guest_log_has(struct guest *g, const char *what, const char **line)
{
	size_t len;

	*line = NULL;
	while (kmsg_dump_get_line(&g->log, false, g->line, sizeof(g->line) - 1,
				  &len)) {
		g->line[len] = 0;
		if (!strstr(g->line, "broke the protocol"))
			continue;
		*line = g->line;
		if (strstr(g->line, what))
			return true;
	}
	return false;
}
