/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases that only tcp has. They run one transport object and, at the other end, plain sockets
 * or a second object, all in one thread, so that the order of steps is fixed.
 */
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "tcp_case.h"

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_pSuite suite = CU_add_suite("tcp", NULL, NULL);
    if (suite == NULL)
        return EXIT_FAILURE;
    mwt_tcp_addresses(suite);
    mwt_tcp_descriptors(suite);
    mwt_tcp_strangers(suite);
    mwt_tcp_turns(suite);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    if (CU_get_error() != CUE_SUCCESS || CU_basic_run_tests() != CUE_SUCCESS)
        return EXIT_FAILURE;
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
