/* SPDX-License-Identifier: Apache-2.0
 *
 * Journals of random runs on real files are written anew: the next run is given the same by the new
 * file as by the old one. `test_journal_compact [--seed FIRST] [--seeds COUNT]`.
 */
#include "record/journal_compact.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/checkpoint_items.h"
#include "record/disk_file.h"
#include "record/journal_open.h"
#include "record/journal_restore.h"
#include "wire/message.h"

#define KEYS 12
#define IDS 30
#define RUNS_MAX 6

static struct {
    uint64_t first_seed, seeds_count;
} soak = {1, 30};

struct made {
    char path[400];
    uint64_t random;
    uint64_t run, next_id;
    /* All results that were ever recorded. */
    struct {
        uint64_t run, id;
        unsigned key;
    } results[4000];
    size_t results_count;
};

static uint64_t draw(struct made *made, uint64_t below)
{
    uint64_t mixed = made->random += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (mixed ^ mixed >> 31) % below;
}

static struct mwi_digest key_of(unsigned number)
{
    return mwi_digest_make(1, &number, sizeof number);
}

static struct mwi_journal *open_journal(const char *path, uint64_t run,
                                        struct mwi_journal_findings *findings)
{
    struct mwi_journal *journal = NULL;
    mw_reason why;
    const struct mwi_journal_settings settings = {
        .path = path, .api = &mwi_disk_file_api, .run = {.number = run}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, findings, &why), MW_OK);
    return journal;
}

static void close_journal(struct mwi_journal *journal)
{
    uint64_t mark = mwi_journal_hurry(journal);
    while (!mwi_journal_is_durable(journal, mark)) {
        struct pollfd told = {.fd = mwi_journal_descriptor(journal), .events = POLLIN};
        CU_ASSERT_EQUAL_FATAL(poll(&told, 1, 60000), 1);
    }
    mwi_journal_close(journal);
}

static void add_result(struct made *made, struct mwi_journal *journal, unsigned key)
{
    unsigned char data[6000] = {0};
    uint64_t run = draw(made, 8) == 0 ? 1000 + draw(made, 3) : made->run;
    uint64_t id = ++made->next_id;
    struct mwi_journal_result result = {.key = key_of(key),
                                        .id = id,
                                        .form = draw(made, 10) == 0 ? MWI_PAYLOAD_FAILED
                                                                    : MWI_PAYLOAD_BYTES,
                                        .size = draw(made, 20) == 0 ? sizeof data : 8,
                                        .data = data};
    memcpy(data, &id, sizeof id);
    if (draw(made, 3) == 0)
        mwi_journal_add_saved(journal, result.key, id, data, 100);
    if (draw(made, 3) == 0)
        mwi_journal_add_sent(journal, &result.key, 1);
    bool is_begun = draw(made, 6) == 0;
    if (is_begun)
        mwi_journal_add_begun(journal, result.key, id);
    if (draw(made, 5) == 0) {
        if (is_begun && draw(made, 2) == 0)
            mwi_journal_add_unbegun(journal, result.key, id);
        return; /* the run ends before its result comes */
    }
    if (run == made->run)
        mwi_journal_add_result(journal, key % 2 == 0 ? "even" : "odd", &result);
    else
        mwi_journal_add_result_of(journal, run, key % 2 == 0 ? "even" : "odd", &result);
    made->results[made->results_count].run = run;
    made->results[made->results_count].id = id;
    made->results[made->results_count++].key = key;
}

static void add_checkpoint(struct made *made, struct mwi_journal *journal)
{
    struct mwi_buffer body;
    mwi_buffer_init(&body);
    mwi_checkpoint_items_begin(&body, "odd");
    for (uint64_t count = 1 + draw(made, 5); count > 0; count--) {
        const struct mwi_checkpoint_item item = {
            .id = 1 + draw(made, IDS), .tag = (int64_t)draw(made, 1000), .data = "", .size = 0};
        mwi_checkpoint_items_append(&body, &item);
    }
    struct mwi_journal_piece piece = {body.data, body.size};
    mwi_journal_add(journal, MWI_JOURNAL_TASKS, &piece, 1);
    mwi_buffer_clear(&body);
    for (uint64_t count = draw(made, 5); count > 0; count--)
        mwi_checkpoint_items_append_id(&body, 1 + draw(made, IDS));
    piece = (struct mwi_journal_piece){body.data, body.size};
    mwi_journal_add(journal, MWI_JOURNAL_GONE, &piece, 1);
    mwi_buffer_fini(&body);
    if (draw(made, 4) > 0)
        mwi_journal_add_state(journal, &made->random, sizeof made->random);
}

/* The tags of a checkpoint's tasks, by their numbers; 0: there is no such task. */
struct tasks {
    int64_t tags[IDS + 1];
};

static bool take_tasks(void *context, const struct mwi_journal_record *record)
{
    struct tasks *tasks = context;
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    uint64_t id;
    if (record->kind == MWI_JOURNAL_GONE) {
        for (size_t i = 0; (id = mwi_checkpoint_items_id(record->body, record->size, i)) != 0; i++)
            tasks->tags[id] = 0;
        return true;
    }
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    while (mwi_checkpoint_items_next(&reader, &item))
        tasks->tags[item.id] = item.tag + 1;
    return true;
}

/* Returns the number of the state, 0 without one. */
static uint64_t restore(struct mwi_journal *journal, struct tasks *tasks)
{
    struct mwi_journal_replay state;
    mw_reason why;
    uint64_t number = 0;
    if (!mwi_journal_has_checkpoint(journal))
        return 0;
    CU_ASSERT_EQUAL_FATAL(mwi_journal_restore(journal, take_tasks, tasks, &state, &why), MW_OK);
    memcpy(&number, state.data, sizeof number);
    mwi_block_unref(state.block);
    return number;
}

/* The number in the next result of this key, or in what it saved; 0: there is none. */
static uint64_t take(struct mwi_journal *journal, unsigned key, bool is_saved)
{
    struct mwi_journal_replay replay;
    mw_reason why;
    uint64_t number;
    mw_error error = is_saved ? mwi_journal_take_saved(journal, key_of(key), &replay, &why)
                              : mwi_journal_take(journal, key_of(key), &replay, &why);
    if (error == MW_ESTATE)
        return 0;
    CU_ASSERT_EQUAL_FATAL(error, MW_OK);
    memcpy(&number, replay.data, sizeof number);
    mwi_block_unref(replay.block);
    return number;
}

static void make_run(struct made *made)
{
    struct mwi_journal_findings findings;
    struct tasks tasks;
    made->run++;
    struct mwi_journal *journal = open_journal(made->path, made->run, &findings);
    if (draw(made, 3) > 0)
        (void)restore(journal, &tasks);
    for (uint64_t steps = draw(made, 60); steps > 0; steps--) {
        unsigned key = (unsigned)draw(made, KEYS);
        if (draw(made, 12) == 0)
            add_checkpoint(made, journal);
        else if (draw(made, 3) == 0)
            (void)take(journal, key, false);
        else
            add_result(made, journal, key);
    }
    close_journal(journal);
}

static void copy_file(const char *from, const char *to)
{
    char buffer[4096];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    CU_ASSERT_TRUE_FATAL(in != NULL && out != NULL);
    for (size_t size; (size = fread(buffer, 1, sizeof buffer, in)) > 0;)
        CU_ASSERT_EQUAL(fwrite(buffer, 1, size, out), size);
    fclose(in);
    fclose(out);
}

/* Whether the next run is given the same by both files; the second one was written anew. */
static bool is_same(const struct made *made, const char *fresh)
{
    struct mwi_journal_findings findings;
    struct tasks old_tasks = {{0}}, new_tasks = {{0}};
    struct mwi_journal *one = open_journal(made->path, made->run + 1, &findings);
    struct mwi_journal *other = open_journal(fresh, made->run + 1, &findings);
    bool is_same = restore(one, &old_tasks) == restore(other, &new_tasks) &&
                   memcmp(&old_tasks, &new_tasks, sizeof old_tasks) == 0;
    for (size_t i = 0; i < made->results_count; i++) {
        struct mwi_digest key = key_of(made->results[i].key);
        uint64_t run = made->results[i].run, id = made->results[i].id;
        is_same = is_same &&
                  mwi_journal_knows(one, key, run, id) <= mwi_journal_knows(other, key, run, id);
    }
    for (unsigned key = 0; is_same && key < KEYS; key++) {
        while (is_same && mwi_journal_take_sent(one, key_of(key)))
            is_same = mwi_journal_take_sent(other, key_of(key));
        is_same = is_same && !mwi_journal_take_sent(other, key_of(key));
        while (is_same && mwi_journal_take_begun(one, key_of(key)))
            is_same = mwi_journal_take_begun(other, key_of(key));
        is_same = is_same && !mwi_journal_take_begun(other, key_of(key));
        for (uint64_t number = 1; is_same && number != 0;) {
            number = take(one, key, false);
            is_same = take(other, key, false) == number;
        }
        for (uint64_t number = 1; is_same && number != 0;) {
            number = take(one, key, true);
            is_same = take(other, key, true) == number;
        }
    }
    mwi_journal_close(one);
    mwi_journal_close(other);
    return is_same;
}

static bool try_seed(uint64_t seed)
{
    static struct made made;
    struct mwt_folder folder;
    struct mwi_journal_compaction outcome = {0};
    char fresh[400];
    mw_reason why;
    made = (struct made){.random = seed * 77};
    mwt_folder_create(&folder);
    snprintf(made.path, sizeof made.path, "%s", mwt_folder_file(&folder, "old"));
    snprintf(fresh, sizeof fresh, "%s", mwt_folder_file(&folder, "fresh"));
    for (uint64_t runs = 1 + draw(&made, RUNS_MAX); runs > 0; runs--)
        make_run(&made);

    copy_file(made.path, fresh);
    mw_error error = mwi_journal_compact(fresh, false, &outcome, &why);
    bool is_damaged = error == MW_EFORMAT; /* a later run's checkpoint misses an earlier one */
    if (error == MW_OK)
        error = mwi_journal_compact(fresh, false, &outcome, &why); /* also a second time */

    bool is_right = is_damaged || (error == MW_OK && is_same(&made, fresh));
    if (!is_right)
        fprintf(stderr, "seed %llu: the next run is not given the same (%d)\n",
                (unsigned long long)seed, (int)error);
    (void)mwt_folder_files(&folder, true);
    rmdir(folder.path);
    return is_right;
}

/* For any runs, the next one is given the same results, saved bytes, tasks and state. */
static void test_same(void)
{
    for (uint64_t i = 0; i < soak.seeds_count; i++)
        CU_ASSERT_TRUE(try_seed(soak.first_seed + i));
}

static long size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

/* Fills a journal with bytes that a task saves again and again. */
static void save_often(const char *path)
{
    static unsigned char bytes[50000];
    struct mwi_journal_findings findings;
    struct mwi_journal *journal = open_journal(path, 1, &findings);
    for (unsigned i = 0; i < 40; i++) {
        bytes[0] = (unsigned char)i;
        mwi_journal_add_saved(journal, key_of(1), 1, bytes, sizeof bytes);
    }
    close_journal(journal);
}

/* A journal that is mostly of no use says so, becomes small, keeps its mode, and leaves no other
 * file behind; one from a rewrite that did not come to its end does not matter. */
static void test_smaller(void)
{
    struct mwt_folder folder;
    struct mwi_journal_findings findings;
    struct mwi_journal_compaction outcome;
    struct stat status;
    mw_reason why;
    char path[400];
    mwt_folder_create(&folder);
    FILE *rest = fopen(mwt_folder_file(&folder, "j.new"), "w");
    fputs("a rewrite that was killed", rest);
    fclose(rest);
    snprintf(path, sizeof path, "%s", mwt_folder_file(&folder, "j"));
    save_often(path);
    CU_ASSERT_EQUAL(chmod(path, 0640), 0);

    CU_ASSERT_EQUAL(mwi_journal_compact(path, false, &outcome, &why), MW_OK);

    CU_ASSERT_TRUE(outcome.before_bytes > 2000000 && outcome.after_bytes < 60000);
    CU_ASSERT_EQUAL((uint64_t)size_of(path), outcome.after_bytes);
    CU_ASSERT_TRUE(stat(path, &status) == 0 && (status.st_mode & 0777) == 0640);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 1);
    struct mwi_journal *journal = open_journal(path, 2, &findings);
    CU_ASSERT_TRUE(findings.dead_bytes < findings.file_bytes / 2);
    CU_ASSERT_EQUAL(take(journal, 1, true), 39);
    mwi_journal_close(journal);
    (void)mwt_folder_files(&folder, true);
    rmdir(folder.path);
}

/* Opening tells how much of a journal is of no use. */
static void test_estimate(void)
{
    struct mwt_folder folder;
    struct mwi_journal_findings findings;
    mwt_folder_create(&folder);
    save_often(mwt_folder_file(&folder, "j"));

    mwi_journal_close(open_journal(mwt_folder_file(&folder, "j"), 2, &findings));

    CU_ASSERT_TRUE(findings.file_bytes > 2000000);
    CU_ASSERT_TRUE(findings.dead_bytes > 1900000 && findings.dead_bytes < findings.file_bytes);
    (void)mwt_folder_files(&folder, true);
    rmdir(folder.path);
}

/* A journal that is in use, another file, and a link are refused with a sentence that names
 * the file, and stay as they are. */
static void test_refusals(void)
{
    struct mwt_folder folder;
    struct mwi_journal_findings findings;
    struct mwi_journal_compaction outcome;
    mw_reason why;
    char path[400], link_path[400];
    mwt_folder_create(&folder);
    snprintf(path, sizeof path, "%s", mwt_folder_file(&folder, "j"));
    snprintf(link_path, sizeof link_path, "%s", mwt_folder_file(&folder, "link"));
    save_often(path);
    long size = size_of(path);
    CU_ASSERT_EQUAL(symlink("j", link_path), 0);

    struct mwi_journal *journal = open_journal(path, 2, &findings);
    CU_ASSERT_EQUAL(mwi_journal_compact(path, false, &outcome, &why), MW_ESTATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "another process has it"));
    mwi_journal_close(journal);
    size = size_of(path);
    CU_ASSERT_EQUAL(mwi_journal_compact(link_path, false, &outcome, &why), MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "link: it is a link"));
    CU_ASSERT_EQUAL(mwi_journal_compact("/dev/null", false, &outcome, &why), MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "/dev/null: it is no regular file"));
    CU_ASSERT_EQUAL(size_of(path), size);
    (void)mwt_folder_files(&folder, true);
    rmdir(folder.path);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"same", test_same},         {"smaller", test_smaller}, {"estimate", test_estimate},
        {"refusals", test_refusals}, CU_TEST_INFO_NULL,
    };

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            soak.first_seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            soak.seeds_count = strtoull(argv[i + 1], NULL, 10);
    }
    return mwt_run("journal_compact", tests);
}
