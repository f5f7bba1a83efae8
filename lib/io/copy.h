/* SPDX-License-Identifier: ISC */
/*
 * Copying between flows: what the generic loop and the short cuts tell each other.
 */
#ifndef EIO__IO_COPY_H
#define EIO__IO_COPY_H

#include "io/flow.h"

/* As much as one piece of at most @p most bytes may take. */
static inline size_t eio__copy_piece(const struct eio_copy *c, size_t most)
{
	return c->left < most ? (size_t) c->left : most;
}

/* Copies through memory, in pieces that grow up to @p piece bytes. */
int eio__copy_through_memory(struct eio_flow dst, struct eio_flow src, struct eio_copy *c,
			     size_t piece);

/* copy_from of descriptors. */
int eio__copy_to_file(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);
int eio__copy_to_socket(struct eio_flow dst, struct eio_flow src, struct eio_copy *c);

#endif
