/* SPDX-License-Identifier: ISC */
#include "core/local.h"
#include "core/fiber.h"
#include "core/log.h"

static struct eio__binding *binding_of(struct eio_binding *b)
{
	return (struct eio__binding *) b;
}

static const struct eio__binding *find(const struct eio__binding *b, const struct eio_key *key)
{
	while (b && b->key != key)
		b = b->outer;
	return b;
}

void *eio_get(const struct eio_key *key)
{
	const struct eio__fiber *f = eio__self();
	const struct eio__binding *b = f ? find(f->locals, key) : NULL;

	return b ? b->value : NULL;
}

void eio_binding_begin(struct eio_binding *pub, const struct eio_key *key, void *value)
{
	struct eio__binding *b = binding_of(pub);
	struct eio__fiber *f = eio__self();

	if (unlikely(!f))
		eio__fatal("binding begun on a thread that runs no fibers");
	b->key = key;
	b->value = value;
	b->outer = f->locals;
	b->ctx = f->ctx;
	f->locals = b;
	f->binds = true;
}

void eio_binding_end(struct eio_binding *pub)
{
	struct eio__binding *b = binding_of(pub);
	struct eio__fiber *f = eio__self();

	if (!f || b->ctx->domain != f->domain) {
		eio__log(EIO_LOG_WARNING,
			 EIO__BINDING_FORMAT " of another domain cannot be ended here",
			 EIO__BINDING_ARGS(b));
		return;
	}
	if (unlikely(f->locals != b))
		eio__fatal(EIO__BINDING_FORMAT " ended while the innermost one is %s%s",
			   EIO__BINDING_ARGS(b), f->locals ? "that of " : "none",
			   !f->locals             ? ""
			   : f->locals->key->name ? f->locals->key->name
						  : "another key");
	if (unlikely(f->ctx != b->ctx))
		eio__fatal(EIO__BINDING_FORMAT
			   " ended while the innermost open scope is a " EIO__CTX_FORMAT,
			   EIO__BINDING_ARGS(b), EIO__CTX_ARGS(f->ctx));
	f->locals = b->outer;
	f->binds = b->outer && b->outer->ctx;
}

int eio_binding_run(const struct eio_key *key, void *value, eio_fn *fn, void *arg)
{
	struct eio_binding b;
	int rc;

	if (!eio__self())
		return -EPERM;
	eio_binding_begin(&b, key, value);
	rc = fn(arg);
	eio_binding_end(&b);
	return rc;
}

size_t eio__bindings_size(const struct eio__binding *innermost)
{
	size_t n = 0;

	for (const struct eio__binding *b = innermost; b; b = b->outer)
		n += find(innermost, b->key) == b;
	return n * sizeof(*innermost);
}

struct eio__binding *eio__bindings_copy(const struct eio__binding *innermost, void *to)
{
	struct eio__binding *copies = to, *last = NULL;

	for (const struct eio__binding *b = innermost; b; b = b->outer) {
		if (find(innermost, b->key) != b)
			continue; /* shadowed */
		if (last)
			last->outer = last + 1;
		last = last ? last + 1 : copies;
		*last = (struct eio__binding){.key = b->key, .value = b->value};
	}
	return copies;
}
