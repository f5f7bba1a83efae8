/* SPDX-License-Identifier: ISC */
/*
 * Listing directories. The code is part of this program, so that it can run out of memory.
 */
#include "support.h"
#include "uring/tree.h"
#include "uring/util.h"

static unsigned allocations, failing; /* the failing one, from 1 on */

static bool may_allocate(void)
{
	return ++allocations != failing;
}

static void *malloc_or_fail(size_t size)
{
	return may_allocate() ? malloc(size) : NULL;
}

static void *realloc_or_fail(void *p, size_t size)
{
	return may_allocate() ? realloc(p, size) : NULL;
}

#define malloc  malloc_or_fail
#define realloc realloc_or_fail
#include "base/names.c"
#include "uring/ll_dir.c"
#undef malloc
#undef realloc

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_names(struct eio_fd dir, const char *path, const char *names)
{
	char **list, all[1024] = "";
	size_t n, i;

	expect_ok(eio_ll_read_dir(dir, path, &list, &n));
	for (i = 0; list[i]; i++) {
		strcat(all, i ? " " : "");
		strcat(all, list[i]);
	}
	ck_assert_uint_eq(i, n);
	ck_assert_str_eq(all, names);
	free(list);
}

static struct eio_fd open_at(const char *path, int flags)
{
	struct eio_fd fd;

	expect_ok(eio_ll_openat(&sw, base, path, flags, 0, &fd));
	return fd;
}

static const char in_base[] = "absolute dangling file loop out sub to_deep to_file to_sub up";

TREE_TEST(read_dir_gives_the_names_sorted_without_the_directories_own)
{
	char **list;

	expect_names(base, ".", in_base);
	expect_names(base, "sub", "deep");
	expect_names(base, "sub/", "deep");
	expect_names(base, "to_sub", "deep");
	expect_names(EIO_FS, under("base/sub"), "deep");
	expect_names(EIO_FS, under("outside"), "kept");
	expect_ok(mkdir(under("base/sub/empty"), 0700));
	expect_names(base, "sub/empty", "");
	/* How many need not be asked. */
	expect_ok(eio_ll_read_dir(base, "sub", &list, NULL));
	ck_assert_str_eq(list[0], "deep");
	free(list);
}

TREE_TEST(names_are_sorted_by_bytes)
{
	struct eio_fd sub = open_at("sub", O_PATH);

	put("base/sub/B", "");
	put("base/sub/a", "");
	put("base/sub/\xff", "");
	put("base/sub/a b", "");
	put("base/sub/...", "");
	put("base/sub/.a", "");
	put("base/sub/aa", "");
	expect_names(sub, NULL, "... .a B a a b aa deep \xff");
}

TREE_TEST(read_dir_of_a_handle_needs_no_path)
{
	struct eio_fd dir = open_at("sub", O_RDONLY);
	char b[4096];
	int was = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	expect_names(base, NULL, in_base);
	expect_names(base, "", in_base);
	/* The handle's own position does not matter. */
	ck_assert_int_gt(eio_ll_read_some_dir(dir, b, sizeof(b)), 0);
	expect_names(dir, NULL, "deep");
	ck_assert_int_eq(chdir(under("base")), 0);
	expect_names(EIO_CWD, NULL, in_base);
	expect_names(EIO_FS, "", in_base);
	expect_names(EIO_CWD, "sub", "deep");
	ck_assert_int_eq(fchdir(was), 0);
	close(was);
}

TREE_TEST(read_dir_is_confined)
{
	static const struct {
		const char *path;
		int err;
	} bad[] = {{"..", -EXDEV},      {"../outside", -EXDEV}, {"out", -EXDEV},
		   {"out/", -EXDEV},    {"/", -EXDEV},          {"/tmp", -EXDEV},
		   {"loop", -ELOOP},    {"up", -EXDEV},         {"file", -ENOTDIR},
		   {"file/", -ENOTDIR}, {"nothing", -ENOENT},   {"dangling", -ENOENT}};
	unsigned before = count_fds();
	struct eio_fd proc;
	char **list = NULL;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect_err(eio_ll_read_dir(base, bad[i].path, &list, NULL), bad[i].err);
		ck_assert_str_eq(eio_last_error()->op, "read_dir");
		ck_assert_str_eq(eio_last_error()->subject, bad[i].path);
	}
	expect_err(eio_ll_read_dir(EIO_CWD, "/tmp", &list, NULL), -EXDEV);
	/* Opening it does not wait for who writes to it. */
	ck_assert_int_eq(mkfifo(under("base/fifo"), 0600), 0);
	expect_err(eio_ll_read_dir(base, "fifo", &list, NULL), -ENOTDIR);
	ck_assert_ptr_null(list);
	ck_assert_uint_eq(count_fds(), before);
	expect_ok(eio_ll_openat(&sw, EIO_FS, "/proc/self", O_PATH | O_DIRECTORY, 0, &proc));
	expect_err(eio_ll_read_dir(proc, "root", &list, NULL), -ELOOP);
	expect_err(eio_ll_read_dir(proc, "cwd", &list, NULL), -ELOOP);
}

/* More than one piece. */
enum { MANY = 2000 };

static void make_many(void)
{
	char name[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "base/sub/%05d-of-the-many-names", i);
		put(name, "");
	}
}

TREE_TEST(a_large_directory_is_read_to_its_end)
{
	char **list, name[64];
	size_t n;

	make_many();
	expect_ok(eio_ll_read_dir(base, "sub", &list, &n));
	ck_assert_uint_eq(n, MANY + 1);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%05d-of-the-many-names", i);
		ck_assert_str_eq(list[i], name);
	}
	ck_assert_str_eq(list[MANY], "deep");
	ck_assert_ptr_null(list[MANY + 1]);
	free(list);
}

static int read_many(void *arg)
{
	char **list = arg;

	note("%s", eio_err_name(eio_ll_read_dir(base, "sub", &list, NULL)));
	ck_assert_ptr_eq(list, arg);
	return 0;
}

TREE_TEST(without_memory_for_the_names_there_are_none)
{
	unsigned before = count_fds(), all;
	char **names = NULL;

	make_many();
	allocations = failing = 0;
	expect_ok(eio_ll_read_dir(base, "sub", &names, NULL));
	free(names);
	names = NULL;
	all = allocations;
	ck_assert_uint_ge(all, 4);
	for (failing = 1; failing <= all; failing++) {
		allocations = 0;
		expect_err(eio_ll_read_dir(base, "sub", &names, NULL), -ENOMEM);
		ck_assert_uint_eq(allocations, failing);
		ck_assert_ptr_null(names);
		ck_assert_uint_eq(count_fds(), before);
	}
}

/* Between its pieces: as soon as the directory is open. */
TREE_TEST(reading_a_large_directory_ends_with_a_cancellation)
{
	unsigned before = count_fds();
	struct eio_switch inner;

	make_many();
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_many, &inner));
	while (count_fds() == before)
		expect_ok(eio_ll_noop());
	end_cancelled(&inner);
	expect_log("ECANCELED");
	ck_assert_uint_eq(count_fds(), before);
}

/* Pieces in the caller's hands */

static void note_entries(const char *buf, ssize_t n)
{
	for (ssize_t pos = 0; pos < n;) {
		const struct dirent *e = (const struct dirent *) (buf + pos);

		if (strcmp(e->d_name, "deep") == 0)
			ck_assert(e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
		ck_assert_uint_ne(e->d_ino, 0);
		note("%s", e->d_name);
		pos += e->d_reclen;
	}
}

TREE_TEST(read_some_dir_goes_on_where_it_was)
{
	enum { ONE = 32 };
	_Alignas(struct dirent) char buf[sizeof(struct dirent)], all[4096];
	struct eio_fd dir = open_at("sub", O_RDONLY | O_DIRECTORY);
	unsigned entries = 0;
	ssize_t n;

	expect_err(eio_ll_read_some_dir(dir, buf, 10), -EINVAL);
	/* One fits. */
	while ((n = eio_ll_read_some_dir(dir, buf, ONE)) > 0) {
		ck_assert_int_eq(((struct dirent *) buf)->d_reclen, n);
		note_entries(buf, n);
		entries++;
	}
	expect_ok(n);
	ck_assert_uint_eq(entries, 3);
	ck_assert_ptr_nonnull(strstr(log_text(), " deep"));
	ck_assert_ptr_nonnull(strstr(log_text(), " .."));
	log_clear();
	expect_ok(eio_ll_read_some_dir(dir, buf, ONE));
	expect_ok(eio_ll_lseek(dir, 0, SEEK_SET, NULL));
	ck_assert_int_gt(eio_ll_read_some_dir(dir, buf, ONE), 0);
	expect_ok(eio_ll_lseek(dir, 0, SEEK_SET, NULL));
	ck_assert_int_gt(eio_ll_read_some_dir(dir, all, (size_t) 1 << 32 | 1), 0);
}

TREE_TEST(read_some_dir_needs_a_directory_that_was_opened_for_reading)
{
	struct eio_fd dir = open_at("sub", O_RDONLY);
	char b[4096];

	expect_err(eio_ll_read_some_dir(base, b, sizeof(b)), -EBADF);
	ck_assert_str_eq(eio_last_error()->op, "getdents64");
	expect_err(eio_ll_read_some_dir(open_at("file", O_RDONLY), b, sizeof(b)), -ENOTDIR);
	expect_err(eio_ll_read_some_dir(EIO_CWD, b, sizeof(b)), -EBADF);
	expect_ok(eio_fd_close(dir));
	expect_err(eio_ll_read_some_dir(dir, b, sizeof(b)), -EBADF);
}

TREE_TEST(a_directory_that_was_removed_is_at_its_end)
{
	struct eio_fd dir = open_at("sub", O_RDONLY);
	char b[4096];

	ck_assert_int_eq(unlink(under("base/sub/deep")), 0);
	ck_assert_int_eq(rmdir(under("base/sub")), 0);
	expect_ok(eio_ll_read_some_dir(dir, b, sizeof(b)));
}

static int on_no_domain(void *arg)
{
	struct eio_fd *dir = arg;
	char b[4096], **list;

	expect_err(eio_ll_read_dir(base, "sub", &list, NULL), -EPERM);
	expect_err(eio_ll_read_some_dir(*dir, b, sizeof(b)), -EPERM);
	return 0;
}

TREE_TEST(a_thread_without_a_domain_is_refused)
{
	struct eio_fd dir = open_at("sub", O_RDONLY);
	unsigned before = count_fds();

	expect_ok(on_plain_thread(on_no_domain, &dir));
	expect_ok(eio_fd_close(dir));
	ck_assert_uint_eq(count_fds(), before - 1);
}

SUITE_MAIN("ll_dir", true, read_dir_gives_the_names_sorted_without_the_directories_own,
	   names_are_sorted_by_bytes, read_dir_of_a_handle_needs_no_path, read_dir_is_confined,
	   a_large_directory_is_read_to_its_end, without_memory_for_the_names_there_are_none,
	   reading_a_large_directory_ends_with_a_cancellation, read_some_dir_goes_on_where_it_was,
	   read_some_dir_needs_a_directory_that_was_opened_for_reading,
	   a_directory_that_was_removed_is_at_its_end, a_thread_without_a_domain_is_refused)
