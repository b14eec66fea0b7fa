/* SPDX-License-Identifier: Apache-2.0
 *
 * The small calls of the master algorithm: counts, slaves, groups and targets. Users call them;
 * master_submit.c, master_results.c and master_loop.c have the other calls, and use mwi_master_fail
 * and the other shared functions from here.
 *
 * Invariant: a call that fails changes nothing, and leaves a sentence in master->error. A new call
 * that only asks or sets something goes here, and is declared in mw/mw.h.
 */
#include "face/master.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lifecycle.h"
#include "engine/membership.h"

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

void mwi_master_tell_time(mw_master *master)
{
    mwi_master_state_set_time(&master->engine, mwi_loop_now(master->loop));
}

void mwi_master_carry_out(mw_master *master)
{
    if (master->engine.effects.count > 0)
        mwi_loop_carry_out(master->loop);
}

size_t mwi_master_runnable_count(const mw_master *master)
{
    const struct mwi_tasks *tasks = &master->engine.tasks;
    return mwi_tasks_waiting_count(tasks) + tasks->counts[MWI_TASK_ORDERED] +
           tasks->counts[MWI_TASK_RUNNING];
}

size_t mw_master_num_runnable_tasks(const mw_master *master)
{
    return mwi_master_runnable_count(master);
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
    mwi_membership_allocate(&master->engine, group_of(group), slaves_count);
}

void mw_master_deallocate(mw_master *master, size_t slaves_count, mw_group group)
{
    mwi_membership_deallocate(&master->engine, group_of(group), slaves_count);
}

mw_error mw_master_free_slave(mw_master *master, const char *sid)
{
    uint32_t number;
    mw_error error = MW_ESTATE;
    if (sid != NULL && mwi_master_read_sid(sid, &number))
        error = mwi_membership_free_slave(&master->engine, number);
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
    return find_target(master, algorithm, &place) ? mwi_lifecycle_pending(&master->engine, place)
                                                  : 0;
}

int64_t mw_master_upto(const mw_master *master, const char *algorithm)
{
    size_t place;
    if (!find_target(master, algorithm, &place))
        return 0;
    return mwi_targets_upto(&master->engine.targets, place,
                            mwi_lifecycle_pending(&master->engine, place));
}

void *mw_master_user(const mw_master *master)
{
    return master->program->user;
}

const char *mw_master_error(const mw_master *master)
{
    return master->error.text;
}
