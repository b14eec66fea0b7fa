/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a farm: every slave is told, no slave gets anything any more, and a slave that does
 * not go in time is dropped. Before it, the stop: what runs is waited for.
 */
#include "mwt_master.h"

#include <stdlib.h>
#include <string.h>

#include "mwt_run.h"

static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

/* Shuts down at `now_ns`, and forgets the earlier effects. */
static void shut_down_within(struct mwt_master *master, int64_t now_ns, int64_t patience_ns)
{
    mwt_master_forget(master);
    mwi_membership_shutdown(&master->engine, now_ns, patience_ns);
    mwt_outbox_take(&master->outbox, &master->engine.effects);
    master->now_ns = now_ns;
}

static void shut_down(struct mwt_master *master, int64_t now_ns)
{
    shut_down_within(master, now_ns, 10 * MWT_SECOND);
}

/* Without slaves a farm ends at once. */
static void test_nobody_there(void)
{
    static struct mwt_master master;
    start(&master);

    shut_down(&master, 0);

    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");
    end(&master);
}

/* Every slave is told to stop, idle or busy, and the farm is over when the last has gone. */
static void test_all_are_told(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);

    shut_down(&master, 5);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_SHUTDOWN);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 2), MWI_MESSAGE_SHUTDOWN);
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "SLAVE-1 <- TRY-SHUTDOWN\n"
                                                "SLAVE-1 -> :shutting-down\n"
                                                "SLAVE-0 <- TRY-SHUTDOWN\n"
                                                "SLAVE-0 -> :shutting-down\n");
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master.engine.slaves), 0);
    CU_ASSERT_FALSE(mwi_membership_is_over(&master.engine));
    mwt_master_down(&master, 1, "closed by the peer");
    CU_ASSERT_FALSE(mwi_membership_is_over(&master.engine));
    mwt_master_down(&master, 2, "closed by the peer");
    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    end(&master);
}

/* That a slave goes when it was told to is nothing special: its end has no reason in the trail. */
static void test_expected_end_has_no_reason(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    shut_down(&master, 0);
    mwt_master_forget(&master);

    mwt_master_down(&master, 1, "closed by the peer");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "SLAVE-0 -> :disconnected\nEOF -> host:1\n");
    end(&master);
}

/* After the end has begun no task is sent, even to idle slaves. */
static void test_no_more_tasks(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    shut_down(&master, 0);
    mwt_master_forget(&master);

    mwt_master_submit(&master, "b");
    mwt_master_tick(&master, 1);
    mwt_master_return(&master, 1, "a");

    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");
    CU_ASSERT_NOT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MIN);
    end(&master);
}

/* Results that are on their way when the end begins are taken. */
static void test_last_results(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    shut_down(&master, 0);

    mwt_master_return(&master, 1, "a");
    mwt_master_down(&master, 1, "closed by the peer");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 0);
    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    end(&master);
}

/* A client that has not greeted when the end begins is told to stop and dropped. */
static void test_clients_are_turned_away(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, 1);

    shut_down(&master, 0);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_SHUTDOWN);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "send 1, drop 1, lost 1 after 0");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "NEW-CLIENT host:1 refused: the master is shutting down\n"
                           "EOF -> host:1 (the master is shutting down)\n");
    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    end(&master);
}

/* So is one that comes later. */
static void test_late_comers_are_turned_away(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    shut_down(&master, 0);
    mwt_master_forget(&master);

    mwt_master_up(&master, 2);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 2), MWI_MESSAGE_SHUTDOWN);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "send 2, drop 2, lost 2 after 0");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "NEW-CLIENT -> host:2\n"
                           "NEW-CLIENT host:2 refused: the master is shutting down\n"
                           "EOF -> host:2 (the master is shutting down)\n");
    end(&master);
}

/* A slave that does not stop in time is dropped, not before, and the trail says which. */
static void test_stragglers(void)
{
    static const char line[] = "SLAVE-0 dropped: it did not stop within --mw-shutdown-timeout\n";
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_begin(&master, 1);
    shut_down(&master, MWT_SECOND);
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), 11 * MWT_SECOND);
    mwt_master_down(&master, 2, "closed by the peer");
    mwt_master_tick(&master, 11 * MWT_SECOND - 1);
    CU_ASSERT_FALSE(mwi_membership_is_over(&master.engine));
    mwt_master_forget(&master);

    mwt_master_tick(&master, 11 * MWT_SECOND);

    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 1, lost 1 after 1");
    CU_ASSERT_EQUAL(strncmp(master.outbox.trail, line, sizeof line - 1), 0);
    end(&master);
}

/* Where the master was asked twice to end, the trail does not blame the option. */
static void test_hurry(void)
{
    static const char line[] =
        "SLAVE-0 dropped: the master was asked twice to end, and waits no longer\n";
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_begin(&master, 1);
    mwi_membership_hurry(&master.engine);
    shut_down_within(&master, 7, MWT_SECOND);
    mwt_master_forget(&master);

    mwt_master_tick(&master, 7 + MWT_SECOND);

    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    CU_ASSERT_EQUAL(strncmp(master.outbox.trail, line, sizeof line - 1), 0);
    end(&master);
}

/* A time of 0 means that the master does not wait. */
static void test_no_patience(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    shut_down_within(&master, 7, 0);

    mwt_master_tick(&master, 7);

    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_SHUTDOWN);
    end(&master);
}

/* A goodbye is an end too. */
static void test_goodbye_at_the_end(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    shut_down(&master, 0);

    mwt_master_say(&master, 1, MWI_MESSAGE_GOODBYE, "bye");

    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    end(&master);
}

/* A slave that misbehaves at the end is dropped as ever. */
static void test_garbage_at_the_end(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    shut_down(&master, 0);

    mwt_master_bytes(&master, 1, "?", 1);

    CU_ASSERT_TRUE(mwi_membership_is_over(&master.engine));
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "send 1, drop 1, lost 1 after 0");
    end(&master);
}

/* Stops at `now_ns`, and forgets the earlier effects. */
static void stop(struct mwt_master *master, int64_t now_ns)
{
    mwt_master_forget(master);
    mwi_membership_stop(&master->engine, now_ns);
    mwt_outbox_take(&master->outbox, &master->engine.effects);
    master->now_ns = now_ns;
}

static void start_in_groups(struct mwt_master *master, size_t task_group)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = task_group;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
}

static void say(struct mwt_master *master, mw_peer peer, enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    mwt_master_frame(master, peer, &buffer);
}

/* A farm that stops sends nothing more. Slaves that have one task are let finish it, and its result
 * is taken. */
static void test_stop(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);

    stop(&master, 5);
    stop(&master, 6);
    mwt_master_submit(&master, "c");
    mwt_master_greet(&master, 2);
    mwt_master_return(&master, 1, "a");

    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), 0);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    CU_ASSERT_NOT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MIN);
    end(&master);
}

/* The trail says how many tasks run: of each slave one, however many it was sent. */
static void test_trail_of_a_stop(void)
{
    static struct mwt_master master;
    start_in_groups(&master, 3);
    mwt_master_submit(&master, "a b c d");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_greet(&master, 3);

    stop(&master, 0);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "MASTER STOPPING: 2 tasks run\n");
    end(&master);
}

/* A slave that was sent several tasks gives back those that it has not begun. They lose nothing,
 * not even those that must not run twice or elsewhere. */
static void test_recall(void)
{
    static struct mwt_master master;
    start_in_groups(&master, 3);
    mwt_master_submit(&master, "a b");
    mwt_master_submit_one(&master, "once", true, 1);
    mwt_master_greet(&master, 1);

    stop(&master, 0);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_RECALL);
    mwt_master_return(&master, 1, "a");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_RUNNING], 2);
    mwt_master_forget(&master);
    say(&master, 1, MWI_MESSAGE_RETURNED);

    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "SLAVE-0 -> task 3 of \"alpha\" requeued after attempt 0: the farm is stopping\n"
        "SLAVE-0 -> task 2 of \"alpha\" requeued after attempt 0: the farm is stopping\n"
        "SLAVE-0 -> :idle\n");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_RUNNING], 0);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");
    shut_down(&master, 1);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_SHUTDOWN);
    end(&master);
}

/* A slave that gives tasks back without being asked is dropped, or it could do so for ever. */
static void test_unasked_return(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);

    say(&master, 1, MWI_MESSAGE_RETURNED);

    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "SLAVE-0 dropped: it gave back tasks without being asked"));
    end(&master);
}

/* Ordered tasks that wait for their slave, or are submitted for one that is not there, stay waiting
 * in a farm that stops. Else they would become unrunnable with their slave. */
static void test_ordered_tasks_stay(void)
{
    static struct mwt_master master;
    struct mwi_lifecycle_task task = {.policy = {.sid = 0, .max_attempts = 3}};
    uint64_t id;
    start(&master);
    mwi_membership_allocate(&master.engine, MWI_GROUP_ORDERED, 1);
    mwt_master_greet(&master, 1);
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            stop(&master, 0);
        task.policy.sid = i == 2 ? 77 : 0;
        task.payload = (struct mwi_payload){malloc(1), 1, true};
        CU_ASSERT_EQUAL(mwi_lifecycle_submit(&master.engine, &task, &id), MW_OK);
        if (i == 0)
            mwt_master_tick(&master, 0);
    }

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_RUNNING], 1);
    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"nobody there", test_nobody_there},
        {"all are told", test_all_are_told},
        {"expected end has no reason", test_expected_end_has_no_reason},
        {"no more tasks", test_no_more_tasks},
        {"last results", test_last_results},
        {"clients are turned away", test_clients_are_turned_away},
        {"late comers are turned away", test_late_comers_are_turned_away},
        {"stragglers", test_stragglers},
        {"hurry", test_hurry},
        {"no patience", test_no_patience},
        {"goodbye at the end", test_goodbye_at_the_end},
        {"garbage at the end", test_garbage_at_the_end},
        {"stop", test_stop},
        {"trail of a stop", test_trail_of_a_stop},
        {"recall", test_recall},
        {"unasked return", test_unasked_return},
        {"ordered tasks stay", test_ordered_tasks_stay},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: shutdown", tests);
}
