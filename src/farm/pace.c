/* SPDX-License-Identifier: Apache-2.0
 *
 * The average: a plain one of the first tasks, then one that forgets. schedule asks it on the
 * master, results on the slave.
 *
 * Invariant: the average of an algorithm is above 0 once a task of it has ended, since OVERHEAD_NS
 * is part of every sample. A claim of a slave cannot spoil it for long: see SURPRISE and
 * DURATION_MAX_NS.
 */
#include "farm/pace.h"

#include <assert.h>
#include <stdlib.h>

/* Receiving a task and returning its result takes about this long, too, so that tasks which take no
 * time at all are not held to be free. */
#define OVERHEAD_NS 400
/* A new sample has this weight at least: 1 in 32. */
#define FORGETTING 32
/* A task that takes very much longer than the average, or is said to, counts as this many average
 * ones. */
#define SURPRISE 16
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
