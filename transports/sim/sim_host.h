/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world and its hosts as the rooms above see them: the clock, the agenda, chance, and
 * the turns of hosts. Only one host runs at a time, and only at the world's present time. Between
 * its turns a host waits in mwi_sim_host_wait or computes in mw_sim_spend. The public functions
 * that ask about hosts and the world are here too; world.c starts and ends both.
 */
#ifndef MWI_SIM_HOST_H
#define MWI_SIM_HOST_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>

#include "agenda.h"
#include "base/coroutine.h"
#include "node.h"

struct mwi_sim_transport;
struct mwi_sim_disk;

struct mw_sim {
    int64_t now_ns;
    struct mwi_sim_agenda agenda;
    struct mwi_sim_node_table nodes;
    struct mwi_coroutine_pool coroutines;
    uint64_t random;                    /* the state of mw_sim_random */
    int64_t delay_min_ns, delay_max_ns; /* how long a frame is under way */
    mw_sim_host *current;               /* the host that runs; NULL: the world itself does */
    mw_sim_host *hosts, **hosts_end;    /* all, in the order in which they were started */
    size_t running_count;
    struct mwi_sim_disk *disks; /* kept by sim_disk.c */
    bool is_ending;             /* in mw_sim_destroy: hosts are unwound */
};

/* The fields that each turn needs come first, in one line of the cache. */
struct mw_sim_host {
    alignas(64) struct mwi_sim_turn turn; /* first, so that its event is the host */
    mw_sim *sim;
    struct mwi_coroutine *coroutine; /* NULL when it has ended */
    bool is_waiting;                 /* an arrival gives it a turn */
    bool has_looked;                 /* it has polled without waiting, and has not waited since */
    bool has_begun, is_killed, has_ended;
    mw_sim_host *next;
    struct mwi_sim_node *node;
    mw_sim_main *main;
    void *context;                        /* of main, borrowed until it returns */
    struct mwi_sim_transport *transports; /* those that it has opened; kept by sim.c */
    int64_t ghost_now_ns; /* the clock of a killed host, which has no part in the world's time */
    int status;           /* when it has ended */
};

/* The host's clock. */
int64_t mwi_sim_host_now(const mw_sim_host *host);

/* Gives the host its next turn at `at_ns`, in place of one that it has before it. */
void mwi_sim_host_put_turn(mw_sim_host *host, int64_t at_ns);

/* In the running host: gives way until something arrives for it or it is `until_ns`. INT64_MAX:
 * only an arrival ends the wait. Returns at once if the host is killed, also while it waits. */
void mwi_sim_host_wait(mw_sim_host *host, int64_t until_ns);

/* Something has arrived for the host: if it waits, it gets a turn now. */
void mwi_sim_host_wake(mw_sim_host *host);

/* Whether the world must not be changed any more: it is ending, or the host that runs is killed. */
bool mwi_sim_host_is_silenced(const mw_sim *sim);

#endif
