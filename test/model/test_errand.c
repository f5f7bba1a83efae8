/* SPDX-License-Identifier: ISC */
/*
 * Errands: work that another domain does, while the fiber that waits for it is cancelled. The
 * record is freed as soon as that one knows the result.
 */
#include "core/errand.h"
#include "model/domain.h"

#include <eio/fiber.h>

struct desk {
	bool ran;
	int rc;
};

static struct desk *desk;
static struct eio__errand *errand;
static unsigned caller;

static int do_at_once(void *arg)
{
	(void) arg;
	desk->ran = true;
	return 1;
}

static int do_until_cancelled(void *arg)
{
	(void) arg;
	desk->ran = true;
	return eio_await_cancel();
}

/* The other side. */
static void run(void *arg)
{
	(void) arg;
	eio__errand_run(errand);
	eio__errand_over(errand);
}

static void await_and_free(void *ways)
{
	struct model_canceller c;
	struct eio_cancel cancel;

	eio_cancel_begin(&cancel);
	model_cancel_begin(&c, &cancel, (unsigned) (uintptr_t) ways);
	desk->rc = eio__errand_await(errand);
	model_free(errand);
	model_cancel_end(&c);
	eio_cancel_end(&cancel);
}

static void set_caller(void *arg)
{
	(void) arg;
	errand->caller = eio__self();
}

static void make_errand(eio_fn *fn, uintptr_t ways)
{
	model_machine(false);
	desk = model_alloc("desk", sizeof(*desk));
	errand = model_alloc("errand", sizeof(*errand));
	errand->fn = fn;
	errand->op = "errand";
	caller = model_domain("caller", await_and_free, (void *) ways);
	model_in_domain(caller, set_caller, NULL);
}

static void at_once(void)
{
	make_errand(do_at_once, BY_FIBER);
	model_large();
	model_domain("worker", run, NULL);
}

/* One that did not run was cancelled. */
static void done_or_not_begun(void)
{
	model_expect(desk->rc == (desk->ran ? 1 : -ECANCELED), "the result is %d, ran %d", desk->rc,
		     desk->ran);
}

MODEL_HOLDS(an_errand_is_done_or_was_cancelled_before_it_began, at_once, done_or_not_begun, 1e4)

static void for_ever(void)
{
	make_errand(do_until_cancelled, SURELY);
	model_large();
	model_domain("worker", run, NULL);
}

static void cancelled(void)
{
	model_expect(desk->rc == -ECANCELED, "the result is %d", desk->rc);
}

MODEL_HOLDS(a_cancellation_reaches_the_work_whenever_it_comes, for_ever, cancelled, 1e4)

MODEL_SUITE("errand", an_errand_is_done_or_was_cancelled_before_it_began_test,
	    a_cancellation_reaches_the_work_whenever_it_comes_test)
