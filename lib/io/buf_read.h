/* SPDX-License-Identifier: ISC */
/*
 * Buffered readers from the inside (see <eio/buf_read.h>).
 *
 *     block        next               end            block + size
 *     | consumed   | buffered         | free         | one for a NUL
 *
 * With nothing buffered there may be no block: next and end point at an empty string then.
 *
 * A slice that was handed out has a NUL behind it. Where a buffered byte was there that byte
 * is kept in cut_byte, and the next call puts it back before it does anything else.
 */
#ifndef EIO__IO_BUF_READ_H
#define EIO__IO_BUF_READ_H

#include "core/fiber.h"

#include <eio/buf_read.h>

struct eio__buf_reader {
	struct eio_flow flow;
	char *block; /* size + 1 bytes; NULL: none */
	char *next, *end;
	char *cut;            /* NULL: no byte is missing */
	struct eio_view lent; /* below the view that the reader's flow gave out; no data: none */
	uint64_t came;        /* bytes from the flow; consumed are those that are not buffered */
	unsigned size, initial, max;
	int broken; /* bytes were lost for want of memory: what every read gives from then on */
	char cut_byte, nothing;
	bool eof;
};

_Static_assert(sizeof(struct eio__buf_reader) <= sizeof(struct eio_buf_reader),
	       "eio_buf_reader is too small");

static inline size_t eio__buf_reader_has(const struct eio__buf_reader *r)
{
	return (size_t) (r->end - r->next);
}

/* What every call begins with. */
static inline struct eio__buf_reader *eio__buf_reader_enter(struct eio_buf_reader *pub)
{
	struct eio__buf_reader *r = (struct eio__buf_reader *) pub;

	if (r->cut) {
		*r->cut = r->cut_byte;
		r->cut = NULL;
	}
	return r;
}

/* Frees the block, if nothing is buffered. */
void eio__buf_reader_drop(struct eio__buf_reader *r);

/* Makes room for @p want bytes together, which are not more than max: 0 or -ENOMEM. */
int eio__buf_reader_reserve(struct eio__buf_reader *r, size_t want);

/* Reads until @p want bytes are buffered: 0 or negative. EIO_EOF is not recorded: it need not
 * be a failure. */
int eio__buf_reader_fill(struct eio__buf_reader *r, size_t want);

/* The same for those to whom it is. */
int eio__buf_reader_read(struct eio__buf_reader *r, size_t want);

static inline int eio__buf_reader_want(struct eio__buf_reader *r, size_t want)
{
	return likely(eio__buf_reader_has(r) >= want) ? 0 : eio__buf_reader_read(r, want);
}

#endif
