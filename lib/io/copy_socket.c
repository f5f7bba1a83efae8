/* SPDX-License-Identifier: ISC */
/*
 * Copying from one connection to another.
 *
 * A connection may carry messages now and a stream later, and most of the time nothing. The
 * copy goes by what comes:
 *
 *   messages  It waits for short ones in a receive with room for them on the fiber's own
 *             page, for others in a poll, and has nothing else. They go through memory that
 *             is had for one piece. A large piece: on with the stream.
 *   stream    splice(2) moves pages from one socket's queue to a pipe and on to the other
 *             socket; no byte is copied, which takes a quarter to two thirds of the time.
 *             The pipe is had while bytes flow, and closed before the next wait for some. A
 *             small piece: back to messages.
 *
 * A splice by the ring would run in a kernel worker, and with few fibers a send by the ring
 * costs more than it saves here. So both are called directly, as is a receive for what is
 * there already: none of them may wait, for which the sockets are O_NONBLOCK from their
 * first stream on. One that is given to a child, which expects it to wait, has streams no
 * longer. All waiting is the ring's. Between two pieces other fibers have their turn.
 *
 * Nothing is in memory or pipe while the copy waits for bytes. While it waits for room, what
 * is there is lost if the copy ends.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/copy.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A pipe has to be made for a stream, so it takes some bytes for it to be the cheaper way:
 * of echoed messages those of 16 KiB were slower by 14 %, those of 64 KiB faster by 6 %. */
enum {
	SMALL = 256,
	PIECE = 64 * 1024,
	STREAM = 48 * 1024, /* a piece is large from here on */
	PIPE = 256 * 1024,  /* larger ones would keep other fibers waiting */
};

struct pair {
	struct eio_flow dst;
	struct eio_fd from, to;
	struct eio_copy *c;
	bool no_stream; /* the kernel or the program will not have it */
	bool prepared;  /* for streams */
};

/* Messages: how many bytes a piece had (> 0), 0 at the end of the source, or a code. */

/* A piece that was received. Who wants to stop gets all of it sent first. */
static int send_piece(const struct pair *p, const char *data, size_t len)
{
	int stop = 0;

	for (size_t done = 0; done < len;) {
		struct iovec rest = {(void *) (data + done), len - done};
		ssize_t n = -EAGAIN;

		if (done == 0)
			n = eio__socket_send_now(p->to, data, len);
		if (n == -EAGAIN)
			n = eio_flow_write_some(p->dst, &rest, 1);
		if (n < 0)
			return eio__fail((int) n, "send", NULL);
		stop = eio_copy_moved(p->c, (uint64_t) n);
		done += (size_t) n;
	}
	return stop;
}

/* What is there, behind the first @p have bytes of it in a small buffer. Without memory the
 * small buffer has to do. */
static __attribute__((noinline)) ssize_t pass_long(const struct pair *p, const char *small,
						   size_t have)
{
	size_t len = have;
	ssize_t n = 0;
	char *buf = malloc(PIECE);
	int rc = 0;

	if (buf) {
		memcpy(buf, small, have);
		n = eio__socket_recv_now(p->from, buf + have, eio__copy_piece(p->c, PIECE) - have);
		len += n > 0 ? (size_t) n : 0;
	}
	if (len > 0)
		rc = send_piece(p, buf ? buf : small, len);
	free(buf);
	/* The socket tells of a failure only once; its end is seen again, by the short way. */
	if (rc == 0 && n < 0 && n != -EAGAIN)
		rc = eio__fail((int) n, "recv", NULL);
	return rc < 0 ? rc : len > 0 ? (ssize_t) len : 1;
}

/* Kept apart for the frame that a connection waits in when nothing comes. */
static __attribute__((noinline)) ssize_t pass_short(const struct pair *p)
{
	char small[SMALL];
	ssize_t n = eio_ll_recv(p->from, small, eio__copy_piece(p->c, SMALL), 0);
	int rc;

	if (n <= 0)
		return n;
	if (n == SMALL)
		return pass_long(p, small, SMALL);
	rc = send_piece(p, small, (size_t) n);
	return rc < 0 ? rc : n;
}

/* A receive that takes only a part, and then another one, is dearer than a poll. */
static ssize_t pass_message(const struct pair *p, bool last_was_long)
{
	int rc;

	if (!last_was_long)
		return pass_short(p);
	rc = eio_ll_await_readable(p->from);
	return rc < 0 ? rc : pass_long(p, "", 0);
}

/* Streams */

static int make_nonblocking(struct eio_fd handle)
{
	int fd = eio_fd_use(handle);

	if (fd < 0)
		return fd;
	eio__copy_make_nonblocking(fd);
	eio_fd_unuse(handle);
	return 0;
}

/* splice knows no MSG_NOSIGNAL. */
static bool may_stream(struct pair *p)
{
	if (!p->prepared) {
		p->no_stream = !eio__copy_raises_no_sigpipe() || make_nonblocking(p->from) < 0 ||
			       make_nonblocking(p->to) < 0;
		p->prepared = true;
	}
	return !p->no_stream;
}

/* Unless it can be large: a user's pipes share a limit, beyond which they are made tiny. */
static bool open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	if (fcntl(ends[0], F_SETPIPE_SZ, PIPE) >= PIPE)
		return true;
	close(ends[0]);
	close(ends[1]);
	return false;
}

static ssize_t splice_now(int from, int to, size_t len)
{
	ssize_t n = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	return n < 0 ? -errno : n;
}

/* -EINVAL: not this way. */
static ssize_t fill_pipe(const struct pair *p, int pipe)
{
	int fd = eio_fd_use(p->from);
	ssize_t n = -EINVAL;

	if (fd < 0)
		return fd;
	if (eio__copy_is_nonblocking(fd))
		n = splice_now(fd, pipe, eio__copy_piece(p->c, PIPE));
	eio_fd_unuse(p->from);
	return n;
}

/* -EOPNOTSUPP: it would wait. */
static ssize_t drain_pipe(const struct pair *p, int pipe, size_t len)
{
	int fd = eio_fd_use(p->to);
	ssize_t n = -EOPNOTSUPP;

	if (fd < 0)
		return fd;
	if (eio__copy_is_nonblocking(fd))
		n = splice_now(pipe, fd, len);
	eio_fd_unuse(p->to);
	return n != 0 ? n : -EIO;
}

/* What is in the pipe, through memory. */
static int send_through_memory(struct pair *p, int pipe, size_t len)
{
	char *buf = malloc(len);
	ssize_t n = -ENOMEM;
	int rc;

	p->no_stream = true;
	if (buf)
		n = read(pipe, buf, len);
	rc = n == (ssize_t) len ? send_piece(p, buf, len)
				: eio__fail(buf ? -EIO : -ENOMEM, "splice", NULL);
	free(buf);
	return rc;
}

/* All that is in the pipe, telling of each part: a slow peer is not an idle one. Who wants
 * to stop gets what was taken from the source sent first, as with other pieces. */
static int send_pipe(struct pair *p, int pipe, size_t len)
{
	int stop = 0, rc;

	while (len > 0) {
		ssize_t n = drain_pipe(p, pipe, len);

		if (n > 0) {
			stop = eio_copy_moved(p->c, (uint64_t) n);
			len -= (size_t) n;
		} else if (n == -EOPNOTSUPP) {
			rc = send_through_memory(p, pipe, len);
			return rc < 0 ? rc : stop;
		} else {
			rc = n == -EAGAIN ? eio_ll_await_writable(p->to)
					  : eio__fail((int) n, "splice", NULL);
			if (rc < 0)
				return rc;
		}
	}
	return stop;
}

/* What comes after a stream; or a code. */
enum next { END, MESSAGES, DRY };

static int pass_large(struct pair *p, const int ends[2])
{
	while (p->c->left > 0) {
		ssize_t n = fill_pipe(p, ends[1]);
		int rc;

		if (n == -EAGAIN)
			return DRY;
		if (n == -EINVAL) {
			p->no_stream = true;
			return MESSAGES;
		}
		if (n <= 0)
			return n < 0 ? eio__fail((int) n, "splice", NULL) : END;
		rc = send_pipe(p, ends[0], (size_t) n);
		if (rc < 0 || n < STREAM || p->no_stream)
			return rc < 0 ? rc : MESSAGES;
		rc = eio_yield();
		if (rc < 0)
			return rc;
	}
	return END;
}

static __attribute__((noinline)) int pass_stream(struct pair *p)
{
	int ends[2], rc = DRY;

	while (rc == DRY) {
		if (!open_pipe(ends))
			return MESSAGES;
		rc = pass_large(p, ends);
		close(ends[0]);
		close(ends[1]);
		if (rc == DRY) {
			int ready = eio_ll_await_readable(p->from);

			if (ready < 0)
				return ready;
		}
	}
	return rc;
}

int eio__copy_between_sockets(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	struct pair p = {.dst = dst, .from = src.u.fd, .to = dst.u.fd, .c = c};
	bool is_long = false;

	if (eio__domain_self()->indirect)
		return -EOPNOTSUPP;
	while (c->left > 0) {
		ssize_t n = pass_message(&p, is_long);

		is_long = n > SMALL;
		if (n >= STREAM && may_stream(&p))
			n = pass_stream(&p);
		if (n <= 0)
			return n == -EOPNOTSUPP ? -EIO : (int) n;
	}
	return 0;
}
