/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages on the wire: a written message reads back, and two forms are the same in
 * every version of the protocol.
 */
#include "wire/message.h"

#include <string.h>

#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "mwt_way.h"

static bool text_is(struct mwi_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

static bool payload_is(const struct mwi_message_item *item, enum mwi_payload_form form,
                       const char *data, size_t size)
{
    return item->form == form && item->size == size && memcmp(item->data, data, size) == 0;
}

/* A greeting keeps its form in every version, so that other versions can answer it. */
static void test_hello(void)
{
    static const char expected[] = "\x9a\x01\xa2mw\x05\xa4"
                                   "farm\xce\x04\x00\x00\x00\xa4node\xa4"
                                   "boot\x07\x03\xcd\x01\x2c";
    struct mwt_way way;
    mwt_way_start(&way);

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
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, MWT_WAY_BYTES(expected)), 0);
    mwt_way_read(&way, MWI_MESSAGE_HELLO);
    CU_ASSERT_EQUAL(way.message.hello.protocol, MW_PROTOCOL_VERSION);
    CU_ASSERT_TRUE(text_is(way.message.hello.member_id, "farm"));
    CU_ASSERT_EQUAL(way.message.hello.frame_bytes_max, 64 << 20);
    CU_ASSERT_TRUE(text_is(way.message.hello.host, "node"));
    CU_ASSERT_TRUE(text_is(way.message.hello.boot_id, "boot"));
    CU_ASSERT_EQUAL(way.message.hello.pid, 7);
    CU_ASSERT_EQUAL(way.message.hello.traits, MWI_TRAIT_ISOLATED | MWI_TRAIT_RETURNS);
    CU_ASSERT_EQUAL(way.message.hello.offers_count, 300);
    mwt_way_end(&way);
}

/* Decodes a greeting with texts of these lengths. */
static mw_error decode_hello_of_lengths(size_t host_bytes, size_t boot_id_bytes)
{
    static const char letters[300] = "the rest is zero";
    struct mwt_way way;
    msgpack_packer packer;
    mwt_way_start(&way);
    mwi_buffer_append(&way.buffer, MWT_WAY_BYTES("\x9a\x01\xa2mw\x05\xa1x\x07"));
    msgpack_packer_init(&packer, &way.buffer, mwi_buffer_write);
    msgpack_pack_str_with_body(&packer, letters, host_bytes);
    msgpack_pack_str_with_body(&packer, letters, boot_id_bytes);
    msgpack_pack_uint32(&packer, UINT32_MAX);
    msgpack_pack_uint32(&packer, UINT32_MAX);
    msgpack_pack_uint32(&packer, UINT32_MAX);
    mw_error error = mwt_way_decode(&way);
    mwt_way_end(&way);
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
        {MWT_WAY_BYTES("\x93\x01\xa2mw\x00"), 0},
        {MWT_WAY_BYTES("\x93\x01\xa2mw\x01"), 1},
        {MWT_WAY_BYTES("\x95\x01\xa2mw\x01\xa4"
                       "farm\x64"),
         1},
        {MWT_WAY_BYTES("\x95\x01\xa2mw\x07\x80\xc0"), 7},
        {MWT_WAY_BYTES("\x93\x01\xa2mw\xce\xff\xff\xff\xff"), UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        struct mwt_way way;
        mwt_way_start(&way);
        mwi_buffer_append(&way.buffer, hellos[i].bytes, hellos[i].size);

        mwt_way_read(&way, MWI_MESSAGE_HELLO);

        CU_ASSERT_EQUAL(way.message.hello.protocol, hellos[i].version);
        mwt_way_end(&way);
    }
}

/* A refusal keeps its form in every version, so that other versions can read why. */
static void test_refuse(void)
{
    static const char expected[] = "\x92\x03\xa3no!";
    struct mwt_way way;
    mwt_way_start(&way);

    mwi_message_write_reason(&way.buffer, MWI_MESSAGE_REFUSE, "no!");

    CU_ASSERT_EQUAL_FATAL(way.buffer.size, sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, MWT_WAY_BYTES(expected)), 0);
    mwt_way_read(&way, MWI_MESSAGE_REFUSE);
    CU_ASSERT_TRUE(text_is(way.message.reason, "no!"));
    mwt_way_end(&way);
}

/* A goodbye has a reason, which may be empty; so has the word of a slave that is leaving. */
static void test_goodbye(void)
{
    static const enum mwi_message_kind kinds[] = {MWI_MESSAGE_GOODBYE, MWI_MESSAGE_LEAVING};
    for (size_t i = 0; i < 2; i++) {
        struct mwt_way way;
        mwt_way_start(&way);

        mwi_message_write_reason(&way.buffer, kinds[i], "");

        mwt_way_read(&way, kinds[i]);
        CU_ASSERT_TRUE(text_is(way.message.reason, ""));
        mwt_way_end(&way);
    }
}

/* A welcome brings numbers from end to end of their range, and any number of algorithms. */
static void test_welcome(void)
{
    static const mw_algorithm algorithms[] = {{"one", NULL}, {"", NULL}, {"three", NULL}, {0}};
    struct mwt_way way;
    mwt_way_start(&way);

    mwi_message_write_welcome(&way.buffer, UINT32_MAX, 1, UINT64_MAX, 77, algorithms);

    mwt_way_read(&way, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(way.message.welcome.sid, UINT32_MAX);
    CU_ASSERT_EQUAL(way.message.welcome.result_group, 1);
    CU_ASSERT_EQUAL(way.message.welcome.frame_bytes_max, UINT64_MAX);
    CU_ASSERT_EQUAL_FATAL(way.message.welcome.algorithms_count, 3);
    CU_ASSERT_TRUE(text_is(mwi_message_algorithm(&way.message, 0), "one"));
    CU_ASSERT_TRUE(text_is(mwi_message_algorithm(&way.message, 1), ""));
    CU_ASSERT_TRUE(text_is(mwi_message_algorithm(&way.message, 2), "three"));
    mwt_way_end(&way);

    mwt_way_start(&way);
    mwi_message_write_welcome(&way.buffer, 0, UINT32_MAX, 0, 77, algorithms + 3);
    mwt_way_read(&way, MWI_MESSAGE_WELCOME);
    CU_ASSERT_EQUAL(way.message.welcome.result_group, UINT32_MAX);
    CU_ASSERT_EQUAL(way.message.welcome.algorithms_count, 0);
    mwt_way_end(&way);
}

/* A shutdown is nothing but its kind, and so are the taking back of tasks and its answer. */
static void test_bare(void)
{
    static const enum mwi_message_kind kinds[] = {MWI_MESSAGE_SHUTDOWN, MWI_MESSAGE_RECALL,
                                                  MWI_MESSAGE_RETURNED, MWI_MESSAGE_OFFERED};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct mwt_way way;
        mwt_way_start(&way);

        mwi_message_write_bare(&way.buffer, kinds[i]);

        CU_ASSERT_EQUAL(way.buffer.size, 2);
        mwt_way_read(&way, kinds[i]);
        mwt_way_end(&way);
    }
}

/* A task that is timed comes alone, and the answer to it names it. */
static void test_timed(void)
{
    struct mwi_message_item task =
        mwt_items_make(300, MWI_PAYLOAD_BYTES | MWI_PAYLOAD_TIMED, "\x01\x02", 2);
    struct mwt_way way;
    mwt_way_start(&way);

    mwt_items_tasks(&way.buffer, &task, 1);
    mwt_way_read(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL(way.message.group.count, 1);
    CU_ASSERT_TRUE(way.message.is_timed);
    task = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(task.id == 300 && task.algorithm == 0);
    CU_ASSERT_TRUE(payload_is(&task, MWI_PAYLOAD_BYTES, "\x01\x02", 2));
    mwi_buffer_clear(&way.buffer);
    mwt_items_tasks(&way.buffer, &task, 1);
    mwt_way_read(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_FALSE(way.message.is_timed);
    mwi_buffer_clear(&way.buffer);
    mwi_message_write_id(&way.buffer, MWI_MESSAGE_BEGUN, 300);
    mwt_way_read(&way, MWI_MESSAGE_BEGUN);
    CU_ASSERT_EQUAL(way.message.id, 300);
    mwt_way_end(&way);
}

/* Messages of one number give it back. */
static void test_numbers(void)
{
    struct mwt_way way;
    mwt_way_start(&way);

    mwi_message_write_number(&way.buffer, MWI_MESSAGE_KEPT, UINT64_MAX);
    mwt_way_read(&way, MWI_MESSAGE_KEPT);
    CU_ASSERT_EQUAL(way.message.kept_count, UINT64_MAX);
    mwi_buffer_clear(&way.buffer);
    mwi_message_write_number(&way.buffer, MWI_MESSAGE_SCOPE, 3);
    mwt_way_read(&way, MWI_MESSAGE_SCOPE);
    CU_ASSERT_EQUAL(way.message.scope, 3);
    mwt_way_end(&way);
}

/* A task that still runs is named by run, id and key. */
static void test_running(void)
{
    const struct mwi_message_running running = {7, UINT64_MAX, {1, UINT64_C(1) << 63}};
    struct mwt_way way;
    mwt_way_start(&way);

    mwi_message_write_running(&way.buffer, &running);

    mwt_way_read(&way, MWI_MESSAGE_RUNNING);
    CU_ASSERT_EQUAL(memcmp(&way.message.running, &running, sizeof running), 0);
    mwt_way_end(&way);
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
        struct mwt_way way;
        mwt_way_start(&way);
        mwi_message_begin_offer(&way.buffer, UINT64_MAX, items, keys, count);
        CU_ASSERT_EQUAL(way.buffer.size % 16, 0);
        for (size_t i = 0; i < count; i++)
            mwi_buffer_append(&way.buffer, items[i].data, items[i].size);

        mwt_way_read(&way, MWI_MESSAGE_OFFER);

        CU_ASSERT_EQUAL_FATAL(way.message.group.count, count);
        CU_ASSERT_EQUAL(way.message.run, UINT64_MAX);
        struct mwi_message_item item = mwt_items_at(&way.message, 0);
        CU_ASSERT_TRUE(item.id == 7 && item.algorithm == 0 && item.duration_ns == 12);
        CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_VALUES, "\x01\x02", 2));
        CU_ASSERT_TRUE(mwt_way_holds(&way, item.data, 2));
        for (size_t i = 0; i < count; i++) {
            struct mwi_digest key = mwi_message_key(&way.message, i);
            CU_ASSERT_TRUE(key.low == keys[i].low && key.high == keys[i].high);
        }
        mwt_way_end(&way);
    }
}

/* Tasks come with their payloads in place, values and raw bytes, empty ones too. */
static void test_tasks(void)
{
    struct mwi_message_item items[] = {mwt_items_make(0, MWI_PAYLOAD_VALUES, "\x01\x02", 2),
                                       mwt_items_make(UINT64_MAX, MWI_PAYLOAD_BYTES, "\x01", 1),
                                       mwt_items_make(7, MWI_PAYLOAD_BYTES, NULL, 0)};
    struct mwt_way way;
    mwt_way_start(&way);
    items[1].algorithm = UINT32_MAX;
    items[2].algorithm = 1;

    mwt_items_tasks(&way.buffer, items, 3);

    mwt_way_read(&way, MWI_MESSAGE_TASKS);
    CU_ASSERT_EQUAL_FATAL(way.message.group.count, 3);
    CU_ASSERT_EQUAL(way.message.group.payload_bytes, 3);
    CU_ASSERT_FALSE(way.message.is_timed);
    struct mwi_message_item item = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(item.id == 0 && item.algorithm == 0);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_VALUES, "\x01\x02", 2));
    CU_ASSERT_TRUE(mwt_way_holds(&way, item.data, 2));
    item = mwt_items_at(&way.message, 1);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.algorithm == UINT32_MAX);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, "\x01", 1));
    item = mwt_items_at(&way.message, 2);
    CU_ASSERT_TRUE(item.id == 7 && item.form == MWI_PAYLOAD_BYTES && item.size == 0);
    mwt_way_end(&way);
}

/* Results of all kinds in one message. */
static void test_results(void)
{
    struct mwi_message_item items[] = {mwt_items_make(1, MWI_PAYLOAD_VALUES, "\x05\xc0", 2),
                                       mwt_items_make(UINT64_MAX, MWI_PAYLOAD_BYTES, "raw", 3),
                                       mwt_items_make(300, MWI_PAYLOAD_FAILED, "broken", 6)};
    struct mwt_way way;
    mwt_way_start(&way);
    items[1].duration_ns = UINT64_MAX;
    items[2].duration_ns = 5;

    mwt_items_results(&way.buffer, items, 3);

    mwt_way_read(&way, MWI_MESSAGE_RESULTS);
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
    CU_ASSERT_TRUE(mwt_way_holds(&way, item.data, 6));
    mwt_way_end(&way);
}

/* The head of a group that is alike in all but its ids, which count up, has one number for each
 * column, however many tasks there are. */
static void test_alike(void)
{
    static const unsigned char expected[] = {0x97, 4,    100, 0xcd, 1, 0, 3, 1,
                                             0,    0xc4, 5,   0,    0, 0, 0, 0};
    struct mwi_message_item items[100];
    struct mwt_way way;
    mwt_way_start(&way);
    for (size_t i = 0; i < 100; i++) {
        items[i] = mwt_items_make(256 + i, MWI_PAYLOAD_BYTES, NULL, 0);
        items[i].algorithm = 3;
    }

    mwt_items_tasks(&way.buffer, items, 100);

    CU_ASSERT_EQUAL(way.buffer.size, 16);
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, expected, sizeof expected), 0);
    mwt_way_read(&way, MWI_MESSAGE_TASKS);
    for (size_t i = 0; i < 100; i++) {
        struct mwi_message_item item = mwt_items_at(&way.message, i);
        CU_ASSERT_TRUE(item.id == 256 + i && item.algorithm == 3 && item.size == 0);
    }
    mwt_way_end(&way);
}

/* Items of any numbers read back, and the payloads begin at a multiple of 16 bytes. */
static void test_any_items(void)
{
    static const unsigned char bytes[300];
    struct mwt_random random;
    struct mwt_way way;
    mwt_random_start(&random);
    mwt_way_start(&way);

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
        mwt_way_read(&way, MWI_MESSAGE_RESULTS);
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
    mwt_way_end(&way);
}

/* The items of a frame that was moved to other memory are found there. */
static void test_moved(void)
{
    struct mwi_message_item items[] = {mwt_items_make(7, MWI_PAYLOAD_VALUES, "\x05\xc0", 2),
                                       mwt_items_make(1, MWI_PAYLOAD_BYTES, "raw", 3)};
    unsigned char copy[100];
    struct mwt_way way;
    mwt_way_start(&way);
    mwt_items_results(&way.buffer, items, 2);
    mwt_way_read(&way, MWI_MESSAGE_RESULTS);
    memcpy(copy, way.buffer.data, way.buffer.size);

    mwi_message_rebase(&way.message, way.buffer.data, copy);
    memset(way.buffer.data, 0, way.buffer.size);

    struct mwi_message_item item = mwt_items_at(&way.message, 1);
    CU_ASSERT_TRUE(item.id == 1 && item.data > copy && item.data < copy + sizeof copy);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, "raw", 3));
    mwt_way_end(&way);
}

/* So are the bytes that a task saves, and the keys of an offer. */
static void test_moved_behind(void)
{
    const struct mwi_digest key = {1, 2};
    struct mwi_message_item item = mwt_items_make(7, MWI_PAYLOAD_BYTES, "raw", 3);
    unsigned char copy[200];
    struct mwt_way way;
    mwt_way_start(&way);
    mwi_message_begin_save(&way.buffer, 7);
    mwi_buffer_append(&way.buffer, "saved", 5);
    mwt_way_read(&way, MWI_MESSAGE_SAVE);
    memcpy(copy, way.buffer.data, way.buffer.size);
    mwi_message_rebase(&way.message, way.buffer.data, copy);
    memset(way.buffer.data, 0, way.buffer.size);
    CU_ASSERT_EQUAL(memcmp(way.message.save.data, "saved", 5), 0);
    mwt_way_end(&way);

    mwt_way_start(&way);
    mwi_message_begin_offer(&way.buffer, 3, &item, &key, 1);
    mwi_buffer_append(&way.buffer, "raw", 3);
    mwt_way_read(&way, MWI_MESSAGE_OFFER);
    memcpy(copy, way.buffer.data, way.buffer.size);
    mwi_message_rebase(&way.message, way.buffer.data, copy);
    memset(way.buffer.data, 0, way.buffer.size);

    item = mwt_items_at(&way.message, 0);
    struct mwi_digest moved = mwi_message_key(&way.message, 0);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, "raw", 3));
    CU_ASSERT_TRUE(moved.low == key.low && moved.high == key.high);
    mwt_way_end(&way);
}

/* The payload of a single task is everything behind its head, whatever its bytes are, and may be of
 * any size. */
static void test_payload_behind_the_head(void)
{
    static const char payload[] = "\xdd\xff\xff\xff\xff raw";
    struct mwi_message_item item =
        mwt_items_make(UINT64_MAX, MWI_PAYLOAD_BYTES, payload, sizeof payload);
    struct mwt_way way;
    mwt_way_start(&way);
    item.algorithm = UINT16_MAX;

    mwt_items_tasks(&way.buffer, &item, 1);

    mwt_way_read(&way, MWI_MESSAGE_TASKS);
    item = mwt_items_at(&way.message, 0);
    CU_ASSERT_TRUE(item.id == UINT64_MAX && item.algorithm == UINT16_MAX);
    CU_ASSERT_TRUE(payload_is(&item, MWI_PAYLOAD_BYTES, payload, sizeof payload));
    CU_ASSERT_TRUE(mwt_way_holds(&way, item.data, sizeof payload));
    mwt_way_end(&way);
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
    struct mwt_way way;
    mwt_way_start(&way);
    mwi_buffer_append(&way.buffer, MWT_WAY_BYTES(most));

    CU_ASSERT_EQUAL(
        mwi_message_decode(&none, way.buffer.data, way.buffer.size, &way.message, &way.why), MW_OK);

    CU_ASSERT_EQUAL(way.message.group.count, MWI_MESSAGE_ITEMS_MAX);
    CU_ASSERT_EQUAL(mwi_column_at(&way.message.group.ids, 65535), 65535);
    mwt_way_end(&way);
}

/* Saved bytes follow their message, aligned, and are read where they lie. */
static void test_save(void)
{
    static const uint64_t ids[] = {1, 127, 128, 65536, UINT64_MAX};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct mwt_way way;
        mwt_way_start(&way);
        mwi_message_begin_save(&way.buffer, ids[i]);
        CU_ASSERT_EQUAL(way.buffer.size % 16, 0);
        mwi_buffer_append(&way.buffer, "saved", i);

        mwt_way_read(&way, MWI_MESSAGE_SAVE);

        CU_ASSERT_EQUAL(way.message.save.id, ids[i]);
        CU_ASSERT_EQUAL(way.message.save.size, i);
        CU_ASSERT_TRUE(mwt_way_holds(&way, way.message.save.data, i));
        CU_ASSERT_EQUAL(memcmp(way.message.save.data, "saved", i), 0);
        mwt_way_end(&way);
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
        {"moved behind", test_moved_behind},
        {"payload behind the head", test_payload_behind_the_head},
        {"overhead", test_overhead},
        {"writing without memory", test_writing_without_memory},
        {"no memory for items", test_no_memory_for_items},
        {"save", test_save},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("message", tests);
}
