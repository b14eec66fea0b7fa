/* SPDX-License-Identifier: Apache-2.0
 *
 * The places of the simulated network, by name: which host runs there at present, who listens, and
 * from which other places it is cut off. A place outlives its hosts: a host that is started again
 * under the same name is still cut off.
 */
#ifndef MWI_SIM_NODE_H
#define MWI_SIM_NODE_H

#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>

#include "base/list.h"

struct mwi_sim_transport;
struct mwi_sim_cut_end;

/* `host` and `listener` are borrowed: the host takes itself and its transports out before it ends.
 */
struct mwi_sim_node {
    mw_sim_host *host;                  /* NULL: no host runs here */
    struct mwi_sim_transport *listener; /* NULL: connections are refused */
    struct mwi_list ends;               /* of connections, kept by net.c */
    size_t ends_count;
    struct mwi_sim_cut_end *cuts; /* kept by cut.c */
    size_t cuts_count;
    char name[];
};

/* All zero at the start. */
struct mwi_sim_node_table {
    struct mwi_sim_node **slots; /* NULL: a free slot */
    size_t slots_count;          /* a power of two, or 0 */
    size_t nodes_count;
};

/* Frees the table and its nodes, which must not be cut off from each other any more. */
void mwi_sim_node_fini(struct mwi_sim_node_table *table);

/* The node of that name, made if there is none yet; copies the name. NULL out of memory. Valid
 * until fini. */
struct mwi_sim_node *mwi_sim_node_get(struct mwi_sim_node_table *table, const char *name);

#endif
