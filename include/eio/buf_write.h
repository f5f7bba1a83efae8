/* SPDX-License-Identifier: ISC */
/*
 * Buffered writing: many small pieces, few system calls.
 *
 *     struct eio_buf_writer w;
 *     int rc = eio_buf_writer_begin(&w, conn, 0);
 *
 *     if (rc < 0)
 *             return rc;
 *     return eio_buf_writer_end(&w, answer(&w));
 *
 * A writer is a scope, as a switch is. What is written gathers in its buffer until the writing
 * fiber waits for something; then a fiber of the writer's own, which exists while something is
 * unsent, sends it in one piece. Writing waits when the buffer is full, for the reader.
 *
 * A failure to send fails the scope: its fibers are cancelled, the end returns the failure.
 * Fibers outside of it that share the writer get the failure itself.
 *
 * Any fiber of the domain may write, flush, pause and close between begin and end. The bytes
 * of one call stay together, and those of one fiber in order. Calls that write wait while what
 * they add would be more than the buffer's size with what is unsent, or while a call of another
 * fiber waits; then they give 0, or:
 *   -ECANCELED      the context was cancelled. What had been taken before is not taken back;
 *                   of a piece of up to size bytes nothing had, of a longer one as much as
 *                   eio_last_error()->done says
 *   -EBADF          the writer was closed
 *   EIO_EABANDONED  it was aborted, or its scope was cancelled, but not the caller
 *   -ENOMEM         no memory for the buffer
 *   -EPERM          another domain's writer
 *   -EPIPE, -ECONNRESET, …  sending failed, now or before
 */
#ifndef EIO_BUF_WRITE_H
#define EIO_BUF_WRITE_H

#include <eio/api.h>
#include <eio/flow.h>
#include <stdarg.h>

EIO_BEGIN_DECLS

/** A buffered writer; opaque, in the caller's storage, from begin to end. */
struct eio_buf_writer {
	void *eio_private[76];
};

/**
 * Open a writer and enter its scope. Neither writes nor allocates yet.
 *
 * The buffer is allocated when something is written and freed when all of it is sent.
 *
 * @param w     Storage, until the matching eio_buf_writer_end. Scopes nest strictly.
 * @param flow  Where the bytes go; borrowed until the end. Nobody else may write to it.
 * @param size  Bytes of the buffer; 0 = 4096.
 * @return 0; end it with eio_buf_writer_end. Nothing to end after:
 *   -EBADF   @p flow is zeroed
 *   -EINVAL  @p size is beyond INT_MAX
 *   -EPERM   this thread runs no fibers
 * @cancel No.
 * @thread Fibers only.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_writer_begin(struct eio_buf_writer *w, struct eio_flow flow,
					       size_t size);

/** A transport: sends what eio_buf_writer_await_batch gives, until that gives 0. */
typedef int eio_buf_writer_fn(struct eio_buf_writer *w, void *arg);

/**
 * Open a writer whose bytes a function takes out, in a fiber of its own that ends before the
 * scope does.
 *
 *     while ((n = eio_buf_writer_await_batch(w, iov, 8)) > 0)
 *             rc = … send some bytes …, eio_buf_writer_shift(w, bytes);
 *
 * @param fn  Its failure fails the scope. Once it has returned nothing is taken any more:
 *   writing and flushing give EIO_EABANDONED.
 * @return As eio_buf_writer_begin, and -ENOMEM: there was no memory for the fiber.
 * @cancel No.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_writer_begin_with(struct eio_buf_writer *w, size_t size,
						    eio_buf_writer_fn *fn, void *arg);

/**
 * Close the writer and its scope: send what is unsent, wait for the writer's fiber and for
 * calls of others.
 *
 * @param rc  The result of the scope's body. -ECANCELED, or in a cancelled context: what is
 *   unsent is dropped. Otherwise it is sent, also after another failure.
 * @return @p rc if it is negative, else the failure to send, -ECANCELED if something was
 *   dropped, or @p rc; what failed earlier in the scope comes before them. -EPERM from
 *   another domain; nothing was done.
 * @cancel Yes: what is unsent is dropped, and calls of others give EIO_EABANDONED.
 * @since 0.1
 */
EIO_API int eio_buf_writer_end(struct eio_buf_writer *w, int rc);

/* Writing */

/**
 * Write @p len bytes.
 *
 * More than fit into the buffer are sent from where they are.
 *
 * @param data  Borrowed for the call.
 * @return As said at the top.
 * @cancel Yes.
 * @since 0.1
 */
EIO_API int eio_buf_write(struct eio_buf_writer *w, const void *data, size_t len);

/**
 * Write @p len bytes without copying them.
 *
 * Waits while more than size bytes are unsent already, or sixteen such pieces.
 *
 * @param data  Must stay unchanged until a later eio_buf_writer_flush has returned 0, or the
 *   end has returned; with a transport of the program's own, until that has sent it.
 * @return As said at the top; if negative, @p data is not used.
 * @cancel Yes.
 * @since 0.1
 */
EIO_API int eio_buf_write_schedule(struct eio_buf_writer *w, const void *data, size_t len);

/** Write a string without its terminator; as eio_buf_write. @since 0.1 */
EIO_API int eio_buf_write_string(struct eio_buf_writer *w, const char *text);

/**
 * Format into the buffer.
 *
 * Only a text that does not fit there in one piece takes memory for the call.
 *
 * @return As said at the top, and -EINVAL for a format that printf(3) refuses.
 * @cancel Yes.
 * @since 0.1
 */
EIO_API int eio_buf_write_printf(struct eio_buf_writer *w, const char *format, ...)
	EIO_PRINTF(2, 3);

/** The same with a list of arguments. @since 0.1 */
EIO_API int eio_buf_write_vprintf(struct eio_buf_writer *w, const char *format, va_list args)
	EIO_PRINTF(2, 0);

/** Write one character. @since 0.1 */
EIO_API int eio_buf_write_char(struct eio_buf_writer *w, char c);

/* Numbers: be_ with the most significant byte first, le_ with the least; as eio_buf_write. */

/** Write an unsigned byte. @since 0.1 */
EIO_API int eio_buf_write_u8(struct eio_buf_writer *w, uint8_t value);
/** Write two bytes. @since 0.1 */
EIO_API int eio_buf_write_be16(struct eio_buf_writer *w, uint16_t value);
/** Write four bytes. @since 0.1 */
EIO_API int eio_buf_write_be32(struct eio_buf_writer *w, uint32_t value);
/** Write the six lower bytes. @since 0.1 */
EIO_API int eio_buf_write_be48(struct eio_buf_writer *w, uint64_t value);
/** Write eight bytes. @since 0.1 */
EIO_API int eio_buf_write_be64(struct eio_buf_writer *w, uint64_t value);
/** Write four bytes, an IEEE 754 number. @since 0.1 */
EIO_API int eio_buf_write_be_float(struct eio_buf_writer *w, float value);
/** Write eight bytes, an IEEE 754 number. @since 0.1 */
EIO_API int eio_buf_write_be_double(struct eio_buf_writer *w, double value);
/** Write two bytes. @since 0.1 */
EIO_API int eio_buf_write_le16(struct eio_buf_writer *w, uint16_t value);
/** Write four bytes. @since 0.1 */
EIO_API int eio_buf_write_le32(struct eio_buf_writer *w, uint32_t value);
/** Write the six lower bytes. @since 0.1 */
EIO_API int eio_buf_write_le48(struct eio_buf_writer *w, uint64_t value);
/** Write eight bytes. @since 0.1 */
EIO_API int eio_buf_write_le64(struct eio_buf_writer *w, uint64_t value);
/** Write four bytes, an IEEE 754 number. @since 0.1 */
EIO_API int eio_buf_write_le_float(struct eio_buf_writer *w, float value);
/** Write eight bytes, an IEEE 754 number. @since 0.1 */
EIO_API int eio_buf_write_le_double(struct eio_buf_writer *w, double value);

/* When it is sent */

/**
 * Send, and return when all that was written before the call is sent. Ends a pause.
 *
 * @return 0, or:
 *   -ECANCELED      the context was cancelled; what is unsent still is, and goes out later
 *   EIO_EABANDONED  the writer was aborted, or its scope was cancelled, but not the caller
 *   -EPERM          another domain's writer
 *   -EPIPE, -ECONNRESET, …  sending failed, now or before
 * @cancel Yes.
 * @since 0.1
 */
EIO_API int eio_buf_writer_flush(struct eio_buf_writer *w);

/**
 * Send nothing until eio_buf_writer_unpause, a flush, the close, or a write that has to wait
 * for room. It does not hold calls that wait already.
 *
 * @return 0, or -EPERM: another domain's writer.
 * @since 0.1
 */
EIO_API int eio_buf_writer_pause(struct eio_buf_writer *w);

/** End a pause: 0, or -EPERM. @since 0.1 */
EIO_API int eio_buf_writer_unpause(struct eio_buf_writer *w);

/** How many bytes were written and not sent. @since 0.1 */
EIO_API uint64_t eio_buf_writer_pending(const struct eio_buf_writer *w);

/**
 * Take no more: later writes give -EBADF. What is unsent goes out.
 *
 * @return 0, also the second time, or -EPERM: another domain's writer.
 * @cancel Not this call, which does not wait.
 * @since 0.1
 */
EIO_API int eio_buf_writer_close(struct eio_buf_writer *w);

/**
 * Drop what is unsent, stop a send that is under way, and take no more.
 *
 * Those who flush or wait for room get EIO_EABANDONED. How much had been sent is not known.
 *
 * @return 0, also the second time, or -EPERM: another domain's writer.
 * @cancel Not this call, which does not wait.
 * @since 0.1
 */
EIO_API int eio_buf_writer_abort(struct eio_buf_writer *w);

/* For a transport, in its fiber */

struct iovec;

/**
 * Wait until there is something to send.
 *
 * @param ret_iov  Receives up to @p max pieces, in order; valid until shift or drain.
 * @return How many pieces; 0: the writer is closed and all is sent; or:
 *   -ECANCELED  the scope was cancelled
 *   -EINVAL     @p max is less than 1, or the writer sends to a flow
 * @cancel Yes.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_writer_await_batch(struct eio_buf_writer *w,
						     struct iovec *ret_iov, int max);

/** The first @p n bytes were sent: 0, -EINVAL if there are less; after an abort 0. @since 0.1 */
EIO_API int eio_buf_writer_shift(struct eio_buf_writer *w, size_t n);

/**
 * Drop what is unsent: how many bytes. Those who flush get EIO_EABANDONED.
 *
 * @return -EINVAL if the writer sends to a flow.
 * @since 0.1
 */
EIO_API int64_t eio_buf_writer_drain(struct eio_buf_writer *w);

EIO_END_DECLS

#endif
