/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What boot-sector.S does, for UEFI: an application that says it was booted, turns the
 * translation of the VT-d unit 00:03.0 on, 1:1 for the device 00:05.0, and resets the
 * machine without turning it off again.
 *
 * Firmware leaves all of memory and the devices' registers mapped 1:1.
 */
	.code64
	.globl _start
_start:
	cli
	cld
	/* The registers are where the firmware has put BAR 0, which has 32 bits. */
	movl	$0x80001804, %eax
	call	config
	inl	%dx, %eax
	orl	$2, %eax
	outl	%eax, %dx
	movl	$0x80001810, %eax
	call	config
	inl	%dx, %eax
	andl	$~15, %eax
	movl	%eax, %esi

	/* Root, context, two levels of page tables; see boot-sector.S */
	leaq	tables(%rip), %rdi
	leaq	0x1001(%rdi), %rax
	movq	%rax, (%rdi)
	leaq	0x2001(%rdi), %rax
	movq	%rax, 0x1000 + 0x28 * 16(%rdi)
	movq	$0x101, 0x1008 + 0x28 * 16(%rdi)
	leaq	0x3003(%rdi), %rax
	movq	%rax, 0x2000(%rdi)
	movl	$0x83, %eax
	xorl	%ecx, %ecx
1:	movq	%rax, 0x3000(%rdi, %rcx, 8)
	addq	$0x200000, %rax
	incl	%ecx
	cmpl	$512, %ecx
	jne	1b

	/* Root table pointer, SRTP, TE */
	movl	%edi, 0x20(%rsi)
	movl	$0, 0x24(%rsi)
	movl	$0x40000000, 0x18(%rsi)
1:	testl	$0x40000000, 0x1c(%rsi)
	jz	1b
	movl	$0x80000000, 0x18(%rsi)
1:	testl	$0x80000000, 0x1c(%rsi)
	jz	1b

	leaq	text(%rip), %rsi
#include "boot-say.S"

/* Selects the register of configuration space in %eax; %dx is where it is then */
config:
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	ret

	.bss
	.balign	4096
tables:	.skip	0x4000
