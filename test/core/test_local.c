/* SPDX-License-Identifier: ISC */
/*
 * Fiber-locals.
 */
#include "tasks.h"

#include <eio/local.h>
#include <stdio.h>

static struct eio_key user = {"user"}, request = {"request"}, nameless = EIO_KEY_INIT;

static const char *get(const struct eio_key *key)
{
	const char *value = eio_get(key);

	return value ? value : "-";
}

static int note_locals(void *arg)
{
	note("%s%s/%s", arg ? (const char *) arg : "", get(&user), get(&request));
	return 0;
}

CORE_TEST(an_unset_local_is_null)
{
	(void) arg;
	ck_assert_ptr_null(eio_get(&user));
	ck_assert_ptr_null(eio_get(&nameless));
	return 0;
}

static int get_outside(void *arg)
{
	return eio_get(arg) ? 1 : eio_binding_run(arg, arg, do_nothing, NULL);
}

START_TEST(outside_a_fiber_there_are_no_locals)
{
	expect_err(get_outside(&user), -EPERM);
}
END_TEST

CORE_TEST(inner_bindings_shadow_and_their_end_restores)
{
	struct eio_binding a, b, c;

	(void) arg;
	eio_binding_begin(&a, &user, "ann");
	note_locals(NULL);
	eio_binding_begin(&b, &request, "1");
	eio_binding_begin(&c, &user, "bob");
	note_locals(NULL);
	eio_binding_end(&c);
	note_locals(NULL);
	eio_binding_end(&b);
	eio_binding_end(&a);
	note_locals(NULL);
	expect_log("ann/- bob/1 ann/1 -/-");
	return 0;
}

CORE_TEST(a_binding_to_null_shadows_too)
{
	struct eio_binding a, b;

	(void) arg;
	eio_binding_begin(&a, &user, "ann");
	eio_binding_begin(&b, &user, NULL);
	ck_assert_ptr_null(eio_get(&user));
	eio_binding_end(&b);
	eio_binding_end(&a);
	return 0;
}

static int returns_its_argument(void *arg)
{
	note_locals(NULL);
	return *(int *) arg;
}

CORE_TEST(the_callback_form_binds_for_the_call_and_passes_the_result)
{
	int seven = 7, failure = -EIO;

	(void) arg;
	expect_err(eio_binding_run(&user, "ann", returns_its_argument, &seven), 7);
	expect_err(eio_binding_run(&user, "bob", returns_its_argument, &failure), -EIO);
	note_locals(NULL);
	expect_log("ann/- bob/- -/-");
	return 0;
}

static int outlive(void *arg)
{
	int rc = eio_yield();

	note_locals(arg);
	return rc;
}

CORE_TEST(a_fork_that_outlives_the_binding_still_sees_the_value)
{
	struct eio_switch sw;
	struct eio_binding a, b;

	(void) arg;
	eio_switch_begin(&sw);
	eio_binding_begin(&a, &user, "ann");
	eio_binding_begin(&b, &request, "1");
	expect_ok(eio_fork(&sw, outlive, "child "));
	eio_binding_end(&b);
	eio_binding_begin(&b, &request, "2");
	expect_ok(eio_yield());
	note_locals("parent ");
	eio_binding_end(&b);
	eio_binding_end(&a);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("child ann/1 parent ann/2");
	return 0;
}

static struct eio_switch *outer_switch;

static int fork_on_outer(void *arg)
{
	struct eio_binding b;
	int rc;

	(void) arg;
	eio_binding_begin(&b, &request, "forker's");
	rc = eio_fork(outer_switch, outlive, "forked ");
	eio_binding_end(&b);
	return rc;
}

CORE_TEST(forks_inherit_from_the_running_fiber_not_from_the_switch)
{
	struct eio_switch sw;
	struct eio_binding a;

	(void) arg;
	eio_binding_begin(&a, &user, "ann");
	eio_switch_begin(&sw);
	outer_switch = &sw;
	expect_ok(eio_fork(&sw, fork_on_outer, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	eio_binding_end(&a);
	expect_log("forked ann/forker's");
	return 0;
}

static int rebind_and_fork(void *arg)
{
	struct eio_switch sw;
	struct eio_binding b;
	int depth = *(int *) arg - 1, rc = 0;

	note("%s", get(&user));
	if (depth == 0)
		return 0;
	eio_binding_begin(&b, &user, depth % 2 ? "odd" : "even");
	eio_switch_begin(&sw);
	rc = eio_fork_copy(&sw, rebind_and_fork, &depth, sizeof(depth));
	rc = eio_switch_end(&sw, rc);
	eio_binding_end(&b);
	return rc;
}

CORE_TEST(locals_are_inherited_over_generations)
{
	int depth = 5;

	(void) arg;
	expect_ok(rebind_and_fork(&depth));
	expect_log("- even odd even odd");
	return 0;
}

struct copied {
	_Alignas(16) char text[40];
};

static int check_copied(void *arg)
{
	struct copied *c = arg;

	ck_assert_uint_eq((uintptr_t) c % 16, 0);
	note("%s", c->text);
	note_locals(NULL);
	return 0;
}

CORE_TEST(argument_and_locals_are_copied_side_by_side)
{
	struct copied c = {"argument"};
	struct eio_switch sw;
	struct eio_binding a, b;

	(void) arg;
	eio_switch_begin(&sw);
	eio_binding_begin(&a, &user, "ann");
	eio_binding_begin(&b, &request, "1");
	expect_ok(eio_fork_copy(&sw, check_copied, &c, sizeof(c)));
	eio_binding_end(&b);
	eio_binding_end(&a);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("argument ann/1");
	return 0;
}

static int check_other_domain(void *arg)
{
	(void) arg;
	note_locals("other ");
	return 0;
}

CORE_TEST(other_domains_do_not_inherit)
{
	struct eio_binding a;

	(void) arg;
	eio_binding_begin(&a, &user, "ann");
	expect_ok(in_other_domain(check_other_domain, NULL));
	eio_binding_end(&a);
	expect_log("other -/-");
	return 0;
}

CORE_TEST(shadowed_bindings_are_not_copied)
{
	enum { N = 3000 };
	static struct eio_binding b[N];
	struct eio_switch sw;

	(void) arg;
	/* Many more than would fit into a quarter of a stack. */
	for (int i = 0; i < N; i++)
		eio_binding_begin(&b[i], &user, i + 1 == N ? "last" : "hidden");
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, note_locals, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = N; i-- > 0;)
		eio_binding_end(&b[i]);
	expect_log("last/-");
	return 0;
}

CORE_TEST(more_locals_than_fit_are_refused_by_the_fork)
{
	enum { N = 3000 };
	static struct eio_binding b[N];
	static struct eio_key keys[N];
	struct eio_switch sw;

	(void) arg;
	for (int i = 0; i < N; i++)
		eio_binding_begin(&b[i], &keys[i], "value");
	eio_switch_begin(&sw);
	expect_err(eio_fork(&sw, note_locals, NULL), -E2BIG);
	ck_assert_uint_eq(count_fibers(), 0);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = N; i-- > 0;)
		eio_binding_end(&b[i]);
	return 0;
}

CORE_TEST(sizes_that_wrap_around_are_refused_with_locals_too)
{
	struct eio_switch sw;
	struct eio_binding b;

	(void) arg;
	eio_switch_begin(&sw);
	eio_binding_begin(&b, &user, "ann");
	expect_err(eio_fork_copy(&sw, note_locals, &sw, SIZE_MAX - 7), -E2BIG);
	eio_binding_end(&b);
	return eio_switch_end(&sw, 0);
}

/* Scopes that do not nest */

static int end_out_of_order(void *arg)
{
	struct eio_binding a, b;

	(void) arg;
	eio_binding_begin(&a, &user, "ann");
	eio_binding_begin(&b, &request, "1");
	eio_binding_end(&a);
	return 0;
}

static int end_inside_a_switch(void *arg)
{
	struct eio_binding a;
	struct eio_switch sw;

	(void) arg;
	eio_binding_begin(&a, &user, "ann");
	eio_switch_begin_named(&sw, "clients");
	eio_binding_end(&a);
	return 0;
}

static int end_the_switch_around(void *arg)
{
	struct eio_binding a;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin_named(&sw, "clients");
	eio_binding_begin(&a, &user, "ann");
	return eio_switch_end(&sw, 0);
}

/* In a frame it might not be there any more when it is to be named. */
static struct eio_binding forgotten;

static int leave_open(void *arg)
{
	(void) arg;
	eio_fiber_set_name("forgetful");
	eio_binding_begin(&forgotten, &user, "ann");
	return 0;
}

static int fork_forgetful(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	return eio_switch_end(&sw, eio_fork(&sw, leave_open, NULL));
}

START_TEST(bindings_out_of_order_abort_and_name_both)
{
	expect_abort(end_out_of_order, NULL,
		     "binding of user ended while the innermost one is that of request");
	expect_abort(end_inside_a_switch, NULL,
		     "binding of user ended while the innermost open scope is a switch clients");
	expect_abort(end_the_switch_around, NULL,
		     "switch clients ended before a binding of user inside it");
}
END_TEST

static __attribute__((noinline)) void overwrite(void)
{
	char room[4096];

	memset(room, 0, sizeof(room));
	__asm__ volatile("" ::"r"(room) : "memory");
}

static __attribute__((noinline)) void bind_in_frame(void)
{
	struct eio_binding a;

	eio_binding_begin(&a, &user, "ann");
}

static int lose_one(void *arg)
{
	(void) arg;
	eio_fiber_set_name("forgetful");
	bind_in_frame();
	overwrite();
	return 0;
}

static int fork_losing(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	return eio_switch_end(&sw, eio_fork(&sw, lose_one, NULL));
}

START_TEST(a_lost_binding_that_was_overwritten_is_still_reported)
{
	expect_abort(fork_losing, NULL, "(forgetful) returned inside a binding");
}
END_TEST

START_TEST(returning_with_a_binding_open_aborts_and_names_both)
{
	expect_abort(leave_open, NULL, "main returned inside a binding of user");
	expect_abort(fork_forgetful, NULL, "(forgetful) returned inside a binding of user");
}
END_TEST

static struct eio_binding of_main;
static char warning[256];

static void keep_warning(int level, const char *msg, void *arg)
{
	(void) arg;
	if (level == EIO_LOG_WARNING)
		snprintf(warning, sizeof(warning), "%s", msg);
}

static int end_that_of_main(void *arg)
{
	(void) arg;
	eio_binding_end(&of_main);
	return 0;
}

CORE_TEST(another_domain_cannot_end_a_binding)
{
	(void) arg;
	eio_binding_begin(&of_main, &user, "ann");
	eio_set_log(keep_warning, NULL);
	expect_ok(in_other_domain(end_that_of_main, NULL));
	expect_ok(on_plain_thread(end_that_of_main, NULL));
	eio_set_log(NULL, NULL);
	ck_assert_str_eq(warning, "binding of user of another domain cannot be ended here");
	note_locals(NULL);
	eio_binding_end(&of_main);
	expect_log("ann/-");
	return 0;
}

SUITE_MAIN("local", false, an_unset_local_is_null_test, outside_a_fiber_there_are_no_locals,
	   inner_bindings_shadow_and_their_end_restores_test, a_binding_to_null_shadows_too_test,
	   the_callback_form_binds_for_the_call_and_passes_the_result_test,
	   a_fork_that_outlives_the_binding_still_sees_the_value_test,
	   forks_inherit_from_the_running_fiber_not_from_the_switch_test,
	   locals_are_inherited_over_generations_test,
	   argument_and_locals_are_copied_side_by_side_test, other_domains_do_not_inherit_test,
	   shadowed_bindings_are_not_copied_test, more_locals_than_fit_are_refused_by_the_fork_test,
	   sizes_that_wrap_around_are_refused_with_locals_too_test,
	   bindings_out_of_order_abort_and_name_both,
	   returning_with_a_binding_open_aborts_and_names_both,
	   a_lost_binding_that_was_overwritten_is_still_reported,
	   another_domain_cannot_end_a_binding_test)
