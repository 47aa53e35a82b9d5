// SPDX-License-Identifier: GPL-2.0-only
/*
 * The administrator's side: attributes of the mdev, what they refuse and with
 * which errno, who may claim a device, and removal in every state.
 */
#include "kviommu_harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

FIXTURE(sysfs)
{
	struct host host;
	struct vmm vmm;
	struct mdev other;
	int kmsg;
};

FIXTURE_SETUP(sysfs)
{
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

/* A line that says why a device can't be assigned, and which other one or whose */
#define EXPECT_SAID(self, ...) do {					\
	char said[160];							\
									\
	snprintf(said, sizeof(said), __VA_ARGS__);			\
	EXPECT_EQ(true, kmsg_says((self)->kmsg, said))			\
		TH_LOG("not in the log: %s", said);			\
} while (0)

FIXTURE_TEARDOWN(sysfs)
{
	vmm_close(&self->vmm);
	mdev_remove(&self->other);
	close(self->kmsg);
	TEARDOWN_HOST(&self->host);
}

struct attr_case {
	const char *name;
	const char *initial;
	const char *good[4];
	const char *bad[8];
	bool while_open;	/* may change while a VMM has it open */
};

static const struct attr_case attrs[] = {
	{ "boot_bypass", "1", { "0", "1" }, { "2", "-1", "x", "", "0 1" } },
	{ "address_width", NULL, { "32", "39", "0" },
	  { "31", "65", "-1", "x", "", "4294967328" } },
	{ "pin", "cache", { "demand", "cache" },
	  { "x", "", "cache demand", "cachex", "1" } },
	{ "poll_us", NULL, { "0", "10000", "50" },
	  { "10001", "-1", "x", "", "1 2", "4294967296" }, true },
	{ "batch", NULL, { "1", "1024", "64" },
	  { "0", "1025", "-1", "x", "", "4294967297" }, true },
	{ "quiesce_ms", "30000", { "0", "600000", "30000" },
	  { "600001", "-1", "x", "", "1 2" }, true },
	{ "max_domains", "65536", { "1", "65536" }, { "-1", "x", "" } },
	{ "max_mappings", "1048576", { "1", "1048576" }, { "-1", "x", "" } },
};

TEST_F(sysfs, attributes)
{
	char value[128];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		const struct attr_case *a = &attrs[i];

		ASSERT_EQ(0, mdev_get(&self->host.mdev, a->name, value,
				      sizeof(value)))
			TH_LOG("reading %s", a->name);
		if (a->initial)
			EXPECT_STREQ(a->initial, value)
				TH_LOG("default of %s", a->name);
		for (j = 0; j < ARRAY_SIZE(a->good) && a->good[j]; j++) {
			EXPECT_EQ(0, mdev_set(&self->host.mdev, a->name,
					      a->good[j]))
				TH_LOG("%s = %s", a->name, a->good[j]);
			mdev_get(&self->host.mdev, a->name, value,
				 sizeof(value));
			/* Width 0 reads back what the host gives */
			if (strcmp(a->name, "address_width") ||
			    strcmp(a->good[j], "0"))
				EXPECT_STREQ(a->good[j], value)
					TH_LOG("%s read back", a->name);
		}
		for (j = 0; j < ARRAY_SIZE(a->bad) && a->bad[j]; j++) {
			char after[128];
			int rc;

			/* An empty write(2) does not reach sysfs */
			rc = mdev_set(&self->host.mdev, a->name,
				      a->bad[j][0] ? a->bad[j] : "\n");
			EXPECT_EQ(-EINVAL, rc)
				TH_LOG("%s = \"%s\"", a->name, a->bad[j]);
			snprintf(after, sizeof(after),
				 "cannot set %s: it wants", a->name);
			EXPECT_EQ(true, kmsg_says(self->kmsg, after))
				TH_LOG("%s = \"%s\": no line in the log",
				       a->name, a->bad[j]);
			mdev_get(&self->host.mdev, a->name, after,
				 sizeof(after));
			EXPECT_STREQ(value, after)
				TH_LOG("%s changed by \"%s\"", a->name,
				       a->bad[j]);
		}
	}
}

TEST_F(sysfs, busy_while_open)
{
	size_t i;

	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	for (i = 0; i < ARRAY_SIZE(attrs); i++)
		EXPECT_EQ(attrs[i].while_open ? 0 : -EBUSY,
			  mdev_set(&self->host.mdev, attrs[i].name,
				   attrs[i].good[0]))
			TH_LOG("%s while a VMM has it open", attrs[i].name);
	vmm_close(&self->vmm);
	for (i = 0; i < ARRAY_SIZE(attrs); i++)
		EXPECT_EQ(0, mdev_set(&self->host.mdev, attrs[i].name,
				      attrs[i].good[0]))
			TH_LOG("%s after the VMM is gone", attrs[i].name);
}

/* What an administrator got wrong is said in one line that helps */
TEST_F(sysfs, log_lines)
{
	const char *bdf = self->host.bdf[0];
	struct vmm *vmm = &self->vmm;

	EXPECT_EQ(-EINVAL, mdev_assign(&self->host.mdev, "x", "0x28"));
	EXPECT_EQ(true, kmsg_says(self->kmsg, "assign wants \"HOST-BDF ENDPOINT\""));
	EXPECT_EQ(-ENODEV, mdev_assign(&self->host.mdev, "0000:7f:00.0", "1"));
	EXPECT_EQ(true, kmsg_says(self->kmsg, "driverctl"));
	EXPECT_EQ(-EINVAL, mdev_assign(&self->host.mdev, "platform/", "0x28"));
	EXPECT_EQ(-ENODEV, mdev_assign(&self->host.mdev, "platform/none.0", "0x28"));
	EXPECT_EQ(true, kmsg_says(self->kmsg, "cannot assign platform/none.0"));
	EXPECT_EQ(-ENODEV, mdev_unassign(&self->host.mdev, "platform/none.0"));
	EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf, "0x99"));
	EXPECT_EQ(true, kmsg_says(self->kmsg, bdf));
	ASSERT_UP(vmm, VMM_ENDPOINT_BIND);
	EXPECT_EQ(-EBUSY, mdev_set(&self->host.mdev, "pin", "demand"));
	EXPECT_EQ(true, kmsg_says(self->kmsg, "cannot set pin while a VMM has"));
	EXPECT_EQ(-EBUSY, mdev_unassign(&self->host.mdev, bdf));
	EXPECT_EQ(true, kmsg_says(self->kmsg, "a VMM has it open"));
	vmm_close(vmm);
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf));
	vmm->next = VMM_IOMMUFD;
	ASSERT_EQ(0, vmm_up(vmm, VMM_MEMORY));
	vmm->next = VMM_ENDPOINT_OPEN;
	ASSERT_EQ(0, vmm_up(vmm, VMM_ENDPOINT_BIND));
	EXPECT_EQ(-ENODEV, vmm_up(vmm, VMM_ENDPOINT_ATTACH));
	EXPECT_EQ(true, kmsg_says(self->kmsg, "not assigned to a vIOMMU"));
}

#define TRACING "/sys/kernel/tracing/"

TEST_F(sysfs, tracepoints)
{
	static const char *const lines[] = {
		"kviommu_virtio_status: ", "kviommu_request: ", "attach: ok",
		"kviommu_map: ", "kviommu_unmap: ", "kviommu_state: ",
		"endpoint 0x28 ", " -> translated", "0x40000000-0x40000fff",
	};
	static char trace[1 << 20];
	size_t i;

	ASSERT_EQ(0, file_write(TRACING "events/kviommu/enable", "1"));
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_EQ(0, viommu_unmap(&self->vmm.v, DOMAIN, DATA_IOVA, PAGE));
	file_write(TRACING "events/kviommu/enable", "0");
	ASSERT_LT(0, file_read(TRACING "trace", trace, sizeof(trace)));
	file_write(TRACING "trace", "\n");
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		EXPECT_NE(NULL, strstr(trace, lines[i]))
			TH_LOG("no \"%s\" in the trace:\n%.3000s", lines[i],
			       trace);
	}
}

/* The thread that works for the guest, one of the VMM's: its id, or 0 */
static int worker_tid(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *entry;
	char path[64], name[64];
	int found = 0;

	while (d && (entry = readdir(d))) {
		int tid = atoi(entry->d_name);

		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
		if (tid && tid != getpid() &&
		    file_read(path, name, sizeof(name)) > 0 &&
		    !strncmp(name, "kviommu", 7))
			found = found ? -1 : tid;
	}
	if (d)
		closedir(d);
	/* Never more than one */
	return found > 0 ? found : 0;
}

/* It counts as the VMM's own */
TEST_F(sysfs, worker_is_of_the_vmm)
{
	char path[64], name[64], ours[256], its[256];
	int tid;

	ASSERT_EQ(0, setpriority(PRIO_PROCESS, 0, 7));
	mkdir("/sys/fs/cgroup/kviommu-test", 0755);
	snprintf(name, sizeof(name), "%d", getpid());
	ASSERT_EQ(0, file_write("/sys/fs/cgroup/kviommu-test/cgroup.procs", name));
	ASSERT_UP(&self->vmm, VMM_VIOMMU_BIND);
	ASSERT_LT(0, file_read("/proc/self/cgroup", ours, sizeof(ours)));
	tid = worker_tid();
	ASSERT_NE(0, tid);
	EXPECT_EQ(7, getpriority(PRIO_PROCESS, tid));
	snprintf(path, sizeof(path), "/proc/self/task/%d/cgroup", tid);
	ASSERT_LT(0, file_read(path, its, sizeof(its)));
	EXPECT_STREQ(ours, its);
	EXPECT_NE(NULL, strstr(ours, "kviommu-test"));
	vmm_close(&self->vmm);
	snprintf(name, sizeof(name), "%d", getpid());
	file_write("/sys/fs/cgroup/cgroup.procs", name);
	rmdir("/sys/fs/cgroup/kviommu-test");
}

/*
 * When the guest wants nothing nobody works for it: after requests that were polled
 * for, and after others, the thread has not run once for a second
 */
TEST_F(sysfs, idle_costs_nothing)
{
	static const char *const poll_us[] = { "0", "50", "10000" };
	char path[64], before[128], after[128];
	struct vmm *vmm = &self->vmm;
	unsigned int i, n, tries;

	ASSERT_UP(vmm, VMM_MAPPED);
	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", worker_tid());
	for (i = 0; i < ARRAY_SIZE(poll_us); i++) {
		ASSERT_EQ(0, mdev_set(&self->host.mdev, "poll_us", poll_us[i]));
		for (n = 0; n < 200; n++)
			ASSERT_EQ(0, viommu_unmap(&vmm->v, DOMAIN, HIGH_GPA,
						  PAGE));
		/* How long it takes to stop is a matter of the machine's speed */
		for (tries = 0; tries < 20; tries++) {
			ASSERT_LT(0, file_read(path, before, sizeof(before)));
			sleep_ms(1000);
			ASSERT_LT(0, file_read(path, after, sizeof(after)));
			if (!strcmp(before, after))
				break;
		}
		EXPECT_GT(20, tries)
			TH_LOG("poll_us %s: the thread never stops, %s", poll_us[i],
			       after);
		TH_LOG("poll_us %s: ns run, ns waited, times run: %s", poll_us[i],
		       after);
	}
}

TEST_F(sysfs, assign_syntax)
{
	static const char *const bad[] = {
		"\n", "x", "0000:01:00.0", "0000:01:00.0 ", " ",
		"0000:zz:00.0 0x28", "0000:01:20.0 0x28", "0000:01:00.8 0x28",
	};
	static const char *const bad_id[] = {
		"", "x", "0x", "-1", "00:05", "00:20.0", "00:05.8", "100:00.0",
		"0x100000000", "0x28 0x29", "10000:00:00.0",
	};
	static const char *const good_id[] = {
		"40", "0x28", "00:05.0", "0000:00:05.0",
	};
	char state[32], line[128];
	const char *bdf = self->host.bdf[0];
	size_t i;

	EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf, "0x28"));
	EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf, "0x99"));
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, mdev_set(&self->host.mdev, "assign", bad[i]))
			TH_LOG("assign \"%s\"", bad[i]);
	for (i = 0; i < ARRAY_SIZE(bad_id); i++) {
		snprintf(line, sizeof(line), "%s %s", bdf, bad_id[i]);
		EXPECT_EQ(-EINVAL, mdev_set(&self->host.mdev, "assign", line))
			TH_LOG("assign \"%s\"", line);
	}
	EXPECT_EQ(-EINVAL, mdev_set(&self->host.mdev, "unassign", "x"));
	EXPECT_EQ(-EINVAL, mdev_set(&self->host.mdev, "unassign", "\n"));
	EXPECT_EQ(-ENODEV, mdev_unassign(&self->host.mdev, bdf));
	EXPECT_EQ(-ENODEV, mdev_assign(&self->host.mdev, "0000:ff:1f.7", "1"));

	for (i = 0; i < ARRAY_SIZE(good_id); i++) {
		ASSERT_EQ(0, mdev_assign(&self->host.mdev, bdf, good_id[i]))
			TH_LOG("assign as \"%s\"", good_id[i]);
		EXPECT_EQ(0, mdev_endpoint_state(&self->host.mdev, 0x28, state,
						 sizeof(state)));
		EXPECT_STREQ("unbound", state);
		ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf));
	}
	EXPECT_EQ(-ENOENT, mdev_endpoint_state(&self->host.mdev, 0x28, state,
					       sizeof(state)));
}

TEST_F(sysfs, assign_needs_our_driver)
{
	const char *bdf = self->host.bdf[0];

	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf));
	ASSERT_EQ(0, pci_set_driver(bdf, NULL));
	EXPECT_EQ(-ENODEV, mdev_assign(&self->host.mdev, bdf, "0x28"));
	ASSERT_EQ(0, pci_set_driver(bdf, KVIOMMU_DRIVER));
	EXPECT_EQ(0, mdev_assign(&self->host.mdev, bdf, "0x28"));
}

/* The driver leaves an assigned device: the claim must not keep a dead pointer */
TEST_F(sysfs, driver_unbound_while_assigned)
{
	const char *bdf = self->host.bdf[0];
	char text[512];
	int rc;

	ASSERT_EQ(0, pci_set_driver(bdf, NULL));
	ASSERT_EQ(0, mdev_get(&self->host.mdev, "endpoints", text,
			      sizeof(text)));
	ASSERT_EQ(0, pci_set_driver(bdf, KVIOMMU_DRIVER));
	rc = mdev_assign(&self->host.mdev, bdf, "0x28");
	EXPECT_EQ(true, !rc || rc == -EBUSY)
		TH_LOG("assign after a new bind: expected 0 or EBUSY, got %d",
		       rc);
	/* Whatever became of the claim, the device must be of use again */
	if (rc) {
		ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf));
		ASSERT_EQ(0, mdev_assign(&self->host.mdev, bdf, "0x28"));
	}
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

TEST_F(sysfs, two_claim_one)
{
	const char *bdf = self->host.bdf[0];

	ASSERT_EQ(0, mdev_create(&self->other, KVIOMMU_VIRTIO));
	EXPECT_EQ(-EBUSY, mdev_assign(&self->other, bdf, "0x28"));
	EXPECT_SAID(self, "cannot assign %s: it belongs to vIOMMU %s", bdf,
		    self->host.mdev.uuid);
	/* Not ours to give away either */
	EXPECT_EQ(-ENODEV, mdev_unassign(&self->other, bdf));
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf));
	EXPECT_EQ(0, mdev_assign(&self->other, bdf, "0x28"));
	EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf, "0x28"));
	EXPECT_SAID(self, "cannot assign %s: it belongs to vIOMMU %s", bdf,
		    self->other.uuid);
	/* Removing a vIOMMU ends its claims */
	ASSERT_EQ(0, mdev_remove(&self->other));
	EXPECT_EQ(0, mdev_assign(&self->host.mdev, bdf, "0x28"));
}

TEST_F(sysfs, endpoint_id_taken)
{
	char bdf[MAX_ENDPOINTS][BDF_LEN];

	if (pci_find(EDU_VENDOR, EDU_DEVICE, bdf, 2) < 2)
		SKIP(return, "needs 2 edu devices");
	ASSERT_EQ(0, pci_set_driver(bdf[1], KVIOMMU_DRIVER));
	EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf[1], "0x28"));
	EXPECT_SAID(self, "cannot assign %s: endpoint 0x28 is taken", bdf[1]);
	EXPECT_EQ(0, mdev_assign(&self->host.mdev, bdf[1], "0x30"));
}

TEST_F(sysfs, unassign_while_open)
{
	char state[32];

	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_EQ(-EBUSY, mdev_unassign(&self->host.mdev, self->host.bdf[0]));
	EXPECT_EQ(0, mdev_endpoint_state(&self->host.mdev, 0x28, state,
					 sizeof(state)));
	EXPECT_STREQ("translated", state);
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
	vmm_close(&self->vmm);
	EXPECT_EQ(0, mdev_unassign(&self->host.mdev, self->host.bdf[0]));
}

TEST_F(sysfs, endpoint_states)
{
	static const struct {
		enum vmm_step step;
		const char *state;
	} table[] = {
		{ VMM_VIOMMU_ATTACH, "unbound" },
		{ VMM_ENDPOINT_BIND, "blocked" },
		{ VMM_ENDPOINT_ATTACH, "bypass" },
		{ VMM_DRIVER_OK, "bypass" },
		{ VMM_DOMAIN, "translated" },
	};
	char state[32];
	size_t i;

	ASSERT_EQ(0, mdev_set(&self->host.mdev, "boot_bypass", "1"));
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		ASSERT_UP(&self->vmm, table[i].step);
		ASSERT_EQ(0, mdev_endpoint_state(&self->host.mdev, 0x28, state,
						 sizeof(state)));
		EXPECT_STREQ(table[i].state, state)
			TH_LOG("after \"%s\"", vmm_step_name[table[i].step]);
	}
	ASSERT_EQ(0, viommu_detach(&self->vmm.v, DOMAIN, ENDPOINT(0)));
	mdev_endpoint_state(&self->host.mdev, 0x28, state, sizeof(state));
	EXPECT_STREQ("bypass", state);
	vmm_close_viommu(&self->vmm);
	mdev_endpoint_state(&self->host.mdev, 0x28, state, sizeof(state));
	EXPECT_STREQ("blocked", state);
	vmm_close(&self->vmm);
	mdev_endpoint_state(&self->host.mdev, 0x28, state, sizeof(state));
	EXPECT_STREQ("unbound", state);
}

TEST_F(sysfs, boot_blocked)
{
	char state[32];

	ASSERT_EQ(0, mdev_set(&self->host.mdev, "boot_bypass", "0"));
	ASSERT_UP(&self->vmm, VMM_BUS_MASTER);
	mdev_endpoint_state(&self->host.mdev, 0x28, state, sizeof(state));
	EXPECT_STREQ("blocked", state);
	EXPECT_WRITES(0, &self->vmm, 0, DATA_GPA, DATA_GPA);
}

/* All functions of a group belong to one vIOMMU, or to nobody else */
TEST_F(sysfs, group_partly_elsewhere)
{
	char bdf[2][BDF_LEN], driver[64];

	if (pci_find_pair(EDU_VENDOR, EDU_DEVICE, bdf))
		SKIP(return, "no two edu devices in one IOMMU group");
	/* The fixture's device may be one of the two */
	mdev_unassign(&self->host.mdev, self->host.bdf[0]);
	ASSERT_EQ(0, pci_set_driver(bdf[0], KVIOMMU_DRIVER));
	ASSERT_EQ(0, pci_set_driver(bdf[1], KVIOMMU_DRIVER));
	ASSERT_EQ(0, mdev_create(&self->other, KVIOMMU_VIRTIO));
	ASSERT_EQ(0, mdev_assign(&self->other, bdf[0], "0x28"));
	EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf[1], "0x28"));
	EXPECT_SAID(self, "cannot assign %s: %s of the same IOMMU group belongs to vIOMMU %s",
		    bdf[1], bdf[0], self->other.uuid);
	EXPECT_EQ(0, mdev_assign(&self->other, bdf[1], "0x30"));
	ASSERT_EQ(0, mdev_remove(&self->other));
	/* The same with a foreign driver on the other function */
	if (system("modprobe vfio-pci") == 0 &&
	    !pci_set_driver(bdf[1], "vfio-pci")) {
		pci_driver_name(bdf[1], driver, sizeof(driver));
		EXPECT_STREQ("vfio-pci", driver);
		EXPECT_EQ(-EBUSY, mdev_assign(&self->host.mdev, bdf[0], "0x28"));
		EXPECT_SAID(self, "cannot assign %s: %s of the same IOMMU group is used by driver vfio-pci",
			    bdf[0], bdf[1]);
		pci_set_driver(bdf[1], NULL);
	}
}

/* Devices that people assign: any that vfio-pci takes will do */
TEST_F(sysfs, other_devices)
{
	static const struct {
		const char *name;
		u16 vendor, device;
	} table[] = {
		{ "e1000e", 0x8086, 0x10d3 },
		{ "igb", IGB_VENDOR, IGB_DEVICE },
		{ "nvme", 0x1b36, 0x0010 },
	};
	struct vmm *vmm = &self->vmm;
	unsigned int i, found = 0;

	ASSERT_UP(vmm, VMM_VIOMMU_ATTACH);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		char bdf[1][BDF_LEN], state[32], path[512];
		struct vfio_dev dev = { .fd = -1 };
		u32 hwpt;
		int rc;

		if (pci_find(table[i].vendor, table[i].device, bdf, 1) < 1)
			continue;
		found++;
		ASSERT_EQ(0, pci_set_driver(bdf[0], KVIOMMU_DRIVER))
			TH_LOG("%s %s", table[i].name, bdf[0]);
		/* While the VMM runs, as for a device that is plugged in */
		ASSERT_EQ(0, mdev_assign(&self->host.mdev, bdf[0], "00:09.0"));
		pci_path(bdf[0], ".", path, sizeof(path));
		ASSERT_EQ(0, vfio_open(&dev, path));
		ASSERT_EQ(0, vfio_bind(&dev, vmm->iommufd));
		mdev_endpoint_state(&self->host.mdev, 0x48, state, sizeof(state));
		EXPECT_STREQ("blocked", state);
		ASSERT_EQ(0, iommufd_hwpt_alloc(vmm->iommufd, dev.dev_id,
						vmm->ioas, &hwpt));
		ASSERT_EQ(0, vfio_attach(&dev, hwpt));
		ASSERT_EQ(0, vfio_query_regions(&dev));
		ASSERT_EQ(0, vfio_bus_master(&dev, true));
		mdev_endpoint_state(&self->host.mdev, 0x48, state, sizeof(state));
		EXPECT_STREQ("bypass", state);
		/* Not each of them can be */
		rc = vfio_reset(&dev);
		EXPECT_EQ(true, !rc || rc == -EINVAL)
			TH_LOG("%s: reset: %d", table[i].name, rc);
		vfio_close(&dev);
		mdev_endpoint_state(&self->host.mdev, 0x48, state, sizeof(state));
		EXPECT_STREQ("unbound", state);
		ASSERT_EQ(0, mdev_unassign(&self->host.mdev, bdf[0]));
		pci_set_driver(bdf[0], NULL);
	}
	if (!found)
		SKIP(return, "none of the devices is there");
}

TEST_F(sysfs, create_misuse)
{
	char path[512];

	EXPECT_EQ(-EEXIST, mdev_create_uuid(KVIOMMU_VIRTIO, self->host.mdev.uuid));
	EXPECT_EQ(-EINVAL, mdev_create_uuid(KVIOMMU_VIRTIO, "not-a-uuid"));
	mdev_dir(&self->host.mdev, path, sizeof(path));
	EXPECT_EQ(true, path_exists(path));
}

/* Busy modules stay: neither of the two may go while devices use them */
TEST_F(sysfs, rmmod_refused)
{
	EXPECT_NE(0, system("rmmod kviommu 2>/dev/null"));
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	EXPECT_NE(0, system("rmmod kviommu_vfio_pci 2>/dev/null"));
	EXPECT_NE(0, system("rmmod kviommu 2>/dev/null"));
	EXPECT_WRITES(1, &self->vmm, 0, DATA_IOVA, DATA_GPA);
}

struct remover {
	struct mdev mdev;
	int rc;
	bool done;
};

static void *remove_thread(void *arg)
{
	struct remover *r = arg;

	r->rc = mdev_remove(&r->mdev);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * Removal of an open mdev waits for the VMM, or refuses. It never takes the
 * mappings from under it without blocking the device.
 */
TEST_F(sysfs, remove_while_open)
{
	struct remover r = { .mdev = self->host.mdev };
	pthread_t thread;
	bool gone;
	int writes;

	ASSERT_UP(&self->vmm, VMM_MAPPED);
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_thread, &r));
	sleep_ms(500);
	writes = vmm_can_write(&self->vmm, 0, DATA_IOVA, DATA_GPA);
	gone = __atomic_load_n(&r.done, __ATOMIC_ACQUIRE) && !r.rc;
	EXPECT_EQ(gone ? 0 : 1, writes);
	vmm_close(&self->vmm);
	pthread_join(thread, NULL);
	EXPECT_EQ(true, !r.rc || r.rc == -EBUSY)
		TH_LOG("expected 0 or EBUSY, got %d", r.rc);
	if (!r.rc)
		self->host.mdev.uuid[0] = '\0';
}

TEST_F(sysfs, removed_viommu_leaves_device_blocked)
{
	ASSERT_EQ(0, mdev_remove(&self->host.mdev));
	ASSERT_UP(&self->vmm, VMM_MEMORY);
	self->vmm.next = VMM_ENDPOINT_OPEN;
	ASSERT_UP(&self->vmm, VMM_ENDPOINT_BIND);
	/* Not assigned to anybody: attach is refused */
	EXPECT_EQ(-ENODEV, vmm_up(&self->vmm, VMM_ENDPOINT_ATTACH));
}

TEST_F(sysfs, address_width)
{
	struct virtio_iommu_config config;
	char value[32];

	ASSERT_EQ(0, mdev_get(&self->host.mdev, "address_width", value,
			      sizeof(value)));
	/* With a device assigned, 0 reads back what the host can do */
	EXPECT_LE(32, atoi(value));
	EXPECT_GE(64, atoi(value));
	EXPECT_EQ(-ERANGE, mdev_set(&self->host.mdev, "address_width", "64"));
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "address_width", "36"));
	ASSERT_UP(&self->vmm, VMM_DOMAIN);
	viommu_config(&self->vmm.v, &config);
	EXPECT_EQ((1ULL << 36) - 1, config.input_range.end);
	EXPECT_EQ(0, viommu_map(&self->vmm.v, DOMAIN, (1ULL << 36) - PAGE, PAGE,
				DATA_GPA, VIOMMU_RW));
	EXPECT_EQ(VIRTIO_IOMMU_S_RANGE,
		  viommu_map(&self->vmm.v, DOMAIN, 1ULL << 36, PAGE, DATA_GPA,
			     VIOMMU_RW));
}

/* The width is fixed first, the device that can't do it comes later */
TEST_F(sysfs, address_width_before_assign)
{
	ASSERT_EQ(0, mdev_unassign(&self->host.mdev, self->host.bdf[0]));
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "address_width", "64"));
	EXPECT_EQ(-ERANGE, mdev_assign(&self->host.mdev, self->host.bdf[0],
				       "0x28"));
	ASSERT_EQ(0, mdev_set(&self->host.mdev, "address_width", "36"));
	EXPECT_EQ(0, mdev_assign(&self->host.mdev, self->host.bdf[0], "0x28"));
}

TEST_F(sysfs, debugfs_files)
{
	static const char *const counters[] = {
		"req_attach", "req_detach", "req_map", "req_unmap", "req_probe",
		"req_unknown", "err_ioerr", "err_unsupp", "err_deverr",
		"err_inval", "err_range", "err_noent", "err_fault",
		"err_nomem", "kicks", "polled", "interrupts", "faults",
		"faults_dropped", "mappings", "mappings_peak", "pinned_bytes",
		"shadow_bytes", "dropped",
	};
	static const char *const files[] = {
		"state", "endpoints", "domains", "mappings", "counters",
	};
	unsigned long long iova, last, gpa, end = 0;
	char text[8192], rw[8], *line, *save;
	unsigned int n;
	size_t i;

	if (!path_exists(KVIOMMU_DEBUGFS))
		SKIP(return, "no debugfs");
	for (i = 0; i < ARRAY_SIZE(files); i++)
		EXPECT_EQ(0, mdev_debugfs(&self->host.mdev, files[i], text,
					  sizeof(text)))
			TH_LOG("reading %s of an idle vIOMMU", files[i]);
	ASSERT_UP(&self->vmm, VMM_MAPPED);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		EXPECT_LE(0, mdev_counter(&self->host.mdev, counters[i]))
			TH_LOG("counter %s", counters[i]);
	EXPECT_EQ(1, mdev_counter(&self->host.mdev, "req_attach"));
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "req_map"));
	EXPECT_EQ(2, mdev_counter(&self->host.mdev, "mappings"));
	EXPECT_EQ(true, mdev_has_mapping(&self->host.mdev,
					 "0x40000000-0x40000fff 0x1200000 rw"));
	EXPECT_EQ(true, mdev_has_mapping(&self->host.mdev, "domain 1"));
	/* Sorted, in whatever order they came */
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, viommu_map(&self->vmm.v, DOMAIN,
					DATA_IOVA + (1 + i * 37 % 64) * PAGE,
					PAGE, DATA_GPA, VIOMMU_RW));
	ASSERT_EQ(0, mdev_debugfs(&self->host.mdev, "mappings", text,
				  sizeof(text)));
	n = 0;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "0x%llx-0x%llx 0x%llx %7s", &iova, &last, &gpa,
			   rw) != 4)
			continue;
		n++;
		EXPECT_LE(end, iova);
		EXPECT_LT(iova, last);
		EXPECT_STREQ("rw", rw);
		end = last + 1;
	}
	EXPECT_EQ(66, n);
}

TEST_HARNESS_MAIN
