/* SPDX-License-Identifier: Apache-2.0
 *
 * The check that stands between strangers and msgpack-c: it passes what msgpack-c reads, and
 * nothing that claims more than is there. Random values come from a seed that is printed.
 */
#include "wire/guard.h"

#include <string.h>

#include "base/buffer.h"
#include "mwt_msgpack.h"
#include "mwt_run.h"

static bool is_valid(const void *data, size_t size)
{
    return mwi_guard_check(data, size, NULL);
}

/* Whether msgpack-c reads the bytes as whole values with nothing left. */
static bool msgpack_reads(const unsigned char *data, size_t size)
{
    msgpack_zone zone;
    msgpack_object object;
    msgpack_unpack_return got = MSGPACK_UNPACK_SUCCESS;
    size_t offset = 0;
    CU_ASSERT_TRUE_FATAL(msgpack_zone_init(&zone, 1024));
    while (offset < size && (got == MSGPACK_UNPACK_SUCCESS || got == MSGPACK_UNPACK_EXTRA_BYTES))
        got = msgpack_unpack((const char *)data, size, &offset, &zone, &object);
    msgpack_zone_destroy(&zone);
    return got == MSGPACK_UNPACK_SUCCESS;
}

/* Every first byte there is: what must follow it, and how many elements. */
struct type {
    unsigned char first, last; /* the range of first bytes */
    unsigned char length_bytes;
    unsigned char bytes; /* of the value after first byte and length */
    unsigned char elements;
};

static const struct type types[] = {
    {0x00, 0x7f, 0, 0, 0},  {0x80, 0x80, 0, 0, 0},  {0x81, 0x81, 0, 0, 2},  {0x8f, 0x8f, 0, 0, 30},
    {0x90, 0x90, 0, 0, 0},  {0x91, 0x91, 0, 0, 1},  {0x9f, 0x9f, 0, 0, 15}, {0xa0, 0xa0, 0, 0, 0},
    {0xa1, 0xa1, 0, 1, 0},  {0xbf, 0xbf, 0, 31, 0}, {0xc0, 0xc0, 0, 0, 0},  {0xc2, 0xc3, 0, 0, 0},
    {0xc4, 0xc4, 1, 5, 0},  {0xc5, 0xc5, 2, 5, 0},  {0xc6, 0xc6, 4, 5, 0},  {0xc7, 0xc7, 1, 6, 0},
    {0xc8, 0xc8, 2, 6, 0},  {0xc9, 0xc9, 4, 6, 0},  {0xca, 0xca, 0, 4, 0},  {0xcb, 0xcb, 0, 8, 0},
    {0xcc, 0xcc, 0, 1, 0},  {0xcd, 0xcd, 0, 2, 0},  {0xce, 0xce, 0, 4, 0},  {0xcf, 0xcf, 0, 8, 0},
    {0xd0, 0xd0, 0, 1, 0},  {0xd1, 0xd1, 0, 2, 0},  {0xd2, 0xd2, 0, 4, 0},  {0xd3, 0xd3, 0, 8, 0},
    {0xd4, 0xd4, 0, 2, 0},  {0xd5, 0xd5, 0, 3, 0},  {0xd6, 0xd6, 0, 5, 0},  {0xd7, 0xd7, 0, 9, 0},
    {0xd8, 0xd8, 0, 17, 0}, {0xd9, 0xd9, 1, 5, 0},  {0xda, 0xda, 2, 5, 0},  {0xdb, 0xdb, 4, 5, 0},
    {0xdc, 0xdc, 2, 0, 5},  {0xdd, 0xdd, 4, 0, 5},  {0xde, 0xde, 2, 0, 10}, {0xdf, 0xdf, 4, 0, 10},
    {0xe0, 0xff, 0, 0, 0},
};

/* Each type of value passes when it is whole, and not when it lacks its last byte. */
static void test_every_first_byte(void)
{
    unsigned char value[64];

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (unsigned first = types[i].first; first <= types[i].last; first++) {
            size_t size = 1u + types[i].length_bytes + types[i].bytes + types[i].elements;
            size_t count = 0;
            memset(value, 0, sizeof value);
            value[0] = (unsigned char)first;
            if (types[i].length_bytes > 0)
                value[types[i].length_bytes] = 5;

            CU_ASSERT_TRUE(mwi_guard_check(value, size, &count));
            CU_ASSERT_EQUAL(count, 1);
            CU_ASSERT_TRUE(msgpack_reads(value, size));
            for (size_t shorter = 1; shorter < size; shorter++)
                CU_ASSERT_FALSE(is_valid(value, shorter));
        }
    }
}

/* The one byte that msgpack does not use is no value. */
static void test_unused_byte(void)
{
    static const unsigned char alone[] = {0xc1}, inside[] = {0x92, 0x01, 0xc1};

    CU_ASSERT_FALSE(is_valid(alone, sizeof alone));
    CU_ASSERT_FALSE(is_valid(inside, sizeof inside));
}

/* No bytes are no values; several values are counted at the top only. */
static void test_count(void)
{
    static const unsigned char values[] = {0x01, 0x93, 0x01, 0x91, 0x02, 0x03, 0xa1, 'x'};
    size_t count = 77;

    CU_ASSERT_TRUE(mwi_guard_check(values, sizeof values, &count));
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_TRUE(mwi_guard_check(NULL, 0, &count));
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_TRUE(mwi_guard_check(values, 1, NULL));

    count = 77;
    CU_ASSERT_FALSE(mwi_guard_check(values, sizeof values - 1, &count));
    CU_ASSERT_EQUAL(count, 77);
}

/* Everything that msgpack-c packs passes, and every truncation of it fails. */
static void test_random_values(void)
{
    struct mwt_random random;
    mwt_random_start(&random);

    for (int round = 0; round < 3000; round++) {
        size_t count = 0;
        msgpack_packer packer;
        struct mwi_buffer buffer;
        mwi_buffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, mwi_buffer_write);
        size_t elements_count = mwt_random_below(&random, 12);
        msgpack_pack_array(&packer, elements_count);
        for (size_t i = 0; i < elements_count; i++)
            mwt_pack_any(&packer, &random, 8);

        CU_ASSERT_TRUE(mwi_guard_check(buffer.data, buffer.size, &count));
        CU_ASSERT_EQUAL(count, 1);
        size_t step = buffer.size < 500 ? 1 : buffer.size / 97;
        for (size_t size = 1; size < buffer.size; size += step)
            CU_ASSERT_FALSE(is_valid(buffer.data, size));

        mwi_buffer_fini(&buffer);
    }
}

/* The memory that msgpack-c would reserve before it has seen the bytes. It keeps the next test from
 * asking for it. */
static bool has_large_claims(const unsigned char *data, size_t size)
{
    return memchr(data, 0xdd, size) != NULL || memchr(data, 0xdf, size) != NULL;
}

/* Bytes of any kind, and values with some bytes changed: what passes is read by msgpack-c, and what
 * does not would not be. */
static void test_agrees_with_msgpack(void)
{
    struct mwt_random random;
    size_t passed_count = 0;
    mwt_random_start(&random);

    for (int round = 0; round < 30000; round++) {
        msgpack_packer packer;
        struct mwi_buffer buffer;
        mwi_buffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, mwi_buffer_write);
        for (size_t count = mwt_random_below(&random, 3); count > 0; count--)
            mwt_pack_any(&packer, &random, 4);
        for (size_t i = mwt_random_below(&random, 4); i > 0 && buffer.size > 0; i--)
            buffer.data[mwt_random_below(&random, buffer.size)] =
                (unsigned char)mwt_random_next(&random);

        bool is_passed = is_valid(buffer.data, buffer.size);
        if (is_passed || !has_large_claims(buffer.data, buffer.size))
            CU_ASSERT_EQUAL(is_passed, msgpack_reads(buffer.data, buffer.size));
        passed_count += is_passed;

        mwi_buffer_fini(&buffer);
    }
    CU_ASSERT_TRUE(passed_count > 1000 && passed_count < 29000);
}

/* A few bytes that claim to be gigabytes are refused, however they are nested. */
static void test_bombs(void)
{
    static const unsigned char bombs[][16] = {
        {5, 0xdd, 0xff, 0xff, 0xff, 0xff},
        {5, 0xdf, 0xff, 0xff, 0xff, 0xff},
        {5, 0xdf, 0x80, 0x00, 0x00, 0x00},
        {3, 0xdc, 0xff, 0xff},
        {3, 0xde, 0xff, 0xff},
        {5, 0xdb, 0xff, 0xff, 0xff, 0xff},
        {5, 0xc6, 0xff, 0xff, 0xff, 0xff},
        {6, 0xc9, 0xff, 0xff, 0xff, 0xff, 0x01},
        {6, 0x91, 0xdd, 0xff, 0xff, 0xff, 0xff},
        {10, 0xdd, 0x00, 0x00, 0x00, 0x05, 0xdd, 0x00, 0x00, 0x00, 0x05},
        {15, 0xdd, 0xff, 0xff, 0xff, 0xff, 0xdd, 0xff, 0xff, 0xff, 0xff, 0xdd, 0xff, 0xff, 0xff,
         0xff},
    };

    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++)
        CU_ASSERT_FALSE(is_valid(bombs[i] + 1, bombs[i][0]));
}

/* Containers that share the bytes behind them, so that each claim by itself could be true. */
static void test_claims_that_share_bytes(void)
{
    enum { LEVELS = 20, BYTES = 4096 };
    static unsigned char bomb[LEVELS * 3 + BYTES];
    for (size_t i = 0; i < LEVELS; i++) {
        bomb[i * 3] = 0xdc;
        bomb[i * 3 + 1] = BYTES >> 8;
    }

    CU_ASSERT_FALSE(is_valid(bomb, sizeof bomb));
    CU_ASSERT_TRUE(is_valid(bomb + (LEVELS - 1) * 3, 3 + BYTES));
}

/* A value nested `depth` times in containers with these first bytes. */
static size_t nest(unsigned char *to, const unsigned char *container, size_t size, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        memcpy(to + i * size, container, size);
    to[depth * size] = 0xc0;
    return depth * size + 1;
}

/* Nesting is refused from the level on at which msgpack-c gives up. */
static void test_depth(void)
{
    static const unsigned char containers[][7] = {
        {1, 0x91},       {3, 0xdc, 0, 1},       {5, 0xdd, 0, 0, 0, 1},
        {2, 0x81, 0x01}, {4, 0xde, 0, 1, 0x01}, {6, 0xdf, 0, 0, 0, 1, 0x01},
    };
    unsigned char value[400];

    for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++) {
        size_t deepest = 0;
        for (size_t depth = 0; depth < 60; depth++) {
            size_t size = nest(value, containers[i] + 1, containers[i][0], depth);
            CU_ASSERT_EQUAL(is_valid(value, size), msgpack_reads(value, size));
            deepest = is_valid(value, size) ? depth : deepest;
        }
        CU_ASSERT_EQUAL(deepest, MWI_GUARD_DEPTH_MAX);
        size_t size = nest(value, containers[i] + 1, containers[i][0], deepest);
        CU_ASSERT_FALSE(mwi_guard_is_too_deep(value, size));
        CU_ASSERT_FALSE(mwi_guard_is_too_deep(value, size - 1));
        size = nest(value, containers[i] + 1, containers[i][0], deepest + 1);
        CU_ASSERT_TRUE(mwi_guard_is_too_deep(value, size));
    }
}

/* The depth is that of what is open, not of all that came before. */
static void test_depth_of_siblings(void)
{
    enum { SIBLINGS = 200 };
    unsigned char value[3 + SIBLINGS * 3] = {0xdc, 0, SIBLINGS};
    for (size_t i = 0; i < SIBLINGS; i++)
        memcpy(value + 3 + i * 3, "\x91\x91\x01", 3);

    CU_ASSERT_TRUE(is_valid(value, sizeof value));
}

/* The first value is told from the bytes behind it, which may be anything. A truncated value is
 * refused. */
static void test_first(void)
{
    static const unsigned char bytes[] = "\x93\x01\xa2mw\x03\xc1\xdd\xff\xff";
    size_t first_bytes = 0;

    CU_ASSERT_TRUE(mwi_guard_first(bytes, sizeof bytes - 1, MWI_GUARD_DEPTH_MAX, &first_bytes));
    CU_ASSERT_EQUAL(first_bytes, 6);
    CU_ASSERT_TRUE(mwi_guard_first(bytes, 6, MWI_GUARD_DEPTH_MAX, &first_bytes));
    for (size_t size = 0; size < 6; size++)
        CU_ASSERT_FALSE(mwi_guard_first(bytes, size, MWI_GUARD_DEPTH_MAX, &first_bytes));
    CU_ASSERT_FALSE(mwi_guard_first(bytes + 6, 3, MWI_GUARD_DEPTH_MAX, &first_bytes));
}

/* A value may be held to less depth than msgpack-c can read. */
static void test_first_within_depth(void)
{
    static const unsigned char flat[] = "\x93\x01\xa2mw\x90", nested[] = "\x92\x01\x91\x02";
    size_t first_bytes = 0;

    CU_ASSERT_TRUE(mwi_guard_first(flat, sizeof flat - 1, 1, &first_bytes));
    CU_ASSERT_FALSE(mwi_guard_first(nested, sizeof nested - 1, 1, &first_bytes));
    CU_ASSERT_TRUE(mwi_guard_first(nested, sizeof nested - 1, 2, &first_bytes));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"every first byte", test_every_first_byte},
        {"unused byte", test_unused_byte},
        {"count", test_count},
        {"random values", test_random_values},
        {"agrees with msgpack-c", test_agrees_with_msgpack},
        {"bombs", test_bombs},
        {"claims that share bytes", test_claims_that_share_bytes},
        {"depth", test_depth},
        {"depth of siblings", test_depth_of_siblings},
        {"first", test_first},
        {"first within depth", test_first_within_depth},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("codec", tests);
}
