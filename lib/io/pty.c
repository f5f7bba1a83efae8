/* SPDX-License-Identifier: ISC */
/*
 * Pseudo-terminals, and what terminals can be asked and told.
 *
 * The side that a program drives is O_NONBLOCK, so that writes to it wait in the ring; it is
 * nobody else's. The terminal itself is handed to children, who expect it to block.
 *
 * What a terminal is asked is answered by its driver at once. Only changes that wait for
 * output to be gone do wait, on a thread.
 */
#include "core/error.h"
#include "io/flow.h"

#include <eio/fiber.h>
#include <eio/ll_thread.h>
#include <eio/pty.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

_Static_assert(sizeof(struct eio_tty_size) == sizeof(struct winsize), "not as the kernel's");

/* One call on a descriptor: its number, pinned until leave, which records what the call
 * returned. */
static int enter(struct eio_flow f, const char *op, struct eio_fd *ret)
{
	int rc = eio_flow_fd(f, ret);

	return eio__fail(rc < 0 ? rc : eio_fd_use(*ret), op, NULL);
}

static int leave(struct eio_fd handle, const char *op, int result)
{
	int rc = result < 0 ? -errno : result;

	eio_fd_unuse(handle);
	return eio__fail(rc, op, NULL);
}

/* Opening */

static int open_pty(struct eio_switch *sw, struct eio_fd *ret)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return -errno;
	if (unlockpt(fd) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return eio_fd_of_unix(sw, fd, EIO_FD_CLOSE | EIO_FD_NOT_SEEKABLE, ret);
}

/* By the other side instead of by its name, which may mean something else here. */
static int open_tty(struct eio_switch *sw, struct eio_fd pty, struct eio_fd *ret)
{
	int fd = eio_fd_use(pty), rc;

	if (fd < 0)
		return fd;
	rc = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (rc < 0)
		rc = -errno;
	eio_fd_unuse(pty);
	return rc < 0 ? rc : eio_fd_of_unix(sw, rc, EIO_FD_CLOSE | EIO_FD_NOT_SEEKABLE, ret);
}

static int open_both(struct eio_switch *sw, struct eio_fd *ret_pty, struct eio_fd *ret_tty)
{
	int rc = eio_check();

	if (rc == 0 && sw)
		rc = eio_switch_check(sw);
	if (rc == 0)
		rc = open_pty(sw, ret_pty);
	if (rc < 0)
		return eio__fail(rc, "pty_open", NULL);
	rc = open_tty(sw, *ret_pty, ret_tty);
	if (rc < 0)
		eio_fd_close(*ret_pty);
	return eio__fail(rc, "pty_open", NULL);
}

static int prepare(struct eio_flow tty, const struct eio_pty_opts *opts)
{
	struct eio_tty_raw raw;
	int rc = eio_tty_set_size(tty, &opts->size);

	return rc == 0 && opts->raw ? eio_tty_raw_begin(&raw, tty) : rc;
}

int eio_pty_open(struct eio_switch *sw, const struct eio_pty_opts *opts, struct eio_flow *ret_pty,
		 struct eio_flow *ret_tty)
{
	struct eio_fd pty, tty;
	int rc = open_both(sw, &pty, &tty);

	if (rc == 0 && opts) {
		rc = prepare(eio__flow_tty(tty), opts);
		if (rc < 0) {
			eio_fd_close(tty);
			eio_fd_close(pty);
		}
	}
	if (rc < 0)
		return rc;
	*ret_pty = eio__flow_pty(pty);
	*ret_tty = eio__flow_tty(tty);
	return 0;
}

int eio_pty_name(struct eio_flow pty, char *buf, size_t size)
{
	struct eio_fd handle;
	int fd = enter(pty, "pty_name", &handle);

	if (fd < 0)
		return fd;
	errno = ptsname_r(fd, buf, size);
	return leave(handle, "pty_name", errno ? -1 : 0);
}

/* The window */

bool eio_tty_is(struct eio_flow f)
{
	struct eio_fd handle;
	int fd = eio_flow_fd(f, &handle);
	bool is = false;

	if (fd == 0)
		fd = eio_fd_use(handle);
	if (fd >= 0) {
		is = isatty(fd);
		eio_fd_unuse(handle);
	}
	return is;
}

int eio_tty_get_size(struct eio_flow tty, struct eio_tty_size *ret)
{
	struct eio_fd handle;
	int fd = enter(tty, "tty_get_size", &handle);

	return fd < 0 ? fd : leave(handle, "tty_get_size", ioctl(fd, TIOCGWINSZ, ret));
}

int eio_tty_set_size(struct eio_flow tty, const struct eio_tty_size *size)
{
	struct eio_fd handle;
	int fd = enter(tty, "tty_set_size", &handle);

	return fd < 0 ? fd : leave(handle, "tty_set_size", ioctl(fd, TIOCSWINSZ, size));
}

/* Attributes */

int eio_tty_get_attr(struct eio_flow tty, struct termios *ret)
{
	struct eio_fd handle;
	int fd = enter(tty, "tty_get_attr", &handle);

	return fd < 0 ? fd : leave(handle, "tty_get_attr", tcgetattr(fd, ret));
}

static int set_now(struct eio_flow tty, const struct termios *attr)
{
	struct eio_fd handle;
	int fd = enter(tty, "tty_set_attr", &handle);

	return fd < 0 ? fd : leave(handle, "tty_set_attr", tcsetattr(fd, TCSANOW, attr));
}

struct change {
	int fd, action;
	const struct termios *attr;
};

static int set_in_thread(void *arg)
{
	const struct change *c = arg;

	return tcsetattr(c->fd, c->action, c->attr) < 0 ? -errno : 0;
}

static int set_after_output(struct eio_flow tty, int action, const struct termios *attr)
{
	struct change c = {.action = action, .attr = attr};
	struct eio_fd handle;
	int rc;

	c.fd = enter(tty, "tty_set_attr", &handle);
	if (c.fd < 0)
		return c.fd;
	rc = eio_ll_in_thread(set_in_thread, &c);
	eio_fd_unuse(handle);
	return eio__fail(rc, "tty_set_attr", NULL);
}

int eio_tty_set_attr(struct eio_flow tty, enum eio_tty_when when, const struct termios *attr)
{
	int rc = eio_check();

	if (rc < 0)
		return rc;
	switch (when) {
	case EIO_TTY_NOW:
		return set_now(tty, attr);
	case EIO_TTY_DRAIN:
		return set_after_output(tty, TCSADRAIN, attr);
	case EIO_TTY_FLUSH:
		return set_after_output(tty, TCSAFLUSH, attr);
	}
	return eio__fail(-EINVAL, "tty_set_attr", NULL);
}

/* Raw mode */

struct raw {
	struct eio_flow tty;
	struct termios before;
};

_Static_assert(sizeof(struct raw) <= sizeof(struct eio_tty_raw), "eio_tty_raw is too small");

int eio_tty_raw_begin(struct eio_tty_raw *pub, struct eio_flow tty)
{
	struct raw *r = (struct raw *) pub;
	struct termios raw;
	int rc = eio_tty_get_attr(tty, &r->before);

	if (rc < 0)
		return rc;
	r->tty = tty;
	raw = r->before;
	cfmakeraw(&raw);
	return set_now(tty, &raw);
}

int eio_tty_raw_end(struct eio_tty_raw *pub)
{
	struct raw *r = (struct raw *) pub;

	return set_now(r->tty, &r->before);
}
