/* SPDX-License-Identifier: ISC */
/*
 * The descriptor table from the inside (see <eio/fd.h> and <eio/ll_direct.h>).
 *
 * A slot's state is one word: generation, closing bit, number of users.
 *
 *   open      closing 0          use adds a user, unuse takes one away
 *   closing   closing 1, users   no new users; who takes the last one away releases
 *   free      closing 1, users 0 of the next generation, on a free list
 *
 * close sets the bit; if there are no users the closer releases. So exactly one thread
 * releases, and until then the number stays the slot's. Releasing closes the descriptor
 * (or hands it over), takes the slot off its switch and raises the generation: handles
 * of the old one fail for ever. Generation 0 is never valid; a slot that would come to
 * it is never used again.
 *
 * A slot has its file by number, by a place in the table of a ring (direct.h), or both:
 *
 *   plain       unix_fd, target the same
 *   registered  unix_fd, target a place
 *   direct      no number, target a place
 *
 * An open plain one may become registered, and so may a direct one that is given a number;
 * who reads the fields before that goes on with what is still true. Both are given up when
 * the slot is released.
 *
 * What a slot is attached to is guarded by its lock: owner != NULL means that the hook is
 * on a switch of that domain, or the file in its table, and the domain cannot end before
 * it has let go. Another domain that releases the slot asks the owner to do so, and to free
 * the slot then.
 *
 * The child of a fork has the descriptors, but neither the operations that use them nor the
 * switches and tables they are in: handles stay as they are, used by nobody, on no switch, by
 * their numbers. What has none is closed, and so are handles of rings.
 */
#ifndef EIO__FD_H
#define EIO__FD_H

#include "base/inbox.h"
#include "base/list.h"
#include "base/lock.h"
#include "uring/direct.h"

#include <eio/fd.h>
#include <errno.h>

struct eio__domain;
struct eio__fiber;
struct eio__uring;

#define EIO__SLOT_CLOSING ((uint64_t) 1 << 31)
#define EIO__SLOT_USERS   (EIO__SLOT_CLOSING - 1)

enum {
	EIO__CHUNK_BITS = 10,
	EIO__CHUNK = 1 << EIO__CHUNK_BITS,
	EIO__CHUNKS = 1 << 14, /* 16 Mi descriptors */
};

enum { EIO__NO_NUMBER = -1 };

/* Beside the flags that eio_fd_of_unix knows. */
enum {
	/* A ring's. What the child of a fork sent to it would reach the parent, so there the
	 * handle is closed. */
	EIO__FD_RING = 1 << 16,
	/* A socket or a pipe of the library's: see close_rest. */
	EIO__FD_CLOSES_FAST = 1 << 17,
	/* By kind.h: whether it has been looked at, is a regular file or block device, and has a
	 * server to answer for it. */
	EIO__FD_KIND_KNOWN = 1 << 18,
	EIO__FD_ON_DISK = 1 << 19,
	EIO__FD_SERVED = 1 << 20,
	/* What they are opened with. */
	EIO__FD_STREAM = EIO_FD_CLOSE | EIO_FD_NOT_SEEKABLE | EIO__FD_CLOSES_FAST,
};

/* What is left when a slot is released and somebody waits for that. */
struct eio__detached {
	int unix_fd; /* EIO__NO_NUMBER: nothing */
	bool owned;  /* it was the handle's to close */
};

/* Waits for the release of a slot. */
struct eio__slot_waiter {
	struct eio__fiber *fiber;
	bool released; /* by itself: nobody will wake it */
	struct eio__detached left;
};

struct eio__slot {
	uint64_t state;
	int unix_fd; /* EIO__NO_NUMBER: none yet */
	int target;  /* what the ring's entries name: the number or a place */
	unsigned flags;
	struct eio__lock lock;
	struct eio__uring *table;  /* the place is in; NULL: there is none */
	struct eio__list in_table; /* its list */
	struct eio__domain *owner; /* NULL: attached to nothing */
	struct eio_hook hook;
	struct eio__slot_waiter *waiter;
	struct eio__list accepts;      /* operations to cancel when a listener closes */
	struct eio__inbox_node remote; /* to the owner, to take the hook off */
	struct eio__slot *next;        /* while free */
	uint32_t index;
};

extern struct eio__slot *eio__chunks[EIO__CHUNKS] __attribute__((visibility("hidden")));

/* The slot of a handle, or NULL for a handle that never was. */
static inline struct eio__slot *eio__slot(struct eio_fd fd)
{
	struct eio__slot *chunk;

	if (fd.slot >> EIO__CHUNK_BITS >= EIO__CHUNKS)
		return NULL;
	/* Pairs with the release when the chunk was made. */
	chunk = __atomic_load_n(&eio__chunks[fd.slot >> EIO__CHUNK_BITS], __ATOMIC_ACQUIRE);
	return chunk ? &chunk[fd.slot & (EIO__CHUNK - 1)] : NULL;
}

static inline bool eio__slot_is_open(uint64_t state, struct eio_fd fd)
{
	return state >> 32 == fd.generation && !(state & EIO__SLOT_CLOSING);
}

/* Pins a handle's slot; false: the handle is not open. */
static inline bool eio__slot_use(struct eio__slot *s, struct eio_fd fd)
{
	uint64_t state;

	if (__builtin_expect(!s, 0))
		return false;
	state = __atomic_load_n(&s->state, __ATOMIC_RELAXED);
	do {
		if (__builtin_expect(!eio__slot_is_open(state, fd), 0))
			return false;
	} while (!eio__cas64(&s->state, &state, state + 1));
	return true;
}

/* Gives a pinned slot a number if it has none, which may suspend; failing that, unpins it. */
int eio__slot_install(struct eio__slot *s);

/* A pinned slot's number; or it is not pinned any more, and a code. */
static inline int eio__slot_number(struct eio__slot *s)
{
	int unix_fd = __atomic_load_n(&s->unix_fd, __ATOMIC_RELAXED);

	return __builtin_expect(unix_fd >= 0, 1) ? unix_fd : eio__slot_install(s);
}

/* What entries of @p u's ring may name a pinned slot by: a number or a place; or a code. */
static inline int eio__slot_target(struct eio__slot *s, const struct eio__uring *u)
{
	int target = __atomic_load_n(&s->target, __ATOMIC_RELAXED);

	if (__builtin_expect(target < 0, 0) && __atomic_load_n(&s->table, __ATOMIC_RELAXED) != u)
		return eio__slot_number(s);
	return target;
}

/* eio_fd_use, inline. */
static inline int eio__fd_use(struct eio_fd fd)
{
	struct eio__slot *s = eio__slot(fd);

	return __builtin_expect(eio__slot_use(s, fd), 1) ? eio__slot_number(s) : -EBADF;
}

void eio__slot_release(struct eio__slot *s);

/* Takes a user away. True: it was the last of a slot that is closing, to be released now. */
static inline bool eio__slot_drop(struct eio__slot *s)
{
	uint64_t state = __atomic_load_n(&s->state, __ATOMIC_RELAXED);

	do {
		/* The child of a fork forgets all users, and this may be one. */
		if (__builtin_expect(!(state & EIO__SLOT_USERS), 0))
			return false;
	} while (!eio__cas64(&s->state, &state, state - 1));
	return (uint32_t) (state - 1) == EIO__SLOT_CLOSING;
}

/* eio_fd_unuse, for a slot that was pinned. */
static inline void eio__slot_unuse(struct eio__slot *s)
{
	if (__builtin_expect(eio__slot_drop(s), 0))
		eio__slot_release(s);
}

/* The same in a poll, where nobody can wait: the descriptor is closed directly. */
void eio__slot_unuse_at_once(struct eio__slot *s);

static inline void eio__fd_unuse(struct eio_fd fd)
{
	eio__slot_unuse(eio__slot(fd));
}

/* Is the handle's slot being closed, or closed? */
static inline bool eio__fd_is_closing(struct eio_fd fd)
{
	struct eio__slot *s = eio__slot(fd);

	return !s || !eio__slot_is_open(__atomic_load_n(&s->state, __ATOMIC_RELAXED), fd);
}

/* Readies the standard descriptors, once per process. 0 or -ENOMEM. */
int eio__fd_init(void);

/* A free slot, closing as all of them are, or NULL for want of memory. */
struct eio__slot *eio__slot_take(void);

/* The slot's next life begins; without one left it stays closing for ever. */
void eio__slot_free(struct eio__slot *s);

/* A domain's free slots go back to the process. */
void eio__slots_give_back(struct eio__uring *u);

/* May descriptors be attached to this switch now? NULL: yes, to nothing. 0, -ECANCELED,
 * -EINVAL, -EPERM. */
int eio__switch_ok(const struct eio_switch *sw);

/* Tracks two new descriptors without a position, both or, closing them, none. */
int eio__fd_pair_of_unix(struct eio_switch *sw, const int unix_fds[2], struct eio_fd *ret_a,
			 struct eio_fd *ret_b);

/* Closes a descriptor by the ring where there is one, waiting for it. */
int eio__close_unix(int unix_fd);

/* Enters an open, pinned slot in the calling thread's table. 0, or -EPERM: it is another
 * domain's, or registered already. */
int eio__slot_enter_table(struct eio__slot *s, struct eio__uring *u, unsigned place);

/* Takes it out when the table ends; what has no number is closed. */
void eio__slot_lose_table(struct eio__slot *s);

/* A handle for a place in the calling thread's table; freed if there is no handle. */
int eio__fd_of_index(struct eio_switch *sw, unsigned place, unsigned flags, struct eio_fd *ret);

/* Closes the handle, but not its number, and waits until its users are done. @p cancel
 * (optional) is called with the slot once no new use can begin. Not cancellable. 0, or
 * -EBADF, -EPERM. */
int eio__fd_detach(struct eio_fd fd, void (*cancel)(struct eio__slot *s),
		   struct eio__detached *ret);

/* The same without waiting, from any thread: the last user closes. 0 or -EBADF. */
int eio__fd_close_cancelling(struct eio_fd fd, void (*cancel)(struct eio__slot *s));

#endif
