/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers are a heap by deadline; the order of starting decides between equal deadlines, so that the
 * same calls always give the same sequence. Used by the master engine for each slave's limits.
 */
#include "base/timers.h"

void mwi_timers_init(struct mwi_timers *timers)
{
    *timers = (struct mwi_timers){0};
    mwi_heap_init(&timers->heap);
}

void mwi_timers_fini(struct mwi_timers *timers)
{
    mwi_heap_fini(&timers->heap);
}

bool mwi_timers_start(struct mwi_timers *timers, struct mwi_timer_entry *timer, int64_t deadline_ns)
{
    if (timer->node.position == 0 && !mwi_heap_reserve(&timers->heap, timers->heap.count + 1))
        return false;
    mwi_heap_put(&timers->heap, &timer->node, deadline_ns, timers->orders_count++);
    return true;
}

void mwi_timers_stop(struct mwi_timers *timers, struct mwi_timer_entry *timer)
{
    mwi_heap_remove(&timers->heap, &timer->node);
}

int64_t mwi_timers_deadline(const struct mwi_timers *timers)
{
    const struct mwi_heap_entry *first = mwi_heap_first(&timers->heap);
    return first == NULL ? INT64_MAX : first->key;
}

struct mwi_timer_entry *mwi_timers_due(struct mwi_timers *timers, int64_t now_ns)
{
    const struct mwi_heap_entry *first = mwi_heap_first(&timers->heap);
    if (first == NULL || first->key > now_ns)
        return NULL;
    struct mwi_timer_entry *timer = (struct mwi_timer_entry *)first->node;
    mwi_timers_stop(timers, timer);
    return timer;
}
