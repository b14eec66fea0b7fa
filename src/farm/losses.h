/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what befell the few tasks that were lost with a slave, or given up: how often they were
 * lost, at which hosts, and their history, a text for the user. Other tasks have no entry.
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

/* Adds a text to the history of a task, with "; " between. Out of memory loses the text, nothing
 * else. */
void mwi_losses_add_history(struct mwi_losses *losses, uint64_t task, const char *text);

/* The history of a task, "" if it has none. Borrowed until the next change of the task. */
const char *mwi_losses_history(const struct mwi_losses *losses, uint64_t task);

/* Gives the history to the caller, who frees it; NULL if there is none. */
char *mwi_losses_take_history(struct mwi_losses *losses, uint64_t task);

/* The task is gone. */
void mwi_losses_forget(struct mwi_losses *losses, uint64_t task);

#endif
