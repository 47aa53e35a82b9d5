// SPDX-License-Identifier: GPL-2.0-only
/*
 * Worker: queue work that the vCPU does not do itself.
 *
 * A notification is an exit through the VMM, which costs several times what
 * the mapping does. So there are three ways, by load: the vCPU's own register
 * write handles a bounded batch (one request needs no wake-up); the worker
 * takes what is left; and when notifications come close together, the worker
 * looks at the queue by itself for a while, with notifications off.
 *
 * The worker is a thread of the VMM's process, like vhost's: its time counts
 * for the VMM's cgroup, it has its nice value, and it dies with it.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/sched/vhost_task.h>

#include "kviommu_private.h"

#define WORK_PENDING	0

/* One in 2^this occasions to poll is taken, at the least. */
#define MAX_MISSES	8U

/* How long to wait for guest memory that is away, ms */
#define RETRY_MS	10

/* Units between two looks at whether somebody else wants the CPU or lock. */
#define POLL_BATCH	64

static u64 poll_ns(const struct kviommu *v)
{
	return READ_ONCE(v->poll_us) * (u64)NSEC_PER_USEC;
}

static bool may_poll(struct kviommu *v)
{
	return READ_ONCE(v->open) && READ_ONCE(v->poll_us) &&
	       !need_resched() && !signal_pending(current);
}

static void poll_queue(struct kviommu *v)
{
	struct kviommu_worker *w = &v->worker;
	unsigned int done, total = 0;
	bool gave_up = false;
	u64 end, window = poll_ns(v);

	mutex_lock(&v->lock);
	w->polling = true;
	v->model->notify(v, false);
	mutex_unlock(&v->lock);

	end = ktime_get_ns() + window;
	while (may_poll(v)) {
		done = 0;
		kviommu_work(v, POLL_BATCH, &done);
		total += done;
		if (done)
			end = ktime_get_ns() + window;
		else if (ktime_get_ns() > end)
			gave_up = true;
		if (gave_up)
			break;
		cpu_relax();
	}

	mutex_lock(&v->lock);
	w->polling = false;
	v->count.polled += total;
	/* The more often it was useless, the longer until the next try. */
	if (total)
		w->misses = 0;
	else if (gave_up)
		w->misses = min(w->misses + 1, MAX_MISSES);
	w->skip = BIT(w->misses) - 1;
	v->model->notify(v, true);
	mutex_unlock(&v->lock);
	/* What came before the notifications were on again. */
	set_bit(WORK_PENDING, &w->pending);
}

static bool worker_fn(void *data)
{
	struct kviommu *v = data;
	struct kviommu_worker *w = &v->worker;
	unsigned long wait = READ_ONCE(v->refill_wait);
	unsigned int done = 0;

	/* In TASK_INTERRUPTIBLE, so that no wake-up is missed. */
	if (!test_and_clear_bit(WORK_PENDING, &w->pending)) {
		if (!wait)
			return false;
		/* Nobody tells of guest memory that comes back. */
		if (!schedule_timeout(wait))
			kviommu_refill(v);
		return true;
	}
	__set_current_state(TASK_RUNNING);
	if (kviommu_work(v, READ_ONCE(v->batch), &done)) {
		set_bit(WORK_PENDING, &w->pending);
		/* There is work, but the rings are not there to look at. */
		if (!done)
			schedule_timeout_interruptible(msecs_to_jiffies(RETRY_MS));
	} else if (xchg(&w->poll_asked, false)) {
		poll_queue(v);
	}
	cond_resched();
	return true;
}

/*
 * The process that opened the vIOMMU was killed. If another one holds its
 * file, everything is done in that one's register writes, what is in the queue
 * now at the next. Nothing is done here: nobody could stop it, and a dying
 * process may wait for itself to get at its memory.
 */
static void worker_killed(void *data)
{
	struct kviommu *v = data;

	mutex_lock(&v->lock);
	v->worker.dead = true;
	v->worker.polling = false;
	if (v->open && v->model->notify)
		v->model->notify(v, true);
	mutex_unlock(&v->lock);
}

/**
 * kviommu_worker_start() - start the worker
 * @v: vIOMMU, not locked
 *
 * Context: a thread of the process that the worker is to be part of.
 * Return: 0 or what creating a thread said.
 */
int kviommu_worker_start(struct kviommu *v)
{
	struct kviommu_worker *w = &v->worker;
	struct vhost_task *task;

	w->pending = 0;
	w->dead = false;
	w->polling = false;
	w->poll_asked = false;
	w->misses = 0;
	w->skip = 0;
	w->last_kick = 0;
	task = vhost_task_create(worker_fn, worker_killed, v, "kviommu");
	if (IS_ERR(task))
		return PTR_ERR(task);
	vhost_task_start(task);
	spin_lock_irq(&w->lock);
	w->task = task;
	spin_unlock_irq(&w->lock);
	return 0;
}

/**
 * kviommu_worker_stop() - stop the worker and wait for it
 * @v: vIOMMU, not locked
 */
void kviommu_worker_stop(struct kviommu *v)
{
	struct kviommu_worker *w = &v->worker;
	struct vhost_task *task;

	spin_lock_irq(&w->lock);
	task = w->task;
	w->task = NULL;
	spin_unlock_irq(&w->lock);
	if (task)
		vhost_task_stop(task);
}

/**
 * kviommu_worker_wake() - have the worker look at the queue
 * @v: vIOMMU
 *
 * Context: any, interrupts too.
 */
void kviommu_worker_wake(struct kviommu *v)
{
	struct kviommu_worker *w = &v->worker;
	unsigned long flags;

	spin_lock_irqsave(&w->lock, flags);
	if (w->task) {
		set_bit(WORK_PENDING, &w->pending);
		vhost_task_wake(w->task);
	}
	spin_unlock_irqrestore(&w->lock, flags);
}

/**
 * kviommu_worker_kick() - the guest had to notify
 * @v: vIOMMU, locked; the vCPU's own batch is done
 */
void kviommu_worker_kick(struct kviommu *v)
{
	struct kviommu_worker *w = &v->worker;
	u64 now, max = poll_ns(v);

	lockdep_assert_held(&v->lock);
	if (!max || w->dead)
		return;
	now = ktime_get_ns();
	/* It came before polling would have given up: polling saves the next. */
	if (now - w->last_kick < max) {
		if (w->skip) {
			w->skip--;
		} else {
			w->poll_asked = true;
			kviommu_worker_wake(v);
		}
	}
	w->last_kick = now;
}
