/* SPDX-License-Identifier: ISC */
/*
 * The capabilities that main is handed, made of nothing.
 */
#ifndef EIO__IO_ENV_H
#define EIO__IO_ENV_H

#include <eio/flow.h>
#include <eio/fs.h>
#include <eio/net.h>
#include <eio/process.h>
#include <eio/time.h>

struct eio_net eio__net_uring(void);
struct eio_process_mgr eio__process_mgr(void);
struct eio_dir eio__dir_cwd(void);
struct eio_dir eio__dir_fs(void);
struct eio_clock eio__clock_wall(void);
struct eio_clock eio__clock_mono(void);
struct eio_flow eio__flow_random(void);

#endif
