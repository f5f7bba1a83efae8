/* SPDX-License-Identifier: ISC */
/*
 * The shape of a low-level call: pin the descriptor, get an entry, fill it, wait, unpin,
 * turn the kernel's answer into the library's.
 *
 *   do {
 *           sqe = eio__begin(&c, fd);
 *           if (sqe)
 *                   io_uring_prep_…(sqe, c.unix_fd, …);
 *   } while (eio__finish(&c, sqe, POLLIN));
 *   return eio__fail(c.res, "…", NULL);
 */
#ifndef EIO__CALL_H
#define EIO__CALL_H

#include "core/error.h"
#include "uring/fd.h"
#include "uring/sched.h"

#include <eio/low_level.h>

/* The most the kernel moves in one operation. */
enum { EIO__IO_MAX = 0x7ffff000 };

struct eio__call {
	struct eio__op op;
	struct eio__uring *u;
	struct eio_fd fd;
	int unix_fd;
	int res;
};

static inline unsigned eio__io_len(size_t len)
{
	return len > EIO__IO_MAX ? EIO__IO_MAX : (unsigned) len;
}

/* The calling thread's ring and the first check of a call: NULL and *ret_err. */
static inline struct eio__uring *eio__enter_call(int *ret_err)
{
	struct eio__uring *u = eio__uring_self();

	if (unlikely(!u)) {
		*ret_err = -EPERM;
		return NULL;
	}
	if (unlikely(u->domain.current->ctx->err)) {
		*ret_err = eio__canceled(u->domain.current);
		return NULL;
	}
	return u;
}

/* An entry for an operation on no descriptor; NULL and c->res. */
static inline struct io_uring_sqe *eio__begin_bare(struct eio__call *c)
{
	struct io_uring_sqe *sqe;

	c->unix_fd = -1;
	c->u = eio__enter_call(&c->res);
	if (unlikely(!c->u))
		return NULL;
	sqe = eio__sqe(c->u, true);
	if (unlikely(!sqe))
		c->res = eio__canceled(c->u->domain.current);
	return sqe;
}

/* An entry for an operation on a pinned descriptor; NULL and c->res. */
static inline struct io_uring_sqe *eio__begin(struct eio__call *c, struct eio_fd fd)
{
	struct io_uring_sqe *sqe;
	int unix_fd;

	c->fd = fd;
	c->unix_fd = -1;
	c->u = eio__enter_call(&c->res);
	if (unlikely(!c->u))
		return NULL;
	unix_fd = eio__fd_use(fd);
	if (unlikely(unix_fd < 0)) {
		c->res = unix_fd;
		return NULL;
	}
	sqe = eio__sqe(c->u, true);
	if (unlikely(!sqe)) {
		eio__fd_unuse(fd);
		c->res = eio__canceled(c->u->domain.current);
		return NULL;
	}
	c->unix_fd = unix_fd;
	return sqe;
}

/* What a failed operation means to the caller; true: it is to be done again, after
 * waiting for @p events (0: -EAGAIN is an answer). */
bool eio__retry(struct eio__call *c, short events);

/* Waits for the operation; true: begin again. @p sqe may be NULL: c->res is set already. */
static inline bool eio__finish(struct eio__call *c, struct io_uring_sqe *sqe, short events)
{
	if (unlikely(!sqe))
		return false;
	c->res = eio__op_await(c->u, &c->op, sqe, eio__op_cancel);
	if (c->unix_fd >= 0)
		eio__fd_unuse(c->fd);
	return unlikely(c->res < 0) && eio__retry(c, events);
}

#endif
