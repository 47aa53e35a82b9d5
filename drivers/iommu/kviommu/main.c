// SPDX-License-Identifier: GPL-2.0-only
/*
 * kviommu: virtual IOMMUs in the host kernel.
 */
#include <linux/module.h>

#include "kviommu_private.h"

static int __init kviommu_module_init(void)
{
	int rc;

	rc = kviommu_shadow_module_init();
	if (rc)
		return rc;
	kviommu_debugfs_init();
	rc = kviommu_frontend_init();
	if (rc) {
		kviommu_debugfs_exit();
		kviommu_shadow_module_exit();
	}
	return rc;
}
module_init(kviommu_module_init);

static void __exit kviommu_module_exit(void)
{
	kviommu_frontend_exit();
	kviommu_debugfs_exit();
	kviommu_shadow_module_exit();
}
module_exit(kviommu_module_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The kviommu developers");
MODULE_DESCRIPTION("Virtual IOMMUs in the host kernel");
