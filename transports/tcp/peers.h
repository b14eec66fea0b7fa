/* SPDX-License-Identifier: Apache-2.0
 *
 * From a peer's number to its connection. Numbers count up from 1 and are never given twice.
 */
#ifndef MWI_TCP_PEERS_H
#define MWI_TCP_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include <mw/transport.h>

struct mwi_tcp_conn;
struct mwi_tcp_peers_slot;

/* All zero is an empty map. */
struct mwi_tcp_peers {
    struct mwi_tcp_peers_slot *slots;
    size_t capacity; /* 0 or a power of two, at least twice the count */
    size_t count;
    mw_peer last;
};

/* Gives the connection the next number, *peer; false if memory is out. */
bool mwi_tcp_peers_add(struct mwi_tcp_peers *peers, struct mwi_tcp_conn *conn, mw_peer *peer);

/* NULL if there is none. */
struct mwi_tcp_conn *mwi_tcp_peers_find(const struct mwi_tcp_peers *peers, mw_peer peer);

/* One that is not there: nothing happens. */
void mwi_tcp_peers_remove(struct mwi_tcp_peers *peers, mw_peer peer);

void mwi_tcp_peers_clear(struct mwi_tcp_peers *peers);

#endif
