/* SPDX-License-Identifier: ISC */
/*
 * Open files: flows with a descriptor. Opening them is a matter of <eio/fs.h>, reading and
 * writing where they are of <eio/flow.h>.
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

/** What is known of an open file: 0, -EBADF, -ENOTSUP for a flow without descriptor. @since 0.1 */
EIO_API int eio_file_stat(struct eio_flow f, struct eio_stat *ret);

/** Read at an offset; the file position stays. As eio_flow_read. @since 0.1 */
EIO_API EIO_NODISCARD ssize_t eio_file_pread(struct eio_flow f, void *buf, size_t len, int64_t off);

/** Write all of @p buf at an offset; the file position stays. As eio_flow_write. @since 0.1 */
EIO_API int eio_file_pwrite_all(struct eio_flow f, const void *buf, size_t len, int64_t off);

/** Wait until data and metadata are on stable storage: 0, -EIO, -ENOSPC, -ECANCELED. @since 0.1 */
EIO_API int eio_file_sync(struct eio_flow f);

EIO_END_DECLS

#endif
