/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine and isolated slaves: a task whose process ends has failed an attempt, and the
 * slave goes on; tasks that are not wanted any more, or overrun their limit, are ended.
 */
#include <string.h>

#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"

#define SIGNAL "was killed by signal 11 (Segmentation fault)"
#define LIMIT (5 * MWT_SECOND)

static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = 2;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    master->engine.is_closed = true; /* no back-off of hosts, see test_probation */
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

static void greet(struct mwt_master *master, mw_peer peer, uint32_t traits)
{
    mwt_master_greet_as(master, peer,
                        &(struct mwi_message_hello){
                            .host = mwi_message_text("node7"), .pid = 4711, .traits = traits});
}

/* The peer says that the process of the task with this name has ended. */
static void crash(struct mwt_master *master, mw_peer peer, const char *name, const char *how)
{
    uint64_t id;
    struct mwi_buffer buffer;
    CU_ASSERT_TRUE_FATAL(mwt_outbox_task_id(&master->tasks, name, &id));
    mwi_buffer_init(&buffer);
    mwt_items_result(&buffer, id, MWI_PAYLOAD_CRASHED, how, strlen(how), 0);
    mwt_master_frame(master, peer, &buffer);
}

static bool is_there(const struct mwt_master *master, mw_peer peer)
{
    return mwi_slaves_find(&master->engine.slaves, peer) != NULL;
}

/* The history of the first unrunnable task; "" if there is none. */
static const char *history(const struct mwt_master *master)
{
    const struct mwi_list *list = &master->engine.tasks.unrunnable;
    if (mwi_list_is_empty(list))
        return "";
    const struct mwi_task_entry *task =
        MWI_LIST_ENTRY(list->next, const struct mwi_task_entry, item.link);
    return mwi_losses_history(&master->engine.tasks.losses, task->id);
}

/* Whether the last message to the peer asks it to end the task with this name. */
static bool is_asked_to_end(struct mwt_master *master, mw_peer peer, const char *name)
{
    uint64_t id;
    const struct mwi_message *message = mwt_outbox_decode(&master->outbox, peer);
    return message != NULL && message->kind == MWI_MESSAGE_END_TASK &&
           mwt_outbox_task_id(&master->tasks, name, &id) && message->id == id;
}

/* The task is sent again, alone and first; the slave stays and returns its other task. */
static void test_attempt(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b c d");
    greet(&master, 1, MWI_TRAIT_ISOLATED);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a b");
    mwt_master_forget(&master);

    crash(&master, 1, "a", SIGNAL);
    mwt_master_return(&master, 1, "b");

    CU_ASSERT_TRUE(is_there(&master, 1));
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@0");
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail,
                                  "SLAVE-0 -> task 1 of \"alpha\" requeued after attempt 1: "
                                  "its process " SIGNAL "\n"));
    end(&master);
}

/* When its attempts are used up, the task is unrunnable, and its history tells how each ended. */
static void test_attempts_used_up(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_one(&master, "a", false, 2);
    greet(&master, 1, MWI_TRAIT_ISOLATED);

    crash(&master, 1, "a", SIGNAL);
    CU_ASSERT_STRING_EQUAL(history(&master), "");
    crash(&master, 1, "a", "exited with status 3");

    CU_ASSERT_STRING_EQUAL(history(&master),
                           "SLAVE-0 (pid 4711 on node7) ran it in a process that " SIGNAL "; "
                           "SLAVE-0 (pid 4711 on node7) ran it in a process that "
                           "exited with status 3; its policy allows 2 attempts");
    CU_ASSERT_TRUE(is_there(&master, 1));
    end(&master);
}

/* A task that may not run twice is unrunnable at once. */
static void test_no_retry(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_one(&master, "a", true, 3);
    greet(&master, 1, MWI_TRAIT_ISOLATED);

    crash(&master, 1, "a", SIGNAL);

    CU_ASSERT_PTR_NOT_NULL(strstr(history(&master), "its policy allows no retry"));
    end(&master);
}

/* A slave that leaves ends its task. That is no attempt, unless the task may not run twice. */
static void test_leaving(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_one(&master, "a", false, 1);
    mwt_master_submit_one(&master, "b", true, 1);
    greet(&master, 1, MWI_TRAIT_ISOLATED);
    mwt_master_say(&master, 1, MWI_MESSAGE_LEAVING, "a signal");

    crash(&master, 1, "a", "was ended");
    crash(&master, 1, "b", "was ended");

    CU_ASSERT_PTR_NOT_NULL(strstr(history(&master), "its policy allows no retry"));
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    greet(&master, 2, 0);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "a");
    end(&master);
}

/* Only an isolated slave may say that a process has ended: another one is dropped. */
static void test_not_isolated(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    greet(&master, 1, 0);

    crash(&master, 1, "a", SIGNAL);

    CU_ASSERT_FALSE(is_there(&master, 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "and is not isolated"));
    end(&master);
}

/* A cancelled task is ended at an isolated slave, and only there. Its end is nobody's business. */
static void test_cancel(void)
{
    static struct mwt_master master;
    uint64_t first, second;
    start(&master);
    mwt_master_submit(&master, "a b");
    greet(&master, 1, MWI_TRAIT_ISOLATED);
    mwt_master_submit(&master, "c");
    greet(&master, 2, 0);
    CU_ASSERT_TRUE_FATAL(mwt_outbox_task_id(&master.tasks, "a", &first));
    CU_ASSERT_TRUE_FATAL(mwt_outbox_task_id(&master.tasks, "c", &second));

    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, first), MW_OK);
    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, second), MW_OK);
    mwt_master_tick(&master, MWT_SECOND);

    CU_ASSERT_TRUE(is_asked_to_end(&master, 1, "a"));
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 2), MWI_MESSAGE_TASKS);
    crash(&master, 1, "a", "was ended");
    CU_ASSERT_EQUAL(mwi_slaves_find(&master.engine.slaves, 1)->host->barren_count, 0);
    mwt_master_return(&master, 1, "b");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@0");
    CU_ASSERT_STRING_EQUAL(history(&master), "");
    end(&master);
}

/* Of two copies of a task the one that is slower is ended. */
static void test_slower_copy(void)
{
    static struct mwt_master master;
    struct mwi_task_policy policy = mwt_policy_default();
    policy.is_speculated = true;
    start(&master);
    master.engine.speculation.is_wanted = true;
    greet(&master, 1, MWI_TRAIT_ISOLATED);
    mwt_master_submit(&master, "w x y z");
    for (int i = 0; i < 4; i++) {
        mwt_master_forget(&master);
        mwt_master_tick(&master, master.now_ns + MWT_SECOND / 1000);
        mwt_master_return(&master, 1, (const char *[]){"w", "x", "y", "z"}[i]);
    }
    mwt_master_submit_sized(&master, 'a', 1, &policy);
    mwt_master_tick(&master, master.now_ns + 1);
    greet(&master, 2, MWI_TRAIT_ISOLATED);
    mwt_master_forget(&master);
    for (int i = 0; i < 20; i++)
        mwt_master_tick(&master, master.now_ns + MWT_SECOND / 10);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "a");

    mwt_master_return(&master, 2, "a");

    CU_ASSERT_TRUE(is_asked_to_end(&master, 1, "a"));
    crash(&master, 1, "a", "was ended");
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_master_results(&master), "a@1"));
    CU_ASSERT_STRING_EQUAL(history(&master), "");
    end(&master);
}

static void begin_limited(struct mwt_master *master)
{
    struct mwi_task_policy policy = mwt_policy_default();
    policy.time_limit_ns = LIMIT;
    policy.max_attempts = 1;
    mwt_master_submit_sized(master, 'a', 1, &policy);
    greet(master, 1, MWI_TRAIT_ISOLATED);
    mwt_master_begin(master, 1);
}

/* At its limit a task is ended, and the slave goes on. */
static void test_time_limit(void)
{
    static struct mwt_master master;
    start(&master);
    begin_limited(&master);

    mwt_master_tick(&master, LIMIT + 1);

    CU_ASSERT_TRUE(is_there(&master, 1));
    CU_ASSERT_TRUE(is_asked_to_end(&master, 1, "a"));
    crash(&master, 1, "a", "was ended");
    CU_ASSERT_TRUE(is_there(&master, 1));
    CU_ASSERT_STRING_EQUAL(history(&master),
                           "SLAVE-0 (pid 4711 on node7) ended it: task 1 of \"alpha\" overran its "
                           "time limit of 5 s; its policy allows 1 attempts");
    mwt_master_tick(&master, 100 * MWT_SECOND);
    CU_ASSERT_TRUE(is_there(&master, 1));
    end(&master);
}

/* A slave that does not end the task is dropped. */
static void test_time_limit_ignored(void)
{
    static struct mwt_master master;
    start(&master);
    begin_limited(&master);

    mwt_master_tick(&master, LIMIT + 1);
    mwt_master_tick(&master, LIMIT + 9 * MWT_SECOND);
    CU_ASSERT_TRUE(is_there(&master, 1));
    mwt_master_tick(&master, LIMIT + 11 * MWT_SECOND);

    CU_ASSERT_FALSE(is_there(&master, 1));
    end(&master);
}

/* A host whose slaves have returned no result is doubted when their processes end, too. */
static void test_doubt(void)
{
    static struct mwt_master master;
    start(&master);
    master.engine.is_closed = false;
    mwt_master_submit(&master, "a");
    greet(&master, 1, MWI_TRAIT_ISOLATED);

    crash(&master, 1, "a", SIGNAL);
    crash(&master, 1, "a", SIGNAL);

    CU_ASSERT_EQUAL(mwi_slaves_find(&master.engine.slaves, 1)->host->barren_count, 2);
    CU_ASSERT_TRUE(mwi_slaves_find(&master.engine.slaves, 1)->is_held);
    end(&master);
}

/* A host that is doubted is not forgotten when its last slave goes. */
static void test_doubted_host_left(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_one(&master, "a", false, 1);
    greet(&master, 1, MWI_TRAIT_ISOLATED);
    master.engine.is_closed = false;
    crash(&master, 1, "a", SIGNAL);
    CU_ASSERT_EQUAL(mwi_slaves_find(&master.engine.slaves, 1)->host->barren_count, 1);

    mwt_master_say(&master, 1, MWI_MESSAGE_GOODBYE, "a signal");

    CU_ASSERT_FALSE(is_there(&master, 1));
    mwt_master_submit(&master, "b");
    greet(&master, 2, MWI_TRAIT_ISOLATED);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "b");
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"a failed attempt", test_attempt},
        {"attempts used up", test_attempts_used_up},
        {"no retry", test_no_retry},
        {"leaving", test_leaving},
        {"not isolated", test_not_isolated},
        {"cancel", test_cancel},
        {"slower copy", test_slower_copy},
        {"time limit", test_time_limit},
        {"time limit ignored", test_time_limit_ignored},
        {"doubt", test_doubt},
        {"doubted host left", test_doubted_host_left},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: crashes", tests);
}
