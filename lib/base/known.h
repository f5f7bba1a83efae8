/* SPDX-License-Identifier: ISC */
/*
 * What the kernel knows of an open file by itself. fstat(2) would have it ask who answers for the
 * file, a server or another process, and the whole domain would wait.
 */
#ifndef EIO__KNOWN_H
#define EIO__KNOWN_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef STATX_BASIC_STATS
#include <linux/stat.h> /* C libraries that do not know struct statx */
#endif

/* 0 or a negative errno. */
static inline int eio__known_at(int at, const char *path, unsigned mask, struct statx *ret)
{
	int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;

	return syscall(SYS_statx, at, path, flags, mask, ret) < 0 ? -errno : 0;
}

static inline int eio__known(int unix_fd, unsigned mask, struct statx *ret)
{
	return eio__known_at(unix_fd, "", mask, ret);
}

#endif
