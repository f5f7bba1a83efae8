/* SPDX-License-Identifier: ISC */
/*
 * Keeping what failed (see <eio/error.h>).
 *
 * A fiber has no record until its first failure: records come from the heap and, when
 * the fiber ends, go to a list of the domain's for the next one that fails, or move
 * with the failure to the switch and from there to the fiber that ended the switch.
 */
#ifndef EIO__ERROR_H
#define EIO__ERROR_H

#include <eio/error.h>
#include <errno.h>

struct eio__domain;
struct eio__fiber;

/* Records operation and subject (may be NULL); returns err. Nothing for err >= 0, nor
 * for -ECANCELED, which says all there is to say. */
static inline int eio__fail(int err, const char *op, const char *subject)
{
	if (__builtin_expect(err < 0 && err != -ECANCELED, 0))
		eio_error_set(err, op, subject);
	return err;
}

/* Records the bytes done, keeping a subject already recorded for err; returns err. */
int eio__fail_done(int err, const char *op, uint64_t done);

/* The fiber's record goes to the caller; NULL if it is not about @p err. */
struct eio_error *eio__error_detach(struct eio__fiber *f, int err);
void eio__error_attach(struct eio__fiber *f, struct eio_error *e);
void eio__error_free(struct eio__domain *d, struct eio_error *e);

/* The details of failure @p err become the fiber's; NULL: nothing is known of it, and what
 * the fiber has of an older failure with that code is not about this one. */
void eio__error_inherit(struct eio__fiber *f, int err, struct eio_error *e);

/*
 * Details for those who get a failure through an object that owns nothing, a promise. The
 * process keeps the last few: share returns the number under which the running fiber's are
 * kept, 0 if it has none about @p err. adopt makes them the fiber's own; if they are gone,
 * or for number 0, nothing is known, as with eio__error_inherit.
 */
uint64_t eio__error_share(int err);
void eio__error_adopt(struct eio__fiber *f, int err, uint64_t number);

/* In the child of a fork, where another thread may have been at it. */
void eio__errors_forget(void);

/* The last error of a thread whose run has ended. */
void eio__error_keep(const struct eio_error *e);

/* For a domain that ends: frees what the list holds. */
void eio__errors_fini(struct eio__domain *d);

#endif
