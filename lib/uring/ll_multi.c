/* SPDX-License-Identifier: ISC */
#include "uring/multi.h"
#include "core/error.h"
#include "uring/call.h"
#include "uring/opcode.h"

#include <poll.h>
#include <stdlib.h>

enum {
	REFUSED = IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS,
	CHUNK = 80, /* about a kilobyte */
};

/* What the queue had no room for, in order. */
struct eio__results {
	struct eio__results *next;
	unsigned first, n;
	struct eio_ll_result results[CHUNK];
};

/* Of any operation. */
struct any {
	struct eio__multi m;
	struct eio__multi_queue q;
};

_Static_assert(sizeof(struct any) <= sizeof(struct eio_ll_multi), "eio_ll_multi is too small");

static struct eio__multi *multi_of(struct eio_ll_multi *m)
{
	return &((struct any *) m)->m;
}

/* Results */

static void dispose(struct eio__multi_queue *q, const struct eio_ll_result *r)
{
	if (q->dispose)
		q->dispose(r->res, r->flags, q->arg);
}

/* False: no memory. */
static bool put_behind(struct eio__multi_queue *q, const struct eio_ll_result *r)
{
	struct eio__results *c = q->last;

	if (!c || c->n == CHUNK) {
		c = malloc(sizeof(*c));
		if (!c)
			return false;
		c->next = NULL;
		c->first = c->n = 0;
		if (q->more)
			q->last->next = c;
		else
			q->more = c;
		q->last = c;
	}
	c->results[c->n++] = *r;
	return true;
}

/* After the first that is lost the others are too, so that next can tell where. */
static void put(struct eio__multi *m, const struct eio_ll_result *r)
{
	struct eio__multi_queue *q = m->q;

	if (!q->more && !m->lost && q->n < q->cap) {
		unsigned at = q->first + q->n++;

		q->queue[at < q->cap ? at : at - q->cap] = *r;
		return;
	}
	if (!m->lost && put_behind(q, r))
		return;
	m->lost = true;
	dispose(q, r);
}

static bool take_behind(struct eio__multi_queue *q, struct eio_ll_result *ret)
{
	struct eio__results *c = q->more;

	if (!c)
		return false;
	*ret = c->results[c->first++];
	if (c->first == c->n) {
		q->more = c->next;
		if (!q->more)
			q->last = NULL;
		free(c);
	}
	return true;
}

static bool take(struct eio__multi_queue *q, struct eio_ll_result *ret)
{
	if (!q->n)
		return take_behind(q, ret);
	*ret = q->queue[q->first];
	q->first = q->first + 1 < q->cap ? q->first + 1 : 0;
	q->n--;
	return true;
}

/* Completions, in a poll */

void eio__multi_wake(struct eio__multi *m)
{
	if (!m->waits)
		return;
	m->waits = false;
	eio__wake(m->consumer);
}

static uint64_t user_data(const struct eio__multi *m)
{
	return (uintptr_t) &m->sink | EIO__UD_SINK;
}

void eio__multi_ask_stop(struct eio__multi *m)
{
	if (!m->armed || m->stopping)
		return;
	m->stopping = true;
	eio__ask_cancel_soon(m->u, &m->ask, user_data(m));
}

/* The final completion of a kind that repeats: is it a result, or only why it is to be armed
 * anew? */
static bool is_final_result(struct eio__multi *m, int res)
{
	bool polled = m->polls;

	m->polls = false;
	if (polled && res >= 0)
		return false;
	switch (res) {
	case -EINVAL:
		if (polled || m->single || m->works)
			return true;
		m->single = true;
		if (m->kind->single)
			m->kind->single(&m->q->sqe);
		return false;
	case -EAGAIN: /* a descriptor with O_NONBLOCK, on kernels that heed it */
		m->poll = !polled;
		return polled;
	case -EINTR:
		return false;
	}
	return true;
}

static void complete(struct eio__uring *u, struct eio__sink *s, const struct io_uring_cqe *cqe)
{
	struct eio__multi *m = eio__container_of(s, struct eio__multi, sink);
	struct eio_ll_result r = {.res = cqe->res, .flags = cqe->flags};
	bool more = cqe->flags & IORING_CQE_F_MORE, is_result = true;

	(void) u;
	if (!more) {
		m->armed = false;
		eio__ask_end(&m->ask);
	}
	if (m->kind && m->kind->got)
		is_result = m->kind->got(m, &r);
	if (more) {
		m->works = true;
	} else {
		if (m->stopping && (cqe->res == -ECANCELED || cqe->res == -EINTR))
			is_result = false;
		else if (!m->kind)
			m->ended = true;
		else
			is_result = is_result && is_final_result(m, cqe->res);
		m->stopping = false;
	}
	if (is_result && m->q)
		put(m, &r);
	else if (is_result)
		m->kind->put(m, &r);
	if (m->q && m->q->n == m->q->cap)
		eio__multi_ask_stop(m);
	eio__multi_wake(m);
}

/* The consumer */

static void prepare(const struct eio__multi *m, struct io_uring_sqe *sqe)
{
	if (m->q)
		*sqe = m->q->sqe;
	else
		m->kind->prepare(m, sqe);
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__multi *m = arg;
	const char *more = ", multishot";
	struct io_uring_sqe sqe = eio__blank();

	(void) f;
	prepare(m, &sqe);
	if (m->starved)
		more = ", no buffer left";
	else if (m->stopping)
		more = ", asked to stop";
	eio__opcode_describe(sqe.opcode, sqe.fd, more, buf, size);
}

static void cancel(struct eio__fiber *f, void *arg)
{
	(void) f;
	eio__multi_wake(arg);
}

static const struct eio__wait waiting = {
	.what = "multishot operation", .cancel = cancel, .describe = describe};
static const struct eio__wait ending = {.what = "multishot operation", .describe = describe};

/* Until something changes: 0, or -ECANCELED if it has before. */
static int await(struct eio__multi *m)
{
	int rc = eio__check(m->consumer);

	if (rc == 0) {
		m->waits = true;
		eio__suspend(m->consumer, &waiting, m);
	}
	return rc;
}

static int arm(struct eio__multi *m)
{
	struct io_uring_sqe *sqe = eio__sqe(m->u, true);
	int rc = 0;

	if (!sqe)
		return eio__canceled(m->consumer);
	prepare(m, sqe);
	sqe->user_data = user_data(m);
	if (m->kind && m->kind->arm)
		rc = m->kind->arm(m, sqe);
	if (rc != 0) {
		io_uring_prep_nop(eio__ring_clear(sqe));
		sqe->user_data = EIO__UD_IGNORE;
		return rc < 0 ? rc : 0;
	}
	if (m->poll) {
		int fd = sqe->fd;

		io_uring_prep_poll_add(eio__ring_clear(sqe), fd, POLLIN);
		sqe->user_data = user_data(m);
	}
	m->polls = m->poll;
	m->poll = false;
	m->armed = true;
	return 0;
}

static int fail(const struct eio__multi *m, int rc)
{
	return eio__fail(rc, m->kind ? m->kind->op : "multi", NULL);
}

/* The calling fiber becomes the consumer, if it can. */
int eio__multi_enter(struct eio__multi *m)
{
	struct eio__uring *u = eio__uring_self();

	if (!u || (m->u && m->u != u))
		return fail(m, -EPERM);
	if (!m->u || m->consumer)
		return fail(m, m->u ? -EBUSY : -EINVAL);
	m->consumer = u->domain.current;
	return 0;
}

int eio__multi_more(struct eio__multi *m)
{
	if (m->lost) {
		m->lost = false;
		return -ENOMEM;
	}
	return m->armed || m->starved ? await(m) : arm(m);
}

int eio__multi_leave(struct eio__multi *m, int rc)
{
	m->consumer = NULL;
	return fail(m, rc);
}

int eio__multi_next(struct eio__multi *m, struct eio_ll_result *ret)
{
	int rc = eio__multi_enter(m);
	bool got = false;

	if (rc < 0)
		return rc;
	rc = eio__check(m->consumer);
	while (rc == 0 && !(got = take(m->q, ret)) && (m->lost || !m->ended))
		rc = eio__multi_more(m);
	return eio__multi_leave(m, rc == 0 ? got : rc);
}

int eio__multi_init(struct eio__multi *m)
{
	int rc;

	m->u = eio__enter_call(&rc);
	if (!m->u) {
		if (m->slot)
			eio__slot_unuse(m->slot);
		return rc;
	}
	m->sink.complete = complete;
	m->u->multis++;
	return 0;
}

int eio__multi_arm(struct eio__multi *m)
{
	m->consumer = m->u->domain.current;
	return eio__multi_leave(m, arm(m));
}

/*
 * A timer that has gone off is found by no request to cancel until the domain polls, which
 * starts it again. In a domain that is busy for longer than its period, requests that go with
 * a poll would miss for ever. So the kernel is let start it, and asked right after that.
 */
static void insist(struct eio__multi *m)
{
	struct eio__uring *u = m->u;

	eio__submit(u, &u->ring, 0, EIO_NEVER);
	eio__ask_end(&m->ask);
	eio__ask_cancel(u, &m->ask, user_data(m));
	eio__submit(u, &u->ring, 0, EIO_NEVER);
}

int eio__multi_stop(struct eio__multi *m)
{
	int rc = eio__multi_enter(m);

	if (rc < 0)
		return rc;
	eio__multi_ask_stop(m);
	while (m->armed) {
		m->waits = true;
		eio__suspend(m->consumer, &ending, m);
		if (m->armed)
			insist(m);
	}
	return 0;
}

void eio__multi_fini(struct eio__multi *m)
{
	struct eio_ll_result r;

	while (m->q && take(m->q, &r))
		dispose(m->q, &r);
	m->u->multis--;
	m->u = NULL;
	m->consumer = NULL;
	if (m->slot)
		eio__slot_unuse(m->slot);
}

/* Any operation */

int eio_ll_multi_begin(struct eio_ll_multi *pub, const struct io_uring_sqe *sqe,
		       struct eio_ll_result *queue, unsigned cap,
		       void (*dispose)(int res, unsigned flags, void *arg), void *arg)
{
	struct any *any = (struct any *) pub;
	struct eio__multi *m = &any->m;
	int rc;

	*any = (struct any){
		.m.q = &any->q,
		.q = {.sqe = *sqe, .queue = queue, .cap = cap, .dispose = dispose, .arg = arg},
	};
	if (cap == 0 || sqe->flags & REFUSED)
		return eio__fail(-EINVAL, "multi", NULL);
	rc = eio__multi_init(m);
	if (rc == 0)
		rc = eio__multi_arm(m);
	if (rc < 0 && m->u)
		eio__multi_fini(m);
	return rc;
}

int eio_ll_multi_next(struct eio_ll_multi *m, int *ret_res, unsigned *ret_flags)
{
	struct eio_ll_result r;
	int rc = eio__multi_next(multi_of(m), &r);

	if (rc == 1) {
		*ret_res = r.res;
		*ret_flags = r.flags;
	}
	return rc;
}

int eio_ll_multi_end(struct eio_ll_multi *m)
{
	int rc = eio__multi_stop(multi_of(m));

	if (rc == 0)
		eio__multi_fini(multi_of(m));
	return rc;
}
