/* SPDX-License-Identifier: ISC */
/*
 * Where the library's warnings go. It prints nothing by itself.
 */
#ifndef EIO_LOG_H
#define EIO_LOG_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** How bad it is. */
enum {
	EIO_LOG_ERROR = 1,
	EIO_LOG_WARNING = 2,
};

/**
 * Set where the library's warnings go; without it they go nowhere.
 *
 * @param fn  Called from any thread that runs a domain; must not suspend. NULL: none.
 * @since 0.1
 */
EIO_API void eio_set_log(void (*fn)(int level, const char *msg, void *arg), void *arg);

EIO_END_DECLS

#endif
