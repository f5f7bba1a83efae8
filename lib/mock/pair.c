/* SPDX-License-Identifier: ISC */
/*
 * Two flows connected by two rings of bytes.
 *
 * A pipe is one direction. ended: no more bytes come, the reader gets what is left and
 * then the end. refused: nobody will read, the writer gets -EPIPE. Both stay. At most one
 * reader and one writer wait; whoever changes what one waits for wakes it, and it keeps its
 * place until it has run, so that no other takes what woke it.
 *
 * An end is open, closing, or closed: closing refuses new calls, and the last one that is
 * still under way closes.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "core/log.h"

#include <eio/mock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct waiter {
	struct eio__fiber *fiber;
	bool woken, cancelled;
};

struct pipe {
	char *data;
	size_t size, start, len;
	struct waiter *reader, *writer; /* NULL: does not wait */
	bool ended, refused;
};

struct end {
	struct pipe *in, *out;
	unsigned users; /* calls under way */
	bool closing;
};

struct pair {
	struct pipe pipes[2];
	struct end ends[2];
};

_Static_assert(sizeof(struct pair) <= sizeof(struct eio_mock_pair), "eio_mock_pair is too small");

/* Waiting */

static void leave(struct eio__fiber *f, void *arg)
{
	struct waiter *w = arg;

	w->woken = w->cancelled = true;
	eio__wake(f);
}

static const struct eio__wait reading = {.what = "mock read", .cancel = leave};
static const struct eio__wait writing = {.what = "mock write", .cancel = leave};

static int wait_in(struct waiter **place, const struct eio__wait *how)
{
	struct waiter w = {.fiber = eio__self()};

	*place = &w;
	eio__suspend(w.fiber, how, &w);
	*place = NULL;
	return w.cancelled ? eio__canceled(w.fiber) : 0;
}

static void wake(struct waiter **place)
{
	struct waiter *w = *place;

	if (!w || w->woken)
		return;
	w->woken = true;
	eio__wake(w->fiber);
}

/* Pipes */

static void end_pipe(struct pipe *p)
{
	p->ended = true;
	wake(&p->reader);
	wake(&p->writer);
}

static void refuse_pipe(struct pipe *p)
{
	p->refused = true;
	wake(&p->reader);
	wake(&p->writer);
}

static size_t contiguous(const struct pipe *p, size_t at, size_t len)
{
	return len < p->size - at ? len : p->size - at;
}

static size_t take(struct pipe *p, char *buf, size_t len)
{
	size_t first;

	if (len > p->len)
		len = p->len;
	first = contiguous(p, p->start, len);
	memcpy(buf, p->data + p->start, first);
	memcpy(buf + first, p->data, len - first);
	p->start = (p->start + len) % p->size;
	p->len -= len;
	return len;
}

static size_t put(struct pipe *p, const char *buf, size_t len)
{
	size_t at = (p->start + p->len) % p->size, first;

	if (len > p->size - p->len)
		len = p->size - p->len;
	if (len == 0) /* of a vector's empty entries, which may be NULL */
		return 0;
	first = contiguous(p, at, len);
	memcpy(p->data + at, buf, first);
	memcpy(p->data, buf + first, len - first);
	p->len += len;
	return len;
}

static ssize_t read_pipe(struct pipe *p, char *buf, size_t len)
{
	size_t n;

	if (p->reader)
		return -EBUSY;
	if (p->len == 0 && !p->ended && !p->refused) {
		int rc = wait_in(&p->reader, &reading);

		if (rc < 0)
			return rc;
	}
	n = take(p, buf, len);
	if (n > 0)
		wake(&p->writer);
	return (ssize_t) n;
}

static ssize_t write_pipe(struct pipe *p, const struct iovec *iov, int n)
{
	size_t total = 0;

	if (p->writer)
		return -EBUSY;
	if (p->len == p->size && !p->ended && !p->refused) {
		int rc = wait_in(&p->writer, &writing);

		if (rc < 0)
			return rc;
	}
	if (p->ended || p->refused)
		return -EPIPE;
	for (int i = 0; i < n; i++)
		total += put(p, iov[i].iov_base, iov[i].iov_len);
	wake(&p->reader);
	return (ssize_t) total;
}

/* Ends */

static void unuse(struct end *e)
{
	if (--e->users > 0 || !e->closing)
		return;
	end_pipe(e->out);
	refuse_pipe(e->in);
}

static struct end *use(struct eio_flow f)
{
	struct end *e = f.u.ptr;

	if (e->closing)
		return NULL;
	e->users++;
	return e;
}

static ssize_t end_read(struct eio_flow f, void *buf, size_t len)
{
	struct end *e = use(f);
	ssize_t n;

	if (!e)
		return eio__fail(-EBADF, "read", NULL);
	n = read_pipe(e->in, buf, len);
	unuse(e);
	return n < 0 ? eio__fail((int) n, "read", NULL) : n;
}

static ssize_t end_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct end *e = use(f);
	ssize_t written;

	if (!e)
		return eio__fail(-EBADF, "write", NULL);
	written = write_pipe(e->out, iov, n);
	unuse(e);
	return written < 0 ? eio__fail((int) written, "write", NULL) : written;
}

static int end_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	struct end *e = f.u.ptr;

	if (e->closing)
		return eio__fail(-EBADF, "shutdown", NULL);
	if (how != EIO_SHUT_SEND)
		refuse_pipe(e->in);
	if (how != EIO_SHUT_RECEIVE)
		end_pipe(e->out);
	return 0;
}

static int end_close(struct eio_flow f)
{
	struct end *e = use(f);

	if (!e)
		return eio__fail(-EBADF, "close", NULL);
	e->closing = true;
	unuse(e);
	return 0;
}

static const struct eio_flow_ops ops = {
	.name = "mock pair",
	.read = end_read,
	.write_some = end_write_some,
	.shutdown = end_shutdown,
	.close = end_close,
};

int eio_mock_pair_init(struct eio_mock_pair *pub, size_t capacity, struct eio_flow *ret_a,
		       struct eio_flow *ret_b)
{
	struct pair *p = (struct pair *) pub;
	size_t size = capacity ? capacity : 65536;
	char *data = size <= SIZE_MAX / 2 ? malloc(2 * size) : NULL;

	if (!data)
		return eio__fail(-ENOMEM, "pair", NULL);
	*p = (struct pair){
		.pipes = {{.data = data, .size = size}, {.data = data + size, .size = size}}};
	p->ends[0] = (struct end){.in = &p->pipes[0], .out = &p->pipes[1]};
	p->ends[1] = (struct end){.in = &p->pipes[1], .out = &p->pipes[0]};
	*ret_a = (struct eio_flow){.ops = &ops, .u.ptr = &p->ends[0]};
	*ret_b = (struct eio_flow){.ops = &ops, .u.ptr = &p->ends[1]};
	return 0;
}

void eio_mock_pair_fini(struct eio_mock_pair *pub)
{
	struct pair *p = (struct pair *) pub;

	if (p->ends[0].users || p->ends[1].users)
		eio__fatal("eio_mock_pair_fini: a fiber still waits in the pair");
	free(p->pipes[0].data);
}
