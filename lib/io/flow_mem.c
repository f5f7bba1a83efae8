/* SPDX-License-Identifier: ISC */
/*
 * Flows that never wait: memory, nothing, and the kernel's random numbers.
 *
 * Their state is in the caller's storage. They have no close: what they work on stays
 * usable until its owner is done with it.
 */
#include "core/error.h"
#include "io/copy.h"
#include "io/env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>

/* A block of memory as a source */

static ssize_t string_read(struct eio_flow f, void *buf, size_t len)
{
	struct eio_string_source *s = f.u.ptr;
	size_t n = len < s->len ? len : s->len;

	if (n == 0)
		return 0;
	memcpy(buf, s->data, n);
	s->data += n;
	s->len -= n;
	return (ssize_t) n;
}

static bool string_release(struct eio_view *view, size_t used)
{
	struct eio_string_source *s = view->ptr;
	size_t unused = view->len - used;

	if (unused > 0 && s->data != view->data + view->len)
		return false;
	s->data -= unused;
	s->len += unused;
	return true;
}

static ssize_t string_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct eio_string_source *s = f.u.ptr;
	size_t n = max < s->len ? max : s->len;

	if (n == 0)
		return 0;
	*ret = (struct eio_view){s->data, n, string_release, s, 0};
	s->data += n;
	s->len -= n;
	return (ssize_t) n;
}

static const struct eio_flow_ops string_ops = {
	.name = "string",
	.read = string_read,
	.borrow = string_borrow,
};

struct eio_flow eio_string_source_init(struct eio_string_source *s, const void *data, size_t len)
{
	s->data = data;
	s->len = len;
	return (struct eio_flow){.ops = &string_ops, .u.ptr = s};
}

/* A vector as a source. An entry that is used up is left when the next bytes are wanted, so
 * that a view of its end can still be given back. */

/* Bytes left in the first entry that has some; 0 at the end. */
static size_t iov_left(struct eio_iov_source *s)
{
	while (s->n > 0 && s->off == s->iov->iov_len) {
		s->iov++;
		s->n--;
		s->off = 0;
	}
	return s->n > 0 ? s->iov->iov_len - s->off : 0;
}

/* Up to @p max bytes of one entry. */
static size_t iov_take(struct eio_iov_source *s, size_t max, const char **ret)
{
	size_t left = iov_left(s), n = left < max ? left : max;

	if (n == 0)
		return 0;
	*ret = (const char *) s->iov->iov_base + s->off;
	s->off += n;
	return n;
}

static ssize_t iov_read(struct eio_flow f, void *buf, size_t len)
{
	size_t done = 0, n;
	const char *data;

	while ((n = iov_take(f.u.ptr, len - done, &data)) > 0) {
		memcpy((char *) buf + done, data, n);
		done += n;
	}
	return (ssize_t) done;
}

static bool iov_release(struct eio_view *view, size_t used)
{
	struct eio_iov_source *s = view->ptr;
	size_t unused = view->len - used;

	/* The view read last ends where the source is, in the same entry: some may share memory. */
	if (unused > 0 && (view->id != (uintptr_t) s->iov || s->n <= 0 ||
			   view->data + view->len != (const char *) s->iov->iov_base + s->off))
		return false;
	s->off -= unused;
	return true;
}

static ssize_t iov_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct eio_iov_source *s = f.u.ptr;
	const char *data;
	size_t n = iov_take(s, max, &data);

	if (n > 0)
		*ret = (struct eio_view){data, n, iov_release, s, (uintptr_t) s->iov};
	return (ssize_t) n;
}

static const struct eio_flow_ops iov_ops = {
	.name = "vector",
	.read = iov_read,
	.borrow = iov_borrow,
};

struct eio_flow eio_iov_source_init(struct eio_iov_source *s, const struct iovec *iov, int n)
{
	*s = (struct eio_iov_source){.iov = iov, .n = n};
	return (struct eio_flow){.ops = &iov_ops, .u.ptr = s};
}

bool eio__flow_is_memory(struct eio_flow f)
{
	return f.ops == &string_ops || f.ops == &iov_ops;
}

/* A growing buffer as a sink */

/*
 * Makes room for up to @p want bytes and the NUL: how many, at least 1, or a negative
 * code. The size doubles, and never goes beyond max.
 */
static ssize_t sink_room(struct eio_buffer_sink *s, size_t want)
{
	size_t max = s->max && s->max < PTRDIFF_MAX ? s->max : PTRDIFF_MAX - 1;
	size_t left = max - s->len, size;
	char *data;

	if (left == 0)
		return eio__fail(EIO_ELIMIT, "write", "buffer");
	if (want > left)
		want = left;
	if (want > EIO__COUNT_MAX)
		want = EIO__COUNT_MAX;
	if (s->size > s->len + want)
		return (ssize_t) want;
	size = s->size < max / 2 ? 2 * s->size : max;
	if (size < s->len + want)
		size = s->len + want;
	data = realloc(s->data, size + 1);
	if (!data)
		return eio__fail(-ENOMEM, "write", "buffer");
	s->data = data;
	s->data[s->len] = '\0';
	s->size = size + 1;
	return (ssize_t) want;
}

static void sink_added(struct eio_buffer_sink *s, size_t n)
{
	s->len += n;
	s->data[s->len] = '\0';
}

static ssize_t sink_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct eio_buffer_sink *s = f.u.ptr;
	size_t total = 0;

	for (int i = 0; i < n && total < EIO__COUNT_MAX; i++) {
		ssize_t room;

		if (iov[i].iov_len == 0)
			continue;
		room = sink_room(s, iov[i].iov_len);
		if (room < 0)
			return total ? (ssize_t) total : room;
		if ((size_t) room > EIO__COUNT_MAX - total)
			room = (ssize_t) (EIO__COUNT_MAX - total);
		memcpy(s->data + s->len, iov[i].iov_base, (size_t) room);
		sink_added(s, (size_t) room);
		total += (size_t) room;
		if ((size_t) room < iov[i].iov_len)
			break;
	}
	return (ssize_t) total;
}

/* Reads straight into the buffer, what is free of it, in pieces that do not hold the other
 * fibers up. At the limit the generic loop goes on: whether that
 * is a failure depends on whether another byte comes. */
static int sink_copy_from(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	enum { LEAST = EIO__SINK_LEAST, MOST = 1024 * 1024 };
	struct eio_buffer_sink *s = dst.u.ptr;
	int rc = 0;

	while (rc == 0 && c->left > 0) {
		size_t spare = s->size > s->len + 1 ? s->size - s->len - 1 : 0;
		size_t piece = spare < LEAST ? LEAST : spare < MOST ? spare : MOST;
		ssize_t n;

		if (s->max && s->len >= s->max)
			return -EOPNOTSUPP;
		n = sink_room(s, eio__copy_piece(c, piece));
		if (n < 0)
			return (int) n;
		n = eio_flow_read(src, s->data + s->len, (size_t) n);
		if (n <= 0)
			return (int) n;
		sink_added(s, (size_t) n);
		rc = eio_copy_moved(c, (uint64_t) n);
	}
	return rc;
}

static const struct eio_flow_ops sink_ops = {
	.name = "buffer",
	.write_some = sink_write_some,
	.copy_from = sink_copy_from,
};

struct eio_flow eio_buffer_sink_init(struct eio_buffer_sink *s, size_t max)
{
	*s = (struct eio_buffer_sink){.max = max};
	return (struct eio_flow){.ops = &sink_ops, .u.ptr = s};
}

void eio_buffer_sink_fini(struct eio_buffer_sink *s)
{
	free(s->data);
	*s = (struct eio_buffer_sink){.max = s->max};
}

/* Nothing */

static ssize_t null_read(struct eio_flow f, void *buf, size_t len)
{
	(void) f;
	(void) buf;
	(void) len;
	return 0;
}

static ssize_t null_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	size_t total = 0;

	(void) f;
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len >= EIO__COUNT_MAX - total)
			return EIO__COUNT_MAX;
		total += iov[i].iov_len;
	}
	return (ssize_t) total;
}

static const struct eio_flow_ops null_ops = {
	.name = "null",
	.read = null_read,
	.write_some = null_write_some,
};

struct eio_flow eio_null(void)
{
	return (struct eio_flow){.ops = &null_ops, .u.ptr = NULL};
}

/* Random numbers */

/* Does not block once the system has booted. The pieces are small enough not to hold
 * the other fibers up. */
static ssize_t random_read(struct eio_flow f, void *buf, size_t len)
{
	enum { PIECE = 16 * 1024 };
	ssize_t n;

	(void) f;
	do {
		n = getrandom(buf, len < PIECE ? len : PIECE, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? eio__fail(-errno, "getrandom", NULL) : n;
}

static const struct eio_flow_ops random_ops = {.name = "random", .read = random_read};

struct eio_flow eio__flow_random(void)
{
	return (struct eio_flow){.ops = &random_ops, .u.ptr = NULL};
}
