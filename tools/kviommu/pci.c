// SPDX-License-Identifier: GPL-2.0-only
/* PCI addresses, and devices of this host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kviommu.h"

#define PCI_DEVICE	"/sys/bus/pci/devices/%s"
#define DRIVER		"kviommu_vfio_pci"

bool bdf_parse(const char *text, uint32_t *id)
{
	unsigned int segment = 0, bus, slot, function;
	int n = 0;

	/* %x takes signs and spaces, too. */
	if (text[strspn(text, "0123456789abcdefABCDEF:.")])
		return false;
	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &segment, &bus, &slot, &function, &n) != 4) {
		segment = 0;
		n = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function, &n) != 3)
			return false;
	}
	if (text[n] || slot > 0x1f || function > 7)
		return false;
	*id = segment << 16 | bus << 8 | slot << 3 | function;
	return true;
}

uint32_t bdf_need(const char *text)
{
	uint32_t id;

	if (!bdf_parse(text, &id))
		die(USAGE, "'%s' is no PCI address; one is 00:05.0 or 0000:00:05.0, in segments up to ffff",
		    text);
	return id;
}

/* As the kernel names it */
void bdf_name(uint32_t id, char name[MAX_BDF])
{
	snprintf(name, MAX_BDF, "%04x:%02x:%02x.%x", id >> 16, id >> 8 & 0xff,
		 id >> 3 & 0x1f, id & 7);
}

/* In segment 0, which all that tables speak of is, without the segment */
void bdf_guest_name(uint32_t id, char name[MAX_BDF])
{
	char whole[MAX_BDF];

	bdf_name(id, whole);
	strcpy(name, id >> 16 ? whole : whole + 5);
}

/* A device that is there, by the kernel's name */
void host_need(const char *text, char host[MAX_BDF])
{
	bdf_name(bdf_need(text), host);
	if (!exists(PCI_DEVICE, host))
		die(ABSENT, "there is no PCI device %s on this host; lspci -D lists them",
		    host);
}

char *host_driver(const char *host)
{
	return link_name(PCI_DEVICE "/driver", host);
}

static void bind_write(const char *text, const char *host, const char *file)
{
	int rc = write_file(text, PCI_DEVICE "/%s", host, file);

	if (rc)
		die(rc == ENOENT ? ABSENT : REFUSED, "cannot write to %s of %s: %s",
		    file, host, strerror(rc));
}

/* Give the device to our driver; with persist, after each boot, too. */
void host_bind(const char *host, bool persist)
{
	char *const driverctl[] = {
		"driverctl", "set-override", (char *)host, DRIVER, NULL
	};
	char *driver, *use = host_use(host);
	int rc;

	if (use)
		die(BUSY, "this host uses %s: %s; take it out of use", host, use);
	driver = host_driver(host);
	if (driver && !strcmp(driver, DRIVER) && !persist)
		return;
	if (!exists("/sys/bus/pci/drivers/" DRIVER))
		die(ABSENT, "the driver " DRIVER " is not loaded; run: modprobe " DRIVER);
	if (persist) {
		rc = run(driverctl, NULL);
		if (rc < 0)
			die(ABSENT, "--bind --persist needs driverctl; install it");
		if (rc)
			die(REFUSED, "driverctl could not give %s to " DRIVER, host);
	} else {
		bind_write(DRIVER, host, "driver_override");
		if (driver)
			bind_write(host, host, "driver/unbind");
		rc = write_file(host, "/sys/bus/pci/drivers_probe");
		if (rc)
			die(REFUSED, DRIVER " does not take %s: %s", host, strerror(rc));
	}
	free(driver);
	driver = host_driver(host);
	if (!driver || strcmp(driver, DRIVER))
		die(REFUSED, DRIVER " did not take %s; 'kviommu check %s' may say why, else dmesg",
		    host, host);
	free(driver);
}
