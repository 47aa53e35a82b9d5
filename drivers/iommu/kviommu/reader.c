// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where models read the guest's tables: guest memory, a page of 4 KiB at a time,
 * in place where it can be had so.
 */
#include <linux/slab.h>

#include "kviommu_private.h"

static struct kviommu_guest_reader *to_guest(struct kviommu_reader *r)
{
	return container_of(r, struct kviommu_guest_reader, reader);
}

static const __le64 *guest_page(struct kviommu_reader *r, unsigned int slot,
				u64 gpa)
{
	struct kviommu_guest_reader *g = to_guest(r);
	void *page = kviommu_gmem_ptr(g->gmem, gpa, KVIOMMU_TABLE_SIZE, false);

	__assign_bit(slot, &g->copied, !page);
	if (page)
		return page;
	page = g->copies + slot * KVIOMMU_TABLE_SIZE;
	return kviommu_gmem_copy(g->gmem, gpa, page, KVIOMMU_TABLE_SIZE, false) ?
		NULL : page;
}

static int guest_update(struct kviommu_reader *r, unsigned int slot, u64 gpa,
			u64 old, u64 new)
{
	struct kviommu_guest_reader *g = to_guest(r);
	__le64 *page = g->copies + slot * KVIOMMU_TABLE_SIZE;
	int rc;

	rc = kviommu_gmem_cmpxchg(g->gmem, gpa, cpu_to_le64(old),
				  cpu_to_le64(new));
	g->updated |= BIT(slot);
	if (!rc && test_bit(slot, &g->copied))
		page[gpa % KVIOMMU_TABLE_SIZE / sizeof(*page)] =
			cpu_to_le64(new);
	return rc;
}

/**
 * kviommu_guest_reader_init() - get ready to read
 * @r: reader
 * @g: guest memory
 * @slots: how many pages are used at a time, up to KVIOMMU_READER_SLOTS
 *
 * Return: 0 or -ENOMEM.
 */
int kviommu_guest_reader_init(struct kviommu_guest_reader *r,
			      struct kviommu_gmem *g, unsigned int slots)
{
	r->reader.page = guest_page;
	r->reader.update = guest_update;
	r->gmem = g;
	r->copies = kvcalloc(slots, KVIOMMU_TABLE_SIZE, GFP_KERNEL);
	return r->copies ? 0 : -ENOMEM;
}

/**
 * kviommu_guest_copy() - have a page that the guest does not change
 * @r: reader
 * @slot: slot that @page was read for
 * @page: what was read
 *
 * Return: the copy; what is marked as used is in it too.
 */
const __le64 *kviommu_guest_copy(struct kviommu_guest_reader *r,
				 unsigned int slot, const __le64 *page)
{
	void *copy = r->copies + slot * KVIOMMU_TABLE_SIZE;

	if (!test_bit(slot, &r->copied))
		memcpy(copy, page, KVIOMMU_TABLE_SIZE);
	__set_bit(slot, &r->copied);
	return copy;
}

/**
 * kviommu_guest_reader_exit() - undo kviommu_guest_reader_init()
 * @r: reader
 */
void kviommu_guest_reader_exit(struct kviommu_guest_reader *r)
{
	kvfree(r->copies);
}
