/* SPDX-License-Identifier: ISC */
/*
 * What crosses domains, all of it at once: several domains, several fibers in each, and plain
 * threads that do the same. Everything is counted: nothing is lost, nothing comes twice, and
 * what one of them sent arrives in the order in which it was sent. A wake-up that is lost
 * would hang the test.
 */
#include "io/elsewhere.h"
#include "core/race.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DOMAINS = 3, THREADS = 2, PARTIES = DOMAINS + THREADS };

/* The parties: one main fiber of a domain each, or one plain thread. */
struct party {
	unsigned number; /* domains come first */
	eio_fn *fn;      /* is given the party */
	void *shared;
	pthread_t thread;
};

static bool is_plain(const struct party *p)
{
	return p->number >= DOMAINS;
}

static int run_party(void *arg)
{
	struct party *p = arg;

	return eio_domain_run(env->domain_mgr, p->fn, p);
}

static void *run_plain(void *arg)
{
	struct party *p = arg;

	must(p->fn(p));
	return NULL;
}

/* Runs all parties, @p domain in the first ones, @p plain in the others, until they end. */
static void gather(eio_fn *domain, eio_fn *plain, void *shared)
{
	struct party parties[PARTIES];
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < PARTIES; i++) {
		struct party *p = &parties[i];

		*p = (struct party){.number = i, .shared = shared};
		p->fn = is_plain(p) ? plain : domain;
		if (is_plain(p))
			expect_ok(pthread_create(&p->thread, NULL, run_plain, p));
		else
			expect_ok(eio_fork(&sw, run_party, p));
	}
	expect_ok(eio_switch_end(&sw, 0));
	for (unsigned i = DOMAINS; i < PARTIES; i++)
		expect_ok(pthread_join(parties[i].thread, NULL));
}

static unsigned load(const unsigned *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static unsigned count(unsigned *counter)
{
	return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/*
 * Wake-ups: on each lane a token goes to and fro between two domains, by an event, a semaphore
 * and a stream in turn. With one lane both sleep most of the time; with many they are awake.
 */

enum { LANES = 32, LAPS = 320 };

struct end {
	struct eio_event event;
	struct eio_semaphore semaphore;
	struct eio_stream stream;
};

struct lane {
	struct end ends[2];
	unsigned passes; /* the token: who has it counts, without an atomic */
};

struct field {
	struct lane lanes[LANES];
	unsigned n, laps;
	struct eio_promise ready;
};

/* One side of a lane. */
struct player {
	struct lane *lane;
	struct end *own, *other;
	unsigned laps;
};

static void give_token(const struct player *p, unsigned lap)
{
	if (lap % 3 == 0)
		eio_event_set(&p->other->event);
	else if (lap % 3 == 1)
		eio_semaphore_release(&p->other->semaphore);
	else
		must(eio_stream_add(&p->other->stream, &lap));
	/* Its receiver may have ended. */
}

static void await_token(const struct player *p, unsigned lap)
{
	unsigned came = lap;

	if (lap % 3 == 0)
		must(eio_event_await(&p->own->event));
	else if (lap % 3 == 1)
		must(eio_semaphore_acquire(&p->own->semaphore));
	else
		must(eio_stream_take(&p->own->stream, &came));
	if (came != lap)
		ck_abort_msg("the token of lap %u came in lap %u", came, lap);
}

static int serve_tokens(void *arg)
{
	const struct player *p = arg;

	for (unsigned lap = 0; lap < p->laps; lap++) {
		p->lane->passes++;
		give_token(p, lap);
		await_token(p, lap);
	}
	return 0;
}

static int return_tokens(void *arg)
{
	const struct player *p = arg;

	for (unsigned lap = 0; lap < p->laps; lap++) {
		await_token(p, lap);
		p->lane->passes++;
		give_token(p, lap);
	}
	return 0;
}

static void play(struct field *f, unsigned side, eio_fn *fn)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < f->n; i++) {
		struct lane *l = &f->lanes[i];
		struct player p = {l, &l->ends[side], &l->ends[!side], f->laps};

		expect_ok(eio_fork_copy(&sw, fn, &p, sizeof(p)));
	}
	expect_ok(eio_switch_end(&sw, 0));
}

static void make_ends(struct field *f, unsigned side)
{
	for (unsigned i = 0; i < f->n; i++) {
		struct end *e = &f->lanes[i].ends[side];

		expect_ok(eio_event_init(&e->event));
		eio_semaphore_init(&e->semaphore, 0);
		expect_ok(eio_stream_init(&e->stream, sizeof(unsigned), i % 2));
	}
}

static void free_ends(struct field *f, unsigned side)
{
	for (unsigned i = 0; i < f->n; i++) {
		eio_event_fini(&f->lanes[i].ends[side].event);
		expect_ok(eio_stream_fini(&f->lanes[i].ends[side].stream, NULL, NULL));
	}
}

static int play_there(void *arg)
{
	struct field *f = arg;

	make_ends(f, 1);
	expect_ok(eio_promise_resolve(&f->ready, 0, NULL));
	play(f, 1, return_tokens);
	free_ends(f, 1);
	return 0;
}

static int run_play(void *arg)
{
	return eio_domain_run(env->domain_mgr, play_there, arg);
}

static unsigned play_on(unsigned lanes, unsigned laps)
{
	struct field *f = calloc(1, sizeof(*f));
	struct eio_switch sw;
	unsigned passes = 0;

	*f = (struct field){.n = lanes, .laps = laps};
	make_ends(f, 0);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, run_play, f));
	expect_ok(eio_promise_await(&f->ready, NULL));
	play(f, 0, serve_tokens);
	expect_ok(eio_switch_end(&sw, 0));
	free_ends(f, 0);
	for (unsigned i = 0; i < lanes; i++)
		passes += f->lanes[i].passes;
	free(f);
	return passes;
}

RING_TEST(no_wake_up_of_two_domains_is_lost)
{
	unsigned laps = LAPS * soak() / (SANITIZED ? 8 : 1);

	(void) arg;
	ck_assert_uint_eq(play_on(1, laps), 2 * laps);
	ck_assert_uint_eq(play_on(LANES, laps), LANES * 2 * laps);
	return 0;
}

/*
 * Promises: every party tries to resolve each of them, and every domain awaits each.
 */

enum { PROMISES = 400, NOT_YET = -1 };

struct vow {
	struct eio_promise promise;
	int winner;        /* party; written by it, after the promise was resolved */
	int told[DOMAINS]; /* what each domain's waiter was told */
};

struct vows {
	struct vow all[PROMISES];
	unsigned won; /* by anybody */
};

static void resolve_vows(struct vows *vows, int number)
{
	for (int i = 0; i < PROMISES; i++) {
		/* Not all in the same order, or the first one would win them all. */
		struct vow *v = &vows->all[(i + 80 * number) % PROMISES];
		int rc = eio_promise_resolve(&v->promise, number, v);

		if (rc == 0) {
			v->winner = number;
			count(&vows->won);
		} else if (rc != -EALREADY) {
			ck_abort_msg("resolve: %s", eio_err_name(rc));
		}
	}
}

static int resolve_vows_plainly(void *arg)
{
	struct party *p = arg;

	resolve_vows(p->shared, (int) p->number);
	return 0;
}

static int await_vows(void *arg)
{
	struct party *p = arg;
	struct vows *vows = p->shared;

	for (int i = 0; i < PROMISES; i++) {
		struct vow *v = &vows->all[i];
		void *value = NULL;

		v->told[p->number] = eio_promise_await(&v->promise, &value);
		if (value != v)
			ck_abort_msg("promise %d came with another's value", i);
	}
	return 0;
}

static int await_and_resolve_vows(void *arg)
{
	struct party *p = arg;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, await_vows, p));
	expect_ok(eio_yield());
	resolve_vows(p->shared, (int) p->number);
	return eio_switch_end(&sw, 0);
}

RING_TEST(a_promise_that_all_resolve_is_one_partys_and_tells_all_the_same)
{
	struct vows *vows = malloc(sizeof(*vows));

	(void) arg;
	for (unsigned round = 0; round < 5 * soak(); round++) {
		*vows = (struct vows){.won = 0};
		gather(await_and_resolve_vows, resolve_vows_plainly, vows);
		ck_assert_uint_eq(vows->won, PROMISES);
		for (int i = 0; i < PROMISES * DOMAINS; i++) {
			const struct vow *v = &vows->all[i / DOMAINS];

			if (v->told[i % DOMAINS] != v->winner)
				ck_abort_msg("%d won, %d was told", v->winner,
					     v->told[i % DOMAINS]);
		}
	}
	free(vows);
	return 0;
}

/*
 * Streams: every party adds, and every party takes.
 */

enum { ITEMS = SANITIZED ? 100 : 400, ADDERS = 2, ALL_ADDERS = DOMAINS * ADDERS + THREADS };

struct item {
	unsigned from, i;
};

struct flow {
	struct eio_stream stream;
	unsigned adding;                  /* those who still do; the last one closes */
	unsigned seen[ALL_ADDERS][ITEMS]; /* how often it was taken */
};

static void stop_adding(struct flow *f)
{
	if (__atomic_sub_fetch(&f->adding, 1, __ATOMIC_ACQ_REL) == 0)
		eio_stream_close(&f->stream);
}

/* Whoever takes sees those of one adder in their order. */
static void note_item(struct flow *f, unsigned next[ALL_ADDERS], struct item item)
{
	if (item.i < next[item.from])
		ck_abort_msg("%u after %u", item.i, next[item.from] - 1);
	next[item.from] = item.i + 1;
	count(&f->seen[item.from][item.i]);
}

struct adder {
	struct flow *flow;
	unsigned number;
};

static int add_items(void *arg)
{
	const struct adder *a = arg;

	for (unsigned i = 0; i < ITEMS; i++)
		must(eio_stream_add(&a->flow->stream, &(struct item){a->number, i}));
	stop_adding(a->flow);
	return 0;
}

static int take_items(void *arg)
{
	unsigned next[ALL_ADDERS] = {0};
	struct flow *f = arg;
	struct item item;
	int rc;

	while ((rc = eio_stream_take(&f->stream, &item)) == 0)
		note_item(f, next, item);
	return rc == EIO_EOF ? 0 : rc;
}

static int add_and_take(void *arg)
{
	struct party *p = arg;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < ADDERS; i++) {
		struct adder a = {p->shared, p->number * ADDERS + i};

		expect_ok(eio_fork(&sw, take_items, p->shared));
		expect_ok(eio_fork_copy(&sw, add_items, &a, sizeof(a)));
	}
	return eio_switch_end(&sw, 0);
}

/* A plain thread cannot wait: it adds when there is room, and takes when there is something. */
static int add_and_take_plainly(void *arg)
{
	unsigned next[ALL_ADDERS] = {0};
	struct party *p = arg;
	struct flow *f = p->shared;
	struct item own = {.from = DOMAINS * ADDERS + p->number - DOMAINS}, item;
	int rc = 0;

	while (rc != EIO_EOF) {
		if (own.i < ITEMS && eio_stream_try_add(&f->stream, &own) == 0 && ++own.i == ITEMS)
			stop_adding(f);
		rc = eio_stream_try_take(&f->stream, &item);
		if (rc == 0)
			note_item(f, next, item);
		else
			sched_yield();
	}
	return 0;
}

static void add_and_take_all(size_t capacity)
{
	struct flow *f = calloc(1, sizeof(*f));

	f->adding = ALL_ADDERS;
	expect_ok(eio_stream_init(&f->stream, sizeof(struct item), capacity));
	gather(add_and_take, add_and_take_plainly, f);
	for (unsigned i = 0; i < ALL_ADDERS * ITEMS; i++) {
		if (f->seen[i / ITEMS][i % ITEMS] != 1)
			ck_abort_msg("item %u of %u came %u times", i % ITEMS, i / ITEMS,
				     f->seen[i / ITEMS][i % ITEMS]);
	}
	expect_ok(eio_stream_fini(&f->stream, NULL, NULL));
	free(f);
}

RING_TEST(streams_lose_double_and_overtake_nothing)
{
	static const size_t capacities[] = {0, 1, 100};

	(void) arg;
	for (unsigned round = 0; round < COUNT(capacities) * soak(); round++)
		add_and_take_all(capacities[round % COUNT(capacities)]);
	return 0;
}

/*
 * A mutex, a condition and a semaphore: the domains take turns, always in the same order, while
 * plain threads wake them for nothing; then everybody takes units that there are too few of.
 */

enum { TURNS = SANITIZED ? 60 : 300, UNITS = 2, VISITS = SANITIZED ? 100 : 500 };

struct table {
	struct eio_mutex mutex;
	struct eio_condition changed;
	unsigned turn; /* under the mutex */
	bool over;     /* for the plain threads */
	struct eio_semaphore units;
	unsigned inside, visits;
};

static int take_turns(void *arg)
{
	struct party *p = arg;
	struct table *t = p->shared;

	must(eio_mutex_lock(&t->mutex));
	for (unsigned i = 0; i < TURNS; i++) {
		while (t->turn % DOMAINS != p->number)
			must(eio_condition_await(&t->changed, &t->mutex));
		if (t->turn++ != i * DOMAINS + p->number)
			ck_abort_msg("turn %u at its turn %u", t->turn - 1, i);
		eio_condition_broadcast(&t->changed);
	}
	if (t->turn == TURNS * DOMAINS)
		__atomic_store_n(&t->over, true, __ATOMIC_RELAXED);
	must(eio_mutex_unlock(&t->mutex));
	return 0;
}

static int disturb(void *arg)
{
	struct party *p = arg;
	struct table *t = p->shared;

	while (!__atomic_load_n(&t->over, __ATOMIC_RELAXED)) {
		eio_condition_broadcast(&t->changed);
		sched_yield();
	}
	return 0;
}

static int do_nothing(void *arg)
{
	(void) arg;
	return 0;
}

RING_TEST(domains_take_turns_in_order_whoever_wakes_them)
{
	(void) arg;
	for (unsigned round = 0; round < 2 * soak(); round++) {
		struct table t = {.turn = 0};

		gather(take_turns, round % 2 ? disturb : do_nothing, &t);
		ck_assert_uint_eq(t.turn, TURNS * DOMAINS);
	}
	return 0;
}

static void be_inside(struct table *t)
{
	if (count(&t->inside) > UNITS)
		ck_abort_msg("more are inside than there are units");
	count(&t->visits);
	__atomic_sub_fetch(&t->inside, 1, __ATOMIC_RELAXED);
	eio_semaphore_release(&t->units);
}

static int visit(void *arg)
{
	struct table *t = arg;

	for (unsigned i = 0; i < VISITS; i++) {
		must(eio_semaphore_acquire(&t->units));
		if (i % 3 == 0)
			must(eio_yield()); /* the others meet a semaphore that is empty */
		be_inside(t);
	}
	return 0;
}

static int visit_in_fibers(void *arg)
{
	struct party *p = arg;
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (unsigned i = 0; i < 2 * UNITS; i++)
		expect_ok(eio_fork(&sw, visit, p->shared));
	return eio_switch_end(&sw, 0);
}

static int visit_plainly(void *arg)
{
	struct party *p = arg;
	struct table *t = p->shared;

	for (unsigned i = 0; i < VISITS;) {
		if (eio_semaphore_try_acquire(&t->units) == 0) {
			be_inside(t);
			i++;
		}
		sched_yield();
	}
	return 0;
}

RING_TEST(units_stay_as_many_as_they_are_whoever_takes_them)
{
	(void) arg;
	for (unsigned round = 0; round < soak(); round++) {
		struct table t = {.visits = 0};

		eio_semaphore_init(&t.units, UNITS);
		gather(visit_in_fibers, visit_plainly, &t);
		ck_assert_uint_eq(t.visits, (DOMAINS * 2 * UNITS + THREADS) * VISITS);
		ck_assert_uint_eq(eio_semaphore_value(&t.units), UNITS);
	}
	return 0;
}

/*
 * Jobs: every party sends them to every domain. Those of one sender begin in its order.
 */

enum { JOBS = 300 };

struct office;

struct job {
	struct office *office; /* where it is to run */
	unsigned from, i;
	struct eio_promise done;
};

struct office {
	struct eio_domain_ref ref;
	long thread;
	unsigned begun[PARTIES]; /* jobs of each sender; touched in this domain only */
	struct job jobs[PARTIES][JOBS];
};

struct company {
	struct office offices[DOMAINS];
	unsigned open, left; /* domains that are up; parties that are done */
};

static int do_job(void *arg)
{
	struct job *j = arg;
	struct office *o = j->office;

	if (o->begun[j->from]++ != j->i)
		ck_abort_msg("job %u was not begun in its turn", j->i);
	if (o->thread != (long) pthread_self())
		ck_abort_msg("a job is in another thread");
	return (int) j->i;
}

static void send_jobs(struct company *c, unsigned from)
{
	for (unsigned n = 0; n < JOBS * DOMAINS; n++) {
		struct office *o = &c->offices[n % DOMAINS];
		struct job *j = &o->jobs[from][n / DOMAINS];

		*j = (struct job){.office = o, .from = from, .i = n / DOMAINS};
		must(eio_domain_submit(o->ref, do_job, j, &j->done));
	}
}

/* A domain stays until all jobs are done: it awaits its own, and then those of the others. */
static int send_and_do_jobs(void *arg)
{
	struct party *p = arg;
	struct company *c = p->shared;
	struct office *o = &c->offices[p->number];

	o->thread = (long) pthread_self();
	o->ref = eio_domain_self();
	__atomic_add_fetch(&c->open, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&c->open, __ATOMIC_ACQUIRE) < DOMAINS)
		must(eio_yield());
	send_jobs(c, p->number);
	for (unsigned n = 0; n < JOBS * DOMAINS; n++) {
		struct job *j = &c->offices[n % DOMAINS].jobs[p->number][n / DOMAINS];

		if (eio_promise_await(&j->done, NULL) != (int) j->i)
			ck_abort_msg("a job's promise has another's result");
	}
	count(&c->left);
	while (load(&c->left) < PARTIES)
		must(eio_yield());
	return 0;
}

static int send_jobs_plainly(void *arg)
{
	struct party *p = arg;
	struct company *c = p->shared;
	int rc;

	while (__atomic_load_n(&c->open, __ATOMIC_ACQUIRE) < DOMAINS)
		sched_yield();
	send_jobs(c, p->number);
	for (unsigned n = 0; n < JOBS * DOMAINS; n++) {
		struct job *j = &c->offices[n % DOMAINS].jobs[p->number][n / DOMAINS];

		while (!eio_promise_peek(&j->done, &rc, NULL))
			sched_yield();
		if (rc != (int) j->i)
			ck_abort_msg("a job's promise has another's result");
	}
	count(&c->left);
	return 0;
}

RING_TEST(jobs_of_threads_and_domains_run_once_and_begin_in_order)
{
	struct company *c = malloc(sizeof(*c));

	(void) arg;
	for (unsigned round = 0; round < soak(); round++) {
		*c = (struct company){.open = 0};
		gather(send_and_do_jobs, send_jobs_plainly, c);
		for (unsigned i = 0; i < DOMAINS * PARTIES; i++)
			ck_assert_uint_eq(c->offices[i / PARTIES].begun[i % PARTIES], JOBS);
	}
	free(c);
	return 0;
}

/*
 * Handles: every party reads by all of them, by the ring or by number, closes them, and
 * tries again when descriptors and slots have been used anew for other files. Each file holds its
 * number, so that a handle that led to another file would be found out.
 */

enum { FILES = SANITIZED ? 30 : 100, OTHERS = 150 };

struct files {
	struct eio_fd fds[FILES];
	unsigned reads, closes;
};

static int make_file(unsigned number)
{
	int unix_fd = memfd_create("across", MFD_CLOEXEC);

	if (unix_fd < 0 || pwrite(unix_fd, &number, sizeof(number), 0) != sizeof(number))
		ck_abort_msg("memfd");
	return unix_fd;
}

static void check_file(struct files *f, unsigned number, unsigned got)
{
	if (got != number)
		ck_abort_msg("the handle of file %u led to %u", number, got);
	count(&f->reads);
}

static void read_by_ring(struct files *f, unsigned i)
{
	unsigned got = FILES;
	ssize_t n = eio_ll_read(f->fds[i], &got, sizeof(got), 0);

	if (n == sizeof(got))
		check_file(f, i, got);
	else if (n != -EBADF)
		ck_abort_msg("read: %s", eio_err_name((int) n));
}

/* Whoever has it pinned may use the number. */
static void read_by_number(struct files *f, unsigned i)
{
	int unix_fd = eio_fd_use(f->fds[i]);
	unsigned got = FILES;

	if (unix_fd == -EBADF)
		return;
	if (pread(unix_fd, &got, sizeof(got), 0) != sizeof(got))
		ck_abort_msg("a pinned descriptor cannot be read");
	check_file(f, i, got);
	eio_fd_unuse(f->fds[i]);
}

static void close_handle(struct files *f, struct eio_fd fd)
{
	int rc = eio_fd_close(fd);

	if (rc == 0)
		count(&f->closes);
	else if (rc != -EBADF)
		ck_abort_msg("close: %s", eio_err_name(rc));
}

/* More than a domain keeps free slots: among them are those of the files that it closed. */
static void open_others(struct eio_fd others[OTHERS])
{
	for (unsigned i = 0; i < OTHERS; i++)
		must(eio_fd_of_unix(NULL, make_file(FILES), EIO_FD_CLOSE, &others[i]));
}

static void use_and_close(struct party *p, void (*read)(struct files *f, unsigned i))
{
	struct files *f = p->shared;
	struct eio_fd others[OTHERS];

	for (unsigned n = 0; n < FILES; n++) {
		unsigned ahead = (n + 3 * p->number) % FILES;

		read(f, ahead);
		read(f, n);
		close_handle(f, f->fds[n]);
	}
	open_others(others);
	for (unsigned n = 0; n < FILES; n++)
		read(f, n);
	for (unsigned i = 0; i < OTHERS; i++)
		close_handle(f, others[i]);
}

static int use_and_close_by_ring(void *arg)
{
	use_and_close(arg, read_by_ring);
	return 0;
}

static int use_and_close_by_number(void *arg)
{
	use_and_close(arg, read_by_number);
	return 0;
}

RING_TEST(a_handle_that_all_use_and_close_leads_to_its_file_and_is_closed_once)
{
	(void) arg;
	for (unsigned round = 0; round < 4 * soak(); round++) {
		struct files f = {.reads = 0};
		struct eio_switch sw;

		eio_switch_begin(&sw);
		for (unsigned i = 0; i < FILES; i++)
			expect_ok(eio_fd_of_unix(i % 2 ? &sw : NULL, make_file(i), EIO_FD_CLOSE,
						 &f.fds[i]));
		gather(use_and_close_by_ring, use_and_close_by_number, &f);
		ck_assert_uint_eq(f.closes, FILES + PARTIES * OTHERS);
		ck_assert_uint_ge(f.reads, FILES);
		expect_ok(eio_switch_end(&sw, 0));
	}
	return 0;
}

/*
 * Beginnings and ends: domains that wait once, for a plain thread, and end at once.
 */

enum { GUESTS = SANITIZED ? 20 : 60 };

struct guest {
	struct eio_promise *promise; /* on its stack; NULL: not there yet */
};

static int stay_shortly(void *arg)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	struct guest *g = arg;

	__atomic_store_n(&g->promise, &p, __ATOMIC_RELEASE);
	return eio_promise_await(&p, NULL);
}

static void *release_guests(void *arg)
{
	struct guest *guests = arg;

	for (unsigned i = 0; i < GUESTS; i++) {
		struct eio_promise *p;

		while (!(p = __atomic_load_n(&guests[i].promise, __ATOMIC_ACQUIRE)))
			sched_yield();
		must(eio_promise_resolve(p, 5, NULL));
	}
	return NULL;
}

RING_TEST(a_domain_may_end_as_soon_as_it_was_woken)
{
	(void) arg;
	for (unsigned round = 0; round < soak(); round++) {
		struct guest guests[GUESTS] = {{NULL}};
		pthread_t thread;

		expect_ok(pthread_create(&thread, NULL, release_guests, guests));
		for (unsigned i = 0; i < GUESTS; i++)
			expect_err(eio_domain_run(env->domain_mgr, stay_shortly, &guests[i]), 5);
		expect_ok(pthread_join(thread, NULL));
	}
	return 0;
}

SUITE_MAIN("across", true, no_wake_up_of_two_domains_is_lost_test,
	   a_promise_that_all_resolve_is_one_partys_and_tells_all_the_same_test,
	   streams_lose_double_and_overtake_nothing_test,
	   domains_take_turns_in_order_whoever_wakes_them_test,
	   units_stay_as_many_as_they_are_whoever_takes_them_test,
	   jobs_of_threads_and_domains_run_once_and_begin_in_order_test,
	   a_handle_that_all_use_and_close_leads_to_its_file_and_is_closed_once_test,
	   a_domain_may_end_as_soon_as_it_was_woken_test)
