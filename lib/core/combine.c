/* SPDX-License-Identifier: ISC */
/*
 * Running several functions at once: switches and forks, nothing else.
 */
#include "core/error.h"
#include "core/fiber.h"

/* all: every task is a fiber of one switch. */

int eio_all(const struct eio_task *tasks, size_t n)
{
	struct eio_switch sw;
	int rc = 0;

	if (!eio__self())
		return -EPERM;
	eio_switch_begin_named(&sw, "all");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = eio__fork(&sw, tasks[i].fn, tasks[i].arg, 0, 0);
	rc = eio_switch_end(&sw, rc);
	return rc < 0 ? rc : 0;
}

int eio_both(eio_fn *f, void *f_arg, eio_fn *g, void *g_arg)
{
	const struct eio_task tasks[] = {{f, f_arg}, {g, g_arg}};

	return eio_all(tasks, 2);
}

/*
 * any: the first task to finish cancels the race's context. It counts as finished with
 * every result but the -ECANCELED of a race that was cancelled.
 */
struct race {
	struct eio_cancel scope; /* around the switch, so that winning is no failure of it */
	struct eio_switch sw;
	const struct eio_task *tasks;
	int *results;            /* optional */
	size_t *order;           /* optional */
	size_t finished;         /* tasks that finished */
	size_t winner;           /* the first of them */
	int rc;                  /* its result */
	bool succeeded;          /* one of them well */
	int failure;             /* the first failure */
	struct eio_error *error; /* the winner's details */
};

struct runner {
	struct race *race;
	size_t i;
};

static int run_racer(void *arg)
{
	struct runner *r = arg;
	struct race *race = r->race;
	const struct eio_task *t = &race->tasks[r->i];
	int rc = t->fn(t->arg);

	if (race->results)
		race->results[r->i] = rc;
	if (rc == -ECANCELED)
		return eio_is_cancelled() ? 0 : rc;
	if (race->order)
		race->order[race->finished] = r->i;
	if (race->finished++ == 0) {
		race->winner = r->i;
		race->rc = rc;
		if (rc < 0)
			race->error = eio__error_detach(eio__self(), rc);
		eio_cancel_raise(&race->scope, -ECANCELED);
	}
	if (rc >= 0)
		race->succeeded = true;
	else if (!race->failure)
		race->failure = rc;
	return 0;
}

/* A task must not be skipped because an earlier one succeeded at once. It is started in
 * the cancelled context and ends at its first wait. */
static int start_racers(struct race *race, size_t n)
{
	int rc = eio_check();

	for (size_t i = 0; i < n && rc == 0 && race->failure == 0; i++) {
		struct runner r = {race, i};

		rc = eio__fork(&race->sw, run_racer, &r, sizeof(r), EIO__FORK_CANCELLED);
	}
	return rc;
}

/* 0 when a task finished: the rest is in the race. Else why none did. */
static int run_race(struct race *race, size_t n)
{
	int rc;

	if (!eio__self())
		return -EPERM;
	for (size_t i = 0; race->results && i < n; i++)
		race->results[i] = -ECANCELED;
	eio_cancel_begin(&race->scope);
	eio_switch_begin_named(&race->sw, "any");
	rc = n ? start_racers(race, n) : eio_await_cancel();
	rc = eio_switch_end(&race->sw, rc);
	eio_cancel_end(&race->scope);
	if (race->error)
		eio__error_attach(eio__self(), race->error);
	if (race->finished)
		return 0;
	return rc < 0 ? rc : -ECANCELED; /* the racers hide a cancellation from their switch */
}

int eio_any(const struct eio_task *tasks, size_t n, size_t *ret_winner)
{
	struct race race = {.tasks = tasks};
	int rc = run_race(&race, n);

	if (rc < 0)
		return rc;
	if (ret_winner)
		*ret_winner = race.winner;
	return race.rc;
}

int eio_first(eio_fn *f, void *f_arg, eio_fn *g, void *g_arg)
{
	const struct eio_task tasks[] = {{f, f_arg}, {g, g_arg}};

	return eio_any(tasks, 2, NULL);
}

int eio_n_any(const struct eio_task *tasks, size_t n, int *ret_results, size_t *ret_order,
	      size_t *ret_count)
{
	struct race race = {.tasks = tasks, .results = ret_results, .order = ret_order};
	int rc = run_race(&race, n);

	if (ret_count)
		*ret_count = race.finished;
	if (rc < 0)
		return rc;
	return race.succeeded ? 0 : race.failure;
}

/* for_each: as many workers as may be alive, each taking the next index. */
struct each {
	size_t next, n;
	int (*fn)(size_t i, void *arg);
	void *arg;
};

static int work(void *arg)
{
	struct each *e = arg;
	int rc = 0;

	while (e->next < e->n && rc >= 0) {
		rc = eio_check();
		if (rc == 0)
			rc = e->fn(e->next++, e->arg);
	}
	return rc < 0 ? rc : 0;
}

int eio_for_each(size_t n, size_t max_fibers, int (*fn)(size_t i, void *arg), void *arg)
{
	size_t workers = max_fibers && max_fibers < n ? max_fibers : n;
	struct each e = {.n = n, .fn = fn, .arg = arg};
	struct eio_switch sw;
	int rc;

	if (!eio__self())
		return -EPERM;
	eio_switch_begin_named(&sw, "for_each");
	rc = eio_check();
	for (size_t i = 0; i < workers && rc == 0 && e.next < n; i++)
		rc = eio__fork(&sw, work, &e, 0, 0);
	/* Enough workers are there already. */
	if (rc == -ENOMEM && e.next > 0)
		rc = 0;
	rc = eio_switch_end(&sw, rc);
	return rc < 0 ? rc : 0;
}

/* fork_promise: the result goes to the promise, the switch sees success. */
struct promised {
	eio_fn *fn;
	void *arg;
	struct eio_promise *promise;
};

static int run_promised(void *arg)
{
	struct promised *p = arg;

	eio_promise_resolve(p->promise, p->fn(p->arg), NULL);
	return 0;
}

int eio_fork_promise(struct eio_switch *sw, eio_fn *fn, void *arg, struct eio_promise *promise)
{
	struct promised p = {fn, arg, promise};
	int rc = eio__fork(sw, run_promised, &p, sizeof(p), 0);

	if (rc < 0)
		eio_promise_resolve(promise, rc, NULL);
	return rc;
}
