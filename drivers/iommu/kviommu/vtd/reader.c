// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the VT-d model reads the guest's tables: guest memory, a page at a time,
 * in place where it can be had so.
 */
#include <linux/slab.h>

#include "vtd.h"

static struct vtd_guest_reader *to_guest(struct vtd_reader *r)
{
	return container_of(r, struct vtd_guest_reader, reader);
}

static const __le64 *guest_page(struct vtd_reader *r, unsigned int slot, u64 gpa)
{
	struct vtd_guest_reader *g = to_guest(r);
	void *page = kviommu_gmem_ptr(g->gmem, gpa, VTD_PAGE_SIZE, false);

	g->copied[slot] = !page;
	if (page)
		return page;
	page = g->copies + slot * VTD_PAGE_SIZE;
	return kviommu_gmem_copy(g->gmem, gpa, page, VTD_PAGE_SIZE, false) ?
		NULL : page;
}

static int guest_update(struct vtd_reader *r, unsigned int slot, u64 gpa,
			u64 old, u64 new)
{
	struct vtd_guest_reader *g = to_guest(r);
	__le64 *page = g->copies + slot * VTD_PAGE_SIZE;
	int rc;

	rc = kviommu_gmem_cmpxchg(g->gmem, gpa, cpu_to_le64(old),
				  cpu_to_le64(new));
	g->marked |= slot == VTD_SLOT_FS || slot == VTD_SLOT_SS;
	if (!rc && g->copied[slot])
		page[offset_in_page(gpa) / sizeof(*page)] = cpu_to_le64(new);
	return rc;
}

/**
 * vtd_guest_reader_init() - get ready to read
 * @r: reader
 * @g: guest memory
 *
 * Return: 0 or -ENOMEM.
 */
int vtd_guest_reader_init(struct vtd_guest_reader *r, struct kviommu_gmem *g)
{
	r->reader.page = guest_page;
	r->reader.update = guest_update;
	r->gmem = g;
	r->copies = kvcalloc(VTD_SLOTS, VTD_PAGE_SIZE, GFP_KERNEL);
	return r->copies ? 0 : -ENOMEM;
}

/**
 * vtd_guest_copy() - have a page that the guest does not change
 * @r: reader
 * @slot: slot that @page was read for
 * @page: what was read
 *
 * Return: the copy; what is marked as used is in it too.
 */
const __le64 *vtd_guest_copy(struct vtd_guest_reader *r, unsigned int slot,
			     const __le64 *page)
{
	void *copy = r->copies + slot * VTD_PAGE_SIZE;

	if (!r->copied[slot])
		memcpy(copy, page, VTD_PAGE_SIZE);
	r->copied[slot] = true;
	return copy;
}

/**
 * vtd_guest_reader_exit() - undo vtd_guest_reader_init()
 * @r: reader
 */
void vtd_guest_reader_exit(struct vtd_guest_reader *r)
{
	kvfree(r->copies);
}
