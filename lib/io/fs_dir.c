/* SPDX-License-Identifier: ISC */
/*
 * Listing directories.
 *
 * The iterator opens the directory anew and reads it by getdents64, which has no ring
 * operation, into a buffer of its own, one refill at a time. The names it gives point
 * into that buffer. The first word of every iterator is its provider's table.
 */
#include "core/error.h"
#include "io/fs.h"

#include <dirent.h>
#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BUFFER = 32 * 1024 };

/* As the kernel writes it. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* Entries from pos to end are still to be given. */
struct listing {
	const struct eio_dir_ops *ops;
	struct eio_fd fd;
	char *buf;
	size_t pos, end;
};

_Static_assert(sizeof(struct listing) <= sizeof(struct eio_dir_iter), "eio_dir_iter is too small");

static struct listing *listing_of(struct eio_dir_iter *it)
{
	return (struct listing *) it->eio_private;
}

/* The provider */

int eio__listing_begin(struct eio_dir d, const char *path, struct eio_dir_iter *it)
{
	struct listing *l = listing_of(it);
	int rc = eio_ll_openat(NULL, d.u.fd, path, O_RDONLY | O_DIRECTORY, 0, &l->fd);

	if (rc < 0)
		return rc;
	l->buf = malloc(BUFFER);
	if (!l->buf) {
		eio_fd_close(l->fd);
		return eio__fail(-ENOMEM, "getdents64", path);
	}
	l->pos = l->end = 0;
	return 0;
}

/* Bytes in the buffer, 0 at the end. A directory that was removed is at its end. */
static int refill(struct listing *l)
{
	int fd = eio_fd_use(l->fd), rc;
	long n;

	if (fd < 0)
		return eio__fail(fd, "getdents64", NULL);
	n = syscall(SYS_getdents64, fd, l->buf, BUFFER);
	rc = n >= 0 ? (int) n : errno == ENOENT ? 0 : -errno;
	eio_fd_unuse(l->fd);
	l->pos = 0;
	l->end = rc > 0 ? (size_t) rc : 0;
	return eio__fail(rc, "getdents64", NULL);
}

/* Not every file system tells the kind: then the file is asked. 0: it is gone, or nothing
 * that has a kind. */
static int kind_of(struct listing *l, const struct entry *e, enum eio_file_kind *ret)
{
	struct statx stx;
	int rc;

	*ret = eio__kind_of_mode(DTTOIF((unsigned) e->type));
	if (*ret != EIO_KIND_UNKNOWN)
		return 1;
	rc = eio_ll_statx(l->fd, e->name, false, STATX_TYPE, &stx);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*ret = eio__kind_of_mode(stx.stx_mode);
	return *ret != EIO_KIND_UNKNOWN;
}

static bool is_self_or_parent(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int eio__listing_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	struct listing *l = listing_of(it);

	for (;;) {
		enum eio_file_kind kind;
		const struct entry *e;
		int rc;

		if (l->pos == l->end) {
			rc = refill(l);
			if (rc <= 0)
				return rc;
		}
		e = (const struct entry *) (l->buf + l->pos);
		l->pos += e->reclen;
		if (is_self_or_parent(e->name))
			continue;
		rc = kind_of(l, e, &kind);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			*ret = (struct eio_dir_entry){e->name, kind, e->ino};
			return 1;
		}
	}
}

void eio__listing_end(struct eio_dir_iter *it)
{
	struct listing *l = listing_of(it);

	eio_fd_close(l->fd);
	free(l->buf);
}

/* The calls */

int eio_fs_dir_begin(struct eio_dir_iter *it, struct eio_dir d, const char *path)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!d.ops)
		return eio__fail(-EBADF, "list", path);
	if (!path)
		return eio__fail(-EINVAL, "list", NULL);
	if (!d.ops->iter_begin || !d.ops->iter_next)
		return eio__fail(-EOPNOTSUPP, "list", path);
	rc = d.ops->iter_begin(d, path, it);
	listing_of(it)->ops = d.ops;
	return rc;
}

int eio_fs_dir_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	int rc = eio_check();

	return rc < 0 ? rc : listing_of(it)->ops->iter_next(it, ret);
}

void eio_fs_dir_end(struct eio_dir_iter *it)
{
	const struct eio_dir_ops *ops = listing_of(it)->ops;

	if (ops->iter_end)
		ops->iter_end(it);
}

/* Whole directories */

/* Names one after the other, each with its NUL. */
struct names {
	char *text;
	size_t len, size, n;
};

static int add_name(struct names *all, const char *name)
{
	size_t len = strlen(name) + 1;

	if (all->size - all->len < len) {
		size_t size = 2 * all->size + len + 4096;
		char *text = realloc(all->text, size);

		if (!text)
			return eio__fail(-ENOMEM, "list", NULL);
		all->text = text;
		all->size = size;
	}
	memcpy(all->text + all->len, name, len);
	all->len += len;
	all->n++;
	return 0;
}

static int gather(struct names *all, struct eio_dir d, const char *path)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, d, path);

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_dir_next(&it, &e)) > 0) {
		rc = add_name(all, e.name);
		if (rc < 0)
			break;
	}
	eio_fs_dir_end(&it);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Pointers and names in one block. */
static char **arrange(const struct names *all)
{
	char **list = malloc((all->n + 1) * sizeof(*list) + all->len), *name;

	if (!list)
		return NULL;
	name = (char *) (list + all->n + 1);
	if (all->len > 0)
		memcpy(name, all->text, all->len);
	for (size_t i = 0; i < all->n; i++, name += strlen(name) + 1)
		list[i] = name;
	list[all->n] = NULL;
	qsort(list, all->n, sizeof(*list), by_name);
	return list;
}

int eio_fs_read_dir(struct eio_dir d, const char *path, char ***ret_names, size_t *ret_n)
{
	struct names all = {0};
	int rc = gather(&all, d, path);
	char **list = NULL;

	if (rc == 0) {
		list = arrange(&all);
		if (!list)
			rc = eio__fail(-ENOMEM, "list", path);
	}
	free(all.text);
	if (rc < 0)
		return rc;
	*ret_names = list;
	if (ret_n)
		*ret_n = all.n;
	return 0;
}
