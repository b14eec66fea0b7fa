/* SPDX-License-Identifier: Apache-2.0
 *
 * The tasks that are at slaves. A copy says: this task was sent to this slave at that time. A task
 * has one copy for each slave that has it; today that is one slave, a second copy of a slow task
 * would be one more.
 */
#ifndef MWI_COPIES_H
#define MWI_COPIES_H

#include "base/list.h"
#include "farm/slaves.h"
#include "farm/tasks.h"

struct mwi_copy {
    struct mwi_list link; /* in its slave's list, in the order of sending */
    struct mwi_task_entry *task;
    struct mwi_slave_entry *slave;
    struct mwi_copy *next_of_task; /* the same task at another slave; NULL: none */
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

/* Takes the copy away from its task and its slave; it is gone then. */
void mwi_copies_remove(struct mwi_copies *copies, struct mwi_copy *copy);

/* The copy of task `id` at the slave; NULL if the slave does not have that task. */
struct mwi_copy *mwi_copies_find(const struct mwi_tasks *tasks, const struct mwi_slave_entry *slave,
                                 uint64_t id);

/* The oldest copy at the slave, which is the task that it runs or runs next; NULL if it has
 * none. */
struct mwi_copy *mwi_copies_first(const struct mwi_slave_entry *slave);

/* The copy of a link of a slave's list. */
static inline struct mwi_copy *mwi_copies_of_link(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct mwi_copy, link);
}

#endif
