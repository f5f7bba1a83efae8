/* SPDX-License-Identifier: ISC */
/*
 * Sending without copying, beside plain sends, in pieces of several sizes over a TCP
 * connection within the machine: by the library and by bare liburing with the same set-up. A
 * thread reads it all. No send waits for the release of a buffer but the last ones.
 *
 * Within a machine the receiver's side copies what the sender did not, so this is the worst
 * case: what it costs to look up pages and to be told of releases. The figures are those of
 * both sides together if they share a core.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <eio/fiber.h>
#include <eio/low_level.h>
#include <eio/run.h>

enum { MIB = 1 << 20, TOTAL = 32 * MIB, DEPTH = 64 };

/* Newer than liburing 2.3's header. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif

static struct io_uring ring;
static int out, in, done[2];
static struct eio_fd out_handle;
static char *plain, *fixed; /* MIB each; the latter is a registered block in the domain */

/* The other side: tells of each TOTAL bytes. */
static void *read_it(void *arg)
{
	char *buf = malloc(MIB);
	size_t got = 0;
	ssize_t n;

	while (buf && (n = recv(in, buf, MIB, 0)) > 0) {
		got += (size_t) n;
		if (got >= TOTAL && write(done[1], "", 1) == 1)
			got -= TOTAL;
	}
	free(buf);
	return arg;
}

static void connect_both(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	const int size = MIB / 4;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t t;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	out = socket(AF_INET, SOCK_STREAM, 0);
	/* They stay as they are, and what is in them in the caches: else one measures these. */
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(out, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(l, (struct sockaddr *) &at, len) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *) &at, &len) < 0 ||
	    connect(out, (struct sockaddr *) &at, len) < 0 || pipe(done) < 0)
		bench_fail("a connection: %s", strerror(errno));
	in = accept(l, NULL, NULL);
	close(l);
	if (in < 0 || pthread_create(&t, NULL, read_it, NULL) != 0)
		bench_fail("a connection: %s", strerror(errno));
	pthread_detach(t);
}

static void await_reader(void)
{
	char b;

	if (read(done[0], &b, 1) != 1)
		bench_fail("the reader is gone");
}

/* Bare liburing */

static unsigned raw_busy;

/* Reaps until there is a result, or until nothing is left. */
static int raw_wait(int all)
{
	struct io_uring_cqe *cqe;
	int rc = 1;

	while (all ? raw_busy > 0 : rc > 0) {
		if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe) < 0)
			bench_fail("submit_and_wait");
		if (!(cqe->flags & IORING_CQE_F_NOTIF))
			rc = cqe->res < 0 ? cqe->res : 0;
		raw_busy -= !(cqe->flags & IORING_CQE_F_MORE);
		io_uring_cqe_seen(&ring, cqe);
	}
	return rc;
}

static void raw_send(size_t size, int zc)
{
	for (size_t sent = 0; sent < TOTAL; sent += size) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (zc)
			io_uring_prep_send_zc(sqe, out, plain, size, MSG_WAITALL, 0);
		else
			io_uring_prep_send(sqe, out, plain, size, MSG_WAITALL);
		raw_busy++;
		if (raw_wait(0) < 0)
			bench_fail("a raw send failed");
	}
	raw_wait(1);
}

static void raw_plain(size_t size)
{
	raw_send(size, 0);
}

static void raw_zc(size_t size)
{
	raw_send(size, 1);
}

/* The library */

static void eio_plain(size_t size)
{
	for (size_t sent = 0; sent < TOTAL; sent += size)
		bench_check((int) eio_ll_send(out_handle, plain, size, MSG_WAITALL), "send");
}

static uint64_t sends, copied;

static void zc_from(const char *buf, size_t size)
{
	struct eio_ll_zc z = {.threshold = 1};

	for (size_t sent = 0; sent < TOTAL; sent += size)
		bench_check((int) eio_ll_send_zc(out_handle, buf, size, MSG_WAITALL, &z),
			    "send_zc");
	eio_ll_zc_end(&z);
	sends += z.sends;
	copied += z.copied;
}

static void eio_zc(size_t size)
{
	zc_from(plain, size);
}

static void eio_fixed(size_t size)
{
	zc_from(fixed, size);
}

/* Measuring */

enum { PLAIN, PLAIN_RAW, ZC, ZC_RAW, FIXED, WAYS };

static const struct {
	const char *name;
	void (*send)(size_t size);
} ways[WAYS] = {
	[PLAIN] = {"send", eio_plain},
	[PLAIN_RAW] = {"send_raw", raw_plain},
	[ZC] = {"send_zc", eio_zc},
	[ZC_RAW] = {"send_zc_raw", raw_zc},
	[FIXED] = {"send_zc_fixed", eio_fixed},
};

static double once(int way, size_t size)
{
	double start = bench_now_ns();

	ways[way].send(size);
	await_reader();
	return (bench_now_ns() - start) / 1e3 / (TOTAL / MIB);
}

static void measure_size(size_t size, unsigned rounds)
{
	struct bench_value values[WAYS] = {{.n = 0}};
	char names[WAYS][64], ratio[64];

	for (int way = 0; way < WAYS; way++) {
		snprintf(names[way], sizeof(names[way]), "%s_%zuk", ways[way].name, size / 1024);
		values[way].name = names[way];
		values[way].unit = "us/MiB";
		once(way, size);
	}
	for (unsigned r = 0; r < rounds; r++) {
		for (int way = 0; way < WAYS; way++)
			bench_add(&values[way], once(way, size));
	}
	bench_print(values, WAYS);
	snprintf(ratio, sizeof(ratio), "send_%zuk_vs_raw", size / 1024);
	bench_print_ratio(ratio, &values[PLAIN], &values[PLAIN_RAW]);
	snprintf(ratio, sizeof(ratio), "send_zc_%zuk_vs_raw", size / 1024);
	bench_print_ratio(ratio, &values[ZC], &values[ZC_RAW]);
	snprintf(ratio, sizeof(ratio), "send_zc_%zuk_vs_send", size / 1024);
	bench_print_ratio(ratio, &values[ZC], &values[PLAIN]);
	snprintf(ratio, sizeof(ratio), "send_zc_fixed_%zuk_vs_send", size / 1024);
	bench_print_ratio(ratio, &values[FIXED], &values[PLAIN]);
}

static int measure(struct eio_env *env, void *arg)
{
	const size_t sizes[] = {4096, 16384, 65536, MIB};
	struct eio_switch sw;
	struct eio_chunk c;

	(void) env;
	eio_switch_begin(&sw);
	bench_check(eio_fd_of_unix(&sw, out, 0, &out_handle), "the socket");
	bench_check(eio_ll_alloc_fixed(&c), "a fixed buffer");
	fixed = c.data;
	memset(fixed, 1, MIB);
	for (size_t i = 0; i < BENCH_LEN(sizes); i++)
		measure_size(sizes[i], *(unsigned *) arg);
	eio_ll_free_fixed(c);
	return eio_switch_end(&sw, 0);
}

static void set_up_raw(void)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
	};

	bench_check(io_uring_queue_init_params(DEPTH, &ring, &p), "a ring with DEFER_TASKRUN");
	bench_check(io_uring_register_ring_fd(&ring), "registering the ring's descriptor");
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv, "Measures sends that do not copy.", 15, NULL);
	struct eio_config config = {.n_blocks = 1, .block_size = MIB};

	plain = malloc(MIB);
	if (!plain)
		bench_fail("no memory");
	memset(plain, 1, MIB);
	set_up_raw();
	connect_both();
	bench_check(eio_run(&config, measure, &rounds), "eio_run");
	printf("send_zc_copied %.3f of 1\n", sends ? (double) copied / (double) sends : 0.0);
	io_uring_queue_exit(&ring);
	free(plain);
	return 0;
}
