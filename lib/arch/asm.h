/* SPDX-License-Identifier: ISC */
/*
 * Opens and closes an assembly function, so that type, size, visibility and the notes
 * cannot be forgotten.
 */
#ifndef EIO__ASM_H
#define EIO__ASM_H

/* clang-format off */
#define EIO_FUNC(name)                  \
	.text;                          \
	.globl name;                    \
	.hidden name;                   \
	.type name, %function;          \
	.p2align 5;                     \
name:                                   \
	.cfi_startproc

#define EIO_END(name)                   \
	.cfi_endproc;                   \
	.size name, . - name

#define EIO_NOTES                       \
	.section .note.GNU-stack, "", %progbits
/* clang-format on */

#endif
