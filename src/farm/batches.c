/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of batches. Only tasks opens, fills, closes and releases them. Other rooms send and end
 * tasks of a batch through tasks. A batch stays until its last result was handed out, since the
 * tags are in it.
 *
 * Invariants: at most one batch is open, and it is the last one, so the ids of two batches never
 * overlap. Tasks of a batch are sent in order: those before `next` are at slaves, have ended, or
 * are gone. A batch goes with its last kept task, unless it is open; then it begins anew.
 *
 * Places of batches that are gone stay in the array, until they are at its beginning or are half of
 * it, so that finding a batch is a search by halving.
 *
 * To keep something more of each ordinary task, add a field to struct mwi_batch_task.
 */
#include "farm/batches.h"

#include <stdlib.h>

#define BYTES_MIN ((size_t)16)
/* A batch with fewer tasks is small. The next one is expected to be small, too: it begins with room
 * for one task, and doubles. */
#define TASKS_FEW 64
#define PLACES_MIN 16

struct mwi_batch_place {
    uint64_t first_id;
    struct mwi_batch_entry *batch; /* NULL: it is gone */
};

static void free_batch(struct mwi_batch_entry *batch)
{
    free(batch->tasks);
    free(batch->bytes);
    free(batch);
}

void mwi_batches_fini(struct mwi_batches *batches)
{
    for (size_t i = batches->first; i < batches->places_count; i++)
        if (batches->places[i].batch != NULL)
            free_batch(batches->places[i].batch);
    free(batches->places);
    *batches = (struct mwi_batches){0};
}

/* Moves the places that have a batch to the beginning of the array. */
static void pack_places(struct mwi_batches *batches)
{
    size_t kept = 0;
    for (size_t i = batches->first; i < batches->places_count; i++)
        if (batches->places[i].batch != NULL)
            batches->places[kept++] = batches->places[i];
    batches->first = 0;
    batches->places_count = kept;
}

/* Makes room for one more place; false out of memory. */
static bool reserve_place(struct mwi_batches *batches)
{
    if (batches->places_count < batches->capacity)
        return true;
    pack_places(batches);
    if (batches->places_count <= batches->capacity / 2 && batches->capacity > 0)
        return true;
    size_t capacity = batches->capacity == 0 ? PLACES_MIN : batches->capacity * 2;
    struct mwi_batch_place *places = realloc(batches->places, capacity * sizeof *places);
    if (places == NULL)
        return false;
    batches->places = places;
    batches->capacity = capacity;
    return true;
}

/* With room for `count` tasks that have arguments of this size. */
static struct mwi_batch_entry *make_batch(uint32_t count, size_t size)
{
    size_t capacity = size * count;
    if (capacity < BYTES_MIN)
        capacity = BYTES_MIN;
    if (capacity > MWI_BATCH_BYTES_MAX)
        capacity = MWI_BATCH_BYTES_MAX;
    struct mwi_batch_entry *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->tasks = malloc(count * sizeof *batch->tasks);
    batch->capacity = count;
    batch->bytes = malloc(capacity);
    batch->bytes_capacity = (uint32_t)capacity;
    if (batch->tasks != NULL && batch->bytes != NULL)
        return batch;
    free_batch(batch);
    return NULL;
}

/* How many tasks the next batch begins with room for. While policies alternate each batch has one
 * task, and room for more would be made and given back each time. */
static uint32_t room_at_first(const struct mwi_batches *batches)
{
    bool is_small = batches->last_count > 0 && batches->last_count < TASKS_FEW;
    return is_small ? 1 : MWI_BATCH_TASKS_MAX;
}

struct mwi_batch_entry *mwi_batches_open(struct mwi_batches *batches, uint32_t policy,
                                         uint64_t first_id, size_t size)
{
    assert(batches->open == NULL && size <= MWI_BATCH_TASK_BYTES_MAX);
    if (!reserve_place(batches))
        return NULL;
    struct mwi_batch_entry *batch = make_batch(room_at_first(batches), size);
    if (batch == NULL)
        return NULL;
    batch->item.is_batch = true;
    batch->item.policy = policy;
    mwi_list_init(&batch->item.link);
    batch->first_id = first_id;
    batch->is_open = true;
    batches->places[batches->places_count++] = (struct mwi_batch_place){first_id, batch};
    batches->open = batch;
    return batch;
}

void mwi_batches_note_first(struct mwi_batches *batches, uint64_t id)
{
    struct mwi_batch_place *last = &batches->places[batches->places_count - 1];
    assert(last->batch == batches->open && last->first_id <= id);
    last->first_id = id;
    batches->open->first_id = id;
}

/* Makes room for another task; false out of memory. */
static bool reserve_task(struct mwi_batch_entry *batch)
{
    if (batch->count < batch->capacity)
        return true;
    uint32_t capacity = 2 * batch->capacity;
    if (capacity > MWI_BATCH_TASKS_MAX)
        capacity = MWI_BATCH_TASKS_MAX;
    struct mwi_batch_task *tasks = realloc(batch->tasks, capacity * sizeof *tasks);
    if (tasks == NULL)
        return false;
    batch->tasks = tasks;
    batch->capacity = capacity;
    return true;
}

/* Makes room for arguments of this size; false out of memory. */
static bool reserve_bytes(struct mwi_batch_entry *batch, size_t size)
{
    if (size <= batch->bytes_capacity - batch->bytes_size)
        return true;
    size_t capacity = 2 * (size_t)batch->bytes_capacity;
    if (capacity < batch->bytes_size + size)
        capacity = batch->bytes_size + size;
    unsigned char *bytes = realloc(batch->bytes, capacity);
    if (bytes == NULL)
        return false;
    batch->bytes = bytes;
    batch->bytes_capacity = (uint32_t)capacity;
    return true;
}

bool mwi_batches_reserve(struct mwi_batch_entry *batch, uint64_t id, size_t size)
{
    if (mwi_batches_has_room(batch, id, size))
        return true;
    if (batch->count == MWI_BATCH_TASKS_MAX || batch->bytes_size + size > MWI_BATCH_BYTES_MAX)
        return false;
    return reserve_task(batch) && reserve_bytes(batch, size) &&
           mwi_batches_has_room(batch, id, size);
}

/* The place of the last batch whose first id is at most `id`; places_count if there is none. */
static size_t find_place(const struct mwi_batches *batches, uint64_t id)
{
    size_t low = batches->first, high = batches->places_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (batches->places[middle].first_id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low == batches->first ? batches->places_count : low - 1;
}

struct mwi_batch_entry *mwi_batches_find(const struct mwi_batches *batches, uint64_t id,
                                         uint32_t *place)
{
    size_t i = find_place(batches, id);
    struct mwi_batch_entry *batch = i == batches->places_count ? NULL : batches->places[i].batch;
    if (batch == NULL)
        return NULL;
    uint32_t low = 0, high = batch->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mwi_batch_id(batch, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    *place = low;
    return low < batch->count && mwi_batch_id(batch, low) == id ? batch : NULL;
}

struct mwi_batch_entry *mwi_batches_next(const struct mwi_batches *batches, size_t *cursor)
{
    if (*cursor < batches->first)
        *cursor = batches->first;
    while (*cursor < batches->places_count) {
        struct mwi_batch_entry *batch = batches->places[(*cursor)++].batch;
        if (batch != NULL)
            return batch;
    }
    return NULL;
}

static void drop(struct mwi_batches *batches, struct mwi_batch_entry *batch)
{
    size_t i = find_place(batches, batch->first_id);
    assert(batch->copies == NULL && mwi_list_is_empty(&batch->item.link));
    assert(i < batches->places_count && batches->places[i].batch == batch);
    batches->places[i].batch = NULL;
    while (batches->first < batches->places_count && batches->places[batches->first].batch == NULL)
        batches->first++;
    free_batch(batch);
}

/* Gives back the memory that the tasks do not fill. Out of memory it stays. */
static void shrink(struct mwi_batch_entry *batch)
{
    struct mwi_batch_task *tasks = realloc(batch->tasks, batch->count * sizeof *tasks);
    unsigned char *bytes = batch->bytes_size == 0 ? NULL : realloc(batch->bytes, batch->bytes_size);
    if (tasks != NULL)
        batch->tasks = tasks;
    if (bytes != NULL)
        batch->bytes = bytes;
}

bool mwi_batches_close(struct mwi_batches *batches)
{
    struct mwi_batch_entry *batch = batches->open;
    assert(batch != NULL);
    batches->open = NULL;
    batch->is_open = false;
    if (batch->kept_count == 0) {
        drop(batches, batch);
        return true;
    }
    batches->last_count = batch->count;
    if (batch->count < batch->capacity)
        shrink(batch);
    if (batch->unfinished_count == 0)
        mwi_batches_free_bytes(batch);
    return false;
}

void mwi_batches_free_bytes(struct mwi_batch_entry *batch)
{
    free(batch->bytes);
    batch->bytes = NULL;
}

bool mwi_batches_release(struct mwi_batches *batches, struct mwi_batch_entry *batch, uint32_t count)
{
    assert(count <= batch->kept_count);
    batch->kept_count -= count;
    if (batch->kept_count > 0)
        return false;
    assert(batch->unfinished_count == 0 && batch->next == batch->count);
    if (!batch->is_open) {
        drop(batches, batch);
        return true;
    }
    batch->count = 0;
    batch->next = 0;
    batch->bytes_size = 0;
    return false;
}
