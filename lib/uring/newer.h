/* SPDX-License-Identifier: ISC */
/*
 * What liburing 2.3's header lacks, by number. Opcodes have names of our own, since an enum
 * cannot be tested for; whether the running kernel has one is asked by eio__ring_has.
 */
#ifndef EIO__NEWER_H
#define EIO__NEWER_H

#include <liburing.h>

enum {
	EIO__OP_READ_MULTISHOT = 49,   /* Linux 6.7 */
	EIO__OP_WAITID = 50,           /* 6.7 */
	EIO__OP_FUTEX_WAIT = 51,       /* 6.7 */
	EIO__OP_FUTEX_WAKE = 52,       /* 6.7 */
	EIO__OP_FUTEX_WAITV = 53,      /* 6.7 */
	EIO__OP_FIXED_FD_INSTALL = 54, /* 6.8 */
	EIO__OP_FTRUNCATE = 55,        /* 6.9 */
	EIO__OP_BIND = 56,             /* 6.11 */
	EIO__OP_LISTEN = 57,           /* 6.11 */
	EIO__OP_RECV_ZC = 58,          /* 6.15 */
	EIO__OP_EPOLL_WAIT = 59,       /* 6.15 */
	EIO__OP_READV_FIXED = 60,      /* 6.15 */
	EIO__OP_WRITEV_FIXED = 61,     /* 6.15 */
	EIO__OP_PIPE = 62,             /* 6.16 */
};

/* A flag of newer headers' enum, which cannot be tested for either. */
enum { EIO__PBUF_RING_INC = 2 }; /* 6.12 */

/* What io_uring_register(2) can do. */
enum {
	EIO__REGISTER_PBUF_STATUS = 26, /* 6.8 */
	EIO__REGISTER_NAPI = 27,        /* 6.9 */
	EIO__UNREGISTER_NAPI = 28,      /* 6.9 */
	EIO__REGISTER_SYNC_MSG = 31,    /* 6.13; without a ring */
};

/* For EIO__REGISTER_PBUF_STATUS. */
struct eio__buffers_status {
	uint32_t group, head;
	uint32_t reserved[8];
};

/* For EIO__REGISTER_NAPI. */
struct eio__napi {
	uint32_t busy_poll_us;
	uint8_t prefer_busy_poll, zero_1[3];
	uint64_t zero_2;
};

#ifndef IORING_SETUP_HYBRID_IOPOLL
#define IORING_SETUP_HYBRID_IOPOLL (1U << 17) /* 6.13 */
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7) /* 6.15 */
#endif
#ifndef IORING_FEAT_RW_ATTR
#define IORING_FEAT_RW_ATTR (1U << 16) /* 6.14 */
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17) /* 6.15 */
#endif
#ifndef IORING_CQE_F_BUF_MORE
#define IORING_CQE_F_BUF_MORE (1U << 4) /* 6.12 */
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14) /* 6.10 */
#endif
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4) /* 6.10 */
#endif
#ifndef IORING_FEAT_REG_REG_RING
#define IORING_FEAT_REG_REG_RING (1U << 13) /* 6.3 */
#endif
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3) /* 6.2 */
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31) /* 6.2 */
#endif
#ifndef IORING_TIMEOUT_MULTISHOT
#define IORING_TIMEOUT_MULTISHOT (1U << 6) /* 6.4 */
#endif
#ifndef IORING_URING_CMD_MULTISHOT
#define IORING_URING_CMD_MULTISHOT (1U << 1) /* 6.18 */
#endif

#endif
