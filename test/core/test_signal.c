/* SPDX-License-Identifier: ISC */
#include "core/handler.h"
#include "core/quit.h"
#include "tasks.h"
#include "uring/util.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUEUED = 256 }; /* real-time signals, as documented */

static const int usr1[] = {SIGUSR1, 0};
static const int usr2[] = {SIGUSR2, 0};
static const int three[] = {SIGUSR1, SIGUSR2, SIGHUP, 0};

/* SIGRTMIN is none of the compiler's constants. */
static const int *real_time(void)
{
	static int list[4];

	list[0] = SIGRTMIN;
	list[1] = SIGRTMAX;
	list[2] = SIGUSR1;
	return list;
}

static void send_value(int sig, int value)
{
	expect_ok(sigqueue(getpid(), sig, (union sigval){.sival_int = value}));
}

/* The next one is there already. */
static siginfo_t next(struct eio_signals *s)
{
	siginfo_t info;

	expect_err(eio_signals_next(s, &info), 1);
	return info;
}

static int ask_next(void *arg)
{
	return eio_signals_next(arg, NULL);
}

static bool would_wait(struct eio_signals *s)
{
	struct caller c = {.fn = ask_next, .arg = s};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	fork_caller(&sw, &c);
	if (c.rc == WAITS)
		cancel_caller(&c);
	expect_ok(eio_switch_end(&sw, 0));
	return c.rc == -ECANCELED;
}

static struct sigaction disposition(int sig)
{
	struct sigaction now;

	expect_ok(sigaction(sig, NULL, &now));
	return now;
}

static bool does(int sig, void (*handler)(int))
{
	return disposition(sig).sa_handler == handler;
}

static volatile sig_atomic_t handled;

static void count_signal(int sig)
{
	(void) sig;
	handled++;
}

/* What comes, and how */

CORE_TEST(a_signal_comes_with_its_details)
{
	struct eio_signals s;
	siginfo_t info;

	(void) arg;
	expect_ok(eio_signals_begin(&s, three));
	send_value(SIGUSR2, 4711);
	info = next(&s);
	ck_assert_int_eq(info.si_signo, SIGUSR2);
	ck_assert_int_eq(info.si_code, SI_QUEUE);
	ck_assert_int_eq(info.si_pid, getpid());
	ck_assert_int_eq(info.si_value.sival_int, 4711);
	ck_assert(would_wait(&s));
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(what_comes_between_two_calls_is_kept_in_order)
{
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, three));
	for (int i = 0; i < 10; i++) {
		raise(SIGUSR2);
		raise(SIGHUP);
		raise(SIGUSR1);
		ck_assert_int_eq(next(&s).si_signo, SIGUSR2);
		raise(SIGUSR2);
		ck_assert_int_eq(next(&s).si_signo, SIGHUP);
		ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
		ck_assert_int_eq(next(&s).si_signo, SIGUSR2);
		ck_assert(would_wait(&s));
	}
	eio_signals_end(&s);
	return 0;
}

static int raise_usr1(void *arg)
{
	(void) arg;
	note("raise");
	raise(SIGUSR1);
	note("raised");
	return 0;
}

static int note_next(void *arg)
{
	note("wait");
	expect_err(eio_signals_next(arg, NULL), 1);
	note("next");
	return 0;
}

CORE_TEST(who_waits_is_woken)
{
	struct eio_signals s;
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, note_next, &s));
	expect_ok(eio_fork(&sw, raise_usr1, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("wait raise raised next");
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(several_fibers_may_wait_and_get_one_each)
{
	struct eio_signals s;
	struct eio_switch sw;

	(void) arg;
	expect_ok(eio_signals_begin(&s, three));
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, note_next, &s));
	for (int i = 0; i < 3; i++)
		raise(three[i]);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("wait wait wait next next next");
	ck_assert(would_wait(&s));
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(a_standard_signal_is_one_until_it_is_taken)
{
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++)
			send_value(SIGUSR1, i);
		ck_assert_int_eq(next(&s).si_value.sival_int, 0);
		ck_assert(would_wait(&s));
	}
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(real_time_signals_queue)
{
	struct eio_signals s;
	siginfo_t info;

	(void) arg;
	expect_ok(eio_signals_begin(&s, real_time()));
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < QUEUED; i++)
			send_value(i % 3 ? SIGRTMIN : SIGRTMAX, i);
		for (int i = 0; i < QUEUED; i++) {
			info = next(&s);
			ck_assert_int_eq(info.si_value.sival_int, i);
			ck_assert_int_eq(info.si_signo, i % 3 ? SIGRTMIN : SIGRTMAX);
		}
		ck_assert(would_wait(&s));
	}
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(too_many_real_time_signals_are_dropped_and_told_once)
{
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, real_time()));
	for (int i = 0; i < 2 * QUEUED; i++)
		send_value(SIGRTMIN, i);
	send_value(SIGUSR1, -1);
	for (int i = 0; i < QUEUED; i++)
		ck_assert_int_eq(next(&s).si_value.sival_int, i);
	ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
	expect_err(eio_signals_next(&s, NULL), -EOVERFLOW);
	ck_assert(would_wait(&s));
	send_value(SIGRTMAX, 7);
	ck_assert_int_eq(next(&s).si_value.sival_int, 7);
	ck_assert(would_wait(&s));
	eio_signals_end(&s);
	return 0;
}

static int note_rc(void *arg)
{
	note("%d", eio_signals_next(arg, NULL));
	return 0;
}

/* The first one takes the last signal and does not come back. */
CORE_TEST(who_waits_is_told_of_those_dropped)
{
	char want[32];
	struct eio_signals s;
	struct eio_switch sw;

	(void) arg;
	snprintf(want, sizeof(want), "1 %d", -EOVERFLOW);
	expect_ok(eio_signals_begin(&s, real_time()));
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++)
		expect_ok(eio_fork(&sw, note_rc, &s));
	for (int i = 0; i < 2 * QUEUED; i++)
		send_value(SIGRTMIN, i);
	for (int i = 0; i < QUEUED - 1; i++)
		next(&s);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log(want);
	ck_assert(would_wait(&s));
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(every_subscription_gets_every_signal_of_its_own)
{
	struct eio_signals both, first, second;

	(void) arg;
	expect_ok(eio_signals_begin(&both, three));
	expect_ok(eio_signals_begin(&first, usr1));
	expect_ok(eio_signals_begin(&second, usr2));
	raise(SIGUSR1);
	raise(SIGUSR2);
	ck_assert_int_eq(next(&first).si_signo, SIGUSR1);
	ck_assert(would_wait(&first));
	ck_assert_int_eq(next(&second).si_signo, SIGUSR2);
	ck_assert(would_wait(&second));
	ck_assert_int_eq(next(&both).si_signo, SIGUSR1);
	ck_assert_int_eq(next(&both).si_signo, SIGUSR2);
	/* In whatever order they end. */
	eio_signals_end(&first);
	raise(SIGUSR1);
	ck_assert_int_eq(next(&both).si_signo, SIGUSR1);
	eio_signals_end(&both);
	raise(SIGUSR2);
	ck_assert_int_eq(next(&second).si_signo, SIGUSR2);
	eio_signals_end(&second);
	return 0;
}

CORE_TEST(a_signal_named_twice_comes_once)
{
	const int twice[] = {SIGUSR1, SIGUSR1, 0};
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, twice));
	raise(SIGUSR1);
	ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
	ck_assert(would_wait(&s));
	eio_signals_end(&s);
	ck_assert(does(SIGUSR1, SIG_DFL));
	return 0;
}

CORE_TEST(a_blocked_signal_comes_when_it_is_let_in)
{
	struct eio_signals s;
	sigset_t set;

	(void) arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_ok(eio_signals_begin(&s, usr1));
	expect_ok(pthread_sigmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	ck_assert(would_wait(&s));
	expect_ok(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
	eio_signals_end(&s);
	return 0;
}

/* Cancellation, errors and limits */

CORE_TEST(what_came_is_kept_for_who_is_not_cancelled)
{
	struct eio_cancel c;
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	raise(SIGUSR1);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_signals_next(&s, NULL), -ECANCELED);
	expect_err(eio_signal_await(usr1), -ECANCELED);
	expect_err(eio_signal_await((const int[]){SIGKILL, 0}), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(a_limit_ends_the_wait_and_the_subscription_goes_on)
{
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	for (int i = 0; i < 3; i++) {
		expect_err(eio_timeout_run(env->mono_clock, 1000, ask_next, &s), -ETIMEDOUT);
		raise(SIGUSR1);
		expect_err(eio_timeout_run(env->mono_clock, EIO_SEC(10), ask_next, &s), 1);
	}
	eio_signals_end(&s);
	return 0;
}

static void expect_refused(int sig)
{
	const int list[] = {SIGUSR1, sig, 0};
	struct eio_signals s;
	char text[200], name[32];

	snprintf(name, sizeof(name), "signal %d", sig);
	expect_err(eio_signals_begin(&s, list), -EINVAL);
	eio_error_format(-EINVAL, text, sizeof(text));
	ck_assert_msg(strstr(text, name) && strstr(text, "eio_signals_begin"), "%s", text);
	expect_err(eio_signal_await(list), -EINVAL);
	ck_assert(does(SIGUSR1, SIG_DFL));
}

CORE_TEST(what_cannot_be_waited_for_is_refused)
{
	const int refused[] = {-1,     SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGFPE,
			       SIGILL, 32,      33,      65,      INT_MAX, INT_MIN};
	struct eio_signals s;

	(void) arg;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		expect_refused(refused[i]);
	expect_err(eio_signals_begin(&s, (const int[]){0}), -EINVAL);
	return 0;
}

CORE_TEST(all_others_may_be)
{
	struct sigaction before[65];
	int list[65] = {0}, n = 0;
	struct eio_signals s;

	(void) arg;
	for (int sig = 1; sig <= 64; sig++) {
		sigaction(sig, NULL, &before[sig]);
		if (!strchr((char[]){SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32, 33, 0},
			    sig))
			list[n++] = sig;
	}
	expect_ok(eio_signals_begin(&s, list));
	for (int i = 0; i < n; i++)
		raise(list[i]);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(next(&s).si_signo, list[i]);
	eio_signals_end(&s);
	for (int i = 0; i < n; i++)
		ck_assert(does(list[i], before[list[i]].sa_handler));
	return 0;
}

CORE_TEST(without_memory_nothing_is_changed)
{
	struct eio_signals s;
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	use_memory_up(64);
	rc = eio_signals_begin(&s, real_time());
	give_memory_back();
	expect_err(rc, -ENOMEM);
	ck_assert(does(SIGUSR1, SIG_DFL));
	return 0;
}

static int use_foreign(void *arg)
{
	expect_err(eio_signals_next(arg, NULL), -EPERM);
	eio_signals_end(arg);
	return 0;
}

static int begin_here(void *arg)
{
	struct eio_signals s;

	(void) arg;
	return eio_signals_begin(&s, usr1);
}

static int await_here(void *arg)
{
	(void) arg;
	return eio_signal_await(usr1);
}

CORE_TEST(a_subscription_is_its_domains)
{
	struct eio_signals s;

	(void) arg;
	expect_err(on_plain_thread(begin_here, NULL), -EPERM);
	expect_err(on_plain_thread(await_here, NULL), -EPERM);
	ck_assert(does(SIGUSR1, SIG_DFL));
	expect_ok(eio_signals_begin(&s, usr1));
	eio_set_log(NULL, NULL);
	raise(SIGUSR1);
	expect_ok(in_other_domain(use_foreign, &s));
	expect_ok(on_plain_thread(use_foreign, &s));
	ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(what_has_ended_stays_so)
{
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	eio_signals_end(&s);
	eio_signals_end(&s);
	expect_err(eio_signals_next(&s, NULL), -EINVAL);
	expect_err(on_plain_thread(ask_next, &s), -EPERM);
	ck_assert(does(SIGUSR1, SIG_DFL));
	return 0;
}

static int forget_the_end(void *arg)
{
	static struct eio_signals s;

	(void) arg;
	return eio_signals_begin(&s, usr1);
}

START_TEST(a_subscription_that_is_not_ended_aborts)
{
	expect_core_abort(forget_the_end, NULL, "main returned before eio_signals_end");
}
END_TEST

/* eio_signal_await */

static int await_and_note(void *arg)
{
	int rc = eio_signal_await(arg);

	note("%s", rc == SIGUSR1 ? "usr1" : rc == SIGUSR2 ? "usr2" : eio_err_name(rc));
	return 0;
}

CORE_TEST(await_returns_the_signal_that_came)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_fork(&sw, await_and_note, (void *) three));
		ck_assert(!does(SIGUSR2, SIG_DFL));
		raise(i ? SIGUSR2 : SIGUSR1);
		while (!log_text()[0])
			expect_ok(eio_yield());
		expect_log(i ? "usr2" : "usr1");
		ck_assert(does(SIGUSR2, SIG_DFL));
	}
	expect_ok(eio_switch_end(&sw, 0));
	return 0;
}

static int be_killed(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, await_and_note, (void *) three));
	raise(SIGUSR1);
	expect_ok(eio_switch_end(&sw, 0));
	raise(SIGUSR1);
	return 0;
}

static void be_killed_in_mock(void *arg)
{
	run_mock(be_killed, 0);
	(void) arg;
}

START_TEST(a_second_signal_does_what_it_did_before)
{
	expect_death(be_killed_in_mock, NULL, SIGUSR1, "");
}
END_TEST

/* Dispositions */

CORE_TEST(what_a_signal_did_before_it_does_again_after_the_last_end)
{
	void (*const before[])(int) = {SIG_DFL, SIG_IGN, count_signal};
	struct eio_signals one, other;

	(void) arg;
	for (int i = 0; i < 3; i++) {
		signal(SIGUSR1, before[i]);
		expect_ok(eio_signals_begin(&one, three));
		ck_assert(does(SIGHUP, disposition(SIGUSR1).sa_handler));
		expect_ok(eio_signals_begin(&other, usr1));
		raise(SIGUSR1);
		eio_signals_end(&one);
		ck_assert(does(SIGHUP, SIG_DFL));
		raise(SIGUSR1);
		ck_assert_int_eq(next(&other).si_signo, SIGUSR1);
		eio_signals_end(&other);
		ck_assert(does(SIGUSR1, before[i]));
	}
	ck_assert_int_eq(handled, 0);
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 1);
	handled = 0;
	signal(SIGUSR1, SIG_DFL);
	return 0;
}

CORE_TEST(handlers_leave_stacks_and_calls_alone)
{
	struct eio_signals s;
	struct sigaction now;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	now = disposition(SIGUSR1);
	ck_assert_int_eq(now.sa_flags & (SA_ONSTACK | SA_RESTART | SA_RESETHAND | SA_NODEFER),
			 SA_ONSTACK | SA_RESTART);
	ck_assert(sigismember(&now.sa_mask, SIGUSR2));
	errno = EXDEV;
	raise(SIGUSR1);
	ck_assert_int_eq(errno, EXDEV);
	eio_signals_end(&s);
	return 0;
}

CORE_TEST(a_handler_of_the_programs_stays_until_the_next_begin)
{
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	signal(SIGUSR1, count_signal);
	eio_signals_end(&s);
	ck_assert(does(SIGUSR1, count_signal));
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_signals_begin(&s, usr1));
		raise(SIGUSR1);
		ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
		eio_signals_end(&s);
		ck_assert(does(SIGUSR1, count_signal));
	}
	ck_assert_int_eq(handled, 0);
	signal(SIGUSR1, SIG_DFL);
	return 0;
}

/* The program took over and put back what it had found, when that had ended. */
CORE_TEST(a_handler_put_back_late_is_not_taken_for_the_programs)
{
	struct sigaction ours, theirs = {.sa_handler = count_signal};
	struct eio_signals s;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	expect_ok(sigaction(SIGUSR1, &theirs, &ours));
	eio_signals_end(&s);
	expect_ok(sigaction(SIGUSR1, &ours, NULL));
	expect_ok(eio_signals_begin(&s, usr1));
	raise(SIGUSR1);
	ck_assert_int_eq(next(&s).si_signo, SIGUSR1);
	eio_signals_end(&s);
	ck_assert(does(SIGUSR1, SIG_DFL));
	return 0;
}

CORE_TEST(the_child_of_a_fork_has_no_subscription)
{
	struct eio_signals s;
	int status;
	pid_t pid;

	(void) arg;
	expect_ok(eio_signals_begin(&s, usr1));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	ck_assert(would_wait(&s));
	eio_signals_end(&s);
	return 0;
}

/* With what the library does itself */

static void expect_child_gets(bool ignored, bool by_default)
{
	struct eio__inherited i;
	uint64_t bit = (uint64_t) 1 << (SIGPIPE - 1);

	eio__handlers_inherited(&i);
	ck_assert_int_eq(!!(i.ignored & bit), ignored);
	ck_assert_int_eq(!!(i.by_default & bit), by_default);
}

RING_TEST(sigpipe_comes_to_who_subscribes)
{
	static const int list[] = {SIGPIPE, 0};
	struct eio_signals s;
	int fds[2];

	(void) arg;
	ck_assert(does(SIGPIPE, SIG_IGN));
	expect_ok(eio_signals_begin(&s, list));
	expect_child_gets(false, true);
	expect_ok(pipe(fds));
	close(fds[0]);
	ck_assert_int_eq(write(fds[1], "x", 1), -1);
	ck_assert_int_eq(next(&s).si_signo, SIGPIPE);
	close(fds[1]);
	eio_signals_end(&s);
	ck_assert(does(SIGPIPE, SIG_IGN));
	return 0;
}

static struct eio__handler ignored = EIO__HANDLER_INIT(SIGUSR1, .sa_handler = SIG_IGN);

static void expect_signal(struct eio_signals *s)
{
	raise(SIGUSR1);
	ck_assert_int_eq(next(s).si_signo, SIGUSR1);
}

/* Runs begin and end before, during and after subscriptions. */
CORE_TEST(other_handlers_of_the_library_come_and_go_below)
{
	void (*const before[])(int) = {SIG_DFL, SIG_IGN, count_signal};
	struct eio_signals s;

	(void) arg;
	for (int i = 0; i < 3; i++) {
		signal(SIGUSR1, before[i]);
		/* Below, and it ends first. */
		eio__handler_begin(&ignored);
		expect_ok(eio_signals_begin(&s, usr1));
		expect_signal(&s);
		eio__handler_end(&ignored);
		expect_signal(&s);
		eio_signals_end(&s);
		ck_assert(does(SIGUSR1, before[i]));
		/* It begins during, and ends first. */
		expect_ok(eio_signals_begin(&s, usr1));
		eio__handler_begin(&ignored);
		expect_signal(&s);
		eio__handler_end(&ignored);
		expect_signal(&s);
		eio_signals_end(&s);
		ck_assert(does(SIGUSR1, before[i]));
		/* It begins during, and ends last. */
		expect_ok(eio_signals_begin(&s, usr1));
		eio__handler_begin(&ignored);
		eio_signals_end(&s);
		ck_assert(does(SIGUSR1, SIG_IGN));
		eio__handler_end(&ignored);
		ck_assert(does(SIGUSR1, before[i]));
	}
	signal(SIGUSR1, SIG_DFL);
	return 0;
}

/* Both left the program's handler in front, which then put back what it had found. */
CORE_TEST(handlers_put_back_late_do_not_call_each_other)
{
	static const int list[] = {SIGQUIT, 0};
	struct sigaction ours, theirs = {.sa_handler = count_signal};
	struct eio_signals s;

	(void) arg;
	signal(SIGQUIT, SIG_IGN);
	eio__quit_begin();
	expect_ok(eio_signals_begin(&s, list));
	expect_ok(sigaction(SIGQUIT, &theirs, &ours));
	eio_signals_end(&s);
	eio__quit_end();
	expect_ok(sigaction(SIGQUIT, &ours, NULL));
	eio__quit_begin();
	expect_ok(eio_signals_begin(&s, list));
	eio__quit_end();
	raise(SIGQUIT);
	ck_assert_int_eq(next(&s).si_signo, SIGQUIT);
	eio_signals_end(&s);
	ck_assert(does(SIGQUIT, SIG_IGN));
	signal(SIGQUIT, SIG_DFL);
	return 0;
}

/* Other processes, threads and domains. ThreadSanitizer delays signals until a call of libc's
 * that blocks; the ring's is none. */

enum { ROUNDS = SANITIZED ? 300 : 2000 };

static void read_byte(int fd)
{
	char b;

	if (read(fd, &b, 1) != 1)
		_exit(1);
}

/* Each round both kinds, the queueing one three times, and the next when those were taken. */
static void send_all(pid_t to, int acknowledged)
{
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < 3; k++) {
			if (sigqueue(to, SIGRTMIN, (union sigval){.sival_int = 3 * i + k}) < 0)
				_exit(1);
		}
		kill(to, three[i % 3]);
		read_byte(acknowledged);
	}
	_exit(0);
}

RING_TEST(thousands_from_another_process_all_come)
{
	const int all[] = {SIGRTMIN, SIGUSR1, SIGUSR2, SIGHUP, 0};
	struct eio_signals s;
	int fds[2], status, value = 0;
	siginfo_t info;
	pid_t pid;

#ifdef EIO__TSAN
	return 0;
#endif
	(void) arg;
	expect_ok(pipe(fds));
	expect_ok(eio_signals_begin(&s, all));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		send_all(getppid(), fds[0]);
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < 4; k++) {
			info = next(&s);
			ck_assert_int_eq(info.si_pid, pid);
			if (info.si_signo == SIGRTMIN)
				ck_assert_int_eq(info.si_value.sival_int, value++);
			else
				ck_assert_int_eq(info.si_signo, three[i % 3]);
		}
		ck_assert_int_eq(write(fds[1], "", 1), 1);
	}
	ck_assert_int_eq(value, 3 * ROUNDS);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	eio_signals_end(&s);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* Domains that count what comes to them. Signals are sent to the process when all are ready. */
struct counter {
	pthread_t thread;
	unsigned *ready;
	unsigned *taken;
};

static int count_all(struct eio_env *e, void *arg)
{
	struct counter *c = arg;
	struct eio_signals s;

	(void) e;
	expect_ok(eio_signals_begin(&s, real_time()));
	__atomic_add_fetch(c->ready, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < ROUNDS; i++) {
		if (next(&s).si_value.sival_int != i)
			ck_abort_msg("round %d", i);
		__atomic_add_fetch(c->taken, 1, __ATOMIC_SEQ_CST);
	}
	eio_signals_end(&s);
	return 0;
}

static void *run_counter(void *arg)
{
	expect_ok(eio_run(NULL, count_all, arg));
	return NULL;
}

static void await_count(const unsigned *n, unsigned wanted)
{
	while (__atomic_load_n(n, __ATOMIC_SEQ_CST) < wanted)
		sched_yield();
}

START_TEST(every_domain_gets_every_signal)
{
	unsigned ready = 0, taken = 0;
	struct counter counters[3];

#ifdef EIO__TSAN
	return;
#endif
	for (int i = 0; i < 3; i++) {
		counters[i] = (struct counter){.ready = &ready, .taken = &taken};
		expect_ok(pthread_create(&counters[i].thread, NULL, run_counter, &counters[i]));
	}
	await_count(&ready, 3);
	for (unsigned i = 0; i < ROUNDS; i++) {
		send_value(SIGRTMIN, (int) i);
		await_count(&taken, 3 * i > 200 ? 3 * i - 200 : 0);
	}
	for (int i = 0; i < 3; i++)
		expect_ok(pthread_join(counters[i].thread, NULL));
	ck_assert_uint_eq(taken, 3 * ROUNDS);
	ck_assert(does(SIGRTMIN, SIG_DFL));
}
END_TEST

/* Signals from and on other threads while subscriptions come and go. */
static void *signal_threads(void *arg)
{
	while (!__atomic_load_n((bool *) arg, __ATOMIC_RELAXED)) {
		kill(getpid(), SIGUSR1);
		raise(SIGUSR1);
		raise(SIGUSR2);
	}
	return NULL;
}

RING_TEST(subscriptions_come_and_go_among_signals)
{
	struct eio_signals always, s[3];
	pthread_t threads[2];
	bool stop = false;

	(void) arg;
	expect_ok(eio_signals_begin(&always, three));
	for (int i = 0; i < 2; i++)
		expect_ok(pthread_create(&threads[i], NULL, signal_threads, &stop));
	for (int i = 0; i < ROUNDS / 10; i++) {
		for (int k = 0; k < 3; k++)
			expect_ok(eio_signals_begin(&s[k], k == i % 3 ? three : usr1));
		expect_err(eio_signals_next(&s[i % 2], NULL), 1);
		for (int k = 0; k < 3; k++)
			eio_signals_end(&s[(i + k) % 3]);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		expect_ok(pthread_join(threads[i], NULL));
	eio_signals_end(&always);
	return 0;
}

SUITE_MAIN("signal", false, a_signal_comes_with_its_details_test,
	   what_comes_between_two_calls_is_kept_in_order_test, who_waits_is_woken_test,
	   several_fibers_may_wait_and_get_one_each_test,
	   a_standard_signal_is_one_until_it_is_taken_test, real_time_signals_queue_test,
	   too_many_real_time_signals_are_dropped_and_told_once_test,
	   who_waits_is_told_of_those_dropped_test,
	   every_subscription_gets_every_signal_of_its_own_test,
	   a_signal_named_twice_comes_once_test, a_blocked_signal_comes_when_it_is_let_in_test,
	   what_came_is_kept_for_who_is_not_cancelled_test,
	   a_limit_ends_the_wait_and_the_subscription_goes_on_test,
	   what_cannot_be_waited_for_is_refused_test, all_others_may_be_test,
	   without_memory_nothing_is_changed_test, a_subscription_is_its_domains_test,
	   what_has_ended_stays_so_test, a_subscription_that_is_not_ended_aborts,
	   await_returns_the_signal_that_came_test, a_second_signal_does_what_it_did_before,
	   what_a_signal_did_before_it_does_again_after_the_last_end_test,
	   handlers_leave_stacks_and_calls_alone_test,
	   a_handler_of_the_programs_stays_until_the_next_begin_test,
	   a_handler_put_back_late_is_not_taken_for_the_programs_test,
	   the_child_of_a_fork_has_no_subscription_test, sigpipe_comes_to_who_subscribes_test,
	   other_handlers_of_the_library_come_and_go_below_test,
	   handlers_put_back_late_do_not_call_each_other_test,
	   thousands_from_another_process_all_come_test, every_domain_gets_every_signal,
	   subscriptions_come_and_go_among_signals_test)
