/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain formats come to the same in the quick way and in the long one. A "|" in front makes a
 * format take the long way, and changes nothing else for values that are all there.
 */
#include "wire/value_quick.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_random.h"
#include "mwt_run.h"

#define BYTES(bytes) bytes, sizeof bytes - 1

static bool write_quick(struct mwi_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool has_written = mwi_value_quick_write(buffer, format, arguments);
    va_end(arguments);
    return has_written;
}

static mw_error write_long(struct mwi_buffer *buffer, const char *format, ...)
{
    mw_reason why;
    va_list arguments;
    va_start(arguments, format);
    mw_error error = mwi_values_write(buffer, format, arguments, &why);
    va_end(arguments);
    return error;
}

/* Reads from memory of exactly that size, so that a sanitizer sees reading beyond it. */
static bool read_quick(struct mwi_values *values, const void *data, size_t size, const char *format,
                       ...)
{
    va_list arguments;
    bool has_strings = false;
    unsigned char *copy = malloc(size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy + 1, data, size);
    va_start(arguments, format);
    bool has_read = mwi_value_quick_read(values, copy + 1, size, format, arguments, &has_strings);
    va_end(arguments);
    CU_ASSERT_TRUE(!has_read || has_strings == (strchr(format, 's') != NULL));
    free(copy);
    return has_read;
}

static mw_error read_long(struct mwi_values *values, const void *data, size_t size,
                          const char *format, ...)
{
    mw_reason why;
    va_list arguments;
    mw_error error = mwi_values_load(values, data, size);
    if (error != MW_OK)
        return error;
    va_start(arguments, format);
    error = mwi_values_read(values, "value", format, arguments, &why);
    va_end(arguments);
    return error;
}

/* Numbers of all widths and signs, at whose edges msgpack changes its form. */
static uint64_t edge(struct mwt_random *random)
{
    uint64_t number = UINT64_C(1) << mwt_random_below(random, 64);
    number += mwt_random_below(random, 3) - 1;
    number = mwt_random_below(random, 2) == 0 ? number : 0 - number;
    return mwt_random_below(random, 8) == 0 ? mwt_random_next(random) : number;
}

/* The bytes that are written are those of msgpack-c, and read back as the same values in both
 * ways. */
static void test_numbers(void)
{
    struct mwt_random random;
    struct mwi_values values;
    struct mwi_buffer quick, slow;
    mwt_random_start(&random);
    mwi_buffer_init(&quick);
    mwi_buffer_init(&slow);
    CU_ASSERT_TRUE_FATAL(mwi_values_init(&values));

    for (int round = 0; round < 20000; round++) {
        int number = (int)edge(&random), number_back = 0, number_slow = 0;
        int64_t wide = (int64_t)edge(&random), wide_back = 0, wide_slow = 0;
        uint64_t big = edge(&random), big_back = 0, big_slow = 0;
        double real = (double)(int64_t)edge(&random) / 3, real_back = 0, real_slow = 0;
        bool is_true = mwt_random_below(&random, 2) == 1, is_back = false, is_slow = false;
        mwi_buffer_clear(&quick);
        mwi_buffer_clear(&slow);

        CU_ASSERT_TRUE(write_quick(&quick, "i l ud b", number, wide, big, real, is_true));
        CU_ASSERT_EQUAL(write_long(&slow, "|i l ud b", number, wide, big, real, is_true), MW_OK);
        CU_ASSERT_EQUAL_FATAL(quick.size, slow.size);
        CU_ASSERT_EQUAL(memcmp(quick.data, slow.data, slow.size), 0);

        CU_ASSERT_TRUE(read_quick(&values, quick.data, quick.size, "iludb", &number_back,
                                  &wide_back, &big_back, &real_back, &is_back));
        CU_ASSERT_EQUAL(read_long(&values, quick.data, quick.size, "iludb", &number_slow,
                                  &wide_slow, &big_slow, &real_slow, &is_slow),
                        MW_OK);
        CU_ASSERT_TRUE(number_back == number && number_slow == number);
        CU_ASSERT_TRUE(wide_back == wide && wide_slow == wide);
        CU_ASSERT_TRUE(big_back == big && big_slow == big);
        CU_ASSERT_TRUE(real_back == real && real_slow == real);
        CU_ASSERT_TRUE(is_back == is_true && is_slow == is_true);
        for (size_t size = 0; size < quick.size; size++)
            CU_ASSERT_FALSE(read_quick(&values, quick.data, size, "iludb", &number_back, &wide_back,
                                       &big_back, &real_back, &is_back));
        mwi_values_clear(&values);
    }

    mwi_values_fini(&values);
    mwi_buffer_fini(&quick);
    mwi_buffer_fini(&slow);
}

/* Texts and bytes of all lengths, too; the quick way reads no empty ones. */
static void test_texts(void)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    static char text[65537];
    struct mwi_values values;
    CU_ASSERT_TRUE_FATAL(mwi_values_init(&values));

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mwi_buffer quick, slow;
        const char *string = NULL;
        size_t size = sizes[i];
        mwi_buffer_init(&quick);
        mwi_buffer_init(&slow);
        memset(text, 'x', size);
        text[size] = '\0';

        CU_ASSERT_TRUE(write_quick(&quick, "sSy", text, text, size, text, size));
        CU_ASSERT_EQUAL(write_long(&slow, "|sSy", text, text, size, text, size), MW_OK);
        CU_ASSERT_EQUAL_FATAL(quick.size, slow.size);
        CU_ASSERT_EQUAL(memcmp(quick.data, slow.data, slow.size), 0);

        const void *sized, *bytes;
        size_t sized_size = 0, bytes_size = 0;
        CU_ASSERT_EQUAL(read_quick(&values, quick.data, quick.size, "sSy", &string, &sized,
                                   &sized_size, &bytes, &bytes_size),
                        size > 0);
        if (size > 0)
            CU_ASSERT_TRUE(strcmp(string, text) == 0 && sized_size == size && bytes_size == size);
        mwi_buffer_clear(&slow);
        write_quick(&slow, "s", text);
        CU_ASSERT_TRUE(read_quick(&values, slow.data, slow.size, "s", &string));
        CU_ASSERT_STRING_EQUAL(string, text);
        mwi_values_clear(&values);
        mwi_buffer_fini(&quick);
        mwi_buffer_fini(&slow);
    }
    mwi_values_fini(&values);
}

/* Damaged bytes are read alike in both ways, or by the long way alone: what the quick way takes is
 * what the long way takes. */
static void test_damaged(void)
{
    struct mwt_random random;
    struct mwi_values values;
    struct mwi_buffer buffer;
    mwt_random_start(&random);
    mwi_buffer_init(&buffer);
    CU_ASSERT_TRUE_FATAL(mwi_values_init(&values));

    for (int round = 0; round < 50000; round++) {
        int64_t quick[4] = {-7, -7, -7, -7}, slow[4] = {-7, -7, -7, -7};
        double real_quick = -7, real_slow = -7;
        bool is_quick = false, is_slow = false;
        mwi_buffer_clear(&buffer);
        write_quick(&buffer, "lldb", (int64_t)edge(&random), (int64_t)edge(&random), 0.5, true);
        for (size_t i = 1 + mwt_random_below(&random, 3); i > 0; i--)
            buffer.data[mwt_random_below(&random, buffer.size)] =
                (unsigned char)mwt_random_next(&random);
        if (read_quick(&values, buffer.data, buffer.size, "lldb", &quick[0], &quick[1], &real_quick,
                       &is_quick)) {
            CU_ASSERT_EQUAL(read_long(&values, buffer.data, buffer.size, "lldb", &slow[0], &slow[1],
                                      &real_slow, &is_slow),
                            MW_OK);
            CU_ASSERT_EQUAL(memcmp(&real_quick, &real_slow, sizeof real_slow), 0);
            CU_ASSERT_EQUAL(is_quick, is_slow);
        } else {
            CU_ASSERT_TRUE(real_quick == -7 && !is_quick);
        }
        CU_ASSERT_EQUAL(memcmp(quick, slow, sizeof slow), 0);
        mwi_values_clear(&values);
    }
    mwi_buffer_fini(&buffer);
    mwi_values_fini(&values);
}

/* Values that do not fit leave the outputs alone. */
static void test_misfits(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *format;
    } cases[] = {
        {BYTES("\xce\x80\x00\x00\x00"), "i"},
        {BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), "i"},
        {BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), "l"},
        {BYTES("\xff"), "u"},
        {BYTES("\xc2"), "i"},
        {BYTES("\x01"), "b"},
        {BYTES("\xa1x"), "d"},
        {BYTES("\xc0"), "i"},
        {BYTES("\x91\x01"), "i"},
        {BYTES("\x01\x01"), "i"},
        {BYTES("\x01"), "ii"},
        {BYTES("\xca\x00\x00\x00\x00"), "l"},
        {BYTES("\xa2x\x00"), "s"},
        {BYTES("\xc4\x01x"), "s"},
        {BYTES("\xa1x"), "y"},
        {BYTES("\xc1"), "i"},
        {BYTES("\xd9\xff"), "s"},
        {BYTES("\xdb\xff\xff\xff\xff"), "s"},
    };
    struct mwi_values values;
    CU_ASSERT_TRUE_FATAL(mwi_values_init(&values));

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t first = -7, second = -7;
        CU_ASSERT_FALSE(
            read_quick(&values, cases[i].bytes, cases[i].size, cases[i].format, &first, &second));
        CU_ASSERT_TRUE(first == -7 && second == -7);
    }
    mwi_values_fini(&values);
}

/* Formats that are not plain, and arguments that cannot be written, are left to the long way, and
 * what the buffer had before stays. */
static void test_not_plain(void)
{
    static const char *const formats[] = {"|i", "i*", "{a:i}", "o", "x", "i,i", "i\ti"};
    struct mwi_values values;
    struct mwi_buffer buffer;
    int number = 7;
    mwi_buffer_init(&buffer);
    CU_ASSERT_TRUE_FATAL(mwi_values_init(&values));
    mwi_buffer_append(&buffer, "before", 6);

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        CU_ASSERT_FALSE(write_quick(&buffer, formats[i], 1, 2));
        CU_ASSERT_FALSE(read_quick(&values, "\x01\x01", 2, formats[i], &number, &number));
    }
    CU_ASSERT_FALSE(write_quick(&buffer, "is", 1, NULL));
    CU_ASSERT_FALSE(write_quick(&buffer, "iy", 1, "x", (size_t)UINT32_MAX + 1));
    CU_ASSERT_FALSE(read_quick(&values, "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", 17,
                               "iiiiiiiiiiiiiiiii", &number));

    CU_ASSERT_EQUAL(number, 7);
    CU_ASSERT_EQUAL(buffer.size, 6);
    CU_ASSERT_TRUE(write_quick(&buffer, " "));
    CU_ASSERT_TRUE(read_quick(&values, "", 0, " "));
    mwi_buffer_fini(&buffer);
    mwi_values_fini(&values);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"numbers", test_numbers}, {"texts", test_texts},         {"damaged", test_damaged},
        {"misfits", test_misfits}, {"not plain", test_not_plain}, CU_TEST_INFO_NULL,
    };
    return mwt_run("value_quick", tests);
}
