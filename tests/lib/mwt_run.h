/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the cases of a CUnit program. A failed case makes the exit status a failure.
 */
#ifndef MWT_RUN_H
#define MWT_RUN_H

#include <stdlib.h>

#include <CUnit/Basic.h>

/* Runs `tests`, ended by CU_TEST_INFO_NULL, as the suite `name`; returns the exit status. */
static inline int mwt_run(const char *name, CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
