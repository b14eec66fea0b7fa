/* SPDX-License-Identifier: Apache-2.0
 *
 * Hands out results and unrunnable tasks to the user. One of them is out at a time; asking for the
 * next one frees the memory that it lies in. mw_result names its master, so a copy of the struct
 * reads the same values while the original is out, and is refused later: task numbers are never
 * used twice.
 *
 * To hand out more about a task, add a field to mw_result, fill it here, and say in mw/mw.h how
 * long it lives.
 */
#include "face/master_results.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "engine/lifecycle.h"
#include "wire/value_quick.h"

/* The message of an unrunnable task if memory did not suffice for its history. */
#define NO_HISTORY "(out of memory)"

/* Frees what the result that is out lives in. */
static void free_held(mw_master *master)
{
    if (master->has_values)
        mwi_values_clear(&master->values);
    master->has_values = false;
    mwi_block_unref(master->result_block);
    master->result_block = NULL;
    free(master->result_arguments);
    master->result_arguments = NULL;
    free(master->result_tag);
    master->result_tag = NULL;
}

void mwi_master_results_let_go(mw_master *master)
{
    /* Most results lie in a message of many, and hold nothing. */
    if (master->has_values || master->result_block != NULL || master->result_tag != NULL ||
        master->result_arguments != NULL)
        free_held(master);
    master->result.task = 0;
}

/* A string that lives as long as the result. */
static const char *keep_text(mw_master *master, const void *text, size_t size)
{
    const char *kept = mwi_values_string(&master->values, text, size);
    master->has_values = true;
    return kept == NULL ? NO_HISTORY : kept;
}

/* The message of a failed task. */
static const char *keep_message(mw_master *master, const struct mwi_payload *payload)
{
    if (payload->size == 0)
        return MWI_MESSAGE_NO_REASON;
    return keep_text(master, payload->data, payload->size);
}

/* Begins handing out a task; the bytes of its tag go with it. The caller sets outcome, seconds,
 * message, data, size and is_bytes. */
static inline void hand_out(mw_master *master, uint64_t task, uint16_t algorithm, uint32_t sid,
                            int64_t tag, struct mwi_tag *tag_bytes)
{
    mw_result *result = &master->result;
    assert(task != 0 && algorithm < master->engine.algorithms_count);
    master->result_tag = tag_bytes;
    result->master = master;
    result->task = task;
    result->algorithm = master->engine.config.algorithms[algorithm].name;
    result->sid = mwi_slaves_id(&master->engine.slaves, sid);
    result->tag = tag;
    result->tag_data = tag_bytes == NULL ? NULL : tag_bytes->bytes;
    result->tag_size = tag_bytes == NULL ? 0 : tag_bytes->size;
}

/* Sets what differs between results of a group. */
static inline void set_part(mw_result *result, uint64_t duration_ns,
                            const struct mwi_payload *payload)
{
    result->seconds = (double)(int64_t)duration_ns / (double)MWI_NS_PER_S;
    result->data = payload->data;
    result->size = payload->size;
    result->is_bytes = payload->is_bytes;
}

/* Hands out the next result of the group to which the last one belonged, if it is one of the same
 * algorithm and not the group's last; else false. */
static bool hand_out_alike(mw_master *master)
{
    struct mwi_finished_group *group = master->result_group;
    struct mwi_finished_part part;
    if (group == NULL || group->taken_count + 1 >= group->count ||
        group->batch->tasks[group->place + group->taken_count].algorithm !=
            master->result_algorithm)
        return false;
    mwi_finished_step(&master->engine.finished, group, &part);
    master->result.task = part.id;
    master->result.tag = part.task->tag;
    set_part(&master->result, part.duration_ns, &part.payload);
    return true;
}

const mw_result *mw_master_next_result(mw_master *master)
{
    struct mwi_finished finished;
    mw_result *result = &master->result;
    mwi_master_results_let_go(master);
    if (hand_out_alike(master))
        return result;
    master->result_group = NULL;
    if (!mwi_lifecycle_take_result(&master->engine, &finished))
        return NULL;
    master->result_block = finished.block;
    hand_out(master, finished.task, finished.algorithm, finished.sid,
             finished.has_tag_bytes ? 0 : finished.tag,
             finished.has_tag_bytes ? finished.tag_bytes : NULL);
    result->outcome = finished.is_failed ? MW_FAILED : MW_DONE;
    result->is_replayed = finished.is_replayed;
    result->message = finished.is_failed ? keep_message(master, &finished.payload) : NULL;
    set_part(result, finished.duration_ns,
             finished.is_failed ? &(struct mwi_payload){0} : &finished.payload);
    master->result_group = mwi_finished_group_begun(&master->engine.finished);
    master->result_algorithm = finished.algorithm;
    return result;
}

const mw_result *mw_master_next_unrunnable(mw_master *master)
{
    struct mwi_lifecycle_unrunnable taken;
    mwi_master_results_let_go(master);
    master->result_group = NULL;
    if (!mwi_lifecycle_take_unrunnable(&master->engine, &taken))
        return NULL;
    master->result_block = taken.block;
    if (taken.block == NULL)
        master->result_arguments = taken.payload.data;
    hand_out(master, taken.id, taken.algorithm, taken.sid, taken.tag, taken.tag_bytes);
    const char *history = taken.history == NULL ? "" : taken.history;
    master->result.outcome = MW_UNRUNNABLE;
    master->result.is_replayed = false;
    master->result.seconds = 0;
    master->result.message = keep_text(master, history, strlen(history));
    master->result.data = taken.payload.data;
    master->result.size = taken.payload.size;
    master->result.is_bytes = taken.payload.is_bytes;
    free(taken.history);
    return &master->result;
}

/* Refuses a result that is gone, or a copy of one, and with it all that it points to. */
static mw_error check_out(mw_master *master, const mw_result *result)
{
    if (result->task == 0)
        return mwi_master_fail(master, MW_ESTATE, "the result is gone: no other one has come");
    if (result->task == master->result.task)
        return MW_OK;
    return mwi_master_fail(master, MW_ESTATE,
                           "the result of task %llu is gone: another one was asked for since",
                           (unsigned long long)result->task);
}

static mw_error load_values(mw_master *master, const mw_result *result)
{
    mw_error error = check_out(master, result);
    if (error != MW_OK)
        return error;
    if (result->outcome == MW_FAILED)
        return mwi_master_fail(master, MW_EFORMAT, "the task failed: %s", result->message);
    if (result->is_bytes)
        return mwi_master_fail(master, MW_EFORMAT, "expected values, got raw bytes");
    if (master->values.objects != NULL)
        return MW_OK;
    error = mwi_values_load(&master->values, result->data, result->size);
    master->has_values = true;
    if (error != MW_OK)
        mwi_master_fail(master, error, "the values cannot be read: %s", mw_error_text(error));
    return error;
}

/* Reads the values of a result without loading them, if they are plain and were not loaded. */
static bool read_quickly(mw_master *master, const mw_result *result, const char *format,
                         va_list arguments)
{
    return result->outcome == MW_DONE && !result->is_bytes && master->values.objects == NULL &&
           mwi_value_quick_read(&master->values, result->data, result->size, format, arguments,
                                &master->has_values);
}

mw_error mw_result_get(const mw_result *result, const char *format, ...)
{
    va_list arguments;
    mw_master *master = result->master;
    mw_error error = check_out(master, result);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    bool has_read = read_quickly(master, result, format, arguments);
    va_end(arguments);
    if (has_read)
        return MW_OK;
    if (result->outcome == MW_UNRUNNABLE)
        return mwi_master_fail(master, MW_EFORMAT, "the task is unrunnable: %s", result->message);
    error = load_values(master, result);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(&master->values, "value", format, arguments, &master->error);
    va_end(arguments);
    return error;
}

mw_error mw_result_args(const mw_result *result, const char *format, ...)
{
    va_list arguments;
    mw_master *master = result->master;
    mw_error error = check_out(master, result);
    if (error == MW_OK && result->outcome != MW_UNRUNNABLE)
        error =
            mwi_master_fail(master, MW_EFORMAT, "only an unrunnable task comes with its arguments");
    if (error == MW_OK)
        error = load_values(master, result);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(&master->values, "argument", format, arguments, &master->error);
    va_end(arguments);
    return error;
}

size_t mw_result_values_count(const mw_result *result)
{
    mw_master *master = result->master;
    return load_values(master, result) == MW_OK ? master->values.count : 0;
}

const msgpack_object *mw_result_value(const mw_result *result, size_t index)
{
    return index < mw_result_values_count(result) ? &result->master->values.objects[index] : NULL;
}
