/* SPDX-License-Identifier: ISC */
/*
 * What is written with a writer. Nearly always it fits into the ring, and that is all.
 */
#include "io/buf_write.h"
#include "core/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

static __attribute__((noinline)) int refuse(struct eio__buf_writer *w)
{
	int rc = eio__buf_writer_check(w);

	if (rc == 0)
		rc = eio__fail(-EBADF, "write", "closed writer");
	return eio__fail_done(rc, "write", 0);
}

/* May it be written to? */
static inline int enter(struct eio__buf_writer *w)
{
	return likely(eio__buf_writer_is_ready(w) && !w->closed) ? 0 : refuse(w);
}

/* In turn */

static int take_turn(struct eio__buf_writer *w)
{
	int rc;

	w->crowded++;
	rc = eio__buf_writer_take_turn(w);
	if (rc == 0) {
		rc = enter(w);
		if (rc == 0)
			return 0;
		eio__buf_writer_give_turn(w);
	}
	w->crowded--;
	return rc;
}

static void give_turn(struct eio__buf_writer *w)
{
	eio__buf_writer_give_turn(w);
	w->crowded--;
}

/* Waits until no more than @p most bytes are unsent, and @p pieces pieces. */
static int await_room(struct eio__buf_writer *w, uint64_t most, unsigned pieces)
{
	int rc = 0;

	while (rc == 0 && (eio__buf_writer_unsent(w) > most || w->pieces > pieces))
		rc = eio__buf_writer_progress(w, NULL);
	return rc;
}

/* Through the ring, in pieces that fit. What was taken is no longer in @p rest. */
static int put_rest(struct eio__buf_writer *w, struct iovec *rest)
{
	while (rest->iov_len > 0) {
		size_t n = rest->iov_len < w->size ? rest->iov_len : w->size;
		int rc = await_room(w, w->size - n, EIO__PIECES);

		if (rc == 0)
			rc = eio__batch_need(w);
		if (rc < 0)
			return rc;
		eio__batch_put(w, rest->iov_base, n);
		rest->iov_base = (char *) rest->iov_base + n;
		rest->iov_len -= n;
		rc = eio__buf_writer_start_in_turn(w);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* More than fits into the ring goes out with what is there, from where it is. */
static int send_rest(struct eio__buf_writer *w, struct iovec *rest)
{
	int rc = 0;

	while (rc == 0 && rest->iov_len > 0)
		rc = eio__buf_writer_progress(w, rest);
	return rc;
}

static __attribute__((noinline)) int write_in_turn(struct eio__buf_writer *w, const void *data,
						   size_t len)
{
	struct iovec rest = {(void *) data, len};
	int rc = take_turn(w);

	if (rc == 0) {
		if (len > w->size && w->flow.ops)
			rc = send_rest(w, &rest);
		else
			rc = put_rest(w, &rest);
		give_turn(w);
	}
	return rc < 0 ? eio__fail_done(rc, "write", len - rest.iov_len) : 0;
}

/* Bytes */

int eio_buf_write(struct eio_buf_writer *pub, const void *data, size_t len)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int rc = enter(w);

	if (rc < 0 || len == 0)
		return rc;
	if (unlikely(len > eio__buf_writer_room(w)))
		return write_in_turn(w, data, len);
	rc = eio__batch_need(w);
	if (rc < 0)
		return rc;
	eio__batch_put(w, data, len);
	return eio__buf_writer_added(w);
}

int eio_buf_write_string(struct eio_buf_writer *w, const char *text)
{
	return eio_buf_write(w, text, strlen(text));
}

int eio_buf_write_char(struct eio_buf_writer *w, char c)
{
	return eio_buf_write(w, &c, 1);
}

/* Pieces */

static int put_piece(struct eio__buf_writer *w, const void *data, size_t len)
{
	int rc = eio__batch_need(w);

	if (rc == 0)
		eio__batch_put_piece(w, data, len);
	return rc;
}

static __attribute__((noinline)) int schedule_in_turn(struct eio__buf_writer *w, const void *data,
						      size_t len)
{
	int rc = take_turn(w);

	if (rc < 0)
		return rc;
	rc = await_room(w, w->size, EIO__PIECES - 1);
	if (rc == 0)
		rc = put_piece(w, data, len);
	/* From here on the piece is the writer's: the rest is about sending it. */
	if (rc == 0)
		rc = eio__buf_writer_start_in_turn(w);
	give_turn(w);
	return rc;
}

int eio_buf_write_schedule(struct eio_buf_writer *pub, const void *data, size_t len)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int rc = enter(w);

	if (rc < 0 || len == 0)
		return rc;
	if (w->crowded || eio__buf_writer_unsent(w) > w->size || w->pieces == EIO__PIECES)
		return schedule_in_turn(w, data, len);
	rc = put_piece(w, data, len);
	return rc < 0 ? rc : eio__buf_writer_added(w);
}

/* Text */

static int print_aside(struct eio_buf_writer *pub, const char *format, va_list args)
{
	char *text;
	int n = vasprintf(&text, format, args), rc;

	if (n < 0)
		return eio__fail(-ENOMEM, "write", "formatted text");
	rc = eio_buf_write(pub, text, (size_t) n);
	free(text);
	return rc;
}

/* Into the ring, if it fits into the part of it that comes next: how long the text is, or
 * negative. *ret_fits: it was added. */
static int print_into_ring(struct eio__buf_writer *w, const char *format, va_list args,
			   bool *ret_fits)
{
	uint64_t room = eio__buf_writer_room(w), behind = 0;
	char *tail = NULL;
	va_list again;
	int n;

	if (room > 0) {
		if (eio__batch_need(w) < 0)
			return -ENOMEM;
		tail = eio__batch_tail(w, &behind);
		room = room < behind ? room : behind;
	}
	va_copy(again, args);
	n = vsnprintf(tail, room, format, again);
	va_end(again);
	*ret_fits = n >= 0 && (uint64_t) n < room;
	if (*ret_fits)
		eio__batch_added(w, (uint64_t) n);
	if (w->batch && eio__buf_writer_unsent(w) == 0)
		eio__batch_shift(w, 0);
	return n < 0 ? eio__fail(-EINVAL, "write", "format") : n;
}

int eio_buf_write_vprintf(struct eio_buf_writer *pub, const char *format, va_list args)
{
	struct eio__buf_writer *w = eio__buf_writer_of(pub);
	int rc = enter(w);
	bool fits;

	if (rc < 0)
		return rc;
	rc = print_into_ring(w, format, args, &fits);
	if (rc <= 0)
		return rc;
	return fits ? eio__buf_writer_added(w) : print_aside(pub, format, args);
}

int eio_buf_write_printf(struct eio_buf_writer *w, const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = eio_buf_write_vprintf(w, format, args);
	va_end(args);
	return rc;
}
