/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes messages of tasks. dispatch moves tasks to a slave and then calls this.
 *
 * Invariant: a message has the tasks in the order of the slave's copies. The arguments of a range
 * lie in one piece, and are copied in one go; those of a large task are sent from where they lie.
 * A task that has saved bytes for this attempt is alone in its message, and the message before has
 * these bytes. All tasks of a message to a slave that keeps results are of one scope.
 *
 * To tell a slave more of a task, add a field to struct mwi_message_item, fill it in here, and add
 * a column to wire/message.c.
 */
#include "engine/task_messages.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/outgoing.h"

/* Up to this many tasks, what a message says of them is gathered without malloc. */
#define FEW_TASKS 8

static uint8_t form_of(bool is_bytes)
{
    return is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES;
}

static struct mwi_message_item item_of(const struct mwi_task_entry *task)
{
    return (struct mwi_message_item){.id = task->id,
                                     .size = task->size,
                                     .algorithm = task->algorithm,
                                     .form = form_of(task->is_bytes)};
}

static bool is_large(const struct mwi_copy *copy)
{
    return copy->task != NULL && copy->task->size >= MWI_MESSAGE_LARGE_BYTES;
}

static uint32_t tasks_count(const struct mwi_copy *copy)
{
    return copy->task != NULL ? 1 : copy->count;
}

/* Where the arguments of a copy's tasks lie, one behind the other. */
static struct mwi_payload data_of(const struct mwi_copy *copy)
{
    if (copy->task != NULL)
        return (struct mwi_payload){mwi_tasks_data(copy->task), copy->task->size,
                                    copy->task->is_bytes};
    uint32_t begin = mwi_batch_begin(copy->batch, copy->from);
    uint32_t end = copy->batch->tasks[copy->from + copy->count - 1].end;
    return (struct mwi_payload){copy->batch->bytes + begin, end - begin, false};
}

/* Writes what is said of a copy's tasks; returns the place behind them. */
static struct mwi_message_item *add_items(struct mwi_message_item *items,
                                          const struct mwi_copy *copy)
{
    if (copy->task != NULL) {
        *items = item_of(copy->task);
        return items + 1;
    }
    const struct mwi_batch_entry *batch = copy->batch;
    uint32_t begin = mwi_batch_begin(batch, copy->from);
    for (uint32_t i = copy->from; i < copy->from + copy->count; i++) {
        const struct mwi_batch_task *task = &batch->tasks[i];
        *items++ = (struct mwi_message_item){.id = batch->first_id + task->id_offset,
                                             .size = task->end - begin,
                                             .algorithm = task->algorithm,
                                             .form = form_of(task->is_bytes)};
        begin = task->end;
    }
    return items;
}

static uint64_t scope_of(const struct mwi_master_engine *engine, const struct mwi_copy *copy)
{
    uint32_t policy = copy->task != NULL ? copy->task->item.policy : copy->batch->item.policy;
    return mwi_policies_scope(&mwi_policies_get(&engine->tasks.policies, policy)->policy);
}

/* Tells a slave that keeps results the scope of the next message's tasks, if it is another one than
 * before. */
static void tell_scope(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       const struct mwi_copy *copy)
{
    struct mwi_buffer buffer;
    uint64_t scope = scope_of(engine, copy);
    if (scope == slave->scope)
        return;
    slave->scope = scope;
    mwi_buffer_init(&buffer);
    mwi_message_write_number(&buffer, MWI_MESSAGE_SCOPE, scope);
    mwi_outgoing_send(engine, slave, &buffer);
}

/* Sends a large task in a message of its own. */
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
    mwi_message_begin_group(&buffer, MWI_MESSAGE_TASKS, &item, 1);
    mw_body body = mwi_block_body(block, mwi_block_data(block), task->size);
    mwi_outgoing_send_body(engine, slave, &buffer, &body);
}

/* Writes a message of the copies from `link` to `end`, which have `count` tasks of `bytes`. */
static void write_group(struct mwi_buffer *buffer, struct mwi_list *link,
                        const struct mwi_list *end, size_t count, size_t bytes, bool is_timed)
{
    struct mwi_message_item few[FEW_TASKS];
    struct mwi_message_item *items = count <= FEW_TASKS ? few : malloc(count * sizeof *items);
    struct mwi_message_item *next = items;
    if (items == NULL) {
        buffer->has_failed = true;
        return;
    }
    for (const struct mwi_list *at = link; at != end; at = at->next)
        next = add_items(next, mwi_copies_of_link((struct mwi_list *)at));
    assert(next == items + count);
    items[0].form |= is_timed ? MWI_PAYLOAD_TIMED : 0;
    mwi_buffer_reserve(buffer, bytes);
    mwi_message_begin_group(buffer, MWI_MESSAGE_TASKS, items, count);
    for (; link != end; link = link->next) {
        struct mwi_payload data = data_of(mwi_copies_of_link(link));
        mwi_buffer_append(buffer, data.data, data.size);
    }
    if (items != few)
        free(items);
}

/* The bytes that the copy's task has saved, if the slave accepts a message of them; else NULL. */
static const struct mwi_saved *saved_of(const struct mwi_master_engine *engine,
                                        const struct mwi_slave_entry *slave,
                                        const struct mwi_copy *copy)
{
    if (copy->task == NULL)
        return NULL;
    const struct mwi_saved *saved = mwi_savings_find(&engine->tasks.savings, copy->task->id);
    if (saved == NULL)
        return NULL;
    size_t bytes_max = slave->frame_bytes_max < engine->config.frame_write_bytes_max
                           ? slave->frame_bytes_max
                           : engine->config.frame_write_bytes_max;
    return saved->size <= bytes_max - MWI_MESSAGE_OVERHEAD_BYTES ? saved : NULL;
}

/* Sends the bytes that a task has saved, from where they lie. */
static void send_saved(struct mwi_master_engine *engine, struct mwi_slave_entry *slave, uint64_t id,
                       const struct mwi_saved *saved)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, id);
    mw_body body = mwi_block_body(saved->block, saved->data, saved->size);
    mwi_outgoing_send_body(engine, slave, &buffer, &body);
}

/* Sends the tasks from `link` on in one message, up to the next that has one of its own, or is of
 * another scope if the slave is to know the scope; returns where that is. `link` itself is not
 * large. */
static struct mwi_list *send_small(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                                   struct mwi_list *link, bool is_timed)
{
    struct mwi_buffer buffer;
    struct mwi_list *end = link;
    size_t count = 0, bytes = MWI_MESSAGE_OVERHEAD_BYTES;
    bool is_alone = saved_of(engine, slave, mwi_copies_of_link(link)) != NULL;
    for (; end != &slave->copies && !(is_alone && end != link); end = end->next) {
        const struct mwi_copy *copy = mwi_copies_of_link(end);
        if (is_large(copy) || count + tasks_count(copy) > MWI_MESSAGE_ITEMS_MAX ||
            (end != link && saved_of(engine, slave, copy) != NULL) ||
            (slave->may_return && scope_of(engine, copy) != slave->scope))
            break;
        count += tasks_count(copy);
        bytes += data_of(copy).size;
    }
    mwi_buffer_init(&buffer);
    write_group(&buffer, link, end, count, bytes, is_timed);
    mwi_outgoing_send(engine, slave, &buffer);
    return end;
}

void mwi_task_messages_send(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                            struct mwi_list *link, bool is_timed)
{
    while (link != &slave->copies && engine->effects.error == MW_OK) {
        struct mwi_copy *copy = mwi_copies_of_link(link);
        const struct mwi_saved *saved = saved_of(engine, slave, copy);
        if (slave->may_return)
            tell_scope(engine, slave, copy);
        if (saved != NULL)
            send_saved(engine, slave, copy->task->id, saved);
        if (is_large(copy)) {
            send_large(engine, slave, copy->task, is_timed);
            link = link->next;
        } else {
            link = send_small(engine, slave, link, is_timed);
        }
    }
}
