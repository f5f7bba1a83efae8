/* SPDX-License-Identifier: ISC */
/*
 * Processes from the handle's side: waiting for them, signalling them, and their end with
 * the switch.
 *
 * A handle is a record's address and its generation. Records are never freed but used
 * again, so that a handle of long ago finds one to be told by that it is stale.
 *
 *   running     attached, not ended       the pidfd is open
 *   ended       attached, ended           collected; the pidfd goes with the last call
 *   leaving     not attached, calls       the switch has ended: handles are stale
 *   free        not attached, no calls    on the list
 *
 * calls counts who works with the record at the moment and needs its pidfd or its status. A
 * process is waited for by its pidfd and collected by it, under the record's lock, so that
 * exactly one call does it and all others see the status. Nobody waits for processes by
 * number, or for any process: the others are the program's.
 *
 * To the child of a fork its parent's processes are nobody's: all records are free there.
 */
#include "uring/call.h"
#include "uring/spawn.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* the same on every CPU */
#endif

struct process {
	struct eio__lock lock;
	uint64_t generation;
	bool attached;
	unsigned calls;
	bool ended;
	int status; /* then: as waitpid's, or a negative errno */
	int pidfd;  /* -1: closed */
	pid_t pid;
	struct eio_hook hook;  /* on the switch, while attached */
	struct process *next;  /* while free */
	struct process *older; /* of all */
};

static struct {
	struct eio__lock lock;
	struct process *first;  /* of the free ones */
	struct process *newest; /* of all */
} records;

/* Does a record's pidfd mean anything? Not in one that has not been used yet. */
static bool is_in_use(const struct process *p)
{
	return p->attached || p->calls;
}

/* In the child of a fork; other threads may have been at any of them. */
static void forget(void)
{
	records.first = NULL;
	for (struct process *p = records.newest; p; p = p->older) {
		if (is_in_use(p) && p->pidfd >= 0)
			close(p->pidfd);
		p->pidfd = -1;
		p->attached = false;
		p->generation++;
		p->calls = 0;
		eio__unlock(&p->lock);
		p->next = records.first;
		records.first = p;
	}
	eio__unlock(&records.lock);
	eio__spawn_forget();
}

static struct process *make_record(void)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	eio__lock(&records.lock);
	if (!records.newest)
		pthread_atfork(NULL, NULL, forget);
	p->older = records.newest;
	records.newest = p;
	eio__unlock(&records.lock);
	return p;
}

static struct process *take_record(void)
{
	struct process *p;

	eio__lock(&records.lock);
	p = records.first;
	if (p)
		records.first = p->next;
	eio__unlock(&records.lock);
	return p ? p : make_record();
}

static void free_record(struct process *p)
{
	eio__lock(&records.lock);
	p->next = records.first;
	records.first = p;
	eio__unlock(&records.lock);
}

/* The handle's record, for a call: NULL if it is stale. */
static struct process *enter(struct eio_process handle)
{
	struct process *p = handle.eio_private;
	bool valid;

	if (!p)
		return NULL;
	eio__lock(&p->lock);
	valid = p->attached && p->generation == handle.eio_private_generation;
	p->calls += valid;
	eio__unlock(&p->lock);
	return valid ? p : NULL;
}

static void leave(struct process *p)
{
	int pidfd = -1;
	bool last;

	eio__lock(&p->lock);
	last = --p->calls == 0;
	if (last && p->ended) {
		pidfd = p->pidfd;
		p->pidfd = -1;
	}
	last = last && !p->attached;
	eio__unlock(&p->lock);
	if (pidfd >= 0)
		close(pidfd);
	if (last)
		free_record(p);
}

static int status_of(const siginfo_t *info)
{
	int value = info->si_status;

	if (info->si_code == CLD_EXITED)
		return (value & 0xff) << 8;
	return value | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* Collects the process if it has ended; under the lock. */
static void collect(struct process *p)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid((idtype_t) P_PIDFD_, (id_t) p->pidfd, &info, WEXITED | WNOHANG) < 0)
		p->status = -errno;
	else if (info.si_pid)
		p->status = status_of(&info);
	else
		return;
	p->ended = true;
}

static bool has_ended(struct process *p)
{
	bool ended;

	eio__lock(&p->lock);
	if (!p->ended)
		collect(p);
	ended = p->ended;
	eio__unlock(&p->lock);
	return ended;
}

static int poll_pidfd(const struct process *p)
{
	struct io_uring_sqe *sqe;
	struct eio__call c;

	do {
		sqe = eio__begin_bare(&c);
		if (sqe)
			io_uring_prep_poll_add(sqe, p->pidfd, POLLIN);
	} while (eio__finish(&c, sqe, 0));
	return c.res;
}

/* A debugger hears of the end first; until it lets go there is nothing to be collected. */
static int await_end(struct process *p)
{
	int rc = 0;

	while (rc >= 0 && !has_ended(p))
		rc = poll_pidfd(p);
	return rc < 0 ? rc : 0;
}

int eio_ll_process_await(struct eio_process handle, int *ret_status)
{
	int rc = eio_check(), status = 0;
	struct process *p;

	if (rc < 0)
		return eio__fail(rc, "process_await", NULL);
	p = enter(handle);
	if (!p)
		return eio__fail(-EBADF, "process_await", NULL);
	rc = await_end(p);
	if (rc == 0)
		status = p->status;
	leave(p);
	if (rc == 0 && status < 0)
		rc = status;
	else if (rc == 0 && ret_status)
		*ret_status = status;
	return eio__fail(rc, "process_await", NULL);
}

/* By number, which nobody else has before the process is collected. */
static int kill_by_number(struct process *p, int sig)
{
	int rc;

	eio__lock(&p->lock);
	rc = p->ended ? 0 : kill(p->pid, sig);
	eio__unlock(&p->lock);
	return rc;
}

/* 0 also if there is nobody any more. Valgrind and some sandboxes lack the call. */
static int send_signal(struct process *p, int sig)
{
	long rc = 0;

	if (p->pidfd >= 0)
		rc = syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0);
	if (rc < 0 && errno == ENOSYS)
		rc = kill_by_number(p, sig);
	return rc == 0 || errno == ESRCH ? 0 : -errno;
}

int eio_ll_process_signal(struct eio_process handle, int sig)
{
	struct process *p = enter(handle);
	int rc;

	if (!p)
		return eio__fail(-EBADF, "process_signal", NULL);
	rc = send_signal(p, sig);
	leave(p);
	return eio__fail(rc, "process_signal", NULL);
}

int eio_ll_process_pid(struct eio_process handle)
{
	struct process *p = enter(handle);
	int pid;

	if (!p)
		return -EBADF;
	pid = p->pid;
	leave(p);
	return pid;
}

/* At the end of the switch, protected. Should the ring not be able to wait, the thread
 * does: the process is not left to itself. */
static int end_process(void *arg)
{
	struct process *p = arg;
	siginfo_t info;

	eio__lock(&p->lock);
	p->calls++;
	eio__unlock(&p->lock);
	if (!has_ended(p))
		send_signal(p, SIGKILL);
	while (await_end(p) < 0)
		waitid((idtype_t) P_PIDFD_, (id_t) p->pidfd, &info, WEXITED | WNOWAIT);
	eio__lock(&p->lock);
	p->attached = false;
	p->generation++;
	eio__unlock(&p->lock);
	leave(p);
	return 0;
}

static int refused(const struct eio_switch *sw, const struct eio_ll_action *actions, size_t n)
{
	if (!sw || n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const struct eio_ll_action *a = &actions[i];
		bool exec = a->kind == EIO_LL_EXECVE;

		if (a->kind < EIO_LL_CHDIR || a->kind > EIO_LL_EXECVE || exec != (i + 1 == n))
			return -EINVAL;
		if (exec && (!a->u.exec.path || !a->u.exec.argv))
			return -EINVAL;
		for (size_t j = 0; a->kind == EIO_LL_INHERIT_FDS && j < a->u.inherit.n; j++) {
			if (a->u.inherit.list[j].number < 0)
				return -EINVAL;
		}
	}
	return eio__switch_ok(sw);
}

int eio_ll_spawn(struct eio_switch *sw, const struct eio_ll_action *actions, size_t n,
		 struct eio_process *ret)
{
	struct eio__child child;
	struct process *p;
	int rc;

	if (eio__enter_call(&rc))
		rc = refused(sw, actions, n);
	if (rc < 0)
		return eio__fail(rc, "spawn", NULL);
	p = take_record();
	if (!p)
		return eio__fail(-ENOMEM, "spawn", NULL);
	rc = eio__spawn(actions, n, &child);
	if (rc < 0) {
		free_record(p);
		return rc;
	}
	p->pid = child.pid;
	p->pidfd = child.pidfd;
	p->ended = false;
	ret->eio_private = p;
	eio__lock(&p->lock);
	p->attached = true;
	ret->eio_private_generation = p->generation;
	eio__unlock(&p->lock);
	return eio_on_release(sw, &p->hook, end_process, p);
}
