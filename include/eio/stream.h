/* SPDX-License-Identifier: ISC */
/*
 * Bounded queues of items between fibers of one or several domains.
 */
#ifndef EIO_STREAM_H
#define EIO_STREAM_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** A stream; opaque, in the caller's storage from init to fini. */
struct eio_stream {
	void *eio_private[8];
};

/**
 * Make a stream.
 *
 * @param elem_size  Bytes of an item, at least 1, below 4 GiB. Items are copied in and out.
 * @param capacity   How many items it holds while nobody takes them; 0: an add waits for
 *   the take that gets its item. Below 2^32.
 * @return 0, -EINVAL for sizes out of range, or -ENOMEM; only on success there is something to
 *   end.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_stream_init(struct eio_stream *s, size_t elem_size, size_t capacity);

/**
 * Add an item, waiting while the stream is full.
 *
 * Those who wait are served in the order they came.
 *
 * @param elem  Copied before the call returns.
 * @return 0: somebody has it or will; else it was not added:
 *   -ECANCELED  the context was cancelled
 *   -EPIPE      the stream is closed
 *   -EPERM      this thread runs no fibers
 * @cancel Yes. An item that was taken counts as added although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_stream_add(struct eio_stream *s, const void *elem);

/**
 * Take the oldest item, waiting until there is one.
 *
 * @param ret_elem  Receives a copy; must stay valid until the call returns.
 * @return 0, or:
 *   EIO_EOF     the stream is closed and empty
 *   -ECANCELED  the context was cancelled; no item was taken
 *   -EPERM      this thread runs no fibers
 * @cancel Yes. An item that was handed over is delivered although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_stream_take(struct eio_stream *s, void *ret_elem);

/** Add without waiting: 0, -EAGAIN, -EPIPE. Any thread; never -ECANCELED. @since 0.1 */
EIO_API EIO_NODISCARD int eio_stream_try_add(struct eio_stream *s, const void *elem);

/** Take without waiting: 0, -EAGAIN, EIO_EOF. Any thread; never -ECANCELED. @since 0.1 */
EIO_API EIO_NODISCARD int eio_stream_try_take(struct eio_stream *s, void *ret_elem);

/** How many items lie in the stream just now, those of waiting adders left out. @since 0.1 */
EIO_API size_t eio_stream_length(struct eio_stream *s);

/**
 * Close the stream: adds fail with -EPIPE, those that wait included; takes get what is
 * left and then EIO_EOF.
 *
 * Closing twice is harmless. Never suspends.
 *
 * @thread Any.
 * @since 0.1
 */
EIO_API void eio_stream_close(struct eio_stream *s);

/**
 * Take the stream out of use and free its memory.
 *
 * @param dispose  Called with each item left in it; NULL: they need nothing.
 * @return 0, or -EBUSY while somebody waits; then nothing was done.
 * @since 0.1
 */
EIO_API int eio_stream_fini(struct eio_stream *s, void (*dispose)(void *elem, void *arg),
			    void *arg);

EIO_END_DECLS

#endif
