/* SPDX-License-Identifier: Apache-2.0
 *
 * From the number of a task to the slot in which it lies. Numbers count up, so the index is a run
 * of pages, each for a range of numbers; a page goes when the last task of its range has gone. One
 * entry takes four bytes.
 */
#ifndef MWI_TASK_INDEX_H
#define MWI_TASK_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MWI_TASK_INDEX_NONE UINT32_MAX

struct mwi_task_index_page;

struct mwi_task_index {
    struct mwi_task_index_page **pages; /* from `first` on; NULL for a range without tasks */
    size_t first, pages_count, capacity;
    uint64_t first_range;              /* the range of pages[first] */
    struct mwi_task_index_page *spare; /* an empty page for the next range, or NULL */
};

/* All zero is an empty index, too. */
void mwi_task_index_fini(struct mwi_task_index *index);

/* Enters a number, which must be at least that of the last one entered. False out of memory. */
bool mwi_task_index_add(struct mwi_task_index *index, uint64_t id, uint32_t slot);

/* The slot of a number; MWI_TASK_INDEX_NONE if it is not in the index. */
uint32_t mwi_task_index_find(const struct mwi_task_index *index, uint64_t id);

/* Takes out a number that is in the index, and returns its slot. */
uint32_t mwi_task_index_remove(struct mwi_task_index *index, uint64_t id);

#endif
