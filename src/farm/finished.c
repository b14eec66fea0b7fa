/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of results, a ring. task_ends puts results in, lifecycle pops them for the user, and
 * face/master_results steps through a group between two pops.
 *
 * Invariants: a slot of the ring holds a reference to its block and owns the bytes of its tag; the
 * caller that pops it takes over both. A group is a slot, too, and its results are made when they
 * are taken. The ring doubles when it is full and never shrinks.
 *
 * To tell the user something more with a result, add a field to struct mwi_finished, and one to
 * struct mwi_finished_part if it differs within a group.
 */
#include "farm/finished.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A result, or a group of them. */
struct mwi_finished_slot {
    struct mwi_finished_group *group; /* malloc'd; NULL: one */
    struct mwi_finished one;
};

void mwi_finished_init(struct mwi_finished_queue *queue)
{
    *queue = (struct mwi_finished_queue){0};
}

static struct mwi_finished_slot *first_slot(const struct mwi_finished_queue *queue)
{
    return queue->slots_count == 0 ? NULL : &queue->ring[queue->first];
}

static void pop_slot(struct mwi_finished_queue *queue)
{
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->slots_count--;
}

void mwi_finished_fini(struct mwi_finished_queue *queue)
{
    for (struct mwi_finished_slot *slot; (slot = first_slot(queue)) != NULL; pop_slot(queue)) {
        mwi_block_unref(slot->group != NULL ? slot->group->block : slot->one.block);
        free(slot->group);
        if (slot->group == NULL && slot->one.has_tag_bytes)
            free(slot->one.tag_bytes);
    }
    free(queue->ring);
    free(queue->spare);
    mwi_finished_init(queue);
}

static bool grow(struct mwi_finished_queue *queue)
{
    size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
    struct mwi_finished_slot *ring = malloc(capacity * sizeof *ring);
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

/* A slot at the end, which the caller fills in; NULL out of memory. */
static struct mwi_finished_slot *push_slot(struct mwi_finished_queue *queue)
{
    if (queue->slots_count == queue->capacity && !grow(queue))
        return NULL;
    return &queue->ring[(queue->first + queue->slots_count++) & (queue->capacity - 1)];
}

bool mwi_finished_push(struct mwi_finished_queue *queue, const struct mwi_finished *item)
{
    struct mwi_finished_slot *slot = push_slot(queue);
    if (slot == NULL)
        return false;
    slot->group = NULL;
    slot->one = *item;
    queue->count++;
    return true;
}

bool mwi_finished_push_group(struct mwi_finished_queue *queue,
                             const struct mwi_finished_group *group)
{
    struct mwi_finished_group *kept = queue->spare != NULL ? queue->spare : malloc(sizeof *kept);
    queue->spare = NULL;
    struct mwi_finished_slot *slot = kept == NULL ? NULL : push_slot(queue);
    assert(group->count > 0);
    if (slot == NULL) {
        free(kept);
        return false;
    }
    *kept = *group;
    kept->taken_count = 0;
    kept->cursor.group = &kept->results;
    slot->group = kept;
    queue->count += group->count;
    return true;
}

struct mwi_finished_group *mwi_finished_group_begun(const struct mwi_finished_queue *queue)
{
    const struct mwi_finished_slot *slot = first_slot(queue);
    return slot != NULL && slot->group != NULL && slot->group->taken_count > 0 ? slot->group : NULL;
}

/* Makes the next result of a group. */
static void take_of_group(struct mwi_finished_queue *queue, struct mwi_finished_group *group,
                          struct mwi_finished *item)
{
    struct mwi_finished_part part;
    mwi_finished_step(queue, group, &part);
    *item = (struct mwi_finished){.task = part.id,
                                  .payload = part.payload,
                                  .tag = part.task->tag,
                                  .duration_ns = part.duration_ns,
                                  .sid = group->sid,
                                  .algorithm = part.task->algorithm};
}

bool mwi_finished_pop(struct mwi_finished_queue *queue, struct mwi_finished *item,
                      struct mwi_finished_end *end)
{
    struct mwi_finished_slot *slot = first_slot(queue);
    end->batch = NULL;
    if (slot == NULL)
        return false;
    struct mwi_finished_group *group = slot->group;
    if (group == NULL) {
        *item = slot->one;
        queue->count--;
        pop_slot(queue);
        return true;
    }
    take_of_group(queue, group, item);
    if (group->taken_count < group->count)
        return true;
    item->block = group->block;
    *end = (struct mwi_finished_end){group->batch, group->count};
    free(queue->spare);
    queue->spare = group;
    pop_slot(queue);
    return true;
}

/* Visits the results of a group, on a copy of it. */
static void walk_group(const struct mwi_finished_queue *queue,
                       const struct mwi_finished_group *group,
                       void (*visit)(void *context, const struct mwi_finished *item), void *context)
{
    struct mwi_finished_queue counts = *queue;
    struct mwi_finished_group copy = *group;
    copy.cursor.group = &copy.results;
    while (copy.taken_count < copy.count) {
        struct mwi_finished item;
        take_of_group(&counts, &copy, &item);
        visit(context, &item);
    }
}

void mwi_finished_walk(const struct mwi_finished_queue *queue,
                       void (*visit)(void *context, const struct mwi_finished *item), void *context)
{
    for (size_t i = 0; i < queue->slots_count; i++) {
        const struct mwi_finished_slot *slot =
            &queue->ring[(queue->first + i) & (queue->capacity - 1)];
        if (slot->group != NULL)
            walk_group(queue, slot->group, visit, context);
        else
            visit(context, &slot->one);
    }
}
