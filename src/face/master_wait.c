/* SPDX-License-Identifier: Apache-2.0
 *
 * What a caller with an event loop of its own needs to know: what to wait for, and how long.
 */
#include "face/master.h"

#define NS_PER_S 1000000000.0

int mw_master_fd(mw_master *master)
{
    return mwi_loop_fd(master->loop);
}

double mw_master_timeout(const mw_master *master)
{
    int64_t due_ns = mwi_loop_due(master->loop);
    int64_t others_ns = mwi_announce_deadline(master->announce);
    if (master->local != NULL && mwi_local_deadline(master->local) < others_ns)
        others_ns = mwi_local_deadline(master->local);
    if (others_ns < due_ns)
        due_ns = others_ns;
    /* Read last: what is due now is 0, not a nanosecond. */
    int64_t now_ns = mwi_loop_now(master->loop);
    if (master->broken != MW_OK || due_ns <= now_ns)
        return 0;
    return (double)(due_ns - now_ns) / NS_PER_S;
}
