/* SPDX-License-Identifier: ISC */
/*
 * The list of domains: a signal handler walks it without a lock while domains end, which are
 * freed then.
 */
#include "model/domain.h"

#include <string.h>

enum { DOMAINS = 3 };

static struct eio__domain *domains[DOMAINS];

static void end(void *arg)
{
	struct eio__domain *d = arg;

	eio__domains_remove(d);
	model_free(d);
}

/* What a handler does with a domain touches it. */
static void ask(struct eio__domain *d, void *arg)
{
	(void) arg;
	__atomic_exchange_n(&d->entry.asked, 1, __ATOMIC_SEQ_CST);
}

static void walk(void *arg)
{
	(void) arg;
	eio__domains_each_in_handler(ask, NULL);
}

static void make_domains(void)
{
	model_domain_list(true);
	for (unsigned i = 0; i < DOMAINS; i++) {
		domains[i] = model_alloc("domain", sizeof(struct eio__domain));
		memset(domains[i], 0, sizeof(struct eio__domain));
		eio__domains_add(domains[i]);
	}
}

static void one_ends(unsigned which)
{
	make_domains();
	model_thread("domain", end, domains[which]);
	model_thread("handler", walk, NULL);
}

static void the_first_ends(void)
{
	one_ends(0);
}

static void one_in_the_middle_ends(void)
{
	one_ends(1);
}

static void the_last_ends(void)
{
	one_ends(DOMAINS - 1);
}

static void one_ends_and_two_walk(void)
{
	make_domains();
	model_thread("domain", end, domains[1]);
	model_thread("handler", walk, NULL);
	model_thread("another", walk, NULL);
}

/* One after the other, by the same thread: a walk may be at the first when the second goes. */
static void end_two(void *arg)
{
	(void) arg;
	end(domains[0]);
	end(domains[1]);
}

static void two_end(void)
{
	make_domains();
	model_thread("domains", end_two, NULL);
	model_thread("handler", walk, NULL);
}

/* On the very thread that ends a domain, at any of its steps. */
static void a_handler_interrupts_the_end(void)
{
	make_domains();
	model_handler(model_thread("domain", end, domains[1]), walk, NULL);
}

MODEL_HOLDS(a_handler_finds_no_domain_that_is_gone_first, the_first_ends, NULL, 1e4)
MODEL_HOLDS(a_handler_finds_no_domain_that_is_gone_middle, one_in_the_middle_ends, NULL, 1e4)
MODEL_HOLDS(a_handler_finds_no_domain_that_is_gone_last, the_last_ends, NULL, 1e4)
MODEL_HOLDS(two_handlers_find_no_domain_that_is_gone, one_ends_and_two_walk, NULL, 1e10)
MODEL_HOLDS(a_handler_finds_neither_of_two_that_are_gone, two_end, NULL, 1e5)
MODEL_HOLDS(a_handler_may_interrupt_the_end_of_a_domain, a_handler_interrupts_the_end, NULL, 5)

MODEL_SUITE("domains", a_handler_finds_no_domain_that_is_gone_first_test,
	    a_handler_finds_no_domain_that_is_gone_middle_test,
	    a_handler_finds_no_domain_that_is_gone_last_test,
	    two_handlers_find_no_domain_that_is_gone_test,
	    a_handler_finds_neither_of_two_that_are_gone_test,
	    a_handler_may_interrupt_the_end_of_a_domain_test)
