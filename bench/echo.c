/* SPDX-License-Identifier: ISC */
/*
 * Benchmark of TCP echo servers: the bare ones of echo_raw beside those given with --server.
 *
 * For each case (connections x bytes) every round runs each server once, A B C D A B C D, so that
 * what disturbs the machine meets all of them; a value is the median of the rounds, a ratio the
 * median of the rounds' ratios. A run starts the server on one core and echo_load on another.
 *
 * The figure that matters is the server's CPU time per request: on loopback the load generator is
 * the limit of requests a second. It is what the scheduler charged to all tasks of the server
 * (kernel threads working for io_uring are among them), from before the first connection until it
 * came to rest after the last, divided by all requests, those of the warm-up included.
 *
 * The scheduler also tells how long tasks were ready but had to wait for their core. In an
 * undisturbed run that is next to nothing; with much of it the run is made again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_S  0.5
#define START_S    10.0  /* a server must have its port by then */
#define STOP_S     5.0   /* and end within this of SIGTERM */
#define LOAD_S     100.0 /* echo_load needs at most this beside the time it measures */
#define MAX_WAITED 0.1   /* share of a run spent waiting for a core, else it is disturbed */
#define CALM_S     1     /* pause before such a run is made again */
#define MAX_TRIES  5     /* then a disturbed run counts */
#define PAUSE_NS   10000000

enum {
	MAX_SERVERS = 12,
	MAX_CASES = 16,
	MAX_ROUNDS = 101,
	MAX_NAME = 32,
	MAX_IDLE = 1000000,
	IDLE_BYTES = 64,
};

enum metric { CPU, RPS, P99, FIRST, METRICS };

struct server {
	const char *name;
	char *argv[4];
	bool raw; /* these come first */
};

struct load_case {
	unsigned conns, bytes;
};

struct child {
	const char *name;
	pid_t pid; /* 0: there is none */
	int out;   /* its standard output */
};

/* What the scheduler knows of a process. */
struct cpu_time {
	uint64_t ran_ns, waited_ns;
};

struct options {
	struct server servers[MAX_SERVERS];
	struct load_case cases[MAX_CASES];
	unsigned servers_len, cases_len, rounds;
	unsigned idle; /* connections that wait, whose memory is measured; 0: none */
	double seconds;
	char dir[PATH_MAX]; /* where echo_load and echo_raw are */
};

static struct child server_child, load_child;
static int server_cpu = -1, load_cpu = -1; /* -1: not pinned */
static double samples[MAX_SERVERS][METRICS][MAX_ROUNDS];

/* ---- child processes ---- */

static void kill_child(struct child *child)
{
	if (!child->pid)
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->out);
	child->pid = 0;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "echo: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	kill_child(&load_child);
	kill_child(&server_child);
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* After fork(). A child never outlives this process, whatever way that ends. */
__attribute__((noreturn)) static void exec_child(char *const argv[], int out, int cpu, pid_t parent)
{
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET((unsigned) cpu, &set);
	if (cpu >= 0 && sched_setaffinity(0, sizeof(set), &set))
		perror("echo: sched_setaffinity");
	else if (dup2(out, STDOUT_FILENO) >= 0 && execv(argv[0], argv))
		fprintf(stderr, "echo: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start_child(struct child *child, const char *name, char *const argv[], int cpu)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	child->pid = fork();
	if (child->pid < 0) {
		child->pid = 0;
		fail("fork: %s", strerror(errno));
	}
	if (child->pid == 0)
		exec_child(argv, fds[1], cpu, parent);
	close(fds[1]);
	child->out = fds[0];
	child->name = name;
}

/* Waits until the child ended, but leaves it to be reaped: its CPU time can still be read. */
static void await_end(const struct child *child, double patience_s)
{
	double give_up = now_s() + patience_s;
	siginfo_t info = {0};

	while (now_s() < give_up) {
		if (waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOHANG | WNOWAIT))
			fail("waitid: %s", strerror(errno));
		if (info.si_pid == child->pid)
			return;
		pause_briefly();
	}
	fail("%s did not end in time", child->name);
}

/* Reaps a child that ended. @signo is a signal it may have ended by. */
static void reap_child(struct child *child, int signo)
{
	int status;

	if (waitpid(child->pid, &status, 0) != child->pid)
		fail("waitpid: %s", strerror(errno));
	close(child->out);
	child->pid = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) != signo)
		fail("%s was killed by signal %d", child->name, WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status))
		fail("%s failed with status %d", child->name, WEXITSTATUS(status));
}

/*
 * Reads the child's output up to its end or, with @key, until there is a line with key=value.
 * Whatever the child printed is a string in @text then.
 */
static void read_output(const struct child *child, const char *key, char *text, size_t size,
			double patience_s)
{
	double give_up = now_s() + patience_s;
	size_t len = 0;

	text[0] = '\0';
	while (len < size - 1) {
		struct pollfd ready = {.fd = child->out, .events = POLLIN};
		double left_s = give_up - now_s();
		const char *found = key ? strstr(text, key) : NULL;
		ssize_t n;

		if (found && strchr(found, '\n'))
			return;
		if (left_s <= 0 || poll(&ready, 1, (int) (left_s * 1000) + 1) == 0)
			fail("%s said nothing in time", child->name);
		n = read(child->out, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("reading from %s: %s", child->name, strerror(errno));
		if (n == 0 && key)
			fail("%s ended without printing %s", child->name, key);
		if (n == 0)
			return;
		len += (size_t) n;
		text[len] = '\0';
	}
	fail("%s printed too much", child->name);
}

/* The value of " key=value" in what echo_load printed. */
static double field(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	if (!found)
		fail("echo_load did not print%s", key);
	return strtod(found + strlen(key), NULL);
}

/* ---- measuring ---- */

static struct cpu_time cpu_time_of(const struct child *child)
{
	struct cpu_time sum = {0, 0};
	char path[64 + NAME_MAX];
	struct dirent *entry;
	unsigned long long ran, waited;
	bool any = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int) child->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int) child->pid,
			 entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (file && fscanf(file, "%llu %llu", &ran, &waited) == 2) {
			sum.ran_ns += ran;
			sum.waited_ns += waited;
			any = true;
		}
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	if (!any)
		fail("%s: no figures in /proc/%d/task/*/schedstat", child->name, (int) child->pid);
	return sum;
}

/* The server has yet to see that its connections were closed. */
static struct cpu_time cpu_time_at_rest(const struct child *child)
{
	double give_up = now_s() + STOP_S;
	struct cpu_time before = cpu_time_of(child), after;

	for (;;) {
		pause_briefly();
		after = cpu_time_of(child);
		if (after.ran_ns == before.ran_ns || now_s() > give_up)
			return after;
		before = after;
	}
}

/* Leaves echo_load's line in @text; returns for how long it waited for its core. */
static uint64_t run_load(const struct options *options, const struct load_case *load, char *port,
			 char *text, size_t size)
{
	char path[PATH_MAX + 16], conns[16], bytes[16], seconds[32], warm_up[32], name[128];
	char *argv[] = {path, "127.0.0.1", port, conns, bytes, seconds, warm_up, NULL};
	struct cpu_time spent;

	snprintf(path, sizeof(path), "%s/echo_load", options->dir);
	snprintf(conns, sizeof(conns), "%u", load->conns);
	snprintf(bytes, sizeof(bytes), "%u", load->bytes);
	snprintf(seconds, sizeof(seconds), "%g", options->seconds);
	snprintf(warm_up, sizeof(warm_up), "%g", WARM_UP_S);
	snprintf(name, sizeof(name), "echo_load (%sx%s, %s)", conns, bytes, server_child.name);
	start_child(&load_child, name, argv, load_cpu);
	read_output(&load_child, NULL, text, size, options->seconds + LOAD_S);
	await_end(&load_child, STOP_S);
	spent = cpu_time_of(&load_child);
	reap_child(&load_child, 0);
	return spent.waited_ns;
}

/* One run. Returns which share of it the server and echo_load spent waiting for their cores. */
static double run_once(const struct options *options, const struct load_case *load,
		       const struct server *server, double result[METRICS])
{
	char text[4096], port[16];
	struct cpu_time before, after;
	uint64_t load_waited_ns;
	double began;

	start_child(&server_child, server->name, server->argv, server_cpu);
	read_output(&server_child, "port=", text, sizeof(text), START_S);
	snprintf(port, sizeof(port), "%.0f", field(text, "port="));
	before = cpu_time_of(&server_child);
	began = now_s();
	load_waited_ns = run_load(options, load, port, text, sizeof(text));
	began = now_s() - began;
	after = cpu_time_at_rest(&server_child);
	kill(server_child.pid, SIGTERM);
	await_end(&server_child, STOP_S);
	reap_child(&server_child, SIGTERM);

	result[CPU] = (double) (after.ran_ns - before.ran_ns) / field(text, " total=");
	result[RPS] = field(text, " rps=");
	result[P99] = field(text, " p99us=");
	result[FIRST] = field(text, " allms=");
	return (double) (after.waited_ns - before.waited_ns + load_waited_ns) / 1e9 / began;
}

/* Returns how many runs count although they were disturbed. */
static unsigned run_case(const struct options *options, const struct load_case *load)
{
	unsigned disturbed = 0;
	int tries = server_cpu >= 0 ? MAX_TRIES : 1; /* sharing a core means waiting for it */
	double result[METRICS];

	for (unsigned round = 0; round < options->rounds; round++) {
		for (unsigned s = 0; s < options->servers_len; s++) {
			const struct server *server = &options->servers[s];
			double waited = 1;

			for (int i = 0; i < tries && waited > MAX_WAITED; i++) {
				if (i > 0)
					sleep(CALM_S);
				waited = run_once(options, load, server, result);
			}
			disturbed += waited > MAX_WAITED;
			for (unsigned m = 0; m < METRICS; m++)
				samples[s][m][round] = result[m];
		}
	}
	return disturbed;
}

/* ---- memory ---- */

static double resident_bytes(const struct child *child)
{
	unsigned long pages = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int) child->pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		fail("%s: nothing in %s", child->name, path);
	fclose(file);
	return (double) pages * (double) sysconf(_SC_PAGESIZE);
}

static int connect_to(const char *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t) strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *) &addr, sizeof(addr)))
		fail("connecting to %s: %s", server_child.name, strerror(errno));
	return fd;
}

static void echo_once(int fd)
{
	char text[IDLE_BYTES] = "once";
	size_t got = 0;
	ssize_t n = send(fd, text, sizeof(text), MSG_NOSIGNAL);

	while (n > 0 && got < sizeof(text)) {
		n = recv(fd, text, sizeof(text) - got, 0);
		got += n > 0 ? (size_t) n : 0;
	}
	if (n <= 0)
		fail("%s gave no echo: %s", server_child.name, n < 0 ? strerror(errno) : "end");
}

/* What a connection that waits costs the server: as it was accepted, and after an echo. */
static void run_idle(const struct options *options, const struct server *server)
{
	int *fds = calloc(options->idle, sizeof(*fds));
	double before, accepted, echoed, n = options->idle;
	char text[4096], port[16];

	if (!fds)
		fail("memory: %s", strerror(ENOMEM));
	start_child(&server_child, server->name, server->argv, server_cpu);
	read_output(&server_child, "port=", text, sizeof(text), START_S);
	snprintf(port, sizeof(port), "%.0f", field(text, "port="));
	before = resident_bytes(&server_child);
	for (unsigned i = 0; i < options->idle; i++)
		fds[i] = connect_to(port);
	cpu_time_at_rest(&server_child);
	accepted = resident_bytes(&server_child);
	for (unsigned i = 0; i < options->idle; i++)
		echo_once(fds[i]);
	cpu_time_at_rest(&server_child);
	echoed = resident_bytes(&server_child);
	for (unsigned i = 0; i < options->idle; i++)
		close(fds[i]);
	free(fds);
	kill(server_child.pid, SIGTERM);
	await_end(&server_child, STOP_S);
	reap_child(&server_child, SIGTERM);
	printf("idle_%u_%s_resident %.0f bytes\n", options->idle, server->name,
	       (accepted - before) / n);
	printf("idle_%u_%s_resident_after_echo %.0f bytes\n", options->idle, server->name,
	       (echoed - before) / n);
	fflush(stdout);
}

/* ---- reporting ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static double median(const double *values, unsigned n)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static void print_values(const char *name, const double *values, unsigned n, int digits,
			 const char *unit)
{
	double min = values[0], max = values[0];

	for (unsigned i = 1; i < n; i++) {
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	printf("%s %.*f %s\n", name, digits, median(values, n), unit);
	printf("%s_min %.*f %s\n", name, digits, min, unit);
	printf("%s_max %.*f %s\n", name, digits, max, unit);
}

static void report_server(const struct options *options, const struct load_case *load, unsigned s)
{
	static const struct {
		const char *name, *unit;
		int digits;
	} metrics[METRICS] = {
		[CPU] = {"cpu_per_request", "ns", 0},
		[RPS] = {"rps", "1/s", 0},
		[P99] = {"p99", "us", 1},
		[FIRST] = {"first_echo", "ms", 2},
	};
	char name[160], conns[16] = "";

	for (unsigned m = 0; m < METRICS; m++) {
		if (m == FIRST)
			snprintf(conns, sizeof(conns), "_%u", load->conns);
		snprintf(name, sizeof(name), "echo_%ux%u_%s_%s%s", load->conns, load->bytes,
			 options->servers[s].name, metrics[m].name, conns);
		print_values(name, samples[s][m], options->rounds, metrics[m].digits,
			     metrics[m].unit);
	}
}

static unsigned best_raw(const struct options *options, enum metric m)
{
	double lowest = median(samples[0][m], options->rounds);
	unsigned best = 0;

	for (unsigned s = 1; s < options->servers_len && options->servers[s].raw; s++) {
		double value = median(samples[s][m], options->rounds);

		if (value < lowest) {
			lowest = value;
			best = s;
		}
	}
	return best;
}

/* The best raw server is the one with the best median: one server, not each round's luckiest. */
static void report_ratio(const struct options *options, const struct load_case *load, unsigned s,
			 enum metric m, const char *infix)
{
	unsigned best = best_raw(options, m);
	double ratios[MAX_ROUNDS];
	char name[160];

	for (unsigned i = 0; i < options->rounds; i++)
		ratios[i] = samples[s][m][i] / samples[best][m][i];
	snprintf(name, sizeof(name), "echo_%ux%u_%s_%svs_best_raw", load->conns, load->bytes,
		 options->servers[s].name, infix);
	print_values(name, ratios, options->rounds, 3, "ratio");
}

static void report_case(const struct options *options, const struct load_case *load,
			unsigned disturbed)
{
	for (unsigned s = 0; s < options->servers_len; s++)
		report_server(options, load, s);
	for (unsigned s = 0; s < options->servers_len; s++) {
		if (options->servers[s].raw)
			continue;
		report_ratio(options, load, s, CPU, "");
		report_ratio(options, load, s, P99, "p99_");
		report_ratio(options, load, s, FIRST, "first_echo_");
	}
	printf("echo_%ux%u_disturbed %u runs\n", load->conns, load->bytes, disturbed);
	fflush(stdout);
}

/* ---- setting up ---- */

static void usage(FILE *to)
{
	fputs("usage: echo [OPTION]...\n"
	      "\n"
	      "Measures TCP echo servers on 127.0.0.1: the modes of echo_raw and those given.\n"
	      "echo_raw and echo_load are taken from the folder of this program.\n"
	      "\n"
	      "  --server NAME=PATH  another server, started as PATH PORT; PORT 0 means a free\n"
	      "                      port; must print port=N and end on SIGTERM; repeatable\n"
	      "  --rounds N          runs of each server and case (default 5)\n"
	      "  --seconds S         time measured in each run (default 1.0)\n"
	      "  --case CONNSxBYTES  a case; repeatable (default: 50x64, 1000x64 and 50x16384)\n"
	      "  --all               the default cases and 10000x64\n"
	      "  --idle N            the memory of N connections that wait; other cases only\n"
	      "                      as told\n"
	      "  --help              this text\n"
	      "\n"
	      "Prints lines of name, value and unit: medians, and with _min and _max the spread.\n"
	      "  cpu_per_request  CPU time of the server\n"
	      "  rps, p99         requests a second; latency that 99 % do not exceed\n"
	      "  first_echo_N     time until each of the N connections had its first echo\n"
	      "  resident         of the server for each of N connections that wait, before and\n"
	      "                   after one echo of 64 bytes\n"
	      "  vs_best_raw      CPU time relative to the best raw server, round by round\n"
	      "  disturbed        runs that had to wait for their cores: not to be trusted\n",
	      to);
}

__attribute__((noreturn)) static void bad_usage(const char *what)
{
	fprintf(stderr, "echo: wrong or too much: %s; see --help\n", what);
	exit(2);
}

static void add_server(struct options *options, const char *name, char *path, char *mode)
{
	struct server *server = &options->servers[options->servers_len++];

	server->name = name;
	server->argv[0] = path;
	server->argv[1] = mode ? mode : "0";
	server->argv[2] = mode ? "0" : NULL;
	server->raw = mode != NULL;
}

static void add_named_server(struct options *options, char *arg)
{
	char *path = strchr(arg, '=');

	if (!path || path == arg || !path[1] || options->servers_len == MAX_SERVERS ||
	    path - arg > MAX_NAME || strcspn(arg, " \t\n") < (size_t) (path - arg))
		bad_usage(arg);
	*path = '\0';
	add_server(options, arg, path + 1, NULL);
}

static void add_case(struct options *options, const char *arg)
{
	struct load_case load;
	char end;

	if (sscanf(arg, "%ux%u%c", &load.conns, &load.bytes, &end) != 2 || !load.conns ||
	    !load.bytes || options->cases_len == MAX_CASES)
		bad_usage(arg);
	options->cases[options->cases_len++] = load;
}

static double number(const char *arg, double min, double max)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end || !(value >= min && value <= max))
		bad_usage(arg);
	return value;
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"server", required_argument, NULL, 's'},  {"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 't'}, {"case", required_argument, NULL, 'c'},
		{"all", no_argument, NULL, 'a'},           {"idle", required_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},          {0},
	};
	bool all = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 's':
			add_named_server(options, optarg);
			break;
		case 'r':
			options->rounds = (unsigned) number(optarg, 1, MAX_ROUNDS);
			break;
		case 't':
			options->seconds = number(optarg, 0.01, 3600);
			break;
		case 'c':
			add_case(options, optarg);
			break;
		case 'a':
			all = true;
			break;
		case 'i':
			options->idle = (unsigned) number(optarg, 1, MAX_IDLE);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			exit(2);
		}
	}
	if (optind < argc)
		bad_usage(argv[optind]);
	if (all || (!options->cases_len && !options->idle)) {
		add_case(options, "50x64");
		add_case(options, "1000x64");
		add_case(options, "50x16384");
	}
	if (all)
		add_case(options, "10000x64");
}

static void find_dir(struct options *options)
{
	ssize_t n = readlink("/proc/self/exe", options->dir, sizeof(options->dir));

	if (n < 0 || (size_t) n >= sizeof(options->dir))
		fail("/proc/self/exe: %s", n < 0 ? strerror(errno) : "too long");
	options->dir[n] = '\0';
	*strrchr(options->dir, '/') = '\0';
}

static void choose_cpus(void)
{
	cpu_set_t set;
	int found[2], n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		fail("sched_getaffinity: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET((unsigned) cpu, &set))
			found[n++] = cpu;
	if (n < 2) {
		fprintf(stderr, "echo: only one core: servers and echo_load share it\n");
		return;
	}
	server_cpu = found[0];
	load_cpu = found[1];
}

/* Each idle connection is one of ours, too. Servers and echo_load inherit it. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static struct options options = {.rounds = 5, .seconds = 1.0};
	static char raw[PATH_MAX + 16];

	find_dir(&options);
	snprintf(raw, sizeof(raw), "%s/echo_raw", options.dir);
	add_server(&options, "epoll", raw, "epoll");
	add_server(&options, "uring", raw, "uring");
	add_server(&options, "multishot", raw, "multishot");
	parse(&options, argc, argv);
	choose_cpus();
	if (options.idle)
		raise_file_limit();
	for (unsigned s = 0; options.idle && s < options.servers_len; s++)
		run_idle(&options, &options.servers[s]);
	for (unsigned i = 0; i < options.cases_len; i++) {
		const struct load_case *load = &options.cases[i];
		unsigned disturbed = run_case(&options, load);

		report_case(&options, load, disturbed);
	}
	return 0;
}
