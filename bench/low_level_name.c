/* SPDX-License-Identifier: ISC */
/*
 * Names in a directory, what is in it, and what is known of files beside their bytes.
 *
 * The handle is the directory itself, so that a name needs no parent to be opened; one case
 * has a path, whose parent is.
 */
#include "low_level.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MODE = 0700, ENTRIES = 32768 };

static char where[4096];
static struct ll_fd dir, listed, file;
static char entries[ENTRIES] __attribute__((aligned(8)));

/* Making and removing */

static int make_and_remove(const char *path)
{
	int rc = eio_ll_mkdir(dir.fd, path, MODE);

	return rc < 0 ? rc : eio_ll_unlink(dir.fd, path, true);
}

static int raw_unlink(int at, const char *name, int flags)
{
	io_uring_prep_unlinkat(raw(), at, name, flags);
	return raw_wait();
}

static int mkdir_rmdir(void)
{
	return make_and_remove("new");
}

static int raw_mkdir_rmdir(void)
{
	int rc;

	io_uring_prep_mkdirat(raw(), dir.unix_fd, "new", MODE);
	rc = raw_wait();
	return rc < 0 ? rc : raw_unlink(dir.unix_fd, "new", AT_REMOVEDIR);
}

static int mkdir_rmdir_beneath(void)
{
	return make_and_remove("sub/new");
}

static int raw_mkdir_rmdir_beneath(void)
{
	int rc, parent = raw_open(dir.unix_fd, "sub/", O_PATH | O_DIRECTORY);

	if (parent < 0)
		return parent;
	io_uring_prep_mkdirat(raw(), parent, "new", MODE);
	rc = raw_wait();
	close(parent);
	parent = raw_open(dir.unix_fd, "sub/", O_PATH | O_DIRECTORY);
	if (rc == 0)
		rc = parent < 0 ? parent : raw_unlink(parent, "new", AT_REMOVEDIR);
	close(parent);
	return rc;
}

static int rename_(void)
{
	int rc = eio_ll_rename(dir.fd, "file", dir.fd, "new", 0);

	return rc < 0 ? rc : eio_ll_rename(dir.fd, "new", dir.fd, "file", 0);
}

static int raw_rename(void)
{
	int rc;

	io_uring_prep_renameat(raw(), dir.unix_fd, "file", dir.unix_fd, "new", 0);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_renameat(raw(), dir.unix_fd, "new", dir.unix_fd, "file", 0);
	return raw_wait();
}

static int symlink_unlink(void)
{
	int rc = eio_ll_symlink(dir.fd, "new", "file");

	return rc < 0 ? rc : eio_ll_unlink(dir.fd, "new", false);
}

static int raw_symlink_unlink(void)
{
	int rc;

	io_uring_prep_symlinkat(raw(), "file", dir.unix_fd, "new");
	rc = raw_wait();
	return rc < 0 ? rc : raw_unlink(dir.unix_fd, "new", 0);
}

static int link_unlink(void)
{
	int rc = eio_ll_link(dir.fd, "file", dir.fd, "new");

	return rc < 0 ? rc : eio_ll_unlink(dir.fd, "new", false);
}

static int raw_link_unlink(void)
{
	int rc;

	io_uring_prep_linkat(raw(), dir.unix_fd, "file", dir.unix_fd, "new", 0);
	rc = raw_wait();
	return rc < 0 ? rc : raw_unlink(dir.unix_fd, "new", 0);
}

/* By a thread: reading links and directories */

static int read_link(void)
{
	return (int) eio_ll_read_link(dir.fd, "link", ll_buf, LL_BUF);
}

static int read_link_job(void *arg)
{
	return by_errno(readlinkat(*(int *) arg, "", ll_buf, LL_BUF));
}

static int raw_read_link(void)
{
	int rc, fd = raw_open(dir.unix_fd, "link", O_PATH | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	rc = raw_in_thread(read_link_job, &fd);
	close(fd);
	return rc;
}

static int getdents_job(void *arg)
{
	return by_errno(syscall(SYS_getdents64, *(int *) arg, entries, ENTRIES));
}

static int read_some_dir(void)
{
	int rc = eio_ll_lseek(listed.fd, 0, SEEK_SET, NULL);

	return rc < 0 ? rc : (int) eio_ll_read_some_dir(listed.fd, entries, ENTRIES);
}

static int raw_read_some_dir(void)
{
	int rc = by_errno(lseek(listed.unix_fd, 0, SEEK_SET));

	return rc < 0 ? rc : raw_in_thread(getdents_job, &listed.unix_fd);
}

/* The library makes and sorts a list of the names, too. */
static int read_dir(void)
{
	char **names;
	int rc = eio_ll_read_dir(dir.fd, NULL, &names, NULL);

	if (rc == 0)
		free(names);
	return rc;
}

static int read_all_job(void *arg)
{
	int rc = getdents_job(arg);

	return rc < 0 ? rc : getdents_job(arg);
}

static int raw_read_dir(void)
{
	int rc, fd = raw_open(dir.unix_fd, ".", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return fd;
	rc = raw_in_thread(read_all_job, &fd);
	return rc < 0 ? rc : raw_close(fd);
}

/* Attributes, of an open file */

static int chmod_(void)
{
	return eio_ll_chmod(file.fd, NULL, true, 0600);
}

static int chmod_job(void *arg)
{
	return by_errno(fchmod(*(int *) arg, 0600));
}

static int raw_chmod(void)
{
	return raw_in_thread(chmod_job, &file.unix_fd);
}

static int chown_(void)
{
	return eio_ll_chown(file.fd, NULL, true, (uid_t) -1, (gid_t) -1);
}

static int chown_job(void *arg)
{
	return by_errno(fchownat(*(int *) arg, "", (uid_t) -1, (gid_t) -1, AT_EMPTY_PATH));
}

static int raw_chown(void)
{
	return raw_in_thread(chown_job, &file.unix_fd);
}

static const struct timespec times[2];

static int utimens(void)
{
	return eio_ll_utimens(file.fd, NULL, true, times);
}

static int utimens_job(void *arg)
{
	return by_errno(utimensat(*(int *) arg, "", times, AT_EMPTY_PATH));
}

static int raw_utimens(void)
{
	return raw_in_thread(utimens_job, &file.unix_fd);
}

static int setxattr_(void)
{
	return eio_ll_setxattr(file.fd, NULL, true, "user.x", "1", 1, 0);
}

static int raw_setxattr(void)
{
	io_uring_prep_fsetxattr(raw(), file.unix_fd, "user.x", "1", 0, 1);
	return raw_wait();
}

static int getxattr_(void)
{
	return (int) eio_ll_getxattr(file.fd, NULL, true, "user.x", ll_buf, LL_BUF);
}

static int raw_getxattr(void)
{
	io_uring_prep_fgetxattr(raw(), file.unix_fd, "user.x", ll_buf, LL_BUF);
	return raw_wait();
}

static int listxattr_(void)
{
	return (int) eio_ll_listxattr(file.fd, NULL, true, ll_buf, LL_BUF);
}

static int listxattr_job(void *arg)
{
	return by_errno(flistxattr(*(int *) arg, ll_buf, LL_BUF));
}

static int raw_listxattr(void)
{
	return raw_in_thread(listxattr_job, &file.unix_fd);
}

/* One that is not there, so that it need not be set before. */
static int is_missing(int rc)
{
	return rc == -ENODATA ? 0 : rc;
}

static int removexattr_(void)
{
	return is_missing(eio_ll_removexattr(file.fd, NULL, true, "user.none"));
}

static int removexattr_job(void *arg)
{
	return by_errno(fremovexattr(*(int *) arg, "user.none"));
}

static int raw_removexattr(void)
{
	return is_missing(raw_in_thread(removexattr_job, &file.unix_fd));
}

/* By the end of the area, or of a program in which a call failed. */
static void remove_all(void)
{
	static const char *const files[] = {"file", "link", "new"};

	for (size_t i = 0; i < BENCH_LEN(files); i++)
		unlinkat(dir.unix_fd, files[i], 0);
	unlinkat(dir.unix_fd, "new", AT_REMOVEDIR);
	unlinkat(dir.unix_fd, "sub/new", AT_REMOVEDIR);
	unlinkat(dir.unix_fd, "sub", AT_REMOVEDIR);
	rmdir(where);
	dir.unix_fd = -1;
}

static void set_up(void)
{
	snprintf(where, sizeof(where), "%s/eio-low-level-XXXXXX", ll_dir());
	if (!mkdtemp(where))
		bench_fail("%s: %s", where, strerror(errno));
	dir = ll_track(open(where, O_PATH | O_DIRECTORY | O_CLOEXEC));
	atexit(remove_all);
	listed = ll_track(open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	file = ll_track(openat(dir.unix_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (mkdirat(dir.unix_fd, "sub", MODE) < 0 || symlinkat("file", dir.unix_fd, "link") < 0)
		bench_fail("%s: %s", where, strerror(errno));
	/* Where there are none, what works on them is left out. */
	(void) fsetxattr(file.unix_fd, "user.x", "1", 1, 0);
}

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static int in_thread(void)
{
	return eio_ll_in_thread(nothing, NULL);
}

static int raw_nothing_in_thread(void)
{
	return raw_in_thread(nothing, NULL);
}

static const struct ll_call calls[] = {
	{"in_thread", in_thread, raw_nothing_in_thread, 1, LL_SLOW},
	{"mkdir_rmdir", mkdir_rmdir, raw_mkdir_rmdir, 2, LL_SLOW},
	{"mkdir_rmdir_beneath", mkdir_rmdir_beneath, raw_mkdir_rmdir_beneath, 2, LL_SLOW},
	{"rename", rename_, raw_rename, 2, LL_SLOW},
	{"symlink_unlink", symlink_unlink, raw_symlink_unlink, 2, LL_SLOW},
	{"link_unlink", link_unlink, raw_link_unlink, 2, LL_SLOW},
	{"read_link", read_link, raw_read_link, 1, LL_SLOW},
	{"read_some_dir", read_some_dir, raw_read_some_dir, 2, LL_SLOW},
	{"read_dir", read_dir, raw_read_dir, 1, LL_SLOW},
	{"chmod", chmod_, raw_chmod, 1, LL_SLOW},
	{"chown", chown_, raw_chown, 1, LL_SLOW},
	{"utimens", utimens, raw_utimens, 1, LL_SLOW},
	{"setxattr", setxattr_, raw_setxattr, 1, LL_SLOW},
	{"getxattr", getxattr_, raw_getxattr, 1, LL_SLOW},
	{"listxattr", listxattr_, raw_listxattr, 1, LL_SLOW},
	{"removexattr", removexattr_, raw_removexattr, 1, LL_SLOW},
};

const struct ll_area ll_names = {set_up, remove_all, calls, BENCH_LEN(calls)};
