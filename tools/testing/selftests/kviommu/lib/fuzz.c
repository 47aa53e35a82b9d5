// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz.h"

#include "kselftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#define PTE_ADDR	0x0000fffffffff000ULL
#define SECOND_NS	1000000000ULL

void fuzz_must(struct fuzz *f, bool good, const char *what)
{
	if (!good)
		ksft_exit_fail_msg("after %llu operations: %s\n",
				   (unsigned long long)f->ops, what);
}

/* ---- random values ---- */

u64 fuzz_number(struct rng *rng)
{
	static const u64 interesting[] = {
		0, 1, 2, 3, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x1001, 0x7fff,
		0x8000, 0xffff, 0x10000, 0x1fffff, 0x200000, 0x7fffffff,
		0x80000000, 0xfee00000, 0xffffffff, 0x100000000ULL,
		(1ULL << 39) - 1, 1ULL << 39, (1ULL << 48) - 1, 1ULL << 48,
		1ULL << 52, 0x7fffffffffffffffULL, 1ULL << 63, ~0xfffULL, ~0ULL,
		RAM_GPA, RAM_GPA + RAM_SIZE, RAM_GPA + RAM_SIZE - 1, HIGH_GPA,
		HIGH_GPA + HIGH_SIZE, HOLE_GPA, DATA_IOVA, OUT_IOVA, FUZZ_IOVA,
	};
	u64 value;

	switch (rng_below(rng, 6)) {
	case 0:
		return rng_next(rng) >> rng_below(rng, 64);
	case 1:
		return rng_below(rng, 256);
	case 2:
		return (rng_chance(rng, 50) ? 1ULL : ~0ULL) <<
		       rng_below(rng, 64);
	default:
		value = rng_pick(rng, interesting);
		return rng_chance(rng, 30) ? value + rng_below(rng, 5) - 2 :
					     value;
	}
}

u64 fuzz_gpa(struct rng *rng)
{
	if (rng_chance(rng, 10))
		return fuzz_number(rng);
	if (rng_chance(rng, 30))
		return HIGH_GPA + rng_below(rng, HIGH_SIZE / PAGE) * PAGE;
	return DATA_GPA + rng_below(rng, 3072) * PAGE;
}

u64 fuzz_near(struct rng *rng)
{
	return FUZZ_IOVA + rng_below(rng, FUZZ_PAGES) * PAGE;
}

u64 fuzz_iova(struct rng *rng)
{
	if (rng_chance(rng, 10))
		return fuzz_number(rng);
	/* The same tables, when addresses are cut off */
	return fuzz_near(rng) |
	       (rng_chance(rng, 5) ? rng_below(rng, 256) << 39 : 0);
}

void fuzz_mutate(struct rng *rng, u64 *word0, u64 *word1)
{
	while (rng_chance(rng, 5))
		*word0 ^= 1ULL << rng_below(rng, 64);
	while (rng_chance(rng, 5))
		*word1 ^= 1ULL << rng_below(rng, 64);
	if (rng_chance(rng, 1))
		*word0 = fuzz_number(rng);
}

unsigned int fuzz_endpoint(struct fuzz *f)
{
	return rng_below(&f->rng, f->host.endpoints);
}

/* ---- operations ---- */

void fuzz_access(struct fuzz *f, u64 off, u64 value, size_t len)
{
	struct vfio_dev *dev = &f->vmm.viommu;
	u8 buf[16] = {};

	if (rng_chance(&f->rng, 5))
		off = rng_below(&f->rng, dev->bar_size[0]);
	if (rng_chance(&f->rng, 5))
		len = rng_below(&f->rng, sizeof(buf));
	memcpy(buf, &value, 8);
	if (rng_chance(&f->rng, 80))
		vfio_bar_write(dev, 0, off, buf, len);
	else
		vfio_bar_read(dev, 0, off, buf, len);
	if (rng_chance(&f->rng, 10)) {
		vfio_config_write(dev, rng_below(&f->rng, 256), &value,
				  1 << rng_below(&f->rng, 3));
		vfio_config_read(dev, rng_below(&f->rng, 260), buf, len);
	}
}

void fuzz_memory(struct fuzz *f)
{
	u64 half = HIGH_SIZE / 2, off = rng_chance(&f->rng, 50) ? half : 0;

	if (rng_chance(&f->rng, 50))
		vmm_add_high(&f->vmm, off, half, rng_chance(&f->rng, 80));
	else
		vmm_remove_high(&f->vmm, off, half);
	/* Now and then all of it, with what the driver has there */
	if (rng_chance(&f->rng, 5)) {
		iommufd_unmap(f->vmm.iommufd, f->vmm.ioas, RAM_GPA, RAM_SIZE);
		f->model->away(f);
		iommufd_map(f->vmm.iommufd, f->vmm.ioas, f->vmm.ram, RAM_SIZE,
			    RAM_GPA, true);
		f->model->restart(f);
	}
}

void fuzz_vfio(struct fuzz *f)
{
	struct vmm *vmm = &f->vmm;
	struct edu *edu = &vmm->edu[fuzz_endpoint(f)];

	switch (rng_below(&f->rng, 6)) {
	case 0:
		vfio_reset(&vmm->viommu);
		break;
	case 1:
		vfio_reset(&edu->dev);
		break;
	case 2:
		vfio_detach(&edu->dev);
		f->model->requests(f);
		vfio_attach(&edu->dev, vmm->hwpt);
		break;
	case 3:
		vfio_detach(&vmm->viommu);
		f->model->away(f);
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
	f->model->restart(f);
}

void fuzz_dma(struct fuzz *f)
{
	/*
	 * Never at an address that a broken IOMMU would take for the machine's
	 * own memory: what is tested is the module, not the fuzzer's aim
	 */
	edu_start_store(&f->vmm.edu[fuzz_endpoint(f)], fuzz_near(&f->rng), 64);
}

static const char *const files[] = {
	"state", "endpoints", "domains", "counters", "mappings",
};

void fuzz_look(struct fuzz *f)
{
	static char text[65536];

	mdev_debugfs(&f->host.mdev, rng_pick(&f->rng, files), text,
		     sizeof(text));
	mdev_get(&f->host.mdev, "endpoints", text, sizeof(text));
}

void fuzz_settings(struct fuzz *f)
{
	char value[32];

	snprintf(value, sizeof(value), "%u",
		 (unsigned int)rng_below(&f->rng, 1100));
	mdev_set(&f->host.mdev, rng_chance(&f->rng, 50) ? "poll_us" : "batch",
		 value);
}

/* ---- tables ---- */

u64 fuzz_pool(struct fuzz *f, struct rng *rng)
{
	return f->pool + rng_below(rng, FUZZ_POOL) * PAGE;
}

u64 fuzz_entry(struct fuzz *f, struct rng *rng)
{
	u64 entry;

	switch (rng_below(rng, 8)) {
	case 0:
		return 0;
	case 1:
		entry = fuzz_number(rng);
		break;
	case 2:
	case 3:
		entry = fuzz_pool(f, rng) | f->bits.table;
		break;
	case 4:
		entry = (fuzz_gpa(rng) & ~(2 * MiB - 1)) | f->bits.large;
		break;
	default:
		entry = (fuzz_gpa(rng) & ~(PAGE - 1)) | f->bits.page;
	}
	if (rng_chance(rng, 20))
		entry ^= 1ULL << rng_below(rng, 13);
	if (rng_chance(rng, 2))
		entry ^= 1ULL << rng_below(rng, 64);
	return entry;
}

static void scribble(struct fuzz *f, struct rng *rng)
{
	volatile u64 *page = fuzz_ptr(f, fuzz_pool(f, rng));
	unsigned int n;

	switch (rng_below(rng, 16)) {
	case 0:
		memset((void *)page, 0, PAGE);
		break;
	case 1:
		/* A page of pages */
		for (n = 0; n < 512; n++)
			page[n] = (DATA_GPA + n * PAGE) | f->bits.page;
		break;
	default:
		/* The first ones meet each other */
		page[rng_below(rng, rng_chance(rng, 70) ? 8 : 512)] =
			fuzz_entry(f, rng);
	}
}

static void *scribbler(void *arg)
{
	struct fuzz *f = arg;

	while (!__atomic_load_n(&f->end, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&f->quiet);
		scribble(f, &f->scribbles);
		pthread_mutex_unlock(&f->quiet);
		if (rng_chance(&f->scribbles, 20))
			usleep(rng_below(&f->scribbles, 2000));
	}
	return NULL;
}

void fuzz_tables(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 32);

	while (n--) {
		/* Where DMA goes, so that there is something to be compared */
		if (rng_chance(&f->rng, 50))
			fuzz_ptr(f, f->pool + rng_below(&f->rng, FUZZ_LEAVES) *
					      PAGE)[rng_below(&f->rng, 512)] =
				(fuzz_gpa(&f->rng) & PTE_ADDR) | f->bits.page;
		else
			scribble(f, &f->rng);
	}
}

/* 1:1 in the second stage, in the first one what a VMM maps, and the pool */
static void make_tables(struct fuzz *f)
{
	const struct fuzz_model *m = f->model;
	unsigned int i;
	u64 at;

	f->table = m->page(f);
	f->second = m->page(f);
	f->pool = m->page(f);
	for (i = 1; i < FUZZ_POOL; i++)
		m->page(f);
	for (at = RAM_GPA; at < RAM_GPA + RAM_SIZE; at += 2 * MiB)
		m->set(f, f->second, at, 21, at | f->bits.second);
	for (at = HIGH_GPA; at < HIGH_GPA + HIGH_SIZE; at += 2 * MiB)
		m->set(f, f->second, at, 21, at | f->bits.second);
	m->set(f, f->table, DATA_IOVA, 12, DATA_GPA | f->bits.page);
	m->set(f, f->table, OUT_IOVA, 12, OUT_GPA | f->bits.page);
	for (i = 0; i < FUZZ_LEAVES; i++)
		m->set(f, f->table, FUZZ_IOVA + i * 2 * MiB, 21,
		       (f->pool + i * PAGE) | f->bits.table);
}

/*
 * What the tables say of an address: 1 and *gpa, 0 nothing, -1 something that is
 * not worth to be known here. A second stage below them is 1:1 where memory is.
 */
static int walk(struct fuzz *f, u64 iova, u64 *gpa)
{
	u64 table = f->table, entry, mask;
	unsigned int shift;

	for (shift = 39; table >= RAM_GPA && table < DATA_GPA; shift -= 9) {
		entry = fuzz_ptr(f, table)[iova >> shift & 511];
		switch (f->model->kind_of(f, entry, shift)) {
		case FUZZ_NONE:
			return 0;
		case FUZZ_ODD:
			return -1;
		case FUZZ_PAGE:
			mask = (1ULL << shift) - 1;
			*gpa = (entry & PTE_ADDR & ~mask) | (iova & mask);
			return entry >> 48 ? -1 : 1;
		case FUZZ_TABLE:
			table = entry & ~(PAGE - 1);
		}
	}
	return -1;
}

static void tell(struct fuzz *f, u64 iova, u64 gpa, int want, int got)
{
	static char text[4096];
	u64 table = f->table, entry;
	unsigned int shift, i;

	ksft_print_msg("DMA to 0x%llx: %d, expected %d at 0x%llx\n",
		       (unsigned long long)iova, got, want,
		       (unsigned long long)gpa);
	for (shift = 39; table >= RAM_GPA && table < DATA_GPA; shift -= 9) {
		entry = fuzz_ptr(f, table)[iova >> shift & 511];
		ksft_print_msg("entry of 2^%u bytes: 0x%llx\n", shift,
			       (unsigned long long)entry);
		if (f->model->kind_of(f, entry, shift) != FUZZ_TABLE)
			break;
		table = entry & ~(PAGE - 1);
	}
	for (i = 0; i < 4; i++)
		if (mdev_debugfs(&f->host.mdev, files[i], text, sizeof(text)) >= 0)
			ksft_print_msg("%s:\n%s", files[i], text);
}

/* Not where tables are, which the device would write to */
static bool is_data(u64 gpa)
{
	return gpa >= DATA_GPA && gpa + PAGE <= RAM_GPA + RAM_SIZE;
}

/* Its tables map more than it may, can't be read, or have no end */
static bool is_limited(struct fuzz *f)
{
	char text[4096];

	return mdev_debugfs(&f->host.mdev, "domains", text, sizeof(text)) < 0 ||
	       strstr(text, "failed") || strstr(text, "incomplete");
}

void fuzz_compare(struct fuzz *f)
{
	u64 iova = 0, gpa = 0;
	unsigned int tries;
	int want = -1, got;

	pthread_mutex_lock(&f->quiet);
	f->model->enter(f);
	f->model->restart(f);
	fuzz_must(f, !f->model->flush(f), "the queue does not work");
	vfio_bus_master(&f->vmm.edu[0].dev, true);
	edu_wait(&f->vmm.edu[0]);
	for (tries = 0; !is_limited(f) && tries < 100 && want < 0; tries++) {
		iova = fuzz_near(&f->rng);
		want = walk(f, iova, &gpa);
		/* Those that are there are worth more */
		if ((want == 1 && !is_data(gpa)) ||
		    (!want && rng_chance(&f->rng, 70)))
			want = -1;
	}
	if (want >= 0) {
		got = vmm_can_write(&f->vmm, 0, iova, want ? gpa : DATA_GPA);
		if (got != want)
			tell(f, iova, gpa, want, got);
		fuzz_must(f, got == want,
			  "DMA went elsewhere than the tables say");
		f->compared++;
	}
	pthread_mutex_unlock(&f->quiet);
}

/* ---- the frame ---- */

static void op(struct fuzz *f)
{
	const struct fuzz_op *ops = f->model->ops;
	unsigned int n = rng_below(&f->rng, 100);

	for (; n >= ops->weight; ops++)
		n -= ops->weight;
	ops->run(f);
	f->ops++;
}

/* A new VMM, well-behaved, with other settings; its driver is left running */
static void check_sane(struct fuzz *f)
{
	const struct fuzz_model *m = f->model;
	struct mdev *mdev = &f->host.mdev;
	const char *left;
	int rc;

	pthread_mutex_lock(&f->quiet);
	vmm_close(&f->vmm);
	left = host_leftovers(&f->host);
	fuzz_must(f, !left, left);
	mdev_set(mdev, "pin", rng_chance(&f->rng, 50) ? "cache" : "demand");
	if (m->page) {
		mdev_set(mdev, "max_mappings",
			 rng_chance(&f->rng, 50) ? "20000" : "1000");
		mdev_set(mdev, "max_domains",
			 rng_chance(&f->rng, 80) ? "65536" : "1");
	}
	if (m->configure)
		m->configure(f);
	rc = vmm_up(&f->vmm, m->step);
	fuzz_must(f, !rc, rc ? vmm_step_name[f->vmm.next] : "");
	if (m->init)
		m->init(f);
	if (m->page) {
		make_tables(f);
		m->enter(f);
		m->restart(f);
	}
	fuzz_must(f, vmm_can_write(&f->vmm, 0, DATA_IOVA, DATA_GPA) == 1,
		  "DMA to a mapped page did not arrive");
	fuzz_must(f, !vmm_can_write(&f->vmm, 0, DATA_GPA, DATA_GPA),
		  "DMA to an unmapped page arrived");
	pthread_mutex_unlock(&f->quiet);
}

/* A fuzzer that only gets refusals tests nothing behind them */
static bool did_something(struct fuzz *f)
{
	return f->good && (!f->model->page || f->compared);
}

void fuzz_main(const struct fuzz_model *model, int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
	static struct fuzz f = { .quiet = PTHREAD_MUTEX_INITIALIZER };
	u64 end, last, next;
	int rc, i;

	f.model = model;
	f.rng.state = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ns();
	f.scribbles.state = f.rng.state + 1;
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("fuzz for %u s, seed 0x%llx\n", seconds,
		       (unsigned long long)f.rng.state);
	rc = host_setup(&f.host, model->type, 2);
	if (rc == -ENODEV)
		rc = host_setup(&f.host, model->type, 1);
	if (rc == -ENODEV)
		ksft_exit_skip("%s\n", f.host.why);
	if (rc)
		ksft_exit_fail_msg("%s\n", f.host.why);
	for (i = 0; i < 3; i++)
		f.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vmm_init(&f.vmm, &f.host, NULL);
	check_sane(&f);
	if (model->page && pthread_create(&f.scribbler, NULL, scribbler, &f))
		ksft_exit_fail_msg("no thread\n");
	end = now_ns() + seconds * SECOND_NS;
	last = end + 9 * seconds * SECOND_NS;
	/* On a slow machine until there is something that tells. */
	while (now_ns() < end || (!did_something(&f) && now_ns() < last)) {
		next = now_ns() + 5 * SECOND_NS;
		while (now_ns() < next)
			op(&f);
		/* By chance it comes seldom where operations are slow. */
		if (model->page && !f.compared)
			fuzz_compare(&f);
		check_sane(&f);
	}
	if (model->page) {
		__atomic_store_n(&f.end, true, __ATOMIC_RELAXED);
		pthread_join(f.scribbler, NULL);
	}
	vmm_close(&f.vmm);
	host_teardown(&f.host);
	ksft_print_msg("%llu operations, %llu %s, %llu of them good, %llu times compared\n",
		       (unsigned long long)f.ops, (unsigned long long)f.tries,
		       model->tries, (unsigned long long)f.good,
		       (unsigned long long)f.compared);
	if (!did_something(&f))
		ksft_exit_fail_msg("too much was refused\n");
	ksft_test_result_pass("fuzz of %s\n", model->type);
	ksft_finished();
}
