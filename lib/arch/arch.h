/* SPDX-License-Identifier: ISC */
/*
 * Switching stacks: the same two symbols on every CPU.
 *
 * eio__arch_switch saves the callee-saved registers on the running stack, notes the
 * stack pointer in *save and goes to the stack @p load.
 *   start == NULL: @p load was noted by an earlier call, which now returns.
 *   start != NULL: @p load is the top of a fresh stack, aligned to 16. Calls
 *     eio__arch_main(start) there; what that returns is loaded in its turn.
 *
 * A new fiber is thus started by a call and ended by a return, and a switch between
 * two of them is a call answered by a return to the same place: the CPU's return
 * predictor stays in step as long as C calls this from one place only.
 */
#ifndef EIO__ARCH_H
#define EIO__ARCH_H

#if defined(__x86_64__)
#include "arch/x86_64/frame.h"
#elif defined(__aarch64__)
#include "arch/aarch64/frame.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "arch/riscv64/frame.h"
#else
#error "eio: no context switch for this CPU"
#endif

void eio__arch_switch(void **save, void *load, void *start);

/* Given by the core: runs the fiber to its end, gives the stack pointer to go on with. */
void *eio__arch_main(void *start);

#endif
