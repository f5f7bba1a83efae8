/* SPDX-License-Identifier: ISC */
/*
 * Futexes: waiting for a word in memory that other threads or processes change. Fibers and
 * threads may wait for the same one, those by futex(2).
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_FUTEX_H
#define EIO_LL_FUTEX_H

#include <eio/api.h>

struct futex_waitv;

EIO_BEGIN_DECLS

/**
 * Wait while a word has a value: until a wake, if it has it when the kernel looks.
 *
 * @param word   4-byte aligned, must stay valid until return.
 * @param flags  0: the word may be shared between processes. FUTEX_PRIVATE_FLAG: it is this
 *   process's, which is faster. Who wakes says the same.
 * @return 0 when woken, which says nothing about the word: look again. Or:
 *   -EAGAIN      the word has another value
 *   -ECANCELED   the caller's context was cancelled; it took no wake away from others
 *   -EFAULT      there is no such memory
 *   -EINVAL      a word that is not aligned, other flags
 *   -EOPNOTSUPP  before Linux 6.7
 *   -EPERM       this thread runs no domain with a ring
 * @cancel Yes.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_futex_wait(uint32_t *word, uint32_t expected, unsigned flags);

/**
 * Wait while each of several words has its value, until a wake of any.
 *
 * @param words  From <linux/futex.h>; their flags are those of futex_waitv(2). Borrowed, as
 *   what they point at.
 * @param n      1 to 128.
 * @return Which one was woken, or as eio_ll_futex_wait.
 * @cancel, @thread, @since As eio_ll_futex_wait.
 */
EIO_API EIO_NODISCARD int eio_ll_futex_waitv(const struct futex_waitv *words, unsigned n);

/**
 * Wake who waits for a word, by these calls or by futex(2).
 *
 * Made directly: it cannot wait.
 *
 * @param n      How many at most.
 * @param flags  As for eio_ll_futex_wait.
 * @return How many were woken, or -EFAULT, -EINVAL.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_ll_futex_wake(uint32_t *word, unsigned n, unsigned flags);

EIO_END_DECLS

#endif
