/* SPDX-License-Identifier: ISC */
/*
 * void eio__arch_switch(void **save, void *load, void *start)   (see arch.h)
 *
 *   register      role                          saved
 *   a0            save                          -
 *   a1            load                          -
 *   a2            start, or NULL                -
 *   s0 - s11      callee-saved                  on the stack
 *   ra            return                        on the stack
 *   fs0 - fs11    callee-saved                  on the stack; not in the soft-float ABI
 *   sp            the stack                     in *save
 *   gp tp         the program's, the thread's   untouched
 *   frm           FP control                    on the stack, with -Dfp_control=true only
 *
 * The vector registers are the caller's. Of fcsr only the rounding mode is control; the
 * flags beside it stay the thread's.
 */
#include "arch/asm.h"
#include "arch/riscv64/frame.h"

#define FRAME (8 * EIO__FRAME_WORDS)

EIO_FUNC(eio__arch_switch)
	addi sp, sp, -FRAME
	.cfi_adjust_cfa_offset FRAME
	sd s0, 0(sp)
	.cfi_rel_offset s0, 0
	sd s1, 8(sp)
	.cfi_rel_offset s1, 8
	sd s2, 16(sp)
	.cfi_rel_offset s2, 16
	sd s3, 24(sp)
	.cfi_rel_offset s3, 24
	sd s4, 32(sp)
	.cfi_rel_offset s4, 32
	sd s5, 40(sp)
	.cfi_rel_offset s5, 40
	sd s6, 48(sp)
	.cfi_rel_offset s6, 48
	sd s7, 56(sp)
	.cfi_rel_offset s7, 56
	sd s8, 64(sp)
	.cfi_rel_offset s8, 64
	sd s9, 72(sp)
	.cfi_rel_offset s9, 72
	sd s10, 80(sp)
	.cfi_rel_offset s10, 80
	sd s11, 88(sp)
	.cfi_rel_offset s11, 88
	sd ra, 96(sp)
	.cfi_rel_offset ra, 96
#ifdef EIO__FRAME_FS0
	fsd fs0, 112(sp)
	.cfi_rel_offset fs0, 112
	fsd fs1, 120(sp)
	.cfi_rel_offset fs1, 120
	fsd fs2, 128(sp)
	.cfi_rel_offset fs2, 128
	fsd fs3, 136(sp)
	.cfi_rel_offset fs3, 136
	fsd fs4, 144(sp)
	.cfi_rel_offset fs4, 144
	fsd fs5, 152(sp)
	.cfi_rel_offset fs5, 152
	fsd fs6, 160(sp)
	.cfi_rel_offset fs6, 160
	fsd fs7, 168(sp)
	.cfi_rel_offset fs7, 168
	fsd fs8, 176(sp)
	.cfi_rel_offset fs8, 176
	fsd fs9, 184(sp)
	.cfi_rel_offset fs9, 184
	fsd fs10, 192(sp)
	.cfi_rel_offset fs10, 192
	fsd fs11, 200(sp)
	.cfi_rel_offset fs11, 200
#endif
#ifdef EIO_FP_CONTROL
	frrm t0
	sd t0, 104(sp)
#endif
	sd sp, 0(a0)
	bnez a2, .Lstart

	/* From here on the frame is the other fiber's, of the same shape. */
	mv sp, a1
.Lresume:
	.cfi_remember_state
#ifdef EIO_FP_CONTROL
	ld t1, 104(sp)
	beq t0, t1, 1f
	fsrm t1
1:
#endif
#ifdef EIO__FRAME_FS0
	fld fs0, 112(sp)
	fld fs1, 120(sp)
	fld fs2, 128(sp)
	fld fs3, 136(sp)
	fld fs4, 144(sp)
	fld fs5, 152(sp)
	fld fs6, 160(sp)
	fld fs7, 168(sp)
	fld fs8, 176(sp)
	fld fs9, 184(sp)
	fld fs10, 192(sp)
	fld fs11, 200(sp)
	.cfi_restore fs0
	.cfi_restore fs1
	.cfi_restore fs2
	.cfi_restore fs3
	.cfi_restore fs4
	.cfi_restore fs5
	.cfi_restore fs6
	.cfi_restore fs7
	.cfi_restore fs8
	.cfi_restore fs9
	.cfi_restore fs10
	.cfi_restore fs11
#endif
	ld s0, 0(sp)
	ld s1, 8(sp)
	ld s2, 16(sp)
	ld s3, 24(sp)
	ld s4, 32(sp)
	ld s5, 40(sp)
	ld s6, 48(sp)
	ld s7, 56(sp)
	ld s8, 64(sp)
	ld s9, 72(sp)
	ld s10, 80(sp)
	ld s11, 88(sp)
	ld ra, 96(sp)
	.cfi_restore s0
	.cfi_restore s1
	.cfi_restore s2
	.cfi_restore s3
	.cfi_restore s4
	.cfi_restore s5
	.cfi_restore s6
	.cfi_restore s7
	.cfi_restore s8
	.cfi_restore s9
	.cfi_restore s10
	.cfi_restore s11
	.cfi_restore ra
	addi sp, sp, FRAME
	.cfi_adjust_cfa_offset -FRAME
	ret

	/* A fresh stack: nothing is above this frame, so unwinding ends here. */
.Lstart:
	.cfi_restore_state
	.cfi_remember_state
	mv sp, a1
	.cfi_def_cfa sp, 0
	.cfi_undefined s0
	.cfi_undefined ra
	mv a0, a2
	li s0, 0
	call eio__arch_main
	/* The fiber has ended; a0 is the stack to go on with. */
	mv sp, a0
	.cfi_restore_state
#ifdef EIO_FP_CONTROL
	frrm t0
#endif
	j .Lresume
EIO_END(eio__arch_switch)

	/* No note: neither shadow stacks nor landing pads are claimed. */
	EIO_NOTES
