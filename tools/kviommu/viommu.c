// SPDX-License-Identifier: GPL-2.0-only
/* The vIOMMUs of this host: those that run, and those that mdevctl has defined. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kviommu.h"

#define TYPE_PREFIX	"kviommu-"

/* What can be set; a model has those that it knows. */
const char *const settings[] = {
	"address_width", "boot_bypass", "pin", "poll_us", "batch", "max_domains",
	"max_mappings", "quiesce_ms", "scalable", "first_stage", "passthrough", "snoop",
	"late_mappings", NULL
};

bool is_uuid(const char *text)
{
	size_t i;

	for (i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return !text[i];
}

static void endpoints_read(struct viommu *v)
{
	char *text, *rest, *line;

	text = read_file(KVIOMMU_MDEV "/kviommu/endpoints", v->uuid);
	rest = text;
	while (rest && next_line(&rest, &line)) {
		struct endpoint *ep;

		v->endpoints = grow(v->endpoints, v->nr_endpoints, sizeof(*ep));
		ep = &v->endpoints[v->nr_endpoints];
		ep->mark[0] = 0;
		if (sscanf(line, "%x %63s %15s %7s", &ep->id, ep->host, ep->state,
			   ep->mark) >= 3)
			v->nr_endpoints++;
	}
	free(text);
}

/* Only root may look into debugfs. */
static int open_read(const char *uuid)
{
	char *text = read_file(KVIOMMU_DEBUG "/state", uuid);
	char *at = text ? strstr(text, "\nopen ") : NULL;
	int open = at ? atoi(at + 6) : -1;

	free(text);
	return open;
}

static bool active_read(struct viommu *v)
{
	char *type = link_name(KVIOMMU_MDEV "/mdev_type", v->uuid);
	bool ours = type && !strncmp(type, TYPE_PREFIX, strlen(TYPE_PREFIX));

	if (ours) {
		snprintf(v->model, sizeof(v->model), "%s",
			 type + strlen(TYPE_PREFIX));
		v->active = true;
		v->open = open_read(v->uuid);
		endpoints_read(v);
	}
	free(type);
	return ours;
}

static const char *string_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return "";
	return json_object_get_string(value);
}

static void defined_read(struct viommu *v, struct json_object *definition)
{
	const char *type = string_of(definition, "mdev_type");

	v->definition = definition;
	v->startup = !strcmp(string_of(definition, "start"), "auto") ? AUTO : MANUAL;
	if (!v->active) {
		v->open = 0;
		if (!strncmp(type, TYPE_PREFIX, strlen(TYPE_PREFIX)))
			type += strlen(TYPE_PREFIX);
		snprintf(v->model, sizeof(v->model), "%s", type);
	}
}

static struct viommu *find(struct viommu *list, size_t n, const char *uuid)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!strcmp(list[i].uuid, uuid))
			return &list[i];
	}
	return NULL;
}

static struct viommu *add(struct viommu **list, size_t *n, const char *uuid)
{
	struct viommu *v;

	*list = grow(*list, *n, sizeof(*v));
	v = &(*list)[(*n)++];
	memset(v, 0, sizeof(*v));
	memccpy(v->uuid, uuid, 0, UUID_LEN);
	return v;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct viommu *)a)->uuid,
		      ((const struct viommu *)b)->uuid);
}

/* All of them, by UUID. They are never freed: the program ends soon. */
struct viommu *viommus(size_t *n)
{
	struct json_object *definitions = mdevctl_definitions();
	struct viommu *list = NULL, *v;
	struct dirent *entry;
	DIR *dir;

	*n = 0;
	dir = opendir("/sys/bus/mdev/devices");
	while (dir && (entry = readdir(dir))) {
		if (!is_uuid(entry->d_name))
			continue;
		v = add(&list, n, entry->d_name);
		if (!active_read(v))
			(*n)--;
	}
	if (dir)
		closedir(dir);
	json_object_object_foreach(definitions, uuid, definition) {
		v = find(list, *n, uuid);
		if (!v)
			v = add(&list, n, uuid);
		defined_read(v, definition);
	}
	if (*n)
		qsort(list, *n, sizeof(*list), compare);
	return list;
}

/* By UUID, or the first characters of one that no other begins with */
struct viommu viommu_need(const char *id)
{
	struct viommu *list, *v = NULL;
	size_t n, i;

	list = viommus(&n);
	for (i = 0; i < n; i++) {
		if (strncasecmp(list[i].uuid, id, strlen(id)) || !*id)
			continue;
		if (v)
			die(USAGE, "'%s' begins more than one vIOMMU; write more of the UUID, 'kviommu list' shows them",
			    id);
		v = &list[i];
	}
	if (!v && !n && !exists(KVIOMMU_PARENT))
		die(ABSENT, "the module kviommu is not loaded; run: modprobe kviommu_vfio_pci");
	if (!v)
		die(ABSENT, "there is no vIOMMU '%s'; 'kviommu list' shows all, 'kviommu create' makes one",
		    id);
	return *v;
}

struct viommu viommu_need_active(const char *id)
{
	struct viommu v = viommu_need(id);

	if (!v.active)
		die(ABSENT, "vIOMMU %s is defined and not started; run: mdevctl start -u %s",
		    v.uuid, v.uuid);
	return v;
}

/* NULL if the model has no such setting */
char *setting_get(const struct viommu *v, const char *name)
{
	char *text = read_file(KVIOMMU_MDEV "/kviommu/%s", v->uuid, name);

	if (text)
		text[strcspn(text, "\n")] = 0;
	return text;
}

/* The module says in the kernel log why it refuses something. */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

static bool log_print(int fd, const char *uuid)
{
	char record[8192], prefix[UUID_LEN + 3];
	bool said = false;
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(prefix, sizeof(prefix), "%s: ", uuid);
	/* EPIPE: records were lost, the next read goes on behind them. */
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		char *text;

		if (n < 0)
			continue;
		record[n] = 0;
		record[strcspn(record, "\n")] = 0;
		text = strchr(record, ';');
		text = text ? strstr(text, prefix) : NULL;
		if (!text)
			continue;
		warn("%s", text + strlen(prefix));
		said = true;
	}
	return said;
}

/* Write to a file of a vIOMMU; what it refuses ends the program. */
void attribute_write(const char *uuid, const char *name, const char *value,
		     const char *what)
{
	int log = log_open();
	int rc = write_file(value, KVIOMMU_MDEV "/kviommu/%s", uuid, name);
	bool said;

	if (!rc) {
		close(log);
		return;
	}
	said = log_print(log, uuid);
	close(log);
	if ((rc == EACCES || rc == EPERM) && !said)
		die(REFUSED, "cannot %s: %s; be root", what, strerror(rc));
	if (rc == ENOENT && !exists(KVIOMMU_MDEV, uuid))
		die(ABSENT, "cannot %s: vIOMMU %s has been removed", what, uuid);
	if (rc == ENOENT)
		die(ABSENT, "cannot %s: this vIOMMU has no '%s'", what, name);
	die(rc == EBUSY ? BUSY : rc == ENODEV ? ABSENT : REFUSED,
	    "cannot %s: %s%s", what, strerror(rc),
	    said ? "" : "; the kernel log may say why: dmesg | grep kviommu");
}
