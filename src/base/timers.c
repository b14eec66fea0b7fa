/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary heap by (deadline, order); each timer knows its place, so stopping is O(log n).
 */
#include "base/timers.h"

#include <stdlib.h>

static bool is_before(const struct mwi_timer *a, const struct mwi_timer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->order < b->order;
}

static void put(struct mwi_timers *timers, size_t position, struct mwi_timer *timer)
{
    timers->heap[position - 1] = timer;
    timer->position = position;
}

static void sift_up(struct mwi_timers *timers, struct mwi_timer *timer, size_t position)
{
    for (; position > 1; position /= 2) {
        struct mwi_timer *parent = timers->heap[position / 2 - 1];
        if (!is_before(timer, parent))
            break;
        put(timers, position, parent);
    }
    put(timers, position, timer);
}

static void sift_down(struct mwi_timers *timers, struct mwi_timer *timer, size_t position)
{
    for (size_t child = position * 2; child <= timers->count; child = position * 2) {
        if (child < timers->count && is_before(timers->heap[child], timers->heap[child - 1]))
            child++;
        if (!is_before(timers->heap[child - 1], timer))
            break;
        put(timers, position, timers->heap[child - 1]);
        position = child;
    }
    put(timers, position, timer);
}

void mwi_timers_init(struct mwi_timers *timers)
{
    *timers = (struct mwi_timers){0};
}

void mwi_timers_fini(struct mwi_timers *timers)
{
    free(timers->heap);
    mwi_timers_init(timers);
}

bool mwi_timers_start(struct mwi_timers *timers, struct mwi_timer *timer, int64_t deadline_ns)
{
    mwi_timers_stop(timers, timer);
    if (timers->count == timers->capacity) {
        size_t capacity = timers->capacity == 0 ? 16 : timers->capacity * 2;
        struct mwi_timer **heap = realloc(timers->heap, capacity * sizeof *heap);
        if (heap == NULL)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timer->deadline_ns = deadline_ns;
    timer->order = timers->orders_count++;
    sift_up(timers, timer, ++timers->count);
    return true;
}

void mwi_timers_stop(struct mwi_timers *timers, struct mwi_timer *timer)
{
    size_t position = timer->position;
    if (position == 0)
        return;
    timer->position = 0;
    struct mwi_timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    if (position > 1 && is_before(last, timers->heap[position / 2 - 1]))
        sift_up(timers, last, position);
    else
        sift_down(timers, last, position);
}

int64_t mwi_timers_deadline(const struct mwi_timers *timers)
{
    return timers->count == 0 ? INT64_MAX : timers->heap[0]->deadline_ns;
}

struct mwi_timer *mwi_timers_due(struct mwi_timers *timers, int64_t now_ns)
{
    if (timers->count == 0 || timers->heap[0]->deadline_ns > now_ns)
        return NULL;
    struct mwi_timer *timer = timers->heap[0];
    mwi_timers_stop(timers, timer);
    return timer;
}
