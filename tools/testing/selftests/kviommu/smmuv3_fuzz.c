// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random tables, commands, register writes, memory removal and DMA on an SMMUv3
 * vIOMMU, for a bounded time: "smmuv3_fuzz [seconds [seed]]". A thread of its own
 * changes tables while they are walked, as other CPUs of a guest may.
 *
 * Every now and then all is quiet: then devices must reach what the tables say
 * and nothing else. And every few seconds, and at the end, a well-behaved VMM has
 * to work. The kernel's debugging finds the rest.
 */
#include "kselftest.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/smmuv3.h"
#include "lib/vmm.h"

/* Pages that tables of all kinds are in, which they are linked to at random */
#define POOL		24
/* Pages that are last-level tables of addresses from FUZZ_IOVA on */
#define LEAVES		8
#define FUZZ_IOVA	0x200000000ULL
#define SID(n)		ENDPOINT(n)
#define ASID		5
#define VMID		3

struct fuzz {
	struct host host;
	struct vmm vmm;
	struct smmu s;
	struct rng rng;
	enum smmu_config config;
	u64 table;		/* of level 0, as is the next one */
	u64 second;
	u64 cd;
	u64 pool;		/* POOL pages */
	u64 ops;
	u64 syncs;
	u64 errors;
	u64 compared;
	int fds[2];
	/* The other thread; it has a generator of its own */
	pthread_t scribbler;
	struct rng scribbles;
	pthread_mutex_t quiet;
	bool end;
};

/* Values that break things: one bit, all from one on, small ones, addresses */
static u64 number(struct rng *rng)
{
	static const u64 addresses[] = {
		RAM_GPA, RAM_GPA + RAM_SIZE, HIGH_GPA, HIGH_GPA + HIGH_SIZE,
		HOLE_GPA, DATA_IOVA, FUZZ_IOVA, 0xfee00000,
	};

	switch (rng_below(rng, 5)) {
	case 0:
		return rng_next(rng) >> rng_below(rng, 64);
	case 1:
		return 1ULL << rng_below(rng, 64);
	case 2:
		return -1ULL << rng_below(rng, 64);
	case 3:
		return rng_below(rng, 256);
	default:
		return addresses[rng_below(rng, sizeof(addresses) /
						sizeof(*addresses))];
	}
}

static u64 some_gpa(struct rng *rng)
{
	if (rng_chance(rng, 10))
		return number(rng) & ~(PAGE - 1);
	if (rng_chance(rng, 30))
		return HIGH_GPA + rng_below(rng, HIGH_SIZE / PAGE) * PAGE;
	return DATA_GPA + rng_below(rng, 3072) * PAGE;
}

/* Mostly near each other */
static u64 some_iova(struct rng *rng)
{
	u64 iova = FUZZ_IOVA + rng_below(rng, LEAVES * 512) * PAGE;

	return rng_chance(rng, 10) ? iova | number(rng) : iova;
}

static u64 pool_page(struct fuzz *f, struct rng *rng)
{
	return f->pool + rng_below(rng, POOL) * PAGE;
}

static u64 rw(const struct fuzz *f)
{
	return f->config == SMMU_S2 ? SMMU_S2_RW : SMMU_S1_RW;
}

/* ---- tables ---- */

/* An entry of any table: a page, a block, a link to a table, or anything */
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
		entry = pool_page(f, rng) | 3;
		break;
	case 4:
		entry = (some_gpa(rng) & ~(2 * MiB - 1)) | rw(f);
		break;
	default:
		entry = some_gpa(rng) | rw(f) | 2;
	}
	if (rng_chance(rng, 20))
		entry ^= 1ULL << rng_below(rng, 13);
	if (rng_chance(rng, 2))
		entry ^= 1ULL << rng_below(rng, 64);
	return entry;
}

static void scribble(struct fuzz *f, struct rng *rng)
{
	volatile u64 *page = smmu_ptr(&f->s, pool_page(f, rng));
	unsigned int n;

	switch (rng_below(rng, 16)) {
	case 0:
		memset((void *)page, 0, PAGE);
		break;
	case 1:
		/* A page of pages */
		for (n = 0; n < 512; n++)
			page[n] = (DATA_GPA + n * PAGE) | rw(f) | 2;
		break;
	default:
		/* The first ones meet each other */
		page[rng_below(rng, rng_chance(rng, 70) ? 8 : 512)] =
			some_entry(f, rng);
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
			smmu_ptr(&f->s, f->pool +
				 rng_below(&f->rng, LEAVES) * PAGE)
				[rng_below(&f->rng, 512)] =
					(some_gpa(&f->rng) & 0xfffffffff000ULL) |
					rw(f) | 2;
		else
			scribble(f, &f->rng);
	}
}

/* ---- streams ---- */

/* The stage that begins at level 1: its table is one below the other's */
static u64 level1(struct fuzz *f, u64 table)
{
	return *smmu_ptr(&f->s, table) & ~0xfffULL;
}

static void enter(struct fuzz *f, u32 sid)
{
	u64 s2 = f->config == SMMU_S2 ? level1(f, f->table) :
		 f->config == SMMU_NESTED ? level1(f, f->second) : 0;

	smmu_stream(&f->s, sid, f->config, f->config == SMMU_S2 ? 0 : f->cd,
		    VMID, s2);
}

/* Streams and the context descriptor, as they should be */
static void enter_all(struct fuzz *f)
{
	int i;

	memset((void *)smmu_ptr(&f->s, f->cd), 0, PAGE);
	smmu_cd(&f->s, f->cd, ASID, f->table);
	for (i = 0; i < f->host.endpoints; i++) {
		memset((void *)smmu_ptr(&f->s, f->s.strtab + 64 * SID(i)), 0, 64);
		enter(f, SID(i));
	}
}

static void op_stream(struct fuzz *f)
{
	u32 sid = SID(rng_below(&f->rng, f->host.endpoints));
	volatile u64 *ste = smmu_ptr(&f->s, f->s.strtab + 64 * sid);
	volatile u64 *cd = smmu_ptr(&f->s, f->cd);

	enter_all(f);
	switch (rng_below(&f->rng, 5)) {
	case 0:
		smmu_stream(&f->s, sid, rng_below(&f->rng, 8), f->cd,
			    VMID + rng_below(&f->rng, 2),
			    pool_page(f, &f->rng));
		break;
	case 1:
		smmu_cd(&f->s, f->cd, ASID + rng_below(&f->rng, 2),
			pool_page(f, &f->rng));
		break;
	case 2:
		/* Substreams, with any table */
		ste[0] = (ste[0] & ~0xfffffffff000ULL) | pool_page(f, &f->rng) |
			 rng_next(&f->rng) << 59 | rng_below(&f->rng, 4) << 4;
		ste[1] = rng_below(&f->rng, 4);
		break;
	case 3:
		ste[rng_below(&f->rng, 4)] ^= 1ULL << rng_below(&f->rng, 64);
		break;
	default:
		cd[rng_below(&f->rng, 4)] ^= 1ULL << rng_below(&f->rng, 64);
	}
	while (rng_chance(&f->rng, 20))
		ste[rng_below(&f->rng, 8)] = number(&f->rng);
	while (rng_chance(&f->rng, 20))
		cd[rng_below(&f->rng, 8)] = number(&f->rng);
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
	struct smmu *s = &f->s;
	unsigned int i;
	u64 at;

	f->table = smmu_page(s);
	f->second = smmu_page(s);
	f->cd = smmu_page(s);
	f->pool = smmu_page(s);
	for (i = 1; i < POOL; i++)
		smmu_page(s);
	for (at = 0; at < RAM_SIZE; at += 2 * MiB)
		smmu_map(s, f->second, RAM_GPA + at, RAM_GPA + at, 21,
			 SMMU_S2_RW);
	for (at = 0; at < HIGH_SIZE; at += 2 * MiB)
		smmu_map(s, f->second, HIGH_GPA + at, HIGH_GPA + at, 21,
			 SMMU_S2_RW);
	smmu_map(s, f->table, DATA_IOVA, DATA_GPA, 12, rw(f));
	smmu_map(s, f->table, OUT_IOVA, OUT_GPA, 12, rw(f));
	/* Tables of addresses near each other are in the pool. */
	for (i = 0; i < LEAVES; i++)
		smmu_map(s, f->table, FUZZ_IOVA + i * 2 * MiB,
			 f->pool + i * PAGE, 21, 3);
	enter_all(f);
}

/* As a driver does that finds the SMMU as another one left it */
static void restart(struct fuzz *f)
{
	struct smmu *s = &f->s;

	must(f, !smmu_gbpa(s, true), "GBPA can't be updated");
	must(f, !smmu_enable(s, 0), "the SMMU can't be disabled");
	smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR, 4), 4);
	must(f, !smmu_start(s), "the SMMU can't be enabled");
}

/* The command that it stopped at becomes one that is good (7.1). */
static void go_on(struct fuzz *f)
{
	struct smmu *s = &f->s;
	u32 cons = smmu_read(s, SMMU_CMDQ_CONS, 4) & 0xff;

	*smmu_ptr(s, s->cmdq + cons * 16) = SMMU_C_PREFETCH;
	smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR, 4), 4);
}

static void sync_queue(struct fuzz *f)
{
	unsigned int tries;
	int rc = smmu_sync(&f->s);

	for (tries = 0; rc == -EIO && tries < 20; tries++) {
		f->errors++;
		go_on(f);
		rc = smmu_sync(&f->s);
	}
	must(f, rc != -ETIMEDOUT, "a CMD_SYNC was never complete");
	f->syncs++;
	if (rc)
		restart(f);
}

/* ---- operations ---- */

static void some_command(struct fuzz *f, u64 *word0, u64 *word1)
{
	struct rng *rng = &f->rng;
	u32 sid = SID(rng_below(rng, f->host.endpoints));
	u16 vmid = VMID + rng_below(rng, 2), asid = ASID + rng_below(rng, 2);
	u64 leaf = rng_below(rng, 2);

	*word1 = some_iova(rng) | leaf;
	switch (rng_below(rng, 12)) {
	case 0:
		*word0 = SMMU_C_CFGI_STE(sid);
		*word1 = leaf;
		break;
	case 1:
		*word0 = SMMU_C_CFGI_RANGE(sid);
		*word1 = rng_below(rng, 32);
		break;
	case 2:
		*word0 = rng_chance(rng, 50) ? SMMU_C_CFGI_CD(sid) :
					       SMMU_C_CFGI_CD_ALL(sid);
		*word1 = leaf;
		break;
	case 3:
		*word0 = rng_chance(rng, 50) ? SMMU_C_NH_ALL(vmid) :
					       SMMU_C_S12_VMALL(vmid);
		break;
	case 4:
		*word0 = SMMU_C_NH_ASID(vmid, asid);
		break;
	case 5:
	case 6:
		*word0 = SMMU_C_NH_VA(vmid, asid);
		break;
	case 7:
		*word0 = SMMU_C_NH_VAA(vmid);
		break;
	case 8:
	case 9:
		*word0 = SMMU_C_S2_IPA(vmid);
		break;
	case 10:
		*word0 = rng_chance(rng, 50) ? SMMU_C_NSNH_ALL :
					       SMMU_C_PREFETCH;
		break;
	default:
		*word0 = SMMU_C_SYNC_IRQ(number(rng));
		*word1 = rng_chance(rng, 50) ? f->s.status + 8 : number(rng);
	}
	/* A range of pages */
	if (rng_chance(rng, 20)) {
		*word0 |= rng_below(rng, 32) << 12 |
			  rng_below(rng, rng_chance(rng, 80) ? 4 : 32) << 20;
		*word1 |= rng_below(rng, 16) << 8;
	}
	/* Mutations */
	while (rng_chance(rng, 3))
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
		some_command(f, &word0, &word1);
		smmu_put(&f->s, word0, word1);
		if (rng_chance(&f->rng, 20))
			smmu_ring(&f->s);
	}
	sync_queue(f);
}

static void op_raw_queue(struct fuzz *f)
{
	struct smmu *s = &f->s;
	unsigned int n = rng_below(&f->rng, 32);
	u64 word0, word1;

	while (n--) {
		some_command(f, &word0, &word1);
		smmu_ptr(s, s->cmdq)[rng_below(&f->rng, 512)] =
			rng_chance(&f->rng, 90) ? word0 : number(&f->rng);
	}
	smmu_write(s, SMMU_CMDQ_PROD, rng_chance(&f->rng, 80) ?
		   rng_below(&f->rng, 512) : number(&f->rng), 4);
	if (rng_chance(&f->rng, 30))
		go_on(f);
	restart(f);
}

static void op_registers(struct fuzz *f)
{
	static const u32 known[] = {
		SMMU_CR0, SMMU_CR0, SMMU_CR2, SMMU_GBPA, SMMU_IRQ_CTRL,
		SMMU_GERRORN, SMMU_STRTAB_BASE, SMMU_STRTAB_BASE_CFG,
		SMMU_CMDQ_BASE, SMMU_CMDQ_PROD, SMMU_CMDQ_CONS,
		SMMU_EVENTQ_BASE, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS,
	};
	struct vfio_dev *dev = &f->vmm.viommu;
	unsigned int n = 1 + rng_below(&f->rng, 12);
	u8 buf[16];

	/* Most are writable only while it is off. */
	if (rng_chance(&f->rng, 50))
		smmu_enable(&f->s, 0);
	while (n--) {
		u64 off = rng_below(&f->rng, 0x100), value = number(&f->rng);
		size_t len = 1 << rng_below(&f->rng, 4);

		if (rng_chance(&f->rng, 80)) {
			off = known[rng_below(&f->rng, sizeof(known) /
					      sizeof(*known))];
			len = rng_chance(&f->rng, 50) ? 4 : 8;
		}
		if (rng_chance(&f->rng, 5))
			off = rng_below(&f->rng, 0x20000);
		if (rng_chance(&f->rng, 5))
			len = rng_below(&f->rng, sizeof(buf));
		/* Some that do something: tables and queues of any size */
		if (rng_chance(&f->rng, 40))
			value = pool_page(f, &f->rng) | rng_below(&f->rng, 32);
		else if (off == SMMU_CR0 && rng_chance(&f->rng, 80))
			value = rng_below(&f->rng, 16);
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

static void op_disable(struct fuzz *f)
{
	struct smmu *s = &f->s;

	smmu_gbpa(s, rng_chance(&f->rng, 50));
	smmu_enable(s, rng_below(&f->rng, 16) & ~(SMMU_SMMUEN | 2u));
	if (rng_chance(&f->rng, 50))
		vfio_bus_master(&f->vmm.edu[0].dev, rng_chance(&f->rng, 50));
	smmu_gbpa(s, rng_chance(&f->rng, 50));
	restart(f);
}

static void op_memory(struct fuzz *f)
{
	u64 half = HIGH_SIZE / 2, off = rng_chance(&f->rng, 50) ? half : 0;

	if (rng_chance(&f->rng, 50))
		vmm_add_high(&f->vmm, off, half, rng_chance(&f->rng, 80));
	else
		vmm_remove_high(&f->vmm, off, half);
	/* Now and then all of it, with tables and queues */
	if (rng_chance(&f->rng, 5)) {
		iommufd_unmap(f->vmm.iommufd, f->vmm.ioas, RAM_GPA, RAM_SIZE);
		smmu_ring(&f->s);
		iommufd_map(f->vmm.iommufd, f->vmm.ioas, f->vmm.ram, RAM_SIZE,
			    RAM_GPA, true);
		restart(f);
	}
}

static void op_vfio(struct fuzz *f)
{
	struct vmm *vmm = &f->vmm;
	struct edu *edu = &vmm->edu[rng_below(&f->rng, f->host.endpoints)];

	switch (rng_below(&f->rng, 5)) {
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
	u64 words[4];

	mdev_debugfs(&f->host.mdev, files[rng_below(&f->rng, 5)], text,
		     sizeof(text));
	while (smmu_next_event(&f->s, words))
		;
}

/* ---- when all is quiet ---- */

/*
 * What the tables say of an address: 1 and *gpa, 0 nothing, -1 something that is
 * not worth to be known here. A second stage below it is 1:1 where memory is.
 */
static int walk(struct fuzz *f, u64 iova, u64 *gpa)
{
	u64 table = f->table, entry, mask, low;
	unsigned int shift;

	for (shift = 39;; shift -= 9) {
		if (table < f->s.gpa || table >= f->s.gpa + SMMU_MEMORY)
			return -1;
		entry = smmu_ptr(&f->s, table)[iova >> shift & 511];
		if (!(entry & 1))
			return 0;
		if (shift == 12 || !(entry & 2))
			break;
		if ((entry & 0xfff) != 3 || entry >> 48)
			return -1;
		table = entry & ~0xfffULL;
	}
	mask = (1ULL << shift) - 1;
	low = rw(f) | (shift == 12 ? 2 : 0);
	/* All that is allowed, and nothing that is odd */
	if (shift > 21 || (entry & mask) != low || entry >> 48)
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
	unsigned int i;

	ksft_print_msg("config %d: DMA to 0x%llx: %d, expected %d at 0x%llx\n",
		       f->config, (unsigned long long)iova, got, want,
		       (unsigned long long)gpa);
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
	must(f, !smmu_submit(&f->s, SMMU_C_NSNH_ALL, 0),
	     "the queue does not work");
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
	{ op_queue, 40 },	{ op_tables, 30 },	{ op_stream, 6 },
	{ op_raw_queue, 5 },	{ op_registers, 5 },	{ op_disable, 3 },
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
	static const enum smmu_config configs[] = {
		SMMU_S1, SMMU_S2, SMMU_NESTED,
	};
	struct mdev *mdev = &f->host.mdev;
	struct rng *rng = &f->rng;
	const char *left;
	int rc;

	pthread_mutex_lock(&f->quiet);
	vmm_close(&f->vmm);
	left = host_leftovers(&f->host);
	must(f, !left, left);
	f->config = configs[rng_below(rng, 3)];
	mdev_set(mdev, "pin", rng_chance(rng, 50) ? "cache" : "demand");
	mdev_set(mdev, "max_mappings",
		 rng_chance(rng, 50) ? "20000" : "1000");
	mdev_set(mdev, "max_domains", rng_chance(rng, 80) ? "65536" : "1");
	rc = vmm_up(&f->vmm, VMM_BUS_MASTER);
	must(f, !rc, rc ? vmm_step_name[f->vmm.next] : "");
	smmu_init(&f->s, &f->vmm.viommu, f->vmm.ram, RAM_GPA);
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
	rc = host_setup(&f.host, KVIOMMU_SMMUV3, 2);
	if (rc == -ENODEV)
		rc = host_setup(&f.host, KVIOMMU_SMMUV3, 1);
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
	       ((!f.syncs || !f.compared) && now_ns() < last)) {
		next = now_ns() + 5000000000ULL;
		while (now_ns() < next)
			op(&f);
		check_sane(&f);
	}
	__atomic_store_n(&f.end, true, __ATOMIC_RELAXED);
	pthread_join(f.scribbler, NULL);
	vmm_close(&f.vmm);
	host_teardown(&f.host);
	ksft_print_msg("%llu operations, %llu syncs, %llu command errors, %llu times compared\n",
		       (unsigned long long)f.ops, (unsigned long long)f.syncs,
		       (unsigned long long)f.errors,
		       (unsigned long long)f.compared);
	/* A fuzzer that only gets refusals tests nothing behind them */
	if (!f.syncs || !f.compared)
		ksft_exit_fail_msg("too much was refused\n");
	ksft_test_result_pass("smmuv3_fuzz\n");
	ksft_finished();
}
