/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A boot sector that says it was booted, turns the translation of a VT-d unit at
 * 0xf8000000 on, 1:1 for the device 00:05.0, as any system would that uses it,
 * and resets the machine without turning it off again. So the disk that it came
 * from is translated and masters the bus when the machine is reset, and the
 * firmware can read it again only if that is over by then.
 */
	.code16
	.globl _start
_start:
	/* The parameters of a FAT, which are written later, are in between. */
	jmp	1f
	nop
	.org	62
1:	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	/* Segment limits of 4 GiB stay after a visit to protected mode. */
	lgdt	gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %ds
	movw	%bx, %es
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es

	/* Tables at 0x10000: root, context, two levels of page tables */
	xorl	%eax, %eax
	movl	$0x10000, %edi
	movl	$0x1000, %ecx
	addr32 rep stosl
	movl	$0x10000, %edi
	movl	$0x11001, %eax
	addr32 movl %eax, (%edi)
	/* 00:05.0: domain 1, three levels */
	movl	$0x12001, %eax
	addr32 movl %eax, 0x1000 + 0x28 * 16(%edi)
	movl	$0x101, %eax
	addr32 movl %eax, 0x1008 + 0x28 * 16(%edi)
	movl	$0x13003, %eax
	addr32 movl %eax, 0x2000(%edi)
	/* 1 GiB in pages of 2 MiB, readable and writable */
	movl	$0x83, %eax
	addl	$0x3000, %edi
	movw	$512, %cx
1:	addr32 movl %eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b

	/* Root table pointer, SRTP, TE */
	movl	$0xf8000000, %edi
	movl	$0x10000, %eax
	addr32 movl %eax, 0x20(%edi)
	xorl	%eax, %eax
	addr32 movl %eax, 0x24(%edi)
	movl	$0x40000000, %eax
	addr32 movl %eax, 0x18(%edi)
1:	addr32 testl $0x40000000, 0x1c(%edi)
	jz	1b
	movl	$0x80000000, %eax
	addr32 movl %eax, 0x18(%edi)
1:	addr32 testl $0x80000000, 0x1c(%edi)
	jz	1b

	movw	$text, %si
#include "boot-say.S"
	.balign	8
gdt:	.quad	0
	.quad	0x00cf92000000ffff
gdtr:	.word	15
	.long	gdt
	.org	510
	.word	0xaa55
