/* SPDX-License-Identifier: ISC */
/*
 * Clocks, sleeping and time limits. All times are signed nanoseconds.
 *
 * The monotonic clock of the environment is never set. It stands still while the machine is
 * suspended, and so do sleeps and limits on it; NTP makes it run at most 0.05 % faster or slower.
 *
 * The wall clock may be set at any time, by hand or by NTP, and goes on while the machine is
 * suspended. Who sleeps until a time of it wakes when it shows that time, however it came to
 * that: at once when a step forward or a suspend passed it, later after a step back. How long a
 * sleep or a limit lasts is measured by the monotonic clock, also when the wall clock is given.
 */
#ifndef EIO_TIME_H
#define EIO_TIME_H

#include <eio/api.h>
#include <eio/cancel.h>

EIO_BEGIN_DECLS

struct eio_clock_ops;

/** A clock capability: copied freely, never freed. */
struct eio_clock {
	const struct eio_clock_ops *ops;
	void *ptr;
};

/** A timer in its owner's storage; fill in @p fn, leave the rest to the clock. */
struct eio_timer {
	/** Called once in the domain's scheduler when the timer is due; must not suspend. */
	void (*fn)(struct eio_timer *t);
	void *eio_private[7];
};

/** What a clock provider implements. */
struct eio_clock_ops {
	const char *name;
	int64_t (*now)(struct eio_clock c);
	/** 0 at or after @p deadline_ns; -ECANCELED. */
	int (*sleep_until)(struct eio_clock c, int64_t deadline_ns);
	/** Arm @p t for the calling domain; cannot fail. */
	void (*timer_start)(struct eio_clock c, struct eio_timer *t, int64_t deadline_ns);
	/** Disarm; harmless when it is not armed. */
	void (*timer_stop)(struct eio_clock c, struct eio_timer *t);
	void *reserved[4]; /**< zero */
};

/** A time limit; opaque, on the caller's stack from begin to end. */
struct eio_timeout {
	void *eio_private[28];
};

/** The clock's time. Any thread for the clocks of eio_env. @since 0.1 */
EIO_API int64_t eio_now_ns(struct eio_clock c);

/**
 * Sleep for @p ns nanoseconds; zero or less still lets ready fibers run first.
 *
 * Setting the wall clock changes nothing for who sleeps already.
 *
 * @return 0, -ECANCELED, or -EPERM without a domain.
 * @since 0.1
 */
EIO_API int eio_sleep(struct eio_clock c, int64_t ns);

/**
 * Sleep until the clock shows @p deadline_ns; EIO_NEVER waits for cancellation.
 *
 * On the wall clock that may be sooner or later than it looked when the call was made: see above.
 *
 * @return 0, -ECANCELED, or -EPERM without a domain.
 * @since 0.1
 */
EIO_API int eio_sleep_until(struct eio_clock c, int64_t deadline_ns);

/**
 * Open a scope that is cancelled when @p ns have passed. Cannot fail; outside a fiber it
 * aborts with a message.
 *
 * @param ns  From now; zero or negative is due at once, EIO_NEVER never. With the wall clock, too,
 *   it is the monotonic one that measures it.
 * @since 0.1
 */
EIO_API void eio_timeout_begin(struct eio_timeout *t, struct eio_clock c, int64_t ns);

/** Move the limit to @p ns from now; no effect once it expired. Its domain only. @since 0.1 */
EIO_API void eio_timeout_reset(struct eio_timeout *t, int64_t ns);

/**
 * Close the scope.
 *
 * @return -ETIMEDOUT when @p rc is -ECANCELED and this limit was the cause; else @p rc.
 *   eio_last_error()->done is then that of the call which was cut short, if it has one.
 *   -EPERM from another domain; nothing was done.
 * @since 0.1
 */
EIO_API int eio_timeout_end(struct eio_timeout *t, int rc);

/** Run @p fn within a limit: begin, fn, end; -EPERM outside a fiber. @since 0.1 */
EIO_API int eio_timeout_run(struct eio_clock c, int64_t ns, eio_fn *fn, void *arg);

/** A regular beat; in its owner's storage, needs no end. */
struct eio_ticker {
	struct eio_clock clock;
	int64_t period_ns;
	int64_t next_ns; /**< when the clock shows that, a period is over */
};

/**
 * Begin a beat: the first period is over in @p period_ns from now.
 *
 * @param period_ns  At least 1; less counts as 1.
 * @since 0.1
 */
EIO_API void eio_ticker_init(struct eio_ticker *t, struct eio_clock c, int64_t period_ns);

/**
 * Wait for the end of a period.
 *
 * The beat keeps its distance from where it began, however long the caller is busy:
 * periods that it missed are counted, not made up for. On the wall clock these include those
 * that a step forward passed; after a step back the next one comes as late as the clock says.
 *
 * @return How many periods have passed since the last call, at least 1, at most INT_MAX;
 *   -ECANCELED, -EBADF for a zeroed clock, or -EPERM without a domain.
 * @cancel Yes. The beat is not lost: the next call counts it.
 * @since 0.1
 */
EIO_API EIO_NODISCARD int eio_ticker_next(struct eio_ticker *t);

EIO_END_DECLS

#endif
