// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-iommu model: guest domains, and what they mean for an endpoint.
 */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <uapi/linux/virtio_config.h>

#include "virtio.h"

static struct kviommu_virtio *priv(struct kviommu *v)
{
	return v->model_priv;
}

/**
 * kviommu_virtio_domain_create() - make a guest domain
 * @vi: model
 * @id: domain id, not in use
 * @bypass: its endpoints see guest memory 1:1
 *
 * Return: the domain, with no endpoints; ERR_PTR(-ENOMEM).
 */
struct kviommu_vdomain *kviommu_virtio_domain_create(struct kviommu_virtio *vi,
						     u32 id, bool bypass)
{
	struct kviommu_vdomain *d;
	int rc;

	d = kzalloc_obj(*d, GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->id = id;
	d->bypass = bypass;
	INIT_LIST_HEAD(&d->eps);
	kviommu_shadow_init(&d->shadow, &vi->v->gmem);
	rc = xa_insert(&vi->domains, id, d, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(d);
		return ERR_PTR(rc);
	}
	vi->nr_domains++;
	return d;
}

/**
 * kviommu_virtio_domain_put() - an endpoint has left a domain
 * @vi: model
 * @d: domain; without endpoints it ceases to exist (5.13.6.4)
 */
void kviommu_virtio_domain_put(struct kviommu_virtio *vi,
			       struct kviommu_vdomain *d)
{
	if (--d->endpoints)
		return;
	xa_erase(&vi->domains, d->id);
	if (vi->recent == d)
		vi->recent = NULL;
	vi->nr_domains--;
	vi->v->nr_mappings -= d->shadow.nr_mappings;
	kviommu_shadow_destroy(&d->shadow);
	kfree(d);
}

/**
 * kviommu_virtio_set_domain() - an endpoint is in another domain
 * @ep: endpoint. Its group has to be applied next, and then the domain that
 *	it has left be put.
 * @d: domain, or NULL for none; the caller has taken the reference
 */
void kviommu_virtio_set_domain(struct kviommu_endpoint *ep,
			       struct kviommu_vdomain *d)
{
	if (ep->domain)
		list_del_init(&ep->domain_node);
	ep->domain = d;
	if (d)
		list_add_tail(&ep->domain_node, &d->eps);
}

static int virtio_init(struct kviommu *v)
{
	static const u16 max[KVIOMMU_NR_VQS] = {
		[KVIOMMU_REQUESTQ] = KVIOMMU_REQUESTQ_MAX,
		[KVIOMMU_EVENTQ] = KVIOMMU_EVENTQ_MAX,
	};
	struct kviommu_virtio *vi;
	unsigned int i;

	vi = kzalloc_obj(*vi);
	if (!vi)
		return -ENOMEM;
	vi->v = v;
	v->model_priv = vi;
	xa_init(&vi->domains);
	for (i = 0; i < KVIOMMU_NR_VQS; i++) {
		vi->vq[i].max = max[i];
		vi->vq[i].segs = kvcalloc(max[i], sizeof(*vi->vq[i].segs),
					  GFP_KERNEL);
		if (!vi->vq[i].segs)
			goto err_free;
	}
	kviommu_virtio_pci_config(v);
	return 0;

err_free:
	for (i = 0; i < KVIOMMU_NR_VQS; i++)
		kvfree(vi->vq[i].segs);
	kfree(vi);
	v->model_priv = NULL;
	return -ENOMEM;
}

static void virtio_exit(struct kviommu *v)
{
	struct kviommu_virtio *vi = priv(v);
	unsigned int i;

	if (!vi)
		return;
	for (i = 0; i < KVIOMMU_NR_VQS; i++)
		kvfree(vi->vq[i].segs);
	xa_destroy(&vi->domains);
	kfree(vi);
}

static void virtio_reset(struct kviommu *v)
{
	struct kviommu_virtio *vi = priv(v);

	kviommu_virtio_pci_config(v);
	kviommu_virtio_reset_transport(vi);
	/* 5.13.4.2: its initial value only on system reset, which this is. */
	vi->bypass = v->boot_bypass;
}

static int virtio_open(struct kviommu *v)
{
	struct kviommu_virtio *vi = priv(v);

	memset(vi->req, 0, sizeof(vi->req));
	memset(vi->err, 0, sizeof(vi->err));
	virtio_reset(v);
	return 0;
}

static void virtio_close(struct kviommu *v)
{
	kviommu_virtio_reset_transport(priv(v));
}

/* 5.13.6: when an endpoint is in bypass mode. */
static enum kviommu_state virtio_detached(const struct kviommu *v)
{
	const struct kviommu_virtio *vi = v->model_priv;

	return vi->bypass ? KVIOMMU_BYPASS : KVIOMMU_BLOCKED;
}

static void virtio_resolve(struct kviommu *v, struct kviommu_endpoint *ep,
			   struct kviommu_target *t)
{
	struct kviommu_vdomain *d = ep->domain;

	if (!d) {
		t->state = virtio_detached(v);
		return;
	}
	t->chosen = true;
	if (d->bypass) {
		t->state = KVIOMMU_BYPASS;
	} else {
		t->state = KVIOMMU_TRANSLATED;
		t->shadow = &d->shadow;
	}
}

static bool virtio_work(struct kviommu *v, unsigned int budget,
			unsigned int *done)
{
	struct kviommu_virtio *vi = priv(v);
	struct kviommu_vq *vq = &vi->vq[KVIOMMU_REQUESTQ];
	struct kviommu_chain c;
	bool more;
	int rc = 0;

	kviommu_virtio_events(vi);
	if (!kviommu_virtio_running(vi) || !vq->enabled)
		return false;
	rc = kviommu_vq_ready(vi, vq);
	if (rc)
		return rc == -EAGAIN;

	while (budget--) {
		rc = kviommu_vq_take(vi, vq, &c);
		if (rc <= 0)
			break;
		kviommu_vq_put(vq, c.head, kviommu_virtio_request(vi, vq, &c));
		(*done)++;
		/* The request, or a bad buffer, may have stopped the device. */
		if (!kviommu_virtio_running(vi))
			break;
		/* Requests can be large, and others wait for the lock. */
		if (need_resched())
			break;
	}
	/* No request is complete before devices can't use what it removed. */
	kviommu_flush_all(v);
	kviommu_vq_publish(vi, vq);
	if (!kviommu_virtio_running(vi))
		return false;
	more = rc > 0 && kviommu_vq_pending(vq);
	/* All done: the guest has to tell of the next one, unless we poll. */
	if (!more && !v->worker.polling)
		more = kviommu_vq_notify(vi, vq, true);
	return more;
}

static void virtio_notify(struct kviommu *v, bool on)
{
	struct kviommu_virtio *vi = priv(v);
	struct kviommu_vq *vq = &vi->vq[KVIOMMU_REQUESTQ];

	if (kviommu_virtio_running(vi) && vq->enabled &&
	    !kviommu_vq_ready(vi, vq))
		kviommu_vq_notify(vi, vq, on);
}

static void virtio_release(struct kviommu *v, struct kviommu_endpoint *ep)
{
	struct kviommu_vdomain *d = ep->domain;

	if (!d)
		return;
	kviommu_virtio_set_domain(ep, NULL);
	kviommu_group_apply(v, ep->group);
	kviommu_virtio_domain_put(priv(v), d);
}

static void virtio_each_shadow(struct kviommu *v, kviommu_shadow_fn fn,
			       void *arg)
{
	struct kviommu_vdomain *d;
	unsigned long id;

	xa_for_each(&priv(v)->domains, id, d)
		if (!d->bypass)
			fn(&d->shadow, id, arg);
}

static void virtio_show_state(struct kviommu *v, struct seq_file *s)
{
	struct kviommu_virtio *vi = priv(v);

	seq_printf(s, "status 0x%x\n", vi->status);
	seq_printf(s, "features 0x%llx\n", vi->features);
	seq_printf(s, "bypass %u\n", vi->bypass);
	seq_printf(s, "domains %u\n", vi->nr_domains);
	seq_printf(s, "requestq enabled %u size %u avail %u used %u\n",
		   vi->vq[0].enabled, vi->vq[0].size, vi->vq[0].avail,
		   vi->vq[0].used);
}

static void virtio_show_domains(struct kviommu *v, struct seq_file *s)
{
	struct kviommu_vdomain *d;
	unsigned long id;

	xa_for_each(&priv(v)->domains, id, d)
		seq_printf(s, "%u endpoints %u mappings %llu bypass %u\n",
			   d->id, d->endpoints, d->shadow.nr_mappings,
			   d->bypass);
}

static void virtio_show_counters(struct kviommu *v, struct seq_file *s)
{
	static const char * const req[] = {
		"unknown", "attach", "detach", "map", "unmap", "probe",
	};
	static const char * const err[] = {
		NULL, "ioerr", "unsupp", "deverr", "inval", "range", "noent",
		"fault", "nomem",
	};
	struct kviommu_virtio *vi = priv(v);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(req); i++)
		seq_printf(s, "req_%s %llu\n", req[i], vi->req[i]);
	for (i = 1; i < ARRAY_SIZE(err); i++)
		seq_printf(s, "err_%s %llu\n", err[i], vi->err[i]);
}

static s64 virtio_domain_id(const struct kviommu_endpoint *ep)
{
	const struct kviommu_vdomain *d = ep->domain;

	return d ? (s64)d->id : -1;
}

const struct kviommu_model kviommu_virtio_model = {
	.name = "virtio",
	.vectors = KVIOMMU_MSIX_VECTORS,
	.init = virtio_init,
	.exit = virtio_exit,
	.open = virtio_open,
	.close = virtio_close,
	.reset = virtio_reset,
	.read = kviommu_virtio_read,
	.write = kviommu_virtio_write,
	.resolve = virtio_resolve,
	.work = virtio_work,
	.notify = virtio_notify,
	.detached = virtio_detached,
	.release = virtio_release,
	.leave = virtio_release,
	.for_each_shadow = virtio_each_shadow,
	.show_state = virtio_show_state,
	.show_domains = virtio_show_domains,
	.show_counters = virtio_show_counters,
	.domain_id = virtio_domain_id,
};
EXPORT_SYMBOL_IF_KUNIT(kviommu_virtio_model);
