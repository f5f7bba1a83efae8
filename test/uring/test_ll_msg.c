/* SPDX-License-Identifier: ISC */
/*
 * Messages between rings: nothing is lost, nothing arrives at a port that has ended, and a
 * port's end waits for what is on its way.
 */
#include "core/timer.h"
#include "faults.h"
#include "support.h"
#include "uring/sched.h"
#include "uring/util.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* Another domain, which runs fn(arg) as its main fiber. */
struct peer {
	eio_fn *fn;
	void *arg;
	struct eio_config config;
	struct eio_promise ended;
	pthread_t thread;
};

static int peer_main(struct eio_env *e, void *arg)
{
	struct peer *p = arg;

	(void) e;
	return p->fn(p->arg);
}

static void *run_peer(void *arg)
{
	struct peer *p = arg;
	int rc = eio_run(&p->config, peer_main, p);

	expect_ok(eio_promise_resolve(&p->ended, rc, NULL));
	return NULL;
}

static void start(struct peer *p, eio_fn *fn, void *arg)
{
	p->fn = fn;
	p->arg = arg;
	p->ended = (struct eio_promise) EIO_PROMISE_INIT;
	ck_assert_int_eq(pthread_create(&p->thread, NULL, run_peer, p), 0);
}

static void end_well(struct peer *p)
{
	expect_ok(eio_promise_await(&p->ended, NULL));
	pthread_join(p->thread, NULL);
}

static int in_domain(eio_fn *fn, void *arg)
{
	struct peer p = {.config = {0}};
	int rc;

	start(&p, fn, arg);
	rc = eio_promise_await(&p.ended, NULL);
	pthread_join(p.thread, NULL);
	return rc;
}

/* A port with its queue. */
struct mailbox {
	struct eio_ll_port port;
	struct eio_ll_port_ref ref;
	uint32_t queue[16];
};

static void open_mailbox(struct mailbox *m, unsigned capacity)
{
	expect_ok(eio_ll_port_begin(&m->port, m->queue, capacity, &m->ref));
}

static void expect_message(struct mailbox *m, uint32_t want)
{
	uint32_t got = ~want;

	expect_ok(eio_ll_port_receive(&m->port, &got));
	ck_assert_uint_eq(got, want);
}

/* What one sends */

struct sender {
	struct eio_ll_port_ref to;
	unsigned n;
	uint32_t from;
	unsigned full; /* how often the queue was full */
};

static int send_all(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < s->n; i++) {
		int rc;

		while ((rc = eio_ll_port_send(s->to, s->from + i)) == -EAGAIN) {
			s->full++;
			expect_ok(eio_yield());
		}
		expect_ok(rc);
	}
	return 0;
}

RING_TEST(messages_of_another_domain_arrive_in_order)
{
	struct peer other = {.config = {0}};
	struct mailbox m;
	struct sender s = {.n = 4000, .from = UINT32_MAX - 2000};

	(void) arg;
	open_mailbox(&m, 16);
	s.to = m.ref;
	start(&other, send_all, &s);
	for (unsigned i = 0; i < s.n; i++)
		expect_message(&m, s.from + i);
	end_well(&other);
	expect_err(eio_ll_port_end(&m.port), 0);
	return 0;
}

/* The receiver sleeps each time. */
static int send_slowly(void *arg)
{
	for (uint32_t i = 0; i < 5; i++) {
		eio_ll_sleep_until(eio__now() + EIO_MS(2));
		expect_ok(eio_ll_port_send(((struct mailbox *) arg)->ref, i));
	}
	return 0;
}

RING_TEST(a_message_wakes_a_domain_that_sleeps)
{
	struct peer other = {.config = {0}};
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 5);
	start(&other, send_slowly, &m);
	for (uint32_t i = 0; i < 5; i++)
		expect_message(&m, i);
	end_well(&other);
	expect_err(eio_ll_port_end(&m.port), 0);
	return 0;
}

static int send_one(void *arg)
{
	return eio_ll_port_send(((struct mailbox *) arg)->ref, 3);
}

/* As after any other wake-up from there. */
RING_TEST(after_a_message_the_domain_looks_out_for_the_next)
{
	struct eio__uring *u = eio__uring_self();
	struct peer other = {.config = {0}};
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 1);
	expect_ok(eio_ll_port_send(m.ref, 3));
	expect_message(&m, 3);
	ck_assert(!u->spins);
	start(&other, send_one, &m);
	expect_message(&m, 3);
	ck_assert(u->spins);
	end_well(&other);
	expect_err(eio_ll_port_end(&m.port), 0);
	return 0;
}

RING_TEST(messages_of_the_own_domain_arrive)
{
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 2);
	expect_ok(eio_ll_port_send(m.ref, 1));
	expect_ok(eio_ll_port_send(m.ref, UINT32_MAX));
	expect_message(&m, 1);
	expect_ok(eio_ll_port_send(m.ref, 3));
	expect_message(&m, UINT32_MAX);
	expect_message(&m, 3);
	expect_err(eio_ll_port_end(&m.port), 0);
	return 0;
}

/* Several fibers in each of two domains; each number comes once. */
enum { SENDERS = 8, EACH = 300 };

struct crowd {
	struct eio_ll_port_ref to;
	uint32_t from;
};

static int send_of_crowd(void *arg)
{
	return send_all(arg);
}

static int send_from_many_fibers(void *arg)
{
	struct crowd *c = arg;
	struct sender senders[SENDERS];
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.to = c->to, .n = EACH, .from = c->from + i * EACH};
		expect_ok(eio_fork(&sw, send_of_crowd, &senders[i]));
	}
	return eio_switch_end(&sw, 0);
}

RING_TEST(nothing_is_lost_among_many_senders)
{
	static unsigned char seen[2 * SENDERS * EACH];
	struct peer others[2] = {{.config = {.queue_depth = 2}}, {.config = {0}}};
	struct crowd crowds[2];
	struct mailbox m;

	(void) arg;
	memset(seen, 0, sizeof(seen));
	open_mailbox(&m, 7);
	for (unsigned i = 0; i < 2; i++) {
		crowds[i] = (struct crowd){m.ref, i * SENDERS * EACH};
		start(&others[i], send_from_many_fibers, &crowds[i]);
	}
	for (unsigned i = 0; i < sizeof(seen); i++) {
		uint32_t message;

		expect_ok(eio_ll_port_receive(&m.port, &message));
		ck_assert_uint_lt(message, sizeof(seen));
		ck_assert_int_eq(seen[message]++, 0);
	}
	for (unsigned i = 0; i < 2; i++)
		end_well(&others[i]);
	expect_err(eio_ll_port_end(&m.port), 0);
	return 0;
}

/* More than the completion queue holds, while the receiver looks at nothing. */
static unsigned char gone_ahead;

static int send_and_tell(void *arg)
{
	expect_ok(send_all(arg));
	__atomic_store_n(&gone_ahead, 1, __ATOMIC_RELEASE);
	return 0;
}

RING_TEST(more_messages_than_completions_fit_are_kept)
{
	enum { MANY = 10000 };
	struct peer other = {.config = {0}};
	struct eio_ll_port port;
	struct sender s = {.n = MANY, .from = 1};
	uint32_t *queue = calloc(MANY, sizeof(*queue)), message;

	(void) arg;
	__atomic_store_n(&gone_ahead, 0, __ATOMIC_RELAXED);
	expect_ok(eio_ll_port_begin(&port, queue, MANY, &s.to));
	start(&other, send_and_tell, &s);
	while (!__atomic_load_n(&gone_ahead, __ATOMIC_ACQUIRE))
		sched_yield();
	for (uint32_t i = 0; i < MANY; i++) {
		expect_ok(eio_ll_port_receive(&port, &message));
		ck_assert_uint_eq(message, s.from + i);
	}
	ck_assert_uint_eq(s.full, 0);
	end_well(&other);
	expect_err(eio_ll_port_end(&port), 0);
	free(queue);
	return 0;
}

/* A full queue */

RING_TEST(a_message_for_a_full_queue_is_refused_and_not_sent)
{
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 2);
	expect_ok(eio_ll_port_send(m.ref, 1));
	expect_ok(eio_ll_port_send(m.ref, 2));
	expect_err(eio_ll_port_send(m.ref, 3), -EAGAIN);
	ck_assert_str_eq(eio_last_error()->op, "msg_ring");
	expect_err(in_domain(send_one, &m), -EAGAIN);
	expect_err(on_plain_thread(send_one, &m), -EAGAIN);
	expect_message(&m, 1);
	expect_ok(in_domain(send_one, &m));
	expect_err(in_domain(send_one, &m), -EAGAIN);
	expect_message(&m, 2);
	expect_message(&m, 3);
	expect_ok(eio_ll_port_send(m.ref, 4));
	expect_err(eio_ll_port_end(&m.port), 1);
	return 0;
}

static struct faults kernel;

static int fail_to_send(void *arg)
{
	struct mailbox *m = arg;

	kernel.refuse.opcode = IORING_OP_MSG_RING;
	kernel.refuse.err = -EOVERFLOW;
	kernel.refuse.times = 3;
	kernel.refuse.nth = 1;
	for (int i = 0; i < 3; i++)
		expect_err(eio_ll_port_send(m->ref, 1), -ENOMEM);
	return eio_ll_port_send(m->ref, 2);
}

static void *refused_peer(void *arg)
{
	faults_install(&kernel);
	run_peer(arg);
	faults_install(NULL);
	return NULL;
}

/* One place in the queue will do. */
RING_TEST(a_message_that_the_kernel_does_not_take_leaves_nothing_behind)
{
	struct peer p = {.fn = fail_to_send, .ended = EIO_PROMISE_INIT};
	struct mailbox m;

	p.arg = &m;
	(void) arg;
	open_mailbox(&m, 1);
	ck_assert_int_eq(pthread_create(&p.thread, NULL, refused_peer, &p), 0);
	end_well(&p);
	ck_assert_uint_eq(kernel.refused, 3);
	expect_message(&m, 2);
	expect_ok(eio_ll_port_end(&m.port));
	return 0;
}

/* References */

RING_TEST(a_reference_to_a_port_that_has_ended_is_EBADF)
{
	struct mailbox m, old;

	(void) arg;
	open_mailbox(&m, 1);
	expect_ok(eio_ll_port_end(&m.port));
	old = m;
	for (int i = 0; i < 100; i++) {
		open_mailbox(&m, 1); /* at the same place */
		expect_err(eio_ll_port_send(old.ref, 1), -EBADF);
		if (i == 0) {
			expect_err(in_domain(send_one, &old), -EBADF);
			expect_err(on_plain_thread(send_one, &old), -EBADF);
		}
		expect_err(eio_ll_port_end(&m.port), 0);
	}
	memset(&m, 0x5a, sizeof(m));
	expect_err(eio_ll_port_send(old.ref, 1), -EBADF);
	expect_err(eio_ll_port_send((struct eio_ll_port_ref){{0, 0}, NULL}, 1), -EBADF);
	return 0;
}

/* Receiving */

struct reader {
	struct mailbox *m;
	const char *name;
};

static int read_one(void *arg)
{
	struct reader *r = arg;
	uint32_t message;
	int rc = eio_ll_port_receive(&r->m->port, &message);

	if (rc < 0)
		note("%s:%s", r->name, eio_err_name(rc));
	else
		note("%s:%u", r->name, message);
	return 0;
}

RING_TEST(fibers_that_wait_are_served_in_order)
{
	struct mailbox m;
	struct reader a = {&m, "a"}, b = {&m, "b"};
	struct eio_switch sw;

	(void) arg;
	open_mailbox(&m, 1);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, read_one, &a));
	expect_ok(eio_fork(&sw, read_one, &b));
	/* What goes to one that waits takes no place. */
	expect_ok(eio_ll_port_send(m.ref, 1));
	expect_ok(eio_ll_port_send(m.ref, 2));
	expect_ok(eio_ll_port_send(m.ref, 3));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a:1 b:2");
	expect_message(&m, 3);
	return eio_ll_port_end(&m.port);
}

RING_TEST(a_cancelled_receiver_takes_no_message)
{
	struct mailbox m;
	struct reader a = {&m, "a"}, b = {&m, "b"};
	struct eio_switch outer, inner;

	(void) arg;
	open_mailbox(&m, 2);
	eio_switch_begin(&outer);
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &a));
	expect_ok(eio_fork(&outer, read_one, &b));
	eio_switch_fail(&inner, -EIO);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_ok(eio_ll_port_send(m.ref, 1));
	expect_ok(eio_switch_end(&outer, 0));
	expect_log("a:ECANCELED b:1");

	/* Handed over before: delivered. */
	eio_switch_begin(&inner);
	expect_ok(eio_fork(&inner, read_one, &a));
	expect_ok(eio_ll_port_send(m.ref, 2));
	eio_switch_fail(&inner, -EIO);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("a:2");

	/* One that is there is not taken either. */
	expect_ok(eio_ll_port_send(m.ref, 3));
	eio_switch_begin(&inner);
	eio_switch_fail(&inner, -EIO);
	read_one(&a);
	expect_err(eio_switch_end(&inner, 0), -EIO);
	expect_log("a:ECANCELED");
	expect_message(&m, 3);
	return eio_ll_port_end(&m.port);
}

static int receive_elsewhere(void *arg)
{
	uint32_t message;

	return eio_ll_port_receive(&((struct mailbox *) arg)->port, &message);
}

static int end_elsewhere(void *arg)
{
	return eio_ll_port_end(&((struct mailbox *) arg)->port);
}

static int begin_elsewhere(void *arg)
{
	struct mailbox m;

	(void) arg;
	return eio_ll_port_begin(&m.port, m.queue, 1, &m.ref);
}

RING_TEST(a_port_belongs_to_its_domain)
{
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 1);
	expect_ok(eio_ll_port_send(m.ref, 7));
	expect_err(in_domain(receive_elsewhere, &m), -EPERM);
	expect_err(on_plain_thread(receive_elsewhere, &m), -EPERM);
	expect_err(in_domain(end_elsewhere, &m), -EPERM);
	expect_err(on_plain_thread(begin_elsewhere, NULL), -EPERM);
	expect_err(in_other_domain(begin_elsewhere, NULL), -EPERM);
	expect_message(&m, 7);
	expect_err(eio_ll_port_end(&m.port), 0);
	expect_err(eio_ll_port_begin(&m.port, m.queue, 0, &m.ref), -EINVAL);
	expect_err(eio_ll_port_begin(&m.port, m.queue, UINT32_MAX, &m.ref), -EINVAL);
	return 0;
}

/* The end */

RING_TEST(the_end_wakes_receivers_and_counts_what_is_left)
{
	struct mailbox m;
	struct reader a = {&m, "a"}, b = {&m, "b"};
	struct eio_switch sw;
	uint32_t message;

	(void) arg;
	open_mailbox(&m, 3);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, read_one, &a));
	expect_ok(eio_fork(&sw, read_one, &b));
	expect_err(eio_ll_port_end(&m.port), 0);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("a:EBADF b:EBADF");
	expect_err(eio_ll_port_end(&m.port), -EBADF);
	expect_err(eio_ll_port_receive(&m.port, &message), -EBADF);

	open_mailbox(&m, 3);
	for (uint32_t i = 0; i < 3; i++)
		expect_ok(eio_ll_port_send(m.ref, i));
	expect_message(&m, 0);
	expect_err(eio_ll_port_end(&m.port), 2);
	return 0;
}

/* A sender whose entry is queued and not submitted, until it is told to go on. */
struct held {
	struct mailbox *m;
	struct eio_promise queued;
	unsigned char go;
	int rc;
};

static int send_held(void *arg)
{
	struct held *h = arg;

	h->rc = eio_ll_port_send(h->m->ref, 9);
	return 0;
}

static int hold_a_send(void *arg)
{
	struct held *h = arg;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, send_held, h));
	expect_ok(eio_promise_resolve(&h->queued, 0, NULL));
	while (!__atomic_load_n(&h->go, __ATOMIC_ACQUIRE))
		sched_yield();
	return eio_switch_end(&sw, 0);
}

static int end_and_note(void *arg)
{
	note("ended:%d", eio_ll_port_end(arg));
	return 0;
}

/* Whose end is waited for by a fiber that sleeps itself, or with others that run. */
static void end_with_a_send_held(const struct eio_config *config, bool runs, int rc)
{
	struct peer other = {.config = *config};
	struct mailbox m;
	struct held h = {.m = &m, .queued = EIO_PROMISE_INIT};
	struct eio_switch sw;

	open_mailbox(&m, 1);
	start(&other, hold_a_send, &h);
	expect_ok(eio_promise_await(&h.queued, NULL));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, end_and_note, &m.port));
	for (int i = 0; i < 100; i++)
		expect_ok(eio_ll_noop());
	expect_log("");
	expect_err(eio_ll_port_send(m.ref, 1), -EBADF);
	expect_err(receive_elsewhere(&m), -EBADF);
	expect_err(eio_ll_port_end(&m.port), -EBADF);
	__atomic_store_n(&h.go, 1, __ATOMIC_RELEASE);
	while (runs && !*log_text())
		expect_ok(eio_yield());
	expect_ok(eio_switch_end(&sw, 0));
	expect_log(rc == 0 ? "ended:1" : "ended:0");
	end_well(&other);
	expect_err(h.rc, rc);
}

RING_TEST(the_end_waits_for_a_message_on_its_way)
{
	(void) arg;
	end_with_a_send_held(&(struct eio_config){0}, false, 0);
	end_with_a_send_held(&(struct eio_config){0}, true, 0);
	return 0;
}

RING_TEST(the_end_waits_for_a_message_that_fails)
{
	(void) arg;
	end_with_a_send_held(&(struct eio_config){.flags = EIO_RUN_RESTRICT}, false, -EACCES);
	end_with_a_send_held(&(struct eio_config){.flags = EIO_RUN_RESTRICT}, true, -EACCES);
	return 0;
}

/* By the fiber that runs the loop meanwhile, as it is the only one. */
static int release_soon(void *arg)
{
	struct held *h = arg;

	while (!__atomic_load_n(&h->m->port.eio_private[0], __ATOMIC_RELAXED))
		sched_yield();
	for (int i = 0; i < 1000; i++)
		sched_yield();
	__atomic_store_n(&h->go, 1, __ATOMIC_RELEASE);
	return 0;
}

static void *release_thread(void *arg)
{
	release_soon(arg);
	return NULL;
}

RING_TEST(the_only_fiber_can_wait_for_a_message_on_its_way)
{
	struct peer other = {.config = {0}};
	struct mailbox m;
	struct held h = {.m = &m, .queued = EIO_PROMISE_INIT};
	pthread_t t;

	(void) arg;
	open_mailbox(&m, 1);
	start(&other, hold_a_send, &h);
	expect_ok(eio_promise_await(&h.queued, NULL));
	ck_assert_int_eq(pthread_create(&t, NULL, release_thread, &h), 0);
	expect_err(eio_ll_port_end(&m.port), 1);
	pthread_join(t, NULL);
	end_well(&other);
	expect_ok(h.rc);
	return 0;
}

/* Ports that come and go while another domain sends to each: what was sent is what was
 * received, and what was left. */
struct moving {
	struct eio_mutex lock;
	struct eio_ll_port_ref to;
	unsigned sent;
	unsigned char stop;
};

static int chase(void *arg)
{
	struct moving *m = arg;

	while (!__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE)) {
		struct eio_ll_port_ref to;
		int rc;

		expect_ok(eio_mutex_lock(&m->lock));
		to = m->to;
		expect_ok(eio_mutex_unlock(&m->lock));
		expect_ok(eio_yield());
		for (int i = 0; i < 10; i++) {
			rc = eio_ll_port_send(to, 5);
			m->sent += rc == 0;
			ck_assert(rc == 0 || rc == -EAGAIN || rc == -EBADF);
		}
	}
	return 0;
}

static int chase_from_fibers(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (int i = 0; i < 4; i++)
		expect_ok(eio_fork(&sw, chase, arg));
	return eio_switch_end(&sw, 0);
}

RING_TEST(every_message_is_received_or_counted_while_ports_come_and_go)
{
	struct peer other = {.config = {0}};
	struct moving moving = {.lock = EIO_MUTEX_INIT};
	struct mailbox boxes[2];
	unsigned got = 0;

	(void) arg;
	start(&other, chase_from_fibers, &moving);
	for (int i = 0; i < 3000 || !got; i++) {
		struct mailbox *m = &boxes[i % 2];
		uint32_t message;

		open_mailbox(m, 4);
		expect_ok(eio_mutex_lock(&moving.lock));
		moving.to = m->ref;
		expect_ok(eio_mutex_unlock(&moving.lock));
		for (int n = 0; n < i % 4; n++) {
			expect_ok(eio_ll_port_receive(&m->port, &message));
			ck_assert_uint_eq(message, 5);
			got++;
		}
		got += (unsigned) eio_ll_port_end(&m->port);
		memset(m, 0x5a, sizeof(*m));
	}
	__atomic_store_n(&moving.stop, 1, __ATOMIC_RELEASE);
	end_well(&other);
	ck_assert_uint_eq(got, moving.sent);
	return 0;
}

static int leave_a_port(struct eio_env *e, void *arg)
{
	static struct mailbox m;

	(void) e, (void) arg;
	open_mailbox(&m, 1);
	return 0;
}

static void run_and_leave_a_port(void *arg)
{
	eio_run(NULL, leave_a_port, arg);
}

START_TEST(a_port_that_is_not_ended_is_named)
{
	expect_death(run_and_leave_a_port, NULL, SIGABRT,
		     "main returned before eio_ll_port_end of 1 ports");
}
END_TEST

/* Sending that fails */

static int send_cancelled(void *arg)
{
	struct mailbox *m = arg;
	struct eio_cancel c;
	int rc;

	eio_cancel_begin(&c);
	eio_cancel_raise(&c, -EIO);
	rc = eio_ll_port_send(m->ref, 1);
	eio_cancel_end(&c);
	return rc == -ECANCELED ? 0 : rc;
}

static int send_then_be_cancelled(void *arg)
{
	struct mailbox *m = arg;
	struct held h = {.m = m};
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, send_held, &h));
	eio_switch_fail(&sw, -EIO);
	expect_err(eio_switch_end(&sw, 0), -EIO);
	ck_assert(h.rc == 0 || h.rc == -ECANCELED);
	return h.rc == 0;
}

RING_TEST(a_cancelled_send_sends_nothing_or_succeeds)
{
	struct mailbox m;
	int sent;

	(void) arg;
	open_mailbox(&m, 1);
	expect_ok(send_cancelled(&m));
	expect_ok(in_domain(send_cancelled, &m));
	for (int i = 0; i < 20; i++) {
		sent = in_domain(send_then_be_cancelled, &m);
		if (sent)
			expect_message(&m, 9);
	}
	/* The place is there. */
	expect_ok(eio_ll_port_send(m.ref, 1));
	expect_err(eio_ll_port_end(&m.port), 1);
	return 0;
}

RING_TEST(a_send_that_is_not_allowed_is_EACCES)
{
	struct peer other = {.config = {.flags = EIO_RUN_RESTRICT}};
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 1);
	for (int i = 0; i < 3; i++) {
		start(&other, send_one, &m);
		expect_err(eio_promise_await(&other.ended, NULL), -EACCES);
		pthread_join(other.thread, NULL);
	}
	expect_ok(in_domain(send_one, &m));
	expect_message(&m, 3);
	return eio_ll_port_end(&m.port);
}

static int send_as_an_older_kernel(void *arg)
{
	uint8_t *ops = eio__uring_self()->ring.ops;

	ops[IORING_OP_MSG_RING / 8] &= (uint8_t) ~(1 << IORING_OP_MSG_RING % 8);
	expect_err(begin_elsewhere(NULL), -EOPNOTSUPP);
	return send_one(arg);
}

RING_TEST(a_kernel_without_messages_is_EOPNOTSUPP)
{
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 1);
	expect_err(in_domain(send_as_an_older_kernel, &m), -EOPNOTSUPP);
	expect_ok(eio_ll_port_send(m.ref, 1));
	expect_message(&m, 1);
	return eio_ll_port_end(&m.port);
}

RING_TEST(a_thread_without_domain_sends_where_the_kernel_can)
{
	struct mailbox m;
	int rc;

	(void) arg;
	open_mailbox(&m, 2);
	rc = on_plain_thread(send_one, &m);
	ck_assert(rc == 0 || rc == -EOPNOTSUPP);
	expect_err(in_other_domain(send_one, &m), rc);
	for (int i = 0; rc == 0 && i < 2; i++)
		expect_message(&m, 3);
	return eio_ll_port_end(&m.port);
}

RING_TEST(a_thread_without_domain_is_EOPNOTSUPP_where_it_cannot)
{
	struct mailbox m;

	(void) arg;
	open_mailbox(&m, 1);
	forbid_register(EIO__REGISTER_SYNC_MSG, 0, EBADF);
	for (int i = 0; i < 3; i++)
		expect_err(on_plain_thread(send_one, &m), -EOPNOTSUPP);
	return eio_ll_port_end(&m.port);
}

/* Kernel-side polling on either side. */
static int receive_some(void *arg)
{
	struct peer other = {.config = {.polling_timeout_ms = 2}};
	struct mailbox m;
	struct sender s = {.n = 200, .from = 1};

	(void) arg;
	open_mailbox(&m, 16);
	s.to = m.ref;
	start(&other, send_all, &s);
	for (unsigned i = 0; i < s.n; i++)
		expect_message(&m, s.from + i);
	end_well(&other);
	return eio_ll_port_end(&m.port);
}

START_TEST(messages_reach_and_leave_a_domain_with_a_polling_thread)
{
	run_ring_with(NULL, receive_some, 0);
	run_ring_with(&(struct eio_config){.polling_timeout_ms = 2}, receive_some, 0);
}
END_TEST

SUITE_MAIN("ll_msg", true, messages_of_another_domain_arrive_in_order_test,
	   a_message_wakes_a_domain_that_sleeps_test,
	   after_a_message_the_domain_looks_out_for_the_next_test,
	   messages_of_the_own_domain_arrive_test, nothing_is_lost_among_many_senders_test,
	   more_messages_than_completions_fit_are_kept_test,
	   a_message_for_a_full_queue_is_refused_and_not_sent_test,
	   a_message_that_the_kernel_does_not_take_leaves_nothing_behind_test,
	   a_reference_to_a_port_that_has_ended_is_EBADF_test,
	   fibers_that_wait_are_served_in_order_test, a_cancelled_receiver_takes_no_message_test,
	   a_port_belongs_to_its_domain_test, the_end_wakes_receivers_and_counts_what_is_left_test,
	   the_end_waits_for_a_message_on_its_way_test, the_end_waits_for_a_message_that_fails_test,
	   the_only_fiber_can_wait_for_a_message_on_its_way_test,
	   every_message_is_received_or_counted_while_ports_come_and_go_test,
	   a_port_that_is_not_ended_is_named, a_cancelled_send_sends_nothing_or_succeeds_test,
	   a_send_that_is_not_allowed_is_EACCES_test, a_kernel_without_messages_is_EOPNOTSUPP_test,
	   a_thread_without_domain_sends_where_the_kernel_can_test,
	   a_thread_without_domain_is_EOPNOTSUPP_where_it_cannot_test,
	   messages_reach_and_leave_a_domain_with_a_polling_thread)
