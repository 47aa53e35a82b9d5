// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mappings cost: "bench [-m kviommu_bench.ko] [-j result.json] [-n mappings]
 * [-o rows]".
 *
 * Times are of CLOCK_MONOTONIC. In a machine whose clock counts instructions
 * (-icount shift=0) a nanosecond is an instruction, and noise is gone. Each row
 * says what it is compared with, and all rows are of one run.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/smmuv3.h"
#include "lib/vmm.h"
#include "lib/vtd.h"

#define MAX_ROWS	128
#define FAR_IOVA	0x100000000ULL
/* The long-lived mappings start so many pages behind FAR_IOVA */
#define FILL_PAGE	(1ULL << 19)

struct row {
	const char *name;
	const char *than;	/* the row it is compared with, or NULL */
	double value;
	const char *unit;
	double goal;		/* at most, as a ratio to "than"; 0: none */
	bool absolute;		/* the goal is of the value itself */
};

static struct row rows[MAX_ROWS];
static unsigned int nr_rows;

static struct host host;
static struct vmm vmm;

static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	vmm_close(&vmm);
	host_teardown(&host);
	exit(1);
}

static struct row *add(const char *name, double value, const char *unit,
		       const char *than, double goal)
{
	struct row *row = &rows[nr_rows++];

	*row = (struct row){ name, than, value, unit, goal, false };
	fprintf(stderr, "bench: %s: %.1f %s\n", name, value, unit);
	return row;
}

static struct row *find(const char *name)
{
	unsigned int i;

	for (i = 0; name && i < nr_rows; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static void queue_map(unsigned int slot, u64 iova, u64 pages, u64 gpa)
{
	struct virtio_iommu_req_map req = viommu_make_map(
		DOMAIN, iova, iova + pages * PAGE - 1, gpa, VIOMMU_RW);

	viommu_queue(&vmm.v, slot, &req, sizeof(req) - 4, 4);
}

static void queue_unmap(unsigned int slot, u64 iova, u64 pages)
{
	struct virtio_iommu_req_unmap req =
		viommu_make_unmap(DOMAIN, iova, iova + pages * PAGE - 1);

	viommu_queue(&vmm.v, slot, &req, sizeof(req) - 4, 4);
}

/* What the notifications took: the device's part, without the driver's own */
static u64 kick_ns;

static void kick_and_collect(unsigned int n)
{
	unsigned int slot;
	u64 start;
	int status;

	start = now_ns();
	vq_kick(&vmm.v, 0);
	kick_ns += now_ns() - start;
	while (n--) {
		status = viommu_collect(&vmm.v, &slot);
		if (status)
			die("a request failed with status %d", status);
	}
}

/* Nanoseconds of one MAP and UNMAP of a page, n requests in a notification */
static double pairs(unsigned int n, unsigned int rounds)
{
	unsigned int i, j;

	for (i = 0; i <= rounds; i++) {
		if (i == 1)	/* the first round is to warm up */
			kick_ns = 0;
		if (n == 1) {
			queue_map(0, FAR_IOVA, 1, DATA_GPA);
			kick_and_collect(1);
			queue_unmap(0, FAR_IOVA, 1);
			kick_and_collect(1);
			continue;
		}
		/* As a guest does: some maps, some unmaps, in one kick */
		for (j = 0; j < n; j += 2) {
			queue_map(j, FAR_IOVA + j * PAGE, 1,
				  DATA_GPA + j % 7 * 3 * PAGE);
			queue_unmap(j + 1, FAR_IOVA + j * PAGE, 1);
		}
		kick_and_collect(n);
	}
	return (double)kick_ns / rounds / (n == 1 ? 1 : n / 2);
}

/*
 * 64 a kick, but all maps in one kick and all unmaps in the next; and the same
 * with what the driver does to queue and collect them
 */
static double pairs_apart(unsigned int n, unsigned int rounds, double *driver)
{
	unsigned int i, j;
	u64 start = 0;

	for (i = 0; i <= rounds; i++) {
		if (i == 1) {
			start = now_ns();
			kick_ns = 0;
		}
		for (j = 0; j < n; j++)
			queue_map(j, FAR_IOVA + j * PAGE, 1,
				  DATA_GPA + j % 7 * 3 * PAGE);
		kick_and_collect(n);
		for (j = 0; j < n; j++)
			queue_unmap(j, FAR_IOVA + j * PAGE, 1);
		kick_and_collect(n);
	}
	*driver = (double)(now_ns() - start) / rounds / n;
	return (double)kick_ns / rounds / n;
}

static double runs(u64 pages, unsigned int rounds)
{
	unsigned int i;

	for (i = 0; i <= rounds; i++) {
		if (i == 1)
			kick_ns = 0;
		queue_map(0, FAR_IOVA, pages, RAM_GPA + 4 * MiB);
		kick_and_collect(1);
		queue_unmap(0, FAR_IOVA, pages);
		kick_and_collect(1);
	}
	return (double)kick_ns / rounds;
}

/* 512 pages of no order: a request each, 64 a kick, unmapped with one request */
static double scattered(unsigned int rounds)
{
	unsigned int i, j, n;

	for (i = 0; i <= rounds; i++) {
		if (i == 1)
			kick_ns = 0;
		for (j = 0; j < 512; j += n) {
			for (n = 0; n < 64; n++)
				queue_map(n, FAR_IOVA + (j + n) * PAGE, 1,
					  RAM_GPA + 4 * MiB +
					  (j + n) * 37 % 512 * PAGE);
			kick_and_collect(64);
		}
		queue_unmap(0, FAR_IOVA, 512);
		kick_and_collect(1);
	}
	return (double)kick_ns / rounds;
}

/*
 * The ioctls of a VMM that does it all itself: a second IOAS with the device
 * attached to it in the stock way, which here is bypass
 */
static double ioctl_pairs(u64 pages, bool shuffle, unsigned int rounds)
{
	u8 *va = vmm_alloc(RAM_4K, 512 * PAGE);
	unsigned int i;
	u64 start = 0, j;
	int rc = 0;

	for (i = 0; i <= rounds && !rc; i++) {
		if (i == 1)
			start = now_ns();
		if (!shuffle) {
			rc = iommufd_map(vmm.iommufd, vmm.ioas, va, pages * PAGE,
					 FAR_IOVA, true);
		} else {
			for (j = 0; j < pages && !rc; j++)
				rc = iommufd_map(vmm.iommufd, vmm.ioas,
						 va + j * 37 % 512 * PAGE, PAGE,
						 FAR_IOVA + j * PAGE, true);
		}
		rc = rc ?: iommufd_unmap(vmm.iommufd, vmm.ioas, FAR_IOVA,
					 pages * PAGE);
	}
	if (rc)
		die("ioctl: %s", strerror(-rc));
	return (double)(now_ns() - start) / rounds;
}

/* Slab, page tables and per-CPU memory of the kernel, in bytes */
static u64 kernel_memory(void)
{
	static const char *const fields[] = {
		"Slab:", "PageTables:", "SecPageTables:", "Percpu:",
		"VmallocUsed:",
	};
	char text[8192], *at;
	u64 total = 0;
	size_t i;

	if (file_read("/proc/meminfo", text, sizeof(text)) < 0)
		return 0;
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		at = strstr(text, fields[i]);
		if (at)
			total += strtoull(at + strlen(fields[i]), NULL, 10) * KiB;
	}
	return total;
}

/* Fill up to n mappings that can not merge */
static u64 fill(u64 have, u64 n)
{
	unsigned int i;

	while (have < n) {
		unsigned int count = n - have < 64 ? n - have : 64;

		for (i = 0; i < count; i++)
			queue_map(i, FAR_IOVA + (FILL_PAGE + have + i) * PAGE,
				  1, DATA_GPA + (have + i) % 2 * 5 * PAGE);
		kick_and_collect(count);
		have += count;
	}
	return have;
}

/* As many mappings as there may be: one more must get NOMEM, and no other status */
static u64 fill_to_quota(u64 have)
{
	char text[32];
	unsigned int slot;
	u64 quota;
	int status;

	if (mdev_get(&host.mdev, "max_mappings", text, sizeof(text)))
		die("no max_mappings");
	quota = strtoull(text, NULL, 0);
	have = fill(have, have + quota - mdev_counter(&host.mdev, "mappings"));
	queue_map(0, FAR_IOVA, 1, DATA_GPA);
	vq_kick(&vmm.v, 0);
	status = viommu_collect(&vmm.v, &slot);
	if (status != VIRTIO_IOMMU_S_NOMEM)
		die("a mapping more than %llu: status %d, expected %d",
		    (unsigned long long)quota, status, VIRTIO_IOMMU_S_NOMEM);
	add("mappings_then_nomem", mdev_counter(&host.mdev, "mappings"),
	    "mappings", NULL, 0);
	return have;
}

static void with_alive(u64 limit)
{
	static const struct {
		u64 n;
		const char *name;
	} levels[] = {
		{ 10, "map_10_alive" }, { 1000, "map_1e3_alive" },
		{ 100000, "map_1e5_alive" }, { 1000000, "map_1e6_alive" },
	};
	u64 have = 0, before, shadow_before;
	struct row *row;
	size_t i;

	before = kernel_memory();
	shadow_before = mdev_counter(&host.mdev, "shadow_bytes");
	for (i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		unsigned int j, k;
		u64 ns = 0;

		if (levels[i].n > limit)
			break;
		have = fill(have, levels[i].n);
		/* Only the maps: 64 a kick, taken away again unmeasured */
		for (j = 0; j < 20; j++) {
			for (k = 0; k < 64; k++)
				queue_map(k, FAR_IOVA + (j * 97 + k) * PAGE, 1,
					  DATA_GPA + k % 2 * 5 * PAGE);
			kick_ns = 0;
			kick_and_collect(64);
			ns += kick_ns;
			queue_unmap(0, FAR_IOVA + j * 97 * PAGE, 64);
			kick_and_collect(1);
		}
		add(levels[i].name, ns / 20.0 / 64, "instructions",
		    i ? levels[0].name : NULL, i ? 1.5 : 0);
	}
	row = add("bytes_a_mapping",
		  (double)(mdev_counter(&host.mdev, "shadow_bytes") -
			   (long long)shadow_before) / have, "bytes", NULL, 64);
	row->absolute = true;
	add("kernel_memory_a_mapping",
	    (double)((long long)kernel_memory() - (long long)before) / have,
	    "bytes", NULL, 0);
	if (have >= levels[3].n)
		have = fill_to_quota(have);
	queue_unmap(0, FAR_IOVA + FILL_PAGE * PAGE, have);
	kick_and_collect(1);
}

/* ---- VT-d ---- */

/* Of a domain that is invalidated beside others; and those */
#define BESIDE_LEAVES	1024
#define OTHERS		(MAX_ENDPOINTS - 1)

static struct vtd vtd;
static u64 vtd_table;
static enum vtd_mode vtd_mode;

/* Instructions of a register write that has all of a descriptor done */
static u64 invalidate(u64 word0, u64 word1)
{
	u32 *status = (u32 *)vtd_ptr(&vtd, vtd.status);
	u64 start;

	vtd.waits++;
	vtd_put(&vtd, word0, word1);
	vtd_put(&vtd, VTD_D_WAIT(vtd.waits), vtd.status);
	start = now_ns();
	vtd_ring(&vtd);
	while (__atomic_load_n(status, __ATOMIC_ACQUIRE) != vtd.waits)
		if (vtd_read(&vtd, VTD_FSTS, 4) & VTD_FSTS_IQE)
			die("the invalidation queue stopped");
	return now_ns() - start;
}

static u64 invalidate_page(u64 iova)
{
	return invalidate(vtd_is_first(vtd_mode) ?
			  VTD_D_PIOTLB(VTD_PAGE, DOMAIN) :
			  VTD_D_IOTLB(VTD_PAGE, DOMAIN), iova);
}

/* A page comes, stays and goes, in a table that has others beside it */
static void vtd_pages(const char *mode)
{
	const unsigned int rounds = 200;
	u64 add_ns = 0, same_ns = 0, remove_ns = 0;
	char name[3][64];
	unsigned int i;

	for (i = 0; i <= rounds; i++) {
		u64 iova = FAR_IOVA + (300 + i % 100 * 2) * PAGE;

		if (i == 1)
			add_ns = same_ns = remove_ns = 0;
		vtd_map(&vtd, vtd_table, iova, DATA_GPA + i % 7 * PAGE, 12,
			vtd_rw(vtd_mode));
		add_ns += invalidate_page(iova);
		same_ns += invalidate_page(iova);
		vtd_unmap(&vtd, vtd_table, iova, 12);
		remove_ns += invalidate_page(iova);
	}
	snprintf(name[0], sizeof(name[0]), "vtd_%s_page_comes", mode);
	snprintf(name[1], sizeof(name[1]), "vtd_%s_page_stays", mode);
	snprintf(name[2], sizeof(name[2]), "vtd_%s_page_goes", mode);
	add(strdup(name[0]), (double)add_ns / rounds, "instructions",
	    "ioctl_pair", 0);
	add(strdup(name[1]), (double)same_ns / rounds, "instructions",
	    "ioctl_pair", 0);
	add(strdup(name[2]), (double)remove_ns / rounds, "instructions",
	    "ioctl_pair", 0);
}

/* n leaves, in order or not; the same tables again and again for 2 MiB each */
static void vtd_fill(u64 n, bool shuffle)
{
	/* Linux sets accessed and dirty itself */
	u64 bits = vtd_rw(vtd_mode) | (vtd_is_first(vtd_mode) ? 3 << 5 : 0);
	u64 tables[4], i, k;

	for (k = 0; k < 4; k++) {
		tables[k] = vtd_page(&vtd);
		for (i = 0; i < 512; i++)
			vtd_ptr(&vtd, tables[k])[i] = bits |
				(RAM_GPA + (4 + 2 * k) * MiB +
				 (shuffle ? i * 37 % 512 : i) * PAGE);
	}
	for (i = 0; i < n / 512; i++)
		*vtd_ptr(&vtd, vtd_entry(&vtd, vtd_table,
					 2 * FAR_IOVA + i * 2 * MiB, 21, 7)) =
			tables[i % 4] | vtd_rw(vtd_mode);
}

static void vtd_leaves(const char *mode, u64 limit, bool shuffle)
{
	static const struct {
		u64 n;
		const char *name;
	} levels[] = {
		{ 1024, "1e3" }, { 100352, "1e5" }, { 999936, "1e6" },
	};
	u64 used = vtd.used;
	char name[64];
	struct row *row;
	size_t i;

	for (i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		u64 n = levels[i].n, ns;
		long long mapped, unmapped;

		if (n > limit)
			break;
		vtd_fill(n, shuffle);
		ns = invalidate(VTD_D_IOTLB(VTD_GLOBAL, 0), 0);
		snprintf(name, sizeof(name), "vtd_%s_%s_leaf_comes_%s", mode,
			 shuffle ? "own" : "run", levels[i].name);
		add(strdup(name), (double)ns / n, "instructions", NULL, 0);
		mapped = mdev_counter(&host.mdev, "sync_mapped");
		unmapped = mdev_counter(&host.mdev, "sync_unmapped");
		ns = invalidate(VTD_D_IOTLB(VTD_GLOBAL, 0), 0);
		snprintf(name, sizeof(name), "vtd_%s_%s_leaf_stays_%s", mode,
			 shuffle ? "own" : "run", levels[i].name);
		row = add(strdup(name), (double)ns / n, "instructions", NULL, 40);
		row->absolute = true;
		ns = invalidate(VTD_D_IOTLB(VTD_DOMAIN, DOMAIN), 0);
		snprintf(name, sizeof(name), "vtd_%s_%s_leaf_domain_%s", mode,
			 shuffle ? "own" : "run", levels[i].name);
		row = add(strdup(name), (double)ns / n, "instructions", NULL, 40);
		row->absolute = true;
		if (mapped != mdev_counter(&host.mdev, "sync_mapped") ||
		    unmapped != mdev_counter(&host.mdev, "sync_unmapped"))
			die("something was mapped or unmapped for nothing");
	}
	*vtd_ptr(&vtd, vtd_entry(&vtd, vtd_table, 0, 39, 7)) = 0;
	invalidate(VTD_D_IOTLB(VTD_GLOBAL, 0), 0);
	vtd.used = used;
}

/* A driver that has begun, with a page mapped for endpoint 0 */
static void vtd_up(enum vtd_mode mode, unsigned int endpoints)
{
	int rc;

	vtd_mode = mode;
	rc = host_setup(&host, KVIOMMU_VTD, endpoints);
	if (rc)
		die("%s", host.why);
	if (mdev_set(&host.mdev, "batch", "1024") ||
	    mdev_set(&host.mdev, "max_mappings", "1048576") ||
	    (mode != VTD_LEGACY && mdev_set(&host.mdev, "scalable", "1")) ||
	    (vtd_is_first(mode) && mdev_set(&host.mdev, "first_stage", "1")))
		die("the vIOMMU can not be set up");
	vmm_init(&vmm, &host, NULL);
	rc = vmm_up(&vmm, VMM_BUS_MASTER);
	if (rc)
		die("VMM step \"%s\": %s", vmm_step_name[vmm.next],
		    strerror(-rc));
	vtd_init(&vtd, &vmm.viommu, vmm.ram, RAM_GPA, mode != VTD_LEGACY);
	vtd_table = vtd_page(&vtd);
	vtd_map(&vtd, vtd_table, FAR_IOVA, DATA_GPA, 12, vtd_rw(mode));
	vtd_enter(&vtd, mode, ENDPOINT(0), DOMAIN, vtd_table, 0);
	if (vtd_start(&vtd))
		die("the driver can not start");
}

static void vtd_rows(const char *name, enum vtd_mode mode, u64 limit)
{
	vtd_up(mode, 1);
	vtd_pages(name);
	vtd_leaves(name, limit, true);
	vtd_leaves(name, limit, false);
	vmm_close(&vmm);
	host_teardown(&host);
}

/* What is invalidated beside other domains, or without any */
enum beside { BESIDE_DOMAIN, BESIDE_PAGE, BESIDE_GLOBAL, NR_BESIDE };

static u64 invalidate_beside(enum beside what)
{
	switch (what) {
	case BESIDE_DOMAIN:
		return invalidate(VTD_D_IOTLB(VTD_DOMAIN, DOMAIN), 0);
	case BESIDE_PAGE:
		return invalidate_page(2 * FAR_IOVA);
	default:
		return invalidate(VTD_D_IOTLB(VTD_GLOBAL, 0), 0);
	}
}

/*
 * Nothing has changed in a domain of BESIDE_LEAVES pages: what invalidations of it
 * cost alone, and with OTHERS more that have a device and 8 pages each. What
 * invalidates all domains costs more with them: it shows that they are there.
 */
static void vtd_beside(const char *mode)
{
	static const char *const names[NR_BESIDE] = {
		"domain", "page", "global",
	};
	const unsigned int rounds = 50;
	char *alone[NR_BESIDE], *name;
	unsigned int others, i, k;
	enum beside what;

	vtd_fill(BESIDE_LEAVES, true);
	for (others = 0; others <= OTHERS; others += OTHERS) {
		for (i = 1; i <= others; i++) {
			u64 table = vtd_page(&vtd);

			for (k = 0; k < 8; k++)
				vtd_map(&vtd, table, FAR_IOVA + k * PAGE,
					DATA_GPA + (i + k * 3) * PAGE, 12,
					vtd_rw(vtd_mode));
			vtd_enter(&vtd, vtd_mode, ENDPOINT(i), DOMAIN + i, table,
				  0);
		}
		if (vtd_flush_all(&vtd))
			die("the other domains can not be made");
		for (what = 0; what < NR_BESIDE; what++) {
			u64 ns = 0;

			for (i = 0; i <= rounds; i++)	/* one is to warm up */
				ns = (i ? ns : 0) + invalidate_beside(what);
			if (asprintf(&name, "vtd_%s_%s_%s", mode, names[what],
				     others ? "beside_64" : "alone") < 0)
				die("out of memory");
			add(name, (double)ns / rounds, "instructions",
			    others ? alone[what] : NULL,
			    others && what != BESIDE_GLOBAL ? 1.05 : 0);
			if (!others)
				alone[what] = name;
		}
	}
	/* Each domain has its table; one with a wrong one would have none. */
	if (mdev_counter(&host.mdev, "mappings") !=
	    1 + BESIDE_LEAVES + 8 * OTHERS)
		die("not all domains are there");
}

static void vtd_beside_rows(const char *name, enum vtd_mode mode)
{
	vtd_up(mode, 1 + OTHERS);
	vtd_beside(name);
	vmm_close(&vmm);
	host_teardown(&host);
}

/* ---- SMMUv3 ---- */

#define ASID		5
#define VMID		3
#define SMMU_MOST	999936	/* leaves */

static struct smmu smmu;
static u64 smmu_table;
static enum smmu_config smmu_mode;

/* Not global, as Linux has them */
static u64 smmu_rw(void)
{
	return smmu_mode == SMMU_S2 ? SMMU_S2_RW : SMMU_S1_RW | 1 << 11;
}

/* Instructions of a register write that has all of a command and a sync done */
static u64 smmu_command(u64 word0, u64 word1)
{
	u32 *status = (u32 *)smmu_ptr(&smmu, smmu.status);
	u64 start;

	smmu.syncs++;
	smmu_put(&smmu, word0, word1);
	smmu_put(&smmu, SMMU_C_SYNC_IRQ(smmu.syncs), smmu.status);
	start = now_ns();
	smmu_ring(&smmu);
	while (__atomic_load_n(status, __ATOMIC_ACQUIRE) != smmu.syncs)
		if (smmu_read(&smmu, SMMU_GERROR, 4) !=
		    smmu_read(&smmu, SMMU_GERRORN, 4))
			die("the command queue stopped");
	return now_ns() - start;
}

static u64 tlbi_page(u64 iova)
{
	return smmu_command(smmu_mode == SMMU_S2 ? SMMU_C_S2_IPA(VMID) :
						   SMMU_C_NH_VA(VMID, ASID),
			    iova | 1);
}

static u64 tlbi_domain(void)
{
	return smmu_command(smmu_mode == SMMU_S2 ? SMMU_C_S12_VMALL(VMID) :
						   SMMU_C_NH_ASID(VMID, ASID),
			    0);
}

static u64 tlbi_all(void)
{
	return smmu_command(SMMU_C_NSNH_ALL, 0);
}

static struct row *smmu_row(const char *mode, const char *what, double value,
			    const char *than)
{
	char *name;

	if (asprintf(&name, "smmu_%s_%s", mode, what) < 0)
		die("out of memory");
	return add(name, value, "instructions", than, 0);
}

/* A page comes, stays and goes, in a table that has others beside it */
static void smmu_pages(const char *mode)
{
	const unsigned int rounds = 200;
	u64 add_ns = 0, same_ns = 0, remove_ns = 0;
	unsigned int i;

	for (i = 0; i <= rounds; i++) {
		u64 iova = FAR_IOVA + (300 + i % 100 * 2) * PAGE;

		if (i == 1)
			add_ns = same_ns = remove_ns = 0;
		smmu_map(&smmu, smmu_table, iova, DATA_GPA + i % 7 * PAGE, 12,
			 smmu_rw());
		add_ns += tlbi_page(iova);
		same_ns += tlbi_page(iova);
		smmu_map(&smmu, smmu_table, iova, 0, 12, 0);
		remove_ns += tlbi_page(iova);
	}
	smmu_row(mode, "page_comes", (double)add_ns / rounds, "ioctl_pair");
	smmu_row(mode, "page_stays", (double)same_ns / rounds, "ioctl_pair");
	smmu_row(mode, "page_goes", (double)remove_ns / rounds, "ioctl_pair");
}

/* n leaves, in order or not; the same tables again and again for 2 MiB each */
static void smmu_fill(u64 n, bool shuffle)
{
	u64 tables[4], i, k;

	for (k = 0; k < 4; k++) {
		tables[k] = smmu_page(&smmu);
		for (i = 0; i < 512; i++)
			smmu_ptr(&smmu, tables[k])[i] = smmu_rw() | 2 |
				(RAM_GPA + (4 + 2 * k) * MiB +
				 (shuffle ? i * 37 % 512 : i) * PAGE);
	}
	for (i = 0; i < n / 512; i++)
		smmu_map(&smmu, smmu_table, 2 * FAR_IOVA + i * 2 * MiB,
			 tables[i % 4], 21, 3);
}

/* Tables of level 2 stay. */
static void smmu_clear(void)
{
	u64 i;

	for (i = 0; i < SMMU_MOST / 512; i++)
		smmu_map(&smmu, smmu_table, 2 * FAR_IOVA + i * 2 * MiB, 0, 21, 0);
}

static void smmu_leaves(const char *mode, u64 limit, bool shuffle)
{
	static const struct {
		u64 n;
		const char *name;
	} levels[] = {
		{ 1024, "1e3" }, { 100352, "1e5" }, { SMMU_MOST, "1e6" },
	};
	const char *kind = shuffle ? "own" : "run";
	u64 used = smmu.used;
	char name[64];
	size_t k;

	for (k = 0; k < sizeof(levels) / sizeof(*levels); k++) {
		u64 n = levels[k].n;
		long long mapped, unmapped;
		struct row *row;

		if (n > limit)
			break;
		smmu_fill(n, shuffle);
		snprintf(name, sizeof(name), "%s_leaf_comes_%s", kind,
			 levels[k].name);
		smmu_row(mode, name, (double)tlbi_all() / n, NULL);
		mapped = mdev_counter(&host.mdev, "sync_mapped");
		unmapped = mdev_counter(&host.mdev, "sync_unmapped");
		snprintf(name, sizeof(name), "%s_leaf_stays_%s", kind,
			 levels[k].name);
		row = smmu_row(mode, name, (double)tlbi_all() / n, NULL);
		row->goal = 40;
		row->absolute = true;
		snprintf(name, sizeof(name), "%s_leaf_domain_%s", kind,
			 levels[k].name);
		row = smmu_row(mode, name, (double)tlbi_domain() / n, NULL);
		row->goal = 40;
		row->absolute = true;
		if (mapped != mdev_counter(&host.mdev, "sync_mapped") ||
		    unmapped != mdev_counter(&host.mdev, "sync_unmapped"))
			die("something was mapped or unmapped for nothing");
	}
	smmu_clear();
	tlbi_all();
	smmu.used = used;
}

static void smmu_rows(const char *name, enum smmu_config mode, u64 limit)
{
	u64 cd, s2;
	int rc;

	smmu_mode = mode;
	rc = host_setup(&host, KVIOMMU_SMMUV3, 1);
	if (rc)
		die("%s", host.why);
	if (mdev_set(&host.mdev, "batch", "1024") ||
	    mdev_set(&host.mdev, "max_mappings", "1048576"))
		die("the vIOMMU can not be set up");
	vmm_init(&vmm, &host, NULL);
	rc = vmm_up(&vmm, VMM_BUS_MASTER);
	if (rc)
		die("VMM step \"%s\": %s", vmm_step_name[vmm.next],
		    strerror(-rc));
	smmu_init(&smmu, &vmm.viommu, vmm.ram, RAM_GPA);
	smmu_table = smmu_page(&smmu);
	cd = smmu_page(&smmu);
	smmu_map(&smmu, smmu_table, FAR_IOVA, DATA_GPA, 12, smmu_rw());
	smmu_fill(SMMU_MOST, false);
	smmu_clear();
	smmu_cd(&smmu, cd, ASID, smmu_table);
	/* The second stage begins at level 1. */
	s2 = *smmu_ptr(&smmu, smmu_table) & ~0xfffULL;
	smmu_stream(&smmu, ENDPOINT(0), mode, mode == SMMU_S2 ? 0 : cd, VMID,
		    mode == SMMU_S2 ? s2 : 0);
	if (smmu_start(&smmu))
		die("the driver can not start");
	smmu_pages(name);
	smmu_leaves(name, limit, true);
	smmu_leaves(name, limit, false);
	vmm_close(&vmm);
	host_teardown(&host);
}

/* ---- all of it ---- */

/* The rows that a kernel module measures, before a driver takes the device */
static void bare(const char *module, const char *bdf)
{
	char cmd[512], text[4096], *line, *save, name[64];
	unsigned long long ns;

	snprintf(cmd, sizeof(cmd), "insmod %s device=%s", module, bdf);
	if (system(cmd))
		die("%s failed", cmd);
	if (file_read("/sys/kernel/debug/kviommu_bench", text, sizeof(text)) < 0)
		die("no results of %s", module);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *row;

		if (sscanf(line, "%63s %llu", name, &ns) != 2)
			continue;
		if (asprintf(&row, "bare_%s", name) < 0)
			die("out of memory");
		add(row, ns, "instructions", NULL, 0);
	}
	if (system("rmmod kviommu_bench"))
		die("rmmod kviommu_bench failed");
}

static void print_table(FILE *out)
{
	unsigned int i;

	fprintf(out, "%-26s %12s  %-13s %8s  %-22s %s\n", "row", "value", "unit",
		"ratio", "to", "goal");
	for (i = 0; i < nr_rows; i++) {
		struct row *row = &rows[i], *than = find(row->than);
		double ratio = than && than->value ? row->value / than->value : 0;

		fprintf(out, "%-26s %12.1f  %-13s ", row->name, row->value,
			row->unit);
		if (than)
			fprintf(out, "%8.2f  %-22s ", ratio, row->than);
		else
			fprintf(out, "%8s  %-22s ", "", "");
		if (row->goal)
			fprintf(out, "<= %g: %s", row->goal,
				(row->absolute ? row->value : ratio) <=
				row->goal ? "yes" : "NO");
		fprintf(out, "\n");
	}
}

static void print_json(FILE *out)
{
	unsigned int i;

	fprintf(out, "{\n  \"rows\": [\n");
	for (i = 0; i < nr_rows; i++) {
		struct row *row = &rows[i], *than = find(row->than);

		fprintf(out, "    {\"name\": \"%s\", \"value\": %.1f, \"unit\": \"%s\"",
			row->name, row->value, row->unit);
		if (than && than->value)
			fprintf(out, ", \"to\": \"%s\", \"ratio\": %.3f",
				row->than, row->value / than->value);
		if (row->goal)
			fprintf(out, ", \"goal\": %g", row->goal);
		fprintf(out, "}%s\n", i + 1 < nr_rows ? "," : "");
	}
	fprintf(out, "  ]\n}\n");
}

/* What virtio's requests cost, and ioctls that do the same */
static void virtio_rows(bool has_bare, u64 limit)
{
	const char *than = has_bare ? "bare_pair" : "ioctl_pair";
	double pair, driver;
	int rc;

	rc = host_setup(&host, KVIOMMU_VIRTIO, 1);
	if (rc)
		die("%s", host.why);
	if (mdev_set(&host.mdev, "poll_us", "0") ||
	    mdev_set(&host.mdev, "batch", "1024"))
		die("the vIOMMU can not be set up");
	vmm_init(&vmm, &host, NULL);
	rc = vmm_up(&vmm, VMM_DRIVER_OK);
	if (rc)
		die("VMM step \"%s\": %s", vmm_step_name[vmm.next],
		    strerror(-rc));

	/* Still in bypass: the device is attached to the IOAS */
	add("ioctl_pair", ioctl_pairs(1, false, 500), "instructions",
	    has_bare ? "bare_pair" : NULL, 0);
	add("ioctl_pair_512_contiguous", ioctl_pairs(512, false, 20),
	    "instructions", has_bare ? "bare_pair_512_contiguous" : NULL, 0);
	add("ioctl_512_scattered", ioctl_pairs(512, true, 5), "instructions",
	    NULL, 0);

	rc = vmm_up(&vmm, VMM_MAPPED);
	if (rc)
		die("VMM step \"%s\": %s", vmm_step_name[vmm.next],
		    strerror(-rc));
	add("request_pair_1_a_kick", pairs(1, 500), "instructions", than, 0);
	pair = pairs_apart(64, 50, &driver);
	add("request_pair_64_a_kick", pair, "instructions", than,
	    has_bare ? 1.5 : 0.25);
	add("request_pair_64_and_driver", driver, "instructions", than, 0);
	add("request_pair_64_mixed", pairs(64, 50), "instructions", than, 0);
	add("ioctl_to_request_64", find("request_pair_64_a_kick")->value,
	    "instructions", "ioctl_pair", 0.25);
	add("request_512_contiguous", runs(512, 20), "instructions",
	    "ioctl_pair_512_contiguous", 0);
	add("request_512_scattered", scattered(5), "instructions",
	    "ioctl_512_scattered", 0);
	with_alive(limit);
	vmm_close(&vmm);
	host_teardown(&host);
}

static void explain(void)
{
	fprintf(stderr,
		"usage: bench [-m kviommu_bench.ko] [-j result.json] [-n mappings] [-o rows]\n"
		"rows: virtio, vtd, smmuv3, or beside, which is VT-d with %d edu devices;\n"
		"several with commas between (virtio,vtd,smmuv3)\n", 1 + OTHERS);
	exit(2);
}

int main(int argc, char **argv)
{
	enum { O_VIRTIO, O_VTD, O_BESIDE, O_SMMUV3 };
	char *const kinds[] = {
		[O_VIRTIO] = "virtio", [O_VTD] = "vtd",
		[O_BESIDE] = "beside", [O_SMMUV3] = "smmuv3", NULL,
	};
	unsigned int only = 1 << O_VIRTIO | 1 << O_VTD | 1 << O_SMMUV3;
	const char *module = NULL, *json = NULL;
	char bdf[1][BDF_LEN];
	char *list, *word;
	u64 limit = 1000000;
	FILE *out;
	int opt, kind;

	while ((opt = getopt(argc, argv, "hm:j:n:o:")) != -1) {
		switch (opt) {
		case 'm':
			module = optarg;
			break;
		case 'j':
			json = optarg;
			break;
		case 'n':
			limit = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			only = 0;
			for (list = optarg; *list; only |= 1 << kind) {
				kind = getsubopt(&list, kinds, &word);
				if (kind < 0)
					explain();
			}
			break;
		default:
			explain();
		}
	}
	if (pci_find(EDU_VENDOR, EDU_DEVICE, bdf, 1) < 1)
		die("needs an edu device");
	if (module) {
		pci_set_driver(bdf[0], NULL);
		bare(module, bdf[0]);
	}
	if (only & 1 << O_VIRTIO)
		virtio_rows(module, limit);
	if (only & 1 << O_VTD) {
		vtd_rows("legacy", VTD_LEGACY, limit);
		vtd_rows("first", VTD_FIRST, limit);
	}
	if (only & 1 << O_BESIDE) {
		vtd_beside_rows("legacy", VTD_LEGACY);
		vtd_beside_rows("first", VTD_FIRST);
	}
	if (only & 1 << O_SMMUV3) {
		smmu_rows("stage1", SMMU_S1, limit);
		smmu_rows("stage2", SMMU_S2, limit);
	}

	print_table(stdout);
	if (json) {
		out = fopen(json, "w");
		if (!out)
			die("%s: %s", json, strerror(errno));
		print_json(out);
		fclose(out);
	} else {
		print_json(stdout);
	}
	return 0;
}
