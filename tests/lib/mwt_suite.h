/* SPDX-License-Identifier: Apache-2.0
 *
 * The main function of a CUnit program with one suite. Only in the header, so that a test needs no
 * other source than itself for it.
 */
#ifndef MWT_SUITE_H
#define MWT_SUITE_H

#include <stdlib.h>

#include <CUnit/Basic.h>

/* Runs the tests, which end with CU_TEST_INFO_NULL; returns the exit status, which is not 0 if a
 * case failed. */
static inline int mwt_suite_run(const char *name, CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    if (CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
