// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings: chains of every shape, and every rule that a driver can break.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include "guest.h"

#define Q		KVIOMMU_REQUESTQ
#define F_NEXT		VRING_DESC_F_NEXT
#define F_WRITE		VRING_DESC_F_WRITE
#define F_INDIRECT	VRING_DESC_F_INDIRECT

#define EP		0x28
#define REPLY		(GUEST_BUF + 0x4000)

/* A request that succeeds: DETACH would not, so attach again and again. */
static const struct virtio_iommu_req_attach attach = {
	.head.type = VIRTIO_IOMMU_T_ATTACH,
	.domain = cpu_to_le32(5),
	.endpoint = cpu_to_le32(EP),
};

#define ATTACH_LEN	offsetof(struct virtio_iommu_req_attach, tail)

static struct guest *create(struct kunit *test, u64 features, bool demand)
{
	struct guest *g = guest_create(test, MOCK_SCATTERED, demand);

	guest_add_dev(g, 0, EP, NULL);
	guest_start(g, features);
	return g;
}

static bool needs_reset(struct guest *g)
{
	return guest_status(g) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static u64 desc_table(struct guest *g)
{
	return g->vq[Q].desc;
}

/* A valid chain: descriptor 3 to be read, 9 to be written. */
static void valid_chain(struct guest *g)
{
	struct virtio_iommu_req_tail tail = { 0xa5 };

	guest_put(g, GUEST_BUF, &attach, ATTACH_LEN);
	guest_put(g, REPLY, &tail, sizeof(tail));
	guest_desc(g, desc_table(g), 3, GUEST_BUF, ATTACH_LEN, F_NEXT, 9);
	guest_desc(g, desc_table(g), 9, REPLY, sizeof(tail), F_WRITE, 0);
}

/* The same in a table. */
static void valid_table(struct guest *g)
{
	valid_chain(g);
	guest_desc(g, GUEST_TABLE, 0, GUEST_BUF, ATTACH_LEN, F_NEXT, 2);
	guest_desc(g, GUEST_TABLE, 2, REPLY, 4, F_WRITE, 0);
	guest_desc(g, desc_table(g), 3, GUEST_TABLE, 3 * 16, F_INDIRECT, 0);
}

static void expect_done(struct guest *g, u32 want_head, u32 want_len)
{
	struct kunit *test = g->m->test;
	u32 head = -1, len = -1;

	KUNIT_EXPECT_TRUE(test, guest_used(g, Q, &head, &len));
	KUNIT_EXPECT_EQ(test, head, want_head);
	KUNIT_EXPECT_EQ(test, len, want_len);
	KUNIT_EXPECT_FALSE(test, needs_reset(g));
}

static u8 reply_status(struct guest *g)
{
	return *(u8 *)mock_mem_ptr(g->m, REPLY);
}

/* ---- what a driver must not do ---- */

struct broken_case {
	const char *name;
	const char *why;
	u64 without;		/* features */
	bool table;		/* start from an indirect table */
	void (*make)(struct guest *g);
};

static void head_too_large(struct guest *g)
{
	guest_avail(g, Q, g->vq[Q].size);
}

static void head_max(struct guest *g)
{
	guest_avail(g, Q, 0xffff);
}

static void next_too_large(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_BUF, ATTACH_LEN, F_NEXT,
		   g->vq[Q].size);
	guest_avail(g, Q, 3);
}

static void loop_of_one(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_BUF, ATTACH_LEN, F_NEXT, 3);
	guest_avail(g, Q, 3);
}

static void loop_of_writable(struct guest *g)
{
	guest_desc(g, desc_table(g), 9, REPLY, 4, F_WRITE | F_NEXT, 9);
	guest_avail(g, Q, 3);
}

static void loop_of_all(struct guest *g)
{
	u16 i;

	for (i = 0; i < g->vq[Q].size; i++)
		guest_desc(g, desc_table(g), i, GUEST_BUF, 1, F_NEXT,
			   (i + 1) % g->vq[Q].size);
	guest_avail(g, Q, 3);
}

static void unknown_flag(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_BUF, ATTACH_LEN, F_NEXT | 8, 9);
	guest_avail(g, Q, 3);
}

static void unknown_high_flag(struct guest *g)
{
	guest_desc(g, desc_table(g), 9, REPLY, 4, F_WRITE | 0x8000, 0);
	guest_avail(g, Q, 3);
}

static void readable_after_writable(struct guest *g)
{
	guest_desc(g, desc_table(g), 9, REPLY, 4, F_WRITE | F_NEXT, 10);
	guest_desc(g, desc_table(g), 10, GUEST_BUF, 4, 0, 0);
	guest_avail(g, Q, 3);
}

static void readable_after_empty_writable(struct guest *g)
{
	guest_desc(g, desc_table(g), 9, REPLY, 0, F_WRITE | F_NEXT, 10);
	guest_desc(g, desc_table(g), 10, GUEST_BUF, 4, 0, 0);
	guest_avail(g, Q, 3);
}

static void index_jumps(struct guest *g)
{
	guest_set16(g, g->vq[Q].avail + 2, g->vq[Q].next + g->vq[Q].size + 1);
}

static void index_goes_back(struct guest *g)
{
	guest_set16(g, g->vq[Q].avail + 2, g->vq[Q].next - 1);
}

static void read_outside(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_CHUNKS * SZ_2M - 4, ATTACH_LEN,
		   F_NEXT, 9);
	guest_avail(g, Q, 3);
}

static void read_wraps(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, U64_MAX - 3, ATTACH_LEN, F_NEXT, 9);
	guest_avail(g, Q, 3);
}

static void write_wraps(struct guest *g)
{
	guest_desc(g, desc_table(g), 9, U64_MAX - 1, 4, F_WRITE, 0);
	guest_avail(g, Q, 3);
}

static void just_table(struct guest *g)
{
	guest_avail(g, Q, 3);
}

static void table_and_next(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_TABLE, 3 * 16, F_INDIRECT | F_NEXT, 9);
	guest_avail(g, Q, 3);
}

static void table_in_table(struct guest *g)
{
	guest_desc(g, GUEST_TABLE, 0, GUEST_TABLE + 16, 2 * 16, F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_empty(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_TABLE, 0, F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_odd(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_TABLE, 3 * 16 + 8, F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_too_long(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_TABLE, (g->vq[Q].size + 1) * 16,
		   F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_huge(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_TABLE, 0xfffffff0, F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_outside(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, GUEST_CHUNKS * SZ_2M, 3 * 16, F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_wraps(struct guest *g)
{
	guest_desc(g, desc_table(g), 3, U64_MAX - 15, 3 * 16, F_INDIRECT, 0);
	guest_avail(g, Q, 3);
}

static void table_next_too_large(struct guest *g)
{
	guest_desc(g, GUEST_TABLE, 0, GUEST_BUF, ATTACH_LEN, F_NEXT, 3);
	guest_avail(g, Q, 3);
}

static void table_loop(struct guest *g)
{
	guest_desc(g, GUEST_TABLE, 0, GUEST_BUF, ATTACH_LEN, F_NEXT, 0);
	guest_avail(g, Q, 3);
}

static void table_unknown_flag(struct guest *g)
{
	guest_desc(g, GUEST_TABLE, 2, REPLY, 4, F_WRITE | 0x10, 0);
	guest_avail(g, Q, 3);
}

static const struct broken_case broken_cases[] = {
	{ "head too large", "out of range", .make = head_too_large },
	{ "head 0xffff", "out of range", .make = head_max },
	{ "next too large", "out of range", .make = next_too_large },
	{ "loop of one", "longer than", .make = loop_of_one },
	{ "loop of a writable one", "longer than", .make = loop_of_writable },
	{ "loop of all", "longer than", .make = loop_of_all },
	{ "unknown flag", "unknown flags", .make = unknown_flag },
	{ "unknown high flag", "unknown flags", .make = unknown_high_flag },
	{ "readable after writable", "follows a writable",
	  .make = readable_after_writable },
	{ "readable after an empty writable", "follows a writable",
	  .make = readable_after_empty_writable },
	{ "index jumps", "jumped", .make = index_jumps },
	{ "index goes back", "jumped", .make = index_goes_back },
	{ "read outside of memory", "outside", .make = read_outside },
	{ "read over the end", "outside", .make = read_wraps },
	{ "write over the end", "outside", .make = write_wraps },
	{ "table not negotiated", "not negotiated",
	  BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), true, just_table },
	{ "table and next", "not the last", 0, true, table_and_next },
	{ "table in a table", "names another", 0, true, table_in_table },
	{ "empty table", "bad size", 0, true, table_empty },
	{ "half an entry in a table", "bad size", 0, true, table_odd },
	{ "table longer than the queue", "bad size", 0, true, table_too_long },
	{ "table of 4 GiB", "bad size", 0, true, table_huge },
	{ "table outside of memory", "outside", 0, true, table_outside },
	{ "table over the end", "outside", 0, true, table_wraps },
	{ "next too large in a table", "out of range", 0, true,
	  table_next_too_large },
	{ "loop in a table", "longer than", 0, true, table_loop },
	{ "unknown flag in a table", "unknown flags", 0, true,
	  table_unknown_flag },
};

/* Break it, and see that the device has stopped and done nothing. */
static void break_once(struct guest *g, const struct broken_case *c)
{
	struct kunit *test = g->m->test;
	u16 used, avail = g->vi->vq[Q].avail;

	guest_read(g, REG_ISR, 1);
	used = guest_get16(g, g->vq[Q].used + 2);
	if (c->table)
		valid_table(g);
	else
		valid_chain(g);
	guest_log_skip(g);
	c->make(g);
	guest_kick(g, Q);
	KUNIT_EXPECT_TRUE(test, needs_reset(g));
	/* The driver is told that something is wrong (2.1.2). */
	KUNIT_EXPECT_TRUE(test, guest_read(g, REG_ISR, 1) & BIT(1));
	/* The request was not done. */
	KUNIT_EXPECT_EQ(test, guest_get16(g, g->vq[Q].used + 2), used);
	KUNIT_EXPECT_EQ(test, g->vi->vq[Q].avail, avail);
	KUNIT_EXPECT_EQ(test, reply_status(g), 0xa5);
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	/* Nor is anything else. */
	valid_chain(g);
	guest_avail(g, Q, 3);
	guest_kick(g, Q);
	KUNIT_EXPECT_EQ(test, guest_get16(g, g->vq[Q].used + 2), used);
	KUNIT_EXPECT_EQ(test, reply_status(g), 0xa5);
}

static void broken(struct guest *g, const struct broken_case *c)
{
	struct kunit *test = g->m->test;
	unsigned int attempt;
	const char *line;

	for (attempt = 0; attempt < 2; attempt++) {
		/* Without the mistake it works, before and after a reset. */
		guest_start(g, GUEST_ALL_FEATURES & ~c->without);
		if (c->table && !c->without)
			valid_table(g);
		else
			valid_chain(g);
		guest_avail(g, Q, 3);
		guest_kick(g, Q);
		expect_done(g, 3, 4);
		KUNIT_EXPECT_EQ(test, reply_status(g), VIRTIO_IOMMU_S_OK);
		KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_detach(g, 5, EP));

		break_once(g, c);
		if (test->status != KUNIT_SUCCESS || guest_log_has(g, c->why, &line))
			return;
		if (line) {
			KUNIT_FAIL(test, "not for \"%s\": %s", c->why, line);
			return;
		}
		/* The log is rate-limited. */
		KUNIT_ASSERT_EQ_MSG(test, attempt, 0, "the log does not say why");
		msleep(5500);
	}
}

static void ring_broken(struct kunit *test)
{
	struct guest *g = create(test, GUEST_ALL_FEATURES, false);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(broken_cases); i++) {
		broken(g, &broken_cases[i]);
		if (test->status != KUNIT_SUCCESS) {
			kunit_err(test, "%s\n", broken_cases[i].name);
			return;
		}
	}
	guest_start(g, GUEST_ALL_FEATURES);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 6, EP, 0));
}

struct reply_case {
	const char *name;
	u64 at;
	u32 len;
};

#define RO_MEM	(3 * (u64)SZ_2M)
#define MEM_END	(GUEST_CHUNKS * (u64)SZ_2M)

static const struct reply_case reply_cases[] = {
	{ "outside of memory", MEM_END, 4 },
	{ "over the end of memory", MEM_END - 2, 4 },
	{ "read-only memory", RO_MEM, 4 },
	{ "over to read-only memory", RO_MEM - 2, 4 },
	{ "too short", REPLY, 3 },
	{ "empty", REPLY, 0 },
};

KUNIT_ARRAY_PARAM_DESC(reply, reply_cases, name);

/* No place for a status: given back, and nothing is done (5.13.6.2). */
static void ring_no_reply(struct kunit *test)
{
	const struct reply_case *c = test->param_value;
	struct guest *g = create(test, GUEST_ALL_FEATURES, false);

	mock_mem_readonly(g->m, RO_MEM, PAGE_SIZE, true);
	valid_chain(g);
	guest_desc(g, desc_table(g), 9, c->at, c->len, F_WRITE, 0);
	guest_avail(g, Q, 3);
	guest_kick(g, Q);
	expect_done(g, 3, 0);
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	KUNIT_EXPECT_EQ(test, *(u8 *)mock_mem_ptr(g->m, RO_MEM), 0);
	KUNIT_EXPECT_EQ(test, reply_status(g), 0xa5);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 6, EP, 0));
}

/* Where the areas of a queue are. */
struct area_case {
	const char *name;
	const char *why;
	u64 desc, avail, used;
};

#define D	0x100000
#define A	0x104000
#define U	0x106000
#define END	MEM_END

static const struct area_case area_cases[] = {
	{ "good", NULL, D, A, U },
	{ "at the end of memory", NULL, D, A, END - 6 - 8 * 64 - 2 },
	{ "avail at the end of memory", NULL, D, END - 6 - 2 * 64, U },
	{ "desc not aligned", "aligned", D + 8, A, U },
	{ "avail not aligned", "aligned", D, A + 1, U },
	{ "used not aligned", "aligned", D, A, U + 2 },
	{ "desc outside", "outside", END, A, U },
	{ "desc over the end", "outside", END - 16, A, U },
	{ "avail outside", "outside", D, END + 0x1000, U },
	{ "avail over the end", "outside", D, END - 2 * 64 - 4, U },
	{ "used outside", "outside", D, A, END },
	{ "used over the end", "outside", D, A, END - 8 * 64 - 4 },
	{ "the highest address", "outside", D, A, 0xfffffffffffffffcULL },
};

KUNIT_ARRAY_PARAM_DESC(area, area_cases, name);

static void ring_areas(struct kunit *test)
{
	const struct area_case *c = test->param_value;
	struct guest *g = guest_create(test, MOCK_SCATTERED, false);
	unsigned int attempt;
	const char *line;

	guest_add_dev(g, 0, EP, NULL);
	for (attempt = 0; attempt < 2; attempt++) {
		guest_negotiate(g, GUEST_ALL_FEATURES);
		guest_log_skip(g);
		guest_write(g, REG_QUEUE_SELECT, 2, Q);
		guest_write(g, REG_QUEUE_SIZE, 2, 64);
		guest_write_addr(g, REG_QUEUE_DESC, c->desc);
		guest_write_addr(g, REG_QUEUE_DRIVER, c->avail);
		guest_write_addr(g, REG_QUEUE_DEVICE, c->used);
		guest_write(g, REG_QUEUE_ENABLE, 2, 1);
		KUNIT_EXPECT_EQ(test, needs_reset(g), !!c->why);
		if (!c->why || guest_log_has(g, c->why, &line))
			break;
		if (line) {
			KUNIT_FAIL(test, "not for \"%s\": %s", c->why, line);
			break;
		}
		KUNIT_ASSERT_EQ_MSG(test, attempt, 0, "the log does not say why");
		msleep(5500);
	}
	if (!c->why) {
		g->vq[Q] = (struct guest_vq){ c->desc, c->avail, c->used, 64 };
		guest_write(g, REG_DEVICE_STATUS, 1, STATUS_READY |
			    VIRTIO_CONFIG_S_DRIVER_OK);
		KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 6, EP, 0));
	}
	guest_write(g, REG_DEVICE_STATUS, 1, 0);
	/* What was pinned for them is not any more. */
	kviommu_dma_unmap(g->v, 0, END);
	KUNIT_EXPECT_EQ(test, g->m->mem.pinned, 0);
}

/* ---- what a driver may do ---- */

struct part {
	u32 len;
	u16 flags;
};

struct chain_case {
	const char *name;
	unsigned int direct;	/* parts not in the table */
	bool table;
	struct part part[12];	/* { 0, 0 } ends it, but for the first */
	unsigned int n;
};

static const struct chain_case chain_cases[] = {
	{ "two parts", 2, false, { { 20 }, { 4, F_WRITE } }, 2 },
	{ "one byte each", 9, false, { { 1 }, { 1 }, { 1 }, { 1 }, { 16 },
	  { 1, F_WRITE }, { 1, F_WRITE }, { 1, F_WRITE }, { 1, F_WRITE } }, 9 },
	{ "empty parts", 7, false, { { 0 }, { 8 }, { 0 }, { 12 },
	  { 0, F_WRITE }, { 4, F_WRITE }, { 0, F_WRITE } }, 7 },
	{ "more to write than needed", 3, false, { { 20 }, { 3, F_WRITE },
	  { 100, F_WRITE } }, 3 },
	{ "table", 0, true, { { 20 }, { 4, F_WRITE } }, 2 },
	{ "table with empty parts", 0, true, { { 0 }, { 20 }, { 0, F_WRITE },
	  { 4, F_WRITE } }, 4 },
	{ "one before a table", 1, true, { { 8 }, { 12 }, { 4, F_WRITE } }, 3 },
	{ "all readable before a table", 3, true, { { 8 }, { 0 }, { 12 },
	  { 2, F_WRITE }, { 2, F_WRITE } }, 5 },
	{ "a writable one before a table", 2, true, { { 20 }, { 1, F_WRITE },
	  { 3, F_WRITE } }, 3 },
};

KUNIT_ARRAY_PARAM_DESC(chain, chain_cases, name);

static void ring_chains(struct kunit *test)
{
	const struct chain_case *c = test->param_value;
	struct guest *g = create(test, GUEST_ALL_FEATURES, false);
	u64 in = GUEST_BUF, out = GUEST_BUF + 0x2000, table = desc_table(g), at;
	u8 want[128], got[128];
	unsigned int i, k, idx, round;
	u32 done;

	for (round = 0; round < 2; round++) {
		/* The table's own write flag means nothing (2.7.5.3.2). */
		u16 flag = round ? F_WRITE : 0;

		memset(want, 0xa5, sizeof(want));
		done = 0;
		in = GUEST_BUF;
		out = GUEST_BUF + 0x2000;
		table = desc_table(g);
		for (i = 0, idx = 20; i < c->n; i++, idx++) {
			const struct part *p = &c->part[i];
			bool more = i + 1 < c->n;

			if (c->table && i == c->direct) {
				guest_desc(g, table, idx, GUEST_TABLE,
					   16 * (c->n - i), F_INDIRECT | flag, 0);
				table = GUEST_TABLE;
				idx = 0;
			}
			/* Each part somewhere else, so that none is skipped. */
			at = p->flags & F_WRITE ? out : in;
			guest_desc(g, table, idx, at, p->len,
				   p->flags | (more ? F_NEXT : 0), more ? idx + 1 : 0);
			if (p->flags & F_WRITE) {
				guest_put(g, out, want, p->len);
				out += 0x1000;
			} else {
				guest_put(g, in, (u8 *)&attach + done, p->len);
				done += p->len;
				in += 0x111;
			}
		}
		guest_avail(g, Q, 20);
		guest_kick(g, Q);
		expect_done(g, 20, 4);
		/* The status, then nothing. */
		memset(want, 0, 4);
		for (i = 0, k = 0, out = GUEST_BUF + 0x2000; i < c->n; i++) {
			if (!(c->part[i].flags & F_WRITE))
				continue;
			guest_get(g, out, got, c->part[i].len);
			KUNIT_EXPECT_EQ(test, 0, memcmp(got, want + k, c->part[i].len));
			k += c->part[i].len;
			out += 0x1000;
		}
		KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 1);
		KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_detach(g, 5, EP));
	}
}

/* As long as the queue, and one longer. */
static void ring_longest(struct kunit *test)
{
	struct guest *g = guest_create(test, MOCK_SCATTERED, false);
	struct virtio_iommu_req_detach detach = {
		.head.type = VIRTIO_IOMMU_T_DETACH,
		.domain = cpu_to_le32(5),
		.endpoint = cpu_to_le32(EP),
	};
	bool table;
	u64 at;
	u16 i;

	guest_add_dev(g, 0, EP, NULL);
	guest_negotiate(g, GUEST_ALL_FEATURES);
	guest_setup_queue(g, Q, KVIOMMU_REQUESTQ_MAX);
	guest_write(g, REG_DEVICE_STATUS, 1, STATUS_READY |
		    VIRTIO_CONFIG_S_DRIVER_OK);
	for (table = false; ; table = true) {
		const void *req = table ? (void *)&detach : (void *)&attach;

		at = table ? GUEST_TABLE : desc_table(g);
		guest_put(g, GUEST_BUF, req, ATTACH_LEN);
		/* 20 bytes, one in each; then empty ones; then 4 in the last */
		for (i = 0; i < KVIOMMU_REQUESTQ_MAX - 1; i++)
			guest_desc(g, at, i, GUEST_BUF + min_t(u16, i, 20), i < 20,
				   F_NEXT | (i >= 20 ? F_WRITE : 0), i + 1);
		guest_desc(g, at, i, REPLY, 4, F_WRITE, 0);
		if (table)
			guest_desc(g, desc_table(g), 0, GUEST_TABLE,
				   16 * KVIOMMU_REQUESTQ_MAX, F_INDIRECT, 0);
		guest_avail(g, Q, 0);
		guest_kick(g, Q);
		expect_done(g, 0, 4);
		KUNIT_EXPECT_EQ(test, reply_status(g), VIRTIO_IOMMU_S_OK);
		KUNIT_EXPECT_EQ(test, g->vi->nr_domains, !table);
		if (table)
			break;
	}
	/* One before a table that is as long as may be is one too many. */
	guest_desc(g, GUEST_TABLE, 0, GUEST_BUF, 20, F_NEXT, 1);
	guest_desc(g, desc_table(g), 0, GUEST_BUF, 0, F_NEXT, 1);
	guest_desc(g, desc_table(g), 1, GUEST_TABLE, 16 * KVIOMMU_REQUESTQ_MAX,
		   F_INDIRECT, 0);
	guest_avail(g, Q, 0);
	guest_kick(g, Q);
	KUNIT_EXPECT_TRUE(test, needs_reset(g));
}

static const u64 feature_sets[] = {
	0,
	BIT_ULL(VIRTIO_RING_F_EVENT_IDX),
	BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
};

static void describe_features(const u64 *f, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s%s",
		 *f & BIT_ULL(VIRTIO_RING_F_EVENT_IDX) ? "event idx" : "flags",
		 *f & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) ? ", indirect" : "");
}

KUNIT_ARRAY_PARAM(features, feature_sets, describe_features);

static u64 features_of(struct kunit *test)
{
	return *(const u64 *)test->param_value |
	       (GUEST_ALL_FEATURES & ~(BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
				       BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)));
}

/* Full rings, in any order of heads, over the end of the 16-bit indexes. */
static void ring_wraps(struct kunit *test)
{
	struct guest *g = create(test, features_of(test), false);
	struct kviommu_vq *vq = &g->vi->vq[Q];
	struct guest_vq *gq = &g->vq[Q];
	unsigned int round, n, i;
	struct rnd_state rnd;
	u32 head, len;
	u16 heads[64];

	mock_seed(test, &rnd, 0x11223344);
	/* As if there had been that many. */
	vq->avail = 0xff80;
	vq->avail_seen = 0xff80;
	vq->used = 0xff80;
	vq->published = 0xff80;
	gq->next = 0xff80;
	gq->seen = 0xff80;
	guest_set16(g, gq->avail + 2, gq->next);
	guest_set16(g, gq->used + 2, gq->seen);
	for (i = 0; i < 64; i++)
		heads[i] = i;
	guest_put(g, GUEST_BUF, &attach, ATTACH_LEN);
	for (round = 0; round < 12; round++) {
		n = round & 1 ? 64 : 1 + mock_below(&rnd, 64);
		for (i = 0; i < n; i++) {
			swap(heads[i], heads[i + mock_below(&rnd, 64 - i)]);
			/* Not a request, but a chain. */
			guest_desc(g, desc_table(g), heads[i], REPLY, 4, F_WRITE, 0);
			guest_avail(g, Q, heads[i]);
		}
		g->v->batch = 1 + mock_below(&rnd, 70);
		guest_kick(g, Q);
		KUNIT_EXPECT_EQ(test, guest_get16(g, gq->used + 2), gq->next);
		for (i = 0; i < n; i++) {
			KUNIT_ASSERT_TRUE(test, guest_used(g, Q, &head, &len));
			KUNIT_EXPECT_EQ(test, head, heads[i]);
			KUNIT_EXPECT_EQ(test, len, 0);
		}
		KUNIT_EXPECT_FALSE(test, needs_reset(g));
	}
	KUNIT_EXPECT_LT(test, gq->next, 0xff80);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 5, EP, 0));
}

/* A vCPU does a batch, and the rest is for the worker. */
static void ring_batch(struct kunit *test)
{
	struct guest *g = create(test, features_of(test), false);
	unsigned int done = 0, i;
	bool more;

	g->v->worker.dead = false;
	g->v->batch = 5;
	for (i = 0; i < 12; i++) {
		guest_desc(g, desc_table(g), i, REPLY, 4, F_WRITE, 0);
		guest_avail(g, Q, i);
	}
	guest_kick(g, Q);
	KUNIT_EXPECT_EQ(test, guest_get16(g, g->vq[Q].used + 2), 5);
	mutex_lock(&g->v->lock);
	more = g->v->model->work(g->v, 5, &done);
	mutex_unlock(&g->v->lock);
	KUNIT_EXPECT_TRUE(test, more);
	KUNIT_EXPECT_EQ(test, done, 5);
	KUNIT_EXPECT_EQ(test, guest_get16(g, g->vq[Q].used + 2), 10);
	mutex_lock(&g->v->lock);
	more = g->v->model->work(g->v, 5, &done);
	mutex_unlock(&g->v->lock);
	KUNIT_EXPECT_FALSE(test, more);
	KUNIT_EXPECT_EQ(test, done, 7);
	KUNIT_EXPECT_EQ(test, guest_get16(g, g->vq[Q].used + 2), 12);
}

/* Interrupts: for every position of used_event, after n chains at once. */
static void ring_used_event(struct kunit *test)
{
	struct guest *g = create(test, GUEST_ALL_FEATURES, false);
	struct guest_vq *gq = &g->vq[Q];
	u16 at, old, i;
	int event, n;
	u32 head, len;
	bool want;

	for (n = 1; n <= 4; n++) {
		for (event = -6; event <= 6; event++) {
			old = gq->next;
			at = old + event;
			guest_set16(g, gq->avail + 4 + 2 * gq->size, at);
			for (i = 0; i < n; i++) {
				guest_desc(g, desc_table(g), i, REPLY, 4, F_WRITE, 0);
				guest_avail(g, Q, i);
			}
			guest_read(g, REG_ISR, 1);
			guest_kick(g, Q);
			while (guest_used(g, Q, &head, &len))
				;
			KUNIT_ASSERT_EQ(test, gq->seen, gq->next);
			/* 2.7.7.2: when the entry with that index was used. */
			want = false;
			for (i = old; i != gq->next; i++)
				want |= i == at;
			KUNIT_EXPECT_EQ_MSG(test, guest_read(g, REG_ISR, 1), want,
					    "%d chains, event %d", n, event);
			KUNIT_EXPECT_EQ(test, guest_read(g, REG_ISR, 1), 0);
		}
	}
}

static void ring_no_interrupt(struct kunit *test)
{
	struct guest *g = create(test, GUEST_ALL_FEATURES &
				 ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX), false);
	struct guest_vq *gq = &g->vq[Q];

	guest_set16(g, gq->avail, VRING_AVAIL_F_NO_INTERRUPT);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 5, EP, 0));
	KUNIT_EXPECT_EQ(test, guest_read(g, REG_ISR, 1), 0);
	guest_set16(g, gq->avail, 0);
	/* What used_event would be does not count. */
	guest_set16(g, gq->avail + 4 + 2 * gq->size, gq->next + 100);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_detach(g, 5, EP));
	KUNIT_EXPECT_EQ(test, guest_read(g, REG_ISR, 1), BIT(0));
	/* Nothing done, nothing told. */
	guest_kick(g, Q);
	KUNIT_EXPECT_EQ(test, guest_read(g, REG_ISR, 1), 0);
}

static void notify(struct guest *g, bool on)
{
	mutex_lock(&g->v->lock);
	g->v->worker.polling = !on;
	g->v->model->notify(g->v, on);
	mutex_unlock(&g->v->lock);
}

/* Would a driver that follows the rules notify of the next chain? */
static bool driver_notifies(struct guest *g)
{
	struct guest_vq *gq = &g->vq[Q];
	u16 event = guest_get16(g, gq->used + 4 + 8 * gq->size);

	if (g->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX))
		return event == gq->next;
	return !(guest_get16(g, gq->used) & VRING_USED_F_NO_NOTIFY);
}

static void ring_suppress(struct kunit *test)
{
	struct guest *g = create(test, features_of(test), false);
	unsigned int i, done;

	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 5, EP, 0));
	KUNIT_EXPECT_TRUE(test, driver_notifies(g));
	notify(g, false);
	for (i = 0; i < 20; i++) {
		KUNIT_EXPECT_FALSE(test, driver_notifies(g));
		guest_desc(g, desc_table(g), i, REPLY, 4, F_WRITE, 0);
		guest_avail(g, Q, i);
		/* A notification while it polls does nothing. */
		guest_kick(g, Q);
		KUNIT_EXPECT_EQ(test, guest_get16(g, g->vq[Q].used + 2), i + 1);
		done = 0;
		mutex_lock(&g->v->lock);
		KUNIT_EXPECT_FALSE(test, g->v->model->work(g->v, 9, &done));
		mutex_unlock(&g->v->lock);
		KUNIT_EXPECT_EQ(test, done, 1);
	}
	notify(g, true);
	KUNIT_EXPECT_TRUE(test, driver_notifies(g));
}

/* A guest that changes a ring or a request while the device works on it. */
static void change_request(struct mock *m, u64 gpa, bool write)
{
	struct guest *g = m->hook_data;
	u8 evil[ATTACH_LEN];

	if (write || gpa != GUEST_BUF)
		return;
	memset(evil, 0xff, sizeof(evil));
	guest_put(g, GUEST_BUF, evil, 4);
	/* The descriptors that were read, and the ring */
	guest_desc(g, desc_table(g), 3, U64_MAX - 7, 0xffffffff, 0xffff, 0xffff);
	guest_set16(g, g->vq[Q].avail + 4, 0xffff);
}

static void ring_read_once(struct kunit *test)
{
	struct guest *g = create(test, GUEST_ALL_FEATURES, true);

	/* In two parts, so that the change comes between them. */
	guest_put(g, GUEST_BUF, &attach, 4);
	guest_put(g, GUEST_BUF + 0x800, (u8 *)&attach + 4, ATTACH_LEN - 4);
	guest_desc(g, desc_table(g), 3, GUEST_BUF, 4, F_NEXT, 4);
	guest_desc(g, desc_table(g), 4, GUEST_BUF + 0x800, ATTACH_LEN - 4, F_NEXT, 9);
	guest_desc(g, desc_table(g), 9, REPLY, 4, F_WRITE, 0);
	guest_avail(g, Q, 3);
	g->m->hook_data = g;
	g->m->rw_hook = change_request;
	guest_kick(g, Q);
	g->m->rw_hook = NULL;
	expect_done(g, 3, 4);
	KUNIT_EXPECT_EQ(test, reply_status(g), VIRTIO_IOMMU_S_OK);
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 1);
	/* It was really changed. */
	KUNIT_EXPECT_EQ(test, *(u8 *)mock_mem_ptr(g->m, GUEST_BUF), 0xff);
}

/* Memory under the rings is replaced: the queue goes on in the new one. */
static void ring_memory_moves(struct kunit *test)
{
	struct guest *g = create(test, GUEST_ALL_FEATURES, false);
	u64 page = g->vq[Q].used & PAGE_MASK;
	u16 used;

	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 5, EP, 0));
	mock_mem_gone(g->m, page, PAGE_SIZE);
	mock_mem_hole(g->m, page, PAGE_SIZE, false);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_detach(g, 5, EP));
	KUNIT_EXPECT_FALSE(test, needs_reset(g));

	/* Nobody waits for it who holds the lock. */
	mock_mem_gone(g->m, page, PAGE_SIZE);
	guest_kick(g, Q);
	mutex_lock(&g->v->lock);
	kviommu_work_all(g->v);
	mutex_unlock(&g->v->lock);
	mock_mem_hole(g->m, page, PAGE_SIZE, false);

	/* A notification while it is away: nothing, and done later. */
	g->v->worker.dead = false;
	used = guest_get16(g, g->vq[Q].used + 2);
	mock_mem_gone(g->m, page, PAGE_SIZE);
	valid_chain(g);
	guest_avail(g, Q, 3);
	guest_kick(g, Q);
	KUNIT_EXPECT_FALSE(test, needs_reset(g));
	KUNIT_EXPECT_EQ(test, used, guest_get16(g, g->vq[Q].used + 2));
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	mock_mem_hole(g->m, page, PAGE_SIZE, false);
	guest_kick(g, Q);
	expect_done(g, 3, 4);
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 1);
}

/* Any content of the rings: no harm, and a reset brings it back. */
static void ring_fuzz(struct kunit *test)
{
	struct guest *g = create(test, GUEST_ALL_FEATURES, false);
	unsigned int round, i, stopped = 0, went_on = 0;
	struct rnd_state rnd;
	u32 head, len;

	mock_seed(test, &rnd, 0xf022);
	for (round = 0; round < 150; round++) {
		guest_start(g, mock_below(&rnd, 2) ? GUEST_ALL_FEATURES :
			    GUEST_ALL_FEATURES & ~*(const u64 *)&feature_sets[2]);
		for (i = 0; i < 64; i++) {
			static const u16 flags[] = {
				0, F_NEXT, F_NEXT, F_WRITE, F_WRITE | F_NEXT, F_INDIRECT,
			};

			guest_desc(g, mock_below(&rnd, 2) ? desc_table(g) : GUEST_TABLE,
				   i, mock_below(&rnd, 20) ? GUEST_TABLE :
				   prandom_u32_state(&rnd),
				   mock_below(&rnd, 40) ? mock_below(&rnd, 40) :
				   prandom_u32_state(&rnd),
				   mock_below(&rnd, 60) ?
				   flags[mock_below(&rnd, ARRAY_SIZE(flags))] :
				   prandom_u32_state(&rnd), mock_below(&rnd, 65));
		}
		for (i = mock_below(&rnd, 70); i; i--)
			guest_avail(g, Q, mock_below(&rnd, 64));
		guest_kick(g, Q);
		if (needs_reset(g))
			stopped++;
		else
			went_on++;
		for (i = 0; guest_used(g, Q, &head, &len); i++)
			KUNIT_EXPECT_LT(test, head, 64);
		KUNIT_EXPECT_LE(test, i, 64);
	}
	KUNIT_EXPECT_GT(test, stopped, 10);
	KUNIT_EXPECT_GT(test, went_on, 0);
	guest_start(g, GUEST_ALL_FEATURES);
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_OK, guest_attach(g, 5, EP, 0));
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(ring_broken),
	KUNIT_CASE_PARAM(ring_no_reply, reply_gen_params),
	KUNIT_CASE_PARAM(ring_areas, area_gen_params),
	KUNIT_CASE_PARAM(ring_chains, chain_gen_params),
	KUNIT_CASE(ring_longest),
	KUNIT_CASE_PARAM(ring_wraps, features_gen_params),
	KUNIT_CASE_PARAM(ring_batch, features_gen_params),
	KUNIT_CASE(ring_used_event),
	KUNIT_CASE(ring_no_interrupt),
	KUNIT_CASE_PARAM(ring_suppress, features_gen_params),
	KUNIT_CASE(ring_read_once),
	KUNIT_CASE(ring_memory_moves),
	KUNIT_CASE(ring_fuzz),
	{ }
};

static struct kunit_suite ring_suite = {
	.name = "kviommu_ring",
	.exit = guest_exit,
	.test_cases = ring_cases,
};

kunit_test_suite(ring_suite);
