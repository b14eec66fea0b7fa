/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine and slaves that are lost: their tasks go back, in order, as often as the user
 * allows, and a task that brings slaves down is found out.
 */
#include "mwt_master.h"

#include <stdio.h>
#include <string.h>

#include "mwt_run.h"

static void start(struct mwt_master *master, size_t task_group)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = task_group;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    master->engine.is_closed = true; /* no back-off of hosts, see test_probation */
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

/* The first unrunnable task, and its message. */
static const struct mwi_task_entry *first_unrunnable(const struct mwt_master *master,
                                                     const char **history)
{
    const struct mwi_list *list = &master->engine.tasks.unrunnable;
    CU_ASSERT_FALSE_FATAL(mwi_list_is_empty(list));
    const struct mwi_task_entry *task =
        MWI_LIST_ENTRY(list->next, const struct mwi_task_entry, item.link);
    *history = mwi_losses_history(&master->engine.tasks.losses, task->id);
    return task;
}

/* The trail of a loss names the tasks and the reason. */
static void test_trail_of_a_loss(void)
{
    static struct mwt_master master;
    start(&master, 2);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 7);
    mwt_master_forget(&master);

    mwt_master_down(&master, 7, "connection reset");

    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "SLAVE-0 was lost: connection reset\n"
        "SLAVE-0 -> task 2 of \"alpha\" requeued after attempt 1: connection reset\n"
        "SLAVE-0 -> task 1 of \"alpha\" requeued after attempt 1: connection reset\n"
        "SLAVE-0 -> :disconnected\n"
        "EOF -> host:7 (connection reset)\n");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "lost 7 after 1");
    end(&master);
}

/* Tasks of a lost slave go back in their old order, before newer ones. They are sent alone, so that
 * the cause of the next loss is known. */
static void test_order_after_a_loss(void)
{
    static struct mwt_master master;
    start(&master, 3);
    mwt_master_submit(&master, "a b c d e");
    mwt_master_greet(&master, 1);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a b c");

    mwt_master_down(&master, 1, "gone");
    for (mw_peer peer = 2; peer <= 5; peer++)
        mwt_master_greet(&master, peer);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "a");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 3), "b");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 4), "c");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 5), "d e");
    end(&master);
}

/* Only tasks without a result go back. The trail has the number of results after which the slave
 * was lost. */
static void test_loss_after_some_results(void)
{
    static struct mwt_master master;
    start(&master, 3);
    mwt_master_submit(&master, "a b c");
    mwt_master_greet(&master, 1);
    mwt_master_return(&master, 1, "b");
    mwt_master_forget(&master);

    mwt_master_down(&master, 1, "gone");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "lost 1 after 1");
    mwt_master_greet(&master, 2);
    mwt_master_greet(&master, 3);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "a");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 3), "c");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@0");
    end(&master);
}

/* A slave that is lost while it has nothing costs no attempt of anything. */
static void test_loss_of_an_idle_slave(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_greet(&master, 1);
    mwt_master_forget(&master);

    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "SLAVE-0 was lost: gone\nSLAVE-0 -> :disconnected\nEOF -> host:1 (gone)\n");
    end(&master);
}

/* The task of a lost slave goes at once to another that is idle. */
static void test_loss_with_another_idle(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);

    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "a");
    end(&master);
}

/* A task has as many attempts as the user allows. Then it is unrunnable, with the whole story. */
static void test_max_attempts(void)
{
    static struct mwt_master master;
    const char *history;
    start(&master, 1);
    mwt_master_submit_one(&master, "poison", false, 3);

    for (mw_peer peer = 1; peer <= 3; peer++) {
        char reason[32];
        CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 0);
        mwt_master_greet(&master, peer);
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, peer), "poison");
        snprintf(reason, sizeof reason, "killed %d", (int)peer);
        mwt_master_forget(&master);
        mwt_master_down(&master, peer, reason);
    }

    const struct mwi_task_entry *task = first_unrunnable(&master, &history);
    CU_ASSERT_EQUAL(task->attempts, 3);
    CU_ASSERT_STRING_EQUAL(history, "SLAVE-0 (on host) was lost: killed 1; "
                                    "SLAVE-1 (on host) was lost: killed 2; "
                                    "SLAVE-2 (on host) was lost: killed 3; "
                                    "its policy allows 3 attempts");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "SLAVE-2 was lost: killed 3\n"
                           "MASTER task 1 of \"alpha\" is unrunnable: "
                           "SLAVE-0 (on host) was lost: killed 1; "
                           "SLAVE-1 (on host) was lost: killed 2; "
                           "SLAVE-2 (on host) was lost: killed 3; its policy allows 3 attempts\n"
                           "SLAVE-2 -> :disconnected\n"
                           "EOF -> host:3 (killed 3)\n");
    mwt_master_greet(&master, 4);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 4), "");
    end(&master);
}

/* Slaves that are lost before they have begun any task cost no attempt, not even of a task that
 * must not run twice, and were of no use. */
static void test_loss_before_the_first_task(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit_one(&master, "a", false, 1);
    mwt_master_submit_one(&master, "once", true, 1);

    for (mw_peer peer = 1; peer <= 10; peer++) {
        mwt_master_greet(&master, peer);
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, peer), "a");
        mwt_master_forget(&master);
        mwt_master_down_early(&master, peer, "gone");
        CU_ASSERT_PTR_NULL(strstr(master.outbox.events, "after 1"));
        mwt_master_forget(&master);
    }

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    end(&master);
}

/* As many attempts can be allowed as the counter counts. */
static void test_most_attempts(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit_one(&master, "a", false, MWI_ATTEMPTS_MAX);

    for (mw_peer peer = 1; peer <= MWI_ATTEMPTS_MAX; peer++) {
        CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
        mwt_master_greet(&master, peer);
        mwt_master_down(&master, peer, "");
        mwt_master_forget(&master);
        mwt_outbox_clear(&master.tasks);
    }

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    mwt_master_end(&master);
}

/* A task that must not run twice is unrunnable after the first loss, others go on. */
static void test_no_retry(void)
{
    static struct mwt_master master;
    const char *history;
    start(&master, 3);
    mwt_master_submit_one(&master, "a", false, 3);
    mwt_master_submit_one(&master, "once", true, 3);
    mwt_master_submit_one(&master, "c", false, 3);
    mwt_master_greet(&master, 1);

    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    const struct mwi_task_entry *task = first_unrunnable(&master, &history);
    CU_ASSERT_EQUAL(task->tag, 1);
    CU_ASSERT_STRING_EQUAL(history, "SLAVE-0 (on host) was lost: gone; its policy allows no retry");
    CU_ASSERT_EQUAL(task->size, 4);
    CU_ASSERT_EQUAL(memcmp(task->data, "once", 4), 0);
    end(&master);
}

/* One attempt means one. */
static void test_single_attempt(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit_one(&master, "a", false, 1);
    mwt_master_greet(&master, 1);

    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 1);
    end(&master);
}

/* A slave that we throw out has had its tasks: that is an attempt. A message that makes no sense is
 * the slave's fault although it is leaving. */
static void test_dropping_is_an_attempt(void)
{
    for (int is_leaving = 0; is_leaving <= 1; is_leaving++) {
        static struct mwt_master master;
        const char *history;
        start(&master, 1);
        mwt_master_submit_one(&master, "a", true, 3);
        mwt_master_greet(&master, 1);
        mwt_master_begin(&master, 1);
        if (is_leaving)
            mwt_master_say(&master, 1, MWI_MESSAGE_LEAVING, "SIGTERM");

        mwt_master_bytes(&master, 1, "?", 1);

        first_unrunnable(&master, &history);
        CU_ASSERT_STRING_EQUAL(history, "SLAVE-0 (on host) was lost: a frame that is no message; "
                                        "its policy allows no retry");
        end(&master);
    }
}

/* A slave that says goodbye gives its tasks back unharmed, as often as it happens: they may go in
 * groups, and even those that must not run twice run again. */
static void test_goodbye(void)
{
    static struct mwt_master master;
    start(&master, 3);
    mwt_master_submit(&master, "a b");
    mwt_master_submit_one(&master, "once", true, 1);

    for (mw_peer peer = 1; peer <= 10; peer++) {
        mwt_master_greet(&master, peer);
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, peer), "a b once");
        mwt_master_forget(&master);
        mwt_master_say(&master, peer, MWI_MESSAGE_GOODBYE, "the host is wanted back");
    }

    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 10, lost 10 after 0");
    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "SLAVE-9 -> GOODBYE: the host is wanted back\n"
        "SLAVE-9 -> task 3 of \"alpha\" requeued after attempt 0: the host is wanted back\n"
        "SLAVE-9 -> task 2 of \"alpha\" requeued after attempt 0: the host is wanted back\n"
        "SLAVE-9 -> task 1 of \"alpha\" requeued after attempt 0: the host is wanted back\n"
        "SLAVE-9 -> :disconnected\n"
        "EOF -> host:10 (the host is wanted back)\n");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 0);
    end(&master);
}

/* A slave that has said that it will leave may be killed before it can: its tasks lose nothing,
 * however often it happens, and go in groups as before. */
static void test_killed_while_leaving(void)
{
    static struct mwt_master master;
    start(&master, 3);
    mwt_master_submit(&master, "a b c");

    for (mw_peer peer = 1; peer <= 10; peer++) {
        mwt_master_greet(&master, peer);
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, peer), "a b c");
        mwt_master_forget(&master);
        mwt_master_say(&master, peer, MWI_MESSAGE_LEAVING, "SIGTERM");
        mwt_master_down(&master, peer, "reset");
    }

    CU_ASSERT_STRING_EQUAL(master.outbox.events, "lost 10 after 0");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "SLAVE-9 -> LEAVING: SIGTERM\n"
                           "SLAVE-9 -> task 3 of \"alpha\" requeued after attempt 0: reset\n"
                           "SLAVE-9 -> task 2 of \"alpha\" requeued after attempt 0: reset\n"
                           "SLAVE-9 -> task 1 of \"alpha\" requeued after attempt 0: reset\n"
                           "SLAVE-9 -> :disconnected\n"
                           "EOF -> host:10 (reset)\n");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_UNRUNNABLE], 0);
    CU_ASSERT_EQUAL(master.engine.slaves.lost_counts[MW_LOSS_GOODBYE], 10);
    end(&master);
}

/* The same slave may have begun any of its tasks: one that must not run twice is unrunnable. */
static void test_no_retry_while_leaving(void)
{
    static struct mwt_master master;
    const char *history;
    start(&master, 2);
    mwt_master_submit(&master, "a");
    mwt_master_submit_one(&master, "once", true, 3);
    mwt_master_greet(&master, 1);
    mwt_master_say(&master, 1, MWI_MESSAGE_LEAVING, "SIGTERM");

    mwt_master_down(&master, 1, "reset");

    CU_ASSERT_EQUAL(first_unrunnable(&master, &history)->tag, 1);
    CU_ASSERT_STRING_EQUAL(history,
                           "SLAVE-0 (on host) was lost: reset; its policy allows no retry");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    end(&master);
}

/* A slave that is leaving is sent nothing more, not even when it has returned all that it had; its
 * results count as ever. */
static void test_nothing_for_a_leaving_slave(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);
    mwt_master_forget(&master);

    mwt_master_say(&master, 1, MWI_MESSAGE_LEAVING, "SIGTERM");
    mwt_master_return(&master, 1, "a");
    mwt_master_tick(&master, 1);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    mwt_master_greet(&master, 2);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "b");
    end(&master);
}

/* Nothing that comes from a slave after its loss counts. */
static void test_nothing_after_a_loss(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_down(&master, 1, "gone");
    mwt_master_forget(&master);

    mwt_master_return(&master, 1, "a");
    mwt_master_say(&master, 1, MWI_MESSAGE_GOODBYE, "bye");
    mwt_master_down(&master, 1, "gone");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    end(&master);
}

/* Not even when it comes back under a new number: its old task is another slave's now. */
static void test_old_result_under_a_new_number(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_down(&master, 1, "gone");
    mwt_master_greet(&master, 2);
    mwt_master_greet(&master, 3);

    mwt_master_return(&master, 3, "a");
    mwt_master_return(&master, 2, "a");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@1");
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master.engine.slaves, 3));
    end(&master);
}

/* When all slaves go, all tasks wait; when others come, all of them are done, each once. */
static void test_all_slaves_lost(void)
{
    static struct mwt_master master;
    start(&master, 2);
    mwt_master_submit(&master, "a b c d");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_down(&master, 1, "gone");
    mwt_master_down(&master, 2, "gone");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 4);

    mwt_master_greet(&master, 3);
    mwt_master_return(&master, 3, "c");
    mwt_master_return(&master, 3, "d");
    mwt_master_return(&master, 3, "a");
    mwt_master_return(&master, 3, "b");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "c@2 d@2 a@2 b@2");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 0);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_RUNNING], 0);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"trail of a loss", test_trail_of_a_loss},
        {"order after a loss", test_order_after_a_loss},
        {"loss after some results", test_loss_after_some_results},
        {"loss of an idle slave", test_loss_of_an_idle_slave},
        {"loss with another idle", test_loss_with_another_idle},
        {"loss before the first task", test_loss_before_the_first_task},
        {"max attempts", test_max_attempts},
        {"most attempts", test_most_attempts},
        {"no retry", test_no_retry},
        {"single attempt", test_single_attempt},
        {"dropping is an attempt", test_dropping_is_an_attempt},
        {"goodbye", test_goodbye},
        {"killed while leaving", test_killed_while_leaving},
        {"no retry while leaving", test_no_retry_while_leaving},
        {"nothing for a leaving slave", test_nothing_for_a_leaving_slave},
        {"nothing after a loss", test_nothing_after_a_loss},
        {"old result under a new number", test_old_result_under_a_new_number},
        {"all slaves lost", test_all_slaves_lost},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: loss", tests);
}
