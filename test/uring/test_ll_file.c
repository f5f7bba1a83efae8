/* SPDX-License-Identifier: ISC */
#include "faults.h"
#include "support.h"
#include "uring/ring.h"
#include "uring/tree.h"
#include "uring/util.h"

#include "base/known.h"
#include "uring/kind.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <liburing.h>

#define NO_SYMLINKS ((uint64_t) 0x04) /* RESOLVE_NO_SYMLINKS */
#define CACHED      ((uint64_t) 0x20) /* RESOLVE_CACHED */

static struct faults faults;

static void expect_text(struct eio_fd fd, const char *text)
{
	char b[32] = "";

	ck_assert_int_ge(eio_ll_read(fd, b, sizeof(b) - 1, 0), 0);
	ck_assert_str_eq(b, text);
	expect_ok(eio_fd_close(fd));
}

static int open_at(struct eio_fd dir, const char *path, struct eio_fd *ret)
{
	return eio_ll_openat(&sw, dir, path, O_RDONLY, 0, ret);
}

/* Confinement */

TREE_TEST(what_is_beneath_a_directory_opens)
{
	static const struct {
		const char *path, *text;
	} good[] = {{"file", "inside"},         {"./file", "inside"},  {"sub/deep", "deep"},
		    {"sub/../file", "inside"},  {"to_file", "inside"}, {"to_deep", "deep"},
		    {"sub/../to_deep", "deep"}, {"sub//deep", "deep"}};
	struct eio_fd fd;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		expect_ok(open_at(base, good[i].path, &fd));
		expect_text(fd, good[i].text);
	}
}

TREE_TEST(what_leaves_a_directory_does_not_open)
{
	unsigned before = count_fds();
	struct eio_fd fd;

	expect_err(open_at(base, "..", &fd), -EXDEV);
	expect_err(open_at(base, "../secret", &fd), -EXDEV);
	expect_err(open_at(base, "sub/../../secret", &fd), -EXDEV);
	expect_err(open_at(base, "sub/../../base/file", &fd), -EXDEV);
	expect_err(open_at(base, under("base/file"), &fd), -EXDEV);
	expect_err(open_at(base, "/", &fd), -EXDEV);
	expect_err(open_at(base, "up", &fd), -EXDEV);
	expect_err(open_at(base, "absolute", &fd), -EXDEV);
	expect_err(open_at(base, "loop", &fd), -ELOOP);
	expect_err(open_at(base, "dangling", &fd), -ENOENT);
	expect_err(open_at(base, "", &fd), -ENOENT);
	/* Creating is confined too. */
	expect_err(eio_ll_openat(&sw, base, "../new", O_CREAT | O_WRONLY, 0600, &fd), -EXDEV);
	ck_assert_int_lt(access(under("new"), F_OK), 0);
	ck_assert_uint_eq(count_fds(), before);
}

/* Links of /proc that are no paths. */
RING_TEST(magic_links_do_not_open)
{
	struct eio_switch scope;
	struct eio_fd proc, fd;

	(void) arg;
	eio_switch_begin(&scope);
	expect_ok(eio_ll_openat(&scope, EIO_FS, "/proc/self", O_DIRECTORY | O_PATH, 0, &proc));
	expect_err(eio_ll_openat(&scope, proc, "exe", O_RDONLY, 0, &fd), -ELOOP);
	expect_err(eio_ll_openat(&scope, proc, "root/etc", O_RDONLY, 0, &fd), -ELOOP);
	expect_err(eio_ll_openat(&scope, proc, "fd/0", O_RDONLY, 0, &fd), -ELOOP);
	expect_ok(eio_ll_openat(&scope, proc, "maps", O_RDONLY, 0, &fd));
	return eio_switch_end(&scope, 0);
}

TREE_TEST(the_working_directory_is_confined_and_EIO_FS_is_not)
{
	int was = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct eio_fd fd;

	ck_assert_int_eq(chdir(under("base")), 0);
	expect_ok(open_at(EIO_CWD, "file", &fd));
	expect_text(fd, "inside");
	expect_err(open_at(EIO_CWD, "../secret", &fd), -EXDEV);
	expect_err(open_at(EIO_CWD, under("secret"), &fd), -EXDEV);
	expect_err(open_at(EIO_CWD, "up", &fd), -EXDEV);

	expect_ok(open_at(EIO_FS, "file", &fd));
	expect_text(fd, "inside");
	expect_ok(open_at(EIO_FS, "../secret", &fd));
	expect_text(fd, "outside");
	expect_ok(open_at(EIO_FS, "up", &fd));
	expect_text(fd, "outside");
	expect_ok(open_at(EIO_FS, under("secret"), &fd));
	expect_text(fd, "outside");
	expect_ok(open_at(EIO_FS, "/proc/self/exe", &fd));
	expect_ok(eio_fd_close(fd));
	ck_assert_int_eq(fchdir(was), 0);
	close(was);
}

TREE_TEST(openat2_adds_nothing_to_the_callers_resolve_flags)
{
	struct eio_fd fd;

	expect_ok(eio_ll_openat2(&sw, base, "../secret", O_RDONLY, 0, 0, &fd));
	expect_text(fd, "outside");
	expect_err(eio_ll_openat2(&sw, base, "to_file", O_RDONLY, 0, NO_SYMLINKS, &fd), -ELOOP);
	expect_ok(eio_ll_openat2(&sw, base, "file", O_RDONLY, 0, NO_SYMLINKS, &fd));
	expect_text(fd, "inside");
	expect_err(eio_ll_openat2(&sw, base, "file", O_RDONLY, 0, 1u << 30, &fd), -EINVAL);
}

/* Flags and modes */

TREE_TEST(opened_descriptors_are_close_on_exec_and_end_with_their_switch)
{
	struct eio_switch scope;
	struct eio_fd fd;
	int unix_fd;

	eio_switch_begin(&scope);
	expect_ok(eio_ll_openat(&scope, base, "file", O_RDONLY, 0, &fd));
	unix_fd = number(fd);
	ck_assert_int_eq(fcntl(unix_fd, F_GETFD), FD_CLOEXEC);
	expect_ok(eio_switch_end(&scope, 0));
	ck_assert(!is_open(unix_fd));
	expect_ok(eio_ll_openat(NULL, base, "file", O_RDONLY, 0, &fd));
	expect_text(fd, "inside");
}

TREE_TEST(the_mode_is_for_what_is_created)
{
	mode_t mask = umask(022);
	struct eio_fd fd;
	struct stat st;

	/* Without O_CREAT it means nothing. */
	expect_ok(eio_ll_openat(&sw, base, "file", O_RDONLY, 0777, &fd));
	expect_ok(eio_fd_close(fd));
	expect_ok(eio_ll_openat(&sw, base, "new", O_CREAT | O_EXCL | O_WRONLY, 0666, &fd));
	ck_assert_int_eq(fstat(number(fd), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	expect_err(eio_ll_openat(&sw, base, "new", O_CREAT | O_EXCL | O_WRONLY, 0600, &fd),
		   -EEXIST);
	umask(0);
	expect_ok(eio_ll_openat(&sw, base, ".", O_TMPFILE | O_RDWR, 0640, &fd));
	ck_assert_int_eq(fstat(number(fd), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	/* Bits of the file type are not the caller's to choose. */
	ck_assert_int_eq(unlink(under("base/new")), 0);
	expect_ok(eio_ll_openat(&sw, base, "new", O_CREAT | O_WRONLY, S_IFREG | 0604, &fd));
	ck_assert_int_eq(fstat(number(fd), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0604);
	umask(mask);
}

TREE_TEST(flags_mean_what_they_mean_to_open)
{
	struct eio_fd fd;
	struct statx st;

	expect_err(eio_ll_openat(&sw, base, "file", O_DIRECTORY, 0, &fd), -ENOTDIR);
	expect_err(eio_ll_openat(&sw, base, "sub", O_WRONLY, 0, &fd), -EISDIR);
	expect_err(eio_ll_openat(&sw, base, "to_file", O_NOFOLLOW, 0, &fd), -ELOOP);
	expect_err(eio_ll_openat(&sw, base, "nothing", O_RDWR, 0, &fd), -ENOENT);
	expect_err(eio_ll_openat(&sw, base, "file/x", O_RDONLY, 0, &fd), -ENOTDIR);
	expect_ok(eio_ll_openat(&sw, base, "file", O_WRONLY | O_APPEND, 0, &fd));
	expect_ok(eio_ll_write_all(fd, "!", 1, EIO_CURRENT));
	expect_ok(open_at(base, "file", &fd));
	expect_text(fd, "inside!");
	expect_ok(eio_ll_openat(&sw, base, "file", O_WRONLY | O_TRUNC, 0, &fd));
	expect_ok(eio_ll_fstat(fd, &st));
	ck_assert_uint_eq(st.stx_size, 0);
}

/* Switches that take nothing any more */

TREE_TEST(a_cancelled_or_finished_switch_opens_nothing)
{
	unsigned before = count_fds();
	struct eio_switch scope;
	struct eio_fd fd;

	eio_switch_begin(&scope);
	expect_ok(eio_switch_fail(&scope, -EIO));
	expect_err(eio_ll_openat(&scope, base, "new", O_CREAT | O_WRONLY, 0600, &fd), -ECANCELED);
	expect_err(eio_switch_end(&scope, 0), -EIO);
	expect_err(eio_ll_openat(&scope, base, "new", O_CREAT | O_WRONLY, 0600, &fd), -EINVAL);
	expect_err(eio_ll_socket(&scope, AF_UNIX, SOCK_STREAM, 0, &fd), -EINVAL);
	expect_err(eio_ll_pipe(&scope, &fd, &fd), -EINVAL);
	ck_assert_int_lt(access(under("base/new"), F_OK), 0);
	ck_assert_uint_eq(count_fds(), before);
}

/* EAGAIN */

static void arrange_eagain(unsigned times)
{
	faults.refuse.opcode = IORING_OP_OPENAT2;
	faults.refuse.err = -EAGAIN;
	faults.refuse.times = times;
	faults.refuse.nth = 1;
}

static int openat2_eagain(void *arg)
{
	struct eio_fd fd;

	(void) arg;
	arrange_eagain(5);
	expect_ok(eio_ll_openat(NULL, EIO_FS, "/dev/null", O_RDONLY, 0, &fd));
	ck_assert_uint_eq(faults.refused, 5);
	expect_ok(eio_fd_close(fd));
	/* To who asked for an answer out of the cache it is one. */
	arrange_eagain(1);
	expect_err(eio_ll_openat2(NULL, EIO_FS, "/dev/null", O_RDONLY, 0, CACHED, &fd), -EAGAIN);
	ck_assert_uint_eq(faults.refused, 6);
	return 0;
}

static int lease(void *arg)
{
	struct eio_fd fd;

	(void) arg;
	arrange_eagain(1000000);
	expect_err(eio_ll_openat(NULL, EIO_FS, "/dev/null", O_RDONLY, 0, &fd), -EAGAIN);
	return 0;
}

START_TEST(EAGAIN_that_stays_is_an_answer)
{
	faults_install(&faults);
	run_ring(lease, 0);
}
END_TEST

START_TEST(openat2_is_tried_again_after_EAGAIN)
{
	faults_install(&faults);
	run_ring(openat2_eagain, 0);
}
END_TEST

static int open_for_ever(void *arg)
{
	struct eio_fd fd;

	(void) arg;
	note("%s", eio_err_name(eio_ll_openat(NULL, EIO_FS, "/dev/null", O_RDONLY, 0, &fd)));
	return 0;
}

static int cancel_eagain(void *arg)
{
	struct eio_switch inner;

	(void) arg;
	arrange_eagain(100);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, open_for_ever, NULL));
	for (int i = 0; i < 5; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	ck_assert_uint_gt(faults.refused, 1);
	end_cancelled(&inner);
	ck_assert_uint_lt(faults.refused, 100);
	expect_log("ECANCELED");
	return 0;
}

START_TEST(trying_again_ends_with_a_cancellation)
{
	faults_install(&faults);
	run_ring(cancel_eagain, 0);
}
END_TEST

/* Asking */

static void expect_file(const struct statx *st, uint64_t size)
{
	ck_assert_uint_eq(st->stx_mode & S_IFMT, S_IFREG);
	ck_assert_uint_eq(st->stx_size, size);
}

TREE_TEST(statx_asks_by_handle_by_confined_path_and_anywhere)
{
	const unsigned mask = STATX_BASIC_STATS;
	unsigned before = count_fds();
	struct eio_fd fd;
	struct statx st;

	/* The handle itself, with and without O_PATH. */
	expect_ok(eio_ll_statx(base, NULL, true, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFDIR);
	expect_ok(eio_ll_statx(base, "", true, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFDIR);
	expect_ok(open_at(base, "file", &fd));
	expect_ok(eio_ll_statx(fd, NULL, true, mask, &st));
	expect_file(&st, 6);
	expect_ok(eio_fd_close(fd));
	expect_ok(eio_ll_openat(&sw, base, "file", O_PATH, 0, &fd));
	expect_ok(eio_ll_statx(fd, "", true, mask, &st));
	expect_file(&st, 6);
	expect_ok(eio_fd_close(fd));
	expect_ok(eio_ll_openat(&sw, base, "up", O_PATH | O_NOFOLLOW, 0, &fd));
	expect_ok(eio_ll_statx(fd, NULL, true, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFLNK);
	expect_ok(eio_fd_close(fd));
	/* Beneath it. */
	expect_ok(eio_ll_statx(base, "sub/deep", true, mask, &st));
	expect_file(&st, 4);
	expect_err(eio_ll_statx(base, "../secret", true, mask, &st), -EXDEV);
	expect_err(eio_ll_statx(base, under("secret"), true, mask, &st), -EXDEV);
	expect_err(eio_ll_statx(base, "nothing", true, mask, &st), -ENOENT);
	/* Anywhere. */
	expect_ok(eio_ll_statx(EIO_FS, under("secret"), true, mask, &st));
	expect_file(&st, 7);
	expect_ok(eio_ll_statx(EIO_FS, NULL, true, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFDIR);
	expect_ok(eio_ll_statx(EIO_CWD, "", true, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFDIR);
	expect_err(eio_ll_statx(EIO_CWD, under("secret"), true, mask, &st), -EXDEV);
	expect_err(eio_ll_statx(EIO_FS, under("nothing"), true, mask, &st), -ENOENT);
	ck_assert_uint_eq(count_fds(), before);
}

TREE_TEST(statx_follows_a_link_at_the_end_or_not)
{
	const unsigned mask = STATX_BASIC_STATS;
	struct statx st;

	expect_ok(eio_ll_statx(base, "to_deep", true, mask, &st));
	expect_file(&st, 4);
	expect_ok(eio_ll_statx(base, "to_deep", false, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFLNK);
	expect_ok(eio_ll_statx(EIO_FS, under("base/to_deep"), true, mask, &st));
	expect_file(&st, 4);
	expect_ok(eio_ll_statx(EIO_FS, under("base/to_deep"), false, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFLNK);
	/* A link that leaves is a link, and leads nowhere. */
	expect_ok(eio_ll_statx(base, "up", false, mask, &st));
	ck_assert_uint_eq(st.stx_mode & S_IFMT, S_IFLNK);
	expect_err(eio_ll_statx(base, "up", true, mask, &st), -EXDEV);
	expect_ok(eio_ll_statx(base, "dangling", false, mask, &st));
	expect_err(eio_ll_statx(base, "dangling", true, mask, &st), -ENOENT);
}

TREE_TEST(fstat_tells_what_fstat_tells)
{
	struct eio_fd fd;
	struct statx st;
	struct stat own;

	expect_ok(open_at(base, "file", &fd));
	expect_ok(eio_ll_fstat(fd, &st));
	ck_assert_int_eq(fstat(number(fd), &own), 0);
	expect_file(&st, (uint64_t) own.st_size);
	ck_assert_uint_eq(st.stx_ino, own.st_ino);
	ck_assert_int_eq(st.stx_mtime.tv_sec, own.st_mtim.tv_sec);
	ck_assert_uint_eq(st.stx_mode, own.st_mode);
}

TREE_TEST(fsync_works_on_files_and_fails_on_pipes)
{
	struct eio_fd fd, r, w;

	expect_ok(eio_ll_openat(&sw, base, "file", O_RDWR, 0, &fd));
	expect_ok(eio_ll_write_all(fd, "x", 1, 0));
	expect_ok(eio_ll_fsync(fd));
	expect_ok(eio_ll_fdatasync(fd));
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_fsync(w), -EINVAL);
	expect_err(eio_ll_fdatasync(w), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "fdatasync");
}

/* Position */

static int64_t seek(struct eio_fd fd, int64_t off, int whence)
{
	int64_t pos = -1;
	int rc = eio_ll_lseek(fd, off, whence, &pos);

	ck_assert(rc <= 0 && (rc == 0) == (pos >= 0));
	return rc < 0 ? rc : pos;
}

TREE_TEST(lseek_moves_the_position_that_reading_uses)
{
	struct eio_fd fd;
	char b[8];

	expect_ok(eio_ll_openat(&sw, base, "file", O_RDWR, 0, &fd));
	expect_err(seek(fd, 2, SEEK_SET), 2);
	expect_err(eio_ll_read(fd, b, 2, EIO_CURRENT), 2);
	ck_assert_int_eq(memcmp(b, "si", 2), 0);
	expect_err(seek(fd, 0, SEEK_CUR), 4);
	expect_err(seek(fd, -1, SEEK_END), 5);
	expect_err(seek(fd, (int64_t) 5 << 32, SEEK_SET), (int64_t) 5 << 32);
	expect_ok(eio_ll_lseek(fd, 1, SEEK_SET, NULL));
	expect_err(seek(fd, -2, SEEK_CUR), -EINVAL);
	expect_err(seek(fd, 0, 99), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "lseek");
	/* What failed has moved nothing. */
	expect_err(seek(fd, 0, SEEK_CUR), 1);
}

TREE_TEST(lseek_finds_data_and_holes)
{
	enum { AT = 1 << 20 };
	struct eio_fd fd, r, w;

	expect_ok(eio_ll_openat(&sw, base, "sparse", O_RDWR | O_CREAT, 0600, &fd));
	expect_ok(eio_ll_write_all(fd, "data", 4, AT));
	expect_ok(eio_ll_ftruncate(fd, 2 * AT));
	expect_err(seek(fd, 0, SEEK_DATA), AT);
	expect_err(seek(fd, 0, SEEK_HOLE), 0);
	ck_assert_int_gt(seek(fd, AT, SEEK_HOLE), AT);
	ck_assert_int_lt(seek(fd, AT, SEEK_HOLE), 2 * AT);
	expect_err(seek(fd, 2 * AT, SEEK_DATA), -ENXIO);
	pipe_on(&sw, &r, &w);
	expect_err(seek(r, 0, SEEK_SET), -ESPIPE);
	expect_err(seek(r, 0, SEEK_DATA), -ESPIPE);
	expect_ok(eio_fd_close(r));
	expect_err(seek(r, 0, SEEK_SET), -EBADF);
	expect_err(seek(r, 0, SEEK_DATA), -EBADF);
	expect_err(seek(base, 0, SEEK_SET), -EBADF);
}

/* Length and room */

static uint64_t size_of(struct eio_fd fd, uint64_t *ret_blocks)
{
	struct statx st;

	expect_ok(eio_ll_fstat(fd, &st));
	if (ret_blocks)
		*ret_blocks = st.stx_blocks;
	return st.stx_size;
}

static void cut_and_stretch(void)
{
	struct eio_fd fd, r, w;
	char b[16];

	put("base/file", "inside");
	expect_ok(eio_ll_openat(&sw, base, "file", O_RDWR, 0, &fd));
	expect_ok(eio_ll_ftruncate(fd, 2));
	ck_assert_uint_eq(size_of(fd, NULL), 2);
	expect_ok(eio_ll_ftruncate(fd, 5));
	expect_err(eio_ll_read(fd, b, sizeof(b), 0), 5);
	ck_assert_int_eq(memcmp(b, "in\0\0\0", 5), 0);
	expect_ok(eio_ll_ftruncate(fd, (int64_t) 5 << 32));
	ck_assert_uint_eq(size_of(fd, NULL), (uint64_t) 5 << 32);
	expect_err(eio_ll_ftruncate(fd, -1), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "ftruncate");
	expect_ok(eio_fd_close(fd));
	expect_err(eio_ll_ftruncate(fd, 1), -EBADF);
	expect_ok(open_at(base, "file", &fd));
	expect_err(eio_ll_ftruncate(fd, 1), -EINVAL);
	expect_ok(eio_fd_close(fd));
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_ftruncate(w, 1), -EINVAL);
	expect_err(eio_ll_ftruncate(base, 1), -EBADF);
}

enum { OP_FTRUNCATE = 55 };

static void truncate_both_ways(void)
{
	bool is_new = eio_ll_op_supported(OP_FTRUNCATE);

	cut_and_stretch();
	ck_assert_int_eq(faults.entries[OP_FTRUNCATE] > 0, is_new);
	faults.entries[OP_FTRUNCATE] = 0;
	forget_opcodes_since_5_16();
	cut_and_stretch();
	ck_assert_uint_eq(faults.entries[OP_FTRUNCATE], 0);
}

START_TEST(ftruncate_cuts_and_stretches_with_the_rings_operation_and_without)
{
	faults_install(&faults);
	run_in_tree(truncate_both_ways);
}
END_TEST

TREE_TEST(fallocate_reserves_and_frees_room)
{
	const int64_t room = 1 << 20;
	struct eio_fd fd, r, w;
	uint64_t before, after;

	expect_ok(eio_ll_openat(&sw, base, "file", O_RDWR, 0, &fd));
	if (eio_ll_fallocate(fd, 0, 0, 1) == -EOPNOTSUPP)
		return;
	size_of(fd, &before);
	expect_ok(eio_ll_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, room));
	ck_assert_uint_eq(size_of(fd, &after), 6);
	ck_assert_uint_ge(after, before + (uint64_t) room / 512 - 16);
	expect_ok(eio_ll_fallocate(fd, 0, room, room));
	ck_assert_uint_eq(size_of(fd, &after), 2 * (uint64_t) room);
	before = after;
	expect_ok(eio_ll_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, room, room));
	ck_assert_uint_eq(size_of(fd, &after), 2 * (uint64_t) room);
	ck_assert_uint_lt(after, before);
	expect_err(eio_ll_fallocate(fd, 0, -1, 1), -EINVAL);
	expect_err(eio_ll_fallocate(fd, 0, 0, 0), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "fallocate");
	expect_ok(eio_fd_close(fd));
	expect_err(eio_ll_fallocate(fd, 0, 0, 1), -EBADF);
	expect_ok(open_at(base, "file", &fd));
	expect_err(eio_ll_fallocate(fd, 0, 0, 1), -EBADF);
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_fallocate(w, 0, 0, 1), -ESPIPE);
}

/* Ranges: what the entries say, which the kernel would take for good whatever it is. */

static void note_ranges(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	struct io_uring_sq *sq = &r->uring.sq;

	(void) wait, (void) timeout_ns;
	for (unsigned i = *sq->khead; i != sq->sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

		if (sqe->opcode == IORING_OP_FADVISE || sqe->opcode == IORING_OP_SYNC_FILE_RANGE)
			note("%llu+%u:%u", (unsigned long long) sqe->off, sqe->len,
			     sqe->fadvise_advice);
	}
}

static void tell_ranges(void)
{
	const int64_t gib = 1 << 30;
	struct eio_fd fd, r, w;

	expect_ok(eio_ll_openat(&sw, base, "file", O_RDWR, 0, &fd));
	faults.on_enter = note_ranges;
	expect_ok(eio_ll_fadvise(fd, 4096, 8192, POSIX_FADV_RANDOM));
	expect_log("4096+8192:1");
	expect_ok(eio_ll_fadvise(fd, 7, 0, POSIX_FADV_SEQUENTIAL));
	expect_log("7+0:2");
	expect_ok(eio_ll_fadvise(fd, 4096, 2 * gib, POSIX_FADV_DONTNEED));
	expect_log("4096+1073737728:4 1073741824+1073741824:4 2147483648+4096:4");
	expect_ok(eio_ll_sync_file_range(fd, 0, gib + 1, SYNC_FILE_RANGE_WRITE));
	expect_log("0+1073741824:2 1073741824+1:2");
	expect_ok(eio_ll_sync_file_range(fd, 1, 0,
					 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
						 SYNC_FILE_RANGE_WAIT_AFTER));
	expect_log("1+0:7");
	/* In pieces it would take hours. */
	expect_ok(eio_ll_fadvise(fd, 5, INT64_MAX - 5, POSIX_FADV_DONTNEED));
	expect_log("5+0:4");
	expect_ok(eio_ll_sync_file_range(fd, 0, INT64_MAX, SYNC_FILE_RANGE_WRITE));
	expect_log("0+0:2");
	expect_err(eio_ll_fadvise(fd, -1, 1, POSIX_FADV_NORMAL), -EINVAL);
	expect_err(eio_ll_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), -EINVAL);
	expect_err(eio_ll_fadvise(fd, INT64_MAX, 1, POSIX_FADV_NORMAL), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "fadvise");
	expect_log("");
	expect_err(eio_ll_fadvise(fd, 0, 2 * gib, 99), -EINVAL);
	expect_log("0+1073741824:99");
	expect_err(eio_ll_sync_file_range(fd, 0, 1, 1u << 30), -EINVAL);
	ck_assert_str_eq(eio_last_error()->op, "sync_file_range");
	log_clear();
	faults.on_enter = NULL;
	pipe_on(&sw, &r, &w);
	expect_err(eio_ll_fadvise(r, 0, 0, POSIX_FADV_NORMAL), -ESPIPE);
	expect_err(eio_ll_sync_file_range(r, 0, 0, SYNC_FILE_RANGE_WRITE), -ESPIPE);
	expect_ok(eio_fd_close(fd));
	expect_err(eio_ll_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), -EBADF);
	expect_err(eio_ll_sync_file_range(fd, 0, 0, 0), -EBADF);
}

START_TEST(long_ranges_are_told_in_pieces_that_end_where_pages_do)
{
	faults_install(&faults);
	run_in_tree(tell_ranges);
}
END_TEST

/* Past the page cache: blocks are aligned for it. */
TREE_TEST(a_file_is_copied_by_O_DIRECT_in_blocks)
{
	enum { PIECES = 5, TAIL = 512 };
	struct eio_fd from, to;
	struct eio_chunk c;
	size_t len, done = 0;
	ssize_t n;

	if (eio_ll_openat(&sw, base, "from", O_RDWR | O_CREAT | O_DIRECT, 0600, &from) < 0)
		return; /* the file system has no such thing */
	expect_ok(eio_ll_openat(&sw, base, "to", O_RDWR | O_CREAT | O_DIRECT, 0600, &to));
	expect_ok(eio_ll_alloc_fixed(&c));
	len = eio_ll_fixed_length(c);
	for (size_t i = 0; i < PIECES; i++) {
		fill(c.data, len, i * len);
		expect_ok(eio_ll_write(from, c, len, (int64_t) (i * len)));
	}
	expect_ok(eio_ll_ftruncate(from, (int64_t) (PIECES * len - TAIL)));
	while ((n = eio_ll_read_upto(from, c, len, (int64_t) done)) > 0) {
		expect_ok(eio_ll_write(to, c, (size_t) n, (int64_t) done));
		done += (size_t) n;
	}
	expect_ok(n);
	ck_assert_uint_eq(done, PIECES * len - TAIL);
	ck_assert_uint_eq(size_of(to, NULL), done);
	for (size_t i = 0; i < PIECES; i++) {
		size_t part = i + 1 < PIECES ? len : len - TAIL;

		expect_ok(eio_ll_read_exactly(to, c, part, (int64_t) (i * len)));
		ck_assert(is_filled(c.data, part, i * len));
	}
	eio_ll_free_fixed(c);
}

static int on_no_domain(void *arg)
{
	struct eio_fd fd = *(struct eio_fd *) arg;

	expect_err(eio_ll_lseek(fd, 1, SEEK_SET, NULL), -EPERM);
	expect_err(eio_ll_lseek(fd, 1, SEEK_HOLE, NULL), -EPERM);
	expect_err(eio_ll_ftruncate(fd, 1), -EPERM);
	expect_err(eio_ll_fallocate(fd, 0, 0, 4096), -EPERM);
	expect_err(eio_ll_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), -EPERM);
	expect_err(eio_ll_sync_file_range(fd, 0, 0, 0), -EPERM);
	return 0;
}

TREE_TEST(a_thread_without_a_domain_is_refused)
{
	unsigned before = count_fds();
	struct eio_fd fd;

	expect_ok(eio_ll_openat(&sw, base, "file", O_RDWR, 0, &fd));
	expect_ok(on_plain_thread(on_no_domain, &fd));
	expect_err(seek(fd, 0, SEEK_CUR), 0);
	ck_assert_uint_eq(size_of(fd, NULL), 6);
	expect_ok(eio_fd_close(fd));
	ck_assert_uint_eq(count_fds(), before);
}

TREE_TEST(a_failure_names_operation_and_path)
{
	struct eio_fd fd;
	struct statx st;
	char text[128];

	expect_err(open_at(base, "nothing", &fd), -ENOENT);
	eio_error_format(-ENOENT, text, sizeof(text));
	ck_assert_str_eq(text, "openat2 nothing: No such file or directory");
	expect_err(open_at(base, "../secret", &fd), -EXDEV);
	eio_error_format(-EXDEV, text, sizeof(text));
	ck_assert_str_eq(text,
			 "openat2 ../secret: Invalid cross-device link (leaves the directory)");
	expect_err(eio_ll_statx(base, "nothing", true, STATX_SIZE, &st), -ENOENT);
	eio_error_format(-ENOENT, text, sizeof(text));
	ck_assert_str_eq(text, "statx nothing: No such file or directory");
}

/* Out of numbers: nothing is left over. */
TREE_TEST(running_out_of_descriptors_is_EMFILE_and_loses_none)
{
	enum { N = 40 };
	unsigned before = count_fds(), n;
	struct eio_switch scope;
	struct rlimit was, few;
	struct eio_fd fd, r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = before + 10;
	eio_switch_begin(&scope);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (n = 0; n < N && open_at(base, "file", &fd) == 0; n++)
		;
	expect_err(eio_ll_openat(&scope, base, "file", O_RDONLY, 0, &fd), -EMFILE);
	expect_err(eio_ll_pipe(&scope, &r, &fd), -EMFILE);
	expect_err(eio_ll_socket(&scope, AF_UNIX, SOCK_STREAM, 0, &fd), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_uint_lt(n, N);
	ck_assert_uint_eq(count_fds(), before + n);
	expect_ok(eio_switch_end(&scope, 0));
}

/* Another mount with the same place in the table of those that were asked about. */
START_TEST(a_mount_is_not_taken_for_another)
{
	struct statx stx;
	char *at = (char *) &stx.stx_dev_minor + sizeof(stx.stx_dev_minor);
	uint64_t number, other;

	expect_ok(eio__known_at(AT_FDCWD, "/proc", EIO__STATX_MOUNT, &stx));
	if (eio__answers_of(&stx) != EIO__BY_KERNEL)
		return; /* the kernel does not tell */
	memcpy(&number, at, sizeof(number));
	other = number + 1024;
	memcpy(at, &other, sizeof(other));
	ck_assert_int_eq(eio__answers_of(&stx), EIO__BY_ANYBODY);
	memcpy(at, &number, sizeof(number));
	ck_assert_int_eq(eio__answers_of(&stx), EIO__BY_KERNEL);
}
END_TEST

SUITE_MAIN("ll_file", true, what_is_beneath_a_directory_opens,
	   what_leaves_a_directory_does_not_open, magic_links_do_not_open_test,
	   the_working_directory_is_confined_and_EIO_FS_is_not,
	   openat2_adds_nothing_to_the_callers_resolve_flags,
	   opened_descriptors_are_close_on_exec_and_end_with_their_switch,
	   the_mode_is_for_what_is_created, flags_mean_what_they_mean_to_open,
	   a_cancelled_or_finished_switch_opens_nothing, EAGAIN_that_stays_is_an_answer,
	   openat2_is_tried_again_after_EAGAIN, trying_again_ends_with_a_cancellation,
	   statx_asks_by_handle_by_confined_path_and_anywhere,
	   statx_follows_a_link_at_the_end_or_not, fstat_tells_what_fstat_tells,
	   fsync_works_on_files_and_fails_on_pipes, lseek_moves_the_position_that_reading_uses,
	   lseek_finds_data_and_holes,
	   ftruncate_cuts_and_stretches_with_the_rings_operation_and_without,
	   fallocate_reserves_and_frees_room,
	   long_ranges_are_told_in_pieces_that_end_where_pages_do,
	   a_file_is_copied_by_O_DIRECT_in_blocks, a_thread_without_a_domain_is_refused,
	   a_failure_names_operation_and_path, running_out_of_descriptors_is_EMFILE_and_loses_none,
	   a_mount_is_not_taken_for_another)
