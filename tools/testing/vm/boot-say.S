/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of boot-sector.S and boot-efi.S: say on the serial port that it was there,
 * when that can take it, and reset the machine by the chipset's register. The source
 * index is where `text` is.
 */
1:	movw	$0x3fd, %dx
2:	inb	%dx, %al
	testb	$0x20, %al
	jz	2b
	lodsb
	testb	%al, %al
	jz	3f
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	1b

3:	movw	$0xcf9, %dx
	movb	$2, %al
	outb	%al, %dx
	movb	$6, %al
	outb	%al, %dx
4:	hlt
	jmp	4b

text:	.asciz	"kviommu boot\r\n"
