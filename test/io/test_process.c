/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/util.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define expect_said(spawn, text) ck_assert_str_eq(said(spawn), text)

static void expect_words(int err, const char *words)
{
	char text[512];

	eio_error_format(err, text, sizeof(text));
	ck_assert_str_eq(text, words);
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
	expect_no_children();
	return 0;
}

RING_TEST(a_program_that_is_to_succeed_and_does_not_is_a_failure)
{
	struct eio_spawn spawn = {.argv = shell("exit 0")};

	(void) arg;
	expect_ok(run(&spawn, NULL));
	spawn.argv = shell("exit 7");
	expect_err(run(&spawn, NULL), EIO_ESTATUS);
	expect_words(EIO_ESTATUS, "run sh (exited with code 7): The program did not succeed");
	spawn.argv = shell("kill -9 $$");
	spawn.executable = "/bin/sh";
	expect_err(run(&spawn, NULL), EIO_ESTATUS);
	expect_words(EIO_ESTATUS, "run /bin/sh (killed by SIGKILL): The program did not succeed");
	return 0;
}

RING_TEST(a_process_can_be_waited_for_and_signalled_while_its_switch_lives)
{
	struct eio_switch sw;
	struct eio_process p;

	(void) arg;
	eio_switch_begin(&sw);
	p = start_shell(&sw, "exec sleep 1000");
	ck_assert_int_eq(kill(eio_process_pid(p), 0), 0);
	expect_err(eio_process_signal(p, 1000), -EINVAL);
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

RING_TEST(the_end_of_the_switch_kills_its_own_child_and_no_other)
{
	int other = fork(), status, pid;
	struct eio_switch sw;

	(void) arg;
	if (other == 0)
		execlp("sleep", "sleep", "1000", NULL);
	eio_switch_begin(&sw);
	pid = eio_process_pid(start_shell(&sw, "exec sleep 1000"));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(waitpid(-1, &status, WNOHANG), 0);
	ck_assert_int_eq(kill(other, SIGKILL), 0);
	ck_assert_int_eq(waitpid(-1, &status, 0), other);
	return 0;
}

enum { CHILDREN = 200 };

RING_TEST(there_may_be_many_at_once)
{
	static const char *const argv[] = {"head", "-c", "1", NULL};
	struct eio_flow r, w, null = eio_null();
	struct eio_process p[CHILDREN];
	char bytes[CHILDREN] = "";
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	for (int i = 0; i < CHILDREN; i++)
		p[i] = start(&sw, &(struct eio_spawn){.argv = argv, .in = &r, .out = &null});
	expect_ok(eio_flow_write(w, bytes, CHILDREN));
	for (int i = 0; i < CHILDREN; i++)
		ck_assert_int_eq(status_of(p[i]), 0);
	expect_no_children();
	return eio_switch_end(&sw, 0);
}

/* What it begins with */

RING_TEST(a_program_has_the_arguments_it_is_given)
{
	static const char *const argv[] = {"odd name", "-c", "echo \"$0 $1 $#\"", "$x", "", NULL};
	struct eio_spawn spawn = {.argv = argv, .executable = "sh"};

	(void) arg;
	expect_said(&spawn, "$x  1");
	return 0;
}

RING_TEST(an_environment_is_the_parents_or_what_is_given)
{
	static const char *const argv[] = {"env", NULL};
	static const char *const none[] = {NULL}, *const one[] = {"A=b c", NULL};
	struct eio_spawn spawn = {.argv = shell("echo $EIO_TEST_PROCESS")};

	(void) arg;
	setenv("EIO_TEST_PROCESS", "x", 1);
	expect_said(&spawn, "x");
	spawn.argv = argv;
	spawn.env = none;
	expect_said(&spawn, "");
	spawn.env = one;
	expect_said(&spawn, "A=b c");
	return 0;
}

DIR_TEST(a_directory_is_entered_by_its_capability)
{
	struct eio_spawn spawn = {.argv = shell("pwd")};
	char own[256], want[300];
	struct eio_dir below;
	struct eio_switch sw;

	(void) arg;
	ck_assert_ptr_nonnull(getcwd(own, sizeof(own)));
	snprintf(want, sizeof(want), "%s/below", own);
	ck_assert_int_eq(mkdir("below", 0700), 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "below", &below));
	expect_said(&spawn, own);
	spawn.cwd = &below;
	expect_said(&spawn, want);
	spawn.cwd = &env->cwd;
	expect_said(&spawn, own);
	spawn.cwd = &env->fs;
	expect_said(&spawn, own);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_group_is_the_parents_one_of_its_own_or_another_childs)
{
	struct eio_spawn spawn = {.argv = shell("exec sleep 1000")};
	pid_t own = 0, first;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	ck_assert_int_eq(getpgid(eio_process_pid(start(&sw, &spawn))), getpgrp());
	spawn.pgid = &own;
	first = eio_process_pid(start(&sw, &spawn));
	ck_assert_int_eq(getpgid(first), first);
	spawn.pgid = &first;
	ck_assert_int_eq(getpgid(eio_process_pid(start(&sw, &spawn))), first);
	return eio_switch_end(&sw, 0);
}

static void expect_identity(const uid_t *uid, const gid_t *gid, const gid_t *groups, size_t n,
			    const char *text)
{
	struct eio_spawn spawn = {.argv = shell("echo $(id -u) $(id -g) $(id -G)"),
				  .uid = uid,
				  .gid = gid,
				  .groups = groups,
				  .n_groups = n};

	expect_said(&spawn, text);
}

RING_TEST(who_gets_another_identity_does_not_keep_roots_groups)
{
	gid_t gid = 65533, groups[] = {65531, 65532};
	uid_t uid = 65534;

	(void) arg;
	if (geteuid() != 0)
		return 0;
	groups[0] = 4;
	ck_assert_int_eq(setgroups(1, groups), 0);
	groups[0] = 65531;
	expect_identity(NULL, NULL, NULL, 0, "0 0 0 4");
	expect_identity(&uid, &gid, NULL, 0, "65534 65533 65533");
	expect_identity(&uid, NULL, NULL, 0, "65534 0 0");
	expect_identity(NULL, &gid, NULL, 0, "0 65533 65533");
	expect_identity(&uid, &gid, groups, 2, "65534 65533 65533 65531 65532");
	expect_identity(NULL, NULL, groups, 1, "0 0 0 65531");
	expect_identity(NULL, NULL, groups, 0, "0 0 0");
	return 0;
}

RING_TEST(a_terminal_is_that_of_a_new_session_and_stands_for_missing_streams)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), fd;
	char want[128], seen[128];
	struct eio_switch sw;
	struct eio_fd tty;
	size_t len;

	(void) arg;
	if (pty < 0 || grantpt(pty) < 0 || unlockpt(pty) < 0)
		return 0;
	snprintf(want, sizeof(want), "%s\r\n", ptsname(pty));
	len = strlen(want);
	fd = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, fd, EIO_FD_CLOSE, &tty));
	expect_said((&(struct eio_spawn){.argv = shell("tty >/dev/tty; echo out"), .tty = &tty}),
		    "out");
	ck_assert_int_eq(read(pty, seen, sizeof(seen)), (ssize_t) len);
	ck_assert_mem_eq(seen, want, len);
	close(pty);
	return eio_switch_end(&sw, 0);
}

/* Where the program is */

static void put_program(const char *path, const char *text)
{
	put_text(path, text);
	ck_assert_int_eq(chmod(path, 0700), 0);
}

static void make_programs(void)
{
	ck_assert_int_eq(mkdir("one", 0700), 0);
	ck_assert_int_eq(mkdir("two", 0700), 0);
	put_program("here", "#!/bin/sh\necho here\n");
	put_program("one/both", "#!/bin/sh\necho one\n");
	put_program("two/both", "#!/bin/sh\necho two\n");
	put_program("two/second", "#!/bin/sh\necho second\n");
	put_text("one/second", "not to be executed");
	put_text("one/denied", "not to be executed");
	put_program("one/broken", "#!/nowhere/sh\n");
	put_program("one/words", "no program\n");
}

/* Of the parent and of the child. */
static void expect_found(const char *path, const char *program, const char *text)
{
	const char *const argv[] = {program, NULL}, *const own[] = {"X=PATH=/", "PATHS=/", path,
								    NULL};

	setenv("PATH", path + strlen("PATH="), 1);
	expect_said(&(struct eio_spawn){.argv = argv}, text);
	setenv("PATH", "/nowhere", 1);
	expect_said((&(struct eio_spawn){.argv = argv, .env = own}), text);
}

DIR_TEST(a_name_is_looked_for_in_the_path)
{
	(void) arg;
	make_programs();
	expect_found("PATH=/nowhere:one:two", "both", "one");
	expect_found("PATH=two:one", "both", "two");
	expect_found("PATH=one:two", "second", "second");
	expect_found("PATH=:one", "here", "here");
	expect_found("PATH=one::two", "here", "here");
	expect_found("PATH=one:", "here", "here");
	expect_found("PATH=", "here", "here");
	expect_found("PATH=/nowhere", "two/both", "two");
	return 0;
}

/* A path the kernel refuses, a name it refuses, and a directory that only with the program's name
 * behind it is too long. */
DIR_TEST(an_element_of_the_path_that_is_too_long_is_passed_over)
{
	static const size_t lengths[] = {PATH_MAX + 1, NAME_MAX + 1, PATH_MAX - 2};
	char path[2 * PATH_MAX];

	(void) arg;
	make_programs();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t len = lengths[i];

		strcpy(path, "PATH=");
		memset(path + 5, 'x', len);
		for (size_t slash = 100; i != 1 && slash < len; slash += 100)
			path[5 + slash] = '/';
		strcpy(path + 5 + len, ":two");
		expect_found(path, "second", "second");
	}
	return 0;
}

RING_TEST(without_a_path_there_is_a_usual_one)
{
	static const char *const none[] = {NULL};
	struct eio_spawn spawn = {.argv = shell("echo x"), .env = none};

	(void) arg;
	expect_said(&spawn, "x");
	unsetenv("PATH");
	spawn.env = NULL;
	expect_said(&spawn, "x");
	return 0;
}

DIR_TEST(a_relative_path_begins_at_the_childs_directory)
{
	static const char *const argv[] = {"both", NULL}, *const path[] = {"PATH=.", NULL};
	struct eio_spawn spawn = {.argv = argv};
	struct eio_switch sw;
	struct eio_dir two;

	(void) arg;
	make_programs();
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "two", &two));
	spawn.cwd = &two;
	spawn.env = path;
	expect_said(&spawn, "two");
	spawn.executable = "./both";
	expect_said(&spawn, "two");
	return eio_switch_end(&sw, 0);
}

/* Failures */

static void expect_fails(const struct eio_spawn *spawn, int err, const char *words)
{
	unsigned fds = count_fds();
	struct eio_process p = {0};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_err(eio_process_spawn(env->process_mgr, &sw, spawn, &p), err);
	expect_words(err, words);
	ck_assert_ptr_null(p.eio_private);
	ck_assert_uint_eq(count_fds(), fds);
	expect_no_children();
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(run(spawn, NULL), err);
	expect_words(err, words);
}

static void expect_not_found(const char *program, int err, const char *words)
{
	const char *const argv[] = {program, NULL}, *const path[] = {"PATH=/nowhere:one", NULL};

	expect_fails(&(struct eio_spawn){.argv = argv, .env = path}, err, words);
}

DIR_TEST(each_way_a_program_cannot_begin_is_told_with_its_name)
{
	size_t len = 4 << 20;
	char *much = calloc(1, len);
	const char *const argv[] = {"sh", memset(much, 'x', len - 1), NULL};
	char longest[NAME_MAX + 2] = "", words[NAME_MAX + 64];
	const char *cut = longest + NAME_MAX - 231; /* as a subject */

	(void) arg;
	make_programs();
	memset(longest, 'x', NAME_MAX);
	snprintf(words, sizeof(words), "execve %s: No such file or directory", cut);
	expect_not_found(longest, -ENOENT, words);
	longest[NAME_MAX] = 'x';
	snprintf(words, sizeof(words), "execve %s: File name too long", cut + 1);
	expect_not_found(longest, -ENAMETOOLONG, words);
	expect_not_found("nothing", -ENOENT, "execve nothing: No such file or directory");
	expect_not_found("one/nothing", -ENOENT, "execve one/nothing: No such file or directory");
	expect_not_found("denied", -EACCES, "execve denied: Permission denied");
	expect_not_found("one/denied", -EACCES, "execve one/denied: Permission denied");
	expect_not_found("broken", -ENOENT, "interpreter of broken: No such file or directory");
	expect_not_found("one/broken", -ENOENT,
			 "interpreter of one/broken: No such file or directory");
	expect_not_found("words", -ENOEXEC, "execve words: Exec format error");
	expect_not_found("here/below", -ENOTDIR, "execve here/below: Not a directory");
	expect_fails(&(struct eio_spawn){.argv = argv}, -E2BIG,
		     "execve sh: Argument list too long");
	free(much);
	return 0;
}

/* A name of no letters would be the directory's own. */
RING_TEST(a_program_without_a_name_is_none)
{
	static const char *const argv[] = {"", NULL};

	(void) arg;
	expect_fails(&(struct eio_spawn){.argv = argv}, -ENOENT,
		     "execve: No such file or directory");
	return 0;
}

/* By somebody who is not root. */
DIR_TEST(what_one_may_not_is_told)
{
	struct eio_spawn spawn = {.argv = shell("")};
	struct eio_switch sw;
	struct eio_dir own;
	gid_t group = 0;
	uid_t other = 65533;

	(void) arg;
	if (geteuid() != 0)
		return 0;
	ck_assert_int_eq(mkdir("own", 0700), 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "own", &own));
	ck_assert_int_eq(setegid(65534), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	spawn.cwd = &own;
	expect_fails(&spawn, -EACCES, "fchdir: Permission denied");
	spawn.cwd = NULL;
	spawn.groups = &group;
	expect_fails(&spawn, -EPERM, "setgroups: Operation not permitted");
	spawn.groups = NULL;
	spawn.uid = &other;
	expect_fails(&spawn, -EPERM, "setuid: Operation not permitted");
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(setegid(0), 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(what_makes_no_sense_is_refused)
{
	static const struct eio_dir_ops elsewhere_ops = {.name = "elsewhere"};
	static const char *const none[] = {NULL};
	struct eio_dir zeroed_dir = {.ops = NULL}, elsewhere = {.ops = &elsewhere_ops}, file;
	struct eio_spawn plain = {.argv = shell("")}, spawn = {.argv = none};
	struct eio_flow closed, w, zeroed = {.ops = NULL}, null = eio_null();
	struct eio_inherit negative = {EIO_STDIN, -1};
	struct eio_fd tty = EIO_STDIN;
	struct eio_process p;
	struct eio_switch sw;
	pid_t pgid = 0;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &closed, &w);
	expect_ok(eio_flow_close(closed));
	file = eio_dir_of_fd(file_on(&sw));
	expect_fails(&spawn, -EINVAL, "spawn no arguments: Invalid argument");
	spawn.argv = NULL;
	expect_fails(&spawn, -EINVAL, "spawn no arguments: Invalid argument");
	spawn = plain;
	spawn.pgid = &pgid;
	spawn.tty = &tty;
	expect_fails(&spawn, -EINVAL,
		     "spawn a terminal's session has a group of its own: Invalid argument");
	spawn = plain;
	spawn.inherit = &negative;
	spawn.n_inherit = 1;
	expect_fails(&spawn, -EINVAL, "spawn: Invalid argument");
	spawn = plain;
	spawn.in = &closed;
	expect_fails(&spawn, -EBADF, "fcntl: Bad file descriptor");
	spawn.in = &zeroed;
	expect_fails(&spawn, -EBADF, "descriptor: Bad file descriptor");
	spawn = plain;
	spawn.cwd = &zeroed_dir;
	expect_fails(&spawn, -EBADF, "fchdir: Bad file descriptor");
	spawn.cwd = &elsewhere;
	expect_fails(&spawn, -ENOTSUP, "fchdir: Operation not supported");
	spawn.cwd = &file;
	expect_fails(&spawn, -ENOTDIR, "fchdir: Not a directory");
	spawn.out = &null;
	expect_fails(&spawn, -ENOTDIR, "fchdir: Not a directory");
	expect_err(eio_process_spawn(env->process_mgr, NULL, &plain, &p), -EINVAL);
	expect_words(-EINVAL, "spawn no switch: Invalid argument");
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_switch_that_is_cancelled_has_no_child)
{
	struct eio_spawn spawn = {.argv = shell("")};
	struct eio_process p;
	struct eio_switch sw;
	struct eio_cancel c;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_switch_fail(&sw, -EIO));
	expect_err(run(&spawn, NULL), -ECANCELED);
	eio_cancel_protect_begin(&c);
	expect_err(eio_process_spawn(env->process_mgr, &sw, &spawn, &p), -ECANCELED);
	eio_cancel_end(&c);
	expect_no_children();
	expect_err(eio_switch_end(&sw, 0), -EIO);
	return 0;
}

/* Memory to read from and to write to. */
struct ends {
	struct eio_string_source source;
	struct eio_buffer_sink sinks[2];
	struct eio_flow in, out, err;
};

static void ends_init(struct ends *e, const void *data, size_t len)
{
	e->in = eio_string_source_init(&e->source, data, len);
	e->out = eio_buffer_sink_init(&e->sinks[0], 0);
	e->err = eio_buffer_sink_init(&e->sinks[1], 0);
}

static void ends_fini(struct ends *e)
{
	eio_buffer_sink_fini(&e->sinks[0]);
	eio_buffer_sink_fini(&e->sinks[1]);
}

static ssize_t read_and_note(struct eio_flow f, void *buf, size_t len)
{
	(void) f, (void) buf, (void) len;
	note("read");
	return 0;
}

/* And the switch goes on. */
RING_TEST(a_start_that_fails_touches_no_flow)
{
	static const struct eio_flow_ops noting = {.name = "noting", .read = read_and_note};
	static const char *const argv[] = {"/nowhere", NULL};
	struct eio_flow in = {.ops = &noting}, null = eio_null();
	struct ends e;
	struct eio_spawn spawn = {.argv = argv, .in = &in, .out = &e.out, .err = &null};
	unsigned fds = count_fds();
	struct eio_process p;
	struct eio_switch sw;

	(void) arg;
	ends_init(&e, NULL, 0);
	eio_switch_begin(&sw);
	expect_err(eio_process_spawn(env->process_mgr, &sw, &spawn, &p), -ENOENT);
	trips(2);
	ck_assert_uint_eq(count_fibers(), 0);
	ck_assert_uint_eq(count_fds(), fds);
	expect_log("");
	spawn.argv = shell("cat; echo x");
	ck_assert_int_eq(status_of(start(&sw, &spawn)), 0);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("read");
	ck_assert_str_eq(e.sinks[0].data, "x\n");
	ends_fini(&e);
	return 0;
}

struct attempt {
	struct eio_switch *sw;
	const struct eio_spawn *spawn;
	int rc;
};

static int attempt(void *arg)
{
	struct attempt *a = arg;
	struct eio_process p;

	a->rc = 1;
	a->rc = eio_process_spawn(env->process_mgr, a->sw, a->spawn, &p);
	return 0;
}

/* The attempt is opening the null device, and a copy waits for word of it. */
RING_TEST(a_switch_may_be_cancelled_while_a_child_is_prepared)
{
	struct eio_flow null = eio_null();
	struct ends e;
	struct eio_spawn spawn = {.argv = shell("cat"), .in = &e.in, .out = &null};
	struct eio_switch sw, attempts;
	struct attempt a = {.sw = &sw, .spawn = &spawn};
	struct eio_cancel c;

	(void) arg;
	ends_init(&e, "abc", 3);
	eio_switch_begin(&attempts);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&attempts, attempt, &a));
	expect_ok(eio_switch_fail(&sw, -EIO));
	eio_cancel_protect_begin(&c);
	while (a.rc == 1) {
		ck_assert_uint_eq(count_fibers(), 2);
		expect_ok(eio_yield());
	}
	eio_cancel_end(&c);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	expect_err(a.rc, -ECANCELED);
	ck_assert_uint_eq(e.source.len, 3);
	ends_fini(&e);
	return eio_switch_end(&attempts, 0);
}

RING_TEST(without_descriptors_nothing_is_left)
{
	struct ends e;
	struct eio_spawn spawn = {.argv = shell("cat"), .in = &e.in, .out = &e.out, .err = &e.err};
	unsigned fds = count_fds(), n = 0;
	int rc;

	(void) arg;
	ends_init(&e, "abc", 3);
	do {
		limit_fds(n++);
		rc = run(&spawn, NULL);
		lift_fd_limit();
		ck_assert_uint_eq(count_fds(), fds);
		ck_assert_uint_eq(e.source.len, rc == 0 ? 0 : 3);
		expect_no_children();
	} while (rc == -EMFILE);
	expect_ok(rc);
	ck_assert_uint_ge(n, 8); /* three pipes and the process */
	ck_assert_str_eq(e.sinks[0].data, "abc");
	ends_fini(&e);
	return 0;
}

/* Streams that are descriptors */

RING_TEST(a_flows_descriptor_is_the_childs_own)
{
	struct eio_flow r, w, other_r, other_w;
	struct eio_spawn spawn = {.argv = shell("exec cat"), .in = &r, .out = &other_w};
	struct eio_process p;
	struct eio_switch sw;
	char text[8];

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	flow_pipe(&sw, &other_r, &other_w);
	p = start(&sw, &spawn);
	ck_assert_uint_eq(count_fibers(), 0);
	expect_ok(eio_flow_close(other_w));
	expect_ok(eio_flow_write(w, "abc", 3));
	expect_ok(eio_flow_close(w));
	ck_assert_int_eq(status_of(p), 0);
	ck_assert_int_eq(eio_flow_read(other_r, text, sizeof(text)), 3);
	ck_assert_int_eq(eio_flow_read(other_r, text, sizeof(text)), 0);
	return eio_switch_end(&sw, 0);
}

RING_TEST(streams_that_are_not_named_are_the_parents)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char own[256] = "";

	(void) arg;
	ck_assert_int_eq(dup2(zero, STDIN_FILENO), STDIN_FILENO);
	close(zero);
	ck_assert_int_gt(readlink("/proc/self/fd/2", own, sizeof(own) - 1), 0);
	expect_said(&(struct eio_spawn){.argv = shell("readlink /proc/$$/fd/0")}, "/dev/zero");
	expect_said(&(struct eio_spawn){.argv = shell("readlink /proc/$$/fd/2")}, own);
	return 0;
}

RING_TEST(nothing_is_the_null_device_and_holds_nobody_up)
{
	struct eio_flow null = eio_null();
	struct eio_spawn spawn = {.in = &null, .err = &null};
	unsigned fds = count_fds();
	struct eio_switch sw;

	(void) arg;
	spawn.argv = shell("for i in 0 2; do readlink /proc/$$/fd/$i; done; echo x >&2; cat");
	expect_said(&spawn, "/dev/null\n/dev/null");
	eio_switch_begin(&sw);
	spawn = (struct eio_spawn){.argv = shell("exec sleep 1000"), .out = &null};
	start(&sw, &spawn);
	ck_assert_uint_eq(count_fibers(), 0);
	ck_assert_uint_eq(count_fds(), fds + 1);
	return eio_switch_end(&sw, 0);
}

static int run_and_note(void *arg)
{
	note("%d", run(arg, NULL));
	return 0;
}

RING_TEST(a_descriptor_is_made_blocking)
{
	struct eio_flow a, b;
	struct ends e;
	struct eio_spawn spawn = {.argv = shell("exec cat"), .in = &a, .out = &e.out};
	struct eio_switch sw, runs;

	(void) arg;
	ends_init(&e, NULL, 0);
	eio_switch_begin(&sw);
	flow_pair(&sw, &a, &b);
	ck_assert_int_eq(fcntl(flow_number(a), F_SETFL, O_RDWR | O_NONBLOCK), 0);
	eio_switch_begin(&runs);
	expect_ok(eio_fork(&runs, run_and_note, &spawn));
	ck_assert_int_eq(fcntl(flow_number(a), F_GETFL) & O_NONBLOCK, 0);
	expect_ok(eio_flow_write(b, "abc", 3));
	expect_ok(eio_flow_shutdown(b, EIO_SHUT_SEND));
	expect_ok(eio_switch_end(&runs, 0));
	expect_log("0");
	ck_assert_str_eq(e.sinks[0].data, "abc");
	ends_fini(&e);
	return eio_switch_end(&sw, 0);
}

static int copy_file_to(void *arg)
{
	struct eio_flow *to = arg;
	struct eio_switch sw;
	int rc;

	eio_switch_begin(&sw);
	rc = eio_flow_copy(file_to_read(&sw, "file"), *to, NULL);
	return eio_switch_end(&sw, rc);
}

enum { SENT = 8 << 20 };

static void expect_sent(struct eio_flow from)
{
	static char data[SENT];
	ssize_t n;

	for (size_t len = 0; len < SENT; len += (size_t) n) {
		n = eio_flow_read(from, data + len, SENT - len);
		ck_assert_int_gt(n, 0);
	}
	ck_assert(is_filled(data, SENT, 0));
}

/* It waits for room when a child is given the socket: what it had called directly would stop the
 * thread from then on. */
DIR_TEST(a_copy_to_a_childs_socket_stops_nobody)
{
	struct eio_flow a, b, null = eio_null();
	struct eio_spawn spawn = {.argv = shell("exec sleep 1000"), .in = &a, .out = &null};
	struct eio_switch sw, copies;

	(void) arg;
	put_file("file", SENT);
	eio_switch_begin(&sw);
	flow_tcp(&sw, &a, &b);
	eio_switch_begin(&copies);
	expect_ok(eio_fork(&copies, copy_file_to, &a));
	trips(8);
	start(&sw, &spawn);
	expect_sent(b);
	expect_ok(eio_switch_end(&copies, 0));
	return eio_switch_end(&sw, 0);
}

/* From one socket to another, either of which becomes blocking. */
static int copy_between(void *arg)
{
	struct eio_flow *ends = arg;

	return eio_flow_copy(ends[0], ends[1], NULL);
}

DIR_TEST(a_copy_between_sockets_one_of_which_is_a_childs_stops_nobody)
{
	struct eio_flow ends[2], source, sink, null = eio_null();
	struct eio_spawn spawn = {.argv = shell("exec sleep 1000"), .out = &null};
	struct eio_switch sw, copies;

	(void) arg;
	put_file("file", SENT);
	for (int i = 0; i < 2; i++) {
		eio_switch_begin(&sw);
		flow_tcp(&sw, &source, &ends[0]);
		flow_tcp(&sw, &sink, &ends[1]);
		eio_switch_begin(&copies);
		expect_ok(eio_fork(&copies, copy_between, ends));
		expect_ok(eio_fork(&copies, copy_file_to, &source));
		trips(64);
		spawn.in = &ends[i];
		start(&sw, &spawn);
		expect_sent(sink);
		expect_ok(eio_flow_shutdown(source, EIO_SHUT_SEND));
		expect_ok(eio_switch_end(&copies, 0));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(more_descriptors_come_under_their_numbers_also_in_a_cycle)
{
	struct eio_flow null = eio_null();
	struct eio_inherit list[3];
	struct eio_spawn spawn = {.in = &null, .inherit = list, .n_inherit = 2};
	struct eio_switch sw;
	char script[200];
	int n[2];

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 2; i++) {
		list[i].fd = file_on(&sw);
		n[i] = number(list[i].fd);
		ck_assert_int_eq(write(n[i], &"ab"[i], 1), 1);
	}
	list[0].number = n[1];
	list[1].number = n[0];
	snprintf(script, sizeof(script), "cat /proc/self/fd/%d /proc/self/fd/%d /proc/self/fd/0",
		 n[0], n[1]);
	spawn.argv = shell(script);
	expect_said(&spawn, "ba");
	/* And come before a stream. */
	list[2] = (struct eio_inherit){list[1].fd, STDIN_FILENO};
	spawn.n_inherit = 3;
	expect_said(&spawn, "bab");
	return eio_switch_end(&sw, 0);
}

/* Streams that are copied */

enum { MUCH = 10 << 20 };

RING_TEST(much_goes_from_memory_and_into_memory_at_once)
{
	static char data[MUCH];
	struct ends e;
	struct eio_spawn spawn = {
		.argv = shell("exec tee /dev/stderr"), .in = &e.in, .out = &e.out, .err = &e.err};

	(void) arg;
	fill(data, MUCH, 0);
	ends_init(&e, data, MUCH);
	expect_ok(run(&spawn, NULL));
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(e.sinks[i].len, MUCH);
		ck_assert(is_filled(e.sinks[i].data, MUCH, 0));
	}
	ends_fini(&e);
	return 0;
}

RING_TEST(one_flow_may_be_both_outputs)
{
	struct eio_flow copy;
	struct ends e;
	struct eio_spawn spawn = {
		.argv = shell("echo a; echo b >&2; echo c"), .out = &e.out, .err = &copy};
	struct eio_switch sw;

	(void) arg;
	ends_init(&e, NULL, 0);
	copy = e.out;
	eio_switch_begin(&sw);
	start(&sw, &spawn);
	ck_assert_uint_eq(count_fibers(), 1);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_str_eq(e.sinks[0].data, "a\nb\nc\n");
	ends_fini(&e);
	return 0;
}

/* A source without descriptor in which there never is anything. */
struct silence {
	struct eio_flow r, w;
	struct eio_flow_counter counter;
};

static struct eio_flow silence_on(struct eio_switch *sw, struct silence *s)
{
	flow_pipe(sw, &s->r, &s->w);
	return eio_flow_counter_init(&s->counter, s->r);
}

RING_TEST(who_does_not_read_to_the_end_is_not_fed)
{
	static const char data[1 << 20];
	struct ends e;
	struct eio_spawn spawn = {.argv = shell("exec head -c 1 >/dev/null"), .in = &e.in};
	struct eio_switch sw;
	struct silence s;

	(void) arg;
	ends_init(&e, data, sizeof(data));
	expect_ok(run(&spawn, NULL));
	ck_assert_uint_gt(e.source.len, 0);
	eio_switch_begin(&sw);
	e.in = silence_on(&sw, &s);
	spawn.argv = shell("exit 0");
	expect_ok(run(&spawn, NULL));
	ck_assert_uint_eq(count_fibers(), 0);
	return eio_switch_end(&sw, 0);
}

/* The write may hear of it first. */
static int run_true(void *arg)
{
	struct ends e;
	struct eio_spawn spawn = {.argv = shell("cat >/dev/null"), .in = &e.in};

	(void) arg;
	ends_init(&e, "abc", 3);
	expect_ok(run(&spawn, NULL));
	ck_assert_uint_gt(e.source.len, 0);
	return 0;
}

START_TEST(a_pipe_that_nobody_reads_is_no_failure)
{
	struct faults f = {
		.refuse = {.nth = 1, .times = 1, .opcode = IORING_OP_WRITEV, .err = -EPIPE}};

	faults_install(&f);
	run_ring(run_true, 0);
	ck_assert_uint_eq(f.refused, 1);
}
END_TEST

/* The copy ends while the child lives, and before the switch does. */
RING_TEST(who_closes_its_input_is_not_fed)
{
	struct eio_switch sw;
	struct silence s;
	struct eio_flow in;
	struct eio_spawn spawn = {.argv = shell("exec sleep 1000 <&-"), .in = &in};
	unsigned fds;

	(void) arg;
	eio_switch_begin(&sw);
	in = silence_on(&sw, &s);
	fds = count_fds();
	start(&sw, &spawn);
	ck_assert_uint_gt(count_fibers(), 0);
	wait_until(count_fibers() == 0);
	ck_assert_uint_eq(count_fds(), fds + 1);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_child_that_is_fed_is_killed_at_the_end_all_the_same)
{
	struct eio_switch sw, outer;
	struct silence s;
	struct eio_flow in;
	struct eio_spawn spawn = {.argv = shell("exec cat >/dev/null"), .in = &in};

	(void) arg;
	eio_switch_begin(&outer);
	in = silence_on(&outer, &s);
	eio_switch_begin(&sw);
	start(&sw, &spawn);
	trips(4);
	expect_ok(eio_switch_end(&sw, 0));
	expect_no_children();
	return eio_switch_end(&outer, 0);
}

/* Spawns without waiting for it. */
static int spawn_and_end(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	start(&sw, arg);
	expect_ok(eio_switch_end(&sw, 0));
	note("end");
	return 0;
}

RING_TEST(the_end_of_the_switch_waits_for_what_the_child_writes)
{
	struct eio_flow r, w;
	struct ends e;
	struct eio_spawn spawn = {.argv = shell("exec head -c 1"), .in = &r, .out = &e.out};
	struct eio_switch sw, ends;

	(void) arg;
	ends_init(&e, NULL, 0);
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	eio_switch_begin(&ends);
	expect_ok(eio_fork(&ends, spawn_and_end, &spawn));
	trips(8);
	note("put");
	expect_ok(eio_flow_write(w, "x", 1));
	expect_ok(eio_switch_end(&ends, 0));
	expect_log("put end");
	ck_assert_str_eq(e.sinks[0].data, "x");
	ends_fini(&e);
	return eio_switch_end(&sw, 0);
}

/* A child that leaves another behind, which has its output and lives as long as @p in has
 * something to come. */
static struct eio_spawn leaving_one_behind(struct eio_flow in, struct eio_inherit *list)
{
	expect_ok(eio_flow_fd(in, &list->fd));
	list->number = 3;
	return (struct eio_spawn){
		.argv = shell("cat <&3 & echo x"), .inherit = list, .n_inherit = 1};
}

RING_TEST(a_copy_goes_on_until_the_last_one_has_closed_the_pipe)
{
	struct eio_inherit list;
	struct eio_flow in, w;
	struct eio_switch sw, outer;
	struct eio_spawn spawn;
	struct ends e;

	(void) arg;
	ends_init(&e, NULL, 0);
	eio_switch_begin(&outer);
	flow_pipe(&outer, &in, &w);
	spawn = leaving_one_behind(in, &list);
	spawn.out = &e.out;
	eio_switch_begin(&sw);
	ck_assert_int_eq(status_of(start(&sw, &spawn)), 0);
	wait_until(e.sinks[0].len == 2);
	expect_ok(eio_flow_write(w, "later", 5));
	expect_ok(eio_flow_close(w));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_str_eq(e.sinks[0].data, "x\nlater");
	ends_fini(&e);
	return eio_switch_end(&outer, 0);
}

static int run_it(void *arg)
{
	return run(arg, NULL);
}

RING_TEST(a_limit_ends_a_run_that_is_held_up)
{
	struct eio_inherit list;
	struct eio_flow in, w;
	struct eio_spawn spawn;
	struct eio_switch sw;
	struct ends e;

	(void) arg;
	ends_init(&e, NULL, 0);
	eio_switch_begin(&sw);
	flow_pipe(&sw, &in, &w);
	spawn = leaving_one_behind(in, &list);
	spawn.out = &e.out;
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(20), run_it, &spawn), -ETIMEDOUT);
	expect_no_children();
	ends_fini(&e);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_sink_that_fails_is_the_runs_failure)
{
	static const struct eio_mock_action full[] = {EIO_MOCK_FAIL(-ENOSPC)};
	struct eio_mock_flow m;
	struct eio_flow out = eio_mock_flow_init(&m, "sink");
	struct eio_spawn spawn = {.argv = shell("echo x; exec sleep 1000"), .out = &out};

	(void) arg;
	eio_mock_on_write(&m, full, 1);
	expect_err(run(&spawn, NULL), -ENOSPC);
	expect_no_children();
	eio_mock_flow_fini(&m);
	return 0;
}

RING_TEST(a_source_that_fails_is_the_runs_failure)
{
	static const struct eio_mock_action bad[] = {EIO_MOCK_DATA("abc"), EIO_MOCK_FAIL(-EIO)};
	struct eio_mock_flow m;
	struct eio_flow in = eio_mock_flow_init(&m, "source");
	struct eio_spawn spawn = {.argv = shell("cat >/dev/null; exec sleep 1000"), .in = &in};

	(void) arg;
	eio_mock_on_read(&m, bad, 2);
	expect_err(run(&spawn, NULL), -EIO);
	expect_no_children();
	eio_mock_flow_fini(&m);
	return 0;
}

RING_TEST(a_flow_that_fails_fails_the_switch_of_its_process)
{
	static const struct eio_mock_action full[] = {EIO_MOCK_FAIL(-ENOSPC)};
	struct eio_mock_flow m;
	struct eio_flow out = eio_mock_flow_init(&m, "sink");
	struct eio_spawn spawn = {.argv = shell("echo x; exec sleep 1000"), .out = &out};
	struct eio_switch sw;

	(void) arg;
	eio_mock_on_write(&m, full, 1);
	eio_switch_begin(&sw);
	start(&sw, &spawn);
	expect_err(eio_await_cancel(), -ECANCELED);
	expect_err(eio_switch_end(&sw, 0), -ENOSPC);
	expect_no_children();
	eio_mock_flow_fini(&m);
	return 0;
}

/* Reading the output */

static int parse(const char *script, eio_process_parser_fn *parser, void *arg, int *ret_status)
{
	struct eio_spawn spawn = {.argv = shell(script)};

	return eio_process_parse_out(env->process_mgr, &spawn, parser, arg, ret_status);
}

static int note_lines(struct eio_buf_reader *r, void *arg)
{
	int *left = arg, rc = 1;
	char *line;

	while (rc > 0 && (*left)-- > 0) {
		rc = eio_buf_read_line(r, &line, NULL);
		if (rc > 0)
			note("%s", line);
	}
	return rc < 0 ? rc : 42;
}

RING_TEST(the_output_is_read_while_it_comes)
{
	int left = 10, status = -1;

	(void) arg;
	expect_err(parse("echo a; echo b; exit 3", note_lines, &left, &status), 42);
	expect_log("a b");
	ck_assert_int_eq(status, 3 << 8);
	expect_no_children();
	return 0;
}

RING_TEST(who_writes_on_when_nobody_reads_any_more_has_not_failed)
{
	int left = 2, status = -1;

	(void) arg;
	expect_err(parse("exec yes", note_lines, &left, NULL), 42);
	expect_log("y y");
	left = 1;
	expect_err(parse("exec yes", note_lines, &left, &status), 42);
	expect_log("y");
	ck_assert_int_eq(status, SIGPIPE);
	expect_no_children();
	return 0;
}

RING_TEST(who_ends_otherwise_has_failed_though_the_output_was_read)
{
	int left = 2;

	(void) arg;
	expect_err(parse("echo x; exec >&-; kill -PIPE $$", note_lines, &left, NULL), EIO_ESTATUS);
	expect_words(EIO_ESTATUS, "run sh (killed by SIGPIPE): The program did not succeed");
	expect_log("x");
	left = 0;
	expect_err(parse("exit 4", note_lines, &left, NULL), EIO_ESTATUS);
	expect_words(EIO_ESTATUS, "run sh (exited with code 4): The program did not succeed");
	left = 0;
	expect_err(parse("kill -TERM $$", note_lines, &left, NULL), EIO_ESTATUS);
	return 0;
}

static int expect_x(struct eio_buf_reader *r, void *arg)
{
	(void) arg;
	return eio_buf_read_char(r, 'x');
}

RING_TEST(a_parsers_failure_comes_first_and_kills)
{
	int status = -1;

	(void) arg;
	expect_err(parse("echo a; exec sleep 1000", expect_x, NULL, &status), EIO_EPARSE);
	expect_err(parse("exit 3", expect_x, NULL, NULL), EIO_EOF);
	ck_assert_int_eq(status, -1);
	expect_no_children();
	return 0;
}

static int take_all(struct eio_buf_reader *r, void *arg)
{
	char *data;

	return eio_buf_read_take_all(r, &data, arg);
}

RING_TEST(the_parser_may_take_any_amount)
{
	size_t len = 0;

	(void) arg;
	expect_ok(parse("exec head -c 1000000 /dev/zero", take_all, &len, NULL));
	ck_assert_uint_eq(len, 1000000);
	return 0;
}

RING_TEST(an_output_that_is_given_away_is_not_read)
{
	struct eio_flow null = eio_null();
	struct eio_spawn spawn = {.argv = shell(""), .out = &null};
	int left = 1;

	(void) arg;
	expect_err(eio_process_parse_out(env->process_mgr, &spawn, note_lines, &left, NULL),
		   -EINVAL);
	expect_words(-EINVAL, "parse_out the output is the parser's: Invalid argument");
	ck_assert_int_eq(left, 1);
	return 0;
}

/* Managers */

static int spawn_true(struct eio_process_mgr mgr, struct eio_switch *sw,
		      const struct eio_spawn *spawn, struct eio_process *ret)
{
	const struct eio_process_mgr *of = mgr.ptr;

	if (strcmp(spawn->argv[0], "true") != 0)
		return eio_error_set(-EPERM, "spawn_true", spawn->argv[0]);
	return eio_process_spawn(*of, sw, spawn, ret);
}

RING_TEST(a_program_may_restrict_what_is_run)
{
	static const struct eio_process_mgr_ops only_true = {.name = "only true",
							     .spawn = spawn_true};
	static const struct eio_process_mgr_ops nobody = {.name = "nobody"};
	static const char *const yes[] = {"true", NULL}, *const no[] = {"false", NULL};
	struct eio_process_mgr mgr = {.ops = &only_true, .ptr = &env->process_mgr};
	struct eio_spawn spawn = {.argv = yes};

	(void) arg;
	expect_ok(eio_process_run(mgr, &spawn, NULL));
	spawn.argv = no;
	expect_err(eio_process_run(mgr, &spawn, NULL), -EPERM);
	expect_words(-EPERM, "spawn_true false: Operation not permitted");
	mgr.ops = &nobody;
	expect_err(eio_process_run(mgr, &spawn, NULL), -EOPNOTSUPP);
	expect_words(-EOPNOTSUPP, "spawn nobody: Operation not supported");
	return 0;
}

static int run_by(struct eio_process_mgr mgr)
{
	struct eio_spawn spawn = {.argv = shell("")};
	int left = 1;

	expect_err(eio_process_parse_out(mgr, &spawn, note_lines, &left, NULL),
		   eio_process_run(mgr, &spawn, NULL));
	return eio_process_run(mgr, &spawn, NULL);
}

static int run_by_nobody(void *arg)
{
	(void) arg;
	return run_by((struct eio_process_mgr){NULL, NULL});
}

static int run_by_mock(struct eio_env *e, void *arg)
{
	(void) arg;
	return run_by(e->process_mgr);
}

CORE_TEST(nobody_starts_nothing)
{
	(void) arg;
	expect_err(run_by_nobody(NULL), -EBADF);
	expect_err(on_plain_thread(run_by_nobody, NULL), -EPERM);
	return 0;
}

START_TEST(mocks_start_nothing)
{
	expect_err(eio_mock_run(run_by_mock, NULL), -EBADF);
}
END_TEST

/* Words */

static void expect_status(int status, const char *words)
{
	char text[64];

	ck_assert_int_eq(eio_process_format_status(status, text, sizeof(text)),
			 (int) strlen(words));
	ck_assert_str_eq(text, words);
}

START_TEST(a_status_has_its_words)
{
	char small[7] = "";

	expect_status(0, "exited with code 0");
	expect_status(255 << 8, "exited with code 255");
	expect_status(SIGHUP, "killed by SIGHUP");
	expect_status(SIGTERM, "killed by SIGTERM");
	expect_status(SIGSYS, "killed by SIGSYS");
	expect_status(SIGSEGV | 0x80, "killed by SIGSEGV (core dumped)");
	expect_status(32, "killed by signal 32");
	expect_status(64, "killed by signal 64");
	expect_status(0x137f, "status 0x137f");
	for (int sig = 1; sig < 32; sig++)
		ck_assert_int_gt(eio_process_format_status(sig, NULL, 0), 14);
	ck_assert_int_eq(eio_process_format_status(0, small, sizeof(small)), 18);
	ck_assert_str_eq(small, "exited");
	ck_assert(eio_process_is_success(0));
	ck_assert(!eio_process_is_success(1 << 8));
	ck_assert(!eio_process_is_success(SIGTERM));
	ck_assert(!eio_process_is_success(0x7f));
}
END_TEST

/* In every size, of which none is exceeded. */
static void expect_args(const char *const *argv, const char *words)
{
	size_t len = strlen(words);
	char text[128];

	for (size_t size = 0; size < sizeof(text); size++) {
		memset(text, '#', sizeof(text));
		ck_assert_int_eq(eio_process_format_args(argv, text, size), (int) len);
		if (size > 0) {
			size_t shown = len < size ? len : size - 1;

			ck_assert_int_eq(strncmp(text, words, shown), 0);
			ck_assert_int_eq(text[shown], 0);
		}
		ck_assert_int_eq(text[size], '#');
	}
}

START_TEST(arguments_are_quoted_where_a_shell_needs_it)
{
	static const char *const plain[] = {"ls", "-l", "/a_b/c.d", "x@y:z,1+2%=", NULL};
	static const char *const quoted[] = {"a b", "", "$x", "it's", "'", "~", NULL};
	static const char *const assigned[] = {"A=b", "C=d", NULL}, *const none[] = {NULL};

	expect_args(plain, "ls -l /a_b/c.d x@y:z,1+2%=");
	expect_args(quoted, "'a b' '' '$x' 'it'\\''s' ''\\''' '~'");
	expect_args(assigned, "'A=b' C=d");
	expect_args(none, "");
}
END_TEST

RING_TEST(a_shell_takes_what_is_quoted_for_what_it_was)
{
	static const char *const argv[] = {"printf", "[%s]",   "a b", "",
					   "it's",   "$x\\\"", "*",   NULL};
	char script[128];

	(void) arg;
	eio_process_format_args(argv, script, sizeof(script));
	expect_said(&(struct eio_spawn){.argv = shell(script)}, "[a b][][it's][$x\\\"][*]");
	return 0;
}

/* Memory */

#if defined(__GLIBC__) && !SANITIZED
static int allowed = -1; /* allocations before all others fail; -1: none does */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static bool fails(void)
{
	if (allowed > 0)
		allowed--;
	if (allowed == 0)
		errno = ENOMEM;
	return allowed == 0;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}

void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t off)
{
	return fails() ? MAP_FAILED : (void *) syscall(SYS_mmap, at, size, prot, flags, fd, off);
}

/* The start alone, of which nothing is left though the switch goes on, or a run. */
static int try_without_memory(const struct eio_spawn *spawn, unsigned after, bool whole)
{
	unsigned fds = count_fds();
	struct eio_process p;
	struct eio_switch sw;
	int rc;

	allowed = (int) after;
	eio_switch_begin(&sw);
	rc = whole ? run(spawn, NULL) : eio_process_spawn(env->process_mgr, &sw, spawn, &p);
	allowed = -1;
	ck_assert_msg(rc == 0 || rc == -ENOMEM, "%s", eio_err_name(rc));
	if (rc < 0) {
		trips(2);
		ck_assert_uint_eq(count_fds(), fds);
		ck_assert_uint_eq(count_fibers(), 0);
		expect_no_children();
	}
	expect_ok(eio_switch_end(&sw, 0));
	return rc;
}

/* What one attempt has allocated may be there for the next. */
RING_TEST(without_memory_nothing_is_left)
{
	unsigned failed = 0;

	(void) arg;
	eio_error_set(-EIO, "the record", NULL);
	for (unsigned i = 0; i < 40; i++) {
		struct ends e;
		struct eio_spawn spawn = {.argv = shell("cat"), .in = &e.in, .out = &e.out};

		ends_init(&e, "abc", 3);
		if (try_without_memory(&spawn, 1 + i % 10, i >= 20) < 0)
			failed++;
		else if (i >= 20)
			ck_assert_str_eq(e.sinks[0].data, "abc");
		ends_fini(&e);
	}
	ck_assert_uint_ge(failed, 10);
	return 0;
}
#else
RING_TEST(without_memory_nothing_is_left)
{
	(void) arg;
	return 0;
}
#endif

SUITE_MAIN("process", true, a_run_tells_how_the_program_ended_test,
	   a_program_that_is_to_succeed_and_does_not_is_a_failure_test,
	   a_process_can_be_waited_for_and_signalled_while_its_switch_lives_test,
	   the_end_of_the_switch_kills_its_own_child_and_no_other_test,
	   there_may_be_many_at_once_test, a_program_has_the_arguments_it_is_given_test,
	   an_environment_is_the_parents_or_what_is_given_test,
	   a_directory_is_entered_by_its_capability_test,
	   a_group_is_the_parents_one_of_its_own_or_another_childs_test,
	   who_gets_another_identity_does_not_keep_roots_groups_test,
	   a_terminal_is_that_of_a_new_session_and_stands_for_missing_streams_test,
	   a_name_is_looked_for_in_the_path_test,
	   an_element_of_the_path_that_is_too_long_is_passed_over_test,
	   without_a_path_there_is_a_usual_one_test,
	   a_relative_path_begins_at_the_childs_directory_test,
	   each_way_a_program_cannot_begin_is_told_with_its_name_test,
	   a_program_without_a_name_is_none_test, what_one_may_not_is_told_test,
	   what_makes_no_sense_is_refused_test, a_switch_that_is_cancelled_has_no_child_test,
	   a_start_that_fails_touches_no_flow_test,
	   a_switch_may_be_cancelled_while_a_child_is_prepared_test,
	   without_descriptors_nothing_is_left_test, a_flows_descriptor_is_the_childs_own_test,
	   streams_that_are_not_named_are_the_parents_test,
	   nothing_is_the_null_device_and_holds_nobody_up_test, a_descriptor_is_made_blocking_test,
	   a_copy_to_a_childs_socket_stops_nobody_test,
	   a_copy_between_sockets_one_of_which_is_a_childs_stops_nobody_test,
	   more_descriptors_come_under_their_numbers_also_in_a_cycle_test,
	   much_goes_from_memory_and_into_memory_at_once_test, one_flow_may_be_both_outputs_test,
	   who_does_not_read_to_the_end_is_not_fed_test, a_pipe_that_nobody_reads_is_no_failure,
	   who_closes_its_input_is_not_fed_test,
	   a_child_that_is_fed_is_killed_at_the_end_all_the_same_test,
	   the_end_of_the_switch_waits_for_what_the_child_writes_test,
	   a_copy_goes_on_until_the_last_one_has_closed_the_pipe_test,
	   a_limit_ends_a_run_that_is_held_up_test, a_sink_that_fails_is_the_runs_failure_test,
	   a_source_that_fails_is_the_runs_failure_test,
	   a_flow_that_fails_fails_the_switch_of_its_process_test,
	   the_output_is_read_while_it_comes_test,
	   who_writes_on_when_nobody_reads_any_more_has_not_failed_test,
	   who_ends_otherwise_has_failed_though_the_output_was_read_test,
	   a_parsers_failure_comes_first_and_kills_test, the_parser_may_take_any_amount_test,
	   an_output_that_is_given_away_is_not_read_test, a_program_may_restrict_what_is_run_test,
	   nobody_starts_nothing_test, mocks_start_nothing, a_status_has_its_words,
	   arguments_are_quoted_where_a_shell_needs_it,
	   a_shell_takes_what_is_quoted_for_what_it_was_test, without_memory_nothing_is_left_test)
