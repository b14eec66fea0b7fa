/* SPDX-License-Identifier: Apache-2.0
 *
 * A master that was taken over, at a slave's engine: whatever it says, the slave ends or goes on in
 * order, prints nothing raw, and takes no more memory than in proportion to what it was sent.
 */
#include <stdlib.h>
#include <string.h>

#include "mwt_heap.h"
#include "mwt_items.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "mwt_slave.h"

#define ROUNDS_COUNT 20000

static void start(struct mwt_slave *slave)
{
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, NULL));
    mwt_slave_greet(slave);
    mwt_slave_forget(slave);
}

static void start_welcome(struct mwt_slave *slave)
{
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, NULL));
    mwt_slave_join(slave, 1, 1 << 20);
    mwt_slave_forget(slave);
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

/* An answer of a million values, all `value` behind the head, is refused, and takes no memory. */
static void check_bomb(const char *head, size_t head_size, int value, const char *reason)
{
    enum { BYTES = 1 << 20 };
    static struct mwt_slave slave;
    static unsigned char bomb[BYTES];
    memcpy(bomb, head, head_size);
    memset(bomb + head_size, value, sizeof bomb - head_size);
    start(&slave);
    size_t before = mwt_heap_bytes();

    mwt_slave_bytes(&slave, bomb, sizeof bomb);

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, reason);
    end(&slave);
}

/* A welcome of a million names is refused: each name would cost 40 bytes. */
static void test_many_names(void)
{
    check_bomb("\xdd\x00\x0f\xff\xfb\x02\x03\x01\x7f", 9, 0xa0, "the answer is not from a master");
}

/* A long message whose field holds empty arrays is refused before msgpack-c sees it. */
static void test_nested_fields(void)
{
    check_bomb("\x92\x03\xdd\x00\x0f\xff\xf9", 7, 0x90, "the answer is not from a master");
}

/* A few bytes may be 65,536 tasks without arguments: they wait in the message that brought them,
 * and take no memory one by one. */
static void test_claimed_tasks(void)
{
    static const unsigned char claim[] = {0x97, 0x04, 0xce, 0, 1, 0, 0, 1, 1, 1, 0, 0xc4, 0};
    static struct mwt_slave slave;
    start_welcome(&slave);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < 10; i++)
        mwt_slave_bytes(&slave, claim, sizeof claim);

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 10 * 1024);
    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 10 * 65536);
    end(&slave);
}

/* A task of an algorithm that the slave has not is failed, with the number of the master. */
static void test_unknown_algorithms(void)
{
    static struct mwt_slave slave;
    struct mwi_buffer frame;
    struct mwi_message_item item = mwt_items_make(1, MWI_PAYLOAD_BYTES, "x", 1);
    struct mwi_slave_task task;
    item.algorithm = UINT32_MAX;
    start_welcome(&slave);
    mwi_buffer_init(&frame);
    mwt_items_tasks(&frame, &item, 1);
    mwt_slave_frame(&slave, &frame);

    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));

    CU_ASSERT_PTR_NULL(task.run);
    CU_ASSERT_STRING_EQUAL(task.name, "?");
    mwi_results_fail(&slave.engine.results, "no");
    mwi_slave_engine_end_task(&slave.engine, 1, 1);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);
    end(&slave);
}

/* The names of algorithms and the reason of a refusal can be printed. */
static void test_texts(void)
{
    static const mw_algorithm names[] = {{"\x1b]0;evil\x07\n", NULL}, {"alpha", NULL}, {0}};
    static struct mwt_slave slave;
    struct mwi_buffer frame;
    start(&slave);
    mwi_buffer_init(&frame);
    mwi_message_write_welcome(&frame, 1, 1, 10000, 77, names);
    mwt_slave_frame(&slave, &frame);
    CU_ASSERT_STRING_EQUAL(slave.engine.repertoire.names[0], "\\x1b]0;evil\\x07\\n");
    CU_ASSERT_PTR_NULL(slave.engine.repertoire.runs[0]);
    CU_ASSERT_STRING_EQUAL(slave.engine.repertoire.names[1], "alpha");
    mwt_slave_forget(&slave);

    mwi_buffer_init(&frame);
    mwi_message_write_reason(&frame, MWI_MESSAGE_REFUSE, "\x1b[2J\nMASTER -> SHUTDOWN");
    mwt_slave_frame(&slave, &frame);

    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "\\x1b[2J\\nMASTER -> SHUTDOWN");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(slave.outbox.trail, "MASTER -> REFUSED: \\x1b[2J\\nMASTER -> SHUTDOWN\n"));
    end(&slave);
}

/* Each ping and each recall has one short answer, and nothing else is kept of them. */
static void test_chatter(void)
{
    static struct mwt_slave slave;
    start_welcome(&slave);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < 1000; i++) {
        mwt_slave_bytes(&slave, "\x91\x09", 2);
        mwt_slave_bytes(&slave, "\x91\x0f", 2);
        CU_ASSERT_STRING_EQUAL(slave.outbox.events, "send 5, send 5");
        mwt_slave_forget(&slave);
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_READY);
    end(&slave);
}

static bool is_over(const struct mwt_slave *slave)
{
    return slave->engine.phase >= MWI_PHASE_SHUTDOWN || slave->engine.phase == MWI_PHASE_APART;
}

/* Any bytes leave a slave that goes on, tries again, or is at its end with a reason. */
static void test_random(void)
{
    static struct mwt_slave slave;
    struct mwt_random random;
    mwt_random_start(&random);
    for (int i = 0; i < ROUNDS_COUNT; i++) {
        bool is_welcome = mwt_random_below(&random, 2) == 0;
        if (is_welcome)
            start_welcome(&slave);
        else
            start(&slave);
        for (int j = 0; j < 3 && !is_over(&slave); j++) {
            unsigned char bytes[24] = {0x97, 0x04};
            for (size_t place = mwt_random_below(&random, 3); place < sizeof bytes; place++)
                bytes[place] = (unsigned char)mwt_random_next(&random);
            mwt_slave_bytes(&slave, bytes, mwt_random_below(&random, sizeof bytes + 1));
            mwt_slave_run(&slave, 3);
            mwt_slave_forget(&slave);
        }
        CU_ASSERT_TRUE(!is_over(&slave) || slave.engine.reason[0] != '\0' ||
                       slave.engine.phase == MWI_PHASE_SHUTDOWN);
        end(&slave);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"many names", test_many_names},
        {"nested fields", test_nested_fields},
        {"claimed tasks", test_claimed_tasks},
        {"unknown algorithms", test_unknown_algorithms},
        {"texts", test_texts},
        {"chatter", test_chatter},
        {"random", test_random},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("taken master", tests);
}
