/* SPDX-License-Identifier: Apache-2.0
 *
 * The greeting without engines: what a slave writes is what a master reads, and what each of them
 * makes of an answer that is not as it should be. test_master_greeting and test_slave_phases have
 * what the engines do about it.
 */
#include "engine/greeting.h"

#include <stdio.h>
#include <string.h>

#include "mwt_hello.h"
#include "mwt_run.h"

static const mw_algorithm algorithms[] = {{"alpha", NULL}, {"beta", NULL}, {NULL, NULL}};

/* Both sides, and the message between them. */
struct rig {
    enum mwi_greeting_stage slave, client;
    struct mwi_greeting_terms terms;
    struct mwi_greeting_guest guest;
    struct mwi_buffer sent, answer;
    struct mwi_decoder decoder;
    struct mwi_message message;
    mw_reason why;
};

static void start(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->terms = (struct mwi_greeting_terms){.member_id = "farm",
                                             .run = 99,
                                             .algorithms = algorithms,
                                             .sid = 5,
                                             .result_group = 2,
                                             .frame_read_bytes_max = 4000,
                                             .frame_write_bytes_max = 5000};
    mwi_buffer_init(&rig->sent);
    mwi_buffer_init(&rig->answer);
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&rig->decoder));
}

static void end(struct rig *rig)
{
    mwi_message_decoder_fini(&rig->decoder);
    mwi_buffer_fini(&rig->sent);
    mwi_buffer_fini(&rig->answer);
}

static void decode(struct rig *rig, struct mwi_buffer *frame)
{
    CU_ASSERT_EQUAL_FATAL(
        mwi_message_decode(&rig->decoder, frame->data, frame->size, &rig->message, &rig->why),
        MW_OK);
}

/* The master takes the message that was sent. */
static enum mwi_greeting_verdict take_client(struct rig *rig)
{
    decode(rig, &rig->sent);
    return mwi_greeting_take_client(&rig->client, &rig->terms, &rig->message, &rig->guest,
                                    &rig->answer, &rig->why);
}

/* The slave takes the message in `frame`. */
static enum mwi_greeting_verdict take_answer(struct rig *rig, struct mwi_buffer *frame)
{
    struct mwi_buffer more;
    mwi_buffer_init(&more);
    decode(rig, frame);
    enum mwi_greeting_verdict verdict =
        mwi_greeting_take_answer(&rig->slave, &rig->message, &more, &rig->why);
    CU_ASSERT_EQUAL(more.size, 0);
    mwi_buffer_fini(&more);
    return verdict;
}

static void say_hello(struct rig *rig, const struct mwi_greeting_origin *origin)
{
    mwi_greeting_begin(&rig->slave,
                       &(struct mwi_greeting_self){.member_id = "farm",
                                                   .frame_bytes_max = 3000,
                                                   .traits = MWI_TRAIT_ISOLATED | MWI_TRAIT_RETURNS,
                                                   .origin = origin,
                                                   .offers_count = 9},
                       &rig->sent);
}

/* A slave that belongs to the farm is welcome; each side then knows of the other. */
static void test_welcome(void)
{
    static const struct mwi_greeting_origin origin = {"node", "boot", 77};
    struct rig rig;
    start(&rig);

    say_hello(&rig, &origin);
    CU_ASSERT_EQUAL(rig.slave, MWI_GREETING_HELLO);
    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_DONE);
    CU_ASSERT_EQUAL(take_answer(&rig, &rig.answer), MWI_GREETING_DONE);

    CU_ASSERT_EQUAL(rig.client, MWI_GREETING_OVER);
    CU_ASSERT_EQUAL(rig.slave, MWI_GREETING_OVER);
    CU_ASSERT_EQUAL(rig.guest.frame_bytes_max, 3000);
    CU_ASSERT_STRING_EQUAL(rig.guest.origin.host, "node");
    CU_ASSERT_STRING_EQUAL(rig.guest.origin.boot_id, "boot");
    CU_ASSERT_TRUE(rig.guest.is_isolated);
    CU_ASSERT_EQUAL(rig.guest.origin.pid, 77);
    CU_ASSERT(rig.guest.may_return);
    CU_ASSERT_EQUAL(rig.guest.offers_count, 9);
    CU_ASSERT_EQUAL(rig.message.welcome.run, 99);
    CU_ASSERT_EQUAL(rig.message.welcome.sid, 5);
    CU_ASSERT_EQUAL(rig.message.welcome.result_group, 2);
    CU_ASSERT_EQUAL(rig.message.welcome.frame_bytes_max, 4000);
    CU_ASSERT_EQUAL(rig.message.welcome.algorithms_count, 2);
    end(&rig);
}

/* A slave that does not know where it runs says nothing of it. */
static void test_unknown_origin(void)
{
    struct rig rig;
    start(&rig);

    say_hello(&rig, NULL);
    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_DONE);

    CU_ASSERT_STRING_EQUAL(rig.guest.origin.host, "");
    CU_ASSERT_STRING_EQUAL(rig.guest.origin.boot_id, "");
    CU_ASSERT_EQUAL(rig.guest.origin.pid, 0);
    end(&rig);
}

/* Names as long as they may be arrive whole. */
static void test_longest_origin(void)
{
    static struct mwi_greeting_origin origin;
    struct rig rig;
    memset(origin.host, 'h', sizeof origin.host - 1);
    memset(origin.boot_id, 'b', sizeof origin.boot_id - 1);
    start(&rig);

    say_hello(&rig, &origin);
    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_DONE);

    CU_ASSERT_STRING_EQUAL(rig.guest.origin.host, origin.host);
    CU_ASSERT_STRING_EQUAL(rig.guest.origin.boot_id, origin.boot_id);
    end(&rig);
}

static void check_host(const char *sent, size_t size, const char *kept)
{
    struct rig rig;
    start(&rig);
    mwi_message_write_hello(&rig.sent, &(struct mwi_message_hello){
                                           .member_id = mwi_message_text("farm"),
                                           .frame_bytes_max = 3000,
                                           .host = {sent, size},
                                           .boot_id = {sent, size},
                                       });

    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_DONE);

    CU_ASSERT_STRING_EQUAL(rig.guest.origin.host, kept);
    CU_ASSERT_STRING_EQUAL(rig.guest.origin.boot_id, kept);
    end(&rig);
}

#define BYTES(bytes) bytes, sizeof bytes - 1

/* Texts from strangers can be printed: what is not printable in them is escaped. */
static void test_unprintable_origin(void)
{
    check_host(BYTES("m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"),
               "m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80");
    check_host(BYTES("a\0b\nc\x1b[31m\x7f"), "a\\x00b\\nc\\x1b[31m\\x7f");
    check_host(BYTES("\xff\xc3"), "\\xff\\xc3");
    check_host(BYTES("x\xe2\x82"), "x\\xe2\\x82");
    check_host(BYTES("\xe2\x80\xae"
                     "evil\xc2\x85"),
               "\\u202eevil\\u0085");
    check_host(BYTES(""), "");
}

/* Refuses the slave for this reason, and tells it no more than `told`. */
static void check_refused(struct rig *rig, const char *told, const char *reason)
{
    CU_ASSERT_EQUAL(take_client(rig), MWI_GREETING_REFUSED);
    CU_ASSERT_STRING_EQUAL(rig->why.text, reason);
    CU_ASSERT_EQUAL(rig->client, MWI_GREETING_OVER);
    rig->slave = MWI_GREETING_HELLO;
    CU_ASSERT_EQUAL(take_answer(rig, &rig->answer), MWI_GREETING_REFUSED);
    CU_ASSERT_STRING_EQUAL(rig->why.text, told);
    CU_ASSERT_EQUAL(rig->slave, MWI_GREETING_OVER);
}

/* A slave of another farm, or that accepts too little, is refused, and the trail says why. */
static void test_refused(void)
{
    struct rig rig;
    start(&rig);
    mwt_hello(&rig.sent, "meadow", 3000);
    check_refused(&rig, "refused",
                  "the slave's --mw-member-id is \"meadow\", the master's is \"farm\": does "
                  "it belong to another farm?");
    end(&rig);

    start(&rig);
    mwt_hello(&rig.sent, "farm", 127);
    check_refused(&rig, "refused", "the slave accepts messages of 127 bytes; 128 is the least");
    end(&rig);
}

/* A master's reason is made printable before the slave tells it. */
static void test_unprintable_reason(void)
{
    struct rig rig;
    start(&rig);
    rig.slave = MWI_GREETING_HELLO;
    mwi_message_write_reason(&rig.sent, MWI_MESSAGE_REFUSE, "go\x1b[2J\naway\xe2");

    CU_ASSERT_EQUAL(take_answer(&rig, &rig.sent), MWI_GREETING_REFUSED);

    CU_ASSERT_STRING_EQUAL(rig.why.text, "go\\x1b[2J\\naway\\xe2");
    end(&rig);
}

/* A slave of another version is told so, whatever else its greeting holds. */
static void test_other_version(void)
{
    char expected[300];
    struct rig rig;
    start(&rig);
    snprintf(expected, sizeof expected,
             "the master speaks protocol %d (mw %s), the slave 1: use the same version of the "
             "library on both sides",
             MW_PROTOCOL_VERSION, mw_version());
    mwi_buffer_append(&rig.sent, BYTES("\x95\x01\xa2mw\x01\xa4"
                                       "farm\x64"));

    check_refused(&rig, expected, expected);

    end(&rig);
}

/* A welcome that one side does not allow becomes a refusal. Its reason names the option. */
static void test_large_welcome(void)
{
    static const char *const options[] = {"slave's --mw-max-read-buffer-size",
                                          "master's --mw-max-write-buffer-size"};
    char name[200], expected[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const mw_algorithm long_names[] = {{name, NULL}, {NULL, NULL}};
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        start(&rig);
        rig.terms.algorithms = long_names;
        if (i == 1)
            rig.terms.frame_write_bytes_max = 150;
        mwt_hello(&rig.sent, "farm", i == 0 ? 150 : 3000);
        snprintf(expected, sizeof expected,
                 "the names of the task algorithms need a message of 209 bytes: raise the %s",
                 options[i]);

        check_refused(&rig, "refused", expected);
        end(&rig);
    }
}

/* A master takes nothing but HELLO, and only one. */
static void test_client_breaks_it(void)
{
    struct rig rig;
    start(&rig);
    mwi_message_write_bare(&rig.sent, MWI_MESSAGE_PONG);
    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_BROKEN);
    CU_ASSERT_STRING_EQUAL(rig.why.text, "it did not greet first");
    CU_ASSERT_EQUAL(rig.answer.size, 0);
    end(&rig);

    start(&rig);
    say_hello(&rig, NULL);
    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_DONE);
    mwi_buffer_clear(&rig.answer);
    CU_ASSERT_EQUAL(take_client(&rig), MWI_GREETING_BROKEN);
    CU_ASSERT_STRING_EQUAL(rig.why.text, "it greeted twice");
    CU_ASSERT_EQUAL(rig.answer.size, 0);
    end(&rig);
}

/* A slave takes an answer only after it has spoken, and only one that ends the greeting. */
static void test_master_breaks_it(void)
{
    static const struct {
        enum mwi_message_kind kind;
        const char *why;
    } wrong[] = {
        {MWI_MESSAGE_PING, "the master sent a ping before its welcome"},
        {MWI_MESSAGE_PONG, "the master sent a message that only a slave sends"},
    };
    struct rig rig;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        start(&rig);
        rig.slave = MWI_GREETING_HELLO;
        mwi_message_write_bare(&rig.sent, wrong[i].kind);
        CU_ASSERT_EQUAL(take_answer(&rig, &rig.sent), MWI_GREETING_BROKEN);
        CU_ASSERT_STRING_EQUAL(rig.why.text, wrong[i].why);
        end(&rig);
    }

    start(&rig);
    mwi_message_write_welcome(&rig.sent, 1, 1, 1000, 77, algorithms);
    CU_ASSERT_EQUAL(take_answer(&rig, &rig.sent), MWI_GREETING_BROKEN);
    CU_ASSERT_STRING_EQUAL(rig.why.text, "the master spoke before the greeting");
    end(&rig);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"welcome", test_welcome},
        {"unknown origin", test_unknown_origin},
        {"longest origin", test_longest_origin},
        {"unprintable origin", test_unprintable_origin},
        {"refused", test_refused},
        {"unprintable reason", test_unprintable_reason},
        {"other version", test_other_version},
        {"large welcome", test_large_welcome},
        {"client breaks it", test_client_breaks_it},
        {"master breaks it", test_master_breaks_it},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("greeting", tests);
}
