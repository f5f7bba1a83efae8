/* SPDX-License-Identifier: ISC */
/*
 * Pipes, splicing, and waiting for readiness.
 */
#include "uring/call.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

int eio_ll_pipe(struct eio_switch *sw, struct eio_fd *ret_r, struct eio_fd *ret_w)
{
	int ends[2], rc = eio_check();

	if (rc == 0)
		rc = eio__switch_ok(sw);
	if (rc == 0 && pipe2(ends, O_CLOEXEC) < 0)
		rc = -errno;
	if (rc < 0)
		return eio__fail(rc, "pipe", NULL);
	return eio__fd_pair_of_unix(sw, ends, ret_r, ret_w);
}

/* One splice; both descriptors are pinned while it is in flight. */
static int splice_once(struct eio_fd src, struct eio_fd dst, size_t len)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;
	bool again;
	int from;

	do {
		from = eio__fd_use(src);
		if (from < 0)
			return from;
		sqe = eio__begin(&c, dst);
		if (sqe)
			io_uring_prep_splice(sqe, from, -1, c.unix_fd, -1, eio__io_len(len), 0);
		again = eio__finish(&c, sqe, 0);
		eio__fd_unuse(src);
	} while (again);
	return c.res;
}

/* With O_NONBLOCK on either side it may answer -EAGAIN, and not which side it was. */
ssize_t eio_ll_splice(struct eio_fd src, struct eio_fd dst, size_t len)
{
	int rc, ready = 0;

	do {
		rc = splice_once(src, dst, len);
		if (rc == -EAGAIN)
			ready = eio_ll_await_readable(src);
		if (rc == -EAGAIN && ready == 0)
			ready = eio_ll_await_writable(dst);
	} while (rc == -EAGAIN && ready == 0);
	return eio__fail(ready < 0 ? ready : rc, "splice", NULL);
}

static int poll_once(struct eio_fd fd, unsigned events)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_poll_add(sqe, c.unix_fd, events);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

int eio_ll_poll(struct eio_fd fd, unsigned events)
{
	return eio__fail(poll_once(fd, events), "poll", NULL);
}

int eio_ll_await_readable(struct eio_fd fd)
{
	int rc = eio_ll_poll(fd, POLLIN);

	return rc < 0 ? rc : 0;
}

int eio_ll_await_writable(struct eio_fd fd)
{
	int rc = eio_ll_poll(fd, POLLOUT);

	return rc < 0 ? rc : 0;
}
