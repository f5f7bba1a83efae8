/* SPDX-License-Identifier: ISC */
/*
 * void eio__arch_switch(void **save, void *load, void *start)   (see arch.h)
 *
 *   register      role                          saved
 *   x0            save                          -
 *   x1            load                          -
 *   x2            start, or NULL                -
 *   x19 - x28     callee-saved                  on the stack
 *   x29 x30       frame pointer, return         on the stack
 *   d8 - d15      callee-saved                  on the stack
 *   sp            the stack                     in *save
 *   x18           the platform's                untouched
 *   fpcr          FP control                    on the stack, with -Dfp_control=true only
 */
#include "arch/asm.h"

#define FRAME 176

EIO_FUNC(eio__arch_switch)
#ifdef __ARM_FEATURE_BTI_DEFAULT
	bti c
#endif
	sub sp, sp, #FRAME
	.cfi_adjust_cfa_offset FRAME
	stp x19, x20, [sp, #0]
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	stp x21, x22, [sp, #16]
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	stp x23, x24, [sp, #32]
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	stp x25, x26, [sp, #48]
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	stp x27, x28, [sp, #64]
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	stp x29, x30, [sp, #80]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	stp d8, d9, [sp, #96]
	.cfi_rel_offset d8, 96
	.cfi_rel_offset d9, 104
	stp d10, d11, [sp, #112]
	.cfi_rel_offset d10, 112
	.cfi_rel_offset d11, 120
	stp d12, d13, [sp, #128]
	.cfi_rel_offset d12, 128
	.cfi_rel_offset d13, 136
	stp d14, d15, [sp, #144]
	.cfi_rel_offset d14, 144
	.cfi_rel_offset d15, 152
#ifdef EIO_FP_CONTROL
	mrs x3, fpcr
	str x3, [sp, #160]
#endif
	mov x4, sp
	str x4, [x0]
	cbnz x2, .Lstart

	/* From here on the frame is the other fiber's, of the same shape. */
	mov sp, x1
.Lresume:
	.cfi_remember_state
#ifdef EIO_FP_CONTROL
	ldr x4, [sp, #160]
	cmp x3, x4
	b.eq 1f
	msr fpcr, x4
1:
#endif
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d14
	.cfi_restore d15
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore x29
	.cfi_restore x30
	add sp, sp, #FRAME
	.cfi_adjust_cfa_offset -FRAME
	ret

	/* A fresh stack: nothing is above this frame, so unwinding ends here. */
.Lstart:
	.cfi_restore_state
	.cfi_remember_state
	mov sp, x1
	.cfi_def_cfa sp, 0
	.cfi_undefined x29
	.cfi_undefined x30
	mov x0, x2
	mov x29, xzr
	bl eio__arch_main
	/* The fiber has ended; x0 is the stack to go on with. */
	mov sp, x0
	.cfi_restore_state
#ifdef EIO_FP_CONTROL
	mrs x3, fpcr
#endif
	b .Lresume
EIO_END(eio__arch_switch)

#ifdef __ARM_FEATURE_BTI_DEFAULT
	/* Branch targets only; pointer signing and guarded stacks are not claimed. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long 4, 16, 5
	.string "GNU"
	.long 0xc0000000, 4, 1, 0
#endif
	EIO_NOTES
