/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines. Those that are equal come out in the order in which they were started. Nothing is
 * called: who owns the timers takes out what is due.
 */
#ifndef MWI_TIMERS_H
#define MWI_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what it is the deadline of; all zero is "not started". */
struct mwi_timer {
    int kind; /* its owner's */
    int64_t deadline_ns;
    uint64_t order;
    size_t position; /* in the heap from 1, 0 when not started */
};

struct mwi_timers {
    struct mwi_timer **heap;
    size_t count;
    size_t capacity;
    uint64_t orders_count;
};

void mwi_timers_init(struct mwi_timers *timers);
void mwi_timers_fini(struct mwi_timers *timers);

/* Starts a timer, anew if it runs; false out of memory. */
bool mwi_timers_start(struct mwi_timers *timers, struct mwi_timer *timer, int64_t deadline_ns);

/* Stops a timer; one that does not run stays as it is. */
void mwi_timers_stop(struct mwi_timers *timers, struct mwi_timer *timer);

/* The earliest deadline; INT64_MAX if there is none. */
int64_t mwi_timers_deadline(const struct mwi_timers *timers);

/* Stops and returns the earliest timer if it is due at now_ns, else NULL. */
struct mwi_timer *mwi_timers_due(struct mwi_timers *timers, int64_t now_ns);

#endif
