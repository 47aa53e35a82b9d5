/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kviommu

#if !defined(_TRACE_KVIOMMU_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVIOMMU_H

#include <linux/device.h>
#include <linux/tracepoint.h>

#define kviommu_show_request(type)		\
	__print_symbolic(type,			\
			 { 1, "attach" },	\
			 { 2, "detach" },	\
			 { 3, "map" },		\
			 { 4, "unmap" },	\
			 { 5, "probe" })

#define kviommu_show_status(status)		\
	__print_symbolic(status,		\
			 { -1, "none" },	\
			 { 0, "ok" },		\
			 { 1, "ioerr" },	\
			 { 2, "unsupp" },	\
			 { 3, "deverr" },	\
			 { 4, "inval" },	\
			 { 5, "range" },	\
			 { 6, "noent" },	\
			 { 7, "fault" },	\
			 { 8, "nomem" })

#define kviommu_show_state(state)		\
	__print_symbolic(state,			\
			 { 0, "unbound" },	\
			 { 1, "blocked" },	\
			 { 2, "bypass" },	\
			 { 3, "translated" })

/* A request of the guest is done; the rest of it is in the other events. */
TRACE_EVENT(kviommu_request,
	TP_PROTO(struct device *dev, u8 type, int status, u32 written),
	TP_ARGS(dev, type, status, written),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u8, type)
		__field(int, status)
		__field(u32, written)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->type = type;
		__entry->status = status;
		__entry->written = written;
	),
	TP_printk("%s %s: %s, %u bytes written", __get_str(dev),
		  kviommu_show_request(__entry->type),
		  kviommu_show_status(__entry->status), __entry->written)
);

DECLARE_EVENT_CLASS(kviommu_range,
	TP_PROTO(struct device *dev, u32 domain, u64 iova, u64 last, u64 gpa,
		 u32 flags, int status),
	TP_ARGS(dev, domain, iova, last, gpa, flags, status),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, domain)
		__field(u64, iova)
		__field(u64, last)
		__field(u64, gpa)
		__field(u32, flags)
		__field(int, status)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->domain = domain;
		__entry->iova = iova;
		__entry->last = last;
		__entry->gpa = gpa;
		__entry->flags = flags;
		__entry->status = status;
	),
	TP_printk("%s domain %u 0x%llx-0x%llx gpa 0x%llx flags 0x%x: %s",
		  __get_str(dev), __entry->domain, __entry->iova,
		  __entry->last, __entry->gpa, __entry->flags,
		  kviommu_show_status(__entry->status))
);

DEFINE_EVENT(kviommu_range, kviommu_map,
	TP_PROTO(struct device *dev, u32 domain, u64 iova, u64 last, u64 gpa,
		 u32 flags, int status),
	TP_ARGS(dev, domain, iova, last, gpa, flags, status)
);

DEFINE_EVENT(kviommu_range, kviommu_unmap,
	TP_PROTO(struct device *dev, u32 domain, u64 iova, u64 last, u64 gpa,
		 u32 flags, int status),
	TP_ARGS(dev, domain, iova, last, gpa, flags, status)
);

/* What a host device can reach has changed. */
TRACE_EVENT(kviommu_state,
	TP_PROTO(struct device *dev, struct device *host, u32 endpoint,
		 int from, int to),
	TP_ARGS(dev, host, endpoint, from, to),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__string(host, dev_name(host))
		__field(u32, endpoint)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__assign_str(dev);
		__assign_str(host);
		__entry->endpoint = endpoint;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%s endpoint 0x%x %s: %s -> %s", __get_str(dev),
		  __entry->endpoint, __get_str(host),
		  kviommu_show_state(__entry->from),
		  kviommu_show_state(__entry->to))
);

/* The host's IOMMU refused an access, and the guest is told. */
TRACE_EVENT(kviommu_fault,
	TP_PROTO(struct device *dev, u32 endpoint, u64 iova, bool write,
		 bool told),
	TP_ARGS(dev, endpoint, iova, write, told),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, endpoint)
		__field(u64, iova)
		__field(bool, write)
		__field(bool, told)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->endpoint = endpoint;
		__entry->iova = iova;
		__entry->write = write;
		__entry->told = told;
	),
	TP_printk("%s endpoint 0x%x %s 0x%llx%s", __get_str(dev),
		  __entry->endpoint, __entry->write ? "write" : "read",
		  __entry->iova, __entry->told ? "" : ", dropped")
);

/* The device status register of a virtio vIOMMU. */
TRACE_EVENT(kviommu_virtio_status,
	TP_PROTO(struct device *dev, u8 from, u8 to),
	TP_ARGS(dev, from, to),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u8, from)
		__field(u8, to)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%s 0x%x -> 0x%x", __get_str(dev), __entry->from,
		  __entry->to)
);

#endif /* _TRACE_KVIOMMU_H */

#include <trace/define_trace.h>
