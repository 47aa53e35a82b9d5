// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill -9 of the VMM at each step of its life, at each tracepoint, and at random
 * moments. After it, the device reaches nothing of the dead VMM's memory, nothing is
 * pinned, and the next VMM starts as if there had been none before it.
 */
#include "kviommu_harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "lib/machine.h"

FIXTURE(kill)
{
	struct host host;
	struct vmm vmm;
	u8 *ram;	/* of the victim, seen by its parent too */
};

FIXTURE_SETUP(kill)
{
	SETUP_HOST(&self->host, 1);
	vmm_init(&self->vmm, &self->host, NULL);
	self->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ram);
}

FIXTURE_TEARDOWN(kill)
{
	vmm_close(&self->vmm);
	munmap(self->ram, RAM_SIZE);
	TEARDOWN_HOST(&self->host);
}

/* What the victim does when it is up; it does not return */
static void linger(struct vmm *vmm)
{
	for (;;)
		pause();
}

/* With requests and DMA under way all the time */
static void churn(struct vmm *vmm)
{
	u64 i = 0;

	for (;; i++) {
		u64 iova = 0x200000000ULL + i % 512 * PAGE;

		if (!(i % 50))
			edu_start_store(&vmm->edu[0], DATA_IOVA, 64);
		viommu_map(&vmm->v, DOMAIN, iova, PAGE,
			   DATA_GPA + i % 512 * PAGE, VIOMMU_RW);
		if (i & 1)
			viommu_unmap(&vmm->v, DOMAIN, 0x200000000ULL,
				     512 * PAGE);
	}
}

static void become_sleep(struct vmm *vmm)
{
	execlp("sleep", "sleep", "600", NULL);
}

/* In a reset: the device does DMA, and is waited for */
static void hold(struct vmm *vmm)
{
	if (virtio_reset(&vmm->v))
		_exit(2);
	for (;;) {
		edu_start_store(&vmm->edu[0], DATA_IOVA, 64);
		if (edu_wait(&vmm->edu[0]))
			_exit(3);
	}
}

/* Reset by its VMM, and started again, for ever */
static void resets(struct vmm *vmm)
{
	for (;;) {
		edu_start_store(&vmm->edu[0], DATA_IOVA, 64);
		if (vfio_reset(&vmm->viommu))
			_exit(2);
		vmm->next = VMM_DRIVER_OK;
		if (vmm_up(vmm, VMM_MAPPED))
			_exit(3);
	}
}

/* Up and down again, for ever */
static void cycle(struct vmm *vmm)
{
	for (;;) {
		vmm_close(vmm);
		if (vmm_up(vmm, VMM_MAPPED))
			_exit(2);
	}
}

static pid_t victim(struct host *host, u8 *ram, enum vmm_step last,
		    void (*life)(struct vmm *vmm), int *ready)
{
	struct vmm vmm;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (pid) {
		close(fds[1]);
		*ready = fds[0];
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	vmm_init(&vmm, host, NULL);
	vmm.ram = ram;
	if (vmm_up(&vmm, last))
		_exit(1);
	if (write(fds[1], "", 1) != 1)
		_exit(1);
	life(&vmm);
	_exit(0);
}

#define KILL(pid) do {							\
	int kill_status;						\
									\
	EXPECT_EQ(0, kill(pid, SIGKILL));				\
	EXPECT_EQ(pid, waitpid(pid, &kill_status, 0));			\
	EXPECT_EQ(true, WIFSIGNALED(kill_status))			\
		TH_LOG("the VMM ended before it was killed: 0x%x",	\
		       kill_status);					\
} while (0)

/* Of one that is not our child, or lives on, the fds are closed one after the other */
static void await_close(const struct host *host)
{
	u64 end = now_ns() + PATIENCE_NS;
	char state[32] = "";

	for (; now_ns() < end; sleep_ms(10)) {
		mdev_endpoint_state(&host->mdev, ENDPOINT(0), state,
				    sizeof(state));
		if (!strcmp(state, "unbound") && !host_leftovers(host))
			break;
	}
}

/* late_ram is what the dead VMM's memory was */
#define EXPECT_CLEAN(late_host, late_ram) do {				\
	const struct host *clean_host = late_host;			\
	struct edu late = { .bar = NULL };				\
	const char *why = host_leftovers(clean_host);			\
	u8 *data = (late_ram) + (DATA_GPA - RAM_GPA);			\
	char late_state[32];						\
									\
	EXPECT_EQ(true, !why)						\
		TH_LOG("after the kill: %s", why);			\
	mdev_endpoint_state(&clean_host->mdev, ENDPOINT(0), late_state,	\
			    sizeof(late_state));			\
	EXPECT_STREQ("unbound", late_state);				\
	if (pci_is_translated_by_default(clean_host->bdf[0])) {		\
		ASSERT_EQ(0, edu_map_sysfs(&late, clean_host->bdf[0]));	\
		EXPECT_EQ(0, edu_can_write(&late, DATA_IOVA, data));	\
		EXPECT_EQ(0, edu_can_write(&late, DATA_GPA, data));	\
		edu_unmap_bar(&late);					\
	}								\
} while (0)

#define EXPECT_CLEAN_AND_USABLE(self) do {				\
	EXPECT_CLEAN(&(self)->host, (self)->ram);			\
	/* The next VMM does not inherit the dead one's mappings */	\
	ASSERT_UP(&(self)->vmm, VMM_BUS_MASTER);			\
	EXPECT_WRITES(0, &(self)->vmm, 0, DATA_IOVA, DATA_GPA);		\
	ASSERT_UP(&(self)->vmm, VMM_MAPPED);				\
	EXPECT_WRITES(1, &(self)->vmm, 0, DATA_IOVA, DATA_GPA);		\
	vmm_close(&(self)->vmm);					\
} while (0)

TEST_F_TIMEOUT(kill, at_each_step, 600)
{
	enum vmm_step step;
	int ready;
	pid_t pid;
	char c;

	for (step = VMM_IOMMUFD; step < VMM_STEPS; step++) {
		TH_LOG("after \"%s\"", vmm_step_name[step]);
		pid = victim(&self->host, self->ram, step, linger, &ready);
		ASSERT_LT(0, pid);
		ASSERT_EQ(1, read(ready, &c, 1))
			TH_LOG("the VMM did not come up to \"%s\"",
			       vmm_step_name[step]);
		close(ready);
		KILL(pid);
		EXPECT_CLEAN_AND_USABLE(self);
	}
}

TEST_F_TIMEOUT(kill, under_load, 600)
{
	int ready, i;
	pid_t pid;
	char c;

	for (i = 0; i < 6; i++) {
		pid = victim(&self->host, self->ram, VMM_MAPPED, churn, &ready);
		ASSERT_LT(0, pid);
		ASSERT_EQ(1, read(ready, &c, 1));
		close(ready);
		sleep_ms(61 * i);
		KILL(pid);
		EXPECT_CLEAN_AND_USABLE(self);
	}
}

TEST_F_TIMEOUT(kill, in_a_hold, 600)
{
	u64 end = now_ns() + PATIENCE_NS;
	char state[32] = "";
	int ready;
	pid_t pid;
	char c;

	pid = victim(&self->host, self->ram, VMM_MAPPED, hold, &ready);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready, &c, 1));
	close(ready);
	while (strcmp(state, "quiescing") && now_ns() < end) {
		sleep_ms(10);
		mdev_endpoint_state(&self->host.mdev, ENDPOINT(0), state,
				    sizeof(state));
	}
	EXPECT_STREQ("quiescing", state);
	KILL(pid);
	EXPECT_CLEAN_AND_USABLE(self);
}

TEST_F_TIMEOUT(kill, while_it_is_reset, 600)
{
	struct rng rng = { .state = now_ns() };
	int ready, i;
	pid_t pid;
	char c;

	TH_LOG("seed 0x%llx", (unsigned long long)rng.state);
	for (i = 0; i < 12; i++) {
		pid = victim(&self->host, self->ram, VMM_MAPPED, resets, &ready);
		ASSERT_LT(0, pid);
		ASSERT_EQ(1, read(ready, &c, 1));
		close(ready);
		sleep_ms(rng_below(&rng, 200));
		KILL(pid);
		EXPECT_CLEAN_AND_USABLE(self);
	}
}

/* At any moment, also while a step is half done */
TEST_F_TIMEOUT(kill, while_it_comes_and_goes, 600)
{
	struct rng rng = { .state = now_ns() };
	unsigned int delay;
	int ready, i;
	pid_t pid;

	TH_LOG("seed 0x%llx", (unsigned long long)rng.state);
	for (i = 0; i < 12; i++) {
		pid = victim(&self->host, self->ram, VMM_IOMMUFD, cycle, &ready);
		ASSERT_LT(0, pid);
		delay = rng_below(&rng, 600);
		sleep_ms(delay);
		close(ready);
		KILL(pid);
		EXPECT_CLEAN_AND_USABLE(self);
	}
}

/* The process that opened everything dies, another one still has the fds */
TEST_F(kill, opener_dies_first)
{
	pid_t opener, status_pid, heir = 0;
	int ready, up[2];
	int status;

	ASSERT_EQ(0, pipe(up));
	opener = fork();
	ASSERT_LE(0, opener);
	if (!opener) {
		struct vmm vmm;

		vmm_init(&vmm, &self->host, NULL);
		vmm.ram = self->ram;
		if (vmm_up(&vmm, VMM_MAPPED))
			_exit(1);
		heir = fork();
		if (!heir)
			linger(&vmm);
		if (write(up[1], &heir, sizeof(heir)) != sizeof(heir))
			_exit(1);
		linger(&vmm);
	}
	close(up[1]);
	ready = up[0];
	ASSERT_EQ((ssize_t)sizeof(heir), read(ready, &heir, sizeof(heir)));
	close(ready);
	kill(opener, SIGKILL);
	status_pid = waitpid(opener, &status, 0);
	EXPECT_EQ(opener, status_pid);
	/* Its worker is gone with it; the heir's death must still clean up */
	kill(heir, SIGKILL);
	await_close(&self->host);
	EXPECT_CLEAN_AND_USABLE(self);
}

/* A message with some fds, or a place for one */
struct fd_msg {
	struct msghdr hdr;
	struct iovec iov;
	char byte;
	union {
		struct cmsghdr cmsg;
		char space[CMSG_SPACE(3 * sizeof(int))];
	};
};

static void fd_msg_init(struct fd_msg *m)
{
	memset(m, 0, sizeof(*m));
	m->iov = (struct iovec){ &m->byte, 1 };
	m->hdr = (struct msghdr){
		.msg_iov = &m->iov, .msg_iovlen = 1,
		.msg_control = m->space, .msg_controllen = sizeof(m->space),
	};
}

static int send_fds(int to, const int *fds)
{
	struct fd_msg m;

	fd_msg_init(&m);
	m.cmsg = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(3 * sizeof(int)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&m.cmsg), fds, 3 * sizeof(int));
	return sendmsg(to, &m.hdr, 0) == 1 ? 0 : -errno;
}

/* A stranger to the VMM, who gets its fds; it does not return */
static void receiver(int from, int ready)
{
	struct fd_msg m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd_msg_init(&m);
	if (recvmsg(from, &m.hdr, 0) != 1 ||
	    m.hdr.msg_controllen < CMSG_LEN(3 * sizeof(int)) ||
	    write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* The fds have been sent to another process: as long as it has them, all stays */
TEST_F(kill, fds_sent_away)
{
	char state[32] = "", c;
	int sock[2], ready[2];
	pid_t heir, pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, pipe(ready));
	heir = fork();
	ASSERT_LE(0, heir);
	if (!heir)
		receiver(sock[1], ready[1]);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct vmm vmm;
		int fds[3];

		vmm_init(&vmm, &self->host, NULL);
		vmm.ram = self->ram;
		if (vmm_up(&vmm, VMM_MAPPED))
			_exit(1);
		fds[0] = vmm.iommufd;
		fds[1] = vmm.viommu.fd;
		fds[2] = vmm.edu[0].dev.fd;
		if (send_fds(sock[0], fds))
			_exit(2);
		linger(&vmm);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	KILL(pid);
	EXPECT_EQ(0, mdev_endpoint_state(&self->host.mdev, ENDPOINT(0), state,
					 sizeof(state)));
	EXPECT_STREQ("translated", state);
	KILL(heir);
	close(sock[0]);
	close(sock[1]);
	close(ready[0]);
	close(ready[1]);
	EXPECT_CLEAN_AND_USABLE(self);
}

/* Another program in its place has none of its fds */
TEST_F(kill, exec)
{
	int ready;
	pid_t pid;
	char c;

	pid = victim(&self->host, self->ram, VMM_MAPPED, become_sleep, &ready);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready, &c, 1));
	close(ready);
	await_close(&self->host);
	EXPECT_CLEAN_AND_USABLE(self);
	KILL(pid);
}

/* ---- at each tracepoint ---- */

#define EVENTS	"/sys/kernel/tracing/events/kviommu"

enum stage { BRING_UP, WORK, RESET, CLOSE_DEVICE, CLOSE_VIOMMU };

static const char *const stage_name[] = {
	"bring-up", "work", "reset", "close of the device", "close of the vIOMMU",
};

/* A moment of a stage: the first time that this event is traced there */
struct moment {
	enum stage stage;
	const char *event, *filter;
};

/* States are 1 blocked, 2 bypass, 3 translated */
static const struct moment all_models[] = {
	{ BRING_UP, "state", "to == 2" },
	{ BRING_UP, "state", "to == 3" },
	{ RESET, "reset", "phase == \"enter\" && held > 0" },
	/* By the deadline */
	{ RESET, "state", "to == 1" },
	{ RESET, "reset", "phase == \"hold\" && source == \"guest_reset\"" },
	{ RESET, "reset", "phase == \"exit\" && source == \"guest_reset\"" },
	{ RESET, "reset", "phase == \"enter\" && source == \"system_reset\"" },
	/* By a device that is quiet */
	{ RESET, "reset", "phase == \"hold\" && source == \"system_reset\"" },
	{ RESET, "reset", "phase == \"exit\" && source == \"system_reset\"" },
	{ CLOSE_DEVICE, "state", "to == 1" },
	{ CLOSE_VIOMMU, "state", "to == 1" },
	{}
};

static const struct moment of_virtio[] = {
	{ BRING_UP, "virtio_status", "to == 0" },
	{ BRING_UP, "virtio_status", "to == 0xb" },
	{ BRING_UP, "virtio_status", "to == 0xf" },
	{ BRING_UP, "reset", "phase == \"exit\"" },
	{ BRING_UP, "request", "type == 1" },
	{ BRING_UP, "map", NULL },
	{ BRING_UP, "request", "type == 3" },
	{ WORK, "request", "type == 5" },
	{ WORK, "map", NULL },
	{ WORK, "unmap", NULL },
	{ WORK, "request", "type == 4" },
	{ WORK, "request", "type == 2" },
	{ WORK, "state", NULL },
	{ WORK, "virtio_status", "to & 0x40" },
	{ RESET, "virtio_status", "to == 0" },
	{ RESET, "virtio_status", "to == 0xf" },
	{}
};

static const struct moment of_vtd[] = {
	{ BRING_UP, "vtd_command", "gcmd & 0x40000000" },
	{ BRING_UP, "vtd_command", "gcmd & 0x4000000" },
	{ BRING_UP, "vtd_command", "gcmd & 0x80000000" },
	{ BRING_UP, "vtd_lookup", "kind == 2" },
	{ BRING_UP, "sync", "mapped > 0" },
	{ WORK, "vtd_inv", "kind == \"iotlb\"" },
	{ WORK, "sync", "unmapped > 0" },
	{ WORK, "vtd_inv", "kind == \"wait\"" },
	{ WORK, "vtd_inv", "kind == \"context\"" },
	{ WORK, "vtd_lookup", NULL },
	{ WORK, "vtd_fault", NULL },
	{ RESET, "vtd_command", "gsts & 0x80000000" },
	{ RESET, "vtd_command", "gcmd & 0x80000000" },
	{}
};

static const struct moment of_smmuv3[] = {
	{ BRING_UP, "smmuv3_lookup", "kind == 2" },
	{ BRING_UP, "sync", "mapped > 0" },
	{ WORK, "smmuv3_command", NULL },
	{ WORK, "sync", "unmapped > 0" },
	{ WORK, "smmuv3_lookup", NULL },
	{ WORK, "smmuv3_event", NULL },
	{}
};

/* Of hosts whose IOMMU tells drivers of faults, which none here does */
static const char *const never[] = { "kviommu_fault", NULL };

FIXTURE(moments)
{
	struct machine m;
	u8 *ram;
};

FIXTURE_VARIANT(moments)
{
	enum model model;
	const struct moment *table;
};

FIXTURE_VARIANT_ADD(moments, virtio)
{
	VIRTIO, of_virtio,
};

FIXTURE_VARIANT_ADD(moments, vtd)
{
	VTD, of_vtd,
};

FIXTURE_VARIANT_ADD(moments, smmuv3)
{
	SMMUV3, of_smmuv3,
};

FIXTURE_SETUP(moments)
{
	struct machine *m = &self->m;

	m->model = variant->model;
	SETUP_HOST_TYPE(&m->host, model_type[m->model], 1);
	/* Shorter, so that the deadline is seen; longer or shorter is no failure. */
	ASSERT_EQ(0, mdev_set(&m->host.mdev, "quiesce_ms", "300"));
	vmm_init(&m->vmm, &m->host, NULL);
	self->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ram);
}

FIXTURE_TEARDOWN(moments)
{
	vmm_close(&self->m.vmm);
	munmap(self->ram, RAM_SIZE);
	TEARDOWN_HOST(&self->m.host);
}

/* ---- the victim ---- */

/* A guest is not told when the tables that it has enabled are in effect. */
static int translated(struct machine *m)
{
	char state[32];
	int i;

	for (i = 0; i < 2000; i++) {
		if (!mdev_endpoint_state(&m->host.mdev, ENDPOINT(0), state,
					 sizeof(state)) &&
		    !strcmp(state, "translated"))
			return 0;
		sleep_ms(5);
	}
	return -ETIMEDOUT;
}

static int bring_up(struct machine *m)
{
	return machine_up(m) ?: machine_translate(m) ?: translated(m);
}

static int work_virtio(struct virtio_dev *v)
{
	u8 properties[VIOMMU_PROBE_SIZE];
	u64 iova = 2 * OUT_IOVA;
	int rc, i;

	rc = viommu_probe(v, ENDPOINT(0), properties) ?:
	     viommu_map(v, DOMAIN, iova, PAGE, DATA2_GPA, VIOMMU_RW) ?:
	     viommu_unmap(v, DOMAIN, iova, PAGE) ?:
	     viommu_detach(v, DOMAIN, ENDPOINT(0));
	/* More than the ring has: the device needs a reset then */
	vq_set_avail_idx(&v->vq[0], v->vq[0].avail_idx + v->vq[0].size + 1);
	vq_notify(v, 0);
	for (i = 0; i < 2000; i++) {
		if (virtio_status(v) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return rc;
		sleep_ms(5);
	}
	return -ETIMEDOUT;
}

static int work_vtd(struct vtd *v)
{
	u64 table = vtd_page(v);
	int rc;

	/* Other tables, without one of the pages; then what is no entry */
	vtd_map(v, table, DATA_IOVA, DATA_GPA, 12, VTD_R | VTD_W);
	vtd_map(v, table, OUT_IOVA, OUT_GPA, 12, VTD_R | VTD_W);
	vtd_context_translate(v, ENDPOINT(0), MACHINE_DID, table);
	rc = vtd_flush_device(v, ENDPOINT(0));
	vtd_unmap(v, table, OUT_IOVA, 12);
	rc = rc ?: vtd_flush_all(v);
	vtd_set_context(v, ENDPOINT(0), table | 1, MACHINE_DID << 8 | 7);
	return rc ?: vtd_flush_device(v, ENDPOINT(0));
}

static int work_smmu(struct smmu *s)
{
	u64 table = smmu_page(s), cd = smmu_page(s);
	volatile u64 *ste = smmu_ptr(s, s->strtab + 64 * ENDPOINT(0));
	int rc;

	smmu_map(s, table, DATA_IOVA, DATA_GPA, 12, SMMU_S1_RW);
	smmu_map(s, table, OUT_IOVA, OUT_GPA, 12, SMMU_S1_RW);
	smmu_cd(s, cd, MACHINE_DID, table);
	smmu_stream(s, ENDPOINT(0), SMMU_S1, cd, 0, 0);
	rc = smmu_submit(s, SMMU_C_CFGI_STE(ENDPOINT(0)), 1);
	smmu_map(s, table, OUT_IOVA, 0, 12, 0);
	rc = rc ?: smmu_submit(s, SMMU_C_NSNH_ALL, 0);
	ste[0] &= ~1ULL;
	return rc ?: smmu_submit(s, SMMU_C_CFGI_STE(ENDPOINT(0)), 1);
}

static int work(struct machine *m)
{
	return m->model == VTD ? work_vtd(&m->vtd) :
	       m->model == SMMUV3 ? work_smmu(&m->smmu) :
				    work_virtio(&m->vmm.v);
}

/* Until the deadline, once more, and until the device is quiet, or the deadline */
static int be_reset(struct machine *m)
{
	bool virtio = m->model == VIRTIO;
	int rc;

	rc = machine_guest_reset(m);
	if (!rc && !mdev_counter_becomes(&m->host.mdev, "reset_hold", 1))
		rc = -ETIMEDOUT;
	m->vmm.next = VMM_DRIVER_OK;
	rc = rc ?: virtio ? vmm_up(&m->vmm, VMM_MAPPED) :
			    machine_guest_driver(m);
	rc = rc ?: translated(m);
	edu_start_store(&m->vmm.edu[0], DATA_IOVA, 64);
	return rc ?: vfio_reset(&m->vmm.viommu) ?:
		     vfio_bus_master(&m->vmm.edu[0].dev, false);
}

static int close_device(struct machine *m)
{
	vmm_close_endpoints(&m->vmm);
	return 0;
}

static int close_viommu(struct machine *m)
{
	vmm_close_viommu(&m->vmm);
	return 0;
}

/* Comes up, is told when to begin with what it is to do last, and does that */
static void live(struct machine *m, enum stage last, int ready, int go)
{
	static int (*const stages[])(struct machine *m) = {
		bring_up, work, be_reset, close_device, close_viommu,
	};
	int rc = last == BRING_UP ? 0 : bring_up(m);
	char c;

	if (!rc && last != BRING_UP)
		edu_start_store(&m->vmm.edu[0], DATA_IOVA, 64);
	if (rc || write(ready, "", 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	_exit(stages[last](m) ? 2 : 0);
}

/* ---- and what it is killed by ---- */

static int open_event(const struct moment *at, int cpu, pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.wakeup_events = 1,
	};
	char path[128], id[32];
	int fd;

	snprintf(path, sizeof(path), EVENTS "/kviommu_%s/id", at->event);
	if (file_read(path, id, sizeof(id)) < 0)
		return -ENOENT;
	attr.config = strtoul(id, NULL, 10);
	fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if ((at->filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, at->filter)) ||
	    fcntl(fd, F_SETOWN, pid) || fcntl(fd, F_SETSIG, SIGKILL) ||
	    fcntl(fd, F_SETFL, O_ASYNC)) {
		cpu = -errno;
		close(fd);
		return cpu;
	}
	return fd;
}

#define MAX_CPUS	64

/*
 * The kernel kills it itself as soon as the event is traced, whichever of its threads,
 * or of the kernel's, does that.
 */
static int arm(const struct moment *at, pid_t pid, int *fds)
{
	int n = sysconf(_SC_NPROCESSORS_ONLN), i;

	for (i = 0; i < n && i < MAX_CPUS; i++) {
		fds[i] = open_event(at, i, pid);
		if (fds[i] < 0)
			return fds[i];
	}
	return i;
}

static void kill_at(struct __test_metadata *_metadata, struct machine *m, u8 *ram,
		    const struct moment *at)
{
	int ready[2], go[2], fds[MAX_CPUS], n, status;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		m->vmm.ram = ram;
		live(m, at->stage, ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	n = arm(at, pid, fds);
	ASSERT_LT(0, n) TH_LOG("no event: %s", strerror(-n));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	while (n--)
		close(fds[n]);
	close(ready[0]);
	close(go[1]);
	EXPECT_EQ(true, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("the VMM ended before it came to it: 0x%x", status);
	EXPECT_CLEAN(&m->host, ram);
	ASSERT_EQ(0, bring_up(m));
	EXPECT_WRITES(1, &m->vmm, 0, DATA_IOVA, DATA_GPA);
	vmm_close(&m->vmm);
}

TEST_F_TIMEOUT(moments, killed, 900)
{
	const struct moment *tables[] = { all_models, variant->table }, *at;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (at = tables[i]; at->event; at++) {
			TH_LOG("%s: %s %s", stage_name[at->stage], at->event,
			       at->filter ?: "");
			kill_at(_metadata, &self->m, self->ram, at);
		}
	}
}

static bool in_table(const struct moment *at, const char *event)
{
	for (; at->event; at++)
		if (!strcmp(at->event, event + strlen("kviommu_")))
			return true;
	return false;
}

/* There is no tracepoint that nobody was killed at */
TEST(every_tracepoint)
{
	const char *const *skip;
	struct dirent *entry;
	DIR *d;

	if (!kviommu_available())
		SKIP(return, "the kviommu modules are not loaded");
	d = opendir(EVENTS);
	ASSERT_NE(NULL, d);
	while ((entry = readdir(d))) {
		if (strncmp(entry->d_name, "kviommu_", strlen("kviommu_")))
			continue;
		for (skip = never; *skip; skip++)
			if (!strcmp(*skip, entry->d_name))
				break;
		EXPECT_EQ(true, *skip || in_table(all_models, entry->d_name) ||
			  in_table(of_virtio, entry->d_name) ||
			  in_table(of_vtd, entry->d_name) ||
			  in_table(of_smmuv3, entry->d_name))
			TH_LOG("%s", entry->d_name);
	}
	closedir(d);
}

TEST_HARNESS_MAIN
