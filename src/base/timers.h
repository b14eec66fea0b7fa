/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines in nanoseconds on the clock of the timers' owner. Equal deadlines come out in the
 * order in which they were started. Timers call nothing: their owner takes out the due ones.
 */
#ifndef MWI_TIMERS_H
#define MWI_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

/* Embedded in the object whose deadline it is; all zero is "not started". */
struct mwi_timer_entry {
    struct mwi_heap_node node; /* first, so that the node is the timer */
    int kind;                  /* its owner's word for the deadline */
};

struct mwi_timers {
    struct mwi_heap heap;
    uint64_t orders_count;
};

void mwi_timers_init(struct mwi_timers *timers);
void mwi_timers_fini(struct mwi_timers *timers);

/* Starts the timer, or starts it anew if it runs; borrows it until it is stopped or due. False out
 * of memory; a timer that runs already can always be started anew. */
bool mwi_timers_start(struct mwi_timers *timers, struct mwi_timer_entry *timer,
                      int64_t deadline_ns);

/* Whether it was started, and has neither been stopped nor been due since. */
static inline bool mwi_timers_is_running(const struct mwi_timer_entry *timer)
{
    return timer->node.position > 0;
}

/* Stops the timer; one that does not run stays as it is. */
void mwi_timers_stop(struct mwi_timers *timers, struct mwi_timer_entry *timer);

/* The earliest deadline; INT64_MAX if no timer runs. */
int64_t mwi_timers_deadline(const struct mwi_timers *timers);

/* Stops and returns the earliest timer if its deadline is now_ns or earlier, else NULL. */
struct mwi_timer_entry *mwi_timers_due(struct mwi_timers *timers, int64_t now_ns);

#endif
