/* SPDX-License-Identifier: Apache-2.0
 *
 * Where connections are until they are admitted. Their number, their time and their share of a busy
 * farm's time are bounded. They and the listening sockets have a set of their own in the hub's set.
 *
 * A connection in the porch is a *guest*. One that has named a key which is known here is a
 * *promising* guest: a stranger cannot do that, unless he repeats what he has overheard.
 */
#ifndef MWI_TCP_PORCH_H
#define MWI_TCP_PORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hub.h"
#include "set.h"
#include "share.h"

/* The largest frame of a guest, and about all that is read from one. */
#define MWI_TCP_GUEST_BYTES_MAX ((size_t)64 * 1024)

/* Embedded in a connection; all zero: it is no guest. Others may read `porch`. */
struct mwi_tcp_guest {
    struct mwi_tcp_porch *porch; /* NULL: none */
    size_t index;                /* in porch->guests */
    unsigned ticks_count;        /* since it came */
    int64_t cost_ns;             /* the time that it took */
    /* Ends the connection, and so makes the guest leave. */
    void (*turn_away)(struct mwi_tcp_guest *guest, const char *reason);
};

/* Fields are porch.c's; others may read the counts and `set`. */
struct mwi_tcp_porch {
    struct mwi_tcp_hub *hub;
    struct mwi_tcp_set set;
    struct mwi_tcp_awaited entrance; /* the set, as the hub's set waits for it */
    struct mwi_tcp_awaited timer;
    struct mwi_tcp_guest **guests; /* the promising ones first */
    size_t count;
    size_t promising_count;
    size_t capacity;
    struct mwi_tcp_guest *served; /* in the present call of its owner; NULL: none */
    bool is_served_free;          /* the present call is no stranger's */
    uint64_t random;
    struct mwi_tcp_share share;
    int64_t spent_ns;    /* all that was spent on strangers */
    int64_t resume_ns;   /* the end of a pause; INT64_MAX: there is none */
    int64_t tick_ns;     /* the next tick; INT64_MAX: nothing needs one */
    int64_t work_ns;     /* when the farm was seen at work; INT64_MIN: never */
    size_t work_events;  /* the hub's events then, without those of strangers */
    size_t own_events;   /* the hub's events that were strangers' doing */
    unsigned told_count; /* strangers told of since the last tick */
    size_t untold_count; /* and those not told of */
};

/* The hub must be open. False with errno if the system refuses; then the porch is closed. */
bool mwi_tcp_porch_open(struct mwi_tcp_porch *porch, struct mwi_tcp_hub *hub);

/* All guests must have left, and the listeners be closed. */
void mwi_tcp_porch_close(struct mwi_tcp_porch *porch);

/* Puts a guest into the porch, whose owner has set `turn_away` and keeps it where it is until the
 * poll after it has left is over. False out of memory. */
bool mwi_tcp_porch_enter(struct mwi_tcp_porch *porch, struct mwi_tcp_guest *guest);

/* Takes a guest out, if it is one. */
void mwi_tcp_porch_leave(struct mwi_tcp_guest *guest);

/* Takes a guest out who was let in: the time that it took does not count as a stranger's. */
void mwi_tcp_porch_admit(struct mwi_tcp_guest *guest);

/* The guest's owner is called because of its socket: the time of this call is its cost. */
void mwi_tcp_porch_serve(struct mwi_tcp_guest *guest);

/* Counts events of the hub that guests caused outside of their sockets' calls. They do not show
 * that the farm is at work. */
void mwi_tcp_porch_own(struct mwi_tcp_porch *porch, size_t events_count);

/* The guest is a promising one from now on. */
void mwi_tcp_porch_promise(struct mwi_tcp_guest *guest);

/* Nobody polled for `away_ns`: serves at once as many guests as could have been served meanwhile.
 * Only in a poll. */
void mwi_tcp_porch_catch_up(struct mwi_tcp_porch *porch, int64_t away_ns);

/* Turns away a guest who is not promising, chosen by lot; false if there is none. */
bool mwi_tcp_porch_evict(struct mwi_tcp_porch *porch);

/* Calls the stranger event, or, if there were many since the last tick, only counts: the tick then
 * calls one event for all of them. Only in a poll. */
void mwi_tcp_porch_tell(struct mwi_tcp_porch *porch, const char *name, const char *reason);

#endif
