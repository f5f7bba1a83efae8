/* SPDX-License-Identifier: ISC */
/*
 * Terminals, and pseudo-terminals for programs that want one.
 *
 * A pseudo-terminal has two sides. What a program writes to its terminal, the tty, is read from
 * the pty, and what is written to the pty is what the program reads, as if typed:
 *
 *   rc = eio_pty_open(&sw, NULL, &pty, &tty);
 *   rc = eio_flow_fd(tty, &fd);
 *   actions[0] = eio_ll_action_login_tty(fd);
 *   actions[1] = eio_ll_action_execve("/bin/sh", argv, NULL);
 *   rc = eio_ll_spawn(&sw, actions, 2, &process);
 *   rc = eio_flow_close(tty);
 *
 * Who closes its own tty, as here, reads the end of the stream from the pty when the last
 * program has gone. To close the pty hangs up: the session gets SIGHUP.
 *
 * In the beginning a terminal is in no raw mode: it echoes, hands over whole lines, and turns
 * ^C into SIGINT and ^D at the beginning of a line into the end of the stream.
 */
#ifndef EIO_PTY_H
#define EIO_PTY_H

#include <eio/api.h>
#include <eio/flow.h>
#include <eio/switch.h>

struct termios;

EIO_BEGIN_DECLS

/** The size of a terminal's window: in characters, and in pixels, where 0 is unknown. */
struct eio_tty_size {
	unsigned short rows, cols;
	unsigned short xpixel, ypixel;
};

/** How a pseudo-terminal begins; zeroed is what eio_pty_open does without. */
struct eio_pty_opts {
	struct eio_tty_size size;
	bool raw; /**< bytes pass as they are, in both directions (cfmakeraw(3)) */
};

/**
 * Open a pseudo-terminal.
 *
 * Does not suspend. Neither side becomes the caller's controlling terminal.
 *
 * @param sw    Both sides are closed at its end. NULL: attached to nothing, the caller closes
 *   them.
 * @param opts  NULL: the defaults. Copied.
 * @param ret_pty  A source and a sink. Reading gives 0 once nobody has the tty open any more and
 *   everything was read; it goes on if somebody opens it again. Its descriptor is O_NONBLOCK.
 * @param ret_tty  The terminal, for a child, or for the program itself; its descriptor blocks, as
 *   programs expect it. Reading gives 0 when the pty was closed, writing -EIO.
 * @return 0 and both are written, or: there is neither
 *   -ECANCELED        the context or @p sw is cancelled
 *   -EINVAL           @p sw is finished
 *   -EPERM            @p sw is another domain's, or this thread runs none
 *   -EMFILE, -ENFILE  too many descriptors
 *   -ENOSPC           too many pseudo-terminals (kernel.pty.max)
 *   -ENOENT, -EACCES, -ENXIO  the system has none, or not for this process
 *   -ENOMEM           out of memory
 * @cancel Checked first.
 * @thread Any fiber.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_pty_open(struct eio_switch *sw, const struct eio_pty_opts *opts,
				       struct eio_flow *ret_pty, struct eio_flow *ret_tty);

/**
 * The path of a pty's terminal: "/dev/pts/3".
 *
 * @return 0; -ERANGE: @p size bytes are too few; -ENOTTY: it is no pty, but its tty may be;
 *   -EBADF; -ENOTSUP: a flow without descriptor.
 * @cancel No; does not suspend.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_pty_name(struct eio_flow pty, char *buf, size_t size);

/** Is it a terminal? Either side of a pseudo-terminal is one. Does not suspend. @since 0.1 */
EIO_API bool eio_tty_is(struct eio_flow f);

/**
 * Get the size of a terminal's window; the pty gives that of its tty.
 *
 * @return 0; -ENOTTY: it is none; -EIO: the pty was closed; -EBADF; -ENOTSUP: a flow without
 *   descriptor.
 * @cancel No; does not suspend.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_tty_get_size(struct eio_flow tty, struct eio_tty_size *ret);

/** Set it, by either side: programs in the foreground get SIGWINCH if it differs. As
 *  eio_tty_get_size. @since 0.1 */
EIO_API int eio_tty_set_size(struct eio_flow tty, const struct eio_tty_size *size);

/** When a change of attributes takes effect. */
enum eio_tty_when {
	EIO_TTY_NOW,
	EIO_TTY_DRAIN, /**< after what was written has been sent */
	EIO_TTY_FLUSH, /**< the same, and what has come and was not read is dropped */
};

/**
 * Get a terminal's attributes (termios(3), <termios.h>); the pty gives those of its tty.
 *
 * @return As eio_tty_get_size.
 * @cancel No; does not suspend.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_tty_get_attr(struct eio_flow tty, struct termios *ret);

/**
 * Set them. A process in the background of its own controlling terminal gets SIGTTOU, which
 * stops it.
 *
 * @param when  EIO_TTY_NOW does not suspend. The others wait, on a thread, as long as the
 *   terminal takes to send its output: for ever if that is stopped.
 * @param attr  Borrowed for the call. The kernel takes what it can: to be sure, get them again.
 * @return 0; -EINVAL: not one of these times, or attributes the kernel cannot take at all; -EAGAIN:
 *   no thread can be made; -ECANCELED; or as eio_tty_get_size.
 * @cancel Checked first. Waiting for output to be sent is not cancelled.
 * @since 0.1
 */
EIO_API int eio_tty_set_attr(struct eio_flow tty, enum eio_tty_when when,
			     const struct termios *attr);

/** A terminal in raw mode, and its attributes of before; opaque. */
struct eio_tty_raw {
	void *eio_private[12];
};

/**
 * Put a terminal into raw mode: bytes pass as they are, keys make no signals and are not echoed.
 *
 * It stays so when the program dies: the end of the scope is what restores it. Beginning and end
 * are changes of attributes: in the background of its own terminal they stop the process.
 *
 * @param tty  Stays the caller's, and open until the end.
 * @return 0; or as eio_tty_get_size, and then there is nothing to end.
 * @cancel No; does not suspend.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_tty_raw_begin(struct eio_tty_raw *r, struct eio_flow tty);

/** Restore the attributes that the terminal had at the beginning. As eio_tty_get_size, in a
 *  cancelled context too. @since 0.1 */
EIO_API int eio_tty_raw_end(struct eio_tty_raw *r);

EIO_END_DECLS

#endif
