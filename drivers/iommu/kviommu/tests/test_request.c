// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: each of them with each status (virtio 1.3 5.13.6). Whatever is not
 * OK must leave everything as it was.
 */
#include <linux/slab.h>
#include <linux/suspend.h>

#include "guest.h"

#define R	VIRTIO_IOMMU_MAP_F_READ
#define W	VIRTIO_IOMMU_MAP_F_WRITE
#define MMIO	VIRTIO_IOMMU_MAP_F_MMIO
#define BYPASS	VIRTIO_IOMMU_ATTACH_F_BYPASS

#define OK	VIRTIO_IOMMU_S_OK
#define IOERR	VIRTIO_IOMMU_S_IOERR
#define UNSUPP	VIRTIO_IOMMU_S_UNSUPP
#define DEVERR	VIRTIO_IOMMU_S_DEVERR
#define INVAL	VIRTIO_IOMMU_S_INVAL
#define RANGE	VIRTIO_IOMMU_S_RANGE
#define NOENT	VIRTIO_IOMMU_S_NOENT
#define FAULT	VIRTIO_IOMMU_S_FAULT
#define NOMEM	VIRTIO_IOMMU_S_NOMEM
#define NOTHING	(-1)			/* nothing written */

#define ATTACH	VIRTIO_IOMMU_T_ATTACH
#define DETACH	VIRTIO_IOMMU_T_DETACH
#define MAP	VIRTIO_IOMMU_T_MAP
#define UNMAP	VIRTIO_IOMMU_T_UNMAP
#define PROBE	VIRTIO_IOMMU_T_PROBE

/* Bytes, from 5.13.6 */
#define LEN_ATTACH	20
#define LEN_DETACH	20
#define LEN_MAP		36
#define LEN_UNMAP	28
#define LEN_PROBE	72
#define LEN_TAIL	4
#define LEN_PROPS	512

/*
 * Where all requests start:
 *
 * domain 1   endpoint 0x10, which reserves 0xfee00000-0xfeefffff;
 *	      maps 0x10000-0x1ffff and 0x20000-0x2ffff
 * domain 2   bypass, endpoint 0x20
 * domain 3   endpoint 0x30, of one group with 0x31; no mapping
 * no domain  0x31; 0x40, which reserves 0x18000-0x18fff
 */
#define MAP1	0x10000ULL
#define MAP2	0x20000ULL
#define MSI	0xfee00000ULL
#define RAM	((u64)GUEST_FREE)
#define LAST	GENMASK_ULL(47, 0)
#define NO_RAM	(GUEST_CHUNKS * (u64)SZ_2M)
#define RO_RAM	(3 * (u64)SZ_2M)
#define A_BAR	(NO_RAM - SZ_8K)

struct machine {
	struct guest *g;
	struct mock_dev *d10, *d20, *d30, *d31, *d40;
};

static void add(struct machine *m, struct mock_dev *d, u32 id)
{
	mock_assign(d, id);
	mock_bind(d);
	KUNIT_ASSERT_EQ(m->g->m->test, 0, mock_attach(d, GUEST_PT));
}

/* From whatever was before to the state above. */
static void start(struct machine *m, u64 features)
{
	struct kunit *test = m->g->m->test;
	struct guest *g = m->g;

	g->v->max_mappings = 1000;
	g->m->fail_map = 0;
	g->m->fail_map_rc = -EIO;
	m->d30->fail_attach_rc = -EBUSY;
	m->d30->fail_hwpt = 0;
	mock_mem_hole(g->m, RAM, SZ_64K, false);

	kviommu_reset(g->v);
	guest_start(g, GUEST_ALL_FEATURES);
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 0);
	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 1, 0x10, 0));
	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 2, 0x20, BYPASS));
	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 3, 0x30, 0));
	KUNIT_EXPECT_EQ(test, OK, guest_map(g, 1, MAP1, MAP1 + 0xffff, RAM, R | W));
	KUNIT_EXPECT_EQ(test, OK, guest_map(g, 1, MAP2, MAP2 + 0xffff, RAM, R));
	KUNIT_ASSERT_EQ(test, test->status, KUNIT_SUCCESS);
	/* As if the driver had not negotiated all. */
	g->vi->features &= features;
	memset(&g->v->count, 0, sizeof(g->v->count));
}

static struct machine create(struct kunit *test, u64 features)
{
	struct guest *g = guest_create(test, MOCK_CONTIGUOUS, false);
	struct machine m = { g };
	unsigned int i;

	/* Some entries for each mapping, not too many. */
	for (i = 0; i < MOCK_IOMMUS; i++)
		g->m->iommus[i].page_sizes = SZ_4K | SZ_16K;
	m.d10 = mock_add_dev(g->m, 0, NULL);
	mock_add_resv(m.d10, MSI, SZ_1M, IOMMU_RESV_MSI);
	m.d20 = mock_add_dev(g->m, 0, NULL);
	m.d30 = mock_add_dev(g->m, 1, NULL);
	m.d31 = mock_add_dev(g->m, 1, m.d30);
	m.d40 = mock_add_dev(g->m, 0, NULL);
	mock_add_resv(m.d40, 0x18000, SZ_4K, IOMMU_RESV_RESERVED);
	add(&m, m.d10, 0x10);
	add(&m, m.d20, 0x20);
	add(&m, m.d30, 0x30);
	add(&m, m.d31, 0x31);
	add(&m, m.d40, 0x40);
	mock_mem_readonly(g->m, RO_RAM, SZ_2M, true);
	mock_mem_mmio(g->m, A_BAR);
	start(&m, features);
	return m;
}

/* ---- all that a request can change, as text ---- */

#define TEXT	8192

static char *snapshot(struct guest *g, char *buf)
{
	struct kviommu_endpoint *ep;
	struct kviommu_vdomain *d;
	struct kviommu_extent *e;
	unsigned long id;
	unsigned int i;
	size_t n = 0;

	n += scnprintf(buf + n, TEXT - n, "domains %u mappings %llu bypass %u\n",
		       g->vi->nr_domains, g->v->nr_mappings, g->vi->bypass);
	xa_for_each(&g->vi->domains, id, d) {
		n += scnprintf(buf + n, TEXT - n, "domain %u: %u eps, bypass %u, %llu maps\n",
			       d->id, d->endpoints, d->bypass, d->shadow.nr_mappings);
		for (e = kviommu_shadow_first(&d->shadow, 0); e;
		     e = kviommu_extent_next(e))
			n += scnprintf(buf + n, TEXT - n, " %llx-%llx %llx %u%u%u\n",
				       e->iova, e->last, e->gpa, e->prot, e->absent,
				       e->joined);
	}
	xa_for_each(&g->v->endpoints, id, ep) {
		d = ep->domain;
		n += scnprintf(buf + n, TEXT - n, "ep %x domain %d state %u unsafe %u\n",
			       ep->id, d ? (int)d->id : -1,
			       kviommu_endpoint_state(ep), ep->unsafe);
	}
	for (i = 0; i < g->m->nr_devs; i++) {
		struct mock_dev *dev = g->m->devs[i];

		n += scnprintf(buf + n, TEXT - n, "dev %u: hwpt %u blocked %u mapped %llx\n",
			       i, dev->hwpt, mock_dev_blocked(dev),
			       mock_is_paging(dev->domain) ?
			       mock_domain(dev->domain)->mapped : 0);
	}
	KUNIT_EXPECT_LT(g->m->test, n, TEXT - 1);
	return buf;
}

/* ---- one table for all ---- */

struct req_case {
	const char *name;
	u8 type;
	int want;
	u32 domain;
	u32 endpoint;
	u32 flags;
	u64 first, last, gpa;
	u64 without;		/* features */
	u8 reserved;		/* in the last byte of the request's field */
	u8 head_reserved;
	int more;		/* bytes more to be read than there should be */
	int wlen;		/* bytes to be written, if not the right number */
	void (*prepare)(struct machine *m);
};

#define NONE	(-1)		/* for wlen: 0 */

static void quota(struct machine *m)
{
	m->g->v->max_mappings = 2;
}

static void host_map_io(struct machine *m)
{
	m->g->m->fail_map = 3;
}

static void host_map_nomem(struct machine *m)
{
	m->g->m->fail_map = 3;
	m->g->m->fail_map_rc = -ENOMEM;
}

static void host_attach_busy(struct machine *m)
{
	m->d30->fail_attach = 1;
}

static void host_attach_inval(struct machine *m)
{
	m->d30->fail_attach = 1;
	m->d30->fail_attach_rc = -EINVAL;
}

static void host_no_domain(struct machine *m)
{
	m->g->m->iommus[1].fail_alloc = 1;
}

static void host_no_bypass(struct machine *m)
{
	m->d30->fail_hwpt = -EIO;
}

static void both_in_3(struct machine *m)
{
	KUNIT_EXPECT_EQ(m->g->m->test, OK, guest_attach(m->g, 3, 0x31, 0));
}

static void hole(struct machine *m)
{
	mock_mem_gone(m->g->m, RAM + 0x5000, SZ_4K);
}

#define BIT_BYPASS	BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG)
#define BIT_MAP		BIT_ULL(VIRTIO_IOMMU_F_MAP_UNMAP)
#define BIT_PROBE	BIT_ULL(VIRTIO_IOMMU_F_PROBE)
#define BIT_MMIO	BIT_ULL(VIRTIO_IOMMU_F_MMIO)

#define ATT(n, w, d, e, f, ...) \
	{ .name = "attach " n, .type = ATTACH, .want = w, .domain = d, \
	  .endpoint = e, .flags = f, ##__VA_ARGS__ }
#define DET(n, w, d, e, ...) \
	{ .name = "detach " n, .type = DETACH, .want = w, .domain = d, \
	  .endpoint = e, ##__VA_ARGS__ }
#define MAP_(n, w, d, a, z, p, f, ...) \
	{ .name = "map " n, .type = MAP, .want = w, .domain = d, .first = a, \
	  .last = z, .gpa = p, .flags = f, ##__VA_ARGS__ }
#define UNM(n, w, d, a, z, ...) \
	{ .name = "unmap " n, .type = UNMAP, .want = w, .domain = d, \
	  .first = a, .last = z, ##__VA_ARGS__ }
#define PRB(n, w, e, ...) \
	{ .name = "probe " n, .type = PROBE, .want = w, .endpoint = e, \
	  ##__VA_ARGS__ }

/* After each of them something is different. */
static const struct req_case req_cases[] = {
	ATT("to a new domain", OK, 4, 0x40, 0),
	ATT("to a new bypass domain", OK, 4, 0x40, BYPASS),
	ATT("to a domain", OK, 3, 0x40, 0),
	ATT("again", OK, 1, 0x10, 0),
	ATT("from another domain", OK, 1, 0x20, 0),
	ATT("to another IOMMU's domain", OK, 1, 0x30, 0),
	ATT("to the highest domain", OK, 15, 0x40, 0),
	ATT("the second of a group", OK, 3, 0x31, 0),
	ATT("ignores the head", OK, 4, 0x40, 0, .head_reserved = 0xff),
	ATT("with room for more", OK, 4, 0x40, 0, .wlen = 100),
	ATT("bypass not negotiated", INVAL, 4, 0x40, BYPASS, .without = BIT_BYPASS),
	ATT("first of a group elsewhere", UNSUPP, 4, 0x30, 0, .prepare = both_in_3),
	ATT("host is busy", DEVERR, 4, 0x30, 0, .prepare = host_attach_busy),
	ATT("host says EINVAL", UNSUPP, 4, 0x30, 0, .prepare = host_attach_inval),
	ATT("host has no domain", DEVERR, 4, 0x30, 0, .prepare = host_no_domain),
	ATT("host can't map", DEVERR, 1, 0x30, 0, .prepare = host_map_io),
	ATT("host has no memory", NOMEM, 1, 0x30, 0, .prepare = host_map_nomem),
	ATT("host has no bypass", DEVERR, 4, 0x30, BYPASS, .prepare = host_no_bypass),

	DET("the last", OK, 1, 0x10),
	DET("one of a group", OK, 3, 0x31, .prepare = both_in_3),
	DET("from bypass", OK, 2, 0x20),
	DET("ignores reserved", OK, 1, 0x10, .reserved = 1, .head_reserved = 1),

	MAP_("read", OK, 1, 0, 0xfff, RAM, R),
	MAP_("write", OK, 1, 0, 0xfff, RAM, W),
	MAP_("both", OK, 1, 0, 0xfff, RAM, R | W),
	MAP_("MMIO", OK, 1, 0, 0xfff, RAM, R | MMIO),
	MAP_("much", OK, 1, 0x40000000, 0x403fffff, RAM, R | W),
	MAP_("between", OK, 1, 0xf000, 0xffff, RAM, R),
	MAP_("highest", OK, 1, LAST - 0xfff, LAST, RAM, R),
	MAP_("another domain", OK, 3, MSI, MSI + 0xfff, RAM, R),
	MAP_("below reserved", OK, 1, MSI - 0x1000, MSI - 1, RAM, R),
	MAP_("above reserved", OK, 1, MSI + SZ_1M, MSI + SZ_1M + 0xfff, RAM, R),
	MAP_("read-only memory", OK, 1, 0, 0xfff, RO_RAM, R),
	MAP_("ignores the head", OK, 1, 0, 0xfff, RAM, R, .head_reserved = 9),
	MAP_("MMIO not negotiated", INVAL, 1, 0, 0xfff, RAM, R | MMIO,
	     .without = BIT_MMIO),
	MAP_("quota", NOMEM, 1, 0, 0xfff, RAM, R, .prepare = quota),
	MAP_("no memory in it", FAULT, 1, 0x40000000, 0x4000ffff, RAM, R,
	     .prepare = hole),
	MAP_("host can't", DEVERR, 1, 0, 0xffff, RAM, R, .prepare = host_map_io),
	MAP_("host has no memory", NOMEM, 1, 0, 0xffff, RAM, R,
	     .prepare = host_map_nomem),
	MAP_("not negotiated", NOTHING, 1, 0, 0xfff, RAM, R, .without = BIT_MAP),

	UNM("one", OK, 1, MAP1, MAP1 + 0xffff),
	UNM("two", OK, 1, MAP1, MAP2 + 0xffff),
	UNM("more than that", OK, 1, 0, 0x3fffff),
	UNM("all", OK, 1, 0, LAST),
	UNM("misaligned", OK, 1, MAP1 - 5, MAP2 + 0x10007),
	UNM("nothing", OK, 1, 0, 0xffff),
	UNM("nothing, one byte", OK, 1, 0x5678, 0x5678),
	UNM("in reserved", OK, 1, MSI, MSI + 0xfff),
	UNM("ignores the head", OK, 1, MAP1, MAP1 + 0xffff, .head_reserved = 1),
	UNM("not negotiated", NOTHING, 1, MAP1, MAP1 + 0xffff, .without = BIT_MAP),

	PRB("one", OK, 0x10),
	PRB("with nothing", OK, 0x20),
	PRB("with room for more", OK, 0x10, .wlen = LEN_PROPS + LEN_TAIL + 50),
	PRB("ignores reserved", OK, 0x10, .reserved = 1, .head_reserved = 1),
	PRB("not negotiated", NOTHING, 0x10, .without = BIT_PROBE),
};

/* After any of these nothing is. */
static const struct req_case error_cases[] = {
	ATT("reserved", INVAL, 4, 0x40, 0, .reserved = 1),
	ATT("unknown flag", INVAL, 4, 0x40, 2),
	ATT("flag 31", INVAL, 4, 0x40, BIT(31)),
	ATT("domain too large", RANGE, 16, 0x40, 0),
	ATT("domain 0xffffffff", RANGE, U32_MAX, 0x40, 0),
	ATT("no endpoint", NOENT, 4, 0x99, 0),
	ATT("no endpoint, a domain", NOENT, 1, 0x99, 0),
	ATT("bypass to a domain", INVAL, 1, 0x40, BYPASS),
	ATT("to a bypass domain", INVAL, 2, 0x40, 0),
	ATT("again, as bypass", INVAL, 1, 0x10, BYPASS),
	ATT("over reserved addresses", UNSUPP, 1, 0x40, 0),
	ATT("second of a group elsewhere", UNSUPP, 4, 0x31, 0),
	ATT("second of a group in bypass", UNSUPP, 2, 0x31, BYPASS),
	ATT("too short", IOERR, 4, 0x40, 0, .more = -1),
	ATT("too long", IOERR, 4, 0x40, 0, .more = 1),
	ATT("only a head", IOERR, 4, 0x40, 0, .more = 4 - LEN_ATTACH),
	ATT("no head", NOTHING, 4, 0x40, 0, .more = 3 - LEN_ATTACH),
	ATT("nothing to read", NOTHING, 4, 0x40, 0, .more = -LEN_ATTACH),
	ATT("short status", NOTHING, 4, 0x40, 0, .wlen = 3),
	ATT("no status", NOTHING, 4, 0x40, 0, .wlen = NONE),

	DET("no endpoint", NOENT, 1, 0x99),
	DET("another domain", INVAL, 2, 0x10),
	DET("no domain", INVAL, 9, 0x10),
	DET("domain too large", INVAL, 16, 0x10),
	DET("not attached", INVAL, 1, 0x40),
	DET("the group's other", INVAL, 3, 0x31),
	DET("too short", IOERR, 1, 0x10, .more = -1),
	DET("too long", IOERR, 1, 0x10, .more = 4),
	DET("no status", NOTHING, 1, 0x10, .wlen = 2),

	MAP_("no flags", INVAL, 1, 0, 0xfff, RAM, 0),
	MAP_("unknown flag", INVAL, 1, 0, 0xfff, RAM, R | 8),
	MAP_("flag 31", INVAL, 1, 0, 0xfff, RAM, R | BIT(31)),
	MAP_("only MMIO", INVAL, 1, 0, 0xfff, RAM, MMIO),
	MAP_("backwards", RANGE, 1, 0x1000, 0xfff, RAM, R),
	MAP_("backwards, far", RANGE, 1, 0x40000000, 0xfff, RAM, R),
	MAP_("above the range", RANGE, 1, LAST + 1, LAST + 0x1000, RAM, R),
	MAP_("over the range", RANGE, 1, LAST - 0xfff, LAST + 0x1000, RAM, R),
	MAP_("to the end", RANGE, 1, 0x1000, U64_MAX, RAM, R),
	MAP_("everything", RANGE, 1, 0, U64_MAX, RAM, R),
	MAP_("first misaligned", RANGE, 1, 0x800, 0xfff, RAM, R),
	MAP_("last misaligned", RANGE, 1, 0, 0x1000, RAM, R),
	MAP_("one byte", RANGE, 1, 0, 0, RAM, R),
	MAP_("memory misaligned", RANGE, 1, 0, 0xfff, RAM + 1, R),
	MAP_("memory wraps", RANGE, 1, 0, 0x1fff, U64_MAX - 0xfff, R),
	MAP_("domain too large", RANGE, 16, 0, 0xfff, RAM, R),
	MAP_("no domain", NOENT, 9, 0, 0xfff, RAM, R),
	MAP_("bypass domain", INVAL, 2, 0, 0xfff, RAM, R),
	MAP_("reserved", RANGE, 1, MSI, MSI + SZ_1M - 1, RAM, R),
	MAP_("first of reserved", RANGE, 1, MSI - 0x1000, MSI + 0xfff, RAM, R),
	MAP_("last of reserved", RANGE, 1, MSI + SZ_1M - 0x1000, MSI + SZ_1M + 0xfff,
	     RAM, R),
	MAP_("all around reserved", RANGE, 1, 0x40000000, 0xffffffff, 0, R),
	MAP_("twice", INVAL, 1, MAP1, MAP1 + 0xffff, RAM, R | W),
	MAP_("over one's end", INVAL, 1, MAP1 - 0x1000, MAP1 + 0xfff, RAM, R),
	MAP_("in one", INVAL, 1, MAP1 + 0x1000, MAP1 + 0x1fff, RAM, R),
	MAP_("over all", INVAL, 1, 0, 0x3fffff, RAM, R),
	MAP_("no memory there", FAULT, 1, 0, 0xfff, NO_RAM, R),
	MAP_("over the end of memory", FAULT, 1, 0, 0x1fff, NO_RAM - 0x1000, R),
	MAP_("highest memory", FAULT, 1, 0, 0xfff, U64_MAX - 0xfff, R),
	MAP_("read-only memory to write", FAULT, 1, 0, 0xfff, RO_RAM, R | W),
	MAP_("over to read-only memory", FAULT, 1, 0, 0x1fff, RO_RAM - 0x1000, W),
	MAP_("a device's registers", FAULT, 1, 0, 0xfff, A_BAR, R | W),
	MAP_("a device's registers, as such", FAULT, 1, 0, 0xfff, A_BAR, R | W | MMIO),
	MAP_("over to a device's registers", FAULT, 1, 0, 0x1fff, A_BAR - 0x1000, R),
	MAP_("too short", IOERR, 1, 0, 0xfff, RAM, R, .more = -1),
	MAP_("too long", IOERR, 1, 0, 0xfff, RAM, R, .more = 4),
	MAP_("no status", NOTHING, 1, 0, 0xfff, RAM, R, .wlen = NONE),

	UNM("first part", RANGE, 1, MAP1, MAP1 + 0xfff),
	UNM("last part", RANGE, 1, MAP1 + 0xf000, MAP1 + 0xffff),
	UNM("all but a byte", RANGE, 1, MAP1, MAP1 + 0xfffe),
	UNM("all but the first byte", RANGE, 1, MAP1 + 1, MAP1 + 0xffff),
	UNM("one and a part", RANGE, 1, MAP1, MAP2),
	UNM("backwards", RANGE, 1, MAP1 + 0xffff, MAP1),
	UNM("above the range", RANGE, 1, MAP1, LAST + 1),
	UNM("everything", RANGE, 1, 0, U64_MAX),
	UNM("domain too large", RANGE, 16, MAP1, MAP1 + 0xffff),
	UNM("no domain", NOENT, 9, MAP1, MAP1 + 0xffff),
	UNM("bypass domain", INVAL, 2, MAP1, MAP1 + 0xffff),
	UNM("reserved field", INVAL, 1, MAP1, MAP1 + 0xffff, .reserved = 0x80),
	UNM("too short", IOERR, 1, MAP1, MAP1 + 0xffff, .more = -1),
	UNM("too long", IOERR, 1, MAP1, MAP1 + 0xffff, .more = 8),
	UNM("no status", NOTHING, 1, MAP1, MAP1 + 0xffff, .wlen = 1),

	PRB("no endpoint", NOENT, 0x99),
	PRB("too little room", INVAL, 0x10, .wlen = LEN_PROPS + LEN_TAIL - 1),
	PRB("no room", INVAL, 0x10, .wlen = LEN_TAIL),
	PRB("too short", IOERR, 0x10, .more = -1),
	PRB("too long", IOERR, 0x10, .more = 1),
	PRB("no status", NOTHING, 0x10, .wlen = 3),

	{ .name = "type 0", .type = 0, .want = NOTHING, .domain = 1 },
	{ .name = "type 6", .type = 6, .want = NOTHING, .domain = 1 },
	{ .name = "type 0x7f", .type = 0x7f, .want = NOTHING, .domain = 1 },
	{ .name = "type 0xff", .type = 0xff, .want = NOTHING, .domain = 1 },
};

static void put32(u8 *at, u32 val)
{
	__le32 le = cpu_to_le32(val);

	memcpy(at, &le, sizeof(le));
}

static void put64(u8 *at, u64 val)
{
	__le64 le = cpu_to_le64(val);

	memcpy(at, &le, sizeof(le));
}

/* By the offsets of 5.13.6, not by the structures of the header. */
static size_t build(const struct req_case *c, u8 *b)
{
	b[0] = c->type;
	memset(b + 1, c->head_reserved, 3);
	switch (c->type) {
	case ATTACH:
		put32(b + 4, c->domain);
		put32(b + 8, c->endpoint);
		put32(b + 12, c->flags);
		b[19] = c->reserved;
		return LEN_ATTACH;
	case DETACH:
		put32(b + 4, c->domain);
		put32(b + 8, c->endpoint);
		b[19] = c->reserved;
		return LEN_DETACH;
	case MAP:
		put32(b + 4, c->domain);
		put64(b + 8, c->first);
		put64(b + 16, c->last);
		put64(b + 24, c->gpa);
		put32(b + 32, c->flags);
		return LEN_MAP;
	case UNMAP:
		put32(b + 4, c->domain);
		put64(b + 8, c->first);
		put64(b + 16, c->last);
		b[27] = c->reserved;
		return LEN_UNMAP;
	case PROBE:
		put32(b + 4, c->endpoint);
		b[71] = c->reserved;
		return LEN_PROBE;
	default:
		put32(b + 4, c->domain);
		return LEN_DETACH;
	}
}

struct texts {
	char before[TEXT];
	char after[TEXT];
	u8 reply[1024];
};

/* Send it, and check all that comes of it. */
static void one_request(struct machine *m, const struct req_case *c,
			struct texts *t)
{
	size_t props = c->type == PROBE ? LEN_PROPS : 0, rlen, wlen, tail, i;
	struct kviommu_virtio *vi = m->g->vi;
	struct kunit *test = m->g->m->test;
	u8 req[128] = {};
	int used, want_used;
	u64 answered = 0;

	memset(vi->req, 0, sizeof(vi->req));
	memset(vi->err, 0, sizeof(vi->err));
	snapshot(m->g, t->before);
	rlen = build(c, req) + c->more;
	wlen = c->wlen == NONE ? 0 : c->wlen ?: props + LEN_TAIL;
	used = guest_request(m->g, req, rlen, t->reply, wlen);
	m->g->m->fail_map = 0;

	/* The tail of a PROBE stands at the end of what room there is. */
	tail = min(props, wlen - LEN_TAIL);
	want_used = c->want == NOTHING ? 0 : tail + LEN_TAIL;
	KUNIT_EXPECT_EQ_MSG(test, used, want_used, "%s", c->name);
	for (i = want_used; i < wlen; i++)
		if (t->reply[i] != 0xa5)
			KUNIT_FAIL(test, "%s: byte %zu was written", c->name, i);
	if (c->want != NOTHING) {
		KUNIT_EXPECT_EQ_MSG(test, t->reply[tail], c->want, "%s", c->name);
		for (i = tail + 1; i < tail + LEN_TAIL; i++)
			KUNIT_EXPECT_EQ(test, t->reply[i], 0);
	}
	if (c->type == PROBE && c->want > 0)
		KUNIT_EXPECT_NULL(test, memchr_inv(t->reply, 0, tail));

	snapshot(m->g, t->after);
	if (c->want != OK)
		KUNIT_EXPECT_STREQ_MSG(test, t->before, t->after, "%s", c->name);
	else if (c->type == ATTACH && strcmp(c->name, "attach again"))
		KUNIT_EXPECT_STRNEQ(test, t->before, t->after);
	else if (c->type == DETACH || c->type == MAP)
		KUNIT_EXPECT_STRNEQ(test, t->before, t->after);
	KUNIT_EXPECT_FALSE(test, guest_status(m->g) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* Each request is counted once, and each answer. */
	for (i = 0; i < ARRAY_SIZE(vi->req); i++)
		answered += vi->req[i];
	KUNIT_EXPECT_EQ_MSG(test, answered, 1, "%s", c->name);
	if (c->want != NOTHING) {
		KUNIT_EXPECT_EQ_MSG(test, vi->req[c->type], 1, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, vi->err[c->want], 1, "%s", c->name);
	}
}

static void request_status(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct texts *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < ARRAY_SIZE(req_cases); i++) {
		start(&m, ~req_cases[i].without);
		if (req_cases[i].prepare)
			req_cases[i].prepare(&m);
		one_request(&m, &req_cases[i], t);
	}
	start(&m, GUEST_ALL_FEATURES);
}

static void request_errors(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct texts *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < ARRAY_SIZE(error_cases); i++)
		one_request(&m, &error_cases[i], t);
}

/* ---- what they do ---- */

static struct mock_pte *pte_of(struct mock_dev *d, u64 iova)
{
	return mock_is_paging(d->domain) ? mock_pte(mock_domain(d->domain), iova) :
					   NULL;
}

/* Does a device reach guest memory at @gpa with @iova? */
static bool reaches(struct guest *g, struct mock_dev *d, u64 iova, u64 gpa)
{
	struct mock_pte *pte = pte_of(d, iova);
	phys_addr_t pa = page_to_phys(g->m->mem.pages[gpa >> PAGE_SHIFT].page);

	return pte && pte->pa + (iova - pte->iova) == pa;
}

static void request_effects(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;

	KUNIT_EXPECT_TRUE(test, reaches(g, m.d10, MAP1, RAM));
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d10, MAP2 + 0xf000, RAM + 0xf000));
	KUNIT_EXPECT_EQ(test, pte_of(m.d10, MAP1)->prot,
			IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE);
	KUNIT_EXPECT_EQ(test, pte_of(m.d10, MAP2)->prot, IOMMU_READ | IOMMU_CACHE);
	KUNIT_EXPECT_NULL(test, pte_of(m.d10, MAP2 + 0x10000));
	KUNIT_EXPECT_EQ(test, m.d20->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, m.d40->hwpt, GUEST_PT);
	/* The second of a group goes where the first one is. */
	KUNIT_EXPECT_PTR_EQ(test, m.d31->domain, m.d30->domain);
	KUNIT_EXPECT_EQ(test, m.d31->hwpt, 0);

	/* One domain, two IOMMUs */
	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 1, 0x30, 0));
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d30, MAP1, RAM));
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d31, MAP1, RAM));
	KUNIT_EXPECT_EQ(test, NOENT, guest_map(g, 3, 0, 0xfff, RAM, R));
	KUNIT_EXPECT_EQ(test, OK, guest_map(g, 1, 0, 0xfff, RAM + SZ_4K, W));
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d10, 0, RAM + SZ_4K));
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d30, 0, RAM + SZ_4K));
	KUNIT_EXPECT_EQ(test, OK, guest_unmap(g, 1, 0, 0xfff));
	KUNIT_EXPECT_NULL(test, pte_of(m.d10, 0));
	KUNIT_EXPECT_NULL(test, pte_of(m.d30, 0));

	/* Without the first, the domain stays; without any, it goes. */
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 1, 0x10));
	KUNIT_EXPECT_EQ(test, m.d10->hwpt, GUEST_PT);
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d30, MAP1, RAM));
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 2);
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 1, 0x30));
	KUNIT_EXPECT_EQ(test, m.d30->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, m.d31->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 0);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(g->m), 0);
	KUNIT_EXPECT_EQ(test, NOENT, guest_map(g, 1, 0, 0xfff, RAM, R));
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 2, 0x20));
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	KUNIT_EXPECT_EQ(test, g->v->count.mappings_peak, 3);

	/* The same id is a new domain. */
	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 1, 0x40, 0));
	KUNIT_EXPECT_NULL(test, pte_of(m.d40, MAP1));
}

/* Without config.bypass an endpoint of no domain reaches nothing. */
static void request_no_bypass(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;
	u32 at = REG_CONFIG + offsetof(struct virtio_iommu_config, bypass);

	guest_write(g, at, 1, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d40));
	KUNIT_EXPECT_EQ(test, m.d20->hwpt, GUEST_PT);
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d10, MAP1, RAM));
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 2, 0x20));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d20));
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 3, 0x30));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d30));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d31));
	guest_write(g, at, 1, 1);
	KUNIT_EXPECT_EQ(test, m.d20->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, m.d30->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, m.d31->hwpt, GUEST_PT);
	/* What can't be put in bypass is blocked, and out of its domain. */
	m.d10->fail_hwpt = -EIO;
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 1, 0x10));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 0);
	m.d10->fail_hwpt = 0;
}

/* A batch of unmaps is flushed once, and before the driver sees any. */
static void request_flush(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;
	struct guest_vq *vq = &g->vq[KVIOMMU_REQUESTQ];
	struct mock_domain *d = mock_domain(m.d10->domain);
	struct req_case c = { .type = UNMAP, .domain = 1 };
	unsigned long flushes;
	unsigned int i;
	u8 req[64] = {};
	u32 head, len;

	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, OK, guest_map(g, 1, SZ_1M + i * SZ_4K,
						    SZ_1M + i * SZ_4K + 0xfff,
						    RAM, R));
	flushes = d->flushes;
	for (i = 0; i < 16; i++) {
		u64 at = GUEST_BUF + 0x100 * i;

		c.first = SZ_1M + i * SZ_4K;
		c.last = c.first + 0xfff;
		guest_put(g, at, req, build(&c, req));
		guest_desc(g, vq->desc, 2 * i, at, LEN_UNMAP, VRING_DESC_F_NEXT,
			   2 * i + 1);
		guest_desc(g, vq->desc, 2 * i + 1, at + 0x80, LEN_TAIL,
			   VRING_DESC_F_WRITE, 0);
		guest_avail(g, KVIOMMU_REQUESTQ, 2 * i);
	}
	guest_kick(g, KVIOMMU_REQUESTQ);
	for (i = 0; i < 16; i++) {
		KUNIT_ASSERT_TRUE(test, guest_used(g, KVIOMMU_REQUESTQ, &head, &len));
		KUNIT_EXPECT_EQ(test, len, LEN_TAIL);
		KUNIT_EXPECT_EQ(test, *(u8 *)mock_mem_ptr(g->m, GUEST_BUF +
							  0x100 * i + 0x80), OK);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&d->stale));
	KUNIT_EXPECT_EQ(test, d->flushes, flushes + 1);
}

struct probe_case {
	const char *name;
	unsigned int n;
	struct {
		u64 start, len;
		enum iommu_resv_type type;
		u8 subtype;
	} resv[4];
};

static const struct probe_case probe_cases[] = {
	{ "nothing", 0 },
	{ "MSI", 1, { { MSI, SZ_1M, IOMMU_RESV_MSI, 1 } } },
	{ "three", 3, { { 0x1000, 0x1000, IOMMU_RESV_RESERVED, 0 },
			{ 0x8000, 0x3000, IOMMU_RESV_DIRECT, 0 },
			{ MSI, SZ_1M, IOMMU_RESV_MSI, 1 } } },
	/* Not more than one of them (5.13.6.8.1.2). */
	{ "two MSI", 2, { { 0x100000, 0x1000, IOMMU_RESV_MSI, 1 },
			  { MSI, SZ_1M, IOMMU_RESV_MSI, 0 } } },
};

KUNIT_ARRAY_PARAM_DESC(probe, probe_cases, name);

static void request_probe(struct kunit *test)
{
	const struct probe_case *c = test->param_value;
	struct guest *g = guest_create(test, MOCK_RUNS, false);
	struct mock_dev *d = mock_add_dev(g->m, 0, NULL);
	struct req_case req = { .type = PROBE, .endpoint = 0x1234 };
	u8 buf[LEN_PROBE] = {}, want[LEN_PROPS + LEN_TAIL] = {}, *at = want;
	u8 *reply;
	unsigned int i;

	reply = kunit_kzalloc(test, sizeof(want), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reply);
	for (i = 0; i < c->n; i++, at += 24) {
		mock_add_resv(d, c->resv[i].start, c->resv[i].len, c->resv[i].type);
		at[0] = VIRTIO_IOMMU_PROBE_T_RESV_MEM;
		at[2] = 20;
		at[4] = c->resv[i].subtype;
		put64(at + 8, c->resv[i].start);
		put64(at + 16, c->resv[i].start + c->resv[i].len - 1);
	}
	mock_assign(d, 0x1234);
	guest_start(g, GUEST_ALL_FEATURES);
	KUNIT_EXPECT_EQ(test, LEN_PROPS + LEN_TAIL,
			guest_request(g, buf, build(&req, buf), reply, sizeof(want)));
	KUNIT_EXPECT_MEMEQ(test, reply, want, sizeof(want));
}

/* More than can be told. */
static void request_probe_too_much(struct kunit *test)
{
	struct guest *g = guest_create(test, MOCK_RUNS, false);
	struct kviommu_endpoint *ep = mock_assign(mock_add_dev(g->m, 0, NULL), 7);
	struct req_case req = { .type = PROBE, .endpoint = 7 };
	struct kviommu_resv *resv;
	u8 buf[LEN_PROBE] = {}, *reply;
	unsigned int i;

	reply = kunit_kzalloc(test, LEN_PROPS + LEN_TAIL, GFP_KERNEL);
	resv = kcalloc(22, sizeof(*resv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reply);
	KUNIT_ASSERT_NOT_NULL(test, resv);
	for (i = 0; i < 22; i++)
		resv[i] = (struct kviommu_resv){ i * SZ_1M, i * SZ_1M + 0xfff };
	kfree(ep->geo.resv);
	ep->geo.resv = resv;
	ep->geo.nr_resv = 21;
	guest_start(g, GUEST_ALL_FEATURES);
	KUNIT_EXPECT_EQ(test, LEN_PROPS + LEN_TAIL,
			guest_request(g, buf, build(&req, buf), reply,
				      LEN_PROPS + LEN_TAIL));
	KUNIT_EXPECT_EQ(test, reply[LEN_PROPS], OK);
	KUNIT_EXPECT_EQ(test, reply[20 * 24], VIRTIO_IOMMU_PROBE_T_RESV_MEM);
	ep->geo.nr_resv = 22;
	KUNIT_EXPECT_EQ(test, LEN_PROPS + LEN_TAIL,
			guest_request(g, buf, sizeof(buf), reply,
				      LEN_PROPS + LEN_TAIL));
	KUNIT_EXPECT_EQ(test, reply[LEN_PROPS], DEVERR);
	KUNIT_EXPECT_NULL(test, memchr_inv(reply, 0, LEN_PROPS));
}

/* ---- the guest's reset, in any order with that of its devices ---- */

static void reset_translated_until_quiet(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;

	m.d10->bus_master = true;
	guest_write(g, REG_DEVICE_STATUS, 1, 0);
	/* A disk that still works finds what it found before. */
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d10, MAP1, RAM));
	/* A quiet one has nothing to be waited for. */
	KUNIT_EXPECT_EQ(test, m.d30->hwpt, GUEST_PT);
	/* Its bus mastering was off, but is on again. */
	kviommu_dev_command(m.d10->kdev);
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d10, MAP1, RAM));
	m.d10->bus_master = false;
	kviommu_dev_command(m.d10->kdev);
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 0);
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(g->m), 0);
	/* But when it is on again it goes on with what it was told. */
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	m.d10->bus_master = true;
	kviommu_dev_reset(m.d10->kdev);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	mock_dev_reset(m.d10);
	KUNIT_EXPECT_EQ(test, m.d10->hwpt, GUEST_PT);
}

static void reset_unsafe(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;

	m.d10->bus_master = true;
	m.d20->bus_master = true;
	guest_write(g, REG_DEVICE_STATUS, 1, 0);
	guest_start(g, GUEST_ALL_FEATURES);
	/* It would use IOVAs as guest addresses. */
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	KUNIT_EXPECT_EQ(test, VIRTIO_IOMMU_S_DEVERR,
			guest_attach(g, 5, 0x10, VIRTIO_IOMMU_ATTACH_F_BYPASS));
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	/* That one was in bypass before, its addresses are no others. */
	KUNIT_EXPECT_EQ(test, m.d20->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 1, 0x10, 0));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d10->domain));
	KUNIT_EXPECT_EQ(test, OK, guest_detach(g, 1, 0x10));
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	mock_dev_reset(m.d10);
	KUNIT_EXPECT_EQ(test, m.d10->hwpt, GUEST_PT);
}

static void reset_system(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;

	m.d30->bus_master = true;
	kviommu_reset(g->v);
	KUNIT_EXPECT_EQ(test, guest_status(g), 0);
	KUNIT_EXPECT_EQ(test, m.d10->hwpt, GUEST_PT);
	/* One that is not quiet keeps what it had, and its group with it. */
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 1);
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d30->domain));
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d31->domain));
	mock_dev_reset(m.d31);
	KUNIT_EXPECT_TRUE(test, mock_is_paging(m.d30->domain));
	mock_dev_reset(m.d30);
	KUNIT_EXPECT_EQ(test, g->vi->nr_domains, 0);
	KUNIT_EXPECT_EQ(test, m.d30->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, m.d31->hwpt, GUEST_PT);
}

/* The host suspends: a hold ends, but nobody waits for a vIOMMU at work. */
static void reset_suspend(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct kviommu *v = m.g->v;
	struct notifier_block *nb = &v->reset.suspend;

	mutex_lock(&v->lock);
	KUNIT_EXPECT_EQ(test, NOTIFY_DONE,
			nb->notifier_call(nb, PM_SUSPEND_PREPARE, NULL));
	mutex_unlock(&v->lock);
	m.d10->bus_master = true;
	kviommu_reset(v);
	KUNIT_EXPECT_TRUE(test, v->reset.holding);
	mutex_lock(&v->lock);
	KUNIT_EXPECT_EQ(test, notifier_from_errno(-EBUSY),
			nb->notifier_call(nb, PM_SUSPEND_PREPARE, NULL));
	mutex_unlock(&v->lock);
	KUNIT_EXPECT_TRUE(test, reaches(m.g, m.d10, MAP1, RAM));
	KUNIT_EXPECT_EQ(test, NOTIFY_OK,
			nb->notifier_call(nb, PM_HIBERNATION_PREPARE, NULL));
	KUNIT_EXPECT_FALSE(test, v->reset.holding);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
}

/* The VMM dies: everything is blocked, and nothing stays pinned. */
static void reset_close(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;
	unsigned int i;

	kviommu_close(g->v);
	for (i = 0; i < g->m->nr_devs; i++)
		KUNIT_EXPECT_TRUE(test, mock_dev_blocked(g->m->devs[i]));
	KUNIT_EXPECT_EQ(test, g->m->mem.pinned, 0);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(g->m), 0);
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 0);
}

/* The VMM closes one device: the guest's domain goes on without it. */
static void reset_unbind(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;

	KUNIT_EXPECT_EQ(test, OK, guest_attach(g, 1, 0x20, 0));
	kviommu_dev_unbind(m.d10->kdev, false);
	KUNIT_EXPECT_TRUE(test, mock_dev_blocked(m.d10));
	KUNIT_EXPECT_NULL(test, m.d10->kdev->ep->domain);
	KUNIT_EXPECT_TRUE(test, reaches(g, m.d20, MAP1, RAM));
	kviommu_dev_unbind(m.d20->kdev, false);
	KUNIT_EXPECT_EQ(test, g->v->nr_mappings, 0);
	KUNIT_EXPECT_EQ(test, NOENT, guest_map(g, 1, 0, 0xfff, RAM, R));
}

/* ---- events ---- */

static void fault_event(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;
	struct guest_vq *vq = &g->vq[KVIOMMU_EVENTQ];
	u8 want[24] = {}, got[24];
	u32 head, len;

	/* No buffer: dropped. */
	kviommu_fault_report(g->v, mock_dev_dev(m.d10), 0x5000, true);
	guest_kick(g, KVIOMMU_EVENTQ);
	KUNIT_EXPECT_EQ(test, g->v->count.faults, 1);
	KUNIT_EXPECT_EQ(test, g->v->count.faults_dropped, 1);

	guest_desc(g, vq->desc, 0, GUEST_BUF, 24, VRING_DESC_F_WRITE, 0);
	guest_desc(g, vq->desc, 1, GUEST_BUF, 24, VRING_DESC_F_WRITE, 0);
	guest_desc(g, vq->desc, 2, GUEST_BUF, 23, VRING_DESC_F_WRITE, 0);
	guest_avail(g, KVIOMMU_EVENTQ, 0);
	guest_avail(g, KVIOMMU_EVENTQ, 1);
	guest_avail(g, KVIOMMU_EVENTQ, 2);

	/* As a host's driver tells it. */
	KUNIT_EXPECT_NE(test, 0,
			report_iommu_fault(m.d10->domain, mock_dev_dev(m.d10),
					   0x123456789000, IOMMU_FAULT_WRITE));
	guest_kick(g, KVIOMMU_EVENTQ);
	KUNIT_ASSERT_TRUE(test, guest_used(g, KVIOMMU_EVENTQ, &head, &len));
	KUNIT_EXPECT_EQ(test, head, 0);
	KUNIT_EXPECT_EQ(test, len, 24);
	want[0] = VIRTIO_IOMMU_FAULT_R_MAPPING;
	put32(want + 4, VIRTIO_IOMMU_FAULT_F_WRITE | VIRTIO_IOMMU_FAULT_F_ADDRESS);
	put32(want + 8, 0x10);
	put64(want + 16, 0x123456789000);
	guest_get(g, GUEST_BUF, got, sizeof(got));
	KUNIT_EXPECT_MEMEQ(test, got, want, sizeof(want));
	KUNIT_EXPECT_TRUE(test, guest_read(g, REG_ISR, 1) & BIT(0));

	kviommu_fault_report(g->v, mock_dev_dev(m.d40), 0x7000, false);
	guest_kick(g, KVIOMMU_EVENTQ);
	KUNIT_ASSERT_TRUE(test, guest_used(g, KVIOMMU_EVENTQ, &head, &len));
	want[0] = VIRTIO_IOMMU_FAULT_R_DOMAIN;
	put32(want + 4, VIRTIO_IOMMU_FAULT_F_READ | VIRTIO_IOMMU_FAULT_F_ADDRESS);
	put32(want + 8, 0x40);
	put64(want + 16, 0x7000);
	guest_get(g, GUEST_BUF, got, sizeof(got));
	KUNIT_EXPECT_MEMEQ(test, got, want, sizeof(want));

	/* Too small: given back empty. */
	kviommu_fault_report(g->v, mock_dev_dev(m.d40), 0x9000, false);
	guest_kick(g, KVIOMMU_EVENTQ);
	KUNIT_ASSERT_TRUE(test, guest_used(g, KVIOMMU_EVENTQ, &head, &len));
	KUNIT_EXPECT_EQ(test, head, 2);
	KUNIT_EXPECT_EQ(test, len, 0);
	guest_get(g, GUEST_BUF, got, sizeof(got));
	KUNIT_EXPECT_MEMEQ(test, got, want, sizeof(want));
	KUNIT_EXPECT_EQ(test, g->v->count.faults, 4);
	KUNIT_EXPECT_EQ(test, g->v->count.faults_dropped, 2);
}

/* More than can wait, and a device that is not one of ours. */
static void fault_many(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	struct guest *g = m.g;
	struct guest_vq *vq = &g->vq[KVIOMMU_EVENTQ];
	u32 head, len;
	unsigned int i;
	u64 addr;

	for (i = 0; i < KVIOMMU_MAX_FAULTS + 10; i++)
		kviommu_fault_report(g->v, mock_dev_dev(m.d10), i * SZ_4K, false);
	for (i = 0; i < 8; i++) {
		guest_desc(g, vq->desc, i, GUEST_BUF + 0x100 * i, 24,
			   VRING_DESC_F_WRITE, 0);
		guest_avail(g, KVIOMMU_EVENTQ, i);
	}
	guest_kick(g, KVIOMMU_EVENTQ);
	for (i = 0; i < 8; i++) {
		KUNIT_ASSERT_TRUE(test, guest_used(g, KVIOMMU_EVENTQ, &head, &len));
		guest_get(g, GUEST_BUF + 0x100 * i + 16, &addr, 8);
		/* The oldest, in order */
		KUNIT_EXPECT_EQ(test, addr, i * SZ_4K);
	}
	KUNIT_EXPECT_FALSE(test, guest_used(g, KVIOMMU_EVENTQ, &head, &len));
	KUNIT_EXPECT_EQ(test, g->v->count.faults, KVIOMMU_MAX_FAULTS);
	KUNIT_EXPECT_EQ(test, g->v->count.faults_dropped, KVIOMMU_MAX_FAULTS - 8);
	KUNIT_EXPECT_EQ(test, g->v->faults.dropped, 10);
	kviommu_fault_report(g->v, g->m->dev, 0, false);
	guest_kick(g, KVIOMMU_EVENTQ);
	KUNIT_EXPECT_EQ(test, g->v->count.faults, KVIOMMU_MAX_FAULTS);
}

/* ---- anything ---- */

static u64 some_address(struct rnd_state *rnd)
{
	static const u64 bases[] = {
		0, MAP1, MAP1 + 0x10000, MAP2, MAP2 + 0x10000, MSI, MSI + SZ_1M,
		LAST, U64_MAX, RAM,
	};
	u64 a = bases[mock_below(rnd, ARRAY_SIZE(bases))] + SZ_4K * mock_below(rnd, 12);

	a -= mock_below(rnd, 2);
	return mock_below(rnd, 20) ? a : a + mock_below(rnd, SZ_4K);
}

static void request_random(struct kunit *test)
{
	struct machine m = create(test, GUEST_ALL_FEATURES);
	unsigned int round, seen[9] = {}, status;
	static const u32 ids[] = { 0x10, 0x20, 0x30, 0x31, 0x40, 0x99 };
	struct guest *g = m.g;
	char *before, *after;
	struct rnd_state rnd;
	u8 req[128], *reply;
	size_t rlen, tail;
	int used;

	mock_seed(test, &rnd, 0x4e905);
	before = kunit_kzalloc(test, TEXT, GFP_KERNEL);
	after = kunit_kzalloc(test, TEXT, GFP_KERNEL);
	reply = kunit_kzalloc(test, 1024, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	KUNIT_ASSERT_NOT_NULL(test, after);
	KUNIT_ASSERT_NOT_NULL(test, reply);
	g->v->max_mappings = 40;
	for (round = 0; round < 700; round++) {
		struct req_case c = {
			.type = mock_below(&rnd, 12) ? 1 + mock_below(&rnd, 5) :
				prandom_u32_state(&rnd),
			.domain = mock_below(&rnd, 30) ? mock_below(&rnd, 6) :
				  prandom_u32_state(&rnd),
			.endpoint = ids[mock_below(&rnd, ARRAY_SIZE(ids))],
			.flags = mock_below(&rnd, 20) ? mock_below(&rnd, 4) :
				 mock_below(&rnd, 16),
			.first = some_address(&rnd) & ~(u64)(mock_below(&rnd, 9) ? 0xfff : 0),
			.last = some_address(&rnd) | (mock_below(&rnd, 9) ? 0xfff : 0),
			.gpa = some_address(&rnd) & PAGE_MASK,
			.reserved = !mock_below(&rnd, 30),
		};

		/* MAP is what the others need. */
		if (c.type != MAP && !mock_below(&rnd, 3))
			c.type = MAP;
		if (c.type == ATTACH)
			c.flags = mock_below(&rnd, 5) ? 0 : c.flags;
		/* Ranges of some pages, or they all overlap. */
		if (c.type == MAP && mock_below(&rnd, 4))
			c.last = c.first + SZ_4K * (1 + mock_below(&rnd, 3)) - 1;
		if (!mock_below(&rnd, 25))
			g->m->fail_map = 1 + mock_below(&rnd, 5);
		snapshot(g, before);
		memset(req, 0, sizeof(req));
		rlen = build(&c, req);
		used = guest_request(g, req, rlen, reply, LEN_PROPS + LEN_TAIL);
		g->m->fail_map = 0;
		tail = c.type == PROBE ? LEN_PROPS : 0;
		snapshot(g, after);
		if (!used) {
			KUNIT_EXPECT_TRUE(test, c.type < ATTACH || c.type > PROBE);
			status = NOENT;
		} else {
			KUNIT_EXPECT_EQ(test, used, tail + LEN_TAIL);
			status = reply[tail];
			KUNIT_EXPECT_LE(test, status, NOMEM);
			seen[min(status, 8U)]++;
		}
		if (status)
			KUNIT_EXPECT_STREQ(test, before, after);
		if (test->status != KUNIT_SUCCESS) {
			kunit_err(test, "round %u: type %u status %u domain %u endpoint 0x%x 0x%llx-0x%llx 0x%llx flags %u\n",
				  round, c.type, status, c.domain, c.endpoint,
				  c.first, c.last, c.gpa, c.flags);
			break;
		}
		if (!mock_below(&rnd, 60)) {
			u64 page = RAM + SZ_4K * mock_below(&rnd, 16);

			mock_mem_gone(g->m, page, SZ_4K);
			mock_mem_hole(g->m, page, SZ_4K, false);
			mock_refill(g->m, UINT_MAX);
		}
	}
	KUNIT_EXPECT_GT(test, seen[OK], 40);
	KUNIT_EXPECT_GT(test, seen[DEVERR], 0);
	KUNIT_EXPECT_GT(test, seen[INVAL], 20);
	KUNIT_EXPECT_GT(test, seen[RANGE], 20);
	KUNIT_EXPECT_GT(test, seen[NOENT], 20);
	KUNIT_EXPECT_GT(test, seen[FAULT], 3);
	KUNIT_EXPECT_GT(test, seen[UNSUPP], 2);
}

static struct kunit_case request_cases[] = {
	KUNIT_CASE(request_status),
	KUNIT_CASE(request_errors),
	KUNIT_CASE(request_effects),
	KUNIT_CASE(request_no_bypass),
	KUNIT_CASE(request_flush),
	KUNIT_CASE_PARAM(request_probe, probe_gen_params),
	KUNIT_CASE(request_probe_too_much),
	KUNIT_CASE(reset_translated_until_quiet),
	KUNIT_CASE(reset_unsafe),
	KUNIT_CASE(reset_suspend),
	KUNIT_CASE(reset_system),
	KUNIT_CASE(reset_close),
	KUNIT_CASE(reset_unbind),
	KUNIT_CASE(fault_event),
	KUNIT_CASE(fault_many),
	KUNIT_CASE(request_random),
	{ }
};

static struct kunit_suite request_suite = {
	.name = "kviommu_request",
	.exit = guest_exit,
	.test_cases = request_cases,
};

kunit_test_suite(request_suite);
