// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of Documentation/reset.rst: each event that user space can bring about,
 * in each state, with real DMA before and after.
 */
#include "kviommu_harness.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "lib/machine.h"
#include "lib/nvme.h"

#define LONG_MS		"60000"

FIXTURE(reset)
{
	struct machine m;
};

FIXTURE_VARIANT(reset)
{
	enum model model;
};

FIXTURE_VARIANT_ADD(reset, virtio)
{
	VIRTIO,
};

FIXTURE_VARIANT_ADD(reset, vtd)
{
	VTD,
};

FIXTURE_VARIANT_ADD(reset, smmuv3)
{
	SMMUV3,
};

FIXTURE_SETUP(reset)
{
	struct machine *m = &self->m;

	m->model = variant->model;
	SETUP_HOST_TYPE(&m->host, model_type[m->model], 1);
	vmm_init(&m->vmm, &m->host, NULL);
}

FIXTURE_TEARDOWN(reset)
{
	struct machine *m = &self->m;

	vmm_close(&m->vmm);
	TEARDOWN_HOST(&m->host);
}

/* ---- the guest ---- */

static int set_bypass(struct machine *m, bool bypass)
{
	return m->model == SMMUV3 ? smmu_gbpa(&m->smmu, !bypass) :
				    virtio_write(&m->vmm.v, VIRTIO_DEVICE_CFG +
						 offsetof(struct virtio_iommu_config,
							  bypass), bypass, 1);
}

/* With VT-d the root pointer, which alone does nothing */
static int guest_policy(struct machine *m)
{
	return m->model == VTD ? vtd_set_root(&m->vtd) : set_bypass(m, false);
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
	     machine_up(m);
	if (!rc && translated)
		rc = machine_translate(m);
	if (!rc && translated && to != TRANSLATED)
		rc = machine_guest_reset(m);
	if (!rc && to == UNBOUND)
		vmm_close_endpoints(vmm);
	return rc ?: mdev_set(&m->host.mdev, "quiesce_ms", quiesce_ms);
}

#define EXPECT_STATE_OF(m, n, state) do {				\
	char is[32] = "";						\
									\
	EXPECT_EQ(0, mdev_endpoint_state(&(m)->host.mdev, ENDPOINT(n),	\
					 is, sizeof(is)));		\
	EXPECT_STREQ(state_name[state], is);				\
} while (0)

#define EXPECT_STATE(m, state)	EXPECT_STATE_OF(m, 0, state)

#define COUNT(m, name)	mdev_counter(&(m)->host.mdev, name)

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
	return mdev_counter_becomes(&m->host.mdev, "reset_hold", 1) ? 0 : -ETIMEDOUT;
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
	enum state then[NR_MODELS][NR_STATES];	/* by the state before */
};

#define ALL(...)	{ { __VA_ARGS__ }, { __VA_ARGS__ }, { __VA_ARGS__ } }

/* Blocked is: since it was translated, and was not reset */
static const struct row rows[] = {
	{ "system_reset", system_reset, LONG_MS,
	  ALL(UNBOUND, BLOCKED, BYPASS, QUIESCING, QUIESCING) },
	{ "guest_reset", machine_guest_reset, LONG_MS,
	  ALL(UNBOUND, BLOCKED, BYPASS, QUIESCING, QUIESCING) },
	/* Its tables are there already, or there are none */
	{ "guest_driver, guest_enable", machine_guest_driver, LONG_MS,
	  { { UNBOUND, BLOCKED, BYPASS, BLOCKED, BLOCKED },
	    { UNBOUND, TRANSLATED, NEVER, TRANSLATED, TRANSLATED },
	    { UNBOUND, TRANSLATED, NEVER, TRANSLATED, TRANSLATED } } },
	/* An SMMU that is off is told to abort. */
	{ "guest_policy, guest_abort", guest_policy, LONG_MS,
	  { { UNBOUND, BLOCKED, BLOCKED, TRANSLATED, QUIESCING },
	    { UNBOUND, BLOCKED, BYPASS, TRANSLATED, QUIESCING },
	    { UNBOUND, BLOCKED, BLOCKED, TRANSLATED, BLOCKED } } },
	/* Not before it is seen that there is a hold; without one, there is none */
	{ "deadline", deadline, "10000",
	  ALL(NEVER, NEVER, NEVER, NEVER, BLOCKED) },
	{ "memory", memory, LONG_MS,
	  ALL(UNBOUND, BLOCKED, BLOCKED, BLOCKED, BLOCKED) },
	{ "closed", closed, LONG_MS,
	  ALL(UNBOUND, BLOCKED, BLOCKED, BLOCKED, BLOCKED) },
	{ "endpoint_master_off", master_off, LONG_MS,
	  ALL(NEVER, BLOCKED, BYPASS, TRANSLATED, BLOCKED) },
	{ "endpoint_reset", assume_reset, LONG_MS,
	  ALL(UNBOUND, BYPASS, BYPASS, TRANSLATED, BYPASS) },
	{ "endpoint_detached", detached, LONG_MS,
	  ALL(NEVER, BLOCKED, BLOCKED, BLOCKED, BLOCKED) },
	{ "endpoint_closed", endpoint_closed, LONG_MS,
	  ALL(NEVER, UNBOUND, UNBOUND, UNBOUND, UNBOUND) },
	{ "endpoint_removed", refused, LONG_MS,
	  ALL(NEVER, BLOCKED, BYPASS, TRANSLATED, QUIESCING) },
};

TEST_F_TIMEOUT(reset, table, 900)
{
	struct machine *m = &self->m;
	const struct row *row;
	enum state from, then;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		for (from = 0; from < NR_STATES; from++) {
			then = row->then[m->model][from];
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

/* The driver goes in a hold: that waits for the VMM, and the hold goes on */
TEST_F(reset, driver_unbound)
{
	struct machine *m = &self->m;
	const char *bdf = m->host.bdf[0];
	char state[32];
	int status;
	pid_t pid;

	ASSERT_EQ(0, enter(m, QUIESCING, LONG_MS));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Only the VMM keeps it open. */
		vmm_close(&m->vmm);
		_exit(!!pci_set_driver(bdf, NULL));
	}
	sleep_ms(500);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	EXPECT_STATE(m, QUIESCING);
	EXPECT_WRITES(1, &m->vmm, 0, DATA_IOVA, DATA_GPA);
	vmm_close_endpoints(&m->vmm);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_NE(0, mdev_endpoint_state(&m->host.mdev, ENDPOINT(0), state,
					 sizeof(state)));
	EXPECT_EQ(0, COUNT(m, "mappings"));
}

/* ---- a device that can be reset ---- */

#define EXPRESS_CTL	8
#define EXPRESS_FLR	0x8000

FIXTURE(nvme)
{
	struct machine m;
	struct vfio_dev dev;
};

FIXTURE_SETUP(nvme)
{
	struct machine *m = &self->m;
	char bdf[1][BDF_LEN];
	int rc;

	self->dev.fd = -1;
	SETUP_HOST(&m->host, 1);
	rc = nvme_assign(&m->host, ENDPOINT(1), bdf);
	if (rc == -ENODEV)
		SKIP(return, "needs QEMU's NVMe disk");
	ASSERT_EQ(0, rc);
	ASSERT_EQ(0, mdev_set(&m->host.mdev, "quiesce_ms", LONG_MS));
	vmm_init(&m->vmm, &m->host, NULL);
	ASSERT_UP(&m->vmm, VMM_DRIVER_OK);
	ASSERT_EQ(0, vmm_add_device(&m->vmm, &self->dev, bdf[0]));
}

FIXTURE_TEARDOWN(nvme)
{
	vfio_close(&self->dev);
	vmm_close(&self->m.vmm);
	TEARDOWN_HOST(&self->m.host);
}

#define EXPECT_NVME(self, state)	EXPECT_STATE_OF(&(self)->m, 1, state)

/* Translated, and mastering the bus; then its vIOMMU is reset by its guest */
#define HOLD_NVME(self) do {						\
	struct virtio_dev *hold_v = &(self)->m.vmm.v;			\
									\
	ASSERT_EQ(0, virtio_start(hold_v, VIOMMU_ALL_FEATURES, 1024));	\
	ASSERT_EQ(0, viommu_attach(hold_v, DOMAIN, ENDPOINT(1), 0));	\
	ASSERT_EQ(0, vfio_bus_master(&(self)->dev, true));		\
	EXPECT_NVME(self, TRANSLATED);					\
	ASSERT_EQ(0, virtio_reset(hold_v));				\
	EXPECT_NVME(self, QUIESCING);					\
} while (0)

static int command(struct vfio_dev *dev)
{
	u16 cmd;

	return vfio_config_read(dev, PCI_COMMAND, &cmd, sizeof(cmd)) ?: cmd;
}

static int guest_flr(struct vfio_dev *dev)
{
	u8 at, cap[2];
	u16 ctl;
	int rc;

	rc = vfio_config_read(dev, PCI_CAPABILITY_LIST, &at, 1);
	while (!rc && at) {
		rc = vfio_config_read(dev, at, cap, sizeof(cap));
		if (!rc && cap[0] == PCI_CAP_ID_EXP)
			break;
		at = cap[1];
	}
	if (rc || !at)
		return rc ?: -ENOENT;
	rc = vfio_config_read(dev, at + EXPRESS_CTL, &ctl, sizeof(ctl));
	ctl |= EXPRESS_FLR;
	return rc ?: vfio_config_write(dev, at + EXPRESS_CTL, &ctl, sizeof(ctl));
}

TEST_F(nvme, reset_ends_the_hold)
{
	HOLD_NVME(self);
	ASSERT_EQ(0, vfio_reset(&self->dev));
	EXPECT_NVME(self, BYPASS);
	EXPECT_EQ(0, command(&self->dev) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, vfio_bus_master(&self->dev, true));
	EXPECT_NVME(self, BYPASS);
}

TEST_F(nvme, function_level_reset_ends_the_hold)
{
	HOLD_NVME(self);
	ASSERT_EQ(0, guest_flr(&self->dev));
	EXPECT_NVME(self, BYPASS);
	EXPECT_EQ(0, command(&self->dev) & PCI_COMMAND_MASTER);
}

/* It is not waited for, but goes on where it was when bus mastering is on again */
TEST_F(nvme, quiet_is_not_reset)
{
	HOLD_NVME(self);
	ASSERT_EQ(0, vfio_bus_master(&self->dev, false));
	EXPECT_NVME(self, BLOCKED);
	ASSERT_EQ(0, vfio_bus_master(&self->dev, true));
	EXPECT_NVME(self, BLOCKED);
	/* The next driver need not reset it, unless it wants bypass */
	ASSERT_EQ(0, virtio_start(&self->m.vmm.v, VIOMMU_ALL_FEATURES, 1024));
	EXPECT_EQ(VIRTIO_IOMMU_S_DEVERR,
		  viommu_attach(&self->m.vmm.v, DOMAIN + 1, ENDPOINT(1),
				VIRTIO_IOMMU_ATTACH_F_BYPASS));
	ASSERT_EQ(0, viommu_attach(&self->m.vmm.v, DOMAIN, ENDPOINT(1), 0));
	EXPECT_NVME(self, TRANSLATED);
	ASSERT_EQ(0, guest_flr(&self->dev));
	EXPECT_NVME(self, TRANSLATED);
	EXPECT_EQ(0, viommu_attach(&self->m.vmm.v, DOMAIN + 1, ENDPOINT(1),
				   VIRTIO_IOMMU_ATTACH_F_BYPASS));
	EXPECT_NVME(self, BYPASS);
}

/* As VMMs do that reset the device first */
TEST_F(nvme, reset_before_its_viommu)
{
	struct virtio_dev *v = &self->m.vmm.v;

	ASSERT_EQ(0, viommu_attach(v, DOMAIN, ENDPOINT(1), 0));
	ASSERT_EQ(0, vfio_bus_master(&self->dev, true));
	ASSERT_EQ(0, vfio_reset(&self->dev));
	EXPECT_NVME(self, TRANSLATED);
	ASSERT_EQ(0, system_reset(&self->m));
	EXPECT_NVME(self, BYPASS);
}

/* Detached while it still does DMA, and attached again after a reset of the vIOMMU */
TEST_F(nvme, detached)
{
	struct virtio_dev *v = &self->m.vmm.v;

	ASSERT_EQ(0, viommu_attach(v, DOMAIN, ENDPOINT(1), 0));
	ASSERT_EQ(0, vfio_bus_master(&self->dev, true));
	ASSERT_EQ(0, vfio_detach(&self->dev));
	ASSERT_EQ(0, system_reset(&self->m));
	ASSERT_EQ(0, vfio_attach(&self->dev, self->m.vmm.hwpt));
	EXPECT_NVME(self, BLOCKED);
	ASSERT_EQ(0, vfio_reset(&self->dev));
	EXPECT_NVME(self, BYPASS);
}

#define FREEZE_TIMEOUT	"/sys/power/pm_freeze_timeout"

/* The host sleeps: no hold is left when its VMM is stopped, and so can't end one */
TEST_F_TIMEOUT(nvme, host_suspends, 600)
{
	char timeout_ms[32];
	int rc;

	if (!path_exists("/sys/power/pm_test"))
		SKIP(return, "needs CONFIG_SUSPEND and CONFIG_PM_DEBUG");
	HOLD_NVME(self);
	/* It is given up after 20 s if a task has not stopped by then. */
	ASSERT_LT(0, file_read(FREEZE_TIMEOUT, timeout_ms, sizeof(timeout_ms)));
	/* As far as that, and back after some seconds */
	ASSERT_EQ(0, file_write("/sys/power/pm_test", "freezer"));
	EXPECT_EQ(0, file_write(FREEZE_TIMEOUT, "240000"));
	rc = file_write("/sys/power/state", "freeze");
	EXPECT_EQ(0, file_write("/sys/power/pm_test", "none"));
	EXPECT_EQ(0, file_write(FREEZE_TIMEOUT, timeout_ms));
	ASSERT_EQ(0, rc);
	EXPECT_NVME(self, BLOCKED);
	EXPECT_EQ(1, COUNT(&self->m, "event_suspend"));
	ASSERT_EQ(0, vfio_reset(&self->dev));
	EXPECT_NVME(self, BYPASS);
}

/* ---- two that can only be reset together ---- */

FIXTURE(pair)
{
	struct machine m;
	int log;
};

FIXTURE_SETUP(pair)
{
	struct machine *m = &self->m;
	int rc = host_setup_pair(&m->host, KVIOMMU_VIRTIO);

	if (rc == -ENODEV)
		SKIP(return, "%s", m->host.why);
	ASSERT_EQ(0, rc) TH_LOG("%s", m->host.why);
	ASSERT_EQ(0, mdev_set(&m->host.mdev, "quiesce_ms", LONG_MS));
	vmm_init(&m->vmm, &m->host, NULL);
	self->log = kmsg_open();
	ASSERT_LE(0, self->log);
	ASSERT_UP(&m->vmm, VMM_MAPPED);
}

FIXTURE_TEARDOWN(pair)
{
	if (self->log >= 0)
		close(self->log);
	vmm_close(&self->m.vmm);
	TEARDOWN_HOST(&self->m.host);
}

#define EXPECT_PAIR(m, state) do {					\
	EXPECT_STATE_OF(m, 0, state);					\
	EXPECT_STATE_OF(m, 1, state);					\
} while (0)

#define EXPECT_PAIR_WRITES(expected, m, iova) do {			\
	EXPECT_WRITES(expected, &(m)->vmm, 0, iova, DATA_GPA);		\
	EXPECT_WRITES(expected, &(m)->vmm, 1, iova, DATA_GPA);		\
} while (0)

#define EXPECT_PAIR_MASTERS(m, expected) do {				\
	EXPECT_EQ(expected, command(&(m)->vmm.edu[0].dev) &		\
			    PCI_COMMAND_MASTER);			\
	EXPECT_EQ(expected, command(&(m)->vmm.edu[1].dev) &		\
			    PCI_COMMAND_MASTER);			\
} while (0)

#define ASSERT_PAIR_MASTERS(m) do {					\
	ASSERT_EQ(0, vfio_bus_master(&(m)->vmm.edu[0].dev, true));	\
	ASSERT_EQ(0, vfio_bus_master(&(m)->vmm.edu[1].dev, true));	\
} while (0)

#define EXPECT_NO_HOST_FAULT(self)					\
	EXPECT_EQ(false, kmsg_says((self)->log, "handling fault status"))

/* The one that the VMM resets, and the other one */
TEST_F(pair, hot_reset_ends_the_hold)
{
	struct machine *m = &self->m;
	long long resets = COUNT(m, "event_endpoint_reset");

	EXPECT_PAIR_WRITES(1, m, DATA_IOVA);
	ASSERT_EQ(0, system_reset(m));
	EXPECT_PAIR(m, QUIESCING);
	/* Neither can be reset on its own */
	EXPECT_NE(0, vfio_reset(&m->vmm.edu[0].dev));
	EXPECT_PAIR(m, QUIESCING);
	EXPECT_PAIR_WRITES(1, m, DATA_IOVA);
	ASSERT_EQ(0, vfio_hot_reset(&m->vmm.edu[1].dev));
	EXPECT_PAIR(m, BYPASS);
	EXPECT_PAIR_MASTERS(m, 0);
	EXPECT_EQ(resets + 2, COUNT(m, "event_endpoint_reset"));
	EXPECT_EQ(1, COUNT(m, "reset_hold"));
	EXPECT_EQ(0, COUNT(m, "mappings"));
	ASSERT_PAIR_MASTERS(m);
	EXPECT_PAIR(m, BYPASS);
	EXPECT_PAIR_WRITES(1, m, DATA_GPA);
	EXPECT_NO_HOST_FAULT(self);
	EXPECT_PAIR_WRITES(0, m, DATA_IOVA);
}

/* As VMMs do that reset devices first */
TEST_F(pair, hot_reset_before_their_viommu)
{
	struct machine *m = &self->m;

	ASSERT_EQ(0, vfio_hot_reset(&m->vmm.edu[0].dev));
	EXPECT_PAIR(m, TRANSLATED);
	EXPECT_PAIR_MASTERS(m, 0);
	ASSERT_EQ(0, system_reset(m));
	EXPECT_PAIR(m, BYPASS);
	EXPECT_EQ(0, COUNT(m, "reset_hold"));
	ASSERT_PAIR_MASTERS(m);
	EXPECT_PAIR_WRITES(1, m, DATA_GPA);
	EXPECT_NO_HOST_FAULT(self);
}

static int open_again(struct machine *m, int n)
{
	return vmm_add_device(&m->vmm, &m->vmm.edu[n].dev, m->host.bdf[n]);
}

/* VFIO resets them when the last one is closed; until then, what was closed is dirty */
TEST_F(pair, closed)
{
	struct machine *m = &self->m;

	edu_close(&m->vmm.edu[0]);
	ASSERT_EQ(0, viommu_detach(&m->vmm.v, DOMAIN, ENDPOINT(1)));
	EXPECT_STATE_OF(m, 1, BYPASS);
	ASSERT_EQ(0, open_again(m, 0));
	EXPECT_PAIR(m, BLOCKED);
	vmm_close_endpoints(&m->vmm);
	ASSERT_EQ(0, open_again(m, 0));
	ASSERT_EQ(0, open_again(m, 1));
	EXPECT_PAIR(m, BYPASS);
	EXPECT_NO_HOST_FAULT(self);
}

/* ---- functions of one device, behind two vIOMMUs ---- */

FIXTURE(siblings)
{
	struct machine m[2];
};

/* No edu, so there are no registers to map */
static int drive_function(struct vmm *vmm)
{
	struct vfio_dev *dev = &vmm->edu[0].dev;
	int rc = vmm_up(vmm, VMM_ENDPOINT_ATTACH) ?: vfio_query_regions(dev) ?:
		 vfio_bus_master(dev, true);

	vmm->next = VMM_DRIVER_OK;
	return rc ?: vmm_up(vmm, VMM_MAPPED);
}

FIXTURE_SETUP(siblings)
{
	struct machine *m = self->m;
	int i, rc = host_setup_functions(&m[0].host, KVIOMMU_VIRTIO);

	if (rc == -ENODEV)
		SKIP(return, "%s", m[0].host.why);
	ASSERT_EQ(0, rc) TH_LOG("%s", m[0].host.why);
	ASSERT_EQ(0, host_split(&m[0].host, &m[1].host))
		TH_LOG("%s and %s: are they in one IOMMU group?",
		       m[0].host.bdf[0], m[0].host.bdf[1]);
	vmm_init(&m[0].vmm, &m[0].host, NULL);
	vmm_init(&m[1].vmm, &m[1].host, NULL);
	/* Who resets both has to have both open, in one iommufd. */
	ASSERT_UP(&m[0].vmm, VMM_IOMMUFD);
	m[1].vmm.iommufd = dup(m[0].vmm.iommufd);
	ASSERT_LE(0, m[1].vmm.iommufd);
	m[1].vmm.next = VMM_IOAS;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mdev_set(&m[i].host.mdev, "quiesce_ms", LONG_MS));
		ASSERT_EQ(0, drive_function(&m[i].vmm));
		EXPECT_STATE(&m[i], TRANSLATED);
	}
}

FIXTURE_TEARDOWN(siblings)
{
	struct machine *m = self->m;

	vmm_close(&m[1].vmm);
	vmm_close(&m[0].vmm);
	TEARDOWN_HOST(&m[1].host);
	TEARDOWN_HOST(&m[0].host);
}

#define EXPECT_HELD(m) do {						\
	EXPECT_EQ(0, system_reset(m));					\
	EXPECT_STATE(m, QUIESCING);					\
	EXPECT_EQ(0, COUNT(m, "reset_hold"));				\
} while (0)

#define EXPECT_HOLD_ENDED(m) do {					\
	EXPECT_STATE(m, BYPASS);					\
	EXPECT_EQ(1, COUNT(m, "reset_hold"));				\
	EXPECT_EQ(0, COUNT(m, "mappings"));				\
} while (0)

/* One alone ends the hold of its vIOMMU, and of no other */
TEST_F(siblings, reset)
{
	struct machine *m = self->m;

	EXPECT_HELD(&m[0]);
	EXPECT_HELD(&m[1]);
	ASSERT_EQ(0, vfio_reset(&m[0].vmm.edu[0].dev));
	EXPECT_HOLD_ENDED(&m[0]);
	EXPECT_STATE(&m[1], QUIESCING);
	EXPECT_EQ(0, COUNT(&m[1], "reset_hold"));
	EXPECT_EQ(PCI_COMMAND_MASTER,
		  command(&m[1].vmm.edu[0].dev) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, vfio_reset(&m[1].vmm.edu[0].dev));
	EXPECT_HOLD_ENDED(&m[1]);
}

/* Both: the vIOMMU of the other function has not been told by its VMM. */
TEST_F(siblings, hot_reset)
{
	struct machine *m = self->m;
	int i;

	EXPECT_HELD(&m[0]);
	EXPECT_HELD(&m[1]);
	ASSERT_EQ(0, vfio_hot_reset(&m[0].vmm.edu[0].dev));
	for (i = 0; i < 2; i++) {
		EXPECT_HOLD_ENDED(&m[i]);
		EXPECT_EQ(0, command(&m[i].vmm.edu[0].dev) & PCI_COMMAND_MASTER);
		ASSERT_EQ(0, vfio_bus_master(&m[i].vmm.edu[0].dev, true));
		EXPECT_STATE(&m[i], BYPASS);
	}
}

/* The guest of the other one goes on: it keeps what it has mapped. */
TEST_F(siblings, hot_reset_of_translated)
{
	struct machine *m = self->m;
	long long mappings = COUNT(&m[1], "mappings");

	EXPECT_LT(0, mappings);
	EXPECT_HELD(&m[0]);
	ASSERT_EQ(0, vfio_hot_reset(&m[0].vmm.edu[0].dev));
	EXPECT_HOLD_ENDED(&m[0]);
	EXPECT_STATE(&m[1], TRANSLATED);
	EXPECT_EQ(mappings, COUNT(&m[1], "mappings"));
	EXPECT_EQ(0, command(&m[1].vmm.edu[0].dev) & PCI_COMMAND_MASTER);
}

/* ---- phases ---- */

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

	ASSERT_EQ(0, enter(m, QUIESCING, "10000"));
	/* A hold that begins anew would be this long. */
	ASSERT_EQ(0, mdev_set(&m->host.mdev, "quiesce_ms", "600000"));
	ASSERT_EQ(0, system_reset(m));
	EXPECT_STATE(m, QUIESCING);
	ASSERT_EQ(0, deadline(m));
	EXPECT_STATE(m, BLOCKED);
	EXPECT_REACHES(m, BLOCKED);
}

/* In bypass, and blocked after the reset: it keeps that as well */
TEST_F(reset, bypass_is_held)
{
	struct machine *m = &self->m;

	if (m->model == VTD)
		SKIP(return, "VT-d has no bypass that the VMM does not want");
	ASSERT_EQ(0, mdev_set(&m->host.mdev, "boot_bypass", "0"));
	ASSERT_EQ(0, enter(m, BYPASS, LONG_MS));
	EXPECT_STATE(m, BLOCKED);
	ASSERT_EQ(0, set_bypass(m, true));
	EXPECT_STATE(m, BYPASS);
	ASSERT_EQ(0, system_reset(m));
	EXPECT_STATE(m, QUIESCING);
	EXPECT_WRITES(1, &m->vmm, 0, DATA_GPA, DATA_GPA);
	ASSERT_EQ(0, master_off(m));
	EXPECT_STATE(m, BLOCKED);
	EXPECT_REACHES(m, BLOCKED);
}

TEST_HARNESS_MAIN
