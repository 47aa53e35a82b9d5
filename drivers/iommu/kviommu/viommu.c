// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vIOMMU: what all models share of its life. It is created as an mdev,
 * opened by a VMM, given guest memory, and closed again in whatever order the
 * VMM, or its death, brings.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <trace/events/kviommu.h>

#include "kviommu_private.h"

/*
 * While guest memory is away: extents of a shadow to try in one go, and the
 * longest time between two tries, jiffies.
 */
#define REFILL_BUDGET	1024
#define REFILL_WAIT_MAX	((unsigned long)HZ / 4)

/* Units of queue work in one go, and in all, where no worker takes the rest */
#define WORK_ALL_BATCH	64
#define WORK_ALL_MAX	1024

/* ---- guest memory is what the VMM attached to the mdev ---- */

static int vfio_pin(void *priv, u64 gpa, int npages, bool write,
		    struct page **pages)
{
	struct kviommu *v = priv;
	int rc;

	if (!v->memory)
		return -ENOENT;
	rc = vfio_pin_pages(&v->vdev, gpa, npages,
			    IOMMU_READ | (write ? IOMMU_WRITE : 0), pages);
	if (rc == npages)
		return 0;
	if (rc > 0)
		vfio_unpin_pages(&v->vdev, gpa, rc);
	return rc < 0 ? rc : -EFAULT;
}

static void vfio_unpin(void *priv, u64 gpa, int npages)
{
	struct kviommu *v = priv;

	vfio_unpin_pages(&v->vdev, gpa, npages);
}

static int vfio_rw(void *priv, u64 gpa, void *buf, size_t len, bool write)
{
	struct kviommu *v = priv;

	if (!v->memory)
		return -ENOENT;
	return vfio_dma_rw(&v->vdev, gpa, buf, len, write);
}

static const struct kviommu_gmem_ops vfio_gmem_ops = {
	.pin = vfio_pin,
	.unpin = vfio_unpin,
	.rw = vfio_rw,
};

/**
 * kviommu_init() - a new vIOMMU
 * @v: zeroed but for its VFIO device
 * @model: what it is
 *
 * Return: 0 or -ENOMEM.
 */
int kviommu_init(struct kviommu *v, const struct kviommu_model *model)
{
	mutex_init(&v->lock);
	xa_init(&v->endpoints);
	INIT_LIST_HEAD(&v->groups);
	spin_lock_init(&v->faults.lock);
	spin_lock_init(&v->worker.lock);
	spin_lock_init(&v->irqs.lock);
	kviommu_gmem_init(&v->gmem, &vfio_gmem_ops, v);
	kviommu_reset_init(v);
	v->model = model;
	v->boot_bypass = true;
	v->poll_us = 50;
	v->batch = 64;
	v->max_domains = 65536;
	v->max_mappings = 1048576;
	return model->init(v);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_init);

/**
 * kviommu_exit() - undo kviommu_init()
 * @v: vIOMMU with no endpoints, not open
 */
void kviommu_exit(struct kviommu *v)
{
	v->model->exit(v);
	kviommu_shadow_trim(&v->gmem);
	xa_destroy(&v->gmem.chunks);
	xa_destroy(&v->endpoints);
	mutex_destroy(&v->lock);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_exit);

/**
 * kviommu_geometry_update() - what the guest can be offered
 * @v: vIOMMU, locked
 *
 * The least of what the hosts of all endpoints can do, until a VMM opens the
 * vIOMMU: from then on the guest may have read it.
 */
void kviommu_geometry_update(struct kviommu *v)
{
	struct kviommu_geometry *f = &v->frozen;
	struct kviommu_endpoint *ep;
	unsigned long id;

	lockdep_assert_held(&v->lock);
	if (v->open)
		return;
	f->last = v->address_width == 64 ? U64_MAX >> 1 :
		  v->address_width ? GENMASK_ULL(v->address_width - 1, 0) :
		  xa_empty(&v->endpoints) ? GENMASK_ULL(47, 0) : U64_MAX >> 1;
	f->page_sizes = PAGE_MASK;
	f->snoop = true;
	xa_for_each(&v->endpoints, id, ep) {
		f->last = min(f->last, ep->geo.last);
		f->snoop &= ep->geo.snoop;
		/* The granule is the same for all, larger ones are hints. */
		f->page_sizes &= ep->geo.page_sizes;
	}
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_geometry_update);

static void drop_shadow(struct kviommu_shadow *s, u32 id, void *arg)
{
	u64 *range = arg;

	kviommu_shadow_drop(s, range[0], range[1], range[2], range[3]);
}

static void hold_shadow(struct kviommu_shadow *s, u32 id, void *arg)
{
	u64 *range = arg;

	if (kviommu_gmem_parted(s->gmem, range[0]))
		kviommu_shadow_hold(s, range[0]);
	if (range[0] >> KVIOMMU_CHUNK_SHIFT != range[1] >> KVIOMMU_CHUNK_SHIFT &&
	    kviommu_gmem_parted(s->gmem, range[1]))
		kviommu_shadow_hold(s, range[1]);
}

/* Put every group where the model wants it. What fails is blocked, and logged. */
static void apply_all(struct kviommu *v)
{
	struct kviommu_group *g;

	lockdep_assert_held(&v->lock);
	list_for_each_entry(g, &v->groups, node)
		kviommu_group_apply(v, g);
}

/**
 * kviommu_flush_all() - make all unmaps so far reach the devices
 * @v: vIOMMU, locked
 */
void kviommu_flush_all(struct kviommu *v)
{
	struct kviommu_shadow *s, *tmp;

	list_for_each_entry_safe(s, tmp, &v->gmem.stale, stale)
		kviommu_shadow_flush(s);
	/* What could not be unmapped must not be reached. */
	if (unlikely(v->gmem.broken))
		apply_all(v);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_flush_all);

/* What the last VMM's devices did is not the next one's. */
static void kviommu_faults_clear(struct kviommu *v)
{
	struct kviommu_faults *f = &v->faults;

	spin_lock_irq(&f->lock);
	f->nr = 0;
	f->dropped = 0;
	spin_unlock_irq(&f->lock);
}

/**
 * kviommu_open() - a VMM opened the vIOMMU
 * @v: vIOMMU
 *
 * Context: a thread of the VMM; the worker joins its process.
 * Return: 0, -ENOMEM, or what starting the worker said.
 */
int kviommu_open(struct kviommu *v)
{
	int rc;

	mutex_lock(&v->lock);
	kviommu_geometry_update(v);
	v->gmem.demand = v->pin_demand;
	v->gmem.max_regions = v->max_mappings;
	memset(&v->count, 0, sizeof(v->count));
	kviommu_reset_clear(v);
	atomic64_set(&v->irqs.count, 0);
	kviommu_faults_clear(v);
	rc = v->model->open(v);
	v->open = !rc;
	mutex_unlock(&v->lock);
	if (rc)
		return rc;
	kviommu_reset_start(v);
	rc = kviommu_worker_start(v);
	if (rc)
		kviommu_close(v);
	return rc;
}

/**
 * kviommu_close() - the VMM is gone
 * @v: vIOMMU
 *
 * In this order: devices blocked, mappings gone, pages unpinned.
 */
void kviommu_close(struct kviommu *v)
{
	mutex_lock(&v->lock);
	v->open = false;
	mutex_unlock(&v->lock);
	kviommu_worker_stop(v);

	mutex_lock(&v->lock);
	kviommu_event(v, KVIOMMU_CLOSED);
	v->model->close(v);
	kviommu_gmem_exit(&v->gmem);
	kviommu_shadow_trim(&v->gmem);
	v->memory = false;
	v->gmem.broken = false;
	v->ictx = NULL;
	kviommu_irq_close(v);
	v->refill_wait = 0;
	kviommu_geometry_update(v);
	mutex_unlock(&v->lock);
	kviommu_reset_stop(v);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_close);

/**
 * kviommu_reset() - VFIO_DEVICE_RESET: back to what it was when opened
 * @v: vIOMMU
 *
 * Endpoints that are not quiet follow when they are.
 */
void kviommu_reset(struct kviommu *v)
{
	mutex_lock(&v->lock);
	v->model->reset(v);
	kviommu_event(v, KVIOMMU_SYSTEM_RESET);
	mutex_unlock(&v->lock);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_reset);

/**
 * kviommu_memory() - guest memory was attached, or is about to be detached
 * @v: vIOMMU
 * @attached: which
 */
void kviommu_memory(struct kviommu *v, bool attached)
{
	mutex_lock(&v->lock);
	v->memory = attached;
	if (attached)
		kviommu_refill_all(v, UINT_MAX);
	kviommu_event(v, KVIOMMU_MEMORY);
	mutex_unlock(&v->lock);
	/* For work that came while there was none. */
	if (attached)
		kviommu_worker_wake(v);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_memory);

/**
 * kviommu_refill_all() - try again to map what went away
 * @v: vIOMMU, locked
 * @budget: absent extents of each shadow to try; UINT_MAX for all there are
 *
 * And what else the model could not do. What is still away is tried again later:
 * by the worker, or by the next queue work that comes then.
 */
void kviommu_refill_all(struct kviommu *v, unsigned int budget)
{
	struct kviommu_shadow *s, *tmp;
	bool some = false, all = true, waits = false;

	lockdep_assert_held(&v->lock);
	if (v->memory) {
		list_for_each_entry_safe(s, tmp, &v->gmem.holes, holes) {
			some |= kviommu_shadow_refill(s, budget);
			all &= !s->refill;
		}
		kviommu_flush_all(v);
		if (v->model->retry)
			waits = v->model->retry(v, budget == UINT_MAX);
	}
	if (list_empty(&v->gmem.holes) && !waits)
		WRITE_ONCE(v->refill_wait, 0);
	else if (some || !v->refill_wait)
		WRITE_ONCE(v->refill_wait, 1);
	else if (all)
		WRITE_ONCE(v->refill_wait,
			   min(2 * v->refill_wait, REFILL_WAIT_MAX));
	v->refill_at = jiffies + v->refill_wait;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_refill_all);

/**
 * kviommu_retry_later() - the model has something to try again
 * @v: vIOMMU, locked
 *
 * kviommu_model::retry will be called, soon at first and then less often.
 */
void kviommu_retry_later(struct kviommu *v)
{
	lockdep_assert_held(&v->lock);
	if (v->refill_wait)
		return;
	WRITE_ONCE(v->refill_wait, 1);
	v->refill_at = jiffies + 1;
	kviommu_worker_wake(v);
}

static void refill_if_time(struct kviommu *v)
{
	if (unlikely(v->refill_wait) && time_after_eq(jiffies, v->refill_at))
		kviommu_refill_all(v, REFILL_BUDGET);
}

/**
 * kviommu_refill() - the same, if it is time for it
 * @v: vIOMMU
 */
void kviommu_refill(struct kviommu *v)
{
	mutex_lock(&v->lock);
	if (v->open)
		refill_if_time(v);
	mutex_unlock(&v->lock);
}

/**
 * kviommu_dma_unmap() - the VMM takes guest memory away
 * @v: vIOMMU
 * @gpa: first byte
 * @length: bytes
 *
 * When this returns no device reaches the range, and none of it is pinned.
 *
 * Context: iommufd, without its locks.
 */
void kviommu_dma_unmap(struct kviommu *v, u64 gpa, u64 length)
{
	u64 range[4];

	if (!length)
		return;
	range[0] = gpa;
	if (check_add_overflow(gpa, length - 1, &range[1]))
		range[1] = U64_MAX;
	/* iommufd's "all" has U64_MAX bytes, one less than there are. */
	range[1] |= ~PAGE_MASK;
	range[2] = range[0];
	range[3] = range[1];

	mutex_lock(&v->lock);
	kviommu_flush_all(v);
	if (kviommu_gmem_part(&v->gmem, range[0], range[1]))
		v->model->for_each_shadow(v, hold_shadow, range);
	if (kviommu_gmem_busy(&v->gmem, &range[2], &range[3])) {
		v->model->for_each_shadow(v, drop_shadow, range);
		kviommu_flush_all(v);
		kviommu_gmem_release(&v->gmem, range[2], range[3]);
		/* What shared a chunk or an entry with it, but stays. */
		v->refill_wait = 0;
		kviommu_refill_all(v, UINT_MAX);
		/* It waits from now on for what did not come back. */
		kviommu_worker_wake(v);
	} else {
		kviommu_gmem_release(&v->gmem, range[2], range[3]);
	}
	mutex_unlock(&v->lock);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_dma_unmap);

/**
 * kviommu_work_locked() - do queue work
 * @v: vIOMMU, locked
 * @budget: units at most
 * @done: units done are added to this
 *
 * Return: true if more is waiting, and nobody will tell of it. If nothing was
 * added to @done then, it can't be done now, since the queue's memory is away.
 */
bool kviommu_work_locked(struct kviommu *v, unsigned int budget,
			 unsigned int *done)
{
	lockdep_assert_held(&v->lock);
	if (!v->open)
		return false;
	refill_if_time(v);
	return v->model->work(v, budget, done);
}

/**
 * kviommu_work_all() - do what there is, without a worker to leave it to
 * @v: vIOMMU, locked
 *
 * At most a full queue's worth. What can't be done now, since the queue's
 * memory is away, waits for the next notification.
 */
void kviommu_work_all(struct kviommu *v)
{
	unsigned int done = 0, before;

	do {
		before = done;
		if (!kviommu_work_locked(v, WORK_ALL_BATCH, &done))
			return;
		cond_resched();
	} while (done > before && done < WORK_ALL_MAX &&
		 !fatal_signal_pending(current));
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_work_all);

/**
 * kviommu_work() - kviommu_work_locked() for who has not locked it
 * @v: vIOMMU
 * @budget: units at most
 * @done: units done are added to this
 *
 * Return: as kviommu_work_locked().
 */
bool kviommu_work(struct kviommu *v, unsigned int budget, unsigned int *done)
{
	bool more;

	mutex_lock(&v->lock);
	more = kviommu_work_locked(v, budget, done);
	mutex_unlock(&v->lock);
	return more;
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_work);

/**
 * kviommu_fault_report() - the host's IOMMU refused an access
 * @v: vIOMMU
 * @dev: the device
 * @iova: address
 * @write: it was a write
 *
 * Context: any, interrupts too. Faults beyond KVIOMMU_MAX_FAULTS are counted.
 */
void kviommu_fault_report(struct kviommu *v, struct device *dev, u64 iova,
			  bool write)
{
	struct kviommu_faults *f = &v->faults;
	unsigned long flags;

	spin_lock_irqsave(&f->lock, flags);
	if (f->nr == KVIOMMU_MAX_FAULTS) {
		f->dropped++;
	} else {
		f->ring[(f->head + f->nr) % KVIOMMU_MAX_FAULTS] =
			(struct kviommu_fault){ dev, iova, write };
		f->nr++;
	}
	spin_unlock_irqrestore(&f->lock, flags);
	kviommu_worker_wake(v);
}
EXPORT_SYMBOL_IF_KUNIT(kviommu_fault_report);

/**
 * kviommu_fault_next() - take the oldest fault
 * @v: vIOMMU
 * @fault: result
 *
 * Return: false if there is none.
 */
bool kviommu_fault_next(struct kviommu *v, struct kviommu_fault *fault)
{
	struct kviommu_faults *f = &v->faults;
	bool found = false;
	unsigned long flags;

	spin_lock_irqsave(&f->lock, flags);
	if (f->nr) {
		*fault = f->ring[f->head];
		f->head = (f->head + 1) % KVIOMMU_MAX_FAULTS;
		f->nr--;
		found = true;
	}
	spin_unlock_irqrestore(&f->lock, flags);
	return found;
}
