/* SPDX-License-Identifier: ISC */
/*
 * Programs: the calls on managers and processes, and what is made of them.
 *
 * A run is a switch of its own, in which the process, its streams and the copies are; its end
 * waits for what is left of them, or after a failure kills the process.
 */
#include "core/error.h"
#include "io/process.h"

#include <eio/buf_read.h>
#include <eio/fiber.h>
#include <eio/ll_process.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static int enter(struct eio_process_mgr mgr, const struct eio_spawn *spawn)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	if (!mgr.ops)
		return eio__fail(-EBADF, "spawn", NULL);
	if (!mgr.ops->spawn)
		return eio__fail(-EOPNOTSUPP, "spawn", mgr.ops->name);
	return spawn->argv && spawn->argv[0] ? 0 : eio__fail(-EINVAL, "spawn", "no arguments");
}

int eio_process_spawn(struct eio_process_mgr mgr, struct eio_switch *sw,
		      const struct eio_spawn *spawn, struct eio_process *ret)
{
	int rc = enter(mgr, spawn);

	if (rc < 0)
		return rc;
	return sw ? mgr.ops->spawn(mgr, sw, spawn, ret) : eio__fail(-EINVAL, "spawn", "no switch");
}

int eio_process_await(struct eio_process process, int *ret_status)
{
	return eio_ll_process_await(process, ret_status);
}

int eio_process_signal(struct eio_process process, int sig)
{
	return eio_ll_process_signal(process, sig);
}

int eio_process_pid(struct eio_process process)
{
	return eio_ll_process_pid(process);
}

/* How it ended is the caller's business, if it wants to know. */
static int judge(const struct eio_spawn *spawn, int status, bool is_success, int *ret_status)
{
	char how[64], text[512];

	if (ret_status)
		*ret_status = status;
	if (ret_status || is_success)
		return 0;
	eio_process_format_status(status, how, sizeof(how));
	snprintf(text, sizeof(text), "%.400s (%s)", eio__process_name(spawn), how);
	return eio__fail(EIO_ESTATUS, "run", text);
}

int eio_process_run(struct eio_process_mgr mgr, const struct eio_spawn *spawn, int *ret_status)
{
	int rc = enter(mgr, spawn), status = 0;
	struct eio_process process;
	struct eio_switch sw;

	if (rc < 0)
		return rc;
	eio_switch_begin_named(&sw, "process");
	rc = eio_process_spawn(mgr, &sw, spawn, &process);
	if (rc == 0)
		rc = eio_process_await(process, &status);
	rc = eio_switch_end(&sw, rc);
	return rc < 0 ? rc : judge(spawn, status, eio_process_is_success(status), ret_status);
}

/* A program whose output is read. */
struct parse {
	struct eio_process process;
	struct eio_flow out; /* this side's end of the pipe */
	bool came_to_end;
};

static int start(struct parse *p, struct eio_process_mgr mgr, struct eio_switch *sw,
		 const struct eio_spawn *spawn)
{
	struct eio_spawn s = *spawn;
	struct eio_flow w;
	int rc = eio_pipe(sw, &p->out, &w);

	if (rc < 0)
		return rc;
	s.out = &w;
	rc = eio_process_spawn(mgr, sw, &s, &p->process);
	eio_flow_close(w);
	return rc;
}

static int parse(struct parse *p, eio_process_parser_fn *parser, void *arg)
{
	struct eio_buf_reader r;
	int rc = eio_buf_reader_init(&r, p->out, 0, INT_MAX);

	if (rc < 0)
		return rc;
	rc = parser(&r, arg);
	p->came_to_end = eio_buf_reader_eof_seen(&r);
	eio_buf_reader_fini(&r);
	eio_flow_close(p->out);
	return rc;
}

int eio_process_parse_out(struct eio_process_mgr mgr, const struct eio_spawn *spawn,
			  eio_process_parser_fn *parser, void *arg, int *ret_status)
{
	int rc = enter(mgr, spawn), parsed = 0, status = 0;
	struct eio_switch sw;
	struct parse p;
	bool cut;

	if (rc < 0)
		return rc;
	if (spawn->out)
		return eio__fail(-EINVAL, "parse_out", "the output is the parser's");
	eio_switch_begin_named(&sw, "process");
	rc = start(&p, mgr, &sw, spawn);
	if (rc == 0)
		rc = parsed = parse(&p, parser, arg);
	if (rc >= 0)
		rc = eio_process_await(p.process, &status);
	rc = eio_switch_end(&sw, rc);
	if (rc < 0)
		return rc;
	cut = !p.came_to_end && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE;
	rc = judge(spawn, status, cut || eio_process_is_success(status), ret_status);
	return rc < 0 ? rc : parsed;
}
