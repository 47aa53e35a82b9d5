/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kviommu core: what its parts know of each other.
 *
 * Data flows one way: front end (frontend/) -> model (virtio/) -> core
 * (viommu.c, endpoint.c, group.c) -> shadow (shadow.c, gmem.c) -> host IOMMU.
 *
 * Lock order, outermost first:
 *
 *   vfio_device_set::lock      held by VFIO around bind, attach, detach, close
 *   kviommu::lock              everything of one vIOMMU: model, endpoints,
 *                              shadows, pins
 *   kviommu_devs_lock          which host device belongs to which vIOMMU;
 *                              never held while waiting for a vIOMMU
 *   iommufd's and mm's locks   taken by pinning, and by attaching the VMM's
 *                              page table
 *   iommu_group::mutex         taken by attaching a domain
 *   kviommu_irqs::lock         INTx
 *   kviommu_faults::lock, kviommu_worker::lock
 *                              irq-safe, not nested; the host's fault handler
 *                              takes them
 *
 * iommufd calls kviommu_dma_unmap() with none of its locks held, so that the
 * callback may take kviommu::lock. It must never be held around attaching or
 * detaching the vIOMMU's own iommufd access, which call back the same way.
 *
 * "last" is inclusive, "end" is exclusive.
 */
#ifndef KVIOMMU_PRIVATE_H
#define KVIOMMU_PRIVATE_H

#include <kunit/visibility.h>
#include <linux/iommu.h>
#include <linux/kviommu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/platform_device.h>
#include <linux/rbtree.h>
#include <linux/siphash.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct kviommu;
struct kviommu_endpoint;
struct kviommu_group;
struct page;
struct seq_file;

/* ---- guest memory (gmem.c) ---- */

#define KVIOMMU_CHUNK_SHIFT	21
#define KVIOMMU_CHUNK_SIZE	BIT(KVIOMMU_CHUNK_SHIFT)
#define KVIOMMU_CHUNK_PAGES	(KVIOMMU_CHUNK_SIZE >> PAGE_SHIFT)

/* Requests come from few buffers, and map pages that are near each other. */
#define KVIOMMU_RECENT		8

/**
 * struct kviommu_gmem_ops - where guest pages come from
 * @pin: pin @npages writable or read-only pages from @gpa; 0 or an errno
 * @unpin: undo one @pin of exactly the same range
 * @rw: copy without pinning, within a page
 */
struct kviommu_gmem_ops {
	int (*pin)(void *priv, u64 gpa, int npages, bool write,
		   struct page **pages);
	void (*unpin)(void *priv, u64 gpa, int npages);
	int (*rw)(void *priv, u64 gpa, void *buf, size_t len, bool write);
};

/**
 * struct kviommu_gmem - the pinned part of the guest's memory
 * @chunks: GPA >> KVIOMMU_CHUNK_SHIFT -> struct kviommu_chunk
 * @recent: of those, some that were used last, by index modulo the size
 * @windows: ranges pinned for the CPU's own use
 * @stale: shadows with unmaps that were not flushed yet
 * @holes: shadows that wait for memory to come back
 * @pieces: mapped parts of chunks, in all shadows; what mappings cost the host
 * @broken: a host IOMMU did not unmap what it was told to, some shadow is broken
 * @demand: pin only what is mapped, and unpin it with its last mapping
 * @pinned: bytes pinned now
 * @spare: extents to use again, @nr_spare of them
 * @nr_regions: parts of 2 MiB of guest address spaces that were ever mapped, in
 *		all shadows; at most @max_regions
 *
 * Protected by the lock of the vIOMMU.
 */
struct kviommu_gmem {
	struct xarray chunks;
	struct kviommu_chunk *recent[KVIOMMU_RECENT];
	struct list_head windows;
	struct list_head stale;
	struct list_head holes;
	const struct kviommu_gmem_ops *ops;
	void *priv;
	bool demand;
	bool broken;
	u64 pieces;
	u64 pinned;
	struct kviommu_extent *spare;
	unsigned int nr_spare;
	u64 nr_regions;
	u64 max_regions;
};

/**
 * struct kviommu_window - guest memory the CPU reads and writes in place
 * @gpa: first byte
 * @len: bytes
 * @va: where it is; NULL until it is used, and again when the memory went away
 */
struct kviommu_window {
	struct list_head node;
	u64 gpa;
	size_t len;
	void *va;
};

struct kviommu_chunk;

void kviommu_gmem_init(struct kviommu_gmem *g,
		       const struct kviommu_gmem_ops *ops, void *priv);
struct kviommu_chunk *kviommu_gmem_get(struct kviommu_gmem *g, u64 gpa,
				       size_t len, bool write);
void kviommu_gmem_put(struct kviommu_gmem *g, u64 gpa, size_t len);
void kviommu_gmem_split(struct kviommu_gmem *g, u64 gpa);
void kviommu_gmem_join(struct kviommu_gmem *g, u64 gpa);
bool kviommu_gmem_part(struct kviommu_gmem *g, u64 first, u64 last);
bool kviommu_gmem_parted(struct kviommu_gmem *g, u64 gpa);
void kviommu_gmem_hold(struct kviommu_gmem *g, u64 gpa, size_t len);
bool kviommu_gmem_whole_run(struct kviommu_gmem *g, u64 gpa, u64 *first,
			    u64 *last, phys_addr_t *pa);
bool kviommu_gmem_any(struct kviommu_gmem *g, u64 gpa, size_t len);
size_t kviommu_gmem_run(const struct kviommu_chunk *chunk, u64 gpa,
			size_t max, phys_addr_t *pa);
bool kviommu_gmem_busy(struct kviommu_gmem *g, u64 *first, u64 *last);
void kviommu_gmem_release(struct kviommu_gmem *g, u64 first, u64 last);
void kviommu_gmem_exit(struct kviommu_gmem *g);
void *kviommu_gmem_ptr(struct kviommu_gmem *g, u64 gpa, size_t len, bool write);
int kviommu_gmem_copy(struct kviommu_gmem *g, u64 gpa, void *buf, size_t len,
		      bool write);
int kviommu_gmem_cmpxchg(struct kviommu_gmem *g, u64 gpa, __le64 old,
			 __le64 new);
void kviommu_window_init(struct kviommu_window *w, u64 gpa, size_t len);
int kviommu_window_get(struct kviommu_gmem *g, struct kviommu_window *w);
void kviommu_window_put(struct kviommu_gmem *g, struct kviommu_window *w);

/* ---- shadow (shadow.c) ---- */

#define KVIOMMU_READ		BIT(0)
#define KVIOMMU_WRITE		BIT(1)

/**
 * struct kviommu_extent - guest IOVA range -> GPA range
 * @order: the host may use entries of up to 2^order bytes for it, aligned to
 *	   their size in the IOVA space
 * @absent: not mapped in the host: guest memory behind it went away
 * @joined: belongs to the same guest mapping as the extent before it, and
 *	    continues it
 * @leaf: the guest's pages that it is made of have up to 2^leaf bytes
 */
struct kviommu_extent {
	struct rb_node node;
	u64 iova;
	u64 last;
	u64 gpa;
	u8 prot;
	u8 order;
	bool absent;
	bool joined;
	u8 leaf;
};

/**
 * struct kviommu_hostdom - a shadow in one host IOMMU
 * @iommu: the IOMMU instance whose devices can share it
 * @groups: number of groups attached
 * @prot: for every mapping: IOMMU_CACHE if devices are coherent
 * @enforce: no-snoop accesses are made coherent
 * @filled: it has the mappings of the shadow
 * @msi: IOVA of the doorbell of interrupts that are set up in it, or 0
 * @gather: what was unmapped and not flushed from the IOTLB yet
 * @stale_first: lowest IOVA of that, @stale_last highest; first > last if none
 * @late_iova: what is to be unmapped with the next thing that is not adjacent
 * @late_size: bytes of that, 0 if nothing is
 */
struct kviommu_hostdom {
	struct list_head node;
	struct kviommu_shadow *shadow;
	struct iommu_domain *domain;
	struct iommu_device *iommu;
	unsigned int groups;
	int prot;
	bool enforce;
	bool filled;
	u64 msi;
	struct iommu_iotlb_gather gather;
	u64 stale_first;
	u64 stale_last;
	u64 late_iova;
	u64 late_size;
};

/**
 * struct kviommu_shadow - the host's counterpart of a guest address space
 * @extents: what the guest mapped, by IOVA, disjoint
 * @nr_extents: entries of @extents; @nr_mappings counts without joined ones
 * @nr_absent: extents the host does not map
 * @pieces: its part of kviommu_gmem::pieces
 * @regions: parts of 2 MiB that were ever mapped: index is IOVA >> 21 / 32, a
 *	     bit each; @nr_regions of them, at most @max_regions
 * @last_region: the one that was mapped last, or U64_MAX
 * @refill: IOVA at which the search for absent extents goes on
 * @stale: in kviommu_gmem::stale while an IOTLB may know what was unmapped
 * @holes: in kviommu_gmem::holes while some extent is absent
 * @broken: the host's tables are not what they should be; it must not be used
 *
 * Protected by the lock of the vIOMMU.
 */
struct kviommu_shadow {
	struct kviommu_gmem *gmem;
	struct rb_root extents;
	struct list_head hostdoms;
	u64 nr_extents;
	u64 nr_mappings;
	u64 nr_absent;
	u64 pieces;
	struct xarray regions;
	u64 nr_regions;
	u64 max_regions;
	u64 last_region;
	u64 refill;
	struct list_head stale;
	struct list_head holes;
	bool broken;
};

int kviommu_shadow_module_init(void);
void kviommu_shadow_module_exit(void);
void kviommu_shadow_trim(struct kviommu_gmem *g);
void kviommu_shadow_init(struct kviommu_shadow *s, struct kviommu_gmem *g);
void kviommu_shadow_destroy(struct kviommu_shadow *s);
int kviommu_shadow_map(struct kviommu_shadow *s, u64 iova, u64 last, u64 gpa,
		       u8 prot);
int kviommu_shadow_unmap(struct kviommu_shadow *s, u64 iova, u64 last);
int kviommu_shadow_set(struct kviommu_shadow *s, u64 iova, u64 last, u64 gpa,
		       u8 prot, u8 order, u8 leaf);
void kviommu_shadow_leaves(const struct kviommu_shadow *s, u64 *first,
			   u64 *last);
int kviommu_shadow_clear(struct kviommu_shadow *s, struct kviommu_extent *e,
			 u64 first, u64 last);

/**
 * kviommu_shadow_pieces() - what a mapping counts for in the quota
 * @gpa: first byte
 * @size: bytes, at least 1
 *
 * Parts of 2 MiB chunks: a mapping of many of them may take a host page table
 * for each.
 */
static inline u64 kviommu_shadow_pieces(u64 gpa, u64 size)
{
	return ((gpa + size - 1) >> KVIOMMU_CHUNK_SHIFT) -
	       (gpa >> KVIOMMU_CHUNK_SHIFT) + 1;
}

bool kviommu_shadow_mapped(const struct kviommu_shadow *s, u64 iova, u64 last);
void kviommu_shadow_flush(struct kviommu_shadow *s);
void kviommu_shadow_hold(struct kviommu_shadow *s, u64 gpa);
void kviommu_shadow_drop(struct kviommu_shadow *s, u64 first, u64 last,
			 u64 chunk_first, u64 chunk_last);
bool kviommu_shadow_refill(struct kviommu_shadow *s, unsigned int budget);
struct kviommu_extent *kviommu_shadow_first(const struct kviommu_shadow *s,
					    u64 iova);
struct kviommu_extent *kviommu_extent_next(const struct kviommu_extent *e);
struct kviommu_hostdom *kviommu_hostdom_find(struct kviommu_shadow *s,
					     struct device *dev);
struct kviommu_hostdom *kviommu_hostdom_get(struct kviommu_shadow *s,
					    struct device *dev, u64 msi);
int kviommu_hostdom_attach(struct kviommu_hostdom *h, struct iommu_group *grp);
void kviommu_hostdom_detach(struct kviommu_hostdom *h,
			    struct iommu_group *grp);
void kviommu_hostdom_put(struct kviommu_hostdom *h);
u64 kviommu_shadow_bytes(const struct kviommu_shadow *s);

/* ---- geometry (geometry.c) ---- */

/**
 * struct kviommu_resv - addresses that the host has a use for
 * @first: first
 * @last: last
 * @msi: interrupt messages are written there
 * @told: that the guest's tables map some of it
 */
struct kviommu_resv {
	u64 first;
	u64 last;
	bool msi;
	bool told;
};

/**
 * struct kviommu_geometry - what the host can translate for a device
 * @last: highest IOVA
 * @page_sizes: bitmap
 * @snoop: accesses that ask for no snooping are made coherent
 * @sw_msi: window, one of @resv, that the doorbells of MSIs are to be mapped in
 * @sw_msi_size: its bytes, 0 if the host does not translate MSIs
 * @resv: sorted, disjoint ranges that must not be mapped
 */
struct kviommu_geometry {
	u64 last;
	u64 page_sizes;
	bool snoop;
	u64 sw_msi;
	u64 sw_msi_size;
	unsigned int nr_resv;
	struct kviommu_resv *resv;
};

int kviommu_geometry_read(struct device *dev, struct kviommu_geometry *geo);
void kviommu_geometry_free(struct kviommu_geometry *geo);
bool kviommu_geometry_reserved(const struct kviommu_geometry *geo, u64 iova,
			       u64 last);

/* ---- reading the guest's tables (reader.c) ---- */

#define KVIOMMU_TABLE_SIZE	4096
#define KVIOMMU_TABLE_WORDS	(KVIOMMU_TABLE_SIZE / sizeof(__le64))

/**
 * struct kviommu_reader - where tables are read
 * @page: the 4 KiB of guest memory at @gpa (aligned to that), or NULL if there
 *	  are none. Valid until the next call for the same @slot. It may be the
 *	  guest's own, which can change at any moment
 * @update: write @new to the word at @gpa, in the page of @slot, if it still is
 *	    @old, atomically; the page has it too then. Return 0, -EAGAIN if it
 *	    is not @old, or an errno if it can't be written
 */
struct kviommu_reader {
	const __le64 *(*page)(struct kviommu_reader *r, unsigned int slot,
			      u64 gpa);
	int (*update)(struct kviommu_reader *r, unsigned int slot, u64 gpa,
		      u64 old, u64 new);
};

#define KVIOMMU_READER_SLOTS	BITS_PER_LONG

/**
 * struct kviommu_guest_reader - struct kviommu_reader of the guest's memory
 * @reader: what walks use
 * @gmem: guest memory
 * @copies: a page for each slot, where it can't be read in place
 * @copied: slots whose page was not, a bit each
 * @updated: slots that something was written in, until the caller clears it
 */
struct kviommu_guest_reader {
	struct kviommu_reader reader;
	struct kviommu_gmem *gmem;
	void *copies;
	unsigned long copied;
	unsigned long updated;
};

int kviommu_guest_reader_init(struct kviommu_guest_reader *r,
			      struct kviommu_gmem *g, unsigned int slots);
void kviommu_guest_reader_exit(struct kviommu_guest_reader *r);
const __le64 *kviommu_guest_copy(struct kviommu_guest_reader *r,
				 unsigned int slot, const __le64 *page);

/* ---- tables that a shadow is in line with (seen.c) ---- */

/**
 * struct kviommu_seen_key - secret of a vIOMMU that its checksums depend on
 * @nh: for each word of a table
 * @end: for what these give
 */
struct kviommu_seen_key {
	u64 nh[KVIOMMU_TABLE_WORDS];
	siphash_key_t end;
};

/**
 * struct kviommu_seen - tables of the last level that a shadow is in line with
 * @tables: address >> @shift -> checksum
 * @nr: how many
 * @shift: log2 of the bytes of addresses that a table of 4 KiB has
 */
struct kviommu_seen {
	struct xarray tables;
	u64 nr;
	unsigned int shift;
};

/**
 * struct kviommu_seen_table - such a table, from when it is walked on
 * @iova: its first address
 * @entry: what kviommu_seen::tables gets
 */
struct kviommu_seen_table {
	u64 iova;
	void *entry;
};

void kviommu_seen_init(struct kviommu_seen *s, unsigned int shift);
void kviommu_seen_exit(struct kviommu_seen *s);
void kviommu_seen_forget(struct kviommu_seen *s, u64 first, u64 last);
void kviommu_seen_key_init(struct kviommu_seen_key *key);
bool kviommu_seen_check(struct kviommu_seen *s,
			const struct kviommu_seen_key *key,
			struct kviommu_seen_table *n, const __le64 *page,
			u64 iova, u64 bits);
void kviommu_seen_add(struct kviommu_seen *s,
		      const struct kviommu_seen_table *n, u64 max_mappings);

/* ---- bringing a shadow in line with the guest's tables (sync.c) ---- */

/**
 * struct kviommu_run - addresses that the guest's tables translate as one
 * @iova: first
 * @last: last
 * @gpa: what @iova is translated to
 * @prot: KVIOMMU_READ, KVIOMMU_WRITE
 * @order: log2 of the size of the guest's pages that it consists of, the smaller
 *	   one of two stages
 * @leaf: log2 of what the guest can invalidate by one address of it, for models
 *	  whose guests need not say how much that is; else 0
 * @fault: for a model's walk: what is wrong with a table here, 0 if nothing is
 */
struct kviommu_run {
	u64 iova;
	u64 last;
	u64 gpa;
	u8 prot;
	u8 order;
	u8 leaf;
	u8 fault;
};

/**
 * struct kviommu_sync - the diff of a walk against a shadow
 * @shadow: what is changed
 * @geo: addresses that devices must not have mapped
 * @max_pieces: quota on kviommu_shadow::pieces
 * @max_cut: quota on them for what is left of an extent of which some is unmapped,
 *	     if that is more: a part that shrank takes away nothing that is mapped
 * @next: all below this and in the range is as the tables say
 * @budget: what may still be done, in parts of 2 MiB that are mapped or
 *	    unmapped
 * @kept: extents, or parts of them, that were found as they should be
 * @mapped: extents added
 * @unmapped: extents, or parts of them, removed
 * @nr_refused: ranges for which @refused was called, or would have been
 * @hit: some reserved range that the tables map and that was not told of, or NULL
 * @changing: called before a range is mapped or unmapped, if it is set
 * @refused: called for a range that could not be mapped, or not stay mapped, by
 *	     the guest's tables, if it is set; @why is -EDQUOT: the quota,
 *	     -ENOMEM, or what the host IOMMU said. Nothing is mapped there then
 */
struct kviommu_sync {
	struct kviommu_shadow *shadow;
	const struct kviommu_geometry *geo;
	u64 max_pieces;
	u64 max_cut;
	u64 next;
	s64 budget;
	u64 kept;
	u64 mapped;
	u64 unmapped;
	u64 nr_refused;
	const struct kviommu_resv *hit;
	void (*changing)(struct kviommu_sync *y, u64 first, u64 last);
	void (*refused)(struct kviommu_sync *y, u64 first, u64 last, int why);

	/* private: the first extent that ends at @next or behind it */
	struct kviommu_extent *e;
};

void kviommu_sync_start(struct kviommu_sync *y, struct kviommu_shadow *s,
			const struct kviommu_geometry *geo, u64 first);
int kviommu_sync_run(struct kviommu_sync *y, const struct kviommu_run *run);
int kviommu_sync_gap(struct kviommu_sync *y, u64 last);
int kviommu_sync_keep(struct kviommu_sync *y, u64 first, u64 last);

/* ---- host devices and endpoints (endpoint.c), groups (group.c) ---- */

enum kviommu_state {
	KVIOMMU_UNBOUND,	/* no VMM has the device open */
	KVIOMMU_BLOCKED,
	KVIOMMU_BYPASS,
	KVIOMMU_TRANSLATED,
	/* Of an endpoint only: its group stays as it was before a reset. */
	KVIOMMU_QUIESCING,
	KVIOMMU_NR_STATES
};

const char *kviommu_state_name(enum kviommu_state state);

/**
 * struct kviommu_target - what an endpoint is to reach
 * @state: BLOCKED, BYPASS or TRANSLATED
 * @shadow: for TRANSLATED
 * @chosen: the guest attached this endpoint, so it leads its group
 * @refused: BLOCKED instead of BYPASS, since a member of its group is unsafe
 */
struct kviommu_target {
	enum kviommu_state state;
	struct kviommu_shadow *shadow;
	bool chosen;
	bool refused;
};

/**
 * struct kviommu_dev - a host device whose driver works with kviommu
 * @ep: the endpoint it was assigned as, or NULL. Changes with both the lock
 *	of the vIOMMU and kviommu_devs_lock held
 * @bound: a VMM has it open; protected by kviommu_devs_lock
 * @dirty: it may still do what a VMM that is gone, or whoever had it before, has told
 *	   it to; no bypass before it is reset. Protected by kviommu_devs_lock
 * @sw_msi: its MSIs are translated; changes only when it is assigned, and so not while
 *	    it is bound
 * @ictx: the VMM's iommufd, to tell VMMs apart; valid while bound
 * @attached: the VMM attached it to @pt_id. This and what follows is protected
 *	      by the lock of the vIOMMU
 * @on_hwpt: it is attached to @pt_id now: bypass
 */
struct kviommu_dev {
	struct list_head node;
	struct device *dev;
	struct iommu_group *group;
	const struct kviommu_dev_ops *ops;
	void *priv;
	struct kviommu_endpoint *ep;
	bool sw_msi;
	struct iommufd_ctx *ictx;
	u32 pt_id;
	bool bound;
	bool dirty;
	bool attached;
	bool on_hwpt;
};

/**
 * struct kviommu_endpoint - a host device as the guest knows it
 * @id: endpoint id of the guest
 * @domain: the model's, what the guest attached it to
 * @domain_node: for the model's list of a domain's endpoints
 * @unsafe: it may still do DMA with addresses of translations that are gone;
 *	    no bypass before it is reset
 * @held: it may still do DMA after a reset, and keeps what it had before
 * @fresh: it was reset since its group is held
 * @model_priv: the model's; it is gone after kviommu_model::leave()
 */
struct kviommu_endpoint {
	struct kviommu *viommu;
	struct kviommu_dev *kdev;
	struct kviommu_group *group;
	struct list_head group_node;
	struct list_head domain_node;
	u32 id;
	void *domain;
	bool unsafe;
	bool held;
	bool fresh;
	void *model_priv;
	struct kviommu_geometry geo;
};

/**
 * struct kviommu_group - devices the host can't tell apart: they move together
 * @state: of all its bound members
 * @tainted: they were translated, and not in bypass since
 * @leaving: they leave their guest domains, one after the other: the group stays in
 *	     bypass, or is blocked, meanwhile
 * @refused: they are blocked instead of in bypass, since one of them is unsafe
 * @told: that is in the log
 * @hostdom: for TRANSLATED
 * @sw_msi: kviommu_geometry::sw_msi
 * @nr_doorbells: pages of that window, 0 if the host does not translate MSIs
 * @doorbells: what is mapped there for MSIs of its members, 0: nothing
 */
struct kviommu_group {
	struct list_head node;
	struct iommu_group *group;
	struct list_head eps;
	enum kviommu_state state;
	bool tainted;
	bool leaving;
	bool refused;
	bool told;
	struct kviommu_hostdom *hostdom;
	u64 sw_msi;
	unsigned int nr_doorbells;
	phys_addr_t *doorbells;
};

extern struct mutex kviommu_devs_lock;	/* which device is whose */

bool kviommu_dev_may_dma(const struct kviommu_dev *kdev);

/* Administrators name platform devices with it, and PCI devices without. */
#define KVIOMMU_PLATFORM	"platform/"

static inline const char *kviommu_dev_prefix(const struct device *dev)
{
	return dev_is_platform(dev) ? KVIOMMU_PLATFORM : "";
}

int kviommu_assign(struct kviommu *v, const char *name, u32 id);
int kviommu_unassign(struct kviommu *v, const char *name);
int kviommu_assume_reset(struct kviommu *v, const char *name);
void kviommu_unassign_all(struct kviommu *v);
struct kviommu_endpoint *kviommu_endpoint_find(struct kviommu *v, u32 id);
enum kviommu_state kviommu_endpoint_state(const struct kviommu_endpoint *ep);

struct kviommu_group *kviommu_group_join(struct kviommu *v,
					 struct kviommu_endpoint *ep);
void kviommu_group_leave(struct kviommu_endpoint *ep);
int kviommu_group_apply(struct kviommu *v, struct kviommu_group *g);
int kviommu_group_move(struct kviommu *v, struct kviommu_group *g);
bool kviommu_endpoint_unsafe(const struct kviommu_endpoint *ep);
const char *kviommu_endpoint_mark(const struct kviommu_endpoint *ep);
void kviommu_group_mark_unsafe(struct kviommu_group *g);
bool kviommu_group_hold(struct kviommu_group *g);
bool kviommu_group_held(const struct kviommu_group *g);
void kviommu_group_block_member(struct kviommu *v,
				struct kviommu_endpoint *ep);

/* ---- MSIs that the host translates (msi.c) ---- */

int kviommu_msi_init(struct kviommu_group *g, const struct kviommu_geometry *geo);
void kviommu_msi_exit(struct kviommu_group *g);
int kviommu_msi_page(struct kviommu *v, const struct kviommu_group *g, u64 *iova);
void kviommu_msi_note(struct kviommu_group *g);
int kviommu_msi_carry(struct kviommu_group *g);

/* ---- interrupts (frontend/irq.c) ---- */

#define KVIOMMU_MSIX_VECTORS	3

struct eventfd_ctx;

struct virqfd;

/**
 * struct kviommu_irqs - interrupts to the VMM
 * @msix: protected by the lock of the vIOMMU, and so is @msix_on
 * @lock: protects what follows up to @intx_disabled, a copy of the command
 *	  register's bit: the work item of @intx_unmask uses it
 * @intx_unmask: an eventfd of the VMM, protected by VFIO
 * @count: interrupts sent
 */
struct kviommu_irqs {
	struct eventfd_ctx *msix[KVIOMMU_MSIX_VECTORS];
	bool msix_on;
	spinlock_t lock;	/* not irq-safe; taken with the vIOMMU's held */
	struct eventfd_ctx *intx;
	bool intx_masked;
	bool intx_level;
	bool intx_disabled;
	struct virqfd *intx_unmask;
	atomic64_t count;
};

int kviommu_irq_info(const struct kviommu *v, struct vfio_irq_info *info);
int kviommu_irq_set(struct kviommu *v, const struct vfio_irq_set *hdr,
		    const void *data);
void kviommu_irq_close(struct kviommu *v);
bool kviommu_irq_msix(struct kviommu *v, unsigned int vector);
void kviommu_irq_intx(struct kviommu *v, bool level);

/* ---- PCI configuration space (frontend/config.c) ---- */

#define KVIOMMU_CFG_SIZE	256

struct kviommu_config {
	u8 space[KVIOMMU_CFG_SIZE];
	u8 writable[KVIOMMU_CFG_SIZE];
	u32 bar_size[2];
	u8 bar_window;		/* offset of the virtio_pci_cfg_cap, or 0 */
};

void kviommu_config_init(struct kviommu_config *c, u16 vendor, u16 device,
			 u32 class, const u32 *bar_size);
u8 kviommu_config_add_cap(struct kviommu_config *c, const void *cap, u8 len);
bool kviommu_config_intx_disabled(const struct kviommu_config *c);
void kviommu_config_intx_status(struct kviommu_config *c, bool level);
void kviommu_config_add_msix(struct kviommu_config *c, u8 bar,
			     unsigned int vectors, u32 table, u32 pba);

/* ---- models ---- */

typedef void (*kviommu_shadow_fn)(struct kviommu_shadow *s, u32 id, void *arg);

/**
 * struct kviommu_model - one kind of IOMMU as the guest sees it
 * @vectors: MSI-X vectors, up to KVIOMMU_MSIX_VECTORS
 * @max_id: highest id of an endpoint, or 0 for any
 * @granule: bytes of the pages that any guest of it may use, or 0 if guests are told
 *	     what the host has: one whose CPU has larger pages can't be its host
 * @late: it does not learn of what a guest maps before the guest says something
 *	  else, which kviommu::late_mappings has to accept: a sentence that says
 *	  so, or NULL
 * @init: once, at creation; fills in the PCI config space
 * @exit: undoes @init
 * @open: a VMM opened it: reset state. @close: it is gone, drop everything
 * @assigned: @ep is about to be assigned while it is open, and the guest has nothing
 *	      mapped where its host reserves addresses: that must stay so until
 *	      @close. 0, -ENOMEM, or -EOPNOTSUPP if its host lacks what the guest was
 *	      told that there is, with a line in the log. May be NULL
 * @reset: VFIO_DEVICE_RESET: registers and queues; endpoints follow by @release
 * @read: a register; @len is 1, 2, 4 or 8 and naturally aligned
 * @write: the same
 * @resolve: what @ep is to reach now
 * @work: process up to @budget units of queue work; true if more is waiting
 * @notify: ask the guest for notifications, or not; polling has none. NULL if
 *	    nothing polls: it never calls kviommu_worker_kick()
 * @detached: what an endpoint reaches that the guest attached to nothing
 * @release: what the guest attached @ep to is gone; it is as @detached says
 * @leave: the same, and what the model knows of @ep: it is closed or unassigned
 * @retry: try again what could not be done before, if it is time for it, or
 *	   @now; true if something is left to be tried. May be NULL
 * @for_each_shadow: every guest address space
 * @show_state: lines for debugfs "state"
 * @show_domains: debugfs "domains"
 * @show_counters: the model's own lines for debugfs "counters"
 * @domain_id: of an endpoint, -1 if the guest attached it to none
 *
 * All with the lock of the vIOMMU held.
 */
struct kviommu_model {
	const char *name;
	unsigned int vectors;
	u32 max_id;
	u32 granule;
	const char *late;
	int (*init)(struct kviommu *v);
	void (*exit)(struct kviommu *v);
	int (*open)(struct kviommu *v);
	void (*close)(struct kviommu *v);
	int (*assigned)(struct kviommu *v, struct kviommu_endpoint *ep);
	void (*reset)(struct kviommu *v);
	void (*read)(struct kviommu *v, u32 offset, void *buf, size_t len);
	void (*write)(struct kviommu *v, u32 offset, const void *buf,
		      size_t len);
	void (*resolve)(struct kviommu *v, struct kviommu_endpoint *ep,
			struct kviommu_target *t);
	bool (*work)(struct kviommu *v, unsigned int budget,
		     unsigned int *done);
	void (*notify)(struct kviommu *v, bool on);
	enum kviommu_state (*detached)(const struct kviommu *v);
	void (*release)(struct kviommu *v, struct kviommu_endpoint *ep);
	void (*leave)(struct kviommu *v, struct kviommu_endpoint *ep);
	bool (*retry)(struct kviommu *v, bool now);
	void (*for_each_shadow)(struct kviommu *v, kviommu_shadow_fn fn,
				void *arg);
	void (*show_state)(struct kviommu *v, struct seq_file *s);
	void (*show_domains)(struct kviommu *v, struct seq_file *s);
	void (*show_counters)(struct kviommu *v, struct seq_file *s);
	s64 (*domain_id)(const struct kviommu_endpoint *ep);
};

extern const struct kviommu_model kviommu_virtio_model;
extern const struct kviommu_model kviommu_vtd_model;
extern const struct kviommu_model kviommu_smmuv3_model;

/* ---- guest domains that follow the guest's own tables (follow.c) ---- */

/*
 * Credits: work is counted in table entries looked at. A unit of the budget of
 * work is so many, and what is done for a command or descriptor is.
 */
#define KVIOMMU_CREDITS_UNIT	1024
#define KVIOMMU_CREDITS_DESC	128
#define KVIOMMU_CREDITS_LOOKUP	256	/* of an endpoint, or of one address */

/* Runs to ask a walk for at a time */
#define KVIOMMU_FOLLOW_RUNS	32

/* Tables to remember while runs of them are on their way to the shadow */
#define KVIOMMU_NEW_TABLES	64

#define KVIOMMU_KEY_WORDS	6

/* What reading 4 KiB of a table counts for, in entries looked at */
#define KVIOMMU_TABLE_COST	64

/**
 * struct kviommu_range - addresses
 * @first: first; there are none if it is larger than @last
 * @last: last
 */
struct kviommu_range {
	u64 first;
	u64 last;
};

#define KVIOMMU_RANGE_NONE	((struct kviommu_range){ .first = U64_MAX })

static inline bool kviommu_range_none(const struct kviommu_range *r)
{
	return r->first > r->last;
}

/**
 * struct kviommu_gdomain - a guest domain: what endpoints are translated with
 * @node: in kviommu_follow::domains
 * @dirty: in kviommu_follow::dirty while a range is to be synced
 * @sibling: next one with the same domain id, or NULL
 * @key: what it is, together with @did; the model's. What does not tell domains
 *	 apart in it (kviommu_follow_ops::same) can change: it is what all endpoints
 *	 that belong in it have, by kviommu_follow_ops::merge
 * @mixed: these do not all have the same, or it is not known whether they have
 * @did: domain id
 * @epoch: kviommu_follow::epoch when all of it was marked last for that
 * @users: endpoints that are in it, or wait for it
 * @waiting: those that wait for it
 * @begin: start of the range to be synced
 * @next: what is left of the range begins here
 * @last: end of the range
 * @looked: table entries looked at for this range
 * @tries: how often it was begun anew since the guest changed tables meanwhile
 * @changed: it did
 * @failed: its translations can't be known; its endpoints are blocked
 * @shrunk: endpoints have left it, so it may have more than its part
 * @rebuild: it is to be built anew for that
 * @fault: fault that was told of its tables, 0 if there was none
 * @fault_addr: address of that
 * @fault_seen: there was one in this range
 * @out: what its tables may map, and the shadow does not: to be tried again
 * @out_now: what the sync that goes on has found of that
 * @out_at: first address of what was refused first
 * @out_why: errno, why that is not mapped; or 0
 * @out_told: that there is something in @out
 * @asked: the guest invalidated some of it when that was not to be tried yet
 * @retry_at: when to try again, jiffies
 * @retry_wait: how long that is from the last time on, jiffies
 * @seen: parts that need not be looked at while their tables are the same
 * @shadow: what is mapped of it
 */
struct kviommu_gdomain {
	struct list_head node;
	struct list_head dirty;
	struct kviommu_gdomain *sibling;
	u64 key[KVIOMMU_KEY_WORDS];
	u32 did;
	u32 epoch;
	unsigned int users;
	unsigned int waiting;
	u64 begin;
	u64 next;
	u64 last;
	u64 looked;
	unsigned int tries;
	bool changed;
	bool failed;
	bool mixed;
	bool shrunk;
	bool rebuild;
	bool fault_seen;
	u8 fault;
	u64 fault_addr;
	struct kviommu_range out;
	struct kviommu_range out_now;
	u64 out_at;
	int out_why;
	bool out_told;
	bool asked;
	unsigned long retry_at;
	unsigned long retry_wait;
	struct kviommu_seen seen;
	struct kviommu_shadow shadow;
};

/**
 * struct kviommu_gendpoint - what a model with guest domains knows of an endpoint
 * @ep: endpoint
 * @domain: guest domain that it is in, or NULL
 * @next: guest domain that it moves to when that is in sync, or NULL
 * @left: guest domain that it was in, until its group was put where @goes says
 * @goes: it belongs elsewhere than where its group is
 * @state: without @domain: BLOCKED or BYPASS
 * @recheck: it is to be looked up in the tables again
 * @found: @state is what the tables say; else it is from before translation was on
 * @fault: fault that was told of its entries, 0 if there was none
 * @flags: the model's
 * @did: domain id that its entries are cached with
 * @key: with what its entries say it is translated, for @next, or else @domain
 */
struct kviommu_gendpoint {
	struct kviommu_endpoint *ep;
	struct kviommu_gdomain *domain;
	struct kviommu_gdomain *next;
	struct kviommu_gdomain *left;
	bool goes;
	enum kviommu_state state;
	bool recheck;
	bool found;
	u8 fault;
	u8 flags;
	u32 did;
	u64 key[KVIOMMU_KEY_WORDS];
};

/**
 * struct kviommu_follow_walk - how far a walk has come
 * @next: where it goes on
 * @budget: table entries that it may look at; what is left of that on return
 * @done: it is at its end
 * @changed: the guest changed tables meanwhile: all of it is to be done again
 */
struct kviommu_follow_walk {
	u64 next;
	u64 budget;
	bool done;
	bool changed;
};

/**
 * enum kviommu_step - what came of the next command of a guest's queue
 * @KVIOMMU_STEP_DONE: it is done with
 * @KVIOMMU_STEP_DRAIN: it needs all that is marked to be done before
 * @KVIOMMU_STEP_AWAY: guest memory that it needs is away just now
 * @KVIOMMU_STEP_IDLE: there is none, or the queue has stopped
 */
enum kviommu_step {
	KVIOMMU_STEP_DONE,
	KVIOMMU_STEP_DRAIN,
	KVIOMMU_STEP_AWAY,
	KVIOMMU_STEP_IDLE,
};

struct kviommu_follow;
struct kviommu_fault;

/**
 * struct kviommu_follow_ops - what a model does for its guest domains
 * @step: do the next command of the guest's queue
 * @pending: did the guest ask for something by registers that is complete only when
 *	     nothing is marked any more. Its queue waits for that
 * @drained: nothing is marked any more, and that has reached the host: complete it
 * @key_size: bytes of a key, up to those of kviommu_gdomain::key
 * @tell_tables: errors of tables are told of when they are found
 * @same: do two keys make one domain
 * @merge: one key for both of two that make one domain and differ; NULL if none do
 * @lookup: find in the guest's tables what an endpoint is to reach, and say it,
 *	    by one of kviommu_gendpoint_join(), _set() and _refuse()
 * @walk_start: begin to walk over a range of a domain; it may take from the credits
 * @walk_next: write what is next to kviommu_follow::runs; return how many these are
 * @fault: tell the guest of a fault of an endpoint
 * @host_fault: tell it of one that the host's IOMMU reported, with translation on.
 *		The tables say why, unless they have changed, or what they say is
 *		not mapped
 * @refused: tell it that the host, or a limit, is in the way of its entries
 * @lost: which fault tells that a domain's translations can't be known
 * @not_present: which fault tells that something of a domain is not mapped
 * @is_away: does a fault say that there is no memory where tables should be. VMMs
 *	     take some away and map it back, so that is to be tried again
 * @levels: of all tables that a domain has
 * @conflict: may two domains not have the same id; NULL if any may
 * @show_domain: what debugfs "domains" says of one, after what it says of any
 */
struct kviommu_follow_ops {
	enum kviommu_step (*step)(struct kviommu_follow *f);
	bool (*pending)(const struct kviommu_follow *f);
	void (*drained)(struct kviommu_follow *f);
	size_t key_size;
	bool tell_tables;
	bool (*same)(const void *a, const void *b);
	void (*merge)(void *key, const void *other);
	void (*lookup)(struct kviommu_follow *f, struct kviommu_gendpoint *ge);
	void (*walk_start)(struct kviommu_follow *f, struct kviommu_gdomain *d,
			   u64 first, u64 last);
	unsigned int (*walk_next)(struct kviommu_follow *f,
				  struct kviommu_follow_walk *w);
	void (*fault)(struct kviommu_follow *f,
		      const struct kviommu_gendpoint *ge, u8 reason, u64 addr,
		      bool write);
	void (*host_fault)(struct kviommu_follow *f,
			   struct kviommu_gendpoint *ge,
			   const struct kviommu_fault *fault);
	void (*refused)(struct kviommu_follow *f, struct kviommu_gendpoint *ge);
	u8 (*lost)(const struct kviommu_follow *f,
		   const struct kviommu_gdomain *d);
	u8 (*not_present)(const struct kviommu_follow *f,
			  const struct kviommu_gdomain *d);
	bool (*is_away)(u8 fault);
	unsigned int (*levels)(const struct kviommu_gdomain *d);
	bool (*conflict)(const struct kviommu_gdomain *a,
			 const struct kviommu_gdomain *b);
	void (*show_domain)(const struct kviommu_gdomain *d,
			    struct seq_file *s);
};

struct kviommu_follow_counters {
	u64 lookups;
	u64 syncs;
	u64 entries;
	u64 mapped;
	u64 unmapped;
	u64 kept;
	u64 tables_same;
	u64 sync_ns;
	u64 did_conflicts;
	u64 refused;		/* ranges that could not be mapped */
	u64 reserved;		/* ranges of the host that the guest maps */
	u64 failed;
};

/**
 * struct kviommu_follow - all guest domains of a vIOMMU
 * @v: vIOMMU
 * @ops: what its model does
 * @reader: where tables are read
 * @leaf_slots: slots of @reader with last-level tables, a bit each
 * @on: translation is on: endpoints are looked up in tables
 * @runs: what a walk gives
 * @walked: domain that this is for
 * @key: of what is known of tables
 * @new: the last @nr_new tables that were walked all over
 * @domains: all guest domains, @nr_domains of them
 * @dirty: those of them with a range to be synced
 * @by_did: domain id -> the first guest domain that has it
 * @nr_endpoints: endpoints that are there
 * @nr_recheck: those of them to be looked up again
 * @resv: addresses that must not be mapped for some endpoint
 * @epoch: how often all tables were to be looked at again
 * @credits: what may still be done now
 * @check_dids: domain ids may have got more than one table
 * @check_keys: keys of mixed domains may have changed
 * @shrunk: some domain may be
 * @count: counters
 *
 * This is kviommu::model_priv, and a part of what the model has for a vIOMMU.
 * Protected by the lock of the vIOMMU.
 */
struct kviommu_follow {
	struct kviommu *v;
	const struct kviommu_follow_ops *ops;
	struct kviommu_guest_reader reader;
	unsigned long leaf_slots;
	bool on;
	struct kviommu_run runs[KVIOMMU_FOLLOW_RUNS];
	struct kviommu_gdomain *walked;
	struct kviommu_seen_key key;
	struct kviommu_seen_table new[KVIOMMU_NEW_TABLES];
	unsigned int nr_new;
	struct list_head domains;
	struct list_head dirty;
	struct xarray by_did;
	unsigned int nr_domains;
	unsigned int nr_endpoints;
	unsigned int nr_recheck;
	struct kviommu_geometry resv;
	u32 epoch;
	s64 credits;
	bool check_dids;
	bool check_keys;
	bool shrunk;
	struct kviommu_follow_counters count;
};

static inline struct kviommu_gendpoint *
kviommu_gendpoint(const struct kviommu_endpoint *ep)
{
	return ep->model_priv;
}

/* Is there nothing to be brought in line? */
static inline bool kviommu_follow_idle(const struct kviommu_follow *f)
{
	return !f->nr_recheck && list_empty(&f->dirty);
}

int kviommu_follow_init(struct kviommu_follow *f, struct kviommu *v,
			const struct kviommu_follow_ops *ops,
			unsigned int slots);
void kviommu_follow_exit(struct kviommu_follow *f);
void kviommu_recheck_all(struct kviommu_follow *f);
void kviommu_recheck(struct kviommu_follow *f, struct kviommu_gendpoint *ge);
bool kviommu_mark(struct kviommu_follow *f, struct kviommu_gdomain *d,
		  u64 first, u64 last);
void kviommu_mark_all(struct kviommu_follow *f);
bool kviommu_follow_work(struct kviommu *v, unsigned int budget,
			 unsigned int *done);
void kviommu_follow_kick(struct kviommu_follow *f);
bool kviommu_follow_retry(struct kviommu *v, bool now);
void kviommu_gendpoint_set(struct kviommu_follow *f,
			   struct kviommu_gendpoint *ge,
			   enum kviommu_state state);
void kviommu_gendpoint_refuse(struct kviommu_follow *f,
			      struct kviommu_gendpoint *ge, int rc);
void kviommu_gendpoint_join(struct kviommu_follow *f,
			    struct kviommu_gendpoint *ge, u32 did,
			    const void *key, unsigned int shift);
const __le64 *kviommu_follow_check(struct kviommu_follow *f, unsigned int slot,
				   const __le64 *page, u64 iova, u64 bits);
void kviommu_follow_resolve(struct kviommu *v, struct kviommu_endpoint *ep,
			    struct kviommu_target *t);
void kviommu_follow_on(struct kviommu_follow *f);
void kviommu_follow_again(struct kviommu_follow *f);
void kviommu_follow_off(struct kviommu_follow *f);
void kviommu_follow_reset(struct kviommu_follow *f);
void kviommu_follow_policy(struct kviommu_follow *f);
void kviommu_follow_release(struct kviommu *v, struct kviommu_endpoint *ep);
int kviommu_follow_open(struct kviommu_follow *f);
int kviommu_follow_assigned(struct kviommu *v, struct kviommu_endpoint *ep);
void kviommu_follow_leave(struct kviommu *v, struct kviommu_endpoint *ep);
void kviommu_follow_close(struct kviommu *v);
void kviommu_follow_each_shadow(struct kviommu *v, kviommu_shadow_fn fn,
				void *arg);
s64 kviommu_follow_domain_id(const struct kviommu_endpoint *ep);
void kviommu_follow_show_state(struct kviommu_follow *f, struct seq_file *s);
void kviommu_follow_show_domains(struct kviommu *v, struct seq_file *s);
void kviommu_follow_show_counters(struct kviommu_follow *f, struct seq_file *s);

/* ---- faults from the host ---- */

#define KVIOMMU_MAX_FAULTS	64

struct kviommu_fault {
	struct device *dev;	/* only compared, never followed */
	u64 iova;
	bool write;
};

struct kviommu_faults {
	spinlock_t lock;	/* protects the fields below */
	unsigned int head;
	unsigned int nr;
	u64 dropped;
	struct kviommu_fault ring[KVIOMMU_MAX_FAULTS];
};

/* ---- worker (worker.c) ---- */

struct vhost_task;

/**
 * struct kviommu_worker - the thread that does what the vCPU does not
 * @lock: irq-safe, taken by the host's fault handler
 * @task: in the VMM's own process, so that its cgroup and nice value count
 * @pending: bit 0: look at the queue
 * @dead: the process that opened the vIOMMU is gone
 * @polling: it looks at the queue by itself, no notification is needed
 * @poll_asked: it is worth to poll
 * @misses: how often polling found nothing, one after the other
 * @skip: reasons to poll that are let go, after that
 * @last_kick: when the guest last had to notify, ns
 */
struct kviommu_worker {
	spinlock_t lock;	/* protects task */
	struct vhost_task *task;
	unsigned long pending;
	bool dead;
	bool polling;
	bool poll_asked;
	unsigned int misses;
	unsigned int skip;
	u64 last_kick;
};

int kviommu_worker_start(struct kviommu *v);
void kviommu_worker_stop(struct kviommu *v);
void kviommu_worker_wake(struct kviommu *v);
void kviommu_worker_kick(struct kviommu *v);

/* ---- resets (reset.c) ---- */

#define KVIOMMU_QUIESCE_MS	30000

/* What may change what endpoints reach */
enum kviommu_source {
	KVIOMMU_SYSTEM_RESET,	/* VFIO_DEVICE_RESET of the vIOMMU */
	KVIOMMU_GUEST_RESET,	/* virtio: status 0. VT-d: TE off. SMMU: off */
	KVIOMMU_GUEST_DRIVER,	/* virtio: DRIVER_OK */
	KVIOMMU_GUEST_ENABLE,	/* VT-d: TE on. SMMU: on */
	KVIOMMU_GUEST_POLICY,	/* virtio: bypass. SMMU: GBPA */
	KVIOMMU_GUEST_ABORT,	/* SMMU: off with GBPA.ABORT, or that when off */
	KVIOMMU_DEADLINE,	/* quiesce_ms after a reset */
	KVIOMMU_SUSPEND,	/* the host is about to sleep */
	KVIOMMU_MEMORY,		/* guest memory is attached, or detached */
	KVIOMMU_CLOSED,		/* the VMM has closed the vIOMMU, or is dead */
	/* Of one endpoint: */
	KVIOMMU_EP_RESET,	/* VFIO_DEVICE_RESET, hot reset, FLR */
	KVIOMMU_EP_MASTER_ON,	/* bus mastering was switched on */
	KVIOMMU_EP_MASTER_OFF,	/* bus mastering was switched off */
	KVIOMMU_EP_DETACHED,	/* the VMM has detached it */
	KVIOMMU_EP_CLOSED,	/* the VMM has closed it, or is dead */
	KVIOMMU_EP_REMOVED,	/* unassigned, or a driver or the mdev goes */
	KVIOMMU_NR_SOURCES
};

enum kviommu_phase {
	KVIOMMU_ENTER,
	KVIOMMU_HOLD,
	KVIOMMU_EXIT,
	KVIOMMU_NR_PHASES
};

/**
 * struct kviommu_reset - the reset that is under way
 * @source: of the last one, or the one that @holding began with
 * @holding: some endpoint is quiescing, since @since, ktime in ns
 * @deadline: when that ends
 * @events: how many of each source there were, since the VMM opened it
 * @phases: how many there were, and how long they took, all and the longest
 */
struct kviommu_reset {
	enum kviommu_source source;
	bool holding;
	u64 since;
	struct delayed_work deadline;
	struct notifier_block suspend;
	u64 events[KVIOMMU_NR_SOURCES];
	struct {
		u64 count;
		u64 ns;
		u64 max_ns;
	} phases[KVIOMMU_NR_PHASES];
};

void kviommu_reset_init(struct kviommu *v);
void kviommu_reset_start(struct kviommu *v);
void kviommu_reset_stop(struct kviommu *v);
void kviommu_reset_clear(struct kviommu *v);
void kviommu_event(struct kviommu *v, enum kviommu_source source);
void kviommu_endpoint_event(struct kviommu_endpoint *ep,
			    enum kviommu_source source);
void kviommu_reset_show_state(struct kviommu *v, struct seq_file *s);
void kviommu_reset_show_counters(struct kviommu *v, struct seq_file *s);

/* ---- the vIOMMU (viommu.c) ---- */

struct kviommu_counters {
	u64 kicks;
	u64 polled;
	u64 faults;
	u64 faults_dropped;
	u64 mappings_peak;
};

/**
 * struct kviommu - one virtual IOMMU: an mdev, and a VFIO device
 * @lock: protects everything below; see the lock order above
 * @open: a VMM has it open
 * @ictx: its iommufd. Only devices of the same one may use the guest's memory
 * @memory: guest memory is attached
 * @frozen: geometry the guest may have read; what is assigned later must fit
 * @refill_wait: while guest memory is away, or the model has something to try
 *		 again: time between two tries, jiffies, else 0; the worker
 *		 reads it without the lock
 * @refill_at: when to look next, jiffies
 */
struct kviommu {
	struct vfio_device vdev;
	const struct kviommu_model *model;
	void *model_priv;
	struct dentry *debugfs;

	struct mutex lock;		/* protects all of this, see above */
	struct iommufd_ctx *ictx;
	bool open;
	bool memory;
	struct kviommu_config config;
	struct kviommu_irqs irqs;
	struct kviommu_gmem gmem;
	struct kviommu_worker worker;
	struct xarray endpoints;
	struct list_head groups;
	struct kviommu_faults faults;
	struct kviommu_counters count;
	struct kviommu_reset reset;
	u64 nr_mappings;
	struct kviommu_geometry frozen;
	unsigned long refill_wait;
	unsigned long refill_at;

	/* settings, see Documentation/ABI */
	unsigned int boot_bypass;
	unsigned int pin_demand;
	unsigned int address_width;
	unsigned int poll_us;
	unsigned int batch;
	unsigned int quiesce_ms;
	unsigned int max_domains;
	unsigned int max_mappings;
	struct {
		unsigned int scalable;
		unsigned int first_stage;
		unsigned int passthrough;
		unsigned int snoop;
	} vtd;
	unsigned int late_mappings;
};

#define vdev_to_kviommu(d)	container_of(d, struct kviommu, vdev)

int kviommu_init(struct kviommu *v, const struct kviommu_model *model);
void kviommu_exit(struct kviommu *v);
int kviommu_open(struct kviommu *v);
void kviommu_close(struct kviommu *v);
void kviommu_reset(struct kviommu *v);
void kviommu_memory(struct kviommu *v, bool attached);
void kviommu_dma_unmap(struct kviommu *v, u64 iova, u64 length);
void kviommu_flush_all(struct kviommu *v);
void kviommu_refill_all(struct kviommu *v, unsigned int budget);
void kviommu_refill(struct kviommu *v);
void kviommu_retry_later(struct kviommu *v);
bool kviommu_work_locked(struct kviommu *v, unsigned int budget,
			 unsigned int *done);
void kviommu_work_all(struct kviommu *v);
bool kviommu_work(struct kviommu *v, unsigned int budget, unsigned int *done);
void kviommu_geometry_update(struct kviommu *v);
void kviommu_fault_report(struct kviommu *v, struct device *dev, u64 iova,
			  bool write);
bool kviommu_fault_next(struct kviommu *v, struct kviommu_fault *f);

extern const struct attribute_group *kviommu_sysfs_groups[];

void kviommu_debugfs_init(void);
void kviommu_debugfs_exit(void);
void kviommu_debugfs_add(struct kviommu *v);
void kviommu_debugfs_remove(struct kviommu *v);

int kviommu_frontend_init(void);
void kviommu_frontend_exit(void);
ssize_t kviommu_config_access(struct kviommu *v, u32 offset, u8 *buf,
			      size_t len, bool write);
void kviommu_bar_read(struct kviommu *v, unsigned int bar, u32 offset,
		      void *buf, size_t len);
void kviommu_bar_write(struct kviommu *v, unsigned int bar, u32 offset,
		       const void *buf, size_t len);

#define kviommu_dev(v)		((v)->vdev.dev)
#define kviommu_warn(v, fmt, ...) \
	dev_warn_ratelimited(kviommu_dev(v), fmt, ##__VA_ARGS__)

#endif /* KVIOMMU_PRIVATE_H */
