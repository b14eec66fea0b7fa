/* SPDX-License-Identifier: Apache-2.0
 *
 * Worlds: made, moved and ended, with the hosts in them. The world takes the earliest event off its
 * agenda, sets its clock and fires it. Such an event is a host's turn, the next arrival on a
 * connection, the notice of a cut, or an act of mw_sim_at. To add a kind of event, embed a struct
 * mwi_sim_event in the object that it concerns and reserve room for it on the agenda.
 *
 * Invariants: the clock never goes back; events of one time fire in the order in which they were
 * arranged; only one host runs at a time. So a seed always gives the same run.
 *
 * This is the top room of the simulator beside the transport: it may call all others.
 */
#include <mw/sim.h>

#include <assert.h>
#include <stdlib.h>

#include "cut.h"
#include "net.h"
#include "sim_disk.h"
#include "sim_host.h"

#define DELAY_MIN_DEFAULT_NS 50000
#define DELAY_MAX_DEFAULT_NS 200000
#define STACK_BYTES_DEFAULT (256u * 1024)
#define STACK_BYTES_MIN (32u * 1024)
#define KILLED_STATUS (-9)

static void set_config(mw_sim *sim, const mw_sim_config *config)
{
    bool is_default = config->delay_min_ns == 0 && config->delay_max_ns == 0;
    size_t stack_bytes = config->stack_bytes != 0 ? config->stack_bytes : STACK_BYTES_DEFAULT;
    sim->random = config->seed;
    sim->delay_min_ns = is_default ? DELAY_MIN_DEFAULT_NS : config->delay_min_ns;
    sim->delay_max_ns = is_default ? DELAY_MAX_DEFAULT_NS : config->delay_max_ns;
    if (sim->delay_max_ns < sim->delay_min_ns)
        sim->delay_max_ns = sim->delay_min_ns;
    sim->coroutines.stack_bytes = stack_bytes < STACK_BYTES_MIN ? STACK_BYTES_MIN : stack_bytes;
}

mw_error mw_sim_create(mw_sim **sim, const mw_sim_config *config)
{
    if (config->delay_min_ns < 0 || config->delay_max_ns < 0)
        return MW_EINVAL;
    mw_sim *made = calloc(1, sizeof *made);
    if (made == NULL)
        return MW_ENOMEM;
    mwi_sim_agenda_init(&made->agenda);
    made->hosts_end = &made->hosts;
    set_config(made, config);
    *sim = made;
    return MW_OK;
}

static void run_main(void *context)
{
    mw_sim_host *host = context;
    host->status = host->main(host, host->context);
}

static void end_host(mw_sim_host *host)
{
    mw_sim *sim = host->sim;
    assert(!host->has_ended && sim->running_count > 0);
    if (host->is_killed)
        host->status = KILLED_STATUS;
    else
        mwi_sim_net_leave_host(host, "closed by the peer");
    host->has_ended = true;
    mwi_coroutine_put(&sim->coroutines, host->coroutine);
    host->coroutine = NULL;
    mwi_sim_agenda_release(&sim->agenda, 1);
    sim->running_count--;
}

/* A host that was killed before its first turn never runs. */
static void take_turn(mw_sim *sim, struct mwi_sim_event *event)
{
    mw_sim_host *host = (mw_sim_host *)event;
    mw_sim_host *before = sim->current;
    bool goes_on = false;
    if (host->has_begun || !host->is_killed) {
        host->has_begun = true;
        sim->current = host;
        goes_on = mwi_coroutine_resume(host->coroutine);
        sim->current = before;
    }
    if (!goes_on)
        end_host(host);
}

static mw_sim_host *make_host(mw_sim *sim, struct mwi_sim_node *node, mw_sim_main *run,
                              void *context)
{
    mw_sim_host *host = aligned_alloc(alignof(mw_sim_host), sizeof *host);
    if (host == NULL)
        return NULL;
    *host = (mw_sim_host){
        .turn.event.fire = take_turn, .sim = sim, .node = node, .main = run, .context = context};
    host->coroutine = mwi_coroutine_take(&sim->coroutines, run_main, host);
    if (host->coroutine == NULL || !mwi_sim_agenda_reserve(&sim->agenda, 1)) {
        if (host->coroutine != NULL)
            mwi_coroutine_put(&sim->coroutines, host->coroutine);
        free(host);
        return NULL;
    }
    return host;
}

mw_error mw_sim_host_start(mw_sim *sim, const char *name, mw_sim_main *run, void *context,
                           mw_sim_host **host)
{
    if (mwi_sim_host_is_silenced(sim))
        return MW_ESTATE;
    if (name == NULL || name[0] == '\0' || run == NULL)
        return MW_EINVAL;
    struct mwi_sim_node *node = mwi_sim_node_get(&sim->nodes, name);
    if (node != NULL && node->host != NULL)
        return MW_EINVAL;
    mw_sim_host *made = node != NULL ? make_host(sim, node, run, context) : NULL;
    if (made == NULL)
        return MW_ENOMEM;
    node->host = made;
    *sim->hosts_end = made;
    sim->hosts_end = &made->next;
    sim->running_count++;
    mwi_sim_host_put_turn(made, sim->now_ns);
    if (host != NULL)
        *host = made;
    return MW_OK;
}

bool mw_sim_run(mw_sim *sim, int64_t until_ns)
{
    if (sim->current != NULL)
        return false;
    bool had_hosts = sim->running_count > 0;
    for (;;) {
        int64_t time_ns;
        struct mwi_sim_event *event =
            mwi_sim_agenda_take(&sim->agenda, sim->now_ns, until_ns, &time_ns);
        if (event == NULL)
            break;
        assert(time_ns >= sim->now_ns);
        sim->now_ns = time_ns;
        event->fire(sim, event);
        if (sim->running_count == 0 && had_hosts)
            return true;
        had_hosts = sim->running_count > 0;
    }
    if (!mwi_sim_agenda_is_empty(&sim->agenda) && until_ns > sim->now_ns)
        sim->now_ns = until_ns;
    return sim->running_count == 0;
}

struct act {
    struct mwi_sim_event event; /* first, so that the event is the act */
    void (*act)(mw_sim *sim, void *context);
    void *context;
};

/* Frees the act before it is played, because it may arrange others or end the world's hosts. */
static void play_act(mw_sim *sim, struct mwi_sim_event *event)
{
    struct act act = *(struct act *)event;
    free(event);
    mwi_sim_agenda_release(&sim->agenda, 1);
    act.act(sim, act.context);
}

mw_error mw_sim_at(mw_sim *sim, int64_t at_ns, void (*act)(mw_sim *sim, void *context),
                   void *context)
{
    if (mwi_sim_host_is_silenced(sim))
        return MW_ESTATE;
    struct act *made = malloc(sizeof *made);
    if (made == NULL || !mwi_sim_agenda_reserve(&sim->agenda, 1)) {
        free(made);
        return MW_ENOMEM;
    }
    *made = (struct act){.event.fire = play_act, .act = act, .context = context};
    mwi_sim_agenda_put(&sim->agenda, &made->event, at_ns < sim->now_ns ? sim->now_ns : at_ns,
                       mwi_sim_agenda_order(&sim->agenda));
    return MW_OK;
}

/* Ends the hosts that still run, in the order in which they were started. */
static void end_hosts(mw_sim *sim)
{
    for (mw_sim_host *host = sim->hosts; host != NULL; host = host->next)
        mw_sim_kill(host);
    sim->is_ending = true;
    for (mw_sim_host *host = sim->hosts; host != NULL; host = host->next)
        if (!host->has_ended) {
            mwi_sim_agenda_remove_turn(&sim->agenda, &host->turn);
            take_turn(sim, &host->turn.event);
        }
    assert(sim->running_count == 0);
}

static void free_hosts(mw_sim *sim)
{
    while (sim->hosts != NULL) {
        mw_sim_host *host = sim->hosts;
        sim->hosts = host->next;
        mwi_sim_net_free_host(host);
        free(host);
    }
}

/* When hosts, connections and disks are gone, only acts can be left. */
static void free_acts(mw_sim *sim)
{
    struct mwi_sim_event *event;
    while ((event = mwi_sim_agenda_take(&sim->agenda, sim->now_ns, INT64_MAX, &sim->now_ns)) !=
           NULL) {
        assert(event->fire == play_act);
        free((struct act *)event);
    }
}

void mw_sim_destroy(mw_sim *sim)
{
    if (sim == NULL)
        return;
    end_hosts(sim);
    free_hosts(sim);
    mwi_sim_net_fini(sim);
    mwi_sim_disk_fini(sim);
    free_acts(sim);
    mwi_coroutine_pool_fini(&sim->coroutines);
    mwi_sim_cut_destroy_all(&sim->nodes);
    mwi_sim_node_fini(&sim->nodes);
    mwi_sim_agenda_fini(&sim->agenda);
    free(sim);
}
