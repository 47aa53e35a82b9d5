// SPDX-License-Identifier: GPL-2.0-only
/*
 * randread DEVICE COUNT: read COUNT random 4 KiB blocks past the page cache, one
 * after the other, and print "reads COUNT nanoseconds N".
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t state = 0x9e3779b97f4a7c15, start, blocks;
	unsigned long count;
	void *buffer;
	off_t size;
	int fd;

	if (argc != 3)
		errx(1, "usage: randread DEVICE COUNT");
	count = strtoul(argv[2], NULL, 0);
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		err(1, "%s", argv[1]);
	size = lseek(fd, 0, SEEK_END);
	blocks = size / BLOCK;
	if (size < 0 || !blocks)
		errx(1, "%s: too small", argv[1]);
	if (posix_memalign(&buffer, BLOCK, BLOCK))
		errx(1, "no memory");

	start = now();
	for (unsigned long i = 0; i < count; i++) {
		/* xorshift: the same blocks in every run */
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		if (pread(fd, buffer, BLOCK, state % blocks * BLOCK) != BLOCK)
			err(1, "read %lu", i);
	}
	printf("reads %lu nanoseconds %llu\n", count, (unsigned long long)(now() - start));
	return 0;
}
