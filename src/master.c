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
#define TIME_LIMIT_MAX_S 1e9

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

/* A submission was refused: the first such is what the exit status and its sentence will tell. */
static mw_error refuse(mw_master *master, mw_error error)
{
    if (master->misuse == MW_OK) {
        master->misuse = error;
        if (master->broken == MW_OK)
            master->fault = master->error;
    }
    return error;
}

static bool find_algorithm(mw_master *master, const char *name)
{
    const mw_algorithm *algorithms = master->engine.config.algorithms;
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
    if (size > max)
        return fail(master, MW_ETOOBIG,
                    "the arguments' %zu bytes are over --mw-max-write-buffer-size of %zu, of which "
                    "the message itself takes %zu",
                    size, master->engine.config.frame_write_bytes_max,
                    master->engine.config.frame_write_bytes_max - max);
    return MW_OK;
}

/* "SLAVE-3" -> 3. */
static bool read_sid(const char *sid, uint32_t *number)
{
    static const char prefix[] = "SLAVE-";
    char *end;
    if (strncmp(sid, prefix, sizeof prefix - 1) != 0 || sid[6] < '0' || sid[6] > '9')
        return false;
    unsigned long read = strtoul(sid + 6, &end, 10);
    *number = (uint32_t)read;
    return *end == '\0' && read < MWI_NO_SID;
}

static mw_error make_policy(mw_master *master, const mw_policy *from, struct mwi_policy *policy)
{
    static const mw_policy defaults = {0};
    if (from == NULL)
        from = &defaults;
    if (from->max_attempts > MWI_ATTEMPTS_MAX)
        return fail(master, MW_EINVAL, "max_attempts of %u is over %d", from->max_attempts,
                    MWI_ATTEMPTS_MAX);
    if (!(from->time_limit_s >= 0 && from->time_limit_s <= TIME_LIMIT_MAX_S))
        return fail(master, MW_EINVAL, "time_limit_s of %g is not in 0..%g", from->time_limit_s,
                    TIME_LIMIT_MAX_S);
    *policy = (struct mwi_policy){
        .sid = MWI_NO_SID,
        .priority = from->priority,
        .time_limit_ns = (int64_t)(from->time_limit_s * 1e9) + (from->time_limit_s > 0),
        .max_attempts = (uint8_t)(from->max_attempts == 0 ? ATTEMPTS_DEFAULT : from->max_attempts),
        .is_retried = from->retry != MW_NO,
        .is_done_anyway = from->do_it_anyway == MW_YES ||
                          (from->do_it_anyway == MW_DEFAULT && from->sid == NULL)};
    if (from->sid != NULL && !read_sid(from->sid, &policy->sid))
        return fail(master, MW_EINVAL, "the sid \"%.50s\" is not like \"SLAVE-3\"", from->sid);
    return MW_OK;
}

static mw_error copy_tag(mw_master *master, const mw_task *task, struct mwi_tag **tag)
{
    *tag = NULL;
    if (task->tag_size == 0)
        return MW_OK;
    if (task->tag_data == NULL)
        return fail(master, MW_EINVAL, "tag_data is NULL and tag_size is not 0");
    if (task->tag_size <= SIZE_MAX / 2)
        *tag = malloc(sizeof **tag + task->tag_size);
    if (*tag == NULL)
        return fail(master, MW_ENOMEM, "out of memory for a tag of %zu bytes", task->tag_size);
    (*tag)->size = task->tag_size;
    memcpy((*tag)->bytes, task->tag_data, task->tag_size);
    return MW_OK;
}

/* What the engine has left after a direct call. */
static void carry_out(mw_master *master)
{
    if (master->engine.effects.count > 0)
        mwi_loop_carry_out(master->loop);
}

static mw_error enter_task(mw_master *master, const mw_task *task, void *data, size_t size,
                           bool is_bytes)
{
    struct mwi_submission submission = {.tag = task->tag,
                                        .payload = {data, (uint32_t)size, is_bytes}};
    mw_error error = check_task(master, task, size);
    if (error == MW_OK)
        error = make_policy(master, task->policy, &submission.policy);
    if (error == MW_OK)
        error = copy_tag(master, task, &submission.tag_bytes);
    if (error != MW_OK)
        return error;
    submission.algorithm = master->last_algorithm;
    error = mwi_master_engine_submit(&master->engine, &submission, &master->last_task);
    carry_out(master);
    if (error == MW_OK)
        return MW_OK;
    free(submission.tag_bytes);
    return fail(master, error, "out of memory for another task");
}

/* Enters a task whose payload is `data`, malloc'd, which is taken or freed. */
static mw_error submit_taking(mw_master *master, const mw_task *task, void *data, size_t size,
                              bool is_bytes)
{
    mw_error error = enter_task(master, task, data, size, is_bytes);
    if (error == MW_OK)
        return MW_OK;
    free(data);
    return refuse(master, error);
}

static mw_error submit_copy(mw_master *master, const mw_task *task, const void *data, size_t size,
                            bool is_bytes)
{
    unsigned char *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL)
        return refuse(master,
                      fail(master, MW_ENOMEM, "out of memory for a task of %zu bytes", size));
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
    if (error != MW_OK)
        return refuse(master, error);
    return submit_copy(master, task, master->scratch.data, master->scratch.size, false);
}

mw_error mw_master_submit_values(mw_master *master, const mw_task *task, const void *data,
                                 size_t size)
{
    if (!mwi_codec_check(data, size, NULL))
        return refuse(master,
                      fail(master, MW_EINVAL, "the arguments are not whole msgpack values"));
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

mw_task_id mw_master_last_task(const mw_master *master)
{
    return master->last_task;
}

mw_error mw_master_cancel(mw_master *master, mw_task_id task)
{
    mw_error error = mwi_master_engine_cancel(&master->engine, task);
    carry_out(master);
    if (error == MW_OK)
        return MW_OK;
    return fail(master, error, "task %llu cannot be cancelled any more", (unsigned long long)task);
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
    refuse(master, fail(master, MW_ENOMEM, "out of memory for a string"));
    return "";
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
    fail(master, MW_ENOSLAVES, "all %zu slaves are gone", master->slaves_max);
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

static void let_go(mw_master *master)
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
    let_go(master);
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
    let_go(master);
    if (mwi_list_is_empty(&tasks->unrunnable))
        return NULL;
    struct mwi_task *task = MWI_LIST_ENTRY(tasks->unrunnable.next, struct mwi_task, link);
    const char *history = mwi_tasks_history(tasks, task);
    master->result =
        (mw_result){.outcome = MW_UNRUNNABLE,
                    .algorithm = master->engine.config.algorithms[task->algorithm].name,
                    .sid = mwi_slaves_id(&master->engine.slaves, task->sid),
                    .message = keep_text(master, history, strlen(history)),
                    .is_bytes = task->is_bytes,
                    .data = task->data,
                    .size = task->size};
    master->result_arguments = task->data;
    task->data = NULL;
    hand_out_tag(master, task->has_tag_bytes ? task->tag_bytes : NULL,
                 task->has_tag_bytes ? 0 : task->tag);
    task->has_tag_bytes = false;
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
    if (result->outcome == MW_UNRUNNABLE)
        return fail(master, MW_EFORMAT, "the task is unrunnable: %s", result->message);
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
        return fail(master, MW_EFORMAT, "only an unrunnable task comes with its arguments");
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
    if (sid != NULL && read_sid(sid, &number))
        error = mwi_master_engine_free_slave(&master->engine, number);
    carry_out(master);
    if (error == MW_OK)
        return MW_OK;
    return fail(master, error, "%.50s is no ordered or intermingle slave that is connected",
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
        return fail(master, MW_EALGORITHM, "the program has no task algorithm \"%.100s\"",
                    algorithm);
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
