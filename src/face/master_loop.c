/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of the master algorithm, which users call: they turn the farm's loop until there is
 * something to hand out.
 *
 * Invariants: `broken` is set once and stays: the loop has failed, a signal has stopped the farm,
 * or no slave is left and none can come. Results that are there are handed out even then, but not
 * after a stop, which has waited for them. A new reason to end is a case in check_farm; a new thing
 * to wait for, a count in set_counts.
 */
#include "face/master_loop.h"

#include <math.h>

#include "base/time.h"
#include "face/master_journal.h"
#include "face/master_results.h"
#include "face/master_stop.h"
#include "loop/signals.h"

/* Results are handed out without serving the slaves for so long at most. */
#define TURN_EVERY_NS MWI_NS_PER_MS
/* After a result that took so little, the next few are handed out without a look at the farm and at
 * the clock. If one of those takes long, the others are late by as much; so they are few. */
#define QUICK_NS INT64_C(2000)
#define AT_ONCE_COUNT 3

static mw_error break_farm(mw_master *master, mw_error error)
{
    master->broken = error;
    master->broken_sentence = master->error;
    return error;
}

/* Nobody is there, and nobody will come. */
static bool has_no_slaves(mw_master *master)
{
    if (mwi_slaves_ready_count(&master->engine.slaves) > 0)
        return false;
    if (master->local != NULL)
        return mwi_local_is_exhausted(master->local, &master->error);
    if (master->serial != NULL)
        return mwi_serial_is_exhausted(master->serial, &master->error);
    if (master->slaves_lost_count < master->slaves_max)
        return false;
    mwi_master_fail(master, MW_ENOSLAVES, "all %zu slaves are gone", master->slaves_max);
    return true;
}

/* Nobody will run what is out. */
static bool is_deserted(mw_master *master)
{
    return mwi_master_runnable_count(master) > 0 && has_no_slaves(master);
}

/* Whether slaves may come that differ from those that are there. The slaves that a master starts
 * itself are all alike. */
static bool can_others_come(const mw_master *master)
{
    size_t ready_count = mwi_slaves_ready_count(&master->engine.slaves);
    if (master->local != NULL || master->serial != NULL)
        return ready_count == 0;
    return ready_count + master->slaves_lost_count < master->slaves_max;
}

static size_t needed_count(const mw_master *master)
{
    const struct mwi_master_engine *engine = &master->engine;
    return mwi_slaves_needed(&engine->slaves, mwi_tasks_waiting_count(&engine->tasks));
}

/* Makes every turn while the farm runs. */
static mw_error turn(mw_master *master, int64_t deadline_ns)
{
    mw_reason why = {""};
    bool is_stopping = master->engine.is_stopping;
    if (master->announce != NULL)
        mwi_announce_need(master->announce, is_stopping ? 0 : needed_count(master));
    if (is_stopping)
        deadline_ns = mwi_time_earlier(deadline_ns, mwi_master_stop_deadline(master));
    master->engine.is_closed = !can_others_come(master);
    mw_error error = mwi_loop_turn(master->loop, deadline_ns, NULL, &why);
    if (error != MW_OK) {
        master->error = why;
        return break_farm(master, error);
    }
    if (master->journal != NULL)
        mwi_master_journal_tend(master);
    return MW_OK;
}

/* Whether the loop must end whatever there is to take. */
static mw_error check_farm(mw_master *master)
{
    if (master->broken != MW_OK) {
        master->error = master->broken_sentence;
        return master->broken;
    }
    bool is_stopping =
        master->engine.is_stopping || (master->has_signals && mwi_signals_caught() != 0);
    mw_error error = is_stopping ? mwi_master_stop_check(master) : MW_OK;
    if (error != MW_OK)
        return master->stop_signal != 0 ? break_farm(master, error) : error;
    if (!is_stopping && is_deserted(master))
        return break_farm(master, MW_ENOSLAVES);
    return MW_OK;
}

static void set_counts(const mw_master *master, mw_master_counts *counts)
{
    *counts = (mw_master_counts){.unrunnable = master->engine.tasks.counts[MWI_TASK_UNRUNNABLE],
                                 .results = master->engine.finished.count,
                                 .connected = master->engine.connected.count,
                                 .disconnected = master->engine.disconnected.count};
}

static bool is_something(const mw_master_counts *counts)
{
    return counts->unrunnable > 0 || counts->results > 0 || counts->connected > 0 ||
           counts->disconnected > 0;
}

/* The time-out is no number. Nothing has happened, and the farm is as it was. */
static mw_error refuse_timeout(mw_master *master, mw_master_counts *counts)
{
    set_counts(master, counts);
    return mwi_master_fail(master, MW_EINVAL, "timeout_s is not a number");
}

/* Tells, once, of a submission that was refused, if there is nothing else to wait for: the caller
 * may wait for the result of that task. */
static mw_error tell_misuse(mw_master *master, const mw_master_counts *counts)
{
    if (!master->is_misuse_untold || is_something(counts) || mwi_master_runnable_count(master) > 0)
        return MW_OK;
    master->is_misuse_untold = false;
    master->error = master->misuse_sentence;
    return master->misuse;
}

mw_error mw_master_loop_iterate(mw_master *master, double timeout_s, mw_master_counts *counts)
{
    if (isnan(timeout_s))
        return refuse_timeout(master, counts);
    mw_error error = check_farm(master);
    set_counts(master, counts);
    if (error == MW_OK)
        error = tell_misuse(master, counts);
    if (error == MW_OK) {
        bool must_wait = timeout_s != 0 && !is_something(counts);
        error =
            turn(master, must_wait ? mwi_loop_deadline_after(master->loop, timeout_s) : INT64_MIN);
    }
    if (error == MW_OK)
        error = check_farm(master);
    set_counts(master, counts);
    return error;
}

mw_error mw_master_loop(mw_master *master, double timeout_s, mw_master_counts *counts)
{
    if (isnan(timeout_s))
        return refuse_timeout(master, counts);
    int64_t deadline_ns = mwi_loop_deadline_after(master->loop, timeout_s);
    mw_error error = mw_master_loop_iterate(master, 0, counts);
    while (error == MW_OK && !is_something(counts) && mwi_loop_now(master->loop) < deadline_ns) {
        if (deadline_ns == INT64_MAX && !master->engine.is_stopping && has_no_slaves(master))
            return break_farm(master, MW_ENOSLAVES);
        error = turn(master, deadline_ns);
        if (error == MW_OK)
            error = check_farm(master);
        set_counts(master, counts);
    }
    return error;
}

/* Whether there is nothing to hand out, but will be. */
static bool will_wait(const mw_master *master)
{
    return master->engine.finished.count == 0 &&
           master->engine.tasks.counts[MWI_TASK_UNRUNNABLE] == 0 &&
           mwi_master_runnable_count(master) > 0;
}

/* Serves the slaves now and then even if the user has results to take for a long time. If there is
 * nothing to take they are served anyway. */
static void serve_meanwhile(mw_master *master)
{
    if (will_wait(master))
        return;
    int64_t now_ns = mwi_loop_now(master->loop);
    master->at_once_count = now_ns - master->clocked_ns < QUICK_NS ? AT_ONCE_COUNT : 0;
    master->clocked_ns = now_ns;
    if (now_ns - mwi_loop_turned(master->loop) > TURN_EVERY_NS && check_farm(master) == MW_OK)
        (void)turn(master, INT64_MIN);
}

/* Nothing is handed out any more. Later errors may have replaced the sentence of the status. */
static const mw_result *end_results(mw_master *master)
{
    if (mw_master_status(master) != MW_OK)
        master->error = *mwi_master_sentence(master);
    return NULL;
}

/* Whether a result is there that can be handed out at once. After a signal, and when the farm has
 * ended, check_farm decides what is still handed out. */
static bool is_at_hand(mw_master *master)
{
    if (master->at_once_count == 0 || master->engine.finished.count == 0 ||
        master->engine.is_stopping || master->broken != MW_OK ||
        (master->has_signals && mwi_signals_caught() != 0))
        return false;
    master->at_once_count--;
    return true;
}

const mw_result *mw_master_next(mw_master *master)
{
    if (is_at_hand(master))
        return mw_master_next_result(master);
    mwi_master_results_let_go(master);
    serve_meanwhile(master);
    for (;;) {
        mw_error error = check_farm(master);
        if (error == MW_EINTERRUPTED)
            return end_results(master);
        const mw_result *result = mw_master_next_result(master);
        if (result == NULL)
            result = mw_master_next_unrunnable(master);
        if (result != NULL)
            return result;
        if (error != MW_OK || mwi_master_runnable_count(master) == 0 ||
            turn(master, INT64_MAX) != MW_OK)
            return end_results(master);
    }
}

mw_error mw_master_status(const mw_master *master)
{
    return master->broken != MW_OK ? master->broken : master->misuse;
}

const mw_reason *mwi_master_sentence(const mw_master *master)
{
    return master->broken != MW_OK ? &master->broken_sentence : &master->misuse_sentence;
}

int mwi_master_status(const mw_master *master, int returned)
{
    if (master->has_signals && mwi_signals_caught() != 0)
        return 128 + mwi_signals_caught();
    if (returned == 0 && mw_master_status(master) != MW_OK)
        return 255;
    return returned >= 0 && returned <= 255 ? returned : 255;
}
