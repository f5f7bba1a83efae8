/* SPDX-License-Identifier: ISC */
/*
 * Names in a directory: gathering them, of which nobody knows how many will come, for a sorted
 * list in one block.
 */
#ifndef EIO__NAMES_H
#define EIO__NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The names that every directory has for itself and the one above. */
static inline bool eio__is_self_or_parent(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* One after the other, each with its NUL. All zero: none yet; text is freed by who gathers. */
struct eio__names {
	char *text;
	size_t len, size, n;
};

/* 0 or -ENOMEM. */
int eio__names_add(struct eio__names *all, const char *name);

/* Pointers, sorted by bytes and with a NULL behind them, and names: free(3)d as one. NULL: no
 * memory. */
char **eio__names_list(const struct eio__names *all);

#endif
