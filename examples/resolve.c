/* SPDX-License-Identifier: ISC */
/*
 * Looks up many names at once.
 *
 * Each name has a fiber. It takes a unit of a semaphore for its look-up, so that only so many
 * run at a time, and then waits until the name before it has been told. Who is told only
 * after a slow one holds nothing but its fiber; how many may be in that state another
 * semaphore limits, so that any number of names can be read from standard input.
 */
#include <eio/eio.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	JOBS_DEFAULT = 16,
	JOBS_MAX = 32, /* as many look-ups as the library runs at a time */
	WINDOW = 4096, /* names between being read and being told */
	LINE_MAX_LENGTH = 4096,
	TIMEOUT_MAX_S = 86400,
};

struct resolver {
	/* From the command line. */
	unsigned jobs;
	int64_t timeout_ns; /* 0: none */
	bool reverse, unordered;
	char **names; /* NULL-terminated; none: standard input */

	struct eio_env *env;
	struct eio_semaphore looking_up, window;
	struct eio_mutex telling;
	struct query *last; /* the one read before, while names are told in order */
	unsigned failures;
};

/* One name, from being read until it is told, or, in order, until its successor is. */
struct query {
	struct resolver *resolver;
	struct query *before;    /* to be told first, and freed by this one; NULL: none */
	struct eio_promise told; /* resolved on every path */
	char *answer;            /* lines of text, or NULL */
	char name[];
};

/* Look-ups */

/* The address without the port. A number is not looked up, so this does not wait. */
static const char *format(const struct eio_addr *addr, char *buf, size_t size)
{
	size_t len;
	const struct sockaddr *sa = eio_addr_sockaddr(addr, &len);

	if (getnameinfo(sa, (socklen_t) len, buf, (socklen_t) size, NULL, 0, NI_NUMERICHOST) != 0)
		return "?";
	return buf;
}

static bool is_listed(const struct eio_addr_info *list, size_t n, const struct eio_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (eio_addr_equal(&list[i].addr, addr))
			return true;
	return false;
}

static int look_up(struct query *q)
{
	struct eio_addr_info *list;
	char text[NI_MAXHOST];
	size_t n, size;
	FILE *out;
	int rc;

	rc = eio_net_getaddrinfo(q->resolver->env->net, q->name, NULL, EIO_SOCKET_STREAM, &list,
				 &n);
	if (rc < 0)
		return rc;
	out = open_memstream(&q->answer, &size);
	if (!out) {
		free(list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		if (!is_listed(list, i, &list[i].addr))
			fprintf(out, "%s %s\n", q->name, format(&list[i].addr, text, sizeof(text)));
	free(list);
	return fclose(out) == 0 ? 0 : -ENOMEM;
}

static int look_up_reverse(struct query *q)
{
	char text[NI_MAXHOST], host[NI_MAXHOST];
	struct eio_addr addr;
	size_t size;
	int rc;

	snprintf(text, sizeof(text), strchr(q->name, ':') ? "[%s]:0" : "%s:0", q->name);
	rc = eio_addr_parse(&addr, text);
	if (rc < 0)
		return rc;
	rc = eio_net_getnameinfo(q->resolver->env->net, &addr, host, sizeof(host), NULL, 0,
				 NI_NAMEREQD);
	if (rc < 0)
		return rc;
	size = strlen(q->name) + strlen(host) + sizeof(" \n");
	q->answer = malloc(size);
	if (!q->answer)
		return -ENOMEM;
	snprintf(q->answer, size, "%s %s\n", q->name, host);
	return 0;
}

static int ask(void *arg)
{
	struct query *q = arg;

	return q->resolver->reverse ? look_up_reverse(q) : look_up(q);
}

/* With a unit of the semaphore, within the limit. */
static int ask_in_turn(struct query *q)
{
	struct resolver *r = q->resolver;
	int rc = eio_semaphore_acquire(&r->looking_up);

	if (rc < 0)
		return rc;
	rc = r->timeout_ns ? eio_timeout_run(r->env->mono_clock, r->timeout_ns, ask, q) : ask(q);
	eio_semaphore_release(&r->looking_up);
	return rc;
}

/* Telling */

/* Protected from cancellation by what it waits for: the one before always ends, and frees
 * nothing that this one has. */
static void await_turn(struct query *q)
{
	if (!q->before)
		return;
	eio_promise_await_protected(&q->before->told, NULL);
	free(q->before);
	q->before = NULL;
}

/* A name that is not found is a failure of the name, not of the program. */
static int tell(struct query *q, int rc)
{
	struct resolver *r = q->resolver;

	if (rc == -ECANCELED)
		return rc;
	if (rc < 0) {
		r->failures++;
		fprintf(stderr, "resolve: %s: %s\n", q->name,
			rc == -EINVAL ? "Not an address" : eio_strerror(rc));
		return 0;
	}
	rc = eio_mutex_lock(&r->telling);
	if (rc < 0)
		return rc;
	rc = eio_flow_write(r->env->out, q->answer, strlen(q->answer));
	eio_mutex_unlock(&r->telling);
	return rc;
}

static int resolve(void *arg)
{
	struct query *q = *(struct query **) arg;
	struct resolver *r = q->resolver;
	int rc = ask_in_turn(q);

	await_turn(q);
	rc = tell(q, rc);
	free(q->answer);
	eio_semaphore_release(&r->window);
	eio_promise_resolve(&q->told, 0, NULL);
	/* In order it is the successor's now, or the resolver's. */
	if (r->unordered)
		free(q);
	return rc;
}

/* Names */

static int start(struct eio_switch *sw, struct resolver *r, const char *name)
{
	struct query *q;
	int rc = eio_semaphore_acquire(&r->window);

	if (rc < 0)
		return rc;
	q = calloc(1, sizeof(*q) + strlen(name) + 1);
	if (!q)
		return -ENOMEM;
	q->resolver = r;
	strcpy(q->name, name);
	if (!r->unordered) {
		q->before = r->last;
		r->last = q;
	}
	rc = eio_fork_copy(sw, resolve, &q, sizeof(q));
	if (rc < 0) {
		r->last = q->before;
		free(q);
	}
	return rc;
}

static int start_arguments(struct eio_switch *sw, struct resolver *r)
{
	int rc = 0;

	for (char **name = r->names; *name && rc == 0; name++)
		rc = start(sw, r, *name);
	return rc;
}

/* Starts the first word of each line that is there whole; the rest moves to the front. */
static int start_lines(struct eio_switch *sw, struct resolver *r, char *buf, size_t *len)
{
	char *line = buf, *end;
	int rc = 0;

	while (rc == 0 && (end = memchr(line, '\n', *len - (size_t) (line - buf)))) {
		*end = '\0';
		line += strspn(line, " \t\r");
		line[strcspn(line, " \t\r")] = '\0';
		if (*line)
			rc = start(sw, r, line);
		line = end + 1;
	}
	*len -= (size_t) (line - buf);
	memmove(buf, line, *len);
	return rc;
}

/* Names are looked up as they come. What ends without a newline is a line too. */
static int start_input(struct eio_switch *sw, struct resolver *r)
{
	char buf[LINE_MAX_LENGTH + 1];
	size_t len = 0;
	int rc;

	do {
		ssize_t n = eio_flow_read(r->env->in, buf + len, LINE_MAX_LENGTH - len);

		if (n < 0)
			return (int) n;
		if (n == 0)
			buf[len] = '\n';
		len += n ? (size_t) n : 1;
		rc = start_lines(sw, r, buf, &len);
		if (rc < 0 || n == 0)
			return rc;
	} while (len < LINE_MAX_LENGTH);
	return eio_error_set(-ENAMETOOLONG, "line of", "standard input");
}

static int start_all(struct eio_switch *sw, void *arg)
{
	struct resolver *r = arg;

	return *r->names ? start_arguments(sw, r) : start_input(sw, r);
}

static int run(struct eio_env *env, void *arg)
{
	struct resolver *r = arg;
	int rc;

	r->env = env;
	eio_semaphore_init(&r->looking_up, r->jobs);
	eio_semaphore_init(&r->window, WINDOW);
	eio_mutex_init(&r->telling);
	rc = eio_switch_run(start_all, r);
	free(r->last);
	return rc;
}

/* The command line */

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: resolve [OPTION]... [NAME]...\n"
		"\n"
		"Looks up the addresses of names, many at a time, and prints a line \"NAME "
		"ADDRESS\" for\n"
		"each address. Without NAME they come from standard input, one a line. A name that "
		"is\n"
		"not found is told on standard error, and the exit status is 1.\n"
		"\n"
		"  -j, --jobs N     look-ups at a time, 1 to %d (default %d)\n"
		"  -r, --reverse    look up the names of addresses\n"
		"  -t, --timeout S  give a name up after S seconds, 1 to %d (default: never)\n"
		"  -u, --unordered  print answers as they come, not in the order of the names\n"
		"      --help       print this text\n",
		JOBS_MAX, JOBS_DEFAULT, TIMEOUT_MAX_S);
}

/* A number from 1 to @p max, or 0 and a complaint. */
static long parse_number(const char *option, const char *text, long max)
{
	char *rest;
	long n = strtol(text, &rest, 10);

	if (rest != text && *rest == '\0' && n >= 1 && n <= max)
		return n;
	fprintf(stderr, "resolve: %s %s: not a number from 1 to %ld\n", option, text, max);
	return 0;
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct resolver *r, int argc, char **argv)
{
	static const struct option options[] = {
		{"jobs", required_argument, NULL, 'j'},    {"reverse", no_argument, NULL, 'r'},
		{"timeout", required_argument, NULL, 't'}, {"unordered", no_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},          {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "j:rt:u", options, NULL)) >= 0) {
		switch (option) {
		case 'j':
			r->jobs = (unsigned) parse_number("--jobs", optarg, JOBS_MAX);
			if (!r->jobs)
				return 2;
			break;
		case 'r':
			r->reverse = true;
			break;
		case 't':
			r->timeout_ns = EIO_SEC(parse_number("--timeout", optarg, TIMEOUT_MAX_S));
			if (!r->timeout_ns)
				return 2;
			break;
		case 'u':
			r->unordered = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	r->names = argv + optind;
	return -1;
}

int main(int argc, char **argv)
{
	struct resolver r = {.jobs = JOBS_DEFAULT};
	int rc = parse_args(&r, argc, argv);

	if (rc >= 0)
		return rc;
	rc = eio_run(NULL, run, &r);
	if (rc < 0) {
		char why[256];

		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "resolve: %s\n", why);
		return 1;
	}
	return r.failures ? 1 : 0;
}
