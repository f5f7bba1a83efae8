/* SPDX-License-Identifier: ISC */
/*
 * Handles: opening, using and closing them. The states of their slots stand in fd.h.
 */
#include "uring/fd.h"
#include "core/error.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Release */

/* In the table's thread: the place the slot had, which is to be freed. */
static unsigned leave_table(struct eio__slot *s)
{
	unsigned place = eio__index_of_target(s->target);

	eio__list_remove(&s->in_table);
	__atomic_store_n(&s->target, s->unix_fd, __ATOMIC_RELAXED);
	__atomic_store_n(&s->table, NULL, __ATOMIC_RELAXED);
	return place;
}

/* What a slot that is released leaves to be closed here. */
struct rest {
	int unix_fd;              /* EIO__NO_NUMBER: nothing */
	struct eio__uring *table; /* NULL: nothing; another thread's place is left to it */
	unsigned place;
	bool fast; /* to close */
};

static struct rest take_rest(struct eio__slot *s, bool with_number)
{
	struct eio__uring *table = __atomic_load_n(&s->table, __ATOMIC_RELAXED);
	unsigned flags = __atomic_load_n(&s->flags, __ATOMIC_RELAXED);
	struct rest r = {.unix_fd = EIO__NO_NUMBER, .fast = flags & EIO__FD_CLOSES_FAST};

	if (with_number && flags & EIO_FD_CLOSE)
		r.unix_fd = s->unix_fd;
	if (unlikely(table) && table == eio__uring_self()) {
		r.table = table;
		r.place = leave_table(s);
	}
	return r;
}

/* In the owner's thread, for another one that released the slot. */
static void detach_remotely(struct eio__inbox_node *n)
{
	struct eio__slot *s = eio__container_of(n, struct eio__slot, remote);
	struct rest r = take_rest(s, false);

	s->owner = NULL;
	eio_hook_remove(&s->hook);
	if (r.table)
		eio__files_close_at_once(r.table, r.place);
	eio__slot_free(s);
}

static void detach_and_free(struct eio__slot *s)
{
	struct eio__domain *owner;

	eio__lock(&s->lock);
	owner = s->owner;
	if (owner && owner != eio__domain_self()) {
		/* With the lock held its switch, and so the domain, cannot end. */
		eio__waker_pin(&owner->waker);
		s->remote.fn = detach_remotely;
		eio__waker_push(&owner->waker, &s->remote);
		eio__unlock(&s->lock);
		eio__waker_unpin(&owner->waker);
		return;
	}
	s->owner = NULL;
	eio__unlock(&s->lock);
	if (owner)
		eio_hook_remove(&s->hook);
	eio__slot_free(s);
}

/* The waiter suspends exactly once, unless it is no fiber, or was the last user itself. While
 * suspended it may run the loop, and a completion there be the last user. */
static void wake_waiter(struct eio__slot_waiter *w)
{
	if (!w->fiber || (w->fiber == eio__self() && !w->fiber->wait))
		w->released = true;
	else
		eio__wake_any(w->fiber);
}

static int close_directly(int unix_fd)
{
	return close(unix_fd) < 0 ? -errno : 0;
}

int eio__close_unix(int unix_fd)
{
	struct eio__uring *u = eio__uring_self();
	struct io_uring_sqe *sqe;
	struct eio__op op;

#ifdef EIO__TSAN
	/* It follows descriptors by close(2), and takes a number that is used again for a
	 * race if the ring closed it. */
	u = NULL;
#endif
	if (!u)
		return close_directly(unix_fd);
	sqe = eio__sqe(u, false);
	io_uring_prep_close(sqe, unix_fd);
	return eio__op_await(u, &op, sqe, &eio__op_wait_protected);
}

/* Who waits for the slot's release, if anybody does, gets the number. */
static struct rest hand_over(struct eio__slot *s, struct eio__slot_waiter **ret_waiter)
{
	struct eio__slot_waiter *w = s->waiter;

	*ret_waiter = w;
	s->waiter = NULL;
	if (w) {
		w->left.unix_fd = s->unix_fd;
		w->left.owned = __atomic_load_n(&s->flags, __ATOMIC_RELAXED) & EIO_FD_CLOSE;
	}
	return take_rest(s, !w);
}

/*
 * The ring is for what takes long to close: files. A socket's close waits for nothing, or,
 * with SO_LINGER, for the peer, and then the ring waits in this very thread too. So it is
 * only one more suspension, most often of a fiber that is about to end.
 */
static int close_number(const struct rest *r)
{
	if (r->fast && eio__may_go_direct())
		return close_directly(r->unix_fd);
	return eio__close_unix(r->unix_fd);
}

static int close_rest(const struct rest *r)
{
	int rc = r->unix_fd < 0 ? 0 : close_number(r);

	if (r->table)
		eio__files_close(r->table, r->place);
	return rc;
}

/*
 * By the last user of a slot that is closing. Closing may wait, so a fiber waits for it:
 * when its switch has ended the descriptor is gone.
 */
void eio__slot_release(struct eio__slot *s)
{
	struct eio__slot_waiter *w;
	struct rest r = hand_over(s, &w);

	close_rest(&r);
	detach_and_free(s);
	if (w)
		wake_waiter(w);
}

/* The waiter is suspended, if it is this domain's, although it may be the one that polls. */
void eio__slot_unuse_at_once(struct eio__slot *s)
{
	struct eio__slot_waiter *w;
	struct rest r;

	if (!eio__slot_drop(s))
		return;
	r = hand_over(s, &w);
	if (r.unix_fd >= 0)
		close(r.unix_fd);
	if (r.table)
		eio__files_close_at_once(r.table, r.place);
	detach_and_free(s);
	if (w)
		eio__wake_any(w->fiber);
}

/* Sets the closing bit and, with @p users, adds the caller as one: 0, -EBADF if the handle
 * is not open, or -EPERM if there are users already and the caller wants to be @p alone. */
static int begin_close(struct eio__slot *s, struct eio_fd fd, unsigned users, bool alone,
		       uint64_t *ret_before)
{
	uint64_t state;

	if (!s)
		return -EBADF;
	state = __atomic_load_n(&s->state, __ATOMIC_RELAXED);
	do {
		if (!eio__slot_is_open(state, fd))
			return -EBADF;
		if (alone && state & EIO__SLOT_USERS)
			return -EPERM;
	} while (!eio__cas64(&s->state, &state, (state | EIO__SLOT_CLOSING) + users));
	*ret_before = state;
	return 0;
}

int eio_fd_close(struct eio_fd fd)
{
	struct eio__slot *s = eio__slot(fd);
	uint64_t before;
	int rc = begin_close(s, fd, 0, false, &before);
	struct rest r;

	if (rc < 0)
		return rc;
	if (before & EIO__SLOT_USERS)
		return 0; /* the last of them closes */
	r = take_rest(s, true);
	detach_and_free(s);
	return eio__fail(close_rest(&r), "close", NULL);
}

static void describe(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	(void) f;
	snprintf(buf, size, "users of fd %d",
		 ((const struct eio__slot_waiter *) arg)->left.unix_fd);
}

static const struct eio__wait waiting = {.what = "users of a descriptor", .describe = describe};

int eio__fd_detach(struct eio_fd fd, void (*cancel)(struct eio__slot *s), struct eio__detached *ret)
{
	struct eio__fiber *f = eio__self();
	struct eio__slot *s = eio__slot(fd);
	struct eio__slot_waiter w = {.fiber = f};
	uint64_t before;
	int rc = begin_close(s, fd, 1, !f, &before);

	if (rc < 0)
		return rc;
	/* The use that begin_close added keeps the slot ours until it is given up. */
	w.left.unix_fd = s->unix_fd;
	s->waiter = &w;
	if (cancel)
		cancel(s);
	eio__fd_unuse(fd); /* the last user releases, perhaps that was us */
	if (!w.released)
		eio__suspend(f, &waiting, &w);
	*ret = w.left;
	return 0;
}

int eio__fd_close_cancelling(struct eio_fd fd, void (*cancel)(struct eio__slot *s))
{
	struct eio__slot *s = eio__slot(fd);
	uint64_t before;
	int rc = begin_close(s, fd, 1, false, &before);

	if (rc < 0)
		return rc;
	cancel(s);
	eio__fd_unuse(fd);
	return 0;
}

/* Handles */

/* At the end of the switch. A release by another thread may be under way. */
static int close_with_switch(void *arg)
{
	struct eio__slot *s = arg;
	struct eio_fd fd = {.slot = s->index};
	int rc;

	eio__lock(&s->lock);
	/* While it has an owner the slot is not freed, so this is our handle's generation. */
	fd.generation = (uint32_t) (__atomic_load_n(&s->state, __ATOMIC_RELAXED) >> 32);
	if (!s->table)
		s->owner = NULL;
	eio__unlock(&s->lock);
	rc = eio_fd_close(fd);
	return rc == -EBADF ? 0 : rc;
}

int eio__switch_ok(const struct eio_switch *sw)
{
	return sw ? eio_switch_check(sw) : 0;
}

/* A slot for what is to be attached to @p sw: 0 or a negative code. */
static int new_slot(struct eio_switch *sw, unsigned flags, struct eio__slot **ret)
{
	int rc = eio__switch_ok(sw);

	if (rc < 0 && rc != -ECANCELED)
		return rc;
	*ret = eio__slot_take();
	if (!*ret)
		return -ENOMEM;
	__atomic_store_n(&(*ret)->flags, flags, __ATOMIC_RELAXED);
	(*ret)->owner = NULL;
	(*ret)->waiter = NULL;
	return 0;
}

/* The slot's handle is good from now on. */
static struct eio_fd open_slot(struct eio_switch *sw, struct eio__slot *s)
{
	uint64_t state = __atomic_load_n(&s->state, __ATOMIC_RELAXED);
	struct eio_fd fd = {.slot = s->index, .generation = (uint32_t) (state >> 32)};

	if (sw) {
		s->owner = eio__domain_self();
		eio_on_release(sw, &s->hook, close_with_switch, s);
	}
	/* Publishes the slot: a handle is passed on only after this. */
	__atomic_store_n(&s->state, state & ~EIO__SLOT_CLOSING, __ATOMIC_RELEASE);
	return fd;
}

int eio_fd_of_unix(struct eio_switch *sw, int unix_fd, unsigned flags, struct eio_fd *ret)
{
	struct eio__slot *s;
	int rc = unix_fd < 0 ? -EBADF : new_slot(sw, flags, &s);

	if (rc < 0) {
		if (flags & EIO_FD_CLOSE && unix_fd >= 0)
			close(unix_fd);
		return eio__fail(rc, "fd", NULL);
	}
	__atomic_store_n(&s->unix_fd, unix_fd, __ATOMIC_RELAXED);
	__atomic_store_n(&s->target, unix_fd, __ATOMIC_RELAXED);
	*ret = open_slot(sw, s);
	return 0;
}

int eio__fd_pair_of_unix(struct eio_switch *sw, const int unix_fds[2], struct eio_fd *ret_a,
			 struct eio_fd *ret_b)
{
	unsigned flags = EIO__FD_STREAM;
	struct eio_fd a, b;
	int rc;

	rc = eio_fd_of_unix(sw, unix_fds[0], flags, &a);
	if (rc < 0) {
		close(unix_fds[1]);
		return rc;
	}
	rc = eio_fd_of_unix(sw, unix_fds[1], flags, &b);
	if (rc < 0) {
		eio_fd_close(a);
		return rc;
	}
	*ret_a = a;
	*ret_b = b;
	return 0;
}

/* Registered and direct ones */

/* In the table's thread, with the lock held or before anybody else knows the slot. */
static void enter_table(struct eio__slot *s, struct eio__uring *u, unsigned place)
{
	s->owner = &u->domain;
	eio__list_append(&u->files.slots, &s->in_table);
	__atomic_store_n(&s->table, u, __ATOMIC_RELAXED);
	__atomic_store_n(&s->target, eio__target_of_index(place), __ATOMIC_RELAXED);
}

int eio__fd_of_index(struct eio_switch *sw, unsigned place, unsigned flags, struct eio_fd *ret)
{
	struct eio__uring *u = eio__uring_self();
	struct eio__slot *s;
	int rc = new_slot(sw, flags | EIO_FD_CLOSE, &s);

	if (rc < 0) {
		eio__files_close(u, place);
		return eio__fail(rc, "fd", NULL);
	}
	__atomic_store_n(&s->unix_fd, EIO__NO_NUMBER, __ATOMIC_RELAXED);
	enter_table(s, u, place);
	*ret = open_slot(sw, s);
	return 0;
}

int eio__slot_enter_table(struct eio__slot *s, struct eio__uring *u, unsigned place)
{
	int rc = 0;

	eio__lock(&s->lock);
	if (s->table || (s->owner && s->owner != &u->domain))
		rc = -EPERM;
	else
		enter_table(s, u, place);
	eio__unlock(&s->lock);
	return rc;
}

void eio__slot_lose_table(struct eio__slot *s)
{
	struct eio_fd fd = {.slot = s->index};
	bool is_direct;

	eio__lock(&s->lock);
	fd.generation = (uint32_t) (__atomic_load_n(&s->state, __ATOMIC_RELAXED) >> 32);
	is_direct = s->unix_fd < 0;
	leave_table(s);
	s->owner = NULL;
	eio__unlock(&s->lock);
	if (is_direct)
		eio_fd_close(fd);
}

int eio__slot_install(struct eio__slot *s)
{
	struct eio__uring *u = eio__uring_self();
	int unix_fd = -EPERM, first;

	if (u && eio__self() && __atomic_load_n(&s->table, __ATOMIC_RELAXED) == u)
		unix_fd = eio__files_install(u, eio__index_of_target(s->target));
	/* Another fiber may have been faster. */
	first = __atomic_load_n(&s->unix_fd, __ATOMIC_RELAXED);
	if (first >= 0) {
		if (unix_fd >= 0)
			close(unix_fd);
		return first;
	}
	if (unix_fd < 0) {
		eio__slot_unuse(s);
		return eio__fail(unix_fd, "fd", NULL);
	}
	__atomic_store_n(&s->unix_fd, unix_fd, __ATOMIC_RELAXED);
	return unix_fd;
}

/* Uses */

bool eio_fd_is_open(struct eio_fd fd)
{
	return !eio__fd_is_closing(fd);
}

int eio_fd_to_unix(struct eio_fd fd, enum eio_fd_op op)
{
	struct eio__slot *s = eio__slot(fd);
	struct eio__detached left;
	int rc = 0;

	/* To be taken it must have a number; who has one is not used for it, which might keep
	 * another thread from taking it. */
	if (op == EIO_FD_PEEK || (s && __atomic_load_n(&s->unix_fd, __ATOMIC_RELAXED) < 0)) {
		rc = eio__fd_use(fd);
		if (rc >= 0)
			eio__fd_unuse(fd);
	}
	if (op == EIO_FD_PEEK || rc < 0)
		return rc;
	rc = eio__fd_detach(fd, NULL, &left);
	return rc < 0 ? rc : left.unix_fd;
}

int eio_fd_use(struct eio_fd fd)
{
	return eio__fd_use(fd);
}

void eio_fd_unuse(struct eio_fd fd)
{
	eio__fd_unuse(fd);
}

int eio_fd_is_seekable(struct eio_fd fd)
{
	struct eio__slot *s = eio__slot(fd);
	unsigned flags;

	if (!eio__slot_use(s, fd))
		return -EBADF;
	flags = __atomic_load_n(&s->flags, __ATOMIC_RELAXED);
	if (!(flags & (EIO_FD_SEEKABLE | EIO_FD_NOT_SEEKABLE))) {
		int unix_fd = eio__slot_number(s);

		if (unix_fd < 0)
			return unix_fd;
		flags = lseek(unix_fd, 0, SEEK_CUR) >= 0 ? EIO_FD_SEEKABLE : EIO_FD_NOT_SEEKABLE;
		__atomic_fetch_or(&s->flags, flags, __ATOMIC_RELAXED);
	}
	eio__slot_unuse(s);
	return flags & EIO_FD_SEEKABLE ? 1 : 0;
}

int eio_fd_is_blocking(struct eio_fd fd)
{
	int flags, unix_fd = eio__fd_use(fd);

	if (unix_fd < 0)
		return unix_fd;
	flags = fcntl(unix_fd, F_GETFL);
	eio__fd_unuse(fd);
	return flags < 0 ? -EBADF : !(flags & O_NONBLOCK);
}
