/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes on the wire that are no message: malformed, cut off or damaged ones are refused with a
 * reason. Random cases print their seed; MW_TEST_SEED replays one.
 */
#include "wire/message.h"

#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "mwt_way.h"

#define BYTES MWT_WAY_BYTES

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
        struct mwt_way way;
        mwt_way_start(&way);
        mwi_buffer_append(&way.buffer, malformed[i].bytes, malformed[i].size);

        CU_ASSERT_EQUAL(mwt_way_decode(&way), MW_EPROTOCOL);

        CU_ASSERT_STRING_EQUAL(way.why.text, malformed[i].why);
        mwt_way_end(&way);
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
        struct mwt_way way;
        mwt_way_start(&way);
        write_sample(&way.buffer, kind);
        size_t whole = way.buffer.size;

        for (way.buffer.size = 0; way.buffer.size < whole; way.buffer.size++)
            CU_ASSERT_EQUAL(mwt_way_decode(&way), MW_EPROTOCOL);

        CU_ASSERT_EQUAL(mwt_way_decode(&way), MW_OK);
        mwt_way_end(&way);
    }
}

/* Damaged messages are refused, or read as the messages that they have become. One decoder reads
 * them all. */
static void test_damaged(void)
{
    struct mwt_random random;
    struct mwt_way way;
    mwt_random_start(&random);
    mwt_way_start(&way);

    for (int round = 0; round < 20000; round++) {
        write_sample(&way.buffer, mwt_random_below(&random, 7));
        for (size_t i = mwt_random_below(&random, 3); i > 0; i--)
            way.buffer.data[mwt_random_below(&random, way.buffer.size)] =
                (unsigned char)mwt_random_next(&random);
        mw_error error = mwt_way_decode(&way);
        CU_ASSERT_TRUE(error == MW_OK || (error == MW_EPROTOCOL && way.why.text[0] != '\0'));
        if (error != MW_OK ||
            (way.message.kind != MWI_MESSAGE_TASKS && way.message.kind != MWI_MESSAGE_RESULTS))
            continue;
        struct mwi_message_cursor cursor = {.group = &way.message.group};
        struct mwi_message_item item;
        while (mwi_message_next(&cursor, &item))
            CU_ASSERT_TRUE(mwt_way_holds(&way, item.data, item.size));
    }

    mwt_way_end(&way);
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
        struct mwt_way way;
        mwt_way_start(&way);
        mwi_buffer_append(&way.buffer, saves[i].bytes, saves[i].size);
        CU_ASSERT_EQUAL(mwt_way_decode(&way), MW_EPROTOCOL);
        mwt_way_end(&way);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"malformed", test_malformed},
        {"truncations", test_truncations},
        {"damaged", test_damaged},
        {"broken saves", test_broken_saves},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("malformed messages", tests);
}
