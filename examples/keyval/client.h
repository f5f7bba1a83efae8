/* SPDX-License-Identifier: ISC */
/*
 * Connections: bytes in, requests to the commands, answers out.
 */
#ifndef KEYVAL_CLIENT_H
#define KEYVAL_CLIENT_H

#include "command.h"

#include <eio/eio.h>

/* What all connections share. */
struct clients {
	struct service service;
	struct eio_clock clock;
};

/* For so many domains: 0, or -ENOMEM and there is nothing to end. */
int clients_init(struct clients *clients, struct eio_clock clock, unsigned domains,
		 uint64_t random);

/* The time that commands go by, which each domain asks for after a wait. */
int64_t clients_now_ms(const struct clients *clients);

/* Frees work memory that nobody needed since the last time. */
void clients_trim(struct clients *clients);

/* Frees the store and what the connections left. */
void clients_fini(struct clients *clients);

/* Serves a connection of the clients that arg points to; in each domain there may be many. */
int client_serve(struct eio_flow conn, const struct eio_addr *peer, void *arg);

#endif
