/* SPDX-License-Identifier: ISC */
/*
 * Pseudo-terminals, with a shell or with the test itself on the terminal's side.
 */
#include "io/util.h"

#include <dlfcn.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { LARGE = 1 << 20 };

static const struct eio_pty_opts raw = {.raw = true};

/* In front of the system's. */

static enum { NOTHING, UNLOCKING, SETTING } refused;
static int last_action;
static pthread_t last_thread;

int unlockpt(int fd)
{
	static int (*next)(int);

	if (!next)
		*(void **) &next = dlsym(RTLD_NEXT, "unlockpt");
	if (refused != UNLOCKING)
		return next(fd);
	errno = EACCES;
	return -1;
}

int tcsetattr(int fd, int action, const struct termios *attr)
{
	static int (*next)(int, int, const struct termios *);

	if (!next)
		*(void **) &next = dlsym(RTLD_NEXT, "tcsetattr");
	last_action = action;
	last_thread = pthread_self();
	if (refused != SETTING)
		return next(fd, action, attr);
	errno = EIO;
	return -1;
}

/* Some containers have none. */
static bool has_ptys(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

#define PTY_TEST(name)                                                                             \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		if (has_ptys())                                                                    \
			run_ring(name, 0);                                                         \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

/* A shell at a terminal of its own */

struct session {
	struct eio_switch sw;
	struct eio_flow pty;
	char name[64];
	struct eio_process shell;
	char text[4096]; /* what it wrote */
	size_t len;
};

static void begin_session(struct session *s, const struct eio_pty_opts *opts, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct eio_ll_action actions[2];
	struct eio_flow tty;
	struct eio_fd fd;

	s->len = 0;
	eio_switch_begin(&s->sw);
	expect_ok(eio_pty_open(&s->sw, opts, &s->pty, &tty));
	expect_ok(eio_pty_name(s->pty, s->name, sizeof(s->name)));
	expect_ok(eio_flow_fd(tty, &fd));
	actions[0] = eio_ll_action_login_tty(fd);
	actions[1] = eio_ll_action_execve("/bin/sh", argv, NULL);
	expect_ok(eio_ll_spawn(&s->sw, actions, 2, &s->shell));
	expect_ok(eio_flow_close(tty));
}

static bool hear(struct session *s)
{
	ssize_t n = eio_flow_read(s->pty, s->text + s->len, sizeof(s->text) - 1 - s->len);

	ck_assert_int_ge(n, 0);
	s->len += (size_t) n;
	s->text[s->len] = 0;
	return n > 0;
}

static void hear_until(struct session *s, const char *words)
{
	s->text[s->len] = 0;
	while (!strstr(s->text, words))
		ck_assert_msg(hear(s), "\"%s\" does not have \"%s\"", s->text, words);
}

static void type(const struct session *s, const char *keys)
{
	expect_ok(eio_flow_copy_string(s->pty, keys));
}

/* Hears the shell out: how it ended. */
static int end_session(struct session *s)
{
	int status = -1;

	while (hear(s))
		;
	expect_ok(eio_flow_read(s->pty, s->text, 1));
	expect_ok(eio_ll_process_await(s->shell, &status));
	expect_ok(eio_switch_end(&s->sw, 0));
	return status;
}

PTY_TEST(a_shell_has_the_terminal_of_the_size_it_was_made_with)
{
	const struct eio_pty_opts opts = {.size = {.rows = 33, .cols = 77}};
	struct session s;
	char want[128];

	(void) arg;
	begin_session(&s, &opts,
		      "tty; stty size; test -t 0 && test -t 1 && test -t 2 && "
		      "echo three >/dev/tty");
	ck_assert_int_eq(end_session(&s), 0);
	snprintf(want, sizeof(want), "%s\r\n33 77\r\nthree\r\n", s.name);
	ck_assert_str_eq(s.text, want);
	return 0;
}

PTY_TEST(what_is_typed_is_echoed_and_read_by_lines_until_the_end)
{
	struct session s;

	(void) arg;
	begin_session(&s, NULL, "echo ready; cat");
	hear_until(&s, "ready");
	type(&s, "one\n");
	hear_until(&s, "one\r\none\r\n");
	type(&s, "tw");
	hear_until(&s, "tw");
	type(&s, "o\n\4");
	ck_assert_int_eq(end_session(&s), 0);
	ck_assert_str_eq(s.text, "ready\r\none\r\none\r\ntwo\r\ntwo\r\n");
	return 0;
}

PTY_TEST(control_c_interrupts_the_program)
{
	struct session s;

	(void) arg;
	begin_session(&s, NULL, "echo ready; exec sleep 1000");
	hear_until(&s, "ready");
	type(&s, "\3");
	ck_assert_int_eq(end_session(&s), SIGINT);
	return 0;
}

PTY_TEST(another_size_is_told_to_the_program)
{
	struct session s;

	(void) arg;
	begin_session(&s, NULL,
		      "trap 'stty size; kill $!; exit 0' WINCH; sleep 1000 & echo ready; wait");
	hear_until(&s, "ready");
	expect_ok(eio_tty_set_size(s.pty, &(struct eio_tty_size){.rows = 5, .cols = 6}));
	hear_until(&s, "5 6");
	ck_assert_int_eq(end_session(&s), 0);
	return 0;
}

PTY_TEST(to_close_the_pty_hangs_up)
{
	struct session s;
	int status;

	(void) arg;
	begin_session(&s, NULL, "echo ready; exec sleep 1000");
	hear_until(&s, "ready");
	expect_ok(eio_flow_close(s.pty));
	expect_ok(eio_ll_process_await(s.shell, &status));
	ck_assert_int_eq(status, SIGHUP);
	return eio_switch_end(&s.sw, 0);
}

/* The two sides in one program */

static void open_raw(struct eio_switch *sw, struct eio_flow *pty, struct eio_flow *tty)
{
	expect_ok(eio_pty_open(sw, &raw, pty, tty));
}

PTY_TEST(both_sides_are_of_the_switch_and_not_for_children)
{
	unsigned fds = count_fds();
	struct eio_flow pty, tty;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pty_open(&sw, NULL, &pty, &tty));
	ck_assert_uint_eq(count_fds(), fds + 2);
	ck_assert_int_eq(fcntl(flow_number(pty), F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(flow_number(tty), F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(flow_number(tty), F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_lt(open("/dev/tty", O_RDWR | O_CLOEXEC), 0);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_eq(count_fds(), fds);

	expect_ok(eio_pty_open(NULL, NULL, &pty, &tty));
	expect_ok(eio_flow_close(tty));
	expect_ok(eio_flow_close(pty));
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

PTY_TEST(one_that_cannot_be_opened_leaves_nothing)
{
	unsigned fds = count_fds();
	struct eio_flow pty, tty;
	struct eio_cancel c;
	struct eio_switch sw;

	(void) arg;
	for (unsigned left = 0; left < 2; left++) {
		limit_fds(left);
		expect_err(eio_pty_open(NULL, &raw, &pty, &tty), -EMFILE);
		lift_fd_limit();
		ck_assert_str_eq(eio_last_error()->op, "pty_open");
	}
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_pty_open(NULL, &raw, &pty, &tty), -ECANCELED);
	eio_cancel_end(&c);
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(eio_pty_open(&sw, &raw, &pty, &tty), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(eio_pty_open(&sw, &raw, &pty, &tty), -EINVAL);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

PTY_TEST(one_that_cannot_be_unlocked_leaves_nothing)
{
	unsigned fds = count_fds();
	struct eio_flow pty, tty;

	(void) arg;
	refused = UNLOCKING;
	expect_err(eio_pty_open(NULL, NULL, &pty, &tty), -EACCES);
	refused = NOTHING;
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Both sides are open, and cannot be what they should. */
PTY_TEST(one_that_cannot_be_made_raw_leaves_nothing)
{
	unsigned fds = count_fds();
	struct eio_flow pty, tty;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pty_open(&sw, NULL, &pty, &tty));
	refused = SETTING;
	expect_err(eio_tty_set_attr(tty, EIO_TTY_DRAIN, &(struct termios){0}), -EIO);
	expect_ok(eio_flow_close(tty));
	expect_ok(eio_flow_close(pty));
	expect_err(eio_pty_open(&sw, &raw, &pty, &tty), -EIO);
	refused = NOTHING;
	ck_assert_uint_eq(count_fds(), fds);
	return eio_switch_end(&sw, 0);
}

static int open_as_leader(void *arg)
{
	struct eio_flow pty, tty;
	struct eio_switch sw;
	int fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pty_open(&sw, NULL, &pty, &tty));
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	expect_ok(eio_switch_end(&sw, 0));
	return fd < 0 ? -errno : fd;
}

/* Only who leads a session without a terminal could get one by opening it. */
START_TEST(a_session_gets_no_terminal_by_opening_one)
{
	pid_t pid;
	int status;

	if (!has_ptys())
		return;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setsid() < 0)
			_exit(2);
		run_ring(open_as_leader, -ENXIO);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The first of them finds no handle, then the second. */
PTY_TEST(without_memory_there_is_none_and_nothing_is_left)
{
	for (unsigned left = 0; left < 2; left++) {
		unsigned fds = count_fds();
		struct eio_flow pty, tty;
		int rc;

		(void) arg;
		if (!use_up_handles(left))
			return 0;
		rc = eio_pty_open(NULL, &raw, &pty, &tty);
		give_memory_back();
		expect_err(rc, -ENOMEM);
		ck_assert_uint_eq(count_fds(), fds);
	}
	return 0;
}

static int open_outside(void *arg)
{
	struct eio_flow pty, tty;

	(void) arg;
	return eio_pty_open(NULL, NULL, &pty, &tty);
}

START_TEST(outside_a_domain_none_is_opened)
{
	expect_err(open_outside(NULL), -EPERM);
}
END_TEST

PTY_TEST(the_end_comes_when_all_was_read_and_nobody_has_the_terminal)
{
	struct eio_flow pty, tty, again;
	struct eio_switch sw;
	char text[16];

	(void) arg;
	eio_switch_begin(&sw);
	open_raw(&sw, &pty, &tty);
	expect_ok(eio_flow_copy_string(tty, "last"));
	expect_ok(eio_flow_close(tty));
	expect_ok(eio_flow_read_exact(pty, text, 4));
	ck_assert_mem_eq(text, "last", 4);
	for (int i = 0; i < 3; i++) {
		struct iovec iov[2] = {{text, 4}, {text + 4, 4}};

		expect_ok(eio_flow_read(pty, text, sizeof(text)));
		expect_ok(eio_flow_readv(pty, iov, 2));
	}
	expect_ok(eio_pty_name(pty, text, sizeof(text)));
	expect_ok(eio_fs_open_out(env->fs, &sw, text, NULL, &again));
	expect_ok(eio_flow_copy_string(again, "more"));
	expect_ok(eio_flow_read_exact(pty, text, 4));
	ck_assert_mem_eq(text, "more", 4);
	return eio_switch_end(&sw, 0);
}

PTY_TEST(the_terminal_ends_when_the_pty_is_closed)
{
	struct eio_flow pty, tty;
	struct eio_tty_size size;
	struct eio_switch sw;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	open_raw(&sw, &pty, &tty);
	expect_ok(eio_flow_close(pty));
	expect_ok(eio_flow_read(tty, &c, 1));
	expect_err(eio_flow_write(tty, "x", 1), -EIO);
	expect_err(eio_tty_get_size(tty, &size), -EIO);
	return eio_switch_end(&sw, 0);
}

struct transfer {
	struct eio_flow from, to;
	char *out, *in;
};

static int send_all(void *arg)
{
	const struct transfer *t = arg;

	return eio_flow_write(t->to, t->out, LARGE);
}

static int receive_all(void *arg)
{
	const struct transfer *t = arg;

	return eio_flow_read_exact(t->from, t->in, LARGE);
}

static void begin_transfer(struct eio_switch *sw, struct transfer *t, size_t pattern)
{
	t->out = malloc(LARGE);
	t->in = malloc(LARGE);
	fill(t->out, LARGE, pattern);
	expect_ok(eio_fork(sw, send_all, t));
	expect_ok(eio_fork(sw, receive_all, t));
}

static void check_transfer(struct transfer *t)
{
	ck_assert_int_eq(memcmp(t->out, t->in, LARGE), 0);
	free(t->out);
	free(t->in);
}

PTY_TEST(raw_bytes_pass_as_they_are_in_both_directions_at_once)
{
	struct transfer down, up;
	struct eio_flow pty, tty;
	struct eio_switch sw, inner;

	(void) arg;
	eio_switch_begin(&sw);
	open_raw(&sw, &pty, &tty);
	down = (struct transfer){.from = tty, .to = pty};
	up = (struct transfer){.from = pty, .to = tty};
	eio_switch_begin(&inner);
	begin_transfer(&inner, &down, 0);
	begin_transfer(&inner, &up, 100);
	expect_ok(eio_switch_end(&inner, 0));
	check_transfer(&down);
	check_transfer(&up);
	return eio_switch_end(&sw, 0);
}

/* Who writes more than there is room for waits, and nobody with him. */

struct writer {
	struct eio_flow to;
	struct eio_cancel ctx;
	char *data;
	int rc;
	uint64_t done;
};

static int write_large(void *arg)
{
	struct writer *w = arg;

	eio_cancel_begin(&w->ctx);
	w->rc = eio_flow_write(w->to, w->data, LARGE);
	w->done = eio_last_error()->done;
	eio_cancel_end(&w->ctx);
	note("wrote");
	return 0;
}

/* Its writer is stuck, then cancelled; what it had written can be read. */
static void fill_and_cancel(struct eio_flow to, struct eio_flow from)
{
	struct writer w = {.to = to, .data = malloc(LARGE), .rc = 1};
	char *in = malloc(LARGE);
	struct eio_switch sw;

	fill(w.data, LARGE, 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, write_large, &w));
	for (int i = 0; i < 20; i++)
		expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	expect_log("");
	expect_ok(eio_cancel_raise(&w.ctx, -EIO));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("wrote");
	expect_err(w.rc, -ECANCELED);
	ck_assert_uint_gt(w.done, 0);
	ck_assert_uint_lt(w.done, LARGE);
	expect_ok(eio_flow_read_exact(from, in, w.done));
	ck_assert(is_filled(in, w.done, 0));
	free(in);
	free(w.data);
}

PTY_TEST(a_write_that_nobody_reads_stops_its_fiber_alone)
{
	struct eio_flow pty, tty;
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	open_raw(&sw, &pty, &tty);
	fill_and_cancel(pty, tty);
	fill_and_cancel(tty, pty);
	/* Also when the terminal comes from elsewhere. */
	expect_ok(eio_flow_fd(tty, &fd));
	fill_and_cancel(eio_flow_of_fd(fd), pty);
	return eio_switch_end(&sw, 0);
}

static int read_one(void *arg)
{
	char c;

	return (int) eio_flow_read(*(struct eio_flow *) arg, &c, 1);
}

PTY_TEST(a_read_is_cancelled)
{
	struct eio_flow pty, tty;
	struct eio_switch sw;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	open_raw(&sw, &pty, &tty);
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), read_one, &pty), -ETIMEDOUT);
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), read_one, &tty), -ETIMEDOUT);
	/* It took nothing with it. */
	expect_ok(eio_flow_copy_string(tty, "a"));
	expect_ok(eio_flow_copy_string(pty, "b"));
	expect_ok(eio_flow_read_exact(pty, &c, 1));
	ck_assert_int_eq(c, 'a');
	expect_ok(eio_flow_read_exact(tty, &c, 1));
	ck_assert_int_eq(c, 'b');
	return eio_switch_end(&sw, 0);
}

/* What terminals are asked and told */

PTY_TEST(both_sides_have_one_size)
{
	const struct eio_tty_size size = {24, 80, 640, 480}, other = {1, 2, 3, 4};
	const struct eio_pty_opts opts = {.size = size};
	struct eio_flow pty, tty;
	struct eio_tty_size got;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pty_open(&sw, &opts, &pty, &tty));
	expect_ok(eio_tty_get_size(tty, &got));
	ck_assert_mem_eq(&got, &size, sizeof(got));
	expect_ok(eio_tty_set_size(tty, &other));
	expect_ok(eio_tty_get_size(pty, &got));
	ck_assert_mem_eq(&got, &other, sizeof(got));
	expect_ok(eio_tty_set_size(pty, &size));
	expect_ok(eio_tty_get_size(tty, &got));
	ck_assert_mem_eq(&got, &size, sizeof(got));
	return eio_switch_end(&sw, 0);
}

static tcflag_t modes(struct eio_flow tty)
{
	struct termios attr;

	expect_ok(eio_tty_get_attr(tty, &attr));
	return attr.c_lflag & (ICANON | ECHO | ISIG);
}

PTY_TEST(raw_mode_ends_with_its_scope_in_a_cancelled_context_too)
{
	struct eio_flow pty, tty;
	struct eio_tty_raw r;
	struct eio_switch sw;
	struct eio_cancel c;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_pty_open(&sw, NULL, &pty, &tty));
	ck_assert_uint_eq(modes(tty), ICANON | ECHO | ISIG);
	eio_cancel_begin(&c);
	expect_ok(eio_tty_raw_begin(&r, tty));
	ck_assert_uint_eq(modes(tty), 0);
	ck_assert_uint_eq(modes(pty), 0);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_ok(eio_tty_raw_end(&r));
	eio_cancel_end(&c);
	ck_assert_uint_eq(modes(tty), ICANON | ECHO | ISIG);

	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_ok(eio_tty_raw_begin(&r, tty));
	eio_cancel_end(&c);
	ck_assert_uint_eq(modes(tty), 0);
	expect_ok(eio_flow_close(tty));
	expect_err(eio_tty_raw_end(&r), -EBADF);
	return eio_switch_end(&sw, 0);
}

PTY_TEST(attributes_are_set_now_or_when_output_is_gone)
{
	static const enum eio_tty_when whens[] = {EIO_TTY_NOW, EIO_TTY_DRAIN, EIO_TTY_FLUSH};
	static const int actions[] = {TCSANOW, TCSADRAIN, TCSAFLUSH};
	struct eio_flow pty, tty;
	struct termios attr, got;
	struct eio_switch sw;
	struct eio_cancel c;
	char text[2];

	(void) arg;
	eio_switch_begin(&sw);
	open_raw(&sw, &pty, &tty);
	expect_ok(eio_tty_get_attr(tty, &attr));
	for (size_t i = 0; i < COUNT(whens); i++) {
		attr.c_lflag ^= ECHO;
		expect_ok(eio_flow_copy_string(pty, "x"));
		wait_until(readable_bytes(flow_number(tty)) > 0);
		expect_ok(eio_tty_set_attr(tty, whens[i], &attr));
		ck_assert_int_eq(last_action, actions[i]);
		/* What waits does so on another thread. */
		ck_assert_int_eq(pthread_equal(last_thread, pthread_self()) != 0, i == 0);
		expect_ok(eio_tty_get_attr(tty, &got));
		ck_assert_uint_eq(got.c_lflag, attr.c_lflag);
		/* Only the last drops what has come. */
		ck_assert_int_eq(readable_bytes(flow_number(tty)), whens[i] != EIO_TTY_FLUSH);
		if (whens[i] != EIO_TTY_FLUSH)
			expect_err(eio_flow_read(tty, text, 2), 1);
	}
	expect_err(eio_tty_set_attr(tty, (enum eio_tty_when) 3, &attr), -EINVAL);
	attr.c_lflag ^= ECHO;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	for (size_t i = 0; i < COUNT(whens); i++)
		expect_err(eio_tty_set_attr(tty, whens[i], &attr), -ECANCELED);
	eio_cancel_end(&c);
	expect_ok(eio_tty_get_attr(tty, &got));
	ck_assert_uint_ne(got.c_lflag, attr.c_lflag);
	return eio_switch_end(&sw, 0);
}

static void expect_no_tty(struct eio_flow f, int err)
{
	unsigned fds = count_fds();
	struct eio_tty_size size = {0};
	struct eio_tty_raw r;
	struct termios attr = {0};
	char name[64];

	ck_assert(!eio_tty_is(f));
	expect_err(eio_tty_get_size(f, &size), err);
	ck_assert_str_eq(eio_last_error()->op, "tty_get_size");
	expect_err(eio_tty_set_size(f, &size), err);
	ck_assert_str_eq(eio_last_error()->op, "tty_set_size");
	expect_err(eio_tty_get_attr(f, &attr), err);
	expect_err(eio_tty_set_attr(f, EIO_TTY_NOW, &attr), err);
	expect_err(eio_tty_set_attr(f, EIO_TTY_DRAIN, &attr), err);
	ck_assert_str_eq(eio_last_error()->op, "tty_set_attr");
	expect_err(eio_tty_raw_begin(&r, f), err);
	expect_err(eio_pty_name(f, name, sizeof(name)), err);
	ck_assert_uint_eq(count_fds(), fds);
}

PTY_TEST(what_is_no_terminal_says_so)
{
	struct eio_string_source s;
	struct eio_flow pty, tty, r, w;
	struct eio_switch sw;
	char name[64], little[4];

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	expect_no_tty(r, -ENOTTY);
	expect_no_tty(eio_string_source_init(&s, "x", 1), -ENOTSUP);
	expect_no_tty((struct eio_flow){0}, -EBADF);
	expect_ok(eio_pty_open(&sw, NULL, &pty, &tty));
	ck_assert(eio_tty_is(pty) && eio_tty_is(tty));
	expect_err(eio_pty_name(tty, name, sizeof(name)), -ENOTTY);
	expect_err(eio_pty_name(pty, little, sizeof(little)), -ERANGE);
	expect_ok(eio_flow_close(tty));
	expect_no_tty(tty, -EBADF);
	expect_ok(eio_switch_end(&sw, 0));
	expect_no_tty(pty, -EBADF);
	return 0;
}

/* Nothing keeps a descriptor pinned. */
PTY_TEST(a_terminal_that_was_asked_is_closed_when_it_is_closed)
{
	unsigned fds = count_fds();
	struct eio_tty_size size;
	struct eio_flow pty, tty;
	struct eio_tty_raw r;
	struct termios attr;
	char name[64];

	(void) arg;
	expect_ok(eio_pty_open(NULL, &raw, &pty, &tty));
	expect_ok(eio_pty_name(pty, name, sizeof(name)));
	expect_ok(eio_tty_get_size(tty, &size));
	expect_ok(eio_tty_set_size(tty, &size));
	expect_ok(eio_tty_get_attr(tty, &attr));
	expect_ok(eio_tty_set_attr(tty, EIO_TTY_DRAIN, &attr));
	expect_ok(eio_tty_raw_begin(&r, tty));
	expect_ok(eio_tty_raw_end(&r));
	ck_assert(eio_tty_is(tty));
	expect_ok(eio_flow_close(tty));
	expect_ok(eio_flow_close(pty));
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

SUITE_MAIN("pty", true, a_shell_has_the_terminal_of_the_size_it_was_made_with_test,
	   what_is_typed_is_echoed_and_read_by_lines_until_the_end_test,
	   control_c_interrupts_the_program_test, another_size_is_told_to_the_program_test,
	   to_close_the_pty_hangs_up_test, both_sides_are_of_the_switch_and_not_for_children_test,
	   one_that_cannot_be_opened_leaves_nothing_test,
	   one_that_cannot_be_unlocked_leaves_nothing_test,
	   one_that_cannot_be_made_raw_leaves_nothing_test,
	   a_session_gets_no_terminal_by_opening_one,
	   without_memory_there_is_none_and_nothing_is_left_test, outside_a_domain_none_is_opened,
	   the_end_comes_when_all_was_read_and_nobody_has_the_terminal_test,
	   the_terminal_ends_when_the_pty_is_closed_test,
	   raw_bytes_pass_as_they_are_in_both_directions_at_once_test,
	   a_write_that_nobody_reads_stops_its_fiber_alone_test, a_read_is_cancelled_test,
	   both_sides_have_one_size_test,
	   raw_mode_ends_with_its_scope_in_a_cancelled_context_too_test,
	   attributes_are_set_now_or_when_output_is_gone_test, what_is_no_terminal_says_so_test,
	   a_terminal_that_was_asked_is_closed_when_it_is_closed_test)
