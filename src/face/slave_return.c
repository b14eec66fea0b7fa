/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks for the master again, in steps: face/slave_loop, and for an isolated slave face/isolation,
 * call it between the turns of their loops, since the functions of a slave algorithm have time-outs
 * of their own. The search itself is face/slave_search; the engine keeps the results meanwhile, and
 * offers them afterwards.
 *
 * Invariant: a search in vain ends the engine, so that it is begun once for each loss. A farm that
 * has ended meanwhile sends the slave home as a shutdown does.
 */
#include "face/slave_return.h"

#include <stdio.h>

#include "base/time.h"
#include "face/slave_search.h"

void mwi_slave_return_go_on(mw_slave *slave, int64_t *deadline_ns)
{
    int64_t until_ns;
    if (!slave->is_searching)
        mwi_slave_search_begin_return(slave);
    slave->is_searching = true;
    mw_error error = mwi_slave_search_advance(slave, &until_ns);
    if (error == MW_OK) { /* it looks still, or the engine was welcomed */
        *deadline_ns = mwi_time_earlier(*deadline_ns, until_ns);
        return;
    }
    slave->is_searching = false;
    mwi_slave_engine_end_search(&slave->engine, error == MW_EGONE, slave->error.text,
                                mwi_loop_now(slave->loop));
    mwi_loop_carry_out(slave->loop);
    *deadline_ns = INT64_MIN;
}

void mwi_slave_return_finish_if_found(mw_slave *slave)
{
    if (!slave->is_searching || slave->engine.is_returning)
        return;
    slave->is_searching = false;
    snprintf(slave->id, sizeof slave->id, "SLAVE-%u", (unsigned)slave->engine.sid);
}
