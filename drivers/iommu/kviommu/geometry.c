// SPDX-License-Identifier: GPL-2.0-only
/*
 * Geometry: what the host's IOMMU can translate for a device, and which
 * addresses it keeps for itself. Read once, when the device is assigned, so
 * that the guest can be told before it asks.
 */
#include <linux/iommu.h>
#include <linux/list_sort.h>
#include <linux/slab.h>

#include "kviommu_private.h"

static int resv_cmp(void *priv, const struct list_head *a,
		    const struct list_head *b)
{
	const struct iommu_resv_region *ra, *rb;

	ra = list_entry(a, struct iommu_resv_region, list);
	rb = list_entry(b, struct iommu_resv_region, list);
	if (ra->start == rb->start)
		return 0;
	return ra->start < rb->start ? -1 : 1;
}

static int read_resv(struct device *dev, struct kviommu_geometry *geo)
{
	struct iommu_resv_region *r, *tmp;
	struct iommu_group *group;
	unsigned int n = 0;
	LIST_HEAD(regions);
	int rc;

	group = iommu_group_get(dev);
	if (!group)
		return -ENODEV;
	rc = iommu_get_group_resv_regions(group, &regions);
	iommu_group_put(group);
	if (rc)
		goto out_free;
	list_sort(NULL, &regions, resv_cmp);
	list_for_each_entry(r, &regions, list)
		n++;
	geo->resv = kcalloc(n, sizeof(*geo->resv), GFP_KERNEL_ACCOUNT);
	if (!geo->resv) {
		rc = -ENOMEM;
		goto out_free;
	}
	n = 0;
	list_for_each_entry(r, &regions, list) {
		struct kviommu_resv *last = n ? &geo->resv[n - 1] : NULL;
		u64 end = r->start + r->length - 1;
		/* A guest that maps doorbells need not map those either. */
		bool msi = r->type == IOMMU_RESV_MSI ||
			   r->type == IOMMU_RESV_SW_MSI;

		if (r->type == IOMMU_RESV_SW_MSI) {
			if (!KVIOMMU_SW_MSI) {
				rc = -EOPNOTSUPP;
				goto out_free;
			}
			geo->sw_msi = r->start;
			geo->sw_msi_size = r->length;
		}
		/* A device that its firmware does not use needs no 1:1 map. */
		if (!r->length || r->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    r->start > geo->last)
			continue;
		end = min(end, geo->last);
		/*
		 * Properties of an endpoint must not overlap (virtio 1.3
		 * 5.13.6.8.1), and only one MSI window may be told.
		 */
		if (last && r->start <= last->last) {
			last->last = max(last->last, end);
			last->msi &= msi;
			continue;
		}
		geo->resv[n++] = (struct kviommu_resv){ r->start, end, msi };
	}
	geo->nr_resv = n;

out_free:
	list_for_each_entry_safe(r, tmp, &regions, list)
		kfree(r);
	return rc;
}

/**
 * kviommu_geometry_read() - what the host can translate for a device
 * @dev: host device, behind an IOMMU
 * @geo: result; free with kviommu_geometry_free()
 *
 * Return: 0; -ENODEV without an IOMMU; -EOPNOTSUPP if its pages are larger
 * than the CPU's, or it translates MSIs and this kernel can't; -ENOMEM; or what the host said.
 */
int kviommu_geometry_read(struct device *dev, struct kviommu_geometry *geo)
{
	struct iommu_domain *domain;

	memset(geo, 0, sizeof(*geo));
	domain = kviommu_domain_alloc(dev);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	geo->last = domain->geometry.aperture_end;
	geo->page_sizes = domain->pgsize_bitmap;
	geo->snoop = device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
	iommu_domain_free(domain);

	/*
	 * Drivers that know it only at attach: the least that any of them has.
	 * A mapping that does not fit is refused when it is made.
	 */
	if (!geo->page_sizes)
		geo->page_sizes = PAGE_SIZE;
	if (!geo->last || geo->last == U64_MAX)
		geo->last = BIT_ULL(48) - 1;
	/*
	 * Guest memory is pinned, and goes away, by pages of the host's CPU:
	 * those are the granule of every vIOMMU.
	 */
	if (__ffs64(geo->page_sizes) > PAGE_SHIFT)
		return -EOPNOTSUPP;
	geo->page_sizes &= PAGE_MASK;
	geo->page_sizes |= PAGE_SIZE;
	return read_resv(dev, geo);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_geometry_read);

/**
 * kviommu_geometry_free() - undo kviommu_geometry_read()
 * @geo: geometry
 */
void kviommu_geometry_free(struct kviommu_geometry *geo)
{
	kfree(geo->resv);
	memset(geo, 0, sizeof(*geo));
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_geometry_free);

/**
 * kviommu_geometry_reserved() - may a range not be mapped for a device
 * @geo: its geometry
 * @iova: first address
 * @last: last address
 */
bool kviommu_geometry_reserved(const struct kviommu_geometry *geo, u64 iova,
			       u64 last)
{
	unsigned int i;

	for (i = 0; i < geo->nr_resv; i++)
		if (iova <= geo->resv[i].last && last >= geo->resv[i].first)
			return true;
	return false;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_geometry_reserved);
