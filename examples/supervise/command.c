/* SPDX-License-Identifier: ISC */
/*
 * Command lines: "name: program argument 'an argument' …". There is no shell, only its quotes:
 * what stands in '…' is taken as it is, in "…" all but \" and \\, elsewhere \ takes the next
 * character as it is.
 */
#include "supervise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

static bool is_blank(char c)
{
	return c && strchr(blanks, c);
}

/* Copies what stands between quotes, from behind the first: where the last one is, or NULL. */
static const char *copy_quoted(const char *from, char quote, char **to)
{
	for (; *from != quote; from++) {
		if (quote == '"' && *from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		if (!*from)
			return NULL;
		*(*to)++ = *from;
	}
	return from;
}

/* Takes a word, which is shorter than what it is made of: the rest, or NULL: a quote is open. */
static const char *copy_word(const char *from, char **to)
{
	for (; *from && !is_blank(*from); from++) {
		if (*from == '\'' || *from == '"') {
			from = copy_quoted(from + 1, *from, to);
			if (!from)
				return NULL;
			continue;
		}
		if (*from == '\\' && from[1])
			from++;
		*(*to)++ = *from;
	}
	*(*to)++ = '\0';
	return from;
}

/* The words of @p line go to @p to, one behind the other: how many, or -1: a quote is open. */
static int split(const char *line, char *to, const char **argv)
{
	int n = 0;

	for (line += strspn(line, blanks); *line; line += strspn(line, blanks)) {
		argv[n++] = to;
		line = copy_word(line, &to);
		if (!line)
			return -1;
	}
	argv[n] = NULL;
	return n;
}

/* The length of the name before a colon and a blank; 0: there is none. */
static size_t name_length(const char *line)
{
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return line[n] == ':' && is_blank(line[n + 1]) ? n : 0;
}

static bool is_taken(const struct supervise *s, const char *name)
{
	for (const struct command *c = s->commands; c; c = c->next) {
		if (strcmp(c->name, name) == 0)
			return true;
	}
	return false;
}

/* A name of its own. */
static char *make_name(const struct supervise *s, const char *wanted, size_t len)
{
	size_t size = len + 16;
	char *name = malloc(size);

	if (!name)
		return NULL;
	snprintf(name, size, "%.*s", (int) len, wanted);
	for (unsigned i = 2; is_taken(s, name); i++)
		snprintf(name, size, "%.*s.%u", (int) len, wanted, i);
	return name;
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void command_free(struct command *c)
{
	free(c->name);
	free(c->argv);
	free(c->text);
	free(c);
}

/* Without a name: it has to be of the rest. */
static struct command *command_new(const char *words, int *ret_n)
{
	struct command *c = calloc(1, sizeof(*c));
	size_t len = strlen(words);

	if (!c)
		return NULL;
	c->text = malloc(len + 1);
	c->argv = calloc(len / 2 + 2, sizeof(*c->argv));
	if (!c->text || !c->argv) {
		command_free(c);
		return NULL;
	}
	*ret_n = split(words, c->text, c->argv);
	return c;
}

int command_add(struct supervise *s, const char *line, const char **ret_why)
{
	const char *start = line + strspn(line, blanks), *why = "out of memory";
	size_t named = name_length(start);
	struct command *c;
	int n;

	if (!*start || *start == '#')
		return 0;
	c = command_new(start + named + (named > 0), &n);
	if (!c)
		goto fail;
	why = n < 0 ? "a quote is not closed" : n == 0 ? "no command behind the name" : why;
	if (n > 0 && !c->argv[0][0])
		why = "the program's name is empty";
	else if (n > 0 && named)
		c->name = make_name(s, start, named);
	else if (n > 0)
		c->name = make_name(s, base(c->argv[0]), strlen(base(c->argv[0])));
	if (!c->name)
		goto free_command;
	c->super = s;
	*s->last = c;
	s->last = &c->next;
	return 0;

free_command:
	command_free(c);
fail:
	*ret_why = why;
	return -1;
}

void commands_free(struct supervise *s)
{
	struct command *next;

	for (struct command *c = s->commands; c; c = next) {
		next = c->next;
		command_free(c);
	}
}
