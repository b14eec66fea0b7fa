/* SPDX-License-Identifier: Apache-2.0
 *
 * Dispatch calls this for each task that is larger than the messages that a slave accepts. Rules:
 *
 * - A task of the pool is set aside, where slaves that it fits find it.
 * - It fails if no slave that it fits was connected for fit_timeout_ns while others were, or if
 *   there are slaves, none of them fits, and no other can come.
 * - A task that may run on one slave only, and does not fit it, fails at once.
 * - A step moves at most MWI_MISFITS_MOVES_MAX tasks. If there are more, is_behind is set, and the
 *   loop comes back at once.
 *
 * To let tasks need something else of a slave, change farm/fit.c.
 */
#include "engine/misfits.h"

#include <assert.h>
#include <stdio.h>

#include "engine/lifecycle.h"
#include "engine/membership.h"
#include "engine/outgoing.h"
#include "engine/task_ends.h"
#include "farm/fit.h"
#include "farm/task_search.h"

/* A part of the time-out takes this long at least: with a time-out of 0, tasks that wait while no
 * slave is there would keep the loop busy. */
#define PART_LEAST_NS (50 * MWI_NS_PER_MS)

static bool spend_move(struct mwi_master_engine *engine)
{
    if (engine->moves_left == 0) {
        engine->is_behind = true;
        return false;
    }
    engine->moves_left--;
    return true;
}

static void start_timer(struct mwi_master_engine *engine)
{
    int64_t part_ns = engine->config.fit_timeout_ns / MWI_FIT_PARTS + 1;
    if (part_ns < PART_LEAST_NS)
        part_ns = PART_LEAST_NS;
    if (!mwi_master_state_start_timer(engine, &engine->fit_timer, MWI_TIMER_FIT, part_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

static bool set_aside(struct mwi_master_engine *engine, struct mwi_task_entry *task)
{
    struct mwi_slave_entry *largest = mwi_slaves_largest_unfit(&engine->slaves);
    if (engine->tasks.counts[MWI_TASK_ASIDE] == 0) {
        mwi_fit_begin(&engine->fit, mwi_slaves_largest(&engine->slaves));
        engine->misfit_bytes = SIZE_MAX;
        start_timer(engine);
    }
    if (!mwi_tasks_set_aside(&engine->tasks, task)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return false;
    }
    if (largest != NULL && mwi_fit_is_met(task, largest))
        mwi_slaves_set_unfit(&engine->slaves, largest, false);
    return true;
}

/* The task is bound to the slave, or was asked to be run there. */
static void end_ordered(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        struct mwi_task_entry *task)
{
    const char *text = mwi_outgoing_note(
        engine, "the task's %zu bytes are over the slave's --mw-max-read-buffer-size of %zu",
        task->size, slave->frame_bytes_max);
    if (mwi_tasks_policy(&engine->tasks, task)->is_done_anyway)
        mwi_lifecycle_unbind_task(engine, slave, task, text);
    else
        mwi_task_ends_fail_task(engine, slave, task, text);
}

bool mwi_misfits_pass_over(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                           struct mwi_task_entry *task)
{
    assert(!mwi_fit_is_met(task, slave));
    if (!spend_move(engine))
        return false;
    if (task->state != MWI_TASK_ORDERED)
        return set_aside(engine, task);
    end_ordered(engine, slave, task);
    return engine->effects.error == MW_OK;
}

bool mwi_misfits_sort_next(struct mwi_master_engine *engine)
{
    struct mwi_slave_entry *largest = mwi_slaves_largest_unfit(&engine->slaves);
    struct mwi_task_entry *task = mwi_tasks_first_waiting(&engine->tasks);
    assert(largest != NULL);
    if (task == NULL) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return false;
    }
    if (!mwi_fit_is_met(task, largest))
        return spend_move(engine) && set_aside(engine, task);
    mwi_slaves_set_unfit(&engine->slaves, largest, false);
    return true;
}

static void fail_misfit(struct mwi_master_engine *engine, struct mwi_task_entry *task)
{
    const struct mwi_fit *fit = &engine->fit;
    char least[32] = "";
    if (fit->least_bytes < fit->most_bytes)
        snprintf(least, sizeof least, "%zu to ", fit->least_bytes);
    mwi_task_ends_fail_task(
        engine, NULL, task,
        mwi_outgoing_note(engine,
                          "the task's %zu bytes are over the --mw-max-read-buffer-size of all "
                          "slaves seen, %s%zu",
                          task->size, least, fit->most_bytes));
}

/* Tasks that need larger messages than this fail. */
static size_t hopeless_bytes(const struct mwi_master_engine *engine)
{
    size_t largest = mwi_slaves_largest(&engine->slaves);
    return engine->is_closed && largest > 0 ? largest : engine->misfit_bytes;
}

void mwi_misfits_end_step(struct mwi_master_engine *engine)
{
    size_t limit = hopeless_bytes(engine);
    struct mwi_task_entry *task;
    if (limit == SIZE_MAX)
        return;
    while (engine->effects.error == MW_OK &&
           (task = mwi_task_search_first_aside_over(&engine->tasks,
                                                    mwi_fit_task_bytes_max(limit))) != NULL) {
        if (!spend_move(engine))
            return;
        fail_misfit(engine, task);
    }
    engine->misfit_bytes = SIZE_MAX;
}

void mwi_misfits_end_part(struct mwi_master_engine *engine)
{
    size_t largest = mwi_slaves_largest(&engine->slaves);
    if (engine->tasks.counts[MWI_TASK_ASIDE] == 0)
        return;
    if (largest > 0)
        engine->misfit_bytes = mwi_fit_end_part(&engine->fit, largest);
    start_timer(engine);
}
