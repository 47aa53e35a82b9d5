// SPDX-License-Identifier: GPL-2.0-only
/* Whether this host uses a disk of a PCI device. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kviommu.h"

/* Disks that NVMe reaches by several controllers; the folder has a link to each. */
#define SUBSYSTEMS	"/sys/devices/virtual/nvme-subsystem/"

static bool is_below(const char *path, const char *device)
{
	size_t len = strlen(device);

	return !strncmp(path, device, len) && path[len] == '/';
}

/* @path is that of a disk or partition */
static bool is_of(char *path, const char *device)
{
	char *pattern, controller[PATH_MAX];
	bool is = false;
	glob_t links;
	size_t i;

	if (is_below(path, device))
		return true;
	if (strncmp(path, SUBSYSTEMS, strlen(SUBSYSTEMS)))
		return false;
	*strchrnul(path + strlen(SUBSYSTEMS), '/') = 0;
	pattern = format("%s/nvme*", path);
	if (!glob(pattern, 0, NULL, &links)) {
		for (i = 0; i < links.gl_pathc; i++)
			is |= realpath(links.gl_pathv[i], controller) &&
			      is_below(controller, device);
		globfree(&links);
	}
	free(pattern);
	return is;
}

static bool is_node(const char *path, dev_t number)
{
	struct stat st;

	return !strncmp(path, "/dev/", 5) && !stat(path, &st) &&
	       S_ISBLK(st.st_mode) && st.st_rdev == number;
}

/*
 * Where it is mounted, or NULL. By its name, too: the number of a mount is not that
 * of a disk with btrfs.
 */
static char *mount_of(dev_t number)
{
	char *text = read_file("/proc/self/mountinfo"), *rest = text, *line, *tail;
	char where[256], source[PATH_MAX], *mount = NULL;
	unsigned int major, minor;

	while (rest && !mount && next_line(&rest, &line)) {
		tail = strstr(line, " - ");
		if (!tail || sscanf(line, "%*s %*s %u:%u %*s %255s", &major, &minor, where) != 3 ||
		    sscanf(tail, " - %*s %4095s", source) != 1)
			continue;
		if (makedev(major, minor) == number || is_node(source, number))
			mount = format("mounted on %s", where);
	}
	free(text);
	return mount;
}

static bool is_swap(dev_t number)
{
	char *text = read_file("/proc/swaps"), *rest = text, *line, path[PATH_MAX];
	bool is = false;

	while (rest && !is && next_line(&rest, &line))
		is = sscanf(line, "%4095s", path) == 1 && is_node(path, number);
	free(text);
	return is;
}

/* The device of device-mapper or md that is made of it, or NULL */
static char *holder_of(const char *path)
{
	char *pattern = format("%s/holders/*", path), *holder = NULL;
	glob_t names;

	if (!glob(pattern, 0, NULL, &names)) {
		holder = format("part of %s", strrchr(names.gl_pathv[0], '/') + 1);
		globfree(&names);
	}
	free(pattern);
	return holder;
}

/* All that uses a disk opens it exclusively, so nobody else can. Asks root only. */
static bool is_open(const char *name)
{
	char *path = format("/dev/%s", name), *bang;
	int fd;

	while ((bang = strchr(path, '!')))
		*bang = '/';
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	free(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

/* "sda1 is mounted on /home", of a disk of the PCI device, or NULL */
char *host_use(const char *host)
{
	char *path, *what = NULL, *use = NULL;
	char device[PATH_MAX], disk[PATH_MAX];
	unsigned int major, minor;
	struct dirent *entry;
	const char *name;
	dev_t number;
	DIR *dir;

	path = format("/sys/bus/pci/devices/%s", host);
	dir = realpath(path, device) ? opendir("/sys/dev/block") : NULL;
	free(path);
	while (dir && !use && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "%u:%u", &major, &minor) != 2)
			continue;
		number = makedev(major, minor);
		path = format("/sys/dev/block/%s", entry->d_name);
		if (realpath(path, disk) && is_of(disk, device)) {
			char *link = link_name("%s", path);

			name = link ? link : entry->d_name;
			what = mount_of(number);
			if (!what && is_swap(number))
				what = format("swap");
			if (!what)
				what = holder_of(path);
			if (!what && is_open(name))
				what = format("in use");
			if (what)
				use = format("%s is %s", name, what);
			free(what);
			free(link);
		}
		free(path);
	}
	if (dir)
		closedir(dir);
	return use;
}
