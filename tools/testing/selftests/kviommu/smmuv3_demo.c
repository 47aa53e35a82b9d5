// SPDX-License-Identifier: GPL-2.0-only
/*
 * smmuv3_demo MODE UUID BDF READ_TO WRITE_FROM RESULTS
 *
 * What a guest does with an NVMe disk behind an SMMUv3, from its drivers' side, where
 * no x86 guest has a driver for the latter: a VMM with the vIOMMU UUID and the disk
 * BDF, which is StreamID 0x28, and in its guest memory the tables, queues and
 * buffers of both drivers. MODE is stage-1, stage-2, nested or bypass.
 *
 * All of the disk is read to the file READ_TO, and the file WRITE_FROM is written to
 * it, 16 MiB from its start; then there are random reads. Each transfer has addresses
 * of its own, which are taken away when it is done. What is found goes to the folder
 * RESULTS: answers; and in live/ what the vIOMMU is like then.
 */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nvme.h"
#include "lib/smmuv3.h"
#include "lib/vmm.h"

#define SID		ENDPOINT(0)
#define ASID		5
#define VMID		3

/* The disk driver's memory: its own, and a buffer for one transfer */
#define QUEUES_GPA	DATA_GPA
#define QUEUES_IOVA	0x40000000ULL
#define BUFFER_GPA	DATA2_GPA
#define BUFFER_IOVA	0x50000000ULL
#define SLOTS		64	/* addresses for so many buffers, one after the other */
#define UNMAPPED_IOVA	0x77778000ULL
#define RESERVED_IOVA	0xfee00000ULL	/* by x86 hosts */

#define PART_AT		(16 * MiB)
#define RANDOM_READS	1000

struct demo {
	const char *mode;
	enum smmu_config config;
	struct host host;
	struct vmm vmm;
	struct smmu s;
	struct nvme disk;
	u64 table;		/* of what the disk uses */
	u64 second;		/* nested: what that is translated by, 1:1 */
	unsigned int slot;
	u8 *content;		/* all of the disk, as it was read */
	FILE *answers;
	u64 begin;
};

static struct demo d;

static void __attribute__((format(printf, 1, 2))) step(const char *fmt, ...)
{
	va_list args;

	printf("[%6.1fs] ", (now_ns() - d.begin) / 1e9);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* A number of an errno, or of an NVMe status */
static void must(int rc, const char *what)
{
	if (rc < 0)
		errx(1, "%s: %s", what, strerror(-rc));
	if (rc)
		errx(1, "%s: status 0x%x", what, rc);
}

/* ---- the VMM ---- */

static void vmm_start(const char *uuid, const char *bdf)
{
	struct vfio_dev *dev = &d.disk.dev;

	snprintf(d.host.mdev.uuid, sizeof(d.host.mdev.uuid), "%s", uuid);
	vmm_init(&d.vmm, &d.host, NULL);
	must(vmm_up(&d.vmm, VMM_VIOMMU_ATTACH), "the vIOMMU");
	dev->fd = -1;
	must(vmm_add_device(&d.vmm, dev, bdf), bdf);
	must(vfio_bus_master(dev, true), bdf);
	step("guest memory: %llu MiB at 0x%llx", RAM_SIZE / MiB, RAM_GPA);
}

/* ---- the guest's driver of the SMMU ---- */

static u64 rights(void)
{
	return d.config == SMMU_S2 ? SMMU_S2_RW : SMMU_S1_RW;
}

/* The address at which the disk finds memory that is mapped at an IOVA */
static u64 for_disk(u64 iova, u64 gpa)
{
	return d.config == SMMU_BYPASS ? gpa : iova;
}

/* TLBI of a range (RIL): entries of pages of 4 KiB. All is last-level. */
static void invalidate(u64 iova, u64 pages)
{
	u64 op = d.config == SMMU_S2 ? SMMU_C_S2_IPA(VMID) :
				       SMMU_C_NH_VA(VMID, ASID);
	u64 range = 1 << 10 | (pages == 1 ? 3 << 8 : 0);

	must(smmu_submit(&d.s, op | (pages - 1) << 12, iova | range | 1),
	     "TLBI, CMD_SYNC");
}

/*
 * A guest need not tell an SMMU of what it maps. For this one it does, by the same
 * command as for what it takes away.
 */
static void set_pages(u64 iova, u64 gpa, u64 pages, u64 bits)
{
	u64 i;

	if (d.config == SMMU_BYPASS)
		return;
	for (i = 0; i < pages; i++)
		smmu_map(&d.s, d.table, iova + i * PAGE, gpa + i * PAGE, 12, bits);
	invalidate(iova, pages);
}

static u64 map(u64 iova, u64 gpa, u64 pages)
{
	set_pages(iova, gpa, pages, rights());
	return for_disk(iova, gpa);
}

static void unmap(u64 iova, u64 pages)
{
	set_pages(iova, 0, pages, 0);
}

/* A second stage begins at level 1: its table is one below the others'. */
static u64 level1(u64 table)
{
	return *smmu_ptr(&d.s, table) & ~0xfffULL;
}

static void smmu_setup(void)
{
	static const char *const sizes[] = { "32", "36", "40", "42", "44", "48" };
	struct smmu *s = &d.s;
	u32 idr5;
	u64 at, s2 = 0, cd;

	smmu_init(s, &d.vmm.viommu, d.vmm.ram, RAM_GPA);
	idr5 = smmu_read(s, SMMU_IDR5, 4);
	step("the SMMU: IDR0 0x%08x, IDR5 0x%08x: addresses of %s bits",
	     (u32)smmu_read(s, SMMU_IDR0, 4), idr5, sizes[idr5 & 7]);
	d.table = smmu_page(s);
	d.second = smmu_page(s);
	cd = smmu_page(s);
	smmu_cd(s, cd, ASID, d.table);
	for (at = 0; at < NVME_PAGES * PAGE; at += PAGE)
		smmu_map(s, d.table, QUEUES_IOVA + at, QUEUES_GPA + at, 12, rights());
	for (at = 0; at < RAM_SIZE; at += 2 * MiB)
		smmu_map(s, d.second, RAM_GPA + at, RAM_GPA + at, 21, SMMU_S2_RW);
	if (d.config == SMMU_S2)
		s2 = level1(d.table);
	else if (d.config == SMMU_NESTED)
		s2 = level1(d.second);
	smmu_stream(s, SID, d.config, d.config & 1 ? cd : 0, VMID, s2);
	step("stream table at 0x%llx: StreamID 0x%x is %s", (unsigned long long)s->strtab,
	     SID, d.mode);
	if (d.config & 1)
		step("context descriptor at 0x%llx: ASID %u, table at 0x%llx",
		     (unsigned long long)cd, ASID, (unsigned long long)d.table);
	must(smmu_start(s), "CR0");
	step("enabled, with a command queue at 0x%llx and an event queue at 0x%llx",
	     (unsigned long long)s->cmdq, (unsigned long long)s->eventq);
}

/* ---- and that of the disk ---- */

static u8 *buffer(void)
{
	return vmm_ptr(&d.vmm, BUFFER_GPA);
}

static void transfer(bool write, u64 offset, u32 bytes)
{
	u64 iova = BUFFER_IOVA + d.slot++ % SLOTS * NVME_MAX;
	u64 pages = (bytes + PAGE - 1) / PAGE;

	must(nvme_move(&d.disk, write, offset, map(iova, BUFFER_GPA, pages), bytes),
	     write ? "write" : "read");
	unmap(iova, pages);
}

static void disk_start(void)
{
	char serial[21] = "";
	u64 page;

	must(nvme_start(&d.disk, vmm_ptr(&d.vmm, QUEUES_GPA),
			for_disk(QUEUES_IOVA, QUEUES_GPA)), "NVMe controller");
	page = map(BUFFER_IOVA, BUFFER_GPA, 1);
	must(nvme_identify(&d.disk, page), "Identify");
	must(sscanf((char *)buffer() + NVME_SERIAL, "%20s", serial) == 1 ? 0 : -EIO,
	     "its serial number");
	step("the disk: NVMe, serial number %s", serial);
	must(nvme_open_disk(&d.disk, page, buffer()), "its size");
	unmap(BUFFER_IOVA, 1);
}

static void read_disk(const char *path)
{
	u64 size = d.disk.blocks * d.disk.block_size, at, begin = now_ns();
	FILE *file = fopen(path, "w");
	double seconds;

	d.content = malloc(size);
	if (!file || !d.content)
		err(1, "%s", path);
	for (at = 0; at < size; at += NVME_MAX) {
		transfer(false, at, NVME_MAX);
		memcpy(d.content + at, buffer(), NVME_MAX);
	}
	seconds = (now_ns() - begin) / 1e9;
	if (fwrite(d.content, size, 1, file) != 1 || fclose(file))
		err(1, "%s", path);
	step("read all of it: %llu MiB in %.2f seconds, %u KiB at a time",
	     (unsigned long long)(size / MiB), seconds, (u32)(NVME_MAX / KiB));
	fprintf(d.answers, "bytes %llu seconds %.2f\n", (unsigned long long)size,
		seconds);
}

static void write_disk(const char *path)
{
	FILE *file = fopen(path, "r");
	u64 at = PART_AT;

	if (!file)
		err(1, "%s", path);
	while (fread(buffer(), NVME_MAX, 1, file) == 1) {
		memcpy(d.content + at, buffer(), NVME_MAX);
		transfer(true, at, NVME_MAX);
		at += NVME_MAX;
	}
	fclose(file);
	must(nvme_flush(&d.disk), "flush");
	step("wrote %llu MiB at %llu MiB", (unsigned long long)((at - PART_AT) / MiB),
	     PART_AT / MiB);
}

static void random_reads(void)
{
	u64 pages = d.disk.blocks * d.disk.block_size / PAGE, at, ns, total = 0;
	struct rng rng = { 1 };
	unsigned int i;

	for (i = 0; i < RANDOM_READS; i++) {
		at = rng_below(&rng, pages) * PAGE;
		ns = now_ns();
		transfer(false, at, PAGE);
		total += now_ns() - ns;
		if (memcmp(buffer(), d.content + at, PAGE))
			errx(1, "what is at 0x%llx has changed", (unsigned long long)at);
	}
	step("%u random reads of 4 KiB, all as before: %llu us each", RANDOM_READS,
	     (unsigned long long)total / RANDOM_READS / 1000);
	fprintf(d.answers, "reads %u nanoseconds %llu\n", RANDOM_READS,
		(unsigned long long)total);
}

/* ---- what is not mapped ---- */

/* Did the disk write what it was asked for? */
static bool arrives(u64 iova)
{
	int rc;

	memset(buffer(), 0, PAGE);
	/* Its answer may be an error, but it has to answer. */
	rc = nvme_identify(&d.disk, iova);
	must(rc < 0 ? rc : 0, "Identify");
	return buffer()[NVME_SERIAL];
}

static void expect(bool is, bool wanted, const char *what)
{
	step("%s: the disk's data %s", what, is ? "arrives" : "does not arrive");
	if (is != wanted)
		errx(1, "that is wrong");
}

/* The next event has to be this one. */
static void show_event(u32 number, const char *name, u64 addr)
{
	u64 w[4] = {};

	smmu_next_event(&d.s, w);
	step("event 0x%02x, %s: StreamID 0x%x, address 0x%llx", (u32)w[0] & 0xff, name,
	     (u32)(w[0] >> 32), (unsigned long long)w[2]);
	if ((w[0] & 0xff) != number || w[0] >> 32 != SID || w[2] != addr)
		errx(1, "that is wrong");
	fprintf(d.answers, "event 0x%02x\n", number);
}

static void faults(void)
{
	expect(arrives(UNMAPPED_IOVA), false, "an address that is not mapped");
	smmu_map(&d.s, d.table, UNMAPPED_IOVA, BUFFER_GPA, 12, rights());
	expect(arrives(UNMAPPED_IOVA), false, "mapped, and the SMMU not told");
	must(smmu_sync(&d.s), "CMD_SYNC");
	expect(arrives(UNMAPPED_IOVA), true, "after a CMD_SYNC");
	/* Linux reports no faults of the VT-d of this host, so there is no event. */
	map(RESERVED_IOVA, BUFFER_GPA, 1);
	step("mapped 0x%llx, which the host has for interrupts", RESERVED_IOVA);
	show_event(0x10, "F_TRANSLATION", RESERVED_IOVA);
	unmap(RESERVED_IOVA, 1);
	unmap(UNMAPPED_IOVA, 1);
	expect(arrives(UNMAPPED_IOVA), false, "unmapped, TLBI and CMD_SYNC");
}

/* After this the disk can't even read its queues. */
static void bad_stream(void)
{
	*smmu_ptr(&d.s, d.s.strtab + 64 * SID) = 0;
	must(smmu_submit(&d.s, SMMU_C_CFGI_STE(SID), 1), "CFGI_STE, CMD_SYNC");
	step("its stream table entry made invalid: the disk is blocked");
	show_event(0x04, "C_BAD_STE", 0);
}

static void save(const char *folder, const char *name)
{
	char path[512], text[8192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/live/%s", folder, name);
	file = fopen(path, "w");
	must(mdev_debugfs(&d.host.mdev, name, text, sizeof(text)), name);
	if (!file || fputs(text, file) < 0 || fclose(file))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *mode;
		enum smmu_config config;
	} modes[] = {
		{ "stage-1", SMMU_S1 }, { "stage-2", SMMU_S2 },
		{ "nested", SMMU_NESTED }, { "bypass", SMMU_BYPASS },
	};
	char path[512];
	unsigned int i;

	d.begin = now_ns();
	for (i = 0; argc == 7 && i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(argv[1], modes[i].mode))
			continue;
		d.mode = modes[i].mode;
		d.config = modes[i].config;
	}
	if (!d.mode)
		errx(2, "usage: smmuv3_demo stage-1|stage-2|nested|bypass UUID BDF READ_TO WRITE_FROM RESULTS");
	snprintf(path, sizeof(path), "%s/answers", argv[6]);
	d.answers = fopen(path, "w");
	if (!d.answers)
		err(1, "%s", path);

	vmm_start(argv[2], argv[3]);
	smmu_setup();
	disk_start();
	read_disk(argv[4]);
	write_disk(argv[5]);
	random_reads();
	if (d.config != SMMU_BYPASS)
		faults();
	save(argv[6], "counters");
	save(argv[6], "domains");
	save(argv[6], "state");
	nvme_stop(&d.disk);
	bad_stream();
	vfio_close(&d.disk.dev);
	vmm_close(&d.vmm);
	return fclose(d.answers) ? 1 : 0;
}
