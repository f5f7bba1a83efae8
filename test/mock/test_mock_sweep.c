/* SPDX-License-Identifier: ISC */
/*
 * The mocks under every call that may suspend in them, on both schedulers: no byte, no
 * connection, no turn and no action of a script is lost.
 */
#include "mock/util.h"
#include "sweep.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/uio.h>

#define TEXT "hello"

enum { LENGTH = 5, PART = 3 };

struct place {
	struct attempt a;
	struct eio_switch sw; /* for what runs beside the call */
	struct eio_promise promise, stop, jobs[2];
	struct eio_executor executor;
	struct eio_mock_flow mock;
	struct eio_mock_pair pair;
	struct eio_mock_net net_mock;
	struct eio_mock_listener door;
	struct eio_mock_dgram post;
	struct eio_mock_clock hands;
	struct eio_flow f, far; /* what the call works on, and its far end */
	struct eio_net net;
	struct eio_listener listener;
	struct eio_dgram d;
	struct eio_clock clock;
	struct eio_ticker ticker;
	struct eio_addr addr;
	struct eio_addr addrs[2];
	struct eio_buffer_sink sink;
	struct eio_flow conn; /* what the call got */
	struct eio_listener got;
	char text[64]; /* what was read, in order */
	size_t len;
	uint64_t n;  /* bytes copied, as the call says */
	void *value; /* out of the promise */
	unsigned served, ran;
	bool drained;
};

#define SCRIPT(...)                                                                                \
	(const struct eio_mock_action[]){__VA_ARGS__},                                             \
		COUNT(((const struct eio_mock_action[]){__VA_ARGS__}))

static int await_promise(void *arg)
{
	struct place *p = arg;

	return eio_promise_await(&p->promise, &p->value);
}

static void resolve(struct place *p)
{
	expect_ok(eio_promise_resolve(&p->promise, 0, p));
}

/* Who gave up waiting for the promise left it to the next: @p fn succeeds until it waits,
 * and will not any more. */
static void resolve_unless_fired(struct place *p, eio_fn *fn)
{
	int rc;

	if (p->a.fired)
		return;
	do
		rc = eio_timeout_run(env->mono_clock, 1, fn, p);
	while (rc > 0);
	same(rc, -ETIMEDOUT);
	resolve(p);
}

static size_t all_or_done(const struct place *p, size_t all)
{
	return p->a.rc >= 0 ? all : (size_t) p->a.done;
}

/* What is read comes behind what was read meanwhile. */
static int read_on(struct place *p, size_t len)
{
	char buf[sizeof(p->text)];
	ssize_t n = eio_flow_read(p->f, buf, len);

	if (n <= 0)
		return (int) n;
	same(p->len + (size_t) n < sizeof(p->text), true);
	memcpy(p->text + p->len, buf, (size_t) n);
	p->len += (size_t) n;
	return (int) n;
}

/* With the rest of the stream it is @p text. */
static void expect_whole(struct place *p, const char *text)
{
	while (read_on(p, LENGTH) > 0)
		;
	ck_assert_msg(strcmp(p->text, text) == 0, "%s at %d: \"%s\"", sweep_name, sweep_at,
		      p->text);
}

/* Scripted flows */

static void new_flow(struct place *p)
{
	p->f = eio_mock_flow_init(&p->mock, "flow");
}

static void text_later(struct place *p)
{
	new_flow(p);
	eio_mock_on_read(&p->mock,
			 SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_DATA(TEXT), EIO_MOCK_EOF));
}

static void text_in_pieces(struct place *p)
{
	new_flow(p);
	eio_mock_on_read(&p->mock, SCRIPT(EIO_MOCK_DATA("he"), EIO_MOCK_AWAIT(&p->promise),
					  EIO_MOCK_DATA("llo"), EIO_MOCK_EOF));
}

static void text_after_a_sleep(struct place *p)
{
	new_flow(p);
	eio_mock_on_read(&p->mock,
			 SCRIPT(EIO_MOCK_SLEEP(20000), EIO_MOCK_DATA(TEXT), EIO_MOCK_EOF));
}

static void text_after_a_call(struct place *p)
{
	new_flow(p);
	eio_mock_on_read(&p->mock,
			 SCRIPT(EIO_MOCK_RUN(await_promise, p), EIO_MOCK_DATA(TEXT), EIO_MOCK_EOF));
}

static int read_part(void *arg)
{
	return read_on(arg, PART);
}

static void text_and_another_reader(struct place *p)
{
	text_later(p);
	expect_ok(eio_fork(&p->sw, read_part, p));
}

static int run_read(struct place *p)
{
	return read_on(p, PART);
}

static int run_read_exact(struct place *p)
{
	int rc = eio_flow_read_exact(p->f, p->text, LENGTH);

	p->len = rc == 0 ? LENGTH : (size_t) eio_last_error()->done;
	p->text[p->len] = '\0';
	return rc;
}

static void check_read(struct place *p)
{
	resolve_unless_fired(p, read_part);
	expect_whole(p, TEXT);
	eio_mock_flow_fini(&p->mock);
}

static void check_read_after_sleep(struct place *p)
{
	expect_whole(p, TEXT);
	eio_mock_flow_fini(&p->mock);
}

static void taken_in_pieces(struct place *p)
{
	new_flow(p);
	eio_mock_on_write(&p->mock, SCRIPT(EIO_MOCK_TAKE(2), EIO_MOCK_AWAIT(&p->promise),
					   EIO_MOCK_TAKE(LENGTH)));
}

static int run_write(struct place *p)
{
	return eio_flow_write(p->f, TEXT, LENGTH);
}

static int run_writev(struct place *p)
{
	const struct iovec iov[] = {{"hel", 3}, {"lo", 2}};

	return eio_flow_writev(p->f, iov, 2);
}

static int run_copy_string(struct place *p)
{
	return eio_flow_copy_string(p->f, TEXT);
}

static void check_written(struct place *p)
{
	size_t len;
	const char *written = eio_mock_written(&p->mock, &len);

	same(len, all_or_done(p, LENGTH));
	same(memcmp(written, TEXT, len), 0);
	eio_mock_flow_fini(&p->mock);
}

/* Pairs */

static void new_pair(struct place *p)
{
	expect_ok(eio_mock_pair_init(&p->pair, 100, &p->f, &p->far));
}

static void small_pair(struct place *p)
{
	expect_ok(eio_mock_pair_init(&p->pair, 2, &p->f, &p->far));
}

static void full_pair(struct place *p)
{
	small_pair(p);
	expect_ok(eio_flow_write(p->f, "he", 2));
}

static void send_text(struct place *p)
{
	expect_ok(eio_flow_write(p->far, TEXT, LENGTH));
}

static void send_and_close(struct place *p)
{
	send_text(p);
	expect_ok(eio_flow_close(p->far));
}

static void check_received(struct place *p)
{
	(void) eio_flow_close(p->far);
	expect_whole(p, p->a.fired ? TEXT : "");
	eio_mock_pair_fini(&p->pair);
}

static void turn_around(struct place *p)
{
	struct eio_flow f = p->f;

	p->f = p->far;
	p->far = f;
}

static int drain(void *arg)
{
	struct place *p = arg;

	while (read_on(p, 2) > 0)
		;
	p->drained = true;
	return 0;
}

static void start_draining(struct place *p)
{
	turn_around(p);
	expect_ok(eio_fork(&p->sw, drain, p));
}

/* The ends have changed their names if somebody drains. */
static void check_sent(struct place *p)
{
	if (!p->a.fired)
		start_draining(p);
	expect_ok(eio_flow_close(p->far));
	while (!p->drained)
		expect_ok(eio_yield());
	same(p->len, all_or_done(p, LENGTH));
	same(memcmp(p->text, TEXT, p->len), 0);
	eio_mock_pair_fini(&p->pair);
}

static int run_write_some(struct place *p)
{
	const struct iovec iov = {"llo", 3};

	return (int) eio_flow_write_some(p->f, &iov, 1);
}

static void make_room(struct place *p)
{
	turn_around(p);
	same(read_on(p, 2), 2);
}

static void check_some_sent(struct place *p)
{
	if (!p->a.fired)
		make_room(p);
	expect_ok(eio_flow_close(p->far));
	expect_whole(p, p->a.rc == 2 ? "hell" : "he");
	eio_mock_pair_fini(&p->pair);
}

static int run_copy(struct place *p)
{
	return eio_flow_copy(p->f, eio_buffer_sink_init(&p->sink, 0), &p->n);
}

static int run_copy_n(struct place *p)
{
	return eio_flow_copy_n(p->f, eio_buffer_sink_init(&p->sink, 0), PART, NULL, NULL, &p->n);
}

/* What was copied and the rest. */
static void check_copied(struct place *p)
{
	same(p->sink.len, p->n);
	if (p->n)
		memcpy(p->text, p->sink.data, p->n);
	p->len = p->n;
	check_received(p);
	eio_buffer_sink_fini(&p->sink);
}

/* Copies that tell of their pieces to who waits */

static int tell(struct eio_flow dst, struct eio_flow src, struct eio_copy *c)
{
	(void) dst, (void) src;
	return eio_copy_moved(c, PART);
}

static int await_when_told(uint64_t n, void *arg)
{
	same(n, PART);
	return await_promise(arg);
}

static int run_told(struct place *p)
{
	static const struct eio_flow_ops ops = {.name = "teller", .copy_from = tell};

	return eio_flow_copy_n(eio_null(), (struct eio_flow){.ops = &ops}, LENGTH, await_when_told,
			       p, &p->n);
}

static void check_told(struct place *p)
{
	same(p->n, p->a.rc == 0 ? PART : p->a.done);
	same(p->value == p, p->a.rc == 0);
}

/* Networks */

static void new_net(struct place *p)
{
	new_flow(p);
	expect_ok(eio_addr_parse(&p->addr, "127.0.0.1:80"));
	p->net = eio_mock_net_init(&p->net_mock, "net");
	p->listener = eio_mock_listener_init(&p->door, "door", &p->addr);
}

static void end_net(struct place *p)
{
	eio_mock_listener_fini(&p->door);
	eio_mock_net_fini(&p->net_mock);
	eio_mock_flow_fini(&p->mock);
}

static void connection_later(struct place *p)
{
	new_net(p);
	eio_mock_on_connect(&p->net_mock,
			    SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_CONN(&p->f)));
}

static int dial(void *arg)
{
	struct place *p = arg;

	return eio_net_connect(p->net, NULL, &p->addr, NULL, &p->conn);
}

static int run_connect(struct place *p)
{
	return dial(p);
}

/* A look-up at once, then a race of two, of which the first waits. */
static void race_later(struct place *p)
{
	new_net(p);
	p->addrs[0] = p->addr;
	expect_ok(eio_addr_parse(&p->addrs[1], "[::1]:80"));
	eio_mock_on_getaddrinfo(&p->net_mock, SCRIPT(EIO_MOCK_ADDRS(p->addrs, 2)));
	eio_mock_on_connect_to(&p->net_mock, &p->addrs[0],
			       SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_CONN(&p->f)));
	eio_mock_on_connect_to(&p->net_mock, &p->addrs[1], SCRIPT(EIO_MOCK_FAIL(-ENETUNREACH)));
}

static int run_connect_host(struct place *p)
{
	return eio_net_connect_host(p->net, NULL, "host", "http", NULL, &p->conn);
}

static void addresses_later(struct place *p)
{
	new_net(p);
	eio_mock_on_getaddrinfo(&p->net_mock,
				SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_ADDRS(&p->addr, 1)));
}

static int look_up(void *arg)
{
	struct place *p = arg;
	struct eio_addr_info *list;
	size_t n;
	int rc = eio_net_getaddrinfo(p->net, "host", "http", EIO_SOCKET_ANY, &list, &n);

	if (rc < 0)
		return rc;
	same(n, 1);
	same(eio_addr_equal(&list[0].addr, &p->addr), true);
	free(list);
	return 0;
}

static int run_look_up(struct place *p)
{
	return look_up(p);
}

static void names_later(struct place *p)
{
	new_net(p);
	eio_mock_on_getnameinfo(
		&p->net_mock, SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_NAMES("host", "http")));
}

static int ask_names(void *arg)
{
	struct place *p = arg;

	p->text[0] = '\0';
	return eio_net_getnameinfo(p->net, &p->addr, p->text, sizeof(p->text), NULL, 0, 0);
}

static int run_names(struct place *p)
{
	int rc = ask_names(p);

	same(strcmp(p->text, rc == 0 ? "host" : ""), 0);
	return rc;
}

static void listener_later(struct place *p)
{
	new_net(p);
	eio_mock_on_listen(&p->net_mock,
			   SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_LISTENER(&p->listener)));
}

static int listen_there(void *arg)
{
	struct place *p = arg;

	return eio_net_listen(p->net, NULL, &p->addr, NULL, &p->got);
}

static int run_listen(struct place *p)
{
	return listen_there(p);
}

static void visitor_later(struct place *p)
{
	new_net(p);
	eio_mock_on_accept(&p->door, SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_CONN(&p->f)));
}

static int answer(void *arg)
{
	struct place *p = arg;

	return eio_net_accept(p->listener, NULL, &p->conn, NULL);
}

static int run_accept(struct place *p)
{
	return answer(p);
}

static int run_accept_closed(struct place *p)
{
	int rc = answer(p);

	return rc == -EBADF ? 0 : rc;
}

static void close_door(struct place *p)
{
	expect_ok(eio_listener_close(p->listener));
}

static void check_closed(struct place *p)
{
	same(eio_listener_close(p->listener), p->a.fired ? -EBADF : 0);
	same(answer(p), -EBADF);
	end_net(p);
}

/* The script gives one: the call has it, or the next call gets it. */
static void expect_one(struct place *p, eio_fn *next, int none)
{
	resolve_unless_fired(p, next);
	if (p->a.rc < 0)
		expect_ok(next(p));
	same(next(p), none);
	end_net(p);
}

static void check_connect(struct place *p)
{
	expect_one(p, dial, -ECONNREFUSED);
	ck_assert_ptr_eq(p->conn.u.ptr, p->f.u.ptr);
}

static void check_look_up(struct place *p)
{
	expect_one(p, look_up, EIO_EAI(EAI_NONAME));
}

static void check_names(struct place *p)
{
	expect_one(p, ask_names, EIO_EAI(EAI_NONAME));
}

static void check_listen(struct place *p)
{
	expect_one(p, listen_there, -EADDRNOTAVAIL);
	ck_assert_ptr_eq(p->got.u.ptr, p->listener.u.ptr);
}

static void check_accept(struct place *p)
{
	expect_one(p, answer, -ENODATA);
	ck_assert_ptr_eq(p->conn.u.ptr, p->f.u.ptr);
}

static int serve(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct place *p = arg;

	(void) conn, (void) peer;
	p->served++;
	return 0;
}

static int serve_one(void *arg)
{
	struct place *p = arg;

	return eio_net_accept_fork(p->listener, &p->sw, serve, p, NULL);
}

static int run_accept_fork(struct place *p)
{
	return serve_one(p);
}

static bool hung_up(struct eio_flow f)
{
	return eio_flow_shutdown(f, EIO_SHUT_ALL) == -EBADF;
}

/* Whoever is served is hung up on. */
static void check_served(struct place *p)
{
	same(p->served, p->a.rc == 0);
	same(hung_up(p->f), p->a.rc == 0);
	expect_one(p, serve_one, -ENODATA);
	same(p->served, 1);
}

static void one_visitor(struct place *p)
{
	new_net(p);
	eio_mock_on_accept(&p->door, SCRIPT(EIO_MOCK_CONN(&p->f), EIO_MOCK_AWAIT(&p->promise)));
}

static int run_server(struct place *p)
{
	const struct eio_server_opts opts = {.stop = &p->stop};

	return eio_net_run_server(p->listener, serve, p, &opts);
}

static void stop_server(struct place *p)
{
	expect_ok(eio_promise_resolve(&p->stop, 0, NULL));
}

/* The listener stays open, and nobody has its turn. */
static void check_server(struct place *p)
{
	same(hung_up(p->f), p->served == 1);
	if (p->served == 0)
		expect_ok(answer(p));
	resolve(p);
	same(answer(p), -ENODATA);
	end_net(p);
}

/* Datagrams: what is scripted is got by the call, or by the next one */

static void new_post(struct place *p)
{
	new_net(p);
	p->d = eio_mock_dgram_init(&p->post, "post", NULL);
}

static void end_post(struct place *p)
{
	eio_mock_dgram_fini(&p->post);
	end_net(p);
}

static void socket_later(struct place *p)
{
	new_post(p);
	eio_mock_on_datagram(&p->net_mock,
			     SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_DGRAM(&p->d)));
}

static int open_socket(void *arg)
{
	struct place *p = arg;
	struct eio_dgram d;

	return eio_net_datagram(p->net, NULL, &p->addr, NULL, &d);
}

static int run_datagram(struct place *p)
{
	return open_socket(p);
}

static void check_datagram(struct place *p)
{
	resolve_unless_fired(p, open_socket);
	if (p->a.rc < 0)
		expect_ok(open_socket(p));
	same(open_socket(p), -EADDRNOTAVAIL);
	end_post(p);
}

static void datagram_later(struct place *p)
{
	new_post(p);
	eio_mock_on_recv(&p->post, SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_DATA(TEXT)));
}

static int receive(void *arg)
{
	struct place *p = arg;

	return (int) eio_dgram_recv(p->d, p->text, sizeof(p->text), NULL);
}

static int run_recv(struct place *p)
{
	return receive(p);
}

static void check_recv(struct place *p)
{
	resolve_unless_fired(p, receive);
	if (p->a.rc < 0)
		same(receive(p), LENGTH);
	ck_assert_str_eq(p->text, TEXT);
	same(receive(p), -ENODATA);
	end_post(p);
}

static void room_later(struct place *p)
{
	new_post(p);
	eio_mock_on_send(&p->post, SCRIPT(EIO_MOCK_AWAIT(&p->promise), EIO_MOCK_TAKE(LENGTH),
					  EIO_MOCK_FAIL(-EACCES)));
}

static int send_one(void *arg)
{
	struct place *p = arg;
	struct iovec iov = {(char *) TEXT, LENGTH};

	return eio_dgram_send(p->d, NULL, &iov, 1);
}

static int run_send(struct place *p)
{
	return send_one(p);
}

static void check_send(struct place *p)
{
	resolve_unless_fired(p, send_one);
	if (p->a.rc < 0)
		expect_ok(send_one(p));
	same(send_one(p), -EACCES);
	end_post(p);
}

/* Clocks */

static void new_clock(struct place *p)
{
	p->clock = eio_mock_clock_init(&p->hands);
	eio_ticker_init(&p->ticker, p->clock, 10);
}

static void move_hands(struct place *p)
{
	expect_ok(eio_mock_clock_set(&p->hands, 10));
}

static int run_sleep(struct place *p)
{
	return eio_sleep(p->clock, 10);
}

static int run_sleep_until(struct place *p)
{
	return eio_sleep_until(p->clock, 10);
}

static int run_due_sleep(struct place *p)
{
	return eio_sleep_until(p->clock, 0);
}

static int run_ticker(struct place *p)
{
	return eio_ticker_next(&p->ticker);
}

static int run_within(struct place *p)
{
	return eio_timeout_run(p->clock, 10, await_promise, p);
}

static int run_out_of_time(struct place *p)
{
	int rc = eio_timeout_run(p->clock, 10, await_promise, p);

	return rc == -ETIMEDOUT ? 0 : rc;
}

static void check_clock(struct place *p)
{
	same(eio_mock_clock_advance(&p->hands), false);
	eio_mock_clock_fini(&p->hands);
}

/* Domains */

static int run_domain(struct place *p)
{
	return eio_domain_run(eio_mock_domain_mgr(), await_promise, p);
}

static int run_domain_with(struct place *p)
{
	const struct eio_domain_opts opts = {.name = "other"};

	return eio_domain_run_with(eio_mock_domain_mgr(), &opts, await_promise, p);
}

static void check_domain(struct place *p)
{
	same(p->value == p, p->a.rc == 0);
}

static int count(void *arg)
{
	struct place *p = arg;

	p->ran++;
	return 0;
}

static int run_raw(struct place *p)
{
	return eio_domain_run_raw(eio_mock_domain_mgr(), NULL, count, p);
}

static void check_raw(struct place *p)
{
	same(p->ran, p->a.rc == 0);
}

/* Executors with room for two */

static int run_executor_init(struct place *p)
{
	return eio_executor_init(&p->executor, &p->sw, eio_mock_domain_mgr(), 2);
}

static void new_executor(struct place *p)
{
	expect_ok(run_executor_init(p));
}

static int await_stop(void *arg)
{
	struct place *p = arg;

	return eio_promise_await(&p->stop, NULL);
}

static void full_executor(struct place *p)
{
	new_executor(p);
	for (int i = 0; i < 2; i++)
		expect_ok(eio_executor_submit_fork(&p->executor, &p->sw, await_stop, p, 1000,
						   &p->jobs[i]));
}

static int run_submit(struct place *p)
{
	return eio_executor_submit(&p->executor, await_promise, p, 1000);
}

static int run_submit_in_turn(struct place *p)
{
	return eio_executor_submit(&p->executor, count, p, 1000);
}

static int run_submit_fork(struct place *p)
{
	struct eio_switch sw;
	int rc;

	eio_switch_begin(&sw);
	rc = eio_executor_submit_fork(&p->executor, &sw, await_promise, p, 1000, &p->jobs[0]);
	rc = eio_switch_end(&sw, rc);
	eio_promise_peek(&p->jobs[0], &rc, NULL);
	return rc == EIO_EABANDONED ? -ECANCELED : rc;
}

static int submit_two(void *arg)
{
	struct place *p = arg;

	for (int i = 0; i < 2; i++)
		expect_ok(eio_executor_submit(&p->executor, count, p, 1000));
	return 0;
}

static void check_executor(struct place *p)
{
	expect_ok(submit_two(p));
	same(p->ran, 2);
}

static void check_submitted(struct place *p)
{
	check_domain(p);
	check_executor(p);
}

static void check_turn(struct place *p)
{
	unsigned before = p->a.rc == 0;

	same(p->ran, before);
	if (!p->a.fired)
		stop_server(p);
	for (int i = 0; i < 2; i++)
		expect_ok(eio_promise_await(&p->jobs[i], NULL));
	expect_ok(submit_two(p));
	same(p->ran, before + 2);
}

static void check_executor_made(struct place *p)
{
	if (p->a.rc == 0)
		check_executor(p);
}

static const struct call calls[] = {
	{"eio_flow_read", HANDED, text_later, run_read, resolve, check_read},
	{"eio_flow_read in turn", WAITS, text_and_another_reader, run_read, resolve, check_read},
	{"eio_flow_read after a sleep", QUICK, text_after_a_sleep, run_read, NULL,
	 check_read_after_sleep},
	{"eio_flow_read after a call", HANDED, text_after_a_call, run_read, resolve, check_read},
	{"eio_flow_read_exact", HANDED, text_in_pieces, run_read_exact, resolve, check_read},
	{"eio_flow_write", HANDED, taken_in_pieces, run_write, resolve, check_written},
	{"eio_flow_writev", HANDED, taken_in_pieces, run_writev, resolve, check_written},
	{"eio_flow_copy_string", HANDED, taken_in_pieces, run_copy_string, resolve, check_written},
	{"eio_flow_read from a pair", HANDED, new_pair, run_read, send_text, check_received},
	{"eio_flow_write to a pair", WAITS, small_pair, run_write, start_draining, check_sent},
	{"eio_flow_write_some to a pair", HANDED, full_pair, run_write_some, make_room,
	 check_some_sent},
	{"eio_flow_copy from a pair", WAITS, new_pair, run_copy, send_and_close, check_copied},
	{"eio_flow_copy_n from a pair", HANDED, new_pair, run_copy_n, send_text, check_copied},
	{"eio_copy_moved, eio_flow_copy_n", HANDED, NULL, run_told, resolve, check_told},
	{"eio_net_connect", HANDED, connection_later, run_connect, resolve, check_connect},
	{"eio_net_connect_host", HANDED, race_later, run_connect_host, resolve, check_connect},
	{"eio_net_getaddrinfo", HANDED, addresses_later, run_look_up, resolve, check_look_up},
	{"eio_net_getnameinfo", HANDED, names_later, run_names, resolve, check_names},
	{"eio_net_listen", HANDED, listener_later, run_listen, resolve, check_listen},
	{"eio_net_accept", HANDED, visitor_later, run_accept, resolve, check_accept},
	{"eio_net_accept, closed", WAITS, visitor_later, run_accept_closed, close_door,
	 check_closed},
	{"eio_net_accept_fork", HANDED, visitor_later, run_accept_fork, resolve, check_served},
	{"eio_net_run_server", WAITS, one_visitor, run_server, stop_server, check_server},
	{"eio_net_datagram", HANDED, socket_later, run_datagram, resolve, check_datagram},
	{"eio_dgram_recv", HANDED, datagram_later, run_recv, resolve, check_recv},
	{"eio_dgram_send", HANDED, room_later, run_send, resolve, check_send},
	{"eio_sleep", HANDED, new_clock, run_sleep, move_hands, check_clock},
	{"eio_sleep_until", HANDED, new_clock, run_sleep_until, move_hands, check_clock},
	{"eio_sleep_until, due", BEGUN, new_clock, run_due_sleep, NULL, check_clock},
	{"eio_ticker_next", HANDED, new_clock, run_ticker, move_hands, check_clock},
	{"eio_timeout_run", HANDED, new_clock, run_within, resolve, check_clock},
	{"eio_timeout_run, out of time", WAITS, new_clock, run_out_of_time, move_hands,
	 check_clock},
	{"eio_domain_run", HANDED, NULL, run_domain, resolve, check_domain},
	{"eio_domain_run_with", HANDED, NULL, run_domain_with, resolve, check_domain},
	{"eio_domain_run_raw", QUICK, NULL, run_raw, NULL, check_raw},
	{"eio_executor_init", BEGUN, NULL, run_executor_init, NULL, check_executor_made},
	{"eio_executor_submit", HANDED, new_executor, run_submit, resolve, check_submitted},
	{"eio_executor_submit in turn", WAITS, full_executor, run_submit_in_turn, stop_server,
	 check_turn},
	{"eio_executor_submit_fork", HANDED, new_executor, run_submit_fork, resolve,
	 check_submitted},
};

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
}

static void end(struct place *p)
{
	expect_ok(eio_switch_end(&p->sw, 0));
}

static void turn(void)
{
	expect_ok(eio_yield());
}

static const struct sweep all = {calls, COUNT(calls), sizeof(struct place), begin, end, turn};

CORE_TEST(nothing_is_lost_in_a_mock_whenever_the_cancellation_comes)
{
	(void) arg;
	sweep_moments(&all);
	return 0;
}

CORE_TEST(nothing_is_lost_in_a_mock_when_a_limit_expires)
{
	static const int64_t limits[] = {-1, 1, 20000, 100000};

	(void) arg;
	sweep_limits(&all, limits, COUNT(limits));
	return 0;
}

SUITE_MAIN("mock_sweep", false, nothing_is_lost_in_a_mock_whenever_the_cancellation_comes_test,
	   nothing_is_lost_in_a_mock_when_a_limit_expires_test)
