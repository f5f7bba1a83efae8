/* SPDX-License-Identifier: ISC */
/*
 * What is known of a file beside its bytes: mode, owner, times, extended attributes.
 *
 * All work on a place (see place.h): a descriptor of the file itself, which may be one that
 * was opened with O_PATH. Some system calls refuse such a descriptor with EBADF; the link
 * /proc/self/fd/N leads to the same file then, and to a symlink without following that.
 *
 * Setting and getting an extended attribute are operations of the ring. What is not, or not
 * before Linux 5.19, may wait for a disk all the same: a thread makes the call.
 */
#include "uring/call.h"
#include "uring/place.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6 */
#endif

/* What a call works on begins with the number of its place. */
typedef int work_fn(void *job);

/* Has it done by a thread, or by the calling fiber if there is a ring operation for it. */
static int on_place(struct eio_fd dir, const char *path, bool follow, work_fn *by_ring,
		    work_fn *by_thread, int *job)
{
	struct eio__place p;
	int rc = eio__place_open(&p, dir, path, follow);

	if (rc < 0)
		return rc;
	*job = p.unix_fd;
	rc = by_ring ? by_ring(job) : eio_ll_in_thread(by_thread, job);
	eio__place_close(&p);
	return rc;
}

static int answer(ssize_t rc)
{
	return rc < 0 ? -errno : (int) rc;
}

/* What a call by the link in /proc answers: the link is there if /proc is. */
static int answer_by_link(ssize_t rc)
{
	return rc < 0 && errno == ENOENT ? -ENOSYS : answer(rc);
}

struct link {
	char path[32];
};

static struct link link_to(int unix_fd)
{
	struct link l;

	snprintf(l.path, sizeof(l.path), "/proc/self/fd/%d", unix_fd);
	return l;
}

/* Mode, owner, times */

struct mode_job {
	int unix_fd;
	mode_t mode;
};

static bool is_symlink(int unix_fd)
{
	struct stat st;

	return fstat(unix_fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Kernels without fchmodat2 let some file systems change a symlink's. */
static int set_mode(void *arg)
{
	const struct mode_job *j = arg;
	int rc = answer(syscall(SYS_fchmodat2, j->unix_fd, "", j->mode, AT_EMPTY_PATH));

	if (rc != -ENOSYS)
		return rc;
	rc = answer(fchmod(j->unix_fd, j->mode));
	if (rc != -EBADF)
		return rc;
	return is_symlink(j->unix_fd) ? -EOPNOTSUPP
				      : answer_by_link(chmod(link_to(j->unix_fd).path, j->mode));
}

int eio_ll_chmod(struct eio_fd dir, const char *path, bool follow, mode_t mode)
{
	struct mode_job j = {.mode = mode};

	return eio__fail(on_place(dir, path, follow, NULL, set_mode, &j.unix_fd), "chmod", path);
}

struct owner_job {
	int unix_fd;
	uid_t uid;
	gid_t gid;
};

static int set_owner(void *arg)
{
	const struct owner_job *j = arg;

	return answer(fchownat(j->unix_fd, "", j->uid, j->gid, AT_EMPTY_PATH));
}

int eio_ll_chown(struct eio_fd dir, const char *path, bool follow, uid_t uid, gid_t gid)
{
	struct owner_job j = {.uid = uid, .gid = gid};

	return eio__fail(on_place(dir, path, follow, NULL, set_owner, &j.unix_fd), "chown", path);
}

struct times_job {
	int unix_fd;
	const struct timespec *times;
};

static int set_times(void *arg)
{
	const struct times_job *j = arg;

	return answer(utimensat(j->unix_fd, "", j->times, AT_EMPTY_PATH));
}

int eio_ll_utimens(struct eio_fd dir, const char *path, bool follow, const struct timespec times[2])
{
	struct times_job j = {.times = times};

	return eio__fail(on_place(dir, path, follow, NULL, set_times, &j.unix_fd), "utimens", path);
}

/* Extended attributes */

struct xattr_job {
	int unix_fd;
	const char *name;
	void *value;
	size_t size;
	int flags;
};

static bool has(unsigned opcode)
{
	struct eio__uring *u = eio__uring_self();

	return u && eio__ring_has(&u->ring, opcode);
}

static int set_by_ring(void *job)
{
	const struct xattr_job *j = job;
	struct io_uring_sqe sqe = eio__blank();
	unsigned size = eio__io_len(j->size);
	struct link l;
	int rc;

	io_uring_prep_fsetxattr(&sqe, j->unix_fd, j->name, j->value, j->flags, size);
	rc = eio__perform(&sqe);
	if (rc != -EBADF)
		return rc;
	l = link_to(j->unix_fd);
	io_uring_prep_setxattr(&sqe, j->name, j->value, l.path, j->flags, size);
	rc = eio__perform(&sqe);
	return rc == -ENOENT ? -ENOSYS : rc;
}

static int set_xattr(void *arg)
{
	const struct xattr_job *j = arg;
	int rc = answer(fsetxattr(j->unix_fd, j->name, j->value, j->size, j->flags));

	if (rc != -EBADF)
		return rc;
	return answer_by_link(
		setxattr(link_to(j->unix_fd).path, j->name, j->value, j->size, j->flags));
}

int eio_ll_setxattr(struct eio_fd dir, const char *path, bool follow, const char *name,
		    const void *value, size_t size, int flags)
{
	struct xattr_job j = {.name = name, .value = (void *) value, .size = size, .flags = flags};
	work_fn *ring = has(IORING_OP_FSETXATTR) ? set_by_ring : NULL;

	return eio__fail(on_place(dir, path, follow, ring, set_xattr, &j.unix_fd), "setxattr",
			 path);
}

static int get_by_ring(void *job)
{
	const struct xattr_job *j = job;
	struct io_uring_sqe sqe = eio__blank();
	unsigned size = eio__io_len(j->size);
	struct link l;
	int rc;

	io_uring_prep_fgetxattr(&sqe, j->unix_fd, j->name, j->value, size);
	rc = eio__perform(&sqe);
	if (rc != -EBADF)
		return rc;
	l = link_to(j->unix_fd);
	io_uring_prep_getxattr(&sqe, j->name, j->value, l.path, size);
	rc = eio__perform(&sqe);
	return rc == -ENOENT ? -ENOSYS : rc;
}

static int get_xattr(void *arg)
{
	const struct xattr_job *j = arg;
	int rc = answer(fgetxattr(j->unix_fd, j->name, j->value, j->size));

	if (rc != -EBADF)
		return rc;
	return answer_by_link(getxattr(link_to(j->unix_fd).path, j->name, j->value, j->size));
}

ssize_t eio_ll_getxattr(struct eio_fd dir, const char *path, bool follow, const char *name,
			void *value, size_t size)
{
	struct xattr_job j = {.name = name, .value = value, .size = size};
	work_fn *ring = has(IORING_OP_FGETXATTR) ? get_by_ring : NULL;

	return eio__fail(on_place(dir, path, follow, ring, get_xattr, &j.unix_fd), "getxattr",
			 path);
}

static int list_xattrs(void *arg)
{
	const struct xattr_job *j = arg;
	int rc = answer(flistxattr(j->unix_fd, j->value, j->size));

	if (rc != -EBADF)
		return rc;
	return answer_by_link(listxattr(link_to(j->unix_fd).path, j->value, j->size));
}

ssize_t eio_ll_listxattr(struct eio_fd dir, const char *path, bool follow, char *list, size_t size)
{
	struct xattr_job j = {.value = list, .size = size};

	return eio__fail(on_place(dir, path, follow, NULL, list_xattrs, &j.unix_fd), "listxattr",
			 path);
}

static int remove_xattr(void *arg)
{
	const struct xattr_job *j = arg;
	int rc = answer(fremovexattr(j->unix_fd, j->name));

	return rc == -EBADF ? answer_by_link(removexattr(link_to(j->unix_fd).path, j->name)) : rc;
}

int eio_ll_removexattr(struct eio_fd dir, const char *path, bool follow, const char *name)
{
	struct xattr_job j = {.name = name};

	return eio__fail(on_place(dir, path, follow, NULL, remove_xattr, &j.unix_fd), "removexattr",
			 path);
}
