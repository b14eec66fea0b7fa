/* SPDX-License-Identifier: Apache-2.0
 *
 * The hosts on which a master's slaves run, beside the store of slaves: which slaves share a
 * machine, and what was lost on it. A host is entered with its first slave. It stays known until
 * the master closes, so that it is recognised when slaves come back. But when its last slave goes
 * and none of them was lost with tasks or returned a result, it is forgotten: a process that
 * greets under one name after the other does not fill the memory.
 */
#ifndef MWI_HOSTS_H
#define MWI_HOSTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/timers.h"

struct mwi_slave_entry;

struct mwi_host_entry {
    char *name;             /* as its slaves say; if they do not, the address that they come from */
    char *address;          /* that its first slave came from, without the port */
    char *boot_id;          /* differs for each boot of a machine; "" if unknown */
    size_t slaves_count;    /* connected now */
    uint64_t joined_count;  /* slaves that ever greeted from here */
    uint64_t results_count; /* that its slaves returned */
    uint64_t lost_count;    /* slaves that were lost here */
    uint64_t lost_tasks_count; /* tasks that those had */
    bool had_tasks;            /* some slave went that had tasks: they may know the host */
    /* For engine/probation.c: */
    unsigned barren_count;         /* slaves lost with tasks since one returned its first result */
    int64_t closed_until_ns;       /* until then no slave that is held gets a task */
    struct mwi_list held;          /* slaves that wait for their first task */
    struct mwi_slave_entry *trial; /* the one that may have a task; NULL: none */
    struct mwi_timer_entry timer;  /* for the next of them */
    struct mwi_host_entry *next_same; /* of the same hash, or forgotten as well */
};

/* All zero at first. */
struct mwi_hosts {
    struct mwi_map by_hash; /* of name and boot id */
    size_t count;
    size_t connected_count;           /* that have slaves */
    struct mwi_host_entry *forgotten; /* those that are to be freed */
};

/* Frees all hosts; the slaves must not use theirs any more. */
void mwi_hosts_fini(struct mwi_hosts *hosts);

/* A slave has greeted: returns its host, which has one slave more. It is borrowed until fini. The
 * strings are copied; `name` may be "", then `address`, "HOST:PORT" or whatever the transport calls
 * the peer, stands for it without its port. NULL out of memory. */
struct mwi_host_entry *mwi_hosts_join(struct mwi_hosts *hosts, const char *name,
                                      const char *boot_id, const char *address);

/* A slave of the host has gone as it should, while it had `tasks_count` tasks. The host may be
 * forgotten then: it is not found any more, and lives until it is reaped. */
void mwi_hosts_leave(struct mwi_hosts *hosts, struct mwi_host_entry *host, size_t tasks_count);

/* Frees the hosts that were forgotten. Call it when no audit record refers to their names any more:
 * at the beginning of the next step. */
void mwi_hosts_reap(struct mwi_hosts *hosts);

/* The same as mwi_hosts_leave for a slave that was lost. */
void mwi_hosts_lose(struct mwi_hosts *hosts, struct mwi_host_entry *host, size_t tasks_count);

#endif
