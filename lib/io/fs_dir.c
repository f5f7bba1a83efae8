/* SPDX-License-Identifier: ISC */
/*
 * Listing directories.
 *
 * The iterator opens the directory anew and reads it into a buffer of its own, one refill at
 * a time. The names it gives point into that buffer. The first word of every iterator is its
 * provider's table.
 */
#include "base/names.h"
#include "core/error.h"
#include "io/fs.h"

#include <dirent.h>
#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { BUFFER = 32 * 1024 };

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

/* Bytes in the buffer, 0 at the end. */
static int refill(struct listing *l)
{
	int rc = (int) eio_ll_read_some_dir(l->fd, l->buf, BUFFER);

	l->pos = 0;
	l->end = rc > 0 ? (size_t) rc : 0;
	return rc;
}

/* Not every file system tells the kind: then the file is asked. 0: it is gone, or nothing
 * that has a kind. */
static int kind_of(struct listing *l, const struct dirent *e, enum eio_file_kind *ret)
{
	struct statx stx;
	int rc;

	*ret = eio__kind_of_mode(DTTOIF((unsigned) e->d_type));
	if (*ret != EIO_KIND_UNKNOWN)
		return 1;
	rc = eio_ll_statx(l->fd, e->d_name, false, STATX_TYPE, &stx);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*ret = eio__kind_of_mode(stx.stx_mode);
	return *ret != EIO_KIND_UNKNOWN;
}

int eio__listing_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	struct listing *l = listing_of(it);

	for (;;) {
		enum eio_file_kind kind;
		const struct dirent *e;
		int rc;

		if (l->pos == l->end) {
			rc = refill(l);
			if (rc <= 0)
				return rc;
		}
		e = (const struct dirent *) (l->buf + l->pos);
		l->pos += e->d_reclen;
		if (eio__is_self_or_parent(e->d_name))
			continue;
		rc = kind_of(l, e, &kind);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			*ret = (struct eio_dir_entry){e->d_name, kind, e->d_ino};
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

static int gather(struct eio__names *all, struct eio_dir d, const char *path)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, d, path);

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_dir_next(&it, &e)) > 0) {
		rc = eio__fail(eio__names_add(all, e.name), "list", path);
		if (rc < 0)
			break;
	}
	eio_fs_dir_end(&it);
	return rc;
}

int eio_fs_read_dir(struct eio_dir d, const char *path, char ***ret_names, size_t *ret_n)
{
	struct eio__names all = {0};
	int rc = gather(&all, d, path);
	char **list = NULL;

	if (rc == 0) {
		list = eio__names_list(&all);
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
