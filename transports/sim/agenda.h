/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of what is going to happen in a simulated world: earliest first, and what happens at
 * the same time in the order in which it was arranged. An event lives in the object that it
 * concerns, so that nothing is allocated when one is arranged; the object reserves the room once.
 */
#ifndef MWI_SIM_AGENDA_H
#define MWI_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>

struct mwi_sim_event {
    void (*fire)(mw_sim *sim, struct mwi_sim_event *event);
    size_t slot; /* where in the heap, from 1; 0: nowhere */
};

/* The key lies in the heap and not in the event, so that sifting stays within one array. */
struct mwi_sim_event_entry {
    int64_t time_ns;
    uint64_t order;
    struct mwi_sim_event *event;
};

/* All zero at the start. */
struct mwi_sim_events {
    struct mwi_sim_event_entry *heap; /* heap[1..count] */
    size_t count, capacity, reserved;
    uint64_t orders_count;
};

void mwi_sim_events_fini(struct mwi_sim_events *events);

/* Makes room for so many events more to be arranged at once, and gives it back. False out of
 * memory. */
bool mwi_sim_events_reserve(struct mwi_sim_events *events, size_t count);
void mwi_sim_events_release(struct mwi_sim_events *events, size_t count);

/* The place of something arranged now among others of its time. */
uint64_t mwi_sim_events_order(struct mwi_sim_events *events);

/* Arranges the event, or moves it if it was arranged before. */
void mwi_sim_events_put(struct mwi_sim_events *events, struct mwi_sim_event *event, int64_t time_ns,
                        uint64_t order);

/* Calls it off, if it was arranged. */
void mwi_sim_events_remove(struct mwi_sim_events *events, struct mwi_sim_event *event);

/* The earliest one, NULL if there is none. */
const struct mwi_sim_event_entry *mwi_sim_events_first(const struct mwi_sim_events *events);

/* `time_ns` after `duration_ns`, or the end of time. */
int64_t mwi_sim_later(int64_t time_ns, int64_t duration_ns);

#endif
