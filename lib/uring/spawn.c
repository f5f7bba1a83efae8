/* SPDX-License-Identifier: ISC */
/*
 * What the child does lies in functions of its own, from settle_signals to child. They share
 * the parent's memory and thread-local data and must leave no trace: system calls and nothing
 * else, no locks, no libc function that keeps anything, no instrumentation by sanitizers, which
 * would believe that the parent does it. No signal handler may run there: all signals are
 * blocked around the clone, and the child has no handlers left when it unblocks them.
 *
 * The child's stack, what both sides know, and the numbers of the descriptors are one mapping:
 *
 *   | guard | stack, downwards | struct spawn | numbers |
 */
#include "uring/spawn.h"
#include "base/sanitize.h"
#include "core/error.h"
#include "core/handler.h"
#include "uring/fd.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same on every CPU */
#endif

enum {
	GUARD = 64 * 1024, /* whole pages, whatever their size */
	STACK = 64 * 1024,
	SIGNALS = 64,
	CLOSE_RANGE_CLOEXEC_ = 4,
};

struct spawn {
	const struct eio_ll_action *actions, *end;
	const struct eio_ll_action *at; /* the one that is being done, or has failed */
	bool interpreter;               /* a program was there, but not its interpreter */
	char *const *environ;
	uint64_t mask, childs_mask;   /* the caller's blocked signals, and the program's */
	struct eio__inherited before; /* signals that are not as they were before eio_run */
	int rc;                       /* the child's answer */
	size_t n_fds;
	int fds[]; /* of the actions in order, then where they were moved to */
};

#ifdef EIO__TSAN
/* It makes a fork of every clone: the child has a copy of the memory, but for this mapping. */
enum { CLONE_FLAGS = 0, MAP_FLAGS = MAP_SHARED };
#else
enum { CLONE_FLAGS = CLONE_VM, MAP_FLAGS = MAP_PRIVATE };
#endif

static const char *const names[] = {
	[EIO_LL_CHDIR] = "chdir",
	[EIO_LL_FCHDIR] = "fchdir",
	[EIO_LL_INHERIT_FDS] = "inherit_fds",
	[EIO_LL_SETPGID] = "setpgid",
	[EIO_LL_SETGROUPS] = "setgroups",
	[EIO_LL_SETGID] = "setgid",
	[EIO_LL_SETUID] = "setuid",
	[EIO_LL_LOGIN_TTY] = "login_tty",
	[EIO_LL_EXECVE] = "execve",
};

/* The descriptors that an action names. */
static EIO__UNINSTRUMENTED size_t count_fds(const struct eio_ll_action *a)
{
	if (a->kind == EIO_LL_INHERIT_FDS)
		return a->u.inherit.n;
	return a->kind == EIO_LL_FCHDIR || a->kind == EIO_LL_LOGIN_TTY;
}

static struct eio_fd named_fd(const struct eio_ll_action *a, size_t i)
{
	return a->kind == EIO_LL_INHERIT_FDS ? a->u.inherit.list[i].fd : a->u.fd;
}

/* In the child. A result is >= 0 or a negative errno, which is the thread's and so the
 * parent's, to whom it means nothing. */

static EIO__UNINSTRUMENTED int answer(long rc)
{
	return rc < 0 ? -errno : (int) rc;
}

/* The kernel's structure for sigaction differs between CPUs, but the handler comes first in
 * all of them, and the default action with no flags and an empty mask is all zero. */
static EIO__UNINSTRUMENTED void settle_signals(const struct spawn *s)
{
	static const uintptr_t by_default[8] = {(uintptr_t) SIG_DFL};
	static const uintptr_t ignored[8] = {(uintptr_t) SIG_IGN};
	uintptr_t now[8];

	for (int sig = 1; sig <= SIGNALS; sig++) {
		uint64_t bit = (uint64_t) 1 << (sig - 1);

		if (syscall(SYS_rt_sigaction, sig, NULL, now, sizeof(s->mask)) < 0)
			continue;
		if (s->before.ignored & bit)
			syscall(SYS_rt_sigaction, sig, ignored, NULL, sizeof(s->mask));
		else if (s->before.by_default & bit || now[0] > (uintptr_t) SIG_IGN)
			syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof(s->mask));
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &s->childs_mask, NULL, sizeof(s->mask));
}

/* Is the number to become another descriptor's? */
static EIO__UNINSTRUMENTED bool is_target(const struct spawn *s, int number)
{
	for (const struct eio_ll_action *a = s->actions; a < s->end; a++) {
		if (a->kind == EIO_LL_LOGIN_TTY && number <= STDERR_FILENO)
			return true;
		if (a->kind != EIO_LL_INHERIT_FDS)
			continue;
		for (size_t i = 0; i < a->u.inherit.n; i++) {
			if (a->u.inherit.list[i].number == number)
				return true;
		}
	}
	return false;
}

/* Moves a descriptor to a number that nothing else comes to. What it leaves behind on the
 * way is overwritten later, or closed by the exec. */
static EIO__UNINSTRUMENTED int move_away(const struct spawn *s, int *number)
{
	while (is_target(s, *number)) {
		int rc = answer(syscall(SYS_fcntl, *number, F_DUPFD_CLOEXEC, 0));

		if (rc < 0)
			return rc;
		*number = rc;
	}
	return 0;
}

/* So that no action overwrites what a later one needs: cycles need no care then, and a
 * descriptor that keeps its number is like the others. */
static EIO__UNINSTRUMENTED int move_all_away(struct spawn *s)
{
	int *number = s->fds, rc;

	for (s->at = s->actions; s->at < s->end; s->at++) {
		for (size_t i = count_fds(s->at); i > 0; i--) {
			rc = move_away(s, number++);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static EIO__UNINSTRUMENTED int inherit(const struct eio_ll_action *a, const int *from)
{
	for (size_t i = 0; i < a->u.inherit.n; i++) {
		if (syscall(SYS_dup3, from[i], a->u.inherit.list[i].number, 0) < 0)
			return -errno;
	}
	return 0;
}

static EIO__UNINSTRUMENTED int login_tty_(int tty)
{
	int rc = answer(syscall(SYS_setsid));

	if (rc >= 0)
		rc = answer(syscall(SYS_ioctl, tty, TIOCSCTTY, 0));
	for (int i = 0; rc >= 0 && i <= STDERR_FILENO; i++)
		rc = answer(syscall(SYS_dup3, tty, i, 0));
	return rc;
}

/* Only if it fails there is a result. */
static EIO__UNINSTRUMENTED int execute_one(struct spawn *s, const char *path)
{
	const char *const *envp = s->at->u.exec.envp;
	int rc;

	if (!envp)
		envp = (const char *const *) s->environ;
	rc = answer(syscall(SYS_execve, path, s->at->u.exec.argv, envp));
	if (rc == -ENOENT && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0)
		s->interpreter = true;
	return rc;
}

/* As execvp(3) does, with a path that is not there for whatever reason; one that is too long
 * cannot be there. */
static EIO__UNINSTRUMENTED bool is_missing(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ESTALE || rc == -ENODEV ||
	       rc == -ETIMEDOUT || rc == -ENAMETOOLONG;
}

static EIO__UNINSTRUMENTED int execute(struct spawn *s)
{
	const char *const *path = s->at->u.exec.candidates;
	bool denied = false;
	int rc;

	if (!path)
		return execute_one(s, s->at->u.exec.path);
	for (; *path; path++) {
		rc = execute_one(s, *path);
		if (rc == -EACCES)
			denied = true;
		else if (!is_missing(rc))
			return rc;
	}
	return denied ? -EACCES : -ENOENT;
}

static EIO__UNINSTRUMENTED int act(struct spawn *s, const int *fds)
{
	const struct eio_ll_action *a = s->at;

	switch (a->kind) {
	case EIO_LL_CHDIR:
		return answer(syscall(SYS_chdir, a->u.path));
	case EIO_LL_FCHDIR:
		return answer(syscall(SYS_fchdir, *fds));
	case EIO_LL_INHERIT_FDS:
		return inherit(a, fds);
	case EIO_LL_SETPGID:
		return answer(syscall(SYS_setpgid, 0, a->u.pgid));
	case EIO_LL_SETGROUPS:
		return answer(syscall(SYS_setgroups, a->u.groups.n, a->u.groups.list));
	case EIO_LL_SETGID:
		return answer(syscall(SYS_setgid, a->u.gid));
	case EIO_LL_SETUID:
		return answer(syscall(SYS_setuid, a->u.uid));
	case EIO_LL_LOGIN_TTY:
		return login_tty_(*fds);
	case EIO_LL_EXECVE:
		break;
	}
	return execute(s);
}

/* What the program left open for its children, too, is not for this one: only what it
 * inherits by an action. Kernels that refuse to do it at once leave those. */
static EIO__UNINSTRUMENTED int child(void *arg)
{
	struct spawn *s = arg;
	const int *fds = s->fds;
	int rc;

	settle_signals(s);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC_);
	rc = move_all_away(s);
	if (rc >= 0)
		s->at = s->actions;
	while (rc >= 0) {
		rc = act(s, fds);
		fds += count_fds(s->at);
		if (rc >= 0)
			s->at++;
	}
	s->rc = rc;
	syscall(SYS_exit_group, 127);
	__builtin_unreachable();
}

/* In the parent */

/* Pins the descriptors: 0, or -EBADF and the action. */
static int pin(struct spawn *s)
{
	for (s->at = s->actions; s->at < s->end; s->at++) {
		for (size_t i = 0; i < count_fds(s->at); i++) {
			int unix_fd = eio__fd_use(named_fd(s->at, i));

			if (unix_fd < 0)
				return unix_fd;
			s->fds[s->n_fds++] = unix_fd;
		}
	}
	return 0;
}

static void unpin(struct spawn *s)
{
	for (const struct eio_ll_action *a = s->actions; s->n_fds; a++) {
		for (size_t i = 0; s->n_fds && i < count_fds(a); i++, s->n_fds--)
			eio__fd_unuse(named_fd(a, i));
	}
}

static bool changes_identity(const struct spawn *s)
{
	for (const struct eio_ll_action *a = s->actions; a < s->end; a++) {
		if (a->kind == EIO_LL_SETUID || a->kind == EIO_LL_SETGID)
			return true;
	}
	return false;
}

/* The child, or a negative errno. Its answer is there when the clone returns. */
static int clone_any(struct spawn *s, int *ret_pidfd)
{
	int flags = CLONE_FLAGS | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
	int pid = clone(child, s, flags, s, ret_pidfd); /* its stack ends where s begins */

	return pid < 0 ? -errno : pid;
}

static pthread_mutex_t identity = PTHREAD_MUTEX_INITIALIZER;

void eio__spawn_forget(void)
{
	identity = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
}

/*
 * A change of identity takes the right to be traced and dumped away from the memory it
 * happens in, lest others see what is there. The child's is the parent's, and when the child
 * has gone the parent gets its own right back. One at a time: another thread would take for
 * the parent's what this child has made of it.
 */
static int clone_other(struct spawn *s, int *ret_pidfd)
{
	bool restore;
	int pid;

	pthread_mutex_lock(&identity);
	restore = prctl(PR_GET_DUMPABLE) == 1;
	pid = clone_any(s, ret_pidfd);
	if (restore)
		prctl(PR_SET_DUMPABLE, 1);
	pthread_mutex_unlock(&identity);
	return pid;
}

static int clone_child(struct spawn *s, struct eio__child *ret)
{
	int pidfd = -1, pid;
	siginfo_t info;

	pid = changes_identity(s) ? clone_other(s, &pidfd) : clone_any(s, &pidfd);
	if (pid < 0)
		return pid;
	if (s->rc < 0) {
		/* It is on its way out. */
		waitid((idtype_t) P_PIDFD_, (id_t) pidfd, &info, WEXITED);
		close(pidfd);
		return s->rc;
	}
	ret->pid = pid;
	ret->pidfd = pidfd;
	return 0;
}

/* With all signals blocked, also those that libc keeps to itself and lets nobody block. */
static int start(struct spawn *s, struct eio__child *ret)
{
	static const uint64_t all = UINT64_MAX;
	int rc;

	eio__handlers_inherited(&s->before);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &s->mask, sizeof(all));
	s->childs_mask = s->mask & ~eio__uring_self()->blocked;
	s->at = NULL;
	rc = clone_child(s, ret);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &s->mask, NULL, sizeof(all));
	return rc;
}

static const char *subject(const struct eio_ll_action *a)
{
	if (a->kind == EIO_LL_EXECVE)
		return a->u.exec.path;
	return a->kind == EIO_LL_CHDIR ? a->u.path : NULL;
}

static int fail(const struct spawn *s, int rc)
{
	if (!s->at)
		return eio__fail(rc, "clone", NULL);
	return eio__fail(rc,
			 rc == -ENOENT && s->interpreter ? "interpreter of" : names[s->at->kind],
			 subject(s->at));
}

int eio__spawn(const struct eio_ll_action *actions, size_t n, struct eio__child *ret)
{
	size_t size = GUARD + STACK + sizeof(struct spawn);
	struct spawn *s;
	char *base;
	int rc;

	for (size_t i = 0; i < n; i++)
		size += count_fds(&actions[i]) * sizeof(*s->fds);
	/* Whole pages: TSan goes on to remember who wrote to a part of one. */
	size = (size + GUARD - 1) / GUARD * GUARD;
	base = mmap(NULL, size, PROT_NONE, MAP_FLAGS | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return eio__fail(-errno, "mmap", NULL);
	if (mprotect(base + GUARD, size - GUARD, PROT_READ | PROT_WRITE) < 0) {
		rc = eio__fail(-errno, "mmap", NULL);
		goto unmap;
	}
	s = (struct spawn *) (base + GUARD + STACK);
	*s = (struct spawn){.actions = actions, .end = actions + n, .environ = environ};
	rc = pin(s);
	if (rc == 0)
		rc = start(s, ret);
	if (rc < 0)
		fail(s, rc);
	unpin(s);
unmap:
	munmap(base, size);
	return rc;
}
