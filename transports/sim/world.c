/* SPDX-License-Identifier: Apache-2.0
 *
 * Worlds, hosts and their turns. The world takes the earliest event off its queue, sets its clock
 * and fires it; a host's turn is such an event, and so is the next arrival on each connection. A
 * host never runs ahead of the world: to compute for a while is to have the next turn later. So
 * whatever happens, happens in the order of time, and nothing ever has to be taken back.
 *
 * A host that was killed gets one last turn at once, in which it never gives way again.
 */
#include "world.h"

#include <stdlib.h>

#include "net.h"

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
    mw_sim *made;

    if (config->delay_min_ns < 0 || config->delay_max_ns < 0)
        return MW_EINVAL;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return MW_ENOMEM;
    made->hosts_end = &made->hosts;
    set_config(made, config);
    *sim = made;
    return MW_OK;
}

int64_t mwi_sim_host_now(const mw_sim_host *host)
{
    return host->killed && host->ghost_now_ns > host->sim->now_ns ? host->ghost_now_ns
                                                                  : host->sim->now_ns;
}

bool mwi_sim_is_silenced(const mw_sim *sim)
{
    return sim->ending || (sim->current != NULL && sim->current->killed);
}

static void put_turn(mw_sim_host *host, int64_t at_ns)
{
    struct mwi_sim_agenda *agenda = &host->sim->agenda;

    mwi_sim_agenda_put(agenda, &host->turn, at_ns, mwi_sim_agenda_order(agenda));
}

static void run_main(void *context)
{
    mw_sim_host *host = context;

    host->status = host->main(host, host->context);
}

static void end_host(mw_sim_host *host)
{
    mw_sim *sim = host->sim;

    if (host->killed)
        host->status = KILLED_STATUS;
    else
        mwi_sim_net_leave_host(host, "closed by the peer");
    host->ended = true;
    mwi_coroutine_put(&sim->coroutines, host->coroutine);
    host->coroutine = NULL;
    mwi_sim_agenda_release(&sim->agenda, 1);
    sim->running_count--;
}

static void take_turn(mw_sim *sim, struct mwi_sim_event *event)
{
    mw_sim_host *host = (mw_sim_host *)event;
    mw_sim_host *before = sim->current;
    bool goes_on = false;

    if (host->begun || !host->killed) {
        host->begun = true;
        sim->current = host;
        goes_on = mwi_coroutine_resume(host->coroutine);
        sim->current = before;
    }
    if (!goes_on)
        end_host(host);
}

static void give_way(mw_sim_host *host)
{
    host->looked = false;
    mwi_coroutine_yield(host->coroutine);
    host->waiting = false;
}

void mwi_sim_host_wait(mw_sim_host *host, int64_t until_ns)
{
    if (host->killed)
        return;
    host->waiting = true;
    if (until_ns < INT64_MAX)
        put_turn(host, until_ns);
    give_way(host);
}

void mwi_sim_host_wake(mw_sim_host *host)
{
    if (host->waiting) {
        host->waiting = false;
        put_turn(host, host->sim->now_ns);
    }
}

static mw_sim_host *make_host(mw_sim *sim, struct mwi_sim_node *node, mw_sim_main *run,
                              void *context)
{
    mw_sim_host *host = calloc(1, sizeof *host);

    if (host == NULL)
        return NULL;
    *host = (mw_sim_host){
        .turn.fire = take_turn, .sim = sim, .node = node, .main = run, .context = context};
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
    struct mwi_sim_node *node;
    mw_sim_host *made;

    if (mwi_sim_is_silenced(sim))
        return MW_ESTATE;
    if (name == NULL || name[0] == '\0' || run == NULL)
        return MW_EINVAL;
    node = mwi_sim_node_get(&sim->nodes, name);
    if (node != NULL && node->host != NULL)
        return MW_EINVAL;
    made = node != NULL ? make_host(sim, node, run, context) : NULL;
    if (made == NULL)
        return MW_ENOMEM;
    node->host = made;
    *sim->hosts_end = made;
    sim->hosts_end = &made->next;
    sim->running_count++;
    put_turn(made, sim->now_ns);
    if (host != NULL)
        *host = made;
    return MW_OK;
}

void mw_sim_kill(mw_sim_host *host)
{
    if (host->ended || host->killed || mwi_sim_is_silenced(host->sim))
        return;
    mwi_sim_net_leave_host(host, "connection reset by the peer");
    host->killed = true;
    host->waiting = false;
    host->ghost_now_ns = host->sim->now_ns;
    if (host != host->sim->current)
        put_turn(host, host->sim->now_ns);
}

bool mw_sim_run(mw_sim *sim, int64_t until_ns)
{
    bool had_hosts = sim->running_count > 0;
    struct mwi_sim_event *event;

    if (sim->current != NULL)
        return false;
    while ((event = mwi_sim_agenda_take(&sim->agenda, until_ns, &sim->now_ns)) != NULL) {
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
    struct mwi_sim_event event;
    void (*act)(mw_sim *sim, void *context);
    void *context;
};

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
    struct act *made;

    if (mwi_sim_is_silenced(sim))
        return MW_ESTATE;
    made = malloc(sizeof *made);
    if (made == NULL || !mwi_sim_agenda_reserve(&sim->agenda, 1)) {
        free(made);
        return MW_ENOMEM;
    }
    *made = (struct act){.event.fire = play_act, .act = act, .context = context};
    if (at_ns < sim->now_ns)
        at_ns = sim->now_ns;
    mwi_sim_agenda_put(&sim->agenda, &made->event, at_ns, mwi_sim_agenda_order(&sim->agenda));
    return MW_OK;
}

/* Ends those that still run, in the order in which they were started. */
static void end_hosts(mw_sim *sim)
{
    for (mw_sim_host *host = sim->hosts; host != NULL; host = host->next)
        mw_sim_kill(host);
    sim->ending = true;
    for (mw_sim_host *host = sim->hosts; host != NULL; host = host->next)
        if (!host->ended) {
            mwi_sim_agenda_remove(&sim->agenda, &host->turn);
            take_turn(sim, &host->turn);
        }
}

/* When hosts and connections are gone, only acts can be left. */
static void free_acts(mw_sim *sim)
{
    struct mwi_sim_event *event;

    while ((event = mwi_sim_agenda_take(&sim->agenda, INT64_MAX, &sim->now_ns)) != NULL)
        free((struct act *)event);
}

void mw_sim_destroy(mw_sim *sim)
{
    if (sim == NULL)
        return;
    end_hosts(sim);
    while (sim->hosts != NULL) {
        mw_sim_host *host = sim->hosts;

        sim->hosts = host->next;
        mwi_sim_net_free_host(host);
        free(host);
    }
    mwi_sim_net_fini(sim);
    free_acts(sim);
    mwi_coroutine_pool_fini(&sim->coroutines);
    mwi_sim_nodes_fini(&sim->nodes);
    mwi_sim_agenda_fini(&sim->agenda);
    free(sim);
}

int64_t mw_sim_now(const mw_sim *sim)
{
    return sim->current != NULL ? mwi_sim_host_now(sim->current) : sim->now_ns;
}

void mw_sim_spend(mw_sim *sim, int64_t duration_ns)
{
    mw_sim_host *host = sim->current;

    if (host == NULL || duration_ns <= 0)
        return;
    if (host->killed) {
        host->ghost_now_ns = mwi_sim_agenda_later(host->ghost_now_ns, duration_ns);
        return;
    }
    put_turn(host, mwi_sim_agenda_later(sim->now_ns, duration_ns));
    give_way(host);
}

/* splitmix64 (Steele, Lea and Flood): every seed is as good as any other. */
uint64_t mw_sim_random(mw_sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

bool mw_sim_host_ended(const mw_sim_host *host, int *status)
{
    if (host->ended && status != NULL)
        *status = host->status;
    return host->ended;
}

const char *mw_sim_host_name(const mw_sim_host *host)
{
    return host->node->name;
}

mw_sim *mw_sim_host_world(const mw_sim_host *host)
{
    return host->sim;
}
