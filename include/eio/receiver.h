/* SPDX-License-Identifier: ISC */
/*
 * Receiving from a connection in one operation that goes on: for many connections with small
 * messages.
 *
 * A receiver is a flow in front of a socket's. In a domain of many fibers (512) what arrives comes
 * in buffers of the domain (eio_ll_buffers_common), even before it is asked for, and is copied out
 * by a read or lent by eio_flow_read_borrow; nobody who waits holds one. With fewer fibers, and for
 * reads of large messages, each is a receive of its own, which is faster there. Everything but
 * reading goes to the socket.
 */
#ifndef EIO_RECEIVER_H
#define EIO_RECEIVER_H

#include <eio/api.h>
#include <eio/flow.h>

EIO_BEGIN_DECLS

/** Opaque; in the caller's storage from begin to end. */
struct eio_receiver {
	void *eio_private[28];
};

/**
 * Begin to receive by a receiver.
 *
 * Nothing happens before the first read. A flow that is not the socket of a stream, or whose
 * kernel does not have what it takes, is read as before.
 *
 * What the flow and the socket give are parts of one stream: from the first read on nobody else
 * reads the socket, nor its descriptor. Descriptors that are sent with the bytes are dropped.
 *
 * @param conn  Stays the caller's, and open until the end.
 * @return The flow to use instead of @p conn, until the end. Views that it lends can be given back
 *   in part, the last one; all are given back before the end.
 * @cancel Does not suspend.
 * @thread A fiber; the flow is its domain's, elsewhere reading gives -EPERM.
 * @since 0.1
 */
EIO_API EIO_NODISCARD struct eio_flow eio_receiver_begin(struct eio_receiver *r,
							 struct eio_flow conn);

/**
 * End it. What has arrived and was not read is dropped, as when a connection is closed.
 *
 * Waits for the kernel to stop receiving.
 *
 * @cancel Never.
 * @thread The domain that read.
 * @since 0.1
 */
EIO_API void eio_receiver_end(struct eio_receiver *r);

EIO_END_DECLS

#endif
