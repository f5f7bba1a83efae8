/* SPDX-License-Identifier: ISC */
/*
 * Copying a file, by the first of these ways that the file systems let:
 *
 *   sharing    one call for the whole file, which then has its blocks twice (FICLONE)
 *   segments   of a file with holes its data only: between them the copy has holes too
 *   flows      from front to back, as eio_flow_copy does, which shares blocks if it can
 *
 * A small file without holes goes the last way at once: its one piece shares as well, and
 * costs no more. Lengths are hints, as for loading: it is copied up to where reading ends.
 *
 * The target is not emptied before it is known to be another file, and only a file that the
 * call has made is removed when it fails.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/fs.h"

#include <eio/low_level.h>
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* From here on a call of its own, on a thread, costs little beside the copying. */
enum { SHARE_LEAST = 1024 * 1024 };

struct copying {
	const struct eio_copy_file *opts;
	struct eio_flow src, dst;
	struct eio_stat from; /* kind unknown: it has no descriptor */
	bool made;            /* the target, by this call */
	uint64_t moved;       /* bytes of data */
	uint64_t len;         /* of the copy */
};

/* Content */

static int note_moved(uint64_t n, void *arg)
{
	struct copying *c = arg;

	c->moved += n;
	return c->opts->moved ? c->opts->moved(n, c->opts->arg) : 0;
}

static int copy_flows(struct copying *c, uint64_t max, uint64_t *ret_n)
{
	return eio_flow_copy_n(c->src, c->dst, max, note_moved, c, ret_n);
}

struct pair {
	int from, to;
};

static int share(void *arg)
{
	const struct pair *p = arg;

	return ioctl(p->to, FICLONE, p->from) < 0 ? -EOPNOTSUPP : 0;
}

/* 0, -ECANCELED, or another code: there is no sharing between the two. */
static int share_blocks(struct copying *c)
{
	struct eio_fd from, to;
	struct pair p = {-1, -1};
	int rc = eio_flow_fd(c->src, &from);

	if (rc == 0)
		rc = eio_flow_fd(c->dst, &to);
	if (rc < 0 || eio__domain_self()->indirect)
		return -EOPNOTSUPP;
	p.from = eio_fd_use(from);
	p.to = eio_fd_use(to);
	rc = p.from >= 0 && p.to >= 0 ? eio_ll_in_thread(share, &p) : -EBADF;
	if (p.to >= 0)
		eio_fd_unuse(to);
	if (p.from >= 0)
		eio_fd_unuse(from);
	return rc;
}

/* The next segment of data at or behind *end: 1; 0: there is none. Both files are there then. */
static int next_segment(struct copying *c, int64_t *start, int64_t *end)
{
	int rc = eio_file_seek(c->src, *end, SEEK_DATA, start);

	if (rc == 0)
		rc = eio_file_seek(c->src, *start, SEEK_HOLE, end);
	if (rc == 0)
		rc = eio_file_seek(c->src, *start, SEEK_SET, NULL);
	if (rc == 0)
		rc = eio_file_seek(c->dst, *start, SEEK_SET, NULL);
	return rc == -ENXIO ? 0 : rc < 0 ? rc : 1;
}

/* What is behind the last segment is a hole, unless the file ended before the end it told of. */
static int copy_segments(struct copying *c)
{
	int64_t start = 0, end = 0;
	uint64_t n;
	int rc;

	while ((rc = next_segment(c, &start, &end)) > 0) {
		rc = copy_flows(c, (uint64_t) (end - start), &n);
		if (rc < 0)
			return rc;
		if (n < (uint64_t) (end - start)) {
			c->len = (uint64_t) start + n;
			return eio_file_truncate(c->dst, (int64_t) c->len);
		}
	}
	if (rc < 0)
		return rc;
	c->len = c->from.size > (uint64_t) end ? c->from.size : (uint64_t) end;
	return eio_file_truncate(c->dst, (int64_t) c->len);
}

static bool has_holes(const struct eio_stat *st)
{
	return st->blocks < st->size / 512;
}

static int copy_content(struct copying *c, bool files)
{
	if (files && (c->from.size >= SHARE_LEAST || has_holes(&c->from))) {
		int rc = share_blocks(c);

		if (rc == 0) {
			c->len = c->from.size;
			return note_moved(c->len, c);
		}
		if (rc == -ECANCELED)
			return rc;
		if (has_holes(&c->from))
			return copy_segments(c);
	}
	return copy_flows(c, UINT64_MAX, &c->len);
}

/* The two files */

static int open_source(struct copying *c, struct eio_dir d, const char *path)
{
	int rc = eio_fs_open_in(d, NULL, path, &c->src);

	if (rc < 0)
		return rc;
	rc = eio_file_stat(c->src, &c->from);
	if (rc == -ENOTSUP) {
		c->from = (struct eio_stat){.kind = EIO_KIND_UNKNOWN, .mode = 0666};
		rc = 0;
	} else if (rc == 0 && c->from.kind != EIO_KIND_REGULAR) {
		rc = c->from.kind == EIO_KIND_DIRECTORY ? -EISDIR : -EINVAL;
	}
	if (rc < 0)
		(void) eio_flow_close(c->src);
	return eio__fail(rc, "open", path);
}

static int try_target(struct copying *c, struct eio_dir d, const char *path,
		      enum eio_create_how how)
{
	uint32_t mode = c->opts->mode ? c->opts->mode : c->from.mode & 0777;
	struct eio_create create = {.how = how, .mode = mode ? mode : 0200};
	int rc = eio_fs_open_out(d, NULL, path, &create, &c->dst);

	c->made = rc == 0 && how == EIO_CREATE_EXCLUSIVE;
	if (!c->made || mode)
		return rc;
	rc = eio__fs_chmod_made(d, path, c->dst, 0);
	if (rc < 0) {
		(void) eio_flow_close(c->dst);
		eio__fs_remove(d, path);
	}
	return rc;
}

/* Whether the call makes it is to be known, so it is tried both ways. What is made by another
 * meanwhile is taken as it is; a symlink to nowhere is there, and cannot be opened. */
static int open_target(struct copying *c, struct eio_dir d, const char *path)
{
	enum eio_create_how how = c->opts->how;
	int rc;

	if (how == EIO_CREATE_NEVER || how == EIO_CREATE_EXCLUSIVE)
		return try_target(c, d, path, how);
	rc = try_target(c, d, path, EIO_CREATE_NEVER);
	if (rc == -ENOENT)
		rc = try_target(c, d, path, EIO_CREATE_EXCLUSIVE);
	if (rc != -EEXIST)
		return rc;
	rc = try_target(c, d, path, EIO_CREATE_NEVER);
	return rc == -ENOENT ? eio__fail(-EEXIST, "open", path) : rc;
}

static bool is_same(const struct eio_stat *a, const struct eio_stat *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* Empties the target, and says whether both are files. One that is empty already is left
 * alone: when it is closed after a truncation some file systems write it to the disk. */
static int prepare(struct copying *c, bool *ret_files)
{
	struct eio_stat to;
	int rc = eio_file_stat(c->dst, &to);

	*ret_files = false;
	if (rc < 0)
		return rc == -ENOTSUP ? 0 : rc;
	if (to.kind == EIO_KIND_FIFO)
		return -EINVAL;
	if (to.kind != EIO_KIND_REGULAR)
		return 0;
	*ret_files = c->from.kind == EIO_KIND_REGULAR;
	if (*ret_files && is_same(&c->from, &to))
		return eio__fail(-EINVAL, "copy onto itself", NULL);
	return to.size > 0 ? eio_file_truncate(c->dst, 0) : 0;
}

static int fill_target(struct copying *c, struct eio_dir d, const char *path)
{
	bool files;
	int rc = prepare(c, &files);

	if (rc == 0)
		rc = copy_content(c, files);
	rc = eio__fs_close_written(c->dst, rc, c->opts->sync);
	if (rc == 0 && c->opts->sync)
		rc = eio__fs_sync_name(d, path);
	if (rc < 0 && c->made)
		eio__fs_remove(d, path);
	return rc;
}

/* Reading fails for the source, anything else for the target. */
static int blame(int rc, const char *src, const char *dst)
{
	const struct eio_error *e = eio_last_error();
	const char *op = rc < 0 && e->code == rc ? e->op : "copy";

	return eio__fail(rc, op, strcmp(op, "read") == 0 ? src : dst);
}

int eio_fs_copy_file(struct eio_dir d, const char *src, struct eio_dir d2, const char *dst,
		     const struct eio_copy_file *opts, uint64_t *ret_len)
{
	static const struct eio_copy_file none;
	struct copying c = {.opts = opts ? opts : &none};
	int rc = eio__fs_enter(d2, dst, "copy");

	if (rc < 0)
		return rc;
	if ((unsigned) c.opts->how > EIO_CREATE_EXCLUSIVE || c.opts->how == EIO_CREATE_IF_MISSING ||
	    c.opts->mode & ~07777u)
		return eio__fail(-EINVAL, "copy", dst);
	rc = open_source(&c, d, src);
	if (rc < 0)
		return rc;
	rc = open_target(&c, d2, dst);
	if (rc == 0)
		rc = blame(fill_target(&c, d2, dst), src, dst);
	(void) eio_flow_close(c.src);
	if (rc < 0)
		return eio__fail_done(rc, "copy", c.moved);
	if (ret_len)
		*ret_len = c.len;
	return 0;
}
