/* SPDX-License-Identifier: GPL-2.0-only */
/* The iommufd ioctls that a VMM issues. */
#ifndef KVIOMMU_TEST_IOMMUFD_H
#define KVIOMMU_TEST_IOMMUFD_H

#include "util.h"

int iommufd_open(void);
int iommufd_ioas_alloc(int fd, u32 *ioas_id);
int iommufd_destroy(int fd, u32 id);
int iommufd_map(int fd, u32 ioas_id, void *va, u64 length, u64 iova,
		bool writable);
int iommufd_unmap(int fd, u32 ioas_id, u64 iova, u64 length);
int iommufd_hwpt_alloc(int fd, u32 dev_id, u32 ioas_id, u32 *hwpt_id);

#endif
