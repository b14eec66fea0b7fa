/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tasks were lost: for the few tasks that were lost with a slave, how often, and at which
 * hosts.
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

/* A task was lost at a host, with a slave that had returned results before (is_proven) or not.
 * Returns whether that is the first time there. Out of memory the loss is not noted, and it is the
 * first time. */
bool mwi_losses_add(struct mwi_losses *losses, uint64_t task, struct mwi_host_entry *host,
                    bool is_proven);

/* Whether the task was ever lost with a slave that had returned results. */
bool mwi_losses_was_proven(const struct mwi_losses *losses, uint64_t task);

/* How often the task was lost. */
unsigned mwi_losses_count(const struct mwi_losses *losses, uint64_t task);

/* At how many hosts that have slaves now the task was lost. */
size_t mwi_losses_hosts_connected(const struct mwi_losses *losses, uint64_t task);

/* The hosts at which the task was lost, one after the other; NULL behind the last. They are
 * borrowed from the store of hosts. */
struct mwi_host_entry *mwi_losses_host(const struct mwi_losses *losses, uint64_t task,
                                       size_t place);

/* The task is gone. */
void mwi_losses_forget(struct mwi_losses *losses, uint64_t task);

#endif
