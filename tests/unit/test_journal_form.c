/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in a journal file: what was written is read; damage costs the records that lie in its
 * block, and is told; and a file that ends anywhere loses its end alone. The disk is simulated.
 */
#include "record/journal_form.h"

#include <stdlib.h>
#include <string.h>

#include <mw/sim.h>

#include "mwt_random.h"
#include "mwt_run.h"
#include "transports/sim/sim_disk.h"

#define FILE_ID UINT64_C(0x1234567890abcdef)
#define BLOCK MWI_JOURNAL_BLOCK_BYTES

static mw_sim *world;
static struct mwi_sim_disk *environment;

static void *open_disk(void)
{
    void *disk = NULL;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_sim_disk_api.open(&disk, "", environment, &why), MW_OK);
    return disk;
}

static void start(void)
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = 1}), MW_OK);
    environment = mwi_sim_disk_create(world, &(struct mwi_sim_disk_plan){0});
    CU_ASSERT_PTR_NOT_NULL_FATAL(environment);
}

static void end(void)
{
    mw_sim_destroy(world);
}

/* The file gets these bytes, which are durable. */
static void put_file(const unsigned char *bytes, size_t size)
{
    mw_reason why;
    void *disk = open_disk();
    CU_ASSERT_EQUAL(mwi_sim_disk_api.truncate(disk, 0, &why), MW_OK);
    mwi_sim_disk_api.append(disk, bytes, size);
    mwi_sim_disk_api.sync(disk, 0);
    mw_sim_run(world, INT64_MAX);
    mwi_sim_disk_api.close(disk);
}

static size_t get_file(unsigned char **bytes)
{
    mw_reason why;
    void *disk = open_disk();
    size_t size = (size_t)mwi_sim_disk_api.size(disk);
    *bytes = malloc(size + 1);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.read(disk, 0, *bytes, size, &why), MW_OK);
    mwi_sim_disk_api.close(disk);
    return size;
}

/* Record `index` has this size; its bytes follow from the index. */
static size_t size_of(size_t index)
{
    static const size_t sizes[] = {0, 1, 100, 4000, 65487, 65488, 65489, 17, 200000, 3, 65464};
    return sizes[index % (sizeof sizes / sizeof sizes[0])];
}

static enum mwi_journal_kind kind_of(size_t index)
{
    return (enum mwi_journal_kind)(1 + index % 7);
}

/* Appends records `from` to `to` in two pieces each, as a run of the program does. */
static void write_records(size_t from, size_t to)
{
    struct mwi_journal_writer writer;
    unsigned char *bytes = malloc(200000);
    void *disk = open_disk();
    if (mwi_sim_disk_api.size(disk) == 0)
        mwi_journal_form_begin(&mwi_sim_disk_api, disk, FILE_ID);
    mwi_journal_writer_init(&writer, &mwi_sim_disk_api, disk, FILE_ID);
    for (size_t i = from; i < to; i++) {
        size_t size = size_of(i);
        memset(bytes, (int)('a' + i % 26), size);
        const struct mwi_journal_piece pieces[] = {
            {bytes, size / 3}, {NULL, 0}, {bytes, size - size / 3}};
        mwi_journal_write(&writer, kind_of(i), pieces, 3);
    }
    CU_ASSERT_FALSE(writer.has_failed);
    mwi_journal_writer_fini(&writer);
    mwi_sim_disk_api.sync(disk, 0);
    mw_sim_run(world, INT64_MAX);
    mwi_sim_disk_api.close(disk);
    free(bytes);
}

static bool is_record(const struct mwi_journal_record *record, size_t index)
{
    if (record->kind != kind_of(index) || record->size != size_of(index))
        return false;
    for (size_t i = 0; i < record->size; i++)
        if (record->body[i] != 'a' + index % 26)
            return false;
    return true;
}

/* The records and the damage that reading the file has found. */
struct found {
    size_t records_count, damages_count;
    uint64_t damage;  /* the first */
    uint64_t end;     /* of the last whole record */
    bool is_in_order; /* the records are of 0, 1, 2 ..., some left out */
    uint64_t offsets[64];
};

static struct found read_all(void)
{
    struct found found = {.is_in_order = true};
    struct mwi_journal_reader reader;
    struct mwi_journal_record record;
    mw_reason why;
    size_t next = 0;
    enum mwi_journal_step step;
    void *disk = open_disk();
    CU_ASSERT_TRUE_FATAL(mwi_journal_reader_init(&reader, &mwi_sim_disk_api, disk, FILE_ID));
    while ((step = mwi_journal_reader_next(&reader, &record, &why)) != MWI_JOURNAL_END) {
        CU_ASSERT_NOT_EQUAL_FATAL(step, MWI_JOURNAL_FAILED);
        if (step == MWI_JOURNAL_DAMAGE) {
            if (found.damages_count++ == 0)
                found.damage = record.offset;
            continue;
        }
        while (next < 64 && !is_record(&record, next))
            next++;
        found.is_in_order = found.is_in_order && next < 64;
        found.offsets[found.records_count++ % 64] = record.offset;
        next++;
    }
    found.end = record.offset;
    mwi_journal_reader_fini(&reader);
    mwi_sim_disk_api.close(disk);
    return found;
}

/* Records of all sizes come back, of several runs, in order, and each can be found again by its
 * offset. */
static void test_there_and_back(void)
{
    struct mwi_journal_reader reader;
    struct mwi_journal_record record;
    mw_reason why;
    start();
    write_records(0, 15);
    write_records(15, 40);

    struct found found = read_all();

    CU_ASSERT_TRUE(found.records_count == 40 && found.damages_count == 0 && found.is_in_order);
    void *disk = open_disk();
    CU_ASSERT_EQUAL(found.end, mwi_sim_disk_api.size(disk));
    CU_ASSERT_TRUE(mwi_journal_reader_init(&reader, &mwi_sim_disk_api, disk, FILE_ID));
    for (size_t i = 40; i-- > 0;) {
        mwi_journal_reader_seek(&reader, found.offsets[i]);
        CU_ASSERT_EQUAL(mwi_journal_reader_next(&reader, &record, &why), MWI_JOURNAL_RECORD);
        CU_ASSERT_TRUE(record.offset == found.offsets[i] && is_record(&record, i));
    }
    mwi_journal_reader_fini(&reader);
    mwi_sim_disk_api.close(disk);
    end();
}

/* The beginning says whose file it is. */
static void test_beginning(void)
{
    static const struct {
        const char *bytes;
        const char *why;
    } cases[] = {{"mwjrnl01........", "it is a journal of another version of mw"},
                 {"mwjrn", "it is no journal of mw"},
                 {"#!/bin/sh and more", "it is no journal of mw"}};
    uint64_t file_id = 0;
    mw_reason why;
    start();
    write_records(0, 1);
    void *disk = open_disk();
    CU_ASSERT_EQUAL(mwi_journal_form_recognise(&mwi_sim_disk_api, disk, &file_id, &why), MW_OK);
    CU_ASSERT_EQUAL(file_id, FILE_ID);
    mwi_sim_disk_api.close(disk);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_file((const unsigned char *)cases[i].bytes, strlen(cases[i].bytes));
        disk = open_disk();
        CU_ASSERT_EQUAL(mwi_journal_form_recognise(&mwi_sim_disk_api, disk, &file_id, &why),
                        MW_EFORMAT);
        CU_ASSERT_STRING_EQUAL(why.text, cases[i].why);
        mwi_sim_disk_api.close(disk);
    }
    end();
}

/* A file that is cut off anywhere, or that has zeros from there on, has all records before. */
static void test_cut(void)
{
    unsigned char *bytes;
    struct mwt_random random;
    mwt_random_start(&random);
    start();
    write_records(0, 11);
    struct found whole = read_all();
    size_t size = get_file(&bytes);
    for (int i = 0; i < 300; i++) {
        size_t cut = MWI_JOURNAL_BEGIN_BYTES +
                     (size_t)mwt_random_below(&random, size - MWI_JOURNAL_BEGIN_BYTES);
        size_t expected = 0;
        while (expected + 1 < whole.records_count && whole.offsets[expected + 1] <= cut)
            expected++;
        unsigned char *copy = calloc(1, size + 5 * BLOCK);
        memcpy(copy, bytes, cut);
        put_file(copy, i % 2 == 0 ? cut : size + 5 * BLOCK);
        struct found found = read_all();
        /* The record that was cut may end in zeros that it had anyway, or at the cut. */
        CU_ASSERT_TRUE(found.records_count >= expected && found.records_count <= expected + 1);
        CU_ASSERT_TRUE(found.is_in_order && found.end <= cut);
        free(copy);
    }
    free(bytes);
    end();
}

/* A flipped bit costs at most the record that it meets and the one before, is told, and makes no
 * record out of nothing. In the beginning of a block it costs nothing. */
static void test_flips(void)
{
    unsigned char *bytes;
    struct mwt_random random;
    mwt_random_start(&random);
    start();
    write_records(0, 40);
    size_t size = get_file(&bytes);
    for (int i = 0; i < 400; i++) {
        size_t at = MWI_JOURNAL_BEGIN_BYTES +
                    (size_t)mwt_random_below(&random, size - MWI_JOURNAL_BEGIN_BYTES);
        unsigned char flipped = (unsigned char)(1u << mwt_random_below(&random, 8));
        bytes[at] ^= flipped;
        put_file(bytes, size);
        struct found found = read_all();
        CU_ASSERT_TRUE(found.is_in_order);
        bool is_in_beginning = at % BLOCK < MWI_JOURNAL_BEGIN_BYTES;
        CU_ASSERT_TRUE(is_in_beginning || found.damages_count > 0);
        CU_ASSERT_TRUE(is_in_beginning || found.damage <= at);
        CU_ASSERT_TRUE(found.records_count >= 40 - (is_in_beginning ? 0 : 2));
        CU_ASSERT_TRUE(found.records_count < 40 + 1);
        bytes[at] ^= flipped;
    }
    free(bytes);
    end();
}

/* Bytes that are moved to another place of the file, or come from another journal, are damage. */
static void test_moved(void)
{
    unsigned char *bytes;
    start();
    write_records(0, 11);
    size_t size = get_file(&bytes);
    unsigned char *moved = malloc(size);
    memcpy(moved, bytes, MWI_JOURNAL_BEGIN_BYTES);
    memcpy(moved + MWI_JOURNAL_BEGIN_BYTES, bytes + 2 * BLOCK, BLOCK);
    put_file(moved, MWI_JOURNAL_BEGIN_BYTES + BLOCK);

    struct found found = read_all();

    CU_ASSERT_EQUAL(found.records_count, 0);
    CU_ASSERT_TRUE(found.damages_count > 0);
    free(moved);
    free(bytes);
    end();
}

/* Of a sentence that is too long, the path is cut: its text says what to do. */
static void test_sentence(void)
{
    char path[1000], text[401];
    mw_reason why;
    memset(path, 'p', sizeof path - 1);
    memset(text, 't', sizeof text - 1);
    path[sizeof path - 1] = text[sizeof text - 1] = '\0';

    CU_ASSERT_EQUAL(mwi_journal_form_fail(&why, path, MW_EIO, "text"), MW_EIO);
    CU_ASSERT_STRING_EQUAL(why.text + 200, ": text");
    CU_ASSERT_EQUAL(mwi_journal_form_fail(&why, path, MW_ENOMEM, text), MW_ENOMEM);
    CU_ASSERT_STRING_EQUAL(strchr(why.text, ':') + 2, text);
    CU_ASSERT_TRUE(strspn(why.text, "p") >= 100);
    CU_ASSERT_EQUAL(mwi_journal_form_fail(&why, "file", MW_EIO, why.text), MW_EIO);
    CU_ASSERT_EQUAL(strncmp(why.text, "file: ppp", 9), 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"there and back", test_there_and_back},
        {"beginning", test_beginning},
        {"cut", test_cut},
        {"flips", test_flips},
        {"moved", test_moved},
        {"sentence", test_sentence},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("journal form", tests);
}
