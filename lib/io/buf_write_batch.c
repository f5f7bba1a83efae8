/* SPDX-License-Identifier: ISC */
/*
 * What a writer has not sent: a ring of bytes, and pieces between them.
 */
#include "core/error.h"
#include "io/buf_write.h"

#include <stdlib.h>
#include <sys/uio.h>

int eio__batch_make(struct eio__buf_writer *w)
{
	w->batch = malloc(sizeof(*w->batch) + w->size);
	w->head = 0;
	return w->batch ? 0 : eio__fail(-ENOMEM, "write", "buffer");
}

void eio__batch_put_piece(struct eio__buf_writer *w, const void *data, size_t len)
{
	w->batch->pieces[(w->first + w->pieces++) % EIO__PIECES] =
		(struct eio__piece){data, len, w->loose};
	w->loose = 0;
	w->taken += len;
}

/* @p len bytes of the ring at *at, which moves behind them: how many entries. */
static int gather_ring(const struct eio__buf_writer *w, uint64_t *at, uint64_t len,
		       struct iovec *iov, int max)
{
	int n = 0;

	while (len > 0 && n < max) {
		uint64_t part = len < w->size - *at ? len : w->size - *at;

		iov[n++] = (struct iovec){w->batch->ring + *at, part};
		*at = *at + part == w->size ? 0 : *at + part;
		len -= part;
	}
	return n;
}

int eio__batch_gather(const struct eio__buf_writer *w, struct iovec *iov, int max)
{
	uint64_t at = w->head;
	int n = 0;

	for (unsigned i = 0; i < w->pieces; i++) {
		const struct eio__piece *p = &w->batch->pieces[(w->first + i) % EIO__PIECES];

		n += gather_ring(w, &at, p->before, iov + n, max - n);
		if (n == max)
			return n;
		iov[n++] = (struct iovec){(void *) p->data, p->len};
	}
	return n + gather_ring(w, &at, w->loose, iov + n, max - n);
}

/* @p n ring bytes less. */
static void shift_ring(struct eio__buf_writer *w, uint64_t n)
{
	w->head += n;
	if (w->head >= w->size)
		w->head -= w->size;
	w->used -= n;
}

/* Of the first piece and the ring bytes before it up to @p n bytes less: how many. */
static uint64_t shift_piece(struct eio__buf_writer *w, uint64_t n)
{
	struct eio__piece *p = &w->batch->pieces[w->first];
	uint64_t ring = n < p->before ? n : p->before;
	uint64_t own = n - ring < p->len ? n - ring : p->len;

	shift_ring(w, ring);
	p->before -= ring;
	p->data += own;
	p->len -= own;
	if (p->len == 0) {
		w->first = (w->first + 1) % EIO__PIECES;
		w->pieces--;
	}
	return ring + own;
}

void eio__batch_shift(struct eio__buf_writer *w, uint64_t n)
{
	w->sent += n;
	while (n > 0 && w->pieces > 0)
		n -= shift_piece(w, n);
	shift_ring(w, n);
	w->loose -= n;
	if (eio__buf_writer_unsent(w) == 0) {
		free(w->batch);
		w->batch = NULL;
	}
}

void eio__batch_drop(struct eio__buf_writer *w)
{
	w->sent = w->dropped = w->taken;
	w->head = w->used = w->loose = 0;
	w->pieces = 0;
}
