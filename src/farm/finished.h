/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of results that were not handed out yet, in order of arrival. A result points into the
 * frame that brought it, and holds a reference to that frame's block. The results of a range of a
 * batch are queued together, as they lie in the frame.
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
    bool is_failed; /* the payload is the message's text */
    bool has_tag_bytes;
};

/* Results of `count` tasks of a batch from `place` on, which are done. `cursor` is at the result of
 * the first, and the message is in the block. */
struct mwi_finished_group {
    struct mwi_block *block;
    struct mwi_batch_entry *batch;
    uint32_t place, count;
    uint32_t taken_count; /* of them; set by the queue */
    uint32_t sid;
    uint64_t had_ns; /* for how long the slave had the tasks: none ran for longer */
    struct mwi_message_group results;
    struct mwi_message_cursor cursor; /* its `group` is set by the queue */
};

struct mwi_finished_queue {
    struct mwi_finished_slot *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t first;
    size_t slots_count;
    size_t count;                     /* of results */
    struct mwi_finished_group *spare; /* memory for the next group, or NULL */
};

void mwi_finished_init(struct mwi_finished_queue *queue);
void mwi_finished_fini(struct mwi_finished_queue *queue);

/* Takes the item's reference and tag, unless out of memory: false. */
bool mwi_finished_push(struct mwi_finished_queue *queue, const struct mwi_finished *item);

/* Takes the group's reference, unless out of memory: false. The tasks of the batch are kept until
 * mwi_finished_pop has released them. */
bool mwi_finished_push_group(struct mwi_finished_queue *queue,
                             const struct mwi_finished_group *group);

/* The group whose results come next, after some that were taken; NULL if there is none. It
 * stays until its last result is popped. */
struct mwi_finished_group *mwi_finished_group_begun(const struct mwi_finished_queue *queue);

/* The values that differ between the results of a group. */
struct mwi_finished_part {
    const struct mwi_batch_task *task;
    uint64_t id;
    uint64_t duration_ns;
    struct mwi_payload payload;
};

/* Takes the next result of the group that is at the front of the queue. */
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

/* The batch of a group whose last result was taken. */
struct mwi_finished_end {
    struct mwi_batch_entry *batch; /* NULL: no group has ended */
    uint32_t count;                /* of its tasks, which are not needed any more */
};

/* Gives the reference and the tag with the item; false if there is none. Of the results of a group
 * only the last comes with the reference, the others have no block. `end` says what the caller must
 * release. */
bool mwi_finished_pop(struct mwi_finished_queue *queue, struct mwi_finished *item,
                      struct mwi_finished_end *end);

#endif
