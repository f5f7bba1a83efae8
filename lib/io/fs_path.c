/* SPDX-License-Identifier: ISC */
/*
 * Paths as text.
 */
#include <eio/fs.h>
#include <string.h>

static size_t without_slashes(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

bool eio_path_split(const char *path, struct eio_path_parts *ret)
{
	size_t end = without_slashes(path, strlen(path)), start = end;

	if (end == 0)
		return false;
	while (start > 0 && path[start - 1] != '/')
		start--;
	ret->dir_len = without_slashes(path, start);
	if (start > 0 && ret->dir_len == 0)
		ret->dir_len = 1;
	ret->base = path + start;
	ret->base_len = end - start;
	return true;
}
