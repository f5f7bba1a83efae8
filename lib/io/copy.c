/* SPDX-License-Identifier: ISC */
/*
 * Copying from any flow to any other.
 *
 * The sink's own way comes first. What it leaves goes piece by piece, out of the source's
 * buffers if it hands them out, else through one of the copy's.
 */
#include "io/copy.h"
#include "core/error.h"

#include <eio/fiber.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PIECE_FIRST = 16 * 1024, /* most copies end within the first piece */
	PIECE = 128 * 1024,      /* to TCP half the time of 64 KiB; more gains little */
};

int eio_copy_moved(struct eio_copy *c, uint64_t n)
{
	c->left -= n;
	c->done += n;
	return c->moved ? c->moved(n, c->arg) : 0;
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

/* One piece that was read. The failure to write comes before the wish to stop. */
static int write_piece(struct eio_flow dst, const void *data, size_t len, struct eio_copy *c,
		       uint64_t *done)
{
	int rc = eio__flow_write_all(dst, data, len, done);
	int stop = *done > 0 ? eio_copy_moved(c, *done) : 0;

	return rc < 0 ? rc : stop;
}

static int copy_borrowed(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	while (c->left > 0) {
		struct eio_view view;
		ssize_t n = eio_flow_read_borrow(src, eio__copy_piece(c, EIO__COUNT_MAX), &view);
		uint64_t done = 0;
		int rc;

		if (n <= 0)
			return (int) n;
		rc = write_piece(dst, view.data, view.len, c, &done);
		(void) eio_view_release_part(&view, (size_t) done);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int eio__copy_through_memory(struct eio_flow dst, struct eio_flow src, struct eio_copy *c,
			     size_t piece)
{
	size_t size = eio__copy_piece(c, PIECE_FIRST);
	char *buf = malloc(size ? size : 1);
	int rc = 0;

	if (!buf)
		return eio__fail(-ENOMEM, "copy", NULL);
	while (rc == 0 && c->left > 0) {
		ssize_t n = eio_flow_read(src, buf, eio__copy_piece(c, size));
		uint64_t done = 0;

		if (n <= 0) {
			rc = (int) n;
			break;
		}
		rc = write_piece(dst, buf, (size_t) n, c, &done);
		if (rc < 0)
			unread(src, (uint64_t) n - done);
		/* A full piece promises more. Without the memory, small ones do. */
		if ((size_t) n == size && size < piece && c->left > size) {
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

static int copy(struct eio_flow src, struct eio_flow dst, struct eio_copy *c)
{
	int rc = eio__flow_enter(src, "copy");

	if (rc == 0)
		rc = eio__flow_enter(dst, "copy");
	if (rc < 0 || c->left == 0)
		return rc;
	if (dst.ops->copy_from) {
		rc = dst.ops->copy_from(dst, src, c);
		if (rc != -EOPNOTSUPP)
			return rc;
	}
	if (src.ops->borrow)
		return copy_borrowed(dst, src, c);
	return eio__copy_through_memory(dst, src, c, PIECE);
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

int eio_flow_read_all(struct eio_flow src, size_t max, char **ret, size_t *ret_len)
{
	struct eio_buffer_sink sink;
	uint64_t n;
	int rc = eio_flow_copy(src, eio_buffer_sink_init(&sink, max), &n);
	/* Without memory to shrink to what is needed, the larger block will do. */
	char *text = rc == 0 ? realloc(sink.data, sink.len + 1) : NULL;

	if (text)
		sink.data = text;
	else if (rc == 0 && !sink.data)
		rc = eio__fail(-ENOMEM, "read", NULL);
	if (rc < 0) {
		unread(src, n);
		eio_buffer_sink_fini(&sink);
		return rc;
	}
	sink.data[sink.len] = '\0';
	*ret = sink.data;
	if (ret_len)
		*ret_len = sink.len;
	return 0;
}
