/* SPDX-License-Identifier: ISC */
#include "support.h"
#include "core/fiber.h"
#include "core/timer.h"
#include "mock/sched.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[8192];
static size_t used;

static bool no_ring; /* there is none and the suite can do without */

struct eio_env *env;

#ifdef EIO__TSAN
/* The child of a fork may have threads, although it is not sure that they work. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}
#endif

void note(const char *fmt, ...)
{
	va_list ap;

	if (used && used < sizeof(text) - 1)
		text[used++] = ' ';
	va_start(ap, fmt);
	used += (size_t) vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	va_end(ap);
	ck_assert_msg(used < sizeof(text), "the log is full");
}

const char *log_text(void)
{
	return text;
}

void log_clear(void)
{
	text[used = 0] = 0;
}

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2; /* without "." and ".." */
}

unsigned count_fds(void)
{
	return count_entries("/proc/self/fd");
}

unsigned count_tasks(void)
{
	return count_entries("/proc/self/task");
}

unsigned count_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned n = 0;
	int c;

	ck_assert_ptr_nonnull(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

size_t count_fibers(void)
{
	return eio__domain_self()->fibers;
}

bool on_mock(void)
{
	return strcmp(eio__domain_self()->ops->name, "mock") == 0;
}

unsigned soak(void)
{
	const char *times = getenv("EIO_SOAK");

	return times ? (unsigned) strtoul(times, NULL, 10) : 1;
}

void expect_time(int64_t time)
{
	if (on_mock())
		ck_assert_int_eq(eio__now(), time);
	else
		ck_assert_int_ge(eio__now(), time);
}

static void check_left(unsigned fds, unsigned mappings)
{
	ck_assert_uint_eq(count_fds(), fds);
	if (!SANITIZED)
		ck_assert_uint_le(count_mappings(), mappings);
}

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

/* libc keeps the stacks of threads that have ended; a run finds some there already. */
static void *meet(void *barrier)
{
	pthread_barrier_wait(barrier);
	return NULL;
}

static void make_thread_stacks(void)
{
	pthread_barrier_t barrier;
	pthread_t threads[4];

	if (SANITIZED)
		return;
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, meet, &barrier), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

static void drop_line(int level, const char *line, void *arg)
{
	(void) level, (void) line, (void) arg;
}

static int run_main(struct eio_env *e, void *arg)
{
	int rc;

	env = e;
	rc = ((const struct eio_task *) arg)->fn(NULL);
	ck_assert_uint_eq(count_fibers(), 0);
	return rc;
}

void run_mock(eio_fn *fn, int expected)
{
	struct eio_task first = {nothing, NULL}, task = {fn, NULL};
	unsigned fds, mappings;

	/* The dump of a deadlock that is part of the test. */
	if (expected == -EDEADLK)
		eio_set_log(drop_line, NULL);

	/* What the first run of a process makes and keeps. */
	make_thread_stacks();
	expect_ok(eio_mock_run(run_main, &first));
	fds = count_fds();
	mappings = count_mappings();
	expect_err(eio_mock_run(run_main, &task), expected);
	check_left(fds, mappings);
}

void run_ring_with(const struct eio_config *config, eio_fn *fn, int expected)
{
	struct eio_task first = {nothing, NULL}, task = {fn, NULL};
	unsigned fds, mappings;

	if (no_ring)
		return;
	make_thread_stacks();
	expect_ok(eio_run(config, run_main, &first));
	fds = count_fds();
	mappings = count_mappings();
	expect_err(eio_run(config, run_main, &task), expected);
	check_left(fds, mappings);
}

void run_ring(eio_fn *fn, int expected)
{
	run_ring_with(NULL, fn, expected);
}

/* Threads */

struct call {
	eio_fn *fn;
	void *arg;
	int rc;
};

static void *plain_thread(void *arg)
{
	struct call *c = arg;

	c->rc = c->fn(c->arg);
	return NULL;
}

int on_plain_thread(eio_fn *fn, void *arg)
{
	struct call c = {fn, arg, 0};
	pthread_t thread;

	expect_ok(-pthread_create(&thread, NULL, plain_thread, &c));
	expect_ok(-pthread_join(thread, NULL));
	return c.rc;
}

static int run_domain(void *arg)
{
	struct call *c = arg;

	return eio__mock_run(c->fn, c->arg);
}

int in_other_domain(eio_fn *fn, void *arg)
{
	struct call c = {fn, arg, 0};

	return on_plain_thread(run_domain, &c);
}

/* Deaths */

static void die(void (*fn)(void *arg), void *arg, int err_fd)
{
	const struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	dup2(err_fd, STDERR_FILENO);
	fn(arg);
	_exit(0);
}

void expect_death(void (*fn)(void *arg), void *arg, int sig, const char *words)
{
	char said[4096];
	size_t len = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		die(fn, arg, fds[1]);
	close(fds[1]);
	while ((n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t) n;
	said[len] = 0;
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == sig,
		      "status 0x%x, not signal %d; stderr: %s", (unsigned) status, sig, said);
	ck_assert_msg(strstr(said, words), "stderr: %s, which lacks: %s", said, words);
}

static void run_call(void *arg)
{
	run_domain(arg);
}

void expect_abort(eio_fn *fn, void *arg, const char *words)
{
	struct call c = {fn, arg, 0};

	expect_death(run_call, &c, SIGABRT, words);
}

static int call_in_ring(struct eio_env *e, void *arg)
{
	struct call *c = arg;

	env = e;
	return c->fn(c->arg);
}

static void run_ring_call(void *arg)
{
	eio_run(NULL, call_in_ring, arg);
}

void expect_core_abort(eio_fn *fn, void *arg, const char *words)
{
	struct call c = {fn, arg, 0};

	expect_abort(fn, arg, words);
	if (!no_ring)
		expect_death(run_ring_call, &c, SIGABRT, words);
}

static int probe(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	return 0;
}

/* Mappings of the heap neither come nor go in the process of a test: none per thread, large
 * blocks never move into it, and it need not grow, which after a fork makes another one. */
static void settle_heap(void)
{
	void *volatile blocks[2]; /* compilers know malloc and would leave them out */

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TOP_PAD, 64 << 20);
	for (int i = 0; i < 2; i++)
		blocks[i] = malloc(100 << 10);
	for (int i = 0; i < 2; i++)
		free(blocks[i]);
}

/* Who runs the tests may have closed some. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int run_suite(const char *name, const TTest *const *tests, size_t n, bool needs_ring)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int rc, failed;

	open_standard_descriptors();
	rc = eio_run(NULL, probe, NULL);
	settle_heap();
	umask(022);               /* what the tests say of modes begins with this */
	signal(SIGQUIT, SIG_DFL); /* a shell's background job may have it ignored */
	no_ring = rc == -ENOSYS || rc == -EPERM;
	if (no_ring && needs_ring) {
		char why[512];

		eio_error_format(rc, why, sizeof(why));
		printf("skipped: %s\n", why);
		return 77;
	}
	tcase_set_timeout(tcase, 300); /* for what hangs, not for slow machines */
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
