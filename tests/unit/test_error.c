/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of the errors, including those of numbers that are no error. A new error needs a text
 * in mw/error.h only.
 */
#include <mw/error.h>

#include <stdio.h>
#include <string.h>

#include <mw/version.h>

#include "mwt_run.h"

#define NAME_OF(name, text) "MW_" #name,
#define TEXT_OF(name, text) text,

static const char *const names[] = {"MW_OK", MW_ERRORS(NAME_OF)};
static const char *const texts[] = {NULL, MW_ERRORS(TEXT_OF)};

enum { ERRORS_COUNT = sizeof names / sizeof names[0] };

/* Each error has its own name and text, in the order of the list. */
static void test_errors(void)
{
    for (int i = 0; i < ERRORS_COUNT; i++)
        CU_ASSERT_STRING_EQUAL(mw_error_name((mw_error)i), names[i]);
    for (int i = 1; i < ERRORS_COUNT; i++)
        CU_ASSERT_STRING_EQUAL(mw_error_text((mw_error)i), texts[i]);
    CU_ASSERT_TRUE(strlen(mw_error_text(MW_OK)) > 0);
    CU_ASSERT_STRING_EQUAL(mw_error_name(MW_ENOMEM), "MW_ENOMEM");
    CU_ASSERT_STRING_EQUAL(mw_error_text(MW_ENOMEM), "out of memory");
}

/* A number that is no error is told as such. */
static void test_no_errors(void)
{
    static const int numbers[] = {ERRORS_COUNT, -1, 1000000, -1000000};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CU_ASSERT_STRING_EQUAL(mw_error_name((mw_error)numbers[i]), "MW_E?");
        CU_ASSERT_STRING_EQUAL(mw_error_text((mw_error)numbers[i]), "unknown error");
    }
}

/* The library that is linked here is of the headers' version, in all its forms. */
static void test_version(void)
{
    char expected[40];
    snprintf(expected, sizeof expected, "%d.%d.%d", MW_VERSION_MAJOR, MW_VERSION_MINOR,
             MW_VERSION_PATCH);

    CU_ASSERT_STRING_EQUAL(MW_VERSION_STRING, expected);
    CU_ASSERT_STRING_EQUAL(mw_version(), MW_VERSION_STRING);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"errors", test_errors},
        {"no errors", test_no_errors},
        {"version", test_version},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("error", tests);
}
