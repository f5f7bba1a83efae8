/* SPDX-License-Identifier: ISC */
/*
 * Listing directories.
 *
 * getdents64 has no ring operation and may wait for a disk, so a thread makes it. A whole
 * directory is read in pieces, between which a cancellation is noticed.
 */
#include "base/names.h"
#include "uring/call.h"
#include "uring/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PIECE = 32 * 1024 };

/* The kernel's entry is the C library's. */
_Static_assert(sizeof(((struct dirent *) 0)->d_ino) == 8 && offsetof(struct dirent, d_off) == 8 &&
		       offsetof(struct dirent, d_reclen) == 16 &&
		       offsetof(struct dirent, d_type) == 18 &&
		       offsetof(struct dirent, d_name) == 19,
	       "struct dirent is not the kernel's");

struct piece {
	int unix_fd;
	char *buf;
	size_t size;
	bool ended; /* there are no more */
};

/* A directory that was removed is at its end. */
static int read_at(const struct piece *p, size_t pos)
{
	long n = syscall(SYS_getdents64, p->unix_fd, p->buf + pos, p->size - pos);

	return n >= 0 ? (int) n : errno == ENOENT ? 0 : -errno;
}

static int read_once(void *arg)
{
	return read_at(arg, 0);
}

/* Up to the end if it is near: the kernel tells it only by giving nothing. */
static int read_much(void *arg)
{
	struct piece *p = arg;
	size_t len = 0;
	int n;

	do {
		n = read_at(p, len);
		if (n < 0)
			return n;
		len += (size_t) n;
	} while (n > 0 && len < p->size / 2);
	p->ended = n == 0;
	return (int) len;
}

ssize_t eio_ll_read_some_dir(struct eio_fd fd, void *buf, size_t size)
{
	struct piece p = {.buf = buf, .size = eio__io_len(size)};
	int rc = p.unix_fd = eio__fd_use(fd);

	if (rc >= 0) {
		rc = eio_ll_in_thread(read_once, &p);
		eio__fd_unuse(fd);
	}
	return eio__fail(rc, "getdents64", NULL);
}

static int add_entries(struct eio__names *all, const char *buf, size_t len)
{
	int rc = 0;

	for (size_t pos = 0; pos < len && rc == 0;) {
		const struct dirent *e = (const struct dirent *) (buf + pos);

		if (!eio__is_self_or_parent(e->d_name))
			rc = eio__names_add(all, e->d_name);
		pos += e->d_reclen;
	}
	return rc;
}

static int gather(struct eio__names *all, int unix_fd)
{
	struct piece p = {.unix_fd = unix_fd, .buf = malloc(PIECE), .size = PIECE};
	int rc = p.buf ? 0 : -ENOMEM;

	while (rc >= 0 && !p.ended) {
		rc = eio_ll_in_thread(read_much, &p);
		if (rc > 0)
			rc = add_entries(all, p.buf, (size_t) rc);
	}
	free(p.buf);
	return rc;
}

static int list(struct eio_fd dir, const char *path, char ***ret_names, size_t *ret_n)
{
	struct eio__names all = {0};
	char **names = NULL;
	int unix_fd, rc;

	unix_fd = eio__open_unix(dir, path && *path ? path : ".", O_RDONLY | O_DIRECTORY, 0,
				 eio__confinement(dir));
	if (unix_fd < 0)
		return unix_fd;
	rc = gather(&all, unix_fd);
	eio__close_unix(unix_fd);
	if (rc == 0)
		names = eio__names_list(&all);
	free(all.text);
	if (rc == 0 && !names)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	*ret_names = names;
	if (ret_n)
		*ret_n = all.n;
	return 0;
}

int eio_ll_read_dir(struct eio_fd dir, const char *path, char ***ret_names, size_t *ret_n)
{
	return eio__fail(list(dir, path, ret_names, ret_n), "read_dir", path);
}
