/* SPDX-License-Identifier: ISC */
/*
 * What a group of buffers knows of its iterators.
 */
#ifndef EIO__VIEWS_H
#define EIO__VIEWS_H

struct eio__buffers;

/* A buffer was offered: all that wait for one try again. */
void eio__views_feed(struct eio__buffers *g);

#endif
