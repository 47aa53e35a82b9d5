// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: the whole state of each vIOMMU as text, under
 * /sys/kernel/debug/kviommu/UUID. For people and tests; not a stable interface.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "kviommu_private.h"

static struct dentry *root;

static int state_show(struct seq_file *s, void *unused)
{
	struct kviommu *v = s->private;

	mutex_lock(&v->lock);
	seq_printf(s, "model %s\n", v->model->name);
	seq_printf(s, "open %u\n", v->open);
	seq_printf(s, "memory %u\n", v->memory);
	seq_printf(s, "input_last 0x%llx\n", v->frozen.last);
	seq_printf(s, "page_sizes 0x%llx\n", v->frozen.page_sizes);
	seq_printf(s, "worker %s\n", !v->worker.task ? "none" :
		   v->worker.dead ? "dead" :
		   v->worker.polling ? "polling" : "idle");
	kviommu_reset_show_state(v, s);
	v->model->show_state(v, s);
	mutex_unlock(&v->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int endpoints_show(struct seq_file *s, void *unused)
{
	struct kviommu *v = s->private;
	struct kviommu_endpoint *ep;
	unsigned long id;
	s64 domain;

	mutex_lock(&v->lock);
	xa_for_each(&v->endpoints, id, ep) {
		seq_printf(s, "0x%04x %s%s %s", ep->id,
			   kviommu_dev_prefix(ep->kdev->dev),
			   dev_name(ep->kdev->dev),
			   kviommu_state_name(kviommu_endpoint_state(ep)));
		domain = v->model->domain_id(ep);
		if (domain >= 0)
			seq_printf(s, " domain %lld", domain);
		seq_printf(s, "%s\n", kviommu_endpoint_mark(ep));
	}
	mutex_unlock(&v->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(endpoints);

static int domains_show(struct seq_file *s, void *unused)
{
	struct kviommu *v = s->private;

	mutex_lock(&v->lock);
	v->model->show_domains(v, s);
	mutex_unlock(&v->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(domains);

static void show_mappings(struct kviommu_shadow *shadow, u32 id, void *arg)
{
	struct kviommu_extent *e;
	struct seq_file *s = arg;

	seq_printf(s, "domain %u\n", id);
	for (e = kviommu_shadow_first(shadow, 0); e && !seq_has_overflowed(s);
	     e = kviommu_extent_next(e)) {
		cond_resched();
		seq_printf(s, "0x%llx-0x%llx 0x%llx %c%c%s\n", e->iova, e->last,
			   e->gpa, e->prot & KVIOMMU_READ ? 'r' : '-',
			   e->prot & KVIOMMU_WRITE ? 'w' : '-',
			   e->absent ? " dropped" : "");
	}
}

static int mappings_show(struct seq_file *s, void *unused)
{
	struct kviommu *v = s->private;

	mutex_lock(&v->lock);
	v->model->for_each_shadow(v, show_mappings, s);
	mutex_unlock(&v->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mappings);

static void add_up(struct kviommu_shadow *shadow, u32 id, void *arg)
{
	u64 *sum = arg;

	sum[0] += kviommu_shadow_bytes(shadow);
	sum[1] += shadow->nr_absent;
}

static int counters_show(struct seq_file *s, void *unused)
{
	struct kviommu *v = s->private;
	struct kviommu_counters *c = &v->count;
	u64 sum[2] = {};

	mutex_lock(&v->lock);
	v->model->show_counters(v, s);
	v->model->for_each_shadow(v, add_up, sum);
	seq_printf(s, "kicks %llu\n", c->kicks);
	seq_printf(s, "polled %llu\n", c->polled);
	seq_printf(s, "interrupts %llu\n", (u64)atomic64_read(&v->irqs.count));
	seq_printf(s, "faults %llu\n", c->faults);
	seq_printf(s, "faults_dropped %llu\n",
		   c->faults_dropped + READ_ONCE(v->faults.dropped));
	seq_printf(s, "mappings %llu\n", v->nr_mappings);
	seq_printf(s, "mappings_peak %llu\n", c->mappings_peak);
	seq_printf(s, "pinned_bytes %llu\n", v->gmem.pinned);
	seq_printf(s, "shadow_bytes %llu\n", sum[0]);
	seq_printf(s, "dropped %llu\n", sum[1]);
	kviommu_reset_show_counters(v, s);
	mutex_unlock(&v->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

void kviommu_debugfs_add(struct kviommu *v)
{
	struct dentry *d = debugfs_create_dir(dev_name(kviommu_dev(v)), root);

	debugfs_create_file("state", 0444, d, v, &state_fops);
	debugfs_create_file("endpoints", 0444, d, v, &endpoints_fops);
	debugfs_create_file("domains", 0444, d, v, &domains_fops);
	debugfs_create_file("mappings", 0444, d, v, &mappings_fops);
	debugfs_create_file("counters", 0444, d, v, &counters_fops);
	v->debugfs = d;
}

void kviommu_debugfs_remove(struct kviommu *v)
{
	debugfs_remove_recursive(v->debugfs);
}

void __init kviommu_debugfs_init(void)
{
	root = debugfs_create_dir("kviommu", NULL);
}

void kviommu_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}
