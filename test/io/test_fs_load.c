/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/util.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Loads what must be the first bytes of the pattern. */
static void expect_load(const char *path, size_t len)
{
	char *data = NULL;
	size_t n = 0;

	expect_ok(eio_fs_load(env->cwd, path, &data, &n));
	ck_assert_uint_eq(n, len);
	ck_assert(is_filled(data, len, 0));
	ck_assert_int_eq(data[len], 0);
	free(data);
}

/* Nothing is written, nothing stays open. */
static void expect_no_load(struct eio_dir d, const char *path, int err)
{
	unsigned fds = count_fds();
	char *data = (char *) "kept";
	size_t n = 7;

	expect_err(eio_fs_load(d, path, &data, &n), err);
	ck_assert_str_eq(data, "kept");
	ck_assert_uint_eq(n, 7);
	ck_assert_uint_eq(count_fds(), fds);
}

DIR_TEST(a_file_of_any_size_is_loaded_and_ended)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000, 1048576, 3000001};
	char *data;

	(void) arg;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		put_file("file", sizes[i]);
		expect_load("file", sizes[i]);
	}
	put_text("file", "abc");
	expect_ok(eio_fs_load(env->cwd, "file", &data, NULL));
	ck_assert_str_eq(data, "abc");
	free(data);
	return 0;
}

DIR_TEST(what_says_to_be_empty_is_loaded_too)
{
	char want[4096] = "", *data;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct eio_dir proc;
	size_t n, before = (size_t) read(fd, want, sizeof(want) - 1);

	(void) arg;
	close(fd);
	ck_assert_uint_gt(before, 100);
	expect_ok(eio_fs_load(env->fs, "/proc/version", &data, &n));
	ck_assert_mem_eq(data, "Linux", 5);
	ck_assert_uint_eq(strlen(data), n);
	free(data);
	/* More than a page, beneath a capability. */
	expect_ok(eio_fs_open_dir(env->fs, NULL, "/proc", &proc));
	expect_ok(eio_fs_load(proc, "kallsyms", &data, &n));
	ck_assert_uint_gt(n, 10000);
	ck_assert_uint_eq(strlen(data), n);
	free(data);
	expect_no_load(proc, "../etc/passwd", -EXDEV);
	return eio_dir_close(proc);
}

/* A file of /sys says to be a page long. */
DIR_TEST(what_is_shorter_than_it_says_is_loaded_as_it_is)
{
	const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
	const char *nothing = "/sys/class/net/lo/ifalias";
	char *data;
	size_t n;

	(void) arg;
	if (access(nothing, R_OK) == 0) {
		expect_ok(eio_fs_load(env->fs, nothing, &data, &n));
		ck_assert_uint_eq(strlen(data), n);
		free(data);
	}
	if (access(path, R_OK) < 0)
		return 0;
	expect_ok(eio_fs_load(env->fs, path, &data, &n));
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_lt(n, 4096);
	ck_assert_uint_eq(strlen(data), n);
	free(data);
	return 0;
}

static int write_to_fifo(void *arg)
{
	struct eio_flow w;

	(void) arg;
	expect_ok(eio_fs_open_out(env->cwd, NULL, "fifo", NULL, &w));
	expect_ok(eio_flow_copy_string(w, "through a pipe"));
	expect_ok(eio_yield());
	return eio_flow_close(w);
}

DIR_TEST(a_FIFO_is_loaded_when_its_writers_are_done)
{
	struct eio_switch sw;
	char *data;

	(void) arg;
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, write_to_fifo, NULL));
	expect_ok(eio_fs_load(env->cwd, "fifo", &data, NULL));
	ck_assert_str_eq(data, "through a pipe");
	free(data);
	return eio_switch_end(&sw, 0);
}

DIR_TEST(what_cannot_be_loaded_says_why)
{
	char line[300];

	(void) arg;
	ck_assert_int_eq(mkdir("d", 0700), 0);
	expect_no_load(env->cwd, "missing", -ENOENT);
	expect_no_load(env->cwd, "", -ENOENT);
	expect_no_load(env->cwd, NULL, -EINVAL);
	expect_no_load(env->cwd, "/etc/passwd", -EXDEV);
	expect_no_load((struct eio_dir){.ops = NULL}, "file", -EBADF);
	expect_no_load(env->cwd, "d", -EISDIR);
	eio_error_format(-EISDIR, line, sizeof(line));
	ck_assert_str_eq(line, "load d: Is a directory");
	return 0;
}

/* As long as a file can be, on a file system that has such. */
DIR_TEST(a_file_longer_than_memory_is_refused_at_once)
{
	static const int64_t sizes[] = {INT64_MAX, INT64_MAX - 4097, INT64_MAX / 2};
	static const int errs[] = {-EFBIG, -ENOMEM, -ENOMEM};
	int fd = memfd_create("huge", MFD_CLOEXEC);
	char path[64];

	(void) arg;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < COUNT(sizes) && !SANITIZED; i++) {
		if (ftruncate(fd, sizes[i]) == 0)
			expect_no_load(env->fs, path, errs[i]);
	}
	close(fd);
	return 0;
}

DIR_TEST(without_memory_nothing_is_loaded)
{
	unsigned fds = count_fds();
	char *data = NULL;
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	put_file("file", 3000000);
	use_memory_up(1000000);
	rc = eio_fs_load(env->cwd, "file", &data, NULL);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	ck_assert_ptr_null(data);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Read in pieces and interrupted it is whole; where an entry is refused nothing is lost. All go
 * by the ring, which only that of a restricted domain is sure to. */
static struct faults odd;

static int load_refused(int opcode, unsigned nth)
{
	unsigned fds = count_fds();
	char *data = NULL;
	int rc;

	odd.refuse.opcode = opcode;
	odd.refuse.err = -EIO;
	odd.refuse.times = 1;
	odd.refuse.nth = nth;
	rc = eio_fs_load(env->cwd, "file", &data, NULL);
	ck_assert_int_eq(data != NULL, rc == 0);
	free(data);
	ck_assert_uint_eq(count_fds(), fds);
	return rc;
}

static int load_oddly(void *arg)
{
	(void) arg;
	put_file("file", 300000);
	for (int i = 0; i < 10; i++)
		expect_load("file", 300000);
	ck_assert_uint_gt(odd.shortened, 10);
	odd.shorten = odd.transient = 0;
	expect_err(load_refused(IORING_OP_OPENAT2, 1), -EIO);
	expect_err(load_refused(IORING_OP_READ, 1), -EIO);
	ck_assert_str_eq(eio_last_error()->subject, "file");
	expect_err(load_refused(IORING_OP_READ, 2), -EIO);
	return 0;
}

START_TEST(loading_survives_an_odd_kernel)
{
	static const uint8_t ops[] = {IORING_OP_OPENAT2};
	struct eio_config config = {
		.flags = EIO_RUN_RESTRICT, .allowed_ops = ops, .n_allowed_ops = 1};

	odd = (struct faults){.seed = 1, .shorten = 128, .transient = 64};
	enter_scratch();
	faults_install(&odd);
	run_ring_with(&config, load_oddly, 0);
	leave_scratch();
}
END_TEST

/* Lines */

DIR_TEST(lines_come_one_by_one_without_their_ends)
{
	struct eio_fs_lines l;
	char *line;
	size_t len;

	(void) arg;
	put_text("file", "one\ntwo\r\n\nlast");
	expect_ok(eio_fs_lines_begin(&l, env->cwd, "file", 0));
	while (eio_fs_lines_next(&l, &line, &len) == 1) {
		ck_assert_uint_eq(strlen(line), len);
		note("<%s>", line);
	}
	expect_log("<one> <two> <> <last>");
	expect_ok(eio_fs_lines_next(&l, &line, NULL));
	eio_fs_lines_end(&l);
	put_text("file", "");
	expect_ok(eio_fs_lines_begin(&l, env->cwd, "file", 0));
	expect_ok(eio_fs_lines_next(&l, &line, &len));
	eio_fs_lines_end(&l);
	return 0;
}

DIR_TEST(a_line_longer_than_the_limit_is_refused)
{
	struct eio_fs_lines l;
	char *line;

	(void) arg;
	put_text("file", "1234567\n12345678\n");
	expect_ok(eio_fs_lines_begin(&l, env->cwd, "file", 8));
	expect_err(eio_fs_lines_next(&l, &line, NULL), 1);
	ck_assert_str_eq(line, "1234567");
	expect_err(eio_fs_lines_next(&l, &line, NULL), EIO_ELIMIT);
	expect_ok(eio_buf_read_skip(&l.reader, 1));
	expect_err(eio_fs_lines_next(&l, &line, NULL), 1);
	ck_assert_str_eq(line, "2345678");
	expect_ok(eio_fs_lines_next(&l, &line, NULL));
	eio_fs_lines_end(&l);
	return 0;
}

DIR_TEST(lines_that_cannot_begin_leave_nothing)
{
	unsigned fds = count_fds();
	struct eio_fs_lines l;
	struct eio_cancel c;
	char *line;

	(void) arg;
	put_text("file", "abc\n");
	expect_err(eio_fs_lines_begin(&l, env->cwd, "missing", 0), -ENOENT);
	expect_err(eio_fs_lines_begin(&l, env->cwd, "file", SIZE_MAX), -EINVAL);
	expect_err(eio_fs_lines_begin(&l, env->cwd, "../x", 0), -EXDEV);
	ck_assert_uint_eq(count_fds(), fds);
	expect_ok(eio_fs_lines_begin(&l, env->cwd, "file", 0));
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EIO));
	expect_err(eio_fs_lines_next(&l, &line, NULL), -ECANCELED);
	eio_cancel_end(&c);
	expect_err(eio_fs_lines_next(&l, &line, NULL), 1);
	ck_assert_str_eq(line, "abc");
	eio_fs_lines_end(&l);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Providers without descriptors */

static int text_open_in(struct eio_dir d, struct eio_switch *sw, const char *path,
			struct eio_flow *ret)
{
	(void) sw;
	*ret = eio_string_source_init(d.u.ptr, path, strlen(path));
	return 0;
}

MOCK_TEST(a_programs_own_files_are_loaded)
{
	struct eio_dir_ops ops = {.name = "texts", .open_in = text_open_in};
	struct eio_string_source source;
	struct eio_dir d = {.ops = &ops, .u.ptr = &source};
	struct eio_fs_lines l;
	char *data;
	size_t n;

	(void) arg;
	expect_ok(eio_fs_load(d, "content", &data, &n));
	ck_assert_str_eq(data, "content");
	ck_assert_uint_eq(n, 7);
	free(data);
	expect_ok(eio_fs_lines_begin(&l, d, "a\nb", 0));
	while (eio_fs_lines_next(&l, &data, NULL) == 1)
		note("%s", data);
	expect_log("a b");
	eio_fs_lines_end(&l);
	return 0;
}

SUITE_MAIN("fs_load", true, a_file_of_any_size_is_loaded_and_ended_test,
	   what_says_to_be_empty_is_loaded_too_test,
	   what_is_shorter_than_it_says_is_loaded_as_it_is_test,
	   a_FIFO_is_loaded_when_its_writers_are_done_test, what_cannot_be_loaded_says_why_test,
	   a_file_longer_than_memory_is_refused_at_once_test, without_memory_nothing_is_loaded_test,
	   loading_survives_an_odd_kernel, lines_come_one_by_one_without_their_ends_test,
	   a_line_longer_than_the_limit_is_refused_test, lines_that_cannot_begin_leave_nothing_test,
	   a_programs_own_files_are_loaded_test)
