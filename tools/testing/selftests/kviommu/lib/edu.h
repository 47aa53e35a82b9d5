/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's edu device: a PCI function with one DMA engine and 4 KiB of buffer. The
 * engine moves data 100 ms after it was told to, so each move costs that much.
 * A move that the IOMMU stops tells nobody: whether data moved is seen from a
 * fresh random pattern at its source and what is at its destination.
 */
#ifndef KVIOMMU_TEST_EDU_H
#define KVIOMMU_TEST_EDU_H

#include "vfio.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_BUFFER	4096

struct edu {
	struct vfio_dev dev;
	volatile u8 *bar;
};

int edu_map_bar(struct edu *edu);		/* after bind */
/* The registers through sysfs, for a device that no VMM has open */
int edu_map_sysfs(struct edu *edu, const char *bdf);
void edu_unmap_bar(struct edu *edu);
void edu_close(struct edu *edu);

/* Raw moves of len bytes between the buffer's start and an IOVA */
void edu_start_load(struct edu *edu, u64 iova, u32 len);	/* RAM -> buffer */
void edu_start_store(struct edu *edu, u64 iova, u32 len);	/* buffer -> RAM */
int edu_wait(struct edu *edu);
void edu_interrupt(struct edu *edu);

/*
 * 1: the device's write to iova arrived at va, 0: va is as it was, or a
 * negative errno. Leaves va with other contents.
 */
int edu_can_write(struct edu *edu, u64 iova, void *va);
/*
 * The same for a read of iova, which should come from va. out_iova must be
 * writable for the device and be out_va: the only way to see the buffer.
 */
int edu_can_read(struct edu *edu, u64 iova, void *va, u64 out_iova,
		 void *out_va);

#endif
