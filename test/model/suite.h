/* SPDX-License-Identifier: ISC */
/*
 * Scenarios as tests. A scenario that holds says in how many schedules at least, so that
 * an explorer that explores nothing does not pass.
 */
#ifndef EIO_TEST_MODEL_SUITE_H
#define EIO_TEST_MODEL_SUITE_H

#include "model/explore.h"

#include <check.h>

/* libcheck tests of the name name_test. */
#define MODEL_HOLDS(name, setup, finally, least)                                                   \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		model_holds(#name, setup, finally, least);                                         \
	}                                                                                          \
	END_TEST
#define MODEL_BREAKS(name, setup, finally, words)                                                  \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		model_breaks(#name, setup, finally, words);                                        \
	}                                                                                          \
	END_TEST

/* main: runs the suite; 77 with TSan, which cannot follow states that come again. */
int model_suite(const char *name, const TTest *const *tests, size_t n);
#define MODEL_SUITE(name, ...)                                                                     \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests_[] = {__VA_ARGS__};                                       \
		return model_suite(name, tests_, sizeof(tests_) / sizeof(tests_[0]));              \
	}

#endif
