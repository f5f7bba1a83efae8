/* SPDX-License-Identifier: ISC */
/*
 * Groups of buffers and what is received into them, as the newest kernel does it and as those
 * that lack one thing after another.
 */
#include "core/dump.h"
#include "core/fiber.h"
#include "faults.h"
#include "support.h"
#include "uring/buffers.h"
#include "uring/sched.h"
#include "uring/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct faults faults;

static void turns(int n)
{
	for (; n > 0; n--)
		expect_ok(eio_ll_noop());
}

/* The kernel takes a buffer for each piece; fills it with several; fills several at once; does
 * not repeat; heeds O_NONBLOCK, too; and takes no buffers itself. */
enum kernel { PLAIN, INCREMENTAL, BUNDLES, SINGLE, NONBLOCKING, OLDEST, KERNELS };

static enum kernel kernel;

static bool repeats(void)
{
	return kernel < SINGLE;
}

#define KERNEL_TEST(name)                                                                          \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		faults_install(&faults);                                                           \
		for (kernel = PLAIN; kernel < KERNELS; kernel++) {                                 \
			faults = (struct faults){.seed = 1};                                       \
			run_ring(name, 0);                                                         \
		}                                                                                  \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

static void lack(unsigned opcode)
{
	eio__uring_self()->ring.ops[opcode / 8] &= (uint8_t) ~(1 << opcode % 8);
}

/* A group as the kernel at hand has it; one that should have more has it. */
static void make_group(struct eio_ll_buffers *b, unsigned count, size_t size)
{
	unsigned wish = kernel == INCREMENTAL ? EIO_LL_BUFFERS_INCREMENTAL
			: kernel == BUNDLES   ? EIO_LL_BUFFERS_BUNDLES
					      : 0;

	if (kernel == OLDEST)
		lack(IORING_OP_SOCKET);
	if (kernel >= SINGLE)
		lack(EIO__OP_READ_MULTISHOT);
	expect_ok(eio_ll_buffers_init(b, count, size, wish));
	ck_assert_uint_eq(eio_ll_buffers_flags(b),
			  kernel == OLDEST ? 0 : wish | EIO_LL_BUFFERS_BY_KERNEL);
}

static void begin_recv(struct eio_ll_views *v, struct eio_fd fd, struct eio_ll_buffers *b)
{
	if (kernel == NONBLOCKING)
		fcntl(number(fd), F_SETFL, O_NONBLOCK);
	if (kernel == SINGLE || kernel == NONBLOCKING) {
		faults.refuse.nth = 1;
		faults.refuse.opcode = IORING_OP_RECV;
		faults.refuse.err = -EINVAL;
	}
	expect_ok(eio_ll_views_recv(v, fd, b));
	turns(1);
	if (kernel == NONBLOCKING) {
		faults.refuse.nth = 1;
		faults.refuse.err = -EAGAIN;
	}
}

/* One connection and its group */

struct line {
	struct eio_switch sw;
	struct eio_fd fd, peer;
	struct eio_ll_buffers b;
	struct eio_ll_views v;
	size_t sent, seen;
	bool ended;
};

static void open_line(struct line *l, unsigned count, size_t size)
{
	memset(l, 0, sizeof(*l));
	eio_switch_begin(&l->sw);
	pair_on(&l->sw, &l->fd, &l->peer);
	make_group(&l->b, count, size);
	begin_recv(&l->v, l->fd, &l->b);
}

static int close_line(struct line *l)
{
	expect_ok(eio_ll_views_end(&l->v));
	expect_err(eio_ll_views_end(&l->v), -EINVAL);
	expect_ok(eio_ll_buffers_fini(&l->b));
	expect_err(eio_ll_buffers_fini(&l->b), -EINVAL);
	return eio_switch_end(&l->sw, 0);
}

static void say(struct line *l, size_t n)
{
	char data[4096];

	ck_assert_uint_le(n, sizeof(data));
	fill(data, n, l->sent);
	ck_assert_int_eq(write(number(l->peer), data, n), (ssize_t) n);
	l->sent += n;
}

/* The next piece is where the last one ended. */
static struct eio_ll_view hear(struct line *l)
{
	struct eio_ll_view view;

	expect_err(eio_ll_views_next(&l->v, &view), 1);
	ck_assert_uint_gt(view.len, 0);
	ck_assert_msg(is_filled(view.data, view.len, l->seen), "bytes %zu to %zu are others",
		      l->seen, l->seen + view.len);
	l->seen += view.len;
	return view;
}

static void hear_all(struct line *l)
{
	while (l->seen < l->sent)
		expect_ok(eio_ll_view_return(&l->b, hear(l)));
}

KERNEL_TEST(bytes_come_as_they_were_sent_and_then_the_end)
{
	struct eio_ll_view view;
	uint64_t seed = 3;
	struct line l;

	(void) arg;
	open_line(&l, 8, 100);
	for (int i = 0; i < 300; i++) {
		say(&l, 1 + (size_t) (faults_random(&seed) % 250));
		turns((int) (faults_random(&seed) % 3));
		if (faults_random(&seed) % 3 == 0)
			hear_all(&l);
	}
	hear_all(&l);
	ck_assert_int_eq(shutdown(number(l.peer), SHUT_WR), 0);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_ll_views_next(&l.v, &view));
	ck_assert_uint_eq(faults.refused, kernel == SINGLE ? 1 : kernel == NONBLOCKING ? 2 : 0);
	return close_line(&l);
}

/* The buffers are used as the kernel's kind says. */
KERNEL_TEST(a_piece_has_the_buffers_it_should)
{
	struct eio_ll_view a, z;
	struct line l;

	(void) arg;
	open_line(&l, 4, 100);
	say(&l, 10);
	turns(2);
	say(&l, 10);
	a = hear(&l);
	if (kernel == INCREMENTAL) {
		z = hear(&l);
		ck_assert_uint_eq(a.id, z.id);
		ck_assert_ptr_eq((char *) a.data + 10, z.data);
		expect_ok(eio_ll_view_return(&l.b, z));
	}
	expect_ok(eio_ll_view_return(&l.b, a));
	hear_all(&l);
	if (kernel == BUNDLES) {
		/* What is there already fills as many buffers as it takes. */
		expect_ok(eio_ll_views_end(&l.v));
		say(&l, 250);
		expect_ok(eio_ll_views_recv(&l.v, l.fd, &l.b));
		turns(1);
		expect_err(readable_bytes(number(l.fd)), 0);
		ck_assert_uint_eq((a = hear(&l)).len, 100);
		ck_assert_uint_eq((z = hear(&l)).len, 100);
		ck_assert_uint_ne(a.id, z.id);
		expect_ok(eio_ll_view_return(&l.b, z));
		expect_ok(eio_ll_view_return(&l.b, a));
		hear_all(&l);
	}
	return close_line(&l);
}

static int hear_and_tell(void *arg)
{
	struct line *l = arg;
	struct eio_ll_view view;
	int rc = eio_ll_views_next(&l->v, &view);

	if (rc == 1) {
		ck_assert(is_filled(view.data, view.len, l->seen));
		l->seen += view.len;
		expect_ok(eio_ll_view_return(&l->b, view));
	}
	note("%s", rc < 0 ? eio_err_name(rc) : rc ? "heard" : "end");
	return 0;
}

KERNEL_TEST(a_cancelled_next_loses_nothing)
{
	struct eio_switch inner;
	struct line l;

	(void) arg;
	open_line(&l, 4, 100);
	for (int i = 0; i < 5; i++) {
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, hear_and_tell, &l));
		turns(i);
		eio_switch_fail(&inner, -EIO);
		say(&l, 50);
		expect_err(eio_switch_end(&inner, 0), -EIO);
		expect_log("ECANCELED");
		hear_all(&l);
	}
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, hear_and_tell, &l));
	turns(2);
	say(&l, 1);
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("heard");
	return close_line(&l);
}

/* No buffer left */

static void expect_dumped(const char *format, int unix_fd)
{
	struct eio__text text = {0};
	char want[64];

	snprintf(want, sizeof(want), format, unix_fd);
	eio__dump_domain(&text, eio__domain_self());
	ck_assert_msg(strstr(text.data, want), "%s", text.data);
	eio__text_free(&text);
}

KERNEL_TEST(without_a_buffer_it_waits_until_one_comes_back)
{
	struct eio_ll_view views[64];
	struct eio_switch inner;
	unsigned n = 0;
	struct line l;

	(void) arg;
	open_line(&l, 2, 100);
	say(&l, 1000);
	while (l.seen < 200)
		views[n++] = hear(&l);
	ck_assert_uint_eq(l.seen, 200);
	for (int i = 0; i < 2; i++) {
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, hear_and_tell, &l));
		turns(5);
		expect_log("");
		expect_dumped("recv on fd %d, no buffer left", number(l.fd));
		if (i == 0) { /* it can be cancelled there */
			end_cancelled(&inner);
			expect_log("ECANCELED");
		}
	}
	/* It does not try again and again. */
	if (faults.entries[IORING_OP_RECV] > 8)
		ck_abort_msg("%u", faults.entries[IORING_OP_RECV]);
	expect_ok(eio_ll_view_return(&l.b, views[--n]));
	if (n > 1)
		expect_ok(eio_ll_view_return(&l.b, views[--n]));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("heard");
	while (n)
		expect_ok(eio_ll_view_return(&l.b, views[--n]));
	hear_all(&l);
	return close_line(&l);
}

/* A buffer comes back when the refusal is under way: between its completion and its reaping. */
KERNEL_TEST(a_buffer_that_comes_back_too_late_is_not_missed)
{
	struct eio_ll_view view;
	struct eio_switch inner;
	struct line l;

	(void) arg;
	for (int i = 0; i < 4; i++) {
		open_line(&l, 1, 100);
		say(&l, 200);
		view = hear(&l);
		eio_switch_begin(&inner);
		expect_ok(eio_fork(&inner, hear_and_tell, &l)); /* armed, or starving */
		turns(i);
		expect_ok(eio_ll_view_return(&l.b, view));
		expect_ok(eio_switch_end(&inner, 0));
		if (l.seen < l.sent)
			hear_all(&l);
		log_clear();
		expect_ok(close_line(&l));
	}
	return 0;
}

/* An end while it starves, and while others do. */
KERNEL_TEST(one_that_starves_can_end)
{
	struct eio_ll_view view;
	struct eio_switch inner;
	struct line l;

	(void) arg;
	open_line(&l, 1, 100);
	say(&l, 200);
	view = hear(&l);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, hear_and_tell, &l));
	turns(4);
	end_cancelled(&inner);
	expect_log("ECANCELED");
	expect_ok(eio_ll_views_end(&l.v));
	memset(&l.v, 0xff, sizeof(l.v));
	expect_err(eio_ll_buffers_fini(&l.b), -EBUSY); /* the view is out */
	ck_assert(is_filled(view.data, view.len, 0));
	expect_ok(eio_ll_view_return(&l.b, view));
	expect_ok(eio_ll_buffers_fini(&l.b));
	return eio_switch_end(&l.sw, 0);
}

/* Many share a group. */
enum { LINES = 50, BYTES = 3000 };

struct crowd {
	struct eio_ll_buffers b;
	struct line lines[LINES];
};

static struct crowd crowd;

static int talk(void *arg)
{
	struct line *l = arg;
	uint64_t seed = (uint64_t) (l - crowd.lines);

	while (l->sent < BYTES) {
		size_t n = 1 + (size_t) (faults_random(&seed) % 300);

		say(l, n > BYTES - l->sent ? BYTES - l->sent : n);
		if (faults_random(&seed) % 2)
			turns(1);
	}
	return eio_fd_close(l->peer);
}

static int listen_to_the_end(void *arg)
{
	struct line *l = arg;
	struct eio_ll_view view;
	int rc;

	while ((rc = eio_ll_views_next(&l->v, &view)) == 1) {
		ck_assert(is_filled(view.data, view.len, l->seen));
		l->seen += view.len;
		if (l->seen % 3 == 0) /* others may take the last buffer meanwhile */
			turns(2);
		expect_ok(eio_ll_view_return(&crowd.b, view));
	}
	ck_assert_msg(l->seen == BYTES, "%zu bytes, and then %s", l->seen, eio_err_name(rc));
	return rc;
}

static int share(unsigned buffers)
{
	struct eio_switch sw, inner;

	memset(&crowd, 0, sizeof(crowd));
	eio_switch_begin(&sw);
	make_group(&crowd.b, buffers, 64);
	for (unsigned i = 0; i < LINES; i++) {
		pair_on(&sw, &crowd.lines[i].fd, &crowd.lines[i].peer);
		begin_recv(&crowd.lines[i].v, crowd.lines[i].fd, &crowd.b);
	}
	eio_switch_begin(&inner);
	for (unsigned i = 0; i < LINES; i++) {
		expect_ok(eio_fork(&inner, listen_to_the_end, &crowd.lines[i]));
		expect_ok(eio_fork(&inner, talk, &crowd.lines[i]));
	}
	expect_ok(eio_switch_end(&inner, 0));
	for (unsigned i = 0; i < LINES; i++) {
		expect_err(eio_ll_buffers_fini(&crowd.b), -EBUSY);
		expect_ok(eio_ll_views_end(&crowd.lines[i].v));
	}
	expect_ok(eio_ll_buffers_fini(&crowd.b));
	return eio_switch_end(&sw, 0);
}

KERNEL_TEST(many_share_a_group_and_none_starves)
{
	(void) arg;
	expect_ok(share(256));
	expect_ok(share(4));
	return share(1);
}

/* One that is armed and has no data keeps no buffer from one that has. */
static int idle_beside(bool reads)
{
	struct eio_ll_view view;
	struct eio_switch inner;
	struct line idle, l;

	open_line(&l, 1, 100);
	memset(&idle, 0, sizeof(idle));
	if (reads) {
		/* It has read before. */
		pipe_on(&l.sw, &idle.fd, &idle.peer);
		expect_ok(eio_ll_views_read(&idle.v, idle.fd, &l.b));
		say(&idle, 1);
		expect_ok(eio_ll_view_return(&l.b, hear(&idle)));
	} else {
		pair_on(&l.sw, &idle.fd, &idle.peer);
		expect_ok(eio_ll_views_recv(&idle.v, idle.fd, &l.b));
	}
	say(&l, 300);
	view = hear(&l);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, hear_and_tell, &idle)); /* before the other one, if it starves */
	expect_ok(eio_fork(&inner, hear_and_tell, &l));
	turns(4);
	expect_log("");
	expect_ok(eio_ll_view_return(&l.b, view));
	turns(6);
	expect_log("heard");
	end_cancelled(&inner);
	log_clear();
	hear_all(&l);
	expect_ok(eio_ll_views_end(&idle.v));
	return close_line(&l);
}

KERNEL_TEST(an_idle_one_keeps_no_buffer_from_the_others)
{
	(void) arg;
	expect_ok(idle_beside(false));
	faults.refuse.nth = 0;
	return kernel == SINGLE || kernel == NONBLOCKING ? 0 : idle_beside(true);
}

/* The same with a refusal that is under way: posted by the kernel, and not yet reaped, because
 * an entry was wanted and the queue was full. */
static int return_before_the_reaping(void *arg)
{
	struct eio_ll_polls polls[2];
	struct eio_ll_view a, z;
	struct line l;

	(void) arg;
	open_line(&l, 2, 100);
	say(&l, 200);
	a = hear(&l);
	z = hear(&l);
	say(&l, 50);
	for (int i = 0; i < 2; i++)
		expect_ok(eio_ll_polls_begin(&polls[i], l.peer, 0));
	expect_ok(eio_ll_view_return(&l.b, a));
	hear_all(&l);
	expect_ok(eio_ll_view_return(&l.b, z));
	for (int i = 0; i < 2; i++)
		expect_ok(eio_ll_polls_end(&polls[i]));
	return close_line(&l);
}

START_TEST(a_buffer_that_comes_back_before_the_reaping_is_not_missed)
{
	kernel = PLAIN;
	run_ring_with(&(struct eio_config){.queue_depth = 1}, return_before_the_reaping, 0);
}
END_TEST

/* Ends */

KERNEL_TEST(the_end_drops_what_nobody_took_and_gives_the_buffers_back)
{
	struct eio_ll_view view;
	struct line l;

	(void) arg;
	for (int i = 0; i < 5; i++) {
		open_line(&l, 8, 100);
		say(&l, 700);
		turns(i);
		if (i == 3) /* in the middle of a bundle */
			expect_ok(eio_ll_view_return(&l.b, hear(&l)));
		expect_ok(eio_ll_views_end(&l.v));
		expect_err(eio_ll_views_next(&l.v, &view), -EINVAL);
		/* All are there again. */
		begin_recv(&l.v, l.fd, &l.b);
		l.seen = l.sent - (size_t) readable_bytes(number(l.fd));
		turns(2);
		expect_ok(eio_ll_views_end(&l.v));
		begin_recv(&l.v, l.fd, &l.b);
		l.seen = l.sent -= (size_t) readable_bytes(number(l.fd));
		if (!readable_bytes(number(l.fd))) {
			say(&l, 800);
			hear_all(&l);
		}
		expect_ok(close_line(&l));
	}
	return 0;
}

KERNEL_TEST(failures_are_told_as_by_plain_calls)
{
	struct linger hard = {.l_onoff = 1};
	struct eio_ll_views v;
	struct eio_ll_view view;
	struct eio_ll_buffers b;
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l, c, s, r, w;

	(void) arg;
	eio_switch_begin(&sw);
	make_group(&b, 4, 100);
	l = listen_on(&sw, "127.0.0.1:0", &addr);
	expect_ok(eio_ll_socket(&sw, AF_INET, SOCK_STREAM, 0, &c));
	expect_ok(eio_ll_connect(c, &addr));
	expect_ok(eio_ll_accept(&sw, l, &s, NULL));
	begin_recv(&v, s, &b);
	setsockopt(number(c), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	expect_ok(eio_fd_close(c));
	expect_err(eio_ll_views_next(&v, &view), -ECONNRESET);
	ck_assert_str_eq(eio_last_error()->op, "recv");
	expect_ok(eio_ll_views_next(&v, &view));
	expect_ok(eio_ll_views_end(&v));
	faults.refuse.nth = 0;
	pipe_on(&sw, &r, &w);
	expect_ok(eio_ll_views_recv(&v, r, &b));
	expect_err(eio_ll_views_next(&v, &view), -ENOTSOCK);
	expect_err(eio_ll_views_next(&v, &view), -ENOTSOCK);
	expect_ok(eio_ll_views_end(&v));
	expect_ok(eio_fd_close(r));
	expect_err(eio_ll_views_recv(&v, r, &b), -EBADF);
	expect_ok(eio_ll_buffers_fini(&b));
	return eio_switch_end(&sw, 0);
}

/* Two refusals for want of a buffer that is none of the group's. */
static void refuse_two(void)
{
	faults.refuse.nth = 1;
	faults.refuse.times = 2;
	faults.refuse.opcode = IORING_OP_RECV;
	faults.refuse.err = -ENOBUFS;
}

KERNEL_TEST(other_buffers_that_lack_are_told_of_while_views_are_out)
{
	struct eio_ll_view mine, view;
	struct eio_ll_views v;
	struct line l;

	(void) arg;
	open_line(&l, 4, 100);
	say(&l, 10);
	mine = hear(&l);
	if (kernel != OLDEST && eio__buffers_left(eio__buffers_of(&l.b)) < 0)
		return eio_ll_view_return(&l.b, mine) + close_line(&l);
	refuse_two();
	expect_ok(eio_ll_views_recv(&v, l.peer, &l.b));
	expect_err(eio_ll_views_next(&v, &view), -ENOBUFS);
	expect_ok(eio_ll_views_end(&v));
	faults.refuse.nth = 0;
	expect_ok(eio_ll_view_return(&l.b, mine));
	return close_line(&l);
}

/* As before 6.8. */
static int lack_unknown(void *arg)
{
	struct eio_ll_view view;
	struct eio_ll_views v;
	struct line l;

	(void) arg;
	open_line(&l, 4, 100);
	forbid_register(EIO__REGISTER_PBUF_STATUS, 1, EINVAL);
	refuse_two();
	expect_ok(eio_ll_views_recv(&v, l.peer, &l.b));
	expect_err(eio_ll_views_next(&v, &view), -ENOBUFS);
	expect_ok(eio_ll_views_end(&v));
	faults.refuse.nth = 0;
	expect_ok(share(1));
	return close_line(&l);
}

START_TEST(other_buffers_that_lack_are_told_of_though_the_kernel_does_not_say_whose)
{
	faults = (struct faults){.seed = 1};
	faults_install(&faults);
	kernel = PLAIN;
	run_ring(lack_unknown, 0);
}
END_TEST

/* A read of a file has its buffer for as long as the disk takes: here one of our own, whose
 * completion comes to the group late. */
RING_TEST(a_buffer_that_another_operation_has_is_waited_for)
{
	struct eio_ll_result r;
	struct eio__buffers *g;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	struct eio_switch inner;
	struct eio_fd in, out;
	struct line l;

	(void) arg;
	kernel = PLAIN;
	open_line(&l, 1, 100);
	g = eio__buffers_of(&l.b);
	pipe_on(&l.sw, &in, &out);
	ck_assert_int_eq(write(number(out), "x", 1), 1);
	sqe = eio_ll_sqe();
	io_uring_prep_read(sqe, number(in), NULL, 0, 0);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = g->id;
	expect_err(eio_ll_await_cqe(sqe, &cqe), 1);
	r = (struct eio_ll_result){.res = cqe.res, .flags = cqe.flags};
	if (eio__buffers_left(g) == 0) {
		eio_switch_begin(&inner);
		say(&l, 10);
		expect_ok(eio_fork(&inner, hear_and_tell, &l));
		turns(6);
		expect_log("");
		eio__buffers_fill(g, &r, false);
		turns(6);
		expect_log("");
		expect_ok(eio_ll_view_return(&l.b, (struct eio_ll_view){.id = 0}));
		expect_ok(eio_switch_end(&inner, 0));
		expect_log("heard");
		say(&l, 10);
	}
	return close_line(&l);
}

KERNEL_TEST(an_iterator_keeps_a_descriptor_whose_handle_is_closed)
{
	struct line l;
	int unix_fd;

	(void) arg;
	open_line(&l, 4, 100);
	unix_fd = number(l.fd);
	expect_ok(eio_fd_close(l.fd));
	say(&l, 300);
	hear_all(&l);
	ck_assert(is_open(unix_fd));
	expect_ok(close_line(&l));
	ck_assert(!is_open(unix_fd));
	return 0;
}

/* Reading */

KERNEL_TEST(pipes_and_files_are_read)
{
	struct eio_ll_buffers b;
	struct eio_ll_views v;
	struct eio_ll_view view;
	struct eio_switch sw;
	struct line l = {.sent = 0};
	char data[1000];

	(void) arg;
	eio_switch_begin(&sw);
	make_group(&b, 4, 100);
	pipe_on(&sw, &l.fd, &l.peer);
	if (kernel == NONBLOCKING) {
		faults.refuse.nth = 1;
		faults.refuse.opcode = IORING_OP_READ;
		faults.refuse.err = -EAGAIN;
	}
	expect_ok(eio_ll_views_read(&l.v, l.fd, &b));
	for (int i = 0; i < 10; i++) {
		say(&l, 250);
		turns(i % 3);
		while (l.seen < l.sent)
			expect_ok(eio_ll_view_return(&b, hear(&l)));
	}
	expect_ok(eio_fd_close(l.peer));
	expect_ok(eio_ll_views_next(&l.v, &view));
	expect_ok(eio_ll_views_end(&l.v));
	ck_assert_uint_eq(faults.entries[EIO__OP_READ_MULTISHOT] > 0, repeats());

	l.fd = file_on(&sw);
	fill(data, sizeof(data), 0);
	ck_assert_int_eq(write(number(l.fd), data, sizeof(data)), sizeof(data));
	ck_assert_int_eq(lseek(number(l.fd), 0, SEEK_SET), 0);
	expect_ok(eio_ll_views_read(&v, l.fd, &b));
	for (size_t at = 0; at < sizeof(data); at += view.len) {
		expect_err(eio_ll_views_next(&v, &view), 1);
		ck_assert(is_filled(view.data, view.len, at));
		expect_ok(eio_ll_view_return(&b, view));
	}
	expect_ok(eio_ll_views_next(&v, &view));
	expect_ok(eio_ll_views_end(&v));
	expect_ok(eio_ll_buffers_fini(&b));
	return eio_switch_end(&sw, 0);
}

/* Of the buffer's two pages the second cannot be written to: there the kernel ends a read that it
 * goes on with, and forgets to move the position. */
KERNEL_TEST(a_read_that_is_cut_short_moves_the_position_behind_what_it_read)
{
	static char data[4 * 4096];
	struct eio_ll_view view;
	struct eio_ll_buffers b;
	struct eio_ll_views v;
	struct eio_switch sw;
	struct eio_fd fd;

	(void) arg;
	eio_switch_begin(&sw);
	make_group(&b, 1, 8192);
	ck_assert_int_eq(
		mprotect(eio__buffers_data(eio__buffers_of(&b), 0) + 4096, 4096, PROT_NONE), 0);
	fd = file_on(&sw);
	fill(data, sizeof(data), 0);
	ck_assert_int_eq(pwrite(number(fd), data, sizeof(data), 0), sizeof(data));
	expect_ok(eio_ll_views_read(&v, fd, &b));
	for (size_t at = 0; at < sizeof(data) && kernel != INCREMENTAL; at += 4096) {
		expect_err(eio_ll_views_next(&v, &view), 1);
		ck_assert_uint_eq(view.len, 4096);
		ck_assert(is_filled(view.data, view.len, at));
		expect_ok(eio_ll_view_return(&b, view));
		expect_ok(eio_ll_views_pause(&v));
		ck_assert_int_ge(lseek(number(fd), 0, SEEK_CUR), (off_t) at + 4096);
	}
	if (kernel != INCREMENTAL)
		expect_ok(eio_ll_views_next(&v, &view));
	expect_ok(eio_ll_views_end(&v));
	expect_ok(eio_ll_buffers_fini(&b));
	return eio_switch_end(&sw, 0);
}

/* What the kernel reads only by waiting: a multishot read would find nothing, for ever. */
KERNEL_TEST(what_cannot_be_read_without_waiting_is_read)
{
	const struct inotify_event *event;
	char dir[] = "/tmp/eio-views-XXXXXX", path[64];
	struct eio_ll_view view;
	struct eio_ll_buffers b;
	struct eio_ll_views v;
	struct eio_switch sw;
	struct eio_fd fd;
	int n = inotify_init1(IN_CLOEXEC);

	(void) arg;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_ge(inotify_add_watch(n, dir, IN_CREATE), 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fd_of_unix(&sw, n, EIO_FD_CLOSE, &fd));
	make_group(&b, 4, 100);
	expect_ok(eio_ll_views_read(&v, fd, &b));
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, i);
		ck_assert_int_eq(mkdir(path, 0700), 0);
		expect_err(eio_ll_views_next(&v, &view), 1);
		event = view.data;
		ck_assert_int_eq(atoi(event->name), i);
		expect_ok(eio_ll_view_return(&b, view));
		ck_assert_int_eq(rmdir(path), 0);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	expect_ok(eio_ll_views_end(&v));
	expect_ok(eio_ll_buffers_fini(&b));
	return eio_switch_end(&sw, 0);
}

/* Before 6.0 a kernel that takes buffers takes a length of 0 for a transfer of nothing, whose
 * result would be the end of the stream. */
static unsigned lengths;

static void check_lengths(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	const struct io_uring_sq *sq = &r->uring.sq;

	(void) wait, (void) timeout_ns;
	for (unsigned i = faults.seen; i != sq->sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];

		if (sqe->opcode != IORING_OP_READ &&
		    (sqe->opcode != IORING_OP_RECV || sqe->ioprio & IORING_RECV_MULTISHOT))
			continue;
		if ((sqe->user_data & EIO__UD_KINDS) != EIO__UD_SINK)
			continue;
		ck_assert_uint_eq(sqe->len, 100);
		lengths++;
	}
}

KERNEL_TEST(what_does_not_repeat_says_how_much_it_may_take)
{
	struct eio_ll_views v;
	struct eio_ll_view view;
	struct eio_fd r, w;
	struct line l;

	(void) arg;
	lengths = 0;
	faults.on_enter = check_lengths;
	open_line(&l, 4, 100);
	say(&l, 250);
	hear_all(&l);
	ck_assert_uint_eq(lengths > 0, !repeats());
	lengths = 0;
	pipe_on(&l.sw, &r, &w);
	expect_ok(eio_ll_views_read(&v, r, &l.b));
	ck_assert_int_eq(write(number(w), "x", 1), 1);
	expect_err(eio_ll_views_next(&v, &view), 1);
	expect_ok(eio_ll_view_return(&l.b, view));
	expect_ok(eio_ll_views_end(&v));
	ck_assert_uint_eq(lengths > 0, !repeats());
	return close_line(&l);
}

KERNEL_TEST(datagrams_stay_apart)
{
	struct eio_ll_buffers b;
	struct eio_ll_view view;
	struct eio_ll_views v;
	struct eio_switch sw;
	struct eio_fd fd;
	char data[150];
	int ends[2];

	(void) arg;
	eio_switch_begin(&sw);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	expect_ok(eio_fd_of_unix(&sw, ends[0], EIO_FD_CLOSE, &fd));
	make_group(&b, 4, 100);
	begin_recv(&v, fd, &b);
	fill(data, sizeof(data), 0);
	ck_assert_int_eq(write(ends[1], data, 10), 10);
	ck_assert_int_eq(send(ends[1], data, 0, 0), 0);
	ck_assert_int_eq(write(ends[1], data, 20), 20);
	ck_assert_int_eq(write(ends[1], data, 99), 99);
	for (int i = 0; i < 4; i++) {
		static const size_t want[] = {10, 0, 20, 99};

		expect_err(eio_ll_views_next(&v, &view), want[i] ? 1 : 0);
		if (!want[i])
			continue;
		/* A buffer that is filled piece after piece may be at its end. */
		if (kernel != INCREMENTAL)
			ck_assert_uint_eq(view.len, want[i]);
		ck_assert(is_filled(view.data, view.len, 0));
		expect_ok(eio_ll_view_return(&b, view));
	}
	expect_ok(eio_ll_views_end(&v));
	close(ends[1]);
	expect_ok(eio_ll_buffers_fini(&b));
	return eio_switch_end(&sw, 0);
}

/* What the kernel refuses */

RING_TEST(wishes_are_only_wishes)
{
	const unsigned all = EIO_LL_BUFFERS_INCREMENTAL | EIO_LL_BUFFERS_BUNDLES;
	struct line l = {.sent = 0};

	(void) arg;
	expect_ok(eio_ll_buffers_init(&l.b, 4, 100, all));
	ck_assert_uint_eq(eio_ll_buffers_flags(&l.b),
			  EIO_LL_BUFFERS_INCREMENTAL | EIO_LL_BUFFERS_BY_KERNEL);
	expect_ok(eio_ll_buffers_fini(&l.b));
	eio_ll_ring()->features &= ~IORING_FEAT_RECVSEND_BUNDLE;
	expect_ok(eio_ll_buffers_init(&l.b, 4, 100, EIO_LL_BUFFERS_BUNDLES));
	ck_assert_uint_eq(eio_ll_buffers_flags(&l.b), EIO_LL_BUFFERS_BY_KERNEL);
	expect_ok(eio_ll_buffers_fini(&l.b));
	forbid_register(IORING_REGISTER_PBUF_RING, 1, EINVAL);
	eio_switch_begin(&l.sw);
	pair_on(&l.sw, &l.fd, &l.peer);
	expect_ok(eio_ll_buffers_init(&l.b, 4, 100, all));
	ck_assert_uint_eq(eio_ll_buffers_flags(&l.b), 0);
	expect_ok(eio_ll_views_recv(&l.v, l.fd, &l.b));
	say(&l, 1000);
	hear_all(&l);
	return close_line(&l);
}

/* Misuse */

static struct line *others;

static int call_from_elsewhere(void *arg)
{
	struct eio_ll_view view = {.id = 0};
	struct eio_ll_buffers b;
	struct eio_ll_views v;

	(void) arg;
	if (!eio__uring_self())
		expect_err(eio_ll_buffers_init(&b, 1, 1, 0), -EPERM);
	expect_err(eio_ll_buffers_fini(&others->b), -EPERM);
	expect_err(eio_ll_view_return(&others->b, view), -EPERM);
	expect_err(eio_ll_views_recv(&v, others->fd, &others->b), -EPERM);
	expect_err(eio_ll_views_read(&v, others->fd, &others->b), -EPERM);
	expect_err(eio_ll_views_next(&others->v, &view), -EPERM);
	expect_err(eio_ll_views_end(&others->v), -EPERM);
	return 0;
}

static int call_from_ring(struct eio_env *e, void *arg)
{
	(void) e;
	return call_from_elsewhere(arg);
}

static int run_other_ring(void *arg)
{
	return eio_run(NULL, call_from_ring, arg);
}

RING_TEST(misuse_is_told)
{
	struct eio_ll_buffers b;
	struct eio_ll_view view;
	struct eio_cancel c;
	struct line l;

	(void) arg;
	kernel = BUNDLES;
	expect_err(eio_ll_buffers_init(&b, 0, 100, 0), -EINVAL);
	expect_err(eio_ll_buffers_init(&b, 3, 100, 0), -EINVAL);
	expect_err(eio_ll_buffers_init(&b, 65536, 100, 0), -EINVAL);
	expect_err(eio_ll_buffers_init(&b, 4, 0, 0), -EINVAL);
	expect_err(eio_ll_buffers_init(&b, 4, (size_t) 1 << 31, 0), -EINVAL);
	expect_err(eio_ll_buffers_init(&b, 4, 100, EIO_LL_BUFFERS_BY_KERNEL), -EINVAL);
	expect_err(eio_ll_buffers_init(&b, 32768, INT32_MAX & ~4095, 16), -EINVAL);
	expect_err(eio_ll_buffers_fini(&b), -EINVAL);
	open_line(&l, 4, 100);
	others = &l;
	say(&l, 250);
	expect_ok(eio_ll_view_return(&l.b, hear(&l))); /* of three */
	expect_ok(on_plain_thread(call_from_elsewhere, NULL));
	expect_ok(on_plain_thread(run_other_ring, NULL));
	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	expect_err(eio_ll_views_recv(&(struct eio_ll_views){0}, l.fd, &l.b), -ECANCELED);
	expect_err(eio_ll_views_next(&l.v, &view), -ECANCELED);
	expect_ok(eio_ll_buffers_init(&b, 32768, 1, 0)); /* does not suspend */
	eio_cancel_end(&c);
	expect_ok(eio_ll_buffers_fini(&b));
	hear_all(&l);
	return close_line(&l);
}

/* Also when the buffer has another view by then, which is somebody else's. */
static int return_twice(void *arg)
{
	struct eio_ll_view view, other;
	struct line l;

	open_line(&l, 1, 100);
	say(&l, 10);
	view = hear(&l);
	expect_ok(eio_ll_view_return(&l.b, view));
	if (arg)
		expect_err(eio_ll_view_return(&l.b, view), -EINVAL);
	say(&l, 10);
	other = hear(&l);
	ck_assert_ptr_eq(other.data, view.data);
	if (!arg)
		eio_ll_view_return(&l.b, view);
	expect_err(eio_ll_view_return(&l.b, view), -EINVAL);
	view.id = 4;
	expect_err(eio_ll_view_return(&l.b, view), -EINVAL);
	expect_ok(eio_ll_view_return(&l.b, other));
	return close_line(&l);
}

static int main_returns_twice(struct eio_env *e, void *arg)
{
	(void) e;
	return return_twice(arg);
}

static void die_returning(void *arg)
{
	eio_run(NULL, main_returns_twice, arg);
}

START_TEST(a_view_that_is_returned_twice_is_noticed)
{
	kernel = PLAIN;
#ifdef EIO_DEBUG
	expect_death(die_returning, NULL, SIGABRT, "there is no such view of buffer");
#else
	(void) die_returning;
	expect_ok(eio_run(NULL, main_returns_twice, "release"));
#endif
}
END_TEST

/* Two groups do not share an id, nor with one that the program made. */
RING_TEST(groups_are_apart)
{
	struct line a, z;

	(void) arg;
	kernel = PLAIN;
	open_line(&a, 1, 100);
	eio__uring_self()->next_group = 0; /* as after 65536 more */
	open_line(&z, 1, 100);
	say(&a, 300);
	say(&z, 200);
	hear_all(&z);
	hear_all(&a);
	expect_ok(close_line(&z));
	return close_line(&a);
}

/* A group that is freed leaves its id. */
RING_TEST(an_id_is_free_again)
{
	struct eio_ll_buffers b;

	(void) arg;
	for (int i = 0; i < 3; i++) {
		eio__uring_self()->next_group = 0;
		expect_ok(eio_ll_buffers_init(&b, 1, 1, 0));
		ck_assert_uint_eq(eio__uring_self()->next_group, 1);
		expect_ok(eio_ll_buffers_fini(&b));
	}
	return 0;
}

/* What this kernel does not say, but may: completions as they would be. */
static struct eio_ll_result received(int res, unsigned id, unsigned flags)
{
	return (struct eio_ll_result){
		.res = res,
		.flags = flags | IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT,
	};
}

RING_TEST(an_empty_completion_may_finish_a_buffer_with_views)
{
	struct eio_ll_buffers pub = {0};
	struct eio__buffers *g = eio__buffers_of(&pub);
	struct eio_ll_result r;

	(void) arg;
	expect_ok(eio_ll_buffers_init(&pub, 2, 100, EIO_LL_BUFFERS_INCREMENTAL));
	if (!(eio_ll_buffers_flags(&pub) & EIO_LL_BUFFERS_INCREMENTAL))
		return eio_ll_buffers_fini(&pub);
	for (unsigned at = 0; at < 20; at += 10) {
		r = received(10, 0, IORING_CQE_F_BUF_MORE);
		eio__buffers_fill(g, &r, false);
		ck_assert_uint_eq(r.reserved, at);
	}
	r = received(0, 0, 0);
	eio__buffers_fill(g, &r, false);
	expect_ok(eio_ll_view_return(&pub, (struct eio_ll_view){.id = 0}));
	ck_assert_uint_eq(g->offered, 2);
	expect_ok(eio_ll_view_return(&pub, (struct eio_ll_view){.id = 0}));
	ck_assert_uint_eq(g->offered, 3);
	/* Without views it is offered at once, unless there is more to come. */
	r = received(0, 1, IORING_CQE_F_BUF_MORE);
	eio__buffers_fill(g, &r, false);
	ck_assert_uint_eq(g->offered, 3);
	r = received(-ECANCELED, 1, 0);
	eio__buffers_fill(g, &r, false);
	ck_assert_uint_eq(g->offered, 4);
	return eio_ll_buffers_fini(&pub);
}

RING_TEST(a_bundle_may_begin_with_a_shortened_buffer)
{
	static const unsigned order[] = {2, 0, 3, 1}, want[] = {100, 30, 100, 20};
	struct eio_ll_buffers pub = {0};
	struct eio__buffers *g = eio__buffers_of(&pub);
	struct eio_ll_result r;
	unsigned left = 250, id = 2;

	(void) arg;
	expect_ok(eio_ll_buffers_init(&pub, 4, 100, EIO_LL_BUFFERS_BUNDLES));
	if (!(eio_ll_buffers_flags(&pub) & EIO_LL_BUFFERS_BUNDLES))
		return eio_ll_buffers_fini(&pub);
	for (unsigned i = 0; i < 4; i++) {
		r = received(100, i, 0);
		eio__buffers_fill(g, &r, true);
	}
	for (unsigned i = 0; i < 4; i++)
		expect_ok(eio_ll_view_return(&pub, (struct eio_ll_view){.id = order[i]}));
	g->ring[1].len = 30; /* the second one */
	r = received(250, 2, 0);
	eio__buffers_fill(g, &r, true);
	for (unsigned i = 0; i < 4; i++) {
		unsigned at = id;

		ck_assert_uint_eq(at, order[i]);
		ck_assert_uint_eq(eio__buffers_piece(g, left, &id), want[i]);
		left -= want[i];
		eio__buffers_release(g, at);
	}
	ck_assert_uint_eq(left, 0);
	return eio_ll_buffers_fini(&pub);
}

/* A read that was slow: others have gone once round the ring meanwhile, and the entry that was
 * its buffer's is one that the kernel has shortened. */
RING_TEST(a_read_has_one_buffer_whatever_became_of_its_entry)
{
	struct eio_ll_buffers pub = {0};
	struct eio__buffers *g = eio__buffers_of(&pub);
	struct eio_ll_result r = received(100, 3, 0);
	unsigned id = 3;

	(void) arg;
	expect_ok(eio_ll_buffers_init(&pub, 4, 100, EIO_LL_BUFFERS_BUNDLES));
	g->ring[g->buffers[3].at].len = 30;
	eio__buffers_fill(g, &r, false);
	ck_assert_uint_eq(g->held, 1);
	ck_assert_uint_eq(eio__buffers_piece(g, 100, &id), 100);
	expect_ok(eio_ll_view_return(&pub, (struct eio_ll_view){.id = 3}));
	return eio_ll_buffers_fini(&pub);
}

/* Readers that are slow */

static unsigned held(struct eio_ll_buffers *b)
{
	return eio__buffers_of(b)->held;
}

/* It keeps what it was sent, no more than a part of the group's buffers, and loses nothing. */
KERNEL_TEST(a_slow_reader_leaves_buffers_to_the_others)
{
	struct eio_ll_view view;
	struct line slow, l;

	(void) arg;
	open_line(&slow, 64, 100);
	memset(&l, 0, sizeof(l));
	pair_on(&slow.sw, &l.fd, &l.peer);
	for (int i = 0; i < 200; i++) {
		say(&slow, 100);
		turns(1);
	}
	if (kernel != INCREMENTAL) /* where pieces are bytes of buffers, not buffers */
		ck_assert_uint_le(held(&slow.b), 16);
	if (repeats())
		ck_assert_uint_ge(held(&slow.b), 4);
	ck_assert(readable_bytes(number(slow.fd)) > 0);
	expect_ok(eio_ll_views_recv(&l.v, l.fd, &slow.b));
	say(&l, 100);
	view = hear(&l);
	expect_ok(eio_ll_view_return(&slow.b, view));
	hear_all(&slow);
	expect_ok(eio_ll_views_end(&l.v));
	return close_line(&slow);
}

static void send_pieces(struct line *l, int n)
{
	for (; n > 0; n--) {
		say(l, 1);
		turns(2);
	}
}

/* More pieces than buffers. */
RING_TEST(a_buffer_may_have_many_pieces_that_wait)
{
	struct line l;

	(void) arg;
	kernel = INCREMENTAL;
	open_line(&l, 1, 4096);
	for (int i = 0; i < 3; i++) {
		send_pieces(&l, 20);
		ck_assert_uint_ge(held(&l.b), 4);
		hear_all(&l);
	}
	send_pieces(&l, 5);
	return close_line(&l);
}

RING_TEST(pieces_for_which_there_is_no_memory_are_dropped_and_told)
{
	uint32_t others_piece = EIO__NO_PIECE;
	struct eio_ll_view view;
	struct line l;

	(void) arg;
	if (SANITIZED)
		return 0;
	kernel = INCREMENTAL;
	open_line(&l, 32, 4096);
	for (int i = 0; i < 31; i++)
		others_piece = eio__piece_new(eio__buffers_of(&l.b));
	ck_assert_uint_ne(others_piece, EIO__NO_PIECE);
	use_memory_up(512);
	send_pieces(&l, 3);
	give_memory_back();
	expect_ok(eio_ll_view_return(&l.b, hear(&l)));
	expect_err(eio_ll_views_next(&l.v, &view), -ENOMEM);
	ck_assert_uint_eq(held(&l.b), 0);
	l.seen = l.sent;
	say(&l, 1);
	hear_all(&l);

	/* Before the end that comes behind them. */
	use_memory_up(512);
	eio__piece_new(eio__buffers_of(&l.b));
	send_pieces(&l, 1);
	give_memory_back();
	ck_assert_int_eq(shutdown(number(l.peer), SHUT_WR), 0);
	turns(2);
	expect_err(eio_ll_views_next(&l.v, &view), -ENOMEM);
	expect_ok(eio_ll_views_next(&l.v, &view));
	return close_line(&l);
}

/* What came before the pause is told after it; what comes in it is the socket's. */
KERNEL_TEST(a_pause_loses_nothing)
{
	struct line l;

	(void) arg;
	open_line(&l, 8, 100);
	for (int i = 0; i < 6; i++) {
		ck_assert(!eio_ll_views_ready(&l.v));
		say(&l, 100);
		turns(i);
		expect_ok(eio_ll_views_pause(&l.v));
		ck_assert(eio_ll_views_ready(&l.v) == (readable_bytes(number(l.fd)) == 0));
		say(&l, 50);
		turns(2);
		ck_assert_int_ge(readable_bytes(number(l.fd)), 50);
		hear_all(&l);
	}
	return close_line(&l);
}

/* Where buffers begin: not in the same set of a cache. */
RING_TEST(small_messages_do_not_push_each_other_out_of_the_caches)
{
	static const size_t sizes[] = {1, 64, 100, 128, 4096, 16384};
	struct eio_ll_buffers b;

	(void) arg;
	for (unsigned i = 0; i < 6; i++) {
		uint64_t sets = 0;

		expect_ok(eio_ll_buffers_init(&b, 64, sizes[i], 0));
		for (unsigned id = 0; id < 64; id++) {
			char *data = eio__buffers_data(eio__buffers_of(&b), id);

			memset(data, 1, sizes[i]);
			sets |= (uint64_t) 1 << ((uintptr_t) data / 64 % 64);
		}
		ck_assert(sets == UINT64_MAX);
		expect_ok(eio_ll_buffers_fini(&b));
	}
	return 0;
}

/* Without waiting for a buffer */

static int hear_nothing(void *arg)
{
	struct line *l = arg;
	struct eio_ll_view view;

	note("%s", eio_err_name(eio_ll_views_next(&l->v, &view)));
	return 0;
}

KERNEL_TEST(a_group_may_refuse_to_wait)
{
	unsigned wish = EIO_LL_BUFFERS_NO_WAIT;
	struct eio_ll_view view, other;
	struct eio_ll_views late;
	struct eio_switch inner;
	struct line l;

	(void) arg;
	memset(&l, 0, sizeof(l));
	eio_switch_begin(&l.sw);
	pair_on(&l.sw, &l.fd, &l.peer);
	if (kernel == OLDEST)
		lack(IORING_OP_SOCKET);
	expect_ok(eio_ll_buffers_init(&l.b, 1, 100, wish));
	ck_assert_uint_eq(eio_ll_buffers_flags(&l.b),
			  kernel == OLDEST ? wish : wish | EIO_LL_BUFFERS_BY_KERNEL);
	begin_recv(&l.v, l.fd, &l.b);
	say(&l, 200);
	view = hear(&l);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, hear_nothing, &l));
	expect_ok(eio_switch_end(&inner, 0));
	expect_log("ENOBUFS");
	begin_recv(&late, l.fd, &l.b); /* and it is the next one that fails, not the beginning */
	expect_err(eio_ll_views_next(&late, &other), -ENOBUFS);
	expect_err(eio_ll_views_next(&late, &other), -ENOBUFS);
	expect_ok(eio_ll_views_end(&late));
	expect_ok(eio_ll_view_return(&l.b, view));
	hear_all(&l);
	return close_line(&l);
}

/* One at a time */

RING_TEST(one_receive_takes_one_buffer_of_a_group)
{
	static const unsigned wishes[] = {0, EIO_LL_BUFFERS_BUNDLES};
	struct eio_ll_view a, z;
	struct line l;

	(void) arg;
	for (unsigned i = 0; i < 2; i++) {
		memset(&l, 0, sizeof(l));
		eio_switch_begin(&l.sw);
		pair_on(&l.sw, &l.fd, &l.peer);
		expect_ok(eio_ll_buffers_init(&l.b, 2, 100, wishes[i]));
		say(&l, 250);
		expect_err((int) eio_ll_view_recv(l.fd, &l.b, 10, &a), 10);
		ck_assert(is_filled(a.data, 10, 0));
		ck_assert_uint_eq(a.len, 10);
		expect_err((int) eio_ll_view_recv(l.fd, &l.b, 1000, &z), 100);
		ck_assert(is_filled(z.data, z.len, 10));
		expect_ok(eio_ll_view_return(&l.b, a));
		expect_ok(eio_ll_view_return(&l.b, z));
		read_off(number(l.fd), (size_t) readable_bytes(number(l.fd)));
		expect_ok(eio_fd_close(l.peer));
		for (int n = 0; n < 3; n++)
			expect_ok((int) eio_ll_view_recv(l.fd, &l.b, 10, &a));
		expect_ok(eio_fd_close(l.fd));
		expect_err((int) eio_ll_view_recv(l.fd, &l.b, 10, &a), -EBADF);
		expect_ok(eio_ll_buffers_fini(&l.b));
		expect_ok(eio_switch_end(&l.sw, 0));
	}
	return 0;
}

/* Whether something has come, or it has waited before the last buffer went. */
RING_TEST(one_receive_does_not_wait_for_a_buffer)
{
	struct eio_ll_view a, z;
	struct line l;

	(void) arg;
	memset(&l, 0, sizeof(l));
	eio_switch_begin(&l.sw);
	pair_on(&l.sw, &l.fd, &l.peer);
	expect_ok(eio_ll_buffers_init(&l.b, 1, 100, 0));
	say(&l, 150);
	expect_err((int) eio_ll_view_recv(l.fd, &l.b, 100, &a), 100);
	expect_err((int) eio_ll_view_recv(l.fd, &l.b, 100, &z), -ENOBUFS);
	ck_assert_int_eq(readable_bytes(number(l.fd)), 50);
	expect_ok(eio_ll_view_return(&l.b, a));
	expect_err((int) eio_ll_view_recv(l.fd, &l.b, 100, &z), 50);
	expect_ok(eio_ll_view_return(&l.b, z));
	expect_ok(eio_ll_buffers_fini(&l.b));
	kernel = OLDEST;
	make_group(&l.b, 1, 100);
	expect_err((int) eio_ll_view_recv(l.fd, &l.b, 100, &z), -EOPNOTSUPP);
	expect_ok(eio_ll_buffers_fini(&l.b));
	expect_err((int) eio_ll_view_recv(l.fd, &l.b, 100, &z), -EPERM);
	return eio_switch_end(&l.sw, 0);
}

/* A receive of a fiber's own from a group that iterators share. */
struct aside {
	struct eio_fd fd;
	struct eio_ll_buffers *b;
	struct eio_ll_view view;
	ssize_t n;
};

static int receive_aside(void *arg)
{
	struct aside *a = arg;

	a->n = eio_ll_view_recv(a->fd, a->b, 1000, &a->view);
	return 0;
}

/* What both got is in one poll, and the iterator is told in it, the fiber when it runs. */
KERNEL_TEST(one_receive_and_iterators_share_buffers)
{
	struct aside a;
	struct eio_fd peer;
	struct line l;

	(void) arg;
	open_line(&l, 4, 1000);
	if (kernel == OLDEST || kernel == INCREMENTAL) {
		expect_err((int) eio_ll_view_recv(l.fd, &l.b, 1, &a.view), -EOPNOTSUPP);
		return close_line(&l);
	}
	a = (struct aside){.b = &l.b};
	pair_on(&l.sw, &a.fd, &peer);
	for (int i = 0; i < 20; i++) {
		char data[30];

		a.n = 0;
		expect_ok(eio_fork(&l.sw, receive_aside, &a));
		turns(2);
		fill(data, sizeof(data), 5000);
		ck_assert_int_eq(write(number(peer), data, sizeof(data)), sizeof(data));
		say(&l, 50);
		expect_ok(eio_ll_view_return(&l.b, hear(&l)));
		while (!a.n)
			turns(1);
		expect_err((int) a.n, sizeof(data));
		ck_assert(is_filled(a.view.data, sizeof(data), 5000));
		expect_ok(eio_ll_view_return(&l.b, a.view));
	}
	return close_line(&l);
}

RING_TEST(a_group_that_a_receive_waits_for_cannot_be_freed)
{
	struct aside a;
	struct line l;

	(void) arg;
	memset(&l, 0, sizeof(l));
	eio_switch_begin(&l.sw);
	pair_on(&l.sw, &l.fd, &l.peer);
	expect_ok(eio_ll_buffers_init(&l.b, 2, 100, 0));
	a = (struct aside){.b = &l.b, .fd = l.fd};
	expect_ok(eio_fork(&l.sw, receive_aside, &a));
	turns(2);
	expect_err(eio_ll_buffers_fini(&l.b), -EBUSY);
	say(&l, 10);
	while (!a.n)
		turns(1);
	expect_err((int) a.n, 10);
	expect_ok(eio_ll_view_return(&l.b, a.view));
	expect_ok(eio_ll_buffers_fini(&l.b));
	return eio_switch_end(&l.sw, 0);
}

KERNEL_TEST(the_parts_of_a_view_go_back_in_any_order)
{
	struct eio_ll_view a, b, c;
	struct line l;

	(void) arg;
	for (int order = 0; order < 2; order++) {
		open_line(&l, 1, 100);
		say(&l, 60);
		a = hear(&l);
		expect_err(eio_ll_view_split(&l.b, &a, 0, &b), -EINVAL);
		expect_err(eio_ll_view_split(&l.b, &a, 60, &b), -EINVAL);
		expect_ok(eio_ll_view_split(&l.b, &a, 10, &b));
		expect_ok(eio_ll_view_split(&l.b, &b, 20, &c));
		ck_assert_uint_eq(a.len, 10);
		ck_assert_uint_eq(b.len, 20);
		ck_assert_uint_eq(c.len, 30);
		ck_assert(is_filled(b.data, 20, 10) && is_filled(c.data, 30, 30));
		expect_ok(eio_ll_view_return(&l.b, order ? a : c));
		expect_ok(eio_ll_view_return(&l.b, order ? c : b));
		ck_assert_uint_eq(held(&l.b), 1);
		expect_ok(eio_ll_view_return(&l.b, order ? b : a));
		ck_assert_uint_eq(held(&l.b), 0);
		expect_err(eio_ll_view_split(&l.b, &a, 1, &b), -EINVAL);
		expect_ok(close_line(&l));
	}
	return 0;
}

/* The domain's own group */

RING_TEST(a_domain_has_a_group_of_its_own)
{
	struct eio_ll_buffers *b = eio_ll_buffers_common();
	struct eio_ll_view view;
	struct line l = {.seen = 0};

	(void) arg;
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_eq(eio_ll_buffers_common(), b);
	ck_assert_uint_eq(eio_ll_buffers_flags(b),
			  EIO_LL_BUFFERS_BY_KERNEL | EIO_LL_BUFFERS_NO_WAIT);
	eio_switch_begin(&l.sw);
	pair_on(&l.sw, &l.fd, &l.peer);
	say(&l, 5);
	expect_err((int) eio_ll_view_recv(l.fd, b, 10, &view), 5);
	return eio_switch_end(&l.sw, 0); /* which ends with the domain, whatever is out */
}

RING_TEST(a_domain_that_cannot_have_one_says_so)
{
	(void) arg;
	lack(IORING_OP_SOCKET);
	ck_assert_ptr_null(eio_ll_buffers_common());
	eio__uring_self()->ring.ops[IORING_OP_SOCKET / 8] |= 1 << IORING_OP_SOCKET % 8;
	ck_assert_ptr_null(eio_ll_buffers_common()); /* it does not ask again and again */
	return 0;
}

START_TEST(outside_of_a_domain_there_is_no_common_group)
{
	ck_assert_ptr_null(eio_ll_buffers_common());
}
END_TEST

/* Under every fault. */
static int share_under_faults(void *arg)
{
	static const enum kernel kernels[] = {PLAIN, INCREMENTAL, BUNDLES, OLDEST};

	(void) arg;
	kernel = kernels[faults.seed % 4];
	return share(8);
}

START_TEST(bytes_are_intact_whatever_fails)
{
	faults_install(&faults);
	for (unsigned n = 0; n < (SANITIZED ? 4 : 16); n++) {
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
			      share_under_faults, 0);
		ck_assert_uint_gt(faults.refused, 0);
	}
}
END_TEST

/* Submitted by the kernel's thread, at any time. */
static int share_some(void *arg)
{
	(void) arg;
	return share(4);
}

START_TEST(many_share_a_group_with_kernel_side_polling)
{
	for (kernel = PLAIN; kernel <= BUNDLES; kernel++)
		run_ring_with(&(struct eio_config){.polling_timeout_ms = 10}, share_some, 0);
}
END_TEST

SUITE_MAIN("ll_buffers", true, bytes_come_as_they_were_sent_and_then_the_end_test,
	   a_piece_has_the_buffers_it_should_test, a_cancelled_next_loses_nothing_test,
	   without_a_buffer_it_waits_until_one_comes_back_test,
	   a_buffer_that_comes_back_too_late_is_not_missed_test, one_that_starves_can_end_test,
	   many_share_a_group_and_none_starves_test,
	   a_buffer_that_comes_back_before_the_reaping_is_not_missed,
	   an_idle_one_keeps_no_buffer_from_the_others_test,
	   the_end_drops_what_nobody_took_and_gives_the_buffers_back_test,
	   failures_are_told_as_by_plain_calls_test,
	   other_buffers_that_lack_are_told_of_while_views_are_out_test,
	   other_buffers_that_lack_are_told_of_though_the_kernel_does_not_say_whose,
	   a_buffer_that_another_operation_has_is_waited_for_test,
	   an_iterator_keeps_a_descriptor_whose_handle_is_closed_test,
	   pipes_and_files_are_read_test, what_does_not_repeat_says_how_much_it_may_take_test,
	   what_cannot_be_read_without_waiting_is_read_test,
	   a_read_that_is_cut_short_moves_the_position_behind_what_it_read_test,
	   datagrams_stay_apart_test, wishes_are_only_wishes_test, misuse_is_told_test,
	   a_view_that_is_returned_twice_is_noticed, groups_are_apart_test,
	   an_id_is_free_again_test, an_empty_completion_may_finish_a_buffer_with_views_test,
	   a_bundle_may_begin_with_a_shortened_buffer_test,
	   a_read_has_one_buffer_whatever_became_of_its_entry_test,
	   a_slow_reader_leaves_buffers_to_the_others_test,
	   small_messages_do_not_push_each_other_out_of_the_caches_test,
	   a_buffer_may_have_many_pieces_that_wait_test,
	   pieces_for_which_there_is_no_memory_are_dropped_and_told_test,
	   a_pause_loses_nothing_test, a_group_may_refuse_to_wait_test,
	   one_receive_takes_one_buffer_of_a_group_test,
	   one_receive_does_not_wait_for_a_buffer_test,
	   one_receive_and_iterators_share_buffers_test,
	   a_group_that_a_receive_waits_for_cannot_be_freed_test,
	   the_parts_of_a_view_go_back_in_any_order_test, a_domain_has_a_group_of_its_own_test,
	   a_domain_that_cannot_have_one_says_so_test, outside_of_a_domain_there_is_no_common_group,
	   bytes_are_intact_whatever_fails, many_share_a_group_with_kernel_side_polling)
