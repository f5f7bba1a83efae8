/* SPDX-License-Identifier: ISC */
/*
 * void eio__arch_switch(void **save, void *load, void *start)   (see arch.h)
 *
 *   register      role                          saved
 *   rdi           save                          -
 *   rsi           load                          -
 *   rdx           start, or NULL                -
 *   rbx rbp       callee-saved                  on the stack
 *   r12 - r15     callee-saved                  on the stack
 *   rsp           the stack                     in *save
 *   mxcsr, x87    control words                 on the stack, with -Dfp_control=true only
 *
 * Only control bits of the FP words are compared, and a word is loaded only when it
 * differs: loading mxcsr costs more than the rest of the switch. A new fiber keeps the
 * words of the one that made it.
 */
#include "arch/asm.h"

#define MXCSR_CONTROL 0xffc0

EIO_FUNC(eio__arch_switch)
#ifdef __CET__
	endbr64
#endif
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq %r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq %r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq %r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq %r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
#ifdef EIO_FP_CONTROL
	subq $8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr (%rsp)
	fnstcw 4(%rsp)
	movl (%rsp), %ecx
	movzwl 4(%rsp), %r8d
#endif
	movq %rsp, (%rdi)
	testq %rdx, %rdx
	jnz .Lstart

	/* From here on the frame is the other fiber's, of the same shape. */
	movq %rsi, %rsp
.Lresume:
	.cfi_remember_state
#ifdef EIO_FP_CONTROL
	movl (%rsp), %eax
	xorl %ecx, %eax
	testl $MXCSR_CONTROL, %eax
	jz 1f
	ldmxcsr (%rsp)
1:	cmpw 4(%rsp), %r8w
	je 2f
	fldcw 4(%rsp)
2:	addq $8, %rsp
	.cfi_adjust_cfa_offset -8
#endif
	popq %r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq %r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq %r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq %r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret

	/* A fresh stack: nothing is above this frame, so unwinding ends here. */
.Lstart:
	.cfi_restore_state
	.cfi_remember_state
	movq %rsi, %rsp
	.cfi_def_cfa %rsp, 0
	.cfi_undefined %rip
	.cfi_undefined %rbp
	movq %rdx, %rdi
	xorl %ebp, %ebp
	call eio__arch_main
	/* The fiber has ended; rax is the stack to go on with. */
	movq %rax, %rsp
	.cfi_restore_state
#ifdef EIO_FP_CONTROL
	/* The words it ended with are the ones to compare against. */
	stmxcsr -8(%rsp)
	fnstcw -4(%rsp)
	movl -8(%rsp), %ecx
	movzwl -4(%rsp), %r8d
#endif
	jmp .Lresume
EIO_END(eio__arch_switch)

#ifdef __CET__
	/* Indirect branch tracking only. Shadow stacks are not claimed: this code swaps
	 * the stack under them. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long 4, 16, 5
	.string "GNU"
	.long 0xc0000002, 4, 1, 0
#endif
	EIO_NOTES
