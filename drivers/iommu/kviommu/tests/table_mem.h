/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory for table walkers to read, and what they do with it */
#ifndef KVIOMMU_TESTS_TABLE_MEM_H
#define KVIOMMU_TESTS_TABLE_MEM_H

#include <kunit/test.h>

#include "kviommu_private.h"

#define TABLE_MEM_SLOTS	16

/**
 * struct table_mem - a reader's memory
 * @find: the page at an address, NULL if there is no memory
 * @slots: the walker's copies
 * @reads: pages that were read
 * @updates: words that were written
 * @update_rc: what an update returns instead of writing, if not 0
 */
struct table_mem {
	struct kviommu_reader reader;
	struct kunit *test;
	__le64 *(*find)(struct table_mem *m, u64 gpa);
	__le64 *slots[TABLE_MEM_SLOTS];
	unsigned int reads;
	unsigned int updates;
	int update_rc;
};

void table_mem_init(struct table_mem *m, struct kunit *test,
		    __le64 *(*find)(struct table_mem *m, u64 gpa));

#endif /* KVIOMMU_TESTS_TABLE_MEM_H */
