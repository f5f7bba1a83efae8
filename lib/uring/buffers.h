/* SPDX-License-Identifier: ISC */
/*
 * Groups of buffers from the inside (see <eio/ll_buffers.h>).
 *
 * A buffer is
 *   offered   in the ring that the kernel takes from, or on the list of free ones
 *   filling   incremental: the kernel goes on with it, and some of it may be in views
 *   finished  the kernel is done with it; it is offered again when no view of it is left
 * A view is counted from the completion on, whether or not somebody has taken it.
 *
 * Each buffer knows which one was offered after it: a bundle is a run of these. The ring
 * itself may say otherwise by the time a completion is looked at.
 *
 * What was received and nobody has taken is a piece, of one completion. They are the group's,
 * chained by whose they are: an iterator has no room for any. There are as many as buffers,
 * which only an incremental group may need more than.
 */
#ifndef EIO__BUFFERS_H
#define EIO__BUFFERS_H

#include "base/list.h"
#include "uring/newer.h"

#include <eio/ll_buffers.h>
#include <eio/ll_multi.h>

struct eio__uring;

enum { EIO__NO_BUFFER = 0xffff };

struct eio__buffer {
	uint32_t used;  /* bytes received into it */
	uint32_t views; /* of it that were not given back */
	uint16_t next;  /* offered after it, or free after it */
	uint16_t at;    /* its place in the ring */
	uint16_t turn;  /* how often all views of it came back */
	bool finished;
};

#define EIO__NO_PIECE UINT32_MAX

struct eio__piece {
	uint32_t len;
	uint32_t at;   /* of its first byte in the buffer */
	uint32_t next; /* or EIO__NO_PIECE */
	uint16_t id;   /* the buffer, or a bundle's first */
};

struct eio__buffers {
	struct eio__uring *u;      /* NULL: freed */
	struct io_uring_buf *ring; /* and the memory's beginning */
	struct eio__buffer *buffers;
	struct eio__piece *pieces;
	char *data;
	size_t size, stride, mapped; /* stride: from one buffer to the next */
	unsigned count;
	unsigned flags;   /* what is on */
	unsigned held;    /* views */
	unsigned users;   /* iterators, and fibers that receive */
	unsigned offered; /* how often any was */
	uint16_t id;
	uint16_t last;            /* the one offered last */
	uint16_t free;            /* the first; EIO__NO_BUFFER: none */
	struct eio__list starved; /* iterators */
	uint32_t n_pieces, fresh; /* all, and the first that was never used … */
	uint32_t free_piece;      /* … and the one given back last */
};

_Static_assert(sizeof(struct eio__buffers) <= sizeof(struct eio_ll_buffers),
	       "eio_ll_buffers is too small");

static inline struct eio__buffers *eio__buffers_of(const struct eio_ll_buffers *b)
{
	return (struct eio__buffers *) b;
}

static inline char *eio__buffers_data(const struct eio__buffers *g, unsigned id)
{
	return g->data + id * g->stride;
}

/* Where a group's kernel does not: takes a free one. EIO__NO_BUFFER: there is none. */
unsigned eio__buffers_take(struct eio__buffers *g);

/* Offers one of which there is no view. */
void eio__buffers_offer(struct eio__buffers *g, unsigned id);

/* How many the kernel could take at the moment; negative: it does not tell, before 6.8. */
int eio__buffers_left(struct eio__buffers *g);

/* A completion has bytes in a buffer or, of a @p bundle, in a run of them: they are views now.
 * Where in the buffer goes to r->reserved. */
void eio__buffers_fill(struct eio__buffers *g, struct eio_ll_result *r, bool bundle);

/* The first piece of @p len bytes from @p id on: its length; *id is the next one's buffer. */
unsigned eio__buffers_piece(const struct eio__buffers *g, unsigned len, unsigned *id);

/* What a view of it is called: one of an earlier turn is told from it. */
static inline unsigned eio__buffers_name(const struct eio__buffers *g, unsigned id)
{
	return (unsigned) g->buffers[id].turn << 16 | id;
}

/* A piece, to be filled in but for next, which is none; EIO__NO_PIECE: no memory. */
uint32_t eio__piece_new(struct eio__buffers *g);

static inline void eio__piece_free(struct eio__buffers *g, uint32_t i)
{
	g->pieces[i].next = g->free_piece;
	g->free_piece = i;
}

/* At the end of a domain: its own group, if there is one; views of it are no more. */
void eio__common_fini(struct eio__uring *u);

/* A view less. */
void eio__buffers_release(struct eio__buffers *g, unsigned id);

#endif
