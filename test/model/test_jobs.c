/* SPDX-License-Identifier: ISC */
/*
 * Work that is sent to a domain whose server may be about to end, and the domain with it.
 */
#include "core/jobs.h"
#include "model/domain.h"

enum { PIECES = 2 };

struct piece {
	struct eio__sent sent;
	unsigned begun, dropped;
};

struct desk {
	struct eio__jobs jobs;
	struct eio_switch sw; /* nothing is forked on it */
	struct piece pieces[PIECES];
};

static struct desk *desk;
static unsigned host;

static void begin(struct eio__sent *s, struct eio_switch *sw)
{
	struct piece *p = eio__container_of(s, struct piece, sent);

	p->begun += sw != NULL;
	p->dropped += sw == NULL;
}

static void serve(void *arg)
{
	struct model_canceller c;
	struct eio_cancel cancel;

	(void) arg;
	eio_cancel_begin(&cancel);
	model_cancel_begin(&c, &cancel, SURELY);
	eio__jobs_serve(&desk->jobs, &desk->sw);
	model_cancel_end(&c);
	eio_cancel_end(&cancel);
}

/* The domain was found, and pinned, before it ended. */
static void send_one(void *number)
{
	struct eio__waker *w = model_waker(host);
	struct eio__domain *d = eio__container_of(w, struct eio__domain, waker);

	eio__jobs_send(d, &desk->jobs, &desk->pieces[(uintptr_t) number].sent);
	eio__waker_unpin(w);
}

static void pin(void *arg)
{
	(void) arg;
	for (unsigned i = 0; i < PIECES; i++)
		eio__waker_pin(model_waker(host));
}

static void a_server_ends(void)
{
	model_machine(false);
	model_large();
	desk = model_alloc("desk", sizeof(*desk));
	for (unsigned i = 0; i < PIECES; i++)
		desk->pieces[i].sent.begin = begin;
	host = model_domain("host", serve, NULL);
	model_in_domain(host, pin, NULL);
	model_thread("first", send_one, (void *) 0);
	model_thread("second", send_one, (void *) 1);
}

static void all_answered_once(void)
{
	for (unsigned i = 0; i < PIECES; i++)
		model_expect(desk->pieces[i].begun + desk->pieces[i].dropped == 1,
			     "%u: begun %u times, dropped %u times", i, desk->pieces[i].begun,
			     desk->pieces[i].dropped);
}

MODEL_HOLDS(what_is_sent_is_begun_or_dropped_once_whenever_the_server_ends, a_server_ends,
	    all_answered_once, 1e4)

MODEL_SUITE("jobs", what_is_sent_is_begun_or_dropped_once_whenever_the_server_ends_test)
