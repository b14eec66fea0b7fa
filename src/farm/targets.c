/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of target numbers. The master algorithm sets them and asks; nothing in the library acts
 * on them.
 */
#include "farm/targets.h"

#include <stdlib.h>

bool mwi_targets_init(struct mwi_targets *targets, size_t algorithms_count)
{
    *targets = (struct mwi_targets){0};
    targets->by_algorithm = calloc(algorithms_count + 1, sizeof *targets->by_algorithm);
    return targets->by_algorithm != NULL;
}

void mwi_targets_fini(struct mwi_targets *targets)
{
    free(targets->by_algorithm);
}

void mwi_targets_set(struct mwi_targets *targets, size_t algorithm, int64_t number)
{
    if (number < 0)
        number = 0;
    if (algorithm == MWI_TARGET_GENERAL)
        targets->general = number;
    else
        targets->by_algorithm[algorithm] = number;
}

int64_t mwi_targets_get(const struct mwi_targets *targets, size_t algorithm)
{
    return algorithm == MWI_TARGET_GENERAL ? targets->general : targets->by_algorithm[algorithm];
}

int64_t mwi_targets_upto(const struct mwi_targets *targets, size_t algorithm, size_t pending)
{
    int64_t target = mwi_targets_get(targets, algorithm);
    return pending >= (uint64_t)target ? 0 : target - (int64_t)pending;
}
