/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static struct eio_dir open_dir(struct eio_switch *sw, struct eio_dir d, const char *path)
{
	struct eio_dir sub;

	expect_ok(eio_fs_open_dir(d, sw, path, &sub));
	return sub;
}

static struct eio_flow open_in(struct eio_switch *sw, const char *path)
{
	struct eio_flow f;

	expect_ok(eio_fs_open_in(env->cwd, sw, path, &f));
	return f;
}

static struct eio_flow open_out(struct eio_switch *sw, const char *path,
				const struct eio_create *how)
{
	struct eio_flow f;

	expect_ok(eio_fs_open_out(env->cwd, sw, path, how, &f));
	return f;
}

/* Every call that takes a path gives this; it leaves nothing open and creates nothing. */
static void expect_all(struct eio_dir d, const char *path, int err)
{
	bool slash = path && *path && path[strlen(path) - 1] == '/';
	unsigned fds = count_fds();
	struct eio_dir_iter it;
	struct eio_stat st;
	struct eio_flow f;
	struct eio_dir sub;
	char **names;
	char what[64];

	snprintf(what, sizeof(what), "%.50s: ", path ? path : "NULL");
#define IS(call) ck_assert_msg((call) == err, "%s%s: not %s", what, #call, eio_err_name(err))
	IS(eio_fs_open_in(d, NULL, path, &f));
	/* Of a path that ends in a slash the kernel says first that it is no file. */
	for (int how = EIO_CREATE_DEFAULT; how <= EIO_CREATE_OR_TRUNCATE && !slash; how++)
		IS(eio_fs_open_out(d, NULL, path, &(struct eio_create){.how = how}, &f));
	IS(eio_fs_open_dir(d, NULL, path, &sub));
	IS(eio_fs_stat(d, path, true, &st));
	IS(eio_fs_dir_begin(&it, d, path));
	IS(eio_fs_read_dir(d, path, &names, NULL));
#undef IS
	ck_assert_uint_eq(count_fds(), fds);
}

/* Confinement */

/*
 * outside/secret, top/file, top/sub/file and links in top: up to "..", root to "/", abs to
 * /proc, in to sub, back to sub/../file, away to ../outside, nowhere to ../outside/new.
 */
static struct eio_dir make_prison(struct eio_switch *sw)
{
	put_dir("outside");
	put_text("outside/secret", "secret");
	put_dir("top");
	put_text("top/file", "top");
	put_dir("top/sub");
	put_text("top/sub/file", "sub");
	put_link("top/up", "..");
	put_link("top/root", "/");
	put_link("top/abs", "/proc");
	put_link("top/in", "sub");
	put_link("top/back", "sub/../file");
	put_link("top/away", "../outside");
	put_link("top/nowhere", "../outside/new");
	put_link("top/sub/away", "../../outside");
	return open_dir(sw, env->cwd, "top");
}

/* clang-format off */
static const char *const escapes[] = {
	"..", "../", "../.", "../outside", "../outside/secret", "../new", "../top/file",
	"sub/../..", "sub/../../outside/secret", "sub/../../top/file", "./..", "in/../..",
	"/", "/etc", "/etc/passwd", "//etc/passwd", "/proc/self/cwd",
	"up", "up/", "up/outside/secret", "up/new", "root", "root/etc/passwd", "abs", "abs/version",
	"abs/self/cwd/top/file", "away", "away/", "away/secret", "away/new",
	"in/away", "in/away/secret", "sub/away/new",
};
/* clang-format on */

DIR_TEST(nothing_leads_out_of_a_directory)
{
	struct eio_switch sw;
	struct eio_dir top;
	char absolute[PATH_MAX];

	(void) arg;
	eio_switch_begin(&sw);
	top = make_prison(&sw);
	for (size_t i = 0; i < COUNT(escapes); i++)
		expect_all(top, escapes[i], -EXDEV);
	/* Not even back to where it is. */
	ck_assert_ptr_nonnull(getcwd(absolute, sizeof(absolute) - 10));
	strcat(absolute, "/top/file");
	expect_all(top, absolute, -EXDEV);
	ck_assert(!exists("new"));
	ck_assert(!exists("outside/new"));
	expect_text("outside/secret", "secret");
	ck_assert_str_eq(eio_last_error()->subject, absolute);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(the_working_directory_confines_too)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	make_prison(&sw);
	ck_assert_int_eq(chdir("top"), 0);
	for (size_t i = 0; i < COUNT(escapes); i++)
		expect_all(env->cwd, escapes[i], -EXDEV);
	ck_assert(!exists("../new"));
	ck_assert(!exists("../outside/new"));
	return eio_switch_end(&sw, 0);
}

/* Creating through a link whose target is outside and missing. */
DIR_TEST(no_file_is_created_outside_through_a_link)
{
	static const enum eio_create_how hows[] = {EIO_CREATE_DEFAULT, EIO_CREATE_IF_MISSING,
						   EIO_CREATE_OR_TRUNCATE, EIO_CREATE_NEVER};
	struct eio_create exclusive = {.how = EIO_CREATE_EXCLUSIVE};
	struct eio_switch sw;
	struct eio_dir top;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	top = make_prison(&sw);
	for (size_t i = 0; i < COUNT(hows); i++)
		expect_err(eio_fs_open_out(top, &sw, "nowhere",
					   &(struct eio_create){.how = hows[i]}, &f),
			   -EXDEV);
	expect_err(eio_fs_open_out(top, &sw, "nowhere", &exclusive, &f), -EEXIST);
	expect_err(eio_fs_open_out(top, &sw, "up/new", &exclusive, &f), -EXDEV);
	ck_assert(!exists("outside/new"));
	ck_assert(!exists("new"));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(what_stays_inside_is_found)
{
	static const char *const paths[] = {
		"file",
		"./file",
		"sub/../file",
		"in/../file",
		"sub/../sub/../file",
		"back",
		"sub/./../in/../back",
		"sub//..//file",
	};
	struct eio_switch sw;
	struct eio_dir top;
	struct eio_stat st;
	struct eio_flow f;
	char text[4] = "";

	(void) arg;
	eio_switch_begin(&sw);
	top = make_prison(&sw);
	for (size_t i = 0; i < COUNT(paths); i++) {
		expect_ok(eio_fs_open_in(top, &sw, paths[i], &f));
		expect_ok(eio_flow_read_exact(f, text, 3));
		ck_assert_str_eq(text, "top");
		expect_ok(eio_fs_stat(top, paths[i], true, &st));
		ck_assert_int_eq(st.kind, EIO_KIND_REGULAR);
	}
	expect_ok(eio_fs_open_in(top, &sw, "in/file", &f));
	expect_ok(eio_flow_read_exact(f, text, 3));
	ck_assert_str_eq(text, "sub");
	expect_ok(eio_fs_stat(top, "sub/..", true, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_DIRECTORY);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(links_out_may_be_looked_at_but_not_followed)
{
	static const char *const links[] = {"up", "root", "abs", "away", "nowhere", "sub/away"};
	struct eio_switch sw;
	struct eio_dir top;
	struct eio_stat st;

	(void) arg;
	eio_switch_begin(&sw);
	top = make_prison(&sw);
	for (size_t i = 0; i < COUNT(links); i++) {
		expect_ok(eio_fs_stat(top, links[i], false, &st));
		ck_assert_int_eq(st.kind, EIO_KIND_SYMLINK);
		expect_err(eio_fs_stat(top, links[i], true, &st), -EXDEV);
	}
	expect_err(eio_fs_stat(top, "up/outside", false, &st), -EXDEV);
	expect_err(eio_fs_stat(top, "..", false, &st), -EXDEV);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_directory_below_is_a_narrower_capability)
{
	struct eio_dir top, sub, in;
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	top = make_prison(&sw);
	sub = open_dir(&sw, top, "sub");
	in = open_dir(&sw, top, "in/");
	expect_err(eio_fs_open_in(sub, &sw, "../file", &f), -EXDEV);
	expect_err(eio_fs_open_in(in, &sw, "../file", &f), -EXDEV);
	expect_ok(eio_fs_open_in(top, &sw, "sub/../file", &f));
	expect_ok(eio_fs_open_in(sub, &sw, "file", &f));
	/* It is the directory, not its name, and outlives the one it came from. */
	expect_ok(eio_dir_close(top));
	ck_assert_int_eq(rename("top/sub", "outside/moved"), 0);
	expect_ok(eio_fs_open_out(sub, &sw, "new", NULL, &f));
	ck_assert(exists("outside/moved/new"));
	expect_err(eio_fs_stat(sub, "../secret", true, &st), -EXDEV);
	sub = open_dir(&sw, sub, ".");
	expect_err(eio_fs_stat(sub, "../secret", true, &st), -EXDEV);
	expect_ok(eio_fs_stat(sub, "new", true, &st));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(magic_links_are_not_followed)
{
	static const char *const magic[] = {"exe", "cwd", "cwd/file", "root/etc", "fd/0"};
	struct eio_switch sw;
	struct eio_dir proc;
	struct eio_stat st;
	struct eio_flow f;

	(void) arg;
	put_text("file", "abc");
	eio_switch_begin(&sw);
	proc = open_dir(&sw, env->fs, "/proc/self");
	for (size_t i = 0; i < COUNT(magic); i++) {
		expect_err(eio_fs_open_in(proc, &sw, magic[i], &f), -ELOOP);
		expect_err(eio_fs_stat(proc, magic[i], true, &st), -ELOOP);
	}
	expect_ok(eio_fs_stat(proc, "exe", false, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_SYMLINK);
	expect_ok(eio_fs_open_in(env->fs, &sw, "/proc/self/cwd/file", &f));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(the_whole_file_system_takes_every_path)
{
	struct eio_switch sw;
	char absolute[PATH_MAX];
	struct eio_dir d;
	struct eio_stat st;
	struct eio_flow f;
	char **names;

	(void) arg;
	eio_switch_begin(&sw);
	make_prison(&sw);
	ck_assert_int_eq(chdir("top"), 0);
	ck_assert_ptr_nonnull(getcwd(absolute, sizeof(absolute) - 10));
	strcat(absolute, "/file");
	expect_ok(eio_fs_open_in(env->fs, &sw, absolute, &f));
	expect_ok(eio_fs_open_in(env->fs, &sw, "file", &f));
	expect_ok(eio_fs_open_in(env->fs, &sw, "../outside/secret", &f));
	expect_ok(eio_fs_open_in(env->fs, &sw, "away/secret", &f));
	expect_ok(eio_fs_open_out(env->fs, &sw, "nowhere", NULL, &f));
	ck_assert(exists("../outside/new"));
	expect_ok(eio_fs_stat(env->fs, "..", true, &st));
	expect_ok(eio_fs_stat(env->fs, "/", true, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_DIRECTORY);
	expect_ok(eio_fs_read_dir(env->fs, "../top/sub", &names, NULL));
	free(names);
	/* What it opens is confined again. */
	d = open_dir(&sw, env->fs, "..");
	expect_err(eio_fs_open_in(d, &sw, "..", &f), -EXDEV);
	return eio_switch_end(&sw, 0);
}

/* Odd paths */

DIR_TEST(an_empty_path_is_none_and_no_path_is_invalid)
{
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	d = open_dir(&sw, env->cwd, "d");
	expect_all(d, "", -ENOENT);
	expect_all(env->cwd, "", -ENOENT);
	expect_all(env->fs, "", -ENOENT);
	expect_all(d, NULL, -EINVAL);
	expect_all(env->cwd, NULL, -EINVAL);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_trailing_slash_asks_for_a_directory)
{
	struct eio_create how = {.how = EIO_CREATE_NEVER};
	struct eio_dir_iter it;
	struct eio_switch sw;
	struct eio_dir d;
	struct eio_stat st;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	put_link("link", "d");
	put_text("file", "abc");
	expect_err(eio_fs_open_in(env->cwd, &sw, "file/", &f), -ENOTDIR);
	expect_err(eio_fs_open_out(env->cwd, &sw, "file/", &how, &f), -ENOTDIR);
	expect_err(eio_fs_stat(env->cwd, "file/", true, &st), -ENOTDIR);
	expect_err(eio_fs_stat(env->cwd, "file/", false, &st), -ENOTDIR);
	expect_err(eio_fs_open_dir(env->cwd, &sw, "file/", &d), -ENOTDIR);
	expect_err(eio_fs_dir_begin(&it, env->cwd, "file/"), -ENOTDIR);
	ck_assert_int_lt(eio_fs_open_out(env->cwd, &sw, "new/", NULL, &f), 0);
	ck_assert(!exists("new"));
	open_dir(&sw, env->cwd, "d/");
	open_dir(&sw, env->cwd, "link//");
	expect_ok(eio_fs_stat(env->cwd, "d/", false, &st));
	expect_ok(eio_fs_stat(env->cwd, "link/", false, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_DIRECTORY);
	expect_ok(eio_fs_stat(env->cwd, "link", false, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_SYMLINK);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(names_of_255_bytes_are_the_longest)
{
	char name[257] = "", path[5000] = "";
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	memset(name, 'n', 255);
	open_out(&sw, name, NULL);
	ck_assert(exists(name));
	name[255] = 'n';
	expect_err(eio_fs_open_out(env->cwd, &sw, name, NULL, &f), -ENAMETOOLONG);
	while (strlen(path) < 4500)
		strcat(path, "./");
	strcat(path, "file");
	expect_err(eio_fs_open_in(env->cwd, &sw, path, &f), -ENAMETOOLONG);
	/* Of a long path the end is kept. */
	ck_assert_uint_eq(strlen(eio_last_error()->subject), sizeof(eio_last_error()->subject) - 1);
	ck_assert_ptr_nonnull(strstr(eio_last_error()->subject, "./././file"));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_failure_names_operation_and_path)
{
	char line[300];
	struct eio_flow f;
	struct eio_stat st;

	(void) arg;
	expect_err(eio_fs_open_in(env->cwd, NULL, "no/such", &f), -ENOENT);
	eio_error_format(-ENOENT, line, sizeof(line));
	ck_assert_str_eq(line, "openat2 no/such: No such file or directory");
	expect_err(eio_fs_open_in(env->cwd, NULL, "../x", &f), -EXDEV);
	eio_error_format(-EXDEV, line, sizeof(line));
	ck_assert_str_eq(line, "openat2 ../x: Invalid cross-device link (leaves the directory)");
	expect_err(eio_fs_stat(env->cwd, "none", true, &st), -ENOENT);
	ck_assert_str_eq(eio_last_error()->op, "statx");
	ck_assert_str_eq(eio_last_error()->subject, "none");
	put_link("loop", "loop");
	expect_err(eio_fs_stat(env->cwd, "loop", true, &st), -ELOOP);
	expect_err(eio_fs_open_in(env->cwd, NULL, "loop/x", &f), -ELOOP);
	return 0;
}

/* Creating */

static uint32_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mode & 07777;
}

DIR_TEST(missing_files_are_created_unless_never)
{
	static const enum eio_create_how hows[] = {EIO_CREATE_DEFAULT, EIO_CREATE_IF_MISSING,
						   EIO_CREATE_OR_TRUNCATE, EIO_CREATE_EXCLUSIVE};
	struct eio_create never = {.how = EIO_CREATE_NEVER};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(eio_fs_open_out(env->cwd, &sw, "file", &never, &f), -ENOENT);
	for (size_t i = 0; i < COUNT(hows); i++) {
		struct eio_create how = {.how = hows[i]};

		expect_ok(eio_flow_copy_string(open_out(&sw, "file", &how), "abc"));
		expect_text("file", "abc");
		ck_assert_int_eq(unlink("file"), 0);
	}
	expect_ok(eio_flow_copy_string(open_out(&sw, "file", NULL), "abc"));
	expect_text("file", "abc");
	expect_err(eio_fs_open_out(env->cwd, &sw, "none/file", NULL, &f), -ENOENT);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(existing_files_are_kept_emptied_or_refused)
{
	static const struct {
		enum eio_create_how how;
		const char *after; /* "X" was written at the beginning; NULL: -EEXIST */
	} cases[] = {
		{EIO_CREATE_DEFAULT, "Xbc"},    {EIO_CREATE_NEVER, "Xbc"},
		{EIO_CREATE_IF_MISSING, "Xbc"}, {EIO_CREATE_OR_TRUNCATE, "X"},
		{EIO_CREATE_EXCLUSIVE, NULL},
	};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct eio_create how = {.how = cases[i].how, .mode = 0600};
		struct eio_flow f;

		put_text("file", "abc");
		ck_assert_int_eq(chmod("file", 0644), 0);
		expect_err(eio_fs_open_out(env->cwd, &sw, "file", &how, &f),
			   cases[i].after ? 0 : -EEXIST);
		if (cases[i].after)
			expect_ok(eio_flow_copy_string(f, "X"));
		expect_text("file", cases[i].after ? cases[i].after : "abc");
		ck_assert_uint_eq(mode_of("file"), 0644);
	}
	put_link("link", "none");
	expect_err(eio_fs_open_out(env->cwd, &sw, "link",
				   &(struct eio_create){.how = EIO_CREATE_EXCLUSIVE},
				   &(struct eio_flow){.ops = NULL}),
		   -EEXIST);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(new_files_have_the_mode_asked_for_less_the_umask)
{
	static const struct {
		uint32_t mode;
		mode_t mask;
		uint32_t expected;
	} cases[] = {
		{0, 022, 0644},  {0, 0, 0666},      {0640, 022, 0640}, {0777, 027, 0750},
		{0600, 0, 0600}, {0444, 022, 0444}, {01666, 0, 01666},
	};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct eio_create how = {.mode = cases[i].mode};

		umask(cases[i].mask);
		open_out(&sw, "file", &how);
		ck_assert_uint_eq(mode_of("file"), cases[i].expected);
		ck_assert_int_eq(unlink("file"), 0);
	}
	return eio_switch_end(&sw, 0);
}

DIR_TEST(options_out_of_range_are_refused_before_anything_happens)
{
	static const struct eio_create wrong[] = {
		{.mode = 010000},
		{.mode = 0100666},
		{.mode = UINT32_MAX},
		{.how = (enum eio_create_how) 5},
		{.how = (enum eio_create_how) - 1},
	};
	struct eio_flow f;

	(void) arg;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		expect_err(eio_fs_open_out(env->cwd, NULL, "file", &wrong[i], &f), -EINVAL);
		ck_assert_str_eq(eio_last_error()->subject, "file");
	}
	ck_assert(!exists("file"));
	return 0;
}

DIR_TEST(appending_writes_at_the_end_wherever_that_is)
{
	struct eio_create how = {.append = true};
	struct eio_switch sw;
	struct eio_flow a, b;
	char text[16] = "";

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "0");
	a = open_out(&sw, "file", &how);
	b = open_out(&sw, "file", &how);
	expect_ok(eio_flow_copy_string(a, "1"));
	expect_ok(eio_flow_copy_string(b, "2"));
	expect_ok(eio_flow_copy_string(a, "3"));
	ck_assert_int_eq(lseek(flow_number(a), 0, SEEK_SET), 0);
	expect_ok(eio_flow_copy_string(a, "4"));
	expect_text("file", "01234");
	expect_err(eio_file_pread(a, text, sizeof(text), 1), 4);
	ck_assert_str_eq(text, "1234");
	how.how = EIO_CREATE_OR_TRUNCATE;
	expect_ok(eio_flow_copy_string(open_out(&sw, "file", &how), "new"));
	expect_text("file", "new");
	expect_ok(eio_flow_copy_string(a, "5"));
	expect_text("file", "new5");
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_file_opened_for_writing_can_be_read)
{
	struct eio_switch sw;
	struct eio_flow f;
	char text[4] = "";

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abcdef");
	f = open_out(&sw, "file", NULL);
	expect_ok(eio_flow_read_exact(f, text, 3));
	ck_assert_str_eq(text, "abc");
	expect_ok(eio_flow_copy_string(f, "X"));
	expect_text("file", "abcXef");
	return eio_switch_end(&sw, 0);
}

DIR_TEST(directories_are_no_files_and_files_are_no_directories)
{
	struct eio_switch sw;
	struct eio_dir_iter it;
	struct eio_flow f;
	struct eio_dir d;
	char **names;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	put_text("file", "abc");
	expect_err(eio_fs_open_out(env->cwd, &sw, "d", NULL, &f), -EISDIR);
	expect_err(eio_fs_open_dir(env->cwd, &sw, "file", &d), -ENOTDIR);
	expect_err(eio_fs_dir_begin(&it, env->cwd, "file"), -ENOTDIR);
	expect_err(eio_fs_read_dir(env->cwd, "file", &names, NULL), -ENOTDIR);
	expect_err(eio_fs_open_in(env->cwd, &sw, "file/x", &f), -ENOTDIR);
	return eio_switch_end(&sw, 0);
}

/* Handles */

DIR_TEST(files_and_directories_end_with_their_switch_or_are_their_callers)
{
	struct eio_flow a, b, c, d;
	struct eio_dir e, f;
	struct eio_switch sw;
	unsigned fds = count_fds();

	(void) arg;
	put_text("file", "abc");
	put_dir("d");
	eio_switch_begin(&sw);
	a = open_in(&sw, "file");
	b = open_out(&sw, "file", NULL);
	c = open_in(NULL, "file");
	d = open_out(NULL, "file", NULL);
	e = open_dir(&sw, env->cwd, "d");
	f = open_dir(NULL, env->cwd, "d");
	ck_assert_int_ne(fcntl(flow_number(a), F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(flow_number(b), F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(number(e.u.fd), F_GETFD) & FD_CLOEXEC, 0);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_flow_close(a), -EBADF);
	expect_err(eio_flow_close(b), -EBADF);
	expect_err(eio_dir_close(e), -EBADF);
	ck_assert_uint_eq(count_fds(), fds + 3);
	expect_ok(eio_flow_close(c));
	expect_ok(eio_flow_close(d));
	expect_ok(eio_dir_close(f));
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

DIR_TEST(closed_directories_and_files_give_EBADF)
{
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;
	struct eio_dir d;
	struct eio_fd fd;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	d = open_dir(&sw, env->cwd, "d");
	expect_ok(eio_dir_fd(d, &fd));
	expect_ok(eio_dir_close(d));
	ck_assert(!eio_fd_is_open(fd));
	expect_all(d, "x", -EBADF);
	expect_all(d, ".", -EBADF);
	expect_err(eio_dir_close(d), -EBADF);
	put_text("file", "abc");
	f = open_in(&sw, "file");
	expect_ok(eio_flow_close(f));
	expect_err(eio_file_stat(f, &st), -EBADF);
	expect_err(eio_file_pread(f, &b, 1, 0), -EBADF);
	expect_err(eio_file_pread(f, &b, 0, 0), -EBADF);
	expect_err(eio_file_pwrite_all(f, "x", 1, 0), -EBADF);
	expect_err(eio_file_sync(f), -EBADF);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(the_two_that_come_with_the_program_have_no_descriptor)
{
	struct eio_switch sw;
	struct eio_dir d, same;
	struct eio_fd fd, other;

	(void) arg;
	eio_switch_begin(&sw);
	expect_err(eio_dir_fd(env->cwd, &fd), -ENOTSUP);
	expect_err(eio_dir_fd(env->fs, &fd), -ENOTSUP);
	expect_err(eio_dir_close(env->cwd), -EBADF);
	expect_err(eio_dir_close(env->fs), -EBADF);
	d = open_dir(&sw, env->cwd, ".");
	expect_ok(eio_dir_fd(d, &fd));
	same = eio_dir_of_fd(fd);
	expect_ok(eio_dir_fd(same, &other));
	ck_assert_mem_eq(&fd, &other, sizeof(fd));
	expect_ok(eio_dir_close(same));
	expect_err(eio_dir_close(d), -EBADF);
	return eio_switch_end(&sw, 0);
}

static void expect_off(struct eio_switch *off, int err)
{
	struct eio_flow f;
	struct eio_dir d;

	expect_err(eio_fs_open_in(env->cwd, off, "file", &f), err);
	expect_err(eio_fs_open_out(env->cwd, off, "new", NULL, &f), err);
	expect_err(eio_fs_open_dir(env->cwd, off, ".", &d), err);
	ck_assert(!exists("new"));
}

static int expect_foreign(void *arg)
{
	expect_off(arg, -EPERM);
	return 0;
}

static int foreign_main(struct eio_env *e, void *arg)
{
	(void) e;
	return expect_foreign(arg);
}

static int run_foreign(void *arg)
{
	return eio_run(NULL, foreign_main, arg);
}

DIR_TEST(nothing_is_opened_or_created_on_a_switch_that_is_off)
{
	unsigned fds = count_fds();
	struct eio_switch off;

	(void) arg;
	put_text("file", "abc");
	eio_switch_begin(&off);
	expect_ok(on_plain_thread(run_foreign, &off));
	expect_ok(eio_switch_fail(&off, -EIO));
	expect_off(&off, -ECANCELED);
	expect_err(eio_switch_end(&off, 0), -EIO);
	expect_off(&off, -EINVAL);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

DIR_TEST(a_cancelled_caller_opens_and_creates_nothing)
{
	unsigned fds = count_fds();
	struct eio_cancel c;
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;
	char b;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "abc");
	f = open_out(&sw, "file", NULL);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_all(env->cwd, "new", -ECANCELED);
	expect_all(env->cwd, "file", -ECANCELED);
	expect_all((struct eio_dir){.ops = NULL}, "file", -ECANCELED);
	expect_err(eio_file_stat(f, &st), -ECANCELED);
	expect_err(eio_file_pread(f, &b, 1, 0), -ECANCELED);
	expect_err(eio_file_pwrite_all(f, "x", 1, 0), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	expect_err(eio_file_sync(f), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert(!exists("new"));
	expect_text("file", "abc");
	ck_assert_uint_eq(count_fds(), fds + 1);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(without_descriptors_opening_fails_with_EMFILE)
{
	struct eio_dir_iter it;
	struct eio_stat st;
	struct eio_flow f;
	struct eio_dir d;

	(void) arg;
	put_text("file", "abc");
	limit_fds(0);
	expect_err(eio_fs_open_in(env->cwd, NULL, "file", &f), -EMFILE);
	ck_assert_str_eq(eio_last_error()->subject, "file");
	expect_err(eio_fs_open_out(env->cwd, NULL, "file", NULL, &f), -EMFILE);
	expect_err(eio_fs_open_dir(env->cwd, NULL, ".", &d), -EMFILE);
	expect_err(eio_fs_dir_begin(&it, env->cwd, "."), -EMFILE);
	expect_err(eio_fs_stat(env->cwd, "file", true, &st), -EMFILE);
	expect_ok(eio_fs_stat(env->fs, "file", true, &st));
	lift_fd_limit();
	return 0;
}

/* Asking */

DIR_TEST(stat_says_what_the_system_says)
{
	struct eio_switch sw;
	const struct timespec times[2] = {{1000000000, 1}, {1500000000, 999999999}};
	struct eio_stat st, same;
	struct eio_flow f;
	struct stat s;

	(void) arg;
	eio_switch_begin(&sw);
	put_file("file", 12345);
	ck_assert_int_eq(chmod("file", 04751), 0);
	ck_assert_int_eq(link("file", "other"), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, "file", times, 0), 0);
	ck_assert_int_eq(stat("file", &s), 0);
	expect_ok(eio_fs_stat(env->cwd, "file", true, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_REGULAR);
	ck_assert_uint_eq(st.mode, 04751);
	ck_assert_uint_eq(st.uid, s.st_uid);
	ck_assert_uint_eq(st.gid, s.st_gid);
	ck_assert_uint_eq(st.nlink, 2);
	ck_assert_uint_eq(st.blksize, (unsigned long) s.st_blksize);
	ck_assert_uint_eq(st.dev, s.st_dev);
	ck_assert_uint_eq(st.ino, s.st_ino);
	ck_assert_uint_eq(st.size, 12345);
	ck_assert_uint_eq(st.blocks, (unsigned long) s.st_blocks);
	ck_assert_int_eq(st.atime_ns, EIO_SEC(s.st_atim.tv_sec) + s.st_atim.tv_nsec);
	ck_assert_int_eq(st.mtime_ns, EIO_SEC(s.st_mtim.tv_sec) + s.st_mtim.tv_nsec);
	ck_assert_int_eq(st.ctime_ns, EIO_SEC(s.st_ctim.tv_sec) + s.st_ctim.tv_nsec);
	ck_assert_int_ge(st.btime_ns, 0);
	ck_assert_int_le(st.btime_ns, st.ctime_ns);
	ck_assert_int_eq(st.atime_ns, 1000000000000000001);
	ck_assert_int_eq(st.mtime_ns, 1500000000999999999);
	f = open_in(&sw, "file");
	expect_ok(eio_file_stat(f, &same));
	ck_assert_mem_eq(&st, &same, sizeof(st));
	expect_ok(eio_fs_stat(env->fs, "file", false, &same));
	ck_assert_mem_eq(&st, &same, sizeof(st));
	return eio_switch_end(&sw, 0);
}

/* Where the file system keeps such times. */
DIR_TEST(times_beyond_2262_are_cut)
{
	const struct timespec times[2] = {{10000000000, 1}, {-1000000000, 5}};
	struct eio_stat st;
	struct stat s;

	(void) arg;
	put_text("file", "");
	ck_assert_int_eq(utimensat(AT_FDCWD, "file", times, 0), 0);
	ck_assert_int_eq(stat("file", &s), 0);
	expect_ok(eio_fs_stat(env->cwd, "file", true, &st));
	if (s.st_atim.tv_sec == times[0].tv_sec)
		ck_assert_int_eq(st.atime_ns, INT64_MAX);
	if (s.st_mtim.tv_sec == times[1].tv_sec)
		ck_assert_int_eq(st.mtime_ns, -999999999999999995);
	return 0;
}

static void make_socket(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *) &un, sizeof(un)), 0);
	close(fd);
}

/* One of each kind; a block device only where one may be made. */
static unsigned make_kinds(void)
{
	unsigned n = 5;

	put_text("regular", "");
	put_dir("directory");
	put_link("symlink", "regular");
	ck_assert_int_eq(mkfifo("fifo", 0644), 0);
	make_socket("socket");
	n += mknod("char", S_IFCHR | 0600, makedev(1, 3)) == 0;
	n += mknod("block", S_IFBLK | 0600, makedev(7, 0)) == 0;
	return n;
}

static const struct {
	const char *name;
	enum eio_file_kind kind;
} kinds[] = {
	{"regular", EIO_KIND_REGULAR},    {"directory", EIO_KIND_DIRECTORY},
	{"symlink", EIO_KIND_SYMLINK},    {"fifo", EIO_KIND_FIFO},
	{"socket", EIO_KIND_SOCKET},      {"char", EIO_KIND_CHAR_DEVICE},
	{"block", EIO_KIND_BLOCK_DEVICE},
};

static enum eio_file_kind kind_of(const char *name)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	}
	return EIO_KIND_UNKNOWN;
}

DIR_TEST(stat_tells_every_kind)
{
	struct eio_stat st;

	(void) arg;
	make_kinds();
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!exists(kinds[i].name))
			continue;
		expect_ok(eio_fs_stat(env->cwd, kinds[i].name, false, &st));
		ck_assert_msg(st.kind == kinds[i].kind, "%s: %d", kinds[i].name, st.kind);
	}
	expect_ok(eio_fs_stat(env->cwd, "symlink", true, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_REGULAR);
	expect_ok(eio_fs_stat(env->cwd, ".", true, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_DIRECTORY);
	expect_ok(eio_fs_stat(env->fs, "/dev/null", true, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_CHAR_DEVICE);
	return 0;
}

RING_TEST(open_things_tell_their_kind)
{
	struct eio_switch sw;
	struct eio_flow a, b;
	struct eio_stat st;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &a, &b);
	expect_ok(eio_file_stat(a, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_FIFO);
	flow_pair(&sw, &a, &b);
	expect_ok(eio_file_stat(b, &st));
	ck_assert_int_eq(st.kind, EIO_KIND_SOCKET);
	expect_err(eio_file_stat(eio_null(), &st), -ENOTSUP);
	expect_err(eio_file_stat((struct eio_flow){.ops = NULL}, &st), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* Listing */

DIR_TEST(a_listing_gives_each_entry_once_and_its_kind)
{
	struct eio_dir_iter it;
	struct eio_dir_entry e;
	unsigned n = make_kinds(), seen = 0, found = 0;

	(void) arg;
	expect_ok(eio_fs_dir_begin(&it, env->cwd, "."));
	while (eio_fs_dir_next(&it, &e) == 1) {
		struct stat st;

		ck_assert_msg(e.kind == kind_of(e.name), "%s: %d", e.name, e.kind);
		ck_assert_int_eq(lstat(e.name, &st), 0);
		ck_assert_uint_eq(e.ino, st.st_ino);
		seen |= 1u << e.kind;
		found++;
	}
	expect_ok(eio_fs_dir_next(&it, &e));
	expect_ok(eio_fs_dir_next(&it, &e));
	eio_fs_dir_end(&it);
	ck_assert_uint_eq(found, n);
	ck_assert_int_eq(__builtin_popcount(seen), (int) n);
	return 0;
}

enum { ENTRIES = 10000 };

DIR_TEST(a_listing_of_ten_thousand_is_complete)
{
	static unsigned char seen[ENTRIES];
	struct eio_dir_iter it;
	struct eio_dir_entry e;
	char **names;
	size_t n;
	int rc;

	(void) arg;
	put_names("many", "entry-with-a-name-of-some-length", ENTRIES);
	expect_ok(eio_fs_dir_begin(&it, env->cwd, "many"));
	while ((rc = eio_fs_dir_next(&it, &e)) == 1) {
		int number;

		ck_assert_int_eq(sscanf(e.name, "entry-with-a-name-of-some-length-%d", &number), 1);
		ck_assert_int_eq(e.kind, EIO_KIND_REGULAR);
		ck_assert(number >= 0 && number < ENTRIES);
		ck_assert_uint_eq(seen[number]++, 0);
	}
	expect_ok(rc);
	eio_fs_dir_end(&it);
	for (int i = 0; i < ENTRIES; i++)
		ck_assert_uint_eq(seen[i], 1);
	expect_ok(eio_fs_read_dir(env->cwd, "many", &names, &n));
	ck_assert_uint_eq(n, ENTRIES);
	ck_assert_ptr_null(names[n]);
	for (size_t i = 1; i < n; i++)
		ck_assert_int_lt(strcmp(names[i - 1], names[i]), 0);
	free(names);
	return 0;
}

DIR_TEST(read_dir_sorts_by_bytes)
{
	static const char *const sorted[] = {"!", "A", "Z", "a", "aa", "ab", "b", "\xc3\xa4"};
	char **names;
	size_t n = 99;

	(void) arg;
	put_dir("d");
	expect_ok(eio_fs_read_dir(env->cwd, "d", &names, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(names[0]);
	free(names);
	for (size_t i = 0; i < COUNT(sorted); i++) {
		char path[16];

		snprintf(path, sizeof(path), "d/%s", sorted[(i * 5 + 3) % COUNT(sorted)]);
		put_text(path, "");
	}
	expect_ok(eio_fs_read_dir(env->cwd, "d", &names, &n));
	ck_assert_uint_eq(n, COUNT(sorted));
	for (size_t i = 0; i < COUNT(sorted); i++)
		ck_assert_str_eq(names[i], sorted[i]);
	free(names);
	expect_ok(eio_fs_read_dir(env->cwd, "d", &names, NULL));
	free(names);
	return 0;
}

DIR_TEST(a_directory_removed_meanwhile_is_at_its_end)
{
	struct eio_dir_iter it;
	struct eio_dir_entry e;

	(void) arg;
	put_dir("d");
	expect_ok(eio_fs_dir_begin(&it, env->cwd, "d"));
	ck_assert_int_eq(rmdir("d"), 0);
	expect_ok(eio_fs_dir_next(&it, &e));
	eio_fs_dir_end(&it);
	return 0;
}

DIR_TEST(a_listing_that_is_broken_off_leaves_nothing)
{
	unsigned fds = count_fds();
	struct eio_dir_iter it;
	struct eio_dir_entry e;
	struct eio_cancel c;
	char **names = NULL;

	(void) arg;
	put_text("a", "");
	put_text("b", "");
	expect_ok(eio_fs_dir_begin(&it, env->cwd, "."));
	ck_assert_uint_eq(count_fds(), fds + 1);
	expect_err(eio_fs_dir_next(&it, &e), 1);
	eio_fs_dir_end(&it);
	ck_assert_uint_eq(count_fds(), fds);
	expect_ok(eio_fs_dir_begin(&it, env->cwd, "."));
	expect_err(eio_fs_dir_next(&it, &e), 1);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_fs_dir_next(&it, &e), -ECANCELED);
	eio_fs_dir_end(&it);
	expect_err(eio_fs_read_dir(env->cwd, ".", &names, NULL), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert_ptr_null(names);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

DIR_TEST(without_memory_there_is_no_listing)
{
	unsigned fds = count_fds();
	struct eio_dir_iter it;
	char **names = NULL;
	int begin, whole;

	(void) arg;
	if (SANITIZED)
		return 0;
	eio_error_set(-EIO, "the record", NULL);
	use_memory_up(1);
	begin = eio_fs_dir_begin(&it, env->cwd, ".");
	whole = eio_fs_read_dir(env->cwd, ".", &names, NULL);
	give_memory_back();
	expect_err(begin, -ENOMEM);
	expect_err(whole, -ENOMEM);
	ck_assert_ptr_null(names);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* FIFOs */

static int read_fifo(void *arg)
{
	struct eio_flow f = *(struct eio_flow *) arg;
	char text[8] = "";
	ssize_t n;

	while ((n = eio_flow_read(f, text, 4)) > 0)
		note("%.*s", (int) n, text);
	note(n < 0 ? "failed" : "end");
	return (int) n;
}

DIR_TEST(opening_a_FIFO_does_not_wait_and_reading_does)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct eio_flow f;
	struct eio_fd fd;
	int w;

	(void) arg;
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	eio_switch_begin(&sw);
	f = open_in(&sw, "fifo");
	expect_ok(eio_flow_fd(f, &fd));
	ck_assert_int_eq(eio_fd_is_blocking(fd), 1);
	expect_ok(eio_fork_promise(&sw, read_fifo, &f, &p));
	trips(5);
	note("open");
	w = open("fifo", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(w, 0);
	trips(5);
	note("write");
	ck_assert_int_eq(write(w, "ping", 4), 4);
	trips(5);
	wait_until(strstr(log_text(), "ping"));
	ck_assert_int_eq(write(w, "pong", 4), 4);
	wait_until(strstr(log_text(), "pong"));
	note("close");
	close(w);
	expect_ok(eio_promise_await(&p, NULL));
	expect_log("open write ping pong close end");
	/* The end, until there is another writer. */
	expect_ok(eio_flow_read(f, (char[1]){0}, 1));
	w = open("fifo", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(w, "more", 4), 4);
	close(w);
	expect_ok(read_fifo(&f));
	expect_log("more end");
	expect_err(eio_flow_write(f, "x", 1), -EOPNOTSUPP);
	expect_ok(eio_flow_shutdown(f, EIO_SHUT_ALL));
	expect_ok(eio_flow_close(f));
	expect_err(eio_flow_read(f, (char[1]){0}, 1), -EBADF);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_writer_that_says_nothing_is_the_end_of_a_FIFO)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	eio_switch_begin(&sw);
	f = open_in(&sw, "fifo");
	expect_ok(eio_fork_promise(&sw, read_fifo, &f, &p));
	trips(5);
	ck_assert(!eio_promise_peek(&p, NULL, NULL));
	close(open("fifo", O_WRONLY | O_CLOEXEC));
	expect_ok(eio_promise_await(&p, NULL));
	expect_log("end");
	/* And one that was there before the reader. */
	close(open("fifo", O_RDWR | O_CLOEXEC));
	expect_ok(read_fifo(&f));
	log_clear();
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_FIFO_with_a_writer_is_read_like_a_pipe)
{
	struct eio_switch sw;
	struct eio_flow out, in;
	char text[5] = "";

	(void) arg;
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	eio_switch_begin(&sw);
	out = open_out(&sw, "fifo", NULL);
	in = open_in(&sw, "fifo");
	expect_ok(eio_flow_copy_string(out, "ping"));
	expect_ok(eio_flow_read_exact(in, text, 4));
	ck_assert_str_eq(text, "ping");
	expect_ok(eio_flow_copy_string(out, "last"));
	expect_ok(eio_flow_close(out));
	expect_ok(eio_flow_read_exact(in, text, 4));
	ck_assert_str_eq(text, "last");
	expect_ok(eio_flow_read(in, text, 4));
	return eio_switch_end(&sw, 0);
}

DIR_TEST(waiting_for_a_FIFOs_writer_is_cancelled)
{
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	eio_switch_begin(&sw);
	f = open_in(&sw, "fifo");
	expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), read_fifo, &f), -ETIMEDOUT);
	expect_log("failed");
	return eio_switch_end(&sw, 0);
}

/* Contents */

DIR_TEST(files_of_size_0_that_have_content_are_read)
{
	struct eio_buffer_sink sink;
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;
	char text[512] = "";
	uint64_t n;
	int fd;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_in(env->fs, &sw, "/proc/version", &f));
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_eq(st.size, 0);
	expect_ok(eio_flow_copy(f, eio_buffer_sink_init(&sink, 0), &n));
	fd = open("/proc/version", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, text, sizeof(text) - 1), (ssize_t) n);
	close(fd);
	ck_assert_str_eq(sink.data, text);
	eio_buffer_sink_fini(&sink);
	ck_assert_int_gt(eio_file_pread(f, text, sizeof(text), 0), 0);
	return eio_switch_end(&sw, 0);
}

/* Providers */

MOCK_TEST(a_zeroed_directory_gives_EBADF)
{
	struct eio_dir none = {.ops = NULL};
	struct eio_fd fd;

	(void) arg;
	expect_all(none, "x", -EBADF);
	expect_err(eio_dir_close(none), -EBADF);
	expect_err(eio_dir_fd(none, &fd), -EBADF);
	return 0;
}

static const struct eio_dir_ops no_ops = {.name = "nothing"};

MOCK_TEST(missing_operations_give_EOPNOTSUPP)
{
	struct eio_dir d = {.ops = &no_ops}, sub;
	struct eio_fd fd;
	char buf[10];

	(void) arg;
	expect_all(d, "x", -EOPNOTSUPP);
	expect_all(d, NULL, -EINVAL);
	expect_err(eio_fs_open_dir_nofollow(d, NULL, "x", &sub), -EOPNOTSUPP);
	expect_err(eio_fs_kind(d, "x", true), -EOPNOTSUPP);
	ck_assert(!eio_fs_is_file(d, "x"));
	ck_assert(!eio_fs_is_directory(d, "x"));
	expect_err(eio_fs_mkdir(d, "x", 0755), -EOPNOTSUPP);
	expect_err(eio_fs_unlink(d, "x", EIO_MISSING_OK), -EOPNOTSUPP);
	expect_err(eio_fs_rmdir(d, "x"), -EOPNOTSUPP);
	expect_err(eio_fs_rename(d, "x", d, "y"), -EOPNOTSUPP);
	expect_err(eio_fs_link(d, "x", d, "y"), -EOPNOTSUPP);
	expect_err(eio_fs_symlink(d, "x", "y"), -EOPNOTSUPP);
	expect_err(eio_fs_read_link(d, "x", buf, sizeof(buf)), -EOPNOTSUPP);
	expect_err(eio_fs_chmod(d, "x", true, 0644), -EOPNOTSUPP);
	expect_err(eio_fs_chown(d, "x", true, 0, 0), -EOPNOTSUPP);
	expect_err(eio_fs_sync(d), -EOPNOTSUPP);
	expect_err(eio_dir_fd(d, &fd), -ENOTSUP);
	expect_ok(eio_dir_close(d));
	return 0;
}

/* A directory of the test's own: it lists the words of its path. */

static int words_open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
			  const struct eio_create *opts, struct eio_flow *ret)
{
	(void) sw;
	ck_assert_ptr_nonnull(opts);
	*(uint32_t *) d.u.ptr = opts->mode;
	note("%s", path);
	*ret = eio_null();
	return 0;
}

static int words_begin(struct eio_dir d, const char *path, const struct eio_dir_opts *opts,
		       struct eio_dir_iter *it)
{
	(void) d;
	ck_assert_ptr_nonnull(opts);
	if (strcmp(path, "bad") == 0)
		return -EPROTO;
	it->eio_private[1] = (void *) path;
	return 0;
}

static int words_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	static char word[16];
	const char *from = it->eio_private[1];
	size_t len = strcspn(from, " ");

	if (*from == '!')
		return -EPROTO;
	if (!*from)
		return 0;
	snprintf(word, sizeof(word), "%.*s", (int) len, from);
	it->eio_private[1] = (void *) (from + len + (from[len] == ' '));
	*ret = (struct eio_dir_entry){word, EIO_KIND_REGULAR, 1, NULL};
	return 1;
}

static void words_end(struct eio_dir_iter *it)
{
	(void) it;
	note("end");
}

MOCK_TEST(a_programs_own_directory_is_opened_and_listed)
{
	struct eio_dir_ops ops = {.name = "words",
				  .open_out = words_open_out,
				  .iter_begin = words_begin,
				  .iter_next = words_next};
	uint32_t mode = 1;
	struct eio_dir d = {.ops = &ops, .u.ptr = &mode};
	struct eio_dir_iter it;
	struct eio_dir_entry e;
	struct eio_cancel c;
	struct eio_flow f;
	char **names = NULL;
	size_t n;

	(void) arg;
	expect_ok(eio_fs_open_out(d, NULL, "a", NULL, &f));
	ck_assert_uint_eq(mode, 0);
	expect_ok(eio_fs_open_out(d, NULL, "b", &(struct eio_create){.mode = 7}, &f));
	ck_assert_uint_eq(mode, 7);
	expect_log("a b");
	for (int end = 0; end < 2; end++) {
		ops.iter_end = end ? words_end : NULL;
		expect_ok(eio_fs_read_dir(d, "delta alpha echo", &names, &n));
		ck_assert_uint_eq(n, 3);
		ck_assert_str_eq(names[0], "alpha");
		ck_assert_str_eq(names[2], "echo");
		free(names);
		expect_log(end ? "end" : "");
	}
	names = NULL;
	expect_err(eio_fs_read_dir(d, "delta alpha !", &names, &n), -EPROTO);
	expect_log("end");
	expect_err(eio_fs_read_dir(d, "bad", &names, &n), -EPROTO);
	expect_log("");
	ck_assert_ptr_null(names);
	expect_ok(eio_fs_dir_begin(&it, d, "delta alpha"));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_fs_dir_next(&it, &e), -ECANCELED);
	eio_cancel_end(&c);
	expect_err(eio_fs_dir_next(&it, &e), 1);
	ck_assert_str_eq(e.name, "delta");
	eio_fs_dir_end(&it);
	log_clear();
	return 0;
}

START_TEST(without_a_domain_there_are_no_files)
{
	expect_all((struct eio_dir){.ops = &no_ops}, "x", -EPERM);
}
END_TEST

SUITE_MAIN("fs", false, nothing_leads_out_of_a_directory_test,
	   the_working_directory_confines_too_test, no_file_is_created_outside_through_a_link_test,
	   what_stays_inside_is_found_test, links_out_may_be_looked_at_but_not_followed_test,
	   a_directory_below_is_a_narrower_capability_test, magic_links_are_not_followed_test,
	   the_whole_file_system_takes_every_path_test,
	   an_empty_path_is_none_and_no_path_is_invalid_test,
	   a_trailing_slash_asks_for_a_directory_test, names_of_255_bytes_are_the_longest_test,
	   a_failure_names_operation_and_path_test, missing_files_are_created_unless_never_test,
	   existing_files_are_kept_emptied_or_refused_test,
	   new_files_have_the_mode_asked_for_less_the_umask_test,
	   options_out_of_range_are_refused_before_anything_happens_test,
	   appending_writes_at_the_end_wherever_that_is_test,
	   a_file_opened_for_writing_can_be_read_test,
	   directories_are_no_files_and_files_are_no_directories_test,
	   files_and_directories_end_with_their_switch_or_are_their_callers_test,
	   closed_directories_and_files_give_EBADF_test,
	   the_two_that_come_with_the_program_have_no_descriptor_test,
	   nothing_is_opened_or_created_on_a_switch_that_is_off_test,
	   a_cancelled_caller_opens_and_creates_nothing_test,
	   without_descriptors_opening_fails_with_EMFILE_test, stat_says_what_the_system_says_test,
	   times_beyond_2262_are_cut_test, stat_tells_every_kind_test,
	   open_things_tell_their_kind_test, a_listing_gives_each_entry_once_and_its_kind_test,
	   a_listing_of_ten_thousand_is_complete_test, read_dir_sorts_by_bytes_test,
	   a_directory_removed_meanwhile_is_at_its_end_test,
	   a_listing_that_is_broken_off_leaves_nothing_test,
	   without_memory_there_is_no_listing_test,
	   opening_a_FIFO_does_not_wait_and_reading_does_test,
	   a_writer_that_says_nothing_is_the_end_of_a_FIFO_test,
	   a_FIFO_with_a_writer_is_read_like_a_pipe_test,
	   waiting_for_a_FIFOs_writer_is_cancelled_test,
	   files_of_size_0_that_have_content_are_read_test, a_zeroed_directory_gives_EBADF_test,
	   missing_operations_give_EOPNOTSUPP_test,
	   a_programs_own_directory_is_opened_and_listed_test, without_a_domain_there_are_no_files)
