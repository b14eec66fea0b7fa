/* SPDX-License-Identifier: Apache-2.0
 *
 * Handing out. One result or unrunnable task is out at a time; what it lives in is let go when the
 * next is asked for.
 */
#include "face/master_results.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void mwi_master_let_go(mw_master *master)
{
    if (master->result.algorithm == NULL)
        return; /* nothing is out */
    if (master->has_values)
        mwi_values_clear(&master->values);
    master->has_values = false;
    mwi_block_unref(master->result_block);
    master->result_block = NULL;
    free(master->result_arguments);
    master->result_arguments = NULL;
    free(master->result_tag);
    master->result_tag = NULL;
    master->result = (mw_result){0};
}

/* A string for as long as the result. */
static const char *keep_text(mw_master *master, const void *text, size_t size)
{
    const char *kept = mwi_values_string(&master->values, text, size);
    master->has_values = true;
    return kept == NULL ? "(out of memory)" : kept;
}

/* The bytes of a tag are freed with the result. */
static void hand_out_tag(mw_master *master, struct mwi_tag *tag_bytes, int64_t tag)
{
    master->result_tag = tag_bytes;
    master->result.tag = tag;
    if (tag_bytes != NULL) {
        master->result.tag_data = tag_bytes->bytes;
        master->result.tag_size = tag_bytes->size;
    }
}

const mw_result *mw_master_next_result(mw_master *master)
{
    struct mwi_finished finished;
    mwi_master_let_go(master);
    if (!mwi_finished_pop(&master->engine.finished, &finished))
        return NULL;
    master->result_block = finished.block;
    master->result =
        (mw_result){.outcome = finished.is_failed ? MW_FAILED : MW_DONE,
                    .algorithm = master->engine.config.algorithms[finished.algorithm].name,
                    .sid = mwi_slaves_id(&master->engine.slaves, finished.sid),
                    .seconds = (double)finished.duration_ns / 1e9,
                    .data = finished.payload.data,
                    .size = finished.payload.size,
                    .is_bytes = finished.payload.is_bytes};
    hand_out_tag(master, finished.has_tag_bytes ? finished.tag_bytes : NULL,
                 finished.has_tag_bytes ? 0 : finished.tag);
    if (finished.is_failed) {
        master->result.message = keep_text(master, finished.payload.data, finished.payload.size);
        master->result.data = NULL;
        master->result.size = 0;
    }
    return &master->result;
}

const mw_result *mw_master_next_unrunnable(mw_master *master)
{
    struct mwi_tasks *tasks = &master->engine.tasks;
    mwi_master_let_go(master);
    if (mwi_list_is_empty(&tasks->unrunnable))
        return NULL;
    struct mwi_task_entry *task =
        MWI_LIST_ENTRY(tasks->unrunnable.next, struct mwi_task_entry, link);
    const char *history = mwi_tasks_history(tasks, task);
    master->result =
        (mw_result){.outcome = MW_UNRUNNABLE,
                    .algorithm = master->engine.config.algorithms[task->algorithm].name,
                    .sid = mwi_slaves_id(&master->engine.slaves, task->sid),
                    .message = keep_text(master, history, strlen(history)),
                    .is_bytes = task->is_bytes,
                    .data = mwi_tasks_data(task),
                    .size = task->size};
    if (task->is_shared)
        master->result_block = task->block;
    else
        master->result_arguments = task->data;
    task->data = NULL;
    task->is_shared = false;
    hand_out_tag(master, task->has_tag_bytes ? task->tag_bytes : NULL,
                 task->has_tag_bytes ? 0 : task->tag);
    task->has_tag_bytes = false;
    mwi_tasks_move(tasks, task, MWI_TASK_FREE, NULL);
    return &master->result;
}

/* The one result that is handed out at a time lies in its master. */
static mw_master *master_of(const mw_result *result)
{
    union {
        const mw_result *from;
        mw_result *to;
    } handed_out = {result};
    return MWI_LIST_ENTRY(handed_out.to, mw_master, result);
}

static mw_error load_values(mw_master *master)
{
    const mw_result *result = &master->result;
    if (result->outcome == MW_FAILED)
        return mwi_master_fail(master, MW_EFORMAT, "the task failed: %s", result->message);
    if (result->is_bytes)
        return mwi_master_fail(master, MW_EFORMAT, "expected values, got raw bytes");
    if (master->values.objects != NULL)
        return MW_OK;
    mw_error error = mwi_values_load(&master->values, result->data, result->size);
    master->has_values = true;
    if (error != MW_OK)
        mwi_master_fail(master, error, "the values cannot be read: %s", mw_error_text(error));
    return error;
}

mw_error mw_result_get(const mw_result *result, const char *format, ...)
{
    va_list arguments;
    mw_master *master = master_of(result);
    if (result->outcome == MW_UNRUNNABLE)
        return mwi_master_fail(master, MW_EFORMAT, "the task is unrunnable: %s", result->message);
    mw_error error = load_values(master);
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
    mw_master *master = master_of(result);
    if (result->outcome != MW_UNRUNNABLE)
        return mwi_master_fail(master, MW_EFORMAT,
                               "only an unrunnable task comes with its arguments");
    mw_error error = load_values(master);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(&master->values, "argument", format, arguments, &master->error);
    va_end(arguments);
    return error;
}

size_t mw_result_values_count(const mw_result *result)
{
    mw_master *master = master_of(result);
    return load_values(master) == MW_OK ? master->values.count : 0;
}

const msgpack_object *mw_result_value(const mw_result *result, size_t index)
{
    return index < mw_result_values_count(result) ? &master_of(result)->values.objects[index]
                                                  : NULL;
}
