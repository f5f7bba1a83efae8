/* SPDX-License-Identifier: ISC */
/*
 * Opening files, asking about them, their position, length and room, making them durable.
 *
 * What may wait for a disk goes by the ring, or to a thread where the kernel has no operation
 * for it. An open descriptor is asked and its position moved directly.
 */
#include "base/known.h"
#include "uring/call.h"
#include "uring/kind.h"
#include "uring/newer.h"
#include "uring/place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int eio_ll_openat2(struct eio_switch *sw, struct eio_fd dir, const char *path, int flags,
		   mode_t mode, uint64_t resolve, struct eio_fd *ret)
{
	int rc = eio__switch_ok(sw);

	if (rc == 0)
		rc = eio__open_unix(dir, path, flags, mode, resolve);
	if (rc < 0)
		return eio__fail(rc, "openat2", path);
	return eio_fd_of_unix(sw, rc, EIO_FD_CLOSE, ret);
}

int eio_ll_openat(struct eio_switch *sw, struct eio_fd dir, const char *path, int flags,
		  mode_t mode, struct eio_fd *ret)
{
	return eio_ll_openat2(sw, dir, path, flags, mode, eio__confinement(dir), ret);
}

int eio_ll_openat_direct(struct eio_switch *sw, struct eio_fd dir, const char *path, int flags,
			 mode_t mode, struct eio_fd *ret)
{
	int rc;

	if (eio__switch_ok(sw) < 0 || !eio__files_promise(eio__uring_self()))
		return eio_ll_openat(sw, dir, path, flags, mode, ret);
	rc = eio__open_direct(dir, path, flags, mode, eio__confinement(dir));
	return eio__fail(eio__files_track(sw, rc, 0, ret), "openat2", path);
}

static int ask_by_ring(int at, const char *path, int flags, unsigned mask, struct statx *ret)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin_bare(&c);
		if (sqe)
			io_uring_prep_statx(sqe, at, path, flags, mask, ret);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

/*
 * An open descriptor is asked directly: by the ring it would take a worker thread. What the
 * kernel knows is all there is to know if nobody else answers for the file; if somebody does,
 * he is asked by the ring. Where the kernel does not tell, directly.
 */
static int ask(int unix_fd, unsigned mask, struct statx *ret)
{
	unsigned mount = mask & EIO__STATX_MOUNT ? 0 : EIO__STATX_MOUNT;
	int rc = eio__known(unix_fd, mask | mount, ret);

	if (rc < 0)
		return rc;
	switch (eio__answers_of(ret)) {
	case EIO__BY_KERNEL:
		return 0;
	case EIO__BY_SERVER:
		return ask_by_ring(unix_fd, "", AT_EMPTY_PATH, mask, ret);
	case EIO__BY_ANYBODY:
		break;
	}
	return syscall(SYS_statx, unix_fd, "", AT_EMPTY_PATH, mask, ret) < 0 ? -errno : 0;
}

static int ask_place(struct eio_fd dir, const char *path, bool follow, unsigned mask,
		     struct statx *ret)
{
	struct eio__place p;
	int rc = eio_check();

	if (rc == 0)
		rc = eio__place_open(&p, dir, path, follow);
	if (rc < 0)
		return rc;
	rc = ask(p.unix_fd, mask, ret);
	eio__place_close(&p);
	return rc;
}

int eio_ll_statx(struct eio_fd dir, const char *path, bool follow, unsigned mask, struct statx *ret)
{
	bool anywhere = path && *path && eio__confinement(dir) == 0;
	int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
	int rc = anywhere ? ask_by_ring(AT_FDCWD, path, flags, mask, ret)
			  : ask_place(dir, path, follow, mask, ret);

	return eio__fail(rc, "statx", path);
}

int eio_ll_fstat(struct eio_fd fd, struct statx *ret)
{
	int rc = ask_place(fd, NULL, true, STATX_BASIC_STATS | STATX_BTIME, ret);

	return eio__fail(rc, "fstat", NULL);
}

/* Position, length, room */

struct seek {
	int unix_fd, whence;
	int64_t off;
};

static int seek(struct seek *s)
{
	s->off = lseek(s->unix_fd, s->off, s->whence);
	return s->off < 0 ? -errno : 0;
}

static int seek_job(void *arg)
{
	return seek(arg);
}

/* Looking for data or a hole may read the disk, and for the end ask a server. */
static bool seek_may_wait(const struct seek *s, struct eio_fd fd)
{
	if (s->whence == SEEK_END)
		return eio__kind(eio__slot(fd), fd) & EIO__FD_SERVED;
	return s->whence == SEEK_DATA || s->whence == SEEK_HOLE;
}

static int seek_pinned(struct seek *s, struct eio_fd fd)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	return seek_may_wait(s, fd) ? eio_ll_in_thread(seek_job, s) : seek(s);
}

int eio_ll_lseek(struct eio_fd fd, int64_t off, int whence, int64_t *ret_pos)
{
	struct seek s = {.unix_fd = eio__fd_use(fd), .whence = whence, .off = off};
	int rc = s.unix_fd;

	if (rc >= 0) {
		rc = seek_pinned(&s, fd);
		eio__fd_unuse(fd);
	}
	if (rc == 0 && ret_pos)
		*ret_pos = s.off;
	return eio__fail(rc, "lseek", NULL);
}

struct truncation {
	int unix_fd;
	int64_t length;
};

static int truncate_job(void *arg)
{
	const struct truncation *t = arg;

	return ftruncate(t->unix_fd, t->length) < 0 ? -errno : 0;
}

static int truncate_pinned(struct truncation *t)
{
	struct eio__uring *u = eio__uring_self();
	struct io_uring_sqe sqe = eio__blank();

	if (!u || !eio__ring_has(&u->ring, EIO__OP_FTRUNCATE))
		return eio_ll_in_thread(truncate_job, t);
	io_uring_prep_rw(EIO__OP_FTRUNCATE, &sqe, t->unix_fd, NULL, 0, (uint64_t) t->length);
	return eio__perform(&sqe);
}

int eio_ll_ftruncate(struct eio_fd fd, int64_t length)
{
	struct truncation t = {.unix_fd = eio__fd_use(fd), .length = length};
	int rc = t.unix_fd;

	if (rc >= 0) {
		rc = truncate_pinned(&t);
		eio__fd_unuse(fd);
	}
	return eio__fail(rc, "ftruncate", NULL);
}

int eio_ll_fallocate(struct eio_fd fd, int mode, int64_t off, int64_t len)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_fallocate(sqe, c.unix_fd, mode, off, len);
	} while (eio__finish(&c, sqe, 0));
	return eio__fail(c.res, "fallocate", NULL);
}

/*
 * What an entry says about a range has 32 bits for the length; a longer one goes in pieces,
 * and their borders are those of pages. Length 0 is all up to the end, in one piece, and so is
 * what would be too many: who says INT64_MAX means that.
 */
enum { PIECE = 1 << 30, PIECES_MAX = 1 << 16 };

static int about_range(struct eio_fd fd, int64_t off, int64_t len, int opcode, uint32_t how)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	if (off < 0 || len < 0 || off > INT64_MAX - len)
		return -EINVAL;
	if (len > (int64_t) PIECES_MAX * PIECE)
		len = 0;
	do {
		uint32_t piece = len < PIECE ? (uint32_t) len : PIECE - (uint32_t) (off % PIECE);

		do {
			sqe = eio__begin(&c, fd);
			if (sqe) {
				io_uring_prep_rw(opcode, sqe, c.unix_fd, NULL, piece,
						 (uint64_t) off);
				sqe->fadvise_advice = how; /* sync_range_flags is the same field */
			}
		} while (eio__finish(&c, sqe, 0));
		off += piece;
		len -= piece;
	} while (c.res == 0 && len > 0);
	return c.res;
}

int eio_ll_fadvise(struct eio_fd fd, int64_t off, int64_t len, int advice)
{
	int rc = about_range(fd, off, len, IORING_OP_FADVISE, (uint32_t) advice);

	return eio__fail(rc, "fadvise", NULL);
}

/* Stable storage */

int eio_ll_sync_file_range(struct eio_fd fd, int64_t off, int64_t len, unsigned flags)
{
	int rc = about_range(fd, off, len, IORING_OP_SYNC_FILE_RANGE, flags);

	return eio__fail(rc, "sync_file_range", NULL);
}

static int sync_file(struct eio_fd fd, unsigned flags)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin(&c, fd);
		if (sqe)
			io_uring_prep_fsync(sqe, c.unix_fd, flags);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

int eio_ll_fsync(struct eio_fd fd)
{
	return eio__fail(sync_file(fd, 0), "fsync", NULL);
}

int eio_ll_fdatasync(struct eio_fd fd)
{
	return eio__fail(sync_file(fd, IORING_FSYNC_DATASYNC), "fdatasync", NULL);
}
