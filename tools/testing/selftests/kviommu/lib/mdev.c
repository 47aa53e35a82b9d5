// SPDX-License-Identifier: GPL-2.0-only
#include "mdev.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pci_path(const char *bdf, const char *attr, char *buf, size_t size)
{
	snprintf(buf, size, "/sys/bus/pci/devices/%s/%s", bdf, attr);
}

static long pci_attr(const char *bdf, const char *attr)
{
	char path[512], value[64];

	pci_path(bdf, attr, path, sizeof(path));
	if (file_read(path, value, sizeof(value)) < 0)
		return -1;
	return strtol(value, NULL, 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The first ones by name: those behind a bridge, which share a group, are last */
int pci_find(u16 vendor, u16 device, char (*bdf)[BDF_LEN], int max)
{
	DIR *d = opendir("/sys/bus/pci/devices");
	char found[128][BDF_LEN];
	struct dirent *entry;
	int n = 0;

	if (!d)
		return 0;
	while (n < 128 && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' ||
		    strlen(entry->d_name) >= BDF_LEN ||
		    pci_attr(entry->d_name, "vendor") != vendor ||
		    pci_attr(entry->d_name, "device") != device)
			continue;
		strcpy(found[n++], entry->d_name);
	}
	closedir(d);
	qsort(found, n, BDF_LEN, by_name);
	n = n < max ? n : max;
	memcpy(bdf, found, n * BDF_LEN);
	return n;
}

static bool of_one_group(char (*bdf)[BDF_LEN])
{
	char group[2][32];

	return !pci_group_name(bdf[0], group[0], sizeof(group[0])) &&
	       !pci_group_name(bdf[1], group[1], sizeof(group[1])) &&
	       !strcmp(group[0], group[1]);
}

/* All but the function is the same */
static bool of_one_device(char (*bdf)[BDF_LEN])
{
	return !strncmp(bdf[0], bdf[1], strlen("0000:00:02."));
}

/* Those of a group or of a device follow each other. */
static int find_two(u16 vendor, u16 device, bool (*of_one)(char (*bdf)[BDF_LEN]),
		    char (*bdf)[BDF_LEN])
{
	char found[8][BDF_LEN];
	int i, n = pci_find(vendor, device, found, 8);

	for (i = 0; i + 1 < n; i++) {
		if (!of_one(found + i))
			continue;
		memcpy(bdf, found[i], 2 * BDF_LEN);
		return 0;
	}
	return -ENODEV;
}

int pci_find_pair(u16 vendor, u16 device, char (*bdf)[BDF_LEN])
{
	return find_two(vendor, device, of_one_group, bdf);
}

int pci_find_functions(u16 vendor, u16 device, char (*bdf)[BDF_LEN])
{
	return find_two(vendor, device, of_one_device, bdf);
}

int pci_driver_name(const char *bdf, char *buf, size_t size)
{
	char path[512];

	pci_path(bdf, "driver", path, sizeof(path));
	return link_name(path, buf, size);
}

int pci_group_name(const char *bdf, char *buf, size_t size)
{
	char path[512];

	pci_path(bdf, "iommu_group", path, sizeof(path));
	return link_name(path, buf, size);
}

bool pci_is_translated_by_default(const char *bdf)
{
	char path[512], type[64];

	pci_path(bdf, "iommu_group/type", path, sizeof(path));
	return file_read(path, type, sizeof(type)) > 0 &&
	       !strncmp(type, "DMA", 3);
}

int pci_set_driver(const char *bdf, const char *driver)
{
	char path[512], now[64];
	int rc;

	rc = pci_driver_name(bdf, now, sizeof(now));
	if (!rc && driver && !strcmp(now, driver))
		return 0;
	pci_path(bdf, "driver_override", path, sizeof(path));
	rc = file_write(path, driver ?: "\n");
	if (rc)
		return rc;
	if (now[0]) {
		pci_path(bdf, "driver/unbind", path, sizeof(path));
		rc = file_write(path, bdf);
		if (rc)
			return rc;
	}
	if (!driver)
		return 0;
	rc = file_write("/sys/bus/pci/drivers_probe", bdf);
	if (rc)
		return rc;
	rc = pci_driver_name(bdf, now, sizeof(now));
	if (rc)
		return rc;
	return strcmp(now, driver) ? -ENODEV : 0;
}

bool kviommu_available(void)
{
	if (path_exists(KVIOMMU_PARENT) &&
	    path_exists("/sys/bus/pci/drivers/" KVIOMMU_DRIVER))
		return true;
	return !system("modprobe -q " KVIOMMU_DRIVER) &&
	       path_exists(KVIOMMU_PARENT);
}

int mdev_create_uuid(const char *type, const char *uuid)
{
	char path[512];

	snprintf(path, sizeof(path), KVIOMMU_TYPES "%s/create", type);
	return file_write(path, uuid);
}

int mdev_create(struct mdev *mdev, const char *type)
{
	char uuid[64];
	int rc;

	mdev->uuid[0] = '\0';
	rc = file_read("/proc/sys/kernel/random/uuid", uuid, sizeof(uuid));
	if (rc < 0)
		return rc;
	uuid[UUID_LEN - 1] = '\0';
	memcpy(uuid, TEST_UUID_PREFIX, strlen(TEST_UUID_PREFIX));
	rc = mdev_create_uuid(type, uuid);
	if (!rc)
		strcpy(mdev->uuid, uuid);
	return rc;
}

void mdev_remove_stale(void)
{
	char name[256], path[512];

	/* Nothing stale can be in use: its VMM is gone with its test */
	while (!dir_first("/sys/bus/mdev/devices", TEST_UUID_PREFIX, name,
			  sizeof(name))) {
		snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/remove",
			 name);
		if (file_write(path, "1"))
			break;
	}
}

void mdev_dir(const struct mdev *mdev, char *buf, size_t size)
{
	snprintf(buf, size, "/sys/bus/mdev/devices/%s", mdev->uuid);
}

int mdev_remove(struct mdev *mdev)
{
	char path[512];
	int rc;

	if (!mdev->uuid[0])
		return 0;
	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/remove",
		 mdev->uuid);
	rc = file_write(path, "1");
	if (!rc)
		mdev->uuid[0] = '\0';
	return rc;
}

int mdev_set(const struct mdev *mdev, const char *attr, const char *value)
{
	char path[512];

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/kviommu/%s",
		 mdev->uuid, attr);
	return file_write(path, value);
}

int mdev_get(const struct mdev *mdev, const char *attr, char *buf, size_t size)
{
	char path[512];
	int len;

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/kviommu/%s",
		 mdev->uuid, attr);
	len = file_read(path, buf, size);
	if (len > 0 && buf[len - 1] == '\n')
		buf[len - 1] = '\0';
	return len < 0 ? len : 0;
}

int mdev_assign(const struct mdev *mdev, const char *bdf, const char *endpoint)
{
	char line[128];

	snprintf(line, sizeof(line), "%s %s", bdf, endpoint);
	return mdev_set(mdev, "assign", line);
}

int mdev_unassign(const struct mdev *mdev, const char *bdf)
{
	return mdev_set(mdev, "unassign", bdf);
}

int mdev_assume_reset(const struct mdev *mdev, const char *bdf)
{
	return mdev_set(mdev, "assume_reset", bdf);
}

int mdev_endpoint_state(const struct mdev *mdev, u32 id, char *buf, size_t size)
{
	char text[4096], host[64], state[32], *line, *save;
	unsigned int seen;
	int rc;

	buf[0] = '\0';
	rc = mdev_get(mdev, "endpoints", text, sizeof(text));
	if (rc)
		return rc;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%x %63s %31s", &seen, host, state) != 3)
			return -EPROTO;
		if (seen != id)
			continue;
		snprintf(buf, size, "%s", state);
		return 0;
	}
	return -ENOENT;
}

int mdev_debugfs(const struct mdev *mdev, const char *file, char *buf,
		 size_t size)
{
	char path[512];
	int rc;

	snprintf(path, sizeof(path), KVIOMMU_DEBUGFS "/%s/%s", mdev->uuid, file);
	rc = file_read(path, buf, size);
	return rc < 0 ? rc : 0;
}

long long mdev_counter(const struct mdev *mdev, const char *name)
{
	char text[8192], key[64], *line, *save;
	long long value;

	if (mdev_debugfs(mdev, "counters", text, sizeof(text)))
		return -1;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%63s %lld", key, &value) == 2 &&
		    !strcmp(key, name))
			return value;
	}
	return -1;
}

bool mdev_counter_becomes(const struct mdev *mdev, const char *name,
			  long long value)
{
	u64 end = now_ns() + PATIENCE_NS;

	while (mdev_counter(mdev, name) != value) {
		if (now_ns() > end)
			return false;
		usleep(5000);
	}
	return true;
}

bool mdev_has_mapping(const struct mdev *mdev, const char *line_prefix)
{
	static char text[1 << 20];
	const char *at = text;

	if (mdev_debugfs(mdev, "mappings", text, sizeof(text)))
		return false;
	while ((at = strstr(at, line_prefix))) {
		if (at == text || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}
