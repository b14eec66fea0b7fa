/* SPDX-License-Identifier: Apache-2.0
 *
 * A table beside the store of tasks, by their ids, as losses is: few tasks save anything. The
 * master's engine sets an entry when a slave sends the bytes, and engine/task_messages sends them
 * with the task's next attempt. tasks forgets them with the task.
 *
 * Invariant: a task has one entry at most, so it keeps only what it saved last.
 */
#include "farm/savings.h"

#include <stdlib.h>

static void destroy_entry(struct mwi_saved *entry)
{
    if (entry == NULL)
        return;
    mwi_block_unref(entry->block);
    free(entry);
}

void mwi_savings_fini(struct mwi_savings *savings)
{
    size_t cursor = 0;
    for (void *entry; (entry = mwi_map_next(&savings->by_task, &cursor)) != NULL;)
        destroy_entry(entry);
    mwi_map_fini(&savings->by_task);
}

/* The entry of a task, made if there is none; NULL out of memory. */
static struct mwi_saved *entry_of(struct mwi_savings *savings, uint64_t task)
{
    struct mwi_saved *entry = mwi_map_get(&savings->by_task, task);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL || mwi_map_set(&savings->by_task, task, entry))
        return entry;
    free(entry);
    return NULL;
}

bool mwi_savings_set(struct mwi_savings *savings, uint64_t task, const struct mwi_saved *saved)
{
    struct mwi_saved *entry = entry_of(savings, task);
    if (entry == NULL)
        return false;
    mwi_block_ref(saved->block);
    mwi_block_unref(entry->block);
    *entry = *saved;
    return true;
}

void mwi_savings_forget(struct mwi_savings *savings, uint64_t task)
{
    destroy_entry(mwi_map_remove(&savings->by_task, task));
}
