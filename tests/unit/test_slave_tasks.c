/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave engine's tasks: they come out in the order in which the master sent them, with their
 * algorithms and payloads. A slave tells its master when some tasks begin, and gives back the tasks
 * that it has not begun.
 */
#include "mwt_items.h"
#include "mwt_slave.h"

#include <string.h>

#include "mwt_run.h"

static void start(struct mwt_slave *slave, uint32_t result_group)
{
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, NULL));
    mwt_slave_join(slave, result_group, 1 << 20);
    mwt_slave_forget(slave);
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

/* Tasks come out in the order in which they came, with the master's data. */
static void test_tasks(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    start(&slave, 1);
    mwt_slave_give(&slave, "first second");

    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 2);
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));

    CU_ASSERT_EQUAL(task.id, 0);
    CU_ASSERT_PTR_EQUAL(task.run, mwt_slave_config().algorithms[0].run);
    CU_ASSERT_STRING_EQUAL(task.name, "alpha");
    CU_ASSERT_TRUE(task.payload.is_bytes);
    CU_ASSERT_EQUAL_FATAL(task.payload.size, 5);
    CU_ASSERT_EQUAL(memcmp(task.payload.data, "first", 5), 0);
    mwi_results_fail(&slave.engine.results, "x");
    mwi_slave_engine_end_task(&slave.engine, 1, 0);
    CU_ASSERT_EQUAL(mwt_slave_run(&slave, 5), 1);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "x!|second");
    end(&slave);
}

/* The master is told, once each, that the slave's first task begins and that a timed task does,
 * before the task begins. */
static void test_timed_task(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    struct mwi_buffer message;
    struct mwi_message_item timed =
        mwt_items_make(300, MWI_PAYLOAD_BYTES | MWI_PAYLOAD_TIMED, "x", 1);
    start(&slave, 1);
    mwt_slave_give(&slave, "first");
    mwi_buffer_init(&message);
    timed.algorithm = 1;
    mwt_items_tasks(&message, &timed, 1);
    mwt_slave_frame(&slave, &message);

    CU_ASSERT_TRUE(mwi_slave_engine_tell_of_task(&slave.engine));
    CU_ASSERT_FALSE(mwi_slave_engine_tell_of_task(&slave.engine));
    CU_ASSERT_EQUAL(mwt_slave_run(&slave, 1), 1);
    mwt_slave_forget(&slave);
    CU_ASSERT_TRUE(mwi_slave_engine_tell_of_task(&slave.engine));
    CU_ASSERT_FALSE(mwi_slave_engine_tell_of_task(&slave.engine));

    mwt_slave_tick(&slave, 0);
    const struct mwi_message *told = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(told);
    CU_ASSERT_EQUAL(told->kind, MWI_MESSAGE_BEGUN);
    CU_ASSERT_EQUAL(told->id, 300);
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));
    CU_ASSERT_EQUAL(task.id, 300);
    mwi_results_fail(&slave.engine.results, "x");
    mwi_slave_engine_end_task(&slave.engine, 1, 0);
    end(&slave);
}

/* Without a task a slave cannot begin one. */
static void test_no_task(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    start(&slave, 1);

    CU_ASSERT_FALSE(mwi_slave_engine_begin_task(&slave.engine, &task));
    mwi_results_flush(&slave.engine.results, 0);

    CU_ASSERT_EQUAL(slave.engine.effects.count, 0);
    end(&slave);
}

/* A task may have an empty payload, and return nothing. The engine keeps the frame `given`, and
 * must copy the frame `lent`: mwt_slave_bytes lends frames of an odd size. */
static void test_empty_payload(void)
{
    static const char given[] = "\x97\x04\x01\x00\x01\x01\x00\xc4\x01\x00",
                      lent[] = "\x97\x04\x01\xcc\x80\x01\x01\x00\xc4\x01\x00";
    static struct mwt_slave slave;
    struct mwi_slave_task task;
    start(&slave, 2);

    mwt_slave_bytes(&slave, given, sizeof given - 1);
    mwt_slave_bytes(&slave, lent, sizeof lent - 1);

    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave.engine, &task));
        CU_ASSERT_EQUAL(task.payload.size, 0);
        mwt_slave_return(&slave, NULL, 0);
        mwi_slave_engine_end_task(&slave.engine, 1, 0);
    }
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);
    CU_ASSERT_EQUAL(mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER)->group.count, 2);
    end(&slave);
}

/* A slave that is asked for the tasks that it has not begun sends all its results, also those of a
 * group that is not full, and then says that it has nothing any more. */
static void test_recall(void)
{
    static const char recall[] = "\x91\x0f";
    static struct mwt_slave slave;
    start(&slave, 10);
    mwt_slave_give(&slave, "a b c d");
    CU_ASSERT_EQUAL(mwt_slave_run(&slave, 2), 2);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");

    mwt_slave_bytes(&slave, recall, sizeof recall - 1);

    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 0);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RETURNED);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_READY);
    mwt_slave_give(&slave, "e");
    CU_ASSERT_EQUAL(mwt_slave_run(&slave, 5), 1);
    end(&slave);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"tasks", test_tasks},     {"timed task", test_timed_task},
        {"no task", test_no_task}, {"empty payload", test_empty_payload},
        {"recall", test_recall},   CU_TEST_INFO_NULL,
    };
    return mwt_run("slave_engine: tasks", tests);
}
