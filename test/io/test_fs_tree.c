/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(stat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st.st_mode & 07777;
}

/* mkdirs */

DIR_TEST(mkdirs_makes_all_that_is_missing)
{
	static const char *const paths[] = {"a",          "b/c",         "d/e/f/g", "b/h/i//j/",
					    "d/./k/../l", "d/e/f/./m/.", "b/c/n/"};
	static const char *const made[] = {"a",   "b/c", "d/e/f/g", "b/h/i/j",
					   "d/k", "d/l", "d/e/f/m", "b/c/n"};

	(void) arg;
	for (size_t i = 0; i < COUNT(paths); i++)
		expect_ok(eio_fs_mkdirs(env->cwd, paths[i], 0755, true));
	for (size_t i = 0; i < COUNT(made); i++)
		ck_assert_msg(eio_fs_is_directory(env->cwd, made[i]), "%s", made[i]);
	return 0;
}

DIR_TEST(mkdirs_gives_those_above_what_their_owner_needs)
{
	mode_t was = umask(022);

	(void) arg;
	expect_ok(eio_fs_mkdirs(env->cwd, "a/b/c", 0577, false));
	ck_assert_uint_eq(mode_of("a"), 0755);
	ck_assert_uint_eq(mode_of("a/b"), 0755);
	ck_assert_uint_eq(mode_of("a/b/c"), 0555);
	umask(was);
	return 0;
}

DIR_TEST(mkdirs_may_take_what_is_there)
{
	(void) arg;
	put_dir("d");
	put_text("file", "x");
	put_link("to_d", "d");
	put_link("to_file", "file");
	put_link("dangling", "none");
	put_link("out", "..");
	expect_err(eio_fs_mkdirs(env->cwd, "d", 0755, false), -EEXIST);
	expect_ok(eio_fs_mkdirs(env->cwd, "d", 0755, true));
	expect_ok(eio_fs_mkdirs(env->cwd, "to_d", 0755, true));
	expect_ok(eio_fs_mkdirs(env->cwd, ".", 0755, true));
	expect_err(eio_fs_mkdirs(env->cwd, "to_d", 0755, false), -EEXIST);
	expect_err(eio_fs_mkdirs(env->cwd, "file", 0755, true), -EEXIST);
	expect_err(eio_fs_mkdirs(env->cwd, "to_file", 0755, true), -EEXIST);
	expect_err(eio_fs_mkdirs(env->cwd, "file/x/y", 0755, true), -ENOTDIR);
	expect_ok(eio_fs_mkdirs(env->cwd, "to_d/x/y", 0755, false));
	ck_assert(is_there("d/x/y"));
	expect_err(eio_fs_mkdirs(env->cwd, "dangling/x/y", 0755, true), -ENOENT);
	expect_err(eio_fs_mkdirs(env->cwd, "dangling", 0755, true), -ENOENT);
	ck_assert(!is_there("none"));
	expect_err(eio_fs_mkdirs(env->cwd, "out", 0755, true), -EXDEV);
	expect_err(eio_fs_mkdirs(env->cwd, "out/x", 0755, true), -EXDEV);
	expect_err(eio_fs_mkdirs(env->cwd, "new/../../x", 0755, true), -EXDEV);
	expect_err(eio_fs_mkdirs(env->cwd, "", 0755, true), -ENOENT);
	expect_err(eio_fs_mkdirs(env->cwd, NULL, 0755, true), -EINVAL);
	expect_err(eio_fs_mkdirs(env->cwd, "n/n", 010000, true), -EINVAL);
	ck_assert(!is_there("n"));
	return 0;
}

DIR_TEST(the_whole_file_system_is_made_way_in_by_absolute_paths)
{
	char path[PATH_MAX];

	(void) arg;
	ck_assert_ptr_nonnull(getcwd(path, sizeof(path) - 10));
	strcat(path, "/a/b/c");
	expect_ok(eio_fs_mkdirs(env->fs, path, 0755, false));
	ck_assert(is_there("a/b/c"));
	expect_err(eio_fs_mkdirs(env->cwd, path, 0755, true), -EXDEV);
	expect_ok(eio_fs_mkdirs(env->fs, "/", 0755, true));
	expect_ok(eio_fs_rmtree(env->fs, path, 0));
	ck_assert(!is_there("a/b/c"));
	ck_assert(is_there("a/b"));
	return 0;
}

static int make_same(void *arg)
{
	(void) arg;
	expect_ok(eio_fs_mkdirs(env->cwd, "a/b/c/d/e", 0755, true));
	return 0;
}

DIR_TEST(many_may_make_the_same_way_at_once)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 20; i++)
		expect_ok(eio_fork(&sw, make_same, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(is_there("a/b/c/d/e"));
	return 0;
}

/* rmtree */

/* outside/keep/file, and tree with every kind of file, links out and two levels of
 * directories. */
static void plant(void)
{
	put_dir("outside");
	put_dir("outside/keep");
	put_text("outside/keep/file", "secret");
	put_dir("tree");
	put_text("tree/file", "x");
	put_text("tree/\xff\n", "x");
	put_dir("tree/empty");
	put_dir("tree/sub");
	put_dir("tree/sub/sub");
	put_text("tree/sub/sub/file", "x");
	ck_assert_int_eq(mkfifo("tree/fifo", 0600), 0);
	put_link("tree/out", "../outside");
	put_link("tree/sub/out", "../../outside/keep");
	put_link("tree/up", "..");
	put_link("tree/sub/away", "../../outside");
	put_link("tree/sub/dangling", "none");
	put_link("tree/loop", "loop");
}

static void expect_outside_as_it_was(void)
{
	expect_text("outside/keep/file", "secret");
}

DIR_TEST(rmtree_removes_everything_below_and_nothing_else)
{
	unsigned fds = count_fds();

	(void) arg;
	plant();
	put_text("beside", "x");
	expect_ok(eio_fs_rmtree(env->cwd, "tree", 0));
	ck_assert(!is_there("tree"));
	expect_outside_as_it_was();
	expect_text("beside", "x");
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

DIR_TEST(rmtree_of_what_is_no_directory_removes_its_name)
{
	(void) arg;
	plant();
	put_link("link", "tree");
	expect_err(eio_fs_rmtree(env->cwd, "link/", 0), -ENOTDIR);
	expect_ok(eio_fs_rmtree(env->cwd, "link", 0));
	expect_ok(eio_fs_rmtree(env->cwd, "tree/out", 0));
	expect_ok(eio_fs_rmtree(env->cwd, "tree/file", 0));
	expect_ok(eio_fs_rmtree(env->cwd, "tree/sub/", 0));
	ck_assert(!is_there("link") && !is_there("tree/out") && !is_there("tree/file"));
	ck_assert(!is_there("tree/sub"));
	ck_assert(is_there("tree/loop"));
	expect_outside_as_it_was();
	return 0;
}

DIR_TEST(a_missing_tree_may_be_no_failure)
{
	(void) arg;
	expect_err(eio_fs_rmtree(env->cwd, "none", 0), -ENOENT);
	expect_ok(eio_fs_rmtree(env->cwd, "none", EIO_MISSING_OK));
	expect_err(eio_fs_rmtree(env->cwd, "", EIO_MISSING_OK), -ENOENT);
	expect_err(eio_fs_rmtree(env->cwd, NULL, 0), -EINVAL);
	put_dir("d");
	expect_err(eio_fs_rmtree(env->cwd, "d", 2), -EINVAL);
	ck_assert(is_there("d"));
	expect_ok(eio_fs_rmtree(env->cwd, "d", EIO_MISSING_OK));
	ck_assert(!is_there("d"));
	return 0;
}

/* The error of each shows that nothing was even tried. */
DIR_TEST(only_what_has_a_name_is_removed_as_a_tree)
{
	static const char *const paths[] = {".", "./", "tree/.", "tree/sub/..", "tree/./"};

	(void) arg;
	plant();
	for (size_t i = 0; i < COUNT(paths); i++)
		expect_err(eio_fs_rmtree(env->cwd, paths[i], 0), -EINVAL);
	expect_err(eio_fs_rmtree(env->cwd, "..", 0), -EINVAL);
	expect_err(eio_fs_rmtree(env->cwd, "tree/../../x", 0), -EXDEV);
	expect_err(eio_fs_rmtree(env->cwd, "tree/up/outside", 0), 0);
	expect_err(eio_fs_rmtree(env->cwd, "/", 0), -EXDEV);
	expect_text("tree/sub/sub/file", "x");
	return 0;
}

/* Deep and wide */

static void make_deep(const char *top, unsigned levels)
{
	int at = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *name = top;

	for (unsigned i = 0; i < levels; i++) {
		int next;

		ck_assert_int_eq(mkdirat(at, name, 0755), 0);
		next = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
		name = i % 3 ? "d" : "with a longer name";
	}
	close(openat(at, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	close(at);
}

/* More than PATH_MAX bytes, more than fit a fiber's stack a frame each, and more than there are
 * descriptors. */
enum { LONGER_THAN_A_PATH = 600 };

DIR_TEST(a_tree_of_any_depth_is_removed_with_few_descriptors)
{
	(void) arg;
	put_dir("tree");
	ck_assert_int_eq(chdir("tree"), 0);
	make_deep("one", LONGER_THAN_A_PATH);
	make_deep("two", 17);
	make_deep("three", 16);
	make_deep("four", 15);
	ck_assert_int_eq(chdir(".."), 0);
	limit_fds(40);
	expect_ok(eio_fs_rmtree(env->cwd, "tree", 0));
	lift_fd_limit();
	ck_assert(!is_there("tree"));
	return 0;
}

/* Several buffers of a listing: the names are long ones too, which also fill what gathers files
 * before there are AT_ONCE of them. */
DIR_TEST(a_wide_tree_is_removed)
{
	char name[300];

	(void) arg;
	put_dir("tree");
	for (int i = 0; i < 900; i++) {
		snprintf(name, sizeof(name), "tree/entry number %0*d", i % 7 * 38 + 1, i);
		if (i % 10)
			put_text(name, "");
		else
			put_dir(name);
	}
	expect_ok(eio_fs_rmtree(env->cwd, "tree", 0));
	ck_assert(!is_there("tree"));
	return 0;
}

/*
 * Directories of the kernel, before each of whose steps another process may do something: the
 * step is "open NAME", "unlink NAME", "rmdir NAME" or "rename NAME". An error it gives is the
 * step's.
 */

static struct eio_dir_ops meddled;
static int (*meddle)(const char *step);
static unsigned steps;

static int before(const char *op, const char *name)
{
	char step[300];

	steps++;
	snprintf(step, sizeof(step), "%s %s", op, name);
	return eio_error_set(meddle(step), op, name);
}

static int meddled_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path,
			    unsigned flags, struct eio_dir *ret)
{
	int rc = before("open", path);

	if (rc == 0)
		rc = env->cwd.ops->open_dir(d, sw, path, flags, ret);
	if (rc == 0)
		ret->ops = &meddled;
	return rc;
}

static int meddled_unlink(struct eio_dir d, const char *path, bool rmdir)
{
	int rc = before(rmdir ? "rmdir" : "unlink", path);

	return rc < 0 ? rc : env->cwd.ops->unlink(d, path, rmdir);
}

static int meddled_rename(struct eio_dir d, const char *old_path, struct eio_dir d2,
			  const char *new_path)
{
	int rc = before("rename", old_path);

	return rc < 0 ? rc : env->cwd.ops->rename(d, old_path, d2, new_path);
}

static int rmtree_path_meddled(const char *path, int (*fn)(const char *step))
{
	struct eio_dir d = env->cwd;
	unsigned fds = count_fds();
	int rc;

	meddled = *env->cwd.ops;
	meddled.open_dir = meddled_open_dir;
	meddled.unlink = meddled_unlink;
	meddled.rename = meddled_rename;
	meddle = fn;
	steps = 0;
	d.ops = &meddled;
	rc = eio_fs_rmtree(d, path, 0);
	ck_assert_uint_eq(count_fds(), fds);
	return rc;
}

static int rmtree_meddled(int (*fn)(const char *step))
{
	return rmtree_path_meddled("tree", fn);
}

static void put_link_in_place_of(const char *path, const char *target)
{
	ck_assert_int_eq(rename(path, "aside"), 0);
	put_link(path, target);
}

static int swap_sub_before_it_is_opened(const char *step)
{
	if (strcmp(step, "open sub") == 0 && !is_there("aside"))
		put_link_in_place_of("tree/sub", "../outside");
	return 0;
}

DIR_TEST(a_directory_swapped_for_a_link_before_it_is_opened_is_not_followed)
{
	(void) arg;
	plant();
	expect_ok(rmtree_meddled(swap_sub_before_it_is_opened));
	ck_assert(is_there("aside/sub"));
	ck_assert(!is_there("tree"));
	expect_outside_as_it_was();
	return 0;
}

static int swap_sub_before_it_is_removed(const char *step)
{
	if (strcmp(step, "rmdir sub") == 0 && !is_there("aside"))
		put_link_in_place_of("tree/sub", "../outside/keep");
	return 0;
}

DIR_TEST(a_directory_swapped_for_a_link_while_it_is_emptied_is_not_followed)
{
	(void) arg;
	put_dir("tree");
	put_dir("tree/sub");
	put_text("tree/sub/file", "x");
	put_dir("outside");
	put_dir("outside/keep");
	put_text("outside/keep/file", "secret");
	expect_ok(rmtree_meddled(swap_sub_before_it_is_removed));
	ck_assert(is_there("aside"));
	ck_assert(!is_there("aside/file"));
	ck_assert(!is_there("tree"));
	expect_outside_as_it_was();
	return 0;
}

/* However the path is written. */
static int swap_tree(const char *step)
{
	if (strncmp(step, "open ", 5) == 0 && strstr(step, "tree") && !is_there("aside"))
		put_link_in_place_of("tree", "outside");
	return 0;
}

DIR_TEST(the_tree_itself_swapped_for_a_link_is_not_followed)
{
	(void) arg;
	plant();
	expect_ok(rmtree_meddled(swap_tree));
	ck_assert(is_there("aside/sub/sub/file"));
	ck_assert(!is_there("tree"));
	expect_outside_as_it_was();
	return 0;
}

/* Of a path that ends in a slash the kernel follows the link at its end. */
DIR_TEST(nor_is_it_if_its_path_ends_in_a_slash)
{
	static const char *const paths[] = {"tree/", "./tree//"};

	(void) arg;
	for (size_t i = 0; i < COUNT(paths); i++) {
		int rc;

		plant();
		rc = rmtree_path_meddled(paths[i], swap_tree);
		expect_outside_as_it_was();
		expect_ok(rc);
		ck_assert(is_there("aside/sub/sub/file"));
		ck_assert(!is_there("tree"));
		put_away("outside");
		put_away("aside");
	}
	return 0;
}

static int swap_above(const char *step)
{
	if (strcmp(step, "rmdir tree") == 0 || strcmp(step, "rmdir above/tree") == 0)
		put_link_in_place_of("above", "other");
	return 0;
}

/* What is emptied is what is removed. */
DIR_TEST(a_directory_above_swapped_for_a_link_leads_to_no_other_tree)
{
	(void) arg;
	put_dir("above");
	put_dir("above/tree");
	put_dir("other");
	put_dir("other/tree");
	expect_ok(rmtree_path_meddled("above/tree", swap_above));
	ck_assert(!is_there("aside/tree"));
	ck_assert(is_there("other/tree"));
	return 0;
}

static int swap_file(const char *step)
{
	if (strcmp(step, "unlink file") != 0 || is_there("aside") || !is_there("tree/file"))
		return 0;
	ck_assert_int_eq(rename("tree/file", "aside"), 0);
	put_dir("tree/file");
	put_text("tree/file/x", "x");
	return 0;
}

DIR_TEST(a_file_swapped_for_a_directory_is_removed_as_one)
{
	(void) arg;
	put_dir("tree");
	put_text("tree/file", "x");
	expect_ok(rmtree_meddled(swap_file));
	ck_assert(is_there("aside"));
	ck_assert(!is_there("tree"));
	return 0;
}

static unsigned times;

static int add_one(const char *step)
{
	if (strcmp(step, "rmdir sub") == 0 && times++ == 0)
		put_text("tree/sub/late", "x");
	return 0;
}

DIR_TEST(what_is_added_meanwhile_goes_too)
{
	(void) arg;
	times = 0;
	put_dir("tree");
	put_dir("tree/sub");
	expect_ok(rmtree_meddled(add_one));
	ck_assert_uint_eq(times, 2);
	ck_assert(!is_there("tree"));
	return 0;
}

static int add_one_and_say_so_otherwise(const char *step)
{
	int added = add_one(step);

	return strcmp(step, "rmdir sub") == 0 && times == 1 ? -EEXIST : added;
}

DIR_TEST(nor_does_it_matter_how_a_file_system_says_not_empty)
{
	(void) arg;
	times = 0;
	put_dir("tree");
	put_dir("tree/sub");
	expect_ok(rmtree_meddled(add_one_and_say_so_otherwise));
	ck_assert_uint_eq(times, 2);
	ck_assert(!is_there("tree"));
	return 0;
}

static int add_always(const char *step)
{
	if (strcmp(step, "rmdir sub") == 0)
		put_text("tree/sub/late", "x");
	return 0;
}

/* The directories above the one that never is empty are not emptied again for it. */
DIR_TEST(filling_a_directory_without_end_ends_the_removal)
{
	(void) arg;
	put_dir("tree");
	put_dir("tree/sub");
	expect_err(rmtree_meddled(add_always), -ENOTEMPTY);
	ck_assert_uint_gt(steps, 60);
	ck_assert_uint_lt(steps, 150);
	ck_assert(is_there("tree/sub/late"));
	return 0;
}

static int flip(const char *step)
{
	if (strcmp(step, "open sub") == 0) {
		ck_assert_int_eq(rmdir("tree/sub"), 0);
		put_text("tree/sub", "x");
	} else if (strcmp(step, "unlink sub") == 0) {
		ck_assert_int_eq(unlink("tree/sub"), 0);
		put_dir("tree/sub");
	}
	return 0;
}

DIR_TEST(an_entry_that_is_never_what_it_was_ends_the_removal)
{
	(void) arg;
	put_dir("tree");
	put_dir("tree/sub");
	expect_err(rmtree_meddled(flip), -EISDIR);
	ck_assert_uint_lt(steps, 200);
	ck_assert(is_there("tree/sub"));
	return 0;
}

static const char *when;

static int be_first(const char *step)
{
	if (strcmp(step, when) == 0 && is_there("tree"))
		put_away("tree");
	return 0;
}

DIR_TEST(what_another_process_removes_first_is_no_failure)
{
	static const char *const moments[] = {"open tree",  "open sub",    "open empty",
					      "unlink up",  "unlink file", "rmdir sub",
					      "rmdir tree", "unlink loop"};

	(void) arg;
	for (size_t i = 0; i < COUNT(moments); i++) {
		when = moments[i];
		plant();
		expect_ok(rmtree_meddled(be_first));
		ck_assert(!is_there("tree"));
		put_away("outside");
	}
	return 0;
}

static int take_each_file(const char *step)
{
	if (strncmp(step, "unlink entry", 12) == 0) {
		ck_assert_int_eq(chdir("tree"), 0);
		unlink(step + 7);
		ck_assert_int_eq(chdir(".."), 0);
	}
	return strcmp(step, "rmdir tree") == 0 ? -EBUSY : 0;
}

/* That the tree itself stays shows what the rest was taken for. */
DIR_TEST(files_that_another_process_removes_first_are_no_failure)
{
	(void) arg;
	put_dir("tree");
	put_text("tree/entry", "x");
	expect_err(rmtree_meddled(take_each_file), -EBUSY);
	put_text("tree/entry 1", "x");
	put_text("tree/entry 2", "x");
	expect_err(rmtree_meddled(take_each_file), -EBUSY);
	return 0;
}

/* Failures */

static int refuse_some(const char *step)
{
	if (strcmp(step, "unlink fifo") == 0)
		return -EACCES;
	return strcmp(step, "unlink dangling") == 0 ? -EPERM : 0;
}

DIR_TEST(what_cannot_be_removed_stays_and_the_rest_goes)
{
	const char *subject;
	int rc;

	(void) arg;
	plant();
	rc = rmtree_meddled(refuse_some);
	ck_assert(is_there("tree/fifo"));
	ck_assert(is_there("tree/sub/dangling"));
	ck_assert(!is_there("tree/file") && !is_there("tree/sub/sub") && !is_there("tree/empty"));
	ck_assert(!is_there("tree/out") && !is_there("tree/up") && !is_there("tree/sub/out"));
	/* Whichever came first. */
	subject = eio_last_error()->subject;
	ck_assert_int_eq(eio_last_error()->code, rc);
	ck_assert_str_eq(eio_last_error()->op, "unlink");
	ck_assert_str_eq(subject, rc == -EACCES ? "fifo" : "dangling");
	ck_assert(rc == -EACCES || rc == -EPERM);
	return 0;
}

static int refuse_open(const char *step)
{
	return strncmp(step, "open e", 6) == 0 || strncmp(step, "open s", 6) == 0 ? -EMFILE : 0;
}

DIR_TEST(a_directory_that_cannot_be_opened_goes_if_it_is_empty)
{
	(void) arg;
	plant();
	expect_err(rmtree_meddled(refuse_open), -EMFILE);
	ck_assert_str_eq(eio_last_error()->subject, "sub");
	ck_assert(!is_there("tree/empty"));
	ck_assert(is_there("tree/sub/sub/file"));
	ck_assert(!is_there("tree/file"));
	return 0;
}

static int refuse_moved(const char *step)
{
	return strncmp(step, "rename ", 7) == 0 ? -EPERM : 0;
}

DIR_TEST(a_deep_directory_that_cannot_be_moved_is_a_failure)
{
	(void) arg;
	put_dir("tree");
	ck_assert_int_eq(chdir("tree"), 0);
	make_deep("one", 40);
	ck_assert_int_eq(chdir(".."), 0);
	expect_err(rmtree_meddled(refuse_moved), -EPERM);
	ck_assert(is_there("tree"));
	expect_ok(eio_fs_rmtree(env->cwd, "tree", 0));
	return 0;
}

static int take_names(const char *step)
{
	if (strncmp(step, "rename ", 7) == 0 && times++ == 0) {
		put_text("tree/.eio-removed-0", "x");
		put_dir("tree/.eio-removed-1");
		put_text("tree/.eio-removed-1/file", "x");
		put_dir("tree/.eio-removed-2");
	}
	return 0;
}

DIR_TEST(names_for_what_is_moved_may_be_taken)
{
	(void) arg;
	times = 0;
	put_dir("tree");
	ck_assert_int_eq(chdir("tree"), 0);
	make_deep("one", 40);
	ck_assert_int_eq(chdir(".."), 0);
	expect_ok(rmtree_meddled(take_names));
	ck_assert_uint_ge(times, 4);
	ck_assert(!is_there("tree"));
	return 0;
}

static int take_every_name(const char *step)
{
	char name[64];

	if (strncmp(step, "rename ", 7) == 0) {
		snprintf(name, sizeof(name), "tree/.eio-removed-%u", times++);
		put_text(name, "x");
	}
	return 0;
}

DIR_TEST(taking_every_name_ends_the_removal)
{
	(void) arg;
	times = 0;
	put_dir("tree");
	ck_assert_int_eq(chdir("tree"), 0);
	make_deep("one", 18);
	ck_assert_int_eq(chdir(".."), 0);
	expect_err(rmtree_meddled(take_every_name), -EEXIST);
	ck_assert_uint_lt(times, 100);
	ck_assert(is_there("tree"));
	return 0;
}

static int refuse_files(const char *step)
{
	return strcmp(step, "unlink file") == 0 ? -EPERM : 0;
}

/* What was moved is in the first level, and no more is tried again for it. */
DIR_TEST(what_cannot_be_removed_deep_down_ends_the_removal_too)
{
	(void) arg;
	put_dir("tree");
	ck_assert_int_eq(chdir("tree"), 0);
	make_deep("one", 40);
	make_deep("two", 300);
	ck_assert_int_eq(chdir(".."), 0);
	expect_err(rmtree_meddled(refuse_files), -EPERM);
	ck_assert_uint_lt(steps, 2500);
	ck_assert(!is_there("tree/one"));
	ck_assert(!is_there("tree/two"));
	expect_ok(eio_fs_rmtree(env->cwd, "tree", 0));
	return 0;
}

DIR_TEST(without_descriptors_or_memory_a_tree_stays)
{
	unsigned fds = count_fds();
	int rc;

	(void) arg;
	plant();
	limit_fds(0);
	expect_err(eio_fs_rmtree(env->cwd, "tree", 0), -EMFILE);
	lift_fd_limit();
	ck_assert_uint_eq(count_fds(), fds);
	expect_text("tree/sub/sub/file", "x");
	if (SANITIZED)
		return 0;
	use_memory_up(1);
	rc = eio_fs_rmtree(env->cwd, "tree", 0);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	use_memory_up(1);
	rc = eio_fs_mkdirs(env->cwd, "a/b/c", 0755, true);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	ck_assert(!is_there("a"));
	ck_assert_uint_eq(count_fds(), fds);
	expect_text("tree/sub/sub/file", "x");
	return 0;
}

/* A directory of a program's own, with names that no file system of Linux has. */

static int endless_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path,
			    unsigned flags, struct eio_dir *ret)
{
	(void) sw, (void) path, (void) flags;
	*ret = d;
	return 0;
}

static int endless_unlink(struct eio_dir d, const char *path, bool rmdir)
{
	(void) d;
	if (strcmp(path, "tree") == 0)
		return rmdir ? -ENOTEMPTY : -EISDIR;
	note("%zu", strlen(path));
	return 0;
}

static int endless_begin(struct eio_dir d, const char *path, const struct eio_dir_opts *opts,
			 struct eio_dir_iter *it)
{
	(void) d, (void) path, (void) opts;
	it->eio_private[1] = 0;
	return 0;
}

static int endless_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	static const size_t lengths[] = {3, 1023, 599, 424, 1024, 5, 5};
	static char name[1025];
	size_t i = (size_t) it->eio_private[1];

	if (i == COUNT(lengths))
		return 0;
	it->eio_private[1] = (void *) (i + 1);
	memset(name, 'n', lengths[i]);
	name[lengths[i]] = '\0';
	*ret = (struct eio_dir_entry){.name = name, .kind = EIO_KIND_REGULAR, .ino = 1};
	return 1;
}

MOCK_TEST(names_of_up_to_1023_bytes_are_removed)
{
	static const struct eio_dir_ops ops = {.name = "endless",
					       .open_dir = endless_open_dir,
					       .unlink = endless_unlink,
					       .iter_begin = endless_begin,
					       .iter_next = endless_next};
	struct eio_dir d = {.ops = &ops};

	(void) arg;
	expect_err(eio_fs_rmtree(d, "tree", 0), -ENAMETOOLONG);
	expect_log("3 1023 599 424 5 5");
	return 0;
}

static struct eio_cancel *to_cancel;

static int cancel_at(const char *step)
{
	if (strcmp(step, when) == 0)
		expect_ok(eio_cancel_raise(to_cancel, -EIO));
	return 0;
}

DIR_TEST(a_cancelled_removal_stops_where_it_is)
{
	static const char *const moments[] = {"open tree", "unlink file", "open sub", "rmdir sub",
					      "rename d"};
	struct eio_cancel c;

	(void) arg;
	for (size_t i = 0; i < COUNT(moments); i++) {
		when = moments[i];
		plant();
		ck_assert_int_eq(chdir("tree"), 0);
		make_deep("one", 18);
		ck_assert_int_eq(chdir(".."), 0);
		eio_cancel_begin(&c);
		to_cancel = &c;
		expect_err(rmtree_meddled(cancel_at), -ECANCELED);
		steps = 0;
		expect_err(eio_fs_rmtree(env->cwd, "tree", 0), -ECANCELED);
		eio_cancel_end(&c);
		ck_assert(is_there("tree"));
		expect_ok(eio_fs_rmtree(env->cwd, "tree", 0));
		expect_outside_as_it_was();
		put_away("outside");
	}
	return 0;
}

/* Mount points, in a namespace of our own */

static int remove_with_mounts(void *arg)
{
	(void) arg;
	expect_err(eio_fs_rmtree(env->cwd, "tree/sub", 0), -EXDEV);
	ck_assert_str_eq(eio_last_error()->subject, "mounted");
	ck_assert(!is_there("tree/sub/sub"));
	ck_assert_int_lt(eio_fs_rmtree(env->cwd, "tree", 0), 0);
	expect_outside_as_it_was();
	expect_text("tree/sub/mounted/keep/file", "secret");
	ck_assert(!is_there("tree/file") && !is_there("tree/empty"));
	expect_text("tree/memory/file", "x");
	expect_text("tree/over", "secret");
	expect_err(eio_fs_rmtree(env->cwd, "tree/over", 0), -EBUSY);
	expect_text("tree/over", "secret");
	return 0;
}

START_TEST(what_is_mounted_in_a_tree_stays_as_it_is)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	enter_scratch();
	plant();
	put_dir("tree/sub/mounted");
	put_dir("tree/memory");
	put_text("tree/over", "x");
	ck_assert_int_eq(mount("outside", "tree/sub/mounted", NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(mount("outside/keep/file", "tree/over", NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", "tree/memory", "tmpfs", 0, NULL), 0);
	put_text("tree/memory/file", "x");
	run_ring(remove_with_mounts, 0);
	ck_assert_int_eq(umount("tree/sub/mounted"), 0);
	ck_assert_int_eq(umount("tree/memory"), 0);
	ck_assert_int_eq(umount("tree/over"), 0);
	leave_scratch();
}
END_TEST

/* Paths */

START_TEST(a_path_is_split_at_its_last_component)
{
	static const struct {
		const char *path, *dir, *base;
	} cases[] = {
		{"a", "", "a"},        {"a/b", "a", "b"},      {"a/b/", "a", "b"},
		{"a//b///", "a", "b"}, {"/a", "/", "a"},       {"//a", "/", "a"},
		{"/a/b", "/a", "b"},   {"//a//b", "//a", "b"}, {".", "", "."},
		{"a/..", "a", ".."},   {"./a", ".", "a"},      {"a/\xff\n", "a", "\xff\n"},
	};
	static const char *const none[] = {"", "/", "///"};
	struct eio_path_parts p;

	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_msg(eio_path_split(cases[i].path, &p), "%s", cases[i].path);
		ck_assert_uint_eq(p.dir_len, strlen(cases[i].dir));
		ck_assert_mem_eq(cases[i].path, cases[i].dir, p.dir_len);
		ck_assert_uint_eq(p.base_len, strlen(cases[i].base));
		ck_assert_mem_eq(p.base, cases[i].base, p.base_len);
	}
	for (size_t i = 0; i < COUNT(none); i++)
		ck_assert(!eio_path_split(none[i], &p));
}
END_TEST

static const struct eio_dir_ops no_ops = {.name = "nothing"};

DIR_TEST(a_path_has_a_name_outside)
{
	struct eio_dir d, root, other = {.ops = &no_ops}, zeroed = {.ops = NULL};
	char buf[PATH_MAX], expected[PATH_MAX + 20], here[PATH_MAX];
	struct eio_switch sw;
	int len;

	(void) arg;
	eio_switch_begin(&sw);
	put_dir("d");
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "d", &d));
	expect_ok(eio_fs_open_dir(env->fs, &sw, "/", &root));
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	len = snprintf(expected, sizeof(expected), "%s/d/x/y", here);
	expect_err(eio_fs_native(d, "x/y", buf, sizeof(buf)), len);
	ck_assert_str_eq(buf, expected);
	expect_err(eio_fs_native(d, "x/y", buf, (size_t) len + 1), len);
	for (int size = 0; size <= len; size++)
		expect_err(eio_fs_native(d, "x/y", buf, (size_t) size), -ERANGE);
	expect_err(eio_fs_native(root, "etc", buf, sizeof(buf)), 4);
	ck_assert_str_eq(buf, "/etc");
	expect_err(eio_fs_native(env->cwd, "x/y", buf, 4), 3);
	ck_assert_str_eq(buf, "x/y");
	expect_err(eio_fs_native(env->cwd, "x/y", buf, 3), -ERANGE);
	expect_err(eio_fs_native(env->fs, "/x/y", buf, 5), 4);
	ck_assert_str_eq(buf, "/x/y");
	expect_err(eio_fs_native(d, "/x", buf, sizeof(buf)), -EXDEV);
	expect_err(eio_fs_native(env->cwd, "/x", buf, sizeof(buf)), -EXDEV);
	expect_err(eio_fs_native(d, "", buf, sizeof(buf)), -ENOENT);
	expect_err(eio_fs_native(d, NULL, buf, sizeof(buf)), -EINVAL);
	expect_err(eio_fs_native(other, "x", buf, sizeof(buf)), -ENOTSUP);
	expect_err(eio_fs_native(zeroed, "x", buf, sizeof(buf)), -EBADF);
	ck_assert_int_eq(rename("d", "e"), 0);
	expect_err(eio_fs_native(d, "x/y", buf, sizeof(buf)), len);
	ck_assert_ptr_nonnull(strstr(buf, "/e/x/y"));
	ck_assert_int_eq(rmdir("e"), 0);
	expect_err(eio_fs_native(d, "x", buf, sizeof(buf)), -ENOENT);
	expect_ok(eio_dir_close(d));
	expect_err(eio_fs_native(d, "x", buf, sizeof(buf)), -EBADF);
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("fs_tree", true, mkdirs_makes_all_that_is_missing_test,
	   mkdirs_gives_those_above_what_their_owner_needs_test, mkdirs_may_take_what_is_there_test,
	   the_whole_file_system_is_made_way_in_by_absolute_paths_test,
	   many_may_make_the_same_way_at_once_test,
	   rmtree_removes_everything_below_and_nothing_else_test,
	   rmtree_of_what_is_no_directory_removes_its_name_test,
	   a_missing_tree_may_be_no_failure_test, only_what_has_a_name_is_removed_as_a_tree_test,
	   a_tree_of_any_depth_is_removed_with_few_descriptors_test, a_wide_tree_is_removed_test,
	   a_directory_swapped_for_a_link_before_it_is_opened_is_not_followed_test,
	   a_directory_swapped_for_a_link_while_it_is_emptied_is_not_followed_test,
	   the_tree_itself_swapped_for_a_link_is_not_followed_test,
	   nor_is_it_if_its_path_ends_in_a_slash_test,
	   a_directory_above_swapped_for_a_link_leads_to_no_other_tree_test,
	   a_file_swapped_for_a_directory_is_removed_as_one_test,
	   what_is_added_meanwhile_goes_too_test,
	   nor_does_it_matter_how_a_file_system_says_not_empty_test,
	   filling_a_directory_without_end_ends_the_removal_test,
	   an_entry_that_is_never_what_it_was_ends_the_removal_test,
	   what_another_process_removes_first_is_no_failure_test,
	   files_that_another_process_removes_first_are_no_failure_test,
	   what_cannot_be_removed_stays_and_the_rest_goes_test,
	   a_directory_that_cannot_be_opened_goes_if_it_is_empty_test,
	   a_deep_directory_that_cannot_be_moved_is_a_failure_test,
	   names_for_what_is_moved_may_be_taken_test, taking_every_name_ends_the_removal_test,
	   what_cannot_be_removed_deep_down_ends_the_removal_too_test,
	   without_descriptors_or_memory_a_tree_stays_test,
	   names_of_up_to_1023_bytes_are_removed_test, a_cancelled_removal_stops_where_it_is_test,
	   what_is_mounted_in_a_tree_stays_as_it_is, a_path_is_split_at_its_last_component,
	   a_path_has_a_name_outside_test)
