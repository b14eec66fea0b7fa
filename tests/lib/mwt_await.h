/* SPDX-License-Identifier: Apache-2.0
 *
 * Waits for the slaves of a master that is to have them before it begins.
 */
#ifndef MWT_AWAIT_H
#define MWT_AWAIT_H

#include <mw/mw.h>

/* Serves the farm until the master has `count` slaves. False if that fails. */
static inline bool mwt_await_slaves(mw_master *master, size_t count)
{
    mw_master_counts counts;
    while (mw_master_num_slaves(master) < count)
        if (mw_master_loop_iterate(master, -1, &counts) != MW_OK)
            return false;
    return true;
}

#endif
