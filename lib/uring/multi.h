/* SPDX-License-Identifier: ISC */
/*
 * What iterators of multishot operations are made of.
 *
 *   armed     an operation is in flight
 *   stopping  armed, and the kernel was asked to cancel it: the queue is full, the iterator
 *             ends, or the listener is closed
 *   idle      neither: who asks for a result and finds none arms it (again)
 *   starved   idle for want of a buffer; whoever gives one back ends that
 *   ended     idle for good: the final completion of one that does not repeat has come
 *
 * Completions come in a poll and are put into the caller's queue, or behind it into chunks from the
 * heap, or where the kind keeps them; nothing suspends there. A fiber in next or end is the
 * consumer; it alone arms, so that the queue of entries may be waited for. Cancel requests are
 * submitted before the entry that arms anew, so a late one does not hit that.
 *
 * Kinds are the typed iterators. They repeat: a failure is a result, after which the operation is
 * armed again when the next is asked for, as if a plain call were made again and again. What
 * the kernel cannot do multishot is done single: one operation for each result.
 */
#ifndef EIO__MULTI_H
#define EIO__MULTI_H

#include "uring/fd.h"
#include "uring/sched.h"

#include <eio/ll_multi.h>

struct eio__multi;

struct eio__multi_kind {
	const char *op; /* for errors */
	/* Takes the repeating out of an entry. NULL: every kernel repeats it, or prepare looks
	 * at m->single. */
	void (*single)(struct io_uring_sqe *sqe);
	/* Before the entry is submitted: 0; < 0 is what next returns; > 0: not now. Does not
	 * suspend. NULL: 0. */
	int (*arm)(struct eio__multi *m, struct io_uring_sqe *sqe);
	/* In a poll: is the completion a result? May change it. NULL: yes. */
	bool (*got)(struct eio__multi *m, struct eio_ll_result *r);
	/* Kinds that have no queue of results: the entry, and a result to be kept. */
	void (*prepare)(const struct eio__multi *m, struct io_uring_sqe *sqe);
	void (*put)(struct eio__multi *m, const struct eio_ll_result *r);
};

/* An entry that is submitted again and again, and results that nobody has taken. */
struct eio__multi_queue {
	struct io_uring_sqe sqe;
	struct eio_ll_result *queue;
	unsigned cap, first, n;
	struct eio__results *more, *last; /* behind the queue */
	void (*dispose)(int res, unsigned flags, void *arg);
	void *arg;
};

struct eio__multi {
	struct eio__sink sink;
	const struct eio__multi_kind *kind; /* NULL: any operation */
	struct eio__uring *u;               /* NULL: not begun, or at its end */
	struct eio__fiber *consumer;        /* NULL: nobody */
	struct eio__slot *slot;             /* pinned; NULL: none */
	struct eio__ask ask;
	struct eio__multi_queue *q; /* NULL: the kind has its own */
	bool armed, stopping, starved, ended;
	bool waits; /* the consumer is suspended for a completion */
	bool lost;  /* completions after those that are kept */
	bool single;
	bool works; /* multishot: the kernel repeats it, or has done so */
	bool poll;  /* to be armed as a poll, after -EAGAIN … */
	bool polls; /* … and it is */
};

/* All zero, but what the caller has set: kind, slot, q or what the kind has instead. On
 * failure the slot is unpinned; -EPERM, -ECANCELED. */
int eio__multi_init(struct eio__multi *m);

/* For the first time; suspends. On failure (what kind->arm says, -ECANCELED) call fini. */
int eio__multi_arm(struct eio__multi *m);

/* 1 and a result, or as eio_ll_multi_next; failures are recorded. */
int eio__multi_next(struct eio__multi *m, struct eio_ll_result *ret);

/* What it is made of, for kinds without a queue. Enter makes the calling fiber the consumer, or
 * fails; then more waits until something changes, as long as there is no result; leave ends
 * it. Failures are recorded. */
int eio__multi_enter(struct eio__multi *m);
int eio__multi_more(struct eio__multi *m);
int eio__multi_leave(struct eio__multi *m, int rc);

/* The end in two steps: no operation is in flight from the first on. */
int eio__multi_stop(struct eio__multi *m);
void eio__multi_fini(struct eio__multi *m);

/* Asks the kernel to cancel what is in flight. */
void eio__multi_ask_stop(struct eio__multi *m);

/* Has the consumer look again. */
void eio__multi_wake(struct eio__multi *m);

#endif
