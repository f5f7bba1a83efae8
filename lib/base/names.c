/* SPDX-License-Identifier: ISC */
#include "base/names.h"

#include <errno.h>
#include <stdlib.h>

int eio__names_add(struct eio__names *all, const char *name)
{
	size_t len = strlen(name) + 1;

	if (all->size - all->len < len) {
		size_t size = 2 * all->size + len + 4096;
		char *text = realloc(all->text, size);

		if (!text)
			return -ENOMEM;
		all->text = text;
		all->size = size;
	}
	memcpy(all->text + all->len, name, len);
	all->len += len;
	all->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

char **eio__names_list(const struct eio__names *all)
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
