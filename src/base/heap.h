/* SPDX-License-Identifier: Apache-2.0
 *
 * A priority queue: members with the smallest key come out first, and of equal keys the one with
 * the smallest order. A node lives in the object that it stands for, so nothing is allocated when
 * it is put in; the owner reserves the room before. A node knows its position, so that it can be
 * moved or removed in O(log n).
 */
#ifndef MWI_HEAP_H
#define MWI_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero while it is in no heap. */
struct mwi_heap_node {
    size_t position; /* from 1; 0: in no heap */
};

/* The key lies here and not in the node, so that sifting stays within one array. */
struct mwi_heap_entry {
    int64_t key;
    uint64_t order;
    struct mwi_heap_node *node; /* borrowed until it is removed */
};

/* entries[0] is the first to come out; entries[1 .. count - 1] are in no order that a user may rely
 * on, but may be walked. */
struct mwi_heap {
    struct mwi_heap_entry *entries;
    size_t count, capacity;
};

void mwi_heap_init(struct mwi_heap *heap);

/* Frees the array. It does not touch the nodes that are still in the heap: they keep their
 * positions, which mean nothing any more. */
void mwi_heap_fini(struct mwi_heap *heap);

/* Makes room for `count` nodes in all, those included that are in the heap now. False out of
 * memory; the heap is then as before. */
bool mwi_heap_reserve(struct mwi_heap *heap, size_t count);

/* Puts a node in, or moves it if it is in the heap already. Room must have been reserved. */
void mwi_heap_put(struct mwi_heap *heap, struct mwi_heap_node *node, int64_t key, uint64_t order);

/* Removes a node; one that is in no heap stays as it is. */
void mwi_heap_remove(struct mwi_heap *heap, struct mwi_heap_node *node);

/* The entry to come out first, valid until the heap changes; NULL if the heap is empty. */
static inline const struct mwi_heap_entry *mwi_heap_first(const struct mwi_heap *heap)
{
    return heap->count > 0 ? heap->entries : NULL;
}

#endif
