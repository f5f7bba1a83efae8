/* SPDX-License-Identifier: ISC */
/*
 * Copying from any flow to any other.
 *
 * The sink's own way comes first. What it leaves goes the common way, piece by piece: out
 * of the source's memory if it lends any, else through the copy's.
 *
 * A source that lends small buffers is waited for by borrowing, so that an idle copy holds
 * no memory. While much comes it is read, since large pieces cost less than they save; but for
 * memory, which is to keep what could not be written.
 */
#include "io/copy.h"
#include "core/error.h"

#include <eio/fiber.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	PIECE_FIRST = 16 * 1024, /* most copies end within the first piece */
	PIECE = 128 * 1024,      /* to TCP half the time of 64 KiB; more gains little */
	LENT_MUCH = 4096,        /* a view from which on more is likely to come … */
	LENT_LARGE = 64 * 1024,  /* … and one that is as good as a piece */
	LENT_MOST = 1024 * 1024, /* at a time, so that it shows how far it came */
};

int eio_copy_moved(struct eio_copy *c, uint64_t n)
{
	int rc;

	c->left -= n;
	c->done += n;
	rc = c->moved ? c->moved(n, c->arg) : 0;
	if (rc < 0)
		c->stopped = rc;
	return c->stopped;
}

/* What was read and not written: a file has it still. Of a program's own flow nobody knows
 * what its bytes are in the descriptor below. */
static void unread(struct eio_flow src, uint64_t bytes)
{
	int fd;

	if (bytes == 0 || !eio__flow_is_file(src))
		return;
	fd = eio_fd_use(src.u.fd);
	if (fd < 0)
		return;
	(void) lseek(fd, -(off_t) bytes, SEEK_CUR);
	eio_fd_unuse(src.u.fd);
}

/* One piece that was read. Each step is told of: the sink may be slow. */
static int write_piece(struct eio_flow dst, const char *data, size_t len, struct eio_copy *c,
		       size_t *done)
{
	for (*done = 0; *done < len;) {
		struct iovec iov = {(void *) (data + *done), len - *done};
		ssize_t n = eio_flow_write_some(dst, &iov, 1);
		int rc;

		if (n < 0)
			return (int) n;
		*done += (size_t) n;
		rc = eio_copy_moved(c, (uint64_t) n);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Out of the source's memory: 0 at the end, 1 when reading is better. */
static int copy_lent(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	while (c->left > 0) {
		struct eio_view view;
		ssize_t n = eio_flow_read_borrow(src, eio__copy_piece(c, LENT_MOST), &view);
		size_t done;
		int rc;

		if (n <= 0)
			return (int) n;
		rc = write_piece(dst, view.data, view.len, c, &done);
		(void) eio_view_release_part(&view, done);
		if (rc < 0)
			return rc;
		if (n >= LENT_MUCH && n < LENT_LARGE && c->left > 0 && src.ops->read &&
		    !eio__flow_is_memory(src))
			return 1;
	}
	return 0;
}

/* Through the copy's memory: 0 at the end, 1 when a source that lends gives little. */
static int copy_read(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	size_t piece = c->piece ? c->piece : PIECE, size = eio__copy_piece(c, PIECE_FIRST);
	char *buf = malloc(size);
	int rc = 0;

	if (!buf)
		return eio__fail(-ENOMEM, "copy", NULL);
	while (rc == 0 && c->left > 0) {
		ssize_t n = eio_flow_read(src, buf, eio__copy_piece(c, size));
		size_t done;

		if (n <= 0) {
			rc = (int) n;
			break;
		}
		rc = write_piece(dst, buf, (size_t) n, c, &done);
		if (rc < 0)
			unread(src, (uint64_t) n - done);
		else if (src.ops->borrow && n < LENT_MUCH)
			rc = c->left > 0;
		/* A full piece promises more. Without the memory, small ones do. */
		if (rc == 0 && (size_t) n == size && size < piece && c->left > size) {
			char *bigger = malloc(piece);

			if (bigger) {
				free(buf);
				buf = bigger;
				size = piece;
			}
		}
	}
	free(buf);
	return rc;
}

int eio__copy_common(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	int rc = c->left > 0;

	while (rc > 0) {
		rc = src.ops->borrow ? copy_lent(dst, src, c) : 1;
		if (rc > 0)
			rc = copy_read(dst, src, c);
	}
	return rc;
}

static int copy(struct eio_flow src, struct eio_flow dst, struct eio_copy *c)
{
	int rc = eio__flow_enter(src, "copy");

	if (rc == 0)
		rc = eio__flow_enter(dst, "copy");
	if (rc < 0 || c->left == 0)
		return rc;
	rc = dst.ops->copy_from ? dst.ops->copy_from(dst, src, c) : -EOPNOTSUPP;
	if (c->stopped < 0)
		return c->stopped;
	return rc == -EOPNOTSUPP ? eio__copy_common(dst, src, c) : rc;
}

int eio_flow_copy_n(struct eio_flow src, struct eio_flow dst, uint64_t max,
		    int (*moved)(uint64_t n, void *arg), void *arg, uint64_t *ret_bytes)
{
	struct eio_copy c = {.left = max, .moved = moved, .arg = arg};
	int rc = copy(src, dst, &c);

	if (ret_bytes)
		*ret_bytes = c.done;
	return rc < 0 ? eio__fail_done(rc, "copy", c.done) : 0;
}

int eio_flow_copy(struct eio_flow src, struct eio_flow dst, uint64_t *ret_bytes)
{
	return eio_flow_copy_n(src, dst, UINT64_MAX, NULL, NULL, ret_bytes);
}

int eio__flow_read_all(struct eio_flow src, size_t max, size_t room, char **ret, size_t *ret_len)
{
	struct eio_buffer_sink sink;
	struct eio_flow dst = eio_buffer_sink_init(&sink, max);
	uint64_t n;
	char *text;
	int rc;

	if (room > 0) {
		sink.data = malloc(room + 1);
		if (!sink.data)
			return eio__fail(-ENOMEM, "read", NULL);
		sink.size = room + 1;
	}
	rc = eio_flow_copy(src, dst, &n);
	if (rc < 0) {
		unread(src, n);
		eio_buffer_sink_fini(&sink);
		return rc;
	}
	/* The sink made room, and ended it, before it read. What is too much goes back; if that
	 * cannot be, the larger block will do. */
	text = realloc(sink.data, sink.len + 1);
	*ret = text ? text : sink.data;
	(*ret)[sink.len] = '\0';
	if (ret_len)
		*ret_len = sink.len;
	return 0;
}

int eio_flow_read_all(struct eio_flow src, size_t max, char **ret, size_t *ret_len)
{
	return eio__flow_read_all(src, max, 0, ret, ret_len);
}
