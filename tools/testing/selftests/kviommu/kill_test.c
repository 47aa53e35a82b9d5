// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill -9 of the VMM at each step of its life and at random moments. After it,
 * the device reaches nothing of the dead VMM's memory, nothing is pinned, and the
 * next VMM starts as if there had been none before it.
 */
#include "kviommu_harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define EXPECT_CLEAN_AND_USABLE(self) do {				\
	struct edu late = { .bar = NULL };				\
	const char *why = host_leftovers(&(self)->host);		\
	u8 *data = (self)->ram + (DATA_GPA - RAM_GPA);			\
	char state[32];							\
									\
	EXPECT_EQ(true, !why)						\
		TH_LOG("after the kill: %s", why);			\
	mdev_endpoint_state(&(self)->host.mdev, ENDPOINT(0), state,	\
			    sizeof(state));				\
	EXPECT_STREQ("unbound", state);					\
	if (pci_is_translated_by_default((self)->host.bdf[0])) {	\
		ASSERT_EQ(0, edu_map_sysfs(&late, (self)->host.bdf[0]));\
		EXPECT_EQ(0, edu_can_write(&late, DATA_IOVA, data));	\
		EXPECT_EQ(0, edu_can_write(&late, DATA_GPA, data));	\
		edu_unmap_bar(&late);					\
	}								\
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
	char state[32] = "";
	int ready, i;
	pid_t pid;
	char c;

	pid = victim(&self->host, self->ram, VMM_MAPPED, hold, &ready);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready, &c, 1));
	close(ready);
	for (i = 0; i < 500 && strcmp(state, "quiescing"); i++) {
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
	int ready, up[2];
	pid_t opener, status_pid, heir = 0;
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
	/* The heir is not our child: its end shows when the vIOMMU is free */
	for (status = 0; status < 500; status++) {
		if (!vmm_up(&self->vmm, VMM_VIOMMU_BIND))
			break;
		vmm_close(&self->vmm);
		sleep_ms(10);
	}
	EXPECT_GT(500, status) TH_LOG("the vIOMMU was not given back");
	vmm_close(&self->vmm);
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
	char state[32] = "translated";
	int ready, i;
	pid_t pid;
	char c;

	pid = victim(&self->host, self->ram, VMM_MAPPED, become_sleep, &ready);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready, &c, 1));
	close(ready);
	for (i = 0; i < 500 && strcmp(state, "unbound"); i++) {
		sleep_ms(10);
		mdev_endpoint_state(&self->host.mdev, ENDPOINT(0), state,
				    sizeof(state));
	}
	EXPECT_STREQ("unbound", state);
	EXPECT_CLEAN_AND_USABLE(self);
	KILL(pid);
}

TEST_HARNESS_MAIN
