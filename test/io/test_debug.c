/* SPDX-License-Identifier: ISC */
/*
 * Dumps of domains with rings: operations, several domains, signals. The trees themselves
 * are in the test of the core's dump.
 */
#include "io/util.h"

#include "core/domains.h"
#include "core/dump.h"
#include "core/fiber.h"
#include "core/timer.h"
#include "uring/opcode.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT = 16384 };

static char expected[TEXT];

/* A domain by the head of its first line. */
struct head {
	char text[64];
};

static struct head head(void)
{
	struct head h;

	snprintf(h.text, sizeof(h.text), "domain %llu (uring, thread %ld)",
		 (unsigned long long) eio__domain_self()->entry.id, syscall(SYS_gettid));
	return h;
}

/* Takes away how long waits have lasted, which nobody knows. */
static void strip_spans(char *text)
{
	char *to = text;

	for (char *from = text; *from;) {
		char *end = strchr(from, '\n') + 1, *span = NULL;

		for (char *at = from; at < end; at++) {
			if (strncmp(at, " (", 2) == 0 && end[-2] == ')')
				span = at;
		}
		memmove(to, from, (size_t) ((span ? span : end) - from));
		to += (span ? span : end) - from;
		if (span)
			*to++ = '\n';
		from = end;
	}
	*to = 0;
}

/* A dump without spans, valid until the next one. */
static const char *dump(void)
{
	static char text[TEXT];
	struct eio_buffer_sink sink;

	expect_ok(eio_dump(eio_buffer_sink_init(&sink, TEXT - 1)));
	memcpy(text, sink.data, sink.len + 1);
	eio_buffer_sink_fini(&sink);
	strip_spans(text);
	return text;
}

#define expect_dump(...)                                                                           \
	do {                                                                                       \
		snprintf(expected, sizeof(expected), __VA_ARGS__);                                 \
		ck_assert_str_eq(dump(), expected);                                                \
	} while (0)

/* Ring operations */

static char scrap[64];

static int read_it(void *arg)
{
	return (int) eio_ll_read(*(struct eio_fd *) arg, scrap, sizeof(scrap), -1);
}

static int recv_it(void *arg)
{
	return (int) eio_ll_recv(*(struct eio_fd *) arg, scrap, sizeof(scrap), 0);
}

static int poll_it(void *arg)
{
	return eio_ll_poll(*(struct eio_fd *) arg, POLLIN);
}

static int splice_it(void *arg)
{
	struct eio_fd *fds = arg;

	return (int) eio_ll_splice(fds[0], fds[1], 10);
}

static int accept_it(void *arg)
{
	struct eio_switch sw;
	struct eio_fd fd;

	eio_switch_begin(&sw);
	return eio_switch_end(&sw, eio_ll_accept(&sw, *(struct eio_fd *) arg, &fd, NULL));
}

static int group_it(void *arg)
{
	struct eio_fd *fds = arg;
	struct io_uring_sqe sqes[3] = {0};
	int results[3];

	io_uring_prep_poll_add(&sqes[0], number(fds[0]), POLLIN);
	io_uring_prep_nop(&sqes[1]);
	io_uring_prep_poll_add(&sqes[2], number(fds[0]), POLLIN);
	return eio_ll_await_n(sqes, 3, results);
}

static int take_it(void *arg)
{
	int rc = eio_fd_to_unix(*(struct eio_fd *) arg, EIO_FD_TAKE);

	return rc < 0 ? rc : close(rc);
}

RING_TEST(operations_are_told_with_their_descriptors)
{
	struct eio_switch sw, fds;
	struct eio_fd p[2], q[2], pair[2], taken[2], l;
	struct eio_addr at;

	(void) arg;
	eio_switch_begin(&fds);
	pipe_on(&fds, &p[0], &p[1]);
	pipe_on(&fds, &q[0], &q[1]);
	pair_on(&fds, &pair[0], &pair[1]);
	pair_on(&fds, &taken[0], &taken[1]);
	l = listen_on(&fds, "127.0.0.1:0", &at);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, read_it, &p[0]));
	expect_ok(eio_fork(&sw, recv_it, &pair[0]));
	expect_ok(eio_fork(&sw, poll_it, &p[0]));
	expect_ok(eio_fork(&sw, splice_it, (struct eio_fd[]){q[0], p[1]}));
	expect_ok(eio_fork(&sw, accept_it, &l));
	expect_ok(eio_fork(&sw, recv_it, &taken[0]));
	expect_ok(eio_fork(&sw, group_it, q));
	trips(2);
	expect_ok(eio_fork(&sw, take_it, &taken[0]));
	expect_dump("%s, 9 fibers\n"
		    "  switch of fiber 1, 0 fibers\n"
		    "    switch of fiber 1, 8 fibers\n"
		    "      fiber 1 \"main\": running\n"
		    "      fiber 2: read on fd %d\n"
		    "      fiber 3: recv on fd %d\n"
		    "      fiber 4: poll on fd %d\n"
		    "      fiber 5: splice on fd %d\n"
		    "      fiber 7: recv on fd %d\n"
		    "      fiber 8: group, 2 of 3 operations left\n"
		    "      fiber 9: users of fd %d\n"
		    "      switch of fiber 6, 0 fibers\n"
		    "        fiber 6: accept on fd %d\n",
		    head().text, number(p[0]), number(pair[0]), number(p[0]), number(p[1]),
		    number(taken[1]) - 1, number(taken[1]) - 1, number(l));
	expect_ok(eio_switch_fail(&sw, -ECANCELED));
	expect_err(eio_switch_end(&sw, 0), -ECANCELED);
	return eio_switch_end(&fds, 0);
}

RING_TEST(a_cancelled_operation_was_asked_to_stop_and_is_waited_for)
{
	struct eio_switch sw, fds;
	struct eio_cancel shield;
	struct eio_fd p[2];

	(void) arg;
	eio_switch_begin(&fds);
	pipe_on(&fds, &p[0], &p[1]);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, read_it, &p[0]));
	expect_ok(eio_fork(&sw, group_it, p));
	trips(2);
	expect_ok(eio_switch_fail(&sw, -EPIPE));
	eio_cancel_protect_begin(&shield);
	expect_dump("%s, 3 fibers\n"
		    "  switch of fiber 1, 0 fibers\n"
		    "    switch of fiber 1, 2 fibers, cancelled: EPIPE\n"
		    "      fiber 2, cancelled: read on fd %d, asked to stop\n"
		    "      fiber 3, cancelled: group, 2 of 3 operations left, asked to stop\n"
		    "      protected context\n"
		    "        fiber 1 \"main\": running\n",
		    head().text, number(p[0]));
	eio_cancel_end(&shield);
	expect_err(eio_switch_end(&sw, 0), -EPIPE);
	return eio_switch_end(&fds, 0);
}

static int take_block(void *arg)
{
	struct eio_chunk c;
	int rc = eio_ll_alloc_fixed_or_wait(&c);

	(void) arg;
	if (rc == 0)
		eio_ll_free_fixed(c);
	return rc;
}

static int wait_for_block(void *arg)
{
	struct eio_chunk c[2];
	struct eio_switch sw;

	(void) arg;
	for (int i = 0; i < 2; i++)
		expect_ok(eio_ll_alloc_fixed(&c[i]));
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, take_block, NULL));
	expect_dump("%s, 2 fibers\n"
		    "  switch of fiber 1, 1 fiber\n"
		    "    fiber 1 \"main\": running\n"
		    "    fiber 2: fixed buffer, all 2 in use\n",
		    head().text);
	for (int i = 0; i < 2; i++)
		eio_ll_free_fixed(c[i]);
	return eio_switch_end(&sw, 0);
}

START_TEST(who_waits_for_a_fixed_buffer_tells_how_many_there_are)
{
	run_ring_with(&(struct eio_config){.n_blocks = 2, .flags = EIO_RUN_NO_FIXED},
		      wait_for_block, 0);
}
END_TEST

START_TEST(unknown_operations_are_told_by_number)
{
	static const struct {
		unsigned opcode;
		int fd;
		const char *more, *text;
	} ops[] = {
		{IORING_OP_SENDMSG_ZC, 7, "", "sendmsg_zc on fd 7"},
		{EIO__OP_PIPE + 15, 0, ", and more", "opcode 77, and more"},
		{255, -1, "", "opcode 255"},
		{IORING_OP_OPENAT2, AT_FDCWD, "", "openat2"},
		{IORING_OP_NOP, 3, "", "nop"},
		{IORING_OP_SOCKET, AF_INET, "", "socket"},
		{EIO__OP_FIXED_FD_INSTALL, 3, "", "fixed_fd_install"},
	};
	char buf[64];

	for (size_t i = 0; i < COUNT(ops); i++) {
		eio__opcode_describe(ops[i].opcode, ops[i].fd, ops[i].more, buf, sizeof(buf));
		ck_assert_str_eq(buf, ops[i].text);
	}
	/* None of them was left out. */
	for (unsigned i = 0; i <= EIO__OP_PIPE; i++) {
		eio__opcode_describe(i, -1, "", buf, sizeof(buf));
		ck_assert_msg(!strchr(buf, '(') && !strchr(buf, ' '), "%u: %s", i, buf);
	}
}
END_TEST

static int64_t before_the_run;

static int wait_at_once(void *arg)
{
	(void) arg;
	/* As long as it has not polled it is as old as the run, not as the machine. */
	ck_assert_uint_le(eio__tick(before_the_run), eio__domain_self()->tick);
	return 0;
}

START_TEST(the_first_wait_is_not_older_than_the_run)
{
	before_the_run = eio__now();
	run_ring(wait_at_once, 0);
}
END_TEST

/* Other domains */

struct other {
	pthread_t thread;
	struct head head;
	bool blocks; /* its thread is not the library's until go */
	sem_t ready, go;
	struct eio_promise stop;
	eio_fn *fn; /* instead of all that */
	int rc;
};

static int other_main(struct eio_env *e, void *arg)
{
	struct other *o = arg;

	(void) e;
	o->head = head();
	eio_fiber_set_name("other");
	sem_post(&o->ready);
	if (o->fn)
		return o->fn(NULL);
	if (!o->blocks)
		return eio_promise_await(&o->stop, NULL);
	while (sem_wait(&o->go) < 0)
		;
	return 0;
}

static void *run_other(void *arg)
{
	struct other *o = arg;

	__atomic_store_n(&o->rc, eio_run(NULL, other_main, o), __ATOMIC_RELAXED);
	return NULL;
}

static void start(struct other *o)
{
	o->stop = (struct eio_promise) EIO_PROMISE_INIT;
	sem_init(&o->ready, 0, 0);
	sem_init(&o->go, 0, 0);
	expect_ok(-pthread_create(&o->thread, NULL, run_other, o));
	while (sem_wait(&o->ready) < 0)
		;
}

static void stop(struct other *o)
{
	eio_promise_resolve(&o->stop, 0, NULL);
	sem_post(&o->go);
	expect_ok(-pthread_join(o->thread, NULL));
	expect_ok(o->rc);
	sem_destroy(&o->ready);
	sem_destroy(&o->go);
}

RING_TEST(all_domains_of_the_process_are_shown)
{
	struct other a = {.rc = 1}, gone = {.rc = 1}, b = {.rc = 1};

	(void) arg;
	start(&a);
	start(&gone);
	start(&b);
	stop(&gone);
	expect_dump("%s, 1 fiber\n"
		    "  fiber 1 \"main\": running\n"
		    "%s, 1 fiber\n"
		    "  fiber 1 \"other\": promise %p\n"
		    "%s, 1 fiber\n"
		    "  fiber 1 \"other\": promise %p\n",
		    head().text, a.head.text, (void *) &a.stop, b.head.text, (void *) &b.stop);
	stop(&a);
	expect_dump("%s, 1 fiber\n"
		    "  fiber 1 \"main\": running\n"
		    "%s, 1 fiber\n"
		    "  fiber 1 \"other\": promise %p\n",
		    head().text, b.head.text, (void *) &b.stop);
	stop(&b);
	return 0;
}

static int dump_often(void *arg)
{
	int rc = 0;

	(void) arg;
	for (int i = 0; i < 100 && rc == 0; i++)
		rc = eio_dump(eio_null());
	return rc;
}

RING_TEST(domains_that_ask_each_other_answer_each_other)
{
	struct other o = {.fn = dump_often, .rc = 1};

	(void) arg;
	start(&o);
	expect_ok(dump_often(NULL));
	/* Its thread cannot be joined before it has been answered. */
	wait_until(__atomic_load_n(&o.rc, __ATOMIC_RELAXED) != 1);
	stop(&o);
	return 0;
}

static char answer[TEXT];

static int keep_dump(void *arg)
{
	(void) arg;
	strcpy(answer, dump());
	return 0;
}

RING_TEST(a_domain_that_ends_instead_of_answering_says_so)
{
	struct other o = {.blocks = true, .rc = 1};
	struct eio_switch sw;

	(void) arg;
	start(&o);
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, keep_dump, NULL));
	ck_assert_uint_eq(answer[0], 0);
	stop(&o);
	expect_ok(eio_switch_end(&sw, 0));
	snprintf(expected, sizeof(expected),
		 "%s, 2 fibers\n"
		 "  switch of fiber 1, 1 fiber\n"
		 "    fiber 1 \"main\": runnable\n"
		 "    fiber 2: running\n"
		 "%s, ended\n",
		 head().text, o.head.text);
	ck_assert_str_eq(answer, expected);
	return 0;
}

static int dump_nowhere(void *arg)
{
	(void) arg;
	return eio_dump(eio_null());
}

RING_TEST(who_is_not_answered_can_be_cancelled)
{
	struct other o = {.blocks = true, .rc = 1};

	(void) arg;
	start(&o);
	for (int i = 0; i < 3; i++)
		expect_err(eio_timeout_run(env->mono_clock, EIO_MS(1), dump_nowhere, NULL),
			   -ETIMEDOUT);
	stop(&o);
	expect_ok(eio_dump(eio_null()));
	return 0;
}

static int ask_and_go(struct eio_env *e, void *arg)
{
	(void) arg;
	expect_err(eio_timeout_run(e->mono_clock, EIO_MS(1), dump_nowhere, NULL), -ETIMEDOUT);
	return 0;
}

START_TEST(the_asker_may_be_gone_before_the_answer)
{
	struct other o = {.blocks = true, .rc = 1};

	start(&o);
	expect_ok(eio_run(NULL, ask_and_go, NULL));
	stop(&o);
}
END_TEST

/* Runs one domain after the other. */
static void *come_and_go(void *arg)
{
	for (int i = 0; i < 50; i++) {
		struct other o = {.fn = dump_nowhere, .rc = 1};

		sem_init(&o.ready, 0, 0);
		run_other(&o);
		sem_destroy(&o.ready);
		if (o.rc != 0)
			*(int *) arg = o.rc;
	}
	return NULL;
}

static int visit(void *thread)
{
	int visits = 0;

	while (pthread_tryjoin_np(*(pthread_t *) thread, NULL) == EBUSY) {
		expect_ok(eio_dump(eio_null()));
		visits++;
	}
	return visits;
}

RING_TEST(domains_may_begin_and_end_meanwhile)
{
	int rcs[2] = {0, 0};
	pthread_t threads[2];
	int visits = 0;

	(void) arg;
	for (int i = 0; i < 2; i++)
		expect_ok(-pthread_create(&threads[i], NULL, come_and_go, &rcs[i]));
	for (int i = 0; i < 2; i++) {
		visits += visit(&threads[i]);
		expect_ok(rcs[i]);
	}
	ck_assert_int_gt(visits, 0);
	return 0;
}

RING_TEST(without_memory_nothing_is_written)
{
	struct eio_buffer_sink sink;
	struct eio_flow f = eio_buffer_sink_init(&sink, 0);
	int rc;

	(void) arg;
	if (SANITIZED)
		return 0;
	use_memory_up(1);
	rc = eio_dump(f);
	give_memory_back();
	expect_err(rc, -ENOMEM);
	ck_assert_uint_eq(sink.len, 0);
	return 0;
}

RING_TEST(what_finds_no_memory_is_said_to_be_missing)
{
	struct eio__text t = {.data = NULL};

	(void) arg;
	if (SANITIZED)
		return 0;
	/* The first line has room, the fibers' order has none. */
	eio__text_add(&t, "\n");
	use_memory_up(1);
	eio__dump_domain(&t, eio__domain_self());
	give_memory_back();
	ck_assert(t.lost);
	snprintf(expected, sizeof(expected), "\n%s, 1 fiber", head().text);
	ck_assert_str_eq(t.data, expected);
	eio__text_free(&t);
	return 0;
}

/* In the child of a fork */

static struct eio_buffer_sink child_sink;

static int dump_in_child(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	return eio_dump(eio_buffer_sink_init(&child_sink, 0));
}

RING_TEST(the_child_of_a_fork_has_none_of_its_parents_domains)
{
	struct other o = {.rc = 1};
	int status;
	pid_t pid;

	(void) arg;
	start(&o);
	pid = fork();
	if (pid == 0) {
		int rc = eio_run(NULL, dump_in_child, NULL);
		char *first = child_sink.data ? strstr(child_sink.data, "domain ") : NULL;

		_exit(rc == 0 && first && !strstr(first + 1, "domain ") ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	stop(&o);
	return 0;
}

/*
 * SIGQUIT, in child processes: what they say on stderr is what is checked. A child that
 * finds something wrong says so and exits with 1.
 */
#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "%d: %s\n", __LINE__, #condition);                  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* What a child that runs @p fn writes to stderr, without spans. */
static const char *said_by(void (*fn)(void))
{
	static char said[TEXT * 4];
	size_t len = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		setenv("EIO_DUMP_ON", "QUIT", 1);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t) n;
	said[len] = 0;
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "status 0x%x; stderr: %s", (unsigned) status, said);
	if (len)
		strip_spans(said);
	return said;
}

static bool has_handler(void (*handler)(int))
{
	struct sigaction now;

	return sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler == handler;
}

static int quit_and_poll(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	raise(SIGQUIT);
	return eio_ll_noop();
}

static void quit_once(void)
{
	check(eio_run(NULL, quit_and_poll, NULL) == 0);
	check(has_handler(SIG_DFL));
}

START_TEST(sigquit_makes_a_domain_write_its_dump)
{
	const char *said = said_by(quit_once);
	const char *thread = strstr(said, "(uring, thread ");

	ck_assert_msg(strncmp(said, "domain ", 7) == 0 && thread, "%s", said);
	ck_assert_str_eq(strchr(thread, ')'), "), 1 fiber\n  fiber 1 \"main\": nop\n");
}
END_TEST

/* The second one is the dump's again. */
static int take_one_of_two(struct eio_env *e, void *arg)
{
	static const int quit[] = {SIGQUIT, 0};
	struct eio_signals s;

	(void) e, (void) arg;
	check(eio_signals_begin(&s, quit) == 0);
	raise(SIGQUIT);
	check(eio_signals_next(&s, NULL) == 1);
	check(eio_ll_noop() == 0);
	fputs("taken\n", stderr);
	eio_signals_end(&s);
	return quit_and_poll(e, arg);
}

static void quit_twice(void)
{
	check(eio_run(NULL, take_one_of_two, NULL) == 0);
	check(has_handler(SIG_DFL));
}

START_TEST(a_subscription_takes_sigquit_and_there_is_no_dump)
{
	const char *said = said_by(quit_twice);

	ck_assert_msg(strncmp(said, "taken\ndomain ", 13) == 0, "%s", said);
}
END_TEST

static int quit_often(struct eio_env *e, void *arg)
{
	int rc = 0;

	(void) e, (void) arg;
	for (int i = 0; i < 3 && rc == 0; i++) {
		for (int n = 0; n < 10; n++)
			raise(SIGQUIT);
		rc = eio_ll_noop();
	}
	return rc;
}

static void quit_three_times(void)
{
	check(eio_run(NULL, quit_often, NULL) == 0);
}

START_TEST(signals_between_two_polls_are_one)
{
	const char *said = said_by(quit_three_times);
	unsigned dumps = 0;

	while ((said = strstr(said, "domain "))) {
		said++;
		dumps++;
	}
	ck_assert_uint_eq(dumps, 3);
}
END_TEST

/* Has @p text a dump of a domain with this head, and the rest after "1 fiber"? */
static bool has_dump(const char *text, struct head h, const char *rest)
{
	char words[192];

	snprintf(words, sizeof(words), "%s, 1 fiber\n  fiber 1 %s", h.text, rest);
	return strstr(text, words);
}

/* The others sleep in the kernel, or are about to. The dumps come in any order. */
static int quit_with_others(struct eio_env *e, void *arg)
{
	struct other a = {.rc = 1}, b = {.rc = 1};
	int file = temp_file(), kept = dup(STDERR_FILENO);
	char said[TEXT] = "";

	(void) e, (void) arg;
	start(&a);
	start(&b);
	/* Once they have answered they wait. */
	check(eio_dump(eio_null()) == 0);
	dup2(file, STDERR_FILENO);
	raise(SIGQUIT);
	check(eio_ll_noop() == 0);
	stop(&a);
	stop(&b);
	dup2(kept, STDERR_FILENO);
	check(pread(file, said, sizeof(said) - 1, 0) > 0);
	strip_spans(said);
	check(has_dump(said, head(), "\"main\": nop\n"));
	check(has_dump(said, a.head, "\"other\": promise 0x"));
	check(has_dump(said, b.head, "\"other\": promise 0x"));
	return 0;
}

static void quit_many_domains(void)
{
	check(eio_run(NULL, quit_with_others, NULL) == 0);
}

START_TEST(sigquit_reaches_every_domain)
{
	ck_assert_str_eq(said_by(quit_many_domains), "");
}
END_TEST

static int just_quit(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	raise(SIGQUIT);
	return 0;
}

static void quit_unasked(void *value)
{
	if (value)
		setenv("EIO_DUMP_ON", value, 1);
	else
		unsetenv("EIO_DUMP_ON");
	eio_run(NULL, just_quit, NULL);
}

START_TEST(sigquit_ends_the_process_unless_asked_otherwise)
{
	char *const values[] = {NULL, "", "TERM", "QUITE"};

	for (size_t i = 0; i < COUNT(values); i++)
		expect_death(quit_unasked, values[i], SIGQUIT, "");
}
END_TEST

static void quit_after_the_run(void *arg)
{
	(void) arg;
	setenv("EIO_DUMP_ON", "QUIT", 1);
	eio_run(NULL, just_quit, NULL);
	raise(SIGQUIT);
}

START_TEST(sigquit_ends_the_process_after_the_run)
{
	expect_death(quit_after_the_run, NULL, SIGQUIT, "");
}
END_TEST

static volatile sig_atomic_t counted;

static void count_signal(int sig)
{
	counted += sig == SIGQUIT;
}

static void count_with_info(int sig, siginfo_t *info, void *context)
{
	(void) context;
	counted += sig == SIGQUIT && info->si_signo == SIGQUIT;
}

static void quit_with_own_handler(void)
{
	struct sigaction act = {.sa_sigaction = count_with_info, .sa_flags = SA_SIGINFO};

	signal(SIGQUIT, count_signal);
	check(eio_run(NULL, quit_and_poll, NULL) == 0);
	check(counted == 1);
	check(has_handler(count_signal));
	check(sigaction(SIGQUIT, &act, NULL) == 0);
	check(eio_run(NULL, quit_and_poll, NULL) == 0);
	check(counted == 2);
	signal(SIGQUIT, SIG_IGN);
	check(eio_run(NULL, quit_and_poll, NULL) == 0);
	check(has_handler(SIG_IGN));
}

START_TEST(a_handler_of_the_programs_is_called_too_and_restored)
{
	const char *said = said_by(quit_with_own_handler);
	unsigned dumps = 0;

	while ((said = strstr(said, "main\": nop"))) {
		said++;
		dumps++;
	}
	ck_assert_uint_eq(dumps, 3);
}
END_TEST

static int install_own(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	signal(SIGQUIT, count_signal);
	return 0;
}

static void install_meanwhile(void)
{
	check(eio_run(NULL, install_own, NULL) == 0);
	check(has_handler(count_signal));
}

START_TEST(what_the_program_installs_meanwhile_stays)
{
	ck_assert_str_eq(said_by(install_meanwhile), "");
}
END_TEST

static int outlive_another(struct eio_env *e, void *arg)
{
	struct other o = {.rc = 1};

	start(&o);
	stop(&o);
	check(!has_handler(SIG_DFL));
	return quit_and_poll(e, arg);
}

static void overlap(void)
{
	check(eio_run(NULL, outlive_another, NULL) == 0);
	check(has_handler(SIG_DFL));
}

START_TEST(the_handler_stays_until_the_last_run_has_ended)
{
	ck_assert_ptr_nonnull(strstr(said_by(overlap), "fiber 1 \"main\": nop\n"));
}
END_TEST

static int fork_inside(struct eio_env *e, void *arg)
{
	int status;
	pid_t pid = fork();

	(void) e, (void) arg;
	if (pid == 0) {
		check(has_handler(SIG_DFL));
		check(eio_run(NULL, quit_and_poll, NULL) == 0);
		check(has_handler(SIG_DFL));
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0);
	check(!has_handler(SIG_DFL));
	return 0;
}

static void fork_while_running(void)
{
	check(eio_run(NULL, fork_inside, NULL) == 0);
	check(has_handler(SIG_DFL));
}

START_TEST(the_child_of_a_fork_has_its_own_sigquit)
{
	ck_assert_ptr_nonnull(strstr(said_by(fork_while_running), "fiber 1 \"main\": nop\n"));
}
END_TEST

static int quit_without_memory(struct eio_env *e, void *arg)
{
	int rc;

	(void) e, (void) arg;
	raise(SIGQUIT);
	use_memory_up(1);
	rc = eio_ll_noop();
	give_memory_back();
	return rc;
}

static void quit_when_out_of_memory(void)
{
	check(eio_run(NULL, quit_without_memory, NULL) == 0);
}

/* A program's handler that hands the signal on to the one it found: the library's. */
static struct sigaction found;
static unsigned handed_on;

static void hand_on(int sig, siginfo_t *info, void *context)
{
	handed_on++;
	found.sa_sigaction(sig, info, context);
}

static int put_in_front(struct eio_env *e, void *arg)
{
	struct sigaction act = {.sa_sigaction = hand_on, .sa_flags = SA_SIGINFO};

	(void) e, (void) arg;
	check(sigaction(SIGQUIT, &act, &found) == 0);
	return 0;
}

static void quit_behind_another(void)
{
	check(eio_run(NULL, put_in_front, NULL) == 0);
	for (unsigned i = 1; i <= 2; i++) {
		check(eio_run(NULL, quit_and_poll, NULL) == 0);
		check(handed_on == i);
	}
}

START_TEST(a_handler_that_hands_the_signal_on_is_called_once)
{
	const char *said = said_by(quit_behind_another);

	said = strstr(said, "fiber 1 \"main\": nop\n");
	ck_assert_ptr_nonnull(said);
	ck_assert_ptr_nonnull(strstr(said + 1, "fiber 1 \"main\": nop\n"));
}
END_TEST

START_TEST(without_memory_the_dump_says_so)
{
	if (SANITIZED)
		return;
	ck_assert_str_eq(said_by(quit_when_out_of_memory),
			 "out of memory: the rest of the dump is missing\n");
}
END_TEST

static int keep_quitting(struct eio_env *e, void *arg)
{
	pthread_t threads[2];
	int rcs[2] = {0, 0};

	(void) e, (void) arg;
	for (int i = 0; i < 2; i++)
		check(pthread_create(&threads[i], NULL, come_and_go, &rcs[i]) == 0);
	for (int i = 0; i < 2; i++) {
		while (pthread_tryjoin_np(threads[i], NULL) == EBUSY) {
			kill(getpid(), SIGQUIT);
			check(eio_ll_noop() == 0);
		}
		check(rcs[i] == 0);
	}
	return 0;
}

static void quit_all_the_time(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int said = dup(STDERR_FILENO);

	/* More than a test wants to read. */
	dup2(null, STDERR_FILENO);
	check(eio_run(NULL, keep_quitting, NULL) == 0);
	dup2(said, STDERR_FILENO);
}

static struct other *looked_at;

/* Lets it end, if nothing holds it. */
static void linger(struct eio__domain *d, void *arg)
{
	(void) arg;
	if (d == eio__domain_self())
		return;
	sem_post(&looked_at->go);
	usleep(20000);
	ck_assert_int_eq(__atomic_load_n(&looked_at->rc, __ATOMIC_RELAXED), 1);
}

RING_TEST(a_domain_does_not_go_while_a_handler_looks_at_it)
{
	struct other o = {.blocks = true, .rc = 1};

	(void) arg;
	start(&o);
	looked_at = &o;
	eio__domains_each_in_handler(linger, NULL);
	stop(&o);
	return 0;
}

START_TEST(domains_may_begin_and_end_among_signals)
{
	ck_assert_str_eq(said_by(quit_all_the_time), "");
}
END_TEST

SUITE_MAIN("debug", true, a_handler_that_hands_the_signal_on_is_called_once,
	   operations_are_told_with_their_descriptors_test,
	   a_cancelled_operation_was_asked_to_stop_and_is_waited_for_test,
	   who_waits_for_a_fixed_buffer_tells_how_many_there_are,
	   unknown_operations_are_told_by_number, the_first_wait_is_not_older_than_the_run,
	   all_domains_of_the_process_are_shown_test,
	   domains_that_ask_each_other_answer_each_other_test,
	   a_domain_that_ends_instead_of_answering_says_so_test,
	   who_is_not_answered_can_be_cancelled_test, the_asker_may_be_gone_before_the_answer,
	   domains_may_begin_and_end_meanwhile_test, without_memory_nothing_is_written_test,
	   what_finds_no_memory_is_said_to_be_missing_test,
	   a_domain_does_not_go_while_a_handler_looks_at_it_test,
	   the_child_of_a_fork_has_none_of_its_parents_domains_test,
	   sigquit_makes_a_domain_write_its_dump, a_subscription_takes_sigquit_and_there_is_no_dump,
	   signals_between_two_polls_are_one, sigquit_reaches_every_domain,
	   sigquit_ends_the_process_unless_asked_otherwise, sigquit_ends_the_process_after_the_run,
	   a_handler_of_the_programs_is_called_too_and_restored,
	   what_the_program_installs_meanwhile_stays,
	   the_handler_stays_until_the_last_run_has_ended, the_child_of_a_fork_has_its_own_sigquit,
	   without_memory_the_dump_says_so, domains_may_begin_and_end_among_signals)
