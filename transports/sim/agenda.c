/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary heap on (time, order) whose members know their slot, so that an event can be moved or
 * called off. Slots count from 1: the parent of i is i / 2. The room was reserved by whoever owns
 * the event, so putting one in never fails.
 */
#include "agenda.h"

#include <stdlib.h>

void mwi_sim_events_fini(struct mwi_sim_events *events)
{
    free(events->heap);
    *events = (struct mwi_sim_events){0};
}

bool mwi_sim_events_reserve(struct mwi_sim_events *events, size_t count)
{
    size_t needed = events->reserved + count + 1;

    if (needed > events->capacity) {
        size_t capacity = needed < 32 ? 64 : 2 * needed;
        struct mwi_sim_event_entry *heap = realloc(events->heap, capacity * sizeof *heap);

        if (heap == NULL)
            return false;
        events->heap = heap;
        events->capacity = capacity;
    }
    events->reserved += count;
    return true;
}

void mwi_sim_events_release(struct mwi_sim_events *events, size_t count)
{
    events->reserved -= count;
}

uint64_t mwi_sim_events_order(struct mwi_sim_events *events)
{
    return events->orders_count++;
}

static bool is_before(const struct mwi_sim_event_entry *a, const struct mwi_sim_event_entry *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->order < b->order;
}

static void set_slot(struct mwi_sim_events *events, size_t slot, struct mwi_sim_event_entry entry)
{
    events->heap[slot] = entry;
    entry.event->slot = slot;
}

static void sift_up(struct mwi_sim_events *events, size_t slot, struct mwi_sim_event_entry entry)
{
    while (slot > 1 && is_before(&entry, &events->heap[slot / 2])) {
        set_slot(events, slot, events->heap[slot / 2]);
        slot /= 2;
    }
    set_slot(events, slot, entry);
}

static void sift_down(struct mwi_sim_events *events, size_t slot, struct mwi_sim_event_entry entry)
{
    for (;;) {
        size_t child = 2 * slot;

        if (child > events->count)
            break;
        if (child < events->count && is_before(&events->heap[child + 1], &events->heap[child]))
            child++;
        if (!is_before(&events->heap[child], &entry))
            break;
        set_slot(events, slot, events->heap[child]);
        slot = child;
    }
    set_slot(events, slot, entry);
}

/* Puts the entry where it belongs, the slot being free. */
static void sift(struct mwi_sim_events *events, size_t slot, struct mwi_sim_event_entry entry)
{
    if (slot > 1 && is_before(&entry, &events->heap[slot / 2]))
        sift_up(events, slot, entry);
    else
        sift_down(events, slot, entry);
}

void mwi_sim_events_put(struct mwi_sim_events *events, struct mwi_sim_event *event, int64_t time_ns,
                        uint64_t order)
{
    struct mwi_sim_event_entry entry = {.time_ns = time_ns, .order = order, .event = event};

    sift(events, event->slot != 0 ? event->slot : ++events->count, entry);
}

void mwi_sim_events_remove(struct mwi_sim_events *events, struct mwi_sim_event *event)
{
    size_t slot = event->slot;

    if (slot == 0)
        return;
    struct mwi_sim_event_entry last = events->heap[events->count--];
    if (last.event != event)
        sift(events, slot, last);
    event->slot = 0;
}

const struct mwi_sim_event_entry *mwi_sim_events_first(const struct mwi_sim_events *events)
{
    return events->count > 0 ? &events->heap[1] : NULL;
}

int64_t mwi_sim_later(int64_t time_ns, int64_t duration_ns)
{
    return duration_ns > INT64_MAX - time_ns ? INT64_MAX : time_ns + duration_ns;
}
