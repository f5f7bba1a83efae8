/* SPDX-License-Identifier: ISC */
/*
 * Whole files, and their lines.
 *
 * What a file says of its length is a hint: files of /proc say 0 and have content, others
 * change while they are read. So room is made for that much and a little more, and the file is
 * read until it is at its end, which as a rule the room still holds.
 */
#include "core/error.h"
#include "io/copy.h"

#include <eio/fs.h>
#include <errno.h>
#include <limits.h>

/* Bytes to begin with; 0 for what has no length. */
static int room_for(struct eio_flow f, size_t *ret)
{
	uint64_t size = 0;
	int rc = eio_file_size(f, &size);

	if (rc < 0 && rc != -ENOTSUP)
		return rc;
	if (size > SSIZE_MAX - EIO__SINK_LEAST - 1)
		return -EFBIG;
	*ret = size > 0 ? (size_t) size + EIO__SINK_LEAST : 0;
	return 0;
}

int eio_fs_load(struct eio_dir d, const char *path, char **ret_data, size_t *ret_len)
{
	struct eio_flow f;
	size_t room;
	int rc = eio_fs_open_in(d, NULL, path, &f);

	if (rc < 0)
		return rc;
	rc = room_for(f, &room);
	if (rc == 0)
		rc = eio__flow_read_all(f, 0, room, ret_data, ret_len);
	(void) eio_flow_close(f);
	return eio__fail(rc, "load", path);
}

int eio_fs_lines_begin(struct eio_fs_lines *l, struct eio_dir d, const char *path, size_t max)
{
	int rc = eio_fs_open_in(d, NULL, path, &l->file);

	if (rc < 0)
		return rc;
	rc = eio_buf_reader_init(&l->reader, l->file, 0, max);
	if (rc < 0)
		(void) eio_flow_close(l->file);
	return eio__fail(rc, "read", path);
}

int eio_fs_lines_next(struct eio_fs_lines *l, char **ret, size_t *ret_len)
{
	return eio_buf_read_line(&l->reader, ret, ret_len);
}

void eio_fs_lines_end(struct eio_fs_lines *l)
{
	eio_buf_reader_fini(&l->reader);
	(void) eio_flow_close(l->file);
}
