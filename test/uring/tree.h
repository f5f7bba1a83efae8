/* SPDX-License-Identifier: ISC */
/*
 * A tree of files to be confined in, made anew for each test and removed after it:
 *
 * base/            the directory that is the confinement
 *   file           "inside"
 *   sub/deep       "deep"
 *   to_file        -> file
 *   to_deep        -> sub/deep
 *   to_sub         -> sub
 *   up             -> ../secret
 *   out            -> ../outside
 *   absolute       -> <base>/file
 *   loop           -> loop
 *   dangling       -> nothing
 * secret           "outside"
 * outside/kept     "kept"
 */
#ifndef EIO_TEST_URING_TREE_H
#define EIO_TEST_URING_TREE_H

#include "support.h"

#include <eio/low_level.h>
#include <sys/types.h>

/* The path of something in the tree; good for the next three calls. */
const char *under(const char *name);

/* Writes a file in the tree, and whether it has this text. */
void put(const char *name, const char *text);
bool has_text(const char *name, const char *text);

/* Is there anything of this name, a symlink included? */
bool is_there(const char *name);

/* Another process exchanges two names in the tree, again and again, some million times at
 * most, until it is ended. */
pid_t exchange_begin(const char *a, const char *b);
void exchange_end(pid_t pid);

/* An open switch, and base as a handle opened with O_PATH. */
extern struct eio_switch sw;
extern struct eio_fd base;

/* Runs a test in a tree, with a ring. */
void run_in_tree(void (*test)(void));

#define TREE_TEST(name)                                                                            \
	static void name##_body(void);                                                             \
	START_TEST(name)                                                                           \
	{                                                                                          \
		run_in_tree(name##_body);                                                          \
	}                                                                                          \
	END_TEST                                                                                   \
	static void name##_body(void)

#endif
