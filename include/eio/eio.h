/* SPDX-License-Identifier: ISC */
/*
 * eio: blocking-style I/O in fibers on io_uring. Everything but direct access to the
 * ring, which is <eio/low_level.h>.
 */
#ifndef EIO_H
#define EIO_H

#include <eio/addr.h>
#include <eio/api.h>
#include <eio/buf_read.h>
#include <eio/buf_write.h>
#include <eio/cancel.h>
#include <eio/child.h>
#include <eio/config.h>
#include <eio/debug.h>
#include <eio/dgram.h>
#include <eio/domain.h>
#include <eio/error.h>
#include <eio/event.h>
#include <eio/executor.h>
#include <eio/fd.h>
#include <eio/fiber.h>
#include <eio/file.h>
#include <eio/flow.h>
#include <eio/fs.h>
#include <eio/local.h>
#include <eio/log.h>
#include <eio/mock.h>
#include <eio/net.h>
#include <eio/pool.h>
#include <eio/process.h>
#include <eio/promise.h>
#include <eio/pty.h>
#include <eio/receiver.h>
#include <eio/resolve.h>
#include <eio/run.h>
#include <eio/seq.h>
#include <eio/signal.h>
#include <eio/sockopt.h>
#include <eio/stream.h>
#include <eio/switch.h>
#include <eio/sync.h>
#include <eio/time.h>

#endif
