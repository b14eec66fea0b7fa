/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine with a journal on a simulated disk: a task that may not run twice leaves when
 * the record of it is durable, and what is sent to its slave meanwhile stays behind it. Its times
 * begin when it leaves. No task leaves while the disk is far behind.
 */
#include "engine/withheld.h"

#include <stdlib.h>
#include <string.h>

#include <mw/sim.h>

#include "engine/journaling.h"
#include "engine/membership.h"
#include "mwt_disk.h"
#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"
#include "record/journal_open.h"
#include "transports/sim/sim_disk.h"

#define PEER 7
#define OTHER 8

static mw_sim *world;
static struct mwi_sim_disk *disk;
static struct mwt_disk bytes; /* stands for the simulated disk in one test */
static struct mwi_journal *journal;
static struct mwt_master master;

static void open_journal(uint64_t run)
{
    struct mwi_journal_findings findings;
    mw_reason why;
    struct mwi_journal_settings settings = {
        .path = "s.mwj", .api = &mwi_sim_disk_api, .environment = disk, .run = {.number = run}};
    if (disk == NULL) {
        settings.api = &mwt_disk_api;
        settings.environment = &bytes;
    }
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
}

static void start_master(uint64_t run)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.run = run;
    open_journal(run);
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, &config));
    master.engine.journal = master.engine.earlier = journal;
}

static void start(void)
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = 1}), MW_OK);
    disk = mwi_sim_disk_create(world, &(struct mwi_sim_disk_plan){0});
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk);
    start_master(1);
}

static void end_master(void)
{
    CU_ASSERT_EQUAL(master.engine.effects.error, MW_OK);
    mwt_master_end(&master);
    mwi_journal_close(journal);
}

static void end(void)
{
    end_master();
    mw_sim_destroy(world);
    disk = NULL;
}

static void tick(void)
{
    mwt_master_tick(&master, master.now_ns + 1);
}

/* Submits a task without a tag that may not run twice, as face/master_journal does. */
static uint64_t submit_timed(const char *name, int64_t limit_ns)
{
    struct mwi_task_policy policy = mwt_policy_default();
    union {
        const char *from;
        unsigned char *to;
    } data = {name};
    uint64_t id = 0;
    mw_reason why;
    policy.is_retried = false;
    policy.time_limit_ns = limit_ns;
    const struct mwi_lifecycle_task task = {
        .policy = policy, .payload = {data.to, strlen(name), true}, .is_borrowed = true};
    CU_ASSERT_EQUAL(mwi_journaling_submit(&master.engine, &task, &id, &why), MW_OK);
    return id;
}

static uint64_t submit_once(const char *name)
{
    return submit_timed(name, 0);
}

/* Ticks each second. */
static void pass_seconds(int count)
{
    for (int i = 0; i < count; i++)
        mwt_master_tick(&master, master.now_ns + MWT_SECOND);
}

static bool is_there(mw_peer peer)
{
    return mwi_slaves_find(&master.engine.slaves, peer) != NULL;
}

/* The task is held back until the record of it is durable. A slave with another task is not held
 * up. */
static void test_order(void)
{
    start();
    mwt_master_greet(&master, PEER);
    submit_once("once");
    tick();
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "");
    mwt_master_greet(&master, OTHER);
    mwt_master_submit(&master, "plain");
    tick();
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, OTHER), "plain");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "");

    mw_sim_run(world, INT64_MAX);
    tick();

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "once");
    CU_ASSERT_PTR_NULL(mwi_withheld_first(&master.engine));
    mwt_master_return(&master, PEER, "once");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "once@0");
    end();
}

/* Messages behind the task wait, too: a slave that is to end gets its task before. */
static void test_behind(void)
{
    start();
    mwt_master_greet(&master, PEER);
    submit_once("once");
    tick();
    mwi_membership_shutdown(&master.engine, master.now_ns, MWT_SECOND);
    tick();
    CU_ASSERT_PTR_NOT_NULL(mwi_withheld_first(&master.engine));

    mw_sim_run(world, INT64_MAX);
    tick();

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "once");
    CU_ASSERT_PTR_NULL(mwi_withheld_first(&master.engine));
    end();
}

/* While a slow disk holds the task back, nobody calls its slave silent. The time in which the slave
 * may be silent begins when the task leaves. So does the trip of the task. */
static void test_silence(void)
{
    start();
    mwt_master_greet(&master, PEER);
    submit_once("once");
    pass_seconds(300);
    mw_sim_run(world, INT64_MAX);
    pass_seconds(59);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "once");
    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "silent for"));

    pass_seconds(60);
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "SLAVE-0 silent for "));
    mwt_master_return(&master, PEER, "once");
    CU_ASSERT_TRUE(mwi_slaves_find(&master.engine.slaves, PEER)->load.trip_ns <= 120 * MWT_SECOND);
    end();
}

/* The limit of a task does not run while the task is held back. It begins when the slave says that
 * it has begun, or client_timeout_ns after the task has left. */
static void test_time_limit(void)
{
    start();
    mwt_master_greet(&master, PEER);
    submit_timed("once", MWT_SECOND);
    pass_seconds(300);
    CU_ASSERT_TRUE(is_there(PEER));
    mw_sim_run(world, INT64_MAX);
    pass_seconds(60);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "once");
    CU_ASSERT_TRUE(is_there(PEER));

    pass_seconds(5);

    CU_ASSERT_FALSE(is_there(PEER));
    end();
}

/* A slave that is lost meanwhile has nothing to be sent; its task, which never left, has ended as
 * its policy says. */
static void test_lost(void)
{
    start();
    mwt_master_greet(&master, PEER);
    submit_once("once");
    tick();
    mwt_master_down(&master, PEER, "connection reset");

    CU_ASSERT_PTR_NULL(mwi_withheld_first(&master.engine));
    mw_sim_run(world, INT64_MAX);
    tick();
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "");
    end();
}

/* A journal that has failed: the slave is dropped, and the task waits; or, if the farm goes on
 * without the journal, the task is sent. */
static void test_failure(void)
{
    start();
    mwt_master_greet(&master, PEER);
    mwt_master_greet(&master, OTHER);
    submit_once("one");
    submit_once("two");
    tick();
    master.engine.journal = NULL;
    mwi_membership_stop(&master.engine, master.now_ns);

    mwi_membership_drop_withheld(&master.engine);
    mwt_outbox_take(&master.outbox, &master.engine.effects);

    tick();
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master.engine.slaves, PEER));
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master.engine.slaves, OTHER));
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    end();

    start();
    mwt_master_greet(&master, PEER);
    submit_once("one");
    tick();
    master.engine.journal = NULL;
    tick();
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "one");
    end();
}

/* A disk that fails before the record is durable: the task stays, and the journal says that it must
 * be asked why, although the disk has told of it already. */
static void test_lost_disk(void)
{
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = 1}), MW_OK);
    disk = mwi_sim_disk_create(world, &(struct mwi_sim_disk_plan){.failing_sync = 2});
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk);
    start_master(1);
    mwt_master_greet(&master, PEER);
    submit_once("once");
    tick();
    CU_ASSERT_FALSE(mwi_journal_is_broken(journal));

    mw_sim_run(world, INT64_MAX);
    tick();

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "");
    CU_ASSERT_TRUE(mwi_journal_is_broken(journal));
    CU_ASSERT_EQUAL(mwi_journal_status(journal, &why), MW_EIO);
    end();
}

/* In the next run a task that was sent and has no result is unrunnable; one that has a result, or
 * was never sent, is not. */
static void check_next_run(bool has_failed)
{
    start();
    mwt_master_greet(&master, PEER);
    submit_once("done");
    tick();
    mw_sim_run(world, INT64_MAX);
    tick();
    mwt_master_return(&master, PEER, "done");
    submit_once("sent");
    submit_once("waiting");
    tick();
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    end_master();

    start_master(2);
    if (has_failed)
        master.engine.journal = NULL;
    submit_once("done");
    submit_once("waiting");
    uint64_t sent = submit_once("sent");
    CU_ASSERT_EQUAL(master.engine.finished.count, 1);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    struct mwi_lifecycle_unrunnable taken;
    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_unrunnable(&master.engine, &taken));
    CU_ASSERT_EQUAL(taken.id, sent);
    CU_ASSERT_STRING_EQUAL(taken.history, "its policy allows no retry, and it may have run before "
                                          "the master was started again");
    free(taken.history);
    free(taken.payload.data);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "done@?");
    CU_ASSERT_FALSE(mwi_journaling_has_replays(&master.engine));
    end();
}

static void test_next_run(void)
{
    check_next_run(false);
}

/* The same if the journal of the next run has failed before the tasks are submitted. */
static void test_next_run_fails(void)
{
    check_next_run(true);
}

/* A task that has a result, which can be read no more when it is submitted again: the result shows
 * that the task has run. */
static void test_next_run_cannot_read(void)
{
    /* The reader keeps the last block of the file, and reads the one of the result again. */
    static const unsigned char behind[2 * MWI_JOURNAL_BLOCK_BYTES];
    struct mwi_lifecycle_unrunnable taken;
    start_master(1);
    mwt_master_greet(&master, PEER);
    submit_once("done");
    tick();
    (void)mwi_journal_hurry(journal);
    tick();
    mwt_master_return(&master, PEER, "done");
    mwi_journal_add_saved(journal, (struct mwi_digest){1, 1}, 1, behind, sizeof behind);
    (void)mwi_journal_hurry(journal);
    end_master();

    start_master(2);
    unsigned char *result = memmem(bytes.bytes, bytes.size, "done", 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    *result ^= 1;
    uint64_t id = submit_once("done");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 0);
    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_unrunnable(&master.engine, &taken));
    CU_ASSERT_EQUAL(taken.id, id);
    free(taken.history);
    free(taken.payload.data);
    end_master();
    mwt_disk_fini(&bytes);
}

/* Runs the engine until the disk has all that the engine has recorded, and tasks have left. */
static void settle(void)
{
    pass_seconds(1);
    mw_sim_run(world, INT64_MAX);
    tick();
}

/* Slaves give back a task that they have not begun: the next run may run it, unless it was sent
 * once more. */
static void check_given_back(int times, bool is_sent_again)
{
    start();
    submit_once("first");
    for (mw_peer peer = PEER; peer < PEER + (mw_peer)times; peer++) {
        mwt_master_greet(&master, peer);
        settle();
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, peer), "first");
        mwt_master_say(&master, peer, MWI_MESSAGE_GOODBYE, "the host is wanted back");
    }
    if (is_sent_again) {
        mwt_master_greet(&master, PEER + 10);
        settle();
    }
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    end_master();

    start_master(2);
    submit_once("first");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], is_sent_again ? 0 : 1);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], is_sent_again ? 1 : 0);
    end();
}

static void test_given_back(void)
{
    check_given_back(1, false);
    check_given_back(3, false);
    check_given_back(2, true);
}

/* The same if the master has recalled it. */
static void test_recalled(void)
{
    start();
    master.engine.config.task_group = 2;
    mwt_master_greet(&master, PEER);
    mwt_master_submit(&master, "a");
    submit_once("once");
    settle();
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "a once");
    mwi_membership_stop(&master.engine, master.now_ns);
    mwt_master_return(&master, PEER, "a");
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, MWI_MESSAGE_RETURNED);
    mwt_master_frame(&master, PEER, &buffer);
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    end_master();

    start_master(2);
    submit_once("once");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    end();
}

/* While the disk is behind by much, no task is sent: its result would need memory. */
static void test_behind_disk(void)
{
    enum { CHUNK_BYTES = 1 << 20, CHUNKS_COUNT = 65 };
    static const unsigned char chunk[CHUNK_BYTES];
    start();
    mwt_master_greet(&master, PEER);
    for (int i = 0; i < CHUNKS_COUNT; i++)
        mwi_journal_add_saved(journal, (struct mwi_digest){1, 1}, 1, chunk, sizeof chunk);
    mwi_journal_flush(journal);
    mwt_master_submit(&master, "plain");
    tick();
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "");
    CU_ASSERT_TRUE(mwi_master_engine_deadline(&master.engine) > 0);

    mw_sim_run(world, INT64_MAX);
    mwi_journal_flush(journal);
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MIN);
    tick();

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "plain");
    end();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"order", test_order},
        {"behind", test_behind},
        {"silence", test_silence},
        {"time limit", test_time_limit},
        {"lost", test_lost},
        {"failure", test_failure},
        {"lost disk", test_lost_disk},
        {"next run", test_next_run},
        {"given back", test_given_back},
        {"recalled", test_recalled},
        {"next run fails", test_next_run_fails},
        {"next run cannot read", test_next_run_cannot_read},
        {"behind disk", test_behind_disk},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("withheld", tests);
}
