/* SPDX-License-Identifier: ISC */
/*
 * Running programs.
 *
 *   static const char *const argv[] = {"sort", "-u", NULL};
 *   struct eio_flow in = eio_string_source_init(&words, text, len);
 *   struct eio_flow out = eio_buffer_sink_init(&sorted, 0);
 *   struct eio_spawn spawn = {.argv = argv, .in = &in, .out = &out};
 *
 *   rc = eio_process_run(env->process_mgr, &spawn, NULL);
 *
 * A program's standard streams may be any flows. One with a descriptor is the child's own from
 * then on, and nothing passes through here. To one without there is a pipe, and fibers of the
 * switch copy:
 *
 * - What is copied to the child is copied by a daemon, until its source ends, or nobody is left
 *   who could read the pipe: the child has ended or closed it. That is no failure.
 * - What is copied from the child is copied until everybody who has the pipe has closed it, the
 *   child and those whom it gave it to. A daemon that a child leaves behind with its output holds
 *   the copy up for as long as it lives, as it does with a shell's $(…); a time limit ends that.
 *   The end of the switch waits for the copy as for any fiber, and so for a child that still
 *   writes: signal it first, or cancel, if it is not to be waited for.
 * - A flow that fails, the child's source or sink, fails the switch, as a fiber does. After a sink
 *   the child finds its pipe closed.
 *
 * All calls but those on text are for fibers of a domain with a ring, where nothing else is said.
 */
#ifndef EIO_PROCESS_H
#define EIO_PROCESS_H

#include <eio/api.h>
#include <eio/child.h>
#include <eio/flow.h>
#include <eio/fs.h>

EIO_BEGIN_DECLS

struct eio_buf_reader; /* <eio/buf_read.h> */
struct eio_process_mgr_ops;

/** The right to run programs: a value. A zeroed one gives -EBADF. */
struct eio_process_mgr {
	const struct eio_process_mgr_ops *ops;
	void *ptr;
};

/**
 * A program and what it starts with; NULL and 0: as the parent's. What it points to is borrowed
 * for the call, but for the flows without a descriptor, which are used until their copies end.
 */
struct eio_spawn {
	/** The arguments, the program's name first, NULL at the end. */
	const char *const *argv;
	/**
	 * The program; NULL: argv[0]. With a '/' it is a path, a relative one from the child's
	 * working directory. Without, it is looked for in the directories of PATH (of @p env, if
	 * that is given; "/bin:/usr/bin" where there is none) as execvp(3) does, but what is no
	 * program is not given to a shell.
	 */
	const char *executable;
	const char *const *env; /**< "NAME=value", NULL at the end */
	/** The working directory, which needs a descriptor; env->cwd and env->fs: the parent's. */
	const struct eio_dir *cwd;
	/**
	 * The standard streams; any flow. The same one may be @p out and @p err. For eio_null() the
	 * child gets /dev/null.
	 * A flow's descriptor becomes blocking (O_NONBLOCK is cleared), as programs expect, for
	 * all who share it, and stays so, also if the program cannot begin. Nothing of the library
	 * waits in the thread for that, but writing to the pseudo-terminal that a program drives;
	 * a copy of a socket's that begins later sets the flag again, for the child too.
	 */
	const struct eio_flow *in, *out, *err;
	/** More descriptors, as they are. Of two with the same number the later one counts, and
	 *  any of these before @p in, @p out and @p err. */
	const struct eio_inherit *inherit;
	size_t n_inherit;
	/** The identity. With a uid or gid root's child has no supplementary groups but those
	 *  named by @p groups, so that it does not keep root's. */
	const uid_t *uid;
	const gid_t *gid;
	const gid_t *groups;
	size_t n_groups;
	const pid_t *pgid; /**< the process group to join; 0: a new one. Not with @p tty */
	const struct eio_fd
		*tty; /**< a new session's terminal, and what streams that are NULL are */
	void *reserved[4];
};

/** What a provider of processes implements. A NULL spawn gives -EOPNOTSUPP. */
struct eio_process_mgr_ops {
	const char *name;
	/** As eio_process_spawn. The caller is not cancelled yet; @p sw is not NULL, and there is
	 *  an argument. A provider that restricts ends with a call to another manager's. */
	int (*spawn)(struct eio_process_mgr mgr, struct eio_switch *sw,
		     const struct eio_spawn *spawn, struct eio_process *ret);
	void *reserved[4]; /**< zero */
};

/**
 * Start a program.
 *
 * Waits for nothing but /dev/null to be opened, where that is needed. The thread, with all its
 * fibers, stops until the program has begun: see eio_ll_spawn in <eio/ll_process.h>, which also
 * says what a child finds.
 *
 * @param sw     Kills the process (SIGKILL) at its end, when its fibers have ended, waits until it
 *   has ended, and collects it; no other child of the program is touched.
 * @param spawn  Borrowed for the call.
 * @return 0 when the program has begun. Otherwise there is no process, no flow was read or
 *   written, and eio_last_error names the program or what else it was about:
 *   -ENOENT      there is no such program, or (op is "interpreter of") not the interpreter that
 *                it names
 *   -EACCES      it may not be executed, or the working directory not be entered
 *   -ENOEXEC     it is not a program
 *   -E2BIG       too many or too long arguments and environment
 *   -EBADF       a zeroed @p mgr, or a flow, directory or descriptor that is closed
 *   -ENOTSUP     the directory is a provider's and has no descriptor
 *   -EPERM       an identity, group or terminal was refused; @p sw is another domain's; no domain
 *                with a ring
 *   -EINVAL      no argument, no switch, a negative number, a group and a terminal
 *   -EOPNOTSUPP  the provider starts nothing
 *   -ECANCELED   the context or @p sw is cancelled
 *   -ENOMEM, -EAGAIN, -EMFILE, -ENFILE  no memory, process or descriptor left
 *   -ENOTDIR, -ELOOP, -EIO, …  as execve(2) and the calls before it fail
 * @cancel Only before it begins.
 * @thread A fiber of the switch's domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_process_spawn(struct eio_process_mgr mgr, struct eio_switch *sw,
					    const struct eio_spawn *spawn, struct eio_process *ret);

/**
 * Wait until a process has ended; not for copies from or to it.
 *
 * Any number of fibers may wait, of any domain, and as often as they like while the switch lives.
 *
 * @param ret_status  How it ended, as waitpid(2) tells. Optional.
 * @return 0, also if it did not succeed, or:
 *   -EBADF      the switch has ended
 *   -ECHILD     it has ended, but the program collected it itself, or ignores SIGCHLD
 *   -ECANCELED  the context was cancelled
 * @cancel Yes; the process goes on and can be waited for again.
 * @thread A fiber of any domain.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_process_await(struct eio_process process, int *ret_status);

/**
 * Send a signal to a process, and never to another one that got its number.
 *
 * @return 0, also when the process has ended: nothing was done; or:
 *   -EBADF   the switch has ended
 *   -EINVAL  there is no such signal
 *   -EPERM   the process has another user's identity
 * @cancel No: this is how one cleans up.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_process_signal(struct eio_process process, int sig);

/** The process's number, which is another process's some time after it has ended and been
 *  waited for; or -EBADF. Any thread. @since 0.1 */
EIO_API int eio_process_pid(struct eio_process process);

/**
 * Run a program: start it, wait until it has ended, and for the copies of its output.
 *
 * @param ret_status  How it ended, whatever that is. NULL: it is to succeed.
 * @return 0, or:
 *   EIO_ESTATUS  it did not succeed, and @p ret_status is NULL; eio_last_error says how it ended
 *   a failure of a flow that is copied; the process was killed
 *   as eio_process_spawn and eio_process_await
 * @cancel Yes: kills the process.
 * @thread A fiber of a domain with a ring.
 * @since 0.1
 */
EIO_API int eio_process_run(struct eio_process_mgr mgr, const struct eio_spawn *spawn,
			    int *ret_status);

/** Reads a program's output: 0 or more is success, a negative code is a failure. */
typedef int eio_process_parser_fn(struct eio_buf_reader *r, void *arg);

/**
 * Run a program and read its output, while it comes.
 *
 * When @p parser has returned with success, at the end of the output or before, what it read from
 * is closed and the process's end waited for: one that still writes is ended by SIGPIPE. If that
 * is how it ended, and the parser had not come to the end of the output, it counts as success.
 *
 * @param spawn       Its @p out is NULL.
 * @param parser      Called in the calling fiber. The reader's buffer grows as far as it asks for:
 *   its max is INT_MAX.
 * @param arg         Handed to @p parser.
 * @param ret_status  As for eio_process_run.
 * @return What @p parser returned, or:
 *   its failure, which comes before others; the process was killed
 *   -EINVAL  @p spawn has an out
 *   as eio_process_run
 * @cancel Yes: kills the process.
 * @thread A fiber of a domain with a ring.
 * @since 0.1
 */
EIO_API int eio_process_parse_out(struct eio_process_mgr mgr, const struct eio_spawn *spawn,
				  eio_process_parser_fn *parser, void *arg, int *ret_status);

/** Did a process with this status exit with code 0? Any thread. @since 0.1 */
EIO_API bool eio_process_is_success(int status);

/**
 * Write in words how a process ended: "exited with code 3", "killed by SIGSEGV (core dumped)".
 *
 * @param status  As eio_process_await and waitpid(2) tell it.
 * @param buf     Destination, always NUL-terminated if @p size > 0.
 * @return The length of the whole text, as snprintf(3).
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_process_format_status(int status, char *buf, size_t size);

/**
 * Write arguments as one would type them: a word that a shell would not take as it is stands in
 * quotes.
 *
 * @param argv  NULL at the end.
 * @param buf   Destination, always NUL-terminated if @p size > 0.
 * @return The length of the whole text, as snprintf(3).
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_process_format_args(const char *const *argv, char *buf, size_t size);

EIO_END_DECLS

#endif
