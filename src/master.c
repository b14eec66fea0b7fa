/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of the master algorithm. One result is handed out at a time; what it lives in is let go
 * when the next is asked for.
 */
#include "master.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "signals.h"

#define ATTEMPTS_DEFAULT 3

/* Results are handed out without serving the slaves for so long at most. */
#define TURN_EVERY_NS INT64_C(1000000)

MW_PRINTF(3, 4)
static mw_error fail(mw_master *master, mw_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(master->error.text, sizeof master->error.text, format, arguments);
    va_end(arguments);
    return error;
}

static bool find_algorithm(mw_master *master, const char *name)
{
    const mw_algorithm *algorithms = master->program->algorithms;
    uint16_t count = master->engine.algorithms_count;
    if (master->last_algorithm < count &&
        strcmp(algorithms[master->last_algorithm].name, name) == 0)
        return true;
    for (uint16_t i = 0; i < count; i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            master->last_algorithm = i;
            return true;
        }
    }
    return false;
}

static mw_error check_task(mw_master *master, const mw_task *task, size_t size)
{
    size_t max = mwi_master_engine_payload_bytes_max(&master->engine);
    if (task->algorithm == NULL)
        return fail(master, MW_EINVAL, "a task was submitted without an algorithm");
    if (!find_algorithm(master, task->algorithm))
        return fail(master, MW_EALGORITHM, "the program has no task algorithm \"%.100s\"",
                    task->algorithm);
    if (task->max_attempts > MWI_ATTEMPTS_MAX)
        return fail(master, MW_EINVAL, "max_attempts of %u is over %d", task->max_attempts,
                    MWI_ATTEMPTS_MAX);
    if (size > max)
        return fail(master, MW_ETOOBIG,
                    "the arguments' %zu bytes are over what --mw-max-write-buffer-size allows, %zu",
                    size, max);
    return MW_OK;
}

/* Enters a task whose payload is `data`, malloc'd, which is taken or freed. */
static mw_error submit_taking(mw_master *master, const mw_task *task, void *data, size_t size,
                              bool is_bytes)
{
    mw_error error = check_task(master, task, size);
    if (error == MW_OK) {
        struct mwi_submission submission = {
            .algorithm = master->last_algorithm,
            .tag = task->tag,
            .no_retry = task->no_retry,
            .max_attempts =
                (uint8_t)(task->max_attempts == 0 ? ATTEMPTS_DEFAULT : task->max_attempts),
            .payload = {data, (uint32_t)size, is_bytes}};
        error = mwi_master_engine_submit(&master->engine, &submission);
        if (error != MW_OK)
            fail(master, error, "out of memory for another task");
    }
    if (error != MW_OK) {
        free(data);
        master->was_misused = true;
    }
    return error;
}

static mw_error submit_copy(mw_master *master, const mw_task *task, const void *data, size_t size,
                            bool is_bytes)
{
    unsigned char *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) {
        master->was_misused = true;
        return fail(master, MW_ENOMEM, "out of memory for a task of %zu bytes", size);
    }
    if (size > 0)
        memcpy(copy, data, size);
    return submit_taking(master, task, copy, size, is_bytes);
}

mw_error mw_master_submit(mw_master *master, const mw_task *task, const char *format, ...)
{
    va_list arguments;
    mwi_buffer_clear(&master->scratch);
    va_start(arguments, format);
    mw_error error = mwi_values_write(&master->scratch, format, arguments, &master->error);
    va_end(arguments);
    if (error != MW_OK) {
        master->was_misused = true;
        return error;
    }
    return submit_copy(master, task, master->scratch.data, master->scratch.size, false);
}

mw_error mw_master_submit_values(mw_master *master, const mw_task *task, const void *data,
                                 size_t size)
{
    if (!mwi_codec_check(data, size, NULL)) {
        master->was_misused = true;
        return fail(master, MW_EINVAL, "the arguments are not whole msgpack values");
    }
    return submit_copy(master, task, data, size, false);
}

mw_error mw_master_submit_bytes(mw_master *master, const mw_task *task, const void *data,
                                size_t size)
{
    return submit_copy(master, task, data, size, true);
}

mw_error mw_master_submit_bytes_take(mw_master *master, const mw_task *task, void *data,
                                     size_t size)
{
    return submit_taking(master, task, data, size, true);
}

const char *mw_master_format(mw_master *master, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    free(master->formatted);
    master->formatted = size < 0 ? NULL : text;
    if (size >= 0)
        return text;
    fail(master, MW_ENOMEM, "out of memory for a string");
    master->was_misused = true;
    return "";
}

static size_t runnable_count(const mw_master *master)
{
    const struct mwi_tasks *tasks = &master->engine.tasks;
    return tasks->counts[MWI_TASK_WAITING] + tasks->counts[MWI_TASK_RUNNING];
}

static mw_error break_farm(mw_master *master, mw_error error)
{
    master->broken = error;
    return error;
}

/* Nobody is there to run what is out, and nobody will come. */
static bool is_deserted(mw_master *master)
{
    if (runnable_count(master) == 0 || mwi_slaves_ready_count(&master->engine.slaves) > 0)
        return false;
    if (master->local != NULL)
        return mwi_local_is_exhausted(master->local, &master->error);
    if (master->slaves_max == 0 || master->slaves_lost_count < master->slaves_max)
        return false;
    fail(master, MW_ENOSLAVES, "all %zu slaves are gone", master->slaves_max);
    return true;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

mw_error mwi_master_turn(mw_master *master, int64_t deadline_ns, bool *is_eventful)
{
    mw_reason why;
    if (master->local != NULL) {
        mw_error error = mwi_local_tend(master->local, &master->error);
        if (error != MW_OK)
            return break_farm(master, error);
        if (is_deserted(master))
            return break_farm(master, MW_ENOSLAVES);
        deadline_ns = earliest(deadline_ns, mwi_local_deadline(master->local));
    }
    mwi_announce_tend(master->announce, master->loop);
    deadline_ns = earliest(deadline_ns, mwi_announce_deadline(master->announce));
    mw_error error = mwi_loop_turn(master->loop, deadline_ns, is_eventful, &why);
    master->last_turn_ns = mwi_loop_now(master->loop);
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
        fail(master, MW_EINTERRUPTED, "%s asked the program to end",
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
                                 .results = master->engine.finished.count};
}

static bool is_something(const mw_master_counts *counts)
{
    return counts->unrunnable > 0 || counts->results > 0 || counts->connected > 0 ||
           counts->disconnected > 0;
}

static int64_t deadline_after(const mw_master *master, double timeout_s)
{
    if (timeout_s < 0)
        return INT64_MAX;
    int64_t now_ns = mwi_loop_now(master->loop);
    double timeout_ns = timeout_s * 1e9;
    return timeout_ns < (double)(INT64_MAX - now_ns) ? now_ns + (int64_t)timeout_ns : INT64_MAX;
}

mw_error mw_master_loop_iterate(mw_master *master, double timeout_s, mw_master_counts *counts)
{
    mw_error error = check_farm(master);
    if (error == MW_OK) {
        set_counts(master, counts);
        bool must_wait = timeout_s != 0 && !is_something(counts);
        error = mwi_master_turn(master, must_wait ? deadline_after(master, timeout_s) : INT64_MIN,
                                NULL);
    }
    if (error == MW_OK)
        error = check_farm(master);
    set_counts(master, counts);
    return error;
}

mw_error mw_master_loop(mw_master *master, double timeout_s, mw_master_counts *counts)
{
    int64_t deadline_ns = deadline_after(master, timeout_s);
    mw_error error = mw_master_loop_iterate(master, 0, counts);
    while (error == MW_OK && !is_something(counts) && mwi_loop_now(master->loop) < deadline_ns) {
        error = mwi_master_turn(master, deadline_ns, NULL);
        if (error == MW_OK)
            error = check_farm(master);
        set_counts(master, counts);
    }
    return error;
}

static void let_go(mw_master *master)
{
    if (master->has_values)
        mwi_values_clear(&master->values);
    master->has_values = false;
    mwi_block_unref(master->result_block);
    master->result_block = NULL;
    free(master->result_arguments);
    master->result_arguments = NULL;
}

/* A string for as long as the result. */
static const char *keep_text(mw_master *master, const void *text, size_t size)
{
    const char *kept = mwi_values_string(&master->values, text, size);
    master->has_values = true;
    return kept == NULL ? "(out of memory)" : kept;
}

const mw_result *mw_master_next_result(mw_master *master)
{
    struct mwi_finished finished;
    let_go(master);
    if (!mwi_finished_pop(&master->engine.finished, &finished))
        return NULL;
    master->result_block = finished.block;
    master->result = (mw_result){.outcome = finished.is_failed ? MW_FAILED : MW_DONE,
                                 .algorithm = master->program->algorithms[finished.algorithm].name,
                                 .sid = mwi_slaves_id(&master->engine.slaves, finished.sid),
                                 .tag = finished.tag,
                                 .seconds = (double)finished.duration_ns / 1e9,
                                 .data = finished.payload.data,
                                 .size = finished.payload.size,
                                 .is_bytes = finished.payload.is_bytes};
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
    let_go(master);
    if (mwi_list_is_empty(&tasks->unrunnable))
        return NULL;
    struct mwi_task *task = MWI_LIST_ENTRY(tasks->unrunnable.next, struct mwi_task, link);
    const char *history = mwi_tasks_history(tasks, task);
    master->result = (mw_result){.outcome = MW_UNRUNNABLE,
                                 .algorithm = master->program->algorithms[task->algorithm].name,
                                 .sid = mwi_slaves_id(&master->engine.slaves, task->sid),
                                 .tag = task->tag,
                                 .message = keep_text(master, history, strlen(history)),
                                 .is_bytes = task->is_bytes,
                                 .data = task->data,
                                 .size = task->size};
    master->result_arguments = task->data;
    task->data = NULL;
    mwi_tasks_move(tasks, task, MWI_TASK_FREE, NULL);
    return &master->result;
}

/* Serves the slaves now and then even if the user has results to take for a long time. */
static void serve_meanwhile(mw_master *master)
{
    if (mwi_loop_now(master->loop) - master->last_turn_ns > TURN_EVERY_NS)
        (void)mwi_master_turn(master, INT64_MIN, NULL);
}

const mw_result *mw_master_next(mw_master *master)
{
    let_go(master);
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
        return fail(master, MW_EFORMAT, "the task failed: %s", result->message);
    if (result->is_bytes)
        return fail(master, MW_EFORMAT, "expected values, got raw bytes");
    if (master->values.objects != NULL)
        return MW_OK;
    mw_error error = mwi_values_load(&master->values, result->data, result->size);
    master->has_values = true;
    if (error != MW_OK)
        fail(master, error, "the values cannot be read: %s", mw_error_text(error));
    return error;
}

mw_error mw_result_get(const mw_result *result, const char *format, ...)
{
    va_list arguments;
    mw_master *master = master_of(result);
    mw_error error = load_values(master);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(&master->values, "value", format, arguments, &master->error);
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

int mwi_master_status(const mw_master *master, int returned)
{
    if (master->has_signals && mwi_signals_caught() != 0)
        return 128 + mwi_signals_caught();
    if (returned == 0 && (master->broken != MW_OK || master->was_misused))
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

void *mw_master_user(const mw_master *master)
{
    return master->program->user;
}

const char *mw_master_error(const mw_master *master)
{
    return master->error.text;
}
