/* SPDX-License-Identifier: ISC */
/*
 * Lines of many commands, none of them torn: who has read some writes them all, each with its
 * name before it, while nobody else may.
 */
#include "supervise.h"

#include <stdarg.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 * 1024 }; /* a longer line becomes several */

static unsigned color_of(const struct command *c)
{
	unsigned n = 0;

	for (const struct command *it = c->super->commands; it != c; it = it->next)
		n++;
	return 31 + n % 6; /* red to cyan */
}

static int write_name(struct output *o, struct eio_buf_writer *to, const struct command *c)
{
	if (o->color)
		return eio_buf_write_printf(to, "\033[%um%-*s |\033[0m ", color_of(c),
					    (int) o->width, c->name);
	return eio_buf_write_printf(to, "%-*s | ", (int) o->width, c->name);
}

static int write_line(struct output *o, struct eio_buf_writer *to, const struct command *c,
		      const char *line, size_t len)
{
	int rc = write_name(o, to, c);

	if (rc == 0)
		rc = eio_buf_write(to, line, len);
	return rc == 0 ? eio_buf_write_char(to, '\n') : rc;
}

/* 1 and a line, or as much of one as is read at once; 0 at the end. */
static int read_line(struct eio_buf_reader *r, char **ret, size_t *ret_len)
{
	int rc = eio_buf_read_line(r, ret, ret_len);

	if (rc != EIO_ELIMIT)
		return rc;
	*ret_len = eio_buf_reader_buffered(r);
	rc = eio_buf_read_take(r, *ret_len, ret);
	return rc < 0 ? rc : 1;
}

static bool has_line(struct eio_buf_reader *r)
{
	char *text;
	size_t len = eio_buf_read_peek(r, &text);

	return len && memchr(text, '\n', len);
}

/* The line that was read and all others that are there. */
static int pass_on(struct output *o, struct eio_buf_writer *to, const struct command *c,
		   struct eio_buf_reader *r, char *line, size_t len)
{
	int rc = eio_mutex_lock(&o->mutex);

	if (rc < 0)
		return rc;
	rc = write_line(o, to, c, line, len);
	while (rc == 0 && has_line(r)) {
		rc = read_line(r, &line, &len);
		if (rc == 1)
			rc = write_line(o, to, c, line, len);
	}
	if (rc == 0)
		rc = eio_buf_writer_flush(to);
	eio_mutex_unlock(&o->mutex);
	return rc;
}

int output_lines(struct output *o, struct eio_buf_writer *to, const struct command *c,
		 struct eio_flow from)
{
	struct eio_buf_reader r;
	size_t len;
	char *line;
	int rc = eio_buf_reader_init(&r, from, LINE_MAX_BYTES, LINE_MAX_BYTES);

	if (rc < 0)
		return rc;
	while (rc == 0 && (rc = read_line(&r, &line, &len)) == 1)
		rc = pass_on(o, to, c, &r, line, len);
	eio_buf_reader_fini(&r);
	return rc;
}

int output_say(struct output *o, const struct command *c, const char *format, ...)
{
	va_list args;
	int rc = eio_mutex_lock(&o->mutex);

	if (rc < 0)
		return rc;
	rc = eio_buf_write_printf(&o->err, "supervise: %s: ", c->name);
	va_start(args, format);
	if (rc == 0)
		rc = eio_buf_write_vprintf(&o->err, format, args);
	va_end(args);
	if (rc == 0)
		rc = eio_buf_write_char(&o->err, '\n');
	if (rc == 0)
		rc = eio_buf_writer_flush(&o->err);
	eio_mutex_unlock(&o->mutex);
	return rc;
}

int output_run(struct output *o, struct eio_env *env, eio_fn *fn, void *arg)
{
	int rc = eio_buf_writer_begin(&o->out, env->out, LINE_MAX_BYTES);

	if (rc < 0)
		return rc;
	rc = eio_buf_writer_begin(&o->err, env->err, 0);
	if (rc == 0)
		rc = eio_buf_writer_end(&o->err, fn(arg));
	return eio_buf_writer_end(&o->out, rc);
}
