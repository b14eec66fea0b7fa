/* SPDX-License-Identifier: Apache-2.0
 *
 * When the master judges slaves by the clock: after it has read what arrived, and without the time
 * in which it did not look. A task's limit counts from the slave's word that it began.
 */
#include <string.h>

#include "mwt_hello.h"
#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"

#define MILLISECOND (MWT_SECOND / 1000)
#define LIMIT (5 * MWT_SECOND)
#define CLIENT_TIMEOUT (60 * MWT_SECOND)

static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

/* Submits a task named "a" that may take LIMIT. Returns its id. */
static uint64_t submit_limited(struct mwt_master *master, size_t size)
{
    struct mwi_task_policy policy = mwt_policy_default();
    policy.time_limit_ns = LIMIT;
    return mwt_master_submit_sized(master, 'a', size, &policy);
}

static void say_begun(struct mwt_master *master, mw_peer peer, uint64_t id)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_id(&buffer, MWI_MESSAGE_BEGUN, id);
    mwt_master_frame(master, peer, &buffer);
}

static bool is_there(const struct mwt_master *master, mw_peer peer)
{
    return mwi_slaves_find(&master->engine.slaves, peer) != NULL;
}

/* A task with a limit asks the slave to say when it begins, small or large; others do not. */
static void test_who_is_asked(void)
{
    static struct mwt_master master;
    start(&master);
    submit_limited(&master, 1);
    submit_limited(&master, MWI_MESSAGE_LARGE_BYTES);
    mwt_master_submit(&master, "b");

    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_greet(&master, 3);

    CU_ASSERT_TRUE(mwt_outbox_decode(&master.outbox, 1)->is_timed);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 2), MWI_MESSAGE_TASKS);
    CU_ASSERT_TRUE(mwt_outbox_decode(&master.outbox, 2)->is_timed);
    CU_ASSERT_FALSE(mwt_outbox_decode(&master.outbox, 3)->is_timed);
    end(&master);
}

/* The limit counts from the slave's word on, however long the task was on its way. */
static void test_limit_counts_from_begin(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = submit_limited(&master, 1);
    mwt_master_greet(&master, 1);
    mwt_master_tick(&master, CLIENT_TIMEOUT - MWT_SECOND);
    say_begun(&master, 1, id);

    mwt_master_tick(&master, CLIENT_TIMEOUT - MWT_SECOND + LIMIT - 1);
    CU_ASSERT_TRUE(is_there(&master, 1));
    mwt_master_tick(&master, CLIENT_TIMEOUT - MWT_SECOND + LIMIT);

    CU_ASSERT_FALSE(is_there(&master, 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "overran its time limit of 5 s"));
    end(&master);
}

/* A slave that never says so is taken to have begun after the time in which clients must speak. */
static void test_silent_slave(void)
{
    static struct mwt_master master;
    start(&master);
    submit_limited(&master, 1);
    mwt_master_greet(&master, 1);

    mwt_master_tick(&master, CLIENT_TIMEOUT);
    mwt_master_tick(&master, CLIENT_TIMEOUT + LIMIT - 1);
    CU_ASSERT_TRUE(is_there(&master, 1));
    mwt_master_tick(&master, CLIENT_TIMEOUT + LIMIT);

    CU_ASSERT_FALSE(is_there(&master, 1));
    end(&master);
}

/* The word comes once, and about a task of the slave that has a limit, or is the first that it
 * begins. Otherwise the slave is dropped. */
static void test_false_words(void)
{
    for (int i = 0; i < 3; i++) {
        static struct mwt_master master;
        start(&master);
        uint64_t id = submit_limited(&master, 1);
        mwt_master_submit(&master, "b");
        mwt_master_greet(&master, 1);
        mwt_master_greet(&master, 2);
        say_begun(&master, 1, id);
        say_begun(&master, 2, id + 1);
        CU_ASSERT_TRUE(is_there(&master, 1) && is_there(&master, 2));

        say_begun(&master, i == 2 ? 2 : 1, i == 0 ? id : id + 1);

        CU_ASSERT_FALSE(is_there(&master, i == 2 ? 2 : 1));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(master.outbox.trail, "it began a task that it does not have"));
        end(&master);
    }
}

/* Time in which the master did not look is no slave's, and a result that lay unread in the meantime
 * is heard before the slave is judged. */
static void test_away_in_a_task(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = submit_limited(&master, 1);
    mwt_master_greet(&master, 1);
    say_begun(&master, 1, id);
    mwt_master_tick(&master, LIMIT - MWT_SECOND);

    mwt_master_tick_back(&master, 10 * LIMIT, 9 * LIMIT + MWT_SECOND / 2);
    mwt_master_tick(&master, 10 * LIMIT);
    CU_ASSERT_TRUE(is_there(&master, 1));
    mwt_master_tick_back(&master, 10 * LIMIT + MWT_SECOND, 0);
    mwt_master_return(&master, 1, "a");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_TRUE(is_there(&master, 1));
    end(&master);
}

/* The same for a client whose greeting lay unread, and for the answer to a ping. */
static void test_away_from_clients(void)
{
    static struct mwt_master master;
    struct mwi_buffer hello;
    start(&master);
    mwt_master_up(&master, 1);
    mwi_buffer_init(&hello);
    mwt_hello(&hello, MWT_MEMBER_ID, MWT_FRAME_BYTES_MAX);

    mwt_master_tick_back(&master, CLIENT_TIMEOUT, 0);
    CU_ASSERT_TRUE(is_there(&master, 1));
    mwt_master_frame(&master, 1, &hello);
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master.engine.slaves), 1);
    mwt_master_up(&master, 2);
    mwt_master_tick_back(&master, 3 * CLIENT_TIMEOUT, 2 * CLIENT_TIMEOUT - MWT_SECOND);
    mwt_master_tick(&master, 3 * CLIENT_TIMEOUT);
    CU_ASSERT_TRUE(is_there(&master, 2));

    mwt_master_tick(&master, 4 * CLIENT_TIMEOUT);

    CU_ASSERT_FALSE(is_there(&master, 2));
    end(&master);
}

/* If so much arrives that the master never finds nothing, it judges a second later. */
static void test_never_quiet(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, 1);

    mwt_master_tick_back(&master, CLIENT_TIMEOUT + MWT_SECOND - 1, 0);
    CU_ASSERT_TRUE(is_there(&master, 1));
    mwt_master_tick_back(&master, CLIENT_TIMEOUT + MWT_SECOND, 0);

    CU_ASSERT_FALSE(is_there(&master, 1));
    end(&master);
}

/* A master that keeps slaves waiting is told of itself, once a minute at most. */
static void test_trail_of_a_busy_master(void)
{
    static const char line[] = "MASTER did not look at its slaves for 1400 ms, while they waited\n";
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b c d");
    mwt_master_greet(&master, 1);
    mwt_master_tick_back(&master, MWT_SECOND, 700 * MILLISECOND);
    mwt_master_return(&master, 1, "a");
    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "did not look"));

    mwt_master_tick_back(&master, 2 * MWT_SECOND, 700 * MILLISECOND);
    mwt_master_return(&master, 1, "b");
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, line));
    mwt_master_forget(&master);
    mwt_master_tick_back(&master, 4 * MWT_SECOND, MWT_SECOND);
    mwt_master_return(&master, 1, "c");

    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "did not look"));
    mwt_master_tick_back(&master, 80 * MWT_SECOND, 400 * MILLISECOND);
    mwt_master_return(&master, 1, "d");
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, line));
    end(&master);
}

/* A master for which nobody waited is not told. */
static void test_nobody_waited(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);

    mwt_master_tick_back(&master, 10 * MWT_SECOND, 9 * MWT_SECOND);
    mwt_master_tick(&master, 10 * MWT_SECOND);
    mwt_master_return(&master, 1, "a");

    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "did not look"));
    end(&master);
}

/* A slave that has a task and says nothing is told of, at ages that double. One that returns
 * results is not. */
static void test_silent_in_a_task(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);
    for (int64_t half = 1; half <= 18; half++)
        mwt_master_tick(&master, half * (CLIENT_TIMEOUT / 2 + 2));

    CU_ASSERT_TRUE(is_there(&master, 1));
    const char *at = master.outbox.trail;
    for (int seconds = 60; seconds <= 480; seconds *= 2) {
        char line[80];
        snprintf(line, sizeof line, "SLAVE-0 silent for %d s, has task 1 of \"alpha\"", seconds);
        at = strstr(at, line);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    }
    CU_ASSERT_PTR_NULL(strstr(at + sizeof "SLAVE-0 s", "silent for"));
    mwt_master_forget(&master);
    mwt_master_return(&master, 1, "a");
    mwt_master_tick(&master, master.now_ns + CLIENT_TIMEOUT / 2 + 2);
    CU_ASSERT_PTR_NULL(strstr(master.outbox.trail, "silent for"));
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"who is asked", test_who_is_asked},
        {"limit counts from begin", test_limit_counts_from_begin},
        {"silent slave", test_silent_slave},
        {"false words", test_false_words},
        {"away in a task", test_away_in_a_task},
        {"away from clients", test_away_from_clients},
        {"never quiet", test_never_quiet},
        {"trail of a busy master", test_trail_of_a_busy_master},
        {"nobody waited", test_nobody_waited},
        {"silent in a task", test_silent_in_a_task},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: clock", tests);
}
