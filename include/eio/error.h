/* SPDX-License-Identifier: ISC */
/*
 * Error codes and what is known about the last failure.
 *
 * Fallible functions return >= 0 or a negative code: a negative errno, as
 * liburing does, or one of the codes below, which lie outside the kernel's range.
 */
#ifndef EIO_ERROR_H
#define EIO_ERROR_H

#include <eio/api.h>

EIO_BEGIN_DECLS

/** The stream ended before the bytes asked for had come. */
#define EIO_EOF (-4096)
/** A reader's maximum size was exceeded. */
#define EIO_ELIMIT (-4097)
/** The input does not match what was asked for. */
#define EIO_EPARSE (-4098)
/** An earlier holder of the mutex failed inside a read-write section. */
#define EIO_EPOISONED (-4099)
/** The work that was waited for was cancelled; the caller was not. */
#define EIO_EABANDONED (-4100)
/** A program that was to succeed did not; eio_last_error says how it ended. */
#define EIO_ESTATUS (-4101)
/** A failure of getaddrinfo(3), an EAI_… @p code of either sign, as a code of ours. */
#define EIO_EAI(code) (-8192 - ((code) < 0 ? -(code) : (code)))

/** What failed, kept apart from the code it belongs to. */
struct eio_error {
	int code;          /**< the negative code that was returned */
	const char *op;    /**< the operation, e.g. "openat2"; static storage */
	char subject[232]; /**< path or address; a long one is cut from the left, "" if none */
	uint64_t done;     /**< bytes moved before the failure, for exact, all and copy calls */
};

/**
 * Describe a code in words.
 *
 * @param err  Any result of the library; positive errno values are understood too.
 * @return Static text, never NULL, also for codes nobody knows.
 * @thread Any; does not touch strerror's buffer.
 * @since 0.1
 */
EIO_API const char *eio_strerror(int err);

/**
 * Name a code as the programmer knows it.
 *
 * @return "ECONNREFUSED", "EIO_EOF", …; "unknown" if there is no name. Static text.
 * @thread Any.
 * @since 0.1
 */
EIO_API const char *eio_err_name(int err);

/**
 * Get the EAI_… constant back out of an EIO_EAI code.
 *
 * @return The constant as <netdb.h> defines it, or 0 if @p err is not such a code.
 * @thread Any.
 * @since 0.1
 */
EIO_API int eio_eai(int err);

/**
 * Tell what failed last in the calling fiber.
 *
 * The first failure of a switch becomes its caller's last error when the switch
 * ends. On a thread that runs no fibers it is the last error of the last eio_run.
 *
 * @return Never NULL; code is 0 if nothing failed. Valid until the next failure of
 *   this fiber.
 * @thread Any.
 * @since 0.1
 */
EIO_API const struct eio_error *eio_last_error(void);

/**
 * Write a failure as one line: operation, subject, and the words for the code.
 *
 * The recorded details are used only if they belong to @p err; otherwise this is
 * eio_strerror(err).
 *
 * @param buf   Destination, always NUL-terminated if @p size > 0.
 * @return The length of the whole line, as snprintf(3).
 * @thread Any; on a thread after eio_run returned it describes that run's failure.
 * @since 0.1
 */
EIO_API int eio_error_format(int err, char *buf, size_t size);

/**
 * Record a failure of the calling fiber, for providers and programs.
 *
 * @param err      The code that will be returned.
 * @param op       The operation; static storage, kept by pointer.
 * @param subject  Path or address, copied; NULL if there is none.
 * @return @p err, so that a function can end with it.
 * @thread Any; without a running domain it only returns @p err.
 * @since 0.1
 */
EIO_API int eio_error_set(int err, const char *op, const char *subject);

EIO_END_DECLS

#endif
