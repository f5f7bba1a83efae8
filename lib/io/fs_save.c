/* SPDX-License-Identifier: ISC */
/*
 * Saving a whole file: in place, or as a new file that takes the old one's name.
 *
 * The new file is made beside the old one, under a name that nobody else has, and renamed when
 * it is complete: who opens the path finds the old content or the new. Until then a failure or
 * a cancellation leaves the old file as it was, and removes the new one. A new file that may
 * replace none is given its name by a link, which fails if there is one.
 *
 * The directory is opened once, and all of this happens in it: where the path leads may change
 * meanwhile.
 */
#include "base/names.h"
#include "core/error.h"
#include "io/fs.h"

#include <eio/cancel.h>
#include <eio/fiber.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 4 /* Linux 5.6 */
#endif

/* Names and their directory */

int eio__fs_open_parent(struct eio_dir d, const char *path, struct eio_dir *ret,
			const char **ret_name)
{
	struct eio_path_parts parts;
	char *parent = NULL;
	int rc;

	if (!eio_path_split(path, &parts) || parts.base[parts.base_len] ||
	    eio__is_self_or_parent(parts.base))
		return eio__fail(-EISDIR, "open", path);
	if (parts.dir_len > 0) {
		parent = strndup(path, parts.dir_len);
		if (!parent)
			return eio__fail(-ENOMEM, "open", path);
	}
	rc = eio_fs_open_dir(d, NULL, parent ? parent : ".", ret);
	free(parent);
	*ret_name = parts.base;
	return rc;
}

int eio__fs_sync_name(struct eio_dir d, const char *path)
{
	struct eio_dir parent;
	const char *name;
	int rc = eio__fs_open_parent(d, path, &parent, &name);

	if (rc < 0)
		return rc;
	rc = eio_fs_sync(parent);
	(void) eio_dir_close(parent);
	return rc;
}

void eio__fs_remove(struct eio_dir d, const char *path)
{
	struct eio_cancel c;

	eio_cancel_protect_begin(&c);
	(void) eio_fs_unlink(d, path, EIO_MISSING_OK);
	eio_cancel_end(&c);
}

int eio__fs_close_written(struct eio_flow f, int rc, bool sync)
{
	int closed;

	if (rc == 0 && sync)
		rc = eio_file_sync(f);
	closed = eio_flow_close(f);
	return rc < 0 ? rc : closed;
}

/* In place */

static enum eio_create_how how_of(const struct eio_save *opts)
{
	if (opts->how != EIO_CREATE_DEFAULT)
		return opts->how;
	return opts->append ? EIO_CREATE_IF_MISSING : EIO_CREATE_OR_TRUNCATE;
}

static int save_in_place(struct eio_dir d, const char *path, const void *data, size_t len,
			 const struct eio_save *opts)
{
	struct eio_create create = {how_of(opts), opts->mode, opts->append, {NULL}};
	struct eio_flow f;
	int rc = eio_fs_open_out(d, NULL, path, &create, &f);

	if (rc < 0)
		return rc;
	rc = eio_flow_write(f, data, len);
	rc = eio__fs_close_written(f, rc, opts->sync);
	if (rc == 0 && opts->sync)
		rc = eio__fs_sync_name(d, path);
	return rc;
}

/* In one step */

struct replacing {
	struct eio_dir dir;
	const char *name;
	const struct eio_save *opts;
	bool there;    /* a file has the name */
	uint32_t mode; /* to be kept; 0: none */
	char temp[32]; /* the new file's name */
};

/* May what has the name be replaced, and what of it is kept? */
static int look(struct replacing *r)
{
	struct eio_stat st;
	int rc = eio_fs_stat(r->dir, r->name, false, &st);

	if (rc == -ENOENT)
		return r->opts->how == EIO_CREATE_NEVER ? rc : 0;
	if (rc < 0)
		return rc;
	if (r->opts->how == EIO_CREATE_EXCLUSIVE)
		return -EEXIST;
	if (st.kind == EIO_KIND_DIRECTORY)
		return -EISDIR;
	if (st.kind != EIO_KIND_REGULAR && st.kind != EIO_KIND_SYMLINK)
		return -EINVAL;
	if (st.kind == EIO_KIND_REGULAR && r->opts->mode == 0) {
		r->there = true;
		r->mode = st.mode & 0777;
	}
	return 0;
}

/* Nobody else can read it before it has the permissions that it is to have. */
static int create_temp(struct replacing *r, struct eio_flow *ret)
{
	struct eio_create create = {.how = EIO_CREATE_EXCLUSIVE, .mode = r->opts->mode};
	uint64_t number;
	int rc = -EEXIST;

	if (r->there)
		create.mode = 0600;
	for (int tries = 0; rc == -EEXIST && tries < 8; tries++) {
		if (getrandom(&number, sizeof(number), GRND_INSECURE) < 0)
			return eio__fail(-errno, "getrandom", NULL);
		snprintf(r->temp, sizeof(r->temp), ".eio-%016llx", (unsigned long long) number);
		rc = eio_fs_open_out(r->dir, NULL, r->temp, &create, ret);
	}
	return rc;
}

static int fill_temp(struct replacing *r, struct eio_flow f, const void *data, size_t len)
{
	int rc = eio_flow_write(f, data, len);

	if (rc == 0 && r->there)
		rc = eio__fs_chmod_made(r->dir, r->temp, f, r->mode);
	return eio__fs_close_written(f, rc, r->opts->sync);
}

static int replace(struct replacing *r, const void *data, size_t len)
{
	bool link = r->opts->how == EIO_CREATE_EXCLUSIVE;
	struct eio_flow f;
	int rc = create_temp(r, &f);

	if (rc < 0)
		return rc;
	rc = fill_temp(r, f, data, len);
	if (rc == 0 && link)
		rc = eio_fs_link(r->dir, r->temp, r->dir, r->name);
	else if (rc == 0)
		rc = eio_fs_rename(r->dir, r->temp, r->dir, r->name);
	if (rc < 0 || link)
		eio__fs_remove(r->dir, r->temp);
	return rc;
}

static int save_at_once(struct eio_dir d, const char *path, const void *data, size_t len,
			const struct eio_save *opts)
{
	struct replacing r = {.opts = opts};
	int rc;

	if (opts->append || opts->how == EIO_CREATE_IF_MISSING)
		return -EINVAL;
	rc = eio__fs_open_parent(d, path, &r.dir, &r.name);
	if (rc < 0)
		return rc;
	rc = look(&r);
	if (rc == 0)
		rc = replace(&r, data, len);
	if (rc == 0 && opts->sync)
		rc = eio_fs_sync(r.dir);
	(void) eio_dir_close(r.dir);
	return rc;
}

int eio_fs_save(struct eio_dir d, const char *path, const void *data, size_t len,
		const struct eio_save *opts)
{
	static const struct eio_save none;
	int rc = eio__fs_enter(d, path, "save");

	if (rc < 0)
		return rc;
	if (!opts)
		opts = &none;
	if ((unsigned) opts->how > EIO_CREATE_EXCLUSIVE || opts->mode & ~07777u)
		return eio__fail(-EINVAL, "save", path);
	rc = opts->atomic ? save_at_once(d, path, data, len, opts)
			  : save_in_place(d, path, data, len, opts);
	return eio__fail(rc, "save", path);
}
