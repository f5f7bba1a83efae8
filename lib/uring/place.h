/* SPDX-License-Identifier: ISC */
/*
 * Finding files: from a directory and a path to a descriptor.
 *
 * A directory is a handle, EIO_CWD or EIO_FS. Beneath the first two the kernel resolves with
 * RESOLVE_BENEATH, which only openat2 knows. So a call that has no such flag gets one of two
 * descriptors, and what it does with them cannot be raced out of the directory:
 *
 *   a place   the file itself, opened with O_PATH: for what is known of a file
 *   a parent  the directory that holds the last component, and that component's name: for
 *             what makes, removes and renames names, which never follows a link at the end
 *
 * Beneath EIO_FS the path itself is the name, and the working directory the parent.
 */
#ifndef EIO__PLACE_H
#define EIO__PLACE_H

#include "uring/fd.h"

#include <sys/types.h>

struct eio__place {
	int unix_fd;            /* a handle's, our own, or AT_FDCWD (parents only) */
	struct eio__slot *slot; /* the handle's, pinned; NULL: there is none */
	bool owned;             /* closed in the end */
};

/* EIO_CWD or EIO_FS, which have no slot. */
bool eio__is_working_dir(struct eio_fd dir);

/* The RESOLVE_… flags of paths beneath @p dir. */
uint64_t eio__confinement(struct eio_fd dir);

/* The number of a new descriptor, the caller's; close-on-exec. */
int eio__open_unix(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve);

/* The same without a number: the place it was promised in the ring's table (direct.h). */
int eio__open_direct(struct eio_fd dir, const char *path, int flags, mode_t mode, uint64_t resolve);

/* NULL or "" is the directory itself. 0 or a negative errno, with nothing to close then. */
int eio__place_open(struct eio__place *p, struct eio_fd dir, const char *path, bool follow);

/* *ret_name points into @p path, and keeps the slashes at its end. */
int eio__parent_open(struct eio__place *p, struct eio_fd dir, const char *path,
		     const char **ret_name);

void eio__place_close(struct eio__place *p);

#endif
