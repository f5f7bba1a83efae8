/* SPDX-License-Identifier: ISC */
/*
 * What <eio/process.h> and the low level have in common: the handle of a process, and the
 * descriptors it is given.
 */
#ifndef EIO_CHILD_H
#define EIO_CHILD_H

#include <eio/api.h>
#include <eio/fd.h>

EIO_BEGIN_DECLS

/** A process started here: a value, good until the end of its switch; -EBADF ever after, and
 *  in the child of a fork, whose process it is not. */
struct eio_process {
	void *eio_private;
	uint64_t eio_private_generation;
};

/** A descriptor and the number it has in the child. */
struct eio_inherit {
	struct eio_fd fd;
	int number;
};

EIO_END_DECLS

#endif
