/* SPDX-License-Identifier: Apache-2.0
 *
 * The results of a slave: in messages of a group each, never larger than both sides agree to, and
 * built without a look at what was written.
 */
#include "mwt_items.h"
#include "mwt_slave.h"

#include <stdio.h>
#include <string.h>

#include "mwt_random.h"
#include "mwt_run.h"

#define MASTER_BYTES_MAX ((size_t)1 << 20)

static void start(struct mwt_slave *slave, uint32_t result_group, size_t frame_bytes_max)
{
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, NULL));
    mwt_slave_join(slave, result_group, frame_bytes_max);
    mwt_slave_forget(slave);
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

/* Runs the next task, which returns `size` bytes of its own first letter. */
static void run_sized(struct mwt_slave *slave, size_t size)
{
    struct mwi_slave_task task;
    char *bytes = malloc(size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave->engine, &task));
    memset(bytes, task.payload.data[0], size);
    mwt_slave_return(slave, bytes, size);
    mwi_slave_engine_end_task(&slave->engine, 1, 0);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
    free(bytes);
}

/* With groups of one, each result is sent at once. */
static void test_results_one_by_one(void)
{
    static struct mwt_slave slave;
    start(&slave, 1, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b");

    mwt_slave_run(&slave, 1);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a");
    mwt_slave_run(&slave, 1);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a|b");
    CU_ASSERT_EQUAL(slave.engine.results.total_count, 2);
    CU_ASSERT_EQUAL(slave.engine.results.count, 0);
    end(&slave);
}

/* Results gather to a group, and are sent when it is full or no task is left. */
static void test_result_groups(void)
{
    static struct mwt_slave slave;
    start(&slave, 3, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e");

    mwt_slave_run(&slave, 2);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");
    CU_ASSERT_EQUAL(slave.engine.results.count, 2);
    mwt_slave_run(&slave, 2);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c");
    mwt_slave_run(&slave, 1);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c|d e");
    CU_ASSERT_PTR_NOT_NULL(strstr(slave.outbox.trail, "MASTER -> 5 tasks (3 grouping)\n"
                                                      "MASTER <- 3 results\n"
                                                      "MASTER <- 2 results\n"));
    end(&slave);
}

/* Results that are ready can be sent before their time. */
static void test_flush(void)
{
    static struct mwt_slave slave;
    start(&slave, 10, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c");
    mwt_slave_run(&slave, 2);

    mwi_results_flush(&slave.engine.results, 0);
    mwi_results_flush(&slave.engine.results, 0);
    mwt_slave_run(&slave, 1);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b|c");
    end(&slave);
}

/* A group whose results are large is sent early, so that the master does not wait for bytes. */
static void test_large_groups_are_sent_early(void)
{
    static struct mwt_slave slave;
    start(&slave, 1000, MASTER_BYTES_MAX);
    for (int i = 0; i < 20; i++)
        mwt_slave_give(&slave, "a");

    for (int i = 0; i < 17; i++)
        run_sized(&slave, 30000);
    CU_ASSERT_EQUAL(slave.outbox.frames_count, 0);
    run_sized(&slave, 30000);

    CU_ASSERT_EQUAL(slave.outbox.frames_count, 1);
    CU_ASSERT_EQUAL(slave.engine.results.count, 0);
    end(&slave);
}

/* Results of any sizes below the limit: no message is above it, and each result comes once, whole
 * and in order. */
static void test_messages_fit_the_master(void)
{
    enum { TASKS = 200, LIMIT = 4096 };
    static struct mwt_slave slave;
    struct mwt_random random;
    struct mwi_message_item item;
    size_t sizes[TASKS], results_count = 0;
    mwt_random_start(&random);
    start(&slave, 7, LIMIT);
    for (size_t i = 0; i < TASKS; i++)
        mwt_slave_give(&slave, "x");

    for (size_t i = 0; i < TASKS; i++) {
        sizes[i] = mwt_random_below(&random, i % 3 == 0 ? LIMIT - 100 : 300);
        run_sized(&slave, sizes[i]);
    }

    for (size_t i = 0; i < slave.outbox.frames_count; i++) {
        mw_reason why;
        struct mwi_message *message = &slave.outbox.message;
        const struct mwt_sent *sent = &slave.outbox.frames[i];
        CU_ASSERT_TRUE(sent->size <= LIMIT);
        CU_ASSERT_EQUAL_FATAL(
            mwi_message_decode(&slave.outbox.decoder, sent->data, sent->size, message, &why),
            MW_OK);
        struct mwi_message_cursor cursor = {.group = &message->group};
        for (; mwi_message_next(&cursor, &item); results_count++) {
            CU_ASSERT_EQUAL(item.id, results_count);
            CU_ASSERT_EQUAL(item.form, MWI_PAYLOAD_BYTES);
            CU_ASSERT_EQUAL(item.size, sizes[results_count]);
        }
    }
    CU_ASSERT_EQUAL(results_count, TASKS);
    end(&slave);
}

/* A result that fits is sent, and one byte more is a failure that names the option to change. */
static void check_limit(size_t ours, size_t theirs, const char *option)
{
    static struct mwt_slave slave;
    struct mwi_slave_engine_config config = mwt_slave_config();
    size_t limit = ours < theirs ? ours : theirs;
    size_t fits = limit - MWI_MESSAGE_OVERHEAD_BYTES;
    char expected[200];
    config.frame_write_bytes_max = ours;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(&slave, &config));
    mwt_slave_join(&slave, 1, theirs);
    mwt_slave_forget(&slave);
    mwt_slave_give(&slave, "a b");
    snprintf(expected, sizeof expected, "|the result's %zu bytes are over the %s of %zu!", fits + 1,
             option, limit);

    run_sized(&slave, fits);
    run_sized(&slave, fits + 1);

    CU_ASSERT_EQUAL(slave.outbox.frames_count, 2);
    CU_ASSERT_TRUE(slave.outbox.frames[0].size <= limit);
    const char *results = mwt_slave_results(&slave);
    CU_ASSERT_EQUAL(strspn(results, "a"), fits);
    CU_ASSERT_STRING_EQUAL(results + fits, expected);
    end(&slave);
}

/* Whose option it is depends on whose limit is the lower one. */
static void test_oversize_result(void)
{
    check_limit(1024, 2048, "slave's --mw-max-write-buffer-size");
    check_limit(2048, 1024, "master's --mw-max-read-buffer-size");
    check_limit(1024, 1024, "slave's --mw-max-write-buffer-size");
}

/* An oversize result does not spoil those that are in its message. */
static void test_oversize_result_in_a_group(void)
{
    static struct mwt_slave slave;
    start(&slave, 3, 1024);
    mwt_slave_give(&slave, "a b c");

    run_sized(&slave, 1);
    run_sized(&slave, 5000);
    run_sized(&slave, 1);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave),
                           "a the result's 5000 bytes are over the master's "
                           "--mw-max-read-buffer-size of 1024! c");
    end(&slave);
}

/* Each payload replaces the one before it, whatever the sizes of the id and of the payloads. */
static void test_replaced_payload(void)
{
    static const uint64_t ids[] = {
        0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    static unsigned char large[MWI_MESSAGE_LARGE_BYTES];

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        static struct mwt_slave slave;
        struct mwi_slave_task task;
        start(&slave, 2, MASTER_BYTES_MAX);
        slave.ids_count = ids[i];
        mwt_slave_give(&slave, "a");
        CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));

        mwt_slave_return(&slave, "wrong", 5);
        mwt_slave_return(&slave, large, sizeof large);
        mwi_buffer_append(mwi_results_open_values(&slave.engine.results), "\x01\x02", 2);
        mwi_results_fail(&slave.engine.results, "wrong too");
        mwt_slave_return(&slave, "right", 5);
        mwi_slave_engine_end_task(&slave.engine, 1, 0);
        mwt_outbox_take(&slave.outbox, &slave.engine.effects);

        CU_ASSERT_EQUAL(slave.outbox.frames_count, 1);
        CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "right");
        end(&slave);
    }
}

/* Values that are appended behind a later payload, with a buffer of earlier, are cut off. */
static void test_stale_values(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    start(&slave, 1, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a");
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));

    struct mwi_buffer *buffer = mwi_results_open_values(&slave.engine.results);
    mwt_slave_return(&slave, "right", 5);
    mwi_buffer_append(buffer, "\x01\x02", 2);
    mwi_slave_engine_end_task(&slave.engine, 1, 0);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "right");
    end(&slave);
}

/* Ends the next task after these bytes were left as its values; the payload that the master gets.
 */
static struct mwi_payload values_sent(struct mwt_slave *slave, const char *bytes, size_t size)
{
    struct mwi_slave_task task;
    struct mwi_message_item item;
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave->engine, &task));
    if (bytes != NULL)
        mwi_buffer_append(mwi_results_open_values(&slave->engine.results), bytes, size);
    mwi_slave_engine_end_task(&slave->engine, 1, 0);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
    item = mwt_items_at(mwt_outbox_decode(&slave->outbox, MWT_MASTER_PEER), 0);
    CU_ASSERT_NOT_EQUAL(item.form, MWI_PAYLOAD_FAILED);
    return mwi_message_payload(&item);
}

/* Values arrive as they were appended; a task that leaves nothing returns no values. */
static void test_values(void)
{
    static struct mwt_slave slave;
    start(&slave, 1, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b");

    struct mwi_payload two = values_sent(&slave, "\x01\x02", 2);
    CU_ASSERT_FALSE(two.is_bytes);
    CU_ASSERT_EQUAL_FATAL(two.size, 2);
    CU_ASSERT_EQUAL(memcmp(two.data, "\x01\x02", 2), 0);

    struct mwi_payload none = values_sent(&slave, NULL, 0);
    CU_ASSERT_FALSE(none.is_bytes);
    CU_ASSERT_EQUAL(none.size, 0);
    end(&slave);
}

/* Broken values are seen before the result ends; other payloads are never broken. */
static void test_whole(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    struct mwi_results *results = &slave.engine.results;
    start(&slave, 1, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a");
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));

    CU_ASSERT_TRUE(mwi_results_are_whole(results));
    struct mwi_buffer *buffer = mwi_results_open_values(results);
    CU_ASSERT_TRUE(mwi_results_are_whole(results));
    mwi_buffer_append(buffer, "\x92\x01", 2);
    CU_ASSERT_FALSE(mwi_results_are_whole(results));
    mwi_buffer_append(buffer, "\x02", 1);
    CU_ASSERT_TRUE(mwi_results_are_whole(results));
    mwi_buffer_append(buffer, "\xc1", 1);
    CU_ASSERT_FALSE(mwi_results_are_whole(results));
    mwt_slave_return(&slave, "\xc1", 1);
    CU_ASSERT_TRUE(mwi_results_are_whole(results));

    mwi_slave_engine_end_task(&slave.engine, 1, 0);
    end(&slave);
}

/* The next task takes so long, and then it is so late. */
static void run_timed(struct mwt_slave *slave, uint64_t duration_ns, int64_t now_ns)
{
    struct mwi_slave_task task;
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave->engine, &task));
    mwt_slave_return(slave, task.payload.data, task.payload.size);
    mwi_slave_engine_end_task(&slave->engine, duration_ns, now_ns);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
}

/* By time, results wait until half of the tasks are done, when the master sends more. */
static void test_half(void)
{
    static struct mwt_slave slave;
    start(&slave, 0, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f");

    run_timed(&slave, 1000, 1000);
    run_timed(&slave, 1000, 2000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");
    run_timed(&slave, 1000, 3000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c");

    mwt_slave_give(&slave, "g");
    run_timed(&slave, 1000, 4000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c");
    run_timed(&slave, 1000, 5000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c|d e");
    end(&slave);
}

/* Behind tasks that are not short no result waits: the next may be much longer than the others. */
static void test_no_wait_behind_longer_tasks(void)
{
    static struct mwt_slave slave;
    start(&slave, 0, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f g h");

    for (int64_t i = 1; i <= 3; i++)
        run_timed(&slave, 400000, i * 400000);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a|b|c");
    end(&slave);
}

/* By time, results of short tasks wait for each other, but not for long, and not for long ones. */
static void test_groups_by_time(void)
{
    static struct mwt_slave slave;
    start(&slave, 0, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f g h i j k l m n o p q r s t");

    run_timed(&slave, 1000, 1000);
    run_timed(&slave, 1000, 2000);
    run_timed(&slave, 1000, 3000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");
    run_timed(&slave, 1000, 1600000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c d");
    run_timed(&slave, 60000000, 61000000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c d|e");
    run_timed(&slave, 1000, 61001000);
    run_timed(&slave, 1000, 61002000);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c d|e|f|g");
    end(&slave);
}

/* Runs the next tasks, which return their payloads and end together. */
static void run_together(struct mwt_slave *slave, size_t count, uint64_t duration_ns,
                         int64_t now_ns)
{
    struct mwi_slave_engine *engine = &slave->engine;
    struct mwi_slave_task task;
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(engine, &task));
        mwt_slave_return(slave, task.payload.data, task.payload.size);
        CU_ASSERT_TRUE_FATAL(mwi_slave_engine_end_quick(engine));
    }
    mwi_slave_engine_settle(engine, count, duration_ns, now_ns);
    mwt_outbox_take(&slave->outbox, &engine->effects);
}

/* Tasks may end together once they are known to be very short, and no more of them than their group
 * still lacks, than their message has, or than the caller wants. */
static void test_together(void)
{
    static struct mwt_slave slave;
    const struct mwi_slave_engine *engine = &slave.engine;
    start(&slave, 26, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f g h i j k l m n o p q r s t u v w x y z");
    mwt_slave_give(&slave, "a b c");

    for (int i = 0; i < 16; i++) {
        CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 100), 1);
        run_timed(&slave, 500, i);
    }
    CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 100), 8);
    CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 3), 3);
    run_together(&slave, 8, 500, 16);
    CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 100), 2);
    run_together(&slave, 1, 500, 17);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");
    CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 100), 1);
    run_together(&slave, 1, 500, 18);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave),
                           "a b c d e f g h i j k l m n o p q r s t u v w x y z");
    CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 100), 3);
    run_timed(&slave, 100000, 19);
    CU_ASSERT_EQUAL(mwi_slave_engine_together(engine, 100), 1);
    end(&slave);
}

/* Results that end together have the same duration, and leave when half of the tasks are done. */
static void test_shares(void)
{
    static struct mwt_slave slave;
    struct mwi_message_item item;
    start(&slave, 0, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f g h");
    run_timed(&slave, 1000, 1000);

    run_together(&slave, 2, 70, 2000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");
    run_together(&slave, 1, 50, 3000);

    const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL_FATAL(message->group.count, 4);
    for (size_t i = 0; i < 4; i++) {
        item = mwt_items_at(message, i);
        CU_ASSERT_EQUAL(item.duration_ns, i == 0 ? 1000 : i < 3 ? 70 : 50);
    }
    end(&slave);
}

/* A failure, a large result, and one for which the message has no room do not end quickly. They end
 * as usual, behind the others of their burst. */
static void test_not_quick(void)
{
    static unsigned char large[MWI_MESSAGE_LARGE_BYTES];
    for (int kind = 0; kind < 3; kind++) {
        static struct mwt_slave slave;
        struct mwi_slave_engine *engine = &slave.engine;
        struct mwi_slave_task task;
        start(&slave, 10, kind == 2 ? 200 : MASTER_BYTES_MAX);
        mwt_slave_give(&slave, "a b c d e f");
        run_timed(&slave, 1, 0);
        CU_ASSERT_TRUE(mwi_slave_engine_begin_task(engine, &task));
        mwt_slave_return(&slave, "b", 1);
        CU_ASSERT_TRUE(mwi_slave_engine_end_quick(engine));
        CU_ASSERT_TRUE(mwi_slave_engine_begin_task(engine, &task));
        if (kind == 0)
            mwi_results_fail(&engine->results, "c");
        else
            mwt_slave_return(&slave, large, kind == 1 ? sizeof large : 100);

        CU_ASSERT_FALSE(mwi_slave_engine_end_quick(engine));
        mwi_results_set_durations(&engine->results, 1, 60, 0);
        mwi_slave_engine_end_task(engine, 60, 0);
        mwi_results_flush(&engine->results, 0);
        mwt_outbox_take(&slave.outbox, &engine->effects);

        CU_ASSERT_EQUAL(slave.outbox.frames_count, kind == 0 ? 1 : 2);
        CU_ASSERT_EQUAL(strncmp(mwt_slave_results(&slave), kind == 0 ? "a b c!" : "a b", 3), 0);
        CU_ASSERT_EQUAL(engine->results.total_count, 3);
        CU_ASSERT_EQUAL(engine->queue.tasks_count, 3);
        const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
        CU_ASSERT_PTR_NOT_NULL_FATAL(message);
        CU_ASSERT_EQUAL(mwt_items_at(message, message->group.count - 1).duration_ns, 60);
        end(&slave);
    }
}

/* A result that has ended quickly waits from then on, also if the next one of its burst fails. */
static void test_wait_before_a_failure(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_engine *engine = &slave.engine;
    struct mwi_slave_task task;
    start(&slave, 0, MASTER_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f g h i j");
    for (int64_t i = 1; i <= 5; i++)
        run_timed(&slave, 1000, i * 1000);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c d e");
    CU_ASSERT_TRUE(mwi_slave_engine_begin_task(engine, &task));
    mwt_slave_return(&slave, "f", 1);
    CU_ASSERT_TRUE(mwi_slave_engine_end_quick(engine));
    CU_ASSERT_TRUE(mwi_slave_engine_begin_task(engine, &task));
    mwi_results_fail(&engine->results, "g");

    mwi_results_set_durations(&engine->results, 1, 1000, 9000000);
    mwi_slave_engine_end_task(engine, 1000, 9000000);
    mwt_outbox_take(&slave.outbox, &engine->effects);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b c d e");
    CU_ASSERT_EQUAL(engine->results.count, 2);
    end(&slave);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"results one by one", test_results_one_by_one},
        {"result groups", test_result_groups},
        {"flush", test_flush},
        {"large groups are sent early", test_large_groups_are_sent_early},
        {"messages fit the master", test_messages_fit_the_master},
        {"oversize result", test_oversize_result},
        {"oversize result in a group", test_oversize_result_in_a_group},
        {"replaced payload", test_replaced_payload},
        {"stale values", test_stale_values},
        {"values", test_values},
        {"whole", test_whole},
        {"half", test_half},
        {"no wait behind longer tasks", test_no_wait_behind_longer_tasks},
        {"groups by time", test_groups_by_time},
        {"together", test_together},
        {"shares", test_shares},
        {"not quick", test_not_quick},
        {"wait before a failure", test_wait_before_a_failure},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("results", tests);
}
