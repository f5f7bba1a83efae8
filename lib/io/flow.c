/* SPDX-License-Identifier: ISC */
/*
 * The calls on flows: what each provider would otherwise do again.
 *
 * Every call but close looks at the caller's cancellation, then at the value itself,
 * then at length 0, and only then calls the provider. Calls that move everything loop
 * over the provider's single steps, and on failure keep in the last error how far they
 * came.
 */
#include "core/error.h"
#include "io/flow.h"

#include <eio/fiber.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	WINDOW = 8,              /* entries of a vector that are copied at a time */
	PIECE_FIRST = 16 * 1024, /* most copies end within the first piece */
	PIECE = 128 * 1024,      /* to TCP half the time of 64 KiB; more gains little */
};

static int enter(struct eio_flow f, const char *op)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	return f.ops ? 0 : eio__fail(-EBADF, op, NULL);
}

/* Reading */

ssize_t eio_flow_read(struct eio_flow f, void *buf, size_t len)
{
	int rc = enter(f, "read");

	if (rc < 0 || len == 0)
		return rc;
	if (!f.ops->read)
		return eio__fail(-EOPNOTSUPP, "read", f.ops->name);
	return f.ops->read(f, buf, len < EIO__COUNT_MAX ? len : EIO__COUNT_MAX);
}

int eio_flow_read_exact(struct eio_flow f, void *buf, size_t len)
{
	size_t done = 0;

	if (len == 0)
		return enter(f, "read");
	while (done < len) {
		ssize_t n = eio_flow_read(f, (char *) buf + done, len - done);

		if (n <= 0)
			return eio__fail_done(n < 0 ? (int) n : EIO_EOF, "read", done);
		done += (size_t) n;
	}
	return 0;
}

/* Writing */

/* What is left of a caller's vector, which is not changed. The first entry, of which
 * off bytes are done, is never exhausted. */
struct rest {
	const struct iovec *iov;
	int n;
	size_t off;
};

static void advance(struct rest *r, size_t bytes)
{
	r->off += bytes;
	while (r->n > 0 && r->off >= r->iov->iov_len) {
		r->off -= r->iov->iov_len;
		r->iov++;
		r->n--;
	}
}

/* One step of a vector that does not begin with an empty entry. */
static ssize_t write_step(struct eio_flow f, const struct iovec *iov, int n)
{
	ssize_t written;

	if (!f.ops->write_some)
		return eio__fail(-EOPNOTSUPP, "write", f.ops->name);
	written = f.ops->write_some(f, iov, n < IOV_MAX ? n : IOV_MAX);
	return written != 0 ? written : eio__fail(-EIO, "write", f.ops->name);
}

/* The caller's own entries are handed on. Only after a short step that ended inside
 * one, that entry's rest and the next few go through a window. */
static ssize_t write_rest(struct eio_flow f, const struct rest *r)
{
	struct iovec window[WINDOW];
	int n = r->n < WINDOW ? r->n : WINDOW;

	if (r->off == 0)
		return write_step(f, r->iov, r->n);
	memcpy(window, r->iov, (size_t) n * sizeof(*window));
	window[0].iov_base = (char *) window[0].iov_base + r->off;
	window[0].iov_len -= r->off;
	return write_step(f, window, n);
}

/* All that is left; what was written is added to *done. */
static int write_all(struct eio_flow f, struct rest *r, uint64_t *done)
{
	for (advance(r, 0); r->n > 0;) {
		int rc = eio_check();
		ssize_t written = rc < 0 ? rc : write_rest(f, r);

		if (written < 0)
			return (int) written;
		*done += (size_t) written;
		advance(r, (size_t) written);
	}
	return 0;
}

ssize_t eio_flow_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct rest r = {iov, n, 0};
	int rc = enter(f, "write");

	if (rc < 0)
		return rc;
	if (n < 0)
		return eio__fail(-EINVAL, "write", NULL);
	advance(&r, 0);
	return r.n > 0 ? write_step(f, r.iov, r.n) : 0;
}

/* Kept apart for its frame, which a fiber that waits in its first step need not have. */
static __attribute__((noinline)) int write_on(struct eio_flow f, const struct iovec *iov, int n,
					      ssize_t first)
{
	uint64_t done = first > 0 ? (uint64_t) first : 0;
	struct rest r = {iov, n, 0};
	int rc = first < 0 ? (int) first : 0;

	advance(&r, (size_t) done);
	if (rc == 0)
		rc = write_all(f, &r, &done);
	return rc < 0 ? eio__fail_done(rc, "write", done) : 0;
}

int eio_flow_writev(struct eio_flow f, const struct iovec *iov, int n)
{
	int rc = enter(f, "write");

	if (rc == 0 && n < 0)
		rc = eio__fail(-EINVAL, "write", NULL);
	return write_on(f, iov, n, rc);
}

/* Nearly always one step is all. */
int eio_flow_write(struct eio_flow f, const void *buf, size_t len)
{
	struct iovec iov = {(void *) buf, len};
	ssize_t n = enter(f, "write");

	if (n == 0 && len > 0)
		n = write_step(f, &iov, 1);
	return n == (ssize_t) len ? 0 : write_on(f, &iov, 1, n);
}

int eio_flow_copy_string(struct eio_flow dst, const char *text)
{
	return eio_flow_write(dst, text, strlen(text));
}

/* Copying */

/* The source is memory already. */
static int write_string(struct eio_flow dst, struct eio_string_source *s, uint64_t max,
			uint64_t *moved)
{
	struct iovec iov = {(void *) s->data, s->len < max ? s->len : (size_t) max};
	struct rest r = {&iov, 1, 0};
	int rc = write_all(dst, &r, moved);

	s->data += *moved;
	s->len -= (size_t) *moved;
	return rc;
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

int eio__flow_copy_loop(struct eio_flow dst, struct eio_flow src, uint64_t max, size_t piece,
			uint64_t *moved)
{
	size_t size = max < PIECE_FIRST ? (size_t) max : PIECE_FIRST;
	char *buf = malloc(size ? size : 1);
	int rc = 0;

	if (!buf)
		return eio__fail(-ENOMEM, "copy", NULL);
	while (max > 0) {
		ssize_t n = eio_flow_read(src, buf, size < max ? size : (size_t) max);
		struct iovec iov = {buf, (size_t) n};
		struct rest r = {&iov, 1, 0};
		uint64_t done = 0;

		if (n <= 0) {
			rc = (int) n;
			break;
		}
		rc = write_all(dst, &r, &done);
		*moved += done;
		max -= done;
		if (rc < 0) {
			unread(src, (uint64_t) n - done);
			break;
		}
		/* A full piece promises more. Without the memory, small ones do. */
		if ((size_t) n == size && size < piece && max > size) {
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

static int copy(struct eio_flow src, struct eio_flow dst, uint64_t max, uint64_t *moved)
{
	struct eio_string_source *s;
	int rc = enter(src, "copy");

	if (rc == 0)
		rc = enter(dst, "copy");
	if (rc < 0 || max == 0)
		return rc;
	s = eio__flow_string(src);
	if (s)
		return write_string(dst, s, max, moved);
	if (dst.ops->copy_from) {
		rc = dst.ops->copy_from(dst, src, max, moved);
		if (rc != -EOPNOTSUPP)
			return rc;
	}
	return eio__flow_copy_loop(dst, src, max - *moved, PIECE, moved);
}

int eio_flow_copy_max(struct eio_flow src, struct eio_flow dst, uint64_t max, uint64_t *ret_bytes)
{
	uint64_t moved = 0;
	int rc = copy(src, dst, max, &moved);

	if (ret_bytes)
		*ret_bytes = moved;
	return rc < 0 ? eio__fail_done(rc, "copy", moved) : 0;
}

int eio_flow_copy(struct eio_flow src, struct eio_flow dst, uint64_t *ret_bytes)
{
	return eio_flow_copy_max(src, dst, UINT64_MAX, ret_bytes);
}

/* The rest */

int eio_flow_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	int rc = enter(f, "shutdown");

	if (rc < 0 || !f.ops->shutdown)
		return rc;
	return f.ops->shutdown(f, how);
}

int eio_flow_close(struct eio_flow f)
{
	if (!f.ops)
		return eio__fail(-EBADF, "close", NULL);
	return f.ops->close ? f.ops->close(f) : 0;
}

int eio_flow_fd(struct eio_flow f, struct eio_fd *ret)
{
	if (!f.ops)
		return eio__fail(-EBADF, "descriptor", NULL);
	return f.ops->fd ? f.ops->fd(f, ret) : -ENOTSUP;
}
