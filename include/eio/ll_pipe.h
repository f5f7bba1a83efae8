/* SPDX-License-Identifier: ISC */
/*
 * Pipes, splicing and readiness.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_PIPE_H
#define EIO_LL_PIPE_H

#include <eio/api.h>
#include <eio/fd.h>

EIO_BEGIN_DECLS

/** Make a pipe: 0 and both ends, closed at the end of @p sw. */
EIO_API EIO_NODISCARD int eio_ll_pipe(struct eio_switch *sw, struct eio_fd *ret_r,
				      struct eio_fd *ret_w);

/** Move up to @p len bytes at the current positions; one side is a pipe: how many, 0 at the end. */
EIO_API EIO_NODISCARD ssize_t eio_ll_splice(struct eio_fd src, struct eio_fd dst, size_t len);

/** Wait until reading would not wait: 0. */
EIO_API int eio_ll_await_readable(struct eio_fd fd);

/** Wait until writing would not wait: 0. */
EIO_API int eio_ll_await_writable(struct eio_fd fd);

/** Wait for any of the poll(2) @p events: those that are there (> 0). */
EIO_API EIO_NODISCARD int eio_ll_poll(struct eio_fd fd, unsigned events);

EIO_END_DECLS

#endif
