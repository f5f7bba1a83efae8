/* SPDX-License-Identifier: ISC */
/*
 * Subscriptions to signals.
 *
 * Each is in the list of its domain, which only that domain's thread changes and which
 * signal handlers walk (core/domains.h): they put the details of a signal into the queue of
 * each subscription to it and set its event.
 *
 * A queue is a ring of cells. A handler reserves room before it takes a place, so there is a
 * free cell for every place that is taken, and nobody waits for anybody:
 *   a standard signal has one cell of its own, in use while its bit in `unread` is set;
 *   real-time ones share `room` cells.
 * Cells are filled in whatever order handlers end and read in the order they were taken. A
 * reader who finds the next one empty waits for the event, which is set after a cell was
 * filled. It gives the room back when the cell is free again.
 *
 * As handlers run on the reader's own thread, too: real atomics throughout.
 */
#include "core/domains.h"
#include "core/error.h"
#include "core/fiber.h"
#include "core/handler.h"
#include "core/log.h"

#include <eio/event.h>
#include <eio/signal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LAST_STANDARD = 31,
	LAST = 64,
	ROOM = 256, /* for real-time signals, as documented */
};

struct cell {
	bool full;
	siginfo_t info;
};

struct eio__signals {
	struct eio__signals *next; /* of the domain's */
	struct eio__domain *domain;
	struct eio_event event;
	uint64_t set; /* what is subscribed to */
	uint64_t unread;
	unsigned room;
	bool dropped; /* a real-time signal that found no room */
	size_t put, taken;
	size_t n;
	struct cell cells[];
};

static struct eio__handler handlers[LAST + 1]; /* by signal */

static uint64_t bit_of(int sig)
{
	return (uint64_t) 1 << (sig - 1);
}

/* In the handler */

static bool reserve_one(unsigned *room)
{
	unsigned n = __atomic_load_n(room, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(room, &n, n - 1, true, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
		;
	return n > 0;
}

/* A standard signal that is unread needs no further cell: who takes it from now on sees what
 * was done before this one was sent, too. */
static bool reserve(struct eio__signals *s, int sig)
{
	if (sig <= LAST_STANDARD)
		return !(__atomic_fetch_or(&s->unread, bit_of(sig), __ATOMIC_ACQ_REL) &
			 bit_of(sig));
	if (reserve_one(&s->room))
		return true;
	__atomic_store_n(&s->dropped, true, __ATOMIC_RELEASE);
	return false;
}

static void deliver(struct eio__signals *s, const siginfo_t *info)
{
	struct cell *c;

	if (reserve(s, info->si_signo)) {
		/* Whoever took a place before knows of cells that the reader has freed since
		 * this one was reserved. */
		c = &s->cells[__atomic_fetch_add(&s->put, 1, __ATOMIC_ACQ_REL) % s->n];
		c->info = *info;
		__atomic_store_n(&c->full, true, __ATOMIC_RELEASE);
	}
	eio_event_set(&s->event);
}

static void deliver_to(struct eio__domain *d, void *arg)
{
	const siginfo_t *info = arg;
	struct eio__signals *s = __atomic_load_n(&d->signals, __ATOMIC_SEQ_CST);

	for (; s; s = __atomic_load_n(&s->next, __ATOMIC_SEQ_CST)) {
		if (s->set & bit_of(info->si_signo))
			deliver(s, info);
	}
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void) sig, (void) context;
	eio__domains_each_in_handler(deliver_to, info);
}

/* With all others blocked: they do not pile up on the stack. */
static void make_handlers(void)
{
	for (int sig = 1; sig <= LAST; sig++) {
		struct eio__handler *h = &handlers[sig];

		h->sig = sig;
		h->takes = true;
		h->act.sa_sigaction = on_signal;
		h->act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
		sigfillset(&h->act.sa_mask);
	}
}

/* Beginning and ending */

/* Can it be caught, and does it come from outside? */
static bool is_allowed(int sig)
{
	static const uint64_t refused =
		(uint64_t) 1 << (SIGKILL - 1) | (uint64_t) 1 << (SIGSTOP - 1) |
		(uint64_t) 1 << (SIGSEGV - 1) | (uint64_t) 1 << (SIGBUS - 1) |
		(uint64_t) 1 << (SIGFPE - 1) | (uint64_t) 1 << (SIGILL - 1);
	struct sigaction now;

	return sig > 0 && sig <= LAST && !(refused & bit_of(sig)) &&
	       sigaction(sig, NULL, &now) == 0; /* libc keeps some to itself */
}

static int refuse(int sig)
{
	char name[32];

	snprintf(name, sizeof(name), "signal %d", sig);
	return eio__fail(-EINVAL, "eio_signals_begin", name);
}

static int set_of(const int *signals, uint64_t *ret)
{
	uint64_t set = 0;

	for (; *signals; signals++) {
		if (!is_allowed(*signals))
			return refuse(*signals);
		set |= bit_of(*signals);
	}
	*ret = set;
	return set ? 0 : eio__fail(-EINVAL, "eio_signals_begin", "an empty list");
}

static struct eio__signals *make(uint64_t set)
{
	uint64_t standard = set & (bit_of(LAST_STANDARD + 1) - 1);
	unsigned room = set == standard ? 0 : ROOM;
	size_t n = (size_t) __builtin_popcountll(standard) + room;
	struct eio__signals *s = calloc(1, sizeof(*s) + n * sizeof(s->cells[0]));

	if (!s)
		return NULL;
	s->set = set;
	s->room = room;
	s->n = n;
	return s;
}

/* Calls @p fn for each signal of the subscription. */
static void each_handler(const struct eio__signals *s, void (*fn)(struct eio__handler *h))
{
	for (int sig = 1; sig <= LAST; sig++) {
		if (s->set & bit_of(sig))
			fn(&handlers[sig]);
	}
}

int eio_signals_begin(struct eio_signals *pub, const int *signals)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct eio__domain *d = eio__domain_self();
	struct eio__signals *s;
	uint64_t set;
	int rc;

	if (!d)
		return -EPERM;
	rc = set_of(signals, &set);
	if (rc < 0)
		return rc;
	s = make(set);
	if (!s)
		return eio__fail(-ENOMEM, "eio_signals_begin", NULL);
	pthread_once(&once, make_handlers);
	eio_event_init(&s->event);
	s->domain = d;
	s->next = d->signals;
	__atomic_store_n(&d->signals, s, __ATOMIC_SEQ_CST);
	each_handler(s, eio__handler_begin);
	pub->eio_private = s;
	return 0;
}

/* A handler that has got to it already goes on along its link. */
static void unlink_it(struct eio__signals *s)
{
	struct eio__signals **link = &s->domain->signals;

	while (*link != s)
		link = &(*link)->next;
	__atomic_store_n(link, s->next, __ATOMIC_SEQ_CST);
	eio__domains_await_handlers();
}

void eio_signals_end(struct eio_signals *pub)
{
	struct eio__signals *s = pub->eio_private;

	if (!s)
		return;
	if (s->domain != eio__domain_self()) {
		eio__log(EIO_LOG_WARNING,
			 "a subscription to signals of another domain cannot be ended here");
		return;
	}
	each_handler(s, eio__handler_end);
	unlink_it(s);
	eio_event_fini(&s->event);
	free(s);
	pub->eio_private = NULL;
}

/* Reading */

static void give_back(struct eio__signals *s, int sig)
{
	if (sig <= LAST_STANDARD)
		__atomic_fetch_and(&s->unread, ~bit_of(sig), __ATOMIC_ACQ_REL);
	else
		__atomic_fetch_add(&s->room, 1, __ATOMIC_RELEASE);
}

static bool is_full(const struct cell *c)
{
	return __atomic_load_n(&c->full, __ATOMIC_ACQUIRE);
}

/* 1, -EOVERFLOW, or 0: there is nothing. Who else waits had no set of its own for what is left. */
static int take(struct eio__signals *s, siginfo_t *ret)
{
	struct cell *c = &s->cells[s->taken % s->n];
	int sig;

	if (!is_full(c))
		return __atomic_exchange_n(&s->dropped, false, __ATOMIC_ACQUIRE) ? -EOVERFLOW : 0;
	sig = c->info.si_signo;
	if (ret)
		*ret = c->info;
	c->full = false;
	s->taken++;
	give_back(s, sig);
	if (is_full(&s->cells[s->taken % s->n]) || __atomic_load_n(&s->dropped, __ATOMIC_RELAXED))
		eio_event_set(&s->event);
	return 1;
}

int eio_signals_next(struct eio_signals *pub, siginfo_t *ret_info)
{
	struct eio__signals *s = pub->eio_private;
	struct eio__fiber *f = eio__self();
	int rc;

	if (!f || (s && s->domain != f->domain))
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	if (!s)
		return -EINVAL;
	while ((rc = take(s, ret_info)) == 0) {
		rc = eio_event_await(&s->event);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int eio_signal_await(const int *signals)
{
	struct eio_signals s;
	siginfo_t info;
	int rc = eio_check();

	if (rc < 0)
		return rc;
	rc = eio_signals_begin(&s, signals);
	if (rc < 0)
		return rc;
	rc = eio_signals_next(&s, &info);
	eio_signals_end(&s);
	return rc < 0 ? rc : info.si_signo;
}
