/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues of items with times. net.c owns two for each connection, one in each direction. Only the
 * first item of a way is on the world's agenda, with the order that it got when it set out. A way
 * that is held or empty is not on the agenda at all. Each send, and each unhold, draws one number
 * of the world's chance: another draw changes all runs of a seed.
 */
#include "way.h"

#include <assert.h>

#include "base/time.h"
#include "sim_host.h"

void mwi_sim_way_push(struct mwi_sim_item_queue *queue, struct mwi_sim_item *item)
{
    item->next = NULL;
    if (queue->first == NULL)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
}

struct mwi_sim_item *mwi_sim_way_pop(struct mwi_sim_item_queue *queue)
{
    struct mwi_sim_item *item = queue->first;
    if (item != NULL)
        queue->first = item->next;
    return item;
}

/* Arranges the arrival of the first item, or calls it off if there is no such arrival. */
static void arrange_arrival(mw_sim *sim, struct mwi_sim_way *way)
{
    const struct mwi_sim_item *first = way->items.first;
    if (first == NULL || way->is_held)
        mwi_sim_agenda_remove(&sim->agenda, &way->arrival);
    else
        mwi_sim_agenda_put(&sim->agenda, &way->arrival, first->time_ns, first->order);
}

static int64_t draw_arrival(mw_sim *sim)
{
    assert(sim->delay_min_ns <= sim->delay_max_ns);
    uint64_t spread = (uint64_t)(sim->delay_max_ns - sim->delay_min_ns);
    int64_t delay_ns = sim->delay_min_ns + (int64_t)(mw_sim_random(sim) % (spread + 1));
    return mwi_time_after(sim->now_ns, delay_ns);
}

void mwi_sim_way_send(mw_sim *sim, struct mwi_sim_way *way, struct mwi_sim_item *item)
{
    int64_t time_ns = draw_arrival(sim);
    if (way->last_ns < time_ns)
        way->last_ns = time_ns;
    item->time_ns = way->last_ns;
    item->order = mwi_sim_agenda_order(&sim->agenda);
    mwi_sim_way_push(&way->items, item);
    if (way->items.first == item)
        arrange_arrival(sim, way);
}

struct mwi_sim_item *mwi_sim_way_take(mw_sim *sim, struct mwi_sim_way *way)
{
    struct mwi_sim_item *item = mwi_sim_way_pop(&way->items);
    if (item == NULL)
        return NULL;
    arrange_arrival(sim, way);
    return item;
}

void mwi_sim_way_hold(mw_sim *sim, struct mwi_sim_way *way)
{
    way->is_held = true;
    arrange_arrival(sim, way);
}

void mwi_sim_way_unhold(mw_sim *sim, struct mwi_sim_way *way)
{
    if (!way->is_held)
        return;
    way->is_held = false;
    int64_t time_ns = draw_arrival(sim);
    for (struct mwi_sim_item *item = way->items.first; item != NULL; item = item->next) {
        if (item->time_ns < time_ns)
            item->time_ns = time_ns;
        way->last_ns = item->time_ns;
    }
    arrange_arrival(sim, way);
}
