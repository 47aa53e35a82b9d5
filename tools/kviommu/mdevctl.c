// SPDX-License-Identifier: GPL-2.0-only
/*
 * mdevctl keeps definitions and starts them at boot. This is all that kviommu(8)
 * asks of it, and what mdevctl asks in return while it starts one (callouts).
 */
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kviommu.h"

#define ATTRIBUTE	"kviommu/"
#define MISSING		"mdevctl is not installed, which keeps definitions; install it"

/* UUID: definition, of our parent. Empty if there is no mdevctl. */
struct json_object *mdevctl_definitions(void)
{
	char *const list[] = {
		"mdevctl", "list", "--defined", "--parent", "kviommu", "--dumpjson", NULL
	};
	struct json_object *definitions = json_object_new_object();
	struct json_object *parents, *devices;
	char *text;
	size_t i, j;

	if (run(list, &text) || !text)
		return definitions;
	parents = json_tokener_parse(text);
	free(text);
	if (!json_object_is_type(parents, json_type_array))
		return definitions;
	for (i = 0; i < json_object_array_length(parents); i++) {
		if (!json_object_object_get_ex(json_object_array_get_idx(parents, i),
					       "kviommu", &devices) ||
		    !json_object_is_type(devices, json_type_array))
			continue;
		for (j = 0; j < json_object_array_length(devices); j++) {
			json_object_object_foreach(json_object_array_get_idx(devices, j),
						   uuid, definition) {
				json_object_object_add(definitions, uuid,
						       json_object_get(definition));
			}
		}
	}
	return definitions;
}

static void need(char *const argv[], const char *what, const char *uuid)
{
	int rc = run(argv, NULL);

	if (rc < 0)
		die(ABSENT, MISSING);
	if (rc)
		die(REFUSED, "mdevctl could not %s %s, see above", what, uuid);
}

struct json_object *definition_new(const char *model)
{
	struct json_object *definition = json_object_new_object();
	char *type = format("kviommu-%s", model);

	json_object_object_add(definition, "mdev_type", json_object_new_string(type));
	json_object_object_add(definition, "start", json_object_new_string("auto"));
	json_object_object_add(definition, "attrs", json_object_new_array());
	free(type);
	return definition;
}

/* mdevctl writes attributes in this order. */
void definition_add(struct json_object *definition, const char *name,
		    const char *value)
{
	struct json_object *attrs, *attr = json_object_new_object();
	char *file = format(ATTRIBUTE "%s", name);

	json_object_object_get_ex(definition, "attrs", &attrs);
	json_object_object_add(attr, file, json_object_new_string(value));
	json_object_array_add(attrs, attr);
	free(file);
}

void mdevctl_define(const char *uuid, struct json_object *definition)
{
	const char *text = json_object_to_json_string(definition);
	int fd = memfd_create("definition", 0);
	char *path = format("/dev/fd/%d", fd);
	char *const define[] = {
		"mdevctl", "define", "--uuid", (char *)uuid, "--parent", "kviommu",
		"--jsonfile", path, NULL
	};

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(REFUSED, "no memory");
	need(define, "define", uuid);
	close(fd);
	free(path);
}

void mdevctl_start(const char *uuid)
{
	char *const start[] = {
		"mdevctl", "start", "--uuid", (char *)uuid, "--parent", "kviommu", NULL
	};
	int rc = run(start, NULL);

	if (!rc)
		return;
	mdevctl_undefine(uuid);
	die(REFUSED, "mdevctl could not start %s, see above and dmesg; nothing was kept",
	    uuid);
}

void mdevctl_undefine(const char *uuid)
{
	char *const undefine[] = {
		"mdevctl", "undefine", "--uuid", (char *)uuid, "--parent", "kviommu", NULL
	};

	need(undefine, "undefine", uuid);
}

static void need_definition(const struct viommu *v)
{
	if (!v->definition)
		die(ABSENT, "vIOMMU %s has no definition to keep this in; run: mdevctl define -u %s",
		    v->uuid, v->uuid);
}

void mdevctl_assign(const struct viommu *v, const char *assignment)
{
	char *const modify[] = {
		"mdevctl", "modify", "--uuid", (char *)v->uuid, "--parent", "kviommu",
		"--addattr=" ATTRIBUTE "assign", "--value", (char *)assignment, NULL
	};

	need_definition(v);
	need(modify, "modify", v->uuid);
}

/* The host device that an attribute of a definition assigns, or NULL */
static const char *assigned(struct json_object *attr)
{
	static char host[MAX_BDF];
	struct json_object *value;
	char first[32];
	uint32_t id;

	if (!json_object_object_get_ex(attr, ATTRIBUTE "assign", &value) ||
	    sscanf(json_object_get_string(value), "%31s", first) != 1 ||
	    !bdf_parse(first, &id))
		return NULL;
	bdf_name(id, host);
	return host;
}

void mdevctl_unassign(const struct viommu *v, const char *host)
{
	struct json_object *attrs;
	size_t i;

	need_definition(v);
	if (!json_object_object_get_ex(v->definition, "attrs", &attrs))
		attrs = NULL;
	for (i = 0; attrs && i < json_object_array_length(attrs); i++) {
		const char *is = assigned(json_object_array_get_idx(attrs, i));
		char *index = format("--index=%zu", i);
		char *const modify[] = {
			"mdevctl", "modify", "--uuid", (char *)v->uuid, "--parent",
			"kviommu", "--delattr", index, NULL
		};

		if (is && !strcmp(is, host)) {
			need(modify, "modify", v->uuid);
			return;
		}
		free(index);
	}
	die(ABSENT, "the definition of %s does not assign %s; see: mdevctl list -dv",
	    v->uuid, host);
}

/* For `mdevctl define` of a vIOMMU that runs: what it was set to */
static int callout_attributes(const char *uuid)
{
	struct json_object *definition = definition_new("");
	struct json_object *attrs;
	struct viommu v = viommu_need_active(uuid);
	char *value, *assignment;
	char guest[MAX_BDF];
	size_t i;

	for (i = 0; settings[i]; i++) {
		/* The width that is read is that of the devices. */
		value = strcmp(settings[i], "address_width") ?
			setting_get(&v, settings[i]) : NULL;
		if (value)
			definition_add(definition, settings[i], value);
		free(value);
	}
	for (i = 0; i < v.nr_endpoints; i++) {
		bdf_guest_name(v.endpoints[i].id, guest);
		assignment = format("%s %s", v.endpoints[i].host, guest);
		definition_add(definition, "assign", assignment);
		free(assignment);
	}
	json_object_object_get_ex(definition, "attrs", &attrs);
	print_json(json_object_get(attrs));
	return DONE;
}

/*
 * Before one is started: at boot udev binds its devices while it starts the
 * vIOMMU, so wait for them.
 */
static int callout_start(void)
{
	struct json_object *definition, *attrs;
	const char *host;
	int tries = 100;
	char *driver;
	bool bound;
	size_t i;

	definition = json_object_from_fd(STDIN_FILENO);
	if (!json_object_object_get_ex(definition, "attrs", &attrs) ||
	    !json_object_is_type(attrs, json_type_array))
		return DONE;
	for (i = 0; i < json_object_array_length(attrs); i++) {
		host = assigned(json_object_array_get_idx(attrs, i));
		if (!host)
			continue;
		do {
			driver = host_driver(host);
			bound = driver && !strcmp(driver, "kviommu_vfio_pci");
			free(driver);
		} while (!bound && tries-- && !usleep(100000));
		if (!bound)
			die(REFUSED, "%s is not bound to kviommu_vfio_pci; run: driverctl set-override %s kviommu_vfio_pci",
			    host, host);
	}
	return DONE;
}

/* mdevctl-callout -t TYPE -e EVENT -a ACTION -s STATE -u UUID -p PARENT */
int cmd_mdevctl(int argc, char **argv)
{
	const char *type = "", *event = "", *action = "", *uuid = "";
	int opt;

	while ((opt = getopt(argc, argv, "t:e:a:s:u:p:")) != -1) {
		switch (opt) {
		case 't':
			type = optarg;
			break;
		case 'e':
			event = optarg;
			break;
		case 'a':
			action = optarg;
			break;
		case 'u':
			uuid = optarg;
			break;
		}
	}
	/* Two: it is for another script. */
	if (strncmp(type, "kviommu-", strlen("kviommu-")))
		return 2;
	if (!strcmp(event, "get") && !strcmp(action, "attributes"))
		return callout_attributes(uuid);
	if (!strcmp(event, "pre") && !strcmp(action, "start"))
		return callout_start();
	return DONE;
}
