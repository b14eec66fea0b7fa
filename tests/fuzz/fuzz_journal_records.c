/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal file of any records, whose checksums are right, is opened, all is taken from it, a
 * result is added, and it is opened again.
 *
 * If the first byte of the input is below 128, the others are the file, or all behind its
 * beginning. Else the others choose records of all kinds, which are written properly, and changes
 * of single bytes of the file.
 *
 * These promises must hold: opening fails with a sentence or not at all; a result that is taken is
 * one that was written; and what was added is there the next time.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mwt_disk.h"
#include "record/checkpoint_items.h"
#include "record/checkpoint_log.h"
#include "record/journal_open.h"
#include "record/journal_restore.h"

#define KEYS_COUNT 8
#define ADDED_KEY 100
#define FILE_ID 77

/* The input. Its bytes are taken one after the other; zeros follow its end. */
struct input {
    const uint8_t *at, *end;
};

static uint8_t take_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static struct mwi_journal_text text_of(const char *string)
{
    return (struct mwi_journal_text){string, strlen(string)};
}

static struct mwi_digest key_of(unsigned number)
{
    return mwi_digest_make(1, &number, sizeof number);
}

static struct mwi_journal_run make_run(uint64_t number)
{
    return (struct mwi_journal_run){
        .number = number, .identity = {.names = text_of("alpha"), .version = text_of("7")}};
}

/* A result whose bytes are all the number of its key. */
static struct mwi_journal_result make_result(unsigned key, size_t size)
{
    static unsigned char data[256];
    memset(data, (int)key, sizeof data);
    return (struct mwi_journal_result){
        .key = key_of(key), .id = key + 1, .form = 1, .size = size % sizeof data, .data = data};
}

static void write_results(struct mwi_buffer *body, struct input *input)
{
    unsigned count = take_byte(input) % 8u;
    mwi_journal_items_begin_results(body, 1 + take_byte(input) % 4u, "alpha");
    for (unsigned i = 0; i < count; i++) {
        unsigned key = take_byte(input) % KEYS_COUNT;
        struct mwi_journal_result result = make_result(key, take_byte(input));
        mwi_journal_items_append(body, &result);
    }
}

static void write_saved(struct mwi_buffer *body, struct input *input)
{
    unsigned key = take_byte(input) % KEYS_COUNT;
    struct mwi_journal_result result = make_result(key, take_byte(input));
    struct mwi_journal_saved saved = {
        .run = 1 + take_byte(input) % 4u, .id = key + 1, .key = result.key};
    mwi_journal_items_write_saved_head(body, &saved);
    mwi_buffer_append(body, result.data, result.size);
}

static void write_tasks(struct mwi_buffer *body, struct input *input)
{
    unsigned count = take_byte(input) % 8u;
    mwi_checkpoint_items_begin(body, "alpha");
    for (unsigned i = 0; i < count; i++) {
        uint8_t chosen = take_byte(input);
        struct mwi_checkpoint_item item = {.id = 1 + take_byte(input) % 16u,
                                           .fate = (enum mwi_checkpoint_fate)(chosen % 4u),
                                           .tag_data = (chosen & 16) != 0 ? "tag" : NULL,
                                           .tag_size = (chosen & 16) != 0 ? 3 : 0,
                                           .text = "why",
                                           .text_size =
                                               chosen % 4u == MWI_CHECKPOINT_UNRUNNABLE ? 3 : 0,
                                           .data = "payload",
                                           .size = chosen / 32u,
                                           .is_bytes = true};
        mwi_checkpoint_items_append(body, &item);
    }
}

static void write_state(struct mwi_buffer *body, struct input *input)
{
    unsigned char head[MWI_CHECKPOINT_HEAD_BYTES];
    uint64_t records_count = take_byte(input) % 8u;
    uint64_t restored = take_byte(input) * (take_byte(input) % 2u);
    mwi_checkpoint_log_write_head(head, records_count, restored);
    mwi_buffer_append(body, head, sizeof head);
    mwi_buffer_append(body, "state", 5);
}

static void write_any(struct mwi_buffer *body, struct input *input)
{
    for (unsigned left = take_byte(input); left > 0; left--) {
        uint8_t byte = take_byte(input);
        mwi_buffer_append(body, &byte, 1);
    }
}

/* Returns whether the body is what the journal itself would write. */
static bool write_body(struct mwi_buffer *body, enum mwi_journal_kind kind, struct input *input)
{
    struct mwi_journal_run run = make_run(1 + take_byte(input) % 4u);
    switch (kind) {
    case MWI_JOURNAL_RUN:
        mwi_journal_items_write_run(body, &run);
        return true;
    case MWI_JOURNAL_RESULTS:
        write_results(body, input);
        return true;
    case MWI_JOURNAL_SAVED:
        write_saved(body, input);
        return true;
    case MWI_JOURNAL_TASKS:
        write_tasks(body, input);
        return true;
    case MWI_JOURNAL_GONE:
        for (unsigned left = take_byte(input) % 4u; left > 0; left--)
            mwi_checkpoint_items_append_id(body, 1 + take_byte(input) % 16u);
        return true;
    case MWI_JOURNAL_TAKEN:
        for (unsigned left = take_byte(input) % 4u; left > 0; left--)
            mwi_journal_items_append_key(body, key_of(take_byte(input) % KEYS_COUNT));
        return true;
    case MWI_JOURNAL_STATE:
        write_state(body, input);
        return true;
    default:
        write_any(body, input);
        return kind == MWI_JOURNAL_SENT;
    }
}

/* Writes a file as the input says; returns whether all bodies are proper. */
static bool write_file(struct mwt_disk *disk, struct input *input)
{
    struct mwi_journal_writer writer;
    bool is_proper = true;
    mwi_journal_form_begin(&mwt_disk_api, disk, FILE_ID);
    mwi_journal_writer_init(&writer, &mwt_disk_api, disk, FILE_ID);
    unsigned flips_count = take_byte(input) % 4u;
    uint8_t flips[4][3];
    for (unsigned i = 0; i < flips_count; i++)
        for (unsigned j = 0; j < 3; j++)
            flips[i][j] = take_byte(input);
    while (input->at < input->end) {
        struct mwi_buffer body;
        uint8_t chosen = take_byte(input);
        enum mwi_journal_kind kind = (enum mwi_journal_kind)(1 + chosen % 8u);
        mwi_buffer_init(&body);
        if (chosen >= 250) {
            write_any(&body, input);
            is_proper = false;
        } else {
            is_proper = write_body(&body, kind, input) && is_proper;
        }
        if (chosen >= 225 && kind >= MWI_JOURNAL_TASKS) { /* goes over the end of a block */
            static const unsigned char zeros[70000];
            mwi_buffer_append(&body, zeros, sizeof zeros);
        }
        MWT_FUZZ_PROMISE(!body.has_failed);
        struct mwi_journal_piece piece = {body.data, body.size};
        (void)mwi_journal_write(&writer, kind, &piece, 1);
        mwi_buffer_fini(&body);
    }
    MWT_FUZZ_PROMISE(!writer.has_failed);
    mwi_journal_writer_fini(&writer);
    for (unsigned i = 0; i < flips_count; i++) {
        size_t place = (size_t)(flips[i][0] << 8 | flips[i][1]) % disk->size;
        if (place >= MWI_JOURNAL_BEGIN_BYTES)
            disk->bytes[place] ^= flips[i][2];
    }
    return is_proper;
}

static mw_error open_journal(struct mwi_journal **journal, struct mwt_disk *disk, uint64_t run,
                             bool is_accepted)
{
    struct mwi_journal_findings findings;
    mw_reason why = {""};
    const struct mwi_journal_settings settings = {.path = "fuzz",
                                                  .api = &mwt_disk_api,
                                                  .environment = disk,
                                                  .is_accepted = is_accepted,
                                                  .run = make_run(run)};
    mw_error error = mwi_journal_open(journal, &settings, &findings, &why);
    MWT_FUZZ_PROMISE(error == MW_OK ||
                     ((error == MW_EFORMAT || error == MW_EUSAGE) && why.text[0] != '\0'));
    MWT_FUZZ_PROMISE(!is_accepted || error != MW_EUSAGE);
    return error;
}

/* Reads all bytes, so that a sanitizer sees those that are not there. */
static unsigned sum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    unsigned total = 0;
    for (size_t i = 0; i < size; i++)
        total += bytes[i];
    return total;
}

static bool take_record(void *context, const struct mwi_journal_record *record)
{
    unsigned *total = context;
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    MWT_FUZZ_PROMISE(record->kind == MWI_JOURNAL_TASKS || record->kind == MWI_JOURNAL_GONE);
    for (size_t i = 0; mwi_checkpoint_items_id(record->body, record->size, i) != 0; i++)
        *total += (unsigned)i;
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    *total += sum(reader.algorithm, reader.algorithm_size);
    while (mwi_checkpoint_items_next(&reader, &item)) {
        MWT_FUZZ_PROMISE(item.id > 0);
        *total += sum(item.tag_data, item.tag_size) + sum(item.text, item.text_size) +
                  sum(item.data, item.size);
    }
    return true;
}

static void restore(struct mwi_journal *journal)
{
    struct mwi_journal_replay state;
    mw_reason why = {""};
    unsigned total = 0;
    mw_error error = mwi_journal_restore(journal, take_record, &total, &state, &why);
    MWT_FUZZ_PROMISE(error == MW_OK || (error == MW_EIO && why.text[0] != '\0'));
    if (error != MW_OK)
        return;
    (void)sum(state.data, state.size);
    mwi_block_unref(state.block);
}

static void check_replay(struct mwi_journal_replay *replay, unsigned key, bool is_proper)
{
    MWT_FUZZ_PROMISE(!is_proper || sum(replay->data, replay->size) == key * replay->size);
    mwi_block_unref(replay->block);
}

static void take_all(struct mwi_journal *journal, bool is_proper)
{
    struct mwi_journal_replay replay;
    mw_reason why;
    for (unsigned key = 0; key < KEYS_COUNT; key++) {
        (void)mwi_journal_knows(journal, key_of(key), 1, key + 1);
        while (mwi_journal_take_sent(journal, key_of(key)))
            ;
        if (mwi_journal_take_saved(journal, key_of(key), &replay, &why) == MW_OK)
            check_replay(&replay, key, is_proper);
        while (mwi_journal_take(journal, key_of(key), &replay, &why) == MW_OK)
            check_replay(&replay, key, is_proper);
    }
}

static void add(struct mwi_journal *journal)
{
    struct mwi_journal_result result = make_result(ADDED_KEY, 50);
    mwi_journal_add_result(journal, "alpha", &result);
    uint64_t mark = mwi_journal_hurry(journal);
    MWT_FUZZ_PROMISE(mwi_journal_is_durable(journal, mark));
}

static void use(struct mwt_disk *disk, bool is_proper, bool is_accepted, bool is_restored)
{
    struct mwi_journal *journal;
    struct mwi_journal_replay replay;
    mw_reason why;
    if (open_journal(&journal, disk, 1000, is_accepted) != MW_OK)
        return;
    if (is_restored && mwi_journal_has_checkpoint(journal))
        restore(journal);
    take_all(journal, is_proper);
    add(journal);
    mwi_journal_close(journal);

    MWT_FUZZ_PROMISE(open_journal(&journal, disk, 1001, is_accepted) == MW_OK);
    MWT_FUZZ_PROMISE(mwi_journal_take(journal, key_of(ADDED_KEY), &replay, &why) == MW_OK);
    check_replay(&replay, ADDED_KEY, true);
    mwi_journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mwt_disk disk = {0};
    struct input input = {data, data + size};
    uint8_t chosen = take_byte(&input);
    bool is_proper = false;
    if (chosen >= 128) {
        is_proper = write_file(&disk, &input);
    } else {
        if ((chosen & 1) != 0)
            mwi_journal_form_begin(&mwt_disk_api, &disk, FILE_ID);
        mwt_disk_append(&disk, input.at, (size_t)(input.end - input.at));
    }
    use(&disk, is_proper, (chosen & 2) != 0, (chosen & 4) != 0);
    mwt_disk_fini(&disk);
    return 0;
}
