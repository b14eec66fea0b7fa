/* SPDX-License-Identifier: Apache-2.0
 *
 * A slave that looks for its master again, because the master is gone and has not said goodbye.
 */
#ifndef MWI_SLAVE_RETURN_H
#define MWI_SLAVE_RETURN_H

#include "face/slave.h"

/* Whether the slave looks for its master. While a task runs in this process it does not. */
static inline bool mwi_slave_return_is_due(const mw_slave *slave)
{
    return slave->engine.is_returning && slave->engine.phase < MWI_PHASE_SHUTDOWN &&
           (slave->relay != NULL || !mwi_slave_engine_is_running(&slave->engine));
}

/* Goes on with the search, and lowers *deadline_ns to when it must go on again. Call it before each
 * turn while the search is due. When the search is over in vain, the engine is in its end. */
void mwi_slave_return_go_on(mw_slave *slave, int64_t *deadline_ns);

/* Call it after each turn: ends the search of a slave that a master has welcomed, and gives it its
 * new number. */
void mwi_slave_return_finish_if_found(mw_slave *slave);

#endif
