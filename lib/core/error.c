/* SPDX-License-Identifier: ISC */
#include "core/error.h"
#include "base/lock.h"
#include "core/fiber.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int code;
	const char *name, *text;
} own[] = {
	{EIO_EOF, "EIO_EOF", "Unexpected end of stream"},
	{EIO_ELIMIT, "EIO_ELIMIT", "Size limit exceeded"},
	{EIO_EPARSE, "EIO_EPARSE", "Input does not match"},
	{EIO_EPOISONED, "EIO_EPOISONED", "An earlier holder of the mutex failed"},
	{EIO_EABANDONED, "EIO_EABANDONED", "The awaited work was cancelled"},
	{EIO_ESTATUS, "EIO_ESTATUS", "The program did not succeed"},
};

#define N(code) [code] = #code
/* clang-format off */
static const char *const names[] = {
	N(EPERM), N(ENOENT), N(ESRCH), N(EINTR), N(EIO), N(ENXIO), N(E2BIG), N(ENOEXEC),
	N(EBADF), N(ECHILD), N(EAGAIN), N(ENOMEM), N(EACCES), N(EFAULT), N(ENOTBLK), N(EBUSY),
	N(EEXIST), N(EXDEV), N(ENODEV), N(ENOTDIR), N(EISDIR), N(EINVAL), N(ENFILE), N(EMFILE),
	N(ENOTTY), N(ETXTBSY), N(EFBIG), N(ENOSPC), N(ESPIPE), N(EROFS), N(EMLINK), N(EPIPE),
	N(EDOM), N(ERANGE), N(EDEADLK), N(ENAMETOOLONG), N(ENOLCK), N(ENOSYS), N(ENOTEMPTY),
	N(ELOOP), N(ENOMSG), N(EIDRM), N(ECHRNG), N(EL2NSYNC), N(EL3HLT), N(EL3RST), N(ELNRNG),
	N(EUNATCH), N(ENOCSI), N(EL2HLT), N(EBADE), N(EBADR), N(EXFULL), N(ENOANO), N(EBADRQC),
	N(EBADSLT), N(EBFONT), N(ENOSTR), N(ENODATA), N(ETIME), N(ENOSR), N(ENONET), N(ENOPKG),
	N(EREMOTE), N(ENOLINK), N(EADV), N(ESRMNT), N(ECOMM), N(EPROTO), N(EMULTIHOP), N(EDOTDOT),
	N(EBADMSG), N(EOVERFLOW), N(ENOTUNIQ), N(EBADFD), N(EREMCHG), N(ELIBACC), N(ELIBBAD),
	N(ELIBSCN), N(ELIBMAX), N(ELIBEXEC), N(EILSEQ), N(ERESTART), N(ESTRPIPE), N(EUSERS),
	N(ENOTSOCK), N(EDESTADDRREQ), N(EMSGSIZE), N(EPROTOTYPE), N(ENOPROTOOPT),
	N(EPROTONOSUPPORT), N(ESOCKTNOSUPPORT), N(EOPNOTSUPP), N(EPFNOSUPPORT), N(EAFNOSUPPORT),
	N(EADDRINUSE), N(EADDRNOTAVAIL), N(ENETDOWN), N(ENETUNREACH), N(ENETRESET),
	N(ECONNABORTED), N(ECONNRESET), N(ENOBUFS), N(EISCONN), N(ENOTCONN), N(ESHUTDOWN),
	N(ETOOMANYREFS), N(ETIMEDOUT), N(ECONNREFUSED), N(EHOSTDOWN), N(EHOSTUNREACH),
	N(EALREADY), N(EINPROGRESS), N(ESTALE), N(EUCLEAN), N(ENOTNAM), N(ENAVAIL), N(EISNAM),
	N(EREMOTEIO), N(EDQUOT), N(ENOMEDIUM), N(EMEDIUMTYPE), N(ECANCELED), N(ENOKEY),
	N(EKEYEXPIRED), N(EKEYREVOKED), N(EKEYREJECTED), N(EOWNERDEAD), N(ENOTRECOVERABLE),
	N(ERFKILL), N(EHWPOISON),
#ifdef EFTYPE
	N(EFTYPE), /* glibc 2.43 */
#endif
};
/* clang-format on */
#undef N

static const struct eio_error none;

/* What the thread's last run left behind. */
static _Thread_local struct eio_error kept;

/* strerror(3) may use a buffer of the thread, glibc's newer call never does. */
static const char *system_text(int code)
{
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 32)
	const char *text = strerrordesc_np(code);

	return text ? text : "Unknown error";
#else
	return strerror(code);
#endif
#else
	return strerror(code);
#endif
}

int eio_eai(int err)
{
	int code;

	if (err > -8192 || err < -8192 - 1024)
		return 0;
	code = -8192 - err;
#if EAI_NONAME < 0
	code = -code;
#endif
	return code;
}

const char *eio_strerror(int err)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (own[i].code == err)
			return own[i].text;
	}
	if (eio_eai(err))
		return gai_strerror(eio_eai(err));
	if (err < -4095 || err > 4095)
		return "Unknown error";
	return system_text(err < 0 ? -err : err);
}

const char *eio_err_name(int err)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (own[i].code == err)
			return own[i].name;
	}
	if (eio_eai(err))
		return "EIO_EAI";
	if (err <= -4096 || err >= 4096)
		return "unknown";
	if (err < 0)
		err = -err;
	return (size_t) err < sizeof(names) / sizeof(names[0]) && names[err] ? names[err]
									     : "unknown";
}

const struct eio_error *eio_last_error(void)
{
	struct eio__fiber *f = eio__self();

	if (!f)
		return &kept;
	return f->error ? f->error : &none;
}

int eio_error_format(int err, char *buf, size_t size)
{
	const struct eio_error *e = eio_last_error();
	const char *hint = err == -EXDEV && e->op && strstr(e->op, "open") == e->op
				   ? " (leaves the directory)"
				   : "";

	if (e->code != err || !e->op)
		return snprintf(buf, size, "%s", eio_strerror(err));
	if (!e->subject[0])
		return snprintf(buf, size, "%s: %s", e->op, eio_strerror(err));
	return snprintf(buf, size, "%s %s: %s%s", e->op, e->subject, eio_strerror(err), hint);
}

/* The running fiber's record, made on its first failure; NULL: no memory, or no fiber. */
static struct eio_error *record(struct eio__fiber *f)
{
	struct eio__domain *d;

	if (!f || f->error)
		return f ? f->error : NULL;
	d = f->domain;
	f->error = d->errors;
	if (f->error)
		d->errors = (struct eio_error *) f->error->op;
	else
		f->error = malloc(sizeof(*f->error));
	if (f->error)
		*f->error = none;
	return f->error;
}

static void set(struct eio_error *e, int err, const char *op, const char *subject)
{
	size_t len = subject ? strlen(subject) : 0;

	if (len >= sizeof(e->subject)) {
		subject += len - (sizeof(e->subject) - 1);
		len = sizeof(e->subject) - 1;
	}
	e->code = err;
	e->op = op;
	e->done = 0;
	if (len)
		memmove(e->subject, subject, len);
	e->subject[len] = 0;
}

int eio_error_set(int err, const char *op, const char *subject)
{
	struct eio_error *e = record(eio__self());

	if (e)
		set(e, err, op, subject);
	return err;
}

int eio__fail_done(int err, const char *op, uint64_t done)
{
	struct eio_error *e = record(eio__self());

	if (!e)
		return err;
	if (e->code != err)
		set(e, err, op, NULL);
	e->done = done;
	return err;
}

struct eio_error *eio__error_detach(struct eio__fiber *f, int err)
{
	struct eio_error *e = f->error;

	if (!e || e->code != err)
		return NULL;
	f->error = NULL;
	return e;
}

void eio__error_attach(struct eio__fiber *f, struct eio_error *e)
{
	if (f->error)
		eio__error_free(f->domain, f->error);
	f->error = e;
}

void eio__error_inherit(struct eio__fiber *f, int err, struct eio_error *e)
{
	if (e) {
		eio__error_attach(f, e);
	} else if (f->error && f->error->code == err) {
		eio__error_free(f->domain, f->error);
		f->error = NULL;
	}
}

/* The last failures that were shared, the oldest is overwritten. */
enum { SHARED = 64 };

static struct {
	struct eio__lock lock;
	uint64_t last; /* number */
	struct {
		uint64_t number;
		struct eio_error error;
	} of[SHARED];
} shared;

uint64_t eio__error_share(int err)
{
	struct eio__fiber *f = eio__self();
	uint64_t number;

	if (!f || !f->error || f->error->code != err || err == -ECANCELED)
		return 0;
	eio__lock(&shared.lock);
	number = ++shared.last;
	shared.of[number % SHARED].number = number;
	shared.of[number % SHARED].error = *f->error;
	eio__unlock(&shared.lock);
	return number;
}

/* What was being written is not known to be whole. */
void eio__errors_forget(void)
{
	shared.of[shared.last % SHARED].number = 0;
	eio__unlock(&shared.lock);
}

void eio__error_adopt(struct eio__fiber *f, int err, uint64_t number)
{
	struct eio_error *e;

	if (number == 0) {
		eio__error_inherit(f, err, NULL);
		return;
	}
	e = record(f);
	if (!e)
		return;
	eio__lock(&shared.lock);
	if (shared.of[number % SHARED].number == number)
		*e = shared.of[number % SHARED].error;
	else if (e->code == err)
		*e = none;
	eio__unlock(&shared.lock);
}

void eio__error_free(struct eio__domain *d, struct eio_error *e)
{
	e->op = (const char *) d->errors;
	d->errors = e;
}

void eio__error_keep(const struct eio_error *e)
{
	kept = e ? *e : none;
}

void eio__errors_fini(struct eio__domain *d)
{
	while (d->errors) {
		struct eio_error *e = d->errors;

		d->errors = (struct eio_error *) e->op;
		free(e);
	}
}
