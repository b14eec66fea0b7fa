/* SPDX-License-Identifier: Apache-2.0
 *
 * A master whose slaves accept messages of different sizes: tasks that are too large for some wait
 * for others, and fail when there is nobody to hope for.
 */
#include "engine/misfits.h"

#include <string.h>

#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"

#define SMALL 1024
#define TIMEOUT (20 * MWT_SECOND)

static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

static size_t count(const struct mwt_master *master, enum mwi_task_state state)
{
    return master->engine.tasks.counts[state];
}

/* Lets virtual time pass, with a tick each second. */
static void pass(struct mwt_master *master, int64_t duration_ns)
{
    for (int64_t until_ns = master->now_ns + duration_ns; master->now_ns < until_ns;)
        mwt_master_tick(master, master->now_ns + MWT_SECOND);
}

/* A task that is too large for the slaves that are there waits, and keeps no other waiting. It goes
 * to the first slave that it fits. */
static void test_waits_for_a_larger_slave(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_submit(&master, "next");
    mwt_master_greet_small(&master, 1, SMALL);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "next");
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);

    mwt_master_greet(&master, 2);

    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 2)), 2000);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    end(&master);
}

/* It goes to a slave that was busy with another task, too. */
static void test_waits_for_a_busy_slave(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 2);
    mwt_master_submit(&master, "first");
    mwt_master_tick(&master, 0);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    pass(&master, 3 * TIMEOUT);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);

    mwt_master_forget(&master);
    mwt_master_return(&master, 2, "first");

    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 2)), 2000);
    end(&master);
}

/* A small slave that waits is sent what fits it, however many large tasks stand before it, and an
 * idle large one is not passed over for it. */
static void test_idle_slaves_of_two_sizes(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_tick(&master, 0);
    mwt_master_greet_small(&master, 2, 2 * SMALL);

    mwt_master_submit_sized(&master, 'x', 3000, NULL);
    mwt_master_submit_sized(&master, 'y', 1500, NULL);
    mwt_master_submit(&master, "small");
    mwt_master_tick(&master, 0);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "small");
    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 2)), 1500);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 2);
    end(&master);
}

/* If no slave that it fits was there for the time-out while others were, it fails, and says which
 * limits were seen. The trail tells of it. */
static void test_fails_after_the_time_out(void)
{
    static struct mwt_master master;
    static const char why[] = "the task's 2000 bytes are over the --mw-max-read-buffer-size of all "
                              "slaves seen, 1024 to 1500";
    char expected[200];
    start(&master);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_greet_small(&master, 2, 1500);
    pass(&master, TIMEOUT - MWT_SECOND);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");

    pass(&master, TIMEOUT / 2);

    snprintf(expected, sizeof expected, "%s@?!", why);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), expected);
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "MASTER task 1 of \"alpha\" failed: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, why));
    end(&master);
}

/* A slave that it fits counts even if it came and went at once. */
static void test_time_out_begins_anew(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_submit_sized(&master, 'y', 2000, NULL);
    mwt_master_greet_small(&master, 1, SMALL);
    pass(&master, TIMEOUT - MWT_SECOND);
    mwt_master_greet(&master, 2);
    mwt_master_down(&master, 2, "gone");

    pass(&master, TIMEOUT - MWT_SECOND);

    CU_ASSERT_EQUAL(count(&master, MWI_TASK_WAITING) + count(&master, MWI_TASK_ASIDE), 2);
    pass(&master, TIMEOUT);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_WAITING) + count(&master, MWI_TASK_ASIDE), 0);
    end(&master);
}

/* Time without any slave does not count. */
static void test_time_without_slaves(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_down(&master, 1, "gone");

    pass(&master, 3 * TIMEOUT);

    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);
    end(&master);
}

/* With a time-out of 0 it fails soon if others are there, and a task that waits without any slave
 * does not keep the loop busy. */
static void test_no_time_out(void)
{
    static struct mwt_master master;
    struct mwi_master_engine_config config = mwt_master_config();
    config.fit_timeout_ns = 0;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, &config));
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_down(&master, 1, "gone");
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);

    pass(&master, TIMEOUT);

    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);
    int64_t deadline_ns = mwi_master_engine_deadline(&master.engine);
    CU_ASSERT_TRUE(deadline_ns >= master.now_ns + MWT_SECOND / 100);
    mwt_master_greet_small(&master, 2, SMALL);
    pass(&master, 5 * MWT_SECOND);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 0);
    end(&master);
}

/* If no other slave can come, it fails at once; but not as long as one that it fits is there. */
static void test_closed(void)
{
    static struct mwt_master master;
    start(&master);
    master.engine.is_closed = true;
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_greet(&master, 2);
    mwt_master_submit(&master, "a b");
    mwt_master_tick(&master, 0);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    mwt_master_return(&master, 1, "a");
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);

    mwt_master_down(&master, 2, "gone");

    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_master_results(&master), "of all slaves seen, 1024 to"));
    end(&master);
}

/* A task that may run on one slave only fails there at once. One that may run elsewhere does. */
static void test_ordered(void)
{
    static struct mwt_master master;
    struct mwi_task_policy policy = mwt_policy_default();
    start(&master);
    mwi_membership_allocate(&master.engine, MWI_GROUP_ORDERED, 1);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_greet(&master, 2);
    policy.sid = 0;
    policy.is_done_anyway = false;

    mwt_master_submit_sized(&master, 'x', 2000, &policy);
    policy.is_done_anyway = true;
    mwt_master_submit_sized(&master, 'y', 2001, &policy);
    mwt_master_tick(&master, 0);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master),
                           "the task's 2000 bytes are over the slave's --mw-max-read-buffer-size "
                           "of 1024@0!");
    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 2)), 2001);
    end(&master);
}

/* A slave for which only a task waited that did not fit it takes others when it is freed. */
static void test_freed_slave(void)
{
    static struct mwt_master master;
    struct mwi_task_policy policy = mwt_policy_default();
    start(&master);
    mwi_membership_allocate(&master.engine, MWI_GROUP_ORDERED, 1);
    mwt_master_greet_small(&master, 1, 4 * SMALL);
    policy.sid = 0;
    policy.is_done_anyway = false;
    mwt_master_submit_sized(&master, 'x', 5 * SMALL, &policy);
    mwt_master_greet_small(&master, 2, SMALL);
    mwt_master_submit_sized(&master, 'y', 2000, NULL);
    mwt_master_tick(&master, 0);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 1);

    CU_ASSERT_EQUAL(mwi_membership_free_slave(&master.engine, 0), MW_OK);
    mwt_master_tick(&master, 0);

    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 1)), 2000);
    end(&master);
}

/* One greeting with a tiny limit fails nothing and holds up nothing, however many tasks wait: each
 * step moves a few. When all large tasks have failed at last, steps are as short. */
static void test_steps_are_bounded(void)
{
    enum { TASKS = 100000, STEP_MAX = 256 };
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < TASKS; i++)
        mwt_master_submit_sized(&master, 'x', 100, NULL);

    mwt_master_greet_small(&master, 1, 128);
    CU_ASSERT_TRUE(master.engine.is_behind);
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MIN);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), STEP_MAX);
    for (int steps = 0; master.engine.is_behind && steps < TASKS; steps++)
        mwt_master_tick(&master, 0);
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), TASKS);
    CU_ASSERT_TRUE(mwi_master_engine_deadline(&master.engine) > 0);
    mwt_master_greet(&master, 2);
    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 2)), 100);
    mwt_master_down(&master, 2, "gone");
    master.engine.effects.audited_kinds = 0;
    pass(&master, 2 * TIMEOUT);

    CU_ASSERT_TRUE(master.engine.is_behind);
    for (size_t before = TASKS; master.engine.is_behind && before > 0;) {
        mwt_master_tick(&master, master.now_ns);
        size_t left = count(&master, MWI_TASK_ASIDE);
        CU_ASSERT_TRUE(before == TASKS || before - left <= STEP_MAX);
        before = left;
    }
    CU_ASSERT_EQUAL(count(&master, MWI_TASK_ASIDE), 0);
    CU_ASSERT_EQUAL(master.engine.finished.count, TASKS);
    end(&master);
}

/* Those that were set aside keep their priority. */
static void test_priorities(void)
{
    static struct mwt_master master;
    struct mwi_task_policy policy = mwt_policy_default();
    start(&master);
    mwt_master_submit_sized(&master, 'x', 2000, NULL);
    policy.priority = 1;
    mwt_master_submit_sized(&master, 'y', 2000, &policy);
    mwt_master_greet_small(&master, 1, SMALL);
    mwt_master_submit(&master, "small");

    mwt_master_greet(&master, 2);

    CU_ASSERT_EQUAL(mwt_master_sent(&master, 2)[0], 'y');
    CU_ASSERT_EQUAL(strlen(mwt_master_sent(&master, 2)), 2000);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"waits for a larger slave", test_waits_for_a_larger_slave},
        {"waits for a busy slave", test_waits_for_a_busy_slave},
        {"idle slaves of two sizes", test_idle_slaves_of_two_sizes},
        {"fails after the time-out", test_fails_after_the_time_out},
        {"time-out begins anew", test_time_out_begins_anew},
        {"time without slaves", test_time_without_slaves},
        {"no time-out", test_no_time_out},
        {"closed", test_closed},
        {"ordered", test_ordered},
        {"freed slave", test_freed_slave},
        {"steps are bounded", test_steps_are_bounded},
        {"priorities", test_priorities},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("misfits", tests);
}
