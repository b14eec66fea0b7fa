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

/* How many tasks from the front of the waiting queue the slave shall get in one message now; 0 for
 * none. A slave gets the next group when it has returned the last. A task that was lost with a
 * slave before is sent alone, so that whom it brings down next time is clear. */
size_t mwi_schedule_group(const struct mwi_tasks *tasks, const struct mwi_slave *slave,
                          const struct mwi_schedule_limits *limits);

#endif
