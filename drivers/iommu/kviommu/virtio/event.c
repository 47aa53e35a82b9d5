// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: faults that the host's IOMMU reported, told to the guest's driver
 * (virtio 1.3 5.13.6.9).
 */
#include <trace/events/kviommu.h>

#include "virtio.h"

static struct kviommu_endpoint *endpoint_of(struct kviommu *v,
					    struct device *dev)
{
	struct kviommu_endpoint *ep;
	unsigned long id;

	xa_for_each(&v->endpoints, id, ep)
		if (ep->kdev->dev == dev)
			return ep;
	return NULL;
}

static bool send(struct kviommu_virtio *vi, const struct kviommu_fault *f,
		 struct kviommu_endpoint *ep)
{
	struct kviommu_vq *vq = &vi->vq[KVIOMMU_EVENTQ];
	struct virtio_iommu_fault ev = {
		.reason = ep->domain ? VIRTIO_IOMMU_FAULT_R_MAPPING :
				       VIRTIO_IOMMU_FAULT_R_DOMAIN,
		.flags = cpu_to_le32((f->write ? VIRTIO_IOMMU_FAULT_F_WRITE :
						 VIRTIO_IOMMU_FAULT_F_READ) |
				     VIRTIO_IOMMU_FAULT_F_ADDRESS),
		.endpoint = cpu_to_le32(ep->id),
		.address = cpu_to_le64(f->iova),
	};
	struct kviommu_chain c;
	u32 written = 0;

	if (!kviommu_virtio_running(vi) || !vq->enabled ||
	    kviommu_vq_ready(vi, vq) || kviommu_vq_take(vi, vq, &c) <= 0)
		return false;
	/* A buffer that is too small is given back empty. */
	if (c.nwrite >= sizeof(ev) &&
	    !kviommu_vq_write(vi, vq, &c, 0, &ev, sizeof(ev)))
		written = sizeof(ev);
	kviommu_vq_put(vq, c.head, written);
	kviommu_vq_publish(vi, vq);
	return written;
}

/**
 * kviommu_virtio_events() - tell the guest of all faults so far
 * @vi: model
 *
 * Without a buffer from the driver a fault is dropped and counted, as
 * 5.13.6.9 allows.
 */
void kviommu_virtio_events(struct kviommu_virtio *vi)
{
	struct kviommu_endpoint *ep;
	struct kviommu_fault f;
	unsigned int n = KVIOMMU_MAX_FAULTS;
	bool told;

	while (n-- && kviommu_fault_next(vi->v, &f)) {
		ep = endpoint_of(vi->v, f.dev);
		if (!ep)
			continue;
		told = send(vi, &f, ep);
		vi->v->count.faults++;
		vi->v->count.faults_dropped += !told;
		trace_kviommu_fault(kviommu_dev(vi->v), ep->id, f.iova,
				    f.write, told);
	}
}
