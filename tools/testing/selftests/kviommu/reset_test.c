// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of Documentation/reset.rst: each event that user space can bring about,
 * in each state, with real DMA before and after.
 */
#include "kviommu_harness.h"

#include <unistd.h>

#include "lib/vtd.h"

#define DID		5
#define LONG_MS		"60000"

struct machine {
	struct host host;
	struct vmm vmm;
	struct vtd vtd;
	bool is_vtd;
};

FIXTURE(reset)
{
	struct machine m;
};

FIXTURE_VARIANT(reset)
{
	const char *type;
};

FIXTURE_VARIANT_ADD(reset, virtio)
{
	KVIOMMU_VIRTIO,
};

FIXTURE_VARIANT_ADD(reset, vtd)
{
	KVIOMMU_VTD,
};

FIXTURE_SETUP(reset)
{
	struct machine *m = &self->m;

	SETUP_HOST_TYPE(&m->host, variant->type, 1);
	m->is_vtd = !strcmp(variant->type, KVIOMMU_VTD);
	vmm_init(&m->vmm, &m->host, NULL);
}

FIXTURE_TEARDOWN(reset)
{
	struct machine *m = &self->m;

	vmm_close(&m->vmm);
	TEARDOWN_HOST(&m->host);
}

/* ---- the guest ---- */

static int translate(struct machine *m)
{
	struct vtd *v = &m->vtd;
	u64 table;

	if (!m->is_vtd)
		return vmm_up(&m->vmm, VMM_MAPPED);
	table = vtd_page(v);
	vtd_map(v, table, DATA_IOVA, DATA_GPA, 12, VTD_R | VTD_W);
	vtd_map(v, table, OUT_IOVA, OUT_GPA, 12, VTD_R | VTD_W);
	vtd_context_translate(v, ENDPOINT(0), DID, table);
	return vtd_start(v);
}

static int guest_reset(struct machine *m)
{
	return m->is_vtd ? vtd_command(&m->vtd, 0, VTD_TE) :
			   virtio_reset(&m->vmm.v);
}

static int guest_driver(struct machine *m)
{
	return m->is_vtd ? vtd_command(&m->vtd, VTD_TE, 0) :
			   virtio_start(&m->vmm.v, VIOMMU_ALL_FEATURES,
					1024);
}

/* With VT-d the root pointer, which alone does nothing */
static int guest_policy(struct machine *m)
{
	return m->is_vtd ? vtd_set_root(&m->vtd) :
			   virtio_write(&m->vmm.v, VIRTIO_DEVICE_CFG +
					offsetof(struct virtio_iommu_config,
						 bypass), 0, 1);
}

/* ---- states ---- */

enum state { UNBOUND, BLOCKED, BYPASS, TRANSLATED, QUIESCING, NR_STATES };

static const char *const state_name[NR_STATES] = {
	"unbound", "blocked", "bypass", "translated", "quiescing",
};

/* A new VMM, whose endpoint masters the bus, and its guest */
static int enter(struct machine *m, enum state to, const char *quiesce_ms)
{
	struct vmm *vmm = &m->vmm;
	bool translated = to == BLOCKED || to >= TRANSLATED;
	int rc;

	vmm_close(vmm);
	rc = mdev_set(&m->host.mdev, "quiesce_ms",
		      to == BLOCKED ? "0" : quiesce_ms) ?:
	     vmm_up(vmm, m->is_vtd ? VMM_BUS_MASTER : VMM_DRIVER_OK);
	if (!rc && m->is_vtd)
		vtd_init(&m->vtd, &vmm->viommu, vmm->ram, RAM_GPA, false);
	if (!rc && translated)
		rc = translate(m);
	if (!rc && translated && to != TRANSLATED)
		rc = guest_reset(m);
	if (!rc && to == UNBOUND)
		vmm_close_endpoints(vmm);
	return rc ?: mdev_set(&m->host.mdev, "quiesce_ms", quiesce_ms);
}

#define EXPECT_STATE(m, state) do {					\
	char is[32] = "";						\
									\
	EXPECT_EQ(0, mdev_endpoint_state(&(m)->host.mdev, ENDPOINT(0),	\
					 is, sizeof(is)));		\
	EXPECT_STREQ(state_name[state], is);				\
} while (0)

/* Is it what it says it is? */
#define EXPECT_REACHES(m, state) do {					\
	if ((state) == UNBOUND)						\
		break;							\
	EXPECT_EQ(0, vfio_bus_master(&(m)->vmm.edu[0].dev, true));	\
	EXPECT_WRITES((state) >= TRANSLATED, &(m)->vmm, 0, DATA_IOVA,	\
		      DATA_GPA);					\
	EXPECT_WRITES((state) == BYPASS, &(m)->vmm, 0, DATA_GPA,	\
		      DATA_GPA);					\
} while (0)

/* ---- events ---- */

static int system_reset(struct machine *m)
{
	return vfio_reset(&m->vmm.viommu);
}

static int deadline(struct machine *m)
{
	(void)m;
	sleep_ms(3000);
	return 0;
}

static int memory(struct machine *m)
{
	return vfio_detach(&m->vmm.viommu);
}

static int closed(struct machine *m)
{
	vmm_close_viommu(&m->vmm);
	return 0;
}

static int master_off(struct machine *m)
{
	return vfio_bus_master(&m->vmm.edu[0].dev, false);
}

/* edu has no reset of its own; an admin knows better. */
static int assume_reset(struct machine *m)
{
	return mdev_assume_reset(&m->host.mdev, m->host.bdf[0]);
}

static int detached(struct machine *m)
{
	return vfio_detach(&m->vmm.edu[0].dev);
}

static int endpoint_closed(struct machine *m)
{
	vmm_close_endpoints(&m->vmm);
	return 0;
}

static int refused(struct machine *m)
{
	int rc = mdev_unassign(&m->host.mdev, m->host.bdf[0]);

	return rc == -EBUSY ? 0 : -EPROTO;
}

/* What cannot be, or has no meaning */
#define NEVER	NR_STATES

struct row {
	const char *event;
	int (*happen)(struct machine *m);
	const char *quiesce_ms;
	enum state then[NR_STATES];		/* by the state before */
	enum state then_vtd[NR_STATES];
};

#define BOTH(...)	{ __VA_ARGS__ }, { __VA_ARGS__ }

/* Blocked is: since it was translated, and was not reset */
static const struct row rows[] = {
	{ "system_reset", system_reset, LONG_MS,
	  BOTH(UNBOUND, BLOCKED, BYPASS, QUIESCING, QUIESCING) },
	{ "guest_reset", guest_reset, LONG_MS,
	  BOTH(UNBOUND, BLOCKED, BYPASS, QUIESCING, QUIESCING) },
	/* Its tables are there already, or there are none */
	{ "guest_driver, guest_enable", guest_driver, LONG_MS,
	  { UNBOUND, BLOCKED, BYPASS, BLOCKED, BLOCKED },
	  { UNBOUND, TRANSLATED, NEVER, TRANSLATED, TRANSLATED } },
	{ "guest_policy", guest_policy, LONG_MS,
	  { UNBOUND, BLOCKED, BLOCKED, TRANSLATED, QUIESCING },
	  { UNBOUND, BLOCKED, BYPASS, TRANSLATED, QUIESCING } },
	{ "deadline", deadline, "1000",
	  BOTH(NEVER, NEVER, NEVER, TRANSLATED, BLOCKED) },
	{ "memory", memory, LONG_MS,
	  BOTH(UNBOUND, BLOCKED, BLOCKED, BLOCKED, BLOCKED) },
	{ "closed", closed, LONG_MS,
	  BOTH(UNBOUND, BLOCKED, BLOCKED, BLOCKED, BLOCKED) },
	{ "endpoint_master_off", master_off, LONG_MS,
	  BOTH(NEVER, BLOCKED, BYPASS, TRANSLATED, BLOCKED) },
	{ "endpoint_reset", assume_reset, LONG_MS,
	  BOTH(UNBOUND, BYPASS, BYPASS, TRANSLATED, BYPASS) },
	{ "endpoint_detached", detached, LONG_MS,
	  BOTH(NEVER, BLOCKED, BLOCKED, BLOCKED, BLOCKED) },
	{ "endpoint_closed", endpoint_closed, LONG_MS,
	  BOTH(NEVER, UNBOUND, UNBOUND, UNBOUND, UNBOUND) },
	{ "endpoint_removed", refused, LONG_MS,
	  BOTH(NEVER, BLOCKED, BYPASS, TRANSLATED, QUIESCING) },
};

TEST_F_TIMEOUT(reset, table, 900)
{
	struct machine *m = &self->m;
	const struct row *row;
	enum state from, then;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		for (from = 0; from < NR_STATES; from++) {
			then = m->is_vtd ? row->then_vtd[from] :
					   row->then[from];
			if (then == NEVER)
				continue;
			ASSERT_EQ(0, enter(m, from, row->quiesce_ms))
				TH_LOG("no way to %s", state_name[from]);
			EXPECT_STATE(m, from);
			ASSERT_EQ(0, row->happen(m))
				TH_LOG("%s: %s", state_name[from], row->event);
			EXPECT_STATE(m, then);
			EXPECT_REACHES(m, then);
			if (_metadata->exit_code) {
				TH_LOG("in %s: %s", state_name[from], row->event);
				return;
			}
		}
	}
}

/*
 * A device that can be reset on its own is quiet after it, and one that can't be,
 * is not. Either order of both resets does.
 */
TEST_F(reset, endpoint_reset)
{
	struct machine *m = &self->m;
	enum state from;
	int rc;

	for (from = TRANSLATED; from <= QUIESCING; from++) {
		ASSERT_EQ(0, enter(m, from, LONG_MS));
		rc = vfio_reset(&m->vmm.edu[0].dev);
		ASSERT_EQ(0, system_reset(m));
		EXPECT_STATE(m, rc ? QUIESCING : BYPASS);
		EXPECT_REACHES(m, rc ? QUIESCING : BYPASS);
	}
}

/* ---- phases ---- */

#define COUNT(m, name)	mdev_counter(&(m)->host.mdev, name)

TEST_F(reset, phases)
{
	struct machine *m = &self->m;

	ASSERT_EQ(0, enter(m, TRANSLATED, LONG_MS));
	/* virtio's driver begins with a reset */
	long long resets = COUNT(m, "reset_enter");

	EXPECT_EQ(resets, COUNT(m, "reset_exit"));
	EXPECT_EQ(0, COUNT(m, "reset_hold"));
	ASSERT_EQ(0, system_reset(m));
	EXPECT_EQ(resets + 1, COUNT(m, "reset_enter"));
	EXPECT_EQ(resets, COUNT(m, "reset_exit"));
	sleep_ms(200);
	ASSERT_EQ(0, master_off(m));
	EXPECT_EQ(1, COUNT(m, "reset_hold"));
	EXPECT_LE(200 * 1000000LL, COUNT(m, "reset_hold_ns"));
	EXPECT_EQ(COUNT(m, "reset_hold_max_ns"), COUNT(m, "reset_hold_ns"));
	EXPECT_EQ(resets + 1, COUNT(m, "reset_exit"));
	/* It is quiet, so nothing is waited for */
	ASSERT_EQ(0, system_reset(m));
	EXPECT_EQ(1, COUNT(m, "reset_hold"));
	EXPECT_EQ(resets + 2, COUNT(m, "reset_exit"));
	EXPECT_EQ(2, COUNT(m, "event_system_reset"));
	EXPECT_EQ(0, COUNT(m, "mappings"));
}

/* A guest can't put the end off with one reset after the other */
TEST_F(reset, not_prolonged)
{
	struct machine *m = &self->m;

	ASSERT_EQ(0, enter(m, QUIESCING, "3000"));
	sleep_ms(2000);
	ASSERT_EQ(0, system_reset(m));
	EXPECT_STATE(m, QUIESCING);
	sleep_ms(2000);
	EXPECT_STATE(m, BLOCKED);
	EXPECT_REACHES(m, BLOCKED);
}

/* In bypass, and blocked after the reset: it keeps that as well */
TEST_F(reset, bypass_is_held)
{
	struct machine *m = &self->m;

	if (m->is_vtd)
		SKIP(return, "VT-d has no bypass that the VMM does not want");
	ASSERT_EQ(0, mdev_set(&m->host.mdev, "boot_bypass", "0"));
	ASSERT_EQ(0, enter(m, UNBOUND, LONG_MS));
	vmm_close(&m->vmm);
	ASSERT_UP(&m->vmm, VMM_DRIVER_OK);
	EXPECT_STATE(m, BLOCKED);
	ASSERT_EQ(0, virtio_write(&m->vmm.v, VIRTIO_DEVICE_CFG +
				  offsetof(struct virtio_iommu_config, bypass),
				  1, 1));
	EXPECT_STATE(m, BYPASS);
	ASSERT_EQ(0, system_reset(m));
	EXPECT_STATE(m, QUIESCING);
	EXPECT_WRITES(1, &m->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, master_off(m));
	EXPECT_STATE(m, BLOCKED);
	EXPECT_REACHES(m, BLOCKED);
}

TEST_HARNESS_MAIN
