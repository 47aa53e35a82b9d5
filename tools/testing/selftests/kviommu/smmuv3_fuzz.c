// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random tables, commands, register writes, memory removal and DMA on an SMMUv3
 * vIOMMU: "smmuv3_fuzz [seconds [seed]]". The kernel's debugging finds what DMA
 * to the right places does not show.
 */
#include <string.h>

#include "lib/fuzz.h"
#include "lib/smmuv3.h"

#define SID(n)		ENDPOINT(n)
#define ASID		5
#define VMID		3

static struct smmu unit;
static enum smmu_config config;
static u64 cd_page;

/* ---- streams ---- */

/* The stage that begins at level 1: its table is one below the other's */
static u64 level1(struct fuzz *f, u64 table)
{
	return *fuzz_ptr(f, table) & ~0xfffULL;
}

static void enter(struct fuzz *f, u32 sid)
{
	u64 s2 = config == SMMU_S2 ? level1(f, f->table) :
		 config == SMMU_NESTED ? level1(f, f->second) : 0;

	smmu_stream(&unit, sid, config, config == SMMU_S2 ? 0 : cd_page,
		    VMID, s2);
}

/* Streams and the context descriptor, as they should be */
static void enter_all(struct fuzz *f)
{
	int i;

	memset((void *)fuzz_ptr(f, cd_page), 0, PAGE);
	smmu_cd(&unit, cd_page, ASID, f->table);
	for (i = 0; i < f->host.endpoints; i++) {
		memset((void *)fuzz_ptr(f, unit.strtab + 64 * SID(i)), 0, 64);
		enter(f, SID(i));
	}
}

static void op_stream(struct fuzz *f)
{
	u32 sid = SID(fuzz_endpoint(f));
	volatile u64 *ste = fuzz_ptr(f, unit.strtab + 64 * sid);
	volatile u64 *cd = fuzz_ptr(f, cd_page);

	enter_all(f);
	switch (rng_below(&f->rng, 5)) {
	case 0:
		smmu_stream(&unit, sid, rng_below(&f->rng, 8), cd_page,
			    VMID + rng_below(&f->rng, 2),
			    fuzz_pool(f, &f->rng));
		break;
	case 1:
		smmu_cd(&unit, cd_page, ASID + rng_below(&f->rng, 2),
			fuzz_pool(f, &f->rng));
		break;
	case 2:
		/* Substreams, with any table */
		ste[0] = (ste[0] & ~0xfffffffff000ULL) | fuzz_pool(f, &f->rng) |
			 rng_next(&f->rng) << 59 | rng_below(&f->rng, 4) << 4;
		ste[1] = rng_below(&f->rng, 4);
		break;
	case 3:
		ste[rng_below(&f->rng, 4)] ^= 1ULL << rng_below(&f->rng, 64);
		break;
	default:
		cd[rng_below(&f->rng, 4)] ^= 1ULL << rng_below(&f->rng, 64);
	}
	while (rng_chance(&f->rng, 20))
		ste[rng_below(&f->rng, 8)] = fuzz_number(&f->rng);
	while (rng_chance(&f->rng, 20))
		cd[rng_below(&f->rng, 8)] = fuzz_number(&f->rng);
}

/* ---- the driver ---- */

/* As a driver does that finds the SMMU as another one left it */
static void restart(struct fuzz *f)
{
	struct smmu *s = &unit;

	fuzz_must(f, !smmu_gbpa(s, true), "GBPA can't be updated");
	fuzz_must(f, !smmu_enable(s, 0), "the SMMU can't be disabled");
	smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR, 4), 4);
	fuzz_must(f, !smmu_start(s), "the SMMU can't be enabled");
}

/* The command that it stopped at becomes one that is good (7.1). */
static void go_on(void)
{
	struct smmu *s = &unit;
	u32 cons = smmu_read(s, SMMU_CMDQ_CONS, 4) & 0xff;

	*smmu_ptr(s, s->cmdq + cons * 16) = SMMU_C_PREFETCH;
	smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR, 4), 4);
}

static void sync_queue(struct fuzz *f)
{
	unsigned int tries;
	int rc = smmu_sync(&unit);

	for (tries = 0; rc == -EIO && tries < 20; tries++) {
		f->tries++;
		go_on();
		rc = smmu_sync(&unit);
	}
	fuzz_must(f, rc != -ETIMEDOUT, "a CMD_SYNC was never complete");
	f->tries++;
	f->good += !rc;
	if (rc)
		restart(f);
}

/* ---- operations ---- */

static void some_command(struct fuzz *f, u64 *word0, u64 *word1)
{
	struct rng *rng = &f->rng;
	u32 sid = SID(fuzz_endpoint(f));
	u16 vmid = VMID + rng_below(rng, 2), asid = ASID + rng_below(rng, 2);
	u64 leaf = rng_below(rng, 2);

	*word1 = fuzz_iova(rng) | leaf;
	switch (rng_below(rng, 12)) {
	case 0:
		*word0 = SMMU_C_CFGI_STE(sid);
		*word1 = leaf;
		break;
	case 1:
		*word0 = SMMU_C_CFGI_RANGE(sid);
		*word1 = rng_below(rng, 32);
		break;
	case 2:
		*word0 = rng_chance(rng, 50) ? SMMU_C_CFGI_CD(sid) :
					       SMMU_C_CFGI_CD_ALL(sid);
		*word1 = leaf;
		break;
	case 3:
		*word0 = rng_chance(rng, 50) ? SMMU_C_NH_ALL(vmid) :
					       SMMU_C_S12_VMALL(vmid);
		break;
	case 4:
		*word0 = SMMU_C_NH_ASID(vmid, asid);
		break;
	case 5:
	case 6:
		*word0 = SMMU_C_NH_VA(vmid, asid);
		break;
	case 7:
		*word0 = SMMU_C_NH_VAA(vmid);
		break;
	case 8:
	case 9:
		*word0 = SMMU_C_S2_IPA(vmid);
		break;
	case 10:
		*word0 = rng_chance(rng, 50) ? SMMU_C_NSNH_ALL :
					       SMMU_C_PREFETCH;
		break;
	default:
		*word0 = SMMU_C_SYNC_IRQ(fuzz_number(rng));
		*word1 = rng_chance(rng, 50) ? unit.status + 8 : fuzz_number(rng);
	}
	/* A range of pages */
	if (rng_chance(rng, 20)) {
		*word0 |= rng_below(rng, 32) << 12 |
			  rng_below(rng, rng_chance(rng, 80) ? 4 : 32) << 20;
		*word1 |= rng_below(rng, 16) << 8;
	}
	fuzz_mutate(rng, word0, word1);
}

static void op_queue(struct fuzz *f)
{
	unsigned int n = rng_below(&f->rng, 16);
	u64 word0, word1;

	while (n--) {
		some_command(f, &word0, &word1);
		smmu_put(&unit, word0, word1);
		if (rng_chance(&f->rng, 20))
			smmu_ring(&unit);
	}
	sync_queue(f);
}

static void op_raw_queue(struct fuzz *f)
{
	struct smmu *s = &unit;
	unsigned int n = rng_below(&f->rng, 32);
	u64 word0, word1;

	while (n--) {
		some_command(f, &word0, &word1);
		smmu_ptr(s, s->cmdq)[rng_below(&f->rng, 512)] =
			rng_chance(&f->rng, 90) ? word0 : fuzz_number(&f->rng);
	}
	smmu_write(s, SMMU_CMDQ_PROD, rng_chance(&f->rng, 80) ?
		   rng_below(&f->rng, 512) : fuzz_number(&f->rng), 4);
	if (rng_chance(&f->rng, 30))
		go_on();
	restart(f);
}

static void op_registers(struct fuzz *f)
{
	static const u32 known[] = {
		SMMU_CR0, SMMU_CR0, SMMU_CR2, SMMU_GBPA, SMMU_IRQ_CTRL,
		SMMU_GERRORN, SMMU_STRTAB_BASE, SMMU_STRTAB_BASE_CFG,
		SMMU_CMDQ_BASE, SMMU_CMDQ_PROD, SMMU_CMDQ_CONS,
		SMMU_EVENTQ_BASE, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS,
	};
	unsigned int n = 1 + rng_below(&f->rng, 12);

	/* Most are writable only while it is off. */
	if (rng_chance(&f->rng, 50))
		smmu_enable(&unit, 0);
	while (n--) {
		u64 off = rng_below(&f->rng, 0x100), value = fuzz_number(&f->rng);
		size_t len = 1 << rng_below(&f->rng, 4);

		if (rng_chance(&f->rng, 80)) {
			off = rng_pick(&f->rng, known);
			len = rng_chance(&f->rng, 50) ? 4 : 8;
		}
		/* Some that do something: tables and queues of any size */
		if (rng_chance(&f->rng, 40))
			value = fuzz_pool(f, &f->rng) | rng_below(&f->rng, 32);
		else if (off == SMMU_CR0 && rng_chance(&f->rng, 80))
			value = rng_below(&f->rng, 16);
		fuzz_access(f, off, value, len);
	}
	restart(f);
}

static void op_disable(struct fuzz *f)
{
	struct smmu *s = &unit;

	smmu_gbpa(s, rng_chance(&f->rng, 50));
	smmu_enable(s, rng_below(&f->rng, 16) & ~(SMMU_SMMUEN | 2u));
	if (rng_chance(&f->rng, 50))
		vfio_bus_master(&f->vmm.edu[0].dev, rng_chance(&f->rng, 50));
	smmu_gbpa(s, rng_chance(&f->rng, 50));
	restart(f);
}

static void op_events(struct fuzz *f)
{
	u64 words[4];

	while (smmu_next_event(&unit, words))
		;
}

static void away(struct fuzz *f)
{
	smmu_ring(&unit);
}

static const struct fuzz_op ops[] = {
	{ op_queue, 40 },	{ fuzz_tables, 30 },	{ op_stream, 6 },
	{ op_raw_queue, 5 },	{ op_registers, 4 },	{ op_disable, 3 },
	{ op_events, 2 },	{ fuzz_memory, 4 },	{ fuzz_vfio, 2 },
	{ fuzz_dma, 1 },	{ fuzz_look, 1 },	{ fuzz_settings, 1 },
	{ fuzz_compare, 1 },
};

/* ---- the model ---- */

static void init(struct fuzz *f)
{
	u64 rw;

	config = SMMU_S1 + rng_below(&f->rng, 3);
	rw = config == SMMU_S2 ? SMMU_S2_RW : SMMU_S1_RW;
	smmu_init(&unit, &f->vmm.viommu, f->vmm.ram, RAM_GPA);
	cd_page = smmu_page(&unit);
	f->bits = (struct fuzz_bits){
		.table = 3,
		.page = rw | 2,
		.large = rw,
		.second = SMMU_S2_RW,
	};
}

static u64 page(struct fuzz *f)
{
	return smmu_page(&unit);
}

static void set(struct fuzz *f, u64 table, u64 iova, unsigned int shift,
		u64 value)
{
	smmu_map(&unit, table, iova, 0, shift, value);
}

static int flush(struct fuzz *f)
{
	return smmu_submit(&unit, SMMU_C_NSNH_ALL, 0);
}

static enum fuzz_kind kind_of(struct fuzz *f, u64 entry, unsigned int shift)
{
	u64 low = entry & ((1ULL << shift) - 1);

	if (!(entry & 1))
		return FUZZ_NONE;
	/* All that is allowed, and nothing that is odd */
	if (shift == 12)
		return low == f->bits.page ? FUZZ_PAGE : FUZZ_ODD;
	if (entry & 2)
		return (entry & (PAGE - 1)) == 3 ? FUZZ_TABLE : FUZZ_ODD;
	return shift == 21 && low == f->bits.large ? FUZZ_PAGE : FUZZ_ODD;
}

static const struct fuzz_model model = {
	.type = KVIOMMU_SMMUV3,
	.tries = "syncs",
	.step = VMM_BUS_MASTER,
	.ops = ops,
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
