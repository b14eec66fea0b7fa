/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of cuts, one in each place. net.c asks when a connection is made, fault.c makes and ends
 * cuts, world.c destroys them.
 *
 * Invariants: a cut is in the lists of both its places, and two places have at most one cut.
 * Finding one takes no longer than the shorter list, so a master that is cut off from thousands of
 * slaves costs each of them nothing. A cut that lets something through is a field of struct
 * mwi_sim_cut, which fault.c and net.c obey.
 */
#include "cut.h"

#include <assert.h>
#include <stdlib.h>

struct mwi_sim_cut *mwi_sim_cut_find(const struct mwi_sim_node *here,
                                     const struct mwi_sim_node *there)
{
    const struct mwi_sim_node *fewer = here->cuts_count < there->cuts_count ? here : there;
    const struct mwi_sim_node *other = fewer == here ? there : here;
    for (struct mwi_sim_cut_end *end = fewer->cuts; end != NULL; end = end->next)
        if (end->other == other)
            return end->cut;
    return NULL;
}

static void link_end(struct mwi_sim_cut *cut, int i, struct mwi_sim_node *node,
                     struct mwi_sim_node *other)
{
    struct mwi_sim_cut_end *end = &cut->ends[i];
    *end = (struct mwi_sim_cut_end){.next = node->cuts, .node = node, .other = other, .cut = cut};
    if (node->cuts != NULL)
        node->cuts->previous = end;
    node->cuts = end;
    node->cuts_count++;
}

static void unlink_end(struct mwi_sim_cut_end *end)
{
    assert(end->node->cuts_count > 0);
    if (end->previous != NULL)
        end->previous->next = end->next;
    else
        end->node->cuts = end->next;
    if (end->next != NULL)
        end->next->previous = end->previous;
    end->node->cuts_count--;
}

struct mwi_sim_cut *mwi_sim_cut_get(struct mwi_sim_node *here, struct mwi_sim_node *there)
{
    assert(here != there);
    struct mwi_sim_cut *cut = mwi_sim_cut_find(here, there);
    if (cut != NULL)
        return cut;
    cut = malloc(sizeof *cut);
    if (cut == NULL)
        return NULL;
    link_end(cut, 0, here, there);
    link_end(cut, 1, there, here);
    return cut;
}

void mwi_sim_cut_destroy(struct mwi_sim_cut *cut)
{
    unlink_end(&cut->ends[0]);
    unlink_end(&cut->ends[1]);
    free(cut);
}

void mwi_sim_cut_destroy_all(struct mwi_sim_node_table *table)
{
    for (size_t i = 0; i < table->slots_count; i++)
        while (table->slots[i] != NULL && table->slots[i]->cuts != NULL)
            mwi_sim_cut_destroy(table->slots[i]->cuts->cut);
}
