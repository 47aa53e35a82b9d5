/* SPDX-License-Identifier: GPL-2.0-only */
/* kselftest_harness.h, and what every fixture here does around a test. */
#ifndef KVIOMMU_HARNESS_H
#define KVIOMMU_HARNESS_H

#include "kselftest_harness.h"

#include "lib/vmm.h"

/* A debug kernel in an emulated machine is slow, and each edu move costs 100 ms */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

/* In FIXTURE_SETUP: the modules, n edu devices, and a vIOMMU with them */
#define SETUP_HOST(host, n)	SETUP_HOST_TYPE(host, KVIOMMU_VIRTIO, n)
#define SETUP_HOST_TYPE(host, type, n) do {				\
	int setup_rc = host_setup(host, type, n);			\
									\
	if (setup_rc == -ENODEV)					\
		SKIP(return, "%s", (host)->why);			\
	ASSERT_EQ(0, setup_rc)						\
		TH_LOG("%s", (host)->why);				\
} while (0)

/* In FIXTURE_TEARDOWN: nothing may be left, then the vIOMMU goes */
#define TEARDOWN_HOST(host) do {					\
	const char *left = host_leftovers(host);			\
									\
	EXPECT_EQ(true, !left)						\
		TH_LOG("after the test: %s", left);			\
	host_teardown(host);						\
} while (0)

#define ASSERT_UP(vmm, step) do {					\
	int up_rc = vmm_up(vmm, step);					\
									\
	ASSERT_EQ(0, up_rc)						\
		TH_LOG("VMM step \"%s\" failed: %s",			\
		       vmm_step_name[(vmm)->next], strerror(-up_rc));	\
} while (0)

/* Whether DMA by endpoint n reaches; a failed experiment is a failure too */
#define EXPECT_WRITES(expected, vmm, n, iova, gpa)			\
	EXPECT_EQ(expected, vmm_can_write(vmm, n, iova, gpa))		\
		TH_LOG("DMA write of endpoint %d to IOVA 0x%llx (GPA 0x%llx)", \
		       n, (unsigned long long)(iova), (unsigned long long)(gpa))
#define EXPECT_READS(expected, vmm, n, iova, gpa)			\
	EXPECT_EQ(expected, vmm_can_read(vmm, n, iova, gpa))		\
		TH_LOG("DMA read of endpoint %d from IOVA 0x%llx (GPA 0x%llx)", \
		       n, (unsigned long long)(iova), (unsigned long long)(gpa))

#endif
