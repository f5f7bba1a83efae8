/* SPDX-License-Identifier: ISC */
/*
 * Datagrams: UDP, and Unix sockets that keep messages apart.
 *
 * A datagram is sent and received as a whole. Any number of fibers may send and receive
 * on one socket at a time.
 */
#ifndef EIO_DGRAM_H
#define EIO_DGRAM_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/fd.h>
#include <eio/net.h>
#include <eio/sockopt.h>

struct iovec;

EIO_BEGIN_DECLS

struct eio_dgram_ops;

/** A socket for datagrams; a value. A zeroed one gives -EBADF. */
struct eio_dgram {
	const struct eio_dgram_ops *ops;
	union {
		struct eio_fd fd;
		void *ptr; /**< must outlive every copy of the value */
	} u;
};

/** NULL or zeroed: all defaults. */
struct eio_dgram_opts {
	/** The only one to send to and to receive from; NULL: anybody. */
	const struct eio_addr *connect_to;
	bool reuse_addr; /**< SO_REUSEADDR; for a Unix path: replace a socket nobody has open */
	bool reuse_port; /**< SO_REUSEPORT */
	/** Set in this order before the socket is bound. */
	const struct eio_sockopt_setting *options;
	unsigned n_options;
	void *reserved[4];
};

/**
 * What a provider of datagram sockets implements. The calls below have checked for
 * cancellation before they call. A NULL send or recv gives -EOPNOTSUPP, a NULL addr or fd
 * -ENOTSUP, a NULL close 0.
 */
struct eio_dgram_ops {
	const char *name;
	int (*send)(struct eio_dgram d, const struct eio_addr *dst, const struct iovec *iov, int n);
	ssize_t (*recv)(struct eio_dgram d, void *buf, size_t len, struct eio_addr *ret_peer);
	int (*addr)(struct eio_dgram d, struct eio_addr *ret);
	int (*close)(struct eio_dgram d);
	int (*fd)(struct eio_dgram d, struct eio_fd *ret);
	void *reserved[4]; /**< zero */
};

/**
 * Make a socket for datagrams.
 *
 * @param sw    The socket is closed at its end; a Unix path is removed with it. NULL: the
 *   caller closes it.
 * @param addr  Where to receive: port 0, "0.0.0.0:0" or "[::]:0", is one of the kernel's
 *   choice. NULL: where the kernel likes, of the family of connect_to, else IPv4; a Unix
 *   socket then has no name, and nobody can answer it.
 * @param opts  NULL = defaults.
 * @return 0, or -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EMFILE, -ENFILE, -ENOMEM,
 *   -EAFNOSUPPORT (also when connect_to is of another family), -ENETUNREACH, -ENOENT and
 *   -ECONNREFUSED (Unix), -ECANCELED, -EINVAL, -EPERM, -EOPNOTSUPP; for an option as
 *   eio_sockopt_set. eio_last_error names the address or option.
 * @cancel Yes; nothing is left then.
 * @since 0.1
 */
EIO_API int eio_net_datagram(struct eio_net net, struct eio_switch *sw, const struct eio_addr *addr,
			     const struct eio_dgram_opts *opts, struct eio_dgram *ret);

/**
 * Send a datagram.
 *
 * Waits until the socket takes it, a Unix one until the receiver has room for it. That does
 * not mean that it arrives.
 *
 * @param dst  NULL: where the socket is connected to.
 * @param iov  @p n pieces, at most IOV_MAX, gathered; borrowed for the call. 0 pieces or
 *   bytes are an empty datagram.
 * @return 0, or:
 *   -EMSGSIZE      too long for the protocol, or too many pieces
 *   -EDESTADDRREQ  no @p dst, and not connected; -ENOTCONN for a Unix socket
 *   -ECONNREFUSED  an earlier one has found nobody (connected sockets); nobody has the
 *                  path open (Unix)
 *   -EMFILE, -ENFILE  none left to wait for the receiver with (Unix)
 *   -EAFNOSUPPORT, -ENETUNREACH, -EHOSTUNREACH, -EACCES, -ENOENT (Unix), -ENOBUFS,
 *   -ENOMEM, -ECANCELED, -EBADF, -EPERM, -EOPNOTSUPP
 * @cancel Yes; it was not sent then.
 * @since 0.1
 */
EIO_API int eio_dgram_send(struct eio_dgram d, const struct eio_addr *dst, const struct iovec *iov,
			   int n);

/**
 * Receive a datagram.
 *
 * Waits for the next one. There is no end: 0 is an empty datagram.
 *
 * @param buf       Borrowed for the call.
 * @param len       Its size in bytes.
 * @param ret_peer  Optional: the sender; len 0 if it has no name.
 * @return Its length in bytes, at most @p len, or:
 *   -EMSGSIZE      it was longer than @p len. It is gone: its beginning is in @p buf, the
 *                  sender in @p ret_peer, its whole length eio_last_error()->done. The
 *                  socket is as good as before
 *   -ECONNREFUSED  what was sent before has found nobody (connected sockets)
 *   -ECANCELED, -EBADF, -ENOTSOCK, -EPERM, -ENOMEM, -EOPNOTSUPP
 * @cancel Yes; no datagram was taken then.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_dgram_recv(struct eio_dgram d, void *buf, size_t len,
					     struct eio_addr *ret_peer);

/**
 * Close the socket, and remove its Unix path.
 *
 * As eio_fd_close: receives that wait go on, and keep the port, until they are done or
 * cancelled.
 *
 * @return 0, or -EBADF if it was closed before.
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_dgram_close(struct eio_dgram d);

/** The address of the socket: 0, -EBADF, -ENOTSUP if the provider has none. @since 0.1 */
EIO_API int eio_dgram_local_addr(struct eio_dgram d, struct eio_addr *ret);

/** What it is connected to: 0, -ENOTCONN, -EBADF, -ENOTSUP without a descriptor. @since 0.1 */
EIO_API int eio_dgram_peer_addr(struct eio_dgram d, struct eio_addr *ret);

/** A datagram socket over a tracked descriptor (socket activation). @since 0.1 */
EIO_API struct eio_dgram eio_dgram_of_fd(struct eio_fd fd);

/** The tracked descriptor of a datagram socket: 0, -EBADF, -ENOTSUP if there is none. @since 0.1 */
EIO_API int eio_dgram_fd(struct eio_dgram d, struct eio_fd *ret);

/**
 * Make two Unix datagram sockets that are connected to each other.
 *
 * Does not wait.
 *
 * @param sw  Both are closed at its end; NULL: the caller closes them.
 * @return 0, or -EMFILE, -ENFILE, -ENOMEM, -ECANCELED, -EINVAL, -EPERM.
 * @since 0.1
 */
EIO_API int eio_dgram_socketpair(struct eio_switch *sw, struct eio_dgram *ret_a,
				 struct eio_dgram *ret_b);

EIO_END_DECLS

#endif
