/* SPDX-License-Identifier: ISC */
/*
 * Every suspending low-level call, cancelled at every moment. Each call has a scene in
 * which it waits (or does not: then it is quick), something that makes it complete, and
 * a check that accounts for every byte, descriptor, connection and block, whatever the
 * result was.
 */
#include "core/threads.h"
#include "faults.h"
#include "support.h"
#include "uring/newer.h"
#include "uring/util.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCKS = 2, LEN = 100 };

struct scene {
	const struct call *call;
	struct eio_switch sw; /* ends after the call */
	struct eio_fd fd, peer;
	struct eio_fd opened; /* what the call made */
	struct eio_addr addr;
	struct eio_chunk chunks[BLOCKS];
	struct eio_ll_zc zc;
	size_t queued; /* bytes on their way to peer */
	struct eio_process process;
	int status;
	struct eio_ll_port port;
	struct eio_ll_port_ref ref;
	struct eio_hook hook;
	uint32_t queue[1], message;
	char buf[LEN];
	int unix_fd, client; /* -1: none */
	int ran;             /* how often a thread did it */
	uint32_t words[2];
	int woken; /* by a wake */
	struct addrinfo *found;
	int early; /* bytes that a polling thread wrote while room was being made */
	bool satisfied;
	int rc;
	bool done;
};

enum kind {
	WAITS, /* until it is satisfied or cancelled */
	QUICK, /* completes by itself */
	FIRM,  /* is not cancellable */
};

struct call {
	const char *name;
	enum kind kind;
	bool local; /* no operation of the kernel: a cancellation is always in time */
	void (*set_up)(struct scene *s);
	int (*run)(struct scene *s);
	void (*satisfy)(struct scene *s); /* NULL: nothing does at once */
	void (*check)(struct scene *s);
};

static struct faults faults;

/* Taking a byte out of a pipe or socket */

static void empty_pipe(struct scene *s)
{
	pipe_on(&s->sw, &s->fd, &s->peer);
}

static void empty_socket(struct scene *s)
{
	pair_on(&s->sw, &s->fd, &s->peer);
}

static void put_byte(struct scene *s)
{
	ck_assert_int_eq(write(number(s->peer), "x", 1), 1);
}

static void byte_is_taken_or_there(struct scene *s)
{
	int there = readable_bytes(number(s->fd));

	if (s->rc < 0) {
		ck_assert_msg(there == s->satisfied, "%s lost a byte", s->call->name);
		return;
	}
	ck_assert(s->satisfied);
	ck_assert_int_eq(there, 0);
	ck_assert_int_eq(s->buf[0], 'x');
}

static void byte_is_there(struct scene *s)
{
	ck_assert_int_eq(readable_bytes(number(s->fd)), s->satisfied);
}

static int run_read(struct scene *s)
{
	return (int) eio_ll_read(s->fd, s->buf, 1, EIO_CURRENT);
}

static int run_readv(struct scene *s)
{
	struct iovec iov = {s->buf, 1};

	return (int) eio_ll_readv(s->fd, &iov, 1, EIO_CURRENT);
}

static int with_block(struct scene *s, int (*transfer)(struct scene *s, struct eio_chunk c))
{
	struct eio_chunk c;
	int rc;

	expect_ok(eio_ll_alloc_fixed(&c));
	memcpy(c.data, s->buf, LEN);
	rc = transfer(s, c);
	memcpy(s->buf, c.data, LEN);
	eio_ll_free_fixed(c);
	return rc;
}

static int upto(struct scene *s, struct eio_chunk c)
{
	return (int) eio_ll_read_upto(s->fd, c, 1, EIO_CURRENT);
}

static int run_read_upto(struct scene *s)
{
	return with_block(s, upto);
}

static int exactly(struct scene *s, struct eio_chunk c)
{
	return eio_ll_read_exactly(s->fd, c, 1, EIO_CURRENT);
}

static int run_read_exactly(struct scene *s)
{
	return with_block(s, exactly);
}

static int into_chunk(struct eio_chunk c, void *arg)
{
	struct scene *s = arg;
	int rc = (int) eio_ll_read_upto(s->fd, c, 1, EIO_CURRENT);

	memcpy(s->buf, c.data, LEN);
	return rc;
}

static int no_chunk(void *arg)
{
	(void) arg;
	return -ENOBUFS;
}

static int run_with_chunk(struct scene *s)
{
	return eio_ll_with_chunk(into_chunk, no_chunk, s);
}

static int run_recv(struct scene *s)
{
	return (int) eio_ll_recv(s->fd, s->buf, 1, 0);
}

static int run_recv_exactly(struct scene *s)
{
	return eio_ll_recv_exactly(s->fd, s->buf, 1);
}

static int run_recv_msg(struct scene *s)
{
	struct iovec iov = {s->buf, 1};

	return (int) eio_ll_recv_msg(s->fd, &iov, 1, 0, NULL);
}

/* A byte and a descriptor: both or none. */
static int run_recv_msg_with_fds(struct scene *s)
{
	struct iovec iov = {s->buf, 1};

	return (int) eio_ll_recv_msg_with_fds(&s->sw, s->fd, &iov, 1, 0, &s->opened, 1, NULL);
}

static void put_byte_and_descriptor(struct scene *s)
{
	struct iovec iov = {"x", 1};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS}};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};

	*(int *) CMSG_DATA(&control.header) = number(s->fd);
	ck_assert_int_eq(sendmsg(number(s->peer), &m, 0), 1);
}

static void byte_and_descriptor_are_taken_or_there(struct scene *s)
{
	byte_is_taken_or_there(s);
	ck_assert_int_eq(eio_fd_is_open(s->opened), s->rc >= 0);
}

static void prepare_read(struct scene *s, struct io_uring_sqe *sqe)
{
	memset(sqe, 0, sizeof(*sqe));
	io_uring_prep_read(sqe, number(s->fd), s->buf, 1, -1);
}

static int run_await(struct scene *s)
{
	struct io_uring_sqe sqe;

	prepare_read(s, &sqe);
	return eio_ll_await(&sqe);
}

static int run_await_cqe(struct scene *s)
{
	struct io_uring_cqe cqe;
	struct io_uring_sqe sqe;

	prepare_read(s, &sqe);
	return eio_ll_await_cqe(&sqe, &cqe);
}

/* The results are there, too, when it was cancelled. */
static int run_await_n(struct scene *s)
{
	struct io_uring_sqe sqes[3];
	int results[3] = {-ECANCELED, -ECANCELED, -ECANCELED}, rc;

	memset(sqes, 0, sizeof(sqes));
	io_uring_prep_nop(&sqes[0]);
	prepare_read(s, &sqes[1]);
	io_uring_prep_nop(&sqes[2]);
	rc = eio_ll_await_n(sqes, 3, results);
	ck_assert(rc == 0 || rc == -ECANCELED);
	if (rc == 0)
		ck_assert_int_ge(results[1], 0);
	return results[1];
}

static int run_await_readable(struct scene *s)
{
	return eio_ll_await_readable(s->fd);
}

static int run_poll(struct scene *s)
{
	return eio_ll_poll(s->fd, POLLIN);
}

/* Moving it on */

static void two_pipes(struct scene *s)
{
	struct eio_fd r;

	pipe_on(&s->sw, &s->fd, &s->peer);
	pipe_on(&s->sw, &r, &s->opened);
	s->unix_fd = dup(number(r));
}

static int run_splice(struct scene *s)
{
	return (int) eio_ll_splice(s->fd, s->opened, 1);
}

static void byte_is_moved_or_there(struct scene *s)
{
	int there = readable_bytes(number(s->fd)), moved = readable_bytes(s->unix_fd);

	ck_assert_int_eq(there, s->rc < 0 ? s->satisfied : 0);
	ck_assert_int_eq(moved, s->rc < 0 ? 0 : 1);
}

/* Putting bytes where there is no room: all of them go or none */

static void fill_up(struct scene *s)
{
	s->early -= (int) write_until_full(number(s->fd));
}

static void full_pipe(struct scene *s)
{
	pipe_on(&s->sw, &s->peer, &s->fd);
	fill_up(s);
}

static void full_socket(struct scene *s)
{
	pair_on(&s->sw, &s->peer, &s->fd);
	fill_up(s);
}

static void make_room(struct scene *s)
{
	int unix_fd = number(s->peer);
	char b[4096];
	ssize_t got;

	while (readable_bytes(unix_fd)) {
		got = read(unix_fd, b, sizeof(b));
		ck_assert_int_gt(got, 0);
		s->early += (int) got;
	}
}

static void bytes_went_or_not(struct scene *s)
{
	int there = s->early + readable_bytes(number(s->peer));

	if (s->satisfied)
		ck_assert_msg(there == (s->rc < 0 ? 0 : LEN), "%s: %d, there %d", s->call->name,
			      s->rc, there);
	else
		ck_assert_int_lt(s->rc, 0);
}

static int run_write_all(struct scene *s)
{
	return eio_ll_write_all(s->fd, s->buf, LEN, EIO_CURRENT);
}

static int run_writev(struct scene *s)
{
	struct iovec iov[2] = {{s->buf, LEN / 2}, {s->buf + LEN / 2, LEN / 2}};

	return eio_ll_writev(s->fd, iov, 2, EIO_CURRENT);
}

static int run_writev_single(struct scene *s)
{
	struct iovec iov = {s->buf, LEN};

	return (int) eio_ll_writev_single(s->fd, &iov, 1, EIO_CURRENT);
}

static int block_write(struct scene *s, struct eio_chunk c)
{
	return eio_ll_write(s->fd, c, LEN, EIO_CURRENT);
}

static int run_write(struct scene *s)
{
	return with_block(s, block_write);
}

static int run_send(struct scene *s)
{
	return (int) eio_ll_send(s->fd, s->buf, LEN, 0);
}

static int run_send_all(struct scene *s)
{
	return eio_ll_send_all(s->fd, s->buf, LEN, 0);
}

static int run_send_msg(struct scene *s)
{
	struct iovec iov = {s->buf, LEN};

	return (int) eio_ll_send_msg(s->fd, NULL, &iov, 1, NULL, 0, 0);
}

static int run_send_msg_with_fds(struct scene *s)
{
	struct iovec iov = {s->buf, LEN};
	int rc = (int) eio_ll_send_msg(s->fd, NULL, &iov, 1, &s->peer, 1, 0);

	/* It is pinned no more. */
	s->unix_fd = dup(number(s->peer));
	expect_ok(eio_fd_close(s->peer));
	expect_ok(eio_fd_of_unix(&s->sw, s->unix_fd, EIO_FD_CLOSE, &s->peer));
	s->unix_fd = -1;
	return rc;
}

/* Without copying: what is not sent is not the kernel's either, in the end */

static void full_connection(struct scene *s)
{
	tcp_pair_on(&s->sw, &s->fd, &s->peer);
	s->queued = write_until_full(number(s->fd));
	s->zc = (struct eio_ll_zc){.threshold = 1};
}

static void take_queued(struct scene *s)
{
	read_off(number(s->peer), s->queued);
	s->queued = 0;
}

static int run_send_zc(struct scene *s)
{
	return (int) eio_ll_send_zc(s->fd, s->buf, LEN, 0, &s->zc);
}

static int run_send_msg_zc(struct scene *s)
{
	struct iovec iov = {s->buf, LEN};

	return (int) eio_ll_send_msg_zc(s->fd, NULL, &iov, 1, 0, &s->zc);
}

/* The end of the stream comes right after what was sent. */
static void sent_and_released(struct scene *s)
{
	char end;

	take_queued(s);
	if (s->rc > 0)
		read_off(number(s->peer), (size_t) s->rc);
	expect_ok(eio_ll_shutdown(s->fd, SHUT_WR));
	ck_assert_int_eq(read(number(s->peer), &end, 1), 0);
	eio_ll_zc_end(&s->zc);
	ck_assert_uint_eq(s->zc.busy, 0);
}

static void buffer_on_its_way(struct scene *s)
{
	static char much[200000];
	const int size = 4 * sizeof(much);

	full_connection(s);
	expect_ok(eio_ll_setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	expect_err(eio_ll_send_zc(s->fd, much, sizeof(much), 0, &s->zc), sizeof(much));
	s->queued += sizeof(much);
}

static int run_zc_await(struct scene *s)
{
	int rc = eio_ll_zc_await(&s->zc);

	ck_assert_uint_eq(s->zc.busy, rc == 0 ? 0 : 1);
	return rc;
}

static int run_zc_end(struct scene *s)
{
	eio_ll_zc_end(&s->zc);
	ck_assert_uint_eq(s->zc.busy, 0);
	return 0;
}

static int run_await_writable(struct scene *s)
{
	return eio_ll_await_writable(s->fd);
}

static void nothing_went(struct scene *s)
{
	if (s->satisfied)
		ck_assert_int_eq(readable_bytes(number(s->peer)), 0);
}

/* Connections */

static void listener(struct scene *s)
{
	s->fd = listen_on(&s->sw, "127.0.0.1:0", &s->addr);
}

static int raw_connect(struct scene *s, int flags)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&s->addr, &len);
	int unix_fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	ck_assert_int_ge(unix_fd, 0);
	if (connect(unix_fd, sa, (socklen_t) len) == 0)
		return unix_fd;
	close(unix_fd);
	return -errno;
}

static void knock(struct scene *s)
{
	s->client = raw_connect(s, 0);
	ck_assert_int_ge(s->client, 0);
}

static int run_accept(struct scene *s)
{
	return eio_ll_accept(&s->sw, s->fd, &s->opened, NULL);
}

static int run_accept_direct(struct scene *s)
{
	return eio_ll_accept_direct(&s->sw, s->fd, &s->opened, NULL);
}

/* Accepted, or the next one's. */
static void connection_is_taken_or_there(struct scene *s)
{
	int l = number(s->fd), next;

	fcntl(l, F_SETFL, O_NONBLOCK);
	next = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (next < 0)
		ck_assert_int_eq(errno, EAGAIN);
	ck_assert_msg((next >= 0) == (s->satisfied && s->rc < 0), "%s: %d, next %d", s->call->name,
		      s->rc, next);
	if (s->rc == 0)
		ck_assert(eio_fd_is_open(s->opened));
	if (next >= 0)
		close(next);
}

static void crowd(struct scene *s, int backlog)
{
	char at[64];

	snprintf(at, sizeof(at), "unix:@eio-test-cancel-sweep-%d", (int) getpid());
	s->peer = listen_on(&s->sw, at, &s->addr);
	ck_assert_int_eq(listen(number(s->peer), backlog), 0);
	s->client = raw_connect(s, SOCK_NONBLOCK);
	ck_assert_int_ge(s->client, 0);
	ck_assert_int_eq(raw_connect(s, SOCK_NONBLOCK), -EAGAIN);
	expect_ok(eio_ll_socket(&s->sw, AF_UNIX, SOCK_STREAM, 0, &s->fd));
}

static void full_backlog(struct scene *s)
{
	crowd(s, 0);
}

static void take_one(struct scene *s)
{
	s->unix_fd = accept4(number(s->peer), NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(s->unix_fd, 0);
}

static int run_connect(struct scene *s)
{
	return eio_ll_connect(s->fd, &s->addr);
}

static void connected_or_not(struct scene *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (s->rc == 0)
		ck_assert_int_eq(getpeername(number(s->fd), (struct sockaddr *) &sa, &len), 0);
}

/* A listener that answers no more: its queue is full, further requests are dropped. */
static void silent_listener(struct scene *s)
{
	s->peer = listen_on(&s->sw, "127.0.0.1:0", &s->addr);
	ck_assert_int_eq(listen(number(s->peer), 0), 0);
	s->client = raw_connect(s, 0);
	ck_assert_int_ge(s->client, 0);
	expect_ok(eio_ll_socket(&s->sw, AF_INET, SOCK_STREAM, 0, &s->fd));
}

/* Blocks, time, and what asks nobody */

static void no_block_left(struct scene *s)
{
	for (int i = 0; i < BLOCKS; i++)
		expect_ok(eio_ll_alloc_fixed(&s->chunks[i]));
}

static void give_block(struct scene *s)
{
	eio_ll_free_fixed(s->chunks[0]);
	s->chunks[0].length = 0;
}

static int run_alloc_fixed_or_wait(struct scene *s)
{
	struct eio_chunk c;
	int rc = eio_ll_alloc_fixed_or_wait(&c);

	(void) s;
	if (rc == 0)
		eio_ll_free_fixed(c);
	return rc;
}

static void blocks_are_there(struct scene *s)
{
	ck_assert_uint_eq(free_blocks(), s->satisfied ? 1 : 0);
	for (int i = 0; i < BLOCKS; i++) {
		if (s->chunks[i].length)
			eio_ll_free_fixed(s->chunks[i]);
	}
}

/* Messages */

static int end_port(void *arg)
{
	eio_ll_port_end(arg);
	return 0;
}

static void port(struct scene *s)
{
	expect_ok(eio_ll_port_begin(&s->port, s->queue, 1, &s->ref));
	eio_on_release(&s->sw, &s->hook, end_port, &s->port);
}

static void send_message(struct scene *s)
{
	struct eio_cancel c;

	eio_cancel_protect_begin(&c);
	expect_ok(eio_ll_port_send(s->ref, 7));
	eio_cancel_end(&c);
}

static int run_receive(struct scene *s)
{
	return eio_ll_port_receive(&s->port, &s->message);
}

static void message_is_taken_or_there(struct scene *s)
{
	if (s->rc == 0)
		ck_assert_uint_eq(s->message, 7);
	expect_err(eio_ll_port_end(&s->port), s->satisfied && s->rc < 0);
}

static int run_send_message(struct scene *s)
{
	return eio_ll_port_send(s->ref, 7);
}

static void message_is_there_or_not(struct scene *s)
{
	expect_err(eio_ll_port_end(&s->port), s->rc == 0);
}

static int run_end_port(struct scene *s)
{
	return eio_ll_port_end(&s->port);
}

static void port_is_ended(struct scene *s)
{
	expect_err(s->rc, 0);
	expect_err(eio_ll_port_end(&s->port), -EBADF);
}

static void nothing(struct scene *s)
{
	(void) s;
}

static int run_sleep_until(struct scene *s)
{
	(void) s;
	return eio_ll_sleep_until(eio_now_ns(env->mono_clock) + EIO_SEC(1000));
}

static int add_one(void *arg)
{
	return ++*(int *) arg;
}

static int run_in_thread(struct scene *s)
{
	return eio_ll_in_thread(add_one, &s->ran);
}

static void ran_or_not(struct scene *s)
{
	ck_assert_int_eq(s->ran, s->rc < 0 ? 0 : 1);
}

static int run_getaddrinfo(struct scene *s)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};

	return eio_ll_getaddrinfo("127.0.0.1", "80", &hints, &s->found);
}

static void found_or_not(struct scene *s)
{
	ck_assert_int_eq(s->found != NULL, s->rc == 0);
	if (s->found)
		freeaddrinfo(s->found);
}

static void loopback(struct scene *s)
{
	expect_ok(eio_addr_parse(&s->addr, "127.0.0.1:80"));
}

static int run_getnameinfo(struct scene *s)
{
	return eio_ll_getnameinfo(&s->addr, s->buf, sizeof(s->buf), NULL, 0, NI_NUMERICHOST);
}

static void named_or_not(struct scene *s)
{
	ck_assert_str_eq(s->buf, s->rc < 0 ? "" : "127.0.0.1");
}

/* Words in memory: a wake reaches the call, or is still there for others. */

static int run_futex_wait(struct scene *s)
{
	return eio_ll_futex_wait(&s->words[1], 0, FUTEX_PRIVATE_FLAG);
}

static int run_futex_waitv(struct scene *s)
{
	struct futex_waitv words[2] = {
		{.uaddr = (uintptr_t) &s->words[0], .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
		{.uaddr = (uintptr_t) &s->words[1], .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
	};

	return eio_ll_futex_waitv(words, 2);
}

static void wake_one(struct scene *s)
{
	s->words[1] = 1;
	s->woken = eio_ll_futex_wake(&s->words[1], 1, FUTEX_PRIVATE_FLAG);
}

static void no_wake_is_lost(struct scene *s)
{
	ck_assert_msg(s->woken == (s->rc >= 0), "%s: %d, woken %d", s->call->name, s->rc, s->woken);
}

static int run_noop(struct scene *s)
{
	(void) s;
	return eio_ll_noop();
}

static int run_getrandom(struct scene *s)
{
	static char much[200000]; /* in pieces */

	(void) s;
	return eio_ll_getrandom(much, sizeof(much));
}

/* Files */

static void file(struct scene *s)
{
	s->fd = file_on(&s->sw);
}

static void root(struct scene *s)
{
	expect_ok(eio_ll_openat(&s->sw, EIO_FS, "/", O_PATH | O_DIRECTORY, 0, &s->fd));
}

static int run_pipe(struct scene *s)
{
	return eio_ll_pipe(&s->sw, &s->opened, &s->peer);
}

/* One operation: what is in the same mount. */
static int run_openat(struct scene *s)
{
	return eio_ll_openat(&s->sw, s->fd, "etc/passwd", O_RDONLY, 0, &s->opened);
}

static int run_openat_direct(struct scene *s)
{
	return eio_ll_openat_direct(&s->sw, s->fd, "etc/passwd", O_RDONLY, 0, &s->opened);
}

static int run_socket_direct(struct scene *s)
{
	return eio_ll_socket_direct(&s->sw, AF_UNIX, SOCK_STREAM, 0, &s->opened);
}

/* Older kernels have no table. */
static int run_register(struct scene *s)
{
	int rc = eio_ll_fd_register(s->fd);

	return rc == -ENOTSUP ? 0 : rc;
}

/* By a worker thread. */
static int run_openat_creating(struct scene *s)
{
	return eio_ll_openat2(&s->sw, s->fd, "tmp", O_TMPFILE | O_RDWR, 0600, 0, &s->opened);
}

static int run_statx(struct scene *s)
{
	struct statx st;

	(void) s;
	return eio_ll_statx(EIO_FS, "/dev/null", true, STATX_BASIC_STATS, &st);
}

static int run_statx_beneath(struct scene *s)
{
	struct statx st;

	return eio_ll_statx(s->fd, "dev/null", true, STATX_BASIC_STATS, &st);
}

static int run_statx_handle(struct scene *s)
{
	struct statx st;

	return eio_ll_statx(s->fd, NULL, true, STATX_BASIC_STATS, &st);
}

static int run_fstat(struct scene *s)
{
	struct statx st;

	return eio_ll_fstat(s->fd, &st);
}

static int run_fsync(struct scene *s)
{
	return eio_ll_fsync(s->fd);
}

static int run_fdatasync(struct scene *s)
{
	return eio_ll_fdatasync(s->fd);
}

static void open_or_not(struct scene *s)
{
	ck_assert_int_eq(eio_fd_is_open(s->opened), s->rc == 0);
}

/* Processes */

/* Ends well when it has got a byte. */
static int spawn_reader(struct scene *s)
{
	static const char *const argv[] = {"sh", "-c", "exec head -c 1 >/dev/null", NULL};
	const struct eio_inherit in = {s->fd, 0};
	const struct eio_ll_action actions[] = {eio_ll_action_inherit_fds(&in, 1),
						eio_ll_action_execve("/bin/sh", argv, NULL)};

	return eio_ll_spawn(&s->sw, actions, 2, &s->process);
}

static void process(struct scene *s)
{
	empty_pipe(s);
	expect_ok(spawn_reader(s));
}

static int run_process_await(struct scene *s)
{
	return eio_ll_process_await(s->process, &s->status);
}

static void ended_or_can_be_awaited(struct scene *s)
{
	if (s->rc < 0 && s->satisfied)
		expect_ok(eio_ll_process_await(s->process, &s->status));
	ck_assert_int_eq(s->status, 0);
	if (s->rc < 0 && !s->satisfied)
		ck_assert_int_eq(kill(eio_ll_process_pid(s->process), 0), 0);
}

static void started_or_not(struct scene *s)
{
	ck_assert_int_eq(eio_ll_process_pid(s->process) > 0, s->rc == 0);
}

/* What is not cancelled */

static int run_close(struct scene *s)
{
	return eio_fd_close(s->fd);
}

static void is_closed(struct scene *s)
{
	ck_assert_int_eq(s->rc, 0);
	ck_assert(!eio_fd_is_open(s->fd));
}

static void pinned_pipe(struct scene *s)
{
	pipe_on(&s->sw, &s->fd, &s->peer);
	s->client = eio_fd_use(s->fd);
}

static void unpin(struct scene *s)
{
	s->client = -1;
	eio_fd_unuse(s->fd);
}

static void closed_but_pinned_pipe(struct scene *s)
{
	pinned_pipe(s);
	expect_ok(eio_fd_close(s->fd));
	ck_assert(is_open(s->client));
	s->unix_fd = dup(number(s->peer));
}

static void direct_file(struct scene *s)
{
	expect_ok(eio_ll_openat_direct(&s->sw, EIO_FS, "/dev/null", O_RDWR, 0, &s->fd));
}

static int run_use(struct scene *s)
{
	s->client = eio_fd_use(s->fd);
	return s->client < 0 ? s->client : 0;
}

static void is_used(struct scene *s)
{
	ck_assert_int_eq(s->rc, 0);
	ck_assert(is_open(s->client));
	unpin(s);
}

static int run_unuse(struct scene *s)
{
	unpin(s);
	return 0;
}

/* The pipe has no reader any more. */
static void is_released(struct scene *s)
{
	is_closed(s);
	ck_assert_int_eq(write(s->unix_fd, "x", 1), -1);
}

static int run_take(struct scene *s)
{
	s->unix_fd = eio_fd_to_unix(s->fd, EIO_FD_TAKE);
	return s->unix_fd < 0 ? s->unix_fd : 0;
}

static void is_taken(struct scene *s)
{
	ck_assert_int_eq(s->rc, 0);
	ck_assert(!eio_fd_is_open(s->fd));
	ck_assert(is_open(s->unix_fd));
}

static int run_close_listener(struct scene *s)
{
	return eio_ll_close_listener(s->fd);
}

static const struct call calls[] = {
	{"eio_ll_read", WAITS, false, empty_pipe, run_read, put_byte, byte_is_taken_or_there},
	{"eio_ll_readv", WAITS, false, empty_pipe, run_readv, put_byte, byte_is_taken_or_there},
	{"eio_ll_read_upto", WAITS, false, empty_pipe, run_read_upto, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_read_exactly", WAITS, false, empty_pipe, run_read_exactly, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_read of a socket", WAITS, false, empty_socket, run_read, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_with_chunk", WAITS, false, empty_pipe, run_with_chunk, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_recv", WAITS, false, empty_socket, run_recv, put_byte, byte_is_taken_or_there},
	{"eio_ll_recv_exactly", WAITS, false, empty_socket, run_recv_exactly, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_recv_msg", WAITS, false, empty_socket, run_recv_msg, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_recv_msg_with_fds", WAITS, false, empty_socket, run_recv_msg_with_fds,
	 put_byte_and_descriptor, byte_and_descriptor_are_taken_or_there},
	{"eio_ll_await", WAITS, false, empty_pipe, run_await, put_byte, byte_is_taken_or_there},
	{"eio_ll_await_cqe", WAITS, false, empty_socket, run_await_cqe, put_byte,
	 byte_is_taken_or_there},
	{"eio_ll_await_n", WAITS, false, empty_pipe, run_await_n, put_byte, byte_is_taken_or_there},
	{"eio_ll_await_readable", WAITS, false, empty_pipe, run_await_readable, put_byte,
	 byte_is_there},
	{"eio_ll_poll", WAITS, false, empty_socket, run_poll, put_byte, byte_is_there},
	{"eio_ll_splice", WAITS, false, two_pipes, run_splice, put_byte, byte_is_moved_or_there},
	{"eio_ll_write_all", WAITS, false, full_pipe, run_write_all, make_room, bytes_went_or_not},
	{"eio_ll_writev", WAITS, false, full_pipe, run_writev, make_room, bytes_went_or_not},
	{"eio_ll_writev_single", WAITS, false, full_socket, run_writev_single, make_room,
	 bytes_went_or_not},
	{"eio_ll_write", WAITS, false, full_pipe, run_write, make_room, bytes_went_or_not},
	{"eio_ll_send", WAITS, false, full_socket, run_send, make_room, bytes_went_or_not},
	{"eio_ll_send_all", WAITS, false, full_socket, run_send_all, make_room, bytes_went_or_not},
	{"eio_ll_send_msg", WAITS, false, full_socket, run_send_msg, make_room, bytes_went_or_not},
	{"eio_ll_send_msg with descriptors", WAITS, false, full_socket, run_send_msg_with_fds,
	 make_room, bytes_went_or_not},
	{"eio_ll_send_zc", WAITS, false, full_connection, run_send_zc, take_queued,
	 sent_and_released},
	{"eio_ll_send_msg_zc", WAITS, false, full_connection, run_send_msg_zc, take_queued,
	 sent_and_released},
	{"eio_ll_zc_await", WAITS, true, buffer_on_its_way, run_zc_await, take_queued,
	 sent_and_released},
	{"eio_ll_await_writable", WAITS, false, full_pipe, run_await_writable, make_room,
	 nothing_went},
	{"eio_ll_accept", WAITS, false, listener, run_accept, knock, connection_is_taken_or_there},
	{"eio_ll_accept_direct", WAITS, false, listener, run_accept_direct, knock,
	 connection_is_taken_or_there},
	{"eio_ll_connect", WAITS, false, full_backlog, run_connect, take_one, connected_or_not},
	{"eio_ll_connect by TCP", WAITS, false, silent_listener, run_connect, NULL,
	 connected_or_not},
	{"eio_ll_alloc_fixed_or_wait", WAITS, true, no_block_left, run_alloc_fixed_or_wait,
	 give_block, blocks_are_there},
	{"eio_ll_port_receive", WAITS, true, port, run_receive, send_message,
	 message_is_taken_or_there},
	{"eio_ll_port_send", QUICK, true, port, run_send_message, NULL, message_is_there_or_not},
	{"eio_ll_port_end", FIRM, true, port, run_end_port, NULL, port_is_ended},
	{"eio_ll_sleep_until", WAITS, true, nothing, run_sleep_until, NULL, nothing},
	{"eio_ll_noop", QUICK, false, nothing, run_noop, NULL, nothing},
	{"eio_ll_getrandom", QUICK, true, nothing, run_getrandom, NULL, nothing},
	{"eio_ll_in_thread", QUICK, true, nothing, run_in_thread, NULL, ran_or_not},
	{"eio_ll_getaddrinfo", QUICK, true, nothing, run_getaddrinfo, NULL, found_or_not},
	{"eio_ll_getnameinfo", QUICK, true, loopback, run_getnameinfo, NULL, named_or_not},
	{"eio_ll_futex_wait", WAITS, false, nothing, run_futex_wait, wake_one, no_wake_is_lost},
	{"eio_ll_futex_waitv", WAITS, false, nothing, run_futex_waitv, wake_one, no_wake_is_lost},
	{"eio_ll_pipe", QUICK, false, nothing, run_pipe, NULL, open_or_not},
	{"eio_ll_openat", QUICK, false, root, run_openat, NULL, open_or_not},
	{"eio_ll_openat2", QUICK, false, root, run_openat_creating, NULL, open_or_not},
	{"eio_ll_openat_direct", QUICK, false, root, run_openat_direct, NULL, open_or_not},
	{"eio_ll_socket_direct", QUICK, false, nothing, run_socket_direct, NULL, open_or_not},
	{"eio_ll_fd_register", QUICK, false, empty_pipe, run_register, NULL, nothing},
	{"eio_ll_statx", QUICK, false, nothing, run_statx, NULL, nothing},
	{"eio_ll_statx beneath", QUICK, false, root, run_statx_beneath, NULL, nothing},
	{"eio_ll_statx of a handle", QUICK, false, root, run_statx_handle, NULL, nothing},
	{"eio_ll_fstat", QUICK, false, file, run_fstat, NULL, nothing},
	{"eio_ll_fsync", QUICK, false, file, run_fsync, NULL, nothing},
	{"eio_ll_fdatasync", QUICK, false, file, run_fdatasync, NULL, nothing},
	{"eio_ll_process_await", WAITS, false, process, run_process_await, put_byte,
	 ended_or_can_be_awaited},
	{"eio_ll_spawn", QUICK, false, empty_pipe, spawn_reader, NULL, started_or_not},
	{"eio_fd_close", FIRM, false, empty_pipe, run_close, NULL, is_closed},
	{"eio_fd_use of a direct handle", FIRM, false, direct_file, run_use, NULL, is_used},
	{"eio_fd_unuse", FIRM, false, closed_but_pinned_pipe, run_unuse, NULL, is_released},
	{"eio_fd_to_unix", FIRM, false, pinned_pipe, run_take, unpin, is_taken},
	{"eio_ll_zc_end", FIRM, false, buffer_on_its_way, run_zc_end, take_queued,
	 sent_and_released},
	{"eio_ll_close_listener", FIRM, false, listener, run_close_listener, NULL, is_closed},
};

/* Moments. Each brings its scene's call to an end, which the stage then checks. */

static int run_call(void *arg)
{
	struct scene *s = arg;

	s->rc = s->call->run(s);
	s->done = true;
	return 0;
}

static void satisfy(struct scene *s)
{
	if (!s->call->satisfy)
		return;
	s->call->satisfy(s);
	s->satisfied = true;
}

static void some_turns(int n)
{
	for (; n > 0; n--)
		expect_ok(eio_ll_noop());
}

static void expect_cancelled(struct scene *s)
{
	ck_assert(s->done);
	if (s->call->kind == WAITS)
		ck_assert_msg(s->rc == -ECANCELED, "%s: %d", s->call->name, s->rc);
	else if (s->call->kind == QUICK)
		ck_assert_msg(s->rc >= 0 || s->rc == -ECANCELED, "%s: %d", s->call->name, s->rc);
}

static void expect_either(struct scene *s)
{
	ck_assert(s->done);
	ck_assert_msg(s->rc >= 0 || s->rc == -ECANCELED, "%s: %d", s->call->name, s->rc);
}

static int satisfy_soon(void *arg)
{
	some_turns(2);
	satisfy(arg);
	return 0;
}

static void cancelled_before(struct scene *s)
{
	struct eio_cancel c;

	if (s->call->kind == FIRM)
		expect_ok(eio_fork(&s->sw, satisfy_soon, s));
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	run_call(s);
	eio_cancel_end(&c);
	expect_cancelled(s);
	if (s->call->kind != FIRM)
		ck_assert_int_eq(s->rc, -ECANCELED);
}

static void cancelled_after(struct scene *s, int turns)
{
	struct eio_switch inner;

	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, run_call, s));
	eio_switch_fail(&inner, -EIO);
	if (turns) {
		struct eio_cancel c;

		eio_cancel_protect_begin(&c);
		some_turns(turns);
		eio_cancel_end(&c);
	}
	if (s->call->kind == FIRM)
		satisfy(s);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_cancelled(s);
}

/* Queued, not submitted. */
static void cancelled_when_queued(struct scene *s)
{
	cancelled_after(s, 0);
}

/* In flight. */
static void cancelled_while_waiting(struct scene *s)
{
	struct eio_switch inner;

	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, run_call, s));
	some_turns(3);
	if (s->call->kind == WAITS)
		ck_assert_msg(!s->done, "%s did not wait: %d", s->call->name, s->rc);
	eio_switch_fail(&inner, -EIO);
	if (s->call->kind == FIRM)
		satisfy(s);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_cancelled(s);
}

/* What completes it and the cancellation come between the same two enters. */
static void in_one_round(struct scene *s, bool cancel_first)
{
	struct eio_switch inner;

	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, run_call, s));
	some_turns(2);
	if (cancel_first)
		eio_switch_fail(&inner, -EIO);
	satisfy(s);
	if (!cancel_first)
		eio_switch_fail(&inner, -EIO);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_either(s);
}

static void cancelled_then_satisfied(struct scene *s)
{
	in_one_round(s, true);
}

static void satisfied_then_cancelled(struct scene *s)
{
	in_one_round(s, false);
}

/* By a fiber that is woken by the same reaping, before it and after it. */
struct canceller {
	struct eio_fd r;
	struct eio_switch *sw;
	struct scene *s;
	bool was_done;
};

static int cancel_when_woken(void *arg)
{
	struct canceller *c = arg;
	char b;

	expect_err(eio_ll_read(c->r, &b, 1, EIO_CURRENT), 1);
	c->was_done = c->s->done;
	eio_switch_fail(c->sw, -EIO);
	return 0;
}

static void by_a_neighbour(struct scene *s, bool neighbour_first)
{
	struct eio_switch inner, other;
	struct canceller c = {.s = s, .sw = &inner};
	struct eio_fd w;
	int rc;

	pipe_on(&s->sw, &c.r, &w);
	eio_switch_begin(&other);
	eio_switch_begin(&inner);
	if (neighbour_first)
		expect_ok(eio_fork(&other, cancel_when_woken, &c));
	expect_ok(eio_fork(&inner, run_call, s));
	if (!neighbour_first)
		expect_ok(eio_fork(&other, cancel_when_woken, &c));
	some_turns(2);
	satisfy(s);
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	/* The call may have ended before anybody was woken. */
	rc = eio_switch_end(&inner, 0);
	ck_assert(rc == -EIO || (rc == 0 && s->done));
	expect_ok(eio_switch_end(&other, 0));
	expect_either(s);
	/* What it had before, nobody takes away. */
	if (c.was_done && s->satisfied)
		ck_assert_int_ge(s->rc, 0);
}

static void cancelled_by_a_neighbour_before(struct scene *s)
{
	by_a_neighbour(s, true);
}

static void cancelled_by_a_neighbour_after(struct scene *s)
{
	by_a_neighbour(s, false);
}

static int run_and_return(void *arg)
{
	struct scene *s = arg;

	run_call(s);
	return s->rc;
}

static int satisfy_late(void *arg)
{
	expect_ok(eio_sleep(env->mono_clock, EIO_MS(2)));
	satisfy(arg);
	return 0;
}

static void timed_out(struct scene *s)
{
	int rc;

	if (s->call->kind == FIRM)
		expect_ok(eio_fork(&s->sw, satisfy_late, s));
	rc = eio_timeout_run(env->mono_clock, 500000, run_and_return, s);
	expect_cancelled(s);
	if (s->call->kind == WAITS)
		expect_err(rc, -ETIMEDOUT);
	else
		ck_assert(rc >= 0 || rc == -ETIMEDOUT);
}

/* The kernel says to each request that it is too late, and the operation goes on to its
 * good end. */
static void success_wins(struct scene *s)
{
	struct eio_switch inner;
	struct eio_cancel c;
	unsigned deafened;

	if (s->call->local || (s->call->kind == WAITS && !s->call->satisfy))
		return;
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, run_call, s));
	if (s->call->kind == WAITS)
		some_turns(2);
	faults.deaf = 256;
	deafened = faults.deafened;
	eio_switch_fail(&inner, -EIO);
	eio_cancel_protect_begin(&c);
	some_turns(2);
	if (s->call->kind == WAITS) {
		ck_assert(!s->done);
		ck_assert_uint_gt(faults.deafened, deafened);
	}
	satisfy(s);
	eio_cancel_end(&c);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	faults.deaf = 0;
	ck_assert_msg(s->rc >= 0, "%s: %d", s->call->name, s->rc);
}

/* The stage */

static void (*moment)(struct scene *s);

static void perform(const struct call *call)
{
	struct scene s = {.call = call, .unix_fd = -1, .client = -1};
	unsigned fds = count_fds();
	size_t fibers = count_fibers();

	if (call->set_up == buffer_on_its_way && !eio_ll_op_supported(IORING_OP_SEND_ZC))
		return;
	eio_switch_begin(&s.sw);
	call->set_up(&s);
	moment(&s);
	if (s.done) {
		call->check(&s);
	} else {
		/* This moment is none of its. */
		satisfy(&s);
		if (call->set_up == no_block_left)
			blocks_are_there(&s);
	}
	if (call->kind != FIRM && s.client >= 0)
		close(s.client);
	if (s.unix_fd >= 0)
		close(s.unix_fd);
	expect_ok(eio_switch_end(&s.sw, 0));
	some_turns(1);
	ck_assert_msg(count_fds() == fds, "%s: %u descriptors, were %u", call->name, count_fds(),
		      fds);
	ck_assert_uint_eq(count_fibers(), fibers);
	ck_assert_msg(free_blocks() == BLOCKS, "%s lost a block", call->name);
}

static bool is_possible(const struct call *c)
{
	bool by_futex = c->run == run_futex_wait || c->run == run_futex_waitv;

	return !by_futex || eio_ll_op_supported(EIO__OP_FUTEX_WAIT);
}

static int sweep(void *arg)
{
	struct eio_chunk c;

	(void) arg;
	expect_ok(eio_ll_alloc_fixed(&c)); /* makes the pool */
	eio_ll_free_fixed(c);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			if (is_possible(&calls[i]))
				perform(&calls[i]);
		}
	}
	return 0;
}

static void run_sweep(void (*at)(struct scene *s), struct eio_config config)
{
	config.n_blocks = BLOCKS;

	eio__lookups.limit = 1; /* as those that are left to their threads outlive the run */
	moment = at;
	run_ring_with(&config, sweep, 0);
}

/* With registered blocks and plain memory, a large and a tiny queue, and completions in
 * any order. */
#define SWEEP_TEST(at)                                                                             \
	START_TEST(nothing_is_lost_when_##at)                                                      \
	{                                                                                          \
		faults_install(&faults);                                                           \
		faults = (struct faults){.seed = 1};                                               \
		run_sweep(at, (struct eio_config){0});                                             \
		run_sweep(at, (struct eio_config){.flags = EIO_RUN_NO_FIXED});                     \
		run_sweep(at, (struct eio_config){.queue_depth = 4});                              \
		run_sweep(at, (struct eio_config){.polling_timeout_ms = 1});                       \
		faults = (struct faults){.seed = 2, .reorder = 256, .eintr_after = 64};            \
		run_sweep(at, (struct eio_config){0});                                             \
	}                                                                                          \
	END_TEST

SWEEP_TEST(cancelled_before)
SWEEP_TEST(cancelled_when_queued)
SWEEP_TEST(cancelled_while_waiting)
SWEEP_TEST(cancelled_then_satisfied)
SWEEP_TEST(satisfied_then_cancelled)
SWEEP_TEST(cancelled_by_a_neighbour_before)
SWEEP_TEST(cancelled_by_a_neighbour_after)
SWEEP_TEST(timed_out)
SWEEP_TEST(success_wins)

/* Some of the bytes have gone when the cancellation comes: the call tells how many. */
static int write_much(void *arg)
{
	static char much[200000];
	const struct iovec iov[2] = {{much, 100}, {much + 100, sizeof(much) - 100}};
	struct scene *s = arg;

	s->rc = s->client ? eio_ll_writev(s->fd, iov, 2, EIO_CURRENT)
			  : eio_ll_write_all(s->fd, much, sizeof(much), EIO_CURRENT);
	s->unix_fd = (int) eio_last_error()->done;
	return 0;
}

RING_TEST(a_cancelled_write_tells_how_much_went)
{
	struct eio_switch inner;
	struct scene s = {0};

	(void) arg;
	eio_switch_begin(&s.sw);
	for (s.client = 0; s.client < 2; s.client++) {
		pipe_on(&s.sw, &s.peer, &s.fd);
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, write_much, &s));
		some_turns(3);
		end_cancelled(&inner);
		expect_err(s.rc, -ECANCELED);
		ck_assert_int_gt(s.unix_fd, 0);
		ck_assert_int_eq(readable_bytes(number(s.peer)), s.unix_fd);
	}
	return eio_switch_end(&s.sw, 0);
}

SUITE_MAIN("cancel_sweep", true, nothing_is_lost_when_cancelled_before,
	   nothing_is_lost_when_cancelled_when_queued, nothing_is_lost_when_cancelled_while_waiting,
	   nothing_is_lost_when_cancelled_then_satisfied,
	   nothing_is_lost_when_satisfied_then_cancelled,
	   nothing_is_lost_when_cancelled_by_a_neighbour_before,
	   nothing_is_lost_when_cancelled_by_a_neighbour_after, nothing_is_lost_when_timed_out,
	   nothing_is_lost_when_success_wins, a_cancelled_write_tells_how_much_went_test)
