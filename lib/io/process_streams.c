/* SPDX-License-Identifier: ISC */
/*
 * A child's standard streams out of any flows.
 *
 * A flow's descriptor is inherited. To a flow without one there is a pipe, and a fiber of the
 * switch that copies. They are there before the child begins, for which memory and descriptors
 * may be missing, but wait for word, so that no flow is touched if there is no child after all:
 *
 *   waiting    for word; whoever begins the child has the address of the fiber's record
 *   copying    the child has begun
 *   closed     this side's end of the pipe; the fiber ends
 *
 * What goes to the child is copied by a daemon, because nobody wants it any more once the switch
 * is about to kill the child. It looks out for the end of the pipe's readers meanwhile: its source
 * may be one that waits for ever.
 */
#include "core/error.h"
#include "core/fiber.h"
#include "io/flow.h"
#include "io/process.h"

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

struct eio__copy {
	struct eio_flow flow;
	struct eio_fd pipe; /* this side's end */
	bool to_child;
	struct eio_promise word;  /* of a value if the child has begun, else of none */
	struct eio__copy **where; /* its address goes here before it waits */
};

static int copy_in(void *arg)
{
	struct eio__copy *c = arg;

	return eio_flow_copy(c->flow, eio_flow_of_fd(c->pipe), NULL);
}

static int await_unread(void *arg)
{
	struct eio__copy *c = arg;
	int rc = eio_ll_poll(c->pipe, POLLERR);

	return rc < 0 ? rc : 0;
}

static int copy_to_child(struct eio__copy *c)
{
	int rc = eio_first(copy_in, c, await_unread, c);

	return rc == -EPIPE ? 0 : rc;
}

/* Not left before there is word: its sender needs the record. */
static int copy(void *arg)
{
	struct eio__copy *c = arg;
	void *begun = NULL;
	int rc = 0;

	*c->where = c;
	eio_promise_await_protected(&c->word, &begun);
	if (begun && c->to_child)
		rc = copy_to_child(c);
	else if (begun)
		rc = eio_flow_copy(eio_flow_of_fd(c->pipe), c->flow, NULL);
	eio_fd_close(c->pipe);
	return rc;
}

static int start_copy(struct eio__streams *s, struct eio_switch *sw, struct eio_flow flow,
		      struct eio_fd pipe, bool to_child)
{
	struct eio__copy c = {
		.flow = flow, .pipe = pipe, .to_child = to_child, .where = &s->copies[s->n_copies]};

	return eio__fork(sw, copy, &c, sizeof(c), to_child ? EIO__FORK_DAEMON : 0);
}

static int by_pipe(struct eio__streams *s, struct eio_switch *sw, struct eio_flow flow, int number,
		   struct eio_fd *ret)
{
	bool to_child = number == STDIN_FILENO;
	struct eio_fd r, w;
	int rc = eio_ll_pipe(sw, &r, &w);

	if (rc < 0)
		return rc;
	rc = start_copy(s, sw, flow, to_child ? w : r, to_child);
	if (rc < 0) {
		eio_fd_close(r);
		eio_fd_close(w);
		return rc;
	}
	s->n_copies++;
	*ret = to_child ? r : w;
	return 0;
}

/* A descriptor that only the child needs. What keeps nothing needs no copying. */
static int make(struct eio__streams *s, struct eio_switch *sw, struct eio_flow flow, int number,
		struct eio_fd *ret)
{
	int rc;

	if (flow.ops == eio_null().ops)
		rc = eio_ll_openat(sw, EIO_FS, "/dev/null", O_RDWR, 0, ret);
	else
		rc = by_pipe(s, sw, flow, number, ret);
	if (rc == 0)
		s->made[s->n_made++] = *ret;
	return rc;
}

static int make_blocking(struct eio_fd fd)
{
	int unix_fd = eio_fd_use(fd), rc;

	if (unix_fd < 0)
		return eio__fail(unix_fd, "fcntl", NULL);
	rc = eio__set_file_flag(unix_fd, O_NONBLOCK, false);
	eio_fd_unuse(fd);
	return eio__fail(rc, "fcntl", NULL);
}

static int add(struct eio__streams *s, struct eio_switch *sw, const struct eio_flow *flow,
	       int number)
{
	struct eio_fd fd;
	int rc;

	if (!flow)
		return 0;
	rc = eio_flow_fd(*flow, &fd);
	if (rc == 0)
		rc = make_blocking(fd);
	else if (rc == -ENOTSUP)
		rc = make(s, sw, *flow, number, &fd);
	if (rc == 0)
		s->list[s->n++] = (struct eio_inherit){fd, number};
	return rc;
}

static bool are_same(const struct eio_flow *a, const struct eio_flow *b)
{
	return a && b && a->ops == b->ops && a->u.ptr == b->u.ptr;
}

/* A flow has one writer at a time: what is both has one pipe. */
static int add_err(struct eio__streams *s, struct eio_switch *sw, const struct eio_spawn *spawn)
{
	if (!are_same(spawn->out, spawn->err))
		return add(s, sw, spawn->err, STDERR_FILENO);
	s->list[s->n] = (struct eio_inherit){s->list[s->n - 1].fd, STDERR_FILENO};
	s->n++;
	return 0;
}

int eio__streams_begin(struct eio__streams *s, struct eio_switch *sw, const struct eio_spawn *spawn)
{
	int rc = add(s, sw, spawn->in, STDIN_FILENO);

	if (rc == 0)
		rc = add(s, sw, spawn->out, STDOUT_FILENO);
	return rc < 0 ? rc : add_err(s, sw, spawn);
}

void eio__streams_end(struct eio__streams *s, bool begun)
{
	for (size_t i = 0; i < s->n_made; i++)
		eio_fd_close(s->made[i]);
	for (size_t i = 0; i < s->n_copies; i++)
		eio_promise_resolve(&s->copies[i]->word, 0, begun ? s : NULL);
}
