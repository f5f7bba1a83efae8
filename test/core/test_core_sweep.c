/* SPDX-License-Identifier: ISC */
/*
 * Every call of the core that may suspend, and every one that calls back what may, on both
 * schedulers. What is counted: values, units, items, locks, results of computations, and
 * who is still on a list of those who wait.
 */
#include "core/waiters.h"
#include "sweep.h"

enum { ITEM = 42, FIRST_ITEM = 1 };

struct place {
	struct attempt a;
	struct eio_switch sw; /* for what runs beside the call */
	struct eio_promise promise;
	struct eio_event event;
	struct eio_mutex mutex;
	struct eio_condition condition;
	struct eio_semaphore semaphore;
	struct eio_stream stream;
	struct eio_pool pool;
	struct eio_lazy lazy;
	struct eio_seq seq;
	struct eio_ticker ticker;
	struct eio_signals signals;
	void *value;                 /* out of promise, lazy or seq */
	int item, added, taken;      /* of the stream; sums */
	void *mine, *theirs;         /* main's item of the pool, and the call's */
	bool flag;                   /* what the condition is about */
	bool valid;                  /* items of the pool are */
	unsigned ran;                /* functions that were called back */
	unsigned released, acquired; /* units */
	unsigned made, disposed;     /* items of the pool or the stream */
	int forked;                  /* result of the fork */
	int yielded;                 /* of the generator's yield */
};

/* Objects that fibers wait for begin so. */
struct waited_for {
	struct eio__lock lock;
	struct eio__waiters waiters;
};

static bool nobody_waits_for(const void *object)
{
	const struct waited_for *w = object;

	return !w->waiters.first && !w->waiters.last;
}

/* Does it end? */
static int in_time(eio_fn *fn, struct place *p)
{
	return eio_timeout_run(env->mono_clock, EIO_SEC(1), fn, p);
}

static void expect_wait(eio_fn *fn, struct place *p)
{
	expect_err(eio_timeout_run(env->mono_clock, 1, fn, p), -ETIMEDOUT);
}

/* Promises, and what calls back, which then waits for one */

static int await_promise(void *arg)
{
	struct place *p = arg;

	p->ran++;
	return eio_promise_await(&p->promise, &p->value);
}

static int run_await(struct place *p)
{
	return await_promise(p);
}

static int run_await_protected(struct place *p)
{
	return eio_promise_await_protected(&p->promise, &p->value);
}

static void resolve(struct place *p)
{
	expect_ok(eio_promise_resolve(&p->promise, 0, p));
}

static void check_promise(struct place *p)
{
	same(p->value == p, p->a.rc >= 0);
	same(nobody_waits_for(&p->promise), true);
	same(eio_promise_peek(&p->promise, NULL, NULL), p->a.fired);
}

static int run_protected(struct place *p)
{
	return eio_protect_run(await_promise, p);
}

static int await_within(struct eio_cancel *c, void *arg)
{
	(void) c;
	return await_promise(arg);
}

static int run_cancel_run(struct place *p)
{
	return eio_cancel_run(await_within, p);
}

static int run_bound(struct place *p)
{
	static const struct eio_key key = EIO_KEY_INIT;
	int rc = eio_binding_run(&key, p, await_promise, p);

	same(eio_get(&key) == NULL, true);
	return rc;
}

static int run_within(struct place *p)
{
	return eio_timeout_run(env->mono_clock, EIO_SEC(1000), await_promise, p);
}

/* Events */

static void make_event(struct place *p)
{
	expect_ok(eio_event_init(&p->event));
}

static int await_event(void *arg)
{
	struct place *p = arg;

	return eio_event_await(&p->event);
}

static int run_event(struct place *p)
{
	return await_event(p);
}

static void set_event(struct place *p)
{
	eio_event_set(&p->event);
}

/* A set that came for nobody is kept, one that was seen is not, and the next one comes. */
static void check_event(struct place *p)
{
	expect_ok(eio_sleep(env->mono_clock, 0)); /* it comes by the domain's inbox */
	if (p->a.fired && p->a.rc < 0)
		same(in_time(await_event, p), 0);
	expect_wait(await_event, p);
	eio_event_set(&p->event);
	same(in_time(await_event, p), 0);
	eio_event_fini(&p->event);
}

/* Mutexes: main holds it */

static void hold(struct place *p)
{
	expect_ok(eio_mutex_try_lock(&p->mutex));
}

static void let_go(struct place *p)
{
	expect_ok(eio_mutex_unlock(&p->mutex));
}

static int run_lock(struct place *p)
{
	int rc = eio_mutex_lock(&p->mutex);

	return rc < 0 ? rc : eio_mutex_unlock(&p->mutex);
}

static void expect_free(struct place *p, int rc)
{
	same(nobody_waits_for(&p->mutex), true);
	same(eio_mutex_try_lock(&p->mutex), rc);
	if (rc == 0)
		expect_ok(eio_mutex_unlock(&p->mutex));
}

static void check_mutex(struct place *p)
{
	if (!p->a.fired)
		let_go(p);
	expect_free(p, 0);
}

static int work(void *arg)
{
	struct place *p = arg;

	p->ran++;
	return eio_yield();
}

static int run_rw_section(struct place *p)
{
	int rc = eio_mutex_rw_begin(&p->mutex, true);

	return rc < 0 ? rc : eio_mutex_rw_end(&p->mutex, work(p));
}

static int run_rw(struct place *p)
{
	return eio_mutex_rw_run(&p->mutex, false, work, p);
}

static int run_rw_protected(struct place *p)
{
	return eio_mutex_rw_run(&p->mutex, true, work, p);
}

static int run_ro_section(struct place *p)
{
	int rc = eio_mutex_ro_begin(&p->mutex);

	if (rc < 0)
		return rc;
	rc = work(p);
	eio_mutex_ro_end(&p->mutex);
	return rc;
}

static int run_ro(struct place *p)
{
	return eio_mutex_ro_run(&p->mutex, work, p);
}

static void check_poisoned(struct place *p)
{
	if (!p->a.fired)
		let_go(p);
	expect_free(p, p->ran && p->a.rc < 0 ? EIO_EPOISONED : 0);
}

static void check_free(struct place *p)
{
	expect_free(p, 0);
}

/* Conditions */

static int run_condition(struct place *p)
{
	int rc;

	expect_ok(eio_mutex_try_lock(&p->mutex));
	rc = eio_condition_await(&p->condition, &p->mutex);
	expect_ok(eio_mutex_unlock(&p->mutex));
	return rc;
}

static int run_condition_alone(struct place *p)
{
	return eio_condition_await_no_mutex(&p->condition);
}

static int look(void *arg)
{
	const struct place *p = arg;

	return p->flag;
}

static int run_loop(struct place *p)
{
	return eio_condition_loop_no_mutex(&p->condition, look, p);
}

static void signal_it(struct place *p)
{
	p->flag = true;
	eio_condition_signal(&p->condition);
}

static void broadcast_it(struct place *p)
{
	p->flag = true;
	eio_condition_broadcast(&p->condition);
}

static int signal_and_work(void *arg)
{
	struct place *p = arg;

	expect_ok(eio_mutex_lock(&p->mutex));
	eio_condition_signal(&p->condition);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_yield());
	return eio_mutex_unlock(&p->mutex);
}

static void signal_and_hold(struct place *p)
{
	expect_ok(eio_fork(&p->sw, signal_and_work, p));
}

/* Its first word is 0 when there is nobody to wake, as the next signal finds out. */
static void check_condition(struct place *p)
{
	eio_condition_signal(&p->condition);
	same((intptr_t) p->condition.eio_private[0], 0);
	same(nobody_waits_for(&p->condition), true);
	expect_free(p, 0);
}

/* Semaphores, and several at once that want a unit each */

static void no_units(struct place *p)
{
	eio_semaphore_init(&p->semaphore, 0);
}

static int acquire(void *arg)
{
	struct place *p = arg;
	int rc = eio_semaphore_acquire(&p->semaphore);

	p->acquired += rc == 0;
	return rc;
}

static int run_acquire(struct place *p)
{
	return acquire(p);
}

static void release_units(struct place *p, unsigned n)
{
	for (; n > 0; n--, p->released++)
		eio_semaphore_release(&p->semaphore);
}

static void release_one(struct place *p)
{
	release_units(p, 1);
}

static void release_two(struct place *p)
{
	release_units(p, 2);
}

static void release_three(struct place *p)
{
	release_units(p, 3);
}

static void check_units(struct place *p)
{
	same(eio_semaphore_value(&p->semaphore), p->released - p->acquired);
	same(nobody_waits_for(&p->semaphore), true);
	if (p->a.rc >= 0)
		same(p->acquired, p->released);
}

static int run_all(struct place *p)
{
	const struct eio_task tasks[] = {{acquire, p}, {acquire, p}};

	return eio_all(tasks, 2);
}

static int run_both(struct place *p)
{
	return eio_both(acquire, p, acquire, p);
}

static int run_first(struct place *p)
{
	return eio_first(acquire, p, acquire, p);
}

static int run_any(struct place *p)
{
	const struct eio_task tasks[] = {{acquire, p}, {acquire, p}};
	size_t winner = 7;
	int rc = eio_any(tasks, 2, &winner);

	same(winner, rc < 0 ? 7 : 0);
	return rc;
}

static int run_any_of_none(struct place *p)
{
	(void) p;
	return eio_any(NULL, 0, NULL);
}

static int run_n_any(struct place *p)
{
	const struct eio_task tasks[] = {{acquire, p}, {acquire, p}};
	int results[2], rc;
	size_t count;

	rc = eio_n_any(tasks, 2, results, NULL, &count);
	same(count, p->acquired);
	same((results[0] == 0) + (results[1] == 0), p->acquired);
	return rc;
}

static int acquire_ith(size_t i, void *arg)
{
	(void) i;
	return acquire(arg);
}

static int run_for_each(struct place *p)
{
	return eio_for_each(3, 2, acquire_ith, p);
}

/* Streams */

static void make_stream(struct place *p, size_t capacity)
{
	expect_ok(eio_stream_init(&p->stream, sizeof(int), capacity));
}

static void empty_stream(struct place *p)
{
	make_stream(p, 1);
}

static void rendezvous(struct place *p)
{
	make_stream(p, 0);
}

static void add_item(struct place *p, int item)
{
	int rc = eio_stream_try_add(&p->stream, &item);

	if (rc == 0)
		p->added += item;
	else
		same(rc, -EAGAIN);
}

static void full_stream(struct place *p)
{
	make_stream(p, 1);
	add_item(p, FIRST_ITEM);
}

static int run_take(struct place *p)
{
	int rc = eio_stream_take(&p->stream, &p->item);

	p->taken += rc == 0 ? p->item : 0;
	return rc;
}

static int run_add(struct place *p)
{
	const int item = ITEM;
	int rc = eio_stream_add(&p->stream, &item);

	p->added += rc == 0 ? item : 0;
	return rc;
}

static void put(struct place *p)
{
	add_item(p, ITEM);
}

static void get(struct place *p)
{
	int item, rc = eio_stream_try_take(&p->stream, &item);

	if (rc == 0)
		p->taken += item;
	else
		same(rc == -EAGAIN || rc == EIO_EOF, true);
}

static void check_stream(struct place *p)
{
	size_t length = eio_stream_length(&p->stream);

	for (size_t i = 0; i <= length; i++)
		get(p);
	same(p->taken, p->added);
	same(eio_stream_fini(&p->stream, NULL, NULL), 0);
}

/* Room was made, or an item put in, for nobody in particular: it is there. */
static void check_take(struct place *p)
{
	same(p->added, p->a.fired ? ITEM : 0);
	same(eio_stream_length(&p->stream), p->a.fired && p->a.rc < 0);
	check_stream(p);
}

static void check_add(struct place *p)
{
	same(p->taken, p->a.fired ? FIRST_ITEM : 0);
	same(eio_stream_length(&p->stream), !p->a.fired + (p->a.rc == 0));
	check_stream(p);
}

static void close_stream(struct place *p)
{
	eio_stream_close(&p->stream);
}

static int run_take_end(struct place *p)
{
	int rc = run_take(p);

	return rc == EIO_EOF ? 0 : rc;
}

static int run_add_refused(struct place *p)
{
	int rc = run_add(p);

	return rc == -EPIPE ? 0 : rc;
}

static void dispose_slowly(void *item, void *arg)
{
	struct place *p = arg;

	(void) item;
	(void) eio_yield();
	p->disposed++;
}

static int run_stream_fini(struct place *p)
{
	return eio_stream_fini(&p->stream, dispose_slowly, p);
}

static void check_disposed(struct place *p)
{
	same(p->disposed, 1);
}

/* Pools of one, all of whose functions suspend */

static int make_item(void **ret, void *arg)
{
	struct place *p = arg;
	int rc = eio_yield();

	if (rc < 0)
		return rc;
	p->made++;
	*ret = p;
	return 0;
}

static bool validate_slowly(void *item, void *arg)
{
	struct place *p = arg;

	(void) item;
	(void) eio_yield();
	return p->valid;
}

static void new_pool(struct place *p)
{
	static const struct eio_pool_ops ops = {
		.alloc = make_item, .dispose = dispose_slowly, .validate = validate_slowly};

	expect_ok(eio_pool_init(&p->pool, 1, &ops, p));
}

static void pool_in_use(struct place *p)
{
	new_pool(p);
	expect_ok(eio_pool_acquire(&p->pool, &p->mine));
}

static void valid_in_use(struct place *p)
{
	pool_in_use(p);
	p->valid = true;
}

static void two_in_use(struct place *p)
{
	pool_in_use(p);
	expect_ok(eio_pool_acquire_never_block(&p->pool, &p->theirs));
}

static void give_back(struct place *p)
{
	eio_pool_release(&p->pool, p->mine);
	p->mine = NULL;
}

static void idle_pool(struct place *p)
{
	pool_in_use(p);
	give_back(p);
}

static int run_pool_acquire(struct place *p)
{
	return eio_pool_acquire(&p->pool, &p->theirs);
}

static int run_never_block(struct place *p)
{
	return eio_pool_acquire_never_block(&p->pool, &p->theirs);
}

static int run_pool_release(struct place *p)
{
	eio_pool_release(&p->pool, p->theirs);
	p->theirs = NULL;
	return 0;
}

static int run_pool_fini(struct place *p)
{
	return eio_pool_fini(&p->pool);
}

static void check_made(struct place *p)
{
	same(p->made > 0, true);
	same(p->made, p->disposed);
}

/* It has a place for another one, as often as one likes. */
static void check_pool(struct place *p)
{
	same(nobody_waits_for(&p->pool), true);
	if (p->theirs)
		eio_pool_release(&p->pool, p->theirs);
	if (p->mine)
		give_back(p);
	expect_ok(eio_pool_acquire(&p->pool, &p->mine));
	give_back(p);
	same(eio_pool_fini(&p->pool), 0);
	check_made(p);
}

/* Lazy values */

static int compute(void **ret, void *arg)
{
	struct place *p = arg;
	int rc;

	p->ran++;
	rc = eio_promise_await(&p->promise, NULL);
	if (rc == 0)
		*ret = p;
	return rc;
}

static void restarting(struct place *p)
{
	eio_lazy_init(&p->lazy, EIO_LAZY_RESTART, compute, p);
}

static void recording(struct place *p)
{
	eio_lazy_init(&p->lazy, EIO_LAZY_RECORD, compute, p);
}

static void protecting(struct place *p)
{
	eio_lazy_init(&p->lazy, EIO_LAZY_PROTECT, compute, p);
}

static int force(void *arg)
{
	struct place *p = arg;

	return eio_lazy_force(&p->lazy, &p->value);
}

static void being_computed(struct place *p)
{
	restarting(p);
	expect_ok(eio_fork(&p->sw, force, p));
}

static int run_force(struct place *p)
{
	return force(p);
}

/* Afterwards everybody gets @p rc, without waiting. */
static void expect_lazy(struct place *p, int rc)
{
	unsigned ran;

	if (!p->a.fired)
		resolve(p);
	same(in_time(force, p), rc);
	ran = p->ran;
	p->value = NULL;
	same(eio_lazy_force(&p->lazy, &p->value), rc);
	same(p->value == p, rc == 0);
	same(p->ran, ran);
	same(nobody_waits_for(&p->promise), true);
	same(nobody_waits_for(&p->lazy), true); /* for its mutex */
}

static void check_lazy(struct place *p)
{
	expect_lazy(p, 0);
}

static void check_recorded(struct place *p)
{
	expect_lazy(p, p->ran && p->a.rc < 0 ? EIO_EABANDONED : 0);
	same(p->ran, 1);
}

static void check_once(struct place *p)
{
	expect_lazy(p, 0);
	same(p->ran, 1);
}

/* Generators */

static int generate(struct eio_seq *seq, void *arg)
{
	struct place *p = arg;
	int rc;

	p->ran++;
	rc = eio_promise_await(&p->promise, NULL);
	while (rc == 0)
		rc = eio_seq_yield(seq, p);
	return rc;
}

static void generating(struct place *p)
{
	expect_ok(eio_seq_begin(&p->seq, &p->sw, generate, p));
}

static int ask(void *arg)
{
	struct place *p = arg;

	return eio_seq_next(&p->seq, &p->value);
}

static int run_next(struct place *p)
{
	return ask(p);
}

/* Who gives up gives all the rest up. */
static void check_next(struct place *p)
{
	bool given_up = p->ran && p->a.rc < 0;

	same(p->value == p, p->a.rc == 1);
	if (!p->a.fired)
		resolve(p);
	same(in_time(ask, p), given_up ? -EINVAL : 1);
}

static int yield_one(struct eio_seq *seq, void *arg)
{
	struct place *p = arg;

	p->yielded = eio_seq_yield(seq, p);
	return p->yielded;
}

/* Takes one item, and after a while asks for the next one: so long the yield lasts. */
static int run_seq_yield(struct place *p)
{
	struct eio_switch sw;
	int rc;

	p->yielded = -ECANCELED;
	eio_switch_begin(&sw);
	rc = eio_seq_begin(&p->seq, &sw, yield_one, p);
	if (rc == 0)
		rc = eio_seq_next(&p->seq, &p->value);
	if (rc == 1)
		rc = eio_promise_await(&p->promise, NULL);
	if (rc == 0)
		rc = eio_seq_next(&p->seq, &p->value);
	(void) eio_switch_end(&sw, rc);
	return p->yielded;
}

static void check_seq_yield(struct place *p)
{
	same(nobody_waits_for(&p->promise), true);
}

static int run_seq_begin(struct place *p)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	p->forked = eio_seq_begin(&p->seq, &sw, generate, p);
	return eio_switch_end(&sw, p->forked);
}

static void check_seq_begin(struct place *p)
{
	same(p->ran, 0);
	if (p->forked == 0)
		same(p->a.rc, 0);
}

/* Forks: the child runs if the fork says so */

static int run_child(void *arg)
{
	work(arg);
	return 0;
}

static int run_child_of_copy(void *arg)
{
	return run_child(*(struct place **) arg);
}

static int fork_child(struct eio_switch *sw, void *arg)
{
	struct place *p = arg;

	return p->forked = eio_fork(sw, run_child, p);
}

static int fork_copy(struct eio_switch *sw, void *arg)
{
	struct place *p = arg;

	return p->forked = eio_fork_copy(sw, run_child_of_copy, &p, sizeof(p));
}

static int fork_daemon(struct eio_switch *sw, void *arg)
{
	struct place *p = arg;

	return p->forked = eio_fork_daemon(sw, run_child, p);
}

static int fork_promise(struct eio_switch *sw, void *arg)
{
	struct place *p = arg;

	return p->forked = eio_fork_promise(sw, run_child, p, &p->promise);
}

static int run_fork(struct place *p)
{
	return eio_switch_run(fork_child, p);
}

static int run_fork_copy(struct place *p)
{
	return eio_switch_run(fork_copy, p);
}

static int run_fork_daemon(struct place *p)
{
	return eio_switch_run(fork_daemon, p);
}

static int run_fork_promise(struct place *p)
{
	return eio_switch_run(fork_promise, p);
}

static void check_forked(struct place *p)
{
	same(p->ran, p->forked == 0);
}

static void check_promised(struct place *p)
{
	int rc = 1;

	check_forked(p);
	same(eio_promise_peek(&p->promise, &rc, NULL), true);
	same(rc, p->forked < 0 ? EIO_EABANDONED : 0);
}

/* Switches */

static int fork_waiter(struct eio_switch *sw, void *arg)
{
	return eio_fork(sw, await_promise, arg);
}

static int run_switch(struct place *p)
{
	return eio_switch_run(fork_waiter, p);
}

static int run_switch_end(struct place *p)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	return eio_switch_end(&sw, fork_waiter(&sw, p));
}

static int run_protected_end(struct place *p)
{
	struct eio_switch sw;

	eio_switch_begin_protected(&sw);
	return eio_switch_end(&sw, fork_waiter(&sw, p));
}

static int run_end_with_hook(struct place *p)
{
	struct eio_switch sw;
	struct eio_hook hook;

	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &hook, await_promise, p));
	return eio_switch_end(&sw, 0);
}

/* On a finished switch the hook runs at once. */
static int run_on_release(struct place *p)
{
	struct eio_switch sw;
	struct eio_hook hook;

	eio_switch_begin(&sw);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_on_release(&sw, &hook, await_promise, p), -EINVAL);
	return 0;
}

static int run_on_release_alloc(struct place *p)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(eio_on_release_alloc(&sw, await_promise, p), -EINVAL);
	return 0;
}

/* Time, and waiting for nothing */

static int run_yield(struct place *p)
{
	(void) p;
	return eio_yield();
}

static int run_await_cancel(struct place *p)
{
	(void) p;
	return eio_await_cancel();
}

static int run_sleep(struct place *p)
{
	(void) p;
	return eio_sleep(env->mono_clock, 20000);
}

static int run_long_sleep(struct place *p)
{
	(void) p;
	return eio_sleep(env->mono_clock, EIO_SEC(1000));
}

static int run_sleep_for_ever(struct place *p)
{
	(void) p;
	return eio_sleep_until(env->mono_clock, EIO_NEVER);
}

static void make_ticker(struct place *p)
{
	eio_ticker_init(&p->ticker, env->mono_clock, 20000);
}

static int await_tick(void *arg)
{
	struct place *p = arg;

	return eio_ticker_next(&p->ticker);
}

static int run_ticker(struct place *p)
{
	return await_tick(p);
}

static void check_ticker(struct place *p)
{
	same(in_time(await_tick, p) > 0, true);
}

/* Signals. Outside of the call of eio_signal_await one would kill: it is held here. */

static const int user_signal[] = {SIGUSR1, 0};

static void subscribe(struct place *p)
{
	expect_ok(eio_signals_begin(&p->signals, user_signal));
}

static int next_signal(void *arg)
{
	struct place *p = arg;
	siginfo_t info;
	int rc = eio_signals_next(&p->signals, &info);

	same(rc < 0 || info.si_signo == SIGUSR1, true);
	return rc;
}

static int run_signals_next(struct place *p)
{
	return next_signal(p);
}

static int run_signal_await(struct place *p)
{
	int rc = eio_signal_await(user_signal);

	(void) p;
	same(rc < 0 || rc == SIGUSR1, true);
	return rc;
}

static void send_signal(struct place *p)
{
	(void) p;
	expect_ok(raise(SIGUSR1));
}

/* What came is the call's or still there. */
static void check_signals(struct place *p)
{
	if (p->a.fired && p->a.rc < 0)
		same(in_time(next_signal, p), 1);
	else
		expect_wait(next_signal, p);
	eio_signals_end(&p->signals);
}

static void check_unsubscribed(struct place *p)
{
	eio_signals_end(&p->signals);
	same(signal(SIGUSR1, SIG_DFL) == SIG_DFL, true);
}

static const struct call calls[] = {
	{"eio_promise_await", HANDED, NULL, run_await, resolve, check_promise},
	{"eio_promise_await_protected", FIRM, NULL, run_await_protected, resolve, check_promise},
	{"eio_protect_run", FIRM, NULL, run_protected, resolve, check_promise},
	{"eio_cancel_run", HANDED, NULL, run_cancel_run, resolve, check_promise},
	{"eio_binding_run", HANDED, NULL, run_bound, resolve, check_promise},
	{"eio_timeout_run", HANDED, NULL, run_within, resolve, check_promise},
	{"eio_event_await", WAITS, make_event, run_event, set_event, check_event},
	{"eio_mutex_lock", HANDED, hold, run_lock, let_go, check_mutex},
	{"eio_mutex_rw_begin", HANDED, hold, run_rw_section, let_go, check_mutex},
	{"eio_mutex_rw_run", WAITS, hold, run_rw, let_go, check_poisoned},
	{"eio_mutex_rw_run, protected", HANDED, hold, run_rw_protected, let_go, check_mutex},
	{"eio_mutex_rw_run, protected, free", BEGUN, NULL, run_rw_protected, NULL, check_free},
	{"eio_mutex_ro_begin", WAITS, hold, run_ro_section, let_go, check_mutex},
	{"eio_mutex_ro_run", WAITS, hold, run_ro, let_go, check_mutex},
	{"eio_condition_await", HANDED, NULL, run_condition, signal_it, check_condition},
	{"eio_condition_await, broadcast", HANDED, NULL, run_condition, broadcast_it,
	 check_condition},
	{"eio_condition_await, the mutex held", HANDED, NULL, run_condition, signal_and_hold,
	 check_condition},
	{"eio_condition_await_no_mutex", HANDED, NULL, run_condition_alone, signal_it,
	 check_condition},
	{"eio_condition_loop_no_mutex", HANDED, NULL, run_loop, signal_it, check_condition},
	{"eio_condition_loop_no_mutex, broadcast", HANDED, NULL, run_loop, broadcast_it,
	 check_condition},
	{"eio_semaphore_acquire", HANDED, no_units, run_acquire, release_one, check_units},
	{"eio_all", HANDED, no_units, run_all, release_two, check_units},
	{"eio_both", HANDED, no_units, run_both, release_two, check_units},
	{"eio_first", HANDED, no_units, run_first, release_one, check_units},
	{"eio_any", HANDED, no_units, run_any, release_one, check_units},
	{"eio_any of none", STUCK, NULL, run_any_of_none, NULL, NULL},
	{"eio_n_any", HANDED, no_units, run_n_any, release_one, check_units},
	{"eio_n_any, both at once", HANDED, no_units, run_n_any, release_two, check_units},
	{"eio_for_each", WAITS, no_units, run_for_each, release_three, check_units},
	{"eio_stream_take", HANDED, empty_stream, run_take, put, check_take},
	{"eio_stream_take, rendezvous", HANDED, rendezvous, run_take, put, check_stream},
	{"eio_stream_take, closed", HANDED, empty_stream, run_take_end, close_stream, check_stream},
	{"eio_stream_add", HANDED, full_stream, run_add, get, check_add},
	{"eio_stream_add, rendezvous", HANDED, rendezvous, run_add, get, check_stream},
	{"eio_stream_add, closed", HANDED, full_stream, run_add_refused, close_stream,
	 check_stream},
	{"eio_stream_fini", FIRM, full_stream, run_stream_fini, NULL, check_disposed},
	{"eio_pool_acquire", HANDED, valid_in_use, run_pool_acquire, give_back, check_pool},
	{"eio_pool_acquire, invalid", WAITS, pool_in_use, run_pool_acquire, give_back, check_pool},
	{"eio_pool_acquire, new", QUICK, new_pool, run_pool_acquire, NULL, check_pool},
	{"eio_pool_acquire_never_block", QUICK, pool_in_use, run_never_block, NULL, check_pool},
	{"eio_pool_release", FIRM, two_in_use, run_pool_release, NULL, check_pool},
	{"eio_pool_fini", FIRM, idle_pool, run_pool_fini, NULL, check_made},
	{"eio_lazy_force, restarted", HANDED, restarting, run_force, resolve, check_lazy},
	{"eio_lazy_force, recorded", HANDED, recording, run_force, resolve, check_recorded},
	{"eio_lazy_force, protected", BEGUN, protecting, run_force, resolve, check_once},
	{"eio_lazy_force, computed by another", WAITS, being_computed, run_force, resolve,
	 check_once},
	{"eio_seq_next", WAITS, generating, run_next, resolve, check_next},
	{"eio_seq_yield", WAITS, NULL, run_seq_yield, resolve, check_seq_yield},
	{"eio_seq_begin", QUICK, NULL, run_seq_begin, NULL, check_seq_begin},
	{"eio_fork", QUICK, NULL, run_fork, NULL, check_forked},
	{"eio_fork_copy", QUICK, NULL, run_fork_copy, NULL, check_forked},
	{"eio_fork_daemon", QUICK, NULL, run_fork_daemon, NULL, check_forked},
	{"eio_fork_promise", QUICK, NULL, run_fork_promise, NULL, check_promised},
	{"eio_switch_run", HANDED, NULL, run_switch, resolve, check_promise},
	{"eio_switch_end", HANDED, NULL, run_switch_end, resolve, check_promise},
	{"eio_switch_end, protected", FIRM, NULL, run_protected_end, resolve, check_promise},
	{"eio_switch_end, a hook", FIRM, NULL, run_end_with_hook, resolve, check_promise},
	{"eio_on_release, finished", FIRM, NULL, run_on_release, resolve, check_promise},
	{"eio_on_release_alloc, finished", FIRM, NULL, run_on_release_alloc, resolve,
	 check_promise},
	{"eio_yield", QUICK, NULL, run_yield, NULL, NULL},
	{"eio_await_cancel", STUCK, NULL, run_await_cancel, NULL, NULL},
	{"eio_sleep", QUICK, NULL, run_sleep, NULL, NULL},
	{"eio_sleep, long", STUCK, NULL, run_long_sleep, NULL, NULL},
	{"eio_sleep_until for ever", STUCK, NULL, run_sleep_for_ever, NULL, NULL},
	{"eio_ticker_next", QUICK, make_ticker, run_ticker, NULL, check_ticker},
	{"eio_signals_next", WAITS, subscribe, run_signals_next, send_signal, check_signals},
	{"eio_signal_await", WAITS, subscribe, run_signal_await, send_signal, check_unsubscribed},
};

static void begin(struct place *p)
{
	eio_switch_begin(&p->sw);
}

static void end(struct place *p)
{
	expect_ok(eio_switch_end(&p->sw, 0));
}

/* The next fiber's turn, and everybody's until all of them wait. */
static void turn(void)
{
	expect_ok(eio_yield());
}

static void whole_round(void)
{
	expect_ok(eio_sleep(env->mono_clock, 0));
}

static struct sweep sweep_by(void (*step)(void))
{
	return (struct sweep){
		.calls = calls,
		.n = sizeof(calls) / sizeof(calls[0]),
		.place_size = sizeof(struct place),
		.begin = begin,
		.end = end,
		.step = step,
	};
}

CORE_TEST(nothing_is_lost_at_whatever_turn_the_cancellation_comes)
{
	const struct sweep s = sweep_by(turn);

	(void) arg;
	sweep_moments(&s);
	return 0;
}

CORE_TEST(nothing_is_lost_in_whatever_round_the_cancellation_comes)
{
	const struct sweep s = sweep_by(whole_round);

	(void) arg;
	sweep_moments(&s);
	return 0;
}

CORE_TEST(nothing_is_lost_when_a_limit_expires)
{
	static const int64_t limits[] = {-1, 1, 20000, 100000};
	const struct sweep s = sweep_by(turn);

	(void) arg;
	sweep_limits(&s, limits, sizeof(limits) / sizeof(limits[0]));
	return 0;
}

SUITE_MAIN("core_sweep", false, nothing_is_lost_at_whatever_turn_the_cancellation_comes_test,
	   nothing_is_lost_in_whatever_round_the_cancellation_comes_test,
	   nothing_is_lost_when_a_limit_expires_test)
