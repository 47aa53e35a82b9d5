// SPDX-License-Identifier: GPL-2.0-only
/* list: what there is. show: all of one, from sysfs and debugfs. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "kviommu.h"

static const char *const startup_names[] = { "no", "manual", "auto" };

static struct json_object *endpoints_json(const struct viommu *v)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < v->nr_endpoints; i++) {
		struct json_object *one = json_object_new_object();
		char guest[MAX_BDF];

		bdf_guest_name(v->endpoints[i].id, guest);
		json_object_object_add(one, "endpoint", json_object_new_int64(v->endpoints[i].id));
		json_object_object_add(one, "guest", json_object_new_string(guest));
		json_object_object_add(one, "host", json_object_new_string(v->endpoints[i].host));
		json_object_object_add(one, "state", json_object_new_string(v->endpoints[i].state));
		json_object_object_add(one, "mark", json_object_new_string(v->endpoints[i].mark));
		json_object_array_add(list, one);
	}
	return list;
}

/* What is no number stays text. */
static struct json_object *value_json(const char *text)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (!*text || *end || errno)
		return json_object_new_string(text);
	return json_object_new_uint64(n);
}

static struct json_object *settings_json(const struct viommu *v)
{
	struct json_object *object = json_object_new_object();
	char *value;
	int i;

	for (i = 0; settings[i]; i++) {
		value = setting_get(v, settings[i]);
		if (value)
			json_object_object_add(object, settings[i], value_json(value));
		free(value);
	}
	return object;
}

static struct json_object *viommu_json(const struct viommu *v)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "uuid", json_object_new_string(v->uuid));
	json_object_object_add(object, "model", json_object_new_string(v->model));
	json_object_object_add(object, "active", json_object_new_boolean(v->active));
	if (v->open >= 0)
		json_object_object_add(object, "open", json_object_new_boolean(v->open));
	json_object_object_add(object, "defined",
			       json_object_new_string(startup_names[v->startup]));
	if (v->active)
		json_object_object_add(object, "settings", settings_json(v));
	json_object_object_add(object, "endpoints", endpoints_json(v));
	return object;
}

static void print_head(const struct viommu *v)
{
	const char *state = !v->active ? "not started" : v->open > 0 ? "open" :
			    v->open ? "active" : "idle";

	printf("%s  %-7s %s", v->uuid, v->model, state);
	if (v->startup != UNDEFINED)
		printf("%*s%s", (int)(13 - strlen(state)), "",
		       v->startup == AUTO ? "starts at boot" : "defined");
	putchar('\n');
}

static void print_endpoints(const struct viommu *v)
{
	char guest[MAX_BDF];
	size_t i;

	for (i = 0; i < v->nr_endpoints; i++) {
		bdf_guest_name(v->endpoints[i].id, guest);
		printf("  %-12s -> %-12s %s%s%s\n", v->endpoints[i].host, guest,
		       v->endpoints[i].state, *v->endpoints[i].mark ? " " : "",
		       v->endpoints[i].mark);
	}
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct json_object *all;
	struct viommu *list;
	bool json = false;
	size_t n, i;
	int opt;

	while ((opt = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (opt != 'j')
			misused("list [--json]");
		json = true;
	}
	if (optind != argc)
		misused("list [--json]");
	list = viommus(&n);
	if (json) {
		all = json_object_new_array();
		for (i = 0; i < n; i++)
			json_object_array_add(all, viommu_json(&list[i]));
		print_json(all);
		return DONE;
	}
	for (i = 0; i < n; i++) {
		print_head(&list[i]);
		print_endpoints(&list[i]);
	}
	if (!n && !exists(KVIOMMU_PARENT))
		warn("the module kviommu is not loaded; run: modprobe kviommu_vfio_pci");
	return DONE;
}

static char *debug_need(const struct viommu *v, const char *name)
{
	char *text = read_file(KVIOMMU_DEBUG "/%s", v->uuid, name);

	if (text)
		return text;
	if (errno == EACCES)
		die(REFUSED, "cannot read debugfs: be root");
	die(ABSENT, "there is no " KVIOMMU_DEBUG "; is debugfs mounted? run: mount -t debugfs none /sys/kernel/debug",
	    v->uuid);
}

static void print_indented(const char *title, char *text)
{
	char *rest = text, *line;

	printf("%s:\n", title);
	while (next_line(&rest, &line))
		printf("  %s\n", line);
	free(text);
}

/* Lines "name value" */
static struct json_object *values_json(char *text)
{
	struct json_object *object = json_object_new_object();
	char *rest = text, *line, *space;

	while (next_line(&rest, &line)) {
		space = strchr(line, ' ');
		if (!space)
			continue;
		*space = 0;
		json_object_object_add(object, line, value_json(space + 1));
	}
	free(text);
	return object;
}

static struct json_object *lines_json(char *text)
{
	struct json_object *list = json_object_new_array();
	char *rest = text, *line;

	while (next_line(&rest, &line))
		json_object_array_add(list, json_object_new_string(line));
	free(text);
	return list;
}

static struct json_object *mappings_json(char *text)
{
	struct json_object *list = json_object_new_array(), *one;
	unsigned long long first, last, gpa;
	char *rest = text, *line, access[8], dropped[16];
	unsigned int domain = 0;
	int n;

	while (next_line(&rest, &line)) {
		if (sscanf(line, "domain %u", &domain) == 1)
			continue;
		n = sscanf(line, "0x%llx-0x%llx 0x%llx %7s %15s", &first, &last, &gpa,
			   access, dropped);
		if (n < 4)
			continue;
		one = json_object_new_object();
		json_object_object_add(one, "domain", json_object_new_int64(domain));
		json_object_object_add(one, "iova", json_object_new_uint64(first));
		json_object_object_add(one, "last", json_object_new_uint64(last));
		json_object_object_add(one, "gpa", json_object_new_uint64(gpa));
		json_object_object_add(one, "access", json_object_new_string(access));
		json_object_object_add(one, "dropped", json_object_new_boolean(n == 5));
		json_object_array_add(list, one);
	}
	free(text);
	return list;
}

int cmd_show(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "mappings", no_argument, NULL, 'm' },
		{ }
	};
	bool json = false, mappings = false;
	struct json_object *object;
	struct viommu v;
	char *value;
	int opt, i;

	while ((opt = getopt_long(argc, argv, "jm", options, NULL)) != -1) {
		if (opt == 'j')
			json = true;
		else if (opt == 'm')
			mappings = true;
		else
			misused("show [--json] [--mappings] ID");
	}
	if (optind != argc - 1)
		misused("show [--json] [--mappings] ID");
	v = viommu_need_active(argv[optind]);
	if (json) {
		object = viommu_json(&v);
		json_object_object_add(object, "state", values_json(debug_need(&v, "state")));
		json_object_object_add(object, "domains", lines_json(debug_need(&v, "domains")));
		json_object_object_add(object, "counters", values_json(debug_need(&v, "counters")));
		if (mappings)
			json_object_object_add(object, "mappings",
					       mappings_json(debug_need(&v, "mappings")));
		print_json(object);
		return DONE;
	}
	print_head(&v);
	puts("settings:");
	for (i = 0; settings[i]; i++) {
		value = setting_get(&v, settings[i]);
		if (value)
			printf("  %s %s\n", settings[i], value);
		free(value);
	}
	print_indented("endpoints", debug_need(&v, "endpoints"));
	print_indented("state", debug_need(&v, "state"));
	print_indented("domains", debug_need(&v, "domains"));
	print_indented("counters", debug_need(&v, "counters"));
	if (mappings)
		print_indented("mappings", debug_need(&v, "mappings"));
	return DONE;
}
