/* SPDX-License-Identifier: ISC */
/*
 * Random bytes.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_RANDOM_H
#define EIO_LL_RANDOM_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/**
 * Fill @p buf with random bytes from the kernel, good for keys.
 *
 * Waits, early after the machine has started, until the kernel has enough to begin with;
 * a long buffer is filled in pieces, between which other fibers run.
 *
 * @return 0; -ECANCELED, -EPERM, -EFAULT, or what opening /dev/random fails with if it has to
 *   wait. After a failure the buffer is not to be used.
 * @cancel Yes.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_getrandom(void *buf, size_t len);

EIO_END_DECLS

#endif
