/* SPDX-License-Identifier: ISC */
/*
 * Processes: a program is started by a list of actions, which the child does in order, the
 * last one being execve.
 *
 *   static const char *const argv[] = {"ls", "-l", NULL};
 *   const struct eio_inherit fds[] = {{pipe, 1}};
 *   const struct eio_ll_action actions[] = {
 *           eio_ll_action_chdir("/"),
 *           eio_ll_action_inherit_fds(fds, 1),
 *           eio_ll_action_execve("/bin/ls", argv, NULL),
 *   };
 *   rc = eio_ll_spawn(&sw, actions, 3, &process);
 *
 * What holds for every call of the low level stands in <eio/low_level.h>.
 */
#ifndef EIO_LL_PROCESS_H
#define EIO_LL_PROCESS_H

#include <eio/api.h>
#include <eio/child.h>
#include <eio/fd.h>
#include <eio/switch.h>

EIO_BEGIN_DECLS

enum eio_ll_action_kind {
	EIO_LL_CHDIR = 1,
	EIO_LL_FCHDIR,
	EIO_LL_INHERIT_FDS,
	EIO_LL_SETPGID,
	EIO_LL_SETGROUPS,
	EIO_LL_SETGID,
	EIO_LL_SETUID,
	EIO_LL_LOGIN_TTY,
	EIO_LL_EXECVE,
};

/** What a child does before it is a program of its own; what it points to is borrowed for
 *  the call. Made by the functions below. */
struct eio_ll_action {
	enum eio_ll_action_kind kind;
	union {
		const char *path;
		struct eio_fd fd;
		pid_t pgid;
		uid_t uid;
		gid_t gid;
		struct {
			const struct eio_inherit *list;
			size_t n;
		} inherit;
		struct {
			const gid_t *list;
			size_t n;
		} groups;
		struct {
			const char *path;
			const char *const *candidates; /* NULL: path it is */
			const char *const *argv, *const *envp;
		} exec;
	} u;
};

/** Change the working directory; relative paths of later actions start there. */
static inline struct eio_ll_action eio_ll_action_chdir(const char *path)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_CHDIR;
	a.u.path = path;
	return a;
}

/** The same to an open directory. */
static inline struct eio_ll_action eio_ll_action_fchdir(struct eio_fd dir)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_FCHDIR;
	a.u.fd = dir;
	return a;
}

/** Give descriptors to the child, each under its number; numbers may be those of others in
 *  the list, in any cycle. Of two with the same number the later one counts. */
static inline struct eio_ll_action eio_ll_action_inherit_fds(const struct eio_inherit *list,
							     size_t n)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_INHERIT_FDS;
	a.u.inherit.list = list;
	a.u.inherit.n = n;
	return a;
}

/** Join a process group of the session, or for 0 begin one. */
static inline struct eio_ll_action eio_ll_action_setpgid(pid_t pgid)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_SETPGID;
	a.u.pgid = pgid;
	return a;
}

/** Replace the supplementary groups. Who gives up root does this first, then setgid, then
 *  setuid: neither of those touches these groups. */
static inline struct eio_ll_action eio_ll_action_setgroups(const gid_t *list, size_t n)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_SETGROUPS;
	a.u.groups.list = list;
	a.u.groups.n = n;
	return a;
}

/** Change the group, as setgid(2), of the child alone. */
static inline struct eio_ll_action eio_ll_action_setgid(gid_t gid)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_SETGID;
	a.u.gid = gid;
	return a;
}

/** Change the user, as setuid(2), of the child alone. */
static inline struct eio_ll_action eio_ll_action_setuid(uid_t uid)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_SETUID;
	a.u.uid = uid;
	return a;
}

/** Begin a session with @p tty as its terminal and as descriptors 0, 1 and 2. */
static inline struct eio_ll_action eio_ll_action_login_tty(struct eio_fd tty)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_LOGIN_TTY;
	a.u.fd = tty;
	return a;
}

/**
 * Become a program: the last action, and only that.
 *
 * @param path  Not looked up in PATH.
 * @param argv  The arguments, the name first, NULL at the end.
 * @param envp  The environment, NULL at the end; NULL itself: the caller's.
 */
static inline struct eio_ll_action eio_ll_action_execve(const char *path, const char *const *argv,
							const char *const *envp)
{
	struct eio_ll_action a;

	a.kind = EIO_LL_EXECVE;
	a.u.exec.path = path;
	a.u.exec.candidates = NULL;
	a.u.exec.argv = argv;
	a.u.exec.envp = envp;
	return a;
}

/**
 * Become the first of several programs that is there and may be executed: EIO_LL_EXECVE with a
 * choice.
 *
 * The child tries them in turn, with the identity and the working directory that it has by then.
 * Those that are not there or whose path is too long, and those that it may not execute, are passed
 * over; any other failure ends the search. If none is left that is -EACCES if there was one it may
 * not execute, else -ENOENT.
 *
 * @param name        What the failure is about: the subject of eio_last_error.
 * @param candidates  Paths, NULL at the end.
 */
static inline struct eio_ll_action eio_ll_action_execve_any(const char *name,
							    const char *const *candidates,
							    const char *const *argv,
							    const char *const *envp)
{
	struct eio_ll_action a = eio_ll_action_execve(name, argv, envp);

	a.u.exec.candidates = candidates;
	return a;
}

/**
 * Start a program.
 *
 * Does not suspend, but the thread, with all its fibers, stops until the child has done its
 * actions: some hundred microseconds, longer where the program comes from a slow file
 * system. The time does not depend on how much memory the process has.
 *
 * A child that is stopped before it has (by SIGSTOP, by its terminal's SIGTSTP, by a tracer) keeps
 * the thread stopped until it goes on or is killed. Who may send it a signal is who may send the
 * parent one, and after an action setuid the new user as well; then every other spawn of the
 * process that changes user or group waits, too.
 *
 * The child has the descriptors 0, 1 and 2 unless they are close-on-exec, and those it
 * inherits by an action; no others, whether they are close-on-exec or not. Signals that had
 * a handler have their default action, those that were ignored stay so, and what eio_run
 * changes is as it was before (SIGPIPE); the mask is the calling thread's,
 * without what eio_domain_run blocks there.
 *
 * @param sw       Kills the process (SIGKILL) at its end if it has not ended, waits until it
 *   has, and collects it; no other child of the program is touched. A process that may not be
 *   killed, having another user's identity, is waited for.
 * @param actions  @p n of them, EIO_LL_EXECVE the last. Descriptors in them are pinned for
 *   the call.
 * @return 0 when the program has begun and *ret is written. Otherwise there is no process:
 *   -ECANCELED  the context or @p sw is cancelled
 *   -EINVAL     @p sw is NULL or finished; the last action is not EIO_LL_EXECVE, or another
 *               one is; a path or argv is NULL; a number is negative
 *   -EPERM      no domain with a ring, @p sw is another domain's, or an action was refused
 *   -EBADF      a handle in the actions is closed
 *   -ENOMEM, -EAGAIN, -EMFILE, -ENFILE  no memory, process or descriptor left
 *   or the errno of the action that failed. eio_last_error() names it: op is "execve",
 *   "chdir", "inherit_fds" …, subject its path. op "interpreter of" tells a script (or a
 *   dynamic program) that is there from its interpreter, which is not (-ENOENT).
 * @cancel Only before it begins.
 * @thread Fibers.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_spawn(struct eio_switch *sw, const struct eio_ll_action *actions,
				       size_t n, struct eio_process *ret);

/**
 * Wait until the process has ended.
 *
 * Any number of fibers may wait, of any domain, and as often as they like while the switch
 * lives. Once it has ended and been waited for, the process costs no descriptor any more.
 *
 * @param ret_status  How it ended, as waitpid(2) tells (WIFEXITED …). Optional.
 * @return 0, or:
 *   -EBADF   the switch has ended
 *   -ECHILD  the process has ended, but the program collected it itself, or ignores SIGCHLD
 * @cancel Yes; the process goes on and can be waited for again.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ll_process_await(struct eio_process process, int *ret_status);

/**
 * Send a signal to the process, and never to another one that got its number.
 *
 * @return 0, also when the process has ended: nothing was done; or:
 *   -EBADF   the switch has ended
 *   -EINVAL  there is no such signal
 *   -EPERM   the process has another user's identity
 * @cancel No: this is how one cleans up.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_ll_process_signal(struct eio_process process, int sig);

/** The process's number, which is another process's some time after it has ended and been
 *  waited for; or -EBADF. Any thread. @since 0.1 */
EIO_API int eio_ll_process_pid(struct eio_process process);

EIO_END_DECLS

#endif
