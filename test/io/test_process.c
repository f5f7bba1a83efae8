/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const *shell(const char *script)
{
	static const char *argv[4] = {"sh", "-c"};

	argv[2] = script;
	return argv;
}

static struct eio_process start(struct eio_switch *sw, const struct eio_spawn *spawn)
{
	struct eio_process p;

	expect_ok(eio_process_spawn(env->process_mgr, sw, spawn, &p));
	return p;
}

static struct eio_process start_shell(struct eio_switch *sw, const char *script)
{
	return start(sw, &(struct eio_spawn){.argv = shell(script)});
}

static int status_of(struct eio_process p)
{
	int status = -1;

	expect_ok(eio_process_await(p, &status));
	return status;
}

static int run(const struct eio_spawn *spawn, int *ret_status)
{
	return eio_process_run(env->process_mgr, spawn, ret_status);
}

/* What a program writes, without its last newline; it succeeds. */
static const char *said(const struct eio_spawn *spawn)
{
	static char text[4096];
	struct eio_spawn s = *spawn;
	struct eio_buffer_sink sink;
	struct eio_flow out = eio_buffer_sink_init(&sink, sizeof(text) - 1);

	s.out = &out;
	expect_ok(run(&s, NULL));
	memcpy(text, sink.len ? sink.data : "", sink.len + 1);
	if (sink.len && text[sink.len - 1] == '\n')
		text[sink.len - 1] = 0;
	eio_buffer_sink_fini(&sink);
	return text;
}

static const char *format(int err)
{
	static char text[512];

	eio_error_format(err, text, sizeof(text));
	return text;
}

static void expect_no_children(void)
{
	siginfo_t info;

	ck_assert_int_lt(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	ck_assert_int_eq(errno, ECHILD);
}

/* How it ends */

RING_TEST(a_run_tells_how_the_program_ended)
{
	int status = -1;

	(void) arg;
	expect_ok(run(&(struct eio_spawn){.argv = shell("exit 7")}, &status));
	ck_assert_int_eq(status, 7 << 8);
	expect_ok(run(&(struct eio_spawn){.argv = shell("kill -TERM $$")}, &status));
	ck_assert_int_eq(status, SIGTERM);
	expect_ok(run(&(struct eio_spawn){.argv = shell("exit 0")}, NULL));
	expect_err(run(&(struct eio_spawn){.argv = shell("exit 7")}, NULL), EIO_ESTATUS);
	ck_assert_str_eq(format(EIO_ESTATUS),
			 "run sh (exited with code 7): The program did not succeed");
	expect_no_children();
	return 0;
}

RING_TEST(a_process_is_waited_for_and_signalled)
{
	struct eio_switch sw;
	struct eio_process p;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_shell(&sw, "exec sleep 1000");
	ck_assert_int_eq(kill(eio_process_pid(p), 0), 0);
	expect_ok(eio_process_signal(p, SIGTERM));
	ck_assert_int_eq(status_of(p), SIGTERM);
	ck_assert_int_eq(status_of(p), SIGTERM);
	expect_ok(eio_process_signal(p, SIGTERM));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_process_await(p, NULL), -EBADF);
	expect_err(eio_process_signal(p, SIGTERM), -EBADF);
	expect_err(eio_process_pid(p), -EBADF);
	return 0;
}

/* Streams */

enum { MUCH = 10 << 20 };

RING_TEST(much_goes_from_memory_and_into_memory_at_once)
{
	static const char *const argv[] = {"cat", NULL};
	char *data = malloc(MUCH);
	struct eio_string_source source;
	struct eio_buffer_sink sink;
	struct eio_flow in, out = eio_buffer_sink_init(&sink, 0);

	(void) arg;
	fill(data, MUCH, 0);
	in = eio_string_source_init(&source, data, MUCH);
	expect_ok(run(&(struct eio_spawn){.argv = argv, .in = &in, .out = &out}, NULL));
	ck_assert_uint_eq(sink.len, MUCH);
	ck_assert(is_filled(sink.data, MUCH, 0));
	eio_buffer_sink_fini(&sink);
	free(data);
	return 0;
}

RING_TEST(without_streams_of_its_own_a_child_has_the_parents)
{
	char own[256] = "";

	(void) arg;
	ck_assert_int_gt(readlink("/proc/self/fd/2", own, sizeof(own) - 1), 0);
	ck_assert_str_eq(said(&(struct eio_spawn){.argv = shell("readlink /proc/$$/fd/2")}), own);
	return 0;
}

SUITE_MAIN("process", true, a_run_tells_how_the_program_ended_test,
	   a_process_is_waited_for_and_signalled_test,
	   much_goes_from_memory_and_into_memory_at_once_test,
	   without_streams_of_its_own_a_child_has_the_parents_test)
