/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls that submit: each turns a name, a policy and arguments of the user's into a task of the
 * engine, or says in a sentence why not.
 *
 * Invariant: nothing is changed before everything was checked, and data that a function takes is
 * freed also on an error. The first refusal is remembered, for the exit status of mw_main.
 *
 * A new field of mw_policy or mw_task is translated here, in make_policy or enter_task.
 */
#include "face/master.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/time.h"
#include "engine/lifecycle.h"
#include "face/master_journal.h"
#include "wire/content.h"
#include "wire/guard.h"

#define ATTEMPTS_DEFAULT 3
#define TIME_LIMIT_MAX_S 1e9

/* Remembers the first submission that was refused: the exit status and its sentence tell of it.
 * Every one stands in the trail, and the loop tells of it if it would wait for nothing else. `task`
 * is NULL if there is none yet. */
static mw_error refuse(mw_master *master, const mw_task *task, mw_error error)
{
    if (master->misuse == MW_OK) {
        master->misuse = error;
        master->misuse_sentence = master->error;
    }
    master->is_misuse_untold = true;
    mwi_loop_audit(master->loop,
                   (struct mwi_audit_record){.kind = MWI_AUDIT_TASK_REFUSED,
                                             .algorithm = task == NULL ? NULL : task->algorithm,
                                             .reason = master->error.text});
    return error;
}

/* Compares the pointers first: a task mostly names its algorithm by the constant of the program's
 * table. */
static bool is_name(const char *known, const char *name)
{
    return known == name || strcmp(known, name) == 0;
}

static bool find_algorithm(mw_master *master, const char *name)
{
    const mw_algorithm *algorithms = master->engine.config.algorithms;
    uint16_t count = master->engine.algorithms_count;
    if (master->last_algorithm < count && is_name(algorithms[master->last_algorithm].name, name))
        return true;
    for (uint16_t i = 0; i < count; i++) {
        if (is_name(algorithms[i].name, name)) {
            master->last_algorithm = i;
            return true;
        }
    }
    return false;
}

static mw_error check_task(mw_master *master, const mw_task *task, size_t size)
{
    size_t max = mwi_lifecycle_payload_bytes_max(&master->engine);
    if (task->algorithm == NULL)
        return mwi_master_fail(master, MW_EINVAL, "a task was submitted without an algorithm");
    if (!find_algorithm(master, task->algorithm))
        return mwi_master_fail(master, MW_EALGORITHM,
                               "the program has no task algorithm \"%.100s\"", task->algorithm);
    if (size > max)
        return mwi_master_fail(
            master, MW_ETOOBIG,
            "the arguments' %zu bytes are over --mw-max-write-buffer-size of %zu, of which "
            "the message itself takes %zu",
            size, master->engine.config.frame_write_bytes_max,
            master->engine.config.frame_write_bytes_max - max);
    return MW_OK;
}

static mw_error fail_time_limit(mw_master *master, double limit_s)
{
    char limit[MWI_DECIMAL_BYTES], limit_max[MWI_DECIMAL_BYTES];
    return mwi_master_fail(master, MW_EINVAL, "time_limit_s of %s is not in 0..%s",
                           mwi_decimal_write(limit, limit_s),
                           mwi_decimal_write(limit_max, TIME_LIMIT_MAX_S));
}

static mw_error make_policy(mw_master *master, const mw_policy *from,
                            struct mwi_task_policy *policy)
{
    static const mw_policy defaults = {0};
    if (from == NULL)
        from = &defaults;
    if (from->max_attempts > MWI_ATTEMPTS_MAX)
        return mwi_master_fail(master, MW_EINVAL, "max_attempts of %u is over %d",
                               from->max_attempts, MWI_ATTEMPTS_MAX);
    if (!(from->time_limit_s >= 0 && from->time_limit_s <= TIME_LIMIT_MAX_S))
        return fail_time_limit(master, from->time_limit_s);
    *policy = (struct mwi_task_policy){
        .sid = MWI_NO_SID,
        .priority = from->priority,
        .time_limit_ns = mwi_time_from_seconds(from->time_limit_s) + (from->time_limit_s > 0),
        .max_attempts = (uint8_t)(from->max_attempts == 0 ? ATTEMPTS_DEFAULT : from->max_attempts),
        .is_retried = from->retry != MW_NO,
        .is_done_anyway =
            from->do_it_anyway == MW_YES || (from->do_it_anyway == MW_DEFAULT && from->sid == NULL),
        .named_scope = master->scope,
        .is_unrecorded = from->journal == MW_NO,
        .is_speculated =
            from->speculate == MW_YES || (from->speculate == MW_DEFAULT && master->is_speculating)};
    if (from->sid != NULL && !mwi_master_read_sid(from->sid, &policy->sid))
        return mwi_master_fail(master, MW_EINVAL, "the sid \"%.50s\" is not like \"SLAVE-3\"",
                               from->sid);
    if (master->must_name_scope && mwi_policies_scope(policy) == MWI_CONTENT_SCOPE)
        return mwi_master_fail(master, MW_ESTATE,
                               "with --mw-journal, a farm inside an MPI program must name its "
                               "scope before it submits: mw_master_journal_scope");
    return MW_OK;
}

static mw_error copy_tag(mw_master *master, const mw_task *task, struct mwi_tag **tag)
{
    *tag = NULL;
    if (task->tag_size == 0)
        return MW_OK;
    if (task->tag_data == NULL)
        return mwi_master_fail(master, MW_EINVAL, "tag_data is NULL and tag_size is not 0");
    if (task->tag_size <= SIZE_MAX / 2)
        *tag = malloc(sizeof **tag + task->tag_size);
    if (*tag == NULL)
        return mwi_master_fail(master, MW_ENOMEM, "out of memory for a tag of %zu bytes",
                               task->tag_size);
    (*tag)->size = task->tag_size;
    memcpy((*tag)->bytes, task->tag_data, task->tag_size);
    return MW_OK;
}

static bool wants_times(const mw_master *master)
{
    return mwi_effects_wants(&master->engine.effects, MWI_AUDIT_TASK_ENDED);
}

/* Enters a task that check_task has let pass; see mwi_lifecycle_submit for the payload. */
static mw_error enter_task(mw_master *master, const mw_task *task,
                           const struct mwi_payload *payload, bool is_borrowed)
{
    struct mwi_lifecycle_task submission = {.algorithm = master->last_algorithm,
                                            .tag = task->tag,
                                            .payload = *payload,
                                            .is_borrowed = is_borrowed,
                                            .is_usual = task->policy == NULL &&
                                                        !wants_times(master) &&
                                                        !mwi_master_journal_has_replays(master)};
    mw_error error = make_policy(master, task->policy, &submission.policy);
    if (error == MW_OK)
        error = copy_tag(master, task, &submission.tag_bytes);
    if (error != MW_OK)
        return error;
    if (!submission.is_usual)
        mwi_master_tell_time(master);
    error = mwi_master_journal_submit(master, &submission);
    mwi_master_carry_out(master);
    if (error == MW_OK)
        return MW_OK;
    free(submission.tag_bytes);
    return mwi_master_fail(master, error, "out of memory for a task of %zu bytes", payload->size);
}

static mw_error submit(mw_master *master, const mw_task *task, const struct mwi_payload *payload,
                       bool is_borrowed)
{
    mw_error error = check_task(master, task, payload->size);
    if (error == MW_OK)
        error = enter_task(master, task, payload, is_borrowed);
    return error == MW_OK ? MW_OK : refuse(master, task, error);
}

/* Takes `data`, which is malloc'd, also on an error. */
static mw_error submit_taking(mw_master *master, const mw_task *task, void *data, size_t size,
                              bool is_bytes)
{
    mw_error error = submit(master, task, &(struct mwi_payload){data, size, is_bytes}, false);
    if (error != MW_OK)
        free(data);
    return error;
}

/* Whether the task is of the algorithm of the last one, has the usual policy, and no tag of
 * bytes. */
static bool is_plain(const mw_master *master, const mw_task *task)
{
    return task->policy == NULL && task->tag_size == 0 && task->algorithm != NULL &&
           task->algorithm == master->engine.config.algorithms[master->last_algorithm].name;
}

static mw_error submit_copy(mw_master *master, const mw_task *task, const void *data, size_t size,
                            bool is_bytes)
{
    /* The engine reads the bytes, and copies them. */
    union {
        const void *from;
        unsigned char *to;
    } bytes = {.from = data};
    if (is_plain(master, task) &&
        mwi_tasks_append_alike(&master->engine.tasks,
                               &(struct mwi_batch_task){.tag = task->tag,
                                                        .algorithm = master->last_algorithm,
                                                        .is_bytes = is_bytes},
                               data, size)) {
        master->last_task = master->engine.tasks.last_id;
        return MW_OK;
    }
    return submit(master, task, &(struct mwi_payload){bytes.to, size, is_bytes}, true);
}

/* Submits the values in the scratch buffer. Small ones are copied, so that the buffer keeps its
 * memory for the next task. */
static mw_error submit_scratch(mw_master *master, const mw_task *task)
{
    struct mwi_buffer *scratch = &master->scratch;
    size_t size = 0;
    if (scratch->size < MWI_MESSAGE_LARGE_BYTES)
        return submit_copy(master, task, scratch->data, scratch->size, false);
    void *data = mwi_buffer_take(scratch, &size);
    return submit_taking(master, task, data, size, false);
}

mw_error mw_master_submit(mw_master *master, const mw_task *task, const char *format, ...)
{
    va_list arguments;
    mwi_buffer_clear(&master->scratch);
    va_start(arguments, format);
    mw_error error = mwi_values_write(&master->scratch, format, arguments, &master->error);
    va_end(arguments);
    if (error != MW_OK)
        return refuse(master, task, error);
    return submit_scratch(master, task);
}

mw_error mw_master_submit_values(mw_master *master, const mw_task *task, const void *data,
                                 size_t size)
{
    if (mwi_guard_is_too_deep(data, size))
        return refuse(master, task,
                      mwi_master_fail(master, MW_EINVAL,
                                      "the arguments have a value that is nested deeper "
                                      "than %d arrays and maps",
                                      MWI_GUARD_DEPTH_MAX));
    if (!mwi_guard_check(data, size, NULL))
        return refuse(
            master, task,
            mwi_master_fail(master, MW_EINVAL, "the arguments are not whole msgpack values"));
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

void mw_master_journal_scope(mw_master *master, const char *name)
{
    bool is_first = name == NULL || name[0] == '\0';
    master->scope = is_first ? 0 : mwi_content_named_scope(name, strlen(name));
    /* Tasks of another scope have another policy, and so are in another batch. */
    if (master->engine.tasks.batches.open != NULL)
        mwi_tasks_close_batch(&master->engine.tasks);
}

mw_task_id mw_master_last_task(const mw_master *master)
{
    return master->last_task;
}

mw_error mw_master_cancel(mw_master *master, mw_task_id task)
{
    mwi_master_tell_time(master);
    mw_error error = mwi_lifecycle_cancel(&master->engine, task);
    mwi_master_carry_out(master);
    if (error == MW_OK)
        return MW_OK;
    return mwi_master_fail(master, error, "task %llu cannot be cancelled any more",
                           (unsigned long long)task);
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
    refuse(master, NULL, mwi_master_fail(master, MW_ENOMEM, "out of memory for a string"));
    return "";
}
