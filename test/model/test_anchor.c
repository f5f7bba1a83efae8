/* SPDX-License-Identifier: ISC */
/*
 * References to domains: who pins one finds it alive or not at all, and never another one that
 * has the anchor of the first.
 */
#include "core/anchor.h"
#include "model/domain.h"

#include <stdlib.h>
#include <string.h>

#define calloc(n, size) model_alloc("anchor", (n) * (size))
#include "core/anchor.c" /* for what is static there */
#undef calloc

struct ref {
	struct eio__anchor *anchor;
	uint64_t id;
};

static struct eio__domain *old, *young;
static struct ref *refs; /* to the old one, to the young one once it has begun */

static struct eio__domain *make_domain(uint64_t id)
{
	struct eio__domain *d = model_alloc("domain", sizeof(*d));

	d->entry.id = id;
	return d;
}

/* As a push does: it touches the waker. */
static void send_to_old(void *arg)
{
	struct eio__domain *d = eio__anchor_pin(refs[0].anchor, refs[0].id);

	(void) arg;
	if (!d)
		return;
	model_expect(d == old, "the reference leads to another domain");
	__atomic_add_fetch(&d->waker.pins, 1, __ATOMIC_SEQ_CST);
	eio__anchor_unpin(refs[0].anchor);
}

static void end_old(void *arg)
{
	(void) arg;
	eio__anchor_end(refs[0].anchor);
	model_free(old);
}

static void begin_young(void *arg)
{
	(void) arg;
	refs[1] = (struct ref){eio__anchor_begin(young), young->entry.id};
}

/* Whether it has the anchor of the old one or not. */
static void send_to_young(void *arg)
{
	struct eio__domain *d = eio__anchor_pin(refs[1].anchor, refs[1].id);

	(void) arg;
	model_expect(d == young, "the reference does not lead to its domain");
	__atomic_add_fetch(&d->waker.pins, 1, __ATOMIC_SEQ_CST);
	eio__anchor_unpin(refs[1].anchor);
}

static void end_old_and_begin_young(void *arg)
{
	end_old(arg);
	begin_young(arg);
	send_to_young(arg);
}

static void begin_and_send_to_young(void *arg)
{
	begin_young(arg);
	send_to_young(arg);
}

static void make_domains(void)
{
	memset(&anchors, 0, sizeof(anchors));
	model_region("anchors", &anchors, sizeof(anchors));
	old = make_domain(1);
	young = make_domain(2);
	refs = model_alloc("references", 2 * sizeof(*refs));
	refs[0] = (struct ref){eio__anchor_begin(old), old->entry.id};
}

static void one_ends(void)
{
	make_domains();
	model_thread("domain", end_old, NULL);
	model_thread("sender", send_to_old, NULL);
	model_thread("another", send_to_old, NULL);
}

/* Nobody holds it any more, and it is on the list once. */
static void is_free(void)
{
	model_expect(!refs[0].anchor->word, "an anchor on the list is pinned");
	model_expect(anchors.first == refs[0].anchor && !anchors.first->next,
		     "it is not free once");
}

MODEL_HOLDS(a_domain_that_is_held_does_not_end, one_ends, is_free, 1e4)

static void another_begins_then(void)
{
	make_domains();
	model_thread("domain", end_old_and_begin_young, NULL);
	model_thread("sender", send_to_old, NULL);
	model_thread("another", send_to_old, NULL);
}

/* Its number and nobody that holds it. */
static void is_the_young_ones(void)
{
	model_expect(refs[1].anchor->domain == young, "it leads elsewhere");
	model_expect(refs[1].anchor->word == 2 * (EIO__ANCHOR_PINS + 1), "the young one is pinned");
}

MODEL_HOLDS(an_old_reference_finds_no_young_domain, another_begins_then, is_the_young_ones, 1e4)

static void another_begins_meanwhile(void)
{
	make_domains();
	model_thread("domain", end_old, NULL);
	model_thread("young", begin_and_send_to_young, NULL);
	model_thread("sender", send_to_old, NULL);
}

MODEL_HOLDS(a_domain_may_begin_while_another_ends, another_begins_meanwhile, is_the_young_ones, 1e4)

MODEL_SUITE("anchor", a_domain_that_is_held_does_not_end_test,
	    an_old_reference_finds_no_young_domain_test, a_domain_may_begin_while_another_ends_test)
