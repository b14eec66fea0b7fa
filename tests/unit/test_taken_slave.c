/* SPDX-License-Identifier: Apache-2.0
 *
 * A slave that holds the key and was taken over by somebody else, at a master's engine: it may say
 * anything, in any order. It ends or loses no task but those that it was given, no other slave
 * suffers, and the master takes no more memory than in proportion to what it was sent.
 *
 * These are chosen cases; in test_taken_farm.c such slaves say anything at random.
 */
#include <string.h>

#include "mwt_heap.h"
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_run.h"

#define TAKEN 7
#define HONEST 8

/* The taken slave has the task a, the honest one has b, and c waits for either. */
static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
    mwt_master_greet(master, TAKEN);
    mwt_master_greet(master, HONEST);
    mwt_master_submit(master, "a b c");
    mwt_master_tick(master, 1);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(master, TAKEN), "a");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(master, HONEST), "b");
    mwt_master_begin(master, TAKEN);
    mwt_master_begin(master, HONEST);
    mwt_master_forget(master);
}

/* The honest slave does what is left, and each task has ended once, as `results` says. */
static void finish(struct mwt_master *master, const char *results)
{
    char name[16] = "b";
    while (name[0] != '\0') {
        mwt_master_forget(master);
        mwt_master_return(master, HONEST, name);
        snprintf(name, sizeof name, "%s", mwt_master_sent(master, HONEST));
    }
    CU_ASSERT_STRING_EQUAL(mwt_master_results(master), results);
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

static void check_dropped(struct mwt_master *master, const char *reason)
{
    char line[200];
    snprintf(line, sizeof line, "SLAVE-0 dropped: %s\n", reason);
    CU_ASSERT_PTR_NOT_NULL(strstr(master->outbox.trail, line));
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master->engine.slaves, TAKEN));
    CU_ASSERT_PTR_NOT_NULL(mwi_slaves_find(&master->engine.slaves, HONEST));
}

static uint64_t id_of(struct mwt_master *master, const char *name)
{
    uint64_t id = 0;
    CU_ASSERT_TRUE(mwt_outbox_task_id(&master->tasks, name, &id));
    return id;
}

static void send_result(struct mwt_master *master, uint64_t id, enum mwi_payload_form form,
                        const void *payload, size_t size)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwt_items_result(&frame, id, form, payload, size, 1);
    mwt_master_frame(master, TAKEN, &frame);
}

/* A result of another slave's task, or of a task that waits or never was, costs the taken slave its
 * connection, and not the task. */
static void test_result_of_others(void)
{
    static const char why[] = "it sent a result of a task that it does not have";
    for (uint64_t id = 0; id <= 4; id++) {
        static struct mwt_master master;
        start(&master);
        if (id == id_of(&master, "a"))
            id++;

        send_result(&master, id, MWI_PAYLOAD_BYTES, "forged", 6);

        check_dropped(&master, why);
        finish(&master, "b@1 a@1 c@1");
    }
}

/* Saved bytes of another slave's task, of one that waits or never was, or of any but the first of
 * its own, cost the taken slave its connection. So it can make the master keep one frame at most,
 * however many tasks it has. */
static void test_save_of_others(void)
{
    for (uint64_t id = 0; id <= 4; id++) {
        static struct mwt_master master;
        start(&master);
        if (id == id_of(&master, "a"))
            id++;
        struct mwi_buffer frame;
        mwi_buffer_init(&frame);
        mwi_message_begin_save(&frame, id);

        mwt_master_frame(&master, TAKEN, &frame);

        check_dropped(&master, "it saved bytes for a task that it does not run");
        CU_ASSERT_EQUAL(master.engine.tasks.savings.by_task.used_count, 0);
        finish(&master, "b@1 a@1 c@1");
    }
}

/* A result counts once: the same again, later or in the same message, is a breach. */
static void test_result_twice(void)
{
    static struct mwt_master master;
    start(&master);
    send_result(&master, id_of(&master, "a"), MWI_PAYLOAD_BYTES, "a", 1);
    uint64_t id = id_of(&master, "a");

    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);

    check_dropped(&master, "it sent a result of a task that it does not have");
    finish(&master, "a@0 b@1 c@1");

    start(&master);
    struct mwi_buffer frame;
    struct mwi_message_item twice[2];
    twice[0] = twice[1] = mwt_items_make(id_of(&master, "a"), MWI_PAYLOAD_BYTES, "a", 1);
    mwi_buffer_init(&frame);
    mwt_items_results(&frame, twice, 2);
    mwt_master_frame(&master, TAKEN, &frame);
    check_dropped(&master, "it sent more results than it has tasks");
    finish(&master, "b@1 a@1 c@1");
}

/* The result of a cancelled task is accepted once, for nothing. */
static void test_result_after_cancel(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = id_of(&master, "a");
    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, id), MW_OK);

    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);
    CU_ASSERT_PTR_NOT_NULL(mwi_slaves_find(&master.engine.slaves, TAKEN));
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);

    check_dropped(&master, "it sent a result of a task that it does not have");
    finish(&master, "b@1 c@1");
}

/* A few bytes that claim 65,536 results are refused for what they claim, without memory. */
static void test_claimed_results(void)
{
    static const unsigned char claim[] = {0x97, 0x05, 0xce, 0, 1, 0, 0, 1, 1, 0, 0x00, 0xc4, 0};
    static struct mwt_master master;
    start(&master);
    size_t before = mwt_heap_bytes();

    mwt_master_bytes(&master, TAKEN, claim, sizeof claim);

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    check_dropped(&master, "it sent more results than it has tasks");
    finish(&master, "b@1 a@1 c@1");
}

/* A long message whose fields hold empty arrays is refused before msgpack-c sees it: each of them
 * would cost 24 bytes. */
static void test_nested_fields(void)
{
    enum { BYTES = 1 << 20 };
    static struct mwt_master master;
    static unsigned char bomb[BYTES];
    memcpy(bomb, "\x92\x07\xdd\x00\x0f\xff\xf9", 7);
    memset(bomb + 7, 0x90, sizeof bomb - 7);
    start(&master);
    size_t before = mwt_heap_bytes();

    mwt_master_bytes(&master, TAKEN, bomb, sizeof bomb);

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    check_dropped(&master, "a frame that is not one msgpack value");
    finish(&master, "b@1 a@1 c@1");
}

/* A claim of very many fields is refused without a look at them. */
static void test_many_fields(void)
{
    static struct mwt_master master;
    start(&master);

    mwt_master_bytes(&master, TAKEN, "\xdd\xff\xff\xff\xff\x07", 6);

    check_dropped(&master, "its message has more fields than a slave's messages have");
    finish(&master, "b@1 a@1 c@1");
}

static void say_bare(struct mwt_master *master, enum mwi_message_kind kind)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwi_message_write_bare(&frame, kind);
    mwt_master_frame(master, TAKEN, &frame);
}

static void say_begun(struct mwt_master *master, uint64_t id)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwi_message_write_id(&frame, MWI_MESSAGE_BEGUN, id);
    mwt_master_frame(master, TAKEN, &frame);
}

/* Tasks are given back only if the master has asked for them. */
static void test_gives_back(void)
{
    static struct mwt_master master;
    start(&master);

    say_bare(&master, MWI_MESSAGE_RETURNED);

    check_dropped(&master, "it gave back tasks without being asked");
    finish(&master, "b@1 a@1 c@1");
}

/* A slave begins its first task once, and no other slave's. */
static void test_begins(void)
{
    static const char why[] = "it began a task that it does not have, or is not to tell of";
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_master master;
        start(&master);
        say_begun(&master, id_of(&master, names[i]));
        check_dropped(&master, why);
        finish(&master, "b@1 a@1 c@1");
    }
}

/* Words that change nothing may be said as often as it likes: they leave no line in the trail, no
 * answer and no memory. */
static void test_chatter(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_say(&master, TAKEN, MWI_MESSAGE_LEAVING, "soon");
    say_bare(&master, MWI_MESSAGE_ATTENTIVE);
    mwt_master_forget(&master);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < 1000; i++) {
        mwt_master_say(&master, TAKEN, MWI_MESSAGE_LEAVING, "soon");
        say_bare(&master, MWI_MESSAGE_ATTENTIVE);
        say_bare(&master, MWI_MESSAGE_PONG);
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");
    finish(&master, "b@1 c@1");
}

/* After a goodbye nothing that it says is heard. */
static void test_goodbye(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = id_of(&master, "a");

    mwt_master_say(&master, TAKEN, MWI_MESSAGE_GOODBYE, "bye\x1b[2J\nSLAVE-1 -> GOODBYE: bye");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "SLAVE-0 -> GOODBYE: bye\\x1b[2J\\nSLAVE-1"));
    mwt_master_forget(&master);
    mwt_master_say(&master, TAKEN, MWI_MESSAGE_GOODBYE, "again");
    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    finish(&master, "b@1 a@1 c@1");
}

/* The message of a failure is safe to print, and takes at most four times its bytes. */
static void test_failure(void)
{
    enum { BYTES = 100000 };
    static struct mwt_master master;
    static char text[BYTES];
    struct mwi_finished item;
    memset(text, 0x1b, sizeof text);
    start(&master);
    size_t before = mwt_heap_bytes();

    send_result(&master, id_of(&master, "a"), MWI_PAYLOAD_FAILED, text, sizeof text);

    CU_ASSERT_TRUE(mwt_heap_bytes() <= before + 4 * BYTES + 8192);
    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_TRUE(item.is_failed);
    CU_ASSERT_EQUAL(item.payload.size, 4 * BYTES);
    CU_ASSERT_NSTRING_EQUAL(item.payload.data, "\\x1b\\x1b", 8);
    mwi_block_unref(item.block);
    finish(&master, "b@1");
}

/* A claim of how long a task ran is cut to the time that the slave had it. */
static void test_claimed_duration(void)
{
    static struct mwt_master master;
    struct mwi_finished item;
    struct mwi_buffer frame;
    start(&master);
    mwt_master_tick(&master, 1000);
    mwi_buffer_init(&frame);
    mwt_items_result(&frame, id_of(&master, "a"), MWI_PAYLOAD_BYTES, "a", 1, UINT64_MAX);

    mwt_master_frame(&master, TAKEN, &frame);

    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_TRUE(item.duration_ns <= 1000);
    mwi_block_unref(item.block);
    finish(&master, "b@1");
}

/* Slaves that greet under one name after the other and leave take no more memory than the numbers
 * that they were given. */
static void test_many_names(void)
{
    enum { TIMES = 4000, NUMBER_BYTES = 96 };
    static struct mwt_master master;
    char host[200];
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, NULL));
    mwt_master_greet(&master, HONEST);
    mwt_master_forget(&master);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < TIMES; i++) {
        snprintf(host, sizeof host, "%0190d", i);
        mwt_master_greet_as(
            &master, 100, &(struct mwi_message_hello){.host = mwi_message_text(host), .pid = 4711});
        mwt_master_forget(&master);
        if (i % 2 == 0)
            mwt_master_say(&master, 100, MWI_MESSAGE_GOODBYE, "and again");
        else
            mwt_master_down(&master, 100, "reset");
        CU_ASSERT_TRUE(i % 2 == 0 || strstr(master.outbox.trail, host) != NULL);
        mwt_master_forget(&master);
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + TIMES * NUMBER_BYTES);
    CU_ASSERT_EQUAL(master.engine.hosts.count, 1);
    mwt_master_end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"result of others", test_result_of_others},
        {"result twice", test_result_twice},
        {"result after cancel", test_result_after_cancel},
        {"claimed results", test_claimed_results},
        {"nested fields", test_nested_fields},
        {"many fields", test_many_fields},
        {"gives back", test_gives_back},
        {"begins", test_begins},
        {"chatter", test_chatter},
        {"goodbye", test_goodbye},
        {"failure", test_failure},
        {"claimed duration", test_claimed_duration},
        {"many names", test_many_names},
        {"save of others", test_save_of_others},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("taken slave", tests);
}
