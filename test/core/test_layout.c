/* SPDX-License-Identifier: ISC */
/*
 * Sizes that programs are compiled with, and what the core promises about its own
 * structures. All of it is checked by the compiler; running it says that it was.
 */
#include "support.h"
#include "core/fiber.h"
#include "core/switch.h"
#include "core/timer.h"

#include <eio/low_level.h>

#define FROZEN(type, size)                                                                         \
	_Static_assert(sizeof(type) == (size), #type " has another size than in 0.1");             \
	_Static_assert(_Alignof(type) == 8, #type " has another alignment than in 0.1")

/* Opaque, in programs' storage. */
FROZEN(struct eio_switch, 256);
FROZEN(struct eio_hook, 48);
FROZEN(struct eio_cancel, 96);
FROZEN(struct eio_promise, 48);
FROZEN(struct eio_event, 64);
FROZEN(struct eio_mutex, 128);
FROZEN(struct eio_condition, 48);
FROZEN(struct eio_semaphore, 32);
FROZEN(struct eio_stream, 64);
FROZEN(struct eio_pool, 112);
FROZEN(struct eio_pool_ops, 56);
FROZEN(struct eio_lazy, 192);
FROZEN(struct eio_timeout, 224);
FROZEN(struct eio_timer, 64);
FROZEN(struct eio_error, 256);

/* Small values. */
_Static_assert(sizeof(struct eio_fd) == 8, "a handle is 8 bytes");
FROZEN(struct eio_clock, 16);
FROZEN(struct eio_flow, 16);
FROZEN(struct eio_dir, 16);
FROZEN(struct eio_net, 16);
FROZEN(struct eio_listener, 16);
FROZEN(struct eio_task, 16);

/* The record of a fiber. */
#define LINE 64
_Static_assert(offsetof(struct eio__fiber, wait_arg) < LINE, "a suspension needs two lines");
_Static_assert(offsetof(struct eio__fiber, in_ctx) == LINE, "a switch needs the first line");
_Static_assert(sizeof(struct eio__fiber) <= 512 || SANITIZED, "2.5 KiB were for frames");
_Static_assert(offsetof(struct eio__fiber, scratch) % 8 == 0, "an entry goes there");

/* Codes. */
_Static_assert(EIO_EOF == -4096 && EIO_ELIMIT == -4097 && EIO_EPARSE == -4098 &&
		       EIO_EPOISONED == -4099 && EIO_EABANDONED == -4100,
	       "codes are for ever");
_Static_assert(EIO_EAI(-2) == -8194 && EIO_EAI(2) == -8194, "codes are for ever");
_Static_assert(EIO_SEC(1) == 1000 * EIO_MS(1) && EIO_SEC(1) == 1000000000, "nanoseconds");
_Static_assert(EIO_NEVER == INT64_MAX, "never is for ever");

START_TEST(statics_are_initialised_to_zero)
{
	static const struct eio_promise promise = EIO_PROMISE_INIT;
	static const struct eio_mutex mutex = EIO_MUTEX_INIT;
	static const struct eio_condition condition = EIO_CONDITION_INIT;
	static const char zero[128];

	ck_assert_int_eq(memcmp(zero, &promise, sizeof(promise)), 0);
	ck_assert_int_eq(memcmp(zero, &mutex, sizeof(mutex)), 0);
	ck_assert_int_eq(memcmp(zero, &condition, sizeof(condition)), 0);
}
END_TEST

/* Where programs put them need not be more aligned than their words. */
MOCK_TEST(structures_work_at_any_aligned_address)
{
	static _Alignas(64) unsigned char room[3 * 256];

	(void) arg;
	for (size_t at = 8; at <= 64; at += 8) {
		struct eio_switch *sw = (struct eio_switch *) (room + at);
		struct eio_promise *p = (struct eio_promise *) (room + 512 + at);

		memset(room, 0xff, sizeof(room));
		*p = (struct eio_promise) EIO_PROMISE_INIT;
		eio_switch_begin(sw);
		expect_ok(eio_promise_resolve(p, 3, NULL));
		expect_err(eio_promise_await(p, NULL), 3);
		expect_ok(eio_switch_end(sw, 0));
		for (size_t i = 0; i < at; i++)
			ck_assert_uint_eq(room[i], 0xff);
		ck_assert_uint_eq(room[at + sizeof(*sw)], 0xff);
	}
	return 0;
}

SUITE_MAIN("layout", false, statics_are_initialised_to_zero,
	   structures_work_at_any_aligned_address_test)
