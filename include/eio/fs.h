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
#include <eio/buf_read.h>
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
	/** With eio_dir_opts.stat: what eio_fs_stat says of it, links not followed; as long as
	 *  the name. NULL: not asked for, or not to be had, for want of rights say. */
	const struct eio_stat *stat;
};

/** How to list; NULL or zeroed: all defaults. */
struct eio_dir_opts {
	bool stat; /**< entries come with what is known of them, asked for many at a time */
	void *reserved[4];
};

/** An incremental listing; opaque, in the caller's storage from begin to end. */
struct eio_dir_iter {
	void *eio_private[8];
};

/** Flags of a provider's open_dir. */
enum {
	EIO_DIR_NO_FOLLOW = 1, /**< a symlink at the end of the path is no directory: -ENOTDIR */
	EIO_DIR_NO_MOUNT = 2,  /**< -EXDEV if there is a mount point on the way or at the end */
};

/** Flags of calls that remove. */
enum {
	EIO_MISSING_OK = 1, /**< that it is not there is success */
};

/**
 * What a provider of directories implements; path semantics as documented below.
 *
 * Paths and targets it gets are neither NULL nor empty, options never NULL. Without an operation
 * its call gives -EOPNOTSUPP, without close 0, without fd and native -ENOTSUP.
 */
struct eio_dir_ops {
	const char *name;
	int (*open_in)(struct eio_dir d, struct eio_switch *sw, const char *path,
		       struct eio_flow *ret);
	int (*open_out)(struct eio_dir d, struct eio_switch *sw, const char *path,
			const struct eio_create *opts, struct eio_flow *ret);
	int (*open_dir)(struct eio_dir d, struct eio_switch *sw, const char *path, unsigned flags,
			struct eio_dir *ret);
	int (*close)(struct eio_dir d);
	int (*fd)(struct eio_dir d, struct eio_fd *ret);
	int (*stat)(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret);
	int (*iter_begin)(struct eio_dir d, const char *path, const struct eio_dir_opts *opts,
			  struct eio_dir_iter *it);
	int (*iter_next)(struct eio_dir_iter *it, struct eio_dir_entry *ret);
	void (*iter_end)(struct eio_dir_iter *it);
	int (*mkdir)(struct eio_dir d, const char *path, uint32_t mode);
	int (*unlink)(struct eio_dir d, const char *path, bool rmdir);
	/* The second directory is of the same provider. */
	int (*rename)(struct eio_dir d, const char *old_path, struct eio_dir d2,
		      const char *new_path);
	int (*link)(struct eio_dir d, const char *old_path, struct eio_dir d2,
		    const char *new_path);
	int (*symlink)(struct eio_dir d, const char *path, const char *target);
	ssize_t (*read_link)(struct eio_dir d, const char *path, char *buf, size_t size);
	int (*chmod)(struct eio_dir d, const char *path, bool follow, uint32_t mode);
	int (*chown)(struct eio_dir d, const char *path, bool follow, uint32_t uid, uint32_t gid);
	int (*sync)(struct eio_dir d);
	ssize_t (*native)(struct eio_dir d, const char *path, char *buf, size_t size);
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

/**
 * The same for who walks a tree: a symlink at the end of @p path is not followed.
 *
 * With one name of a listing as the path there is no way out of @p d, even of one that leads
 * back into it, whatever other processes do to the tree meanwhile.
 *
 * @return As eio_fs_open_in; -ENOTDIR of a symlink. With a slash behind it the link is
 *   followed all the same.
 * @since 0.1
 */
EIO_API int eio_fs_open_dir_nofollow(struct eio_dir d, struct eio_switch *sw, const char *path,
				     struct eio_dir *ret);

/** Close a directory opened by one of these: 0 or -EBADF. Never -ECANCELED. @since 0.1 */
EIO_API int eio_dir_close(struct eio_dir d);

/** The directory a tracked descriptor is open on, as a capability. @since 0.1 */
EIO_API struct eio_dir eio_dir_of_fd(struct eio_fd fd);

/** The descriptor of a directory: 0, -EBADF for a zeroed one, or -ENOTSUP (env->cwd, env->fs and
 * many providers of a program's own have none). @since 0.1 */
EIO_API int eio_dir_fd(struct eio_dir d, struct eio_fd *ret);

/**
 * Ask about a path.
 *
 * @param follow  Follow a symlink at the end of the path (still beneath the directory).
 * @return 0, or as eio_fs_open_in.
 * @since 0.1
 */
EIO_API int eio_fs_stat(struct eio_dir d, const char *path, bool follow, struct eio_stat *ret);

/** What a path leads to: an enum eio_file_kind, never EIO_KIND_UNKNOWN, which is 0; or as
 * eio_fs_stat. @since 0.1 */
EIO_API int eio_fs_kind(struct eio_dir d, const char *path, bool follow);

/** Does the path lead to a regular file? Also false if that could not be found out: eio_fs_kind
 * says why. @since 0.1 */
EIO_API bool eio_fs_is_file(struct eio_dir d, const char *path);

/** Does the path lead to a directory? Otherwise as eio_fs_is_file. @since 0.1 */
EIO_API bool eio_fs_is_directory(struct eio_dir d, const char *path);

/*
 * Names: making, removing, renaming and reading them.
 *
 * A symlink at the end of a path is itself meant, and never followed. All wait for the file
 * system. Errors of all: -EXDEV  a path leaves its directory; -ENOENT  it is empty, or what
 * it begins with is missing; -ENOTDIR, -EACCES, -EPERM, -ENAMETOOLONG, -ELOOP, -EMFILE,
 * -ENFILE, -ENOMEM, -EBADF, -EROFS, -EIO; -EAGAIN  a path with ".." or symlinks, next to which
 * directories are renamed all the time; -EOPNOTSUPP  the provider cannot; -EINVAL  NULL;
 * -ECANCELED  nothing was done (of a network file system's server that is not certain).
 */

/**
 * Make a directory: 0.
 *
 * @param mode  Permissions before the umask, up to 07777.
 * @return 0, or an error of all, -EEXIST, -ENOSPC, -EDQUOT, -EMLINK, -EINVAL (the mode).
 * @since 0.1
 */
EIO_API int eio_fs_mkdir(struct eio_dir d, const char *path, uint32_t mode);

/**
 * Remove the name of anything but a directory: 0.
 *
 * @param flags  0 or EIO_MISSING_OK, with which -ENOENT is success.
 * @return 0, or an error of all, -EISDIR, -EBUSY, -EINVAL (unknown flags).
 * @since 0.1
 */
EIO_API int eio_fs_unlink(struct eio_dir d, const char *path, unsigned flags);

/** Remove an empty directory: 0, or an error of all, -ENOTEMPTY, -EBUSY (something is mounted
 * there), -EINVAL (the path ends in "."). @since 0.1 */
EIO_API int eio_fs_rmdir(struct eio_dir d, const char *path);

/**
 * Rename, within a directory or from one into another: 0.
 *
 * What had the new name is replaced in one step: anybody sees the one or the other.
 *
 * @return 0, or an error of all, and: -EXDEV  also when the two are on different file systems
 *   or of different providers; -EISDIR, -ENOTDIR, -ENOTEMPTY, -EEXIST  what has the new name
 *   cannot be replaced by this; -EINVAL  a directory would move into itself; -EBUSY, -ENOSPC,
 *   -EDQUOT, -EMLINK.
 * @since 0.1
 */
EIO_API int eio_fs_rename(struct eio_dir d, const char *old_path, struct eio_dir d2,
			  const char *new_path);

/**
 * Give a file a second name: 0. Of a symlink it is the link that gets it.
 *
 * @return As eio_fs_rename; -EEXIST  the new name is taken; -EPERM  it is a directory.
 * @since 0.1
 */
EIO_API int eio_fs_link(struct eio_dir d, const char *old_path, struct eio_dir d2,
			const char *new_path);

/**
 * Make a symlink: 0.
 *
 * @param target  Kept as it is. It may be any text: what leads out of the directory can be
 *   made, but not followed beneath it. Other programs would follow it.
 * @return 0, or an error of all, -EEXIST, -ENOSPC, -EDQUOT.
 * @since 0.1
 */
EIO_API int eio_fs_symlink(struct eio_dir d, const char *path, const char *target);

/**
 * Read where a symlink leads.
 *
 * @param buf  Gets the target and a NUL.
 * @return Its length without the NUL, or an error of all, -EINVAL (it is no symlink), -ERANGE
 *   (@p size is too small; 4096 is always enough on Linux).
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_fs_read_link(struct eio_dir d, const char *path, char *buf,
					       size_t size);

/**
 * Change permissions: 0.
 *
 * @param follow  Follow a symlink at the end of the path. A symlink has no permissions of its
 *   own: without following it gives -EOPNOTSUPP.
 * @param mode    Up to 07777; the umask does not matter.
 * @return 0, or an error of all, -EINVAL (the mode), -EAGAIN (see eio_ll_in_thread), -ENOSYS
 *   (before Linux 6.6, where /proc is not mounted).
 * @since 0.1
 */
EIO_API int eio_fs_chmod(struct eio_dir d, const char *path, bool follow, uint32_t mode);

/**
 * Change owner and group: 0. UINT32_MAX leaves one as it is.
 *
 * @param follow  Follow a symlink at the end of the path; else its own are changed.
 * @return 0, or an error of all, -EAGAIN (see eio_ll_in_thread).
 * @since 0.1
 */
EIO_API int eio_fs_chown(struct eio_dir d, const char *path, bool follow, uint32_t uid,
			 uint32_t gid);

/**
 * Wait until the names in the directory itself are on stable storage: 0.
 *
 * Files that were made, renamed or removed in it are found so after a crash; their contents
 * are a matter of eio_file_sync, sub-directories of calls of their own.
 *
 * @return 0, or an error of all; -EACCES  the directory may not be read.
 * @since 0.1
 */
EIO_API int eio_fs_sync(struct eio_dir d);

/**
 * Make a directory and those above it that are missing.
 *
 * Several fibers and processes may do so at once.
 *
 * @param mode       As of eio_fs_mkdir; those above get it too, and what its owner needs to make
 *   something in them.
 * @param exists_ok  That it is there is success if it is a directory, or a symlink to one.
 * @return 0, or as eio_fs_mkdir: -EEXIST  it is there, or something that is no directory;
 *   -ENOTDIR  something above is none. -ENOENT  another process removed what was just made, or a
 *   symlink leads nowhere: none is made where it leads. What was made stays.
 * @cancel Between two directories: what was made stays.
 * @since 0.1
 */
EIO_API int eio_fs_mkdirs(struct eio_dir d, const char *path, uint32_t mode, bool exists_ok);

/**
 * Remove what a path names, with all that is in it if it is a directory.
 *
 * Symlinks are removed and at no level followed, whatever other processes do to the tree
 * meanwhile; only those before the last component of @p path are, beneath @p d. What another
 * process removes first is as good as removed; a directory that one moves away while it is
 * emptied is emptied all the same. Mount points in the tree are not crossed: they, and the
 * directories above them, stay.
 *
 * Memory and open files are bounded, however deep and wide the tree is: a directory 16 levels
 * down is moved to the top of the tree first, as ".eio-removed-" and a number, and stays there if
 * it cannot be removed.
 *
 * What cannot be removed stays, the rest goes all the same. Several files of a directory are
 * removed at the same time.
 *
 * @param path   Its last component is a name: "/" and what ends in "." or ".." give -EINVAL.
 * @param flags  0 or EIO_MISSING_OK, with which -ENOENT is success.
 * @return 0, or the first failure: as eio_fs_unlink and eio_fs_rmdir, -ENOENT only of @p path
 *   itself; -EXDEV, -EBUSY  something is mounted there; -ENOTEMPTY, -EEXIST, -EISDIR  another
 *   process was in the way again and again.
 * @cancel Yes; what is gone is gone.
 * @since 0.1
 */
EIO_API int eio_fs_rmtree(struct eio_dir d, const char *path, unsigned flags);

/* Paths as text */

/** The parts of a path: its first @p dir_len bytes, and a name. Borrowed from it. */
struct eio_path_parts {
	size_t dir_len; /**< 0: the path is only a name */
	const char *base;
	size_t base_len; /**< no slash is in it or counted */
};

/**
 * Split a path at its last component, by its text alone.
 *
 *     path     dir    base
 *     "a"      ""     "a"
 *     "a/b/"   "a"    "b"
 *     "a//b"   "a"    "b"
 *     "/a"     "/"    "a"
 *     "a/.."   "a"    ".."
 *
 * @return true, or false for what has no last component: "", "/", "//".
 * @thread Any.
 * @since 0.1
 */
EIO_API bool eio_path_split(const char *path, struct eio_path_parts *ret);

/**
 * What a path is called outside this program: for messages, and for programs that take a path.
 *
 * Nothing is looked up and nothing promised: the directory may be moved at any time, and where
 * the system follows symlinks and ".." it is not confined. A path of env->cwd or env->fs is its
 * own answer; of another directory it is that one's absolute path, a slash, and @p path.
 *
 * @param buf  Gets it and a NUL.
 * @return Its length without the NUL; -ERANGE  @p size is too small; -ENOTSUP  it has none;
 *   -ENOENT  the directory was removed, or @p path is empty; -EXDEV  an absolute path of what is
 *   not env->fs; -ENOSYS  /proc is not mounted; -EBADF; -EINVAL  NULL.
 * @since 0.1
 */
EIO_API EIO_NODISCARD ssize_t eio_fs_native(struct eio_dir d, const char *path, char *buf,
					    size_t size);

/**
 * Begin to list a directory.
 *
 * The listing has its own position and a buffer of some ten KiB, however many entries there
 * are. It may be continued by another fiber, though only one at a time; listings of one
 * directory do not disturb each other.
 *
 * @param path  A symlink at its end is followed, beneath @p d.
 * @return 0: end it with eio_fs_dir_end. Negative, as eio_fs_open_in: nothing to end.
 * @cancel Yes.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fs_dir_begin(struct eio_dir_iter *it, struct eio_dir d,
					   const char *path);

/**
 * eio_fs_dir_begin with options.
 *
 * To ask about the entries of a directory this way is faster than eio_fs_stat for each: they
 * are read and asked about by a thread, some hundred at a time.
 *
 * @param opts  NULL = defaults; borrowed for the call.
 * @return As eio_fs_dir_begin.
 * @cancel Yes.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fs_dir_begin_with(struct eio_dir_iter *it, struct eio_dir d,
						const char *path, const struct eio_dir_opts *opts);

/**
 * The next entry, in the file system's order, without "." and "..".
 *
 * What is created or removed meanwhile may be given or not; all else is, once. A directory that
 * was removed itself is at its end. Waits for a thread once for every buffer of entries.
 *
 * @param ret  Its name, and stat, are good until the next call on the iterator.
 * @return 1 and the entry, its kind never unknown; 0 at the end, also if called again;
 *   -ECANCELED, -EIO, -EACCES and others of asking what an entry is, where the file system does
 *   not tell; -EAGAIN: no thread can be made. The entries after the one that failed may be had by
 *   further calls.
 * @cancel Yes; no entry is lost. A buffer that a thread is at is waited for.
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

/* Whole files */

/**
 * Read a whole file.
 *
 * Takes as much memory as the file is long, and a few KiB more while it reads. Files that say
 * to be empty and have content (/proc), FIFOs and devices are read to their end.
 *
 * @param ret_data  The bytes and a NUL behind them; the caller frees it. Written only on
 *   success.
 * @param ret_len   Optional: how many, without the NUL.
 * @return 0, or as eio_fs_open_in and eio_flow_read, -EISDIR, -ENOMEM, and -EFBIG if there can
 *   be no memory of that size.
 * @cancel Yes.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_fs_load(struct eio_dir d, const char *path, char **ret_data, size_t *ret_len);

/** How eio_fs_save saves. NULL or zeroed: all defaults. */
struct eio_save {
	/** As for eio_fs_open_out, but DEFAULT is OR_TRUNCATE, or with append IF_MISSING. */
	enum eio_create_how how;
	uint32_t mode; /**< of a new file, before the umask; 0 = 0666, or as said at atomic */
	bool append;   /**< write at the end */
	/**
	 * Who opens the path finds the old content or the new, never a part, and a failure leaves
	 * the old.
	 *
	 * A new file with another name (.eio-…) in the same directory is renamed when it is
	 * complete. It belongs to the caller. With mode 0 it has the permission bits of the file
	 * that it replaces; other links to that one keep the old content. A symlink is replaced,
	 * not followed; a directory gives -EISDIR, a FIFO, socket or device -EINVAL. The directory
	 * must be writable. With NEVER the file must be there before (-ENOENT), with EXCLUSIVE it
	 * must not, at the end, in a file system that has links (-EEXIST, -EPERM).
	 */
	bool atomic;
	/** Wait until content and name are on stable storage. */
	bool sync;
	void *reserved[4];
};

/**
 * Write a whole file.
 *
 * @param data  Borrowed for the call.
 * @return 0, or as eio_fs_open_out, eio_flow_write and, if asked for, eio_file_sync,
 *   eio_fs_sync and eio_fs_rename; -EINVAL also for atomic with append or IF_MISSING. A failure
 *   of the last of them, eio_fs_sync, leaves the new content.
 * @cancel Yes, and as any failure: the old content stays if it is atomic; else a part of
 *   the new one may be there.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_fs_save(struct eio_dir d, const char *path, const void *data, size_t len,
			const struct eio_save *opts);

/** A file that is read line by line; in the caller's storage from begin to end. */
struct eio_fs_lines {
	struct eio_buf_reader reader; /**< other calls of <eio/buf_read.h> may be made on it */
	struct eio_flow file;
};

/**
 * Begin to read the lines of a file.
 *
 * @param max  The longest line with its end, in bytes; 0 = 65536.
 * @return 0: end it with eio_fs_lines_end. Nothing to end after -EINVAL (@p max is beyond
 *   INT_MAX), or as eio_fs_open_in.
 * @cancel Yes.
 * @thread A fiber of any domain; the lines are its own.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fs_lines_begin(struct eio_fs_lines *l, struct eio_dir d,
					     const char *path, size_t max);

/**
 * The next line, without LF or CR LF.
 *
 * @param ret      NUL-terminated, valid until the next call; it may be written to.
 * @param ret_len  Optional: its length.
 * @return 1; 0 at the end; EIO_ELIMIT  the line is longer than max; or as eio_flow_read. After
 *   a failure the same line may be asked for again.
 * @cancel Yes, unless a line is buffered already.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_fs_lines_next(struct eio_fs_lines *l, char **ret, size_t *ret_len);

/** End it. Never fails, cancelled or not. @since 0.1 */
EIO_API void eio_fs_lines_end(struct eio_fs_lines *l);

/** How eio_fs_copy_file copies. NULL or zeroed: all defaults. */
struct eio_copy_file {
	/** DEFAULT and OR_TRUNCATE: make the target, or empty it; NEVER: it is there (-ENOENT);
	 * EXCLUSIVE: it is not (-EEXIST). */
	enum eio_create_how how;
	uint32_t mode; /**< of a new file, before the umask; 0 = the source's permission bits */
	bool sync;     /**< wait until content and name are on stable storage */
	/** Optional, as for eio_flow_copy_n. Holes are not told of. */
	int (*moved)(uint64_t n, void *arg);
	void *arg;
	void *reserved[4];
};

/**
 * Copy a file.
 *
 * Its blocks are shared where the file system can, until one of the two is written; else the
 * kernel copies them. Holes stay holes. Files that say to be empty and have content (/proc) are
 * copied to their end. A file that changes meanwhile may come out as a mixture.
 *
 * @param src      A regular file, or -EINVAL, -EISDIR.
 * @param dst      A symlink there is followed, but not to nowhere (-EEXIST). May be a device; a
 *   FIFO gives -EINVAL.
 * @param ret_len  Optional: how long the copy is.
 * @return 0, or as eio_fs_open_in, eio_fs_open_out, eio_flow_copy and, if asked for,
 *   eio_file_sync and eio_fs_sync, what opts->moved returned, and -EINVAL: both are the same
 *   file, which stays as it is, or @p opts make no sense. eio_last_error()->done tells how many
 *   bytes had been copied.
 * @cancel Yes, and as any failure: a target that the call has made is removed, one that was
 *   there before has a part of the new content.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API int eio_fs_copy_file(struct eio_dir d, const char *src, struct eio_dir d2, const char *dst,
			     const struct eio_copy_file *opts, uint64_t *ret_len);

EIO_END_DECLS

#endif
