/* SPDX-License-Identifier: ISC */
/*
 * Paths, beneath a capability.
 *
 * A struct eio_dir is the right to a directory and what is below it. Paths are
 * resolved beneath it by the kernel: "..", absolute paths and symlinks that lead out
 * give -EXDEV. Only env->fs takes every path (relative ones from the working
 * directory). What is done with a file once it is open stands in <eio/file.h>.
 */
#ifndef EIO_FS_H
#define EIO_FS_H

#include <eio/api.h>
#include <eio/file.h>
#include <eio/flow.h>

EIO_BEGIN_DECLS

struct eio_dir_ops;

/** A directory capability: a value. */
struct eio_dir {
	const struct eio_dir_ops *ops;
	union {
		struct eio_fd fd;
		void *ptr;
	} u;
};

/** What eio_fs_open_out does about a missing or an existing file. */
enum eio_create_how {
	EIO_CREATE_DEFAULT,     /**< = IF_MISSING */
	EIO_CREATE_NEVER,       /**< open an existing file */
	EIO_CREATE_IF_MISSING,  /**< create, or open as it is */
	EIO_CREATE_OR_TRUNCATE, /**< create, or empty it */
	EIO_CREATE_EXCLUSIVE,   /**< create; -EEXIST if it is there */
};

/** NULL or zeroed: all defaults. */
struct eio_create {
	enum eio_create_how how;
	uint32_t mode; /**< of a new file, before the umask; 0 = 0666 */
	bool append;
	void *reserved[4];
};

/** One entry of a directory. */
struct eio_dir_entry {
	const char *name; /**< valid until the next call on the iterator */
	enum eio_file_kind kind;
	uint64_t ino;
};

/** An incremental listing; opaque, in the caller's storage from begin to end. */
struct eio_dir_iter {
	void *eio_private[8];
};

/** What a provider of directories implements; path semantics as documented below. */
struct eio_dir_ops {
	const char *name;
	int (*open_in)(struct eio_dir d, struct eio_switch *sw, const char *path,
		       struct eio_flow *ret);
	int (*open_out)(struct eio_dir d, struct eio_switch *sw, const char *path,
			const struct eio_create *opts, struct eio_flow *ret);
	int (*open_dir)(struct eio_dir d, struct eio_switch *sw, const char *path,
			struct eio_dir *ret);
	int (*stat)(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret);
	int (*iter_begin)(struct eio_dir d, const char *path, struct eio_dir_iter *it);
	int (*iter_next)(struct eio_dir_iter *it, struct eio_dir_entry *ret);
	void (*iter_end)(struct eio_dir_iter *it);
	void *reserved[4]; /**< zero */
};

/**
 * Open a file for reading.
 *
 * Opening a FIFO does not wait for a writer; reading it does. Directories can be opened
 * too; reading one gives -EISDIR.
 *
 * @param sw  The file is closed at its end; NULL: the caller closes it.
 * @return 0, or -ENOENT, -EACCES, -EXDEV (leaves the directory), -ELOOP, -ENOTDIR,
 *   -EMFILE, -ENFILE, -ENOMEM, -ENAMETOOLONG, -EBADF (the directory is closed),
 *   -EAGAIN (somebody holds a lease on the file), -ECANCELED, -EINVAL, -EPERM.
 * @cancel Yes; a file opened although cancelled is returned, not lost.
 * @since 0.1
 */
EIO_API int eio_fs_open_in(struct eio_dir d, struct eio_switch *sw, const char *path,
			   struct eio_flow *ret);

/**
 * Open a file for reading and writing, by default creating it if it is missing.
 *
 * @return As eio_fs_open_in, and -EEXIST, -EISDIR, -EROFS, -ENOSPC, -EDQUOT.
 * @since 0.1
 */
EIO_API int eio_fs_open_out(struct eio_dir d, struct eio_switch *sw, const char *path,
			    const struct eio_create *opts, struct eio_flow *ret);

/** Open a directory below as a narrower capability; as eio_fs_open_in. @since 0.1 */
EIO_API int eio_fs_open_dir(struct eio_dir d, struct eio_switch *sw, const char *path,
			    struct eio_dir *ret);

/** Close a directory opened by eio_fs_open_dir: 0 or -EBADF. @since 0.1 */
EIO_API int eio_dir_close(struct eio_dir d);

/** The directory a tracked descriptor is open on, as a capability. @since 0.1 */
EIO_API struct eio_dir eio_dir_of_fd(struct eio_fd fd);

/** The descriptor of a directory: 0, or -ENOTSUP (env->cwd and env->fs have none). @since 0.1 */
EIO_API int eio_dir_fd(struct eio_dir d, struct eio_fd *ret);

/**
 * Ask about a path.
 *
 * @param follow  Follow a symlink at the end of the path (still beneath the directory).
 * @return 0, or as eio_fs_open_in.
 * @since 0.1
 */
EIO_API int eio_fs_stat(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret);

/**
 * Begin to list a directory.
 *
 * @return 0: end it with eio_fs_dir_end. Negative, as eio_fs_open_in: nothing to end.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fs_dir_begin(struct eio_dir_iter *it, struct eio_dir d,
					   const char *path);

/**
 * The next entry, in the file system's order, without "." and "..".
 *
 * @return 1 and the entry, its kind never unknown; 0 at the end; -ECANCELED, -EIO, ….
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fs_dir_next(struct eio_dir_iter *it, struct eio_dir_entry *ret);

/** End the listing. Never fails, cancelled or not. @since 0.1 */
EIO_API void eio_fs_dir_end(struct eio_dir_iter *it);

/**
 * List a whole directory, sorted bytewise.
 *
 * @param ret_names  A NULL-terminated array, one allocation: free(3) it.
 * @param ret_n      Optional: how many.
 * @return 0, or as eio_fs_open_in and -ENOMEM.
 * @since 0.1
 */
EIO_API int eio_fs_read_dir(struct eio_dir d, const char *path, char ***ret_names, size_t *ret_n);

EIO_END_DECLS

#endif
