/* SPDX-License-Identifier: ISC */
/*
 * Messages from ring to ring: a number that another domain's ring hands over as one of its
 * completions, without a lock or a descriptor in between. Linux 5.18; where the kernel
 * lacks it a stream or an event does the same work.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_MSG_H
#define EIO_LL_MSG_H

#include <eio/api.h>
#include <eio/fd.h>

EIO_BEGIN_DECLS

/** Where a domain receives; opaque, in the caller's storage from begin to end. */
struct eio_ll_port {
	void *eio_private[12];
};

/** What others send to: a value, copied freely, also to other domains. One whose port has
 *  ended, or a zeroed one, gives -EBADF for ever; in the child of a fork each does. */
struct eio_ll_port_ref {
	struct eio_fd eio_ring;
	struct eio_ll_port *eio_port;
};

/**
 * Begin to receive in the calling domain.
 *
 * @param queue     Where messages wait that nobody has received yet; borrowed until the
 *   port has ended.
 * @param capacity  Its length, 1 to INT_MAX: at most so many are on their way or waiting.
 * @param ret       What to hand to the senders.
 * @return 0 (the port must be ended before main returns), or:
 *   -EOPNOTSUPP  the kernel has no messages between rings
 *   -EINVAL      @p capacity is out of range
 *   -ENOMEM      the table of references could not grow
 *   -EPERM       this thread runs no domain
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_port_begin(struct eio_ll_port *p, uint32_t *queue,
					    unsigned capacity, struct eio_ll_port_ref *ret);

/**
 * Take the next message, waiting for it. Fibers that wait are served in order.
 *
 * @return 0 and the message, or:
 *   -ECANCELED  the caller's context was cancelled; a message that comes then is kept
 *   -EBADF      the port was ended meanwhile
 *   -EPERM      the port is another domain's
 * @cancel Yes. A message that the caller was handed already is delivered.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_port_receive(struct eio_ll_port *p, uint32_t *ret);

/**
 * Take no more messages. Fibers that wait for one get -EBADF; those on their way are waited
 * for, so that the storage is the caller's again.
 *
 * @return How many nobody received, which are dropped; -EBADF if it was ended before,
 *   -EPERM from another domain.
 * @cancel No.
 * @since 0.1
 */
EIO_API int eio_ll_port_end(struct eio_ll_port *p);

/**
 * Send a message. It never waits for the receiver; those of one fiber arrive in order.
 *
 * A fiber that finds the queue full and tries again suspends in between (eio_yield, a
 * sleep): messages of its own domain may be among those on their way.
 *
 * @return 0: it will be there, or among those that eio_ll_port_end counts. Else it was not
 *   sent:
 *   -EAGAIN      the port's queue is full
 *   -EBADF       the port has ended
 *   -EOPNOTSUPP  the kernel has no such messages, or (before Linux 6.13) this thread runs no
 *                domain
 *   -ECANCELED   the caller's context was cancelled
 *   -EACCES      the allow-list of the run lacks IORING_OP_MSG_RING
 *   -ENOMEM      the kernel is out of memory
 * @cancel Yes; it completes by itself, soon.
 * @thread Any. A thread without a domain does not suspend, nor does the port's own.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_port_send(struct eio_ll_port_ref to, uint32_t message);

EIO_END_DECLS

#endif
