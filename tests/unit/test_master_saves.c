/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that tasks save, at the master's engine: the next attempt gets those that were saved last,
 * in a message before its own, and a slave can save only for the task that it runs.
 */
#include <string.h>

#include "mwt_heap.h"
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"

/* Groups of 4, so that a slave has several tasks. */
static void start(struct mwt_master *master)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = 4;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

static uint64_t id_of(struct mwt_master *master, const char *name)
{
    uint64_t id = 0;
    CU_ASSERT_TRUE(mwt_outbox_task_id(&master->tasks, name, &id));
    return id;
}

static void save_bytes(struct mwt_master *master, mw_peer peer, uint64_t id, const void *data,
                       size_t size)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, id);
    mwi_buffer_append(&buffer, data, size);
    mwt_master_frame(master, peer, &buffer);
}

static void save(struct mwt_master *master, mw_peer peer, const char *name, const char *text)
{
    save_bytes(master, peer, id_of(master, name), text, strlen(text));
}

/* The messages that the peer was sent since the last forget: "=TEXT" for saved bytes, and the names
 * of tasks. */
static const char *told(struct mwt_master *master, mw_peer peer)
{
    static char text[4096];
    text[0] = '\0';
    for (size_t i = 0; i < master->outbox.frames_count; i++) {
        const struct mwt_sent *frame = &master->outbox.frames[i];
        struct mwi_message message;
        mw_reason why;
        if (frame->peer != peer || mwi_message_decode(&master->outbox.decoder, frame->data,
                                                      frame->size, &message, &why) != MW_OK)
            continue;
        size_t used = strlen(text);
        if (message.kind == MWI_MESSAGE_SAVE)
            snprintf(text + used, sizeof text - used, "%s=%.*s", used > 0 ? "|" : "",
                     (int)message.save.size, (const char *)message.save.data);
        for (size_t j = 0; message.kind == MWI_MESSAGE_TASKS && j < message.group.count; j++) {
            struct mwi_message_item item = mwt_items_at(&message, j);
            used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s%.*s",
                     used == 0 ? ""
                     : j == 0  ? "|"
                               : " ",
                     (int)item.size, (const char *)item.data);
        }
    }
    return text;
}

/* The next slave gets what was saved last, and then the task alone; the tasks behind it follow in a
 * message of their own. The trail tells of each save. */
static void test_next_attempt(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    mwt_master_submit(&master, "a b c");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    save(&master, 1, "a", "a third");
    save(&master, 1, "a", "two thirds");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "SLAVE-0 -> task 1 of \"alpha\" has saved 10 bytes\n"));
    mwt_master_say(&master, 1, MWI_MESSAGE_GOODBYE, "walltime");
    mwt_master_forget(&master);

    mwt_master_greet(&master, 2);
    mwt_master_begin(&master, 2);
    mwt_master_return(&master, 2, "a");

    CU_ASSERT_STRING_EQUAL(told(&master, 2), "=two thirds|a|b c");
    mwt_master_return(&master, 2, "b c");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@1 b@1 c@1");
    CU_ASSERT_EQUAL(master.engine.tasks.savings.by_task.used_count, 0);
    end(&master);
}

/* A task that has saved several times, at several slaves, goes on from the last place. */
static void test_several_attempts(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_submit_one(&master, "a", false, 9);
    for (mw_peer peer = 1; peer <= 4; peer++) {
        char text[16], expected[32];
        snprintf(text, sizeof text, "part %u", (unsigned)peer);
        snprintf(expected, sizeof expected, peer == 1 ? "a" : "=part %u|a", (unsigned)peer - 1);
        mwt_master_forget(&master);
        mwt_master_greet(&master, peer);
        CU_ASSERT_STRING_EQUAL(told(&master, peer), expected);
        mwt_master_begin(&master, peer);
        save(&master, peer, "a", text);
        mwt_master_tick(&master, master.now_ns + 3 * MWT_SECOND);
        mwt_master_say(&master, peer, MWI_MESSAGE_GOODBYE, "walltime");
    }
    end(&master);
}

/* A task of a batch that is sent as a range saves, too: it is taken out of the range. */
static void test_of_range(void)
{
    static struct mwt_master master;
    start(&master);
    master.engine.effects.audited_kinds = 0;
    mwt_master_greet(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    mwt_master_return(&master, 1, "a");
    mwt_master_submit(&master, "b c d");
    mwt_master_tick(&master, 0);
    CU_ASSERT_PTR_NULL(mwi_tasks_find(&master.engine.tasks, id_of(&master, "b")));

    save(&master, 1, "b", "half");
    mwt_master_down(&master, 1, "reset");
    mwt_master_forget(&master);
    mwt_master_greet(&master, 2);

    CU_ASSERT_STRING_EQUAL(told(&master, 2), "=half|b");
    mwt_master_begin(&master, 2);
    mwt_master_return(&master, 2, "b");
    mwt_master_return(&master, 2, "c");
    mwt_master_return(&master, 2, "d");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0 b@1 c@1 d@1");
    end(&master);
}

/* Large tasks and large saved bytes are sent from where they lie, each in its own message. */
static void test_large(void)
{
    static struct mwt_master master;
    static char bytes[2 * MWI_MESSAGE_LARGE_BYTES];
    memset(bytes, 's', sizeof bytes);
    start(&master);
    mwt_master_greet(&master, 1);
    uint64_t id = mwt_master_submit_sized(&master, 'x', MWI_MESSAGE_LARGE_BYTES, NULL);
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    save_bytes(&master, 1, id, bytes, sizeof bytes);
    mwt_master_down(&master, 1, "reset");
    mwt_master_forget(&master);

    mwt_master_greet(&master, 2);

    CU_ASSERT_EQUAL_FATAL(master.outbox.frames_count, 3);
    CU_ASSERT_TRUE(master.outbox.frames[1].size > sizeof bytes);
    CU_ASSERT_TRUE(master.outbox.frames[2].size > MWI_MESSAGE_LARGE_BYTES);
    const struct mwi_message *message = mwt_outbox_decode(&master.outbox, 2);
    CU_ASSERT_TRUE(message->kind == MWI_MESSAGE_TASKS && message->group.count == 1);
    end(&master);
}

/* A slave that does not accept a message of these bytes begins the task anew. */
static void test_small_slave(void)
{
    static struct mwt_master master;
    static char bytes[8192];
    start(&master);
    mwt_master_greet(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    save_bytes(&master, 1, id_of(&master, "a"), bytes, sizeof bytes);
    mwt_master_down(&master, 1, "reset");
    mwt_master_forget(&master);

    mwt_master_greet_small(&master, 2, sizeof bytes);

    CU_ASSERT_STRING_EQUAL(told(&master, 2), "a");
    end(&master);
}

/* The saved bytes are freed with their task: when it is cancelled, has failed, or is unrunnable and
 * taken. A cancelled task that still runs saves nothing. */
static void test_freed(void)
{
    static struct mwt_master master;
    struct mwi_lifecycle_unrunnable unrunnable;
    start(&master);
    mwt_master_greet(&master, 1);
    mwt_master_submit_one(&master, "a", false, 1);
    mwt_master_submit(&master, "b c");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    save(&master, 1, "a", "half of a");
    mwt_master_down(&master, 1, "reset");
    CU_ASSERT_EQUAL(master.engine.tasks.savings.by_task.used_count, 1);
    CU_ASSERT_TRUE(mwi_lifecycle_take_unrunnable(&master.engine, &unrunnable));
    CU_ASSERT_EQUAL(master.engine.tasks.savings.by_task.used_count, 0);
    free(unrunnable.payload.data);
    free(unrunnable.history);

    mwt_master_greet(&master, 2);
    mwt_master_begin(&master, 2);
    save(&master, 2, "b", "half of b");
    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, id_of(&master, "b")), MW_OK);
    save(&master, 2, "b", "more of b");
    CU_ASSERT_PTR_NOT_NULL(mwi_slaves_find(&master.engine.slaves, 2));
    mwt_master_return(&master, 2, "b");
    CU_ASSERT_EQUAL(master.engine.tasks.savings.by_task.used_count, 0);

    save(&master, 2, "c", "half of c");
    mwt_master_fail(&master, 2, "c");
    CU_ASSERT_EQUAL(master.engine.tasks.savings.by_task.used_count, 0);
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "c@1!");
    end(&master);
}

/* Saving again and again costs the master no more memory than the last save. */
static void test_memory(void)
{
    static struct mwt_master master;
    static char bytes[100000];
    start(&master);
    master.engine.effects.audited_kinds = 0;
    mwt_master_greet(&master, 1);
    mwt_master_submit(&master, "a");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < 50; i++)
        save_bytes(&master, 1, id_of(&master, "a"), bytes, sizeof bytes);

    CU_ASSERT_TRUE(mwt_heap_bytes() <= before + 2 * sizeof bytes);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"next attempt", test_next_attempt},
        {"several attempts", test_several_attempts},
        {"of a range", test_of_range},
        {"large", test_large},
        {"small slave", test_small_slave},
        {"freed", test_freed},
        {"memory", test_memory},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master saves", tests);
}
