/* SPDX-License-Identifier: ISC */
/*
 * The ring's one seam: getting an entry, submitting and waiting, reaping. Everything
 * above is the same whatever is behind it.
 *
 * Entries and completions live in the memory a struct io_uring describes, and are
 * reached inline. What differs is enter, which makes queued entries visible to whoever
 * executes them, waits, and makes completions visible: here the kernel; in tests
 * something that also meddles.
 *
 * Every entry ever queued has one final completion. A ring is torn down when none is
 * pending.
 */
#ifndef EIO__RING_H
#define EIO__RING_H

#include "uring/newer.h"

#include <eio/config.h>
#include <errno.h>

struct eio__ring {
	struct io_uring uring;
	unsigned finals;      /* final completions reaped, modulo 2^32 like the tails */
	unsigned enter_flags; /* in every enter */
	bool sqpoll;
	bool poll_first;     /* a receive may be told to poll before it tries (5.19) */
	uint8_t ops[32];     /* a bit for each opcode the kernel has … */
	uint8_t allowed[32]; /* … and for each that the program's allow-list lets through */
	/*
	 * Submits what is queued, waits until @p wait completions are there or
	 * @p timeout_ns (EIO_NEVER: none) have passed, and lets the kernel post
	 * completions. 0, or a negative errno: -EINTR, -ETIME, -EAGAIN, -EBUSY, -EBADR.
	 */
	int (*enter)(struct eio__ring *r, unsigned wait, int64_t timeout_ns);
	void *meddler; /* the tests' */
};

/* @p polled: the second ring, for polled transfers. @p sharing: a ring whose polling thread
 * this one is to use too, if the kernel lets it; NULL: one of its own, if any. 0, or a negative
 * errno with a text in @p why that names cause and remedy. */
int eio__ring_init(struct eio__ring *r, const struct eio_config *config, bool polled,
		   const struct eio__ring *sharing, char *why, size_t size);
void eio__ring_fini(struct eio__ring *r);

/* Called at the end of eio__ring_init, but for polled ones; the tests' way in. */
extern void (*eio__ring_hook)(struct eio__ring *r) __attribute__((visibility("hidden")));

int eio__ring_kernel_enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns);

/* Has the kernel this opcode? One that it has and the program forbids is submitted all the
 * same, and refused: a fall-back in its place would get round the program. */
static inline bool eio__ring_has(const struct eio__ring *r, unsigned opcode)
{
	return opcode < 256 && r->ops[opcode / 8] >> opcode % 8 & 1;
}

static inline bool eio__ring_allows(const struct eio__ring *r, unsigned opcode)
{
	return opcode < 256 && r->allowed[opcode / 8] >> opcode % 8 & 1;
}

/* Entries queued and not yet taken by the kernel. */
static inline unsigned eio__ring_queued(const struct eio__ring *r)
{
	const struct io_uring_sq *sq = &r->uring.sq;

	/* The acquire matters with SQPOLL: an entry may be reused once it is taken. */
	return sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE);
}

/* Entries queued or taken whose final completion has not been reaped. */
static inline unsigned eio__ring_pending(const struct eio__ring *r)
{
	return r->uring.sq.sqe_tail - r->finals;
}

/* Since liburing 2.6 an entry is cleared when it is got, no longer when it is prepared.
 * The headers have version numbers since 2.4. */
static inline struct io_uring_sqe *eio__ring_clear(struct io_uring_sqe *sqe)
{
#ifdef IO_URING_VERSION_MAJOR
	sqe->flags = 0;
	sqe->ioprio = 0;
	sqe->rw_flags = 0;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = 0;
	sqe->addr3 = 0;
	sqe->__pad2[0] = 0;
#endif
	return sqe;
}

/* The next entry, ready to be prepared, or NULL when the queue is full. */
static inline struct io_uring_sqe *eio__ring_sqe(struct eio__ring *r)
{
	struct io_uring_sq *sq = &r->uring.sq;

	if (eio__ring_queued(r) >= sq->ring_entries)
		return NULL;
	return eio__ring_clear(&sq->sqes[sq->sqe_tail++ & sq->ring_mask]);
}

#endif
