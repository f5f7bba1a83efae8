/* SPDX-License-Identifier: ISC */
/*
 * A mixed load under every fault at once, from many seeds: bytes arrive as they were sent,
 * and nothing is left behind. EIO_TEST_SEED runs one seed alone.
 */
#include "faults.h"
#include "support.h"
#include "uring/util.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEEDS = SANITIZED ? 20 : 200, BYTES = 20000, PIECE = 3000 };

static struct faults faults;
static uint64_t seed;

static size_t below(size_t n)
{
	return (size_t) (faults_random(&seed) % n);
}

/* Streams: a writer and a reader of the same pattern, each with whatever call comes. */
struct stream {
	struct eio_fd r, w;
	size_t from; /* which pattern */
	bool is_socket;
};

static int put_block(struct eio_fd fd, const char *data, size_t len, int64_t off)
{
	struct eio_chunk c;
	int rc = eio_ll_alloc_fixed_or_wait(&c);

	if (rc < 0)
		return rc;
	memcpy(c.data, data, len);
	rc = eio_ll_write(fd, c, len, off);
	eio_ll_free_fixed(c);
	return rc;
}

static int put_vector(struct eio_fd fd, char *data, size_t len, int64_t off)
{
	size_t cut = below(len + 1), cut2 = cut + below(len - cut + 1);
	struct iovec iov[4] = {
		{data, cut}, {NULL, 0}, {data + cut, cut2 - cut}, {data + cut2, len - cut2}};

	return eio_ll_writev(fd, iov, 4, off);
}

static int send_all(struct eio_fd fd, const char *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = eio_ll_send(fd, data + done, len - done, 0);

		if (n < 0)
			return (int) n;
		done += (size_t) n;
	}
	return 0;
}

static int put(struct stream *s, char *data, size_t len)
{
	switch (below(s->is_socket ? 4 : 3)) {
	case 0:
		return eio_ll_write_all(s->w, data, len, EIO_CURRENT);
	case 1:
		return put_vector(s->w, data, len, EIO_CURRENT);
	case 2:
		return put_block(s->w, data, len, EIO_CURRENT);
	default:
		return send_all(s->w, data, len);
	}
}

static int write_stream(void *arg)
{
	struct stream *s = arg;
	char data[PIECE];

	for (size_t done = 0, n; done < BYTES; done += n) {
		n = 1 + below(PIECE);
		if (n > BYTES - done)
			n = BYTES - done;
		fill(data, n, s->from + done);
		expect_ok(put(s, data, n));
	}
	return s->is_socket ? eio_ll_shutdown(s->w, SHUT_WR) : eio_fd_close(s->w);
}

static ssize_t get_block(struct eio_fd fd, char *data, size_t len)
{
	struct eio_chunk c;
	ssize_t n = eio_ll_alloc_fixed_or_wait(&c);

	if (n < 0)
		return n;
	n = eio_ll_read_upto(fd, c, len, EIO_CURRENT);
	if (n > 0)
		memcpy(data, c.data, (size_t) n);
	eio_ll_free_fixed(c);
	return n;
}

static ssize_t get(struct stream *s, char *data, size_t len)
{
	size_t cut = below(len);
	struct iovec iov[2] = {{data, cut}, {data + cut, len - cut}};
	int rc;

	switch (below(s->is_socket ? 5 : 4)) {
	case 0:
		return eio_ll_read(s->r, data, len, EIO_CURRENT);
	case 1:
		return eio_ll_readv(s->r, cut ? iov : iov + 1, cut ? 2 : 1, EIO_CURRENT);
	case 2:
		return get_block(s->r, data, len);
	case 3:
		rc = eio_ll_await_readable(s->r);
		return rc < 0 ? rc : eio_ll_read(s->r, data, len, EIO_CURRENT);
	default:
		return eio_ll_recv(s->r, data, len, 0);
	}
}

static int read_stream(void *arg)
{
	struct stream *s = arg;
	char data[PIECE];
	size_t done = 0;
	ssize_t n;

	while ((n = get(s, data, 1 + below(PIECE))) > 0) {
		ck_assert_msg(is_filled(data, (size_t) n, s->from + done),
			      "bytes %zu to %zu are others", done, done + (size_t) n);
		done += (size_t) n;
	}
	expect_ok(n);
	ck_assert_uint_eq(done, BYTES);
	return 0;
}

/* A connection by whichever family. */
static int connect_stream(void *arg)
{
	static const char *const at[] = {"127.0.0.1:0", "[::1]:0"};
	size_t from = (size_t) (uintptr_t) arg;
	struct stream up = {.from = from, .is_socket = true}, down = up;
	struct eio_switch sw;
	struct eio_addr addr;
	struct eio_fd l;

	eio_switch_begin(&sw);
	l = listen_on(&sw, at[from % 2], &addr);
	expect_ok(eio_ll_socket(&sw, from % 2 ? AF_INET6 : AF_INET, SOCK_STREAM, 0, &up.w));
	expect_ok(eio_ll_connect(up.w, &addr));
	expect_ok(eio_ll_accept(&sw, l, &up.r, NULL));
	expect_ok(eio_ll_close_listener(l));
	down.r = up.w;
	down.w = up.r;
	down.from = from + 7777;
	expect_ok(eio_fork(&sw, read_stream, &up));
	expect_ok(eio_fork(&sw, read_stream, &down));
	expect_ok(eio_fork(&sw, write_stream, &up));
	expect_ok(eio_fork(&sw, write_stream, &down));
	return eio_switch_end(&sw, 0);
}

/* A file in pieces at explicit offsets. */
static int write_file(void *arg)
{
	size_t from = (size_t) (uintptr_t) arg;
	struct eio_switch sw;
	struct eio_chunk c;
	struct eio_fd fd;
	char data[PIECE];

	eio_switch_begin(&sw);
	fd = file_on(&sw);
	for (size_t at = BYTES; at > 0;) {
		size_t n = 1 + below(PIECE);

		n = n > at ? at : n;
		at -= n;
		fill(data, n, from + at);
		if (below(2))
			expect_ok(put_vector(fd, data, n, (int64_t) at));
		else
			expect_ok(put_block(fd, data, n, (int64_t) at));
		if (below(4) == 0)
			expect_ok(eio_ll_fdatasync(fd));
	}
	for (size_t at = 0, n; at < BYTES; at += n) {
		n = BYTES - at > 4096 ? 4096 : BYTES - at;
		expect_ok(eio_ll_alloc_fixed_or_wait(&c));
		expect_ok(eio_ll_read_exactly(fd, c, n, (int64_t) at));
		ck_assert(is_filled(c.data, n, from + at));
		eio_ll_free_fixed(c);
	}
	return eio_switch_end(&sw, 0);
}

/* A reader that is cancelled again and again by a time limit: what it took and what is
 * left are what was written. */
struct victim {
	struct eio_fd r, w;
	size_t taken;
	char data[64];
};

static int take_some(void *arg)
{
	struct victim *v = arg;

	for (;;) {
		ssize_t n = eio_ll_read(v->r, v->data, 1 + below(sizeof(v->data)), EIO_CURRENT);

		if (n <= 0)
			return (int) n;
		ck_assert(is_filled(v->data, (size_t) n, v->taken));
		v->taken += (size_t) n;
	}
}

static int cancel_again_and_again(void *arg)
{
	struct eio_switch sw;
	struct victim v = {.taken = 0};
	size_t written = 0;
	char data[256];

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &v.r, &v.w);
	for (int i = 0; i < 10; i++) {
		size_t n = below(sizeof(data) + 1);

		fill(data, n, written);
		expect_ok(eio_ll_write_all(v.w, data, n, EIO_CURRENT));
		written += n;
		expect_err(eio_timeout_run(env->mono_clock, (int64_t) below(300000), take_some, &v),
			   -ETIMEDOUT);
		ck_assert_uint_eq(v.taken + (size_t) readable_bytes(number(v.r)), written);
	}
	return eio_switch_end(&sw, 0);
}

static int mixed_load(void *arg)
{
	struct stream streams[4];
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (unsigned i = 0; i < 4; i++) {
		streams[i] = (struct stream){.from = i * 1000, .is_socket = i % 2};
		if (i % 2)
			pair_on(&sw, &streams[i].r, &streams[i].w);
		else
			pipe_on(&sw, &streams[i].r, &streams[i].w);
		expect_ok(eio_fork(&sw, write_stream, &streams[i]));
		expect_ok(eio_fork(&sw, read_stream, &streams[i]));
	}
	for (uintptr_t i = 0; i < 2; i++) {
		expect_ok(eio_fork(&sw, connect_stream, (void *) (i + 10)));
		expect_ok(eio_fork(&sw, write_file, (void *) (i + 100)));
		expect_ok(eio_fork(&sw, cancel_again_and_again, NULL));
	}
	return eio_switch_end(&sw, 0);
}

static void run_seed(uint64_t n)
{
	static const unsigned depths[] = {1, 2, 4, 16, 256};
	struct eio_config config = {.n_blocks = 3};

	seed = n;
	config.queue_depth = depths[below(5)];
	if (below(4) == 0)
		config.flags = EIO_RUN_NO_FIXED;
	faults = (struct faults){
		.seed = n,
		.shorten = (unsigned) below(257),
		.eintr = (unsigned) below(64),
		.eagain = (unsigned) below(4),
		.ebusy = (unsigned) below(64),
		.eintr_after = (unsigned) below(64),
		.reorder = (unsigned) below(257),
		.deaf = (unsigned) below(64),
		.transient = (unsigned) below(64),
	};
	run_ring_with(&config, mixed_load, 0);
}

START_TEST(bytes_are_intact_and_nothing_leaks_whatever_fails)
{
	const char *one = getenv("EIO_TEST_SEED");

	faults_install(&faults);
	if (one) {
		run_seed(strtoull(one, NULL, 0));
		return;
	}
	for (uint64_t n = 1; n <= SEEDS; n++) {
		printf("seed %d\r", (int) n); /* the last line tells which one failed */
		fflush(stdout);
		run_seed(n);
	}
}
END_TEST

/* The injector does what it says: without this the test above proves little. */
static int short_load(void *arg)
{
	struct stream s = {.from = 5};
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	pipe_on(&sw, &s.r, &s.w);
	expect_ok(eio_fork(&sw, write_stream, &s));
	expect_ok(eio_fork(&sw, read_stream, &s));
	expect_ok(eio_fork(&sw, cancel_again_and_again, NULL));
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_uint_gt(faults.shortened, 10);
	ck_assert_uint_gt(faults.refused, 10);
	ck_assert_uint_gt(faults.failed_enters, 10);
	ck_assert_uint_gt(faults.reordered, 0);
	ck_assert_uint_gt(faults.deafened, 0);
	return 0;
}

START_TEST(every_fault_happens)
{
	faults = (struct faults){
		.seed = 1,
		.shorten = 128,
		.eintr = 32,
		.ebusy = 32,
		.eintr_after = 32,
		.reorder = 256,
		.deaf = 128,
		.transient = 32,
	};
	faults_install(&faults);
	run_ring_with(&(struct eio_config){.n_blocks = 3}, short_load, 0);
}
END_TEST

/* The same seed, the same faults. */
static unsigned happened[2];

static int count_faults(void *arg)
{
	struct stream s = {.from = 5};
	struct eio_switch sw;

	(void) arg;
	seed = 77;
	eio_switch_begin(&sw);
	pipe_on(&sw, &s.r, &s.w);
	expect_ok(eio_fork(&sw, write_stream, &s));
	expect_ok(eio_fork(&sw, read_stream, &s));
	expect_ok(eio_switch_end(&sw, 0));
	happened[0] = happened[1];
	happened[1] = faults.shortened * 1000 + faults.refused;
	return 0;
}

START_TEST(a_seed_decides_everything)
{
	faults_install(&faults);
	for (int i = 0; i < 2; i++) {
		faults = (struct faults){.seed = 5, .shorten = 64, .transient = 32};
		run_ring(count_faults, 0);
	}
	ck_assert_uint_gt(happened[0], 0);
	ck_assert_uint_eq(happened[0], happened[1]);
}
END_TEST

SUITE_MAIN("faults", true, bytes_are_intact_and_nothing_leaks_whatever_fails, every_fault_happens,
	   a_seed_decides_everything)
