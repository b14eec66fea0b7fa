/* SPDX-License-Identifier: Apache-2.0
 *
 * Large payloads in the slave engine: a task that comes in a message of its own, and results that
 * leave in one, alone, at once, and without being copied where that can be.
 */
#include "mwt_items.h"
#include "mwt_slave.h"

#include <stdio.h>
#include <string.h>

#include "mwt_run.h"

#define LARGE MWI_MESSAGE_LARGE_BYTES
#define FRAME_BYTES_MAX (4 * LARGE)

static void start(struct mwt_slave *slave, uint32_t result_group)
{
    struct mwi_slave_engine_config config = mwt_slave_config();
    config.frame_write_bytes_max = FRAME_BYTES_MAX;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, &config));
    mwt_slave_join(slave, result_group, FRAME_BYTES_MAX);
    mwt_slave_forget(slave);
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

static unsigned char *make_bytes(size_t size, char letter)
{
    unsigned char *bytes = malloc(size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memset(bytes, letter, size);
    return bytes;
}

static struct mwi_slave_task begin(struct mwt_slave *slave)
{
    struct mwi_slave_task task;
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave->engine, &task));
    return task;
}

static void end_task(struct mwt_slave *slave)
{
    mwi_slave_engine_end_task(&slave->engine, 77, 0);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
}

/* The same of a large one; returns where its payload is sent from. */
static const unsigned char *end_large(struct mwt_slave *slave)
{
    const struct mwi_effects *effects = &slave->engine.effects;
    const unsigned char *data = NULL;
    mwi_slave_engine_end_task(&slave->engine, 77, 0);
    for (size_t i = 0; i < effects->count; i++)
        if (effects->items[i].body.release != NULL)
            data = effects->items[i].body.data;
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
    return data;
}

static void return_small(struct mwt_slave *slave)
{
    struct mwi_slave_task task = begin(slave);
    mwt_slave_return(slave, task.payload.data, task.payload.size);
    end_task(slave);
}

/* Writes a bin of `size` bytes of this letter as the values of a result. */
static void write_values(struct mwt_slave *slave, size_t size, char letter)
{
    struct mwi_buffer *buffer = mwi_results_open_values(&slave->engine.results);
    msgpack_packer packer;
    unsigned char *bytes = make_bytes(size, letter);
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    msgpack_pack_bin_with_body(&packer, bytes, size);
    free(bytes);
}

/* The result of frame `index`, which must be a large one of task `id`. */
static struct mwi_message_item large_result(struct mwt_slave *slave, size_t index, uint64_t id)
{
    struct mwt_outbox *outbox = &slave->outbox;
    struct mwi_message_item item = {0};
    mw_reason why;
    CU_ASSERT_TRUE_FATAL(index < outbox->frames_count);
    CU_ASSERT_EQUAL_FATAL(mwi_message_decode(&outbox->decoder, outbox->frames[index].data,
                                             outbox->frames[index].size, &outbox->message, &why),
                          MW_OK);
    CU_ASSERT_EQUAL_FATAL(outbox->message.kind, MWI_MESSAGE_RESULTS);
    CU_ASSERT_EQUAL_FATAL(outbox->message.group.count, 1);
    item = mwt_items_at(&outbox->message, 0);
    CU_ASSERT_EQUAL((size_t)(item.data - outbox->frames[index].data) % 16, 0);
    CU_ASSERT_TRUE(item.size >= LARGE);
    CU_ASSERT_EQUAL(item.id, id);
    CU_ASSERT_NOT_EQUAL(item.form, MWI_PAYLOAD_FAILED);
    CU_ASSERT_EQUAL(item.duration_ns, 77);
    return item;
}

static bool is_all(const unsigned char *data, size_t size, char letter)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != (unsigned char)letter)
            return false;
    return true;
}

/* Gives a large task of `size` bytes and number `algorithm`. */
static void give_large(struct mwt_slave *slave, uint16_t algorithm, size_t size, char letter)
{
    struct mwi_buffer buffer;
    unsigned char *bytes = make_bytes(size, letter);
    mwi_buffer_init(&buffer);
    struct mwi_message_item item =
        mwt_items_make(slave->ids_count++, MWI_PAYLOAD_BYTES, bytes, size);
    item.algorithm = algorithm;
    mwt_items_tasks(&buffer, &item, 1);
    mwt_slave_frame(slave, &buffer);
    free(bytes);
}

/* A large task is queued as any other, its payload where it was received. Its frame is kept or
 * copied as the transport wants it, which depends on whether the size is odd. */
static void test_large_task(void)
{
    static struct mwt_slave slave;
    start(&slave, 1);

    give_large(&slave, 1, LARGE, 'x');
    give_large(&slave, 0, LARGE + 1, 'y');

    for (size_t i = 0; i < 2; i++) {
        struct mwi_slave_task task = begin(&slave);
        CU_ASSERT_EQUAL(task.id, i);
        CU_ASSERT_STRING_EQUAL(task.name, i == 0 ? "alpha" : "beta");
        CU_ASSERT_PTR_NOT_NULL(task.run);
        CU_ASSERT_TRUE(task.payload.is_bytes);
        CU_ASSERT_EQUAL_FATAL(task.payload.size, LARGE + i);
        CU_ASSERT_TRUE(is_all(task.payload.data, LARGE + i, i == 0 ? 'x' : 'y'));
        mwt_slave_return(&slave, NULL, 0);
        end_task(&slave);
    }
    end(&slave);
}

/* A large task of an unknown algorithm has the name "?", and can fail like a small one. */
static void test_large_task_of_unknown_algorithm(void)
{
    static struct mwt_slave slave;
    start(&slave, 1);

    give_large(&slave, 12345, LARGE, 'x');

    struct mwi_slave_task task = begin(&slave);
    CU_ASSERT_PTR_NULL(task.run);
    CU_ASSERT_STRING_EQUAL(task.name, "?");
    mwi_results_fail(&slave.engine.results, "unknown");
    mwi_slave_engine_end_task(&slave.engine, 1, 0);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "unknown!");
    end(&slave);
}

/* A master that sends a task without all of its payload, or before its welcome, or a result, is
 * left. */
static void test_bad_large_messages(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\x97\x04\x01\x00\x00\x00", 6},
               {"\x97\x04\x01\x00\x00\x00\x08\xc4\x00payload", 16},
               {"\x97\x04\x01\x00\x00\x04\x07\xc4\x00payload", 16},
               {"\x97\x05\x01\x00\x00\x00\x07\xc4\x00payload", 16}};

    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        static struct mwt_slave slave;
        bool is_joined = i % 2 == 0;
        if (is_joined) {
            start(&slave, 1);
        } else {
            CU_ASSERT_TRUE_FATAL(mwt_slave_start(&slave, NULL));
            mwt_slave_greet(&slave);
        }

        mwt_slave_bytes(&slave, bad[i / 2].bytes, bad[i / 2].size);

        CU_ASSERT_EQUAL(slave.engine.phase, is_joined ? MWI_PHASE_GONE : MWI_PHASE_APART);
        CU_ASSERT_PTR_NOT_NULL(strstr(slave.outbox.events, "drop"));
        end(&slave);
    }
}

/* Large raw bytes leave alone and at once, after the results that were waiting. */
static void test_bytes(void)
{
    static struct mwt_slave slave;
    unsigned char *bytes = make_bytes(LARGE, 'z');
    mw_reason why;
    start(&slave, 10);
    mwt_slave_give(&slave, "a b c d");
    mwt_slave_forget(&slave);
    return_small(&slave);
    return_small(&slave);
    CU_ASSERT_EQUAL(slave.outbox.frames_count, 0);

    begin(&slave);
    CU_ASSERT_EQUAL(mwi_results_copy_bytes(&slave.engine.results, bytes, LARGE, &why), MW_OK);
    memset(bytes, '?', LARGE);
    end_task(&slave);

    CU_ASSERT_EQUAL_FATAL(slave.outbox.frames_count, 2);
    struct mwi_message_item item = large_result(&slave, 1, 2);
    CU_ASSERT_TRUE(item.form == MWI_PAYLOAD_BYTES && item.size == LARGE);
    CU_ASSERT_TRUE(is_all(item.data, LARGE, 'z'));
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail, "MASTER <- 2 results\nMASTER <- 1 results\n");
    CU_ASSERT_EQUAL(slave.engine.results.count, 0);
    CU_ASSERT_EQUAL(slave.engine.results.total_count, 3);
    return_small(&slave);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b|d");
    free(bytes);
    end(&slave);
}

/* A block that is taken leaves as it is. */
static void test_taken_bytes(void)
{
    static struct mwt_slave slave;
    mw_reason why;
    start(&slave, 1);
    mwt_slave_give(&slave, "a");

    begin(&slave);
    CU_ASSERT_EQUAL(
        mwi_results_take_bytes(&slave.engine.results, make_bytes(LARGE + 3, 't'), LARGE + 3, &why),
        MW_OK);
    end_task(&slave);

    struct mwi_message_item item = large_result(&slave, 0, 0);
    CU_ASSERT_TRUE(item.form == MWI_PAYLOAD_BYTES && item.size == LARGE + 3);
    CU_ASSERT_TRUE(is_all(item.data, LARGE + 3, 't'));
    end(&slave);
}

/* Runs a task that takes so long and leaves large bytes. */
static void run_large(struct mwt_slave *slave, uint64_t duration_ns, int64_t now_ns)
{
    mw_reason why;
    begin(slave);
    CU_ASSERT_EQUAL(
        mwi_results_take_bytes(&slave->engine.results, make_bytes(LARGE, 't'), LARGE, &why), MW_OK);
    mwi_slave_engine_end_task(&slave->engine, duration_ns, now_ns);
    mwt_outbox_take(&slave->outbox, &slave->engine.effects);
}

/* By time, the large results of short tasks may leave in one go, but not when that would keep them
 * waiting: for long, behind a long task, or once they are enough. In groups each leaves at once. */
static void test_pressing(void)
{
    static struct mwt_slave slave;
    start(&slave, 0);
    mwt_slave_give(&slave, "a b c d e f g h i j k l m n o p q r s t u v w x y z");

    run_large(&slave, 1000, 1000); /* how long such tasks take was not known before */
    CU_ASSERT_FALSE(mwi_slave_engine_is_pressing(&slave.engine, 1000));
    CU_ASSERT_TRUE(mwi_slave_engine_is_pressing(&slave.engine, 1600000));
    for (int i = 0; i < 16; i++)
        run_large(&slave, 1000, 2000);
    CU_ASSERT_TRUE(mwi_slave_engine_is_pressing(&slave.engine, 2000));

    mwi_results_have_left(&slave.engine.results);
    run_large(&slave, 1000, 3000);
    CU_ASSERT_FALSE(mwi_slave_engine_is_pressing(&slave.engine, 3000));
    run_large(&slave, 60000000, 4000);
    CU_ASSERT_TRUE(mwi_slave_engine_is_pressing(&slave.engine, 4000));
    end(&slave);

    start(&slave, 0);
    mwt_slave_give(&slave, "a b c d e f g h");
    run_large(&slave, 300000, 1000);
    CU_ASSERT_TRUE(mwi_slave_engine_is_pressing(&slave.engine, 1000));
    end(&slave);

    start(&slave, 2);
    mwt_slave_give(&slave, "a b c");
    run_large(&slave, 1000, 1000);
    CU_ASSERT_TRUE(mwi_slave_engine_is_pressing(&slave.engine, 1000));
    end(&slave);
}

/* Bytes that another payload has replaced do not leave, nor do they stay in memory. */
static void test_replaced_bytes(void)
{
    static struct mwt_slave slave;
    mw_reason why;
    start(&slave, 1);
    mwt_slave_give(&slave, "a");

    begin(&slave);
    CU_ASSERT_EQUAL(
        mwi_results_take_bytes(&slave.engine.results, make_bytes(LARGE, 't'), LARGE, &why), MW_OK);
    mwt_slave_return(&slave, "small", 5);
    end_task(&slave);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "small");
    end(&slave);
}

/* Bytes over the limit are refused before they are read; a block is freed all the same. */
static void test_oversize_bytes(void)
{
    static struct mwt_slave slave;
    mw_reason why;
    start(&slave, 1);
    mwt_slave_give(&slave, "a");
    begin(&slave);

    CU_ASSERT_EQUAL(mwi_results_copy_bytes(&slave.engine.results, NULL, FRAME_BYTES_MAX, &why),
                    MW_ETOOBIG);
    CU_ASSERT_EQUAL(mwi_results_take_bytes(&slave.engine.results, malloc(1), (size_t)1 << 62, &why),
                    MW_ETOOBIG);

    CU_ASSERT_STRING_EQUAL(why.text, "the result's 4611686018427387904 bytes are over the slave's "
                                     "--mw-max-write-buffer-size of 131072");
    mwi_results_fail(&slave.engine.results, "no");
    end_task(&slave);
    end(&slave);
}

/* The largest bytes that pass make a message that both sides allow. */
static void test_largest_bytes(void)
{
    enum { SIZE = FRAME_BYTES_MAX - MWI_MESSAGE_OVERHEAD_BYTES };
    static struct mwt_slave slave;
    mw_reason why;
    start(&slave, 1);
    mwt_slave_give(&slave, "a");
    begin(&slave);

    CU_ASSERT_EQUAL(
        mwi_results_take_bytes(&slave.engine.results, make_bytes(SIZE, 'm'), SIZE, &why), MW_OK);
    end_task(&slave);

    CU_ASSERT_EQUAL(large_result(&slave, 0, 0).size, SIZE);
    CU_ASSERT_TRUE(slave.outbox.frames[0].size <= FRAME_BYTES_MAX);
    end(&slave);
}

/* Values that have become large leave alone too: from where they were written if they were the
 * first that waited, and behind the earlier ones otherwise. */
static void test_values(void)
{
    for (size_t earlier_count = 0; earlier_count < 3; earlier_count++) {
        static struct mwt_slave slave;
        static const char *const earlier[] = {"", "a", "a b"};
        start(&slave, 10);
        mwt_slave_give(&slave, "a b c d");
        for (size_t i = 0; i < earlier_count; i++)
            return_small(&slave);

        begin(&slave);
        write_values(&slave, LARGE, 'v');
        const unsigned char *end_of_values =
            slave.engine.results.payloads.data + slave.engine.results.payloads.size;
        const unsigned char *body = end_large(&slave);

        size_t index = earlier_count == 0 ? 0 : 1;
        CU_ASSERT_EQUAL_FATAL(slave.outbox.frames_count, index + 1);
        struct mwi_message_item item = large_result(&slave, index, earlier_count);
        CU_ASSERT_PTR_EQUAL(body, end_of_values - (LARGE + 3));
        CU_ASSERT_EQUAL(item.form, MWI_PAYLOAD_VALUES);
        CU_ASSERT_EQUAL_FATAL(item.size, LARGE + 3);
        CU_ASSERT_EQUAL(memcmp(item.data, "\xc5\x80\x00", 3), 0);
        CU_ASSERT_TRUE(is_all(item.data + 3, LARGE, 'v'));
        CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), earlier[earlier_count]);
        end(&slave);
    }
}

/* Values over the limit make their task fail. Earlier values are not affected. */
static void test_oversize_values(void)
{
    static struct mwt_slave slave;
    start(&slave, 2);
    mwt_slave_give(&slave, "a b");
    return_small(&slave);

    begin(&slave);
    write_values(&slave, FRAME_BYTES_MAX, 'v');
    end_task(&slave);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave),
                           "a the result's 131077 bytes are over the slave's "
                           "--mw-max-write-buffer-size of 131072!");
    end(&slave);
}

/* A large result for a master that is gone goes nowhere. */
static void test_master_is_gone(void)
{
    static struct mwt_slave slave;
    mw_reason why;
    start(&slave, 10);
    mwt_slave_give(&slave, "a b c");
    return_small(&slave);
    begin(&slave);
    CU_ASSERT_EQUAL(
        mwi_results_take_bytes(&slave.engine.results, make_bytes(LARGE, 't'), LARGE, &why), MW_OK);

    mwt_slave_down(&slave, "gone");
    end_task(&slave);

    CU_ASSERT_EQUAL(slave.outbox.frames_count, 0);
    end(&slave);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"large task", test_large_task},
        {"large task of unknown algorithm", test_large_task_of_unknown_algorithm},
        {"bad large messages", test_bad_large_messages},
        {"bytes", test_bytes},
        {"taken bytes", test_taken_bytes},
        {"pressing", test_pressing},
        {"replaced bytes", test_replaced_bytes},
        {"oversize bytes", test_oversize_bytes},
        {"largest bytes", test_largest_bytes},
        {"values", test_values},
        {"oversize values", test_oversize_values},
        {"master is gone", test_master_is_gone},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slave_engine: large payloads", tests);
}
