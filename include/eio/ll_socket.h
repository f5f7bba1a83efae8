/* SPDX-License-Identifier: ISC */
/*
 * Sockets.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_SOCKET_H
#define EIO_LL_SOCKET_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/fd.h>

EIO_BEGIN_DECLS

/** Make a socket: 0 and the handle. */
EIO_API EIO_NODISCARD int eio_ll_socket(struct eio_switch *sw, int domain, int type, int protocol,
					struct eio_fd *ret);

/** Give a socket its local address: 0. */
EIO_API EIO_NODISCARD int eio_ll_bind(struct eio_fd fd, const struct eio_addr *addr);

/** Start listening: 0. */
EIO_API EIO_NODISCARD int eio_ll_listen(struct eio_fd fd, int backlog);

/**
 * Take a connection: 0. -EBADF also when the listener is closed meanwhile.
 *
 * @param ret_peer  Optional.
 */
EIO_API EIO_NODISCARD int eio_ll_accept(struct eio_switch *sw, struct eio_fd fd, struct eio_fd *ret,
					struct eio_addr *ret_peer);

/**
 * Close a listening descriptor: cancels the accepts in flight, in every domain, and
 * returns when the port is free: 0 or -EBADF. Never -ECANCELED. A thread without a
 * domain does not wait for them.
 */
EIO_API int eio_ll_close_listener(struct eio_fd fd);

/** Connect a socket: 0. After -ECANCELED the socket is only good for closing. */
EIO_API EIO_NODISCARD int eio_ll_connect(struct eio_fd fd, const struct eio_addr *addr);

/** As shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR: 0. */
EIO_API int eio_ll_shutdown(struct eio_fd fd, int how);

/** Send some bytes, MSG_NOSIGNAL added: how many. */
EIO_API EIO_NODISCARD ssize_t eio_ll_send(struct eio_fd fd, const void *buf, size_t len, int flags);

/** Receive some bytes: how many, 0 at the end. */
EIO_API EIO_NODISCARD ssize_t eio_ll_recv(struct eio_fd fd, void *buf, size_t len, int flags);

EIO_END_DECLS

#endif
