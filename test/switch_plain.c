/* SPDX-License-Identifier: ISC */
/*
 * What can only be tested on the CPU itself: registers, stacks and the frame that a
 * switch leaves behind. A plain program, linked with nothing but lib/base, lib/arch and
 * lib/core, so that tools/cross.sh can run it in an emulator. It says "ok", or what
 * failed and exits with 1. gdb_backtrace.sh stops it in gdb_stop.
 */
#include "arch/arch.h"
#include "core/fiber.h"
#include "core/timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

static int failures;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("%s:%d: %s: %s\n", __FILE__, __LINE__, __func__, #cond);            \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

/* Registers. with_registers fills the callee-saved ones from in, calls fn(a, b, c), and
 * stores them in out; its caller's are kept. */

typedef void any_fn(void);

void with_registers(const uint64_t *in, uint64_t *out, any_fn *fn, void *a, void *b, void *c);
void with_registers_end(void);

struct word {
	const char *reg; /* as debuggers call it */
	int word;        /* where a switch saves it */
};

#if defined(__x86_64__)

/* In the order in which with_registers takes them. */
static const struct word words[] = {
	{"rbx", EIO__FRAME_RBX}, {"rbp", EIO__FRAME_RBP}, {"r12", EIO__FRAME_R12},
	{"r13", EIO__FRAME_R13}, {"r14", EIO__FRAME_R14}, {"r15", EIO__FRAME_R15},
};

/* clang-format off */
__asm__(".text\n"
	".globl with_registers, with_registers_end\n"
	".hidden with_registers, with_registers_end\n"
	".type with_registers, @function\n"
	"with_registers:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	push %rsi\n"
	"	mov 0(%rdi), %rbx\n"
	"	mov 8(%rdi), %rbp\n"
	"	mov 16(%rdi), %r12\n"
	"	mov 24(%rdi), %r13\n"
	"	mov 32(%rdi), %r14\n"
	"	mov 40(%rdi), %r15\n"
	"	mov %rdx, %rax\n"
	"	mov %rcx, %rdi\n"
	"	mov %r8, %rsi\n"
	"	mov %r9, %rdx\n"
	"	call *%rax\n"
	"	pop %rsi\n"
	"	mov %rbx, 0(%rsi)\n"
	"	mov %rbp, 8(%rsi)\n"
	"	mov %r12, 16(%rsi)\n"
	"	mov %r13, 24(%rsi)\n"
	"	mov %r14, 32(%rsi)\n"
	"	mov %r15, 40(%rsi)\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	"with_registers_end:\n"
	".size with_registers, . - with_registers\n");
/* clang-format on */

#elif defined(__aarch64__)

static const struct word words[] = {
	{"x19", EIO__FRAME_X19 + 0}, {"x20", EIO__FRAME_X19 + 1}, {"x21", EIO__FRAME_X19 + 2},
	{"x22", EIO__FRAME_X19 + 3}, {"x23", EIO__FRAME_X19 + 4}, {"x24", EIO__FRAME_X19 + 5},
	{"x25", EIO__FRAME_X19 + 6}, {"x26", EIO__FRAME_X19 + 7}, {"x27", EIO__FRAME_X19 + 8},
	{"x28", EIO__FRAME_X19 + 9}, {"x29", EIO__FRAME_FP},      {"d8", EIO__FRAME_D8 + 0},
	{"d9", EIO__FRAME_D8 + 1},   {"d10", EIO__FRAME_D8 + 2},  {"d11", EIO__FRAME_D8 + 3},
	{"d12", EIO__FRAME_D8 + 4},  {"d13", EIO__FRAME_D8 + 5},  {"d14", EIO__FRAME_D8 + 6},
	{"d15", EIO__FRAME_D8 + 7},
};

/* clang-format off */
__asm__(".text\n"
	".globl with_registers, with_registers_end\n"
	".hidden with_registers, with_registers_end\n"
	".type with_registers, %function\n"
	"with_registers:\n"
	"	sub sp, sp, #176\n"
	"	stp x29, x30, [sp]\n"
	"	stp x19, x20, [sp, #16]\n"
	"	stp x21, x22, [sp, #32]\n"
	"	stp x23, x24, [sp, #48]\n"
	"	stp x25, x26, [sp, #64]\n"
	"	stp x27, x28, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	str x1, [sp, #160]\n"
	"	ldp x19, x20, [x0]\n"
	"	ldp x21, x22, [x0, #16]\n"
	"	ldp x23, x24, [x0, #32]\n"
	"	ldp x25, x26, [x0, #48]\n"
	"	ldp x27, x28, [x0, #64]\n"
	"	ldr x29, [x0, #80]\n"
	"	ldp d8, d9, [x0, #88]\n"
	"	ldp d10, d11, [x0, #104]\n"
	"	ldp d12, d13, [x0, #120]\n"
	"	ldp d14, d15, [x0, #136]\n"
	"	mov x9, x2\n"
	"	mov x0, x3\n"
	"	mov x1, x4\n"
	"	mov x2, x5\n"
	"	blr x9\n"
	"	ldr x1, [sp, #160]\n"
	"	stp x19, x20, [x1]\n"
	"	stp x21, x22, [x1, #16]\n"
	"	stp x23, x24, [x1, #32]\n"
	"	stp x25, x26, [x1, #48]\n"
	"	stp x27, x28, [x1, #64]\n"
	"	str x29, [x1, #80]\n"
	"	stp d8, d9, [x1, #88]\n"
	"	stp d10, d11, [x1, #104]\n"
	"	stp d12, d13, [x1, #120]\n"
	"	stp d14, d15, [x1, #136]\n"
	"	ldp x29, x30, [sp]\n"
	"	ldp x19, x20, [sp, #16]\n"
	"	ldp x21, x22, [sp, #32]\n"
	"	ldp x23, x24, [sp, #48]\n"
	"	ldp x25, x26, [sp, #64]\n"
	"	ldp x27, x28, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #176\n"
	"	ret\n"
	"with_registers_end:\n"
	".size with_registers, . - with_registers\n");
/* clang-format on */

#elif defined(__riscv)

static const struct word words[] = {
	{"fp", EIO__FRAME_S0 + 0},   {"s1", EIO__FRAME_S0 + 1},     {"s2", EIO__FRAME_S0 + 2},
	{"s3", EIO__FRAME_S0 + 3},   {"s4", EIO__FRAME_S0 + 4},     {"s5", EIO__FRAME_S0 + 5},
	{"s6", EIO__FRAME_S0 + 6},   {"s7", EIO__FRAME_S0 + 7},     {"s8", EIO__FRAME_S0 + 8},
	{"s9", EIO__FRAME_S0 + 9},   {"s10", EIO__FRAME_S0 + 10},   {"s11", EIO__FRAME_S0 + 11},
#ifdef EIO__FRAME_FS0
	{"fs0", EIO__FRAME_FS0 + 0}, {"fs1", EIO__FRAME_FS0 + 1},   {"fs2", EIO__FRAME_FS0 + 2},
	{"fs3", EIO__FRAME_FS0 + 3}, {"fs4", EIO__FRAME_FS0 + 4},   {"fs5", EIO__FRAME_FS0 + 5},
	{"fs6", EIO__FRAME_FS0 + 6}, {"fs7", EIO__FRAME_FS0 + 7},   {"fs8", EIO__FRAME_FS0 + 8},
	{"fs9", EIO__FRAME_FS0 + 9}, {"fs10", EIO__FRAME_FS0 + 10}, {"fs11", EIO__FRAME_FS0 + 11},
#endif
};

/* clang-format off */
__asm__(".text\n"
	".globl with_registers, with_registers_end\n"
	".hidden with_registers, with_registers_end\n"
	".type with_registers, %function\n"
	"with_registers:\n"
	"	addi sp, sp, -208\n"
	"	sd s0, 0(sp)\n"
	"	sd s1, 8(sp)\n"
	"	sd s2, 16(sp)\n"
	"	sd s3, 24(sp)\n"
	"	sd s4, 32(sp)\n"
	"	sd s5, 40(sp)\n"
	"	sd s6, 48(sp)\n"
	"	sd s7, 56(sp)\n"
	"	sd s8, 64(sp)\n"
	"	sd s9, 72(sp)\n"
	"	sd s10, 80(sp)\n"
	"	sd s11, 88(sp)\n"
	"	sd ra, 96(sp)\n"
	"	sd a1, 104(sp)\n"
#ifdef EIO__FRAME_FS0
	"	fsd fs0, 112(sp)\n"
	"	fsd fs1, 120(sp)\n"
	"	fsd fs2, 128(sp)\n"
	"	fsd fs3, 136(sp)\n"
	"	fsd fs4, 144(sp)\n"
	"	fsd fs5, 152(sp)\n"
	"	fsd fs6, 160(sp)\n"
	"	fsd fs7, 168(sp)\n"
	"	fsd fs8, 176(sp)\n"
	"	fsd fs9, 184(sp)\n"
	"	fsd fs10, 192(sp)\n"
	"	fsd fs11, 200(sp)\n"
	"	fld fs0, 96(a0)\n"
	"	fld fs1, 104(a0)\n"
	"	fld fs2, 112(a0)\n"
	"	fld fs3, 120(a0)\n"
	"	fld fs4, 128(a0)\n"
	"	fld fs5, 136(a0)\n"
	"	fld fs6, 144(a0)\n"
	"	fld fs7, 152(a0)\n"
	"	fld fs8, 160(a0)\n"
	"	fld fs9, 168(a0)\n"
	"	fld fs10, 176(a0)\n"
	"	fld fs11, 184(a0)\n"
#endif
	"	ld s0, 0(a0)\n"
	"	ld s1, 8(a0)\n"
	"	ld s2, 16(a0)\n"
	"	ld s3, 24(a0)\n"
	"	ld s4, 32(a0)\n"
	"	ld s5, 40(a0)\n"
	"	ld s6, 48(a0)\n"
	"	ld s7, 56(a0)\n"
	"	ld s8, 64(a0)\n"
	"	ld s9, 72(a0)\n"
	"	ld s10, 80(a0)\n"
	"	ld s11, 88(a0)\n"
	"	mv t0, a2\n"
	"	mv a0, a3\n"
	"	mv a1, a4\n"
	"	mv a2, a5\n"
	"	jalr t0\n"
	"	ld a1, 104(sp)\n"
	"	sd s0, 0(a1)\n"
	"	sd s1, 8(a1)\n"
	"	sd s2, 16(a1)\n"
	"	sd s3, 24(a1)\n"
	"	sd s4, 32(a1)\n"
	"	sd s5, 40(a1)\n"
	"	sd s6, 48(a1)\n"
	"	sd s7, 56(a1)\n"
	"	sd s8, 64(a1)\n"
	"	sd s9, 72(a1)\n"
	"	sd s10, 80(a1)\n"
	"	sd s11, 88(a1)\n"
#ifdef EIO__FRAME_FS0
	"	fsd fs0, 96(a1)\n"
	"	fsd fs1, 104(a1)\n"
	"	fsd fs2, 112(a1)\n"
	"	fsd fs3, 120(a1)\n"
	"	fsd fs4, 128(a1)\n"
	"	fsd fs5, 136(a1)\n"
	"	fsd fs6, 144(a1)\n"
	"	fsd fs7, 152(a1)\n"
	"	fsd fs8, 160(a1)\n"
	"	fsd fs9, 168(a1)\n"
	"	fsd fs10, 176(a1)\n"
	"	fsd fs11, 184(a1)\n"
	"	fld fs0, 112(sp)\n"
	"	fld fs1, 120(sp)\n"
	"	fld fs2, 128(sp)\n"
	"	fld fs3, 136(sp)\n"
	"	fld fs4, 144(sp)\n"
	"	fld fs5, 152(sp)\n"
	"	fld fs6, 160(sp)\n"
	"	fld fs7, 168(sp)\n"
	"	fld fs8, 176(sp)\n"
	"	fld fs9, 184(sp)\n"
	"	fld fs10, 192(sp)\n"
	"	fld fs11, 200(sp)\n"
#endif
	"	ld s0, 0(sp)\n"
	"	ld s1, 8(sp)\n"
	"	ld s2, 16(sp)\n"
	"	ld s3, 24(sp)\n"
	"	ld s4, 32(sp)\n"
	"	ld s5, 40(sp)\n"
	"	ld s6, 48(sp)\n"
	"	ld s7, 56(sp)\n"
	"	ld s8, 64(sp)\n"
	"	ld s9, 72(sp)\n"
	"	ld s10, 80(sp)\n"
	"	ld s11, 88(sp)\n"
	"	ld ra, 96(sp)\n"
	"	addi sp, sp, 208\n"
	"	ret\n"
	"with_registers_end:\n"
	".size with_registers, . - with_registers\n");
/* clang-format on */

#endif

enum { N_WORDS = sizeof(words) / sizeof(words[0]) };

struct pattern {
	uint64_t in[N_WORDS], out[N_WORDS];
};

static void make_pattern(struct pattern *p, uint64_t seed)
{
	for (int i = 0; i < N_WORDS; i++) {
		p->in[i] = (seed + (uint64_t) i) * 0x9e3779b97f4a7c15u;
		p->out[i] = 0;
	}
}

static bool is_kept(const struct pattern *p)
{
	return memcmp(p->in, p->out, sizeof(p->in)) == 0;
}

/* Calls fn with registers that nobody else has; are they the same afterwards? */
static bool keeps_registers(any_fn *fn)
{
	static uint64_t seed;
	struct pattern p;

	make_pattern(&p, ++seed);
	with_registers(p.in, p.out, fn, NULL, NULL, NULL);
	return is_kept(&p);
}

/* The domain: a clock that stands still, and polls that find nothing by themselves. */

static int64_t now(struct eio__domain *d)
{
	(void) d;
	return 0;
}

static unsigned poll(struct eio__domain *d, bool wait)
{
	eio__timers_expire(d, 0);
	if (wait && !d->head) {
		printf("deadlock\n");
		exit(EXIT_FAILURE);
	}
	return 0;
}

static const struct eio__sched_ops ops = {
	.name = "plain",
	.now = now,
	.poll = poll,
};

/* Whatever is done to registers elsewhere, a fiber finds its own again. */

static void yield(void)
{
	CHECK(eio_yield() == 0);
}

static int keep_yielding(void *arg)
{
	(void) arg;
	for (int i = 0; i < 1000; i++)
		CHECK(keeps_registers(yield));
	return 0;
}

static void a_yield_keeps_registers(struct eio_switch *sw)
{
	for (int i = 0; i < 3; i++)
		CHECK(eio_fork(sw, keep_yielding, NULL) == 0);
}

static void sleep_until_due(void)
{
	CHECK(eio__sleep_until(0) == 0);
}

static int keep_sleeping(void *arg)
{
	(void) arg;
	for (int i = 0; i < 100; i++)
		CHECK(keeps_registers(sleep_until_due));
	return 0;
}

static void a_suspension_keeps_registers(struct eio_switch *sw)
{
	CHECK(eio_fork(sw, keep_sleeping, NULL) == 0);
	CHECK(eio_fork(sw, keep_sleeping, NULL) == 0);
	CHECK(eio_fork(sw, keep_yielding, NULL) == 0);
}

static struct eio_switch *current_switch;

static int end_at_once(void *arg)
{
	(void) arg;
	return 0;
}

static int yield_and_end(void *arg)
{
	(void) arg;
	CHECK(keeps_registers(yield));
	return 0;
}

static void fork_one_that_ends(void)
{
	CHECK(eio_fork(current_switch, end_at_once, NULL) == 0);
}

static void fork_one_that_waits(void)
{
	CHECK(eio_fork(current_switch, yield_and_end, NULL) == 0);
}

static void fork_and_yield(void)
{
	fork_one_that_waits();
	fork_one_that_ends();
	yield();
	yield();
}

static void starts_and_ends_keep_registers(struct eio_switch *sw)
{
	current_switch = sw;
	for (int i = 0; i < 1000; i++) {
		CHECK(keeps_registers(fork_one_that_ends));
		CHECK(keeps_registers(fork_one_that_waits));
		CHECK(keeps_registers(fork_and_yield));
	}
}

/*
 * The assembly alone, called with known registers: they come back, and while the fiber is
 * away they lie where frame.h says.
 */

struct bare {
	struct eio__fiber *away; /* suspended by hand */
	struct pattern p;
	bool looked;
};

static int look_at_frame(void *arg)
{
	struct bare *b = arg;
	const uint64_t *frame;
	uintptr_t pc;

	CHECK(eio_yield() == 0); /* until the other one has gone away by hand */
	frame = b->away->sp;
	pc = (uintptr_t) frame[EIO__FRAME_PC];
	for (int i = 0; i < N_WORDS; i++)
		CHECK(frame[words[i].word] == b->p.in[i]);
	CHECK(pc > (uintptr_t) with_registers && pc < (uintptr_t) with_registers_end);
	b->looked = true;
	return 0;
}

static int go_away(void *arg)
{
	struct bare *b = arg;
	struct eio__fiber *self = eio__self(), *next;
	struct eio__domain *d = self->domain;

	make_pattern(&b->p, 12345);
	b->away = self;
	next = d->head;
	d->head = next->next;
	eio__queue(d, self);
	d->current = next;
	eio__san_leave(&self->san, &next->san, false);
	with_registers(b->p.in, b->p.out, (any_fn *) eio__arch_switch, &self->sp, next->sp, NULL);
	eio__san_arrive(&self->san);
	CHECK(is_kept(&b->p));
	return 0;
}

static void the_frame_is_what_the_header_says(struct eio_switch *sw)
{
	struct bare b = {.looked = false};
	struct eio_switch inner;

	(void) sw;
	eio_switch_begin(&inner);
	CHECK(eio_fork(&inner, look_at_frame, &b) == 0);
	CHECK(eio_fork(&inner, go_away, &b) == 0);
	CHECK(eio_switch_end(&inner, 0) == 0);
	CHECK(b.looked);
}

/* Stacks */

/* Hides from the compiler what it believes to know about an address. */
static uintptr_t launder(const void *p)
{
	__asm__("" : "+r"(p));
	return (uintptr_t) p;
}

static int check_alignment(void *arg)
{
	_Alignas(16) char local[16];
	char text[32];

	CHECK(launder(__builtin_frame_address(0)) % 16 == 0);
	CHECK(launder(local) % 16 == 0);
	CHECK(launder(arg) % 16 == 0);
	/* libc keeps vectors on the stack here. */
	snprintf(text, sizeof(text), "%.3f", 1.0 / (double) (3 + (launder(arg) & 1)));
	CHECK(strcmp(text, "0.333") == 0);
	return 0;
}

static void a_new_stack_is_aligned(struct eio_switch *sw)
{
	static const char bytes[64];

	CHECK(eio_fork(sw, check_alignment, NULL) == 0);
	for (size_t size = 1; size <= sizeof(bytes); size++)
		CHECK(eio_fork_copy(sw, check_alignment, bytes, size) == 0);
}

static int dive(int depth)
{
	volatile int here = depth;

	CHECK(eio_yield() == 0);
	if (depth < 100)
		CHECK(dive(depth + 1) == depth + 1);
	CHECK(eio_yield() == 0);
	CHECK(here == depth);
	return here;
}

static int dive_in(void *arg)
{
	(void) arg;
	CHECK(dive(0) == 0);
	return 0;
}

static void deep_ping_pong_keeps_frames(struct eio_switch *sw)
{
	for (int i = 0; i < 4; i++)
		CHECK(eio_fork(sw, dive_in, NULL) == 0);
}

static int count_up(void *arg)
{
	++*(unsigned *) arg;
	return 0;
}

static void a_hundred_thousand_start_and_end(struct eio_switch *sw)
{
	unsigned n = 0;

	for (int i = 0; i < 100000; i++)
		CHECK(eio_fork(sw, count_up, &n) == 0);
	CHECK(n == 100000);
}

static int fork_deeper(void *arg)
{
	int depth = *(int *) arg - 1;

	if (depth > 0)
		CHECK(eio_fork_copy(current_switch, fork_deeper, &depth, sizeof(depth)) == 0);
	CHECK(keeps_registers(yield));
	return 0;
}

static void forks_nest(struct eio_switch *sw)
{
	int depth = 1000;

	current_switch = sw;
	CHECK(eio_fork_copy(sw, fork_deeper, &depth, sizeof(depth)) == 0);
}

/* Control words of the FP unit: with -Dfp_control=true a fiber's own, else the thread's. */

#ifdef EIO_FP_CONTROL

#if defined(__x86_64__)
/* Rounding in mxcsr and in the x87 word. */
static unsigned long control(void)
{
	unsigned short x87;

	__asm__ volatile("fnstcw %0" : "=m"(x87));
	return (__builtin_ia32_stmxcsr() & 0x6000u) | (x87 & 0xc00u);
}

static void set_control(unsigned long way)
{
	unsigned short x87;

	__asm__ volatile("fnstcw %0" : "=m"(x87));
	x87 = (unsigned short) ((x87 & ~0xc00u) | way << 10);
	__asm__ volatile("fldcw %0" : : "m"(x87));
	__builtin_ia32_ldmxcsr((__builtin_ia32_stmxcsr() & ~0x6000u) | (unsigned) way << 13);
}

static unsigned long expected_control(unsigned long way)
{
	return way << 13 | way << 10;
}
#elif defined(__aarch64__)
static unsigned long control(void)
{
	unsigned long fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	return fpcr & 0xc00000u;
}

static void set_control(unsigned long way)
{
	__asm__ volatile("msr fpcr, %0" : : "r"(way << 22));
}

static unsigned long expected_control(unsigned long way)
{
	return way << 22;
}
#elif defined(__riscv)
static unsigned long control(void)
{
	unsigned long frm;

	__asm__ volatile("frrm %0" : "=r"(frm));
	return frm;
}

static void set_control(unsigned long way)
{
	__asm__ volatile("fsrm %0" : : "r"(way));
}

static unsigned long expected_control(unsigned long way)
{
	return way;
}
#endif

static int keep_control(void *arg)
{
	unsigned long own = *(unsigned long *) arg;

	/* From the one that made it. */
	CHECK(control() == expected_control(3));
	set_control(own);
	for (int i = 0; i < 100; i++) {
		CHECK(eio_yield() == 0);
		CHECK(control() == expected_control(own));
	}
	return 0;
}

static void control_words_belong_to_the_fiber(struct eio_switch *sw)
{
	(void) sw;
	set_control(3);
	for (unsigned long way = 0; way < 4; way++) {
		CHECK(eio_fork_copy(sw, keep_control, &way, sizeof(way)) == 0);
		CHECK(control() == expected_control(3));
	}
	for (int i = 0; i < 200; i++) {
		CHECK(eio_yield() == 0);
		CHECK(control() == expected_control(3));
	}
	set_control(0);
}

#endif

/* What walks the stack without a debugger, as backtrace(3) does, sees all frames of a fiber
 * and nothing behind the first one. */

struct walk {
	unsigned frames;
	uintptr_t functions[64];
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;

	if (_Unwind_GetIP(context) == 0) /* how some tell that there are no more */
		return _URC_NO_REASON;
	if (w->frames == sizeof(w->functions) / sizeof(w->functions[0]))
		return _URC_END_OF_STACK;
	w->functions[w->frames++] = (uintptr_t) _Unwind_GetRegionStart(context);
	return _URC_NO_REASON;
}

static __attribute__((noinline)) int walk_the_stack(void *arg)
{
	static any_fn *const outermost[] = {
		(any_fn *) walk_the_stack,
		(any_fn *) eio__arch_main,
		(any_fn *) eio__arch_switch,
	};
	enum { N = sizeof(outermost) / sizeof(outermost[0]) };

	(void) arg;
	for (int i = 0; i < 2; i++) {
		struct walk w = {.frames = 0};

		CHECK(_Unwind_Backtrace(note_frame, &w) == _URC_END_OF_STACK);
		CHECK(w.frames >= N);
		for (unsigned k = 0; w.frames >= N && k < N; k++)
			CHECK(w.functions[w.frames - N + k] == (uintptr_t) outermost[k]);
		CHECK(eio_yield() == 0);
	}
	return 0;
}

static void a_backtrace_ends_where_the_fiber_began(struct eio_switch *sw)
{
	CHECK(eio_fork(sw, walk_the_stack, NULL) == 0);
	CHECK(eio_fork(sw, walk_the_stack, NULL) == 0);
}

/* For debuggers: a few frames inside a fiber, another one that waits. */

static __attribute__((noinline)) void gdb_stop(void)
{
	__asm__ volatile("");
}

static __attribute__((noinline)) void inner_frame(void)
{
	gdb_stop();
	__asm__ volatile("");
}

static __attribute__((noinline)) int outer_frame(void *arg)
{
	(void) arg;
	inner_frame();
	__asm__ volatile("");
	return 0;
}

static __attribute__((noinline)) int waiting_frame(void *arg)
{
	*(struct eio__fiber **) arg = eio__self();
	CHECK(eio_yield() == 0);
	__asm__ volatile("");
	return 0;
}

static struct eio__fiber *gdb_waiting; /* read by gdb_backtrace.py */
static const int gdb_frame_words = EIO__FRAME_WORDS, gdb_frame_pc = EIO__FRAME_PC;

static void debuggers_find_frames(struct eio_switch *sw)
{
	CHECK(eio_fork(sw, waiting_frame, &gdb_waiting) == 0);
	CHECK(eio_fork(sw, outer_frame, NULL) == 0);
	CHECK(*(const volatile int *) &gdb_frame_words > *(const volatile int *) &gdb_frame_pc);
}

static void (*const tests[])(struct eio_switch *sw) = {
	a_yield_keeps_registers,
	a_suspension_keeps_registers,
	starts_and_ends_keep_registers,
	the_frame_is_what_the_header_says,
	a_new_stack_is_aligned,
	deep_ping_pong_keeps_frames,
	a_hundred_thousand_start_and_end,
	forks_nest,
	a_backtrace_ends_where_the_fiber_began,
	debuggers_find_frames,
#ifdef EIO_FP_CONTROL
	control_words_belong_to_the_fiber,
#endif
};

int main(void)
{
	struct eio__domain d;

	CHECK(eio__domain_init(&d, &ops, 0) == 0);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		struct eio_switch sw;

		eio_switch_begin(&sw);
		tests[i](&sw);
		CHECK(eio_switch_end(&sw, 0) == 0);
		CHECK(d.fibers == 0);
	}
	eio__domain_fini(&d);
	if (failures)
		return EXIT_FAILURE;
	puts("ok");
	return EXIT_SUCCESS;
}
