// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory, host IOMMUs and host devices of a test.
 *
 * The IOMMUs are drivers like any other, registered with the kernel's IOMMU
 * core, so that all that kviommu calls is the kernel's own code: groups, DMA
 * ownership, domains, iommu_map() and iommu_unmap_fast().
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "mock.h"

KVIOMMU_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);

/* ---- guest memory ---- */

static struct mock *priv_to_mock(void *priv)
{
	return container_of(priv, struct mock, v);
}

static struct mock_page *page_at(struct mock *m, u64 gpa)
{
	u64 i = gpa >> PAGE_SHIFT;

	return i < m->mem.npages ? &m->mem.pages[i] : NULL;
}

/* The guest page behind a host address, or NULL. */
static struct mock_page *page_of_pa(struct mock *m, phys_addr_t pa)
{
	unsigned long pfn = PHYS_PFN(pa), b;

	for (b = 0; b < m->mem.nr_blocks; b++) {
		unsigned long base = page_to_pfn(m->mem.blocks[b]);

		if (pfn >= base && pfn < base + KVIOMMU_CHUNK_PAGES)
			return &m->mem.pages[m->mem.guest_page
				[b * KVIOMMU_CHUNK_PAGES + pfn - base]];
	}
	return NULL;
}

static void free_blocks(void *data)
{
	struct mock_mem *mem = data;
	unsigned long b;

	for (b = 0; b < mem->nr_blocks; b++)
		if (mem->blocks[b])
			__free_pages(mem->blocks[b], KVIOMMU_CHUNK_SHIFT - PAGE_SHIFT);
	kvfree(mem->pages);
	kvfree(mem->guest_page);
	xa_destroy(&mem->ranges);
	mem->nr_blocks = 0;
}

/* Where a guest page lies: a permutation of all pages. */
static void lay_out(struct mock_mem *mem, enum mock_layout layout,
		    struct rnd_state *rnd)
{
	unsigned long i, j, run = layout == MOCK_RUNS ? 8 : 1;

	for (i = 0; i < mem->npages; i++)
		mem->guest_page[i] = i;
	if (layout == MOCK_CONTIGUOUS)
		return;
	/* Exchange runs of pages, which have different lengths by chance. */
	for (i = 0; i + 2 * run <= mem->npages; i += run) {
		unsigned long k, at;

		at = i + run + mock_below(rnd, mem->npages - i - 2 * run + 1);
		for (k = 0; k < run; k++) {
			j = at + k;
			swap(mem->guest_page[i + k], mem->guest_page[j]);
		}
	}
}

/**
 * mock_mem_create() - give the guest memory
 * @m: mock
 * @chunks: times 2 MiB
 * @layout: where it lies in the host
 * @rnd: for the layouts that are random
 */
void mock_mem_create(struct mock *m, unsigned int chunks,
		     enum mock_layout layout, struct rnd_state *rnd)
{
	struct mock_mem *mem = &m->mem;
	struct kunit *test = m->test;
	unsigned long i;

	mem->npages = chunks * KVIOMMU_CHUNK_PAGES;
	mem->blocks = kunit_kcalloc(test, chunks, sizeof(*mem->blocks),
				    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->blocks);
	mem->nr_blocks = chunks;
	mem->pages = kvcalloc(mem->npages, sizeof(*mem->pages), GFP_KERNEL);
	mem->guest_page = kvcalloc(mem->npages, sizeof(u32), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->pages);
	KUNIT_ASSERT_NOT_NULL(test, mem->guest_page);
	for (i = 0; i < chunks; i++) {
		mem->blocks[i] = alloc_pages(GFP_KERNEL | __GFP_ZERO,
					     KVIOMMU_CHUNK_SHIFT - PAGE_SHIFT);
		KUNIT_ASSERT_NOT_NULL(test, mem->blocks[i]);
	}
	lay_out(mem, layout, rnd);
	for (i = 0; i < mem->npages; i++)
		mem->pages[mem->guest_page[i]].page =
			mem->blocks[i / KVIOMMU_CHUNK_PAGES] +
			i % KVIOMMU_CHUNK_PAGES;
}

/**
 * mock_mem_ptr() - guest memory as the guest's CPU sees it
 * @m: mock
 * @gpa: address in memory; what is read there must not cross a page
 */
void *mock_mem_ptr(struct mock *m, u64 gpa)
{
	struct mock_page *p = page_at(m, gpa);

	KUNIT_ASSERT_NOT_NULL(m->test, p);
	return page_address(p->page) + offset_in_page(gpa);
}

/**
 * mock_mem_rw() - the guest's CPU reads or writes memory
 * @m: mock
 * @gpa: first byte; the range is memory
 * @buf: data
 * @len: bytes
 * @write: write
 */
void mock_mem_rw(struct mock *m, u64 gpa, void *buf, size_t len, bool write)
{
	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));

		if (write)
			memcpy(mock_mem_ptr(m, gpa), buf, n);
		else
			memcpy(buf, mock_mem_ptr(m, gpa), n);
		gpa += n;
		buf += n;
		len -= n;
	}
}

/**
 * mock_mem_hole() - take memory away, or give it back, without telling
 * @m: mock
 * @gpa: first byte
 * @len: bytes
 * @hole: take away
 */
void mock_mem_hole(struct mock *m, u64 gpa, u64 len, bool hole)
{
	u64 i;

	for (i = 0; i < len; i += PAGE_SIZE)
		page_at(m, gpa + i)->hole = hole;
}

/**
 * mock_mem_readonly() - make memory read-only, or not
 * @m: mock
 * @gpa: first byte
 * @len: bytes; nothing of it is pinned
 * @readonly: which
 */
void mock_mem_readonly(struct mock *m, u64 gpa, u64 len, bool readonly)
{
	u64 i;

	for (i = 0; i < len; i += PAGE_SIZE)
		page_at(m, gpa + i)->readonly = readonly;
}

/**
 * mock_mem_mmio() - a page is registers of a device
 * @m: mock
 * @gpa: of the page
 *
 * iommufd maps these where all are devices, and pins them for nobody.
 */
void mock_mem_mmio(struct mock *m, u64 gpa)
{
	page_at(m, gpa)->mmio = true;
}

/**
 * mock_mem_gone() - the VMM takes memory away, as iommufd tells of it
 * @m: mock
 * @gpa: first byte
 * @len: bytes
 */
void mock_mem_gone(struct mock *m, u64 gpa, u64 len)
{
	u64 i;

	mock_mem_hole(m, gpa, len, true);
	kviommu_dma_unmap(&m->v, gpa, len);
	for (i = 0; i < len; i += PAGE_SIZE) {
		struct mock_page *p = page_at(m, gpa + i);

		if (p->pins)
			KUNIT_FAIL(m->test, "GPA 0x%llx is gone and pinned", gpa + i);
		if (p->mapped || p->stale)
			KUNIT_FAIL(m->test, "GPA 0x%llx is gone and a device reaches it",
				   gpa + i);
	}
}

/**
 * mock_refill() - look for memory that has come back
 * @m: mock
 * @budget: extents of each shadow to try
 */
void mock_refill(struct mock *m, unsigned int budget)
{
	mutex_lock(&m->v.lock);
	kviommu_refill_all(&m->v, budget);
	mutex_unlock(&m->v.lock);
}

/**
 * mock_mem_fits() - may this page be mapped
 * @m: mock
 * @gpa: address
 * @write: to be written
 */
bool mock_mem_fits(struct mock *m, u64 gpa, bool write)
{
	struct mock_page *p = page_at(m, gpa);

	return p && !p->hole && !p->mmio && !(write && p->readonly);
}

static unsigned long range_key(u64 gpa, int npages)
{
	return (gpa >> PAGE_SHIFT) << 10 | npages;
}

static int mock_pin(void *priv, u64 gpa, int npages, bool write,
		    struct page **pages)
{
	struct mock *m = priv_to_mock(priv);
	struct mock_mem *mem = &m->mem;
	unsigned long key = range_key(gpa, npages), times;
	int i;

	KUNIT_EXPECT_TRUE(m->test, IS_ALIGNED(gpa, PAGE_SIZE));
	KUNIT_EXPECT_GT(m->test, npages, 0);
	if (mem->fail_pin && !--mem->fail_pin)
		return mem->fail_rc;
	for (i = 0; i < npages; i++) {
		struct mock_page *p = page_at(m, gpa + (u64)i * PAGE_SIZE);

		if (!p || p->hole)
			return -ENOENT;
		if (p->mmio)
			return -EINVAL;
		if (write && p->readonly)
			return -EPERM;
		pages[i] = p->page;
	}
	times = xa_to_value(xa_load(&mem->ranges, key) ?: xa_mk_value(0));
	if (xa_is_err(xa_store(&mem->ranges, key, xa_mk_value(times + 1),
			       GFP_KERNEL)))
		return -ENOMEM;
	for (i = 0; i < npages; i++) {
		struct mock_page *p = page_at(m, gpa + (u64)i * PAGE_SIZE);

		p->pins++;
		p->ro_pins += !write;
	}
	mem->pinned += (u64)npages * PAGE_SIZE;
	mem->nr_pins++;
	return 0;
}

static void mock_unpin(void *priv, u64 gpa, int npages)
{
	struct mock *m = priv_to_mock(priv);
	struct mock_mem *mem = &m->mem;
	unsigned long key = range_key(gpa, npages), times;
	void *entry = xa_load(&mem->ranges, key);
	int i;

	/* iommufd warns, and goes on. */
	if (!entry) {
		KUNIT_FAIL(m->test, "unpin of 0x%llx, %d pages, which was not pinned",
			   gpa, npages);
		return;
	}
	times = xa_to_value(entry) - 1;
	if (times)
		xa_store(&mem->ranges, key, xa_mk_value(times), GFP_KERNEL);
	else
		xa_erase(&mem->ranges, key);
	for (i = 0; i < npages; i++) {
		struct mock_page *p = page_at(m, gpa + (u64)i * PAGE_SIZE);

		if (p->ro_pins == p->pins)
			p->ro_pins--;
		if (--p->pins)
			continue;
		/* Nothing is unpinned while a device can reach it. */
		if (p->mapped)
			KUNIT_FAIL(m->test, "unpin of 0x%llx, which is mapped",
				   gpa + (u64)i * PAGE_SIZE);
		if (p->stale)
			KUNIT_FAIL(m->test, "unpin of 0x%llx before the IOTLB flush",
				   gpa + (u64)i * PAGE_SIZE);
	}
	mem->pinned -= (u64)npages * PAGE_SIZE;
}

static int mock_rw(void *priv, u64 gpa, void *buf, size_t len, bool write)
{
	struct mock *m = priv_to_mock(priv);

	while (len) {
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));

		if (!mock_mem_fits(m, gpa, write))
			return mock_mem_fits(m, gpa, false) ? -EPERM :
								-ENOENT;
		mock_mem_rw(m, gpa, buf, n, write);
		if (m->rw_hook)
			m->rw_hook(m, gpa, write);
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static const struct kviommu_gmem_ops mock_gmem_ops = {
	.pin = mock_pin,
	.unpin = mock_unpin,
	.rw = mock_rw,
};

/* ---- host IOMMUs ---- */

static struct mock_iommu *dev_to_mock_iommu(struct device *dev)
{
	return container_of(dev->iommu->iommu_dev, struct mock_iommu, iommu);
}

static void count_pte(struct mock *m, const struct mock_pte *pte, int mapped,
		      int stale)
{
	u64 off;

	for (off = 0; off < pte->size; off += PAGE_SIZE) {
		struct mock_page *p = page_of_pa(m, pte->pa + off);

		p->mapped += mapped;
		p->stale += stale;
	}
}

static int map_one(struct mock_domain *d, u64 iova, phys_addr_t pa, u64 size,
		   int prot)
{
	struct mock *m = d->iommu->mock;
	struct mock_pte *pte;
	u64 off;
	int rc;

	if (m->fail_map && !--m->fail_map)
		return m->fail_map_rc;
	if (iova + size - 1 > d->domain.geometry.aperture_end)
		return -ERANGE;
	for (off = 0; off < size; off += PAGE_SIZE) {
		struct mock_page *p = page_of_pa(m, pa + off);

		if (!p || !p->pins) {
			KUNIT_FAIL(m->test, "IOVA 0x%llx is mapped to a page that is not pinned",
				   iova + off);
			return -EFAULT;
		}
		if (prot & IOMMU_WRITE && p->pins == p->ro_pins)
			KUNIT_FAIL(m->test, "IOVA 0x%llx is writable, its pin is not",
				   iova + off);
	}
	pte = kmalloc(sizeof(*pte), GFP_KERNEL);
	if (!pte)
		return -ENOMEM;
	*pte = (struct mock_pte){
		.iova = iova, .size = size, .serial = ++d->serial, .pa = pa,
		.prot = prot,
	};
	rc = mtree_insert_range(&d->ptes, iova, iova + size - 1, pte, GFP_KERNEL);
	if (rc) {
		KUNIT_FAIL(m->test, "IOVA 0x%llx is mapped twice: %d", iova, rc);
		kfree(pte);
		return rc;
	}
	d->mapped += size;
	count_pte(m, pte, 1, 0);
	return 0;
}

static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *d = mock_domain(domain);
	int rc;

	if (d->iommu->entry_a_call) {
		pgsize *= pgcount;
		pgcount = 1;
	}
	for (; pgcount; pgcount--) {
		rc = map_one(d, iova, paddr, pgsize, prot);
		if (rc)
			return rc;
		iova += pgsize;
		paddr += pgsize;
		*mapped += pgsize;
	}
	return 0;
}

/* Can't split an entry: the range must be made of whole ones. */
static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct mock_domain *d = mock_domain(domain);
	struct mock *m = d->iommu->mock;
	u64 size = pgsize * pgcount, at = iova;

	if (m->short_unmap) {
		m->short_unmap = false;
		return 0;
	}
	/* The end may be that of all addresses. */
	while (at - iova < size) {
		struct mock_pte *pte = mtree_load(&d->ptes, at);

		if (!pte || pte->iova != at ||
		    (at - iova + pte->size > size && !d->iommu->entry_a_call)) {
			KUNIT_FAIL(m->test, "unmap of 0x%lx-0x%llx: at 0x%llx is %s",
				   iova, iova + size - 1, at,
				   pte ? "part of an entry" : "nothing");
			break;
		}
		mtree_erase(&d->ptes, at);
		d->mapped -= pte->size;
		count_pte(m, pte, -1, 1);
		list_add_tail(&pte->stale, &d->stale);
		at += pte->size;
	}
	if (!gather->queued && at != iova)
		iommu_iotlb_gather_add_range(gather, iova, at - iova);
	return at - iova;
}

static void drop_stale(struct mock_domain *d, struct mock_pte *pte)
{
	count_pte(d->iommu->mock, pte, 0, -1);
	list_del(&pte->stale);
	kfree(pte);
}

static void mock_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	struct mock_domain *d = mock_domain(domain);
	struct mock_pte *pte, *tmp;

	d->flushes++;
	list_for_each_entry_safe(pte, tmp, &d->stale, stale)
		if (pte->iova >= gather->start &&
		    pte->iova + pte->size - 1 <= gather->end)
			drop_stale(d, pte);
}

static phys_addr_t mock_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	struct mock_pte *pte = mtree_load(&mock_domain(domain)->ptes, iova);

	return pte ? pte->pa + (iova - pte->iova) : 0;
}

static bool mock_enforce_cache_coherency(struct iommu_domain *domain)
{
	mock_domain(domain)->enforced = true;
	return true;
}

static void mock_domain_free(struct iommu_domain *domain)
{
	struct mock_domain *d = mock_domain(domain);
	struct mock_pte *pte, *tmp;
	unsigned long i = 0;

	KUNIT_EXPECT_EQ_MSG(d->iommu->mock->test, d->attached, 0,
			    "a domain is freed while a device uses it");
	mt_for_each(&d->ptes, pte, i, ULONG_MAX) {
		count_pte(d->iommu->mock, pte, -1, 0);
		kfree(pte);
	}
	mtree_destroy(&d->ptes);
	list_for_each_entry_safe(pte, tmp, &d->stale, stale)
		drop_stale(d, pte);
	list_del(&d->node);
	kfree(d);
}

#define MOCK_DEV_NAME	"kviommu-kunit"

static const struct iommu_domain_ops mock_domain_ops;

static struct mock_dev *dev_to_mock_dev(struct device *dev)
{
	return dev_get_platdata(dev);
}

static void domain_left(struct iommu_domain *domain)
{
	if (mock_is_paging(domain))
		mock_domain(domain)->attached--;
}

KVIOMMU_DEFINE_ATTACH_DEV(mock_attach_dev)
{
	struct mock_domain *d = mock_domain(domain);
	struct mock_dev *md = dev_to_mock_dev(dev);

	if (md->fail_attach) {
		md->fail_attach--;
		return md->fail_attach_rc;
	}
	if (!domain->pgsize_bitmap)
		domain->pgsize_bitmap = d->iommu->page_sizes;
	domain_left(md->domain);
	d->attached++;
	md->domain = domain;
	md->attaches++;
	return 0;
}

static const struct iommu_domain_ops mock_domain_ops = {
	.attach_dev = mock_attach_dev,
	.map_pages = mock_map_pages,
	.unmap_pages = mock_unmap_pages,
	.iotlb_sync = mock_iotlb_sync,
	.iova_to_phys = mock_iova_to_phys,
	.enforce_cache_coherency = mock_enforce_cache_coherency,
	.free = mock_domain_free,
};

KVIOMMU_DEFINE_ATTACH_DEV(mock_attach_static)
{
	struct mock_dev *md = dev_to_mock_dev(dev);

	domain_left(md->domain);
	md->domain = domain;
	return 0;
}

static const struct iommu_domain_ops mock_static_ops = {
	.attach_dev = mock_attach_static,
};

static struct iommu_domain mock_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &mock_static_ops,
};

static struct iommu_domain mock_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &mock_static_ops,
};

static struct iommu_domain *mock_domain_alloc(struct device *dev)
{
	struct mock_iommu *iommu = dev_to_mock_iommu(dev);
	struct mock_domain *d;

	if (iommu->fail_alloc) {
		iommu->fail_alloc--;
		return ERR_PTR(-ENOSPC);
	}
	d = kzalloc_obj(*d);
	if (!d)
		return NULL;
	mt_init(&d->ptes);
	INIT_LIST_HEAD(&d->stale);
	d->iommu = iommu;
	d->domain.ops = &mock_domain_ops;
	d->domain.pgsize_bitmap = iommu->late ? 0 : iommu->page_sizes;
	d->domain.geometry.aperture_end = iommu->last;
	d->domain.geometry.force_aperture = true;
	list_add_tail(&d->node, &iommu->mock->domains);
	return &d->domain;
}

/* Asked about every device of the machine. */
static struct iommu_device *mock_probe_device(struct device *dev)
{
	if (!dev_is_platform(dev) || !dev->parent ||
	    strcmp(dev_name(dev->parent), MOCK_DEV_NAME))
		return ERR_PTR(-ENODEV);
	return &dev_to_mock_dev(dev)->iommu->iommu;
}

static struct iommu_group *mock_device_group(struct device *dev)
{
	struct mock_dev *md = dev_to_mock_dev(dev);

	return md->peer ? iommu_group_get(mock_dev_dev(md->peer)) :
			  iommu_group_alloc();
}

static void mock_release_device(struct device *dev)
{
	struct mock_dev *md = dev_to_mock_dev(dev);

	domain_left(md->domain);
	md->domain = NULL;
}

static int mock_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
	case IOMMU_CAP_ENFORCE_CACHE_COHERENCY:
		return dev_to_mock_iommu(dev)->coherent &&
		       !dev_to_mock_dev(dev)->incoherent;
	default:
		return false;
	}
}

static void mock_get_resv_regions(struct device *dev, struct list_head *head)
{
	struct mock_dev *md = dev_to_mock_dev(dev);
	unsigned int i;

	for (i = 0; i < md->nr_resv; i++) {
		const struct iommu_resv_region *r = &md->resv[i];
		struct iommu_resv_region *new;

		new = iommu_alloc_resv_region(r->start, r->length, 0, r->type,
					      GFP_KERNEL);
		if (new)
			list_add_tail(&new->list, head);
	}
}

static const struct iommu_ops mock_iommu_ops = {
	.owner = THIS_MODULE,
	.capable = mock_capable,
	.domain_alloc_paging = mock_domain_alloc,
	.probe_device = mock_probe_device,
	.release_device = mock_release_device,
	.device_group = mock_device_group,
	.def_domain_type = mock_def_domain_type,
	.get_resv_regions = mock_get_resv_regions,
	.default_domain_ops = &mock_domain_ops,
	.identity_domain = &mock_identity_domain,
	.blocked_domain = &mock_blocked_domain,
};

/* ---- host devices ---- */

static int mock_hwpt_attach(void *priv, u32 *pt_id)
{
	struct mock_dev *d = priv;

	if (d->fail_hwpt)
		return d->fail_hwpt;
	/* iommufd can't either while another domain is attached. */
	KUNIT_EXPECT_TRUE_MSG(d->mock->test, mock_dev_blocked(d),
			      "attached to a page table while not blocked");
	KUNIT_EXPECT_EQ_MSG(d->mock->test, d->hwpt, 0,
			    "attached to a page table twice");
	d->hwpt = *pt_id;
	d->hwpt_attaches++;
	return 0;
}

static int mock_hwpt_replace(void *priv, u32 *pt_id)
{
	struct mock_dev *d = priv;

	KUNIT_EXPECT_NE(d->mock->test, d->hwpt, 0);
	if (d->fail_hwpt)
		return d->fail_hwpt;
	d->hwpt = *pt_id;
	return 0;
}

static void mock_hwpt_detach(void *priv)
{
	struct mock_dev *d = priv;

	KUNIT_EXPECT_NE(d->mock->test, d->hwpt, 0);
	d->hwpt = 0;
}

static bool mock_may_dma(void *priv)
{
	return ((struct mock_dev *)priv)->bus_master;
}

static const struct kviommu_dev_ops mock_dev_ops = {
	.attach = mock_hwpt_attach,
	.replace = mock_hwpt_replace,
	.detach = mock_hwpt_detach,
	.may_dma = mock_may_dma,
	.closed_stops = true,
};

static const struct kviommu_dev_ops mock_no_stop_ops = {
	.attach = mock_hwpt_attach,
	.replace = mock_hwpt_replace,
	.detach = mock_hwpt_detach,
};

struct device *mock_dev_dev(struct mock_dev *d)
{
	return &d->pdev->dev;
}

/* The bus would free what is not its own. */
static void put_pdev(struct platform_device *pdev)
{
	pdev->dev.platform_data = NULL;
	platform_device_put(pdev);
}

static void remove_pdev(struct platform_device *pdev)
{
	platform_device_del(pdev);
	put_pdev(pdev);
}

static struct mock_dev *add_dev(struct mock *m, unsigned int iommu,
				struct mock_dev *peer, const char *name,
				const struct resource *res, unsigned int nr)
{
	struct kunit *test = m->test;
	struct mock_dev *d;

	KUNIT_ASSERT_LT(test, m->nr_devs, MOCK_DEVS);
	d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, d);
	d->mock = m;
	d->iommu = &m->iommus[iommu];
	d->peer = peer;
	d->fail_attach_rc = -EBUSY;
	d->pdev = platform_device_alloc(name, PLATFORM_DEVID_AUTO);
	KUNIT_ASSERT_NOT_NULL(test, d->pdev);
	mock_dev_dev(d)->platform_data = d;
	mock_dev_dev(d)->parent = m->dev;
	if (platform_device_add_resources(d->pdev, res, nr) ||
	    platform_device_add(d->pdev)) {
		put_pdev(d->pdev);
		KUNIT_FAIL_AND_ABORT(test, "can't add a device");
	}
	if (!mock_dev_dev(d)->iommu_group) {
		remove_pdev(d->pdev);
		kunit_skip(test, "this machine has an IOMMU, which gets all devices");
	}
	snprintf(d->name, sizeof(d->name), "%s%s",
		 kviommu_dev_prefix(mock_dev_dev(d)), dev_name(mock_dev_dev(d)));
	m->devs[m->nr_devs++] = d;
	KUNIT_ASSERT_PTR_EQ(test, d->domain, &mock_identity_domain);
	return d;
}

/**
 * mock_add_dev() - plug in a device
 * @m: mock
 * @iommu: number of the IOMMU it is behind
 * @peer: device whose group it shares, or NULL
 */
struct mock_dev *mock_add_dev(struct mock *m, unsigned int iommu,
			      struct mock_dev *peer)
{
	return add_dev(m, iommu, peer, MOCK_DEV_NAME, NULL, 0);
}

/**
 * mock_add_real_dev() - plug in a platform device for a driver of the kernel
 * @m: mock
 * @driver: its name
 * @res: resources of the device, @nr of them
 * @nr: see there
 */
struct device *mock_add_real_dev(struct mock *m, const char *driver,
				 const struct resource *res, unsigned int nr)
{
	return mock_dev_dev(add_dev(m, 0, NULL, driver, res, nr));
}

void mock_add_resv(struct mock_dev *d, u64 start, u64 len,
		   enum iommu_resv_type type)
{
	KUNIT_ASSERT_LT(d->mock->test, d->nr_resv, MOCK_RESVS);
	d->resv[d->nr_resv++] = (struct iommu_resv_region){
		.start = start, .length = len, .type = type,
	};
}

/**
 * mock_dev_own() - what VFIO does when a device is opened: it is blocked
 * @d: device
 */
void mock_dev_own(struct mock_dev *d)
{
	struct kunit *test = d->mock->test;

	KUNIT_ASSERT_EQ(test, 0,
			iommu_group_claim_dma_owner(mock_dev_dev(d)->iommu_group,
						    d->mock));
	d->owned = true;
	KUNIT_ASSERT_TRUE(test, mock_dev_blocked(d));
}

bool mock_dev_blocked(struct mock_dev *d)
{
	return d->domain == &mock_blocked_domain && !d->hwpt;
}

/**
 * mock_dev_register() - bind the device to the variant driver
 * @d: device
 */
void mock_dev_register(struct mock_dev *d)
{
	d->kdev = kviommu_dev_register(mock_dev_dev(d),
				       d->no_stop ? &mock_no_stop_ops :
						    &mock_dev_ops,
				       d, d->was_used);
	if (IS_ERR(d->kdev)) {
		d->kdev = NULL;
		KUNIT_FAIL_AND_ABORT(d->mock->test, "can't register a device");
	}
}

/**
 * mock_assign() - register and assign a device
 * @d: device
 * @id: endpoint id
 */
struct kviommu_endpoint *mock_assign(struct mock_dev *d, u32 id)
{
	struct kunit *test = d->mock->test;

	if (!d->kdev)
		mock_dev_register(d);
	KUNIT_ASSERT_EQ(test, 0, kviommu_assign(&d->mock->v,
						d->name, id));
	KUNIT_ASSERT_NOT_NULL(test, d->kdev->ep);
	return d->kdev->ep;
}

/* An iommufd is only compared with another one. */
static struct iommufd_ctx *mock_ictx(struct mock *m)
{
	return (struct iommufd_ctx *)m;
}

/**
 * mock_bind() - a VMM opens the device
 * @d: device, assigned
 */
void mock_bind(struct mock_dev *d)
{
	if (!d->owned && !(d->peer && d->peer->owned))
		mock_dev_own(d);
	d->used = d->no_stop;
	d->bus_master |= d->no_stop;
	kviommu_dev_bind(d->kdev, d->other_vmm ? (void *)d : mock_ictx(d->mock),
			 !d->no_reset);
}

/**
 * mock_unbind() - the VMM closes the device, as kviommu_vfio_pci does it
 * @d: device, bound
 */
void mock_unbind(struct mock_dev *d)
{
	d->bus_master = false;
	kviommu_dev_unbind(d->kdev, d->no_reset && d->used);
}

/**
 * mock_attach() - the VMM attaches the device to a page table
 * @d: device, bound
 * @pt_id: page table
 */
int mock_attach(struct mock_dev *d, u32 pt_id)
{
	return kviommu_dev_attach(d->kdev, &pt_id);
}

/**
 * mock_dev_reset() - the VMM resets the device, as kviommu_vfio_pci does it
 * @d: device
 */
void mock_dev_reset(struct mock_dev *d)
{
	d->bus_master = false;
	kviommu_dev_reset(d->kdev);
}

static void remove_dev(struct mock_dev *d)
{
	if (d->kdev) {
		kviommu_dev_unbind(d->kdev, false);
		kviommu_dev_unregister(d->kdev);
	}
	KUNIT_EXPECT_EQ(d->mock->test, d->hwpt, 0);
	if (d->owned)
		iommu_group_release_dma_owner(mock_dev_dev(d)->iommu_group);
	remove_pdev(d->pdev);
}

/* ---- all of it ---- */

/* One with a page table, which only kviommu makes. */
bool mock_is_paging(const struct iommu_domain *domain)
{
	return domain && domain->ops == &mock_domain_ops;
}

struct mock_pte *mock_pte(struct mock_domain *d, u64 iova)
{
	return mtree_load(&d->ptes, iova);
}

unsigned int mock_nr_domains(struct mock *m)
{
	return list_count_nodes(&m->domains);
}

/*
 * What bind and kviommu_open() do, but for the worker: tests call what it
 * would.
 */
void mock_open(struct mock *m)
{
	struct kviommu *v = &m->v;

	mutex_lock(&v->lock);
	v->ictx = mock_ictx(m);
	kviommu_geometry_update(v);
	v->gmem.demand = v->pin_demand;
	memset(&v->count, 0, sizeof(v->count));
	KUNIT_EXPECT_EQ(m->test, 0, v->model->open(v));
	v->open = true;
	mutex_unlock(&v->lock);
}

static void mock_release(struct device *dev)
{
}

/**
 * mock_init() - a vIOMMU without memory
 * @m: mock
 * @v: the vIOMMU, zeroed
 * @model: of it
 */
void mock_init(struct mock *m, struct kviommu *v,
	       const struct kviommu_model *model)
{
	/* What the VFIO core does. */
	v->vdev.dev = m->dev;
	v->vdev.device.release = mock_release;
	device_initialize(&v->vdev.device);
	KUNIT_ASSERT_EQ(m->test, 0, kviommu_init(v, model));
	v->gmem.ops = &mock_gmem_ops;
	v->gmem.priv = v;
}

void mock_exit(struct kviommu *v)
{
	kviommu_exit(v);
	put_device(&v->vdev.device);
}

/**
 * mock_create() - a machine with IOMMUs, and a vIOMMU
 * @test: test; mock_destroy() is for its exit
 * @model: of the vIOMMU
 */
struct mock *mock_create(struct kunit *test, const struct kviommu_model *model)
{
	struct mock *m;
	unsigned int i;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	test->priv = m;
	m->test = test;
	m->fail_map_rc = -EIO;
	m->mem.fail_rc = -ENOMEM;
	xa_init(&m->mem.ranges);
	INIT_LIST_HEAD(&m->domains);
	m->dev = root_device_register(MOCK_DEV_NAME);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dev);
	for (i = 0; i < MOCK_IOMMUS; i++) {
		struct mock_iommu *iommu = &m->iommus[i];

		iommu->mock = m;
		iommu->page_sizes = SZ_4K | SZ_2M | SZ_1G;
		iommu->last = GENMASK_ULL(47, 0);
		iommu->coherent = true;
		KUNIT_ASSERT_EQ(test, 0,
				iommu_device_sysfs_add(&iommu->iommu, m->dev, NULL,
						       "kviommu-kunit-iommu%u", i));
		KUNIT_ASSERT_EQ(test, 0,
				iommu_device_register(&iommu->iommu,
						      &mock_iommu_ops, NULL));
		iommu->registered = true;
	}
	mock_init(m, &m->v, model);
	m->inited = true;
	return m;
}

/**
 * mock_destroy() - everything goes, and nothing may be left
 * @m: mock, or NULL
 */
void mock_destroy(struct mock *m)
{
	struct kunit *test;
	unsigned int i;

	if (!m)
		return;
	test = m->test;
	if (m->inited) {
		kviommu_close(&m->v);
		KUNIT_EXPECT_EQ(test, m->v.gmem.pinned, 0);
		KUNIT_EXPECT_EQ(test, m->mem.pinned, 0);
		KUNIT_EXPECT_EQ(test, m->v.nr_mappings, 0);
		KUNIT_EXPECT_EQ(test, m->v.gmem.pieces, 0);
	}
	for (i = m->nr_devs; i--;)
		remove_dev(m->devs[i]);
	KUNIT_EXPECT_TRUE_MSG(test, list_empty(&m->domains),
			      "a host domain was not freed");
	if (m->inited)
		mock_exit(&m->v);
	for (i = 0; i < MOCK_IOMMUS; i++) {
		struct iommu_device *iommu = &m->iommus[i].iommu;

		if (m->iommus[i].registered)
			iommu_device_unregister(iommu);
		if (iommu->dev)
			iommu_device_sysfs_remove(iommu);
	}
	if (!IS_ERR_OR_NULL(m->dev))
		root_device_unregister(m->dev);
	free_blocks(&m->mem);
	test->priv = NULL;
}

/* ---- registers, as a guest sees them ---- */

/**
 * mock_read() - read a register
 * @v: vIOMMU
 * @reg: its offset
 * @len: bytes, up to 8
 */
u64 mock_read(struct kviommu *v, u32 reg, size_t len)
{
	u8 buf[8] = {};

	mutex_lock(&v->lock);
	v->model->read(v, reg, buf, len);
	mutex_unlock(&v->lock);
	return get_unaligned_le64(buf);
}

/**
 * mock_write() - write a register
 * @v: vIOMMU
 * @reg: its offset
 * @val: what is written
 * @len: bytes of it, up to 8
 */
void mock_write(struct kviommu *v, u32 reg, u64 val, size_t len)
{
	__le64 buf = cpu_to_le64(val);

	mutex_lock(&v->lock);
	v->model->write(v, reg, &buf, len);
	mutex_unlock(&v->lock);
}

/* ---- a model with one guest address space ---- */

static int shadow_model_init(struct kviommu *v)
{
	return 0;
}

static void shadow_model_exit(struct kviommu *v)
{
}

static void shadow_model_for_each(struct kviommu *v, kviommu_shadow_fn fn,
				  void *arg)
{
	fn(v->model_priv, 0, arg);
}

/* Its shadow is kviommu::model_priv, which the test has set. */
const struct kviommu_model mock_shadow_model = {
	.name = "test",
	.init = shadow_model_init,
	.exit = shadow_model_exit,
	.open = shadow_model_init,
	.close = shadow_model_exit,
	.for_each_shadow = shadow_model_for_each,
};

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The kviommu developers");
MODULE_DESCRIPTION("KUnit suites of kviommu");
