/* SPDX-License-Identifier: ISC */
/*
 * Connections: bytes in, requests to the commands, answers out.
 */
#ifndef KEYVAL_CLIENT_H
#define KEYVAL_CLIENT_H

#include "command.h"

#include <eio/eio.h>

struct work;

/* What all connections share. */
struct clients {
	struct service service;
	struct eio_clock clock;
	uint64_t last_id;
	struct work *spare;          /* last in, first out: it is still in the cache */
	size_t n_spare, least_spare; /* the least since clients_trim */
};

/* Sets the store's clock; for who goes on after a wait. */
void clients_tick(struct clients *clients);

/* Frees work memory that nobody needed since the last time. */
void clients_trim(struct clients *clients);

/* Frees what the connections left. */
void clients_fini(struct clients *clients);

/* Serves a connection of the clients that arg points to. */
int client_serve(struct eio_flow conn, const struct eio_addr *peer, void *arg);

#endif
