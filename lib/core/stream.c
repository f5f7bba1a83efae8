/* SPDX-License-Identifier: ISC */
/*
 * A stream is a ring of items, the takers that wait for one and the adders that wait for
 * room. Takers wait only while the ring is empty and no adder waits, adders only while it
 * is full and no taker waits. With capacity 0 it is both empty and full.
 *
 * A waiter's item is where its elem points, in memory of a fiber that is suspended until
 * it is woken: the other side copies to or from there.
 */
#include "core/waiters.h"

#include <eio/error.h>
#include <eio/stream.h>
#include <stdlib.h>
#include <string.h>

/* In the lock's word. */
enum {
	CLOSED = 2,
	CLOSING = 4, /* closed, but the closer still needs the stream */
};

struct stream {
	struct eio__lock lock;
	struct eio__waiters takers, adders;
	char *ring; /* NULL: capacity 0 */
	uint32_t elem_size;
	uint32_t capacity;
	uint32_t head;   /* index of the oldest item */
	uint32_t length; /* items in the ring */
};

_Static_assert(sizeof(struct stream) <= sizeof(struct eio_stream), "eio_stream is too small");

struct waiter {
	struct eio__waiter w;
	void *elem;
	int rc;
};

static struct stream *stream_of(struct eio_stream *s)
{
	return (struct stream *) s;
}

static const struct eio__wait adding = {
	.what = "adding to stream",
	.cancel = eio__waiter_leave,
	.describe = eio__waiter_describe,
};

static const struct eio__wait taking = {
	.what = "taking from stream",
	.cancel = eio__waiter_leave,
	.describe = eio__waiter_describe,
};

/* The place of the item @p i behind the oldest. */
static inline void *place(const struct stream *s, size_t i)
{
	size_t at = (size_t) s->head + i;

	if (at >= s->capacity)
		at -= s->capacity;
	return s->ring + at * s->elem_size;
}

int eio_stream_init(struct eio_stream *pub, size_t elem_size, size_t capacity)
{
	struct stream s = {.elem_size = (uint32_t) elem_size, .capacity = (uint32_t) capacity};

	if (elem_size == 0 || elem_size > UINT32_MAX || capacity > UINT32_MAX)
		return -EINVAL;
	if (capacity) {
		s.ring = reallocarray(NULL, capacity, elem_size);
		if (!s.ring)
			return -ENOMEM;
	}
	*stream_of(pub) = s;
	return 0;
}

/* Joins a list of those who wait and unlocks; -EAGAIN instead for no fiber. */
static __attribute__((noinline)) int await(struct stream *s, struct eio__waiters *ws, void *elem,
					   struct eio__fiber *f, const struct eio__wait *wait)
{
	struct waiter w;

	if (!f) {
		eio__unlock(&s->lock);
		return -EAGAIN;
	}
	w.elem = elem;
	eio__waiters_add(ws, &w.w, &s->lock, f);
	eio__unlock(&s->lock);
	eio__suspend(f, wait, &w.w);
	return unlikely(w.w.state == EIO__LEAVING) ? eio__canceled(f) : w.rc;
}

/*
 * Adding and taking, once the lock is held and the stream is found open. From the unlock on
 * the stream may be gone. Items of a word's size, which most are, are moved without a call:
 * then these paths need no frame.
 */

static __attribute__((noinline)) void move_any(struct stream *s, void *to, const void *from)
{
	memcpy(to, from, s->elem_size);
	eio__unlock(&s->lock);
}

/* Copies into or out of the ring, and unlocks. */
static inline int move(struct stream *s, void *to, const void *from)
{
	if (unlikely(s->elem_size != sizeof(void *))) {
		move_any(s, to, from);
		return 0;
	}
	memcpy(to, from, sizeof(void *));
	eio__unlock(&s->lock);
	return 0;
}

static inline int serve(struct waiter *w)
{
	w->rc = 0;
	eio__waiter_wake(&w->w);
	return 0;
}

static __attribute__((noinline)) int exchange_any(struct waiter *w, void *to, const void *from,
						  size_t size)
{
	memcpy(to, from, size);
	return serve(w);
}

/* Unlocks, copies between the caller's and a claimed waiter's item, and wakes it. */
static inline int exchange(struct stream *s, struct waiter *w, void *to, const void *from)
{
	size_t size = s->elem_size;

	eio__unlock(&s->lock);
	if (unlikely(size != sizeof(void *)))
		return exchange_any(w, to, from, size);
	memcpy(to, from, sizeof(void *));
	return serve(w);
}

static inline struct waiter *waiter_of(struct eio__waiter *w)
{
	return eio__container_of(w, struct waiter, w);
}

/* With the lock held, which may be let go of meanwhile: waits until a closer is done with
 * the stream. */
static uintptr_t await_closed(struct stream *s, uintptr_t bits)
{
	for (unsigned spins = 0; unlikely(bits & CLOSING);) {
		eio__unlock_to(&s->lock, bits);
		eio__spin(&spins);
		bits = eio__lock(&s->lock);
	}
	return bits;
}

/* Adding */

static inline int add_to_ring(struct stream *s, const void *elem, struct eio__fiber *f)
{
	if (s->length == s->capacity)
		return await(s, &s->adders, (void *) elem, f, &adding);
	return move(s, place(s, s->length++), elem);
}

static inline int add_to_taker(struct stream *s, struct eio__waiter *w, const void *elem)
{
	return exchange(s, waiter_of(w), waiter_of(w)->elem, elem);
}

static __attribute__((noinline)) int add_behind(struct stream *s, const void *elem,
						struct eio__fiber *f)
{
	struct eio__waiter *w = eio__waiters_claim_behind(&s->takers);

	return w ? add_to_taker(s, w, elem) : add_to_ring(s, elem, f);
}

/* A taker waits; but the first one may be leaving. */
static __attribute__((noinline)) int add_to_first(struct stream *s, const void *elem,
						  struct eio__fiber *f)
{
	struct eio__waiter *w = eio__waiters_claim_first(&s->takers);

	return likely(w) ? add_to_taker(s, w, elem) : add_behind(s, elem, f);
}

static __attribute__((noinline)) int refuse(struct stream *s, uintptr_t bits)
{
	bits = await_closed(s, bits);
	eio__unlock_to(&s->lock, bits);
	return -EPIPE;
}

static inline int add_locked(struct stream *s, uintptr_t bits, const void *elem,
			     struct eio__fiber *f)
{
	if (unlikely(bits & CLOSED))
		return refuse(s, bits);
	return s->takers.first ? add_to_first(s, elem, f) : add_to_ring(s, elem, f);
}

/* Somebody else holds the lock. */
static __attribute__((noinline)) int add_later(struct stream *s, const void *elem,
					       struct eio__fiber *f)
{
	return add_locked(s, eio__lock(&s->lock), elem, f);
}

static inline int add(struct stream *s, const void *elem, struct eio__fiber *f)
{
	uintptr_t bits;

	if (unlikely(!eio__lock_try(&s->lock, &bits)))
		return add_later(s, elem, f);
	return add_locked(s, bits, elem, f);
}

/* Taking */

/* Takes the oldest item off the ring; it stays where it is for now. */
static inline const void *pop(struct stream *s)
{
	const void *oldest = place(s, 0);

	if (++s->head == s->capacity)
		s->head = 0;
	s->length--;
	return oldest;
}

static inline int take_from_ring(struct stream *s, void *ret_elem, struct eio__fiber *f)
{
	if (s->length == 0)
		return await(s, &s->takers, ret_elem, f, &taking);
	return move(s, ret_elem, pop(s));
}

static inline void copy(const struct stream *s, void *to, const void *from)
{
	if (likely(s->elem_size == sizeof(void *)))
		memcpy(to, from, sizeof(void *));
	else
		memcpy(to, from, s->elem_size);
}

/* The adder's item goes to the taker, or into the place that the oldest one leaves. */
static inline int take_from_adder(struct stream *s, struct eio__waiter *w, void *ret_elem)
{
	struct waiter *adder = waiter_of(w);

	if (s->length == 0)
		return exchange(s, adder, ret_elem, adder->elem);
	copy(s, ret_elem, pop(s));
	/* Once unlocked, others take from the ring. */
	copy(s, place(s, s->length++), adder->elem);
	eio__unlock(&s->lock);
	return serve(adder);
}

static __attribute__((noinline)) int take_behind(struct stream *s, void *ret_elem,
						 struct eio__fiber *f)
{
	struct eio__waiter *w = eio__waiters_claim_behind(&s->adders);

	return w ? take_from_adder(s, w, ret_elem) : take_from_ring(s, ret_elem, f);
}

static __attribute__((noinline)) int take_from_first(struct stream *s, void *ret_elem,
						     struct eio__fiber *f)
{
	struct eio__waiter *w = eio__waiters_claim_first(&s->adders);

	return likely(w) ? take_from_adder(s, w, ret_elem) : take_behind(s, ret_elem, f);
}

/* What is left in a closed stream: nobody waits any more. */
static __attribute__((noinline)) int take_rest(struct stream *s, uintptr_t bits, void *ret_elem)
{
	bool empty;

	bits = await_closed(s, bits);
	empty = s->length == 0;
	if (!empty)
		memcpy(ret_elem, pop(s), s->elem_size);
	eio__unlock_to(&s->lock, bits);
	return empty ? EIO_EOF : 0;
}

static inline int take_locked(struct stream *s, uintptr_t bits, void *ret_elem,
			      struct eio__fiber *f)
{
	if (unlikely(bits & CLOSED))
		return take_rest(s, bits, ret_elem);
	return s->adders.first ? take_from_first(s, ret_elem, f) : take_from_ring(s, ret_elem, f);
}

static __attribute__((noinline)) int take_later(struct stream *s, void *ret_elem,
						struct eio__fiber *f)
{
	return take_locked(s, eio__lock(&s->lock), ret_elem, f);
}

static inline int take(struct stream *s, void *ret_elem, struct eio__fiber *f)
{
	uintptr_t bits;

	if (unlikely(!eio__lock_try(&s->lock, &bits)))
		return take_later(s, ret_elem, f);
	return take_locked(s, bits, ret_elem, f);
}

int eio_stream_add(struct eio_stream *s, const void *elem)
{
	struct eio__fiber *f = eio__self();

	if (unlikely(!f))
		return -EPERM;
	if (unlikely(f->ctx->err))
		return eio__canceled(f);
	return add(stream_of(s), elem, f);
}

int eio_stream_take(struct eio_stream *s, void *ret_elem)
{
	struct eio__fiber *f = eio__self();

	if (unlikely(!f))
		return -EPERM;
	if (unlikely(f->ctx->err))
		return eio__canceled(f);
	return take(stream_of(s), ret_elem, f);
}

int eio_stream_try_add(struct eio_stream *s, const void *elem)
{
	return add(stream_of(s), elem, NULL);
}

int eio_stream_try_take(struct eio_stream *s, void *ret_elem)
{
	return take(stream_of(s), ret_elem, NULL);
}

size_t eio_stream_length(struct eio_stream *pub)
{
	struct stream *s = stream_of(pub);
	uintptr_t bits = eio__lock(&s->lock);
	size_t length = s->length;

	eio__unlock_to(&s->lock, bits);
	return length;
}

static void dismiss(struct eio__waiter *list, int rc)
{
	for (struct eio__waiter *w = list; w; w = w->next)
		eio__container_of(w, struct waiter, w)->rc = rc;
	eio__waiters_wake(list);
}

void eio_stream_close(struct eio_stream *pub)
{
	struct stream *s = stream_of(pub);
	uintptr_t bits = await_closed(s, eio__lock(&s->lock)) | CLOSED | CLOSING;
	struct eio__waiter *adders, *takers;

	/* Nobody joins a list of a closed stream, whenever the lock is let go of; and nobody
	 * is told that it is closed, and might free it, before the last time. */
	adders = eio__waiters_claim_all(&s->adders, &s->lock, &bits);
	takers = eio__waiters_claim_all(&s->takers, &s->lock, &bits);
	eio__unlock_to(&s->lock, CLOSED);
	dismiss(adders, -EPIPE);
	dismiss(takers, EIO_EOF);
}

int eio_stream_fini(struct eio_stream *pub, void (*dispose)(void *elem, void *arg), void *arg)
{
	struct stream *s = stream_of(pub);
	uintptr_t bits = eio__lock(&s->lock);
	bool busy = s->takers.first || s->adders.first;

	eio__unlock_to(&s->lock, bits);
	if (busy)
		return -EBUSY;
	for (size_t i = 0; dispose && i < s->length; i++)
		dispose(place(s, i), arg);
	free(s->ring);
	s->ring = NULL;
	s->length = s->capacity = 0;
	return 0;
}
