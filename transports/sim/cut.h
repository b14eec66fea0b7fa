/* SPDX-License-Identifier: Apache-2.0
 *
 * Which places are cut off from each other. mw_sim_cut and mw_sim_heal themselves are in mw/sim.h.
 */
#ifndef MWI_SIM_CUT_H
#define MWI_SIM_CUT_H

#include <stdint.h>

#include "node.h"

/* A cut as each of its two places has it in its list. */
struct mwi_sim_cut_end {
    struct mwi_sim_cut_end *previous, *next;
    struct mwi_sim_node *node, *other;
    struct mwi_sim_cut *cut;
};

struct mwi_sim_cut {
    struct mwi_sim_cut_end ends[2];
    int64_t notice_ns;
};

/* The cut between the two places, NULL if there is none. */
struct mwi_sim_cut *mwi_sim_cut_find(const struct mwi_sim_node *a, const struct mwi_sim_node *b);

/* Frees the cuts of a place that is about to be freed. */
void mwi_sim_cut_fini(struct mwi_sim_node *node);

#endif
