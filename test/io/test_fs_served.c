/* SPDX-License-Identifier: ISC */
/*
 * A file system that somebody has to answer for, as those of a network: a process of ours, by
 * FUSE. What it says of a file is good for no time at all, so whoever needs to know asks it.
 *
 * Skipped where nothing may be mounted.
 */
#include "io/util.h"

#include <eio/low_level.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The server: a directory with one file, "file". */

enum { ROOT = FUSE_ROOT_ID, FILE_ID };

static int server_fd;

/* In memory of both. */
struct shared {
	atomic_uint asked; /* what a file or the directory is */
	atomic_uint hold;  /* requests of this kind are not answered … */
	atomic_uint held;
	atomic_bool go; /* … before this */
	atomic_bool gave_up;
};
static struct shared *shared;

static void hold_back(uint32_t opcode)
{
	if (opcode != shared->hold)
		return;
	shared->held++;
	for (int i = 0; i < 2000 && !shared->go; i++)
		usleep(1000);
	if (!shared->go)
		shared->gave_up = true;
}

struct request {
	struct fuse_in_header head;
	char text[256 * 1024];
};

struct reply {
	struct fuse_out_header head;
	union {
		struct fuse_init_out init;
		struct fuse_entry_out entry;
		struct fuse_attr_out attr;
		struct fuse_open_out open;
	} u;
};

static struct fuse_attr attr_of(uint64_t id)
{
	uint32_t mode = id == FILE_ID ? S_IFREG | 0644 : S_IFDIR | 0755;

	return (struct fuse_attr){.ino = id, .mode = mode, .nlink = 1};
}

/* The length of what follows the header, or a negative code. */
static int answer(const struct request *q, struct reply *r)
{
	switch (q->head.opcode) {
	case FUSE_INIT:
		r->u.init = (struct fuse_init_out){.major = 7, .minor = 31, .max_write = 4096};
		return sizeof(r->u.init);
	case FUSE_LOOKUP:
		if (strcmp(q->text, "file") != 0)
			return -ENOENT;
		r->u.entry = (struct fuse_entry_out){.nodeid = FILE_ID, .entry_valid = 1000};
		r->u.entry.attr = attr_of(FILE_ID);
		return sizeof(r->u.entry);
	case FUSE_GETATTR:
		shared->asked++;
		r->u.attr.attr = attr_of(q->head.nodeid);
		return sizeof(r->u.attr);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return sizeof(r->u.open);
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return 0;
	default:
		return -ENOSYS;
	}
}

/* From when it is mounted, which closes the pipe, until it is unmounted. */
static void serve(int mounted)
{
	static struct request q;
	ssize_t n = read(mounted, &q, 1);

	(void) n;
	while (read(server_fd, &q, sizeof(q)) > 0) {
		struct reply r = {.head.unique = q.head.unique};
		int len = answer(&q, &r);

		hold_back(q.head.opcode);
		if (q.head.opcode == FUSE_FORGET || q.head.opcode == FUSE_BATCH_FORGET)
			continue;
		r.head.error = len < 0 ? len : 0;
		r.head.len = (uint32_t) (sizeof(r.head) + (size_t) (len < 0 ? 0 : len));
		if (write(server_fd, &r, r.head.len) < 0)
			break;
	}
}

/* Not in the namespace of the mount, which so ends with this process, however that goes. */
static pid_t start_server(int *ret_mounted)
{
	int mounted[2];
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	ck_assert_int_eq(pipe2(mounted, O_CLOEXEC), 0);
	server_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	pid = server_fd < 0 ? -1 : fork();
	if (pid == 0) {
		close(mounted[1]);
		serve(mounted[0]);
		_exit(0);
	}
	close(mounted[0]);
	*ret_mounted = mounted[1];
	return pid;
}

static bool mount_served(void)
{
	char opts[100];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0", server_fd);
	put_dir("served");
	return mount("test", "served", "fuse", 0, opts) == 0;
}

/* The thread of the domain would be the one to wait for the answer. */
static int look_without_asking(void *arg)
{
	char path[PATH_MAX];
	struct eio_switch sw;
	struct eio_stat st;
	struct eio_flow f;
	struct eio_dir d;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "served", &d));
	expect_ok(eio_fs_stat(d, "file", true, &st));
	ck_assert_uint_gt(shared->asked, 0);
	shared->asked = 0;
	expect_ok(eio_fs_open_in(d, &sw, "file", &f));
	ck_assert_int_gt(eio_fs_native(d, "file", path, sizeof(path)), 0);
	ck_assert_uint_eq(shared->asked, 0);
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_gt(shared->asked, 0);
	return eio_switch_end(&sw, 0);
}

/* What asks a server, of what the kernel knows by name */

static struct eio_dir served;
static struct eio_flow file;

static int ask_name(void)
{
	struct eio_stat st;

	return eio_fs_stat(served, "file", true, &st);
}

static int ask_directory(void)
{
	struct eio_stat st;

	return eio_fs_stat(served, ".", true, &st);
}

static int ask_file(void)
{
	struct eio_stat st;

	return eio_file_stat(file, &st);
}

static int seek_end(void)
{
	struct eio_fd fd;
	int64_t pos;

	expect_ok(eio_flow_fd(file, &fd));
	return eio_ll_lseek(fd, 0, SEEK_END, &pos);
}

static int open_in(struct eio_dir d, const char *path)
{
	struct eio_flow f;
	int rc = eio_fs_open_in(d, NULL, path, &f);

	return rc < 0 ? rc : eio_flow_close(f);
}

static int open_beneath(void)
{
	return open_in(served, "file");
}

static int open_across(void)
{
	return open_in(env->cwd, "served/file");
}

static int open_by_root(void)
{
	char path[PATH_MAX];

	ck_assert_int_gt(eio_fs_native(served, "file", path, sizeof(path)), 0);
	return open_in(env->fs, path);
}

static int open_plainly(void)
{
	struct eio_fd dir, fd;
	int rc;

	expect_ok(eio_dir_fd(served, &dir));
	rc = eio_ll_openat(NULL, dir, "file", O_RDONLY, 0, &fd);
	return rc < 0 ? rc : eio_fd_close(fd);
}

static int open_plainly_across(void)
{
	struct eio_fd fd;
	int rc = eio_ll_openat(NULL, EIO_CWD, "served/file", O_RDONLY, 0, &fd);

	return rc < 0 ? rc : eio_fd_close(fd);
}

static int list(void)
{
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, served, ".");

	if (rc == 0)
		eio_fs_dir_end(&it);
	return rc;
}

static int run_asking(void *arg)
{
	int (*const *fn)(void) = arg;

	return (*fn)();
}

/* The server answers when this fiber tells it to, which it can only while the other waits. */
static void expect_others_run(int (*fn)(void), unsigned request)
{
	struct eio_switch sw;

	shared->held = 0;
	shared->go = false;
	shared->hold = request;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, run_asking, &fn));
	while (!shared->held)
		expect_ok(eio_sleep(env->mono_clock, EIO_MS(1)));
	shared->go = true;
	expect_ok(eio_switch_end(&sw, 0));
	shared->hold = 0;
	ck_assert(!shared->gave_up);
}

static int wait_for_server(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fs_open_dir(env->cwd, &sw, "served", &served));
	expect_ok(eio_fs_open_in(served, &sw, "file", &file));
	expect_others_run(ask_name, FUSE_GETATTR);
	expect_others_run(ask_directory, FUSE_GETATTR);
	expect_others_run(ask_file, FUSE_GETATTR);
	expect_others_run(seek_end, FUSE_GETATTR);
	expect_others_run(open_beneath, FUSE_OPEN);
	expect_others_run(open_across, FUSE_OPEN);
	expect_others_run(open_by_root, FUSE_OPEN);
	expect_others_run(open_plainly, FUSE_OPEN);
	expect_others_run(open_plainly_across, FUSE_OPEN);
	expect_others_run(list, FUSE_OPENDIR);
	return eio_switch_end(&sw, 0);
}

/* With a file system that is served beneath the working directory. */
static void run_served(int (*fn)(void *))
{
	int pipe;
	pid_t server;
	bool mounted;

	enter_scratch();
	server = start_server(&pipe);
	mounted = server > 0 && mount_served();
	close(server_fd);
	close(pipe);
	if (mounted) {
		run_ring(fn, 0);
		ck_assert_int_eq(umount("served"), 0);
	}
	if (server > 0)
		ck_assert_int_eq(waitpid(server, NULL, 0), server);
	leave_scratch();
}

START_TEST(opening_a_file_and_naming_a_directory_ask_no_server)
{
	run_served(look_without_asking);
}
END_TEST

START_TEST(who_waits_for_a_server_waits_alone)
{
	run_served(wait_for_server);
}
END_TEST

SUITE_MAIN("fs_served", true, opening_a_file_and_naming_a_directory_ask_no_server,
	   who_waits_for_a_server_waits_alone)
