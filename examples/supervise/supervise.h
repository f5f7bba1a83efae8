/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <eio/eio.h>
#include <stdbool.h>
#include <sys/types.h>

struct supervise;

/* A line of the arguments or the file, as its words. */
struct command {
	struct supervise *super;
	struct command *next;
	char *name; /* what its lines begin with */
	const char **argv;
	char *text;  /* what the words lie in */
	pid_t group; /* what it runs as now; 0: nothing */
};

enum restart { NEVER, ON_FAILURE, ALWAYS };

/* Where lines go. The mutex holds both streams, which may be the same file. */
struct output {
	struct eio_mutex mutex;
	struct eio_buf_writer out, err;
	size_t width; /* of the longest name */
	bool color;
};

struct supervise {
	/* What was asked for. */
	struct command *commands, **last;
	enum restart restart;
	int64_t delay_ns, grace_ns;
	unsigned max_restarts; /* in a row; 0: no limit */

	struct eio_env *env;
	struct output output;
	struct eio_promise stop; /* resolved by the first signal */
	unsigned starting; /* commands whose first process is not known yet, but may be there */
	bool stopping;
	int status; /* of the first command that failed for good, as a shell tells it */
};

/* command.c: 0, or -1: it is no command, *ret_why says why. An empty line or a comment adds
 * none. A name that is there already gets a number behind it. */
int command_add(struct supervise *s, const char *line, const char **ret_why);
void commands_free(struct supervise *s);

/* child.c: runs a command until it is not to be restarted; the argument is the command. */
int child_run(void *command);

/* Sends a signal to everything that runs. */
void children_signal(struct supervise *s, int sig);

/* A daemon that collects whom the commands left behind; the argument is the supervise. */
int children_collect(void *super);

/* output.c */
int output_run(struct output *o, struct eio_env *env, eio_fn *fn, void *arg);

/* Writes the lines of @p from until it ends, each with the name of @p c before it. */
int output_lines(struct output *o, struct eio_buf_writer *to, const struct command *c,
		 struct eio_flow from);

/* What we say ourselves about a command. */
int output_say(struct output *o, const struct command *c, const char *format, ...) EIO_PRINTF(3, 4);

#endif
