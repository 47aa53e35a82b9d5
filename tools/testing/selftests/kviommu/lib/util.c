// SPDX-License-Identifier: GPL-2.0-only
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	/* One write(2): sysfs sees the whole text or nothing */
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		if (!n)
			break;
		len += n;
	}
	close(fd);
	buf[len] = '\0';
	return len;
}

bool path_exists(const char *path)
{
	return !access(path, F_OK);
}

int link_name(const char *path, char *buf, size_t size)
{
	char target[1024];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	const char *name;

	buf[0] = '\0';
	if (len < 0)
		return -errno;
	target[len] = '\0';
	name = strrchr(target, '/');
	snprintf(buf, size, "%s", name ? name + 1 : target);
	return 0;
}

int dir_first(const char *dir, const char *prefix, char *buf, size_t size)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int rc = -ENOENT;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(buf, size, "%s", entry->d_name);
		rc = 0;
		break;
	}
	closedir(d);
	return rc;
}

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

u64 eventfd_take(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 count = 0;

	if (poll(&p, 1, PATIENCE_MS) == 1 && read(fd, &count, 8) != 8)
		count = 0;
	return count;
}

/* splitmix64 */
u64 rng_next(struct rng *rng)
{
	u64 z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

long process_pinned_kb(void)
{
	char buf[8192];
	char *line;

	if (file_read("/proc/self/status", buf, sizeof(buf)) < 0)
		return -1;
	line = strstr(buf, "VmPin:");
	return line ? strtol(line + strlen("VmPin:"), NULL, 10) : -1;
}

bool kernel_tainted_by_splat(void)
{
	char buf[64];

	if (file_read("/proc/sys/kernel/tainted", buf, sizeof(buf)) < 0)
		return false;
	/* TAINT_DIE and TAINT_WARN */
	return strtoul(buf, NULL, 0) & ((1 << 7) | (1 << 9));
}

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

bool kmsg_says(int fd, const char *text)
{
	char line[2048];
	ssize_t len;

	/* A record for each read; EPIPE if some were lost */
	while ((len = read(fd, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (len <= 0)
			continue;
		line[len] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}
