// SPDX-License-Identifier: GPL-2.0-only
/* create, remove, assign, unassign, assume-reset */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "kviommu.h"

struct pair {
	char *name;
	char *value;
};

/* What an `assign` file takes: "HOST GUEST" */
static char *assignment(const char *host_text, const char *guest_text)
{
	char host[MAX_BDF], guest[MAX_BDF];

	host_need(host_text, host);
	if (strchr(guest_text, ':')) {
		bdf_guest_name(bdf_need(guest_text), guest);
		return format("%s %s", host, guest);
	}
	return format("%s 0x%llx", host,
		      (unsigned long long)parse_number(guest_text, "an endpoint"));
}

static struct pair split(const char *text, const char *option, const char *example)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1])
		die(USAGE, "%s wants the form %s, not '%s'", option, example, text);
	return (struct pair){ strndup(text, equals - text), strdup(equals + 1) };
}

static void create_now(const char *uuid, const char *model)
{
	int rc = write_file(uuid, KVIOMMU_PARENT "/mdev_supported_types/kviommu-%s/create",
			    model);

	switch (rc) {
	case 0:
		return;
	case EEXIST:
		die(BUSY, "there is a mediated device %s already; choose another UUID",
		    uuid);
	case EUSERS:
	case ENOSPC:
		die(REFUSED, "this host has as many vIOMMUs as it may; 'kviommu remove' one");
	case EACCES:
	case EPERM:
		die(REFUSED, "cannot create a vIOMMU: %s; be root", strerror(rc));
	default:
		die(REFUSED, "cannot create a vIOMMU: %s; the kernel log may say why: dmesg | grep -E 'kviommu|mdev'",
		    strerror(rc));
	}
}

/* What has been created goes again when a setting or a device is refused. */
static char created[UUID_LEN + 1];

static void undo(void)
{
	if (created[0])
		write_file("1", KVIOMMU_MDEV "/remove", created);
}

int cmd_create(int argc, char **argv)
{
	static const struct option options[] = {
		{ "type", required_argument, NULL, 't' },
		{ "uuid", required_argument, NULL, 'u' },
		{ "set", required_argument, NULL, 's' },
		{ "assign", required_argument, NULL, 'a' },
		{ "bind", no_argument, NULL, 'b' },
		{ "persist", no_argument, NULL, 'p' },
		{ }
	};
	const char *model = "virtio";
	bool persist = false, bind = false;
	struct json_object *definition;
	struct pair *sets = NULL, *devices = NULL;
	size_t nr_sets = 0, nr_devices = 0, i;
	char host[MAX_BDF], *uuid = NULL, *c;
	int opt;

	while ((opt = getopt_long(argc, argv, "t:u:s:a:bp", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			model = optarg;
			if (!strncmp(model, "kviommu-", 8))
				model += 8;
			break;
		case 'u':
			if (!is_uuid(optarg))
				die(USAGE, "'%s' is no UUID; leave --uuid out to get a new one",
				    optarg);
			uuid = strdup(optarg);
			/* mdev names a device by small letters. */
			for (c = uuid; *c; c++)
				*c = tolower((unsigned char)*c);
			break;
		case 's':
			sets = grow(sets, nr_sets, sizeof(*sets));
			sets[nr_sets++] = split(optarg, "--set", "NAME=VALUE, like boot_bypass=0");
			break;
		case 'a':
			devices = grow(devices, nr_devices, sizeof(*devices));
			devices[nr_devices++] =
				split(optarg, "--assign", "HOST=GUEST, like 0000:01:00.0=00:05.0");
			break;
		case 'b':
			bind = true;
			break;
		case 'p':
			persist = true;
			break;
		default:
			misused("create [--type virtio|vtd|smmuv3] [--uuid UUID] [--set NAME=VALUE]... [--assign HOST=GUEST]... [--bind] [--persist]");
		}
	}
	if (optind != argc)
		die(USAGE, "create takes no '%s'; a device is given as --assign HOST=GUEST",
		    argv[optind]);
	if (!exists(KVIOMMU_PARENT))
		die(ABSENT, "the module kviommu is not loaded; run: modprobe kviommu_vfio_pci");
	if (!exists(KVIOMMU_PARENT "/mdev_supported_types/kviommu-%s", model))
		die(USAGE, "the module has no model '%s'; see: ls " KVIOMMU_PARENT "/mdev_supported_types",
		    model);
	if (!uuid) {
		uuid = read_file("/proc/sys/kernel/random/uuid");
		if (!uuid)
			die(REFUSED, "no UUID from the kernel; give one with --uuid");
		uuid[strcspn(uuid, "\n")] = 0;
	}

	/* The form of everything is right before anything is done. */
	for (i = 0; i < nr_devices; i++)
		free(assignment(devices[i].name, devices[i].value));
	for (i = 0; bind && i < nr_devices; i++) {
		host_need(devices[i].name, host);
		host_bind(host, persist);
	}

	if (persist) {
		definition = definition_new(model);
		for (i = 0; i < nr_sets; i++)
			definition_add(definition, sets[i].name, sets[i].value);
		for (i = 0; i < nr_devices; i++)
			definition_add(definition, "assign",
				       assignment(devices[i].name, devices[i].value));
		mdevctl_define(uuid, definition);
		mdevctl_start(uuid);
		puts(uuid);
		return DONE;
	}
	create_now(uuid, model);
	strcpy(created, uuid);
	atexit(undo);
	for (i = 0; i < nr_sets; i++) {
		char *what = format("set %s", sets[i].name);

		attribute_write(uuid, sets[i].name, sets[i].value, what);
		free(what);
	}
	for (i = 0; i < nr_devices; i++) {
		char *what = format("assign %s", devices[i].name);

		attribute_write(uuid, "assign",
				assignment(devices[i].name, devices[i].value), what);
		free(what);
	}
	created[0] = 0;
	puts(uuid);
	return DONE;
}

static bool parse_persist(int *argc, char ***argv, const char *text, int args,
			  bool *bind)
{
	static const struct option options[] = {
		{ "persist", no_argument, NULL, 'p' },
		{ "bind", no_argument, NULL, 'b' },
		{ }
	};
	bool persist = false;
	int opt;

	while ((opt = getopt_long(*argc, *argv, "pb", options, NULL)) != -1) {
		if (opt == 'p')
			persist = true;
		else if (opt == 'b' && bind)
			*bind = true;
		else
			misused(text);
	}
	*argc -= optind;
	*argv += optind;
	if (*argc != args)
		misused(text);
	return persist;
}

/*
 * Without debugfs this tells, too: a setting that may not change under a guest is
 * refused, even if it is what it was.
 */
static bool is_open(const struct viommu *v)
{
	bool open = v->open > 0;
	char *pin;

	if (v->open < 0) {
		pin = setting_get(v, "pin");
		open = pin && write_file(pin, KVIOMMU_MDEV "/kviommu/pin", v->uuid) == EBUSY;
		free(pin);
	}
	return open;
}

int cmd_remove(int argc, char **argv)
{
	bool persist = parse_persist(&argc, &argv, "remove [--persist] ID", 1, NULL);
	struct viommu v = viommu_need(argv[0]);
	int rc;

	if (!v.active && !persist)
		die(ABSENT, "vIOMMU %s is not started; 'kviommu remove --persist %s' removes its definition",
		    v.uuid, v.uuid);
	/* The kernel would wait until it is closed. */
	if (v.active && is_open(&v))
		die(BUSY, "a VMM has vIOMMU %s open; stop that VMM, then remove it",
		    v.uuid);
	if (v.active) {
		rc = write_file("1", KVIOMMU_MDEV "/remove", v.uuid);
		if (rc)
			die(REFUSED, "cannot remove %s: %s%s", v.uuid, strerror(rc),
			    rc == EACCES ? "; be root" : "");
	}
	if (persist && v.definition)
		mdevctl_undefine(v.uuid);
	return DONE;
}

int cmd_assign(int argc, char **argv)
{
	bool bind = false;
	bool persist = parse_persist(&argc, &argv, "assign [--bind] [--persist] ID HOST GUEST",
				     3, &bind);
	struct viommu v = viommu_need(argv[0]);
	char host[MAX_BDF], *text, *what;

	text = assignment(argv[1], argv[2]);
	host_need(argv[1], host);
	if (!persist && !v.active)
		viommu_need_active(v.uuid);
	if (bind)
		host_bind(host, persist);
	if (v.active) {
		what = format("assign %s", host);
		attribute_write(v.uuid, "assign", text, what);
	}
	if (persist)
		mdevctl_assign(&v, text);
	return DONE;
}

int cmd_unassign(int argc, char **argv)
{
	bool persist = parse_persist(&argc, &argv, "unassign [--persist] ID HOST", 2, NULL);
	struct viommu v = viommu_need(argv[0]);
	char host[MAX_BDF], *what;

	bdf_name(bdf_need(argv[1]), host);
	if (!persist && !v.active)
		viommu_need_active(v.uuid);
	if (v.active) {
		what = format("unassign %s", host);
		attribute_write(v.uuid, "unassign", host, what);
	}
	if (persist)
		mdevctl_unassign(&v, host);
	return DONE;
}

int cmd_assume_reset(int argc, char **argv)
{
	const struct endpoint *ep = NULL;
	char host[MAX_BDF], *what;
	struct viommu v;
	size_t i;

	if (argc != 3)
		misused("assume-reset ID HOST");
	v = viommu_need_active(argv[1]);
	bdf_name(bdf_need(argv[2]), host);
	for (i = 0; i < v.nr_endpoints; i++) {
		if (!strcmp(v.endpoints[i].host, host))
			ep = &v.endpoints[i];
	}
	if (!ep)
		die(ABSENT, "%s is not assigned to vIOMMU %s; 'kviommu list' shows what is",
		    host, v.uuid);
	if (!*ep->mark)
		warn("%s is neither dirty nor unsafe; dmesg | grep kviommu says what blocks it",
		     host);
	what = format("assume that %s was reset", host);
	attribute_write(v.uuid, "assume_reset", host, what);
	return DONE;
}
