/* SPDX-License-Identifier: ISC */
/* The library's descriptor table, with the model told where it lies. */
#include "uring/slots.c" /* for what is static there */
#include "model/domain.h"

#include <string.h>

/* The free slots: few, so that states are small. */
enum { FIRST = STDERR_FILENO + 1, SLOTS = 2 };

void model_table(bool matters)
{
	static struct eio__slot pristine[SLOTS];
	struct eio__slot *slots;

	if (eio__fd_init() < 0)
		abort();
	slots = &eio__chunks[0][FIRST];
	if (!pristine[0].index)
		memcpy(pristine, slots, sizeof(pristine));
	memcpy(slots, pristine, sizeof(pristine));
	table.first = NULL;
	table.end = &table.first;
	for (int i = 0; i < SLOTS; i++)
		append(&table.end, &slots[i]);
	model_aside(eio__chunks, sizeof(eio__chunks));
	if (!matters)
		model_aside(&table, sizeof(table));
	model_region("table", &table, sizeof(table));
	model_region("slots", slots, sizeof(pristine));
}

void model_table_check(void)
{
	unsigned n = 0;

	for (const struct eio__slot *s = table.first; s && n <= SLOTS; s = s->next, n++) {
		model_expect((uint32_t) s->state == EIO__SLOT_CLOSING, "a free slot is in use");
		model_expect(!s->owner && !s->waiter, "a free slot has an owner or a waiter");
	}
	model_expect(n == SLOTS, "%u slots of %d are free at the end", n, SLOTS);
}
