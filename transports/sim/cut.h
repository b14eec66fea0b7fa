/* SPDX-License-Identifier: Apache-2.0
 *
 * Which places are cut off from each other. This room only remembers it: the network asks when a
 * connection is made, and fault.c holds back the connections that exist.
 */
#ifndef MWI_SIM_CUT_H
#define MWI_SIM_CUT_H

#include <stdint.h>

#include "node.h"

/* A cut as one of its two places has it in its list. */
struct mwi_sim_cut_end {
    struct mwi_sim_cut_end *previous, *next;
    struct mwi_sim_node *node, *other;
    struct mwi_sim_cut *cut;
};

struct mwi_sim_cut {
    struct mwi_sim_cut_end ends[2];
    int64_t notice_ns; /* how long a connection is held back before both its ends go down */
};

/* The cut between the two places, NULL if there is none. Valid until it is destroyed. */
struct mwi_sim_cut *mwi_sim_cut_find(const struct mwi_sim_node *here,
                                     const struct mwi_sim_node *there);

/* The cut between two different places, made if there is none yet. NULL out of memory. */
struct mwi_sim_cut *mwi_sim_cut_get(struct mwi_sim_node *here, struct mwi_sim_node *there);

void mwi_sim_cut_destroy(struct mwi_sim_cut *cut);

/* Destroys all cuts between the places of the table. */
void mwi_sim_cut_destroy_all(struct mwi_sim_node_table *table);

#endif
