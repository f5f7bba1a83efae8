/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat look(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st;
}

static unsigned mode_of(const char *path)
{
	return look(path).st_mode & 07777;
}

static struct eio_dir open_dir(struct eio_switch *sw, const char *path)
{
	struct eio_dir d;

	expect_ok(eio_fs_open_dir(env->cwd, sw, path, &d));
	return d;
}

static void expect_link(const char *path, const char *target)
{
	char found[300] = "";

	ck_assert_int_gt(readlink(path, found, sizeof(found) - 1), 0);
	ck_assert_str_eq(found, target);
}

/* Making and removing */

DIR_TEST(mkdir_makes_a_directory_with_the_mode_less_the_umask)
{
	mode_t was = umask(022);

	(void) arg;
	expect_ok(eio_fs_mkdir(env->cwd, "a", 0777));
	ck_assert_uint_eq(mode_of("a"), 0755);
	umask(0);
	expect_ok(eio_fs_mkdir(env->cwd, "a/b/", 01770));
	ck_assert_uint_eq(mode_of("a/b"), 01770);
	umask(was);
	expect_err(eio_fs_mkdir(env->cwd, "a", 0777), -EEXIST);
	expect_err(eio_fs_mkdir(env->cwd, "none/b", 0777), -ENOENT);
	expect_err(eio_fs_mkdir(env->cwd, "c", 010000), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "mkdir");
	ck_assert_str_eq(eio_last_error()->subject, "c");
	ck_assert(!exists("c"));
	return 0;
}

DIR_TEST(unlink_removes_what_is_no_directory_and_rmdir_what_is_an_empty_one)
{
	(void) arg;
	put_text("file", "x");
	put_dir("d");
	put_link("link", "d");
	put_link("dangling", "none");
	put_text("d/file", "x");
	expect_err(eio_fs_unlink(env->cwd, "d", 0), -EISDIR);
	expect_err(eio_fs_rmdir(env->cwd, "d"), -ENOTEMPTY);
	expect_err(eio_fs_rmdir(env->cwd, "file"), -ENOTDIR);
	expect_err(eio_fs_rmdir(env->cwd, "link"), -ENOTDIR);
	expect_ok(eio_fs_unlink(env->cwd, "link", 0));
	expect_ok(eio_fs_unlink(env->cwd, "dangling", 0));
	expect_ok(eio_fs_unlink(env->cwd, "file", 0));
	ck_assert(!exists("file"));
	expect_text("d/file", "x");
	expect_ok(eio_fs_unlink(env->cwd, "d/file", 0));
	expect_ok(eio_fs_rmdir(env->cwd, "d/"));
	ck_assert(!exists("d"));
	return 0;
}

DIR_TEST(what_is_missing_may_be_no_failure)
{
	(void) arg;
	put_text("file", "x");
	expect_err(eio_fs_unlink(env->cwd, "none", 0), -ENOENT);
	expect_ok(eio_fs_unlink(env->cwd, "none", EIO_MISSING_OK));
	expect_ok(eio_fs_unlink(env->cwd, "none/none", EIO_MISSING_OK));
	expect_err(eio_fs_unlink(env->cwd, "file/none", EIO_MISSING_OK), -ENOTDIR);
	expect_err(eio_fs_unlink(env->cwd, "", EIO_MISSING_OK), -ENOENT);
	expect_err(eio_fs_unlink(env->cwd, "file", 2), -EINVAL);
	ck_assert(exists("file"));
	expect_ok(eio_fs_unlink(env->cwd, "file", EIO_MISSING_OK));
	ck_assert(!exists("file"));
	return 0;
}

/* Renaming and linking */

DIR_TEST(rename_moves_within_a_directory_and_across_two)
{
	struct eio_switch sw;
	struct eio_dir a, b;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("a");
	put_dir("b");
	put_text("a/file", "one");
	a = open_dir(&sw, "a");
	b = open_dir(&sw, "b");
	expect_ok(eio_fs_rename(a, "file", a, "other"));
	expect_text("a/other", "one");
	expect_ok(eio_fs_rename(a, "other", b, "file"));
	expect_text("b/file", "one");
	ck_assert(!exists("a/other"));
	put_text("a/new", "two");
	expect_ok(eio_fs_rename(a, "new", b, "file"));
	expect_text("b/file", "two");
	expect_ok(eio_fs_rename(env->cwd, "b/file", a, "file"));
	expect_text("a/file", "two");
	expect_err(eio_fs_rename(a, "none", b, "x"), -ENOENT);
	expect_err(eio_fs_rename(a, "file", b, "none/x"), -ENOENT);
	expect_err(eio_fs_rename(a, "file", b, "../x"), -EXDEV);
	expect_err(eio_fs_rename(a, "../a/file", b, "x"), -EXDEV);
	expect_err(eio_fs_rename(env->cwd, "a", env->cwd, "a/sub"), -EINVAL);
	expect_text("a/file", "two");
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_link_is_renamed_itself)
{
	(void) arg;
	put_text("file", "x");
	put_link("link", "file");
	expect_ok(eio_fs_rename(env->cwd, "link", env->cwd, "moved"));
	expect_link("moved", "file");
	put_link("other", "nowhere");
	expect_ok(eio_fs_rename(env->cwd, "file", env->cwd, "other"));
	expect_text("other", "x");
	ck_assert(!exists("nowhere"));
	return 0;
}

DIR_TEST(link_gives_a_second_name)
{
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	put_text("file", "x");
	put_link("link", "file");
	d = open_dir(&sw, "d");
	expect_ok(eio_fs_link(env->cwd, "file", d, "second"));
	ck_assert_uint_eq(look("file").st_ino, look("d/second").st_ino);
	expect_ok(eio_fs_link(env->cwd, "link", d, "link"));
	expect_link("d/link", "file");
	expect_err(eio_fs_link(env->cwd, "file", d, "second"), -EEXIST);
	expect_err(eio_fs_link(env->cwd, "d", env->cwd, "e"), -EPERM);
	expect_err(eio_fs_link(env->cwd, "file", d, "../third"), -EXDEV);
	expect_err(eio_fs_link(d, "../file", d, "third"), -EXDEV);
	ck_assert(!exists("third"));
	ck_assert(!exists("d/third"));
	return eio_switch_end(&sw, 0);
}

static const struct eio_dir_ops no_ops = {.name = "nothing"};

DIR_TEST(directories_of_two_providers_share_no_names)
{
	struct eio_dir other = {.ops = &no_ops}, none = {.ops = NULL};

	(void) arg;
	put_text("file", "x");
	expect_err(eio_fs_rename(env->cwd, "file", other, "x"), -EXDEV);
	expect_err(eio_fs_link(env->cwd, "file", other, "x"), -EXDEV);
	expect_err(eio_fs_rename(env->cwd, "file", none, "x"), -EBADF);
	expect_err(eio_fs_link(env->cwd, "file", env->cwd, NULL), -EINVAL);
	expect_err(eio_fs_link(env->cwd, "file", env->cwd, ""), -ENOENT);
	expect_ok(eio_fs_rename(env->cwd, "file", env->fs, "x"));
	expect_text("x", "x");
	return 0;
}

/* Symlinks */

DIR_TEST(a_symlink_is_kept_as_it_is_and_read_back)
{
	static const char *const targets[] = {"file",  "/etc/passwd", "../../..",
					      "a//b/", " \n\xff",     "."};
	char buf[32];

	(void) arg;
	for (size_t i = 0; i < COUNT(targets); i++) {
		size_t len = strlen(targets[i]);

		expect_ok(eio_fs_symlink(env->cwd, "link", targets[i]));
		expect_link("link", targets[i]);
		memset(buf, 'x', sizeof(buf));
		expect_err(eio_fs_read_link(env->cwd, "link", buf, len + 1), len);
		ck_assert_str_eq(buf, targets[i]);
		ck_assert_int_eq(buf[len + 1], 'x');
		expect_err(eio_fs_read_link(env->cwd, "link", buf, len), -ERANGE);
		expect_err(eio_fs_symlink(env->cwd, "link", "x"), -EEXIST);
		ck_assert_int_eq(unlink("link"), 0);
	}
	expect_err(eio_fs_symlink(env->cwd, "link", ""), -ENOENT);
	expect_err(eio_fs_symlink(env->cwd, "link", NULL), -EINVAL);
	expect_err(eio_fs_symlink(env->cwd, "../link", "x"), -EXDEV);
	return 0;
}

DIR_TEST(only_symlinks_are_read)
{
	char buf[32] = "as it was";

	(void) arg;
	put_text("file", "x");
	put_link("link", "file");
	expect_err(eio_fs_read_link(env->cwd, "file", buf, sizeof(buf)), -EINVAL);
	expect_err(eio_fs_read_link(env->cwd, ".", buf, sizeof(buf)), -EINVAL);
	expect_err(eio_fs_read_link(env->cwd, "none", buf, sizeof(buf)), -ENOENT);
	expect_err(eio_fs_read_link(env->cwd, "link", buf, 0), -EINVAL);
	ck_assert_str_eq(buf, "as it was");
	return 0;
}

DIR_TEST(a_directory_can_be_opened_without_following_a_link)
{
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	put_dir("d/sub");
	put_link("link", "d");
	expect_ok(eio_fs_open_dir_nofollow(env->cwd, &sw, "d", &d));
	expect_err(eio_fs_kind(d, "sub", false), EIO_KIND_DIRECTORY);
	expect_err(eio_fs_open_dir_nofollow(env->cwd, &sw, "link", &d), -ENOTDIR);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "link", &d));
	expect_ok(eio_fs_open_dir_nofollow(env->cwd, &sw, "link/sub", &d));
	expect_err(eio_fs_open_dir_nofollow(env->cwd, &sw, "..", &d), -EXDEV);
	return eio_switch_end(&sw, 0);
}

/* For providers that wrap these: the walk of rmtree uses it with single names only. */
DIR_TEST(an_open_that_crosses_no_mount_is_confined_like_any)
{
	int (*open)(struct eio_dir, struct eio_switch *, const char *, unsigned, struct eio_dir *) =
		env->cwd.ops->open_dir;
	struct eio_switch sw;
	struct eio_dir d, sub;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	put_dir("d/sub");
	put_link("d/out", "..");
	put_link("d/in", "sub");
	d = open_dir(&sw, "d");
	expect_ok(open(d, &sw, "sub", EIO_DIR_NO_MOUNT, &sub));
	expect_ok(open(d, &sw, "in", EIO_DIR_NO_MOUNT, &sub));
	expect_err(open(d, &sw, "in", EIO_DIR_NO_MOUNT | EIO_DIR_NO_FOLLOW, &sub), -ENOTDIR);
	expect_err(open(d, &sw, "..", EIO_DIR_NO_MOUNT, &sub), -EXDEV);
	expect_err(open(d, &sw, "out", EIO_DIR_NO_MOUNT, &sub), -EXDEV);
	expect_err(open(env->cwd, &sw, "/tmp", EIO_DIR_NO_MOUNT, &sub), -EXDEV);
	expect_ok(open(env->fs, &sw, "d/out", EIO_DIR_NO_MOUNT, &sub));
	expect_err(open(env->fs, &sw, "/proc", EIO_DIR_NO_MOUNT, &sub), -EXDEV);
	return eio_switch_end(&sw, 0);
}

/* Asking */

DIR_TEST(kinds_are_told_with_and_without_following)
{
	(void) arg;
	put_text("file", "x");
	put_dir("d");
	put_link("to_file", "file");
	put_link("to_d", "d");
	put_link("out", "..");
	expect_err(eio_fs_kind(env->cwd, "file", false), EIO_KIND_REGULAR);
	expect_err(eio_fs_kind(env->cwd, "to_file", true), EIO_KIND_REGULAR);
	expect_err(eio_fs_kind(env->cwd, "to_file", false), EIO_KIND_SYMLINK);
	expect_err(eio_fs_kind(env->cwd, "to_d", true), EIO_KIND_DIRECTORY);
	expect_err(eio_fs_kind(env->cwd, "none", true), -ENOENT);
	expect_err(eio_fs_kind(env->cwd, "out", true), -EXDEV);
	ck_assert(eio_fs_is_file(env->cwd, "file"));
	ck_assert(eio_fs_is_file(env->cwd, "to_file"));
	ck_assert(!eio_fs_is_file(env->cwd, "d"));
	ck_assert(!eio_fs_is_file(env->cwd, "none"));
	ck_assert(eio_fs_is_directory(env->cwd, "d"));
	ck_assert(eio_fs_is_directory(env->cwd, "to_d"));
	ck_assert(!eio_fs_is_directory(env->cwd, "file"));
	ck_assert(!eio_fs_is_directory(env->cwd, "out"));
	ck_assert(eio_fs_is_directory(env->fs, "out"));
	return 0;
}

/* Permissions and owners */

DIR_TEST(chmod_follows_or_not)
{
	(void) arg;
	put_text("file", "x");
	put_dir("d");
	put_link("link", "file");
	put_link("out", "..");
	expect_ok(eio_fs_chmod(env->cwd, "file", false, 0640));
	ck_assert_uint_eq(mode_of("file"), 0640);
	expect_ok(eio_fs_chmod(env->cwd, "link", true, 0604));
	ck_assert_uint_eq(mode_of("file"), 0604);
	expect_err(eio_fs_chmod(env->cwd, "link", false, 0600), -EOPNOTSUPP);
	ck_assert_uint_eq(mode_of("file"), 0604);
	expect_ok(eio_fs_chmod(env->cwd, "d", true, 01700));
	ck_assert_uint_eq(mode_of("d"), 01700);
	expect_err(eio_fs_chmod(env->cwd, "d", true, 010000), -EINVAL);
	expect_err(eio_fs_chmod(env->cwd, "none", true, 0600), -ENOENT);
	expect_err(eio_fs_chmod(env->cwd, "out", true, 0600), -EXDEV);
	return 0;
}

DIR_TEST(chown_follows_or_not)
{
	uint32_t uid = getuid(), gid = getgid();

	(void) arg;
	put_text("file", "x");
	put_link("link", "file");
	expect_ok(eio_fs_chown(env->cwd, "file", true, uid, gid));
	expect_ok(eio_fs_chown(env->cwd, "link", false, UINT32_MAX, gid));
	expect_err(eio_fs_chown(env->cwd, "none", false, uid, gid), -ENOENT);
	if (geteuid() != 0)
		return 0;
	expect_ok(eio_fs_chown(env->cwd, "link", true, 11, UINT32_MAX));
	ck_assert_uint_eq(look("file").st_uid, 11);
	ck_assert_uint_eq(look("file").st_gid, gid);
	ck_assert_uint_eq(look("link").st_uid, uid);
	expect_ok(eio_fs_chown(env->cwd, "link", false, 12, 13));
	ck_assert_uint_eq(look("link").st_uid, 12);
	ck_assert_uint_eq(look("link").st_gid, 13);
	ck_assert_uint_eq(look("file").st_uid, 11);
	return 0;
}

/* Odd paths and few descriptors */

/* Every call but those that open files gives this error. */
static void expect_refused(struct eio_dir d, const char *path, int err)
{
	struct eio_dir sub;
	char buf[32];

#define IS(call) ck_assert_msg((call) == err, "%.50s: %s: not %s", path, #call, eio_err_name(err))
	IS(eio_fs_open_dir_nofollow(d, NULL, path, &sub));
	IS(eio_fs_kind(d, path, true));
	IS(eio_fs_mkdir(d, path, 0755));
	IS(eio_fs_mkdirs(d, path, 0755, true));
	IS(eio_fs_unlink(d, path, 0));
	IS(eio_fs_rmdir(d, path));
	IS(eio_fs_rmtree(d, path, 0));
	IS(eio_fs_rename(d, path, d, "to"));
	IS(eio_fs_rename(d, "file", d, path));
	IS(eio_fs_link(d, path, d, "to"));
	IS(eio_fs_link(d, "file", d, path));
	IS(eio_fs_symlink(d, path, "x"));
	IS(eio_fs_read_link(d, path, buf, sizeof(buf)));
	IS(eio_fs_chmod(d, path, true, 0600));
	IS(eio_fs_chmod(d, path, false, 0600));
	IS(eio_fs_chown(d, path, true, UINT32_MAX, UINT32_MAX));
	IS(eio_fs_chown(d, path, false, UINT32_MAX, UINT32_MAX));
#undef IS
}

/* And nothing happens. */
static void expect_all(struct eio_dir d, const char *path, int err)
{
	unsigned fds = count_fds();

	expect_refused(d, path, err);
	ck_assert_uint_eq(count_fds(), fds);
	expect_text("file", "x");
}

DIR_TEST(names_and_paths_are_refused_by_every_call_alike)
{
	char name[257] = "", *path = calloc(1, 5000);
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	put_text("file", "x");
	d = open_dir(&sw, ".");
	memset(name, 'n', 256);
	for (int i = 0; i < 2100; i++)
		strcat(path, "./");
	strcat(path, "file");
	for (int way = 0; way < 3; way++) {
		struct eio_dir dir = way == 0 ? d : way == 1 ? env->cwd : env->fs;

		expect_all(dir, name, -ENAMETOOLONG);
		expect_all(dir, path, -ENAMETOOLONG);
		expect_all(dir, "", -ENOENT);
		expect_all(dir, NULL, -EINVAL);
		expect_all(dir, "file/x", -ENOTDIR);
	}
	expect_ok(eio_dir_close(d));
	expect_all(d, "file", -EBADF);
	expect_all(d, "sub/x", -EBADF);
	expect_all((struct eio_dir){.ops = NULL}, "file", -EBADF);
	free(path);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(without_descriptors_no_path_is_found)
{
	(void) arg;
	put_text("file", "x");
	put_dir("d");
	limit_fds(0);
	expect_refused(env->cwd, "d/x", -EMFILE);
	ck_assert_str_eq(eio_last_error()->subject, "d/x");
	expect_err(eio_fs_sync(env->cwd), -EMFILE);
	lift_fd_limit();
	ck_assert(!exists("d/x"));
	return 0;
}

static int do_each(char *buf, size_t size)
{
	int rc = eio_fs_mkdir(env->cwd, "d", 0755);

	rc = rc < 0 ? rc : eio_fs_kind(env->cwd, "d", true) - EIO_KIND_DIRECTORY;
	rc = rc < 0 ? rc : eio_fs_rename(env->cwd, "file", env->cwd, "d/file");
	rc = rc < 0 ? rc : eio_fs_link(env->cwd, "d/file", env->cwd, "file");
	rc = rc < 0 ? rc : eio_fs_symlink(env->cwd, "d/link", "target");
	rc = rc < 0 ? rc : (int) eio_fs_read_link(env->cwd, "d/link", buf, size);
	rc = rc < 0 ? rc : eio_fs_chmod(env->cwd, "file", true, 0640);
	rc = rc < 0 ? rc : eio_fs_chown(env->cwd, "d/link", false, UINT32_MAX, UINT32_MAX);
	rc = rc < 0 ? rc : eio_fs_unlink(env->cwd, "d/link", 0);
	rc = rc < 0 ? rc : eio_fs_unlink(env->cwd, "d/file", 0);
	rc = rc < 0 ? rc : eio_fs_sync(env->cwd);
	return rc < 0 ? rc : eio_fs_rmdir(env->cwd, "d");
}

DIR_TEST(names_need_no_memory)
{
	char buf[32];
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	put_text("file", "x");
	expect_ok(do_each(buf, sizeof(buf))); /* the thread is there from now on */
	use_memory_up(1);
	rc = do_each(buf, sizeof(buf));
	give_memory_back();
	expect_ok(rc);
	ck_assert_uint_eq(mode_of("file"), 0640);
	return 0;
}

DIR_TEST(a_name_is_bytes)
{
	static const char *const names[] = {"\xff\xfe\x80", "new\nline", " ",
					    "-rf",          "\"'$(x)\\", "..."};
	struct eio_switch sw;
	struct eio_flow f;
	char buf[32];

	(void) arg;
	eio_switch_begin(&sw);
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *name = names[i];

		expect_ok(eio_fs_mkdir(env->cwd, name, 0755));
		ck_assert(eio_fs_is_directory(env->cwd, name));
		expect_ok(eio_fs_rmdir(env->cwd, name));
		expect_ok(eio_fs_open_out(env->cwd, &sw, name, NULL, &f));
		expect_ok(eio_fs_rename(env->cwd, name, env->cwd, "x"));
		expect_ok(eio_fs_link(env->cwd, "x", env->cwd, name));
		expect_ok(eio_fs_chmod(env->cwd, name, false, 0600));
		expect_ok(eio_fs_open_in(env->cwd, &sw, name, &f));
		expect_ok(eio_fs_unlink(env->cwd, name, 0));
		expect_ok(eio_fs_symlink(env->cwd, name, name));
		expect_err(eio_fs_read_link(env->cwd, name, buf, sizeof(buf)), strlen(name));
		ck_assert_str_eq(buf, name);
		expect_ok(eio_fs_rmtree(env->cwd, name, 0));
	}
	return eio_switch_end(&sw, 0);
}

DIR_TEST(a_slash_behind_a_name_asks_for_a_directory)
{
	(void) arg;
	put_text("file", "x");
	put_dir("d");
	expect_err(eio_fs_unlink(env->cwd, "file/", 0), -ENOTDIR);
	expect_err(eio_fs_rename(env->cwd, "file/", env->cwd, "x"), -ENOTDIR);
	expect_err(eio_fs_rename(env->cwd, "file", env->cwd, "x/"), -ENOTDIR);
	expect_err(eio_fs_link(env->cwd, "file/", env->cwd, "x"), -ENOTDIR);
	expect_err(eio_fs_chmod(env->cwd, "file/", true, 0600), -ENOTDIR);
	expect_ok(eio_fs_rename(env->cwd, "d/", env->cwd, "e/"));
	expect_ok(eio_fs_rmdir(env->cwd, "e//"));
	expect_text("file", "x");
	return 0;
}

DIR_TEST(opening_a_FIFO_for_writing_does_not_wait)
{
	static const enum eio_create_how hows[] = {EIO_CREATE_DEFAULT, EIO_CREATE_NEVER,
						   EIO_CREATE_OR_TRUNCATE};
	struct eio_switch sw;
	struct eio_flow f;

	(void) arg;
	eio_switch_begin(&sw);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < COUNT(hows); i++)
		expect_ok(eio_fs_open_out(env->cwd, &sw, "fifo",
					  &(struct eio_create){.how = hows[i]}, &f));
	return eio_switch_end(&sw, 0);
}

/* Durability */

DIR_TEST(a_directory_is_synced_through_a_handle_that_only_names_it)
{
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	d = open_dir(&sw, "d");
	expect_ok(eio_fs_sync(d));
	expect_ok(eio_fs_sync(env->cwd));
	expect_ok(eio_fs_sync(env->fs));
	expect_ok(eio_dir_close(d));
	expect_err(eio_fs_sync(d), -EBADF);
	return eio_switch_end(&sw, 0);
}

/* A directory of the test's own: each operation notes what it was given */

static int own_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, unsigned flags,
			struct eio_dir *ret)
{
	note("open_dir %s %u %d", path, flags, sw == NULL);
	*ret = d;
	return 0;
}

static int own_close(struct eio_dir d)
{
	note("close %s", (char *) d.u.ptr);
	return -EIO;
}

static int own_fd(struct eio_dir d, struct eio_fd *ret)
{
	note("fd %s", (char *) d.u.ptr);
	*ret = EIO_STDIN;
	return 0;
}

static int own_stat(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret)
{
	(void) d;
	note("stat %s %d", path, follow);
	*ret = (struct eio_stat){.kind = EIO_KIND_SOCKET};
	return 0;
}

static int own_mkdir(struct eio_dir d, const char *path, uint32_t mode)
{
	(void) d;
	note("mkdir %s %o", path, mode);
	return 0;
}

static int own_unlink(struct eio_dir d, const char *path, bool rmdir)
{
	(void) d;
	note("unlink %s %d", path, rmdir);
	return strcmp(path, "none") == 0 ? -ENOENT : 0;
}

static int own_rename(struct eio_dir d, const char *old_path, struct eio_dir d2,
		      const char *new_path)
{
	note("rename %s %s %s %s", (char *) d.u.ptr, old_path, (char *) d2.u.ptr, new_path);
	return 0;
}

static int own_link(struct eio_dir d, const char *old_path, struct eio_dir d2, const char *new_path)
{
	note("link %s %s %s %s", (char *) d.u.ptr, old_path, (char *) d2.u.ptr, new_path);
	return 0;
}

static int own_symlink(struct eio_dir d, const char *path, const char *target)
{
	(void) d;
	note("symlink %s %s", path, target);
	return 0;
}

static ssize_t own_read_link(struct eio_dir d, const char *path, char *buf, size_t size)
{
	(void) d;
	note("readlink %s %zu", path, size);
	buf[0] = '!';
	return 7;
}

static int own_chmod(struct eio_dir d, const char *path, bool follow, uint32_t mode)
{
	(void) d;
	note("chmod %s %d %o", path, follow, mode);
	return 0;
}

static int own_chown(struct eio_dir d, const char *path, bool follow, uint32_t uid, uint32_t gid)
{
	(void) d;
	note("chown %s %d %u %u", path, follow, uid, gid);
	return 0;
}

static int own_sync(struct eio_dir d)
{
	note("sync %s", (char *) d.u.ptr);
	return 0;
}

static ssize_t own_native(struct eio_dir d, const char *path, char *buf, size_t size)
{
	(void) d, (void) buf;
	note("native %s %zu", path, size);
	return 5;
}

static const struct eio_dir_ops own_ops = {
	.name = "own",
	.open_dir = own_open_dir,
	.close = own_close,
	.fd = own_fd,
	.stat = own_stat,
	.mkdir = own_mkdir,
	.unlink = own_unlink,
	.rename = own_rename,
	.link = own_link,
	.symlink = own_symlink,
	.read_link = own_read_link,
	.chmod = own_chmod,
	.chown = own_chown,
	.sync = own_sync,
	.native = own_native,
};

MOCK_TEST(a_programs_own_directory_gets_what_was_asked)
{
	struct eio_dir a = {.ops = &own_ops, .u.ptr = "A"}, b = {.ops = &own_ops, .u.ptr = "B"}, c;
	struct eio_switch sw;
	struct eio_fd fd;
	char buf[9];

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(a, NULL, "x", &c));
	expect_ok(eio_fs_open_dir_nofollow(a, &sw, "x", &c));
	expect_log("open_dir x 0 1 open_dir x 1 0");
	expect_err(eio_dir_close(b), -EIO);
	expect_ok(eio_dir_fd(a, &fd));
	expect_log("close B fd A");
	expect_err(eio_fs_kind(a, "x", false), EIO_KIND_SOCKET);
	ck_assert(!eio_fs_is_file(a, "y"));
	ck_assert(!eio_fs_is_directory(a, "z"));
	expect_log("stat x 0 stat y 1 stat z 1");
	expect_ok(eio_fs_mkdir(a, "x", 0123));
	expect_ok(eio_fs_mkdirs(a, "x/y", 0456, false));
	expect_log("mkdir x 123 mkdir x/y 456");
	expect_ok(eio_fs_unlink(a, "x", 0));
	expect_ok(eio_fs_rmdir(a, "y"));
	expect_ok(eio_fs_unlink(a, "none", EIO_MISSING_OK));
	expect_err(eio_fs_rmdir(a, "none"), -ENOENT);
	expect_ok(eio_fs_rmtree(a, "z", 0));
	expect_log("unlink x 0 unlink y 1 unlink none 0 unlink none 1 unlink z 0");
	expect_ok(eio_fs_rename(a, "x", b, "y"));
	expect_ok(eio_fs_link(b, "x", a, "y"));
	expect_log("rename A x B y link B x A y");
	expect_ok(eio_fs_symlink(a, "x", "y"));
	expect_err(eio_fs_read_link(a, "x", buf, sizeof(buf)), 7);
	expect_log("symlink x y readlink x 9");
	expect_ok(eio_fs_chmod(a, "x", false, 0123));
	expect_ok(eio_fs_chown(a, "y", true, 1, 2));
	expect_ok(eio_fs_sync(b));
	expect_err(eio_fs_native(a, "x", buf, sizeof(buf)), 5);
	expect_log("chmod x 0 123 chown y 1 1 2 sync B native x 9");
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("fs_names", true, mkdir_makes_a_directory_with_the_mode_less_the_umask_test,
	   unlink_removes_what_is_no_directory_and_rmdir_what_is_an_empty_one_test,
	   what_is_missing_may_be_no_failure_test,
	   rename_moves_within_a_directory_and_across_two_test, a_link_is_renamed_itself_test,
	   link_gives_a_second_name_test, directories_of_two_providers_share_no_names_test,
	   a_symlink_is_kept_as_it_is_and_read_back_test, only_symlinks_are_read_test,
	   a_directory_can_be_opened_without_following_a_link_test,
	   an_open_that_crosses_no_mount_is_confined_like_any_test,
	   kinds_are_told_with_and_without_following_test, chmod_follows_or_not_test,
	   chown_follows_or_not_test, names_and_paths_are_refused_by_every_call_alike_test,
	   without_descriptors_no_path_is_found_test, names_need_no_memory_test,
	   a_name_is_bytes_test, a_slash_behind_a_name_asks_for_a_directory_test,
	   opening_a_FIFO_for_writing_does_not_wait_test,
	   a_directory_is_synced_through_a_handle_that_only_names_it_test,
	   a_programs_own_directory_gets_what_was_asked_test)
