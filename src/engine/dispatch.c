/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the scheduler's choice for one slave after the other into messages: moves the chosen tasks
 * to the slave, encodes them, and keeps the slave's load. The master's engine calls it after each
 * event.
 *
 * Invariants: after a step no slave that could be sent a task is left without one, unless the farm
 * is stopping or memory ran out; the copies of a group are at the end of the slave's list, in
 * the order of their messages.
 *
 * Which tasks go to a slave, and how many together, is decided by schedule.c alone; how a message
 * of tasks looks, by wire/message.c.
 */
#include "engine/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/membership.h"
#include "engine/misfits.h"
#include "engine/outgoing.h"
#include "engine/probation.h"
#include "farm/schedule.h"

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

/* Moves the tasks that the slave gets next to it; returns how many. */
static size_t choose_group(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    size_t bytes_max = slave->frame_bytes_max - MWI_MESSAGE_OVERHEAD_BYTES;
    struct mwi_schedule_limits limits = {
        .task_group = engine->config.task_group,
        .group_bytes_max = bytes_max < GROUP_BYTES_MAX ? bytes_max : GROUP_BYTES_MAX,
        .pace = &engine->pace,
        .slaves_count = mwi_slaves_ready_count(&engine->slaves),
        .ended_count = engine->ended_count};
    struct mwi_schedule_group group = {0}, before = {0};
    struct mwi_task_entry *task;
    while (engine->effects.error == MW_OK &&
           (task = mwi_schedule_next(&engine->tasks, slave, &limits, &group)) != NULL) {
        if (!mwi_fit_is_met(task, slave)) {
            group = before;
            if (!mwi_misfits_pass_over(engine, slave, task))
                break;
            continue;
        }
        if (!slave->is_proven && !choose_for_newcomer(engine, slave, &task, &group))
            return 0;
        if (!give(engine, slave, task))
            break;
        before = group;
    }
    if (engine->tasks.has_failed)
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
    if (before.chosen.count > 0)
        mwi_load_add(&slave->load, &before.chosen, engine->now_ns);
    return before.chosen.count;
}

static struct mwi_task_entry *task_of(struct mwi_list *link)
{
    return mwi_copies_of_link(link)->task;
}

static bool is_large(const struct mwi_task_entry *task)
{
    return task->size >= MWI_MESSAGE_LARGE_BYTES;
}

static struct mwi_message_item item_of(const struct mwi_task_entry *task)
{
    return (struct mwi_message_item){.id = task->id,
                                     .size = task->size,
                                     .algorithm = task->algorithm,
                                     .form =
                                         task->is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES};
}

/* Sends a large task in a message of its own, its arguments from where they lie. */
static void send_large(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_task_entry *task, bool is_timed)
{
    struct mwi_buffer buffer;
    struct mwi_message_item item = item_of(task);
    struct mwi_block *block = mwi_tasks_share(task);
    if (block == NULL) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    mwi_buffer_init(&buffer);
    item.form |= is_timed ? MWI_PAYLOAD_TIMED : 0;
    mwi_message_begin_tasks(&buffer, &item, 1);
    mw_body body = mwi_block_body(block, mwi_block_data(block), task->size);
    mwi_outgoing_send_body(engine, slave, &buffer, &body);
}

/* Writes the message of `count` tasks from `link` on; `bytes` suffice for it. */
static void write_small(struct mwi_buffer *buffer, struct mwi_list *link, size_t count,
                        size_t bytes)
{
    struct mwi_message_item *items = malloc(count * sizeof *items);
    struct mwi_list *from = link;
    if (items == NULL) {
        buffer->has_failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++, link = link->next)
        items[i] = item_of(task_of(link));
    mwi_buffer_reserve(buffer, bytes);
    mwi_message_begin_tasks(buffer, items, count);
    for (size_t i = 0; i < count; i++, from = from->next)
        mwi_buffer_append(buffer, mwi_tasks_data(task_of(from)), task_of(from)->size);
    free(items);
}

/* Sends the slave's tasks from `link` on, up to the next large one, in one message; returns where
 * that is. */
static struct mwi_list *send_small(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                   struct mwi_list *link)
{
    struct mwi_buffer buffer;
    struct mwi_list *end = link;
    size_t count = 0, bytes = MWI_MESSAGE_OVERHEAD_BYTES;
    while (end != &slave->copies && !is_large(task_of(end)) && count < MWI_MESSAGE_ITEMS_MAX) {
        count++;
        bytes += task_of(end)->size + MWI_MESSAGE_OVERHEAD_BYTES;
        end = end->next;
    }
    mwi_buffer_init(&buffer);
    write_small(&buffer, link, count, bytes);
    mwi_outgoing_send(engine, slave, &buffer);
    return end;
}

/* Sends the slave's tasks from `link` on. */
static void send_tasks(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_list *link)
{
    while (link != &slave->copies && engine->effects.error == MW_OK) {
        if (is_large(task_of(link))) {
            send_large(engine, slave, task_of(link), false);
            link = link->next;
        } else {
            link = send_small(engine, slave, link);
        }
    }
}

/* Sends a task with a time limit. */
static void send_timed(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       struct mwi_task_entry *task)
{
    struct mwi_buffer buffer;
    if (is_large(task)) {
        send_large(engine, slave, task, true);
    } else {
        struct mwi_message_item item = item_of(task);
        item.form |= MWI_PAYLOAD_TIMED;
        mwi_buffer_init(&buffer);
        mwi_message_begin_tasks(&buffer, &item, 1);
        mwi_buffer_append(&buffer, mwi_tasks_data(task), task->size);
        mwi_outgoing_send(engine, slave, &buffer);
    }
    mwi_membership_await_begin(engine, slave);
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

static void send_group(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    if (slave->host->barren_count > 0 && mwi_probation_holds(engine, slave))
        return;
    struct mwi_list *last = slave->copies.prev;
    bool is_idle = slave->load.tasks_count == 0;
    size_t count = choose_group(engine, slave);
    if (count == 0) {
        if (!slave->is_held)
            pass_slave_over(engine, slave);
        return;
    }
    assert(slave->load.tasks_count >= count && last->next != &slave->copies);
    mwi_stats_add_group(engine->groups, count);
    /* A task with a time limit is alone. */
    if (slave->load.is_alone && mwi_master_state_limit_ns(engine, task_of(last->next)) > 0)
        send_timed(engine, slave, task_of(last->next));
    else
        send_tasks(engine, slave, last->next);
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_TASKS_SENT, .count = count);
    slave->load.has_room = can_have_more(engine, slave);
    /* A slave that keeps its room may belong into another list: its ordered tasks may be all
     * sent. */
    if (is_idle)
        mwi_membership_move_slave(engine, slave, MWI_SLAVE_BUSY);
    else
        mwi_slaves_update(&engine->slaves, slave);
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

bool mwi_dispatch_has_work(const struct mwi_master_engine *engine)
{
    if (engine->is_stopping)
        return false;
    return engine->is_behind || next_ready(engine) != NULL || mwi_misfits_can_sort(engine);
}

void mwi_dispatch_all(struct mwi_master_engine *engine)
{
    engine->moves_left = MWI_MISFITS_MOVES_MAX;
    engine->is_behind = false;
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
