/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world: its clock, its hosts and their turns. Only one host runs at a time, and only
 * at the world's present time; between its turns it waits in mwi_sim_host_wait or computes in
 * mw_sim_spend.
 */
#ifndef MWI_SIM_WORLD_H
#define MWI_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <mw/sim.h>

#include "agenda.h"
#include "coroutine.h"
#include "node.h"

struct mwi_sim_transport;
struct mwi_sim_connection;

struct mw_sim {
    int64_t now_ns;
    struct mwi_sim_agenda agenda;
    struct mwi_sim_nodes nodes;
    struct mwi_coroutine_pool coroutines;
    uint64_t random;
    int64_t delay_min_ns, delay_max_ns;
    mw_sim_host *current; /* NULL: none runs, the world does */
    mw_sim_host *hosts, **hosts_end;
    size_t running_count;
    struct mwi_sim_connection *connections;
    bool ending;
};

struct mw_sim_host {
    struct mwi_sim_event turn; /* first, so that the event is the host */
    mw_sim *sim;
    mw_sim_host *next;
    struct mwi_sim_node *node;
    mw_sim_main *main;
    void *context;
    struct mwi_coroutine *coroutine;
    struct mwi_sim_transport *transports;
    int64_t ghost_now_ns; /* the clock of a killed host, which has no part in the world's time */
    int status;
    bool waiting; /* an arrival gives it a turn */
    bool looked;  /* it has polled without waiting, and has not waited since */
    bool begun, killed, ended;
};

/* The host's clock. */
int64_t mwi_sim_host_now(const mw_sim_host *host);

/* In the running host: gives way until something arrives for it or it is `until_ns`. INT64_MAX:
 * only an arrival will do. Returns at once if the host is killed, also while it waits. */
void mwi_sim_host_wait(mw_sim_host *host, int64_t until_ns);

/* Something has arrived for the host. */
void mwi_sim_host_wake(mw_sim_host *host);

/* Whether the host that runs is killed, so that what it wants to do to the world is not done. */
bool mwi_sim_is_silenced(const mw_sim *sim);

#endif
