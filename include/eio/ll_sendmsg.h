/* SPDX-License-Identifier: ISC */
/*
 * Messages: with an address, and with descriptors.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_SENDMSG_H
#define EIO_LL_SENDMSG_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/fd.h>
#include <sys/uio.h>

EIO_BEGIN_DECLS

/** What came with a message. */
struct eio_ll_received {
	struct eio_addr peer; /**< the sender; len 0 where the socket does not tell */
	int flags;            /**< MSG_TRUNC: longer than the buffers; MSG_CTRUNC; MSG_EOR … */
	unsigned n_fds;       /**< handles made */
};

/**
 * Send one message, or on a stream some bytes; MSG_NOSIGNAL is added.
 *
 * Waits until the socket takes it. The message is gathered from the vector; addresses,
 * buffers and handles are borrowed for the call. The descriptors stay the caller's; they
 * are pinned as long as the call takes.
 *
 * When a Unix socket for datagrams has no room at first the kernel (seen with Linux 6.18)
 * sends an empty one in the end, and the result is 0: there use MSG_DONTWAIT and
 * eio_ll_await_writable, or eio_dgram_send, which does.
 *
 * @param dst    Where to; NULL: where the socket is connected to.
 * @param fds    To be passed on, with at least one byte of data, by a Unix socket: others
 *   send the bytes without them, and do not tell.
 * @param n_fds  At most 253.
 * @return How many bytes were sent, or:
 *   -EMSGSIZE      too long, or @p n is not between 0 and IOV_MAX: nothing was sent
 *   -EINVAL        too many descriptors
 *   -EBADF         @p fd or one of @p fds is closed
 *   -ETOOMANYREFS  too many descriptors on their way
 *   -EAGAIN        with MSG_DONTWAIT
 *   -EPIPE, -ECONNRESET, -EDESTADDRREQ, -ENOTCONN, -EISCONN, -ECONNREFUSED, -ENOTSOCK,
 *   -ECANCELED, -EPERM and what else sendmsg(2) says
 * @cancel Yes; nothing was sent then.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_send_msg(struct eio_fd fd, const struct eio_addr *dst,
					      const struct iovec *iov, int n,
					      const struct eio_fd *fds, unsigned n_fds, int flags);

/**
 * Receive one message, or on a stream some bytes.
 *
 * Waits until something is there. Descriptors that came with it are dropped (MSG_CTRUNC).
 *
 * @param n    Of the vector at most IOV_MAX entries are used.
 * @param ret  Optional.
 * @return How many bytes were received, 0 for an empty message or at the end of a stream;
 *   -EAGAIN with MSG_DONTWAIT, -ECONNRESET, -ENOTCONN, -ENOTSOCK, -ECANCELED, -EBADF,
 *   -EPERM and what else recvmsg(2) says.
 * @cancel Yes; nothing was taken then.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_recv_msg(struct eio_fd fd, const struct iovec *iov, int n,
					      int flags, struct eio_ll_received *ret);

/**
 * The same, and descriptors that came with it become handles, close-on-exec.
 *
 * Those above @p max_fds are closed, and MSG_CTRUNC is set then, as it is when the
 * process has no descriptors left.
 *
 * @param sw       The handles are closed at its end; NULL: the caller closes them.
 * @param ret_fds  Room for @p max_fds handles; how many were made is in @p ret, in their
 *   order. The other ones are left as they were.
 * @return As eio_ll_recv_msg, and -ENOMEM, or -EINVAL and -EPERM for the switch. If one
 *   of the handles could not be made the message is lost, and its descriptors are closed.
 * @cancel Yes; nothing was taken then.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_ll_recv_msg_with_fds(struct eio_switch *sw, struct eio_fd fd,
						       const struct iovec *iov, int n, int flags,
						       struct eio_fd *ret_fds, unsigned max_fds,
						       struct eio_ll_received *ret);

EIO_END_DECLS

#endif
