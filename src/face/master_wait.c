/* SPDX-License-Identifier: Apache-2.0
 *
 * What a caller with an event loop of its own needs to know: what to wait for, and how long.
 */
#include "face/master.h"

#include "base/time.h"

int mw_master_fd(mw_master *master)
{
    return mwi_loop_fd(master->loop);
}

double mw_master_timeout(const mw_master *master)
{
    int64_t due_ns =
        mwi_time_earlier(mwi_loop_due(master->loop), mwi_announce_deadline(master->announce));
    if (master->local != NULL)
        due_ns = mwi_time_earlier(due_ns, mwi_local_deadline(master->local));
    /* The clock is read last, so that a deadline of now gives 0 and not a nanosecond. */
    int64_t now_ns = mwi_loop_now(master->loop);
    if (master->broken != MW_OK || due_ns <= now_ns)
        return 0;
    return mwi_time_to_seconds(due_ns - now_ns);
}
