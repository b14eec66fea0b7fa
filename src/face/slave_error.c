/* SPDX-License-Identifier: Apache-2.0
 *
 * Says why a slave cannot go on. The functions that a slave algorithm calls ask before and after
 * each turn of the loop, and the search for a master does.
 *
 * Invariant: once an error is in slave->broken, it stays. Another end of a slave is a case in
 * mwi_slave_error_check.
 */
#include "face/slave_error.h"

#include <stdarg.h>
#include <stdio.h>

#include "loop/signals.h"

mw_error mwi_slave_error_set(mw_slave *slave, mw_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(slave->error.text, sizeof slave->error.text, format, arguments);
    va_end(arguments);
    return error;
}

static bool has_signal(const mw_slave *slave)
{
    return slave->has_signals && mwi_signals_caught() != 0;
}

static mw_error fail_refused(mw_slave *slave)
{
    const char *reason = slave->engine.reason;
    if (strcmp(reason, MWI_GREETING_REFUSAL) == 0)
        return mwi_slave_error_set(
            slave, MW_EREFUSED, "the master refused this slave: the master's audit trail says why");
    return mwi_slave_error_set(slave, MW_EREFUSED, "the master refused this slave: %s", reason);
}

mw_error mwi_slave_error_check(mw_slave *slave)
{
    if (slave->broken != MW_OK)
        return slave->broken;
    switch (slave->engine.phase) {
    case MWI_PHASE_REFUSED:
        return fail_refused(slave);
    case MWI_PHASE_GONE:
        return mwi_slave_error_set(slave, MW_EGONE, "the master is gone: %s", slave->engine.reason);
    default:
        break;
    }
    if (slave->engine.phase != MWI_PHASE_SHUTDOWN && has_signal(slave))
        slave->broken = mwi_slave_error_set(slave, MW_EINTERRUPTED, "%s asked the program to end",
                                            mwi_signals_name(mwi_signals_caught()));
    return slave->broken;
}
