/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of the master algorithm but for submitting and handing out: its loops, and what it asks
 * and tells of slaves and targets.
 */
#include "face/master.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/signals.h"

/* Results are handed out without serving the slaves for so long at most. */
#define TURN_EVERY_NS INT64_C(1000000)
/* After results that took so little, another is taken without a look at the clock. */
#define QUICK_NS INT64_C(2000)

mw_error mwi_master_fail(mw_master *master, mw_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(master->error.text, sizeof master->error.text, format, arguments);
    va_end(arguments);
    return error;
}

bool mwi_master_read_sid(const char *sid, uint32_t *number)
{
    static const char prefix[] = "SLAVE-";
    char *end;
    if (strncmp(sid, prefix, sizeof prefix - 1) != 0 || sid[6] < '0' || sid[6] > '9')
        return false;
    unsigned long read = strtoul(sid + 6, &end, 10);
    *number = (uint32_t)read;
    return *end == '\0' && read < MWI_NO_SID;
}

void mwi_master_carry_out(mw_master *master)
{
    if (master->engine.effects.count > 0)
        mwi_loop_carry_out(master->loop);
}

static size_t runnable_count(const mw_master *master)
{
    const struct mwi_tasks *tasks = &master->engine.tasks;
    return tasks->counts[MWI_TASK_WAITING] + tasks->counts[MWI_TASK_ORDERED] +
           tasks->counts[MWI_TASK_RUNNING];
}

static mw_error break_farm(mw_master *master, mw_error error)
{
    master->broken = error;
    master->fault = master->error;
    return error;
}

/* Nobody is there, and nobody will come. */
static bool has_no_slaves(mw_master *master)
{
    if (mwi_slaves_ready_count(&master->engine.slaves) > 0)
        return false;
    if (master->local != NULL)
        return mwi_local_is_exhausted(master->local, &master->error);
    if (master->slaves_lost_count < master->slaves_max)
        return false;
    mwi_master_fail(master, MW_ENOSLAVES, "all %zu slaves are gone", master->slaves_max);
    return true;
}

/* Nobody will run what is out. */
static bool is_deserted(mw_master *master)
{
    return runnable_count(master) > 0 && has_no_slaves(master);
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

mw_error mwi_master_turn(mw_master *master, int64_t deadline_ns, bool *is_eventful)
{
    mw_reason why = {""};
    if (master->local != NULL) {
        mwi_local_tend(master->local);
        if (is_deserted(master))
            return break_farm(master, MW_ENOSLAVES);
        deadline_ns = earliest(deadline_ns, mwi_local_deadline(master->local));
    }
    mwi_announce_need(master->announce, mwi_slaves_needed(&master->engine.slaves));
    mwi_announce_tend(master->announce, master->loop);
    deadline_ns = earliest(deadline_ns, mwi_announce_deadline(master->announce));
    mw_error error = mwi_loop_turn(master->loop, deadline_ns, is_eventful, &why);
    if (error != MW_OK) {
        master->error = why;
        return break_farm(master, error);
    }
    return MW_OK;
}

/* Whether the loop must end whatever there is to take. */
static mw_error check_farm(mw_master *master)
{
    if (master->broken != MW_OK)
        return master->broken;
    if (master->has_signals && mwi_signals_caught() != 0) {
        mwi_master_fail(master, MW_EINTERRUPTED, "%s asked the program to end",
                        mwi_signals_name(mwi_signals_caught()));
        return break_farm(master, MW_EINTERRUPTED);
    }
    if (is_deserted(master))
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

mw_error mw_master_loop_iterate(mw_master *master, double timeout_s, mw_master_counts *counts)
{
    mw_error error = check_farm(master);
    if (error == MW_OK) {
        set_counts(master, counts);
        bool must_wait = timeout_s != 0 && !is_something(counts);
        error = mwi_master_turn(
            master, must_wait ? mwi_loop_deadline_after(master->loop, timeout_s) : INT64_MIN, NULL);
    }
    if (error == MW_OK)
        error = check_farm(master);
    set_counts(master, counts);
    return error;
}

mw_error mw_master_loop(mw_master *master, double timeout_s, mw_master_counts *counts)
{
    int64_t deadline_ns = mwi_loop_deadline_after(master->loop, timeout_s);
    mw_error error = mw_master_loop_iterate(master, 0, counts);
    while (error == MW_OK && !is_something(counts) && mwi_loop_now(master->loop) < deadline_ns) {
        if (deadline_ns == INT64_MAX && has_no_slaves(master))
            return break_farm(master, MW_ENOSLAVES);
        error = mwi_master_turn(master, deadline_ns, NULL);
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
           master->engine.tasks.counts[MWI_TASK_UNRUNNABLE] == 0 && runnable_count(master) > 0;
}

/* Serves the slaves now and then even if the user has results to take for a long time. If there is
 * nothing to take they are served anyway. While results are taken in no time, which to read the
 * clock each time would make noticeably longer, it is read every other time. */
static void serve_meanwhile(mw_master *master)
{
    if (will_wait(master))
        return;
    if (master->is_next_unclocked) {
        master->is_next_unclocked = false;
        return;
    }
    int64_t now_ns = mwi_loop_now(master->loop);
    master->is_next_unclocked = now_ns - master->clocked_ns < QUICK_NS;
    master->clocked_ns = now_ns;
    if (now_ns - mwi_loop_turned(master->loop) > TURN_EVERY_NS)
        (void)mwi_master_turn(master, INT64_MIN, NULL);
}

const mw_result *mw_master_next(mw_master *master)
{
    mwi_master_let_go(master);
    if (check_farm(master) == MW_OK)
        serve_meanwhile(master);
    for (;;) {
        mw_error error = check_farm(master);
        if (error == MW_EINTERRUPTED)
            return NULL;
        const mw_result *result = mw_master_next_result(master);
        if (result == NULL)
            result = mw_master_next_unrunnable(master);
        if (result != NULL || error != MW_OK || runnable_count(master) == 0)
            return result;
        if (mwi_master_turn(master, INT64_MAX, NULL) != MW_OK)
            return NULL;
    }
}

mw_error mw_master_status(const mw_master *master)
{
    return master->broken != MW_OK ? master->broken : master->misuse;
}

int mwi_master_status(const mw_master *master, int returned)
{
    if (master->has_signals && mwi_signals_caught() != 0)
        return 128 + mwi_signals_caught();
    if (returned == 0 && mw_master_status(master) != MW_OK)
        return 255;
    return returned >= 0 && returned <= 255 ? returned : 255;
}

size_t mw_master_num_runnable_tasks(const mw_master *master)
{
    return runnable_count(master);
}

size_t mw_master_num_unrunnable_tasks(const mw_master *master)
{
    return master->engine.tasks.counts[MWI_TASK_UNRUNNABLE];
}

size_t mw_master_num_slaves(const mw_master *master)
{
    return mwi_slaves_ready_count(&master->engine.slaves);
}

static const char *next_sid(mw_master *master, struct mwi_sid_queue *queue)
{
    uint32_t sid;
    return mwi_sid_queue_pop(queue, &sid) ? mwi_slaves_id(&master->engine.slaves, sid) : NULL;
}

const char *mw_master_next_connected(mw_master *master)
{
    return next_sid(master, &master->engine.connected);
}

const char *mw_master_next_disconnected(mw_master *master)
{
    return next_sid(master, &master->engine.disconnected);
}

static enum mwi_slave_group group_of(mw_group group)
{
    switch (group) {
    case MW_ORDERED:
        return MWI_GROUP_ORDERED;
    case MW_INTERMINGLE:
        return MWI_GROUP_INTERMINGLE;
    default:
        return MWI_GROUP_UNORDERED;
    }
}

void mw_master_allocate(mw_master *master, size_t slaves_count, mw_group group)
{
    mwi_master_engine_allocate(&master->engine, group_of(group), slaves_count);
}

void mw_master_deallocate(mw_master *master, size_t slaves_count, mw_group group)
{
    mwi_master_engine_deallocate(&master->engine, group_of(group), slaves_count);
}

mw_error mw_master_free_slave(mw_master *master, const char *sid)
{
    uint32_t number;
    mw_error error = MW_ESTATE;
    if (sid != NULL && mwi_master_read_sid(sid, &number))
        error = mwi_master_engine_free_slave(&master->engine, number);
    mwi_master_carry_out(master);
    if (error == MW_OK)
        return MW_OK;
    return mwi_master_fail(master, error,
                           "%.50s is no ordered or intermingle slave that is connected",
                           sid == NULL ? "NULL" : sid);
}

void mw_master_free_group(mw_master *master, mw_group group)
{
    mw_master_deallocate(master, 1, group);
}

/* The place of an algorithm's target number; false if there is no such algorithm. */
static bool find_target(const mw_master *master, const char *name, size_t *algorithm)
{
    *algorithm = MWI_TARGET_GENERAL;
    if (name == NULL)
        return true;
    for (uint16_t i = 0; i < master->engine.algorithms_count; i++) {
        if (strcmp(master->engine.config.algorithms[i].name, name) == 0) {
            *algorithm = i;
            return true;
        }
    }
    return false;
}

mw_error mw_master_set_target(mw_master *master, const char *algorithm, int64_t tasks_count)
{
    size_t place;
    if (!find_target(master, algorithm, &place))
        return mwi_master_fail(master, MW_EALGORITHM,
                               "the program has no task algorithm \"%.100s\"", algorithm);
    mwi_targets_set(&master->engine.targets, place, tasks_count);
    return MW_OK;
}

int64_t mw_master_target(const mw_master *master, const char *algorithm)
{
    size_t place;
    return find_target(master, algorithm, &place) ? mwi_targets_get(&master->engine.targets, place)
                                                  : 0;
}

size_t mw_master_pending(const mw_master *master, const char *algorithm)
{
    size_t place;
    return find_target(master, algorithm, &place)
               ? mwi_master_engine_pending(&master->engine, place)
               : 0;
}

int64_t mw_master_upto(const mw_master *master, const char *algorithm)
{
    size_t place;
    if (!find_target(master, algorithm, &place))
        return 0;
    return mwi_targets_upto(&master->engine.targets, place,
                            mwi_master_engine_pending(&master->engine, place));
}

void *mw_master_user(const mw_master *master)
{
    return master->program->user;
}

const char *mw_master_error(const mw_master *master)
{
    return master->error.text;
}
