/* SPDX-License-Identifier: ISC */
/*
 * Runs commands side by side, shows what they print line by line with their names, restarts
 * them, and takes them all down with it.
 *
 * A fiber for each command is forked on one switch; daemons of the switch wait for signals.
 * This file has the options and the stop, command.c splits command lines, child.c is a
 * command's life, output.c prints lines.
 */
#include "supervise.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int next_signal(void *arg)
{
	return eio_signals_next(arg, NULL);
}

/* The first signal asks the commands to end. A second one, or the end of their time, kills
 * them; nobody waits for a third, which kills us. */
static int take_down(struct supervise *s, struct eio_signals *signals)
{
	int rc = next_signal(signals);

	if (rc < 0)
		return rc;
	s->stopping = true;
	eio_promise_resolve(&s->stop, 0, NULL);
	children_signal(s, SIGTERM);
	rc = eio_timeout_run(s->env->mono_clock, s->grace_ns, next_signal, signals);
	if (rc < 0 && rc != -ETIMEDOUT)
		return rc;
	children_signal(s, SIGKILL);
	return 0;
}

static int stop_on_signals(void *arg)
{
	static const int list[] = {SIGHUP, SIGINT, SIGTERM, 0};
	struct supervise *s = arg;
	struct eio_signals signals;
	struct sigaction hup;
	int rc;

	sigaction(SIGHUP, NULL, &hup); /* nohup(1) has it ignored */
	rc = eio_signals_begin(&signals, hup.sa_handler == SIG_IGN ? list + 1 : list);
	if (rc < 0)
		return rc;
	rc = take_down(s, &signals);
	eio_signals_end(&signals);
	return rc;
}

static int run_all(struct eio_switch *sw, void *arg)
{
	struct supervise *s = arg;
	int rc = eio_fork_daemon(sw, stop_on_signals, s);

	if (rc == 0)
		rc = eio_fork_daemon(sw, children_collect, s);
	for (struct command *c = s->commands; c && rc == 0; c = c->next)
		rc = eio_fork(sw, child_run, c);
	return rc;
}

static int run_with_output(void *arg)
{
	return eio_switch_run(run_all, arg);
}

static int run(struct eio_env *env, void *arg)
{
	struct supervise *s = arg;

	s->env = env;
	return output_run(&s->output, env, run_with_output, s);
}

/* Options */

static bool parse_seconds(int64_t *ret_ns, const char *text)
{
	char *rest;
	double s = strtod(text, &rest);

	if (rest == text || *rest != '\0' || !(s >= 0 && s <= 1e7))
		return false;
	*ret_ns = (int64_t) (s * 1e9);
	return true;
}

static bool parse_count(unsigned *ret, const char *text)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	*ret = (unsigned) n;
	return text[0] >= '0' && text[0] <= '9' && *rest == '\0' && n <= 1000000000;
}

static bool parse_restart(enum restart *ret, const char *text)
{
	static const char *const names[] = {
		[NEVER] = "never", [ON_FAILURE] = "on-failure", [ALWAYS] = "always"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum restart) i;
			return true;
		}
	}
	return false;
}

static bool add_file(struct supervise *s, const char *name)
{
	FILE *file = fopen(name, "re");
	const char *why = NULL;
	char *line = NULL;
	size_t size = 0;
	unsigned n = 0;

	while (file && !why && getline(&line, &size, file) >= 0) {
		n++;
		command_add(s, line, &why);
	}
	free(line);
	if (why)
		fprintf(stderr, "supervise: %s:%u: %s\n", name, n, why);
	else if (!file || ferror(file))
		fprintf(stderr, "supervise: %s: %s\n", name, strerror(errno));
	else
		return fclose(file) == 0;
	if (file)
		fclose(file);
	return false;
}

static bool add_arguments(struct supervise *s, char **argv)
{
	const char *why;

	for (; *argv; argv++) {
		if (command_add(s, *argv, &why) < 0) {
			fprintf(stderr, "supervise: %s: %s\n", *argv, why);
			return false;
		}
	}
	if (!s->commands)
		fputs("supervise: no command\n", stderr);
	return s->commands;
}

static void usage(FILE *to)
{
	fputs("Usage: supervise [OPTION]... COMMAND...\n"
	      "\n"
	      "Runs the commands side by side. Every line they print comes out with the name of\n"
	      "its command before it. SIGTERM, SIGINT and SIGHUP stop all of them, a second one\n"
	      "kills them.\n"
	      "\n"
	      "A COMMAND is one argument: 'web: httpd --port 80', the name being optional. It is\n"
	      "split into words, in which quotes and \\ are as in a shell; there is no shell. It\n"
	      "runs in a process group of its own, all of which ends with it.\n"
	      "\n"
	      "  --file NAME       commands from a file, one a line; # begins a comment\n"
	      "  --restart WHEN    never (default), on-failure or always\n"
	      "  --delay S         before a restart (default 1), twice as long before the next "
	      "one\n"
	      "                    in a row, up to 64 times; a run of a minute ends the row\n"
	      "  --max-restarts N  in a row (default 0: no limit)\n"
	      "  --grace S         between asking to end and killing (default 5)\n"
	      "  --help\n"
	      "\n"
	      "Exits with 0 if all commands ended well, else with the status of the first that "
	      "did\n"
	      "not: its code, 128 + N if signal N killed it, 127 if there is no such program, 126\n"
	      "if it cannot be run. Who ends by the SIGTERM of a stop ends well. 2: bad usage.\n",
	      to);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct supervise *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"delay", required_argument, NULL, 'd'},
		{"file", required_argument, NULL, 'f'},
		{"grace", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{"max-restarts", required_argument, NULL, 'm'},
		{"restart", required_argument, NULL, 'r'},
		{0},
	};
	int option, i = 0;
	bool good = true;

	while (good && (option = getopt_long(argc, argv, "", options, &i)) >= 0) {
		switch (option) {
		case 'd':
			good = parse_seconds(&s->delay_ns, optarg);
			break;
		case 'f':
			if (!add_file(s, optarg))
				return 2;
			break;
		case 'g':
			good = parse_seconds(&s->grace_ns, optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'm':
			good = parse_count(&s->max_restarts, optarg);
			break;
		case 'r':
			good = parse_restart(&s->restart, optarg);
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!good)
		fprintf(stderr, "supervise: --%s: cannot be %s\n", options[i].name, optarg);
	return good && add_arguments(s, argv + optind) ? -1 : 2;
}

static int supervise(struct supervise *s)
{
	char why[256];
	int rc;

	for (const struct command *c = s->commands; c; c = c->next) {
		if (strlen(c->name) > s->output.width)
			s->output.width = strlen(c->name);
	}
	s->output.color = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	rc = eio_run(NULL, run, s);
	if (rc >= 0)
		return s->status;
	eio_error_format(rc, why, sizeof(why));
	fprintf(stderr, "supervise: %s\n", why);
	return 1;
}

int main(int argc, char **argv)
{
	struct supervise s = {
		.last = &s.commands,
		.delay_ns = EIO_SEC(1),
		.grace_ns = EIO_SEC(5),
		.output.mutex = EIO_MUTEX_INIT,
		.stop = EIO_PROMISE_INIT,
	};
	int status = parse_args(&s, argc, argv);

	if (status < 0)
		status = supervise(&s);
	commands_free(&s);
	return status;
}
