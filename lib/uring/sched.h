/* SPDX-License-Identifier: ISC */
/*
 * The scheduler of a domain that has a ring, and operations in flight.
 *
 * A completion points at who waits for it: user_data is the address of a record on the
 * suspended fiber's stack, its low bits the kind of record. That is sound because the
 * fiber stays suspended until the operation's final completion, cancelled or not; the
 * kernel owns its buffers until then.
 *
 * A cancellation queues a request to the kernel and goes on waiting. A result >= 0 wins
 * over it.
 */
#ifndef EIO__SCHED_H
#define EIO__SCHED_H

#include "core/fiber.h"
#include "uring/direct.h"
#include "uring/fixed.h"
#include "uring/ring.h"

/* Kinds of records, in the low bits of user_data. */
enum {
	EIO__UD_OP = 0,     /* struct eio__op */
	EIO__UD_IGNORE = 1, /* nobody waits */
	EIO__UD_WAKE = 2,   /* the read of the wake-up descriptor */
	EIO__UD_MEMBER = 3, /* struct eio__member */
	EIO__UD_ALARM = 4,  /* struct eio__alarm */
	EIO__UD_SINK = 5,   /* struct eio__sink */
	EIO__UD_KINDS = 7,
};

struct eio_ll_buffers;
struct eio__polled;
struct eio__slot;

/* A timeout in flight, which wakes the domain when a clock shows a time. */
struct eio__alarm {
	clockid_t clock;
	bool rang;                   /* one has ended since the timers were looked at */
	int64_t at;                  /* when it ends; EIO_NEVER: none is in flight */
	struct __kernel_timespec ts; /* the same for the kernel */
};

struct eio__uring {
	struct eio__domain domain;
	struct eio__ring ring;
	int wake_fd;    /* eventfd */
	bool armed;     /* its read is in flight */
	uint64_t wakes; /* where that read goes */
	struct eio__alarm alarm, wall_alarm;
	struct eio__list parked;        /* fibers waiting for a free entry */
	struct eio__list cancels;       /* struct eio__ask whose request found none */
	struct eio__list group_cancels; /* groups, likewise */
	struct eio__list asked;         /* struct eio__ask the kernel was told of */
	struct eio__list group_asked;   /* groups, likewise */
	unsigned polls_since_asked;
	bool backlog;    /* something may be in one of those lists, or polled for */
	bool spins;      /* looks out for foreign wake-ups before it sleeps */
	uint8_t crowded; /* foreign wake-ups for which it will not: others want the CPU */
	struct eio__fixed fixed;
	struct eio__files files;
	struct eio__slot *slots, **slots_end; /* free descriptor slots, first in first out */
	unsigned n_slots;
	unsigned ports, multis; /* begun and not ended */
	uint16_t next_group;    /* of buffers */
	bool asked_common;      /* for the next: NULL if it cannot be had */
	struct eio_ll_buffers *common;
	struct eio__polled *polled; /* NULL: not made yet */
	const struct eio_config *config;
	uint64_t blocked; /* signals, by the library, in its thread: programs started there get
			   * them all the same */
};

/* Something in flight that the kernel is to cancel. */
struct eio__ask {
	struct eio__list link; /* in cancels or asked, until it completes */
	uint64_t user_data;
};

/* What completes more than once, or whose last completion comes when no fiber waits for it:
 * told of each. The address of one is 8-byte aligned. */
struct eio__sink {
	void (*complete)(struct eio__uring *u, struct eio__sink *s, const struct io_uring_cqe *cqe);
};

/* One operation of a suspended fiber. */
struct eio__op {
	struct eio__fiber *fiber;
	struct eio__ask ask;
	int res;
	unsigned flags; /* of the completion */
	bool got;       /* res is there */
	bool cancelled; /* by the fiber's context */
	uint8_t opcode; /* it and the target as in the entry, for dumps */
	int fd;
#ifdef EIO_DEBUG
	unsigned cookie;
#endif
};

enum { EIO__OP_COOKIE = 0x0b5e55ed };

/* Several operations submitted together. */
struct eio__group {
	struct eio__fiber *fiber;
	struct eio__member *members;
	unsigned n, left;
	unsigned asked;           /* members the kernel was asked to cancel */
	struct eio__list pending; /* in group_cancels or group_asked */
	bool cancelled;
};

struct eio__member {
	struct eio__group *group;
	int res;
	bool got;
};

extern const struct eio__sched_ops eio__uring_ops;

/* The calling thread's, NULL if it has none or another kind of scheduler. */
static inline struct eio__uring *eio__uring_self(void)
{
	struct eio__domain *d = eio__domain_self();

	return likely(d && d->ops == &eio__uring_ops) ? (struct eio__uring *) d : NULL;
}

static inline struct eio__uring *eio__uring_of(struct eio__fiber *f)
{
	return (struct eio__uring *) f->domain;
}

/* A domain with a ring on the calling thread; @p sharing as for eio__ring_init. 0, or a
 * negative errno and a text. */
int eio__uring_init(struct eio__uring *u, const struct eio_config *config,
		    const struct eio__ring *sharing, char *why, size_t size);

/* Every fiber has ended: waits for the last completions. */
void eio__uring_fini(struct eio__uring *u);

/* Makes room in a full queue, suspending if need be. NULL: cancelled (only if asked for). */
struct io_uring_sqe *eio__sqe_wait(struct eio__uring *u, bool cancellable);

/* The next entry, to be filled in completely before anything else happens. */
static inline struct io_uring_sqe *eio__sqe(struct eio__uring *u, bool cancellable)
{
	struct io_uring_sqe *sqe = eio__ring_sqe(&u->ring);

	return likely(sqe) ? sqe : eio__sqe_wait(u, cancellable);
}

/* At least @p n free entries, so that they go in with one submission; n <= queue size. */
int eio__sqe_room(struct eio__uring *u, unsigned n);

/* Enters a ring of the domain's once. What the kernel refuses for now stays queued. */
void eio__submit(struct eio__uring *u, struct eio__ring *r, unsigned wait, int64_t timeout_ns);

/* An entry nobody waits for, or NULL; does not suspend. */
struct io_uring_sqe *eio__sqe_ignored(struct eio__uring *u);

/*
 * Asks the kernel to cancel what is in flight with this @p user_data, again and again until
 * the ask is ended; does not suspend. An ask under way is left as it is.
 */
void eio__ask_cancel(struct eio__uring *u, struct eio__ask *a, uint64_t user_data);

/* The same, not before the poll under way, or the next one, has reaped: for sinks. */
void eio__ask_cancel_soon(struct eio__uring *u, struct eio__ask *a, uint64_t user_data);

static inline void eio__ask_end(struct eio__ask *a)
{
	if (unlikely(eio__list_linked(&a->link)))
		eio__list_remove(&a->link);
}

/* Another domain has reached this one: more may follow soon. */
static inline void eio__woken_by_other(struct eio__uring *u)
{
	u->spins = u->crowded == 0;
	u->crowded -= u->crowded > 0;
}

void eio__op_ask_cancel(struct eio__uring *u, struct eio__op *op);

void eio__group_ask_cancel(struct eio__uring *u, struct eio__group *g);

/* For polls: requests that found no entry are made while there are some; all are to be made
 * once more; has the kernel been asked for anything that has not completed? */
void eio__retry_cancels(struct eio__uring *u);
void eio__ask_again(struct eio__uring *u);
bool eio__is_any_asked(const struct eio__uring *u);

/* Waiting for an operation, cancellable or not. */
extern const struct eio__wait eio__op_wait __attribute__((visibility("hidden")));
extern const struct eio__wait eio__op_wait_protected __attribute__((visibility("hidden")));

/* An entry whose fd is a target becomes one that the kernel understands. */
static inline void eio__sqe_aim(struct io_uring_sqe *sqe)
{
	if (unlikely(eio__is_indexed(sqe->fd))) {
		sqe->fd = (int) eio__index_of_target(sqe->fd);
		sqe->flags |= IOSQE_FIXED_FILE;
	}
}

/* Suspends until who is told of the completion, see user_data, has filled in the result and
 * woken the fiber; the result as the kernel gave it. The entry's fd may be a target. */
static inline int eio__op_await_as(struct eio__uring *u, struct eio__op *op,
				   struct io_uring_sqe *sqe, uint64_t user_data,
				   const struct eio__wait *wait)
{
	struct eio__fiber *f = u->domain.current;

	/* First, while the compiler still knows what the entry was prepared with. */
	op->opcode = sqe->opcode;
	op->fd = sqe->fd;
	eio__sqe_aim(sqe);
	sqe->user_data = user_data;
	op->fiber = f;
	op->got = false;
	op->cancelled = false;
#ifdef EIO_DEBUG
	op->cookie = EIO__OP_COOKIE;
#endif
	op->ask.link.next = NULL;
	eio__suspend(f, wait, op);
	eio__ask_end(&op->ask);
#ifdef EIO_DEBUG
	op->cookie = 0;
#endif
	return op->res;
}

/* Suspends until the entry's final completion; the result as the kernel gave it. */
static inline int eio__op_await(struct eio__uring *u, struct eio__op *op, struct io_uring_sqe *sqe,
				const struct eio__wait *wait)
{
	return eio__op_await_as(u, op, sqe, (uintptr_t) op | EIO__UD_OP, wait);
}

#endif
