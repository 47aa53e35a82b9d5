// SPDX-License-Identifier: GPL-2.0-only
/* The walkers of VT-d, for images of tables */
#include "images.h"
#include "vtd/tables.h"

struct vtd_image {
	struct vtd_view view;
	struct vtd_context ctx;
	struct vtd_walk walk;
};

static void init(struct kunit *test, const struct image *img, void *priv)
{
	struct vtd_image *v = priv;

	v->view.rtaddr = image_reg64(img, VTD_RTADDR);
	v->view.cap = image_reg64(img, VTD_CAP);
	v->view.ecap = image_reg64(img, VTD_ECAP);
	v->view.te = image_reg32(img, VTD_GSTS) & VTD_GCMD_TE;
	v->view.haw = le32_to_cpu(img->h->haw);
}

static enum image_status status(const struct vtd_context *ctx)
{
	return ctx->kind == VTD_TRANSLATE ? IMAGE_TRANSLATE :
	       ctx->kind == VTD_PASSTHROUGH ? IMAGE_PASSTHROUGH : IMAGE_FAULT;
}

static struct image_answer resolve(void *priv, struct kviommu_reader *r, u32 rid)
{
	struct vtd_image *v = priv;
	struct vtd_context *ctx = &v->ctx;

	vtd_resolve(&v->view, r, rid, ctx);
	return (struct image_answer){
		.status = status(ctx),
		.code = ctx->fault,
		.did = ctx->did,
		.levels = ctx->key.fs_levels ?: ctx->key.ss_levels,
	};
}

static struct image_answer translate(void *priv, struct kviommu_reader *r,
				     u32 rid, u64 iova, u8 access)
{
	struct vtd_image *v = priv;
	struct vtd_leaf leaf;

	vtd_translate(&v->view, r, rid, iova, access, &leaf);
	return (struct image_answer){
		.status = status(&leaf.ctx),
		.ok = !leaf.fault,
		.code = leaf.fault,
		.gpa = leaf.gpa,
		.size = leaf.size,
		.prot = leaf.prot,
	};
}

static void walk_start(void *priv, struct kviommu_reader *r, u64 budget)
{
	struct vtd_image *v = priv;

	vtd_walk_start(&v->walk, &v->view, &v->ctx.key, r, 0, U64_MAX);
	v->walk.budget = budget;
}

static int walk_next(void *priv, struct kviommu_run *runs, unsigned int max)
{
	struct vtd_walk *w = &((struct vtd_image *)priv)->walk;

	return w->done || !w->budget ? -1 : vtd_walk_next(w, runs, max);
}

const struct image_model vtd_image_model = {
	.arch = "vtd",
	.size = sizeof(struct vtd_image),
	.init = init,
	.resolve = resolve,
	.translate = translate,
	.walk_start = walk_start,
	.walk_next = walk_next,
};
