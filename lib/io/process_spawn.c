/* SPDX-License-Identifier: ISC */
/*
 * Starting programs here: what is asked for becomes the child's actions.
 *
 * Their order: the working directory is entered and the terminal taken while the child still is
 * who the parent is, and the streams come after the terminal, which would be in their place. The
 * program is looked for last, by the child as it is then.
 */
#include "core/error.h"
#include "io/env.h"
#include "io/process.h"

#include <eio/low_level.h>
#include <stdlib.h>
#include <unistd.h>

struct plan {
	struct eio_ll_action actions[9];
	size_t n;
};

static void add(struct plan *p, struct eio_ll_action a)
{
	p->actions[p->n++] = a;
}

/* Of the working directory's own there is no descriptor, but the child is there anyway. */
static int plan_directory(struct plan *p, const struct eio_dir *cwd)
{
	struct eio_fd fd;
	int rc;

	if (!cwd)
		return 0;
	rc = eio_dir_fd(*cwd, &fd);
	if (rc == -ENOTSUP && cwd->ops == eio__dir_cwd().ops)
		return 0;
	if (rc < 0)
		return eio__fail(rc, "fchdir", NULL);
	add(p, eio_ll_action_fchdir(fd));
	return 0;
}

static void plan_identity(struct plan *p, const struct eio_spawn *s)
{
	bool drops_groups = (s->uid || s->gid) && geteuid() == 0;

	if (s->groups || drops_groups)
		add(p, eio_ll_action_setgroups(s->groups, s->groups ? s->n_groups : 0));
	if (s->gid)
		add(p, eio_ll_action_setgid(*s->gid));
	if (s->uid)
		add(p, eio_ll_action_setuid(*s->uid));
}

static void plan_rest(struct plan *p, const struct eio_spawn *s, const struct eio__streams *streams,
		      const char *const *candidates)
{
	if (s->tty)
		add(p, eio_ll_action_login_tty(*s->tty));
	add(p, eio_ll_action_inherit_fds(streams->list, streams->n));
	add(p, eio_ll_action_inherit_fds(s->inherit, s->n_inherit));
	if (s->pgid)
		add(p, eio_ll_action_setpgid(*s->pgid));
	plan_identity(p, s);
	if (candidates)
		add(p, eio_ll_action_execve_any(eio__process_name(s), candidates, s->argv, s->env));
	else
		add(p, eio_ll_action_execve(eio__process_name(s), s->argv, s->env));
}

static int spawn_here(struct eio_process_mgr mgr, struct eio_switch *sw,
		      const struct eio_spawn *spawn, struct eio_process *ret)
{
	struct eio__streams streams = {.n = 0};
	const char **candidates = NULL;
	struct plan plan;
	int rc;

	(void) mgr;
	if (spawn->tty && spawn->pgid)
		return eio__fail(-EINVAL, "spawn", "a terminal's session has a group of its own");
	plan.n = 0;
	rc = plan_directory(&plan, spawn->cwd);
	if (rc == 0)
		rc = eio__process_candidates(spawn, &candidates);
	if (rc == 0)
		rc = eio__streams_begin(&streams, sw, spawn);
	if (rc == 0) {
		plan_rest(&plan, spawn, &streams, candidates);
		rc = eio_ll_spawn(sw, plan.actions, plan.n, ret);
	}
	eio__streams_end(&streams, rc == 0);
	free(candidates);
	return rc;
}

static const struct eio_process_mgr_ops ops = {.name = "processes", .spawn = spawn_here};

struct eio_process_mgr eio__process_mgr(void)
{
	return (struct eio_process_mgr){.ops = &ops};
}
