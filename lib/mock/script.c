/* SPDX-License-Identifier: ISC */
#include "mock/script.h"
#include "core/error.h"
#include "core/fiber.h"
#include "io/env.h"

#include <stdlib.h>
#include <string.h>

struct waiter {
	struct eio__list link;
	struct eio__fiber *fiber;
	bool cancelled;
};

void eio__mock_script_init(struct eio__mock_script *s)
{
	*s = (struct eio__mock_script){.actions = NULL};
	eio__list_init(&s->waiting);
}

void eio__mock_script_fini(struct eio__mock_script *s)
{
	free(s->actions);
}

static bool reserve(struct eio__mock_script *s, size_t n)
{
	size_t size = s->n + n > 2 * s->size ? s->n + n : 2 * s->size;
	struct eio_mock_action *actions;

	if (s->n + n <= s->size)
		return true;
	actions = realloc(s->actions, size * sizeof(*actions));
	if (!actions)
		return false;
	s->actions = actions;
	s->size = size;
	return true;
}

void eio__mock_script_add(struct eio__mock_script *s, const struct eio_mock_action *actions,
			  size_t n)
{
	if (s->incomplete || !reserve(s, n)) {
		s->incomplete = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct eio_mock_action *a = &s->actions[s->n];

		*a = actions[i];
		if (a->kind == EIO_MOCK_KIND_DATA && a->n < 0)
			a->n = (int64_t) strlen(a->data);
		/* Zero bytes would be the end of the stream. */
		if (a->kind != EIO_MOCK_KIND_DATA || a->n > 0 || s->messages)
			s->n++;
	}
}

/* Turns */

static void leave(struct eio__fiber *f, void *arg)
{
	struct waiter *w = arg;

	w->cancelled = true;
	eio__list_remove(&w->link);
	eio__wake(f);
}

static int take_turn(struct eio__mock_script *s)
{
	static const struct eio__wait wait = {.what = "turn at a mock", .cancel = leave};

	struct waiter w = {.fiber = eio__self()};

	if (!s->taken) {
		s->taken = true;
		return 0;
	}
	eio__list_append(&s->waiting, &w.link);
	eio__suspend(w.fiber, &wait, &w);
	return w.cancelled ? eio__canceled(w.fiber) : 0;
}

void eio__mock_script_end(struct eio__mock_script *s)
{
	struct waiter *w;

	if (eio__list_empty(&s->waiting)) {
		s->taken = false;
		return;
	}
	w = eio__container_of(s->waiting.next, struct waiter, link);
	eio__list_remove(&w->link);
	eio__wake(w->fiber);
}

/* Actions */

static bool decides(const struct eio__mock_script *s, const struct eio_mock_action *a)
{
	switch (a->kind) {
	case EIO_MOCK_KIND_SLEEP:
	case EIO_MOCK_KIND_AWAIT:
	case EIO_MOCK_KIND_RUN:
		return false;
	case EIO_MOCK_KIND_EOF: /* the last one decides again and again */
		return s->off == 0 || s->next + 1 == s->n;
	default:
		return true;
	}
}

static int perform(const struct eio_mock_action *a)
{
	switch (a->kind) {
	case EIO_MOCK_KIND_SLEEP:
		return eio_sleep(eio__clock_mono(), a->n);
	case EIO_MOCK_KIND_AWAIT:
		return eio_promise_await(a->promise, NULL);
	case EIO_MOCK_KIND_RUN:
		return a->fn(a->arg);
	default: /* an end of the stream that was told */
		return 0;
	}
}

static void advance(struct eio__mock_script *s)
{
	s->next++;
	s->off = 0;
}

/* Actions may be added meanwhile: the array moves. */
static int proceed(struct eio__mock_script *s, struct eio_mock_action *ret)
{
	while (s->next < s->n) {
		struct eio_mock_action a = s->actions[s->next];
		int rc;

		if (decides(s, &a)) {
			*ret = a;
			if (a.kind == EIO_MOCK_KIND_EOF)
				s->off = 1;
			else if (a.kind != EIO_MOCK_KIND_DATA)
				advance(s);
			return 1;
		}
		rc = perform(&a);
		if (rc == -ECANCELED && eio_is_cancelled())
			return rc;
		advance(s);
		if (rc < 0)
			return rc;
	}
	return s->incomplete ? eio__fail(-ENOMEM, "script", NULL) : 0;
}

int eio__mock_script_begin(struct eio__mock_script *s, struct eio_mock_action *ret)
{
	int rc = take_turn(s);

	if (rc < 0)
		return rc;
	rc = proceed(s, ret);
	if (rc < 0)
		eio__mock_script_end(s);
	return rc;
}

size_t eio__mock_script_copy(struct eio__mock_script *s, void *buf, size_t len)
{
	const struct eio_mock_action *a = &s->actions[s->next];
	size_t left = (size_t) a->n - s->off;

	if (len > left)
		len = left;
	if (len)
		memcpy(buf, (const char *) a->data + s->off, len);
	s->off += len;
	if (len == left || s->messages)
		advance(s);
	return len;
}

int eio__mock_failure(const struct eio_mock_action *a, const char *op, const char *label)
{
	bool meant = a->kind == EIO_MOCK_KIND_FAIL && a->n < 0;

	return eio__fail(meant ? (int) a->n : -EINVAL, op, label);
}
