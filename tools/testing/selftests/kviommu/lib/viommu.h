/* SPDX-License-Identifier: GPL-2.0-only */
/* virtio-iommu requests (virtio 1.3, 5.13.6), with what the device answered. */
#ifndef KVIOMMU_TEST_VIOMMU_H
#define KVIOMMU_TEST_VIOMMU_H

#include <linux/virtio_iommu.h>

#include "virtio_pci.h"

#define VIOMMU_PROBE_SIZE	512

/*
 * What a request came to: a status of the device (0..255), VIOMMU_UNWRITTEN when
 * it was returned with used length 0 and an untouched buffer, or -ETIMEDOUT, or
 * -EIO when the device set DEVICE_NEEDS_RESET, or -EPROTO when it wrote other
 * bytes than its used length says.
 */
#define VIOMMU_UNWRITTEN	0x100

#define VIOMMU_ALL_FEATURES						\
	(VIRTIO_F(VIRTIO_F_VERSION_1) |					\
	 VIRTIO_F(VIRTIO_RING_F_INDIRECT_DESC) |			\
	 VIRTIO_F(VIRTIO_RING_F_EVENT_IDX) |				\
	 VIRTIO_F(VIRTIO_IOMMU_F_INPUT_RANGE) |				\
	 VIRTIO_F(VIRTIO_IOMMU_F_DOMAIN_RANGE) |			\
	 VIRTIO_F(VIRTIO_IOMMU_F_MAP_UNMAP) |				\
	 VIRTIO_F(VIRTIO_IOMMU_F_PROBE) |				\
	 VIRTIO_F(VIRTIO_IOMMU_F_MMIO) |				\
	 VIRTIO_F(VIRTIO_IOMMU_F_BYPASS_CONFIG))
#define VIOMMU_PLAIN_FEATURES						\
	(VIOMMU_ALL_FEATURES & ~(VIRTIO_F(VIRTIO_RING_F_INDIRECT_DESC) |	\
				 VIRTIO_F(VIRTIO_RING_F_EVENT_IDX)))

#define VIOMMU_RW	(VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE)

/* Requests without the head's type are built by these, for tests to spoil */
struct virtio_iommu_req_attach viommu_make_attach(u32 domain, u32 endpoint,
						  u32 flags);
struct virtio_iommu_req_detach viommu_make_detach(u32 domain, u32 endpoint);
struct virtio_iommu_req_map viommu_make_map(u32 domain, u64 iova, u64 last,
					    u64 gpa, u32 flags);
struct virtio_iommu_req_unmap viommu_make_unmap(u32 domain, u64 iova, u64 last);

/* How long to wait for an answer */
extern unsigned int viommu_timeout_ms;

/* Place a request into a slot and publish it; no notification */
void viommu_queue(struct virtio_dev *v, unsigned int slot, const void *req,
		  size_t readable, size_t writable);
/* Take the next used element; *slot tells which it was */
int viommu_collect(struct virtio_dev *v, unsigned int *slot);
/* Queue, kick, collect */
int viommu_request(struct virtio_dev *v, const void *req, size_t readable,
		   size_t writable);

int viommu_attach(struct virtio_dev *v, u32 domain, u32 endpoint, u32 flags);
int viommu_detach(struct virtio_dev *v, u32 domain, u32 endpoint);
/* length in bytes */
int viommu_map(struct virtio_dev *v, u32 domain, u64 iova, u64 length, u64 gpa,
	       u32 flags);
int viommu_unmap(struct virtio_dev *v, u32 domain, u64 iova, u64 length);
/* properties has VIOMMU_PROBE_SIZE bytes */
int viommu_probe(struct virtio_dev *v, u32 endpoint, void *properties);

void viommu_config(struct virtio_dev *v, struct virtio_iommu_config *config);

/* Give the event queue buffers; take an event, 0 or -ETIMEDOUT */
void viommu_event_buffers(struct virtio_dev *v, unsigned int n);
int viommu_event(struct virtio_dev *v, struct virtio_iommu_fault *fault,
		 unsigned int timeout_ms);

#endif
