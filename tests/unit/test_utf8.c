/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoder of UTF-8: every character decodes, every other sequence of bytes is refused, and
 * only printable characters count as printable.
 */
#include "base/utf8.h"

#include <string.h>

#include <CUnit/Basic.h>

#include "mwt_run.h"

/* Writes a character and a NUL, returns the length without it. */
static size_t encode(uint32_t code, char *bytes)
{
    static const unsigned first_marks[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    bytes[length] = '\0';
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(first_marks[length] | code);
    return length;
}

/* Every character is read as itself, unless it is cut short. */
static void test_all_characters(void)
{
    unsigned wrong = 0;

    for (uint32_t code = 1; code <= 0x10ffff; code++) {
        char bytes[5];
        uint32_t decoded;
        size_t length = encode(code, bytes);
        bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
        size_t expected = is_surrogate ? 0 : length;
        wrong += mwi_utf8_decode(bytes, &decoded) != expected;
        wrong += !is_surrogate && decoded != code;
        wrong += mwi_utf8_is_valid(bytes) == is_surrogate;
        bytes[length - 1] = '\0';
        wrong += length > 1 && mwi_utf8_decode(bytes, &decoded) != 0;
    }

    CU_ASSERT_EQUAL(wrong, 0);
}

/* Bytes that make no character give 0, and the first of them. */
static void test_malformed(void)
{
    static const char *const texts[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2 ",
        "\xe0\x9f\xbf",
        "\xe2\x82 ",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint32_t code;
        CU_ASSERT_EQUAL(mwi_utf8_decode(texts[i], &code), 0);
        CU_ASSERT_EQUAL(code, (unsigned char)texts[i][0]);
        CU_ASSERT_FALSE(mwi_utf8_is_valid(texts[i]));
    }
    CU_ASSERT_TRUE(mwi_utf8_is_valid(""));
}

/* Control characters and marks of direction are not printable, the rest is. */
static void test_printable(void)
{
    static const uint32_t no[] = {0,     1,      '\n',   0x1b,   0x7f,   0x85,
                                  0x61c, 0x200e, 0x2028, 0x202e, 0x2066, 0x2069};
    static const uint32_t yes[] = {' ', '~', 0xa0, 0xfc, 0x20ac, 0x2027, 0x202f, 0x1f404};

    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        CU_ASSERT_FALSE(mwi_utf8_is_printable(no[i]));
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        CU_ASSERT_TRUE(mwi_utf8_is_printable(yes[i]));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"all characters", test_all_characters},
        {"malformed", test_malformed},
        {"printable", test_printable},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("utf8", tests);
}
