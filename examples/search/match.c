/* SPDX-License-Identifier: ISC */
/*
 * Finding lines.
 *
 * The text is not cut into lines and each of them looked at: the pattern is looked for in all of
 * the text, and only where it is found there is a line to be found, too.
 */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t) (end - at));

	return newline ? newline : end;
}

static const char *line_begin(const char *text, const char *at)
{
	const char *newline = memrchr(text, '\n', (size_t) (at - text));

	return newline ? newline + 1 : text;
}

static bool regex_finds(const struct matcher *m, const char *text, const char *end, regmatch_t *ret)
{
	*ret = (regmatch_t){.rm_so = 0, .rm_eo = end - text};
	return regexec(&m->regex, text, 1, ret, REG_STARTEND) == 0;
}

/*
 * Where the first line that has the pattern begins, or NULL. What a regular expression finds
 * may go on in the next line ("a[[:space:]]b"): then the first of the two is looked at alone.
 */
static const char *find_line(const struct matcher *m, const char *text, const char *end)
{
	const struct question *q = m->question;

	while (text < end) {
		const char *from, *line, *stop;
		regmatch_t match;

		if (m->as_it_stands) {
			from = memmem(text, (size_t) (end - text), q->pattern, q->length);
			return from ? line_begin(text, from) : NULL;
		}
		if (!regex_finds(m, text, end, &match))
			return NULL;
		from = text + match.rm_so;
		line = line_begin(text, from);
		stop = line_end(from, end);
		/* Behind the last newline there is no line. */
		if (line == end)
			return NULL;
		if (text + match.rm_eo <= stop || regex_finds(m, line, stop, &match))
			return line;
		text = stop < end ? stop + 1 : end;
	}
	return NULL;
}

static const char *behind_line(const char *at, const char *end)
{
	const char *stop = line_end(at, end);

	return stop < end ? stop + 1 : end;
}

/* The first line that has it not. */
static const char *find_other(const struct matcher *m, const char *text, const char *end)
{
	while (text < end) {
		const char *next = behind_line(text, end);

		if (!find_line(m, text, next))
			return text;
		text = next;
	}
	return NULL;
}

bool matcher_next(const struct matcher *m, const char *text, const char *end, const char **ret_line,
		  const char **ret_next)
{
	const char *line = m->question->invert ? find_other(m, text, end) : find_line(m, text, end);

	if (!line)
		return false;
	*ret_line = line;
	*ret_next = behind_line(line, end);
	return true;
}

/* The same words as a regular expression: nothing in them has a meaning. */
static void quote(const char *from, char *to)
{
	for (; *from; from++) {
		if (strchr("\\^$.[]|()*+?{}", *from))
			*to++ = '\\';
		*to++ = *from;
	}
	*to = '\0';
}

int matcher_init(struct matcher *m, const struct question *q, char *why, size_t size)
{
	int flags = REG_EXTENDED | REG_NEWLINE | (q->ignore_case ? REG_ICASE : 0), rc;
	char *quoted = malloc(2 * q->length + 1);

	m->question = q;
	m->as_it_stands = q->literal && !q->ignore_case;
	if (m->as_it_stands || !quoted) {
		free(quoted);
		snprintf(why, size, "no memory");
		return !m->as_it_stands;
	}
	if (q->literal)
		quote(q->pattern, quoted);
	rc = regcomp(&m->regex, q->literal ? quoted : q->pattern, flags);
	if (rc != 0)
		regerror(rc, &m->regex, why, size);
	free(quoted);
	return rc != 0;
}

void matcher_fini(struct matcher *m)
{
	if (!m->as_it_stands)
		regfree(&m->regex);
}
