/* SPDX-License-Identifier: ISC */
/*
 * What the calls of low_level.c have in common. They stand in areas, one to a file: calls, each
 * beside its bare form, and what they work on. Both ways work on the same descriptors.
 */
#ifndef LOW_LEVEL_H
#define LOW_LEVEL_H

#include "bench.h"
#include "raw_ring.h"

#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>

/* How often in a round: what needs nobody else, and what waits for a thread, a worker or the
 * other end of a connection. */
enum { LL_QUICK = 1000, LL_SLOW = 300 };

/* The bytes that are moved. */
enum { LL_LEN = 64, LL_BUF = 4096 };
extern char ll_buf[LL_BUF];
extern const struct iovec ll_iov[2]; /* the same bytes, in two parts */

struct ll_call {
	const char *name;
	int (*eio)(void);
	int (*raw)(void);
	unsigned n; /* the library's calls in it */
	unsigned count;
};

struct ll_area {
	void (*set_up)(void);
	void (*clean_up)(void); /* what ring and switch do not; NULL: nothing */
	const struct ll_call *calls;
	size_t n;
};

extern const struct ll_area ll_any, ll_rw, ll_files, ll_names, ll_sockets, ll_messages, ll_multi;

/* While an area is measured; handles are closed with the switch. */
extern struct io_uring ll_ring;
extern struct eio_switch ll_switch;

/* A descriptor for both ways. */
struct ll_fd {
	struct eio_fd fd;
	int unix_fd;
};

/* Of a system call's result. */
struct ll_fd ll_track(int unix_fd);
void ll_socketpair(struct ll_fd ret[2]);
struct ll_fd ll_listener(struct sockaddr_in *ret_where);

/* TMPDIR, or /var/tmp, which is seldom in memory. */
const char *ll_dir(void);

/* Bare forms */

static inline struct io_uring_sqe *raw(void)
{
	return io_uring_get_sqe(&ll_ring);
}

static inline int raw_wait(void)
{
	return raw_ring_wait(&ll_ring);
}

/* The system call's result as the ring would give it. */
static inline int by_errno(long rc)
{
	return rc < 0 ? -errno : (int) rc;
}

/* Confined as paths beneath a handle are. */
int raw_open(int dir, const char *path, int flags);
int raw_close(int unix_fd);

/* On a bare thread. */
int raw_in_thread(int (*fn)(void *arg), void *arg);

#endif
