/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of copies. dispatch adds one for each task that it sends; lifecycle removes it when the
 * result comes or the slave is lost.
 *
 * Invariant: a copy is in its slave's list and in its task's chain, or it is free. A slave mostly
 * returns its tasks in the order in which it got them, so the first copy is looked at first; else
 * the index of tasks finds the task, whose chain is short.
 *
 * A second copy of a slow task is another mwi_copies_add; the task then ends with the first result
 * (see lifecycle.c), and the other copy stays until its slave returns it.
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

struct mwi_copy *mwi_copies_add(struct mwi_copies *copies, struct mwi_task_entry *task,
                                struct mwi_slave_entry *slave, int64_t now_ns)
{
    assert(task->state == MWI_TASK_RUNNING);
    if (copies->free == NULL && !add_chunk(copies))
        return NULL;
    struct mwi_copy *copy = copies->free;
    copies->free = copy->next_of_task;
    copies->count++;
    copy->task = task;
    copy->slave = slave;
    copy->next_of_task = task->copies;
    copy->sent_ns = now_ns;
    task->copies = copy;
    mwi_list_append(&slave->copies, &copy->link);
    return copy;
}

void mwi_copies_remove(struct mwi_copies *copies, struct mwi_copy *copy)
{
    struct mwi_copy **place = &copy->task->copies;
    while (*place != copy) {
        assert(*place != NULL);
        place = &(*place)->next_of_task;
    }
    *place = copy->next_of_task;
    mwi_list_remove(&copy->link);
    assert(copies->count > 0);
    copies->count--;
    put_free(copies, copy);
}

struct mwi_copy *mwi_copies_first(const struct mwi_slave_entry *slave)
{
    return mwi_list_is_empty(&slave->copies) ? NULL : mwi_copies_of_link(slave->copies.next);
}

struct mwi_copy *mwi_copies_find(const struct mwi_tasks *tasks, const struct mwi_slave_entry *slave,
                                 uint64_t id)
{
    struct mwi_copy *first = mwi_copies_first(slave);
    if (first == NULL || first->task->id == id)
        return first;
    const struct mwi_task_entry *task = mwi_tasks_find(tasks, id);
    bool is_at_slaves =
        task != NULL && (task->state == MWI_TASK_RUNNING || task->state == MWI_TASK_CANCELLED);
    struct mwi_copy *copy = is_at_slaves ? task->copies : NULL;
    while (copy != NULL && copy->slave != slave)
        copy = copy->next_of_task;
    return copy;
}
