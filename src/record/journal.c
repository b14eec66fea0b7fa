/* SPDX-License-Identifier: Apache-2.0
 *
 * The appending side of a journal, and what it tells. The engine appends results during a run; the
 * rooms journal_open, journal_take and journal_restore read what earlier runs have left. They share
 * struct mwi_journal, see journal_state.h.
 *
 * Invariants: small results of one algorithm gather in `gathered`, and become a record when that is
 * large, or when another record is to be appended, or at a flush. So records lie in the order in
 * which they were added. Results of this run are in no index: they are for the next run.
 * After a failure nothing is appended; the file then ends with what was written before.
 */
#include "record/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/journal_state.h"

/* A record of results is closed at this size, so that a result is found in it quickly. */
#define GATHERED_BYTES ((size_t)4096)
/* The disk is behind when this many bytes are not durable. */
#define BEHIND_BYTES ((uint64_t)64 << 20)

void mwi_journal_close(struct mwi_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->disk != NULL)
        journal->api->close(journal->disk);
    mwi_buffer_fini(&journal->known);
    mwi_journal_reader_fini(&journal->reader);
    mwi_journal_writer_fini(&journal->writer);
    mwi_journal_index_fini(&journal->results);
    mwi_journal_index_fini(&journal->saved);
    mwi_journal_index_fini(&journal->begun);
    mwi_map_fini(&journal->sent);
    mwi_checkpoint_log_fini(&journal->checkpoints);
    mwi_buffer_fini(&journal->taken);
    mwi_buffer_fini(&journal->gathered);
    mwi_buffer_fini(&journal->head);
    free(journal->path);
    free(journal);
}

static void write_record(struct mwi_journal *journal, enum mwi_journal_kind kind,
                         const struct mwi_journal_piece *pieces, size_t count)
{
    (void)mwi_journal_write(&journal->writer, kind, pieces, count);
    journal->has_unflushed = true;
}

static void close_gathered(struct mwi_journal *journal)
{
    if (journal->gathered_count == 0)
        return;
    journal->writer.has_failed = journal->writer.has_failed || journal->gathered.has_failed;
    write_record(journal, MWI_JOURNAL_RESULTS,
                 &(struct mwi_journal_piece){journal->gathered.data, journal->gathered.size}, 1);
    mwi_buffer_clear(&journal->gathered);
    journal->gathered_count = 0;
}

void mwi_journal_add(struct mwi_journal *journal, enum mwi_journal_kind kind,
                     const struct mwi_journal_piece *pieces, size_t count)
{
    close_gathered(journal);
    write_record(journal, kind, pieces, count);
    journal->checkpoint_records_count += kind == MWI_JOURNAL_TASKS || kind == MWI_JOURNAL_GONE;
}

static bool note_taken(void *context, struct mwi_digest key)
{
    struct mwi_journal *journal = context;
    mwi_journal_items_append_key(&journal->taken, key);
    return !journal->taken.has_failed;
}

void mwi_journal_note_used(struct mwi_journal *journal, struct mwi_digest key)
{
    mwi_journal_items_append_key(&journal->taken, key);
}

/* Records which results of earlier runs were taken: all, or since the last checkpoint. */
static void add_taken(struct mwi_journal *journal)
{
    if (!journal->has_noted_taken)
        mwi_journal_index_visit_taken(&journal->results, note_taken, journal);
    journal->has_noted_taken = true;
    journal->writer.has_failed = journal->writer.has_failed || journal->taken.has_failed;
    if (journal->taken.size > 0) {
        mwi_journal_add(journal, MWI_JOURNAL_TAKEN,
                        &(struct mwi_journal_piece){journal->taken.data, journal->taken.size}, 1);
        journal->checkpoint_records_count++;
    }
    mwi_buffer_fini(&journal->taken);
}

void mwi_journal_add_state(struct mwi_journal *journal, const void *data, size_t size)
{
    unsigned char head[MWI_CHECKPOINT_HEAD_BYTES];
    add_taken(journal);
    mwi_checkpoint_log_write_head(head, journal->checkpoint_records_count, journal->restored);
    const struct mwi_journal_piece pieces[] = {{head, sizeof head}, {data, size}};
    mwi_journal_add(journal, MWI_JOURNAL_STATE, pieces, 2);
}

void mwi_journal_add_result(struct mwi_journal *journal, const char *algorithm,
                            const struct mwi_journal_result *result)
{
    mwi_journal_add_result_of(journal, journal->run, algorithm, result);
}

void mwi_journal_add_result_of(struct mwi_journal *journal, uint64_t run, const char *algorithm,
                               const struct mwi_journal_result *result)
{
    struct mwi_buffer *gathered = &journal->gathered;
    if (result->size >= GATHERED_BYTES) {
        mwi_buffer_clear(&journal->head);
        mwi_journal_items_begin_results(&journal->head, run, algorithm);
        mwi_journal_items_append_head(&journal->head, result);
        journal->writer.has_failed = journal->writer.has_failed || journal->head.has_failed;
        const struct mwi_journal_piece pieces[] = {{journal->head.data, journal->head.size},
                                                   {result->data, result->size}};
        mwi_journal_add(journal, MWI_JOURNAL_RESULTS, pieces, 2);
        return;
    }
    if (journal->gathered_count > 0 &&
        (journal->gathered_algorithm != algorithm || journal->gathered_run != run ||
         gathered->size + result->size > GATHERED_BYTES))
        close_gathered(journal);
    if (journal->gathered_count == 0)
        mwi_journal_items_begin_results(gathered, run, algorithm);
    journal->gathered_algorithm = algorithm;
    journal->gathered_run = run;
    journal->gathered_count++;
    mwi_journal_items_append(gathered, result);
}

static void add_of_task(struct mwi_journal *journal, enum mwi_journal_kind kind,
                        const struct mwi_journal_saved *saved)
{
    struct mwi_journal_saved of_run = *saved;
    of_run.run = journal->run;
    mwi_buffer_clear(&journal->head);
    mwi_journal_items_write_saved_head(&journal->head, &of_run);
    journal->writer.has_failed = journal->writer.has_failed || journal->head.has_failed;
    const struct mwi_journal_piece pieces[] = {{journal->head.data, journal->head.size},
                                               {saved->data, saved->size}};
    mwi_journal_add(journal, kind, pieces, 2);
}

void mwi_journal_add_begun(struct mwi_journal *journal, struct mwi_digest key, uint64_t id)
{
    add_of_task(journal, MWI_JOURNAL_BEGUN, &(struct mwi_journal_saved){.key = key, .id = id});
}

void mwi_journal_add_unbegun(struct mwi_journal *journal, struct mwi_digest key, uint64_t id)
{
    add_of_task(journal, MWI_JOURNAL_UNBEGUN, &(struct mwi_journal_saved){.key = key, .id = id});
}

void mwi_journal_add_saved(struct mwi_journal *journal, struct mwi_digest key, uint64_t id,
                           const void *data, size_t size)
{
    add_of_task(journal, MWI_JOURNAL_SAVED,
                &(struct mwi_journal_saved){.key = key, .id = id, .data = data, .size = size});
}

/* The disk tells of a failure once, and may do so to whoever asks it first. */
static uint64_t ask_durable(struct mwi_journal *journal)
{
    struct mwi_disk_progress progress = journal->api->done(journal->disk);
    journal->has_lost_disk = journal->has_lost_disk || progress.error != MW_OK;
    return progress.durable_bytes;
}

/* Asks the disk how far it is only if that may matter: it costs a system call. */
static void note_behind(struct mwi_journal *journal)
{
    uint64_t size = journal->api->size(journal->disk);
    if (size - journal->durable_bytes > BEHIND_BYTES)
        journal->durable_bytes = ask_durable(journal);
    journal->is_behind = size - journal->durable_bytes > BEHIND_BYTES;
}

bool mwi_journal_is_behind(const struct mwi_journal *journal)
{
    return journal->is_behind;
}

void mwi_journal_flush(struct mwi_journal *journal)
{
    close_gathered(journal);
    if (journal->has_unflushed || journal->is_behind)
        note_behind(journal);
    if (!journal->has_unflushed)
        return;
    journal->has_unflushed = false;
    journal->api->sync(journal->disk, journal->sync_ns);
}

uint64_t mwi_journal_hurry(struct mwi_journal *journal)
{
    close_gathered(journal);
    journal->has_unflushed = false;
    journal->api->sync(journal->disk, 0);
    return journal->api->size(journal->disk);
}

bool mwi_journal_is_broken(const struct mwi_journal *journal)
{
    return journal->writer.has_failed || journal->has_lost_disk;
}

/* The mark of a record that could not be written is the end of the one before it. So after a
 * failure no mark says anything. */
bool mwi_journal_is_durable(struct mwi_journal *journal, uint64_t mark)
{
    return ask_durable(journal) >= mark && !mwi_journal_is_broken(journal);
}

mw_error mwi_journal_status(struct mwi_journal *journal, mw_reason *why)
{
    struct mwi_disk_progress progress = journal->api->done(journal->disk);
    if (progress.error != MW_OK) {
        snprintf(why->text, sizeof why->text, "%s", progress.why);
        return progress.error;
    }
    if (journal->writer.has_failed)
        return mwi_journal_form_fail(why, journal->path, MW_ENOMEM, "out of memory");
    return MW_OK;
}

int mwi_journal_descriptor(const struct mwi_journal *journal)
{
    return journal->api->descriptor(journal->disk);
}

bool mwi_journal_has_replays(const struct mwi_journal *journal)
{
    return journal->results.left_count > 0 || journal->saved.left_count > 0 ||
           journal->begun.left_count > 0;
}

void mwi_journal_add_sent(struct mwi_journal *journal, const struct mwi_digest *keys, size_t count)
{
    mwi_buffer_clear(&journal->head);
    for (size_t i = 0; i < count; i++)
        mwi_journal_items_append_part(&journal->head, mwi_journal_items_part(keys[i]));
    journal->writer.has_failed = journal->writer.has_failed || journal->head.has_failed;
    mwi_journal_add(journal, MWI_JOURNAL_SENT,
                    &(struct mwi_journal_piece){journal->head.data, journal->head.size}, 1);
}

bool mwi_journal_has_sent(const struct mwi_journal *journal)
{
    return journal->sent.used_count > 0;
}

uint64_t mwi_journal_mark(struct mwi_journal *journal)
{
    close_gathered(journal);
    return journal->api->size(journal->disk);
}

bool mwi_journal_has_checkpoint(const struct mwi_journal *journal)
{
    return mwi_checkpoint_log_newest(&journal->checkpoints) != NULL;
}
