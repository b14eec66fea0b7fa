/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine and slaves that return: results that they have kept end the tasks of the same
 * content, each of them one at most, and slaves that offer what they must not are dropped.
 */
#include "engine/offers.h"

#include <string.h>

#include <mw/sim.h>

#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"
#include "record/journal_open.h"
#include "transports/sim/sim_disk.h"
#include "wire/content.h"

#define OWN_RUN 5
#define OLD_RUN 4
#define PEER 7
#define OTHER 8

static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.run = OWN_RUN;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    master->engine.is_closed = true; /* no back-off of hosts, see test_probation */
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

static void greet(struct mwt_master *master, mw_peer peer, uint32_t offers_count)
{
    mwt_master_greet_as(master, peer,
                        &(struct mwi_message_hello){.host = mwi_message_text("node7"),
                                                    .traits = MWI_TRAIT_RETURNS,
                                                    .offers_count = offers_count});
}

static void say_offered(struct mwt_master *master, mw_peer peer)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, MWI_MESSAGE_OFFERED);
    mwt_master_frame(master, peer, &buffer);
}

static struct mwi_digest key_of(const char *name)
{
    uint64_t seed = mwi_content_seed(MWI_CONTENT_SCOPE, mwi_content_name("alpha", 5), true);
    return mwi_content_key(seed, name, strlen(name));
}

/* The peer offers a result, named like its task, for the task of this name and id of that run. */
static void offer(struct mwt_master *master, mw_peer peer, uint64_t run, uint64_t id,
                  const char *name)
{
    size_t size = strlen(name);
    struct mwi_digest key = key_of(name);
    struct mwi_message_item item = mwt_items_make(id, MWI_PAYLOAD_BYTES, name, size);
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_offer(&buffer, run, &item, &key, 1);
    mwi_buffer_append(&buffer, name, size);
    mwt_master_frame(master, peer, &buffer);
}

static void offer_item(struct mwt_master *master, uint64_t run, struct mwi_message_item item)
{
    struct mwi_digest key = {0};
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_offer(&buffer, run, &item, &key, 1);
    mwi_buffer_append(&buffer, item.data, item.size);
    mwt_master_frame(master, PEER, &buffer);
}

static void let_match(struct mwt_master *master)
{
    mwt_master_tick(master, master->now_ns + 2 * MWT_SECOND);
}

static bool is_there(const struct mwt_master *master, mw_peer peer)
{
    return mwi_slaves_find(&master->engine.slaves, peer) != NULL;
}

/* Offered results end tasks that wait. The slave gets no task before, and is told that it need not
 * keep the results, whether they were of use or not. */
static void test_waiting(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b c");
    greet(&master, PEER, 3);
    offer(&master, PEER, OLD_RUN, 71, "b");
    offer(&master, PEER, OLD_RUN, 72, "x");
    mwt_master_tick(&master, MWT_SECOND / 10);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "");

    say_offered(&master, PEER);
    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@0");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "a");
    CU_ASSERT_EQUAL(mwi_slaves_find(&master.engine.slaves, PEER)->kept_count, 2);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "SLAVE-0 -> OFFER of kept results: 1 of use, 1 not\n"));
    mwt_master_return(&master, PEER, "a");
    CU_ASSERT_EQUAL(mwi_slaves_find(&master.engine.slaves, PEER)->kept_count, 3);
    mwt_master_return(&master, PEER, "c");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0 c@0");
    end(&master);
}

/* An isolated slave that runs the task of an offered result is asked to end it. */
static void test_running_isolated(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet_as(&master, OTHER,
                        &(struct mwi_message_hello){.host = mwi_message_text("node8"),
                                                    .traits = MWI_TRAIT_ISOLATED});
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, OTHER), "a");
    greet(&master, PEER, 1);

    offer(&master, PEER, OLD_RUN, 71, "a");
    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@1");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, OTHER), MWI_MESSAGE_END_TASK);
    end(&master);
}

/* Of equal tasks each takes one result, and of equal results each ends one task. */
static void test_equal_tasks(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a a a");
    greet(&master, PEER, 2);
    greet(&master, OTHER, 2);
    offer(&master, PEER, OLD_RUN, 1, "a");
    offer(&master, OTHER, OLD_RUN, 2, "a");
    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0 a@1");
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&master.engine.tasks), 1);
    end(&master);
}

/* A result that is offered again, before or after it was looked at, ends no second task: two equal
 * tasks may draw random numbers, and must not get one result. */
static void test_offered_again(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a a");
    greet(&master, PEER, 1);
    offer(&master, PEER, OLD_RUN, 1, "a");
    mwt_master_down_early(&master, PEER, "closed by the peer");
    greet(&master, PEER, 1);
    offer(&master, PEER, OLD_RUN, 1, "a");
    let_match(&master);
    mwt_master_down_early(&master, PEER, "closed by the peer");
    greet(&master, PEER, 1);
    offer(&master, PEER, OLD_RUN, 1, "a");

    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@?");
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&master.engine.tasks), 1);
    end(&master);
}

static struct mwi_journal *open_journal(struct mwi_sim_disk *disk, uint64_t run)
{
    struct mwi_journal *journal = NULL;
    struct mwi_journal_findings findings;
    mw_reason why;
    const struct mwi_journal_settings settings = {
        .path = "s.mwj", .api = &mwi_sim_disk_api, .environment = disk, .run = {.number = run}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
    return journal;
}

/* Nothing is recorded any more, because the journal has failed. A result that it gave to a task
 * before that ends no other task of the same content when its slave offers it. */
static void test_failed_journal(void)
{
    static struct mwt_master master;
    mw_sim *world;
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = 1}), MW_OK);
    struct mwi_sim_disk *disk = mwi_sim_disk_create(world, &(struct mwi_sim_disk_plan){0});
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk);
    struct mwi_journal *journal = open_journal(disk, OLD_RUN);
    const struct mwi_journal_result result = {.key = key_of("a"),
                                              .id = 1,
                                              .form = MWI_PAYLOAD_BYTES,
                                              .size = 1,
                                              .data = (const unsigned char *)"a"};
    mwi_journal_add_result(journal, "alpha", &result);
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    mwi_journal_close(journal);
    start(&master);
    master.engine.earlier = open_journal(disk, OWN_RUN);
    mwt_master_submit(&master, "a a");
    greet(&master, PEER, 2);

    offer(&master, PEER, OLD_RUN, 1, "a");
    offer(&master, PEER, OLD_RUN, 2, "a");
    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&master.engine.tasks), 1);
    mwi_journal_close(master.engine.earlier);
    end(&master);
    mw_sim_destroy(world);
}

/* A task that another slave runs ends, too, and what that slave returns is not taken. */
static void test_running(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, OTHER);
    mwt_master_submit(&master, "a");
    mwt_master_tick(&master, 0);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, OTHER), "a");
    greet(&master, PEER, 1);
    offer(&master, PEER, OLD_RUN, 1, "a");
    say_offered(&master, PEER);

    let_match(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@1");
    mwt_master_return(&master, OTHER, "a");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    CU_ASSERT(is_there(&master, OTHER));
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_CANCELLED], 0);
    end(&master);
}

/* A result of this very run ends its own task and no other of the same content, and nothing if the
 * task has ended: the user may have got that result already. */
static void test_own_run(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a a");
    greet(&master, PEER, 3);
    offer(&master, PEER, OWN_RUN, 2, "a");
    offer(&master, PEER, OWN_RUN, 2, "a");
    offer(&master, PEER, OWN_RUN, 3, "a");
    say_offered(&master, PEER);

    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&master.engine.tasks), 0);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "a");
    end(&master);
}

/* Tasks for one slave alone are ended by no offer, since their results belong to one run. */
static void test_ordered(void)
{
    static struct mwt_master master;
    start(&master);
    mwi_membership_allocate(&master.engine, MWI_GROUP_ORDERED, 1);
    mwt_master_greet(&master, OTHER);
    struct mwi_task_policy policy = mwt_policy_default();
    policy.sid = 0;
    mwt_master_submit_sized(&master, 'a', 1, &policy);
    greet(&master, PEER, 1);
    offer(&master, PEER, OLD_RUN, 1, "a");
    say_offered(&master, PEER);

    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    end(&master);
}

/* The slave may be gone when its results are looked at. They are taken all the same. */
static void test_gone_after_the_offer(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    greet(&master, PEER, 1);
    offer(&master, PEER, OLD_RUN, 1, "a");
    mwt_master_down_early(&master, PEER, "closed by the peer");

    let_match(&master);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@?");
    end(&master);
}

/* A slave says that it still runs a task: others are sent it last, and its result ends it. */
static void test_still_running(void)
{
    static struct mwt_master master;
    struct mwi_message_running running = {.run = OLD_RUN, .id = 9};
    struct mwi_buffer buffer;
    start(&master);
    master.engine.config.reconnect_ns = 3600 * MWT_SECOND;
    uint64_t seed = mwi_content_seed(MWI_CONTENT_SCOPE, mwi_content_name("alpha", 5), true);
    running.key = mwi_content_key(seed, "a", 1);
    mwt_master_submit(&master, "a b c");
    greet(&master, PEER, 1);
    mwi_buffer_init(&buffer);
    mwi_message_write_running(&buffer, &running);
    mwt_master_frame(&master, PEER, &buffer);
    let_match(&master);
    mwt_master_greet(&master, OTHER);
    mwt_master_tick(&master, master.now_ns);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, OTHER), "b");
    for (int i = 0; i < 5; i++)
        mwt_master_tick(&master, master.now_ns + 40 * MWT_SECOND);
    CU_ASSERT(is_there(&master, PEER));
    mwt_master_return(&master, OTHER, "b");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, OTHER), "b|c");
    offer(&master, PEER, OLD_RUN, 9, "a");
    say_offered(&master, PEER);
    let_match(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@1 a@0");
    CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&master.engine.tasks), 0);
    end(&master);
}

static void say_running(struct mwt_master *master)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_running(&buffer, &(struct mwi_message_running){.run = OLD_RUN});
    mwt_master_frame(master, PEER, &buffer);
}

static void run_twice(struct mwt_master *master)
{
    say_running(master);
    say_running(master);
}

/* A result that ran for longer than its task may is of no use, as if the task had been ended then.
 */
static void test_overrun(void)
{
    for (uint64_t seconds = 1; seconds <= 3; seconds++) {
        static struct mwt_master master;
        struct mwi_task_policy policy = mwt_policy_default();
        struct mwi_message_item item = mwt_items_make(1, MWI_PAYLOAD_BYTES, "a", 1);
        start(&master);
        policy.time_limit_ns = 2 * MWT_SECOND;
        mwt_master_submit_sized(&master, 'a', 1, &policy);
        greet(&master, PEER, 1);
        item.duration_ns = seconds * MWT_SECOND;
        offer_item(&master, OWN_RUN, item);

        let_match(&master);

        CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), seconds <= 2 ? "a@0" : "");
        end(&master);
    }
}

/* However much is offered before anybody looks at it, little is kept. */
static void test_bounded(void)
{
    static char large[1 << 20];
    static struct mwt_master master;
    struct mwi_message_item item = mwt_items_make(1, MWI_PAYLOAD_BYTES, large, sizeof large);
    start(&master);
    greet(&master, PEER, UINT32_MAX);

    for (int i = 0; i < 200; i++) {
        offer_item(&master, OLD_RUN, item);
        CU_ASSERT(master.engine.offers.payload_bytes <= (size_t)64 << 20);
    }

    CU_ASSERT(is_there(&master, PEER));
    end(&master);
}

/* Strangers cannot offer anything: who has not greeted is dropped. */
static void test_stranger(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, PEER);

    offer(&master, PEER, OLD_RUN, 1, "a");

    CU_ASSERT(!is_there(&master, PEER));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "refused: it did not greet first\n"));
    CU_ASSERT_EQUAL(master.engine.offers.count, 0);
    end(&master);
}

static void offer_too_many(struct mwt_master *master)
{
    offer(master, PEER, OLD_RUN, 1, "a");
    offer(master, PEER, OLD_RUN, 2, "a");
}

static void offer_late(struct mwt_master *master)
{
    say_offered(master, PEER);
    offer(master, PEER, OLD_RUN, 1, "a");
}

static void end_twice(struct mwt_master *master)
{
    say_offered(master, PEER);
    say_offered(master, PEER);
}

static void offer_failure(struct mwt_master *master)
{
    offer_item(master, OLD_RUN, mwt_items_make(1, MWI_PAYLOAD_FAILED, "x", 1));
}

static void offer_unknown_algorithm(struct mwt_master *master)
{
    struct mwi_message_item item = mwt_items_make(1, MWI_PAYLOAD_BYTES, "x", 1);
    item.algorithm = 2;
    offer_item(master, OLD_RUN, item);
}

static void offer_garbage(struct mwt_master *master)
{
    offer_item(master, OLD_RUN, mwt_items_make(1, MWI_PAYLOAD_VALUES, "\xc1", 1));
}

static void fall_silent(struct mwt_master *master)
{
    offer(master, PEER, OLD_RUN, 1, "b");
    for (int i = 0; i < 5; i++)
        mwt_master_tick(master, master->now_ns + 40 * MWT_SECOND);
}

/* A slave that offers more than it has announced, or no results, is dropped, and nothing else
 * happens. */
static void test_breaches(void)
{
    static const struct {
        void (*act)(struct mwt_master *master);
        const char *reason;
    } cases[] = {
        {offer_too_many, "it offered more results than it had announced"},
        {offer_late, "it offered more results than it had announced"},
        {end_twice, "it ended an offer that it was not to make"},
        {run_twice, "it said that it runs a task, and had not announced its result"},
        {offer_failure, "it offered a result that cannot be one"},
        {offer_unknown_algorithm, "it offered a result that cannot be one"},
        {offer_garbage, "it offered a result whose values are not msgpack"},
        {fall_silent, "it offered results and did not go on within --mw-client-timeout"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct mwt_master master;
        start(&master);
        mwt_master_submit(&master, "z");
        greet(&master, PEER, 1);
        mwt_master_forget(&master);

        cases[i].act(&master);

        CU_ASSERT(!is_there(&master, PEER));
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, cases[i].reason));
        CU_ASSERT_EQUAL(mwi_tasks_waiting_count(&master.engine.tasks), 1);
        end(&master);
    }
}

/* A slave that has announced nothing may not offer, whether it may return or not. */
static void test_unannounced(void)
{
    static struct mwt_master master;
    start(&master);
    greet(&master, PEER, 0);
    mwt_master_greet(&master, OTHER);

    offer(&master, PEER, OLD_RUN, 1, "a");
    say_offered(&master, OTHER);

    CU_ASSERT(!is_there(&master, PEER) && !is_there(&master, OTHER));
    CU_ASSERT_EQUAL(master.engine.offers.count, 0);
    end(&master);
}

/* Slaves that may return are told which tasks belong to this run alone. */
static void test_scope(void)
{
    static struct mwt_master master;
    start(&master);
    mwi_membership_allocate(&master.engine, MWI_GROUP_INTERMINGLE, 1);
    greet(&master, PEER, 0);
    struct mwi_task_policy policy = mwt_policy_default();
    policy.sid = 0;
    mwt_master_submit_sized(&master, 'a', 1, &policy);

    mwt_master_tick(&master, 0);

    struct mwi_slave_entry *slave = mwi_slaves_find(&master.engine.slaves, PEER);
    CU_ASSERT_EQUAL(slave->scope, MWI_CONTENT_NO_SCOPE);
    mwt_master_return(&master, PEER, "a");
    mwt_master_submit(&master, "b");
    mwt_master_tick(&master, 0);
    CU_ASSERT_EQUAL(slave->scope, MWI_CONTENT_SCOPE);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, PEER), "a|b");
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"waiting", test_waiting},
        {"running isolated", test_running_isolated},
        {"equal tasks", test_equal_tasks},
        {"offered again", test_offered_again},
        {"failed journal", test_failed_journal},
        {"running", test_running},
        {"own run", test_own_run},
        {"ordered", test_ordered},
        {"gone after the offer", test_gone_after_the_offer},
        {"still running", test_still_running},
        {"overrun", test_overrun},
        {"bounded", test_bounded},
        {"stranger", test_stranger},
        {"breaches", test_breaches},
        {"unannounced", test_unannounced},
        {"scope", test_scope},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("offers", tests);
}
