/* SPDX-License-Identifier: ISC */
/*
 * Trees of directories: making the way down to one, and removing one.
 *
 * Removal walks by handles. A directory is opened by its name beneath the handle of the one that
 * holds it, without following a symlink or crossing a mount point, and what is removed is a name
 * in a directory held open. So whatever other processes do to the tree meanwhile, nothing goes
 * but what was in it when it was come to. What a name stands for may change between two steps:
 * then the kernel refuses the second, and it is looked at again. Names may be added: then the
 * directory is listed again. Of each directory both ATTEMPTS times, and no more.
 *
 * Directories are open on LEVELS levels at a time. What lies deeper is moved to the top of the
 * tree, under a name of our own, and removed from there: the tree is gone through once more
 * for as long as something was moved. So neither depth nor width costs memory.
 *
 * Files go AT_ONCE at a time: each takes a trip to a worker of the kernel's, and fewer if they are
 * made together. What does not go like that is tried once more by itself.
 */
#include "base/names.h"
#include "core/error.h"
#include "io/fs.h"

#include <eio/fiber.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 16, ATTEMPTS = 32, AT_ONCE = 8, NAMES = 1024 };

/* Making the way */

/* Each directory before the last component. Other fibers may make them too. */
static int make_parents(struct eio_dir d, char *path, uint32_t mode)
{
	struct eio_path_parts parts;
	int rc = 0;

	if (!eio_path_split(path, &parts))
		return 0;
	for (size_t i = 1; i <= parts.dir_len && (rc == 0 || rc == -EEXIST); i++) {
		char was = path[i];

		if (was != '/' || path[i - 1] == '/')
			continue;
		path[i] = '\0';
		rc = eio_fs_mkdir(d, path, mode | 0300);
		path[i] = was;
	}
	return rc == -EEXIST ? 0 : rc;
}

static int make_way(struct eio_dir d, const char *path, uint32_t mode)
{
	char *copy = strdup(path);
	int rc = copy ? make_parents(d, copy, mode) : eio__fail(-ENOMEM, "mkdirs", path);

	free(copy);
	return rc < 0 ? rc : eio_fs_mkdir(d, path, mode);
}

/* What is in the way, if it is one that may be? */
static int accept_existing(struct eio_dir d, const char *path)
{
	int kind = eio_fs_kind(d, path, true);

	if (kind < 0)
		return kind;
	return kind == EIO_KIND_DIRECTORY ? 0 : eio__fail(-EEXIST, "mkdirs", path);
}

int eio_fs_mkdirs(struct eio_dir d, const char *path, uint32_t mode, bool exists_ok)
{
	int rc = eio_fs_mkdir(d, path, mode);

	if (rc == -ENOENT && *path)
		rc = make_way(d, path, mode);
	return rc == -EEXIST && exists_ok ? accept_existing(d, path) : rc;
}

/* Removing */

struct removal {
	struct eio_dir top;     /* of the tree; what lies too deep is moved here */
	unsigned names;         /* numbers those it gets there */
	bool moved;             /* something was this time */
	struct eio_error first; /* failure this time; code 0: none so far */

	/* Files of one directory, gathered from its listing. Empty when another is gone into. */
	struct eio_dir dir;
	unsigned n;
	size_t len; /* of text in use */
	struct {
		size_t at; /* in text */
		bool gone;
	} files[AT_ONCE];
	char text[NAMES];
};

/* Remembers the first failure. Is there none? */
static bool went_well(struct removal *r, int rc)
{
	const struct eio_error *e = eio_last_error();

	if (rc >= 0)
		return true;
	if (r->first.code == 0)
		r->first = e->code == rc ? *e : (struct eio_error){.code = rc, .op = "rmtree"};
	return false;
}

/* What a directory that is not empty gives, by the file system. */
static bool is_not_empty(int rc)
{
	return rc == -ENOTEMPTY || rc == -EEXIST;
}

/* Another process may have taken the name that is next. An empty directory is not moved. */
static int move_up(struct removal *r, struct eio_dir parent, const char *name)
{
	int rc = eio_fs_rmdir(parent, name);
	char to[32];

	for (int i = 0; i < ATTEMPTS && is_not_empty(rc); i++) {
		snprintf(to, sizeof(to), ".eio-removed-%u", r->names++);
		rc = eio_fs_rename(parent, name, r->top, to);
		if (rc == -ENOTDIR || rc == -EISDIR)
			rc = -EEXIST;
		r->moved |= rc == 0;
	}
	return rc;
}

/* Files. One that has become a directory is none, as the next listing will tell. */

static int remove_file(const struct removal *r, unsigned i)
{
	int rc = eio_fs_unlink(r->dir, r->text + r->files[i].at, EIO_MISSING_OK);

	return rc == -EISDIR ? 0 : rc;
}

static int try_file(size_t i, void *arg)
{
	struct removal *r = arg;

	r->files[i].gone = remove_file(r, (unsigned) i) == 0;
	return 0;
}

/* Whatever keeps them from being tried together shows again. */
static bool remove_files(struct removal *r)
{
	bool all = true;

	if (r->n > 1)
		eio_for_each(r->n, 0, try_file, r);
	for (unsigned i = 0; i < r->n; i++)
		if (!r->files[i].gone && !went_well(r, remove_file(r, i)))
			all = false;
	r->n = 0;
	r->len = 0;
	return all;
}

static bool add_file(struct removal *r, struct eio_dir d, const char *name)
{
	size_t size = strlen(name) + 1;
	bool all = true;

	if (size > NAMES)
		return went_well(r, eio__fail(-ENAMETOOLONG, "rmtree", name));
	if (r->n == AT_ONCE || NAMES - r->len < size)
		all = remove_files(r);
	r->dir = d;
	r->files[r->n].at = r->len;
	r->files[r->n++].gone = false;
	memcpy(r->text + r->len, name, size);
	r->len += size;
	return all;
}

/* Directories */

static bool remove_entry(struct removal *r, struct eio_dir parent, const char *name,
			 unsigned level);

static bool remove_listed(struct removal *r, struct eio_dir d, const struct eio_dir_entry *e,
			  unsigned level)
{
	bool all;

	if (e->kind != EIO_KIND_DIRECTORY)
		return add_file(r, d, e->name);
	all = remove_files(r);
	return remove_entry(r, d, e->name, level) && all;
}

static bool remove_entries(struct removal *r, struct eio_dir d, unsigned level)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	bool all = true;
	int rc = eio_fs_dir_begin(&it, d, ".");

	if (rc < 0)
		return went_well(r, rc);
	while ((rc = eio_fs_dir_next(&it, &e)) > 0)
		if (!remove_listed(r, d, &e, level))
			all = false;
	eio_fs_dir_end(&it);
	if (!remove_files(r))
		all = false;
	return went_well(r, rc) && all;
}

/* Empties an open directory and removes its name. What could not go is known already; that the
 * directory is not empty then is no news. */
static int remove_open(struct removal *r, struct eio_dir d, struct eio_dir parent, const char *name,
		       unsigned level)
{
	bool all = true;
	int rc = -ENOTEMPTY;

	for (int i = 0; i < ATTEMPTS && is_not_empty(rc) && all; i++) {
		all = remove_entries(r, d, level + 1);
		rc = eio_fs_rmdir(parent, name);
	}
	return rc;
}

/* One that cannot be opened may be empty; if it is not, what is told is why it was not opened.
 * Not inlined, to have the details of that on the stack no longer than needed. */
static __attribute__((noinline)) int remove_closed(struct eio_dir parent, const char *name, int rc)
{
	struct eio_error why = *eio_last_error();

	if (eio_fs_rmdir(parent, name) == 0)
		return 0;
	return eio__fail(rc, why.op, why.subject);
}

static int remove_dir(struct removal *r, struct eio_dir parent, const char *name, unsigned level)
{
	unsigned flags = EIO_DIR_NO_FOLLOW | (level > 0 ? EIO_DIR_NO_MOUNT : 0);
	struct eio_dir d;
	int rc;

	if (level == LEVELS)
		return move_up(r, parent, name);
	rc = eio__fs_open_dir(parent, NULL, name, flags, &d);
	if (rc == -ENOTDIR || rc == -ENOENT)
		return rc;
	if (rc < 0)
		return remove_closed(parent, name, rc);
	if (level == 0)
		r->top = d;
	rc = remove_open(r, d, parent, name, level);
	eio_dir_close(d);
	return rc;
}

/* What has the name of a directory goes, whatever it is by now. */
static bool remove_entry(struct removal *r, struct eio_dir parent, const char *name, unsigned level)
{
	bool is_dir = true;
	int rc = 0;

	for (int i = 0; i < ATTEMPTS; i++, is_dir = !is_dir) {
		rc = is_dir ? remove_dir(r, parent, name, level) : eio_fs_unlink(parent, name, 0);
		if (rc != (is_dir ? -ENOTDIR : -EISDIR))
			break;
	}
	return went_well(r, rc == -ENOENT ? 0 : rc);
}

/* Until nothing was too deep. */
static int remove_tree(struct eio_dir parent, const char *name)
{
	struct removal r = {.names = 0};

	do {
		r.moved = false;
		r.first.code = 0;
		if (remove_entry(&r, parent, name, 0))
			return 0;
	} while (r.moved);
	return eio__fail(r.first.code, r.first.op, r.first.subject);
}

/*
 * By its name beneath the handle of the directory that holds it, as all that is below. A path
 * would be resolved anew by every step, and with a slash behind it a symlink be followed that
 * has taken the tree's place.
 */
static int remove_path(struct eio_dir d, const char *path, const struct eio_path_parts *p)
{
	size_t before = (size_t) (p->base - path);
	char *copy = strndup(path, before + p->base_len);
	struct eio_dir parent;
	const char *name;
	int rc;

	if (!copy)
		rc = eio__fail(-ENOMEM, "rmtree", path);
	else if (eio__is_self_or_parent(copy + before))
		rc = eio__fail(-EINVAL, "rmtree", path);
	else
		rc = eio__fs_open_parent(d, copy, &parent, &name);
	if (rc == 0) {
		rc = remove_tree(parent, name);
		eio_dir_close(parent);
	}
	free(copy);
	return rc;
}

/* Neither "/" nor what only says "here" or "above" names a tree that can go. */
int eio_fs_rmtree(struct eio_dir d, const char *path, unsigned flags)
{
	struct eio_path_parts p;
	int rc = eio_fs_unlink(d, path, flags);

	if (rc != -EISDIR)
		return rc;
	if (!eio_path_split(path, &p))
		return eio__fail(-EINVAL, "rmtree", path);
	return remove_path(d, path, &p);
}
