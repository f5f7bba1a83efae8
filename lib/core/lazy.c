/* SPDX-License-Identifier: ISC */
/*
 * A lazy value is a mutex, whose holder computes, and the result. Once there is one nobody
 * needs the mutex any more.
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
	bool done; /* written last, read without the mutex */
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

/* With the mutex held. What the computing fiber itself returns. */
static int compute(struct lazy *l)
{
	int rc = l->on_cancel == EIO_LAZY_PROTECT ? eio_protect_run(compute_anyway, l)
						  : l->fn(&l->value, l->arg);

	if (rc == -ECANCELED && l->on_cancel == EIO_LAZY_RESTART)
		return rc;
	l->details = rc < 0 ? eio__error_share(rc) : 0;
	l->rc = rc == -ECANCELED ? EIO_EABANDONED : rc;
	__atomic_store_n(&l->done, true, __ATOMIC_RELEASE);
	return rc;
}

static bool is_done(const struct lazy *l)
{
	return __atomic_load_n(&l->done, __ATOMIC_ACQUIRE);
}

static int deliver(const struct lazy *l, int rc, void **ret_value)
{
	if (rc >= 0 && ret_value)
		*ret_value = l->value;
	return rc;
}

/* The result of an earlier computation. */
static int recall(const struct lazy *l, struct eio__fiber *f, void **ret_value)
{
	if (l->rc < 0)
		eio__error_adopt(f, l->rc, l->details);
	return deliver(l, l->rc, ret_value);
}

int eio_lazy_force(struct eio_lazy *pub, void **ret_value)
{
	struct lazy *l = lazy_of(pub);
	struct eio__fiber *f = eio__self();
	int rc;

	if (!f)
		return -EPERM;
	rc = eio__check(f);
	if (rc < 0)
		return rc;
	if (is_done(l))
		return recall(l, f, ret_value);
	rc = eio_mutex_lock(&l->mutex);
	if (rc < 0)
		return rc;
	rc = is_done(l) ? recall(l, f, ret_value) : deliver(l, compute(l), ret_value);
	eio_mutex_unlock(&l->mutex);
	return rc;
}
