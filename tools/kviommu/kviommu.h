/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of kviommu(8) share. */
#ifndef KVIOMMU_TOOL_H
#define KVIOMMU_TOOL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define __noreturn		__attribute__((__noreturn__))
#define __printf(fmt, args)	__attribute__((__format__(printf, fmt, args)))

/* Exit statuses; the man page explains them. */
enum {
	DONE = 0,
	REFUSED = 1,
	USAGE = 2,
	ABSENT = 3,
	BUSY = 4,
};

#define UUID_LEN	36
#define MAX_BDF		16

/* main.c: each command gets its own name as argv[0]. */
int cmd_list(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_assign(int argc, char **argv);
int cmd_unassign(int argc, char **argv);
int cmd_assume_reset(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_acpi(int argc, char **argv);
int cmd_qemu(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_mdevctl(int argc, char **argv);

/* util.c */
void die(int status, const char *fmt, ...)
	__noreturn __printf(2, 3);
void warn(const char *fmt, ...) __printf(1, 2);
void misused(const char *what) __noreturn;
void *grow(void *array, size_t n, size_t size);
char *format(const char *fmt, ...) __printf(1, 2);
char *read_file(const char *fmt, ...) __printf(1, 2);
int write_file(const char *text, const char *fmt, ...)
	__printf(2, 3);
bool exists(const char *fmt, ...) __printf(1, 2);
char *link_name(const char *fmt, ...) __printf(1, 2);
bool next_line(char **text, char **line);
int run(char *const argv[], char **output);
void print_json(struct json_object *object);
uint64_t parse_number(const char *text, const char *what);
double parse_seconds(const char *text, const char *option, double least);
double now(void);

/* pci.c: addresses, [dddd:]bb:dd.f; as a number dddd << 16 | bb << 8 | dd << 3 | f */
bool bdf_parse(const char *text, uint32_t *id);
uint32_t bdf_need(const char *text);
void bdf_name(uint32_t id, char name[MAX_BDF]);
void bdf_guest_name(uint32_t id, char name[MAX_BDF]);
void host_need(const char *text, char host[MAX_BDF]);
char *host_driver(const char *host);
void host_bind(const char *host, bool persist);

/* block.c */
char *host_use(const char *host);

/* viommu.c: what there is */
struct endpoint {
	uint32_t id;
	char host[64];			/* a BDF, or "platform/NAME" */
	char state[16];
	char mark[8];			/* "dirty", "unsafe" or nothing */
};

enum startup { UNDEFINED, MANUAL, AUTO };

struct viommu {
	char uuid[UUID_LEN + 1];
	char model[16];
	bool active;
	int open;			/* -1: unknown */
	enum startup startup;
	struct json_object *definition;	/* mdevctl's, or NULL */
	struct endpoint *endpoints;
	size_t nr_endpoints;
};

#define KVIOMMU_PARENT	"/sys/class/mdev_bus/kviommu"
#define KVIOMMU_MDEV	"/sys/bus/mdev/devices/%s"
#define KVIOMMU_DEBUG	"/sys/kernel/debug/kviommu/%s"

extern const char *const settings[];
struct viommu *viommus(size_t *n);
struct viommu viommu_need(const char *id);
struct viommu viommu_need_active(const char *id);
bool is_uuid(const char *text);
char *setting_get(const struct viommu *v, const char *name);
void attribute_write(const char *uuid, const char *name, const char *value,
		     const char *what);

/* mdevctl.c: definitions */
struct json_object *mdevctl_definitions(void);
void mdevctl_define(const char *uuid, struct json_object *definition);
void mdevctl_start(const char *uuid);
void mdevctl_undefine(const char *uuid);
void mdevctl_assign(const struct viommu *v, const char *assignment);
void mdevctl_unassign(const struct viommu *v, const char *host);
struct json_object *definition_new(const char *model);
void definition_add(struct json_object *definition, const char *name,
		    const char *value);

/* acpi.c */
#define VTD_REGISTERS	0xf8000000ULL	/* where SeaBIOS puts BAR 0 */
#define VIRTIO_SLOT	"00:03.0"
#define HOST_WIDTH	52		/* what the VT-d model wants a DMAR to say */
void acpi_write(const struct viommu *v, const char *where, const char *path);

/* qemu.c */
const char *guest_port(uint32_t id);

#endif
