/* SPDX-License-Identifier: ISC */
/*
 * Futexes: waits by the ring, which tells of a wake or of a cancellation but never loses the
 * one for the other. A wake does not wait, so the system call is made directly.
 */
#include "uring/call.h"
#include "uring/newer.h"

#include <eio/ll_futex.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In an entry the size of a word is part of its flags. */
#define SIZE_U32 2u

/* Without a ring the call itself finds that. */
static bool is_missing(unsigned opcode)
{
	const struct eio__uring *u = eio__uring_self();

	return u && !eio__ring_has(&u->ring, opcode);
}

int eio_ll_futex_wait(uint32_t *word, uint32_t expected, unsigned flags)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (flags & ~(unsigned) FUTEX_PRIVATE_FLAG)
		return eio__fail(-EINVAL, "futex_wait", NULL);
	if (is_missing(EIO__OP_FUTEX_WAIT))
		return eio__fail(-EOPNOTSUPP, "futex_wait", NULL);
	do {
		sqe = eio__begin_bare(&c);
		if (sqe) {
			io_uring_prep_rw(EIO__OP_FUTEX_WAIT, sqe, (int) (SIZE_U32 | flags), word, 0,
					 expected);
			sqe->addr3 = FUTEX_BITSET_MATCH_ANY;
		}
	} while (eio__finish(&c, sqe, 0));
	return eio__fail(c.res, "futex_wait", NULL);
}

int eio_ll_futex_waitv(const struct futex_waitv *words, unsigned n)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (is_missing(EIO__OP_FUTEX_WAITV))
		return eio__fail(-EOPNOTSUPP, "futex_waitv", NULL);
	do {
		sqe = eio__begin_bare(&c);
		if (sqe)
			io_uring_prep_rw(EIO__OP_FUTEX_WAITV, sqe, 0, words, n, 0);
	} while (eio__finish(&c, sqe, 0));
	return eio__fail(c.res, "futex_waitv", NULL);
}

int eio_ll_futex_wake(uint32_t *word, unsigned n, unsigned flags)
{
	long rc;

	if (flags & ~(unsigned) FUTEX_PRIVATE_FLAG)
		return eio__fail(-EINVAL, "futex_wake", NULL);
	/* To the kernel 0 is 1. */
	if (n == 0)
		return 0;
	rc = syscall(SYS_futex, word, FUTEX_WAKE | (int) flags, n < INT_MAX ? n : INT_MAX, NULL,
		     NULL, 0);
	return eio__fail(rc < 0 ? -errno : (int) rc, "futex_wake", NULL);
}
