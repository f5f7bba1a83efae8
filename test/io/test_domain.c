/* SPDX-License-Identifier: ISC */
/*
 * Domains in threads of their own, and work sent to them. The threads' code is part of this
 * program, so that it can refuse to make threads.
 */
#include "io/elsewhere.h"

#include "core/fiber.h"

#include <pthread.h>

static int create_thread(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

#define pthread_create create_thread
#include "core/threads.c" /* for what is static there */
#undef pthread_create

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool refuses_threads, holds_thread;

static void *(*held)(void *); /* what it is to do */

static void *begin_held(void *arg)
{
	while (__atomic_load_n(&holds_thread, __ATOMIC_ACQUIRE))
		usleep(100);
	return held(arg);
}

static int create_thread(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (refuses_threads)
		return EAGAIN;
	if (!holds_thread)
		return pthread_create(t, attr, fn, arg);
	held = fn;
	return pthread_create(t, attr, begin_held, arg);
}

static long thread_id(void)
{
	return syscall(SYS_gettid);
}

static int run_there(eio_fn *fn, void *arg)
{
	return eio_domain_run(env->domain_mgr, fn, arg);
}

/* Results */

static int give_thread(void *arg)
{
	*(long *) arg = thread_id();
	return (int) eio_fiber_id();
}

RING_TEST(the_work_is_the_main_fiber_of_another_thread_and_its_result_comes_back)
{
	long thread = 0;
	int rc = 42;

	(void) arg;
	expect_err(run_there(give, &rc), 42);
	rc = 0;
	expect_ok(run_there(give, &rc));
	expect_err(run_there(give_thread, &thread), 1);
	ck_assert_int_ne(thread, 0);
	ck_assert_int_ne(thread, thread_id());
	return 0;
}

static int fail_plainly(void *arg)
{
	(void) arg;
	return -EXDEV;
}

static void expect_words(int err, const char *words)
{
	char line[256];

	eio_error_format(err, line, sizeof(line));
	ck_assert_str_eq(line, words);
}

RING_TEST(a_failure_comes_back_with_its_details)
{
	(void) arg;
	expect_err(run_there(fail_link, NULL), -EXDEV);
	expect_words(-EXDEV, "link from there: Invalid cross-device link");
	expect_err(run_there(fail_plainly, NULL), -EXDEV);
	expect_words(-EXDEV, "Invalid cross-device link");
	return 0;
}

RING_TEST(work_that_was_cancelled_alone_is_abandoned)
{
	const struct eio_domain_opts opts = {.name = "worker"};

	(void) arg;
	expect_err(eio_domain_run_with(env->domain_mgr, &opts, give_up, NULL), EIO_EABANDONED);
	expect_words(EIO_EABANDONED, "domain worker: The awaited work was cancelled");
	return 0;
}

static int sleep_and_note(void *arg)
{
	int rc = eio_sleep(env->mono_clock, EIO_MS(1));

	note("%s", (const char *) arg);
	return rc;
}

static int await_promise(void *p)
{
	return eio_promise_await(p, NULL);
}

RING_TEST(the_callers_domain_goes_on_meanwhile)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	eio_switch_begin(&sw);
	start(&sw, &c, await_promise, &p);
	expect_ok(sleep_and_note("here"));
	ck_assert(!c.over);
	expect_ok(eio_promise_resolve(&p, 0, NULL));
	expect_ok(run_there(sleep_and_note, "there"));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(c.over);
	expect_log("here there");
	return 0;
}

RING_TEST(the_work_inherits_no_fiber_locals)
{
	struct eio_binding b;

	(void) arg;
	eio_binding_begin(&b, &user, "somebody");
	expect_ok(run_there(note_user, NULL));
	eio_binding_end(&b);
	expect_log("unset");
	return 0;
}

/* Cancellation */

static int run_task(void *arg)
{
	const struct eio_task *t = arg;

	return run_there(t->fn, t->arg);
}

static int cancel_there(struct slow *s, eio_fn *fn)
{
	struct eio_task task = {fn, s};

	return cancel_when_begun(s, run_task, &task);
}

RING_TEST(cancellation_crosses_and_the_end_of_the_work_is_waited_for)
{
	struct slow w = {.result = 0};

	(void) arg;
	expect_err(cancel_there(&w, end_slowly), -ECANCELED);
	return 0;
}

RING_TEST(a_result_or_failure_that_came_though_cancelled_is_returned)
{
	struct slow good = {.result = 7}, bad = {.result = -EIO};

	(void) arg;
	expect_err(cancel_there(&good, end_slowly), 7);
	expect_err(cancel_there(&bad, end_slowly), -EIO);
	return 0;
}

static int call_must_not_run(void *arg)
{
	return run_there(must_not_run, arg);
}

static int call_raw_must_not_run(void *arg)
{
	return eio_domain_run_raw(env->domain_mgr, NULL, must_not_run, arg);
}

RING_TEST(what_was_cancelled_before_does_not_run)
{
	(void) arg;
	expect_cancelled_before(call_must_not_run, NULL);
	expect_cancelled_before(call_raw_must_not_run, NULL);
	return 0;
}

static void cancel_before_begun(eio_fn *fn)
{
	struct eio_switch sw;
	struct caller c;

	eio_switch_begin(&sw);
	holds_thread = true;
	start(&sw, &c, fn, NULL);
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	pass();
	ck_assert(!c.over);
	__atomic_store_n(&holds_thread, false, __ATOMIC_RELEASE);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, -ECANCELED);
}

RING_TEST(what_is_cancelled_while_its_thread_is_made_does_not_run)
{
	(void) arg;
	cancel_before_begun(call_must_not_run);
	cancel_before_begun(call_raw_must_not_run);
	return 0;
}

/* While its thread begins, too: the work never misses it. */
RING_TEST(cancellation_arrives_at_whatever_moment_it_comes)
{
	struct eio_task task = {await_cancel, NULL};

	(void) arg;
	for (unsigned i = 0; i < (SANITIZED ? 20 : 100) * soak(); i++) {
		struct eio_switch sw;
		struct caller c;

		eio_switch_begin(&sw);
		start(&sw, &c, run_task, &task);
		for (unsigned turns = i % 10; turns; turns--)
			expect_ok(eio_sleep(env->mono_clock, 20000));
		expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(c.rc, -ECANCELED);
	}
	return 0;
}

static int read_for_ever(void *arg)
{
	char byte;

	return (int) eio_flow_read(*(struct eio_flow *) arg, &byte, 1);
}

/* The main fiber's children are cancelled with it, and its ring is empty when it ends. */
static int fork_readers(void *arg)
{
	struct slow *w = arg;
	struct eio_flow reader, writer;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	flow_pipe(&sw, &reader, &writer);
	for (int i = 0; i < 10; i++)
		expect_ok(eio_fork(&sw, read_for_ever, &reader));
	eio_promise_resolve(&w->begun, 0, NULL);
	w->ended = true;
	return eio_switch_end(&sw, 0);
}

RING_TEST(cancellation_ends_what_the_other_domain_has_in_flight)
{
	struct slow w = {.result = 0};

	(void) arg;
	expect_err(cancel_there(&w, fork_readers), -ECANCELED);
	return 0;
}

/* Many */

enum { MANY = 10 };

static int run_one(size_t i, void *arg)
{
	int rc = (int) i;

	(void) arg;
	expect_err(run_there(give, &rc), rc);
	return 0;
}

static int run_many(void *arg)
{
	expect_ok(eio_for_each(MANY, 0, run_one, arg));
	return 0;
}

START_TEST(ten_domains_run_at_once)
{
	warm_up_threads(MANY);
	run_ring(run_many, 0);
}
END_TEST

static int nest(void *arg)
{
	int left = *(int *) arg - 1;

	return left ? run_there(nest, &left) + 1 : 1;
}

RING_TEST(domains_nest)
{
	int depth = 4;

	(void) arg;
	expect_err(run_there(nest, &depth), 4);
	return 0;
}

static int run_and_wait(void *arg)
{
	return run_there(await_cancel, arg);
}

static int fail_soon(void *arg)
{
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	return *(int *) arg;
}

RING_TEST(domains_end_with_a_switch_that_fails)
{
	int failure = -EIO;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, run_and_wait, NULL));
	expect_ok(eio_fork(&sw, fail_soon, &failure));
	expect_err(eio_switch_end(&sw, 0), -EIO);
	return 0;
}

/* Beginning */

RING_TEST(without_a_thread_or_memory_or_descriptors_the_work_does_not_run)
{
	int rc;

	(void) arg;
	refuses_threads = true;
	expect_err(call_must_not_run(NULL), -EAGAIN);
	expect_words(-EAGAIN, "domain no thread can be made: Resource temporarily unavailable");
	expect_err(call_raw_must_not_run(NULL), -EAGAIN);
	refuses_threads = false;
	limit_fds(0);
	rc = call_must_not_run(NULL);
	lift_fd_limit();
	expect_err(rc, -EMFILE);
	ck_assert_ptr_nonnull(strstr(eio_last_error()->subject, "ulimit -n"));
	if (SANITIZED)
		return 0; /* they make threads of their own kind */
	use_memory_up(1);
	rc = call_must_not_run(NULL);
	give_memory_back();
	ck_assert(rc == -ENOMEM || rc == -EAGAIN);
	return 0;
}

RING_TEST(options_out_of_range_are_refused)
{
	int rc = 3;
	const struct eio_config bad = {.flags = 1u << 31};
	const struct eio_domain_opts all[] = {
		{.pin = true, .cpu = -1},
		{.pin = true, .cpu = CPU_SETSIZE},
		{.pin = true, .cpu = CPU_SETSIZE - 1}, /* there is none */
		{.config = &bad},
		{.reserved = {&user}},
	};

	(void) arg;
	for (size_t i = 0; i < COUNT(all); i++) {
		expect_err(eio_domain_run_with(env->domain_mgr, &all[i], must_not_run, NULL),
			   -EINVAL);
		if (!all[i].config)
			expect_err(eio_domain_run_raw(env->domain_mgr, &all[i], must_not_run, NULL),
				   -EINVAL);
	}
	expect_words(-EINVAL, "domain reserved: Invalid argument");
	/* Without a ring there is nothing to configure. */
	expect_err(eio_domain_run_raw(env->domain_mgr, &(struct eio_domain_opts){.config = &bad},
				      give, &rc),
		   3);
	return 0;
}

static int look_at_thread(void *arg)
{
	char name[16];
	cpu_set_t cpus;
	sigset_t blocked;

	pthread_getname_np(pthread_self(), name, sizeof(name));
	ck_assert_str_eq(name, arg);
	expect_ok(sched_getaffinity(0, sizeof(cpus), &cpus));
	ck_assert_int_eq(CPU_COUNT(&cpus), 1);
	ck_assert(CPU_ISSET(0, &cpus));
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	ck_assert(sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGCHLD));
	ck_assert(!sigismember(&blocked, SIGSEGV) && !sigismember(&blocked, SIGBUS));
	return 0;
}

RING_TEST(the_thread_has_its_name_and_cpu_and_no_signals)
{
	const struct eio_domain_opts opts = {.name = "a name that is too long", .pin = true};
	sigset_t blocked;

	(void) arg;
	expect_ok(eio_domain_run_with(env->domain_mgr, &opts, look_at_thread, "a name that is "));
	expect_ok(eio_domain_run_raw(env->domain_mgr, &opts, look_at_thread, "a name that is "));
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	ck_assert(!sigismember(&blocked, SIGINT));
	return 0;
}

static int count_cpus(void *arg)
{
	cpu_set_t cpus;

	expect_ok(sched_getaffinity(0, sizeof(cpus), &cpus));
	*(int *) arg = CPU_COUNT(&cpus);
	return 0;
}

static int count_cpus_in_pool(void *arg)
{
	return eio_ll_in_thread(count_cpus, arg);
}

static int run_count_cpus_in_pool(void *arg)
{
	return run_there(count_cpus_in_pool, arg);
}

/* It makes them for all domains. */
RING_TEST(threads_of_the_pool_are_not_pinned_with_the_domain_that_makes_them)
{
	const struct eio_domain_opts opts = {.pin = true};
	int all, there = 0;

	(void) arg;
	expect_ok(count_cpus(&all));
	expect_ok(eio_domain_run_with(env->domain_mgr, &opts, run_count_cpus_in_pool, &there));
	ck_assert_int_eq(there, all);
	return 0;
}

static int dump(void *arg)
{
	return eio_dump(*(struct eio_flow *) arg);
}

/* The signals that a program which is started here has blocked. */
static int expect_blocked(void *mask)
{
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct eio_ll_action a = eio_ll_action_execve("/bin/sh", argv, NULL);
	struct eio_process p;
	struct eio_switch sw;
	char script[128];
	int status;

	snprintf(script, sizeof(script), "exec grep -q '^SigBlk:.%s$' /proc/self/status",
		 (const char *) mask);
	argv[2] = script;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_spawn(&sw, &a, 1, &p));
	expect_ok(eio_ll_process_await(p, &status));
	ck_assert_int_eq(status, 0);
	return eio_switch_end(&sw, 0);
}

static int expect_blocked_there(void *mask)
{
	return run_there(expect_blocked, mask);
}

RING_TEST(programs_do_not_inherit_that_signals_are_blocked)
{
	sigset_t usr1;

	(void) arg;
	expect_ok(run_there(expect_blocked, "0000000000000000"));
	expect_ok(run_there(expect_blocked_there, "0000000000000000"));
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	expect_ok(run_there(expect_blocked, "0000000000000200"));
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	return 0;
}

static int count_blocks(void *arg)
{
	(void) arg;
	return (int) free_blocks();
}

RING_TEST(the_domain_has_its_config)
{
	const struct eio_config config = {.queue_depth = 8, .n_blocks = 3};
	const struct eio_domain_opts opts = {.config = &config};

	(void) arg;
	expect_err(eio_domain_run_with(env->domain_mgr, &opts, count_blocks, NULL), 3);
	return 0;
}

static int expect_like_caller(void *arg)
{
	struct sigaction pipe;

	expect_err((int) free_blocks(), 5);
	ck_assert(!eio_ll_op_supported(IORING_OP_OPENAT));
	expect_ok(sigaction(SIGPIPE, NULL, &pipe));
	ck_assert(pipe.sa_handler == SIG_DFL);
	return arg ? run_there(expect_like_caller, NULL) : 0;
}

static int run_like_caller(void *arg)
{
	struct eio_executor e;
	struct eio_switch sw;

	(void) arg;
	expect_ok(run_there(expect_like_caller, env));
	eio_switch_begin(&sw);
	expect_ok(eio_executor_init(&e, &sw, env->domain_mgr, 1));
	expect_ok(eio_executor_submit(&e, expect_like_caller, NULL, 0));
	return eio_switch_end(&sw, 0);
}

/* What the program asked for holds in all of it: an ignored signal, say, is every thread's. */
START_TEST(without_a_config_of_its_own_a_domain_has_the_callers)
{
	const struct eio_config config = {
		.n_blocks = 5,
		.flags = EIO_RUN_KEEP_SIGPIPE | EIO_RUN_RESTRICT,
	};

	run_ring_with(&config, run_like_caller, 0);
}
END_TEST

/* The kernel's thread that polls the ring; 0: none. */
static int polling_thread(void *arg)
{
	char path[64], line[128];
	int thread = 0;
	FILE *f;

	(void) arg;
	expect_ok(eio_ll_noop()); /* until it has begun it is not known by its number */
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", eio_ll_ring()->ring_fd);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "SqThread: %d", &thread);
	fclose(f);
	return thread > 0 ? thread : 0;
}

static int poll_here_and_there(void *arg)
{
	struct eio_config there = {.polling_timeout_ms = 2};
	struct eio_domain_opts opts = {.config = &there};
	int here = polling_thread(arg);

	ck_assert_int_ne(here, 0);
	expect_err(eio_domain_run_with(env->domain_mgr, &opts, polling_thread, NULL), here);
	there.flags = EIO_RUN_PIN_POLLING;
	ck_assert_int_ne(eio_domain_run_with(env->domain_mgr, &opts, polling_thread, NULL), here);
	expect_err(run_there(polling_thread, NULL), here);
	there.polling_timeout_ms = there.flags = 0;
	expect_ok(eio_domain_run_with(env->domain_mgr, &opts, polling_thread, NULL));
	return 0;
}

START_TEST(domains_share_the_kernels_polling_thread_if_they_want_the_same)
{
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2}, poll_here_and_there, 0);
}
END_TEST

static int return_in_child(void *arg)
{
	pid_t pid = fork();
	int status;

	(void) arg;
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(STDERR_FILENO);
		return 0;
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	return 0;
}

RING_TEST(the_child_of_a_fork_does_not_return_from_the_work)
{
	(void) arg;
	expect_ok(run_there(return_in_child, NULL));
	expect_ok(eio_domain_run_raw(env->domain_mgr, NULL, return_in_child, NULL));
	return 0;
}

/* What belongs to one domain */

struct foreign {
	struct eio_switch sw;
	struct eio_cancel cancel;
	struct eio_timeout timeout;
	struct eio_hook hook;
	struct eio_event event;
	unsigned warnings;
};

static void count_warning(int level, const char *line, void *arg)
{
	unsigned *warnings = arg;

	(void) line;
	if (level == EIO_LOG_WARNING)
		++*warnings;
}

static int touch_foreign(void *arg)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct foreign *f = arg;
	struct eio_hook hook;
	char copied = 0;

	expect_err(eio_fork(&f->sw, must_not_run, NULL), -EPERM);
	expect_err(eio_fork_copy(&f->sw, must_not_run, &copied, 1), -EPERM);
	expect_err(eio_fork_daemon(&f->sw, must_not_run, NULL), -EPERM);
	expect_err(eio_fork_promise(&f->sw, must_not_run, NULL, &p), -EPERM);
	expect_err(eio_promise_await(&p, NULL), -EPERM);
	expect_err(eio_switch_check(&f->sw), -EPERM);
	expect_err(eio_switch_fail(&f->sw, -EIO), -EPERM);
	expect_err(eio_switch_end(&f->sw, 0), -EPERM);
	expect_err(eio_on_release(&f->sw, &hook, must_not_run, NULL), -EPERM);
	expect_err(eio_on_release_alloc(&f->sw, must_not_run, NULL), -EPERM);
	ck_assert(!eio_hook_remove(&f->hook));
	expect_err(eio_cancel_raise(&f->cancel, -EIO), -EPERM);
	expect_err(eio_event_await(&f->event), -EPERM);
	eio_cancel_end(&f->cancel);
	ck_assert_uint_eq(f->warnings, 1);
	eio_event_fini(&f->event);
	ck_assert_uint_eq(f->warnings, 2);
	eio_timeout_reset(&f->timeout, 0);
	ck_assert_uint_eq(f->warnings, 3);
	expect_err(eio_timeout_end(&f->timeout, 0), -EPERM);
	return 0;
}

static int note_released(void *arg)
{
	(void) arg;
	note("released");
	return 0;
}

RING_TEST(switches_contexts_timeouts_hooks_and_events_of_another_domain_are_refused)
{
	struct foreign f = {.warnings = 0};

	(void) arg;
	eio_switch_begin(&f.sw);
	expect_ok(eio_on_release(&f.sw, &f.hook, note_released, NULL));
	eio_cancel_begin(&f.cancel);
	eio_timeout_begin(&f.timeout, env->mono_clock, EIO_SEC(100));
	expect_ok(eio_event_init(&f.event));
	eio_set_log(count_warning, &f.warnings);
	expect_ok(run_there(touch_foreign, &f));
	eio_set_log(NULL, NULL);
	eio_event_fini(&f.event);
	expect_ok(eio_timeout_end(&f.timeout, 0));
	eio_cancel_end(&f.cancel);
	expect_ok(eio_switch_check(&f.sw));
	expect_ok(eio_switch_end(&f.sw, 0));
	expect_log("released");
	return 0;
}

struct shared_pipe {
	struct eio_flow reader, writer;
};

static int write_and_close(void *arg)
{
	struct shared_pipe *s = arg;

	expect_ok(eio_flow_write(s->writer, "across", 6));
	return eio_flow_close(s->writer);
}

RING_TEST(descriptors_are_used_and_closed_from_another_domain)
{
	struct shared_pipe s;
	struct eio_switch sw;
	char text[8];

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &s.reader, &s.writer);
	expect_ok(run_there(write_and_close, &s));
	expect_err(eio_flow_read(s.reader, text, sizeof(text)), 6);
	ck_assert(memcmp(text, "across", 6) == 0);
	expect_ok((int) eio_flow_read(s.reader, text, sizeof(text)));
	expect_err(eio_flow_write(s.writer, text, 1), -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

/* Two domains that wake each other. */

enum { ROUNDS = SANITIZED ? 10000 : 50000 };

struct rally {
	struct eio_stream there, back;
};

static int return_balls(void *arg)
{
	struct rally *r = arg;
	unsigned ball;
	int rc;

	while ((rc = eio_stream_take(&r->there, &ball)) == 0) {
		ball++;
		expect_ok(eio_stream_add(&r->back, &ball));
	}
	return rc == EIO_EOF ? 0 : rc;
}

static int run_return_balls(void *arg)
{
	return run_there(return_balls, arg);
}

RING_TEST(two_domains_that_wake_each_other_lose_nothing)
{
	struct eio_switch sw;
	struct rally r;

	(void) arg;
	expect_ok(eio_stream_init(&r.there, sizeof(unsigned), 0));
	expect_ok(eio_stream_init(&r.back, sizeof(unsigned), 1));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, run_return_balls, &r));
	for (unsigned i = 0; i < ROUNDS * soak(); i++) {
		unsigned ball = i;

		expect_ok(eio_stream_add(&r.there, &ball));
		expect_ok(eio_stream_take(&r.back, &ball));
		ck_assert_uint_eq(ball, i + 1);
	}
	eio_stream_close(&r.there);
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_stream_fini(&r.there, NULL, NULL));
	expect_ok(eio_stream_fini(&r.back, NULL, NULL));
	return 0;
}

/* Without a ring */

static int look_around(void *arg)
{
	*(long *) arg = thread_id();
	expect_err(eio_yield(), -EPERM);
	expect_err(eio_domain_run(env->domain_mgr, must_not_run, NULL), -EPERM);
	ck_assert_uint_eq(eio_domain_self().id, 0);
	return 5;
}

CORE_TEST(raw_work_has_no_fibers)
{
	long thread = 0;

	(void) arg;
	expect_err(eio_domain_run_raw(env->domain_mgr, NULL, look_around, &thread), 5);
	ck_assert_int_eq(thread == thread_id(), on_mock());
	expect_err(eio_domain_run_raw(env->domain_mgr, NULL, fail_plainly, NULL), -EXDEV);
	expect_err(eio_domain_run_raw(env->domain_mgr, NULL, give_up, NULL), EIO_EABANDONED);
	expect_ok(eio_yield());
	return 0;
}

struct raw {
	bool begun, may_end;
};

static int spin(void *arg)
{
	struct raw *r = arg;

	__atomic_store_n(&r->begun, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&r->may_end, __ATOMIC_ACQUIRE))
		usleep(100);
	return 9;
}

static int run_raw_spin(void *arg)
{
	return eio_domain_run_raw(env->domain_mgr, NULL, spin, arg);
}

RING_TEST(raw_work_that_has_begun_is_waited_for)
{
	struct raw r = {.begun = false};
	struct eio_switch sw;
	struct caller c;

	(void) arg;
	eio_switch_begin(&sw);
	start(&sw, &c, run_raw_spin, &r);
	wait_until(__atomic_load_n(&r.begun, __ATOMIC_ACQUIRE));
	expect_ok(eio_cancel_raise(&c.ctx, -EINTR));
	pass();
	ck_assert(!c.over);
	__atomic_store_n(&r.may_end, true, __ATOMIC_RELEASE);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(c.rc, 9);
	return 0;
}

RING_TEST(a_manager_that_runs_nothing_is_not_supported)
{
	static const struct eio_domain_mgr_ops ops = {.name = "nothing"};

	(void) arg;
	expect_err(eio_domain_run_raw((struct eio_domain_mgr){.ops = &ops}, NULL, give, NULL),
		   -EOPNOTSUPP);
	expect_err(eio_domain_run_raw((struct eio_domain_mgr){.ops = NULL}, NULL, give, NULL),
		   -EBADF);
	return 0;
}

/* Work that is sent. A host is a domain that tells who it is and waits. */

struct host {
	struct eio_promise known, leave;
	struct eio_domain_ref ref;
	long thread;
	struct eio_switch sw;
};

static int be_host(void *arg)
{
	struct host *h = arg;
	struct eio_binding b;

	h->thread = thread_id();
	eio_binding_begin(&b, &user, "who asks first");
	h->ref = eio_domain_self();
	eio_binding_end(&b);
	ck_assert_uint_ne(h->ref.id, 0);
	ck_assert_uint_eq(eio_domain_self().id, h->ref.id);
	eio_promise_resolve(&h->known, 0, NULL);
	return eio_promise_await(&h->leave, NULL);
}

static int run_host(void *arg)
{
	return run_there(be_host, arg);
}

static void host_begin(struct host *h)
{
	*h = (struct host){.known = EIO_PROMISE_INIT};
	eio_switch_begin(&h->sw);
	expect_ok(eio_fork(&h->sw, run_host, h));
	expect_ok(eio_promise_await(&h->known, NULL));
}

static void host_end(struct host *h)
{
	eio_promise_resolve(&h->leave, 0, NULL);
	expect_ok(eio_switch_end(&h->sw, 0));
}

static int submit_and_await(struct eio_domain_ref to, eio_fn *fn, void *arg)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	int rc = eio_domain_submit(to, fn, arg, &p);

	if (rc < 0) {
		expect_err(eio_promise_await(&p, NULL), rc);
		return rc;
	}
	return eio_promise_await(&p, NULL);
}

RING_TEST(work_that_is_sent_runs_in_the_given_domain)
{
	struct eio_binding b;
	struct host h;
	long thread = 0;
	int rc;

	(void) arg;
	eio_binding_begin(&b, &user, "somebody");
	host_begin(&h);
	rc = submit_and_await(h.ref, give_thread, &thread);
	ck_assert_int_gt(rc, 1);
	ck_assert_int_eq(thread, h.thread);
	expect_err(submit_and_await(h.ref, fail_link, NULL), -EXDEV);
	expect_words(-EXDEV, "link from there: Invalid cross-device link");
	expect_err(submit_and_await(h.ref, give_up, NULL), EIO_EABANDONED);
	expect_ok(submit_and_await(h.ref, note_user, NULL));
	host_end(&h);
	eio_binding_end(&b);
	expect_log("unset");
	return 0;
}

RING_TEST(a_domain_that_has_ended_is_never_taken_for_another)
{
	struct host old, young;

	(void) arg;
	host_begin(&old);
	host_end(&old);
	expect_err(submit_and_await(old.ref, must_not_run, NULL), -ESRCH);
	host_begin(&young);
	expect_err(submit_and_await(old.ref, must_not_run, NULL), -ESRCH);
	expect_err(submit_and_await((struct eio_domain_ref){.id = 0}, must_not_run, NULL), -EBADF);
	host_end(&young);
	return 0;
}

RING_TEST(what_was_sent_ends_with_the_domain)
{
	struct eio_promise waits[3] = {EIO_PROMISE_INIT};
	struct slow w = {.result = 0};
	struct host h;

	(void) arg;
	host_begin(&h);
	expect_ok(eio_domain_submit(h.ref, end_slowly, &w, &waits[0]));
	expect_ok(eio_domain_submit(h.ref, await_cancel, NULL, &waits[1]));
	expect_ok(eio_promise_await(&w.begun, NULL));
	host_end(&h);
	ck_assert(w.ended);
	for (int i = 0; i < 2; i++)
		expect_err(eio_promise_await(&waits[i], NULL), EIO_EABANDONED);
	return 0;
}

static int ask_when_cancelled(void *arg)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_cancel protect;
	struct host *h = arg;
	int rc;

	note("begun");
	rc = eio_await_cancel();
	eio_cancel_protect_begin(&protect);
	pass(); /* who takes work in ends, too */
	ck_assert_uint_eq(eio_domain_self().id, h->ref.id);
	expect_ok(eio_domain_submit(h->ref, must_not_run, NULL, &p));
	expect_err(eio_promise_await(&p, NULL), EIO_EABANDONED);
	eio_cancel_end(&protect);
	return rc;
}

RING_TEST(a_domain_that_ends_still_knows_who_it_is)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct host h;

	(void) arg;
	host_begin(&h);
	expect_ok(eio_domain_submit(h.ref, ask_when_cancelled, &h, &p));
	expect_ok(submit_and_await(h.ref, give, &(int){0})); /* that one has begun */
	host_end(&h);
	expect_err(eio_promise_await(&p, NULL), EIO_EABANDONED);
	expect_log("begun");
	return 0;
}

static int send_to_self(void *arg)
{
	struct eio_domain_ref self = eio_domain_self();
	int rc = 11;

	(void) arg;
	return submit_and_await(self, give, &rc);
}

RING_TEST(without_memory_nothing_is_sent_and_the_promise_says_so)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct host h;
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	host_begin(&h);
	use_memory_up(1);
	rc = eio_domain_submit(h.ref, must_not_run, NULL, &p);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	expect_err(eio_promise_await(&p, NULL), -ENOMEM);
	host_end(&h);
	return 0;
}

static int refer_to_self_without_memory(void *arg)
{
	struct eio_domain_ref ref;
	int code;

	(void) arg;
	expect_err(eio_error_set(-EIO, "before", NULL), -EIO); /* the record is there */
	use_memory_up(1);
	ref = eio_domain_self();
	give_memory_back();
	code = eio_last_error()->code;
	ck_assert(!ref.id && !ref.eio_private);
	expect_err(code, -ENOMEM);
	expect_words(-ENOMEM, "domain_self: Cannot allocate memory");
	ck_assert_uint_ne(eio_domain_self().id, 0);
	return 0;
}

RING_TEST(without_memory_there_is_no_reference_and_later_there_is)
{
	(void) arg;
	return SANITIZED ? 0 : run_there(refer_to_self_without_memory, NULL);
}

struct sender {
	struct eio_domain_ref to;
	struct eio_promise promises[100];
};

static int count_up(void *arg)
{
	++*(unsigned *) arg; /* in one thread */
	return 0;
}

static unsigned counted;

static int send_many(void *arg)
{
	struct sender *s = arg;

	for (size_t i = 0; i < COUNT(s->promises); i++)
		expect_ok(eio_domain_submit(s->to, count_up, &counted, &s->promises[i]));
	return 0;
}

RING_TEST(anybody_may_send_threads_and_the_domain_itself)
{
	struct sender s = {.promises = {EIO_PROMISE_INIT}};
	struct host h;

	(void) arg;
	counted = 0;
	host_begin(&h);
	s.to = h.ref;
	expect_ok(on_plain_thread(send_many, &s));
	for (size_t i = 0; i < COUNT(s.promises); i++)
		expect_ok(eio_promise_await(&s.promises[i], NULL));
	ck_assert_uint_eq(counted, COUNT(s.promises));
	host_end(&h);
	expect_err(run_there(send_to_self, NULL), 11);
	return 0;
}

/* Sends from the moment that it is told until the domain is gone. */
struct flood {
	struct eio_domain_ref to;
	unsigned sent, resolved;
};

static int resolved_all(struct flood *f)
{
	for (;;) {
		struct eio_promise p = EIO_PROMISE_INIT;
		int rc = eio_domain_submit(f->to, count_up, &counted, &p);
		bool is_resolved;

		f->sent++;
		while (!(is_resolved = eio_promise_peek(&p, NULL, NULL)) && rc == 0)
			sched_yield();
		f->resolved += is_resolved;
		if (rc < 0)
			return rc;
	}
}

static int flood(void *arg)
{
	return resolved_all(arg);
}

static int run_flood(void *arg)
{
	return eio_domain_run_raw(env->domain_mgr, NULL, flood, arg);
}

/* Whenever the domain ends, everything that was sent to it is answered. */
RING_TEST(what_is_sent_while_the_domain_ends_is_answered)
{
	(void) arg;
	for (unsigned i = 0; i < (SANITIZED ? 10 : 50) * soak(); i++) {
		struct flood f = {.sent = 0};
		struct eio_switch sw;
		struct caller c;
		struct host h;

		eio_switch_begin(&sw);
		host_begin(&h);
		f.to = h.ref;
		start(&sw, &c, run_flood, &f);
		expect_ok(eio_sleep(env->mono_clock, 20000 * (i % 10)));
		host_end(&h);
		expect_ok(eio_switch_end(&sw, 0));
		expect_err(c.rc, -ESRCH);
		ck_assert_uint_eq(f.resolved, f.sent);
	}
	return 0;
}

static int run_dump(void *arg)
{
	const struct eio_domain_opts opts = {.name = "dumped"};

	return eio_domain_run_with(env->domain_mgr, &opts, dump, arg);
}

RING_TEST(dumps_show_the_domains_name_and_what_the_caller_waits_for)
{
	struct eio_buffer_sink sink;
	struct eio_flow to = eio_buffer_sink_init(&sink, 1 << 20);

	(void) arg;
	expect_ok(run_dump(&to));
	ck_assert_ptr_nonnull(strstr(sink.data, " \"dumped\" (uring"));
	ck_assert_ptr_nonnull(strstr(sink.data, "main\": work elsewhere"));
	eio_buffer_sink_fini(&sink);
	return 0;
}

SUITE_MAIN("domain", true,
	   the_work_is_the_main_fiber_of_another_thread_and_its_result_comes_back_test,
	   a_failure_comes_back_with_its_details_test,
	   work_that_was_cancelled_alone_is_abandoned_test,
	   the_callers_domain_goes_on_meanwhile_test, the_work_inherits_no_fiber_locals_test,
	   cancellation_crosses_and_the_end_of_the_work_is_waited_for_test,
	   a_result_or_failure_that_came_though_cancelled_is_returned_test,
	   what_was_cancelled_before_does_not_run_test,
	   what_is_cancelled_while_its_thread_is_made_does_not_run_test,
	   cancellation_arrives_at_whatever_moment_it_comes_test,
	   cancellation_ends_what_the_other_domain_has_in_flight_test, ten_domains_run_at_once,
	   domains_nest_test, domains_end_with_a_switch_that_fails_test,
	   without_a_thread_or_memory_or_descriptors_the_work_does_not_run_test,
	   options_out_of_range_are_refused_test,
	   the_thread_has_its_name_and_cpu_and_no_signals_test,
	   threads_of_the_pool_are_not_pinned_with_the_domain_that_makes_them_test,
	   programs_do_not_inherit_that_signals_are_blocked_test, the_domain_has_its_config_test,
	   without_a_config_of_its_own_a_domain_has_the_callers,
	   domains_share_the_kernels_polling_thread_if_they_want_the_same,
	   the_child_of_a_fork_does_not_return_from_the_work_test,
	   switches_contexts_timeouts_hooks_and_events_of_another_domain_are_refused_test,
	   descriptors_are_used_and_closed_from_another_domain_test,
	   two_domains_that_wake_each_other_lose_nothing_test, raw_work_has_no_fibers_test,
	   raw_work_that_has_begun_is_waited_for_test,
	   a_manager_that_runs_nothing_is_not_supported_test,
	   work_that_is_sent_runs_in_the_given_domain_test,
	   a_domain_that_has_ended_is_never_taken_for_another_test,
	   what_was_sent_ends_with_the_domain_test, a_domain_that_ends_still_knows_who_it_is_test,
	   without_memory_nothing_is_sent_and_the_promise_says_so_test,
	   without_memory_there_is_no_reference_and_later_there_is_test,
	   anybody_may_send_threads_and_the_domain_itself_test,
	   what_is_sent_while_the_domain_ends_is_answered_test,
	   dumps_show_the_domains_name_and_what_the_caller_waits_for_test)
