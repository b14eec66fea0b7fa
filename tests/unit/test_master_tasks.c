/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine at work: which tasks go to which slave in how large messages, and which
 * results the master accepts.
 */
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_policy.h"

#include <stdio.h>
#include <string.h>

#include "mwt_random.h"
#include "mwt_run.h"

static void start(struct mwt_master *master, size_t task_group)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = task_group;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

/* Two tasks and the end: the trail has CL-MW's lines in CL-MW's order. */
static void test_trail_of_a_whole_run(void)
{
    static struct mwt_master master;
    start(&master, 1);

    mwt_master_greet(&master, 7);
    mwt_master_submit(&master, "a b");
    mwt_master_tick(&master, 0);
    mwt_master_return(&master, 7, "a");
    mwt_master_return(&master, 7, "b");
    mwi_membership_shutdown(&master.engine, 0, 10 * MWT_SECOND);
    mwt_outbox_take(&master.outbox, &master.engine.effects);
    mwt_master_down(&master, 7, "closed by the peer");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "NEW-CLIENT -> host:7\n"
                           "SLAVE-0 host:7 -> [\"farm\"] :connecting [:unordered]\n"
                           "SLAVE-0 -> :idle\n"
                           "SLAVE-0 <- 1 tasks\n"
                           "SLAVE-0 -> :busy\n"
                           "SLAVE-0 -> 1 results\n"
                           "SLAVE-0 -> :idle\n"
                           "SLAVE-0 <- 1 tasks\n"
                           "SLAVE-0 -> :busy\n"
                           "SLAVE-0 -> 1 results\n"
                           "SLAVE-0 -> :idle\n"
                           "SLAVE-0 <- TRY-SHUTDOWN\n"
                           "SLAVE-0 -> :shutting-down\n"
                           "SLAVE-0 -> :disconnected\n"
                           "EOF -> host:7\n");
    end(&master);
}

/* Tasks wait for a slave, and a slave for tasks. Either may come last. */
static void test_tasks_before_slaves_and_after(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_tick(&master, 0);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");

    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_submit(&master, "b");
    mwt_master_tick(&master, 0);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "b");
    end(&master);
}

/* The engine wants to be stepped at once when it can send something, else when the slave has been
 * silent for half of the time-out of clients. */
static void test_deadline(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_greet(&master, 1);
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), 30 * MWT_SECOND + 1);

    mwt_master_submit(&master, "a b");
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MIN);
    mwt_master_tick(&master, 0);

    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), 30 * MWT_SECOND + 1);
    end(&master);
}

/* A slave gets a group of fixed size in one message, and the rest when it has returned all of it.
 */
static void test_groups(void)
{
    static struct mwt_master master;
    start(&master, 3);
    mwt_master_submit(&master, "a b c d e");
    mwt_master_greet(&master, 1);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a b c");

    mwt_master_return(&master, 1, "b a");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a b c");
    mwt_master_return(&master, 1, "c");

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a b c|d e");
    end(&master);
}

/* The slave that waits for the longest time is served first. */
static void test_longest_idle_first(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_greet(&master, 3);
    mwt_master_submit(&master, "a b");
    mwt_master_tick(&master, 0);
    mwt_master_return(&master, 1, "a");

    mwt_master_submit(&master, "c d");
    mwt_master_tick(&master, 0);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "a|d");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "b");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 3), "c");
    end(&master);
}

/* Sixty slaves that accept messages of `limit` bytes share sixty tasks of up to that size. */
static void check_messages_of(struct mwt_random *random, size_t limit)
{
    static struct mwt_master master;
    struct mwi_message message;
    struct mwi_message_item item;
    mw_reason why;
    size_t sent_count = 0;
    start(&master, 50);
    for (int i = 0; i < 60; i++)
        mwt_master_submit_sized(&master, 'x', mwt_random_below(random, limit - 127), NULL);

    for (mw_peer peer = 1; peer <= 60; peer++) {
        mwt_master_forget(&master);
        mwt_master_greet_small(&master, peer, limit);
        for (size_t i = 0; i < master.outbox.frames_count; i++) {
            const struct mwt_sent *frame = &master.outbox.frames[i];
            CU_ASSERT_TRUE(frame->size <= limit);
            CU_ASSERT_EQUAL_FATAL(mwi_message_decode(&master.outbox.decoder, frame->data,
                                                     frame->size, &message, &why),
                                  MW_OK);
            if (message.kind != MWI_MESSAGE_TASKS)
                continue;
            struct mwi_message_cursor cursor = {.group = &message.group};
            while (mwi_message_next(&cursor, &item))
                CU_ASSERT_EQUAL(item.id, ++sent_count);
        }
    }

    CU_ASSERT_EQUAL(sent_count, 60);
    CU_ASSERT_EQUAL(master.engine.finished.count, 0);
    end(&master);
}

/* No message is larger than its slave accepts, with any sizes of the tasks. No task is left out or
 * comes twice, and all go in order. */
static void test_messages_fit_the_slave(void)
{
    struct mwt_random random;
    mwt_random_start(&random);

    for (size_t round = 0; round < 30; round++) {
        check_messages_of(&random, 1024);
        check_messages_of(&random, 4096);
        check_messages_of(&random, 70000);
    }
}

/* A group of large tasks is cut, so that it does not keep the slave waiting. */
static void test_large_tasks_go_one_by_one(void)
{
    static struct mwt_master master;
    start(&master, 10);
    for (char letter = 'a'; letter <= 'c'; letter++)
        mwt_master_submit_sized(&master, letter, 700000, NULL);

    mwt_master_greet_small(&master, 1, 64 << 20);

    CU_ASSERT_EQUAL_FATAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL(master.outbox.frames_count, 2); /* the welcome, and one */
    end(&master);
}

static struct mwi_text payload_text(const struct mwi_finished *item)
{
    return (struct mwi_text){(const char *)item->payload.data, item->payload.size};
}

/* A task larger than the slave accepts, when no other can come, fails as that task, with the option
 * to change; all else goes on. */
static void test_oversize_task(void)
{
    static const char reason[] =
        "the task's 897 bytes are over the --mw-max-read-buffer-size of all slaves seen, 1024";
    static struct mwt_master master;
    struct mwi_finished item;
    start(&master, 1);
    master.engine.is_closed = true;
    mwt_master_submit_sized(&master, 'x', 897, NULL);
    mwt_master_submit(&master, "next");

    mwt_master_greet_small(&master, 1, 1024);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "next");
    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_TRUE(item.is_failed);
    CU_ASSERT_TRUE(mwt_text_is(payload_text(&item), reason));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "MASTER task 1 of \"alpha\" failed: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, reason));
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master.engine.slaves), 1);
    mwi_block_unref(item.block);
    end(&master);
}

/* The largest task that is said to fit does. */
static void test_task_that_just_fits(void)
{
    static struct mwt_master master;
    start(&master, 1);
    size_t max = mwi_lifecycle_payload_bytes_max(&master.engine);
    mwt_master_submit_sized(&master, 'x', max, NULL);

    mwt_master_greet_small(&master, 1, MWT_FRAME_BYTES_MAX);

    CU_ASSERT_EQUAL_FATAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_TASKS);
    CU_ASSERT_TRUE(master.outbox.frames[1].size <= MWT_FRAME_BYTES_MAX);
    CU_ASSERT_TRUE(max > MWT_FRAME_BYTES_MAX - 200);
    end(&master);
}

/* The slave gets the algorithm, the payload and its kind as submitted. */
static void test_task_on_the_wire(void)
{
    static struct mwt_master master;
    struct mwi_message_item item;
    uint64_t id;
    struct mwi_lifecycle_task submission = {.algorithm = 1, .policy = mwt_policy_default()};
    start(&master, 1);
    submission.payload = (struct mwi_payload){(unsigned char *)strdup("\x05"), 1, false};
    CU_ASSERT_EQUAL(mwi_lifecycle_submit(&master.engine, &submission, &id), MW_OK);

    mwt_master_greet(&master, 1);

    CU_ASSERT_EQUAL_FATAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_TASKS);
    item = mwt_items_at(mwt_outbox_decode(&master.outbox, 1), 0);
    CU_ASSERT_EQUAL(item.algorithm, 1);
    CU_ASSERT_EQUAL(item.form, MWI_PAYLOAD_VALUES);
    CU_ASSERT_EQUAL_FATAL(item.size, 1);
    CU_ASSERT_EQUAL(item.data[0], 5);
    end(&master);
}

static void return_values(struct mwt_master *master, mw_peer peer, uint64_t id, const void *bytes,
                          size_t size, uint64_t duration_ns)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwt_items_result(&buffer, id, MWI_PAYLOAD_VALUES, bytes, size, duration_ns);
    mwt_master_frame(master, peer, &buffer);
}

/* A slave whose result cannot be read is dropped, and the task runs elsewhere. */
static void test_unreadable_values(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\xc1", 1}, {"\xdd\xff\xff\xff\xff", 5}, {"\x05\xa3zz", 4}, {"\x81\xc0", 2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static struct mwt_master master;
        start(&master, 1);
        mwt_master_submit(&master, "a");
        mwt_master_greet(&master, 1);
        mwt_master_greet(&master, 2);

        return_values(&master, 1, 1, bad[i].bytes, bad[i].size, 5);

        CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "a");
        CU_ASSERT_PTR_NOT_NULL(strstr(
            master.outbox.trail, "SLAVE-0 dropped: it sent a result whose values are not msgpack"));
        return_values(&master, 2, 1, "\x07\xa1x", 3, 5);
        CU_ASSERT_EQUAL(master.engine.finished.count, 1);
        end(&master);
    }
}

/* A task ran for no longer than the slave had it, whatever the slave says. */
static void test_boasted_duration(void)
{
    static struct mwt_master master;
    struct mwi_finished item;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    master.now_ns += 3 * MWT_SECOND;

    return_values(&master, 1, 1, "\x07", 1, UINT64_MAX);

    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_EQUAL(item.duration_ns, 3 * MWT_SECOND);
    mwi_block_unref(item.block);
    end(&master);
}

/* Results come out in order of arrival, with the data of the user and of the slave. */
static void test_results(void)
{
    static struct mwt_master master;
    struct mwi_finished item;
    start(&master, 2);
    mwt_master_submit(&master, "a b c d");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    master.now_ns += MWT_SECOND;

    mwt_master_return(&master, 2, "d c");
    mwt_master_return(&master, 1, "a");
    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));

    CU_ASSERT_EQUAL(item.tag, 3);
    CU_ASSERT_EQUAL(item.duration_ns, 1000);
    CU_ASSERT_EQUAL(item.sid, 1);
    CU_ASSERT_EQUAL(item.algorithm, 0);
    CU_ASSERT_TRUE(item.payload.is_bytes);
    CU_ASSERT_FALSE(item.is_failed);
    CU_ASSERT_TRUE(mwt_text_is(payload_text(&item), "d"));
    mwi_block_unref(item.block);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "c@1 a@0");
    end(&master);
}

/* A failure is a result too; the trail has its message. */
static void test_failures(void)
{
    static struct mwt_master master;
    start(&master, 2);
    mwt_master_submit(&master, "bad worse");
    mwt_master_greet(&master, 1);
    mwt_master_forget(&master);

    mwt_master_fail(&master, 1, "worse bad");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "worse@0! bad@0!");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "SLAVE-0 -> task 2 of \"alpha\" failed: worse\n"
                                                "SLAVE-0 -> task 1 of \"alpha\" failed: bad\n"
                                                "SLAVE-0 -> 2 results (2 failed)\n"
                                                "SLAVE-0 -> :idle\n");
    end(&master);
}

/* A long message of a failure is cut in the trail, not in the result. */
static void test_long_failure(void)
{
    static struct mwt_master master;
    struct mwi_finished item;
    struct mwi_buffer buffer;
    char text[1000];
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwi_buffer_init(&buffer);
    mwt_items_result(&buffer, 1, MWI_PAYLOAD_FAILED, text, strlen(text), 0);

    mwt_master_frame(&master, 1, &buffer);

    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_TRUE(mwt_text_is(payload_text(&item), text));
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "failed: mmm"));
    mwi_block_unref(item.block);
    end(&master);
}

/* A result may be nothing, in a frame that is kept or copied. */
static void test_empty_results(void)
{
    static const char first[] = "\x97\x05\x01\x01\x01\x00\x00\xc4\x00",
                      second[] = "\x97\x05\x01\x02\x01\x00\x00\xc4\x00";
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);

    mwt_master_bytes(&master, 1, first, sizeof first - 1);
    mwt_master_bytes(&master, 2, second, sizeof second - 1);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "@0 @1");
    end(&master);
}

static void check_dropped_for_a_foreign_result(struct mwt_master *master)
{
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master->outbox.trail,
               "SLAVE-0 dropped: it sent a result of a task that it does not have\n"));
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master->engine.slaves, 1));
}

/* A result of a task that never was is an offence. */
static void test_result_of_no_task(void)
{
    static const char result[] = "\x97\x05\x01\x07\x01\x00\x00\xc4\x00";
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);

    mwt_master_bytes(&master, 1, result, sizeof result - 1);

    check_dropped_for_a_foreign_result(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    end(&master);
}

/* So is one of a task that still waits for a slave. */
static void test_result_of_a_waiting_task(void)
{
    static const char result[] = "\x97\x05\x01\x02\x01\x00\x00\xc4\x00";
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);

    mwt_master_bytes(&master, 1, result, sizeof result - 1);

    check_dropped_for_a_foreign_result(&master);
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 2);
    end(&master);
}

/* So is that of another slave's task, which then still counts on that slave. */
static void test_result_of_anothers_task(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);

    mwt_master_return(&master, 1, "b");
    check_dropped_for_a_foreign_result(&master);
    mwt_master_return(&master, 2, "b");

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@1");
    end(&master);
}

/* The part of a message before the offence counts, the part after it does not. */
static void test_good_results_before_a_bad_one(void)
{
    static struct mwt_master master;
    start(&master, 2);
    mwt_master_submit(&master, "a b c d");
    mwt_master_greet(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_forget(&master);

    mwt_master_return(&master, 1, "a c");

    check_dropped_for_a_foreign_result(&master);
    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "SLAVE-0 -> 1 results\n"));
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 1, lost 1 after 1");
    end(&master);
}

/* A result that comes twice is taken once, in one message or in two. */
static void test_result_twice(void)
{
    static struct mwt_master master;
    start(&master, 2);
    mwt_master_submit(&master, "a b");
    mwt_master_greet(&master, 1);

    mwt_master_return(&master, 1, "a a");

    check_dropped_for_a_foreign_result(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    mwt_master_greet(&master, 2);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 2), "b");
    mwt_master_return(&master, 2, "b");
    mwt_master_return(&master, 2, "b");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@1");
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master.engine.slaves), 0);
    end(&master);
}

/* A result of a task that is gone does not hit the task that took its place. */
static void test_result_of_a_reused_slot(void)
{
    static struct mwt_master master;
    start(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_greet(&master, 1);
    mwt_master_return(&master, 1, "a");
    mwt_master_submit(&master, "b");
    mwt_master_tick(&master, 0);
    CU_ASSERT_EQUAL(master.engine.tasks.slots_count, 1);

    mwt_master_return(&master, 1, "a");

    check_dropped_for_a_foreign_result(&master);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"trail of a whole run", test_trail_of_a_whole_run},
        {"tasks before slaves and after", test_tasks_before_slaves_and_after},
        {"deadline", test_deadline},
        {"groups", test_groups},
        {"longest idle first", test_longest_idle_first},
        {"messages fit the slave", test_messages_fit_the_slave},
        {"large tasks go one by one", test_large_tasks_go_one_by_one},
        {"oversize task", test_oversize_task},
        {"task that just fits", test_task_that_just_fits},
        {"task on the wire", test_task_on_the_wire},
        {"unreadable values", test_unreadable_values},
        {"boasted duration", test_boasted_duration},
        {"results", test_results},
        {"failures", test_failures},
        {"long failure", test_long_failure},
        {"empty results", test_empty_results},
        {"result of no task", test_result_of_no_task},
        {"result of a waiting task", test_result_of_a_waiting_task},
        {"result of another's task", test_result_of_anothers_task},
        {"good results before a bad one", test_good_results_before_a_bad_one},
        {"result twice", test_result_twice},
        {"result of a reused slot", test_result_of_a_reused_slot},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: tasks", tests);
}
