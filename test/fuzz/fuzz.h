/* SPDX-License-Identifier: ISC */
/*
 * What the fuzzers share. Each is a function that takes an input apart into a script of calls
 * and compares what they give with a model as plain as can be; libFuzzer makes the inputs
 * (run.sh), and those that are kept in corpus/ are replayed by every test run (replay.c).
 */
#ifndef EIO_TEST_FUZZ_H
#define EIO_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input; behind its end there are zeros. */
struct input {
	const uint8_t *data;
	size_t len;
};

static inline unsigned next_byte(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* @p got is a result, @p want what the model gives. */
#define check_same(got, want)                                                                      \
	do {                                                                                       \
		long got_ = (long) (got), want_ = (long) (want);                                   \
                                                                                                   \
		if (got_ != want_) {                                                               \
			fprintf(stderr, "%s:%d: %s is %ld, not %ld\n", __FILE__, __LINE__, #got,   \
				got_, want_);                                                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
