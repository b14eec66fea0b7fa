/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of a resource file in a slave's address book: which ones it takes, which ones it refuses,
 * and the address that comes of them.
 */
#include "options/address_book.h"

#include <string.h>

#include "mwt_run.h"

/* An entry that the book does not take stays, whatever the file says. */
static void test_entries_that_stay(void)
{
    struct mwi_address_book book = {.member_id = "a", .host = "b", .port = 7};
    mw_reason why;

    CU_ASSERT_EQUAL(mwi_address_book_take_member_id(&book, "x\n", &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_address_book_take_host(&book, "y:1", &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_address_book_take_port(&book, 99999, &why), MW_OK);

    CU_ASSERT_STRING_EQUAL(book.member_id, "a");
    CU_ASSERT_STRING_EQUAL(book.host, "b");
    CU_ASSERT_EQUAL(book.port, 7);
}

/* The longest entries that options allow fit, and longer ones are refused. */
static void test_longest_entries(void)
{
    struct mwi_address_book book = {.takes_member_id = true, .takes_host = true};
    char text[257];
    mw_reason why;
    memset(text, 'x', sizeof text - 1);
    text[255] = '\0';

    CU_ASSERT_EQUAL(mwi_address_book_take_member_id(&book, text, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_address_book_take_host(&book, text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(book.member_id, text);
    CU_ASSERT_STRING_EQUAL(book.host, text);
    text[255] = 'x';
    text[256] = '\0';
    CU_ASSERT_EQUAL(mwi_address_book_take_member_id(&book, text, &why), MW_EUSAGE);
    CU_ASSERT_EQUAL(mwi_address_book_take_host(&book, text, &why), MW_EUSAGE);
    CU_ASSERT_EQUAL(strlen(book.host), 255);
}

/* A value that its option does not allow is refused, and the sentence says why. */
static void test_refused(void)
{
    struct mwi_address_book book = {
        .port = 7, .takes_member_id = true, .takes_host = true, .takes_port = true};
    mw_reason why;

    CU_ASSERT_EQUAL(mwi_address_book_take_port(&book, 99999, &why), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(why.text,
                           "resource file: master-port 99999: must be a whole number from 0 to "
                           "65535, or a range LOW-HIGH from 1 up");
    CU_ASSERT_EQUAL(book.port, 7);
    CU_ASSERT_EQUAL(mwi_address_book_take_host(&book, "a\nb", &why), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "resource file: master-host a?b: must be"));
    CU_ASSERT_STRING_EQUAL(book.host, "");
}

/* An address needs host and port; IPv6 gets brackets. */
static void test_address(void)
{
    struct mwi_address_book book = {.takes_host = true, .takes_port = true};
    char text[300];
    mw_reason why;

    CU_ASSERT_FALSE(mwi_address_book_is_complete(&book));
    CU_ASSERT_EQUAL(mwi_address_book_take_host(&book, "fe80::1%eth0", &why), MW_OK);
    CU_ASSERT_FALSE(mwi_address_book_is_complete(&book));
    CU_ASSERT_EQUAL(mwi_address_book_take_port(&book, 7000, &why), MW_OK);
    CU_ASSERT_TRUE(mwi_address_book_is_complete(&book));
    mwi_address_book_write(&book, text, sizeof text);

    CU_ASSERT_STRING_EQUAL(text, "[fe80::1%eth0]:7000");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"entries that stay", test_entries_that_stay},
        {"longest entries", test_longest_entries},
        {"refused", test_refused},
        {"address", test_address},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("address book", tests);
}
