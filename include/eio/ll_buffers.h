/* SPDX-License-Identifier: ISC */
/*
 * Groups of buffers from which the kernel takes one when data comes, and iterators that receive
 * into them: connections that wait hold no memory, and many share what is there.
 *
 * A group and what was received into it are their domain's (-EPERM elsewhere). When no buffer is
 * left, an iterator waits until one comes back: who keeps views while it asks for more may wait
 * for ever.
 *
 * Where the kernel has no such groups (before 5.19) the same calls take a buffer when data is
 * there, which costs a poll.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_BUFFERS_H
#define EIO_LL_BUFFERS_H

#include <eio/api.h>
#include <eio/fd.h>

EIO_BEGIN_DECLS

/** A group of buffers; opaque, in the caller's storage from init to fini. */
struct eio_ll_buffers {
	void *eio_private[16];
};

enum {
	/** A buffer takes piece after piece until it is full (6.12). Good for few large buffers
	 *  and streams: a datagram is cut to what is left of a buffer. */
	EIO_LL_BUFFERS_INCREMENTAL = 1,
	/** One completion fills several buffers (6.10); not with the other one, which wins. */
	EIO_LL_BUFFERS_BUNDLES = 2,
	/** Nobody waits for a buffer of this group: whoever finds none fails with -ENOBUFS. */
	EIO_LL_BUFFERS_NO_WAIT = 8,
	/** As an answer: it is the kernel that takes buffers from the group (5.19). */
	EIO_LL_BUFFERS_BY_KERNEL = 4,
};

/** What was received: @p len bytes, the caller's until it gives the view back. */
struct eio_ll_view {
	void *data;
	size_t len;
	unsigned id; /**< the library's */
};

/**
 * Make a group of @p count buffers of @p size bytes each, with memory of its own.
 *
 * @param count  A power of two, at most 32768.
 * @param size   At least 1, at most INT_MAX.
 * @param flags  EIO_LL_BUFFERS_NO_WAIT; _INCREMENTAL, _BUNDLES: wishes, see
 *   eio_ll_buffers_flags.
 * @return 0, -EINVAL, -ENOMEM, or -EPERM: this thread runs no domain.
 * @cancel Does not suspend; never -ECANCELED.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_buffers_init(struct eio_ll_buffers *b, unsigned count, size_t size,
					      unsigned flags);

/**
 * Free a group. Does not suspend.
 *
 * @return 0, -EBUSY: an iterator of it has not ended, a fiber receives by eio_ll_view_recv, or a
 *   view was not given back; -EINVAL: it was freed before; -EPERM: another domain's.
 * @since 0.1
 */
EIO_API int eio_ll_buffers_fini(struct eio_ll_buffers *b);

/** What is on of what was wished for, and whether EIO_LL_BUFFERS_BY_KERNEL. @since 0.1 */
EIO_API unsigned eio_ll_buffers_flags(const struct eio_ll_buffers *b);

enum {
	EIO_LL_COMMON_COUNT = 128,
	EIO_LL_COMMON_SIZE = 16384,
};

/**
 * The domain's own group, for everything that holds views briefly: EIO_LL_COMMON_COUNT buffers of
 * EIO_LL_COMMON_SIZE bytes with EIO_LL_BUFFERS_NO_WAIT, made by the first call and freed at the
 * end of the domain. So few stay in the cache, which is what makes them fast.
 *
 * @return NULL: the kernel does not take buffers itself, there is no memory, or this thread runs
 *   no domain.
 * @since 0.1
 */
EIO_API struct eio_ll_buffers *eio_ll_buffers_common(void);

/**
 * Receive some bytes from a socket into a buffer of the kernel's choice. Who waits has none.
 *
 * @param b    A group with EIO_LL_BUFFERS_BY_KERNEL and without EIO_LL_BUFFERS_INCREMENTAL.
 * @param max  At most so many bytes, if a buffer holds that much.
 * @param ret  What was received, to be given back; written only if bytes came.
 * @return Bytes (> 0), 0 at the end, or as eio_ll_recv, and
 *   -ENOBUFS     no buffer was left, perhaps though nothing had arrived
 *   -EOPNOTSUPP  the kernel does not take buffers of this group itself, or fills them piece
 *                after piece
 *   -EPERM       the group is another domain's
 * @cancel Yes. Bytes that arrived are returned although a cancellation came.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_view_recv(struct eio_fd fd, struct eio_ll_buffers *b,
					       size_t max, struct eio_ll_view *ret);

/**
 * Make two views of one, to be given back each for itself: @p view keeps the first @p len bytes,
 * at least 1 and fewer than it has. Does not suspend.
 *
 * @return 0, -EINVAL, -EPERM: another domain's.
 * @since 0.1
 */
EIO_API int eio_ll_view_split(struct eio_ll_buffers *b, struct eio_ll_view *view, size_t len,
			      struct eio_ll_view *ret_rest);

/**
 * Give a view back, once. Wakes iterators that wait for a buffer. Does not suspend.
 *
 * @return 0; -EINVAL: it is none, or was given back before (debug builds abort), which cannot
 *   be told while its buffer has other views, as one that is filled piece after piece or was
 *   split; -EPERM: another domain's.
 * @since 0.1
 */
EIO_API int eio_ll_view_return(struct eio_ll_buffers *b, struct eio_ll_view view);

/** What arrives on a descriptor, as views; opaque. */
struct eio_ll_views {
	void *eio_private[16];
};

/**
 * Start receiving from a socket.
 *
 * What nobody takes stays in buffers. Of one whose reader is slow it is about a quarter of the
 * group's, at most 32; then the kernel is asked to stop, and starts again when it has been taken.
 *
 * @param b  Must stay until the end; any number of iterators share it.
 * @return 0, or: then there is nothing to end
 *   -EBADF      the handle is closed
 *   -ECANCELED  the context was cancelled
 *   -EPERM      this thread runs no domain, or the group is another one's
 * @cancel Yes; may suspend for a free entry.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_views_recv(struct eio_ll_views *v, struct eio_fd fd,
					    struct eio_ll_buffers *b);

/** The same by reading, at the current position: pipes and terminals, and with one read for each
 *  call files and whatever else can be read. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_views_read(struct eio_ll_views *v, struct eio_fd fd,
					    struct eio_ll_buffers *b);

/**
 * Wait for the next piece.
 *
 * @param ret  Of a datagram that is longer than a buffer, or than what is left of one that is
 *   filled piece after piece, what fits.
 * @return 1 and a view, which must be given back; 0 at the end of the stream, or for an empty
 *   datagram; or:
 *   -ECANCELED  the context was cancelled; nothing was taken
 *   -ECONNRESET, …  as recv(2) or read(2); the next call goes on, as a plain one would
 *   -ENOBUFS    no buffer was left of a group with EIO_LL_BUFFERS_NO_WAIT; so does it then
 *   and as eio_ll_multi_next.
 * @cancel Yes, also while no buffer is left. Bytes that came are the next call's.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_views_next(struct eio_ll_views *v, struct eio_ll_view *ret);

/**
 * Stop for now: no operation is in flight until next finds nothing. What came is kept.
 *
 * @return As eio_ll_multi_end.
 * @cancel Never.
 * @since 0.1
 */
EIO_API int eio_ll_views_pause(struct eio_ll_views *v);

/** Would next have something to tell at once? In the domain that began it. @since 0.1 */
EIO_API bool eio_ll_views_ready(const struct eio_ll_views *v);

/** Stop. What came and nobody took is dropped, its buffers go back; views handed out stay valid.
 *  As eio_ll_multi_end. @since 0.1 */
EIO_API int eio_ll_views_end(struct eio_ll_views *v);

EIO_END_DECLS

#endif
