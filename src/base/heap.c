/* SPDX-License-Identifier: Apache-2.0
 *
 * A min-heap in one array, in which each entry has up to four children. Two children would make
 * twice as many levels. An entry that moves by a level writes into the node of the entry that it
 * passes, and that node is seldom in a cache. Callers: timers (key: deadline), pool (priority),
 * slaves (size of messages) and the simulator's agenda (virtual time).
 *
 * Invariants: positions count from 1, so that 0 can mean "in no heap". Position p is
 * entries[p - 1], and its children begin at position 4 p - 2. Each node holds the position of its
 * entry at all times. Memory is allocated in mwi_heap_reserve only. For another order of equal
 * keys, change is_before: nothing else compares entries.
 */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 16
#define CHILDREN 4
#define GRANDCHILDREN (CHILDREN * CHILDREN)
#define PREFETCH_BYTES 128 /* the processor fetches two lines at a time */

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

static inline struct mwi_heap_entry *entry_at(const struct mwi_heap *heap, size_t position)
{
    return &heap->entries[position - 1];
}

/* Without a branch, since nothing foretells the answer. */
static inline bool is_before(const struct mwi_heap_entry *entry, const struct mwi_heap_entry *other)
{
    bool has_smaller_order = entry->order < other->order;
    return (entry->key < other->key) | ((entry->key == other->key) & has_smaller_order);
}

static inline void set_entry(struct mwi_heap *heap, size_t position,
                             const struct mwi_heap_entry *entry)
{
    *entry_at(heap, position) = *entry;
    entry->node->position = position;
}

static inline size_t parent_of(size_t position)
{
    return (position + CHILDREN - 2) / CHILDREN;
}

/* Moves parents down into the hole at `position` as long as the entry comes before them. Returns
 * where the hole is then. */
static inline size_t raise_hole(struct mwi_heap *heap, size_t position,
                                const struct mwi_heap_entry *entry)
{
    while (position > 1 && is_before(entry, entry_at(heap, parent_of(position)))) {
        set_entry(heap, position, entry_at(heap, parent_of(position)));
        position = parent_of(position);
    }
    return position;
}

/* The child of `position` that comes first; 0 if it has none. In a large heap the children of all
 * its children come into the cache meanwhile: it is not known yet which of them are needed. (A
 * function that only does that is left out by gcc.) */
static inline size_t first_child(const struct mwi_heap *heap, size_t position)
{
    size_t child = CHILDREN * (position - 1) + 2;
    if (child > heap->count)
        return 0;
    const struct mwi_heap_entry *entries = entry_at(heap, child);
    size_t count = heap->count - child + 1;
    if (count >= CHILDREN) {
        size_t grandchild = CHILDREN * (child - 1) + 2;
        size_t bytes = grandchild + GRANDCHILDREN <= heap->count
                           ? GRANDCHILDREN * sizeof(struct mwi_heap_entry)
                           : 0;
        for (size_t i = 0; i < bytes; i += PREFETCH_BYTES)
            __builtin_prefetch((const char *)entry_at(heap, grandchild) + i);
        size_t one = is_before(&entries[1], &entries[0]);
        size_t other = 2 + (size_t)is_before(&entries[3], &entries[2]);
        return child + (is_before(&entries[other], &entries[one]) ? other : one);
    }
    size_t first = 0;
    for (size_t i = 1; i < count; i++)
        if (is_before(&entries[i], &entries[first]))
            first = i;
    return child + first;
}

/* Moves children up into the hole at `position` as long as they come before the entry. Returns
 * where the hole is then. */
static inline size_t sink_hole(struct mwi_heap *heap, size_t position,
                               const struct mwi_heap_entry *entry)
{
    size_t child;
    while ((child = first_child(heap, position)) != 0 && is_before(entry_at(heap, child), entry)) {
        set_entry(heap, position, entry_at(heap, child));
        position = child;
    }
    return position;
}

/* Puts the entry into the hole at `position`, or above or below it. Only one of the two loops moves
 * the hole: an entry that comes before the hole's parent comes before the hole's children too. */
static inline void fill_hole(struct mwi_heap *heap, size_t position,
                             const struct mwi_heap_entry *entry)
{
    position = raise_hole(heap, position, entry);
    set_entry(heap, sink_hole(heap, position, entry), entry);
}

void mwi_heap_put(struct mwi_heap *heap, struct mwi_heap_node *node, int64_t key, uint64_t order)
{
    struct mwi_heap_entry entry = {.key = key, .order = order, .node = node};
    if (node->position == 0) {
        assert(heap->count < heap->capacity);
        set_entry(heap, raise_hole(heap, ++heap->count, &entry), &entry);
    } else {
        assert(node->position <= heap->count && entry_at(heap, node->position)->node == node);
        fill_hole(heap, node->position, &entry);
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
        fill_hole(heap, position, &last);
    node->position = 0;
}
