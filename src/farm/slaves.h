/* SPDX-License-Identifier: Apache-2.0
 *
 * The slaves of a master: which are connected, in which state, with which tasks. A client is
 * entered when its transport announces it; it gets its number, the n of SLAVE-n, when it has
 * greeted. Numbers count up from 0 and are never used twice.
 */
#ifndef MWI_SLAVES_H
#define MWI_SLAVES_H

#include <stdalign.h>
#include <stdint.h>

#include <mw/transport.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timers.h"
#include "farm/hosts.h"
#include "farm/load.h"
#include "farm/policies.h"
#include "farm/stats.h"
#include "record/state.h"

/* The fields that each message needs come first, in four lines of the cache. A master of 10,000
 * slaves finds none of them there. */
struct mwi_slave_entry {
    alignas(64) struct mwi_list link; /* in the registry's list of its state */
    struct mwi_list ready_link; /* in one of the registry's lists of those that can be sent tasks */
    struct mwi_list ordered;    /* tasks that wait for it, in order of submission */
    struct mwi_list copies; /* of its tasks, in the order in which they were sent, see copies.h */
    struct mwi_load load;
    enum mwi_slave_state state;
    enum mwi_slave_group group;
    bool is_in_idle;             /* ready_link is in the list `idle` */
    bool is_unfit;               /* idle, and nothing that waits fits it */
    bool is_held;                /* is not sent tasks of the pool for now, see probation.h */
    bool is_on_trial, is_proven; /* it may have its first task; it has returned one */
    bool is_leaving;             /* it has said so, and gets no more tasks */
    bool is_isolated;            /* it can end a task that runs */
    bool is_pinged;              /* it was asked whether it is there, and has not answered yet */
    struct mwi_stats_traffic traffic;
    int64_t heard_ns;            /* when its last message came, or it came itself */
    uint64_t done_count;         /* tasks that it returned */
    struct mwi_host_entry *host; /* where it runs; NULL until it has greeted */
    size_t frame_bytes_max;      /* what it accepts; set before it is idle, and constant then */
    int64_t busy_since_ns;
    int64_t busy_ns; /* for how long it was busy before that */
    int64_t idle_since_ns;
    int64_t working_since_ns; /* on the clock of the timers: the task that it runs began then at the
                                 earliest; set by the engine */
    mw_peer peer;
    /* In the registry's heaps. */
    struct mwi_heap_node taker, proven_node, unfit_node;
    uint32_t sid;          /* MWI_NO_SID until it has greeted */
    uint32_t pid;          /* 0 if unknown */
    const char *transport; /* constant */
    char *address;
    enum mwi_greeting_stage greeting_stage; /* kept for the engine */
    struct mwi_list held_link;              /* in host->held */
    uint64_t failed_count;                  /* tasks that it returned as failed */
    int64_t connected_ns;                   /* when it came */
    /* The trail tells when it is silent for this long in a task; 0: not set yet. */
    int64_t next_silence_ns;
    struct mwi_timer_entry
        quiet; /* greeting; when idle and attentive, the next ping or its answer */
    struct mwi_timer_entry limit; /* of the task that it runs, or of the message that it began it */
    bool is_attentive;            /* it listens whenever it has no task */
    bool is_recalled;             /* it was asked to give tasks back, and has not answered yet */
    bool is_limit_running;        /* `limit` is the task's */
    bool has_begun;               /* it has said that it began the task */
    bool is_overrun;              /* isolated: it was asked to end the task at its limit */
    bool has_started;             /* it has begun some task */
    bool is_told; /* the trail has a line that it came, or, once it has gone, that it went */
    /* Of results that it has kept for another master, see engine/offers. */
    bool may_return;        /* it keeps results until it is told that it need not */
    bool is_offering;       /* it gets no tasks yet, since it offers results */
    bool has_offered;       /* it has said that there are no more */
    bool is_still_running;  /* a task of another run, or of a lost connection, until has_offered */
    uint32_t offers_left;   /* results that it may still offer */
    uint32_t offers_open;   /* that came and were not looked at yet */
    uint64_t offers_used;   /* that ended a task */
    uint64_t offers_unused; /* that did not */
    /* Of results that it need not keep any more, see engine/receipts. */
    uint64_t kept_count;   /* results of it, offered or returned, that the master has */
    uint64_t told_count;   /* of those: it was told that it need not keep them */
    uint64_t marked_count; /* of those: durable when the journal is up to kept_mark; 0: none */
    uint64_t kept_mark;
    struct mwi_list unconfirmed_link; /* in a list of the engine while it is to be told something */
    uint64_t scope;                   /* of the tasks that it is sent, as it was told */
    /* Of messages to it that wait for the journal, see engine/withheld. */
    size_t withheld_count;
    uint64_t withheld_mark; /* 0: what is sent to it leaves at once */
    int64_t withheld_ns;    /* since when, if not 0: tasks of that time or later have not left */
};

/* Kept for every slave that ever greeted, for as long as the master lives. */
struct mwi_slave_record {
    char *name;                    /* "SLAVE-3" */
    struct mwi_slave_entry *slave; /* NULL when it is gone */
};

struct mwi_slaves {
    struct mwi_map by_peer;
    struct mwi_list lists[MWI_SLAVE_STATES_COUNT];
    size_t counts[MWI_SLAVE_STATES_COUNT];
    /* The slaves that can be sent tasks; each is in one of these lists at most. */
    struct mwi_list with_ordered;     /* idle or with room, and ordered tasks wait for them */
    struct mwi_list idle;             /* idle, and their group takes tasks from the pool */
    size_t idle_count;                /* of that list */
    struct mwi_list with_room;        /* busy with room for more, and of such a group */
    struct mwi_heap unfit;            /* idle, of such a group, and nothing that waits fits them */
    struct mwi_heap takers;           /* all that are idle or busy and of such a group */
    struct mwi_heap proven;           /* takers that are proven */
    struct mwi_slave_record *records; /* by sid */
    uint32_t records_count;
    size_t wanted[MWI_GROUPS_COUNT];   /* by allocate and deallocate */
    size_t acquired[MWI_GROUPS_COUNT]; /* connected */
    int64_t now_ns;                    /* of the engine's last step, which sets it */
    size_t proven_count;               /* connected slaves that have returned tasks */
    uint64_t stopped_count;            /* went after they had been told to stop */
    uint64_t refused_count;            /* went before they had greeted */
    uint64_t lost_counts[MW_LOSSES_COUNT];
};

void mwi_slaves_init(struct mwi_slaves *slaves);

/* Frees all slaves; their tasks are not touched. */
void mwi_slaves_fini(struct mwi_slaves *slaves);

/* Enters a client in state CONNECTING; copies the address. NULL out of memory. */
struct mwi_slave_entry *mwi_slaves_add(struct mwi_slaves *slaves, mw_peer peer,
                                       const char *transport, const char *address);

/* The slave or client behind a peer; NULL if there is none, or none any more. */
struct mwi_slave_entry *mwi_slaves_find(const struct mwi_slaves *slaves, mw_peer peer);

/* Gives a client that has greeted the next number, and puts it into the first group that wants more
 * slaves: ordered, intermingle, else unordered. False out of memory. */
bool mwi_slaves_name(struct mwi_slaves *slaves, struct mwi_slave_entry *slave);

/* The slave of a number; NULL if it is gone, or there never was one. */
struct mwi_slave_entry *mwi_slaves_by_sid(const struct mwi_slaves *slaves, uint32_t sid);

/* Moves a slave to another group. */
void mwi_slaves_regroup(struct mwi_slaves *slaves, struct mwi_slave_entry *slave,
                        enum mwi_slave_group group);

/* Puts the slave into the list of those that can be sent tasks where it belongs. Call it when the
 * slave's list of ordered tasks has become empty or is empty no more, or load.has_room has changed;
 * changes of state and group do it themselves. */
void mwi_slaves_update(struct mwi_slaves *slaves, struct mwi_slave_entry *slave);

/* Says whether nothing that waits fits an idle slave. A change of its state or group takes that
 * back. */
void mwi_slaves_set_unfit(struct mwi_slaves *slaves, struct mwi_slave_entry *slave, bool is_unfit);

/* Says whether the slave is kept from tasks of the pool. */
void mwi_slaves_set_held(struct mwi_slaves *slaves, struct mwi_slave_entry *slave, bool is_held);

/* Of the slaves that nothing fits, one that accepts the largest messages; NULL if there is none. */
struct mwi_slave_entry *mwi_slaves_largest_unfit(const struct mwi_slaves *slaves);

/* The slaves that take tasks from the pool, one after the other; NULL behind the last place. Place
 * 0 has one that accepts the largest messages, the places after it are in no order. */
struct mwi_slave_entry *mwi_slaves_taker(const struct mwi_slaves *slaves, size_t place);

/* The slave, which has not returned a task before, has returned one. */
void mwi_slaves_prove(struct mwi_slaves *slaves, struct mwi_slave_entry *slave);

/* Of the slaves that have returned tasks and take tasks from the pool, one that accepts the largest
 * messages; NULL if there is none. */
struct mwi_slave_entry *mwi_slaves_largest_proven(const struct mwi_slaves *slaves);

/* The largest message that a slave accepts which takes tasks from the pool; 0 if there is none. */
size_t mwi_slaves_largest(const struct mwi_slaves *slaves);

/* From now on the slave can be sent no tasks. */
void mwi_slaves_set_leaving(struct mwi_slaves *slaves, struct mwi_slave_entry *slave);

/* The first slave of with_ordered, idle or with_room; NULL if that list is empty. */
struct mwi_slave_entry *mwi_slaves_first_ready(const struct mwi_list *list);

/* How many more slaves could be used at once, if `waiting_count` tasks wait for any slave: as many
 * as the groups lack, and at least one for each task that no idle slave will be sent. */
size_t mwi_slaves_needed(const struct mwi_slaves *slaves, size_t waiting_count);

/* "SLAVE-3", borrowed until fini; NULL if no slave ever had that number. */
static inline const char *mwi_slaves_id(const struct mwi_slaves *slaves, uint32_t sid)
{
    return sid < slaves->records_count ? slaves->records[sid].name : NULL;
}

/* The slave goes, for the reason `loss` unless it was told to stop before: it is DISCONNECTED and
 * known no more, but its memory stays until mwi_slaves_reap. */
void mwi_slaves_lose(struct mwi_slaves *slaves, struct mwi_slave_entry *slave, mw_loss loss);

/* The one way to change a slave's state, but for mwi_slaves_lose. */
void mwi_slaves_move(struct mwi_slaves *slaves, struct mwi_slave_entry *slave,
                     enum mwi_slave_state state);

/* The slave that has been in that state for longest; NULL if no slave is in it. */
struct mwi_slave_entry *mwi_slaves_first(const struct mwi_slaves *slaves,
                                         enum mwi_slave_state state);

/* Frees the slaves that are DISCONNECTED. Call it when nothing refers to their addresses any more:
 * at the beginning of the next step. */
void mwi_slaves_reap(struct mwi_slaves *slaves);

/* How many slaves have greeted and were not told to stop. */
size_t mwi_slaves_ready_count(const struct mwi_slaves *slaves);

/* Whether ordered tasks can be queued for the slave, which may be NULL. */
bool mwi_slaves_takes_ordered(const struct mwi_slave_entry *slave);

#endif
