// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of real guests, walked: every device, all of its mappings and
 * nothing else, every probe, every corrupted variant.
 */
#include "images.h"
#include "table_mem.h"
#include "smmuv3/tables.h"

#define RUNS	64

/* So many mismatches are shown. */
#define SHOWN	10

struct smmu_image {
	struct table_mem mem;
	const struct image *img;
	struct smmu_view view;
	bool corrupted;
	unsigned int mismatches;
	struct kviommu_run runs[RUNS];
	__le64 zeroes[IMAGE_PAGE_SIZE / sizeof(__le64)];
};

static __printf(2, 3)
void mismatch(struct smmu_image *v, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (v->mismatches++ >= SHOWN)
		return;
	va_start(args, fmt);
	vaf.va = &args;
	KUNIT_FAIL(v->mem.test, "%pV", &vaf);
	va_end(args);
}

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct smmu_image *v = container_of(m, struct smmu_image, mem);
	__le64 *page;

	if (!image_in_ram(v->img, gpa))
		return NULL;
	page = image_page(v->img, gpa);
	if (page)
		return page;
	if (!v->corrupted)
		mismatch(v, "page 0x%llx was read, no table is there", gpa);
	return v->zeroes;
}

/* The leaves that a run is made of; false after a mismatch */
static bool check_run(struct smmu_image *v, u32 rid, const struct kviommu_run *run,
		      const struct image_map **map, const struct image_map *end)
{
	u64 iova = run->iova, left = run->last - run->iova + 1;

	if (run->fault) {
		mismatch(v, "%04x: 0x%llx: fault 0x%x", rid, iova, run->fault);
		return false;
	}
	for (; left; (*map)++) {
		u64 size = *map == end ? 0 : le64_to_cpu((*map)->size);

		if (!size || size > left || size != BIT_ULL(run->order) ||
		    le64_to_cpu((*map)->iova) != iova ||
		    le64_to_cpu((*map)->pa) != run->gpa + (iova - run->iova) ||
		    (*map)->prot != run->prot) {
			mismatch(v, "%04x: 0x%llx is to 0x%llx prot %u", rid,
				 iova, run->gpa + (iova - run->iova), run->prot);
			return false;
		}
		iova += size;
		left -= size;
	}
	return true;
}

/* The runs of a device are its leaves, merged, and nothing else. */
static void check_maps(struct smmu_image *v, u32 rid, const struct smmu_key *key,
		       const struct image_map *map, const struct image_map *end)
{
	struct kviommu_run last = {};
	unsigned int i, n, calls = 0;
	struct smmu_walk *w;

	w = kunit_kmalloc(v->mem.test, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(v->mem.test, w);
	smmu_walk_start(w, key, &v->mem.reader, 0, U64_MAX);
	w->budget = U64_MAX;
	do {
		KUNIT_ASSERT_LT(v->mem.test, calls++, 1 << 20);
		n = smmu_walk_next(w, v->runs, RUNS);
		for (i = 0; i < n; i++) {
			const struct kviommu_run *run = &v->runs[i];

			if (!check_run(v, rid, run, &map, end))
				return;
			if (last.prot == run->prot && last.order == run->order &&
			    last.leaf == run->leaf && last.last + 1 == run->iova &&
			    last.gpa + (run->iova - last.iova) == run->gpa)
				mismatch(v, "%04x: 0x%llx is not merged", rid,
					 run->iova);
			last = *run;
		}
	} while (!w->done);
	if (map != end)
		mismatch(v, "%04x: 0x%llx is not mapped", rid,
			 le64_to_cpu(map->iova));
	kunit_kfree(v->mem.test, w);
}

static void check_device(struct smmu_image *v, const struct image_device *d)
{
	const struct image_map *map = &v->img->maps[le32_to_cpu(d->first_map)];
	enum smmu_kind kind = SMMU_BLOCKED;
	u32 rid = le32_to_cpu(d->rid);
	struct smmu_context ctx;

	smmu_resolve(&v->view, &v->mem.reader, rid, &ctx);
	switch (le32_to_cpu(d->status)) {
	case IMAGE_PASSTHROUGH:
		kind = SMMU_BYPASS;
		break;
	case IMAGE_TRANSLATE:
		kind = SMMU_TRANSLATE;
		break;
	}
	if (ctx.kind != kind || ctx.fault.event != le32_to_cpu(d->code) ||
	    (ctx.vmid << 16 | ctx.asid) != le32_to_cpu(d->did))
		mismatch(v, "%04x: kind %d event 0x%x vmid %u asid %u", rid,
			 ctx.kind, ctx.fault.event, ctx.vmid, ctx.asid);
	else if (kind == SMMU_TRANSLATE)
		check_maps(v, rid, &ctx.key, map, map + le32_to_cpu(d->nr_maps));
}

static void check_probe(struct smmu_image *v, const struct image_probe *p)
{
	u64 iova = le64_to_cpu(p->iova);
	u32 rid = le32_to_cpu(p->rid);
	struct smmu_leaf leaf;
	bool ok;

	smmu_translate(&v->view, &v->mem.reader, rid, iova, p->access, &leaf);
	if (!p->certain)
		return;
	switch (p->verdict) {
	case IMAGE_OK:
		ok = leaf.ctx.kind == SMMU_TRANSLATE && leaf.ok &&
		     leaf.gpa == le64_to_cpu(p->pa) &&
		     (!p->size || (leaf.size == le64_to_cpu(p->size) &&
				   leaf.prot == p->prot));
		break;
	case IMAGE_BYPASS:
		ok = leaf.ctx.kind == SMMU_BYPASS && leaf.ok &&
		     leaf.gpa == le64_to_cpu(p->pa);
		break;
	default:
		ok = !leaf.ok && leaf.fault.event == le32_to_cpu(p->code) &&
		     (!p->stage || leaf.fault.s2 == (p->stage == 2));
	}
	if (!ok)
		mismatch(v, "%04x: 0x%llx (%u): kind %d event 0x%x s2 %u, 0x%llx size 0x%llx",
			 rid, iova, p->access, leaf.ctx.kind, leaf.fault.event,
			 leaf.fault.s2, leaf.gpa, leaf.size);
}

/* Whatever a corrupted table says, a walk of it ends, and in the image. */
static void walk_corrupted(struct smmu_image *v, u32 rid)
{
	struct smmu_context ctx;
	struct smmu_walk *w;

	smmu_resolve(&v->view, &v->mem.reader, rid, &ctx);
	if (ctx.kind != SMMU_TRANSLATE)
		return;
	w = kunit_kmalloc(v->mem.test, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(v->mem.test, w);
	smmu_walk_start(w, &ctx.key, &v->mem.reader, 0, U64_MAX);
	w->budget = 1 << 18;
	while (!w->done && w->budget)
		smmu_walk_next(w, v->runs, RUNS);
	kunit_kfree(v->mem.test, w);
}

static void check_variant(struct smmu_image *v, unsigned int n)
{
	const struct image_variant *var = &v->img->variants[n];
	const struct image_probe *p =
		&v->img->variant_probes[le32_to_cpu(var->first_probe)];
	unsigned int i, before = v->mismatches;
	u32 walked = U32_MAX;

	image_flip(v->mem.test, v->img, var);
	for (i = 0; i < le32_to_cpu(var->nr_probes); i++, p++) {
		check_probe(v, p);
		if (le32_to_cpu(p->rid) != walked) {
			walked = le32_to_cpu(p->rid);
			walk_corrupted(v, walked);
		}
	}
	image_flip(v->mem.test, v->img, var);
	if (v->mismatches != before && before < SHOWN)
		KUNIT_FAIL(v->mem.test, "these are of variant %u", n);
}

void smmu_image_test(struct kunit *test, const struct image *img)
{
	const struct image_header *h = img->h;
	struct smmu_image *v;
	unsigned int i;

	v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, v);
	table_mem_init(&v->mem, test, find);
	v->img = img;
	v->view = (struct smmu_view){
		.strtab = image_reg64(img, SMMU_STRTAB_BASE),
		.strtab_cfg = image_reg32(img, SMMU_STRTAB_BASE_CFG),
		.idr0 = image_reg32(img, SMMU_IDR0),
		.idr1 = image_reg32(img, SMMU_IDR1),
		.idr5 = image_reg32(img, SMMU_IDR5),
	};
	KUNIT_ASSERT_TRUE(test, image_reg32(img, SMMU_CR0) & SMMU_CR0_SMMUEN);

	for (i = 0; i < le32_to_cpu(h->nr_devices); i++)
		check_device(v, &img->devices[i]);
	for (i = 0; i < le32_to_cpu(h->nr_probes); i++)
		check_probe(v, &img->probes[i]);
	v->corrupted = true;
	for (i = 0; i < le32_to_cpu(h->nr_variants); i++)
		check_variant(v, i);
	if (v->mismatches > SHOWN)
		KUNIT_FAIL(test, "%u mismatches", v->mismatches);
	kunit_info(test, "%u devices, %u leaves, %u probes, %u variants",
		   le32_to_cpu(h->nr_devices), le32_to_cpu(h->nr_maps),
		   le32_to_cpu(h->nr_probes), le32_to_cpu(h->nr_variants));
}
