/* SPDX-License-Identifier: ISC */
/*
 * A user's test of a small protocol handler, with nothing but the public headers: a line
 * "ADD 1 2" is answered with "3", anything else with "ERROR", and who says nothing for
 * ten seconds is told so.
 */
#include <eio/eio.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The handler */

struct input {
	char text[128];
	size_t len;
};

/* The next line without its end: its length, 0 at the end of the stream. */
static int read_line(struct eio_flow conn, struct input *in, char *ret, size_t size)
{
	char *end;
	ssize_t n;

	while (!(end = memchr(in->text, '\n', in->len))) {
		if (in->len == sizeof(in->text))
			return EIO_ELIMIT;
		n = eio_flow_read(conn, in->text + in->len, sizeof(in->text) - in->len);
		if (n <= 0)
			return (int) n;
		in->len += (size_t) n;
	}
	n = end - in->text;
	snprintf(ret, size, "%.*s", (int) n, in->text);
	in->len -= (size_t) n + 1;
	memmove(in->text, end + 1, in->len);
	return (int) n + 1;
}

static int answer(struct eio_flow conn, const char *line)
{
	char reply[32];
	long a, b;

	if (sscanf(line, "ADD %ld %ld", &a, &b) != 2)
		return eio_flow_copy_string(conn, "ERROR\n");
	snprintf(reply, sizeof(reply), "%ld\n", a + b);
	return eio_flow_copy_string(conn, reply);
}

static int serve(struct eio_flow conn, const struct eio_addr *peer, void *arg)
{
	struct eio_clock *clock = arg;
	struct input in = {.len = 0};
	char line[sizeof(in.text)];
	int rc;

	(void) peer;
	do {
		struct eio_timeout idle;

		eio_timeout_begin(&idle, *clock, EIO_SEC(10));
		rc = eio_timeout_end(&idle, read_line(conn, &in, line, sizeof(line)));
		if (rc == -ETIMEDOUT)
			return eio_flow_copy_string(conn, "TIMEOUT\n");
		if (rc > 0)
			rc = answer(conn, line) < 0 ? -EIO : 1;
	} while (rc > 0);
	return rc;
}

/* Its tests */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* What the handler returns and writes for one connection with this script. */
static void expect_talk(struct eio_env *env, const struct eio_mock_action *script, size_t n, int rc,
			const char *written)
{
	struct eio_mock_flow m;
	struct eio_flow conn = eio_mock_flow_init(&m, "conn");

	eio_mock_on_read(&m, script, n);
	expect(serve(conn, NULL, &env->mono_clock) == rc);
	expect(strcmp(eio_mock_written(&m, NULL), written) == 0);
	eio_mock_flow_fini(&m);
}

static int lines_come_in_any_pieces(struct eio_env *env, void *arg)
{
	const struct eio_mock_action script[] = {
		EIO_MOCK_DATA("ADD 1"),
		EIO_MOCK_DATA(" 2\nADD 3 4\nA"),
		EIO_MOCK_SLEEP(EIO_SEC(9)),
		EIO_MOCK_DATA("DD 5 6\nSUB 1 1"),
		EIO_MOCK_SLEEP(EIO_SEC(9)),
		EIO_MOCK_DATA("\n"),
		EIO_MOCK_EOF,
	};

	(void) arg;
	expect_talk(env, script, COUNT(script), 0, "3\n7\n11\nERROR\n");
	return 0;
}

static int silence_is_told(struct eio_env *env, void *arg)
{
	const struct eio_mock_action script[] = {EIO_MOCK_DATA("ADD 1 2\n"),
						 EIO_MOCK_SLEEP(EIO_SEC(11)), EIO_MOCK_EOF};

	(void) arg;
	expect_talk(env, script, COUNT(script), 0, "3\nTIMEOUT\n");
	expect(eio_now_ns(env->mono_clock) == EIO_SEC(10));
	return 0;
}

static int failures_come_out(struct eio_env *env, void *arg)
{
	const struct eio_mock_action script[] = {EIO_MOCK_DATA("ADD 1 2\n"),
						 EIO_MOCK_FAIL(-ECONNRESET)};

	(void) arg;
	expect_talk(env, script, COUNT(script), -ECONNRESET, "3\n");
	return 0;
}

static int talk(void *arg)
{
	struct eio_flow *conn = arg;
	char reply[2];
	int rc = eio_flow_copy_string(*conn, "ADD 20 22\nADD 1");

	if (rc == 0)
		rc = eio_flow_read_exact(*conn, reply, 2);
	expect(rc < 0 || memcmp(reply, "42", 2) == 0);
	eio_flow_close(*conn);
	return rc;
}

/* The test plays the client, who goes away in the middle of a line. */
static int a_server_gets_over_a_client_that_goes(struct eio_env *env, void *arg)
{
	struct eio_mock_listener m;
	struct eio_listener listener = eio_mock_listener_init(&m, "server", NULL);
	struct eio_mock_pair pair;
	struct eio_flow client, conn;
	const struct eio_mock_action script[] = {EIO_MOCK_CONN(&conn)};
	struct eio_switch sw;
	int rc;

	(void) arg;
	expect(eio_mock_pair_init(&pair, 4, &client, &conn) == 0);
	eio_mock_on_accept(&m, script, COUNT(script));
	eio_switch_begin(&sw);
	rc = eio_fork(&sw, talk, &client);
	if (rc == 0)
		rc = eio_net_run_server(listener, serve, &env->mono_clock, NULL);
	expect(rc == -ENODATA);
	rc = eio_switch_end(&sw, 0);
	eio_mock_listener_fini(&m);
	eio_mock_pair_fini(&pair);
	return rc;
}

int main(void)
{
	expect(eio_mock_run(lines_come_in_any_pieces, NULL) == 0);
	expect(eio_mock_run(silence_is_told, NULL) == 0);
	expect(eio_mock_run(failures_come_out, NULL) == 0);
	expect(eio_mock_run(a_server_gets_over_a_client_that_goes, NULL) == 0);
	return 0;
}
