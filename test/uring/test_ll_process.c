/* SPDX-License-Identifier: ISC */
#include "support.h"
#include "uring/util.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static int spawn_shell(struct eio_switch *sw, const char *script, struct eio_process *ret)
{
	struct eio_ll_action a = eio_ll_action_execve("/bin/sh", shell(script), NULL);

	return eio_ll_spawn(sw, &a, 1, ret);
}

static struct eio_process start(struct eio_switch *sw, const char *script)
{
	struct eio_process p;

	expect_ok(spawn_shell(sw, script, &p));
	return p;
}

/* A process that waits to be killed. */
static struct eio_process start_sleeper(struct eio_switch *sw)
{
	return start(sw, "exec sleep 1000");
}

static int status_of(struct eio_process p)
{
	int status = -1;

	expect_ok(eio_ll_process_await(p, &status));
	return status;
}

/* Not even a zombie. */
static bool is_gone(int pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/*
 * What a script writes to descriptor 1 after @p n actions, which may use descriptors beside,
 * without its last newline.
 */
static const char *said(const struct eio_ll_action *before, size_t n, const char *script)
{
	static char text[8192];
	struct eio_ll_action actions[8];
	struct eio_inherit out;
	struct eio_process p;
	struct eio_switch sw;
	struct eio_fd r, w;
	size_t len = 0;
	ssize_t got;

	eio_switch_begin(&sw);
	pipe_on(&sw, &r, &w);
	out = (struct eio_inherit){w, 1};
	for (size_t i = 0; i < n; i++)
		actions[i] = before[i];
	actions[n] = eio_ll_action_inherit_fds(&out, 1);
	actions[n + 1] = eio_ll_action_execve("/bin/sh", shell(script), NULL);
	expect_ok(eio_ll_spawn(&sw, actions, n + 2, &p));
	expect_ok(eio_fd_close(w));
	while ((got = eio_ll_read(r, text + len, sizeof(text) - 1 - len, EIO_CURRENT)) > 0)
		len += (size_t) got;
	ck_assert_int_eq(got, 0);
	text[len] = 0;
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	ck_assert_int_eq(status_of(p), 0);
	expect_ok(eio_switch_end(&sw, 0));
	return text;
}

#define expect_said(before, n, script, text) ck_assert_str_eq(said(before, n, script), text)

/* How it ends */

RING_TEST(a_status_is_as_waitpid_tells)
{
	static const char *const scripts[] = {"exit 0", "exit 7", "exit 255", "kill -TERM $$",
					      "kill -KILL $$"};
	struct eio_switch sw;
	int status;

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < LEN(scripts); i++) {
		int pid = fork();

		if (pid == 0)
			execv("/bin/sh", (char *const *) shell(scripts[i]));
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status_of(start(&sw, scripts[i])), status);
	}
	expect_ok(eio_ll_process_await(start(&sw, "exit 3"), NULL));
	return eio_switch_end(&sw, 0);
}

/* With a core file, where that can be had. */
RING_TEST(a_core_dump_shows_in_the_status)
{
	static const char script[] = "ulimit -c unlimited; kill -SEGV $$";
	char at[] = "/tmp/eio-ll-process-XXXXXX", clean[64];
	struct eio_switch sw;
	int status, pid;

	(void) arg;
	ck_assert_ptr_nonnull(mkdtemp(at));
	snprintf(clean, sizeof(clean), "exec rm -r %s", at);
	ck_assert_int_eq(chdir(at), 0);
	pid = fork();
	if (pid == 0)
		execv("/bin/sh", (char *const *) shell(script));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	eio_switch_begin(&sw);
	ck_assert_int_eq(status_of(start(&sw, script)), status);
	ck_assert_int_eq(status_of(start(&sw, clean)), 0);
	return eio_switch_end(&sw, 0);
}

static int await_and_note(void *arg)
{
	note("%d", status_of(*(struct eio_process *) arg));
	return 0;
}

RING_TEST(all_who_wait_get_the_status_and_so_does_who_comes_later)
{
	struct eio_switch sw, waiters;
	struct eio_process p;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	eio_switch_begin(&waiters);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&waiters, await_and_note, &p));
	expect_ok(eio_ll_noop());
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	expect_ok(eio_switch_end(&waiters, 0));
	expect_log("15 15 15");
	ck_assert_int_eq(status_of(p), SIGTERM);
	ck_assert_int_eq(status_of(p), SIGTERM);
	return eio_switch_end(&sw, 0);
}

RING_TEST(who_was_waited_for_has_no_descriptor_left)
{
	unsigned fds = count_fds();
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	p = start(&sw, "exit 4");
	ck_assert_uint_eq(count_fds(), fds + 1);
	ck_assert_int_eq(status_of(p), 4 << 8);
	ck_assert_uint_eq(count_fds(), fds);
	expect_no_children();
	ck_assert_int_eq(status_of(p), 4 << 8);
	expect_ok(eio_ll_process_signal(p, SIGKILL));
	return eio_switch_end(&sw, 0);
}

static int await(void *arg)
{
	return eio_ll_process_await(*(struct eio_process *) arg, NULL);
}

/* Its entry is queued, not submitted, when somebody else collects the process. */
RING_TEST(the_descriptor_stays_for_who_is_about_to_wait)
{
	struct eio_switch sw, waiter;
	struct eio_process p;
	struct eio_fd r, w;
	siginfo_t info;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	eio_switch_begin(&waiter);
	expect_ok(eio_fork(&waiter, await_and_note, &p));
	expect_ok(eio_ll_process_signal(p, SIGKILL));
	ck_assert_int_eq(waitid(P_PID, (id_t) eio_ll_process_pid(p), &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(status_of(p), SIGKILL);
	expect_log("");
	pipe_on(&sw, &r, &w); /* takes the number if it is free */
	expect_ok(eio_switch_end(&waiter, 0));
	expect_log("9");
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_cancelled_await_leaves_it_to_the_next)
{
	struct eio_switch sw, inner;
	struct eio_process p;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, await, &p));
		expect_ok(eio_ll_noop());
		eio_switch_fail(&inner, -EIO);
		expect_err(eio_switch_end(&inner, 0), -EIO);
	}
	expect_ok(eio_ll_process_signal(p, SIGINT));
	ck_assert_int_eq(status_of(p), SIGINT);
	return eio_switch_end(&sw, 0);
}

RING_TEST(stopping_is_no_end)
{
	struct eio_process p;
	struct eio_switch sw;
	siginfo_t info;
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	expect_ok(eio_ll_process_signal(p, SIGSTOP));
	ck_assert_int_eq(waitid(P_PID, (id_t) eio_ll_process_pid(p), &info, WSTOPPED | WNOWAIT), 0);
	rc = eio_timeout_run(env->mono_clock, EIO_MS(2), await, &p);
	expect_err(rc, -ETIMEDOUT);
	return eio_switch_end(&sw, 0);
}

RING_TEST(who_collects_it_himself_is_told_that_it_is_gone)
{
	struct eio_process p;
	struct eio_switch sw;
	int status;

	(void) arg;
	eio_switch_begin(&sw);
	p = start(&sw, "exit 1");
	ck_assert_int_eq(waitpid(-1, &status, 0), eio_ll_process_pid(p));
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	expect_err(eio_ll_process_await(p, &status), -ECHILD);
	expect_err(eio_ll_process_await(p, &status), -ECHILD);
	p = start(&sw, "exit 1");
	ck_assert_int_eq(waitpid(-1, &status, 0), eio_ll_process_pid(p));
	return eio_switch_end(&sw, 0);
}

/* The end of the switch */

RING_TEST(the_end_of_the_switch_kills_and_collects_its_own_and_nobody_else)
{
	int pid = fork(), status, own;
	struct eio_process p, q;
	struct eio_switch sw;

	(void) arg;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	eio_switch_begin(&sw);
	p = start(&sw, "trap '' TERM INT HUP; while :; do sleep 1000; done");
	q = start(&sw, "exit 5");
	own = eio_ll_process_pid(p);
	ck_assert(!is_gone(own));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_gone(own));
	expect_err(eio_ll_process_await(p, &status), -EBADF);
	expect_err(eio_ll_process_await(q, &status), -EBADF);

	ck_assert_int_eq(waitpid(-1, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(-1, &status, 0), pid);
	expect_no_children();
	return 0;
}

RING_TEST(a_failed_switch_ends_its_processes_too)
{
	struct eio_process p;
	struct eio_switch sw;
	int pid;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	pid = eio_ll_process_pid(p);
	eio_switch_fail(&sw, -EIO);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert(is_gone(pid));
	return 0;
}

/* Waits longer than the switch of its process lives. */
RING_TEST(who_waits_when_the_switch_ends_gets_the_status)
{
	struct eio_switch sw, outer;
	struct eio_process p;

	(void) arg;
	eio_switch_begin(&outer);
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	expect_ok(eio_fork(&outer, await_and_note, &p));
	expect_ok(eio_fork(&outer, await_and_note, &p));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_switch_end(&outer, 0));
	expect_log("9 9");
	return 0;
}

static int await_elsewhere(struct eio_env *e, void *arg)
{
	(void) e;
	return status_of(*(struct eio_process *) arg);
}

static void *other_domain(void *arg)
{
	return (void *) (intptr_t) eio_run(NULL, await_elsewhere, arg);
}

RING_TEST(another_domain_may_wait_and_signal)
{
	struct eio_process p;
	struct eio_switch sw;
	pthread_t threads[2];
	void *status;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	for (size_t i = 0; i < LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, other_domain, &p), 0);
	expect_ok(eio_ll_process_signal(p, SIGUSR1));
	ck_assert_int_eq(status_of(p), SIGUSR1);
	for (size_t i = 0; i < LEN(threads); i++) {
		pthread_join(threads[i], &status);
		ck_assert_int_eq((int) (intptr_t) status, SIGUSR1);
	}
	return eio_switch_end(&sw, 0);
}

static int signal_term(void *arg)
{
	return eio_ll_process_signal(*(struct eio_process *) arg, SIGTERM);
}

RING_TEST(a_thread_without_fibers_may_signal_but_not_wait)
{
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	expect_err(on_plain_thread(await, &p), -EPERM);
	expect_ok(on_plain_thread(signal_term, &p));
	ck_assert_int_eq(status_of(p), SIGTERM);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(on_plain_thread(signal_term, &p), -EBADF);
	return 0;
}

/* Handles and signals */

static int spawn_nothing(struct eio_switch *sw)
{
	struct eio_ll_action a = eio_ll_action_execve("/nowhere", shell(""), NULL);
	struct eio_process p;

	return eio_ll_spawn(sw, &a, 1, &p);
}

/* What is used next, after a failure. */
static void *other_record(void)
{
	struct eio_process p;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_err(spawn_nothing(&sw), -ENOENT);
	p = start(&sw, "exit 0");
	expect_ok(eio_switch_end(&sw, 0));
	return p.eio_private;
}

RING_TEST(a_stale_handle_stays_stale)
{
	struct eio_process old, p, zero = {0};
	struct eio_switch sw;
	int status = -1, pid;

	(void) arg;
	eio_switch_begin(&sw);
	old = start(&sw, "exit 0");
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < 3; i++) {
		eio_switch_begin(&sw);
		p = start_sleeper(&sw);
		ck_assert_ptr_eq(p.eio_private, old.eio_private); /* used again */
		expect_err(eio_ll_process_await(old, &status), -EBADF);
		expect_err(eio_ll_process_signal(old, SIGKILL), -EBADF);
		expect_err(eio_ll_process_pid(old), -EBADF);
		expect_err(spawn_nothing(&sw), -ENOENT); /* its record is used again, too */
		if (i == 0) {
			expect_ok(eio_ll_process_signal(p, SIGTERM));
			ck_assert_int_eq(status_of(p), SIGTERM);
		}
		pid = eio_ll_process_pid(p);
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert(is_gone(pid));
		ck_assert_ptr_eq(other_record(), p.eio_private);
	}
	expect_err(eio_ll_process_await(zero, &status), -EBADF);
	expect_err(eio_ll_process_signal(zero, SIGKILL), -EBADF);
	expect_err(eio_ll_process_pid(zero), -EBADF);
	ck_assert_int_eq(status, -1);
	return 0;
}

RING_TEST(signals_reach_it_until_it_has_ended)
{
	struct eio_process p;
	struct eio_switch sw;
	struct eio_cancel c;
	siginfo_t info;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	expect_err(eio_ll_process_signal(p, 1000), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "process_signal");
	expect_ok(eio_ll_process_signal(p, 0));
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	expect_err(eio_ll_process_await(p, NULL), -ECANCELED);
	eio_cancel_end(&c);
	/* Ended, not collected; collected by us; by others. */
	ck_assert_int_eq(waitid(P_PID, (id_t) eio_ll_process_pid(p), &info, WEXITED | WNOWAIT), 0);
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	ck_assert_int_eq(status_of(p), SIGTERM);
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	p = start(&sw, "exit 0");
	ck_assert_int_eq(waitid(P_PID, (id_t) eio_ll_process_pid(p), &info, WEXITED), 0);
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	return eio_switch_end(&sw, 0);
}

/* Makes system calls unknown to this process and to its children, for good. */
static bool forbid(const unsigned *calls, size_t n)
{
	struct sock_filter code[16] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog program = {(unsigned short) (2 * n + 2), code};

	for (size_t i = 0; i < n; i++) {
		code[2 * i + 1] =
			(struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		code[2 * i + 2] =
			(struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	code[2 * n + 1] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Nor clone3, which is not called. */
RING_TEST(a_sandbox_may_lack_newer_calls)
{
	static const unsigned newer[] = {SYS_pidfd_send_signal, SYS_pidfd_open, SYS_clone3, 436};
	struct eio_process p;
	struct eio_switch sw;
	siginfo_t info;
	int pid;

	(void) arg;
	if (!forbid(newer, LEN(newer)))
		return 0;
	eio_switch_begin(&sw);
	p = start_sleeper(&sw);
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	ck_assert_int_eq(waitid(P_PID, (id_t) eio_ll_process_pid(p), &info, WEXITED | WNOWAIT), 0);
	expect_ok(eio_ll_process_signal(p, SIGKILL));
	ck_assert_int_eq(status_of(p), SIGTERM);
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	p = start(&sw, "exit 0");
	ck_assert_int_eq(waitpid(-1, NULL, 0), eio_ll_process_pid(p)); /* by somebody else */
	expect_ok(eio_ll_process_signal(p, SIGTERM));
	p = start_sleeper(&sw);
	expect_err(eio_ll_process_signal(p, 1000), -EINVAL);
	pid = eio_ll_process_pid(p);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_gone(pid));
	return 0;
}

/* Failures */

static const char *format(int err)
{
	static char text[512];

	eio_error_format(err, text, sizeof(text));
	return text;
}

static char dir[] = "/tmp/eio-ll-process-XXXXXX";

static const char *file_with(const char *name, const char *content, int mode)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t) strlen(content));
	fchmod(fd, (mode_t) mode);
	close(fd);
	return path;
}

static void expect_no_exec(const char *path, int err, const char *text)
{
	struct eio_ll_action a = eio_ll_action_execve(path, shell("exit 0"), NULL);
	struct eio_process p = {0};
	struct eio_switch sw;
	char want[256];

	snprintf(want, sizeof(want), text, path);
	eio_switch_begin(&sw);
	expect_err(eio_ll_spawn(&sw, &a, 1, &p), err);
	ck_assert_str_eq(format(err), want);
	ck_assert_ptr_null(p.eio_private);
	expect_no_children();
	expect_ok(eio_switch_end(&sw, 0));
}

RING_TEST(each_way_an_exec_fails_can_be_told_from_the_others)
{
	(void) arg;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	expect_no_exec("/nowhere/at/all", -ENOENT, "execve %s: No such file or directory");
	expect_no_exec(file_with("plain", "#!/bin/sh\n", 0600), -EACCES,
		       "execve %s: Permission denied");
	expect_no_exec("/", -EACCES, "execve %s: Permission denied");
	expect_no_exec(file_with("script", "#!/nowhere/sh\n", 0700), -ENOENT,
		       "interpreter of %s: No such file or directory");
	expect_no_exec(file_with("words", "no program\n", 0700), -ENOEXEC,
		       "execve %s: Exec format error");
	unlink(file_with("plain", "", 0600));
	unlink(file_with("script", "", 0600));
	unlink(file_with("words", "", 0600));
	return rmdir(dir);
}

static void expect_search(const char *const *candidates, int err, const char *text)
{
	struct eio_ll_action a = eio_ll_action_execve_any("it", candidates, shell("exit 3"), NULL);
	struct eio_process p;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_err(eio_ll_spawn(&sw, &a, 1, &p), err);
	if (err == 0)
		ck_assert_int_eq(status_of(p), 3 << 8);
	else
		ck_assert_str_eq(format(err), text);
	expect_ok(eio_switch_end(&sw, 0));
}

/* Of the paths in the first line those before the shell are passed over. */
RING_TEST(of_several_programs_the_first_that_can_be_executed_is)
{
	char plain[64], words[64], script[64];

	(void) arg;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	strcpy(plain, file_with("plain", "#!/bin/sh\n", 0600));
	strcpy(words, file_with("words", "no program\n", 0700));
	strcpy(script, file_with("script", "#!/nowhere/sh\n", 0700));
	{
		const char *const here[] = {"/nowhere/sh", "/dev/null/sh", plain, script,
					    "/bin/sh",     words,          NULL};
		const char *const none[] = {NULL}, *const missing[] = {"/nowhere", "/no/sh", NULL};
		const char *const denied[] = {plain, script, "/nowhere", NULL};
		const char *const broken[] = {"/nowhere", script, "/no/sh", NULL};
		const char *const stops[] = {"/nowhere", words, "/bin/sh", NULL};

		expect_search(here, 0, NULL);
		expect_search(none, -ENOENT, "execve it: No such file or directory");
		expect_search(missing, -ENOENT, "execve it: No such file or directory");
		expect_search(denied, -EACCES, "execve it: Permission denied");
		expect_search(broken, -ENOENT, "interpreter of it: No such file or directory");
		expect_search(stops, -ENOEXEC, "execve it: Exec format error");
	}
	unlink(plain);
	unlink(words);
	unlink(script);
	return rmdir(dir);
}

RING_TEST(too_much_to_pass_on_is_told)
{
	size_t len = 4 << 20;
	char *much = calloc(1, len);
	const char *argv[] = {"sh", much, NULL};
	struct eio_ll_action a = eio_ll_action_execve("/bin/sh", argv, NULL);
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	memset(much, 'x', len - 1);
	eio_switch_begin(&sw);
	expect_err(eio_ll_spawn(&sw, &a, 1, &p), -E2BIG);
	ck_assert_str_eq(format(-E2BIG), "execve /bin/sh: Argument list too long");
	expect_ok(eio_switch_end(&sw, 0));
	free(much);
	return 0;
}

static void expect_no_act(struct eio_ll_action act, int err, const char *text)
{
	struct eio_ll_action actions[] = {eio_ll_action_chdir("/"), act,
					  eio_ll_action_execve("/bin/true", shell(""), NULL)};
	unsigned fds = count_fds();
	struct eio_process p;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_err(eio_ll_spawn(&sw, actions, 3, &p), err);
	ck_assert_str_eq(format(err), text);
	ck_assert_uint_eq(count_fds(), fds);
	expect_no_children();
	expect_ok(eio_switch_end(&sw, 0));
}

RING_TEST(the_action_that_failed_is_named)
{
	struct eio_fd fd, closed, null;
	const struct eio_inherit high[] = {{EIO_STDIN, 3}, {EIO_STDERR, 1 << 30}};
	struct eio_inherit gone[2];
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	closed = file_on(&sw);
	expect_ok(eio_fd_close(closed));
	fd = file_on(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/dev/null", O_RDWR, 0, &null));
	memcpy(gone, high, sizeof(gone));
	gone[1] = (struct eio_inherit){closed, 4};
	expect_no_act(eio_ll_action_chdir("/nowhere"), -ENOENT,
		      "chdir /nowhere: No such file or directory");
	expect_no_act(eio_ll_action_fchdir(fd), -ENOTDIR, "fchdir: Not a directory");
	expect_no_act(eio_ll_action_fchdir(closed), -EBADF, "fchdir: Bad file descriptor");
	expect_no_act(eio_ll_action_inherit_fds(high, 2), -EBADF,
		      "inherit_fds: Bad file descriptor");
	expect_no_act(eio_ll_action_inherit_fds(gone, 2), -EBADF,
		      "inherit_fds: Bad file descriptor");
	expect_no_act(eio_ll_action_setpgid(-2), -EINVAL, "setpgid: Invalid argument");
	/* Who has no right to it is told of that before. */
	ck_assert_int_eq(setgroups(1 << 20, NULL), -1);
	if (errno == EPERM)
		expect_no_act(eio_ll_action_setgroups(NULL, 1 << 20), -EPERM,
			      "setgroups: Operation not permitted");
	else
		expect_no_act(eio_ll_action_setgroups(NULL, 1 << 20), -EINVAL,
			      "setgroups: Invalid argument");
	expect_no_act(eio_ll_action_setgid((gid_t) -1), -EINVAL, "setgid: Invalid argument");
	expect_no_act(eio_ll_action_setuid((uid_t) -1), -EINVAL, "setuid: Invalid argument");
	expect_no_act(eio_ll_action_login_tty(null), -ENOTTY,
		      "login_tty: Inappropriate ioctl for device");
	/* Pinned ones have been unpinned. */
	expect_ok(eio_fd_close(fd));
	expect_ok(eio_fd_close(null));
	return eio_switch_end(&sw, 0);
}

RING_TEST(lists_that_make_no_sense_are_refused)
{
	const struct eio_inherit negative = {EIO_STDIN, -1};
	struct eio_ll_action exec = eio_ll_action_execve("/bin/true", shell(""), NULL);
	struct eio_ll_action cd = eio_ll_action_chdir("/"), odd = {.kind = 77}, none = {.kind = 0};
	const struct eio_ll_action lists[][2] = {
		{cd, cd},
		{exec, exec},
		{odd, exec},
		{none, exec},
		{exec, cd},
		{cd, eio_ll_action_execve(NULL, shell(""), NULL)},
		{cd, eio_ll_action_execve("/bin/true", NULL, NULL)},
		{eio_ll_action_inherit_fds(&negative, 1), exec},
	};
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < LEN(lists); i++)
		expect_err(eio_ll_spawn(&sw, lists[i], 2, &p), -EINVAL);
	expect_err(eio_ll_spawn(&sw, &exec, 0, &p), -EINVAL);
	expect_err(eio_ll_spawn(NULL, &exec, 1, &p), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "spawn");
	expect_no_children();
	return eio_switch_end(&sw, 0);
}

struct attempt {
	struct eio_switch *sw;
	struct eio_process p;
};

static int attempt(void *arg)
{
	struct attempt *a = arg;

	return spawn_shell(a->sw, "exit 0", &a->p);
}

static int attempt_in_run(struct eio_env *e, void *arg)
{
	(void) e;
	return attempt(arg);
}

static int attempt_with_ring(void *arg)
{
	return eio_run(NULL, attempt_in_run, arg);
}

RING_TEST(no_process_on_a_switch_that_is_off_or_elsewhere)
{
	struct eio_switch sw;
	struct attempt a = {.sw = &sw};
	struct eio_cancel c;

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(on_plain_thread(attempt, &a), -EPERM);
	expect_err(in_other_domain(attempt, &a), -EPERM);
	expect_err(on_plain_thread(attempt_with_ring, &a), -EPERM);
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_err(attempt(&a), -ECANCELED);
	eio_cancel_end(&c);
	eio_switch_fail(&sw, -EIO);
	expect_err(attempt(&a), -ECANCELED);
	eio_cancel_protect_begin(&c);
	expect_err(attempt(&a), -ECANCELED);
	eio_cancel_end(&c);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(attempt(&a), -EINVAL);
	expect_no_children();
	return 0;
}

RING_TEST(without_a_free_descriptor_there_is_no_process)
{
	struct rlimit old, low;
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &low);
	expect_err(spawn_shell(&sw, "exit 0", &p), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_str_eq(format(-EMFILE), "clone: Too many open files");
	expect_no_children();
	return eio_switch_end(&sw, 0);
}

/* Descriptors */

/* Files with one letter each, and what descriptors 3 to 6 are then in the child. */
static void expect_letters(const struct eio_inherit *list, size_t n, const char *text)
{
	struct eio_ll_action a = eio_ll_action_inherit_fds(list, n);

	expect_said(&a, 1, "for i in 3 4 5 6; do cat /proc/self/fd/$i 2>&- || printf -; done",
		    text);
}

static struct eio_fd letter(struct eio_switch *sw, char c)
{
	struct eio_fd fd = file_on(sw);

	ck_assert_int_eq(write(number(fd), &c, 1), 1);
	return fd;
}

RING_TEST(descriptors_come_under_their_numbers)
{
	struct eio_inherit list[3] = {{.number = 3}, {.number = 5}, {.number = 6}};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	list[0].fd = list[2].fd = letter(&sw, 'a');
	list[1].fd = letter(&sw, 'b');
	expect_letters(list, 3, "a-ba");
	list[2].number = 5;
	expect_letters(list, 3, "a-a-");
	expect_letters(list, 0, "----");
	return eio_switch_end(&sw, 0);
}

/* The parent's own numbers, given to each other; the first time to themselves. */
RING_TEST(numbers_may_go_round_in_a_cycle)
{
	char script[128], want[4] = "";
	struct eio_inherit list[3] = {{.number = 0}};
	struct eio_ll_action a = eio_ll_action_inherit_fds(list, 3);
	struct eio_switch sw;
	int n[3];

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++) {
		list[i].fd = letter(&sw, (char) ('a' + i));
		n[i] = number(list[i].fd);
	}
	snprintf(script, sizeof(script), "cat /proc/self/fd/%d /proc/self/fd/%d /proc/self/fd/%d",
		 n[0], n[1], n[2]);
	for (int shift = 0; shift < 3; shift++) {
		for (int i = 0; i < 3; i++) {
			list[i].number = n[(i + shift) % 3];
			want[(i + shift) % 3] = (char) ('a' + i);
		}
		expect_said(&a, 1, script, want);
	}
	return eio_switch_end(&sw, 0);
}

/* Also where what is moved out of the way has nowhere to go but between the targets. */
RING_TEST(descriptors_come_where_numbers_are_short)
{
	struct eio_inherit list[] = {{.number = 4}, {.number = 3}, {.number = 6}};
	struct rlimit old, low;
	struct eio_switch sw;
	int fd;

	(void) arg;
	eio_switch_begin(&sw);
	list[0].fd = letter(&sw, 'a');
	list[1].fd = letter(&sw, 'b');
	list[2].fd = EIO_STDIN;
	getrlimit(RLIMIT_NOFILE, &old);
	fd = number(list[1].fd);
	low = old;
	low.rlim_cur = (rlim_t) fd + 8;
	list[0].number = fd;
	list[1].number = number(list[0].fd);
	list[2].number = fd + 7;
	setrlimit(RLIMIT_NOFILE, &low);
	{
		struct eio_ll_action a = eio_ll_action_inherit_fds(list, 3);
		char script[128];

		snprintf(script, sizeof(script), "cat /proc/self/fd/%d /proc/self/fd/%d",
			 list[0].number, list[1].number);
		expect_said(&a, 1, script, "ab");
	}
	setrlimit(RLIMIT_NOFILE, &old);
	return eio_switch_end(&sw, 0);
}

/* As "0 1 2 3", the last one being what ls reads. */
RING_TEST(a_child_has_no_other_descriptor)
{
	int open_for_all = dup(STDIN_FILENO), high = fcntl(STDIN_FILENO, F_DUPFD, 500);

	(void) arg;
	expect_said(NULL, 0, "echo $(ls /proc/self/fd)", "0 1 2 3");
	ck_assert(is_open(open_for_all));
	ck_assert_int_eq(fcntl(high, F_GETFD), 0);
	close(open_for_all);
	close(high);
	return 0;
}

RING_TEST(standard_descriptors_that_are_close_on_exec_stay_here)
{
	(void) arg;
	ck_assert_int_eq(fcntl(STDIN_FILENO, F_SETFD, FD_CLOEXEC), 0);
	expect_said(NULL, 0, "test -e /proc/self/fd/0 || echo none", "none");
	return 0;
}

/* Where it is */

RING_TEST(directories_are_changed_in_order)
{
	struct eio_ll_action actions[3];
	struct eio_inherit list;
	struct eio_switch sw;
	struct eio_fd d;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/usr", O_PATH | O_DIRECTORY, 0, &d));
	actions[0] = eio_ll_action_chdir("/");
	actions[1] = eio_ll_action_chdir("proc");
	expect_said(actions, 2, "pwd", "/proc");
	actions[1] = eio_ll_action_fchdir(d);
	expect_said(actions, 2, "pwd", "/usr");
	actions[2] = eio_ll_action_chdir("lib");
	expect_said(actions, 3, "pwd", "/usr/lib");
	/* Its number has become another descriptor's by then. */
	list = (struct eio_inherit){EIO_STDIN, number(d)};
	actions[1] = eio_ll_action_inherit_fds(&list, 1);
	actions[2] = eio_ll_action_fchdir(d);
	expect_said(actions, 3, "pwd", "/usr");
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_relative_program_is_sought_where_the_child_is)
{
	struct eio_ll_action actions[] = {eio_ll_action_chdir("/bin"),
					  eio_ll_action_execve("./sh", shell("exit 6"), NULL)};
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_spawn(&sw, actions, 2, &p));
	ck_assert_int_eq(status_of(p), 6 << 8);
	return eio_switch_end(&sw, 0);
}

RING_TEST(the_environment_is_ours_or_the_one_given)
{
	static const char *const envp[] = {"EIO_TEST=given", NULL};
	struct eio_ll_action a;
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	setenv("EIO_TEST", "ours", 1);
	setenv("HOME", "/", 1);
	expect_said(NULL, 0, "echo $EIO_TEST$HOME", "ours/");
	eio_switch_begin(&sw);
	a = eio_ll_action_execve("/bin/sh", shell("test $EIO_TEST$HOME = given"), envp);
	expect_ok(eio_ll_spawn(&sw, &a, 1, &p));
	ck_assert_int_eq(status_of(p), 0);
	return eio_switch_end(&sw, 0);
}

/* Who it is */

RING_TEST(a_process_group_of_its_own)
{
	struct eio_ll_action actions[] = {
		eio_ll_action_setpgid(0),
		eio_ll_action_execve("/bin/sh", shell("exec sleep 1000"), NULL)};
	struct eio_process p, q;
	struct eio_switch sw;
	int pid;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_ll_spawn(&sw, actions, 2, &p));
	pid = eio_ll_process_pid(p);
	ck_assert_int_eq(getpgid(pid), pid);
	actions[0] = eio_ll_action_setpgid(pid);
	expect_ok(eio_ll_spawn(&sw, actions, 2, &q));
	ck_assert_int_eq(getpgid(eio_ll_process_pid(q)), pid);
	q = start_sleeper(&sw);
	ck_assert_int_eq(getpgid(eio_ll_process_pid(q)), getpgid(0));
	return eio_switch_end(&sw, 0);
}

RING_TEST(another_identity_is_the_childs_alone)
{
	static const gid_t groups[] = {7, 8};
	const struct eio_ll_action actions[] = {
		eio_ll_action_setgroups(groups, 2),
		eio_ll_action_setgid(4242),
		eio_ll_action_setuid(4243),
	};

	(void) arg;
	if (geteuid() != 0)
		return 0;
	ck_assert_int_eq(setgroups(1, (gid_t[]){5}), 0);
	prctl(PR_SET_DUMPABLE, 1);
	expect_said(actions, 3, "echo $(id -u) $(id -g) $(id -G)", "4243 4242 4242 7 8");
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
	ck_assert_uint_eq(getuid() + geteuid() + getgid() + getegid(), 0);
	/* Without setgroups the groups stay. */
	expect_said(actions + 1, 2, "echo $(id -u) $(id -g) $(id -G)", "4243 4242 4242 5");
	prctl(PR_SET_DUMPABLE, 0);
	expect_said(actions + 1, 2, "echo $(id -u)", "4243");
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	return 0;
}

enum { SPAWNERS = 4 };

static int change_identities(struct eio_env *e, void *arg)
{
	static const char *const argv[] = {"true", NULL};
	const struct eio_ll_action actions[] = {
		eio_ll_action_setuid(4243),
		eio_ll_action_execve("/bin/true", argv, NULL),
	};
	struct eio_process p;
	struct eio_switch sw;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 50; i++) {
		expect_ok(eio_ll_spawn(&sw, actions, 2, &p));
		expect_ok(eio_ll_process_await(p, NULL));
	}
	return eio_switch_end(&sw, 0);
}

static void *spawner(void *arg)
{
	expect_ok(eio_run(NULL, change_identities, arg));
	return NULL;
}

START_TEST(several_at_once_leave_the_right_to_be_dumped_as_it_was)
{
	pthread_t threads[SPAWNERS];

	if (geteuid() != 0)
		return;
	prctl(PR_SET_DUMPABLE, 1);
	for (int i = 0; i < SPAWNERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, spawner, NULL), 0);
	for (int i = 0; i < SPAWNERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
}
END_TEST

/* A change of identity comes before the failure. */
RING_TEST(a_failure_after_a_change_of_identity_changes_nothing_here)
{
	struct eio_ll_action actions[] = {
		eio_ll_action_setuid(4243),
		eio_ll_action_setgid(4242),
		eio_ll_action_execve("/bin/true", shell(""), NULL),
	};
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	if (geteuid() != 0)
		return 0;
	eio_switch_begin(&sw);
	expect_err(eio_ll_spawn(&sw, actions, 3, &p), -EPERM);
	ck_assert_str_eq(format(-EPERM), "setgid: Operation not permitted");
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
	ck_assert_uint_eq(geteuid(), 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_terminal_to_log_in_at)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), tty;
	struct eio_ll_action actions[3];
	struct eio_inherit list;
	char text[256] = "", want[128];
	struct eio_process p;
	struct eio_switch sw;
	struct eio_fd fd;
	size_t len;
	ssize_t n;

	(void) arg;
	if (pty < 0 || grantpt(pty) < 0 || unlockpt(pty) < 0)
		return 0;
	snprintf(want, sizeof(want), "%s\r\ntty\r\n", ptsname(pty));
	tty = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(tty, 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, tty, EIO_FD_CLOSE, &fd));
	/* The terminal's own number is given away first. */
	list = (struct eio_inherit){EIO_STDERR, tty};
	actions[0] = eio_ll_action_inherit_fds(&list, 1);
	actions[1] = eio_ll_action_login_tty(fd);
	snprintf(text, sizeof(text),
		 "exec %d<&-; tty <&2; tty <&1 >/dev/null && echo tty >/dev/tty", tty);
	actions[2] = eio_ll_action_execve("/bin/sh", shell(text), NULL);
	expect_ok(eio_ll_spawn(&sw, actions, 3, &p));
	for (len = 0; len < strlen(want); len += (size_t) n) {
		n = read(pty, text + len, strlen(want) - len);
		ck_assert_int_gt(n, 0);
	}
	text[len] = 0;
	ck_assert_int_eq(status_of(p), 0);
	ck_assert_str_eq(text, want);
	close(pty);
	return eio_switch_end(&sw, 0);
}

/* Signals */

static uint64_t mask_in(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen(name), NULL, 16);
}

static uint64_t bit(int sig)
{
	return (uint64_t) 1 << (sig - 1);
}

/* The masks of the shell's, which it does not change. */
static void read_masks(uint64_t *blocked, uint64_t *ignored, uint64_t *caught)
{
	const char *status = said(NULL, 0, "exec cat /proc/self/status");

	*blocked = mask_in(status, "SigBlk:");
	*ignored = mask_in(status, "SigIgn:");
	*caught = mask_in(status, "SigCgt:");
}

static void on_signal(int sig)
{
	(void) sig;
}

RING_TEST(a_child_has_no_handlers_and_ignores_what_is_ignored)
{
	uint64_t blocked, ignored, caught;

	(void) arg;
	/* Whoever started the test may ignore others: nohup does. */
	for (int sig = 1; sig < SIGRTMIN; sig++)
		if (sig != SIGPIPE)
			signal(sig, SIG_DFL);
	signal(SIGUSR1, on_signal);
	signal(SIGRTMAX, on_signal);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	read_masks(&blocked, &ignored, &caught);
	ck_assert_uint_eq(ignored, bit(SIGUSR2) | bit(SIGRTMIN));
	ck_assert_uint_eq(caught, 0);
	ck_assert_uint_eq(blocked, 0);
	ck_assert(signal(SIGUSR1, SIG_DFL) == on_signal);
	ck_assert(signal(SIGPIPE, SIG_IGN) == SIG_IGN);
	return 0;
}

RING_TEST(a_child_has_the_threads_mask)
{
	uint64_t blocked, ignored, caught;
	sigset_t set, now;

	(void) arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMAX);
	sigprocmask(SIG_SETMASK, &set, NULL);
	read_masks(&blocked, &ignored, &caught);
	ck_assert_uint_eq(blocked, bit(SIGUSR1) | bit(SIGRTMAX));
	sigprocmask(SIG_SETMASK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
	ck_assert_int_eq(sigismember(&now, SIGUSR2), 0);
	return 0;
}

static int masks_are(void *arg)
{
	uint64_t blocked, ignored, caught;

	(void) arg;
	read_masks(&blocked, &ignored, &caught);
	note("%d%d%d", !!(ignored & bit(SIGPIPE)), !!(ignored & bit(SIGQUIT)),
	     !!(ignored & bit(SIGSEGV)));
	return 0;
}

/* SIGPIPE is ignored, SIGQUIT and SIGSEGV have handlers while it runs. */
START_TEST(what_a_run_does_to_signals_is_not_the_childs_test)
{
	void (*const before[])(int) = {SIG_DFL, SIG_IGN, on_signal};

	setenv("EIO_DUMP_ON", "QUIT", 1);
	for (size_t i = 0; i < LEN(before); i++) {
		signal(SIGPIPE, before[i]);
		signal(SIGQUIT, before[i]);
		signal(SIGSEGV, before[i]);
		run_ring(masks_are, 0);
		ck_assert(signal(SIGPIPE, SIG_DFL) == before[i]);
	}
	expect_log("000 111 000");
}
END_TEST

static int ignore_then_look(void *arg)
{
	signal(SIGQUIT, SIG_IGN);
	return masks_are(arg);
}

START_TEST(what_the_program_ignores_during_a_run_is_ignored_test)
{
	setenv("EIO_DUMP_ON", "QUIT", 1);
	run_ring(ignore_then_look, 0);
	expect_log("010");
}
END_TEST

static volatile sig_atomic_t handled, astray;
static pid_t parent;

static void count_signal(int sig)
{
	(void) sig;
	if (syscall(SYS_getpid) == parent)
		handled++;
	else
		astray++;
}

/* The children, too: libcheck gives each test a process group. */
static void *bombard(void *arg)
{
	while (!__atomic_load_n((bool *) arg, __ATOMIC_RELAXED)) {
		kill(0, SIGRTMAX);
		sched_yield();
	}
	return NULL;
}

/* Signals that come while a child has the parent's memory. ThreadSanitizer calls handlers late,
 * and then complains about what it finds in errno. */
RING_TEST(a_handler_never_runs_in_a_child)
{
	bool stop = false;
	struct eio_switch sw;
	pthread_t thread;
	int status;

	(void) arg;
	if (SANITIZED)
		return 0;
	ck_assert_int_eq(getpgid(0), getpid());
	parent = getpid();
	signal(SIGRTMAX, count_signal);
	ck_assert_int_eq(pthread_create(&thread, NULL, bombard, &stop), 0);
	eio_switch_begin(&sw);
	for (int i = 0; i < 100; i++) {
		status = status_of(start(&sw, "exit 1"));
		ck_assert(status == 1 << 8 || status == SIGRTMAX);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert_int_gt(handled, 0);
	ck_assert_int_eq(astray, 0);
	return eio_switch_end(&sw, 0);
}

/* Many */

enum { MANY = 200 };

static int spawn_and_await(void *arg)
{
	struct eio_switch *sw = arg;
	char script[32];
	static int n;
	int code = n++ % 200;

	snprintf(script, sizeof(script), "read x; exit %d", code);
	return status_of(start(sw, script)) == code << 8 ? 0 : -EIO;
}

/* They have /dev/null to read from. */
RING_TEST(two_hundred_at_once)
{
	struct eio_switch sw, children;
	int null = open("/dev/null", O_RDONLY);

	(void) arg;
	dup2(null, STDIN_FILENO);
	close(null);
	eio_switch_begin(&children);
	eio_switch_begin(&sw);
	for (int i = 0; i < MANY; i++)
		expect_ok(eio_fork(&sw, spawn_and_await, &children));
	expect_ok(eio_switch_end(&sw, 0));
	expect_ok(eio_switch_end(&children, 0));
	expect_no_children();
	return 0;
}

RING_TEST(two_hundred_end_with_their_switch)
{
	struct eio_process p[MANY];
	unsigned fds = count_fds();
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < MANY; i++)
		p[i] = start_sleeper(&sw);
	ck_assert_uint_eq(count_fds(), fds + MANY);
	expect_ok(eio_switch_end(&sw, 0));
	for (int i = 0; i < MANY; i++)
		expect_err(eio_ll_process_pid(p[i]), -EBADF);
	expect_no_children();
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

SUITE_MAIN(
	"ll_process", true, a_status_is_as_waitpid_tells_test, a_core_dump_shows_in_the_status_test,
	all_who_wait_get_the_status_and_so_does_who_comes_later_test,
	who_was_waited_for_has_no_descriptor_left_test,
	the_descriptor_stays_for_who_is_about_to_wait_test,
	a_cancelled_await_leaves_it_to_the_next_test, stopping_is_no_end_test,
	who_collects_it_himself_is_told_that_it_is_gone_test,
	the_end_of_the_switch_kills_and_collects_its_own_and_nobody_else_test,
	a_failed_switch_ends_its_processes_too_test,
	who_waits_when_the_switch_ends_gets_the_status_test,
	another_domain_may_wait_and_signal_test,
	a_thread_without_fibers_may_signal_but_not_wait_test, a_sandbox_may_lack_newer_calls_test,
	a_stale_handle_stays_stale_test, signals_reach_it_until_it_has_ended_test,
	each_way_an_exec_fails_can_be_told_from_the_others_test,
	of_several_programs_the_first_that_can_be_executed_is_test,
	too_much_to_pass_on_is_told_test, the_action_that_failed_is_named_test,
	lists_that_make_no_sense_are_refused_test,
	no_process_on_a_switch_that_is_off_or_elsewhere_test,
	without_a_free_descriptor_there_is_no_process_test,
	descriptors_come_under_their_numbers_test, numbers_may_go_round_in_a_cycle_test,
	descriptors_come_where_numbers_are_short_test, a_child_has_no_other_descriptor_test,
	standard_descriptors_that_are_close_on_exec_stay_here_test,
	directories_are_changed_in_order_test, a_relative_program_is_sought_where_the_child_is_test,
	the_environment_is_ours_or_the_one_given_test, a_process_group_of_its_own_test,
	another_identity_is_the_childs_alone_test,
	several_at_once_leave_the_right_to_be_dumped_as_it_was,
	a_failure_after_a_change_of_identity_changes_nothing_here_test,
	a_terminal_to_log_in_at_test, a_child_has_no_handlers_and_ignores_what_is_ignored_test,
	a_child_has_the_threads_mask_test, what_a_run_does_to_signals_is_not_the_childs_test,
	what_the_program_ignores_during_a_run_is_ignored_test, a_handler_never_runs_in_a_child_test,
	two_hundred_at_once_test, two_hundred_end_with_their_switch_test)
