// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and mutated requests, rings, register writes, memory removal and DMA for
 * a bounded time: "fuzz [seconds [seed]]". What comes of them is not looked at,
 * except that it ends; the kernel's debugging finds the rest. Every few seconds,
 * and at the end, a well-behaved VMM has to work.
 */
#include "kselftest.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "lib/vmm.h"

struct fuzz {
	struct host host;
	struct vmm vmm;
	struct rng rng;
	u64 ops;
	u64 requests;
	u64 ok;			/* requests that succeeded: not all is nonsense */
	int fds[3];
};

/* Values that break things, or at least once did somewhere */
static u64 number(struct fuzz *f)
{
	static const u64 interesting[] = {
		0, 1, 2, 3, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x1001, 0x7fff,
		0x8000, 0xffff, 0x10000, 0x1fffff, 0x200000, 0x7fffffff,
		0x80000000, 0xfee00000, 0xffffffff, 0x100000000ULL,
		(1ULL << 39) - 1, 1ULL << 39, (1ULL << 48) - 1, 1ULL << 48,
		1ULL << 52, 0x7fffffffffffffffULL, 1ULL << 63, ~0xfffULL, ~0ULL,
		RAM_GPA, RAM_GPA + RAM_SIZE, RAM_GPA + RAM_SIZE - 1, HIGH_GPA,
		HIGH_GPA + HIGH_SIZE, HOLE_GPA, DATA_IOVA, OUT_IOVA,
	};
	u64 value;

	switch (rng_below(&f->rng, 4)) {
	case 0:
		return rng_next(&f->rng) >> rng_below(&f->rng, 64);
	case 1:
		return rng_below(&f->rng, 256);
	default:
		value = interesting[rng_below(&f->rng, sizeof(interesting) /
					      sizeof(*interesting))];
		return rng_chance(&f->rng, 30) ?
			       value + rng_below(&f->rng, 5) - 2 : value;
	}
}

/* Mostly few, so that requests meet each other */
static u64 some_iova(struct fuzz *f)
{
	if (rng_chance(&f->rng, 10))
		return number(f);
	return 0x200000000ULL + rng_below(&f->rng, 2048) * PAGE;
}

static u64 some_gpa(struct fuzz *f)
{
	if (rng_chance(&f->rng, 10))
		return number(f);
	if (rng_chance(&f->rng, 30))
		return HIGH_GPA + rng_below(&f->rng, HIGH_SIZE / PAGE) * PAGE;
	return DATA_GPA + rng_below(&f->rng, 3072) * PAGE;
}

static u32 some_domain(struct fuzz *f)
{
	return rng_chance(&f->rng, 5) ? number(f) : rng_below(&f->rng, 3);
}

static u32 some_endpoint(struct fuzz *f)
{
	return rng_chance(&f->rng, 5) ? number(f) :
			ENDPOINT(rng_below(&f->rng, f->host.endpoints));
}

/* A request; returns its readable length, sets the writable one */
static size_t some_request(struct fuzz *f, void *buf, size_t *writable)
{
	u64 iova = some_iova(f), pages = 1 + rng_below(&f->rng, 16);
	size_t len;

	if (rng_chance(&f->rng, 10))
		pages = 512 * (1 + rng_below(&f->rng, 3));
	*writable = 4;
	switch (rng_below(&f->rng, 10)) {
	case 0: {
		struct virtio_iommu_req_attach req = viommu_make_attach(
			some_domain(f), some_endpoint(f),
			rng_chance(&f->rng, 30));

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
		break;
	}
	case 1: {
		struct virtio_iommu_req_detach req =
			viommu_make_detach(some_domain(f), some_endpoint(f));

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
		break;
	}
	case 2: {
		struct virtio_iommu_req_probe req = {
			.head.type = VIRTIO_IOMMU_T_PROBE,
			.endpoint = some_endpoint(f),
		};

		*writable = VIOMMU_PROBE_SIZE + 4;
		len = sizeof(req);
		memcpy(buf, &req, len);
		break;
	}
	case 3:
	case 4:
	case 5: {
		struct virtio_iommu_req_unmap req = viommu_make_unmap(
			some_domain(f), iova, iova + pages * PAGE - 1);

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
		break;
	}
	default: {
		struct virtio_iommu_req_map req = viommu_make_map(
			some_domain(f), iova, iova + pages * PAGE - 1,
			some_gpa(f), 1 + rng_below(&f->rng, 3));

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
	}
	}
	/* Mutations */
	while (rng_chance(&f->rng, 10))
		((u8 *)buf)[rng_below(&f->rng, len)] = rng_next(&f->rng);
	if (rng_chance(&f->rng, 3))
		len = rng_below(&f->rng, len + 1);
	if (rng_chance(&f->rng, 3))
		*writable = rng_below(&f->rng, *writable + 8);
	return len;
}

/* Come back with a working driver, as a guest would reset a device that stopped */
static void restart(struct fuzz *f)
{
	u64 features = VIOMMU_ALL_FEATURES;

	if (rng_chance(&f->rng, 50))
		features = VIOMMU_PLAIN_FEATURES;
	virtio_start(&f->vmm.v, features, 4 << rng_below(&f->rng, 9));
	viommu_event_buffers(&f->vmm.v, 4);
}

static void op_requests(struct fuzz *f)
{
	struct virtio_dev *v = &f->vmm.v;
	unsigned int n = 1 + rng_below(&f->rng, 16), i, slot;
	u8 buf[512];

	if (v->vq[0].size < 4 * n)
		n = v->vq[0].size / 4;
	for (i = 0; i < n; i++) {
		size_t writable, len = some_request(f, buf, &writable);

		viommu_queue(v, i, buf, len, writable);
	}
	vq_kick(v, 0);
	for (i = 0; i < n; i++) {
		int status = viommu_collect(v, &slot);

		if (status == -ETIMEDOUT)
			ksft_exit_fail_msg("a request was never answered\n");
		if (status < 0) {
			restart(f);
			return;
		}
		f->requests++;
		f->ok += !status;
	}
}

static void op_raw_ring(struct fuzz *f)
{
	struct virtio_dev *v = &f->vmm.v;
	struct vq *q = &v->vq[rng_chance(&f->rng, 80) ? 0 : 1];
	struct vring_desc *table = (void *)(v->mem + VQ_TABLES);
	unsigned int i;

	some_request(f, v->mem + VQ_BUFFERS, &(size_t){ 0 });
	for (i = 0; i < 4; i++) {
		struct vring_desc *d = rng_chance(&f->rng, 50) ?
			&q->desc[rng_below(&f->rng, q->size)] :
			&table[rng_below(&f->rng, 8)];

		d->addr = rng_chance(&f->rng, 70) ?
			  v->gpa + (rng_chance(&f->rng, 70) ? VQ_BUFFERS :
							      VQ_TABLES) +
			  rng_below(&f->rng, 64) : number(f);
		d->len = rng_chance(&f->rng, 70) ? rng_below(&f->rng, 64) :
						   number(f);
		d->flags = rng_below(&f->rng, 8);
		d->next = rng_chance(&f->rng, 80) ? rng_below(&f->rng, 8) :
						    number(f);
	}
	q->avail->flags = rng_below(&f->rng, 3);
	if (rng_chance(&f->rng, 90))
		vq_push(q, rng_chance(&f->rng, 90) ?
			rng_below(&f->rng, q->size) : number(f));
	else
		vq_set_avail_idx(q, number(f));
	vq_set_used_event(q, number(f));
	vq_notify(v, q->index);
	/* The two sides no longer agree on anything */
	if (rng_chance(&f->rng, 30))
		restart(f);
	else
		q->used_idx = q->used->idx;
}

static void op_registers(struct fuzz *f)
{
	struct vfio_dev *dev = &f->vmm.viommu;
	unsigned int n = 1 + rng_below(&f->rng, 8);
	u8 buf[16];

	while (n--) {
		u64 off, value = number(f);
		size_t len = 1 << rng_below(&f->rng, 4);

		switch (rng_below(&f->rng, 6)) {
		case 0:
			off = VIRTIO_NOTIFY + rng_below(&f->rng, 0x1000);
			break;
		case 1:
			off = VIRTIO_DEVICE_CFG + rng_below(&f->rng, 64);
			break;
		case 2:
			off = rng_below(&f->rng, 0x4000);
			break;
		default:
			off = rng_below(&f->rng, 64);
		}
		if (rng_chance(&f->rng, 10))
			len = rng_below(&f->rng, sizeof(buf));
		memcpy(buf, &value, 8);
		if (rng_chance(&f->rng, 70))
			vfio_bar_write(dev, 0, off, buf, len);
		else
			vfio_bar_read(dev, 0, off, buf, len);
		if (rng_chance(&f->rng, 20)) {
			vfio_config_write(dev, rng_below(&f->rng, 256), &value,
					  1 << rng_below(&f->rng, 3));
			vfio_config_read(dev, rng_below(&f->rng, 260), buf, len);
		}
	}
	restart(f);
}

static void op_memory(struct fuzz *f)
{
	u64 half = HIGH_SIZE / 2, off = rng_chance(&f->rng, 50) ? half : 0;

	if (rng_chance(&f->rng, 50))
		vmm_add_high(&f->vmm, off, half, rng_chance(&f->rng, 80));
	else
		vmm_remove_high(&f->vmm, off, half);
	/* Now and then all of it, with the rings */
	if (rng_chance(&f->rng, 2)) {
		iommufd_unmap(f->vmm.iommufd, f->vmm.ioas, RAM_GPA, RAM_SIZE);
		op_raw_ring(f);
		iommufd_map(f->vmm.iommufd, f->vmm.ioas, f->vmm.ram, RAM_SIZE,
			    RAM_GPA, true);
		restart(f);
	}
}

static void op_vfio(struct fuzz *f)
{
	struct vmm *vmm = &f->vmm;
	struct edu *edu = &vmm->edu[rng_below(&f->rng, f->host.endpoints)];

	switch (rng_below(&f->rng, 6)) {
	case 0:
		vfio_reset(&vmm->viommu);
		break;
	case 1:
		vfio_reset(&edu->dev);
		break;
	case 2:
		vfio_detach(&edu->dev);
		op_requests(f);
		vfio_attach(&edu->dev, vmm->hwpt);
		break;
	case 3:
		vfio_detach(&vmm->viommu);
		op_raw_ring(f);
		vfio_attach(&vmm->viommu, vmm->ioas);
		break;
	case 4:
		vfio_set_irqs(&vmm->viommu, rng_below(&f->rng, 5),
			      rng_below(&f->rng, 4), rng_below(&f->rng, 4),
			      rng_chance(&f->rng, 80) ? f->fds : NULL);
		return;
	default:
		vfio_bus_master(&edu->dev, rng_chance(&f->rng, 80));
		return;
	}
	restart(f);
}

static void op_dma(struct fuzz *f)
{
	struct edu *edu = &f->vmm.edu[rng_below(&f->rng, f->host.endpoints)];

	/*
	 * Never at an address that a broken IOMMU would take for the machine's
	 * own memory: what is tested is the module, not the fuzzer's aim
	 */
	edu_start_store(edu, 0x200000000ULL +
			rng_below(&f->rng, 2048) * PAGE, 64);
}

static void op_settings(struct fuzz *f)
{
	char value[32];

	snprintf(value, sizeof(value), "%llu",
		 (unsigned long long)rng_below(&f->rng, 1100));
	mdev_set(&f->host.mdev, rng_chance(&f->rng, 50) ? "poll_us" : "batch",
		 value);
}

static void op_look(struct fuzz *f)
{
	static const char *const files[] = {
		"state", "endpoints", "domains", "mappings", "counters",
	};
	static char text[65536];

	mdev_debugfs(&f->host.mdev, files[rng_below(&f->rng, 5)], text,
		     sizeof(text));
	mdev_get(&f->host.mdev, "endpoints", text, sizeof(text));
}

static const struct {
	void (*run)(struct fuzz *f);
	unsigned int weight;
} ops[] = {
	{ op_requests, 60 },	{ op_raw_ring, 15 },	{ op_registers, 8 },
	{ op_memory, 6 },	{ op_vfio, 3 },		{ op_dma, 4 },
	{ op_settings, 2 },	{ op_look, 2 },
};

static void op(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 100), i;

	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	ops[i].run(f);
	f->ops++;
}

static void must(struct fuzz *f, bool good, const char *what)
{
	if (good)
		return;
	vmm_close(&f->vmm);
	host_teardown(&f->host);
	ksft_exit_fail_msg("after %llu operations: %s\n",
			   (unsigned long long)f->ops, what);
}

/* A new VMM, well-behaved; with its driver left running */
static void check_sane(struct fuzz *f)
{
	const char *left;
	int rc;

	vmm_close(&f->vmm);
	left = host_leftovers(&f->host);
	must(f, !left, left);
	rc = vmm_up(&f->vmm, VMM_MAPPED);
	must(f, !rc, rc ? vmm_step_name[f->vmm.next] : "");
	must(f, vmm_can_write(&f->vmm, 0, DATA_IOVA, DATA_GPA) == 1,
	     "DMA to a mapped page did not arrive");
	must(f, !vmm_can_write(&f->vmm, 0, DATA_GPA, DATA_GPA),
	     "DMA to an unmapped page arrived");
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
	static struct fuzz f;
	u64 end, next;
	int rc, i;

	f.rng.state = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ns();
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("fuzz for %u s, seed 0x%llx\n", seconds,
		       (unsigned long long)f.rng.state);
	rc = host_setup(&f.host, KVIOMMU_VIRTIO, 2);
	if (rc == -ENODEV)
		rc = host_setup(&f.host, KVIOMMU_VIRTIO, 1);
	if (rc == -ENODEV)
		ksft_exit_skip("%s\n", f.host.why);
	if (rc)
		ksft_exit_fail_msg("%s\n", f.host.why);
	for (i = 0; i < 3; i++)
		f.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vmm_init(&f.vmm, &f.host, NULL);
	end = now_ns() + seconds * 1000000000ULL;
	while (now_ns() < end) {
		mdev_set(&f.host.mdev, "pin",
			 rng_chance(&f.rng, 50) ? "cache" : "demand");
		check_sane(&f);
		next = now_ns() + 5000000000ULL;
		while (now_ns() < next && now_ns() < end)
			op(&f);
	}
	check_sane(&f);
	vmm_close(&f.vmm);
	host_teardown(&f.host);
	ksft_print_msg("%llu operations, %llu requests answered, %llu of them OK\n",
		       (unsigned long long)f.ops, (unsigned long long)f.requests,
		       (unsigned long long)f.ok);
	/* A fuzzer that only gets refusals tests nothing behind them */
	if (!f.ok)
		ksft_exit_fail_msg("no request succeeded\n");
	ksft_test_result_pass("fuzz\n");
	ksft_finished();
}
