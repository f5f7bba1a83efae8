/* SPDX-License-Identifier: ISC */
#include "uring/place.h"
#include "uring/call.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* From <linux/openat2.h>, which older kernel headers lack. */
struct open_how_arg {
	uint64_t flags, mode, resolve;
};
#define BENEATH_FLAGS ((uint64_t) 0x08 | 0x02) /* RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS */
#define CACHED_FLAG   ((uint64_t) 0x20)        /* RESOLVE_CACHED: EAGAIN is an answer */

enum { OPEN_TRIES = 1000 };

static bool is_same(struct eio_fd a, struct eio_fd b)
{
	return a.slot == b.slot && a.generation == b.generation;
}

bool eio__is_working_dir(struct eio_fd dir)
{
	return is_same(dir, EIO_CWD) || is_same(dir, EIO_FS);
}

uint64_t eio__confinement(struct eio_fd dir)
{
	return is_same(dir, EIO_FS) ? 0 : BENEATH_FLAGS;
}

/* An entry for an operation relative to a directory; *ret_at is its descriptor. */
static struct io_uring_sqe *begin_at(struct eio__call *c, struct eio_fd dir, int *ret_at)
{
	struct io_uring_sqe *sqe;

	if (eio__is_working_dir(dir)) {
		*ret_at = AT_FDCWD;
		return eio__begin_bare(c);
	}
	sqe = eio__begin_unix(c, dir);
	*ret_at = c->unix_fd;
	return sqe;
}

/*
 * What the caches of names know of a path is opened directly: that costs less than a trip
 * through the ring, on which the kernel would try just this first. O_NONBLOCK and O_PATH,
 * because opening itself could wait without; what would make or cut a file the kernel does
 * not even try. A number, or a failure that says nothing.
 */
static int open_cached(struct eio_fd dir, const char *path, const struct open_how_arg *how)
{
	struct open_how_arg cached = *how;
	int at = AT_FDCWD, rc;

	if (!(how->flags & (O_NONBLOCK | O_PATH)) || !eio__may_go_direct())
		return -EAGAIN;
	if (!eio__is_working_dir(dir))
		at = eio__fd_use(dir);
	if (at < 0 && at != AT_FDCWD)
		return at;
	cached.resolve |= CACHED_FLAG;
	rc = (int) syscall(SYS_openat2, at, path, &cached, sizeof(cached));
	if (rc < 0)
		rc = -errno;
	if (at != AT_FDCWD)
		eio__fd_unuse(dir);
	return rc;
}

/* Renames next to the path make the kernel give up with EAGAIN, as does a lease on the file:
 * only the former is over soon. */
static int open_file(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve,
		     bool direct)
{
	struct open_how_arg how = {
		.flags = (uint64_t) (unsigned) (direct ? flags & ~O_CLOEXEC : flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode & 07777 : 0,
		.resolve = resolve,
	};
	int tries = resolve & CACHED_FLAG ? 1 : OPEN_TRIES, at;
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (!direct && eio__enter_call(&at)) {
		at = open_cached(dir, path, &how);
		if (at >= 0)
			return at;
	}
	do {
		do {
			sqe = begin_at(&c, dir, &at);
			if (sqe)
				io_uring_prep_openat2(sqe, at, path, (struct open_how *) &how);
			if (sqe && direct)
				eio__files_aim_at_free(sqe);
		} while (eio__finish(&c, sqe, 0));
	} while (c.res == -EAGAIN && --tries);
	return c.res;
}

int eio__open_unix(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	return open_file(dir, path, flags, mode, resolve, false);
}

int eio__open_direct(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	return open_file(dir, path, flags, mode, resolve, true);
}

static int pin(struct eio__place *p, struct eio_fd dir)
{
	int unix_fd = eio__fd_use(dir);

	if (unix_fd < 0)
		return unix_fd;
	*p = (struct eio__place){.unix_fd = unix_fd, .slot = eio__slot(dir)};
	return 0;
}

static int own(struct eio__place *p, int unix_fd)
{
	if (unix_fd < 0)
		return unix_fd;
	*p = (struct eio__place){.unix_fd = unix_fd, .owned = true};
	return 0;
}

int eio__place_open(struct eio__place *p, struct eio_fd dir, const char *path, bool follow)
{
	int flags = O_PATH | (follow ? 0 : O_NOFOLLOW);
	bool itself = !path || !*path;

	if (itself && !eio__is_working_dir(dir))
		return pin(p, dir);
	return own(p, eio__open_unix(dir, itself ? "." : path, flags, 0, eio__confinement(dir)));
}

/* How much of a path comes before its last component; all of it if it has none. */
static size_t parent_len(const char *path)
{
	size_t end = strlen(path), len = end;

	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return end;
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len;
}

/* Not inlined, so that the copy is off the stack again when the parent is there. */
static __attribute__((noinline)) int open_parent(struct eio_fd dir, const char *path, size_t len)
{
	char parent[PATH_MAX];

	memcpy(parent, path, len);
	parent[len] = '\0';
	return eio__open_unix(dir, parent, O_PATH | O_DIRECTORY, 0, eio__confinement(dir));
}

int eio__parent_open(struct eio__place *p, struct eio_fd dir, const char *path,
		     const char **ret_name)
{
	size_t len = 0;

	if (!path)
		return -EFAULT;
	if (!is_same(dir, EIO_FS)) {
		if (strlen(path) >= PATH_MAX)
			return -ENAMETOOLONG;
		len = parent_len(path);
	}
	*ret_name = path + len;
	if (len > 0)
		return own(p, open_parent(dir, path, len));
	if (!eio__is_working_dir(dir))
		return pin(p, dir);
	*p = (struct eio__place){.unix_fd = AT_FDCWD};
	return 0;
}

void eio__place_close(struct eio__place *p)
{
	if (p->owned)
		close(p->unix_fd); /* O_PATH: there is nothing to wait for */
	else if (p->slot)
		eio__slot_unuse(p->slot);
}
