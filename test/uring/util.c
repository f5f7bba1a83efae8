/* SPDX-License-Identifier: ISC */
#include "uring/util.h"
#include "uring/sched.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct eio_fd track(struct eio_switch *sw, int unix_fd)
{
	struct eio_fd fd;

	ck_assert_int_ge(unix_fd, 0);
	expect_ok(eio_fd_of_unix(sw, unix_fd, EIO_FD_CLOSE, &fd));
	return fd;
}

void pipe_on(struct eio_switch *sw, struct eio_fd *r, struct eio_fd *w)
{
	expect_ok(eio_ll_pipe(sw, r, w));
}

void pair_on(struct eio_switch *sw, struct eio_fd *a, struct eio_fd *b)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	*a = track(sw, ends[0]);
	*b = track(sw, ends[1]);
}

/* The sizes are the listener's before it listens: what it accepts inherits them. */
void tcp_pair_on(struct eio_switch *sw, struct eio_fd *a, struct eio_fd *b)
{
	const int size = 16384, on = 1;
	struct eio_addr addr;
	struct eio_fd l;

	expect_ok(eio_addr_parse(&addr, "127.0.0.1:0"));
	expect_ok(eio_ll_socket(sw, AF_INET, SOCK_STREAM, 0, &l));
	expect_ok(eio_ll_socket(sw, AF_INET, SOCK_STREAM, 0, a));
	expect_ok(eio_ll_setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	expect_ok(eio_ll_setsockopt(l, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	expect_ok(eio_ll_setsockopt(*a, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	expect_ok(eio_ll_setsockopt(*a, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	expect_ok(eio_ll_setsockopt(*a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	expect_ok(eio_ll_bind(l, &addr));
	expect_ok(eio_ll_listen(l, 1));
	expect_ok(eio_ll_getsockname(l, &addr));
	expect_ok(eio_ll_connect(*a, &addr));
	expect_ok(eio_ll_accept(sw, l, b, NULL));
	expect_ok(eio_ll_close_listener(l));
}

size_t write_until_full(int unix_fd)
{
	char b[4096] = "";
	int flags = fcntl(unix_fd, F_GETFL);
	size_t done = 0;
	ssize_t n;

	fcntl(unix_fd, F_SETFL, flags | O_NONBLOCK);
	for (size_t len = sizeof(b); len; len /= 2) {
		while ((n = write(unix_fd, b, len)) > 0)
			done += (size_t) n;
	}
	fcntl(unix_fd, F_SETFL, flags);
	return done;
}

void read_off(int unix_fd, size_t len)
{
	char b[4096];

	while (len > 0) {
		ssize_t n = read(unix_fd, b, len < sizeof(b) ? len : sizeof(b));

		ck_assert_int_gt(n, 0);
		len -= (size_t) n;
	}
}

struct eio_fd listen_on(struct eio_switch *sw, const char *at, struct eio_addr *ret)
{
	socklen_t len = sizeof(ret->sa);
	struct eio_fd fd;

	expect_ok(eio_addr_parse(ret, at));
	expect_ok(eio_ll_socket(sw, ((struct sockaddr *) ret->sa)->sa_family, SOCK_STREAM, 0, &fd));
	expect_ok(eio_ll_bind(fd, ret));
	expect_ok(eio_ll_listen(fd, 64));
	ck_assert_int_eq(getsockname(number(fd), (struct sockaddr *) ret->sa, &len), 0);
	ret->len = len;
	return fd;
}

int temp_file(void)
{
	int unix_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_ge(unix_fd, 0);
	return unix_fd;
}

struct eio_fd file_on(struct eio_switch *sw)
{
	return track(sw, temp_file());
}

int number(struct eio_fd fd)
{
	int unix_fd = eio_fd_to_unix(fd, EIO_FD_PEEK);

	ck_assert_int_ge(unix_fd, 0);
	return unix_fd;
}

bool is_open(int unix_fd)
{
	return fcntl(unix_fd, F_GETFD) >= 0;
}

void forget_opcode(unsigned opcode)
{
	eio__uring_self()->ring.ops[opcode / 8] &= (uint8_t) ~(1 << opcode % 8);
}

int readable_bytes(int unix_fd)
{
	int n = -1;

	ck_assert_int_eq(ioctl(unix_fd, FIONREAD, &n), 0);
	return n;
}

static unsigned char pattern(size_t i)
{
	return (unsigned char) (i * 131 ^ i >> 7 ^ i >> 16);
}

void fill(void *buf, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++)
		((unsigned char *) buf)[i] = pattern(from + i);
}

bool is_filled(const void *buf, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++) {
		if (((const unsigned char *) buf)[i] != pattern(from + i))
			return false;
	}
	return true;
}

void end_cancelled(struct eio_switch *sw)
{
	expect_err(eio_switch_end(sw, -ECANCELED), -ECANCELED);
}

const char *const *shell(const char *script)
{
	static const char *argv[4] = {"sh", "-c"};

	argv[2] = script;
	return argv;
}

void expect_no_children(void)
{
	siginfo_t info;

	ck_assert_int_lt(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	ck_assert_int_eq(errno, ECHILD);
}

unsigned free_blocks(void)
{
	const struct eio__fixed *pool = &eio__uring_self()->fixed;

	return pool->n - pool->out;
}

void forget_opcodes_since_5_16(void)
{
	struct eio__ring *r = &eio__uring_self()->ring;

	for (unsigned opcode = IORING_OP_LINKAT + 1; opcode < 256; opcode++)
		r->ops[opcode / 8] &= (uint8_t) ~(1u << opcode % 8);
}

/* Root may lock as much as it likes. */
bool limit_locked_memory(size_t bytes)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct rlimit limit = {bytes, bytes};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	return syscall(SYS_capset, &header, data) == 0 && setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

/* Limits */

static struct rlimit descriptors;

void limit_fds(unsigned more)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
	limit = descriptors;
	limit.rlim_cur = (rlim_t) next + more;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void lift_fd_limit(void)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

static void set_file_size(rlim_t bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void limit_file_size(size_t bytes)
{
	signal(SIGXFSZ, SIG_IGN);
	set_file_size(bytes);
}

void lift_file_size_limit(void)
{
	set_file_size(RLIM_INFINITY);
}

static struct rlimit address_space;
static void **taken; /* the blocks, each pointing to the next */

void use_memory_up(size_t least)
{
	struct rlimit none;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &address_space), 0);
	none = address_space;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	for (size_t size = 1 << 20; size >= least && size >= sizeof(void *); size /= 2) {
		for (void **block; (block = malloc(size)); taken = block)
			*block = taken;
	}
}

void give_memory_back(void)
{
	setrlimit(RLIMIT_AS, &address_space);
	while (taken) {
		void **block = taken;

		taken = *block;
		free(block);
	}
}

bool use_up_handles(unsigned left)
{
	struct eio_fd fd, spare[4];

	if (SANITIZED)
		return false;
	ck_assert_uint_le(left, 4);
	for (unsigned i = 0; i < left; i++)
		expect_ok(eio_fd_of_unix(NULL, 0, 0, &spare[i]));
	use_memory_up(1);
	while (eio_fd_of_unix(NULL, 0, 0, &fd) == 0)
		;
	for (unsigned i = 0; i < left; i++)
		eio_fd_close(spare[i]);
	return true;
}

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define ANSWER(err) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned) (err))
#define ALLOW       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void filter_calls(struct sock_filter *filter, size_t n)
{
	struct sock_fprog program = {.len = (unsigned short) n, .filter = filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

void forbid_call(unsigned number, int err)
{
	struct sock_filter filter[] = {
		FIELD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		ANSWER(err),
		ALLOW,
	};

	filter_calls(filter, sizeof(filter) / sizeof(filter[0]));
}

void forbid_register(unsigned what, unsigned n, int err)
{
	/* Newer liburings set the top bit where the ring is given by its index. */
	struct sock_filter filter[] = {
		FIELD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_register, 0, 6),
		FIELD(args[1]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7fffffff),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what, 0, 3),
		FIELD(args[3]),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, n, 0, 1),
		ANSWER(err),
		ALLOW,
	};

	filter_calls(filter, sizeof(filter) / sizeof(filter[0]));
}

/* Threads */

static void *wait_for_all(void *arg)
{
	free(malloc(64));
	pthread_barrier_wait(arg);
	return NULL;
}

/* Their stacks are small: libc keeps 40 MiB of them, and of more than that others each time. */
void warm_up_threads(unsigned n)
{
	pthread_barrier_t all;
	pthread_t threads[64];
	pthread_attr_t small;

	ck_assert_uint_le(n, 64);
	mallopt(M_ARENA_MAX, 1);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 512 * 1024);
	pthread_setattr_default_np(&small);
	pthread_attr_destroy(&small);
	pthread_barrier_init(&all, NULL, n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_all, &all), 0);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&all);
}
