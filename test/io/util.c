/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <dirent.h>
#include <eio/log.h>
#include <eio/low_level.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Large blocks are mappings of their own, gone when they are freed. In a forked process a
 * heap that grows is one mapping more. */
__attribute__((constructor)) static void keep_heap_small(void)
{
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

/* Directories and files */

static char scratch[] = "/tmp/eio-test-XXXXXX";

void enter_scratch(void)
{
	strcpy(scratch + sizeof(scratch) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chdir(scratch), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void) st, (void) flag, (void) ftw;
	return remove(path);
}

void put_away(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void leave_scratch(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	put_away(scratch);
}

static void put(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(write(fd, data, len), (ssize_t) len);
	close(fd);
}

void put_file(const char *path, size_t len)
{
	char *data = malloc(len + 1);

	fill(data, len, 0);
	put(path, data, len);
	free(data);
}

void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

void put_dir(const char *path)
{
	ck_assert_msg(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
}

void put_names(const char *dir, const char *prefix, unsigned n)
{
	char name[256], first[256];
	int at;

	put_dir(dir);
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(at, 0);
	snprintf(first, sizeof(first), "%s-0", prefix);
	if (n > 0)
		ck_assert_int_eq(mknodat(at, first, S_IFREG | 0600, 0), 0);
	for (unsigned i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%u", prefix, i);
		if (linkat(at, first, at, name, 0) < 0)
			ck_abort_msg("%s: %s", name, strerror(errno));
	}
	close(at);
}

void put_link(const char *path, const char *target)
{
	ck_assert_msg(symlink(target, path) == 0, "%s: %s", path, strerror(errno));
}

void expect_text(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char found[4096];
	ssize_t n;

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	n = read(fd, found, sizeof(found) - 1);
	ck_assert_int_ge(n, 0);
	found[n] = 0;
	close(fd);
	ck_assert_str_eq(found, text);
}

bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

unsigned count_names(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

struct eio_flow file_to_read(struct eio_switch *sw, const char *path)
{
	struct eio_flow f;

	expect_ok(eio_fs_open_in(env->cwd, sw, path, &f));
	return f;
}

struct eio_flow file_to_write(struct eio_switch *sw, const char *path)
{
	struct eio_flow f;

	expect_ok(eio_fs_open_out(env->cwd, sw, path, NULL, &f));
	return f;
}

/* Flows */

void trips(unsigned n)
{
	while (n--)
		expect_ok(eio_ll_noop());
}

int flow_number(struct eio_flow f)
{
	struct eio_fd fd;

	expect_ok(eio_flow_fd(f, &fd));
	return number(fd);
}

void flow_pipe(struct eio_switch *sw, struct eio_flow *r, struct eio_flow *w)
{
	expect_ok(eio_pipe(sw, r, w));
}

void flow_pair(struct eio_switch *sw, struct eio_flow *a, struct eio_flow *b)
{
	struct eio_fd one, other;

	pair_on(sw, &one, &other);
	*a = eio_flow_of_fd(one);
	*b = eio_flow_of_fd(other);
}

void flow_tcp(struct eio_switch *sw, struct eio_flow *a, struct eio_flow *b)
{
	struct eio_listener l;
	struct eio_addr at;

	expect_ok(eio_addr_parse(&at, "127.0.0.1:0"));
	expect_ok(eio_net_listen(env->net, NULL, &at, NULL, &l));
	expect_ok(eio_listener_addr(l, &at));
	expect_ok(eio_net_connect(env->net, sw, &at, NULL, a));
	expect_ok(eio_net_accept(l, sw, b, NULL));
	expect_ok(eio_listener_close(l));
}

const char *own_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "unix:@eio-test-%d", (int) getpid());
	return name;
}

void expect_same_addr(const struct eio_addr *a, const struct eio_addr *b)
{
	char one[EIO_ADDR_TEXT], other[EIO_ADDR_TEXT];

	ck_assert_msg(eio_addr_equal(a, b), "%s, %s", eio_addr_format(a, one, sizeof(one)),
		      eio_addr_format(b, other, sizeof(other)));
}

void expect_failed_at(const char *op, const struct eio_addr *a)
{
	char text[EIO_ADDR_TEXT];

	ck_assert_str_eq(eio_last_error()->op, op);
	ck_assert_str_eq(eio_last_error()->subject, eio_addr_format(a, text, sizeof(text)));
}

bool has_ipv6(void)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *) &in, sizeof(in)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

/* Warnings */

unsigned warnings;
char last_warning[512];

static void count(int level, const char *msg, void *arg)
{
	(void) arg;
	ck_assert_int_eq(level, EIO_LOG_WARNING);
	__atomic_add_fetch(&warnings, 1, __ATOMIC_RELAXED);
	snprintf(last_warning, sizeof(last_warning), "%s", msg);
}

void count_warnings(void)
{
	eio_set_log(count, NULL);
}
