/* SPDX-License-Identifier: Apache-2.0
 *
 * The master engine and its new peers: slaves that greet, slaves of other farms and versions, and
 * strangers. None of them may disturb the farm.
 */
#include "mwt_items.h"
#include "mwt_master.h"

#include <stdio.h>
#include <string.h>

#include "mwt_hello.h"
#include "mwt_run.h"

#define PEER 7

static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

static struct mwi_buffer hello(const char *member_id)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwt_hello(&buffer, member_id, MWT_FRAME_BYTES_MAX);
    return buffer;
}

static void greet_as(struct mwt_master *master, mw_peer peer, const char *member_id)
{
    struct mwi_buffer buffer = hello(member_id);
    mwt_master_frame(master, peer, &buffer);
}

/* The farm still works: a slave that comes now is welcome. */
static void check_farm_goes_on(struct mwt_master *master)
{
    mwt_master_forget(master);
    mwt_master_greet(master, 99);
    CU_ASSERT_PTR_NOT_NULL(strstr(master->outbox.trail, "-> :idle\n"));
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master->engine.slaves), 1);
}

/* A slave that greets is welcomed with everything that it must know, and audited as in CL-MW. */
static void test_welcome(void)
{
    static struct mwt_master master;
    struct mwi_master_engine_config config = mwt_master_config();
    config.result_group = 5;
    config.frame_read_bytes_max = 12345;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, &config));

    mwt_master_greet(&master, PEER);

    const struct mwi_message *message = mwt_outbox_decode(&master.outbox, PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL(message->kind, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(message->welcome.sid, 0);
    CU_ASSERT_EQUAL(message->welcome.result_group, 5);
    CU_ASSERT_EQUAL(message->welcome.frame_bytes_max, 12345);
    CU_ASSERT_EQUAL_FATAL(message->welcome.algorithms_count, 2);
    CU_ASSERT_TRUE(mwt_text_is(mwi_message_algorithm(message, 0), "alpha"));
    CU_ASSERT_TRUE(mwt_text_is(mwi_message_algorithm(message, 1), "beta"));
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "admit 7, send 7");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "NEW-CLIENT -> host:7\n"
                           "SLAVE-0 host:7 -> [\"farm\"] :connecting [:unordered]\n"
                           "SLAVE-0 -> :idle\n");
    end(&master);
}

/* The master keeps where a slave runs for as long as the slave is there. */
static void test_origin(void)
{
    static struct mwt_master master;
    struct mwi_buffer buffer;
    start(&master);
    mwt_master_up(&master, PEER);
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master.engine.slaves, PEER)->host);

    mwi_buffer_init(&buffer);
    mwi_message_write_hello(&buffer, &(struct mwi_message_hello){
                                         .member_id = mwi_message_text(MWT_MEMBER_ID),
                                         .frame_bytes_max = MWT_FRAME_BYTES_MAX,
                                         .host = mwi_message_text("node7"),
                                         .boot_id = mwi_message_text("3-4-5"),
                                         .pid = 4321,
                                     });
    mwt_master_frame(&master, PEER, &buffer);

    const struct mwi_slave_entry *slave = mwi_slaves_by_sid(&master.engine.slaves, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(slave);
    CU_ASSERT_PTR_NOT_NULL_FATAL(slave->host);
    CU_ASSERT_STRING_EQUAL(slave->host->name, "node7");
    CU_ASSERT_STRING_EQUAL(slave->host->boot_id, "3-4-5");
    CU_ASSERT_EQUAL(slave->pid, 4321);
    end(&master);
}

/* Slaves are numbered as they greet, not as they connect. The number of a slave that left is not
 * used again. */
static void test_ids(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, 1);
    mwt_master_greet(&master, 2);
    mwt_master_down(&master, 2, "closed by the peer");

    greet_as(&master, 1, MWT_MEMBER_ID);

    CU_ASSERT_EQUAL(mwt_outbox_decode(&master.outbox, 1)->welcome.sid, 1);
    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master.engine.slaves), 1);
    end(&master);
}

/* Peers of several transports, told apart by the upper bits, may have the same number below. */
static void test_peers_of_two_transports(void)
{
    static struct mwt_master master;
    mw_peer other = UINT64_C(1) << 56 | PEER;
    start(&master);

    mwt_master_greet(&master, PEER);
    mwt_master_greet(&master, other);

    CU_ASSERT_EQUAL(mwt_outbox_decode(&master.outbox, PEER)->welcome.sid, 0);
    CU_ASSERT_EQUAL(mwt_outbox_decode(&master.outbox, other)->welcome.sid, 1);
    end(&master);
}

/* The slave hears `told`, and the trail the reason. */
static void check_refused(struct mwt_master *master, const char *told, const char *reason)
{
    char trail[700];
    snprintf(trail, sizeof trail,
             "NEW-CLIENT -> host:7\nNEW-CLIENT host:7 refused: %s\nEOF -> host:7 (%s)\n", reason,
             reason);
    const struct mwi_message *message = mwt_outbox_decode(&master->outbox, PEER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_EQUAL(message->kind, MWI_MESSAGE_REFUSE);
    CU_ASSERT_TRUE(mwt_text_is(message->reason, told));
    CU_ASSERT_STRING_EQUAL(master->outbox.trail, trail);
    CU_ASSERT_STRING_EQUAL(master->outbox.events, "send 7, drop 7, lost 7 after 0");
}

/* A slave with this member id is refused, and the farm goes on. The trail has `shown` in place of
 * the id. */
static void check_other_farm(const char *id, const char *shown)
{
    static struct mwt_master master;
    char reason[200];
    snprintf(reason, sizeof reason,
             "the slave's --mw-member-id is \"%s\", the master's is \"farm\": "
             "does it belong to another farm?",
             shown);
    start(&master);

    mwt_master_up(&master, PEER);
    greet_as(&master, PEER, id);

    check_refused(&master, "refused", reason);
    check_farm_goes_on(&master);
    end(&master);
}

/* A slave of another farm is refused, and does not hear the right member id. */
static void test_other_member_id(void)
{
    check_other_farm("meadow", "meadow");
}

/* A member id that only begins like ours is another one. */
static void test_similar_member_ids(void)
{
    static const char *const ids[] = {"", "f", "far", "farms", "Farm", "farm "};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        static struct mwt_master master;
        start(&master);
        mwt_master_up(&master, PEER);
        greet_as(&master, PEER, ids[i]);
        CU_ASSERT_EQUAL(mwt_outbox_kind(&master.outbox, PEER), MWI_MESSAGE_REFUSE);
        CU_ASSERT_STRING_EQUAL(master.outbox.events, "send 7, drop 7, lost 7 after 0");
        check_farm_goes_on(&master);
        end(&master);
    }
}

/* Of a member id that is long only the beginning is told. */
static void test_long_member_id(void)
{
    char id[300];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';

    check_other_farm(id, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

/* A member id that would control a terminal is shown, and does nothing. */
static void test_unprintable_member_id(void)
{
    check_other_farm("\x1b[2J\nfarm\xff", "\\x1b[2J\\nfarm\\xff");
}

/* A slave of another version of the protocol gets both versions in its refusal, whatever else its
 * greeting contains. */
static void test_other_protocol(void)
{
    static const char future[] = "\x94\x01\xa2mw\x63\x81\xa3new\xc3";
    static struct mwt_master master;
    char reason[200];
    start(&master);
    snprintf(reason, sizeof reason,
             "the master speaks protocol %d (mw %s), the slave 99: use the same version of the "
             "library on both sides",
             MW_PROTOCOL_VERSION, MW_VERSION_STRING);

    mwt_master_up(&master, PEER);
    mwt_master_bytes(&master, PEER, future, sizeof future - 1);

    check_refused(&master, reason, reason);
    check_farm_goes_on(&master);
    end(&master);
}

/* Bytes that are no message of ours, and the reason for which the master drops their sender. */
struct garbage {
    const char *bytes;
    size_t size;
    const char *reason;
};

#define BYTES(bytes) bytes, sizeof bytes - 1

static const struct garbage garbage[] = {
    {BYTES(""), "a frame that is not one msgpack value"},
    {BYTES("\0\1\0"), "a frame that is not one msgpack value"},
    {BYTES("GET / HTTP/1.1\r\n\r\n"), "a frame that is not one msgpack value"},
    {BYTES("\xdd\xff\xff\xff\xff"), "its message has more fields than a slave's messages have"},
    {BYTES("\x94\x01\xa2mw\x01"), "a frame that is not one msgpack value"},
    {BYTES("\x01"), "a frame that is no message"},
    {BYTES("\x90"), "a frame that is no message"},
    {BYTES("\x91\xa1x"), "a frame that is no message"},
    {BYTES("\x91\x00"), "a message of an unknown kind"},
    {BYTES("\x91\x63"), "a message of an unknown kind"},
    {BYTES("\x92\x01\xa2mw"), "a greeting that is not one of mw"},
    {BYTES("\x95\x01\xa2xx\x01\xa4"
           "farm\x64"),
     "a greeting that is not one of mw"},
    {BYTES("\x94\x01\xa2mw\x05\xa4"
           "farm"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa4"
           "farm\xff\xa0\xa0\x07\x00\x00"),
     "a malformed greeting"},
    {BYTES("\x91\x05"), "a message of tasks or results without all of its elements"},
    {BYTES("\x97\x05\x01\x00\x04\x00\x00\xc4\x00"), "a payload of an unknown form"},
};

/* Garbage before the greeting costs its sender the connection, and does not disturb others. */
static void test_garbage_before_greeting(void)
{
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        static struct mwt_master master;
        char trail[300];
        start(&master);
        snprintf(trail, sizeof trail,
                 "NEW-CLIENT -> host:7\nNEW-CLIENT host:7 refused: %s\nEOF -> host:7 (%s)\n",
                 garbage[i].reason, garbage[i].reason);

        mwt_master_up(&master, PEER);
        mwt_master_bytes(&master, PEER, garbage[i].bytes, garbage[i].size);

        CU_ASSERT_STRING_EQUAL(master.outbox.trail, trail);
        CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 7, lost 7 after 0");
        check_farm_goes_on(&master);
        end(&master);
    }
}

/* A slave that sends garbage is lost like any other, and its task goes back. */
static void test_garbage_after_greeting(void)
{
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        static struct mwt_master master;
        char line[200];
        start(&master);
        mwt_master_greet(&master, PEER);
        mwt_master_submit(&master, "a");
        mwt_master_tick(&master, 0);
        mwt_master_begin(&master, PEER);
        mwt_master_forget(&master);
        snprintf(line, sizeof line, "SLAVE-0 dropped: %s\n", garbage[i].reason);

        mwt_master_bytes(&master, PEER, garbage[i].bytes, garbage[i].size);

        CU_ASSERT_EQUAL(strncmp(master.outbox.trail, line, strlen(line)), 0);
        CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 7, lost 7 after 1");
        check_farm_goes_on(&master);
        CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 99), "a");
        end(&master);
    }
}

/* A client that says nothing is dropped when its time is up, not before. */
static void test_silence(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, PEER);
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), 60 * MWT_SECOND);
    mwt_master_tick(&master, 60 * MWT_SECOND - 1);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");

    mwt_master_tick(&master, 60 * MWT_SECOND);

    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 7, lost 7 after 0");
    CU_ASSERT_STRING_EQUAL(
        master.outbox.trail,
        "NEW-CLIENT -> host:7\n"
        "NEW-CLIENT host:7 refused: it did not greet within --mw-client-timeout\n"
        "EOF -> host:7 (it did not greet within --mw-client-timeout)\n");
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MAX);
    end(&master);
}

/* Each client has its own time; one that has greeted may be silent for as long as it likes. */
static void test_silence_after_greeting(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, 1);
    mwt_master_up(&master, 2);
    master.now_ns = MWT_SECOND;
    mwt_master_up(&master, 3);
    mwt_master_forget(&master);

    mwt_master_tick(&master, 60 * MWT_SECOND);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 2, lost 2 after 0");
    mwt_master_tick(&master, 61 * MWT_SECOND);
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 2, lost 2 after 0, drop 3, lost 3 after 0");
    mwt_master_tick(&master, 1000000 * MWT_SECOND);

    CU_ASSERT_EQUAL(mwi_slaves_ready_count(&master.engine.slaves), 1);
    end(&master);
}

static void write_result(struct mwi_buffer *buffer)
{
    mwt_items_result(buffer, 0, MWI_PAYLOAD_BYTES, "r", 1, 1);
}

static void write_goodbye(struct mwi_buffer *buffer)
{
    mwi_message_write_reason(buffer, MWI_MESSAGE_GOODBYE, "bye");
}

static void write_refuse(struct mwi_buffer *buffer)
{
    mwi_message_write_reason(buffer, MWI_MESSAGE_REFUSE, "no");
}

static void write_shutdown(struct mwi_buffer *buffer)
{
    mwi_message_write_bare(buffer, MWI_MESSAGE_SHUTDOWN);
}

static void write_welcome(struct mwi_buffer *buffer)
{
    mwi_message_write_welcome(buffer, 0, 1, 1000, 77, mwt_master_config().algorithms);
}

static void write_tasks(struct mwi_buffer *buffer)
{
    struct mwi_message_item task = mwt_items_make(0, MWI_PAYLOAD_BYTES, "t", 1);
    mwt_items_tasks(buffer, &task, 1);
}

static void send_written(struct mwt_master *master, void (*write)(struct mwi_buffer *buffer))
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    write(&buffer);
    mwt_master_frame(master, PEER, &buffer);
}

/* Nothing but a greeting may be the first message. */
static void test_message_before_greeting(void)
{
    static void (*const writers[])(struct mwi_buffer * buffer) = {
        write_result, write_goodbye, write_refuse, write_welcome, write_tasks, write_shutdown};

    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        static struct mwt_master master;
        start(&master);
        mwt_master_up(&master, PEER);

        send_written(&master, writers[i]);

        CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 7, lost 7 after 0");
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, "refused: it did not greet first\n"));
        check_farm_goes_on(&master);
        end(&master);
    }
}

/* A slave that talks like a master is dropped. */
static void test_messages_of_a_master(void)
{
    static void (*const writers[])(struct mwi_buffer * buffer) = {write_refuse, write_welcome,
                                                                  write_tasks, write_shutdown};

    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        static struct mwt_master master;
        start(&master);
        mwt_master_greet(&master, PEER);
        mwt_master_forget(&master);

        send_written(&master, writers[i]);

        CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                               "SLAVE-0 dropped: it sent a message that only a master sends\n"
                               "SLAVE-0 -> :disconnected\n"
                               "EOF -> host:7 (it sent a message that only a master sends)\n");
        CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 7, lost 7 after 0");
        end(&master);
    }
}

/* A peer that greets twice is dropped, and does not get another number. */
static void test_greeting_twice(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_greet(&master, PEER);
    mwt_master_forget(&master);

    greet_as(&master, PEER, MWT_MEMBER_ID);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "SLAVE-0 dropped: it greeted twice\n"
                                                "SLAVE-0 -> :disconnected\n"
                                                "EOF -> host:7 (it greeted twice)\n");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "drop 7, lost 7 after 0");
    CU_ASSERT_EQUAL(master.engine.slaves.records_count, 1);
    end(&master);
}

/* A client that goes before it has greeted leaves nothing but a line. */
static void test_down_before_greeting(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, PEER);

    mwt_master_down(&master, PEER, "closed by the peer");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "NEW-CLIENT -> host:7\nEOF -> host:7 (closed by the peer)\n");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "lost 7 after 0");
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MAX);
    end(&master);
}

/* Frames of a peer that was dropped, or never was, are ignored. */
static void test_peers_that_are_not(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_up(&master, PEER);
    mwt_master_bytes(&master, PEER, "?", 1);
    mwt_master_forget(&master);

    greet_as(&master, PEER, MWT_MEMBER_ID);
    mwt_master_down(&master, PEER, "closed by the peer");
    greet_as(&master, 1234, MWT_MEMBER_ID);
    mwt_master_down(&master, 1234, "closed by the peer");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "lost 7 after 0, lost 1234 after 0");
    end(&master);
}

/* Without an audit trail no record is made, and everything else is the same. */
static void test_no_audit_when_nobody_listens(void)
{
    static struct mwt_master master;
    start(&master);
    master.engine.effects.audited_kinds = 0;

    mwt_master_greet(&master, PEER);
    mwt_master_submit(&master, "a b");
    mwt_master_tick(&master, 0);
    mwt_master_fail(&master, PEER, "a");
    mwt_master_down(&master, PEER, "closed by the peer");
    mwi_membership_shutdown(&master.engine, 0, 10 * MWT_SECOND);
    mwt_master_tick(&master, 0);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "admit 7, send 7, send 7, send 7, lost 7 after 1");
    end(&master);
}

/* A task carries its algorithm as 16 bits; a program with more of them is told at the start. */
static void test_too_many_algorithms(void)
{
    enum { MAX = UINT16_MAX };
    static mw_algorithm many[MAX + 2];
    struct mwi_master_engine engine;
    struct mwi_master_engine_config config = mwt_master_config();
    config.algorithms = many;
    for (size_t i = 0; i <= MAX; i++)
        many[i].name = "x";

    CU_ASSERT_EQUAL(mwi_master_engine_init(&engine, &config), MW_EINVAL);
    many[MAX].name = NULL;
    CU_ASSERT_EQUAL_FATAL(mwi_master_engine_init(&engine, &config), MW_OK);

    CU_ASSERT_EQUAL(engine.algorithms_count, MAX);
    mwi_master_engine_fini(&engine);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"welcome", test_welcome},
        {"origin", test_origin},
        {"ids", test_ids},
        {"peers of two transports", test_peers_of_two_transports},
        {"other member id", test_other_member_id},
        {"similar member ids", test_similar_member_ids},
        {"long member id", test_long_member_id},
        {"unprintable member id", test_unprintable_member_id},
        {"other protocol", test_other_protocol},
        {"garbage before greeting", test_garbage_before_greeting},
        {"garbage after greeting", test_garbage_after_greeting},
        {"silence", test_silence},
        {"silence after greeting", test_silence_after_greeting},
        {"message before greeting", test_message_before_greeting},
        {"messages of a master", test_messages_of_a_master},
        {"greeting twice", test_greeting_twice},
        {"down before greeting", test_down_before_greeting},
        {"peers that are not", test_peers_that_are_not},
        {"no audit when nobody listens", test_no_audit_when_nobody_listens},
        {"too many algorithms", test_too_many_algorithms},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master_engine: greeting", tests);
}
