/* SPDX-License-Identifier: Apache-2.0
 *
 * An open hash table with linear probing. The low bits of the number are its place: numbers that
 * count up spread themselves evenly. A removed entry's followers are moved up, so there are no
 * tombstones, and a free slot (peer 0) always ends a search.
 */
#include "peers.h"

#include <stdlib.h>

#define FIRST_CAPACITY 16

struct mwi_tcp_peers_slot {
    mw_peer peer;
    struct mwi_tcp_conn *conn;
};

/* The slot of the peer, or the free one where it would go. */
static size_t find_slot(const struct mwi_tcp_peers *peers, mw_peer peer)
{
    size_t mask = peers->capacity - 1;
    size_t at = (size_t)peer & mask;

    while (peers->slots[at].peer != 0 && peers->slots[at].peer != peer)
        at = (at + 1) & mask;
    return at;
}

static bool grow(struct mwi_tcp_peers *peers)
{
    struct mwi_tcp_peers larger = *peers;

    larger.capacity = peers->capacity > 0 ? 2 * peers->capacity : FIRST_CAPACITY;
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < peers->capacity; i++)
        if (peers->slots[i].peer != 0)
            larger.slots[find_slot(&larger, peers->slots[i].peer)] = peers->slots[i];
    free(peers->slots);
    *peers = larger;
    return true;
}

bool mwi_tcp_peers_add(struct mwi_tcp_peers *peers, struct mwi_tcp_conn *conn, mw_peer *peer)
{
    if (2 * (peers->count + 1) > peers->capacity && !grow(peers))
        return false;
    *peer = ++peers->last;
    peers->slots[find_slot(peers, *peer)] = (struct mwi_tcp_peers_slot){*peer, conn};
    peers->count++;
    return true;
}

struct mwi_tcp_conn *mwi_tcp_peers_find(const struct mwi_tcp_peers *peers, mw_peer peer)
{
    if (peers->capacity == 0 || peer == 0)
        return NULL;
    return peers->slots[find_slot(peers, peer)].conn;
}

void mwi_tcp_peers_remove(struct mwi_tcp_peers *peers, mw_peer peer)
{
    if (mwi_tcp_peers_find(peers, peer) == NULL)
        return;
    size_t mask = peers->capacity - 1;
    size_t hole = find_slot(peers, peer);
    for (size_t at = (hole + 1) & mask; peers->slots[at].peer != 0; at = (at + 1) & mask) {
        size_t home = (size_t)peers->slots[at].peer & mask;
        /* An entry may move into the hole if its home is not between the hole and itself. */
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            peers->slots[hole] = peers->slots[at];
            hole = at;
        }
    }
    peers->slots[hole] = (struct mwi_tcp_peers_slot){0, NULL};
    peers->count--;
}

void mwi_tcp_peers_clear(struct mwi_tcp_peers *peers)
{
    free(peers->slots);
    peers->slots = NULL;
    peers->capacity = 0;
    peers->count = 0;
}
