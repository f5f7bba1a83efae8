/* SPDX-License-Identifier: ISC */
/*
 * The command line, the fibers, and printing.
 */
#include "search.h"
#include "../domains.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void complain(struct search *s, const char *prefix, const char *name, int rc)
{
	atomic_store(&s->failed, true);
	fprintf(stderr, "search: %s%s: %s\n", prefix, name, eio_strerror(rc));
}

void stop(struct search *s, int rc)
{
	int none = 0;

	atomic_compare_exchange_strong(&s->rc, &none, rc);
	eio_stream_close(&s->order);
	eio_stream_close(&s->queue);
}

/* Printing */

static void print_batch(struct search *s, struct batch *b)
{
	int rc = 0;

	eio_promise_resolve(&b->turn, 0, NULL);
	/* Until then it is a worker's. */
	eio_promise_await_protected(&b->done, NULL);
	if (b->out.len > 0 && atomic_load(&s->rc) == 0)
		rc = eio_flow_write(s->env->out, b->out.data, b->out.len);
	if (rc < 0)
		stop(s, rc);
	free(b->out.data);
	free(b);
}

static int print_in_order(void *arg)
{
	struct search *s = arg;
	struct batch *b;

	while (eio_stream_take(&s->order, &b) == 0)
		print_batch(s, b);
	return 0;
}

static int show_progress(void *arg)
{
	struct search *s = arg;
	int rc;

	while ((rc = eio_sleep(s->env->mono_clock, EIO_MS(250))) == 0)
		fprintf(stderr, "\rsearch: %lu files", atomic_load(&s->files));
	fputs("\r\033[K", stderr);
	return rc;
}

/* Domains */

/* A domain's workers share a matcher: they take turns. */
struct crew {
	struct search *search;
	struct matcher matcher;
};

static int work_in_fiber(void *arg)
{
	struct crew *c = arg;

	work(c->search, &c->matcher);
	return 0;
}

static int start_workers(struct eio_switch *sw, struct crew *c)
{
	int rc = 0;

	for (unsigned i = 0; i < c->search->jobs && rc == 0; i++)
		rc = eio_fork(sw, work_in_fiber, c);
	return rc;
}

static int crew_in_switch(struct eio_switch *sw, void *arg)
{
	return start_workers(sw, arg);
}

static int crew_main(void *arg)
{
	return eio_switch_run(crew_in_switch, arg);
}

/* The C library's regular expressions need more stack than a fiber usually has. A closed pipe
 * ends the program. */
static const struct eio_config config = {
	.stack_size = 256 * 1024,
	.flags = EIO_RUN_KEEP_SIGPIPE,
};

/* Where there is no other domain the first one does it all. */
static int crew_fiber(void *arg)
{
	static const struct eio_domain_opts opts = {.name = "search"};
	struct crew *c = arg;

	eio_domain_run_with(c->search->env->domain_mgr, &opts, crew_main, c);
	return 0;
}

static int search_in_switch(struct eio_switch *sw, void *arg)
{
	struct crew *crews = arg;
	struct search *s = crews->search;
	int rc = eio_fork(sw, print_in_order, s);

	if (rc == 0 && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
		rc = eio_fork_daemon(sw, show_progress, s);
	for (unsigned i = 1; i < s->domains && rc == 0; i++)
		rc = eio_fork(sw, crew_fiber, &crews[i]);
	if (rc == 0)
		rc = start_workers(sw, crews);
	if (rc == 0)
		rc = walk(s);
	stop(s, rc);
	return 0;
}

static int run(struct eio_env *env, void *arg)
{
	struct crew *crews = arg;
	struct search *s = crews->search;
	int rc = eio_stream_init(&s->order, sizeof(struct batch *), WINDOW);

	if (rc < 0)
		return rc;
	rc = eio_stream_init(&s->queue, sizeof(struct batch *), WINDOW);
	if (rc == 0) {
		s->env = env;
		rc = eio_switch_run(search_in_switch, crews);
		eio_stream_fini(&s->queue, NULL, NULL);
	}
	eio_stream_fini(&s->order, NULL, NULL);
	return rc < 0 ? rc : atomic_load(&s->rc);
}

/* The command line */

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: search [OPTION]... PATTERN [FILE|DIRECTORY]...\n"
		"\n"
		"Prints the lines that match PATTERN, in the files of the directories and all "
		"that\n"
		"are below, those of the working directory by default. What is found is sorted by\n"
		"path. Symbolic links are followed on the command line only.\n"
		"\n"
		"  -E, --extended-regexp      PATTERN is an extended regular expression (default)\n"
		"  -F, --fixed-strings        PATTERN is to be found as it stands\n"
		"  -i, --ignore-case          capital and small letters are the same\n"
		"  -v, --invert-match         the lines that do not match\n"
		"  -n, --line-number          print each line's number\n"
		"  -l, --files-with-matches   print only the names of files with such lines\n"
		"  -c, --count                print only how many there are in each file\n"
		"  -j, --jobs N               files at a time in each thread, 1 to %d (default "
		"%d)\n"
		"  -t, --threads N            1 to %d (default: one for each CPU)\n"
		"      --help                 print this text\n"
		"\n"
		"Letters are those of ASCII. The status is 0 if a line was found, 1 if none was,\n"
		"2 if something went wrong.\n",
		JOBS_MAX, JOBS_DEFAULT, DOMAINS_MAX);
}

static bool parse_number(const char *text, unsigned most, unsigned *ret)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (rest == text || *rest || n < 1 || n > most) {
		fprintf(stderr, "search: %s is not a number from 1 to %u\n", text, most);
		return false;
	}
	*ret = (unsigned) n;
	return true;
}

/* -1 to go on, else the exit status. */
static int parse_option(struct search *s, int option)
{
	struct question *q = &s->question;

	switch (option) {
	case 'E':
	case 'F':
		q->literal = option == 'F';
		return -1;
	case 'i':
		q->ignore_case = true;
		return -1;
	case 'v':
		q->invert = true;
		return -1;
	case 'n':
		q->number = true;
		return -1;
	case 'l':
		q->only_names = true;
		return -1;
	case 'c':
		q->only_counts = true;
		return -1;
	case 'j':
		return parse_number(optarg, JOBS_MAX, &s->jobs) ? -1 : 2;
	case 't':
		return parse_number(optarg, DOMAINS_MAX, &s->domains) ? -1 : 2;
	case 'h':
		usage(stdout);
		return 0;
	default:
		usage(stderr);
		return 2;
	}
}

static int parse_args(struct search *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"extended-regexp", no_argument, NULL, 'E'},
		{"fixed-strings", no_argument, NULL, 'F'},
		{"ignore-case", no_argument, NULL, 'i'},
		{"invert-match", no_argument, NULL, 'v'},
		{"line-number", no_argument, NULL, 'n'},
		{"files-with-matches", no_argument, NULL, 'l'},
		{"count", no_argument, NULL, 'c'},
		{"jobs", required_argument, NULL, 'j'},
		{"threads", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, status = -1;

	while (status < 0 && (option = getopt_long(argc, argv, "EFivnlcj:t:", options, NULL)) >= 0)
		status = parse_option(s, option);
	if (status >= 0)
		return status;
	if (optind == argc) {
		usage(stderr);
		return 2;
	}
	s->question.pattern = argv[optind];
	s->question.length = strlen(argv[optind]);
	s->paths = argv + optind + 1;
	s->n_paths = (size_t) (argc - optind - 1);
	if (strchr(s->question.pattern, '\n')) {
		fputs("search: a pattern is one line\n", stderr);
		return 2;
	}
	return -1;
}

/* As grep: a single file needs no name in front of its lines. */
static bool is_named(const struct search *s)
{
	struct stat st;

	return s->n_paths != 1 || (stat(s->paths[0], &st) == 0 && S_ISDIR(st.st_mode));
}

static int make_crews(struct search *s, struct crew *crews)
{
	for (unsigned i = 0; i < s->domains; i++) {
		char why[256];

		crews[i].search = s;
		if (matcher_init(&crews[i].matcher, &s->question, why, sizeof(why)) != 0) {
			fprintf(stderr, "search: %s: %s\n", s->question.pattern, why);
			return i > 0 ? (int) i : -1;
		}
	}
	return (int) s->domains;
}

/* Each directory that is being looked at takes a descriptor. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int report(const struct search *s, int rc)
{
	char why[256];

	/* A write to a closed pipe by the ring may give no signal. */
	if (rc == -EPIPE)
		raise(SIGPIPE);
	if (rc < 0) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "search: %s\n", why);
	}
	return rc < 0 || s->failed ? 2 : s->found ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct crew crews[DOMAINS_MAX];
	static struct search search = {.jobs = JOBS_DEFAULT};
	int rc;

	search.domains = cores() < DOMAINS_MAX ? cores() : DOMAINS_MAX;
	rc = parse_args(&search, argc, argv);
	if (rc >= 0)
		return rc;
	rc = make_crews(&search, crews);
	if (rc < 0)
		return 2;
	search.domains = (unsigned) rc;
	search.named = is_named(&search);
	raise_limit();
	rc = report(&search, eio_run(&config, run, crews));
	for (unsigned i = 0; i < search.domains; i++)
		matcher_fini(&crews[i].matcher);
	return rc;
}
