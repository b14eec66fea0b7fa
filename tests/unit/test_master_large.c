/* SPDX-License-Identifier: Apache-2.0
 *
 * Large payloads in the master engine: a task leaves in a message of its own, a result is handed
 * out where it was received, and a bad one costs its sender the connection.
 */
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_policy.h"

#include <string.h>

#include "mwt_run.h"

#define LARGE MWI_MESSAGE_LARGE_BYTES

static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = 10;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    mwt_master_greet_small(master, 1, 4 * LARGE);
    mwt_master_forget(master);
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

/* Submits a task of beta of `size` bytes of this letter; returns its id. */
static uint64_t submit(struct mwt_master *master, size_t size, char letter, bool is_bytes)
{
    uint64_t id = 0;
    struct mwi_lifecycle_task submission = {.algorithm = 1,
                                            .policy = mwt_policy_default(),
                                            .payload = {malloc(size + 1), size, is_bytes}};
    CU_ASSERT_PTR_NOT_NULL_FATAL(submission.payload.data);
    memset(submission.payload.data, letter, size);
    CU_ASSERT_EQUAL(mwi_lifecycle_submit(&master->engine, &submission, &id), MW_OK);
    return id;
}

/* The peer returns a large result. */
static void return_large(struct mwt_master *master, mw_peer peer, uint64_t id, size_t size,
                         char letter)
{
    struct mwi_message_item item = mwt_items_make(id, MWI_PAYLOAD_BYTES, NULL, size);
    struct mwi_buffer buffer;
    item.duration_ns = 3000;
    mwi_buffer_init(&buffer);
    mwi_message_begin_group(&buffer, MWI_MESSAGE_RESULTS, &item, 1);
    CU_ASSERT_TRUE_FATAL(mwi_buffer_reserve(&buffer, size));
    memset(buffer.data + buffer.size, letter, size);
    buffer.size += size;
    mwt_master_frame(master, peer, &buffer);
}

/* The frame of that index as the slave gets it. */
static const struct mwi_message *sent(struct mwt_master *master, size_t index)
{
    static struct mwi_message message;
    const struct mwt_sent *frame = &master->outbox.frames[index];
    mw_reason why;
    CU_ASSERT_TRUE_FATAL(index < master->outbox.frames_count);
    CU_ASSERT_EQUAL_FATAL(
        mwi_message_decode(&master->outbox.decoder, frame->data, frame->size, &message, &why),
        MW_OK);
    return &message;
}

/* A task of the threshold's size leaves in a message of its own, in either form, between those of
 * the small ones before and after it in its group. */
static void test_tasks(void)
{
    for (int is_bytes = 0; is_bytes < 2; is_bytes++) {
        static struct mwt_master master;
        struct mwi_message_item item;
        start(&master);
        mwt_master_submit(&master, "small");
        uint64_t id = submit(&master, LARGE, 'x', is_bytes);
        mwt_master_submit(&master, "little tiny");
        mwt_master_tick(&master, 0);

        CU_ASSERT_EQUAL(master.outbox.frames_count, 3);
        CU_ASSERT_EQUAL(sent(&master, 0)->group.count, 1);
        CU_ASSERT_EQUAL_FATAL(sent(&master, 1)->kind, MWI_MESSAGE_TASKS);
        CU_ASSERT_EQUAL(sent(&master, 1)->group.count, 1);
        item = mwt_items_at(sent(&master, 1), 0);
        CU_ASSERT_EQUAL((size_t)(item.data - master.outbox.frames[1].data) % 16, 0);
        CU_ASSERT_EQUAL(item.id, id);
        CU_ASSERT_EQUAL(item.algorithm, 1);
        CU_ASSERT_EQUAL(item.form, is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES);
        CU_ASSERT_EQUAL_FATAL(item.size, LARGE);
        CU_ASSERT_TRUE(item.data[0] == 'x' && item.data[LARGE - 1] == 'x');
        CU_ASSERT_EQUAL(sent(&master, 2)->group.count, 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "SLAVE-0 <- 4 tasks"));
        end(&master);
    }
}

/* Keeps the body of the next frame of the engine as a transport does that has not sent it yet. */
static mw_body hold_body(struct mwi_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        mw_body body = effect->body;
        if (effect->kind != MWI_EFFECT_SEND || body.release == NULL)
            continue;
        effect->kind = MWI_EFFECT_LOST;
        effect->body = (mw_body){0};
        free(effect->frame);
        effect->frame = NULL;
        return body;
    }
    return (mw_body){0};
}

/* The arguments are sent from the memory of the submission, and stay for as long as a transport
 * needs them, whatever happens to the task: here its slave is lost, and another returns it. */
static void test_arguments_are_not_copied(void)
{
    static struct mwt_master master;
    struct mwi_finished item;
    start(&master);
    uint64_t id = submit(&master, LARGE, 'x', true);
    const unsigned char *data = mwi_tasks_data(mwi_tasks_find(&master.engine.tasks, id));
    mwi_master_engine_step(&master.engine, &(struct mwi_event){.kind = MWI_EVENT_TICK});
    mw_body first = hold_body(&master.engine.effects);
    mwt_master_down(&master, 1, "gone");
    CU_ASSERT_PTR_EQUAL(first.data, data);
    CU_ASSERT_EQUAL(first.size, LARGE);

    mwt_master_greet_small(&master, 2, 4 * LARGE);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 2), MWI_MESSAGE_TASKS);
    return_large(&master, 2, id, LARGE, 'r');

    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    mwi_block_unref(item.block);
    CU_ASSERT_PTR_NULL(mwi_tasks_find(&master.engine.tasks, id));
    end(&master);
    CU_ASSERT_EQUAL(((const char *)first.data)[LARGE - 1], 'x');
    first.release(first.owner);
}

/* A byte less is an ordinary task. */
static void test_just_no_large_task(void)
{
    static struct mwt_master master;
    start(&master);

    submit(&master, LARGE - 1, 'x', true);
    mwt_master_tick(&master, 0);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, 1), MWI_MESSAGE_TASKS);
    end(&master);
}

/* A large task that its slave could not receive fails as any other. */
static void test_oversize_task(void)
{
    static struct mwt_master master;
    start(&master);
    master.engine.is_closed = true;

    submit(&master, 4 * LARGE, 'x', true);
    mwt_master_tick(&master, 0);

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master),
                           "the task's 131072 bytes are over the --mw-max-read-buffer-size of all "
                           "slaves seen, 131072@?!");
    end(&master);
}

/* A large result is taken like any other, in a frame that may be kept (even peers) or not. */
static void test_results(void)
{
    for (mw_peer peer = 1; peer <= 2; peer++) {
        static struct mwt_master master;
        struct mwi_finished item;
        start(&master);
        mwt_master_down(&master, 1, "gone");
        mwt_master_greet(&master, peer + 2);
        uint64_t id = submit(&master, 5, 'a', true);
        mwt_master_tick(&master, 0);
        master.now_ns += MWT_SECOND;

        return_large(&master, peer + 2, id, LARGE, 'r');

        CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
        CU_ASSERT_FALSE(item.is_failed);
        CU_ASSERT_EQUAL(item.duration_ns, 3000);
        CU_ASSERT_TRUE(item.payload.is_bytes);
        CU_ASSERT_EQUAL_FATAL(item.payload.size, LARGE);
        CU_ASSERT_TRUE(item.payload.data[0] == 'r' && item.payload.data[LARGE - 1] == 'r');
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "SLAVE-1 -> 1 results"));
        mwi_block_unref(item.block);
        end(&master);
    }
}

/* One of a task that the slave does not have drops the slave, and its tasks wait again. */
static void test_result_of_no_task(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = submit(&master, 5, 'a', true);
    mwt_master_tick(&master, 0);

    return_large(&master, 1, id + 1, LARGE, 'r');

    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    CU_ASSERT_EQUAL(master.engine.tasks.counts[MWI_TASK_WAITING], 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "it sent a result of a task that it does not have"));
    end(&master);
}

/* Large messages that a slave must not send, and the trail's records of them. */
static const struct {
    const char *bytes;
    size_t size;
    const char *reason;
} bad[] = {
    {"\x97\x05\x01\x00\x00\x00", 6, "a column that has not one number for each"},
    {"\x97\x05\x01\x00\x00\x00\x08\xc4\x00payload", 16, "sizes do not add up"},
    {"\x97\x05\x01\x00\x04\x00\x07\xc4\x00payload", 16, "a payload of an unknown form"},
    {"\x97\x05\x02\x00\x00\x00\x00\xc4\x00", 9, "it sent more results than it has tasks"},
    {"\x97\x04\x01\x00\x00\x00\x07\xc4\x00payload", 16,
     "it sent a message that only a master sends"},
    {"\xdd\x00\x10\x00\x00\x05\x00\x00\x00payload", 16,
     "its message has more fields than a slave's messages have"},
};

/* A peer that sends one is dropped, with a reason. */
static void test_bad_messages(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static struct mwt_master master;
        start(&master);

        mwt_master_bytes(&master, 1, bad[i].bytes, bad[i].size);

        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.events, "drop 1"));
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, bad[i].reason));
        end(&master);
    }
}

/* A large message is no greeting. */
static void test_before_the_greeting(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, 2);
    mwt_master_up(&master, 3);

    mwt_master_bytes(&master, 2, "\x97\x05\x01\x00\x00\x00\x07\xc4\x00payload", 16);
    return_large(&master, 3, 0, LARGE, 'r');

    CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "it did not greet first"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "its first message is larger than a greeting can be"));
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"tasks", test_tasks},
        {"arguments are not copied", test_arguments_are_not_copied},
        {"just no large task", test_just_no_large_task},
        {"oversize task", test_oversize_task},
        {"results", test_results},
        {"result of no task", test_result_of_no_task},
        {"bad messages", test_bad_messages},
        {"before the greeting", test_before_the_greeting},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: large payloads", tests);
}
