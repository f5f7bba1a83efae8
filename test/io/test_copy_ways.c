/* SPDX-License-Identifier: ISC */
/*
 * Which way copies go, and that each is as good as the common one: what is refused on a
 * short way goes on by the common way, and what is slow is told of while it goes.
 */
#include "faults.h"
#include "io/script.h"

#include <dlfcn.h>
#include <eio/low_level.h>
#include <eio/mock.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The calls that short ways make, which may be refused from the nth on. */

struct calls {
	unsigned made, refuse_from; /* 0: none is refused */
	int err;                    /* 0: refused is the end */
};

static struct calls splices, ranges;

static bool is_refused(struct calls *c)
{
	c->made++;
	if (!c->refuse_from || c->made < c->refuse_from)
		return false;
	errno = c->err;
	return true;
}

static bool may_wait; /* a splice that was not told not to */
static bool no_cachestat;
static long (*real_syscall)(long, ...);

/* Before a test that has no memory. */
static __attribute__((constructor)) void find_syscall(void)
{
	*(void **) &real_syscall = dlsym(RTLD_NEXT, "syscall");
}

long syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == 451 && no_cachestat) {
		errno = ENOSYS;
		return -1;
	}
	return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags)
{
	may_wait |= !(flags & SPLICE_F_NONBLOCK);
	if (is_refused(&splices))
		return splices.err ? -1 : 0;
	return real_syscall(SYS_splice, from, from_at, to, to_at, len, flags);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t len,
			unsigned flags)
{
	if (is_refused(&ranges))
		return ranges.err ? -1 : 0;
	return real_syscall(SYS_copy_file_range, from, from_at, to, to_at, len, flags);
}

/* Two ends */

enum { LEN = 3000000 };

static char pattern[LEN], found[LEN + 1];

enum end { REGULAR, PIPE };

struct copying {
	struct eio_flow from, to;
	struct eio_flow source, sink; /* the far ends of pipes */
	size_t arrived;
	bool good;
};

static int feed(void *arg)
{
	struct copying *c = arg;

	expect_ok(eio_flow_write(c->source, pattern, LEN));
	return eio_flow_close(c->source);
}

static int take(void *arg)
{
	static char b[65536];
	struct copying *c = arg;
	ssize_t n;

	c->good = true;
	while ((n = eio_flow_read(c->sink, b, sizeof(b))) > 0) {
		c->good &= is_filled(b, (size_t) n, c->arrived);
		c->arrived += (size_t) n;
	}
	return (int) n;
}

static struct eio_flow a_file(struct eio_switch *sw, size_t len)
{
	struct eio_fd fd = file_on(sw);

	ck_assert_int_eq(pwrite(number(fd), pattern, len, 0), (ssize_t) len);
	return eio_flow_of_fd(fd);
}

static void copying_begin(struct eio_switch *sw, struct copying *c, enum end from, enum end to)
{
	*c = (struct copying){.good = true};
	if (from == REGULAR) {
		c->from = a_file(sw, LEN);
	} else {
		flow_pipe(sw, &c->from, &c->source);
		expect_ok(eio_fork(sw, feed, c));
	}
	if (to == REGULAR) {
		c->to = eio_flow_of_fd(file_on(sw));
	} else {
		flow_pipe(sw, &c->sink, &c->to);
		expect_ok(eio_fork(sw, take, c));
	}
}

/* All of it arrives. */
static void copy_whole(enum end from, enum end to)
{
	struct eio_switch sw;
	struct copying c;
	uint64_t n;

	eio_switch_begin(&sw);
	copying_begin(&sw, &c, from, to);
	expect_ok(eio_flow_copy(c.from, c.to, &n));
	ck_assert_uint_eq(n, LEN);
	if (to == REGULAR) {
		ck_assert_int_eq(pread(flow_number(c.to), found, LEN + 1, 0), LEN);
		c.arrived = LEN;
		c.good = is_filled(found, LEN, 0);
	}
	expect_ok(eio_flow_close(c.to));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(c.good);
	ck_assert_uint_eq(c.arrived, LEN);
}

static struct faults watched;

/* What a copy between these ends used. */
struct used {
	unsigned calls, ranges, entries;
};

static struct used copy_used(enum end from, enum end to)
{
	unsigned entries = watched.entries[IORING_OP_SPLICE];

	splices.made = ranges.made = 0;
	copy_whole(from, to);
	ck_assert(!may_wait);
	return (struct used){splices.made, ranges.made,
			     watched.entries[IORING_OP_SPLICE] - entries};
}

static int use_short_ways(void *arg)
{
	struct used u;

	(void) arg;
	u = copy_used(REGULAR, PIPE);
	ck_assert(u.calls > 0 && !u.ranges && !u.entries);
	u = copy_used(PIPE, PIPE);
	ck_assert(u.calls > 0 && !u.ranges && !u.entries);
	u = copy_used(PIPE, REGULAR);
	ck_assert(!u.calls && !u.ranges && u.entries > 0);
	u = copy_used(REGULAR, REGULAR);
	ck_assert(!u.calls && u.ranges > 0 && !u.entries);
	return 0;
}

START_TEST(files_and_pipes_have_short_ways)
{
	fill(pattern, LEN, 0);
	watched = (struct faults){.seed = 1};
	faults_install(&watched);
	run_ring(use_short_ways, 0);
}
END_TEST

/* A call to a pipe nobody reads raises the signal. */
static int make_no_calls_to_pipes(void *arg)
{
	(void) arg;
	ck_assert_uint_eq(copy_used(REGULAR, PIPE).calls, 0);
	ck_assert_uint_eq(copy_used(PIPE, PIPE).calls, 0);
	ck_assert_uint_gt(copy_used(REGULAR, REGULAR).ranges, 0);
	return 0;
}

START_TEST(where_SIGPIPE_is_the_programs_no_calls_are_made_to_pipes)
{
	fill(pattern, LEN, 0);
	run_ring_with(&(struct eio_config){.flags = EIO_RUN_KEEP_SIGPIPE}, make_no_calls_to_pipes,
		      0);
}
END_TEST

static int copy_by_what_is_allowed(void *arg)
{
	(void) arg;
	for (int i = 0; i < 4; i++) {
		struct used u = copy_used(i / 2 ? PIPE : REGULAR, i % 2 ? PIPE : REGULAR);

		ck_assert(!u.calls && !u.ranges && !u.entries);
	}
	return 0;
}

START_TEST(a_restricted_domain_reads_and_writes)
{
	static const uint8_t ops[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_WRITEV,
				      IORING_OP_POLL_ADD};
	struct eio_config config = {
		.flags = EIO_RUN_RESTRICT, .allowed_ops = ops, .n_allowed_ops = COUNT(ops)};

	fill(pattern, LEN, 0);
	watched = (struct faults){.seed = 1};
	faults_install(&watched);
	run_ring_with(&config, copy_by_what_is_allowed, 0);
}
END_TEST

/* From any call on, with whatever it says: nothing is lost, and nothing comes twice. */
RING_TEST(what_is_refused_on_a_short_way_goes_on_by_the_common_way)
{
	static const int codes[] = {EINVAL, EXDEV, EOPNOTSUPP, EBADF, EIO, 0};

	(void) arg;
	fill(pattern, LEN, 0);
	for (unsigned from = 1; from <= 3; from++) {
		for (size_t i = 0; i < COUNT(codes); i++) {
			ranges = (struct calls){.refuse_from = from, .err = codes[i]};
			copy_whole(REGULAR, REGULAR);
			ck_assert_uint_eq(ranges.made, from);
		}
		splices = (struct calls){.refuse_from = from, .err = EINVAL};
		copy_whole(REGULAR, PIPE);
		ck_assert_uint_eq(splices.made, from);
		splices.made = 0;
		copy_whole(PIPE, PIPE);
		ck_assert_uint_eq(splices.made, from);
	}
	ranges = splices = (struct calls){.made = 0};
	return 0;
}

static int refuse_ring_splices(void *arg)
{
	(void) arg;
	for (unsigned nth = 1; nth <= 3; nth++) {
		watched.refuse.nth = nth;
		watched.refuse.times = 1;
		watched.refuse.opcode = IORING_OP_SPLICE;
		watched.refuse.err = -EINVAL;
		copy_whole(PIPE, REGULAR);
	}
	ck_assert_uint_eq(watched.refused, 3);
	return 0;
}

START_TEST(a_splice_that_the_ring_refuses_goes_on_by_the_common_way)
{
	fill(pattern, LEN, 0);
	watched = (struct faults){.seed = 1};
	faults_install(&watched);
	run_ring(refuse_ring_splices, 0);
}
END_TEST

static int send_what_may_wait(void *arg)
{
	struct used u;

	(void) arg;
	no_cachestat = true;
	u = copy_used(REGULAR, PIPE);
	no_cachestat = false;
	/* At the end there is nothing to wait for. */
	ck_assert(u.calls <= 1 && u.entries > 0);
	return 0;
}

START_TEST(what_may_wait_for_a_disk_is_left_to_the_ring)
{
	fill(pattern, LEN, 0);
	watched = (struct faults){.seed = 1};
	faults_install(&watched);
	run_ring(send_what_may_wait, 0);
}
END_TEST

struct piped {
	struct eio_flow from, to;
	uint64_t n;
};

static int copy_piped(void *arg)
{
	struct piped *p = arg;

	return eio_flow_copy(p->from, p->to, &p->n);
}

static bool is_full(int unix_fd)
{
	struct pollfd p = {.fd = unix_fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 0;
}

/* While the copy waits for its reader the file's pages may leave the cache. */
static int wait_for_reader(void *arg)
{
	struct eio_promise end = EIO_PROMISE_INIT;
	struct copying c = {.good = true};
	struct eio_switch sw;
	struct piped p;
	unsigned calls;

	(void) arg;
	eio_switch_begin(&sw);
	p.from = a_file(&sw, LEN);
	flow_pipe(&sw, &c.sink, &p.to);
	expect_ok(eio_fork_promise(&sw, copy_piped, &p, &end));
	splices.made = 0;
	wait_until(is_full(flow_number(p.to)));
	trips(2);
	calls = splices.made;
	ck_assert_uint_gt(calls, 0);
	ck_assert_uint_eq(watched.entries[IORING_OP_SPLICE], 0);
	no_cachestat = true;
	expect_ok(eio_fork(&sw, take, &c));
	expect_ok(eio_promise_await(&end, NULL));
	no_cachestat = false;
	ck_assert_uint_eq(p.n, LEN);
	ck_assert_uint_le(splices.made, calls + 1);
	ck_assert_uint_gt(watched.entries[IORING_OP_SPLICE], 0);
	expect_ok(eio_flow_close(p.to));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert(c.good);
	ck_assert_uint_eq(c.arrived, LEN);
	return 0;
}

START_TEST(what_is_cached_is_looked_for_again_after_waiting)
{
	fill(pattern, LEN, 0);
	watched = (struct faults){.seed = 1};
	faults_install(&watched);
	run_ring(wait_for_reader, 0);
}
END_TEST

/* For bytes, and then for room: one call finds out, and none is made until it is there. */
RING_TEST(a_copy_between_pipes_that_waits_does_nothing)
{
	struct eio_promise end = EIO_PROMISE_INIT;
	struct eio_flow near, far;
	struct eio_switch sw;
	struct piped p;
	size_t full;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &p.from, &near);
	flow_pipe(&sw, &far, &p.to);
	full = write_until_full(flow_number(p.to));
	splices.made = 0;
	expect_ok(eio_fork_promise(&sw, copy_piped, &p, &end));
	trips(30);
	ck_assert_uint_eq(splices.made, 1);
	expect_ok(eio_flow_write(near, "abc", 3));
	trips(30);
	ck_assert_uint_le(splices.made, 2);
	read_off(flow_number(far), full);
	expect_ok(eio_flow_close(near));
	expect_ok(eio_promise_await(&end, NULL));
	ck_assert_uint_eq(p.n, 3);
	ck_assert_uint_le(splices.made, 5);
	return eio_switch_end(&sw, 0);
}

/* Nobody reads, and nobody need. */
RING_TEST(a_copy_that_just_fills_a_pipe_ends)
{
	(void) arg;
	fill(pattern, LEN, 0);
	for (int i = 0; i < 2; i++) {
		struct eio_flow from, w, far, to;
		struct eio_switch sw;
		uint64_t n;
		int size;

		eio_switch_begin(&sw);
		flow_pipe(&sw, &far, &to);
		size = fcntl(flow_number(to), F_GETPIPE_SZ);
		if (i == 0) {
			from = a_file(&sw, (size_t) size);
		} else {
			flow_pipe(&sw, &from, &w);
			expect_ok(eio_flow_write(w, pattern, (size_t) size));
			expect_ok(eio_flow_close(w));
		}
		expect_ok(eio_flow_copy(from, to, &n));
		ck_assert_uint_eq(n, (uint64_t) size);
		ck_assert(is_full(flow_number(to)));
		expect_ok(eio_flow_copy(a_file(&sw, 0), to, &n));
		ck_assert_uint_eq(n, 0);
		expect_ok(eio_flow_read_exact(far, found, (size_t) size));
		ck_assert(is_filled(found, (size_t) size, 0));
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* One at a time, and nobody reads: a reference for each would fill the pipe. */
RING_TEST(a_pipe_takes_many_small_messages)
{
	enum { MESSAGES = 200 };
	struct eio_promise end = EIO_PROMISE_INIT;
	struct eio_flow near, far;
	struct eio_switch sw;
	struct piped p;

	(void) arg;
	fill(pattern, 3 * MESSAGES, 0);
	eio_switch_begin(&sw);
	flow_pipe(&sw, &p.from, &near);
	flow_pipe(&sw, &far, &p.to);
	expect_ok(eio_fork_promise(&sw, copy_piped, &p, &end));
	for (int i = 0; i < MESSAGES; i++) {
		expect_ok(eio_flow_write(near, pattern + 3 * i, 3));
		wait_until(readable_bytes(flow_number(far)) == 3 * (i + 1));
	}
	expect_ok(eio_flow_close(near));
	expect_ok(eio_promise_await(&end, NULL));
	ck_assert_uint_eq(p.n, 3 * MESSAGES);
	expect_ok(eio_flow_read_exact(far, found, 3 * MESSAGES));
	ck_assert(is_filled(found, 3 * MESSAGES, 0));
	return eio_switch_end(&sw, 0);
}

RING_TEST(copies_to_a_counter_go_the_ways_of_what_it_counts)
{
	struct eio_flow_counter count;
	struct eio_switch sw;
	struct copying c;
	uint64_t n;

	(void) arg;
	fill(pattern, LEN, 0);
	for (int i = 0; i < 3; i++) {
		splices.made = ranges.made = 0;
		eio_switch_begin(&sw);
		copying_begin(&sw, &c, i == 1 ? PIPE : REGULAR, i == 2 ? REGULAR : PIPE);
		expect_ok(eio_flow_copy(c.from, eio_flow_counter_init(&count, c.to), &n));
		ck_assert_uint_eq(n, LEN);
		ck_assert_uint_eq(count.written, LEN);
		ck_assert_uint_gt(i == 2 ? ranges.made : splices.made, 0);
		expect_ok(eio_flow_close(c.to));
		expect_ok(eio_switch_end(&sw, 0));
		ck_assert_uint_eq(c.arrived, i == 2 ? 0 : LEN);
		ck_assert(c.good);
	}
	return 0;
}

/* A file without a size may be one that waits: no call is made for it. */
RING_TEST(what_only_pretends_to_be_a_file_is_left_to_the_ring)
{
	struct eio_switch sw;
	struct eio_flow f, r, w;
	struct eio_buffer_sink text;

	(void) arg;
	eio_switch_begin(&sw);
	splices.made = 0;
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_fs_open_in(env->fs, &sw, i ? "/proc/self/cmdline" : "/proc/version",
					 &f));
		flow_pipe(&sw, &r, &w);
		expect_ok(eio_flow_copy(f, w, NULL));
		expect_ok(eio_flow_close(w));
		expect_ok(eio_flow_copy(r, eio_buffer_sink_init(&text, 0), NULL));
		ck_assert_uint_gt(text.len, 0);
		eio_buffer_sink_fini(&text);
	}
	ck_assert_uint_eq(splices.made, 0);
	return eio_switch_end(&sw, 0);
}

/* Places in files */

RING_TEST(a_copy_appends_where_writes_do)
{
	struct eio_switch sw;
	struct eio_flow from, to;
	char text[16] = "";

	(void) arg;
	eio_switch_begin(&sw);
	memcpy(pattern, "abcdef", 6);
	from = a_file(&sw, 6);
	to = a_file(&sw, 3);
	ck_assert_int_eq(lseek(flow_number(from), 3, SEEK_SET), 3);
	ck_assert_int_eq(fcntl(flow_number(to), F_SETFL, O_APPEND), 0);
	expect_ok(eio_flow_copy(from, to, NULL));
	ck_assert_int_eq(pread(flow_number(to), text, sizeof(text), 0), 6);
	ck_assert_str_eq(text, "abcdef");
	return eio_switch_end(&sw, 0);
}

/* By two descriptors, to a place behind. */
RING_TEST(a_file_is_copied_to_itself)
{
	struct eio_switch sw;
	struct eio_fd again;
	struct eio_flow from, to;
	char text[16] = "", name[64];
	uint64_t n;

	(void) arg;
	eio_switch_begin(&sw);
	memcpy(pattern, "abcdef", 6);
	from = a_file(&sw, 6);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", flow_number(from));
	expect_ok(eio_fd_of_unix(&sw, open(name, O_WRONLY | O_CLOEXEC), EIO_FD_CLOSE, &again));
	to = eio_flow_of_fd(again);
	ck_assert_int_eq(lseek(flow_number(to), 6, SEEK_SET), 6);
	expect_ok(eio_flow_copy_n(from, to, 6, NULL, NULL, &n));
	ck_assert_uint_eq(n, 6);
	ck_assert_int_eq(pread(flow_number(from), text, sizeof(text), 0), 12);
	ck_assert_str_eq(text, "abcdefabcdef");
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_pipe_is_not_spliced_to_itself)
{
	struct eio_switch sw;
	struct eio_flow r, w;
	char text[4] = "";
	uint64_t n;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &r, &w);
	expect_ok(eio_flow_write(w, "abc", 3));
	expect_ok(eio_flow_copy_n(r, w, 3, NULL, NULL, &n));
	ck_assert_uint_eq(n, 3);
	expect_ok(eio_flow_read_exact(r, text, 3));
	ck_assert_str_eq(text, "abc");
	return eio_switch_end(&sw, 0);
}

/* Slow ends */

static int hear(uint64_t n, void *arg)
{
	*(uint64_t *) arg += n;
	note("%llu", (unsigned long long) n);
	return 0;
}

/* Each step of a piece, whichever way the bytes come. */
MOCK_TEST(what_a_slow_sink_takes_is_told_of_step_by_step)
{
	struct script to = {.step = 4}, from = {.len = 10};
	struct eio_string_source s;
	uint64_t n = 0;

	(void) arg;
	fill(pattern, 10, 0);
	expect_ok(eio_flow_copy_n(script_source(&from), script_sink(&to), 10, hear, &n, NULL));
	expect_log("4 4 2");
	to.done = 0;
	expect_ok(eio_flow_copy_n(eio_string_source_init(&s, pattern, 10), script_sink(&to), 9,
				  hear, &n, NULL));
	expect_log("4 4 1");
	return 0;
}

/* One view, or one free buffer, would take it all. */
MOCK_TEST(large_pieces_are_told_of_before_all_is_there)
{
	struct eio_string_source s;
	struct eio_buffer_sink sink;
	struct script all = {.len = 2 * LEN};
	struct eio_flow to = eio_buffer_sink_init(&sink, 0);
	uint64_t n = 0;

	(void) arg;
	fill(pattern, LEN, 0);
	expect_ok(eio_flow_copy_n(eio_string_source_init(&s, pattern, LEN), eio_null(), LEN, hear,
				  &n, NULL));
	expect_log("1048576 1048576 902848");
	/* A file would be read without a pause. */
	expect_ok(eio_flow_copy(script_source(&all), to, NULL));
	sink.len = 0;
	all.done = 0;
	expect_ok(eio_flow_copy_n(script_source(&all), to, LEN, hear, &n, NULL));
	expect_log("1048576 1048576 902848");
	eio_buffer_sink_fini(&sink);
	return 0;
}

struct limited {
	struct eio_clock clock;
	struct eio_timeout limit;
	struct eio_flow from, to;
	uint64_t n;
	int rc;
};

static int restart_limit(uint64_t n, void *arg)
{
	struct limited *l = arg;

	(void) n;
	eio_timeout_reset(&l->limit, 100);
	return 0;
}

static int copy_within_limit(void *arg)
{
	struct limited *l = arg;
	int rc;

	eio_timeout_begin(&l->limit, l->clock, 100);
	rc = eio_flow_copy_n(l->from, l->to, UINT64_MAX, restart_limit, l, &l->n);
	l->rc = eio_timeout_end(&l->limit, rc);
	return 0;
}

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		expect_ok(eio_yield());
}

/* It goes on for much longer than the limit, and ends when nothing moves for as long. */
CORE_TEST(a_limit_on_idle_time_ends_a_copy_that_is_idle_and_no_other)
{
	struct eio_mock_pair a, b;
	struct eio_mock_clock hands;
	struct limited l = {.rc = 1};
	struct eio_flow near, far;
	struct eio_switch sw;
	char text[4] = "";

	(void) arg;
	expect_ok(eio_mock_pair_init(&a, 0, &near, &l.from));
	expect_ok(eio_mock_pair_init(&b, 2, &l.to, &far));
	l.clock = eio_mock_clock_init(&hands);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, copy_within_limit, &l));
	for (int i = 1; i <= 10; i++) {
		turns();
		/* Alternating: it waits for bytes, or for room to write the rest. */
		if (i % 2)
			expect_ok(eio_flow_write(near, "abc", 3));
		else
			expect_ok(eio_flow_read_exact(far, text, 3));
		turns();
		expect_ok(eio_mock_clock_set(&hands, i * 99));
		turns();
		ck_assert_int_eq(l.rc, 1);
	}
	expect_ok(eio_mock_clock_set(&hands, 10 * 99 + 1));
	turns();
	expect_err(l.rc, -ETIMEDOUT);
	ck_assert_uint_eq(l.n, 15);
	expect_ok(eio_switch_end(&sw, 0));
	eio_mock_clock_fini(&hands);
	eio_mock_pair_fini(&a);
	eio_mock_pair_fini(&b);
	return 0;
}

RING_TEST(a_copy_between_pipes_needs_no_memory)
{
	struct eio_flow near, far;
	struct eio_switch sw;
	struct piped p;
	char text[8] = "";
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	eio_switch_begin(&sw);
	flow_pipe(&sw, &p.from, &near);
	flow_pipe(&sw, &far, &p.to);
	expect_ok(eio_flow_write(near, "abc", 3));
	expect_ok(eio_flow_close(near));
	use_memory_up(1);
	rc = copy_piped(&p);
	give_memory_back();
	expect_ok(rc);
	ck_assert_uint_eq(p.n, 3);
	expect_err(eio_flow_read(far, text, 8), 3);
	ck_assert_str_eq(text, "abc");
	return eio_switch_end(&sw, 0);
}

/* Sources that lend small buffers: the sizes come from a list, over and over. */

struct lender {
	const size_t *sizes;
	size_t n, calls, done, len;
	unsigned lent, read, out;
};

static size_t lender_next(struct lender *l, size_t max)
{
	size_t n = l->sizes[l->calls++ % l->n];

	n = n < max ? n : max;
	return n < l->len - l->done ? n : l->len - l->done;
}

static bool lender_release(struct eio_view *view, size_t used)
{
	struct lender *l = view->ptr;

	l->out--;
	return used == view->len;
}

static ssize_t lender_borrow(struct eio_flow f, size_t max, struct eio_view *ret)
{
	struct lender *l = f.u.ptr;
	size_t n = lender_next(l, max);

	if (n == 0)
		return 0;
	l->lent++;
	l->out++;
	*ret = (struct eio_view){pattern + l->done, n, lender_release, l, 0};
	l->done += n;
	return (ssize_t) n;
}

static ssize_t lender_read(struct eio_flow f, void *buf, size_t len)
{
	struct lender *l = f.u.ptr;
	size_t n = lender_next(l, len);

	l->read++;
	memcpy(buf, pattern + l->done, n);
	l->done += n;
	return (ssize_t) n;
}

static const struct eio_flow_ops lender_ops = {
	.name = "lender", .read = lender_read, .borrow = lender_borrow};

static void copy_lent(struct lender *l, const size_t *sizes, size_t n)
{
	struct eio_flow f = {.ops = &lender_ops, .u.ptr = l};
	struct script to = {.step = 0};
	uint64_t copied;
	int rc;

	*l = (struct lender){.sizes = sizes, .n = n, .len = LEN};
	rc = eio_flow_copy(f, script_sink(&to), &copied);
	expect_ok(rc);
	ck_assert_uint_eq(copied, LEN);
	ck_assert_uint_eq(to.done, LEN);
	ck_assert_uint_eq(l->out, 0);
}

MOCK_TEST(what_a_source_lends_is_used_while_it_is_little_or_much)
{
	static const size_t little[] = {4095}, much[] = {65536, 100000}, between[] = {20000};
	static const size_t changing[] = {100, 5000, 5000, 5000, 100};
	struct lender l;

	(void) arg;
	fill(pattern, LEN, 0);
	copy_lent(&l, little, 1);
	ck_assert_uint_eq(l.read, 0);
	copy_lent(&l, much, 2);
	ck_assert_uint_le(l.read, 1); /* the rest may be small */
	copy_lent(&l, between, 1);
	ck_assert_uint_eq(l.lent, 1);
	/* Borrowed until much comes, read until little does. */
	copy_lent(&l, changing, 5);
	ck_assert_uint_gt(l.lent, 100);
	ck_assert_uint_gt(l.read, 100);
	return 0;
}

static int lend_without_memory(void *arg)
{
	static const size_t little[] = {4095};
	struct lender l = {.sizes = little, .n = 1, .len = 40000};
	struct eio_flow f = {.ops = &lender_ops, .u.ptr = &l};
	uint64_t n;
	int rc;

	(void) arg;
	use_memory_up(1);
	rc = eio_flow_copy(f, eio_null(), &n);
	give_memory_back();
	expect_ok(rc);
	ck_assert_uint_eq(n, 40000);
	return 0;
}

MOCK_TEST(a_copy_of_what_is_lent_needs_no_memory)
{
	return SANITIZED ? 0 : lend_without_memory(arg);
}

/* Closed meanwhile */

RING_TEST(a_copy_whose_pipe_is_closed_ends_with_EBADF)
{
	(void) arg;
	for (int which = 0; which < 2; which++) {
		struct eio_promise end = EIO_PROMISE_INIT;
		struct eio_flow near, far;
		struct eio_switch sw;
		struct piped p;

		eio_switch_begin(&sw);
		flow_pipe(&sw, &p.from, &near);
		flow_pipe(&sw, &far, &p.to);
		expect_ok(eio_fork_promise(&sw, copy_piped, &p, &end));
		trips(2);
		expect_ok(eio_flow_close(which ? p.to : p.from));
		/* Who waits is not disturbed. */
		trips(2);
		ck_assert(!eio_promise_peek(&end, NULL, NULL));
		expect_ok(eio_flow_write(near, "abc", 3));
		expect_err(eio_promise_await(&end, NULL), -EBADF);
		ck_assert_uint_eq(p.n, 0);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/* Much */

struct flood {
	uint64_t left;
};

/* Whatever is in the buffer. */
static ssize_t flood_read(struct eio_flow f, void *buf, size_t len)
{
	struct flood *s = f.u.ptr;
	size_t n = len < s->left ? len : (size_t) s->left;

	(void) buf;
	s->left -= n;
	return (ssize_t) n;
}

static const struct eio_flow_ops flood_ops = {.name = "flood", .read = flood_read};

static int send_flood(void *arg)
{
	struct flood source = {.left = 1 << 30};
	struct eio_flow_counter count;
	struct eio_flow f = {.ops = &flood_ops, .u.ptr = &source}, to = *(struct eio_flow *) arg;
	uint64_t n;

	expect_ok(eio_flow_copy(f, eio_flow_counter_init(&count, to), &n));
	ck_assert_uint_eq(n, 1 << 30);
	ck_assert_uint_eq(count.written, n);
	return eio_flow_shutdown(to, EIO_SHUT_SEND);
}

static long peak_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* Generated, through a connection, and taken out of it again. */
RING_TEST(a_gigabyte_goes_through_a_connection_and_takes_no_memory)
{
	struct eio_flow_counter count;
	struct eio_flow a, b;
	struct eio_switch sw;
	long before = peak_kb();
	uint64_t n;

	(void) arg;
	eio_switch_begin(&sw);
	flow_pair(&sw, &a, &b);
	expect_ok(eio_fork(&sw, send_flood, &a));
	expect_ok(eio_flow_copy(eio_flow_counter_init(&count, b), eio_null(), &n));
	ck_assert_uint_eq(n, 1 << 30);
	ck_assert_uint_eq(count.read, n);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_int_lt(peak_kb() - before, SANITIZED ? 200000 : 8000);
	return 0;
}

MOCK_TEST(counts_go_beyond_32_bits)
{
	enum { GIB = 1 << 30 };
	struct flood s = {.left = (uint64_t) 5 * GIB + 1};
	struct eio_flow f = {.ops = &flood_ops, .u.ptr = &s};
	struct eio_flow_counter in, out;
	uint64_t n;

	(void) arg;
	expect_ok(eio_flow_copy_n(eio_flow_counter_init(&in, f),
				  eio_flow_counter_init(&out, eio_null()), (uint64_t) 5 * GIB, NULL,
				  NULL, &n));
	ck_assert_uint_eq(n, (uint64_t) 5 * GIB);
	ck_assert_uint_eq(in.read, n);
	ck_assert_uint_eq(out.written, n);
	ck_assert_uint_eq(s.left, 1);
	return 0;
}

SUITE_MAIN("copy_ways", false, files_and_pipes_have_short_ways,
	   where_SIGPIPE_is_the_programs_no_calls_are_made_to_pipes,
	   a_restricted_domain_reads_and_writes,
	   what_is_refused_on_a_short_way_goes_on_by_the_common_way_test,
	   a_splice_that_the_ring_refuses_goes_on_by_the_common_way,
	   what_may_wait_for_a_disk_is_left_to_the_ring,
	   what_is_cached_is_looked_for_again_after_waiting,
	   a_copy_between_pipes_that_waits_does_nothing_test,
	   a_copy_that_just_fills_a_pipe_ends_test, a_pipe_takes_many_small_messages_test,
	   copies_to_a_counter_go_the_ways_of_what_it_counts_test,
	   what_only_pretends_to_be_a_file_is_left_to_the_ring_test,
	   a_copy_appends_where_writes_do_test, a_file_is_copied_to_itself_test,
	   a_pipe_is_not_spliced_to_itself_test,
	   what_a_slow_sink_takes_is_told_of_step_by_step_test,
	   large_pieces_are_told_of_before_all_is_there_test,
	   a_limit_on_idle_time_ends_a_copy_that_is_idle_and_no_other_test,
	   a_copy_between_pipes_needs_no_memory_test,
	   what_a_source_lends_is_used_while_it_is_little_or_much_test,
	   a_copy_of_what_is_lent_needs_no_memory_test,
	   a_copy_whose_pipe_is_closed_ends_with_EBADF_test,
	   a_gigabyte_goes_through_a_connection_and_takes_no_memory_test,
	   counts_go_beyond_32_bits_test)
