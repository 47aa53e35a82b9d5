// SPDX-License-Identifier: GPL-2.0-only
/* trace: the tracepoints of the module, with numbers of registers decoded. */
#include <dirent.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "kviommu.h"
#include "tracing.h"

struct name {
	unsigned int value;
	const char *name;
};

/* Bits of the virtio device status (virtio 1.3, 2.1) */
static const struct name virtio_status[] = {
	{ 1, "ACKNOWLEDGE" }, { 2, "DRIVER" }, { 4, "DRIVER_OK" }, { 8, "FEATURES_OK" },
	{ 64, "DEVICE_NEEDS_RESET" }, { 128, "FAILED" }, { }
};

/* Bits of GCMD (VT-d 11.4.4) */
static const struct name gcmd[] = {
	{ 1u << 31, "TE" }, { 1u << 30, "SRTP" }, { 1u << 29, "SFL" }, { 1u << 28, "EAFL" },
	{ 1u << 27, "WBF" }, { 1u << 26, "QIE" }, { 1u << 25, "IRE" }, { 1u << 24, "SIRTP" },
	{ 1u << 23, "CFI" }, { }
};

/* Flags of a MAP request (virtio 1.3, 5.13.6.5) */
static const struct name map_flags[] = {
	{ 1, "read" }, { 2, "write" }, { 4, "mmio" }, { }
};

/* Fault reasons (VT-d, 7.1.3 and appendix A) */
static const struct name reasons[] = {
	{ 0x01, "root entry not present" }, { 0x02, "context entry not present" },
	{ 0x03, "context entry invalid" }, { 0x04, "address beyond what is translated" },
	{ 0x05, "no write permission" }, { 0x06, "no read permission" },
	{ 0x07, "no access to a second-stage table" }, { 0x08, "no access to the root table" },
	{ 0x09, "no access to a context table" }, { 0x0a, "reserved bits of a root entry" },
	{ 0x0b, "reserved bits of a context entry" },
	{ 0x0c, "reserved bits of a second-stage entry" },
	{ 0x0e, "address of interrupts" }, { 0x30, "RTADDR" }, { 0x33, "all DMA is aborted" },
	{ 0x38, "no access to the root table" }, { 0x39, "root entry not present" },
	{ 0x3a, "reserved bits of a root entry" }, { 0x40, "no access to a context table" },
	{ 0x41, "context entry not present" }, { 0x42, "reserved bits of a context entry" },
	{ 0x43, "context entry invalid" }, { 0x50, "no access to a PASID directory" },
	{ 0x51, "PASID directory entry not present" },
	{ 0x52, "reserved bits of a PASID directory entry" },
	{ 0x58, "no access to a PASID table" }, { 0x59, "PASID entry not present" },
	{ 0x5a, "reserved bits of a PASID entry" }, { 0x5b, "PASID entry invalid" },
	{ 0x70, "no access to a first-stage table" }, { 0x71, "first-stage entry not present" },
	{ 0x72, "reserved bits of a first-stage entry" },
	{ 0x78, "no access to a second-stage table" },
	{ 0x7a, "reserved bits of a second-stage entry" },
	{ 0x80, "address not canonical" }, { 0x81, "no privilege" },
	{ 0x84, "address beyond what is translated" }, { 0x85, "no write permission" },
	{ 0x86, "no read permission" }, { 0x87, "address of interrupts" }, { }
};

/* Commands (IHI 0070, 4.1.4) */
static const struct name smmu_commands[] = {
	{ 0x01, "PREFETCH_CONFIG" }, { 0x02, "PREFETCH_ADDR" }, { 0x03, "CFGI_STE" },
	{ 0x04, "CFGI_STE_RANGE" }, { 0x05, "CFGI_CD" }, { 0x06, "CFGI_CD_ALL" },
	{ 0x10, "TLBI_NH_ALL" }, { 0x11, "TLBI_NH_ASID" }, { 0x12, "TLBI_NH_VA" },
	{ 0x13, "TLBI_NH_VAA" }, { 0x28, "TLBI_S12_VMALL" }, { 0x2a, "TLBI_S2_IPA" },
	{ 0x30, "TLBI_NSNH_ALL" }, { 0x40, "ATC_INV" }, { 0x41, "PRI_RESP" },
	{ 0x44, "RESUME" }, { 0x45, "STALL_TERM" }, { 0x46, "SYNC" }, { }
};

/* Events (IHI 0070, 7.3) */
static const struct name smmu_events[] = {
	{ 0x02, "C_BAD_STREAMID" }, { 0x03, "F_STE_FETCH" }, { 0x04, "C_BAD_STE" },
	{ 0x06, "F_STREAM_DISABLED" }, { 0x08, "C_BAD_SUBSTREAMID" }, { 0x09, "F_CD_FETCH" },
	{ 0x0a, "C_BAD_CD" }, { 0x0b, "F_WALK_EABT" }, { 0x10, "F_TRANSLATION" },
	{ 0x11, "F_ADDR_SIZE" }, { 0x12, "F_ACCESS" }, { 0x13, "F_PERMISSION" }, { }
};

static void print_bits(const char *label, unsigned int value, const struct name *names)
{
	printf(" (%s", label);
	for (; names->name; names++) {
		if (value & names->value)
			printf(" %s", names->name);
	}
	putchar(')');
}

static void print_value(unsigned int value, const struct name *names)
{
	for (; names->name; names++) {
		if (value == names->value)
			printf(" (%s)", names->name);
	}
}

/* The number behind a word of the text */
static bool number(const char *text, const char *word, unsigned long long *value)
{
	const char *at = strstr(text, word);

	if (!at)
		return false;
	*value = strtoull(at + strlen(word), NULL, 0);
	return true;
}

/* An invalidation descriptor (VT-d 6.5.2): granularity in bits 5:4, domain in 31:16 */
static void print_descriptor(const char *text)
{
	static const char *const granularity[] = { "reserved", "global", "domain", "selective" };
	unsigned long long word0, word1;
	char kind[16];

	if (sscanf(text, "%*s %15s 0x%llx 0x%llx", kind, &word0, &word1) != 3)
		return;
	if (!strcmp(kind, "iotlb") || !strcmp(kind, "context")) {
		printf(" (%s, domain %llu", granularity[word0 >> 4 & 3],
		       word0 >> 16 & 0xffff);
		if (!strcmp(kind, "iotlb") && (word0 >> 4 & 3) == 3)
			printf(", 0x%llx, %llu pages", word1 & ~0xfffULL, 1ULL << (word1 & 0x3f));
		putchar(')');
	} else if (!strcmp(kind, "wait")) {
		printf(" (%s%s%s)", word0 & 0x10 ? "interrupt " : "",
		       word0 & 0x20 ? "status " : "", word0 & 0x40 ? "fence" : "");
	}
}

static void print_line(char *line)
{
	unsigned long long value;
	char guest[MAX_BDF];
	struct trace_line t;
	const char *event;

	if (!trace_parse(line, &t)) {
		/* "CPU:1 [LOST 42 EVENTS]" */
		if (strstr(line, "[LOST "))
			puts(line);
		return;
	}
	event = !strncmp(t.event, "kviommu_", 8) ? t.event + 8 : t.event;
	printf("%.6f %-13s %s", t.seconds, event, t.text);
	if (number(t.text, "endpoint ", &value)) {
		bdf_guest_name(value, guest);
		printf(" (%s)", guest);
	}
	if (!strcmp(event, "map") && number(t.text, "flags ", &value))
		print_bits("flags", value, map_flags);
	if (!strcmp(event, "virtio_status") && number(t.text, "-> ", &value))
		print_bits("now", value, virtio_status);
	if (!strcmp(event, "vtd_command") && number(t.text, "gcmd ", &value))
		print_bits("gcmd", value, gcmd);
	if (!strcmp(event, "vtd_inv"))
		print_descriptor(t.text);
	if ((!strcmp(event, "vtd_fault") && number(t.text, "reason ", &value)) ||
	    (!strcmp(event, "vtd_lookup") && number(t.text, "fault ", &value)))
		print_value(value, reasons);
	if (!strcmp(event, "smmuv3_command") && sscanf(t.text, "%*s 0x%llx", &value) == 1)
		print_value(value & 0xff, smmu_commands);
	if (!strncmp(event, "smmuv3_", 7) && number(t.text, " event ", &value))
		print_value(value, smmu_events);
	putchar('\n');
	fflush(stdout);
}

static void all_events(const char *uuid)
{
	DIR *dir = opendir("/sys/kernel/tracing/events/kviommu");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, "kviommu_", 8))
			trace_event(entry->d_name, uuid);
	}
	if (dir)
		closedir(dir);
}

int cmd_trace(int argc, char **argv)
{
	static const char synopsis[] = "trace [--event NAME]... [--time SECONDS] [ID]";
	static const struct option options[] = {
		{ "event", required_argument, NULL, 'e' },
		{ "time", required_argument, NULL, 't' },
		{ }
	};
	char *uuid = NULL, **events = NULL;
	double seconds = -1;
	size_t n = 0, i;
	int opt;

	while ((opt = getopt_long(argc, argv, "e:t:", options, NULL)) != -1) {
		if (opt == 'e') {
			events = grow(events, n, sizeof(*events));
			events[n++] = strncmp(optarg, "kviommu_", 8) ?
				      format("kviommu_%s", optarg) : optarg;
		} else if (opt == 't') {
			seconds = parse_seconds(optarg, "--time", 0);
		} else {
			misused(synopsis);
		}
	}
	if (optind < argc - 1)
		misused(synopsis);
	if (optind == argc - 1)
		uuid = strdup(viommu_need_active(argv[optind]).uuid);
	if (!exists("/sys/kernel/tracing/events/kviommu"))
		die(ABSENT, "there is no /sys/kernel/tracing/events/kviommu; be root, mount tracefs, and run: modprobe kviommu_vfio_pci");
	trace_begin();
	for (i = 0; i < n; i++)
		trace_event(events[i], uuid);
	if (!n)
		all_events(uuid);
	warn("tracing%s%s, until Ctrl-C", uuid ? " " : "", uuid ? uuid : "");
	trace_read(seconds, print_line);
	trace_rest(print_line);
	return DONE;
}
