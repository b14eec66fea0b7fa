/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of results that were not handed out to the user yet, in order of arrival. A result
 * points into the frame that brought it, and holds a reference to that frame's block. Tasks of a
 * batch (batches.h) that were sent together as a range (copies.h) also return together: their
 * results are queued as one group, and stay in the frame as they came.
 */
#ifndef MWI_FINISHED_H
#define MWI_FINISHED_H

#include <assert.h>

#include "base/block.h"
#include "farm/batches.h"
#include "farm/tasks.h"
#include "wire/message.h"

struct mwi_finished {
    uint64_t task;
    struct mwi_block *block;
    struct mwi_payload payload;
    union {
        int64_t tag;
        struct mwi_tag *tag_bytes; /* malloc'd; goes with the item */
    };
    uint64_t duration_ns;
    uint32_t sid;
    uint16_t algorithm;
    bool is_failed;   /* the payload is the message's text */
    bool is_replayed; /* an earlier run has recorded it */
    bool has_tag_bytes;
};

/* Results of `count` tasks of a batch, from the task with the index `place` on. None of them has
 * failed. `block` holds the message, and `cursor` stands at the first task's result. */
struct mwi_finished_group {
    struct mwi_block *block;
    struct mwi_batch_entry *batch;
    uint32_t place, count;
    uint32_t taken_count; /* results that were taken already; set by the queue */
    uint32_t sid;
    uint64_t had_ns; /* for how long the slave had the tasks; longer durations are cut to this */
    struct mwi_message_group results;
    struct mwi_message_cursor cursor; /* its `group` is set by the queue */
};

struct mwi_finished_queue {
    struct mwi_finished_slot *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t first;
    size_t slots_count;               /* a slot is a result or a group */
    size_t count;                     /* results, those in groups included */
    struct mwi_finished_group *spare; /* memory for the next group, or NULL */
};

void mwi_finished_init(struct mwi_finished_queue *queue);
void mwi_finished_fini(struct mwi_finished_queue *queue);

/* Takes the item's reference and tag, unless out of memory: false. */
bool mwi_finished_push(struct mwi_finished_queue *queue, const struct mwi_finished *item);

/* Copies the group and takes its reference, unless out of memory: false. The caller keeps the tasks
 * in their batch until mwi_finished_pop reports the end of the group. */
bool mwi_finished_push_group(struct mwi_finished_queue *queue,
                             const struct mwi_finished_group *group);

/* The group at the front of the queue, if some of its results were taken already, else NULL. It is
 * borrowed until its last result is popped. */
struct mwi_finished_group *mwi_finished_group_begun(const struct mwi_finished_queue *queue);

/* The values that differ between the results of a group. */
struct mwi_finished_part {
    const struct mwi_batch_task *task;
    uint64_t id;
    uint64_t duration_ns;
    struct mwi_payload payload;
};

/* Takes the next result of the group that is at the front of the queue. Must not be called for the
 * group's last result: only mwi_finished_pop removes the group. */
static inline void mwi_finished_step(struct mwi_finished_queue *queue,
                                     struct mwi_finished_group *group,
                                     struct mwi_finished_part *part)
{
    const struct mwi_message_group *results = &group->results;
    size_t index = group->cursor.index++;
    uint64_t duration_ns = mwi_column_at(&results->durations, index);
    assert(group->taken_count < group->count && index < results->count);
    part->task = &group->batch->tasks[group->place + group->taken_count++];
    part->id = group->batch->first_id + part->task->id_offset;
    part->duration_ns = duration_ns < group->had_ns ? duration_ns : group->had_ns;
    part->payload.data = results->payloads + group->cursor.offset;
    part->payload.size = (size_t)mwi_column_at(&results->sizes, index);
    part->payload.is_bytes = mwi_column_at(&results->forms, index) == MWI_PAYLOAD_BYTES;
    group->cursor.offset += part->payload.size;
    queue->count--;
}

/* A group whose last result was taken. */
struct mwi_finished_end {
    struct mwi_batch_entry *batch; /* NULL: no group has ended */
    uint32_t count;                /* tasks of the batch that are not needed any more */
};

/* Takes the next result; false if the queue is empty. The caller takes over the reference to the
 * item's block, and the tag. Of a group's results only the last comes with the block; the queue
 * holds it until then. If end->batch is not NULL, the caller must call mwi_tasks_release. */
bool mwi_finished_pop(struct mwi_finished_queue *queue, struct mwi_finished *item,
                      struct mwi_finished_end *end);

/* Calls `visit` with each result of the queue, in order. Item, block and tag are borrowed for the
 * call; results of groups come without a block. */
void mwi_finished_walk(const struct mwi_finished_queue *queue,
                       void (*visit)(void *context, const struct mwi_finished *item),
                       void *context);

#endif
