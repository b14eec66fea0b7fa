/* SPDX-License-Identifier: Apache-2.0
 *
 * A table beside the store of tasks, by their ids: tasks that were never lost cost no memory.
 * lifecycle adds losses and texts, and asks for the number of losses and their hosts to decide
 * about another attempt. tasks forgets all of it with the task. probation asks whether the task or
 * the host is to blame.
 *
 * Invariant: an entry names each host once, and was counted at least once for each of them. To keep
 * something else of a task that was lost, add a field to the entry.
 */
#include "farm/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mwi_losses_entry {
    unsigned count;
    bool was_proven;
    char *history; /* malloc'd; NULL: none */
    size_t hosts_count;
    struct mwi_host_entry *hosts[];
};

static void destroy_entry(struct mwi_losses_entry *entry)
{
    if (entry == NULL)
        return;
    free(entry->history);
    free(entry);
}

void mwi_losses_fini(struct mwi_losses *losses)
{
    size_t cursor = 0;
    for (void *entry; (entry = mwi_map_next(&losses->by_task, &cursor)) != NULL;)
        destroy_entry(entry);
    mwi_map_fini(&losses->by_task);
}

static bool has_host(const struct mwi_losses_entry *entry, const struct mwi_host_entry *host)
{
    for (size_t i = 0; i < entry->hosts_count; i++)
        if (entry->hosts[i] == host)
            return true;
    return false;
}

/* Makes an entry if `entry` is NULL, else replaces it by one with room for one more host. Returns
 * the new entry. NULL out of memory, and then the old entry stays. */
static struct mwi_losses_entry *grow(struct mwi_losses *losses, uint64_t task,
                                     struct mwi_losses_entry *entry)
{
    size_t count = entry == NULL ? 0 : entry->hosts_count;
    struct mwi_losses_entry *grown = malloc(sizeof *grown + (count + 1) * sizeof grown->hosts[0]);
    if (grown == NULL || !mwi_map_set(&losses->by_task, task, grown)) {
        free(grown);
        return NULL;
    }
    if (entry == NULL)
        *grown = (struct mwi_losses_entry){0};
    else
        memcpy(grown, entry, sizeof *entry + count * sizeof entry->hosts[0]);
    free(entry);
    return grown;
}

bool mwi_losses_add(struct mwi_losses *losses, uint64_t task, struct mwi_host_entry *host,
                    bool is_proven)
{
    struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    bool is_first = entry == NULL || !has_host(entry, host);
    if (is_first)
        entry = grow(losses, task, entry);
    if (entry == NULL)
        return true;
    if (is_first)
        entry->hosts[entry->hosts_count++] = host;
    entry->count++;
    entry->was_proven = entry->was_proven || is_proven;
    return is_first;
}

bool mwi_losses_was_proven(const struct mwi_losses *losses, uint64_t task)
{
    const struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    return entry != NULL && entry->was_proven;
}

unsigned mwi_losses_count(const struct mwi_losses *losses, uint64_t task)
{
    const struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    return entry == NULL ? 0 : entry->count;
}

size_t mwi_losses_hosts_connected(const struct mwi_losses *losses, uint64_t task)
{
    const struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    size_t count = 0;
    for (size_t i = 0; entry != NULL && i < entry->hosts_count; i++)
        count += entry->hosts[i]->slaves_count > 0;
    return count;
}

struct mwi_host_entry *mwi_losses_host(const struct mwi_losses *losses, uint64_t task, size_t place)
{
    const struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    return entry == NULL || place >= entry->hosts_count ? NULL : entry->hosts[place];
}

void mwi_losses_add_history(struct mwi_losses *losses, uint64_t task, const char *text)
{
    struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    if (entry == NULL)
        entry = grow(losses, task, NULL);
    if (entry == NULL)
        return;
    const char *before = entry->history == NULL ? "" : entry->history;
    size_t size = strlen(before) + strlen("; ") + strlen(text) + 1;
    char *after = malloc(size);
    if (after == NULL)
        return;
    snprintf(after, size, "%s%s%s", before, entry->history == NULL ? "" : "; ", text);
    free(entry->history);
    entry->history = after;
}

const char *mwi_losses_history(const struct mwi_losses *losses, uint64_t task)
{
    const struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    return entry == NULL || entry->history == NULL ? "" : entry->history;
}

char *mwi_losses_take_history(struct mwi_losses *losses, uint64_t task)
{
    struct mwi_losses_entry *entry = mwi_map_get(&losses->by_task, task);
    if (entry == NULL)
        return NULL;
    char *history = entry->history;
    entry->history = NULL;
    return history;
}

void mwi_losses_forget(struct mwi_losses *losses, uint64_t task)
{
    destroy_entry(mwi_map_remove(&losses->by_task, task));
}
