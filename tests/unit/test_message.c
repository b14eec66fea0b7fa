/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages on the wire: a written message reads back, a malformed one is refused with a
 * reason, and two forms are the same in every version of the protocol.
 */
#include "wire/message.h"

#include <stdio.h>
#include <string.h>

#include "mwt_hello.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define BYTES(bytes) bytes, sizeof bytes - 1

/* A message that was written, and the message that was read from it. */
struct way {
    struct mwi_buffer buffer;
    struct mwi_decoder decoder;
    struct mwi_message message;
    mw_reason why;
};

static void start(struct way *way)
{
    mwi_buffer_init(&way->buffer);
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&way->decoder));
}

static void end(struct way *way)
{
    mwi_message_decoder_fini(&way->decoder);
    mwi_buffer_fini(&way->buffer);
}

static mw_error decode(struct way *way)
{
    strcpy(way->why.text, "");
    return mwi_message_decode(&way->decoder, way->buffer.data, way->buffer.size, &way->message,
                              &way->why);
}

/* Decodes the written message, which must be of that kind. */
static void read_back(struct way *way, enum mwi_message_kind kind)
{
    CU_ASSERT_FALSE_FATAL(way->buffer.has_failed);
    CU_ASSERT_EQUAL_FATAL(decode(way), MW_OK);
    CU_ASSERT_EQUAL_FATAL(way->message.kind, kind);
}

static bool text_is(struct mwi_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

static bool payload_is(const struct mwi_payload *payload, const char *data, size_t size,
                       bool is_bytes)
{
    return payload->is_bytes == is_bytes && payload->size == size &&
           memcmp(payload->data, data, size) == 0;
}

static bool is_inside(const struct way *way, const unsigned char *data, size_t size)
{
    return data >= way->buffer.data && data + size <= way->buffer.data + way->buffer.size;
}

/* A greeting keeps its form in every version, so that other versions can answer it. */
static void test_hello(void)
{
    static const char expected[] = "\x98\x01\xa2mw\x03\xa4"
                                   "farm\xce\x04\x00\x00\x00\xa4node\xa4"
                                   "boot\x07";
    struct way way;
    start(&way);

    mwi_message_write_hello(&way.buffer, &(struct mwi_message_hello){
                                             .member_id = mwi_message_text("farm"),
                                             .frame_bytes_max = 64 << 20,
                                             .host = mwi_message_text("node"),
                                             .boot_id = mwi_message_text("boot"),
                                             .pid = 7,
                                         });

    CU_ASSERT_EQUAL_FATAL(way.buffer.size, sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, BYTES(expected)), 0);
    read_back(&way, MWI_MESSAGE_HELLO);
    CU_ASSERT_EQUAL(way.message.hello.protocol, MW_PROTOCOL_VERSION);
    CU_ASSERT_TRUE(text_is(way.message.hello.member_id, "farm"));
    CU_ASSERT_EQUAL(way.message.hello.frame_bytes_max, 64 << 20);
    CU_ASSERT_TRUE(text_is(way.message.hello.host, "node"));
    CU_ASSERT_TRUE(text_is(way.message.hello.boot_id, "boot"));
    CU_ASSERT_EQUAL(way.message.hello.pid, 7);
    end(&way);
}

/* Decodes a greeting with texts of these lengths. */
static mw_error decode_hello_of_lengths(size_t host_bytes, size_t boot_id_bytes)
{
    static const char letters[300] = "the rest is zero";
    struct way way;
    msgpack_packer packer;
    start(&way);
    mwi_buffer_append(&way.buffer, BYTES("\x98\x01\xa2mw\x03\xa1x\x07"));
    msgpack_packer_init(&packer, &way.buffer, mwi_buffer_write);
    msgpack_pack_str_with_body(&packer, letters, host_bytes);
    msgpack_pack_str_with_body(&packer, letters, boot_id_bytes);
    msgpack_pack_uint32(&packer, UINT32_MAX);
    mw_error error = decode(&way);
    end(&way);
    return error;
}

/* The texts of a greeting have limits. */
static void test_hello_limits(void)
{
    CU_ASSERT_EQUAL(decode_hello_of_lengths(255, 64), MW_OK);
    CU_ASSERT_EQUAL(decode_hello_of_lengths(256, 64), MW_EPROTOCOL);
    CU_ASSERT_EQUAL(decode_hello_of_lengths(255, 65), MW_EPROTOCOL);
}

/* Only the version of a greeting of another version is read: its other fields are unknown. */
static void test_hello_of_another_version(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        uint64_t version;
    } hellos[] = {
        {BYTES("\x93\x01\xa2mw\x00"), 0},
        {BYTES("\x93\x01\xa2mw\x01"), 1},
        {BYTES("\x95\x01\xa2mw\x01\xa4"
               "farm\x64"),
         1},
        {BYTES("\x95\x01\xa2mw\x07\x80\xc0"), 7},
        {BYTES("\x93\x01\xa2mw\xce\xff\xff\xff\xff"), UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        struct way way;
        start(&way);
        mwi_buffer_append(&way.buffer, hellos[i].bytes, hellos[i].size);

        read_back(&way, MWI_MESSAGE_HELLO);

        CU_ASSERT_EQUAL(way.message.hello.protocol, hellos[i].version);
        end(&way);
    }
}

/* A refusal keeps its form in every version, so that other versions can read why. */
static void test_refuse(void)
{
    static const char expected[] = "\x92\x03\xa3no!";
    struct way way;
    start(&way);

    mwi_message_write_reason(&way.buffer, MWI_MESSAGE_REFUSE, "no!");

    CU_ASSERT_EQUAL_FATAL(way.buffer.size, sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, BYTES(expected)), 0);
    read_back(&way, MWI_MESSAGE_REFUSE);
    CU_ASSERT_TRUE(text_is(way.message.reason, "no!"));
    end(&way);
}

/* A goodbye has a reason, which may be empty; so has the word of a slave that is leaving. */
static void test_goodbye(void)
{
    static const enum mwi_message_kind kinds[] = {MWI_MESSAGE_GOODBYE, MWI_MESSAGE_LEAVING};
    for (size_t i = 0; i < 2; i++) {
        struct way way;
        start(&way);

        mwi_message_write_reason(&way.buffer, kinds[i], "");

        read_back(&way, kinds[i]);
        CU_ASSERT_TRUE(text_is(way.message.reason, ""));
        end(&way);
    }
}

/* A welcome brings numbers from end to end of their range, and any number of algorithms. */
static void test_welcome(void)
{
    static const mw_algorithm algorithms[] = {{"one", NULL}, {"", NULL}, {"three", NULL}, {0}};
    struct way way;
    start(&way);

    mwi_message_write_welcome(&way.buffer, UINT32_MAX, 1, UINT64_MAX, algorithms);

    read_back(&way, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(way.message.welcome.sid, UINT32_MAX);
    CU_ASSERT_EQUAL(way.message.welcome.result_group, 1);
    CU_ASSERT_EQUAL(way.message.welcome.frame_bytes_max, UINT64_MAX);
    CU_ASSERT_EQUAL_FATAL(way.message.welcome.algorithms_count, 3);
    CU_ASSERT_TRUE(text_is(mwi_message_algorithm(&way.message, 0), "one"));
    CU_ASSERT_TRUE(text_is(mwi_message_algorithm(&way.message, 1), ""));
    CU_ASSERT_TRUE(text_is(mwi_message_algorithm(&way.message, 2), "three"));
    end(&way);

    start(&way);
    mwi_message_write_welcome(&way.buffer, 0, UINT32_MAX, 0, algorithms + 3);
    read_back(&way, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(way.message.welcome.result_group, UINT32_MAX);
    CU_ASSERT_EQUAL(way.message.welcome.algorithms_count, 0);
    end(&way);
}

/* A shutdown is nothing but its kind, and so are the taking back of tasks and its answer. */
static void test_bare(void)
{
    static const enum mwi_message_kind kinds[] = {MWI_MESSAGE_SHUTDOWN, MWI_MESSAGE_RECALL,
                                                  MWI_MESSAGE_RETURNED};
    for (size_t i = 0; i < 3; i++) {
        struct way way;
        start(&way);

        mwi_message_write_bare(&way.buffer, kinds[i]);

        CU_ASSERT_EQUAL(way.buffer.size, 2);
        read_back(&way, kinds[i]);
        end(&way);
    }
}

/* A task that is timed comes alone, small or large, and the answer to it names it. */
static void test_timed(void)
{
    unsigned char data[] = "\x01\x02";
    struct mwi_message_item item;
    struct way way;
    start(&way);

    mwi_message_write_timed_task(&way.buffer, 300, 1, &(struct mwi_payload){data, 2, false});
    read_back(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL(way.message.items_count, 1);
    CU_ASSERT_TRUE(way.message.is_timed);
    mwi_message_task(&way.message, 0, &item);
    CU_ASSERT_TRUE(item.id == 300 && item.algorithm == 1);
    CU_ASSERT_TRUE(payload_is(&item.payload, "\x01\x02", 2, false));
    mwi_buffer_clear(&way.buffer);
    mwi_message_begin_large_task(&way.buffer, 300, 1, true, true);
    read_back(&way, MWI_MESSAGE_LARGE_TASK);
    CU_ASSERT_TRUE(way.message.is_timed && way.message.large.is_bytes);
    mwi_buffer_clear(&way.buffer);
    mwi_message_write_begun(&way.buffer, 300);
    read_back(&way, MWI_MESSAGE_BEGUN);
    CU_ASSERT_EQUAL(way.message.begun, 300);
    end(&way);
}

/* Tasks come with their payloads in place, values and raw bytes, empty ones too. */
static void test_tasks(void)
{
    unsigned char data[] = "\x01\x02";
    struct mwi_message_item item;
    struct way way;
    start(&way);

    mwi_message_begin_tasks(&way.buffer, 3);
    mwi_message_write_task(&way.buffer, 0, 0, &(struct mwi_payload){data, 2, false});
    mwi_message_write_task(&way.buffer, UINT64_MAX, UINT32_MAX,
                           &(struct mwi_payload){data, 1, true});
    mwi_message_write_task(&way.buffer, 7, 1, &(struct mwi_payload){NULL, 0, true});

    read_back(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL_FATAL(way.message.items_count, 3);
    mwi_message_task(&way.message, 0, &item);
    CU_ASSERT_TRUE(item.id == 0 && item.algorithm == 0);
    CU_ASSERT_TRUE(payload_is(&item.payload, "\x01\x02", 2, false));
    CU_ASSERT_TRUE(is_inside(&way, item.payload.data, 2));
    mwi_message_task(&way.message, 1, &item);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.algorithm == UINT32_MAX);
    CU_ASSERT_TRUE(payload_is(&item.payload, "\x01", 1, true));
    mwi_message_task(&way.message, 2, &item);
    CU_ASSERT_TRUE(item.id == 7 && item.payload.is_bytes && item.payload.size == 0);
    end(&way);
}

/* Results of all kinds in one message, whose number is known only at its end. */
static void test_results(void)
{
    struct mwi_message_item item;
    struct way way;
    start(&way);

    mwi_message_begin_results(&way.buffer);
    mwi_message_begin_result(&way.buffer, 1);
    size_t opened = mwi_message_open_values(&way.buffer);
    mwi_buffer_append(&way.buffer, "\x05\xc0", 2);
    mwi_message_close_values(&way.buffer, opened);
    mwi_message_end_result(&way.buffer, MWI_RESULT_DONE, 0);
    mwi_message_begin_result(&way.buffer, UINT64_MAX);
    mwi_message_write_bytes(&way.buffer, "raw", 3);
    mwi_message_end_result(&way.buffer, MWI_RESULT_DONE, UINT64_MAX);
    mwi_message_begin_result(&way.buffer, 300);
    mwi_message_write_failure(&way.buffer, "broken");
    mwi_message_end_result(&way.buffer, MWI_RESULT_FAILED, 5);
    mwi_message_end_results(&way.buffer, 3);

    read_back(&way, MWI_MESSAGE_RESULTS);
    CU_ASSERT_EQUAL_FATAL(way.message.items_count, 3);
    mwi_message_result(&way.message, 0, &item);
    CU_ASSERT_TRUE(item.id == 1 && item.status == MWI_RESULT_DONE && item.duration_ns == 0);
    CU_ASSERT_TRUE(payload_is(&item.payload, "\x05\xc0", 2, false));
    mwi_message_result(&way.message, 1, &item);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.duration_ns == UINT64_MAX);
    CU_ASSERT_TRUE(payload_is(&item.payload, "raw", 3, true));
    mwi_message_result(&way.message, 2, &item);
    CU_ASSERT_TRUE(item.id == 300 && item.status == MWI_RESULT_FAILED && item.duration_ns == 5);
    CU_ASSERT_TRUE(payload_is(&item.payload, "broken", 6, false));
    CU_ASSERT_TRUE(is_inside(&way, item.payload.data, 6));
    end(&way);
}

/* A result may have no values. */
static void test_result_of_no_values(void)
{
    struct mwi_message_item item;
    struct way way;
    start(&way);

    mwi_message_begin_results(&way.buffer);
    mwi_message_begin_result(&way.buffer, 0);
    mwi_message_close_values(&way.buffer, mwi_message_open_values(&way.buffer));
    mwi_message_end_result(&way.buffer, MWI_RESULT_DONE, 0);
    mwi_message_end_results(&way.buffer, 1);

    read_back(&way, MWI_MESSAGE_RESULTS);
    mwi_message_result(&way.message, 0, &item);
    CU_ASSERT_EQUAL(item.payload.size, 0);
    CU_ASSERT_FALSE(item.payload.is_bytes);
    end(&way);
}

/* The payload of a large task is everything behind its head, whatever its bytes are. */
static void test_large_task(void)
{
    static const char payload[] = "\xdd\xff\xff\xff\xff raw";
    struct mwi_message_item item;
    struct way way;
    start(&way);

    mwi_message_begin_large_task(&way.buffer, UINT64_MAX, UINT16_MAX, true, false);
    CU_ASSERT_EQUAL(way.buffer.size, 16);
    mwi_buffer_append(&way.buffer, payload, sizeof payload);

    read_back(&way, MWI_MESSAGE_LARGE_TASK);
    CU_ASSERT_EQUAL_FATAL(way.message.items_count, 1);
    mwi_message_task(&way.message, 0, &item);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.algorithm == UINT16_MAX);
    CU_ASSERT_TRUE(payload_is(&item.payload, payload, sizeof payload, true));
    CU_ASSERT_TRUE(is_inside(&way, item.payload.data, sizeof payload));
    end(&way);
}

/* A large result reads back with ids of any size. */
static void test_large_result(void)
{
    static const uint64_t ids[] = {
        0,         0x7f, 0x80, 0xff, 0x100, 0xffff, 65536, UINT32_MAX, (uint64_t)UINT32_MAX + 1,
        UINT64_MAX};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct mwi_message_item item;
        struct way way;
        start(&way);
        mwi_message_begin_large_result(&way.buffer, ids[i], 7, i % 2 == 0);
        CU_ASSERT_EQUAL(way.buffer.size, 32);
        mwi_buffer_append(&way.buffer, "\x05\xc0", 2);

        read_back(&way, MWI_MESSAGE_LARGE_RESULT);
        CU_ASSERT_EQUAL_FATAL(way.message.items_count, 1);
        mwi_message_result(&way.message, 0, &item);
        CU_ASSERT_TRUE(item.id == ids[i] && item.status == MWI_RESULT_DONE);
        CU_ASSERT_EQUAL(item.duration_ns, 7);
        CU_ASSERT_TRUE(payload_is(&item.payload, "\x05\xc0", 2, i % 2 == 0));
        end(&way);
    }
}

/* A task or result never takes more room, besides its payload, than is set aside for it. */
static void test_overhead(void)
{
    enum { BYTES_COUNT = 100000 };
    static unsigned char bytes[BYTES_COUNT];
    struct mwi_payload payload = {bytes, BYTES_COUNT, false};
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);

    mwi_message_begin_tasks(&buffer, 100000);
    CU_ASSERT_TRUE(buffer.size <= MWI_MESSAGE_OVERHEAD_BYTES);
    mwi_buffer_clear(&buffer);
    mwi_message_write_task(&buffer, UINT64_MAX, UINT32_MAX, &payload);
    CU_ASSERT_TRUE(buffer.size - BYTES_COUNT <= MWI_MESSAGE_OVERHEAD_BYTES);
    mwi_buffer_clear(&buffer);
    mwi_message_begin_results(&buffer);
    mwi_message_begin_result(&buffer, UINT64_MAX);
    mwi_message_write_bytes(&buffer, bytes, BYTES_COUNT);
    mwi_message_end_result(&buffer, MWI_RESULT_DONE, UINT64_MAX);
    CU_ASSERT_TRUE(buffer.size - BYTES_COUNT <= MWI_MESSAGE_OVERHEAD_BYTES);

    mwi_buffer_fini(&buffer);
}

/* Bytes that are no message, and the reasons. */
static const struct {
    const char *bytes;
    size_t size;
    const char *why;
} malformed[] = {
    {BYTES(""), "a frame that is not one msgpack value"},
    {BYTES("\xc1"), "a frame that is not one msgpack value"},
    {BYTES("\x91\x06\x00"), "a frame that is not one msgpack value"},
    {BYTES("\x92\x06"), "a frame that is not one msgpack value"},
    {BYTES("\xc0"), "a frame that is no message"},
    {BYTES("\x81\x06\x00"), "a frame that is no message"},
    {BYTES("\x90"), "a frame that is no message"},
    {BYTES("\x91\xc0"), "a frame that is no message"},
    {BYTES("\x91\xff"), "a frame that is no message"},
    {BYTES("\x91\xcd\x01\x06"), "a frame that is no message"},
    {BYTES("\x91\x00"), "a message of an unknown kind"},
    {BYTES("\x91\x11"), "a message of an unknown kind"},
    {BYTES("\x91\xcc\xff"), "a message of an unknown kind"},
    {BYTES("\x91\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\x07\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mv\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa3mwx\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mw\xff"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mw\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
     "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mw\x03"), "a malformed greeting"},
    {BYTES("\x95\x01\xa2mw\x03\xa1x\x07"), "a malformed greeting"},
    {BYTES("\x98\x01\xa2mw\x03\x07\x07\xa1h\xa1"
           "b\x07"),
     "a malformed greeting"},
    {BYTES("\x98\x01\xa2mw\x03\xa1x\xff\xa1h\xa1"
           "b\x07"),
     "a malformed greeting"},
    {BYTES("\x98\x01\xa2mw\x03\xa1x\x07\x07\xa1"
           "b\x07"),
     "a malformed greeting"},
    {BYTES("\x98\x01\xa2mw\x03\xa1x\x07\xa1h\xc0\x07"), "a malformed greeting"},
    {BYTES("\x98\x01\xa2mw\x03\xa1x\x07\xa1h\xa1"
           "b\xff"),
     "a malformed greeting"},
    {BYTES("\x98\x01\xa2mw\x03\xa1x\x07\xa1h\xa1"
           "b\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
     "a malformed greeting"},
    {BYTES("\x99\x01\xa2mw\x03\xa1x\x07\xa1h\xa1"
           "b\x07\x07"),
     "a malformed greeting"},
    {BYTES("\x93\x02\x00\x01"), "a malformed welcome"},
    {BYTES("\x94\x02\xff\x01\x01"), "a malformed welcome"},
    {BYTES("\x94\x02\x00\x01\xff"), "a malformed welcome"},
    {BYTES("\x95\x02\x00\x01\x01\x07"), "a welcome with an algorithm that is no name"},
    {BYTES("\x91\x03"), "a malformed refusal or goodbye"},
    {BYTES("\x92\x03\x07"), "a malformed refusal or goodbye"},
    {BYTES("\x93\x07\xa0\xa0"), "a malformed refusal or goodbye"},
    {BYTES("\x91\x0e"), "a malformed refusal or goodbye"},
    {BYTES("\x91\x04"), "a malformed message of tasks"},
    {BYTES("\x93\x04\x00\x00"), "a malformed message of tasks"},
    {BYTES("\x94\x04\xff\x00\xc4\x00"), "a malformed task"},
    {BYTES("\x94\x04\x00\xff\xc4\x00"), "a malformed task"},
    {BYTES("\x94\x04\x00\x00\xa0"), "a malformed task"},
    {BYTES("\x95\x04\x00\x00\xa0\x01"), "a malformed task"},
    {BYTES("\x95\x04\x00\x00\xc4\x00\x02"), "a malformed message of tasks"},
    {BYTES("\x91\x0d"), "a malformed message that a task begins"},
    {BYTES("\x92\x0d\xa0"), "a malformed message that a task begins"},
    {BYTES("\x93\x0d\x01\x01"), "a malformed message that a task begins"},
    {BYTES("\x94\x04\x00\x00\xc7\x00\x02"), "a malformed task"},
    {BYTES("\x91\x05"), "a malformed message of results"},
    {BYTES("\x94\x05\x00\xc4\x00\x00"), "a malformed message of results"},
    {BYTES("\x95\x05\xff\xc4\x00\x00\x00"), "a malformed result"},
    {BYTES("\x95\x05\x00\xc4\x00\x02\x00"), "a malformed result"},
    {BYTES("\x95\x05\x00\xc4\x00\xff\x00"), "a malformed result"},
    {BYTES("\x95\x05\x00\xc4\x00\x01\x00"), "a malformed result"},
    {BYTES("\x95\x05\x00\xa0\x00\x00"), "a malformed result"},
    {BYTES("\x95\x05\x00\xc4\x00\x00\xff"), "a malformed result"},
    {BYTES("\x91\x0b"), "a malformed large task"},
    {BYTES("\x93\x0b\x00\x00payload"), "a malformed large task"},
    {BYTES("\x95\x0b\x00\x00\x00\x00payload"), "a malformed large task"},
    {BYTES("\x94\x0b\xff\x00\x00payload"), "a malformed large task"},
    {BYTES("\x94\x0b\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00payload"),
     "a malformed large task"},
    {BYTES("\x94\x0b\x00\x00\x04payload"), "a malformed large task"},
    {BYTES("\x94\x0b\x00\x00"), "a frame that is not one msgpack value"},
    {BYTES("\x93\x0c\x00\x00payload"), "a malformed large result"},
    {BYTES("\x94\x0c\xc0\x00\x00payload"), "a malformed large result"},
    {BYTES("\x94\x0c\x00\xff\x00payload"), "a malformed large result"},
    {BYTES("\x94\x0c\x00\x00\xa0payload"), "a malformed large result"},
    {BYTES("\x92\x06\x00"), "a message with fields it has not"},
    {BYTES("\x92\x08\x00"), "a message with fields it has not"},
    {BYTES("\x92\x0f\x00"), "a message with fields it has not"},
    {BYTES("\x92\x10\x00"), "a message with fields it has not"},
};

/* Each is refused with a reason. */
static void test_malformed(void)
{
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct way way;
        start(&way);
        mwi_buffer_append(&way.buffer, malformed[i].bytes, malformed[i].size);

        CU_ASSERT_EQUAL(decode(&way), MW_EPROTOCOL);

        CU_ASSERT_STRING_EQUAL(way.why.text, malformed[i].why);
        end(&way);
    }
}

static void write_sample(struct mwi_buffer *buffer, size_t kind)
{
    static const mw_algorithm algorithms[] = {{"alpha", NULL}, {0}};
    unsigned char data[300] = {0};
    mwi_buffer_clear(buffer);
    switch (kind) {
    case 0:
        mwt_hello(buffer, "member", 70000);
        break;
    case 1:
        mwi_message_write_welcome(buffer, 300, 70000, 5, algorithms);
        break;
    case 2:
        mwi_message_begin_tasks(buffer, 2);
        mwi_message_write_task(buffer, 1, 0, &(struct mwi_payload){data, sizeof data, true});
        mwi_message_write_task(buffer, 70000, 300, &(struct mwi_payload){data, 5, false});
        break;
    case 3:
        mwi_message_begin_results(buffer);
        mwi_message_begin_result(buffer, 300);
        mwi_message_write_bytes(buffer, data, 20);
        mwi_message_end_result(buffer, MWI_RESULT_DONE, 70000);
        mwi_message_end_results(buffer, 1);
        break;
    case 4:
        mwi_message_begin_large_task(buffer, 300, 7000, true, false);
        break;
    case 5:
        mwi_message_begin_large_result(buffer, 300, 70000, false);
        break;
    default:
        mwi_message_write_reason(buffer, MWI_MESSAGE_REFUSE, "no");
        break;
    }
}

/* A message that is cut off anywhere is refused. */
static void test_truncations(void)
{
    for (size_t kind = 0; kind < 7; kind++) {
        struct way way;
        start(&way);
        write_sample(&way.buffer, kind);
        size_t whole = way.buffer.size;

        for (way.buffer.size = 0; way.buffer.size < whole; way.buffer.size++)
            CU_ASSERT_EQUAL(decode(&way), MW_EPROTOCOL);

        CU_ASSERT_EQUAL(decode(&way), MW_OK);
        end(&way);
    }
}

/* Damaged messages are refused, or read as the messages that they have become. One decoder reads
 * them all. */
static void test_damaged(void)
{
    struct mwt_random random;
    struct way way;
    mwt_random_start(&random);
    start(&way);

    for (int round = 0; round < 20000; round++) {
        write_sample(&way.buffer, mwt_random_below(&random, 7));
        for (size_t i = mwt_random_below(&random, 3); i > 0; i--)
            way.buffer.data[mwt_random_below(&random, way.buffer.size)] =
                (unsigned char)mwt_random_next(&random);
        mw_error error = decode(&way);
        CU_ASSERT_TRUE(error == MW_OK || (error == MW_EPROTOCOL && way.why.text[0] != '\0'));
        if (error != MW_OK ||
            (way.message.kind != MWI_MESSAGE_TASKS && way.message.kind != MWI_MESSAGE_LARGE_TASK))
            continue;
        for (size_t i = 0; i < way.message.items_count; i++) {
            struct mwi_message_item item;
            mwi_message_task(&way.message, i, &item);
            CU_ASSERT_TRUE(is_inside(&way, item.payload.data, item.payload.size));
        }
    }

    end(&way);
}

/* Writing to a buffer that has run out of memory does no harm; the buffer remembers it. */
static void test_writing_without_memory(void)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    CU_ASSERT_FALSE(mwi_buffer_reserve(&buffer, SIZE_MAX));

    mwi_message_begin_results(&buffer);
    mwi_message_begin_result(&buffer, 1);
    mwi_message_close_values(&buffer, mwi_message_open_values(&buffer));
    mwi_message_write_failure(&buffer, "no");
    mwi_message_end_result(&buffer, MWI_RESULT_FAILED, 1);
    mwi_message_end_results(&buffer, 1);
    mwt_hello(&buffer, "farm", 1);

    CU_ASSERT_TRUE(buffer.has_failed);
    CU_ASSERT_EQUAL(buffer.size, 0);
    mwi_buffer_fini(&buffer);
}

/* Numbers and lengths are written as msgpack-c writes them, in the shortest form. */
static void test_shortest_forms(void)
{
    static const uint64_t numbers[] = {0,
                                       127,
                                       128,
                                       255,
                                       256,
                                       65535,
                                       65536,
                                       UINT32_MAX,
                                       UINT64_C(1) << 32,
                                       UINT64_MAX,
                                       UINT64_C(0x0123456789abcdef)};
    static unsigned char bytes[65536];
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct mwi_buffer ours, theirs;
        msgpack_packer packer;
        size_t size = numbers[i] <= sizeof bytes ? (size_t)numbers[i] : 1;
        mwi_buffer_init(&ours);
        mwi_buffer_init(&theirs);

        mwi_message_begin_result(&ours, numbers[i]);
        mwi_message_write_bytes(&ours, bytes, size);
        mwi_message_end_result(&ours, MWI_RESULT_FAILED, numbers[i]);
        mwi_message_write_task(&ours, numbers[i], (uint32_t)numbers[i],
                               &(struct mwi_payload){bytes, size, true});

        msgpack_packer_init(&packer, &theirs, mwi_buffer_write);
        msgpack_pack_uint64(&packer, numbers[i]);
        msgpack_pack_bin_with_body(&packer, bytes, size);
        msgpack_pack_uint8(&packer, MWI_RESULT_FAILED);
        msgpack_pack_uint64(&packer, numbers[i]);
        msgpack_pack_uint64(&packer, numbers[i]);
        msgpack_pack_uint32(&packer, (uint32_t)numbers[i]);
        msgpack_pack_bin_with_body(&packer, bytes, size);
        CU_ASSERT_EQUAL_FATAL(ours.size, theirs.size);
        CU_ASSERT_EQUAL(memcmp(ours.data, theirs.data, ours.size), 0);
        mwi_buffer_fini(&ours);
        mwi_buffer_fini(&theirs);
    }
}

/* Values of any length come back as they were written. */
static void test_lengths_of_values(void)
{
    static const size_t sizes[] = {0, 1, 2, 4, 16, 255, 256, 65535, 65536};
    static unsigned char bytes[65536];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mwi_message_item item;
        struct way way;
        start(&way);
        mwi_message_begin_tasks(&way.buffer, 1);

        mwi_message_write_task(&way.buffer, 1, 2, &(struct mwi_payload){bytes, sizes[i], false});

        read_back(&way, MWI_MESSAGE_TASKS);
        mwi_message_task(&way.message, 0, &item);
        CU_ASSERT_EQUAL(item.payload.size, sizes[i]);
        CU_ASSERT_FALSE(item.payload.is_bytes);
        end(&way);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"hello", test_hello},
        {"hello limits", test_hello_limits},
        {"hello of another version", test_hello_of_another_version},
        {"refuse", test_refuse},
        {"goodbye", test_goodbye},
        {"welcome", test_welcome},
        {"bare", test_bare},
        {"timed", test_timed},
        {"tasks", test_tasks},
        {"results", test_results},
        {"result of no values", test_result_of_no_values},
        {"large task", test_large_task},
        {"large result", test_large_result},
        {"overhead", test_overhead},
        {"malformed", test_malformed},
        {"truncations", test_truncations},
        {"damaged", test_damaged},
        {"writing without memory", test_writing_without_memory},
        {"shortest forms", test_shortest_forms},
        {"lengths of values", test_lengths_of_values},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("message", tests);
}
