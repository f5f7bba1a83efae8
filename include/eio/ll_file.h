/* SPDX-License-Identifier: ISC */
/*
 * Opening files, asking about them, their position, length and room, making them durable.
 *
 * Where a server answers for files (FUSE, NFS and their like) nothing here has the thread wait
 * for it. Before Linux 6.8, which does not tell such file systems without asking them, what opens
 * or asks about a file may; and so may what asks about one in an overlayfs, which has the files of
 * others.
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_FILE_H
#define EIO_LL_FILE_H

#include <eio/api.h>
#include <eio/fd.h>
#include <sys/stat.h>
#ifndef STATX_BASIC_STATS
#include <linux/stat.h> /* C libraries that do not know struct statx */
#endif

EIO_BEGIN_DECLS

/** As a directory: the working directory, paths confined to it. */
static const struct eio_fd EIO_CWD = {UINT32_MAX, 1};
/** As a directory: no confinement; relative paths start at the working directory. */
static const struct eio_fd EIO_FS = {UINT32_MAX, 2};

/**
 * Open a path relative to @p dir: confined for EIO_CWD and for handles.
 *
 * @param sw     Closes it at its end; NULL: the caller does.
 * @param flags  As open(2); O_CLOEXEC is added.
 * @return 0 and the handle, closed on every failure path.
 */
EIO_API EIO_NODISCARD int eio_ll_openat(struct eio_switch *sw, struct eio_fd dir, const char *path,
					int flags, mode_t mode, struct eio_fd *ret);

/** The same with explicit RESOLVE_… flags, nothing added to them; -EAGAIN is retried. */
EIO_API EIO_NODISCARD int eio_ll_openat2(struct eio_switch *sw, struct eio_fd dir, const char *path,
					 int flags, mode_t mode, uint64_t resolve,
					 struct eio_fd *ret);

/**
 * Ask about a path by statx.
 *
 * @param path    NULL or "": about @p dir itself.
 * @param follow  Follow a symlink at the end. Confined like eio_ll_openat.
 */
EIO_API EIO_NODISCARD int eio_ll_statx(struct eio_fd dir, const char *path, bool follow,
				       unsigned mask, struct statx *ret);

/** Ask about an open descriptor: 0. */
EIO_API EIO_NODISCARD int eio_ll_fstat(struct eio_fd fd, struct statx *ret);

/**
 * Move the position of an open file.
 *
 * @param whence   As lseek(2). SEEK_DATA and SEEK_HOLE (-ENXIO behind the last) are looked for
 *   by a thread, and so is SEEK_END where a server answers for the file; the others directly.
 * @param ret_pos  Optional: the new position.
 * @return 0; -ESPIPE if it has none.
 * @since 0.1
 */
EIO_API int eio_ll_lseek(struct eio_fd fd, int64_t off, int whence, int64_t *ret_pos);

/**
 * Make a file as long as @p length, by cutting it or with a hole: 0.
 *
 * By a thread before Linux 6.9 (see eio_ll_in_thread). -EINVAL if it is not open for writing.
 *
 * @since 0.1
 */
EIO_API int eio_ll_ftruncate(struct eio_fd fd, int64_t length);

/**
 * Reserve, remove or shift room in a file: 0; -EOPNOTSUPP if its file system cannot.
 *
 * @param mode  As fallocate(2): 0, or FALLOC_FL_… flags.
 * @cancel After -ECANCELED a part of it may have been done.
 * @since 0.1
 */
EIO_API int eio_ll_fallocate(struct eio_fd fd, int mode, int64_t off, int64_t len);

/**
 * Tell the kernel how a part of a file will be used: 0.
 *
 * @param len     0, or more than 64 TiB: up to the end. More than 1 GiB is told in pieces.
 * @param advice  POSIX_FADV_….
 * @since 0.1
 */
EIO_API int eio_ll_fadvise(struct eio_fd fd, int64_t off, int64_t len, int advice);

/**
 * Start writing a part of a file to the disk, or wait for that, as sync_file_range(2): 0.
 *
 * It makes nothing durable: metadata and the disk's own cache are left alone.
 *
 * @param len    0, or more than 64 TiB: up to the end. More than 1 GiB is done in pieces.
 * @param flags  SYNC_FILE_RANGE_….
 * @since 0.1
 */
EIO_API int eio_ll_sync_file_range(struct eio_fd fd, int64_t off, int64_t len, unsigned flags);

/** Wait until data and metadata are on stable storage: 0. */
EIO_API int eio_ll_fsync(struct eio_fd fd);

/** The same for the data alone: 0. */
EIO_API int eio_ll_fdatasync(struct eio_fd fd);

EIO_END_DECLS

#endif
