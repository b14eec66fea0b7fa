/* SPDX-License-Identifier: Apache-2.0
 *
 * engine/slave_engine fills the queue, and takes tasks out when they begin; engine/relay also looks
 * at messages behind the first. Rules:
 *
 * - Each message in the ring holds a reference to the block of its frame, and has a task that
 *   waits. When its last task has begun, the message leaves the ring, and the queue holds the
 *   reference until that task ends.
 * - tasks_count is the number of tasks that wait, in all messages.
 * - Bytes that an earlier attempt has saved come right before their task, which is alone in its
 *   message.
 *
 * To keep something else of a message, add a field to struct mwi_task_queue_message.
 */
#include "engine/task_queue.h"

#include <stdlib.h>

void mwi_task_queue_fini(struct mwi_task_queue *queue)
{
    mwi_task_queue_clear(queue, false);
    mwi_task_queue_release(queue);
    free(queue->messages);
    *queue = (struct mwi_task_queue){0};
}

void mwi_task_queue_end_message(struct mwi_task_queue *queue)
{
    struct mwi_task_queue_message *message = mwi_task_queue_message(queue, 0);
    assert(queue->running_block == NULL);
    queue->running_block = message->block;
    queue->loaded = message->saved;
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->messages_count--;
}

void mwi_task_queue_clear(struct mwi_task_queue *queue, bool is_running)
{
    if (is_running && queue->running_block == NULL)
        mwi_task_queue_end_message(queue);
    for (size_t i = 0; i < queue->messages_count; i++) {
        struct mwi_task_queue_message *message = mwi_task_queue_message(queue, i);
        mwi_block_unref(message->block);
        mwi_saved_forget(&message->saved);
    }
    mwi_saved_forget(&queue->announced);
    queue->messages_count = 0;
    queue->tasks_count = 0;
}

bool mwi_task_queue_has(const struct mwi_task_queue *queue, uint64_t id)
{
    for (size_t i = 0; i < queue->messages_count; i++) {
        const struct mwi_task_queue_message *message = mwi_task_queue_message(queue, i);
        for (size_t j = message->index; j < message->group.count; j++)
            if (mwi_column_at(&message->group.ids, j) == id)
                return true;
    }
    return false;
}

/* Few bytes lie at any address in the frame, and are copied to an aligned one. */
mw_error mwi_task_queue_announce(struct mwi_task_queue *queue, const struct mwi_message *message,
                                 mw_frame *frame)
{
    size_t size = message->save.size;
    ptrdiff_t offset = message->save.data - frame->data;
    unsigned char *kept = NULL;
    if (queue->announced.block != NULL)
        return MW_EPROTOCOL;
    bool is_large = size >= MWI_MESSAGE_LARGE_BYTES;
    struct mwi_block *block =
        is_large ? mwi_block_keep(frame, &kept) : mwi_block_copy(message->save.data, size, &kept);
    if (block == NULL)
        return MW_ENOMEM;
    queue->announced =
        (struct mwi_saved){.block = block, .data = is_large ? kept + offset : kept, .size = size};
    queue->announced_id = message->save.id;
    return MW_OK;
}

/* Makes room for one more message; false out of memory. */
static bool reserve_message(struct mwi_task_queue *queue)
{
    size_t count = queue->messages_count;
    if (count < queue->capacity)
        return true;
    size_t capacity = queue->capacity == 0 ? 4 : 2 * queue->capacity;
    struct mwi_task_queue_message *messages = malloc(capacity * sizeof *messages);
    if (messages == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        messages[i] = *mwi_task_queue_message(queue, i);
    free(queue->messages);
    queue->messages = messages;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

mw_error mwi_task_queue_append(struct mwi_task_queue *queue, struct mwi_message *message,
                               mw_frame *frame, uint64_t scope)
{
    const struct mwi_message_group *group = &message->group;
    const unsigned char *received = frame->data;
    unsigned char *kept = NULL;
    if (queue->announced.block != NULL &&
        (group->count != 1 || mwi_column_at(&group->ids, 0) != queue->announced_id))
        return MW_EPROTOCOL;
    struct mwi_block *block = reserve_message(queue) ? mwi_block_keep(frame, &kept) : NULL;
    if (block == NULL)
        return MW_ENOMEM;
    assert(queue->messages_count < queue->capacity);
    mwi_message_rebase(message, received, kept);
    queue->messages_count++;
    struct mwi_task_queue_message *queued =
        mwi_task_queue_message(queue, queue->messages_count - 1);
    *queued = (struct mwi_task_queue_message){
        .group = *group,
        .block = block,
        .is_timed = message->is_timed,
        .saved = queue->announced,
        .scope = scope,
    };
    queue->announced.block = NULL;
    queue->tasks_count += group->count;
    return MW_OK;
}
