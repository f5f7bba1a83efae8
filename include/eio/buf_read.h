/* SPDX-License-Identifier: ISC */
/*
 * Buffered reading: lines, numbers and pieces out of a flow.
 *
 *     struct eio_buf_reader r;
 *     char *line;
 *     int rc = eio_buf_reader_init(&r, conn, 0, 0);
 *
 *     if (rc < 0)
 *             return rc;
 *     while (rc == 0 && (rc = eio_buf_read_line(&r, &line, NULL)) == 1)
 *             rc = handle(line);
 *     eio_buf_reader_fini(&r);
 *
 * A call that fails consumes nothing, unless it says so: after a time limit, say, the same
 * call may be made again and no byte is missing. What a call hands out lies in the reader's
 * buffer: it stays valid, and may be written to, until the next call on the reader.
 *
 * An idle reader holds no memory but its own if the flow lends buffers of its own
 * (eio_flow_read_borrow), else its first buffer of @p initial bytes. It allocates when bytes
 * come, doubles the buffer while one item does not fit, and gives it back when it is to
 * wait with nothing buffered.
 *
 * A reader is one fiber's at a time, in any domain. Where it is not said otherwise calls
 * wait for as many bytes as they need, and fail with:
 *   EIO_EOF      the input ended before
 *   EIO_ELIMIT   they need more than the reader's max bytes at once
 *   -ECANCELED   the context was cancelled; what is buffered is given out all the same
 *   -ENOMEM      no memory for the buffer
 *   -ECONNRESET, -EBADF, …  as the flow fails; the next call reads again
 */
#ifndef EIO_BUF_READ_H
#define EIO_BUF_READ_H

#include <eio/api.h>
#include <eio/flow.h>

EIO_BEGIN_DECLS

/** A buffered reader; opaque, in its owner's storage from init to fini, not to be copied. */
struct eio_buf_reader {
	void *eio_private[18];
};

/** Is this byte, as a value from 0 to 255, one of them? As isdigit(3) and its like answer. */
typedef int eio_char_fn(int c);

/**
 * Make a reader. Reads and allocates nothing yet.
 *
 * @param flow     What is read from; borrowed until fini. Nobody else may read it meanwhile:
 *   the reader reads ahead.
 * @param initial  Bytes of the first buffer; 0 = 4096, or @p max if that is less.
 * @param max      How many bytes may be buffered at once: the longest line with its end, the
 *   longest slice. 0 = 65536, or @p initial if that is more.
 * @return 0; end it with eio_buf_reader_fini. Nothing to end after:
 *   -EINVAL  @p initial is more than @p max, or one of them is beyond INT_MAX
 * @cancel No.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_reader_init(struct eio_buf_reader *r, struct eio_flow flow,
					      size_t initial, size_t max);

/**
 * Make a reader of @p len bytes of memory, which are copied. Its max is @p len.
 *
 * @return 0; end it with eio_buf_reader_fini. Nothing to end after -ENOMEM.
 * @cancel No. No call on such a reader waits.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_reader_of_string(struct eio_buf_reader *r, const void *data,
						   size_t len);

/** Free what the reader holds. What it read ahead is lost; the flow stays open. @since 0.1 */
EIO_API void eio_buf_reader_fini(struct eio_buf_reader *r);

/**
 * The input as a flow: first what is buffered, then the rest of the flow below.
 *
 * For a body behind a head that was parsed. Large reads go past the buffer, and views are the
 * flow's own. It has no descriptor and cannot be written; to close it does nothing. The reader
 * may go on after it.
 *
 * @return A flow that may be used as long as the reader.
 * @since 0.1
 */
EIO_API struct eio_flow eio_buf_reader_as_flow(struct eio_buf_reader *r);

/** Bytes that are buffered: to be had without waiting. @since 0.1 */
EIO_API size_t eio_buf_reader_buffered(const struct eio_buf_reader *r);

/** Bytes consumed since init, the position in the input. @since 0.1 */
EIO_API uint64_t eio_buf_reader_consumed(const struct eio_buf_reader *r);

/** Has the flow come to its end? It is not read again. Bytes may still be buffered. @since 0.1 */
EIO_API bool eio_buf_reader_eof_seen(const struct eio_buf_reader *r);

/* What is there */

/**
 * Look at what is buffered, without waiting and without consuming it.
 *
 * @param ret  Where it lies; not terminated.
 * @return How many bytes, as eio_buf_reader_buffered.
 * @since 0.1
 */
EIO_API size_t eio_buf_read_peek(struct eio_buf_reader *r, char **ret);

/**
 * Wait until at least @p n bytes are buffered. Consumes nothing.
 *
 * @return 0, or as said at the top.
 * @cancel Yes, unless they are buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_ensure(struct eio_buf_reader *r, size_t n);

/** Consume @p n bytes of what is buffered: 0, or -EINVAL if there are less. @since 0.1 */
EIO_API int eio_buf_read_consume(struct eio_buf_reader *r, size_t n);

/** Is the input at its end? Waits for a byte or the end: 1 yes, 0 no, or negative. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_at_end(struct eio_buf_reader *r);

/** Expect the end: 0, EIO_EPARSE if there is another byte, or as said at the top. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_end_of_input(struct eio_buf_reader *r);

/* Text */

/**
 * Read a line, up to LF, CR LF or the end of the input.
 *
 * @param ret      The line without its end, NUL-terminated. A NUL may also be part of it.
 * @param ret_len  Optional: its length.
 * @return 1; 0 at the end of the input; or, and nothing was consumed, as said at the top.
 * @cancel Yes, unless a line is buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_line(struct eio_buf_reader *r, char **ret, size_t *ret_len);

/**
 * Read exactly @p n bytes.
 *
 * @param ret  They, with a NUL behind them.
 * @return 0, or as said at the top. For more than max bytes: eio_flow_read_exact of
 *   eio_buf_reader_as_flow.
 * @cancel Yes, unless they are buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_take(struct eio_buf_reader *r, size_t n, char **ret);

/**
 * Read as long as @p is says so: up to the first byte that is none, or the end of the input.
 *
 * @param is       Must not wait, nor use the reader.
 * @param ret      What was read, perhaps nothing, with a NUL behind it.
 * @param ret_len  Optional: its length.
 * @return 0, or as said at the top but never EIO_EOF.
 * @cancel Yes, unless the byte behind is buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_take_while(struct eio_buf_reader *r, eio_char_fn *is,
						  char **ret, size_t *ret_len);

/**
 * The same for one byte at least: else EIO_EPARSE, or EIO_EOF at the end of the input.
 *
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_take_while1(struct eio_buf_reader *r, eio_char_fn *is,
						   char **ret, size_t *ret_len);

/**
 * Read everything up to the end of the input.
 *
 * @param ret      What was read, perhaps nothing, with a NUL behind it.
 * @param ret_len  Optional: its length.
 * @return 0, or as said at the top but never EIO_EOF. EIO_ELIMIT also when it is exactly max
 *   bytes and the end of the input has not been seen yet.
 * @cancel Yes; nothing is lost, and nothing consumed.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_take_all(struct eio_buf_reader *r, char **ret,
						size_t *ret_len);

/**
 * Read @p n bytes and forget them; they may be more than max.
 *
 * @return 0, or as said at the top but never EIO_ELIMIT. What was skipped before a failure is
 *   gone: eio_last_error()->done says how much.
 * @cancel Yes, unless they are buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_skip(struct eio_buf_reader *r, uint64_t n);

/**
 * Read as long as @p is says so and forget it; it may be more than max bytes.
 *
 * @return 0, also at the end of the input; or as the flow fails, and what was skipped before
 *   is gone.
 * @cancel Yes, unless the byte behind is buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_skip_while(struct eio_buf_reader *r, eio_char_fn *is);

/** Read the byte @p c: 0, EIO_EPARSE if it is another one, or as said at the top. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_char(struct eio_buf_reader *r, char c);

/**
 * Read the bytes of C string @p text: 0, EIO_EPARSE as soon as one differs, or as said at
 * the top.
 *
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_buf_read_string(struct eio_buf_reader *r, const char *text);

/** Read any byte: 0, or as said at the top. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_any_char(struct eio_buf_reader *r, char *ret);

/** Look at the next byte without consuming it: 1; 0 at the end; or negative. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_peek_char(struct eio_buf_reader *r, char *ret);

/* Numbers: be_ with the most significant byte first, le_ with the least. Each gives 0, or as
 * said at the top. */

/** Read an unsigned byte. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_u8(struct eio_buf_reader *r, uint8_t *ret);
/** Read two bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_be16(struct eio_buf_reader *r, uint16_t *ret);
/** Read four bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_be32(struct eio_buf_reader *r, uint32_t *ret);
/** Read six bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_be48(struct eio_buf_reader *r, uint64_t *ret);
/** Read eight bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_be64(struct eio_buf_reader *r, uint64_t *ret);
/** Read four bytes, an IEEE 754 number. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_be_float(struct eio_buf_reader *r, float *ret);
/** Read eight bytes, an IEEE 754 number. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_be_double(struct eio_buf_reader *r, double *ret);
/** Read two bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_le16(struct eio_buf_reader *r, uint16_t *ret);
/** Read four bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_le32(struct eio_buf_reader *r, uint32_t *ret);
/** Read six bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_le48(struct eio_buf_reader *r, uint64_t *ret);
/** Read eight bytes. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_le64(struct eio_buf_reader *r, uint64_t *ret);
/** Read four bytes, an IEEE 754 number. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_le_float(struct eio_buf_reader *r, float *ret);
/** Read eight bytes, an IEEE 754 number. @since 0.1 */
EIO_API EIO_NODISCARD int eio_buf_read_le_double(struct eio_buf_reader *r, double *ret);

EIO_END_DECLS

#endif
