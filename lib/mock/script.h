/* SPDX-License-Identifier: ISC */
/*
 * Scripts: queues of actions that decide what the calls on a mock give.
 *
 * A script is a sequence in time: what comes after a sleep comes after it for everybody.
 * So one call at a time has the turn, from begin to end, and the others wait for it in
 * order. A call performs the actions that only wait, up to the first one that decides. An
 * action is used up when it is done; one that was cancelled is not, nor are bytes that
 * were not copied, nor the end of a stream while it is the last.
 */
#ifndef EIO__MOCK_SCRIPT_H
#define EIO__MOCK_SCRIPT_H

#include "base/list.h"

#include <eio/mock.h>

struct eio__mock_script {
	struct eio_mock_action *actions;
	size_t next, n, size;     /* used up are those before next */
	size_t off;               /* bytes used of the next one; of the end of a stream 1: told */
	struct eio__list waiting; /* for their turn */
	bool taken;               /* somebody has the turn */
	bool incomplete;          /* there was no memory for an action */
	bool messages;            /* data are messages: also if empty, and used up as a whole */
};

void eio__mock_script_init(struct eio__mock_script *s);
void eio__mock_script_fini(struct eio__mock_script *s);
void eio__mock_script_add(struct eio__mock_script *s, const struct eio_mock_action *actions,
			  size_t n);

/*
 * Waits for the turn, then performs actions up to one that decides. 1 and that action, or
 * 0 when there is none: the caller has the turn. Negative, the call's result: it has not.
 */
int eio__mock_script_begin(struct eio__mock_script *s, struct eio_mock_action *ret);

/* Copies, and uses up, bytes of the data that decided: how many. */
size_t eio__mock_script_copy(struct eio__mock_script *s, void *buf, size_t len);

/* Ends the turn. */
void eio__mock_script_end(struct eio__mock_script *s);

/* What an action means that gives no result of the call's kind: a failure. */
int eio__mock_failure(const struct eio_mock_action *a, const char *op, const char *label);

#endif
