/* SPDX-License-Identifier: ISC */
#include "race.h"
#include "tasks.h"

/* A maker of numbered items; its functions note what they do. */

struct item {
	unsigned number;
	bool bad; /* validate says so */
};

struct maker {
	struct eio_pool pool;
	unsigned made, alive;
	unsigned failing; /* allocs that fail from now on */
	unsigned yields;  /* in each function */
};

static int make(void **ret, void *arg)
{
	struct maker *m = arg;
	struct item *item;
	int rc = yield_times(m->yields);

	if (rc < 0)
		return rc;
	if (m->failing) {
		m->failing--;
		note("fail");
		return -EMFILE;
	}
	item = calloc(1, sizeof(*item));
	item->number = ++m->made;
	m->alive++;
	note("make%u", item->number);
	*ret = item;
	return 0;
}

static void end(void *it, void *arg)
{
	struct maker *m = arg;
	struct item *item = it;

	yield_times(m->yields);
	note("end%u", item->number);
	m->alive--;
	free(item);
}

static bool is_good(void *it, void *arg)
{
	struct maker *m = arg;
	struct item *item = it;

	yield_times(m->yields);
	note("look%u", item->number);
	return !item->bad;
}

static const struct eio_pool_ops plain = {.alloc = make, .dispose = end};
static const struct eio_pool_ops careful = {.alloc = make, .dispose = end, .validate = is_good};

static void init(struct maker *m, size_t max, const struct eio_pool_ops *ops)
{
	*m = (struct maker){.made = 0};
	memset(&m->pool, 0xff, sizeof(m->pool));
	expect_ok(eio_pool_init(&m->pool, max, ops, m));
}

static void fini(struct maker *m)
{
	expect_ok(eio_pool_fini(&m->pool));
	ck_assert_uint_eq(m->alive, 0);
	log_clear();
}

static struct item *acquire(struct maker *m)
{
	void *item = NULL;

	expect_ok(eio_pool_acquire(&m->pool, &item));
	return item;
}

/* A fiber that acquires an item and keeps it. */
struct user {
	struct caller c;
	struct maker *m;
	void *item;
};

static int acquire_once(void *arg)
{
	struct user *u = arg;

	return eio_pool_acquire(&u->m->pool, &u->item);
}

static void fork_user(struct eio_switch *sw, struct user *u, struct maker *m, const char *name)
{
	*u = (struct user){.c = {.fn = acquire_once, .arg = u, .name = name}, .m = m};
	fork_caller(sw, &u->c);
}

/* Making and ending */

CORE_TEST(a_pool_without_room_or_alloc_is_refused)
{
	static const struct eio_pool_ops none = {.dispose = end};
	struct eio_pool p;

	(void) arg;
	expect_err(eio_pool_init(&p, 0, &plain, NULL), -EINVAL);
	expect_err(eio_pool_init(&p, 1, &none, NULL), -EINVAL);
	return 0;
}

CORE_TEST(a_pool_without_memory_is_enomem)
{
	struct eio_pool p;

	(void) arg;
	if (SANITIZED) /* they would complain */
		return 0;
	expect_err(eio_pool_init(&p, SIZE_MAX, &plain, NULL), -ENOMEM);
	expect_err(eio_pool_init(&p, SIZE_MAX / 16, &plain, NULL), -ENOMEM);
	return 0;
}

CORE_TEST(a_pool_in_use_is_not_ended)
{
	struct maker m;
	struct item *item;

	(void) arg;
	init(&m, 2, &plain);
	item = acquire(&m);
	expect_err(eio_pool_fini(&m.pool), -EBUSY);
	eio_pool_release(&m.pool, item);
	ck_assert_ptr_eq(acquire(&m), item); /* nothing was done */
	eio_pool_release(&m.pool, item);
	expect_ok(eio_pool_fini(&m.pool));
	expect_log("make1 end1");
	init(&m, 1, &plain);
	expect_ok(eio_pool_fini(&m.pool));
	expect_log("");
	return 0;
}

/* Reuse */

CORE_TEST(the_item_used_last_is_used_next)
{
	struct item *item[3];
	struct maker m;

	(void) arg;
	init(&m, 3, &careful);
	for (int i = 0; i < 3; i++)
		item[i] = acquire(&m);
	expect_log("make1 make2 make3");
	eio_pool_release(&m.pool, item[1]);
	eio_pool_release(&m.pool, item[0]);
	eio_pool_release(&m.pool, item[2]);
	ck_assert_ptr_eq(acquire(&m), item[2]);
	ck_assert_ptr_eq(acquire(&m), item[0]);
	ck_assert_ptr_eq(acquire(&m), item[1]);
	expect_log("look3 look1 look2");
	for (int i = 0; i < 3; i++)
		eio_pool_release(&m.pool, item[i]);
	fini(&m);
	return 0;
}

CORE_TEST(an_invalid_item_is_disposed_of_and_made_anew)
{
	struct item *item;
	struct maker m;

	(void) arg;
	for (unsigned yields = 0; yields < 2; yields++) {
		init(&m, 1, &careful);
		m.yields = yields;
		item = acquire(&m);
		item->bad = true;
		eio_pool_release(&m.pool, item);
		item = acquire(&m);
		ck_assert_uint_eq(item->number, 2);
		expect_log("make1 look1 end1 make2");
		item->bad = true;
		eio_pool_release(&m.pool, item);
		m.failing = 1;
		expect_err(eio_pool_acquire(&m.pool, (void **) &item), -EMFILE);
		ck_assert_uint_eq(m.alive, 0);
		item = acquire(&m); /* the place is free all the same */
		expect_log("look2 end2 fail make3");
		eio_pool_release(&m.pool, item);
		fini(&m);
	}
	return 0;
}

static int make_one(void **ret, void *arg)
{
	*ret = arg;
	return 5; /* no failure either */
}

CORE_TEST(dispose_and_validate_are_optional)
{
	static const struct eio_pool_ops ops = {.alloc = make_one};
	struct eio_pool p;
	void *item = NULL;

	(void) arg;
	expect_ok(eio_pool_init(&p, 1, &ops, &p));
	for (int i = 0; i < 2; i++) {
		expect_ok(eio_pool_acquire(&p, &item));
		ck_assert_ptr_eq(item, &p);
		eio_pool_release(&p, item);
	}
	expect_ok(eio_pool_acquire(&p, &item));
	expect_ok(eio_pool_acquire_never_block(&p, &item));
	eio_pool_release(&p, item);
	eio_pool_release(&p, item);
	expect_ok(eio_pool_fini(&p));
	return 0;
}

/* Waiting */

CORE_TEST(items_go_to_those_who_wait_in_the_order_they_came)
{
	static const char *const names[] = {"a", "b", "c"};
	struct eio_switch sw;
	struct item *item;
	struct user u[3];
	struct maker m;

	(void) arg;
	init(&m, 1, &careful);
	item = acquire(&m);
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		fork_user(&sw, &u[i], &m, names[i]);
	log_clear();
	expect_err(eio_pool_fini(&m.pool), -EBUSY);
	for (int i = 0; i < 3; i++) {
		eio_pool_release(&m.pool, item);
		expect_ok(yield_times(2));
		ck_assert_ptr_eq(u[i].item, item);
	}
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("look1 a look1 b look1 c");
	eio_pool_release(&m.pool, item);
	fini(&m);
	return 0;
}

CORE_TEST(an_invalid_item_handed_over_is_made_anew_by_who_got_it)
{
	struct eio_switch sw;
	struct item *item;
	struct user u[2];
	struct maker m;

	(void) arg;
	init(&m, 1, &careful);
	item = acquire(&m);
	item->bad = true;
	eio_switch_begin(&sw);
	fork_user(&sw, &u[0], &m, "a");
	fork_user(&sw, &u[1], &m, "b");
	m.failing = 1;
	eio_pool_release(&m.pool, item);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(u[0].c.rc, -EMFILE);
	expect_ok(u[1].c.rc);
	expect_log("make1 look1 end1 fail make2 b");
	eio_pool_release(&m.pool, u[1].item);
	fini(&m);
	return 0;
}

/* Three want the one item, whose alloc fails twice: each failure lets the next one try. */
CORE_TEST(a_failed_alloc_is_its_callers_and_the_next_one_tries)
{
	struct eio_switch sw;
	struct user u[4];
	struct maker m;

	(void) arg;
	init(&m, 1, &plain);
	m.yields = 2;
	m.failing = 2;
	eio_switch_begin(&sw);
	for (int i = 0; i < 4; i++)
		fork_user(&sw, &u[i], &m, "got");
	cancel_caller(&u[1].c);
	expect_ok(yield_times(20));
	expect_log("fail fail make1 got");
	expect_err(u[0].c.rc, -EMFILE);
	expect_err(u[1].c.rc, -ECANCELED);
	expect_err(u[2].c.rc, -EMFILE);
	expect_ok(u[3].c.rc);
	eio_pool_release(&m.pool, u[3].item);
	expect_ok(eio_switch_end(&sw, 0));
	fini(&m);
	return 0;
}

CORE_TEST(a_cancelled_alloc_lets_the_next_one_try)
{
	struct eio_switch sw;
	struct user u[2];
	struct maker m;

	(void) arg;
	init(&m, 1, &plain);
	m.yields = 2;
	eio_switch_begin(&sw);
	fork_user(&sw, &u[0], &m, "a");
	fork_user(&sw, &u[1], &m, "b");
	cancel_caller(&u[0].c);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(u[0].c.rc, -ECANCELED);
	expect_log("make1 b");
	eio_pool_release(&m.pool, u[1].item);
	fini(&m);
	return 0;
}

/* Beyond max */

CORE_TEST(never_blocking_makes_more_and_the_pool_shrinks_back)
{
	struct item *item[4];
	struct maker m;

	(void) arg;
	init(&m, 2, &careful);
	for (int i = 0; i < 4; i++)
		expect_ok(eio_pool_acquire_never_block(&m.pool, (void **) &item[i]));
	expect_log("make1 make2 make3 make4");
	eio_pool_release(&m.pool, item[0]);
	eio_pool_release(&m.pool, item[3]);
	expect_log("end1 end4");
	eio_pool_release(&m.pool, item[1]);
	expect_log("");
	/* One that is there is used again. */
	expect_ok(eio_pool_acquire_never_block(&m.pool, (void **) &item[1]));
	ck_assert_uint_eq(item[1]->number, 2);
	eio_pool_release(&m.pool, item[1]);
	eio_pool_release(&m.pool, item[2]);
	ck_assert_uint_eq(m.alive, 2);
	expect_log("look2");
	fini(&m);
	return 0;
}

CORE_TEST(a_surplus_item_goes_to_those_who_wait_first)
{
	struct item *first, *second;
	struct eio_switch sw;
	struct user u;
	struct maker m;

	(void) arg;
	init(&m, 1, &plain);
	first = acquire(&m);
	eio_switch_begin(&sw);
	fork_user(&sw, &u, &m, "got");
	expect_ok(eio_pool_acquire_never_block(&m.pool, (void **) &second));
	eio_pool_release(&m.pool, second);
	expect_ok(eio_switch_end(&sw, 0));
	ck_assert_ptr_eq(u.item, second);
	expect_log("make1 make2 got");
	eio_pool_release(&m.pool, first);
	expect_log("end1");
	eio_pool_release(&m.pool, second);
	fini(&m);
	return 0;
}

/* It had a place beyond max, which is nobody else's. */
CORE_TEST(never_blocking_that_fails_lets_nobody_exceed_max)
{
	struct eio_switch sw;
	struct item *item;
	struct user u;
	struct maker m;
	void *more;

	(void) arg;
	init(&m, 1, &plain);
	item = acquire(&m);
	eio_switch_begin(&sw);
	fork_user(&sw, &u, &m, "got");
	m.failing = 1;
	expect_err(eio_pool_acquire_never_block(&m.pool, &more), -EMFILE);
	expect_ok(yield_times(2));
	expect_err(u.c.rc, WAITS);
	eio_pool_release(&m.pool, item);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("make1 fail got");
	eio_pool_release(&m.pool, item);
	fini(&m);
	return 0;
}

static int release_surplus(void *arg)
{
	struct user *u = arg;

	eio_pool_release(&u->m->pool, u->item);
	return 0;
}

CORE_TEST(a_pool_whose_surplus_is_being_disposed_of_is_not_ended)
{
	struct eio_switch sw;
	struct item *item;
	struct maker m;
	struct user u = {.m = &m};

	(void) arg;
	init(&m, 1, &plain);
	item = acquire(&m);
	expect_ok(eio_pool_acquire_never_block(&m.pool, &u.item));
	m.yields = 3;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, release_surplus, &u));
	eio_pool_release(&m.pool, item);
	expect_err(eio_pool_fini(&m.pool), -EBUSY);
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("make1 make2 end2");
	fini(&m);
	return 0;
}

/* Cancelling */

CORE_TEST(a_cancelled_context_acquires_nothing)
{
	struct eio_cancel c;
	struct maker m;
	void *item = &m;

	(void) arg;
	init(&m, 1, &plain);
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -EPIPE));
	expect_err(eio_pool_acquire(&m.pool, &item), -ECANCELED);
	expect_err(eio_pool_acquire_never_block(&m.pool, &item), -ECANCELED);
	eio_cancel_end(&c);
	ck_assert_ptr_eq(item, &m);
	expect_log("");
	fini(&m);
	return 0;
}

/* Every subset of four waiters is cancelled: the others get the item, in order. */
CORE_TEST(a_cancelled_waiter_leaves_no_trace)
{
	(void) arg;
	for (unsigned gone = 0; gone < 32; gone++) {
		struct eio_switch sw;
		struct item *item;
		struct user u[4];
		struct maker m;

		init(&m, 1, &plain);
		item = acquire(&m);
		eio_switch_begin(&sw);
		for (int i = 0; i < 4; i++)
			fork_user(&sw, &u[i], &m, NULL);
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				cancel_caller(&u[i].c);
		}
		if (gone & 16) /* they have ended by then */
			expect_ok(yield_times(2));
		for (int i = 0; i < 4; i++) {
			if (gone & 1u << i)
				continue;
			eio_pool_release(&m.pool, item);
			expect_ok(yield_times(2));
			ck_assert_ptr_eq(u[i].item, item);
		}
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 4; i++)
			expect_err(u[i].c.rc, gone & 1u << i ? -ECANCELED : 0);
		eio_pool_release(&m.pool, item);
		ck_assert_ptr_eq(acquire(&m), item);
		eio_pool_release(&m.pool, item);
		fini(&m);
	}
	return 0;
}

/* In one round, before the waiter runs: whichever comes first counts. */
CORE_TEST(an_item_is_kept_by_who_was_cancelled_after_it_came)
{
	struct eio_switch sw;
	struct item *item;
	struct user u[2];
	struct maker m;

	(void) arg;
	init(&m, 1, &plain);
	item = acquire(&m);
	eio_switch_begin(&sw);
	fork_user(&sw, &u[0], &m, NULL);
	fork_user(&sw, &u[1], &m, NULL);
	eio_pool_release(&m.pool, item);
	cancel_caller(&u[0].c);
	expect_ok(yield_times(2));
	expect_ok(u[0].c.rc);
	expect_err(u[1].c.rc, WAITS);
	cancel_caller(&u[1].c);
	eio_pool_release(&m.pool, item);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(u[1].c.rc, -ECANCELED);
	fini(&m);
	return 0;
}

/* Its functions wait, and so would fail in a cancelled context. */
CORE_TEST(items_are_looked_at_and_ended_although_the_caller_was_cancelled)
{
	struct eio_cancel c;
	struct maker m;
	void *item;

	(void) arg;
	init(&m, 1, &careful);
	m.yields = 1;
	expect_ok(eio_pool_acquire(&m.pool, &item));
	eio_pool_release(&m.pool, item);
	expect_ok(eio_pool_acquire(&m.pool, &item));
	expect_log("make1 look1");
	ck_assert_ptr_nonnull(item);
	((struct item *) item)->bad = true;
	eio_cancel_begin(&c);
	expect_ok(eio_cancel_raise(&c, -ECANCELED));
	eio_pool_release(&m.pool, item);
	note("released");
	expect_err(eio_pool_acquire(&m.pool, &item), -ECANCELED);
	expect_ok(eio_pool_fini(&m.pool)); /* waits for the farewell */
	eio_cancel_end(&c);
	expect_log("released end1");
	ck_assert_uint_eq(m.alive, 0);
	return 0;
}

CORE_TEST(those_who_leave_are_passed_over)
{
	(void) arg;
	for (int leaving = 0; leaving < 3; leaving++) {
		struct eio_switch sw;
		struct item *item;
		struct user u[3];
		struct maker m;

		init(&m, 1, &plain);
		item = acquire(&m);
		eio_switch_begin(&sw);
		for (int i = 0; i < 3; i++)
			fork_user(&sw, &u[i], &m, NULL);
		begin_leaving(u[leaving].c.fiber);
		for (int i = 0; i < 3; i++) {
			eio_pool_release(&m.pool, item);
			expect_ok(yield_times(2));
		}
		expect_err(eio_pool_fini(&m.pool), -EBUSY);
		end_leaving(u[leaving].c.fiber);
		expect_ok(eio_switch_end(&sw, 0));
		for (int i = 0; i < 3; i++)
			expect_err(u[i].c.rc, i == leaving ? -ECANCELED : 0);
		fini(&m);
	}
	return 0;
}

static int acquire_outside(void *arg)
{
	struct maker *m = arg;
	void *item;

	expect_err(eio_pool_acquire(&m->pool, &item), -EPERM);
	expect_err(eio_pool_acquire_never_block(&m->pool, &item), -EPERM);
	return 0;
}

CORE_TEST(a_thread_without_a_domain_acquires_nothing)
{
	struct maker m;

	(void) arg;
	init(&m, 1, &plain);
	expect_ok(on_plain_thread(acquire_outside, &m));
	expect_log("");
	fini(&m);
	return 0;
}

static int end_outside(void *arg)
{
	struct maker *m = arg;

	return eio_pool_fini(&m->pool);
}

CORE_TEST(a_pool_may_be_ended_where_there_are_no_fibers)
{
	struct maker m;

	(void) arg;
	init(&m, 1, &careful);
	eio_pool_release(&m.pool, acquire(&m));
	expect_ok(on_plain_thread(end_outside, &m));
	ck_assert_uint_eq(m.alive, 0);
	log_clear();
	return 0;
}

/* Several domains use two items; alloc fails at times, validate says no at times, and some
 * who wait are cancelled. Who has an item has it alone. */

enum { DOMAINS = 3, FIBERS = 4, LAPS = SANITIZED ? 200 : 1500, MAX = 2 };

struct thing {
	unsigned used; /* how often */
	unsigned users;
};

struct crowd {
	int64_t begun;
	struct eio_pool pool;
	unsigned alive, allocs, surplus;
};

static int make_thing(void **ret, void *arg)
{
	struct crowd *c = arg;

	if (__atomic_fetch_add(&c->allocs, 1, __ATOMIC_RELAXED) % 5 == 4)
		return -EMFILE;
	if (__atomic_add_fetch(&c->alive, 1, __ATOMIC_RELAXED) >
	    MAX + __atomic_load_n(&c->surplus, __ATOMIC_RELAXED))
		ck_abort_msg("more than there may be");
	*ret = calloc(1, sizeof(struct thing));
	return 0;
}

static void end_thing(void *thing, void *arg)
{
	struct crowd *c = arg;

	must((int) ((struct thing *) thing)->users);
	free(thing);
	__atomic_sub_fetch(&c->alive, 1, __ATOMIC_RELAXED);
}

static bool is_new(void *thing, void *arg)
{
	(void) arg;
	return ((struct thing *) thing)->used % 8 != 7;
}

struct visitor {
	struct crowd *crowd;
	struct eio_cancel *waits; /* NULL: it does not, just now */
};

static int use_things(void *arg)
{
	struct visitor *v = arg;
	struct crowd *c = v->crowd;

	for (unsigned lap = 0; again(lap, LAPS, c->begun);) {
		bool never_block = lap % 50 == 49;
		struct eio_cancel ctx;
		struct thing *t;
		void *item;
		int rc;

		/* While there is a surplus item, one more may be made in place of another. */
		if (never_block)
			__atomic_add_fetch(&c->surplus, 1, __ATOMIC_RELAXED);
		eio_cancel_begin(&ctx);
		v->waits = &ctx;
		rc = never_block ? eio_pool_acquire_never_block(&c->pool, &item)
				 : eio_pool_acquire(&c->pool, &item);
		v->waits = NULL;
		eio_cancel_end(&ctx);
		if (rc == -ECANCELED || rc == -EMFILE)
			continue;
		must(rc);
		t = item;
		if (t->users++ != 0)
			ck_abort_msg("two have one item");
		t->used++;
		if (lap++ % 3 == 0)
			must(eio_yield());
		t->users--;
		eio_pool_release(&c->pool, t);
	}
	return 0;
}

static int cancel_visitors(void *arg)
{
	struct visitor *v = arg;
	unsigned i = 0;
	int rc;

	while ((rc = yield_times(5)) == 0) {
		if (v[++i % FIBERS].waits)
			must(eio_cancel_raise(v[i % FIBERS].waits, -EPIPE));
	}
	return rc;
}

static int use_all(struct eio_env *e, void *arg)
{
	struct visitor v[FIBERS];
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	for (int i = 0; i < FIBERS; i++) {
		v[i] = (struct visitor){.crowd = arg};
		expect_ok(eio_fork(&sw, use_things, &v[i]));
	}
	expect_ok(eio_fork_daemon(&sw, cancel_visitors, v));
	return eio_switch_end(&sw, 0);
}

static void *run_using(void *arg)
{
	expect_ok(eio_run(NULL, use_all, arg));
	return NULL;
}

RING_TEST(several_domains_share_the_items)
{
	static const struct eio_pool_ops ops = {
		.alloc = make_thing,
		.dispose = end_thing,
		.validate = is_new,
	};
	struct crowd c = {.begun = eio__now()};
	pthread_t threads[DOMAINS];

	(void) arg;
	expect_ok(eio_pool_init(&c.pool, MAX, &ops, &c));
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_create(&threads[i], NULL, run_using, &c));
	for (int i = 0; i < DOMAINS; i++)
		expect_ok(pthread_join(threads[i], NULL));
	ck_assert_uint_le(c.alive, MAX);
	expect_ok(eio_pool_fini(&c.pool));
	ck_assert_uint_eq(c.alive, 0);
	return 0;
}

/* One domain releases a surplus item, the other ends the pool as soon as it may. */

struct letter {
	struct eio_pool pool;
	void *item;
};

static void end_letters(void *item, void *arg)
{
	struct letter *l = arg;

	must(item != l);
}

static int make_letters(void **ret, void *arg)
{
	*ret = arg;
	return 0;
}

static int release_letter(void *arg)
{
	struct letter *l = arg;

	eio_pool_release(&l->pool, l->item);
	return 0;
}

RING_TEST(a_pool_may_be_freed_once_it_could_be_ended)
{
	static const struct eio_pool_ops ops = {.alloc = make_letters, .dispose = end_letters};
	int64_t begun = eio__now();
	struct letter_box box;

	(void) arg;
	start_partner_domain(&box, release_letter);
	for (unsigned i = 0; again(i, SANITIZED ? 3000 : 30000, begun); i++) {
		struct letter *l = calloc(1, sizeof(*l));
		void *item;

		expect_ok(eio_pool_init(&l->pool, 1, &ops, l));
		expect_ok(eio_pool_acquire(&l->pool, &item));
		if (i % 2)
			expect_ok(eio_pool_acquire_never_block(&l->pool, &l->item));
		else
			l->item = item;
		put_letter(&box, l);
		if (i % 2)
			eio_pool_release(&l->pool, item);
		for (unsigned n = 1; eio_pool_fini(&l->pool) == -EBUSY; n++) {
			if (n % 256 == 0)
				sched_yield();
		}
		bury(l, sizeof(*l));
	}
	end_partner(&box);
	empty_graves();
	return 0;
}

SUITE_MAIN("pool", false, a_pool_without_room_or_alloc_is_refused_test,
	   a_pool_without_memory_is_enomem_test,
	   items_are_looked_at_and_ended_although_the_caller_was_cancelled_test,
	   a_pool_in_use_is_not_ended_test, the_item_used_last_is_used_next_test,
	   an_invalid_item_is_disposed_of_and_made_anew_test,
	   dispose_and_validate_are_optional_test,
	   items_go_to_those_who_wait_in_the_order_they_came_test,
	   an_invalid_item_handed_over_is_made_anew_by_who_got_it_test,
	   a_failed_alloc_is_its_callers_and_the_next_one_tries_test,
	   a_cancelled_alloc_lets_the_next_one_try_test,
	   never_blocking_makes_more_and_the_pool_shrinks_back_test,
	   a_surplus_item_goes_to_those_who_wait_first_test,
	   never_blocking_that_fails_lets_nobody_exceed_max_test,
	   a_pool_whose_surplus_is_being_disposed_of_is_not_ended_test,
	   a_cancelled_context_acquires_nothing_test, a_cancelled_waiter_leaves_no_trace_test,
	   an_item_is_kept_by_who_was_cancelled_after_it_came_test,
	   those_who_leave_are_passed_over_test, a_thread_without_a_domain_acquires_nothing_test,
	   a_pool_may_be_ended_where_there_are_no_fibers_test, several_domains_share_the_items_test,
	   a_pool_may_be_freed_once_it_could_be_ended_test)
