/* SPDX-License-Identifier: ISC */
#include "uring/direct.h"
#include "uring/call.h"

#include <eio/ll_direct.h>
#include <sys/resource.h>

enum { FILES_DEFAULT = 65536 };

void eio__files_init(struct eio__files *t, const struct eio_config *config)
{
	struct rlimit limit = {FILES_DEFAULT, FILES_DEFAULT};
	unsigned most = config->n_files ? EIO__FILES_MAX : FILES_DEFAULT;

	/* The kernel makes no more than the process may open. */
	getrlimit(RLIMIT_NOFILE, &limit);
	t->wanted = limit.rlim_cur < most ? (unsigned) limit.rlim_cur : most;
	if (config->n_files && config->n_files < t->wanted)
		t->wanted = config->n_files;
	eio__list_init(&t->slots);
}

void eio__files_fini(struct eio__uring *u)
{
	struct eio__files *t = &u->files;

	while (!eio__list_empty(&t->slots))
		eio__slot_lose_table(eio__container_of(t->slots.next, struct eio__slot, in_table));
	if (t->size)
		io_uring_unregister_files(&u->ring.uring);
}

/*
 * Before Linux 6.13 a file that has left the table stays open while any operation on another
 * file of the table is in flight that began earlier: a peer would wait for ever for the end
 * of a connection that was closed. The first feature that such a kernel cannot have came
 * with 6.14, later than all that is needed for the table.
 */
static bool lets_go(const struct eio__ring *r)
{
	return r->uring.features & IORING_FEAT_RW_ATTR;
}

/* The program may have registered files of its own. */
static void make_table(struct eio__uring *u)
{
	struct eio__files *t = &u->files;

	t->tried = true;
	if (lets_go(&u->ring) && io_uring_register_files_sparse(&u->ring.uring, t->wanted) == 0)
		t->size = t->wanted;
}

bool eio__files_promise(struct eio__uring *u)
{
	if (!u)
		return false;
	if (!u->files.tried)
		make_table(u);
	if (u->files.used == u->files.size)
		return false;
	u->files.used++;
	return true;
}

void eio__files_aim_at_free(struct io_uring_sqe *sqe)
{
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
}

int eio__files_track(struct eio_switch *sw, int rc, unsigned flags, struct eio_fd *ret)
{
	if (rc >= 0)
		return eio__fd_of_index(sw, (unsigned) rc, flags, ret);
	eio__uring_self()->files.used--;
	return rc;
}

/* What has to be done, whatever becomes of the caller. */
static int await(struct eio__uring *u, struct io_uring_sqe *sqe)
{
	struct eio__op op;

	return eio__op_await(u, &op, sqe, &eio__op_wait_protected);
}

void eio__files_close(struct eio__uring *u, unsigned place)
{
	struct io_uring_sqe *sqe = eio__sqe(u, false);

	io_uring_prep_close_direct(sqe, place);
	await(u, sqe);
	u->files.used--;
}

void eio__files_close_at_once(struct eio__uring *u, unsigned place)
{
	int none = -1;

	io_uring_register_files_update(&u->ring.uring, place, &none, 1);
	u->files.used--;
}

int eio__files_install(struct eio__uring *u, unsigned place)
{
	struct io_uring_sqe *sqe = eio__sqe(u, false);

	/* Close-on-exec unless asked otherwise. */
	io_uring_prep_rw(EIO__OP_FIXED_FD_INSTALL, sqe, eio__target_of_index(place), NULL, 0, 0);
	return await(u, sqe);
}

/* The place the kernel chose for a descriptor, or a code. */
static int enter_file(struct eio__uring *u, int unix_fd)
{
	struct io_uring_sqe *sqe = eio__sqe(u, false);
	int place = unix_fd, rc;

	io_uring_prep_files_update(sqe, &place, 1, (int) IORING_FILE_INDEX_ALLOC);
	rc = await(u, sqe);
	return rc == 1 ? place : rc < 0 ? rc : -EIO;
}

static int enter_slot(struct eio__uring *u, struct eio__slot *s)
{
	int unix_fd = __atomic_load_n(&s->unix_fd, __ATOMIC_RELAXED), place, rc;

	if (__atomic_load_n(&s->table, __ATOMIC_RELAXED) == u)
		return 0;
	if (unix_fd < 0)
		return -EPERM; /* another domain's direct one */
	if (!eio__files_promise(u))
		return u->files.size ? -ENFILE : -ENOTSUP;
	place = enter_file(u, unix_fd);
	if (place < 0) {
		u->files.used--;
		return place;
	}
	rc = eio__slot_enter_table(s, u, (unsigned) place);
	if (rc < 0)
		eio__files_close(u, (unsigned) place);
	/* Another fiber may have been faster. */
	return __atomic_load_n(&s->table, __ATOMIC_RELAXED) == u ? 0 : rc;
}

int eio_ll_fd_register(struct eio_fd fd)
{
	struct eio__slot *s = eio__slot(fd);
	struct eio__uring *u;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	if (!eio__slot_use(s, fd))
		return eio__fail(-EBADF, "register", NULL);
	rc = enter_slot(u, s);
	eio__slot_unuse(s);
	return eio__fail(rc, "register", NULL);
}
