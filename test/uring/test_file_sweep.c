/* SPDX-License-Identifier: ISC */
/*
 * Every call about files, cancelled at every moment, in a directory of its own. None of them
 * waits for anything else, so each ends soon, and what it says is so: done, or not begun.
 */
#include "faults.h"
#include "sweep.h"
#include "uring/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* "f" is a file of 100 bytes, "l" leads to it, "d" is a directory that holds "d/e". */
struct place {
	struct attempt a;
	struct eio_switch sw;
	struct eio_fd dir, file; /* the first opened with O_PATH */
	int at;                  /* dir's number */
	char **names;
	int64_t pos;
	char buf[4096];
};

static char top[64];

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
	expect_ok(eio_ll_openat(&p->sw, EIO_FS, top, O_PATH | O_DIRECTORY, 0, &p->dir));
	p->at = number(p->dir);
	expect_ok(eio_ll_openat(&p->sw, p->dir, "f", O_RDWR | O_CREAT, 0600, &p->file));
	same(ftruncate(number(p->file), 100), 0);
	same(symlinkat("f", p->at, "l"), 0);
	same(mkdirat(p->at, "d", 0700), 0);
	same(mkdirat(p->at, "d/e", 0700), 0);
}

static void end(struct place *p)
{
	static const char *const made[] = {"f", "l", "new", "d/new"};

	for (size_t i = 0; i < COUNT(made); i++)
		unlinkat(p->at, made[i], 0);
	unlinkat(p->at, "d/new", AT_REMOVEDIR);
	unlinkat(p->at, "d/e", AT_REMOVEDIR);
	same(unlinkat(p->at, "d", AT_REMOVEDIR), 0);
	expect_ok(eio_switch_end(&p->sw, 0));
}

static void step(void)
{
	expect_ok(eio_ll_noop());
}

static bool done(const struct place *p)
{
	return p->a.rc >= 0;
}

static struct stat stat_of(const struct place *p, const char *name)
{
	struct stat st;

	same(fstatat(p->at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static bool is_there(const struct place *p, const char *name)
{
	struct stat st;

	return fstatat(p->at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Names */

static int run_mkdir(struct place *p)
{
	return eio_ll_mkdir(p->dir, "d/new", 0700);
}

static int run_symlink(struct place *p)
{
	return eio_ll_symlink(p->dir, "d/new", "x");
}

static int run_link(struct place *p)
{
	return eio_ll_link(p->dir, "f", p->dir, "d/new");
}

static void new_or_not(struct place *p)
{
	same(is_there(p, "d/new"), done(p));
}

static int run_unlink(struct place *p)
{
	return eio_ll_unlink(p->dir, "l", false);
}

static void gone_or_not(struct place *p)
{
	same(is_there(p, "l"), !done(p));
}

static int run_rmdir(struct place *p)
{
	return eio_ll_unlink(p->dir, "d/e", true);
}

static void directory_gone_or_not(struct place *p)
{
	same(is_there(p, "d/e"), !done(p));
}

static int run_rename(struct place *p)
{
	return eio_ll_rename(p->dir, "l", p->dir, "d/new", 0);
}

static void moved_or_not(struct place *p)
{
	new_or_not(p);
	gone_or_not(p);
}

static int run_read_link(struct place *p)
{
	return (int) eio_ll_read_link(p->dir, "l", p->buf, sizeof(p->buf));
}

static void target_or_nothing(struct place *p)
{
	same(p->buf[0], done(p) ? 'f' : 0);
	if (done(p))
		same(p->a.rc, 1);
}

/* Listings */

static int run_read_dir(struct place *p)
{
	return eio_ll_read_dir(p->dir, "d", &p->names, NULL);
}

static void names_or_none(struct place *p)
{
	same(p->names != NULL, done(p));
	if (p->names)
		same(strcmp(p->names[0], "e"), 0);
	free(p->names);
}

static void listed_directory(struct place *p)
{
	expect_ok(eio_ll_openat(&p->sw, p->dir, "d", O_RDONLY | O_DIRECTORY, 0, &p->file));
}

static int run_read_some_dir(struct place *p)
{
	return (int) eio_ll_read_some_dir(p->file, p->buf, sizeof(p->buf));
}

static void entries_or_at_the_beginning(struct place *p)
{
	same(lseek(number(p->file), 0, SEEK_CUR) != 0, done(p));
}

/* Attributes */

static int run_chmod(struct place *p)
{
	return eio_ll_chmod(p->dir, "l", true, 0640);
}

static int run_chmod_handle(struct place *p)
{
	return eio_ll_chmod(p->file, NULL, true, 0640);
}

static void mode_is_set_or_not(struct place *p)
{
	same(stat_of(p, "f").st_mode & 07777, done(p) ? 0640 : 0600);
}

static int run_chown(struct place *p)
{
	return eio_ll_chown(p->dir, "l", false, (uid_t) -1, stat_of(p, "l").st_gid);
}

static int run_utimens(struct place *p)
{
	const struct timespec times[2] = {{1, 0}, {2, 0}};

	return eio_ll_utimens(p->dir, "l", false, times);
}

static void times_are_set_or_not(struct place *p)
{
	same(stat_of(p, "l").st_mtim.tv_sec == 2, done(p));
	same(stat_of(p, "f").st_mtim.tv_sec == 2, false);
}

static int run_setxattr(struct place *p)
{
	return eio_ll_setxattr(p->file, NULL, true, "user.new", "1", 1, 0);
}

static int run_setxattr_path(struct place *p)
{
	return eio_ll_setxattr(p->dir, "f", true, "user.new", "1", 1, 0);
}

static void attribute_or_not(struct place *p)
{
	char b[8];

	same(fgetxattr(number(p->file), "user.new", b, sizeof(b)), done(p) ? 1 : -1);
}

static void attribute(struct place *p)
{
	same(fsetxattr(number(p->file), "user.x", "1", 1, 0), 0);
}

static int run_getxattr(struct place *p)
{
	return (int) eio_ll_getxattr(p->file, NULL, true, "user.x", p->buf, sizeof(p->buf));
}

static int run_getxattr_path(struct place *p)
{
	return (int) eio_ll_getxattr(p->dir, "l", true, "user.x", p->buf, sizeof(p->buf));
}

static void value_or_nothing(struct place *p)
{
	same(p->buf[0], done(p) ? '1' : 0);
}

static int run_listxattr(struct place *p)
{
	return (int) eio_ll_listxattr(p->dir, "f", true, p->buf, sizeof(p->buf));
}

static void list_or_nothing(struct place *p)
{
	same(p->buf[0] != 0, done(p));
}

static int run_removexattr(struct place *p)
{
	return eio_ll_removexattr(p->dir, "f", true, "user.x");
}

static void removed_or_not(struct place *p)
{
	same(fgetxattr(number(p->file), "user.x", NULL, 0), done(p) ? -1 : 1);
}

/* Open files */

static int run_lseek(struct place *p)
{
	return eio_ll_lseek(p->file, 10, SEEK_SET, &p->pos);
}

static int run_lseek_hole(struct place *p)
{
	return eio_ll_lseek(p->file, 10, SEEK_HOLE, &p->pos);
}

static void position_or_not(struct place *p)
{
	same(p->pos, done(p) ? 10 : 0);
	same(lseek(number(p->file), 0, SEEK_CUR), p->pos);
}

static int run_ftruncate(struct place *p)
{
	return eio_ll_ftruncate(p->file, 50);
}

static void cut_or_not(struct place *p)
{
	same(stat_of(p, "f").st_size, done(p) ? 50 : 100);
}

static int run_fallocate(struct place *p)
{
	return eio_ll_fallocate(p->file, 0, 0, 4096);
}

static void longer_or_not(struct place *p)
{
	same(stat_of(p, "f").st_size, done(p) ? 4096 : 100);
}

static int run_fadvise(struct place *p)
{
	return eio_ll_fadvise(p->file, 0, (int64_t) 3 << 30, POSIX_FADV_WILLNEED);
}

static int run_sync_file_range(struct place *p)
{
	return eio_ll_sync_file_range(p->file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static const struct call calls[] = {
	{"eio_ll_mkdir", QUICK, NULL, run_mkdir, NULL, new_or_not},
	{"eio_ll_symlink", QUICK, NULL, run_symlink, NULL, new_or_not},
	{"eio_ll_link", QUICK, NULL, run_link, NULL, new_or_not},
	{"eio_ll_unlink", QUICK, NULL, run_unlink, NULL, gone_or_not},
	{"eio_ll_unlink of a directory", QUICK, NULL, run_rmdir, NULL, directory_gone_or_not},
	{"eio_ll_rename", QUICK, NULL, run_rename, NULL, moved_or_not},
	{"eio_ll_read_link", QUICK, NULL, run_read_link, NULL, target_or_nothing},
	{"eio_ll_read_dir", QUICK, NULL, run_read_dir, NULL, names_or_none},
	{"eio_ll_read_some_dir", QUICK, listed_directory, run_read_some_dir, NULL,
	 entries_or_at_the_beginning},
	{"eio_ll_chmod", QUICK, NULL, run_chmod, NULL, mode_is_set_or_not},
	{"eio_ll_chmod of a handle", QUICK, NULL, run_chmod_handle, NULL, mode_is_set_or_not},
	{"eio_ll_chown", QUICK, NULL, run_chown, NULL, NULL},
	{"eio_ll_utimens", QUICK, NULL, run_utimens, NULL, times_are_set_or_not},
	{"eio_ll_lseek", QUICK, NULL, run_lseek, NULL, position_or_not},
	{"eio_ll_lseek to a hole", QUICK, NULL, run_lseek_hole, NULL, position_or_not},
	{"eio_ll_ftruncate", QUICK, NULL, run_ftruncate, NULL, cut_or_not},
	{"eio_ll_fallocate", QUICK, NULL, run_fallocate, NULL, longer_or_not},
	{"eio_ll_fadvise", QUICK, NULL, run_fadvise, NULL, NULL},
	{"eio_ll_sync_file_range", QUICK, NULL, run_sync_file_range, NULL, NULL},
	/* These come last: not every file system knows attributes. */
	{"eio_ll_setxattr", QUICK, NULL, run_setxattr, NULL, attribute_or_not},
	{"eio_ll_setxattr by path", QUICK, NULL, run_setxattr_path, NULL, attribute_or_not},
	{"eio_ll_getxattr", QUICK, attribute, run_getxattr, NULL, value_or_nothing},
	{"eio_ll_getxattr by path", QUICK, attribute, run_getxattr_path, NULL, value_or_nothing},
	{"eio_ll_listxattr", QUICK, attribute, run_listxattr, NULL, list_or_nothing},
	{"eio_ll_removexattr", QUICK, attribute, run_removexattr, NULL, removed_or_not},
};

enum { ATTRIBUTE_CALLS = 6 };

static struct sweep all = {calls, COUNT(calls), sizeof(struct place), begin, end, step};
static bool no_new_opcodes;

static int sweep(void *arg)
{
	(void) arg;
	if (no_new_opcodes)
		forget_opcodes_since_5_16();
	sweep_moments(&all);
	return 0;
}

static int sweep_within(void *arg)
{
	static const int64_t limits[] = {0, 1000, 20000, 100000};

	(void) arg;
	sweep_limits(&all, limits, COUNT(limits));
	return 0;
}

static void run_in_top(const struct eio_config *config, eio_fn *fn)
{
	strcpy(top, "/tmp/eio-file-sweep-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	if (setxattr(top, "user.x", "1", 1, 0) < 0)
		all.n -= ATTRIBUTE_CALLS;
	run_ring_with(config, fn, 0);
	ck_assert_int_eq(rmdir(top), 0);
}

START_TEST(nothing_is_lost_whenever_the_cancellation_comes)
{
	run_in_top(NULL, sweep);
}
END_TEST

START_TEST(nothing_is_lost_where_threads_do_it)
{
	no_new_opcodes = true;
	run_in_top(NULL, sweep);
}
END_TEST

START_TEST(nothing_is_lost_though_there_is_no_room_for_cancel_requests)
{
	run_in_top(&(struct eio_config){.queue_depth = 2}, sweep);
}
END_TEST

START_TEST(nothing_is_lost_when_the_kernel_is_odd)
{
	struct faults odd = {.seed = 7, .eintr = 30, .eagain = 20, .reorder = 100, .deaf = 128};

	faults_install(&odd);
	run_in_top(NULL, sweep);
	ck_assert_uint_gt(odd.deafened, 20);
}
END_TEST

START_TEST(nothing_is_lost_when_a_limit_expires)
{
	run_in_top(NULL, sweep_within);
}
END_TEST

SUITE_MAIN("file_sweep", true, nothing_is_lost_whenever_the_cancellation_comes,
	   nothing_is_lost_where_threads_do_it,
	   nothing_is_lost_though_there_is_no_room_for_cancel_requests,
	   nothing_is_lost_when_the_kernel_is_odd, nothing_is_lost_when_a_limit_expires)
