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

/* A phase of a reset is over; @held groups wait for quiet devices now. */
TRACE_EVENT(kviommu_reset,
	TP_PROTO(struct device *dev, const char *source, const char *phase,
		 unsigned int held, u64 ns),
	TP_ARGS(dev, source, phase, held, ns),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__string(source, source)
		__string(phase, phase)
		__field(unsigned int, held)
		__field(u64, ns)
	),
	TP_fast_assign(
		__assign_str(dev);
		__assign_str(source);
		__assign_str(phase);
		__entry->held = held;
		__entry->ns = ns;
	),
	TP_printk("%s %s: %s took %llu ns, %u groups held", __get_str(dev),
		  __get_str(source), __get_str(phase), __entry->ns,
		  __entry->held)
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

#define kviommu_show_vtd_kind(kind)		\
	__print_symbolic(kind,			\
			 { 0, "blocked" },	\
			 { 1, "passthrough" },	\
			 { 2, "translate" })

/* A write to GCMD of a VT-d vIOMMU, and GSTS before it. */
TRACE_EVENT(kviommu_vtd_command,
	TP_PROTO(struct device *dev, u32 gcmd, u32 gsts),
	TP_ARGS(dev, gcmd, gsts),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, gcmd)
		__field(u32, gsts)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->gcmd = gcmd;
		__entry->gsts = gsts;
	),
	TP_printk("%s gcmd 0x%x gsts 0x%x", __get_str(dev), __entry->gcmd,
		  __entry->gsts)
);

/* An invalidation descriptor was fetched; @error is for IQERCD, or 0. */
TRACE_EVENT(kviommu_vtd_inv,
	TP_PROTO(struct device *dev, const char *kind, u64 word0, u64 word1,
		 int error),
	TP_ARGS(dev, kind, word0, word1, error),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__string(kind, kind)
		__field(u64, word0)
		__field(u64, word1)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(dev);
		__assign_str(kind);
		__entry->word0 = word0;
		__entry->word1 = word1;
		__entry->error = error;
	),
	TP_printk("%s %s 0x%llx 0x%llx error %d", __get_str(dev),
		  __get_str(kind), __entry->word0, __entry->word1,
		  __entry->error)
);

/* An endpoint was looked up in the guest's tables. */
TRACE_EVENT(kviommu_vtd_lookup,
	TP_PROTO(struct device *dev, u32 endpoint, int kind, u16 did, u8 fault),
	TP_ARGS(dev, endpoint, kind, did, fault),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, endpoint)
		__field(int, kind)
		__field(u16, did)
		__field(u8, fault)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->endpoint = endpoint;
		__entry->kind = kind;
		__entry->did = did;
		__entry->fault = fault;
	),
	TP_printk("%s endpoint 0x%x: %s domain %u fault 0x%x",
		  __get_str(dev), __entry->endpoint,
		  kviommu_show_vtd_kind(__entry->kind), __entry->did,
		  __entry->fault)
);

/* A guest domain was walked, from @begin up to @next. */
TRACE_EVENT(kviommu_sync,
	TP_PROTO(struct device *dev, u32 did, u64 begin, u64 next, u64 last,
		 u64 kept, u64 mapped, u64 unmapped, int rc),
	TP_ARGS(dev, did, begin, next, last, kept, mapped, unmapped, rc),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, did)
		__field(u64, begin)
		__field(u64, next)
		__field(u64, last)
		__field(u64, kept)
		__field(u64, mapped)
		__field(u64, unmapped)
		__field(int, rc)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->did = did;
		__entry->begin = begin;
		__entry->next = next;
		__entry->last = last;
		__entry->kept = kept;
		__entry->mapped = mapped;
		__entry->unmapped = unmapped;
		__entry->rc = rc;
	),
	TP_printk("%s domain %u 0x%llx-0x%llx up to 0x%llx: %llu kept, %llu mapped, %llu unmapped: %d",
		  __get_str(dev), __entry->did, __entry->begin, __entry->last,
		  __entry->next, __entry->kept, __entry->mapped,
		  __entry->unmapped, __entry->rc)
);

/* A fault of an endpoint; @told: it is in a fault record. */
TRACE_EVENT(kviommu_vtd_fault,
	TP_PROTO(struct device *dev, u32 endpoint, u64 addr, bool write,
		 u8 reason, bool told),
	TP_ARGS(dev, endpoint, addr, write, reason, told),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, endpoint)
		__field(u64, addr)
		__field(bool, write)
		__field(u8, reason)
		__field(bool, told)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->endpoint = endpoint;
		__entry->addr = addr;
		__entry->write = write;
		__entry->reason = reason;
		__entry->told = told;
	),
	TP_printk("%s endpoint 0x%x %s 0x%llx reason 0x%x%s",
		  __get_str(dev), __entry->endpoint,
		  __entry->write ? "write" : "read", __entry->addr,
		  __entry->reason, __entry->told ? "" : ", not recorded")
);

/* A command was fetched from the queue of an SMMUv3; @error is for CMDQ_CONS. */
TRACE_EVENT(kviommu_smmuv3_command,
	TP_PROTO(struct device *dev, u64 word0, u64 word1, int error),
	TP_ARGS(dev, word0, word1, error),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u64, word0)
		__field(u64, word1)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->word0 = word0;
		__entry->word1 = word1;
		__entry->error = error;
	),
	TP_printk("%s 0x%llx 0x%llx error %d", __get_str(dev), __entry->word0,
		  __entry->word1, __entry->error)
);

/* An endpoint was looked up in the guest's tables. */
TRACE_EVENT(kviommu_smmuv3_lookup,
	TP_PROTO(struct device *dev, u32 endpoint, int kind, u16 vmid, u16 asid,
		 u8 event),
	TP_ARGS(dev, endpoint, kind, vmid, asid, event),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, endpoint)
		__field(int, kind)
		__field(u16, vmid)
		__field(u16, asid)
		__field(u8, event)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->endpoint = endpoint;
		__entry->kind = kind;
		__entry->vmid = vmid;
		__entry->asid = asid;
		__entry->event = event;
	),
	TP_printk("%s endpoint 0x%x: %s vmid %u asid %u event 0x%x",
		  __get_str(dev), __entry->endpoint,
		  kviommu_show_vtd_kind(__entry->kind), __entry->vmid,
		  __entry->asid, __entry->event)
);

/* An event of an endpoint; @told: it is in the event queue. */
TRACE_EVENT(kviommu_smmuv3_event,
	TP_PROTO(struct device *dev, u32 endpoint, u64 addr, bool write,
		 u8 event, bool told),
	TP_ARGS(dev, endpoint, addr, write, event, told),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, endpoint)
		__field(u64, addr)
		__field(bool, write)
		__field(u8, event)
		__field(bool, told)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->endpoint = endpoint;
		__entry->addr = addr;
		__entry->write = write;
		__entry->event = event;
		__entry->told = told;
	),
	TP_printk("%s endpoint 0x%x %s 0x%llx event 0x%x%s",
		  __get_str(dev), __entry->endpoint,
		  __entry->write ? "write" : "read", __entry->addr,
		  __entry->event, __entry->told ? "" : ", not recorded")
);

#endif /* _TRACE_KVIOMMU_H */

#include <trace/define_trace.h>
