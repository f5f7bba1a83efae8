/* SPDX-License-Identifier: ISC */
/*
 * A program outside the build: compiled against the installed library with nothing
 * but pkg-config's flags. It goes through the library and straight to liburing.
 */
#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <stdio.h>

/* What a skipped test exits with. */
#define SKIPPED 77

static int child(void *arg)
{
	int rc = eio_yield();

	if (rc == 0)
		*(int *) arg = 1;
	return rc;
}

static int program(struct eio_env *env, void *arg)
{
	unsigned workers[2] = {0, 0}; /* 0: only asks */
	struct eio_switch sw;
	int ran = 0;
	int rc;

	(void) arg;
	eio_switch_begin(&sw);
	rc = eio_fork(&sw, child, &ran);
	rc = eio_switch_end(&sw, rc);
	if (rc < 0)
		return rc;
	if (!ran)
		return -ECHILD;

	rc = io_uring_register_iowq_max_workers(eio_ll_ring(), workers);
	if (rc < 0)
		return rc;
	return eio_flow_copy_string(env->out, "consumer: ok\n");
}

static int refused(const char *why, void *arg)
{
	(void) arg;
	fprintf(stderr, "consumer: no io_uring: %s\n", why);
	return SKIPPED;
}

int main(void)
{
	struct eio_config config = {.fallback = refused};
	char line[256];
	int rc = eio_run(&config, program, NULL);

	if (rc < 0) {
		eio_error_format(rc, line, sizeof(line));
		fprintf(stderr, "consumer: %s\n", line);
		return 1;
	}
	return rc;
}
