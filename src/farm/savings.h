/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes that tasks have saved for their next attempt. Tasks that have saved none have no entry.
 */
#ifndef MWI_SAVINGS_H
#define MWI_SAVINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/block.h"
#include "base/map.h"

/* Such bytes, at the master, and at the slave before and after their way. */
struct mwi_saved {
    struct mwi_block *block; /* with a reference; NULL: there are none */
    unsigned char *data; /* in the block, as received; for a task algorithm aligned as by malloc */
    size_t size;
};

/* All zero at first. */
struct mwi_savings {
    struct mwi_map by_task; /* struct mwi_saved */
};

void mwi_savings_fini(struct mwi_savings *savings);

/* The task has saved these bytes, in place of those that it saved before. Adds a reference to the
 * block. False out of memory: then the task has what it had. */
bool mwi_savings_set(struct mwi_savings *savings, uint64_t task, const struct mwi_saved *saved);

/* The bytes that the task has saved; NULL if there are none. Borrowed until the next change of the
 * task. Quick while no task has saved anything. */
static inline const struct mwi_saved *mwi_savings_find(const struct mwi_savings *savings,
                                                       uint64_t task)
{
    return savings->by_task.used_count == 0 ? NULL : mwi_map_get(&savings->by_task, task);
}

/* The task is gone. */
void mwi_savings_forget(struct mwi_savings *savings, uint64_t task);

#endif
