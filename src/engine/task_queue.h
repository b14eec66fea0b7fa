/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks that wait at a slave. They wait in the messages that brought them, and are read when
 * they begin. The queue also has what belongs to the task that runs: the message of its payload,
 * and the bytes that an earlier attempt has saved.
 */
#ifndef MWI_TASK_QUEUE_H
#define MWI_TASK_QUEUE_H

#include <assert.h>

#include "engine/saved.h"
#include "wire/message.h"

/* A message whose tasks wait. */
struct mwi_task_queue_message {
    struct mwi_message_group group; /* borrows from the block */
    struct mwi_block *block;        /* with a reference */
    size_t index;                   /* of the next task */
    size_t offset;                  /* of its payload */
    bool is_timed;                  /* the master is to be told when its one task begins */
    struct mwi_saved saved;         /* by an earlier attempt of its one task */
    uint64_t scope;                 /* of its tasks, see wire/content.h */
};

/* All zero at first. */
struct mwi_task_queue {
    /* The messages: messages_count entries of the ring from `first` on. */
    struct mwi_task_queue_message *messages;
    size_t capacity; /* a power of two, or 0 */
    size_t first, messages_count;
    size_t tasks_count;              /* that wait */
    struct mwi_block *running_block; /* with the payload of the task that runs, if its message is
                                        not in the ring any more; else NULL */
    struct mwi_saved loaded;         /* of the task that runs: by an earlier attempt */
    struct mwi_saved announced;      /* it belongs to the message of tasks that comes next, */
    uint64_t announced_id;           /* which has this task alone */
};

/* Drops what the task that runs needs, too. */
void mwi_task_queue_fini(struct mwi_task_queue *queue);

/* Takes the decoded message SAVE, with bytes for the task that comes next. The frame gives up its
 * block if the bytes are many. Errors: MW_ENOMEM; MW_EPROTOCOL: such bytes were there already. */
mw_error mwi_task_queue_announce(struct mwi_task_queue *queue, const struct mwi_message *message,
                                 mw_frame *frame) MW_USE_RESULT;

/* Appends the tasks of the decoded message TASKS, which are of this scope. The frame gives up its
 * block, and the message points to where the bytes are kept then. Errors: MW_ENOMEM; MW_EPROTOCOL:
 * saved bytes were there for another task. */
mw_error mwi_task_queue_append(struct mwi_task_queue *queue, struct mwi_message *message,
                               mw_frame *frame, uint64_t scope) MW_USE_RESULT;

/* Forgets the tasks that wait, and the bytes for the one that comes next. If a task runs, what it
 * needs stays until the release. */
void mwi_task_queue_clear(struct mwi_task_queue *queue, bool is_running);

/* A message by its place, below messages_count. The first has the next task. */
static inline struct mwi_task_queue_message *
mwi_task_queue_message(const struct mwi_task_queue *queue, size_t place)
{
    assert(place < queue->messages_count);
    return &queue->messages[(queue->first + place) & (queue->capacity - 1)];
}

/* The message of the next task. Only if a task waits. */
static inline struct mwi_task_queue_message *
mwi_task_queue_first(const struct mwi_task_queue *queue)
{
    assert(queue->tasks_count > 0 && queue->messages_count > 0);
    return &queue->messages[queue->first];
}

/* The id of the next task. Only if a task waits. */
static inline uint64_t mwi_task_queue_next_id(const struct mwi_task_queue *queue)
{
    const struct mwi_task_queue_message *message = mwi_task_queue_first(queue);
    return mwi_column_at(&message->group.ids, message->index);
}

/* Whether this task waits. Looks at all of them. */
bool mwi_task_queue_has(const struct mwi_task_queue *queue, uint64_t id);

/* For take: the last task of the first message has begun. */
void mwi_task_queue_end_message(struct mwi_task_queue *queue);

/* The next task. Only if a task waits. */
static inline struct mwi_message_item mwi_task_queue_next(const struct mwi_task_queue *queue)
{
    const struct mwi_task_queue_message *message = mwi_task_queue_first(queue);
    return mwi_message_item_at(&message->group, message->index, message->offset);
}

/* Takes the next task out of the queue: it runs from now on. `size` is that of its payload, which
 * stays until the release. The task before it was released. */
static inline void mwi_task_queue_take(struct mwi_task_queue *queue, size_t size)
{
    struct mwi_task_queue_message *message = mwi_task_queue_first(queue);
    message->offset += size;
    queue->tasks_count--;
    if (++message->index == message->group.count)
        mwi_task_queue_end_message(queue);
}

/* The task that ran has ended: drops the references that were kept for it. */
static inline void mwi_task_queue_release(struct mwi_task_queue *queue)
{
    if (queue->running_block == NULL)
        return;
    mwi_block_unref(queue->running_block);
    mwi_block_unref(queue->loaded.block);
    queue->running_block = queue->loaded.block = NULL;
}

#endif
