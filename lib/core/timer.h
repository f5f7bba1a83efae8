/* SPDX-License-Identifier: ISC */
/*
 * Timers of a domain, on its monotonic clock or on the wall clock. The mock scheduler has one
 * clock, a fake one, for both.
 */
#ifndef EIO__TIMER_H
#define EIO__TIMER_H

#include "base/heap.h"

#include <eio/time.h>

struct eio__domain;

/* The domain's time, or the system's on a thread without one. */
int64_t eio__now(void);
int64_t eio__wall_now(void);

/* Arms @p t in the calling domain; EIO_NEVER arms nothing. Fibers only. */
void eio__timer_start(struct eio_timer *t, int64_t deadline_ns);
void eio__wall_timer_start(struct eio_timer *t, int64_t deadline_ns);

/* Disarms; harmless when it is not armed. */
void eio__timer_stop(struct eio_timer *t);

/* 0 at or after the deadline, -ECANCELED, or -EPERM. Ready fibers run first. */
int eio__sleep_until(int64_t deadline_ns);
int eio__wall_sleep_until(int64_t deadline_ns);

/* For schedulers: calls what is due, or of many the first; the next deadline, which may be
 * past then, or EIO_NEVER. */
void eio__timers_expire(struct eio__domain *d, int64_t now);
int64_t eio__timers_next(const struct eio__domain *d);

/* The same for the wall clock. */
void eio__wall_timers_expire(struct eio__domain *d, int64_t now);
int64_t eio__wall_timers_next(const struct eio__domain *d);

#endif
