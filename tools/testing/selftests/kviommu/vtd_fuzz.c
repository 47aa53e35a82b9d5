// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random tables, descriptors, register writes, memory removal and DMA on a VT-d
 * vIOMMU: "vtd_fuzz [seconds [seed]]". The kernel's debugging finds what DMA
 * to the right places does not show.
 */
#include <string.h>

#include "lib/fuzz.h"
#include "lib/vtd.h"

#define SID(n)		((u16)ENDPOINT(n))
#define DID		5
#define LARGE		(1ULL << 7)	/* an entry is of a large page */

static struct vtd unit;
static enum vtd_mode mode;
static u64 entries;		/* offset of context tables, PASID tables, ... */

/* ---- tables ---- */

/* Root, context and PASID tables, as they should be */
static void enter_all(struct fuzz *f)
{
	int i;

	if (!entries)
		entries = unit.used;
	memset((void *)fuzz_ptr(f, unit.root), 0, PAGE);
	unit.used = entries;
	for (i = 0; i < f->host.endpoints; i++)
		vtd_enter(&unit, mode, SID(i), DID, f->table, f->second);
}

static void op_tables(struct fuzz *f)
{
	fuzz_tables(f);
	if (rng_chance(&f->rng, 5))
		fuzz_ptr(f, f->table)[rng_below(&f->rng, 16)] =
			fuzz_entry(f, &f->rng);
}

static void op_endpoint(struct fuzz *f)
{
	u16 sid = SID(fuzz_endpoint(f));
	u64 table = rng_chance(&f->rng, 50) ? f->table :
					      fuzz_pool(f, &f->rng);
	u16 did = rng_chance(&f->rng, 5) ? fuzz_number(&f->rng) :
					   DID + rng_below(&f->rng, 2);

	enter_all(f);
	switch (rng_below(&f->rng, 6)) {
	case 0:
		vtd_leave(&unit, mode, sid);
		break;
	case 1:
		if (unit.scalable)
			vtd_set_pasid(&unit, sid, rng_below(&f->rng, 8), did,
				      table, f->second);
		else
			vtd_set_context(&unit, sid, table |
					rng_below(&f->rng, 16),
					(u64)did << 8 | rng_below(&f->rng, 8));
		break;
	default:
		vtd_enter(&unit, mode, sid, did, table, f->second);
	}
	while (rng_chance(&f->rng, 20))
		fuzz_ptr(f, rng_chance(&f->rng, 20) ? unit.root :
			unit.gpa + entries)
			[rng_below(&f->rng, 512 * 3)] = fuzz_entry(f, &f->rng);
}

/* ---- the driver ---- */

/* As a driver does whose unit stopped, or that finds it as another one left it */
static void restart(struct fuzz *f)
{
	struct vtd *v = &unit;

	fuzz_must(f, !vtd_command(v, 0, VTD_QIE),
		  "the queue can't be turned off");
	vtd_write(v, VTD_FSTS, ~0u, 4);
	fuzz_must(f, !vtd_queue_start(v), "the queue can't be turned on");
	fuzz_must(f, !vtd_set_root(v), "the root pointer can't be set");
	fuzz_must(f, !vtd_command(v, VTD_TE, 0),
		  "translation can't be turned on");
}

static void sync_queue(struct fuzz *f)
{
	int rc = vtd_sync(&unit);

	fuzz_must(f, rc != -ETIMEDOUT, "a wait descriptor was never complete");
	f->tries++;
	f->good += !rc;
	if (rc)
		restart(f);
}

/* ---- operations ---- */

static void some_descriptor(struct fuzz *f, u64 *word0, u64 *word1)
{
	struct rng *rng = &f->rng;
	u16 sid = SID(fuzz_endpoint(f));
	u16 did = DID + rng_below(rng, 2);
	u64 page = fuzz_iova(rng) | rng_below(rng, rng_chance(rng, 50) ? 2 : 20);

	*word1 = 0;
	switch (rng_below(rng, unit.scalable ? 12 : 8)) {
	case 0:
		*word0 = VTD_D_CONTEXT(1 + rng_below(rng, 3), did, sid);
		break;
	case 1:
		*word0 = VTD_D_IOTLB(VTD_GLOBAL, 0);
		break;
	case 2:
	case 3:
		*word0 = VTD_D_IOTLB(VTD_DOMAIN, did);
		break;
	case 4:
	case 5:
		*word0 = VTD_D_IOTLB(VTD_PAGE, did);
		*word1 = page;
		break;
	case 6:
		*word0 = VTD_D_DEVTLB(sid);
		*word1 = page & ~0x3eULL;
		break;
	case 7:
		*word0 = rng_chance(rng, 50) ? VTD_D_IEC : VTD_D_WAIT_IRQ;
		break;
	case 8:
		*word0 = VTD_D_PIOTLB(2, did);
		break;
	case 9:
	case 10:
		*word0 = VTD_D_PIOTLB(VTD_PAGE, did);
		*word1 = page;
		break;
	default:
		*word0 = VTD_D_PASID(rng_below(rng, 4), did);
	}
	fuzz_mutate(rng, word0, word1);
}

static void op_queue(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 16);
	u64 word0, word1;

	while (n--) {
		some_descriptor(f, &word0, &word1);
		vtd_put(&unit, word0, word1);
		if (rng_chance(&f->rng, 20))
			vtd_ring(&unit);
	}
	sync_queue(f);
}

static void op_raw_queue(struct fuzz *f)
{
	struct vtd *v = &unit;
	unsigned int n = rng_below(&f->rng, 32);
	u64 word0, word1;

	while (n--) {
		volatile u64 *at = vtd_ptr(v, v->iq) + rng_below(&f->rng, 512);

		some_descriptor(f, &word0, &word1);
		*at = rng_chance(&f->rng, 90) ? word0 : fuzz_number(&f->rng);
	}
	if (rng_chance(&f->rng, 30))
		vtd_write(v, VTD_IQA, fuzz_number(&f->rng), 8);
	vtd_write(v, VTD_IQT, rng_chance(&f->rng, 80) ?
			      rng_below(&f->rng, 256) * 16 : fuzz_number(&f->rng), 8);
	if (rng_chance(&f->rng, 30))
		vtd_write(v, VTD_FSTS, VTD_FSTS_IQE, 4);
	restart(f);
}

static void op_registers(struct fuzz *f)
{
	static const u16 known[] = {
		VTD_GCMD, VTD_GCMD, VTD_GCMD, VTD_RTADDR, VTD_CCMD, VTD_CCMD,
		VTD_FSTS, VTD_FECTL, VTD_IQT, VTD_IQA, VTD_ICS, VTD_IECTL,
		VTD_CCMD + 4, 0xb8, 0xf0, 0xf8, 0xf8, 0xfc, 0x220, 0x22c,
	};
	unsigned int n = 1 + rng_below(&f->rng, 12);

	if (rng_chance(&f->rng, 30))
		vtd_command(&unit, 0, VTD_QIE);
	while (n--) {
		u64 off = rng_below(&f->rng, 0x300), value = fuzz_number(&f->rng);
		size_t len = 1 << rng_below(&f->rng, 4);

		if (rng_chance(&f->rng, 80)) {
			off = rng_pick(&f->rng, known);
			len = rng_chance(&f->rng, 50) ? 4 : 8;
		}
		/* Some that do something */
		if (rng_chance(&f->rng, 30))
			value = 1ULL << (rng_chance(&f->rng, 50) ?
					 rng_below(&f->rng, 64) :
					 22 + rng_below(&f->rng, 10));
		else if (rng_chance(&f->rng, 30))
			value |= 3ULL << 61;
		fuzz_access(f, off, value, len);
	}
	restart(f);
}

static void op_command(struct fuzz *f)
{
	struct vtd *v = &unit;

	switch (rng_below(&f->rng, 4)) {
	case 0:
		vtd_command(v, 0, VTD_TE);
		if (rng_chance(&f->rng, 50))
			vfio_bus_master(&f->vmm.edu[0].dev, false);
		break;
	case 1:
		/* Any page as the root table */
		vtd_write(v, VTD_RTADDR, fuzz_pool(f, &f->rng) |
			  rng_below(&f->rng, 4) << 10, 8);
		vtd_command(v, VTD_SRTP, 0);
		break;
	case 2:
		/* The old way, without the queue */
		vtd_command(v, 0, VTD_QIE);
		vtd_write(v, VTD_CCMD, 1ULL << 63 | 1ULL << 61, 8);
		vtd_write(v, 0xf8, 1ULL << 63 | 1ULL << 60, 8);
		break;
	default:
		vtd_set_root(v);
		return;
	}
	restart(f);
}

static void away(struct fuzz *f)
{
	if (rng_chance(&f->rng, 50))
		op_registers(f);
	else
		op_raw_queue(f);
	vtd_ring(&unit);
}

static const struct fuzz_op ops[] = {
	{ op_queue, 40 },	{ op_tables, 30 },	{ op_endpoint, 6 },
	{ op_raw_queue, 5 },	{ op_registers, 5 },	{ op_command, 3 },
	{ fuzz_memory, 4 },	{ fuzz_vfio, 2 },	{ fuzz_dma, 2 },
	{ fuzz_look, 1 },	{ fuzz_settings, 1 },	{ fuzz_compare, 1 },
};

/* ---- the model ---- */

static void configure(struct fuzz *f)
{
	struct mdev *mdev = &f->host.mdev;

	mode = rng_below(&f->rng, VTD_MODES);
	mdev_set(mdev, "scalable", mode != VTD_LEGACY ? "1" : "0");
	mdev_set(mdev, "first_stage", vtd_is_first(mode) ? "1" : "0");
	mdev_set(mdev, "address_width", rng_chance(&f->rng, 50) ? "0" : "48");
}

static void init(struct fuzz *f)
{
	vtd_init(&unit, &f->vmm.viommu, f->vmm.ram, RAM_GPA,
		 mode != VTD_LEGACY);
	entries = 0;
	f->bits = (struct fuzz_bits){
		.table = 7,
		.page = vtd_rw(mode),
		.large = LARGE | vtd_rw(mode),
		.second = LARGE | VTD_R | VTD_W,
	};
}

static u64 page(struct fuzz *f)
{
	return vtd_page(&unit);
}

static void set(struct fuzz *f, u64 table, u64 iova, unsigned int shift,
		u64 value)
{
	*fuzz_ptr(f, vtd_entry(&unit, table, iova, shift, 7)) = value;
}

static int flush(struct fuzz *f)
{
	return vtd_flush_all(&unit);
}

static enum fuzz_kind kind_of(struct fuzz *f, u64 entry, unsigned int shift)
{
	u64 known = vtd_is_first(mode) ? 0x67 : 0x7;
	u64 low = entry & ((1ULL << shift) - 1);

	if (!(entry & (vtd_is_first(mode) ? VTD_FS_P : VTD_R | VTD_W)))
		return FUZZ_NONE;
	/* All that is allowed, and nothing that is odd */
	if ((entry & f->bits.page) != f->bits.page)
		return FUZZ_ODD;
	if (shift == 12 || entry & LARGE)
		return shift > 21 || low & ~(known | LARGE) ? FUZZ_ODD :
								  FUZZ_PAGE;
	return entry & (PAGE - 1) & ~known ? FUZZ_ODD : FUZZ_TABLE;
}

static const struct fuzz_model model = {
	.type = KVIOMMU_VTD,
	.tries = "waits",
	.step = VMM_BUS_MASTER,
	.ops = ops,
	.configure = configure,
	.init = init,
	.restart = restart,
	.away = away,
	.requests = op_queue,
	.page = page,
	.set = set,
	.enter = enter_all,
	.flush = flush,
	.kind_of = kind_of,
};

int main(int argc, char **argv)
{
	fuzz_main(&model, argc, argv);
}
