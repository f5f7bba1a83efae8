/* SPDX-License-Identifier: ISC */
/*
 * The child of a fork in a program with domains, threads, descriptors and processes in use. The
 * code of the tables of the last two, and of references to domains, is part of this program, so
 * that their locks can be held.
 */
#include "support.h"
#include "uring/util.h"

/* For what is static there. */
#include "core/anchor.c"
#include "uring/slots.c"
#include "uring/ll_process.c"

#include <eio/low_level.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* In the child: says what is wrong and gives up. */
#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* A child that must come to an end, and well. */
static pid_t fork_bounded(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		alarm(200);
	return pid;
}

static void expect_good_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void in_child(void (*fn)(void))
{
	pid_t pid = fork_bounded();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	expect_good_end(pid);
}

static void some_turns(void)
{
	for (int i = 0; i < 4; i++)
		expect_ok(eio_ll_noop());
}

/* The program: what its fibers and threads are busy with */

static struct eio_switch outer;
static struct eio_fd used, used_w, idle, idle_w;
static sem_t begun, go;

static int hold(void *arg)
{
	(void) arg;
	sem_post(&begun);
	while (sem_wait(&go) < 0)
		;
	return 0;
}

static int hold_in_thread(void *arg)
{
	return eio_ll_in_thread(hold, arg);
}

static int read_one(void *arg)
{
	char b = 0;

	expect_err(eio_ll_read(used, &b, 1, EIO_CURRENT), 1);
	ck_assert_int_eq(b, 'p');
	note("%s", (const char *) arg);
	return 0;
}

static int other_main(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e, (void) arg;
	eio_switch_begin(&sw);
	expect_ok(eio_fork(&sw, hold_in_thread, NULL));
	return eio_switch_end(&sw, 0);
}

static void *other_domain(void *arg)
{
	expect_ok(eio_run(NULL, other_main, arg));
	return NULL;
}

enum { HELD = 4 };

static pthread_t other;

static void get_busy(void)
{
	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	eio_switch_begin(&outer);
	pipe_on(&outer, &used, &used_w);
	pipe_on(&outer, &idle, &idle_w);
	ck_assert_int_eq(pthread_create(&other, NULL, other_domain, NULL), 0);
	for (int i = 1; i < HELD; i++)
		expect_ok(eio_fork(&outer, hold_in_thread, NULL));
	for (int i = 0; i < HELD; i++) {
		while (sem_wait(&begun) < 0)
			;
	}
	expect_ok(eio_fork(&outer, read_one, "read"));
	some_turns();
}

/* The parent goes on as if nothing had been. */
static int come_to_an_end(void)
{
	some_turns();
	expect_log("");
	for (int i = 0; i < HELD; i++)
		sem_post(&go);
	ck_assert_int_eq(write(number(used_w), "p", 1), 1);
	expect_ok(eio_switch_end(&outer, 0));
	expect_log("read");
	pthread_join(other, NULL);
	return 0;
}

static void run_busy(eio_fn *fn)
{
	warm_up_threads(HELD + 2);
	run_ring(fn, 0);
}

/* What the child can do */

static int forty_two(void *arg)
{
	(void) arg;
	return 42;
}

static void try_to_suspend(void)
{
	struct eio_addr addr = {.len = 0};
	uint32_t word = 0;
	char b;

	check(eio_check() == -EPERM);
	check(eio_yield() == -EPERM);
	check(eio_ll_noop() == -EPERM);
	check(eio_ll_in_thread(forty_two, NULL) == -EPERM);
	check(eio_ll_futex_wait(&word, 0, 0) == -EPERM);
	check(eio_ll_getnameinfo(&addr, NULL, 0, NULL, 0, 0) == -EPERM);
	check(eio_ll_read(used, &b, 1, EIO_CURRENT) == -EPERM);
	check(eio_fork(&outer, forty_two, NULL) == -EPERM);
	check(eio_switch_end(&outer, 0) == -EPERM);
}

static int use_everything(void *arg)
{
	struct eio_fd r, w, fds[200];
	struct eio_switch sw;
	char b = 0;

	(void) arg;
	check(eio_ll_in_thread(forty_two, NULL) == 42);
	eio_switch_begin(&sw);
	check(eio_ll_pipe(&sw, &r, &w) == 0);
	check(eio_ll_write_all(w, "c", 1, EIO_CURRENT) == 0);
	check(eio_ll_read(r, &b, 1, EIO_CURRENT) == 1 && b == 'c');
	check(eio_fd_close(r) == 0);
	for (int i = 0; i < 200; i++)
		check(eio_fd_of_unix(&sw, dup(number(w)), EIO_FD_CLOSE, &fds[i]) == 0);
	return eio_switch_end(&sw, 0);
}

static int main_in_child(struct eio_env *e, void *arg)
{
	(void) e;
	return ((const struct eio_task *) arg)->fn(NULL);
}

static void run_in_child(eio_fn *fn)
{
	struct eio_task task = {fn, NULL};

	check(eio_run(NULL, main_in_child, &task) == 0);
}

static void run_everything(void)
{
	unsigned fds = count_fds();

	run_in_child(use_everything);
	run_in_child(use_everything);
	check(count_fds() == fds);
}

static int suspends_in_child(void *arg)
{
	(void) arg;
	get_busy();
	in_child(try_to_suspend);
	return come_to_an_end();
}

START_TEST(what_suspends_gives_EPERM)
{
	run_busy(suspends_in_child);
}
END_TEST

static int runs_in_child(void *arg)
{
	(void) arg;
	get_busy();
	in_child(run_everything);
	return come_to_an_end();
}

START_TEST(a_run_works_afresh_with_threads_and_descriptors)
{
	run_busy(runs_in_child);
}
END_TEST

static void fork_again(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		run_everything();
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0);
	run_everything();
}

static int child_of_a_child(void *arg)
{
	(void) arg;
	get_busy();
	in_child(fork_again);
	return come_to_an_end();
}

START_TEST(so_it_does_in_the_child_of_a_child)
{
	run_busy(child_of_a_child);
}
END_TEST

/* Old handles */

static int use_old_handles(void *arg)
{
	char b = 0;

	(void) arg;
	check(eio_ll_write_all(idle_w, "o", 1, EIO_CURRENT) == 0);
	check(eio_ll_read(idle, &b, 1, EIO_CURRENT) == 1 && b == 'o');
	return 0;
}

static void close_old_handles(void)
{
	int w = number(idle_w), r = number(used);

	run_in_child(use_old_handles);
	check(eio_fd_close(idle_w) == 0);
	check(!is_open(w));
	check(eio_fd_close(idle_w) == -EBADF);
	/* It asked nobody to take it off the switch. */
	check(eio__slot(idle_w)->state >> 32 == idle_w.generation + 1);
	/* In use by a fiber of the parent's only. */
	check(eio_fd_close(used) == 0);
	check(!is_open(r));
	run_everything();
	check(!eio_fd_is_open(used) && !eio_fd_is_open(idle_w));
	check(eio_fd_to_unix(idle, EIO_FD_TAKE) >= 0);
}

static int old_handles(void *arg)
{
	(void) arg;
	get_busy();
	in_child(close_old_handles);
	ck_assert(eio_fd_is_open(used) && eio_fd_is_open(idle_w));
	return come_to_an_end();
}

START_TEST(old_handles_can_be_used_and_closed)
{
	run_busy(old_handles);
}
END_TEST

static int close_old_in_run(void *arg)
{
	int r = number(used), i = number(idle);

	(void) arg;
	check(eio_fd_to_unix(used, EIO_FD_TAKE) == r);
	check(is_open(r));
	check(eio_fd_close(idle) == 0);
	check(!is_open(i));
	return 0;
}

static void take_old(void)
{
	run_in_child(close_old_in_run);
}

static int taken(void *arg)
{
	(void) arg;
	get_busy();
	in_child(take_old);
	return come_to_an_end();
}

START_TEST(a_handle_in_use_in_the_parent_can_be_taken)
{
	run_busy(taken);
}
END_TEST

/* In the parent its last user closes it. */
static int closing;

static void find_it_closed(void)
{
	check(!eio_fd_is_open(used));
	check(!is_open(closing));
	run_everything();
}

static int closing_at_the_fork(void *arg)
{
	(void) arg;
	get_busy();
	closing = number(used);
	expect_ok(eio_fd_close(used));
	in_child(find_it_closed);
	ck_assert(is_open(closing));
	return come_to_an_end();
}

START_TEST(what_was_to_be_closed_is_closed)
{
	run_busy(closing_at_the_fork);
}
END_TEST

/* Pinned by the very fiber that forks. */
static void unpin(void)
{
	eio_fd_unuse(idle);
	check(eio_fd_is_open(idle));
	check(eio_fd_use(idle) >= 0);
	eio_fd_unuse(idle);
	eio_fd_unuse(idle);
	check(eio_fd_is_open(idle));
	check(eio_fd_close(idle) == 0);
	eio_fd_unuse(idle);
	check(!eio_fd_is_open(idle));
	run_everything();
}

static int pinned(void *arg)
{
	(void) arg;
	get_busy();
	ck_assert_int_ge(eio_fd_use(idle), 0);
	in_child(unpin);
	eio_fd_unuse(idle);
	return come_to_an_end();
}

START_TEST(a_pin_may_be_given_back_in_the_child)
{
	run_busy(pinned);
}
END_TEST

/* Locks */

static int nothing(void *arg)
{
	(void) arg;
	return 0;
}

static void open_and_close(void)
{
	struct eio_fd fd;

	check(eio_fd_of_unix(NULL, dup(2), EIO_FD_CLOSE, &fd) == 0);
	check(eio_fd_close(fd) == 0);
	check(eio_fd_close(idle) == 0);
	run_everything();
}

/* As if another thread held them, in the middle of a change. */
static int locked(void *arg)
{
	struct eio__slot *s, *first;

	(void) arg;
	get_busy();
	s = eio__slot(idle);
	eio__lock(&table.lock);
	eio__lock(&s->lock);
	first = table.first;
	table.first = (struct eio__slot *) 8;
	in_child(open_and_close);
	table.first = first;
	eio__unlock(&s->lock);
	eio__unlock(&table.lock);
	return come_to_an_end();
}

START_TEST(locks_of_the_table_are_free)
{
	run_busy(locked);
}
END_TEST

/* Whatever they are doing when the fork comes. ASan's own allocator is not made for that: a child
 * may find one of its locks taken, and waits for ever. */
static void *open_and_close_for_ever(void *stop)
{
	struct eio_fd fd;

	while (!__atomic_load_n((bool *) stop, __ATOMIC_RELAXED)) {
		if (eio_fd_of_unix(NULL, dup(2), EIO_FD_CLOSE, &fd) == 0)
			eio_fd_close(fd);
	}
	return NULL;
}

START_TEST(forks_in_a_busy_table_are_harmless)
{
	bool stop = false;
	pthread_t threads[2];

	if (EIO__ASAN_ON)
		return;
	idle = EIO_STDIN;
	expect_ok(eio_run(NULL, main_in_child, &(struct eio_task){nothing, NULL}));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close_for_ever, &stop),
				 0);
	for (int i = 0; i < 25; i++)
		in_child(open_and_close);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* References to domains */

static struct eio_domain_ref parent;

static int send_nothing(struct eio_domain_ref to)
{
	struct eio_promise p = EIO_PROMISE_INIT;
	int rc = eio_domain_submit(to, nothing, NULL, &p);

	return rc < 0 ? rc : eio_promise_await(&p, NULL);
}

static int refer_in_run(void *arg)
{
	(void) arg;
	check(send_nothing(parent) == -ESRCH);
	check(send_nothing(eio_domain_self()) == 0);
	return 0;
}

/* The second domain may have the anchor of the first. */
static void send_in_child(void)
{
	struct eio_promise p = EIO_PROMISE_INIT;

	check(eio_domain_submit(parent, nothing, NULL, &p) == -ESRCH);
	run_in_child(refer_in_run);
	run_in_child(refer_in_run);
}

/* One is held, and the list locked, by other threads. */
static int with_references(void *arg)
{
	struct eio__anchor *a;

	(void) arg;
	parent = eio_domain_self();
	a = parent.eio_private;
	eio__anchor_pin(a, parent.id);
	eio__lock(&anchors.lock);
	in_child(send_in_child);
	eio__unlock(&anchors.lock);
	eio__anchor_unpin(a);
	expect_ok(send_nothing(parent));
	return 0;
}

static int run_with_references(void *arg)
{
	return eio_domain_run(env->domain_mgr, with_references, arg);
}

START_TEST(references_to_the_parents_domains_lead_nowhere)
{
	warm_up_threads(1);
	run_ring(run_with_references, 0);
}
END_TEST

/* Processes */

static struct eio_process sleeper;

static int start_sleeper(struct eio_switch *sw)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	const struct eio_ll_action actions[] = {eio_ll_action_execve("/bin/sleep", argv, NULL)};

	return eio_ll_spawn(sw, actions, 1, &sleeper);
}

static int spawn_in_run(void *arg)
{
	struct eio_switch sw;

	(void) arg;
	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		check(start_sleeper(&sw) == 0);
	check(eio_ll_process_signal(sleeper, 0) == 0);
	return eio_switch_end(&sw, 0);
}

static void use_processes(void)
{
	int pidfd = ((struct process *) sleeper.eio_private)->pidfd;

	check(eio_ll_process_signal(sleeper, SIGKILL) == -EBADF);
	check(eio_ll_process_pid(sleeper) == -EBADF);
	check(pidfd == -1);
	run_in_child(spawn_in_run);
	run_everything();
}

static int await_sleeper(void *arg)
{
	int status = -1;

	(void) arg;
	expect_ok(eio_ll_process_await(sleeper, &status));
	note("killed by %d", WTERMSIG(status));
	return 0;
}

/* As if another thread held the locks, while a fiber waits. */
static int with_processes(void *arg)
{
	struct eio_switch sw;
	struct process *p;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(start_sleeper(&sw));
	expect_ok(eio_fork(&sw, await_sleeper, NULL));
	p = sleeper.eio_private;
	eio__lock(&records.lock);
	eio__lock(&p->lock);
	in_child(use_processes);
	eio__unlock(&p->lock);
	eio__unlock(&records.lock);
	expect_log("");
	expect_ok(eio_ll_process_signal(sleeper, SIGTERM));
	expect_ok(eio_switch_end(&sw, 0));
	expect_log("killed by 15");
	return 0;
}

START_TEST(processes_are_not_the_childs)
{
	warm_up_threads(1); /* locks are none before */
	run_ring(with_processes, 0);
}
END_TEST

static int pidfd_of_call;

static void expect_no_pidfd(void)
{
	check(!is_open(pidfd_of_call));
}

/* As if another thread were in a call while the switch ends: the handle is stale, the process
 * collected, and the descriptor stays for that call. */
static int call_outlasts_switch(void *arg)
{
	struct eio_switch sw;
	struct process *p;

	(void) arg;
	eio_switch_begin(&sw);
	expect_ok(start_sleeper(&sw));
	p = enter(sleeper);
	expect_ok(eio_switch_end(&sw, 0));
	pidfd_of_call = p->pidfd;
	ck_assert(!p->attached && is_open(pidfd_of_call));
	in_child(expect_no_pidfd);
	leave(p);
	ck_assert(!is_open(pidfd_of_call));
	return 0;
}

START_TEST(a_call_of_the_parents_leaves_no_descriptor_in_the_child)
{
	warm_up_threads(1);
	run_ring(call_outlasts_switch, 0);
}
END_TEST

/* Ports */

static struct eio_ll_port_ref port_ref;

static int send_in_run(void *arg)
{
	(void) arg;
	check(eio_ll_port_send(port_ref, 2) == -EBADF);
	return 0;
}

static void send_from_child(void)
{
	check(eio_ll_port_send(port_ref, 1) == -EBADF);
	run_in_child(send_in_run);
	run_everything();
}

static int with_port(void *arg)
{
	struct eio_ll_port p;
	uint32_t queue[1], got = 0;
	int rc = eio_ll_port_begin(&p, queue, 1, &port_ref);

	(void) arg;
	if (rc == -EOPNOTSUPP)
		return 0;
	expect_ok(rc);
	in_child(send_from_child);
	some_turns();
	expect_ok(eio_ll_port_send(port_ref, 3));
	expect_err(eio_ll_port_send(port_ref, 4), -EAGAIN);
	expect_ok(eio_ll_port_receive(&p, &got));
	ck_assert_uint_eq(got, 3);
	expect_ok(eio_ll_port_end(&p));
	return 0;
}

START_TEST(ports_get_no_messages_from_the_child)
{
	run_ring(with_port, 0);
}
END_TEST

/* Listeners */

static struct eio_fd listener;
static struct eio_addr listener_addr;

static int accept_one(void *arg)
{
	struct eio_fd fd;

	(void) arg;
	expect_ok(eio_ll_accept(&outer, listener, &fd, NULL));
	note("accepted");
	return 0;
}

static int close_listener(void *arg)
{
	(void) arg;
	return eio_ll_close_listener(listener);
}

static void close_listener_in_run(void)
{
	check(eio__list_empty(&eio__slot(listener)->accepts));
	run_in_child(close_listener);
	check(!eio_fd_is_open(listener));
}

static int accepting(void *arg)
{
	struct eio_fd client;

	(void) arg;
	eio_switch_begin(&outer);
	listener = listen_on(&outer, "127.0.0.1:0", &listener_addr);
	expect_ok(eio_fork(&outer, accept_one, NULL));
	some_turns();
	in_child(close_listener_in_run);
	some_turns();
	expect_log("");
	expect_ok(eio_ll_socket(&outer, AF_INET, SOCK_STREAM, 0, &client));
	expect_ok(eio_ll_connect(client, &listener_addr));
	expect_ok(eio_switch_end(&outer, 0));
	expect_log("accepted");
	return 0;
}

START_TEST(closing_a_listener_in_the_child_is_not_the_parents_business)
{
	run_ring(accepting, 0);
}
END_TEST

static struct eio_listener file_listener;

static void close_file_listener(void)
{
	check(eio_listener_close(file_listener) == 0);
}

static int with_file(void *arg)
{
	char path[64], at[80];
	struct eio_addr addr;
	struct eio_switch sw;
	struct stat st;

	(void) arg;
	snprintf(path, sizeof(path), "/tmp/eio-test-fork-%d", (int) getpid());
	snprintf(at, sizeof(at), "unix:%s", path);
	expect_ok(eio_addr_parse(&addr, at));
	eio_switch_begin(&sw);
	expect_ok(eio_net_listen(env->net, &sw, &addr, NULL, &file_listener));
	in_child(close_file_listener);
	expect_ok(stat(path, &st));
	expect_ok(eio_switch_end(&sw, 0));
	expect_err(stat(path, &st), -1);
	return 0;
}

START_TEST(the_file_of_a_socket_is_the_parents_to_remove)
{
	run_ring(with_file, 0);
}
END_TEST

/* Ways back */

/* The child comes back through the scopes it was made in, all the way to eio_run. */
static int fork_inside(void *arg)
{
	*(pid_t *) arg = fork_bounded();
	return *(pid_t *) arg ? 0 : -EIO;
}

static int fork_in_switch(struct eio_switch *sw, void *arg)
{
	(void) sw;
	return eio_timeout_run(env->mono_clock, EIO_SEC(60), fork_inside, arg);
}

static int fork_in_scopes(struct eio_env *e, void *arg)
{
	env = e;
	eio_switch_run(fork_in_switch, arg);
	return *(pid_t *) arg ? 0 : 42;
}

START_TEST(the_child_may_come_back_from_main_through_scopes)
{
	pid_t pid = -1;
	int rc = eio_run(NULL, fork_in_scopes, &pid);

	if (pid == 0) {
		check(rc == 42);
		run_everything();
		_exit(0);
	}
	expect_ok(rc);
	expect_good_end(pid);
}
END_TEST

/* The child of a child dies; the child does likewise, so that it is seen. */
static void die_alike(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		abort();
	_exit(0);
}

static int fork_and_return(void *arg)
{
	pid_t pid = fork_bounded();

	(void) arg;
	if (pid)
		die_alike(pid);
	return 0;
}

static int fork_in_fiber(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	eio_fork(&sw, fork_and_return, arg);
	return eio_switch_end(&sw, 0);
}

static void run_fork_in_fiber(void *arg)
{
	eio_run(NULL, fork_in_fiber, arg);
}

START_TEST(a_fiber_that_returns_in_the_child_is_told)
{
	expect_death(run_fork_in_fiber, NULL, SIGABRT,
		     "a fiber returned in the child of a fork it had made");
}
END_TEST

static int fork_in_thread(struct eio_env *e, void *arg)
{
	(void) e;
	return eio_ll_in_thread(fork_and_return, arg);
}

static void run_fork_in_thread(void *arg)
{
	eio_run(NULL, fork_in_thread, arg);
}

START_TEST(a_job_that_returns_in_the_child_is_told)
{
	expect_death(run_fork_in_thread, NULL, SIGABRT,
		     "a job of a thread returned in the child of a fork it had made");
}
END_TEST

/* From a release hook the end of the switch would go on. */
static int main_with_hook(struct eio_env *e, void *arg)
{
	struct eio_switch sw;
	struct eio_hook hook;

	(void) e;
	eio_switch_begin(&sw);
	expect_ok(eio_on_release(&sw, &hook, fork_and_return, arg));
	return eio_switch_end(&sw, 0);
}

static void run_hook(void *arg)
{
	eio_run(NULL, main_with_hook, arg);
}

START_TEST(a_hook_that_returns_in_the_child_is_told)
{
	expect_death(run_hook, NULL, SIGABRT, "is a child of a fork");
}
END_TEST

/* Some call of the library that knew its fiber before; others are there to run. */
static int be_in_the_way(void *arg)
{
	(void) arg;
	eio_yield();
	check(eio_check() == 0);
	return 0;
}

static int suspend_in_child(struct eio_env *e, void *arg)
{
	static const struct eio__wait wait = {.what = "nothing"};
	struct eio__fiber *f = eio__self();
	struct eio_switch sw;
	pid_t pid;

	(void) e;
	eio_switch_begin(&sw);
	eio_fork(&sw, be_in_the_way, arg);
	pid = fork_bounded();
	if (pid)
		die_alike(pid);
	eio__suspend(f, &wait, NULL);
	return 0;
}

static void run_suspend_in_child(void *arg)
{
	eio_run(NULL, suspend_in_child, arg);
}

START_TEST(a_fiber_that_suspends_in_the_child_is_told)
{
	expect_death(run_suspend_in_child, NULL, SIGABRT,
		     "a fiber suspended in the child of a fork");
}
END_TEST

SUITE_MAIN("fork", true, what_suspends_gives_EPERM, a_run_works_afresh_with_threads_and_descriptors,
	   so_it_does_in_the_child_of_a_child, old_handles_can_be_used_and_closed,
	   a_handle_in_use_in_the_parent_can_be_taken, what_was_to_be_closed_is_closed,
	   a_pin_may_be_given_back_in_the_child, locks_of_the_table_are_free,
	   forks_in_a_busy_table_are_harmless, processes_are_not_the_childs,
	   references_to_the_parents_domains_lead_nowhere,
	   a_call_of_the_parents_leaves_no_descriptor_in_the_child,
	   ports_get_no_messages_from_the_child,
	   closing_a_listener_in_the_child_is_not_the_parents_business,
	   the_file_of_a_socket_is_the_parents_to_remove,
	   the_child_may_come_back_from_main_through_scopes,
	   a_fiber_that_returns_in_the_child_is_told, a_job_that_returns_in_the_child_is_told,
	   a_hook_that_returns_in_the_child_is_told, a_fiber_that_suspends_in_the_child_is_told)
