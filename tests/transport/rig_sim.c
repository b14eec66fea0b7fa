/* SPDX-License-Identifier: Apache-2.0
 *
 * The rig of sim: near and far end are two hosts of one world, under its clock. Nothing in it
 * takes real time.
 */
#include <mw/sim.h>

#include <CUnit/CUnit.h>

#include "conformance.h"

/* More than the patience of a whole case. */
#define WORLD_NS (100 * MWT_PATIENCE_NS)

static int run_far(mw_sim_host *host, void *context)
{
    const struct mwt_plan *plan = context;
    const struct mwt_far far = {.api = &mw_sim_transport,
                                .environment = host,
                                .address = "near",
                                .listen_address = "",
                                .frame_bytes_max = plan->far_bytes_max};
    return mwt_far_run(&far);
}

static int run_near(mw_sim_host *host, void *context)
{
    mwt_near_run(context, &mw_sim_transport, host, "", NULL, NULL);
    return 0;
}

static void run_sim(const struct mwt_plan *plan)
{
    const mw_sim_config config = {.seed = 1};
    struct mwt_plan copy = *plan;
    mw_sim_host *near;
    mw_sim_host *far;
    mw_sim *sim;
    int status = -1;

    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&sim, &config), MW_OK);
    /* The near end runs first and listens before the far one connects. */
    CU_ASSERT_EQUAL(mw_sim_host_start(sim, "near", run_near, &copy, &near), MW_OK);
    CU_ASSERT_EQUAL(mw_sim_host_start(sim, "far", run_far, &copy, &far), MW_OK);
    CU_ASSERT_TRUE(mw_sim_run(sim, WORLD_NS));
    CU_ASSERT_TRUE(mw_sim_host_ended(far, &status));
    CU_ASSERT_EQUAL(status, 0);
    mw_sim_destroy(sim);
}

const struct mwt_rig mwt_rig = {
    .name = "sim", .far_address = "far", .nobody = "nobody", .peers_max = SIZE_MAX, .run = run_sim};

int main(void)
{
    return mwt_conformance_run();
}
