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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
	WINDOW = 8,         /* entries of a vector that are copied at a time */
	COPIED = 16 * 1024, /* of a view of a source without buffers, at most */
	PRINTED = 256,      /* text and its NUL that need no memory */
};

int eio__flow_enter(struct eio_flow f, const char *op)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	return f.ops ? 0 : eio__fail(-EBADF, op, NULL);
}

/* Reading */

ssize_t eio_flow_read(struct eio_flow f, void *buf, size_t len)
{
	int rc = eio__flow_enter(f, "read");

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
		return eio__flow_enter(f, "read");
	while (done < len) {
		ssize_t n = eio_flow_read(f, (char *) buf + done, len - done);

		if (n <= 0)
			return eio__fail_done(n < 0 ? (int) n : EIO_EOF, "read", done);
		done += (size_t) n;
	}
	return 0;
}

ssize_t eio_flow_readv(struct eio_flow f, const struct iovec *iov, int n)
{
	int rc = eio__flow_enter(f, "read");

	if (rc < 0)
		return rc;
	if (n < 0)
		return eio__fail(-EINVAL, "read", NULL);
	for (; n > 0 && iov->iov_len == 0; n--)
		iov++;
	if (n == 0)
		return 0;
	if (f.ops->readv)
		return f.ops->readv(f, iov, n < IOV_MAX ? n : IOV_MAX);
	return eio_flow_read(f, iov->iov_base, iov->iov_len);
}

/* Of a source that hands out no buffers of its own. */
static bool release_copied(struct eio_view *view, size_t used)
{
	free(view->ptr);
	return used == view->len;
}

ssize_t eio__flow_borrow_copied(struct eio_flow f, size_t max, struct eio_view *ret)
{
	char *buf = malloc(max < COPIED ? max : COPIED);
	ssize_t n;

	if (!buf)
		return eio__fail(-ENOMEM, "read", NULL);
	n = eio_flow_read(f, buf, max < COPIED ? max : COPIED);
	if (n > 0)
		*ret = (struct eio_view){buf, (size_t) n, release_copied, buf, 0};
	else
		free(buf);
	return n;
}

ssize_t eio_flow_read_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	int rc = eio__flow_enter(f, "read");

	*ret = (struct eio_view){0};
	if (rc < 0 || max == 0)
		return rc;
	if (max > EIO__COUNT_MAX)
		max = EIO__COUNT_MAX;
	return f.ops->borrow ? f.ops->borrow(f, max, ret) : eio__flow_borrow_copied(f, max, ret);
}

bool eio_view_release_part(struct eio_view *view, size_t used)
{
	bool whole = used >= view->len;
	bool kept = view->release ? view->release(view, whole ? view->len : used) : whole;

	*view = (struct eio_view){0};
	return kept;
}

void eio_view_release(struct eio_view *view)
{
	(void) eio_view_release_part(view, view->len);
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
	int rc = eio__flow_enter(f, "write");

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
	int rc = eio__flow_enter(f, "write");

	if (rc == 0 && n < 0)
		rc = eio__fail(-EINVAL, "write", NULL);
	return write_on(f, iov, n, rc);
}

/* Nearly always one step is all. */
int eio_flow_write(struct eio_flow f, const void *buf, size_t len)
{
	struct iovec iov = {(void *) buf, len};
	ssize_t n = eio__flow_enter(f, "write");

	if (n == 0 && len > 0)
		n = write_step(f, &iov, 1);
	return n == (ssize_t) len ? 0 : write_on(f, &iov, 1, n);
}

int eio_flow_copy_string(struct eio_flow dst, const char *text)
{
	return eio_flow_write(dst, text, strlen(text));
}

int eio_flow_printf(struct eio_flow dst, const char *format, ...)
{
	char brief[PRINTED], *text = NULL;
	int len, rc = eio__flow_enter(dst, "write");
	va_list args;

	if (rc < 0)
		return rc;
	va_start(args, format);
	len = vsnprintf(brief, sizeof(brief), format, args);
	va_end(args);
	if (len >= PRINTED) {
		va_start(args, format);
		len = vasprintf(&text, format, args);
		va_end(args);
	}
	if (len < 0)
		return eio__fail(-errno, "format", NULL);
	rc = eio_flow_write(dst, text ? text : brief, (size_t) len);
	free(text);
	return rc;
}

/* The rest */

int eio_flow_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	int rc = eio__flow_enter(f, "shutdown");

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
