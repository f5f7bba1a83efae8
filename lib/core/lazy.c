/* SPDX-License-Identifier: ISC */
/*
 * A lazy value is a mutex, whose holder computes, and the result. Once there is one the
 * mutex is poisoned: that publishes the result, wakes all who wait, and is the last touch
 * of the one who computed.
 */
#include "core/error.h"
#include "core/mutex.h"

#include <eio/pool.h>

struct lazy {
	struct eio_mutex mutex;
	int (*fn)(void **ret, void *arg);
	void *arg;
	void *value;
	uint64_t details; /* of a failure: eio__error_share */
	int rc;
	uint8_t on_cancel;
};

_Static_assert(sizeof(struct lazy) <= sizeof(struct eio_lazy), "eio_lazy is too small");

static struct lazy *lazy_of(struct eio_lazy *l)
{
	return (struct lazy *) l;
}

void eio_lazy_init(struct eio_lazy *pub, enum eio_lazy_cancel on_cancel,
		   int (*fn)(void **ret, void *arg), void *arg)
{
	*lazy_of(pub) = (struct lazy){
		.mutex = EIO_MUTEX_INIT,
		.fn = fn,
		.arg = arg,
		.on_cancel = (uint8_t) on_cancel,
	};
}

static int compute_anyway(void *arg)
{
	struct lazy *l = arg;

	return l->fn(&l->value, l->arg);
}

static int deliver(int rc, void *value, void **ret_value)
{
	if (rc >= 0 && ret_value)
		*ret_value = value;
	return rc;
}

/* With the mutex held, which is released or poisoned; then the value may be gone. */
static int compute(struct lazy *l, void **ret_value)
{
	int rc = l->on_cancel == EIO_LAZY_PROTECT ? eio_protect_run(compute_anyway, l)
						  : l->fn(&l->value, l->arg);

	if (rc == -ECANCELED && l->on_cancel == EIO_LAZY_RESTART) {
		eio_mutex_unlock(&l->mutex);
		return rc;
	}
	l->details = rc < 0 ? eio__error_share(rc) : 0;
	l->rc = rc == -ECANCELED ? EIO_EABANDONED : rc;
	deliver(rc, l->value, ret_value);
	eio__mutex_poison(eio__mutex_of(&l->mutex));
	return rc;
}

/* The result of an earlier computation. */
static int recall(const struct lazy *l, struct eio__fiber *f, void **ret_value)
{
	if (l->rc < 0)
		eio__error_adopt(f, l->rc, l->details);
	return deliver(l->rc, l->value, ret_value);
}

int eio_lazy_force(struct eio_lazy *pub, void **ret_value)
{
	struct lazy *l = lazy_of(pub);
	struct eio__fiber *f;
	int rc = eio__enter(&f);

	if (rc < 0)
		return rc;
	if (eio__mutex_is_poisoned(eio__mutex_of(&l->mutex)))
		return recall(l, f, ret_value);
	rc = eio_mutex_lock(&l->mutex);
	if (rc == EIO_EPOISONED)
		return recall(l, f, ret_value);
	return rc < 0 ? rc : compute(l, ret_value);
}
