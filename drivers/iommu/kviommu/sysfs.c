// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs: what an administrator sets, under the mdev's directory "kviommu".
 */
#include <linux/device.h>
#include <linux/pci.h>
#include <linux/sysfs.h>
#include <linux/unaligned.h>

#include "kviommu_private.h"

static struct kviommu *to_v(struct device *dev)
{
	return dev_get_drvdata(dev);
}

/* "[dddd:]bb:dd.f" as one number, with the domain in the upper half */
static bool parse_bdf(const char *s, u32 *id)
{
	unsigned int dom = 0, bus, dev, fn;
	int n = 0;

	if (sscanf(s, "%x:%x:%x.%x%n", &dom, &bus, &dev, &fn, &n) != 4) {
		dom = 0;
		n = 0;
		if (sscanf(s, "%x:%x.%x%n", &bus, &dev, &fn, &n) != 3)
			return false;
	}
	if (s[n] || dom > 0xffff || bus > 0xff || dev > 0x1f || fn > 7)
		return false;
	*id = dom << 16 | PCI_DEVID(bus, PCI_DEVFN(dev, fn));
	return true;
}

#define NAME_SIZE	64

/* A host BDF, or "platform/NAME"; in @name the BDF is as the kernel writes it. */
static bool parse_host(const char *s, char name[NAME_SIZE])
{
	size_t prefix = str_has_prefix(s, KVIOMMU_PLATFORM);
	u32 id;

	if (prefix)
		return s[prefix] && strscpy(name, s, NAME_SIZE) > 0;
	if (!parse_bdf(s, &id))
		return false;
	snprintf(name, NAME_SIZE, "%04x:%02x:%02x.%x", id >> 16,
		 PCI_BUS_NUM(id), PCI_SLOT(id & 0xff), PCI_FUNC(id));
	return true;
}

/* A guest BDF, or a number. A VIOT gives both the same id. */
static bool parse_endpoint(const char *s, u32 *id)
{
	return strchr(s, ':') ? parse_bdf(s, id) : !kstrtou32(s, 0, id);
}

static ssize_t assign_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	char host[NAME_SIZE], guest[32], end, name[NAME_SIZE];
	u32 id;
	int rc;

	if (sscanf(buf, "%63s %31s %c", host, guest, &end) != 2 ||
	    !parse_host(host, name) || !parse_endpoint(guest, &id)) {
		dev_warn(dev, "KV14: assign wants \"HOST-BDF ENDPOINT\", like \"0000:01:00.0 00:05.0\", or \"platform/NAME ENDPOINT\"\n");
		return -EINVAL;
	}
	rc = kviommu_assign(to_v(dev), name, id);
	return rc ? rc : count;
}
static DEVICE_ATTR_WO(assign);

/* A host device is written: do @fn with it. */
static ssize_t host_store(struct device *dev, struct device_attribute *attr,
			  const char *buf, size_t count,
			  int (*fn)(struct kviommu *v, const char *name))
{
	char host[NAME_SIZE], end, name[NAME_SIZE];
	int rc;

	if (sscanf(buf, "%63s %c", host, &end) != 1 ||
	    !parse_host(host, name)) {
		dev_warn(dev, "KV15: %s wants \"HOST-BDF\", like \"0000:01:00.0\", or \"platform/NAME\"\n",
			 attr->attr.name);
		return -EINVAL;
	}
	rc = fn(to_v(dev), name);
	return rc ? rc : count;
}

static ssize_t unassign_store(struct device *dev,
			      struct device_attribute *attr, const char *buf,
			      size_t count)
{
	return host_store(dev, attr, buf, count, kviommu_unassign);
}
static DEVICE_ATTR_WO(unassign);

static ssize_t assume_reset_store(struct device *dev,
				  struct device_attribute *attr,
				  const char *buf, size_t count)
{
	return host_store(dev, attr, buf, count, kviommu_assume_reset);
}
static DEVICE_ATTR_WO(assume_reset);

static ssize_t endpoints_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	struct kviommu *v = to_v(dev);
	struct kviommu_endpoint *ep;
	unsigned long id;
	int len = 0;

	mutex_lock(&v->lock);
	xa_for_each(&v->endpoints, id, ep)
		len += sysfs_emit_at(buf, len, "0x%04x %s%s %s%s\n", ep->id,
				     kviommu_dev_prefix(ep->kdev->dev),
				     dev_name(ep->kdev->dev),
				     kviommu_state_name(kviommu_endpoint_state(ep)),
				     kviommu_endpoint_mark(ep));
	mutex_unlock(&v->lock);
	return len;
}
static DEVICE_ATTR_RO(endpoints);

/* What may not change under a running guest. */
static int set_closed(struct kviommu *v, const char *name, unsigned int *field,
		      unsigned int val)
{
	int rc = 0;

	mutex_lock(&v->lock);
	if (v->open)
		rc = -EBUSY;
	else
		*field = val;
	mutex_unlock(&v->lock);
	if (rc)
		dev_warn(kviommu_dev(v),
			 "KV16: cannot set %s while a VMM has the vIOMMU open\n",
			 name);
	return rc;
}

static int parse_range(struct device *dev, const char *name, const char *buf,
		       unsigned int min, unsigned int max, unsigned int *val)
{
	if (!kstrtouint(buf, 0, val) && *val >= min && *val <= max)
		return 0;
	dev_warn(dev, "KV17: cannot set %s: it wants a number from %u to %u\n", name,
		 min, max);
	return -EINVAL;
}

/**
 * struct uint_attr - a number in struct kviommu
 * @attr: the file
 * @offset: where in struct kviommu
 * @min: least value
 * @max: largest value
 * @closed: may not change while a VMM has the vIOMMU open
 */
struct uint_attr {
	struct device_attribute attr;
	size_t offset;
	unsigned int min;
	unsigned int max;
	bool closed;
};

static unsigned int *uint_field(struct device *dev, const struct uint_attr *u)
{
	return (void *)to_v(dev) + u->offset;
}

static ssize_t uint_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct uint_attr *u = container_of(attr, struct uint_attr, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*uint_field(dev, u)));
}

static ssize_t uint_store(struct device *dev, struct device_attribute *attr,
			  const char *buf, size_t count)
{
	struct uint_attr *u = container_of(attr, struct uint_attr, attr);
	unsigned int val;
	int rc;

	rc = parse_range(dev, attr->attr.name, buf, u->min, u->max, &val);
	if (!rc && u->closed)
		rc = set_closed(to_v(dev), attr->attr.name, uint_field(dev, u),
				val);
	else if (!rc)
		WRITE_ONCE(*uint_field(dev, u), val);
	return rc ? rc : count;
}

static struct uint_attr boot_bypass = {
	.attr = __ATTR(boot_bypass, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, boot_bypass),
	.max = 1,
	.closed = true,
};

static struct uint_attr max_domains = {
	.attr = __ATTR(max_domains, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, max_domains),
	.min = 1,
	.max = 1 << 20,
	.closed = true,
};

static struct uint_attr max_mappings = {
	.attr = __ATTR(max_mappings, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, max_mappings),
	.min = 1,
	.max = 1 << 28,
	.closed = true,
};

static struct uint_attr poll_us = {
	.attr = __ATTR(poll_us, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, poll_us),
	.max = 10000,
};

static struct uint_attr batch = {
	.attr = __ATTR(batch, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, batch),
	.min = 1,
	.max = 1024,
};

static struct uint_attr quiesce_ms = {
	.attr = __ATTR(quiesce_ms, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, quiesce_ms),
	.max = 600000,
};

/* Of an SMMUv3: that it is found late what its guest maps */
static struct uint_attr late_mappings = {
	.attr = __ATTR(late_mappings, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, late_mappings),
	.max = 1,
	.closed = true,
};

/* Of a VT-d unit: what its guest is offered */
static struct uint_attr scalable = {
	.attr = __ATTR(scalable, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, vtd.scalable),
	.max = 1,
	.closed = true,
};

static struct uint_attr first_stage = {
	.attr = __ATTR(first_stage, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, vtd.first_stage),
	.max = 1,
	.closed = true,
};

static struct uint_attr passthrough = {
	.attr = __ATTR(passthrough, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, vtd.passthrough),
	.max = 1,
	.closed = true,
};

static struct uint_attr snoop = {
	.attr = __ATTR(snoop, 0644, uint_show, uint_store),
	.offset = offsetof(struct kviommu, vtd.snoop),
	.max = 1,
	.closed = true,
};

/* What a DMAR or IORT table has to name: the VMM has put BAR 0 there. */
static ssize_t register_base_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	struct kviommu *v = to_v(dev);
	u32 bar;

	mutex_lock(&v->lock);
	bar = get_unaligned_le32(v->config.space + PCI_BASE_ADDRESS_0);
	mutex_unlock(&v->lock);
	return sysfs_emit(buf, "0x%lx\n", bar & PCI_BASE_ADDRESS_MEM_MASK);
}
static DEVICE_ATTR_RO(register_base);

static ssize_t pin_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  to_v(dev)->pin_demand ? "demand" : "cache");
}

static ssize_t pin_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t count)
{
	unsigned int demand = sysfs_streq(buf, "demand");
	int rc;

	if (!demand && !sysfs_streq(buf, "cache")) {
		dev_warn(dev, "KV17: cannot set pin: it wants \"cache\" or \"demand\"\n");
		return -EINVAL;
	}
	rc = set_closed(to_v(dev), "pin", &to_v(dev)->pin_demand, demand);
	return rc ? rc : count;
}
static DEVICE_ATTR_RW(pin);

static ssize_t address_width_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	struct kviommu *v = to_v(dev);
	unsigned int width;

	mutex_lock(&v->lock);
	width = v->address_width;
	if (!width && !xa_empty(&v->endpoints))
		width = fls64(v->frozen.last);
	mutex_unlock(&v->lock);
	return sysfs_emit(buf, "%u\n", width);
}

static ssize_t address_width_store(struct device *dev,
				   struct device_attribute *attr,
				   const char *buf, size_t count)
{
	struct kviommu *v = to_v(dev);
	struct kviommu_endpoint *ep;
	unsigned int width = 0;
	unsigned long id;
	int rc = 0;

	/* 0: what the host has */
	if (!sysfs_streq(buf, "0")) {
		rc = parse_range(dev, "address_width", buf, 32, 64, &width);
		if (rc)
			return rc;
	}
	mutex_lock(&v->lock);
	if (v->open) {
		dev_warn(dev, "KV16: cannot set address_width while a VMM has the vIOMMU open\n");
		rc = -EBUSY;
	}
	xa_for_each(&v->endpoints, id, ep) {
		if (rc || !width || width <= fls64(ep->geo.last))
			continue;
		dev_warn(dev, "KV18: cannot set address_width to %u: the IOMMU of %s translates %u bits\n",
			 width, dev_name(ep->kdev->dev), fls64(ep->geo.last));
		rc = -ERANGE;
	}
	if (!rc) {
		v->address_width = width;
		kviommu_geometry_update(v);
	}
	mutex_unlock(&v->lock);
	return rc ? rc : count;
}
static DEVICE_ATTR_RW(address_width);

static struct attribute *kviommu_attrs[] = {
	&dev_attr_address_width.attr,
	&dev_attr_assign.attr,
	&dev_attr_assume_reset.attr,
	&batch.attr.attr,
	&boot_bypass.attr.attr,
	&dev_attr_endpoints.attr,
	&late_mappings.attr.attr,
	&max_domains.attr.attr,
	&max_mappings.attr.attr,
	&dev_attr_pin.attr,
	&poll_us.attr.attr,
	&quiesce_ms.attr.attr,
	&dev_attr_unassign.attr,
	&first_stage.attr.attr,
	&passthrough.attr.attr,
	&dev_attr_register_base.attr,
	&scalable.attr.attr,
	&snoop.attr.attr,
	NULL,
};

static bool is_vtd_attr(const struct attribute *attr)
{
	return attr == &first_stage.attr.attr ||
	       attr == &passthrough.attr.attr ||
	       attr == &scalable.attr.attr || attr == &snoop.attr.attr;
}

/* Each model has what it knows. A queue that can't be polled has no poll_us. */
static umode_t attr_is_visible(struct kobject *kobj, struct attribute *attr,
			       int n)
{
	struct kviommu *v = to_v(kobj_to_dev(kobj));
	bool shown = true;

	if (is_vtd_attr(attr))
		shown = v->model == &kviommu_vtd_model;
	else if (attr == &late_mappings.attr.attr)
		shown = !!v->model->late;
	else if (attr == &poll_us.attr.attr)
		shown = v->model == &kviommu_virtio_model;
	else if (attr == &dev_attr_register_base.attr)
		shown = v->model != &kviommu_virtio_model;
	return shown ? attr->mode : 0;
}

static const struct attribute_group kviommu_group = {
	.name = "kviommu",
	.attrs = kviommu_attrs,
	.is_visible = attr_is_visible,
};

const struct attribute_group *kviommu_sysfs_groups[] = {
	&kviommu_group,
	NULL,
};
