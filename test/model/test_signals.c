/* SPDX-License-Identifier: ISC */
/*
 * Subscriptions to signals: handlers, on the domain's thread and on others, put signals into
 * a queue that a fiber reads, and walk the list that its domain changes. What is done about
 * the process's dispositions is left out.
 */
#include "core/handler.h"
#include "model/domain.h"

#include <stdlib.h>
#include <string.h>

static void leave_alone(struct eio__handler *h)
{
	(void) h;
}

#define eio__handler_begin leave_alone
#define eio__handler_end   leave_alone
#define calloc(n, size)    model_alloc("subscription", (n) * (size))
#include "core/signal.c" /* for what is static there */

enum { SUBSCRIPTIONS = 3 };

static struct {
	struct eio_signals signals[SUBSCRIPTIONS];
	unsigned sent;
} state;

static unsigned domain, handler_threads[2];

static const int both[] = {SIGUSR1, SIGUSR2, 0};
static const int single[] = {SIGUSR1, 0}; /* all in one cell */

/* The argument is the signal. */
static void handle(void *arg)
{
	siginfo_t info = {.si_signo = (int) (intptr_t) arg};

	state.sent++;
	on_signal(info.si_signo, &info, NULL);
}

static void *sig(int number)
{
	return (void *) (intptr_t) number;
}

static void subscribe(void *list)
{
	memset(&state, 0, sizeof(state));
	model_region("state", &state, sizeof(state));
	model_expect(eio_signals_begin(&state.signals[0], list) == 0, "no subscription");
}

/* Reading */

static int next(void)
{
	siginfo_t info;
	int rc = eio_signals_next(&state.signals[0], &info);

	model_expect(rc == 1, "next: %d", rc);
	return info.si_signo;
}

static void await_handlers(void)
{
	model_join(handler_threads[0]);
	model_join(handler_threads[1]);
}

static void read_both(void *arg)
{
	int sum = next() + next();

	(void) arg;
	model_expect(sum == SIGUSR1 + SIGUSR2, "not one of each: %d", sum);
	await_handlers();
	eio_signals_end(&state.signals[0]);
}

/* A signal that is not a new one has been counted before the other was taken. Whether the last
 * one was taken or not, there is one more to take after another. */
static void read_until_all_are_sent(void *arg)
{
	(void) arg;
	while (state.sent < 2)
		next();
	await_handlers();
	handle(sig(SIGUSR1));
	next();
	eio_signals_end(&state.signals[0]);
}

static void make_reader(void (*reader)(void *arg), const int *list)
{
	model_machine(false);
	domain = model_domain("reader", reader, NULL);
	model_in_domain(domain, subscribe, (void *) list);
}

static void two_kinds(void)
{
	make_reader(read_both, both);
	handler_threads[0] = model_thread("first", handle, sig(SIGUSR1));
	handler_threads[1] = model_thread("second", handle, sig(SIGUSR2));
}

static void two_kinds_one_on_the_readers_thread(void)
{
	make_reader(read_both, both);
	model_handler(domain, handle, sig(SIGUSR1));
	handler_threads[0] = handler_threads[1] = model_thread("other", handle, sig(SIGUSR2));
}

static void one_kind_twice(void)
{
	make_reader(read_until_all_are_sent, single);
	handler_threads[0] = model_thread("first", handle, sig(SIGUSR1));
	handler_threads[1] = model_thread("second", handle, sig(SIGUSR1));
}

static void one_kind_twice_once_on_the_readers_thread(void)
{
	make_reader(read_until_all_are_sent, single);
	model_handler(domain, handle, sig(SIGUSR1));
	handler_threads[0] = handler_threads[1] = model_thread("other", handle, sig(SIGUSR1));
}

MODEL_HOLDS(no_kind_of_signal_is_lost, two_kinds, NULL, 1e6)
MODEL_HOLDS(no_kind_is_lost_on_the_readers_thread, two_kinds_one_on_the_readers_thread, NULL, 1e4)
MODEL_HOLDS(a_merged_signal_is_no_lost_one, one_kind_twice, NULL, 1e6)
MODEL_HOLDS(nor_on_the_readers_thread, one_kind_twice_once_on_the_readers_thread, NULL, 1e4)

/* Ending */

static void end(void *arg)
{
	eio_signals_end(&state.signals[(intptr_t) arg]);
}

/* A domain whose fibers do not run, with all subscriptions; its thread ends one of them. */
static void make_domain(intptr_t ended)
{
	struct eio__domain *d;

	model_domain_list(true);
	d = model_alloc("domain", sizeof(*d));
	eio__domains_add(d);
	eio__tls_domain = d;
	subscribe((void *) both);
	for (int i = 1; i < SUBSCRIPTIONS; i++)
		model_expect(eio_signals_begin(&state.signals[i], both) == 0, "no subscription");
	eio__tls_domain = NULL;
	domain = model_thread("domain", end, (void *) ended);
	model_thread_domain(domain, d);
}

static void the_oldest_ends(void)
{
	make_domain(0);
	model_thread("handler", handle, sig(SIGUSR1));
}

static void the_middle_one_ends(void)
{
	make_domain(1);
	model_thread("handler", handle, sig(SIGUSR1));
}

static void the_newest_ends(void)
{
	make_domain(SUBSCRIPTIONS - 1);
	model_thread("handler", handle, sig(SIGUSR1));
}

static void a_handler_interrupts_the_end(void)
{
	make_domain(1);
	model_handler(domain, handle, sig(SIGUSR1));
}

MODEL_HOLDS(a_handler_finds_no_subscription_that_is_gone_oldest, the_oldest_ends, NULL, 1e4)
MODEL_HOLDS(a_handler_finds_no_subscription_that_is_gone_middle, the_middle_one_ends, NULL, 1e4)
MODEL_HOLDS(a_handler_finds_no_subscription_that_is_gone_newest, the_newest_ends, NULL, 1e4)
MODEL_HOLDS(a_handler_may_interrupt_the_end, a_handler_interrupts_the_end, NULL, 5)

MODEL_SUITE("signals", no_kind_of_signal_is_lost_test, no_kind_is_lost_on_the_readers_thread_test,
	    a_merged_signal_is_no_lost_one_test, nor_on_the_readers_thread_test,
	    a_handler_finds_no_subscription_that_is_gone_oldest_test,
	    a_handler_finds_no_subscription_that_is_gone_middle_test,
	    a_handler_finds_no_subscription_that_is_gone_newest_test,
	    a_handler_may_interrupt_the_end_test)
