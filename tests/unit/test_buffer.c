/* SPDX-License-Identifier: Apache-2.0
 *
 * The buffer: what is appended stays, memory can be kept, reserved and given away, and a failure is
 * remembered until the buffer is cleared.
 */
#include "base/buffer.h"

#include <stdint.h>
#include <string.h>

#include "mwt_random.h"
#include "mwt_run.h"

/* Makes the buffer fail as it does when memory runs out. */
static void break_buffer(struct mwi_buffer *buffer)
{
    CU_ASSERT_FALSE(mwi_buffer_reserve(buffer, SIZE_MAX));
    CU_ASSERT_TRUE(buffer->has_failed);
}

/* Bytes appended in pieces of any size are there in order, however often the buffer grew. */
static void test_append(void)
{
    enum { BYTES = 300000 };
    static unsigned char expected[BYTES];
    struct mwt_random random;
    struct mwi_buffer buffer;
    mwt_random_start(&random);
    mwi_buffer_init(&buffer);
    for (size_t i = 0; i < BYTES; i++)
        expected[i] = (unsigned char)mwt_random_next(&random);

    for (size_t at = 0, size; at < BYTES; at += size) {
        size = mwt_random_below(&random, 2000);
        size = size < BYTES - at ? size : BYTES - at;
        mwi_buffer_append(&buffer, expected + at, size);
    }

    CU_ASSERT_EQUAL(buffer.size, BYTES);
    CU_ASSERT_TRUE(buffer.capacity >= buffer.size);
    CU_ASSERT_FALSE(buffer.has_failed);
    CU_ASSERT_EQUAL(memcmp(buffer.data, expected, BYTES), 0);
    mwi_buffer_fini(&buffer);
}

/* Nothing can be appended from nowhere, and an empty buffer needs no memory. */
static void test_append_nothing(void)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);

    mwi_buffer_append(&buffer, NULL, 0);

    CU_ASSERT_EQUAL(buffer.size, 0);
    CU_ASSERT_PTR_NULL(buffer.data);
    CU_ASSERT_FALSE(buffer.has_failed);
    mwi_buffer_fini(&buffer);
    mwi_buffer_fini(&buffer);
}

/* Clearing forgets the bytes and keeps the memory for the next ones. */
static void test_clear_keeps_the_memory(void)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_buffer_append(&buffer, "before", 6);
    unsigned char *memory = buffer.data;

    mwi_buffer_clear(&buffer);
    CU_ASSERT_EQUAL(buffer.size, 0);
    mwi_buffer_append(&buffer, "after", 5);

    CU_ASSERT_PTR_EQUAL(buffer.data, memory);
    CU_ASSERT_EQUAL(buffer.size, 5);
    CU_ASSERT_EQUAL(memcmp(buffer.data, "after", 5), 0);
    mwi_buffer_fini(&buffer);
}

/* Reserved room is there: the bytes do not move while it is filled. */
static void test_reserve(void)
{
    char piece[100] = {1};
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_buffer_append(&buffer, "x", 1);

    CU_ASSERT_TRUE(mwi_buffer_reserve(&buffer, 100 * sizeof piece));
    unsigned char *memory = buffer.data;
    for (int i = 0; i < 100; i++)
        mwi_buffer_append(&buffer, piece, sizeof piece);

    CU_ASSERT_PTR_EQUAL(buffer.data, memory);
    CU_ASSERT_EQUAL(buffer.size, 1 + 100 * sizeof piece);
    CU_ASSERT_EQUAL(buffer.data[0], 'x');
    mwi_buffer_fini(&buffer);
}

/* After a failure nothing is appended and nothing is given away, until the buffer is cleared. */
static void test_failure_is_remembered(void)
{
    size_t size = 77;
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_buffer_append(&buffer, "ab", 2);

    break_buffer(&buffer);
    mwi_buffer_append(&buffer, "c", 1);

    CU_ASSERT_EQUAL(buffer.size, 2);
    CU_ASSERT_PTR_NULL(mwi_buffer_take(&buffer, &size));
    CU_ASSERT_EQUAL(size, 77);
    mwi_buffer_clear(&buffer);
    CU_ASSERT_FALSE(buffer.has_failed);
    mwi_buffer_append(&buffer, "c", 1);
    CU_ASSERT_EQUAL(buffer.size, 1);
    mwi_buffer_fini(&buffer);
}

/* A size that, with what is there, is beyond all memory is a failure and not an overflow. */
static void test_huge_sizes(void)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, SIZE_MAX / 4 + 1};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mwi_buffer buffer;
        mwi_buffer_init(&buffer);
        mwi_buffer_append(&buffer, "abc", 3);

        CU_ASSERT_FALSE(mwi_buffer_reserve(&buffer, sizes[i]));

        CU_ASSERT_TRUE(buffer.has_failed);
        CU_ASSERT_EQUAL(memcmp(buffer.data, "abc", 3), 0);
        mwi_buffer_fini(&buffer);
    }
}

/* A packer's writes are appends, and it is told when they fail. */
static void test_write(void)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);

    CU_ASSERT_EQUAL(mwi_buffer_write(&buffer, "abc", 3), 0);
    CU_ASSERT_EQUAL(mwi_buffer_write(&buffer, NULL, 0), 0);
    CU_ASSERT_EQUAL(buffer.size, 3);
    break_buffer(&buffer);

    CU_ASSERT_EQUAL(mwi_buffer_write(&buffer, "d", 1), -1);
    CU_ASSERT_EQUAL(buffer.size, 3);
    mwi_buffer_fini(&buffer);
}

/* The memory that is taken is the caller's, and the buffer begins anew without it. */
static void test_take(void)
{
    size_t size = 0;
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    CU_ASSERT_PTR_NULL(mwi_buffer_take(&buffer, &size));
    mwi_buffer_append(&buffer, "first", 5);
    unsigned char *memory = buffer.data;

    unsigned char *taken = mwi_buffer_take(&buffer, &size);
    CU_ASSERT_EQUAL(buffer.size, 0);
    mwi_buffer_append(&buffer, "second", 6);

    CU_ASSERT_PTR_EQUAL(taken, memory);
    CU_ASSERT_EQUAL(size, 5);
    CU_ASSERT_EQUAL(memcmp(taken, "first", 5), 0);
    CU_ASSERT_EQUAL(memcmp(buffer.data, "second", 6), 0);
    free(taken);
    mwi_buffer_fini(&buffer);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"append", test_append},
        {"append nothing", test_append_nothing},
        {"clear keeps the memory", test_clear_keeps_the_memory},
        {"reserve", test_reserve},
        {"failure is remembered", test_failure_is_remembered},
        {"huge sizes", test_huge_sizes},
        {"write", test_write},
        {"take", test_take},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("buffer", tests);
}
