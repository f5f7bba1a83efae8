/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Results */

static int give(struct eio_env *e, void *arg)
{
	(void) e;
	return *(int *) arg;
}

START_TEST(the_result_is_mains)
{
	static const int results[] = {0, 1, 77, -EIO, -ECANCELED, EIO_EOF};

	for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		int want = results[i];

		expect_err(eio_run(NULL, give, &want), want);
	}
}
END_TEST

static int fail_with_details(void *arg)
{
	char b;

	(void) arg;
	return (int) eio_ll_read((struct eio_fd){0, 0}, &b, 1, 0);
}

static int main_that_fails(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	eio_fork(&sw, fail_with_details, NULL);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_failures_details_outlive_the_run)
{
	char text[64];

	expect_err(eio_run(NULL, main_that_fails, NULL), -EBADF);
	eio_error_format(-EBADF, text, sizeof(text));
	ck_assert_str_eq(text, "read: Bad file descriptor");
	expect_ok(eio_run(NULL, give, &(int){0}));
	ck_assert_int_eq(eio_last_error()->code, 0);
}
END_TEST

static int look_at_env(struct eio_env *e, void *arg)
{
	(void) arg;
	ck_assert_str_eq(e->backend_id, "uring");
	ck_assert_int_gt(eio_now_ns(e->mono_clock), 0);
	ck_assert_int_gt(eio_now_ns(e->clock), EIO_SEC(1600000000));
	ck_assert_uint_eq(eio_fiber_id(), 1);
	return 0;
}

START_TEST(main_is_the_first_fiber_and_has_an_environment)
{
	expect_ok(eio_run(NULL, look_at_env, NULL));
	ck_assert_uint_eq(eio_fiber_id(), 0);
}
END_TEST

START_TEST(a_thousand_runs_leave_nothing)
{
	unsigned fds, mappings;

	expect_ok(eio_run(NULL, give, &(int){0}));
	fds = count_fds();
	mappings = count_mappings();
	for (int i = 0; i < (SANITIZED ? 50 : 500); i++)
		expect_ok(eio_run(NULL, give, &(int){0}));
	ck_assert_uint_eq(count_fds(), fds);
	if (!SANITIZED)
		ck_assert_uint_le(count_mappings(), mappings);
}
END_TEST

/* Signals' dispositions */

static void count_signal(int sig)
{
	(void) sig;
}

static bool is_handler(int sig, void (*handler)(int))
{
	struct sigaction now;

	ck_assert_int_eq(sigaction(sig, NULL, &now), 0);
	return now.sa_handler == handler;
}

static int check_ignored(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	ck_assert(is_handler(SIGPIPE, SIG_IGN));
	if (!SANITIZED)
		ck_assert(!is_handler(SIGSEGV, count_signal));
	return 0;
}

static int check_untouched(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	ck_assert(is_handler(SIGPIPE, count_signal));
	ck_assert(is_handler(SIGSEGV, count_signal));
	return 0;
}

START_TEST(dispositions_are_changed_while_running_and_restored)
{
	signal(SIGPIPE, count_signal);
	signal(SIGSEGV, count_signal);
	for (int i = 0; i < 3; i++) {
		expect_ok(eio_run(NULL, check_ignored, NULL));
		ck_assert(is_handler(SIGPIPE, count_signal));
		ck_assert(is_handler(SIGSEGV, count_signal));
	}
	signal(SIGPIPE, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	expect_err(eio_run(NULL, give, &(int){-EIO}), -EIO);
	ck_assert(is_handler(SIGPIPE, SIG_DFL));
	ck_assert(is_handler(SIGSEGV, SIG_DFL));
}
END_TEST

START_TEST(dispositions_stay_as_they_are_if_asked)
{
	struct eio_config config = {.flags = EIO_RUN_KEEP_SIGPIPE | EIO_RUN_NO_SEGV};

	signal(SIGPIPE, count_signal);
	signal(SIGSEGV, count_signal);
	expect_ok(eio_run(&config, check_untouched, NULL));
	check_untouched(NULL, NULL);
}
END_TEST

static int install_own(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	signal(SIGPIPE, count_signal);
	signal(SIGSEGV, count_signal);
	return 0;
}

START_TEST(what_the_program_installs_meanwhile_stays)
{
	signal(SIGPIPE, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	expect_ok(eio_run(NULL, install_own, NULL));
	check_untouched(NULL, NULL);
}
END_TEST

/* Several threads */

enum { THREADS = 6 };

static unsigned inside;

static int meet_the_others(struct eio_env *e, void *arg)
{
	struct eio_switch sw;
	struct eio_fd r, w;
	char b;

	__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) < THREADS)
		expect_ok(eio_sleep(e->mono_clock, 100000));
	ck_assert(is_handler(SIGPIPE, SIG_IGN));
	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	for (int i = 0; i < 50; i++) {
		expect_ok(eio_ll_write_all(w, "x", 1, EIO_CURRENT));
		expect_err(eio_ll_read(r, &b, 1, EIO_CURRENT), 1);
	}
	expect_ok(eio_switch_end(&sw, 0));
	return (int) (uintptr_t) arg;
}

static void *run_in_thread(void *arg)
{
	expect_err(eio_run(NULL, meet_the_others, arg), (int) (uintptr_t) arg);
	/* And again, on the same thread. */
	expect_err(eio_run(NULL, meet_the_others, arg), (int) (uintptr_t) arg);
	return NULL;
}

START_TEST(threads_run_side_by_side_each_with_its_own_result)
{
	pthread_t threads[THREADS];
	unsigned fds;

	warm_up_threads(THREADS);
	signal(SIGPIPE, count_signal);
	fds = count_fds();
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_in_thread, (void *) (i + 1)),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert(is_handler(SIGPIPE, count_signal));
	ck_assert_uint_eq(count_fds(), fds);
}
END_TEST

/* Broken structure ends the program, and says how */

typedef int main_fn(struct eio_env *e, void *arg);

static void run_broken(void *arg)
{
	expect_ok(eio_run(NULL, *(main_fn **) arg, NULL));
}

static void expect_last_words(main_fn *main, int sig, const char *words)
{
	signal(sig, SIG_DFL);
	expect_death(run_broken, &main, sig, words);
}

static int leave_switch_open(struct eio_env *e, void *arg)
{
	static struct eio_switch sw;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	return 0;
}

static struct eio_fd waited_for;

static int wait_for_ever(void *arg)
{
	(void) arg;
	return eio_ll_await_readable(waited_for);
}

/* The same with a fiber in it, whose operation never completes. */
static int leave_fiber_waiting(struct eio_env *e, void *arg)
{
	static struct eio_switch sw;
	struct eio_fd w;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	if (eio_ll_pipe(&sw, &waited_for, &w) < 0 || eio_fork(&sw, wait_for_ever, NULL) < 0)
		return 0;
	return eio_ll_noop();
}

static int leave_protected_open(struct eio_env *e, void *arg)
{
	static struct eio_cancel c;

	(void) e, (void) arg;
	eio_cancel_protect_begin(&c);
	return 0;
}

START_TEST(main_returning_inside_a_scope_aborts_and_names_it)
{
	expect_last_words(leave_switch_open, SIGABRT,
			  "main returned inside a switch it had not ended");
	expect_last_words(leave_protected_open, SIGABRT,
			  "main returned inside a protected context it had not ended");
}
END_TEST

START_TEST(main_returning_with_fibers_waiting_aborts_and_does_not_hang)
{
	expect_last_words(leave_fiber_waiting, SIGABRT,
			  "main returned inside a switch it had not ended");
}
END_TEST

static int leave_context_open(void *arg)
{
	eio_cancel_begin(arg);
	return 0;
}

static int fiber_leaves_context_open(struct eio_env *e, void *arg)
{
	static struct eio_cancel c;
	struct eio_switch sw;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	eio_fork(&sw, leave_context_open, &c);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_fiber_returning_inside_a_scope_aborts_and_names_both)
{
	expect_last_words(fiber_leaves_context_open, SIGABRT,
			  "fiber 2 (without name) returned inside a cancellation context");
}
END_TEST

static int raises_segv(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	raise(SIGSEGV);
	return 0;
}

START_TEST(a_segv_that_was_sent_kills)
{
	if (!SANITIZED)
		expect_last_words(raises_segv, SIGSEGV, "");
}
END_TEST

/* A handler of the program's that hands the signal on to the one it found: the library's. */
static struct sigaction found;
static unsigned handed_on;

static void hand_on(int sig, siginfo_t *info, void *context)
{
	if (++handed_on > 1)
		_exit(3);
	found.sa_sigaction(sig, info, context);
}

static int put_in_front(struct eio_env *e, void *arg)
{
	struct sigaction act = {.sa_sigaction = hand_on, .sa_flags = SA_SIGINFO};

	(void) e, (void) arg;
	return sigaction(SIGSEGV, &act, &found);
}

static void segv_in_the_next_run(void *arg)
{
	eio_run(NULL, put_in_front, NULL);
	eio_run(NULL, raises_segv, arg);
}

START_TEST(a_handler_that_hands_the_signal_on_is_called_once)
{
	if (SANITIZED)
		return;
	signal(SIGSEGV, SIG_DFL);
	expect_death(segv_in_the_next_run, NULL, SIGSEGV, "");
}
END_TEST

/* The program's own alternate stack, put in the place of the run's, is still there after. */
static char own_stack[65536];

static int puts_a_stack(struct eio_env *e, void *arg)
{
	stack_t ss = {.ss_sp = own_stack, .ss_size = sizeof(own_stack)};

	(void) e, (void) arg;
	ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
	return 0;
}

START_TEST(an_alternate_stack_of_the_program_stays)
{
	stack_t ss;

	expect_ok(eio_run(NULL, puts_a_stack, NULL));
	ck_assert_int_eq(sigaltstack(NULL, &ss), 0);
	ck_assert_ptr_eq(ss.ss_sp, own_stack);
}
END_TEST

/* It has neither the ring nor the fibers: it is a thread without a domain. */
RING_TEST(the_child_of_a_fork_is_no_domain)
{
	int status;
	pid_t pid;

	(void) arg;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(eio_check() == -EPERM && eio_ll_noop() == -EPERM &&
				      is_handler(SIGPIPE, SIG_DFL) &&
				      eio_flow_copy_string(env->out, "x") == -EPERM
			      ? 0
			      : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	expect_ok(eio_ll_noop());
	return 0;
}

static int fork_and_return(struct eio_env *e, void *arg)
{
	pid_t *pid = arg;

	(void) e;
	expect_ok(eio_ll_noop());
	*pid = fork();
	return *pid ? 0 : 42;
}

START_TEST(the_child_of_a_fork_may_return_from_main)
{
	int status, rc;
	pid_t pid = -1;

	rc = eio_run(NULL, fork_and_return, &pid);
	if (pid == 0)
		_exit(rc == 42 && eio_run(NULL, fork_and_return, &pid) == 0 ? 0 : 1);
	expect_ok(rc);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* What is written to a stack's guard is an overflow, which is explained. */
static int dig(int depth)
{
	char b[1024];

	memset(b, depth, sizeof(b));
	/* Whatever the compiler knows, the frame is there. */
	__asm__ volatile("" : : "r"(b) : "memory");
	return depth ? dig(depth - 1) + b[depth % 1024] : 0;
}

static int overflow(void *arg)
{
	(void) arg;
	eio_fiber_set_name("digger");
	return dig(1000);
}

static int main_that_overflows(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	eio_fork(&sw, overflow, NULL);
	return eio_switch_end(&sw, 0);
}

START_TEST(an_overflow_is_explained_and_kills_as_before)
{
	if (!SANITIZED)
		expect_last_words(main_that_overflows, SIGSEGV,
				  "stack overflow in fiber 2 (digger)");
}
END_TEST

SUITE_MAIN("run", true, the_result_is_mains, a_failures_details_outlive_the_run,
	   main_is_the_first_fiber_and_has_an_environment, a_thousand_runs_leave_nothing,
	   dispositions_are_changed_while_running_and_restored,
	   dispositions_stay_as_they_are_if_asked, what_the_program_installs_meanwhile_stays,
	   threads_run_side_by_side_each_with_its_own_result,
	   main_returning_inside_a_scope_aborts_and_names_it,
	   main_returning_with_fibers_waiting_aborts_and_does_not_hang,
	   a_fiber_returning_inside_a_scope_aborts_and_names_both, a_segv_that_was_sent_kills,
	   a_handler_that_hands_the_signal_on_is_called_once,
	   an_alternate_stack_of_the_program_stays, the_child_of_a_fork_is_no_domain_test,
	   the_child_of_a_fork_may_return_from_main, an_overflow_is_explained_and_kills_as_before)
