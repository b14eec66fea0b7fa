/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue is an array; its used part moves to the beginning when it has reached the end and at
 * least half of the array is free, so that pushing costs little. membership pushes, the public
 * functions of the master pop.
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
