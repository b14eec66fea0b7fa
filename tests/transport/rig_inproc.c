/* SPDX-License-Identifier: Apache-2.0
 *
 * The rig of inproc: the near end runs on the program's own stack, in front, and the far end is a
 * coroutine.
 */
#include <CUnit/CUnit.h>

#include "base/coroutine.h"
#include "base/turns.h"
#include "conformance.h"
#include "inproc.h"

struct pair {
    struct mwi_turns_side near, far;
    struct mwi_coroutine *coroutine;
    const struct mwt_plan *plan;
    bool has_ended;
    int status;
};

static void resume_far(void *context)
{
    struct pair *pair = context;
    if (!pair->has_ended)
        pair->has_ended = !mwi_coroutine_resume(pair->coroutine);
    if (pair->has_ended)
        pair->far.due_ns = INT64_MAX;
}

static void resume_near(void *context)
{
    mwi_coroutine_yield(((struct pair *)context)->coroutine);
}

static void run_far(void *context)
{
    struct pair *pair = context;
    const struct mwt_far far = {.api = &mwi_inproc_transport,
                                .environment = &pair->far,
                                .address = "",
                                .listen_address = "",
                                .frame_bytes_max = pair->plan->far_bytes_max};
    pair->status = mwt_far_run(&far);
}

static void run_inproc(const struct mwt_plan *plan)
{
    struct mwi_coroutine_pool pool = {.stack_bytes = (size_t)256 << 10};
    struct pair pair = {.plan = plan, .status = -1};
    mwi_turns_init(&pair.near, &pair.far, &pair);
    pair.near.give_way = resume_far;
    pair.far.give_way = resume_near;
    pair.far.due_ns = INT64_MIN;
    pair.coroutine = mwi_coroutine_take(&pool, run_far, &pair);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pair.coroutine);

    mwt_near_run(plan, &mwi_inproc_transport, &pair.near, "", NULL, NULL);

    for (int i = 0; i < 100 && !pair.has_ended; i++)
        resume_far(&pair);
    CU_ASSERT_TRUE_FATAL(pair.has_ended);
    CU_ASSERT_EQUAL(pair.status, 0);
    CU_ASSERT_EQUAL(pair.near.arrived_count + pair.far.arrived_count, 0);
    mwi_coroutine_put(&pool, pair.coroutine);
    mwi_coroutine_pool_fini(&pool);
}

const struct mwt_rig mwt_rig = {.name = "inproc",
                                .has_wake_fd = true,
                                .has_fd = true,
                                .peers_max = SIZE_MAX,
                                .run = run_inproc};

int main(void)
{
    return mwt_conformance_run();
}
