/* SPDX-License-Identifier: ISC */
/*
 * Names of ring operations, for dumps.
 */
#ifndef EIO__OPCODE_H
#define EIO__OPCODE_H

#include <stddef.h>

/* "recv on fd 9" and @p more; operations on no descriptor have a negative one,
 * those on a place in the ring's table its target (direct.h). */
void eio__opcode_describe(unsigned opcode, int fd, const char *more, char *buf, size_t size);

#endif
