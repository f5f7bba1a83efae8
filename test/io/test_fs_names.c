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

static void make_dir(const char *path)
{
	ck_assert_msg(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
}

static void make_link(const char *to, const char *path)
{
	ck_assert_msg(symlink(to, path) == 0, "%s: %s", path, strerror(errno));
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
	make_dir("d");
	make_link("d", "link");
	make_link("none", "dangling");
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
	make_dir("a");
	make_dir("b");
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
	make_link("file", "link");
	expect_ok(eio_fs_rename(env->cwd, "link", env->cwd, "moved"));
	expect_link("moved", "file");
	make_link("nowhere", "other");
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
	make_dir("d");
	put_text("file", "x");
	make_link("file", "link");
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
	make_link("file", "link");
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
	make_dir("d");
	make_dir("d/sub");
	make_link("d", "link");
	expect_ok(eio_fs_open_dir_nofollow(env->cwd, &sw, "d", &d));
	expect_err(eio_fs_kind(d, "sub", false), EIO_KIND_DIRECTORY);
	expect_err(eio_fs_open_dir_nofollow(env->cwd, &sw, "link", &d), -ENOTDIR);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "link", &d));
	expect_ok(eio_fs_open_dir_nofollow(env->cwd, &sw, "link/sub", &d));
	expect_err(eio_fs_open_dir_nofollow(env->cwd, &sw, "..", &d), -EXDEV);
	return eio_switch_end(&sw, 0);
}

/* Asking */

DIR_TEST(kinds_are_told_with_and_without_following)
{
	(void) arg;
	put_text("file", "x");
	make_dir("d");
	make_link("file", "to_file");
	make_link("d", "to_d");
	make_link("..", "out");
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
	make_dir("d");
	make_link("file", "link");
	make_link("..", "out");
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
	make_link("file", "link");
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

/* Durability */

DIR_TEST(a_directory_is_synced_through_a_handle_that_only_names_it)
{
	struct eio_switch sw;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	make_dir("d");
	d = open_dir(&sw, "d");
	expect_ok(eio_fs_sync(d));
	expect_ok(eio_fs_sync(env->cwd));
	expect_ok(eio_fs_sync(env->fs));
	expect_ok(eio_dir_close(d));
	expect_err(eio_fs_sync(d), -EBADF);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("fs_names", true, mkdir_makes_a_directory_with_the_mode_less_the_umask_test,
	   unlink_removes_what_is_no_directory_and_rmdir_what_is_an_empty_one_test,
	   what_is_missing_may_be_no_failure_test,
	   rename_moves_within_a_directory_and_across_two_test, a_link_is_renamed_itself_test,
	   link_gives_a_second_name_test, directories_of_two_providers_share_no_names_test,
	   a_symlink_is_kept_as_it_is_and_read_back_test, only_symlinks_are_read_test,
	   a_directory_can_be_opened_without_following_a_link_test,
	   kinds_are_told_with_and_without_following_test, chmod_follows_or_not_test,
	   chown_follows_or_not_test,
	   a_directory_is_synced_through_a_handle_that_only_names_it_test)
