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

/**
 * Make two sockets that are connected to each other: 0 and both handles, or:
 *   -EOPNOTSUPP  the domain has no pairs (only AF_UNIX has)
 *   -EAFNOSUPPORT, -EPROTONOSUPPORT, -EMFILE, -ENFILE, -ENOMEM, -EINVAL, -ECANCELED, -EPERM
 *
 * Does not wait. @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_socketpair(struct eio_switch *sw, int domain, int type,
					    int protocol, struct eio_fd *ret_a,
					    struct eio_fd *ret_b);

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

/**
 * Send all of @p buf, of any length, on a stream.
 *
 * The kernel goes on by itself after a part (MSG_WAITALL, from Linux 6.1 on), so that this
 * is one trip through the ring as a rule.
 *
 * @param flags  As for eio_ll_send; MSG_MORE: there is more to come.
 * @return 0, or what eio_ll_send fails with; eio_last_error()->done tells how much went.
 * @cancel Yes; a part may have gone.
 * @since 0.1
 */
EIO_API int eio_ll_send_all(struct eio_fd fd, const void *buf, size_t len, int flags);

/**
 * Receive just @p len bytes from a stream, in one trip through the ring as a rule.
 *
 * @return 0, EIO_EOF if the stream ends before, or what eio_ll_recv fails with;
 *   eio_last_error()->done tells how much came, at the beginning of @p buf.
 * @cancel Yes; a part may have come.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_recv_exactly(struct eio_fd fd, void *buf, size_t len);

/* These do not wait and are good for any thread, and in a cancelled context. */

/** The socket's own address: 0, -EBADF, -ENOTSOCK. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_getsockname(struct eio_fd fd, struct eio_addr *ret);

/** The address it is connected to: 0, -ENOTCONN, -EBADF, -ENOTSOCK. @since 0.1 */
EIO_API EIO_NODISCARD int eio_ll_getpeername(struct eio_fd fd, struct eio_addr *ret);

/**
 * As getsockopt(2).
 *
 * @param ret_value  @p size bytes, of which the first are written to.
 * @return How many; -ENOPROTOOPT for an unknown level or option, -EINVAL, -EBADF, -ENOTSOCK.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_getsockopt(struct eio_fd fd, int level, int option,
					    void *ret_value, size_t size);

/** As setsockopt(2): 0, -ENOPROTOOPT, -EINVAL (also for @p len), -EDOM, -EBADF, -ENOTSOCK, and
 *  -EPERM where the option needs a privilege. @since 0.1 */
EIO_API int eio_ll_setsockopt(struct eio_fd fd, int level, int option, const void *value,
			      size_t len);

EIO_END_DECLS

#endif
