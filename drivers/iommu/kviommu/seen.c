// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of the last level that a domain's shadow is in line with, by a checksum
 * of what they said; where tables are larger than 4 KiB, parts of them.
 *
 * A guest that gathers its invalidations asks for all of a domain again and
 * again, of which little has changed. To find that of a table takes a few
 * instructions for an entry then, and one look-up for the table.
 *
 * What is checked is a copy of the table, which is what is walked if it is new:
 * the guest may change the table at any moment, and change it back.
 *
 * Two tables with one checksum would leave a device with what it must not reach
 * any more. Who maps for a device may not be who is protected from it, and has
 * some say in what tables look like. So there is a secret in the checksum: NH, as
 * in UMAC (RFC 4418) but of 64-bit words, has one result for two tables with a
 * probability of 2^-64, whatever they are, and SipHash makes a number of it that
 * fits into an xarray.
 */
#include <linux/random.h>
#include <linux/siphash.h>

#include "kviommu_private.h"

/*
 * So many tables less than mappings are kept in mind: one that is far from all
 * others takes a node of the xarray at each level.
 */
#define MAPPINGS	64

static unsigned long seen_index(const struct kviommu_seen *s, u64 iova)
{
	return iova >> s->shift;
}

static u64 checksum(const struct kviommu_seen_key *key, const __le64 *page,
		    u64 bits)
{
	const u64 *word = (__force const u64 *)page;
	u128 sum = 0;
	unsigned int i;

	for (i = 0; i < KVIOMMU_TABLE_WORDS; i += 2)
		sum += (u128)(word[i] + key->nh[i]) *
		       (word[i + 1] + key->nh[i + 1]);
	return siphash_3u64((u64)sum, (u64)(sum >> 64), bits, &key->end);
}

/**
 * kviommu_seen_key_init() - take a secret
 * @key: it
 */
void kviommu_seen_key_init(struct kviommu_seen_key *key)
{
	get_random_bytes(key, sizeof(*key));
}

/**
 * kviommu_seen_init() - nothing is known
 * @s: what is known of a domain
 * @shift: log2 of the bytes of addresses that a table of 4 KiB has
 */
void kviommu_seen_init(struct kviommu_seen *s, unsigned int shift)
{
	xa_init_flags(&s->tables, XA_FLAGS_ACCOUNT);
	s->shift = shift;
	s->nr = 0;
}

/**
 * kviommu_seen_exit() - forget all of a domain
 * @s: what is known of it; can be used again
 */
void kviommu_seen_exit(struct kviommu_seen *s)
{
	xa_destroy(&s->tables);
	s->nr = 0;
}

/**
 * kviommu_seen_forget() - the shadow is about to be changed
 * @s: what is known of a domain
 * @first: first address
 * @last: last address
 */
void kviommu_seen_forget(struct kviommu_seen *s, u64 first, u64 last)
{
	unsigned long i;
	void *entry;

	if (!s->nr)
		return;
	xa_for_each_range(&s->tables, i, entry, seen_index(s, first),
			  seen_index(s, last)) {
		xa_erase(&s->tables, i);
		s->nr--;
	}
}

/**
 * kviommu_seen_check() - is a table known
 * @s: what is known of a domain
 * @key: secret of the vIOMMU
 * @n: filled if it is not
 * @page: a copy of the table
 * @iova: first address of the table
 * @bits: what those above it allow
 *
 * Return: whether the shadow is in line with it.
 */
bool kviommu_seen_check(struct kviommu_seen *s,
			const struct kviommu_seen_key *key,
			struct kviommu_seen_table *n, const __le64 *page,
			u64 iova, u64 bits)
{
	void *entry = xa_mk_value(checksum(key, page, bits) >> 1);

	if (s->nr && xa_load(&s->tables, seen_index(s, iova)) == entry)
		return true;
	n->iova = iova;
	n->entry = entry;
	return false;
}

/**
 * kviommu_seen_add() - the shadow is in line with a table now
 * @s: what is known of a domain
 * @n: from kviommu_seen_check()
 * @max_mappings: quota
 */
void kviommu_seen_add(struct kviommu_seen *s,
		      const struct kviommu_seen_table *n, u64 max_mappings)
{
	void *old;

	if (s->nr >= max_mappings / MAPPINGS)
		return;
	old = xa_store(&s->tables, seen_index(s, n->iova), n->entry,
		       GFP_KERNEL_ACCOUNT);
	/* Without memory it is looked at again the next time. */
	if (!old)
		s->nr++;
}
