/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of results, a ring. lifecycle puts results in and takes them out for the user.
 *
 * Invariant: an item in the ring holds a reference to its block and owns the bytes of its tag; the
 * caller that pops it takes over both. The ring doubles when it is full and never shrinks.
 * Something more that the user is to learn with a result is a field of struct mwi_finished.
 */
#include "farm/finished.h"

#include <stdlib.h>
#include <string.h>

void mwi_finished_init(struct mwi_finished_queue *queue)
{
    *queue = (struct mwi_finished_queue){0};
}

void mwi_finished_fini(struct mwi_finished_queue *queue)
{
    struct mwi_finished item;
    while (mwi_finished_pop(queue, &item)) {
        mwi_block_unref(item.block);
        if (item.has_tag_bytes)
            free(item.tag_bytes);
    }
    free(queue->ring);
    mwi_finished_init(queue);
}

static bool grow(struct mwi_finished_queue *queue)
{
    size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
    struct mwi_finished *ring = malloc(capacity * sizeof *ring);
    if (ring == NULL)
        return false;
    size_t until_end = queue->capacity - queue->first;
    if (queue->capacity > 0) {
        memcpy(ring, queue->ring + queue->first, until_end * sizeof *ring);
        memcpy(ring + until_end, queue->ring, queue->first * sizeof *ring);
    }
    free(queue->ring);
    queue->ring = ring;
    queue->first = 0;
    queue->capacity = capacity;
    return true;
}

bool mwi_finished_push(struct mwi_finished_queue *queue, const struct mwi_finished *item)
{
    if (queue->count == queue->capacity && !grow(queue))
        return false;
    queue->ring[(queue->first + queue->count++) & (queue->capacity - 1)] = *item;
    return true;
}

bool mwi_finished_pop(struct mwi_finished_queue *queue, struct mwi_finished *item)
{
    if (queue->count == 0)
        return false;
    *item = queue->ring[queue->first];
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
    return true;
}
