/* SPDX-License-Identifier: ISC */
/*
 * What files, directories of the kernel and their listings share.
 */
#ifndef EIO__IO_FS_H
#define EIO__IO_FS_H

#include <eio/fs.h>

struct statx;

/* From the S_IFMT bits of a mode. */
enum eio_file_kind eio__kind_of_mode(unsigned mode);
void eio__stat_of(const struct statx *stx, struct eio_stat *ret);

/* With EIO_DIR_… flags. */
int eio__fs_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path, unsigned flags,
		     struct eio_dir *ret);

/* Operations of <eio/fs.h>'s table. */
int eio__listing_begin(struct eio_dir d, const char *path, struct eio_dir_iter *it);
int eio__listing_next(struct eio_dir_iter *it, struct eio_dir_entry *ret);
void eio__listing_end(struct eio_dir_iter *it);

#endif
