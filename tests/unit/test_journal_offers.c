/* SPDX-License-Identifier: Apache-2.0
 *
 * What a journal knows of slaves that outlive their master: tasks that were sent and have no
 * result, and results that were recorded already when a slave offers them.
 */
#include "record/journal_open.h"
#include "record/journal_take.h"

#include <string.h>

#include <mw/sim.h>

#include "mwt_run.h"
#include "transports/sim/sim_disk.h"
#include "wire/message.h"

static mw_sim *world;
static struct mwi_sim_disk *environment;
static uint64_t runs_count;

static struct mwi_journal *open_journal(void)
{
    struct mwi_journal *journal = NULL;
    struct mwi_journal_findings findings;
    mw_reason why;
    const struct mwi_journal_settings settings = {.path = "s.mwj",
                                                  .api = &mwi_sim_disk_api,
                                                  .environment = environment,
                                                  .run = {.number = ++runs_count}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
    return journal;
}

static struct mwi_journal *start(void)
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = 1}), MW_OK);
    environment = mwi_sim_disk_create(world, &(struct mwi_sim_disk_plan){0});
    CU_ASSERT_PTR_NOT_NULL_FATAL(environment);
    runs_count = 0;
    return open_journal();
}

/* Ends the run, and begins the next one. */
static struct mwi_journal *reopen(struct mwi_journal *journal)
{
    uint64_t mark = mwi_journal_mark(journal);
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    CU_ASSERT_TRUE(mwi_journal_is_durable(journal, mark));
    mwi_journal_close(journal);
    return open_journal();
}

static void end(struct mwi_journal *journal)
{
    mwi_journal_close(journal);
    mw_sim_destroy(world);
}

static struct mwi_digest key_of(unsigned number)
{
    return mwi_digest_make(1, &number, sizeof number);
}

static struct mwi_journal_result result_of(unsigned number, uint64_t id)
{
    return (struct mwi_journal_result){
        .key = key_of(number), .id = id, .form = MWI_PAYLOAD_BYTES, .size = 0};
}

static void send_tasks(struct mwi_journal *journal, unsigned first, size_t count)
{
    struct mwi_digest keys[16];
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(first + (unsigned)i);
    mwi_journal_add_sent(journal, keys, count);
}

/* The next run is told, once each, of the tasks that were sent and have no result, even if a run
 * between has sent nothing. */
static void test_sent(void)
{
    struct mwi_journal *journal = start();
    CU_ASSERT_FALSE(mwi_journal_has_sent(journal));
    send_tasks(journal, 0, 10);
    send_tasks(journal, 3, 1);
    struct mwi_journal_result result = result_of(3, 1), other = result_of(4, 2);
    mwi_journal_add_result(journal, "alpha", &result);
    mwi_journal_add_result_of(journal, 99, "alpha", &other);
    CU_ASSERT_FALSE(mwi_journal_take_sent(journal, key_of(0)));
    journal = reopen(journal);

    journal = reopen(journal);

    CU_ASSERT_TRUE(mwi_journal_has_sent(journal));
    for (unsigned i = 0; i < 12; i++) {
        CU_ASSERT_EQUAL(mwi_journal_take_sent(journal, key_of(i)), i < 10 && i != 4);
        CU_ASSERT_FALSE(mwi_journal_take_sent(journal, key_of(i)));
    }
    CU_ASSERT_FALSE(mwi_journal_has_sent(journal));
    end(journal);
}

/* A result is known by its run and task, whether it was taken since or not, and whoever has
 * recorded it. */
static void test_knows(void)
{
    struct mwi_journal *journal = start();
    struct mwi_journal_replay replay;
    mw_reason why;
    for (uint64_t id = 1; id <= 5; id++) {
        struct mwi_journal_result result = result_of(7, id);
        mwi_journal_add_result(journal, "alpha", &result);
    }
    struct mwi_journal_result offered = result_of(7, 3);
    mwi_journal_add_result_of(journal, 99, "alpha", &offered);
    journal = reopen(journal);

    for (int i = 0; i < 6; i++) {
        for (uint64_t id = 0; id <= 6; id++)
            CU_ASSERT_EQUAL(mwi_journal_knows(journal, key_of(7), 1, id), id >= 1 && id <= 5);
        CU_ASSERT_TRUE(mwi_journal_knows(journal, key_of(7), 99, 3));
        CU_ASSERT_FALSE(mwi_journal_knows(journal, key_of(7), 99, 4));
        CU_ASSERT_FALSE(mwi_journal_knows(journal, key_of(8), 1, 1));
        CU_ASSERT_EQUAL_FATAL(mwi_journal_take(journal, key_of(7), &replay, &why), MW_OK);
        mwi_block_unref(replay.block);
    }
    CU_ASSERT_EQUAL(mwi_journal_take(journal, key_of(7), &replay, &why), MW_ESTATE);
    end(journal);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"sent", test_sent},
        {"knows", test_knows},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("journal: offers", tests);
}
