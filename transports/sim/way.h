/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from one end of a connection to the other: items set out, take their time, and arrive in
 * the order in which they set out. Times are virtual nanoseconds.
 */
#ifndef MWI_SIM_WAY_H
#define MWI_SIM_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/sim.h>

#include "agenda.h"

struct mwi_sim_end;

enum mwi_sim_kind { MWI_SIM_CONNECT, MWI_SIM_UP, MWI_SIM_FRAME, MWI_SIM_DOWN };

/* Something on its way to an end of a connection, or in the inbox of that end's transport. Frames
 * are malloc'd, the other kinds lie in the connection. */
struct mwi_sim_item {
    struct mwi_sim_item *next;
    struct mwi_sim_end *end;
    enum mwi_sim_kind kind;
    int64_t time_ns; /* when it arrives, if nothing holds it back */
    uint64_t order;  /* on the agenda */
    void *data;      /* of a frame: malloc'd, `size` bytes; NULL once it was handed out */
    size_t size;
};

/* Items, first in, first out. All zero at the start. `last` means nothing while it is empty. */
struct mwi_sim_item_queue {
    struct mwi_sim_item *first, *last;
};

/* All zero at the start but for arrival.fire, which is called when the first item arrives and must
 * take it. */
struct mwi_sim_way {
    struct mwi_sim_event arrival; /* of the first item; first, so that the event is the way */
    struct mwi_sim_item_queue items;
    int64_t last_ns; /* no later item arrives before this, so that none overtakes another */
    bool is_held;
};

/* Puts the item at the end of the queue, which borrows it until it is popped. */
void mwi_sim_way_push(struct mwi_sim_item_queue *queue, struct mwi_sim_item *item);

/* Takes the first item out of the queue; NULL if it is empty. */
struct mwi_sim_item *mwi_sim_way_pop(struct mwi_sim_item_queue *queue);

/* The item sets out now, and is borrowed until it is taken. Room for one event must have been
 * reserved for the way. */
void mwi_sim_way_send(mw_sim *sim, struct mwi_sim_way *way, struct mwi_sim_item *item);

/* Takes the first item off the way, whether it has arrived or not; NULL if the way is empty. */
struct mwi_sim_item *mwi_sim_way_take(mw_sim *sim, struct mwi_sim_way *way);

/* From a hold on nothing arrives. An unhold lets all items set out again; a way that is not held
 * stays as it is. */
void mwi_sim_way_hold(mw_sim *sim, struct mwi_sim_way *way);
void mwi_sim_way_unhold(mw_sim *sim, struct mwi_sim_way *way);

#endif
