// SPDX-License-Identifier: GPL-2.0-only
/*
 * States: what devices reach, for all that a model and a VMM may want, on all
 * ways from one to the other. The mocks know what a device really reaches.
 */
#include <linux/slab.h>

#include "mock.h"

#define GUEST_PT	7	/* the VMM's page table */

/* What the model wants of an endpoint. */
enum want {
	WANT_BLOCKED,
	WANT_BYPASS,
	WANT_BYPASS_UNSAFE,
	WANT_CHOSEN_BYPASS,
	WANT_CHOSEN_BYPASS_UNSAFE,
	WANT_A,
	WANT_B,
	WANT_BROKEN,
	NR_WANTS,
};

struct fixture {
	struct mock *m;
	struct kviommu_shadow a, b, broken;
	enum want want[MOCK_DEVS];	/* by endpoint id */
};

static struct fixture *to_fixture(struct kviommu *v)
{
	return v->model_priv;
}

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

/* The guest's address spaces end with the VMM. */
static void model_close(struct kviommu *v)
{
	struct fixture *f = to_fixture(v);

	kviommu_shadow_destroy(&f->a);
	kviommu_shadow_destroy(&f->b);
}

static void model_leave(struct kviommu *v, struct kviommu_endpoint *ep)
{
}

static enum kviommu_state model_detached(const struct kviommu *v)
{
	return KVIOMMU_BYPASS;
}

static void model_resolve(struct kviommu *v, struct kviommu_endpoint *ep,
			  struct kviommu_target *t)
{
	struct fixture *f = to_fixture(v);

	switch (f->want[ep->id]) {
	case WANT_BYPASS:
	case WANT_BYPASS_UNSAFE:
		t->state = KVIOMMU_BYPASS;
		break;
	case WANT_CHOSEN_BYPASS:
	case WANT_CHOSEN_BYPASS_UNSAFE:
		*t = (struct kviommu_target){ KVIOMMU_BYPASS, NULL, true };
		break;
	case WANT_A:
		*t = (struct kviommu_target){ KVIOMMU_TRANSLATED, &f->a, true };
		break;
	case WANT_B:
		*t = (struct kviommu_target){ KVIOMMU_TRANSLATED, &f->b, true };
		break;
	case WANT_BROKEN:
		*t = (struct kviommu_target){ KVIOMMU_TRANSLATED, &f->broken,
					      true };
		break;
	default:
		t->state = KVIOMMU_BLOCKED;
	}
}

static void model_for_each(struct kviommu *v, kviommu_shadow_fn fn, void *arg)
{
	fn(&to_fixture(v)->a, 0, arg);
	fn(&to_fixture(v)->b, 1, arg);
}

static const struct kviommu_model test_model = {
	.name = "test",
	.init = model_init,
	.exit = model_nothing,
	.open = model_open,
	.close = model_close,
	.resolve = model_resolve,
	.detached = model_detached,
	.release = model_leave,
	.leave = model_leave,
	.for_each_shadow = model_for_each,
};

static struct fixture *create(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct mock *m;

	KUNIT_ASSERT_NOT_NULL(test, f);
	m = mock_create(test, &test_model);
	f->m = m;
	m->v.model_priv = f;
	mock_mem_create(m, 1, MOCK_CONTIGUOUS, NULL);
	kviommu_shadow_init(&f->a, &m->v.gmem);
	kviommu_shadow_init(&f->b, &m->v.gmem);
	kviommu_shadow_init(&f->broken, &m->v.gmem);
	f->broken.broken = true;
	KUNIT_ASSERT_EQ(test, 0, kviommu_shadow_map(&f->a, 0x1000, 0x1fff, 0,
						    KVIOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0, kviommu_shadow_map(&f->b, 0x5000, 0x5fff, 0,
						    KVIOMMU_READ));
	return f;
}

static void state_exit(struct kunit *test)
{
	struct mock *m = test->priv;
	struct fixture *f = m ? m->v.model_priv : NULL;
	unsigned int i;

	/* Devices first, then what they reach. */
	for (i = 0; f && i < m->nr_devs; i++)
		if (m->devs[i]->kdev && m->devs[i]->kdev->bound)
			kviommu_dev_unbind(m->devs[i]->kdev, false);
	mock_destroy(m);
}

static int apply(struct fixture *f, struct mock_dev *d)
{
	int rc;

	mutex_lock(&f->m->v.lock);
	rc = kviommu_group_apply(&f->m->v, d->kdev->ep->group);
	mutex_unlock(&f->m->v.lock);
	return rc;
}

static void set_want(struct fixture *f, struct mock_dev *d, enum want want)
{
	f->want[d->kdev->ep->id] = want;
	d->kdev->ep->unsafe = want == WANT_BYPASS_UNSAFE ||
			      want == WANT_CHOSEN_BYPASS_UNSAFE;
}

/* A device of a vIOMMU that is open */
static struct mock_dev *create_attached(struct fixture *f, enum want want)
{
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);

	mock_assign(d, 0);
	mock_bind(d);
	mock_open(f->m);
	kviommu_memory(&f->m->v, true);
	set_want(f, d, want);
	KUNIT_ASSERT_EQ(f->m->test, 0, mock_attach(d, GUEST_PT));
	return d;
}

/* Is the device where it should be, and nowhere else? */
static void expect_state(struct fixture *f, struct mock_dev *d,
			 enum kviommu_state state, struct kviommu_shadow *s)
{
	struct kunit *test = f->m->test;
	struct mock_domain *dom;
	bool takes_part = d->kdev->bound && d->kdev->attached;

	KUNIT_EXPECT_EQ(test, kviommu_endpoint_state(d->kdev->ep),
			d->kdev->bound ? state : KVIOMMU_UNBOUND);
	switch (state) {
	case KVIOMMU_TRANSLATED:
		KUNIT_EXPECT_EQ(test, d->hwpt, 0);
		KUNIT_EXPECT_FALSE(test, mock_dev_blocked(d));
		dom = mock_domain(d->domain);
		/* The one has this page, the other that. */
		KUNIT_EXPECT_EQ(test, !!mock_pte(dom, 0x1000), s == &f->a);
		KUNIT_EXPECT_EQ(test, !!mock_pte(dom, 0x5000), s == &f->b);
		break;
	case KVIOMMU_BYPASS:
		KUNIT_EXPECT_EQ(test, d->hwpt, takes_part ? GUEST_PT : 0);
		if (!takes_part)
			KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d));
		break;
	default:
		KUNIT_EXPECT_TRUE(test, mock_dev_blocked(d));
	}
}

struct decision {
	enum kviommu_state state;
	struct kviommu_shadow *s;
	int rc;
};

/* Independent of the code: a leader decides, else the most careful one. */
static struct decision decide(struct fixture *f, const enum want *want,
			      const bool *attached, unsigned int n)
{
	struct decision d = { KVIOMMU_BLOCKED };
	bool unsafe = false, blocked = false, bypass = false;
	enum want leader = NR_WANTS;
	unsigned int i;

	if (!f->m->v.open || !f->m->v.memory)
		return d;
	for (i = 0; i < n; i++) {
		unsafe |= want[i] == WANT_BYPASS_UNSAFE ||
			  want[i] == WANT_CHOSEN_BYPASS_UNSAFE;
		if (!attached[i])
			continue;
		blocked |= want[i] == WANT_BLOCKED;
		bypass |= want[i] == WANT_BYPASS || want[i] == WANT_BYPASS_UNSAFE;
		if (want[i] >= WANT_CHOSEN_BYPASS && leader == NR_WANTS)
			leader = want[i];
	}
	switch (leader) {
	case WANT_A:
		return (struct decision){ KVIOMMU_TRANSLATED, &f->a };
	case WANT_B:
		return (struct decision){ KVIOMMU_TRANSLATED, &f->b };
	case WANT_BROKEN:
		return d;
	case NR_WANTS:
		if (blocked || !bypass)
			return d;
		break;
	default:
		break;
	}
	/* Not while one of them may still use other addresses. */
	if (!unsafe)
		d.state = KVIOMMU_BYPASS;
	else if (leader != NR_WANTS)
		d.rc = -EBUSY;
	return d;
}

/* Two devices of one group: every pair of wishes, from wherever they are. */
static void state_group_of_two(struct kunit *test)
{
	struct fixture *f = create(test);
	enum want want[2];
	struct mock_dev *d[2];
	struct rnd_state rnd;
	struct decision want_state;
	bool attached[2] = {};
	unsigned int round, i, seen[4] = {};

	mock_seed(test, &rnd, 0x57a7e);
	d[0] = mock_add_dev(f->m, 0, NULL);
	d[1] = mock_add_dev(f->m, 0, d[0]);
	for (i = 0; i < 2; i++) {
		mock_assign(d[i], i);
		mock_bind(d[i]);
	}
	mock_open(f->m);
	KUNIT_EXPECT_PTR_EQ(test, d[0]->kdev->ep->group, d[1]->kdev->ep->group);
	for (round = 0; round < 1000; round++) {
		f->m->v.open = mock_below(&rnd, 20);
		f->m->v.memory = mock_below(&rnd, 20);
		for (i = 0; i < 2; i++) {
			want[i] = mock_below(&rnd, NR_WANTS);
			set_want(f, d[i], want[i]);
		}
		i = mock_below(&rnd, 2);
		if (!mock_below(&rnd, 3)) {
			if (attached[i])
				kviommu_dev_detach(d[i]->kdev);
			else
				KUNIT_EXPECT_EQ(test, 0, mock_attach(d[i], GUEST_PT));
			attached[i] = !attached[i];
		}
		want_state = decide(f, want, attached, 2);
		KUNIT_EXPECT_EQ(test, want_state.rc, apply(f, d[0]));
		seen[want_state.state]++;
		for (i = 0; i < 2; i++)
			expect_state(f, d[i], want_state.state, want_state.s);
		if (test->status != KUNIT_SUCCESS) {
			kunit_err(test, "round %u: %u %u, attached %u %u\n", round,
				  want[0], want[1], attached[0], attached[1]);
			break;
		}
	}
	KUNIT_EXPECT_GT(test, seen[KVIOMMU_BYPASS], 50);
	KUNIT_EXPECT_GT(test, seen[KVIOMMU_TRANSLATED], 50);
	f->m->v.open = true;
}

/* A group that is where it should be is not touched. */
static void state_not_touched(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = create_attached(f, WANT_A);

	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
	KUNIT_EXPECT_EQ(test, d->attaches, 1);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	kviommu_memory(&f->m->v, true);
	KUNIT_EXPECT_EQ(test, d->attaches, 1);
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	KUNIT_EXPECT_EQ(test, d->hwpt_attaches, 1);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	KUNIT_EXPECT_EQ(test, d->hwpt_attaches, 1);
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
}

/* Whatever fails on the way to a state, the device is blocked. */
static void state_fails_closed(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock *m = f->m;
	static const enum want from[] = { WANT_BLOCKED, WANT_BYPASS, WANT_B };
	struct mock_dev *d = mock_add_dev(m, 0, NULL);
	unsigned int i;

	mock_assign(d, 0);
	mock_bind(d);
	mock_open(m);
	kviommu_memory(&m->v, true);
	KUNIT_ASSERT_EQ(test, 0, mock_attach(d, GUEST_PT));
	for (i = 0; i < ARRAY_SIZE(from); i++) {
		set_want(f, d, from[i]);
		KUNIT_EXPECT_EQ(test, 0, apply(f, d));
		set_want(f, d, WANT_A);
		m->iommus[0].fail_alloc = 1;
		KUNIT_EXPECT_EQ(test, -ENOSPC, apply(f, d));
		expect_state(f, d, KVIOMMU_BLOCKED, NULL);

		set_want(f, d, from[i]);
		KUNIT_EXPECT_EQ(test, 0, apply(f, d));
		set_want(f, d, WANT_A);
		m->fail_map = 1;
		KUNIT_EXPECT_EQ(test, -EIO, apply(f, d));
		expect_state(f, d, KVIOMMU_BLOCKED, NULL);

		set_want(f, d, from[i]);
		KUNIT_EXPECT_EQ(test, 0, apply(f, d));
		set_want(f, d, WANT_A);
		d->fail_attach = 1;
		KUNIT_EXPECT_EQ(test, -EBUSY, apply(f, d));
		expect_state(f, d, KVIOMMU_BLOCKED, NULL);
		KUNIT_EXPECT_TRUE(test, list_empty(&f->a.hostdoms));
		KUNIT_EXPECT_EQ(test, mock_nr_domains(m), 0);

		if (from[i] == WANT_BYPASS)
			continue;
		set_want(f, d, from[i]);
		KUNIT_EXPECT_EQ(test, 0, apply(f, d));
		set_want(f, d, WANT_BYPASS);
		d->fail_hwpt = -EINVAL;
		KUNIT_EXPECT_EQ(test, -EINVAL, apply(f, d));
		expect_state(f, d, KVIOMMU_BLOCKED, NULL);
		d->fail_hwpt = 0;
	}
	/* And it gets on from there. */
	set_want(f, d, WANT_A);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
}

/* Two of a group, whose VMM has not attached them */
static void bind_two(struct fixture *f, struct mock_dev *d[2])
{
	unsigned int i;

	d[0] = mock_add_dev(f->m, 0, NULL);
	d[1] = mock_add_dev(f->m, 0, d[0]);
	mock_open(f->m);
	kviommu_memory(&f->m->v, true);
	for (i = 0; i < 2; i++) {
		mock_assign(d[i], i);
		mock_bind(d[i]);
	}
}

/* One of two members can't be put in bypass: neither is. */
static void state_bypass_together(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d[2];
	unsigned int i;

	bind_two(f, d);
	for (i = 0; i < 2; i++) {
		set_want(f, d[i], WANT_BLOCKED);
		KUNIT_ASSERT_EQ(test, 0, mock_attach(d[i], GUEST_PT));
		set_want(f, d[i], WANT_BYPASS);
	}
	d[1]->fail_hwpt = -EINVAL;
	KUNIT_EXPECT_EQ(test, -EINVAL, apply(f, d[0]));
	expect_state(f, d[0], KVIOMMU_BLOCKED, NULL);
	expect_state(f, d[1], KVIOMMU_BLOCKED, NULL);
	d[1]->fail_hwpt = 0;
	KUNIT_EXPECT_EQ(test, 0, apply(f, d[0]));
	expect_state(f, d[0], KVIOMMU_BYPASS, NULL);
	expect_state(f, d[1], KVIOMMU_BYPASS, NULL);
}

/* One joins a group in bypass with a page table that it can't have: the other stays. */
static void state_bypass_joined(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d[2];

	bind_two(f, d);
	set_want(f, d[0], WANT_BYPASS);
	set_want(f, d[1], WANT_BYPASS);
	KUNIT_ASSERT_EQ(test, 0, mock_attach(d[0], GUEST_PT));
	d[1]->fail_hwpt = -EINVAL;
	KUNIT_EXPECT_EQ(test, -EINVAL, mock_attach(d[1], GUEST_PT + 1));
	KUNIT_EXPECT_EQ(test, d[0]->hwpt, GUEST_PT);
	KUNIT_EXPECT_EQ(test, d[0]->hwpt_attaches, 1);
	KUNIT_EXPECT_EQ(test, d[1]->hwpt, 0);
	KUNIT_EXPECT_FALSE(test, d[1]->kdev->attached);
	d[1]->fail_hwpt = 0;
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d[1], GUEST_PT));
	expect_state(f, d[0], KVIOMMU_BYPASS, NULL);
	expect_state(f, d[1], KVIOMMU_BYPASS, NULL);
	KUNIT_EXPECT_EQ(test, d[0]->hwpt_attaches, 1);
}

/* The host loses a mapping: all that uses the shadow is blocked. */
static void state_broken(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = create_attached(f, WANT_A);

	f->m->short_unmap = true;
	mutex_lock(&f->m->v.lock);
	KUNIT_EXPECT_EQ(test, 0, kviommu_shadow_unmap(&f->a, 0x1000, 0x1fff));
	kviommu_flush_all(&f->m->v);
	mutex_unlock(&f->m->v.lock);
	KUNIT_EXPECT_TRUE(test, f->a.broken);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(f->m), 0);
}

/* The same while memory goes away: blocked before it is unpinned. */
static void state_broken_memory(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = create_attached(f, WANT_A);

	f->m->short_unmap = true;
	mock_mem_gone(f->m, 0, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, f->a.broken);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
}

/* Groups behind one IOMMU share a host domain; another IOMMU has its own. */
static void state_sharing(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d[3];
	unsigned int i;

	mock_open(f->m);
	kviommu_memory(&f->m->v, true);
	for (i = 0; i < 3; i++) {
		d[i] = mock_add_dev(f->m, i == 2, NULL);
		mock_assign(d[i], i);
		mock_bind(d[i]);
		set_want(f, d[i], WANT_A);
		KUNIT_ASSERT_EQ(test, 0, mock_attach(d[i], GUEST_PT));
	}
	KUNIT_EXPECT_PTR_EQ(test, d[0]->domain, d[1]->domain);
	KUNIT_EXPECT_PTR_NE(test, d[0]->domain, d[2]->domain);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(f->m), 2);
	kviommu_dev_detach(d[0]->kdev);
	expect_state(f, d[0], KVIOMMU_BLOCKED, NULL);
	expect_state(f, d[1], KVIOMMU_TRANSLATED, &f->a);
	kviommu_dev_detach(d[1]->kdev);
	KUNIT_EXPECT_EQ(test, mock_nr_domains(f->m), 1);
	set_want(f, d[2], WANT_BLOCKED);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d[2]));
	KUNIT_EXPECT_EQ(test, mock_nr_domains(f->m), 0);
}

/* What a VMM does with the device, in each state. */
static void state_vmm(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);
	struct kviommu *v = &f->m->v;
	unsigned int tries;

	mock_dev_register(d);
	mock_bind(d);
	KUNIT_EXPECT_EQ(test, -ENODEV, mock_attach(d, GUEST_PT));
	/* Too late: the VMM has it open already. */
	KUNIT_EXPECT_EQ(test, -EBUSY,
			kviommu_assign(v, d->name, 0));
	kviommu_dev_unbind(d->kdev, false);
	mock_assign(d, 0);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	mock_bind(d);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);

	/* Attached before the vIOMMU is open, and before it has memory. */
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	mock_open(f->m);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	kviommu_memory(v, true);
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	/* Another page table, in bypass and not. */
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT + 1));
	KUNIT_EXPECT_EQ(test, d->hwpt, GUEST_PT + 1);
	d->fail_hwpt = -EINVAL;
	KUNIT_EXPECT_EQ(test, -EINVAL, mock_attach(d, GUEST_PT + 2));
	KUNIT_EXPECT_EQ(test, d->hwpt, GUEST_PT + 1);
	d->fail_hwpt = 0;
	set_want(f, d, WANT_A);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	/* Another one while blocked counts when bypass comes. */
	set_want(f, d, WANT_BLOCKED);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT + 3));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	KUNIT_EXPECT_EQ(test, d->hwpt, GUEST_PT + 3);

	/* One that does not fit is refused, while it is safe to try it. */
	kviommu_dev_detach(d->kdev);
	set_want(f, d, WANT_BLOCKED);
	d->fail_hwpt = -EINVAL;
	KUNIT_EXPECT_EQ(test, -EINVAL, mock_attach(d, GUEST_PT));
	d->fail_hwpt = 0;
	d->bus_master = true;
	tries = d->hwpt_attaches;
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	KUNIT_EXPECT_EQ(test, d->hwpt_attaches, tries);
	d->bus_master = false;
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	/* Detached, and attached again, but the host refuses. */
	kviommu_dev_detach(d->kdev);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	d->fail_hwpt = -EINVAL;
	KUNIT_EXPECT_EQ(test, -EINVAL, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_FALSE(test, d->kdev->attached);
	d->fail_hwpt = 0;
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	/* Memory goes first; or the vIOMMU is closed first. */
	kviommu_memory(v, false);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	kviommu_memory(v, true);
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
	kviommu_close(v);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			kviommu_unassign(v, d->name));
	kviommu_dev_unbind(d->kdev, false);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(v, d->name));
	KUNIT_EXPECT_EQ(test, -ENODEV,
			kviommu_unassign(v, d->name));
}

/* Quiet ends what is unsafe. */
static void state_quiet(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = create_attached(f, WANT_BYPASS_UNSAFE);

	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	mock_dev_reset(d);
	KUNIT_EXPECT_FALSE(test, d->kdev->ep->unsafe);
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
	/* A new VMM starts with a device that was reset. */
	d->kdev->ep->unsafe = true;
	kviommu_dev_unbind(d->kdev, false);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_FALSE(test, d->kdev->ep->unsafe);
}

/* What can't be reset is not in bypass for the next VMM, unless an admin says so. */
static void state_dirty(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);
	struct mock_dev *peer = mock_add_dev(f->m, 0, d);
	struct kviommu *v = &f->m->v;
	const char *name = d->name;

	KUNIT_EXPECT_EQ(test, -ENODEV, kviommu_assume_reset(v, name));
	mock_assign(d, 0);
	mock_assign(peer, 1);
	set_want(f, d, WANT_BYPASS);
	set_want(f, peer, WANT_BYPASS);
	mock_open(f->m);
	kviommu_memory(v, true);
	mock_bind(d);
	d->no_reset = true;
	/* Who was never told anything does nothing. */
	mock_unbind(d);
	mock_bind(d);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
	d->used = true;
	mock_unbind(d);

	/* It reaches what others of its group do, as soon as it is open. */
	mock_bind(peer);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(peer, GUEST_PT));
	expect_state(f, peer, KVIOMMU_BYPASS, NULL);
	mock_bind(d);
	expect_state(f, peer, KVIOMMU_BLOCKED, NULL);
	mock_unbind(peer);

	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	/* That is no error of the guest: what it maps is reached. */
	set_want(f, d, WANT_A);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	/* It survives the VMM, and the vIOMMU that it was assigned to. */
	mock_unbind(d);
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(v, name));
	mock_assign(d, 0);
	mock_bind(d);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assume_reset(v, name));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	/* Others of its slot, with which it can be reset, are closed. */
	d->used = true;
	mock_unbind(d);
	d->no_reset = false;
	mock_bind(d);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
}

/* It was told things by whoever had it before: no bypass before it is reset. */
static void state_used_before(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);
	struct kviommu *v = &f->m->v;

	d->was_used = true;
	d->no_reset = true;
	mock_assign(d, 0);
	mock_bind(d);
	mock_open(f->m);
	kviommu_memory(v, true);
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	mock_dev_reset(d);
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
}

static void system_reset(struct kviommu *v)
{
	mutex_lock(&v->lock);
	kviommu_event(v, KVIOMMU_SYSTEM_RESET);
	mutex_unlock(&v->lock);
}

/* Nobody can make it stop: nobody waits for that, and the IOMMU stops it. */
static void state_no_stop(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);
	const char *name = d->name;
	struct kviommu *v = &f->m->v;

	d->was_used = true;
	d->no_reset = true;
	d->no_stop = true;
	mock_assign(d, 0);
	mock_bind(d);
	mock_open(f->m);
	kviommu_memory(v, true);
	set_want(f, d, WANT_BYPASS);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	/* A driver that calls it reset is not believed, an administrator is. */
	kviommu_dev_reset(d->kdev);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assume_reset(v, name));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	/* It has only seen guest addresses, and may go on with them. */
	system_reset(v);
	expect_state(f, d, KVIOMMU_BYPASS, NULL);

	set_want(f, d, WANT_A);
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
	f->want[0] = WANT_BYPASS;
	system_reset(v);
	KUNIT_EXPECT_FALSE(test, v->reset.holding);
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	/* What the next guest maps, it reaches. */
	f->want[0] = WANT_A;
	KUNIT_EXPECT_EQ(test, 0, apply(f, d));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);

	/* The next VMM has it as this one had, for all that it was told. */
	f->want[0] = WANT_BYPASS;
	mock_unbind(d);
	mock_bind(d);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assume_reset(v, name));
	expect_state(f, d, KVIOMMU_BYPASS, NULL);
}

/* What nothing stops when it is closed would reach what others of its group do. */
static void state_no_stop_alone(struct kunit *test)
{
	struct mock *m = create(test)->m;
	struct mock_dev *d = mock_add_dev(m, 0, NULL);
	struct mock_dev *peer = mock_add_dev(m, 0, d);

	d->no_reset = true;
	d->no_stop = true;
	mock_assign(d, 0);
	mock_dev_register(peer);
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(&m->v, peer->name, 1));
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(&m->v, d->name));
	/* The other may be given to somebody, later. */
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(&m->v, d->name, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(&m->v, peer->name, 1));
}

/* To try a page table opens bypass: not for another one that is open. */
static void state_try(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);
	struct mock_dev *peer = mock_add_dev(f->m, 0, d);

	mock_assign(d, 0);
	mock_assign(peer, 1);
	set_want(f, d, WANT_BLOCKED);
	set_want(f, peer, WANT_BLOCKED);
	mock_open(f->m);
	kviommu_memory(&f->m->v, true);
	mock_bind(d);
	mock_bind(peer);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	KUNIT_EXPECT_EQ(test, d->hwpt_attaches, 0);
	kviommu_dev_detach(d->kdev);
	mock_unbind(peer);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	KUNIT_EXPECT_EQ(test, d->hwpt_attaches, 1);
}

/* A device of one VMM must not reach the memory of another one's guest. */
static void state_other_vmm(struct kunit *test)
{
	struct fixture *f = create(test);
	struct mock_dev *d = mock_add_dev(f->m, 0, NULL);
	static const enum want wants[] = { WANT_BYPASS, WANT_CHOSEN_BYPASS, WANT_A };
	unsigned int i;

	d->other_vmm = true;
	mock_assign(d, 0);
	mock_bind(d);
	/* Attached before the vIOMMU is open */
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	mock_open(f->m);
	kviommu_memory(&f->m->v, true);
	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		set_want(f, d, wants[i]);
		KUNIT_EXPECT_EQ(test, 0, apply(f, d));
		expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	}
	kviommu_dev_detach(d->kdev);
	/* And after that */
	KUNIT_EXPECT_EQ(test, -EBUSY, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_BLOCKED, NULL);
	/* It comes into the right hands. */
	kviommu_dev_unbind(d->kdev, false);
	d->other_vmm = false;
	mock_bind(d);
	KUNIT_EXPECT_EQ(test, 0, mock_attach(d, GUEST_PT));
	expect_state(f, d, KVIOMMU_TRANSLATED, &f->a);
}

static void state_assign_errors(struct kunit *test)
{
	struct kviommu_model fine = test_model;
	struct fixture *f = create(test);
	struct mock *m = f->m;
	struct mock_dev *d[4];
	struct kviommu *other;
	const char *name[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		d[i] = mock_add_dev(m, 0, i == 3 ? d[2] : NULL);
		name[i] = d[i]->name;
	}
	other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	other->model_priv = f;
	mock_init(m, other, &test_model);

	KUNIT_EXPECT_EQ(test, -ENODEV, kviommu_assign(&m->v, "nothing", 1));
	KUNIT_EXPECT_EQ(test, -ENODEV, kviommu_assign(&m->v, name[0], 1));
	KUNIT_EXPECT_EQ(test, -ENODEV, kviommu_unassign(&m->v, name[0]));
	for (i = 0; i < 4; i++)
		mock_dev_register(d[i]);
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(&m->v, name[0], 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(&m->v, name[0], 2));
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(other, name[0], 1));
	KUNIT_EXPECT_EQ(test, -ENODEV, kviommu_unassign(other, name[0]));
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(&m->v, name[1], 1));
	/* Its guests' pages have to be no smaller than the CPU's. */
	fine.granule = PAGE_SIZE / 2;
	other->model = &fine;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, kviommu_assign(other, name[1], 1));
	fine.granule = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(other, name[1], 1));
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(other, name[1]));
	other->model = &test_model;
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(other, name[1], 1));
	/* A group is not shared by two guests. */
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(&m->v, name[2], 2));
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(other, name[3], 3));
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(&m->v, name[3], 3));
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(&m->v, name[2]));
	KUNIT_EXPECT_EQ(test, -EBUSY, kviommu_assign(other, name[2], 3));
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(&m->v, name[3]));
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(other, name[2], 3));
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(other, name[2]));
	/* An id is free again. */
	KUNIT_EXPECT_EQ(test, 0, kviommu_unassign(&m->v, name[0]));
	KUNIT_EXPECT_EQ(test, 0, kviommu_assign(&m->v, name[0], 1));

	/* A host that can't be asked */
	m->iommus[0].fail_alloc = 1;
	KUNIT_EXPECT_EQ(test, -ENOSPC, kviommu_assign(&m->v, name[2], 5));

	/* The driver of an assigned device goes. */
	kviommu_dev_unregister(d[1]->kdev);
	d[1]->kdev = NULL;
	KUNIT_EXPECT_TRUE(test, xa_empty(&other->endpoints));
	KUNIT_EXPECT_TRUE(test, list_empty(&other->groups));
	mock_exit(other);
}

static struct kunit_case state_cases[] = {
	KUNIT_CASE(state_group_of_two),
	KUNIT_CASE(state_not_touched),
	KUNIT_CASE(state_fails_closed),
	KUNIT_CASE(state_bypass_together),
	KUNIT_CASE(state_bypass_joined),
	KUNIT_CASE(state_broken),
	KUNIT_CASE(state_broken_memory),
	KUNIT_CASE(state_sharing),
	KUNIT_CASE(state_vmm),
	KUNIT_CASE(state_quiet),
	KUNIT_CASE(state_dirty),
	KUNIT_CASE(state_used_before),
	KUNIT_CASE(state_no_stop),
	KUNIT_CASE(state_no_stop_alone),
	KUNIT_CASE(state_try),
	KUNIT_CASE(state_other_vmm),
	KUNIT_CASE(state_assign_errors),
	{ }
};

static struct kunit_suite state_suite = {
	.name = "kviommu_state",
	.exit = state_exit,
	.test_cases = state_cases,
};

kunit_test_suite(state_suite);
