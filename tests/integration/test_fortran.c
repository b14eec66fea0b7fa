/* SPDX-License-Identifier: Apache-2.0
 *
 * The Fortran module: starts fortran_farm.f90, which checks the module from inside, and checks its
 * output and status. A new call of the module gets a line in fortran_farm.f90.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "mwt_process.h"
#include "mwt_run.h"

/* Values of every kind arrive both ways, empty ones and parts of arrays too. Values of a wrong size
 * fail. Strings and arguments keep their blanks. Policies, tags and user pointers work. */
static void test_farm(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mwt_run_program(crew, MWT_FORTRAN_FARM, "--mw-audit-level=none",
                                               "--mw-local", "1", "a b ", "", "end", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 7);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_ERR), "");
    CU_ASSERT_STRING_EQUAL(
        mwt_output(farm, MWT_OUT),
        "[a b ]\n"
        "[]\n"
        "[end]\n"
        "[]\n"
        "wanted 20\n"
        "out 11 1\n"
        "12 bracket unrunnable, 7 bytes: there is no SLAVE-99, and its policy allows no other\n"
        "11 get_user 1004 SLAVE-0\n"
        "1 double_int8 2 -4 6\n"
        "2 double_int32 2 -4 6\n"
        "3 double_int64 2 -4 6\n"
        "4 double_real64 2.0 4.0 6.0\n"
        "5 bracket [so ], length 5\n"
        "6 bracket [], length 2\n"
        "7 bracket [], length 2\n"
        "8 thin_out 1 3\n"
        "9 fail failed, 0 bytes: 100%s of it\n"
        "10 double_int64 failed, 0 bytes: expected 24 bytes, got 12\n");
    mwt_crew_destroy(crew);
}

/* An error is returned by the call that causes it, and sets the exit status. */
static void test_refused(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mwt_run_program(crew, MWT_FORTRAN_FARM, "--mw-audit-level=none",
                                               "--mw-local", "1", "refused", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 255);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT),
                           "MW_EALGORITHM: the program has no task algorithm \"absent\"\n"
                           "MW_EALGORITHM: the program has no task algorithm \"absent\"\n");
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "\n"), 1);
    mwt_crew_destroy(crew);
}

/* Wrong usage ends with status 2 and mw's sentence, without messages of the Fortran runtime. */
static void test_wrong_usage(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_FORTRAN_FARM, "--mw-quiet", "--mw-nonsense", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 2);
    CU_ASSERT_STRING_EQUAL(
        mwt_output(farm, MWT_ERR),
        "mwt_fortran_farm: --mw-nonsense: there is no such option; --mw-help lists all\n");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"farm", test_farm},
        {"refused", test_refused},
        {"wrong usage", test_wrong_usage},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("fortran", tests);
}
