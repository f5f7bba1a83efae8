/* SPDX-License-Identifier: ISC */
#include "model/explore.h"
#include "base/sanitize.h"
#include "model/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MOVES = 16,
	DEPTH = 4096,
	STATES = 8 << 20, /* more is too much for a test */
	TEXT = 64 * 1024,
	UNBOUNDED = -1,
	FULL = -2,      /* unbounded, or what a sanitized build can do */
	SANITIZED = 3,  /* preemptions */
	BOUNDED = 1000, /* schedules at least */
};

/* A thread, and which of its choices. */
struct move {
	unsigned char thread, choice;
};

/* A move that was made, for people. */
struct step {
	struct move move;
	const struct model_site *site;
	const char *what;
	uint64_t value;
};

/* A state on the way to the current one. */
struct node {
	struct step step; /* which led here */
	size_t at, end;   /* where it is saved, in words */
	unsigned index;
	int preemptions;
	bool switching_costs; /* the thread that ran last could go on */
	unsigned n, next;
	struct move moves[MOVES];
};

/* A state that was seen. */
struct seen {
	uint64_t key;
	double schedules; /* from here to an end */
	bool done;        /* all that comes after it was explored */
	bool ends;        /* an end can be reached */
};

struct edge {
	unsigned from, to;
};

static struct search {
	struct node nodes[DEPTH];
	unsigned depth, deepest; /* how many of them are on the way to the current state */
	unsigned last;           /* the step made last */
	uint64_t *saved;
	size_t room; /* of saved, in words */
	struct seen *states;
	unsigned n_states, room_states;
	unsigned *table; /* of indices + 1, by key */
	unsigned mask;
	struct edge *edges;
	size_t n_edges, room_edges, transitions;
	bool cycles;
	int bound;       /* of preemptions */
	unsigned target; /* index + 1 of a state to be reached; 0: none */
} search;

static char text[TEXT];

static void *grown(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		abort();
	return p;
}

/* The states seen */

static void rehash(void)
{
	unsigned size = search.mask ? 2 * (search.mask + 1) : 1 << 12;

	search.mask = size - 1;
	free(search.table);
	search.table = calloc(size, sizeof(search.table[0]));
	if (!search.table)
		abort();
	for (unsigned i = 0; i < search.n_states; i++) {
		unsigned at = (unsigned) search.states[i].key & search.mask;

		while (search.table[at])
			at = (at + 1) & search.mask;
		search.table[at] = i + 1;
	}
}

/* The index of a state, and whether it is a new one. */
static unsigned look_up(uint64_t key, bool *ret_new)
{
	unsigned at;

	if (search.n_states * 2 >= search.mask)
		rehash();
	at = (unsigned) key & search.mask;
	for (; search.table[at]; at = (at + 1) & search.mask) {
		if (search.states[search.table[at] - 1].key == key) {
			*ret_new = false;
			return search.table[at] - 1;
		}
	}
	if (search.n_states == search.room_states) {
		search.room_states = search.room_states ? 2 * search.room_states : 1 << 10;
		search.states = grown(search.states, search.room_states * sizeof(search.states[0]));
	}
	search.states[search.n_states] = (struct seen){.key = key};
	search.table[at] = search.n_states + 1;
	*ret_new = true;
	return search.n_states++;
}

static void add_edge(unsigned from, unsigned to)
{
	if (search.n_edges == search.room_edges) {
		search.room_edges = search.room_edges ? 2 * search.room_edges : 1 << 10;
		search.edges = grown(search.edges, search.room_edges * sizeof(search.edges[0]));
	}
	search.edges[search.n_edges++] = (struct edge){from, to};
}

/* The way */

static const char *where_of(const struct model_site *site, const char *what)
{
	return site->where ? site->where : what;
}

/* Tells how it came to the current state, after a failure or in the middle of a crash. */
static void tell_steps(void)
{
	size_t n = 0;

	text[0] = 0;
	for (unsigned i = 1; i <= search.last && n < sizeof(text) - 512; i++) {
		const struct step *s = &search.nodes[i].step;
		const char *file = strrchr(s->site->file, '/');
		char place[64] = "", value[64];

		/* Only of interest where others came before it. */
		if (s->site->what == model_go_on && i > 1 &&
		    search.nodes[i - 1].step.move.thread == s->move.thread &&
		    s->move.choice != MODEL_INTERRUPT)
			continue;
		if (s->site->line)
			snprintf(place, sizeof(place), "%s:%u", file ? file + 1 : s->site->file,
				 s->site->line);
		model_world_describe(value, sizeof(value), s->value);
		n += (size_t) snprintf(text + n, sizeof(text) - n, "%4u  %-12s %-14s ", i,
				       model_world.threads[s->move.thread].name, place);
		if (s->move.choice == MODEL_INTERRUPT)
			n += (size_t) snprintf(text + n, sizeof(text) - n, "is interrupted\n");
		else
			n += (size_t) snprintf(text + n, sizeof(text) - n, "%s %s: %s\n",
					       s->site->what, where_of(s->site, s->what), value);
	}
}

static void tell_where_they_wait(char *to, size_t size)
{
	for (unsigned i = 0; i < model_world.n_threads; i++) {
		const struct model_thread *t = &model_world.threads[i];
		size_t n = strlen(to);

		if (t->status != ENDED)
			snprintf(to + n, size - n, "; %s: %s %s", t->name, t->site->what,
				 where_of(t->site, t->what));
	}
}

/* Searching */

static bool can_step(unsigned thread)
{
	return model_world_choices(&model_world.threads[thread]) > 0;
}

static void add_moves(struct node *n, unsigned thread)
{
	const struct model_thread *t = &model_world.threads[thread];
	unsigned choices = model_world_choices(t);

	for (unsigned c = 0; c < choices && n->n < MOVES; c++)
		n->moves[n->n++] = (struct move){(unsigned char) thread, (unsigned char) c};
	if (t->handler && !t->in_handler && t->status != ENDED && n->n < MOVES)
		n->moves[n->n++] = (struct move){(unsigned char) thread, MODEL_INTERRUPT};
}

/* The moves of the current state: the thread that ran last goes first. */
static void find_moves(struct node *n)
{
	unsigned last = n->step.move.thread;

	n->n = n->next = 0;
	n->switching_costs = n != search.nodes && can_step(last);
	add_moves(n, last);
	if (n->switching_costs && search.bound != UNBOUNDED && n->preemptions >= search.bound)
		return;
	for (unsigned i = 0; i < model_world.n_threads; i++) {
		if (i != last)
			add_moves(n, i);
	}
	if (n->n == MOVES)
		abort();
}

/* With a bound it matters how much of it is left, and who ran last. */
static uint64_t key_of(const struct node *n)
{
	uint64_t key = model_world_hash();

	if (search.bound != UNBOUNDED)
		key = (key ^ (n->step.move.thread + 1u)) * 0x9e3779b97f4a7c15 +
		      (uint64_t) n->preemptions;
	return key;
}

/* The current state becomes the last on the way. */
static void push(unsigned index)
{
	struct node *n = &search.nodes[search.depth];
	size_t size = model_world_size() / 8;

	n->index = index;
	n->at = search.depth ? n[-1].end : 0;
	n->end = n->at + size;
	if (n->end > search.room) {
		search.room = 2 * n->end;
		search.saved = grown(search.saved, search.room * 8);
	}
	model_world_save(search.saved + n->at);
	find_moves(n);
	if (++search.depth == DEPTH)
		abort();
	if (search.depth - 1 > search.deepest)
		search.deepest = search.depth - 1;
}

/* Nobody can go on: it had better be the end. */
static void check_end(const struct node *n, void (*finally)(void))
{
	char where[200] = "";
	bool all = true;

	for (unsigned i = 0; i < model_world.n_threads; i++)
		all &= model_world.threads[i].status == ENDED;
	if (!all) {
		tell_where_they_wait(where, sizeof(where));
		model_fail("deadlock%s", where);
		return;
	}
	if (model_world_damage())
		model_fail("%s is written to after its end", model_world_damage());
	if (finally)
		finally();
	search.states[n->index].schedules = 1;
	search.states[n->index].ends = true;
}

/* Makes the next move of a node whose state is the current one. */
static struct node *make_move(struct node *n)
{
	struct node *to = n + 1;
	struct move m = n->moves[n->next++];
	struct model_thread *t = &model_world.threads[m.thread];

	to->step = (struct step){m, t->site, t->what, 0};
	to->preemptions = n->preemptions + (n->switching_costs && m.thread != n->step.move.thread);
	search.last = (unsigned) (to - search.nodes);
	to->step.value = model_world_step(t, m.choice);
	return to;
}

static void pop(void)
{
	struct node *n = &search.nodes[--search.depth];

	search.states[n->index].done = true;
	if (!search.depth)
		return;
	search.states[n[-1].index].schedules += search.states[n->index].schedules;
	search.states[n[-1].index].ends |= search.states[n->index].ends;
}

/* A move led to a state that was seen before. */
static void meet(struct node *from, unsigned index)
{
	if (!search.states[index].done) {
		search.cycles = true;
		return;
	}
	search.states[from->index].schedules += search.states[index].schedules;
	search.states[from->index].ends |= search.states[index].ends;
}

static bool is_target(unsigned index)
{
	if (search.target != index + 1)
		return false;
	model_fail("livelock: from here on no end can be reached");
	return true;
}

/* From the state that was set up. False: there is a failure. */
static bool search_all(void (*finally)(void))
{
	const struct node *current = search.nodes;
	bool is_new;

	push(look_up(key_of(search.nodes), &is_new));
	if (is_target(0))
		return false;
	while (search.depth) {
		struct node *n = &search.nodes[search.depth - 1], *to;
		unsigned index;

		if (n->n == 0) {
			check_end(n, finally);
			if (model_world_failure[0])
				return false;
		}
		if (n->next == n->n) {
			pop();
			continue;
		}
		if (current != n)
			model_world_restore(search.saved + n->at);
		to = make_move(n);
		current = to;
		search.transitions++;
		if (model_world_failure[0])
			return false;
		index = look_up(key_of(to), &is_new);
		add_edge(n->index, index);
		if (is_target(index))
			return false;
		if (!is_new) {
			meet(n, index);
			current = NULL;
			continue;
		}
		if (search.n_states > STATES) {
			model_fail("more than %d states: too many for a test", STATES);
			return false;
		}
		push(index);
	}
	return true;
}

/* The first state from which no end can be reached, as a target. */
static unsigned find_livelock(void)
{
	bool more = search.cycles;

	while (more) {
		more = false;
		for (size_t i = search.n_edges; i-- > 0;) {
			const struct edge *e = &search.edges[i];

			if (!search.states[e->from].ends && search.states[e->to].ends)
				more = search.states[e->from].ends = true;
		}
	}
	for (unsigned i = 0; i < search.n_states; i++) {
		if (!search.states[i].ends)
			return i + 1;
	}
	return 0;
}

static bool search_with(int bound, unsigned target, void (*setup)(void), void (*finally)(void))
{
	search.depth = search.deepest = search.last = search.n_states = 0;
	search.n_edges = search.transitions = 0;
	search.cycles = false;
	search.bound = bound;
	search.target = target;
	if (search.mask)
		memset(search.table, 0, (search.mask + 1) * sizeof(search.table[0]));
	memset(&search.nodes[0], 0, sizeof(search.nodes[0]));
	model_world_clear();
	setup();
	if (bound == FULL)
		search.bound = EIO__ASAN_ON && model_world_is_large() ? SANITIZED : UNBOUNDED;
	model_world_start();
	return !model_world_failure[0] && search_all(finally);
}

/* The way to a failure with the fewest switches: the same search, with more and more of
 * them allowed. */
static void shorten(void (*setup)(void), void (*finally)(void))
{
	for (int bound = 0; bound < 8; bound++) {
		if (!search_with(bound, 0, setup, finally))
			return;
	}
	search_with(UNBOUNDED, 0, setup, finally);
}

/* Crashes: the way to one is told as it was found. */

static void tell_crash(void)
{
	tell_steps();
	printf("a crash:\n%s", text);
	fflush(stdout);
}

#ifdef EIO__ASAN

static void watch_crashes(void)
{
	__sanitizer_set_death_callback(tell_crash);
}

#else

static void on_crash(int sig)
{
	tell_crash();
	_exit(128 + sig);
}

static void watch_crashes(void)
{
	static char stack[256 * 1024];
	const struct sigaction act = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
	const int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &act, NULL);
}

#endif

static unsigned marks;

void model_mark(unsigned what)
{
	marks |= what;
}

struct model_result model_explore(const char *claim, void (*setup)(void), void (*finally)(void))
{
	struct model_result r = {.steps = text};
	unsigned lost;
	bool ok;

	watch_crashes();
	marks = 0;
	ok = search_with(FULL, 0, setup, finally);
	r.states = search.n_states;
	r.transitions = search.transitions;
	r.longest = search.deepest;
	r.bounded = search.bound != UNBOUNDED;
	if (ok) {
		r.schedules = search.states[0].schedules;
		lost = r.bounded ? 0 : find_livelock();
		if (lost)
			ok = search_with(UNBOUNDED, lost, setup, finally);
	} else {
		shorten(setup, finally);
	}
	printf("%s: %zu states, %zu transitions, %.3g schedules, at most %zu steps\n", claim,
	       r.states, r.transitions, r.schedules, r.longest);
	if (r.bounded)
		printf("  not all of them: only those with at most %d preemptions\n", SANITIZED);
	fflush(stdout);
	r.failed = !ok;
	text[0] = 0;
	if (!ok) {
		tell_steps();
		snprintf(r.why, sizeof(r.why), "%s", model_world_failure);
	}
	return r;
}

/* As tests */

void model_holds(const char *claim, void (*setup)(void), void (*finally)(void), double least)
{
	struct model_result r = model_explore(claim, setup, finally);

	if (r.failed)
		printf("%s\n%s", r.why, r.steps);
	fflush(stdout); /* libcheck ends the process without */
	ck_assert_msg(!r.failed, "%s: %s", claim, r.why);
	if (r.bounded)
		least = least < BOUNDED ? least : BOUNDED;
	ck_assert_msg(marks != MODEL_MAY_CANCEL, "%s: nobody was ever cancelled", claim);
	ck_assert_msg(r.schedules >= least, "%s: only %.3g schedules", claim, r.schedules);
}

void model_breaks(const char *claim, void (*setup)(void), void (*finally)(void), const char *words)
{
	struct model_result r = model_explore(claim, setup, finally);

	ck_assert_msg(r.failed, "%s: nothing was found", claim);
	ck_assert_msg(strstr(r.why, words), "%s: %s, which lacks: %s", claim, r.why, words);
}
