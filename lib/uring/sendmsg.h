/* SPDX-License-Identifier: ISC */
/*
 * What messages to an address begin with.
 */
#ifndef EIO__SENDMSG_H
#define EIO__SENDMSG_H

#include <eio/addr.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A message without control data. One of too many parts, or of less than none, the kernel
 * refuses with -EMSGSIZE: a message cannot be cut. */
static inline struct msghdr eio__msg_to(const struct eio_addr *dst, const struct iovec *iov, int n)
{
	return (struct msghdr){
		.msg_name = dst ? (void *) dst->sa : NULL,
		.msg_namelen = dst ? dst->len : 0,
		.msg_iov = (struct iovec *) iov,
		.msg_iovlen = (size_t) n,
	};
}

#endif
