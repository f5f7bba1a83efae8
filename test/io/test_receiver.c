/* SPDX-License-Identifier: ISC */
/*
 * Receivers, and what sockets lend: in a domain of few fibers, where each read is a receive,
 * and as if it had many, where one operation goes on.
 */
#include "core/fiber.h"
#include "faults.h"
#include "io/flow.h"
#include "io/script.h"
#include "uring/buffers.h"

#include <eio/mock.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct faults faults;
static bool many;

/* The domain takes itself for one of many fibers, or not any more. */
static void take_for_many(bool on)
{
	if (on && many)
		eio__domain_self()->fibers += EIO__MANY_FIBERS;
	else if (many)
		eio__domain_self()->fibers -= EIO__MANY_FIBERS;
}

#define BOTH_TEST(name)                                                                            \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		faults_install(&faults);                                                           \
		for (int i = 0; i < 2; i++) {                                                      \
			faults = (struct faults){.seed = 1};                                       \
			many = i;                                                                  \
			run_ring(name, 0);                                                         \
		}                                                                                  \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

static struct eio__buffers *common(void)
{
	return eio__buffers_of(eio_ll_buffers_common());
}

/* A connection, its receiver, and how far both sides are. */
struct line {
	struct eio_switch sw;
	struct eio_flow sock, peer, f;
	struct eio_receiver r;
	size_t sent, seen;
};

static void open_line(struct line *l)
{
	memset(l, 0, sizeof(*l));
	eio_switch_begin(&l->sw);
	flow_tcp(&l->sw, &l->sock, &l->peer);
	l->f = eio_receiver_begin(&l->r, l->sock);
	ck_assert_ptr_ne(l->f.ops, l->sock.ops);
	take_for_many(true);
}

/* Nothing of it is left in the domain's buffers. */
static int close_line(struct line *l)
{
	take_for_many(false);
	eio_receiver_end(&l->r);
	ck_assert_uint_eq(common()->held, 0);
	ck_assert_uint_eq(common()->users, 0);
	return eio_switch_end(&l->sw, 0);
}

static void say(struct line *l, size_t n)
{
	static char data[65536];

	fill(data, n, l->sent);
	ck_assert_int_eq(write(flow_number(l->peer), data, n), (ssize_t) n);
	l->sent += n;
}

static void saw(struct line *l, const void *data, ssize_t n)
{
	ck_assert_int_gt(n, 0);
	ck_assert_msg(is_filled(data, (size_t) n, l->seen), "bytes from %zu on are others",
		      l->seen);
	l->seen += (size_t) n;
}

static ssize_t read_some(struct line *l, size_t max)
{
	static char buf[65536];
	ssize_t n = eio_flow_read(l->f, buf, max);

	saw(l, buf, n);
	return n;
}

static struct eio_view borrow(struct line *l, size_t max)
{
	struct eio_view view;
	ssize_t n = eio_flow_read_borrow(l->f, max, &view);

	saw(l, view.data, n);
	ck_assert_uint_eq(view.len, (size_t) n);
	ck_assert_uint_le(view.len, max);
	return view;
}

static void expect_end(struct line *l)
{
	struct eio_view view;
	char c;

	ck_assert_uint_eq(l->seen, l->sent);
	expect_ok(eio_flow_shutdown(l->peer, EIO_SHUT_SEND));
	for (int i = 0; i < 2; i++) {
		expect_ok((int) eio_flow_read(l->f, &c, 1));
		expect_ok((int) eio_flow_read_borrow(l->f, 1, &view));
		ck_assert(!view.release);
	}
}

/* Any use: what is read is what was sent, whatever the pieces and however it is read. */
static void use_at_random(struct line *l, uint64_t seed)
{
	struct eio_view old = {0};

	for (int i = 0; i < 400; i++) {
		size_t n = 1 + (size_t) (faults_random(&seed) % 300), max;

		if (i % 50 > 44)
			n = 30000;
		say(l, n);
		trips((unsigned) (faults_random(&seed) % 3));
		while (l->sent - l->seen > (i % 4 ? 200 : 0)) {
			max = 1 + (size_t) (faults_random(&seed) % (i % 8 ? 500 : 40000));
			if (faults_random(&seed) % 2) {
				read_some(l, max);
			} else {
				struct eio_view view = borrow(l, max);
				size_t used = (size_t) (faults_random(&seed) % (view.len + 1));

				if (faults_random(&seed) % 2) {
					/* One that is held longer goes back whole. */
					eio_view_release(&old);
					old = view;
				} else {
					l->seen -= view.len - used;
					ck_assert(eio_view_release_part(&view, used));
				}
			}
		}
	}
	while (l->seen < l->sent)
		read_some(l, 65536);
	eio_view_release(&old);
}

BOTH_TEST(bytes_come_in_order_however_they_are_read)
{
	struct line l;

	(void) arg;
	for (uint64_t seed = 1; seed < 4; seed++) {
		open_line(&l);
		use_at_random(&l, seed);
		expect_end(&l);
		expect_ok(close_line(&l));
	}
	return 0;
}

BOTH_TEST(bytes_come_in_order_while_the_number_of_fibers_changes)
{
	uint64_t seed = 5;
	struct line l;

	(void) arg;
	open_line(&l);
	for (int i = 0; i < 100; i++) {
		take_for_many(i % 2);
		say(&l, 1 + (size_t) (faults_random(&seed) % 300));
		trips(i % 3);
		while (l.seen < l.sent)
			read_some(&l, 100);
		take_for_many(!(i % 2));
	}
	expect_end(&l);
	return close_line(&l);
}

static int use_under_faults(void *arg)
{
	struct line l;

	(void) arg;
	open_line(&l);
	use_at_random(&l, faults.seed + 1);
	expect_end(&l);
	return close_line(&l);
}

START_TEST(bytes_are_intact_whatever_fails)
{
	unsigned refused = 0, shortened = 0;

	faults_install(&faults);
	for (unsigned n = 0; n < (SANITIZED ? 4 : 12); n++) {
		many = n % 2;
		faults = (struct faults){
			.seed = n,
			.eintr = 32,
			.ebusy = 32,
			.eintr_after = 32,
			.reorder = 256,
			.deaf = 64,
			.shorten = 64,
			.transient = 32,
		};
		run_ring_with(&(struct eio_config){.queue_depth = n % 3 ? 256 : 2},
			      use_under_faults, 0);
		refused += faults.refused;
		shortened += faults.shortened;
	}
	ck_assert_uint_gt(refused, 20);
	ck_assert_uint_gt(shortened, 20);
}
END_TEST

/* Operations */

static unsigned receives(void)
{
	return faults.entries[IORING_OP_RECV];
}

BOTH_TEST(with_many_fibers_one_operation_receives_message_after_message)
{
	struct line l;
	unsigned before;

	(void) arg;
	open_line(&l);
	before = receives();
	for (int i = 0; i < 20; i++) {
		say(&l, 100);
		read_some(&l, 100);
		say(&l, 100);
		trips(2);
		if (many)
			ck_assert_int_eq(readable_bytes(flow_number(l.sock)), 0);
		read_some(&l, 100);
	}
	ck_assert_uint_eq(receives() - before, many ? 1 : 40);
	return close_line(&l);
}

/* Two full pieces, and it is asked for the next ones one by one; after many small ones it goes
 * on by itself again. */
BOTH_TEST(large_messages_are_received_into_the_readers_memory)
{
	struct line l;
	unsigned before;

	(void) arg;
	open_line(&l);
	say(&l, 4 * EIO_LL_COMMON_SIZE);
	while (l.seen < l.sent)
		read_some(&l, 65536);
	say(&l, 60000);
	trips(4);
	ck_assert_int_eq(readable_bytes(flow_number(l.sock)), 60000);
	ck_assert_uint_eq(common()->held, 0);
	ck_assert_int_gt(read_some(&l, 65536), EIO_LL_COMMON_SIZE);
	while (l.seen < l.sent)
		read_some(&l, 65536);

	for (int i = 0; i < 18; i++) {
		say(&l, 100);
		read_some(&l, 65536);
	}
	before = receives();
	for (int i = 0; i < 10; i++) {
		say(&l, 100);
		read_some(&l, 65536);
	}
	ck_assert_uint_eq(receives() - before, many ? 0 : 10);
	expect_end(&l);
	return close_line(&l);
}

/* It becomes direct when pieces are left to be read. */
BOTH_TEST(what_arrived_before_it_was_paused_is_read_first)
{
	struct line l;

	(void) arg;
	open_line(&l);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 6; i++) {
			say(&l, EIO_LL_COMMON_SIZE);
			trips(2);
		}
		while (l.seen < l.sent)
			read_some(&l, 5000);
	}
	expect_end(&l);
	return close_line(&l);
}

/* Loans */

BOTH_TEST(of_the_last_loan_the_rest_is_read_again)
{
	struct eio_view a, b;
	struct line l;

	(void) arg;
	open_line(&l);
	say(&l, 100);
	a = borrow(&l, 60); /* a part of what has come */
	ck_assert_uint_eq(a.len, 60);
	l.seen = 20;
	ck_assert(eio_view_release_part(&a, 20));
	ck_assert(!a.release);
	a = borrow(&l, 1000); /* with what was behind it */
	ck_assert_uint_eq(a.len, 80);
	say(&l, 10);
	read_some(&l, 1000);
	ck_assert(!eio_view_release_part(&a, 79)); /* it is not the last any more */

	say(&l, 10);
	a = borrow(&l, 1000);
	say(&l, 10);
	b = borrow(&l, 1000);
	ck_assert(!eio_view_release_part(&a, 5));
	l.seen -= 10;
	ck_assert(eio_view_release_part(&b, 0));
	read_some(&l, 3);
	b = borrow(&l, 1000);
	eio_view_release(&b);
	ck_assert_uint_eq(common()->held, 0);
	expect_end(&l);
	return close_line(&l);
}

BOTH_TEST(loans_go_back_in_any_order)
{
	struct eio_view views[6];
	struct line l;

	(void) arg;
	open_line(&l);
	for (int order = 0; order < 2; order++) {
		for (int i = 0; i < 6; i++) {
			say(&l, 30);
			views[i] = borrow(&l, i % 2 ? 30 : 10);
		}
		for (int i = 0; i < 6; i++)
			eio_view_release(&views[order ? i : 5 - i]);
		while (l.seen < l.sent)
			read_some(&l, 1000);
		ck_assert_uint_eq(common()->held, 0);
	}
	return close_line(&l);
}

/* Others hold every buffer of the domain's. */

struct hoard {
	struct eio_flow a, b;
	struct eio_view views[EIO_LL_COMMON_COUNT];
};

static void hoard_buffers(struct eio_switch *sw, struct hoard *h)
{
	flow_pair(sw, &h->a, &h->b);
	for (unsigned i = 0; i < COUNT(h->views); i++) {
		ck_assert_int_eq(write(flow_number(h->b), "x", 1), 1);
		expect_err((int) eio_flow_read_borrow(h->a, 1, &h->views[i]), 1);
	}
}

static void give_buffers_back(struct hoard *h)
{
	for (unsigned i = 0; i < COUNT(h->views); i++)
		eio_view_release(&h->views[i]);
}

BOTH_TEST(nobody_waits_for_buffers_that_others_hold)
{
	struct hoard h;
	struct eio_view a, b;
	struct line l;

	(void) arg;
	open_line(&l);
	hoard_buffers(&l.sw, &h);
	for (int round = 0; round < 2; round++) {
		say(&l, 100);
		read_some(&l, 60);
		read_some(&l, 60);
		say(&l, 100);
		a = borrow(&l, 30);
		b = borrow(&l, 1000);
		ck_assert_uint_eq(b.len, 70);
		l.seen -= 20;
		ck_assert(eio_view_release_part(&b, 50));
		eio_view_release(&a);
		read_some(&l, 10);
		b = borrow(&l, 5);
		l.seen -= 5;
		ck_assert(eio_view_release_part(&b, 0));
		read_some(&l, 100);
		if (round == 0)
			give_buffers_back(&h);
	}
	expect_end(&l);
	return close_line(&l);
}

/* The end of the stream, and failures, are told without a buffer, too. */
BOTH_TEST(the_end_needs_no_buffer)
{
	struct hoard h;
	struct line l;

	(void) arg;
	open_line(&l);
	hoard_buffers(&l.sw, &h);
	say(&l, 10);
	read_some(&l, 100);
	expect_end(&l);
	give_buffers_back(&h);
	return close_line(&l);
}

/* With few fibers: in a block that is had when something has come, until one is small again. */
BOTH_TEST(after_a_large_message_the_next_loan_is_of_the_heap)
{
	static const unsigned held[][4] = {{1, 1, 1, 2}, {1, 2, 3, 4}};
	struct eio_view views[4];
	struct line l;

	(void) arg;
	open_line(&l);
	for (int i = 0; i < 4; i++) {
		say(&l, i < 2 ? 5000 : 100);
		views[i] = borrow(&l, 65536);
		ck_assert_uint_eq(common()->held, held[many][i]);
	}
	for (int i = 0; i < 4; i++)
		eio_view_release(&views[i]);
	expect_end(&l);
	return close_line(&l);
}

BOTH_TEST(a_lack_of_memory_for_a_loan_loses_nothing)
{
	struct eio_view view;
	struct hoard h;
	struct line l;
	ssize_t n;

	(void) arg;
	open_line(&l);
	hoard_buffers(&l.sw, &h);
	say(&l, 100);
	if (!SANITIZED) {
		use_memory_up(4096);
		n = eio_flow_read_borrow(l.f, 100, &view);
		give_memory_back();
		expect_err((int) n, -ENOMEM);
	}
	view = borrow(&l, 100);
	eio_view_release(&view);
	give_buffers_back(&h);
	expect_end(&l);
	return close_line(&l);
}

/* Ends */

BOTH_TEST(the_end_drops_what_was_not_read)
{
	struct line l;

	(void) arg;
	for (int i = 0; i < 4; i++) {
		open_line(&l);
		say(&l, 1000);
		if (i > 0)
			read_some(&l, 10);
		say(&l, 20000);
		trips((unsigned) i);
		expect_ok(close_line(&l));
	}
	return 0;
}

BOTH_TEST(a_close_is_seen_by_the_peer_at_once)
{
	struct line l;
	char c;

	(void) arg;
	open_line(&l);
	say(&l, 100);
	read_some(&l, 100);
	trips(2);
	expect_ok(eio_flow_close(l.f));
	expect_err((int) eio_flow_read(l.peer, &c, 1), 0);
	expect_err((int) eio_flow_read(l.f, &c, 1), -EBADF);
	expect_err((int) eio_flow_read_borrow(l.f, 1, &(struct eio_view){0}), -EBADF);
	expect_err(eio_flow_close(l.f), -EBADF);
	expect_err(eio_flow_close(l.sock), -EBADF);
	return close_line(&l);
}

/* Another fiber reads while this one goes on. */
struct reading {
	struct line *l;
	bool borrows;
	ssize_t n;
	bool over;
};

static int read_aside(void *arg)
{
	struct reading *g = arg;
	struct eio_view view = {0};
	char buf[1000];

	if (g->borrows)
		g->n = eio_flow_read_borrow(g->l->f, sizeof(buf), &view);
	else
		g->n = eio_flow_read(g->l->f, buf, sizeof(buf));
	g->over = true;
	if (g->n > 0)
		saw(g->l, g->borrows ? view.data : buf, g->n);
	eio_view_release(&view);
	return g->n < 0 ? (int) g->n : 0;
}

BOTH_TEST(a_close_does_not_disturb_who_is_reading)
{
	struct line l;
	struct reading g = {.l = &l};
	char c;

	(void) arg;
	open_line(&l);
	expect_ok(eio_fork(&l.sw, read_aside, &g));
	trips(2);
	expect_ok(eio_flow_close(l.f));
	ck_assert(!g.over);
	say(&l, 100);
	wait_until(g.over);
	ck_assert_int_eq(g.n, 100);
	say(&l, 100);
	expect_err((int) eio_flow_read(l.f, &c, 1), -EBADF);
	expect_err((int) eio_flow_read_borrow(l.f, 1, &(struct eio_view){0}), -EBADF);
	return close_line(&l);
}

BOTH_TEST(what_is_given_back_in_part_during_a_read_is_no_longer_the_last)
{
	struct line l;

	(void) arg;
	open_line(&l);
	for (int i = 0; i < 2; i++) {
		struct reading g = {.l = &l, .borrows = i};
		struct eio_view view;

		say(&l, 100);
		view = borrow(&l, 1000);
		expect_ok(eio_fork(&l.sw, read_aside, &g));
		trips(2);
		ck_assert(!eio_view_release_part(&view, 50));
		say(&l, 100);
		wait_until(g.over);
		ck_assert_int_eq(g.n, 100);
		ck_assert_uint_eq(common()->held, 0);
	}
	expect_end(&l);
	return close_line(&l);
}

BOTH_TEST(a_read_that_brings_nothing_leaves_the_last_loan_the_last)
{
	struct line l;

	(void) arg;
	open_line(&l);
	for (int i = 0; i < 2; i++) {
		struct reading g = {.l = &l, .borrows = i};
		struct eio_view view;

		say(&l, 100);
		view = borrow(&l, 1000);
		expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), read_aside, &g), -ETIMEDOUT);
		expect_err((int) g.n, -ECANCELED);
		l.seen -= 50;
		ck_assert(eio_view_release_part(&view, 50));
		read_some(&l, 1000);
	}
	expect_end(&l);
	return close_line(&l);
}

BOTH_TEST(failures_of_the_socket_are_told)
{
	struct linger hard = {.l_onoff = 1};
	struct line l;
	char c;

	(void) arg;
	open_line(&l);
	setsockopt(flow_number(l.peer), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	expect_ok(eio_flow_close(l.peer));
	expect_err((int) eio_flow_read(l.f, &c, 1), -ECONNRESET);
	expect_ok((int) eio_flow_read(l.f, &c, 1));
	return close_line(&l);
}

/* What it is a flow for */

BOTH_TEST(everything_but_reading_goes_to_the_socket)
{
	struct eio_string_source text;
	struct eio_addr a, b;
	struct line l;
	char got[32];

	(void) arg;
	open_line(&l);
	ck_assert_int_eq(flow_number(l.f), flow_number(l.sock));
	expect_ok(eio_net_peer_addr(l.f, &a));
	expect_ok(eio_net_peer_addr(l.sock, &b));
	ck_assert(eio_addr_equal(&a, &b));
	expect_ok(eio_flow_write(l.f, "abc", 3));
	expect_ok(eio_flow_copy(eio_string_source_init(&text, "defg", 4), l.f, NULL));
	expect_ok(eio_flow_shutdown(l.f, EIO_SHUT_SEND));
	expect_ok(eio_flow_read_exact(l.peer, got, 7));
	ck_assert_mem_eq(got, "abcdefg", 7);
	expect_ok((int) eio_flow_read(l.peer, got, 1));
	say(&l, 50); /* the other direction goes on */
	read_some(&l, 100);
	return close_line(&l);
}

DIR_TEST(a_file_is_copied_to_the_socket_below)
{
	struct eio_flow file;
	struct line l;
	char *got = malloc(50000);
	uint64_t n;

	(void) arg;
	many = true;
	put_file("file", 50000);
	open_line(&l);
	expect_ok(eio_fs_open_in(env->cwd, &l.sw, "file", &file));
	expect_ok(eio_flow_copy(file, l.f, &n));
	ck_assert_uint_eq(n, 50000);
	expect_ok(eio_flow_read_exact(l.peer, got, 50000));
	ck_assert(is_filled(got, 50000, 0));
	free(got);
	return close_line(&l);
}

RING_TEST(flows_that_are_no_streams_sockets_come_back_as_they_are)
{
	struct eio_buffer_sink sink;
	struct eio_receiver r;
	struct eio_flow flows[4];
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &flows[0], &flows[1]);
	flows[2] = eio_buffer_sink_init(&sink, 0);
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_DGRAM, 0, &fd));
	flows[3] = eio_flow_of_fd(fd);
	for (unsigned i = 0; i < COUNT(flows); i++) {
		struct eio_flow f = eio_receiver_begin(&r, flows[i]);

		ck_assert_ptr_eq(f.ops, flows[i].ops);
		ck_assert_mem_eq(&f.u, &flows[i].u, sizeof(f.u));
		eio_receiver_end(&r);
	}
	forget_opcode(IORING_OP_SOCKET); /* as before 5.19 */
	flow_pair(&sw, &flows[0], &flows[1]);
	ck_assert_ptr_eq(eio_receiver_begin(&r, flows[0]).ops, flows[0].ops);
	eio_receiver_end(&r);
	return eio_switch_end(&sw, 0);
}

static struct line *others;

static int read_elsewhere(struct eio_env *env_there, void *arg)
{
	struct eio_view view;
	char c;

	(void) env_there;
	(void) arg;
	expect_err((int) eio_flow_read(others->f, &c, 1), -EPERM);
	expect_err((int) eio_flow_read_borrow(others->f, 1, &view), -EPERM);
	return 0;
}

static int run_elsewhere(void *arg)
{
	return eio_run(NULL, read_elsewhere, arg);
}

BOTH_TEST(another_domain_cannot_read_it)
{
	struct line l;

	(void) arg;
	open_line(&l);
	others = &l;
	say(&l, 10);
	read_some(&l, 5);
	expect_ok(on_plain_thread(run_elsewhere, NULL));
	if (many)
		read_some(&l, 5);
	return close_line(&l);
}

/* Sockets without a receiver */

RING_TEST(descriptors_are_not_taken_from_what_receives_ahead)
{
	struct eio_receiver r;
	struct eio_flow a, b, f;
	struct eio_switch sw;
	struct eio_fd fd;
	unsigned n;
	char c;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_net_socketpair(&sw, &a, &b));
	f = eio_receiver_begin(&r, a);
	expect_ok(eio_flow_copy_string(b, "x"));
	expect_err(eio_net_recv_fds(f, &sw, &c, 1, &fd, 1, &n), -ENOTSUP);
	expect_err(eio_flow_read(f, &c, 1), 1);
	eio_receiver_end(&r);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_socket_lends_what_it_received)
{
	struct eio_flow f, peer;
	struct eio_view a, b;
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int tcp = 0; tcp < 2; tcp++) {
		(tcp ? flow_tcp : flow_pair)(&sw, &f, &peer);
		expect_ok(eio_flow_copy_string(peer, "abcdef"));
		expect_err((int) eio_flow_read_borrow(f, 2, &a), 2);
		ck_assert_mem_eq(a.data, "ab", 2);
		expect_err((int) eio_flow_read_borrow(f, 1000, &b), 4);
		ck_assert_mem_eq(b.data, "cdef", 4);
		ck_assert_uint_eq(common()->held, 2);
		ck_assert(eio_view_release_part(&a, 2));
		ck_assert(!eio_view_release_part(&b, 3)); /* nobody keeps the rest */
		ck_assert_uint_eq(common()->held, 0);
		expect_ok(eio_flow_shutdown(peer, EIO_SHUT_SEND));
		expect_ok((int) eio_flow_read_borrow(f, 1000, &b));
		expect_ok(eio_flow_close(f));
		expect_err((int) eio_flow_read_borrow(f, 1000, &b), -EBADF);
	}
	return eio_switch_end(&sw, 0);
}

static int borrow_and_tell(void *arg)
{
	struct eio_flow *f = arg;
	struct eio_view view;

	expect_err((int) eio_flow_read_borrow(*f, 100, &view), 3);
	ck_assert_mem_eq(view.data, "abc", 3);
	note("%u held", common()->held);
	ck_assert(eio_view_release_part(&view, 3));
	return 0;
}

static int lack_memory_and_tell(void *arg)
{
	struct eio_flow *f = arg;
	struct eio_view view;

	note("%s", eio_err_name((int) eio_flow_read_borrow(*f, 65536, &view)));
	return 0;
}

/* It is asked for when something has arrived. */
static void lack_memory_when_it_comes(struct eio_flow f, struct eio_flow peer)
{
	struct eio_switch inner;

	if (SANITIZED)
		return;
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, lack_memory_and_tell, &f));
	trips(5);
	use_memory_up(4096);
	ck_assert_int_eq(write(flow_number(peer), "abc", 3), 3);
	trips(3);
	give_memory_back();
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("ENOMEM");
}

/* One who waits holds none of the buffers; one who finds none waits for data all the same. */
RING_TEST(a_socket_lends_other_memory_when_the_buffers_are_out)
{
	struct eio_flow f, peer;
	struct eio_switch sw, inner;
	char all_held[32];
	struct hoard h;

	(void) arg;
	snprintf(all_held, sizeof(all_held), "%d held", EIO_LL_COMMON_COUNT);
	eio_switch_begin(&sw);
	flow_pair(&sw, &f, &peer);
	hoard_buffers(&sw, &h);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, borrow_and_tell, &f));
	trips(5);
	expect_log("");
	expect_ok(eio_flow_copy_string(peer, "abc"));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log(all_held);
	lack_memory_when_it_comes(f, peer);
	if (!SANITIZED)
		expect_ok(borrow_and_tell(&f));
	expect_log(SANITIZED ? "" : all_held);
	give_buffers_back(&h);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, borrow_and_tell, &f));
	trips(5);
	ck_assert_uint_eq(common()->held, 0);
	expect_ok(eio_flow_copy_string(peer, "abc"));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("1 held");
	return eio_switch_end(&sw, 0);
}

SUITE_MAIN("receiver", true, bytes_come_in_order_however_they_are_read_test,
	   bytes_come_in_order_while_the_number_of_fibers_changes_test,
	   bytes_are_intact_whatever_fails,
	   with_many_fibers_one_operation_receives_message_after_message_test,
	   large_messages_are_received_into_the_readers_memory_test,
	   what_arrived_before_it_was_paused_is_read_first_test,
	   of_the_last_loan_the_rest_is_read_again_test, loans_go_back_in_any_order_test,
	   nobody_waits_for_buffers_that_others_hold_test, the_end_needs_no_buffer_test,
	   after_a_large_message_the_next_loan_is_of_the_heap_test,
	   a_lack_of_memory_for_a_loan_loses_nothing_test, the_end_drops_what_was_not_read_test,
	   a_close_is_seen_by_the_peer_at_once_test, a_close_does_not_disturb_who_is_reading_test,
	   what_is_given_back_in_part_during_a_read_is_no_longer_the_last_test,
	   a_read_that_brings_nothing_leaves_the_last_loan_the_last_test,
	   failures_of_the_socket_are_told_test, everything_but_reading_goes_to_the_socket_test,
	   a_file_is_copied_to_the_socket_below_test,
	   flows_that_are_no_streams_sockets_come_back_as_they_are_test,
	   another_domain_cannot_read_it_test,
	   descriptors_are_not_taken_from_what_receives_ahead_test,
	   a_socket_lends_what_it_received_test,
	   a_socket_lends_other_memory_when_the_buffers_are_out_test)
