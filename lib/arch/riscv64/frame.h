/* SPDX-License-Identifier: ISC */
/*
 * What lies at a saved stack pointer, in 8-byte words. switch.S stores it; debuggers and
 * tests know it from here.
 */
#ifndef EIO__FRAME_H
#define EIO__FRAME_H

#define EIO__FRAME_S0  0 /* s0 … s11 */
#define EIO__FRAME_PC  12
#define EIO__FRAME_FRM 13

#if defined(__riscv_float_abi_double)
#define EIO__FRAME_FS0   14 /* fs0 … fs11 */
#define EIO__FRAME_WORDS 26
#elif defined(__riscv_float_abi_soft)
#define EIO__FRAME_WORDS 14
#else
#error "eio: no context switch for this floating-point ABI"
#endif

#endif
