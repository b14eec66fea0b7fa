/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of the index of tasks. tasks is the only user.
 *
 * Invariants: the first page, if there is one, is not NULL; a page counts its entries and is
 * freed, or kept as the spare one, with the last of them. One task that waits for very long keeps
 * its own page (about a kilobyte) and eight bytes for every page after it.
 */
#include "farm/task_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_IDS 256

struct mwi_task_index_page {
    uint32_t used_count;
    uint32_t slots[PAGE_IDS]; /* the slot + 1; 0: none */
};

void mwi_task_index_fini(struct mwi_task_index *index)
{
    for (size_t i = 0; i < index->pages_count; i++)
        free(index->pages[index->first + i]);
    free(index->pages);
    free(index->spare);
    *index = (struct mwi_task_index){0};
}

static struct mwi_task_index_page *page_of(const struct mwi_task_index *index, uint64_t id)
{
    uint64_t range = id / PAGE_IDS;
    if (range < index->first_range || range - index->first_range >= index->pages_count)
        return NULL;
    return index->pages[index->first + (size_t)(range - index->first_range)];
}

/* Forgets the ranges at the beginning that have no tasks any more. */
static void drop_empty(struct mwi_task_index *index)
{
    while (index->pages_count > 0 && index->pages[index->first] == NULL) {
        index->first++;
        index->first_range++;
        index->pages_count--;
    }
}

/* Makes room for `pages_count` pages. Pages that have gone from the beginning make room once they
 * are half of all, so that moving the others down costs little. */
static bool reserve(struct mwi_task_index *index, size_t pages_count)
{
    if (index->first + pages_count <= index->capacity)
        return true;
    if (pages_count <= index->capacity / 2) {
        memmove(index->pages, index->pages + index->first,
                index->pages_count * sizeof *index->pages);
        index->first = 0;
        return true;
    }
    pages_count += index->first;
    size_t capacity = index->capacity == 0 ? 16 : index->capacity * 2;
    if (capacity < pages_count)
        capacity = pages_count;
    struct mwi_task_index_page **pages = realloc(index->pages, capacity * sizeof *pages);
    if (pages == NULL)
        return false;
    index->pages = pages;
    index->capacity = capacity;
    return true;
}

/* The page of a number that is entered, made if it is not there; NULL out of memory. */
static struct mwi_task_index_page *make_page(struct mwi_task_index *index, uint64_t id)
{
    if (index->pages_count == 0)
        index->first_range = id / PAGE_IDS;
    assert(id / PAGE_IDS >= index->first_range);
    size_t place = (size_t)(id / PAGE_IDS - index->first_range);
    if (!reserve(index, place + 1))
        return NULL;
    struct mwi_task_index_page *page = index->spare;
    index->spare = NULL;
    if (page == NULL)
        page = calloc(1, sizeof *page);
    if (page == NULL)
        return NULL;
    while (index->pages_count <= place)
        index->pages[index->first + index->pages_count++] = NULL;
    index->pages[index->first + place] = page;
    return page;
}

bool mwi_task_index_add(struct mwi_task_index *index, uint64_t id, uint32_t slot)
{
    assert(slot != MWI_TASK_INDEX_NONE);
    struct mwi_task_index_page *page = page_of(index, id);
    if (page == NULL)
        page = make_page(index, id);
    if (page == NULL)
        return false;
    assert(page->slots[id % PAGE_IDS] == 0);
    page->slots[id % PAGE_IDS] = slot + 1;
    page->used_count++;
    return true;
}

uint32_t mwi_task_index_find(const struct mwi_task_index *index, uint64_t id)
{
    const struct mwi_task_index_page *page = page_of(index, id);
    uint32_t slot = page == NULL ? 0 : page->slots[id % PAGE_IDS];
    return slot == 0 ? MWI_TASK_INDEX_NONE : slot - 1;
}

uint32_t mwi_task_index_remove(struct mwi_task_index *index, uint64_t id)
{
    struct mwi_task_index_page *page = page_of(index, id);
    assert(page != NULL && page->slots[id % PAGE_IDS] != 0 && page->used_count > 0);
    uint32_t slot = page->slots[id % PAGE_IDS] - 1;
    page->slots[id % PAGE_IDS] = 0;
    if (--page->used_count > 0)
        return slot;
    size_t place = (size_t)(id / PAGE_IDS - index->first_range);
    index->pages[index->first + place] = NULL;
    if (index->spare == NULL)
        index->spare = page;
    else
        free(page);
    if (place == 0)
        drop_empty(index);
    return slot;
}
