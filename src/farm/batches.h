/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches: ordinary tasks that were submitted one after the other, in one array and with their
 * arguments in one piece. A batch is one member of the pool. Nothing is allocated for a task, and a
 * group of them is sent, returned and forgotten in one go.
 *
 * A task that needs an entry of its own, because something befell it, is taken out of its batch;
 * see mwi_tasks_take_out.
 */
#ifndef MWI_BATCHES_H
#define MWI_BATCHES_H

#include <assert.h>
#include <string.h>

#include "farm/pool.h"

#define MWI_BATCH_TASKS_MAX 256
/* Arguments of one task; every slave accepts messages in which as many fit. */
#define MWI_BATCH_TASK_BYTES_MAX ((size_t)3968)
/* Arguments of all tasks of a batch. */
#define MWI_BATCH_BYTES_MAX ((size_t)64 << 10)

struct mwi_copy;

struct mwi_batch_task {
    int64_t tag;
    uint32_t id_offset;    /* its id less the first id of the batch; it counts up */
    uint32_t end;          /* where its arguments end among those of the batch; they begin where
                              those of the task before end */
    uint32_t submitted_at; /* as in struct mwi_task_entry */
    uint16_t algorithm;
    bool is_bytes;
    bool is_gone; /* it has ended, or was taken out */
};

struct mwi_batch_entry {
    struct mwi_pool_item item; /* in its level of the pool while tasks of it wait */
    uint64_t first_id;
    struct mwi_batch_task *tasks;
    unsigned char *bytes; /* NULL: no task needs its arguments any more */
    uint32_t bytes_size, bytes_capacity;
    uint32_t capacity;         /* of `tasks` */
    uint32_t count;            /* tasks that were added */
    uint32_t next;             /* the first that waits; == count: none does */
    uint32_t unfinished_count; /* tasks that wait or are at slaves, and were not taken out */
    uint32_t kept_count;       /* unfinished tasks, and tasks whose results the user has not got */
    bool is_open;              /* takes more tasks */
    bool is_usual;             /* its policy is the one that tasks have that name none */
    struct mwi_copy *copies;   /* at the slaves, see copies.h */
};

struct mwi_batches {
    struct mwi_batch_entry *open;   /* NULL: none */
    struct mwi_batch_place *places; /* of all batches, in the order of their first ids */
    size_t first, places_count, capacity;
    uint32_t last_count; /* tasks of the last batch that was closed; 0: none was */
};

/* All zero holds no batch. fini frees all. */
void mwi_batches_fini(struct mwi_batches *batches);

/* Opens a batch of a policy, which has no task yet and is in no level, in place of the one that is
 * open, which must have been closed. `size` is that of the first task's arguments: others are
 * expected to be alike. NULL out of memory. */
struct mwi_batch_entry *mwi_batches_open(struct mwi_batches *batches, uint32_t policy,
                                         uint64_t first_id, size_t size);

/* Whether a task of this id, with `size` bytes of arguments, can be appended without more
 * memory. */
static inline bool mwi_batches_has_room(const struct mwi_batch_entry *batch, uint64_t id,
                                        size_t size)
{
    return batch->count < batch->capacity && size <= batch->bytes_capacity - batch->bytes_size &&
           (batch->count == 0 || id - batch->first_id <= UINT32_MAX);
}

/* Makes room for another task in the open batch; false if the batch is full, or out of memory. */
bool mwi_batches_reserve(struct mwi_batch_entry *batch, uint64_t id, size_t size);

/* For the inline functions that follow. */
void mwi_batches_note_first(struct mwi_batches *batches, uint64_t id);
void mwi_batches_free_bytes(struct mwi_batch_entry *batch);

/* Appends a task for which there is room, and copies its arguments. Its id must be above those of
 * the tasks before. */
static inline void mwi_batches_append(struct mwi_batches *batches, uint64_t id,
                                      const struct mwi_batch_task *task, const void *data,
                                      size_t size)
{
    struct mwi_batch_entry *batch = batches->open;
    assert(mwi_batches_has_room(batch, id, size));
    if (batch->count == 0)
        mwi_batches_note_first(batches, id);
    struct mwi_batch_task *added = &batch->tasks[batch->count++];
    *added = *task;
    added->id_offset = (uint32_t)(id - batch->first_id);
    if (size > 0)
        memcpy(batch->bytes + batch->bytes_size, data, size);
    batch->bytes_size += (uint32_t)size;
    added->end = batch->bytes_size;
    batch->unfinished_count++;
    batch->kept_count++;
}

/* No task is appended to the open batch any more. Returns whether it is gone with that, since none
 * of its tasks is kept. */
bool mwi_batches_close(struct mwi_batches *batches);

/* The batch that has or had a task of this id, with the task's place; NULL if none has. */
struct mwi_batch_entry *mwi_batches_find(const struct mwi_batches *batches, uint64_t id,
                                         uint32_t *place);

/* Hands out all batches one after the other, in the order of their ids: begin with a *cursor of 0.
 * NULL behind the last. Not while batches are opened, released or closed. */
struct mwi_batch_entry *mwi_batches_next(const struct mwi_batches *batches, size_t *cursor);

/* Nobody needs `count` tasks of the batch any more. Frees the batch if they were the last and it is
 * not open; returns whether it did. */
bool mwi_batches_release(struct mwi_batches *batches, struct mwi_batch_entry *batch,
                         uint32_t count);

/* `count` tasks have ended or were taken out: their arguments are not needed any more. */
static inline void mwi_batches_end(struct mwi_batch_entry *batch, uint32_t count)
{
    assert(count <= batch->unfinished_count);
    batch->unfinished_count -= count;
    if (batch->unfinished_count == 0 && !batch->is_open)
        mwi_batches_free_bytes(batch);
}

static inline uint64_t mwi_batch_id(const struct mwi_batch_entry *batch, uint32_t place)
{
    return batch->first_id + batch->tasks[place].id_offset;
}

/* Where the arguments of a task begin among those of the batch. */
static inline uint32_t mwi_batch_begin(const struct mwi_batch_entry *batch, uint32_t place)
{
    return place == 0 ? 0 : batch->tasks[place - 1].end;
}

/* The batch of a link in the pool; NULL if it is the link of a task with an entry. */
static inline struct mwi_batch_entry *mwi_batch_of_link(struct mwi_list *link)
{
    const struct mwi_pool_item *item = MWI_LIST_ENTRY(link, struct mwi_pool_item, link);
    return item->is_batch ? MWI_LIST_ENTRY(link, struct mwi_batch_entry, item.link) : NULL;
}

/* Where the bytes of the task's arguments are, and how many there are. */
static inline unsigned char *mwi_batch_data(const struct mwi_batch_entry *batch, uint32_t place)
{
    return batch->bytes + mwi_batch_begin(batch, place);
}

static inline uint32_t mwi_batch_size(const struct mwi_batch_entry *batch, uint32_t place)
{
    return batch->tasks[place].end - mwi_batch_begin(batch, place);
}

#endif
