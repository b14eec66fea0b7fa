/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the averages. For the first FORGETTING tasks of an algorithm it is their mean. After that,
 * each task moves the average by a part of the difference, so old tasks count less and less. On the
 * master task_ends feeds it, and schedule and dispatch read it; on a slave results does both.
 *
 * Invariants: the average of an algorithm is above 0 once a task of it has ended, since OVERHEAD_NS
 * is part of every sample. A slave that reports a false duration cannot spoil the average for long:
 * see SURPRISE and DURATION_MAX_NS. To follow changes faster, lower FORGETTING.
 */
#include "farm/pace.h"

#include <assert.h>
#include <stdlib.h>

/* The time for receiving a task and returning its result. It is added to each sample, so that a
 * task which takes no time at all still has a cost. */
#define OVERHEAD_NS 400
/* A task moves the average by 1 / FORGETTING of the difference between its duration and the
 * average. */
#define FORGETTING 32
/* A sample is cut at SURPRISE times the average, once FORGETTING tasks have ended. */
#define SURPRISE 16
/* A sample is cut at this, so that the sums do not overflow. */
#define DURATION_MAX_NS (INT64_C(1) << 50)

bool mwi_pace_init(struct mwi_pace *pace, size_t algorithms_count)
{
    pace->algorithms = calloc(algorithms_count + 1, sizeof *pace->algorithms);
    pace->algorithms_count = algorithms_count;
    return pace->algorithms != NULL;
}

void mwi_pace_fini(struct mwi_pace *pace)
{
    free(pace->algorithms);
    *pace = (struct mwi_pace){0};
}

void mwi_pace_learn(struct mwi_pace *pace, size_t algorithm, uint64_t ran_ns, uint32_t count)
{
    assert(count > 0);
    if (algorithm >= pace->algorithms_count)
        return;
    struct mwi_pace_algorithm *known = &pace->algorithms[algorithm];
    uint64_t mean_ns = ran_ns / count;
    int64_t sample_ns =
        (mean_ns < DURATION_MAX_NS ? (int64_t)mean_ns : DURATION_MAX_NS) + OVERHEAD_NS;
    if (known->samples_count >= FORGETTING && sample_ns > SURPRISE * known->task_ns)
        sample_ns = SURPRISE * known->task_ns;
    known->samples_count =
        known->samples_count < UINT32_MAX - count ? known->samples_count + count : UINT32_MAX;
    int64_t all = known->samples_count < FORGETTING ? known->samples_count : FORGETTING;
    int64_t weight = count < all ? count : all;
    known->task_ns += (sample_ns - known->task_ns) * weight / all;
}
