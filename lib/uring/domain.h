/* SPDX-License-Identifier: ISC */
/*
 * The manager of real domains (see <eio/domain.h>).
 */
#ifndef EIO__URING_DOMAIN_H
#define EIO__URING_DOMAIN_H

#include <eio/domain.h>

struct eio_domain_mgr eio__domain_mgr_uring(void);

#endif
