/* SPDX-License-Identifier: ISC */
/*
 * Shows what the library does on this machine, and checks it.
 *
 * Makes files of pseudo-random content in a temporary directory, serves them with the
 * example httpd, fetches them with many client fibers at once, copies a large file with the
 * example cp, and measures fibers. Every byte that came over the network or out of the copy
 * is checked. It takes a few seconds, never more than LIMIT_S, and removes the directory on
 * every way out.
 *
 * A file's checksum is the sum of its blocks' checksums, each seeded with the block's
 * number, so that fibers can make and check the blocks of a file in any order.
 */
#define _GNU_SOURCE 1
#include <eio/eio.h>
#include <eio/low_level.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LIMIT_S = 60,

	BLOCK = 256 * 1024,
	N_BLOCKS = 8,

	N_SMALL = 64, /* files, of up to 4 KB */
	N_LARGE = 4,
	LARGE_SIZE = 4 * 1024 * 1024 + 4321,
	BIG_SIZE = 256 * 1024 * 1024, /* the one to copy */

	CLIENTS = 64,
	REQUESTS = 200000,
	REQUESTS_S = 4, /* no new ones after that */
	DOWNLOADERS = 8,
	DOWNLOADS = 8, /* of large files, for each of them */
	HEAD_SIZE = 4096,

	FIBERS = 100000,
	YIELDS = 1000000,
};

extern char **environ;

struct file {
	char name[32];
	uint64_t size;
	uint64_t seed;
	uint64_t sum;
	struct eio_fd fd;    /* while its blocks are made or checked */
	uint64_t sum_so_far; /* while they are checked */
};

struct child {
	const char *program;
	pid_t pid; /* 0: none */
	struct eio_fd pidfd;
};

struct demo {
	char *httpd_path, *cp_path;
	struct eio_env *env;
	char path[PATH_MAX]; /* of the temporary directory, "" while there is none */
	struct eio_dir dir;
	struct file small[N_SMALL], large[N_LARGE], big, copy;
	struct child httpd, cp;
	struct eio_addr addr; /* of httpd */
	char ring[256];
	uint64_t downloaded;

	/* Latencies of the requests that were answered, in nanoseconds. */
	int64_t *latency;
	size_t n_sent, n_answered;
	int64_t requests_end_ns; /* the time to stop sending */

	/* Results. */
	double requests_s, download_s, copy_s;
	size_t fibers;
	double fiber_bytes, fiber_ns, yield_ns;
};

static struct eio_event stop_asked;

static int64_t now(const struct demo *demo)
{
	return eio_now_ns(demo->env->mono_clock);
}

static double seconds_since(const struct demo *demo, int64_t start_ns)
{
	return (double) (now(demo) - start_ns) / 1e9;
}

/* Content and checksums */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Writes whole words: up to seven bytes more than len. */
static void fill(char *buf, size_t len, uint64_t seed)
{
	uint64_t state = mix(seed);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = mix(state += 0x9e3779b97f4a7c15);

		memcpy(buf + i, &word, 8);
	}
}

/* Four independent lanes, which keep the processor's multipliers busy. */
static uint64_t checksum(const char *buf, size_t len, uint64_t seed)
{
	uint64_t lane[4] = {seed, ~seed, seed << 32, len};
	uint64_t sum = len;
	size_t i = 0;

	for (; i + sizeof(lane) <= len; i += sizeof(lane)) {
		uint64_t word[4];

		memcpy(word, buf + i, sizeof(word));
		for (int k = 0; k < 4; k++) {
			lane[k] = (lane[k] ^ word[k]) * 0x9e3779b97f4a7c15;
			lane[k] ^= lane[k] >> 32;
		}
	}
	for (; i < len; i++)
		lane[0] = (lane[0] ^ (unsigned char) buf[i]) * 0x100000001b3;
	for (int k = 0; k < 4; k++)
		sum = mix(sum ^ lane[k]);
	return sum;
}

static size_t block_count(const struct file *file)
{
	return (file->size + BLOCK - 1) / BLOCK;
}

static size_t block_length(const struct file *file, size_t i)
{
	uint64_t left = file->size - (uint64_t) i * BLOCK;

	return left < BLOCK ? (size_t) left : BLOCK;
}

/* Files */

static int make_block(size_t i, void *arg)
{
	struct file *file = arg;
	size_t len = block_length(file, i);
	struct eio_chunk chunk;
	int rc = eio_ll_alloc_fixed_or_wait(&chunk);

	if (rc < 0)
		return rc;
	fill(chunk.data, len, file->seed + i);
	file->sum += checksum(chunk.data, len, i);
	rc = eio_ll_write(file->fd, chunk, len, (int64_t) i * BLOCK);
	eio_ll_free_fixed(chunk);
	return rc < 0 ? eio_error_set(rc, "write", file->name) : 0;
}

static int make_file(struct demo *demo, struct file *file)
{
	struct eio_create create = {.how = EIO_CREATE_EXCLUSIVE};
	struct eio_flow flow;
	int rc = eio_fs_open_out(demo->dir, NULL, file->name, &create, &flow);

	if (rc < 0)
		return rc;
	rc = eio_flow_fd(flow, &file->fd);
	if (rc == 0)
		rc = eio_for_each(block_count(file), N_BLOCKS, make_block, file);
	eio_flow_close(flow);
	return rc;
}

static int make_numbered_file(struct demo *demo, struct file *file, size_t i, uint64_t size)
{
	snprintf(file->name, sizeof(file->name), "%zu-%zu.bin", (size_t) size, i);
	file->size = size;
	file->seed = mix(i);
	return make_file(demo, file);
}

static int make_files(struct demo *demo)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N_SMALL; i++)
		rc = make_numbered_file(demo, &demo->small[i], i, 1 + mix(i) % 4096);
	for (size_t i = 0; rc == 0 && i < N_LARGE; i++)
		rc = make_numbered_file(demo, &demo->large[i], i, LARGE_SIZE + i);
	return rc < 0 ? rc : make_numbered_file(demo, &demo->big, 0, BIG_SIZE);
}

static int check_block(size_t i, void *arg)
{
	struct file *file = arg;
	size_t len = block_length(file, i);
	struct eio_chunk chunk;
	int rc = eio_ll_alloc_fixed_or_wait(&chunk);

	if (rc < 0)
		return rc;
	rc = eio_ll_read_exactly(file->fd, chunk, len, (int64_t) i * BLOCK);
	if (rc == 0)
		file->sum_so_far += checksum(chunk.data, len, i);
	eio_ll_free_fixed(chunk);
	return rc < 0 ? eio_error_set(rc, "read", file->name) : 0;
}

static int check_file(struct demo *demo, struct file *file)
{
	struct eio_stat stat;
	struct eio_flow flow;
	int rc = eio_fs_open_in(demo->dir, NULL, file->name, &flow);

	if (rc < 0)
		return rc;
	rc = eio_flow_fd(flow, &file->fd);
	if (rc == 0)
		rc = eio_file_stat(flow, &stat);
	if (rc == 0)
		rc = eio_for_each(block_count(file), N_BLOCKS, check_block, file);
	if (rc == 0 && (stat.size != file->size || file->sum_so_far != file->sum))
		rc = eio_error_set(-EBADMSG, "check", file->name);
	eio_flow_close(flow);
	return rc;
}

static void remove_file(const struct demo *demo, const struct file *file)
{
	char path[PATH_MAX + sizeof(file->name)];

	if (file->name[0]) {
		snprintf(path, sizeof(path), "%s/%s", demo->path, file->name);
		unlink(path);
	}
}

static int make_directory(struct demo *demo, struct eio_switch *sw)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/eio-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp") >=
	    (int) sizeof(path))
		return eio_error_set(-ENAMETOOLONG, "mkdtemp", tmp);
	if (!mkdtemp(path))
		return eio_error_set(-errno, "mkdtemp", path);
	strcpy(demo->path, path);
	return eio_fs_open_dir(demo->env->fs, sw, demo->path, &demo->dir);
}

/* Programs */

/* Starts a program; its standard output goes to out unless that is negative. */
static int start(struct eio_switch *sw, struct child *child, char *const argv[], int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t usual;
	int pidfd;
	int rc;

	/* Signals that we handle or ignore would be ignored there. */
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	rc = posix_spawn(&child->pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	child->program = argv[0];
	if (rc != 0) {
		child->pid = 0;
		return eio_error_set(-rc, "spawn", argv[0]);
	}

	pidfd = (int) syscall(SYS_pidfd_open, child->pid, 0);
	if (pidfd < 0)
		return eio_error_set(-errno, "pidfd_open", argv[0]);
	return eio_fd_of_unix(sw, pidfd, EIO_FD_CLOSE, &child->pidfd);
}

/* Waits for a program to end: 0 if it was content. */
static int await_child(struct child *child)
{
	int status = 0;
	int rc = eio_ll_await_readable(child->pidfd);

	if (rc < 0)
		return rc;
	if (waitpid(child->pid, &status, 0) < 0)
		return eio_error_set(-errno, "waitpid", child->program);
	child->pid = 0;
	return status == 0 ? 0 : eio_error_set(-ECHILD, "exit status of", child->program);
}

/* For the ways out on which a program still runs. */
static void kill_child(struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child->pid = 0;
	}
}

/* Reads the line "port=N" that httpd begins with. */
static int read_port(struct demo *demo, struct eio_flow out)
{
	static const unsigned char loopback[4] = {127, 0, 0, 1};
	char line[64] = "";
	size_t len = 0;
	unsigned port;

	while (!memchr(line, '\n', len)) {
		ssize_t n = eio_flow_read(out, line + len, sizeof(line) - 1 - len);

		if (n <= 0)
			return n < 0 ? (int) n : eio_error_set(EIO_EOF, "start", demo->httpd_path);
		len += (size_t) n;
	}
	if (sscanf(line, "port=%u", &port) != 1)
		return eio_error_set(EIO_EPARSE, "start", demo->httpd_path);
	eio_addr_tcp4(&demo->addr, loopback, port);
	return 0;
}

static int start_httpd(struct demo *demo, struct eio_switch *sw)
{
	char *argv[] = {demo->httpd_path, "--port", "0", demo->path, NULL};
	struct eio_flow reader, writer;
	struct eio_fd fd;
	int rc = eio_pipe(sw, &reader, &writer);

	if (rc < 0)
		return rc;
	rc = eio_flow_fd(writer, &fd);
	if (rc == 0)
		rc = start(sw, &demo->httpd, argv, eio_fd_to_unix(fd, EIO_FD_PEEK));
	eio_flow_close(writer); /* Now the end of httpd is the end of the pipe. */
	return rc < 0 ? rc : read_port(demo, reader);
}

static int stop_httpd(struct demo *demo)
{
	kill(demo->httpd.pid, SIGTERM);
	return await_child(&demo->httpd);
}

static int run_cp(struct demo *demo, struct eio_switch *sw)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 32];
	char *argv[] = {demo->cp_path, from, to, NULL};
	int64_t start_ns = now(demo);
	int rc;

	demo->copy = demo->big;
	strcpy(demo->copy.name, "copy.bin");
	snprintf(from, sizeof(from), "%s/%s", demo->path, demo->big.name);
	snprintf(to, sizeof(to), "%s/%s", demo->path, demo->copy.name);
	rc = start(sw, &demo->cp, argv, -1);
	if (rc == 0)
		rc = await_child(&demo->cp);
	demo->copy_s = seconds_since(demo, start_ns);
	return rc < 0 ? rc : check_file(demo, &demo->copy);
}

/* An HTTP client */

struct client {
	struct demo *demo;
	struct eio_flow conn;
	size_t len; /* bytes in buf */
	char buf[HEAD_SIZE + BLOCK];
};

/* Reads until the head of an answer is there, checks it, and leaves what follows in the buffer. */
static int read_head(struct client *client, uint64_t size)
{
	static const char ok[] = "HTTP/1.1 200 ", length[] = "\r\nContent-Length: ";
	char *end = NULL, *field;

	for (client->len = 0; !end;) {
		ssize_t n;

		if (client->len == HEAD_SIZE)
			return EIO_ELIMIT;
		n = eio_flow_read(client->conn, client->buf + client->len, HEAD_SIZE - client->len);
		if (n <= 0)
			return n < 0 ? (int) n : EIO_EOF;
		client->len += (size_t) n;
		end = memmem(client->buf, client->len, "\r\n\r\n", 4);
	}
	end[2] = '\0';
	end += 4;

	field = strstr(client->buf, length);
	if (strncmp(client->buf, ok, sizeof(ok) - 1) != 0 || !field ||
	    strtoull(field + sizeof(length) - 1, NULL, 10) != size)
		return EIO_EPARSE;
	client->len -= (size_t) (end - client->buf);
	memmove(client->buf, end, client->len);
	return 0;
}

/* Fetches a file and checks all of it. */
static int get(struct client *client, const struct file *file)
{
	char request[128];
	uint64_t sum = 0;
	int len = snprintf(request, sizeof(request), "GET /%s HTTP/1.1\r\nHost: demo\r\n\r\n",
			   file->name);
	int rc = eio_flow_write(client->conn, request, (size_t) len);

	if (rc == 0)
		rc = read_head(client, file->size);
	for (size_t i = 0; rc == 0 && i < block_count(file); i++) {
		size_t want = block_length(file, i);

		if (client->len > want) /* More than there should be. */
			return eio_error_set(-EBADMSG, "GET", file->name);
		rc = eio_flow_read_exact(client->conn, client->buf + client->len,
					 want - client->len);
		sum += checksum(client->buf, want, i);
		client->len = 0;
	}
	if (rc == 0 && sum != file->sum)
		rc = -EBADMSG;
	return rc < 0 ? eio_error_set(rc, "GET", file->name) : 0;
}

static int with_client(struct demo *demo, int (*fn)(struct client *client, size_t i), size_t i)
{
	struct client *client = malloc(sizeof(*client));
	int rc;

	if (!client)
		return -ENOMEM;
	client->demo = demo;
	rc = eio_net_connect(demo->env->net, NULL, &demo->addr, NULL, &client->conn);
	if (rc == 0) {
		rc = fn(client, i);
		eio_flow_close(client->conn);
	}
	free(client);
	return rc;
}

static int send_requests(struct client *client, size_t i)
{
	struct demo *demo = client->demo;

	while (demo->n_sent < REQUESTS) {
		const struct file *file = &demo->small[mix(demo->n_sent + i) % N_SMALL];
		int64_t start_ns = now(demo);
		int rc;

		if (start_ns >= demo->requests_end_ns)
			break;
		demo->n_sent++;
		rc = get(client, file);
		if (rc < 0)
			return rc;
		demo->latency[demo->n_answered++] = now(demo) - start_ns;
	}
	return 0;
}

static int download(struct client *client, size_t i)
{
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < DOWNLOADS; k++) {
		const struct file *file = &client->demo->large[(i + k) % N_LARGE];

		rc = get(client, file);
		client->demo->downloaded += file->size;
	}
	return rc;
}

static int request_client(size_t i, void *arg)
{
	return with_client(arg, send_requests, i);
}

static int download_client(size_t i, void *arg)
{
	return with_client(arg, download, i);
}

static int compare_int64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static int show_requests(void *arg)
{
	struct demo *demo = arg;
	int rc;

	while ((rc = eio_sleep(demo->env->mono_clock, EIO_MS(500))) == 0)
		fprintf(stderr, "demo: %zu of %d requests answered\n", demo->n_answered, REQUESTS);
	return rc;
}

static int run_requests(struct eio_switch *sw, void *arg)
{
	struct demo *demo = arg;
	int64_t start_ns = now(demo);
	int rc = eio_fork_daemon(sw, show_requests, demo);

	if (rc < 0)
		return rc;
	demo->requests_end_ns = start_ns + EIO_SEC(REQUESTS_S);
	rc = eio_for_each(CLIENTS, 0, request_client, demo);
	demo->requests_s = seconds_since(demo, start_ns);
	qsort(demo->latency, demo->n_answered, sizeof(*demo->latency), compare_int64);
	return rc;
}

static int run_downloads(struct demo *demo)
{
	int64_t start_ns = now(demo);
	int rc = eio_for_each(DOWNLOADERS, 0, download_client, demo);

	demo->download_s = seconds_since(demo, start_ns);
	return rc;
}

/* Fibers */

static double resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (!statm)
		return 0;
	if (fscanf(statm, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(statm);
	return (double) resident * (double) sysconf(_SC_PAGESIZE);
}

static int await_promise(void *arg)
{
	return eio_promise_await(arg, NULL);
}

static int run_fibers(struct demo *demo)
{
	struct eio_promise promise = EIO_PROMISE_INIT;
	size_t room = (size_t) sysconf(_SC_PHYS_PAGES) / 4; /* A fiber takes a page. */
	double before = resident_bytes();
	int64_t start_ns = now(demo);
	struct eio_switch sw;
	int rc = 0;

	demo->fibers = room < FIBERS ? room : FIBERS;
	eio_switch_begin(&sw);
	for (size_t i = 0; rc == 0 && i < demo->fibers; i++)
		rc = eio_fork(&sw, await_promise, &promise);
	demo->fiber_ns = seconds_since(demo, start_ns) * 1e9 / (double) demo->fibers;
	demo->fiber_bytes = (resident_bytes() - before) / (double) demo->fibers;
	eio_promise_resolve(&promise, 0, NULL);
	return eio_switch_end(&sw, rc);
}

static int yield_often(void *arg)
{
	int rc = 0;

	(void) arg;
	for (int i = 0; rc == 0 && i < YIELDS / 2; i++)
		rc = eio_yield();
	return rc;
}

static int run_yields(struct demo *demo)
{
	int64_t start_ns = now(demo);
	int rc = eio_both(yield_often, NULL, yield_often, NULL);

	demo->yield_ns = seconds_since(demo, start_ns) * 1e9 / YIELDS;
	return rc;
}

/* What the ring was set up with and what it can do, as far as it matters here. */
static void describe_ring(struct demo *demo)
{
	static const struct {
		unsigned flag;
		const char *name;
	} flags[] =
		{
			{IORING_SETUP_SQPOLL, "SQPOLL"},
			{IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"},
			{IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
			{IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},
			{IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
		},
	  features[] = {
		  {IORING_FEAT_EXT_ARG, "EXT_ARG"},
		  {IORING_FEAT_FAST_POLL, "FAST_POLL"},
		  {1u << 17, "NO_IOWAIT"}, /* newer than some headers */
	  };
	const struct io_uring *ring = eio_ll_ring();

	strcpy(demo->ring, demo->env->backend_id);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (ring && (ring->flags & flags[i].flag))
			strcat(strcat(demo->ring, " "), flags[i].name);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (ring && (ring->features & features[i].flag))
			strcat(strcat(demo->ring, " "), features[i].name);
	strcat(demo->ring, eio_ll_fixed_registered() ? " registered buffers" : " plain buffers");
}

/* The whole */

static int run_all(struct eio_switch *sw, struct demo *demo)
{
	int rc;

	fprintf(stderr, "demo: making %d MiB of files\n", BIG_SIZE >> 20);
	rc = make_directory(demo, sw);
	if (rc == 0)
		rc = make_files(demo);
	if (rc == 0)
		rc = start_httpd(demo, sw);
	if (rc < 0)
		return rc;

	fprintf(stderr, "demo: fetching small files, %d clients\n", CLIENTS);
	rc = eio_switch_run(run_requests, demo);
	if (rc < 0)
		return rc;
	fprintf(stderr, "demo: fetching large files, %d clients\n", DOWNLOADERS);
	rc = run_downloads(demo);
	if (rc == 0)
		rc = stop_httpd(demo);
	if (rc < 0)
		return rc;

	fprintf(stderr, "demo: copying %d MiB\n", BIG_SIZE >> 20);
	rc = run_cp(demo, sw);
	if (rc < 0)
		return rc;
	fprintf(stderr, "demo: measuring fibers\n");
	rc = run_fibers(demo);
	return rc < 0 ? rc : run_yields(demo);
}

static void on_signal(int signal)
{
	(void) signal;
	eio_event_set(&stop_asked);
}

static void handle_signals(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK};

	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Its failure cancels everything else. */
static int fail_on_signal(void *arg)
{
	int rc = eio_event_await(&stop_asked);

	(void) arg;
	return rc < 0 ? rc : -EINTR;
}

static int run_scope(struct eio_switch *sw, void *arg)
{
	struct demo *demo = arg;
	struct eio_timeout limit;
	int rc = eio_fork_daemon(sw, fail_on_signal, demo);

	if (rc < 0)
		return rc;
	describe_ring(demo);
	eio_timeout_begin(&limit, demo->env->mono_clock, EIO_SEC(LIMIT_S));
	rc = run_all(sw, demo);
	return eio_timeout_end(&limit, rc);
}

static int run(struct eio_env *env, void *arg)
{
	struct demo *demo = arg;
	int rc = eio_event_init(&stop_asked);

	if (rc < 0)
		return rc;
	demo->env = env;
	handle_signals(on_signal);
	rc = eio_switch_run(run_scope, demo);
	handle_signals(SIG_IGN);
	eio_event_fini(&stop_asked);
	return rc;
}

static void clean_up(struct demo *demo)
{
	kill_child(&demo->httpd);
	kill_child(&demo->cp);
	if (!demo->path[0])
		return;
	for (size_t i = 0; i < N_SMALL; i++)
		remove_file(demo, &demo->small[i]);
	for (size_t i = 0; i < N_LARGE; i++)
		remove_file(demo, &demo->large[i]);
	remove_file(demo, &demo->big);
	remove_file(demo, &demo->copy);
	if (rmdir(demo->path) < 0)
		fprintf(stderr, "demo: %s: %s\n", demo->path, strerror(errno));
}

static double percentile_ms(const struct demo *demo, size_t percent)
{
	return (double) demo->latency[(demo->n_answered - 1) * percent / 100] / 1e6;
}

static void print_summary(const struct demo *demo)
{
	struct utsname system;

	uname(&system);
	printf("eio on %s %s, backend %s\n", system.sysname, system.release, demo->ring);
	printf("  requests    %zu from %d clients, %.0f a second\n", demo->n_answered, CLIENTS,
	       (double) demo->n_answered / demo->requests_s);
	printf("  latency     p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", percentile_ms(demo, 50),
	       percentile_ms(demo, 99), percentile_ms(demo, 100));
	printf("  downloads   %.0f MB by %d clients, %.0f MB/s\n", (double) demo->downloaded / 1e6,
	       DOWNLOADERS, (double) demo->downloaded / 1e6 / demo->download_s);
	printf("  copy        %.0f MB, %.0f MB/s\n", BIG_SIZE / 1e6, BIG_SIZE / 1e6 / demo->copy_s);
	printf("  fibers      %zu blocked, %.0f bytes and %.0f ns each\n", demo->fibers,
	       demo->fiber_bytes, demo->fiber_ns);
	printf("  switch      %.1f ns\n", demo->yield_ns);
	printf("Every byte was verified.\n");
}

static void usage(FILE *to)
{
	fputs("Usage: eio-demo --httpd PROGRAM --cp PROGRAM\n"
	      "\n"
	      "Runs the example programs against each other, checks every byte and measures.\n"
	      "'meson compile -C build demo' calls it with the right paths. Needs 600 MB of\n"
	      "room in $TMPDIR, or /tmp, while it runs.\n",
	      to);
}

/* Reads the arguments: -1 to go on, else the exit status. */
static int parse_args(struct demo *demo, int argc, char **argv)
{
	static const struct option options[] = {
		{"httpd", required_argument, NULL, 'w'},
		{"cp", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'w':
			demo->httpd_path = optarg;
			break;
		case 'c':
			demo->cp_path = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!demo->httpd_path || !demo->cp_path || argc > optind) {
		usage(stderr);
		return 2;
	}
	return -1;
}

static int run_and_clean_up(struct demo *demo)
{
	struct eio_config config = {.n_blocks = N_BLOCKS, .block_size = BLOCK};
	char why[256];
	int rc;

	demo->latency = calloc(REQUESTS, sizeof(*demo->latency));
	if (!demo->latency) {
		fputs("demo: no memory\n", stderr);
		return 1;
	}
	rc = eio_run(&config, run, demo);
	if (rc < 0) {
		eio_error_format(rc, why, sizeof(why));
		fprintf(stderr, "demo: %s\n", rc == -EINTR ? "interrupted" : why);
	}
	clean_up(demo);
	if (rc == 0)
		print_summary(demo);
	free(demo->latency);
	return rc < 0 || fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	static struct demo demo;
	int status = parse_args(&demo, argc, argv);

	return status >= 0 ? status : run_and_clean_up(&demo);
}
