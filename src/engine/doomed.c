/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of tasks for engine/relay, in no order, which is searched from its beginning: a slave has
 * few tasks that are not wanted. Invariant: no task is in the list twice.
 */
#include "engine/doomed.h"

#include <assert.h>
#include <stdlib.h>

void mwi_doomed_fini(struct mwi_doomed *doomed)
{
    free(doomed->ids);
    *doomed = (struct mwi_doomed){0};
}

/* The place of a task; `count` if it is not there. */
static size_t find(const struct mwi_doomed *doomed, uint64_t id)
{
    size_t place = 0;
    while (place < doomed->count && doomed->ids[place] != id)
        place++;
    return place;
}

bool mwi_doomed_has(const struct mwi_doomed *doomed, uint64_t id)
{
    return find(doomed, id) < doomed->count;
}

bool mwi_doomed_add(struct mwi_doomed *doomed, uint64_t id)
{
    if (mwi_doomed_has(doomed, id))
        return true;
    if (doomed->count == doomed->capacity) {
        size_t capacity = doomed->capacity == 0 ? 8 : 2 * doomed->capacity;
        uint64_t *ids = realloc(doomed->ids, capacity * sizeof *ids);
        if (ids == NULL)
            return false;
        doomed->ids = ids;
        doomed->capacity = capacity;
    }
    assert(doomed->count < doomed->capacity);
    doomed->ids[doomed->count++] = id;
    return true;
}

void mwi_doomed_remove(struct mwi_doomed *doomed, uint64_t id)
{
    size_t place = find(doomed, id);
    if (place < doomed->count)
        doomed->ids[place] = doomed->ids[--doomed->count];
}

void mwi_doomed_clear(struct mwi_doomed *doomed)
{
    doomed->count = 0;
}
