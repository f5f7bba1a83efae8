/* SPDX-License-Identifier: ISC */
/*
 * What every other header needs: linkage, attributes and the one unit of time.
 */
#ifndef EIO_API_H
#define EIO_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define EIO_BEGIN_DECLS extern "C" {
#define EIO_END_DECLS   }
#else
#define EIO_BEGIN_DECLS
#define EIO_END_DECLS
#endif

/** Marks what the library exports; everything else in it is hidden. */
#define EIO_API __attribute__((visibility("default")))
/** The result carries data or a handle: ignoring it is a bug. */
#define EIO_NODISCARD __attribute__((warn_unused_result))
/** The function takes a printf format at position @p f, its arguments from @p a. */
#define EIO_PRINTF(f, a) __attribute__((format(printf, f, a)))

/** A deadline that never comes. */
#define EIO_NEVER INT64_MAX
/** Milliseconds and seconds in nanoseconds, the unit of every time in the library. */
#define EIO_MS(x)  ((int64_t) (x) *1000000)
#define EIO_SEC(x) ((int64_t) (x) *1000000000)

EIO_BEGIN_DECLS

/** The body of a fiber: 0 or more is success, a negative code is a failure. */
typedef int eio_fn(void *arg);

EIO_END_DECLS

#endif
