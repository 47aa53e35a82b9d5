// SPDX-License-Identifier: GPL-2.0-only
/* qemu: the arguments for a vIOMMU and all that is assigned to it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kviommu.h"

#define RUN_DIR		"/run/kviommu"
/* The ports of buses 1, 2, ... are at 00:10.0, 00:11.0, ... */
#define PORT_SLOT	0x0f
#define MAX_PORTS	0x0f

/* The guest address of the port that leads to the bus of an endpoint */
const char *guest_port(uint32_t id)
{
	static char port[MAX_BDF];
	unsigned int bus = id >> 8;

	if (!bus || bus > MAX_PORTS)
		die(USAGE, "endpoint 0x%x is on bus 0x%x, which no port leads to; use buses 0 to 0x%x",
		    id, bus, MAX_PORTS);
	snprintf(port, sizeof(port), "00:%02x.0", PORT_SLOT + bus);
	return port;
}

static bool taken(const struct viommu *v, uint32_t id)
{
	size_t i;

	for (i = 0; i < v->nr_endpoints; i++) {
		if (v->endpoints[i].id == id)
			return true;
	}
	return false;
}

/* Function 0 says whether there are more. The vIOMMU itself is at @slot. */
static bool has_functions(const struct viommu *v, uint32_t id, uint32_t slot)
{
	uint32_t function;

	if (id & 7)
		return false;
	for (function = id + 1; function < id + 8; function++) {
		if (function == slot || taken(v, function))
			return true;
	}
	return false;
}

/* Where a port is, nothing else can be; without function 0 no guest looks for more. */
static void check_place(const struct viommu *v, uint32_t id, uint32_t slot, uint32_t buses)
{
	uint32_t device = id >> 3, first = id & ~7u;
	char name[MAX_BDF];

	bdf_guest_name(id, name);
	if (device > PORT_SLOT && device <= PORT_SLOT + buses)
		die(USAGE, "%s is where the port of bus %u is; choose another address", name,
		    device - PORT_SLOT);
	if (id != first && first != slot && !taken(v, first))
		die(USAGE, "a guest does not find %s, since nothing is at its function 0", name);
}

int cmd_qemu(int argc, char **argv)
{
	static const struct option options[] = {
		{ "iommu", required_argument, NULL, 'i' },
		{ "table", required_argument, NULL, 't' },
		{ }
	};
	const char *where = VIRTIO_SLOT;
	uint32_t slot, bus, buses = 0;
	char *path = NULL;
	struct viommu v;
	size_t i;
	int opt;

	while ((opt = getopt_long(argc, argv, "i:t:", options, NULL)) != -1) {
		if (opt == 'i')
			where = optarg;
		else if (opt == 't')
			path = optarg;
		else
			misused("qemu [--iommu BDF] [--table FILE] ID");
	}
	if (optind != argc - 1)
		misused("qemu [--iommu BDF] [--table FILE] ID");
	v = viommu_need_active(argv[optind]);
	if (!v.nr_endpoints)
		die(ABSENT, "nothing is assigned to vIOMMU %s; run: kviommu assign %s HOST GUEST",
		    v.uuid, v.uuid);
	slot = bdf_need(where);
	if (slot > 0xff)
		die(USAGE, "the vIOMMU has to be on bus 0 of the guest, not at %s", where);
	if (taken(&v, slot))
		die(USAGE, "an endpoint is at %s already; choose another address with --iommu",
		    where);
	for (i = 0; i < v.nr_endpoints; i++) {
		bus = v.endpoints[i].id >> 8;
		if (bus)
			guest_port(v.endpoints[i].id);
		if (bus > buses)
			buses = bus;
	}
	check_place(&v, slot, slot, buses);
	for (i = 0; i < v.nr_endpoints; i++)
		check_place(&v, v.endpoints[i].id, slot, buses);
	if (!path) {
		if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
			die(REFUSED, "cannot make " RUN_DIR ": %s; choose a file with --table",
			    strerror(errno));
		path = format(RUN_DIR "/%s.aml", v.uuid);
	}
	acpi_write(&v, where, path);

	puts("-object iommufd,id=iommufd0");
	/* First, so that it is reset last */
	printf("-device vfio-pci,sysfsdev=" KVIOMMU_MDEV ",iommufd=iommufd0,bus=pcie.0,addr=%02x.%x%s\n",
	       v.uuid, slot >> 3, slot & 7, has_functions(&v, slot, slot) ? ",multifunction=on" : "");
	/* The firmware numbers buses in the order of ports. */
	for (bus = 1; bus <= buses; bus++)
		printf("-device pcie-root-port,id=kviommu-bus%u,chassis=%u,bus=pcie.0,addr=%02x.0\n",
		       bus, bus, PORT_SLOT + bus);
	for (i = 0; i < v.nr_endpoints; i++) {
		uint32_t id = v.endpoints[i].id;

		printf("-device vfio-pci,host=%s,iommufd=iommufd0,", v.endpoints[i].host);
		if (id >> 8)
			printf("bus=kviommu-bus%u,", id >> 8);
		else
			printf("bus=pcie.0,");
		printf("addr=%02x.%x%s\n", id >> 3 & 0x1f, id & 7,
		       has_functions(&v, id, slot) ? ",multifunction=on" : "");
	}
	printf("-acpitable file=%s\n", path);
	return DONE;
}
