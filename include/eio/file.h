/* SPDX-License-Identifier: ISC */
/*
 * Open files: flows with a descriptor. Opening them is a matter of <eio/fs.h>, reading and
 * writing where they are of <eio/flow.h>.
 *
 * Offsets and lengths are in bytes. Calls at an offset leave the file's position alone, so
 * that any number of fibers may make them at the same time. Every call here returns
 *   -ECANCELED  the context was cancelled
 *   -EBADF      the flow is closed, or not open for what the call does
 *   -ENOTSUP    the flow has no descriptor (eio_flow_fd)
 *   -EPERM      this thread runs no domain with a ring
 * and, if it is given an offset or a length, or asks for a position,
 *   -EINVAL     it is negative
 *   -ESPIPE     the flow has no position: a pipe, a socket, a terminal
 * and besides what is said below what the system call of that name fails with: -EIO, -ENOMEM.
 * Fibers of any domain.
 */
#ifndef EIO_FILE_H
#define EIO_FILE_H

#include <eio/api.h>
#include <eio/flow.h>

EIO_BEGIN_DECLS

enum eio_file_kind {
	EIO_KIND_UNKNOWN,
	EIO_KIND_REGULAR,
	EIO_KIND_DIRECTORY,
	EIO_KIND_SYMLINK,
	EIO_KIND_FIFO,
	EIO_KIND_CHAR_DEVICE,
	EIO_KIND_BLOCK_DEVICE,
	EIO_KIND_SOCKET,
};

/** What is known of a file. Times are nanoseconds since 1970, cut to the range of int64_t. */
struct eio_stat {
	enum eio_file_kind kind;
	uint32_t mode; /**< permission bits only */
	uint32_t uid, gid, nlink, blksize;
	uint64_t dev, ino, size;
	uint64_t blocks; /**< of 512 bytes */
	int64_t atime_ns, mtime_ns, ctime_ns;
	int64_t btime_ns; /**< 0 where the file system does not keep it */
};

/** What is known of an open file: 0. @since 0.1 */
EIO_API int eio_file_stat(struct eio_flow f, struct eio_stat *ret);

/** How long a file is: 0. It is 0 bytes long where there is no such notion. @since 0.1 */
EIO_API int eio_file_size(struct eio_flow f, uint64_t *ret);

/* At an offset */

/**
 * Read at an offset.
 *
 * What is in the page cache is read directly, at times, if eio_fs_open_in opened the file.
 *
 * @param buf  Destination, borrowed for the call.
 * @param len  Its size; 0 returns 0. Of more than INT_MAX bytes a part is read.
 * @return Bytes read (> 0), 0 at or behind the end, or as said at the top.
 * @cancel Yes; waits for the kernel to let go of @p buf first. Bytes that arrived are
 *   returned although a cancellation came.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_file_pread(struct eio_flow f, void *buf, size_t len, int64_t off);

/**
 * Read exactly @p len bytes, of any number, at an offset.
 *
 * @return 0, EIO_EOF if the file ends before, or as eio_file_pread. On failure
 *   eio_last_error()->done tells how many bytes were stored.
 * @cancel Yes, between the pieces and inside one.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_file_pread_exact(struct eio_flow f, void *buf, size_t len,
					       int64_t off);

/**
 * Read at an offset into a vector, its first entries first.
 *
 * @param iov  Borrowed for the call. Of more than IOV_MAX entries the first are used.
 * @return As eio_file_pread, and -EINVAL for n < 0.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_file_preadv(struct eio_flow f, const struct iovec *iov, int n,
					      int64_t off);

/**
 * Write all of @p buf, of any length, at an offset.
 *
 * A file that was opened for appending gets it at its end, wherever @p off is. What lies
 * between the end and @p off becomes a hole.
 *
 * @return 0, or as said at the top, -ENOSPC, -EDQUOT, -EFBIG; then eio_last_error()->done
 *   tells how many bytes were written.
 * @cancel Yes, between the pieces and inside one.
 * @since 0.1
 */
EIO_API int eio_file_pwrite_all(struct eio_flow f, const void *buf, size_t len, int64_t off);

/**
 * Write at least one byte at an offset, by one operation.
 *
 * @param len  0 returns 0. Of more than INT_MAX bytes a part is written.
 * @return How many bytes were written, or as eio_file_pwrite_all.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_file_pwrite_some(struct eio_flow f, const void *buf, size_t len,
						   int64_t off);

/**
 * Write all of a vector, of any length, at an offset; it is not changed.
 *
 * @return As eio_file_pwrite_all, and -EINVAL for n < 0.
 * @since 0.1
 */
EIO_API int eio_file_pwritev(struct eio_flow f, const struct iovec *iov, int n, int64_t off);

/* Position and room */

/**
 * Move the position, from which eio_flow_read and eio_flow_write go on.
 *
 * @param whence   As lseek(2): SEEK_SET, SEEK_CUR, SEEK_END; SEEK_DATA and SEEK_HOLE, which
 *   give -ENXIO behind the last data, and may wait for the disk.
 * @param ret_pos  Optional: the new position.
 * @return 0; -EINVAL for another @p whence, or a position before the beginning.
 * @since 0.1
 */
EIO_API int eio_file_seek(struct eio_flow f, int64_t off, int whence, int64_t *ret_pos);

/**
 * Make a file as long as @p len, by cutting it or with a hole.
 *
 * @return 0, -EFBIG; -EINVAL also if it is not open for writing.
 * @cancel Yes; what has begun is done.
 * @since 0.1
 */
EIO_API int eio_file_truncate(struct eio_flow f, int64_t len);

/**
 * Reserve, remove or shift room in a file.
 *
 * @param mode  As fallocate(2): 0 reserves, and lengthens the file if need be; or
 *   FALLOC_FL_… flags.
 * @param len   At least 1.
 * @return 0, -ENOSPC, -EFBIG, -EOPNOTSUPP if the file system cannot.
 * @cancel Yes; a part of it may have been done.
 * @since 0.1
 */
EIO_API int eio_file_allocate(struct eio_flow f, int mode, int64_t off, int64_t len);

/**
 * Tell the kernel how a part of a file will be used.
 *
 * @param len     0, or more than 64 TiB: up to the end.
 * @param advice  POSIX_FADV_….
 * @return 0; -EINVAL also for an unknown advice.
 * @since 0.1
 */
EIO_API int eio_file_advise(struct eio_flow f, int64_t off, int64_t len, int advice);

/* Disks */

/** Wait until data and metadata are on stable storage: 0, -EIO, -ENOSPC, -EDQUOT; -EINVAL for
 *  what has none. @since 0.1 */
EIO_API int eio_file_sync(struct eio_flow f);

/** The same for data and what is needed to read them back, but not for times. @since 0.1 */
EIO_API int eio_file_datasync(struct eio_flow f);

/**
 * Have reads and writes go past the page cache, between the disk and the caller's memory, or
 * no longer (O_DIRECT).
 *
 * From then on memory, offsets and lengths must be multiples of what the disk asks for, 512 or
 * 4096 as a rule; else transfers fail with -EINVAL. Blocks of <eio/ll_fixed.h> are: they go
 * with eio_flow_fd and the calls of <eio/ll_rw.h>. A file whose length is no multiple is read
 * to its end all the same, and written with eio_file_truncate behind it.
 *
 * @param f  Changed with the file. Copies of it that were made before keep a thread waiting
 *   for the disk at times.
 * @return 0, or -EINVAL: the file system cannot.
 * @cancel Checked first; does not wait.
 * @since 0.1
 */
EIO_API int eio_file_direct(struct eio_flow *f, bool on);

EIO_END_DECLS

#endif
