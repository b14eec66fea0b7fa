/* SPDX-License-Identifier: Apache-2.0
 *
 * Remembers the limits of slaves. dispatch, schedule and probation ask whether a task fits a slave;
 * misfits fails tasks that fitted none for the time-out; membership notes the slaves that come.
 *
 * Invariant: largest[0] is at least the limit of every slave that was connected during the present
 * part. So a slave that comes and goes within a part counts.
 *
 * A new need (memory, ranks, shared data) is a comparison in mwi_fit_is_met, a limit beside those
 * of sizes here, and words in engine/misfits.c for tasks that fail.
 */
#include "farm/fit.h"

#include <assert.h>

void mwi_fit_note_slave(struct mwi_fit *fit, const struct mwi_slave_entry *slave)
{
    size_t limit = slave->frame_bytes_max;
    assert(limit >= 2 * MWI_MESSAGE_OVERHEAD_BYTES);
    if (fit->least_bytes == 0 || limit < fit->least_bytes)
        fit->least_bytes = limit;
    if (limit > fit->most_bytes)
        fit->most_bytes = limit;
    if (limit > fit->largest[0])
        fit->largest[0] = limit;
}

void mwi_fit_begin(struct mwi_fit *fit, size_t frame_bytes_max)
{
    fit->largest[0] = frame_bytes_max;
    for (int i = 1; i <= MWI_FIT_PARTS; i++)
        fit->largest[i] = SIZE_MAX;
}

size_t mwi_fit_end_part(struct mwi_fit *fit, size_t frame_bytes_max)
{
    size_t most = frame_bytes_max;
    for (int i = MWI_FIT_PARTS; i > 0; i--) {
        fit->largest[i] = fit->largest[i - 1];
        if (fit->largest[i] > most)
            most = fit->largest[i];
    }
    fit->largest[0] = frame_bytes_max;
    return most;
}
