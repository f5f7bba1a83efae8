/* SPDX-License-Identifier: ISC */
/*
 * For transports of a program's own: what is unsent, piece by piece.
 */
#include "core/error.h"
#include "io/buf_write.h"

#include <sys/uio.h>

/* A pause does not hold what somebody waits for. */
static bool has_something(const struct eio__buf_writer *w)
{
	return eio__buf_writer_unsent(w) > 0 && (!w->paused || w->inside > 0);
}

/* A write that began before the close may still add to it. */
static bool is_over(const struct eio__buf_writer *w)
{
	return w->closed && !w->crowded;
}

int eio_buf_writer_await_batch(struct eio_buf_writer *pub, struct iovec *ret_iov, int max)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int rc = eio_check();

	if (rc == 0 && (w->flow.ops || max < 1))
		return eio__fail(-EINVAL, "batch", NULL);
	while (rc == 0 && !has_something(w) && !is_over(w)) {
		w->awaiting = true;
		rc = eio_condition_await_no_mutex(&w->changed);
		w->awaiting = false;
	}
	return rc < 0 ? rc : eio__batch_gather(w, ret_iov, max);
}

int eio_buf_writer_shift(struct eio_buf_writer *pub, size_t n)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);

	if (w->flow.ops)
		return eio__fail(-EINVAL, "shift", NULL);
	if (w->err)
		return 0;
	if (n > eio__buf_writer_unsent(w))
		return eio__fail(-EINVAL, "shift", NULL);
	eio__batch_shift(w, n);
	if (w->inside > 0)
		eio_condition_broadcast(&w->changed);
	return 0;
}

int64_t eio_buf_writer_drain(struct eio_buf_writer *pub)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	uint64_t n = eio__buf_writer_unsent(w);

	if (w->flow.ops)
		return eio__fail(-EINVAL, "drain", NULL);
	if (n > 0) {
		eio__batch_drop(w);
		eio_condition_broadcast(&w->changed);
	}
	return (int64_t) n;
}
