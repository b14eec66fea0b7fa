/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: the program's own bytes, together with all that the master has to do.
 * engine/snapshot writes the tasks, record/journal keeps them.
 *
 * Invariants: a checkpoint is of one moment, since nothing of the farm moves while it is written;
 * then the farm is served until it is durable. It writes what the file does not have yet. A
 * checkpoint is restored before the first submission, or never.
 *
 * A new field of a task that must survive is written in engine/snapshot, and read in submit_out or
 * submit_ended.
 */
#include "face/master_checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lifecycle.h"
#include "engine/snapshot.h"
#include "face/master_journal.h"
#include "record/journal_restore.h"

#define NO_ALGORITHM UINT16_MAX

void mwi_master_checkpoint_fini(mw_master *master)
{
    mwi_snapshot_fini(&master->snapshot);
    mwi_block_unref(master->restored_block);
    master->restored_block = NULL;
}

static void add_record(void *context, bool is_gone, const struct mwi_buffer *body)
{
    mwi_journal_add(context, is_gone ? MWI_JOURNAL_GONE : MWI_JOURNAL_TASKS,
                    &(struct mwi_journal_piece){body->data, body->size}, 1);
}

mw_error mw_master_checkpoint(mw_master *master, const void *data, size_t size)
{
    if (master->journal == NULL)
        return MW_OK;
    if (master->journal_error != MW_OK)
        return mwi_master_fail(master, master->journal_error, "the journal has failed");
    const struct mwi_snapshot_sink sink = {add_record, master->journal};
    mw_error error = mwi_snapshot_write(&master->engine, &master->snapshot, &sink);
    if (error != MW_OK)
        return mwi_master_fail(master, error, "out of memory for a checkpoint");
    mwi_journal_add_state(master->journal, data, size);
    return mwi_master_journal_await(master);
}

/* A task of a checkpoint that is being read: the item, and the bytes that it points to. */
struct restored_task {
    struct mwi_checkpoint_item item;
    uint16_t algorithm; /* or NO_ALGORITHM: the program has it no more */
    unsigned char bytes[];
};

/* The tasks of a checkpoint, by their numbers in the run that has made it. */
struct restoring {
    mw_master *master;
    struct mwi_map tasks; /* struct restored_task */
};

static uint16_t find_algorithm(const mw_master *master, const struct mwi_checkpoint_reader *reader)
{
    const mw_algorithm *algorithms = master->engine.config.algorithms;
    for (uint16_t i = 0; i < master->engine.algorithms_count; i++)
        if (strlen(algorithms[i].name) == reader->algorithm_size &&
            memcmp(algorithms[i].name, reader->algorithm, reader->algorithm_size) == 0)
            return i;
    return NO_ALGORITHM;
}

static const void *copy_part(unsigned char **end, const void *data, size_t size)
{
    unsigned char *begin = *end;
    if (size > 0)
        memcpy(begin, data, size);
    *end += size;
    return begin;
}

/* A copy that needs the record no more; NULL out of memory. */
static struct restored_task *copy_task(const struct mwi_checkpoint_item *item, uint16_t algorithm)
{
    struct restored_task *task =
        malloc(sizeof *task + item->tag_size + item->text_size + item->size);
    if (task == NULL)
        return NULL;
    unsigned char *end = task->bytes;
    task->item = *item;
    task->algorithm = algorithm;
    task->item.data = copy_part(&end, item->data, item->size);
    if (item->tag_data != NULL)
        task->item.tag_data = copy_part(&end, item->tag_data, item->tag_size);
    task->item.text = copy_part(&end, item->text, item->text_size);
    return task;
}

static bool take_tasks(struct restoring *restoring, const struct mwi_journal_record *record)
{
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    uint16_t algorithm = find_algorithm(restoring->master, &reader);
    while (mwi_checkpoint_items_next(&reader, &item)) {
        struct restored_task *task = copy_task(&item, algorithm);
        if (task == NULL)
            return false;
        free(mwi_map_remove(&restoring->tasks, item.id));
        if (!mwi_map_set(&restoring->tasks, item.id, task)) {
            free(task);
            return false;
        }
    }
    return true;
}

static bool take_record(void *context, const struct mwi_journal_record *record)
{
    struct restoring *restoring = context;
    if (record->kind == MWI_JOURNAL_TASKS)
        return take_tasks(restoring, record);
    for (size_t i = 0; i < record->size / 8; i++)
        free(mwi_map_remove(&restoring->tasks,
                            mwi_checkpoint_items_id(record->body, record->size, i)));
    return true;
}

static mw_error submit_out(mw_master *master, const struct restored_task *task,
                           struct mwi_lifecycle_task *submission)
{
    submission->policy = mwi_snapshot_policy(&task->item.policy);
    return mwi_master_journal_submit(master, submission);
}

/* The task had ended: its result, or its arguments if it was unrunnable, wait to be handed out. */
static mw_error submit_ended(mw_master *master, const struct restored_task *task,
                             const struct mwi_lifecycle_task *submission)
{
    const struct mwi_checkpoint_item *item = &task->item;
    unsigned char *copy;
    if (item->fate == MWI_CHECKPOINT_UNRUNNABLE)
        return mwi_lifecycle_submit_unrunnable(&master->engine, submission, item->text,
                                               item->text_size, &master->last_task);
    struct mwi_block *block = mwi_block_copy(item->data, item->size, &copy);
    if (block == NULL)
        return MW_ENOMEM;
    const struct mwi_message_item result = {.duration_ns = item->duration_ns,
                                            .size = item->size,
                                            .form = item->fate == MWI_CHECKPOINT_FAILED
                                                        ? MWI_PAYLOAD_FAILED
                                                    : item->is_bytes ? MWI_PAYLOAD_BYTES
                                                                     : MWI_PAYLOAD_VALUES,
                                            .data = copy};
    mw_error error = mwi_lifecycle_submit_replayed(&master->engine, submission, block, &result,
                                                   &master->last_task);
    mwi_block_unref(block);
    return error;
}

static mw_error submit(mw_master *master, const struct restored_task *task)
{
    const struct mwi_checkpoint_item *item = &task->item;
    /* The engine copies what is borrowed. */
    union {
        const void *from;
        unsigned char *to;
    } data = {item->data};
    struct mwi_lifecycle_task submission = {.algorithm = task->algorithm,
                                            .tag = item->tag,
                                            .payload = {data.to, item->size, item->is_bytes},
                                            .is_borrowed = true};
    if (item->tag_data != NULL) {
        submission.tag_bytes = malloc(sizeof *submission.tag_bytes + item->tag_size);
        if (submission.tag_bytes == NULL)
            return MW_ENOMEM;
        submission.tag_bytes->size = item->tag_size;
        memcpy(submission.tag_bytes->bytes, item->tag_data, item->tag_size);
    }
    mw_error error = item->fate == MWI_CHECKPOINT_OUT ? submit_out(master, task, &submission)
                                                      : submit_ended(master, task, &submission);
    if (error != MW_OK)
        free(submission.tag_bytes);
    return error;
}

static int compare(const void *one, const void *other)
{
    uint64_t left = (*(struct restored_task *const *)one)->item.id;
    uint64_t right = (*(struct restored_task *const *)other)->item.id;
    return left < right ? -1 : left > right;
}

/* The user has passed --mw-journal-accept: tasks of an algorithm that the program has no more are
 * dropped, which the trail tells. */
static void tell_dropped(mw_master *master, size_t count)
{
    mw_reason sentence;
    if (count == 0)
        return;
    snprintf(sentence.text, sizeof sentence.text,
             "tasks of the checkpoint are dropped, since the program has their algorithms no more: "
             "%zu",
             count);
    mwi_master_journal_audit(master, sentence.text);
}

/* Submits the tasks in the order in which they were submitted first. */
static mw_error submit_in_order(mw_master *master, const struct mwi_map *tasks)
{
    size_t count = 0, dropped_count = 0, cursor = 0;
    struct restored_task **sorted = malloc((tasks->used_count + 1) * sizeof *sorted);
    mw_error error = MW_OK;
    if (sorted == NULL)
        return MW_ENOMEM;
    for (struct restored_task *task; (task = mwi_map_next(tasks, &cursor)) != NULL;) {
        if (task->algorithm == NO_ALGORITHM)
            dropped_count++;
        else
            sorted[count++] = task;
    }
    if (count > 1)
        qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count && error == MW_OK; i++)
        error = submit(master, sorted[i]);
    free(sorted);
    tell_dropped(master, dropped_count);
    mwi_master_carry_out(master);
    return error;
}

static void free_tasks(struct mwi_map *tasks)
{
    size_t cursor = 0;
    for (struct restored_task *task; (task = mwi_map_next(tasks, &cursor)) != NULL;)
        free(task);
    mwi_map_fini(tasks);
}

/* The checkpoint cannot be used, and to go on without it would be wrong: the farm is broken. */
static void break_farm(mw_master *master, mw_error error, const mw_reason *why)
{
    master->error = master->broken_sentence = *why;
    master->broken = error;
}

bool mw_master_restored(mw_master *master, const void **data, size_t *size)
{
    struct restoring restoring = {.master = master};
    struct mwi_journal_replay state;
    mw_reason why = {"out of memory for a checkpoint"};
    if (master->journal == NULL || master->engine.tasks.last_id > 0 ||
        !mwi_journal_has_checkpoint(master->journal) || master->has_restored)
        return false;
    master->has_restored = true;
    mwi_master_tell_time(master);
    mwi_map_init(&restoring.tasks);
    mw_error error = mwi_journal_restore(master->journal, take_record, &restoring, &state, &why);
    if (error == MW_OK) {
        master->restored_block = state.block;
        error = submit_in_order(master, &restoring.tasks);
    }
    free_tasks(&restoring.tasks);
    if (error != MW_OK) {
        break_farm(master, error, &why);
        return false;
    }
    *data = state.data;
    *size = state.size;
    return true;
}
