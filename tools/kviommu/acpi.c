// SPDX-License-Identifier: GPL-2.0-only
/*
 * acpi: the firmware tables that tell a guest where its vIOMMUs are and which
 * devices are behind them, for QEMU's -acpitable file=.
 *
 * VIOT: ACPI 6.4, 5.2.33. DMAR: VT-d, section 8. IORT: Arm DEN0049D.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kviommu.h"

enum table { VIOT, DMAR, IORT };
static const char *const names[] = { [VIOT] = "viot", [DMAR] = "dmar", [IORT] = "iort" };

/* What is behind an IOMMU: a range of devices, or the path of a scope of a DMAR */
struct item {
	uint32_t first, last;
	const char *path;
	size_t node;			/* of an IORT */
};

/* Addresses that a host reserves, the last one included */
struct region {
	uint64_t first, last;
};

struct unit {
	uint32_t slot;			/* VIOT: its PCI address */
	uint64_t base;			/* DMAR, IORT: its registers */
	bool based;			/* that was asked for */
	struct item *items;
	size_t n;
	struct region *regions;		/* DMAR */
	size_t nr_regions;
};

/* A table that grows; numbers are little endian. */
static uint8_t *table;
static size_t table_len;

static size_t put(uint64_t value, unsigned int bytes)
{
	size_t at = table_len;

	while (bytes--) {
		table = grow(table, table_len, 1);
		table[table_len++] = value;
		value >>= 8;
	}
	return at;
}

static void put_text(const char *text)
{
	while (*text)
		put((uint8_t)*text++, 1);
}

static void put_at(size_t at, uint64_t value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		table[at++] = value;
}

/* The header of every table (ACPI 5.2.6) */
static void begin(const char *signature, unsigned int revision)
{
	table_len = 0;
	put_text(signature);
	put(0, 4);
	put(revision, 1);
	put(0, 1);
	put_text("KVIOMUKVIOMMU ");
	put(1, 4);
	put_text("KVIO");
	put(1, 4);
}

/* The sum of all bytes of a table is 0. */
static void end(void)
{
	uint8_t sum = 0;
	size_t i;

	put_at(4, table_len, 4);
	for (i = 0; i < table_len; i++)
		sum += table[i];
	table[9] = -sum;
}

static void viot(const struct unit *units, size_t n)
{
	size_t i, j, node, nodes = 0, count;

	begin("VIOT", 0);
	count = put(0, 2);
	put(48, 2);
	put(0, 8);
	for (i = 0; i < n; i++) {
		node = table_len;
		nodes += 1 + units[i].n;
		/* a virtio-pci IOMMU */
		put(3, 1);
		put(0, 1);
		put(16, 2);
		put(0, 2);
		put(units[i].slot, 2);
		put(0, 8);
		for (j = 0; j < units[i].n; j++) {
			/* a range; its endpoint ids begin at the first address */
			put(1, 1);
			put(0, 1);
			put(24, 2);
			put(units[i].items[j].first, 4);
			put(0, 4);
			put(units[i].items[j].first, 2);
			put(units[i].items[j].last, 2);
			put(node, 2);
			put(0, 6);
		}
	}
	put_at(count, nodes, 2);
	end();
}

/* bb:dd.f[/dd.f]...[/ *]: a device, one below a port, or all below it (8.3.1) */
static void scope(const char *text)
{
	unsigned int bus, slot, function;
	size_t at = table_len;
	const char *p = text;
	int n = 0;

	if (!strncmp(p, "0000:", 5))
		p += 5;
	if (sscanf(p, "%2x:%n", &bus, &n) != 1 || !n)
		goto bad;
	p += n;
	put(1, 1);
	put(0, 1);
	put(0, 2);
	put(0, 1);
	put(bus, 1);
	while (1) {
		if (sscanf(p, "%2x.%1x%n", &slot, &function, &n) != 2 ||
		    slot > 0x1f || function > 7)
			goto bad;
		put(slot, 1);
		put(function, 1);
		p += n;
		if (!strcmp(p, "/*")) {
			table[at] = 2;
			p += 2;
		}
		if (*p != '/')
			break;
		p++;
	}
	if (*p)
		goto bad;
	put_at(at + 1, table_len - at, 1);
	return;
bad:
	die(USAGE, "'%s' is no device of a DMAR table; these are: 00:05.0, 00:05.0/00.0 (below a port), 00:05.0/* (all below it)",
	    text);
}

static void scopes(const struct unit *u)
{
	char name[MAX_BDF];
	size_t i;

	for (i = 0; i < u->n; i++) {
		if (u->items[i].path) {
			scope(u->items[i].path);
			continue;
		}
		bdf_guest_name(u->items[i].first, name);
		scope(name);
	}
}

/*
 * Explicit scopes, since the VMM's own devices are not behind the unit; flags 0,
 * no interrupt remapping. All units, then an RMRR (8.4) for each region and all
 * devices of its unit, so that the guest keeps off it.
 */
static void dmar(const struct unit *units, size_t n, unsigned int width)
{
	size_t i, j, start;

	begin("DMAR", 1);
	put(width - 1, 1);
	put(0, 11);
	for (i = 0; i < n; i++) {
		start = put(0, 2);
		put(0, 2);
		put(0, 4);
		put(units[i].base, 8);
		scopes(&units[i]);
		put_at(start + 2, table_len - start, 2);
	}
	for (i = 0; i < n; i++) {
		for (j = 0; j < units[i].nr_regions; j++) {
			start = put(1, 2);
			put(0, 6);
			put(units[i].regions[j].first, 8);
			put(units[i].regions[j].last, 8);
			scopes(&units[i]);
			put_at(start + 2, table_len - start, 2);
		}
	}
	end();
}

/* Ids keep their numbers; an own one is that of the node's own messages. */
static void iort_mapping(uint32_t first, uint32_t last, size_t node, bool own)
{
	put(first, 4);
	put(last - first, 4);
	put(first, 4);
	put(node, 4);
	put(own, 4);
}

static int compare(const void *a, const void *b)
{
	return (int)((const struct item *)a)->first - (int)((const struct item *)b)->first;
}

/*
 * An ITS, the SMMUs, whose messages go to it, and the root complex. Requests of
 * devices that are behind no SMMU go to the ITS as well.
 */
static void iort(const struct unit *units, size_t n, unsigned int width)
{
	size_t i, j, nodes = 2 + n, its, rc, mappings = 0, *smmu;
	uint32_t next = 0;
	struct item *all = NULL;

	begin("IORT", 0);
	put(nodes, 4);
	put(48, 4);
	put(0, 4);

	its = table_len;
	put(0, 1);
	put(24, 2);
	put(0, 5);
	put(0, 8);
	put(1, 4);
	put(0, 4);

	smmu = calloc(n, sizeof(*smmu));
	if (!smmu)
		die(REFUSED, "no memory");
	for (i = 0; i < n; i++) {
		smmu[i] = table_len;
		put(4, 1);
		put(68 + 2 * 20, 2);
		put(1, 1);
		put(0, 4);
		put(2, 4);
		put(68, 4);
		put(units[i].base, 8);
		/* Table walks are coherent. */
		put(1, 4);
		put(0, 4);
		put(0, 8);
		put(0, 4);
		/* No wired interrupts: messages of its own, by the second mapping. */
		put(0, 8);
		put(0, 8);
		put(0, 4);
		put(1, 4);
		iort_mapping(0, 0xffff, its, false);
		iort_mapping(units[i].slot, units[i].slot, its, true);
	}

	rc = table_len;
	put(2, 1);
	put(0, 2);
	put(1, 1);
	put(0, 4);
	put(0, 4);
	put(36, 4);
	/* Memory accesses are coherent; no ATS; segment 0; bits of addresses. */
	put(1, 4);
	put(0, 3);
	put(3, 1);
	put(0, 4);
	put(0, 4);
	put(width, 1);
	put(0, 3);
	for (i = 0; i < n; i++) {
		for (j = 0; j < units[i].n; j++) {
			all = grow(all, mappings, sizeof(*all));
			all[mappings] = units[i].items[j];
			all[mappings++].node = smmu[i];
		}
	}
	if (mappings)
		qsort(all, mappings, sizeof(*all), compare);
	for (i = 0, j = 0; i < mappings; i++, j++) {
		if (all[i].first < next)
			die(USAGE, "two ranges overlap; a device is behind one SMMU");
		if (all[i].first > next) {
			iort_mapping(next, all[i].first - 1, its, false);
			j++;
		}
		iort_mapping(all[i].first, all[i].last, all[i].node, false);
		next = all[i].last + 1;
	}
	if (next < 0x10000) {
		iort_mapping(next, 0xffff, its, false);
		j++;
	}
	put_at(rc + 1, table_len - rc, 2);
	put_at(rc + 8, j, 4);
	end();
	free(smmu);
	free(all);
}

/* For a guest without ACPI */
static void device_tree(const struct unit *units, size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		unsigned long long base = units[i].base;

		printf("/ {\n\tsmmu%zu: iommu@%llx {\n", i, base);
		puts("\t\tcompatible = \"arm,smmu-v3\";");
		printf("\t\treg = <0x%llx 0x%llx 0x0 0x20000>;\n", base >> 32,
		       base & 0xffffffff);
		puts("\t\t#iommu-cells = <1>;\n\t\tdma-coherent;\n\t};\n};");
	}
	fputs("&pcie {\n\tiommu-map =", stdout);
	for (i = 0; i < n; i++) {
		for (j = 0; j < units[i].n; j++)
			printf("%s <0x%x &smmu%zu 0x%x 0x%x>", i || j ? "," : "",
			       units[i].items[j].first, i, units[i].items[j].first,
			       units[i].items[j].last - units[i].items[j].first + 1);
	}
	puts(";\n};");
}

static void add_item(struct unit *u, uint32_t first, uint32_t last, const char *path)
{
	if (first > last || last > 0xffff)
		die(USAGE, "a range goes from a lower address to a higher one, all in segment 0");
	u->items = grow(u->items, u->n, sizeof(*u->items));
	u->items[u->n++] = (struct item){ first, last, path, 0 };
}

static void add_region(struct unit *u, uint64_t first, uint64_t last)
{
	size_t i;

	for (i = 0; i < u->nr_regions; i++) {
		if (u->regions[i].first == first && u->regions[i].last == last)
			return;
	}
	u->regions = grow(u->regions, u->nr_regions, sizeof(*u->regions));
	u->regions[u->nr_regions++] = (struct region){ first, last };
}

static void add_region_text(struct unit *u, const char *text)
{
	unsigned long long first, last;
	int n = 0;

	if (sscanf(text, "%llx-%llx%n", &first, &last, &n) != 2 || text[n] ||
	    first & 0xfff || ~last & 0xfff || first > last)
		die(USAGE, "'%s' is no range of whole pages, such as 7c000000-7cffffff", text);
	add_region(u, first, last);
}

/*
 * What the host reserves for a device; not interrupts, which no guest maps, nor what
 * the guest may use ("direct-relaxable").
 */
static void add_reserved(struct unit *u, const char *host)
{
	unsigned long long first, last;
	char *text, *rest, *line;
	char type[32];

	text = read_file("/sys/bus/pci/devices/%s/iommu_group/reserved_regions", host);
	rest = text;
	while (rest && next_line(&rest, &line)) {
		if (sscanf(line, "%llx %llx %31s", &first, &last, type) == 3 &&
		    (!strcmp(type, "direct") || !strcmp(type, "reserved")))
			add_region(u, first & ~0xfffULL, last | 0xfff);
	}
	free(text);
}

/*
 * Endpoints that are on bus 0, and, with a DMAR, those that `kviommu qemu` puts
 * behind a port of their own.
 */
static void add_viommu(struct unit *u, const struct viommu *v, enum table kind)
{
	size_t i;

	for (i = 0; i < v->nr_endpoints; i++) {
		uint32_t id = v->endpoints[i].id;
		char *path = NULL;

		if (kind == DMAR && id >> 8)
			path = format("%s/%02x.%x", guest_port(id), id >> 3 & 0x1f, id & 7);
		add_item(u, id, id, path);
		if (kind == DMAR)
			add_reserved(u, v->endpoints[i].host);
	}
}

/* A table for another model would hide the vIOMMU from the guest. */
static void need_model(const struct viommu *v, enum table kind)
{
	enum table right = !strcmp(v->model, "vtd") ? DMAR :
			   !strcmp(v->model, "smmuv3") ? IORT : VIOT;

	if (kind != right)
		die(USAGE, "vIOMMU %s is of the model %s; run: kviommu acpi %s", v->uuid,
		    v->model, names[right]);
}

/* Where the guest's firmware put them, or, for a VT-d unit, most likely will */
static uint64_t registers_of(const struct viommu *v, enum table kind)
{
	char *text = setting_get(v, "register_base");
	uint64_t base = text ? strtoull(text, NULL, 0) : 0;

	free(text);
	return base || kind == IORT ? base : VTD_REGISTERS;
}

static void add_text(struct unit *u, char *text, enum table kind)
{
	char *dash = strchr(text, '-');
	struct viommu v;
	uint32_t first;

	if (!strchr(text, ':')) {
		v = viommu_need_active(text);
		need_model(&v, kind);
		if (!u->based)
			u->base = registers_of(&v, kind);
		if (!v.nr_endpoints)
			die(ABSENT, "nothing is assigned to vIOMMU %s; run: kviommu assign %s HOST GUEST",
			    v.uuid, v.uuid);
		add_viommu(u, &v, kind);
		return;
	}
	if (kind == DMAR) {
		add_item(u, 0, 0, text);
		return;
	}
	if (dash)
		*dash = 0;
	first = bdf_need(text);
	add_item(u, first, dash ? bdf_need(dash + 1) : first, NULL);
}

/* NULL: to the standard output */
static void write_table(const char *path)
{
	FILE *out = path ? fopen(path, "w") : stdout;
	bool failed;

	if (!out)
		die(REFUSED, "cannot write %s: %s; choose another file", path,
		    strerror(errno));
	failed = fwrite(table, 1, table_len, out) != table_len || fflush(out);
	if (path && fclose(out))
		failed = true;
	if (failed)
		die(REFUSED, "cannot write %s: %s", path ? path : "the table",
		    strerror(errno));
}

/* Write the table for one vIOMMU that runs, at @where (its PCI address, for virtio). */
void acpi_write(const struct viommu *v, const char *where, const char *path)
{
	struct unit u = { .slot = bdf_need(where) };

	if (!strcmp(v->model, "virtio")) {
		add_viommu(&u, v, VIOT);
		viot(&u, 1);
	} else if (!strcmp(v->model, "vtd")) {
		u.base = registers_of(v, DMAR);
		add_viommu(&u, v, DMAR);
		dmar(&u, 1, HOST_WIDTH);
	} else {
		die(USAGE, "a vIOMMU of the model %s is not for q35, and QEMU gives other machines no table; see: kviommu acpi iort --dt %s",
		    v->model, v->uuid);
	}
	write_table(path);
}

int cmd_acpi(int argc, char **argv)
{
	static const char synopsis[] =
		"acpi viot [--output FILE] [--iommu BDF] RANGE|ID... [--iommu BDF RANGE|ID...]...\n"
		"       kviommu acpi dmar [--output FILE] [--width BITS] [--base ADDRESS] [--reserved FIRST-LAST]... DEVICE|ID...\n"
		"       kviommu acpi iort [--output FILE] [--dt] [--width BITS] [--base ADDRESS] RANGE|ID... [--base ADDRESS RANGE|ID...]...";
	static const struct option options[] = {
		{ "iommu", required_argument, NULL, 'i' },
		{ "base", required_argument, NULL, 'b' },
		{ "width", required_argument, NULL, 'w' },
		{ "reserved", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },
		{ "dt", no_argument, NULL, 'd' },
		{ }
	};
	const char *output = NULL;
	struct unit *units = NULL;
	uint64_t width = 0;
	bool dt = false;
	enum table kind;
	size_t n = 0, i;
	int opt;

	if (argc < 2)
		misused(synopsis);
	for (kind = VIOT; kind <= IORT; kind++) {
		if (!strcmp(argv[1], names[kind]))
			break;
	}
	if (kind > IORT)
		misused(synopsis);
	argc--;
	argv++;
	/* In order: what follows an IOMMU is behind it. */
	while ((opt = getopt_long(argc, argv, "-i:b:w:r:o:d", options, NULL)) != -1) {
		bool where = (opt == 'i' && kind == VIOT) || (opt == 'b' && kind != VIOT);

		if (opt == 'i' && bdf_need(optarg) > 0xffff)
			die(USAGE, "a table speaks of segment 0 only, not of %s", optarg);
		if (where || (!n && (opt == 1 || opt == 'r'))) {
			units = grow(units, n, sizeof(*units));
			units[n++] = (struct unit){
				.slot = bdf_need(opt == 'i' ? optarg : VIRTIO_SLOT),
				.base = opt == 'b' ? parse_number(optarg, "an address") :
					kind == DMAR ? VTD_REGISTERS : 0,
				.based = opt == 'b',
			};
		}
		if (opt == 1 && n)
			add_text(&units[n - 1], optarg, kind);
		else if (opt == 'r' && kind == DMAR)
			add_region_text(&units[n - 1], optarg);
		else if (opt == 'w' && kind != VIOT)
			width = parse_number(optarg, "a width");
		else if (opt == 'o')
			output = optarg;
		else if (opt == 'd' && kind == IORT)
			dt = true;
		else if (!where)
			misused(synopsis);
	}
	if (!width)
		width = kind == DMAR ? HOST_WIDTH : 64;
	if (width < 32 || width > 64)
		die(USAGE, "a host has 32 to 64 bits of addresses, not %llu",
		    (unsigned long long)width);
	for (i = 0; i < n; i++) {
		if (!units[i].n)
			die(USAGE, "nothing is behind IOMMU %zu of the table; give devices after it",
			    i + 1);
		if (kind == IORT && !units[i].base)
			die(USAGE, "nobody has said yet where the registers of SMMU %zu are; say it with --base",
			    i + 1);
	}
	if (!n)
		misused(synopsis);
	if (dt) {
		if (output && !freopen(output, "w", stdout))
			die(REFUSED, "cannot write %s: %s; choose another file", output,
			    strerror(errno));
		device_tree(units, n);
		return DONE;
	}
	switch (kind) {
	case VIOT:
		viot(units, n);
		break;
	case DMAR:
		dmar(units, n, width);
		break;
	case IORT:
		iort(units, n, width);
		break;
	}
	if (!output && isatty(STDOUT_FILENO))
		die(USAGE, "a table is no text; send it to a file: --output FILE");
	write_table(output);
	return DONE;
}
