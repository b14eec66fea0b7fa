/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the suite: opens the near end for each case, and collects the tables of cases. The far end
 * is in far.c; the rig of a transport joins the two.
 */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "cases.h"

void mwt_near_run(const struct mwt_plan *plan, const mw_transport_api *api, void *environment,
                  const char *listen_address, void (*begin_far)(void *context, const char *bound),
                  void *context)
{
    struct mwt_near near = {.plan = plan};
    char bound[256] = "";

    mw_error error =
        mwt_end_open(&near.end, api, environment, plan->near_bytes_max, plan->wake_fd, plan->wait);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (error != MW_OK) {
        fprintf(stderr, "near end: %s\n", near.end.why.text);
        return;
    }
    error = api->listen(near.end.transport, listen_address, bound, sizeof bound, &near.end.why);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (begin_far != NULL)
        begin_far(context, bound);
    struct mwt_event up = mwt_end_take(&near.end);
    CU_ASSERT_EQUAL(up.kind, MWT_UP);
    CU_ASSERT_NOT_EQUAL(up.peer, 0);
    CU_ASSERT_NOT_EQUAL(up.text[0], '\0');
    near.far = up.peer;
    mwt_event_clear(&up);
    if (near.far != 0)
        plan->body(&near);
    mwt_end_close(&near.end);
    CU_ASSERT_EQUAL(near.end.faults, 0);
    if (near.end.faults > 0)
        fprintf(stderr, "near end: %s\n", near.end.fault);
}

int mwt_conformance_run(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_pSuite suite = CU_add_suite(mwt_rig.name, NULL, NULL);
    if (suite == NULL)
        return EXIT_FAILURE;
    mwt_cases_frames(suite);
    mwt_cases_bodies(suite);
    mwt_cases_peers(suite);
    mwt_cases_waiting(suite);
    mwt_cases_objects(suite);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    if (CU_get_error() != CUE_SUCCESS || CU_basic_run_tests() != CUE_SUCCESS)
        return EXIT_FAILURE;
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
