/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "io/util.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

static int copy(const char *src, const char *dst, const struct eio_copy_file *opts)
{
	return eio_fs_copy_file(env->cwd, src, env->cwd, dst, opts, NULL);
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	ck_assert_msg(stat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st;
}

static bool has_same_bytes(const char *a, const char *b)
{
	static char left[MIB], right[MIB];
	int from = open(a, O_RDONLY | O_CLOEXEC), to = open(b, O_RDONLY | O_CLOEXEC);
	ssize_t n, m;

	do {
		n = read(from, left, sizeof(left));
		m = read(to, right, sizeof(right));
	} while (n > 0 && n == m && memcmp(left, right, (size_t) n) == 0);
	close(from);
	close(to);
	return n == 0 && m == 0;
}

/* The copy has the bytes, the length and no more blocks, but for some of the file system's. */
static void expect_copied(const char *src, const char *dst)
{
	struct stat from = stat_of(src), to = stat_of(dst);

	ck_assert_int_eq(from.st_size, to.st_size);
	ck_assert(has_same_bytes(src, dst));
	ck_assert_int_le(to.st_blocks, from.st_blocks + 64);
}

/*
 * Sharing blocks, as most file systems of test machines cannot: what stands in its place
 * copies, if it is not refused.
 */
static struct {
	unsigned asked;
	bool refused;
} shared = {.refused = true};

int ioctl(int fd, unsigned long request, ...)
{
	static char block[64 * KIB];
	va_list ap;
	long from;
	ssize_t n;

	va_start(ap, request);
	from = va_arg(ap, long);
	va_end(ap);
	if (request != FICLONE) {
		int (*real)(int, unsigned long, ...);

		*(void **) &real = dlsym(RTLD_NEXT, "ioctl");
		return real(fd, request, from);
	}
	shared.asked++;
	if (shared.refused) {
		errno = EOPNOTSUPP;
		return -1;
	}
	for (off_t off = 0; (n = pread((int) from, block, sizeof(block), off)) > 0; off += n)
		ck_assert_int_eq(pwrite(fd, block, (size_t) n, off), n);
	return 0;
}

/* Content */

DIR_TEST(files_of_any_size_are_copied)
{
	static const size_t sizes[] = {0, 1, 4096, 100001, MIB - 1, MIB, MIB + 1, 5 * MIB + 7};
	struct eio_copy_file sync = {.sync = true};

	(void) arg;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint64_t len = 1;

		put_file("from", sizes[i]);
		expect_ok(eio_fs_copy_file(env->cwd, "from", env->cwd, "to", i % 2 ? &sync : NULL,
					   &len));
		ck_assert_uint_eq(len, sizes[i]);
		expect_copied("from", "to");
		/* Over what is there, longer and shorter. */
		put_file("to", sizes[i] + 100000);
		expect_ok(copy("from", "to", NULL));
		expect_copied("from", "to");
		put_file("to", sizes[i] / 2);
		expect_ok(copy("from", "to", NULL));
		expect_copied("from", "to");
		ck_assert_int_eq(unlink("to"), 0);
	}
	return 0;
}

/* Data of 64 KiB at some places of a file of the given length. */
static void make_sparse(const char *path, off_t len, const off_t *at, size_t n)
{
	static char data[64 * KIB];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_eq(ftruncate(fd, len), 0);
	for (size_t i = 0; i < n; i++) {
		fill(data, sizeof(data), (size_t) at[i]);
		ck_assert_int_eq(pwrite(fd, data, sizeof(data), at[i]), sizeof(data));
	}
	close(fd);
}

DIR_TEST(holes_stay_holes)
{
	static const struct {
		off_t len, at[4];
		size_t n;
	} cases[] = {
		{1 << 30, {0}, 0},                               /* nothing else */
		{10 * MIB, {9 * MIB}, 1},                        /* at the beginning */
		{10 * MIB, {0}, 1},                              /* at the end */
		{10 * MIB, {0, 10 * MIB - 64 * KIB}, 2},         /* in the middle */
		{20 * MIB + 1, {MIB, 5 * MIB + 1, 19 * MIB}, 3}, /* in several places */
		{(off_t) 1 << 40, {MIB, (off_t) 1 << 39}, 2},    /* nearly everywhere */
		{300 * KIB, {4 * KIB, 200 * KIB}, 2},            /* in a small file */
	};

	(void) arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t len = 0;
		struct stat to;

		make_sparse("from", cases[i].len, cases[i].at, cases[i].n);
		unlink("to");
		if (i % 2)
			put_file("to", 3 * MIB);
		expect_ok(eio_fs_copy_file(env->cwd, "from", env->cwd, "to", NULL, &len));
		to = stat_of("to");
		ck_assert_uint_eq(len, (uint64_t) cases[i].len);
		ck_assert_int_eq(to.st_size, cases[i].len);
		ck_assert_int_le(to.st_blocks, stat_of("from").st_blocks + 64);
		if (cases[i].len < 1 << 30)
			ck_assert(has_same_bytes("from", "to"));
		for (size_t k = 0; k < cases[i].n; k++) {
			static char data[64 * KIB];
			int fd = open("to", O_RDONLY | O_CLOEXEC);

			ck_assert_int_eq(pread(fd, data, sizeof(data), cases[i].at[k]),
					 sizeof(data));
			ck_assert(is_filled(data, sizeof(data), (size_t) cases[i].at[k]));
			close(fd);
		}
	}
	return 0;
}

static int add_up(uint64_t n, void *arg)
{
	*(uint64_t *) arg += n;
	return 0;
}

DIR_TEST(holes_are_not_told_of)
{
	static const off_t at[] = {0, 5 * MIB};
	uint64_t n = 0;
	struct eio_copy_file opts = {.moved = add_up, .arg = &n};

	(void) arg;
	make_sparse("from", 10 * MIB, at, 2);
	expect_ok(copy("from", "to", &opts));
	ck_assert_uint_ge(n, 128 * KIB);
	ck_assert_uint_lt(n, MIB);
	n = 0;
	put_file("from", 3 * MIB + 5);
	expect_ok(copy("from", "to", &opts));
	ck_assert_uint_eq(n, 3 * MIB + 5);
	return 0;
}

DIR_TEST(what_can_be_shared_is_not_copied)
{
	uint64_t n = 0, len = 0;
	struct eio_copy_file opts = {.moved = add_up, .arg = &n};

	(void) arg;
	shared.refused = false;
	shared.asked = 0;
	put_file("from", 3 * MIB + 5);
	expect_ok(eio_fs_copy_file(env->cwd, "from", env->cwd, "to", &opts, &len));
	ck_assert_uint_eq(shared.asked, 1);
	ck_assert_uint_eq(n, 3 * MIB + 5);
	ck_assert_uint_eq(len, n);
	expect_copied("from", "to");
	/* A small file is one piece to copy_file_range, which shares as well. */
	put_file("from", 1000);
	expect_ok(copy("from", "to", NULL));
	expect_copied("from", "to");
	ck_assert_uint_eq(shared.asked, 1);
	shared.refused = true;
	put_file("from", MIB);
	expect_ok(copy("from", "to", NULL));
	expect_copied("from", "to");
	ck_assert_uint_eq(shared.asked, 2);
	return 0;
}

/* In a restricted domain nothing but the ring is used. */
static const uint8_t allowed[] = {IORING_OP_OPENAT2, IORING_OP_WRITEV, IORING_OP_FSYNC,
				  IORING_OP_UNLINKAT, 55 /* FTRUNCATE */};
static const struct eio_config restricted = {
	.flags = EIO_RUN_RESTRICT, .allowed_ops = allowed, .n_allowed_ops = COUNT(allowed)};

static int copy_by_ring(void *arg)
{
	static const off_t at[] = {MIB};

	(void) arg;
	shared.asked = 0;
	put_file("from", 2 * MIB + 1);
	expect_ok(copy("from", "to", NULL));
	expect_copied("from", "to");
	make_sparse("from", 5 * MIB, at, 1);
	expect_ok(copy("from", "to", NULL));
	expect_copied("from", "to");
	ck_assert_uint_eq(shared.asked, 0);
	return 0;
}

START_TEST(a_restricted_domain_copies_by_its_ring)
{
	enter_scratch();
	run_ring_with(&restricted, copy_by_ring, 0);
	leave_scratch();
}
END_TEST

DIR_TEST(what_does_not_say_its_length_is_copied_to_its_end)
{
	const char *page = "/sys/kernel/mm/transparent_hugepage/enabled";
	uint64_t len = 0;
	struct stat st;

	(void) arg;
	expect_ok(eio_fs_copy_file(env->fs, "/proc/version", env->cwd, "to", NULL, &len));
	ck_assert_uint_gt(len, 10);
	ck_assert(has_same_bytes("/proc/version", "to"));
	ck_assert_int_eq(unlink("to"), 0);
	/* More than a piece of memory holds. */
	expect_ok(eio_fs_copy_file(env->fs, "/proc/kallsyms", env->cwd, "to", NULL, &len));
	ck_assert_uint_gt(len, MIB);
	st = stat_of("to");
	ck_assert_uint_eq(len, (uint64_t) st.st_size);
	if (access(page, R_OK) < 0)
		return 0;
	ck_assert_int_eq(unlink("to"), 0); /* it may not be written to, unless by root */
	expect_ok(eio_fs_copy_file(env->fs, page, env->cwd, "to", NULL, &len));
	ck_assert_uint_lt(len, 4096);
	st = stat_of("to");
	ck_assert_uint_eq(len, (uint64_t) st.st_size);
	ck_assert(has_same_bytes(page, "to"));
	return 0;
}

/* Targets */

DIR_TEST(a_file_is_not_copied_onto_itself)
{
	static const char *const names[] = {"file", "./file", "hard", "soft", "d/up"};
	unsigned fds = count_fds();
	char line[300];

	(void) arg;
	put_text("file", "precious");
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(link("file", "hard"), 0);
	ck_assert_int_eq(symlink("file", "soft"), 0);
	ck_assert_int_eq(symlink("../file", "d/up"), 0);
	for (size_t i = 0; i < COUNT(names); i++) {
		expect_err(copy("file", names[i], NULL), -EINVAL);
		expect_err(copy(names[i], "file", NULL), -EINVAL);
		expect_text("file", "precious");
	}
	eio_error_format(-EINVAL, line, sizeof(line));
	ck_assert_str_eq(line, "copy onto itself file: Invalid argument");
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

DIR_TEST(the_target_is_made_emptied_or_refused)
{
	static const struct {
		enum eio_create_how how;
		int missing, there;
	} cases[] = {
		{EIO_CREATE_DEFAULT, 0, 0},
		{EIO_CREATE_OR_TRUNCATE, 0, 0},
		{EIO_CREATE_NEVER, -ENOENT, 0},
		{EIO_CREATE_EXCLUSIVE, 0, -EEXIST},
		{EIO_CREATE_IF_MISSING, -EINVAL, -EINVAL},
		{(enum eio_create_how) 5, -EINVAL, -EINVAL},
	};

	(void) arg;
	put_text("from", "new");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct eio_copy_file opts = {.how = cases[i].how};

		expect_err(copy("from", "to", &opts), cases[i].missing);
		ck_assert_int_eq(exists("to"), cases[i].missing == 0);
		put_text("to", "old and longer");
		expect_err(copy("from", "to", &opts), cases[i].there);
		expect_text("to", cases[i].there ? "old and longer" : "new");
		ck_assert_int_eq(unlink("to"), 0);
	}
	expect_err(copy("from", "to", &(struct eio_copy_file){.mode = 010000}), -EINVAL);
	ck_assert(!exists("to"));
	return 0;
}

DIR_TEST(a_new_file_has_the_sources_permissions)
{
	static const unsigned modes[] = {0, 0400, 0444, 0600, 0644, 0755, 0777, 04755};

	(void) arg;
	put_text("from", "abc");
	for (size_t i = 0; i < COUNT(modes); i++) {
		ck_assert_int_eq(chmod("from", modes[i]), 0);
		if (access("from", R_OK) < 0)
			continue;
		umask(0);
		expect_ok(copy("from", "to", NULL));
		ck_assert_uint_eq(stat_of("to").st_mode & 07777, modes[i] & 0777);
		ck_assert_int_eq(unlink("to"), 0);
		umask(027);
		expect_ok(copy("from", "to", NULL));
		ck_assert_uint_eq(stat_of("to").st_mode & 07777, modes[i] & 0750);
		ck_assert_int_eq(unlink("to"), 0);
	}
	umask(022);
	expect_ok(copy("from", "to", &(struct eio_copy_file){.mode = 0700}));
	ck_assert_uint_eq(stat_of("to").st_mode & 07777, 0700);
	/* An old one has its own. */
	expect_ok(copy("from", "to", &(struct eio_copy_file){.mode = 0644}));
	ck_assert_uint_eq(stat_of("to").st_mode & 07777, 0700);
	return 0;
}

DIR_TEST(what_is_no_file_is_not_copied)
{
	unsigned fds = count_fds();

	(void) arg;
	put_text("from", "abc");
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	expect_err(copy("d", "to", NULL), -EISDIR);
	ck_assert_str_eq(eio_last_error()->subject, "d");
	expect_err(copy("fifo", "to", NULL), -EINVAL);
	expect_err(copy("missing", "to", NULL), -ENOENT);
	expect_err(copy("../from", "to", NULL), -EXDEV);
	expect_err(copy("", "to", NULL), -ENOENT);
	expect_err(copy(NULL, "to", NULL), -EINVAL);
	expect_err(
		eio_fs_copy_file((struct eio_dir){.ops = NULL}, "from", env->cwd, "to", NULL, NULL),
		-EBADF);
	ck_assert(!exists("to"));
	expect_err(copy("from", "d", NULL), -EISDIR);
	expect_err(copy("from", "fifo", NULL), -EINVAL);
	ck_assert(exists("fifo"));
	expect_err(copy("from", "no/to", NULL), -ENOENT);
	expect_err(copy("from", "../to", NULL), -EXDEV);
	expect_err(copy("from", "", NULL), -ENOENT);
	expect_err(copy("from", NULL, NULL), -EINVAL);
	expect_err(
		eio_fs_copy_file(env->cwd, "from", (struct eio_dir){.ops = NULL}, "to", NULL, NULL),
		-EBADF);
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* By symlinks, which are what would be removed. */
DIR_TEST(a_device_takes_a_copy_and_may_be_full)
{
	uint64_t len = 0;

	(void) arg;
	put_file("from", 3 * MIB);
	ck_assert_int_eq(symlink("/dev/null", "null"), 0);
	ck_assert_int_eq(symlink("/dev/full", "full"), 0);
	expect_ok(eio_fs_copy_file(env->fs, "from", env->fs, "null", NULL, &len));
	ck_assert_uint_eq(len, 3 * MIB);
	expect_err(eio_fs_copy_file(env->fs, "from", env->fs, "full", NULL, &len), -ENOSPC);
	ck_assert_uint_eq(eio_last_error()->done, 0);
	ck_assert_str_eq(eio_last_error()->subject, "full");
	ck_assert_uint_eq(len, 3 * MIB);
	ck_assert(exists("full"));
	return 0;
}

DIR_TEST(symlinks_are_followed_inside)
{
	(void) arg;
	put_text("from", "abc");
	ck_assert_int_eq(symlink("from", "link"), 0);
	ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
	ck_assert_int_eq(symlink("/tmp/eio-nowhere", "out"), 0);
	expect_ok(copy("link", "to", NULL));
	expect_text("to", "abc");
	expect_err(copy("from", "dangling", NULL), -EEXIST);
	ck_assert(!exists("nowhere"));
	expect_err(copy("from", "out", NULL), -EXDEV);
	ck_assert(!exists("/tmp/eio-nowhere"));
	expect_err(copy("from", "dangling", &(struct eio_copy_file){.how = EIO_CREATE_EXCLUSIVE}),
		   -EEXIST);
	return 0;
}

/* Failures */

static uint64_t heard;

static int stop_after(uint64_t n, void *arg)
{
	heard += n;
	return --*(int *) arg < 0 ? -EPROTO : 0;
}

DIR_TEST(stopped_by_its_caller_a_copy_is_removed_if_the_call_made_it)
{
	int left = 2;
	struct eio_copy_file opts = {.moved = stop_after, .arg = &left};
	uint64_t len = 7;

	(void) arg;
	put_file("from", 9 * MIB);
	heard = 0;
	expect_err(eio_fs_copy_file(env->cwd, "from", env->cwd, "to", &opts, &len), -EPROTO);
	ck_assert_uint_lt(heard, 9 * MIB);
	ck_assert_uint_eq(eio_last_error()->done, heard);
	ck_assert_uint_eq(len, 7);
	ck_assert(!exists("to"));
	put_text("to", "old");
	left = 1;
	heard = 0;
	expect_err(copy("from", "to", &opts), -EPROTO);
	ck_assert_uint_eq((uint64_t) stat_of("to").st_size, heard);
	/* After the only piece, of what is shared. */
	shared.refused = false;
	ck_assert_int_eq(unlink("to"), 0);
	left = 0;
	expect_err(copy("from", "to", &opts), -EPROTO);
	shared.refused = true;
	ck_assert(!exists("to"));
	return 0;
}

static int cancel_now(uint64_t n, void *arg)
{
	(void) n;
	return eio_cancel_raise(arg, -EINTR);
}

static int copy_cancelled(struct eio_cancel *c, void *arg)
{
	struct eio_copy_file opts = {.moved = cancel_now, .arg = c, .sync = true};

	expect_err(copy("from", arg, &opts), -ECANCELED);
	ck_assert_uint_eq(eio_last_error()->done, 64 * KIB);
	return 0;
}

DIR_TEST(cancelled_midway_a_copy_is_removed_if_the_call_made_it)
{
	static const off_t at[] = {MIB, 3 * MIB};
	unsigned fds = count_fds();

	(void) arg;
	make_sparse("from", 5 * MIB, at, 2);
	expect_ok(eio_cancel_run(copy_cancelled, (void *) "to"));
	ck_assert(!exists("to"));
	/* When all of it is there, but not on the disk. */
	put_file("from", 64 * KIB);
	expect_ok(eio_cancel_run(copy_cancelled, (void *) "to"));
	ck_assert(!exists("to"));
	put_text("to", "old");
	expect_ok(eio_cancel_run(copy_cancelled, (void *) "to"));
	ck_assert(exists("to"));
	ck_assert_uint_eq(count_fds(), fds);
	return 0;
}

/* Files may grow to 1,000,000 bytes. */
static int copy_too_much(void *arg)
{
	(void) arg;
	for (int i = 0; i < 2; i++) {
		expect_err(copy(i ? "sparse" : "from", "to", NULL), -EFBIG);
		ck_assert_str_eq(eio_last_error()->subject, "to");
		ck_assert(!exists("to"));
	}
	put_text("there", "");
	expect_err(copy("from", "there", NULL), -EFBIG);
	ck_assert_int_eq(stat_of("there").st_size, 1000000);
	return 0;
}

START_TEST(a_copy_without_room_fails_and_is_removed)
{
	static const off_t at[] = {500000, 960000};

	enter_scratch();
	put_file("from", 1500000);
	make_sparse("sparse", 1600000, at, 2);
	limit_file_size(1000000);
	run_ring(copy_too_much, 0);
	lift_file_size_limit();
	leave_scratch();
}
END_TEST

/* An entry that is refused: nothing is left, or the copy is whole. */
static struct faults faults;

static int refuse_one(int opcode, unsigned nth)
{
	struct eio_copy_file opts = {.sync = true};
	unsigned fds = count_fds();
	int rc;

	unlink("to");
	faults.refuse.opcode = opcode;
	faults.refuse.err = -EIO;
	faults.refuse.times = 1;
	faults.refuse.nth = nth;
	rc = copy("from", "to", &opts);
	if (faults.refuse.nth > 0) {
		expect_ok(rc);
		expect_copied("from", "to");
	}
	faults.refuse.nth = 0;
	ck_assert_uint_eq(count_fds(), fds);
	if (rc < 0) {
		expect_err(rc, -EIO);
		ck_assert(!exists("to"));
	}
	return rc;
}

static int refuse_each(void *arg)
{
	static const int opcodes[] = {IORING_OP_OPENAT2, IORING_OP_FSYNC, 55 /* FTRUNCATE */};
	static const off_t at[] = {MIB, 3 * MIB};
	unsigned failed = 0;

	(void) arg;
	make_sparse("from", 5 * MIB, at, 2);
	expect_ok(copy("from", "to", NULL));
	for (size_t i = 0; i < COUNT(opcodes); i++) {
		for (unsigned nth = 1; refuse_one(opcodes[i], nth) < 0; nth++)
			failed++;
	}
	ck_assert_uint_ge(failed, 4);
	return 0;
}

START_TEST(a_refusal_at_any_step_leaves_no_copy)
{
	enter_scratch();
	faults_install(&faults);
	run_ring(refuse_each, 0);
	leave_scratch();
}
END_TEST

/* By the ring alone, which reads and writes. */
static int refuse_transfers(void *arg)
{
	(void) arg;
	put_file("from", 300000);
	expect_err(refuse_one(IORING_OP_READ, 1), -EIO);
	ck_assert_str_eq(eio_last_error()->op, "read");
	ck_assert_str_eq(eio_last_error()->subject, "from");
	expect_err(refuse_one(IORING_OP_WRITEV, 2), -EIO);
	ck_assert_str_eq(eio_last_error()->subject, "to");
	ck_assert_uint_gt(eio_last_error()->done, 0);
	expect_ok(refuse_one(IORING_OP_READ, 100));
	return 0;
}

START_TEST(a_failure_names_the_file_that_it_is_about)
{
	enter_scratch();
	faults_install(&faults);
	run_ring_with(&restricted, refuse_transfers, 0);
	leave_scratch();
}
END_TEST

static int copy_one(size_t i, void *arg)
{
	char name[16];

	(void) arg;
	snprintf(name, sizeof(name), "to%zu", i);
	return copy("from", name, NULL);
}

DIR_TEST(many_copies_at_once_are_whole)
{
	(void) arg;
	put_file("from", 300000);
	expect_ok(eio_for_each(20, 0, copy_one, NULL));
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "to%d", i);
		expect_copied("from", name);
	}
	return 0;
}

/* Providers without descriptors */

static char taken[64];

static ssize_t take_some(struct eio_flow f, const struct iovec *iov, int n)
{
	(void) f, (void) n;
	strncat(taken, iov->iov_base, iov->iov_len);
	return (ssize_t) iov->iov_len;
}

static const struct eio_flow_ops sink_ops = {.name = "sink", .write_some = take_some};

static int text_open_in(struct eio_dir d, struct eio_switch *sw, const char *path,
			struct eio_flow *ret)
{
	(void) sw;
	*ret = eio_string_source_init(d.u.ptr, path, strlen(path));
	return 0;
}

static int text_open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
			 const struct eio_create *opts, struct eio_flow *ret)
{
	(void) d, (void) sw;
	note("%s %d %o", path, opts->how, opts->mode);
	if (opts->how == EIO_CREATE_NEVER)
		return -ENOENT;
	*ret = (struct eio_flow){.ops = &sink_ops};
	return 0;
}

static int text_chmod(struct eio_dir d, const char *path, bool follow, uint32_t mode)
{
	(void) d, (void) follow;
	note("chmod %s %o", path, mode);
	return 0;
}

/* Not even for a moment can others read it. */
DIR_TEST(what_nobody_may_read_is_copied_to_what_nobody_may_read)
{
	struct eio_dir_ops ops = {.name = "texts", .open_out = text_open_out, .chmod = text_chmod};
	struct eio_dir d = {.ops = &ops};

	(void) arg;
	put_text("from", "secret");
	ck_assert_int_eq(chmod("from", 0), 0);
	if (access("from", R_OK) < 0)
		return 0;
	expect_ok(eio_fs_copy_file(env->cwd, "from", d, "name", NULL, NULL));
	expect_log("name 1 200 name 4 200 chmod name 0");
	return 0;
}

MOCK_TEST(a_programs_own_files_are_copied)
{
	struct eio_dir_ops ops = {
		.name = "texts", .open_in = text_open_in, .open_out = text_open_out};
	struct eio_string_source source;
	struct eio_dir d = {.ops = &ops, .u.ptr = &source};
	uint64_t len = 0;

	(void) arg;
	expect_ok(eio_fs_copy_file(d, "content", d, "name", NULL, &len));
	ck_assert_str_eq(taken, "content");
	ck_assert_uint_eq(len, 7);
	expect_log("name 1 666 name 4 666");
	return 0;
}

SUITE_MAIN("fs_copy", true, files_of_any_size_are_copied_test, holes_stay_holes_test,
	   holes_are_not_told_of_test, what_can_be_shared_is_not_copied_test,
	   a_restricted_domain_copies_by_its_ring,
	   what_does_not_say_its_length_is_copied_to_its_end_test,
	   a_file_is_not_copied_onto_itself_test, the_target_is_made_emptied_or_refused_test,
	   a_new_file_has_the_sources_permissions_test, what_is_no_file_is_not_copied_test,
	   a_device_takes_a_copy_and_may_be_full_test, symlinks_are_followed_inside_test,
	   stopped_by_its_caller_a_copy_is_removed_if_the_call_made_it_test,
	   cancelled_midway_a_copy_is_removed_if_the_call_made_it_test,
	   a_copy_without_room_fails_and_is_removed, a_refusal_at_any_step_leaves_no_copy,
	   a_failure_names_the_file_that_it_is_about, many_copies_at_once_are_whole_test,
	   what_nobody_may_read_is_copied_to_what_nobody_may_read_test,
	   a_programs_own_files_are_copied_test)
