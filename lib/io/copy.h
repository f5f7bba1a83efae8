/* SPDX-License-Identifier: ISC */
/*
 * Copying between flows: what the common way and the short cuts tell each other.
 */
#ifndef EIO__IO_COPY_H
#define EIO__IO_COPY_H

#include "io/flow.h"

#include <sys/types.h>

/* As much as one piece of at most @p most bytes may take. */
static inline size_t eio__copy_piece(const struct eio_copy *c, size_t most)
{
	return c->left < most ? (size_t) c->left : most;
}

/* The common way, in pieces that suit the sink. */
int eio__copy_common(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);

/* A buffer's copy_from asks for room for so many bytes at least, also at the end. */
enum { EIO__SINK_LEAST = 4096 };

/* As eio_flow_read_all, with @p room bytes from the beginning. */
int eio__flow_read_all(struct eio_flow src, size_t max, size_t room, char **ret, size_t *ret_len);

/* copy_from of descriptors. */
int eio__copy_to_file(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);
int eio__copy_to_socket(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);

/* What a descriptor is, by the S_IFMT bits, and how large. */
int eio__copy_look(struct eio_fd handle, mode_t *ret_kind, uint64_t *ret_size);

/* Is the file's next part, as long as asked for or to its end, in the page cache? No, if
 * the kernel (before 6.5) or the file system cannot tell. @p size is what was last seen of it;
 * a part that goes beyond has it looked at again. */
bool eio__copy_is_cached(int fd, size_t len, uint64_t *size);

/* sendfile and splice know no MSG_NOSIGNAL. */
bool eio__copy_raises_no_sigpipe(void);

/* A socket becomes O_NONBLOCK, so that direct calls do not wait for its peer. For good: a copy
 * may go on by another handle to the same socket. */
void eio__copy_make_nonblocking(int fd);

/* Until it is given to a child: to be asked before each direct call. */
bool eio__copy_is_nonblocking(int fd);

/* To a socket from another, both eio__flow_is_socket. */
int eio__copy_between_sockets(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);

#endif
