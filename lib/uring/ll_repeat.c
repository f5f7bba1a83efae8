/* SPDX-License-Identifier: ISC */
/*
 * Iterators that need no buffers: connections, readiness, ticks.
 *
 * Readiness and ticks are gathered in one result that nobody has taken yet, so their queues
 * never fill up.
 *
 * An iterator of connections is on the list of its listener's slot (listener.h) until it is
 * stopped. The listener's closer waits until nobody uses it, but not for the consumer: so
 * the iterator lets go of the slot in a poll, when its operation has ended.
 */
#include "core/error.h"
#include "uring/call.h"
#include "uring/listener.h"
#include "uring/multi.h"

#include <sys/socket.h>
#include <unistd.h>

/* Pins the descriptor; does not arm. */
static int pin(struct eio__multi *m, struct eio_fd fd)
{
	int unix_fd = eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, m->kind->op, NULL);
	m->slot = eio__slot(fd);
	m->q->sqe.fd = unix_fd;
	return eio__multi_init(m);
}

static int arm_or_undo(struct eio__multi *m)
{
	int rc = eio__multi_arm(m);

	if (rc < 0)
		eio__multi_fini(m);
	return rc;
}

/* The next result of a kind, for which the kernel's own -ECANCELED is a failure like another. */
static int next(struct eio__multi *m, struct eio_ll_result *ret)
{
	int rc = eio__multi_next(m, ret);

	if (rc < 0 || ret->res >= 0)
		return rc;
	return eio__fail(ret->res == -ECANCELED ? -EIO : ret->res, m->kind->op, NULL);
}

static int end(struct eio__multi *m)
{
	int rc = eio__multi_stop(m);

	if (rc == 0)
		eio__multi_fini(m);
	return rc;
}

/* Adds to the result that nobody has taken, if it is none of a failure. */
static struct eio_ll_result *pending(struct eio__multi *m)
{
	struct eio_ll_result *r = &m->q->queue[m->q->first];

	return m->q->n && r->res >= 0 ? r : NULL;
}

/* Connections */

enum { CONNECTIONS = 16 };

struct accepts {
	struct eio__multi m;
	struct eio__multi_queue q;
	struct eio__accept listed;
	struct eio_ll_result queue[CONNECTIONS];
	bool closed; /* the listener */
};

_Static_assert(sizeof(struct accepts) <= sizeof(struct eio_ll_accepts),
	       "eio_ll_accepts is too small");

static struct accepts *accepts_of(struct eio__multi *m)
{
	return eio__container_of(m, struct accepts, m);
}

static void accept_single(struct io_uring_sqe *sqe)
{
	sqe->ioprio = 0;
}

static int arm_accept(struct eio__multi *m, struct io_uring_sqe *sqe)
{
	(void) sqe;
	return accepts_of(m)->closed ? -EBADF : 0;
}

static void let_go(struct accepts *a)
{
	struct eio__slot *s = a->m.slot;

	a->m.slot = NULL;
	eio__accept_unlist(s, &a->listed);
	eio__slot_unuse_at_once(s);
}

static bool got_connection(struct eio__multi *m, struct eio_ll_result *r)
{
	struct accepts *a = accepts_of(m);

	if (a->closed && !(r->flags & IORING_CQE_F_MORE))
		let_go(a);
	return true;
}

static void listener_closed(struct eio__accept *listed)
{
	struct accepts *a = eio__container_of(listed, struct accepts, listed);

	a->closed = true;
	if (a->m.armed)
		eio__multi_ask_stop(&a->m);
	else
		let_go(a);
}

static void close_connection(int res, unsigned flags, void *arg)
{
	(void) flags, (void) arg;
	if (res >= 0)
		close(res);
}

static const struct eio__multi_kind accepting = {
	.op = "accept",
	.single = accept_single,
	.arm = arm_accept,
	.got = got_connection,
};

static void leave(struct accepts *a)
{
	if (a->m.slot) {
		eio__accept_unlist(a->m.slot, &a->listed);
		eio__accept_settle(&a->listed);
	}
	eio__multi_fini(&a->m);
}

int eio_ll_accepts_begin(struct eio_ll_accepts *pub, struct eio_fd listener)
{
	struct accepts *a = (struct accepts *) pub;
	int rc;

	*a = (struct accepts){
		.m = {.kind = &accepting, .q = &a->q},
		.q = {.queue = a->queue, .cap = CONNECTIONS, .dispose = close_connection},
		.listed = {.u = eio__uring_self(), .cancel = listener_closed},
	};
	io_uring_prep_multishot_accept(&a->q.sqe, -1, NULL, NULL, SOCK_CLOEXEC);
	rc = pin(&a->m, listener);
	if (rc < 0)
		return rc;
	a->closed = !eio__accept_enlist(a->m.slot, listener, &a->listed);
	rc = eio__multi_arm(&a->m);
	if (rc < 0)
		leave(a);
	return rc;
}

int eio_ll_accepts_next(struct eio_ll_accepts *pub, struct eio_switch *sw, struct eio_fd *ret)
{
	struct accepts *a = (struct accepts *) pub;
	struct eio_ll_result r;
	int rc = eio__switch_ok(sw);

	if (rc < 0)
		return eio__fail(rc, "accept", NULL);
	rc = next(&a->m, &r);
	if (rc == 1)
		rc = eio_fd_of_unix(sw, r.res, EIO__FD_STREAM, ret);
	return rc < 0 ? rc : 1;
}

int eio_ll_accepts_end(struct eio_ll_accepts *pub)
{
	struct accepts *a = (struct accepts *) pub;
	int rc = eio__multi_stop(&a->m);

	if (rc == 0)
		leave(a);
	return rc;
}

/* Readiness */

enum { GATHERED = 4 };

struct polls {
	struct eio__multi m;
	struct eio__multi_queue q;
	struct eio_ll_result queue[GATHERED];
};

_Static_assert(sizeof(struct polls) <= sizeof(struct eio_ll_polls), "eio_ll_polls is too small");

static bool got_events(struct eio__multi *m, struct eio_ll_result *r)
{
	struct eio_ll_result *p = r->res >= 0 ? pending(m) : NULL;

	if (p)
		p->res |= r->res;
	return !p;
}

static const struct eio__multi_kind polling = {.op = "poll", .got = got_events};

int eio_ll_polls_begin(struct eio_ll_polls *pub, struct eio_fd fd, unsigned events)
{
	struct polls *p = (struct polls *) pub;
	int rc;

	*p = (struct polls){
		.m = {.kind = &polling, .q = &p->q},
		.q = {.queue = p->queue, .cap = GATHERED},
	};
	p->m.works = true; /* since 5.13 */
	io_uring_prep_poll_multishot(&p->q.sqe, -1, events);
	rc = pin(&p->m, fd);
	return rc < 0 ? rc : arm_or_undo(&p->m);
}

int eio_ll_polls_next(struct eio_ll_polls *pub, unsigned *ret_events)
{
	struct polls *p = (struct polls *) pub;
	struct eio_ll_result r;
	int rc = next(&p->m, &r);

	if (rc == 1)
		*ret_events = (unsigned) r.res;
	return rc;
}

int eio_ll_polls_end(struct eio_ll_polls *pub)
{
	return end(&((struct polls *) pub)->m);
}

/* Ticks */

/* One that goes off again before it can be asked to stop would go on for ever. */
enum { SHORTEST_NS = 100000 };

struct ticks {
	struct eio__multi m;
	struct eio__multi_queue q;
	struct eio_ll_result queue[GATHERED];
	struct __kernel_timespec period;
};

_Static_assert(sizeof(struct ticks) <= sizeof(struct eio_ll_ticks), "eio_ll_ticks is too small");

static void tick_single(struct io_uring_sqe *sqe)
{
	sqe->timeout_flags = 0;
}

static bool got_tick(struct eio__multi *m, struct eio_ll_result *r)
{
	struct eio_ll_result *p = pending(m);

	if (r->res != -ETIME)
		return true;
	r->res = 1;
	if (p)
		p->res++;
	return !p;
}

static const struct eio__multi_kind ticking = {
	.op = "timeout", .single = tick_single, .got = got_tick};

int eio_ll_ticks_begin(struct eio_ll_ticks *pub, int64_t period_ns)
{
	struct ticks *t = (struct ticks *) pub;
	int rc;

	*t = (struct ticks){
		.m = {.kind = &ticking, .q = &t->q},
		.q = {.queue = t->queue, .cap = GATHERED},
	};
	if (period_ns < 1)
		return eio__fail(-EINVAL, "timeout", NULL);
	t->period.tv_sec = period_ns / EIO_SEC(1);
	t->period.tv_nsec = period_ns % EIO_SEC(1);
	t->m.single = period_ns < SHORTEST_NS;
	io_uring_prep_timeout(&t->q.sqe, &t->period, 0, t->m.single ? 0 : IORING_TIMEOUT_MULTISHOT);
	rc = eio__multi_init(&t->m);
	return rc < 0 ? rc : arm_or_undo(&t->m);
}

int eio_ll_ticks_next(struct eio_ll_ticks *pub)
{
	struct ticks *t = (struct ticks *) pub;
	struct eio_ll_result r;
	int rc = next(&t->m, &r);

	return rc < 0 ? rc : r.res;
}

int eio_ll_ticks_end(struct eio_ll_ticks *pub)
{
	return end(&((struct ticks *) pub)->m);
}
