/* SPDX-License-Identifier: ISC */
/*
 * What lies at a saved stack pointer, in 8-byte words. Known here for debuggers and
 * tests; switch.S pushes it.
 */
#ifndef EIO__FRAME_H
#define EIO__FRAME_H

#ifdef EIO_FP_CONTROL
#define EIO__FRAME_FP 1 /* mxcsr in the low half, x87 control word above it */
#else
#define EIO__FRAME_FP 0
#endif

#define EIO__FRAME_R15   (EIO__FRAME_FP + 0)
#define EIO__FRAME_R14   (EIO__FRAME_FP + 1)
#define EIO__FRAME_R13   (EIO__FRAME_FP + 2)
#define EIO__FRAME_R12   (EIO__FRAME_FP + 3)
#define EIO__FRAME_RBX   (EIO__FRAME_FP + 4)
#define EIO__FRAME_RBP   (EIO__FRAME_FP + 5)
#define EIO__FRAME_PC    (EIO__FRAME_FP + 6)
#define EIO__FRAME_WORDS (EIO__FRAME_FP + 7)

#endif
