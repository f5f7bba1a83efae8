/* SPDX-License-Identifier: ISC */
/*
 * What the flows of the library tell each other.
 */
#ifndef EIO__IO_FLOW_H
#define EIO__IO_FLOW_H

#include <eio/flow.h>

/* What one call moves at most, here as in the kernel; a count stays below INT_MAX. */
enum { EIO__COUNT_MAX = 0x7ffff000 };

/* Flows over a descriptor whose kind is known. */
struct eio_flow eio__flow_file(struct eio_fd fd);
struct eio_flow eio__flow_regular(struct eio_fd fd);
struct eio_flow eio__flow_socket(struct eio_fd fd);
struct eio_flow eio__flow_tty(struct eio_fd fd);

/* The side of a pseudo-terminal that a program drives; it must be O_NONBLOCK. */
struct eio_flow eio__flow_pty(struct eio_fd fd);

/* Reads at an offset from the descriptor of @p f, which has a position; len > 0. */
ssize_t eio__flow_pread(struct eio_flow f, struct eio_fd fd, void *buf, size_t len, int64_t off);

/* Is it over the socket of a stream? */
bool eio__flow_is_stream_socket(struct eio_flow f);

/* As eio_flow_read_borrow of a source that has no buffers of its own. */
ssize_t eio__flow_borrow_copied(struct eio_flow f, size_t max, struct eio_view *ret);

/* Was it made by the first or the second of them? */
bool eio__flow_is_file(struct eio_flow f);

/* Is it a source that is somebody's memory, which takes back what it lent? */
bool eio__flow_is_memory(struct eio_flow f);

/* Was it made by eio__flow_socket? Sockets from outside were not. */
bool eio__flow_is_socket(struct eio_flow f);

/* Does it receive ahead (<eio/receiver.h>)? */
bool eio__flow_is_receiver(struct eio_flow f);

/* A message of this size or more is sent and received directly where that may be: its copying
 * outweighs what the ring saves. */
enum { EIO__DIRECT_SIZE = 4096 };

/* Sets or clears a flag of the open file (O_NONBLOCK, O_DIRECT), which is the file's of all who
 * share it: 0 or a code. */
int eio__set_file_flag(int unix_fd, int flag, bool on);

/* What is there and fits: bytes, 0 at the end, or a code; -EAGAIN: nothing. */
ssize_t eio__socket_recv_now(struct eio_fd fd, void *buf, size_t len);

/* What a socket takes at once: bytes, or a code; -EAGAIN: nothing. */
ssize_t eio__socket_send_now(struct eio_fd fd, const void *buf, size_t len);

/* The reading end of a named pipe that was opened without waiting for a writer. */
struct eio_flow eio__flow_fifo(struct eio_fd fd);

/* The caller's cancellation, then the value: 0 to go on. */
int eio__flow_enter(struct eio_flow f, const char *op);

#endif
