/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks that are at slaves. A copy says: this task was sent to this slave at that time. A task
 * has one copy for each slave that has it. At present a task is sent to one slave at a time, so it
 * has one copy. Tasks of a batch that were sent together share a copy, which is then called a
 * range.
 */
#ifndef MWI_COPIES_H
#define MWI_COPIES_H

#include "base/list.h"
#include "farm/slaves.h"
#include "farm/tasks.h"

struct mwi_copy {
    struct mwi_list link;          /* in its slave's list, in the order of sending */
    struct mwi_task_entry *task;   /* NULL: it is a range */
    struct mwi_batch_entry *batch; /* a range: `count` > 0 tasks of it from `from` on */
    uint32_t from, count;
    struct mwi_slave_entry *slave;
    struct mwi_copy *next_of_task; /* the same task at another slave, or another range of the batch;
                                      NULL: none */
    struct mwi_copy **chained_by;  /* what points to it as one of these */
    int64_t sent_ns;
};

/* Where copies are made; all of a master's come from one. All zero at first. */
struct mwi_copies {
    struct mwi_copy *free; /* linked by next_of_task */
    struct mwi_copies_chunk *chunks;
    size_t count; /* of those that are at slaves */
};

/* Every copy must have been removed, or its task and slave must not be used any more. */
void mwi_copies_fini(struct mwi_copies *copies);

/* Adds a copy of a RUNNING task at the end of the slave's list. NULL out of memory. */
struct mwi_copy *mwi_copies_add(struct mwi_copies *copies, struct mwi_task_entry *task,
                                struct mwi_slave_entry *slave, int64_t now_ns);

/* Adds a range of tasks at the end of the slave's list; the tasks are to be sent by mwi_tasks_send.
 * NULL out of memory. */
struct mwi_copy *mwi_copies_add_range(struct mwi_copies *copies, struct mwi_batch_entry *batch,
                                      uint32_t from, uint32_t count, struct mwi_slave_entry *slave,
                                      int64_t now_ns);

/* Takes the copy away from its task or batch, and from its slave; it is gone then. */
void mwi_copies_remove(struct mwi_copies *copies, struct mwi_copy *copy);

/* The first `count` tasks of the range are at the slave no more. Without tasks it is gone. */
void mwi_copies_shorten(struct mwi_copies *copies, struct mwi_copy *range, uint32_t count);

/* Takes the task of `place` out of its batch, and out of the range, which may be gone then. The
 * task's new copy has its place in the list. NULL out of memory: tasks->has_failed is set. */
struct mwi_copy *mwi_copies_take_out(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                     struct mwi_copy *range, uint32_t place);

/* The same with all tasks of the slave. False out of memory. */
bool mwi_copies_take_all_out(struct mwi_copies *copies, struct mwi_tasks *tasks,
                             struct mwi_slave_entry *slave);

/* The copy of task `id` at the slave, taken out if it was in a range; NULL if the slave does not
 * have that task, or as in mwi_copies_take_out. */
struct mwi_copy *mwi_copies_find(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                 const struct mwi_slave_entry *slave, uint64_t id);

/* The copy of a task that is in a batch, whichever slave has it, taken out; NULL as above. */
struct mwi_copy *mwi_copies_find_in_batch(struct mwi_copies *copies, struct mwi_tasks *tasks,
                                          struct mwi_batch_entry *batch, uint32_t place);

/* The oldest copy at the slave, which begins with the task that it runs or runs next; NULL if it
 * has none. */
struct mwi_copy *mwi_copies_first(const struct mwi_slave_entry *slave);

/* The task of a copy; of a range, its first. */
static inline uint64_t mwi_copies_id(const struct mwi_copy *copy)
{
    return copy->task != NULL ? copy->task->id : mwi_batch_id(copy->batch, copy->from);
}

static inline uint16_t mwi_copies_algorithm(const struct mwi_copy *copy)
{
    return copy->task != NULL ? copy->task->algorithm : copy->batch->tasks[copy->from].algorithm;
}

/* The copy of a link of a slave's list. */
static inline struct mwi_copy *mwi_copies_of_link(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct mwi_copy, link);
}

#endif
