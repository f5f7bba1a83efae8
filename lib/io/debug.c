/* SPDX-License-Identifier: ISC */
/*
 * Asking every domain of the process what it does.
 *
 * A domain's tree can only be read in its own thread, so each other domain gets a node
 * into its inbox, adds its text to the request at its next poll, or when it ends, and the
 * last one resolves the promise the asker waits for. The request is on the heap and
 * belongs to all of them: the asker may be cancelled, and go, before they answer.
 */
#include "core/domains.h"
#include "core/dump.h"
#include "core/error.h"
#include "core/fiber.h"

#include <eio/debug.h>
#include <stdlib.h>

struct request;

/* One domain's. */
struct answer {
	struct eio__inbox_node node;
	struct request *request;
	struct answer *next;
	struct eio__text text;
};

struct request {
	unsigned refs;    /* the asker, and domains that have not answered */
	unsigned missing; /* answers, and one while there may be more to ask */
	struct eio_promise complete;
	struct answer *first, **end; /* in the order of the domains */
	struct answer *own;          /* of the asker's domain */
	bool lost;                   /* there was no memory to ask some */
};

static void unref(struct request *r)
{
	struct answer *a, *next;

	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (a = r->first; a; a = next) {
		next = a->next;
		eio__text_free(&a->text);
		free(a);
	}
	free(r);
}

/* The release hands the answer's text on to the asker. */
static void one_less(struct request *r)
{
	if (__atomic_sub_fetch(&r->missing, 1, __ATOMIC_ACQ_REL) == 0)
		eio_promise_resolve(&r->complete, 0, NULL);
}

/* In the domain that was asked. */
static void give_answer(struct eio__inbox_node *n)
{
	struct answer *a = eio__container_of(n, struct answer, node);
	struct request *r = a->request;

	eio__dump_domain(&a->text, eio__domain_self());
	one_less(r);
	unref(r);
}

static void ask(struct eio__domain *d, void *arg)
{
	struct request *r = arg;
	struct answer *a = calloc(1, sizeof(*a));

	if (!a) {
		r->lost = true;
		return;
	}
	a->node.fn = give_answer;
	a->request = r;
	*r->end = a;
	r->end = &a->next;
	if (d == eio__domain_self()) {
		r->own = a;
		return;
	}
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&r->missing, 1, __ATOMIC_RELAXED);
	eio__waker_push(&d->waker, &a->node);
}

static struct request *ask_all(void)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = r->missing = 1;
	r->end = &r->first;
	eio__domains_each(ask, r);
	if (r->own)
		eio__dump_domain(&r->own->text, eio__domain_self());
	one_less(r);
	return r;
}

static int join(const struct request *r, struct eio__text *ret)
{
	ret->lost = r->lost;
	for (const struct answer *a = r->first; a; a = a->next) {
		eio__text_add(ret, "%.*s", (int) a->text.len, a->text.len ? a->text.data : "");
		ret->lost |= a->text.lost;
	}
	return ret->lost ? -ENOMEM : 0;
}

static int gather(struct eio__text *ret)
{
	struct request *r;
	int rc = eio_check();

	if (rc < 0)
		return rc;
	r = ask_all();
	if (!r)
		return -ENOMEM;
	rc = eio_promise_await(&r->complete, NULL);
	if (rc == 0)
		rc = join(r, ret);
	unref(r);
	return rc;
}

/* In one piece, so that a failure tells how much of it was written. */
int eio_dump(struct eio_flow to)
{
	struct eio__text all = {.data = NULL};
	int rc = gather(&all);

	if (rc == 0)
		rc = eio_flow_write(to, all.data, all.len);
	else
		eio__fail_done(rc, "dump", 0);
	eio__text_free(&all);
	return rc;
}
