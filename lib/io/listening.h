/* SPDX-License-Identifier: ISC */
/*
 * What ends with a listener besides its descriptor.
 */
#ifndef EIO__IO_LISTENING_H
#define EIO__IO_LISTENING_H

#include <eio/net.h>

/*
 * Keeps a bound socket's file in mind, and closes the listener at the end of @p sw (if
 * not NULL). 0; on failure the socket is closed and its file removed.
 */
int eio__listening_begin(struct eio_switch *sw, struct eio_fd fd, const struct eio_addr *addr);

/* Removes the socket's file if it is still ours, then closes the listener: 0 or -EBADF.
 * Any thread, and for descriptors that listening_begin has not seen too. */
int eio__listening_end(struct eio_fd fd);

/* Removes the file of a Unix address if it is a socket that nobody has open. */
bool eio__remove_stale_socket(const struct eio_addr *addr);

#endif
