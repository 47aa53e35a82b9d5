/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images of the tables of real guests, see tools/testing/testdata, as packed by
 * tools/testing/vm/images: struct image_file, and for each scenario a struct
 * image_header with the arrays that it counts, in this order, all of it
 * little-endian and aligned to 8 bytes.
 */
#ifndef KVIOMMU_TESTS_IMAGES_H
#define KVIOMMU_TESTS_IMAGES_H

#include <kunit/test.h>
#include <linux/types.h>

struct kviommu_reader;
struct kviommu_run;

#define IMAGE_PAGE_SIZE	4096

struct image_file {
	char magic[8];
	__le32 version;
	__le32 nr_scenarios;
};

struct image_header {
	char name[32];
	char arch[8];
	__le32 size;	/* of this and of the arrays */
	__le32 haw;
	__le32 nr_regs;
	__le32 nr_ram;
	__le32 nr_pages;
	__le32 nr_devices;
	__le32 nr_maps;
	__le32 nr_probes;
	__le32 nr_variants;
	__le32 nr_flips;
	__le32 nr_variant_probes;
	__le32 zero;
};

struct image_reg {
	__le32 offset;
	__le32 value;
};

struct image_ram {
	__le64 gpa;
	__le64 size;
};

enum image_status {
	IMAGE_DISABLED,
	IMAGE_PASSTHROUGH,
	IMAGE_TRANSLATE,
	IMAGE_FAULT,
};

/*
 * @did: VT-d's domain id, or the SMMU's VMID << 16 | ASID. @levels: of the stage
 * that addresses enter; 0: not said
 */
struct image_device {
	__le32 rid;
	__le32 status;
	__le32 code;
	__le32 did;
	__le32 levels;
	__le32 first_map;
	__le32 nr_maps;
	__le32 zero;
};

/* One leaf; @prot as KVIOMMU_READ and KVIOMMU_WRITE, here and below */
struct image_map {
	__le64 iova;
	__le64 size;
	__le64 pa;
	u8 prot;
	u8 zero[7];
};

enum image_verdict {
	IMAGE_OK,
	IMAGE_BYPASS,
	IMAGE_REFUSED,
};

/*
 * @size and @prot are of the leaf; @size 0: only the address is known. @stage:
 * that refuses it; 0: not said
 */
struct image_probe {
	__le64 iova;
	__le64 pa;
	__le64 size;
	__le32 rid;
	__le32 code;
	u8 access;
	u8 certain;
	u8 verdict;
	u8 prot;
	u8 stage;
	u8 zero[3];
};

struct image_variant {
	__le32 first_flip;
	__le32 nr_flips;
	__le32 first_probe;
	__le32 nr_probes;
};

struct image_flip {
	__le64 gpa;
	u8 bit;
	u8 zero[7];
};

/**
 * struct image - a scenario
 * @gpas: of @pages, ascending
 * @variant_probes: what @variants point into, as they do into @flips
 */
struct image {
	const struct image_header *h;
	const struct image_reg *regs;
	const struct image_ram *ram;
	const __le64 *gpas;
	__le64 (*pages)[IMAGE_PAGE_SIZE / sizeof(__le64)];
	const struct image_device *devices;
	const struct image_map *maps;
	const struct image_probe *probes;
	const struct image_variant *variants;
	const struct image_flip *flips;
	const struct image_probe *variant_probes;
};

u32 image_reg32(const struct image *img, u32 offset);
u64 image_reg64(const struct image *img, u32 offset);
bool image_in_ram(const struct image *img, u64 gpa);
__le64 *image_page(const struct image *img, u64 gpa);
void image_flip(struct kunit *test, const struct image *img,
		const struct image_variant *v);

/**
 * struct image_answer - what a model says of a device, or of an address
 * @status: how the device is translated; never IMAGE_DISABLED
 * @ok: the address may be accessed
 * @stage: that refuses it; 0: not said
 * @prot: of the leaf, as @gpa and @size
 * @code: why the device, or the address, is refused; else 0
 * @did: of the device, as in struct image_device
 * @levels: likewise
 * @gpa: where the address is
 * @size: of the leaf
 */
struct image_answer {
	enum image_status status;
	bool ok;
	u8 stage;
	u8 prot;
	u32 code;
	u32 did;
	u32 levels;
	u64 gpa;
	u64 size;
};

/**
 * struct image_model - how the tables of an architecture are walked
 * @arch: that its images name
 * @size: of what its functions have as priv, zeroed before @init
 * @init: have the registers of an image
 * @resolve: look up a device
 * @translate: look up an address of a device
 * @walk_start: begin to walk over all addresses of the device that was looked up
 *		last by @resolve
 * @walk_next: write what is next; how many that are, or -1 at the end, or when
 *	       the budget is used up
 */
struct image_model {
	const char *arch;
	size_t size;
	void (*init)(struct kunit *test, const struct image *img, void *priv);
	struct image_answer (*resolve)(void *priv, struct kviommu_reader *r,
				       u32 rid);
	struct image_answer (*translate)(void *priv, struct kviommu_reader *r,
					 u32 rid, u64 iova, u8 access);
	void (*walk_start)(void *priv, struct kviommu_reader *r, u64 budget);
	int (*walk_next)(void *priv, struct kviommu_run *runs, unsigned int max);
};

extern const struct image_model vtd_image_model;
extern const struct image_model smmu_image_model;

void image_check(struct kunit *test, const struct image *img,
		 const struct image_model *model);

#endif /* KVIOMMU_TESTS_IMAGES_H */
