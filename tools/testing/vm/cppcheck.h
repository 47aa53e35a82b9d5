/* SPDX-License-Identifier: GPL-2.0-only */
/* What cppcheck, which sees no kernel headers, has to know of their macros. */
void *some(void);

#define kzalloc_obj(...)			some()
#define kvzalloc_obj(...)			some()
#define some_for_each(pos)			for (pos = some(); pos; pos = some())
#define for_each_set_bit(bit, map, n)		for (bit = 0; bit < n; bit++)
#define iommu_group_for_each_dev(...)		some()
#define list_for_each_entry(pos, ...)		some_for_each(pos)
#define list_for_each_entry_continue_reverse(pos, ...)	some_for_each(pos)
#define list_for_each_entry_safe(pos, n, ...)	for (pos = n = some(); pos; pos = n)
#define mt_for_each(mt, entry, ...)		some_for_each(entry)
#define rbtree_postorder_for_each_entry_safe(pos, n, ...) \
						for (pos = n = some(); pos; pos = n)
#define xa_for_each(xa, index, entry)		for (index = 0; (entry = some()); index++)
#define xa_for_each_range(xa, index, entry, first, last) \
						for (index = first; (entry = some()); index++)
