/* SPDX-License-Identifier: ISC */
/*
 * Files that the kernel has in memory: opening and reading them takes no trip through the
 * ring. That calls come out as they would by the ring is what other tests of files check,
 * which find their files cached.
 */
#include "faults.h"
#include "io/util.h"

#include "core/fiber.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct faults counted;

/* A DIR_TEST whose entries are counted. */
#define CACHED_TEST(name)                                                                          \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		enter_scratch();                                                                   \
		faults_install(&counted);                                                          \
		run_ring(name, 0);                                                                 \
		leave_scratch();                                                                   \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

static unsigned entries(int opcode)
{
	return counted.entries[opcode];
}

/* Can this kernel and file system tell what they have in memory? */
static bool tells_contents(const char *path)
{
	char c;
	struct iovec iov = {&c, 1};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = syscall(SYS_preadv2, fd, &iov, 1, 0, 0, 8 /* RWF_NOWAIT */);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return n == 1;
}

static bool tells_names(const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = 0x20 /* RESOLVE_CACHED */};
	long fd = syscall(437 /* openat2 */, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0)
		close((int) fd);
	return fd >= 0;
}

static struct eio_flow open_file(const char *path)
{
	struct eio_flow f;

	expect_ok(eio_fs_open_in(env->cwd, NULL, path, &f));
	return f;
}

CACHED_TEST(what_is_cached_is_opened_and_read_directly)
{
	char buf[8] = "";
	struct eio_flow f;

	(void) arg;
	put_text("file", "content");
	f = open_file("file");
	expect_err(eio_flow_read(f, buf, 3), 3);
	ck_assert_str_eq(buf, "con");
	expect_err(eio_flow_read(f, buf, sizeof(buf)), 4);
	ck_assert_int_eq(memcmp(buf, "tent", 4), 0);
	expect_err(eio_flow_read(f, buf, sizeof(buf)), 0);
	ck_assert(!tells_names("file") || entries(IORING_OP_OPENAT2) == 0);
	ck_assert(!tells_contents("file") || entries(IORING_OP_READ) == 0);
	return eio_flow_close(f);
}

/* Where the kernel alone answers for files. */
CACHED_TEST(what_is_cached_on_another_mount_is_opened_directly)
{
	char path[] = "/dev/shm/eio-cached-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	struct eio_flow f;

	(void) arg;
	if (fd < 0)
		return 0;
	close(fd);
	expect_ok(eio_fs_open_in(env->fs, NULL, path, &f));
	ck_assert(!tells_names(path) || entries(IORING_OP_OPENAT2) == 0);
	expect_ok(eio_flow_close(f));
	return unlink(path);
}

/* Others get their turn: every so many reads the fiber suspends. */
CACHED_TEST(after_a_few_direct_calls_one_goes_by_the_ring)
{
	const unsigned rounds = 3, n = rounds * (EIO__DIRECT_IN_A_ROW + 1);
	char text[100], c;
	struct eio_flow f;
	unsigned before;

	(void) arg;
	for (unsigned i = 0; i < n; i++)
		text[i] = (char) ('0' + i);
	text[n] = '\0';
	put_text("file", text);
	f = open_file("file");
	expect_ok(eio_ll_noop());
	before = entries(IORING_OP_READ); /* The library has one of its own. */
	for (unsigned i = 0; i < n; i++) {
		expect_err(eio_flow_read(f, &c, 1), 1);
		ck_assert_int_eq(c, text[i]);
	}
	before = entries(IORING_OP_READ) - before;
	ck_assert_uint_eq(before, tells_contents("file") ? rounds : n);
	return eio_flow_close(f);
}

CACHED_TEST(after_a_few_direct_opens_one_goes_by_the_ring)
{
	struct eio_flow files[EIO__DIRECT_IN_A_ROW + 1];

	(void) arg;
	put_text("file", "content");
	expect_ok(eio_ll_noop());
	for (unsigned i = 0; i < COUNT(files); i++)
		files[i] = open_file("file");
	ck_assert_uint_eq(entries(IORING_OP_OPENAT2), tells_names("file") ? 1 : COUNT(files));
	for (unsigned i = 0; i < COUNT(files); i++)
		expect_ok(eio_flow_close(files[i]));
	return 0;
}

/* What may wait for more than names goes by the ring at once, and so does what cannot be
 * read this way. */
CACHED_TEST(what_may_wait_goes_by_the_ring)
{
	struct eio_create opts = {.how = EIO_CREATE_NEVER};
	struct eio_flow f;
	struct eio_fd fd;
	unsigned before;
	char buf[8];

	(void) arg;
	put_text("file", "content");
	expect_ok(eio_fs_open_out(env->cwd, NULL, "file", &opts, &f));
	ck_assert_uint_eq(entries(IORING_OP_OPENAT2), 1);
	expect_ok(eio_flow_close(f));
	expect_ok(eio_ll_openat(NULL, EIO_CWD, "new", O_CREAT | O_NONBLOCK, 0600, &fd));
	ck_assert_uint_eq(entries(IORING_OP_OPENAT2), 2);
	expect_ok(eio_fd_close(fd));
	expect_ok(eio_fs_open_in(env->fs, NULL, "/proc/self/comm", &f));
	before = entries(IORING_OP_READ);
	ck_assert_int_gt(eio_flow_read(f, buf, sizeof(buf)), 0);
	ck_assert_uint_eq(entries(IORING_OP_READ) - before, 1);
	return eio_flow_close(f);
}

/* Nothing is opened directly because its operation is forbidden. */
static int open_forbidden(void *arg)
{
	struct eio_flow f;

	(void) arg;
	expect_err(eio_fs_open_in(env->cwd, NULL, "file", &f), -EACCES);
	return 0;
}

START_TEST(what_is_forbidden_stays_so_though_it_is_cached)
{
	enter_scratch();
	put_text("file", "content");
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_RESTRICT}, open_forbidden, 0);
	leave_scratch();
}
END_TEST

SUITE_MAIN("cached", true, what_is_cached_is_opened_and_read_directly_test,
	   what_is_cached_on_another_mount_is_opened_directly_test,
	   after_a_few_direct_calls_one_goes_by_the_ring_test,
	   after_a_few_direct_opens_one_goes_by_the_ring_test, what_may_wait_goes_by_the_ring_test,
	   what_is_forbidden_stays_so_though_it_is_cached)
