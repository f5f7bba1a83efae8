/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing: plain memory, vectors, fixed buffers.
 *
 * An explicit offset advances from piece to piece, EIO_CURRENT stays EIO_CURRENT. The
 * all-or-nothing forms record how far they came.
 */
#include "uring/call.h"
#include "uring/kind.h"
#include "uring/polled.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

static int64_t advance(int64_t off, size_t n)
{
	return off == EIO_CURRENT ? off : off + (int64_t) n;
}

static short events_of(unsigned opcode)
{
	switch (opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
		return POLLIN;
	}
	return POLLOUT;
}

static inline __attribute__((always_inline)) bool once(struct eio__call *c, unsigned opcode,
						       struct eio_fd fd, const void *addr,
						       unsigned len, int64_t off)
{
	struct io_uring_sqe *sqe = eio__begin_unless(c, fd, EIO_FD_POLLED);

	if (sqe)
		io_uring_prep_rw((int) opcode, sqe, c->unix_fd, addr, len, (uint64_t) off);
	return eio__finish(c, sqe, events_of(opcode));
}

/* After a first try, which is to be made again or goes by the ring that polls. Apart from it,
 * which keeps the waiting fiber's frame small. */
static __attribute__((cold, noinline)) int go_on(bool again, unsigned opcode, struct eio_fd fd,
						 const void *addr, unsigned len, int64_t off)
{
	struct eio__call c = {.res = EIO__OTHERWISE};

	while (again)
		again = once(&c, opcode, fd, addr, len, off);
	return c.res == EIO__OTHERWISE ? eio__polled_transfer(fd, opcode, addr, len, off) : c.res;
}

/* One transfer between a descriptor and memory: IORING_OP_READ, READV, READ_FIXED, or the
 * same for writing. */
static inline __attribute__((always_inline)) int
transfer(unsigned opcode, struct eio_fd fd, const void *addr, unsigned len, int64_t off)
{
	struct eio__call c;
	bool again = once(&c, opcode, fd, addr, len, off);

	if (unlikely(again || c.res == EIO__OTHERWISE))
		return go_on(again, opcode, fd, addr, len, off);
	return c.res;
}

/*
 * The position of a file.
 *
 * The kernel moves it when a transfer has ended where it began. It forgets to (Linux 6.18)
 *
 *   past the page cache  when the disk's answer ends the transfer
 *   after a part         when it goes on by itself, as since Linux 6.0, and that fails or is
 *                        cancelled: it tells how much came before
 *
 * and the same bytes would be read again, or written over. Then the position is moved here.
 */

/* A direct handle that may have a position is given a number by this: there is no other way to
 * see to it. */
static bool is_on_disk(struct eio_fd fd)
{
	struct eio__slot *s = eio__slot(fd);

	if (s && __atomic_load_n(&s->flags, __ATOMIC_RELAXED) & EIO_FD_NOT_SEEKABLE)
		return false;
	return eio__kind(s, fd) & EIO__FD_ON_DISK;
}

/* The position, moved first if @p whence is SEEK_SET. */
static int64_t seek(struct eio_fd fd, int64_t off, int whence)
{
	int unix_fd = eio__fd_use(fd);
	int64_t pos;

	if (unix_fd < 0)
		return unix_fd;
	pos = lseek(unix_fd, off, whence);
	eio__fd_unuse(fd);
	return pos;
}

/* Apart from other transfers, which keep their frames small. */
static __attribute__((noinline)) int transfer_here(unsigned opcode, struct eio_fd fd,
						   const void *addr, unsigned len)
{
	int64_t before = seek(fd, 0, SEEK_CUR);
	int n = transfer(opcode, fd, addr, len, EIO_CURRENT);

	if (n > 0 && before >= 0 && seek(fd, 0, SEEK_CUR) == before)
		(void) seek(fd, before + n, SEEK_SET);
	return n;
}

static inline __attribute__((always_inline)) int
transfer_at(unsigned opcode, struct eio_fd fd, const void *addr, unsigned len, int64_t off)
{
	if (off == EIO_CURRENT && is_on_disk(fd))
		return transfer_here(opcode, fd, addr, len);
	return transfer(opcode, fd, addr, len, off);
}

static int read_some(struct eio_fd fd, void *buf, size_t len, int64_t off)
{
	return transfer_at(IORING_OP_READ, fd, buf, eio__io_len(len), off);
}

static int write_some(struct eio_fd fd, const void *buf, size_t len, int64_t off)
{
	return transfer_at(IORING_OP_WRITE, fd, buf, eio__io_len(len), off);
}

static unsigned vector_len(int n)
{
	return n > IOV_MAX ? IOV_MAX : n < 0 ? 0 : (unsigned) n;
}

static int write_vector(struct eio_fd fd, const struct iovec *iov, int n, int64_t off)
{
	return transfer_at(IORING_OP_WRITEV, fd, iov, vector_len(n), off);
}

/* Blocks: by their registration if there is one, else like any memory. */
static int read_block(struct eio_fd fd, void *data, size_t len, int64_t off)
{
	if (!eio_ll_fixed_registered())
		return read_some(fd, data, len, off);
	return transfer_at(IORING_OP_READ_FIXED, fd, data, eio__io_len(len), off);
}

static int write_block(struct eio_fd fd, const void *data, size_t len, int64_t off)
{
	if (!eio_ll_fixed_registered())
		return write_some(fd, data, len, off);
	return transfer_at(IORING_OP_WRITE_FIXED, fd, data, eio__io_len(len), off);
}

static size_t block_len(struct eio_chunk c, size_t len)
{
	return len > c.length ? c.length : len;
}

ssize_t eio_ll_read(struct eio_fd fd, void *buf, size_t len, int64_t off)
{
	return eio__fail(read_some(fd, buf, len, off), "read", NULL);
}

ssize_t eio_ll_readv(struct eio_fd fd, const struct iovec *iov, int n, int64_t off)
{
	return eio__fail(transfer_at(IORING_OP_READV, fd, iov, vector_len(n), off), "readv", NULL);
}

ssize_t eio_ll_writev_single(struct eio_fd fd, const struct iovec *iov, int n, int64_t off)
{
	return eio__fail(write_vector(fd, iov, n, off), "writev", NULL);
}

ssize_t eio_ll_read_upto(struct eio_fd fd, struct eio_chunk c, size_t len, int64_t off)
{
	return eio__fail(read_block(fd, c.data, block_len(c, len), off), "read_fixed", NULL);
}

int eio_ll_read_exactly(struct eio_fd fd, struct eio_chunk c, size_t len, int64_t off)
{
	size_t done = 0;
	int rc;

	if (len > c.length)
		return eio__fail(-EINVAL, "read_fixed", "longer than the block");
	while (done < len) {
		rc = read_block(fd, (char *) c.data + done, len - done, off);
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
		rc = eio__progress(write_block(fd, (char *) c.data + done, len - done, off));
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
		rc = eio__progress(write_some(fd, (const char *) buf + done, len - done, off));
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
		rc = eio__progress(write_vector(fd, iov, n, off));
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
