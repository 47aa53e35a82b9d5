// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images of tables: each scenario is a test case that has its name. Which there
 * are is known when the file was read, before KUnit asks.
 */
#include <linux/kernel_read_file.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "images.h"

#define MAX_IMAGES	64

static char *images;
module_param(images, charp, 0444);
MODULE_PARM_DESC(images, "File with images of IOMMU tables, made by tools/testing/vm/images");

static void *file;
static const char *why_none = "the parameter images= was not given";
static struct image scenarios[MAX_IMAGES];
static char names[MAX_IMAGES][sizeof_field(struct image_header, name)];
static struct kunit_case image_cases[MAX_IMAGES + 1];

/**
 * image_reg32() - what a register was
 * @img: the scenario
 * @offset: of the register
 *
 * Return: 0 for one that is not in the image.
 */
u32 image_reg32(const struct image *img, u32 offset)
{
	unsigned int i;

	for (i = 0; i < le32_to_cpu(img->h->nr_regs); i++)
		if (le32_to_cpu(img->regs[i].offset) == offset)
			return le32_to_cpu(img->regs[i].value);
	return 0;
}

/**
 * image_reg64() - what a register of two words was
 * @img: the scenario
 * @offset: of the register
 */
u64 image_reg64(const struct image *img, u32 offset)
{
	return image_reg32(img, offset) |
	       (u64)image_reg32(img, offset + 4) << 32;
}

/**
 * image_in_ram() - is there memory at an address
 * @img: the scenario
 * @gpa: the address
 */
bool image_in_ram(const struct image *img, u64 gpa)
{
	unsigned int i;

	for (i = 0; i < le32_to_cpu(img->h->nr_ram); i++)
		if (gpa - le64_to_cpu(img->ram[i].gpa) <
		    le64_to_cpu(img->ram[i].size))
			return true;
	return false;
}

/**
 * image_page() - a page of memory
 * @img: the scenario
 * @gpa: where it begins
 *
 * Return: NULL if it is not stored.
 */
__le64 *image_page(const struct image *img, u64 gpa)
{
	unsigned int low = 0, high = le32_to_cpu(img->h->nr_pages);

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (le64_to_cpu(img->gpas[mid]) == gpa)
			return img->pages[mid];
		if (le64_to_cpu(img->gpas[mid]) < gpa)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/**
 * image_flip() - make a corrupted variant, or the original of it again
 * @test: fails if it can't be
 * @img: the scenario
 * @v: one of its variants
 */
void image_flip(struct kunit *test, const struct image *img,
		const struct image_variant *v)
{
	const struct image_flip *f = &img->flips[le32_to_cpu(v->first_flip)];
	unsigned int i;

	for (i = 0; i < le32_to_cpu(v->nr_flips); i++, f++) {
		u64 gpa = le64_to_cpu(f->gpa);
		u64 offset = gpa % IMAGE_PAGE_SIZE;
		__le64 *page = image_page(img, gpa - offset);

		KUNIT_ASSERT_NOT_NULL(test, page);
		page[offset / sizeof(*page)] ^= cpu_to_le64(BIT_ULL(f->bit));
	}
}

/* The next array of the file, or NULL if the file is shorter than that. */
static void *take(void **pos, size_t *left, __le32 count, size_t size)
{
	void *array = *pos;
	size_t bytes;

	if (check_mul_overflow(le32_to_cpu(count), size, &bytes) ||
	    bytes > *left)
		return NULL;
	*pos += bytes;
	*left -= bytes;
	return array;
}

static bool in_bounds(__le32 first, __le32 count, __le32 all)
{
	u64 end = (u64)le32_to_cpu(first) + le32_to_cpu(count);

	return end <= le32_to_cpu(all);
}

static bool indices_valid(const struct image *img)
{
	const struct image_header *h = img->h;
	unsigned int i;

	for (i = 0; i < le32_to_cpu(h->nr_devices); i++)
		if (!in_bounds(img->devices[i].first_map,
			       img->devices[i].nr_maps, h->nr_maps))
			return false;
	for (i = 0; i < le32_to_cpu(h->nr_variants); i++)
		if (!in_bounds(img->variants[i].first_flip,
			       img->variants[i].nr_flips, h->nr_flips) ||
		    !in_bounds(img->variants[i].first_probe,
			       img->variants[i].nr_probes,
			       h->nr_variant_probes))
			return false;
	for (i = 0; i < le32_to_cpu(h->nr_flips); i++)
		if (img->flips[i].bit > 63)
			return false;
	return true;
}

static bool parse_scenario(struct image *img, void **pos, size_t *left)
{
	const struct image_header *h;
	void *start = *pos;

	h = take(pos, left, cpu_to_le32(1), sizeof(*h));
	if (!h)
		return false;
	img->h = h;
	img->regs = take(pos, left, h->nr_regs, sizeof(*img->regs));
	img->ram = take(pos, left, h->nr_ram, sizeof(*img->ram));
	img->gpas = take(pos, left, h->nr_pages, sizeof(*img->gpas));
	img->pages = take(pos, left, h->nr_pages, sizeof(*img->pages));
	img->devices = take(pos, left, h->nr_devices, sizeof(*img->devices));
	img->maps = take(pos, left, h->nr_maps, sizeof(*img->maps));
	img->probes = take(pos, left, h->nr_probes, sizeof(*img->probes));
	img->variants = take(pos, left, h->nr_variants, sizeof(*img->variants));
	img->flips = take(pos, left, h->nr_flips, sizeof(*img->flips));
	img->variant_probes = take(pos, left, h->nr_variant_probes,
				   sizeof(*img->variant_probes));
	/* What was too short was not taken. */
	return *pos - start == le32_to_cpu(h->size) && img->regs && img->ram &&
	       img->gpas && img->pages && img->devices && img->maps &&
	       img->probes && img->variants && img->flips &&
	       img->variant_probes && indices_valid(img);
}

static void image_test(struct kunit *test)
{
	static const struct image_model *const models[] = {
		&vtd_image_model, &smmu_image_model,
	};
	const struct image *img;
	unsigned int i = 0;

	while (strcmp(test->name, names[i]))
		i++;
	img = &scenarios[i];
	for (i = 0; i < ARRAY_SIZE(models); i++) {
		if (!strncmp(img->h->arch, models[i]->arch,
			     sizeof(img->h->arch))) {
			image_check(test, img, models[i]);
			return;
		}
	}
	kunit_skip(test, "there is no model of %.8s", img->h->arch);
}

static void no_images(struct kunit *test)
{
	KUNIT_FAIL(test, "no images of tables: %s", why_none);
}

static unsigned int parse_file(size_t left)
{
	const struct image_file *head;
	unsigned int i, n;
	void *pos = file;

	head = take(&pos, &left, cpu_to_le32(1), sizeof(*head));
	if (!head || memcmp(head->magic, "KVIMAGES", sizeof(head->magic)) ||
	    le32_to_cpu(head->version) != 1) {
		why_none = "the file is not one of packed images";
		return 0;
	}
	n = le32_to_cpu(head->nr_scenarios);
	for (i = 0; i < n; i++) {
		if (i == MAX_IMAGES || !parse_scenario(&scenarios[i], &pos, &left))
			break;
		strscpy(names[i], scenarios[i].h->name);
		image_cases[i].run_case = image_test;
		image_cases[i].name = names[i];
	}
	if (i == n && !left)
		return n;
	memset(image_cases, 0, sizeof(image_cases));
	why_none = "the file of packed images is damaged";
	return 0;
}

static int __init images_init(void)
{
	ssize_t rc;

	if (images) {
		rc = kernel_read_file_from_path(images, 0, &file, INT_MAX, NULL,
						READING_UNKNOWN);
		if (rc < 0)
			why_none = "the file can't be read";
		else if (parse_file(rc))
			return 0;
	}
	image_cases[0].run_case = no_images;
	image_cases[0].name = "none";
	return 0;
}
module_init(images_init);

static void __exit images_exit(void)
{
	vfree(file);
}
module_exit(images_exit);

static struct kunit_suite images_suite = {
	.name = "kviommu_images",
	.test_cases = image_cases,
};

kunit_test_suite(images_suite);
