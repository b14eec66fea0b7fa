/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tasks go to a slave next: a pure function of what is known of the slave and the queue.
 */
#ifndef MWI_SCHEDULE_H
#define MWI_SCHEDULE_H

#include "slaves.h"
#include "tasks.h"

struct mwi_schedule_limits {
    size_t task_group;      /* tasks a message */
    size_t group_bytes_max; /* payload a message; one task may exceed it by itself */
};

/* What has been chosen for a message so far. */
struct mwi_schedule_group {
    size_t count;
    size_t bytes;
    bool is_closed; /* nothing more goes into it */
};

/* The next task for the slave's next message, NULL if that is complete or there is nothing for it;
 * the caller moves it to the slave before it asks again. A slave gets the next group when it has
 * returned the last: its ordered tasks first, and unless it takes only those, then the pool's. A task
 * that was lost with a slave before is sent alone, so that whom it brings down next time is clear; so
 * is one with a time limit, whose clock then starts when it is sent. */
struct mwi_task *mwi_schedule_next(const struct mwi_tasks *tasks, const struct mwi_slave *slave,
                                   const struct mwi_schedule_limits *limits,
                                   struct mwi_schedule_group *group);

#endif
