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
struct eio_flow eio__flow_socket(struct eio_fd fd);

/* Was it made by eio__flow_file? */
bool eio__flow_is_file(struct eio_flow f);

/* The reading end of a named pipe that was opened without waiting for a writer. */
struct eio_flow eio__flow_fifo(struct eio_fd fd);

/* The storage of a string source, NULL if @p f is something else. */
struct eio_string_source *eio__flow_string(struct eio_flow f);

/* Copies up to @p max bytes through memory, in pieces that grow up to @p piece bytes;
 * *moved is added to, also on failure. */
int eio__flow_copy_loop(struct eio_flow dst, struct eio_flow src, uint64_t max, size_t piece,
			uint64_t *moved);

#endif
