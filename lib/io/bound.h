/* SPDX-License-Identifier: ISC */
/*
 * What ends with a bound socket besides its descriptor.
 */
#ifndef EIO__IO_BOUND_H
#define EIO__IO_BOUND_H

#include <eio/addr.h>
#include <eio/fd.h>

/* Closes the descriptor: eio_fd_close, or eio_ll_close_listener for a listener. */
typedef int eio__close_fn(struct eio_fd fd);

/*
 * Keeps a bound socket's file in mind, and closes the socket at the end of @p sw (if not
 * NULL). 0; on failure the socket is closed and its file removed.
 */
int eio__bound_begin(struct eio_switch *sw, struct eio_fd fd, const struct eio_addr *addr,
		     eio__close_fn *close);

/* Removes the socket's file if it is still ours, then closes it: 0 or -EBADF. Any thread,
 * and for descriptors that bound_begin has not seen too. */
int eio__bound_end(struct eio_fd fd, eio__close_fn *close);

/* As eio_ll_bind; with @p replace a stale file in the place of a Unix socket's goes first. */
int eio__bind(struct eio_fd fd, const struct eio_addr *addr, bool replace);

#endif
