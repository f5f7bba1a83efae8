/* SPDX-License-Identifier: ISC */
/*
 * The scope of a writer: begin, sending, end.
 */
#include "core/error.h"
#include "io/buf_write.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { SIZE = 4096, ENTRIES = 8 };

/* What a call may do */

int eio__buf_writer_check(struct eio__buf_writer *w)
{
	int rc;

	if (eio__buf_writer_is_ready(w))
		return 0;
	rc = eio_check();
	if (rc == 0 && eio_switch_check(&w->sw) == -EPERM)
		rc = -EPERM;
	return rc < 0 ? rc : eio__fail(w->err ? w->err : EIO_EABANDONED, "write", NULL);
}

static bool is_foreign(const struct eio__buf_writer *w)
{
	return eio_switch_check(&w->sw) == -EPERM;
}

static void leave(struct eio__buf_writer *w)
{
	w->inside--;
	if (w->closed)
		eio_condition_broadcast(&w->changed);
}

int eio__buf_writer_take_turn(struct eio__buf_writer *w)
{
	int rc;

	w->inside++;
	rc = eio_mutex_lock(&w->turn);
	if (rc == 0) {
		rc = eio__buf_writer_check(w);
		if (rc == 0)
			return 0;
		eio_mutex_unlock(&w->turn);
	}
	leave(w);
	return rc;
}

static int start(struct eio__buf_writer *w);

/* Who has ended a pause and was cancelled leaves the rest to the writer's own fiber. */
void eio__buf_writer_give_turn(struct eio__buf_writer *w)
{
	if (unlikely(!w->sending && !w->paused && !w->err && eio__buf_writer_unsent(w) > 0))
		(void) start(w);
	eio_mutex_unlock(&w->turn);
	leave(w);
}

/* Sending */

/* Fails the scope, but not the caller's own record of what failed, which moves there. */
static __attribute__((noinline)) int fail(struct eio__buf_writer *w, int err)
{
	struct eio_error e = *eio_last_error();

	if (err == -ECANCELED)
		return err;
	w->err = err;
	if (!w->ending) {
		(void) eio_switch_fail(&w->sw, err);
		if (e.code == err)
			eio_error_set(err, e.op, e.subject);
	}
	eio_condition_broadcast(&w->changed);
	return err;
}

/* The queue's bytes come first. */
static void sent(struct eio__buf_writer *w, uint64_t queued, uint64_t n, struct iovec *extra)
{
	uint64_t direct = n > queued ? n - queued : 0;

	eio__batch_shift(w, n - direct);
	if (direct == 0)
		return;
	extra->iov_base = (char *) extra->iov_base + direct;
	extra->iov_len -= direct;
	w->taken += direct;
	w->sent += direct;
}

/* In a context of its own, by which others can stop it. */
static int step(struct eio__buf_writer *w, struct iovec *extra)
{
	struct iovec iov[ENTRIES + 1];
	int n = eio__batch_gather(w, iov, ENTRIES);
	struct eio_cancel c;
	uint64_t queued = 0;
	ssize_t wrote;

	for (int i = 0; i < n; i++)
		queued += iov[i].iov_len;
	if (extra && queued == eio__buf_writer_unsent(w))
		iov[n++] = *extra;
	eio_cancel_begin(&c);
	w->step = &c;
	wrote = eio_flow_write_some(w->flow, iov, n);
	w->step = NULL;
	eio_cancel_end(&c);
	if (w->err)
		return w->err;
	if (wrote < 0)
		return fail(w, (int) wrote);
	sent(w, queued, (uint64_t) wrote, extra);
	return 0;
}

int eio__buf_writer_progress(struct eio__buf_writer *w, struct iovec *extra)
{
	int rc = eio__buf_writer_check(w);

	w->paused = false;
	if (rc < 0)
		return rc;
	if (w->flow.ops)
		return step(w, extra);
	if (w->awaiting)
		eio_condition_broadcast(&w->changed);
	rc = eio_condition_await_no_mutex(&w->changed);
	return rc < 0 ? rc : eio__buf_writer_check(w);
}

/* Until all is sent that is before position @p to. */
static int send_up_to(struct eio__buf_writer *w, uint64_t to)
{
	int rc = 0;

	while (rc == 0 && w->sent < to)
		rc = eio__buf_writer_progress(w, NULL);
	return rc == 0 && to <= w->dropped ? eio__fail(EIO_EABANDONED, "write", NULL) : rc;
}

static int flush(struct eio__buf_writer *w)
{
	uint64_t to = w->taken;
	int rc;

	w->paused = false;
	if (w->sent == to)
		return 0;
	rc = eio__buf_writer_take_turn(w);
	if (rc < 0)
		return rc;
	rc = send_up_to(w, to);
	eio__buf_writer_give_turn(w);
	return rc;
}

/* The writer's own fiber: begins when those who write now have come to wait. */
static int send_all(void *arg)
{
	struct eio__buf_writer *w = arg;
	int rc = eio_yield();

	while (rc == 0 && eio__buf_writer_unsent(w) > 0 && !w->paused) {
		rc = eio__buf_writer_take_turn(w);
		if (rc < 0)
			break;
		if (eio__buf_writer_unsent(w) > 0 && !w->paused)
			rc = step(w, NULL);
		eio__buf_writer_give_turn(w);
	}
	w->sending = false;
	/* A failure is the scope's already, or comes after the body's. What a cancelled one leaves
	 * is the end's to tell of. */
	return 0;
}

static int start(struct eio__buf_writer *w)
{
	int rc;

	if (!w->flow.ops) {
		w->awaiting = false;
		eio_condition_broadcast(&w->changed);
		return 0;
	}
	if (w->sending)
		return 0;
	w->sending = true;
	rc = eio_fork(&w->sw, send_all, w);
	if (rc < 0)
		w->sending = false;
	return rc;
}

/* Without memory for a fiber the calling one sends. If it is cancelled what was added is the
 * writer's all the same, and goes out later. */
static int unless_cancelled(int rc)
{
	return rc == -ECANCELED ? 0 : rc;
}

int eio__buf_writer_start(struct eio__buf_writer *w)
{
	return start(w) < 0 ? unless_cancelled(flush(w)) : 0;
}

int eio__buf_writer_start_in_turn(struct eio__buf_writer *w)
{
	return start(w) < 0 ? unless_cancelled(send_up_to(w, w->taken)) : 0;
}

int eio_buf_writer_flush(struct eio_buf_writer *pub)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int rc = eio__buf_writer_check(w);

	return rc < 0 ? rc : flush(w);
}

int eio_buf_writer_pause(struct eio_buf_writer *pub)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);

	if (is_foreign(w))
		return -EPERM;
	w->paused = true;
	return 0;
}

/* Without memory for a fiber it goes out with the next write or flush, or at the end. */
static void go_on(struct eio__buf_writer *w)
{
	w->paused = false;
	if (eio__buf_writer_unsent(w) > 0 || !w->flow.ops)
		(void) start(w);
}

int eio_buf_writer_unpause(struct eio_buf_writer *pub)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);

	if (is_foreign(w))
		return -EPERM;
	go_on(w);
	return 0;
}

uint64_t eio_buf_writer_pending(const struct eio_buf_writer *w)
{
	return eio__buf_writer_unsent(eio__buf_writer_of(w));
}

int eio_buf_writer_close(struct eio_buf_writer *pub)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);

	if (is_foreign(w))
		return -EPERM;
	w->closed = true;
	go_on(w);
	return 0;
}

/* Drops what is unsent and stops who sends. */
static void stop(struct eio__buf_writer *w)
{
	w->closed = true;
	if (!w->err)
		w->err = EIO_EABANDONED;
	eio__batch_drop(w);
	if (w->step)
		(void) eio_cancel_raise(w->step, EIO_EABANDONED);
	eio_condition_broadcast(&w->changed);
}

int eio_buf_writer_abort(struct eio_buf_writer *pub)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);

	if (is_foreign(w))
		return -EPERM;
	w->aborted = true;
	stop(w);
	return 0;
}

/* Begin and end */

static int begin(struct eio__buf_writer *w, struct eio_flow flow, size_t size)
{
	if (eio_check() == -EPERM)
		return -EPERM;
	if (size > INT_MAX)
		return eio__fail(-EINVAL, "buffered writer", "size");
	*w = (struct eio__buf_writer){.flow = flow, .size = size ? size : SIZE};
	eio_switch_begin_named(&w->sw, "buffered writer");
	return 0;
}

int eio_buf_writer_begin(struct eio_buf_writer *pub, struct eio_flow flow, size_t size)
{
	if (!flow.ops)
		return eio__fail(-EBADF, "buffered writer", NULL);
	return begin(eio__buf_writer_of(pub), flow, size);
}

static int run_transport(void *arg)
{
	struct eio__buf_writer *w = arg;
	int rc = w->transport((struct eio_buf_writer *) w, w->arg);

	w->sending = false;
	if (!w->err && (rc < 0 || !w->closed || w->crowded || eio__buf_writer_unsent(w) > 0))
		w->err = rc < 0 && rc != -ECANCELED ? rc : EIO_EABANDONED;
	eio_condition_broadcast(&w->changed);
	return w->ending && rc != -ECANCELED ? 0 : rc;
}

int eio_buf_writer_begin_with(struct eio_buf_writer *pub, size_t size, eio_buf_writer_fn *fn,
			      void *arg)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int rc = begin(w, (struct eio_flow){.ops = NULL}, size);

	if (rc < 0)
		return rc;
	w->transport = fn;
	w->arg = arg;
	w->sending = true;
	rc = eio_fork(&w->sw, run_transport, w);
	/* In a cancelled context nothing will be sent: the calls will say so. */
	if (rc == -ECANCELED) {
		w->sending = false;
		return 0;
	}
	return rc < 0 ? eio_switch_end(&w->sw, rc) : 0;
}

/* Calls of fibers outside the scope. */
static int await_others(struct eio__buf_writer *w)
{
	int rc = 0;

	while (rc == 0 && w->inside > 0)
		rc = eio_condition_await_no_mutex(&w->changed);
	return rc;
}

/* The same when they have nothing to wait for any more. */
static void await_stopped(struct eio__buf_writer *w)
{
	struct eio_cancel c;

	if (w->inside == 0)
		return;
	eio_cancel_protect_begin(&c);
	(void) await_others(w);
	eio_cancel_end(&c);
}

int eio_buf_writer_end(struct eio_buf_writer *pub, int rc)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int flushed = rc;

	if (is_foreign(w))
		return -EPERM;
	w->ending = rc < 0;
	w->closed = true;
	eio_condition_broadcast(&w->changed);
	if (rc != -ECANCELED) {
		flushed = w->err ? w->err : flush(w);
		if (flushed == 0)
			flushed = await_others(w);
	}
	if (flushed < 0) {
		stop(w);
		await_stopped(w);
	}
	if (rc >= 0 && flushed < 0 && !w->aborted)
		rc = flushed;
	rc = eio_switch_end(&w->sw, rc);
	free(w->batch);
	w->batch = NULL;
	return rc;
}
