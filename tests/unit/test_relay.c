/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay of an isolated slave, without processes: the test plays the master, the child that runs
 * the tasks, and the face that starts and kills it.
 */
#include "engine/relay.h"

#include <string.h>

#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_run.h"
#include "mwt_slave.h"

#define CHILD 9
#define SIGNAL "was killed by signal 11 (Segmentation fault)"
#define MILLISECOND (MWT_SECOND / 1000)

struct rig {
    struct mwt_slave slave;
    struct mwi_relay relay;
    struct mwi_relay_page page;
};

static void start_with(struct rig *rig, uint32_t traits)
{
    struct mwi_slave_engine_config config = mwt_slave_config();
    config.traits = MWI_TRAIT_ISOLATED | traits;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(&rig->slave, &config));
    atomic_store(&rig->page.begun_count, 0);
    atomic_store(&rig->page.ended_count, 0);
    CU_ASSERT_EQUAL_FATAL(mwi_relay_init(&rig->relay, &rig->slave.engine, &rig->page), MW_OK);
    mwt_slave_join(&rig->slave, 0, 1 << 20);
    rig->slave.relay = &rig->relay;
    mwt_slave_forget(&rig->slave);
}

static void start_alone(struct rig *rig)
{
    start_with(rig, 0);
}

static void end(struct rig *rig)
{
    CU_ASSERT_FALSE(rig->slave.outbox.has_overflowed);
    CU_ASSERT_EQUAL(rig->slave.engine.effects.error, MW_OK);
    mwi_relay_fini(&rig->relay);
    mwt_slave_end(&rig->slave);
}

static void step_child(struct rig *rig, struct mwi_event event)
{
    event.now_ns = rig->slave.now_ns;
    event.peer = CHILD;
    mwi_relay_step(&rig->relay, &event);
    mwi_relay_flush(&rig->relay, rig->slave.now_ns);
    mwt_outbox_take(&rig->slave.outbox, &rig->slave.engine.effects);
}

/* The child sends the message in the buffer, which is freed. */
static void say(struct rig *rig, struct mwi_buffer *buffer)
{
    mw_frame frame = {.data = buffer->data, .size = buffer->size};
    step_child(rig, (struct mwi_event){.kind = MWI_EVENT_FRAME, .frame = &frame});
    mwi_buffer_fini(buffer);
}

static void say_bare(struct rig *rig, enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    say(rig, &buffer);
}

/* The face starts a child, which greets. */
static void start_child(struct rig *rig)
{
    struct mwi_buffer buffer;
    CU_ASSERT_TRUE_FATAL(mwi_relay_wants_child(&rig->relay));
    atomic_store(&rig->page.begun_count, 0);
    atomic_store(&rig->page.ended_count, 0);
    mwi_relay_child_started(&rig->relay, CHILD);
    CU_ASSERT_FALSE(mwi_relay_wants_child(&rig->relay));
    mwi_buffer_init(&buffer);
    mwt_hello(&buffer, "farm", 1 << 20);
    say(rig, &buffer);
}

static void start(struct rig *rig)
{
    start_alone(rig);
    start_child(rig);
}

static void begin(struct rig *rig)
{
    atomic_fetch_add(&rig->page.begun_count, 1);
}

/* The child returns raw bytes for the task with this id. */
static void answer(struct rig *rig, uint64_t id, const char *text)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwt_items_result(&buffer, id, MWI_PAYLOAD_BYTES, text, strlen(text), 5);
    atomic_fetch_add(&rig->page.ended_count, 1);
    say(rig, &buffer);
}

/* The child's process ends, and its connection. */
static void end_child(struct rig *rig, const char *how)
{
    mwi_relay_child_ended(&rig->relay, how, rig->slave.now_ns);
    step_child(rig, (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .reason = "closed"});
}

static void send_id(struct rig *rig, uint64_t id)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_id(&buffer, MWI_MESSAGE_END_TASK, id);
    mwt_slave_frame(&rig->slave, &buffer);
}

static void send_bare(struct rig *rig, enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    mwt_slave_frame(&rig->slave, &buffer);
}

static const char *given(struct rig *rig)
{
    return mwt_outbox_tasks(&rig->slave.outbox, CHILD);
}

static const char *returned(struct rig *rig)
{
    return mwt_slave_results(&rig->slave);
}

/* The child is welcomed with the master's own words. Tasks go to it, and results come back. */
static void test_tasks_and_results(void)
{
    static struct rig rig;
    start_alone(&rig);
    mwt_slave_give(&rig.slave, "a b");
    CU_ASSERT_STRING_EQUAL(given(&rig), "");

    start_child(&rig);
    mwt_slave_give(&rig.slave, "c");

    CU_ASSERT_STRING_EQUAL(given(&rig), "a b|c");
    begin(&rig);
    answer(&rig, 0, "A");
    begin(&rig);
    answer(&rig, 1, "B");
    begin(&rig);
    answer(&rig, 2, "C");
    CU_ASSERT_STRING_EQUAL(returned(&rig), "A|B|C");
    CU_ASSERT_EQUAL(rig.slave.engine.queue.tasks_count, 0);
    end(&rig);
}

/* A child hears the WELCOME as it came. */
static void test_welcome(void)
{
    static struct rig rig;
    start(&rig);

    const struct mwi_message *message = mwt_outbox_decode(&rig.slave.outbox, CHILD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL(message->kind, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(message->welcome.sid, 3);
    CU_ASSERT_EQUAL(message->welcome.algorithms_count, 3);
    end(&rig);
}

/* The one task that was begun has failed an attempt. The next child gets those behind it. */
static void test_crash(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a b c d");
    begin(&rig);
    answer(&rig, 0, "A");
    begin(&rig);

    end_child(&rig, SIGNAL);
    CU_ASSERT_STRING_EQUAL(returned(&rig), "A|" SIGNAL "#");
    mwt_slave_forget(&rig.slave);
    start_child(&rig);

    CU_ASSERT_STRING_EQUAL(given(&rig), "c d");
    begin(&rig);
    answer(&rig, 2, "C");
    CU_ASSERT_STRING_EQUAL(returned(&rig), "C");
    end(&rig);
}

/* A result that is still on its way when the process has ended is heard first. */
static void test_late_result(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a b");
    begin(&rig);

    mwi_relay_child_ended(&rig.relay, SIGNAL, 0);
    answer(&rig, 0, "A");
    step_child(&rig, (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .reason = "closed"});

    CU_ASSERT_STRING_EQUAL(returned(&rig), "A");
    start_child(&rig);
    CU_ASSERT_STRING_EQUAL(given(&rig), "a b|b");
    end(&rig);
}

/* A process that ends while a task of it has ended, and its result has not left, has begun it: the
 * task is not run again behind the master's back. */
static void test_result_lost(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a");
    begin(&rig);
    atomic_fetch_add(&rig.page.ended_count, 1);

    end_child(&rig, SIGNAL);

    CU_ASSERT_STRING_EQUAL(returned(&rig), SIGNAL "#");
    end(&rig);
}

/* Children that end before they begin a task cost no task an attempt, and a slave whose children
 * do so again and again gives up. */
static void test_ends_in_a_row(void)
{
    static struct rig rig;
    mw_reason why;
    start(&rig);
    mwt_slave_give(&rig.slave, "a");
    for (int i = 0; i < 3; i++) {
        end_child(&rig, "exited with status 7");
        start_child(&rig);
    }
    CU_ASSERT_FALSE(mwi_relay_has_given_up(&rig.relay, &why));

    end_child(&rig, "exited with status 7");

    CU_ASSERT_TRUE(mwi_relay_is_over(&rig.relay));
    CU_ASSERT_TRUE(mwi_relay_has_given_up(&rig.relay, &why));
    CU_ASSERT_STRING_EQUAL(why.text, "the process for tasks ended 4 times in a row before it began "
                                     "one; the last exited with status 7");
    CU_ASSERT_STRING_EQUAL(returned(&rig), "");
    end(&rig);
}

/* A child that is ended before it has greeted, since the master is lost, counts neither for nor
 * against the others. */
static void test_ends_of_dismissed(void)
{
    static struct rig rig;
    mw_reason why;
    start_with(&rig, MWI_TRAIT_RETURNS);
    for (int i = 0; i < 3; i++) {
        start_child(&rig);
        end_child(&rig, "exited with status 7");
    }
    mwi_relay_child_started(&rig.relay, CHILD);
    mwt_slave_down(&rig.slave, "reset by the peer");
    CU_ASSERT_TRUE(mwi_relay_pop_kill(&rig.relay));
    end_child(&rig, "was killed by signal 9 (Killed)");
    mwt_slave_join(&rig.slave, 0, 1 << 20);
    CU_ASSERT_FALSE(mwi_relay_has_given_up(&rig.relay, &why));

    start_child(&rig);
    end_child(&rig, "exited with status 7");

    CU_ASSERT_TRUE(mwi_relay_has_given_up(&rig.relay, &why));
    end(&rig);
}

/* A message that makes no sense ends the child, and its task has failed an attempt. */
static void test_overwritten_child(void)
{
    static struct rig rig;
    for (int i = 0; i < 4; i++) {
        struct mwi_buffer buffer;
        start(&rig);
        mwt_slave_give(&rig.slave, "a b");
        begin(&rig);

        mwi_buffer_init(&buffer);
        if (i == 0)
            mwi_buffer_append(&buffer, "\xff\x01", 2);
        else if (i == 1)
            mwi_message_write_bare(&buffer, MWI_MESSAGE_SHUTDOWN);
        else
            mwt_items_result(&buffer, i == 2 ? 1 : 0, MWI_PAYLOAD_VALUES, "\xc1", 1, 5);
        say(&rig, &buffer);

        CU_ASSERT_TRUE(mwi_relay_pop_kill(&rig.relay));
        CU_ASSERT_FALSE(mwi_relay_pop_kill(&rig.relay));
        mwi_relay_child_ended(&rig.relay, "was killed by signal 9 (Killed)", 0);
        mwi_relay_flush(&rig.relay, 0);
        mwt_outbox_take(&rig.slave.outbox, &rig.slave.engine.effects);
        CU_ASSERT_PTR_NOT_NULL(strstr(returned(&rig), "may have been overwritten#"));
        CU_ASSERT_TRUE(mwi_relay_wants_child(&rig.relay));
        end(&rig);
    }
}

/* A task that is not wanted is ended when it has run for a moment. Another one that is not wanted
 * either, and ends before, is left alone. */
static void test_end_task(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a b");
    begin(&rig);

    send_id(&rig, 0);
    send_id(&rig, 1);
    mwt_slave_tick(&rig.slave, 50 * MILLISECOND);
    CU_ASSERT_FALSE(mwi_relay_pop_kill(&rig.relay));
    answer(&rig, 0, "A");
    begin(&rig);
    CU_ASSERT_EQUAL(mwi_relay_deadline(&rig.relay), 150 * MILLISECOND);
    mwt_slave_tick(&rig.slave, 150 * MILLISECOND);

    CU_ASSERT_TRUE(mwi_relay_pop_kill(&rig.relay));
    end_child(&rig, "was killed by signal 9 (Killed)");
    CU_ASSERT_STRING_EQUAL(returned(&rig), "A|was ended#");
    CU_ASSERT_EQUAL(mwi_relay_deadline(&rig.relay), INT64_MAX);
    end(&rig);
}

/* Tasks that are not there cannot be ended. An order with the largest number is still one: the
 * slave's engine, which would give up, does not see it. */
static void test_end_unknown_task(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a");
    begin(&rig);

    send_id(&rig, 77);
    send_id(&rig, UINT64_MAX);
    mwt_slave_tick(&rig.slave, MWT_SECOND);

    CU_ASSERT_FALSE(mwi_relay_pop_kill(&rig.relay));
    CU_ASSERT_EQUAL(rig.slave.engine.phase, MWI_PHASE_READY);
    end(&rig);
}

/* The child gives back what it has not begun, behind its results. */
static void test_recall(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a b c");
    begin(&rig);

    send_bare(&rig, MWI_MESSAGE_RECALL);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, CHILD), MWI_MESSAGE_RECALL);
    answer(&rig, 0, "A");
    say_bare(&rig, MWI_MESSAGE_RETURNED);

    CU_ASSERT_STRING_EQUAL(returned(&rig), "A");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RETURNED);
    CU_ASSERT_EQUAL(rig.slave.engine.queue.tasks_count, 0);
    mwt_slave_give(&rig.slave, "d");
    CU_ASSERT_STRING_EQUAL(given(&rig), "a b c|d");
    end(&rig);
}

/* If the child dies meanwhile, the relay answers for it. */
static void test_crash_when_recalled(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a b c");
    begin(&rig);
    send_bare(&rig, MWI_MESSAGE_RECALL);

    end_child(&rig, SIGNAL);

    CU_ASSERT_STRING_EQUAL(returned(&rig), SIGNAL "#");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RETURNED);
    CU_ASSERT_EQUAL(rig.slave.engine.queue.tasks_count, 0);
    end(&rig);
}

static void save(struct rig *rig, uint64_t id, const char *text)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, id);
    mwi_buffer_append(&buffer, text, strlen(text));
    say(rig, &buffer);
}

/* Whether the last message to the peer is of these saved bytes. */
static bool has_saved(struct rig *rig, mw_peer peer, uint64_t id, const char *text)
{
    const struct mwi_message *message = mwt_outbox_decode(&rig->slave.outbox, peer);
    return message != NULL && message->kind == MWI_MESSAGE_SAVE && message->save.id == id &&
           message->save.size == strlen(text) &&
           memcmp(message->save.data, text, message->save.size) == 0;
}

/* Bytes that a task has saved are handed on, behind the results before it, and to the child with
 * the task of an earlier attempt. */
static void test_saves(void)
{
    static struct rig rig;
    struct mwi_buffer buffer;
    start(&rig);
    mwt_slave_give(&rig.slave, "a");
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, 1);
    mwi_buffer_append(&buffer, "before", 6);
    mwt_slave_frame(&rig.slave, &buffer);
    mwt_slave_give(&rig.slave, "b");
    CU_ASSERT_STRING_EQUAL(given(&rig), "a|b");
    begin(&rig);
    answer(&rig, 0, "A");
    begin(&rig);

    save(&rig, 1, "half");
    CU_ASSERT_TRUE(has_saved(&rig, MWT_MASTER_PEER, 1, "half"));
    CU_ASSERT_STRING_EQUAL(returned(&rig), "A");
    mwt_slave_forget(&rig.slave);
    end_child(&rig, SIGNAL);

    CU_ASSERT_STRING_EQUAL(returned(&rig), SIGNAL "#");
    end(&rig);
}

/* A child that saves bytes for another task than that which it runs is ended. */
static void test_save_of_another(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a b");
    begin(&rig);

    save(&rig, 1, "half");

    CU_ASSERT_TRUE(mwi_relay_pop_kill(&rig.relay));
    end_child(&rig, SIGNAL);
    end(&rig);
}

/* A silent child is answered for. */
static void test_ping(void)
{
    static struct rig rig;
    start(&rig);
    mwt_slave_give(&rig.slave, "a");
    begin(&rig);

    send_bare(&rig, MWI_MESSAGE_PING);

    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_PONG);
    end(&rig);
}

/* When the master stops the slave, the child is told, and killed only if it is in a task. */
static void test_shutdown(void)
{
    static struct rig rig;
    for (int is_in_task = 0; is_in_task < 2; is_in_task++) {
        start(&rig);
        mwt_slave_give(&rig.slave, "a");
        if (is_in_task)
            begin(&rig);

        send_bare(&rig, MWI_MESSAGE_SHUTDOWN);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, CHILD), MWI_MESSAGE_SHUTDOWN);
        mwt_slave_tick(&rig.slave, 900 * MILLISECOND);

        CU_ASSERT_EQUAL(mwi_relay_pop_kill(&rig.relay), is_in_task == 1);
        CU_ASSERT_FALSE(mwi_relay_is_over(&rig.relay));
        end_child(&rig, "exited with status 0");
        CU_ASSERT_TRUE(mwi_relay_is_over(&rig.relay));
        rig.slave.now_ns = 0;
        end(&rig);
    }
}

/* A slave that is asked to end says so, and lets a short task end; a long one is ended. */
static void test_stop(void)
{
    static struct rig rig;
    for (int is_long = 0; is_long < 2; is_long++) {
        start(&rig);
        mwt_slave_give(&rig.slave, "a b");
        begin(&rig);

        mwi_relay_stop(&rig.relay, 0);
        mwt_outbox_take(&rig.slave.outbox, &rig.slave.engine.effects);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_LEAVING);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, CHILD), MWI_MESSAGE_RECALL);
        if (!is_long) {
            answer(&rig, 0, "A");
            say_bare(&rig, MWI_MESSAGE_RETURNED);
        }
        mwt_slave_tick(&rig.slave, 500 * MILLISECOND);

        CU_ASSERT_EQUAL(mwi_relay_pop_kill(&rig.relay), is_long == 1);
        if (is_long)
            end_child(&rig, "was killed by signal 9 (Killed)");
        else
            mwi_relay_child_ended(&rig.relay, "exited with status 255", 0);
        mwt_outbox_take(&rig.slave.outbox, &rig.slave.engine.effects);
        CU_ASSERT_STRING_EQUAL(returned(&rig), is_long ? "was ended#" : "A");
        CU_ASSERT_TRUE(mwi_relay_is_over(&rig.relay));
        rig.slave.now_ns = 0;
        end(&rig);
    }
}

/* When the slave algorithm returns while the master is there, the slave leaves. */
static void test_goodbye(void)
{
    static struct rig rig;
    struct mwi_buffer buffer;
    start(&rig);
    mwi_buffer_init(&buffer);
    mwi_message_write_reason(&buffer, MWI_MESSAGE_GOODBYE, "the slave algorithm has returned");

    say(&rig, &buffer);
    step_child(&rig, (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .reason = "closed"});
    mwt_slave_tick(&rig.slave, 10 * MWT_SECOND);
    CU_ASSERT_FALSE(mwi_relay_pop_kill(&rig.relay));
    mwi_relay_child_ended(&rig.relay, "exited with status 5", 0);

    CU_ASSERT_TRUE(mwi_relay_is_over(&rig.relay));
    end(&rig);
}

/* A slave that may return has lost its master: its child ends the task that it has begun, and the
 * result is kept. Then the child goes, with the tasks that it has not begun. */
static void test_master_lost(void)
{
    static struct rig rig;
    start_with(&rig, MWI_TRAIT_RETURNS);
    start_child(&rig);
    mwt_slave_give(&rig.slave, "a b c");
    begin(&rig);
    answer(&rig, 0, "A");
    begin(&rig);
    mwt_slave_forget(&rig.slave);

    mwt_slave_down(&rig.slave, "reset by the peer");
    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, CHILD), MWI_MESSAGE_RECALL);
    CU_ASSERT_TRUE(mwi_slave_engine_is_running(&rig.slave.engine));
    say_bare(&rig, MWI_MESSAGE_ATTENTIVE);
    answer(&rig, 1, "B");

    CU_ASSERT_FALSE(mwi_slave_engine_is_running(&rig.slave.engine));
    CU_ASSERT_STRING_EQUAL(rig.slave.outbox.events, "send 9, drop 9");
    end_child(&rig, "exited with status 0");
    CU_ASSERT_FALSE(mwi_relay_is_over(&rig.relay));
    rig.slave.relay = NULL;
    mwt_slave_greet(&rig.slave);
    CU_ASSERT_EQUAL(rig.slave.engine.kept.count, 2);
    end(&rig);
}

/* If the child ends in that task, there is no result to keep. */
static void test_crash_without_master(void)
{
    static struct rig rig;
    start_with(&rig, MWI_TRAIT_RETURNS);
    start_child(&rig);
    mwt_slave_give(&rig.slave, "a b");
    begin(&rig);
    mwt_slave_down(&rig.slave, "reset by the peer");

    end_child(&rig, SIGNAL);

    CU_ASSERT_FALSE(mwi_slave_engine_is_running(&rig.slave.engine));
    CU_ASSERT_FALSE(mwi_relay_is_over(&rig.relay));
    rig.slave.relay = NULL;
    mwt_slave_greet(&rig.slave);
    CU_ASSERT_EQUAL(rig.slave.engine.kept.count, 0);
    end(&rig);
}

/* The slave has begun a task, has lost its master, and has found another one meanwhile. */
static void start_found(struct rig *rig)
{
    start_with(rig, MWI_TRAIT_RETURNS | MWI_TRAIT_ISOLATED);
    start_child(rig);
    mwt_slave_give(&rig->slave, "a b");
    begin(rig);
    mwt_slave_down(&rig->slave, "reset by the peer");
    mwt_slave_join(&rig->slave, 0, 1 << 20);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig->slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RUNNING);
    mwt_slave_forget(&rig->slave);
}

/* The new master gets the result, and another child serves it. A child that is still at the old
 * task hears no orders of the new master. */
static void test_found_in_task(void)
{
    static struct rig rig;
    for (int has_crashed = 0; has_crashed < 2; has_crashed++) {
        start_found(&rig);
        send_bare(&rig, MWI_MESSAGE_RECALL);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_RETURNED);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, CHILD), 0);
        mwt_slave_forget(&rig.slave);

        if (!has_crashed)
            answer(&rig, 0, "A");
        end_child(&rig, has_crashed ? SIGNAL : "exited with status 0");

        CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), MWI_MESSAGE_OFFERED);
        CU_ASSERT_EQUAL(rig.slave.engine.kept.count, has_crashed ? 0 : 1);
        start_child(&rig);
        mwt_slave_forget(&rig.slave);
        mwt_slave_give(&rig.slave, "d");
        begin(&rig);
        answer(&rig, 2, "D");
        CU_ASSERT_STRING_EQUAL(returned(&rig), "D");
        end(&rig);
    }
}

/* A master that ends the farm does not wait for the task of the one before. */
static void test_ended_in_task(void)
{
    static struct rig rig;
    start_found(&rig);

    send_bare(&rig, MWI_MESSAGE_SHUTDOWN);
    mwt_slave_tick(&rig.slave, MILLISECOND);

    CU_ASSERT_TRUE(mwi_relay_pop_kill(&rig.relay));
    mwt_slave_forget(&rig.slave);
    end_child(&rig, "was killed by signal 9 (Killed)");
    CU_ASSERT_TRUE(mwi_relay_is_over(&rig.relay));
    CU_ASSERT_EQUAL(rig.slave.engine.phase, MWI_PHASE_SHUTDOWN);
    CU_ASSERT_EQUAL(mwt_outbox_kind(&rig.slave.outbox, MWT_MASTER_PEER), 0);
    end(&rig);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"tasks and results", test_tasks_and_results},
        {"welcome", test_welcome},
        {"crash", test_crash},
        {"late result", test_late_result},
        {"result lost", test_result_lost},
        {"ends in a row", test_ends_in_a_row},
        {"ends of dismissed", test_ends_of_dismissed},
        {"overwritten child", test_overwritten_child},
        {"end task", test_end_task},
        {"end unknown task", test_end_unknown_task},
        {"recall", test_recall},
        {"crash when recalled", test_crash_when_recalled},
        {"saves", test_saves},
        {"save of another", test_save_of_another},
        {"ping", test_ping},
        {"shutdown", test_shutdown},
        {"stop", test_stop},
        {"goodbye", test_goodbye},
        {"master lost", test_master_lost},
        {"crash without master", test_crash_without_master},
        {"found in task", test_found_in_task},
        {"ended in task", test_ended_in_task},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("relay", tests);
}
