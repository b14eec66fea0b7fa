/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions by which a test makes faults: it kills a host, cuts two places off from
 * each other, and ends the cut. Faults of a simulated disk are in sim_disk.c. A new fault belongs
 * here if it is about hosts and their connections; the part that concerns one connection belongs in
 * net.c. A host that is killed itself can cause no fault.
 */
#include <mw/sim.h>

#include "cut.h"
#include "net.h"
#include "sim_host.h"

void mw_sim_kill(mw_sim_host *host)
{
    if (host->has_ended || host->is_killed || mwi_sim_host_is_silenced(host->sim))
        return;
    mwi_sim_net_leave_host(host, "connection reset by the peer");
    host->is_killed = true;
    host->is_waiting = false;
    host->ghost_now_ns = host->sim->now_ns;
    if (host != host->sim->current)
        mwi_sim_host_put_turn(host, host->sim->now_ns);
}

static bool is_held_by_transport(const struct mwi_sim_end *end)
{
    return end->transport != NULL || mwi_sim_net_other(end)->transport != NULL;
}

/* Cuts the connections between the two places; heals them if `cut` is NULL. It takes no longer than
 * the place with fewer connections has. */
static void change_connections(const struct mwi_sim_node *here, const struct mwi_sim_node *there,
                               const struct mwi_sim_cut *cut)
{
    const struct mwi_sim_node *fewer = here->ends_count < there->ends_count ? here : there;
    const struct mwi_sim_node *other = fewer == here ? there : here;
    for (struct mwi_list *link = fewer->ends.next; link != &fewer->ends; link = link->next) {
        const struct mwi_sim_end *end = MWI_LIST_ENTRY(link, struct mwi_sim_end, node_link);
        if (mwi_sim_net_other(end)->node != other || !is_held_by_transport(end))
            continue;
        if (cut != NULL)
            mwi_sim_net_cut(end->connection, cut->notice_ns);
        else
            mwi_sim_net_heal(end->connection);
    }
}

mw_error mw_sim_cut(mw_sim_host *one, mw_sim_host *other, int64_t notice_ns)
{
    if (one->sim != other->sim || one->node == other->node || notice_ns < 0)
        return MW_EINVAL;
    if (mwi_sim_host_is_silenced(one->sim))
        return MW_ESTATE;
    struct mwi_sim_cut *cut = mwi_sim_cut_get(one->node, other->node);
    if (cut == NULL)
        return MW_ENOMEM;
    cut->notice_ns = notice_ns;
    change_connections(one->node, other->node, cut);
    return MW_OK;
}

void mw_sim_heal(mw_sim_host *one, mw_sim_host *other)
{
    struct mwi_sim_cut *cut = mwi_sim_cut_find(one->node, other->node);
    if (cut == NULL || mwi_sim_host_is_silenced(one->sim))
        return;
    mwi_sim_cut_destroy(cut);
    change_connections(one->node, other->node, NULL);
}
