/* SPDX-License-Identifier: ISC */
/*
 * What the tests of flows, files, the network and time share: a directory to work in,
 * files by plain calls, and waiting for conditions instead of times.
 */
#ifndef EIO_TEST_IO_UTIL_H
#define EIO_TEST_IO_UTIL_H

#include "support.h"
#include "uring/util.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Makes an empty directory the working directory, and removes it with all that is in it.
 * A failing test leaves its one behind. */
void enter_scratch(void);
void leave_scratch(void);

/* A RING_TEST in a directory of its own. */
#define DIR_TEST(name)                                                                             \
	static int name(void *arg);                                                                \
	START_TEST(name##_test)                                                                    \
	{                                                                                          \
		enter_scratch();                                                                   \
		run_ring(name, 0);                                                                 \
		leave_scratch();                                                                   \
	}                                                                                          \
	END_TEST                                                                                   \
	static int name(void *arg)

/* Files by plain calls; a file's content is the pattern of uring/util.h. */
void put_file(const char *path, size_t len);
void put_text(const char *path, const char *text);
void put_dir(const char *path);
void put_link(const char *path, const char *target);
void expect_text(const char *path, const char *text);

/* A directory with the names PREFIX-0 to PREFIX-(n-1), all of one file: that takes a tenth of
 * the time of so many files. */
void put_names(const char *dir, const char *prefix, unsigned n);

/* Removes it and what is in it. */
void put_away(const char *path);

bool exists(const char *path);

/* How many names a directory holds. */
unsigned count_names(const char *path);

/* A file of the working directory, closed at the end of @p sw: one that is there, to be read,
 * and one that is made if it is missing, to be written too. */
struct eio_flow file_to_read(struct eio_switch *sw, const char *path);
struct eio_flow file_to_write(struct eio_switch *sw, const char *path);

/* Lets the other fibers run until the condition is met. */
#define wait_until(condition)                                                                      \
	do {                                                                                       \
		while (!(condition))                                                               \
			expect_ok(eio_sleep(env->mono_clock, EIO_MS(1) / 4));                      \
	} while (0)

/* So many trips through the ring: what the fibers have queued is the kernel's by then. */
void trips(unsigned n);

/* The number of the descriptor below a flow. */
int flow_number(struct eio_flow f);

/* A pipe and two connected stream sockets as flows, closed at the end of @p sw. */
void flow_pipe(struct eio_switch *sw, struct eio_flow *r, struct eio_flow *w);
void flow_pair(struct eio_switch *sw, struct eio_flow *a, struct eio_flow *b);

/* The same by TCP over the loopback. */
void flow_tcp(struct eio_switch *sw, struct eio_flow *a, struct eio_flow *b);

/* An abstract Unix address of this process's own: "unix:@…". */
const char *own_name(void);

/* Are they the same address? */
void expect_same_addr(const struct eio_addr *a, const struct eio_addr *b);

/* The last error is about an operation on this address. */
void expect_failed_at(const char *op, const struct eio_addr *a);

/* Has the machine an IPv6 loopback? */
bool has_ipv6(void);

/* Counts the library's warnings from now on, keeping the last one. */
extern unsigned warnings;
extern char last_warning[512];
void count_warnings(void);

#endif
