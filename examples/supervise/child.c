/* SPDX-License-Identifier: ISC */
/*
 * One command's life: it runs, it ends, it may be restarted.
 *
 * It runs in a process group of its own, and has ended when nobody of the group is left: whom
 * its first process leaves behind is asked to end, too, and killed if it does not in time. Its
 * output has ended when nobody has it any more.
 *
 * Who is left behind becomes our child, so that we hear of its end, and do not depend on the
 * first process of the system to collect it: until then it would be of its group.
 */
#include "supervise.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum {
	STEADY_S = 60, /* who has run so long is not about to fail for the next time in a row */
	DOUBLINGS = 6, /* of the delay between restarts */
};

struct run {
	struct command *command;
	struct eio_flow out, err;
	bool began;
	int status; /* how it ended */
};

static const int child_signals[] = {SIGCHLD, 0};

void children_signal(struct supervise *s, int sig)
{
	for (const struct command *c = s->commands; c; c = c->next) {
		if (c->group)
			kill(-c->group, sig);
	}
}

static bool is_first(const struct supervise *s, pid_t pid)
{
	const struct command *c = s->commands;

	while (c && c->group != pid)
		c = c->next;
	return c;
}

/* All but the commands' first processes, which are waited for elsewhere. Whom one of these
 * hides, or one that is not known yet might be, is collected after the next one. */
static void collect(const struct supervise *s)
{
	siginfo_t info = {.si_pid = 0};

	while (!s->starting && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid && !is_first(s, info.si_pid)) {
		waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

int children_collect(void *super)
{
	struct eio_signals signals;
	int rc = eio_signals_begin(&signals, child_signals);

	if (rc < 0)
		return rc;
	while ((rc = eio_signals_next(&signals, NULL)) > 0)
		collect(super);
	eio_signals_end(&signals);
	return rc;
}

static int lines_out(void *arg)
{
	struct run *r = arg;
	struct output *o = &r->command->super->output;

	return output_lines(o, &o->out, r->command, r->out);
}

static int lines_err(void *arg)
{
	struct run *r = arg;
	struct output *o = &r->command->super->output;

	return output_lines(o, &o->err, r->command, r->err);
}

static int await_stop(void *arg)
{
	struct supervise *s = arg;

	return eio_promise_await(&s->stop, NULL);
}

/* By then all groups are gone. Who has left its group and kept the output is not waited for. */
static int give_up(void *arg)
{
	struct supervise *s = arg;
	int rc = await_stop(s);

	return rc < 0 ? rc : eio_sleep(s->env->mono_clock, 2 * s->grace_ns + EIO_MS(100));
}

static int print_out(void *arg)
{
	struct run *r = arg;

	return eio_first(lines_out, r, give_up, r->command->super);
}

static int print_err(void *arg)
{
	struct run *r = arg;

	return eio_first(lines_err, r, give_up, r->command->super);
}

static bool is_any_left(pid_t group)
{
	while (waitpid(-group, NULL, WNOHANG) > 0)
		;
	return kill(-group, 0) == 0;
}

static int await_group(void *command)
{
	const struct command *c = command;
	struct eio_signals signals;
	int rc = eio_signals_begin(&signals, child_signals);

	if (rc < 0)
		return rc;
	while (rc >= 0 && is_any_left(c->group))
		rc = eio_signals_next(&signals, NULL);
	eio_signals_end(&signals);
	return rc < 0 ? rc : 0;
}

/* Its first process has ended, and was collected. */
static int end_group(struct command *c)
{
	struct supervise *s = c->super;
	int rc;

	if (!s->stopping)
		kill(-c->group, SIGTERM);
	rc = eio_timeout_run(s->env->mono_clock, s->grace_ns, await_group, c);
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* The child has the other ends. */
static int start(struct eio_switch *sw, struct run *r, struct eio_process *ret)
{
	struct command *c = r->command;
	struct eio_flow null = eio_null(), out, err;
	const pid_t new_group = 0;
	struct eio_spawn spawn = {
		.argv = c->argv, .in = &null, .out = &out, .err = &err, .pgid = &new_group};
	int rc = eio_pipe(sw, &r->out, &out);

	if (rc == 0)
		rc = eio_pipe(sw, &r->err, &err);
	if (rc < 0)
		return rc;
	rc = eio_process_spawn(c->super->env->process_mgr, sw, &spawn, ret);
	eio_flow_close(out);
	eio_flow_close(err);
	return rc;
}

static int run_once(struct eio_switch *sw, void *arg)
{
	struct run *r = arg;
	struct command *c = r->command;
	struct eio_process process;
	int rc;

	c->super->starting++;
	rc = start(sw, r, &process);
	if (rc == 0)
		c->group = eio_process_pid(process);
	c->super->starting--;
	if (rc < 0)
		return rc;
	r->began = true;
	if (c->super->stopping)
		kill(-c->group, SIGTERM); /* who stopped us meanwhile did not see it */
	rc = eio_fork(sw, print_out, r);
	if (rc == 0)
		rc = eio_fork(sw, print_err, r);
	if (rc == 0)
		rc = eio_process_await(process, &r->status);
	if (rc == 0)
		rc = end_group(c);
	kill(-c->group, SIGKILL);
	c->group = 0;
	return rc;
}

/* The exit status a shell tells. */
static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Who ends as it was asked to has not failed. */
static bool has_failed(const struct supervise *s, int status)
{
	if (s->stopping && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
		return false;
	return !eio_process_is_success(status);
}

static void note_failure(struct supervise *s, int status)
{
	if (!s->status)
		s->status = status;
}

/* 1 after the delay, 0: all is to stop. */
static int await_restart(struct command *c, unsigned restarts)
{
	struct supervise *s = c->super;
	unsigned doublings = restarts < DOUBLINGS ? restarts : DOUBLINGS;
	int64_t delay = s->delay_ns << doublings;
	int rc = output_say(&s->output, c, "restarts in %g s", (double) delay / 1e9);

	if (rc == 0)
		rc = eio_timeout_run(s->env->mono_clock, delay, await_stop, s);
	return rc == -ETIMEDOUT ? 1 : rc;
}

static bool may_restart(struct supervise *s, bool failed)
{
	return !s->stopping && (s->restart == ALWAYS || (s->restart == ON_FAILURE && failed));
}

/* What cannot be started now could not be the next time either. */
static int cannot_start(struct command *c, int err)
{
	char why[256];

	note_failure(c->super, err == -ENOENT ? 127 : 126);
	eio_error_format(err, why, sizeof(why));
	return output_say(&c->super->output, c, "%s", why);
}

/* 1: once more. */
static int has_ended(struct command *c, int status, unsigned restarts)
{
	struct supervise *s = c->super;
	bool failed = has_failed(s, status), again = may_restart(s, failed);
	char how[64];
	int rc = 0;

	eio_process_format_status(status, how, sizeof(how));
	if (failed || again)
		rc = output_say(&s->output, c, "%s", how);
	if (rc == 0 && again && s->max_restarts && restarts == s->max_restarts) {
		rc = output_say(&s->output, c, "is not restarted any more");
		again = false;
	}
	if (rc == 0 && again)
		rc = await_restart(c, restarts);
	if (failed && rc == 0)
		note_failure(s, shell_status(status));
	return rc;
}

int child_run(void *command)
{
	struct command *c = command;
	struct eio_clock clock = c->super->env->mono_clock;
	unsigned restarts = 0;
	int rc = 1;

	while (rc == 1 && !c->super->stopping) {
		struct run r = {.command = c};
		int64_t began = eio_now_ns(clock);

		rc = eio_switch_run(run_once, &r);
		if (rc < 0)
			return r.began || rc == -ECANCELED ? rc : cannot_start(c, rc);
		if (eio_now_ns(clock) - began >= EIO_SEC(STEADY_S))
			restarts = 0;
		rc = has_ended(c, r.status, restarts++);
	}
	return rc;
}
