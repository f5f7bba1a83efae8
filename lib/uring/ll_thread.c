/* SPDX-License-Identifier: ISC */
/*
 * A call on a thread: the job lies in the frame of the fiber that waits for it.
 */
#include "core/threads.h"
#include "uring/call.h"

struct call {
	struct eio__job job;
	int (*fn)(void *arg);
	void *arg;
	int rc;
};

static void run(struct eio__job *j)
{
	struct call *c = eio__container_of(j, struct call, job);

	c->rc = c->fn(c->arg);
}

int eio_ll_in_thread(int (*fn)(void *arg), void *arg)
{
	struct call c = {.job = {.run = run}, .fn = fn, .arg = arg};
	struct eio__uring *u;
	int rc;

	u = eio__enter_call(&rc);
	if (!u)
		return rc;
	rc = eio__threads_run(&eio__workers, &c.job, u->domain.current);
	return eio__fail(rc < 0 ? rc : c.rc, "in_thread", NULL);
}
