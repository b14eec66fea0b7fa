/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the scheduler's choice for one slave after the other into messages: moves the chosen tasks
 * to the slave, encodes them, and keeps the slave's load. The master's engine calls it after each
 * event.
 *
 * Invariants: after a step no slave that could be sent a task is left without one, unless the farm
 * is stopping, memory ran out, or the disk of the journal is behind; the copies of a group are at
 * the end of the slave's list, in the order of their messages.
 *
 * Which tasks go to a slave, and how many together, is decided by schedule.c alone; how a message
 * of tasks looks, by wire/message.c.
 */
#include "engine/dispatch.h"

#include <assert.h>

#include "engine/journaling.h"
#include "engine/membership.h"
#include "engine/misfits.h"
#include "engine/outgoing.h"
#include "engine/probation.h"
#include "engine/task_messages.h"
#include "farm/schedule.h"
#include "record/journal.h"

/* A group grows to at most this payload, so that a slave does not wait long for one message. */
#define GROUP_BYTES_MAX ((size_t)1 << 20)

/* Moves a task to the slave; false out of memory. */
static bool give(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                 struct mwi_task_entry *task)
{
    task->sid = slave->sid;
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_RUNNING, NULL);
    if (mwi_copies_add(&engine->copies, task, slave, engine->now_ns) != NULL)
        return true;
    mwi_tasks_move(&engine->tasks, task, MWI_TASK_WAITING, NULL);
    mwi_effects_fail(&engine->effects, MW_ENOMEM);
    return false;
}

/* A slave that has returned no result yet may get another task than `*task`, and that alone; false
 * if it must wait. */
static bool choose_for_newcomer(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                struct mwi_task_entry **task, struct mwi_schedule_group *group)
{
    if ((*task)->state == MWI_TASK_ORDERED || group->chosen.count > 1)
        return true;
    struct mwi_task_entry *chosen = mwi_probation_choose(engine, slave, *task);
    if (chosen == NULL)
        return false;
    if (slave->is_on_trial || chosen != *task)
        group->chosen =
            (struct mwi_load_group){.count = 1,
                                    .bytes = chosen->size + MWI_MESSAGE_OVERHEAD_BYTES,
                                    .work_ns = mwi_pace_of(&engine->pace, chosen->algorithm),
                                    .is_alone = slave->load.tasks_count == 0};
    *task = chosen;
    return true;
}

static struct mwi_schedule_limits limits_of(const struct mwi_master_engine *engine,
                                            const struct mwi_slave_entry *slave)
{
    size_t bytes_max = slave->frame_bytes_max - MWI_MESSAGE_OVERHEAD_BYTES;
    return (struct mwi_schedule_limits){
        .task_group = engine->config.task_group,
        .group_bytes_max = bytes_max < GROUP_BYTES_MAX ? bytes_max : GROUP_BYTES_MAX,
        .pace = &engine->pace,
        .slaves_count = mwi_slaves_ready_count(&engine->slaves),
        .ended_count = engine->ended_count};
}

/* The batch whose tasks the slave can be sent as they lie there; NULL if its next tasks need
 * entries of their own: the slave has returned no result yet, or takes ordered tasks alone, or the
 * trail tells of every task, or other tasks may come before. */
static struct mwi_batch_entry *batch_for(const struct mwi_master_engine *engine,
                                         const struct mwi_slave_entry *slave,
                                         const struct mwi_schedule_limits *limits)
{
    if (!mwi_tasks_has_pool(&engine->tasks) || !slave->is_proven ||
        slave->group == MWI_GROUP_ORDERED || !mwi_list_is_empty(&slave->ordered) ||
        engine->tasks.counts[MWI_TASK_ASIDE] > 0 ||
        mwi_fit_task_bytes_max(slave->frame_bytes_max) < MWI_BATCH_TASK_BYTES_MAX ||
        mwi_effects_wants(&engine->effects, MWI_AUDIT_TASK_ENDED))
        return NULL;
    struct mwi_batch_entry *batch = mwi_tasks_first_batch(&engine->tasks);
    return batch != NULL && mwi_schedule_takes_batch(limits, batch) ? batch : NULL;
}

/* Moves the next tasks of the batch to the slave, as many as it gets of them now. */
static void choose_of_batch(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                            struct mwi_batch_entry *batch, const struct mwi_schedule_limits *limits,
                            struct mwi_schedule_group *group)
{
    struct mwi_schedule_group more = *group;
    uint32_t count = mwi_schedule_next_of_batch(&engine->tasks, batch, slave, limits, &more);
    if (count == 0)
        return;
    if (mwi_copies_add_range(&engine->copies, batch, batch->next, count, slave, engine->now_ns) ==
        NULL) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    mwi_tasks_send(&engine->tasks, batch, count);
    *group = more;
}

/* Moves tasks with entries of their own to the slave, until it can be sent those of a batch. One
 * that lies in a batch is taken out. */
static void choose_entries(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                           const struct mwi_schedule_limits *limits,
                           struct mwi_schedule_group *group)
{
    struct mwi_schedule_group more = *group;
    struct mwi_task_entry *task;
    while (engine->effects.error == MW_OK && batch_for(engine, slave, limits) == NULL &&
           (task = mwi_schedule_next(&engine->tasks, slave, limits, &more)) != NULL) {
        if (!mwi_fit_is_met(task, slave)) {
            more = *group;
            if (!mwi_misfits_pass_over(engine, slave, task))
                break;
            continue;
        }
        if (!slave->is_proven && !choose_for_newcomer(engine, slave, &task, &more))
            break;
        if (!give(engine, slave, task))
            break;
        *group = more;
    }
    if (mwi_tasks_take_failure(&engine->tasks))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

/* Moves the tasks that the slave gets next to it; returns how many. */
static size_t choose_group(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    const struct mwi_schedule_limits limits = limits_of(engine, slave);
    struct mwi_schedule_group group = {0};
    size_t before;
    do {
        struct mwi_batch_entry *batch = batch_for(engine, slave, &limits);
        before = group.chosen.count;
        if (batch != NULL)
            choose_of_batch(engine, slave, batch, &limits, &group);
        else
            choose_entries(engine, slave, &limits, &group);
    } while (group.chosen.count > before && !group.chosen.is_alone &&
             mwi_tasks_waiting_count(&engine->tasks) > 0 && engine->effects.error == MW_OK);
    if (group.chosen.count > 0)
        mwi_load_add(&slave->load, &group.chosen, engine->now_ns);
    return group.chosen.count;
}

/* The slave gets nothing now. One that has tasks is considered again when it has returned some; an
 * idle one when a task comes that fits it, or in the next step if this one has done enough. */
static void pass_slave_over(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    slave->load.has_room = false;
    if (slave->state == MWI_SLAVE_IDLE && !engine->is_behind && engine->effects.error == MW_OK)
        mwi_slaves_set_unfit(&engine->slaves, slave, true);
    else
        mwi_slaves_update(&engine->slaves, slave);
}

static bool can_have_more(const struct mwi_master_engine *engine,
                          const struct mwi_slave_entry *slave)
{
    return engine->config.task_group == 0 && mwi_schedule_has_room(&slave->load);
}

/* Whether the copy of `link`, which is the slave's last, is of a task with a time limit. Such a
 * task is alone. */
static bool is_timed(const struct mwi_master_engine *engine, const struct mwi_slave_entry *slave,
                     struct mwi_list *link)
{
    return slave->load.is_alone &&
           mwi_master_state_limit_ns(engine, mwi_copies_of_link(link)->task) > 0;
}

/* Sends the copies from `link` on, of `count` tasks, that were added to the slave's load. */
static void send_copies(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                        struct mwi_list *link, size_t count)
{
    bool has_limit = is_timed(engine, slave, link);
    mwi_stats_add_group(engine->groups, count);
    if (engine->journal != NULL)
        mwi_journaling_note_sent(engine, slave, link);
    mwi_task_messages_send(engine, slave, link, has_limit);
    if (has_limit)
        mwi_membership_await_begin(engine, slave);
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_TASKS_SENT, .count = count);
    slave->load.has_room = can_have_more(engine, slave);
    /* A slave that keeps its room may belong into another list: its ordered tasks may be all
     * sent. */
    if (slave->state != MWI_SLAVE_IDLE) {
        mwi_slaves_update(&engine->slaves, slave);
        return;
    }
    slave->working_since_ns = mwi_master_state_looked(engine);
    mwi_membership_move_slave(engine, slave, MWI_SLAVE_BUSY);
}

static void send_group(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    if (slave->host->barren_count > 0 && mwi_probation_holds(engine, slave))
        return;
    struct mwi_list *last = slave->copies.prev;
    size_t count = choose_group(engine, slave);
    if (count == 0) {
        /* One that is held is in no list, unless it has tasks and ordered ones wait for it. */
        if (!slave->is_held || slave->state == MWI_SLAVE_BUSY)
            pass_slave_over(engine, slave);
        return;
    }
    assert(slave->load.tasks_count >= count && last->next != &slave->copies);
    send_copies(engine, slave, last->next, count);
}

void mwi_dispatch_copy(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_task_entry *task)
{
    const struct mwi_load_group group = {.count = 1,
                                         .bytes = task->size + MWI_MESSAGE_OVERHEAD_BYTES,
                                         .work_ns = mwi_pace_of(&engine->pace, task->algorithm),
                                         .is_alone = true};
    assert(slave->state == MWI_SLAVE_IDLE && task->state == MWI_TASK_RUNNING);
    struct mwi_copy *copy = mwi_copies_add(&engine->copies, task, slave, engine->now_ns);
    if (copy == NULL) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    task->sid = slave->sid;
    mwi_load_add(&slave->load, &group, engine->now_ns);
    send_copies(engine, slave, &copy->link, 1);
}

void mwi_dispatch_note_room(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    bool has_room = can_have_more(engine, slave);
    if (!has_room && !slave->load.has_room)
        return;
    slave->load.has_room = has_room;
    mwi_slaves_update(&engine->slaves, slave);
}

/* The slave that is sent tasks next; NULL if nothing waits, or no slave can be sent a task. */
static struct mwi_slave_entry *next_ready(const struct mwi_master_engine *engine)
{
    struct mwi_slave_entry *first = mwi_slaves_first_ready(&engine->slaves.with_ordered);
    if (first != NULL || mwi_tasks_waiting_count(&engine->tasks) == 0)
        return first;
    struct mwi_slave_entry *idle = mwi_slaves_first_ready(&engine->slaves.idle);
    return idle != NULL ? idle : mwi_slaves_first_ready(&engine->slaves.with_room);
}

/* Whether results would come faster than the disk can take them. */
static bool is_disk_behind(const struct mwi_master_engine *engine)
{
    return engine->journal != NULL && mwi_journal_is_behind(engine->journal);
}

bool mwi_dispatch_has_work(const struct mwi_master_engine *engine)
{
    if (engine->is_stopping || is_disk_behind(engine))
        return false;
    return engine->is_behind || next_ready(engine) != NULL || mwi_misfits_can_sort(engine);
}

void mwi_dispatch_all(struct mwi_master_engine *engine)
{
    engine->moves_left = MWI_MISFITS_MOVES_MAX;
    engine->is_behind = false;
    if (is_disk_behind(engine))
        return;
    while (!engine->is_stopping && engine->effects.error == MW_OK && !engine->is_behind) {
        struct mwi_slave_entry *slave = next_ready(engine);
        if (slave != NULL)
            send_group(engine, slave);
        else if (!mwi_misfits_can_sort(engine) || !mwi_misfits_sort_next(engine))
            break;
    }
    if (engine->tasks.counts[MWI_TASK_ASIDE] > 0 && !engine->is_stopping)
        mwi_misfits_end_step(engine);
}
