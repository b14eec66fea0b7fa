/* SPDX-License-Identifier: Apache-2.0
 *
 * A small journal of two runs, damaged in every way that one bit allows, from its first byte to its
 * last: nothing crashes, no result is wrong, and what is lost is told with its offset. So no result
 * is lost silently, and no task that must not run twice is forgotten silently. The record of such a
 * task is the last one of the file.
 */
#include "mwt_journal.h"
#include "mwt_run.h"

#define HALF (MWT_JOURNAL_TASKS / 2)
#define BLOCK MWI_JOURNAL_BLOCK_BYTES
#define BEGIN MWI_JOURNAL_BEGIN_BYTES
/* A task that must not run twice. */
#define ONCE 60

static struct mwt_disk whole; /* of both runs */
static size_t first_end;      /* of the first run's records */

/* The second run, whose last record is that of the task. */
static void write_second(void)
{
    struct mwi_journal_findings findings;
    struct mwi_journal *journal;
    mw_reason why;
    CU_ASSERT_TRUE_FATAL(mwt_journal_write(&whole, 12, HALF, MWT_JOURNAL_TASKS));
    size_t size = whole.size;
    CU_ASSERT_EQUAL_FATAL(mwt_journal_open(&journal, &whole, 12, &findings, &why), MW_OK);
    CU_ASSERT_TRUE_FATAL(whole.size > size);
    mwi_journal_add_begun(journal, mwt_journal_key(ONCE), ONCE);
    (void)mwi_journal_hurry(journal);
    mwi_journal_close(journal);
}

static void start(void)
{
    CU_ASSERT_TRUE_FATAL(mwt_journal_write(&whole, 11, 0, HALF));
    first_end = whole.size;
    write_second();
    CU_ASSERT_TRUE_FATAL(first_end < BLOCK && whole.size > 2 * BLOCK);
}

/* The outcome of opening a journal and taking all from it. */
struct taken {
    int count; /* of results; -1 if one is wrong, -2 if the journal cannot be opened */
    bool is_once_known;
    bool is_kept; /* the file is as it was */
    struct mwi_journal_findings findings;
};

/* Opens a copy of the first `size` bytes, the one at `at` changed by `mask`, and takes all. */
static struct taken take(size_t size, size_t at, unsigned char mask)
{
    struct mwt_disk copy = {0};
    struct taken taken = {.count = -2};
    struct mwi_journal *journal;
    mw_reason why;
    mwt_disk_append(&copy, whole.bytes, size);
    if (at < size)
        copy.bytes[at] ^= mask;
    if (mwt_journal_open(&journal, &copy, 13, &taken.findings, &why) == MW_OK) {
        taken.count = mwt_journal_take_all(journal);
        taken.is_once_known = mwi_journal_take_begun(journal, mwt_journal_key(ONCE));
        mwi_journal_close(journal);
    } else {
        CU_ASSERT_TRUE(strncmp(why.text, "s.mwj: ", 7) == 0);
        taken.is_kept = copy.size == size;
    }
    mwt_disk_fini(&copy);
    return taken;
}

/* Whether something is told to be damaged, or not whole, from this offset or an earlier one on. */
static bool tells(const struct mwi_journal_findings *findings, size_t at)
{
    return (findings->damages_count > 0 && findings->damage <= at) ||
           (findings->torn_bytes > 0 && findings->torn <= at);
}

/* The places of the file that have something in them, and some between them. */
static size_t next_place(size_t at)
{
    size_t in_block = at % BLOCK;
    bool is_between = in_block > (at < BLOCK ? first_end : 2048);
    return is_between && at + 499 < (at / BLOCK + 1) * BLOCK ? at + 499 : at + 1;
}

/* Each bit of each byte: of the beginnings, of the records, and of what is between the runs. */
static void test_each_bit(void)
{
    start();
    for (size_t at = 0; at < whole.size; at = next_place(at)) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct taken taken = take(whole.size, at, (unsigned char)(1u << bit));
            bool is_all = taken.count == MWT_JOURNAL_TASKS && taken.is_once_known;
            CU_ASSERT_TRUE(is_all || at % BLOCK >= BEGIN);
            CU_ASSERT_TRUE(is_all || tells(&taken.findings, at));
            CU_ASSERT_TRUE(taken.count >= MWT_JOURNAL_TASKS - 5);
            CU_ASSERT_TRUE(at % BLOCK < BEGIN || tells(&taken.findings, at));
        }
    }
    mwt_disk_fini(&whole);
}

/* Each length that a file may have been cut to: no result is there before its record is whole, and
 * the more bytes there are, the more results. An end within a record is told. A file whose first
 * record is not whole is refused, and left as it is. */
static void test_each_prefix(void)
{
    int before = 0;
    start();
    for (size_t size = 0; size <= whole.size; size = size == first_end + 1 ? BLOCK : size + 1) {
        struct taken taken = take(size, SIZE_MAX, 0);
        CU_ASSERT_TRUE(taken.count >= before || (taken.count == -2 && before == 0));
        CU_ASSERT_TRUE(taken.count != -2 || (taken.is_kept && size > BEGIN && size < 256));
        CU_ASSERT_EQUAL(taken.findings.damages_count, 0);
        CU_ASSERT_EQUAL(taken.is_once_known, size == whole.size);
        if (size > whole.size - 16 && size < whole.size)
            CU_ASSERT_TRUE(taken.findings.torn > 2 * BLOCK);
        before = taken.count > before ? taken.count : before;
        if (size == BLOCK + 2048)
            size = 2 * BLOCK - 1;
    }
    CU_ASSERT_EQUAL(before, MWT_JOURNAL_TASKS);
    mwt_disk_fini(&whole);
}

/* Both copies of the file's number are lost in one block, or in all of them: then the file is
 * refused, and not a byte of it is changed. */
static void test_number(void)
{
    struct mwi_journal_findings findings;
    struct mwi_journal *journal;
    mw_reason why;
    start();
    memset(whole.bytes, 0, BEGIN);
    struct taken taken = take(whole.size, SIZE_MAX, 0);
    CU_ASSERT_TRUE(taken.count == MWT_JOURNAL_TASKS && taken.is_once_known);
    for (size_t begin = 0; begin < whole.size; begin += BLOCK) {
        memcpy(whole.bytes + begin, "mwjrnl03abcdefghmwjrnl03abcdefgh", BEGIN);
    }
    taken = take(whole.size, SIZE_MAX, 0);
    CU_ASSERT_TRUE(taken.count == -2 && taken.is_kept);
    CU_ASSERT_EQUAL(mwt_journal_open(&journal, &whole, 13, &findings, &why), MW_EFORMAT);
    CU_ASSERT_STRING_EQUAL(why.text, "s.mwj: it is damaged from offset 32 on, and has no sound "
                                     "record: it is left as it is");
    mwt_disk_fini(&whole);
}

/* A file of something else is refused, and not a byte of it is changed; zeros alone are a file that
 * a power cut has left empty. */
static void test_foreign(void)
{
    static const struct {
        size_t zeros_count;
        const char *text;
        mw_error error;
    } cases[] = {{64, "precious", MW_EFORMAT},
                 {100000, "p", MW_EFORMAT},
                 {0, "mwjrnl01 and text, and more text", MW_EFORMAT},
                 {0, "mwjrn", MW_OK},
                 {4096, "", MW_OK},
                 {0, "precious", MW_EFORMAT}};
    static const unsigned char zeros[100000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwt_disk disk = {0};
        struct mwi_journal_findings findings;
        struct mwi_journal *journal;
        mw_reason why;
        mwt_disk_append(&disk, zeros, cases[i].zeros_count);
        mwt_disk_append(&disk, cases[i].text, strlen(cases[i].text));
        size_t size = disk.size;
        CU_ASSERT_EQUAL(mwt_journal_open(&journal, &disk, 13, &findings, &why), cases[i].error);
        if (cases[i].error == MW_OK)
            mwi_journal_close(journal);
        else
            CU_ASSERT_TRUE(disk.size == size);
        mwt_disk_fini(&disk);
    }
}

/* Appends a run in which a task of this content has a result, and another one has saved bytes; the
 * last block of the file has neither. */
static bool write_content(struct mwt_disk *disk, unsigned task)
{
    static const unsigned char behind[2 * BLOCK];
    const unsigned char data[] = {(unsigned char)task};
    struct mwi_digest key = mwt_journal_key(task);
    struct mwi_journal_findings findings;
    struct mwi_journal *journal;
    mw_reason why;
    if (mwt_journal_open(&journal, disk, 12, &findings, &why) != MW_OK)
        return false;
    mwi_journal_add_result(
        journal, "alpha",
        &(struct mwi_journal_result){.key = key, .id = 1, .size = sizeof data, .data = data});
    mwi_journal_add_saved(journal, key, 2, data, sizeof data);
    mwi_journal_add_saved(journal, mwt_journal_key(99), 3, behind, sizeof behind);
    (void)mwi_journal_hurry(journal);
    mwi_journal_close(journal);
    return true;
}

/* The records of a file that is open are exchanged for those of another content, which are sound:
 * no task gets the bytes of another one. */
static void test_exchanged(void)
{
    struct mwt_disk one = {0}, other = {0};
    struct mwi_journal *journal;
    struct mwi_journal_findings findings;
    struct mwi_journal_replay replay;
    mw_reason why;
    start();
    mwt_disk_append(&one, whole.bytes, whole.size);
    mwt_disk_append(&other, whole.bytes, whole.size);
    CU_ASSERT_TRUE(write_content(&one, 41) && write_content(&other, 42));
    CU_ASSERT_EQUAL_FATAL(one.size, other.size);
    CU_ASSERT_EQUAL_FATAL(mwt_journal_open(&journal, &one, 13, &findings, &why), MW_OK);

    memcpy(one.bytes, other.bytes, other.size);

    CU_ASSERT_EQUAL(mwi_journal_take(journal, mwt_journal_key(41), &replay, &why), MW_EIO);
    CU_ASSERT_EQUAL(mwi_journal_take_saved(journal, mwt_journal_key(41), &replay, &why), MW_EIO);
    mwi_journal_close(journal);
    mwt_disk_fini(&one);
    mwt_disk_fini(&other);
    mwt_disk_fini(&whole);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"each bit", test_each_bit}, {"each prefix", test_each_prefix}, {"number", test_number},
        {"foreign", test_foreign},   {"exchanged", test_exchanged},     CU_TEST_INFO_NULL,
    };

    return mwt_run("journal damage", tests);
}
