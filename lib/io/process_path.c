/* SPDX-License-Identifier: ISC */
/*
 * Where a program may be: what execvp(3) would try, as a list that the child goes through, with
 * its own identity and from its own working directory.
 */
#include "core/error.h"
#include "io/process.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *path_in(const char *const *env)
{
	for (; *env; env++) {
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	}
	return NULL;
}

static size_t count_directories(const char *path)
{
	size_t n = 1;

	for (; *path; path++)
		n += *path == ':';
	return n;
}

/* The name in a directory; in the one without a name, which is the working directory, alone. */
static char *append(char *to, const char *dir, size_t len, const char *name)
{
	if (len > 0) {
		memcpy(to, dir, len);
		to[len++] = '/';
	}
	strcpy(to + len, name);
	return to + len + strlen(name) + 1;
}

int eio__process_candidates(const struct eio_spawn *spawn, const char ***ret)
{
	const char *name = eio__process_name(spawn), **list;
	const char *dir = spawn->env ? path_in(spawn->env) : getenv("PATH");
	size_t n;
	char *at;

	*ret = NULL;
	if (!*name || strchr(name, '/'))
		return 0;
	if (strlen(name) > NAME_MAX) /* in any directory; else the search would not find it */
		return eio__fail(-ENAMETOOLONG, "execve", name);
	if (!dir)
		dir = "/bin:/usr/bin";
	n = count_directories(dir);
	list = malloc((n + 1) * sizeof(*list) + strlen(dir) + n * (strlen(name) + 2));
	if (!list)
		return eio__fail(-ENOMEM, "spawn", name);
	at = (char *) (list + n + 1);
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(dir, ":");

		list[i] = at;
		at = append(at, dir, len, name);
		dir += len + 1;
	}
	list[n] = NULL;
	*ret = list;
	return 0;
}
