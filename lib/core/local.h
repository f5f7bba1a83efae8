/* SPDX-License-Identifier: ISC */
/*
 * Fiber-locals from the inside (see <eio/local.h>).
 *
 * A fiber's bindings are a chain from the innermost outwards. Those it was born with are
 * copies at the top of its stack, one for each key; what it bound itself lies in its
 * frames, and knows the context it was begun in, so that scopes of both kinds nest.
 */
#ifndef EIO__LOCAL_H
#define EIO__LOCAL_H

#include <eio/local.h>

struct eio__ctx;

struct eio__binding {
	const struct eio_key *key;
	void *value;
	struct eio__binding *outer;
	const struct eio__ctx *ctx; /* NULL: inherited */
};

_Static_assert(sizeof(struct eio__binding) <= sizeof(struct eio_binding),
	       "eio_binding is too small");

/* A binding in a message. */
#define EIO__BINDING_FORMAT  "binding%s%s"
#define EIO__BINDING_ARGS(b) (b)->key->name ? " of " : "", (b)->key->name ? (b)->key->name : ""

/* The bytes a copy of the chain takes. */
size_t eio__bindings_size(const struct eio__binding *innermost);

/* Copies the chain into memory of that size. */
struct eio__binding *eio__bindings_copy(const struct eio__binding *innermost, void *to);

#endif
