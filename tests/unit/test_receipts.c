/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine tells slaves that may return which of their results they need not keep: at once
 * without a journal, and with one when the results are durable.
 */
#include "engine/receipts.h"

#include <mw/sim.h>

#include "mwt_master.h"
#include "mwt_run.h"
#include "record/journal_open.h"
#include "transports/sim/sim_disk.h"

#define PEER 7

static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.run = 1;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    mwt_master_submit(master, "a b c");
    mwt_master_greet_as(master, PEER,
                        &(struct mwi_message_hello){.host = mwi_message_text("node7"),
                                                    .traits = MWI_TRAIT_RETURNS});
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

static void tick(struct mwt_master *master)
{
    mwt_master_tick(master, master->now_ns + 1);
}

/* How many results the slave was told of; 0: none. */
static uint64_t told_count(struct mwt_master *master)
{
    struct mwt_outbox *outbox = &master->outbox;
    uint64_t count = 0;
    for (size_t i = 0; i < outbox->frames_count; i++) {
        struct mwi_message *message = &outbox->message;
        mw_reason why;
        CU_ASSERT_EQUAL(mwi_message_decode(&outbox->decoder, outbox->frames[i].data,
                                           outbox->frames[i].size, message, &why),
                        MW_OK);
        if (message->kind == MWI_MESSAGE_KEPT)
            count = message->kept_count;
    }
    return count;
}

/* Without a journal a slave need not keep a result that the master has taken. */
static void test_at_once(void)
{
    static struct mwt_master master;
    start(&master);

    mwt_master_return(&master, PEER, "a");

    CU_ASSERT_EQUAL(told_count(&master), 1);
    end(&master);
}

static struct mwi_journal *open_journal(struct mwi_sim_disk *disk)
{
    struct mwi_journal *journal = NULL;
    struct mwi_journal_findings findings;
    mw_reason why;
    const struct mwi_journal_settings settings = {
        .path = "s.mwj", .api = &mwi_sim_disk_api, .environment = disk, .run = {.number = 1}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
    return journal;
}

/* Begins with a journal on a disk of a world of its own. */
static struct mwi_journal *start_with_journal(struct mwt_master *master, mw_sim **world)
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(world, &(mw_sim_config){.seed = 1}), MW_OK);
    struct mwi_sim_disk *disk = mwi_sim_disk_create(*world, &(struct mwi_sim_disk_plan){0});
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk);
    struct mwi_journal *journal = open_journal(disk);
    start(master);
    master->engine.journal = master->engine.earlier = journal;
    return journal;
}

static void end_with_journal(struct mwt_master *master, mw_sim *world)
{
    struct mwi_journal *journal = master->engine.journal;
    end(master);
    mwi_journal_close(journal);
    mw_sim_destroy(world);
}

/* With a journal the slave is told when its results are durable, and not of those that came after
 * they were marked. These get the next mark. */
static void test_durable(void)
{
    static struct mwt_master master;
    mw_sim *world;
    struct mwi_journal *journal = start_with_journal(&master, &world);
    mwt_master_return(&master, PEER, "a");
    tick(&master);
    (void)mwi_journal_hurry(journal);
    mwt_master_return(&master, PEER, "b");
    tick(&master);
    CU_ASSERT_EQUAL(told_count(&master), 0);

    mw_sim_run(world, INT64_MAX);
    tick(&master);
    CU_ASSERT_EQUAL(told_count(&master), 1);
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    tick(&master);
    tick(&master);

    CU_ASSERT_EQUAL(told_count(&master), 2);
    CU_ASSERT_TRUE(mwi_list_is_empty(&master.engine.unconfirmed));
    end_with_journal(&master, world);
}

/* A slave that is lost before its results are durable is told nothing. */
static void test_lost(void)
{
    static struct mwt_master master;
    mw_sim *world;
    (void)start_with_journal(&master, &world);
    mwt_master_return(&master, PEER, "a");
    CU_ASSERT_FALSE(mwi_list_is_empty(&master.engine.unconfirmed));

    mwt_master_down_early(&master, PEER, "closed by the peer");

    CU_ASSERT_TRUE(mwi_list_is_empty(&master.engine.unconfirmed));
    CU_ASSERT_EQUAL(told_count(&master), 0);
    end_with_journal(&master, world);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"at once", test_at_once},
        {"durable", test_durable},
        {"lost", test_lost},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("receipts", tests);
}
