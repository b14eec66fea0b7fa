/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that tasks save, at the slave's engine: they leave while the task runs, at most two pieces
 * are held for a network that takes none, those of an earlier attempt come with the task, and any
 * message may come while a task that saves runs.
 */
#include <string.h>

#include "mwt_items.h"
#include "mwt_run.h"
#include "mwt_slave.h"

#define LARGE MWI_MESSAGE_LARGE_BYTES
#define FRAME_BYTES_MAX (4 * LARGE)

static void start(struct mwt_slave *slave)
{
    struct mwi_slave_engine_config config = mwt_slave_config();
    config.frame_write_bytes_max = FRAME_BYTES_MAX;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, &config));
    mwt_slave_join(slave, 10, FRAME_BYTES_MAX);
    mwt_slave_forget(slave);
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

static struct mwi_slave_task begin(struct mwt_slave *slave)
{
    struct mwi_slave_task task;
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave->engine, &task));
    return task;
}

/* Ends the task with its own payload as the result. */
static void end_task(struct mwt_slave *slave, const struct mwi_slave_task *task)
{
    mwt_slave_return(slave, task->payload.data, task->payload.size);
    mwi_slave_engine_end_task(&slave->engine, 77, 0);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
}

static mw_error save(struct mwt_slave *slave, const char *text)
{
    return mwi_slave_engine_save(&slave->engine, text, strlen(text), 0);
}

/* Sends what was saved, and lets it leave. */
static void let_leave(struct mwt_slave *slave)
{
    (void)mwi_slave_engine_send_save(&slave->engine);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
}

/* Whether the last frame has these saved bytes of this task. */
static bool has_sent(struct mwt_slave *slave, uint64_t id, const char *text)
{
    const struct mwi_message *message = mwt_outbox_decode(&slave->outbox, MWT_MASTER_PEER);
    return message != NULL && message->kind == MWI_MESSAGE_SAVE && message->save.id == id &&
           message->save.size == strlen(text) &&
           memcmp(message->save.data, text, message->save.size) == 0;
}

/* The master sends bytes that an earlier attempt of this task has saved. */
static void send_saved(struct mwt_slave *slave, uint64_t id, const void *data, size_t size)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, id);
    mwi_buffer_append(&buffer, data, size);
    mwt_slave_frame(slave, &buffer);
}

static void send_bare(struct mwt_slave *slave, enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    mwt_slave_frame(slave, &buffer);
}

/* Saved bytes leave while the task runs, behind the results of the tasks before. The result that
 * the task has left already stays. */
static void test_leave_at_once(void)
{
    struct mwt_slave slave;
    start(&slave);
    mwt_slave_give(&slave, "a b c");
    mwt_slave_run(&slave, 1);
    struct mwi_slave_task task = begin(&slave);
    mwt_slave_return(&slave, "early", 5);

    CU_ASSERT_EQUAL(save(&slave, "half of b"), MW_OK);
    let_leave(&slave);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a");
    CU_ASSERT_TRUE(has_sent(&slave, task.id, "half of b"));
    CU_ASSERT_FALSE(mwi_slave_engine_send_save(&slave.engine));
    mwi_slave_engine_end_task(&slave.engine, 77, 0);
    mwt_slave_run(&slave, 1);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a|early c");
    end(&slave);
}

/* Values that the packer has begun go on behind saved bytes, too. */
static void test_open_values(void)
{
    struct mwt_slave slave;
    msgpack_packer packer;
    start(&slave);
    mwt_slave_give(&slave, "a b");
    mwt_slave_run(&slave, 1);
    begin(&slave);
    msgpack_packer_init(&packer, mwi_results_open_values(&slave.engine.results), mwi_buffer_write);
    msgpack_pack_int(&packer, 1);

    CU_ASSERT_EQUAL(save(&slave, "x"), MW_OK);
    msgpack_pack_int(&packer, 2);
    mwi_slave_engine_end_task(&slave.engine, 77, 0);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);

    const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL_FATAL(message->kind, MWI_MESSAGE_RESULTS);
    struct mwi_message_item item = mwt_items_at(message, 0);
    CU_ASSERT_TRUE(item.size == 2 && item.data[0] == 1 && item.data[1] == 2);
    end(&slave);
}

/* While the network has not taken the last bytes, newer ones wait, and replace those that wait. */
static void test_slow_network(void)
{
    struct mwt_slave slave;
    start(&slave);
    mwt_slave_give(&slave, "a");
    struct mwi_slave_task task = begin(&slave);

    CU_ASSERT_EQUAL(save(&slave, "first"), MW_OK);
    CU_ASSERT_TRUE(mwi_slave_engine_send_save(&slave.engine));
    CU_ASSERT_EQUAL(save(&slave, "second"), MW_OK);
    CU_ASSERT_TRUE(mwi_slave_engine_send_save(&slave.engine));
    CU_ASSERT_EQUAL(save(&slave, "third"), MW_OK);
    CU_ASSERT_TRUE(mwi_slave_engine_send_save(&slave.engine));
    CU_ASSERT_EQUAL(slave.engine.effects.count, 1);

    mwt_outbox_take(&slave.outbox, &slave.engine.effects);
    CU_ASSERT_TRUE(has_sent(&slave, task.id, "first"));
    let_leave(&slave);
    CU_ASSERT_TRUE(has_sent(&slave, task.id, "third"));
    CU_ASSERT_EQUAL(slave.outbox.frames_count, 2);
    end_task(&slave, &task);
    end(&slave);
}

/* Bytes that have not left are forgotten with the end of their task. */
static void test_ended(void)
{
    struct mwt_slave slave;
    start(&slave);
    mwt_slave_give(&slave, "a b");
    struct mwi_slave_task task = begin(&slave);
    CU_ASSERT_EQUAL(save(&slave, "first"), MW_OK);
    mwi_slave_engine_send_save(&slave.engine);
    CU_ASSERT_EQUAL(save(&slave, "second"), MW_OK);

    end_task(&slave, &task);
    mwt_slave_forget(&slave);
    task = begin(&slave);
    let_leave(&slave);

    CU_ASSERT_EQUAL(slave.outbox.frames_count, 0);
    end_task(&slave, &task);
    end(&slave);
}

/* More bytes than a message may have are refused, and the task goes on. */
static void test_too_many(void)
{
    static char bytes[FRAME_BYTES_MAX];
    struct mwt_slave slave;
    start(&slave);
    mwt_slave_give(&slave, "a");
    struct mwi_slave_task task = begin(&slave);

    CU_ASSERT_EQUAL(mwi_slave_engine_save(&slave.engine, bytes, FRAME_BYTES_MAX - 63, 0),
                    MW_ETOOBIG);
    CU_ASSERT_EQUAL(mwi_slave_engine_save(&slave.engine, bytes, FRAME_BYTES_MAX - 64, 0), MW_OK);
    let_leave(&slave);

    CU_ASSERT_EQUAL_FATAL(slave.outbox.frames_count, 1);
    CU_ASSERT_TRUE(slave.outbox.frames[0].size <= FRAME_BYTES_MAX);
    end_task(&slave, &task);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a");
    end(&slave);
}

/* Bytes of an earlier attempt come before their task, and are there while it runs, aligned, few or
 * many of them. Other tasks have none. */
static void test_of_earlier_attempt(void)
{
    static char many[LARGE + 1];
    static const size_t sizes[] = {0, 1, 1000, LARGE - 1, LARGE, LARGE + 1};
    memset(many, 'm', sizeof many);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mwt_slave slave;
        start(&slave);
        mwt_slave_give(&slave, "a");
        send_saved(&slave, slave.ids_count, many, sizes[i]);
        mwt_slave_give(&slave, "b");
        mwt_slave_give(&slave, "c");

        struct mwi_slave_task task = begin(&slave);
        CU_ASSERT_PTR_NULL(mwi_slave_engine_loaded(&slave.engine));
        end_task(&slave, &task);
        task = begin(&slave);
        const struct mwi_saved *saved = mwi_slave_engine_loaded(&slave.engine);
        CU_ASSERT_PTR_NOT_NULL_FATAL(saved);
        CU_ASSERT_EQUAL(saved->size, sizes[i]);
        CU_ASSERT_EQUAL(memcmp(saved->data, many, sizes[i]), 0);
        CU_ASSERT_EQUAL((uintptr_t)saved->data % 16, 0);
        end_task(&slave, &task);
        task = begin(&slave);
        CU_ASSERT_PTR_NULL(mwi_slave_engine_loaded(&slave.engine));
        end_task(&slave, &task);
        end(&slave);
    }
}

/* A master that sends saved bytes without their task breaks the protocol. */
static void test_misplaced(void)
{
    for (int i = 0; i < 3; i++) {
        struct mwt_slave slave;
        start(&slave);
        send_saved(&slave, slave.ids_count + (i == 0 ? 1 : 0), "x", 1);
        if (i == 2)
            send_saved(&slave, slave.ids_count, "x", 1);
        else
            mwt_slave_give(&slave, i == 0 ? "a" : "a b");

        CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GONE);
        CU_ASSERT_STRING_EQUAL(slave.engine.reason,
                               "the master sent saved bytes without their task");
        end(&slave);
    }
}

/* A recall that is read while a task runs is answered when the task has ended, behind its result.
 * The arguments stay whole, although the message that brought them is forgotten. */
static void test_recall(void)
{
    struct mwt_slave slave;
    start(&slave);
    mwt_slave_give(&slave, "a b c");
    struct mwi_slave_task task = begin(&slave);
    CU_ASSERT_EQUAL(save(&slave, "half of a"), MW_OK);
    let_leave(&slave);
    mwt_slave_forget(&slave);

    send_bare(&slave, MWI_MESSAGE_RECALL);
    CU_ASSERT_EQUAL(slave.outbox.frames_count, 0);
    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 0);
    end_task(&slave, &task);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RETURNED);
    end(&slave);
}

/* A ping is answered while the task runs, and tasks that come meanwhile run after it. */
static void test_messages_meanwhile(void)
{
    struct mwt_slave slave;
    start(&slave);
    mwt_slave_give(&slave, "a");
    struct mwi_slave_task task = begin(&slave);
    CU_ASSERT_EQUAL(save(&slave, "half of a"), MW_OK);

    send_bare(&slave, MWI_MESSAGE_PING);
    mwt_slave_give(&slave, "b");

    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_PONG);
    end_task(&slave, &task);
    mwt_slave_run(&slave, 1);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b");
    end(&slave);
}

/* A task whose master goes, or tells the slave to stop, learns of it when it saves again. It runs
 * to its end, which nobody hears of. */
static void test_end_meanwhile(void)
{
    for (int is_told = 0; is_told < 2; is_told++) {
        struct mwt_slave slave;
        start(&slave);
        mwt_slave_give(&slave, "a b");
        struct mwi_slave_task task = begin(&slave);
        CU_ASSERT_EQUAL(save(&slave, "half of a"), MW_OK);
        if (is_told)
            send_bare(&slave, MWI_MESSAGE_SHUTDOWN);
        else
            mwt_slave_down(&slave, "reset");
        mwt_slave_forget(&slave);

        CU_ASSERT_EQUAL(save(&slave, "more"), MW_EGONE);
        let_leave(&slave);
        CU_ASSERT_EQUAL(memcmp(task.payload.data, "a", 1), 0);
        end_task(&slave, &task);

        CU_ASSERT_EQUAL(slave.outbox.frames_count, 0);
        CU_ASSERT_EQUAL(slave.engine.phase, is_told ? MWI_PHASE_SHUTDOWN : MWI_PHASE_GONE);
        end(&slave);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"leave at once", test_leave_at_once},
        {"open values", test_open_values},
        {"slow network", test_slow_network},
        {"ended", test_ended},
        {"too many", test_too_many},
        {"of an earlier attempt", test_of_earlier_attempt},
        {"misplaced", test_misplaced},
        {"recall", test_recall},
        {"messages meanwhile", test_messages_meanwhile},
        {"end meanwhile", test_end_meanwhile},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slave saves", tests);
}
