/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue in an array. membership pushes, the public functions of the master pop.
 *
 * Invariant: the queue is items[first .. first + count). If the end of the array is reached and at
 * least half of it is free, the queue moves to the beginning instead of growing, so pushing costs
 * little on average. To tell the user of other slaves in turn, add another queue to struct
 * mwi_master_engine.
 */
#include "farm/sid_queue.h"

#include <stdlib.h>
#include <string.h>

void mwi_sid_queue_init(struct mwi_sid_queue *queue)
{
    *queue = (struct mwi_sid_queue){0};
}

void mwi_sid_queue_fini(struct mwi_sid_queue *queue)
{
    free(queue->items);
    mwi_sid_queue_init(queue);
}

static bool make_room(struct mwi_sid_queue *queue)
{
    if (queue->first > queue->count) {
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
        return true;
    }
    size_t capacity = queue->capacity == 0 ? 8 : queue->capacity * 2;
    uint32_t *items = realloc(queue->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    queue->items = items;
    queue->capacity = capacity;
    return true;
}

bool mwi_sid_queue_push(struct mwi_sid_queue *queue, uint32_t sid)
{
    if (queue->first + queue->count == queue->capacity && !make_room(queue))
        return false;
    queue->items[queue->first + queue->count++] = sid;
    return true;
}

bool mwi_sid_queue_pop(struct mwi_sid_queue *queue, uint32_t *sid)
{
    if (queue->count == 0)
        return false;
    *sid = queue->items[queue->first++];
    queue->count--;
    return true;
}
