/* SPDX-License-Identifier: ISC */
/*
 * Every call of flows, network, files and time that may suspend, cancelled at every
 * moment: before it, as soon as it waits, while it waits, in the same round as what it
 * waits for, in either order, some rounds later, and by a time limit. Whatever comes out,
 * no descriptor, fiber, timer, connection or byte is lost.
 */
#include "core/fiber.h"
#include "faults.h"
#include "io/util.h"
#include "sweep.h"

#include "mock/sched.h"
#include <eio/low_level.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

enum { LENGTH = 6000, FILE_LENGTH = 100000 };

static char data[FILE_LENGTH], scrap[FILE_LENGTH + 4096];

struct place {
	struct attempt a;
	struct eio_switch sw; /* what the call makes is attached to it */
	struct eio_flow f, other;
	int raw[4]; /* far ends, by number; 0: none */
	struct eio_listener l;
	struct eio_dgram d;
	struct eio_addr at;
	struct eio_dir dir;
	struct eio_dir_iter it;
	struct eio_buffer_sink sink;
	struct eio_string_source string;
	struct eio_promise ready, stop;
	struct eio_executor executor;
	pthread_t thread;
	uint64_t n;        /* bytes copied, as the call says */
	size_t put, taken; /* bytes the test put in and took out */
	unsigned served;
	char **names;
	char *all;
	struct eio_receiver receiver;
	struct eio_flow socket;
	char text[LENGTH];
};

/* What the call moved. */
static size_t moved(const struct place *p)
{
	return p->a.rc >= 0 ? (size_t) p->a.rc : 0;
}

static size_t all_or_done(const struct place *p, size_t all)
{
	return p->a.rc >= 0 ? all : (size_t) p->a.done;
}

static struct eio_flow raw_flow(struct place *p, int unix_fd)
{
	struct eio_fd fd;

	expect_ok(eio_fd_of_unix(&p->sw, unix_fd, EIO_FD_CLOSE, &fd));
	return eio_flow_of_fd(fd);
}

static void close_raw(struct place *p, int i)
{
	if (p->raw[i])
		close(p->raw[i]);
	p->raw[i] = 0;
}

/* Pipes and sockets of which the call has one end */

static void read_end(struct place *p)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	p->f = raw_flow(p, ends[0]);
	p->raw[0] = ends[1];
}

static void socket_end(struct place *p)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	p->f = raw_flow(p, ends[0]);
	p->raw[0] = ends[1];
}

/* A socket that the library made: it may be O_NONBLOCK. */
static void connected_end(struct place *p)
{
	struct eio_addr at;
	const struct sockaddr *sa;
	size_t len;
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect_ok(eio_addr_parse(&at, own_name()));
	sa = eio_addr_sockaddr(&at, &len);
	same(bind(l, sa, (socklen_t) len), 0);
	same(listen(l, 1), 0);
	expect_ok(eio_net_connect(env->net, &p->sw, &at, NULL, &p->f));
	p->raw[0] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	same(p->raw[0] > 0, true);
	close(l);
}

static void fifo_end(struct place *p)
{
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	expect_ok(eio_fs_open_in(env->cwd, &p->sw, "fifo", &p->f));
	ck_assert_int_eq(unlink("fifo"), 0);
	p->raw[0] = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

/* A terminal in raw mode: one side is the call's, the other by number the test's alone. */
static void terminal(struct place *p, struct eio_flow *ret_pty, struct eio_flow *ret_tty,
		     const struct eio_flow *far)
{
	const struct eio_pty_opts raw = {.raw = true};

	expect_ok(eio_pty_open(&p->sw, &raw, ret_pty, ret_tty));
	p->raw[0] = dup(flow_number(*far));
	expect_ok(eio_flow_close(*far));
}

static void pty_side(struct place *p)
{
	terminal(p, &p->f, &p->other, &p->other);
}

static void tty_side(struct place *p)
{
	terminal(p, &p->other, &p->f, &p->other);
}

static void put(struct place *p, size_t len)
{
	ck_assert_int_eq(write(p->raw[0], data + p->put, len), (ssize_t) len);
	p->put += len;
}

static void put_three(struct place *p)
{
	put(p, 3);
}

static void put_and_end(struct place *p)
{
	put(p, LENGTH);
	close_raw(p, 0);
}

static size_t left_over(const struct place *p)
{
	return (size_t) readable_bytes(flow_number(p->f));
}

static int read_some(struct place *p)
{
	return (int) eio_flow_read(p->f, p->text, 10);
}

static int borrow_some(struct place *p)
{
	struct eio_view view;
	ssize_t n = eio_flow_read_borrow(p->f, 10, &view);

	if (n > 0)
		memcpy(p->text, view.data, view.len);
	eio_view_release(&view);
	return (int) n;
}

static void check_read(struct place *p)
{
	same(moved(p) + left_over(p), p->put);
	same(is_filled(p->text, moved(p), 0), true);
}

static int read_vector(struct place *p)
{
	struct iovec iov[2] = {{p->text, 2}, {p->text + 2, 8}};

	return (int) eio_flow_readv(p->f, iov, 2);
}

static int read_everything(struct place *p)
{
	return eio_flow_read_all(p->f, 0, &p->all, &p->taken);
}

/* What was read of a pipe before the failure is not given back. */
static void check_read_everything(struct place *p)
{
	same(p->all != NULL, p->a.rc == 0);
	same((p->a.rc == 0 ? p->taken : p->a.done) + left_over(p), p->put);
	if (p->all)
		same(is_filled(p->all, p->taken, 0), true);
	free(p->all);
}

/* Receivers, in a domain that takes itself for one of many fibers */

static void receiver_begun(struct place *p)
{
	socket_end(p);
	p->socket = p->f;
	p->f = eio_receiver_begin(&p->receiver, p->socket);
	eio__domain_self()->fibers += EIO__MANY_FIBERS;
}

static void receiver_ended(struct place *p)
{
	eio__domain_self()->fibers -= EIO__MANY_FIBERS;
	eio_receiver_end(&p->receiver);
	p->f = p->socket;
}

/* What has arrived is the next call's. */
static void check_receiver(struct place *p)
{
	size_t n = moved(p);

	if (n < p->put)
		same(eio_flow_read(p->f, p->text + n, 10), (ssize_t) (p->put - n));
	same(is_filled(p->text, p->put, 0), true);
	receiver_ended(p);
}

static void receiver_has_read(struct place *p)
{
	receiver_begun(p);
	put_three(p);
	same(eio_flow_read(p->f, p->text, 1), 1);
}

static int end_receiver(struct place *p)
{
	eio_receiver_end(&p->receiver);
	return 0;
}

static int close_receiver(struct place *p)
{
	return eio_flow_close(p->f);
}

static void check_receiver_closed(struct place *p)
{
	same(write(p->raw[0], "x", 1), -1);
	receiver_ended(p);
}

/* The writer comes by another name: that of the descriptor. */
static void write_to_fifo(struct place *p)
{
	char name[64];

	close_raw(p, 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", flow_number(p->f));
	p->raw[0] = open(name, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(p->raw[0], 0);
	put(p, 3);
}

static void half_full(struct place *p)
{
	read_end(p);
	put(p, 3);
}

static int read_six(struct place *p)
{
	return eio_flow_read_exact(p->f, p->text, 6);
}

static void check_read_six(struct place *p)
{
	same(all_or_done(p, 6) + left_over(p), p->put);
	same(is_filled(p->text, all_or_done(p, 6), 0), true);
}

/* Full ones */

static void fill_up(struct place *p)
{
	ssize_t n;

	fcntl(flow_number(p->f), F_SETFL, O_NONBLOCK);
	while ((n = write(flow_number(p->f), scrap, sizeof(scrap))) > 0)
		p->put += (size_t) n;
	fcntl(flow_number(p->f), F_SETFL, 0);
}

static void full_pipe_of(struct place *p, int size)
{
	int ends[2];

	same(pipe2(ends, O_CLOEXEC), 0);
	p->f = raw_flow(p, ends[1]);
	p->raw[0] = ends[0];
	same(fcntl(ends[1], F_SETPIPE_SZ, size), size);
	fill_up(p);
}

static void full_pipe(struct place *p)
{
	full_pipe_of(p, 16384);
}

static void full_socket(struct place *p)
{
	socket_end(p);
	fill_up(p);
}

static void take_out(struct place *p)
{
	ssize_t n;

	fcntl(p->raw[0], F_SETFL, O_NONBLOCK);
	while ((n = read(p->raw[0], scrap, sizeof(scrap))) > 0)
		p->taken += (size_t) n;
	fcntl(p->raw[0], F_SETFL, 0);
}

static int write_all(struct place *p)
{
	return eio_flow_write(p->f, data, LENGTH);
}

static int write_vector(struct place *p)
{
	struct iovec iov[2] = {{data, 1000}, {data + 1000, LENGTH - 1000}};

	return eio_flow_writev(p->f, iov, 2);
}

static int write_some(struct place *p)
{
	struct iovec iov = {data, LENGTH};

	return (int) eio_flow_write_some(p->f, &iov, 1);
}

static int print(struct place *p)
{
	return eio_flow_printf(p->f, "%*d", LENGTH, 1);
}

/* What the call says it has written is what arrives. */
static void expect_written(struct place *p, size_t written)
{
	take_out(p);
	same(p->taken, p->put + written);
}

static void check_write(struct place *p)
{
	expect_written(p, all_or_done(p, LENGTH));
}

static void check_write_some(struct place *p)
{
	expect_written(p, moved(p));
}

/* Dumps */

static int idle_by(void *arg)
{
	struct place *p = arg;

	expect_ok(eio_promise_resolve(&p->ready, 0, NULL));
	while (!eio_promise_peek(&p->stop, NULL, NULL))
		expect_ok(eio_yield());
	return 0;
}

static void *run_bystander(void *arg)
{
	expect_ok(eio__mock_run(idle_by, arg));
	return NULL;
}

/* A domain that has to be waited for, and then a pipe that has. */
static void full_pipe_and_bystander(struct place *p)
{
	full_pipe(p);
	same(pthread_create(&p->thread, NULL, run_bystander, p), 0);
	expect_ok(eio_promise_await(&p->ready, NULL));
}

static int dump(struct place *p)
{
	return eio_dump(p->f);
}

static void check_dump(struct place *p)
{
	expect_ok(eio_promise_resolve(&p->stop, 0, NULL));
	same(pthread_join(p->thread, NULL), 0);
	if (p->a.rc < 0)
		expect_written(p, p->a.done);
	take_out(p);
	same(p->taken > p->put, p->a.rc == 0 || p->a.done > 0);
}

/* Copies */

static int copy_string(struct place *p)
{
	return eio_flow_copy(eio_string_source_init(&p->string, data, LENGTH), p->f, &p->n);
}

static void check_copy_string(struct place *p)
{
	same(p->string.len, LENGTH - p->n);
	same(p->n, all_or_done(p, LENGTH));
	expect_written(p, p->n);
}

static int copy_to_buffer(struct place *p)
{
	return eio_flow_copy(p->f, eio_buffer_sink_init(&p->sink, 0), &p->n);
}

static void check_copy_to_buffer(struct place *p)
{
	same(p->sink.len, p->n);
	same(p->n + left_over(p), p->put);
	if (p->n)
		same(is_filled(p->sink.data, p->n, 0), true);
	eio_buffer_sink_fini(&p->sink);
}

static void pipe_and_file(struct place *p)
{
	read_end(p);
	p->other = eio_flow_of_fd(file_on(&p->sw));
}

static int copy_to_other(struct place *p)
{
	return eio_flow_copy(p->f, p->other, &p->n);
}

/* What is said is what arrived, and what did not is still there. */
static void check_copy_to_file(struct place *p)
{
	ssize_t n = pread(flow_number(p->other), scrap, sizeof(scrap), 0);

	same(n, (ssize_t) p->n);
	same(is_filled(scrap, p->n, 0), true);
	same(p->n + left_over(p), p->put);
	if (p->a.rc == 0)
		same(p->n, p->put);
}

static void two_pipes(struct place *p)
{
	int ends[2];

	read_end(p);
	same(pipe2(ends, O_CLOEXEC), 0);
	p->other = raw_flow(p, ends[1]);
	p->raw[1] = ends[0];
}

static void check_copy_to_pipe(struct place *p)
{
	same(readable_bytes(p->raw[1]), (int) p->n);
	same(read(p->raw[1], scrap, p->n), (ssize_t) p->n);
	same(is_filled(scrap, p->n, 0), true);
	same(p->n + left_over(p), p->put);
	if (p->a.rc == 0)
		same(p->n, p->put);
}

/* Bytes that wait for room. */
static void pipe_and_full_pipe(struct place *p)
{
	int ends[2];

	full_pipe(p);
	same(pipe2(ends, O_CLOEXEC), 0);
	p->other = raw_flow(p, ends[0]);
	same(write(ends[1], data, LENGTH), LENGTH);
	close(ends[1]);
}

static void check_copy_pipe(struct place *p)
{
	same(readable_bytes(flow_number(p->other)), LENGTH - (int) p->n);
	expect_written(p, p->n);
}

static void two_files(struct place *p)
{
	p->f = eio_flow_of_fd(file_on(&p->sw));
	p->other = eio_flow_of_fd(file_on(&p->sw));
	same(pwrite(flow_number(p->other), data, sizeof(data), 0), sizeof(data));
}

static void check_copy_files(struct place *p)
{
	same(lseek(flow_number(p->other), 0, SEEK_CUR), (off_t) p->n);
	same(pread(flow_number(p->f), scrap, sizeof(scrap), 0), (ssize_t) p->n);
	same(is_filled(scrap, p->n, 0), true);
	same(p->n, all_or_done(p, sizeof(data)));
}

/* Two connections of the library's. */
static void two_sockets(struct place *p)
{
	connected_end(p);
	p->other = p->f;
	p->raw[1] = p->raw[0];
	connected_end(p);
}

/* A pipe of more than 64 KiB. */
static void file_and_full_pipe(struct place *p)
{
	full_pipe_of(p, 256 * 1024);
	p->other = eio_flow_of_fd(file_on(&p->sw));
	same(pwrite(flow_number(p->other), data, sizeof(data), 0), sizeof(data));
}

static void file_and_full_small_pipe(struct place *p)
{
	full_pipe(p);
	p->other = eio_flow_of_fd(file_on(&p->sw));
	same(pwrite(flow_number(p->other), data, LENGTH, 0), LENGTH);
}

static void file_and_full_socket(struct place *p)
{
	connected_end(p);
	fill_up(p);
	p->other = eio_flow_of_fd(file_on(&p->sw));
	ck_assert_int_eq(pwrite(flow_number(p->other), data, sizeof(data), 0), sizeof(data));
}

/* Room enough: it never waits for the kernel, but lets others run. */
static void file_and_socket(struct place *p)
{
	connected_end(p);
	p->other = eio_flow_of_fd(file_on(&p->sw));
	ck_assert_int_eq(pwrite(flow_number(p->other), data, sizeof(data), 0), sizeof(data));
}

static int copy_file(struct place *p)
{
	return eio_flow_copy(p->other, p->f, &p->n);
}

static void check_copy_file(struct place *p)
{
	same(lseek(flow_number(p->other), 0, SEEK_CUR), (off_t) p->n);
	expect_written(p, p->n);
}

/* Connections */

static void listening(struct place *p)
{
	expect_ok(eio_addr_parse(&p->at, "127.0.0.1:0"));
	expect_ok(eio_net_listen(env->net, &p->sw, &p->at, NULL, &p->l));
	expect_ok(eio_listener_addr(p->l, &p->at));
}

static void come(struct place *p, int i)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(&p->at, &len);

	p->raw[i] = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(p->raw[i], 0);
	same(connect(p->raw[i], sa, (socklen_t) len), 0);
	same(write(p->raw[i], "x", 1), 1);
}

static void one_comes(struct place *p)
{
	come(p, 0);
}

/* How many connections nobody took. */
static unsigned in_queue(struct place *p)
{
	struct eio_fd fd;
	unsigned n = 0;
	int conn, flags;

	expect_ok(eio_listener_fd(p->l, &fd));
	flags = fcntl(number(fd), F_GETFL);
	fcntl(number(fd), F_SETFL, flags | O_NONBLOCK);
	while ((conn = accept4(number(fd), NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(conn);
		n++;
	}
	return n;
}

static int accept_one(struct place *p)
{
	return eio_net_accept(p->l, &p->sw, &p->f, NULL);
}

static void check_accept(struct place *p)
{
	same((p->a.rc == 0) + in_queue(p), p->raw[0] != 0);
	if (p->a.rc == 0)
		expect_ok(eio_flow_close(p->f));
}

static int serve(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct place *p = arg;
	char b;

	(void) peer;
	p->served++;
	return (int) eio_flow_read(conn, &b, 1);
}

static int accept_fork(struct place *p)
{
	return eio_net_accept_fork(p->l, &p->sw, serve, p, NULL);
}

static void check_served(struct place *p)
{
	same(p->served + in_queue(p), p->raw[0] != 0);
}

static void listening_and_visited(struct place *p)
{
	listening(p);
	come(p, 0);
}

static int run_server(struct place *p)
{
	struct eio_server_opts opts = {.stop = &p->stop};

	return eio_net_run_server(p->l, serve, p, &opts);
}

static int run_server_in_domains(struct place *p)
{
	struct eio_server_opts opts = {
		.stop = &p->stop,
		.additional_domains = 2,
		.domain_mgr = env->domain_mgr,
	};

	return eio_net_run_server(p->l, serve, p, &opts);
}

static void stop_server(struct place *p)
{
	expect_ok(eio_promise_resolve(&p->stop, 0, NULL));
}

static int connect_to(struct place *p)
{
	return eio_net_connect(env->net, NULL, &p->at, NULL, &p->f);
}

static int connect_with_limit(struct place *p)
{
	struct eio_connect_opts opts = {.timeout_ns = EIO_SEC(1000)};

	return eio_net_connect(env->net, NULL, &p->at, &opts, &p->f);
}

static void close_if_made(struct place *p)
{
	if (p->a.rc >= 0)
		expect_ok(eio_flow_close(p->f));
}

static int connect_by_name(struct place *p)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", eio_addr_port(&p->at));
	return eio_net_connect_host(env->net, NULL, "127.0.0.1", port, NULL, &p->f);
}

/* Numbers: a thread that looks up a name opens files, also when nobody waits any more. */
static int look_up(struct place *p)
{
	struct eio_addr_info *list;
	size_t n;
	int rc = eio_net_getaddrinfo(env->net, "127.0.0.1", "80", EIO_SOCKET_ANY, &list, &n);

	(void) p;
	if (rc == 0)
		free(list);
	return rc;
}

static int ask_names(struct place *p)
{
	expect_ok(eio_addr_parse(&p->at, "127.0.0.1:80"));
	return eio_net_getnameinfo(env->net, &p->at, p->text, sizeof(p->text), NULL, 0,
				   NI_NUMERICHOST);
}

static void check_names(struct place *p)
{
	ck_assert_str_eq(p->text, p->a.rc == 0 ? "127.0.0.1" : "");
}

static void full_queue(struct place *p)
{
	struct eio_listen_opts opts = {.backlog = 1};

	expect_ok(eio_addr_parse(&p->at, "127.0.0.1:0"));
	expect_ok(eio_net_listen(env->net, &p->sw, &p->at, &opts, &p->l));
	expect_ok(eio_listener_addr(p->l, &p->at));
	come(p, 0);
	come(p, 1);
}

static void full_unix_queue(struct place *p)
{
	struct eio_listen_opts opts = {.backlog = 1};

	expect_ok(eio_addr_parse(&p->at, own_name()));
	expect_ok(eio_net_listen(env->net, &p->sw, &p->at, &opts, &p->l));
	come(p, 0);
	come(p, 1);
}

static int listen_unix(struct place *p)
{
	struct eio_addr at;

	expect_ok(eio_addr_parse(&at, "unix:socket"));
	return eio_net_listen(env->net, NULL, &at, NULL, &p->l);
}

static void check_listen_unix(struct place *p)
{
	same(exists("socket"), p->a.rc == 0);
	if (p->a.rc == 0)
		expect_ok(eio_listener_close(p->l));
	ck_assert(!exists("socket"));
}

static int await_visitor(void *arg)
{
	struct place *p = arg;
	struct eio_flow conn;

	same(eio_net_accept(p->l, NULL, &conn, NULL), -EBADF);
	return 0;
}

static void listening_and_accepting(struct place *p)
{
	listening(p);
	expect_ok(eio_fork(&p->sw, await_visitor, p));
}

static int close_listener(struct place *p)
{
	return eio_listener_close(p->l);
}

/* The port is free. */
static void check_closed(struct place *p)
{
	same(eio_listener_close(p->l), -EBADF);
	same(eio_net_connect(env->net, &p->sw, &p->at, NULL, &p->f), -ECONNREFUSED);
}

static int close_flow(struct place *p)
{
	return eio_flow_close(p->f);
}

static void check_flow_closed(struct place *p)
{
	same(eio_flow_close(p->f), -EBADF);
	same(write(p->raw[0], "x", 1), -1);
}

static int make_pipe(struct place *p)
{
	return eio_pipe(NULL, &p->f, &p->other);
}

static void check_pipe(struct place *p)
{
	close_if_made(p);
	if (p->a.rc == 0)
		expect_ok(eio_flow_close(p->other));
}

static int shut(struct place *p)
{
	return eio_flow_shutdown(p->f, EIO_SHUT_SEND);
}

static void check_shut(struct place *p)
{
	char b;

	fcntl(p->raw[0], F_SETFL, O_NONBLOCK);
	same(recv(p->raw[0], &b, 1, 0), p->a.rc == 0 ? 0 : -1);
}

/* Datagrams and descriptors: what is put in and taken out is counted in messages */

static void dgram_end(struct place *p)
{
	struct eio_fd fd;
	int ends[2];

	same(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	expect_ok(eio_fd_of_unix(&p->sw, ends[0], EIO_FD_CLOSE, &fd));
	p->d = eio_dgram_of_fd(fd);
	p->raw[0] = ends[1];
}

static int dgram_number(struct place *p)
{
	struct eio_fd fd;

	expect_ok(eio_dgram_fd(p->d, &fd));
	return number(fd);
}

static unsigned take_messages(int unix_fd)
{
	unsigned n = 0;
	char b[8];

	while (recv(unix_fd, b, sizeof(b), MSG_DONTWAIT) >= 0)
		n++;
	return n;
}

static int receive_dgram(struct place *p)
{
	return (int) eio_dgram_recv(p->d, p->text, 10, NULL);
}

static void put_dgram(struct place *p)
{
	same(send(p->raw[0], "abc", 3, 0), 3);
	p->put++;
}

static void check_receive_dgram(struct place *p)
{
	same((p->a.rc == 3) + take_messages(dgram_number(p)), p->put);
}

static void full_dgram(struct place *p)
{
	dgram_end(p);
	while (send(dgram_number(p), "abc", 3, MSG_DONTWAIT) == 3)
		p->put++;
}

static int send_dgram(struct place *p)
{
	struct iovec iov = {(char *) "abc", 3};

	return eio_dgram_send(p->d, NULL, &iov, 1);
}

static void take_dgrams(struct place *p)
{
	p->taken += take_messages(p->raw[0]);
}

static void check_send_dgram(struct place *p)
{
	take_dgrams(p);
	same(p->taken, p->put + (p->a.rc == 0));
}

static void dgram_listening(struct place *p)
{
	expect_ok(eio_addr_parse(&p->at, own_name()));
	expect_ok(eio_net_datagram(env->net, &p->sw, &p->at, NULL, &p->d));
}

static int open_dgram(struct place *p)
{
	struct eio_dgram_opts opts = {.connect_to = &p->at};
	struct eio_addr at;

	expect_ok(eio_addr_parse(&at, "unix:socket"));
	return eio_net_datagram(env->net, NULL, &at, &opts, &p->d);
}

static void check_open_dgram(struct place *p)
{
	same(exists("socket"), p->a.rc == 0);
	if (p->a.rc == 0)
		expect_ok(eio_dgram_close(p->d));
	same(exists("socket"), false);
}

static int close_dgram(struct place *p)
{
	return eio_dgram_close(p->d);
}

static void check_dgram_closed(struct place *p)
{
	same(eio_dgram_close(p->d), -EBADF);
	same(send(p->raw[0], "x", 1, MSG_NOSIGNAL), -1);
}

/* What was passed is the place's own file. */
static int send_fds(struct place *p)
{
	struct eio_fd fd = file_on(&p->sw);

	return eio_net_send_fds(p->f, data, LENGTH, &fd, 1);
}

static void send_fds_from_afar(struct place *p)
{
	struct eio_fd far, fd = file_on(&p->sw);

	expect_ok(eio_fd_of_unix(&p->sw, dup(p->raw[0]), EIO_FD_CLOSE, &far));
	expect_ok(eio_net_send_fds(eio_flow_of_fd(far), data, 3, &fd, 1));
	p->put += 3;
}

static int receive_fds(struct place *p)
{
	struct eio_fd fd;
	unsigned n = 0;
	ssize_t rc = eio_net_recv_fds(p->f, &p->sw, p->text, 10, &fd, 1, &n);

	same(n, rc > 0);
	return (int) rc;
}

/* Files */

static void file(struct place *p)
{
	(void) p;
	put_file("file", FILE_LENGTH);
}

static int open_in(struct place *p)
{
	return eio_fs_open_in(env->cwd, NULL, "file", &p->f);
}

static int create(struct place *p)
{
	struct eio_create how = {.how = EIO_CREATE_EXCLUSIVE};

	return eio_fs_open_out(env->cwd, NULL, "new", &how, &p->f);
}

static void check_create(struct place *p)
{
	same(exists("new"), p->a.rc == 0);
	close_if_made(p);
	unlink("new");
}

static int open_dir(struct place *p)
{
	struct eio_dir d;
	int rc = eio_fs_open_dir(env->cwd, NULL, ".", &d);

	(void) p;
	if (rc == 0)
		expect_ok(eio_dir_close(d));
	return rc;
}

static void directory(struct place *p)
{
	expect_ok(eio_fs_open_dir(env->cwd, NULL, ".", &p->dir));
}

static int close_dir(struct place *p)
{
	return eio_dir_close(p->dir);
}

static void check_dir_closed(struct place *p)
{
	same(eio_dir_close(p->dir), -EBADF);
}

static int count_entries(struct place *p, int rc)
{
	struct eio_dir_entry e;
	int n = 0;

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_dir_next(&p->it, &e)) == 1)
		n++;
	eio_fs_dir_end(&p->it);
	/* A cancellation may also come before the end is read. */
	same(n >= (rc == 0) && n <= 1, true);
	return rc;
}

static int ask(struct place *p)
{
	struct eio_stat st = {.size = 0};
	int rc = eio_fs_stat(env->cwd, "file", true, &st);

	(void) p;
	same(st.size, rc == 0 ? FILE_LENGTH : 0);
	return rc;
}

static int ask_anywhere(struct place *p)
{
	struct eio_stat st;

	(void) p;
	return eio_fs_stat(env->fs, "file", false, &st);
}

/* Names: what is there afterwards says whether it was done */

static void clear_names(struct place *p)
{
	(void) p;
	remove("new");
	remove("file");
}

static void check_new(struct place *p)
{
	same(access("new", F_OK) == 0, p->a.rc == 0);
	clear_names(p);
}

static void check_gone(struct place *p)
{
	same(access("file", F_OK) == 0, p->a.rc < 0);
	clear_names(p);
}

static int open_dir_nofollow(struct place *p)
{
	struct eio_dir d;
	int rc = eio_fs_open_dir_nofollow(env->cwd, NULL, ".", &d);

	(void) p;
	if (rc == 0)
		expect_ok(eio_dir_close(d));
	return rc;
}

static int kind_of(struct place *p)
{
	(void) p;
	return eio_fs_kind(env->cwd, "file", false);
}

/* They tell nothing of a failure: the call is as good as it was cancelled. */
static int is_what(struct place *p)
{
	bool is = eio_fs_is_file(env->cwd, "file") && !eio_fs_is_directory(env->cwd, "file");

	(void) p;
	return is ? 0 : -ECANCELED;
}

static int make_dir(struct place *p)
{
	(void) p;
	return eio_fs_mkdir(env->cwd, "new", 0755);
}

static int unlink_file(struct place *p)
{
	(void) p;
	return eio_fs_unlink(env->cwd, "file", 0);
}

static void empty_dir(struct place *p)
{
	(void) p;
	same(mkdir("file", 0755), 0);
}

static int remove_dir(struct place *p)
{
	(void) p;
	return eio_fs_rmdir(env->cwd, "file");
}

static int rename_file(struct place *p)
{
	(void) p;
	return eio_fs_rename(env->cwd, "file", env->cwd, "new");
}

static int link_file(struct place *p)
{
	(void) p;
	return eio_fs_link(env->cwd, "file", env->cwd, "new");
}

static int make_dirs(struct place *p)
{
	(void) p;
	return eio_fs_mkdirs(env->cwd, "new/new/new", 0755, true);
}

static void remove_all(const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		remove(paths[i]);
}

static void check_dirs(struct place *p)
{
	static const char *const made[] = {"new/new/new", "new/new", "new"};

	same(access(made[0], F_OK) == 0, p->a.rc == 0);
	remove_all(made, COUNT(made));
}

static void tree_there(struct place *p)
{
	file(p);
	same(mkdir("new", 0755), 0);
	same(mkdir("new/new", 0755), 0);
	same(rename("file", "new/new/file"), 0);
	file(p);
	same(symlink("../file", "new/link"), 0);
}

static int remove_tree(struct place *p)
{
	(void) p;
	return eio_fs_rmtree(env->cwd, "new", 0);
}

static void check_tree(struct place *p)
{
	static const char *const there[] = {"new/new/file", "new/new", "new/link", "new"};

	same(access("new", F_OK) == 0, p->a.rc < 0);
	same(access("file", F_OK), 0);
	remove_all(there, COUNT(there));
	same(access("new", F_OK), -1);
	clear_names(p);
}

static void symlink_there(struct place *p)
{
	(void) p;
	same(symlink("target", "file"), 0);
}

static int make_symlink(struct place *p)
{
	(void) p;
	return eio_fs_symlink(env->cwd, "new", ".");
}

static int read_symlink(struct place *p)
{
	return (int) eio_fs_read_link(env->cwd, "file", p->text, sizeof(p->text));
}

static void check_symlink_read(struct place *p)
{
	ck_assert_str_eq(p->text, p->a.rc < 0 ? "" : "target");
	clear_names(p);
}

static int change_mode(struct place *p)
{
	(void) p;
	return eio_fs_chmod(env->cwd, "file", true, 0600);
}

static void check_mode(struct place *p)
{
	struct stat st;

	same(stat("file", &st), 0);
	same((st.st_mode & 0777) == 0600, p->a.rc == 0);
	clear_names(p);
}

static int change_owner(struct place *p)
{
	(void) p;
	return eio_fs_chown(env->cwd, "file", true, UINT32_MAX, UINT32_MAX);
}

static int sync_dir(struct place *p)
{
	(void) p;
	return eio_fs_sync(env->cwd);
}

static int list(struct place *p)
{
	return count_entries(p, eio_fs_dir_begin(&p->it, env->cwd, "."));
}

static int list_with_stat(struct place *p)
{
	static const struct eio_dir_opts opts = {.stat = true};

	return count_entries(p, eio_fs_dir_begin_with(&p->it, env->cwd, ".", &opts));
}

static int read_dir(struct place *p)
{
	return eio_fs_read_dir(env->cwd, ".", &p->names, NULL);
}

static void check_read_dir(struct place *p)
{
	same(p->names != NULL, p->a.rc == 0);
	if (p->a.rc == 0)
		ck_assert_str_eq(p->names[0], "file");
	free(p->names);
}

static int load(struct place *p)
{
	return eio_fs_load(env->cwd, "file", &p->all, &p->taken);
}

static void check_load(struct place *p)
{
	same(p->all != NULL, p->a.rc == 0);
	if (p->all)
		same(p->taken == FILE_LENGTH && is_filled(p->all, FILE_LENGTH, 0), true);
	free(p->all);
}

static void text_file(struct place *p)
{
	(void) p;
	put_text("file", "one\ntwo\n");
}

static int read_lines(struct place *p)
{
	struct eio_fs_lines l;
	char *line;
	int rc = eio_fs_lines_begin(&l, env->cwd, "file", 0);

	if (rc < 0)
		return rc;
	while ((rc = eio_fs_lines_next(&l, &line, NULL)) == 1)
		p->n++;
	eio_fs_lines_end(&l);
	return rc;
}

static void check_lines(struct place *p)
{
	same(p->a.rc == 0 ? p->n == 2 : p->n <= 2, true);
}

static int save(struct place *p)
{
	(void) p;
	return eio_fs_save(env->cwd, "file", data, LENGTH, NULL);
}

static int save_new(struct place *p)
{
	struct eio_save how = {.how = EIO_CREATE_EXCLUSIVE, .sync = true};

	(void) p;
	return eio_fs_save(env->cwd, "new", data, LENGTH, &how);
}

static int save_atomically(struct place *p)
{
	(void) p;
	return eio_fs_save(env->cwd, "file", data, LENGTH, &(struct eio_save){.atomic = true});
}

static off_t length_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void check_saved(struct place *p)
{
	if (p->a.rc == 0)
		same(length_of("file"), LENGTH);
}

static void check_saved_new(struct place *p)
{
	same(p->a.rc == 0 ? length_of("new") == LENGTH : length_of("new") <= LENGTH, true);
	unlink("new");
}

static void check_saved_atomically(struct place *p)
{
	same(length_of("file"), p->a.rc == 0 ? LENGTH : FILE_LENGTH);
	same(count_names("."), 1);
}

static int copy_to_new(struct place *p)
{
	struct eio_copy_file how = {.sync = true};

	return eio_fs_copy_file(env->cwd, "file", env->cwd, "new", &how, &p->n);
}

static void check_copied(struct place *p)
{
	same(length_of("new"), p->a.rc == 0 ? FILE_LENGTH : -1);
	same(p->n, p->a.rc == 0 ? FILE_LENGTH : 0);
	unlink("new");
}

/* Nearly all of it a hole. */
static void sparse_file(struct place *p)
{
	file(p);
	same(truncate("file", 100), 0);
	same(truncate("file", FILE_LENGTH), 0);
}

static void open_file(struct place *p)
{
	p->f = eio_flow_of_fd(file_on(&p->sw));
	same(pwrite(flow_number(p->f), data, LENGTH, 0), LENGTH);
}

static int ask_file(struct place *p)
{
	struct eio_stat st;

	return eio_file_stat(p->f, &st);
}

static int read_at(struct place *p)
{
	return (int) eio_file_pread(p->f, p->text, LENGTH, 1);
}

static int read_exact_at(struct place *p)
{
	return eio_file_pread_exact(p->f, p->text, LENGTH, 0);
}

static int read_vector_at(struct place *p)
{
	struct iovec iov[2] = {{p->text, 2}, {p->text + 2, 8}};

	return (int) eio_file_preadv(p->f, iov, 2, 1);
}

static int ask_size(struct place *p)
{
	return eio_file_size(p->f, &p->n);
}

static void check_size(struct place *p)
{
	same(p->n, p->a.rc == 0 ? LENGTH : 0);
}

static int seek_data(struct place *p)
{
	return eio_file_seek(p->f, 1, SEEK_DATA, NULL);
}

static void check_position(struct place *p)
{
	same(lseek(flow_number(p->f), 0, SEEK_CUR), p->a.rc == 0);
}

static int cut_file(struct place *p)
{
	return eio_file_truncate(p->f, 1);
}

static void check_cut(struct place *p)
{
	struct stat st;

	same(fstat(flow_number(p->f), &st), 0);
	same(st.st_size, p->a.rc == 0 ? 1 : LENGTH);
}

static int allocate(struct place *p)
{
	return eio_file_allocate(p->f, 0, 0, 1000);
}

static int advise(struct place *p)
{
	return eio_file_advise(p->f, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static int sync_data(struct place *p)
{
	return eio_file_datasync(p->f);
}

static int go_unbuffered(struct place *p)
{
	return eio_file_direct(&p->f, true);
}

static int write_at(struct place *p)
{
	return eio_file_pwrite_all(p->f, data, LENGTH, LENGTH);
}

static int write_some_at(struct place *p)
{
	return (int) eio_file_pwrite_some(p->f, data, LENGTH, LENGTH);
}

static void check_write_some_at(struct place *p)
{
	struct stat st;

	same(fstat(flow_number(p->f), &st), 0);
	same(st.st_size, LENGTH + moved(p));
}

static int write_vector_at(struct place *p)
{
	struct iovec iov[2] = {{data, 2}, {data + 2, LENGTH - 2}};

	return eio_file_pwritev(p->f, iov, 2, LENGTH);
}

static void check_write_at(struct place *p)
{
	struct stat st;

	same(fstat(flow_number(p->f), &st), 0);
	same(st.st_size, LENGTH + (off_t) all_or_done(p, LENGTH));
}

static int sync_file(struct place *p)
{
	return eio_file_sync(p->f);
}

/* Terminals */

/* What is written to it waits. */
static void stopped_tty(struct place *p)
{
	tty_side(p);
	same(tcflow(flow_number(p->f), TCOOFF), 0);
}

static void let_go_on(struct place *p)
{
	same(tcflow(flow_number(p->f), TCOON), 0);
}

/* The kernel hands over what was written some time later. */
static void check_tty_read(struct place *p)
{
	for (int i = 0; i < 1000 && moved(p) + left_over(p) < p->put; i++)
		usleep(1000);
	check_read(p);
}

static void check_tty_write(struct place *p)
{
	let_go_on(p);
	for (int i = 0; i < 1000 && p->taken < all_or_done(p, LENGTH); i++) {
		take_out(p);
		usleep(100);
	}
	check_write(p);
}

static int set_attributes(struct place *p)
{
	struct termios attr;

	expect_ok(eio_tty_get_attr(p->f, &attr));
	return eio_tty_set_attr(p->f, EIO_TTY_FLUSH, &attr);
}

/* Time */

static int nap(struct place *p)
{
	(void) p;
	return eio_sleep(env->mono_clock, 50000);
}

static int sleep_for_ever(struct place *p)
{
	(void) p;
	return eio_sleep_until(env->mono_clock, EIO_NEVER);
}

static int sleep_by_the_wall(struct place *p)
{
	(void) p;
	return eio_sleep_until(env->clock, eio_now_ns(env->clock) + EIO_SEC(1000));
}

static int read_in_place(void *arg)
{
	return read_some(arg);
}

static int read_within(struct place *p)
{
	return eio_timeout_run(env->mono_clock, EIO_SEC(1000), read_in_place, p);
}

/* Domains */

static int await_ready(void *arg)
{
	struct place *p = arg;

	return eio_promise_await(&p->ready, NULL);
}

static void resolve_ready(struct place *p)
{
	expect_ok(eio_promise_resolve(&p->ready, 0, NULL));
}

static int run_in_domain(struct place *p)
{
	return eio_domain_run(env->domain_mgr, await_ready, p);
}

static int count_served(void *arg)
{
	struct place *p = arg;

	p->served++;
	return 0;
}

static int run_raw(struct place *p)
{
	return eio_domain_run_raw(env->domain_mgr, NULL, count_served, p);
}

static void new_executor(struct place *p)
{
	expect_ok(eio_executor_init(&p->executor, &p->sw, env->domain_mgr, 1));
}

static int run_in_executor(struct place *p)
{
	return eio_executor_submit(&p->executor, await_ready, p, 1000);
}

static void check_executor(struct place *p)
{
	expect_ok(eio_executor_submit(&p->executor, count_served, p, 1000));
	same(p->served, 1);
}

static void check_raw(struct place *p)
{
	same(p->served, p->a.rc == 0);
}

static const struct call calls[] = {
	{"eio_flow_read a pipe", WAITS, read_end, read_some, put_three, check_read},
	{"eio_flow_read a socket", WAITS, socket_end, read_some, put_three, check_read},
	{"eio_flow_read a FIFO", WAITS, fifo_end, read_some, write_to_fifo, check_read},
	{"eio_flow_readv a pipe", WAITS, read_end, read_vector, put_three, check_read},
	{"eio_flow_readv a socket", WAITS, socket_end, read_vector, put_three, check_read},
	{"eio_flow_read_all a pipe", WAITS, read_end, read_everything, put_and_end,
	 check_read_everything},
	{"eio_flow_read_borrow a pipe", WAITS, read_end, borrow_some, put_three, check_read},
	{"eio_flow_read_borrow a socket", WAITS, socket_end, borrow_some, put_three, check_read},
	{"eio_flow_read of a receiver", WAITS, receiver_begun, read_some, put_three,
	 check_receiver},
	{"eio_flow_read_borrow of a receiver", WAITS, receiver_begun, borrow_some, put_three,
	 check_receiver},
	{"eio_receiver_end", FIRM, receiver_has_read, end_receiver, NULL, receiver_ended},
	{"eio_flow_close of a receiver", FIRM, receiver_has_read, close_receiver, NULL,
	 check_receiver_closed},
	{"eio_flow_read_exact", WAITS, half_full, read_six, put_three, check_read_six},
	{"eio_timeout_run, reading", WAITS, read_end, read_within, put_three, check_read},
	{"eio_flow_write to a pipe", WAITS, full_pipe, write_all, take_out, check_write},
	{"eio_flow_write to a socket", WAITS, full_socket, write_all, take_out, check_write},
	{"eio_flow_writev to a pipe", WAITS, full_pipe, write_vector, take_out, check_write},
	{"eio_flow_writev to a socket", WAITS, full_socket, write_vector, take_out, check_write},
	{"eio_flow_printf to a pipe", WAITS, full_pipe, print, take_out, check_write},
	{"eio_flow_write_some to a pipe", WAITS, full_pipe, write_some, take_out, check_write_some},
	{"eio_flow_write_some to a socket", WAITS, full_socket, write_some, take_out,
	 check_write_some},
	{"eio_dump to a pipe", WAITS, full_pipe_and_bystander, dump, take_out, check_dump},
	{"eio_flow_copy a string to a pipe", WAITS, full_pipe, copy_string, take_out,
	 check_copy_string},
	{"eio_flow_copy a string to a socket", WAITS, full_socket, copy_string, take_out,
	 check_copy_string},
	{"eio_flow_copy a pipe to a buffer", WAITS, read_end, copy_to_buffer, put_and_end,
	 check_copy_to_buffer},
	{"eio_flow_copy a socket to a buffer", WAITS, socket_end, copy_to_buffer, put_and_end,
	 check_copy_to_buffer},
	{"eio_flow_copy a pipe to a file", WAITS, pipe_and_file, copy_to_other, put_and_end,
	 check_copy_to_file},
	{"eio_flow_copy a pipe to a pipe", WAITS, two_pipes, copy_to_other, put_and_end,
	 check_copy_to_pipe},
	{"eio_flow_copy a pipe to a full pipe", WAITS, pipe_and_full_pipe, copy_file, take_out,
	 check_copy_pipe},
	{"eio_flow_copy a file to a file", QUICK, two_files, copy_file, NULL, check_copy_files},
	{"eio_flow_copy a socket to a socket", WAITS, two_sockets, copy_to_other, put_and_end,
	 check_copy_to_pipe},
	{"eio_flow_copy a file to a small pipe", WAITS, file_and_full_small_pipe, copy_file,
	 take_out, check_copy_file},
	{"eio_flow_copy a file to a large pipe", WAITS, file_and_full_pipe, copy_file, take_out,
	 check_copy_file},
	{"eio_flow_copy a file to a socket", WAITS, file_and_full_socket, copy_file, take_out,
	 check_copy_file},
	{"eio_flow_copy a file to an idle socket", QUICK, file_and_socket, copy_file, NULL,
	 check_copy_file},
	{"eio_net_accept", WAITS, listening, accept_one, one_comes, check_accept},
	{"eio_net_accept_fork", WAITS, listening, accept_fork, one_comes, check_served},
	{"eio_net_run_server", WAITS, listening_and_visited, run_server, stop_server, check_served},
	{"eio_net_run_server in domains", WAITS, listening_and_visited, run_server_in_domains,
	 stop_server, check_served},
	{"eio_net_connect", QUICK, listening, connect_to, NULL, close_if_made},
	{"eio_net_connect with a limit", QUICK, listening, connect_with_limit, NULL, close_if_made},
	{"eio_net_connect_host", QUICK, listening, connect_by_name, NULL, close_if_made},
	{"eio_net_connect_host, a full queue", STUCK, full_queue, connect_by_name, NULL,
	 close_if_made},
	{"eio_net_getaddrinfo", QUICK, NULL, look_up, NULL, NULL},
	{"eio_net_getnameinfo", QUICK, NULL, ask_names, NULL, check_names},
	{"eio_net_connect to a full queue", STUCK, full_queue, connect_to, NULL, close_if_made},
	{"eio_net_connect to a full queue by a path", STUCK, full_unix_queue, connect_to, NULL,
	 close_if_made},
	{"eio_net_listen", QUICK, NULL, listen_unix, NULL, check_listen_unix},
	{"eio_listener_close", FIRM, listening, close_listener, NULL, check_closed},
	{"eio_listener_close, accepting", FIRM, listening_and_accepting, close_listener, NULL,
	 check_closed},
	{"eio_dgram_recv", WAITS, dgram_end, receive_dgram, put_dgram, check_receive_dgram},
	{"eio_dgram_send", WAITS, full_dgram, send_dgram, take_dgrams, check_send_dgram},
	{"eio_net_datagram", QUICK, dgram_listening, open_dgram, NULL, check_open_dgram},
	{"eio_dgram_close", FIRM, dgram_end, close_dgram, NULL, check_dgram_closed},
	{"eio_net_send_fds", WAITS, full_socket, send_fds, take_out, check_write},
	{"eio_net_recv_fds", WAITS, socket_end, receive_fds, send_fds_from_afar, check_read},
	{"eio_flow_close", FIRM, read_end, close_flow, NULL, check_flow_closed},
	{"eio_pipe", QUICK, NULL, make_pipe, NULL, check_pipe},
	{"eio_flow_shutdown", QUICK, socket_end, shut, NULL, check_shut},
	{"eio_fs_open_in", QUICK, file, open_in, NULL, close_if_made},
	{"eio_fs_open_out", QUICK, NULL, create, NULL, check_create},
	{"eio_fs_open_dir", QUICK, NULL, open_dir, NULL, NULL},
	{"eio_fs_open_dir_nofollow", QUICK, NULL, open_dir_nofollow, NULL, NULL},
	{"eio_dir_close", FIRM, directory, close_dir, NULL, check_dir_closed},
	{"eio_fs_stat", QUICK, file, ask, NULL, NULL},
	{"eio_fs_stat anywhere", QUICK, file, ask_anywhere, NULL, NULL},
	{"eio_fs_kind", QUICK, file, kind_of, NULL, clear_names},
	{"eio_fs_is_file, eio_fs_is_directory", QUICK, file, is_what, NULL, clear_names},
	{"eio_fs_mkdir", QUICK, NULL, make_dir, NULL, check_new},
	{"eio_fs_mkdirs", QUICK, NULL, make_dirs, NULL, check_dirs},
	{"eio_fs_unlink", QUICK, file, unlink_file, NULL, check_gone},
	{"eio_fs_rmdir", QUICK, empty_dir, remove_dir, NULL, check_gone},
	{"eio_fs_rmtree", QUICK, tree_there, remove_tree, NULL, check_tree},
	{"eio_fs_rename", QUICK, file, rename_file, NULL, check_new},
	{"eio_fs_link", QUICK, file, link_file, NULL, check_new},
	{"eio_fs_symlink", QUICK, NULL, make_symlink, NULL, check_new},
	{"eio_fs_read_link", QUICK, symlink_there, read_symlink, NULL, check_symlink_read},
	{"eio_fs_chmod", QUICK, file, change_mode, NULL, check_mode},
	{"eio_fs_chown", QUICK, file, change_owner, NULL, clear_names},
	{"eio_fs_sync", QUICK, NULL, sync_dir, NULL, NULL},
	{"eio_fs_dir_begin, eio_fs_dir_next, eio_fs_dir_end", QUICK, file, list, NULL, NULL},
	{"eio_fs_dir_begin_with", QUICK, file, list_with_stat, NULL, NULL},
	{"eio_fs_read_dir", QUICK, file, read_dir, NULL, check_read_dir},
	{"eio_fs_load", QUICK, file, load, NULL, check_load},
	{"eio_fs_lines_begin, eio_fs_lines_next, eio_fs_lines_end", QUICK, text_file, read_lines,
	 NULL, check_lines},
	{"eio_fs_save", QUICK, file, save, NULL, check_saved},
	{"eio_fs_save a new file", QUICK, NULL, save_new, NULL, check_saved_new},
	{"eio_fs_save atomically", QUICK, file, save_atomically, NULL, check_saved_atomically},
	{"eio_fs_copy_file", QUICK, file, copy_to_new, NULL, check_copied},
	{"eio_fs_copy_file with holes", QUICK, sparse_file, copy_to_new, NULL, check_copied},
	{"eio_file_stat", QUICK, open_file, ask_file, NULL, NULL},
	{"eio_file_pread", QUICK, open_file, read_at, NULL, NULL},
	{"eio_file_pread_exact", QUICK, open_file, read_exact_at, NULL, NULL},
	{"eio_file_preadv", QUICK, open_file, read_vector_at, NULL, NULL},
	{"eio_file_pwrite_all", QUICK, open_file, write_at, NULL, check_write_at},
	{"eio_file_pwrite_some", QUICK, open_file, write_some_at, NULL, check_write_some_at},
	{"eio_file_pwritev", QUICK, open_file, write_vector_at, NULL, check_write_at},
	{"eio_file_size", QUICK, open_file, ask_size, NULL, check_size},
	{"eio_file_seek", QUICK, open_file, seek_data, NULL, check_position},
	{"eio_file_truncate", QUICK, open_file, cut_file, NULL, check_cut},
	{"eio_file_allocate", QUICK, open_file, allocate, NULL, NULL},
	{"eio_file_advise", QUICK, open_file, advise, NULL, NULL},
	{"eio_file_sync", QUICK, open_file, sync_file, NULL, NULL},
	{"eio_flow_read a pty", WAITS, pty_side, read_some, put_three, check_tty_read},
	{"eio_flow_readv a pty", WAITS, pty_side, read_vector, put_three, check_tty_read},
	{"eio_flow_read a terminal", WAITS, tty_side, read_some, put_three, check_tty_read},
	{"eio_flow_write to a terminal", WAITS, stopped_tty, write_all, let_go_on, check_tty_write},
	{"eio_tty_set_attr", QUICK, tty_side, set_attributes, NULL, NULL},
	{"eio_file_datasync", QUICK, open_file, sync_data, NULL, NULL},
	{"eio_file_direct", QUICK, open_file, go_unbuffered, NULL, NULL},
	{"eio_sleep", QUICK, NULL, nap, NULL, NULL},
	{"eio_sleep_until for ever", STUCK, NULL, sleep_for_ever, NULL, NULL},
	{"eio_sleep_until a time of the wall clock", STUCK, NULL, sleep_by_the_wall, NULL, NULL},
	{"eio_domain_run", WAITS, NULL, run_in_domain, resolve_ready, NULL},
	{"eio_domain_run_raw", QUICK, NULL, run_raw, NULL, check_raw},
	{"eio_executor_submit", WAITS, new_executor, run_in_executor, resolve_ready,
	 check_executor},
};

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
}

static void end(struct place *p)
{
	for (int i = 0; i < 4; i++)
		close_raw(p, i);
	unlink("file");
	expect_ok(eio_switch_end(&p->sw, 0));
}

static void step(void)
{
	trips(1);
}

static const struct sweep all = {calls, COUNT(calls), sizeof(struct place), begin, end, step};

static int sweep(void *arg)
{
	(void) arg;
	fill(data, sizeof(data), 0);
	sweep_moments(&all);
	return 0;
}

/* Limits of some sizes. */
static int sweep_within(void *arg)
{
	static const int64_t limits[] = {-1, 1, 1000, 20000, 300000, EIO_MS(1)};

	(void) arg;
	fill(data, sizeof(data), 0);
	sweep_limits(&all, limits, COUNT(limits));
	return 0;
}

static void run_in_scratch(const struct eio_config *config, struct faults *f, eio_fn *fn)
{
	if (f)
		faults_install(f);
	enter_scratch();
	run_ring_with(config, fn, 0);
	leave_scratch();
}

START_TEST(nothing_is_lost_whenever_the_cancellation_comes)
{
	run_in_scratch(NULL, NULL, sweep);
}
END_TEST

START_TEST(nothing_is_lost_though_there_is_no_room_for_cancel_requests)
{
	run_in_scratch(&(struct eio_config){.queue_depth = 2}, NULL, sweep);
}
END_TEST

START_TEST(nothing_is_lost_when_the_kernel_is_odd)
{
	struct faults odd = {.seed = 42,
			     .eintr = 30,
			     .eagain = 20,
			     .ebusy = 20,
			     .reorder = 100,
			     .eintr_after = 20};

	run_in_scratch(NULL, &odd, sweep);
	odd = (struct faults){.seed = 43, .shorten = 100, .transient = 40, .reorder = 100};
	run_in_scratch(NULL, &odd, sweep);
	ck_assert_uint_gt(odd.shortened, 50);
	ck_assert_uint_gt(odd.refused, 50);
}
END_TEST

START_TEST(nothing_is_lost_though_cancel_requests_miss)
{
	struct faults deaf = {.seed = 44, .deaf = 128};

	run_in_scratch(NULL, &deaf, sweep);
	ck_assert_uint_gt(deaf.deafened, 50);
}
END_TEST

START_TEST(nothing_is_lost_when_a_limit_expires)
{
	run_in_scratch(NULL, NULL, sweep_within);
}
END_TEST

SUITE_MAIN("io_sweep", true, nothing_is_lost_whenever_the_cancellation_comes,
	   nothing_is_lost_though_there_is_no_room_for_cancel_requests,
	   nothing_is_lost_when_the_kernel_is_odd, nothing_is_lost_though_cancel_requests_miss,
	   nothing_is_lost_when_a_limit_expires)
