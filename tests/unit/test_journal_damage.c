/* SPDX-License-Identifier: Apache-2.0
 *
 * A small journal of two runs, damaged in every way that one byte allows: nothing crashes, no
 * result is wrong, damage is named by its offset, and the run in the other block is whole.
 */
#include "mwt_journal.h"
#include "mwt_run.h"

#define HALF (MWT_JOURNAL_TASKS / 2)
#define BLOCK MWI_JOURNAL_BLOCK_BYTES

static struct mwt_disk whole; /* of both runs */
static size_t first_end;      /* of the first run's records */

static void start(void)
{
    CU_ASSERT_TRUE_FATAL(mwt_journal_write(&whole, 11, 0, HALF));
    first_end = whole.size;
    CU_ASSERT_TRUE_FATAL(mwt_journal_write(&whole, 12, HALF, MWT_JOURNAL_TASKS));
    CU_ASSERT_TRUE_FATAL(first_end < BLOCK && whole.size > BLOCK);
}

/* Opens a copy of the first `size` bytes, the one at `at` changed by `mask`, and takes all results:
 * -1 if one is wrong, -2 if the journal cannot be opened. */
static int take(size_t size, size_t at, unsigned char mask, struct mwi_journal_findings *findings)
{
    struct mwt_disk copy = {0};
    struct mwi_journal *journal;
    mw_reason why;
    int count = -2;
    mwt_disk_append(&copy, whole.bytes, size);
    if (at < size)
        copy.bytes[at] ^= mask;
    if (mwt_journal_open(&journal, &copy, 13, findings, &why) == MW_OK) {
        count = mwt_journal_take_all(journal);
        mwi_journal_close(journal);
    } else {
        CU_ASSERT_TRUE(strncmp(why.text, "s.mwj: ", 7) == 0);
    }
    mwt_disk_fini(&copy);
    return count;
}

/* Each bit of each byte of the records, and of what is between the runs. */
static void test_each_bit(void)
{
    start();
    for (size_t at = 0; at < whole.size; at = at < first_end || at >= BLOCK ? at + 1 : at + 499) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct mwi_journal_findings findings;
            int count = take(whole.size, at, (unsigned char)(1u << bit), &findings);
            if (at < 8) {
                CU_ASSERT_EQUAL(count, -2); /* what says that it is a journal */
            } else if (at >= BLOCK) {
                CU_ASSERT_TRUE(count >= HALF && count < MWT_JOURNAL_TASKS + 1);
            } else if (at >= MWI_JOURNAL_BEGIN_BYTES) {
                CU_ASSERT_TRUE(count >= HALF);
                CU_ASSERT_TRUE(findings.damages_count > 0 && findings.damage <= at);
            } else {
                CU_ASSERT_TRUE(count >= 0); /* the file's number: no record is sound */
            }
        }
    }
    mwt_disk_fini(&whole);
}

/* Each length that a file may have been cut to: no result is there before its record is whole, and
 * the more bytes there are, the more results. */
static void test_each_prefix(void)
{
    int before = 0;
    start();
    for (size_t size = 0; size <= whole.size; size = size == first_end + 1 ? BLOCK : size + 1) {
        struct mwi_journal_findings findings;
        int count = take(size, SIZE_MAX, 0, &findings);
        CU_ASSERT_TRUE(count >= before);
        CU_ASSERT_EQUAL(findings.damages_count, 0);
        before = count;
    }
    CU_ASSERT_EQUAL(before, MWT_JOURNAL_TASKS);
    mwt_disk_fini(&whole);
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
        {"each bit", test_each_bit},
        {"each prefix", test_each_prefix},
        {"exchanged", test_exchanged},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("journal damage", tests);
}
