// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory for table walkers */
#include "table_mem.h"

/* Each slot is an allocation of its own, so that KASAN sees where it ends. */
static const __le64 *mem_page(struct kviommu_reader *r, unsigned int slot,
			      u64 gpa)
{
	struct table_mem *m = container_of(r, struct table_mem, reader);
	__le64 *page;

	KUNIT_ASSERT_LT(m->test, slot, TABLE_MEM_SLOTS);
	KUNIT_ASSERT_EQ(m->test, gpa % KVIOMMU_TABLE_SIZE, 0);
	m->reads++;
	page = m->find(m, gpa);
	if (!page)
		return NULL;
	return memcpy(m->slots[slot], page, KVIOMMU_TABLE_SIZE);
}

static int mem_update(struct kviommu_reader *r, unsigned int slot, u64 gpa,
		      u64 old, u64 new)
{
	struct table_mem *m = container_of(r, struct table_mem, reader);
	__le64 *page = m->find(m, gpa & ~(KVIOMMU_TABLE_SIZE - 1ULL));
	unsigned int i = gpa % KVIOMMU_TABLE_SIZE / sizeof(*page);

	KUNIT_ASSERT_NOT_NULL(m->test, page);
	KUNIT_ASSERT_EQ(m->test, gpa % sizeof(*page), 0);
	/* Bits are set, nothing else is touched. */
	KUNIT_EXPECT_EQ(m->test, old & ~new, 0);
	KUNIT_EXPECT_NE(m->test, old, new);
	if (m->update_rc)
		return m->update_rc;
	if (le64_to_cpu(page[i]) != old)
		return -EAGAIN;
	page[i] = cpu_to_le64(new);
	((__le64 *)m->slots[slot])[i] = page[i];
	m->updates++;
	return 0;
}

/**
 * table_mem_init() - have a reader
 * @m: what is initialised
 * @test: fails when it is used in a wrong way
 * @find: see struct table_mem
 */
void table_mem_init(struct table_mem *m, struct kunit *test,
		    __le64 *(*find)(struct table_mem *m, u64 gpa))
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->reader.page = mem_page;
	m->reader.update = mem_update;
	m->test = test;
	m->find = find;
	for (i = 0; i < TABLE_MEM_SLOTS; i++) {
		m->slots[i] = kunit_kmalloc(test, KVIOMMU_TABLE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, m->slots[i]);
	}
}
