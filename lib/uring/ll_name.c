/* SPDX-License-Identifier: ISC */
/*
 * Names in directories: making, removing and renaming them.
 *
 * Each works on the directory that holds the name (see place.h), so a link at the end of the
 * path is itself meant and never what it leads to. The kernel answers for "." and ".." there:
 * nothing can be made, removed or renamed by these names.
 */
#include "uring/call.h"
#include "uring/place.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int eio_ll_mkdir(struct eio_fd dir, const char *path, mode_t mode)
{
	struct io_uring_sqe sqe = eio__blank();
	struct eio__place p;
	const char *name;
	int rc = eio__parent_open(&p, dir, path, &name);

	if (rc == 0) {
		io_uring_prep_mkdirat(&sqe, p.unix_fd, name, mode);
		rc = eio__perform(&sqe);
		eio__place_close(&p);
	}
	return eio__fail(rc, "mkdir", path);
}

int eio_ll_unlink(struct eio_fd dir, const char *path, bool rmdir)
{
	struct io_uring_sqe sqe = eio__blank();
	struct eio__place p;
	const char *name;
	int rc = eio__parent_open(&p, dir, path, &name);

	if (rc == 0) {
		io_uring_prep_unlinkat(&sqe, p.unix_fd, name, rmdir ? AT_REMOVEDIR : 0);
		rc = eio__perform(&sqe);
		eio__place_close(&p);
	}
	return eio__fail(rc, rmdir ? "rmdir" : "unlink", path);
}

int eio_ll_symlink(struct eio_fd dir, const char *path, const char *target)
{
	struct io_uring_sqe sqe = eio__blank();
	struct eio__place p;
	const char *name;
	int rc = eio__parent_open(&p, dir, path, &name);

	if (rc == 0) {
		io_uring_prep_symlinkat(&sqe, target, p.unix_fd, name);
		rc = eio__perform(&sqe);
		eio__place_close(&p);
	}
	return eio__fail(rc, "symlink", path);
}

/* Two names, in two directories or in one. */
struct two {
	struct eio__place from, to;
	const char *old_name, *new_name;
};

static int open_two(struct two *t, struct eio_fd dir, const char *old_path, struct eio_fd dir2,
		    const char *new_path, const char *op)
{
	int rc = eio__parent_open(&t->from, dir, old_path, &t->old_name);

	if (rc < 0)
		return eio__fail(rc, op, old_path);
	rc = eio__parent_open(&t->to, dir2, new_path, &t->new_name);
	if (rc < 0)
		eio__place_close(&t->from);
	return eio__fail(rc, op, new_path);
}

static void close_two(struct two *t)
{
	eio__place_close(&t->to);
	eio__place_close(&t->from);
}

int eio_ll_rename(struct eio_fd dir, const char *old_path, struct eio_fd dir2, const char *new_path,
		  unsigned flags)
{
	struct io_uring_sqe sqe = eio__blank();
	struct two t;
	int rc = open_two(&t, dir, old_path, dir2, new_path, "rename");

	if (rc < 0)
		return rc;
	io_uring_prep_renameat(&sqe, t.from.unix_fd, t.old_name, t.to.unix_fd, t.new_name, flags);
	rc = eio__perform(&sqe);
	close_two(&t);
	return eio__fail(rc, "rename", old_path);
}

/* The kernel would follow a link that has a slash behind its name. What ends in one is a
 * directory, which has no second name, or an error. */
static bool ends_in_slash(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == '/';
}

int eio_ll_link(struct eio_fd dir, const char *old_path, struct eio_fd dir2, const char *new_path)
{
	struct io_uring_sqe sqe = eio__blank();
	struct two t;
	int rc = open_two(&t, dir, old_path, dir2, new_path, "link");

	if (rc < 0)
		return rc;
	io_uring_prep_linkat(&sqe, t.from.unix_fd, t.old_name, t.to.unix_fd, t.new_name, 0);
	rc = ends_in_slash(t.old_name) ? -ENOTDIR : eio__perform(&sqe);
	close_two(&t);
	return eio__fail(rc, "link", old_path);
}

/* The kernel has no ring operation for reading a link, and may have to read a disk. */

struct read_job {
	int unix_fd;
	char *buf;
	size_t size;
};

/* With an empty path the kernel says ENOENT of what is no link. */
static int read_link(void *arg)
{
	const struct read_job *j = arg;
	ssize_t n = readlinkat(j->unix_fd, "", j->buf, j->size);

	return n >= 0 ? (int) n : errno == ENOENT ? -EINVAL : -errno;
}

ssize_t eio_ll_read_link(struct eio_fd dir, const char *path, char *buf, size_t size)
{
	struct read_job j = {.buf = buf, .size = eio__io_len(size)};
	struct eio__place p;
	int rc = eio__place_open(&p, dir, path, false);

	if (rc == 0) {
		j.unix_fd = p.unix_fd;
		rc = eio_ll_in_thread(read_link, &j);
		eio__place_close(&p);
	}
	return eio__fail(rc, "readlink", path);
}
