/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap by (time, order). world.c takes the events; way.c, sim_host.c, sim_disk.c, net.c and
 * mw_sim_at put them.
 *
 * Invariants: arranging an event never fails, since its owner has reserved room for it. The caller
 * of put counts the order, and not put itself, because an item keeps the order of the moment at
 * which it set out, however often the event of its way is moved. A new kind of event: see world.c.
 */
#include "agenda.h"

#include <assert.h>

void mwi_sim_agenda_fini(struct mwi_sim_agenda *agenda)
{
    mwi_heap_fini(&agenda->heap);
    *agenda = (struct mwi_sim_agenda){0};
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

struct mwi_sim_event *mwi_sim_agenda_take(struct mwi_sim_agenda *agenda, int64_t until_ns,
                                          int64_t *time_ns)
{
    const struct mwi_heap_entry *first = mwi_heap_first(&agenda->heap);
    if (first == NULL || first->key > until_ns)
        return NULL;
    struct mwi_sim_event *event = (struct mwi_sim_event *)first->node;
    *time_ns = first->key;
    mwi_heap_remove(&agenda->heap, &event->node);
    return event;
}
