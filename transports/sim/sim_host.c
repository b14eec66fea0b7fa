/* SPDX-License-Identifier: Apache-2.0
 *
 * The clock, the random numbers and the turns of a simulated host. A host never runs ahead of the
 * world: a host that computes for a while has its next turn later. So everything happens in the
 * order of time, and nothing ever has to be undone. A host has at most one turn on the agenda.
 *
 * A host that was killed gets one last turn at once, in which it never gives way again: where it
 * would wait or compute, only its own clock, ghost_now_ns, goes on.
 */
#include "sim_host.h"

#include <assert.h>

#include "base/time.h"

int64_t mwi_sim_host_now(const mw_sim_host *host)
{
    return host->is_killed && host->ghost_now_ns > host->sim->now_ns ? host->ghost_now_ns
                                                                     : host->sim->now_ns;
}

bool mwi_sim_host_is_silenced(const mw_sim *sim)
{
    return sim->is_ending || (sim->current != NULL && sim->current->is_killed);
}

void mwi_sim_host_put_turn(mw_sim_host *host, int64_t at_ns)
{
    assert(!host->has_ended && at_ns >= host->sim->now_ns);
    mwi_sim_agenda_put_turn(&host->sim->agenda, &host->turn, host->sim->now_ns, at_ns);
}

static void give_way(mw_sim_host *host)
{
    assert(host == host->sim->current);
    host->has_looked = false;
    mwi_coroutine_yield(host->coroutine);
    host->is_waiting = false;
}

void mwi_sim_host_wait(mw_sim_host *host, int64_t until_ns)
{
    if (host->is_killed)
        return;
    host->is_waiting = true;
    if (until_ns < INT64_MAX)
        mwi_sim_host_put_turn(host, until_ns);
    give_way(host);
}

void mwi_sim_host_wake(mw_sim_host *host)
{
    if (!host->is_waiting)
        return;
    host->is_waiting = false;
    mwi_sim_host_put_turn(host, host->sim->now_ns);
}

void mw_sim_spend(mw_sim *sim, int64_t duration_ns)
{
    mw_sim_host *host = sim->current;
    if (host == NULL || duration_ns <= 0)
        return;
    if (host->is_killed) {
        host->ghost_now_ns = mwi_time_after(host->ghost_now_ns, duration_ns);
        return;
    }
    mwi_sim_host_put_turn(host, mwi_time_after(sim->now_ns, duration_ns));
    give_way(host);
}

int64_t mw_sim_now(const mw_sim *sim)
{
    return sim->current != NULL ? mwi_sim_host_now(sim->current) : sim->now_ns;
}

/* splitmix64 (Steele, Lea and Flood): every seed is as good as any other. */
uint64_t mw_sim_random(mw_sim *sim)
{
    sim->random += 0x9e3779b97f4a7c15u;
    uint64_t mixed = sim->random;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

bool mw_sim_host_ended(const mw_sim_host *host, int *status)
{
    if (host->has_ended && status != NULL)
        *status = host->status;
    return host->has_ended;
}

const char *mw_sim_host_name(const mw_sim_host *host)
{
    return host->node->name;
}

mw_sim *mw_sim_host_world(const mw_sim_host *host)
{
    return host->sim;
}
