/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a journal: reads the whole file once, and fills the indexes of what earlier runs have left.
 * Then it appends a record of this run.
 *
 * The end of the file that is not whole is cut off, and told: a power cut leaves one, but it may be
 * damage. Damage in the middle stays, and is counted. A file without a sound record is not changed:
 * the first record of a new one is durable before the file is used, so it must have been damaged.
 * To give another kind of record to a later run, take it in take_record.
 */
#include "record/journal_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/journal_identity.h"
#include "record/journal_state.h"
#include "record/journal_take.h"
#include "wire/message.h"

/* A record about a task that has no result yet. */
struct task_entry {
    struct mwi_digest key;
    uint64_t offset;
};

/* The opening of a file that is not empty. */
struct opening {
    struct mwi_map saved, begun; /* struct task_entry, by run and task */
    struct mwi_journal *journal;
    const struct mwi_journal_settings *settings;
    struct mwi_journal_findings *findings;
    mw_reason *why;
    /* Estimated sizes: of all records, of results since the last checkpoint or beginning of a run,
     * of the last checkpoint, of one that is not whole yet, of saved bytes, and of records that
     * have become useless. */
    uint64_t used_bytes, results_bytes, checkpoint_bytes, pending_bytes, saved_bytes, dead_bytes;
    uint64_t saved_count;
};

/* Estimates how much a rewrite would leave out; see record/journal_compact. */
static void count_bytes(struct opening *opening, const struct mwi_journal_record *record)
{
    uint64_t size = record->size + MWI_JOURNAL_HEADER_BYTES;
    opening->used_bytes += size;
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        opening->results_bytes = 0;
        break;
    case MWI_JOURNAL_RESULTS:
        opening->results_bytes += size;
        break;
    case MWI_JOURNAL_SAVED:
        opening->saved_bytes += size;
        opening->saved_count++;
        break;
    case MWI_JOURNAL_SENT:
    case MWI_JOURNAL_BEGUN:
    case MWI_JOURNAL_UNBEGUN:
    case MWI_JOURNAL_GONE:
    case MWI_JOURNAL_TAKEN:
        opening->dead_bytes += size;
        break;
    case MWI_JOURNAL_TASKS:
        opening->pending_bytes += size;
        break;
    case MWI_JOURNAL_STATE:
        opening->dead_bytes += opening->results_bytes + opening->checkpoint_bytes;
        opening->checkpoint_bytes = opening->pending_bytes + size;
        opening->results_bytes = opening->pending_bytes = 0;
        break;
    default:
        break;
    }
}

/* Called when all records were read, up to this offset. */
static void count_dead(struct opening *opening, uint64_t end_bytes)
{
    uint64_t live_count = opening->journal->saved.left_count, padding = 0;
    if (opening->saved_count > 0)
        opening->dead_bytes +=
            opening->saved_bytes / opening->saved_count * (opening->saved_count - live_count);
    if (end_bytes > opening->used_bytes)
        padding = end_bytes - opening->used_bytes;
    opening->findings->file_bytes = end_bytes;
    opening->findings->dead_bytes = opening->dead_bytes + padding;
}

static mw_error take_run(struct opening *opening, const struct mwi_journal_record *record)
{
    const struct mwi_journal_settings *settings = opening->settings;
    struct mwi_journal_run run;
    mw_reason difference;
    if (!mwi_journal_items_read_run(&run, record->body, record->size))
        return MW_OK;
    opening->findings->runs_count++;
    if (!mwi_checkpoint_log_note_run(&opening->journal->checkpoints, record->offset, run.number))
        return mwi_journal_form_fail(opening->why, settings->path, MW_ENOMEM, "out of memory");
    bool may_go_on =
        mwi_journal_identity_may_stand_for(&run.identity, &settings->run.identity, &difference);
    if (difference.text[0] != '\0')
        opening->findings->difference = difference;
    if (may_go_on || settings->is_accepted)
        return MW_OK;
    char text[400];
    snprintf(text, sizeof text,
             "it is the journal of another program: %.320s (--mw-journal-accept goes on)",
             difference.text);
    return mwi_journal_form_fail(opening->why, settings->path, MW_EUSAGE, text);
}

/* Forgets the entry of a task that has a result; returns whether there was one. */
static bool forget(struct mwi_map *tasks, uint64_t run, uint64_t id)
{
    struct task_entry *entry =
        tasks->used_count == 0 ? NULL : mwi_map_remove(tasks, mwi_journal_items_number(run, id));
    free(entry);
    return entry != NULL;
}

static mw_error take_results(struct opening *opening, const struct mwi_journal_record *record)
{
    struct mwi_journal_cursor results;
    struct mwi_journal_result result;
    mwi_journal_items_open_results(&results, record->body, record->size);
    if (!mwi_checkpoint_log_note_results(&opening->journal->checkpoints, record->offset,
                                         results.run))
        return mwi_journal_form_fail(opening->why, opening->settings->path, MW_ENOMEM,
                                     "out of memory");
    for (size_t place = 0; place < MWI_JOURNAL_PLACE_MAX; place++) {
        if (!mwi_journal_items_next(&results, &result))
            return MW_OK;
        bool was_begun = forget(&opening->begun, results.run, result.id);
        if (result.form == MWI_PAYLOAD_FAILED && !opening->settings->keeps_failures && !was_begun)
            continue;
        opening->findings->results_count++;
        (void)mwi_journal_take_sent(opening->journal, result.key);
        (void)forget(&opening->saved, results.run, result.id);
        if (!mwi_journal_index_add(&opening->journal->results, result.key, record->offset, place))
            return mwi_journal_form_fail(opening->why, opening->settings->path, MW_ENOMEM,
                                         "out of memory");
    }
    return MW_OK;
}

/* One more task of this part was sent; false out of memory. The map has counts as pointers. */
static bool note_sent(struct mwi_map *sent, uint64_t part)
{
    uintptr_t count = (uintptr_t)mwi_map_get(sent, part);
    return mwi_map_set(sent, part, (void *)(count + 1));
}

static mw_error take_all_sent(struct opening *opening, const struct mwi_journal_record *record)
{
    uint64_t part;
    for (size_t i = 0; mwi_journal_items_read_part(&part, record->body, record->size, i); i++)
        if (!note_sent(&opening->journal->sent, part))
            return mwi_journal_form_fail(opening->why, opening->settings->path, MW_ENOMEM,
                                         "out of memory");
    return MW_OK;
}

/* The bytes that a task saved last stand for all that it saved before, until its result comes. The
 * record of a task that was begun is alike, without bytes. */
static mw_error take_of_task(struct opening *opening, struct mwi_map *tasks,
                             const struct mwi_journal_record *record)
{
    struct mwi_journal_saved saved;
    if (!mwi_journal_items_read_saved(&saved, record->body, record->size))
        return MW_OK;
    uint64_t number = mwi_journal_items_number(saved.run, saved.id);
    struct task_entry *entry = mwi_map_get(tasks, number);
    if (entry == NULL)
        entry = malloc(sizeof *entry);
    if (entry == NULL || !mwi_map_set(tasks, number, entry)) {
        free(entry);
        return mwi_journal_form_fail(opening->why, opening->settings->path, MW_ENOMEM,
                                     "out of memory");
    }
    *entry = (struct task_entry){saved.key, record->offset};
    return MW_OK;
}

static void take_unbegun(struct opening *opening, const struct mwi_journal_record *record)
{
    struct mwi_journal_saved unbegun;
    if (mwi_journal_items_read_saved(&unbegun, record->body, record->size))
        (void)forget(&opening->begun, unbegun.run, unbegun.id);
}

/* Moves what was found of tasks to an index, or forgets it. */
static bool settle(struct mwi_map *tasks, struct mwi_journal_index *index, bool is_kept)
{
    size_t cursor = 0;
    bool has_all = true;
    for (struct task_entry *entry; (entry = mwi_map_next(tasks, &cursor)) != NULL;) {
        if (is_kept)
            has_all = mwi_journal_index_add(index, entry->key, entry->offset, 0) && has_all;
        free(entry);
    }
    mwi_map_fini(tasks);
    mwi_journal_index_sort(index);
    return has_all;
}

static mw_error take_known(struct opening *opening, const struct mwi_journal_record *record)
{
    struct mwi_buffer *all = &opening->journal->known;
    struct mwi_journal_known known;
    for (size_t i = 0; mwi_journal_items_read_known(&known, record->body, record->size, i); i++)
        mwi_buffer_append(all, &known, sizeof known);
    if (all->has_failed)
        return mwi_journal_form_fail(opening->why, opening->settings->path, MW_ENOMEM,
                                     "out of memory");
    return MW_OK;
}

static mw_error take_record(struct opening *opening, const struct mwi_journal_record *record)
{
    if (record->offset >= MWI_JOURNAL_OFFSET_MAX)
        return mwi_journal_form_fail(opening->why, opening->settings->path, MW_EFORMAT,
                                     "it is too large");
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        return take_run(opening, record);
    case MWI_JOURNAL_RESULTS:
        return take_results(opening, record);
    case MWI_JOURNAL_SAVED:
        return take_of_task(opening, &opening->saved, record);
    case MWI_JOURNAL_BEGUN:
        return take_of_task(opening, &opening->begun, record);
    case MWI_JOURNAL_UNBEGUN:
        take_unbegun(opening, record);
        return MW_OK;
    case MWI_JOURNAL_SENT:
        return take_all_sent(opening, record);
    case MWI_JOURNAL_KNOWN:
        return take_known(opening, record);
    case MWI_JOURNAL_TASKS:
    case MWI_JOURNAL_GONE:
    case MWI_JOURNAL_TAKEN:
    case MWI_JOURNAL_STATE:
        mwi_checkpoint_log_note_record(&opening->journal->checkpoints, record);
        return MW_OK;
    default:
        return MW_OK;
    }
}

/* Reads all records. Damage behind the last whole one counts as an end that is not whole. */
static mw_error read_all(struct opening *opening, uint64_t *end_bytes)
{
    struct mwi_journal_findings *findings = opening->findings;
    struct mwi_journal_reader *reader = &opening->journal->reader;
    struct mwi_journal_record record;
    uint64_t pending_count = 0, pending = 0;
    for (;;) {
        mw_reason why;
        enum mwi_journal_step step = mwi_journal_reader_next(reader, &record, &why);
        if (step == MWI_JOURNAL_FAILED)
            return mwi_journal_form_fail(opening->why, opening->settings->path, MW_EIO, why.text);
        if (step == MWI_JOURNAL_END)
            break;
        if (step == MWI_JOURNAL_DAMAGE) {
            mwi_checkpoint_log_note_damage(&opening->journal->checkpoints, record.offset);
            pending = pending_count++ == 0 ? record.offset : pending;
            continue;
        }
        if (pending_count > 0 && findings->damages_count == 0)
            findings->damage = pending;
        findings->damages_count += pending_count;
        pending_count = 0;
        count_bytes(opening, &record);
        mw_error error = take_record(opening, &record);
        if (error != MW_OK)
            return error;
    }
    *end_bytes = record.offset;
    if (pending_count == 0)
        return MW_OK;
    findings->torn_bytes = opening->journal->api->size(opening->journal->disk) - record.offset;
    findings->torn = pending;
    if (record.offset > MWI_JOURNAL_BEGIN_BYTES)
        return MW_OK;
    char text[200];
    snprintf(text, sizeof text,
             "it is damaged from offset %llu on, and has no sound record: it is left as it is",
             (unsigned long long)pending);
    return mwi_journal_form_fail(opening->why, opening->settings->path, MW_EFORMAT, text);
}

/* A wrong state is worse than a stop. */
static mw_error judge_checkpoints(struct opening *opening)
{
    struct mwi_checkpoint_log *log = &opening->journal->checkpoints;
    mwi_checkpoint_log_seal(log);
    opening->findings->is_checkpoint_damaged = mwi_checkpoint_log_is_damaged(log);
    if (!opening->findings->is_checkpoint_damaged || mwi_checkpoint_log_newest(log) != NULL ||
        opening->settings->is_accepted)
        return MW_OK;
    return mwi_journal_form_fail(
        opening->why, opening->settings->path, MW_EFORMAT,
        "its only checkpoint is damaged (--mw-journal-accept goes on without one)");
}

static mw_error read_file(struct opening *opening)
{
    struct mwi_journal *journal = opening->journal;
    const char *path = opening->settings->path;
    mw_reason why;
    uint64_t end_bytes = 0;
    mw_error error =
        mwi_journal_form_recognise(journal->api, journal->disk, &journal->file_id, &why);
    if (error != MW_OK)
        return mwi_journal_form_fail(opening->why, path, error, why.text);
    if (!mwi_journal_reader_init(&journal->reader, journal->api, journal->disk, journal->file_id))
        return mwi_journal_form_fail(opening->why, path, MW_ENOMEM, "out of memory");
    error = read_all(opening, &end_bytes);
    bool has_saved = settle(&opening->saved, &journal->saved, error == MW_OK);
    bool has_begun = settle(&opening->begun, &journal->begun, error == MW_OK);
    if (!has_saved || !has_begun)
        return mwi_journal_form_fail(opening->why, path, MW_ENOMEM, "out of memory");
    if (error != MW_OK)
        return error;
    error = judge_checkpoints(opening);
    if (error != MW_OK)
        return error;
    mwi_journal_index_sort(&journal->results);
    count_dead(opening, end_bytes);
    journal->reader.end_bytes = end_bytes;
    if (end_bytes == journal->api->size(journal->disk))
        return MW_OK;
    error = journal->api->truncate(journal->disk, end_bytes, &why);
    return error == MW_OK ? MW_OK : mwi_journal_form_fail(opening->why, path, error, why.text);
}

/* A file is begun anew if a power cut has left nothing of it. */
static mw_error read_or_begin(struct opening *opening)
{
    struct mwi_journal *journal = opening->journal;
    const struct mwi_journal_settings *settings = opening->settings;
    bool is_void = false;
    mw_reason why;
    mw_error error = mwi_journal_form_is_void(journal->api, journal->disk, &is_void, &why);
    if (error == MW_OK && !is_void)
        return read_file(opening);
    if (error == MW_OK && journal->api->size(journal->disk) > 0)
        error = journal->api->truncate(journal->disk, 0, &why);
    if (error != MW_OK)
        return mwi_journal_form_fail(opening->why, settings->path, error, why.text);
    journal->file_id = settings->run.number;
    mwi_journal_form_begin(journal->api, journal->disk, journal->file_id);
    if (!mwi_journal_reader_init(&journal->reader, journal->api, journal->disk, journal->file_id))
        return mwi_journal_form_fail(opening->why, settings->path, MW_ENOMEM, "out of memory");
    return MW_OK;
}

mw_error mwi_journal_open(struct mwi_journal **journal, const struct mwi_journal_settings *settings,
                          struct mwi_journal_findings *findings, mw_reason *why)
{
    struct mwi_journal *opened = calloc(1, sizeof *opened);
    *findings = (struct mwi_journal_findings){0};
    if (opened == NULL)
        return mwi_journal_form_fail(why, settings->path, MW_ENOMEM, "out of memory");
    opened->api = settings->api;
    opened->sync_ns = settings->sync_ns;
    opened->run = settings->run.number;
    opened->path = strdup(settings->path);
    mwi_buffer_init(&opened->gathered);
    mwi_buffer_init(&opened->head);
    struct opening opening = {
        .journal = opened, .settings = settings, .findings = findings, .why = why};
    mwi_map_init(&opening.saved);
    mwi_map_init(&opening.begun);
    mw_error error =
        opened->path == NULL
            ? mwi_journal_form_fail(why, settings->path, MW_ENOMEM, "out of memory")
            : opened->api->open(&opened->disk, settings->path, settings->environment, why);
    if (error == MW_OK)
        error = read_or_begin(&opening);
    if (error != MW_OK) {
        mwi_journal_close(opened);
        return error;
    }
    bool is_new = opened->api->size(opened->disk) <= MWI_JOURNAL_BEGIN_BYTES;
    mwi_journal_writer_init(&opened->writer, opened->api, opened->disk, opened->file_id);
    mwi_journal_items_write_run(&opened->head, &settings->run);
    mwi_journal_add(opened, MWI_JOURNAL_RUN,
                    &(struct mwi_journal_piece){opened->head.data, opened->head.size}, 1);
    mw_reason told_later;
    opened->has_lost_disk = is_new && opened->api->await(opened->disk, &told_later) != MW_OK;
    (void)mwi_journal_hurry(opened);
    *journal = opened;
    return MW_OK;
}
