/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap of events by (time, order). Turns that are arranged for the present time go into a list
 * beside it, which is faster. world.c takes the events; way.c, sim_host.c, sim_disk.c, net.c and
 * mw_sim_at put them.
 *
 * Invariants: arranging an event never fails, since its owner has reserved room for it. The caller
 * of put draws the order (mwi_sim_agenda_order), because an item on a way (way.c) keeps the order
 * of the moment at which it was sent, however often its way's event is moved. For a new kind of
 * event, see world.c.
 */
#include "agenda.h"

#include <assert.h>

void mwi_sim_agenda_init(struct mwi_sim_agenda *agenda)
{
    *agenda = (struct mwi_sim_agenda){0};
    mwi_heap_init(&agenda->heap);
    mwi_list_init(&agenda->present);
}

void mwi_sim_agenda_fini(struct mwi_sim_agenda *agenda)
{
    mwi_heap_fini(&agenda->heap);
    mwi_sim_agenda_init(agenda);
}

bool mwi_sim_agenda_reserve(struct mwi_sim_agenda *agenda, size_t count)
{
    if (!mwi_heap_reserve(&agenda->heap, agenda->reserved_count + count))
        return false;
    agenda->reserved_count += count;
    return true;
}

void mwi_sim_agenda_release(struct mwi_sim_agenda *agenda, size_t count)
{
    assert(count <= agenda->reserved_count);
    agenda->reserved_count -= count;
    assert(agenda->heap.count <= agenda->reserved_count);
}

void mwi_sim_agenda_put(struct mwi_sim_agenda *agenda, struct mwi_sim_event *event, int64_t time_ns,
                        uint64_t order)
{
    assert(event->fire != NULL && order < agenda->orders_count);
    mwi_heap_put(&agenda->heap, &event->node, time_ns, order);
}

void mwi_sim_agenda_remove(struct mwi_sim_agenda *agenda, struct mwi_sim_event *event)
{
    mwi_heap_remove(&agenda->heap, &event->node);
}

static void unlink_turn(struct mwi_sim_turn *turn)
{
    if (turn->link.next == NULL)
        return;
    mwi_list_remove(&turn->link);
    turn->link.next = NULL;
}

void mwi_sim_agenda_put_turn(struct mwi_sim_agenda *agenda, struct mwi_sim_turn *turn,
                             int64_t now_ns, int64_t time_ns)
{
    uint64_t order = mwi_sim_agenda_order(agenda);
    assert(turn->event.fire != NULL);
    unlink_turn(turn);
    if (time_ns != now_ns) {
        mwi_sim_agenda_put(agenda, &turn->event, time_ns, order);
        return;
    }
    mwi_sim_agenda_remove(agenda, &turn->event);
    turn->order = order;
    mwi_list_append(&agenda->present, &turn->link);
}

void mwi_sim_agenda_remove_turn(struct mwi_sim_agenda *agenda, struct mwi_sim_turn *turn)
{
    unlink_turn(turn);
    mwi_sim_agenda_remove(agenda, &turn->event);
}

/* The turn that is the first of the present time; NULL if the heap's first event comes before it.
 */
static struct mwi_sim_turn *first_turn(const struct mwi_sim_agenda *agenda, int64_t now_ns)
{
    const struct mwi_heap_entry *first = mwi_heap_first(&agenda->heap);
    if (mwi_list_is_empty(&agenda->present))
        return NULL;
    struct mwi_sim_turn *turn = MWI_LIST_ENTRY(agenda->present.next, struct mwi_sim_turn, link);
    bool is_later = first != NULL && first->key == now_ns && first->order < turn->order;
    return is_later ? NULL : turn;
}

struct mwi_sim_event *mwi_sim_agenda_take(struct mwi_sim_agenda *agenda, int64_t now_ns,
                                          int64_t until_ns, int64_t *time_ns)
{
    struct mwi_sim_turn *turn = first_turn(agenda, now_ns);
    const struct mwi_heap_entry *first = mwi_heap_first(&agenda->heap);
    if (turn != NULL && now_ns <= until_ns) {
        unlink_turn(turn);
        *time_ns = now_ns;
        return &turn->event;
    }
    if (turn != NULL || first == NULL || first->key > until_ns)
        return NULL;
    struct mwi_sim_event *event = (struct mwi_sim_event *)first->node;
    *time_ns = first->key;
    mwi_heap_remove(&agenda->heap, &event->node);
    return event;
}
