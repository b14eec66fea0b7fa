/* SPDX-License-Identifier: Apache-2.0
 *
 * For users with an event loop of their own: the descriptor to wait for, and the longest time to
 * wait. Both come from loop.c.
 *
 * Invariant: after an error the time is 0, so that the user turns the loop, and learns of the
 * error, at once.
 */
#include "face/master_stop.h"

#include "base/time.h"

int mw_master_fd(mw_master *master)
{
    return mwi_loop_fd(master->loop);
}

double mw_master_timeout(const mw_master *master)
{
    int64_t due_ns = mwi_time_earlier(mwi_loop_due(master->loop), mwi_master_stop_deadline(master));
    /* The clock is read last, so that a deadline of now gives 0 and not a nanosecond. */
    int64_t now_ns = mwi_loop_now(master->loop);
    if (master->broken != MW_OK || due_ns <= now_ns)
        return 0;
    return mwi_time_to_seconds(due_ns - now_ns);
}
