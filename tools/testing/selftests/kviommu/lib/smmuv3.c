// SPDX-License-Identifier: GPL-2.0-only
#include "smmuv3.h"

#include <sched.h>
#include <string.h>

#define PTE_ADDR	0x0000fffffffff000ULL
#define PAGE_BIT	(1ULL << 1)	/* a table, or at level 3 a page */

#define CMDS		256
#define EVENTS		128

u64 smmu_read(struct smmu *s, u64 off, size_t len)
{
	u64 value = 0;

	if (vfio_bar_read(s->dev, 0, off, &value, len))
		return ~0ULL;
	return value;
}

int smmu_write(struct smmu *s, u64 off, u64 value, size_t len)
{
	return vfio_bar_write(s->dev, 0, off, &value, len);
}

/* ---- tables ---- */

u64 smmu_page(struct smmu *s)
{
	u64 at = s->used;

	/* A test that needs more is wrong */
	if (at + PAGE > SMMU_MEMORY)
		return 0;
	s->used += PAGE;
	memset(s->mem + at, 0, PAGE);
	return s->gpa + at;
}

void smmu_init(struct smmu *s, struct vfio_dev *dev, u8 *mem, u64 gpa)
{
	u32 sid;

	memset(s, 0, sizeof(*s));
	s->dev = dev;
	s->mem = mem;
	s->gpa = gpa;
	s->strtab = smmu_page(s);
	s->cmdq = smmu_page(s);
	s->eventq = smmu_page(s);
	s->status = smmu_page(s);
	for (sid = 0; sid < 64; sid++)
		smmu_stream(s, sid, SMMU_ABORT, 0, 0, 0);
}

void smmu_map(struct smmu *s, u64 table, u64 iova, u64 gpa, unsigned int shift,
	      u64 bits)
{
	volatile u64 *e;
	unsigned int at;

	for (at = 39; at > shift; at -= 9) {
		e = smmu_ptr(s, table + 8 * (iova >> at & 511));
		if (!(*e & PAGE_BIT))
			*e = smmu_page(s) | PAGE_BIT | 1;
		table = *e & PTE_ADDR;
	}
	e = smmu_ptr(s, table + 8 * (iova >> shift & 511));
	*e = bits ? gpa | bits | (shift == 12 ? PAGE_BIT : 0) : 0;
}

/* 48 bits, without TT1; A and R */
void smmu_cd(struct smmu *s, u64 cd, u16 asid, u64 table)
{
	volatile u64 *w = smmu_ptr(s, cd);

	w[1] = table;
	w[0] = 16 | 1 << 30 | 1u << 31 | 5ULL << 32 | 1ULL << 41 | 1ULL << 45 |
	       1ULL << 46 | (u64)asid << 48;
}

void smmu_stream(struct smmu *s, u32 sid, enum smmu_config config, u64 cd,
		 u16 vmid, u64 s2)
{
	volatile u64 *w = smmu_ptr(s, s->strtab + 64 * sid);

	w[0] = 0;
	w[3] = s2;
	/* 36 bits, which any IDR5.OAS has room for; level 1; S2AA64, S2R */
	w[2] = vmid | 28ULL << 32 | 1ULL << 38 | 4ULL << 48 | 1ULL << 51 |
	       1ULL << 58;
	w[0] = cd | config << 1 | 1;
}

/* ---- registers ---- */

static bool over(u64 *end)
{
	if (!*end)
		*end = now_ns() + PATIENCE_NS;
	sched_yield();
	return now_ns() > *end;
}

int smmu_enable(struct smmu *s, u32 bits)
{
	u64 end = 0;

	smmu_write(s, SMMU_CR0, bits, 4);
	while (smmu_read(s, SMMU_CR0ACK, 4) != bits)
		if (over(&end))
			return -ETIMEDOUT;
	return 0;
}

int smmu_start(struct smmu *s)
{
	s->prod = 0;
	s->events = 0;
	smmu_write(s, SMMU_STRTAB_BASE, s->strtab, 8);
	smmu_write(s, SMMU_STRTAB_BASE_CFG, 6, 4);
	smmu_write(s, SMMU_CMDQ_BASE, s->cmdq | 8, 8);
	smmu_write(s, SMMU_CMDQ_PROD, 0, 4);
	smmu_write(s, SMMU_CMDQ_CONS, 0, 4);
	smmu_write(s, SMMU_EVENTQ_BASE, s->eventq | 7, 8);
	smmu_write(s, SMMU_EVENTQ_PROD, 0, 4);
	smmu_write(s, SMMU_EVENTQ_CONS, 0, 4);
	smmu_write(s, SMMU_CR2, 1 << 1, 4);
	return smmu_enable(s, SMMU_SMMUEN | SMMU_EVENTQEN | SMMU_CMDQEN);
}

int smmu_gbpa(struct smmu *s, bool abort)
{
	u64 end = 0;

	smmu_write(s, SMMU_GBPA, SMMU_GBPA_UPDATE |
		   (abort ? SMMU_GBPA_ABORT : 0), 4);
	while (smmu_read(s, SMMU_GBPA, 4) & SMMU_GBPA_UPDATE)
		if (over(&end))
			return -ETIMEDOUT;
	return 0;
}

/* ---- the queues ---- */

void smmu_put(struct smmu *s, u64 word0, u64 word1)
{
	volatile u64 *c = smmu_ptr(s, s->cmdq + s->prod % CMDS * 16);

	c[0] = word0;
	c[1] = word1;
	s->prod = (s->prod + 1) % (2 * CMDS);
}

void smmu_ring(struct smmu *s)
{
	smmu_write(s, SMMU_CMDQ_PROD, s->prod, 4);
}

int smmu_sync(struct smmu *s)
{
	u32 *status = (u32 *)smmu_ptr(s, s->status);
	unsigned int spins = 0;
	u64 end = 0;

	s->syncs++;
	smmu_put(s, SMMU_C_SYNC_IRQ(s->syncs), s->status);
	smmu_ring(s);
	while (__atomic_load_n(status, __ATOMIC_ACQUIRE) != s->syncs) {
		if (++spins < 1000)
			continue;
		if ((smmu_read(s, SMMU_GERROR, 4) ^
		     smmu_read(s, SMMU_GERRORN, 4)) & 1)
			return -EIO;
		if (over(&end))
			return -ETIMEDOUT;
	}
	return 0;
}

int smmu_submit(struct smmu *s, u64 word0, u64 word1)
{
	smmu_put(s, word0, word1);
	return smmu_sync(s);
}

int smmu_next_event(struct smmu *s, u64 *words)
{
	volatile u64 *e = smmu_ptr(s, s->eventq + s->events % EVENTS * 32);
	unsigned int i;

	if ((smmu_read(s, SMMU_EVENTQ_PROD, 4) & 0xfffff) == s->events)
		return 0;
	for (i = 0; i < 4; i++)
		words[i] = e[i];
	s->events = (s->events + 1) % (2 * EVENTS);
	smmu_write(s, SMMU_EVENTQ_CONS, s->events, 4);
	return 1;
}
