/* SPDX-License-Identifier: ISC */
#include "tasks.h"
#include "core/fiber.h"
#include "core/timer.h"
#include "mock/sched.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in core/stack.c */
enum { BATCH, SINGLE, MPROTECT };
extern int eio__stack_guards;

enum { PAGE = 4096, ADVISE_GUARD = 102 };

/* A crowd of fibers that wait for one promise. */

struct crowd {
	struct eio_promise promise;
	struct eio_switch sw;
	struct eio__fiber **records;
	size_t n, max;
};

static int stand(void *arg)
{
	struct crowd *c = arg;

	c->records[c->n++] = eio__self();
	return eio_promise_await(&c->promise, NULL);
}

static void crowd_begin(struct crowd *c, size_t max)
{
	c->promise = (struct eio_promise) EIO_PROMISE_INIT;
	c->n = 0;
	c->max = max;
	c->records = malloc(max * sizeof(*c->records));
	eio_switch_begin(&c->sw);
}

/* Forks until there are so many or a fork fails: its result. */
static int crowd_fork(struct crowd *c, eio_fn *fn)
{
	int rc = 0;

	while (c->n < c->max && rc == 0)
		rc = eio_fork(&c->sw, fn, c);
	return rc;
}

static void crowd_end(struct crowd *c)
{
	expect_ok(eio_promise_resolve(&c->promise, 0, NULL));
	expect_ok(eio_switch_end(&c->sw, 0));
	free(c->records);
}

/* Where things lie */

CORE_TEST(records_lie_in_the_top_page_with_room_for_frames_below)
{
	struct crowd c;

	(void) arg;
	crowd_begin(&c, 200);
	expect_ok(crowd_fork(&c, stand));
	for (size_t i = 0; i < c.n; i++) {
		uintptr_t record = (uintptr_t) c.records[i];
		uintptr_t end = (uintptr_t) c.records[i]->base + EIO__STACK_DEFAULT;

		ck_assert_uint_eq(record % 64, 0);
		ck_assert_uint_eq(end % PAGE, 0);
		ck_assert_uint_ge(record, end - PAGE);
		ck_assert_uint_le(record + sizeof(struct eio__fiber), end);
		/* Record, suspension and loop: 2.5 KiB. */
		ck_assert_uint_ge(record % PAGE + sizeof(struct eio__fiber), 2560);
	}
	crowd_end(&c);
	return 0;
}

CORE_TEST(neighbours_have_all_the_colours)
{
	struct crowd c;

	(void) arg;
	crowd_begin(&c, 64);
	expect_ok(crowd_fork(&c, stand));
	for (size_t first = 0; first + EIO__COLOURS <= 64; first += EIO__COLOURS) {
		uint64_t seen = 0;

		for (size_t i = 0; i < EIO__COLOURS; i++) {
			size_t below = (uintptr_t) c.records[0] - (uintptr_t) c.records[first + i];

			ck_assert_uint_eq(below % PAGE % 64, 0);
			seen |= (uint64_t) 1 << (below % PAGE / 64);
		}
		ck_assert_uint_eq(seen, ((uint64_t) 1 << EIO__COLOURS) - 1);
	}
	crowd_end(&c);
	return 0;
}

static int use_all(void *arg)
{
	/* What a yield needs of it, too. */
	const size_t frames = SANITIZED ? 16384 : PAGE;
	char *base = eio__self()->base, *end = (char *) __builtin_frame_address(0) - 1024;
	size_t size = (size_t) ((char *) eio__self() - base);

	ck_assert_uint_ge(size + PAGE, *(size_t *) arg);
	memset(base, 0x5a, (size_t) (end - base));
	expect_ok(eio_yield());
	for (char *p = base; p < end - frames; p++) {
		if (*p != 0x5a)
			ck_abort_msg("byte %td", p - base);
	}
	return 0;
}

static int use_several(void *arg)
{
	struct eio_switch sw;

	eio_switch_begin(&sw);
	for (int i = 0; i < 3; i++)
		expect_ok(eio_fork(&sw, use_all, arg));
	return eio_switch_end(&sw, 0);
}

START_TEST(stacks_are_as_large_as_asked_for)
{
	static const size_t sizes[] = {1, PAGE, 2 * PAGE, 100000, EIO__STACK_DEFAULT, 1 << 20};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t asked = sizes[i];

		/* Sanitized frames of a test need more than the smallest stacks. */
		if (!SANITIZED || asked > 2 * PAGE)
			expect_ok(eio__mock_run_with(asked, use_several, &asked));
	}
	expect_err(eio__mock_run_with(((size_t) 1 << 30) + 1, use_several, NULL), -EINVAL);
	expect_err(eio__mock_run_with(SIZE_MAX, use_several, NULL), -EINVAL);
}
END_TEST

/* Guards */

/* May the kernel read there for us? */
static bool readable(const void *at)
{
	static int fds[2] = {-1, -1};
	char byte;

	if (fds[0] < 0)
		ck_assert_int_eq(pipe(fds), 0);
	if (syscall(SYS_write, fds[1], at, 1) == 1)
		return read(fds[0], &byte, 1) == 1;
	ck_assert_int_eq(errno, EFAULT);
	return false;
}

static void expect_guards(int kind)
{
	struct eio__stacks s;
	const char *why = "";
	int rc = 0;

	expect_ok(eio__stacks_init(&s, 0));
	/* Two batches, the second in another slab. */
	for (int i = 0; i < 2 * EIO__STACK_BATCH + 1; i++) {
		struct eio__fiber *f = eio__stack_make(&s, &rc, &why);

		ck_assert_msg(f, "%s", why);
		ck_assert(readable(f->base) && readable(f->base + s.usable - 1));
		ck_assert(!readable(f->base - 1) && !readable(f->base - EIO__GUARD));
		ck_assert(!readable(f->base - PAGE) && !readable(f->base - EIO__GUARD / 2));
	}
	ck_assert_int_eq(eio__stack_guards, kind);
	eio__stacks_fini(&s);
}

/* Does the kernel have guard advice? */
static bool has_guard_advice(void)
{
	void *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool has = madvise(m, PAGE, ADVISE_GUARD) == 0;

	munmap(m, PAGE);
	return has;
}

START_TEST(guards_by_mprotect_are_in_place)
{
	eio__stack_guards = MPROTECT;
	expect_guards(MPROTECT);
}
END_TEST

START_TEST(guards_by_single_advice_are_in_place)
{
	eio__stack_guards = SINGLE;
	expect_guards(has_guard_advice() ? SINGLE : MPROTECT);
}
END_TEST

START_TEST(guards_as_the_kernel_has_them_are_in_place)
{
	struct eio__stacks s;
	const char *why = "";
	int rc = 0;

	expect_ok(eio__stacks_init(&s, 0));
	ck_assert_ptr_nonnull(eio__stack_make(&s, &rc, &why));
	eio__stacks_fini(&s);
	if (has_guard_advice())
		ck_assert_int_ne(eio__stack_guards, MPROTECT);
	expect_guards(eio__stack_guards);
}
END_TEST

/* Makes a system call fail, for the rest of this process; arg2 < 0: whatever its third
 * argument is. */
static bool refuse(int nr, int arg2, int err)
{
	const unsigned any = arg2 < 0;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) arg2, 0, any ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned) err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

START_TEST(a_refused_batch_falls_back_to_single_advice)
{
	if (has_guard_advice() && refuse(SYS_process_madvise, -1, EPERM))
		expect_guards(SINGLE);
}
END_TEST

START_TEST(without_pidfd_there_is_single_advice)
{
	/* The kernel knows no number for the own process, and there is no descriptor left. */
	if (has_guard_advice() && refuse(SYS_process_madvise, -1, EBADF) &&
	    refuse(SYS_pidfd_open, -1, EMFILE))
		expect_guards(SINGLE);
}
END_TEST

START_TEST(refused_advice_falls_back_to_mprotect)
{
	if (refuse(SYS_process_madvise, -1, EINVAL) && refuse(SYS_madvise, ADVISE_GUARD, EINVAL))
		expect_guards(MPROTECT);
}
END_TEST

CORE_TEST(guard_advice_costs_no_mappings)
{
	enum { N = SANITIZED ? 2000 : 100000 };
	unsigned before = count_mappings();
	struct crowd c;

	(void) arg;
	if (!has_guard_advice())
		return 0;
	crowd_begin(&c, N);
	expect_ok(crowd_fork(&c, stand));
	if (!SANITIZED)
		ck_assert_uint_le(count_mappings(), before + 32);
	crowd_end(&c);
	return 0;
}

/* Limits */

static long max_map_count(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	long n = -1;

	if (f) {
		ck_assert_int_eq(fscanf(f, "%ld", &n), 1);
		fclose(f);
	}
	return n;
}

static int fork_until_refused(void *arg)
{
	size_t *forked = arg;
	struct crowd c;

	crowd_begin(&c, 100000);
	expect_err(crowd_fork(&c, stand), -ENOMEM);
	expect_err(eio_last_error()->code, -ENOMEM);
	ck_assert_str_eq(eio_last_error()->op, "fork");
	ck_assert_ptr_nonnull(strstr(eio_last_error()->subject, "vm.max_map_count"));
	ck_assert_uint_eq(count_fibers(), c.n);
	*forked = c.n;
	crowd_end(&c);
	/* What there is can be used again. */
	crowd_begin(&c, *forked);
	expect_ok(crowd_fork(&c, stand));
	crowd_end(&c);
	return 0;
}

START_TEST(mprotected_guards_leave_an_eighth_of_the_mappings)
{
	size_t first = 0, again = 0;
	long max = max_map_count();

	if (SANITIZED || max < 0 || max > 100000)
		return;
	eio__stack_guards = MPROTECT;
	expect_ok(eio__mock_run(fork_until_refused, &first));
	ck_assert_uint_le(first, (size_t) max / 16 * 7);
	ck_assert_uint_gt(first, (size_t) max / 16 * 7 - 2 * EIO__STACK_BATCH);
	/* The end of a domain gives every one of its guards back. */
	expect_ok(eio__mock_run(fork_until_refused, &again));
	ck_assert_uint_eq(again, first);
}
END_TEST

/* Other mappings of the program, until there can be no more. */
static void *use_mappings_up(size_t size)
{
	char *m = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(m, MAP_FAILED);
	for (size_t at = 0; at < size; at += 2 * PAGE) {
		if (mprotect(m + at, PAGE, PROT_NONE) < 0)
			return m;
	}
	ck_abort_msg("%zu bytes are not enough", size);
}

static int be_refused_often(void *arg)
{
	size_t size = (size_t) * (long *) arg * 2 * PAGE, least = (size_t) * (long *) arg / 16 * 7;
	struct crowd c;
	void *m;

	crowd_begin(&c, 100000);
	/* With the slabs in place, so that it is the guards that cannot be had. */
	c.max = 3 * EIO__STACK_BATCH;
	expect_ok(crowd_fork(&c, stand));
	c.max = 100000;
	m = use_mappings_up(size);
	while (crowd_fork(&c, stand) == 0)
		;
	for (int i = 0; i < 2000; i++) {
		if (crowd_fork(&c, stand) != -ENOMEM)
			ck_abort_msg("fork %d", i);
	}
	munmap(m, size);
	expect_err(crowd_fork(&c, stand), -ENOMEM);
	ck_assert_uint_gt(c.n, least - 2 * EIO__STACK_BATCH);
	crowd_end(&c);
	return 0;
}

START_TEST(forks_refused_for_want_of_mappings_use_no_guards_up)
{
	long max = max_map_count();

	if (SANITIZED || max < 0 || max > 100000)
		return;
	eio__stack_guards = MPROTECT;
	expect_ok(eio__mock_run(be_refused_often, &max));
}
END_TEST

/* What is mapped now and so much more. */
static void limit_address_space(size_t more)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	struct rlimit limit;

	ck_assert_int_eq(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = pages * PAGE + more;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

static size_t alive, most;

static int count_alive(size_t i, void *arg)
{
	(void) i;
	++*(size_t *) arg;
	if (++alive > most)
		most = alive;
	eio_yield();
	alive--;
	return 0;
}

CORE_TEST(fork_without_address_space_is_refused_and_the_program_goes_on)
{
	enum { STRIDE = EIO__GUARD + EIO__STACK_DEFAULT };
	struct eio_promise p = EIO_PROMISE_INIT;
	size_t forked, calls = 0;
	struct crowd c;
	int rc = 0;

	(void) arg;
	if (SANITIZED)
		return 0;
	crowd_begin(&c, 10000);
	limit_address_space(300 * STRIDE);
	expect_err(crowd_fork(&c, stand), -ENOMEM);
	ck_assert_str_eq(eio_last_error()->op, "fork");
	ck_assert_ptr_nonnull(strstr(eio_last_error()->subject, "RLIMIT_AS"));
	/* Smaller slabs took what was left. */
	ck_assert_uint_ge(c.n, 250);
	ck_assert_uint_le(c.n, 300);
	ck_assert_uint_eq(count_fibers(), c.n);
	expect_err(eio_fork_promise(&c.sw, do_nothing, NULL, &p), -ENOMEM);
	ck_assert(eio_promise_peek(&p, &rc, NULL));
	expect_err(rc, -ENOMEM);
	expect_err(eio_both(do_nothing, NULL, do_nothing, NULL), -ENOMEM);
	expect_err(eio_first(do_nothing, NULL, do_nothing, NULL), -ENOMEM);
	expect_err(eio_for_each(3, 0, count_alive, &calls), -ENOMEM);
	ck_assert_uint_eq(calls, 0);
	expect_ok(eio_switch_check(&c.sw));
	forked = c.n;
	crowd_end(&c);
	/* As many workers as can be had do the work of all. */
	expect_ok(eio_for_each(5000, 0, count_alive, &calls));
	ck_assert_uint_eq(calls, 5000);
	ck_assert_uint_eq(most, forked);
	return 0;
}

/* Reuse */

static int note_record(void *arg)
{
	struct crowd *c = arg;

	c->records[c->n++] = eio__self();
	return 0;
}

CORE_TEST(the_stack_left_last_is_used_first)
{
	struct eio__fiber *left[5];
	struct crowd c;

	(void) arg;
	crowd_begin(&c, 5);
	expect_ok(crowd_fork(&c, stand));
	memcpy(left, c.records, sizeof(left));
	crowd_end(&c); /* in order: the fifth is the last */
	for (int round = 0; round < 2; round++) {
		crowd_begin(&c, 3);
		expect_ok(crowd_fork(&c, note_record));
		for (int i = 0; i < 3; i++)
			ck_assert_ptr_eq(c.records[i], left[4]);
		crowd_end(&c);
	}
	crowd_begin(&c, 5);
	expect_ok(crowd_fork(&c, stand));
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_eq(c.records[i], left[4 - i]);
	crowd_end(&c);
	return 0;
}

static int dive_and_stand(void *arg)
{
	char deep[40000];

	for (size_t i = 0; i < sizeof(deep); i += PAGE)
		deep[i] = 1;
	__asm__ volatile("" : : "r"(deep) : "memory"); /* somebody might read it */
	return stand(arg);
}

/* Which of the stacks' deep parts are in memory? */
static size_t count_deep(struct eio__fiber *const *records, size_t n)
{
	size_t deep = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char in_memory[EIO__STACK_DEFAULT / PAGE];

		ck_assert_int_eq(mincore(records[i]->base, EIO__STACK_DEFAULT, in_memory), 0);
		/* The page of the record stays. */
		ck_assert(in_memory[EIO__STACK_DEFAULT / PAGE - 1] & 1);
		for (size_t page = 0; page < EIO__STACK_DEFAULT / PAGE - 1; page++) {
			if (in_memory[page] & 1) {
				deep++;
				break;
			}
		}
	}
	return deep;
}

CORE_TEST(going_to_sleep_gives_deep_parts_back_but_for_the_hottest)
{
	enum { N = 500 };
	struct eio__fiber *records[N];
	unsigned mappings;
	struct crowd c;

	(void) arg;
	if (SANITIZED)
		return 0;
	crowd_begin(&c, N);
	expect_ok(crowd_fork(&c, dive_and_stand));
	memcpy(records, c.records, sizeof(records));
	mappings = count_mappings();
	ck_assert_uint_eq(count_deep(records, N), N);
	crowd_end(&c);
	for (int i = 1; i <= 20; i++)
		expect_ok(eio__sleep_until(eio__now() + 1));
	ck_assert_uint_ge(count_deep(records, N), EIO__STACK_BATCH);
	ck_assert_uint_le(count_deep(records, N), 2 * EIO__STACK_BATCH);
	/* All of them are used again before there are new ones. */
	crowd_begin(&c, N);
	expect_ok(crowd_fork(&c, dive_and_stand));
	ck_assert_uint_le(count_mappings(), mappings);
	ck_assert_uint_eq(count_deep(records, N), N);
	crowd_end(&c);
	return 0;
}

/* Overflow */

static int dig(int depth)
{
	volatile char here[512];

	here[0] = (char) depth;
	return depth == 1 << 20 ? 0 : dig(depth + 1) + here[0];
}

static int overflow(void *arg)
{
	eio_fiber_set_name(arg);
	return dig(0);
}

static int fork_overflow(struct eio_env *e, void *arg)
{
	struct eio_switch sw;

	(void) e;
	eio_switch_begin(&sw);
	eio_fork(&sw, overflow, arg);
	return eio_switch_end(&sw, 0);
}

static void run_overflow(void *arg)
{
	eio_run(NULL, fork_overflow, arg);
}

static void run_overflow_mprotected(void *arg)
{
	eio__stack_guards = MPROTECT;
	run_overflow(arg);
}

static void run_overflow_of_large_stack(void *arg)
{
	const struct eio_config config = {.stack_size = 200000};

	eio_run(&config, fork_overflow, arg);
}

static void on_segv(int sig)
{
	static const char said[] = "[handler of the program]";

	if (write(STDERR_FILENO, said, sizeof(said) - 1) > 0)
		signal(sig, SIG_DFL);
}

/* On the alternate stack that the library finds and uses. */
static void run_overflow_handled(void *arg)
{
	static char stack[65536];
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction act = {.sa_handler = on_segv, .sa_flags = SA_ONSTACK};

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &act, NULL);
	run_overflow(arg);
}

static int probe(struct eio_env *e, void *arg)
{
	(void) e, (void) arg;
	return 0;
}

static bool can_overflow(void)
{
	return !SANITIZED && eio_run(NULL, probe, NULL) == 0;
}

START_TEST(an_overflow_names_the_fiber_and_kills_as_before)
{
	if (!can_overflow())
		return;
	expect_death(run_overflow, "digger", SIGSEGV,
		     "eio: stack overflow in fiber 2 (digger): its stack has 65536 bytes");
	expect_death(run_overflow, NULL, SIGSEGV, "fiber 2 (without name)");
	expect_death(run_overflow_mprotected, "digger", SIGSEGV, "fiber 2 (digger)");
	expect_death(run_overflow_of_large_stack, "digger", SIGSEGV, "has 200704 bytes");
}
END_TEST

START_TEST(the_programs_own_handler_is_called_too)
{
	if (!can_overflow())
		return;
	expect_death(run_overflow_handled, "digger", SIGSEGV, "keep locals small\n[handler of");
}
END_TEST

RING_TEST(the_handler_is_the_librarys_only_while_it_runs)
{
	struct sigaction act;

	(void) arg;
	sigaction(SIGSEGV, NULL, &act);
	ck_assert(SANITIZED || act.sa_handler != SIG_DFL);
	return 0;
}

START_TEST(the_handler_is_taken_away_after_the_run)
{
	struct sigaction before, after;

	sigaction(SIGSEGV, NULL, &before);
	eio_run(NULL, probe, NULL);
	sigaction(SIGSEGV, NULL, &after);
	ck_assert(before.sa_handler == after.sa_handler);
}
END_TEST

SUITE_MAIN("stack", false, records_lie_in_the_top_page_with_room_for_frames_below_test,
	   neighbours_have_all_the_colours_test, stacks_are_as_large_as_asked_for,
	   guards_by_mprotect_are_in_place, guards_by_single_advice_are_in_place,
	   guards_as_the_kernel_has_them_are_in_place, a_refused_batch_falls_back_to_single_advice,
	   without_pidfd_there_is_single_advice, refused_advice_falls_back_to_mprotect,
	   guard_advice_costs_no_mappings_test, mprotected_guards_leave_an_eighth_of_the_mappings,
	   forks_refused_for_want_of_mappings_use_no_guards_up,
	   fork_without_address_space_is_refused_and_the_program_goes_on_test,
	   the_stack_left_last_is_used_first_test,
	   going_to_sleep_gives_deep_parts_back_but_for_the_hottest_test,
	   an_overflow_names_the_fiber_and_kills_as_before, the_programs_own_handler_is_called_too,
	   the_handler_is_the_librarys_only_while_it_runs_test,
	   the_handler_is_taken_away_after_the_run)
