// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and mutated requests, rings, register writes, memory removal and DMA on a
 * virtio-iommu: "fuzz [seconds [seed]]". What comes of them is not looked at,
 * except that it ends; the kernel's debugging finds the rest.
 */
#include <string.h>

#include "lib/fuzz.h"

/*
 * Whether ring and driver still have the same idea of what is in use. A ring of
 * noise can have the device write to any memory, to the ring's indices too.
 */
static bool agreed;

static u32 some_domain(struct fuzz *f)
{
	return rng_chance(&f->rng, 5) ? fuzz_number(&f->rng) :
					rng_below(&f->rng, 3);
}

static u32 some_endpoint(struct fuzz *f)
{
	return rng_chance(&f->rng, 5) ? fuzz_number(&f->rng) :
			ENDPOINT(fuzz_endpoint(f));
}

/* A request; returns its readable length, sets the writable one */
static size_t some_request(struct fuzz *f, void *buf, size_t *writable)
{
	u64 iova = fuzz_iova(&f->rng), pages = 1 + rng_below(&f->rng, 16);
	size_t len;

	if (rng_chance(&f->rng, 10))
		pages = 512 * (1 + rng_below(&f->rng, 3));
	*writable = 4;
	switch (rng_below(&f->rng, 10)) {
	case 0: {
		struct virtio_iommu_req_attach req = viommu_make_attach(
			some_domain(f), some_endpoint(f),
			rng_chance(&f->rng, 30));

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
		break;
	}
	case 1: {
		struct virtio_iommu_req_detach req =
			viommu_make_detach(some_domain(f), some_endpoint(f));

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
		break;
	}
	case 2: {
		struct virtio_iommu_req_probe req = {
			.head.type = VIRTIO_IOMMU_T_PROBE,
			.endpoint = some_endpoint(f),
		};

		*writable = VIOMMU_PROBE_SIZE + 4;
		len = sizeof(req);
		memcpy(buf, &req, len);
		break;
	}
	case 3:
	case 4:
	case 5: {
		struct virtio_iommu_req_unmap req = viommu_make_unmap(
			some_domain(f), iova, iova + pages * PAGE - 1);

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
		break;
	}
	default: {
		struct virtio_iommu_req_map req = viommu_make_map(
			some_domain(f), iova, iova + pages * PAGE - 1,
			fuzz_gpa(&f->rng), 1 + rng_below(&f->rng, 3));

		len = sizeof(req) - 4;
		memcpy(buf, &req, len);
	}
	}
	/* Mutations */
	while (rng_chance(&f->rng, 10))
		((u8 *)buf)[rng_below(&f->rng, len)] = rng_next(&f->rng);
	if (rng_chance(&f->rng, 3))
		len = rng_below(&f->rng, len + 1);
	if (rng_chance(&f->rng, 3))
		*writable = rng_below(&f->rng, *writable + 8);
	return len;
}

/* Come back with a working driver, as a guest would reset a device that stopped */
static void restart(struct fuzz *f)
{
	u64 features = VIOMMU_ALL_FEATURES;

	if (rng_chance(&f->rng, 50))
		features = VIOMMU_PLAIN_FEATURES;
	virtio_start(&f->vmm.v, features, 4 << rng_below(&f->rng, 9));
	viommu_event_buffers(&f->vmm.v, 4);
	agreed = true;
}

static int collect(struct fuzz *f)
{
	unsigned int patience = viommu_timeout_ms, slot;
	int status;

	if (!agreed)
		viommu_timeout_ms = 100;
	status = viommu_collect(&f->vmm.v, &slot);
	viommu_timeout_ms = patience;
	fuzz_must(f, status != -ETIMEDOUT || !agreed,
		  "a request was never answered");
	return status;
}

static void op_requests(struct fuzz *f)
{
	struct virtio_dev *v = &f->vmm.v;
	unsigned int n = 1 + rng_below(&f->rng, 16), i;
	u8 buf[512];

	if (v->vq[0].size < 4 * n)
		n = v->vq[0].size / 4;
	for (i = 0; i < n; i++) {
		size_t writable, len = some_request(f, buf, &writable);

		viommu_queue(v, i, buf, len, writable);
	}
	vq_kick(v, 0);
	for (i = 0; i < n; i++) {
		int status = collect(f);

		if (status < 0) {
			restart(f);
			return;
		}
		f->tries++;
		f->good += !status;
	}
}

static void op_raw_ring(struct fuzz *f)
{
	struct virtio_dev *v = &f->vmm.v;
	struct vq *q = &v->vq[rng_chance(&f->rng, 80) ? 0 : 1];
	struct vring_desc *table = (void *)(v->mem + VQ_TABLES);
	unsigned int i;

	some_request(f, v->mem + VQ_BUFFERS, &(size_t){ 0 });
	for (i = 0; i < 4; i++) {
		struct vring_desc *d = rng_chance(&f->rng, 50) ?
			&q->desc[rng_below(&f->rng, q->size)] :
			&table[rng_below(&f->rng, 8)];

		d->addr = rng_chance(&f->rng, 70) ?
			  v->gpa + (rng_chance(&f->rng, 70) ? VQ_BUFFERS :
							      VQ_TABLES) +
			  rng_below(&f->rng, 64) : fuzz_number(&f->rng);
		d->len = rng_chance(&f->rng, 70) ? rng_below(&f->rng, 64) :
						   fuzz_number(&f->rng);
		d->flags = rng_below(&f->rng, 8);
		d->next = rng_chance(&f->rng, 80) ? rng_below(&f->rng, 8) :
						    fuzz_number(&f->rng);
	}
	q->avail->flags = rng_below(&f->rng, 3);
	if (rng_chance(&f->rng, 90))
		vq_push(q, rng_chance(&f->rng, 90) ?
			rng_below(&f->rng, q->size) : fuzz_number(&f->rng));
	else
		vq_set_avail_idx(q, fuzz_number(&f->rng));
	vq_set_used_event(q, fuzz_number(&f->rng));
	vq_notify(v, q->index);
	agreed = false;
	if (rng_chance(&f->rng, 30))
		restart(f);
	else
		q->used_idx = q->used->idx;
}

static void op_registers(struct fuzz *f)
{
	unsigned int n = 1 + rng_below(&f->rng, 8);
	u64 off;

	while (n--) {
		switch (rng_below(&f->rng, 6)) {
		case 0:
			off = VIRTIO_NOTIFY + rng_below(&f->rng, 0x1000);
			break;
		case 1:
			off = VIRTIO_DEVICE_CFG + rng_below(&f->rng, 64);
			break;
		case 2:
			off = rng_below(&f->rng, 0x4000);
			break;
		default:
			off = rng_below(&f->rng, 64);
		}
		fuzz_access(f, off, fuzz_number(&f->rng),
			    1 << rng_below(&f->rng, 4));
	}
	restart(f);
}

static const struct fuzz_op ops[] = {
	{ op_requests, 60 },	{ op_raw_ring, 15 },	{ op_registers, 8 },
	{ fuzz_memory, 6 },	{ fuzz_vfio, 3 },	{ fuzz_dma, 4 },
	{ fuzz_settings, 2 },	{ fuzz_look, 2 },
};

static const struct fuzz_model model = {
	.type = KVIOMMU_VIRTIO,
	.tries = "requests answered",
	.step = VMM_MAPPED,
	.ops = ops,
	.restart = restart,
	.away = op_raw_ring,
	.requests = op_requests,
};

int main(int argc, char **argv)
{
	fuzz_main(&model, argc, argv);
}
