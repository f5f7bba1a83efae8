/* SPDX-License-Identifier: ISC */
/*
 * The model's memory and threads: what a state consists of.
 *
 * A state is struct world, the arena, the regions and the used parts of the stacks. It
 * can be saved, put back and hashed. What lies below a stopped thread's stack pointer is
 * overwritten, so that states do not differ by leftovers and nobody finds there what is
 * gone; with ASan it and what was freed is poisoned.
 */
#ifndef EIO_TEST_MODEL_WORLD_H
#define EIO_TEST_MODEL_WORLD_H

#include "model/explore.h"

enum { MODEL_BLOCKS = 32 };

enum model_status { STEPPING, SPINNING, WAITING, ENDED };

struct model_thread {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	void *sp;
	void *frame; /* of the model's function that stopped it: what lies below is gone */
	struct eio__domain *domain; /* eio__tls_domain while it does not run */
	enum model_status status;

	/* Where it stopped: what it does next. */
	const struct model_site *site;
	const char *what; /* where the site does not tell */
	const volatile void *addr;
	unsigned choices;
	bool (*ready)(const void *arg);
	const void *ready_arg;

	bool looked; /* at something, since it last spun */
	bool stale;  /* something has changed since */

	void (*handler)(void *arg); /* NULL: none, or not any more */
	void *handler_arg;
	bool in_handler;
};

struct model_block {
	const char *name;
	char *start;
	size_t size;
	bool freed;
};

struct model_world {
	struct model_thread threads[MODEL_THREADS];
	unsigned n_threads;
	struct model_block blocks[MODEL_BLOCKS];
	unsigned n_blocks;
	size_t used; /* of the arena */
};

extern struct model_world model_world;

/* The choice of a thread that runs its handler instead of making its step. */
enum { MODEL_INTERRUPT = 255 };

/* What a thread does after a change, up to its next access. */
extern const char model_go_on[];

/* An empty world, and the start of the threads made since: they run to their first step. */
void model_world_clear(void);
void model_world_start(void);

/* Lets a stopped thread make its step; what came of it, for people. */
uint64_t model_world_step(struct model_thread *t, unsigned choice);

/* How many choices the thread has now, handlers left out; 0: it cannot go on. */
unsigned model_world_choices(const struct model_thread *t);

/* Was it set up as a large one? */
bool model_world_is_large(void);

/* The current state. */
uint64_t model_world_hash(void);
size_t model_world_size(void);
void model_world_save(uint64_t *to);
void model_world_restore(const uint64_t *from);

/* Has something freed been written to? Its name. */
const char *model_world_damage(void);

/* The name of an address, for people. */
void model_world_describe(char *buf, size_t size, uint64_t value);

/* The first failure since the last clear; empty: none. */
extern char model_world_failure[256];

#endif
