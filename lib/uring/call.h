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
#include <limits.h>
#include <string.h>

/* The most the kernel moves in one operation. */
enum { EIO__IO_MAX = 0x7ffff000 };

/* Nothing here has its address taken, so that it lives in registers while the fiber is
 * suspended: every cache line of a waiting fiber counts when there are thousands. */
struct eio__call {
	struct eio__uring *u;
	struct eio__slot *slot; /* pinned, or NULL */
	int unix_fd;            /* for the entry: a number, or a place in the ring's table */
	int res;
};

static inline unsigned eio__io_len(size_t len)
{
	return len > EIO__IO_MAX ? EIO__IO_MAX : (unsigned) len;
}

/* The failure of an all-or-nothing call after @p done bytes. */
static inline int eio__partial(int rc, const char *op, uint64_t done)
{
	eio_error_set(rc, op, NULL);
	return eio__fail_done(rc, op, done);
}

/* A transfer of more than nothing that moves nothing would never end. */
static inline int eio__progress(int rc)
{
	return rc ? rc : -EIO;
}

/* eio__fail with an address as the subject, which may be NULL. */
int eio__fail_addr(int rc, const char *op, const struct eio_addr *addr);

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
static inline __attribute__((always_inline)) struct io_uring_sqe *
eio__begin_bare(struct eio__call *c)
{
	struct io_uring_sqe *sqe;

	c->slot = NULL;
	c->u = eio__enter_call(&c->res);
	if (unlikely(!c->u))
		return NULL;
	sqe = eio__sqe(c->u, true);
	if (unlikely(!sqe))
		c->res = eio__canceled(c->u->domain.current);
	return sqe;
}

/* Where writes to sockets are made directly (eio__go_direct) the peer has only just got
 * what it will answer: a try to receive would find nothing. Not for one that may not wait,
 * which has only the try. */
static inline uint16_t eio__receive_hint(const struct eio__uring *u)
{
	return eio__has_many_fibers(&u->domain) && u->ring.poll_first ? IORING_RECVSEND_POLL_FIRST
								      : 0;
}

enum {
	EIO__AGAIN = 1,
	EIO__OTHERWISE = INT_MIN, /* no code of the kernel's, nor one of ours */
};

/* An entry for an operation on a descriptor, pinned by its number or its target. A handle
 * with one of the flags @p unless is not used: EIO__OTHERWISE. */
static inline __attribute__((always_inline)) struct io_uring_sqe *
eio__begin_by(struct eio__call *c, struct eio_fd fd, bool number, unsigned unless)
{
	struct io_uring_sqe *sqe;

	c->u = eio__enter_call(&c->res);
	if (unlikely(!c->u))
		return NULL;
	c->slot = eio__slot(fd);
	if (unlikely(!eio__slot_use(c->slot, fd))) {
		c->res = -EBADF;
		return NULL;
	}
	if (unless && unlikely(__atomic_load_n(&c->slot->flags, __ATOMIC_RELAXED) & unless)) {
		eio__slot_unuse(c->slot);
		c->res = EIO__OTHERWISE;
		return NULL;
	}
	c->unix_fd = number ? eio__slot_number(c->slot) : eio__slot_target(c->slot, c->u);
	if (unlikely(c->unix_fd < 0 && !eio__is_indexed(c->unix_fd))) {
		c->res = c->unix_fd;
		return NULL;
	}
	/* Cancelled while it was given a number: nobody would cancel what begins now. */
	sqe = number && unlikely(c->u->domain.current->ctx->err) ? NULL : eio__sqe(c->u, true);
	if (unlikely(!sqe)) {
		eio__slot_unuse(c->slot);
		c->res = eio__canceled(c->u->domain.current);
	}
	return sqe;
}

/* An entry for an operation on a pinned descriptor; NULL and c->res. */
static inline __attribute__((always_inline)) struct io_uring_sqe *eio__begin(struct eio__call *c,
									     struct eio_fd fd)
{
	return eio__begin_by(c, fd, false, 0);
}

static inline __attribute__((always_inline)) struct io_uring_sqe *
eio__begin_unless(struct eio__call *c, struct eio_fd fd, unsigned unless)
{
	return eio__begin_by(c, fd, false, unless);
}

/* The same for operations that know only numbers: those relative to a directory, and those
 * on extended attributes. */
static inline __attribute__((always_inline)) struct io_uring_sqe *
eio__begin_unix(struct eio__call *c, struct eio_fd fd)
{
	return eio__begin_by(c, fd, true, 0);
}

/*
 * What a failed operation means to the caller: the code to return, or EIO__AGAIN when it
 * is to be done again, after waiting for @p events on the pinned slot (0: -EAGAIN is an
 * answer).
 */
int eio__answer(const struct eio__op *op, struct eio__slot *slot, short events);

/* Waits for the operation; true: begin again. @p sqe may be NULL: c->res is set already. */
static inline __attribute__((always_inline)) bool
eio__finish(struct eio__call *c, struct io_uring_sqe *sqe, short events)
{
	struct eio__op op;

	if (unlikely(!sqe))
		return false;
	c->res = eio__op_await(c->u, &op, sqe, &eio__op_wait);
	if (unlikely(c->res < 0))
		c->res = eio__answer(&op, c->slot, events);
	if (c->slot)
		eio__slot_unuse(c->slot);
	return unlikely(op.res < 0) && c->res == EIO__AGAIN;
}

/* An entry to be prepared from nothing: newer helpers leave fields as they are. */
static inline struct io_uring_sqe eio__blank(void)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	return sqe;
}

/* All of the above for such an entry, the descriptors in which the caller holds: the result.
 * For what takes a worker thread anyway, so that a copy is nothing. */
int eio__perform(const struct io_uring_sqe *prepared);

#endif
