/* SPDX-License-Identifier: ISC */
#include "uring/sched.h"
#include "base/lock.h"
#include "core/log.h"
#include "core/threads.h"
#include "core/timer.h"
#include "uring/buffers.h"
#include "uring/fd.h"
#include "uring/polled.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Cache lines of a waiting fiber's frames around its operation. */
	FRAMES_BELOW = -2,
	FRAMES_ABOVE = 2,
};

enum {
	/* When a request to cancel is repeated: an idle domain's, a busy one's. */
	ASK_AGAIN_NS = 1000000,
	ASK_AGAIN_POLLS = 128,
};

enum {
	NEAR_NS = 20000000, /* a deadline for which the precise clock is read */
	SPIN_NS = 20000,
	PAUSES_PER_YIELD = 16,
	CROWDED = 100,
};

/* A fiber waiting for a free entry. */
struct parked {
	struct eio__list link;
	struct eio__fiber *fiber;
};

static struct eio__uring *uring_of(struct eio__domain *d)
{
	return eio__container_of(d, struct eio__uring, domain);
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return EIO_SEC(ts.tv_sec) + ts.tv_nsec;
}

static int64_t now(struct eio__domain *d)
{
	(void) d;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t wall_now(struct eio__domain *d)
{
	(void) d;
	return read_clock(CLOCK_REALTIME);
}

/* The monotonic clock's time, up to 10 ms behind, in a fraction of the time. */
static int64_t coarse_now(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

/* Completions */

static void check_cookie(const struct eio__op *op)
{
#ifdef EIO_DEBUG
	if (op->cookie != EIO__OP_COOKIE)
		eio__fatal("a completion points at %p, where no operation waits", (void *) op);
#endif
	(void) op;
}

/* A zero-copy send reports its result first and the release of its buffer last. */
static void complete_op(struct eio__op *op, const struct io_uring_cqe *cqe)
{
	check_cookie(op);
	if (!op->got && !(cqe->flags & IORING_CQE_F_NOTIF)) {
		op->got = true;
		op->res = cqe->res;
		op->flags = cqe->flags;
	}
	if (!(cqe->flags & IORING_CQE_F_MORE))
		eio__wake(op->fiber);
}

static void complete_member(struct eio__member *m, const struct io_uring_cqe *cqe)
{
	if (!m->got && !(cqe->flags & IORING_CQE_F_NOTIF)) {
		m->got = true;
		m->res = cqe->res;
	}
	if (!(cqe->flags & IORING_CQE_F_MORE) && --m->group->left == 0)
		eio__wake(m->group->fiber);
}

static void complete_alarm(struct eio__alarm *a)
{
	a->at = EIO_NEVER;
	a->rang = true;
}

static __attribute__((noinline)) void complete(struct eio__uring *u, const struct io_uring_cqe *cqe)
{
	void *record = (void *) (uintptr_t) (cqe->user_data & ~(uint64_t) EIO__UD_KINDS);

	if (cqe->flags & IORING_CQE_F_MORE)
		u->ring.finals--; /* reap counts it as one */
	switch (cqe->user_data & EIO__UD_KINDS) {
	case EIO__UD_OP:
		complete_op(record, cqe);
		break;
	case EIO__UD_MEMBER:
		complete_member(record, cqe);
		break;
	case EIO__UD_WAKE:
		u->armed = false;
		eio__woken_by_other(u);
		break;
	case EIO__UD_ALARM:
		complete_alarm(record);
		break;
	case EIO__UD_SINK:
		((struct eio__sink *) record)->complete(u, record, cqe);
		break;
	default: /* EIO__UD_IGNORE */
		break;
	}
}

/* The only completion of an operation some fiber waits for: nearly all are. */
static inline bool is_plain(const struct io_uring_cqe *cqe)
{
	return !(cqe->user_data & EIO__UD_KINDS) &&
	       !(cqe->flags & (IORING_CQE_F_MORE | IORING_CQE_F_NOTIF));
}

/*
 * With thousands of fibers the frames of the next one are in no near cache, and it would
 * miss line after line. The completions say in advance who comes: its
 * operation, the frames below it down to the saved registers, those above it that go on.
 */
static inline void expect(const struct io_uring_cqe *cqe)
{
	uintptr_t op = (uintptr_t) cqe->user_data; /* or of another kind, and no address */

	for (int line = FRAMES_BELOW; line < FRAMES_ABOVE; line++)
		__builtin_prefetch((const void *) (op + (uintptr_t) (line * 64)), 1);
	__asm__ volatile(""); /* or gcc takes what only fetches for something without effect */
}

/* How many there were. */
static unsigned reap(struct eio__uring *u)
{
	struct io_uring_cq *cq = &u->ring.uring.cq;
	unsigned first = *cq->khead, head = first, mask = cq->ring_mask;
	/* The completions are read after the tail that announced them … */
	unsigned tail = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE);

	for (unsigned i = head; eio__has_many_fibers(&u->domain) && i != tail; i++)
		expect(&cq->cqes[i & mask]);
	for (; head != tail; head++) {
		const struct io_uring_cqe *cqe = &cq->cqes[head & mask];
		struct eio__op *op = (struct eio__op *) (uintptr_t) cqe->user_data;

		if (unlikely(!is_plain(cqe) || op->got)) {
			complete(u, cqe);
			continue;
		}
		check_cookie(op);
		op->res = cqe->res;
		op->flags = cqe->flags;
		op->fiber->wait = NULL;
		eio__queue(&u->domain, op->fiber);
	}
	u->ring.finals += head - first;
	/* … and before the head that gives their places back. */
	__atomic_store_n(cq->khead, head, __ATOMIC_RELEASE);
	return head - first;
}

/* Submission */

/* What stays queued goes with the next poll, after completions have been reaped. */
static inline __attribute__((always_inline)) void submit(struct eio__uring *u, struct eio__ring *r,
							 unsigned wait, int64_t timeout_ns)
{
	int rc = r->enter(r, wait, timeout_ns);

	switch (rc) {
	case 0:
	case -EINTR:
	case -ETIME:
	case -EBUSY: /* completions must be reaped first */
		break;
	case -EAGAIN:
	case -ENOMEM: /* out of memory for requests; nothing else tells when to try again */
		if (!u->domain.head)
			usleep(1000);
		break;
	case -EBADR:
		eio__fatal("the kernel dropped completions (EBADR)");
	default:
		eio__fatal("io_uring_enter: %s", strerror(-rc));
	}
}

void eio__submit(struct eio__uring *u, struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	submit(u, r, wait, timeout_ns);
}

static void enter(struct eio__uring *u, unsigned wait, int64_t timeout_ns)
{
	submit(u, &u->ring, wait, timeout_ns);
}

static void cancel_parked(struct eio__fiber *f, void *arg)
{
	struct parked *p = arg;

	eio__list_remove(&p->link);
	eio__wake(f);
}

static const struct eio__wait parking = {.what = "free entry", .cancel = cancel_parked};
static const struct eio__wait parking_protected = {.what = "free entry"};

struct io_uring_sqe *eio__sqe_wait(struct eio__uring *u, bool cancellable)
{
	struct parked p = {.fiber = u->domain.current};
	struct eio__list *place = u->parked.prev; /* behind those who wait already */
	struct io_uring_sqe *sqe = NULL;

	if (eio__list_empty(&u->parked)) {
		enter(u, 0, EIO_NEVER);
		sqe = eio__ring_sqe(&u->ring);
	}
	while (!sqe) {
		eio__list_insert(place, &p.link);
		u->backlog = true;
		eio__suspend(p.fiber, cancellable ? &parking : &parking_protected, &p);
		/* Also when it was cancelled after its turn had come: nobody would cancel
		 * what it starts now. */
		if (cancellable && p.fiber->ctx->err)
			return NULL;
		sqe = eio__ring_sqe(&u->ring);
		place = &u->parked; /* it was taken: first in the line again */
	}
	return sqe;
}

int eio__sqe_room(struct eio__uring *u, unsigned n)
{
	unsigned entries = u->ring.uring.sq.ring_entries;

	while (entries - eio__ring_queued(&u->ring) < n) {
		int rc;

		enter(u, 0, EIO_NEVER);
		if (entries - eio__ring_queued(&u->ring) >= n)
			break;
		rc = eio_yield();
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct io_uring_sqe *eio__sqe_ignored(struct eio__uring *u)
{
	struct io_uring_sqe *sqe = eio__ring_sqe(&u->ring);

	if (!sqe) {
		enter(u, 0, EIO_NEVER);
		sqe = eio__ring_sqe(&u->ring);
	}
	if (sqe) {
		io_uring_prep_nop(sqe);
		sqe->user_data = EIO__UD_IGNORE;
	}
	return sqe;
}

/* One fiber for each free entry; those that find it taken park again. */
static void wake_parked(struct eio__uring *u)
{
	unsigned room = u->ring.uring.sq.ring_entries - eio__ring_queued(&u->ring);

	for (; room && !eio__list_empty(&u->parked); room--) {
		struct parked *p = eio__container_of(u->parked.next, struct parked, link);

		eio__list_remove(&p->link);
		eio__wake(p->fiber);
	}
}

/* Waiting */

static void notify(struct eio__waker *w)
{
	struct eio__uring *u = uring_of(eio__container_of(w, struct eio__domain, waker));
	uint64_t one = 1;

	/* It fails only when the counter is full, and then a wake-up is on its way. */
	if (write(u->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void arm(struct eio__uring *u)
{
	struct io_uring_sqe *sqe = eio__ring_sqe(&u->ring);

	if (!sqe)
		return; /* the queue is full, so this poll does not sleep */
	io_uring_prep_read(sqe, u->wake_fd, &u->wakes, sizeof(u->wakes), 0);
	sqe->user_data = EIO__UD_WAKE;
	u->armed = true;
}

/* Announces that the domain is about to sleep; false: it must not. Others push first and
 * look at asleep second. */
static bool may_sleep(struct eio__waker *w)
{
	if (eio__single_threaded()) {
		/* Only signal handlers on this thread: program order will do. */
		__atomic_store_n(&w->asleep, 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} else {
		__atomic_store_n(&w->asleep, 1, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return eio__inbox_empty(&w->inbox);
}

/*
 * Two domains that hand each other work would sleep and wake for every piece of it, which
 * takes many microseconds. So after a foreign wake-up a domain looks out for the next one
 * before it sleeps, for about as long as a wake-up takes: that is at most twice the CPU time
 * of the better choice. It stops when none comes. The other domain may want this very core,
 * so it yields; but where somebody else then keeps it for long, spinning loses more than it
 * saves, and is left alone for a while.
 */
static __attribute__((noinline)) void spin(struct eio__uring *u)
{
	int64_t end = now(&u->domain) + SPIN_NS;

	while (u->spins && eio__is_quiet(&u->domain)) {
		int64_t before, after;

		for (unsigned i = 0; i < PAUSES_PER_YIELD; i++)
			eio__cpu_relax();
		before = now(&u->domain);
		sched_yield();
		after = now(&u->domain);
		if (after - before > SPIN_NS)
			u->crowded = CROWDED;
		u->spins = after < end;
	}
}

/* Are there completions that the kernel posts only inside an enter? */
static bool wants_enter(const struct eio__uring *u)
{
	return __atomic_load_n(u->ring.uring.sq.kflags, __ATOMIC_RELAXED) &
	       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/*
 * Timers
 *
 * Most deadlines are time limits that never come, set and taken away with every request. For
 * them the precise clock is not read at each poll, nor the kernel told how long to wait,
 * which together take as long as a small read: a coarse clock says that nothing is due
 * yet, and the alarm, a timeout in flight, wakes the domain no later than the first
 * deadline. It is set for an earlier time when there is an earlier deadline; when the
 * deadline it was set for has gone it rings for nothing and is set anew.
 *
 * The wall clock has an alarm of its own. The kernel follows the clock's steps, so that it
 * rings when the clock shows the time, however it came to that; the clock is read when there
 * is an earlier deadline and when it rings.
 */

/* Sets an alarm for @p at or before. How long to wait at most: not at all if there is no entry,
 * for what is in the queue goes now, and the next poll finds one. */
static int64_t set_alarm(struct eio__uring *u, struct eio__alarm *a, int64_t at)
{
	uint64_t user_data = (uintptr_t) a | EIO__UD_ALARM;
	struct io_uring_sqe *sqe;
	unsigned clock;

	if (a->at <= at)
		return EIO_NEVER;
	sqe = eio__ring_sqe(&u->ring);
	if (!sqe)
		return 0;
	a->ts = (struct __kernel_timespec){
		.tv_sec = at / EIO_SEC(1),
		.tv_nsec = at % EIO_SEC(1),
	};
	if (a->at == EIO_NEVER) {
		clock = a->clock == CLOCK_REALTIME ? IORING_TIMEOUT_REALTIME : 0;
		io_uring_prep_timeout(sqe, &a->ts, 0, IORING_TIMEOUT_ABS | clock);
		sqe->user_data = user_data;
	} else {
		/* If it rings before this is done, it is set anew after that. */
		io_uring_prep_timeout_update(sqe, &a->ts, user_data, IORING_TIMEOUT_ABS);
		sqe->user_data = EIO__UD_IGNORE;
	}
	a->at = at;
	return EIO_NEVER;
}

/* Calls the timers that are due. How long the domain may wait for completions alone. */
static __attribute__((noinline)) int64_t run_timers(struct eio__uring *u, bool wait)
{
	struct eio__domain *d = &u->domain;
	int64_t next = eio__timers_next(d), t;

	if (!u->alarm.rang && next > coarse_now() + NEAR_NS)
		return wait ? set_alarm(u, &u->alarm, next) : EIO_NEVER;
	u->alarm.rang = false;
	t = now(d);
	eio__timers_expire(d, t);
	next = eio__timers_next(d);
	if (next == EIO_NEVER)
		return EIO_NEVER;
	return next > t ? next - t : 0;
}

/* The same on the wall clock. */
static __attribute__((noinline)) int64_t run_wall_timers(struct eio__uring *u)
{
	struct eio__domain *d = &u->domain;
	struct eio__alarm *a = &u->wall_alarm;

	if (a->at <= eio__wall_timers_next(d))
		return EIO_NEVER; /* it has not rung */
	eio__wall_timers_expire(d, wall_now(d));
	return set_alarm(u, a, eio__wall_timers_next(d));
}

/*
 * What is rare, before and after a poll enters: fibers wait for a free entry, operations
 * are being cancelled, or the second ring is polled.
 */

/* For a free entry: fibers, or requests to cancel. */
static bool is_any_waiting(const struct eio__uring *u)
{
	return !eio__list_empty(&u->parked) || !eio__list_empty(&u->cancels) ||
	       !eio__list_empty(&u->group_cancels);
}

/* How long the domain may wait for completions alone. */
static __attribute__((noinline)) int64_t work_off(struct eio__uring *u, int64_t timeout)
{
	eio__retry_cancels(u);
	/* Who waits for a free entry may be the one that all others wait for. */
	if (is_any_waiting(u))
		return 0;
	return eio__is_any_asked(u) && timeout > ASK_AGAIN_NS ? ASK_AGAIN_NS : timeout;
}

/* idle: the domain waited, and nothing came. How many polled completions there were. */
static __attribute__((noinline)) unsigned follow_up(struct eio__uring *u, bool idle)
{
	unsigned n = eio__polled_in_flight(u) ? eio__polled_poll(u) : 0;

	if (eio__is_any_asked(u) && (idle || ++u->polls_since_asked == ASK_AGAIN_POLLS))
		eio__ask_again(u);
	/* Before a fiber takes the entries that are free now. */
	eio__retry_cancels(u);
	wake_parked(u);
	u->backlog = eio__is_any_asked(u) || is_any_waiting(u) || eio__polled_in_flight(u);
	return n;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static unsigned poll(struct eio__domain *d, bool wait)
{
	struct eio__uring *u = uring_of(d);
	int64_t timeout = EIO_NEVER;
	unsigned n;

	if (unlikely(u->spins) && wait && !eio__ring_queued(&u->ring))
		spin(u);
	if (!eio__inbox_empty(&d->waker.inbox))
		eio__inbox_drain(&d->waker.inbox);
	if (!eio__heap_is_empty(&d->timers))
		timeout = run_timers(u, wait);
	if (unlikely(!eio__heap_is_empty(&d->wall_timers)))
		timeout = earlier(timeout, run_wall_timers(u));
	if (unlikely(u->backlog)) {
		timeout = work_off(u, timeout);
		wait = wait && !eio__polled_in_flight(u);
	}
	wait = wait && !d->head;
	if (wait && !u->armed)
		arm(u);
	if (wait && u->armed && may_sleep(&d->waker))
		enter(u, 1, timeout);
	else if (wait || eio__ring_queued(&u->ring) || wants_enter(u))
		enter(u, 0, EIO_NEVER);
	__atomic_store_n(&d->waker.asleep, 0, __ATOMIC_RELAXED);
	d->tick = eio__tick(coarse_now());
	n = reap(u);
	if (unlikely(u->backlog))
		n += follow_up(u, wait && n == 0);
	if (!eio__inbox_empty(&d->waker.inbox))
		eio__inbox_drain(&d->waker.inbox);
	return n;
}

const struct eio__sched_ops eio__uring_ops = {
	.name = "uring",
	.now = now,
	.wall_now = wall_now,
	.poll = poll,
};

/* Beginning and end */

int eio__uring_init(struct eio__uring *u, const struct eio_config *config,
		    const struct eio__ring *sharing, char *why, size_t size)
{
	int rc;

	memset(u, 0, sizeof(*u));
	rc = eio__ring_init(&u->ring, config, false, sharing, why, size);
	if (rc < 0)
		return rc;
	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->wake_fd < 0) {
		rc = -errno;
		snprintf(why, size, "eventfd: %s", strerror(-rc));
		goto no_eventfd;
	}
	rc = eio__domain_init(&u->domain, &eio__uring_ops, config->stack_size);
	if (rc < 0) {
		snprintf(why, size, "stack_size %zu: %s", config->stack_size, strerror(-rc));
		goto no_domain;
	}
	u->domain.waker.notify = notify;
	u->domain.signs = (struct eio__signs){
		.flags = u->ring.uring.sq.kflags,
		.mask = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW,
		.produced = u->ring.uring.cq.ktail,
		.consumed = u->ring.uring.cq.khead,
	};
	eio__list_init(&u->parked);
	eio__list_init(&u->cancels);
	eio__list_init(&u->group_cancels);
	eio__list_init(&u->asked);
	eio__list_init(&u->group_asked);
	u->config = config;
	u->domain.indirect = config->flags & EIO_RUN_RESTRICT;
	u->alarm = (struct eio__alarm){.clock = CLOCK_MONOTONIC, .at = EIO_NEVER};
	u->wall_alarm = (struct eio__alarm){.clock = CLOCK_REALTIME, .at = EIO_NEVER};
	eio__fixed_init(&u->fixed, config);
	eio__files_init(&u->files, config);
	u->slots_end = &u->slots;
	eio__threads_begin();
	return 0;

no_domain:
	close(u->wake_fd);
no_eventfd:
	eio__ring_fini(&u->ring);
	return rc;
}

static void stop_alarm(struct eio__uring *u, struct eio__alarm *a)
{
	while (a->at != EIO_NEVER && a->at != 0) {
		set_alarm(u, a, 0);
		enter(u, 0, EIO_NEVER);
		reap(u);
	}
}

/* Operations that nobody waits for may take for ever: the eventfd's read, which is ended by
 * what it waits for, and the alarms. */
static void drain(struct eio__uring *u)
{
	if (u->armed)
		notify(&u->domain.waker);
	stop_alarm(u, &u->alarm);
	stop_alarm(u, &u->wall_alarm);
	while (eio__ring_pending(&u->ring)) {
		enter(u, 1, EIO_NEVER);
		reap(u);
	}
}

/* What lies in frames that are about to go would be written to later. */
static void check_ended(const struct eio__uring *u)
{
	if (u->ports)
		eio__fatal("main returned before eio_ll_port_end of %u ports", u->ports);
	if (u->multis)
		eio__fatal("main returned before the end of %u multishot operations "
			   "(eio_ll_multi_end and the like)",
			   u->multis);
}

void eio__uring_fini(struct eio__uring *u)
{
	eio__domain_end(&u->domain);
	check_ended(u);
	drain(u);
	eio__common_fini(u);
	eio__files_fini(u);
	eio__domain_fini(&u->domain);
	eio__polled_fini(u);
	eio__slots_give_back(u);
	eio__fixed_fini(&u->fixed, &u->ring);
	eio__ring_fini(&u->ring);
	close(u->wake_fd);
	eio__threads_end();
}
