/* SPDX-License-Identifier: ISC */
/*
 * Flows: things bytes come out of or go into.
 *
 * A flow is two words, an operations table and what it works on, copied freely and
 * never freed. Programs write their own by filling in a table. At most one reader
 * and one writer at a time per flow.
 */
#ifndef EIO_FLOW_H
#define EIO_FLOW_H

#include <eio/api.h>
#include <eio/fd.h>

struct iovec;

EIO_BEGIN_DECLS

struct eio_flow_ops;

/** A flow capability. A zeroed one gives -EBADF. */
struct eio_flow {
	const struct eio_flow_ops *ops;
	union {
		struct eio_fd fd;
		void *ptr; /**< must outlive every copy of the value */
	} u;
};

/** Which direction eio_flow_shutdown ends. */
enum eio_shutdown {
	EIO_SHUT_RECEIVE,
	EIO_SHUT_SEND,
	EIO_SHUT_ALL,
};

/** Bytes in a source's own memory, the reader's until eio_view_release. */
struct eio_view {
	const char *data;
	size_t len;
	/**
	 * The provider's: the first @p used bytes were used (at most len). False if the rest
	 * cannot be read again. It must not wait. NULL: there is nothing to give back, and no
	 * way to.
	 */
	bool (*release)(struct eio_view *view, size_t used);
	void *ptr;   /**< the provider's */
	uint64_t id; /**< the provider's */
};

/** A copy under way, for a provider's copy_from. */
struct eio_copy {
	uint64_t left; /**< bytes that may still be moved */
	uint64_t done; /**< bytes that were */
	/* The library's; providers call eio_copy_moved. */
	int (*moved)(uint64_t n, void *arg);
	void *arg;
	int stopped;  /* what moved said when it stopped the copy */
	size_t piece; /* the size that suits the sink, 0: any */
};

/**
 * What a provider implements. Every operation but name may be NULL.
 *
 * What the calls below have done before they get here, so that a provider need not: the
 * value is no zeroed one, the caller is not cancelled (but for close), there is something
 * to move (len, or the first entry's length, is at least 1, and n is 1 to IOV_MAX).
 *
 * What an operation owes:
 * - Buffers and vectors are borrowed for the call, and nothing in a vector is changed.
 * - Counts are at most what was asked for, and at most INT_MAX.
 * - If it waits it waits by calls of the library, which see to cancellation: their
 *   -ECANCELED is passed on. It must not have consumed bytes that it does not tell of: if
 *   some were moved before the failure, they are the result, and the next call fails.
 * - Failures are negative codes, with eio_error_set if there is more to say. -ECANCELED is
 *   for callers that were cancelled only.
 * - One reader and one writer may be in it at the same time, not two of either.
 * - After close the others give -EBADF, as long as the provider's memory is there.
 */
struct eio_flow_ops {
	const char *name; /**< for error details; NULL: none */
	/** Some bytes (> 0), 0 at the end. NULL: -EOPNOTSUPP. */
	ssize_t (*read)(struct eio_flow f, void *buf, size_t len);
	/** The same into a vector. NULL: read fills the first entry. */
	ssize_t (*readv)(struct eio_flow f, const struct iovec *iov, int n);
	/**
	 * Takes at least one byte of the vector: how many. Taken bytes are on their way: a
	 * provider that keeps them back loses them at close. NULL: -EOPNOTSUPP.
	 */
	ssize_t (*write_some)(struct eio_flow f, const struct iovec *iov, int n);
	/**
	 * Move up to c->left bytes (at least 1) from @p src by a shorter way than through
	 * memory, and tell of each piece by eio_copy_moved as soon as it is in the sink.
	 *
	 * 0 at the end of @p src or when nothing is left. -EOPNOTSUPP: the common way goes
	 * on from here, so nothing that was read may be on its way. It reads with
	 * eio_flow_read or eio_flow_read_borrow; whether @p src is a flow that it knows it
	 * sees by src.ops. NULL: the common way.
	 */
	int (*copy_from)(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);
	/**
	 * Wait for bytes as read does, and hand out up to @p max of them in the source's own
	 * memory: how many (> 0), 0 at the end; @p ret is written with the first only.
	 * The bytes are read: the next read gives what is behind them. Several views may be
	 * out at a time; release gets each back. NULL: read, into memory of the library's.
	 */
	ssize_t (*borrow)(struct eio_flow f, size_t max, struct eio_view *ret);
	/** NULL: 0, there is no such notion. */
	int (*shutdown)(struct eio_flow f, enum eio_shutdown how);
	/** May wait, but does not fail for a cancellation. NULL: 0. */
	int (*close)(struct eio_flow f);
	/**
	 * The descriptor below, at once. Only if who uses it in the flow's place misses
	 * nothing: no filter has one. NULL: -ENOTSUP.
	 */
	int (*fd)(struct eio_flow f, struct eio_fd *ret);
	void *reserved[4]; /**< zero */
};

/**
 * Read some bytes.
 *
 * Waits until at least one byte is there.
 *
 * @param buf  Destination, borrowed for the call.
 * @param len  Its size in bytes; 0 returns 0 at once.
 * @return Bytes read (> 0), 0 at the end of the stream, or:
 *   -ECANCELED   the context was cancelled; nothing was consumed
 *   -EBADF       the flow is closed
 *   -EOPNOTSUPP  the flow cannot be read
 *   -ECONNRESET, -EIO, …  as read(2) and recv(2) fail
 * @cancel Yes; waits for the kernel to let go of @p buf first. Bytes that arrived
 *   are returned although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_flow_read(struct eio_flow f, void *buf, size_t len);

/**
 * Read exactly @p len bytes.
 *
 * @return 0, EIO_EOF if the stream ended early, or as eio_flow_read. On failure
 *   eio_last_error()->done tells how many bytes were stored.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_flow_read_exact(struct eio_flow f, void *buf, size_t len);

/**
 * Read some bytes into a vector, its first entries first.
 *
 * @param iov  Borrowed for the call. Of more than IOV_MAX entries the first are used.
 * @param n    How many; where all are empty the call returns 0 at once.
 * @return Bytes read (> 0), perhaps no more than the first entry takes though there are
 *   others; else as eio_flow_read, and -EINVAL for n < 0.
 * @cancel As eio_flow_read.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_flow_readv(struct eio_flow f, const struct iovec *iov, int n);

/**
 * Read to the end of the stream.
 *
 * @param max      At most so many bytes; 0 = no limit.
 * @param ret      The bytes and a NUL behind them; the caller frees it. Written only on
 *   success.
 * @param ret_len  Optional: how many, without the NUL.
 * @return 0, or:
 *   EIO_ELIMIT  there are more than @p max
 *   -ENOMEM     memory ran out
 *   as eio_flow_read
 * @cancel Yes. What was read before a failure of any kind is lost, unless @p src is a file:
 *   then its position is where it was. eio_last_error()->done tells how much it was.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_flow_read_all(struct eio_flow src, size_t max, char **ret,
					    size_t *ret_len);

/**
 * Read some bytes without a buffer: they come in memory of the source.
 *
 * A connection that waits this way holds no buffer until something arrives; then it takes one
 * of its domain's (eio_ll_buffers_common), or one from the heap while others hold them all. Of
 * a source that has no buffers of its own the library allocates one. Views of sockets and of
 * such sources cannot be given back in part; those of a receiver (<eio/receiver.h>) can.
 *
 * @param max  At most so many bytes; 0 returns 0 at once.
 * @param ret  What was read, until eio_view_release; zeroed unless bytes came.
 * @return Bytes (> 0), 0 at the end of the stream, or as eio_flow_read, and -ENOMEM.
 * @cancel Yes. Bytes that arrived are returned although a cancellation came.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_flow_read_borrow(struct eio_flow f, size_t max,
						   struct eio_view *ret);

/**
 * Give a view back and zero it; nothing happens to a zeroed one.
 *
 * Views may go back in any order. Sources have few of them: hold one as long as it is
 * needed, not across a wait for something else.
 *
 * @thread The domain that read it.
 * @since 0.1
 */
EIO_API void eio_view_release(struct eio_view *view);

/**
 * Give a view back of which only the first @p used bytes were used.
 *
 * @return true: the next read gives the rest (of the view read last); false: the source
 *   cannot, and the rest is lost.
 * @thread The domain that read it.
 * @since 0.1
 */
EIO_API bool eio_view_release_part(struct eio_view *view, size_t used);

/**
 * Write all of @p buf.
 *
 * @return 0, or a negative code; then eio_last_error()->done tells how many bytes
 *   had been taken:
 *   -ECANCELED  the context was cancelled
 *   -EPIPE      the reader is gone (never a SIGPIPE)
 *   -EBADF, -EOPNOTSUPP, -ECONNRESET, -ENOSPC, …
 * @cancel Yes, between the pieces and inside one.
 * @since 0.1
 */
EIO_API int eio_flow_write(struct eio_flow f, const void *buf, size_t len);

/** eio_flow_write for a vector of any length; neither @p iov nor the data is changed. @since 0.1 */
EIO_API int eio_flow_writev(struct eio_flow f, const struct iovec *iov, int n);

/** Write at least one byte: how many were taken, or as eio_flow_write. @since 0.1 */
EIO_API EIO_NODISCARD ssize_t eio_flow_write_some(struct eio_flow f, const struct iovec *iov,
						  int n);

/**
 * Write formatted text, of any length, as one write.
 *
 * Up to 255 bytes are formatted on the fiber's stack, more in memory that is freed before
 * the call returns.
 *
 * @return 0, or as eio_flow_write, and, with nothing written:
 *   -ENOMEM             no memory for a long text
 *   -EILSEQ, -EOVERFLOW as vsnprintf(3) fails
 * @cancel As eio_flow_write.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_flow_printf(struct eio_flow dst, const char *format, ...) EIO_PRINTF(2, 3);

/**
 * Copy until the end of @p src, the fastest way the two ends allow.
 *
 * What goes from a file to a connection or a pipe may still be read from the file's cached
 * pages after the call returned: changing the file then changes what is not received yet.
 *
 * From connection to connection a copy that waits for bytes holds neither memory nor
 * descriptors. While large pieces come it has a pipe, if it can get one.
 *
 * @param ret_bytes  Optional: bytes copied, set on failure too.
 * @return 0 at the end of @p src, or the first failure of either side.
 * @cancel Yes. What was read and could not be written, for whatever reason, is lost, unless
 *   @p src is a file or memory: then its position is where the copy came to.
 * @since 0.1
 */
EIO_API int eio_flow_copy(struct eio_flow src, struct eio_flow dst, uint64_t *ret_bytes);

/**
 * Copy at most @p max bytes, and tell how it goes.
 *
 * @param moved  Optional: called whenever @p n more bytes are in the sink, in the copying
 *   fiber; it may wait. A negative result stops the copy, as a failure to write would, and is
 *   its result; between connections what has been received is still passed on first, which
 *   may wait for the peer, and told of. Good for progress, and with eio_timeout_reset for a
 *   limit on the time nothing moves.
 * @return 0 at the end of @p src or when @p max bytes were copied, or as eio_flow_copy.
 * @since 0.1
 */
EIO_API int eio_flow_copy_n(struct eio_flow src, struct eio_flow dst, uint64_t max,
			    int (*moved)(uint64_t n, void *arg), void *arg, uint64_t *ret_bytes);

/**
 * For a provider's copy_from: @p n more bytes are in the sink.
 *
 * @return 0, or a negative code that copy_from returns at once.
 * @cancel As what the copy's caller wants called.
 * @thread The copying fiber.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_copy_moved(struct eio_copy *c, uint64_t n);

/** Write a string without its terminator. @since 0.1 */
EIO_API int eio_flow_copy_string(struct eio_flow dst, const char *text);

/**
 * End one direction or both.
 *
 * After EIO_SHUT_SEND the peer reads the end of the stream.
 *
 * @return 0 (also where the flow has no such notion), -EBADF, -ENOTCONN.
 * @cancel Checked first; the call itself does not wait for the peer.
 * @since 0.1
 */
EIO_API int eio_flow_shutdown(struct eio_flow f, enum eio_shutdown how);

/** Close the flow: 0, or -EBADF if it was closed before. Never -ECANCELED. @since 0.1 */
EIO_API int eio_flow_close(struct eio_flow f);

/** The tracked descriptor below the flow: 0, -ENOTSUP if there is none. @since 0.1 */
EIO_API int eio_flow_fd(struct eio_flow f, struct eio_fd *ret);

/**
 * A flow over a tracked descriptor; sockets and terminals are recognised.
 *
 * Closing the flow closes the handle. Of a socket for datagrams each read takes one, cut to the
 * buffer: reads without a buffer and copies cut it to 16 KiB, and an empty one looks like the
 * end. <eio/dgram.h> is for these.
 *
 * @since 0.1
 */
EIO_API struct eio_flow eio_flow_of_fd(struct eio_fd fd);

/** Reads a block of memory; in its owner's storage. */
struct eio_string_source {
	const char *data;
	size_t len; /**< bytes left */
};

/** A flow that reads @p len bytes at @p data, borrowed while it is used. @since 0.1 */
EIO_API struct eio_flow eio_string_source_init(struct eio_string_source *s, const void *data,
					       size_t len);

/** Reads a vector; in its owner's storage. */
struct eio_iov_source {
	const struct iovec *iov; /**< the first entry that is not used up */
	int n;                   /**< entries from there on */
	size_t off;              /**< bytes of the first that are used */
};

/**
 * A flow that reads the bytes of @p n entries, one after the other. The entries and what
 * they point to are borrowed while it is used, and not changed.
 *
 * @since 0.1
 */
EIO_API struct eio_flow eio_iov_source_init(struct eio_iov_source *s, const struct iovec *iov,
					    int n);

/** Gathers what is written; in its owner's storage. */
struct eio_buffer_sink {
	char *data; /**< NUL-terminated once something was written; NULL before */
	size_t len;
	size_t size;
	size_t max;
};

/**
 * A flow that gathers what is written to it, in memory it allocates.
 *
 * Writing gives -ENOMEM when memory runs out, EIO_ELIMIT beyond @p max bytes.
 *
 * @param max  0 = no limit.
 * @since 0.1
 */
EIO_API struct eio_flow eio_buffer_sink_init(struct eio_buffer_sink *s, size_t max);

/** Free what the sink gathered. @since 0.1 */
EIO_API void eio_buffer_sink_fini(struct eio_buffer_sink *s);

/** Reading it is at the end at once; writing to it succeeds and keeps nothing. @since 0.1 */
EIO_API struct eio_flow eio_null(void);

/** A flow's counts; in its owner's storage. */
struct eio_flow_counter {
	struct eio_flow of;   /**< what is counted */
	uint64_t read;        /**< bytes that were read and not given back */
	uint64_t written;     /**< bytes that it took */
	struct eio_view lent; /**< the library's */
};

/**
 * A flow that is @p of, and counts what goes through.
 *
 * What is written to it, copies too, goes the ways that @p of has. Copies from it go
 * through memory, and it has no descriptor, by which its count could be gone past: for
 * the descriptor and its options ask @p of. Closing it closes @p of.
 *
 * @since 0.1
 */
EIO_API struct eio_flow eio_flow_counter_init(struct eio_flow_counter *c, struct eio_flow of);

/**
 * Make a pipe whose two ends are closed at the end of @p sw.
 *
 * @return 0, -EMFILE, -ENFILE, -ENOMEM, -EINVAL, -EPERM, -ECANCELED.
 * @since 0.1
 */
EIO_API int eio_pipe(struct eio_switch *sw, struct eio_flow *ret_r, struct eio_flow *ret_w);

EIO_END_DECLS

#endif
