// SPDX-License-Identifier: GPL-2.0-only
#include "vtd.h"

#include <sched.h>
#include <string.h>

#define PTE_PS		(1ULL << 7)
#define PTE_ADDR	0x000ffffffffff000ULL
#define FRCD_F		(1ULL << 63)

unsigned int vtd_timeout_ms = PATIENCE_MS;

u64 vtd_read(struct vtd *v, u64 off, size_t len)
{
	u64 value = 0;

	if (vfio_bar_read(v->dev, 0, off, &value, len))
		return ~0ULL;
	return value;
}

int vtd_write(struct vtd *v, u64 off, u64 value, size_t len)
{
	return vfio_bar_write(v->dev, 0, off, &value, len);
}

/* ---- tables ---- */

u64 vtd_page(struct vtd *v)
{
	u64 at = v->used;

	/* A test that needs more is wrong */
	if (at + PAGE > VTD_MEMORY)
		return 0;
	v->used += PAGE;
	memset(v->mem + at, 0, PAGE);
	return v->gpa + at;
}

void vtd_init(struct vtd *v, struct vfio_dev *dev, u8 *mem, u64 gpa,
	      bool scalable)
{
	memset(v, 0, sizeof(*v));
	v->dev = dev;
	v->mem = mem;
	v->gpa = gpa;
	v->scalable = scalable;
	v->root = vtd_page(v);
	v->iq = vtd_page(v);
	v->status = vtd_page(v);
}

static u64 child(struct vtd *v, u64 entry, u64 bits)
{
	volatile u64 *e = vtd_ptr(v, entry);

	if (!(*e & 3))
		*e = vtd_page(v) | bits;
	return *e & PTE_ADDR;
}

u64 vtd_entry(struct vtd *v, u64 table, u64 iova, unsigned int shift, u64 bits)
{
	unsigned int at;

	for (at = 39; at > shift; at -= 9)
		table = child(v, table + 8 * (iova >> at & 511), bits & 7);
	return table + 8 * (iova >> shift & 511);
}

void vtd_map(struct vtd *v, u64 table, u64 iova, u64 gpa, unsigned int shift,
	     u64 bits)
{
	/* Tables allow everything: only pages have less */
	u64 entry = vtd_entry(v, table, iova, shift, bits | VTD_R | VTD_W);

	*vtd_ptr(v, entry) = gpa | bits | (shift > 12 ? PTE_PS : 0);
}

void vtd_unmap(struct vtd *v, u64 table, u64 iova, unsigned int shift)
{
	*vtd_ptr(v, vtd_entry(v, table, iova, shift, 7)) = 0;
}

static u64 context(struct vtd *v, u16 sid)
{
	u64 root = v->root + 16 * (sid >> 8);

	if (!v->scalable)
		return child(v, root, 1) + 16 * (sid & 0xff);
	return child(v, root + 8 * (sid >> 7 & 1), 1) + 32 * (sid & 0x7f);
}

void vtd_set_context(struct vtd *v, u16 sid, u64 lo, u64 hi)
{
	u64 at = context(v, sid);

	vtd_ptr(v, at)[1] = hi;
	vtd_ptr(v, at)[0] = lo;
}

/* Address width 48 bits: 2 */
void vtd_context_translate(struct vtd *v, u16 sid, u16 did, u64 table)
{
	vtd_set_context(v, sid, table | 1, (u64)did << 8 | 2);
}

void vtd_context_pass(struct vtd *v, u16 sid, u16 did)
{
	vtd_set_context(v, sid, 2 << 2 | 1, (u64)did << 8 | 2);
}

u64 vtd_pasid(struct vtd *v, u16 sid)
{
	return child(v, child(v, context(v, sid), 1), 1);
}

void vtd_set_pasid(struct vtd *v, u16 sid, unsigned int pgtt, u16 did, u64 fs,
		   u64 ss)
{
	volatile u64 *e = vtd_ptr(v, vtd_pasid(v, sid));

	e[2] = fs;
	e[1] = did | 1 << 23;	/* tables are coherent (PWSNP) */
	e[0] = ss | pgtt << 6 | 2 << 2 | 1;
}

void vtd_enter(struct vtd *v, enum vtd_mode mode, u16 sid, u16 did, u64 table,
	       u64 second)
{
	if (mode == VTD_LEGACY)
		vtd_context_translate(v, sid, did, table);
	else if (mode == VTD_SECOND)
		vtd_set_pasid(v, sid, 2, did, 0, table);
	else
		vtd_set_pasid(v, sid, mode == VTD_NESTED ? 3 : 1, did, table,
			      second);
}

void vtd_leave(struct vtd *v, enum vtd_mode mode, u16 sid)
{
	if (mode == VTD_LEGACY)
		vtd_set_context(v, sid, 0, 0);
	else
		*vtd_ptr(v, vtd_pasid(v, sid)) = 0;
}

/* ---- registers ---- */

static bool over(u64 *end)
{
	if (!*end)
		*end = now_ns() + vtd_timeout_ms * 1000000ULL;
	sched_yield();
	return now_ns() > *end;
}

static int one_command(struct vtd *v, u32 bit, bool on)
{
	/* Bits that say of a command that it was done are no commands */
	u32 gcmd = vtd_read(v, VTD_GSTS, 4) & ~(VTD_SRTP | VTD_SIRTP);
	u64 end = 0;

	vtd_write(v, VTD_GCMD, on ? gcmd | bit : gcmd & ~bit, 4);
	while (!(vtd_read(v, VTD_GSTS, 4) & bit) == on)
		if (over(&end))
			return -ETIMEDOUT;
	return 0;
}

int vtd_command(struct vtd *v, u32 set, u32 clear)
{
	int i, rc = 0;

	for (i = 0; i < 32 && !rc; i++) {
		if (set & (1u << i))
			rc = one_command(v, 1u << i, true);
		if (!rc && clear & (1u << i))
			rc = one_command(v, 1u << i, false);
	}
	return rc;
}

int vtd_set_root(struct vtd *v)
{
	vtd_write(v, VTD_RTADDR, v->root | (v->scalable ? 1 << 10 : 0), 8);
	return vtd_command(v, VTD_SRTP, 0);
}

int vtd_queue_start(struct vtd *v)
{
	v->tail = 0;
	vtd_write(v, VTD_IQT, 0, 8);
	vtd_write(v, VTD_IQA, v->iq | (v->scalable ? 1 << 11 : 0), 8);
	return vtd_command(v, VTD_QIE, 0);
}

int vtd_start(struct vtd *v)
{
	return vtd_set_root(v) ?: vtd_queue_start(v) ?:
	       vtd_command(v, VTD_TE, 0);
}

/* ---- the queue ---- */

void vtd_put(struct vtd *v, u64 word0, u64 word1)
{
	volatile u64 *d = vtd_ptr(v, v->iq + v->tail);

	d[0] = word0;
	d[1] = word1;
	if (v->scalable) {
		d[2] = 0;
		d[3] = 0;
	}
	v->tail = (v->tail + (v->scalable ? 32 : 16)) % PAGE;
}

void vtd_ring(struct vtd *v)
{
	vtd_write(v, VTD_IQT, v->tail, 8);
}

int vtd_sync(struct vtd *v)
{
	u32 *status = (u32 *)vtd_ptr(v, v->status);
	unsigned int spins = 0;
	u64 end = 0;

	v->waits++;
	vtd_put(v, VTD_D_WAIT(v->waits), v->status);
	vtd_ring(v);
	while (__atomic_load_n(status, __ATOMIC_ACQUIRE) != v->waits) {
		if (++spins < 1000)
			continue;
		if (vtd_read(v, VTD_FSTS, 4) & VTD_FSTS_IQE)
			return -EIO;
		if (over(&end))
			return -ETIMEDOUT;
	}
	return 0;
}

int vtd_submit(struct vtd *v, u64 word0, u64 word1)
{
	vtd_put(v, word0, word1);
	return vtd_sync(v);
}

int vtd_flush_pages(struct vtd *v, enum vtd_mode mode, u16 did, u64 iova,
		    unsigned int order)
{
	return vtd_submit(v, vtd_is_first(mode) ? VTD_D_PIOTLB(VTD_PAGE, did) :
						  VTD_D_IOTLB(VTD_PAGE, did),
			  iova | order);
}

int vtd_flush_device(struct vtd *v, u16 sid)
{
	vtd_put(v, VTD_D_CONTEXT(VTD_DEVICE, 0, sid), 0);
	if (v->scalable)
		vtd_put(v, VTD_D_PASID(VTD_PASID_ALL, 0), 0);
	return vtd_submit(v, VTD_D_IOTLB(VTD_GLOBAL, 0), 0);
}

int vtd_flush_all(struct vtd *v)
{
	vtd_put(v, VTD_D_CONTEXT(VTD_GLOBAL, 0, 0), 0);
	if (v->scalable)
		vtd_put(v, VTD_D_PASID(VTD_PASID_ALL, 0), 0);
	return vtd_submit(v, VTD_D_IOTLB(VTD_GLOBAL, 0), 0);
}

int vtd_next_fault(struct vtd *v, struct vtd_fault *fault)
{
	u32 fsts = vtd_read(v, VTD_FSTS, 4);
	u64 at, hi;

	if (!(fsts & VTD_FSTS_PPF))
		return 0;
	at = (vtd_read(v, VTD_CAP, 8) >> 24 & 0x3ff) * 16 + (fsts >> 8 & 0xff) * 16;
	hi = vtd_read(v, at + 8, 8);
	if (!(hi & FRCD_F))
		return 0;
	fault->sid = hi;
	fault->reason = hi >> 32;
	fault->addr = vtd_read(v, at, 8);
	vtd_write(v, at + 12, FRCD_F >> 32, 4);
	return 1;
}
