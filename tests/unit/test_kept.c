/* SPDX-License-Identifier: Apache-2.0
 *
 * A slave engine that may return: it keeps results until the master has confirmed them, and offers
 * the others to the next master.
 */
#include "engine/kept.h"

#include <string.h>

#include "mwt_items.h"
#include "mwt_run.h"
#include "mwt_slave.h"
#include "wire/content.h"

#define FRAME_BYTES_MAX 100000

static void start(struct mwt_slave *slave)
{
    struct mwi_slave_engine_config config = mwt_slave_config();
    config.traits = MWI_TRAIT_RETURNS;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, &config));
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

static void say(struct mwt_slave *slave, enum mwi_message_kind kind, uint64_t number)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_number(&buffer, kind, number);
    mwt_slave_frame(slave, &buffer);
}

static void say_bare(struct mwt_slave *slave, enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    mwt_slave_frame(slave, &buffer);
}

/* Loses the master and joins the next one. */
static void change_master(struct mwt_slave *slave, size_t frame_bytes_max)
{
    mwt_slave_down(slave, "reset by the peer");
    CU_ASSERT_EQUAL(slave->engine.phase, MWI_PHASE_APART);
    CU_ASSERT_EQUAL(slave->engine.queue.tasks_count, 0);
    mwt_slave_forget(slave);
    mwt_slave_join(slave, 1, frame_bytes_max);
    CU_ASSERT_EQUAL(slave->engine.phase, MWI_PHASE_READY);
}

/* Begins the next task. */
static struct mwi_slave_task begin(struct mwt_slave *slave)
{
    struct mwi_slave_task task;
    CU_ASSERT_TRUE_FATAL(mwi_slave_engine_begin_task(&slave->engine, &task));
    return task;
}

/* Starts a slave that gets these tasks, runs the first `runs` of them, and begins the next one. */
static struct mwi_slave_task start_in_task(struct mwt_slave *slave, const char *names, size_t runs)
{
    start(slave);
    mwt_slave_join(slave, 1, FRAME_BYTES_MAX);
    mwt_slave_give(slave, names);
    CU_ASSERT_EQUAL(mwt_slave_run(slave, runs), runs);
    return begin(slave);
}

/* Ends the task that runs, with this result. */
static void end_task(struct mwt_slave *slave, const void *data, size_t size)
{
    mwt_slave_return(slave, data, size);
    mwi_slave_engine_end_task(&slave->engine, 5, 0);
}

/* Appends the payloads of all results that were offered, and checks their keys. */
static void read_offers(struct mwt_slave *slave, char *text)
{
    uint64_t seed = mwi_content_seed(MWI_CONTENT_SCOPE, mwi_content_name("alpha", 5), true);
    struct mwt_outbox *outbox = &slave->outbox;
    text[0] = '\0';
    for (size_t i = 0; i < outbox->frames_count; i++) {
        struct mwi_message message;
        mw_reason why;
        CU_ASSERT_EQUAL_FATAL(mwi_message_decode(&outbox->decoder, outbox->frames[i].data,
                                                 outbox->frames[i].size, &message, &why),
                              MW_OK);
        if (message.kind != MWI_MESSAGE_OFFER)
            continue;
        CU_ASSERT_EQUAL(message.run, 77);
        for (size_t j = 0; j < message.group.count; j++) {
            struct mwi_message_item item = mwt_items_at(&message, j);
            struct mwi_digest key = mwi_content_key(seed, item.data, item.size);
            CU_ASSERT(mwi_content_is_same(mwi_message_key(&message, j), key));
            CU_ASSERT_EQUAL(item.algorithm, 1);
            strncat(text, (const char *)item.data, item.size < 8 ? item.size : 8);
            strcat(text, " ");
        }
    }
}

/* Results that were sent and not confirmed, and those that had not been sent, are offered, in the
 * order in which they were computed. Tasks that had not begun are forgotten. */
static void test_offer(void)
{
    static struct mwt_slave slave;
    char text[200];
    start(&slave);
    mwt_slave_join(&slave, 2, FRAME_BYTES_MAX);
    mwt_slave_give(&slave, "a b c d e f");
    CU_ASSERT_EQUAL(mwt_slave_run(&slave, 5), 5);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b|c d");
    say(&slave, MWI_MESSAGE_KEPT, 1);

    change_master(&slave, FRAME_BYTES_MAX);

    read_offers(&slave, text);
    CU_ASSERT_STRING_EQUAL(text, "b c d e ");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_OFFERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(slave.outbox.trail, "MASTER <- OFFER of 4 kept results\n"));
    /* A third master is not offered results that the second one has confirmed. */
    say(&slave, MWI_MESSAGE_KEPT, 3);
    change_master(&slave, FRAME_BYTES_MAX);
    read_offers(&slave, text);
    CU_ASSERT_STRING_EQUAL(text, "e ");
    end(&slave);
}

/* Failures, and results of tasks that belong to one run, are not offered. */
static void test_not_worth_offering(void)
{
    static struct mwt_slave slave;
    start_in_task(&slave, "a", 0);
    mwi_results_fail(&slave.engine.results, "no");
    mwi_slave_engine_end_task(&slave.engine, 5, 0);
    say(&slave, MWI_MESSAGE_SCOPE, MWI_CONTENT_NO_SCOPE);
    mwt_slave_give(&slave, "b");
    mwt_slave_run(&slave, 1);

    change_master(&slave, FRAME_BYTES_MAX);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_HELLO);
    end(&slave);
}

/* A large result is offered from where it lies; one that the next master does not take is dropped.
 */
static void test_large(void)
{
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_slave slave;
        static char large[40000];
        start(&slave);
        memset(large, 'x', sizeof large);
        mwt_slave_join(&slave, 1, FRAME_BYTES_MAX);
        mwt_slave_give(&slave, "a b");
        begin(&slave);
        end_task(&slave, large, sizeof large);
        mwt_slave_run(&slave, 1);

        change_master(&slave, i == 0 ? FRAME_BYTES_MAX : 4096);

        CU_ASSERT_EQUAL(slave.engine.kept.count, 2 - i);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_OFFERED);
        end(&slave);
    }
}

/* A master that confirms more than it was sent is left, for good. */
static void test_false_confirmation(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 1, FRAME_BYTES_MAX);
    mwt_slave_give(&slave, "a b");
    mwt_slave_run(&slave, 1);

    say(&slave, MWI_MESSAGE_KEPT, 2);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GONE);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason,
                           "the master confirmed more results than it was sent");
    end(&slave);
}

/* The master may be lost while a task runs. Its result is kept, too. */
static void test_lost_in_task(void)
{
    static struct mwt_slave slave;
    char text[200];
    start(&slave);
    mwt_slave_join(&slave, 8, FRAME_BYTES_MAX);
    mwt_slave_give(&slave, "a b c");
    mwt_slave_run(&slave, 1);
    begin(&slave);
    mwt_slave_down(&slave, "reset by the peer");
    end_task(&slave, "b", 1);

    mwt_slave_forget(&slave);
    mwt_slave_join(&slave, 1, FRAME_BYTES_MAX);

    read_offers(&slave, text);
    CU_ASSERT_STRING_EQUAL(text, "a b ");
    end(&slave);
}

/* An isolated slave finds the next master while its task still runs: it says so, and offers the
 * result when it is there. Then tasks come as usual. */
static void test_found_in_task(void)
{
    static struct mwt_slave slave;
    char text[200];
    struct mwi_slave_task task = start_in_task(&slave, "a b c", 1);
    change_master(&slave, FRAME_BYTES_MAX);

    read_offers(&slave, text);
    CU_ASSERT_STRING_EQUAL(text, "a ");
    const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL_FATAL(message->kind, MWI_MESSAGE_RUNNING);
    CU_ASSERT_TRUE(message->running.run == 77 && message->running.id == task.id);
    say(&slave, MWI_MESSAGE_KEPT, 1);
    mwt_slave_forget(&slave);
    end_task(&slave, "b", 1);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);

    read_offers(&slave, text);
    CU_ASSERT_STRING_EQUAL(text, "b ");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_OFFERED);
    mwt_slave_forget(&slave);
    mwt_slave_give(&slave, "d");
    CU_ASSERT_EQUAL(mwt_slave_run(&slave, 1), 1);
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "d");
    say(&slave, MWI_MESSAGE_KEPT, 3);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_READY);
    CU_ASSERT_EQUAL(slave.engine.kept.count, 0);
    end(&slave);
}

/* That master may be lost before the task has ended. The result goes to the one after it. */
static void test_lost_again_in_task(void)
{
    static struct mwt_slave slave;
    char text[200];
    start_in_task(&slave, "a b", 1);
    change_master(&slave, FRAME_BYTES_MAX);
    mwt_slave_down(&slave, "reset by the peer");
    end_task(&slave, "b", 1);
    mwt_slave_forget(&slave);

    mwt_slave_join(&slave, 1, FRAME_BYTES_MAX);

    read_offers(&slave, text);
    CU_ASSERT_STRING_EQUAL(text, "a b ");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_OFFERED);
    end(&slave);
}

/* That master may also end the farm, or the slave, or send a task too early. Then the result is of
 * no use, and nothing more is sent. */
static void test_ended_in_task(void)
{
    static struct mwt_slave slave;
    for (int how = 0; how < 3; how++) {
        start_in_task(&slave, "a", 0);
        change_master(&slave, FRAME_BYTES_MAX);
        mwt_slave_forget(&slave);
        if (how == 0)
            say_bare(&slave, MWI_MESSAGE_SHUTDOWN);
        else if (how == 1)
            mwi_slave_engine_leave(&slave.engine, "enough", 0);
        else
            mwt_slave_give(&slave, "b");
        CU_ASSERT_EQUAL(slave.engine.phase, how == 0 ? MWI_PHASE_SHUTDOWN : MWI_PHASE_GONE);
        mwt_outbox_take(&slave.outbox, &slave.engine.effects);
        mwt_slave_forget(&slave);

        end_task(&slave, "a", 1);

        CU_ASSERT_EQUAL(slave.engine.effects.count, 0);
        end(&slave);
    }
}

/* A master that takes back its tasks from such a slave takes none, and hears so at once. Bytes that
 * the task saves are not for it. */
static void test_recalled_in_task(void)
{
    static struct mwt_slave slave;
    start_in_task(&slave, "a", 0);
    change_master(&slave, FRAME_BYTES_MAX);
    mwt_slave_forget(&slave);

    say_bare(&slave, MWI_MESSAGE_RECALL);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RETURNED);
    CU_ASSERT_EQUAL(mwi_slave_engine_save(&slave.engine, "s", 1, 0), MW_EGONE);
    CU_ASSERT_TRUE(mwi_slave_engine_is_running(&slave.engine));
    end(&slave);
}

/* A slave that has found no master is at its end, and sends nothing more. */
static void test_search_in_vain(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 1, FRAME_BYTES_MAX);
    mwt_slave_down(&slave, "reset by the peer");

    mwi_slave_engine_end_search(&slave.engine, false, "nobody is there", 0);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GONE);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "nobody is there");
    end(&slave);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"offer", test_offer},
        {"not worth offering", test_not_worth_offering},
        {"large", test_large},
        {"false confirmation", test_false_confirmation},
        {"lost in task", test_lost_in_task},
        {"found in task", test_found_in_task},
        {"lost again in task", test_lost_again_in_task},
        {"ended in task", test_ended_in_task},
        {"recalled in task", test_recalled_in_task},
        {"search in vain", test_search_in_vain},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("kept", tests);
}
