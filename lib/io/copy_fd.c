/* SPDX-License-Identifier: ISC */
/*
 * Copying to sockets, by the way that was measured to be fastest.
 *
 * In most cases that goes through memory. A splice by the ring runs in a kernel worker: by
 * way of a pipe it was no faster, and a slow peer would hold a worker. Registered buffers
 * made no difference.
 *
 * From a file, sendfile(2) takes a quarter of the time of any of these. It is called
 * directly, and only for what the kernel says is in the page cache, so that it waits for no
 * disk; the socket is O_NONBLOCK from then on, so that it waits for no peer, or was given to a
 * child meanwhile, which expects it to wait: the rest goes through memory. Domains whose ring
 * is restricted do not call it.
 */
#include "core/error.h"
#include "core/fiber.h"
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
	MEMORY_PIECE = 256 * 1024,
	SEND_PIECE = 1024 * 1024,
};

int eio__copy_look(struct eio_fd handle, mode_t *ret_kind, uint64_t *ret_size)
{
	struct stat st;
	int fd = eio_fd_use(handle), rc;

	if (fd < 0)
		return eio__fail(fd, "copy", NULL);
	rc = fstat(fd, &st) < 0 ? eio__fail(-errno, "fstat", NULL) : 0;
	*ret_kind = rc == 0 ? st.st_mode & S_IFMT : 0;
	*ret_size = rc == 0 ? (uint64_t) st.st_size : 0;
	eio_fd_unuse(handle);
	return rc;
}

bool eio__copy_is_cached(int fd, size_t len, uint64_t *size)
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

	if (from < 0)
		return false;
	range.off = (uint64_t) from;
	if (range.off + len > *size) {
		/* Without a size it only pretends to be a file, and may wait for anything. */
		if (fstat(fd, &st) < 0 || st.st_size == 0)
			return false;
		*size = (uint64_t) st.st_size;
		if (range.off >= *size)
			return true;
	}
	end = range.off + len < *size ? range.off + len : *size;
	range.len = end - range.off;
	return syscall(SYS_cachestat, fd, &range, &answer, 0) == 0 &&
	       answer.cached >= (end - 1) / page - range.off / page + 1;
}

/* One sendfile: bytes, 0 at the end, -EAGAIN when the socket is full, -EOPNOTSUPP when it
 * might wait. */
static ssize_t send_cached(int to, struct eio_fd src, size_t len, uint64_t *size)
{
	int from = eio_fd_use(src);
	ssize_t n = -EOPNOTSUPP;

	if (from < 0)
		return eio__fail(from, "sendfile", NULL);
	if (eio__copy_is_nonblocking(to) && eio__copy_is_cached(from, len, size)) {
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
	uint64_t beyond = c->left - len;
	int rc;

	c->left = len;
	c->piece = MEMORY_PIECE;
	rc = eio__copy_common(dst, src, c);
	c->left += beyond;
	return rc;
}

static int send_pieces(struct eio_flow dst, int to, struct eio_flow src, uint64_t size,
		       struct eio_copy *c)
{
	while (c->left > 0) {
		uint64_t before = c->done;
		size_t len = eio__copy_piece(c, SEND_PIECE);
		ssize_t n = send_cached(to, src.u.fd, len, &size);
		int rc;

		if (n == -EAGAIN) {
			rc = eio_ll_await_writable(dst.u.fd);
		} else if (n == -EOPNOTSUPP) {
			rc = send_uncached(dst, src, len, c);
			if (rc == 0 && c->done == before)
				return 0;
		} else if (n > 0) {
			rc = eio_copy_moved(c, (uint64_t) n);
			/* Others have their turn, but for a few short copies in a row. */
			if (rc == 0 && (c->left > 0 || !eio__may_go_direct()))
				rc = eio_yield();
		} else {
			return n < 0 ? eio__fail((int) n, "sendfile", NULL) : 0;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

bool eio__copy_raises_no_sigpipe(void)
{
	struct sigaction now;

	return sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

bool eio__copy_is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

void eio__copy_make_nonblocking(int fd)
{
	(void) eio__set_file_flag(fd, O_NONBLOCK, true);
}

int eio__copy_to_socket(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	int to, rc;
	uint64_t size;
	mode_t kind;

	if (eio__flow_is_socket(src))
		return eio__copy_between_sockets(dst, src, c);
	if (!eio__flow_is_file(src) || eio__domain_self()->indirect ||
	    !eio__copy_raises_no_sigpipe())
		return -EOPNOTSUPP;
	rc = eio__copy_look(src.u.fd, &kind, &size);
	if (rc < 0 || !S_ISREG(kind))
		return rc < 0 ? rc : -EOPNOTSUPP;
	to = eio_fd_use(dst.u.fd);
	if (to < 0)
		return eio__fail(to, "copy", NULL);
	eio__copy_make_nonblocking(to);
	rc = send_pieces(dst, to, src, size, c);
	eio_fd_unuse(dst.u.fd);
	/* Not for another loop to go on: a piece may have been read. */
	return rc == -EOPNOTSUPP ? -EIO : rc;
}
