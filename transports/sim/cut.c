/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts between places. A cut is in the lists of both its places, so that finding one takes no
 * longer than the shorter list: a master cut off from thousands of slaves costs each of them
 * nothing.
 */
#include "cut.h"

#include <stdlib.h>

#include "net.h"
#include "world.h"

struct mwi_sim_cut *mwi_sim_cut_find(const struct mwi_sim_node *a, const struct mwi_sim_node *b)
{
    const struct mwi_sim_node *fewer = a->cuts_count < b->cuts_count ? a : b;
    const struct mwi_sim_node *other = fewer == a ? b : a;

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
    if (end->previous != NULL)
        end->previous->next = end->next;
    else
        end->node->cuts = end->next;
    if (end->next != NULL)
        end->next->previous = end->previous;
    end->node->cuts_count--;
}

static struct mwi_sim_cut *create_cut(struct mwi_sim_node *a, struct mwi_sim_node *b)
{
    struct mwi_sim_cut *cut = malloc(sizeof *cut);

    if (cut == NULL)
        return NULL;
    link_end(cut, 0, a, b);
    link_end(cut, 1, b, a);
    return cut;
}

static void destroy_cut(struct mwi_sim_cut *cut)
{
    unlink_end(&cut->ends[0]);
    unlink_end(&cut->ends[1]);
    free(cut);
}

void mwi_sim_cut_fini(struct mwi_sim_node *node)
{
    while (node->cuts != NULL)
        destroy_cut(node->cuts->cut);
}

/* Cuts or heals the connections that the host at `here` has with the place `there`. One that both
 * hosts hold is met twice, which does no harm. */
static void change_connections(const struct mwi_sim_node *here, const struct mwi_sim_node *there,
                               const struct mwi_sim_cut *cut)
{
    const struct mwi_sim_transport *t = here->host != NULL ? here->host->transports : NULL;

    for (; t != NULL; t = t->next)
        for (struct mwi_sim_end *end = t->ends; end != NULL; end = end->next) {
            if (mwi_sim_net_other(end)->node != there)
                continue;
            if (cut != NULL)
                mwi_sim_net_cut(end->connection, cut->notice_ns);
            else
                mwi_sim_net_heal(end->connection);
        }
}

mw_error mw_sim_cut(mw_sim_host *a, mw_sim_host *b, int64_t notice_ns)
{
    struct mwi_sim_cut *cut;

    if (a->sim != b->sim || a->node == b->node || notice_ns < 0)
        return MW_EINVAL;
    if (mwi_sim_is_silenced(a->sim))
        return MW_ESTATE;
    cut = mwi_sim_cut_find(a->node, b->node);
    if (cut == NULL)
        cut = create_cut(a->node, b->node);
    if (cut == NULL)
        return MW_ENOMEM;
    cut->notice_ns = notice_ns;
    change_connections(a->node, b->node, cut);
    change_connections(b->node, a->node, cut);
    return MW_OK;
}

void mw_sim_heal(mw_sim_host *a, mw_sim_host *b)
{
    struct mwi_sim_cut *cut = mwi_sim_cut_find(a->node, b->node);

    if (cut == NULL || mwi_sim_is_silenced(a->sim))
        return;
    destroy_cut(cut);
    change_connections(a->node, b->node, NULL);
    change_connections(b->node, a->node, NULL);
}
