// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random tables, descriptors, register writes, memory removal and DMA on a VT-d
 * vIOMMU, for a bounded time: "vtd_fuzz [seconds [seed]]". A thread of its own
 * changes tables while they are walked, as other CPUs of a guest may.
 *
 * Every now and then all is quiet: then devices must reach what the tables say
 * and nothing else. And every few seconds, and at the end, a well-behaved VMM has
 * to work. The kernel's debugging finds the rest.
 */
#include "kselftest.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "lib/vmm.h"
#include "lib/vtd.h"

/* Pages that tables of all kinds are in, which they are linked to at random */
#define POOL		24
#define SID(n)		((u16)ENDPOINT(n))
#define DID		5

struct fuzz {
	struct host host;
	struct vmm vmm;
	struct vtd v;
	struct rng rng;
	enum vtd_mode mode;
	u64 table;
	u64 second;
	u64 pool;		/* POOL pages */
	u64 entries;		/* offset of context tables, PASID tables, ... */
	u64 ops;
	u64 waits;
	u64 errors;
	u64 compared;
	int fds[2];
	/* The other thread; it has a generator of its own */
	pthread_t scribbler;
	struct rng scribbles;
	pthread_mutex_t quiet;
	bool end;
};

/* Values that break things, or at least once did somewhere */
static u64 number(struct rng *rng)
{
	static const u64 interesting[] = {
		0, 1, 2, 3, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x7fff, 0x8000,
		0xffff, 0x10000, 0x1fffff, 0x200000, 0x7fffffff, 0x80000000,
		0xfee00000, 0xffffffff, 0x100000000ULL, (1ULL << 39) - 1,
		1ULL << 39, (1ULL << 48) - 1, 1ULL << 48, 1ULL << 52,
		1ULL << 63, ~0xfffULL, ~0ULL, RAM_GPA, RAM_GPA + RAM_SIZE,
		RAM_GPA + RAM_SIZE - 1, HIGH_GPA, HIGH_GPA + HIGH_SIZE,
		HOLE_GPA, DATA_IOVA, OUT_IOVA,
	};
	u64 value;

	switch (rng_below(rng, 4)) {
	case 0:
		return rng_next(rng) >> rng_below(rng, 64);
	case 1:
		return rng_below(rng, 256);
	default:
		value = interesting[rng_below(rng, sizeof(interesting) /
					      sizeof(*interesting))];
		return rng_chance(rng, 30) ? value + rng_below(rng, 5) - 2 :
					     value;
	}
}

static u64 some_gpa(struct rng *rng)
{
	if (rng_chance(rng, 10))
		return number(rng);
	if (rng_chance(rng, 30))
		return HIGH_GPA + rng_below(rng, HIGH_SIZE / PAGE) * PAGE;
	return DATA_GPA + rng_below(rng, 3072) * PAGE;
}

/* Mostly near each other, and never where the machine itself has memory */
static u64 some_iova(struct rng *rng)
{
	u64 iova = 0x200000000ULL + rng_below(rng, 2048) * PAGE;

	if (rng_chance(rng, 10))
		iova |= rng_below(rng, 256) << 39;
	return iova;
}

static u64 pool_page(struct fuzz *f, struct rng *rng)
{
	return f->pool + rng_below(rng, POOL) * PAGE;
}

/* ---- tables ---- */

/* An entry of any table: a page, a link to another table, or anything */
static u64 some_entry(struct fuzz *f, struct rng *rng)
{
	u64 entry;

	switch (rng_below(rng, 8)) {
	case 0:
		return 0;
	case 1:
		entry = number(rng);
		break;
	case 2:
	case 3:
		entry = pool_page(f, rng) | 7;
		break;
	case 4:
		/* A large page */
		entry = (some_gpa(rng) & ~(2 * MiB - 1)) | 0x87;
		break;
	default:
		entry = (some_gpa(rng) & ~(PAGE - 1)) | 7;
	}
	if (rng_chance(rng, 20))
		entry ^= 1ULL << rng_below(rng, 13);
	if (rng_chance(rng, 2))
		entry ^= 1ULL << rng_below(rng, 64);
	return entry;
}

static void scribble(struct fuzz *f, struct rng *rng)
{
	u64 page = pool_page(f, rng);
	volatile u64 *entry = vtd_ptr(&f->v, page) + rng_below(rng, 512);
	unsigned int n = 1 + rng_below(rng, 8);

	switch (rng_below(rng, 16)) {
	case 0:
		memset((void *)vtd_ptr(&f->v, page), 0, PAGE);
		break;
	case 1:
		/* A page of pages */
		for (n = 0; n < 512; n++)
			vtd_ptr(&f->v, page)[n] = (DATA_GPA + n * PAGE) | 7;
		break;
	default:
		/* The first ones meet each other */
		if (rng_chance(rng, 70))
			entry = vtd_ptr(&f->v, page) + rng_below(rng, 8);
		*entry = some_entry(f, rng);
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

static void op_tables(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 32);

	while (n--) {
		/* Where DMA goes, so that there is something to be compared */
		if (rng_chance(&f->rng, 50))
			vtd_ptr(&f->v, f->pool + rng_below(&f->rng, 8) * PAGE)
				[rng_below(&f->rng, 512)] =
					(some_gpa(&f->rng) & 0xfffffffff000ULL) |
					vtd_rw(f->mode);
		else
			scribble(f, &f->rng);
	}
	if (rng_chance(&f->rng, 5))
		vtd_ptr(&f->v, f->table)[rng_below(&f->rng, 16)] =
			some_entry(f, &f->rng);
}

/* Root, context and PASID tables, as they should be */
static void enter_all(struct fuzz *f)
{
	int i;

	memset((void *)vtd_ptr(&f->v, f->v.root), 0, PAGE);
	f->v.used = f->entries;
	for (i = 0; i < f->host.endpoints; i++)
		vtd_enter(&f->v, f->mode, SID(i), DID, f->table, f->second);
}

static void op_endpoint(struct fuzz *f)
{
	u16 sid = SID(rng_below(&f->rng, f->host.endpoints));
	u64 table = rng_chance(&f->rng, 50) ? f->table :
					      pool_page(f, &f->rng);
	u16 did = rng_chance(&f->rng, 5) ? number(&f->rng) :
					   DID + rng_below(&f->rng, 2);

	enter_all(f);
	switch (rng_below(&f->rng, 6)) {
	case 0:
		vtd_leave(&f->v, f->mode, sid);
		break;
	case 1:
		if (f->v.scalable)
			vtd_set_pasid(&f->v, sid, rng_below(&f->rng, 8), did,
				      table, f->second);
		else
			vtd_set_context(&f->v, sid, table |
					rng_below(&f->rng, 16),
					(u64)did << 8 | rng_below(&f->rng, 8));
		break;
	default:
		vtd_enter(&f->v, f->mode, sid, did, table, f->second);
	}
	while (rng_chance(&f->rng, 20))
		vtd_ptr(&f->v, rng_chance(&f->rng, 20) ? f->v.root :
			f->v.gpa + f->entries)
			[rng_below(&f->rng, 512 * 3)] = some_entry(f, &f->rng);
}

/* ---- the driver ---- */

static void must(struct fuzz *f, bool good, const char *what)
{
	if (good)
		return;
	ksft_print_msg("after %llu operations\n", (unsigned long long)f->ops);
	ksft_exit_fail_msg("%s\n", what);
}

static void clean_tables(struct fuzz *f)
{
	struct vtd *v = &f->v;
	unsigned int i;
	u64 at;

	v->scalable = f->mode != VTD_LEGACY;
	f->table = vtd_page(v);
	f->second = vtd_page(v);
	f->pool = vtd_page(v);
	for (i = 1; i < POOL; i++)
		vtd_page(v);
	for (at = 0; at < RAM_SIZE; at += 2 * MiB)
		vtd_map(v, f->second, RAM_GPA + at, RAM_GPA + at, 21,
			VTD_R | VTD_W);
	for (at = 0; at < HIGH_SIZE; at += 2 * MiB)
		vtd_map(v, f->second, HIGH_GPA + at, HIGH_GPA + at, 21,
			VTD_R | VTD_W);
	vtd_map(v, f->table, DATA_IOVA, DATA_GPA, 12, vtd_rw(f->mode));
	vtd_map(v, f->table, OUT_IOVA, OUT_GPA, 12, vtd_rw(f->mode));
	/* Tables of addresses near each other are in the pool */
	at = vtd_entry(v, f->table, 0x200000000ULL, 21, 7);
	for (i = 0; i < 8; i++)
		vtd_ptr(v, at)[i] = (f->pool + i * PAGE) | 7;
	f->entries = v->used;
	enter_all(f);
}

/* As a driver does whose unit stopped, or that finds it as another one left it */
static void restart(struct fuzz *f)
{
	struct vtd *v = &f->v;

	must(f, !vtd_command(v, 0, VTD_QIE), "the queue can't be turned off");
	vtd_write(v, VTD_FSTS, ~0u, 4);
	must(f, !vtd_queue_start(v), "the queue can't be turned on");
	must(f, !vtd_set_root(v), "the root pointer can't be set");
	must(f, !vtd_command(v, VTD_TE, 0), "translation can't be turned on");
}

static void sync_queue(struct fuzz *f)
{
	int rc = vtd_sync(&f->v);

	must(f, rc != -ETIMEDOUT, "a wait descriptor was never complete");
	f->waits++;
	if (!rc)
		return;
	f->errors++;
	restart(f);
}

/* ---- operations ---- */

static void some_descriptor(struct fuzz *f, u64 *word0, u64 *word1)
{
	struct rng *rng = &f->rng;
	u16 sid = SID(rng_below(rng, f->host.endpoints));
	u16 did = DID + rng_below(rng, 2);
	u64 page = some_iova(rng) | rng_below(rng, rng_chance(rng, 50) ? 2 : 20);

	*word1 = 0;
	switch (rng_below(rng, f->v.scalable ? 12 : 8)) {
	case 0:
		*word0 = VTD_D_CONTEXT(1 + rng_below(rng, 3), did, sid);
		break;
	case 1:
		*word0 = VTD_D_IOTLB(VTD_GLOBAL, 0);
		break;
	case 2:
	case 3:
		*word0 = VTD_D_IOTLB(VTD_DOMAIN, did);
		break;
	case 4:
	case 5:
		*word0 = VTD_D_IOTLB(VTD_PAGE, did);
		*word1 = page;
		break;
	case 6:
		*word0 = VTD_D_DEVTLB(sid);
		*word1 = page & ~0x3eULL;
		break;
	case 7:
		*word0 = rng_chance(rng, 50) ? VTD_D_IEC : VTD_D_WAIT_IRQ;
		break;
	case 8:
		*word0 = VTD_D_PIOTLB(2, did);
		break;
	case 9:
	case 10:
		*word0 = VTD_D_PIOTLB(VTD_PAGE, did);
		*word1 = page;
		break;
	default:
		*word0 = VTD_D_PASID(rng_below(rng, 4), did);
	}
	/* Mutations */
	while (rng_chance(rng, 5))
		*word0 ^= 1ULL << rng_below(rng, 64);
	while (rng_chance(rng, 5))
		*word1 ^= 1ULL << rng_below(rng, 64);
	if (rng_chance(rng, 1))
		*word0 = number(rng);
}

static void op_queue(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 16);
	u64 word0, word1;

	while (n--) {
		some_descriptor(f, &word0, &word1);
		vtd_put(&f->v, word0, word1);
		if (rng_chance(&f->rng, 20))
			vtd_ring(&f->v);
	}
	sync_queue(f);
}

static void op_raw_queue(struct fuzz *f)
{
	struct vtd *v = &f->v;
	unsigned int n = rng_below(&f->rng, 32);
	u64 word0, word1;

	while (n--) {
		volatile u64 *at = vtd_ptr(v, v->iq) + rng_below(&f->rng, 512);

		some_descriptor(f, &word0, &word1);
		*at = rng_chance(&f->rng, 90) ? word0 : number(&f->rng);
	}
	if (rng_chance(&f->rng, 30))
		vtd_write(v, VTD_IQA, number(&f->rng), 8);
	vtd_write(v, VTD_IQT, rng_chance(&f->rng, 80) ?
			      rng_below(&f->rng, 256) * 16 : number(&f->rng), 8);
	if (rng_chance(&f->rng, 30))
		vtd_write(v, VTD_FSTS, VTD_FSTS_IQE, 4);
	restart(f);
}

static void op_registers(struct fuzz *f)
{
	static const u16 known[] = {
		VTD_GCMD, VTD_GCMD, VTD_GCMD, VTD_RTADDR, VTD_CCMD, VTD_CCMD,
		VTD_FSTS, VTD_FECTL, VTD_IQT, VTD_IQA, VTD_ICS, VTD_IECTL,
		VTD_CCMD + 4, 0xb8, 0xf0, 0xf8, 0xf8, 0xfc, 0x220, 0x22c,
	};
	struct vfio_dev *dev = &f->vmm.viommu;
	unsigned int n = 1 + rng_below(&f->rng, 12);
	u8 buf[16];

	if (rng_chance(&f->rng, 30))
		vtd_command(&f->v, 0, VTD_QIE);
	while (n--) {
		u64 off = rng_below(&f->rng, 0x300), value = number(&f->rng);
		size_t len = 1 << rng_below(&f->rng, 4);

		if (rng_chance(&f->rng, 80)) {
			off = known[rng_below(&f->rng, sizeof(known) /
					      sizeof(*known))];
			len = rng_chance(&f->rng, 50) ? 4 : 8;
		}
		if (rng_chance(&f->rng, 5))
			off = rng_next(&f->rng) % (64 * MiB);
		if (rng_chance(&f->rng, 5))
			len = rng_below(&f->rng, sizeof(buf));
		/* Some that do something */
		if (rng_chance(&f->rng, 30))
			value = 1ULL << (rng_chance(&f->rng, 50) ?
					 rng_below(&f->rng, 64) :
					 22 + rng_below(&f->rng, 10));
		else if (rng_chance(&f->rng, 30))
			value |= 3ULL << 61;
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
	restart(f);
}

static void op_command(struct fuzz *f)
{
	struct vtd *v = &f->v;

	switch (rng_below(&f->rng, 4)) {
	case 0:
		vtd_command(v, 0, VTD_TE);
		if (rng_chance(&f->rng, 50))
			vfio_bus_master(&f->vmm.edu[0].dev, false);
		break;
	case 1:
		/* Any page as the root table */
		vtd_write(v, VTD_RTADDR, pool_page(f, &f->rng) |
			  rng_below(&f->rng, 4) << 10, 8);
		vtd_command(v, VTD_SRTP, 0);
		break;
	case 2:
		/* The old way, without the queue */
		vtd_command(v, 0, VTD_QIE);
		vtd_write(v, VTD_CCMD, 1ULL << 63 | 1ULL << 61, 8);
		vtd_write(v, 0xf8, 1ULL << 63 | 1ULL << 60, 8);
		break;
	default:
		vtd_set_root(v);
		return;
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
	/* Now and then all of it, with tables and queue */
	if (rng_chance(&f->rng, 5)) {
		iommufd_unmap(f->vmm.iommufd, f->vmm.ioas, RAM_GPA, RAM_SIZE);
		op_registers(f);
		vtd_ring(&f->v);
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
		op_queue(f);
		vfio_attach(&edu->dev, vmm->hwpt);
		break;
	case 3:
		vfio_detach(&vmm->viommu);
		op_raw_queue(f);
		vfio_attach(&vmm->viommu, vmm->ioas);
		break;
	case 4:
		vfio_set_irqs(&vmm->viommu, rng_below(&f->rng, 5),
			      rng_below(&f->rng, 3), rng_below(&f->rng, 3),
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

	edu_start_store(edu, some_iova(&f->rng) & 0x200ffffffULL, 64);
}

static void op_look(struct fuzz *f)
{
	static const char *const files[] = {
		"state", "endpoints", "domains", "mappings", "counters",
	};
	static char text[65536];
	char value[32];

	mdev_debugfs(&f->host.mdev, files[rng_below(&f->rng, 5)], text,
		     sizeof(text));
	mdev_get(&f->host.mdev, "endpoints", text, sizeof(text));
	snprintf(value, sizeof(value), "%u",
		 1u + (unsigned int)rng_below(&f->rng, 1000));
	mdev_set(&f->host.mdev, "batch", value);
}

/* ---- when all is quiet ---- */

/*
 * What the tables say of an address: 1 and *gpa, 0 nothing, -1 something that is
 * not worth to be known here
 */
static int walk(struct fuzz *f, u64 iova, u64 *gpa)
{
	bool first = vtd_is_first(f->mode);
	u64 table = f->table, known = first ? 0x67 : 0x7, entry, mask;
	unsigned int shift;

	for (shift = 39;; shift -= 9) {
		if (table < f->v.gpa || table >= f->v.gpa + VTD_MEMORY)
			return -1;
		entry = vtd_ptr(&f->v, table)[iova >> shift & 511];
		if (first ? !(entry & 1) : !(entry & 3))
			return 0;
		/* All that is allowed, and nothing that is odd */
		if ((entry & vtd_rw(f->mode)) != vtd_rw(f->mode))
			return -1;
		if (shift == 12 || entry & 0x80)
			break;
		if (entry & 0xfffULL & ~known)
			return -1;
		table = entry & ~0xfffULL;
	}
	mask = (1ULL << shift) - 1;
	if (shift > 21 || entry & mask & ~(known | 0x80) || entry >> 48)
		return -1;
	*gpa = (entry & ~0xfffULL & ~mask) | (iova & mask);
	return 1;
}

/* Not where tables are, which the device would write to */
static bool is_ram(u64 gpa)
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

static void tell(struct fuzz *f, u64 iova, u64 gpa, int want, int got)
{
	static const char *const files[] = {
		"state", "endpoints", "domains", "counters",
	};
	static char text[4096];
	u64 table = f->table;
	unsigned int shift, i;

	ksft_print_msg("mode %d: DMA to 0x%llx: %d, expected %d at 0x%llx\n",
		       f->mode, (unsigned long long)iova, got, want,
		       (unsigned long long)gpa);
	for (shift = 39; shift >= 12; shift -= 9) {
		u64 entry = vtd_ptr(&f->v, table)[iova >> shift & 511];

		ksft_print_msg("entry of 2^%u bytes: 0x%llx\n", shift,
			       (unsigned long long)entry);
		if (!(entry & 7) || entry & 0x80)
			break;
		table = entry & 0xfffffffff000ULL;
	}
	for (i = 0; i < 4; i++)
		if (mdev_debugfs(&f->host.mdev, files[i], text, sizeof(text)) >= 0)
			ksft_print_msg("%s:\n%s", files[i], text);
}

/* Devices must reach what the tables say. */
static void compare(struct fuzz *f)
{
	u64 iova = 0, gpa = 0;
	unsigned int tries;
	int want = -1, got;

	pthread_mutex_lock(&f->quiet);
	enter_all(f);
	restart(f);
	must(f, !vtd_flush_all(&f->v), "the queue does not work");
	vfio_bus_master(&f->vmm.edu[0].dev, true);
	edu_wait(&f->vmm.edu[0]);
	for (tries = 0; !is_limited(f) && tries < 100 && want < 0; tries++) {
		iova = some_iova(&f->rng) & 0x200ffffffULL;
		want = walk(f, iova, &gpa);
		/* Those that are there are worth more */
		if ((want == 1 && !is_ram(gpa)) ||
		    (!want && rng_chance(&f->rng, 70)))
			want = -1;
	}
	if (want >= 0) {
		got = vmm_can_write(&f->vmm, 0, iova, want ? gpa : DATA_GPA);
		if (got != want)
			tell(f, iova, gpa, want, got);
		must(f, got == want, "DMA went elsewhere than the tables say");
		f->compared++;
	}
	pthread_mutex_unlock(&f->quiet);
}

static const struct {
	void (*run)(struct fuzz *f);
	unsigned int weight;
} ops[] = {
	{ op_queue, 40 },	{ op_tables, 30 },	{ op_endpoint, 6 },
	{ op_raw_queue, 5 },	{ op_registers, 5 },	{ op_command, 3 },
	{ op_memory, 4 },	{ op_vfio, 2 },		{ op_dma, 2 },
	{ op_look, 2 },		{ compare, 1 },
};

static void op(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 100), i;

	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	ops[i].run(f);
	f->ops++;
}

/* A new VMM, well-behaved, with another setting; its driver is left running */
static void check_sane(struct fuzz *f)
{
	struct mdev *mdev = &f->host.mdev;
	struct rng *rng = &f->rng;
	const char *left;
	int rc;

	pthread_mutex_lock(&f->quiet);
	vmm_close(&f->vmm);
	left = host_leftovers(&f->host);
	must(f, !left, left);
	f->mode = rng_below(rng, VTD_MODES);
	mdev_set(mdev, "pin", rng_chance(rng, 50) ? "cache" : "demand");
	mdev_set(mdev, "scalable", f->mode != VTD_LEGACY ? "1" : "0");
	mdev_set(mdev, "first_stage", vtd_is_first(f->mode) ? "1" : "0");
	mdev_set(mdev, "address_width", rng_chance(rng, 50) ? "0" : "48");
	mdev_set(mdev, "max_mappings",
		 rng_chance(rng, 50) ? "20000" : "1000");
	mdev_set(mdev, "max_domains", rng_chance(rng, 80) ? "65536" : "1");
	rc = vmm_up(&f->vmm, VMM_BUS_MASTER);
	must(f, !rc, rc ? vmm_step_name[f->vmm.next] : "");
	vtd_init(&f->v, &f->vmm.viommu, f->vmm.ram, RAM_GPA, false);
	clean_tables(f);
	restart(f);
	must(f, vmm_can_write(&f->vmm, 0, DATA_IOVA, DATA_GPA) == 1,
	     "DMA to a mapped page did not arrive");
	must(f, !vmm_can_write(&f->vmm, 0, DATA_GPA, DATA_GPA),
	     "DMA to an unmapped page arrived");
	pthread_mutex_unlock(&f->quiet);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
	static struct fuzz f;
	u64 end, last, next;
	int rc, i;

	f.rng.state = argc > 2 ? strtoull(argv[2], NULL, 0) : now_ns();
	f.scribbles.state = f.rng.state + 1;
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("fuzz for %u s, seed 0x%llx\n", seconds,
		       (unsigned long long)f.rng.state);
	rc = host_setup(&f.host, KVIOMMU_VTD, 2);
	if (rc == -ENODEV)
		rc = host_setup(&f.host, KVIOMMU_VTD, 1);
	if (rc == -ENODEV)
		ksft_exit_skip("%s\n", f.host.why);
	if (rc)
		ksft_exit_fail_msg("%s\n", f.host.why);
	for (i = 0; i < 2; i++)
		f.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vmm_init(&f.vmm, &f.host, NULL);
	pthread_mutex_init(&f.quiet, NULL);
	check_sane(&f);
	if (pthread_create(&f.scribbler, NULL, scribbler, &f))
		ksft_exit_fail_msg("no thread\n");
	end = now_ns() + seconds * 1000000000ULL;
	last = end + 9 * seconds * 1000000000ULL;
	/* On a slow machine until there is something that tells. */
	while (now_ns() < end ||
	       ((f.waits == f.errors || !f.compared) && now_ns() < last)) {
		next = now_ns() + 5000000000ULL;
		while (now_ns() < next)
			op(&f);
		check_sane(&f);
	}
	__atomic_store_n(&f.end, true, __ATOMIC_RELAXED);
	pthread_join(f.scribbler, NULL);
	vmm_close(&f.vmm);
	host_teardown(&f.host);
	ksft_print_msg("%llu operations, %llu waits, %llu of them not complete, %llu times compared\n",
		       (unsigned long long)f.ops, (unsigned long long)f.waits,
		       (unsigned long long)f.errors,
		       (unsigned long long)f.compared);
	/* A fuzzer that only gets refusals tests nothing behind them */
	if (f.waits == f.errors || !f.compared)
		ksft_exit_fail_msg("too much was refused\n");
	ksft_test_result_pass("vtd_fuzz\n");
	ksft_finished();
}
