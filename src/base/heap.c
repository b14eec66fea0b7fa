/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary min-heap in one array. Positions count from 1, so that the parent of position p is p / 2
 * and 0 can mean "in no heap"; position p is entries[p - 1]. Each entry's node holds the entry's
 * position at all times. Used by timers (by deadline), the pool (by priority) and the simulator's
 * agenda (by virtual time).
 */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

void mwi_heap_init(struct mwi_heap *heap)
{
    *heap = (struct mwi_heap){0};
}

void mwi_heap_fini(struct mwi_heap *heap)
{
    free(heap->entries);
    mwi_heap_init(heap);
}

bool mwi_heap_reserve(struct mwi_heap *heap, size_t count)
{
    if (count <= heap->capacity)
        return true;
    size_t capacity = count <= CAPACITY_MIN ? CAPACITY_MIN : 2 * count;
    struct mwi_heap_entry *entries = realloc(heap->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

static struct mwi_heap_entry *entry_at(const struct mwi_heap *heap, size_t position)
{
    return &heap->entries[position - 1];
}

static bool is_before(const struct mwi_heap_entry *entry, const struct mwi_heap_entry *other)
{
    return entry->key != other->key ? entry->key < other->key : entry->order < other->order;
}

static void set_entry(struct mwi_heap *heap, size_t position, struct mwi_heap_entry entry)
{
    *entry_at(heap, position) = entry;
    entry.node->position = position;
}

static void sift_up(struct mwi_heap *heap, size_t position, struct mwi_heap_entry entry)
{
    while (position > 1 && is_before(&entry, entry_at(heap, position / 2))) {
        set_entry(heap, position, *entry_at(heap, position / 2));
        position /= 2;
    }
    set_entry(heap, position, entry);
}

static void sift_down(struct mwi_heap *heap, size_t position, struct mwi_heap_entry entry)
{
    for (size_t child = 2 * position; child <= heap->count; child = 2 * position) {
        if (child < heap->count && is_before(entry_at(heap, child + 1), entry_at(heap, child)))
            child++;
        if (!is_before(entry_at(heap, child), &entry))
            break;
        set_entry(heap, position, *entry_at(heap, child));
        position = child;
    }
    set_entry(heap, position, entry);
}

/* Puts the entry where it belongs, from a position whose own entry is no longer needed. */
static void sift(struct mwi_heap *heap, size_t position, struct mwi_heap_entry entry)
{
    if (position > 1 && is_before(&entry, entry_at(heap, position / 2)))
        sift_up(heap, position, entry);
    else
        sift_down(heap, position, entry);
}

void mwi_heap_put(struct mwi_heap *heap, struct mwi_heap_node *node, int64_t key, uint64_t order)
{
    struct mwi_heap_entry entry = {.key = key, .order = order, .node = node};
    if (node->position == 0) {
        assert(heap->count < heap->capacity);
        sift_up(heap, ++heap->count, entry);
    } else {
        assert(node->position <= heap->count && entry_at(heap, node->position)->node == node);
        sift(heap, node->position, entry);
    }
}

void mwi_heap_remove(struct mwi_heap *heap, struct mwi_heap_node *node)
{
    size_t position = node->position;
    if (position == 0)
        return;
    assert(position <= heap->count && entry_at(heap, position)->node == node);
    struct mwi_heap_entry last = heap->entries[--heap->count];
    if (last.node != node)
        sift(heap, position, last);
    node->position = 0;
}
