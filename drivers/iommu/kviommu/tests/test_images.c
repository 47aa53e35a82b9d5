// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of real guests, walked: every device, all of its mappings and
 * nothing else, every probe, every corrupted variant.
 */
#include "images.h"
#include "table_mem.h"

#define RUNS	64

/* So many mismatches are shown. */
#define SHOWN	10

struct walked {
	struct table_mem mem;
	const struct image *img;
	const struct image_model *model;
	void *priv;		/* the model's */
	bool corrupted;
	unsigned int mismatches;
	struct kviommu_run runs[RUNS];
	__le64 zeroes[IMAGE_PAGE_SIZE / sizeof(__le64)];
};

static __printf(2, 3)
void mismatch(struct walked *w, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (w->mismatches++ >= SHOWN)
		return;
	va_start(args, fmt);
	vaf.va = &args;
	KUNIT_FAIL(w->mem.test, "%pV", &vaf);
	va_end(args);
}

static __le64 *find(struct table_mem *m, u64 gpa)
{
	struct walked *w = container_of(m, struct walked, mem);
	__le64 *page;

	if (!image_in_ram(w->img, gpa))
		return NULL;
	page = image_page(w->img, gpa);
	if (page)
		return page;
	if (!w->corrupted)
		mismatch(w, "page 0x%llx was read, no table is there", gpa);
	return w->zeroes;
}

/* The leaves that a run is made of; false after a mismatch */
static bool check_run(struct walked *w, u32 rid, const struct kviommu_run *run,
		      const struct image_map **map, const struct image_map *end)
{
	u64 iova = run->iova, left = run->last - run->iova + 1;

	if (run->fault) {
		mismatch(w, "%04x: 0x%llx: fault 0x%x", rid, iova, run->fault);
		return false;
	}
	for (; left; (*map)++) {
		u64 size = *map == end ? 0 : le64_to_cpu((*map)->size);

		if (!size || size > left || size != BIT_ULL(run->order) ||
		    le64_to_cpu((*map)->iova) != iova ||
		    le64_to_cpu((*map)->pa) != run->gpa + (iova - run->iova) ||
		    (*map)->prot != run->prot) {
			mismatch(w, "%04x: 0x%llx is to 0x%llx prot %u", rid,
				 iova, run->gpa + (iova - run->iova), run->prot);
			return false;
		}
		iova += size;
		left -= size;
	}
	return true;
}

/* The runs of the device looked up last are its leaves, merged, no more. */
static void check_maps(struct walked *w, u32 rid, const struct image_map *map,
		       const struct image_map *end)
{
	struct kviommu_run last = {};
	unsigned int calls = 0;
	int i, n;

	w->model->walk_start(w->priv, &w->mem.reader, U64_MAX);
	while ((n = w->model->walk_next(w->priv, w->runs, RUNS)) >= 0) {
		KUNIT_ASSERT_LT(w->mem.test, calls++, 1 << 20);
		for (i = 0; i < n; i++) {
			const struct kviommu_run *run = &w->runs[i];

			if (!check_run(w, rid, run, &map, end))
				return;
			if (last.prot == run->prot && last.order == run->order &&
			    last.leaf == run->leaf && last.last + 1 == run->iova &&
			    last.gpa + (run->iova - last.iova) == run->gpa)
				mismatch(w, "%04x: 0x%llx is not merged", rid,
					 run->iova);
			last = *run;
		}
	}
	if (map != end)
		mismatch(w, "%04x: 0x%llx is not mapped", rid,
			 le64_to_cpu(map->iova));
}

static void check_device(struct walked *w, const struct image_device *d)
{
	const struct image_map *map = &w->img->maps[le32_to_cpu(d->first_map)];
	u32 rid = le32_to_cpu(d->rid), levels = le32_to_cpu(d->levels);
	enum image_status status = le32_to_cpu(d->status);
	struct image_answer is;

	/* What is not enabled translates nothing. */
	if (status == IMAGE_DISABLED)
		status = IMAGE_PASSTHROUGH;
	is = w->model->resolve(w->priv, &w->mem.reader, rid);
	if (is.status != status || is.code != le32_to_cpu(d->code) ||
	    is.did != le32_to_cpu(d->did)) {
		mismatch(w, "%04x: status %d fault 0x%x domain 0x%x", rid,
			 is.status, is.code, is.did);
	} else if (status == IMAGE_TRANSLATE) {
		if (levels && is.levels && levels != is.levels)
			mismatch(w, "%04x: not %u levels", rid, levels);
		check_maps(w, rid, map, map + le32_to_cpu(d->nr_maps));
	}
}

static void check_probe(struct walked *w, const struct image_probe *p)
{
	u64 iova = le64_to_cpu(p->iova);
	u32 rid = le32_to_cpu(p->rid);
	struct image_answer is;
	bool ok;

	is = w->model->translate(w->priv, &w->mem.reader, rid, iova, p->access);
	if (!p->certain)
		return;
	switch (p->verdict) {
	case IMAGE_OK:
		ok = is.status == IMAGE_TRANSLATE && is.ok &&
		     is.gpa == le64_to_cpu(p->pa) &&
		     (!p->size || (is.size == le64_to_cpu(p->size) &&
				   is.prot == p->prot));
		break;
	case IMAGE_BYPASS:
		ok = is.status == IMAGE_PASSTHROUGH && is.ok &&
		     is.gpa == le64_to_cpu(p->pa);
		break;
	default:
		ok = !is.ok && is.code == le32_to_cpu(p->code) &&
		     (!p->stage || !is.stage || is.stage == p->stage);
	}
	if (!ok)
		mismatch(w, "%04x: 0x%llx (%u): status %d fault 0x%x,%u 0x%llx size 0x%llx prot %u",
			 rid, iova, p->access, is.status, is.code, is.stage,
			 is.gpa, is.size, is.prot);
}

/* Whatever a corrupted table says, a walk of it ends, and in the image. */
static void walk_corrupted(struct walked *w, u32 rid)
{
	struct kviommu_reader *r = &w->mem.reader;

	if (w->model->resolve(w->priv, r, rid).status != IMAGE_TRANSLATE)
		return;
	w->model->walk_start(w->priv, r, 1 << 18);
	while (w->model->walk_next(w->priv, w->runs, RUNS) >= 0)
		;
}

static void check_variant(struct walked *w, unsigned int n)
{
	const struct image_variant *var = &w->img->variants[n];
	const struct image_probe *p =
		&w->img->variant_probes[le32_to_cpu(var->first_probe)];
	unsigned int i, before = w->mismatches;
	u32 walked = U32_MAX;

	image_flip(w->mem.test, w->img, var);
	for (i = 0; i < le32_to_cpu(var->nr_probes); i++, p++) {
		check_probe(w, p);
		if (le32_to_cpu(p->rid) != walked) {
			walked = le32_to_cpu(p->rid);
			walk_corrupted(w, walked);
		}
	}
	image_flip(w->mem.test, w->img, var);
	if (w->mismatches != before && before < SHOWN)
		KUNIT_FAIL(w->mem.test, "these are of variant %u", n);
}

/**
 * image_check() - compare what a model says with what is known of an image
 * @test: fails where they differ
 * @img: the scenario
 * @model: of its architecture
 */
void image_check(struct kunit *test, const struct image *img,
		 const struct image_model *model)
{
	const struct image_header *h = img->h;
	struct walked *w;
	unsigned int i;

	w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	table_mem_init(&w->mem, test, find);
	/* An image has what its guest marked, and is for more than one test. */
	w->mem.reader.update = NULL;
	w->img = img;
	w->model = model;
	w->priv = kunit_kzalloc(test, model->size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w->priv);
	model->init(test, img, w->priv);

	for (i = 0; i < le32_to_cpu(h->nr_devices); i++)
		check_device(w, &img->devices[i]);
	for (i = 0; i < le32_to_cpu(h->nr_probes); i++)
		check_probe(w, &img->probes[i]);
	w->corrupted = true;
	for (i = 0; i < le32_to_cpu(h->nr_variants); i++)
		check_variant(w, i);
	if (w->mismatches > SHOWN)
		KUNIT_FAIL(test, "%u mismatches", w->mismatches);
	kunit_info(test, "%u devices, %u leaves, %u probes, %u variants",
		   le32_to_cpu(h->nr_devices), le32_to_cpu(h->nr_maps),
		   le32_to_cpu(h->nr_probes), le32_to_cpu(h->nr_variants));
}
