/* SPDX-License-Identifier: Apache-2.0
 *
 * A master that makes its groups by time: the tasks that it sends ahead, and their fate when a
 * slave is lost.
 */
#include <string.h>

#include "mwt_master.h"
#include "mwt_run.h"

#define SLAVE_A 7
#define SLAVE_B 8

static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = 0;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    /* The time of tasks is known, and short. */
    for (int i = 0; i < 1000; i++)
        mwi_pace_learn(&master->engine.pace, 0, 300000, 1);
    mwt_master_greet(master, SLAVE_A);
    mwt_master_forget(master);
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

static void tick(struct mwt_master *master)
{
    mwt_master_tick(master, master->now_ns + 1000);
}

/* A slave gets more before it has returned its last task. */
static void test_ahead(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b c d e f g h i j k l m n o p q r s t u v w x y z");
    tick(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_A), "a b c d e f g h i");
    mwt_master_forget(&master);

    mwt_master_return(&master, SLAVE_A, "a b c");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_A), "");
    mwt_master_return(&master, SLAVE_A, "d e f");

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_A), "j k l m n o p");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0 b@0 c@0 d@0 e@0 f@0");
    end(&master);
}

/* An idle slave comes first. */
static void test_idle_first(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, SLAVE_B);
    mwt_master_submit(&master, "a b");
    tick(&master);
    mwt_master_return(&master, SLAVE_A, "a");
    mwt_master_forget(&master);
    mwt_master_submit(&master, "c d e f g h");
    tick(&master);

    CU_ASSERT(strncmp(mwt_master_sent(&master, SLAVE_A), "c", 1) == 0);
    end(&master);
}

/* A slave is lost with several tasks, and nobody knows which it was running. None counts an
 * attempt, and all are sent alone from then on, so that a task that kills slaves becomes known. */
static void test_loss(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b c d e f g h");
    tick(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_A), "a b c d");
    mwt_master_return(&master, SLAVE_A, "a");
    mwt_master_down(&master, SLAVE_A, "gone");

    for (int i = 2; i <= 4; i++) {
        struct mwi_task_entry *task = mwi_tasks_find(&master.engine.tasks, (uint64_t)i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task);
        CU_ASSERT_EQUAL(task->attempts, 0);
    }
    static const char *const alone[] = {"b", "c", "d"};
    mwt_master_greet(&master, SLAVE_B);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_B), alone[i]);
        mwt_master_forget(&master);
        mwt_master_return(&master, SLAVE_B, alone[i]);
    }
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_B), "e f");
    end(&master);
}

/* A task that may have one attempt only has not had it because it was at a slave with others. */
static void test_single_attempt(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 8; i++)
        mwt_master_submit_one(&master, "x", false, 1);
    tick(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_A), "x x x x");

    mwt_master_down(&master, SLAVE_A, "gone");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 0);
    mwt_master_greet(&master, SLAVE_B);
    mwt_master_down(&master, SLAVE_B, "gone");

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 7);
    end(&master);
}

/* A task that brings down every slave is found among those that were sent with it. */
static void test_killer(void)
{
    static struct mwt_master master;
    mw_peer peer = SLAVE_A;
    int slaves_count = 1;
    start(&master);
    mwt_master_submit(&master, "a b c killer d e f g");
    tick(&master);

    while (master.engine.tasks.counts[MWI_TASK_UNRUNNABLE] == 0 && slaves_count < 20) {
        const char *sent = mwt_master_sent(&master, peer);
        if (strstr(sent, "killer") != NULL) {
            mwt_master_forget(&master);
            mwt_master_down(&master, peer, "gone");
            mwt_master_greet(&master, ++peer);
            slaves_count++;
        } else {
            char names[64];
            snprintf(names, sizeof names, "%s", sent);
            mwt_master_forget(&master);
            mwt_master_return(&master, peer, names);
        }
    }

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    CU_ASSERT_EQUAL(mwi_tasks_find(&master.engine.tasks, 4)->state, MWI_TASK_UNRUNNABLE);
    CU_ASSERT(slaves_count <= 5);
    end(&master);
}

/* Of tasks that may not run twice a slave has one at a time, so that none is run again that was
 * begun, nor given up that was not. */
static void test_no_retry(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 8; i++)
        mwt_master_submit_one(&master, "x", true, 3);
    tick(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, SLAVE_A), "x");

    mwt_master_down(&master, SLAVE_A, "gone");

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 7);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"ahead", test_ahead},   {"idle first", test_idle_first},
        {"loss", test_loss},     {"single attempt", test_single_attempt},
        {"killer", test_killer}, {"no retry", test_no_retry},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("master by time", tests);
}
