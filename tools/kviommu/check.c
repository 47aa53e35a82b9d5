// SPDX-License-Identifier: GPL-2.0-only
/* check: whether a device of this host can be assigned, and what stands in the way. */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kviommu.h"

#define PCI_DEVICE	"/sys/bus/pci/devices/%s"
#define DRIVER		"kviommu_vfio_pci"

/* As the top Makefile has them */
static const char *const options_needed[] = {
	"IOMMUFD", "VFIO_DEVICE_CDEV", "VFIO_PCI_CORE", "VFIO_MDEV", "VHOST_TASK", NULL
};

static bool json, unfit;
static struct json_object *findings;

/*
 * verdict "ok", "note": it works, but, or "no". The texts are freed here; todo is
 * what to do about it, or NULL.
 */
static void say(const char *what, const char *verdict, char *text, char *todo)
{
	struct json_object *finding;

	if (!strcmp(verdict, "no"))
		unfit = true;
	if (json) {
		finding = json_object_new_object();
		json_object_object_add(finding, "what", json_object_new_string(what));
		json_object_object_add(finding, "verdict", json_object_new_string(verdict));
		json_object_object_add(finding, "text", json_object_new_string(text));
		if (todo)
			json_object_object_add(finding, "do", json_object_new_string(todo));
		json_object_array_add(findings, finding);
	} else {
		printf("%-4s  %-10s  %s\n", verdict, what, text);
		if (todo)
			printf("      %-10s  -> %s\n", "", todo);
	}
	free(text);
	free(todo);
}

static char *kernel_config(const char *release)
{
	char *const zcat[] = { "zcat", "/proc/config.gz", NULL };
	char *text = read_file("/boot/config-%s", release);

	if (!text && exists("/proc/config.gz"))
		run(zcat, &text);
	return text;
}

static bool has_option(const char *config, const char *option)
{
	char *is_y = format("\nCONFIG_%s=y", option);
	char *is_m = format("\nCONFIG_%s=m", option);
	bool has = strstr(config, is_y) || strstr(config, is_m);

	free(is_y);
	free(is_m);
	return has;
}

static void check_kernel(void)
{
	char *const dry[] = { "modprobe", "--dry-run", "--quiet", DRIVER, NULL };
	unsigned int major = 0, minor = 0;
	struct utsname name;
	char *config, *missing, *more;
	int i;

	if (exists("/sys/bus/pci/drivers/" DRIVER)) {
		say("kernel", "ok", format("the modules are loaded"), NULL);
		return;
	}
	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		die(REFUSED, "cannot tell which kernel runs");
	if (major < 6 || (major == 6 && minor < 12)) {
		say("kernel", "no", format("Linux %s is too old", name.release),
		    format("boot Linux 6.12 or later"));
		return;
	}
	config = kernel_config(name.release);
	missing = format("%s", "");
	for (i = 0; config && options_needed[i]; i++) {
		if (has_option(config, options_needed[i]))
			continue;
		more = format("%s CONFIG_%s", missing, options_needed[i]);
		free(missing);
		missing = more;
	}
	free(config);
	if (*missing)
		say("kernel", "no", format("Linux %s was built without%s", name.release, missing),
		    format("build a kernel with these; the user guide says what selects them"));
	else if (run(dry, NULL))
		say("kernel", "no", format("the modules are not installed for Linux %s", name.release),
		    format("install kviommu-dkms, or run: make && make modules_install && depmod"));
	else
		say("kernel", "no", format("the modules are not loaded"),
		    format("run: modprobe " DRIVER));
	free(missing);
}

/* As the module has it: the header is that of a bridge to PCI or CardBus. */
static bool is_bridge(const char *host)
{
	char *path = format(PCI_DEVICE "/config", host);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t type = 0;

	free(path);
	if (fd < 0)
		return false;
	if (pread(fd, &type, 1, 0x0e) != 1)
		type = 0;
	close(fd);
	type &= 0x7f;
	return type == 1 || type == 2;
}

static void check_device(const char *host)
{
	char *vendor = read_file(PCI_DEVICE "/vendor", host);
	char *device = read_file(PCI_DEVICE "/device", host);

	if (is_bridge(host))
		say("device", "no", format("%s is a bridge", host),
		    format("assign the devices behind it; lspci -t shows them"));
	else
		say("device", "ok", format("%s is %.6s:%.6s", host,
					   vendor ? vendor : "?", device ? device : "?"), NULL);
	free(vendor);
	free(device);
}

/* Bits of addresses that a VT-d unit translates: MGAW of CAP (11.4.2), or 0 */
static unsigned int vtd_width(const char *host)
{
	char *text = read_file(PCI_DEVICE "/iommu/intel-iommu/cap", host);
	unsigned long long cap = text ? strtoull(text, NULL, 16) : 0;

	free(text);
	return cap ? (cap >> 16 & 0x3f) + 1 : 0;
}

static bool check_iommu(const char *host)
{
	char *cpu = NULL, *cmdline = NULL, *name;
	unsigned int width;

	if (exists(PCI_DEVICE "/iommu_group", host)) {
		name = link_name(PCI_DEVICE "/iommu", host);
		width = vtd_width(host);
		if (width)
			say("IOMMU", "ok", format("%s translates %u bits", name, width), NULL);
		else
			say("IOMMU", "ok", format("%s", name ? name : "there is one"), NULL);
		free(name);
		return true;
	}
	cpu = read_file("/proc/cpuinfo");
	cmdline = read_file("/proc/cmdline");
	if (cmdline && strstr(cmdline, "iommu=off"))
		say("IOMMU", "no", format("it is off on the kernel's command line"),
		    format("take iommu=off out of it, and boot again"));
	else if (cpu && strstr(cpu, "GenuineIntel") && cmdline &&
		 !strstr(cmdline, "intel_iommu=on"))
		say("IOMMU", "no", format("%s is not behind an IOMMU that is on", host),
		    format("turn VT-d on in the firmware, add intel_iommu=on to the kernel's command line, and boot again"));
	else
		say("IOMMU", "no", format("%s is not behind an IOMMU that is on", host),
		    format("turn the IOMMU on in the firmware (VT-d, AMD-Vi), and boot again"));
	free(cpu);
	free(cmdline);
	return false;
}

static void check_interrupts(void)
{
	char *text = read_file("/proc/interrupts");
	char *unsafe = read_file("/sys/module/iommufd/parameters/allow_unsafe_interrupts");

	if (text && (strstr(text, " IR-") || strstr(text, "-IR-")))
		say("interrupts", "ok", format("they are remapped"), NULL);
	else if (unsafe && *unsafe == 'Y')
		say("interrupts", "note", format("nothing remaps them, and that is allowed: a device can fake any interrupt"),
		    NULL);
	else
		say("interrupts", "no", format("nothing remaps them, so VFIO refuses devices"),
		    format("turn interrupt remapping on in the firmware; for guests that are trusted: modprobe iommufd allow_unsafe_interrupts=1"));
	free(text);
	free(unsafe);
}

static void check_group(const char *host)
{
	char *group = link_name(PCI_DEVICE "/iommu_group", host);
	char *path = format(PCI_DEVICE "/iommu_group/devices", host);
	DIR *dir = opendir(path);
	unsigned int others = 0, bad = 0;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *name = entry->d_name;
		char *driver;

		if (*name == '.' || !strcmp(name, host) || is_bridge(name))
			continue;
		others++;
		driver = host_driver(name);
		if (driver && strcmp(driver, DRIVER)) {
			bad++;
			say("group", "no", format("%s of the same group %s is used by %s", name, group, driver),
			    format("the two can only be given away together; run: driverctl set-override %s " DRIVER, name));
		}
		free(driver);
	}
	if (dir)
		closedir(dir);
	if (!bad && !others)
		say("group", "ok", format("%s is alone in group %s", host, group), NULL);
	else if (!bad)
		say("group", "note", format("group %s has %u more; none has another driver", group, others),
		    format("assign all of them to one vIOMMU: what one may reach, all may reach"));
	free(group);
	free(path);
}

static void check_reset(const char *host)
{
	char *text = read_file(PCI_DEVICE "/reset_method", host);

	if (text)
		text[strcspn(text, "\n")] = 0;
	if (text && *text)
		say("reset", "ok", format("by %s", text), NULL);
	else
		say("reset", "note", format("%s can't be reset by itself", host),
		    format("QEMU says \"Cannot reset device\"; reboots of the guest may leave it in an odd state, then use another device"));
	free(text);
}

/* Regions that the firmware's own use of the device needs mapped one to one */
static void check_reserved(const char *host)
{
	char *text = read_file(PCI_DEVICE "/iommu_group/reserved_regions", host);
	char *rest = text, *line, first[32], last[32], type[32];
	unsigned int n = 0, bad = 0;

	while (rest && next_line(&rest, &line)) {
		if (sscanf(line, "%31s %31s %31s", first, last, type) != 3)
			continue;
		n++;
		if (strcmp(type, "direct"))
			continue;
		bad++;
		say("reserved", "no", format("the firmware uses %s through %s-%s (RMRR)", host, first, last),
		    format("turn off what uses it in the firmware: management agents, legacy USB"));
	}
	free(text);
	if (!bad)
		say("reserved", "ok", format("%u regions, all usable; the guest is told of them", n), NULL);
}

static void check_driver(const char *host)
{
	char *driver = host_driver(host), *use = host_use(host);

	if (use)
		say("driver", "no", format("this host uses %s: %s", host, use),
		    format("take it out of use, or choose another device"));
	else if (!driver)
		say("driver", "no", format("it has none"),
		    format("run: driverctl set-override %s " DRIVER, host));
	else if (!strcmp(driver, DRIVER))
		say("driver", "ok", format(DRIVER), NULL);
	else
		say("driver", "no", format("it is used by %s", driver),
		    format("make sure that this host can do without it, then run: driverctl set-override %s " DRIVER, host));
	free(driver);
	free(use);
}

static void check_assigned(const char *host)
{
	struct viommu *list;
	char guest[MAX_BDF];
	size_t n, i, j;

	list = viommus(&n);
	for (i = 0; i < n; i++) {
		for (j = 0; j < list[i].nr_endpoints; j++) {
			if (strcmp(list[i].endpoints[j].host, host))
				continue;
			bdf_guest_name(list[i].endpoints[j].id, guest);
			say("assigned", "ok", format("to vIOMMU %s as %s, %s", list[i].uuid,
						     guest, list[i].endpoints[j].state), NULL);
		}
	}
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	char host[MAX_BDF];
	int opt;

	while ((opt = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (opt != 'j')
			misused("check [--json] HOST");
		json = true;
	}
	if (optind != argc - 1)
		misused("check [--json] HOST");
	host_need(argv[optind], host);
	findings = json_object_new_array();
	check_kernel();
	check_device(host);
	if (check_iommu(host)) {
		check_group(host);
		check_reserved(host);
		check_interrupts();
	}
	check_reset(host);
	check_driver(host);
	check_assigned(host);
	if (json) {
		struct json_object *answer = json_object_new_object();

		json_object_object_add(answer, "host", json_object_new_string(host));
		json_object_object_add(answer, "fit", json_object_new_boolean(!unfit));
		json_object_object_add(answer, "findings", findings);
		print_json(answer);
	}
	return unfit ? REFUSED : DONE;
}
