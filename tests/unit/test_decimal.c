/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with a decimal point, in a locale that has a comma as well. The locale is made for the
 * test, if this machine can make one.
 */
#include "base/decimal.h"

#include <locale.h>
#include <stdlib.h>

#include "mwt_folder.h"
#include "mwt_run.h"

static void check_numbers(void)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},       {0.5, "0.5"},          {-2.25, "-2.25"},     {30, "30"},
        {1e6, "1e+06"}, {1.5e300, "1.5e+300"}, {123456.7, "123457"}, {1.0 / 3, "0.333333"},
    };
    char text[MWI_DECIMAL_BYTES];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(mwi_decimal_write(text, cases[i].number), cases[i].text);
}

/* Numbers look as printf's %g makes them. */
static void test_numbers(void)
{
    check_numbers();
}

/* A locale with a decimal comma changes nothing. */
static void test_comma(void)
{
    struct mwt_folder folder;
    char command[256], printed[16];
    mwt_folder_create(&folder);
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/comma 2>/dev/null >&2",
             folder.path);
    bool is_made = system(command) >= 0;
    setenv("LOCPATH", folder.path, 1);
    is_made = is_made && setlocale(LC_NUMERIC, "comma") != NULL;

    snprintf(printed, sizeof printed, "%.1f", 0.5);
    if (is_made)
        CU_ASSERT_STRING_EQUAL(printed, "0,5");
    check_numbers();

    setlocale(LC_NUMERIC, "C");
    snprintf(command, sizeof command, "rm -rf %s", folder.path);
    CU_ASSERT_EQUAL(system(command), 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"numbers", test_numbers},
        {"comma", test_comma},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("decimal", tests);
}
