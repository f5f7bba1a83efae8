/* SPDX-License-Identifier: ISC */
/*
 * Reading and writing a file, and what pipes do.
 */
#include "low_level.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static struct ll_fd file, pipe_r, pipe_w;
static struct eio_chunk chunk;
static char fixed[LL_BUF] __attribute__((aligned(LL_BUF)));

static int read_(void)
{
	return (int) eio_ll_read(file.fd, ll_buf, LL_LEN, 0);
}

static int raw_read(void)
{
	io_uring_prep_read(raw(), file.unix_fd, ll_buf, LL_LEN, 0);
	return raw_wait();
}

static int readv_(void)
{
	return (int) eio_ll_readv(file.fd, ll_iov, 2, 0);
}

static int raw_readv(void)
{
	io_uring_prep_readv(raw(), file.unix_fd, ll_iov, 2, 0);
	return raw_wait();
}

static int read_upto(void)
{
	return (int) eio_ll_read_upto(file.fd, chunk, LL_LEN, 0);
}

static int read_exactly(void)
{
	return eio_ll_read_exactly(file.fd, chunk, LL_LEN, 0);
}

static int raw_read_fixed(void)
{
	io_uring_prep_read_fixed(raw(), file.unix_fd, fixed, LL_LEN, 0, 0);
	return raw_wait();
}

static int write_all(void)
{
	return eio_ll_write_all(file.fd, ll_buf, LL_LEN, 0);
}

static int raw_write(void)
{
	io_uring_prep_write(raw(), file.unix_fd, ll_buf, LL_LEN, 0);
	return raw_wait();
}

static int writev_(void)
{
	return eio_ll_writev(file.fd, ll_iov, 2, 0);
}

static int writev_single(void)
{
	return (int) eio_ll_writev_single(file.fd, ll_iov, 2, 0);
}

static int raw_writev(void)
{
	io_uring_prep_writev(raw(), file.unix_fd, ll_iov, 2, 0);
	return raw_wait();
}

static int write_fixed(void)
{
	return eio_ll_write(file.fd, chunk, LL_LEN, 0);
}

static int raw_write_fixed(void)
{
	io_uring_prep_write_fixed(raw(), file.unix_fd, fixed, LL_LEN, 0, 0);
	return raw_wait();
}

/* Pipes */

static int pipe_close(void)
{
	struct eio_fd r, w;
	int rc = eio_ll_pipe(NULL, &r, &w);

	if (rc == 0)
		rc = eio_fd_close(r);
	return rc < 0 ? rc : eio_fd_close(w);
}

static int raw_pipe_close(void)
{
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	rc = raw_close(fds[0]);
	return rc < 0 ? rc : raw_close(fds[1]);
}

static int splice_(void)
{
	int rc = eio_ll_write_all(pipe_w.fd, ll_buf, LL_LEN, EIO_CURRENT);

	return rc < 0 ? rc : (int) eio_ll_splice(pipe_r.fd, file.fd, LL_LEN);
}

static int raw_splice(void)
{
	int rc;

	io_uring_prep_write(raw(), pipe_w.unix_fd, ll_buf, LL_LEN, (uint64_t) -1);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_splice(raw(), pipe_r.unix_fd, -1, file.unix_fd, -1, LL_LEN, 0);
	return raw_wait();
}

static int poll_(void)
{
	return eio_ll_poll(pipe_w.fd, POLLOUT);
}

static int await_writable(void)
{
	return eio_ll_await_writable(pipe_w.fd);
}

static int raw_poll(void)
{
	io_uring_prep_poll_add(raw(), pipe_w.unix_fd, POLLOUT);
	return raw_wait();
}

static void set_up(void)
{
	struct iovec all = {fixed, sizeof(fixed)};
	int ends[2];

	bench_check(io_uring_register_buffers(&ll_ring, &all, 1), "registering a buffer");
	bench_check(eio_ll_alloc_fixed(&chunk), "alloc_fixed");
	file = ll_track(open(ll_dir(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
	if (pwrite(file.unix_fd, ll_buf, LL_BUF, 0) != LL_BUF || pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("a file and a pipe: %s", strerror(errno));
	pipe_r = ll_track(ends[0]);
	pipe_w = ll_track(ends[1]);
}

static void clean_up(void)
{
	eio_ll_free_fixed(chunk);
}

static const struct ll_call calls[] = {
	{"read", read_, raw_read, 1, LL_QUICK},
	{"readv", readv_, raw_readv, 1, LL_QUICK},
	{"read_upto", read_upto, raw_read_fixed, 1, LL_QUICK},
	{"read_exactly", read_exactly, raw_read_fixed, 1, LL_QUICK},
	{"write_all", write_all, raw_write, 1, LL_SLOW},
	{"writev", writev_, raw_writev, 1, LL_SLOW},
	{"writev_single", writev_single, raw_writev, 1, LL_SLOW},
	{"write_fixed", write_fixed, raw_write_fixed, 1, LL_SLOW},
	{"pipe_close", pipe_close, raw_pipe_close, 3, LL_QUICK},
	{"splice", splice_, raw_splice, 2, LL_SLOW},
	{"poll", poll_, raw_poll, 1, LL_QUICK},
	{"await_writable", await_writable, raw_poll, 1, LL_QUICK},
};

const struct ll_area ll_rw = {set_up, clean_up, calls, BENCH_LEN(calls)};
