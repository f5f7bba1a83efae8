/* SPDX-License-Identifier: ISC */
/*
 * What lies at a saved stack pointer, in 8-byte words. Known here for debuggers and
 * tests; switch.S stores it.
 */
#ifndef EIO__FRAME_H
#define EIO__FRAME_H

#define EIO__FRAME_X19   0 /* x19 … x30 */
#define EIO__FRAME_FP    10
#define EIO__FRAME_PC    11
#define EIO__FRAME_D8    12 /* d8 … d15 */
#define EIO__FRAME_FPCR  20
#define EIO__FRAME_WORDS 22

#endif
