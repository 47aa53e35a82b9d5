// SPDX-License-Identifier: GPL-2.0-only
/* The walkers of SMMUv3, for images of tables */
#include "images.h"
#include "smmuv3/tables.h"

struct smmu_image {
	struct smmu_view view;
	struct smmu_context ctx;
	struct smmu_walk walk;
};

static void init(struct kunit *test, const struct image *img, void *priv)
{
	struct smmu_image *s = priv;

	s->view.strtab = image_reg64(img, SMMU_STRTAB_BASE);
	s->view.strtab_cfg = image_reg32(img, SMMU_STRTAB_BASE_CFG);
	s->view.idr0 = image_reg32(img, SMMU_IDR0);
	s->view.idr1 = image_reg32(img, SMMU_IDR1);
	s->view.idr5 = image_reg32(img, SMMU_IDR5);
	KUNIT_ASSERT_TRUE(test, image_reg32(img, SMMU_CR0) & SMMU_CR0_SMMUEN);
}

static enum image_status status(const struct smmu_context *ctx)
{
	return ctx->kind == SMMU_TRANSLATE ? IMAGE_TRANSLATE :
	       ctx->kind == SMMU_BYPASS ? IMAGE_PASSTHROUGH : IMAGE_FAULT;
}

static struct image_answer resolve(void *priv, struct kviommu_reader *r, u32 rid)
{
	struct smmu_image *s = priv;
	struct smmu_context *ctx = &s->ctx;

	smmu_resolve(&s->view, r, rid, ctx);
	return (struct image_answer){
		.status = status(ctx),
		.code = ctx->fault.event,
		.did = ctx->vmid << 16 | ctx->asid,
	};
}

static struct image_answer translate(void *priv, struct kviommu_reader *r,
				     u32 rid, u64 iova, u8 access)
{
	struct smmu_image *s = priv;
	struct smmu_leaf leaf;

	smmu_translate(&s->view, r, rid, iova, access, &leaf);
	return (struct image_answer){
		.status = status(&leaf.ctx),
		.ok = leaf.ok,
		.code = leaf.fault.event,
		.stage = leaf.fault.s2 ? 2 : 1,
		.gpa = leaf.gpa,
		.size = leaf.size,
		.prot = leaf.prot,
	};
}

static void walk_start(void *priv, struct kviommu_reader *r, u64 budget)
{
	struct smmu_image *s = priv;

	smmu_walk_start(&s->walk, &s->ctx.key, r, 0, U64_MAX);
	s->walk.budget = budget;
}

static int walk_next(void *priv, struct kviommu_run *runs, unsigned int max)
{
	struct smmu_walk *w = &((struct smmu_image *)priv)->walk;

	return w->done || !w->budget ? -1 : smmu_walk_next(w, runs, max);
}

const struct image_model smmu_image_model = {
	.arch = "smmuv3",
	.size = sizeof(struct smmu_image),
	.init = init,
	.resolve = resolve,
	.translate = translate,
	.walk_start = walk_start,
	.walk_next = walk_next,
};
