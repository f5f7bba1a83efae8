/* SPDX-License-Identifier: ISC */
/*
 * Flows over descriptors.
 *
 * The value is a table and a tracked descriptor, nothing else: making one allocates
 * nothing, and a stale one gives -EBADF. There is a table for files and pipes, one for
 * named pipes opened for reading, two for terminals, and two for sockets.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/copy.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

/* Every kind */

static int close_fd(struct eio_flow f)
{
	return eio_fd_close(f.u.fd);
}

static int get_fd(struct eio_flow f, struct eio_fd *ret)
{
	*ret = f.u.fd;
	return 0;
}

/* Of sockets too: the kernel receives by it. */
static ssize_t read_vector(struct eio_flow f, const struct iovec *iov, int n)
{
	return eio_ll_readv(f.u.fd, iov, n, EIO_CURRENT);
}

/* Files and pipes */

static ssize_t file_read(struct eio_flow f, void *buf, size_t len)
{
	return eio_ll_read(f.u.fd, buf, len, EIO_CURRENT);
}

static ssize_t file_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	return eio_ll_writev_single(f.u.fd, iov, n, EIO_CURRENT);
}

static int file_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	(void) how;
	return eio_fd_is_open(f.u.fd) ? 0 : eio__fail(-EBADF, "shutdown", NULL);
}

static const struct eio_flow_ops file_ops = {
	.name = "file",
	.read = file_read,
	.readv = read_vector,
	.write_some = file_write_some,
	.copy_from = eio__copy_to_file,
	.shutdown = file_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_file(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &file_ops, .u.fd = fd};
}

/* Regular files */

/* What is in the page cache, or a negative code. */
static __attribute__((noinline)) ssize_t read_cached(struct eio_fd handle, void *buf, size_t len,
						     int64_t off)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	int fd = eio_fd_use(handle);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = syscall(SYS_preadv2, fd, &iov, 1, (long) off, (long) (off >> 63), RWF_NOWAIT);
	if (n < 0)
		n = -errno;
	eio_fd_unuse(handle);
	return n;
}

/* Read directly it costs less than a trip through the ring, and does not wait either. */
static ssize_t regular_read_at(struct eio_fd fd, void *buf, size_t len, int64_t off)
{
	ssize_t n = eio__may_go_direct() ? read_cached(fd, buf, len, off) : -EAGAIN;

	return n >= 0 ? n : eio_ll_read(fd, buf, len, off);
}

static ssize_t regular_read(struct eio_flow f, void *buf, size_t len)
{
	return regular_read_at(f.u.fd, buf, len, EIO_CURRENT);
}

static const struct eio_flow_ops regular_ops = {
	.name = "file",
	.read = regular_read,
	.readv = read_vector,
	.write_some = file_write_some,
	.copy_from = eio__copy_to_file,
	.shutdown = file_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_regular(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &regular_ops, .u.fd = fd};
}

ssize_t eio__flow_pread(struct eio_flow f, struct eio_fd fd, void *buf, size_t len, int64_t off)
{
	return f.ops == &regular_ops ? regular_read_at(fd, buf, len, off)
				     : eio_ll_read(fd, buf, len, off);
}

bool eio__flow_is_file(struct eio_flow f)
{
	return f.ops == &file_ops || f.ops == &regular_ops;
}

/* Named pipes */

/* A read gives 0 whenever there is no writer. If one has been there poll says so by
 * POLLHUP, and it is the end; else the first one is still to come. */
static ssize_t fifo_read(struct eio_flow f, void *buf, size_t len)
{
	for (;;) {
		ssize_t n = eio_ll_read(f.u.fd, buf, len, EIO_CURRENT);
		int events;

		if (n != 0)
			return n;
		events = eio_ll_poll(f.u.fd, POLLIN);
		if (events < 0 || !(events & POLLIN))
			return events < 0 ? events : 0;
	}
}

static const struct eio_flow_ops fifo_ops = {
	.name = "fifo",
	.read = fifo_read,
	.shutdown = file_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_fifo(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &fifo_ops, .u.fd = fd};
}

/* An entry that writes, prepared but for its descriptor. */

static int write_entry_once(struct eio_fd handle, struct io_uring_sqe *sqe)
{
	int fd = eio_fd_use(handle), rc;

	if (fd < 0)
		return fd;
	sqe->fd = fd;
	rc = eio_ll_await(sqe);
	eio_fd_unuse(handle);
	/* The kernel's own -ECANCELED is not ours. */
	return rc == -ECANCELED && !eio_is_cancelled() ? -EIO : rc;
}

static int write_entry(struct eio_fd handle, struct io_uring_sqe *sqe, const char *op)
{
	int rc, ready = 0;

	/* Older kernels do not wait for an O_NONBLOCK descriptor themselves. */
	do {
		rc = write_entry_once(handle, sqe);
		if (rc == -EAGAIN)
			ready = eio_ll_await_writable(handle);
	} while ((rc == -EAGAIN || rc == -EINTR) && ready == 0);
	return ready < 0 ? ready : eio__fail(rc, op, NULL);
}

/* Terminals */

/* With room for a byte the kernel begins to write, and waits for the room that the others
 * need, the submitting thread with it: so one of its own does it. O_NONBLOCK would be set for
 * all who share the terminal. */
static ssize_t tty_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	struct io_uring_sqe sqe = {0};

	io_uring_prep_writev(&sqe, -1, iov, (unsigned) n, EIO_CURRENT);
	sqe.flags = IOSQE_ASYNC;
	return write_entry(f.u.fd, &sqe, "writev");
}

static const struct eio_flow_ops tty_ops = {
	.name = "tty",
	.read = file_read,
	.readv = read_vector,
	.write_some = tty_write_some,
	.shutdown = file_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_tty(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &tty_ops, .u.fd = fd};
}

/* The other side of a pseudo-terminal has been closed: so says the kernel -EIO. */
static ssize_t or_end(ssize_t n)
{
	return n == -EIO ? 0 : n;
}

static ssize_t pty_read(struct eio_flow f, void *buf, size_t len)
{
	return or_end(file_read(f, buf, len));
}

static ssize_t pty_readv(struct eio_flow f, const struct iovec *iov, int n)
{
	return or_end(read_vector(f, iov, n));
}

static const struct eio_flow_ops pty_ops = {
	.name = "pty",
	.read = pty_read,
	.readv = pty_readv,
	.write_some = file_write_some,
	.shutdown = file_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_pty(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &pty_ops, .u.fd = fd};
}

/* Sockets */

static ssize_t socket_read(struct eio_flow f, void *buf, size_t len)
{
	return eio_ll_recv(f.u.fd, buf, len, 0);
}

static bool return_view(struct eio_view *view, size_t used)
{
	struct eio_ll_view v = {.data = (void *) view->data, .id = (unsigned) view->id};

	(void) eio_ll_view_return(view->ptr, v);
	return used == view->len;
}

/*
 * In a buffer that the kernel takes when data comes. When others have them all nobody waits for
 * them, who may wait for this very flow, but for data, and receives that into memory from the heap.
 */
static ssize_t socket_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct eio_ll_buffers *group = eio_ll_buffers_common();
	struct eio_ll_view v;
	ssize_t n = -ENOBUFS;

	if (group)
		n = eio_ll_view_recv(f.u.fd, group, max, &v);
	if (n > 0)
		*ret = (struct eio_view){v.data, v.len, return_view, group, v.id};
	if (n != -ENOBUFS)
		return n;
	n = eio_ll_await_readable(f.u.fd);
	return n < 0 ? n : eio__flow_borrow_copied(f, max, ret);
}

/* Kept apart for its frame: most sends are of one entry. */
static __attribute__((noinline)) int send_vector(struct eio_fd handle, const struct iovec *iov,
						 int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *) iov, .msg_iovlen = (unsigned) n};
	struct io_uring_sqe sqe = {0};

	io_uring_prep_sendmsg(&sqe, -1, &msg, MSG_NOSIGNAL);
	return write_entry(handle, &sqe, "sendmsg");
}

int eio__set_file_flag(int unix_fd, int flag, bool on)
{
	int flags = fcntl(unix_fd, F_GETFL), wanted = on ? flags | flag : flags & ~flag;

	if (flags < 0 || (flags != wanted && fcntl(unix_fd, F_SETFL, wanted) < 0))
		return -errno;
	return 0;
}

ssize_t eio__socket_recv_now(struct eio_fd handle, void *buf, size_t len)
{
	int fd = eio_fd_use(handle);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = recv(fd, buf, len, MSG_DONTWAIT);
	if (n < 0)
		n = -errno;
	eio_fd_unuse(handle);
	return n;
}

ssize_t eio__socket_send_now(struct eio_fd handle, const void *buf, size_t len)
{
	int fd = eio_fd_use(handle);
	ssize_t n;

	if (fd < 0)
		return eio__fail(fd, "send", NULL);
	n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		n = -errno;
	eio_fd_unuse(handle);
	return n;
}

static ssize_t socket_write_some(struct eio_flow f, const struct iovec *iov, int n)
{
	ssize_t sent = -EAGAIN;

	if (n != 1)
		return send_vector(f.u.fd, iov, n);
	if (iov->iov_len >= EIO__DIRECT_SIZE ? eio__may_go_direct() : eio__go_direct())
		sent = eio__socket_send_now(f.u.fd, iov->iov_base, iov->iov_len);
	if (sent != -EAGAIN)
		return sent < 0 ? eio__fail((int) sent, "send", NULL) : sent;
	return eio_ll_send(f.u.fd, iov->iov_base, iov->iov_len, 0);
}

static int socket_shutdown(struct eio_flow f, enum eio_shutdown how)
{
	switch (how) {
	case EIO_SHUT_RECEIVE:
		return eio_ll_shutdown(f.u.fd, SHUT_RD);
	case EIO_SHUT_SEND:
		return eio_ll_shutdown(f.u.fd, SHUT_WR);
	case EIO_SHUT_ALL:
		return eio_ll_shutdown(f.u.fd, SHUT_RDWR);
	}
	return eio__fail(-EINVAL, "shutdown", NULL);
}

static const struct eio_flow_ops socket_ops = {
	.name = "socket",
	.read = socket_read,
	.readv = read_vector,
	.write_some = socket_write_some,
	.borrow = socket_borrow,
	.copy_from = eio__copy_to_socket,
	.shutdown = socket_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

/* Sockets that came from outside, perhaps shared with others, whose flags are not ours. */
static const struct eio_flow_ops foreign_socket_ops = {
	.name = "socket",
	.read = socket_read,
	.readv = read_vector,
	.write_some = socket_write_some,
	.borrow = socket_borrow,
	.shutdown = socket_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_socket(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &socket_ops, .u.fd = fd};
}

bool eio__flow_is_socket(struct eio_flow f)
{
	return f.ops == &socket_ops;
}

bool eio__flow_is_stream_socket(struct eio_flow f)
{
	int type;

	if (f.ops == &socket_ops)
		return true;
	return f.ops == &foreign_socket_ops &&
	       eio_ll_getsockopt(f.u.fd, SOL_SOCKET, SO_TYPE, &type, sizeof(type)) >= 0 &&
	       type == SOCK_STREAM;
}

/* Making them */

struct eio_flow eio_flow_of_fd(struct eio_fd handle)
{
	int fd = eio_fd_use(handle), type;
	socklen_t len = sizeof(type);
	bool is_socket, is_tty;

	/* A closed handle makes a flow like any other, which gives -EBADF. */
	if (fd < 0)
		return eio__flow_file(handle);
	is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
	is_tty = !is_socket && isatty(fd);
	eio_fd_unuse(handle);
	if (is_socket)
		return (struct eio_flow){.ops = &foreign_socket_ops, .u.fd = handle};
	return is_tty ? eio__flow_tty(handle) : eio__flow_file(handle);
}

int eio_pipe(struct eio_switch *sw, struct eio_flow *ret_r, struct eio_flow *ret_w)
{
	struct eio_fd r, w;
	int rc = eio_ll_pipe(sw, &r, &w);

	if (rc < 0)
		return rc;
	*ret_r = eio__flow_file(r);
	*ret_w = eio__flow_file(w);
	return 0;
}
