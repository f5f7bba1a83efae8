/* SPDX-License-Identifier: ISC */
/*
 * What domains have in common, with 1 to 16 of them at work: wake-ups, streams, jobs, the table
 * of descriptors, and a server that accepts, reads, writes and closes. What is printed first is
 * the CPU time of an operation: where domains do not contend it is the same for any number of
 * them. With more domains than cores it cannot show all, so what they touch is counted as well,
 * per operation:
 *   atomics  atomic changes of a word, whoever else knows it
 *   failed   of them, in vain: another thread was faster
 *   waits    for a lock that another thread held
 *   process  atomic changes of what belongs to the process, and its mutexes
 * The library is compiled for this program once more, so that it counts (count.h). What belongs
 * to the process is what lies in static storage: the objects of the workloads do not.
 */
#include "bench.h"

#include "base/lock.h"

#include <eio/addr.h>
#include <eio/domain.h>
#include <eio/event.h>
#include <eio/fd.h>
#include <eio/fiber.h>
#include <eio/flow.h>
#include <eio/net.h>
#include <eio/promise.h>
#include <eio/run.h>
#include <eio/stream.h>
#include <eio/switch.h>
#include <eio/sync.h>
#include <eio/time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DOMAINS = 16, LANES = 8, SIZES = 5 };
enum { WAKES = 4000, ITEMS = 50000, JOBS = 4000, OPENS = 100000, USES = 500000, CONNECTIONS = 200 };

/* Counting */

struct counts {
	unsigned long atomics, failed, waits, process;
};

static _Thread_local struct counts own;

extern char __data_start[], _end[];

void bench_count(const volatile void *p, bool failed);
void __real_eio__lock_await(const struct eio__lock *l);
void __wrap_eio__lock_await(const struct eio__lock *l);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);

static bool is_process_wide(const volatile void *p)
{
	return (const volatile char *) p >= __data_start && (const volatile char *) p < _end;
}

void bench_count(const volatile void *p, bool failed)
{
	own.atomics++;
	own.failed += failed;
	own.process += is_process_wide(p);
}

void __wrap_eio__lock_await(const struct eio__lock *l)
{
	own.waits++;
	__real_eio__lock_await(l);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	own.process += is_process_wide(m);
	return __real_pthread_mutex_lock(m);
}

/* The domains of one measurement; what they share is in allocated memory. */

struct place {
	struct eio_semaphore lanes[LANES];
	struct eio_stream stream;
	struct eio_domain_ref ref;
};

struct crowd {
	unsigned n;
	unsigned met; /* how often somebody came to a meeting */
	struct place places[DOMAINS];
	struct eio_stream common;
	struct eio_fd handle;
};

/* One of them. */
struct member {
	struct crowd *crowd;
	const struct work *work;
	struct place *place, *next; /* its own, and the next one's */
	struct counts counts;
	double took;
	pthread_t thread;
};

struct work {
	const char *name;
	void (*run)(struct eio_env *env, struct member *m);
	unsigned operations; /* of each domain */
};

/* Wake-ups: tokens go round the domains, one from each, on each lane. */

struct lane {
	struct eio_semaphore *own, *next;
};

static int pass_tokens(void *arg)
{
	const struct lane *l = arg;
	int rc = 0;

	for (unsigned i = 0; i < WAKES && rc == 0; i++) {
		eio_semaphore_release(l->next);
		rc = eio_semaphore_acquire(l->own);
	}
	return rc;
}

static void wake(struct eio_env *env, struct member *m)
{
	struct eio_switch sw;

	(void) env;
	eio_switch_begin(&sw);
	for (unsigned i = 0; i < LANES; i++) {
		struct lane l = {&m->place->lanes[i], &m->next->lanes[i]};

		bench_check(eio_fork_copy(&sw, pass_tokens, &l, sizeof(l)), "fork");
	}
	bench_check(eio_switch_end(&sw, 0), "wake");
}

/* Streams: each domain adds to the next one's and takes from its own; or all use one. */

static int take_items(void *stream)
{
	uint64_t item;
	int rc = 0;

	for (unsigned i = 0; i < ITEMS && rc == 0; i++)
		rc = eio_stream_take(stream, &item);
	return rc;
}

static void add_and_take(struct eio_stream *to, struct eio_stream *from)
{
	struct eio_switch sw;
	int rc;

	eio_switch_begin(&sw);
	rc = eio_fork(&sw, take_items, from);
	for (uint64_t i = 0; i < ITEMS && rc == 0; i++)
		rc = eio_stream_add(to, &i);
	bench_check(eio_switch_end(&sw, rc), "stream");
}

static void stream(struct eio_env *env, struct member *m)
{
	(void) env;
	add_and_take(&m->next->stream, &m->place->stream);
}

static void stream_common(struct eio_env *env, struct member *m)
{
	(void) env;
	add_and_take(&m->crowd->common, &m->crowd->common);
}

/* Jobs: each domain sends them to the next one, and waits for each. */

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static void submit(struct eio_env *env, struct member *m)
{
	(void) env;
	for (unsigned i = 0; i < JOBS; i++) {
		struct eio_promise p = EIO_PROMISE_INIT;

		bench_check(eio_domain_submit(m->next->ref, nothing, NULL, &p), "submit");
		bench_check(eio_promise_await(&p, NULL), "submit");
	}
}

/* The table of descriptors: handles that come, are used and go, without the kernel's part; and
 * one that all use. */

static void handle(struct eio_env *env, struct member *m)
{
	(void) env, (void) m;
	for (unsigned i = 0; i < OPENS; i++) {
		struct eio_fd fd;

		bench_check(eio_fd_of_unix(NULL, STDOUT_FILENO, 0, &fd), "fd_of_unix");
		bench_check(eio_fd_use(fd), "fd_use");
		eio_fd_unuse(fd);
		bench_check(eio_fd_close(fd), "fd_close");
	}
}

static void handle_common(struct eio_env *env, struct member *m)
{
	(void) env;
	for (unsigned i = 0; i < USES; i++) {
		bench_check(eio_fd_use(m->crowd->handle), "fd_use");
		eio_fd_unuse(m->crowd->handle);
	}
}

/* A server in each domain, and its client: a connection, a request, an answer, the end. */

static int answer(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	char request[64];
	int rc = eio_flow_read_exact(conn, request, sizeof(request));

	(void) peer, (void) arg;
	return rc < 0 ? rc : eio_flow_write(conn, request, sizeof(request));
}

static int run_server(void *listener)
{
	return eio_net_run_server(*(struct eio_listener *) listener, answer, NULL, NULL);
}

static int ask(struct eio_net net, const struct eio_addr *addr)
{
	char text[64] = "a request";
	struct eio_flow conn;
	int rc = eio_net_connect(net, NULL, addr, NULL, &conn);

	if (rc < 0)
		return rc;
	rc = eio_flow_write(conn, text, sizeof(text));
	if (rc >= 0)
		rc = eio_flow_read_exact(conn, text, sizeof(text));
	eio_flow_close(conn);
	return rc;
}

static void server(struct eio_env *env, struct member *m)
{
	struct eio_listener listener;
	struct eio_switch sw;
	struct eio_addr addr;
	int rc;

	(void) m;
	eio_switch_begin(&sw);
	rc = eio_addr_parse(&addr, "127.0.0.1:0");
	bench_check(rc, "address");
	bench_check(eio_net_listen(env->net, &sw, &addr, NULL, &listener), "listen");
	bench_check(eio_listener_addr(listener, &addr), "listener_addr");
	bench_check(eio_fork_daemon(&sw, run_server, &listener), "fork");
	for (unsigned i = 0; i < CONNECTIONS && rc >= 0; i++)
		rc = ask(env->net, &addr);
	bench_check(eio_switch_end(&sw, rc < 0 ? rc : 0), "server");
}

static const struct work works[] = {
	{"wake", wake, LANES *WAKES},
	{"stream", stream, ITEMS},
	{"stream_common", stream_common, ITEMS},
	{"submit", submit, JOBS},
	{"handle", handle, OPENS},
	{"handle_common", handle_common, USES},
	{"server", server, CONNECTIONS},
};

/* Measuring */

/* Waits for all members, as a fiber, so that the domain still does what it is sent. */
static void meet(struct eio_env *env, struct crowd *c)
{
	unsigned until = (__atomic_fetch_add(&c->met, 1, __ATOMIC_ACQ_REL) / c->n + 1) * c->n;

	while (__atomic_load_n(&c->met, __ATOMIC_ACQUIRE) < until)
		bench_check(eio_sleep(env->mono_clock, 50000), "sleep");
}

/* What a domain needs to begin is not counted, nor what it keeps from the first use on. */
static int be_member(struct eio_env *env, void *arg)
{
	struct member *m = arg;
	double start;

	m->place->ref = eio_domain_self();
	meet(env, m->crowd);
	m->work->run(env, m);
	meet(env, m->crowd);
	own = (struct counts){0};
	start = bench_cpu_ns();
	meet(env, m->crowd);
	m->work->run(env, m);
	meet(env, m->crowd);
	m->counts = own;
	m->took = bench_cpu_ns() - start;
	meet(env, m->crowd);
	return 0;
}

static void *run_member(void *arg)
{
	bench_check(eio_run(NULL, be_member, arg), "eio_run");
	return NULL;
}

static struct crowd *crowd_new(unsigned n)
{
	struct crowd *c = calloc(1, sizeof(*c));

	if (!c)
		bench_fail("no memory");
	c->n = n;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < LANES; j++)
			eio_semaphore_init(&c->places[i].lanes[j], 0);
		bench_check(eio_stream_init(&c->places[i].stream, sizeof(uint64_t), 100), "stream");
	}
	bench_check(eio_stream_init(&c->common, sizeof(uint64_t), 100), "stream");
	bench_check(eio_fd_of_unix(NULL, STDOUT_FILENO, 0, &c->handle), "fd_of_unix");
	return c;
}

static void crowd_free(struct crowd *c)
{
	bench_check(eio_fd_close(c->handle), "fd_close");
	eio_stream_fini(&c->common, NULL, NULL);
	for (unsigned i = 0; i < c->n; i++)
		eio_stream_fini(&c->places[i].stream, NULL, NULL);
	free(c);
}

/* What is printed of one work with so many domains, per operation. */
enum { TIME, ATOMICS, FAILED, WAITS, PROCESS, FIGURES };

static void measure(const struct work *w, unsigned n, struct bench_value *figures)
{
	struct member members[DOMAINS];
	struct crowd *c = crowd_new(n);
	struct counts sum = {0};
	double operations = (double) w->operations * n;

	for (unsigned i = 0; i < n; i++) {
		members[i] = (struct member){.crowd = c, .work = w};
		members[i].place = &c->places[i];
		members[i].next = &c->places[(i + 1) % n];
		bench_check(-pthread_create(&members[i].thread, NULL, run_member, &members[i]),
			    "thread");
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(members[i].thread, NULL);
		sum.atomics += members[i].counts.atomics;
		sum.failed += members[i].counts.failed;
		sum.waits += members[i].counts.waits;
		sum.process += members[i].counts.process;
	}
	crowd_free(c);
	bench_add(&figures[TIME], members[0].took / operations);
	bench_add(&figures[ATOMICS], (double) sum.atomics / operations);
	bench_add(&figures[FAILED], (double) sum.failed / operations);
	bench_add(&figures[WAITS], (double) sum.waits / operations);
	bench_add(&figures[PROCESS], (double) sum.process / operations);
}

static struct bench_value figures[BENCH_LEN(works)][SIZES][FIGURES];

static void name_figures(void)
{
	static const char *const kinds[FIGURES] = {"", "_atomics", "_failed", "_waits", "_process"};
	static char names[BENCH_LEN(works)][SIZES][FIGURES][40];

	for (size_t w = 0; w < BENCH_LEN(works); w++) {
		for (unsigned i = 0; i < SIZES * FIGURES; i++) {
			unsigned size = i / FIGURES, kind = i % FIGURES;
			char *name = names[w][size][kind];

			snprintf(name, sizeof(names[w][size][kind]), "%s_%u%s", works[w].name,
				 1u << size, kinds[kind]);
			figures[w][size][kind] = (struct bench_value){
				.name = name, .unit = kind == TIME ? "ns" : "per_op"};
		}
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = bench_parse(argc, argv,
				      "Counts what domains contend for, 1 to 16 of them.", 5, NULL);

	name_figures();
	for (; rounds; rounds--) {
		for (size_t w = 0; w < BENCH_LEN(works); w++) {
			for (unsigned size = 0; size < SIZES; size++)
				measure(&works[w], 1u << size, figures[w][size]);
		}
	}
	bench_print(figures[0][0], sizeof(figures) / sizeof(figures[0][0][0]));
	return 0;
}
