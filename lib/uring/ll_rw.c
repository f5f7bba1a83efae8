/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing: plain memory, vectors, fixed buffers.
 *
 * An explicit offset advances from piece to piece, EIO_CURRENT stays EIO_CURRENT. The
 * all-or-nothing forms record how far they came.
 */
#include "uring/call.h"
#include "uring/polled.h"

#include <limits.h>
#include <poll.h>

static int64_t advance(int64_t off, size_t n)
{
	return off == EIO_CURRENT ? off : off + (int64_t) n;
}

/* A prepared kind of transfer between a descriptor and memory. */
enum direction { READ, WRITE };

static int transfer(enum direction dir, struct eio_fd fd, void *buf, size_t len, int64_t off)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (eio__fd_is_polled(fd))
		return eio__polled_transfer(fd, dir == READ ? IORING_OP_READ : IORING_OP_WRITE, buf,
					    eio__io_len(len), off);
	do {
		sqe = eio__begin(&c, fd);
		if (sqe && dir == READ)
			io_uring_prep_read(sqe, c.unix_fd, buf, eio__io_len(len), (uint64_t) off);
		else if (sqe)
			io_uring_prep_write(sqe, c.unix_fd, buf, eio__io_len(len), (uint64_t) off);
	} while (eio__finish(&c, sqe, dir == READ ? POLLIN : POLLOUT));
	return c.res;
}

static int transfer_vector(enum direction dir, struct eio_fd fd, const struct iovec *iov, int n,
			   int64_t off)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;
	unsigned count = n > IOV_MAX ? IOV_MAX : n < 0 ? 0 : (unsigned) n;

	if (eio__fd_is_polled(fd))
		return eio__polled_transfer(fd, dir == READ ? IORING_OP_READV : IORING_OP_WRITEV,
					    iov, count, off);
	do {
		sqe = eio__begin(&c, fd);
		if (sqe && dir == READ)
			io_uring_prep_readv(sqe, c.unix_fd, iov, count, (uint64_t) off);
		else if (sqe)
			io_uring_prep_writev(sqe, c.unix_fd, iov, count, (uint64_t) off);
	} while (eio__finish(&c, sqe, dir == READ ? POLLIN : POLLOUT));
	return c.res;
}

/* Blocks: by their registration if there is one, else like any memory. */
static int transfer_fixed(enum direction dir, struct eio_fd fd, char *data, size_t len, int64_t off)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (!eio_ll_fixed_registered())
		return transfer(dir, fd, data, len, off);
	if (eio__fd_is_polled(fd))
		return eio__polled_transfer(
			fd, dir == READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED, data,
			eio__io_len(len), off);
	do {
		sqe = eio__begin(&c, fd);
		if (sqe && dir == READ)
			io_uring_prep_read_fixed(sqe, c.unix_fd, data, eio__io_len(len),
						 (uint64_t) off, 0);
		else if (sqe)
			io_uring_prep_write_fixed(sqe, c.unix_fd, data, eio__io_len(len),
						  (uint64_t) off, 0);
	} while (eio__finish(&c, sqe, dir == READ ? POLLIN : POLLOUT));
	return c.res;
}

static size_t block_len(struct eio_chunk c, size_t len)
{
	return len > c.length ? c.length : len;
}

ssize_t eio_ll_read(struct eio_fd fd, void *buf, size_t len, int64_t off)
{
	return eio__fail(transfer(READ, fd, buf, len, off), "read", NULL);
}

ssize_t eio_ll_readv(struct eio_fd fd, const struct iovec *iov, int n, int64_t off)
{
	return eio__fail(transfer_vector(READ, fd, iov, n, off), "readv", NULL);
}

ssize_t eio_ll_writev_single(struct eio_fd fd, const struct iovec *iov, int n, int64_t off)
{
	return eio__fail(transfer_vector(WRITE, fd, iov, n, off), "writev", NULL);
}

ssize_t eio_ll_read_upto(struct eio_fd fd, struct eio_chunk c, size_t len, int64_t off)
{
	return eio__fail(transfer_fixed(READ, fd, c.data, block_len(c, len), off), "read_fixed",
			 NULL);
}

int eio_ll_read_exactly(struct eio_fd fd, struct eio_chunk c, size_t len, int64_t off)
{
	size_t done = 0;
	int rc;

	if (len > c.length)
		return eio__fail(-EINVAL, "read_fixed", "longer than the block");
	while (done < len) {
		rc = transfer_fixed(READ, fd, (char *) c.data + done, len - done, off);
		if (rc <= 0)
			return eio__partial(rc ? rc : EIO_EOF, "read_fixed", done);
		done += (size_t) rc;
		off = advance(off, (size_t) rc);
	}
	return 0;
}

int eio_ll_write(struct eio_fd fd, struct eio_chunk c, size_t len, int64_t off)
{
	size_t done = 0;
	int rc;

	if (len > c.length)
		return eio__fail(-EINVAL, "write_fixed", "longer than the block");
	while (done < len) {
		rc = eio__progress(
			transfer_fixed(WRITE, fd, (char *) c.data + done, len - done, off));
		if (rc < 0)
			return eio__partial(rc, "write_fixed", done);
		done += (size_t) rc;
		off = advance(off, (size_t) rc);
	}
	return 0;
}

int eio_ll_write_all(struct eio_fd fd, const void *buf, size_t len, int64_t off)
{
	size_t done = 0;
	int rc;

	while (done < len) {
		rc = eio__progress(transfer(WRITE, fd, (char *) buf + done, len - done, off));
		if (rc < 0)
			return eio__partial(rc, "write", done);
		done += (size_t) rc;
		off = advance(off, (size_t) rc);
	}
	return 0;
}

/*
 * The vector is used where it lies; only an entry the kernel took a part of is finished
 * by plain writes.
 */
int eio_ll_writev(struct eio_fd fd, const struct iovec *iov, int n, int64_t off)
{
	uint64_t done = 0;
	size_t part;
	int rc;

	while (n > 0) {
		if (iov->iov_len == 0) {
			iov++, n--;
			continue;
		}
		rc = eio__progress(transfer_vector(WRITE, fd, iov, n, off));
		if (rc < 0)
			return eio__partial(rc, "writev", done);
		done += (uint64_t) rc;
		off = advance(off, (size_t) rc);
		part = (size_t) rc;
		while (n > 0 && part >= iov->iov_len) {
			part -= iov->iov_len;
			iov++, n--;
		}
		if (part == 0)
			continue;
		rc = eio_ll_write_all(fd, (char *) iov->iov_base + part, iov->iov_len - part, off);
		if (rc < 0)
			return eio__partial(rc, "writev", done + eio_last_error()->done);
		done += iov->iov_len - part;
		off = advance(off, iov->iov_len - part);
		iov++, n--;
	}
	return 0;
}

int eio_ll_set_polled(struct eio_fd fd, bool on)
{
	struct eio__slot *s = eio__slot(fd);
	int unix_fd = eio__fd_use(fd);

	if (unix_fd < 0)
		return eio__fail(unix_fd, "set_polled", NULL);
	if (on)
		__atomic_fetch_or(&s->flags, (unsigned) EIO_FD_POLLED, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&s->flags, ~(unsigned) EIO_FD_POLLED, __ATOMIC_RELAXED);
	eio__slot_unuse(s);
	return 0;
}
