/* SPDX-License-Identifier: ISC */
/*
 * Listing directories.
 *
 * The iterator opens the directory anew and reads it into a buffer of its own, one refill at
 * a time. The names it gives point into that buffer. The first word of every iterator is its
 * provider's table.
 *
 * A refill is one job of a thread: it reads entries, and where their kinds are missing or more
 * is to be known it asks for that, too. So however many entries there are, the fiber waits for
 * a thread once for each buffer. What the job has found out stands in the buffer:
 *
 *   d_type       the kind; DT_UNKNOWN: asking for it failed
 *   d_name ""    is not to be given: one of the directory's own names, or gone meanwhile
 *   stats[i]     of the entry i; kind EIO_KIND_UNKNOWN: it cannot be had
 */
#include "base/names.h"
#include "core/error.h"
#include "io/fs.h"

#include <dirent.h>
#include <eio/fiber.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* With what is known of them fewer at a time: that is longer than an entry, and takes longer. */
enum {
	NAMES_SIZE = 32 * 1024,
	STATS_SIZE = 16 * 1024,
	ENTRY_MIN = 24, /* of one byte's name */
};

/* Entries from pos to end are still to be given; next is the number of the one at pos. */
struct listing {
	const struct eio_dir_ops *ops;
	struct eio_fd fd;
	struct eio_stat *stats; /* NULL: not asked for */
	char *buf;
	unsigned size, pos, end, next;
	bool ended; /* there are no more to be read */
};

_Static_assert(sizeof(struct listing) <= sizeof(struct eio_dir_iter), "eio_dir_iter is too small");

static struct listing *listing_of(struct eio_dir_iter *it)
{
	return (struct listing *) it->eio_private;
}

/* The job of a thread */

struct refill {
	struct listing *l;
	int unix_fd;
};

/* A directory that was removed is at its end. */
static int read_entries(const struct refill *r, size_t pos)
{
	long n = syscall(SYS_getdents64, r->unix_fd, r->l->buf + pos, r->l->size - pos);

	return n >= 0 ? (int) n : errno == ENOENT ? 0 : -errno;
}

/* Asks about an entry, and notes the answer. */
static void ask(const struct refill *r, struct dirent *e, struct eio_stat *ret)
{
	struct statx stx;
	long rc = syscall(SYS_statx, r->unix_fd, e->d_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
			  ret ? STATX_BASIC_STATS | STATX_BTIME : STATX_TYPE, &stx);

	if (rc == 0) {
		e->d_type = IFTODT(stx.stx_mode);
		if (ret)
			eio__stat_of(&stx, ret);
	} else if (errno == ENOENT) {
		e->d_name[0] = '\0';
	} else if (ret) {
		ret->kind = EIO_KIND_UNKNOWN;
	}
}

static void complete_entries(const struct refill *r, int len)
{
	struct eio_stat *stat = r->l->stats;

	for (int pos = 0; pos < len;) {
		struct dirent *e = (struct dirent *) (r->l->buf + pos);

		pos += e->d_reclen;
		if (eio__is_self_or_parent(e->d_name))
			e->d_name[0] = '\0';
		else if (stat || e->d_type == DT_UNKNOWN)
			ask(r, e, stat);
		if (stat)
			stat++;
	}
}

/* Up to the end if it is near: the kernel tells it only by giving nothing. A failure counts if
 * nothing was read before it; else the next refill meets it. */
static int refill_job(void *arg)
{
	const struct refill *r = arg;
	struct listing *l = r->l;
	int len = 0, n;

	do {
		n = read_entries(r, (size_t) len);
		if (n > 0)
			len += n;
	} while (n > 0 && (unsigned) len < l->size / 2);
	l->ended = n == 0;
	complete_entries(r, len);
	return n < 0 && len == 0 ? n : len;
}

/* 0 or a negative code; what was read is told by pos and end. */
static int refill(struct listing *l)
{
	struct refill r = {.l = l, .unix_fd = eio_fd_use(l->fd)};
	int rc = r.unix_fd;

	if (rc >= 0) {
		rc = eio_ll_in_thread(refill_job, &r);
		eio_fd_unuse(l->fd);
	}
	if (rc < 0)
		return eio__fail(rc, "getdents64", NULL);
	l->pos = l->next = 0;
	l->end = (unsigned) rc;
	return 0;
}

/* The provider */

static int make_buffer(struct listing *l, bool stats)
{
	l->size = stats ? STATS_SIZE : NAMES_SIZE;
	l->buf = malloc(l->size);
	if (stats)
		l->stats = malloc(STATS_SIZE / ENTRY_MIN * sizeof(*l->stats));
	return l->buf && (!stats || l->stats) ? 0 : -ENOMEM;
}

static void free_buffer(struct listing *l)
{
	free(l->stats);
	free(l->buf);
}

/* O_NONBLOCK, which means nothing to a directory, says that to open it does not wait: then what
 * is cached is opened directly. */
int eio__listing_begin(struct eio_dir d, const char *path, const struct eio_dir_opts *opts,
		       struct eio_dir_iter *it)
{
	struct listing *l = listing_of(it);
	int rc;

	*l = (struct listing){0};
	rc = eio_ll_openat(NULL, d.u.fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0, &l->fd);
	if (rc < 0)
		return rc;
	rc = make_buffer(l, opts->stat);
	if (rc < 0) {
		free_buffer(l);
		eio_fd_close(l->fd);
	}
	return eio__fail(rc, "getdents64", path);
}

/* Asks again what could not be found out: 1, 0 if it is gone or has no kind, or why not. */
static int ask_again(struct listing *l, const char *name, enum eio_file_kind *ret)
{
	struct statx stx;
	int rc = eio_ll_statx(l->fd, name, false, STATX_TYPE, &stx);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	*ret = eio__kind_of_mode(stx.stx_mode);
	return *ret != EIO_KIND_UNKNOWN;
}

/* 1, 0 if it is not to be given, or a negative code. */
static int give(struct listing *l, const struct dirent *e, const struct eio_stat *stat,
		struct eio_dir_entry *ret)
{
	enum eio_file_kind kind = eio__kind_of_mode(DTTOIF((unsigned) e->d_type));
	int rc = *e->d_name != '\0';

	if (rc > 0 && kind == EIO_KIND_UNKNOWN)
		rc = ask_again(l, e->d_name, &kind);
	if (rc <= 0)
		return rc;
	if (stat && stat->kind == EIO_KIND_UNKNOWN)
		stat = NULL;
	*ret = (struct eio_dir_entry){e->d_name, kind, e->d_ino, stat};
	return 1;
}

/* Entries go by whatever asking about them said, but for a cancellation: that is no answer. */
int eio__listing_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	struct listing *l = listing_of(it);
	int rc = 0;

	while (rc == 0) {
		const struct dirent *e = (const struct dirent *) (l->buf + l->pos);

		if (l->pos < l->end) {
			rc = give(l, e, l->stats ? &l->stats[l->next] : NULL, ret);
			if (rc == -ECANCELED)
				break;
			l->pos += e->d_reclen;
			l->next++;
		} else if (l->ended) {
			return 0;
		} else {
			rc = refill(l);
		}
	}
	return rc;
}

void eio__listing_end(struct eio_dir_iter *it)
{
	struct listing *l = listing_of(it);

	eio_fd_close(l->fd);
	free_buffer(l);
}

/* The calls */

int eio_fs_dir_begin_with(struct eio_dir_iter *it, struct eio_dir d, const char *path,
			  const struct eio_dir_opts *opts)
{
	static const struct eio_dir_opts none;
	int rc = eio__fs_enter(d, path, "list");

	if (rc < 0)
		return rc;
	if (!d.ops->iter_begin || !d.ops->iter_next)
		return eio__fail(-EOPNOTSUPP, "list", path);
	rc = d.ops->iter_begin(d, path, opts ? opts : &none, it);
	listing_of(it)->ops = d.ops;
	return rc;
}

int eio_fs_dir_begin(struct eio_dir_iter *it, struct eio_dir d, const char *path)
{
	return eio_fs_dir_begin_with(it, d, path, NULL);
}

int eio_fs_dir_next(struct eio_dir_iter *it, struct eio_dir_entry *ret)
{
	int rc = eio_check();

	return rc < 0 ? rc : listing_of(it)->ops->iter_next(it, ret);
}

void eio_fs_dir_end(struct eio_dir_iter *it)
{
	const struct eio_dir_ops *ops = listing_of(it)->ops;

	if (ops->iter_end)
		ops->iter_end(it);
}

/* Whole directories */

static int gather(struct eio__names *all, struct eio_dir d, const char *path)
{
	struct eio_dir_entry e;
	struct eio_dir_iter it;
	int rc = eio_fs_dir_begin(&it, d, path);

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_dir_next(&it, &e)) > 0) {
		rc = eio__fail(eio__names_add(all, e.name), "list", path);
		if (rc < 0)
			break;
	}
	eio_fs_dir_end(&it);
	return rc;
}

int eio_fs_read_dir(struct eio_dir d, const char *path, char ***ret_names, size_t *ret_n)
{
	struct eio__names all = {0};
	int rc = gather(&all, d, path);
	char **list = NULL;

	if (rc == 0) {
		list = eio__names_list(&all);
		if (!list)
			rc = eio__fail(-ENOMEM, "list", path);
	}
	free(all.text);
	if (rc < 0)
		return rc;
	*ret_names = list;
	if (ret_n)
		*ret_n = all.n;
	return 0;
}
