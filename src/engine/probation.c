/* SPDX-License-Identifier: Apache-2.0
 *
 * Dispatch asks here before it sends tasks to a slave of a host in doubt. Rules:
 *
 * - A slave is barren if it never returned a result, and its connection or process ends while it
 *   has tasks, or it breaks the protocol then, or says goodbye soon after it was sent tasks. A
 *   barren slave brings its host into doubt.
 * - While a host is in doubt, one slave of it that returned no result yet is on trial: it is sent
 *   one task. The others are held. From the second barren slave on, the next trial begins after a
 *   back-off, which doubles with each.
 * - A slave on trial gets no task that was lost before, or whose policy allows no second attempt,
 *   as long as a better slave can have it. Any other slave that returned no result yet gets a task
 *   that was lost before only if no task can be found that it may have instead.
 * - The result of a slave on trial ends the doubt about its host. So does a task that is lost for
 *   the second time, once with a slave that had returned results: the task is to blame then.
 * - No slave is held if no other slave can come and no connected one has returned a result.
 *
 * membership reports lost slaves here, and the master engine first results and the hosts' timers.
 * The losses of tasks are counted in lifecycle.c.
 */
#include "engine/probation.h"

#include <assert.h>

#include "base/time.h"
#include "engine/outgoing.h"
#include "farm/fit.h"
#include "farm/task_search.h"

/* The back-off after the second barren slave; its most; and its most if no slave has returned
 * results and no other host has slaves. */
#define BACKOFF_NS (100 * MWI_NS_PER_MS)
#define BACKOFF_MAX_NS (60 * MWI_NS_PER_S)
#define BACKOFF_ALONE_MAX_NS (2 * MWI_NS_PER_S)
#define DOUBLINGS_MAX 16
/* A slave that says goodbye earlier than this after it was sent tasks is barren. */
#define VISIT_NS MWI_NS_PER_S

static struct mwi_slave_entry *held_of(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct mwi_slave_entry, held_link);
}

/* Whether slaves of the host that returned no result are held back. */
static bool is_doubtful(const struct mwi_master_engine *engine, const struct mwi_host_entry *host)
{
    return host->barren_count > 0 && (engine->slaves.proven_count > 0 || !engine->is_closed);
}

/* Starts the timer that begins the host's next trial, if slaves are held and none is on trial. */
static void start_timer(struct mwi_master_engine *engine, struct mwi_host_entry *host)
{
    int64_t now_ns = mwi_master_state_looked(engine);
    if (host->trial != NULL || mwi_list_is_empty(&host->held) ||
        mwi_timers_is_running(&host->timer))
        return;
    int64_t left_ns = host->closed_until_ns > now_ns ? host->closed_until_ns - now_ns : 0;
    if (!mwi_master_state_start_timer(engine, &host->timer, MWI_TIMER_HOST, left_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

static void hold(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    mwi_list_append(&slave->host->held, &slave->held_link);
    mwi_slaves_set_held(&engine->slaves, slave, true);
    start_timer(engine, slave->host);
}

static void release(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    mwi_list_remove(&slave->held_link);
    mwi_slaves_set_held(&engine->slaves, slave, false);
}

/* Ends the doubt about the host, and releases all its slaves that are held. */
static void trust(struct mwi_master_engine *engine, struct mwi_host_entry *host)
{
    host->barren_count = 0;
    host->closed_until_ns = 0;
    mwi_timers_stop(&engine->timers, &host->timer);
    while (!mwi_list_is_empty(&host->held))
        release(engine, held_of(host->held.next));
}

/* Whether a slave is less likely to be lost than one on trial, although it may have returned no
 * result either. It is, if its host has no barren slaves, or if it has a task and is not on trial.
 */
static bool is_better(const struct mwi_slave_entry *slave)
{
    bool has_survived = slave->state == MWI_SLAVE_BUSY && !slave->is_on_trial;
    return slave->host->barren_count == 0 || has_survived;
}

/* Whether a better slave than `newcomer`, which has returned no result, could be sent the task, now
 * or later. Slaves that have returned one are better. The others are looked at only for a slave on
 * trial: with very many slaves that takes time. */
static bool has_better_slave(const struct mwi_master_engine *engine,
                             const struct mwi_task_entry *task,
                             const struct mwi_slave_entry *newcomer)
{
    const struct mwi_slave_entry *slave = mwi_slaves_largest_proven(&engine->slaves);
    if (slave != NULL && mwi_fit_is_met(task, slave))
        return true;
    for (size_t i = 0;
         newcomer->is_on_trial && (slave = mwi_slaves_taker(&engine->slaves, i)) != NULL; i++)
        if (is_better(slave) && mwi_fit_is_met(task, slave))
            return true;
    return false;
}

/* Ends the trial of a slave for which there is no task that may be risked. The host's next trial
 * begins BACKOFF_NS later. */
static void put_off(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    slave->is_on_trial = false;
    slave->host->trial = NULL;
    slave->host->closed_until_ns = mwi_master_state_looked(engine) + BACKOFF_NS;
    hold(engine, slave);
}

struct mwi_task_entry *mwi_probation_choose(struct mwi_master_engine *engine,
                                            struct mwi_slave_entry *slave,
                                            struct mwi_task_entry *task)
{
    assert(!slave->is_proven);
    bool is_at_risk = slave->is_on_trial || mwi_tasks_was_lost(task);
    if (!is_at_risk || !mwi_tasks_is_precious(&engine->tasks, task) ||
        !has_better_slave(engine, task, slave))
        return task;
    struct mwi_task_entry *other = mwi_task_search_first_carefree(
        &engine->tasks, mwi_fit_task_bytes_max(slave->frame_bytes_max));
    if (other != NULL)
        return other;
    if (!slave->is_on_trial)
        return task;
    put_off(engine, slave);
    return NULL;
}

bool mwi_probation_holds(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    assert(slave->host->barren_count > 0);
    if (slave->is_proven || !mwi_list_is_empty(&slave->ordered) ||
        !is_doubtful(engine, slave->host))
        return false;
    if (slave->state != MWI_SLAVE_IDLE) {
        slave->load.has_room = false;
        mwi_slaves_update(&engine->slaves, slave);
        return true;
    }
    struct mwi_host_entry *host = slave->host;
    bool is_open = host->trial == NULL && mwi_list_is_empty(&host->held) &&
                   host->closed_until_ns <= mwi_master_state_looked(engine);
    if (!slave->is_on_trial && !is_open) {
        hold(engine, slave);
        return true;
    }
    slave->is_on_trial = true;
    host->trial = slave;
    return false;
}

void mwi_probation_try_next(struct mwi_master_engine *engine, struct mwi_host_entry *host)
{
    if (!is_doubtful(engine, host)) {
        trust(engine, host);
        return;
    }
    if (mwi_list_is_empty(&host->held) || host->trial != NULL)
        return;
    struct mwi_slave_entry *slave = held_of(host->held.next);
    slave->is_on_trial = true;
    host->trial = slave;
    release(engine, slave);
}

void mwi_probation_pass(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    bool was_on_trial = slave->is_on_trial;
    assert(!slave->is_proven);
    mwi_slaves_prove(&engine->slaves, slave);
    slave->is_on_trial = false;
    if (slave->is_held)
        release(engine, slave);
    if (slave->host->trial == slave)
        slave->host->trial = NULL;
    if (was_on_trial)
        trust(engine, slave->host);
}

/* If the slave's task was lost before, and now or then with a slave that had returned results, the
 * task is to blame: all hosts at which it was lost are trusted again. */
static bool is_task_to_blame(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave)
{
    const struct mwi_losses *losses = &engine->tasks.losses;
    uint64_t task = mwi_copies_id(mwi_copies_first(slave));
    struct mwi_host_entry *host = mwi_losses_host(losses, task, 0);
    if (host == NULL || !(slave->is_proven || mwi_losses_was_proven(losses, task)))
        return false;
    for (size_t i = 0; (host = mwi_losses_host(losses, task, i)) != NULL; i++)
        trust(engine, host);
    trust(engine, slave->host);
    return true;
}

static int64_t backoff_ns(const struct mwi_master_engine *engine, const struct mwi_host_entry *host)
{
    if (host->barren_count < 2)
        return 0;
    unsigned doublings = host->barren_count - 2;
    int64_t most_ns = engine->slaves.proven_count > 0 || engine->hosts.connected_count > 1
                          ? BACKOFF_MAX_NS
                          : BACKOFF_ALONE_MAX_NS;
    int64_t delay_ns = BACKOFF_NS << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    return delay_ns < most_ns ? delay_ns : most_ns;
}

/* Counts a barren slave of the host, and closes the host for its back-off. */
static void blame(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    struct mwi_host_entry *host = slave->host;
    host->barren_count++;
    if (!is_doubtful(engine, host))
        return;
    int64_t delay_ns = backoff_ns(engine, host);
    host->closed_until_ns = mwi_master_state_looked(engine) + delay_ns;
    mwi_timers_stop(&engine->timers, &host->timer);
    if (delay_ns > 0)
        MWI_OUTGOING_AUDIT(engine, NULL, .kind = MWI_AUDIT_HOST_DOUBTED, .host = host->name,
                           .count = host->barren_count,
                           .failed = (uint64_t)(delay_ns / MWI_NS_PER_MS));
}

/* Whether the slave, which has tasks, may have been the reason for its loss. */
static bool is_suspicious(const struct mwi_master_engine *engine,
                          const struct mwi_slave_entry *slave, mw_loss loss)
{
    if (loss == MW_LOSS_GOODBYE)
        return engine->now_ns - mwi_copies_first(slave)->sent_ns < VISIT_NS;
    return loss == MW_LOSS_CONNECTION || loss == MW_LOSS_PROTOCOL;
}

/* Decides whether the lost slave, its task or neither is to blame. */
static void judge(struct mwi_master_engine *engine, struct mwi_slave_entry *slave, mw_loss loss)
{
    if (slave->load.tasks_count == 0 || engine->is_shutting_down ||
        !is_suspicious(engine, slave, loss) || is_task_to_blame(engine, slave))
        return;
    if (!slave->is_proven)
        blame(engine, slave);
}

/* Releases the held slaves of all hosts: the last slave that had returned results is lost and no
 * other can come, so no better slave is left to wait for. */
static void release_all(struct mwi_master_engine *engine)
{
    size_t cursor = 0;
    for (struct mwi_host_entry *host;
         (host = mwi_map_next(&engine->hosts.by_hash, &cursor)) != NULL;)
        for (; host != NULL; host = host->next_same)
            if (!mwi_list_is_empty(&host->held))
                trust(engine, host);
}

void mwi_probation_leave(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    struct mwi_host_entry *host = slave->host;
    if (slave->is_held)
        release(engine, slave);
    if (!slave->is_on_trial || slave->load.tasks_count > 0)
        return;
    slave->is_on_trial = false;
    host->trial = NULL;
    start_timer(engine, host);
}

void mwi_probation_crash(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    struct mwi_host_entry *host = slave->host;
    if (host->trial == slave)
        host->trial = NULL;
    slave->is_on_trial = false;
    host->had_tasks = true; /* so it is not forgotten, with its doubt, when its slaves go */
    judge(engine, slave, MW_LOSS_CONNECTION);
    start_timer(engine, host);
}

void mwi_probation_part(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        mw_loss loss)
{
    struct mwi_host_entry *host = slave->host;
    if (host == NULL)
        return;
    mwi_list_remove(&slave->held_link);
    if (host->trial == slave)
        host->trial = NULL;
    judge(engine, slave, loss);
    if (slave->is_proven && --engine->slaves.proven_count == 0 && engine->is_closed)
        release_all(engine);
    start_timer(engine, host);
}
