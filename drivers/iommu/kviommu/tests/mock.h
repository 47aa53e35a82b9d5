/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit suites stand on: guest memory, host IOMMUs and host devices
 * that exist only in a test, and that fail the test when they are used in a way
 * that real ones don't forgive.
 */
#ifndef KVIOMMU_TESTS_MOCK_H
#define KVIOMMU_TESTS_MOCK_H

#include <kunit/test.h>
#include <linux/maple_tree.h>
#include <linux/platform_device.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "kviommu_private.h"

#define MOCK_IOMMUS	2
#define MOCK_DEVS	66
#define MOCK_RESVS	8

/* How guest memory lies in the host's. */
enum mock_layout {
	MOCK_CONTIGUOUS,	/* each chunk is a huge page */
	MOCK_SCATTERED,		/* no two pages in a row */
	MOCK_RUNS,		/* runs of some pages */
};

/**
 * struct mock_page - a page of guest memory
 * @mmio: registers of a device that the VMM mapped there
 * @pins: pins that cover it, @ro_pins of them read-only
 * @mapped: entries of host page tables that name it
 * @stale: entries that are gone, but that an IOTLB may still know
 */
struct mock_page {
	struct page *page;
	bool hole;
	bool readonly;
	bool mmio;
	u32 pins;
	u32 ro_pins;
	u32 mapped;
	u32 stale;
};

/**
 * struct mock_mem - guest memory from GPA 0 on
 * @ranges: what was pinned in one piece: page number and length -> how often
 * @pinned: bytes of all of these
 * @nr_pins: calls that pinned something
 * @fail_pin: the how manieth pin from now on fails with @fail_rc; 0: none
 */
struct mock_mem {
	unsigned long npages;
	struct mock_page *pages;
	unsigned long nr_blocks;
	struct page **blocks;
	u32 *guest_page;
	struct xarray ranges;
	u64 pinned;
	unsigned long nr_pins;
	unsigned int fail_pin;
	int fail_rc;
};

struct mock;

/**
 * struct mock_iommu - an instance of an IOMMU of the host
 * @late: page sizes are known when a device is attached, not before
 * @fail_alloc: it has no domain to give, for so many times
 */
struct mock_iommu {
	struct iommu_device iommu;
	struct mock *mock;
	u64 page_sizes;
	bool entry_a_call;	/* as virtio-iommu; who unmaps a part loses all */
	u64 last;
	bool late;
	bool coherent;
	unsigned int fail_alloc;
	bool registered;
};

/* @serial: of the call that made it, so that what was made anew shows */
struct mock_pte {
	u64 iova;
	u64 size;
	u64 serial;
	phys_addr_t pa;
	int prot;
	struct list_head stale;
};

struct mock_domain {
	struct iommu_domain domain;
	struct list_head node;
	struct mock_iommu *iommu;
	struct maple_tree ptes;
	struct list_head stale;
	unsigned int attached;
	unsigned long flushes;
	u64 serial;
	u64 mapped;
	bool enforced;
};

/**
 * struct mock_dev - a host device, and what its driver does for kviommu
 * @name: what an administrator calls it
 * @domain: what its IOMMU translates it with
 * @other_vmm: opened by one that has not the vIOMMU open
 * @hwpt: attached to this page table of the VMM, 0: none
 * @no_reset: it can't be reset, and goes on with what it was told to do; @used: since it
 *	      was told something
 * @no_stop: it has no bus master bit either, and nobody can make it stop
 * @was_used: before it was bound to the variant driver
 * @fail_attach: the next so many attempts to attach a domain fail with
 *		 @fail_attach_rc
 * @fail_hwpt: errno for attaching to a page table of the VMM
 */
struct mock_dev {
	char name[48];
	struct mock *mock;
	struct mock_iommu *iommu;
	struct platform_device *pdev;
	struct mock_dev *peer;
	struct iommu_domain *domain;
	struct kviommu_dev *kdev;
	struct iommu_resv_region resv[MOCK_RESVS];
	unsigned int nr_resv;
	u32 hwpt;
	bool incoherent;
	bool other_vmm;
	bool bus_master;
	bool no_reset;
	bool no_stop;
	bool was_used;
	bool used;
	bool owned;
	unsigned int fail_attach;
	int fail_attach_rc;
	unsigned int attaches;
	unsigned int hwpt_attaches;
	int fail_hwpt;
};

/**
 * struct mock - a vIOMMU and the machine around it
 * @fail_map: the how manieth entry written to a host page table from now on
 *	      fails with @fail_map_rc; 0: none
 * @short_unmap: the next unmap does nothing
 * @rw_hook: called after each copy from or to guest memory that is not pinned
 */
struct mock {
	struct kunit *test;
	struct device *dev;
	struct kviommu v;
	bool inited;
	struct mock_mem mem;
	struct mock_iommu iommus[MOCK_IOMMUS];
	struct list_head domains;
	struct mock_dev *devs[MOCK_DEVS];
	unsigned int nr_devs;
	unsigned int fail_map;
	int fail_map_rc;
	bool short_unmap;
	void (*rw_hook)(struct mock *m, u64 gpa, bool write);
	void *hook_data;
};

struct mock *mock_create(struct kunit *test, const struct kviommu_model *model);
void mock_destroy(struct mock *m);
void mock_init(struct mock *m, struct kviommu *v,
	       const struct kviommu_model *model);
void mock_exit(struct kviommu *v);
void mock_mem_create(struct mock *m, unsigned int chunks,
		     enum mock_layout layout, struct rnd_state *rnd);
void *mock_mem_ptr(struct mock *m, u64 gpa);
void mock_mem_rw(struct mock *m, u64 gpa, void *buf, size_t len, bool write);
void mock_mem_hole(struct mock *m, u64 gpa, u64 len, bool hole);
void mock_mem_readonly(struct mock *m, u64 gpa, u64 len, bool readonly);
void mock_mem_mmio(struct mock *m, u64 gpa);
void mock_refill(struct mock *m, unsigned int budget);
void mock_mem_gone(struct mock *m, u64 gpa, u64 len);
bool mock_mem_fits(struct mock *m, u64 gpa, bool write);

struct mock_dev *mock_add_dev(struct mock *m, unsigned int iommu,
			      struct mock_dev *peer);
struct device *mock_add_real_dev(struct mock *m, const char *driver,
				 const struct resource *res, unsigned int nr);
void mock_add_resv(struct mock_dev *d, u64 start, u64 len,
		   enum iommu_resv_type type);
struct device *mock_dev_dev(struct mock_dev *d);
void mock_dev_own(struct mock_dev *d);
void mock_dev_register(struct mock_dev *d);
struct kviommu_endpoint *mock_assign(struct mock_dev *d, u32 id);
void mock_bind(struct mock_dev *d);
void mock_unbind(struct mock_dev *d);
int mock_attach(struct mock_dev *d, u32 pt_id);
void mock_dev_reset(struct mock_dev *d);
bool mock_dev_blocked(struct mock_dev *d);

void mock_open(struct mock *m);
u64 mock_read(struct kviommu *v, u32 reg, size_t len);
void mock_write(struct kviommu *v, u32 reg, u64 val, size_t len);

extern const struct kviommu_model mock_shadow_model;

static inline struct mock_domain *mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

bool mock_is_paging(const struct iommu_domain *domain);
struct mock_pte *mock_pte(struct mock_domain *d, u64 iova);
unsigned int mock_nr_domains(struct mock *m);

/* Random numbers that are the same in every run. */
static inline void mock_seed(struct kunit *test, struct rnd_state *rnd, u64 seed)
{
	prandom_seed_state(rnd, seed);
	kunit_info(test, "seed 0x%llx\n", seed);
}

static inline u32 mock_below(struct rnd_state *rnd, u32 n)
{
	return prandom_u32_state(rnd) % n;
}

#endif /* KVIOMMU_TESTS_MOCK_H */
