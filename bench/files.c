/* SPDX-License-Identifier: ISC */
/*
 * Three ways of making a call about files: directly, by the ring, by a thread. Each on a cached
 * local file system, one at a time, so that what is compared is the way and not the disk. It
 * says which way a call of the low level should take that could take more than one.
 */
#include "bench.h"

#include <eio/low_level.h>
#include <eio/run.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { COUNT = 300, OP_FTRUNCATE = 55 };

static char dir[4096];
static int dirfd_, file, opened;
static struct eio_fd dir_handle, file_handle;
static unsigned turn; /* what undoes itself does so every other time */

/* A call: as a system call, as an entry of the ring (none: NULL), and the library's. */
struct operation {
	const char *name;
	int (*direct)(void);
	void (*prepare)(struct io_uring_sqe *sqe);
	int (*ours)(void);
};

static const struct operation *current;

static int answer(long rc)
{
	return rc < 0 ? -errno : (int) rc;
}

static int mkdir_direct(void)
{
	return answer(turn++ % 2 ? unlinkat(dirfd_, "d", AT_REMOVEDIR)
				 : mkdirat(dirfd_, "d", 0700));
}

static void mkdir_prepare(struct io_uring_sqe *sqe)
{
	if (turn++ % 2)
		io_uring_prep_unlinkat(sqe, dirfd_, "d", AT_REMOVEDIR);
	else
		io_uring_prep_mkdirat(sqe, dirfd_, "d", 0700);
}

static int mkdir_ours(void)
{
	return turn++ % 2 ? eio_ll_unlink(dir_handle, "d", true)
			  : eio_ll_mkdir(dir_handle, "d", 0700);
}

static const char *const names[2] = {"a", "b"};

static int rename_direct(void)
{
	turn++;
	return answer(renameat(dirfd_, names[turn % 2], dirfd_, names[(turn + 1) % 2]));
}

static void rename_prepare(struct io_uring_sqe *sqe)
{
	turn++;
	io_uring_prep_renameat(sqe, dirfd_, names[turn % 2], dirfd_, names[(turn + 1) % 2], 0);
}

static int rename_ours(void)
{
	turn++;
	return eio_ll_rename(dir_handle, names[turn % 2], dir_handle, names[(turn + 1) % 2], 0);
}

static int symlink_direct(void)
{
	return answer(turn++ % 2 ? unlinkat(dirfd_, "s", 0) : symlinkat("f", dirfd_, "s"));
}

static void symlink_prepare(struct io_uring_sqe *sqe)
{
	if (turn++ % 2)
		io_uring_prep_unlinkat(sqe, dirfd_, "s", 0);
	else
		io_uring_prep_symlinkat(sqe, "f", dirfd_, "s");
}

static int symlink_ours(void)
{
	return turn++ % 2 ? eio_ll_unlink(dir_handle, "s", false)
			  : eio_ll_symlink(dir_handle, "s", "f");
}

static char buf[32768];

static int readlink_direct(void)
{
	return answer(readlinkat(dirfd_, "l", buf, sizeof(buf)));
}

static int readlink_ours(void)
{
	return (int) eio_ll_read_link(dir_handle, "l", buf, sizeof(buf));
}

static int getdents_direct(void)
{
	lseek(opened, 0, SEEK_SET);
	return answer(syscall(SYS_getdents64, opened, buf, sizeof(buf)));
}

static int read_dir_ours(void)
{
	char **list;
	int rc = eio_ll_read_dir(dir_handle, NULL, &list, NULL);

	if (rc == 0)
		free(list);
	return rc;
}

static int chmod_direct(void)
{
	return answer(fchmod(file, 0600));
}

static int chmod_ours(void)
{
	return eio_ll_chmod(file_handle, NULL, true, 0600);
}

static int setxattr_direct(void)
{
	return answer(fsetxattr(file, "user.x", "1", 1, 0));
}

static void setxattr_prepare(struct io_uring_sqe *sqe)
{
	io_uring_prep_fsetxattr(sqe, file, "user.x", "1", 0, 1);
}

static int setxattr_ours(void)
{
	return eio_ll_setxattr(file_handle, NULL, true, "user.x", "1", 1, 0);
}

static int getxattr_direct(void)
{
	return answer(fgetxattr(file, "user.x", buf, 64));
}

static void getxattr_prepare(struct io_uring_sqe *sqe)
{
	io_uring_prep_fgetxattr(sqe, file, "user.x", buf, 64);
}

static int getxattr_ours(void)
{
	return (int) eio_ll_getxattr(file_handle, NULL, true, "user.x", buf, 64);
}

static int ftruncate_direct(void)
{
	return answer(ftruncate(file, turn++ % 2 ? 0 : 8192));
}

static void ftruncate_prepare(struct io_uring_sqe *sqe)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = OP_FTRUNCATE;
	sqe->fd = file;
	sqe->off = turn++ % 2 ? 0 : 8192;
}

static int ftruncate_ours(void)
{
	return eio_ll_ftruncate(file_handle, turn++ % 2 ? 0 : 8192);
}

static int fallocate_direct(void)
{
	return answer(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 4096));
}

static void fallocate_prepare(struct io_uring_sqe *sqe)
{
	io_uring_prep_fallocate(sqe, file, FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int fallocate_ours(void)
{
	return eio_ll_fallocate(file_handle, FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int fadvise_direct(void)
{
	return -posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static void fadvise_prepare(struct io_uring_sqe *sqe)
{
	io_uring_prep_fadvise(sqe, file, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static int fadvise_ours(void)
{
	return eio_ll_fadvise(file_handle, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static int lseek_direct(void)
{
	return answer(lseek(file, 0, SEEK_END) < 0 ? -1 : 0);
}

static int lseek_ours(void)
{
	return eio_ll_lseek(file_handle, 0, SEEK_END, NULL);
}

static const struct operation operations[] = {
	{"mkdir_rmdir", mkdir_direct, mkdir_prepare, mkdir_ours},
	{"rename", rename_direct, rename_prepare, rename_ours},
	{"symlink_unlink", symlink_direct, symlink_prepare, symlink_ours},
	{"read_link", readlink_direct, NULL, readlink_ours},
	{"read_dir", getdents_direct, NULL, read_dir_ours},
	{"chmod", chmod_direct, NULL, chmod_ours},
	{"setxattr", setxattr_direct, setxattr_prepare, setxattr_ours},
	{"getxattr", getxattr_direct, getxattr_prepare, getxattr_ours},
	{"ftruncate", ftruncate_direct, ftruncate_prepare, ftruncate_ours},
	{"fallocate", fallocate_direct, fallocate_prepare, fallocate_ours},
	{"fadvise", fadvise_direct, fadvise_prepare, fadvise_ours},
	{"lseek", lseek_direct, NULL, lseek_ours},
};

/* Ways */

static int directly(void)
{
	return current->direct();
}

static int by_ring(void)
{
	struct io_uring_sqe *sqe = eio_ll_sqe();

	current->prepare(sqe);
	return eio_ll_await(sqe);
}

static int job(void *arg)
{
	(void) arg;
	return current->direct();
}

static int by_thread(void)
{
	return eio_ll_in_thread(job, NULL);
}

static int by_library(void)
{
	return current->ours();
}

enum { DIRECT, RING, THREAD, OURS, WAYS };

static const struct {
	const char *suffix;
	int (*run)(void);
} ways[WAYS] = {
	[DIRECT] = {"direct", directly},
	[RING] = {"ring", by_ring},
	[THREAD] = {"thread", by_thread},
	[OURS] = {"eio", by_library},
};

static double time_of(const struct operation *op, int (*run)(void))
{
	double start;
	int rc = 0;

	current = op;
	turn = 0;
	start = bench_now_ns();
	for (unsigned i = 0; i < COUNT && rc >= 0; i++)
		rc = run();
	bench_check(rc, op->name);
	return (bench_now_ns() - start) / COUNT;
}

static struct bench_value values[BENCH_LEN(operations)][WAYS];
static char value_names[BENCH_LEN(operations)][WAYS][64];

static int measure(struct eio_env *env, void *arg)
{
	struct eio_switch sw;

	(void) env;
	eio_switch_begin(&sw);
	bench_check(eio_fd_of_unix(&sw, dirfd_, 0, &dir_handle), "handle");
	bench_check(eio_fd_of_unix(&sw, file, 0, &file_handle), "handle");
	for (unsigned r = 0; r <= *(unsigned *) arg; r++) {
		for (size_t i = 0; i < BENCH_LEN(operations); i++) {
			for (int w = 0; w < WAYS; w++) {
				double sample = w == RING && !operations[i].prepare
							? 0
							: time_of(&operations[i], ways[w].run);

				if (r > 0)
					bench_add(&values[i][w], sample);
			}
		}
	}
	return eio_switch_end(&sw, 0);
}

/* The directory */

static void clean_up(void)
{
	static const char *const made[] = {"f", "a", "b", "l", "s"};

	for (size_t i = 0; i < BENCH_LEN(made); i++)
		unlinkat(dirfd_, made[i], 0);
	unlinkat(dirfd_, "d", AT_REMOVEDIR);
	rmdir(dir);
}

static void make(const char *where)
{
	snprintf(dir, sizeof(dir), "%s/eio-files-XXXXXX", where);
	if (!mkdtemp(dir))
		bench_fail("%s: %s", dir, strerror(errno));
	dirfd_ = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	atexit(clean_up);
	opened = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = openat(dirfd_, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (opened < 0 || file < 0 || close(openat(dirfd_, "b", O_WRONLY | O_CREAT, 0600)) < 0 ||
	    symlinkat("somewhere/else", dirfd_, "l") < 0)
		bench_fail("%s: %s", dir, strerror(errno));
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "dir DIR", .what = "where the files are (default $TMPDIR or /tmp)"},
		{0},
	};
	unsigned rounds =
		bench_parse(argc, argv, "Measures ways to make calls about files.", 21, more);

	if (!more[0].value)
		more[0].value = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	make(more[0].value);
	bench_check(eio_run(NULL, measure, &rounds), "eio_run");
	for (size_t i = 0; i < BENCH_LEN(operations); i++) {
		for (int w = 0; w < WAYS; w++) {
			if (w == RING && !operations[i].prepare)
				continue;
			snprintf(value_names[i][w], sizeof(value_names[i][w]), "files_%s_%s",
				 operations[i].name, ways[w].suffix);
			values[i][w].name = value_names[i][w];
			values[i][w].unit = "ns";
			bench_print(&values[i][w], 1);
		}
	}
	return 0;
}
