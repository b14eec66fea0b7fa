/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of copies. dispatch adds one for each task or range that it sends. task_ends removes it
 * when the results come, lifecycle when the slave is lost.
 *
 * Invariant: a copy is in its slave's list and in the chain of its task or batch, or it is free. A
 * slave mostly returns its tasks in the order in which it got them, so the first copy is looked at
 * first; else the chain of the task's entry or batch is searched.
 *
 * A task of a range gets a copy of its own, and an entry, when something befalls it.
 *
 * A second copy of a slow task is another mwi_copies_add; the task then ends with the first result
 * (see task_ends.c), and the other copy stays until its slave returns it.
 */
#include "farm/copies.h"

#include <assert.h>
#include <stdlib.h>

#define CHUNK_COPIES 128

struct mwi_copies_chunk {
    struct mwi_copies_chunk *next;
    struct mwi_copy copies[CHUNK_COPIES];
};

void mwi_copies_fini(struct mwi_copies *copies)
{
    while (copies->chunks != NULL) {
        struct mwi_copies_chunk *chunk = copies->chunks;
        copies->chunks = chunk->next;
        free(chunk);
    }
    *copies = (struct mwi_copies){0};
}

static void put_free(struct mwi_copies *copies, struct mwi_copy *copy)
{
    copy->next_of_task = copies->free;
    copies->free = copy;
}

static bool add_chunk(struct mwi_copies *copies)
{
    struct mwi_copies_chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL)
        return false;
    chunk->next = copies->chunks;
    copies->chunks = chunk;
    for (size_t i = 0; i < CHUNK_COPIES; i++)
        put_free(copies, &chunk->copies[i]);
    return true;
}

/* The chain of the copies of a task or of the ranges of a batch. */
static struct mwi_copy **chain_of(const struct mwi_copy *copy)
{
    return copy->task != NULL ? &copy->task->copies : &copy->batch->copies;
}

static void enter_chain(struct mwi_copy *copy)
{
    struct mwi_copy **chain = chain_of(copy);
    copy->next_of_task = *chain;
    copy->chained_by = chain;
    if (*chain != NULL)
        (*chain)->chained_by = &copy->next_of_task;
    *chain = copy;
}

/* A batch may be at 256 slaves, so the chain is not searched. */
static void leave_chain(struct mwi_copy *copy)
{
    assert(*copy->chained_by == copy);
    *copy->chained_by = copy->next_of_task;
    if (copy->next_of_task != NULL)
        copy->next_of_task->chained_by = copy->chained_by;
}

/* A copy in no list and no chain; NULL out of memory. */
static struct mwi_copy *make_copy(struct mwi_copies *copies, struct mwi_slave_entry *slave,
                                  int64_t sent_ns)
{
    if (copies->free == NULL && !add_chunk(copies))
        return NULL;
    struct mwi_copy *copy = copies->free;
    copies->free = copy->next_of_task;
    copies->count++;
    copy->task = NULL;
    copy->batch = NULL;
    copy->slave = slave;
    copy->sent_ns = sent_ns;
    return copy;
}

struct mwi_copy *mwi_copies_add(struct mwi_copies *copies, struct mwi_task_entry *task,
                                struct mwi_slave_entry *slave, int64_t now_ns)
{
    assert(task->state == MWI_TASK_RUNNING);
    struct mwi_copy *copy = make_copy(copies, slave, now_ns);
    if (copy == NULL)
        return NULL;
    copy->task = task;
    enter_chain(copy);
    mwi_list_append(&slave->copies, &copy->link);
    return copy;
}

static void set_range(struct mwi_copy *range, struct mwi_batch_entry *batch, uint32_t from,
                      uint32_t count)
{
    range->batch = batch;
    range->from = from;
    range->count = count;
    enter_chain(range);
}

struct mwi_copy *mwi_copies_add_range(struct mwi_copies *copies, struct mwi_batch_entry *batch,
                                      uint32_t from, uint32_t count, struct mwi_slave_entry *slave,
                                      int64_t now_ns)
{
    assert(count > 0 && from + count <= batch->count);
    struct mwi_copy *range = make_copy(copies, slave, now_ns);
    if (range == NULL)
        return NULL;
    set_range(range, batch, from, count);
    mwi_list_append(&slave->copies, &range->link);
    return range;
}

static void free_copy(struct mwi_copies *copies, struct mwi_copy *copy)
{
    mwi_list_remove(&copy->link);
    assert(copies->count > 0);
    copies->count--;
    put_free(copies, copy);
}

void mwi_copies_remove(struct mwi_copies *copies, struct mwi_copy *copy)
{
    leave_chain(copy);
    free_copy(copies, copy);
}

void mwi_copies_shorten(struct mwi_copies *copies, struct mwi_copy *range, uint32_t count)
{
    assert(range->task == NULL && count <= range->count);
    range->from += count;
    range->count -= count;
    if (range->count == 0)
        mwi_copies_remove(copies, range);
}

/* Reserves `count` copies; false out of memory. */
static bool reserve(struct mwi_copies *copies, size_t count)
{
    struct mwi_copy *copy = copies->free;
    for (; count > 0 && copy != NULL; count--)
        copy = copy->next_of_task;
    return count == 0 || add_chunk(copies);
}

struct mwi_copy *mwi_copies_take_out(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                     struct mwi_copy *range, uint32_t place)
{
    struct mwi_batch_entry *batch = range->batch;
    uint32_t before = place - range->from, behind = range->count - before - 1;
    assert(range->task == NULL && place >= range->from && before < range->count);
    if (!reserve(copies, 2)) {
        tasks->has_failed = true;
        return NULL;
    }
    leave_chain(range);
    struct mwi_task_entry *task = mwi_tasks_take_out(tasks, batch, place);
    if (task == NULL) {
        enter_chain(range);
        return NULL;
    }
    task->sid = range->slave->sid;
    struct mwi_copy *copy = make_copy(copies, range->slave, range->sent_ns);
    copy->task = task;
    enter_chain(copy);
    mwi_list_insert(range->link.next, &copy->link);
    if (behind > 0) {
        struct mwi_copy *rest = make_copy(copies, range->slave, range->sent_ns);
        set_range(rest, batch, place + 1, behind);
        mwi_list_insert(copy->link.next, &rest->link);
    }
    if (before > 0)
        set_range(range, batch, range->from, before);
    else
        free_copy(copies, range);
    return copy;
}

bool mwi_copies_take_all_out(struct mwi_copies *copies, struct mwi_tasks *tasks,
                             struct mwi_slave_entry *slave)
{
    struct mwi_list *list = &slave->copies;
    for (struct mwi_list *link = list->next; link != list; link = link->next) {
        struct mwi_copy *copy = mwi_copies_of_link(link);
        if (copy->task != NULL)
            continue;
        copy = mwi_copies_take_out(copies, tasks, copy, copy->from);
        if (copy == NULL)
            return false;
        link = &copy->link;
    }
    return true;
}

struct mwi_copy *mwi_copies_first(const struct mwi_slave_entry *slave)
{
    return mwi_list_is_empty(&slave->copies) ? NULL : mwi_copies_of_link(slave->copies.next);
}

/* The range with the task of this place; NULL if it is in none. Ranges do not overlap. */
static struct mwi_copy *range_of(const struct mwi_batch_entry *batch, uint32_t place)
{
    struct mwi_copy *range = batch->copies;
    while (range != NULL && (place < range->from || place >= range->from + range->count))
        range = range->next_of_task;
    return range;
}

struct mwi_copy *mwi_copies_find_in_batch(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                          struct mwi_batch_entry *batch, uint32_t place)
{
    struct mwi_copy *range = range_of(batch, place);
    return range == NULL ? NULL : mwi_copies_take_out(copies, tasks, range, place);
}

/* The copy of a task of a batch that the slave has. */
static struct mwi_copy *find_in_ranges(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                       const struct mwi_slave_entry *slave, uint64_t id)
{
    uint32_t place;
    struct mwi_batch_entry *batch = mwi_batches_find(&tasks->batches, id, &place);
    struct mwi_copy *range = batch == NULL ? NULL : range_of(batch, place);
    bool is_its = range != NULL && range->slave == slave;
    return is_its ? mwi_copies_take_out(copies, tasks, range, place) : NULL;
}

struct mwi_copy *mwi_copies_find(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                 const struct mwi_slave_entry *slave, uint64_t id)
{
    struct mwi_copy *first = mwi_copies_first(slave);
    if (first == NULL || (first->task != NULL && first->task->id == id))
        return first;
    const struct mwi_task_entry *task = mwi_tasks_find(tasks, id);
    if (task == NULL)
        return find_in_ranges(copies, tasks, slave, id);
    bool is_at_slaves = task->state == MWI_TASK_RUNNING || task->state == MWI_TASK_CANCELLED;
    struct mwi_copy *copy = is_at_slaves ? task->copies : NULL;
    while (copy != NULL && copy->slave != slave)
        copy = copy->next_of_task;
    return copy;
}
