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
 * So a group takes its doorbells along: they are noted when an interrupt has been set
 * up, and mapped in each domain that the group enters, at the addresses they have. For
 * that no address may stand for two doorbells: in the window's lower half they are where
 * iommufd has them, which counts from its start, and in the upper half each of our
 * domains has one page. There is no need for more: devices behind one IOMMU share their
 * doorbell. iommufd itself maps those of the lower half in the VMM's page tables, for
 * the groups that need them, and does not expect to find them there.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/pci.h>

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

/* From this page on the window is for our domains, below for iommufd's. */
static unsigned int first_page(const struct kviommu_group *g)
{
	return DIV_ROUND_UP(g->nr_doorbells, 2);
}

static u64 page_iova(const struct kviommu_group *g, unsigned int i)
{
	return g->sw_msi + ((u64)i << PAGE_SHIFT);
}

/* Devices behind another IOMMU may have another window. */
static bool is_taken(const struct kviommu *v, u64 iova)
{
	struct kviommu_group *g;
	u64 i;

	list_for_each_entry(g, &v->groups, node) {
		if (g->hostdom && g->hostdom->msi == iova)
			return true;
		i = (iova - g->sw_msi) >> PAGE_SHIFT;
		if (i < g->nr_doorbells && g->doorbells[i])
			return true;
	}
	return false;
}

/**
 * kviommu_msi_init() - a group is new
 * @g: group
 * @geo: of its first device
 *
 * There is room for all of the window, so that no doorbell can be lost.
 *
 * Return: 0 or -ENOMEM.
 */
int kviommu_msi_init(struct kviommu_group *g, const struct kviommu_geometry *geo)
{
	unsigned int n = geo->sw_msi_size >> PAGE_SHIFT;

	if (!n)
		return 0;
	g->doorbells = kvcalloc(n, sizeof(*g->doorbells), GFP_KERNEL_ACCOUNT);
	if (!g->doorbells)
		return -ENOMEM;
	g->sw_msi = geo->sw_msi;
	g->nr_doorbells = n;
	return 0;
}

/**
 * kviommu_msi_exit() - undo kviommu_msi_init()
 * @g: group
 */
void kviommu_msi_exit(struct kviommu_group *g)
{
	kvfree(g->doorbells);
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
	unsigned int i;

	*iova = 0;
	if (!g->nr_doorbells)
		return 0;
	for (i = first_page(g); i < g->nr_doorbells; i++) {
		*iova = page_iova(g, i);
		if (!is_taken(v, *iova))
			return 0;
	}
	return -ENOSPC;
}

/* What a VMM has nested in its page table can't be looked at, nor mapped in. */
static struct iommu_domain *paging_domain(const struct kviommu_group *g)
{
	struct iommu_domain *domain = g->hostdom ? g->hostdom->domain :
		iommu_get_domain_for_dev(first_ep(g)->kdev->dev);

	return domain && domain->type & __IOMMU_DOMAIN_PAGING ? domain : NULL;
}

/**
 * kviommu_msi_note() - interrupts of a group were set up, or taken away
 * @g: group, of a vIOMMU that has been locked meanwhile
 *
 * What it is in has its doorbells where they were set up; those that it was set up with
 * elsewhere are known.
 */
void kviommu_msi_note(struct kviommu_group *g)
{
	struct iommu_domain *domain;
	unsigned int i;
	phys_addr_t pa;

	if (!g->nr_doorbells)
		return;
	if (!uses_msi(g)) {
		memset(g->doorbells, 0,
		       array_size(g->nr_doorbells, sizeof(*g->doorbells)));
		return;
	}
	domain = paging_domain(g);
	if (!domain || g->state == KVIOMMU_BLOCKED)
		return;
	for (i = 0; i < g->nr_doorbells; i++) {
		u64 iova = page_iova(g, i);

		if (g->hostdom ? iova != g->hostdom->msi : i >= first_page(g))
			continue;
		pa = iommu_iova_to_phys(domain, iova);
		if (pa)
			g->doorbells[i] = pa;
	}
}

/**
 * kviommu_msi_carry() - a group has entered a domain
 * @g: group
 *
 * Return: 0; -EOPNOTSUPP if that is no page table of IOVAs; or what the host said.
 */
int kviommu_msi_carry(struct kviommu_group *g)
{
	struct iommu_domain *domain;
	unsigned int i;
	int rc;

	if (!g->nr_doorbells)
		return 0;
	domain = paging_domain(g);
	if (!domain)
		return -EOPNOTSUPP;
	for (i = g->hostdom ? 0 : first_page(g); i < g->nr_doorbells; i++) {
		u64 iova = page_iova(g, i);

		if (!g->doorbells[i] || iommu_iova_to_phys(domain, iova))
			continue;
		rc = iommu_map(domain, iova, g->doorbells[i], PAGE_SIZE,
			       IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO,
			       GFP_KERNEL_ACCOUNT);
		if (rc)
			return rc;
	}
	return 0;
}
