// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mapping a page costs with nothing around it: the row that the others of
 * the benchmark are compared with.
 *
 * Load with device=<BDF> of a PCI device that no driver has. The load takes the
 * measurements, results are in /sys/kernel/debug/kviommu_bench, a line each:
 * "name nanoseconds". Under -icount shift=0 a nanosecond is an instruction.
 */
#include <linux/debugfs.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "PCI device to map for, as 0000:00:05.0");

static unsigned int rounds = 2000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "Repetitions of each measurement (default 2000)");

#define BENCH_IOVA	0x40000000UL
#define BENCH_RUN	512
#define BENCH_PROT	(IOMMU_READ | IOMMU_WRITE)

struct result {
	const char *name;
	u64 ns;
};

static struct result results[8];
static unsigned int nr_results;
static struct dentry *debugfs;

static void record(const char *name, u64 start, unsigned int n)
{
	results[nr_results].name = name;
	results[nr_results++].ns = div_u64(ktime_get_ns() - start, n);
}

static int bench_pair(struct iommu_domain *domain, phys_addr_t pa)
{
	u64 map_ns = 0, start = ktime_get_ns(), t;
	unsigned int i;
	int rc;

	for (i = 0; i < rounds; i++) {
		rc = iommu_map(domain, BENCH_IOVA, pa, PAGE_SIZE, BENCH_PROT,
			       GFP_KERNEL);
		if (rc)
			return rc;
		if (iommu_unmap(domain, BENCH_IOVA, PAGE_SIZE) != PAGE_SIZE)
			return -EIO;
	}
	record("pair", start, rounds);

	for (i = 0; i < rounds; i++) {
		t = ktime_get_ns();
		rc = iommu_map(domain, BENCH_IOVA, pa, PAGE_SIZE, BENCH_PROT,
			       GFP_KERNEL);
		map_ns += ktime_get_ns() - t;
		if (rc)
			return rc;
		iommu_unmap(domain, BENCH_IOVA, PAGE_SIZE);
	}
	results[nr_results].name = "map_only";
	results[nr_results++].ns = div_u64(map_ns, rounds);
	return 0;
}

/* The flush's share: pairs with one flush for all of them */
static int bench_unflushed(struct iommu_domain *domain, phys_addr_t pa)
{
	struct iommu_iotlb_gather gather;
	u64 start = ktime_get_ns();
	unsigned int i;
	int rc;

	for (i = 0; i < rounds; i++) {
		unsigned long iova = BENCH_IOVA + i % 64 * PAGE_SIZE;

		if (i % 64 == 0)
			iommu_iotlb_gather_init(&gather);
		rc = iommu_map(domain, iova, pa, PAGE_SIZE, BENCH_PROT,
			       GFP_KERNEL);
		if (rc)
			return rc;
		if (iommu_unmap_fast(domain, iova, PAGE_SIZE, &gather) !=
		    PAGE_SIZE)
			return -EIO;
		if (i % 64 == 63 || i == rounds - 1)
			iommu_iotlb_sync(domain, &gather);
	}
	record("pair_64_a_flush", start, rounds);
	return 0;
}

static int bench_run(struct iommu_domain *domain, phys_addr_t pa)
{
	unsigned int n = rounds / 20 + 1, i;
	u64 start = ktime_get_ns();
	int rc;

	for (i = 0; i < n; i++) {
		rc = iommu_map(domain, BENCH_IOVA, pa, BENCH_RUN * PAGE_SIZE,
			       BENCH_PROT, GFP_KERNEL);
		if (rc)
			return rc;
		iommu_unmap(domain, BENCH_IOVA, BENCH_RUN * PAGE_SIZE);
	}
	record("pair_512_contiguous", start, n);
	return 0;
}

static int bench(struct device *dev)
{
	struct iommu_domain *domain;
	struct iommu_group *group;
	struct page *pages;
	phys_addr_t pa;
	int rc;

	group = iommu_group_get(dev);
	if (!group)
		return -ENODEV;
	rc = iommu_group_claim_dma_owner(group, &results);
	if (rc)
		goto put_group;
	domain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(domain)) {
		rc = PTR_ERR(domain);
		goto release;
	}
	rc = iommu_attach_group(domain, group);
	if (rc)
		goto free_domain;
	pages = alloc_pages(GFP_KERNEL, get_order(BENCH_RUN * PAGE_SIZE));
	if (!pages) {
		rc = -ENOMEM;
		goto detach;
	}
	pa = page_to_phys(pages);
	/* Warm: page-table pages are there, as they are in use */
	rc = iommu_map(domain, BENCH_IOVA + SZ_1M, pa, PAGE_SIZE, BENCH_PROT,
		       GFP_KERNEL);
	if (!rc) {
		rc = bench_pair(domain, pa) ?: bench_unflushed(domain, pa);
		iommu_unmap(domain, BENCH_IOVA + SZ_1M, PAGE_SIZE);
	}
	if (!rc)
		rc = bench_run(domain, pa);
	__free_pages(pages, get_order(BENCH_RUN * PAGE_SIZE));
detach:
	iommu_detach_group(domain, group);
free_domain:
	iommu_domain_free(domain);
release:
	iommu_group_release_dma_owner(group);
put_group:
	iommu_group_put(group);
	return rc;
}

static int kviommu_bench_show(struct seq_file *s, void *unused)
{
	unsigned int i;

	for (i = 0; i < nr_results; i++)
		seq_printf(s, "%s %llu\n", results[i].name, results[i].ns);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kviommu_bench);

static int __init kviommu_bench_init(void)
{
	unsigned int seg, bus, slot, fn;
	struct pci_dev *pdev;
	int rc;

	if (!device || !rounds ||
	    sscanf(device, "%x:%x:%x.%x", &seg, &bus, &slot, &fn) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(seg, bus, PCI_DEVFN(slot, fn));
	if (!pdev)
		return -ENODEV;
	rc = bench(&pdev->dev);
	pci_dev_put(pdev);
	if (rc)
		return rc;
	debugfs = debugfs_create_file("kviommu_bench", 0444, NULL, NULL,
				      &kviommu_bench_fops);
	return 0;
}

static void __exit kviommu_bench_exit(void)
{
	debugfs_remove(debugfs);
}

module_init(kviommu_bench_init);
module_exit(kviommu_bench_exit);
MODULE_DESCRIPTION("Cost of iommu_map() and iommu_unmap()");
MODULE_LICENSE("GPL");
