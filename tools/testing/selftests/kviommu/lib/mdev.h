/* SPDX-License-Identifier: GPL-2.0-only */
/* What an administrator does: PCI drivers, mdevs, kviommu's sysfs and debugfs. */
#ifndef KVIOMMU_TEST_MDEV_H
#define KVIOMMU_TEST_MDEV_H

#include "util.h"

#define KVIOMMU_PARENT	"/sys/class/mdev_bus/kviommu"
#define KVIOMMU_TYPES	KVIOMMU_PARENT "/mdev_supported_types/"
#define KVIOMMU_VIRTIO	"kviommu-virtio"
#define KVIOMMU_VTD	"kviommu-vtd"
#define KVIOMMU_SMMUV3	"kviommu-smmuv3"
#define KVIOMMU_DRIVER	"kviommu_vfio_pci"
#define KVIOMMU_DEBUGFS	"/sys/kernel/debug/kviommu"

/* PCI functions by vendor and device, as "0000:00:02.0"; returns their number */
#define BDF_LEN		16
int pci_find(u16 vendor, u16 device, char (*bdf)[BDF_LEN], int max);
/* A NIC with functions, physical or virtual, for what needs no registers */
#define IGB_VENDOR	0x8086
#define IGB_DEVICE	0x10c9

/* Two in one IOMMU group; -ENODEV if there are none */
int pci_find_pair(u16 vendor, u16 device, char (*bdf)[BDF_LEN]);
/* Two of one device; -ENODEV if there are none */
int pci_find_functions(u16 vendor, u16 device, char (*bdf)[BDF_LEN]);
void pci_path(const char *bdf, const char *attr, char *buf, size_t size);
/* As driverctl does it; driver NULL gives the device back to nobody */
int pci_set_driver(const char *bdf, const char *driver);
int pci_driver_name(const char *bdf, char *buf, size_t size);
int pci_group_name(const char *bdf, char *buf, size_t size);
/* False: a device that nobody drives reaches all of the machine's memory */
bool pci_is_translated_by_default(const char *bdf);

/* True when the modules are loaded, or could be */
bool kviommu_available(void);

#define UUID_LEN	37
struct mdev {
	char uuid[UUID_LEN];	/* "" when there is none */
};

/* Tests take random UUIDs that start so ("kvio"), to know theirs again */
#define TEST_UUID_PREFIX	"6b76696f-"
int mdev_create(struct mdev *mdev, const char *type);
void mdev_remove_stale(void);			/* what a killed test left */
int mdev_create_uuid(const char *type, const char *uuid);
int mdev_remove(struct mdev *mdev);
void mdev_dir(const struct mdev *mdev, char *buf, size_t size);
int mdev_set(const struct mdev *mdev, const char *attr, const char *value);
int mdev_get(const struct mdev *mdev, const char *attr, char *buf, size_t size);
int mdev_assign(const struct mdev *mdev, const char *bdf, const char *endpoint);
int mdev_unassign(const struct mdev *mdev, const char *bdf);
int mdev_assume_reset(const struct mdev *mdev, const char *bdf);
/* State of an endpoint by the "endpoints" attribute: "blocked", ... */
int mdev_endpoint_state(const struct mdev *mdev, u32 id, char *buf, size_t size);

int mdev_debugfs(const struct mdev *mdev, const char *file, char *buf,
		 size_t size);
/* Value of a line "name value" of debugfs, -1 if there is none */
long long mdev_counter(const struct mdev *mdev, const char *name);
/* Wait until it has that value; false if that never happens */
bool mdev_counter_becomes(const struct mdev *mdev, const char *name,
			  long long value);
bool mdev_has_mapping(const struct mdev *mdev, const char *line_prefix);

#endif
