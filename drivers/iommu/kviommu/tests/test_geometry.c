// SPDX-License-Identifier: GPL-2.0-only
/*
 * Geometry: what is read of a host's IOMMU, and what the guest is offered.
 */
#include <linux/slab.h>

#include "mock.h"

static int model_init(struct kviommu *v)
{
	return 0;
}

static int model_open(struct kviommu *v)
{
	return 0;
}

static void model_nothing(struct kviommu *v)
{
}

static void model_leave(struct kviommu *v, struct kviommu_endpoint *ep)
{
}

static void model_resolve(struct kviommu *v, struct kviommu_endpoint *ep,
			  struct kviommu_target *t)
{
}

static void model_for_each(struct kviommu *v, kviommu_shadow_fn fn, void *arg)
{
}

static const struct kviommu_model test_model = {
	.name = "test",
	.init = model_init,
	.exit = model_nothing,
	.open = model_open,
	.close = model_nothing,
	.release = model_leave,
	.leave = model_leave,
	.resolve = model_resolve,
	.for_each_shadow = model_for_each,
};

static void geometry_exit(struct kunit *test)
{
	mock_destroy(test->priv);
}

struct resv_case {
	const char *name;
	u64 last;
	struct {
		u64 start, len;
		enum iommu_resv_type type;
	} in[MOCK_RESVS];
	unsigned int n;
	struct kviommu_resv out[MOCK_RESVS];
};

#define MSI	IOMMU_RESV_MSI
#define RESV	IOMMU_RESV_RESERVED
#define DIRECT	IOMMU_RESV_DIRECT
#define RELAX	IOMMU_RESV_DIRECT_RELAXABLE
#define LAST47	GENMASK_ULL(46, 0)

static const struct resv_case resv_cases[] = {
	{ .name = "none", .last = LAST47, .n = 0 },
	{
		.name = "MSI", .last = LAST47,
		.in = { { 0xfee00000, 0x100000, MSI } },
		.n = 1, .out = { { 0xfee00000, 0xfeefffff, true } },
	}, {
		.name = "sorted", .last = LAST47,
		.in = {
			{ 0xfee00000, 0x100000, MSI },
			{ 0x1000, 0x1000, RESV },
			{ 0xa0000, 0x20000, DIRECT },
		},
		.n = 3, .out = {
			{ 0x1000, 0x1fff, false },
			{ 0xa0000, 0xbffff, false },
			{ 0xfee00000, 0xfeefffff, true },
		},
	}, {
		.name = "relaxable is free", .last = LAST47,
		.in = {
			{ 0x1000, 0x1000, RELAX }, { 0x3000, 0x1000, RESV },
		},
		.n = 1, .out = { { 0x3000, 0x3fff, false } },
	}, {
		.name = "overlap of two kinds", .last = LAST47,
		.in = {
			{ 0x1000, 0x3000, MSI }, { 0x3000, 0x3000, RESV },
			{ 0x5000, 0x1000, DIRECT },
		},
		.n = 1, .out = { { 0x1000, 0x5fff, false } },
	}, {
		.name = "one in another", .last = LAST47,
		.in = {
			{ 0x1000, 0x9000, RESV }, { 0x3000, 0x1000, MSI },
			{ 0xa000, 0x1000, MSI },
		},
		.n = 2, .out = {
			{ 0x1000, 0x9fff, false }, { 0xa000, 0xafff, true },
		},
	}, {
		.name = "beyond the aperture", .last = 0xffffffff,
		.in = {
			{ 0x100000000, 0x1000, RESV },
			{ 0xfffff000, 0x2000, RESV },
			{ 0xfffffffffffff000, 0x1000, RESV },
		},
		.n = 1, .out = { { 0xfffff000, 0xffffffff, false } },
	}, {
		.name = "empty", .last = LAST47,
		.in = { { 0x5000, 0, RESV }, { 0, 0x1000, RESV } },
		.n = 1, .out = { { 0, 0xfff, false } },
	},
};

KUNIT_ARRAY_PARAM_DESC(resv, resv_cases, name);

static void geometry_resv(struct kunit *test)
{
	const struct resv_case *c = test->param_value;
	struct mock *m = mock_create(test, &test_model);
	struct kviommu_geometry geo;
	struct mock_dev *d;
	unsigned int i;

	m->iommus[0].last = c->last;
	d = mock_add_dev(m, 0, NULL);
	for (i = 0; i < MOCK_RESVS; i++)
		if (c->in[i].len || c->in[i].start)
			mock_add_resv(d, c->in[i].start, c->in[i].len,
				      c->in[i].type);
	KUNIT_ASSERT_EQ(test, 0, kviommu_geometry_read(mock_dev_dev(d), &geo));
	/* The domain it was read from is gone. */
	KUNIT_EXPECT_EQ(test, mock_nr_domains(m), 0);
	KUNIT_EXPECT_EQ(test, geo.last, c->last);
	KUNIT_EXPECT_EQ(test, geo.nr_resv, c->n);
	for (i = 0; i < min(geo.nr_resv, c->n); i++) {
		KUNIT_EXPECT_EQ(test, geo.resv[i].first, c->out[i].first);
		KUNIT_EXPECT_EQ(test, geo.resv[i].last, c->out[i].last);
		KUNIT_EXPECT_EQ(test, geo.resv[i].msi, c->out[i].msi);
	}
	kviommu_geometry_free(&geo);
	KUNIT_EXPECT_NULL(test, geo.resv);
	KUNIT_EXPECT_EQ(test, geo.nr_resv, 0);
}

struct size_case {
	const char *name;
	u64 host_last, host_sizes, last, sizes;
	bool late;
};

static const struct size_case size_cases[] = {
	{ "48 bits", GENMASK_ULL(47, 0), SZ_4K | SZ_2M,
	  GENMASK_ULL(47, 0), SZ_4K | SZ_2M },
	{ "39 bits", GENMASK_ULL(38, 0), SZ_4K | SZ_2M | SZ_1G,
	  GENMASK_ULL(38, 0), SZ_4K | SZ_2M | SZ_1G },
	{ "not told", 0, SZ_4K, GENMASK_ULL(47, 0), SZ_4K },
	{ "any address", U64_MAX, SZ_4K, GENMASK_ULL(47, 0), SZ_4K },
	{ "finer than pages", LAST47, SZ_1K | SZ_4K | SZ_16K, LAST47,
	  SZ_4K | SZ_16K },
	{ "only finer than pages", LAST47, SZ_1K, LAST47, SZ_4K },
	{ "known at attach", LAST47, SZ_4K | SZ_2M, LAST47, SZ_4K, true },
};

KUNIT_ARRAY_PARAM_DESC(size, size_cases, name);

static void geometry_sizes(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct mock *m = mock_create(test, &test_model);
	struct kviommu_geometry geo;
	struct mock_dev *d;

	m->iommus[0].last = c->host_last;
	m->iommus[0].page_sizes = c->host_sizes;
	m->iommus[0].late = c->late;
	d = mock_add_dev(m, 0, NULL);
	KUNIT_ASSERT_EQ(test, 0, kviommu_geometry_read(mock_dev_dev(d), &geo));
	KUNIT_EXPECT_EQ(test, geo.last, c->last);
	KUNIT_EXPECT_EQ(test, geo.page_sizes, c->sizes);
	kviommu_geometry_free(&geo);
}

/* A host that can't map single pages is of no use. */
static void geometry_coarse_host(struct kunit *test)
{
	struct mock *m = mock_create(test, &test_model);
	struct kviommu_geometry geo;
	struct mock_dev *d;

	m->iommus[0].page_sizes = SZ_64K | SZ_512M;
	d = mock_add_dev(m, 0, NULL);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			kviommu_geometry_read(mock_dev_dev(d), &geo));
	KUNIT_EXPECT_EQ(test, mock_nr_domains(m), 0);
}

/* MSIs that the host translates, where architecture and kernel can */
static void geometry_sw_msi(struct kunit *test)
{
	struct mock *m = mock_create(test, &test_model);
	struct kviommu_geometry geo;
	struct mock_dev *d = mock_add_dev(m, 0, NULL);
	int rc;

	mock_add_resv(d, 0x8000000, SZ_1M, IOMMU_RESV_SW_MSI);
	rc = kviommu_geometry_read(mock_dev_dev(d), &geo);
	if (KVIOMMU_SW_MSI) {
		KUNIT_EXPECT_EQ(test, rc, 0);
		KUNIT_EXPECT_EQ(test, geo.sw_msi, 0x8000000);
		KUNIT_EXPECT_EQ(test, geo.sw_msi_size, SZ_1M);
		KUNIT_ASSERT_EQ(test, geo.nr_resv, 1);
		KUNIT_EXPECT_TRUE(test, geo.resv[0].msi);
	} else {
		KUNIT_EXPECT_EQ(test, rc, -EOPNOTSUPP);
	}
	KUNIT_EXPECT_EQ(test, mock_nr_domains(m), 0);
	kviommu_geometry_free(&geo);
}

static void geometry_errors(struct kunit *test)
{
	struct mock *m = mock_create(test, &test_model);
	struct kviommu_geometry geo;
	struct mock_dev *d = mock_add_dev(m, 0, NULL);

	m->iommus[0].fail_alloc = 1;
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			kviommu_geometry_read(mock_dev_dev(d), &geo));
	KUNIT_EXPECT_NULL(test, geo.resv);
	/* A device without an IOMMU */
	KUNIT_EXPECT_EQ(test, -ENODEV, kviommu_geometry_read(m->dev, &geo));
}

/* Any range against a look at each address. */
static void geometry_reserved(struct kunit *test)
{
	struct kviommu_resv resv[4];
	struct kviommu_geometry geo = { .resv = resv };
	struct rnd_state rnd;
	unsigned int round, i;
	u64 first, last, a;
	bool want;

	mock_seed(test, &rnd, 0x9e0);
	for (round = 0; round < 2000; round++) {
		geo.nr_resv = mock_below(&rnd, 5);
		for (i = 0; i < geo.nr_resv; i++) {
			resv[i].first = 30 * i + mock_below(&rnd, 15);
			resv[i].last = resv[i].first + mock_below(&rnd, 15);
		}
		first = mock_below(&rnd, 130);
		last = first + mock_below(&rnd, 40);
		want = false;
		for (a = first; a <= last; a++)
			for (i = 0; i < geo.nr_resv; i++)
				want |= a >= resv[i].first && a <= resv[i].last;
		KUNIT_ASSERT_EQ(test, want,
				kviommu_geometry_reserved(&geo, first, last));
	}
	geo.nr_resv = 1;
	resv[0] = (struct kviommu_resv){ U64_MAX, U64_MAX };
	KUNIT_EXPECT_TRUE(test, kviommu_geometry_reserved(&geo, 0, U64_MAX));
	KUNIT_EXPECT_FALSE(test, kviommu_geometry_reserved(&geo, 0, U64_MAX - 1));
}

static void update(struct mock *m)
{
	mutex_lock(&m->v.lock);
	kviommu_geometry_update(&m->v);
	mutex_unlock(&m->v.lock);
}

/* What the guest is offered: the least of all hosts, unless it was said. */
static void geometry_offered(struct kunit *test)
{
	struct mock *m = mock_create(test, &test_model);
	struct kviommu_geometry *f = &m->v.frozen;
	struct mock_dev *d[2];
	char *name;

	m->iommus[0].last = GENMASK_ULL(46, 0);
	m->iommus[1].last = GENMASK_ULL(38, 0);
	d[0] = mock_add_dev(m, 0, NULL);
	d[1] = mock_add_dev(m, 1, NULL);
	update(m);
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(47, 0));
	KUNIT_EXPECT_EQ(test, f->page_sizes, PAGE_MASK);
	mock_assign(d[0], 1);
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(46, 0));
	mock_assign(d[1], 2);
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(38, 0));
	name = (char *)d[1]->name;
	KUNIT_ASSERT_EQ(test, 0, kviommu_unassign(&m->v, name));
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(46, 0));

	/* What was said has to be held by all. */
	m->v.address_width = 40;
	update(m);
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(39, 0));
	KUNIT_EXPECT_EQ(test, -ERANGE, kviommu_assign(&m->v, name, 2));
	m->v.address_width = 39;
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(&m->v, name, 2));
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(38, 0));
	KUNIT_ASSERT_EQ(test, 0, kviommu_unassign(&m->v, name));

	/* A guest that runs keeps what it was told. */
	m->v.address_width = 0;
	mock_open(m);
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(46, 0));
	KUNIT_EXPECT_EQ(test, -ERANGE, kviommu_assign(&m->v, name, 2));
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(46, 0));
	KUNIT_EXPECT_NULL(test, xa_load(&m->v.endpoints, 2));
	kviommu_close(&m->v);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(&m->v, name, 2));
	KUNIT_EXPECT_EQ(test, f->last, GENMASK_ULL(38, 0));
}

static struct kunit_case geometry_cases[] = {
	KUNIT_CASE_PARAM(geometry_resv, resv_gen_params),
	KUNIT_CASE_PARAM(geometry_sizes, size_gen_params),
	KUNIT_CASE(geometry_coarse_host),
	KUNIT_CASE(geometry_sw_msi),
	KUNIT_CASE(geometry_errors),
	KUNIT_CASE(geometry_reserved),
	KUNIT_CASE(geometry_offered),
	{ }
};

static struct kunit_suite geometry_suite = {
	.name = "kviommu_geometry",
	.exit = geometry_exit,
	.test_cases = geometry_cases,
};

kunit_test_suite(geometry_suite);
