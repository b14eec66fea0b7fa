/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the load of a slave. dispatch adds the tasks of a message, task_ends removes tasks that
 * have ended, membership clears the load of a slave that is lost or gives its tasks back,
 * master_engine measures trips; schedule only reads.
 *
 * Invariant: without tasks there are no bytes and no work ahead. The pace of an algorithm may
 * change between adding a task and removing it, so work_ns is an estimate that never goes below 0
 * and is set to 0 whenever the slave has nothing left. To let schedule decide by something else of
 * the work ahead, add a field to struct mwi_load, and change it in add, remove and clear.
 */
#include "farm/load.h"

#include <assert.h>

/* A new measurement of the trip counts as one part in four. */
#define TRIP_WEIGHT 4

void mwi_load_add(struct mwi_load *load, const struct mwi_load_group *group, int64_t now_ns)
{
    assert(group->count > 0);
    assert(!load->is_alone);
    assert(!group->is_alone || (group->count == 1 && load->tasks_count == 0));
    if (load->tasks_count == 0)
        load->sent_ns = now_ns;
    load->tasks_count += group->count;
    load->bytes += group->bytes;
    load->work_ns += group->work_ns;
    load->is_alone = group->is_alone;
}

void mwi_load_delay(struct mwi_load *load, int64_t since_ns, int64_t now_ns)
{
    assert(now_ns >= since_ns);
    if (load->sent_ns != 0 && load->sent_ns >= since_ns)
        load->sent_ns = now_ns;
}

void mwi_load_remove(struct mwi_load *load, size_t count, size_t bytes, int64_t work_ns)
{
    assert(load->tasks_count >= count);
    load->tasks_count -= count;
    load->bytes -= bytes < load->bytes ? bytes : load->bytes;
    load->work_ns -= work_ns < load->work_ns ? work_ns : load->work_ns;
    if (load->tasks_count == 0)
        mwi_load_clear(load);
}

void mwi_load_measure_trip(struct mwi_load *load, int64_t now_ns, int64_t tasks_ns)
{
    if (load->sent_ns == 0)
        return;
    int64_t trip_ns = now_ns - load->sent_ns > tasks_ns ? now_ns - load->sent_ns - tasks_ns : 0;
    if (load->trip_ns != 0)
        trip_ns = load->trip_ns + (trip_ns - load->trip_ns) / TRIP_WEIGHT;
    load->trip_ns = trip_ns;
    load->sent_ns = 0;
}

void mwi_load_clear(struct mwi_load *load)
{
    load->tasks_count = 0;
    load->bytes = 0;
    load->work_ns = 0;
    load->is_alone = false;
}
