/* SPDX-License-Identifier: ISC */
/*
 * Copying from one connection to another: messages, streams, and one after the other. A line
 * is client – source – sink – server, with the copy in the middle.
 */
#include "faults.h"
#include "io/util.h"

#include <dlfcn.h>
#include <eio/low_level.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SHORT = 256, /* those of the copy */
	LARGE = 48 * 1024,
	PIECE = 64 * 1024,
	PIPE = 256 * 1024,
	MUCH = 3000001,
};

/* The calls it makes */

static unsigned splices, pipes;     /* so far */
static int refuse_splice;           /* with this errno; 0: it works */
static int refuse_pipe;             /* likewise */
static bool no_large_pipes;         /* they are such that their size cannot be set */
static void (*before_fill)(int fd); /* NULL, or called before bytes leave a source */

ssize_t splice(int from, off64_t *from_off, int to, off64_t *to_off, size_t len, unsigned flags)
{
	static ssize_t (*real)(int, off64_t *, int, off64_t *, size_t, unsigned);
	int type;

	if (!real)
		*(void **) &real = dlsym(RTLD_NEXT, "splice");
	splices++;
	if (before_fill &&
	    getsockopt(from, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)}) == 0)
		before_fill(from);
	if (refuse_splice) {
		errno = refuse_splice;
		return -1;
	}
	return real(from, from_off, to, to_off, len, flags);
}

int pipe2(int ends[2], int flags)
{
	static int (*real)(int[2], int);

	if (!real)
		*(void **) &real = dlsym(RTLD_NEXT, "pipe2");
	pipes++;
	if (refuse_pipe) {
		errno = refuse_pipe;
		return -1;
	}
	if (!no_large_pipes)
		return real(ends, flags);
	ends[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	ends[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return 0;
}

static unsigned refuse_recvs; /* so many find nothing */

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	if (refuse_recvs == 0)
		return recvfrom(fd, buf, len, flags, NULL, NULL);
	refuse_recvs--;
	errno = EAGAIN;
	return -1;
}

static void forget_calls(void)
{
	splices = pipes = 0;
}

/* Lines */

struct line {
	struct eio_flow client, source, sink, server;
	size_t fed, taken; /* by client and server, of the pattern */
	size_t left;       /* for feed */
	int (*moved)(uint64_t n, void *arg);
	uint64_t max, n, done, told;
	uint64_t stop_at; /* for tell: what the copy is to stop after */
	struct eio_cancel ctx;
	int rc;
	bool over;
};

/* Two sockets that the library made. */
static void connect_ends(struct eio_switch *sw, bool tcp, struct eio_flow *a, struct eio_flow *b)
{
	struct eio_listener l;
	struct eio_addr at;

	if (tcp) {
		flow_tcp(sw, a, b);
		return;
	}
	expect_ok(eio_addr_parse(&at, own_name()));
	expect_ok(eio_net_listen(env->net, NULL, &at, NULL, &l));
	expect_ok(eio_net_connect(env->net, sw, &at, NULL, a));
	expect_ok(eio_net_accept(l, sw, b, NULL));
	expect_ok(eio_listener_close(l));
}

static void line_begin(struct eio_switch *sw, struct line *l, bool tcp)
{
	*l = (struct line){.max = UINT64_MAX};
	connect_ends(sw, tcp, &l->client, &l->source);
	connect_ends(sw, tcp, &l->sink, &l->server);
	forget_calls();
}

/* Of each fiber that feeds or takes its own. */
enum { MEMORY = 100000 };

static int feed(void *arg)
{
	char *b = malloc(MEMORY);
	struct line *l = arg;
	int rc = 0;

	ck_assert_ptr_nonnull(b);
	while (l->left > 0 && rc == 0) {
		size_t n = l->left < MEMORY ? l->left : MEMORY;

		fill(b, n, l->fed);
		rc = eio_flow_write(l->client, b, n);
		l->left -= n;
		l->fed += n;
	}
	free(b);
	return rc;
}

/* In a fiber: the other side may have had enough. */
static int feed_on(void *arg)
{
	int rc = feed(arg);

	return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

static void send_message(struct line *l, size_t len)
{
	l->left = len;
	expect_ok(feed(l));
}

/* What the server gets next: so many bytes, and the right ones. */
static void take(struct line *l, size_t len)
{
	static char b[100000];

	while (len > 0) {
		size_t n = len < sizeof(b) ? len : sizeof(b);

		expect_ok(eio_flow_read_exact(l->server, b, n));
		ck_assert(is_filled(b, n, l->taken));
		l->taken += n;
		len -= n;
	}
}

static void pass_message(struct line *l, size_t len)
{
	send_message(l, len);
	take(l, len);
}

/* Whatever comes to the end, or to a reset. */
static void take_rest(struct line *l)
{
	char *b = malloc(MEMORY);
	ssize_t n;

	ck_assert_ptr_nonnull(b);
	while ((n = eio_flow_read(l->server, b, MEMORY)) > 0) {
		ck_assert(is_filled(b, (size_t) n, l->taken));
		l->taken += (size_t) n;
	}
	free(b);
	expect_ok(n);
}

static int tell(uint64_t n, void *arg)
{
	struct line *l = arg;

	ck_assert_uint_gt(n, 0);
	l->told += n;
	if (l->stop_at == 0 || l->told < l->stop_at)
		return 0;
	l->stop_at = 0; /* said once is enough */
	return -ETIME;
}

static int copy(void *arg)
{
	struct line *l = arg;

	l->over = false;
	l->told = 0;
	eio_cancel_begin(&l->ctx);
	l->rc = eio_flow_copy_n(l->source, l->sink, l->max, tell, l, &l->n);
	l->done = eio_last_error()->done;
	eio_cancel_end(&l->ctx);
	l->over = true;
	ck_assert_uint_eq(l->told, l->n);
	if (l->rc < 0)
		ck_assert_uint_eq(l->done, l->n);
	return 0;
}

static void start_copy(struct eio_switch *sw, struct line *l)
{
	expect_ok(eio_fork(sw, copy, l));
}

/* So much is to come, and the first piece of it is large. */
static void start_feeding(struct eio_switch *sw, struct line *l, size_t len)
{
	l->left = len;
	expect_ok(eio_fork(sw, feed_on, l));
	wait_until(readable_bytes(flow_number(l->source)) >= LARGE);
}

/* The client has no more; the copy ends well, and the server gets all of it. */
static void line_end(struct line *l)
{
	expect_ok(eio_flow_shutdown(l->client, EIO_SHUT_SEND));
	wait_until(l->over);
	expect_ok(l->rc);
	ck_assert_uint_eq(l->n, l->fed);
	expect_ok(eio_flow_shutdown(l->sink, EIO_SHUT_SEND));
	take_rest(l);
	ck_assert_uint_eq(l->taken, l->fed);
}

/* Three things a connection may have done last: what the copy waits for then. */
enum mood { FRESH, SHORTS, LONGS, STREAM, MOODS };

static void put_into(struct eio_switch *sw, struct line *l, enum mood mood)
{
	switch (mood) {
	case SHORTS:
		start_copy(sw, l);
		pass_message(l, 10);
		break;
	case LONGS:
		start_copy(sw, l);
		pass_message(l, 1000);
		break;
	case STREAM:
		start_feeding(sw, l, 500000);
		start_copy(sw, l);
		take(l, 500000);
		ck_assert_uint_gt(splices, 0);
		break;
	default:
		start_copy(sw, l);
	}
	trips(3);
	ck_assert(!l->over);
}

/* Complete */

RING_TEST(what_arrives_is_what_was_sent_whatever_its_length)
{
	static const size_t lens[] = {0,         1,        SHORT - 1, SHORT, SHORT + 1,
				      LARGE - 1, LARGE,    PIECE - 1, PIECE, PIECE + 1,
				      PIPE,      PIPE + 1, MUCH};

	(void) arg;
	for (size_t i = 0; i < 2 * COUNT(lens); i++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		start_copy(&sw, &l);
		l.left = lens[i / 2];
		expect_ok(eio_fork(&sw, feed_on, &l));
		take(&l, lens[i / 2]);
		line_end(&l);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static struct faults short_and_odd;

static int pass_all_short(void *arg)
{
	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, tcp);
		start_copy(&sw, &l);
		for (size_t len = 1; len < 100000; len = 2 * len + 1)
			pass_message(&l, len);
		for (int i = 0; i < 100; i++)
			pass_message(&l, 40);
		line_end(&l);
		expect_ok(eio_switch_end(&sw, 0));
	}
	ck_assert_uint_gt(short_and_odd.shortened, 50);
	ck_assert_uint_gt(short_and_odd.refused, 10);
	return 0;
}

START_TEST(nothing_is_missing_though_receives_are_short_and_interrupted)
{
	short_and_odd = (struct faults){.seed = 1, .shorten = 120, .transient = 40};
	faults_install(&short_and_odd);
	run_ring(pass_all_short, 0);
}
END_TEST

/* Both directions of the same two sockets, each copied by a fiber. */
struct way {
	struct eio_flow from, to;
	uint64_t n;
};

static int carry(void *arg)
{
	struct way *w = arg;
	int rc = eio_flow_copy(w->from, w->to, &w->n);

	return rc < 0 ? rc : eio_flow_shutdown(w->to, EIO_SHUT_SEND);
}

static int say_much(void *arg)
{
	struct line *l = arg;
	int rc = feed(l);

	return rc < 0 ? rc : eio_flow_shutdown(l->client, EIO_SHUT_SEND);
}

static int hear_all(void *arg)
{
	take_rest(arg);
	return 0;
}

RING_TEST(both_directions_stream_at_once_and_end_one_by_one)
{
	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct eio_switch sw;
		struct line there, back = {.left = MUCH / 2};
		struct way ways[2];

		eio_switch_begin(&sw);
		line_begin(&sw, &there, tcp);
		there.left = MUCH;
		back.client = there.server;
		back.server = there.client;
		ways[0] = (struct way){there.source, there.sink, 0};
		ways[1] = (struct way){there.sink, there.source, 0};
		expect_ok(eio_fork(&sw, carry, &ways[0]));
		expect_ok(eio_fork(&sw, carry, &ways[1]));
		expect_ok(eio_fork(&sw, say_much, &there));
		expect_ok(eio_fork(&sw, say_much, &back));
		expect_ok(eio_both(hear_all, &there, hear_all, &back));
		ck_assert_uint_eq(there.taken, MUCH);
		ck_assert_uint_eq(back.taken, MUCH / 2);
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(ways[0].n, MUCH);
		ck_assert_uint_eq(ways[1].n, MUCH / 2);
	}
	return 0;
}

/* The two ways */

RING_TEST(messages_go_through_memory_and_streams_through_a_pipe)
{
	static const size_t messages[] = {1, 255, 256, 257, 1000, 16384, 40000, 1};

	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, tcp);
		start_copy(&sw, &l);
		for (size_t i = 0; i < COUNT(messages); i++)
			pass_message(&l, messages[i]);
		ck_assert_uint_eq(pipes, 0);
		ck_assert_uint_eq(splices, 0);
		ck_assert(!(fcntl(flow_number(l.source), F_GETFL) & O_NONBLOCK));
		line_end(&l);

		line_begin(&sw, &l, tcp);
		put_into(&sw, &l, STREAM);
		ck_assert_uint_gt(pipes, 0);
		ck_assert_uint_gt(splices, 1);
		/* The first message after it is still looked for there, later ones are not. */
		pass_message(&l, 10);
		forget_calls();
		for (size_t i = 0; i < COUNT(messages); i++)
			pass_message(&l, messages[i]);
		ck_assert_uint_eq(pipes, 0);
		ck_assert_uint_eq(splices, 0);
		line_end(&l);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_copy_that_waits_for_bytes_holds_no_descriptor)
{
	(void) arg;
	for (int i = 0; i < 2 * MOODS; i++) {
		struct eio_switch sw;
		struct line l;
		unsigned fds;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		fds = count_fds();
		put_into(&sw, &l, i / 2);
		ck_assert_uint_eq(count_fds(), fds);
		line_end(&l);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static unsigned turns, turns_before;

static int take_turns(void *arg)
{
	while (!*(bool *) arg) {
		turns++;
		expect_ok(eio_yield());
	}
	return 0;
}

static void expect_others_had_theirs(int fd)
{
	(void) fd;
	ck_assert_uint_gt(turns, turns_before);
	turns_before = turns;
}

RING_TEST(other_fibers_have_their_turn_between_two_pieces_of_a_stream)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	eio_switch_begin(&sw);
	line_begin(&sw, &l, true);
	turns = turns_before = 0;
	expect_ok(eio_fork(&sw, take_turns, &l.over));
	start_feeding(&sw, &l, MUCH);
	before_fill = expect_others_had_theirs;
	start_copy(&sw, &l);
	take(&l, MUCH);
	before_fill = NULL;
	ck_assert_uint_gt(splices, 10);
	line_end(&l);
	return eio_switch_end(&sw, 0);
}

/* What a stream needs and cannot have */

static void stream_without(bool tcp)
{
	struct eio_switch sw;
	struct line l;

	eio_switch_begin(&sw);
	line_begin(&sw, &l, tcp);
	start_feeding(&sw, &l, MUCH);
	start_copy(&sw, &l);
	take(&l, MUCH);
	line_end(&l);
	expect_ok(eio_switch_end(&sw, 0));
}

RING_TEST(a_stream_goes_through_memory_when_there_is_no_pipe)
{
	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		refuse_pipe = EMFILE;
		stream_without(tcp);
		ck_assert_uint_gt(pipes, 1);
		ck_assert_uint_eq(splices, 0);
		refuse_pipe = 0;

		no_large_pipes = true;
		stream_without(tcp);
		ck_assert_uint_gt(pipes, 1);
		ck_assert_uint_eq(splices, 0);
		no_large_pipes = false;
	}
	return 0;
}

RING_TEST(a_kernel_that_does_not_splice_is_asked_once)
{
	(void) arg;
	refuse_splice = EINVAL;
	stream_without(true);
	ck_assert_uint_eq(splices, 1);
	refuse_splice = 0;
	return 0;
}

RING_TEST(without_memory_a_stream_goes_through_what_there_is)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	if (SANITIZED)
		return 0;
	eio_switch_begin(&sw);
	line_begin(&sw, &l, true);
	start_feeding(&sw, &l, 200000);
	use_memory_up(16 * 1024);
	start_copy(&sw, &l);
	take(&l, 200000);
	give_memory_back();
	ck_assert_uint_eq(splices, 0);
	line_end(&l);
	return eio_switch_end(&sw, 0);
}

static int stream_with_signal(void *arg)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	stream_without(true);
	ck_assert_uint_eq(pipes, 0);
	eio_switch_begin(&sw);
	line_begin(&sw, &l, false);
	expect_ok(eio_flow_close(l.server));
	start_feeding(&sw, &l, LARGE + 1);
	start_copy(&sw, &l);
	wait_until(l.over);
	expect_err(l.rc, -EPIPE);
	return eio_switch_end(&sw, 0);
}

/* splice would raise it. */
START_TEST(where_SIGPIPE_is_the_programs_a_stream_goes_through_memory)
{
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_KEEP_SIGPIPE}, stream_with_signal, 0);
}
END_TEST

static int stream_restricted(void *arg)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	stream_without(true);
	ck_assert_uint_eq(pipes, 0);
	/* A send has to be refused as an entry is, though the kernel would let the call be. */
	eio_switch_begin(&sw);
	line_begin(&sw, &l, true);
	ck_assert_int_eq(write(flow_number(l.client), "abc", 3), 3);
	expect_ok(eio_flow_copy_n(l.source, l.sink, 3, NULL, NULL, NULL));
	ck_assert(!(fcntl(flow_number(l.source), F_GETFL) & O_NONBLOCK));
	return eio_switch_end(&sw, 0);
}

static int send_restricted(void *arg)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	eio_switch_begin(&sw);
	line_begin(&sw, &l, true);
	ck_assert_int_eq(write(flow_number(l.client), "abc", 3), 3);
	expect_err(eio_flow_copy(l.source, l.sink, &l.n), -EACCES);
	ck_assert_uint_eq(l.n, 0);
	return eio_switch_end(&sw, 0);
}

/* A file, by sendfile(2) otherwise. */
static int send_file_restricted(void *arg)
{
	struct eio_flow a, b;
	struct eio_switch sw;
	struct eio_fd fd;
	int file = memfd_create("file", MFD_CLOEXEC);

	(void) arg;
	ck_assert_int_eq(pwrite(file, "abc", 3, 0), 3);
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, file, EIO_FD_CLOSE, &fd));
	expect_ok(eio_net_socketpair(&sw, &a, &b));
	expect_err(eio_flow_copy(eio_flow_of_fd(fd), a, NULL), -EACCES);
	return eio_switch_end(&sw, 0);
}

START_TEST(a_restricted_ring_is_not_bypassed)
{
	static const uint8_t ops[] = {IORING_OP_CONNECT, IORING_OP_ACCEPT, IORING_OP_RECV,
				      IORING_OP_SEND};
	struct eio_config config = {.flags = EIO_RUN_RESTRICT, .allowed_ops = ops};

	config.n_allowed_ops = 4;
	run_ring_with(&config, stream_restricted, 0);
	config.n_allowed_ops = 3;
	run_ring_with(&config, send_restricted, 0);
	run_ring_with(&config, send_file_restricted, 0);
}
END_TEST

/* Their flags may be shared with other processes. */
RING_TEST(sockets_from_outside_are_copied_and_their_flags_left_alone)
{
	(void) arg;
	for (int i = 1; i < 4; i++) {
		struct eio_switch sw;
		struct line l;
		int source, sink;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, true);
		if (i & 1)
			flow_pair(&sw, &l.client, &l.source);
		if (i & 2)
			flow_pair(&sw, &l.sink, &l.server);
		source = fcntl(flow_number(l.source), F_GETFL);
		sink = fcntl(flow_number(l.sink), F_GETFL);
		start_feeding(&sw, &l, MUCH);
		start_copy(&sw, &l);
		take(&l, MUCH);
		ck_assert_uint_eq(splices, 0);
		ck_assert_int_eq(fcntl(flow_number(l.source), F_GETFL), source);
		ck_assert_int_eq(fcntl(flow_number(l.sink), F_GETFL), sink);
		line_end(&l);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Ends before the end */

RING_TEST(limited_copies_take_no_byte_more)
{
	static const uint64_t limits[] = {1,     SHORT - 1, SHORT, SHORT + 1, LARGE,
					  PIECE, PIECE + 1, PIPE,  PIPE + 1,  300001};

	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct eio_switch sw;
		struct line l;
		uint64_t total = 0;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, tcp);
		start_feeding(&sw, &l, MUCH);
		for (size_t i = 0; total < MUCH; i++) {
			l.max = limits[i % COUNT(limits)];
			if (l.max > MUCH - total)
				l.max = MUCH - total;
			start_copy(&sw, &l);
			take(&l, l.max);
			wait_until(l.over);
			expect_ok(l.rc);
			ck_assert_uint_eq(l.n, l.max);
			total += l.n;
		}
		expect_ok(eio_flow_shutdown(l.client, EIO_SHUT_SEND));
		ck_assert_uint_gt(splices, 0);
		expect_ok(eio_flow_copy(l.source, l.sink, &total));
		ck_assert_uint_eq(total, 0);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static void make_small(struct eio_flow from, struct eio_flow to)
{
	int size = 20000;

	setsockopt(flow_number(from), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(flow_number(to), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* In the middle of a message, of a stream, and in the piece a stream begins with. */
RING_TEST(a_copy_that_is_told_to_stop_goes_on_where_it_was)
{
	static const size_t places[] = {1, 5, 1000, PIECE - 1, PIECE + 1, PIECE + PIPE, 1000000};

	(void) arg;
	for (size_t i = 0; i < 2 * COUNT(places); i++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		make_small(l.sink, l.server);
		l.stop_at = places[i / 2];
		start_feeding(&sw, &l, MUCH);
		start_copy(&sw, &l);
		/* What was taken from the source is sent on. */
		while (!l.over) {
			struct pollfd in = {.fd = flow_number(l.server), .events = POLLIN};

			if (poll(&in, 1, 0) == 1)
				take(&l, (size_t) readable_bytes(in.fd));
			trips(1);
		}
		expect_err(l.rc, -ETIME);
		ck_assert_uint_ge(l.n, places[i / 2]);
		ck_assert_uint_lt(l.n, places[i / 2] + PIPE);
		take(&l, l.n - l.taken);
		start_copy(&sw, &l);
		take(&l, MUCH - l.taken);
		l.fed -= l.taken - l.told; /* what this copy is to count */
		expect_ok(eio_flow_shutdown(l.client, EIO_SHUT_SEND));
		wait_until(l.over);
		expect_ok(l.rc);
		ck_assert_uint_eq(l.n, l.fed);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_copy_cancelled_while_it_waits_for_bytes_loses_none)
{
	(void) arg;
	for (int i = 0; i < 2 * MOODS; i++) {
		struct eio_switch sw;
		struct line l;
		size_t before;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		put_into(&sw, &l, i / 2);
		before = l.fed;
		expect_ok(eio_cancel_raise(&l.ctx, -EINTR));
		send_message(&l, 10);
		wait_until(l.over);
		expect_err(l.rc, -ECANCELED);
		/* They were taken in the same moment, or not at all. */
		ck_assert(l.n == before || l.n == before + 10);
		ck_assert_uint_eq(l.n + (unsigned) readable_bytes(flow_number(l.source)), l.fed);
		take(&l, l.n - before);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static bool is_full(struct eio_flow f)
{
	struct pollfd p = {.fd = flow_number(f), .events = POLLOUT};

	return poll(&p, 1, 0) == 0;
}

/* A copy that nobody takes bytes from. For a message the sink has no room to begin with: how
 * many bytes come before it. */
static size_t get_stuck(struct eio_switch *sw, struct line *l, bool tcp, bool stream)
{
	size_t before = 0;

	line_begin(sw, l, tcp);
	make_small(l->sink, l->server);
	if (stream) {
		start_feeding(sw, l, MUCH);
		start_copy(sw, l);
		/* The first piece does not go through the pipe. */
		while (splices < 2) {
			take(l, 1000);
			trips(2);
		}
		wait_until(is_full(l->sink));
	} else {
		before = write_until_full(flow_number(l->sink));
		start_copy(sw, l);
		send_message(l, 1000);
		wait_until(readable_bytes(flow_number(l->source)) == 0);
	}
	trips(5);
	ck_assert(!l->over);
	return before;
}

RING_TEST(a_copy_cancelled_while_it_waits_for_room_says_what_arrives)
{
	(void) arg;
	for (int i = 0; i < 4; i++) {
		struct eio_switch sw;
		struct line l;
		unsigned fds = count_fds();
		size_t before;

		eio_switch_begin(&sw);
		before = get_stuck(&sw, &l, i % 2, i / 2);
		expect_ok(eio_cancel_raise(&l.ctx, -EINTR));
		wait_until(l.over);
		expect_err(l.rc, -ECANCELED);
		expect_ok(eio_flow_close(l.sink));
		read_off(flow_number(l.server), before);
		take_rest(&l);
		ck_assert_uint_eq(l.taken, l.n);
		expect_ok(eio_flow_close(l.source));
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(count_fds(), fds);
	}
	return 0;
}

static void reset_by(struct eio_flow f)
{
	struct linger at_once = {.l_onoff = 1};

	ck_assert_int_eq(
		setsockopt(flow_number(f), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	expect_ok(eio_flow_close(f));
}

RING_TEST(a_reset_source_fails_after_what_came_before)
{
	(void) arg;
	for (int mood = 0; mood < MOODS; mood++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, true);
		put_into(&sw, &l, mood);
		reset_by(l.client);
		wait_until(l.over);
		expect_err(l.rc, -ECONNRESET);
		ck_assert_uint_eq(l.n, l.fed);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* The receive that is to see what is behind them finds the reset, and the socket tells of
 * that only once. */
RING_TEST(a_reset_right_behind_a_full_short_piece_is_not_forgotten)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	eio_switch_begin(&sw);
	line_begin(&sw, &l, true);
	send_message(&l, SHORT);
	wait_until(readable_bytes(flow_number(l.source)) == SHORT);
	reset_by(l.client);
	trips(3);
	expect_err(eio_flow_copy(l.source, l.sink, &l.n), -ECONNRESET);
	ck_assert_uint_eq(l.n, SHORT);
	take(&l, SHORT);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_server_that_is_gone_ends_the_copy)
{
	(void) arg;
	for (int i = 0; i < 4; i++) {
		struct eio_switch sw;
		struct line l;

		/* While the copy waits for room … */
		eio_switch_begin(&sw);
		(void) get_stuck(&sw, &l, i % 2, i / 2);
		if (i % 2)
			reset_by(l.server);
		else
			expect_ok(eio_flow_close(l.server));
		wait_until(l.over);
		ck_assert_msg(l.rc == -EPIPE || l.rc == -ECONNRESET, "%s", eio_err_name(l.rc));
		expect_ok(eio_flow_close(l.source));
		expect_ok(eio_switch_end(&sw, 0));

		/* … and while it waits for bytes: TCP tells with one of the next. */
		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		put_into(&sw, &l, i / 2 ? STREAM : LONGS);
		expect_ok(eio_flow_close(l.server));
		for (int k = 0; k < 1000 && !l.over; k++) {
			send_message(&l, 100);
			trips(2);
		}
		ck_assert_msg(l.rc == -EPIPE || l.rc == -ECONNRESET, "%s", eio_err_name(l.rc));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* The socket tells of it once, and of a broken pipe from then on. */
RING_TEST(a_server_that_reset_is_told_from_one_that_went)
{
	(void) arg;
	for (int mood = 0; mood < MOODS; mood++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, true);
		put_into(&sw, &l, mood);
		reset_by(l.server);
		wait_until(poll(&(struct pollfd){.fd = flow_number(l.sink)}, 1, 0) == 1);
		send_message(&l, 100);
		wait_until(l.over);
		expect_err(l.rc, -ECONNRESET);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_wake_up_for_nothing_is_no_end)
{
	(void) arg;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, tcp);
		put_into(&sw, &l, LONGS);
		refuse_recvs = 1;
		pass_message(&l, 1000);
		ck_assert_uint_eq(refuse_recvs, 0);
		line_end(&l);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

static struct eio_flow to_close;

static void close_it(int fd)
{
	(void) fd;
	(void) eio_flow_close(to_close);
}

RING_TEST(a_handle_closed_in_the_middle_gives_EBADF)
{
	(void) arg;
	for (int i = 0; i < 4; i++) {
		struct eio_switch sw;
		struct line l;

		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		start_feeding(&sw, &l, MUCH);
		to_close = i / 2 ? l.source : l.sink;
		before_fill = close_it;
		start_copy(&sw, &l);
		wait_until(l.over);
		before_fill = NULL;
		expect_err(l.rc, -EBADF);
		ck_assert_uint_ge(l.n, LARGE);
		(void) eio_flow_close(l.source);
		expect_ok(eio_switch_end(&sw, 0));

		eio_switch_begin(&sw);
		line_begin(&sw, &l, i % 2);
		start_copy(&sw, &l);
		pass_message(&l, i / 2 ? 10 : 1000);
		expect_ok(eio_flow_close(l.sink));
		send_message(&l, 10);
		wait_until(l.over);
		expect_err(l.rc, -EBADF);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

RING_TEST(a_failing_splice_is_the_copys_failure)
{
	struct eio_switch sw;
	struct line l;

	(void) arg;
	eio_switch_begin(&sw);
	line_begin(&sw, &l, true);
	start_feeding(&sw, &l, MUCH);
	refuse_splice = EOPNOTSUPP;
	start_copy(&sw, &l);
	wait_until(l.over);
	refuse_splice = 0;
	/* The other code would have the common loop go on. */
	expect_err(l.rc, -EIO);
	ck_assert_uint_ge(l.n, LARGE);
	take(&l, l.n);
	expect_ok(eio_flow_close(l.source));
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("copy_socket", true, what_arrives_is_what_was_sent_whatever_its_length_test,
	   nothing_is_missing_though_receives_are_short_and_interrupted,
	   both_directions_stream_at_once_and_end_one_by_one_test,
	   messages_go_through_memory_and_streams_through_a_pipe_test,
	   a_copy_that_waits_for_bytes_holds_no_descriptor_test,
	   other_fibers_have_their_turn_between_two_pieces_of_a_stream_test,
	   a_stream_goes_through_memory_when_there_is_no_pipe_test,
	   a_kernel_that_does_not_splice_is_asked_once_test,
	   without_memory_a_stream_goes_through_what_there_is_test,
	   where_SIGPIPE_is_the_programs_a_stream_goes_through_memory,
	   a_restricted_ring_is_not_bypassed,
	   sockets_from_outside_are_copied_and_their_flags_left_alone_test,
	   limited_copies_take_no_byte_more_test,
	   a_copy_that_is_told_to_stop_goes_on_where_it_was_test,
	   a_copy_cancelled_while_it_waits_for_bytes_loses_none_test,
	   a_copy_cancelled_while_it_waits_for_room_says_what_arrives_test,
	   a_reset_source_fails_after_what_came_before_test,
	   a_reset_right_behind_a_full_short_piece_is_not_forgotten_test,
	   a_server_that_is_gone_ends_the_copy_test, a_wake_up_for_nothing_is_no_end_test,
	   a_server_that_reset_is_told_from_one_that_went_test,
	   a_handle_closed_in_the_middle_gives_EBADF_test,
	   a_failing_splice_is_the_copys_failure_test)
