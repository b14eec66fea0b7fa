/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages on the wire: a written message reads back, a malformed one is refused with a
 * reason, and two forms are the same in every version of the protocol.
 */
#include "wire/message.h"

#include <stdio.h>
#include <string.h>

#include "mwt_hello.h"
#include "mwt_items.h"
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

static bool payload_is(const struct mwi_message_item *item, enum mwi_payload_form form,
                       const char *data, size_t size)
{
    return item->form == form && item->size == size && memcmp(item->data, data, size) == 0;
}

static bool is_inside(const struct way *way, const unsigned char *data, size_t size)
{
    return data >= way->buffer.data && data + size <= way->buffer.data + way->buffer.size;
}

/* A greeting keeps its form in every version, so that other versions can answer it. */
static void test_hello(void)
{
    static const char expected[] = "\x9a\x01\xa2mw\x05\xa4"
                                   "farm\xce\x04\x00\x00\x00\xa4node\xa4"
                                   "boot\x07\x03\xcd\x01\x2c";
    struct way way;
    start(&way);

    mwi_message_write_hello(&way.buffer, &(struct mwi_message_hello){
                                             .member_id = mwi_message_text("farm"),
                                             .frame_bytes_max = 64 << 20,
                                             .host = mwi_message_text("node"),
                                             .boot_id = mwi_message_text("boot"),
                                             .pid = 7,
                                             .traits = MWI_TRAIT_ISOLATED | MWI_TRAIT_RETURNS,
                                             .offers_count = 300,
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
    CU_ASSERT_EQUAL(way.message.hello.traits, MWI_TRAIT_ISOLATED | MWI_TRAIT_RETURNS);
    CU_ASSERT_EQUAL(way.message.hello.offers_count, 300);
    end(&way);
}

/* Decodes a greeting with texts of these lengths. */
static mw_error decode_hello_of_lengths(size_t host_bytes, size_t boot_id_bytes)
{
    static const char letters[300] = "the rest is zero";
    struct way way;
    msgpack_packer packer;
    start(&way);
    mwi_buffer_append(&way.buffer, BYTES("\x9a\x01\xa2mw\x05\xa1x\x07"));
    msgpack_packer_init(&packer, &way.buffer, mwi_buffer_write);
    msgpack_pack_str_with_body(&packer, letters, host_bytes);
    msgpack_pack_str_with_body(&packer, letters, boot_id_bytes);
    msgpack_pack_uint32(&packer, UINT32_MAX);
    msgpack_pack_uint32(&packer, UINT32_MAX);
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

    mwi_message_write_welcome(&way.buffer, UINT32_MAX, 1, UINT64_MAX, 77, algorithms);

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
    mwi_message_write_welcome(&way.buffer, 0, UINT32_MAX, 0, 77, algorithms + 3);
    read_back(&way, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(way.message.welcome.result_group, UINT32_MAX);
    CU_ASSERT_EQUAL(way.message.welcome.algorithms_count, 0);
    end(&way);
}

/* A shutdown is nothing but its kind, and so are the taking back of tasks and its answer. */
static void test_bare(void)
{
    static const enum mwi_message_kind kinds[] = {MWI_MESSAGE_SHUTDOWN, MWI_MESSAGE_RECALL,
                                                  MWI_MESSAGE_RETURNED, MWI_MESSAGE_OFFERED};
    for (size_t i = 0; i < 3; i++) {
        struct way way;
        start(&way);

        mwi_message_write_bare(&way.buffer, kinds[i]);

        CU_ASSERT_EQUAL(way.buffer.size, 2);
        read_back(&way, kinds[i]);
        end(&way);
    }
}

/* A task that is timed comes alone, and the answer to it names it. */
static void test_timed(void)
{
    struct mwi_message_item task =
        mwt_items_make(300, MWI_PAYLOAD_BYTES | MWI_PAYLOAD_TIMED, "\x01\x02", 2);
    struct way way;
    start(&way);

    mwt_items_tasks(&way.buffer, &task, 1);
    read_back(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL(way.message.group.count, 1);
    CU_ASSERT_TRUE(way.message.is_timed);
    task = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(task.id == 300 && task.algorithm == 0);
    CU_ASSERT_TRUE(payload_is(&task, MWI_PAYLOAD_BYTES, "\x01\x02", 2));
    mwi_buffer_clear(&way.buffer);
    mwt_items_tasks(&way.buffer, &task, 1);
    read_back(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_FALSE(way.message.is_timed);
    mwi_buffer_clear(&way.buffer);
    mwi_message_write_id(&way.buffer, MWI_MESSAGE_BEGUN, 300);
    read_back(&way, MWI_MESSAGE_BEGUN);
    CU_ASSERT_EQUAL(way.message.id, 300);
    end(&way);
}

/* Messages of one number give it back. */
static void test_numbers(void)
{
    struct way way;
    start(&way);

    mwi_message_write_number(&way.buffer, MWI_MESSAGE_KEPT, UINT64_MAX);
    read_back(&way, MWI_MESSAGE_KEPT);
    CU_ASSERT_EQUAL(way.message.kept_count, UINT64_MAX);
    mwi_buffer_clear(&way.buffer);
    mwi_message_write_number(&way.buffer, MWI_MESSAGE_SCOPE, 3);
    read_back(&way, MWI_MESSAGE_SCOPE);
    CU_ASSERT_EQUAL(way.message.scope, 3);
    end(&way);
}

/* A task that still runs is named by run, id and key. */
static void test_running(void)
{
    const struct mwi_message_running running = {7, UINT64_MAX, {1, UINT64_C(1) << 63}};
    struct way way;
    start(&way);

    mwi_message_write_running(&way.buffer, &running);

    read_back(&way, MWI_MESSAGE_RUNNING);
    CU_ASSERT_EQUAL(memcmp(&way.message.running, &running, sizeof running), 0);
    end(&way);
}

/* An offer brings each result with its key, and a single one too. */
static void test_offer(void)
{
    struct mwi_message_item items[] = {mwt_items_make(7, MWI_PAYLOAD_VALUES, "\x01\x02", 2),
                                       mwt_items_make(5, MWI_PAYLOAD_BYTES, "\x01", 1)};
    const struct mwi_digest keys[] = {{1, UINT64_MAX}, {UINT64_C(1) << 63, 2}};
    items[0].duration_ns = 12;
    items[1].algorithm = 3;

    for (size_t count = 1; count <= 2; count++) {
        struct way way;
        start(&way);
        mwi_message_begin_offer(&way.buffer, UINT64_MAX, items, keys, count);
        CU_ASSERT_EQUAL(way.buffer.size % 16, 0);
        for (size_t i = 0; i < count; i++)
            mwi_buffer_append(&way.buffer, items[i].data, items[i].size);

        read_back(&way, MWI_MESSAGE_OFFER);

        CU_ASSERT_EQUAL_FATAL(way.message.group.count, count);
        CU_ASSERT_EQUAL(way.message.run, UINT64_MAX);
        struct mwi_message_item item = mwt_items_at(&way.message, 0);
        CU_ASSERT_TRUE(item.id == 7 && item.algorithm == 0 && item.duration_ns == 12);
        CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_VALUES, "\x01\x02", 2));
        CU_ASSERT_TRUE(is_inside(&way, item.data, 2));
        for (size_t i = 0; i < count; i++) {
            struct mwi_digest key = mwi_message_key(&way.message, i);
            CU_ASSERT_TRUE(key.low == keys[i].low && key.high == keys[i].high);
        }
        end(&way);
    }
}

/* Tasks come with their payloads in place, values and raw bytes, empty ones too. */
static void test_tasks(void)
{
    struct mwi_message_item items[] = {mwt_items_make(0, MWI_PAYLOAD_VALUES, "\x01\x02", 2),
                                       mwt_items_make(UINT64_MAX, MWI_PAYLOAD_BYTES, "\x01", 1),
                                       mwt_items_make(7, MWI_PAYLOAD_BYTES, NULL, 0)};
    struct way way;
    start(&way);
    items[1].algorithm = UINT32_MAX;
    items[2].algorithm = 1;

    mwt_items_tasks(&way.buffer, items, 3);

    read_back(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL_FATAL(way.message.group.count, 3);
    CU_ASSERT_EQUAL(way.message.group.payload_bytes, 3);
    CU_ASSERT_FALSE(way.message.is_timed);
    struct mwi_message_item item = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(item.id == 0 && item.algorithm == 0);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_VALUES, "\x01\x02", 2));
    CU_ASSERT_TRUE(is_inside(&way, item.data, 2));
    item = mwt_items_at(&way.message, 1);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.algorithm == UINT32_MAX);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, "\x01", 1));
    item = mwt_items_at(&way.message, 2);
    CU_ASSERT_TRUE(item.id == 7 && item.form == MWI_PAYLOAD_BYTES && item.size == 0);
    end(&way);
}

/* Results of all kinds in one message. */
static void test_results(void)
{
    struct mwi_message_item items[] = {mwt_items_make(1, MWI_PAYLOAD_VALUES, "\x05\xc0", 2),
                                       mwt_items_make(UINT64_MAX, MWI_PAYLOAD_BYTES, "raw", 3),
                                       mwt_items_make(300, MWI_PAYLOAD_FAILED, "broken", 6)};
    struct way way;
    start(&way);
    items[1].duration_ns = UINT64_MAX;
    items[2].duration_ns = 5;

    mwt_items_results(&way.buffer, items, 3);

    read_back(&way, MWI_MESSAGE_RESULTS);
    CU_ASSERT_EQUAL_FATAL(way.message.group.count, 3);
    struct mwi_message_item item = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(item.id == 1 && item.duration_ns == 0);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_VALUES, "\x05\xc0", 2));
    item = mwt_items_at(&way.message, 1);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.duration_ns == UINT64_MAX);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, "raw", 3));
    item = mwt_items_at(&way.message, 2);
    CU_ASSERT_TRUE(item.id == 300 && item.duration_ns == 5);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_FAILED, "broken", 6));
    CU_ASSERT_TRUE(is_inside(&way, item.data, 6));
    end(&way);
}

/* The head of a group that is alike in all but its ids, which count up, has one number for each
 * column, however many tasks there are. */
static void test_alike(void)
{
    static const unsigned char expected[] = {0x97, 4,    100, 0xcd, 1, 0, 3, 1,
                                             0,    0xc4, 5,   0,    0, 0, 0, 0};
    struct mwi_message_item items[100];
    struct way way;
    start(&way);
    for (size_t i = 0; i < 100; i++) {
        items[i] = mwt_items_make(256 + i, MWI_PAYLOAD_BYTES, NULL, 0);
        items[i].algorithm = 3;
    }

    mwt_items_tasks(&way.buffer, items, 100);

    CU_ASSERT_EQUAL(way.buffer.size, 16);
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, expected, sizeof expected), 0);
    read_back(&way, MWI_MESSAGE_TASKS);
    for (size_t i = 0; i < 100; i++) {
        struct mwi_message_item item = mwt_items_at(&way.message, i);
        CU_ASSERT_TRUE(item.id == 256 + i && item.algorithm == 3 && item.size == 0);
    }
    end(&way);
}

/* Items of any numbers read back, and the payloads begin at a multiple of 16 bytes. */
static void test_any_items(void)
{
    static const unsigned char bytes[300];
    struct mwt_random random;
    struct way way;
    mwt_random_start(&random);
    start(&way);

    for (int round = 0; round < 2000; round++) {
        struct mwi_message_item items[40];
        size_t count = 1 + mwt_random_below(&random, 40);
        uint64_t mask = UINT64_MAX >> mwt_random_below(&random, 64);
        for (size_t i = 0; i < count; i++) {
            items[i] = mwt_items_make(mwt_random_next(&random) & mask, MWI_PAYLOAD_BYTES, bytes,
                                      mwt_random_next(&random) & mask % 300);
            items[i].duration_ns = mwt_random_next(&random) & mask;
        }
        mwi_buffer_clear(&way.buffer);
        mwi_message_begin_group(&way.buffer, MWI_MESSAGE_RESULTS, items, count);
        size_t head_bytes = way.buffer.size;
        CU_ASSERT_EQUAL(head_bytes % 16, 0);
        CU_ASSERT_TRUE(head_bytes <= count * MWI_MESSAGE_OVERHEAD_BYTES);
        mwt_items_append_payloads(&way.buffer, items, count);
        read_back(&way, MWI_MESSAGE_RESULTS);
        CU_ASSERT_PTR_EQUAL(way.message.group.payloads, way.buffer.data + head_bytes);
        struct mwi_message_cursor cursor = {.group = &way.message.group};
        struct mwi_message_item item = {0};
        for (size_t i = 0; i < count; i++) {
            CU_ASSERT_TRUE_FATAL(mwi_message_next(&cursor, &item));
            CU_ASSERT_TRUE(item.id == items[i].id && item.size == items[i].size &&
                           item.duration_ns == items[i].duration_ns);
        }
        CU_ASSERT_FALSE(mwi_message_next(&cursor, &item));
    }
    end(&way);
}

/* The items of a frame that was moved to other memory are found there. */
static void test_moved(void)
{
    struct mwi_message_item items[] = {mwt_items_make(7, MWI_PAYLOAD_VALUES, "\x05\xc0", 2),
                                       mwt_items_make(1, MWI_PAYLOAD_BYTES, "raw", 3)};
    unsigned char copy[100];
    struct way way;
    start(&way);
    mwt_items_results(&way.buffer, items, 2);
    read_back(&way, MWI_MESSAGE_RESULTS);
    memcpy(copy, way.buffer.data, way.buffer.size);

    mwi_message_move_group(&way.message.group, way.buffer.data, copy);
    memset(way.buffer.data, 0, way.buffer.size);

    struct mwi_message_item item = mwt_items_at(&way.message, 1);
    CU_ASSERT_TRUE(item.id == 1 && item.data > copy && item.data < copy + sizeof copy);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, "raw", 3));
    end(&way);
}

/* The payload of a single task is everything behind its head, whatever its bytes are, and may be of
 * any size. */
static void test_payload_behind_the_head(void)
{
    static const char payload[] = "\xdd\xff\xff\xff\xff raw";
    struct mwi_message_item item =
        mwt_items_make(UINT64_MAX, MWI_PAYLOAD_BYTES, payload, sizeof payload);
    struct way way;
    start(&way);
    item.algorithm = UINT16_MAX;

    mwt_items_tasks(&way.buffer, &item, 1);

    read_back(&way, MWI_MESSAGE_TASKS);
    item = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.algorithm == UINT16_MAX);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, payload, sizeof payload));
    CU_ASSERT_TRUE(is_inside(&way, item.data, sizeof payload));
    end(&way);
}

/* A task or result never takes more room, besides its payload, than is set aside for it. */
static void test_overhead(void)
{
    enum { ITEMS_COUNT = MWI_MESSAGE_ITEMS_MAX };
    static struct mwi_message_item items[ITEMS_COUNT];
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    for (size_t i = 0; i < ITEMS_COUNT; i++) {
        items[i] = mwt_items_make(UINT64_MAX - 5 * i, MWI_PAYLOAD_VALUES, NULL, SIZE_MAX - i);
        items[i].algorithm = UINT32_MAX - (uint32_t)i;
        items[i].form = i % 2;
        items[i].duration_ns = UINT64_MAX - i;
    }

    for (size_t count = 1; count <= ITEMS_COUNT; count = count < 300 ? count + 1 : count * 2) {
        mwi_buffer_clear(&buffer);
        mwi_message_begin_group(&buffer, MWI_MESSAGE_TASKS, items, count);
        CU_ASSERT_TRUE(buffer.size <= count * MWI_MESSAGE_OVERHEAD_BYTES);
        mwi_buffer_clear(&buffer);
        mwi_message_begin_group(&buffer, MWI_MESSAGE_RESULTS, items, count);
        CU_ASSERT_TRUE(buffer.size <= count * MWI_MESSAGE_OVERHEAD_BYTES);
    }

    CU_ASSERT_FALSE(buffer.has_failed);
    mwi_buffer_fini(&buffer);
}

#define ELEMENTS_WHY "a message of tasks or results without all of its elements"
#define COUNT_WHY "a message of no tasks or results, or of more than 65536"
#define COLUMN_WHY "a column that has not one number for each task or result"
#define PADDING_WHY "tasks or results without padding, or with too much"
#define FORM_WHY "a payload of an unknown form"
#define RUNNING_WHY "a malformed message that a task still runs"
#define KEYS_WHY "an offer without a key for each result"
#define KEY "\xc4\x10 sixteen bytes. "
#define SIZES_WHY "payloads whose sizes do not add up to the frame's"

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
    {BYTES("\x91\x1f"), "a message of an unknown kind"},
    {BYTES("\x91\xcc\xff"), "a message of an unknown kind"},
    {BYTES("\x91\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\x07\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mv\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa3mwx\x01"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mw\xff"), "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mw\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
     "a greeting that is not one of mw"},
    {BYTES("\x93\x01\xa2mw\x05"), "a malformed greeting"},
    {BYTES("\x95\x01\xa2mw\x05\xa1x\x07"), "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\x07\x07\xa1h\xa1"
           "b\x07\x02\x00"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\xff\xa1h\xa1"
           "b\x07\x02\x00"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\x07\xa1"
           "b\x07\x02\x00"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\xa1h\xc0\x07\x02\x00"), "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\xa1h\xa1"
           "b\xff\x02\x00"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\xa1h\xa1"
           "b\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x02\x00"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\xa1h\xa1"
           "b\x07\xff\x00"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\xa1h\xa1"
           "b\x07\x00\x01"),
     "a malformed greeting"},
    {BYTES("\x9a\x01\xa2mw\x05\xa1x\x07\xa1h\xa1"
           "b\x07\x02\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
     "a malformed greeting"},
    {BYTES("\x9b\x01\xa2mw\x05\xa1x\x07\xa1h\xa1"
           "b\x07\x02\x00\x07"),
     "a malformed greeting"},
    {BYTES("\x94\x02\x00\x01\x01"), "a malformed welcome"},
    {BYTES("\x95\x02\xff\x01\x01\x01"), "a malformed welcome"},
    {BYTES("\x95\x02\x00\x01\xff\x01"), "a malformed welcome"},
    {BYTES("\x95\x02\x00\x01\x01\xff"), "a malformed welcome"},
    {BYTES("\x96\x02\x00\x01\x01\x01\x07"), "a welcome with an algorithm that is no name"},
    {BYTES("\x91\x03"), "a malformed refusal or goodbye"},
    {BYTES("\x92\x03\x07"), "a malformed refusal or goodbye"},
    {BYTES("\x93\x07\xa0\xa0"), "a malformed refusal or goodbye"},
    {BYTES("\x91\x0e"), "a malformed refusal or goodbye"},
    {BYTES("\x91\x0d"), "a malformed message about a task"},
    {BYTES("\x92\x0d\xa0"), "a malformed message about a task"},
    {BYTES("\x93\x0d\x01\x01"), "a malformed message about a task"},
    {BYTES("\x91\x15"), "a malformed message that results are kept"},
    {BYTES("\x92\x15\xff"), "a malformed message that results are kept"},
    {BYTES("\x91\x16"), "a malformed scope"},
    {BYTES("\x91\x17"), RUNNING_WHY},
    {BYTES("\x94\x17\x01\x01\x01"), RUNNING_WHY},
    {BYTES("\x94\x17\x01\xff\xc4\x01x"), RUNNING_WHY},
    {BYTES("\x94\x17\x01\x01\xc4\x01x"), RUNNING_WHY},
    {BYTES("\x92\x16\xa0"), "a malformed scope"},
    {BYTES("\x92\x14\x00"), "a message with fields it has not"},
    {BYTES("\x91\x0b"), "a message of an unknown kind"},
    {BYTES("\x91\x0c"), "a message of an unknown kind"},
    /* Tasks and results. */
    {BYTES("\x91\x04"), ELEMENTS_WHY},
    {BYTES("\x91\x05"), ELEMENTS_WHY},
    {BYTES("\x96\x04\x01\x00\x00\x00\x00"), ELEMENTS_WHY},
    {BYTES("\x98\x04\x01\x00\x00\x00\x00\xc4\x00\x00"), ELEMENTS_WHY},
    {BYTES("\xdd\xff\xff\xff\xff\x05\x01\x00\x00\x00\x00\xc4\x00"), ELEMENTS_WHY},
    {BYTES("\x97\x04"), COUNT_WHY},
    {BYTES("\x97\x04\x00\x00\x00\x00\x00\xc4\x00"), COUNT_WHY},
    {BYTES("\x97\x04\xff\x00\x00\x00\x00\xc4\x00"), COUNT_WHY},
    {BYTES("\x97\x04\x91\x01\x00\x00\x00\x00\xc4\x00"), COUNT_WHY},
    {BYTES("\x97\x04\xce\x00\x01\x00\x01\x00\x00\x00\x00\xc4\x00"), COUNT_WHY},
    {BYTES("\x97\x05\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\xc4\x00"), COUNT_WHY},
    {BYTES("\x97\x04\x02"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\xc0\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\x92\x00\x01\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\xc4\x01\x00\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\xc4\x00\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\xc4\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\xc6\xff\xff\xff\xff\x00\x00\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\x00\xa1x\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\x00\x00\xc4\x03\x00\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\xc4\x02\x00"), COLUMN_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\x00"), PADDING_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\x00\x00"), PADDING_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\x00\xc4\x10\x00\x00\x00\x00\x00\x00\x00\x00"
           "\x00\x00\x00\x00\x00\x00\x00\x00"),
     PADDING_WHY},
    {BYTES("\x97\x04\x01\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc4\x00"),
     "a task of an impossible algorithm"},
    {BYTES("\x97\x04\x01\x00\xc4\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc4\x00"),
     "a task of an impossible algorithm"},
    {BYTES("\x97\x04\x01\x00\x00\x04\x00\xc4\x00"), FORM_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x02\x00\xc4\x00"), FORM_WHY},
    {BYTES("\x97\x04\x02\x00\x00\xc4\x02\x00\x03\x00\xc4\x00"), FORM_WHY},
    {BYTES("\x97\x05\x01\x00\x04\x00\x00\xc4\x00"), FORM_WHY},
    {BYTES("\x97\x05\x02\x00\xc4\x02\x02\x04\x00\x00\xc4\x00"), FORM_WHY},
    {BYTES("\x97\x04\x01\x00\x00\x00\x08\xc4\x00payload"), SIZES_WHY},
    {BYTES("\x97\x04\x01\x00\x00\x00\x06\xc4\x00payload"), SIZES_WHY},
    {BYTES("\x97\x04\x01\x00\x00\x00\x07\xc4\x00"), SIZES_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\x04\xc4\x00payload"), SIZES_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\xc4\x02\x03\x03\xc4\x00payload"), SIZES_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\xc4\x02\x04\x04\xc4\x00payload"), SIZES_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\xcf\x80\x00\x00\x00\x00\x00\x00\x00\xc4\x00"), SIZES_WHY},
    {BYTES("\x97\x04\x02\x00\x00\x00\xc4\x10\x80\x00\x00\x00\x00\x00\x00\x00"
           "\x80\x00\x00\x00\x00\x00\x00\x00\xc4\x00"),
     SIZES_WHY},
    /* An offer. */
    {BYTES("\x91\x13"), ELEMENTS_WHY},
    {BYTES("\x97\x13\x01\x00\x00\x00\x00\xc4\x00"), ELEMENTS_WHY},
    {BYTES("\x9a\x13\x00\x07" KEY "\x00\x00\x00\x00\x00\xc4\x00"), COUNT_WHY},
    {BYTES("\x9a\x13\x01\xff" KEY "\x00\x00\x00\x00\x00\xc4\x00"), KEYS_WHY},
    {BYTES("\x9a\x13\x02\x07" KEY "\x00\x00\x00\x00\x00\xc4\x00"), KEYS_WHY},
    {BYTES("\x9a\x13\x01\x07\xc4\x10"), KEYS_WHY},
    {BYTES("\x9a\x13\x01\x07\x00\x00\x00\x00\x00\x00\xc4\x00"), KEYS_WHY},
    {BYTES("\x9a\x13\x01\x07" KEY "\x00\xa0\x00\x00\x00\xc4\x00"), COLUMN_WHY},
    {BYTES("\x9a\x13\x01\x07" KEY "\x00\x00\x04\x00\x00\xc4\x00"), FORM_WHY},
    {BYTES("\x9a\x13\x01\x07" KEY "\x00\x00\x01\x00\x01\xc4\x00"), SIZES_WHY},
    {BYTES("\x9a\x13\x01\x07" KEY "\x00\x00\x01\x00\x00\x00"), PADDING_WHY},
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
    static const unsigned char data[300];
    struct mwi_message_item items[] = {mwt_items_make(300, MWI_PAYLOAD_BYTES, data, sizeof data),
                                       mwt_items_make(70000, MWI_PAYLOAD_VALUES, data, 5)};
    items[1].algorithm = 7000;
    items[0].duration_ns = 70000;
    mwi_buffer_clear(buffer);
    switch (kind) {
    case 0:
        mwt_hello(buffer, "member", 70000);
        break;
    case 1:
        mwi_message_write_welcome(buffer, 300, 70000, 5, 77, algorithms);
        break;
    case 2:
        mwt_items_tasks(buffer, items, 2);
        break;
    case 3:
        mwt_items_results(buffer, items, 2);
        break;
    case 4:
        mwt_items_tasks(buffer, items, 1);
        break;
    case 5:
        mwt_items_results(buffer, items, 1);
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
            (way.message.kind != MWI_MESSAGE_TASKS && way.message.kind != MWI_MESSAGE_RESULTS))
            continue;
        struct mwi_message_cursor cursor = {.group = &way.message.group};
        struct mwi_message_item item;
        while (mwi_message_next(&cursor, &item))
            CU_ASSERT_TRUE(is_inside(&way, item.data, item.size));
    }

    end(&way);
}

/* Writing to a buffer that has run out of memory does no harm; the buffer remembers it. */
static void test_writing_without_memory(void)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    CU_ASSERT_FALSE(mwi_buffer_reserve(&buffer, SIZE_MAX));

    mwt_items_result(&buffer, 1, MWI_PAYLOAD_FAILED, "no", 2, 1);
    mwt_hello(&buffer, "farm", 1);

    CU_ASSERT_TRUE(buffer.has_failed);
    CU_ASSERT_EQUAL(buffer.size, 0);
    mwi_buffer_fini(&buffer);
}

/* Tasks and results are read without memory: not even the most of them cost any. */
static void test_no_memory_for_items(void)
{
    static const char most[] = "\x97\x05\xce\x00\x01\x00\x00\x00\x00\x00\x00\xc4\x00";
    struct mwi_decoder none = {0};
    struct way way;
    start(&way);
    mwi_buffer_append(&way.buffer, BYTES(most));

    CU_ASSERT_EQUAL(
        mwi_message_decode(&none, way.buffer.data, way.buffer.size, &way.message, &way.why), MW_OK);

    CU_ASSERT_EQUAL(way.message.group.count, MWI_MESSAGE_ITEMS_MAX);
    CU_ASSERT_EQUAL(mwi_column_at(&way.message.group.ids, 65535), 65535);
    end(&way);
}

/* Saved bytes follow their message, aligned, and are read where they lie. */
static void test_save(void)
{
    static const uint64_t ids[] = {1, 127, 128, 65536, UINT64_MAX};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct way way;
        start(&way);
        mwi_message_begin_save(&way.buffer, ids[i]);
        CU_ASSERT_EQUAL(way.buffer.size % 16, 0);
        mwi_buffer_append(&way.buffer, "saved", i);

        read_back(&way, MWI_MESSAGE_SAVE);

        CU_ASSERT_EQUAL(way.message.save.id, ids[i]);
        CU_ASSERT_EQUAL(way.message.save.size, i);
        CU_ASSERT_TRUE(is_inside(&way, way.message.save.data, i));
        CU_ASSERT_EQUAL(memcmp(way.message.save.data, "saved", i), 0);
        end(&way);
    }
}

/* A message of saved bytes that lacks something, or has too much of it, is malformed. */
static void test_broken_saves(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } saves[] = {
        {BYTES("\x91\x12")},
        {BYTES("\x92\x12\x01")},
        {BYTES("\x93\x12\x01\xc4")},
        {BYTES("\x93\x12\x01\xc4\x02\x00")},
        {BYTES("\x93\x12\xa1x\xc4\x00")},
        {BYTES("\x94\x12\x01\xc4\x00\x01")},
        {BYTES("\x93\x12\x01\xc4\x10"
               "0123456789abcdef")},
        {BYTES("\x93\x12\x01\x02")},
    };
    for (size_t i = 0; i < sizeof saves / sizeof saves[0]; i++) {
        struct way way;
        start(&way);
        mwi_buffer_append(&way.buffer, saves[i].bytes, saves[i].size);
        CU_ASSERT_EQUAL(decode(&way), MW_EPROTOCOL);
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
        {"numbers", test_numbers},
        {"running", test_running},
        {"offer", test_offer},
        {"tasks", test_tasks},
        {"results", test_results},
        {"alike", test_alike},
        {"any items", test_any_items},
        {"moved", test_moved},
        {"payload behind the head", test_payload_behind_the_head},
        {"overhead", test_overhead},
        {"malformed", test_malformed},
        {"truncations", test_truncations},
        {"damaged", test_damaged},
        {"writing without memory", test_writing_without_memory},
        {"no memory for items", test_no_memory_for_items},
        {"save", test_save},
        {"broken saves", test_broken_saves},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("message", tests);
}
