/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave registry of a master: who is connected, in which state, with which tasks. A client is
 * entered when the transport announces it; it gets an id, SLAVE-n, when it has greeted. Ids count
 * up and are never reused.
 */
#ifndef MWI_SLAVES_H
#define MWI_SLAVES_H

#include <stdint.h>

#include <mw/transport.h>

#include "list.h"
#include "map.h"
#include "state.h"
#include "timers.h"

#define MWI_NO_SID UINT32_MAX

struct mwi_slave {
    struct mwi_list link; /* in the registry's list of its state */
    mw_peer peer;
    const char *transport; /* constant */
    char *address;
    uint32_t sid; /* MWI_NO_SID until it has greeted */
    enum mwi_slave_state state;
    enum mwi_slave_group group;
    struct mwi_list running; /* its tasks in the order in which they were sent */
    size_t running_count;
    size_t frame_bytes_max; /* what it accepts */
    uint64_t results_count;
    struct mwi_timer greeting;
};

struct mwi_slaves {
    struct mwi_map by_peer;
    struct mwi_list lists[MWI_SLAVE_STATES_COUNT];
    size_t counts[MWI_SLAVE_STATES_COUNT];
    char **names; /* by sid, kept after the slave is gone */
    uint32_t names_count;
};

void mwi_slaves_init(struct mwi_slaves *slaves);
void mwi_slaves_fini(struct mwi_slaves *slaves);

/* Enters a client in state CONNECTING; copies the address. NULL out of memory. */
struct mwi_slave *mwi_slaves_add(struct mwi_slaves *slaves, mw_peer peer, const char *transport,
                                 const char *address);

/* NULL if the peer is none of ours (any more). */
struct mwi_slave *mwi_slaves_find(const struct mwi_slaves *slaves, mw_peer peer);

/* Gives the client the next id; false out of memory. */
bool mwi_slaves_name(struct mwi_slaves *slaves, struct mwi_slave *slave);

/* "SLAVE-3"; valid as long as the registry. */
const char *mwi_slaves_id(const struct mwi_slaves *slaves, uint32_t sid);

/* The one way to change a slave's state. A DISCONNECTED one is known no more, but its memory stays
 * until mwi_slaves_reap. */
void mwi_slaves_move(struct mwi_slaves *slaves, struct mwi_slave *slave,
                     enum mwi_slave_state state);

/* The first slave in that state, longest in it; NULL if there is none. */
struct mwi_slave *mwi_slaves_first(const struct mwi_slaves *slaves, enum mwi_slave_state state);

/* Frees the disconnected. */
void mwi_slaves_reap(struct mwi_slaves *slaves);

/* Those that have greeted and are not told to stop. */
size_t mwi_slaves_ready_count(const struct mwi_slaves *slaves);

#endif
