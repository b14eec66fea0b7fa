/* SPDX-License-Identifier: Apache-2.0
 *
 * The stop of a farm. A signal begins it where mw_main handles signals, or the program by
 * mw_master_stop. master_loop asks before and after each turn whether it is over, master_open how
 * long a close may take.
 *
 * Invariants: a stop is begun once, and no later call moves its end; the engine is stopping from
 * then on. A signal after mw_master_stop changes the exit status, but gives no more time.
 *
 * Another thing that must end before the farm does is a case in is_busy.
 */
#include "face/master_stop.h"

#include <signal.h>
#include <stdio.h>

#include "base/decimal.h"
#include "base/time.h"
#include "engine/membership.h"
#include "loop/signals.h"

/* The slaves that have no task any more get this long to hear that the farm ends. */
#define MOMENT_NS MWI_NS_PER_S

static void begin(mw_master *master)
{
    int64_t now_ns = mwi_loop_now(master->loop);
    if (master->engine.is_stopping)
        return;
    master->stop_ns = mwi_time_after(now_ns, master->shutdown_timeout_ns);
    mwi_membership_stop(&master->engine, now_ns);
    mwi_master_carry_out(master);
    if (master->local != NULL)
        mwi_local_stop(master->local);
    if (master->serial != NULL)
        mwi_serial_stop(master->serial);
}

/* Tells the person who pressed ^C why the program does not end at once. */
static void tell(const mw_master *master)
{
    char sentence[128], seconds[MWI_DECIMAL_BYTES];
    size_t count = mwi_membership_running_count(&master->engine);
    if (count == 0 || master->notice.tell == NULL)
        return;
    snprintf(sentence, sizeof sentence,
             "waiting for %zu running task%s, at most %s s; ^C again ends at once", count,
             count == 1 ? "" : "s",
             mwi_decimal_write(seconds, mwi_time_to_seconds(master->shutdown_timeout_ns)));
    master->notice.tell(master->notice.context, sentence);
}

static bool has_signal(const mw_master *master)
{
    return master->has_signals && mwi_signals_caught() != 0;
}

void mwi_master_stop_audit(mw_master *master)
{
    if (master->stop_signal != 0 || !has_signal(master))
        return;
    master->stop_signal = mwi_signals_caught();
    mwi_loop_audit(master->loop,
                   (struct mwi_audit_record){.kind = MWI_AUDIT_SIGNAL,
                                             .role = MWI_ROLE_MASTER,
                                             .signal = mwi_signals_name(master->stop_signal)});
}

/* The chores are stopped now, so that the resource file calls no more slaves. */
static void hear_signal(mw_master *master)
{
    if (master->stop_signal != 0 || !has_signal(master))
        return;
    mwi_master_stop_audit(master);
    begin(master);
    mwi_chores_stop(mwi_loop_chores(master->loop), false);
    tell(master);
}

bool mwi_master_stop_is_repeated(const mw_master *master)
{
    return master->has_signals && mwi_signals_are_repeated();
}

bool mwi_master_stop_keeps_slaves(const mw_master *master)
{
    return master->keeps_slaves && master->stop_signal == SIGTERM &&
           !mwi_master_stop_is_repeated(master);
}

/* Whether tasks run, or some have ended and were not taken. */
static bool is_busy(const mw_master *master)
{
    const size_t *counts = master->engine.tasks.counts;
    return counts[MWI_TASK_RUNNING] > 0 || counts[MWI_TASK_UNRUNNABLE] > 0 ||
           master->engine.finished.count > 0;
}

static mw_error fail_stopped(mw_master *master)
{
    char rest[96] = "";
    size_t count = mwi_membership_running_count(&master->engine);
    if (count > 0)
        snprintf(rest, sizeof rest, ", and %zu task%s still ran %s", count, count == 1 ? "" : "s",
                 mwi_master_stop_is_repeated(master) ? "when SIGTERM came again"
                                                     : "after --mw-shutdown-timeout");
    if (master->stop_signal != 0)
        return mwi_master_fail(master, MW_EINTERRUPTED, "%s asked the program to end%s",
                               mwi_signals_name(master->stop_signal), rest);
    return mwi_master_fail(master, MW_EINTERRUPTED, "mw_master_stop was called%s", rest);
}

mw_error mwi_master_stop_check(mw_master *master)
{
    hear_signal(master);
    if (!master->engine.is_stopping ||
        (is_busy(master) && mwi_loop_now(master->loop) < master->stop_ns &&
         !mwi_master_stop_is_repeated(master)))
        return MW_OK;
    return fail_stopped(master);
}

int64_t mwi_master_stop_deadline(const mw_master *master)
{
    if (!master->engine.is_stopping)
        return INT64_MAX;
    return is_busy(master) && !mwi_master_stop_is_repeated(master) ? master->stop_ns : INT64_MIN;
}

int64_t mwi_master_stop_patience(const mw_master *master)
{
    int64_t moment_ns = mwi_time_earlier(master->shutdown_timeout_ns, MOMENT_NS);
    if (!master->engine.is_stopping)
        return master->shutdown_timeout_ns;
    int64_t left_ns =
        mwi_master_stop_is_repeated(master) ? 0 : master->stop_ns - mwi_loop_now(master->loop);
    return left_ns > moment_ns ? left_ns : moment_ns;
}

bool mwi_master_stop_is_urgent(const mw_master *master)
{
    return master->stop_signal == 0 && has_signal(master);
}

void mw_master_stop(mw_master *master)
{
    begin(master);
}

bool mw_master_is_stopping(const mw_master *master)
{
    return master->engine.is_stopping || has_signal(master);
}
