/* SPDX-License-Identifier: ISC */
/*
 * Flows over descriptors.
 *
 * The value is a table and a tracked descriptor, nothing else: making one allocates
 * nothing, and a stale one gives -EBADF. There is a table for files, pipes and
 * terminals, one for named pipes opened for reading, and one for sockets.
 *
 * Copying goes through memory in most cases, because that is what was measured to be
 * fastest. A splice runs in a kernel worker: to a socket, by way of a pipe, it was no
 * faster, and a slow peer would hold a worker. It pays only into a pipe larger than the
 * default. A buffered write to a file also goes to a worker, so those pieces are large.
 * Registered buffers made no difference to either.
 *
 * From a file to a socket, sendfile(2) takes a quarter of the time of any of these. It is
 * called directly, and only for what the kernel says is in the page cache, so that it
 * waits for no disk; the socket is O_NONBLOCK from then on, so that it waits for no peer.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/flow.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* Linux 6.5 */
#endif

enum {
	FILE_PIECE = 256 * 1024,
	PIPE_WORTH = 256 * 1024, /* the size from which splice is faster */
	SPLICE_PIECE = 1024 * 1024,
};

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

/* Files, pipes and terminals */

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

/* The descriptor's kind, and the size if it is a pipe. */
static int look(struct eio_fd handle, mode_t *ret_mode, int *ret_pipe_size)
{
	struct stat st;
	int fd = eio_fd_use(handle), rc;

	if (fd < 0)
		return eio__fail(fd, "copy", NULL);
	rc = fstat(fd, &st) < 0 ? eio__fail(-errno, "fstat", NULL) : 0;
	*ret_mode = st.st_mode & S_IFMT;
	*ret_pipe_size = rc == 0 && S_ISFIFO(st.st_mode) ? fcntl(fd, F_GETPIPE_SZ) : 0;
	eio_fd_unuse(handle);
	return rc;
}

/* Waits for room before it splices, so that no kernel worker waits for the reader. No
 * bytes are under way when the kernel refuses. */
static int splice_to_pipe(struct eio_fd dst, struct eio_fd src, uint64_t max, uint64_t *moved)
{
	while (max > 0) {
		int rc = eio_ll_await_writable(dst);
		ssize_t n;

		if (rc < 0)
			return rc;
		n = eio_ll_splice(src, dst, max < SPLICE_PIECE ? (size_t) max : SPLICE_PIECE);
		if (n <= 0)
			return n == -EINVAL ? -EOPNOTSUPP : (int) n;
		*moved += (uint64_t) n;
		max -= (uint64_t) n;
	}
	return 0;
}

static const struct eio_flow_ops file_ops;

static int file_copy_from(struct eio_flow dst, struct eio_flow src, uint64_t max, uint64_t *moved)
{
	mode_t from, to;
	int pipe_size, unused;
	int rc = look(dst.u.fd, &to, &pipe_size);

	if (rc < 0)
		return rc;
	if (S_ISREG(to) && src.ops->read) {
		rc = eio__flow_copy_loop(dst, src, max, FILE_PIECE, moved);
		/* Not for another loop to go on: a piece may have been read. */
		return rc == -EOPNOTSUPP ? -EIO : rc;
	}
	if (pipe_size < PIPE_WORTH || src.ops != &file_ops)
		return -EOPNOTSUPP;
	rc = look(src.u.fd, &from, &unused);
	if (rc < 0)
		return rc;
	return S_ISREG(from) ? splice_to_pipe(dst.u.fd, src.u.fd, max, moved) : -EOPNOTSUPP;
}

static const struct eio_flow_ops file_ops = {
	.name = "file",
	.read = file_read,
	.write_some = file_write_some,
	.copy_from = file_copy_from,
	.shutdown = file_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_file(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &file_ops, .u.fd = fd};
}

bool eio__flow_is_file(struct eio_flow f)
{
	return f.ops == &file_ops;
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

/* Sockets */

static ssize_t socket_read(struct eio_flow f, void *buf, size_t len)
{
	return eio_ll_recv(f.u.fd, buf, len, 0);
}

static int send_once(struct eio_fd handle, const struct msghdr *msg)
{
	struct io_uring_sqe *sqe = eio_ll_sqe();
	int fd, rc;

	if (!sqe)
		return -EPERM;
	fd = eio_fd_use(handle);
	if (fd < 0)
		return fd;
	io_uring_prep_sendmsg(sqe, fd, msg, MSG_NOSIGNAL);
	rc = eio_ll_await(sqe);
	eio_fd_unuse(handle);
	/* The kernel's own -ECANCELED is not ours. */
	return rc == -ECANCELED && !eio_is_cancelled() ? -EIO : rc;
}

/* Kept apart for its frame: most sends are of one entry. */
static __attribute__((noinline)) int send_vector(struct eio_fd handle, const struct iovec *iov,
						 int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *) iov, .msg_iovlen = (unsigned) n};
	int rc, ready = 0;

	/* Older kernels do not wait for an O_NONBLOCK socket themselves. */
	do {
		rc = send_once(handle, &msg);
		if (rc == -EAGAIN)
			ready = eio_ll_await_writable(handle);
	} while ((rc == -EAGAIN || rc == -EINTR) && ready == 0);
	return ready < 0 ? ready : eio__fail(rc, "sendmsg", NULL);
}

/* What the socket takes at once. */
static ssize_t send_now(struct eio_fd handle, const struct iovec *iov)
{
	int fd = eio_fd_use(handle);
	ssize_t n;

	if (fd < 0)
		return eio__fail(fd, "send", NULL);
	n = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
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
	if (eio__go_direct())
		sent = send_now(f.u.fd, iov);
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

/* Is the file's next part, as long as asked for or to its end, in the page cache? No, if
 * the kernel (before 6.5) or the file system cannot tell. */
static bool is_cached(int fd, size_t len)
{
	struct {
		uint64_t off, len;
	} range;
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} answer;
	uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE), end;
	off_t from = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (from < 0 || fstat(fd, &st) < 0 || from >= st.st_size)
		return from >= 0;
	end = (uint64_t) from + len;
	if (end > (uint64_t) st.st_size)
		end = (uint64_t) st.st_size;
	range.off = (uint64_t) from;
	range.len = end - range.off;
	return syscall(SYS_cachestat, fd, &range, &answer, 0) == 0 &&
	       answer.cached >= (end - 1) / page - range.off / page + 1;
}

/* One sendfile: bytes, 0 at the end, -EAGAIN when the socket is full, -EOPNOTSUPP when it
 * might wait. */
static ssize_t send_cached(int to, struct eio_fd src, size_t len)
{
	int from = eio_fd_use(src);
	ssize_t n = -EOPNOTSUPP;

	if (from < 0)
		return eio__fail(from, "sendfile", NULL);
	if (is_cached(from, len)) {
		n = sendfile(to, from, NULL, len);
		if (n < 0)
			n = errno == EINVAL ? -EOPNOTSUPP : -errno;
	}
	eio_fd_unuse(src);
	return n;
}

static int send_pieces(struct eio_flow dst, int to, struct eio_flow src, uint64_t max,
		       uint64_t *moved)
{
	uint64_t end = *moved + max;

	while (*moved < end) {
		uint64_t left = end - *moved, before = *moved;
		size_t len = left < SPLICE_PIECE ? (size_t) left : SPLICE_PIECE;
		ssize_t n = send_cached(to, src.u.fd, len);
		int rc = 0;

		if (n == -EAGAIN)
			rc = eio_ll_await_writable(dst.u.fd);
		else if (n == -EOPNOTSUPP)
			rc = eio__flow_copy_loop(dst, src, len, FILE_PIECE, moved);
		else if (n > 0)
			rc = eio_yield();
		else
			return n < 0 ? eio__fail((int) n, "sendfile", NULL) : 0;
		if (n > 0)
			*moved += (uint64_t) n;
		if (rc < 0 || (n == -EOPNOTSUPP && *moved == before))
			return rc;
	}
	return 0;
}

/* sendfile knows no MSG_NOSIGNAL. */
static bool sigpipe_is_ignored(void)
{
	struct sigaction now;

	return sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int socket_copy_from(struct eio_flow dst, struct eio_flow src, uint64_t max, uint64_t *moved)
{
	int pipe_size, flags, to, rc;
	mode_t kind;

	if (src.ops != &file_ops || !sigpipe_is_ignored())
		return -EOPNOTSUPP;
	rc = look(src.u.fd, &kind, &pipe_size);
	if (rc < 0 || !S_ISREG(kind))
		return rc < 0 ? rc : -EOPNOTSUPP;
	to = eio_fd_use(dst.u.fd);
	if (to < 0)
		return eio__fail(to, "copy", NULL);
	/* For good: a copy may go on by another handle to the same socket. */
	flags = fcntl(to, F_GETFL);
	if (!(flags & O_NONBLOCK))
		fcntl(to, F_SETFL, flags | O_NONBLOCK);
	rc = send_pieces(dst, to, src, max, moved);
	eio_fd_unuse(dst.u.fd);
	/* Not for another loop to go on: a piece may have been read. */
	return rc == -EOPNOTSUPP ? -EIO : rc;
}

static const struct eio_flow_ops socket_ops = {
	.name = "socket",
	.read = socket_read,
	.write_some = socket_write_some,
	.copy_from = socket_copy_from,
	.shutdown = socket_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

/* Sockets that came from outside, perhaps shared with others, whose flags are not ours. */
static const struct eio_flow_ops foreign_socket_ops = {
	.name = "socket",
	.read = socket_read,
	.write_some = socket_write_some,
	.shutdown = socket_shutdown,
	.close = close_fd,
	.fd = get_fd,
};

struct eio_flow eio__flow_socket(struct eio_fd fd)
{
	return (struct eio_flow){.ops = &socket_ops, .u.fd = fd};
}

/* Making them */

struct eio_flow eio_flow_of_fd(struct eio_fd handle)
{
	int fd = eio_fd_use(handle), type;
	socklen_t len = sizeof(type);
	bool is_socket;

	/* A closed handle makes a flow like any other, which gives -EBADF. */
	if (fd < 0)
		return eio__flow_file(handle);
	is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
	eio_fd_unuse(handle);
	if (!is_socket)
		return eio__flow_file(handle);
	return (struct eio_flow){.ops = &foreign_socket_ops, .u.fd = handle};
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
