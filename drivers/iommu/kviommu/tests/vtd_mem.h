/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory for VT-d's table walkers to read, and what they do with it */
#ifndef KVIOMMU_TESTS_VTD_MEM_H
#define KVIOMMU_TESTS_VTD_MEM_H

#include <kunit/test.h>

#include "vtd/tables.h"

/**
 * struct vtd_mem - a reader's memory
 * @find: the page at an address, NULL if there is no memory
 * @slots: the walker's copies
 * @reads: pages that were read
 * @updates: words that were written
 * @update_rc: what an update returns instead of writing, if not 0
 */
struct vtd_mem {
	struct kviommu_reader reader;
	struct kunit *test;
	__le64 *(*find)(struct vtd_mem *m, u64 gpa);
	__le64 *slots[VTD_SLOTS];
	unsigned int reads;
	unsigned int updates;
	int update_rc;
};

void vtd_mem_init(struct vtd_mem *m, struct kunit *test,
		  __le64 *(*find)(struct vtd_mem *m, u64 gpa));

#endif /* KVIOMMU_TESTS_VTD_MEM_H */
