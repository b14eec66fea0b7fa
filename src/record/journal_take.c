/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes what earlier runs have left, out of the indexes that journal_open has filled. The records
 * themselves are read from the file when they are asked for.
 *
 * Invariants: `loaded` is the offset of the record that is in the reader, and the cursor stands in
 * the record at offset `walked`. Both are 0 while the reader is elsewhere, as in journal_restore.
 */
#include "record/journal_take.h"

#include <assert.h>
#include <stdio.h>

#include "record/journal_state.h"
#include "wire/content.h"

/* If a key has more results than this, only the last of them are looked at for one that is offered.
 * If it is not among them, it counts as known and is dropped: work may be lost, and no result is
 * there twice. To look at all of them takes up to a millisecond. */
#define LOOKS_MAX 4096

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
        return mwi_journal_form_fail(why, journal->path, MW_EIO, reason.text);
    default:
        break;
    }
    snprintf(reason.text, sizeof reason.text, "the record at offset %llu has changed",
             (unsigned long long)offset);
    return mwi_journal_form_fail(why, journal->path, MW_EIO, reason.text);
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

mw_error mwi_journal_copy_replay(struct mwi_journal_replay *replay, const unsigned char *data,
                                 size_t size, mw_reason *why)
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
    if (!find_result(journal, place, &result) || !mwi_content_is_same(result.key, key))
        return mwi_journal_form_fail(why, journal->path, MW_EIO, "a record has changed");
    replay->duration_ns = result.duration_ns;
    replay->form = result.form;
    error = mwi_journal_copy_replay(replay, result.data, result.size, why);
    if (error == MW_OK && journal->has_noted_taken)
        mwi_journal_items_append_key(&journal->taken, key);
    return error;
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
    if (!mwi_journal_items_read_saved(&saved, journal->record.body, journal->record.size) ||
        !mwi_content_is_same(saved.key, key))
        return mwi_journal_form_fail(why, journal->path, MW_EIO, "a record has changed");
    replay->duration_ns = 0;
    replay->form = 0;
    return mwi_journal_copy_replay(replay, saved.data, saved.size, why);
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

bool mwi_journal_take_begun(struct mwi_journal *journal, struct mwi_digest key)
{
    uint64_t offset;
    size_t place;
    return mwi_journal_index_take(&journal->begun, key, &offset, &place);
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
