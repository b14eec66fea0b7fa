/* SPDX-License-Identifier: Apache-2.0
 *
 * A sorted array of ranges. engine/snapshot keeps the numbers of tasks in it that a journal has.
 *
 * Invariant: a range begins at least two above the end of the one before it.
 */
#include "base/ranges.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

void mwi_ranges_fini(struct mwi_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct mwi_ranges){0};
}

bool mwi_ranges_append(struct mwi_ranges *ranges, uint64_t number)
{
    struct mwi_ranges_item *last = ranges->count > 0 ? &ranges->items[ranges->count - 1] : NULL;
    assert(last == NULL || number > last->last);
    if (last != NULL && number == last->last + 1) {
        last->last = number;
        return true;
    }
    if (ranges->count == ranges->capacity) {
        size_t capacity = ranges->capacity == 0 ? CAPACITY_MIN : 2 * ranges->capacity;
        struct mwi_ranges_item *items = realloc(ranges->items, capacity * sizeof *items);
        if (items == NULL)
            return false;
        ranges->items = items;
        ranges->capacity = capacity;
    }
    ranges->items[ranges->count++] = (struct mwi_ranges_item){number, number};
    return true;
}

bool mwi_ranges_next(const struct mwi_ranges *ranges, uint64_t *number, size_t *cursor)
{
    while (*cursor < ranges->count && ranges->items[*cursor].last < *number)
        ++*cursor;
    if (*cursor >= ranges->count)
        return false;
    if (*number < ranges->items[*cursor].first)
        *number = ranges->items[*cursor].first;
    return true;
}

bool mwi_ranges_have(const struct mwi_ranges *ranges, uint64_t number, size_t *cursor)
{
    uint64_t found = number;
    return mwi_ranges_next(ranges, &found, cursor) && found == number;
}
