/* SPDX-License-Identifier: ISC */
/*
 * Random bytes. The ring has no operation for them, and the call takes as long as copying
 * does: it is made directly, piece by piece.
 */
#include "uring/call.h"

#include <fcntl.h>
#include <sys/random.h>

enum { PIECE = 64 * 1024 }; /* some hundred microseconds */

/* The device becomes readable when the generator has been seeded. */
static int await_seed(void)
{
	struct eio_switch sw;
	struct eio_fd fd;
	int rc;

	eio_switch_begin(&sw);
	rc = eio_ll_openat(&sw, EIO_FS, "/dev/random", O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = eio_ll_await_readable(fd);
	return eio_switch_end(&sw, rc);
}

/* Some of it. */
static int draw(char *buf, size_t len)
{
	ssize_t n = getrandom(buf, len > PIECE ? PIECE : len, GRND_NONBLOCK);

	if (n >= 0)
		return (int) n;
	if (errno != EAGAIN)
		return errno == EINTR ? 0 : -errno;
	return await_seed();
}

int eio_ll_getrandom(void *buf, size_t len)
{
	size_t done = 0;
	int rc = eio_check();

	while (rc >= 0 && done < len) {
		rc = draw((char *) buf + done, len - done);
		if (rc > 0)
			done += (size_t) rc;
		if (rc >= 0 && done < len)
			rc = eio_yield();
	}
	return rc < 0 ? eio__fail(rc, "getrandom", NULL) : 0;
}
