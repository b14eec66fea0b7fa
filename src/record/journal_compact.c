/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the file several times: for what it has, for what the newest checkpoint makes of it, and
 * for copying. Records keep their order.
 *
 * Invariants: whoever opens the new file is given the same results, saved bytes and tasks as by the
 * old one, if the program goes on from its newest checkpoint. That is the only one then, and needs
 * no earlier ones. A result that was left out is still known by its run and task (records KNOWN),
 * since a slave may have kept it, and may offer it again.
 *
 * A new kind of record is copied, unless copy_record says otherwise.
 */
#include "record/journal_compact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "record/checkpoint_items.h"
#include "record/checkpoint_log.h"
#include "record/disk_file.h"
#include "record/journal_index.h"
#include "record/journal_items.h"
#include "wire/message.h"

/* So much is written between two waits for the disk. */
#define CHUNK_BYTES ((uint64_t)4 << 20)
#define PLACE_BITS 16
/* Of no record. */
#define NO_ORDINAL UINTPTR_MAX

static const struct mwi_disk_api *const api = &mwi_disk_file_api;

struct compacting {
    const char *path;
    mw_reason *why;
    bool keeps_failures;
    void *old, *fresh; /* disks */
    struct mwi_journal_reader reader;
    struct mwi_journal_writer writer;
    uint64_t awaited_bytes; /* of the new file */
    uint64_t damages_count;
    uintptr_t ordinal; /* of the record at work, from 1 on */
    struct mwi_checkpoint_log log;
    const struct mwi_checkpoint_run *newest; /* NULL: there is no checkpoint */
    struct mwi_journal_index results;
    /* Ordinals as pointers, by run and task: the last bytes that a task without a result has saved;
     * tasks that may not run twice and were sent. */
    struct mwi_map saved, begun;
    struct mwi_map sent;  /* as in record/journal_state.h */
    struct mwi_map tasks; /* of the checkpoint: ordinals of their last records, by number */
    uint64_t *left;       /* results that stay: offsets and places, in their order */
    size_t left_count, left_at;
    struct mwi_journal_known *known; /* results that do not */
    size_t known_count, known_capacity;
    struct mwi_buffer run, body, late;
    bool has_run;         /* `run` is to be written before the next record */
    uint64_t tasks_count; /* records of the checkpoint that were written */
};

static mw_error fail_text(struct compacting *compacting, mw_error error, const char *text)
{
    return mwi_journal_form_fail(compacting->why, compacting->path, error, text);
}

static mw_error fail_memory(struct compacting *compacting)
{
    return fail_text(compacting, MW_ENOMEM, "out of memory");
}

typedef bool visit_function(struct compacting *compacting, const struct mwi_journal_record *record);

/* Calls `visit` with each record. It returns false when memory has run out. */
static mw_error walk(struct compacting *compacting, visit_function *visit)
{
    struct mwi_journal_record record;
    mw_reason why;
    mwi_journal_reader_seek(&compacting->reader, MWI_JOURNAL_BEGIN_BYTES);
    compacting->ordinal = 0;
    compacting->damages_count = 0;
    for (;;) {
        switch (mwi_journal_reader_next(&compacting->reader, &record, &why)) {
        case MWI_JOURNAL_END:
            return MW_OK;
        case MWI_JOURNAL_FAILED:
            return fail_text(compacting, MW_EIO, why.text);
        case MWI_JOURNAL_DAMAGE:
            compacting->damages_count++;
            mwi_checkpoint_log_note_damage(&compacting->log, record.offset);
            continue;
        case MWI_JOURNAL_RECORD:
            break;
        }
        compacting->ordinal++;
        if (record.offset >= MWI_JOURNAL_OFFSET_MAX)
            return fail_text(compacting, MW_EFORMAT, "it is too large");
        if (!visit(compacting, &record))
            return compacting->why->text[0] != '\0' ? MW_EIO : fail_memory(compacting);
    }
}

static void *ordinal_of(const struct compacting *compacting)
{
    return (void *)compacting->ordinal;
}

static void note_answered(struct compacting *compacting, uint64_t part)
{
    uintptr_t count = (uintptr_t)mwi_map_get(&compacting->sent, part);
    if (count == 1)
        (void)mwi_map_remove(&compacting->sent, part);
    else if (count > 1)
        (void)mwi_map_set(&compacting->sent, part, (void *)(count - 1));
}

/* Whether a run that reads the file takes it for a result; see take_results in journal_open.c. */
static bool counts(const struct compacting *compacting, uint64_t number,
                   const struct mwi_journal_result *result)
{
    return result->form != MWI_PAYLOAD_FAILED || compacting->keeps_failures ||
           mwi_map_get(&compacting->begun, number) != NULL;
}

static bool find_results(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_journal_cursor cursor;
    struct mwi_journal_result result;
    mwi_journal_items_open_results(&cursor, record->body, record->size);
    if (!mwi_checkpoint_log_note_results(&compacting->log, record->offset, cursor.run))
        return false;
    for (size_t place = 0; place < MWI_JOURNAL_PLACE_MAX; place++) {
        if (!mwi_journal_items_next(&cursor, &result))
            return true;
        uint64_t number = mwi_journal_items_number(cursor.run, result.id);
        if (!counts(compacting, number, &result))
            continue;
        note_answered(compacting, mwi_journal_items_part(result.key));
        (void)mwi_map_remove(&compacting->saved, number);
        if (result.form != MWI_PAYLOAD_FAILED)
            (void)mwi_map_remove(&compacting->begun, number);
        if (!mwi_journal_index_add(&compacting->results, result.key, record->offset, place))
            return false;
    }
    return true;
}

static bool find_of_task(struct compacting *compacting, struct mwi_map *tasks,
                         const struct mwi_journal_record *record)
{
    struct mwi_journal_saved saved;
    return !mwi_journal_items_read_saved(&saved, record->body, record->size) ||
           mwi_map_set(tasks, mwi_journal_items_number(saved.run, saved.id),
                       ordinal_of(compacting));
}

static bool find_sent(struct compacting *compacting, const struct mwi_journal_record *record)
{
    uint64_t part;
    for (size_t i = 0; mwi_journal_items_read_part(&part, record->body, record->size, i); i++) {
        uintptr_t count = (uintptr_t)mwi_map_get(&compacting->sent, part);
        if (!mwi_map_set(&compacting->sent, part, (void *)(count + 1)))
            return false;
    }
    return true;
}

/* The first walk. */
static bool find_record(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_journal_run run;
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        return !mwi_journal_items_read_run(&run, record->body, record->size) ||
               mwi_checkpoint_log_note_run(&compacting->log, record->offset, run.number);
    case MWI_JOURNAL_RESULTS:
        return find_results(compacting, record);
    case MWI_JOURNAL_SAVED:
        return find_of_task(compacting, &compacting->saved, record);
    case MWI_JOURNAL_BEGUN:
        return find_of_task(compacting, &compacting->begun, record);
    case MWI_JOURNAL_SENT:
        return find_sent(compacting, record);
    case MWI_JOURNAL_TASKS:
    case MWI_JOURNAL_GONE:
    case MWI_JOURNAL_TAKEN:
    case MWI_JOURNAL_STATE:
        mwi_checkpoint_log_note_record(&compacting->log, record);
        return true;
    default:
        return true;
    }
}

static bool is_absorbed(void *context, uint64_t offset)
{
    return mwi_checkpoint_log_is_absorbed(context, offset);
}

static bool is_of_newest(const struct compacting *compacting, uint64_t offset)
{
    const struct mwi_checkpoint_run *newest = compacting->newest;
    return newest != NULL && offset >= newest->begin && offset <= newest->state;
}

static void settle_taken(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_digest key;
    uint64_t offset;
    size_t place;
    for (size_t i = 0; mwi_journal_items_read_key(&key, record->body, record->size, i); i++)
        (void)mwi_journal_index_take(&compacting->results, key, &offset, &place);
}

static bool settle_tasks(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    while (mwi_checkpoint_items_next(&reader, &item))
        if (!mwi_map_set(&compacting->tasks, item.id, ordinal_of(compacting)))
            return false;
    return true;
}

static void settle_gone(struct compacting *compacting, const struct mwi_journal_record *record)
{
    uint64_t id;
    for (size_t i = 0; (id = mwi_checkpoint_items_id(record->body, record->size, i)) != 0; i++)
        (void)mwi_map_remove(&compacting->tasks, id);
}

/* The second walk. */
static bool settle_record(struct compacting *compacting, const struct mwi_journal_record *record)
{
    bool is_of_state = mwi_checkpoint_log_is_absorbed(&compacting->log, record->offset);
    if (record->kind == MWI_JOURNAL_TAKEN && is_of_state)
        settle_taken(compacting, record);
    if (record->kind == MWI_JOURNAL_GONE && is_of_newest(compacting, record->offset))
        settle_gone(compacting, record);
    return record->kind != MWI_JOURNAL_TASKS || !is_of_newest(compacting, record->offset) ||
           settle_tasks(compacting, record);
}

static bool note_left(void *context, uint64_t offset, size_t place)
{
    struct compacting *compacting = context;
    compacting->left[compacting->left_count++] = offset << PLACE_BITS | place;
    return true;
}

static int compare_places(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one, right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

static mw_error find_left(struct compacting *compacting)
{
    compacting->left = calloc(compacting->results.left_count + 1, sizeof *compacting->left);
    if (compacting->left == NULL)
        return fail_memory(compacting);
    mwi_journal_index_visit_left(&compacting->results, note_left, compacting);
    qsort(compacting->left, compacting->left_count, sizeof *compacting->left, compare_places);
    return MW_OK;
}

/* Whether the result at this place stays. Results are asked for in their order. */
static bool is_left(struct compacting *compacting, uint64_t offset, size_t place)
{
    bool is_next = compacting->left_at < compacting->left_count &&
                   compacting->left[compacting->left_at] == (offset << PLACE_BITS | place);
    compacting->left_at += is_next;
    return is_next;
}

/* The third walk: if a task's result does not stay, its beginning does not, either. The entry
 * stays, since `counts` asks for it. */
static bool settle_begun(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_journal_cursor cursor;
    struct mwi_journal_result result;
    if (record->kind != MWI_JOURNAL_RESULTS)
        return true;
    mwi_journal_items_open_results(&cursor, record->body, record->size);
    for (size_t place = 0; mwi_journal_items_next(&cursor, &result); place++) {
        uint64_t number = mwi_journal_items_number(cursor.run, result.id);
        bool is_kept = is_left(compacting, record->offset, place);
        if (!is_kept && mwi_map_get(&compacting->begun, number) != NULL)
            (void)mwi_map_set(&compacting->begun, number, (void *)NO_ORDINAL);
    }
    return true;
}

/* False if memory runs out, or, with a sentence, if the disk fails. */
static bool write_pieces(struct compacting *compacting, enum mwi_journal_kind kind,
                         const struct mwi_journal_piece *pieces, size_t count)
{
    if (compacting->has_run) {
        compacting->has_run = false;
        const struct mwi_journal_piece run = {compacting->run.data, compacting->run.size};
        (void)mwi_journal_write(&compacting->writer, MWI_JOURNAL_RUN, &run, 1);
    }
    (void)mwi_journal_write(&compacting->writer, kind, pieces, count);
    if (compacting->writer.has_failed)
        return false;
    uint64_t size = api->size(compacting->fresh);
    if (size - compacting->awaited_bytes < CHUNK_BYTES)
        return true;
    compacting->awaited_bytes = size;
    return api->await(compacting->fresh, compacting->why) == MW_OK;
}

static bool write_body(struct compacting *compacting, enum mwi_journal_kind kind,
                       const struct mwi_buffer *body)
{
    const struct mwi_journal_piece piece = {body->data, body->size};
    return !body->has_failed && write_pieces(compacting, kind, &piece, 1);
}

static bool copy(struct compacting *compacting, const struct mwi_journal_record *record)
{
    const struct mwi_journal_piece piece = {record->body, record->size};
    return write_pieces(compacting, record->kind, &piece, 1);
}

static bool note_known(struct compacting *compacting, uint64_t run, uint64_t id)
{
    if (compacting->known_count == compacting->known_capacity) {
        size_t capacity = compacting->known_capacity == 0 ? 256 : 2 * compacting->known_capacity;
        struct mwi_journal_known *known = realloc(compacting->known, capacity * sizeof *known);
        if (known == NULL)
            return false;
        compacting->known = known;
        compacting->known_capacity = capacity;
    }
    compacting->known[compacting->known_count++] = (struct mwi_journal_known){run, id, id};
    return true;
}

static bool begin_results(struct compacting *compacting, const struct mwi_journal_cursor *cursor)
{
    char *algorithm = strndup(cursor->algorithm.data, cursor->algorithm.size);
    if (algorithm == NULL)
        return false;
    mwi_buffer_clear(&compacting->body);
    mwi_journal_items_begin_results(&compacting->body, cursor->run, algorithm);
    free(algorithm);
    return true;
}

/* Failures that no run takes for results are copied: another option may want them. */
static bool copy_results(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_journal_cursor cursor;
    struct mwi_journal_result result;
    bool is_of_state = mwi_checkpoint_log_is_absorbed(&compacting->log, record->offset);
    size_t kept_count = 0;
    mwi_journal_items_open_results(&cursor, record->body, record->size);
    if (cursor.is_broken)
        return true;
    if (!begin_results(compacting, &cursor))
        return false;
    for (size_t place = 0; mwi_journal_items_next(&cursor, &result); place++) {
        uint64_t number = mwi_journal_items_number(cursor.run, result.id);
        bool is_kept = counts(compacting, number, &result)
                           ? is_left(compacting, record->offset, place)
                           : !is_of_state;
        if (is_kept)
            mwi_journal_items_append(&compacting->body, &result);
        else if (!note_known(compacting, cursor.run, result.id))
            return false;
        kept_count += is_kept;
    }
    return kept_count == 0 || write_body(compacting, MWI_JOURNAL_RESULTS, &compacting->body);
}

/* A record about one task is copied if it is the task's last. */
static bool copy_of_task(struct compacting *compacting, const struct mwi_map *tasks,
                         const struct mwi_journal_record *record)
{
    struct mwi_journal_saved saved;
    if (!mwi_journal_items_read_saved(&saved, record->body, record->size) ||
        mwi_map_get(tasks, mwi_journal_items_number(saved.run, saved.id)) != ordinal_of(compacting))
        return true;
    return copy(compacting, record);
}

/* Writes those tasks of the record for which no later one stands. */
static bool copy_tasks(struct compacting *compacting, const struct mwi_journal_record *record)
{
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    size_t count = 0;
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    char *algorithm = reader.is_broken ? NULL : strndup(reader.algorithm, reader.algorithm_size);
    if (algorithm == NULL)
        return reader.is_broken;
    mwi_buffer_clear(&compacting->body);
    mwi_checkpoint_items_begin(&compacting->body, algorithm);
    free(algorithm);
    while (mwi_checkpoint_items_next(&reader, &item)) {
        if (mwi_map_get(&compacting->tasks, item.id) != ordinal_of(compacting))
            continue;
        mwi_checkpoint_items_append(&compacting->body, &item);
        count++;
    }
    if (count == 0)
        return true;
    compacting->tasks_count++;
    return write_body(compacting, MWI_JOURNAL_TASKS, &compacting->body);
}

/* The checkpoint needs no earlier one any more. */
static bool copy_state(struct compacting *compacting, const struct mwi_journal_record *record)
{
    unsigned char head[MWI_CHECKPOINT_HEAD_BYTES];
    mwi_checkpoint_log_write_head(head, compacting->tasks_count, 0);
    const struct mwi_journal_piece pieces[] = {
        {head, sizeof head}, {record->body + sizeof head, record->size - sizeof head}};
    return write_pieces(compacting, MWI_JOURNAL_STATE, pieces, 2);
}

/* A run begins. If nothing of the run before is needed, its record is left out. */
static bool copy_run(struct compacting *compacting, const struct mwi_journal_record *record)
{
    mwi_buffer_clear(&compacting->run);
    mwi_buffer_append(&compacting->run, record->body, record->size);
    compacting->has_run = true;
    return !compacting->run.has_failed;
}

/* Gathers the tasks that were sent and have no result. */
static bool gather_late(struct compacting *compacting, const struct mwi_journal_record *record)
{
    uint64_t part;
    for (size_t i = 0; mwi_journal_items_read_part(&part, record->body, record->size, i); i++) {
        if (mwi_map_get(&compacting->sent, part) == NULL)
            continue;
        note_answered(compacting, part);
        mwi_journal_items_append_part(&compacting->late, part);
    }
    return true;
}

/* The last walk. The keys of tasks that were sent are written at the end. */
static bool copy_record(struct compacting *compacting, const struct mwi_journal_record *record)
{
    bool is_of_checkpoint = is_of_newest(compacting, record->offset);
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        return copy_run(compacting, record);
    case MWI_JOURNAL_RESULTS:
        return copy_results(compacting, record);
    case MWI_JOURNAL_SAVED:
        return copy_of_task(compacting, &compacting->saved, record);
    case MWI_JOURNAL_BEGUN:
        return copy_of_task(compacting, &compacting->begun, record);
    case MWI_JOURNAL_TASKS:
        return !is_of_checkpoint || copy_tasks(compacting, record);
    case MWI_JOURNAL_STATE:
        return !is_of_checkpoint || record->offset != compacting->newest->state ||
               copy_state(compacting, record);
    case MWI_JOURNAL_SENT:
        return gather_late(compacting, record);
    case MWI_JOURNAL_GONE:
    case MWI_JOURNAL_TAKEN:
        return true;
    default:
        return copy(compacting, record);
    }
}

static int compare_known(const void *one, const void *other)
{
    const struct mwi_journal_known *left = one, *right = other;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* Writes the results that were left out, as ranges of tasks of one run. */
static bool write_known(struct compacting *compacting)
{
    struct mwi_journal_known *known = compacting->known;
    size_t count = compacting->known_count;
    if (count == 0)
        return true;
    qsort(known, count, sizeof *known, compare_known);
    mwi_buffer_clear(&compacting->body);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && known[end].run == known[begin].run &&
                              known[end].first - known[end - 1].first <= 1;
             end++)
            ;
        known[begin].last = known[end - 1].first;
        mwi_journal_items_append_known(&compacting->body, &known[begin]);
    }
    return write_body(compacting, MWI_JOURNAL_KNOWN, &compacting->body);
}

/* An empty run is the last one of the file. */
static bool write_last_run(struct compacting *compacting)
{
    bool has_run = compacting->has_run;
    compacting->has_run = false;
    return !has_run || write_body(compacting, MWI_JOURNAL_RUN, &compacting->run);
}

/* Behind all results, so that none of them answers these. */
static bool write_late(struct compacting *compacting)
{
    return compacting->late.size == 0 ||
           write_body(compacting, MWI_JOURNAL_SENT, &compacting->late);
}

static mw_error write_all(struct compacting *compacting)
{
    mw_error error = walk(compacting, copy_record);
    if (error != MW_OK)
        return error;
    compacting->why->text[0] = '\0';
    if (write_last_run(compacting) && write_late(compacting) && write_known(compacting))
        return api->await(compacting->fresh, compacting->why);
    return compacting->why->text[0] != '\0' ? MW_EIO : fail_memory(compacting);
}

static mw_error read_old(struct compacting *compacting)
{
    mw_error error = walk(compacting, find_record);
    if (error != MW_OK)
        return error;
    mwi_checkpoint_log_seal(&compacting->log);
    if (mwi_checkpoint_log_is_damaged(&compacting->log))
        return fail_text(compacting, MW_EFORMAT, "its newest checkpoint is damaged");
    compacting->newest = mwi_checkpoint_log_newest(&compacting->log);
    mwi_journal_index_sort(&compacting->results);
    mwi_journal_index_absorb(&compacting->results, is_absorbed, &compacting->log);
    error = walk(compacting, settle_record);
    if (error == MW_OK)
        error = find_left(compacting);
    if (error == MW_OK && compacting->begun.used_count > 0)
        error = walk(compacting, settle_begun);
    compacting->left_at = 0;
    return error;
}

/* Opens the new file, empty, with a number of its own. */
static mw_error open_fresh(struct compacting *compacting, uint64_t file_id)
{
    char *path = malloc(strlen(compacting->path) + sizeof ".new");
    if (path == NULL)
        return fail_memory(compacting);
    sprintf(path, "%s.new", compacting->path);
    mw_error error = api->open(&compacting->fresh, path, NULL, compacting->why);
    free(path);
    if (error == MW_OK)
        error = api->truncate(compacting->fresh, 0, compacting->why);
    if (error != MW_OK)
        return error;
    uint64_t fresh_id = mwi_digest_64(api->size(compacting->old), &file_id, sizeof file_id);
    mwi_journal_form_begin(api, compacting->fresh, fresh_id);
    mwi_journal_writer_init(&compacting->writer, api, compacting->fresh, fresh_id);
    return MW_OK;
}

static mw_error rewrite(struct compacting *compacting, struct mwi_journal_compaction *outcome)
{
    uint64_t file_id;
    mw_reason why;
    mw_error error = api->open(&compacting->old, compacting->path, NULL, compacting->why);
    if (error != MW_OK)
        return error;
    error = mwi_journal_form_recognise(api, compacting->old, &file_id, &why);
    if (error != MW_OK)
        return fail_text(compacting, error, why.text);
    if (!mwi_journal_reader_init(&compacting->reader, api, compacting->old, file_id))
        return fail_memory(compacting);
    compacting->why->text[0] = '\0';
    error = read_old(compacting);
    if (error == MW_OK)
        error = open_fresh(compacting, file_id);
    if (error == MW_OK)
        error = write_all(compacting);
    if (error == MW_OK)
        error = mwi_disk_file_replace(compacting->old, compacting->fresh, compacting->why);
    if (error == MW_OK)
        *outcome = (struct mwi_journal_compaction){.before_bytes = api->size(compacting->old),
                                                   .after_bytes = api->size(compacting->fresh),
                                                   .damages_count = compacting->damages_count};
    return error;
}

mw_error mwi_journal_compact(const char *path, bool keeps_failures,
                             struct mwi_journal_compaction *outcome, mw_reason *why)
{
    struct compacting compacting = {.path = path, .why = why, .keeps_failures = keeps_failures};
    struct mwi_map *maps[] = {&compacting.saved, &compacting.begun, &compacting.sent,
                              &compacting.tasks};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        mwi_map_init(maps[i]);
    mwi_buffer_init(&compacting.run);
    mwi_buffer_init(&compacting.body);
    mwi_buffer_init(&compacting.late);
    mwi_buffer_init(&compacting.writer.fragment);
    mwi_buffer_init(&compacting.reader.record);
    mw_error error = rewrite(&compacting, outcome);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        mwi_map_fini(maps[i]);
    mwi_buffer_fini(&compacting.run);
    mwi_buffer_fini(&compacting.body);
    mwi_buffer_fini(&compacting.late);
    mwi_journal_writer_fini(&compacting.writer);
    mwi_journal_reader_fini(&compacting.reader);
    mwi_checkpoint_log_fini(&compacting.log);
    mwi_journal_index_fini(&compacting.results);
    free(compacting.left);
    free(compacting.known);
    api->close(compacting.fresh);
    api->close(compacting.old);
    return error;
}
