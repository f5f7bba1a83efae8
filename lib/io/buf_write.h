/* SPDX-License-Identifier: ISC */
/*
 * Buffered writers from the inside (see <eio/buf_write.h>).
 *
 * Unsent bytes lie in a ring of the buffer's size, and between them pieces of the program's
 * memory that were not copied:
 *
 *     ring bytes, piece, ring bytes, piece, … loose ring bytes
 *
 * A piece knows how many ring bytes come before it and after the one before. Ring and pieces
 * are in one block, which exists while something is unsent.
 *
 * A flow is written to by whoever holds the turn, one step at a time: the writer's own fiber
 * between its steps, a flush or a write that needs room for as long as it takes, in the calling
 * fiber. So nobody waits for others to send what he could send himself, and a cancelled one
 * knows what he has sent. A write of which a part has to wait holds the turn from its first
 * byte to its last, and then others do not write past it (crowded).
 *
 * With a transport of the program's own the same callers wait for it to take bytes out.
 */
#ifndef EIO__IO_BUF_WRITE_H
#define EIO__IO_BUF_WRITE_H

#include "core/fiber.h"
#include "core/switch.h"

#include <eio/buf_write.h>
#include <eio/cancel.h>
#include <eio/sync.h>
#include <string.h>

enum { EIO__PIECES = 16 };

struct eio__piece {
	const char *data;
	size_t len;
	size_t before; /* ring bytes between the piece before it and this one */
};

struct eio__batch {
	struct eio__piece pieces[EIO__PIECES];
	char ring[];
};

struct eio__buf_writer {
	struct eio_switch sw;         /* the scope */
	struct eio_mutex turn;        /* for a flow's */
	struct eio_condition changed; /* what a transport, its callers and the end wait for */
	struct eio_flow flow;         /* no ops: there is a transport */
	eio_buf_writer_fn *transport;
	void *arg;
	struct eio__batch *batch; /* NULL: nothing is unsent */
	struct eio_cancel *step;  /* the context of a step under way; NULL: there is none */
	uint64_t taken, sent;     /* bytes so far; what is between is unsent */
	uint64_t dropped;         /* the value of taken when bytes were dropped last */
	uint64_t size;            /* of the ring */
	uint64_t head;            /* of the ring: its first unsent byte */
	uint64_t used, loose;     /* of the ring: bytes unsent, and those after the last piece */
	unsigned first, pieces;   /* of the pieces: the first one's index, how many */
	unsigned crowded;         /* writes that wait, or hold the turn */
	unsigned inside;          /* calls that may wait: the end waits for them */
	int err;                  /* negative: nothing goes out any more */
	bool closed, paused;
	bool sending;  /* its own fiber exists; with a transport: it has not returned */
	bool awaiting; /* the transport waits for something to send */
	bool aborted;
	bool ending; /* the end has a failure of the body, which comes before those of sending */
};

_Static_assert(sizeof(struct eio__buf_writer) <= sizeof(struct eio_buf_writer),
	       "eio_buf_writer is too small");

static inline struct eio__buf_writer *eio__buf_writer_of(const struct eio_buf_writer *w)
{
	return (struct eio__buf_writer *) w;
}

static inline uint64_t eio__buf_writer_unsent(const struct eio__buf_writer *w)
{
	return w->taken - w->sent;
}

/* Bytes that a write may add without waiting. */
static inline uint64_t eio__buf_writer_room(const struct eio__buf_writer *w)
{
	uint64_t unsent = eio__buf_writer_unsent(w);

	return likely(!w->crowded && unsent < w->size) ? w->size - unsent : 0;
}

/* May the calling fiber use it, and is there no failure? */
static inline bool eio__buf_writer_is_ready(const struct eio__buf_writer *w)
{
	const struct eio__ctx *scope = &eio__switch_of(&w->sw)->ctx;
	const struct eio__fiber *f = eio__self();

	return likely(f && f->domain == scope->domain && !f->ctx->err && !scope->err && !w->err);
}

/* The same: 0, or what the call gives. */
int eio__buf_writer_check(struct eio__buf_writer *w);

/* The queue */

/* Makes the batch, of which there is none: 0 or -ENOMEM. */
int eio__batch_make(struct eio__buf_writer *w);

static inline int eio__batch_need(struct eio__buf_writer *w)
{
	return likely(w->batch) ? 0 : eio__batch_make(w);
}

/* Adds a piece; there are less than EIO__PIECES. */
void eio__batch_put_piece(struct eio__buf_writer *w, const void *data, size_t len);

/* The first unsent bytes, in at most @p max entries: how many entries. */
int eio__batch_gather(const struct eio__buf_writer *w, struct iovec *iov, int max);

/* The first @p n bytes are sent. Frees the batch when nothing is left. */
void eio__batch_shift(struct eio__buf_writer *w, uint64_t n);

/* Drops what is unsent. The block stays, for a step may still be under way. */
void eio__batch_drop(struct eio__buf_writer *w);

/* Where the next @p ret_room bytes go in one piece. */
static inline char *eio__batch_tail(const struct eio__buf_writer *w, uint64_t *ret_room)
{
	uint64_t at = w->head + w->used;

	if (at >= w->size) {
		at -= w->size;
		*ret_room = w->head - at;
	} else {
		*ret_room = w->size - at;
	}
	return w->batch->ring + at;
}

/* @p n bytes more are in the ring. */
static inline void eio__batch_added(struct eio__buf_writer *w, uint64_t n)
{
	w->used += n;
	w->loose += n;
	w->taken += n;
}

/* Adds bytes, for which there is room, to the ring. */
static inline void eio__batch_put(struct eio__buf_writer *w, const void *data, size_t len)
{
	uint64_t room;
	char *tail = eio__batch_tail(w, &room);
	size_t n = likely(len <= room) ? len : room;

	memcpy(tail, data, n);
	if (unlikely(n < len))
		memcpy(w->batch->ring, (const char *) data + n, len - n);
	eio__batch_added(w, len);
}

/* Sending */

/* Sees to it that what was added goes out, without the turn or with it: 0, or a failure to
 * send. */
int eio__buf_writer_start(struct eio__buf_writer *w);
int eio__buf_writer_start_in_turn(struct eio__buf_writer *w);

static inline int eio__buf_writer_added(struct eio__buf_writer *w)
{
	return likely((w->sending && !w->awaiting) || w->paused) ? 0 : eio__buf_writer_start(w);
}

/* For who holds the turn: sends a part of what is unsent and, behind that, of @p extra, which
 * becomes its rest; or waits until the transport took something. 0 or negative. */
int eio__buf_writer_progress(struct eio__buf_writer *w, struct iovec *extra);

/* Around what may wait. Entering also takes the turn, and looks whether the writer may still be
 * used; leaving gives it back. */
int eio__buf_writer_take_turn(struct eio__buf_writer *w);
void eio__buf_writer_give_turn(struct eio__buf_writer *w);

#endif
