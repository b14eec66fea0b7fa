/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts how often a task was lost with its slave, and at which hosts. Only tasks that were lost
 * have an entry.
 */
#ifndef MWI_LOSSES_H
#define MWI_LOSSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "farm/hosts.h"

struct mwi_losses_entry;

/* All zero at first. */
struct mwi_losses {
    struct mwi_map by_task; /* struct mwi_losses_entry */
};

void mwi_losses_fini(struct mwi_losses *losses);

/* A task was lost at a host; is_proven says whether its slave had returned results before. Returns
 * whether this is the task's first loss at this host. Out of memory the loss is not noted, and this
 * returns true. */
bool mwi_losses_add(struct mwi_losses *losses, uint64_t task, struct mwi_host_entry *host,
                    bool is_proven);

/* Whether the task was ever lost with a slave that had returned results. */
bool mwi_losses_was_proven(const struct mwi_losses *losses, uint64_t task);

/* How often the task was lost. */
unsigned mwi_losses_count(const struct mwi_losses *losses, uint64_t task);

/* At how many hosts that have slaves now the task was lost. */
size_t mwi_losses_hosts_connected(const struct mwi_losses *losses, uint64_t task);

/* The host number `place`, from 0, of those at which the task was lost; NULL behind the last. It is
 * borrowed from the store of hosts. */
struct mwi_host_entry *mwi_losses_host(const struct mwi_losses *losses, uint64_t task,
                                       size_t place);

/* The task is gone. */
void mwi_losses_forget(struct mwi_losses *losses, uint64_t task);

#endif
