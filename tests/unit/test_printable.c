/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of peers: whatever bytes they hold, they can be printed after they were escaped. Characters
 * that are printable already stay as they are.
 */
#include "base/printable.h"

#include <string.h>

#include "base/utf8.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define TEXT_BYTES_MAX 40

/* Compares the escaped text, made by both functions. */
static void check(const void *text, size_t size, const char *expected)
{
    char written[256], copied[256];
    size_t written_bytes = mwi_printable_size(text, size);
    CU_ASSERT_EQUAL_FATAL(written_bytes, strlen(expected));

    mwi_printable_write(written, text, size);

    CU_ASSERT_NSTRING_EQUAL(written, expected, written_bytes);
    CU_ASSERT_EQUAL(mwi_printable_copy(copied, sizeof copied, text, size), written_bytes);
    CU_ASSERT_STRING_EQUAL(copied, expected);
}

static void check_text(const char *text, const char *expected)
{
    check(text, strlen(text), expected);
}

/* Printable text stays, in every script, with its backslashes. */
static void test_printable_stays(void)
{
    check(NULL, 0, "");
    check_text("C:\\new \"file\" ~", "C:\\new \"file\" ~");
    check_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x84",
               "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x84");
}

/* Lines, controls of a terminal and marks of direction are shown, and do nothing. */
static void test_controls(void)
{
    check_text("two\nlines\r\tand", "two\\nlines\\r\\tand");
    check_text("\x1b[2J\x1b]0;title\x07\x7f", "\\x1b[2J\\x1b]0;title\\x07\\x7f");
    check_text("\xc2\x9b"
               "31m",
               "\\u009b31m");
    check_text("abc\xe2\x80\xae"
               "def\xd8\x9c",
               "abc\\u202edef\\u061c");
    check("a\0b", 3, "a\\x00b");
}

/* Bytes that are not UTF-8 are shown one by one, and so are those of a character that is cut. */
static void test_malformed(void)
{
    check_text("\xff\xc0\x80!", "\\xff\\xc0\\x80!");
    check("\xe2\x82", 2, "\\xe2\\x82");
    check("\xf0\x9f\x90\x84", 3, "\\xf0\\x9f\\x90");
}

/* Characters that do not fit whole are left out. */
static void test_room(void)
{
    char text[6];

    CU_ASSERT_EQUAL(mwi_printable_copy(text, 6, "abc\n\n", 5), 5);
    CU_ASSERT_STRING_EQUAL(text, "abc\\n");
    CU_ASSERT_EQUAL(mwi_printable_copy(text, 5, "abc\n", 4), 3);
    CU_ASSERT_STRING_EQUAL(text, "abc");
    CU_ASSERT_EQUAL(mwi_printable_copy(text, 4, "ab\xc3\xbc", 4), 2);
    CU_ASSERT_STRING_EQUAL(text, "ab");
    CU_ASSERT_EQUAL(mwi_printable_copy(text, 1, "ab", 2), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
}

static bool is_printable(const char *text)
{
    uint32_t code;
    for (size_t length; *text != '\0'; text += length) {
        length = mwi_utf8_decode(text, &code);
        if (length == 0 || !mwi_utf8_is_printable(code))
            return false;
    }
    return true;
}

/* Any bytes become text that can be printed, no more than four times as long, and is escaped once:
 * to escape it again changes nothing. */
static void test_any_bytes(void)
{
    static const unsigned char starts[] = {0x1b, 0xc2, 0xe2, 0xf0, 0x80, 0xff, 'a', 0};
    struct mwt_random random;
    mwt_random_start(&random);

    for (int i = 0; i < 20000; i++) {
        unsigned char text[TEXT_BYTES_MAX];
        char once[4 * TEXT_BYTES_MAX + 1];
        size_t size = mwt_random_below(&random, sizeof text + 1);
        for (size_t j = 0; j < size; j++)
            text[j] = mwt_random_below(&random, 2) == 0
                          ? starts[mwt_random_below(&random, sizeof starts)]
                          : (unsigned char)mwt_random_next(&random);
        size_t once_bytes = mwi_printable_copy(once, sizeof once, text, size);
        CU_ASSERT_EQUAL_FATAL(once_bytes, mwi_printable_size(text, size));
        CU_ASSERT_TRUE_FATAL(is_printable(once));
        CU_ASSERT_EQUAL_FATAL(mwi_printable_size(once, once_bytes), once_bytes);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"printable stays", test_printable_stays},
        {"controls", test_controls},
        {"malformed", test_malformed},
        {"room", test_room},
        {"any bytes", test_any_bytes},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("printable", tests);
}
