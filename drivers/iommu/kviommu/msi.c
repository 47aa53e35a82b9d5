// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSIs that the host's IOMMU translates.
 *
 * On Arm an MSI is a write like any other, so the page it goes to, the doorbell of
 * the interrupt controller, has to be mapped in the domain the device is in, within
 * a window that the host's IOMMU driver reserves. When an interrupt is set up, the
 * kernel maps the doorbell and tells the device the address: iommufd does so in the
 * VMM's page table, the MSI cookie of a domain in one of ours. When the device moves
 * to another domain nobody does, while the device goes on writing where it was told.
 *
 * So a group takes its doorbells along: they are noted when it leaves a domain and
 * mapped in the next, at the addresses they had. For that no address may stand for
 * two doorbells: iommufd counts from the window's start, and in its upper half each
 * of our domains has one page. There is no need for more: devices behind one IOMMU
 * share their doorbell.
 */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/xarray.h>

#include "kviommu_private.h"

static struct kviommu_endpoint *first_ep(const struct kviommu_group *g)
{
	return list_first_entry(&g->eps, struct kviommu_endpoint, group_node);
}

static bool uses_msi(const struct kviommu_group *g)
{
	const struct kviommu_endpoint *ep;

	list_for_each_entry(ep, &g->eps, group_node) {
		struct device *dev = ep->kdev->dev;

		if (dev_is_pci(dev) && (to_pci_dev(dev)->msi_enabled ||
					to_pci_dev(dev)->msix_enabled))
			return true;
	}
	return false;
}

static bool is_taken(const struct kviommu *v, u64 iova)
{
	struct kviommu_group *g;

	list_for_each_entry(g, &v->groups, node)
		if ((g->hostdom && g->hostdom->msi == iova) ||
		    xa_load(&g->doorbells, iova >> PAGE_SHIFT))
			return true;
	return false;
}

/**
 * kviommu_msi_page() - where a new host domain is to have the doorbell
 * @v: vIOMMU, locked
 * @g: group that is to be attached to it
 * @iova: result; 0 if the host does not translate MSIs
 *
 * Return: 0, or -ENOSPC if the window is full.
 */
int kviommu_msi_page(struct kviommu *v, const struct kviommu_group *g, u64 *iova)
{
	const struct kviommu_geometry *geo = &first_ep(g)->geo;
	u64 off;

	*iova = 0;
	if (!geo->sw_msi_size)
		return 0;
	for (off = PAGE_ALIGN(geo->sw_msi_size / 2); off < geo->sw_msi_size;
	     off += PAGE_SIZE) {
		*iova = geo->sw_msi + off;
		if (!is_taken(v, *iova))
			return 0;
	}
	return -ENOSPC;
}

/* What a VMM has nested in its page table can't be looked at, nor mapped in. */
static struct iommu_domain *paging_domain(const struct kviommu_group *g)
{
	struct iommu_domain *domain =
		iommu_get_domain_for_dev(first_ep(g)->kdev->dev);

	return domain && domain->type & __IOMMU_DOMAIN_PAGING ? domain : NULL;
}

/**
 * kviommu_msi_note() - a group is about to leave its domain
 * @g: group, of a locked vIOMMU
 *
 * Return: 0; -EOPNOTSUPP if that is no page table of IOVAs; or -ENOMEM.
 */
int kviommu_msi_note(struct kviommu_group *g)
{
	const struct kviommu_geometry *geo = &first_ep(g)->geo;
	struct iommu_domain *domain;
	u64 iova, end = geo->sw_msi + geo->sw_msi_size;
	phys_addr_t pa;
	int rc;

	if (!geo->sw_msi_size)
		return 0;
	if (!uses_msi(g))
		xa_destroy(&g->doorbells);
	if (!uses_msi(g) || g->state == KVIOMMU_BLOCKED)
		return 0;
	domain = paging_domain(g);
	if (!domain)
		return -EOPNOTSUPP;
	for (iova = geo->sw_msi; iova < end; iova += PAGE_SIZE) {
		pa = iommu_iova_to_phys(domain, iova);
		if (!pa)
			continue;
		rc = xa_err(xa_store(&g->doorbells, iova >> PAGE_SHIFT,
				     xa_mk_value(PHYS_PFN(pa)),
				     GFP_KERNEL_ACCOUNT));
		if (rc)
			return rc;
	}
	return 0;
}

/**
 * kviommu_msi_carry() - a group has entered a domain
 * @g: group
 *
 * Return: 0; -EOPNOTSUPP as for kviommu_msi_note(); or what the host said.
 */
int kviommu_msi_carry(struct kviommu_group *g)
{
	struct iommu_domain *domain;
	unsigned long i;
	void *entry;
	int rc;

	if (xa_empty(&g->doorbells))
		return 0;
	domain = paging_domain(g);
	if (!domain)
		return -EOPNOTSUPP;
	xa_for_each(&g->doorbells, i, entry) {
		u64 iova = (u64)i << PAGE_SHIFT;

		if (iommu_iova_to_phys(domain, iova))
			continue;
		rc = iommu_map(domain, iova, PFN_PHYS(xa_to_value(entry)),
			       PAGE_SIZE,
			       IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO,
			       GFP_KERNEL_ACCOUNT);
		if (rc)
			return rc;
	}
	return 0;
}
