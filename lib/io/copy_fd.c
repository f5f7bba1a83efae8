/* SPDX-License-Identifier: ISC */
/*
 * Copying to descriptors, by the way that was measured to be fastest.
 *
 * In most cases that goes through memory. A splice runs in a kernel worker: to a socket,
 * by way of a pipe, it was no faster, and a slow peer would hold a worker. It pays only
 * into a pipe larger than the default. A buffered write to a file also goes to a worker,
 * so those pieces are large. Registered buffers made no difference to either.
 *
 * From a file to a socket, sendfile(2) takes a quarter of the time of any of these. It is
 * called directly, and only for what the kernel says is in the page cache, so that it
 * waits for no disk; the socket is O_NONBLOCK from then on, so that it waits for no peer.
 */
#include "core/error.h"
#include "io/copy.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
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
static int splice_to_pipe(struct eio_fd dst, struct eio_fd src, struct eio_copy *c)
{
	int rc = 0;

	while (rc == 0 && c->left > 0) {
		ssize_t n;

		rc = eio_ll_await_writable(dst);
		if (rc < 0)
			return rc;
		n = eio_ll_splice(src, dst, eio__copy_piece(c, SPLICE_PIECE));
		if (n <= 0)
			return n == -EINVAL ? -EOPNOTSUPP : (int) n;
		rc = eio_copy_moved(c, (uint64_t) n);
	}
	return rc;
}

int eio__copy_to_file(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	mode_t from, to;
	int pipe_size, unused;
	int rc = look(dst.u.fd, &to, &pipe_size);

	if (rc < 0)
		return rc;
	if (S_ISREG(to) && src.ops->read) {
		rc = eio__copy_through_memory(dst, src, c, FILE_PIECE);
		/* Not for another loop to go on: a piece may have been read. */
		return rc == -EOPNOTSUPP ? -EIO : rc;
	}
	if (pipe_size < PIPE_WORTH || !eio__flow_is_file(src))
		return -EOPNOTSUPP;
	rc = look(src.u.fd, &from, &unused);
	if (rc < 0)
		return rc;
	return S_ISREG(from) ? splice_to_pipe(dst.u.fd, src.u.fd, c) : -EOPNOTSUPP;
}

/* To sockets */

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

/* The part that is not cached, through memory. */
static int send_uncached(struct eio_flow dst, struct eio_flow src, size_t len, struct eio_copy *c)
{
	struct eio_copy part = {.left = len, .moved = c->moved, .arg = c->arg};
	int rc = eio__copy_through_memory(dst, src, &part, FILE_PIECE);

	c->done += part.done;
	c->left -= part.done;
	return rc;
}

static int send_pieces(struct eio_flow dst, int to, struct eio_flow src, struct eio_copy *c)
{
	while (c->left > 0) {
		uint64_t before = c->done;
		size_t len = eio__copy_piece(c, SPLICE_PIECE);
		ssize_t n = send_cached(to, src.u.fd, len);
		int rc;

		if (n == -EAGAIN) {
			rc = eio_ll_await_writable(dst.u.fd);
		} else if (n == -EOPNOTSUPP) {
			rc = send_uncached(dst, src, len, c);
			if (rc == 0 && c->done == before)
				return 0;
		} else if (n > 0) {
			rc = eio_copy_moved(c, (uint64_t) n);
			if (rc == 0)
				rc = eio_yield();
		} else {
			return n < 0 ? eio__fail((int) n, "sendfile", NULL) : 0;
		}
		if (rc < 0)
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

int eio__copy_to_socket(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	int pipe_size, flags, to, rc;
	mode_t kind;

	if (!eio__flow_is_file(src) || !sigpipe_is_ignored())
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
	rc = send_pieces(dst, to, src, c);
	eio_fd_unuse(dst.u.fd);
	/* Not for another loop to go on: a piece may have been read. */
	return rc == -EOPNOTSUPP ? -EIO : rc;
}
