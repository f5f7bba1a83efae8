/* SPDX-License-Identifier: ISC */
/*
 * A file system that somebody has to answer for, as those of a network: a process of ours, by
 * FUSE. What it says of a file is good for no time at all, so whoever needs to know asks it.
 *
 * Skipped where nothing may be mounted.
 */
#include "io/util.h"

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
static atomic_uint *asked; /* what a file or the directory is; in memory of both */

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
		(*asked)++;
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

	asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ck_assert_ptr_ne(asked, MAP_FAILED);
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
	ck_assert_uint_gt(*asked, 0);
	*asked = 0;
	expect_ok(eio_fs_open_in(d, &sw, "file", &f));
	ck_assert_int_gt(eio_fs_native(d, "file", path, sizeof(path)), 0);
	ck_assert_uint_eq(*asked, 0);
	expect_ok(eio_file_stat(f, &st));
	ck_assert_uint_gt(*asked, 0);
	return eio_switch_end(&sw, 0);
}

START_TEST(opening_a_file_and_naming_a_directory_ask_no_server)
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
		run_ring(look_without_asking, 0);
		ck_assert_int_eq(umount("served"), 0);
	}
	if (server > 0)
		ck_assert_int_eq(waitpid(server, NULL, 0), server);
	leave_scratch();
}
END_TEST

SUITE_MAIN("fs_served", true, opening_a_file_and_naming_a_directory_ask_no_server)
