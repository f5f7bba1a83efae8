/* SPDX-License-Identifier: ISC */
#include "uring/place.h"
#include "uring/call.h"
#include "uring/kind.h"

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
#define NO_XDEV_FLAG  ((uint64_t) 0x01)        /* RESOLVE_NO_XDEV */
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
 * Opening
 *
 * What the caches of names know of a path is opened directly: that costs less than a trip
 * through the ring, on which the kernel would try just this first. O_NONBLOCK and O_PATH,
 * because opening itself could wait without; what would make or cut a file the kernel does
 * not even try.
 *
 * Where a server answers for the file (kind.h) it is asked when a file is opened whose name is
 * known, too, and this thread would wait for it, directly as in the kernel's own try. So there
 * a worker of the kernel's opens from the start. What a path leads to is not known beforehand,
 * but which mount it begins in is: the first try keeps to that one, and is told by -EAGAIN that
 * the path leaves it or is not in the caches, or on the ring by -EXDEV.
 */

/* What the kernel makes no try at, or what asks no server. */
enum { OPENS_NOTHING_HERE = O_PATH | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY) };

/* The root and the working directory are looked at once, which is a third of a cached open. Who
 * changes to one of a server's later is the one who waits there. */
static bool working_dir_is_served(bool root)
{
	static uint8_t answers[2]; /* 0: not asked yet, 1: the kernel, 2: a server */
	uint8_t known = __atomic_load_n(&answers[root], __ATOMIC_RELAXED);

	if (!known) {
		known = eio__answers_at(AT_FDCWD, root ? "/" : "") == EIO__BY_SERVER ? 2 : 1;
		__atomic_store_n(&answers[root], known, __ATOMIC_RELAXED);
	}
	return known == 2;
}

static bool begins_served(struct eio_fd dir, const char *path)
{
	if (eio__is_working_dir(dir))
		return working_dir_is_served(path && *path == '/');
	return eio__kind(eio__slot(dir), dir) & EIO__FD_SERVED;
}

/* What the caches know. */
static int open_directly(struct eio_fd dir, const char *path, const struct open_how_arg *how)
{
	struct open_how_arg cached = *how;
	int at = AT_FDCWD, rc;

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

/* Or to what the caches do not know, which takes a worker anyway. */
static bool leads_to_server(struct eio_fd dir, const char *path, const struct open_how_arg *how)
{
	struct open_how_arg place = {.flags = O_PATH | O_CLOEXEC | (how->flags & O_NOFOLLOW),
				     .resolve = how->resolve};
	int unix_fd = open_directly(dir, path, &place);
	bool served;

	if (unix_fd < 0)
		return true;
	served = eio__answers_at(unix_fd, "") == EIO__BY_SERVER;
	close(unix_fd); /* O_PATH: there is nothing to wait for */
	return served;
}

/* A number, or a failure that says nothing. -EAGAIN: it is not in the caches, or in another
 * mount, and @p how is for who goes on. */
static int open_cached(struct eio_fd dir, const char *path, struct open_how_arg *how,
		       uint64_t resolve, bool *ret_by_worker)
{
	int rc;

	if (!(how->flags & (O_NONBLOCK | O_PATH)) || !eio__may_go_direct())
		return -EAGAIN;
	rc = open_directly(dir, path, how);
	if (rc != -EAGAIN)
		return rc;
	*ret_by_worker = how->resolve == resolve;
	how->resolve = resolve;
	if (!*ret_by_worker)
		*ret_by_worker = leads_to_server(dir, path, how);
	return *ret_by_worker ? -EAGAIN : open_directly(dir, path, how);
}

/* Renames next to the path make the kernel give up with EAGAIN, as does a lease on the file:
 * only the former is over soon. */
static int open_by_ring(struct eio_fd dir, const char *path, const struct open_how_arg *how,
			bool direct, bool by_worker)
{
	int tries = how->resolve & CACHED_FLAG ? 1 : OPEN_TRIES, at;
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		do {
			sqe = begin_at(&c, dir, &at);
			if (sqe)
				io_uring_prep_openat2(sqe, at, path, (struct open_how *) how);
			if (sqe && by_worker)
				sqe->flags |= IOSQE_ASYNC;
			if (sqe && direct)
				eio__files_aim_at_free(sqe);
		} while (eio__finish(&c, sqe, 0));
	} while (c.res == -EAGAIN && --tries);
	return c.res;
}

static int open_file(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve,
		     bool direct)
{
	struct open_how_arg how = {
		.flags = (uint64_t) (unsigned) (direct ? flags & ~O_CLOEXEC : flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode & 07777 : 0,
		.resolve = resolve,
	};
	bool by_worker = false;
	int rc;

	if (!eio__enter_call(&rc))
		return rc;
	if (!(flags & OPENS_NOTHING_HERE)) {
		by_worker = begins_served(dir, path);
		how.resolve |= by_worker ? 0 : NO_XDEV_FLAG;
	}
	rc = direct || by_worker ? -EAGAIN : open_cached(dir, path, &how, resolve, &by_worker);
	if (rc < 0)
		rc = open_by_ring(dir, path, &how, direct, by_worker);
	if (rc == -EXDEV && how.resolve != resolve) {
		how.resolve = resolve;
		rc = open_by_ring(dir, path, &how, direct, true);
	}
	return rc;
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
