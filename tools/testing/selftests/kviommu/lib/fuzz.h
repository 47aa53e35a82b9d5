/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fuzzers have in common: random operations on a vIOMMU for a bounded time,
 * by "PROGRAM [seconds [seed]]", and every few seconds, and at the end, a new VMM
 * that behaves well and has to work.
 *
 * For a model with tables in guest memory, a thread of its own changes these
 * while they are walked, as other CPUs of a guest may. Every now and then all is
 * quiet: then a device must reach what the tables say and nothing else.
 */
#ifndef KVIOMMU_TEST_FUZZ_H
#define KVIOMMU_TEST_FUZZ_H

#include <pthread.h>

#include "vmm.h"

/* Addresses near each other, where the machine itself has no memory */
#define FUZZ_IOVA	0x200000000ULL
#define FUZZ_PAGES	2048
/* Pages that tables of all kinds are in, which they are linked to at random */
#define FUZZ_POOL	24
/* The first of these: last-level tables of FUZZ_IOVA and what follows */
#define FUZZ_LEAVES	(FUZZ_PAGES / 512)

struct fuzz;

struct fuzz_op {
	void (*run)(struct fuzz *f);
	unsigned int weight;	/* percent */
};

/* What an entry of a table is for the one that compares */
enum fuzz_kind { FUZZ_NONE, FUZZ_TABLE, FUZZ_PAGE, FUZZ_ODD };

/*
 * The bits of entries that allow all: of a table, of a page and of one of 2 MiB;
 * and of a page of 2 MiB in a second stage below
 */
struct fuzz_bits {
	u64 table;
	u64 page;
	u64 large;
	u64 second;
};

struct fuzz_model {
	const char *type;	/* of mdev */
	const char *tries;	/* what fuzz::tries counts */
	enum vmm_step step;	/* up to where the VMM does without the driver */
	/* Weights have a sum of 100 */
	const struct fuzz_op *ops;
	/* Set attributes, before the VMM opens the vIOMMU */
	void (*configure)(struct fuzz *f);
	/* A new VMM has come up: have a driver, and set fuzz::bits */
	void (*init)(struct fuzz *f);
	/* Be a working driver again, whatever was done */
	void (*restart)(struct fuzz *f);
	/* What a guest may do when its memory, or the vIOMMU, is taken away */
	void (*away)(struct fuzz *f);
	/* Some requests, with answers */
	void (*requests)(struct fuzz *f);

	/* For a model with tables in guest memory, else all NULL: */
	/* A page of zeroes for tables */
	u64 (*page)(struct fuzz *f);
	/* Set the entry of a table for 2^shift bytes at an address */
	void (*set)(struct fuzz *f, u64 table, u64 iova, unsigned int shift,
		    u64 value);
	/* Translate all devices by fuzz::table and fuzz::second */
	void (*enter)(struct fuzz *f);
	/* Invalidate all */
	int (*flush)(struct fuzz *f);
	enum fuzz_kind (*kind_of)(struct fuzz *f, u64 entry, unsigned int shift);
};

struct fuzz {
	const struct fuzz_model *model;
	struct host host;
	struct vmm vmm;
	struct rng rng;
	u64 ops;
	u64 tries;
	u64 good;		/* of them */
	u64 compared;
	int fds[3];

	struct fuzz_bits bits;
	u64 table;		/* of 4 levels, as is the next one */
	u64 second;
	u64 pool;		/* FUZZ_POOL pages */
	/* The other thread; it has a generator of its own */
	pthread_t scribbler;
	struct rng scribbles;
	pthread_mutex_t quiet;
	bool end;
};

/* Runs the operations, prints seed and counts, ends the program */
void fuzz_main(const struct fuzz_model *model, int argc, char **argv);
/* Ends the program as failed if it is not good */
void fuzz_must(struct fuzz *f, bool good, const char *what);

/* A value that breaks things, or at least once did somewhere */
u64 fuzz_number(struct rng *rng);
/* Mostly of memory, and of pages */
u64 fuzz_gpa(struct rng *rng);
/* Mostly one of few pages, so that what is done there meets; near: always */
u64 fuzz_iova(struct rng *rng);
u64 fuzz_near(struct rng *rng);
/* Sometimes change bits of a descriptor or a command */
void fuzz_mutate(struct rng *rng, u64 *word0, u64 *word1);
/* An assigned endpoint */
unsigned int fuzz_endpoint(struct fuzz *f);
/* A page of the pool, and an entry of any table */
u64 fuzz_pool(struct fuzz *f, struct rng *rng);
u64 fuzz_entry(struct fuzz *f, struct rng *rng);

static inline volatile u64 *fuzz_ptr(struct fuzz *f, u64 gpa)
{
	return vmm_ptr(&f->vmm, gpa);
}

/* Mostly write a register, and sometimes the configuration space */
void fuzz_access(struct fuzz *f, u64 off, u64 value, size_t len);

/* Operations */
void fuzz_memory(struct fuzz *f);
void fuzz_vfio(struct fuzz *f);
void fuzz_dma(struct fuzz *f);
void fuzz_look(struct fuzz *f);
void fuzz_settings(struct fuzz *f);
/* With tables */
void fuzz_tables(struct fuzz *f);
void fuzz_compare(struct fuzz *f);

#endif
