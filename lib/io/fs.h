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
int eio__listing_begin(struct eio_dir d, const char *path, const struct eio_dir_opts *opts,
		       struct eio_dir_iter *it);
int eio__listing_next(struct eio_dir_iter *it, struct eio_dir_entry *ret);
void eio__listing_end(struct eio_dir_iter *it);

/* The caller's cancellation, then directory and path: 0 to go on. */
int eio__fs_enter(struct eio_dir d, const char *path, const char *op);

/* The directory that holds @p path, to be closed, and the name in it. */
int eio__fs_open_parent(struct eio_dir d, const char *path, struct eio_dir *ret,
			const char **ret_name);

/* Waits until the name at the end of @p path is on stable storage. */
int eio__fs_sync_name(struct eio_dir d, const char *path);

/* Sets the permissions of a file that was made, and is open still: of that one, although others
 * may have given its name to another meanwhile. */
int eio__fs_chmod_made(struct eio_dir d, const char *path, struct eio_flow f, uint32_t mode);

/* Removes what a failed call has made, if it is there, in a cancelled context too. */
void eio__fs_remove(struct eio_dir d, const char *path);

/* Ends the writing of a file that went as @p rc says: some file systems tell only now that
 * there was no room. */
int eio__fs_close_written(struct eio_flow f, int rc, bool sync);

#endif
