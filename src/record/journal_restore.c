/* SPDX-License-Identifier: Apache-2.0
 *
 * Goes on from the newest checkpoint of a journal: walks over the records of the runs that it
 * builds on, from the earliest to its own. The program's part of it is in face/master_checkpoint.
 *
 * Invariant: results that belong to the state are marked in the index before any result is taken,
 * so that no task gets one of them.
 */
#include "record/journal_restore.h"

#include <assert.h>

#include "record/checkpoint_log.h"
#include "record/journal_state.h"

/* A walk over the records of a checkpoint. */
struct restoring {
    struct mwi_journal *journal;
    bool (*take)(void *context, const struct mwi_journal_record *record); /* NULL: nobody */
    void *context;
    mw_reason *why;
};

/* Takes the results that a checkpoint's run had taken. */
static void take_taken(struct mwi_journal *journal, const struct mwi_journal_record *record)
{
    struct mwi_digest key;
    uint64_t offset;
    size_t place;
    for (size_t i = 0; mwi_journal_items_read_key(&key, record->body, record->size, i); i++)
        (void)mwi_journal_index_take(&journal->results, key, &offset, &place);
}

static mw_error fail_restoring(struct restoring *restoring, mw_error error, const char *text)
{
    return mwi_journal_form_fail(restoring->why, restoring->journal->path, error, text);
}

/* Walks over the records of the run up to its STATE, which is then in the reader. */
static mw_error walk_run(struct restoring *restoring, const struct mwi_checkpoint_run *run)
{
    struct mwi_journal *journal = restoring->journal;
    struct mwi_journal_record *record = &journal->record;
    mwi_journal_reader_seek(&journal->reader, run->begin);
    journal->loaded = 0;
    journal->walked = 0;
    for (;;) {
        mw_reason why;
        enum mwi_journal_step step = mwi_journal_reader_next(&journal->reader, record, &why);
        if (step == MWI_JOURNAL_FAILED)
            return fail_restoring(restoring, MW_EIO, why.text);
        if (step == MWI_JOURNAL_END || record->offset > run->state)
            return fail_restoring(restoring, MW_EIO, "the checkpoint has changed");
        if (step == MWI_JOURNAL_DAMAGE)
            continue;
        if (record->offset == run->state)
            return MW_OK;
        if (record->kind == MWI_JOURNAL_TAKEN)
            take_taken(journal, record);
        bool is_of_tasks = record->kind == MWI_JOURNAL_TASKS || record->kind == MWI_JOURNAL_GONE;
        if (is_of_tasks && restoring->take != NULL && !restoring->take(restoring->context, record))
            return fail_restoring(restoring, MW_ENOMEM, "out of memory");
    }
}

/* The results that earlier checkpoints have made useless come first. */
static mw_error walk_beginnings(struct restoring *restoring,
                                const struct mwi_checkpoint_run *newest)
{
    struct restoring silent = *restoring;
    mw_error error = MW_OK;
    silent.take = NULL;
    for (const struct mwi_checkpoint_run *run = restoring->journal->checkpoints.runs;
         run < newest && error == MW_OK; run++)
        if (run->is_in_chain)
            error = walk_run(&silent, run);
    return error;
}

static bool is_absorbed(void *context, uint64_t offset)
{
    return mwi_checkpoint_log_is_absorbed(context, offset);
}

mw_error mwi_journal_restore(struct mwi_journal *journal,
                             bool (*take)(void *context, const struct mwi_journal_record *record),
                             void *context, struct mwi_journal_replay *state, mw_reason *why)
{
    struct restoring restoring = {journal, take, context, why};
    const struct mwi_checkpoint_run *run = mwi_checkpoint_log_newest(&journal->checkpoints);
    assert(run != NULL);
    mwi_journal_index_absorb(&journal->results, is_absorbed, &journal->checkpoints);
    mw_error error = walk_beginnings(&restoring, run);
    if (error == MW_OK)
        error = walk_run(&restoring, run);
    if (error != MW_OK)
        return error;
    mwi_journal_index_settle(&journal->results);
    journal->restored = run->state;
    return mwi_journal_copy_replay(state, journal->record.body + MWI_CHECKPOINT_HEAD_BYTES,
                                   journal->record.size - MWI_CHECKPOINT_HEAD_BYTES, why);
}
