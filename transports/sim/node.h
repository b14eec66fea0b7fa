/* SPDX-License-Identifier: Apache-2.0
 *
 * The places of the simulated network, by name: which host runs there at present, who listens, and
 * from which other places it is cut off. A place outlives its hosts: one that is started again
 * under the same name is still cut off.
 */
#ifndef MWI_SIM_NODE_H
#define MWI_SIM_NODE_H

#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>

struct mwi_sim_transport;
struct mwi_sim_cut_end;

struct mwi_sim_node {
    mw_sim_host *host;                  /* NULL: none runs */
    struct mwi_sim_transport *listener; /* NULL: connections are refused */
    struct mwi_sim_cut_end *cuts;
    size_t cuts_count;
    char name[];
};

/* All zero at the start. */
struct mwi_sim_nodes {
    struct mwi_sim_node **slots;
    size_t slots_count, count;
};

void mwi_sim_nodes_fini(struct mwi_sim_nodes *nodes);

/* The place of that name, made if need be; NULL out of memory. Valid until fini. */
struct mwi_sim_node *mwi_sim_node_get(struct mwi_sim_nodes *nodes, const char *name);

#endif
