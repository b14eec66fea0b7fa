/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of tasks and results: numbers are written as msgpack-c writes them, every column
 * reads back, and nothing is believed that the bytes do not bear out.
 */
#include "wire/column.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_run.h"

#define BYTES(bytes) bytes, sizeof bytes - 1

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
#define NUMBERS_COUNT (sizeof numbers / sizeof numbers[0])

static struct mwi_column_source source_of(const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    return (struct mwi_column_source){from, from + size};
}

/* Numbers and the headers of bins are as msgpack-c writes them, in the shortest form, and read back
 * from exactly their bytes. */
static void test_shortest_forms(void)
{
    for (size_t i = 0; i < NUMBERS_COUNT; i++) {
        unsigned char ours[2 * MWI_COLUMN_NUMBER_BYTES_MAX];
        uint64_t number = 0;
        msgpack_sbuffer theirs;
        msgpack_packer packer;
        size_t bin_bytes = numbers[i] <= UINT32_MAX ? (size_t)numbers[i] : 1;
        msgpack_sbuffer_init(&theirs);
        msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
        msgpack_pack_uint64(&packer, numbers[i]);
        size_t number_bytes = theirs.size;
        msgpack_pack_bin(&packer, bin_bytes);

        unsigned char *end =
            mwi_column_write_bin(mwi_column_write_number(ours, numbers[i]), bin_bytes);

        CU_ASSERT_EQUAL_FATAL((size_t)(end - ours), theirs.size);
        CU_ASSERT_EQUAL(memcmp(ours, theirs.data, theirs.size), 0);
        for (size_t size = 0; size <= number_bytes; size++) {
            struct mwi_column_source source = source_of(ours, size);
            CU_ASSERT_EQUAL(mwi_column_read_number(&source, &number), size == number_bytes);
            CU_ASSERT_PTR_EQUAL(source.at, size == number_bytes ? source.end : ours);
        }
        CU_ASSERT_EQUAL(number, numbers[i]);
        msgpack_sbuffer_destroy(&theirs);
    }
}

/* The header of an array is read in all three forms, and nothing else is. */
static void test_array(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        size_t count; /* SIZE_MAX: not an array */
    } cases[] = {{BYTES("\x90"), 0},
                 {BYTES("\x9f"), 15},
                 {BYTES("\xdc\x01\x02"), 258},
                 {BYTES("\xdd\x01\x02\x03\x04"), 0x01020304},
                 {BYTES(""), SIZE_MAX},
                 {BYTES("\xdc\x01"), SIZE_MAX},
                 {BYTES("\xdd\x01\x02\x03"), SIZE_MAX},
                 {BYTES("\x80"), SIZE_MAX},
                 {BYTES("\xa0"), SIZE_MAX},
                 {BYTES("\xc4\x00"), SIZE_MAX},
                 {BYTES("\xde\x00\x00"), SIZE_MAX}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwi_column_source source = source_of(cases[i].bytes, cases[i].size);
        size_t count = SIZE_MAX;
        CU_ASSERT_EQUAL(mwi_column_read_array(&source, &count), cases[i].count != SIZE_MAX);
        CU_ASSERT_EQUAL(count, cases[i].count);
    }
}

/* Only unsigned integers are numbers. */
static void test_no_number(void)
{
    static const char firsts[] = "\x80\x90\xa0\xbf\xc0\xc2\xc4\xc7\xca\xcb\xd0\xd3\xd9\xdc\xff";
    for (size_t i = 0; i < sizeof firsts - 1; i++) {
        unsigned char bytes[10] = {(unsigned char)firsts[i]};
        struct mwi_column_source source = source_of(bytes, sizeof bytes);
        uint64_t number;
        CU_ASSERT_FALSE(mwi_column_read_number(&source, &number));
    }
}

/* A bin that is cut off anywhere is refused. The bytes lie in memory of their size, so that a
 * sanitizer sees reading beyond it. */
static void test_bin(void)
{
    static const char whole[] = "\xc5\x00\x03"
                                "abc";
    for (size_t size = 0; size < sizeof whole; size++) {
        unsigned char *bytes = malloc(size + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        memcpy(bytes, whole, size);
        struct mwi_column_source source = source_of(bytes, size);
        const unsigned char *data;
        size_t data_bytes;
        bool is_whole = size == sizeof whole - 1;
        CU_ASSERT_EQUAL(mwi_column_read_bin(&source, &data, &data_bytes), is_whole);
        CU_ASSERT_PTR_EQUAL(source.at, is_whole ? source.end : bytes);
        if (is_whole)
            CU_ASSERT_TRUE(data_bytes == 3 && data == bytes + 3);
        free(bytes);
    }
}

/* A column is a number that all items have or count up from, or a bin of numbers of any width. */
static void test_columns(void)
{
    for (uint8_t width = 1; width <= 8; width = (uint8_t)(2 * width)) {
        unsigned char bytes[64];
        struct mwi_column column;
        uint64_t top = UINT64_MAX >> (64 - 8 * width);
        unsigned char *end = mwi_column_write_bin(bytes, 3u * width);
        end = mwi_column_write_cell(end, top, width);
        end = mwi_column_write_cell(end, top / 3, width);
        end = mwi_column_write_cell(end, 1, width);
        struct mwi_column_source source = source_of(bytes, (size_t)(end - bytes));

        CU_ASSERT_TRUE_FATAL(mwi_column_read(&source, 3, 1, &column));

        CU_ASSERT_PTR_EQUAL(source.at, source.end);
        CU_ASSERT_EQUAL(mwi_column_at(&column, 0), top);
        CU_ASSERT_EQUAL(mwi_column_at(&column, 1), top / 3);
        CU_ASSERT_EQUAL(mwi_column_at(&column, 2), 1);
        CU_ASSERT_TRUE(mwi_column_is_within(&column, 3, top));
        CU_ASSERT_FALSE(mwi_column_is_within(&column, 3, top - 1));
        CU_ASSERT_EQUAL(mwi_column_width(top), width);
    }
    struct mwi_column_source source = source_of(BYTES("\xcd\x01\x00\xcd\x01\x00"));
    struct mwi_column ids, sizes;
    CU_ASSERT_TRUE_FATAL(mwi_column_read(&source, 1000, 1, &ids));
    CU_ASSERT_TRUE_FATAL(mwi_column_read(&source, 1000, 0, &sizes));
    CU_ASSERT_TRUE(mwi_column_at(&ids, 0) == 256 && mwi_column_at(&ids, 999) == 1255);
    CU_ASSERT_TRUE(mwi_column_at(&sizes, 0) == 256 && mwi_column_at(&sizes, 999) == 256);
    CU_ASSERT_TRUE(mwi_column_is_within(&ids, 1000, 1255));
    CU_ASSERT_FALSE(mwi_column_is_within(&ids, 1000, 1254));
}

/* A bin whose bytes do not divide into numbers of a known width is no column, and neither are ids
 * that count up beyond 64 bits. */
static void test_no_column(void)
{
    static const struct {
        const char *bytes;
        size_t size, count;
    } cases[] = {{BYTES("\xc4\x00"), 1},
                 {BYTES("\xc4\x03\x00\x00\x00"), 1},
                 {BYTES("\xc4\x03\x00\x00\x00"), 2},
                 {BYTES("\xc4\x01\x00"), 2},
                 {BYTES("\xc4\x02\x00"), 2},
                 {BYTES("\xc4\x02\x00\x00"), UINT32_MAX},
                 {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), 2},
                 {BYTES("\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwi_column_source source = source_of(cases[i].bytes, cases[i].size);
        const unsigned char *begin = source.at;
        struct mwi_column column;
        CU_ASSERT_FALSE(mwi_column_read(&source, cases[i].count, 1, &column));
        CU_ASSERT_PTR_EQUAL(source.at, begin);
    }
}

/* Sizes add up to a sum or they do not; an overflow is no way to it. */
static void test_sums(void)
{
    static const unsigned char cells[] = "\x01\x02\x03\x80\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0";
    struct mwi_column small = {.data = cells, .width = 1};
    struct mwi_column big = {.data = cells + 3, .width = 8};
    struct mwi_column alike = {.first = UINT64_C(1) << 63};

    CU_ASSERT_TRUE(mwi_column_adds_up(&small, 3, 6));
    CU_ASSERT_FALSE(mwi_column_adds_up(&small, 3, 5));
    CU_ASSERT_FALSE(mwi_column_adds_up(&small, 3, 7));
    CU_ASSERT_FALSE(mwi_column_adds_up(&big, 2, 0));
    CU_ASSERT_TRUE(mwi_column_adds_up(&big, 1, UINT64_C(1) << 63));
    CU_ASSERT_FALSE(mwi_column_adds_up(&alike, 2, 0));
    CU_ASSERT_TRUE(mwi_column_adds_up(&alike, 1, UINT64_C(1) << 63));
    alike.first = 7;
    CU_ASSERT_TRUE(mwi_column_adds_up(&alike, 3, 21));
    CU_ASSERT_FALSE(mwi_column_adds_up(&alike, 3, 22));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"shortest forms", test_shortest_forms},
        {"array", test_array},
        {"no number", test_no_number},
        {"bin", test_bin},
        {"columns", test_columns},
        {"no column", test_no_column},
        {"sums", test_sums},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("column", tests);
}
