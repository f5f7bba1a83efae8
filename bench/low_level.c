/* SPDX-License-Identifier: ISC */
/*
 * What each low-level call costs above the same bare code: the library's call in one fiber, and
 * the same operation by liburing with the same set-up, or by the bare system call where the
 * library makes it directly. A line NAME, a line NAME_raw, and NAME_above: the difference by the
 * number of library calls in it.
 */
#include "bench.h"
#include "raw_ring.h"

#include <arpa/inet.h>
#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEN = 64, COUNT = 1000, DEPTH = 256, NAME = 64 };

/* Both ways of everything; the numbers are the raw lines'. */
static struct {
	struct io_uring ring;
	struct eio_switch sw;
	struct eio_chunk chunk;
	struct eio_fd file, pair[2], pipe_r, pipe_w, listener;
	int unix_file, unix_pair[2], unix_r, unix_w, unix_listener;
	struct sockaddr_in where;
	struct eio_addr addr;
	char fixed[4096] __attribute__((aligned(4096)));
	char path[NAME];
} at;

static char buf[4096];
static const struct iovec iov[2] = {{buf, LEN / 2}, {buf + LEN / 2, LEN / 2}};

static struct io_uring_sqe *raw(void)
{
	return io_uring_get_sqe(&at.ring);
}

static int raw_wait(void)
{
	return raw_ring_wait(&at.ring);
}

/* The system call's result as the ring would give it. */
static int by_errno(int rc)
{
	return rc < 0 ? -errno : rc;
}

/* The calls, each beside its bare form */

static int noop(void)
{
	return eio_ll_noop();
}

static int raw_noop(void)
{
	io_uring_prep_nop(raw());
	return raw_wait();
}

static int read_(void)
{
	return (int) eio_ll_read(at.file, buf, LEN, 0);
}

static int raw_read(void)
{
	io_uring_prep_read(raw(), at.unix_file, buf, LEN, 0);
	return raw_wait();
}

static int readv_(void)
{
	return (int) eio_ll_readv(at.file, iov, 2, 0);
}

static int raw_readv(void)
{
	io_uring_prep_readv(raw(), at.unix_file, iov, 2, 0);
	return raw_wait();
}

static int read_upto(void)
{
	return (int) eio_ll_read_upto(at.file, at.chunk, LEN, 0);
}

static int read_exactly(void)
{
	return eio_ll_read_exactly(at.file, at.chunk, LEN, 0);
}

static int raw_read_fixed(void)
{
	io_uring_prep_read_fixed(raw(), at.unix_file, at.fixed, LEN, 0, 0);
	return raw_wait();
}

static int write_all(void)
{
	return eio_ll_write_all(at.file, buf, LEN, 0);
}

static int raw_write(void)
{
	io_uring_prep_write(raw(), at.unix_file, buf, LEN, 0);
	return raw_wait();
}

static int writev_(void)
{
	return eio_ll_writev(at.file, iov, 2, 0);
}

static int raw_writev(void)
{
	io_uring_prep_writev(raw(), at.unix_file, iov, 2, 0);
	return raw_wait();
}

static int write_fixed(void)
{
	return eio_ll_write(at.file, at.chunk, LEN, 0);
}

static int raw_write_fixed(void)
{
	io_uring_prep_write_fixed(raw(), at.unix_file, at.fixed, LEN, 0, 0);
	return raw_wait();
}

static int send_recv(void)
{
	int rc = (int) eio_ll_send(at.pair[0], buf, LEN, 0);

	return rc < 0 ? rc : (int) eio_ll_recv(at.pair[1], buf, LEN, 0);
}

static int raw_send_recv(void)
{
	int rc;

	io_uring_prep_send(raw(), at.unix_pair[0], buf, LEN, MSG_NOSIGNAL);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_recv(raw(), at.unix_pair[1], buf, LEN, 0);
	return raw_wait();
}

static int poll_(void)
{
	return eio_ll_poll(at.pair[0], POLLOUT);
}

static int raw_poll(void)
{
	io_uring_prep_poll_add(raw(), at.unix_pair[0], POLLOUT);
	return raw_wait();
}

static int splice_(void)
{
	int rc = eio_ll_write_all(at.pipe_w, buf, LEN, EIO_CURRENT);

	return rc < 0 ? rc : (int) eio_ll_splice(at.pipe_r, at.file, LEN);
}

static int raw_splice(void)
{
	int rc;

	io_uring_prep_write(raw(), at.unix_w, buf, LEN, (uint64_t) -1);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_splice(raw(), at.unix_r, -1, at.unix_file, -1, LEN, 0);
	return raw_wait();
}

static int open_close(void)
{
	struct eio_fd fd;
	int rc = eio_ll_openat(NULL, EIO_CWD, ".", O_PATH | O_DIRECTORY, 0, &fd);

	return rc < 0 ? rc : eio_fd_close(fd);
}

static int raw_open_close(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0x0a};
	int fd;

	io_uring_prep_openat2(raw(), AT_FDCWD, ".", (struct open_how *) &how);
	fd = raw_wait();
	if (fd < 0)
		return fd;
	io_uring_prep_close(raw(), fd);
	return raw_wait();
}

static int statx_(void)
{
	struct statx st;

	return eio_ll_statx(EIO_FS, at.path, true, STATX_BASIC_STATS, &st);
}

static int raw_statx(void)
{
	struct statx st;

	io_uring_prep_statx(raw(), AT_FDCWD, at.path, 0, STATX_BASIC_STATS, &st);
	return raw_wait();
}

static int fstat_(void)
{
	struct statx st;

	return eio_ll_fstat(at.file, &st);
}

static int raw_fstat(void)
{
	struct statx st;

	return by_errno(
		statx(at.unix_file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st));
}

static int fsync_(void)
{
	return eio_ll_fsync(at.file);
}

static int raw_fsync(void)
{
	io_uring_prep_fsync(raw(), at.unix_file, 0);
	return raw_wait();
}

static int socket_close(void)
{
	struct eio_fd fd;
	int rc = eio_ll_socket(NULL, AF_UNIX, SOCK_STREAM, 0, &fd);

	return rc < 0 ? rc : eio_fd_close(fd);
}

static int raw_socket_close(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	io_uring_prep_close(raw(), fd);
	return raw_wait();
}

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
	io_uring_prep_close(raw(), fds[0]);
	rc = raw_wait();
	if (rc < 0)
		return rc;
	io_uring_prep_close(raw(), fds[1]);
	return raw_wait();
}

/* A connection from end to end: all but the connecting and accepting is the same. */
static int connect_accept(void)
{
	struct linger reset = {1, 0};
	struct eio_fd client, server;
	int rc = eio_ll_socket(NULL, AF_INET, SOCK_STREAM, 0, &client), n;

	if (rc < 0)
		return rc;
	n = eio_fd_to_unix(client, EIO_FD_PEEK);
	setsockopt(n, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	rc = eio_ll_connect(client, &at.addr);
	if (rc == 0)
		rc = eio_ll_accept(NULL, at.listener, &server, NULL);
	eio_fd_close(client);
	return rc < 0 ? rc : eio_fd_close(server);
}

static int raw_connect_accept(void)
{
	struct linger reset = {1, 0};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	io_uring_prep_connect(raw(), client, (struct sockaddr *) &at.where, sizeof(at.where));
	bench_check(raw_wait(), "connect");
	io_uring_prep_accept(raw(), at.unix_listener, NULL, NULL, SOCK_CLOEXEC);
	server = raw_wait();
	bench_check(server, "accept");
	io_uring_prep_close(raw(), client);
	bench_check(raw_wait(), "close");
	io_uring_prep_close(raw(), server);
	return raw_wait();
}

static const struct call {
	const char *name;
	int (*eio)(void);
	int (*raw)(void);
	unsigned n; /* the library's calls in it */
} calls[] = {
	{"noop", noop, raw_noop, 1},
	{"read", read_, raw_read, 1},
	{"readv", readv_, raw_readv, 1},
	{"read_upto", read_upto, raw_read_fixed, 1},
	{"read_exactly", read_exactly, raw_read_fixed, 1},
	{"write_all", write_all, raw_write, 1},
	{"writev", writev_, raw_writev, 1},
	{"write_fixed", write_fixed, raw_write_fixed, 1},
	{"send_recv", send_recv, raw_send_recv, 2},
	{"poll", poll_, raw_poll, 1},
	{"splice", splice_, raw_splice, 2},
	{"open_close", open_close, raw_open_close, 2},
	{"statx", statx_, raw_statx, 1},
	{"fstat", fstat_, raw_fstat, 1},
	{"fsync", fsync_, raw_fsync, 1},
	{"socket_close", socket_close, raw_socket_close, 2},
	{"pipe_close", pipe_close, raw_pipe_close, 3},
	{"connect_accept", connect_accept, raw_connect_accept, 5},
};

enum { CALLS = BENCH_LEN(calls) };

/* What they work on */

static struct eio_fd track(int unix_fd)
{
	struct eio_fd fd;

	if (unix_fd < 0)
		bench_fail("setting up: %s", strerror(errno));
	bench_check(eio_fd_of_unix(&at.sw, unix_fd, EIO_FD_CLOSE, &fd), "tracking a descriptor");
	return fd;
}

static void set_up_sockets(void)
{
	socklen_t len = sizeof(at.where);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, at.unix_pair) < 0)
		bench_fail("socketpair: %s", strerror(errno));
	at.pair[0] = track(at.unix_pair[0]);
	at.pair[1] = track(at.unix_pair[1]);
	at.unix_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.listener = track(at.unix_listener);
	at.where =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	if (bind(at.unix_listener, (struct sockaddr *) &at.where, sizeof(at.where)) < 0 ||
	    listen(at.unix_listener, 16) < 0 ||
	    getsockname(at.unix_listener, (struct sockaddr *) &at.where, &len) < 0)
		bench_fail("listening: %s", strerror(errno));
	bench_check(eio_addr_from_sockaddr(&at.addr, (struct sockaddr *) &at.where, len),
		    "address");
}

static void set_up(void)
{
	const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	struct iovec all = {at.fixed, sizeof(at.fixed)};

	raw_ring_init(&at.ring, DEPTH);
	bench_check(io_uring_register_buffers(&at.ring, &all, 1), "registering a buffer");
	bench_check(eio_ll_alloc_fixed(&at.chunk), "alloc_fixed");
	at.unix_file = open(tmp, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	at.file = track(at.unix_file);
	if (pwrite(at.unix_file, buf, sizeof(buf), 0) != sizeof(buf))
		bench_fail("writing a file: %s", strerror(errno));
	snprintf(at.path, sizeof(at.path), "/proc/self/fd/%d", at.unix_file);
	bench_check(eio_ll_pipe(&at.sw, &at.pipe_r, &at.pipe_w), "pipe");
	at.unix_r = eio_fd_to_unix(at.pipe_r, EIO_FD_PEEK);
	at.unix_w = eio_fd_to_unix(at.pipe_w, EIO_FD_PEEK);
	set_up_sockets();
}

/* The measuring */

static double measure(const char *name, int (*call)(void))
{
	double start = bench_now_ns();

	for (unsigned i = 0; i < COUNT; i++)
		bench_check(call(), name);
	return (bench_now_ns() - start) / COUNT;
}

static struct {
	const char *only;
	unsigned rounds;
	char names[CALLS][3][NAME];
	struct bench_value eio[CALLS], raw[CALLS];
} all;

static bool is_wanted(size_t i)
{
	return !all.only || strcmp(all.only, calls[i].name) == 0;
}

static int measure_all(struct eio_env *env, void *arg)
{
	(void) env, (void) arg;
	eio_switch_begin(&at.sw);
	set_up();
	for (unsigned r = 0; r < all.rounds + 1; r++) {
		for (size_t i = 0; i < CALLS; i++) {
			double eio, bare;

			if (!is_wanted(i))
				continue;
			eio = measure(calls[i].name, calls[i].eio);
			bare = measure(calls[i].name, calls[i].raw);
			if (r == 0)
				continue; /* for nothing */
			bench_add(&all.eio[i], eio);
			bench_add(&all.raw[i], bare);
		}
	}
	eio_ll_free_fixed(at.chunk);
	io_uring_queue_exit(&at.ring);
	return eio_switch_end(&at.sw, 0);
}

int main(int argc, char **argv)
{
	struct bench_option more[] = {
		{.name = "only NAME", .what = "this call alone"},
		{0},
	};
	bool any = false;

	all.rounds = bench_parse(argc, argv, "Measures each low-level call beside the bare one.",
				 51, more);
	all.only = more[0].value;
	for (size_t i = 0; i < CALLS; i++) {
		static const char *const suffix[] = {"", "_raw", "_above"};

		for (int k = 0; k < 3; k++)
			snprintf(all.names[i][k], NAME, "%s%s", calls[i].name, suffix[k]);
		all.eio[i] = (struct bench_value){.name = all.names[i][0], .unit = "ns"};
		all.raw[i] = (struct bench_value){.name = all.names[i][1], .unit = "ns"};
		any |= is_wanted(i);
	}
	if (!any)
		bench_fail("there is no call %s", all.only);
	bench_check(eio_run(NULL, measure_all, NULL), "eio_run");
	for (size_t i = 0; i < CALLS; i++) {
		if (!is_wanted(i))
			continue;
		bench_print(&all.eio[i], 1);
		bench_print(&all.raw[i], 1);
		bench_print_above(all.names[i][2], &all.eio[i], &all.raw[i], calls[i].n);
	}
	return 0;
}
