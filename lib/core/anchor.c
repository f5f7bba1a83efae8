/* SPDX-License-Identifier: ISC */
#include "core/anchor.h"
#include "core/fiber.h"

#include <stdlib.h>

static struct {
	struct eio__lock lock;
	struct eio__anchor *first;  /* of the free ones */
	struct eio__anchor *newest; /* of all */
} anchors;

static struct eio__anchor *make(void)
{
	struct eio__anchor *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	eio__lock(&anchors.lock);
	a->older = anchors.newest;
	anchors.newest = a;
	eio__unlock(&anchors.lock);
	return a;
}

static struct eio__anchor *take(void)
{
	struct eio__anchor *a;

	eio__lock(&anchors.lock);
	a = anchors.first;
	if (a)
		anchors.first = a->next;
	eio__unlock(&anchors.lock);
	return a ? a : make();
}

struct eio__anchor *eio__anchor_begin(struct eio__domain *d)
{
	uint64_t word = d->entry.id * (EIO__ANCHOR_PINS + 1);
	struct eio__anchor *a;

	if (word / (EIO__ANCHOR_PINS + 1) != d->entry.id)
		return NULL;
	a = take();
	if (!a)
		return NULL;
	a->domain = d;
	__atomic_store_n(&a->word, word, __ATOMIC_RELEASE);
	return a;
}

void eio__anchor_end(struct eio__anchor *a)
{
	unsigned spins = 0;

	__atomic_and_fetch(&a->word, EIO__ANCHOR_PINS, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&a->word, __ATOMIC_ACQUIRE))
		eio__spin(&spins);
	eio__lock(&anchors.lock);
	a->next = anchors.first;
	anchors.first = a;
	eio__unlock(&anchors.lock);
}

void eio__anchors_forget(void)
{
	anchors.first = NULL;
	for (struct eio__anchor *a = anchors.newest; a; a = a->older) {
		a->word = 0;
		a->next = anchors.first;
		anchors.first = a;
	}
	eio__unlock(&anchors.lock);
}
