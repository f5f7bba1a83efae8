/* SPDX-License-Identifier: ISC */
/*
 * The smallest program: three fibers that take turns on one thread.
 */
#include <eio/eio.h>
#include <stdio.h>
#include <string.h>

static int greet(void *arg)
{
	const int *number = arg;
	int rc;

	printf("Hello from fiber %d.\n", *number);
	rc = eio_yield();
	if (rc < 0)
		return rc;
	printf("Goodbye from fiber %d.\n", *number);
	return 0;
}

/* A child runs at once, until it waits. The end of the switch waits for all of them. */
static int hello(struct eio_switch *sw, void *arg)
{
	(void) arg;
	for (int number = 1; number <= 3; number++) {
		int rc = eio_fork_copy(sw, greet, &number, sizeof(number));

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run(struct eio_env *env, void *arg)
{
	(void) env;
	return eio_switch_run(hello, arg);
}

int main(int argc, char **argv)
{
	bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
	int rc;

	if (argc > 1) {
		fputs("Usage: hello\n\nLets three fibers say hello and goodbye.\n",
		      help ? stdout : stderr);
		return help ? 0 : 2;
	}

	rc = eio_run(NULL, run, NULL);
	if (rc < 0) {
		char why[256];

		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "hello: %s\n", why);
		return 1;
	}
	if (fflush(stdout) != 0) {
		perror("hello: standard output");
		return 1;
	}
	return 0;
}
