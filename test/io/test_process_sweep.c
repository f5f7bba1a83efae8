/* SPDX-License-Identifier: ISC */
/*
 * Every call on processes that may suspend, cancelled at every moment. Whatever comes out, no
 * descriptor, fiber or child is left.
 */
#include "faults.h"
#include "io/util.h"
#include "sweep.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct place {
	struct attempt a;
	struct eio_switch sw;
	struct eio_flow in; /* what the program waits for */
	int raw;            /* its far end; 0: none */
	struct eio_flow_counter counter;
	struct eio_string_source string;
	struct eio_buffer_sink sink;
	struct eio_process process;
	int status;
	char parsed;
};

/* Ends well when it has got a byte, which it passes on. */
static const char *const argv[] = {"head", "-c", "1", NULL};

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
	p->status = -1;
}

static void end(struct place *p)
{
	if (p->raw)
		close(p->raw);
	expect_ok(eio_switch_end(&p->sw, 0));
	eio_buffer_sink_fini(&p->sink);
	expect_no_children();
}

static void step(void)
{
	trips(1);
}

static void pipe_end(struct place *p)
{
	struct eio_fd fd;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	expect_ok(eio_fd_of_unix(&p->sw, ends[0], EIO_FD_CLOSE, &fd));
	p->in = eio_flow_of_fd(fd);
	p->raw = ends[1];
}

static void pipe_without_descriptor(struct place *p)
{
	pipe_end(p);
	p->in = eio_flow_counter_init(&p->counter, p->in);
}

static void put_byte(struct place *p)
{
	ck_assert_int_eq(write(p->raw, "x", 1), 1);
}

/* With copies to and from it. */
static int spawn(struct place *p)
{
	struct eio_flow in = eio_string_source_init(&p->string, "x", 1);
	struct eio_flow out = eio_buffer_sink_init(&p->sink, 0);
	struct eio_spawn spawn = {.argv = argv, .in = &in, .out = &out};

	return eio_process_spawn(env->process_mgr, &p->sw, &spawn, &p->process);
}

static void check_spawned(struct place *p)
{
	same(eio_process_pid(p->process) > 0, p->a.rc == 0);
	if (p->a.rc == 0)
		expect_ok(eio_process_await(p->process, &p->status));
	same(p->status, p->a.rc == 0 ? 0 : -1);
}

static void spawned(struct place *p)
{
	struct eio_flow null = eio_null();
	struct eio_spawn spawn = {.argv = argv, .out = &null};

	pipe_end(p);
	spawn.in = &p->in;
	expect_ok(eio_process_spawn(env->process_mgr, &p->sw, &spawn, &p->process));
}

static int await(struct place *p)
{
	return eio_process_await(p->process, &p->status);
}

static void check_awaited(struct place *p)
{
	same(p->status, p->a.rc == 0 ? 0 : -1);
	if (!p->a.fired) {
		same(kill(eio_process_pid(p->process), 0), 0);
		expect_ok(eio_process_signal(p->process, SIGKILL));
	}
}

static int run(struct place *p)
{
	struct eio_flow out = eio_buffer_sink_init(&p->sink, 0);
	struct eio_spawn spawn = {.argv = argv, .in = &p->in, .out = &out};

	return eio_process_run(env->process_mgr, &spawn, &p->status);
}

static void check_run(struct place *p)
{
	expect_no_children();
	same(p->status, p->a.rc == 0 ? 0 : -1);
	if (p->a.rc == 0)
		same(p->sink.len, 1);
}

static int parse(struct eio_buf_reader *r, void *arg)
{
	return eio_buf_read_any_char(r, arg);
}

static int parse_out(struct place *p)
{
	struct eio_spawn spawn = {.argv = argv, .in = &p->in};

	return eio_process_parse_out(env->process_mgr, &spawn, parse, &p->parsed, &p->status);
}

static void check_parsed(struct place *p)
{
	expect_no_children();
	same(p->status, p->a.rc >= 0 ? 0 : -1);
	if (p->a.rc >= 0)
		same(p->parsed, 'x');
}

static const struct call calls[] = {
	{"eio_process_spawn", QUICK, NULL, spawn, NULL, check_spawned},
	{"eio_process_await", WAITS, spawned, await, put_byte, check_awaited},
	{"eio_process_run", WAITS, pipe_end, run, put_byte, check_run},
	{"eio_process_run, with a copy", WAITS, pipe_without_descriptor, run, put_byte, check_run},
	{"eio_process_parse_out", WAITS, pipe_end, parse_out, put_byte, check_parsed},
};

static const struct sweep all = {calls, COUNT(calls), sizeof(struct place), begin, end, step};

RING_TEST(nothing_is_lost_whenever_the_cancellation_comes)
{
	(void) arg;
	sweep_moments(&all);
	return 0;
}

START_TEST(nothing_is_lost_when_the_kernel_is_odd)
{
	struct faults odd = {.seed = 45,
			     .eintr = 30,
			     .eagain = 20,
			     .reorder = 100,
			     .eintr_after = 20,
			     .transient = 40,
			     .deaf = 64};

	faults_install(&odd);
	run_ring(nothing_is_lost_whenever_the_cancellation_comes, 0);
	ck_assert_uint_gt(odd.refused + odd.deafened, 10);
}
END_TEST

RING_TEST(nothing_is_lost_when_a_limit_expires)
{
	static const int64_t limits[] = {-1, 1, 300000, EIO_MS(2)};

	(void) arg;
	sweep_limits(&all, limits, COUNT(limits));
	return 0;
}

SUITE_MAIN("process_sweep", true, nothing_is_lost_whenever_the_cancellation_comes_test,
	   nothing_is_lost_when_the_kernel_is_odd, nothing_is_lost_when_a_limit_expires_test)
