/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave engine from its greeting to its end: how it joins a farm, why it does not, and the
 * sentences and records of both.
 */
#include "mwt_slave.h"

#include <stdio.h>
#include <string.h>

#include "mwt_death.h"
#include "mwt_hello.h"
#include "mwt_run.h"

static void start(struct mwt_slave *slave)
{
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(slave, NULL));
}

static void end(struct mwt_slave *slave)
{
    CU_ASSERT_FALSE(slave->outbox.has_overflowed);
    CU_ASSERT_EQUAL(slave->engine.effects.error, MW_OK);
    mwt_slave_end(slave);
}

static void send_reason(struct mwt_slave *slave, enum mwi_message_kind kind, const char *reason)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_reason(&buffer, kind, reason);
    mwt_slave_frame(slave, &buffer);
}

static void send_shutdown(struct mwt_slave *slave)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, MWI_MESSAGE_SHUTDOWN);
    mwt_slave_frame(slave, &buffer);
}

/* Nothing that happens after the end has an effect. */
static void check_final(struct mwt_slave *slave)
{
    enum mwi_slave_phase phase = slave->engine.phase;
    struct mwi_slave_task task;
    mwt_slave_forget(slave);

    mwt_slave_up(slave);
    mwt_slave_bytes(slave, "\xc0", 1);
    send_shutdown(slave);
    mwt_slave_down(slave, "again");
    mwt_slave_tick(slave, 1000000 * MWT_SECOND);
    mwi_results_flush(&slave->engine.results, 0);
    mwi_slave_engine_leave(&slave->engine, "again", 0);

    CU_ASSERT_EQUAL(slave->engine.effects.count, 0);
    CU_ASSERT_STRING_EQUAL(slave->outbox.events, "");
    CU_ASSERT_STRING_EQUAL(slave->outbox.trail, "");
    CU_ASSERT_EQUAL(slave->engine.phase, phase);
    CU_ASSERT_FALSE(mwi_slave_engine_begin_task(&slave->engine, &task));
    CU_ASSERT_EQUAL(mwi_slave_engine_deadline(&slave->engine), INT64_MAX);
}

/* A slave that is connected greets, with its member id, the largest message that it reads, and
 * where it runs. */
static void test_greeting(void)
{
    static struct mwt_slave slave;
    struct mwi_slave_engine_config config = mwt_slave_config();
    static const struct mwi_greeting_origin origin = {"node", "boot", 9};
    config.frame_read_bytes_max = 12345;
    config.origin = &origin;
    CU_ASSERT_TRUE_FATAL(mwt_slave_start(&slave, &config));
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    mwi_slave_engine_connecting(&slave.engine, MWT_MASTER_PEER, "somewhere");
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_CONNECTING);
    CU_ASSERT_EQUAL(slave.engine.effects.count, 0);

    mwt_slave_up(&slave);

    const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL_FATAL(message->kind, MWI_MESSAGE_HELLO);
    CU_ASSERT_TRUE(mwt_text_is(message->hello.member_id, "farm"));
    CU_ASSERT_EQUAL(message->hello.frame_bytes_max, 12345);
    CU_ASSERT_TRUE(mwt_text_is(message->hello.host, "node"));
    CU_ASSERT_TRUE(mwt_text_is(message->hello.boot_id, "boot"));
    CU_ASSERT_EQUAL(message->hello.pid, 9);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GREETING);
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail, "MASTER <- CONNECTED TO host:5\n");
    end(&slave);
}

/* A slave that is welcome knows its number and the master's settings. */
static void test_welcome(void)
{
    static struct mwt_slave slave;
    start(&slave);

    mwt_slave_join(&slave, 7, 4096);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_READY);
    CU_ASSERT_EQUAL(slave.engine.sid, 3);
    CU_ASSERT_EQUAL(slave.engine.results.master.group, 7);
    CU_ASSERT_EQUAL(slave.engine.results.message_bytes_max, 4096);
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail,
                           "MASTER <- CONNECTED TO host:5\nMASTER -> ID SLAVE-3\n");
    CU_ASSERT_EQUAL(mwi_slave_engine_deadline(&slave.engine), INT64_MAX);
    end(&slave);
}

/* An algorithm of the master may have an empty name, which equals no algorithm of the slave. */
static void test_welcome_with_an_empty_name(void)
{
    static const char welcome[] = "\x97\x02\x00\x01\x64\x4d\xa0\xa5"
                                  "alpha";
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_greet(&slave);

    mwt_slave_bytes(&slave, welcome, sizeof welcome - 1);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_READY);
    CU_ASSERT_EQUAL_FATAL(slave.engine.repertoire.count, 2);
    CU_ASSERT_STRING_EQUAL(slave.engine.repertoire.names[0], "");
    CU_ASSERT_TRUE(slave.engine.repertoire.runs[0] == NULL &&
                   slave.engine.repertoire.runs[1] != NULL);
    end(&slave);
}

/* The trail of a slave has CL-MW's lines in CL-MW's order. */
static void test_trail_of_a_whole_run(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 1, 4096);
    mwt_slave_give(&slave, "a");
    mwt_slave_run(&slave, 1);
    mwt_slave_give(&slave, "b");
    mwt_slave_run(&slave, 1);

    send_shutdown(&slave);

    CU_ASSERT_STRING_EQUAL(slave.outbox.trail, "MASTER <- CONNECTED TO host:5\n"
                                               "MASTER -> ID SLAVE-3\n"
                                               "MASTER -> 1 tasks (1 grouping)\n"
                                               "MASTER <- 1 results\n"
                                               "MASTER -> 1 tasks (1 grouping)\n"
                                               "MASTER <- 1 results\n"
                                               "MASTER -> SHUTDOWN\n"
                                               "MASTER -> CEOF\n"
                                               "EOF -> host:5\n");
    end(&slave);
}

/* An error of connecting is kept for the caller that asks why. */
static void test_cannot_connect(void)
{
    static struct mwt_slave slave;
    start(&slave);

    mwi_slave_engine_cannot_connect(&slave.engine, "no such host");

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "no such host");
    end(&slave);
}

/* A reason is never empty, since sentences end with it. */
static void test_empty_reason(void)
{
    static struct mwt_slave slave;
    start(&slave);

    mwi_slave_engine_cannot_connect(&slave.engine, "");

    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "no reason was given");
    end(&slave);
}

/* A slave without a time-out for the greeting waits for the answer for ever. */
static void test_greeting_for_ever(void)
{
    static struct mwt_slave slave;
    start(&slave);
    slave.engine.config.client_timeout_ns = INT64_MAX;

    mwt_slave_greet(&slave);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GREETING);
    CU_ASSERT_EQUAL(mwi_slave_engine_deadline(&slave.engine), INT64_MAX);
    end(&slave);
}

/* A connection that fails, at once or after the greeting, leaves the slave free to try again. */
static void test_connection_fails(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwi_slave_engine_connecting(&slave.engine, MWT_MASTER_PEER, "there:1");

    mwt_slave_down(&slave, "connection refused");
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "connection refused");
    mwt_slave_greet(&slave);
    mwt_slave_down(&slave, "closed by the peer");
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "closed by the peer");

    CU_ASSERT_STRING_EQUAL(slave.outbox.trail,
                           "MASTER <- CONNECT FAILED there:1: connection refused\n"
                           "MASTER <- CONNECTED TO host:5\n"
                           "MASTER <- CONNECT FAILED host:5: closed by the peer\n");
    mwt_slave_join(&slave, 1, 4096);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_READY);
    end(&slave);
}

/* A master that does not answer the greeting is given up when the time is up, not before. */
static void test_master_does_not_answer(void)
{
    static struct mwt_slave slave;
    start(&slave);
    slave.now_ns = MWT_SECOND;
    mwt_slave_greet(&slave);
    CU_ASSERT_EQUAL(mwi_slave_engine_deadline(&slave.engine), 61 * MWT_SECOND);
    mwt_slave_tick(&slave, 61 * MWT_SECOND - 1);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GREETING);

    mwt_slave_tick(&slave, 61 * MWT_SECOND);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason,
                           "the master did not answer the greeting within --mw-client-timeout");
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "send 5, drop 5");
    CU_ASSERT_EQUAL(mwi_slave_engine_deadline(&slave.engine), INT64_MAX);
    end(&slave);
}

/* Why the master refused is kept and told, and there is no way back. */
static void test_refused(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_greet(&slave);
    mwt_slave_forget(&slave);

    send_reason(&slave, MWI_MESSAGE_REFUSE, "another farm");

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_REFUSED);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "another farm");
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "drop 5");
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail, "MASTER -> REFUSED: another farm\n"
                                               "MASTER -> CEOF\n"
                                               "EOF -> host:5 (another farm)\n");
    check_final(&slave);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "another farm");
    end(&slave);
}

/* A refusal of any length is kept as far as there is room. */
static void test_long_refusal(void)
{
    static struct mwt_slave slave;
    char reason[1000];
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    start(&slave);
    mwt_slave_greet(&slave);

    send_reason(&slave, MWI_MESSAGE_REFUSE, reason);

    CU_ASSERT_EQUAL(strlen(slave.engine.reason), sizeof slave.engine.reason - 1);
    CU_ASSERT_EQUAL(strspn(slave.engine.reason, "r"), sizeof slave.engine.reason - 1);
    end(&slave);
}

/* A shutdown is final, also as the answer to a greeting; the tasks that wait are forgotten. */
static void test_shutdown(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 1, 4096);
    mwt_slave_give(&slave, "a b c");
    mwt_slave_run(&slave, 1);
    mwt_slave_forget(&slave);

    send_shutdown(&slave);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_SHUTDOWN);
    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 0);
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "drop 5");
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail,
                           "MASTER -> SHUTDOWN\nMASTER -> CEOF\nEOF -> host:5\n");
    check_final(&slave);
    end(&slave);

    start(&slave);
    mwt_slave_greet(&slave);
    send_shutdown(&slave);
    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_SHUTDOWN);
    end(&slave);
}

/* Results that were not sent when the master says stop are not sent any more. */
static void test_shutdown_with_results_waiting(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 10, 4096);
    mwt_slave_give(&slave, "a b c");
    mwt_slave_run(&slave, 2);
    mwt_slave_forget(&slave);

    send_shutdown(&slave);

    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "");
    check_final(&slave);
    end(&slave);
}

/* A master that is lost after the welcome is gone for good, and so are the tasks that wait. */
static void test_master_gone(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 1, 4096);
    mwt_slave_give(&slave, "a b");
    mwt_slave_forget(&slave);

    mwt_slave_down(&slave, "connection reset");

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GONE);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "connection reset");
    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 0);
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "");
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail,
                           "MASTER -> CEOF\nEOF -> host:5 (connection reset)\n");
    check_final(&slave);
    end(&slave);
}

/* Something other than a master answers: the slave may look elsewhere. */
static void test_garbage_before_welcome(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_greet(&slave);
    mwt_slave_forget(&slave);

    mwt_slave_bytes(&slave, "HTTP/1.1 400", 12);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "the answer is not from a master");
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "drop 5");
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail,
                           "MASTER <- CONNECT FAILED host:5: the answer is not from a master\n");
    end(&slave);
}

static void write_second_welcome(struct mwi_buffer *buffer)
{
    mwi_message_write_welcome(buffer, 9, 1, 4096, 77, mwt_slave_config().algorithms);
}

static void write_garbage(struct mwi_buffer *buffer)
{
    mwi_buffer_append(buffer, "garbage", 7);
}

static void write_hello(struct mwi_buffer *buffer)
{
    mwt_hello(buffer, "farm", 4096);
}

static void write_goodbye(struct mwi_buffer *buffer)
{
    mwi_message_write_reason(buffer, MWI_MESSAGE_GOODBYE, "bye");
}

/* A master that breaks the protocol is a master lost. */
static void test_master_breaks_the_protocol(void)
{
    static const struct {
        void (*write)(struct mwi_buffer *buffer);
        const char *reason;
    } cases[] = {
        {write_second_welcome, "the master sent a second welcome"},
        {write_garbage, "the answer is not from a master"},
        {write_hello, "the master sent a message that only a slave sends"},
        {write_goodbye, "the master sent a message that only a slave sends"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct mwt_slave slave;
        struct mwi_buffer buffer;
        start(&slave);
        mwt_slave_join(&slave, 1, 4096);
        mwt_slave_forget(&slave);
        mwi_buffer_init(&buffer);
        cases[i].write(&buffer);

        mwt_slave_frame(&slave, &buffer);

        CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GONE);
        CU_ASSERT_STRING_EQUAL(slave.engine.reason, cases[i].reason);
        CU_ASSERT_STRING_EQUAL(slave.outbox.events, "drop 5");
        check_final(&slave);
        end(&slave);
    }
}

/* Tasks before the welcome come from no proper master. */
static void test_tasks_before_welcome(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_greet(&slave);
    mwt_slave_forget(&slave);

    mwt_slave_give(&slave, "a");

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.engine.reason, "the master sent tasks before its welcome");
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "drop 5");
    CU_ASSERT_EQUAL(slave.engine.queue.tasks_count, 0);
    end(&slave);
}

/* Events of another peer, one of an earlier attempt perhaps, are passed over. */
static void test_other_peers(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwi_slave_engine_connecting(&slave.engine, 77, "host:77");

    mwt_slave_up(&slave);
    mwt_slave_bytes(&slave, "?", 1);
    mwt_slave_down(&slave, "late");

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_CONNECTING);
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "");
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail, "");
    end(&slave);
}

/* A slave that leaves sends its results and says goodbye. */
static void test_leave(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_join(&slave, 10, 4096);
    mwt_slave_give(&slave, "a b c");
    mwt_slave_run(&slave, 2);
    mwt_slave_forget(&slave);

    mwi_slave_engine_leave(&slave.engine, "enough", 0);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_GONE);
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "send 5, send 5");
    CU_ASSERT_STRING_EQUAL(mwt_slave_results(&slave), "a b");
    const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_EQUAL_FATAL(message->kind, MWI_MESSAGE_GOODBYE);
    CU_ASSERT_TRUE(mwt_text_is(message->reason, "enough"));
    CU_ASSERT_STRING_EQUAL(slave.outbox.trail,
                           "MASTER <- 2 results\nMASTER -> CEOF\nEOF -> host:5 (enough)\n");
    check_final(&slave);
    end(&slave);
}

/* A slave that has greeted says goodbye, too: the master may have sent it tasks already, which the
 * loss of a slave would cost an attempt. */
static void test_leave_before_welcome(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_greet(&slave);
    mwt_slave_forget(&slave);

    mwi_slave_engine_leave(&slave.engine, "enough", 0);
    mwt_outbox_take(&slave.outbox, &slave.engine.effects);

    CU_ASSERT_EQUAL(slave.engine.phase, MWI_PHASE_APART);
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "send 5");
    const struct mwi_message *message = mwt_outbox_decode(&slave.outbox, MWT_MASTER_PEER);
    CU_ASSERT_EQUAL_FATAL(message->kind, MWI_MESSAGE_GOODBYE);
    end(&slave);
}

static void connect_again(void *context)
{
    mwi_slave_engine_connecting(context, 9, "elsewhere");
}

/* To connect while a connection is there is a bug of the library and stops it. */
static void test_connect_while_connected(void)
{
    static struct mwt_slave slave;
    start(&slave);
    mwt_slave_greet(&slave);

    CU_ASSERT_TRUE(mwt_dies(connect_again, &slave.engine));

    end(&slave);
}

/* Without an audit trail no record is made, and everything else is the same. */
static void test_no_audit_when_nobody_listens(void)
{
    static struct mwt_slave slave;
    start(&slave);
    slave.engine.effects.audited_kinds = 0;

    mwt_slave_join(&slave, 1, 4096);
    mwt_slave_give(&slave, "a");
    mwt_slave_run(&slave, 1);
    send_shutdown(&slave);

    CU_ASSERT_STRING_EQUAL(slave.outbox.trail, "");
    CU_ASSERT_STRING_EQUAL(slave.outbox.events, "send 5, send 5, drop 5");
    end(&slave);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"greeting", test_greeting},
        {"welcome", test_welcome},
        {"welcome with an empty name", test_welcome_with_an_empty_name},
        {"trail of a whole run", test_trail_of_a_whole_run},
        {"cannot connect", test_cannot_connect},
        {"empty reason", test_empty_reason},
        {"greeting for ever", test_greeting_for_ever},
        {"connection fails", test_connection_fails},
        {"master does not answer", test_master_does_not_answer},
        {"refused", test_refused},
        {"long refusal", test_long_refusal},
        {"shutdown", test_shutdown},
        {"shutdown with results waiting", test_shutdown_with_results_waiting},
        {"master gone", test_master_gone},
        {"garbage before welcome", test_garbage_before_welcome},
        {"master breaks the protocol", test_master_breaks_the_protocol},
        {"tasks before welcome", test_tasks_before_welcome},
        {"other peers", test_other_peers},
        {"leave", test_leave},
        {"leave before welcome", test_leave_before_welcome},
        {"connect while connected", test_connect_while_connected},
        {"no audit when nobody listens", test_no_audit_when_nobody_listens},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slave_engine: phases", tests);
}
