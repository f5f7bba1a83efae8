/* SPDX-License-Identifier: ISC */
/*
 * Asking the kernel to cancel.
 *
 * A request can miss: what is between two attempts of the kernel's is not found and goes
 * on, such as a connect to a Unix socket whose queue is full. So an operation is
 * remembered until it completes, and asked for again when nothing comes of it.
 *
 *   cancels, group_cancels   no entry was free, or it is to be asked for again
 *   asked, group_asked       the kernel was told
 */
#include "uring/opcode.h"
#include "uring/sched.h"

static bool has_room(const struct eio__uring *u)
{
	return eio__ring_queued(&u->ring) < u->ring.uring.sq.ring_entries;
}

static bool try_cancel(struct eio__uring *u, uint64_t user_data)
{
	struct io_uring_sqe *sqe = eio__sqe_ignored(u);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, user_data, 0);
	sqe->user_data = EIO__UD_IGNORE;
	return true;
}

void eio__ask_cancel(struct eio__uring *u, struct eio__ask *a, uint64_t user_data)
{
	if (eio__list_linked(&a->link))
		return;
	a->user_data = user_data;
	u->backlog = true;
	eio__list_append(try_cancel(u, user_data) ? &u->asked : &u->cancels, &a->link);
}

void eio__ask_cancel_soon(struct eio__uring *u, struct eio__ask *a, uint64_t user_data)
{
	a->user_data = user_data;
	u->backlog = true;
	eio__list_append(&u->cancels, &a->link);
}

void eio__op_ask_cancel(struct eio__uring *u, struct eio__op *op)
{
	eio__ask_cancel(u, &op->ask, (uintptr_t) op | EIO__UD_OP);
}

static void cancel_op(struct eio__fiber *f, void *arg)
{
	struct eio__op *op = arg;

	op->cancelled = true;
	eio__op_ask_cancel(eio__uring_of(f), op);
}

static void describe_op(const struct eio__fiber *f, const void *arg, char *buf, size_t size)
{
	const struct eio__op *op = arg;

	(void) f;
	eio__opcode_describe(op->opcode, op->fd, op->cancelled ? ", asked to stop" : "", buf, size);
}

const struct eio__wait eio__op_wait = {
	.what = "operation", .cancel = cancel_op, .describe = describe_op};
const struct eio__wait eio__op_wait_protected = {.what = "operation", .describe = describe_op};

void eio__group_ask_cancel(struct eio__uring *u, struct eio__group *g)
{
	u->backlog = true;
	for (; g->asked < g->n; g->asked++) {
		if (!try_cancel(u, (uintptr_t) &g->members[g->asked] | EIO__UD_MEMBER)) {
			eio__list_append(&u->group_cancels, &g->pending);
			return;
		}
	}
	eio__list_append(&u->group_asked, &g->pending);
}

bool eio__is_any_asked(const struct eio__uring *u)
{
	return !eio__list_empty(&u->asked) || !eio__list_empty(&u->group_asked);
}

void eio__ask_again(struct eio__uring *u)
{
	u->polls_since_asked = 0;
	while (!eio__list_empty(&u->asked)) {
		struct eio__list *it = u->asked.next;

		eio__list_unlink(it);
		eio__list_append(&u->cancels, it);
	}
	while (!eio__list_empty(&u->group_asked)) {
		struct eio__list *it = u->group_asked.next;

		eio__list_unlink(it);
		eio__list_append(&u->group_cancels, it);
		eio__container_of(it, struct eio__group, pending)->asked = 0;
	}
}

void eio__retry_cancels(struct eio__uring *u)
{
	while (!eio__list_empty(&u->group_cancels) && has_room(u)) {
		struct eio__group *g =
			eio__container_of(u->group_cancels.next, struct eio__group, pending);

		eio__list_remove(&g->pending);
		eio__group_ask_cancel(u, g);
	}
	while (!eio__list_empty(&u->cancels) && has_room(u)) {
		struct eio__ask *a = eio__container_of(u->cancels.next, struct eio__ask, link);

		eio__list_remove(&a->link);
		eio__ask_cancel(u, a, a->user_data);
	}
}
