/* SPDX-License-Identifier: ISC */
#include "uring/ring.h"
#include "base/sanitize.h"
#include "uring/options.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NEEDED_FEATURES                                                                            \
	(IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG)

void (*eio__ring_hook)(struct eio__ring *r) __attribute__((visibility("hidden")));

/* For TSan: liburing makes its own system calls. */
static char rings;

/*
 * What a kernel refuses with EINVAL is left out, the newest first. DEFER_TASKRUN came
 * with 6.1, SINGLE_ISSUER with 6.0, COOP_TASKRUN and TASKRUN_FLAG with 5.19, SUBMIT_ALL
 * with 5.18.
 */
static const unsigned modern[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_SUBMIT_ALL,
	0,
};

/* Polled transfers; only the first needs HYBRID_IOPOLL, of 6.13. */
static const unsigned iopoll[] = {
	IORING_SETUP_IOPOLL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL |
		IORING_SETUP_HYBRID_IOPOLL,
	IORING_SETUP_IOPOLL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_IOPOLL | IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_IOPOLL,
};

/* Kernel-side polling excludes the task-work flags. */
static const unsigned sqpoll[] = {
	IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_SQPOLL | IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_SQPOLL,
};

static int read_sysctl(const char *path)
{
	char text[16] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), value = -1;

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) > 0 && text[0] >= '0' && text[0] <= '9')
		value = text[0] - '0';
	close(fd);
	return value;
}

/* Cause and remedy of a refusal, as one line. */
static void explain(int err, const struct eio_config *config, char *why, size_t size)
{
	int disabled = read_sysctl("/proc/sys/kernel/io_uring_disabled");
	struct rlimit lock = {0, 0};

	getrlimit(RLIMIT_MEMLOCK, &lock);
	if (err == -EPERM && disabled > 0)
		snprintf(
			why, size,
			"io_uring is disabled by the sysctl kernel.io_uring_disabled=%d: set it to "
			"0%s",
			disabled, disabled == 1 ? ", or join kernel.io_uring_group" : "");
	else if (err == -EPERM || err == -EACCES)
		snprintf(why, size,
			 "io_uring is forbidden to this process, most likely by a container's "
			 "seccomp "
			 "profile: allow io_uring_setup, io_uring_enter and io_uring_register in "
			 "it");
	else if (err == -ENOSYS)
		snprintf(
			why, size,
			"this kernel has no io_uring, or a seccomp profile hides it: Linux 5.15 or "
			"newer is needed");
	else if (err == -ENOMEM)
		snprintf(why, size,
			 "no memory for the ring: some kernels charge it to RLIMIT_MEMLOCK "
			 "(now "
			 "%llu bytes, raise it with ulimit -l), or make queue_depth smaller",
			 (unsigned long long) lock.rlim_cur);
	else if (err == -EMFILE || err == -ENFILE)
		snprintf(why, size,
			 "no descriptor left for the ring: raise RLIMIT_NOFILE (ulimit -n)%s",
			 err == -ENFILE ? " or fs.file-max" : "");
	else
		snprintf(why, size, "io_uring_setup: %s%s", strerror(-err),
			 config->flags & EIO_RUN_PIN_POLLING ? " (is there such a polling_cpu?)"
							     : "");
}

struct chain {
	const unsigned *flags;
	size_t n;
};

#define CHAIN(flags) ((struct chain){flags, sizeof(flags) / sizeof(flags[0])})

static struct chain chain_of(const struct eio_config *config, bool polled)
{
	/* Where the first is not wanted the second is. */
	if (polled && config->flags & EIO_RUN_HYBRID_IOPOLL)
		return CHAIN(iopoll);
	if (polled)
		return (struct chain){iopoll + 1, CHAIN(iopoll).n - 1};
	return config->polling_timeout_ms ? CHAIN(sqpoll) : CHAIN(modern);
}

static unsigned option_flags(const struct eio_config *config, bool polled)
{
	unsigned flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;

	if (config->flags & EIO_RUN_PIN_POLLING && !polled)
		flags |= IORING_SETUP_SQ_AFF;
	if (config->flags & EIO_RUN_RESTRICT)
		flags |= IORING_SETUP_R_DISABLED; /* until the list is in force */
	return flags;
}

static int set_up(struct eio__ring *r, const struct eio_config *config, bool polled,
		  const struct eio__ring *sharing)
{
	unsigned depth = config->queue_depth ? config->queue_depth : 256;
	struct chain chain = chain_of(config, polled);
	int rc = -EINVAL;

	for (size_t i = 0; i < chain.n && rc == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = chain.flags[i] | option_flags(config, polled) |
				 (sharing ? IORING_SETUP_ATTACH_WQ : 0),
			.wq_fd = sharing ? (unsigned) sharing->uring.ring_fd : 0,
			.sq_thread_cpu = config->polling_cpu,
			.sq_thread_idle = config->polling_timeout_ms,
			.cq_entries = depth > 1024 ? (depth < 16384 ? 4 * depth : 65536) : 4096,
		};

		rc = io_uring_queue_init_params(depth, &r->uring, &p);
		r->uring.features = p.features;
		r->sqpoll = p.flags & IORING_SETUP_SQPOLL;
		r->poll_first = p.flags & IORING_SETUP_SINGLE_ISSUER; /* is newer */
	}
	return rc;
}

/* A ring that ended gives its memory back a little later, and kernels that charge it to
 * RLIMIT_MEMLOCK refuse the next one meanwhile. */
static int set_up_patiently(struct eio__ring *r, const struct eio_config *config, bool polled)
{
	int rc = set_up(r, config, polled, NULL);

	for (int tries = 0; rc == -ENOMEM && tries < 20; tries++) {
		usleep(10000);
		rc = set_up(r, config, polled, NULL);
	}
	return rc;
}

static void probe(struct eio__ring *r)
{
	struct io_uring_probe *p = io_uring_get_probe_ring(&r->uring);

	if (!p)
		return;
	for (unsigned op = 0; op <= p->last_op && op < 256; op++) {
		if (io_uring_opcode_supported(p, (int) op))
			r->ops[op / 8] |= (uint8_t) (1 << op % 8);
	}
	io_uring_free_probe(p);
}

/* What comes with a ring that is there. */
static int equip(struct eio__ring *r, const struct eio_config *config, bool polled)
{
	/* A child that touched the ring after fork would corrupt its parent's. */
	io_uring_ring_dontfork(&r->uring);
	probe(r);
	if (io_uring_register_ring_fd(&r->uring) == 1)
		r->enter_flags |= IORING_ENTER_REGISTERED_RING;
	if (r->uring.features & IORING_FEAT_NO_IOWAIT)
		r->enter_flags |= IORING_ENTER_NO_IOWAIT;
	/* Entries are used in order, so the indirection stays as it is. */
	for (unsigned i = 0; r->uring.sq.array && i < r->uring.sq.ring_entries; i++)
		r->uring.sq.array[i] = i;
	if (!polled)
		eio__ring_set_options(r, config);
	/* Comes last: it also forbids to set options. */
	return eio__ring_restrict(r, config);
}

int eio__ring_init(struct eio__ring *r, const struct eio_config *config, bool polled,
		   const struct eio__ring *sharing, char *why, size_t size)
{
	int rc = -EINVAL;

	memset(r, 0, sizeof(*r));
	if (sharing)
		rc = set_up(r, config, polled, sharing);
	if (rc < 0)
		rc = set_up_patiently(r, config, polled);
	eio__san_mapped(&rings);
	if (rc < 0) {
		explain(rc, config, why, size);
		return rc;
	}
	if ((r->uring.features & NEEDED_FEATURES) != NEEDED_FEATURES) {
		rc = -ENOSYS;
		explain(rc, config, why, size);
		goto useless;
	}
	rc = equip(r, config, polled);
	if (rc < 0) {
		snprintf(why, size, "EIO_RUN_RESTRICT: the kernel does not restrict the ring: %s",
			 strerror(-rc));
		goto useless;
	}
	/* A profile may allow to make a ring and forbid to use it. */
	rc = eio__ring_kernel_enter(r, 0, EIO_NEVER);
	if (rc < 0) {
		explain(rc, config, why, size);
		goto useless;
	}
	r->enter = eio__ring_kernel_enter;
	if (!polled && eio__ring_hook)
		eio__ring_hook(r);
	return 0;

useless:
	io_uring_queue_exit(&r->uring);
	return rc;
}

void eio__ring_fini(struct eio__ring *r)
{
	eio__san_unmap(&rings);
	io_uring_queue_exit(&r->uring);
}

int eio__ring_kernel_enter(struct eio__ring *r, unsigned wait, int64_t timeout_ns)
{
	struct io_uring_sq *sq = &r->uring.sq;
	unsigned flags = r->enter_flags | IORING_ENTER_GETEVENTS;
	struct __kernel_timespec ts;
	struct io_uring_getevents_arg arg = {.sigmask_sz = _NSIG / 8};
	bool timed = wait && timeout_ns != EIO_NEVER;
	int rc;

	/* The entries are written before the kernel, or its polling thread, sees the tail. */
	__atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
	if (r->sqpoll) {
		/* The tail is out before the flag is read: the thread looks the other way. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(sq->kflags, __ATOMIC_RELAXED) & IORING_SQ_NEED_WAKEUP)
			flags |= IORING_ENTER_SQ_WAKEUP;
		/* Until the thread has taken something. */
		if (eio__ring_queued(r) == sq->ring_entries)
			flags |= IORING_ENTER_SQ_WAIT;
	}
	if (timed) {
		ts.tv_sec = timeout_ns <= 0 ? 0 : timeout_ns / 1000000000;
		ts.tv_nsec = timeout_ns <= 0 ? 0 : timeout_ns % 1000000000;
		arg.ts = (uintptr_t) &ts;
		flags |= IORING_ENTER_EXT_ARG;
	}
	rc = io_uring_enter2((unsigned) r->uring.enter_ring_fd, eio__ring_queued(r), wait, flags,
			     timed ? (void *) &arg : NULL, timed ? sizeof(arg) : _NSIG / 8);
	return rc < 0 ? rc : 0;
}
