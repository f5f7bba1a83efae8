/* SPDX-License-Identifier: ISC */
/*
 * What kind of file a handle is of, looked at once and then among its slot's flags, and whether
 * calls about the file are answered by this kernel alone.
 *
 * A file is somebody's where a file system has each call answered by another process or
 * machine: FUSE, NFS and their like. What asks them may take for ever, so it is left to the
 * kernel's workers. A file system is known by its mount, and mounts by the numbers that Linux
 * 6.8 gives them once and never again; an older kernel does not tell without asking.
 */
#ifndef EIO__KIND_H
#define EIO__KIND_H

#include "uring/fd.h"

struct statx;

enum eio__answers {
	EIO__BY_ANYBODY, /* not known */
	EIO__BY_KERNEL,
	EIO__BY_SERVER,
};

/* For the mask of a statx whose result is then looked at here. */
enum { EIO__STATX_MOUNT = 0x5000 }; /* STATX_MNT_ID | STATX_MNT_ID_UNIQUE, of newer headers */

enum eio__answers eio__answers_of(const struct statx *stx);

/* The same of the directory @p at, or "/". */
enum eio__answers eio__answers_at(int at, const char *path);

unsigned eio__kind_look(struct eio__slot *s, struct eio_fd fd);

/* The slot's flags, the kind among them; 0: the handle is closed. A direct handle is given a
 * number for it, which may suspend. */
static inline unsigned eio__kind(struct eio__slot *s, struct eio_fd fd)
{
	unsigned flags = s ? __atomic_load_n(&s->flags, __ATOMIC_RELAXED) : 0;

	return flags & EIO__FD_KIND_KNOWN ? flags : eio__kind_look(s, fd);
}

#endif
