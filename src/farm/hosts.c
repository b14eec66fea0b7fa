/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of hosts. membership enters the host of a slave that has greeted and says how the slave
 * went; lifecycle counts its results.
 *
 * Invariant: two slaves have one host exactly if their names and their boot ids are the same. A
 * container with a name of its own is a host of its own: its processes share no memory with others.
 *
 * Facts of a machine, and not of a slave, go here: how many cores it has, a copy of shared data.
 */
#include "farm/hosts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* Never 0, which is no key of a map. The NUL between name and boot id is part of it. */
static uint64_t hash_of(const char *name, const char *boot_id)
{
    uint64_t hash = mwi_hash_bytes(MWI_HASH_EMPTY, name, strlen(name) + 1);
    return mwi_hash_bytes(hash, boot_id, strlen(boot_id)) | 1;
}

static void destroy_all(struct mwi_host_entry *host)
{
    while (host != NULL) {
        struct mwi_host_entry *next = host->next_same;
        free(host->name);
        free(host->address);
        free(host->boot_id);
        free(host);
        host = next;
    }
}

void mwi_hosts_fini(struct mwi_hosts *hosts)
{
    size_t cursor = 0;
    for (void *host; (host = mwi_map_next(&hosts->by_hash, &cursor)) != NULL;)
        destroy_all(host);
    mwi_map_fini(&hosts->by_hash);
    mwi_hosts_reap(hosts);
    hosts->count = 0;
}

void mwi_hosts_reap(struct mwi_hosts *hosts)
{
    destroy_all(hosts->forgotten);
    hosts->forgotten = NULL;
}

static struct mwi_host_entry *find(const struct mwi_hosts *hosts, uint64_t hash, const char *name,
                                   const char *boot_id)
{
    struct mwi_host_entry *host = mwi_map_get(&hosts->by_hash, hash);
    while (host != NULL && (strcmp(host->name, name) != 0 || strcmp(host->boot_id, boot_id) != 0))
        host = host->next_same;
    return host;
}

/* Takes `address`, also on failure. */
static struct mwi_host_entry *add(struct mwi_hosts *hosts, uint64_t hash, const char *name,
                                  const char *boot_id, char *address)
{
    struct mwi_host_entry *host = calloc(1, sizeof *host);
    if (host == NULL) {
        free(address);
        return NULL;
    }
    host->name = strdup(name);
    host->address = address;
    mwi_list_init(&host->held);
    host->boot_id = strdup(boot_id);
    host->next_same = mwi_map_get(&hosts->by_hash, hash);
    if (host->name == NULL || host->boot_id == NULL || !mwi_map_set(&hosts->by_hash, hash, host)) {
        host->next_same = NULL;
        destroy_all(host);
        return NULL;
    }
    hosts->count++;
    return host;
}

struct mwi_host_entry *mwi_hosts_join(struct mwi_hosts *hosts, const char *name,
                                      const char *boot_id, const char *address)
{
    const char *colon = strrchr(address, ':');
    char *bare = strndup(address, colon == NULL ? strlen(address) : (size_t)(colon - address));
    if (bare == NULL)
        return NULL;
    const char *known_as = name[0] == '\0' ? bare : name;
    uint64_t hash = hash_of(known_as, boot_id);
    struct mwi_host_entry *host = find(hosts, hash, known_as, boot_id);
    if (host == NULL)
        host = add(hosts, hash, known_as, boot_id, bare);
    else
        free(bare);
    if (host == NULL)
        return NULL;
    hosts->connected_count += host->slaves_count == 0;
    host->slaves_count++;
    host->joined_count++;
    return host;
}

/* Takes the host out of those of its hash. */
static void forget(struct mwi_hosts *hosts, struct mwi_host_entry *host)
{
    uint64_t hash = hash_of(host->name, host->boot_id);
    struct mwi_host_entry *first = mwi_map_get(&hosts->by_hash, hash), **link = &first;
    while (*link != host)
        link = &(*link)->next_same;
    *link = host->next_same;
    host->next_same = hosts->forgotten;
    hosts->forgotten = host;
    hosts->count--;
    mwi_map_remove(&hosts->by_hash, hash);
    bool has_room = first == NULL || mwi_map_set(&hosts->by_hash, hash, first);
    assert(has_room); /* that of the key which was removed */
    (void)has_room;
}

void mwi_hosts_leave(struct mwi_hosts *hosts, struct mwi_host_entry *host, size_t tasks_count)
{
    assert(host->slaves_count > 0 && hosts->connected_count > 0);
    host->slaves_count--;
    host->had_tasks = host->had_tasks || tasks_count > 0;
    if (host->slaves_count > 0)
        return;
    hosts->connected_count--;
    if (host->had_tasks || host->results_count > 0)
        return;
    assert(host->barren_count == 0 && host->trial == NULL && !mwi_timers_is_running(&host->timer));
    forget(hosts, host);
}

void mwi_hosts_lose(struct mwi_hosts *hosts, struct mwi_host_entry *host, size_t tasks_count)
{
    host->lost_count++;
    host->lost_tasks_count += tasks_count;
    mwi_hosts_leave(hosts, host, tasks_count);
}
