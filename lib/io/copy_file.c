/* SPDX-License-Identifier: ISC */
/*
 * Copying to files and pipes, by the way that was measured to take the least CPU time
 * (bench/copy.c; in parts of what reading and writing take, with large pipes in brackets):
 *
 *   file to pipe  splice(2), a call for what is in the page cache       0.27 (0.09)
 *                 by the ring, in a worker of the kernel, for the rest  0.34 (0.11)
 *   pipe to pipe  splice(2), a call: references move, and no bytes      0.34 (0.10)
 *   pipe to file  splice(2) by the ring                                 0.95 (0.86)
 *   file to file  copy_file_range(2), on a thread of the pool           0.92
 *
 * Between two of these ends no bytes are ever under way: a failure loses none, and where the
 * kernel refuses the common way goes on.
 *
 * The calls are told not to wait, readiness is waited for by the ring. Domains whose ring is
 * restricted make none.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "core/timer.h"
#include "io/copy.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MEMORY_PIECE = 256 * 1024, /* each goes to a worker */
	PIECE = 1024 * 1024,
	RANGE_MIN = PIECE,
	RANGE_MAX = 64 * 1024 * 1024,
	SCRAP = 4096,
	SCRAPS = 8, /* half of what a pipe takes */
};

/* The next range may be twice as long if one took less. */
static const int64_t SOON = EIO_MS(10);

/* Where a copy goes. */
struct way {
	struct eio_fd dst, src;
	size_t cached; /* of the file's next bytes, known since the copy last waited */
	uint64_t size; /* of the file, as last seen */
	enum { NOTHING, BYTES, ROOM } wait; /* for what, between pipes */
	unsigned scraps;                    /* in a row, from pipe to pipe */
	unsigned doublings;                 /* of RANGE_MIN, from file to file */
};

/* One step of up to @p len bytes: how many, 0 at the end, -EOPNOTSUPP: the common way goes on. */
typedef ssize_t step_fn(struct way *w, size_t len);

static ssize_t refusal(ssize_t n)
{
	return n == -EINVAL ? -EOPNOTSUPP : n;
}

/* splice(2) without waiting: -EAGAIN if either side is not ready. */
static ssize_t splice_now(struct eio_fd dst, struct eio_fd src, size_t len)
{
	int from = eio_fd_use(src), to;
	ssize_t n;

	if (from < 0)
		return eio__fail(from, "splice", NULL);
	to = eio_fd_use(dst);
	if (to >= 0) {
		n = splice(from, NULL, to, NULL, len, SPLICE_F_NONBLOCK);
		n = n < 0 ? -errno : n;
		eio_fd_unuse(dst);
	} else {
		n = to;
	}
	eio_fd_unuse(src);
	return n == -EAGAIN || n == -EINVAL ? n : eio__fail((int) n, "splice", NULL);
}

/* Waits for bytes: 1, 0 at the end. */
static int await_bytes(struct eio_fd src)
{
	int events = eio_ll_poll(src, POLLIN);

	return events < 0 ? events : (events & POLLIN) || !(events & POLLHUP);
}

static int await_room(struct eio_fd dst)
{
	int rc = eio_ll_await_writable(dst);

	return rc < 0 ? rc : 1;
}

/*
 * The answer does not tell which side is not ready. Bytes are looked for first: at the end
 * there may be no room, and need be none.
 *
 * A reference takes as much of the pipe as a page does. If only scraps come the rest goes
 * through memory, else the pipe would be full of a few bytes.
 */
static ssize_t pipe_to_pipe(struct way *w, size_t len)
{
	if (w->scraps == SCRAPS)
		return -EOPNOTSUPP;
	for (;;) {
		int rc = 1;
		ssize_t n;

		if (w->wait == BYTES)
			rc = await_bytes(w->src);
		else if (w->wait == ROOM)
			rc = await_room(w->dst);
		if (rc <= 0)
			return rc;
		n = splice_now(w->dst, w->src, len);
		if (n != -EAGAIN) {
			w->wait = n < SCRAP ? BYTES : NOTHING;
			w->scraps = n < SCRAP ? w->scraps + 1 : 0;
			return refusal(n);
		}
		w->wait = w->wait == BYTES ? ROOM : BYTES;
	}
}

static int look_for_cached(struct way *w, size_t len)
{
	int fd = eio_fd_use(w->src);

	if (fd < 0)
		return eio__fail(fd, "splice", NULL);
	w->cached = eio__copy_is_cached(fd, len, &w->size) ? len : 0;
	eio_fd_unuse(w->src);
	return 0;
}

/* At the end there may be no room, and need be none: 1 if it is not there. What has no size
 * only pretends to be a file, and its end is not known before it is read. */
static int look_for_end(struct eio_fd src)
{
	int fd = eio_fd_use(src), rc = 1;
	struct stat st;

	if (fd < 0)
		return eio__fail(fd, "splice", NULL);
	if (fstat(fd, &st) < 0 || st.st_size == 0)
		rc = -EOPNOTSUPP;
	else if (lseek(fd, 0, SEEK_CUR) >= st.st_size)
		rc = 0;
	eio_fd_unuse(src);
	return rc;
}

/* Room is waited for, so that no worker waits for the reader. By then what was cached may be
 * so no longer. */
static ssize_t file_to_pipe(struct way *w, size_t len)
{
	for (;;) {
		int rc = w->cached > 0 ? 0 : look_for_cached(w, len);
		ssize_t n = -EAGAIN;

		if (rc < 0)
			return rc;
		if (w->cached > 0)
			n = splice_now(w->dst, w->src, len < w->cached ? len : w->cached);
		if (n != -EAGAIN) {
			w->cached -= n > 0 ? (size_t) n : 0;
			return refusal(n);
		}
		rc = look_for_end(w->src);
		if (rc > 0)
			rc = await_room(w->dst);
		if (rc <= 0)
			return rc;
		if (w->cached == 0)
			return refusal(eio_ll_splice(w->src, w->dst, len));
		w->cached = 0;
	}
}

static ssize_t pipe_to_file(struct way *w, size_t len)
{
	int rc = eio_ll_await_readable(w->src);

	return rc < 0 ? rc : refusal(eio_ll_splice(w->src, w->dst, len));
}

struct range {
	int from, to;
	size_t len;
};

static int copy_range(void *arg)
{
	const struct range *r = arg;

	return (int) copy_file_range(r->from, NULL, r->to, NULL, r->len, 0);
}

/* Whatever the kernel refuses, reading and writing meet it as well, and it says to be at the
 * end of files that only pretend to be regular. What a thread does is not cancelled, so that
 * it is not to take long; but the way to it and back costs something, too. */
static ssize_t file_to_file(struct way *w, size_t len)
{
	size_t most = (size_t) RANGE_MIN << w->doublings;
	struct range r = {eio_fd_use(w->src), eio_fd_use(w->dst), len < most ? len : most};
	int64_t began = eio__now();
	ssize_t n = -EOPNOTSUPP;

	if (r.from >= 0 && r.to >= 0)
		n = eio_ll_in_thread(copy_range, &r);
	if (most < RANGE_MAX && eio__now() - began < SOON)
		w->doublings++;
	if (r.to >= 0)
		eio_fd_unuse(w->dst);
	if (r.from >= 0)
		eio_fd_unuse(w->src);
	return n > 0 || n == -ECANCELED ? n : -EOPNOTSUPP;
}

static int copy_steps(step_fn *step, size_t piece, struct eio_flow dst, struct eio_flow src,
		      struct eio_copy *c)
{
	struct way way = {.dst = dst.u.fd, .src = src.u.fd};
	int rc = 0;

	while (rc == 0 && c->left > 0) {
		ssize_t n = step(&way, eio__copy_piece(c, piece));

		if (n <= 0)
			return (int) n;
		rc = eio_copy_moved(c, (uint64_t) n);
		if (rc == 0)
			rc = eio_yield();
	}
	return rc;
}

int eio__copy_to_file(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	uint64_t size;
	mode_t from, to;
	int rc = eio__copy_look(dst.u.fd, &to, &size);

	if (rc < 0)
		return rc;
	if (S_ISREG(to))
		c->piece = MEMORY_PIECE;
	if (!eio__flow_is_file(src) || eio__domain_self()->indirect)
		return -EOPNOTSUPP;
	rc = eio__copy_look(src.u.fd, &from, &size);
	if (rc < 0)
		return rc;

	if (S_ISREG(from) && S_ISREG(to))
		return copy_steps(file_to_file, RANGE_MAX, dst, src, c);
	if (S_ISFIFO(from) && S_ISREG(to))
		return copy_steps(pipe_to_file, PIECE, dst, src, c);
	if (!S_ISFIFO(to) || !eio__copy_raises_no_sigpipe())
		return -EOPNOTSUPP;
	if (S_ISREG(from))
		return copy_steps(file_to_pipe, PIECE, dst, src, c);
	return S_ISFIFO(from) ? copy_steps(pipe_to_pipe, PIECE, dst, src, c) : -EOPNOTSUPP;
}
