/* SPDX-License-Identifier: Apache-2.0
 *
 * One journal. Opening reads the whole file once, and appends a record of this run. Afterwards the
 * engine appends results, and face/master_journal takes those of earlier runs.
 *
 * Invariants: small results of one algorithm gather in `gathered`, and become a record when that is
 * large, or when another record is to be appended, or at a flush. So records lie in the order in
 * which they were added. Results of this run are in no index: they are for the next run.
 * After a failure nothing is appended; the file then ends with what was written before.
 *
 * The end of the file that is not whole is cut off when it is opened. Damage in the middle stays,
 * and is counted. To give another kind of record to a later run, take it in take_record.
 */
#include "record/journal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "record/checkpoint_log.h"
#include "record/journal_index.h"
#include "wire/message.h"

/* A record of results is closed at this size, so that a result is found in it quickly. */
#define GATHERED_BYTES ((size_t)4096)
/* If a key has more results than this, the last of them are looked at for one that is offered. */
#define LOOKS_MAX 4096
/* The disk is behind when this many bytes are not durable. */
#define BEHIND_BYTES ((uint64_t)64 << 20)

struct mwi_journal {
    const struct mwi_disk_api *api;
    void *disk;
    char *path;
    uint64_t file_id, run;
    int64_t sync_ns;
    struct mwi_journal_writer writer;
    struct mwi_buffer gathered; /* the body of a record of results; empty: none was begun */
    const char *gathered_algorithm;
    uint64_t gathered_run;
    size_t gathered_count;
    struct mwi_buffer head;           /* of the record at work */
    bool has_unflushed;               /* something was appended since the last flush */
    bool is_behind;                   /* at the last flush */
    uint64_t durable_bytes;           /* at least, see note_behind */
    bool has_lost_disk;               /* the disk has told that it has failed */
    struct mwi_journal_index results; /* of earlier runs */
    struct mwi_journal_index saved;
    struct mwi_journal_index begun; /* tasks that may not run twice, and may have run */
    struct mwi_map sent; /* how many tasks were sent and have no result, by a part of their key */
    struct mwi_buffer known; /* struct mwi_journal_known: of results that a rewrite has left out */
    struct mwi_checkpoint_log checkpoints; /* of earlier runs */
    uint64_t restored;                     /* the STATE that this run has gone on from; 0: none */
    uint64_t checkpoint_records_count;     /* of this run */
    bool has_noted_taken;                  /* there was a checkpoint in this run */
    struct mwi_buffer taken; /* the keys of results that were taken since the last one */
    struct mwi_journal_reader reader;
    uint64_t loaded; /* the offset of the record that is in the reader; 0: none */
    struct mwi_journal_record record;
    /* Stands in the record at offset `walked`, at the result of number `place`: those of a record
     * are asked for one after the other as a rule. */
    struct mwi_journal_cursor results_cursor;
    uint64_t walked;
    size_t place;
};

/* One more task of this part was sent; false out of memory. The map has counts as pointers. */
static bool note_sent(struct mwi_map *sent, uint64_t part)
{
    uintptr_t count = (uintptr_t)mwi_map_get(sent, part);
    return mwi_map_set(sent, part, (void *)(count + 1));
}

static mw_error fail_path(mw_reason *why, const char *path, mw_error error, const char *text)
{
    mw_reason sentence;
    snprintf(sentence.text, sizeof sentence.text, "%.200s: %.250s", path, text);
    *why = sentence;
    return error;
}

/* Writes how a part of the identity differs. */
static void tell_difference(mw_reason *why, const char *what, struct mwi_journal_text was,
                            struct mwi_journal_text is)
{
    int was_size = was.size < 60 ? (int)was.size : 60, is_size = is.size < 60 ? (int)is.size : 60;
    snprintf(why->text, sizeof why->text, "%s were \"%.*s\", and are \"%.*s\" now", what, was_size,
             was.data, is_size, is.data);
}

static bool is_same_text(struct mwi_journal_text one, struct mwi_journal_text other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

/* Whether results of one program may stand for those of the other. *why says how they differ; it is
 * also set if they differ in something for which the program vouches by its version. */
static bool may_stand_for(const struct mwi_journal_identity *was,
                          const struct mwi_journal_identity *is, mw_reason *why)
{
    bool is_vouched = is->version.size > 0 && is_same_text(was->version, is->version);
    why->text[0] = '\0';
    if (!is_same_text(was->names, is->names)) {
        tell_difference(why, "its task algorithms", was->names, is->names);
        return false;
    }
    if (!is_same_text(was->version, is->version)) {
        snprintf(why->text, sizeof why->text, "its version was \"%.*s\", and is \"%.*s\" now",
                 (int)(was->version.size < 60 ? was->version.size : 60), was->version.data,
                 (int)(is->version.size < 60 ? is->version.size : 60), is->version.data);
        return false;
    }
    if (!is_same_text(was->arguments, is->arguments)) {
        tell_difference(why, "its arguments", was->arguments, is->arguments);
        return is_vouched;
    }
    if (!is_same_text(was->executable, is->executable)) {
        snprintf(why->text, sizeof why->text, "its executable file is another one");
        return is_vouched;
    }
    return true;
}

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
    if (!mwi_checkpoint_log_begin(&opening->journal->checkpoints, record->offset, run.number))
        return fail_path(opening->why, settings->path, MW_ENOMEM, "out of memory");
    bool may_go_on = may_stand_for(&run.identity, &settings->run.identity, &difference);
    if (difference.text[0] != '\0')
        opening->findings->difference = difference;
    if (may_go_on || settings->is_accepted)
        return MW_OK;
    char text[400];
    snprintf(text, sizeof text,
             "it is the journal of another program: %.300s (--mw-journal-accept goes on)",
             difference.text);
    return fail_path(opening->why, settings->path, MW_EUSAGE, text);
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
    if (!mwi_checkpoint_log_results(&opening->journal->checkpoints, record->offset, results.run))
        return fail_path(opening->why, opening->settings->path, MW_ENOMEM, "out of memory");
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
            return fail_path(opening->why, opening->settings->path, MW_ENOMEM, "out of memory");
    }
    return MW_OK;
}

static mw_error take_all_sent(struct opening *opening, const struct mwi_journal_record *record)
{
    uint64_t part;
    for (size_t i = 0; mwi_journal_items_read_part(&part, record->body, record->size, i); i++)
        if (!note_sent(&opening->journal->sent, part))
            return fail_path(opening->why, opening->settings->path, MW_ENOMEM, "out of memory");
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
        return fail_path(opening->why, opening->settings->path, MW_ENOMEM, "out of memory");
    }
    *entry = (struct task_entry){saved.key, record->offset};
    return MW_OK;
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
        return fail_path(opening->why, opening->settings->path, MW_ENOMEM, "out of memory");
    return MW_OK;
}

static mw_error take_record(struct opening *opening, const struct mwi_journal_record *record)
{
    if (record->offset >= MWI_JOURNAL_OFFSET_MAX)
        return fail_path(opening->why, opening->settings->path, MW_EFORMAT, "it is too large");
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        return take_run(opening, record);
    case MWI_JOURNAL_RESULTS:
        return take_results(opening, record);
    case MWI_JOURNAL_SAVED:
        return take_of_task(opening, &opening->saved, record);
    case MWI_JOURNAL_BEGUN:
        return take_of_task(opening, &opening->begun, record);
    case MWI_JOURNAL_SENT:
        return take_all_sent(opening, record);
    case MWI_JOURNAL_KNOWN:
        return take_known(opening, record);
    case MWI_JOURNAL_TASKS:
    case MWI_JOURNAL_GONE:
    case MWI_JOURNAL_TAKEN:
    case MWI_JOURNAL_STATE:
        mwi_checkpoint_log_take(&opening->journal->checkpoints, record);
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
            return fail_path(opening->why, opening->settings->path, MW_EIO, why.text);
        if (step == MWI_JOURNAL_END)
            break;
        if (step == MWI_JOURNAL_DAMAGE) {
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
    if (pending_count > 0)
        findings->torn_bytes = opening->journal->api->size(opening->journal->disk) - record.offset;
    return MW_OK;
}

/* A wrong state is worse than a stop. */
static mw_error judge_checkpoints(struct opening *opening)
{
    const struct mwi_checkpoint_log *log = &opening->journal->checkpoints;
    opening->findings->is_checkpoint_damaged = mwi_checkpoint_log_is_damaged(log);
    if (!opening->findings->is_checkpoint_damaged || mwi_checkpoint_log_newest(log) != NULL ||
        opening->settings->is_accepted)
        return MW_OK;
    return fail_path(opening->why, opening->settings->path, MW_EFORMAT,
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
        return fail_path(opening->why, path, error, why.text);
    if (!mwi_journal_reader_init(&journal->reader, journal->api, journal->disk, journal->file_id))
        return fail_path(opening->why, path, MW_ENOMEM, "out of memory");
    error = read_all(opening, &end_bytes);
    bool has_saved = settle(&opening->saved, &journal->saved, error == MW_OK);
    bool has_begun = settle(&opening->begun, &journal->begun, error == MW_OK);
    if (!has_saved || !has_begun)
        return fail_path(opening->why, path, MW_ENOMEM, "out of memory");
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
    return error == MW_OK ? MW_OK : fail_path(opening->why, path, error, why.text);
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
        return fail_path(opening->why, settings->path, error, why.text);
    journal->file_id = settings->run.number;
    mwi_journal_form_begin(journal->api, journal->disk, journal->file_id);
    if (!mwi_journal_reader_init(&journal->reader, journal->api, journal->disk, journal->file_id))
        return fail_path(opening->why, settings->path, MW_ENOMEM, "out of memory");
    return MW_OK;
}

mw_error mwi_journal_open(struct mwi_journal **journal, const struct mwi_journal_settings *settings,
                          struct mwi_journal_findings *findings, mw_reason *why)
{
    struct mwi_journal *opened = calloc(1, sizeof *opened);
    *findings = (struct mwi_journal_findings){0};
    if (opened == NULL)
        return fail_path(why, settings->path, MW_ENOMEM, "out of memory");
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
            ? fail_path(why, settings->path, MW_ENOMEM, "out of memory")
            : opened->api->open(&opened->disk, settings->path, settings->environment, why);
    if (error == MW_OK)
        error = read_or_begin(&opening);
    if (error != MW_OK) {
        mwi_journal_close(opened);
        return error;
    }
    mwi_journal_writer_init(&opened->writer, opened->api, opened->disk, opened->file_id);
    mwi_journal_items_write_run(&opened->head, &settings->run);
    mwi_journal_add(opened, MWI_JOURNAL_RUN,
                    &(struct mwi_journal_piece){opened->head.data, opened->head.size}, 1);
    (void)mwi_journal_hurry(opened);
    *journal = opened;
    return MW_OK;
}

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

bool mwi_journal_take_begun(struct mwi_journal *journal, struct mwi_digest key)
{
    uint64_t offset;
    size_t place;
    return mwi_journal_index_take(&journal->begun, key, &offset, &place);
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
        return fail_path(why, journal->path, MW_ENOMEM, "out of memory");
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

/* Reads the record at this offset, unless it is there. */
static mw_error load_record(struct mwi_journal *journal, uint64_t offset, mw_reason *why)
{
    if (journal->loaded == offset)
        return MW_OK;
    mw_reason reason;
    journal->loaded = 0;
    journal->walked = 0;
    mwi_journal_reader_seek(&journal->reader, offset);
    switch (mwi_journal_reader_next(&journal->reader, &journal->record, &reason)) {
    case MWI_JOURNAL_RECORD:
        if (journal->record.offset == offset) {
            journal->loaded = offset;
            return MW_OK;
        }
        break;
    case MWI_JOURNAL_FAILED:
        return fail_path(why, journal->path, MW_EIO, reason.text);
    default:
        break;
    }
    snprintf(reason.text, sizeof reason.text, "the record at offset %llu has changed",
             (unsigned long long)offset);
    return fail_path(why, journal->path, MW_EIO, reason.text);
}

/* Sets *result to that of number `place` in the record that is loaded; false if there is none. */
static bool find_result(struct mwi_journal *journal, size_t place,
                        struct mwi_journal_result *result)
{
    assert(journal->loaded != 0);
    if (journal->walked != journal->loaded || place < journal->place) {
        mwi_journal_items_open_results(&journal->results_cursor, journal->record.body,
                                       journal->record.size);
        journal->walked = journal->loaded;
        journal->place = 0;
    }
    while (mwi_journal_items_next(&journal->results_cursor, result))
        if (journal->place++ == place)
            return true;
    return false;
}

static mw_error copy_out(struct mwi_journal_replay *replay, const unsigned char *data, size_t size,
                         mw_reason *why)
{
    replay->block = mwi_block_copy(data, size, &replay->data);
    replay->size = size;
    if (replay->block != NULL)
        return MW_OK;
    snprintf(why->text, sizeof why->text, "out of memory");
    return MW_ENOMEM;
}

mw_error mwi_journal_take(struct mwi_journal *journal, struct mwi_digest key,
                          struct mwi_journal_replay *replay, mw_reason *why)
{
    struct mwi_journal_result result;
    uint64_t offset;
    size_t place;
    if (!mwi_journal_index_take(&journal->results, key, &offset, &place))
        return MW_ESTATE;
    mw_error error = load_record(journal, offset, why);
    if (error != MW_OK)
        return error;
    if (!find_result(journal, place, &result) || result.key.low != key.low ||
        result.key.high != key.high)
        return fail_path(why, journal->path, MW_EIO, "a record has changed");
    replay->duration_ns = result.duration_ns;
    replay->form = result.form;
    if (journal->has_noted_taken)
        mwi_journal_items_append_key(&journal->taken, key);
    return copy_out(replay, result.data, result.size, why);
}

mw_error mwi_journal_take_saved(struct mwi_journal *journal, struct mwi_digest key,
                                struct mwi_journal_replay *replay, mw_reason *why)
{
    struct mwi_journal_saved saved;
    uint64_t offset;
    size_t place;
    if (!mwi_journal_index_take(&journal->saved, key, &offset, &place))
        return MW_ESTATE;
    mw_error error = load_record(journal, offset, why);
    if (error != MW_OK)
        return error;
    if (!mwi_journal_items_read_saved(&saved, journal->record.body, journal->record.size))
        return fail_path(why, journal->path, MW_EIO, "a record has changed");
    replay->duration_ns = 0;
    replay->form = 0;
    return copy_out(replay, saved.data, saved.size, why);
}

/* Whether the result at this place is of this run and task, or cannot be read. */
static bool is_result_of(struct mwi_journal *journal, uint64_t offset, size_t place, uint64_t run,
                         uint64_t id)
{
    struct mwi_journal_result result;
    mw_reason why;
    if (load_record(journal, offset, &why) != MW_OK)
        return true;
    if (!find_result(journal, place, &result))
        return true;
    return journal->results_cursor.run == run && result.id == id;
}

static bool was_left_out(const struct mwi_journal *journal, uint64_t run, uint64_t id)
{
    const struct mwi_journal_known *known = (const void *)journal->known.data;
    for (size_t i = 0; i < journal->known.size / sizeof *known; i++)
        if (known[i].run == run && known[i].first <= id && id <= known[i].last)
            return true;
    return false;
}

bool mwi_journal_knows(struct mwi_journal *journal, struct mwi_digest key, uint64_t run,
                       uint64_t id)
{
    uint64_t offset;
    size_t place;
    if (was_left_out(journal, run, id))
        return true;
    for (size_t back = 0; back < LOOKS_MAX; back++) {
        if (!mwi_journal_index_look(&journal->results, key, back, &offset, &place))
            return false;
        if (is_result_of(journal, offset, place, run, id))
            return true;
    }
    return true;
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

bool mwi_journal_take_sent(struct mwi_journal *journal, struct mwi_digest key)
{
    uint64_t part = mwi_journal_items_part(key);
    uintptr_t count = (uintptr_t)mwi_map_get(&journal->sent, part);
    if (count == 0)
        return false;
    if (count == 1)
        (void)mwi_map_remove(&journal->sent, part);
    else
        (void)mwi_map_set(&journal->sent, part, (void *)(count - 1));
    return true;
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
    return fail_path(restoring->why, restoring->journal->path, error, text);
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
static mw_error walk_beginnings(struct restoring *restoring, const struct mwi_checkpoint_run *run)
{
    const struct mwi_checkpoint_log *log = &restoring->journal->checkpoints;
    struct restoring silent = *restoring;
    silent.take = NULL;
    if (run == NULL)
        return MW_OK;
    mw_error error = walk_beginnings(restoring, mwi_checkpoint_log_before(log, run));
    return error == MW_OK ? walk_run(&silent, run) : error;
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
    const struct mwi_checkpoint_log *log = &journal->checkpoints;
    const struct mwi_checkpoint_run *run = mwi_checkpoint_log_newest(log);
    assert(run != NULL);
    mwi_journal_index_absorb(&journal->results, is_absorbed, &journal->checkpoints);
    mw_error error = walk_beginnings(&restoring, mwi_checkpoint_log_before(log, run));
    if (error == MW_OK)
        error = walk_run(&restoring, run);
    if (error != MW_OK)
        return error;
    mwi_journal_index_settle(&journal->results);
    journal->restored = run->state;
    return copy_out(state, journal->record.body + MWI_CHECKPOINT_HEAD_BYTES,
                    journal->record.size - MWI_CHECKPOINT_HEAD_BYTES, why);
}
