/* SPDX-License-Identifier: Apache-2.0
 *
 * The agenda of a simulated world: the events that are going to happen, earliest first, and events
 * of one time in the order in which they were arranged. An event lives in the object that it
 * concerns, so nothing is allocated when one is arranged; the object reserves the room once. A turn
 * is an event that is mostly arranged for the present time, which then costs the same however many
 * other events there are.
 */
#ifndef MWI_SIM_AGENDA_H
#define MWI_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>

#include "base/heap.h"
#include "base/list.h"

/* All zero but for `fire`: not arranged. */
struct mwi_sim_event {
    struct mwi_heap_node node; /* first, so that the node is the event */
    /* Called by the world when the time has come; the event is then no longer arranged. */
    void (*fire)(mw_sim *sim, struct mwi_sim_event *event);
};

/* All zero but for event.fire: not arranged. */
struct mwi_sim_turn {
    struct mwi_sim_event event; /* first, so that the event is the turn */
    struct mwi_list link;       /* among those of the present time; `next` is NULL if not there */
    uint64_t order;             /* of one that is there */
};

/* The key of the heap is the virtual time in nanoseconds. */
struct mwi_sim_agenda {
    struct mwi_heap heap;
    struct mwi_list present; /* turns */
    size_t reserved_count;   /* events that may be arranged at once */
    uint64_t orders_count;
};

void mwi_sim_agenda_init(struct mwi_sim_agenda *agenda);

void mwi_sim_agenda_fini(struct mwi_sim_agenda *agenda);

/* Makes room for `count` more events to be arranged at once. False out of memory. */
bool mwi_sim_agenda_reserve(struct mwi_sim_agenda *agenda, size_t count);

/* Gives back room for `count` events, which must not be arranged any more. */
void mwi_sim_agenda_release(struct mwi_sim_agenda *agenda, size_t count);

/* The next order: the place of something that is arranged now among others of its time. */
static inline uint64_t mwi_sim_agenda_order(struct mwi_sim_agenda *agenda)
{
    return agenda->orders_count++;
}

/* Arranges the event for `time_ns`, or moves it if it was arranged before. Borrows it until it
 * fires or is removed. */
void mwi_sim_agenda_put(struct mwi_sim_agenda *agenda, struct mwi_sim_event *event, int64_t time_ns,
                        uint64_t order);

/* Calls the event off, if it was arranged. */
void mwi_sim_agenda_remove(struct mwi_sim_agenda *agenda, struct mwi_sim_event *event);

/* Arranges the turn, or moves it, as mwi_sim_agenda_put does with the next order. The world must
 * not move on from `now_ns`, its present time, before it has taken a turn that is arranged for it.
 */
void mwi_sim_agenda_put_turn(struct mwi_sim_agenda *agenda, struct mwi_sim_turn *turn,
                             int64_t now_ns, int64_t time_ns);

/* Calls the turn off, if it was arranged. */
void mwi_sim_agenda_remove_turn(struct mwi_sim_agenda *agenda, struct mwi_sim_turn *turn);

static inline bool mwi_sim_agenda_is_empty(const struct mwi_sim_agenda *agenda)
{
    return mwi_heap_first(&agenda->heap) == NULL && mwi_list_is_empty(&agenda->present);
}

/* The earliest event, removed, with its time in *time_ns; NULL if there is no event up to
 * `until_ns`. `now_ns` is the world's present time. */
struct mwi_sim_event *mwi_sim_agenda_take(struct mwi_sim_agenda *agenda, int64_t now_ns,
                                          int64_t until_ns, int64_t *time_ns);

#endif
