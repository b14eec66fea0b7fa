/* SPDX-License-Identifier: Apache-2.0
 *
 * Which checkpoint of a journal counts: the newest that is whole, together with those that it goes
 * on from; and which results it has made useless.
 */
#include "record/checkpoint_log.h"

#include <string.h>

#include "mwt_run.h"

static void take(struct mwi_checkpoint_log *log, enum mwi_journal_kind kind, uint64_t offset)
{
    mwi_checkpoint_log_note_record(log,
                                   &(struct mwi_journal_record){.kind = kind, .offset = offset});
}

static void take_state(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t records_count,
                       uint64_t restored)
{
    unsigned char head[MWI_CHECKPOINT_HEAD_BYTES];
    mwi_checkpoint_log_write_head(head, records_count, restored);
    mwi_checkpoint_log_note_record(
        log, &(struct mwi_journal_record){
                 .kind = MWI_JOURNAL_STATE, .offset = offset, .body = head, .size = sizeof head});
}

static uint64_t newest(struct mwi_checkpoint_log *log)
{
    mwi_checkpoint_log_seal(log);
    const struct mwi_checkpoint_run *run = mwi_checkpoint_log_newest(log);
    return run == NULL ? 0 : run->state;
}

/* The last checkpoint of a run counts, if all records are there that belong to it. */
static void test_whole(void)
{
    struct mwi_checkpoint_log log = {0};
    CU_ASSERT_EQUAL(newest(&log), 0);
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 16, 1));
    take(&log, MWI_JOURNAL_TASKS, 100);
    take_state(&log, 200, 1, 0);
    CU_ASSERT_EQUAL(newest(&log), 200);
    take(&log, MWI_JOURNAL_GONE, 300);
    take(&log, MWI_JOURNAL_TASKS, 400);
    take_state(&log, 500, 3, 0);
    CU_ASSERT_EQUAL(newest(&log), 500);
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_damaged(&log));
    take_state(&log, 600, 4, 0);
    CU_ASSERT_EQUAL(newest(&log), 500);
    CU_ASSERT_TRUE(mwi_checkpoint_log_is_damaged(&log));
    mwi_checkpoint_log_fini(&log);
}

/* A file of any bytes whose runs go on from each other, or from themselves, has no checkpoint. */
static void test_circle(void)
{
    struct mwi_checkpoint_log log = {0};
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 16, 1));
    take_state(&log, 100, 0, 300);
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 200, 2));
    take_state(&log, 300, 0, 100);
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 400, 3));
    take_state(&log, 500, 0, 500);
    CU_ASSERT_EQUAL(newest(&log), 0);
    CU_ASSERT_TRUE(mwi_checkpoint_log_is_damaged(&log));
    mwi_checkpoint_log_fini(&log);
}

/* A run that has made no checkpoint leaves that of an earlier one; one that goes on from a
 * checkpoint which is not there any more has none. */
static void test_runs(void)
{
    struct mwi_checkpoint_log log = {0};
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 16, 1));
    take_state(&log, 100, 0, 0);
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 200, 2));
    CU_ASSERT_EQUAL(newest(&log), 100);
    take_state(&log, 300, 0, 100);
    CU_ASSERT_EQUAL(newest(&log), 300);
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_damaged(&log));
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 400, 3));
    take_state(&log, 500, 0, 250);
    CU_ASSERT_EQUAL(newest(&log), 300);
    CU_ASSERT_TRUE(mwi_checkpoint_log_is_damaged(&log));
    mwi_checkpoint_log_fini(&log);
}

/* Damage at the beginning of a block may have met the record of a run: a checkpoint behind it is of
 * no use, since nobody knows which results it has absorbed. That of a later run is. */
static void test_lost_run(void)
{
    struct mwi_checkpoint_log log = {0};
    const uint64_t begin = MWI_JOURNAL_BLOCK_BYTES + MWI_JOURNAL_BEGIN_BYTES;
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 32, 1));
    take_state(&log, 100, 0, 0);
    mwi_checkpoint_log_note_damage(&log, 200);
    take_state(&log, 300, 0, 0);
    CU_ASSERT_EQUAL(newest(&log), 300);
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_damaged(&log));
    mwi_checkpoint_log_note_damage(&log, begin);
    take_state(&log, begin + 100, 0, 0);
    CU_ASSERT_EQUAL(newest(&log), 300);
    CU_ASSERT_TRUE(mwi_checkpoint_log_is_damaged(&log));
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, begin + 200, 3));
    take_state(&log, begin + 300, 0, 0);
    CU_ASSERT_EQUAL(newest(&log), begin + 300);
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_damaged(&log));
    mwi_checkpoint_log_fini(&log);
}

/* The results of a run before its checkpoint are absorbed, and so are those before the checkpoint
 * that it went on from. Results that came later are not, nor those that a slave offered. */
static void test_absorbed(void)
{
    struct mwi_checkpoint_log log = {0};
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 100, 1));
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_results(&log, 110, 1));
    take_state(&log, 200, 0, 0);
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_run(&log, 300, 2));
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_results(&log, 310, 2));
    CU_ASSERT_TRUE(mwi_checkpoint_log_note_results(&log, 320, 1));
    take_state(&log, 400, 0, 200);

    mwi_checkpoint_log_seal(&log);
    CU_ASSERT_TRUE(mwi_checkpoint_log_is_absorbed(&log, 110));
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_absorbed(&log, 250));
    CU_ASSERT_TRUE(mwi_checkpoint_log_is_absorbed(&log, 310));
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_absorbed(&log, 320));
    CU_ASSERT_FALSE(mwi_checkpoint_log_is_absorbed(&log, 450));
    mwi_checkpoint_log_fini(&log);
}

/* The time for a result hardly grows with the number of restarts: else this would take hours. */
static void test_many_runs(void)
{
    enum { RUNS_COUNT = 100000 };
    struct mwi_checkpoint_log log = {0};
    size_t absorbed_count = 0;
    for (uint64_t i = 1; i <= RUNS_COUNT; i++) {
        CU_ASSERT_TRUE_FATAL(mwi_checkpoint_log_note_run(&log, 100 * i, i));
        take_state(&log, 100 * i + 50, 0, i == 1 ? 0 : 100 * i - 50);
    }

    CU_ASSERT_EQUAL(newest(&log), 100 * RUNS_COUNT + 50);
    for (uint64_t i = 1; i <= RUNS_COUNT; i++)
        absorbed_count += mwi_checkpoint_log_is_absorbed(&log, 100 * i + i % 100);

    CU_ASSERT_EQUAL(absorbed_count, RUNS_COUNT / 2);
    mwi_checkpoint_log_fini(&log);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"whole", test_whole},       {"circle", test_circle},     {"runs", test_runs},
        {"lost run", test_lost_run}, {"absorbed", test_absorbed}, {"many runs", test_many_runs},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("checkpoint log", tests);
}
