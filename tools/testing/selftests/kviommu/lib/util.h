/* SPDX-License-Identifier: GPL-2.0-only */
/* Files, time and random numbers: what every part of the library needs. */
#ifndef KVIOMMU_TEST_UTIL_H
#define KVIOMMU_TEST_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KiB	1024ULL
#define MiB	(1024 * KiB)
#define PAGE	4096ULL

/*
 * How long to wait for what is sure to come: a debug kernel in an emulated machine
 * is slow, and only what never comes costs that much
 */
#define PATIENCE_MS	120000
#define PATIENCE_NS	(PATIENCE_MS * 1000000ULL)

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* All functions of the library return 0 (or a count), or a negative errno. */

int file_write(const char *path, const char *text);
int file_read(const char *path, char *buf, size_t size);
bool path_exists(const char *path);
/* Name of the directory that the symbolic link points to, "" if there is none */
int link_name(const char *path, char *buf, size_t size);
/* First entry of a directory that starts with prefix */
int dir_first(const char *dir, const char *prefix, char *buf, size_t size);

u64 now_ns(void);
void sleep_ms(unsigned int ms);
/* How often it was signalled, 0 if that never happens */
u64 eventfd_take(int fd);

/* A generator of our own: a failing fuzz run is repeated from its seed */
struct rng {
	u64 state;
};

u64 rng_next(struct rng *rng);
static inline u64 rng_below(struct rng *rng, u64 limit)
{
	return rng_next(rng) % limit;
}

static inline bool rng_chance(struct rng *rng, unsigned int percent)
{
	return rng_below(rng, 100) < percent;
}

#define rng_pick(rng, array) \
	((array)[rng_below(rng, sizeof(array) / sizeof(*(array)))])

/* Pages that this process (mm) has pinned, in KiB, as the kernel counts them */
long process_pinned_kb(void);

/* The kernel's log: what it says from kmsg_open() on; has it said that? */
int kmsg_open(void);
bool kmsg_says(int fd, const char *text);

/* Taint by a warning or an oops; a test that "passes" with a splat has failed */
bool kernel_tainted_by_splat(void);

#endif
