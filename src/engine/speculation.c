/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives idle slaves copies of tasks that are slow elsewhere. A timer says when to look: looking
 * goes through all busy slaves, so it is not done in each step.
 *
 * A slave is *stuck* when the task that it runs has run for longer than --mw-speculate-factor times
 * the median of its algorithm, and at least FLOOR_NS. The tasks that were sent to it after this one
 * are stuck with it. Time counts on the clock of all timers, which stands still while the master
 * looks at no slave.
 *
 * Invariants: a task has at most two copies, at two slaves. A task that may not run twice (retry)
 * or that belongs to one slave (sid) gets no second one: may_have_copy. If a slave is
 * lost, a task that another slave has goes on there.
 */
#include "engine/speculation.h"

#include "base/decimal.h"
#include "base/time.h"
#include "engine/dispatch.h"
#include "engine/outgoing.h"

/* Shorter tasks are not worth it. */
#define FLOOR_NS (MWI_NS_PER_S / 2)
/* Nobody knows how long tasks of an algorithm take before this number of them have ended. */
#define SAMPLES_MIN 3
/* The least time between two looks. */
#define PAUSE_NS (50 * MWI_NS_PER_MS)

static bool can_look(const struct mwi_master_engine *engine)
{
    return !engine->is_stopping && mwi_tasks_waiting_count(&engine->tasks) == 0 &&
           engine->copies.count > 0 && mwi_slaves_first_ready(&engine->slaves.idle) != NULL;
}

static void schedule_look(struct mwi_master_engine *engine, int64_t after_ns)
{
    if (!mwi_master_state_start_timer(engine, &engine->speculation.timer, MWI_TIMER_SPECULATION,
                                      after_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

void mwi_speculation_consider(struct mwi_master_engine *engine)
{
    struct mwi_speculation *speculation = &engine->speculation;
    if (!speculation->is_wanted || mwi_timers_is_running(&speculation->timer) || !can_look(engine))
        return;
    schedule_look(engine, speculation->has_stuck ? 0 : PAUSE_NS);
}

/* When the slave is stuck, on the clock of the timers; INT64_MAX: nobody knows. */
static int64_t stuck_at_ns(struct mwi_master_engine *engine, const struct mwi_slave_entry *slave)
{
    const struct mwi_copy *first = mwi_copies_first(slave);
    if (first == NULL)
        return INT64_MAX;
    uint64_t median_ns =
        mwi_durations_median(&engine->durations, mwi_copies_algorithm(first), SAMPLES_MIN);
    if (median_ns == 0)
        return INT64_MAX;
    double limit_ns = (double)engine->config.speculate_factor * (double)median_ns;
    if (limit_ns < (double)FLOOR_NS)
        limit_ns = (double)FLOOR_NS;
    return limit_ns > (double)(INT64_MAX / 2)
               ? INT64_MAX
               : mwi_time_after(slave->working_since_ns, (int64_t)limit_ns);
}

/* A copy without a task is a range of a batch, whose tasks run nowhere else. */
static bool may_have_copy(const struct mwi_master_engine *engine, const struct mwi_copy *copy)
{
    uint32_t number = copy->task != NULL ? copy->task->item.policy : copy->batch->item.policy;
    const struct mwi_task_policy *policy =
        &mwi_policies_get(&engine->tasks.policies, number)->policy;
    if (!policy->is_speculated || !policy->is_retried || policy->sid != MWI_NO_SID)
        return false;
    return copy->task == NULL || (copy->task->state == MWI_TASK_RUNNING &&
                                  copy->task->copies == copy && copy->next_of_task == NULL);
}

/* Looks at all idle slaves for each task of a stuck slave: a look costs at most the number of those
 * tasks times that of the idle slaves, and there is none more often than each PAUSE_NS. */
static struct mwi_slave_entry *find_helper(const struct mwi_master_engine *engine,
                                           const struct mwi_task_entry *task)
{
    const struct mwi_list *idle = &engine->slaves.idle;
    for (struct mwi_list *link = idle->next; link != idle; link = link->next) {
        struct mwi_slave_entry *slave = MWI_LIST_ENTRY(link, struct mwi_slave_entry, ready_link);
        if (slave->host->barren_count == 0 && mwi_fit_is_met(task, slave))
            return slave;
    }
    return NULL;
}

/* Gives a second copy of the copy's task to an idle slave, if there is one that it fits. */
static void copy_task(struct mwi_master_engine *engine, struct mwi_copy *copy)
{
    struct mwi_task_entry *task = copy->task;
    struct mwi_slave_entry *helper = find_helper(engine, task);
    if (helper == NULL)
        return;
    char seconds[MWI_DECIMAL_BYTES];
    int64_t silent_ns = mwi_master_state_looked(engine) - copy->slave->working_since_ns;
    mwi_decimal_write(seconds, (double)(silent_ns / MWI_NS_PER_MS) / 1000);
    MWI_OUTGOING_AUDIT(engine, helper, .kind = MWI_AUDIT_TASK_COPIED, .task = task->id,
                       .algorithm = mwi_outgoing_algorithm_name(engine, task),
                       .reason = mwi_outgoing_note(engine, "%s has returned nothing for %s s",
                                                   mwi_slaves_id(&engine->slaves, copy->slave->sid),
                                                   seconds));
    engine->speculation.copies_count++;
    mwi_dispatch_copy(engine, helper, task);
}

/* Gives copies of all tasks of a stuck slave, as far as there are idle slaves. */
static void help(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    struct mwi_list *link = slave->copies.next;
    while (link != &slave->copies && engine->effects.error == MW_OK) {
        struct mwi_copy *copy = mwi_copies_of_link(link);
        if (!may_have_copy(engine, copy)) {
            link = link->next;
            continue;
        }
        if (mwi_slaves_first_ready(&engine->slaves.idle) == NULL) {
            engine->speculation.has_stuck = true;
            return;
        }
        if (copy->task == NULL)
            copy = mwi_copies_take_out(&engine->copies, &engine->tasks, copy, copy->from);
        if (copy == NULL) {
            (void)mwi_tasks_take_failure(&engine->tasks);
            mwi_effects_fail(&engine->effects, MW_ENOMEM);
            return;
        }
        link = copy->link.next;
        copy_task(engine, copy);
    }
}

void mwi_speculation_look(struct mwi_master_engine *engine)
{
    struct mwi_list *busy = &engine->slaves.lists[MWI_SLAVE_BUSY];
    int64_t looked_ns = mwi_master_state_looked(engine), next_ns = INT64_MAX;
    engine->speculation.has_stuck = false;
    if (!can_look(engine))
        return;
    /* A slave that gets a copy becomes busy, at the end of the list, and is not stuck. */
    for (struct mwi_list *link = busy->next; link != busy; link = link->next) {
        struct mwi_slave_entry *slave = MWI_LIST_ENTRY(link, struct mwi_slave_entry, link);
        int64_t at_ns = stuck_at_ns(engine, slave);
        if (at_ns <= looked_ns)
            help(engine, slave);
        else
            next_ns = mwi_time_earlier(next_ns, at_ns);
    }
    if (next_ns == INT64_MAX || !can_look(engine))
        return;
    int64_t after_ns = next_ns - looked_ns > PAUSE_NS ? next_ns - looked_ns : PAUSE_NS;
    schedule_look(engine, after_ns < FLOOR_NS ? after_ns : FLOOR_NS);
}
